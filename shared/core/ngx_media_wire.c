
/*
 * Copyright (C) the nginx media suite authors
 *
 * Wires: a source muxed once per worker into the bytes of one protocol.
 *
 * A wire reads frames from the ring and appends what its muxer makes of them
 * to a log of segments.  Consumers are cursors in that log: what one has to
 * send is the bytes between its cursor and the log's end, so a round costs one
 * send() per consumer, however many frames it carries.
 *
 *    key                drop       c2     c1,c3   head
 *     |                  |          |       |       |
 *   [====|==========|==========|==========|=====....]      segments
 *     ^ index: one entry per frame {offset, seq, dts, flags}
 *
 *   key    where new consumers start; the log is kept from there on
 *   drop   older than queue_length: a cursor before it jumps to key.  It is
 *          never beyond key, since the log is kept from there on and whoever
 *          is in the newest GOP has nothing newer to go to; where there is no
 *          key, a cursor before it waits for the next one
 *
 * Who holds what: a segment lives while it is in the list or pinned.  It
 * leaves the list, oldest first, when no cursor stands in it and the log is
 * not kept from it on.  Bytes of the protocol's own wait in the consumer's
 * out list and go at the next frame border; entries marked `first` (the rest
 * of a frame whose segments went, a TLS record to be retried) go before
 * anything else.
 *
 * Everything here is private to one worker.
 */


#include "ngx_media_wire.h"


static ngx_media_segment_t *ngx_media_wire_extend(ngx_media_wire_t *w);
static ngx_int_t ngx_media_wire_frame(ngx_media_wire_t *w,
    ngx_media_frame_t *f);
static ngx_int_t ngx_media_wire_read(ngx_media_wire_t *w,
    ngx_media_frame_t *f);
static ngx_int_t ngx_media_wire_admit(ngx_media_wire_t *w,
    ngx_media_frame_t *f);
static void ngx_media_wire_bare(ngx_media_wire_t *w,
    ngx_media_heads_t *heads, ngx_media_frame_t *before);
static ngx_int_t ngx_media_wire_configs(ngx_media_wire_t *w,
    ngx_media_heads_t *heads, int64_t dts);
static ngx_int_t ngx_media_wire_append(ngx_media_wire_t *w,
    ngx_media_frame_t *f);
static void ngx_media_wire_resync(ngx_media_wire_t *w);
static void ngx_media_wire_reset(ngx_media_wire_t *w);
static ngx_uint_t ngx_media_wire_current(ngx_media_wire_t *w);
static void ngx_media_wire_truncate(ngx_media_wire_t *w, uint64_t head);
static ngx_int_t ngx_media_wire_index(ngx_media_wire_t *w, uint64_t offset,
    ngx_media_frame_t *f);
static void ngx_media_wire_trim(ngx_media_wire_t *w);
static void ngx_media_wire_one(ngx_media_wire_t *w, ngx_media_consumer_t *c);
static ngx_uint_t ngx_media_wire_startable(ngx_media_wire_t *w,
    ngx_media_consumer_t *c);
static void ngx_media_wire_start(ngx_media_wire_t *w,
    ngx_media_consumer_t *c);
static ngx_int_t ngx_media_wire_blob(ngx_media_wire_t *w, ngx_uint_t first,
    ngx_media_blob_t **result);
static void ngx_media_wire_jump(ngx_media_wire_t *w, ngx_media_consumer_t *c);
static uint64_t ngx_media_wire_find(ngx_media_wire_t *w, uint64_t offset);


/* scratch of the worker: one frame, one prologue */

static u_char  *ngx_media_wire_scratch;
static size_t   ngx_media_wire_scratch_size;
static size_t   ngx_media_wire_scratch_used;     /* since the last tick */


