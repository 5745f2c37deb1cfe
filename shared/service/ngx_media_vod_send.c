
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: sends a range of time as one MP4, step by step: a thread prepares some
 * fragments (ngx_media_vod_export.c), they are sent, and when the client has
 * taken all of them the next ones are prepared.  So a slow client costs one
 * step of memory and one open file.
 */


#include "ngx_media_vod_export.h"
#include "ngx_media_m3u8.h"


static ngx_int_t ngx_media_vod_send_headers(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_send_name(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_send_step(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_send_chain(ngx_media_vod_ctx_t *ctx,
    ngx_chain_t **out);
static ngx_buf_t *ngx_media_vod_send_buf(ngx_media_vod_ctx_t *ctx,
    ngx_chain_t ***last);
static ngx_int_t ngx_media_vod_send_out(ngx_media_vod_ctx_t *ctx,
    ngx_chain_t *out);
static void ngx_media_vod_send_handler(ngx_http_request_t *r);


/* the plan is there */

ngx_int_t
ngx_media_vod_export_send(ngx_media_vod_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_buf_t            *b;
    ngx_chain_t          *out, **last;
    ngx_http_request_t   *r;
    ngx_media_vod_job_t  *job;

    r = ctx->request;
    job = ctx->job;

    rc = ngx_media_vod_send_headers(ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out = NULL;
    last = &out;

    b = ngx_media_vod_send_buf(ctx, &last);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = job->export->init;
    b->last = b->pos + job->export->init_size;
    b->memory = 1;

    /* a little would wait for more, which waits for it to be sent */

    b->flush = 1;

    job->run = ngx_media_vod_export_step;
    job->done = ngx_media_vod_send_step;

    r->write_event_handler = ngx_media_vod_send_handler;

    return ngx_media_vod_send_out(ctx, out);
}


static ngx_int_t
ngx_media_vod_send_headers(ngx_media_vod_ctx_t *ctx)
{
    u_char                  *p;
    ngx_str_t                range;
    ngx_http_request_t      *r;
    ngx_media_vod_export_t  *ex;

    static const ngx_str_t  none = ngx_string("no-cache");

    r = ctx->request;
    ex = ctx->job->export;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) (ex->init_size + ex->total);
    ngx_str_set(&r->headers_out.content_type, "video/mp4");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_http_clear_accept_ranges(r);

    p = ngx_pnalloc(r->pool, 2 * NGX_INT64_LEN + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    range.data = p;
    range.len = ngx_sprintf(p, "%L-%L", ex->begin, ex->end) - p;

    if (ngx_media_http_header(r, "X-Media-Range", &range) == NULL
        || ngx_media_http_header(r, "Cache-Control", &none) == NULL)
    {
        return NGX_ERROR;
    }

    return ngx_media_vod_send_name(ctx);
}


/* RFC 6266: a name that does in any file system, and the true one */

static ngx_int_t
ngx_media_vod_send_name(ngx_media_vod_ctx_t *ctx)
{
    size_t               i;
    u_char              *p, c;
    ngx_str_t            value, *stream;
    ngx_http_request_t  *r;

    r = ctx->request;
    stream = &ctx->stream;

    p = ngx_pnalloc(r->pool, 128 + 4 * stream->len + 2 * NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    p = ngx_cpymem(p, "attachment; filename=\"", 22);

    for (i = 0; i < stream->len; i++) {
        c = stream->data[i];

        *p++ = ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z') || c == '-'
                || (c == '.' && i))
               ? c : '_';
    }

    p = ngx_sprintf(p, "-%L.mp4\"; filename*=UTF-8''",
                    ctx->job->export->begin);
    p += ngx_media_hls_escape(stream->data, stream->len, p, 3 * stream->len);
    p = ngx_sprintf(p, "-%L.mp4", ctx->job->export->begin);

    value.len = p - value.data;

    return ngx_media_http_header(r, "Content-Disposition", &value)
           ? NGX_OK : NGX_ERROR;
}


/* a step is there */

static ngx_int_t
ngx_media_vod_send_step(ngx_media_vod_ctx_t *ctx)
{
    ngx_int_t     rc;
    ngx_chain_t  *out;

    if (ctx->job->status != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "a recording of \"%V/%V\" is damaged or changed while "
                      "it was sent", &ctx->app, &ctx->stream);
        return NGX_ERROR;
    }

    rc = ngx_media_vod_send_chain(ctx, &out);

    return (rc == NGX_OK) ? ngx_media_vod_send_out(ctx, out) : rc;
}


static ngx_int_t
ngx_media_vod_send_chain(ngx_media_vod_ctx_t *ctx, ngx_chain_t **out)
{
    ngx_buf_t               *b;
    ngx_uint_t               i;
    ngx_chain_t            **last;
    ngx_media_vod_span_t    *span;
    ngx_media_vod_export_t  *ex;

    ex = ctx->job->export;

    ex->source.fd = ex->file.fd;
    ex->source.log = ctx->request->connection->log;
    ngx_str_set(&ex->source.name, "recording");

    *out = NULL;
    last = out;
    b = NULL;

    for (i = 0; i < ex->nspans; i++) {
        span = &ex->spans[i];

        b = ngx_media_vod_send_buf(ctx, &last);
        if (b == NULL) {
            return NGX_ERROR;
        }

        if (span->in_file) {
            b->in_file = 1;
            b->file = &ex->source;
            b->file_pos = (off_t) span->offset;
            b->file_last = (off_t) (span->offset + span->size);

        } else {
            b->memory = 1;
            b->pos = ex->mem + span->offset;
            b->last = b->pos + span->size;
        }
    }

    if (ex->done) {

        if (b == NULL) {
            b = ngx_media_vod_send_buf(ctx, &last);
            if (b == NULL) {
                return NGX_ERROR;
            }
        }

        b->last_buf = 1;
        b->last_in_chain = 1;

    } else if (b) {
        b->flush = 1;
    }

    return NGX_OK;
}


static ngx_buf_t *
ngx_media_vod_send_buf(ngx_media_vod_ctx_t *ctx, ngx_chain_t ***last)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(ctx->request->pool, &ctx->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->tag = (ngx_buf_tag_t) &ngx_media_vod_module;

    **last = cl;
    *last = &cl->next;

    return b;
}


/*
 * Sends, out may be NULL: what was not taken before.  NGX_DONE: it goes on by
 * itself; else the end.
 */

static ngx_int_t
ngx_media_vod_send_out(ngx_media_vod_ctx_t *ctx, ngx_chain_t *out)
{
    ngx_int_t                  rc;
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    wev = r->connection->write;

    rc = ngx_http_output_filter(r, out);

    if (rc == NGX_ERROR || ctx->job->export->done) {
        return rc;
    }

    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                            (ngx_buf_tag_t) &ngx_media_vod_module);

    if (ctx->busy == NULL && !r->buffered) {

        if (wev->timer_set && !wev->delayed) {
            ngx_del_timer(wev);
        }

        return ngx_media_vod_post(ctx);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DONE;
}


static void
ngx_media_vod_send_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_event_t               *wev;
    ngx_connection_t          *c;
    ngx_media_vod_ctx_t       *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    c = r->connection;
    wev = c->write;

    ctx = ngx_http_get_module_ctx(r, ngx_media_vod_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    /* the thread is at work: nothing is to be sent */

    if (ctx->job->running) {
        return;
    }

    if (wev->delayed || r->aio) {
        clcf = ngx_http_get_module_loc_conf(r->main, ngx_http_core_module);

        if (!wev->delayed) {
            ngx_add_timer(wev, clcf->send_timeout);
        }

        if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    rc = ngx_media_vod_send_out(ctx, NULL);

    if (rc != NGX_DONE) {
        ngx_media_vod_finish(ctx, rc);
    }
}
