
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the ring of a source.  The rules of access are in the header; this file
 * is called by the publisher's worker (writer half) and by the feed of every
 * worker that has consumers (reader half).
 */


#include <string.h>

#include "ngx_media_ring.h"


#define NGX_MEDIA_RING_MIN  4       /* chunks */


#define ngx_media_ring_data_slot(ring, pos)                                   \
    (&(ring)->data[((pos) >> NGX_MEDIA_CHUNK_SHIFT) % NGX_MEDIA_RING_DATA])

#define ngx_media_ring_index_slot(ring, seq)                                  \
    (&(ring)->index[((seq) >> NGX_MEDIA_DESC_SHIFT) % NGX_MEDIA_RING_INDEX])


static void ngx_media_ring_store_bytes(u_char *dst, const u_char *src,
    size_t n);
static void ngx_media_ring_load_bytes(u_char *dst, const u_char *src, size_t n);
static uint32_t ngx_media_ring_count(ngx_media_ring_writer_t *w,
    uint32_t *table, uint32_t size, uint64_t first, uint64_t last);
static u_char *ngx_media_ring_chunk(const ngx_media_chunks_t *chunks,
    const uint32_t *entry);
static void ngx_media_ring_fill(ngx_media_ring_writer_t *w, uint64_t pos,
    const u_char *p, size_t size);
static int ngx_media_ring_reserve(ngx_media_ring_writer_t *w, uint32_t size,
    int64_t dts);
static uint32_t ngx_media_ring_full(const ngx_media_ring_t *ring);
static int ngx_media_ring_take(ngx_media_ring_writer_t *w, uint32_t size);
static uint32_t ngx_media_ring_missing(ngx_media_ring_writer_t *w,
    uint32_t size);
static uint32_t ngx_media_ring_free(ngx_media_ring_writer_t *w, uint64_t tail,
    uint64_t tail_pos);
static uint64_t ngx_media_ring_old(ngx_media_ring_writer_t *w, int64_t dts,
    uint64_t *pos);
static int ngx_media_ring_oldest_chunk(ngx_media_ring_writer_t *w,
    uint64_t *tail, uint64_t *pos);


/*
 * Bytes that a reader may be copying while the writer already writes over
 * them: the copy is thrown away then, but the access itself must be one that
 * the race detector accepts.
 */

#if defined(__SANITIZE_THREAD__)
#define NGX_MEDIA_RING_TSAN  1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NGX_MEDIA_RING_TSAN  1
#endif
#endif


static void
ngx_media_ring_store_bytes(u_char *dst, const u_char *src, size_t n)
{
#if (NGX_MEDIA_RING_TSAN)

    for ( ; n; n--) {
        __atomic_store_n(dst++, *src++, __ATOMIC_RELAXED);
    }

#else

    if (n) {
        memcpy(dst, src, n);
    }

#endif
}


static void
ngx_media_ring_load_bytes(u_char *dst, const u_char *src, size_t n)
{
#if (NGX_MEDIA_RING_TSAN)

    for ( ; n; n--) {
        *dst++ = __atomic_load_n(src++, __ATOMIC_RELAXED);
    }

#else

    if (n) {
        memcpy(dst, src, n);
    }

#endif
}


void
ngx_media_ring_init(ngx_media_ring_t *ring)
{
    memset(ring, 0, sizeof(ngx_media_ring_t));

    ring->key = NGX_MEDIA_SEQ_NONE;
}


void
ngx_media_ring_attach(ngx_media_ring_writer_t *w)
{
    ngx_media_ring_t  *ring;

    if (w->max > NGX_MEDIA_RING_DATA - 1) {
        w->max = NGX_MEDIA_RING_DATA - 1;
    }

    ring = w->ring;

    w->used = ngx_media_ring_count(w, ring->data, NGX_MEDIA_RING_DATA,
                                   ring->tail_pos >> NGX_MEDIA_CHUNK_SHIFT,
                                   ring->head_pos >> NGX_MEDIA_CHUNK_SHIFT);

    w->used += ngx_media_ring_count(w, ring->index, NGX_MEDIA_RING_INDEX,
                                    ring->tail >> NGX_MEDIA_DESC_SHIFT,
                                    ring->head >> NGX_MEDIA_DESC_SHIFT);
}


