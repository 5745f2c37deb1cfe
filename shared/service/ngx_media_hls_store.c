
/*
 * Copyright (C) the nginx media suite authors
 *
 * A rendition in the arena, as its one writer sees it: the table of segments,
 * the init segments, and the ring of parts.  Called by the segmenter in the
 * publisher's worker.
 *
 * Order of writing: bytes and descriptor of a part into the ring, then the
 * table under an odd version.  Segments whose parts the ring gave away leave
 * the table right behind, oldest first; until then a reader finds that their
 * bytes are gone.  Their numbers never come again.
 */


#include "ngx_media_hls_store.h"


static ngx_int_t ngx_media_hls_store_make(ngx_media_source_t *src,
    uint32_t index);
static uint64_t *ngx_media_hls_store_number(ngx_media_source_t *src);
static void ngx_media_hls_store_given(ngx_media_source_t *src, uint64_t next);
static void ngx_media_hls_store_mend(ngx_media_hls_writer_t *w);
static void ngx_media_hls_store_prune(ngx_media_hls_writer_t *w);


ngx_int_t
ngx_media_hls_store_open(ngx_media_hls_writer_t *w, ngx_media_source_t *src,
    uint32_t index)
{
    ngx_media_arena_t  *a;

    if (index >= src->nstores
        && ngx_media_hls_store_make(src, index) != NGX_OK)
    {
        return NGX_ERROR;
    }

    a = ngx_media_arena();

    w->source = src;
    w->index = index;
    w->logged = 0;
    w->r = (ngx_media_hls_rendition_t *)
               ngx_media_chunk_addr(src->stores[index]);

    if (w->r == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&w->ring, sizeof(ngx_media_ring_writer_t));

    w->ring.ring = &w->r->ring;
    w->ring.chunks = ngx_media_arena_chunks();
    w->ring.max = a->nchunks / 2;
    w->ring.get = ngx_media_store_get;
    w->ring.put = ngx_media_store_put;

    ngx_media_ring_attach(&w->ring);
    ngx_media_hls_store_mend(w);

    return NGX_OK;
}


/* readers look at it when nstores counts it */

static ngx_int_t
ngx_media_hls_store_make(ngx_media_source_t *src, uint32_t index)
{
    uint64_t                    number;
    ngx_media_hls_rendition_t  *r;

    if (index != src->nstores || index >= NGX_MEDIA_HLS_RENDITIONS) {
        return NGX_ERROR;
    }

    if (src->stores[index] == 0
        && ngx_media_store_get(NULL, &src->stores[index]) != NGX_MEDIA_OK)
    {
        return NGX_ERROR;
    }

    r = (ngx_media_hls_rendition_t *)
            ngx_media_chunk_addr(src->stores[index]);

    ngx_memzero(r, sizeof(ngx_media_hls_rendition_t));
    ngx_media_ring_init(&r->ring);

    /* larger than any that was given out under this name before */

    r->first = (uint64_t) (ngx_media_epoch_ms() / 1000);

    if (index == 0) {
        number = __atomic_load_n(ngx_media_hls_store_number(src),
                                 __ATOMIC_RELAXED);
        r->first = ngx_max(r->first, number);
    }

    r->next = r->first;

    __atomic_store_n(&src->nstores, index + 1, __ATOMIC_RELEASE);

    return NGX_OK;
}


/*
 * Numbers get ahead of the unix time where segments are shorter than a second,
 * and where a publisher breaks its timeline more often.  How far is kept when
 * the source goes, for names by hash: others of it begin higher than they must.
 */

static uint64_t *
ngx_media_hls_store_number(ngx_media_source_t *src)
{
    return &ngx_media_arena()->numbers[src->hash % NGX_MEDIA_NUMBERS];
}


static void
ngx_media_hls_store_given(ngx_media_source_t *src, uint64_t next)
{
    uint64_t  *number, had;

    number = ngx_media_hls_store_number(src);
    had = __atomic_load_n(number, __ATOMIC_RELAXED);

    while (had < next
           && !__atomic_compare_exchange_n(number, &had, next, 0,
                                           __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED))
    {
        /* void */
    }
}


/* after another writer: what it was doing when it went */