ngx_media_wire_t *
ngx_media_wire_get(ngx_media_feed_t *feed, const ngx_media_muxer_t *muxer,
    const ngx_media_wire_params_t *params)
{
    ngx_uint_t         chosen;
    ngx_queue_t       *q;
    ngx_media_wire_t  *w;

    chosen = 0;

    for (q = ngx_queue_head(&feed->wires);
         q != ngx_queue_sentinel(&feed->wires);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_media_wire_t, queue);

        if (w->muxer == muxer
            && ngx_memcmp(&w->params, params, sizeof(ngx_media_wire_params_t))
               == 0)
        {
            return w;
        }

        chosen += ngx_media_tracks_chosen(w->params.tracks);
    }

    /* clients say what they choose: they must not make logs without end */

    if (chosen >= NGX_MEDIA_SELECTIONS_MAX
        && ngx_media_tracks_chosen(params->tracks))
    {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "\"%*s/%*s\" is played in too many selections of tracks",
                      (size_t) feed->source->app_len, feed->source->app,
                      (size_t) feed->source->stream_len, feed->source->stream);
        return NULL;
    }

    w = ngx_calloc(sizeof(ngx_media_wire_t) + muxer->ctx_size,
                   ngx_cycle->log);
    if (w == NULL) {
        return NULL;
    }

    w->feed = feed;
    w->muxer = muxer;
    w->params = *params;
    w->key_offset = NGX_MEDIA_SEQ_NONE;
    w->ctx = (u_char *) w + sizeof(ngx_media_wire_t);

    ngx_queue_init(&w->consumers);
    ngx_queue_insert_tail(&feed->wires, &w->queue);

    return w;
}


void
ngx_media_wire_free(ngx_media_wire_t *w)
{
    ngx_media_wire_reset(w);

    ngx_queue_remove(&w->queue);

    if (w->entries) {
        ngx_free(w->entries);
    }

    ngx_free(w);
}


/* forgets the log: it begins again at the ring's newest starting point */

static void
ngx_media_wire_reset(ngx_media_wire_t *w)
{
    uint64_t             key;
    ngx_media_source_t  *src;
    ngx_media_segment_t *seg;

    while (w->first) {
        seg = w->first;
        w->first = seg->next;
        ngx_media_unpin(&seg->pin);
    }

    w->last = NULL;

    if (w->prologue) {
        ngx_media_unpin(&w->prologue->pin);
        w->prologue = NULL;
    }

    w->nentries = 0;
    w->drop_entry = w->first_entry;
    w->drop_offset = w->head;
    w->key_offset = NGX_MEDIA_SEQ_NONE;
    w->key_segment = NULL;
    w->pending_key = 0;
    w->need_key = 0;

    ngx_memzero(w->ctx, w->muxer->ctx_size);

    /* state is not made of what header() writes for each who starts */

    w->need_heads = (w->muxer->ctx_size != 0);

    src = w->feed->source;
    key = ngx_media_ring_load(&src->ring.key);

    if (key != NGX_MEDIA_SEQ_NONE && w->feed->policy.gop_cache
        && ngx_media_source_live(src))
    {
        w->seq = key;

        if (ngx_media_wire_lead(w)) {

            /* its own keyframe may stand before that of the main video */

            w->seq = ngx_max(ngx_media_ring_load(&src->ring.tail),
                             ngx_media_ring_load(&src->first_seq));
            w->seq = ngx_max(w->seq, key - ngx_min(key,
                                                   NGX_MEDIA_LOOK_BACK));
            w->need_key = 1;
        }

    } else {
        w->seq = ngx_media_ring_load(&src->ring.head);
        w->need_key = 1;
    }
}


/*
 * Nobody was there for a moment, but the log still begins where a new one
 * would: to make all of it again for each who comes and goes would be dear.
 */

static ngx_uint_t
ngx_media_wire_current(ngx_media_wire_t *w)
{
    uint64_t             key;
    ngx_media_source_t  *src;

    src = w->feed->source;
    key = ngx_media_ring_load(&src->ring.key);

    return key != NGX_MEDIA_SEQ_NONE
           && w->key_offset != NGX_MEDIA_SEQ_NONE
           && w->key_seq >= key
           && w->seq >= ngx_media_ring_load(&src->ring.tail)
           && !w->need_key
           && !w->need_heads
           && w->feed->policy.gop_cache
           && ngx_media_source_live(src);
}


void
ngx_media_wire_attach(ngx_media_wire_t *w, ngx_media_consumer_t *c)
{
    if (w->nconsumers == 0 && !ngx_media_wire_current(w)) {
        ngx_media_wire_reset(w);
    }

    c->wire = w;
    c->waiting = 1;
    c->blocked = 0;
    c->segment = NULL;
    c->frame_end = 0;
    c->jumps = 0;
    c->round = w->round - 1;
    c->fresh = 1;
    c->since = ngx_current_msec;
    c->offset = w->feed->policy.gop_cache ? 0 : w->head;

    ngx_queue_insert_head(&w->consumers, &c->queue);

    w->nconsumers++;
    w->feed->consumers++;
    w->feed->players += !c->session->relay;
}