/* chunks first to last of a log; what is in its table besides is given back */

static uint32_t
ngx_media_ring_count(ngx_media_ring_writer_t *w, uint32_t *table,
    uint32_t size, uint64_t first, uint64_t last)
{
    uint32_t  i, n;

    n = 0;

    for (i = 0; i < size; i++) {

        if (table[i] == 0) {
            continue;
        }

        if ((i + size - first % size) % size > last - first) {
            w->put(w->ctx, &table[i]);

        } else {
            n++;
        }
    }

    return n;
}


int
ngx_media_ring_append(ngx_media_ring_writer_t *w, ngx_media_frame_t *f,
    int64_t now)
{
    ngx_media_ring_span_t  span;

    span.data = f->data;
    span.size = f->size;

    return ngx_media_ring_appendv(w, f, &span, 1, now);
}


int
ngx_media_ring_appendv(ngx_media_ring_writer_t *w, ngx_media_frame_t *f,
    const ngx_media_ring_span_t *spans, uint32_t nspans, int64_t now)
{
    int                rc;
    u_char            *chunk;
    uint32_t           i;
    uint64_t           pos;
    ngx_media_desc_t   desc;
    ngx_media_ring_t  *ring;

    ring = w->ring;

    rc = ngx_media_ring_reserve(w, f->size, f->dts);

    if (rc != NGX_MEDIA_OK) {
        return rc;
    }

    f->seq = ring->head;

    /* claimed bytes lie above head: nobody reads them yet */

    pos = ring->head_pos;

    for (i = 0; i < nspans; i++) {
        ngx_media_ring_fill(w, pos, spans[i].data, spans[i].size);
        pos += spans[i].size;
    }

    memset(&desc, 0, sizeof(ngx_media_desc_t));

    if (f->flags & NGX_MEDIA_FRAME_SYNC) {
        __atomic_store_n(&ring->key, f->seq, __ATOMIC_RELEASE);
    }

    desc.seq = f->seq;
    desc.pos = ring->head_pos;
    desc.dts = f->dts;
    desc.time = now;
    desc.cts = f->cts;
    desc.size = f->size;
    desc.flags = f->flags;
    desc.track = f->track;
    desc.codec = f->codec;
    desc.aux = f->aux;
    desc.key = ring->key;

    chunk = ngx_media_ring_chunk(&w->chunks,
                                 ngx_media_ring_index_slot(ring, f->seq));

    chunk += (f->seq & ((1 << NGX_MEDIA_DESC_SHIFT) - 1))
             * sizeof(ngx_media_desc_t);

    ngx_media_ring_store_bytes(chunk, (u_char *) &desc,
                               sizeof(ngx_media_desc_t));

    ring->head_pos = pos;
    __atomic_store_n(&ring->head, f->seq + 1, __ATOMIC_RELEASE);

    return NGX_MEDIA_OK;
}


/* payload into chunks that were taken */

static void
ngx_media_ring_fill(ngx_media_ring_writer_t *w, uint64_t pos,
    const u_char *p, size_t size)
{
    size_t   n;
    u_char  *chunk;

    for ( ; size; size -= n) {
        chunk = ngx_media_ring_chunk(&w->chunks,
                                     ngx_media_ring_data_slot(w->ring, pos));
        n = NGX_MEDIA_CHUNK_SIZE - (pos & (NGX_MEDIA_CHUNK_SIZE - 1));

        if (n > size) {
            n = size;
        }

        ngx_media_ring_store_bytes(chunk + (pos & (NGX_MEDIA_CHUNK_SIZE - 1)),
                                   p, n);
        p += n;
        pos += n;
    }
}


int
ngx_media_ring_prepare(ngx_media_ring_writer_t *w, uint32_t size)
{
    if (size / NGX_MEDIA_CHUNK_SIZE + 2 > w->max) {
        return NGX_MEDIA_ERROR;
    }

    if (ngx_media_ring_full(w->ring)
        || w->used + ngx_media_ring_missing(w, size) > w->max)
    {
        return NGX_MEDIA_DECLINED;
    }

    return ngx_media_ring_take(w, size);
}