static void
ngx_media_hls_store_mend(ngx_media_hls_writer_t *w)
{
    uint64_t                    n;
    ngx_media_desc_t            desc;
    ngx_media_hls_segment_t    *seg;
    ngx_media_hls_rendition_t  *r;

    r = w->r;

    ngx_media_hls_store_lock(w);

    if (r->next - r->first > NGX_MEDIA_HLS_SEGMENTS) {
        r->first = r->next;
    }

    seg = (r->next > r->first) ? ngx_media_hls_at(r, r->next - 1) : NULL;

    if (seg && !(seg->flags & NGX_MEDIA_HLS_CLOSED)) {

        seg->flags |= NGX_MEDIA_HLS_CLOSED;
        seg->bytes = 0;
        seg->duration = 0;
        seg->nparts = 0;

        for (n = seg->part;
             ngx_media_ring_peek(&r->ring, &w->ring.chunks, n, &desc)
             == NGX_MEDIA_OK;
             n++)
        {
            seg->bytes += desc.size;
            seg->duration += (uint32_t) desc.cts;
            seg->nparts++;
        }

        /*
         * Nobody saw it: its number is used again.  Of an encrypted one the
         * end is with who died, and it is not listed while it is open.
         */

        if (seg->nparts == 0 || seg->key) {
            r->next--;

            if (seg->flags & NGX_MEDIA_HLS_DISCONTINUITY) {
                r->disc--;
            }
        }
    }

    ngx_media_hls_store_unlock(w);
    ngx_media_hls_store_prune(w);
}


