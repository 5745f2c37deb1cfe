
/*
 * Copyright (C) the nginx media suite authors
 *
 * Frames into MPEG-TS (ISO/IEC 13818-1) by the muxer of shared/format, whose
 * state is the wire's.  Called by the core, once per frame and worker, for
 * all players of a wire.
 *
 * Nothing goes before the log: wherever a player may start, the log itself
 * has PAT and PMT, whose continuity counters then fit what follows.  A player
 * that jumps to a newer keyframe finds the counters ahead, by which TS tells
 * that packets are missing.
 *
 * The packets of a frame are gathered in a buffer of the worker first: they
 * are one message of the wire, and state is kept only of what was written.
 */


#include "ngx_http_flv_live.h"
#include "ngx_media_rc.h"
#include "ngx_media_ts_mux.h"


#define NGX_HTTP_FLV_LIVE_TS_ROOM  65536


typedef struct {
    ngx_media_ts_mux_t  mux;
    uint64_t            next;      /* seq behind the last frame */
} ngx_http_flv_live_ts_ctx_t;


typedef struct {
    u_char             *data;
    size_t              size;
    size_t              used;
} ngx_http_flv_live_ts_buffer_t;


static ngx_int_t ngx_http_flv_live_ts_frame(ngx_media_wire_t *w,
    const ngx_media_frame_t *f);
static int ngx_http_flv_live_ts_write(void *data, const u_char *p, size_t n);


static ngx_http_flv_live_ts_buffer_t  ngx_http_flv_live_ts_buffer;


const ngx_media_muxer_t  ngx_http_flv_live_ts_muxer = {
    ngx_string("ts"),
    sizeof(ngx_http_flv_live_ts_ctx_t),
    ngx_http_flv_live_no_header,
    ngx_http_flv_live_ts_frame
};


static ngx_int_t
ngx_http_flv_live_ts_frame(ngx_media_wire_t *w, const ngx_media_frame_t *f)
{
    int                             rc;
    u_char                          saved[offsetof(ngx_media_ts_mux_t, sets)];
    ngx_http_flv_live_ts_ctx_t     *ctx;
    ngx_http_flv_live_ts_buffer_t  *b;

    ctx = ngx_media_wire_ctx(w);
    b = &ngx_http_flv_live_ts_buffer;

    if (ctx->mux.write == NULL) {
        ngx_media_ts_mux_init(&ctx->mux, ngx_http_flv_live_ts_write, b);
    }

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {

        /* told again to one player, for frames that were written long ago */

        if (f->seq >= ctx->next) {
            (void) ngx_media_ts_mux_track(&ctx->mux, f);
        }

        return NGX_DECLINED;
    }

    b->used = 0;

    ngx_memcpy(saved, &ctx->mux, sizeof(saved));

    rc = ngx_media_ts_mux_frame(&ctx->mux, f);

    if (rc != NGX_MEDIA_ERROR
        && (b->used == 0
            || ngx_http_flv_live_message(w, NULL, 0, b->data, b->used)
               == NGX_OK))
    {
        ctx->next = f->seq + 1;

        return b->used ? NGX_OK : NGX_DECLINED;
    }

    /* the frame will come again */

    ngx_memcpy(&ctx->mux, saved, sizeof(saved));

    return NGX_ERROR;
}


static int
ngx_http_flv_live_ts_write(void *data, const u_char *p, size_t n)
{
    ngx_http_flv_live_ts_buffer_t  *b = data;

    size_t   size;
    u_char  *room;

    if (b->size - b->used < n) {

        size = b->size ? b->size * 2 : NGX_HTTP_FLV_LIVE_TS_ROOM;

        room = ngx_alloc(size, ngx_cycle->log);
        if (room == NULL) {
            return NGX_MEDIA_ERROR;
        }

        if (b->data) {
            ngx_memcpy(room, b->data, b->used);
            ngx_free(b->data);
        }

        b->data = room;
        b->size = size;
    }

    ngx_memcpy(b->data + b->used, p, n);
    b->used += n;

    return NGX_MEDIA_OK;
}


ngx_uint_t
ngx_http_flv_live_ts_carries(uint8_t codec)
{
    return ngx_media_ts_type(codec) != 0;
}


void
ngx_http_flv_live_ts_exit(void)
{
    if (ngx_http_flv_live_ts_buffer.data) {
        ngx_free(ngx_http_flv_live_ts_buffer.data);
    }

    ngx_memzero(&ngx_http_flv_live_ts_buffer,
                sizeof(ngx_http_flv_live_ts_buffer_t));
}
