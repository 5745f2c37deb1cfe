
/*
 * Copyright (C) the nginx media suite authors
 *
 * Parts in MPEG-TS: packets are made as frames come and gathered until the
 * part ends.  Counters and clock go on from segment to segment; each segment
 * begins with tables and a PCR.  Called by ngx_media_hls_pack.c.
 */


#include "ngx_media_hls_pack.h"


#define NGX_MEDIA_HLS_TS_BUF     131072
#define NGX_MEDIA_HLS_TS_BUNDLE  120000     /* us of audio in a PES */


static int ngx_media_hls_ts_write(void *data, const u_char *p, size_t n);


/* all tracks that are known, with their configurations, before the first */

void
ngx_media_hls_ts_reset(ngx_media_hls_cutter_t *c)
{
    ngx_uint_t            i;
    ngx_media_frame_t     f;
    ngx_media_hls_ts_t   *ts;
    ngx_media_hls_run_t  *run;

    ts = c->ts;
    ts->used = 0;
    ts->mark = 0;
    ts->frames = 0;

    ngx_media_ts_mux_init(&ts->mux, ngx_media_hls_ts_write, ts);
    ngx_media_ts_mux_bundle(&ts->mux, ts->bundle, sizeof(ts->bundle),
                            NGX_MEDIA_HLS_TS_BUNDLE);

    ngx_memzero(&f, sizeof(ngx_media_frame_t));

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        run = c->run[i];

        if (run == NULL || run->config_size == 0 || run->bad) {
            continue;
        }

        f.flags = NGX_MEDIA_FRAME_CONFIG;
        f.track = (uint8_t) i;
        f.codec = run->codec;
        f.size = run->config_size;
        f.data = run->config;

        (void) ngx_media_ts_mux_track(&ts->mux, &f);
    }
}


static int
ngx_media_hls_ts_write(void *data, const u_char *p, size_t n)
{
    ngx_media_hls_ts_t *ts = data;

    size_t   size;
    u_char  *buf;

    if (n > ts->size - ts->used) {

        size = ngx_max(ts->size * 2, NGX_MEDIA_HLS_TS_BUF);

        while (size - ts->used < n) {
            size *= 2;
        }

        buf = ngx_alloc(size, ngx_cycle->log);

        if (buf == NULL) {
            return NGX_MEDIA_ERROR;
        }

        if (ts->buf) {
            ngx_memcpy(buf, ts->buf, ts->used);
            ngx_free(ts->buf);
        }

        ts->buf = buf;
        ts->size = size;
    }

    ngx_memcpy(ts->buf + ts->used, p, n);
    ts->used += n;

    return NGX_MEDIA_OK;
}


ngx_int_t
ngx_media_hls_ts_frame(ngx_media_hls_cutter_t *c, const ngx_media_frame_t *f)
{
    int                  rc;
    ngx_media_hls_ts_t  *ts;

    ts = c->ts;

    if (f->track == c->lead) {

        if (ts->frames++ == 0) {
            ts->begin_dts = f->dts;
            ts->independent = !ngx_media_codec_is_video(f->codec)
                              || (f->flags & NGX_MEDIA_FRAME_KEY);
        }

        ts->mark = ts->used;
        ts->mark_dts = f->dts;
    }

    rc = ngx_media_ts_mux_frame(&ts->mux, f);

    c->bytes += f->size + NGX_MEDIA_HLS_FRAME_COST;

    return (rc == NGX_MEDIA_OK) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_media_hls_ts_part(ngx_media_hls_cutter_t *c, int64_t dts,
    ngx_uint_t keep, ngx_media_hls_pack_t *pack)
{
    size_t               size;
    ngx_media_hls_ts_t  *ts;

    ts = c->ts;

    if (ts->frames == 0) {
        return NGX_DECLINED;
    }

    if (!keep) {
        (void) ngx_media_ts_mux_flush(&ts->mux);
    }

    size = keep ? ts->mark : ts->used;

    if (size == 0) {
        return NGX_DECLINED;
    }

    if (dts == NGX_MEDIA_HLS_END) {
        dts = ts->mark_dts + c->delta;
    }

    pack->cut.dts = ts->begin_dts;
    pack->cut.time = ts->begin_dts;
    pack->cut.duration = (uint32_t) (dts - ts->begin_dts);

    if (ts->independent) {
        pack->cut.flags |= NGX_MEDIA_HLS_INDEPENDENT;
    }

    pack->spans[0].data = ts->buf;
    pack->spans[0].size = size;
    pack->nspans = 1;

    return NGX_OK;
}


void
ngx_media_hls_ts_empty(ngx_media_hls_cutter_t *c, ngx_uint_t keep)
{
    ngx_media_hls_ts_t  *ts;

    ts = c->ts;

    if (keep && ts->frames) {
        ts->used -= ts->mark;
        ngx_memmove(ts->buf, ts->buf + ts->mark, ts->used);

        ts->mark = 0;
        ts->begin_dts = ts->mark_dts;
        ts->frames = 1;
        ts->independent = 0;
        c->bytes = ts->used;
        return;
    }

    ts->used = 0;
    ts->mark = 0;
    ts->frames = 0;

    if (ts->size > NGX_MEDIA_HLS_BUF_KEEP) {
        ngx_free(ts->buf);
        ts->buf = NULL;
        ts->size = 0;
    }
}


void
ngx_media_hls_ts_segment(ngx_media_hls_cutter_t *c)
{
    (void) ngx_media_ts_mux_segment(&c->ts->mux);
}


void
ngx_media_hls_ts_free(ngx_media_hls_cutter_t *c)
{
    if (c->ts == NULL) {
        return;
    }

    if (c->ts->buf) {
        ngx_free(c->ts->buf);
    }

    ngx_free(c->ts);
    c->ts = NULL;
}