void
ngx_media_wire_detach(ngx_media_consumer_t *c)
{
    ngx_media_wire_t  *w;

    w = c->wire;

    if (w == NULL) {
        return;
    }

    ngx_media_consumer_leave(c);

    ngx_queue_remove(&c->queue);

    w->nconsumers--;
    w->feed->consumers--;
    w->feed->players -= !c->session->relay;

    if (w->serving == c) {
        w->serving = NULL;
    }

    c->wire = NULL;
}


ngx_media_session_t *
ngx_media_wire_player(ngx_media_wire_t *w)
{
    ngx_queue_t           *q;
    ngx_media_consumer_t  *c;

    for (q = ngx_queue_head(&w->consumers);
         q != ngx_queue_sentinel(&w->consumers);
         q = ngx_queue_next(q))
    {
        c = ngx_queue_data(q, ngx_media_consumer_t, queue);

        if (!c->session->relay) {
            return c->session;
        }
    }

    return NULL;
}


/* --- writing ------------------------------------------------------------ */

ngx_int_t
ngx_media_wire_write(ngx_media_wire_t *w, const void *p, size_t n)
{
    size_t                room;
    ngx_media_segment_t  *seg;

    if (w->blob) {
        return ngx_media_blob_append(&w->blob, p, n);
    }

    while (n) {

        seg = w->last;

        if (seg == NULL || seg->size == NGX_MEDIA_SEGMENT_DATA) {

            seg = ngx_media_wire_extend(w);

            if (seg == NULL) {
                return NGX_ERROR;
            }
        }

        room = NGX_MEDIA_SEGMENT_DATA - seg->size;

        if (room > n) {
            room = n;
        }

        ngx_memcpy(seg->data + seg->size, p, room);

        seg->size += (uint32_t) room;
        w->head += room;
        p = (u_char *) p + room;
        n -= room;
    }

    return NGX_OK;
}


static ngx_media_segment_t *
ngx_media_wire_extend(ngx_media_wire_t *w)
{
    ngx_media_segment_t  *seg;

    seg = ngx_media_segment_alloc();

    if (seg == NULL) {
        return NULL;
    }

    seg->start = w->head;

    if (w->last) {
        w->last->next = seg;

    } else {
        w->first = seg;
    }

    w->last = seg;

    return seg;
}


void *
ngx_media_wire_ctx(ngx_media_wire_t *w)
{
    return w->ctx;
}


const ngx_media_wire_params_t *
ngx_media_wire_params(ngx_media_wire_t *w)
{
    return &w->params;
}


/* --- the ring into the log ---------------------------------------------- */

void
ngx_media_wire_pull(ngx_media_wire_t *w)
{
    uint64_t             since;
    ngx_int_t            rc;
    ngx_uint_t           n;
    ngx_media_frame_t    f;
    ngx_media_source_t  *src;

    src = w->feed->source;

    /* without a slot, a worker that was stopped may find another source */

    if (src->generation != w->feed->generation) {
        return;
    }

    for (n = 0; n < NGX_MEDIA_PULL_MAX; n++) {

        rc = ngx_media_wire_read(w, &f);

        if (rc == NGX_AGAIN) {
            break;
        }

        if (rc == NGX_OK) {
            if (ngx_media_wire_frame(w, &f) != NGX_OK) {
                break;
            }

            w->seq++;
        }
    }

    /*
     * A GOP that the ring could not keep is not kept here either, and one of
     * a publisher before is no start for those of another.
     */

    since = ngx_media_ring_load(&src->first_seq);
    since = ngx_max(since, ngx_media_ring_load(&src->ring.tail));

    if (w->key_offset != NGX_MEDIA_SEQ_NONE && w->key_seq < since) {
        w->key_offset = NGX_MEDIA_SEQ_NONE;
        w->key_segment = NULL;
    }
}


