
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: messages of hooks: what goes to one URL for one event, and how it is
 * signed.
 *
 *   X-Media-Timestamp: seconds since the epoch, when it was sent
 *   X-Media-Signature: HMAC-SHA256 (RFC 2104), in hexadecimal digits, with
 *                      hook_secret, of the timestamp, a dot, and the body;
 *                      of a GET, of the path instead
 */


#include "ngx_media_hook.h"
#include "ngx_media_bytes.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>


static ngx_int_t ngx_media_hook_path(ngx_pool_t *pool,
    ngx_media_hook_url_t *url, const ngx_media_hook_event_t *e,
    ngx_str_t *path);
static ngx_int_t ngx_media_hook_sign(const ngx_media_hook_message_t *m,
    u_char *buf, ngx_str_t *headers);


#define NGX_MEDIA_HOOK_SIGN_LEN                                               \
    (sizeof("X-Media-Timestamp: X-Media-Signature: ") + NGX_TIME_T_LEN        \
     + 2 * EVP_MAX_MD_SIZE)


ngx_int_t
ngx_media_hook_message(ngx_pool_t *pool, ngx_media_hook_conf_t *conf,
    ngx_media_hook_url_t *url, const ngx_media_hook_event_t *e,
    ngx_media_hook_message_t *m)
{
    ngx_memzero(m, sizeof(ngx_media_hook_message_t));

    m->conf = conf;
    m->url = url;

    if (url->path
        && ngx_media_hook_path(pool, url, e, &m->path) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (e->event == NGX_MEDIA_HOOK_HLS_NOTIFY) {
        m->get = 1;
        return NGX_OK;
    }

    return ngx_media_hook_body(pool, conf, e, &m->body);
}


static ngx_int_t
ngx_media_hook_path(ngx_pool_t *pool, ngx_media_hook_url_t *url,
    const ngx_media_hook_event_t *e, ngx_str_t *path)
{
    u_char             *p;
    ngx_str_t           value[NGX_MEDIA_HOOK_FIELD_MAX], args;
    ngx_media_arena_t  *a;

    a = ngx_media_arena();
    args = e->text[NGX_MEDIA_TEXT_ARGS];

    p = ngx_pnalloc(pool, args.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p[0] = '?';
    (void) ngx_media_put(p + 1, args.data, args.len);

    value[NGX_MEDIA_HOOK_FIELD_SERVER].data = a->server_id;
    value[NGX_MEDIA_HOOK_FIELD_SERVER].len = ngx_strlen(a->server_id);
    value[NGX_MEDIA_HOOK_FIELD_SERVICE].data = a->service_id;
    value[NGX_MEDIA_HOOK_FIELD_SERVICE].len = NGX_MEDIA_ID_LEN;
    value[NGX_MEDIA_HOOK_FIELD_APP] = e->text[NGX_MEDIA_TEXT_APP];
    value[NGX_MEDIA_HOOK_FIELD_STREAM] = e->text[NGX_MEDIA_TEXT_STREAM];
    value[NGX_MEDIA_HOOK_FIELD_TS_URL] = e->uri;
    value[NGX_MEDIA_HOOK_FIELD_PARAM].data = p;
    value[NGX_MEDIA_HOOK_FIELD_PARAM].len = args.len ? args.len + 1 : 0;

    return ngx_media_value_eval(url->path, e->text, value,
                                NGX_MEDIA_VALUE_URL, pool, path);
}


ngx_msec_t
ngx_media_hook_again(ngx_uint_t tries)
{
    ngx_msec_t  wait;

    wait = (ngx_msec_t) NGX_MEDIA_HOOK_AGAIN << ngx_min(tries, 8);

    return ngx_min(wait, NGX_MEDIA_HOOK_AGAIN_MAX);
}


ngx_media_web_t *
ngx_media_hook_send(const ngx_media_hook_message_t *m, ngx_log_t *log,
    void (*done)(void *data, ngx_media_web_answer_t *a), void *data)
{
    u_char                     buf[NGX_MEDIA_HOOK_SIGN_LEN];
    ngx_str_t                  headers[3];
    ngx_media_web_request_t    rq;

    ngx_media_hook_count(NGX_MEDIA_HOOK_SENT);

    ngx_memzero(&rq, sizeof(ngx_media_web_request_t));

    if (m->conf->secret.len) {

        if (ngx_media_hook_sign(m, buf, headers) != NGX_OK) {
            return NULL;
        }

        rq.headers = headers;
        rq.nheaders = 2;
    }

    rq.url = m->url->url;
    rq.path = m->path;
    rq.body = m->body;
    rq.timeout = m->conf->timeout;
    rq.max = NGX_MEDIA_HOOK_ANSWER;
    rq.log = log;
    rq.done = done;
    rq.data = data;

    if (m->get) {
        ngx_str_set(&rq.method, "GET");
        ngx_str_set(&headers[rq.nheaders], "Content-Length: 0");

        rq.headers = headers;
        rq.nheaders++;
    }

    if (m->conf->format == NGX_MEDIA_HOOK_RTMP && !m->get
        && m->body.len && m->body.data[0] != '{')
    {
        ngx_str_set(&rq.content_type, "application/x-www-form-urlencoded");

    } else {
        ngx_str_set(&rq.content_type, "application/json");
    }

    return ngx_media_web_send(&rq);
}


static ngx_int_t
ngx_media_hook_sign(const ngx_media_hook_message_t *m, u_char *buf,
    ngx_str_t *headers)
{
    u_char           *p, *text, md[EVP_MAX_MD_SIZE];
    size_t            size;
    unsigned          n;
    const ngx_str_t  *what;

    what = &m->body;

    if (m->get) {
        what = m->path.len ? &m->path : &m->url->url->path;
    }

    p = ngx_sprintf(buf, "X-Media-Timestamp: %T", ngx_time());

    headers[0].data = buf;
    headers[0].len = p - buf;

    text = ngx_alloc(NGX_TIME_T_LEN + 1 + what->len, ngx_cycle->log);
    if (text == NULL) {
        return NGX_ERROR;
    }

    size = ngx_sprintf(text, "%T.%V", ngx_time(), what) - text;

    if (HMAC(EVP_sha256(), m->conf->secret.data, (int) m->conf->secret.len,
             text, size, md, &n)
        == NULL)
    {
        ngx_free(text);
        return NGX_ERROR;
    }

    ngx_free(text);

    headers[1].data = p;

    p = ngx_cpymem(p, "X-Media-Signature: ",
                   sizeof("X-Media-Signature: ") - 1);
    p = ngx_hex_dump(p, md, n);

    headers[1].len = p - headers[1].data;

    return NGX_OK;
}
