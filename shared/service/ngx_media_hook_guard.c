
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: on_connect, on_publish and on_play: a guard (ngx_media_guard.c) that
 * asks the URLs of an event one after the other.  Each must agree:
 *
 *   cached? --yes----------------------------> verdict
 *      |                                          ^
 *      no --> sent --> answer ------------------> |
 *               ^         |                       |
 *               |      no verdict --> hook_fail --+
 *               +-- hook_retry times
 *
 * What is kept of a question lies in the pool of the ask, which is gone when
 * the ask has its answer or nobody waits for it any more.
 */


#include "ngx_media_hook.h"
#include "ngx_media_hls.h"


typedef struct {
    ngx_media_ask_t           *ask;
    ngx_media_hook_conf_t     *conf;
    ngx_uint_t                 event;
    ngx_uint_t                 n;         /* the URL that is asked */
    ngx_uint_t                 tries;     /* of it */
    ngx_media_hook_message_t   message;
    ngx_media_hook_target_t   *target;
    ngx_media_web_t           *web;       /* under way */
    ngx_event_t                timer;     /* until it is tried again */
    ngx_connection_t           dummy;
    u_char                     key[NGX_MEDIA_HOOK_KEY_LEN];
} ngx_media_hook_ask_t;


static ngx_int_t ngx_media_hook_ask(ngx_media_ask_t *ask);
static void ngx_media_hook_ask_cancel(ngx_media_ask_t *ask);
static ngx_int_t ngx_media_hook_ask_request(ngx_media_ask_t *ask);
static ngx_uint_t ngx_media_hook_ask_concerned(void **conf);
static ngx_int_t ngx_media_hook_ask_urls(ngx_media_hook_ask_t *ctx);
static ngx_int_t ngx_media_hook_ask_url(ngx_media_hook_ask_t *ctx,
    ngx_media_hook_url_t *url);
static void ngx_media_hook_ask_done(void *data, ngx_media_web_answer_t *a);
static ngx_int_t ngx_media_hook_ask_failed(ngx_media_hook_ask_t *ctx);
static void ngx_media_hook_ask_again(ngx_event_t *ev);
static void ngx_media_hook_ask_next(ngx_media_hook_ask_t *ctx, ngx_int_t rc);
static ngx_int_t ngx_media_hook_ask_take(ngx_media_hook_ask_t *ctx,
    ngx_media_hook_verdict_t *v);


const ngx_media_guard_t  ngx_media_hook_guard = {
    ngx_media_hook_ask,
    ngx_media_hook_ask_cancel,
    ngx_media_hook_ask_concerned
};


/* by ngx_media_act_e */

static const ngx_uint_t  ngx_media_hook_acts[] = {
    NGX_MEDIA_HOOK_CONNECT,
    NGX_MEDIA_HOOK_PUBLISH,
    NGX_MEDIA_HOOK_PLAY
};