static ngx_int_t
ngx_media_wire_read(ngx_media_wire_t *w, ngx_media_frame_t *f)
{
    int                  rc;
    ngx_media_desc_t     desc;
    ngx_media_chunks_t   chunks;
    ngx_media_source_t  *src;

    src = w->feed->source;
    chunks = ngx_media_arena_chunks();

    rc = ngx_media_ring_peek(&src->ring, &chunks, w->seq, &desc);

    if (rc == NGX_MEDIA_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_MEDIA_OK) {

        if (desc.size > ngx_media_wire_scratch_used) {
            ngx_media_wire_scratch_used = desc.size;
        }

        if (desc.size > ngx_media_wire_scratch_size) {

            if (ngx_media_wire_scratch) {
                ngx_free(ngx_media_wire_scratch);
            }

            ngx_media_wire_scratch_size = ngx_align(desc.size + 1, 65536);
            ngx_media_wire_scratch = ngx_alloc(ngx_media_wire_scratch_size,
                                               ngx_cycle->log);

            if (ngx_media_wire_scratch == NULL) {
                ngx_media_wire_scratch_size = 0;
                return NGX_AGAIN;
            }
        }

        rc = ngx_media_ring_copy(&src->ring, &chunks, &desc,
                                 ngx_media_wire_scratch);
    }

    if (rc != NGX_MEDIA_OK) {
        ngx_media_wire_resync(w);
        return NGX_DECLINED;
    }

    f->seq = desc.seq;
    f->dts = desc.dts;
    f->cts = desc.cts;
    f->size = desc.size;
    f->flags = desc.flags;
    f->track = desc.track;
    f->codec = desc.codec;
    f->aux = desc.aux;
    f->data = ngx_media_wire_scratch;

    return NGX_OK;
}


/* this worker was too slow for the ring: go on at the newest key */

static void
ngx_media_wire_resync(ngx_media_wire_t *w)
{
    uint64_t             key;
    ngx_media_source_t  *src;

    src = w->feed->source;
    key = ngx_media_ring_load(&src->ring.key);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "this worker is behind \"%*s/%*s\", frames from %uL on "
                  "were not read in time",
                  (size_t) src->app_len, src->app,
                  (size_t) src->stream_len, src->stream, w->seq);

    w->need_heads = 1;

    if (key != NGX_MEDIA_SEQ_NONE && key > w->seq) {
        w->seq = key;
        return;
    }

    w->seq = ngx_media_ring_load(&src->ring.head);
    w->need_key = 1;
}


/*
 * NGX_OK: the frame goes into the log; NGX_DECLINED: it does not; NGX_AGAIN:
 * not now, what must go before it is being written.
 */

