
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: writing boxes of ISO/IEC 14496-12 4.2, for the files of the MP4 writer
 * only.  The output counts all bytes and stores those that have room: with
 * no room at all it tells how much is needed.
 */


#ifndef _NGX_MEDIA_MP4_BOX_H_INCLUDED_
#define _NGX_MEDIA_MP4_BOX_H_INCLUDED_


#include "ngx_media_bytes.h"
#include "ngx_media_mp4.h"


typedef struct {
    u_char   *buf;      /* the caller's; may be NULL where size is 0 */
    size_t    size;
    size_t    n;        /* bytes written, also beyond size */
} ngx_media_mp4_out_t;


#define ngx_media_mp4_type(a, b, c, d)                                        \
    ((uint32_t) (a) << 24 | (uint32_t) (b) << 16 | (uint32_t) (c) << 8        \
     | (uint32_t) (d))

#define ngx_media_mp4_fits(o, k)                                              \
    ((o)->n <= (o)->size && (o)->size - (o)->n >= (k))


static inline void
ngx_media_mp4_put8(ngx_media_mp4_out_t *o, uint32_t v)
{
    if (ngx_media_mp4_fits(o, 1)) {
        o->buf[o->n] = (u_char) v;
    }

    o->n++;
}


static inline void
ngx_media_mp4_put16(ngx_media_mp4_out_t *o, uint32_t v)
{
    if (ngx_media_mp4_fits(o, 2)) {
        (void) ngx_media_put_be16(o->buf + o->n, v);
    }

    o->n += 2;
}


static inline void
ngx_media_mp4_put32(ngx_media_mp4_out_t *o, uint32_t v)
{
    if (ngx_media_mp4_fits(o, 4)) {
        (void) ngx_media_put_be32(o->buf + o->n, v);
    }

    o->n += 4;
}


static inline void
ngx_media_mp4_put64(ngx_media_mp4_out_t *o, uint64_t v)
{
    ngx_media_mp4_put32(o, (uint32_t) (v >> 32));
    ngx_media_mp4_put32(o, (uint32_t) v);
}


static inline void
ngx_media_mp4_put(ngx_media_mp4_out_t *o, const void *p, size_t n)
{
    if (n && ngx_media_mp4_fits(o, n)) {
        memcpy(o->buf + o->n, p, n);
    }

    o->n += n;
}


static inline void
ngx_media_mp4_zeros(ngx_media_mp4_out_t *o, size_t n)
{
    if (n && ngx_media_mp4_fits(o, n)) {
        memset(o->buf + o->n, 0, n);
    }

    o->n += n;
}


/* Writes v over the 4 bytes at a place that was written before. */

static inline void
ngx_media_mp4_patch(ngx_media_mp4_out_t *o, size_t at, uint32_t v)
{
    if (at <= o->size && o->size - at >= 4) {
        (void) ngx_media_put_be32(o->buf + at, v);
    }
}


/* Begins a box; the result is for ngx_media_mp4_end(). */

static inline size_t
ngx_media_mp4_begin(ngx_media_mp4_out_t *o, uint32_t type)
{
    size_t  at;

    at = o->n;

    ngx_media_mp4_put32(o, 0);
    ngx_media_mp4_put32(o, type);

    return at;
}


static inline size_t
ngx_media_mp4_begin_full(ngx_media_mp4_out_t *o, uint32_t type,
    uint32_t version, uint32_t flags)
{
    size_t  at;

    at = ngx_media_mp4_begin(o, type);
    ngx_media_mp4_put32(o, version << 24 | flags);

    return at;
}


static inline void
ngx_media_mp4_end(ngx_media_mp4_out_t *o, size_t at)
{
    ngx_media_mp4_patch(o, at, (uint32_t) (o->n - at));
}


/* The entry of a track in stsd: sample entry and all boxes in it. */
void ngx_media_mp4_entry(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);


#endif /* _NGX_MEDIA_MP4_BOX_H_INCLUDED_ */
