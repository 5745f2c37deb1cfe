
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: reading fragmented MP4, see ngx_media_mp4_read.h: boxes, the samples of
 * a moof, and its shift in time.  The tracks of a moov are read in
 * ngx_media_mp4_read_moov.c.
 *
 * ISO/IEC 14496-12 4.2, 8.8.5 to 8.8.8, 8.8.12.
 */


#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_mp4_in.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_MP4_TFHD_BASE      0x000001
#define NGX_MEDIA_MP4_TFHD_ENTRY     0x000002
#define NGX_MEDIA_MP4_TFHD_DURATION  0x000008
#define NGX_MEDIA_MP4_TFHD_SIZE      0x000010
#define NGX_MEDIA_MP4_TFHD_FLAGS     0x000020
#define NGX_MEDIA_MP4_TFHD_MOOF      0x020000

#define NGX_MEDIA_MP4_TRUN_OFFSET    0x000001
#define NGX_MEDIA_MP4_TRUN_FIRST     0x000004
#define NGX_MEDIA_MP4_TRUN_DURATION  0x000100
#define NGX_MEDIA_MP4_TRUN_SIZE      0x000200
#define NGX_MEDIA_MP4_TRUN_FLAGS     0x000400
#define NGX_MEDIA_MP4_TRUN_CTS       0x000800

#define NGX_MEDIA_MP4_NO_SYNC        0x00010000
#define NGX_MEDIA_MP4_NOT_NEEDED     0x00800000
#define NGX_MEDIA_MP4_NEEDED_MASK    0x00c00000


static int ngx_media_mp4_moof_traf(ngx_media_mp4_moof_t *it,
    const u_char *pos, const u_char *end);
static int ngx_media_mp4_moof_tfhd(ngx_media_mp4_moof_t *it,
    const u_char *pos, const u_char *end);
static int ngx_media_mp4_moof_run(ngx_media_mp4_moof_t *it);
static int ngx_media_mp4_moof_trun(ngx_media_mp4_moof_t *it,
    const u_char *pos, const u_char *end);
static uint32_t ngx_media_mp4_moof_field(ngx_media_mp4_moof_t *it,
    uint32_t field, uint32_t other);
static int ngx_media_mp4_shift_traf(const ngx_media_mp4_movie_t *movie,
    u_char *pos, u_char *end, int64_t shift);


int
ngx_media_mp4_box(const u_char *pos, const u_char *end,
    ngx_media_mp4_box_t *box)
{
    if ((size_t) (end - pos) < 8) {
        return NGX_MEDIA_AGAIN;
    }

    box->head = 8;
    box->size = ngx_media_get_be32(pos);
    box->type = ngx_media_get_be32(pos + 4);

    if (box->size == 1) {

        if ((size_t) (end - pos) < 16) {
            return NGX_MEDIA_AGAIN;
        }

        box->head = 16;
        box->size = ngx_media_get_be64(pos + 8);

        if (box->size == 0) {
            return NGX_MEDIA_ERROR;
        }
    }

    if (box->size && box->size < box->head) {
        return NGX_MEDIA_ERROR;
    }

    return NGX_MEDIA_OK;
}


/*
 * The next whole box of a span: *body and *body_end are what is in it.
 * NGX_MEDIA_OK, NGX_MEDIA_DONE, NGX_MEDIA_ERROR.
 */