static ngx_int_t
ngx_media_wire_admit(ngx_media_wire_t *w, ngx_media_frame_t *f)
{
    ngx_media_heads_t  heads;

    ngx_media_wire_mark(w, f);

    if (f->flags & NGX_MEDIA_FRAME_BREAK) {

        /* another publisher: its first keyframe is the next start */

        w->key_offset = NGX_MEDIA_SEQ_NONE;
        w->key_segment = NULL;
        w->need_key = 1;
    }

    if (f->flags & NGX_MEDIA_FRAME_SYNC) {

        if (w->need_heads) {

            /* as they would have come in the frames that were missed */

            if (ngx_media_heads_read(w->feed->source, f->seq, &heads)
                != NGX_OK)
            {
                return NGX_AGAIN;
            }

            w->need_heads = 0;

            (void) ngx_media_wire_configs(w, &heads, f->dts);
            ngx_media_wire_bare(w, &heads, f);
        }

        w->need_key = 0;

        if (!(w->params.tracks & (1u << f->track))) {

            /* the wire has no video: its first frame from here is a start */

            w->pending_key = 1;
        }
    }

    if (!(w->params.tracks & (1u << f->track))) {
        return NGX_DECLINED;
    }

    if (w->need_key && !(f->flags & (NGX_MEDIA_FRAME_CONFIG
                                     |NGX_MEDIA_FRAME_META)))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * Tracks whose codec has no configuration (MP3, AC-3) are told by an empty
 * one: a muxer that lists all tracks wants to know them before their frames.
 */

static void
ngx_media_wire_bare(ngx_media_wire_t *w, ngx_media_heads_t *heads,
    ngx_media_frame_t *before)
{
    ngx_uint_t         i, n;
    ngx_media_frame_t  frames[NGX_MEDIA_MAX_TRACKS];

    n = ngx_media_heads_bare(heads, w->params.tracks, frames);

    for (i = 0; i < n; i++) {
        frames[i].seq = before->seq;
        frames[i].dts = before->dts;

        (void) ngx_media_wire_append(w, &frames[i]);
    }
}


/*
 * Configurations alone, with the time of the frame that they go before, into
 * the log or, where that is open, the blob.
 */

static ngx_int_t
ngx_media_wire_configs(ngx_media_wire_t *w, ngx_media_heads_t *heads,
    int64_t dts)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_media_frame_t  *f;

    for (i = 0; i < heads->nframes; i++) {
        f = &heads->frames[i];
        f->dts = dts;

        if (!(f->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_STICKY))
            || !(w->params.tracks & (1u << f->track)))
        {
            continue;
        }

        rc = w->blob ? ngx_media_wire_mux(w, f) : ngx_media_wire_append(w, f);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* NGX_OK: done with it; NGX_AGAIN, NGX_ERROR: nothing happened, try later */

static ngx_int_t
ngx_media_wire_frame(ngx_media_wire_t *w, ngx_media_frame_t *f)
{
    uint64_t   head;
    ngx_int_t  rc;

    rc = ngx_media_wire_admit(w, f);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    head = w->head;

    if (w->pending_key
        && !(f->flags & NGX_MEDIA_HEAD_KINDS)
        && f->track != NGX_MEDIA_TRACK_SCRIPT)
    {
        f->flags |= NGX_MEDIA_FRAME_SYNC;
    }

    if (ngx_media_wire_append(w, f) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!(f->flags & NGX_MEDIA_FRAME_SYNC)) {
        return NGX_OK;
    }

    w->pending_key = 0;

    if (w->head != head) {
        w->key_offset = head;
        w->key_seq = f->seq;
        w->key_dts = f->dts;
        w->key_configs = w->configs;
        w->key_segment = NULL;
    }

    return NGX_OK;
}


/* all of the frame, or nothing and NGX_ERROR */

static ngx_int_t
ngx_media_wire_append(ngx_media_wire_t *w, ngx_media_frame_t *f)
{
    uint64_t  head;

    head = w->head;

    if (ngx_media_wire_mux(w, f) == NGX_ERROR
        || (w->head != head && ngx_media_wire_index(w, head, f) != NGX_OK))
    {
        ngx_media_wire_truncate(w, head);
        return NGX_ERROR;
    }

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {
        w->configs++;

    } else if (f->track != NGX_MEDIA_TRACK_SCRIPT) {
        w->head_dts = f->dts;
    }

    return NGX_OK;
}


/* no memory inside a frame: the log ends before it, as if never begun */

static void
ngx_media_wire_truncate(ngx_media_wire_t *w, uint64_t head)
{
    ngx_media_segment_t  *seg, *next;

    w->head = head;
    seg = w->first;

    if (seg == NULL) {
        return;
    }

    while (seg->next && seg->next->start < head) {
        seg = seg->next;
    }

    next = seg->next;
    seg->next = NULL;
    seg->size = (uint32_t) (head - seg->start);
    w->last = seg;

    while (next) {
        seg = next;
        next = seg->next;
        seg->next = NULL;
        ngx_media_unpin(&seg->pin);
    }
}


static ngx_int_t
ngx_media_wire_index(ngx_media_wire_t *w, uint64_t offset,
    ngx_media_frame_t *f)
{
    uint32_t             i, size;
    ngx_media_entry_t   *e, *entries;

    if (w->nentries == w->size_entries) {

        size = w->size_entries ? w->size_entries * 2 : 256;
        entries = ngx_alloc(size * sizeof(ngx_media_entry_t),
                            ngx_cycle->log);
        if (entries == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < w->nentries; i++) {
            entries[(w->first_entry + i) & (size - 1)] =
                                 *ngx_media_wire_entry(w, w->first_entry + i);
        }

        if (w->entries) {
            ngx_free(w->entries);
        }

        w->entries = entries;
        w->size_entries = size;
    }

    e = ngx_media_wire_entry(w, w->first_entry + w->nentries);

    e->offset = offset;
    e->seq = f->seq;
    e->dts = f->dts;

    w->nentries++;

    return NGX_OK;
}


/* moves the drop mark, then lets go of what nobody needs */

static void
ngx_media_wire_trim(ngx_media_wire_t *w)
{
    int64_t               length, lag;
    uint64_t              keep, last, max;
    ngx_media_entry_t    *e;
    ngx_media_segment_t  *seg;

    length = (int64_t) w->feed->policy.queue_length * 1000;
    max = ngx_media_ring_bytes();
    last = w->first_entry + w->nentries;

    /* also without gop_cache: who waits for a key is served after this */

    keep = (w->key_offset != NGX_MEDIA_SEQ_NONE) ? w->key_offset : w->head;

    if (w->drop_entry < w->first_entry) {
        w->drop_entry = w->first_entry;
    }

    while (w->drop_entry < last) {
        e = ngx_media_wire_entry(w, w->drop_entry);
        w->drop_offset = e->offset;

        /* where times are the sender's own, they may go back */

        lag = w->head_dts - e->dts;

        if (e->offset >= keep
            || (lag <= length && lag >= -length && w->head - e->offset <= max))
        {
            break;
        }

        w->drop_entry++;
    }

    while ((seg = w->first) != NULL && seg->next && seg->cursors == 0
           && seg->start + seg->size <= keep)
    {
        w->first = seg->next;
        seg->next = NULL;
        ngx_media_unpin(&seg->pin);
    }

    if (w->first == NULL) {
        return;
    }

    while (w->nentries > 1
           && ngx_media_wire_entry(w, w->first_entry + 1)->offset
              <= w->first->start)
    {
        w->first_entry++;
        w->nentries--;
    }
}


/* --- serving ------------------------------------------------------------ */

ngx_uint_t
ngx_media_wire_serve(ngx_media_wire_t *w, int64_t until)
{
    ngx_uint_t             n;
    ngx_queue_t           *q;
    ngx_media_consumer_t  *c;

    if (!w->open) {
        w->open = 1;
        w->round++;
        ngx_media_wire_trim(w);
    }

    n = 0;

    while (!ngx_queue_empty(&w->consumers)) {

        q = ngx_queue_head(&w->consumers);
        c = ngx_queue_data(q, ngx_media_consumer_t, queue);

        if (c->round == w->round) {
            break;
        }

        c->round = w->round;

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w->consumers, q);

        ngx_media_wire_one(w, c);

        if ((++n & 15) == 0 && ngx_media_now() > until) {
            return 1;
        }
    }

    w->open = 0;

    ngx_media_wire_trim(w);

    return 0;
}


