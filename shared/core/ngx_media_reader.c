
/*
 * Copyright (C) the nginx media suite authors
 *
 * Readers: a source frame by frame, for what makes something else of it than
 * bytes for players (packagers, recordings, relays).  A reader hangs in the
 * feed of its source, which keeps the source and wakes it; whoever opened it
 * owns its memory.
 *
 * It reads from the ring like a wire does: a frame that was given away before
 * it was read is a gap, and reading goes on at the newest start point with the
 * configurations that hold there.  Readers do not wait for the rounds of the
 * pump, they have slices of their own.
 */


#include "ngx_media_core.h"


#define NGX_MEDIA_READ_SLICE    1000    /* us */
#define NGX_MEDIA_READ_SCRATCH  65536   /* kept between frames at most */


static uint64_t ngx_media_reader_oldest(ngx_media_source_t *src);
static ngx_int_t ngx_media_reader_frame(ngx_media_reader_t *r);
static ngx_int_t ngx_media_reader_before(ngx_media_reader_t *r,
    ngx_media_desc_t *desc);
static void ngx_media_reader_lost(ngx_media_reader_t *r);
static u_char *ngx_media_reader_scratch(size_t size);
static void ngx_media_readers_handler(ngx_event_t *ev);


typedef struct {
    ngx_queue_t         feeds;
    ngx_event_t         event;
    ngx_connection_t    dummy;
    u_char             *scratch;
    size_t              size;
} ngx_media_readers_t;


static ngx_media_readers_t  ngx_media_readers;


void
ngx_media_readers_init(ngx_cycle_t *cycle)
{
    ngx_media_readers_t  *rs;

    rs = &ngx_media_readers;

    ngx_queue_init(&rs->feeds);

    rs->dummy.fd = (ngx_socket_t) -1;

    rs->event.handler = ngx_media_readers_handler;
    rs->event.data = &rs->dummy;
    rs->event.log = cycle->log;
}


void
ngx_media_readers_exit(void)
{
    if (ngx_media_readers.scratch) {
        ngx_free(ngx_media_readers.scratch);
        ngx_media_readers.scratch = NULL;
        ngx_media_readers.size = 0;
    }
}


ngx_int_t
ngx_media_reader_open(ngx_media_reader_t *r, ngx_media_source_t *src,
    const ngx_media_reader_ops_t *ops, ngx_uint_t from)
{
    uint64_t           key;
    ngx_media_feed_t  *feed;

    ngx_media_lock();
    feed = ngx_media_feed_get(src);
    ngx_media_unlock();

    if (feed == NULL) {
        return NGX_ERROR;
    }

    r->feed = feed;
    r->ops = ops;
    r->need_heads = 1;
    r->need_key = 1;

    key = NGX_MEDIA_SEQ_NONE;

    if (from == NGX_MEDIA_READ_OLDEST) {
        key = ngx_media_reader_oldest(src);

    } else if (from == NGX_MEDIA_READ_KEY) {
        key = ngx_media_ring_load(&src->ring.key);
    }

    r->seq = (key == NGX_MEDIA_SEQ_NONE) ? ngx_media_ring_load(&src->ring.head)
                                         : key;

    ngx_queue_insert_tail(&feed->readers, &r->queue);

    ngx_media_readers_mark(feed);

    return NGX_OK;
}


void
ngx_media_reader_close(ngx_media_reader_t *r)
{
    if (r->feed == NULL) {
        return;
    }

    /* the feed goes with the next tick when nobody else has it */

    ngx_queue_remove(&r->queue);
    r->feed = NULL;
}


/* the first start point that this publisher's history still has */

static uint64_t
ngx_media_reader_oldest(ngx_media_source_t *src)
{
    uint64_t            seq, first;
    ngx_media_desc_t    desc;
    ngx_media_chunks_t  chunks;

    chunks = ngx_media_arena_chunks();

    seq = ngx_media_ring_load(&src->ring.tail);
    first = ngx_media_ring_load(&src->first_seq);
    seq = ngx_max(seq, first);

    for ( ;; ) {

        switch (ngx_media_ring_peek(&src->ring, &chunks, seq, &desc)) {

        case NGX_MEDIA_OK:
            if (desc.flags & NGX_MEDIA_FRAME_SYNC) {
                return seq;
            }

            break;

        case NGX_MEDIA_AGAIN:
            return NGX_MEDIA_SEQ_NONE;
        }

        seq++;
    }
}


ngx_uint_t
ngx_media_reader_pull(ngx_media_reader_t *r, int64_t until)
{
    ngx_uint_t           n;
    ngx_media_source_t  *src;

    for (n = 1; r->feed; n++) {

        src = r->feed->source;

        /* without a slot, a worker that was stopped may find another source */

        if (src->generation != r->feed->generation) {
            return 0;
        }

        if (ngx_media_reader_frame(r) == NGX_AGAIN) {
            return 0;
        }

        if (until && (n & 7) == 0 && ngx_media_now() > until) {
            return 1;
        }
    }

    return 0;
}


/* NGX_OK: one was looked at; NGX_AGAIN: nothing there, or not yet */

