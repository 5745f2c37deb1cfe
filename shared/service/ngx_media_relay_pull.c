
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: origin: what players want and nobody publishes is fetched.
 *
 * The first word about a name makes a relay in the worker where it was said,
 * if no other worker has one.  Players of all workers play what it publishes.
 * It ends when nobody has played it for origin_idle, or when somebody
 * publishes the name here: who brings a stream comes before whom we fetch it
 * from.  Where its worker died, another one with players finds within a second
 * that nobody publishes what they play, and makes the next one.
 *
 * A worker that leaves begins none, and goes on with one that is connected
 * until its players are gone: the others get its frames as before.
 */


#include "ngx_media_relay_hub.h"


static ngx_media_relay_t *ngx_media_relay_pull_find(uint64_t key);
static ngx_media_relay_t *ngx_media_relay_pull_new(ngx_media_relay_conf_t *rcf,
    const ngx_media_wanted_t *wanted);
static ngx_uint_t ngx_media_relay_pull_done(ngx_media_relay_t *r);


ngx_int_t
ngx_media_relay_wanted(const ngx_media_wanted_t *wanted)
{
    uint32_t                 entry;
    uint64_t                 key;
    ngx_int_t                rc;
    ngx_str_t                none;
    ngx_uint_t               live;
    ngx_media_relay_t       *r;
    ngx_media_source_t      *src;
    ngx_media_relay_conf_t  *rcf;

    rcf = ngx_media_relay_conf_of(wanted->conf);

    if (rcf->origin == NULL) {
        return NGX_DECLINED;
    }

    ngx_media_lock();

    src = ngx_media_source_find((ngx_str_t *) &wanted->vhost,
                                (ngx_str_t *) &wanted->app,
                                (ngx_str_t *) &wanted->stream);
    live = src && ngx_media_source_live(src);

    ngx_media_unlock();

    if (live) {
        return NGX_DECLINED;
    }

    ngx_str_null(&none);

    key = ngx_media_relay_key(NGX_MEDIA_RELAY_PULL, &wanted->vhost,
                              &wanted->app, &wanted->stream, &none);

    r = ngx_media_relay_pull_find(key);

    if (r) {
        r->wanted = ngx_media_msec();

        if (!wanted->waits) {
            ngx_media_relay_hurry(r);
        }

        return NGX_OK;
    }

    if (ngx_exiting || ngx_terminate) {

        /* who has it in another worker is told nothing, but may have it */

        return wanted->waits ? NGX_DECLINED : NGX_OK;
    }

    rc = ngx_media_relay_claim(key, NGX_MEDIA_RELAY_PULL,
                               wanted->waits ? 0 : NGX_MEDIA_RELAY_HURRY,
                               &entry);

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_DECLINED;
    }

    r = ngx_media_relay_pull_new(rcf, wanted);

    if (r == NULL) {
        ngx_media_relay_release(entry);
        return NGX_DECLINED;
    }

    r->key = key;
    r->entry = entry;

    ngx_media_relay_start(r);

    return NGX_OK;
}


static ngx_media_relay_t *
ngx_media_relay_pull_find(uint64_t key)
{
    ngx_queue_t        *q;
    ngx_media_relay_t  *r;

    for (q = ngx_queue_head(ngx_media_relay_all());
         q != ngx_queue_sentinel(ngx_media_relay_all());
         q = ngx_queue_next(q))
    {
        r = ngx_queue_data(q, ngx_media_relay_t, queue);

        if (r->key == key && r->way == NGX_MEDIA_RELAY_PULL) {
            return r;
        }
    }

    return NULL;
}


static ngx_media_relay_t *
ngx_media_relay_pull_new(ngx_media_relay_conf_t *rcf,
    const ngx_media_wanted_t *wanted)
{
    ngx_str_t           text[NGX_MEDIA_TEXT_MAX];
    ngx_media_relay_t  *r;

    ngx_memzero(text, sizeof(text));

    text[NGX_MEDIA_TEXT_VHOST] = wanted->vhost;
    text[NGX_MEDIA_TEXT_APP] = wanted->app;
    text[NGX_MEDIA_TEXT_STREAM] = wanted->stream;
    text[NGX_MEDIA_TEXT_ARGS] = wanted->args;

    r = ngx_media_relay_new(NGX_MEDIA_RELAY_PULL, text, rcf->origin->nelts);

    if (r == NULL) {
        return NULL;
    }

    r->idle = rcf->origin_idle;

    if (ngx_media_relay_add_all(r, rcf->origin, &rcf->origin_vhost)
        != NGX_OK)
    {
        ngx_media_relay_free(r);
        return NULL;
    }

    return r;
}


/*
 * All URLs failed once: who waits for a name that never was is told, so that
 * nobody is left for whom it should be tried again soon.  What would is the
 * call of a server that we fetch from and that fetches from us: each call would
 * be the reason for the next one of the other.
 */

void
ngx_media_relay_pull_missing(ngx_media_relay_t *r)
{
    ngx_uint_t           live, was;
    ngx_media_source_t  *src;

    r->missed = 1;

    ngx_media_lock();

    src = ngx_media_source_find(&r->text[NGX_MEDIA_TEXT_VHOST],
                                &r->text[NGX_MEDIA_TEXT_APP],
                                &r->text[NGX_MEDIA_TEXT_STREAM]);
    live = src && ngx_media_source_live(src);
    was = src && src->epoch != 0;

    if (src && !live) {
        (void) __atomic_fetch_add(&src->missing, 1, __ATOMIC_SEQ_CST);
    }

    ngx_media_unlock();

    if (src && !live) {
        ngx_media_slot_notify(src);
    }

    if (!was && !r->flowed) {
        r->pause = NGX_MEDIA_RELAY_PAUSE_MAX;
    }
}


void
ngx_media_relay_pull_tick(ngx_media_relay_t *r)
{
    if (ngx_media_relay_pull_done(r)) {
        ngx_media_relay_free(r);
        return;
    }

    ngx_media_relay_show(r, NULL);
}


static ngx_uint_t
ngx_media_relay_pull_done(ngx_media_relay_t *r)
{
    int64_t              idle, wanted;
    uint32_t             pub;
    ngx_uint_t           brought;
    ngx_media_source_t  *src;

    if (ngx_exiting && r->state != NGX_MEDIA_RELAY_CONNECTED) {
        return 1;
    }

    wanted = r->wanted;
    brought = 0;

    ngx_media_lock();

    src = ngx_media_source_find(&r->text[NGX_MEDIA_TEXT_VHOST],
                                &r->text[NGX_MEDIA_TEXT_APP],
                                &r->text[NGX_MEDIA_TEXT_STREAM]);

    if (src) {
        wanted = ngx_max(wanted, src->played_msec);
        wanted = ngx_max(wanted, src->served_msec);
        pub = src->pub_client;

        brought = ngx_media_source_live(src) && pub != NGX_MEDIA_NONE
                  && !ngx_media_client_at(pub)->relay;
    }

    ngx_media_unlock();

    if (brought) {
        ngx_log_error(NGX_LOG_INFO, &r->log, 0,
                      "relay ends: the stream is published here");
        return 1;
    }

    idle = (int64_t) r->idle;

    if (r->missed && !r->flowed) {

        /* names that are nowhere must not fill the table */

        idle = ngx_min(idle, NGX_MEDIA_RELAY_MISSED);
    }

    if (ngx_media_msec() - wanted >= idle) {
        ngx_log_error(NGX_LOG_INFO, &r->log, 0,
                      "relay ends: nobody plays the stream");
        return 1;
    }

    return 0;
}
