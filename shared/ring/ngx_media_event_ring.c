
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: a ring of small records; see ngx_media_event_ring.h.
 */


#include <string.h>

#include "ngx_media_event_ring.h"


#define ngx_media_event_entry(ring, number)                                   \
    (&(ring)->entry[(number) & (NGX_MEDIA_EVENT_RING_RECORDS - 1)])


static uint64_t ngx_media_event_ring_load(const uint64_t *p);
static void ngx_media_event_ring_store(uint64_t *p, uint64_t value);
static int ngx_media_event_ring_kept(ngx_media_event_ring_t *ring,
    uint64_t number, uint64_t offset);


static uint64_t
ngx_media_event_ring_load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}


static void
ngx_media_event_ring_store(uint64_t *p, uint64_t value)
{
    __atomic_store_n(p, value, __ATOMIC_RELEASE);
}


uint64_t
ngx_media_event_ring_put(ngx_media_event_ring_t *ring, const void *p,
    size_t n)
{
    size_t                    pos, first;
    uint64_t                  number, offset;
    ngx_media_event_entry_t  *e;

    if (n == 0 || n > NGX_MEDIA_EVENT_RECORD_MAX) {
        return 0;
    }

    number = ring->head + 1;
    offset = ring->end;

    ngx_media_event_ring_store(&ring->claimed_bytes, offset + n);
    ngx_media_event_ring_store(&ring->claimed, number);

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    e = ngx_media_event_entry(ring, number);

    __atomic_store_n(&e->offset, offset, __ATOMIC_RELAXED);
    __atomic_store_n(&e->size, (uint64_t) n, __ATOMIC_RELAXED);

    pos = (size_t) (offset & (NGX_MEDIA_EVENT_RING_SIZE - 1));
    first = NGX_MEDIA_EVENT_RING_SIZE - pos;

    if (first > n) {
        first = n;
    }

    memcpy(ring->data + pos, p, first);
    memcpy(ring->data, (const u_char *) p + first, n - first);

    ngx_media_event_ring_store(&ring->end, offset + n);
    ngx_media_event_ring_store(&ring->head, number);

    return number;
}


int
ngx_media_event_ring_get(ngx_media_event_ring_t *ring, uint64_t number,
    u_char *buf, size_t *n)
{
    size_t                    pos, first, size;
    uint64_t                  offset;
    ngx_media_event_entry_t  *e;

    if (number > ngx_media_event_ring_load(&ring->head)) {
        return NGX_MEDIA_AGAIN;
    }

    if (number == 0) {
        return NGX_MEDIA_EVENT_LOST;
    }

    e = ngx_media_event_entry(ring, number);

    offset = __atomic_load_n(&e->offset, __ATOMIC_RELAXED);
    size = (size_t) __atomic_load_n(&e->size, __ATOMIC_RELAXED);

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    if (!ngx_media_event_ring_kept(ring, number, offset)
        || size > NGX_MEDIA_EVENT_RECORD_MAX)
    {
        return NGX_MEDIA_EVENT_LOST;
    }

    pos = (size_t) (offset & (NGX_MEDIA_EVENT_RING_SIZE - 1));
    first = NGX_MEDIA_EVENT_RING_SIZE - pos;

    if (first > size) {
        first = size;
    }

    memcpy(buf, ring->data + pos, first);
    memcpy(buf + first, ring->data, size - first);

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    if (!ngx_media_event_ring_kept(ring, number, offset)) {
        return NGX_MEDIA_EVENT_LOST;
    }

    *n = size;

    return NGX_MEDIA_OK;
}


/* neither its entry nor its bytes are claimed for a newer record */

static int
ngx_media_event_ring_kept(ngx_media_event_ring_t *ring, uint64_t number,
    uint64_t offset)
{
    return number + NGX_MEDIA_EVENT_RING_RECORDS
               > ngx_media_event_ring_load(&ring->claimed)
           && offset + NGX_MEDIA_EVENT_RING_SIZE
               >= ngx_media_event_ring_load(&ring->claimed_bytes);
}


uint64_t
ngx_media_event_ring_head(ngx_media_event_ring_t *ring)
{
    return ngx_media_event_ring_load(&ring->head);
}


uint64_t
ngx_media_event_ring_oldest(ngx_media_event_ring_t *ring)
{
    uint64_t  lo, hi, mid, offset;

    hi = ngx_media_event_ring_load(&ring->head) + 1;
    lo = (hi > NGX_MEDIA_EVENT_RING_RECORDS)
         ? hi - NGX_MEDIA_EVENT_RING_RECORDS : 1;

    /* offsets grow with numbers: what is kept is kept up to the newest */

    while (lo < hi) {

        mid = lo + (hi - lo) / 2;
        offset = __atomic_load_n(&ngx_media_event_entry(ring, mid)->offset,
                                 __ATOMIC_RELAXED);

        if (ngx_media_event_ring_kept(ring, mid, offset)) {
            hi = mid;

        } else {
            lo = mid + 1;
        }
    }

    return lo;
}
