
/*
 * Copyright (C) the nginx media suite authors
 *
 * A body of MPEG-TS into frames of the source.
 *
 * The timeline of a source begins with its first frame, and of TS that need
 * not be the earliest: audio is bundled and comes late.  So the first frames
 * are held until each stream of the program has shown one, or a bound is
 * reached, and go out in the order of their times:
 *
 *     V0 V40 V80 A-21 A0 ...   ->   A-21 V0 A0 V40 V80 ...
 *
 * What follows goes out as it comes.
 *
 * ISO/IEC 13818-1 2.4 to 2.7.
 */


#include "ngx_http_flv_live_push.h"


/* what is held at most */

#define NGX_HTTP_FLV_LIVE_PUSH_HOLD_FRAMES  256
#define NGX_HTTP_FLV_LIVE_PUSH_HOLD_BYTES   (4 * 1024 * 1024)
#define NGX_HTTP_FLV_LIVE_PUSH_HOLD_TIME    1000000  /* us */


struct ngx_http_flv_live_push_ts_s {
    ngx_media_ts_demux_t   demux;
    ngx_media_frame_t     *held;            /* their data are allocated */
    ngx_uint_t             nheld;
    size_t                 bytes;           /* of them */
    int64_t                first;           /* us, earliest and latest */
    int64_t                last;
    uint32_t               seen;            /* tracks that had a frame */
    unsigned               failed:1;        /* the publish can not go on */
};


static ngx_http_flv_live_push_ts_t *ngx_http_flv_live_push_ts_create(
    ngx_http_flv_live_push_t *ctx);
static ngx_int_t ngx_http_flv_live_push_ts_error(
    ngx_http_flv_live_push_t *ctx);
static int ngx_http_flv_live_push_ts_frame(void *data,
    const ngx_media_frame_t *frame);
static ngx_int_t ngx_http_flv_live_push_ts_hold(
    ngx_http_flv_live_push_t *ctx, const ngx_media_frame_t *frame);
static ngx_uint_t ngx_http_flv_live_push_ts_complete(
    ngx_http_flv_live_push_ts_t *ts);
static ngx_int_t ngx_http_flv_live_push_ts_release(
    ngx_http_flv_live_push_t *ctx);
static void ngx_http_flv_live_push_ts_sort(ngx_http_flv_live_push_ts_t *ts);
static void ngx_http_flv_live_push_ts_forget(
    ngx_http_flv_live_push_ts_t *ts);


ngx_int_t
ngx_http_flv_live_push_ts(ngx_http_flv_live_push_t *ctx, const u_char *pos,
    const u_char *end)
{
    if (ctx->ts == NULL) {
        ctx->ts = ngx_http_flv_live_push_ts_create(ctx);

        if (ctx->ts == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_media_ts_demux(&ctx->ts->demux, pos, end) != NGX_MEDIA_OK) {
        return ngx_http_flv_live_push_ts_error(ctx);
    }

    return NGX_OK;
}


static ngx_http_flv_live_push_ts_t *
ngx_http_flv_live_push_ts_create(ngx_http_flv_live_push_t *ctx)
{
    size_t                        size;
    ngx_http_flv_live_push_ts_t  *ts;

    ts = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_flv_live_push_ts_t));
    if (ts == NULL) {
        return NULL;
    }

    size = NGX_HTTP_FLV_LIVE_PUSH_HOLD_FRAMES * sizeof(ngx_media_frame_t);

    ts->held = ngx_alloc(size, ctx->request->connection->log);
    if (ts->held == NULL) {
        return NULL;
    }

    ngx_media_ts_demux_init(&ts->demux, ngx_http_flv_live_push_ts_frame,
                            ngx_http_flv_live_push_buffer, ctx, 0,
                            NGX_HTTP_FLV_LIVE_PUSH_MAX_FRAME,
                            NGX_HTTP_FLV_LIVE_PUSH_MAX_MEMORY);

    return ts;
}


static ngx_int_t
ngx_http_flv_live_push_ts_error(ngx_http_flv_live_push_t *ctx)
{
    if (ctx->ts->failed) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "HTTP publisher sent what is no MPEG-TS: %uD bytes of junk "
                  "between %uL packets", ctx->ts->demux.stat.junk,
                  ctx->ts->demux.stat.packets);

    return NGX_DECLINED;
}


/* called by the demuxer */

static int
ngx_http_flv_live_push_ts_frame(void *data, const ngx_media_frame_t *frame)
{
    ngx_http_flv_live_push_t *ctx = data;

    ngx_int_t                     rc;
    ngx_media_frame_t             f;
    ngx_http_flv_live_push_ts_t  *ts;

    ts = ctx->ts;

    if (ts->held) {
        rc = ngx_http_flv_live_push_ts_hold(ctx, frame);

        if (rc == NGX_OK && ngx_http_flv_live_push_ts_complete(ts)) {
            rc = ngx_http_flv_live_push_ts_release(ctx);
        }

    } else {
        f = *frame;
        rc = ngx_media_publish_frame(&ctx->session, &f);
    }

    if (rc != NGX_OK) {
        ts->failed = 1;
        return NGX_MEDIA_ERROR;
    }

    return NGX_MEDIA_OK;
}


