
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the index of a progressive MP4, see ngx_media_mp4_moov.h.  A run of a
 * fragment becomes a chunk.  The moov is written twice, the first time into
 * nothing, since offsets of chunks depend on its size.
 *
 * ISO/IEC 14496-12 8.2.2, 8.3.2, 8.4.2, 8.6.1, 8.6.2, 8.6.6, 8.7.3 to 8.7.5.
 */


#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_mp4_in.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_MP4_MOOV_MAX    (512 * 1024 * 1024)   /* bytes */
#define NGX_MEDIA_MP4_CO64        0xc0000000u           /* bytes of payload */
#define NGX_MEDIA_MP4_DEPTH       5                     /* trak to stts */


typedef struct {
    ngx_media_mp4_moov_t      *m;
    ngx_media_mp4_out_t        o;
    uint64_t                   base;       /* of the payload, in the file */
    uint64_t                   payload;
    uint32_t                   scale;      /* of the movie */
    uint32_t                   track;      /* the one at hand */
    unsigned                   failed:1;
} ngx_media_mp4_moov_out_t;


static int ngx_media_mp4_moov_room(ngx_media_mp4_moov_t *m,
    const u_char *moof, const u_char *end);
static int ngx_media_mp4_moov_sample(ngx_media_mp4_moov_t *m,
    const ngx_media_mp4_in_sample_t *s);
static int ngx_media_mp4_moov_file(ngx_media_mp4_moov_out_t *w,
    const u_char *moov, const u_char *end);
static void ngx_media_mp4_moov_ftyp(ngx_media_mp4_moov_out_t *w);
static int ngx_media_mp4_moov_movie(ngx_media_mp4_moov_out_t *w,
    const u_char *pos, const u_char *end);
static void ngx_media_mp4_moov_box(ngx_media_mp4_moov_out_t *w, uint32_t type,
    const u_char *body, const u_char *end, unsigned depth);
static void ngx_media_mp4_moov_inner(ngx_media_mp4_moov_out_t *w,
    uint32_t type, const u_char *pos, const u_char *end, unsigned depth);
static void ngx_media_mp4_moov_head(ngx_media_mp4_moov_out_t *w,
    uint32_t type, const u_char *body, const u_char *end, size_t at,
    uint64_t duration);
static void ngx_media_mp4_moov_mdhd(ngx_media_mp4_moov_out_t *w,
    const u_char *body, const u_char *end);
static void ngx_media_mp4_moov_edts(ngx_media_mp4_moov_out_t *w);
static uint64_t ngx_media_mp4_moov_scaled(const ngx_media_mp4_moov_out_t *w,
    uint64_t ticks, uint32_t track);


void
ngx_media_mp4_moov_init(ngx_media_mp4_moov_t *m, ngx_media_mp4_movie_t *movie)
{
    memset(m, 0, sizeof(ngx_media_mp4_moov_t));

    m->movie = movie;
}