int
ngx_media_mp4_next(const u_char **pos, const u_char *end, uint32_t *type,
    const u_char **body, const u_char **body_end)
{
    ngx_media_mp4_box_t  box;

    if (*pos == end) {
        return NGX_MEDIA_DONE;
    }

    if (ngx_media_mp4_box(*pos, end, &box) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    if (box.size == 0) {
        box.size = (uint64_t) (end - *pos);
    }

    if (box.size > (uint64_t) (end - *pos)) {
        return NGX_MEDIA_ERROR;
    }

    *type = box.type;
    *body = *pos + box.head;
    *body_end = *pos + box.size;
    *pos = *body_end;

    return NGX_MEDIA_OK;
}


/* The first box of a type in a span: NGX_MEDIA_OK, DECLINED, ERROR. */

int
ngx_media_mp4_find(const u_char *pos, const u_char *end, uint32_t type,
    const u_char **body, const u_char **body_end)
{
    int       rc;
    uint32_t  t;

    while ((rc = ngx_media_mp4_next(&pos, end, &t, body, body_end))
           == NGX_MEDIA_OK)
    {
        if (t == type) {
            return NGX_MEDIA_OK;
        }
    }

    return rc == NGX_MEDIA_DONE ? NGX_MEDIA_DECLINED : rc;
}


int
ngx_media_mp4_moof_init(ngx_media_mp4_moof_t *it,
    ngx_media_mp4_movie_t *movie, const u_char *moof, const u_char *end)
{
    uint32_t       type;
    const u_char  *pos, *body, *body_end;

    memset(it, 0, sizeof(ngx_media_mp4_moof_t));

    pos = moof;

    if (ngx_media_mp4_next(&pos, end, &type, &body, &body_end) != NGX_MEDIA_OK
        || type != NGX_MEDIA_MP4_MOOF)
    {
        return NGX_MEDIA_ERROR;
    }

    it->movie = movie;
    it->moof = moof;
    it->pos = body;
    it->end = body_end;

    return NGX_MEDIA_OK;
}


int
ngx_media_mp4_moof_next(ngx_media_mp4_moof_t *it,
    ngx_media_mp4_in_sample_t *s)
{
    int       rc;
    uint32_t  flags;

    while (it->left == 0) {
        rc = ngx_media_mp4_moof_run(it);

        if (rc != NGX_MEDIA_OK) {
            return rc;
        }
    }

    /* that all entries are there was seen before */

    memset(s, 0, sizeof(ngx_media_mp4_in_sample_t));

    s->track = it->track;
    s->first = it->first;
    s->dts = it->dts;
    s->offset = it->offset;

    s->duration = ngx_media_mp4_moof_field(it, NGX_MEDIA_MP4_TRUN_DURATION,
                                           it->duration);
    s->size = ngx_media_mp4_moof_field(it, NGX_MEDIA_MP4_TRUN_SIZE, it->size);

    flags = it->flags;

    if (it->first && (it->fields & NGX_MEDIA_MP4_TRUN_FIRST)) {
        flags = it->first_flags;
    }

    flags = ngx_media_mp4_moof_field(it, NGX_MEDIA_MP4_TRUN_FLAGS, flags);

    s->cts = (int32_t) ngx_media_mp4_moof_field(it, NGX_MEDIA_MP4_TRUN_CTS, 0);

    if (!(flags & NGX_MEDIA_MP4_NO_SYNC)) {
        s->flags |= NGX_MEDIA_MP4_KEY;
    }

    if ((flags & NGX_MEDIA_MP4_NEEDED_MASK) == NGX_MEDIA_MP4_NOT_NEEDED) {
        s->flags |= NGX_MEDIA_MP4_DISPOSABLE;
    }

    it->first = 0;
    it->left--;
    it->dts += s->duration;
    it->offset += s->size;
    it->movie->track[it->track].next = it->dts;

    return NGX_MEDIA_OK;
}


/* A field of an entry of trun, or what holds where entries do not have it. */

static uint32_t
ngx_media_mp4_moof_field(ngx_media_mp4_moof_t *it, uint32_t field,
    uint32_t other)
{
    if (!(it->fields & field)) {
        return other;
    }

    it->trun += 4;

    return ngx_media_get_be32(it->trun - 4);
}


/* Goes to the next run. */

static int
ngx_media_mp4_moof_run(ngx_media_mp4_moof_t *it)
{
    int            rc;
    uint32_t       type;
    const u_char  *body, *end;

    for ( ;; ) {

        while (it->traf) {
            rc = ngx_media_mp4_next(&it->traf, it->traf_end, &type, &body,
                                    &end);

            if (rc == NGX_MEDIA_DONE) {

                /* the next one without an offset follows its data */

                it->traf = NULL;
                it->base = it->offset;
                break;
            }

            if (rc != NGX_MEDIA_OK) {
                return rc;
            }

            if (type == ngx_media_mp4_type('t', 'r', 'u', 'n')) {
                return ngx_media_mp4_moof_trun(it, body, end);
            }
        }

        rc = ngx_media_mp4_next(&it->pos, it->end, &type, &body, &end);

        if (rc != NGX_MEDIA_OK) {
            return rc;
        }

        if (type != ngx_media_mp4_type('t', 'r', 'a', 'f')) {
            continue;
        }

        rc = ngx_media_mp4_moof_traf(it, body, end);

        if (rc == NGX_MEDIA_ERROR) {
            return rc;
        }
    }
}


/* Enters a traf: NGX_MEDIA_OK, DECLINED: of another track; ERROR. */

static int
ngx_media_mp4_moof_traf(ngx_media_mp4_moof_t *it, const u_char *pos,
    const u_char *end)
{
    int            rc;
    size_t         need;
    const u_char  *body, *body_end;

    rc = ngx_media_mp4_find(pos, end, ngx_media_mp4_type('t', 'f', 'h', 'd'),
                            &body, &body_end);

    if (rc != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    rc = ngx_media_mp4_moof_tfhd(it, body, body_end);

    if (rc != NGX_MEDIA_OK) {
        return rc;
    }

    it->dts = it->movie->track[it->track].next;

    rc = ngx_media_mp4_find(pos, end, ngx_media_mp4_type('t', 'f', 'd', 't'),
                            &body, &body_end);

    if (rc == NGX_MEDIA_ERROR) {
        return rc;
    }

    if (rc == NGX_MEDIA_OK) {

        if (body == body_end) {
            return NGX_MEDIA_ERROR;
        }

        need = body[0] == 1 ? 12 : 8;

        if ((size_t) (body_end - body) < need) {
            return NGX_MEDIA_ERROR;
        }

        it->dts = need == 12 ? ngx_media_get_be64(body + 4)
                             : ngx_media_get_be32(body + 4);

        /* so that sums of it do not wrap */

        if (it->dts > NGX_MEDIA_MP4_MAX_TICKS) {
            return NGX_MEDIA_ERROR;
        }
    }

    it->traf = pos;
    it->traf_end = end;

    return NGX_MEDIA_OK;
}


static int
ngx_media_mp4_moof_tfhd(ngx_media_mp4_moof_t *it, const u_char *pos,
    const u_char *end)
{
    size_t                     need;
    uint32_t                   i, id, flags;
    ngx_media_mp4_in_track_t  *t;

    if ((size_t) (end - pos) < 8) {
        return NGX_MEDIA_ERROR;
    }

    flags = ngx_media_get_be24(pos + 1);
    id = ngx_media_get_be32(pos + 4);
    pos += 8;

    need = (flags & NGX_MEDIA_MP4_TFHD_BASE ? 8u : 0u)
           + (flags & NGX_MEDIA_MP4_TFHD_ENTRY ? 4u : 0u)
           + (flags & NGX_MEDIA_MP4_TFHD_DURATION ? 4u : 0u)
           + (flags & NGX_MEDIA_MP4_TFHD_SIZE ? 4u : 0u)
           + (flags & NGX_MEDIA_MP4_TFHD_FLAGS ? 4u : 0u);

    if ((size_t) (end - pos) < need) {
        return NGX_MEDIA_ERROR;
    }

    for (i = 0; i < it->movie->ntracks; i++) {
        if (it->movie->track[i].id == id) {
            break;
        }
    }

    if (i == it->movie->ntracks) {
        return NGX_MEDIA_DECLINED;
    }

    t = &it->movie->track[i];

    it->track = i;
    it->duration = t->duration;
    it->size = t->size;
    it->flags = t->flags;

    /* an absolute place in the file can not be told from here */

    if (flags & NGX_MEDIA_MP4_TFHD_BASE) {
        return NGX_MEDIA_ERROR;
    }

    if (flags & NGX_MEDIA_MP4_TFHD_MOOF) {
        it->base = 0;
    }

    it->offset = it->base;

    if (flags & NGX_MEDIA_MP4_TFHD_ENTRY) {
        pos += 4;
    }

    if (flags & NGX_MEDIA_MP4_TFHD_DURATION) {
        it->duration = ngx_media_get_be32(pos);
        pos += 4;
    }

    if (flags & NGX_MEDIA_MP4_TFHD_SIZE) {
        it->size = ngx_media_get_be32(pos);
        pos += 4;
    }

    if (flags & NGX_MEDIA_MP4_TFHD_FLAGS) {
        it->flags = ngx_media_get_be32(pos);
    }

    return NGX_MEDIA_OK;
}


static int
ngx_media_mp4_moof_trun(ngx_media_mp4_moof_t *it, const u_char *pos,
    const u_char *end)
{
    size_t    entry;
    uint32_t  n;

    if ((size_t) (end - pos) < 8) {
        return NGX_MEDIA_ERROR;
    }

    it->fields = ngx_media_get_be24(pos + 1);
    n = ngx_media_get_be32(pos + 4);
    pos += 8;

    if (it->fields & NGX_MEDIA_MP4_TRUN_OFFSET) {

        if ((size_t) (end - pos) < 4) {
            return NGX_MEDIA_ERROR;
        }

        it->offset = it->base + (uint64_t) (int64_t) (int32_t)
                                ngx_media_get_be32(pos);
        pos += 4;
    }

    if (it->fields & NGX_MEDIA_MP4_TRUN_FIRST) {

        if ((size_t) (end - pos) < 4) {
            return NGX_MEDIA_ERROR;
        }

        it->first_flags = ngx_media_get_be32(pos);
        pos += 4;
    }

    entry = (it->fields & NGX_MEDIA_MP4_TRUN_DURATION ? 4u : 0u)
            + (it->fields & NGX_MEDIA_MP4_TRUN_SIZE ? 4u : 0u)
            + (it->fields & NGX_MEDIA_MP4_TRUN_FLAGS ? 4u : 0u)
            + (it->fields & NGX_MEDIA_MP4_TRUN_CTS ? 4u : 0u);

    /* without entries there could be any number of samples */

    if (entry) {

        if ((size_t) (end - pos) / entry < n) {
            return NGX_MEDIA_ERROR;
        }

    } else {

        if (n > NGX_MEDIA_MP4_MAX_ALIKE - it->alike) {
            return NGX_MEDIA_ERROR;
        }

        it->alike += n;
    }

    it->trun = pos;
    it->left = n;
    it->first = 1;

    return NGX_MEDIA_OK;
}


int
ngx_media_mp4_moof_span(ngx_media_mp4_movie_t *movie, const u_char *moof,
    const u_char *end, int64_t *begin, int64_t *last)
{
    int                        rc;
    int64_t                    t, e;
    unsigned                   any;
    uint32_t                   scale;
    ngx_media_mp4_moof_t       it;
    ngx_media_mp4_in_sample_t  s;

    rc = ngx_media_mp4_moof_init(&it, movie, moof, end);
    any = 0;

    while (rc == NGX_MEDIA_OK) {
        rc = ngx_media_mp4_moof_next(&it, &s);

        if (rc != NGX_MEDIA_OK) {
            break;
        }

        scale = movie->track[s.track].timescale;
        t = ngx_media_mp4_us(s.dts, scale);
        e = ngx_media_mp4_us(s.dts + s.duration, scale);

        if (!any || t < *begin) {
            *begin = t;
        }

        if (!any || e > *last) {
            *last = e;
        }

        any = 1;
    }

    if (rc != NGX_MEDIA_DONE) {
        return NGX_MEDIA_ERROR;
    }

    return any ? NGX_MEDIA_OK : NGX_MEDIA_DECLINED;
}


int
ngx_media_mp4_moof_shift(const ngx_media_mp4_movie_t *movie, u_char *moof,
    size_t n, int64_t shift, uint32_t sequence)
{
    int            rc;
    uint32_t       type;
    const u_char  *pos, *body, *end;

    pos = moof;

    if (shift > NGX_MEDIA_MP4_MAX_SHIFT || shift < -NGX_MEDIA_MP4_MAX_SHIFT
        || ngx_media_mp4_next(&pos, moof + n, &type, &body, &end)
           != NGX_MEDIA_OK
        || type != NGX_MEDIA_MP4_MOOF)
    {
        return NGX_MEDIA_ERROR;
    }

    pos = body;
    n = (size_t) (end - moof);

    while ((rc = ngx_media_mp4_next(&pos, moof + n, &type, &body, &end))
           == NGX_MEDIA_OK)
    {
        if (type == ngx_media_mp4_type('m', 'f', 'h', 'd')) {

            if ((size_t) (end - body) < 8) {
                return NGX_MEDIA_ERROR;
            }

            (void) ngx_media_put_be32(moof + (body - moof) + 4, sequence);

        } else if (type == ngx_media_mp4_type('t', 'r', 'a', 'f')
                   && ngx_media_mp4_shift_traf(movie, moof + (body - moof),
                                               moof + (end - moof), shift)
                      != NGX_MEDIA_OK)
        {
            return NGX_MEDIA_ERROR;
        }
    }

    return rc == NGX_MEDIA_DONE ? NGX_MEDIA_OK : NGX_MEDIA_ERROR;
}


static int
ngx_media_mp4_shift_traf(const ngx_media_mp4_movie_t *movie, u_char *pos,
    u_char *end, int64_t shift)
{
    u_char        *p;
    uint32_t       i, id;
    uint64_t       dts, ticks;
    const u_char  *body, *body_end;

    if (ngx_media_mp4_find(pos, end, ngx_media_mp4_type('t', 'f', 'h', 'd'),
                           &body, &body_end)
        != NGX_MEDIA_OK
        || (size_t) (body_end - body) < 8)
    {
        return NGX_MEDIA_ERROR;
    }

    id = ngx_media_get_be32(body + 4);

    for (i = 0; i < movie->ntracks && movie->track[i].id != id; i++) {
        /* void */
    }

    if (i == movie->ntracks) {
        return NGX_MEDIA_OK;
    }

    if (ngx_media_mp4_find(pos, end, ngx_media_mp4_type('t', 'f', 'd', 't'),
                           &body, &body_end)
        != NGX_MEDIA_OK
        || (size_t) (body_end - body) < (body[0] == 1 ? 12u : 8u))
    {
        return NGX_MEDIA_ERROR;
    }

    p = pos + (body - pos);
    dts = p[0] == 1 ? ngx_media_get_be64(p + 4) : ngx_media_get_be32(p + 4);
    ticks = ngx_media_mp4_ticks(shift < 0 ? -shift : shift,
                                movie->track[i].timescale);

    if (shift < 0) {
        dts = dts > ticks ? dts - ticks : 0;

    } else {

        if (dts > NGX_MEDIA_MP4_MAX_TICKS) {
            return NGX_MEDIA_ERROR;
        }

        dts += ticks;
    }

    if (p[0] == 1) {
        (void) ngx_media_put_be64(p + 4, dts);
        return NGX_MEDIA_OK;
    }

    if (dts > 0xffffffff) {
        return NGX_MEDIA_ERROR;
    }

    (void) ngx_media_put_be32(p + 4, (uint32_t) dts);

    return NGX_MEDIA_OK;
}