/*
 * Chunks for the next size bytes and for one descriptor.  History that is old
 * enough goes first; when the arena or the budget has no chunk left, more of
 * it goes, whatever its age.
 */

static int
ngx_media_ring_reserve(ngx_media_ring_writer_t *w, uint32_t size, int64_t dts)
{
    uint64_t  tail, pos;

    if (size / NGX_MEDIA_CHUNK_SIZE + 2 > w->max) {
        return NGX_MEDIA_ERROR;
    }

    if (ngx_media_ring_missing(w, size) == 0
        && !ngx_media_ring_full(w->ring))
    {
        return NGX_MEDIA_OK;
    }

    tail = ngx_media_ring_old(w, dts, &pos);

    if (tail != w->ring->tail) {
        ngx_media_ring_free(w, tail, pos);
    }

    for ( ;; ) {

        if (!ngx_media_ring_full(w->ring)
            && w->used + ngx_media_ring_missing(w, size) <= w->max
            && ngx_media_ring_take(w, size) == NGX_MEDIA_OK)
        {
            return NGX_MEDIA_OK;
        }

        if (ngx_media_ring_oldest_chunk(w, &tail, &pos) != NGX_MEDIA_OK) {
            return NGX_MEDIA_DECLINED;
        }

        ngx_media_ring_free(w, tail, pos);
    }
}


static uint32_t
ngx_media_ring_missing(ngx_media_ring_writer_t *w, uint32_t size)
{
    uint32_t           n;
    uint64_t           pos, end;
    ngx_media_ring_t  *ring;

    ring = w->ring;
    n = (*ngx_media_ring_index_slot(ring, ring->head) == 0);

    /* a chunk of the log counts only where bytes of the frame go into it */

    pos = ring->head_pos & ~((uint64_t) NGX_MEDIA_CHUNK_SIZE - 1);
    end = ring->head_pos + size;

    for ( ; pos < end; pos += NGX_MEDIA_CHUNK_SIZE) {
        n += (*ngx_media_ring_data_slot(ring, pos) == 0);
    }

    return n;
}


/* The table of descriptors would wrap onto the chunk of the tail. */

static uint32_t
ngx_media_ring_full(const ngx_media_ring_t *ring)
{
    return (ring->head >> NGX_MEDIA_DESC_SHIFT)
           - (ring->tail >> NGX_MEDIA_DESC_SHIFT) >= NGX_MEDIA_RING_INDEX;
}


static int
ngx_media_ring_take(ngx_media_ring_writer_t *w, uint32_t size)
{
    uint32_t          *entry;
    uint64_t           pos, end;
    ngx_media_ring_t  *ring;

    ring = w->ring;
    entry = ngx_media_ring_index_slot(ring, ring->head);

    if (*entry == 0) {
        if (w->get(w->ctx, entry) != NGX_MEDIA_OK) {
            return NGX_MEDIA_DECLINED;
        }

        w->used++;
    }

    pos = ring->head_pos & ~((uint64_t) NGX_MEDIA_CHUNK_SIZE - 1);
    end = ring->head_pos + size;

    for ( ; pos < end; pos += NGX_MEDIA_CHUNK_SIZE) {
        entry = ngx_media_ring_data_slot(ring, pos);

        if (*entry == 0) {
            if (w->get(w->ctx, entry) != NGX_MEDIA_OK) {
                return NGX_MEDIA_DECLINED;
            }

            w->used++;
        }
    }

    return NGX_MEDIA_OK;
}


/* The oldest frame that history and the last GOP still want. */

static uint64_t
ngx_media_ring_old(ngx_media_ring_writer_t *w, int64_t dts, uint64_t *pos)
{
    uint64_t           seq;
    ngx_media_desc_t   desc;
    ngx_media_ring_t  *ring;

    ring = w->ring;
    *pos = ring->tail_pos;

    for (seq = ring->tail; seq < ring->head; seq++) {

        if (ngx_media_ring_peek(ring, &w->chunks, seq, &desc)
            != NGX_MEDIA_OK)
        {
            break;
        }

        *pos = desc.pos;

        /* times that lie ahead are of a clock that went back since */

        if (seq == ring->key
            || (desc.dts > dts - w->history && desc.dts <= dts + w->history))
        {
            return seq;
        }
    }

    if (seq == ring->head) {
        *pos = ring->head_pos;
    }

    return seq;
}


