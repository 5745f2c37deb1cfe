
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: recordings as MPEG-TS, see ngx_media_file.h.  The muxer is the state;
 * each batch with a start point begins with tables and a clock.  How much
 * room a batch needs is found by muxing it into nothing.
 */


#include "ngx_media_file_kind.h"


typedef struct {
    ngx_media_ts_room_t   room;
    uint64_t              bytes;
    unsigned              dry:1;
} ngx_media_file_ts_out_t;


static int ngx_media_file_ts_write(void *data, const u_char *p, size_t n);
static int ngx_media_file_ts_frames(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, ngx_media_file_ts_out_t *out);


void
ngx_media_file_ts_init(ngx_media_file_t *f)
{
    ngx_media_ts_mux_init(&f->u.ts, NULL, NULL);
}


int
ngx_media_file_ts_valid(const ngx_media_file_t *f)
{
    unsigned                         i;
    const ngx_media_ts_mux_t        *m;
    const ngx_media_ts_mux_track_t  *t;

    m = &f->u.ts;

    if (m->nsets > NGX_MEDIA_TS_MUX_SETS || m->bundle != NULL
        || m->bundle_used || m->bundle_us
        || (m->pcr_track >= NGX_MEDIA_MAX_TRACKS && m->pcr_track != 0xff))
    {
        return 0;
    }

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        t = &m->tracks[i];

        if ((t->sets_size && (t->sets > m->nsets
                              || t->sets_size > m->nsets - t->sets))
            || t->nal_size > 4
            || (t->nal_size == 0 && t->codec)
            || (t->codec && ngx_media_ts_type(t->codec) == 0))
        {
            return 0;
        }
    }

    return 1;
}


size_t
ngx_media_file_ts_room(const ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n)
{
    ngx_media_file_t         copy;
    ngx_media_file_ts_out_t  out;

    copy = *f;
    memset(&out, 0, sizeof(ngx_media_file_ts_out_t));
    out.dry = 1;

    (void) ngx_media_file_ts_frames(&copy, frames, n, &out);

    return (size_t) out.bytes;
}


ssize_t
ngx_media_file_ts_batch(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n, u_char *buf, size_t size)
{
    int                      rc;
    ngx_media_file_ts_out_t  out;

    memset(&out, 0, sizeof(ngx_media_file_ts_out_t));
    out.room.pos = buf;
    out.room.end = buf + size;

    rc = ngx_media_file_ts_frames(f, frames, n, &out);

    return rc == NGX_MEDIA_OK ? (ssize_t) out.bytes : rc;
}


static int
ngx_media_file_ts_write(void *data, const u_char *p, size_t n)
{
    ngx_media_file_ts_out_t *out = data;

    if (!out->dry
        && ngx_media_ts_write_room(&out->room, p, n) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    out->bytes += n;

    return NGX_MEDIA_OK;
}


static int
ngx_media_file_ts_frames(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n, ngx_media_file_ts_out_t *out)
{
    int                rc;
    int64_t            t;
    uint32_t           i;
    ngx_media_frame_t  frame;

    f->u.ts.write = ngx_media_file_ts_write;
    f->u.ts.ctx = out;

    rc = NGX_MEDIA_OK;

    for (i = 0; i < n; i++) {
        frame = frames[i];
        frame.flags &= (uint16_t) ~NGX_MEDIA_FRAME_BREAK;

        if (ngx_media_file_config(&frame)) {
            (void) ngx_media_ts_mux_frame(&f->u.ts, &frame);
            continue;
        }

        if (!ngx_media_file_media(&frame)) {
            continue;
        }

        if (ngx_media_file_time(f, &frame, &t) != NGX_MEDIA_OK) {

            if (!ngx_media_file_fresh(f)) {
                rc = NGX_MEDIA_DECLINED;
                break;
            }

            f->skipped++;
            continue;
        }

        if ((frame.flags & NGX_MEDIA_FRAME_SYNC)
            && ngx_media_ts_mux_segment(&f->u.ts) != NGX_MEDIA_OK)
        {
            rc = NGX_MEDIA_ERROR;
            break;
        }

        frame.dts = t;
        rc = ngx_media_ts_mux_frame(&f->u.ts, &frame);

        if (rc == NGX_MEDIA_ERROR) {
            break;
        }

        if (rc == NGX_MEDIA_DECLINED) {
            f->skipped++;
            continue;
        }

        ngx_media_file_count(f, &frame, t);
    }

    f->u.ts.write = NULL;
    f->u.ts.ctx = NULL;

    return rc == NGX_MEDIA_DECLINED && i == n ? NGX_MEDIA_OK : rc;
}
