
/*
 * Copyright (C) the nginx media suite authors
 *
 * A body of FLV into frames of the source.  A tag that lies whole in what was
 * read is taken from there, one that comes in pieces is put together in a
 * buffer that grows with them; its body becomes frames in shared/service.
 *
 * A tag that is damaged is left out and counted; where tags begin can not be
 * found again, so what is no tag ends the push.
 *
 * Adobe Flash Video File Format 10.1, E.3 and E.4.
 */


#include "ngx_http_flv_live_push.h"


/* room kept for the next tag, and the first one given */

#define NGX_HTTP_FLV_LIVE_PUSH_KEEP      65536
#define NGX_HTTP_FLV_LIVE_PUSH_FIRST     4096


static ngx_int_t ngx_http_flv_live_push_piece(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_piece_t *piece);
static ngx_int_t ngx_http_flv_live_push_gather(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_piece_t *piece);
static ngx_int_t ngx_http_flv_live_push_tag(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag, const u_char *body);


ngx_int_t
ngx_http_flv_live_push_flv(ngx_http_flv_live_push_t *ctx, const u_char *pos,
    const u_char *end)
{
    int                     rc;
    ngx_int_t               error;
    ngx_media_flv_piece_t   piece;
    ngx_media_flv_demux_t  *demux;

    demux = &ctx->flv.demux;

    while ((rc = ngx_media_flv_demux(demux, &pos, end, &piece))
           == NGX_MEDIA_OK)
    {
        error = ngx_http_flv_live_push_piece(ctx, &piece);

        if (error != NGX_OK) {
            return error;
        }
    }

    if (rc == NGX_MEDIA_AGAIN) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  ctx->flv.begun ? "HTTP publisher sent what is no FLV tag"
                                 : "HTTP publisher sent no FLV header");

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_flv_live_push_piece(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_piece_t *piece)
{
    ngx_int_t                      rc;
    ngx_http_flv_live_push_flv_t  *flv;

    flv = &ctx->flv;

    switch (piece->event) {

    case NGX_MEDIA_FLV_EV_HEADER:
        flv->begun = 1;
        return NGX_OK;

    case NGX_MEDIA_FLV_EV_TAG:
        flv->used = 0;
        return NGX_OK;

    case NGX_MEDIA_FLV_EV_BODY:

        if (piece->tag.filter) {
            return NGX_OK;
        }

        if (piece->offset == 0 && piece->size == piece->tag.size) {
            return ngx_http_flv_live_push_tag(ctx, &piece->tag, piece->data);
        }

        return ngx_http_flv_live_push_gather(ctx, piece);

    default: /* NGX_MEDIA_FLV_EV_END */

        if (flv->used == 0) {
            return NGX_OK;
        }

        rc = ngx_http_flv_live_push_tag(ctx, &piece->tag, flv->body);

        flv->used = 0;

        if (flv->size > NGX_HTTP_FLV_LIVE_PUSH_KEEP) {
            ngx_http_flv_live_push_flv_free(ctx);
        }

        return rc;
    }
}


/* what is announced is not allocated before half of it has come */

static ngx_int_t
ngx_http_flv_live_push_gather(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_piece_t *piece)
{
    size_t                         need, size;
    u_char                        *p;
    ngx_http_flv_live_push_flv_t  *flv;

    flv = &ctx->flv;
    need = flv->used + piece->size;

    if (need > flv->size) {

        size = ngx_max(need * 2, NGX_HTTP_FLV_LIVE_PUSH_FIRST);
        size = ngx_max(ngx_min(size, piece->tag.size), need);

        p = ngx_media_input_buffer(ctx->request->connection->log, flv->body,
                                   flv->used, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        flv->body = p;
        flv->size = size;
    }

    ngx_memcpy(flv->body + flv->used, piece->data, piece->size);
    flv->used = need;

    return NGX_OK;
}


static ngx_int_t
ngx_http_flv_live_push_tag(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag, const u_char *body)
{
    return ngx_media_flv_input(&ctx->flv.input, &ctx->session, tag->type,
                               tag->ms, body, body + tag->size);
}


ngx_int_t
ngx_http_flv_live_push_flv_end(ngx_http_flv_live_push_t *ctx)
{
    if (!ctx->flv.begun) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "HTTP publisher sent no FLV header");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_http_flv_live_push_flv_free(ngx_http_flv_live_push_t *ctx)
{
    if (ctx->flv.body) {
        (void) ngx_media_input_buffer(NULL, ctx->flv.body, 0, 0);

        ctx->flv.body = NULL;
        ctx->flv.size = 0;
        ctx->flv.used = 0;
    }
}
