
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: what an answer to on_connect, on_publish or on_play means.
 *
 *   hook_format srs, oryx: status 200 or 201 and a body that agrees
 *   (ngx_media_hook_answer.h); hook_format rtmp: 2xx agrees, 3xx with Location
 *   gives another name, or an rtmp URL to go to; all else refuses.
 *
 * No answer, and 5xx, which proxies give where there is nobody behind them,
 * are no verdict: hook_retry and hook_fail are for those.
 */


#include "ngx_media_hook.h"


static ngx_int_t ngx_media_hook_verdict_rtmp(ngx_pool_t *pool,
    ngx_media_web_answer_t *a, ngx_media_hook_verdict_t *v);
static ngx_int_t ngx_media_hook_verdict_redirect(ngx_pool_t *pool,
    ngx_media_hook_verdict_t *v, u_char *data, size_t len);


ngx_uint_t
ngx_media_hook_none(ngx_media_web_answer_t *a)
{
    return a == NULL || a->status == 0 || a->status >= 500;
}


ngx_int_t
ngx_media_hook_verdict(ngx_pool_t *pool, ngx_media_hook_conf_t *conf,
    ngx_media_web_answer_t *a, ngx_media_hook_verdict_t *v)
{
    u_char                   *buf;
    ngx_media_hook_answer_t   answer;

    ngx_memzero(v, sizeof(ngx_media_hook_verdict_t));

    v->record = NGX_CONF_UNSET;
    v->rc = NGX_DECLINED;

    if (ngx_media_hook_none(a)) {
        return NGX_AGAIN;
    }

    if (conf->format == NGX_MEDIA_HOOK_RTMP) {
        return ngx_media_hook_verdict_rtmp(pool, a, v);
    }

    if ((a->status != 200 && a->status != 201) || a->cut) {
        return NGX_OK;
    }

    buf = ngx_pnalloc(pool, a->body.len + 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_media_hook_answer(&answer, a->body.data,
                              a->body.data + a->body.len, buf)
        != NGX_MEDIA_OK)
    {
        return NGX_OK;
    }

    v->rc = NGX_OK;
    v->stream.data = answer.stream.data;
    v->stream.len = answer.stream.len;
    v->lifetime = (ngx_msec_t) answer.lifetime;
    v->record = (answer.record == -1) ? NGX_CONF_UNSET : answer.record;

    return ngx_media_hook_verdict_redirect(pool, v, answer.redirect.data,
                                           answer.redirect.len);
}


static ngx_int_t
ngx_media_hook_verdict_rtmp(ngx_pool_t *pool, ngx_media_web_answer_t *a,
    ngx_media_hook_verdict_t *v)
{
    ngx_str_t  *location;

    location = &a->location;

    if (a->status >= 200 && a->status < 300) {
        v->rc = NGX_OK;
        return NGX_OK;
    }

    if (a->status < 300 || a->status >= 400 || location->len == 0) {
        return NGX_OK;
    }

    if (location->len > 7
        && (ngx_strncasecmp(location->data, (u_char *) "rtmp://", 7) == 0
            || ngx_strncasecmp(location->data, (u_char *) "rtmps:/", 7)
               == 0))
    {
        v->rc = NGX_OK;
        return ngx_media_hook_verdict_redirect(pool, v, location->data,
                                               location->len);
    }

    v->stream.data = ngx_pstrdup(pool, location);
    if (v->stream.data == NULL) {
        return NGX_ERROR;
    }

    v->stream.len = location->len;
    v->rc = NGX_OK;

    return NGX_OK;
}


/* who is sent elsewhere is not let in here */

static ngx_int_t
ngx_media_hook_verdict_redirect(ngx_pool_t *pool,
    ngx_media_hook_verdict_t *v, u_char *data, size_t len)
{
    size_t  i;

    if (len == 0) {
        return NGX_OK;
    }

    v->rc = NGX_DECLINED;

    if (len > NGX_MEDIA_TEXT_LEN) {
        return NGX_OK;
    }

    for (i = 0; i < len; i++) {
        if (data[i] <= ' ' || data[i] == 0x7f) {
            return NGX_OK;
        }
    }

    v->redirect.data = ngx_pnalloc(pool, len);
    if (v->redirect.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->redirect.data, data, len);
    v->redirect.len = len;

    return NGX_OK;
}
