
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: MPEG-TS for players, see ngx_media_ts_wire.h.
 *
 * The packets of a frame are gathered in a buffer of the worker first: they
 * are one message of the wire, and state is kept only of what was written.
 */


#include "ngx_media_ts_wire.h"
#include "ngx_media_core.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_TS_WIRE_ROOM  65536


typedef struct {
    u_char  *data;
    size_t   size;
    size_t   used;
} ngx_media_ts_wire_buffer_t;


static int ngx_media_ts_wire_write(void *data, const u_char *p, size_t n);


static ngx_media_ts_wire_buffer_t  ngx_media_ts_wire_buffer;


ngx_int_t
ngx_media_ts_wire_frame(ngx_media_wire_t *w, const ngx_media_frame_t *f,
    ngx_media_ts_wire_pt message)
{
    int                          rc;
    u_char                       saved[offsetof(ngx_media_ts_mux_t, sets)];
    ngx_media_ts_wire_t         *ctx;
    ngx_media_ts_wire_buffer_t  *b;

    ctx = ngx_media_wire_ctx(w);
    b = &ngx_media_ts_wire_buffer;

    if (ctx->mux.write == NULL) {
        ngx_media_ts_mux_init(&ctx->mux, ngx_media_ts_wire_write, b);
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
        && (b->used == 0 || message(w, b->data, b->used) == NGX_OK))
    {
        ctx->next = f->seq + 1;

        return b->used ? NGX_OK : NGX_DECLINED;
    }

    /* the frame will come again */

    ngx_memcpy(&ctx->mux, saved, sizeof(saved));

    return NGX_ERROR;
}


static int
ngx_media_ts_wire_write(void *data, const u_char *p, size_t n)
{
    ngx_media_ts_wire_buffer_t  *b = data;

    size_t   size;
    u_char  *room;

    if (b->size - b->used < n) {

        size = b->size ? b->size * 2 : NGX_MEDIA_TS_WIRE_ROOM;

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


void
ngx_media_ts_wire_exit(void)
{
    if (ngx_media_ts_wire_buffer.data) {
        ngx_free(ngx_media_ts_wire_buffer.data);
    }

    ngx_memzero(&ngx_media_ts_wire_buffer, sizeof(ngx_media_ts_wire_buffer_t));
}