void
ngx_media_hls_store_lock(ngx_media_hls_writer_t *w)
{
    /* odd already where a writer died */

    __atomic_store_n(&w->r->version, w->r->version | 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}


void
ngx_media_hls_store_unlock(ngx_media_hls_writer_t *w)
{
    __atomic_store_n(&w->r->version, w->r->version + 1, __ATOMIC_SEQ_CST);
}


ngx_media_hls_segment_t *
ngx_media_hls_store_current(ngx_media_hls_writer_t *w)
{
    ngx_media_hls_segment_t    *seg;
    ngx_media_hls_rendition_t  *r;

    r = w->r;

    if (r == NULL || r->next == r->first) {
        return NULL;
    }

    seg = ngx_media_hls_at(r, r->next - 1);

    return (seg->flags & NGX_MEDIA_HLS_CLOSED) ? NULL : seg;
}


void
ngx_media_hls_store_align(ngx_media_hls_writer_t *w, uint64_t msn,
    uint32_t disc)
{
    ngx_media_hls_rendition_t  *r;

    r = w->r;

    ngx_media_hls_store_close(w);

    if (r->next == msn && r->disc == disc) {
        return;
    }

    ngx_media_hls_store_lock(w);

    r->first = msn;
    r->next = msn;
    r->disc = disc;

    ngx_media_hls_store_unlock(w);
}


void
ngx_media_hls_store_segment(ngx_media_hls_writer_t *w,
    const ngx_media_hls_segment_t *from)
{
    uint64_t                    msn;
    ngx_media_hls_segment_t    *seg;
    ngx_media_hls_rendition_t  *r;

    r = w->r;

    ngx_media_hls_store_close(w);
    ngx_media_hls_store_lock(w);

    if (r->next - r->first == NGX_MEDIA_HLS_SEGMENTS) {
        r->first++;
    }

    msn = r->next;
    seg = ngx_media_hls_at(r, msn);

    *seg = *from;

    if (seg->flags & NGX_MEDIA_HLS_DISCONTINUITY) {
        r->disc++;
    }

    seg->msn = msn;
    seg->part = r->ring.head;
    seg->bytes = 0;
    seg->duration = 0;
    seg->nparts = 0;
    seg->disc = r->disc;

    r->next = msn + 1;

    ngx_media_hls_store_unlock(w);
    ngx_media_hls_store_given(w->source, msn + 1);
}


/* where the media of a segment stand, with its first part */

static void
ngx_media_hls_store_time(ngx_media_hls_rendition_t *r,
    ngx_media_hls_segment_t *seg, int64_t time)
{
    seg->time = time;
    seg->origin = time;

    if (!(seg->flags & NGX_MEDIA_HLS_DISCONTINUITY) && seg->msn > r->first) {
        seg->origin = ngx_media_hls_at(r, seg->msn - 1)->origin;
    }

    if (r->begin == 0) {
        r->begin = seg->pdt;
    }
}


/*
 * The ring keeps history by the times of its frames.  Here these count the
 * media that were cut: when a publisher was away or its clock jumped, there
 * is no less to be kept.
 */

static int64_t
ngx_media_hls_store_end(ngx_media_hls_writer_t *w)
{
    ngx_media_desc_t   desc;
    ngx_media_ring_t  *ring;

    ring = w->ring.ring;

    if (ring->head == ring->tail
        || ngx_media_ring_peek(ring, &w->ring.chunks, ring->head - 1, &desc)
           != NGX_MEDIA_OK)
    {
        return 0;
    }

    return desc.dts + desc.cts;
}


ngx_int_t
ngx_media_hls_store_part(ngx_media_hls_writer_t *w,
    const ngx_media_hls_cut_t *cut, const ngx_media_ring_span_t *spans,
    uint32_t nspans)
{
    uint32_t                  i, share;
    ngx_media_frame_t         f;
    ngx_media_hls_segment_t  *seg;

    seg = ngx_media_hls_store_current(w);

    if (seg == NULL) {
        return NGX_DECLINED;
    }

    ngx_memzero(&f, sizeof(ngx_media_frame_t));

    for (i = 0; i < nspans; i++) {
        f.size += (uint32_t) spans[i].size;
    }

    f.dts = ngx_media_hls_store_end(w);
    f.cts = (int32_t) cut->duration;

    if (cut->flags & NGX_MEDIA_HLS_INDEPENDENT) {
        f.flags |= NGX_MEDIA_FRAME_KEY;
    }

    if (cut->flags & NGX_MEDIA_HLS_GAP) {
        f.flags |= NGX_MEDIA_FRAME_DISPOSABLE;
    }

    if (seg->nparts == 0) {
        f.flags |= NGX_MEDIA_FRAME_SYNC;
    }

    if (ngx_media_ring_appendv(&w->ring, &f, spans, nspans, ngx_media_now())
        != NGX_MEDIA_OK)
    {
        return NGX_DECLINED;
    }

    ngx_media_hls_store_lock(w);

    if (seg->nparts == 0) {
        ngx_media_hls_store_time(w->r, seg, cut->time);
    }

    seg->nparts++;
    seg->bytes += f.size;
    seg->duration += cut->duration;
    seg->flags |= cut->flags & NGX_MEDIA_HLS_CLOSED;

    ngx_media_hls_store_unlock(w);

    /* others want some of what this one has */

    share = ngx_media_store_share() / ngx_max(w->source->nstores, 1);

    if (w->ring.used > share) {
        (void) ngx_media_ring_limit(&w->ring, share);
    }

    w->ring.max = share;

    ngx_media_hls_store_prune(w);

    return NGX_OK;
}


void
ngx_media_hls_store_close(ngx_media_hls_writer_t *w)
{
    ngx_media_hls_segment_t  *seg;

    seg = ngx_media_hls_store_current(w);

    if (seg == NULL) {
        return;
    }

    ngx_media_hls_store_lock(w);

    seg->flags |= NGX_MEDIA_HLS_CLOSED;

    if (seg->nparts == 0) {

        /* nobody saw it: its number is used again */

        w->r->next--;

        if (seg->flags & NGX_MEDIA_HLS_DISCONTINUITY) {
            w->r->disc--;
        }
    }

    ngx_media_hls_store_unlock(w);
}


/* what the ring has given away, and what is older than anybody may ask for */

static void
ngx_media_hls_store_prune(ngx_media_hls_writer_t *w)
{
    uint32_t                    squeezed;
    uint64_t                    first, tail, keep, us;
    ngx_media_hls_segment_t    *seg;
    ngx_media_hls_rendition_t  *r;

    r = w->r;
    tail = r->ring.tail;

    keep = r->window + (uint64_t) (NGX_MEDIA_HLS_KEEP + 1) * r->target
                       * 1000000;
    us = 0;
    squeezed = r->squeezed;

    for (first = r->next; first > r->first; first--) {
        seg = ngx_media_hls_at(r, first - 1);

        if (r->target && us > keep) {
            squeezed = 0;
            break;
        }

        if (seg->part < tail) {
            squeezed = (r->target && us < keep);
            break;
        }

        us += seg->duration;
    }

    /* before the target is known, nothing goes that it may ask for */

    w->ring.history = (int64_t) keep
                      + (int64_t) (r->target ? r->target
                                             : NGX_MEDIA_HLS_FIRST_KEEP)
                        * 1000000;

    if (first != r->first || squeezed != r->squeezed) {
        ngx_media_hls_store_lock(w);
        r->first = first;
        r->squeezed = squeezed;
        ngx_media_hls_store_unlock(w);
    }

    if (squeezed && !w->logged && us < r->window) {
        w->logged = 1;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "the HLS stream of \"%*s/%*s\" has %uL ms and not the "
                      "%uD ms of hls_window, since streams packed for HLS "
                      "take half of the media zone at most",
                      (size_t) w->source->app_len, w->source->app,
                      (size_t) w->source->stream_len, w->source->stream,
                      us / 1000, r->window / 1000);
    }
}