static ngx_int_t
ngx_http_flv_live_push_ts_hold(ngx_http_flv_live_push_t *ctx,
    const ngx_media_frame_t *frame)
{
    u_char                       *p;
    ngx_media_frame_t            *f;
    ngx_http_flv_live_push_ts_t  *ts;

    p = ngx_alloc(frame->size + 1, ctx->request->connection->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (frame->size) {
        ngx_memcpy(p, frame->data, frame->size);
    }

    ts = ctx->ts;

    f = &ts->held[ts->nheld];
    *f = *frame;
    f->data = p;

    if (ts->nheld++ == 0) {
        ts->first = f->dts;
        ts->last = f->dts;
    }

    ts->bytes += f->size;
    ts->first = ngx_min(ts->first, f->dts);
    ts->last = ngx_max(ts->last, f->dts);

    if (!(f->flags & NGX_MEDIA_FRAME_CONFIG)) {
        ts->seen |= (uint32_t) 1 << f->track;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_flv_live_push_ts_complete(ngx_http_flv_live_push_ts_t *ts)
{
    uint32_t    want;
    ngx_uint_t  i;

    if (ts->nheld == NGX_HTTP_FLV_LIVE_PUSH_HOLD_FRAMES
        || ts->bytes >= NGX_HTTP_FLV_LIVE_PUSH_HOLD_BYTES
        || ts->last - ts->first >= NGX_HTTP_FLV_LIVE_PUSH_HOLD_TIME)
    {
        return 1;
    }

    want = 0;

    for (i = 0; i < ts->demux.nstreams; i++) {
        want |= (uint32_t) 1 << ts->demux.streams[i].track;
    }

    return (ts->seen & want) == want;
}


/* from here on frames are not held any more */

static ngx_int_t
ngx_http_flv_live_push_ts_release(ngx_http_flv_live_push_t *ctx)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_flv_live_push_ts_t  *ts;

    ts = ctx->ts;

    ngx_http_flv_live_push_ts_sort(ts);

    rc = NGX_OK;

    for (i = 0; i < ts->nheld && rc == NGX_OK; i++) {
        rc = ngx_media_publish_frame(&ctx->session, &ts->held[i]);
    }

    ngx_http_flv_live_push_ts_forget(ts);

    return rc;
}


/* by time; those of one time, and a configuration and its frame, stay so */

static void
ngx_http_flv_live_push_ts_sort(ngx_http_flv_live_push_ts_t *ts)
{
    ngx_uint_t         i, k;
    ngx_media_frame_t  f;

    for (i = 1; i < ts->nheld; i++) {
        f = ts->held[i];

        for (k = i; k > 0 && ts->held[k - 1].dts > f.dts; k--) {
            ts->held[k] = ts->held[k - 1];
        }

        ts->held[k] = f;
    }
}


static void
ngx_http_flv_live_push_ts_forget(ngx_http_flv_live_push_ts_t *ts)
{
    ngx_uint_t  i;

    for (i = 0; i < ts->nheld; i++) {
        ngx_free((u_char *) ts->held[i].data);
    }

    ngx_free(ts->held);

    ts->held = NULL;
    ts->nheld = 0;
}


ngx_int_t
ngx_http_flv_live_push_ts_end(ngx_http_flv_live_push_t *ctx)
{
    ngx_media_ts_stat_t  *stat;

    if (ctx->ts == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_media_ts_demux_flush(&ctx->ts->demux) != NGX_MEDIA_OK) {
        return ngx_http_flv_live_push_ts_error(ctx);
    }

    if (ctx->ts->held && ngx_http_flv_live_push_ts_release(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    stat = &ctx->ts->demux.stat;

    if (stat->packets == 0) {
        return ngx_http_flv_live_push_ts_error(ctx);
    }

    if (stat->junk || stat->cc_errors || stat->dropped) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "MPEG-TS of an HTTP publisher: %uL packets, %uD bytes "
                      "of junk, %uD gaps, %uD frames left out",
                      stat->packets, stat->junk, stat->cc_errors,
                      stat->dropped);
    }

    return NGX_OK;
}


void
ngx_http_flv_live_push_ts_free(ngx_http_flv_live_push_t *ctx)
{
    if (ctx->ts == NULL) {
        return;
    }

    if (ctx->ts->held) {
        ngx_http_flv_live_push_ts_forget(ctx->ts);
    }

    /* streams of the demuxer may show their last frame even now */

    ctx->ts->failed = 1;
    ctx->ts->demux.error = NGX_MEDIA_ERROR;

    ngx_media_ts_demux_close(&ctx->ts->demux);

    ctx->ts = NULL;
}
