
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: forward: what is published is sent to others; so is what is published at
 * an edge, to one of its origins.
 *
 * Pushes begin and end in the publisher's worker.  When it leaves they wait for
 * it as long as players do (republish_wait); when it comes back to another
 * worker, that one asks for them, and they begin there as soon as they ended
 * here.
 */


#include "ngx_media_relay_hub.h"
#include "ngx_media_hook.h"


/* on_forward under way */

typedef struct {
    ngx_queue_t                queue;
    uint32_t                   source;
    uint32_t                   generation;
    ngx_media_hook_forward_t  *hook;
    ngx_str_t                  text[NGX_MEDIA_TEXT_MAX];
    ngx_media_client_t         client;
} ngx_media_relay_ask_t;


static void ngx_media_relay_push_conf(ngx_media_relay_ask_t *ask,
    ngx_media_relay_conf_t *rcf);
static void ngx_media_relay_push_origin(ngx_media_relay_ask_t *ask,
    ngx_media_relay_conf_t *rcf);
static void ngx_media_relay_push_begin(ngx_media_relay_t *r);
static void ngx_media_relay_push_asked(void *data, ngx_int_t rc,
    ngx_str_t *urls, ngx_uint_t n);
static ngx_uint_t ngx_media_relay_push_asking(ngx_media_source_t *src);
static ngx_uint_t ngx_media_relay_same(const ngx_str_t *a,
    const ngx_str_t *b);


static ngx_queue_t  ngx_media_relay_asks;


/* in the publisher's worker */

void
ngx_media_relay_publish(ngx_media_source_t *src)
{
    ngx_uint_t               i;
    ngx_queue_t             *q, *next;
    ngx_media_relay_t       *r;
    ngx_media_relay_ask_t   *ask;
    ngx_media_relay_conf_t  *rcf;

    if (src->pub_client == NGX_MEDIA_NONE) {
        return;
    }

    ask = ngx_calloc(sizeof(ngx_media_relay_ask_t), ngx_cycle->log);
    if (ask == NULL) {
        return;
    }

    if (ngx_media_client_snapshot(src->pub_client, &ask->client) != NGX_OK) {
        ngx_free(ask);
        return;
    }

    ask->source = ngx_media_source_index(src);
    ask->generation = src->generation;

    for (i = 0; i < NGX_MEDIA_TEXT_MAX; i++) {
        ask->text[i] = ngx_media_client_text(&ask->client, i);
    }

    rcf = ngx_media_relay_conf_of(ngx_media_policy(
                                      &ask->text[NGX_MEDIA_TEXT_VHOST],
                                      &ask->text[NGX_MEDIA_TEXT_APP]));

    ngx_media_relay_push_conf(ask, rcf);
    ngx_media_relay_push_origin(ask, rcf);

    /* those that waited for it and are wanted no more */

    for (q = ngx_queue_head(ngx_media_relay_all());
         q != ngx_queue_sentinel(ngx_media_relay_all());
         q = next)
    {
        next = ngx_queue_next(q);
        r = ngx_queue_data(q, ngx_media_relay_t, queue);

        if (r->way == NGX_MEDIA_RELAY_PUSH && r->left && !r->asked
            && ngx_media_relay_same(r->text, ask->text))
        {
            ngx_media_relay_free(r);
        }
    }

    ask->hook = ngx_media_hook_forward(&ask->client,
                                       ngx_media_relay_push_asked, ask);
    if (ask->hook == NULL) {
        ngx_free(ask);
        return;
    }

    if (ngx_media_relay_asks.next == NULL) {
        ngx_queue_init(&ngx_media_relay_asks);
    }

    ngx_queue_insert_tail(&ngx_media_relay_asks, &ask->queue);
}