/* The first frame behind the oldest chunk of payload or descriptors. */

static int
ngx_media_ring_oldest_chunk(ngx_media_ring_writer_t *w, uint64_t *tail,
    uint64_t *pos)
{
    uint64_t           seq, limit;
    ngx_media_desc_t   desc;
    ngx_media_ring_t  *ring;

    ring = w->ring;

    if (ring->tail == ring->head) {
        return NGX_MEDIA_DECLINED;
    }

    limit = (ring->tail_pos | (NGX_MEDIA_CHUNK_SIZE - 1)) + 1;

    for (seq = ring->tail + 1; seq < ring->head; seq++) {

        if (ngx_media_ring_peek(ring, &w->chunks, seq, &desc)
            != NGX_MEDIA_OK)
        {
            break;
        }

        if (desc.pos >= limit
            || (seq & ((1 << NGX_MEDIA_DESC_SHIFT) - 1)) == 0)
        {
            *tail = seq;
            *pos = desc.pos;
            return NGX_MEDIA_OK;
        }
    }

    *tail = ring->head;
    *pos = ring->head_pos;

    return NGX_MEDIA_OK;
}


/* Moves the tail, then gives back what lies wholly before it. */

static uint32_t
ngx_media_ring_free(ngx_media_ring_writer_t *w, uint64_t tail,
    uint64_t tail_pos)
{
    uint32_t           n, *entry;
    uint64_t           pos, seq, end;
    ngx_media_ring_t  *ring;

    ring = w->ring;
    n = 0;

    pos = ring->tail_pos & ~((uint64_t) NGX_MEDIA_CHUNK_SIZE - 1);
    seq = ring->tail & ~(((uint64_t) 1 << NGX_MEDIA_DESC_SHIFT) - 1);

    __atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
    ring->tail_pos = tail_pos;

    if (ring->key != NGX_MEDIA_SEQ_NONE && ring->key < tail) {
        __atomic_store_n(&ring->key, NGX_MEDIA_SEQ_NONE, __ATOMIC_RELEASE);
    }

    /* readers that copied until here see the new tail and throw it away */

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    end = tail_pos & ~((uint64_t) NGX_MEDIA_CHUNK_SIZE - 1);

    for ( ; pos < end; pos += NGX_MEDIA_CHUNK_SIZE) {
        entry = ngx_media_ring_data_slot(ring, pos);

        if (*entry) {
            w->put(w->ctx, entry);
            n++;
        }
    }

    end = tail & ~(((uint64_t) 1 << NGX_MEDIA_DESC_SHIFT) - 1);

    for ( ; seq < end; seq += 1 << NGX_MEDIA_DESC_SHIFT) {
        entry = ngx_media_ring_index_slot(ring, seq);

        if (*entry) {
            w->put(w->ctx, entry);
            n++;
        }
    }

    w->used -= n;

    return n;
}


uint32_t
ngx_media_ring_shrink(ngx_media_ring_writer_t *w, int hard)
{
    uint64_t           tail;
    ngx_media_desc_t   desc;
    ngx_media_ring_t  *ring;

    ring = w->ring;
    tail = hard ? ring->head : ring->key;

    if (tail == NGX_MEDIA_SEQ_NONE || tail <= ring->tail) {
        return 0;
    }

    if (tail == ring->head) {
        return ngx_media_ring_free(w, tail, ring->head_pos);
    }

    if (ngx_media_ring_peek(ring, &w->chunks, tail, &desc) != NGX_MEDIA_OK) {
        return 0;
    }

    return ngx_media_ring_free(w, tail, desc.pos);
}