static ngx_int_t
ngx_media_reader_frame(ngx_media_reader_t *r)
{
    int                  rc;
    u_char              *buf;
    ngx_int_t            room;
    ngx_media_desc_t     desc;
    ngx_media_frame_t    f;
    ngx_media_chunks_t   chunks;
    ngx_media_source_t  *src;

    src = r->feed->source;
    chunks = ngx_media_arena_chunks();

    rc = ngx_media_ring_peek(&src->ring, &chunks, r->seq, &desc);

    if (rc == NGX_MEDIA_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_MEDIA_OK) {
        ngx_media_reader_lost(r);
        return NGX_OK;
    }

    room = ngx_media_reader_before(r, &desc);

    if (room == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    f.seq = desc.seq;
    f.dts = desc.dts;
    f.cts = desc.cts;
    f.size = desc.size;
    f.flags = desc.flags;
    f.track = desc.track;
    f.codec = desc.codec;
    f.aux = desc.aux;
    f.data = NULL;

    r->time = desc.time;
    buf = NULL;

    if (room == NGX_OK && r->ops->room) {
        room = r->ops->room(r, &f, &buf);
    }

    if (room != NGX_OK) {
        r->seq++;
        return NGX_OK;
    }

    if (buf == NULL) {
        buf = ngx_media_reader_scratch(desc.size);

        if (buf == NULL) {
            return NGX_AGAIN;
        }
    }

    if (ngx_media_ring_copy(&src->ring, &chunks, &desc, buf) != NGX_MEDIA_OK) {
        ngx_media_reader_lost(r);
        return NGX_OK;
    }

    r->seq++;

    f.data = buf;
    r->ops->frame(r, &f);

    return NGX_OK;
}


/* NGX_OK: it may be read; NGX_DECLINED: it is passed over; NGX_AGAIN */

static ngx_int_t
ngx_media_reader_before(ngx_media_reader_t *r, ngx_media_desc_t *desc)
{
    ngx_media_heads_t  heads;

    if (r->need_key && !(desc->flags & NGX_MEDIA_FRAME_SYNC)) {
        return NGX_DECLINED;
    }

    if (r->need_heads) {

        if (ngx_media_heads_read(r->feed->source, desc->seq, &heads)
            != NGX_OK)
        {
            return NGX_AGAIN;
        }

        r->need_heads = 0;
        r->ops->heads(r, &heads);
    }

    r->need_key = 0;

    return NGX_OK;
}


/* this worker was too slow for the ring: go on at the newest start point */

static void
ngx_media_reader_lost(ngx_media_reader_t *r)
{
    uint64_t             key;
    ngx_media_source_t  *src;

    src = r->feed->source;
    key = ngx_media_ring_load(&src->ring.key);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "frames of \"%*s/%*s\" from %uL on were not read in time",
                  (size_t) src->app_len, src->app,
                  (size_t) src->stream_len, src->stream, r->seq);

    r->need_heads = 1;
    r->need_key = 1;

    if (key != NGX_MEDIA_SEQ_NONE && key > r->seq) {
        r->seq = key;

    } else {
        r->seq = ngx_media_ring_load(&src->ring.head);
    }

    r->ops->gap(r);
}


/* one large frame does not make the worker larger for ever */

static u_char *
ngx_media_reader_scratch(size_t size)
{
    ngx_media_readers_t  *rs;

    rs = &ngx_media_readers;

    if (rs->scratch && size <= rs->size
        && (rs->size <= NGX_MEDIA_READ_SCRATCH
            || size > NGX_MEDIA_READ_SCRATCH))
    {
        return rs->scratch;
    }

    if (rs->scratch) {
        ngx_free(rs->scratch);
    }

    rs->size = ngx_max(size, NGX_MEDIA_READ_SCRATCH);
    rs->scratch = ngx_alloc(rs->size, ngx_cycle->log);

    if (rs->scratch == NULL) {
        rs->size = 0;
    }

    return rs->scratch;
}


/* --- the feed's part ---------------------------------------------------- */

void
ngx_media_readers_mark(ngx_media_feed_t *feed)
{
    ngx_media_readers_t  *rs;

    rs = &ngx_media_readers;

    if (!feed->is_reading) {
        feed->is_reading = 1;
        ngx_queue_insert_tail(&rs->feeds, &feed->reading);
    }

    if (!rs->event.posted) {
        ngx_post_event(&rs->event, &ngx_posted_events);
    }
}


static void
ngx_media_readers_handler(ngx_event_t *ev)
{
    int64_t               until;
    ngx_uint_t            more;
    ngx_queue_t          *q, *next;
    ngx_media_feed_t     *feed;
    ngx_media_readers_t  *rs;

    rs = &ngx_media_readers;
    until = ngx_media_now() + NGX_MEDIA_READ_SLICE;

    while (!ngx_queue_empty(&rs->feeds)) {

        feed = ngx_queue_data(ngx_queue_head(&rs->feeds), ngx_media_feed_t,
                              reading);
        more = 0;

        ngx_queue_remove(&feed->reading);
        feed->is_reading = 0;

        for (q = ngx_queue_head(&feed->readers);
             q != ngx_queue_sentinel(&feed->readers);
             q = next)
        {
            next = ngx_queue_next(q);
            more |= ngx_media_reader_pull(ngx_queue_data(q, ngx_media_reader_t,
                                                         queue),
                                          until);
        }

        if (more) {
            feed->is_reading = 1;
            ngx_queue_insert_tail(&rs->feeds, &feed->reading);
        }

        if (ngx_media_now() > until) {
            break;
        }
    }

    if (!ngx_queue_empty(&rs->feeds)) {

        /* let the event loop look at its sockets, then go on */

        ngx_post_event(&rs->event, &ngx_posted_next_events);
    }
}


void
ngx_media_readers_event(ngx_media_feed_t *feed, ngx_uint_t event)
{
    ngx_queue_t         *q, *next;
    ngx_media_reader_t  *r;

    for (q = ngx_queue_head(&feed->readers);
         q != ngx_queue_sentinel(&feed->readers);
         q = next)
    {
        next = ngx_queue_next(q);
        r = ngx_queue_data(q, ngx_media_reader_t, queue);

        if (r->ops->event) {
            r->ops->event(r, event);
        }
    }
}