uint32_t
ngx_media_hls_store_init(ngx_media_hls_writer_t *w, const u_char *p, size_t n)
{
    uint32_t                    i, hash, gone;
    ngx_media_hls_init_t       *init;
    ngx_media_hls_rendition_t  *r;

    r = w->r;

    if (n > NGX_MEDIA_HLS_INIT_MAX) {
        return 0;
    }

    hash = ngx_crc32_long((u_char *) p, n);
    hash = hash ? hash : 1;

    for (i = 0; i < r->ninits; i++) {
        if (r->init[i].hash == hash && r->init[i].size == n) {
            return hash;
        }
    }

    ngx_media_hls_store_lock(w);

    for ( ;; ) {

        i = r->ninits;
        init = &r->init[i];
        gone = i ? r->init[i - 1].off + r->init[i - 1].size : 0;

        if (i < NGX_MEDIA_HLS_INITS && gone + n <= NGX_MEDIA_HLS_INIT_BYTES) {
            break;
        }

        /* the oldest one goes */

        gone = r->init[0].size;

        ngx_memmove(r->inits, r->inits + gone,
                    NGX_MEDIA_HLS_INIT_BYTES - gone);
        ngx_memmove(&r->init[0], &r->init[1],
                    (NGX_MEDIA_HLS_INITS - 1) * sizeof(ngx_media_hls_init_t));

        r->ninits--;

        for (i = 0; i < r->ninits; i++) {
            r->init[i].off -= gone;
        }
    }

    init->hash = hash;
    init->off = gone;
    init->size = (uint32_t) n;
    ngx_memcpy(r->inits + gone, p, n);
    r->ninits++;

    ngx_media_hls_store_unlock(w);

    return hash;
}


void
ngx_media_hls_store_key(ngx_media_hls_writer_t *w, uint32_t number,
    const u_char *bytes)
{
    ngx_media_hls_key_t        *key;
    ngx_media_hls_rendition_t  *r;

    r = w->r;

    ngx_media_hls_store_lock(w);

    key = &r->key[r->nkeys++ % NGX_MEDIA_HLS_KEYS];
    key->number = number;
    ngx_memcpy(key->bytes, bytes, NGX_MEDIA_HLS_KEY_LEN);

    ngx_media_hls_store_unlock(w);
}


void
ngx_media_hls_store_clear(ngx_media_hls_writer_t *w)
{
    ngx_media_hls_rendition_t  *r;

    r = w->r;

    ngx_media_hls_store_lock(w);

    r->first = r->next;
    r->target = 0;
    r->squeezed = 0;

    ngx_media_hls_store_unlock(w);

    ngx_media_ring_clear(&w->ring);
}


void
ngx_media_hls_store_shrink(ngx_media_hls_writer_t *w)
{
    uint32_t  max;

    max = w->ring.max;

    (void) ngx_media_ring_limit(&w->ring, w->ring.used / 4 * 3);

    w->ring.max = max;

    ngx_media_hls_store_prune(w);
}
