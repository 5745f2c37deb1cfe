
/*
 * Copyright (C) the nginx media suite authors
 *
 * The segment that is still open, for DASH with low latency: what there is of
 * it is sent at once, then each part as it comes, and the answer ends with
 * the segment.  Its length is not known before (ISO/IEC 23009-1, 5.3.9.5.3;
 * availabilityTimeComplete="false").
 *
 * A request goes back and forth between parked and sending: parked it is
 * woken as all others are and comes here again by ngx_http_hls_object().
 */


#include "ngx_http_hls.h"


#define NGX_HTTP_HLS_CHUNK         65536


static ngx_int_t ngx_http_hls_chunks_next(ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_chunks_header(ngx_http_hls_ctx_t *ctx);
static ngx_chain_t *ngx_http_hls_chunks_fill(ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_chunks_blocked(ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_chunks_handler(ngx_http_request_t *r);


ngx_int_t
ngx_http_hls_chunks(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition)
{
    ngx_int_t            rc;
    ngx_chain_t         *out;
    ngx_http_request_t  *r;

    r = ctx->request;
    out = NULL;

    ctx->want = rendition;

    for ( ;; ) {

        if (ctx->object.pos == ctx->object.size) {

            rc = ngx_http_hls_chunks_next(ctx);

            if (rc == NGX_DONE) {
                return ngx_http_send_special(r, NGX_HTTP_LAST);
            }

            if (rc != NGX_OK) {
                return rc;
            }

            if (!r->header_sent) {
                rc = ngx_http_hls_chunks_header(ctx);

                if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
                    return rc;
                }
            }

            /* a gap has no bytes */

            continue;
        }

        out = ngx_http_hls_chunks_fill(ctx);

        if (out == NULL || ngx_http_output_filter(r, out) == NGX_ERROR) {
            return NGX_ERROR;
        }

        ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                                (ngx_buf_tag_t) &ngx_http_hls_module);

        if (ctx->busy) {
            return ngx_http_hls_chunks_blocked(ctx);
        }
    }
}


/*
 * Finds the next part.  NGX_OK: in ctx->object; NGX_DONE: that was all;
 * NGX_HTTP_HLS_PARK: it is to come; else the end of the request.
 */

static ngx_int_t
ngx_http_hls_chunks_next(ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_media_hls_t         *hls;
    ngx_media_hls_object_t   whole;

    hls = ctx->output->hls;

    /* asked first: a segment that is whole by now has no part to come */

    rc = ngx_media_hls_segment(hls, ctx->want, ctx->name.msn, &whole);

    if (rc == NGX_OK && ctx->chunk >= whole.nparts) {
        return NGX_DONE;
    }

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        rc = ngx_media_hls_part(hls, ctx->want, ctx->name.msn, ctx->chunk,
                                &ctx->object);
    }

    switch (rc) {

    case NGX_OK:

        if (ctx->object.container != ctx->name.container) {
            return NGX_HTTP_NOT_FOUND;
        }

        ctx->chunk++;
        ctx->chunked = 1;

        return NGX_OK;

    case NGX_AGAIN:

        if (ctx->request->header_sent) {
            ctx->deadline = 0;
        }

        return ngx_http_hls_want(ctx, ctx->want, ctx->name.msn,
                                 ctx->chunk | NGX_HTTP_HLS_OR_END);

    default:
        return NGX_HTTP_NOT_FOUND;
    }
}


static ngx_int_t
ngx_http_hls_chunks_header(ngx_http_hls_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_str_set(&r->headers_out.content_type, "video/iso.segment");

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);

#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    if (ngx_http_hls_cache_control(ctx, ctx->private
                                        ? NGX_HTTP_HLS_CACHE_NONE
                                        : NGX_HTTP_HLS_CACHE_OBJECT, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_send_header(r);
}


/* NULL: no memory, or the part was given away meanwhile */

static ngx_chain_t *
ngx_http_hls_chunks_fill(ngx_http_hls_ctx_t *ctx)
{
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(ctx->request->pool, &ctx->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;

    if (b->start == NULL) {
        b->start = ngx_palloc(ctx->request->pool, NGX_HTTP_HLS_CHUNK);
        if (b->start == NULL) {
            return NULL;
        }

        b->end = b->start + NGX_HTTP_HLS_CHUNK;
        b->temporary = 1;
        b->tag = (ngx_buf_tag_t) &ngx_http_hls_module;
    }

    n = ngx_media_hls_read(ctx->output->hls, &ctx->object, b->start,
                           NGX_HTTP_HLS_CHUNK);
    if (n <= 0) {
        return NULL;
    }

    b->pos = b->start;
    b->last = b->start + n;
    b->flush = 1;

    return cl;
}


/* the client must take more first: NGX_DONE */

static ngx_int_t
ngx_http_hls_chunks_blocked(ngx_http_hls_ctx_t *ctx)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    r->write_event_handler = ngx_http_hls_chunks_handler;

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DONE;
}


static void
ngx_http_hls_chunks_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_chain_t         *out;
    ngx_event_t         *wev;
    ngx_connection_t    *c;
    ngx_http_hls_ctx_t  *ctx;

    c = r->connection;
    wev = c->write;
    out = NULL;

    ctx = ngx_http_get_module_ctx(r, ngx_http_hls_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    rc = wev->delayed ? NGX_OK : ngx_http_output_filter(r, NULL);

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_hls_module);

    if (ctx->busy || wev->delayed) {

        if (ngx_http_hls_chunks_blocked(ctx) != NGX_DONE) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    /* as one that was parked and is due */

    ngx_http_hls_wake(ctx);
}
