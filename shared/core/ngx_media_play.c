
/*
 * Copyright (C) the nginx media suite authors
 *
 * What a player may do with its consumer while it is attached: stop, pause,
 * change to another wire.
 */


#include "ngx_media_wire.h"


void
ngx_media_play_stop(ngx_media_consumer_t *c)
{
    ngx_media_session_t  *s;

    s = c->session;

    ngx_media_wire_detach(c);
    ngx_media_consumer_clear(c);

    if (s && s->consumer == c) {

        if (s->client) {

            s->did.frames = c->frames;
            s->did.dropped = c->dropped;
            s->client->dropped = c->dropped;
            s->client->lag = 0;
            s->client->source = NGX_MEDIA_NONE;
        }

        s->consumer = NULL;
    }

    c->waiting = 0;
    c->started = 0;
    c->blocked = 0;
}


void
ngx_media_play_pause(ngx_media_consumer_t *c, ngx_flag_t pause)
{
    if (c->wire == NULL || c->paused == (unsigned) (pause != 0)) {
        return;
    }

    if (pause) {

        if (ngx_media_consumer_save_rest(c) != NGX_OK) {
            return;
        }

        ngx_media_consumer_leave(c);

        c->paused = 1;
        c->waiting = 1;
        return;
    }

    c->paused = 0;
    c->reheads = c->started;
    c->since = ngx_current_msec;

    /* the newest keyframe, but never one that was sent before */

    if (c->offset > c->wire->head) {
        c->offset = c->wire->head;
    }

    ngx_media_feed_mark(c->wire->feed);
}


ngx_int_t
ngx_media_play_switch(ngx_media_consumer_t *c, const ngx_media_muxer_t *muxer,
    const ngx_media_wire_params_t *params)
{
    uint64_t                  seq;
    ngx_uint_t                subset, was, unused;
    ngx_media_feed_t         *feed;
    ngx_media_wire_t         *w, *old;
    ngx_media_entry_t        *e;
    ngx_media_wire_params_t   shared;

    old = c->wire;

    if (old == NULL) {
        return NGX_ERROR;
    }

    feed = old->feed;

    /* where nothing is left of them, nothing of them comes */

    (void) ngx_media_wire_select(feed, params, &shared);

    w = ngx_media_wire_get(feed, muxer, &shared);

    if (w == NULL) {
        return NGX_ERROR;
    }

    if (w == old) {
        return NGX_OK;
    }

    if (ngx_media_consumer_save_rest(c) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the frame that would come next */

    was = (c->segment != NULL);
    seq = old->seq;

    if (c->offset < old->head) {
        e = ngx_media_wire_entry_at(old, c->offset);
        seq = e ? e->seq : seq;
    }

    subset = (shared.tracks & ~old->params.tracks) == 0;
    unused = (w->nconsumers == 0);

    ngx_media_wire_detach(c);
    ngx_media_wire_attach(w, c);

    if (unused && was && subset && w->need_key) {

        /* no start to read from: the wire begins where this consumer is */

        w->seq = seq;
        w->need_key = 0;
    }

    ngx_media_wire_pull(w);

    if (was && subset) {
        ngx_media_wire_enter_at(w, c, seq);

    } else if (c->started) {

        /* tracks came back, or it waits: the next keyframe, none again */

        c->reheads = 1;
        c->offset = ngx_media_wire_offset(w, seq);
    }

    ngx_media_feed_mark(feed);

    return NGX_OK;
}


uint32_t
ngx_media_play_tracks(ngx_media_consumer_t *c)
{
    if (c->wire == NULL) {
        return 0;
    }

    return c->wire->feed->source->tracks;
}


uint8_t
ngx_media_play_codec(ngx_media_consumer_t *c, ngx_uint_t track)
{
    ngx_media_track_t  *t;

    if (c->wire == NULL || track >= NGX_MEDIA_MAX_TRACKS) {
        return NGX_MEDIA_CODEC_NONE;
    }

    t = &c->wire->feed->source->track[track];

    return t->present ? t->info.codec : NGX_MEDIA_CODEC_NONE;
}


ngx_uint_t
ngx_media_publish_watched(ngx_media_session_t *s)
{
    ngx_uint_t           w;
    ngx_media_source_t  *src;

    if (s->publisher == NULL || s->client->source == NGX_MEDIA_NONE) {
        return 0;
    }

    src = ngx_media_source_at(s->client->source);

    for (w = 0; w < NGX_MEDIA_SLOTS / 64; w++) {
        if (__atomic_load_n(&src->slots[w], __ATOMIC_RELAXED)) {
            return 1;
        }
    }

    return 0;
}