/* newcomers stand at the head of the list */

void
ngx_media_wire_serve_fresh(ngx_media_wire_t *w)
{
    ngx_queue_t           *q;
    ngx_media_consumer_t  *c;

    while (!ngx_queue_empty(&w->consumers)) {

        q = ngx_queue_head(&w->consumers);
        c = ngx_queue_data(q, ngx_media_consumer_t, queue);

        if (!c->fresh) {
            return;
        }

        c->fresh = 0;
        c->round = w->round;

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w->consumers, q);

        ngx_media_wire_one(w, c);
    }
}


static void
ngx_media_wire_one(ngx_media_wire_t *w, ngx_media_consumer_t *c)
{
    w->serving = c;
    c->fresh = 0;

    if (c->paused) {
        /* control bytes may flow */

    } else if (c->waiting) {

        if (ngx_media_wire_startable(w, c)
            && ngx_media_source_live(w->feed->source))
        {
            ngx_media_wire_start(w, c);
        }

    } else if (c->offset < w->drop_offset) {
        ngx_media_wire_jump(w, c);
    }

    if (w->serving != c || c->blocked || ngx_media_consumer_drained(c)) {
        return;
    }

    c->ops->output(c);
}


/* the newest key, where it is of the publisher that is or was here last */

static ngx_uint_t
ngx_media_wire_startable(ngx_media_wire_t *w, ngx_media_consumer_t *c)
{
    return w->key_offset != NGX_MEDIA_SEQ_NONE
           && w->key_offset >= c->offset
           && w->key_seq >= ngx_media_ring_load(&w->feed->source->first_seq);
}


/*
 * Puts a consumer at the newest key.  It may be gone afterwards, which
 * w->serving tells, or wait for the next round where what it needs before the
 * key is being written just now.
 */

static void
ngx_media_wire_start(ngx_media_wire_t *w, ngx_media_consumer_t *c)
{
    ngx_int_t          rc;
    ngx_uint_t         first;
    ngx_media_blob_t  *blob;

    rc = NGX_OK;
    first = !c->started;
    blob = NULL;

    if (first || c->reheads || c->configs != w->key_configs) {
        rc = ngx_media_wire_blob(w, first, &blob);

        if (rc == NGX_AGAIN) {
            return;
        }
    }

    if (first && rc == NGX_OK) {
        c->started = 1;

        if (c->ops->event) {
            c->ops->event(c, NGX_MEDIA_EVENT_START);

            if (w->serving != c) {
                ngx_media_unpin(&blob->pin);
                return;
            }
        }
    }

    if (rc == NGX_OK && blob) {
        rc = ngx_media_out_blob(c, blob);
    }

    if (rc != NGX_OK) {
        ngx_media_session_close(c->session, NGX_MEDIA_REASON_FULL);
        return;
    }

    if (w->key_segment == NULL) {
        w->key_segment = ngx_media_wire_segment(w, w->key_offset);
    }

    c->waiting = 0;
    c->reheads = 0;

    ngx_media_consumer_enter(c, w->key_segment, w->key_offset);
}