static ngx_uint_t
ngx_media_relay_same(const ngx_str_t *a, const ngx_str_t *b)
{
    ngx_uint_t  i;

    for (i = NGX_MEDIA_TEXT_VHOST; i <= NGX_MEDIA_TEXT_STREAM; i++) {
        if (a[i].len != b[i].len
            || ngx_memcmp(a[i].data, b[i].data, b[i].len) != 0)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_media_relay_push_conf(ngx_media_relay_ask_t *ask,
    ngx_media_relay_conf_t *rcf)
{
    ngx_str_t                  url;
    ngx_uint_t                 i;
    ngx_media_relay_t         *r;
    ngx_media_relay_target_t  *t;

    if (rcf->forward == NULL) {
        return;
    }

    t = rcf->forward->elts;

    for (i = 0; i < rcf->forward->nelts; i++) {

        r = ngx_media_relay_new(NGX_MEDIA_RELAY_PUSH, ask->text, 1);
        if (r == NULL) {
            return;
        }

        if (ngx_media_relay_eval(r, &t[i], r->text, &url) != NGX_OK
            || ngx_media_relay_add(r, &url, &t[i]) != NGX_OK)
        {
            ngx_media_relay_free(r);
            continue;
        }

        r->peer_vhost = r->text[NGX_MEDIA_TEXT_VHOST];

        ngx_media_relay_push_begin(r);
    }
}


/* a publish at an edge; what was fetched from there does not go back */

static void
ngx_media_relay_push_origin(ngx_media_relay_ask_t *ask,
    ngx_media_relay_conf_t *rcf)
{
    ngx_media_relay_t  *r;

    if (rcf->origin == NULL || ask->client.relay) {
        return;
    }

    r = ngx_media_relay_new(NGX_MEDIA_RELAY_PUSH, ask->text,
                            rcf->origin->nelts);
    if (r == NULL) {
        return;
    }

    if (ngx_media_relay_add_all(r, rcf->origin, &rcf->origin_vhost)
        != NGX_OK)
    {
        ngx_media_relay_free(r);
        return;
    }

    ngx_media_relay_push_begin(r);
}


/* it begins, unless there is the same already: that one goes on */

static void
ngx_media_relay_push_begin(ngx_media_relay_t *r)
{
    ngx_queue_t        *q;
    ngx_media_relay_t  *other;

    r->key = ngx_media_relay_key(NGX_MEDIA_RELAY_PUSH,
                                 &r->text[NGX_MEDIA_TEXT_VHOST],
                                 &r->text[NGX_MEDIA_TEXT_APP],
                                 &r->text[NGX_MEDIA_TEXT_STREAM],
                                 &r->to[0].url.url);

    for (q = ngx_queue_head(ngx_media_relay_all());
         q != ngx_queue_sentinel(ngx_media_relay_all());
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_media_relay_t, queue);

        if (other != r && other->key == r->key
            && other->way == NGX_MEDIA_RELAY_PUSH)
        {
            other->left = 0;
            ngx_media_relay_hurry(other);
            ngx_media_relay_free(r);
            return;
        }
    }

    /* its entry comes with the first step: another worker may have it */

    ngx_media_relay_start(r);
}


/* the back end says where else to */

static void
ngx_media_relay_push_asked(void *data, ngx_int_t rc, ngx_str_t *urls,
    ngx_uint_t n)
{
    ngx_media_relay_ask_t *ask = data;

    ngx_uint_t          i;
    ngx_media_relay_t  *r;

    ngx_queue_remove(&ask->queue);

    for (i = 0; i < n; i++) {

        r = ngx_media_relay_new(NGX_MEDIA_RELAY_PUSH, ask->text, 1);
        if (r == NULL) {
            break;
        }

        if (ngx_media_relay_add(r, &urls[i], NULL) != NGX_OK) {
            ngx_media_relay_free(r);
            continue;
        }

        r->asked = 1;
        r->peer_vhost = r->text[NGX_MEDIA_TEXT_VHOST];

        ngx_media_relay_push_begin(r);
    }

    ngx_free(ask);
}


void
ngx_media_relay_unpublish(ngx_media_source_t *src)
{
    ngx_str_t               text[NGX_MEDIA_TEXT_MAX];
    ngx_queue_t            *q, *next;
    ngx_media_relay_t      *r;
    ngx_media_relay_ask_t  *ask;

    ngx_memzero(text, sizeof(text));

    text[NGX_MEDIA_TEXT_VHOST].data = src->vhost;
    text[NGX_MEDIA_TEXT_VHOST].len = src->vhost_len;
    text[NGX_MEDIA_TEXT_APP].data = src->app;
    text[NGX_MEDIA_TEXT_APP].len = src->app_len;
    text[NGX_MEDIA_TEXT_STREAM].data = src->stream;
    text[NGX_MEDIA_TEXT_STREAM].len = src->stream_len;

    for (q = ngx_queue_head(ngx_media_relay_all());
         q != ngx_queue_sentinel(ngx_media_relay_all());
         q = ngx_queue_next(q))
    {
        r = ngx_queue_data(q, ngx_media_relay_t, queue);

        if (r->way == NGX_MEDIA_RELAY_PUSH
            && ngx_media_relay_same(r->text, text))
        {
            r->left = ngx_media_msec();
        }
    }

    if (ngx_media_relay_asks.next == NULL) {
        return;
    }

    for (q = ngx_queue_head(&ngx_media_relay_asks);
         q != ngx_queue_sentinel(&ngx_media_relay_asks);
         q = next)
    {
        next = ngx_queue_next(q);
        ask = ngx_queue_data(q, ngx_media_relay_ask_t, queue);

        if (ask->source == ngx_media_source_index(src)) {
            ngx_media_hook_forward_cancel(ask->hook);
            ngx_queue_remove(&ask->queue);
            ngx_free(ask);
        }
    }
}


static ngx_uint_t
ngx_media_relay_push_asking(ngx_media_source_t *src)
{
    ngx_queue_t            *q;
    ngx_media_relay_ask_t  *ask;

    if (ngx_media_relay_asks.next == NULL) {
        return 0;
    }

    for (q = ngx_queue_head(&ngx_media_relay_asks);
         q != ngx_queue_sentinel(&ngx_media_relay_asks);
         q = ngx_queue_next(q))
    {
        ask = ngx_queue_data(q, ngx_media_relay_ask_t, queue);

        if (ask->source == ngx_media_source_index(src)) {
            return 1;
        }
    }

    return 0;
}


void
ngx_media_relay_push_tick(ngx_media_relay_t *r)
{
    int64_t              wait;
    ngx_uint_t           gone;
    ngx_media_source_t  *src;

    if (r->left == 0) {
        ngx_media_relay_show(r, NULL);
        return;
    }

    gone = 1;

    ngx_media_lock();

    src = ngx_media_source_find(&r->text[NGX_MEDIA_TEXT_VHOST],
                                &r->text[NGX_MEDIA_TEXT_APP],
                                &r->text[NGX_MEDIA_TEXT_STREAM]);

    if (src && !ngx_media_source_live(src)) {
        wait = src->policy.republish_wait;
        gone = ngx_exiting || ngx_media_msec() - r->left >= wait;

    } else if (src && r->asked) {

        /* the back end may say that it goes on */

        gone = !ngx_media_relay_push_asking(src);
    }

    ngx_media_unlock();

    if (gone) {
        ngx_media_relay_free(r);
    }
}


void
ngx_media_relay_push_exit(void)
{
    ngx_queue_t            *q;
    ngx_media_relay_ask_t  *ask;

    if (ngx_media_relay_asks.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_media_relay_asks)) {
        q = ngx_queue_head(&ngx_media_relay_asks);
        ask = ngx_queue_data(q, ngx_media_relay_ask_t, queue);

        ngx_media_hook_forward_cancel(ask->hook);
        ngx_queue_remove(q);
        ngx_free(ask);
    }
}