int
ngx_media_mp4_moov_add(ngx_media_mp4_moov_t *m, const u_char *moof,
    const u_char *end, uint64_t data, uint64_t size, uint64_t before)
{
    int                           rc;
    uint64_t                      at, last;
    ngx_media_mp4_moof_t          it;
    ngx_media_mp4_in_sample_t     s;
    ngx_media_mp4_moov_chunk_t   *chunk;

    rc = ngx_media_mp4_moov_room(m, moof, end);

    if (rc != NGX_MEDIA_OK) {
        return rc;
    }

    if (ngx_media_mp4_moof_init(&it, m->movie, moof, end) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    chunk = NULL;
    last = data + size;

    while ((rc = ngx_media_mp4_moof_next(&it, &s)) == NGX_MEDIA_OK) {
        at = s.offset;

        if (at < data || at > last || last - at < s.size
            || ngx_media_mp4_moov_sample(m, &s) != NGX_MEDIA_OK)
        {
            return NGX_MEDIA_ERROR;
        }

        if (s.first) {
            chunk = &m->chunks[m->nchunks++];
            chunk->offset = before + (at - data);
            chunk->samples = 0;
            chunk->track = s.track;
        }

        if (chunk == NULL) {
            return NGX_MEDIA_ERROR;
        }

        chunk->samples++;
    }

    return rc == NGX_MEDIA_DONE ? NGX_MEDIA_OK : NGX_MEDIA_ERROR;
}


/* Is there room for all of a moof? */

static int
ngx_media_mp4_moov_room(ngx_media_mp4_moov_t *m, const u_char *moof,
    const u_char *end)
{
    int                         rc;
    uint32_t                    samples, chunks;
    ngx_media_mp4_moof_t        it;
    ngx_media_mp4_movie_t       movie;
    ngx_media_mp4_in_sample_t   s;

    movie = *m->movie;

    if (ngx_media_mp4_moof_init(&it, &movie, moof, end) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    samples = 0;
    chunks = 0;

    while ((rc = ngx_media_mp4_moof_next(&it, &s)) == NGX_MEDIA_OK) {
        samples++;
        chunks += s.first;
    }

    if (rc != NGX_MEDIA_DONE) {
        return NGX_MEDIA_ERROR;
    }

    return samples > m->max_samples - m->nsamples
           || chunks > m->max_chunks - m->nchunks
           ? NGX_MEDIA_AGAIN : NGX_MEDIA_OK;
}


static int
ngx_media_mp4_moov_sample(ngx_media_mp4_moov_t *m,
    const ngx_media_mp4_in_sample_t *s)
{
    int64_t                       shown;
    ngx_media_mp4_moov_track_t   *t;
    ngx_media_mp4_moov_sample_t  *sample;

    t = &m->track[s->track];

    if (s->dts > NGX_MEDIA_MP4_MAX_TICKS) {
        return NGX_MEDIA_ERROR;
    }

    shown = (int64_t) s->dts + s->cts;

    if (t->samples == 0) {
        t->begin = s->dts;
        t->shown = shown;
        t->till = (int64_t) s->dts + s->duration;

    } else {

        if (s->dts < t->dts || s->dts - t->dts > 0x7fffffff) {
            return NGX_MEDIA_ERROR;
        }

        m->samples[t->last].delta = (uint32_t) (s->dts - t->dts);
    }

    sample = &m->samples[m->nsamples];

    sample->delta = s->duration;
    sample->cts = s->cts;
    sample->size = s->size;
    sample->track = (uint8_t) s->track;
    sample->flags = (uint8_t) s->flags;

    t->dts = s->dts;
    t->end = s->dts + s->duration;

    if (shown < t->shown) {
        t->shown = shown;
    }

    if (shown + (int64_t) s->duration > t->till) {
        t->till = shown + (int64_t) s->duration;
    }

    t->last = m->nsamples++;
    t->samples++;

    return NGX_MEDIA_OK;
}


ssize_t
ngx_media_mp4_moov_write(ngx_media_mp4_moov_t *m, const u_char *moov,
    const u_char *end, uint64_t payload, u_char *buf, size_t size)
{
    size_t                    n;
    ngx_media_mp4_moov_out_t  w;

    memset(&w, 0, sizeof(ngx_media_mp4_moov_out_t));

    w.m = m;
    w.payload = payload;

    if (m->nsamples == 0
        || ngx_media_mp4_moov_file(&w, moov, end) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    n = w.o.n;

    if (buf == NULL) {
        return (ssize_t) n;
    }

    if (n > size) {
        return NGX_MEDIA_ERROR;
    }

    w.base = n;
    w.o.buf = buf;
    w.o.size = size;
    w.o.n = 0;

    if (ngx_media_mp4_moov_file(&w, moov, end) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    return (ssize_t) n;
}


static int
ngx_media_mp4_moov_file(ngx_media_mp4_moov_out_t *w, const u_char *moov,
    const u_char *end)
{
    size_t         box;
    uint32_t       type;
    const u_char  *pos, *body, *body_end;

    pos = moov;

    if (ngx_media_mp4_next(&pos, end, &type, &body, &body_end) != NGX_MEDIA_OK
        || type != NGX_MEDIA_MP4_MOOV)
    {
        return NGX_MEDIA_ERROR;
    }

    ngx_media_mp4_moov_ftyp(w);

    box = ngx_media_mp4_begin(&w->o, NGX_MEDIA_MP4_MOOV);

    if (ngx_media_mp4_moov_movie(w, body, body_end) != NGX_MEDIA_OK
        || w->failed || w->o.n - box > NGX_MEDIA_MP4_MOOV_MAX)
    {
        return NGX_MEDIA_ERROR;
    }

    ngx_media_mp4_end(&w->o, box);

    if (w->payload + 8 <= 0xffffffff) {
        ngx_media_mp4_put32(&w->o, (uint32_t) w->payload + 8);
        ngx_media_mp4_put32(&w->o, NGX_MEDIA_MP4_MDAT);

    } else {
        ngx_media_mp4_put32(&w->o, 1);
        ngx_media_mp4_put32(&w->o, NGX_MEDIA_MP4_MDAT);
        ngx_media_mp4_put64(&w->o, w->payload + 16);
    }

    return NGX_MEDIA_OK;
}


/* Composition times may be negative: iso4. */

static void
ngx_media_mp4_moov_ftyp(ngx_media_mp4_moov_out_t *w)
{
    size_t    box;
    uint32_t  i;

    box = ngx_media_mp4_begin(&w->o, NGX_MEDIA_MP4_FTYP);

    ngx_media_mp4_put32(&w->o, ngx_media_mp4_type('i', 's', 'o', 'm'));
    ngx_media_mp4_put32(&w->o, 0x200);
    ngx_media_mp4_put32(&w->o, ngx_media_mp4_type('i', 's', 'o', 'm'));
    ngx_media_mp4_put32(&w->o, ngx_media_mp4_type('i', 's', 'o', '4'));
    ngx_media_mp4_put32(&w->o, ngx_media_mp4_type('m', 'p', '4', '1'));

    for (i = 0; i < w->m->movie->ntracks; i++) {
        if (w->m->movie->track[i].codec == NGX_MEDIA_CODEC_AV1) {
            ngx_media_mp4_put32(&w->o, ngx_media_mp4_type('a', 'v', '0', '1'));
            break;
        }
    }

    ngx_media_mp4_end(&w->o, box);
}


/* What is in moov; tracks without a sample are left out. */

static int
ngx_media_mp4_moov_movie(ngx_media_mp4_moov_out_t *w, const u_char *pos,
    const u_char *end)
{
    int            rc;
    size_t         at;
    uint32_t       i, type;
    uint64_t       t, duration;
    const u_char  *body, *body_end;

    rc = ngx_media_mp4_find(pos, end, ngx_media_mp4_type('m', 'v', 'h', 'd'),
                            &body, &body_end);

    if (rc != NGX_MEDIA_OK || body_end - body < 32) {
        return NGX_MEDIA_ERROR;
    }

    at = body[0] == 1 ? 20 : 12;
    w->scale = ngx_media_get_be32(body + at);

    if (w->scale == 0) {
        return NGX_MEDIA_ERROR;
    }

    duration = 0;

    for (i = 0; i < w->m->movie->ntracks; i++) {
        t = ngx_media_mp4_moov_scaled(w, (uint64_t) w->m->track[i].till, i);
        duration = t > duration ? t : duration;
    }

    ngx_media_mp4_moov_head(w, ngx_media_mp4_type('m', 'v', 'h', 'd'), body,
                            body_end, at + 4, duration);

    w->track = 0;

    while ((rc = ngx_media_mp4_next(&pos, end, &type, &body, &body_end))
           == NGX_MEDIA_OK)
    {
        switch (type) {

        case ngx_media_mp4_type('m', 'v', 'h', 'd'):
        case ngx_media_mp4_type('m', 'v', 'e', 'x'):
            break;

        case ngx_media_mp4_type('t', 'r', 'a', 'k'):

            if (w->track == w->m->movie->ntracks) {
                return NGX_MEDIA_ERROR;
            }

            if (w->m->track[w->track].samples) {
                ngx_media_mp4_moov_inner(w, type, body, body_end,
                                         NGX_MEDIA_MP4_DEPTH);
            }

            w->track++;
            break;

        default:
            ngx_media_mp4_moov_box(w, type, body, body_end, 0);
        }
    }

    return rc == NGX_MEDIA_DONE ? NGX_MEDIA_OK : NGX_MEDIA_ERROR;
}


/* A box of boxes of a track. */

static void
ngx_media_mp4_moov_inner(ngx_media_mp4_moov_out_t *w, uint32_t type,
    const u_char *pos, const u_char *end, unsigned depth)
{
    int            rc;
    size_t         box;
    uint32_t       child;
    const u_char  *body, *body_end;

    box = ngx_media_mp4_begin(&w->o, type);

    while ((rc = ngx_media_mp4_next(&pos, end, &child, &body, &body_end))
           == NGX_MEDIA_OK)
    {
        ngx_media_mp4_moov_box(w, child, body, body_end, depth - 1);
    }

    if (rc != NGX_MEDIA_DONE) {
        w->failed = 1;
    }

    if (type == ngx_media_mp4_type('s', 't', 'b', 'l')) {
        ngx_media_mp4_moov_tables(w->m, &w->o, w->track, w->base,
                                  w->payload > NGX_MEDIA_MP4_CO64);
    }

    ngx_media_mp4_end(&w->o, box);
}


/* A box of a track, depth levels above the deepest; 0: any other, as it is. */

static void
ngx_media_mp4_moov_box(ngx_media_mp4_moov_out_t *w, uint32_t type,
    const u_char *body, const u_char *end, unsigned depth)
{
    size_t    box;
    uint64_t  duration;

    switch (depth ? type : 0) {

    case ngx_media_mp4_type('m', 'd', 'i', 'a'):
    case ngx_media_mp4_type('m', 'i', 'n', 'f'):
    case ngx_media_mp4_type('s', 't', 'b', 'l'):
        ngx_media_mp4_moov_inner(w, type, body, end, depth);
        return;

    case ngx_media_mp4_type('t', 'k', 'h', 'd'):
        duration = ngx_media_mp4_moov_scaled(w, (uint64_t)
                                             w->m->track[w->track].till,
                                             w->track);

        ngx_media_mp4_moov_head(w, type, body, end,
                                end > body && body[0] == 1 ? 28 : 20,
                                duration);
        ngx_media_mp4_moov_edts(w);
        return;

    case ngx_media_mp4_type('m', 'd', 'h', 'd'):
        ngx_media_mp4_moov_mdhd(w, body, end);
        return;

    /* ours come instead */

    case ngx_media_mp4_type('e', 'd', 't', 's'):
    case ngx_media_mp4_type('s', 't', 't', 's'):
    case ngx_media_mp4_type('c', 't', 't', 's'):
    case ngx_media_mp4_type('s', 't', 's', 's'):
    case ngx_media_mp4_type('s', 't', 's', 'c'):
    case ngx_media_mp4_type('s', 't', 's', 'z'):
    case ngx_media_mp4_type('s', 't', 'z', '2'):
    case ngx_media_mp4_type('s', 't', 'c', 'o'):
    case ngx_media_mp4_type('c', 'o', '6', '4'):
    case ngx_media_mp4_type('s', 'd', 't', 'p'):
    case ngx_media_mp4_type('s', 'b', 'g', 'p'):
        return;

    default:
        box = ngx_media_mp4_begin(&w->o, type);
        ngx_media_mp4_put(&w->o, body, (size_t) (end - body));
        ngx_media_mp4_end(&w->o, box);
    }
}


/* A copy of a header with its duration, of 4 or 8 bytes, at some place. */

static void
ngx_media_mp4_moov_head(ngx_media_mp4_moov_out_t *w, uint32_t type,
    const u_char *body, const u_char *end, size_t at, uint64_t duration)
{
    size_t  box, size;

    size = end > body && body[0] == 1 ? 8 : 4;

    if ((size_t) (end - body) < at + size) {
        w->failed = 1;
        return;
    }

    box = ngx_media_mp4_begin(&w->o, type);
    ngx_media_mp4_put(&w->o, body, at);

    if (size == 8) {
        ngx_media_mp4_put64(&w->o, duration);

    } else {
        ngx_media_mp4_put32(&w->o, duration < 0xffffffff
                                   ? (uint32_t) duration : 0xffffffff);
    }

    ngx_media_mp4_put(&w->o, body + at + size,
                      (size_t) (end - body) - at - size);
    ngx_media_mp4_end(&w->o, box);
}


/* 32 bits have 13 hours of 90000 ticks. */

static void
ngx_media_mp4_moov_mdhd(ngx_media_mp4_moov_out_t *w, const u_char *body,
    const u_char *end)
{
    size_t                       box;
    uint64_t                     duration;
    ngx_media_mp4_moov_track_t  *t;

    t = &w->m->track[w->track];
    duration = t->end - t->begin;

    if (end == body || body[0] == 1 || duration < 0xffffffff) {
        ngx_media_mp4_moov_head(w, ngx_media_mp4_type('m', 'd', 'h', 'd'),
                                body, end,
                                end > body && body[0] == 1 ? 24 : 16,
                                duration);
        return;
    }

    if (end - body < 24) {
        w->failed = 1;
        return;
    }

    box = ngx_media_mp4_begin_full(&w->o,
                                   ngx_media_mp4_type('m', 'd', 'h', 'd'), 1,
                                   0);
    ngx_media_mp4_put64(&w->o, ngx_media_get_be32(body + 4));
    ngx_media_mp4_put64(&w->o, ngx_media_get_be32(body + 8));
    ngx_media_mp4_put32(&w->o, ngx_media_get_be32(body + 12));
    ngx_media_mp4_put64(&w->o, duration);
    ngx_media_mp4_put(&w->o, body + 20, 4);
    ngx_media_mp4_end(&w->o, box);
}


/*
 * A track that begins later, or shows its first picture later: an empty edit,
 * then all of it from that picture on.  What is shown before it is decoded
 * first can not be told so; such a track begins where its decoding does.
 */

static void
ngx_media_mp4_moov_edts(ngx_media_mp4_moov_out_t *w)
{
    size_t                       edts, box;
    uint64_t                     first, empty, rest;
    ngx_media_mp4_moov_track_t  *t;

    t = &w->m->track[w->track];

    first = t->shown > (int64_t) t->begin ? (uint64_t) t->shown : t->begin;

    empty = ngx_media_mp4_moov_scaled(w, first, w->track);
    rest = ngx_media_mp4_moov_scaled(w, (uint64_t) t->till - first, w->track);

    if (empty == 0 && first == t->begin) {
        return;
    }

    edts = ngx_media_mp4_begin(&w->o, ngx_media_mp4_type('e', 'd', 't', 's'));
    box = ngx_media_mp4_begin_full(&w->o,
                                   ngx_media_mp4_type('e', 'l', 's', 't'), 1,
                                   0);
    ngx_media_mp4_put32(&w->o, empty ? 2 : 1);

    if (empty) {
        ngx_media_mp4_put64(&w->o, empty);
        ngx_media_mp4_put64(&w->o, ~(uint64_t) 0);
        ngx_media_mp4_put32(&w->o, 0x00010000);
    }

    ngx_media_mp4_put64(&w->o, rest);
    ngx_media_mp4_put64(&w->o, first - t->begin);
    ngx_media_mp4_put32(&w->o, 0x00010000);

    ngx_media_mp4_end(&w->o, box);
    ngx_media_mp4_end(&w->o, edts);
}


/* Ticks of a track to those of the movie, to the nearest. */

static uint64_t
ngx_media_mp4_moov_scaled(const ngx_media_mp4_moov_out_t *w, uint64_t ticks,
    uint32_t track)
{
    uint32_t  scale;

    scale = w->m->movie->track[track].timescale;

    return ticks / scale * w->scale
           + (ticks % scale * w->scale + scale / 2) / scale;
}