/*
 * What a consumer needs before the frames from key on.  The one for those
 * that start is made once per key and shared; the one for those that jumped
 * over a change of codec carries configurations only.
 */

static ngx_int_t
ngx_media_wire_blob(ngx_media_wire_t *w, ngx_uint_t first,
    ngx_media_blob_t **result)
{
    ngx_int_t           rc;
    ngx_media_blob_t   *blob;
    ngx_media_frame_t   key;
    ngx_media_heads_t   heads;

    if (first && w->prologue && w->prologue_seq == w->key_seq) {
        ngx_media_pin(&w->prologue->pin);
        *result = w->prologue;
        return NGX_OK;
    }

    if (ngx_media_heads_read(w->feed->source, w->key_seq, &heads) != NGX_OK) {
        return NGX_AGAIN;
    }

    w->blob = ngx_media_blob_alloc(NGX_MEDIA_BLOB_SIZE);

    if (w->blob == NULL) {
        return NGX_ERROR;
    }

    if (first) {
        ngx_memzero(&key, sizeof(ngx_media_frame_t));
        key.seq = w->key_seq;
        key.dts = w->key_dts;

        ngx_media_wire_heads(w, &heads);

        rc = w->muxer->header(w, &heads, &key);

    } else {
        rc = ngx_media_wire_configs(w, &heads, w->key_dts);
    }

    blob = w->blob;
    w->blob = NULL;

    if (rc == NGX_ERROR) {
        ngx_media_unpin(&blob->pin);
        return NGX_ERROR;
    }

    if (first) {
        if (w->prologue) {
            ngx_media_unpin(&w->prologue->pin);
        }

        ngx_media_pin(&blob->pin);
        w->prologue = blob;
        w->prologue_seq = w->key_seq;
    }

    *result = blob;

    return NGX_OK;
}


/* too far behind: to the newest key, or out of the log until the next */

static void
ngx_media_wire_jump(ngx_media_wire_t *w, ngx_media_consumer_t *c)
{
    uint64_t  to;

    if (c->jumps >= NGX_MEDIA_JUMPS_MAX) {
        ngx_media_session_close(c->session, NGX_MEDIA_REASON_SLOW);
        return;
    }

    c->jumps++;

    if (ngx_media_consumer_save_rest(c) != NGX_OK) {
        ngx_media_session_close(c->session, NGX_MEDIA_REASON_FULL);
        return;
    }

    to = (w->key_offset != NGX_MEDIA_SEQ_NONE) ? w->key_offset : w->head;

    c->dropped += (uint32_t) ngx_media_wire_frames(w, c->offset, to);

    /*
     * Starts again as soon as there is a key at or after offset; c->configs
     * tells whether a codec changed since it entered the log.
     */

    ngx_media_consumer_leave(c);

    c->offset = to;
    c->waiting = 1;

    if (ngx_media_wire_startable(w, c)) {
        ngx_media_wire_start(w, c);
    }
}


void
ngx_media_wire_event(ngx_media_wire_t *w, ngx_uint_t event)
{
    ngx_queue_t           *q, list;
    ngx_media_consumer_t  *c;

    /* consumers may go, and others with them: walk a list of our own */

    ngx_queue_init(&list);
    ngx_queue_add(&list, &w->consumers);
    ngx_queue_init(&w->consumers);

    while (!ngx_queue_empty(&list)) {

        q = ngx_queue_head(&list);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w->consumers, q);

        c = ngx_queue_data(q, ngx_media_consumer_t, queue);

        if (c->ops->event) {
            c->ops->event(c, event);
        }
    }
}


ngx_msec_t
ngx_media_wire_idle(ngx_media_wire_t *w, ngx_msec_t since, ngx_msec_t timeout)
{
    ngx_msec_t             start, next;
    ngx_msec_int_t         left;
    ngx_queue_t           *q, list;
    ngx_media_consumer_t  *c;

    next = NGX_TIMER_INFINITE;

    ngx_queue_init(&list);
    ngx_queue_add(&list, &w->consumers);
    ngx_queue_init(&w->consumers);

    while (!ngx_queue_empty(&list)) {

        q = ngx_queue_head(&list);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w->consumers, q);

        c = ngx_queue_data(q, ngx_media_consumer_t, queue);

        start = ((ngx_msec_int_t) (since - c->since) > 0) ? since : c->since;
        left = (ngx_msec_int_t) (start + timeout - ngx_current_msec);

        if (left > 0) {
            next = ngx_min(next, (ngx_msec_t) left);
            continue;
        }

        c->since = ngx_current_msec;

        if (c->ops->event) {
            c->ops->event(c, NGX_MEDIA_EVENT_IDLE);
        }
    }

    return next;
}