static ngx_int_t
ngx_media_hook_ask(ngx_media_ask_t *ask)
{
    ngx_media_hook_ask_t   *ctx;
    ngx_media_hook_conf_t  *conf;

    conf = ngx_media_hook_conf_of(ask->conf);

    if (conf->urls[ngx_media_hook_acts[ask->act]] == NULL) {
        return NGX_OK;
    }

    if (ask->request) {
        return ngx_media_hook_ask_request(ask);
    }

    ctx = ngx_pcalloc(ask->pool, sizeof(ngx_media_hook_ask_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->ask = ask;
    ctx->conf = conf;
    ctx->event = ngx_media_hook_acts[ask->act];
    ctx->dummy.fd = (ngx_socket_t) -1;
    ctx->dummy.data = ctx;
    ctx->timer.data = &ctx->dummy;
    ctx->timer.log = ngx_cycle->log;
    ctx->timer.handler = ngx_media_hook_ask_again;

    ask->ctx = ctx;

    return ngx_media_hook_ask_urls(ctx);
}


/* on_play is for who begins to play, not for each request of it */

static ngx_int_t
ngx_media_hook_ask_request(ngx_media_ask_t *ask)
{
    if (!ngx_media_hls_viewers_only(ask)) {
        return NGX_OK;
    }

    ngx_media_hook_count(NGX_MEDIA_HOOK_DENIED);

    ask->reason = NGX_MEDIA_REASON_DENIED;

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_media_hook_ask_concerned(void **conf)
{
    ngx_uint_t              i;
    ngx_media_hook_conf_t  *hcf;

    hcf = ngx_media_hook_conf_of(conf);

    for (i = 0; i < NGX_MEDIA_ACT_MAX; i++) {
        if (hcf->urls[ngx_media_hook_acts[i]]) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_media_hook_ask_cancel(ngx_media_ask_t *ask)
{
    ngx_media_hook_ask_t  *ctx;

    ctx = ask->ctx;

    if (ctx == NULL) {
        return;
    }

    if (ctx->web) {
        ngx_media_web_cancel(ctx->web);
        ctx->web = NULL;
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ask->ctx = NULL;
}


/* asks from the current URL on; codes as those of a guard */

static ngx_int_t
ngx_media_hook_ask_urls(ngx_media_hook_ask_t *ctx)
{
    ngx_int_t      rc;
    ngx_array_t   *urls;

    urls = ctx->conf->urls[ctx->event];

    while (ctx->n < urls->nelts) {

        rc = ngx_media_hook_ask_url(ctx, (ngx_media_hook_url_t *) urls->elts
                                         + ctx->n);
        if (rc != NGX_OK) {
            return rc;
        }

        ctx->n++;
        ctx->tries = 0;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_hook_ask_url(ngx_media_hook_ask_t *ctx, ngx_media_hook_url_t *url)
{
    ngx_int_t                  rc;
    ngx_media_ask_t           *ask;
    ngx_media_hook_event_t     e;
    ngx_media_hook_verdict_t   v;

    ask = ctx->ask;

    ngx_memzero(&e, sizeof(ngx_media_hook_event_t));

    e.event = ctx->event;
    e.type = ask->type;
    ngx_memcpy(e.text, ask->text, sizeof(e.text));

    /* rules or a URL before gave it another name: events that follow have it */

    if (ask->stream.len) {
        e.text[NGX_MEDIA_TEXT_STREAM] = ask->stream;
    }

    ctx->target = ngx_media_hook_target(url);

    if (ctx->target == NULL
        || ngx_media_hook_message(ask->pool, ctx->conf, url, &e,
                                  &ctx->message)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->conf->cache) {

        if (ngx_media_hook_cache_key(ask->pool, ctx->conf, &ctx->message, &e,
                                     ctx->key)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_media_hook_cache_get(ask->pool, ctx->key, &v);

        if (rc != NGX_DECLINED) {
            ngx_media_hook_count(NGX_MEDIA_HOOK_CACHED);

            return (rc == NGX_OK) ? ngx_media_hook_ask_take(ctx, &v) : rc;
        }
    }

    ctx->web = ngx_media_hook_send(&ctx->message, ngx_cycle->log,
                                   ngx_media_hook_ask_done, ctx);

    return ctx->web ? NGX_AGAIN : ngx_media_hook_ask_failed(ctx);
}


static void
ngx_media_hook_ask_done(void *data, ngx_media_web_answer_t *a)
{
    ngx_media_hook_ask_t *ctx = data;

    ngx_int_t                  rc;
    ngx_media_hook_verdict_t   v;

    ctx->web = NULL;

    rc = ngx_media_hook_verdict(ctx->ask->pool, ctx->conf, a, &v);

    if (rc == NGX_AGAIN) {
        ngx_media_hook_failed(ctx->target, a);
        rc = ngx_media_hook_ask_failed(ctx);

    } else if (rc == NGX_OK) {
        ngx_media_hook_answered(ctx->target);

        if (ctx->conf->cache) {
            ngx_media_hook_cache_put(ctx->key, ctx->conf->cache, &v);
        }

        rc = ngx_media_hook_ask_take(ctx, &v);
    }

    ngx_media_hook_ask_next(ctx, rc);
}


/* rc: what the current URL says */

static void
ngx_media_hook_ask_next(ngx_media_hook_ask_t *ctx, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        ctx->n++;
        ctx->tries = 0;

        rc = ngx_media_hook_ask_urls(ctx);
    }

    if (rc != NGX_AGAIN) {
        ngx_media_ask_next(ctx->ask, rc);
    }
}


/* no verdict; NGX_AGAIN: it is tried again */

static ngx_int_t
ngx_media_hook_ask_failed(ngx_media_hook_ask_t *ctx)
{
    if (ctx->tries < ctx->conf->retry) {
        ngx_add_timer(&ctx->timer, ngx_media_hook_again(ctx->tries));
        ctx->tries++;

        return NGX_AGAIN;
    }

    if (ctx->conf->fail == NGX_MEDIA_HOOK_ALLOW) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, ctx->ask->connection->log, 0,
                  "%V has no verdict of hook %V, it is denied",
                  &ngx_media_hook_names[ctx->event],
                  &ctx->message.url->url->shown);

    ngx_media_hook_count(NGX_MEDIA_HOOK_DENIED);

    ctx->ask->reason = NGX_MEDIA_REASON_DENIED;

    return NGX_DECLINED;
}


static void
ngx_media_hook_ask_again(ngx_event_t *ev)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_media_hook_ask_t  *ctx;

    c = ev->data;
    ctx = c->data;

    ctx->web = ngx_media_hook_send(&ctx->message, ngx_cycle->log,
                                   ngx_media_hook_ask_done, ctx);
    if (ctx->web) {
        return;
    }

    rc = ngx_media_hook_ask_failed(ctx);

    if (rc != NGX_AGAIN) {
        ngx_media_hook_ask_next(ctx, rc);
    }
}


/* a verdict; later URLs overrule what earlier ones added */

static ngx_int_t
ngx_media_hook_ask_take(ngx_media_hook_ask_t *ctx,
    ngx_media_hook_verdict_t *v)
{
    ngx_media_ask_t  *ask;

    ask = ctx->ask;

    if (v->rc != NGX_OK) {
        ngx_media_hook_count(NGX_MEDIA_HOOK_DENIED);

        ask->reason = NGX_MEDIA_REASON_DENIED;
        ask->redirect = v->redirect;

        ngx_log_error(NGX_LOG_INFO, ask->connection->log, 0,
                      "%V is %s by hook %V",
                      &ngx_media_hook_names[ctx->event],
                      v->redirect.len ? "redirected" : "denied",
                      &ctx->message.url->url->shown);

        return NGX_DECLINED;
    }

    if (v->stream.len) {
        ask->stream = v->stream;
    }

    if (v->lifetime && (ask->lifetime == 0 || v->lifetime < ask->lifetime)) {
        ask->lifetime = v->lifetime;
    }

    if (v->record != NGX_CONF_UNSET) {
        ask->record = v->record;
    }

    return NGX_OK;
}