void
ngx_media_ring_clear(ngx_media_ring_writer_t *w)
{
    uint64_t           head, pos;
    ngx_media_ring_t  *ring;

    ring = w->ring;

    /* up to the borders of chunks, so that the last ones are given back too */

    head = (ring->head + (1 << NGX_MEDIA_DESC_SHIFT) - 1)
           & ~(((uint64_t) 1 << NGX_MEDIA_DESC_SHIFT) - 1);
    pos = (ring->head_pos + NGX_MEDIA_CHUNK_SIZE - 1)
          & ~((uint64_t) NGX_MEDIA_CHUNK_SIZE - 1);

    (void) ngx_media_ring_free(w, head, pos);

    ring->head_pos = pos;
    __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
}


uint32_t
ngx_media_ring_limit(ngx_media_ring_writer_t *w, uint32_t max)
{
    uint32_t  n;
    uint64_t  tail, pos;

    w->max = (max < NGX_MEDIA_RING_MIN) ? NGX_MEDIA_RING_MIN : max;

    for (n = 0; w->used > w->max; ) {

        if (ngx_media_ring_oldest_chunk(w, &tail, &pos) != NGX_MEDIA_OK) {
            break;
        }

        n += ngx_media_ring_free(w, tail, pos);
    }

    return n;
}


static u_char *
ngx_media_ring_chunk(const ngx_media_chunks_t *chunks, const uint32_t *entry)
{
    uint32_t  n;

    n = __atomic_load_n(entry, __ATOMIC_RELAXED);

    if (n == 0 || n > chunks->nchunks) {
        return NULL;
    }

    return chunks->base + ((size_t) (n - 1) << NGX_MEDIA_CHUNK_SHIFT);
}


int
ngx_media_ring_peek(const ngx_media_ring_t *ring,
    const ngx_media_chunks_t *chunks, uint64_t seq, ngx_media_desc_t *desc)
{
    u_char  *chunk;

    if (seq >= ngx_media_ring_load(&ring->head)) {
        return NGX_MEDIA_AGAIN;
    }

    if (seq < ngx_media_ring_load(&ring->tail)) {
        return NGX_MEDIA_LOST;
    }

    chunk = ngx_media_ring_chunk(chunks, ngx_media_ring_index_slot(ring, seq));

    if (chunk == NULL) {
        return NGX_MEDIA_LOST;
    }

    ngx_media_ring_load_bytes((u_char *) desc,
                              chunk
                              + (seq & ((1 << NGX_MEDIA_DESC_SHIFT) - 1))
                                * sizeof(ngx_media_desc_t),
                              sizeof(ngx_media_desc_t));

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    if (seq < ngx_media_ring_load(&ring->tail) || desc->seq != seq) {
        return NGX_MEDIA_LOST;
    }

    return NGX_MEDIA_OK;
}


int
ngx_media_ring_copy(const ngx_media_ring_t *ring,
    const ngx_media_chunks_t *chunks, const ngx_media_desc_t *desc, u_char *buf)
{
    return ngx_media_ring_copy_part(ring, chunks, desc, 0, buf, desc->size);
}


int
ngx_media_ring_copy_part(const ngx_media_ring_t *ring,
    const ngx_media_chunks_t *chunks, const ngx_media_desc_t *desc,
    size_t off, u_char *buf, size_t size)
{
    size_t     n, left;
    u_char    *chunk;
    uint64_t   pos;

    pos = desc->pos + off;

    for (left = size; left; left -= n) {
        chunk = ngx_media_ring_chunk(chunks,
                                     ngx_media_ring_data_slot(ring, pos));

        if (chunk == NULL) {
            return NGX_MEDIA_LOST;
        }

        n = NGX_MEDIA_CHUNK_SIZE - (pos & (NGX_MEDIA_CHUNK_SIZE - 1));

        if (n > left) {
            n = left;
        }

        ngx_media_ring_load_bytes(buf,
                                  chunk + (pos & (NGX_MEDIA_CHUNK_SIZE - 1)),
                                  n);
        buf += n;
        pos += n;
    }

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    if (desc->seq < ngx_media_ring_load(&ring->tail)) {
        return NGX_MEDIA_LOST;
    }

    return NGX_MEDIA_OK;
}