ngx_media_feed_t *
ngx_media_wire_feed(ngx_media_wire_t *w)
{
    return w->feed;
}


/* --- looking up --------------------------------------------------------- */

ngx_media_segment_t *
ngx_media_wire_segment(ngx_media_wire_t *w, uint64_t offset)
{
    ngx_media_segment_t  *seg;

    for (seg = w->first; seg && seg->next; seg = seg->next) {
        if (offset < seg->start + seg->size) {
            break;
        }
    }

    return seg;
}


/* number of the last entry that begins at or before offset */

static uint64_t
ngx_media_wire_find(ngx_media_wire_t *w, uint64_t offset)
{
    uint64_t  lo, hi, mid;

    lo = w->first_entry;
    hi = w->first_entry + w->nentries;

    while (hi - lo > 1) {
        mid = lo + (hi - lo) / 2;

        if (ngx_media_wire_entry(w, mid)->offset <= offset) {
            lo = mid;

        } else {
            hi = mid;
        }
    }

    return lo;
}


uint64_t
ngx_media_wire_frame_end(ngx_media_wire_t *w, uint64_t offset)
{
    uint64_t  i;

    if (offset >= w->head || w->nentries == 0) {
        return offset;
    }

    i = ngx_media_wire_find(w, offset);

    if (ngx_media_wire_entry(w, i)->offset == offset) {
        return offset;
    }

    if (i + 1 < w->first_entry + w->nentries) {
        return ngx_media_wire_entry(w, i + 1)->offset;
    }

    return w->head;
}


uint64_t
ngx_media_wire_frames(ngx_media_wire_t *w, uint64_t from, uint64_t to)
{
    if (w->nentries == 0 || to <= from) {
        return 0;
    }

    return ngx_media_wire_find(w, to) - ngx_media_wire_find(w, from);
}


uint64_t
ngx_media_wire_number(ngx_media_wire_t *w, uint64_t offset)
{
    if (w->nentries == 0 || offset >= w->head) {
        return w->first_entry + w->nentries;
    }

    return ngx_media_wire_find(w, offset);
}


ngx_media_entry_t *
ngx_media_wire_entry_at(ngx_media_wire_t *w, uint64_t offset)
{
    if (w->nentries == 0) {
        return NULL;
    }

    return ngx_media_wire_entry(w, ngx_media_wire_find(w, offset));
}


/* where the first frame of seq or later begins, or will begin */

uint64_t
ngx_media_wire_offset(ngx_media_wire_t *w, uint64_t seq)
{
    uint64_t            i, offset;
    ngx_media_entry_t  *e;

    offset = w->head;

    for (i = w->first_entry + w->nentries; i > w->first_entry; i--) {
        e = ngx_media_wire_entry(w, i - 1);

        /* of the oldest frame the beginning may be gone */

        if (e->seq < seq || e->offset < w->first->start) {
            break;
        }

        offset = e->offset;
    }

    return offset;
}


/* puts a consumer that left another wire at frame seq, or at the end */

void
ngx_media_wire_enter_at(ngx_media_wire_t *w, ngx_media_consumer_t *c,
    uint64_t seq)
{
    uint64_t              offset;
    ngx_media_segment_t  *seg;

    offset = ngx_media_wire_offset(w, seq);
    seg = w->last ? ngx_media_wire_segment(w, offset)
                  : ngx_media_wire_extend(w);

    if (seg == NULL) {

        /* no memory: the next start point will do */

        c->waiting = 1;
        c->reheads = c->started;
        c->offset = offset;
        return;
    }

    c->waiting = 0;
    c->reheads = 0;

    ngx_media_consumer_enter(c, seg, offset);

    c->configs = w->configs;
}


void
ngx_media_wire_tick(void)
{
    if (ngx_media_wire_scratch_size > NGX_MEDIA_SCRATCH_KEPT
        && ngx_media_wire_scratch_used < ngx_media_wire_scratch_size / 2)
    {
        ngx_media_wire_exit();
    }

    ngx_media_wire_scratch_used = 0;
}


void
ngx_media_wire_exit(void)
{
    if (ngx_media_wire_scratch) {
        ngx_free(ngx_media_wire_scratch);
        ngx_media_wire_scratch = NULL;
        ngx_media_wire_scratch_size = 0;
    }
}
