
/*
 * Copyright (C) the nginx media suite authors
 *
 * How the bytes of a wire get to the client, one of two ways:
 *
 *   filters  through ngx_http_output_filter(), as any response: TLS, HTTP/2,
 *            HTTP/3, limit_rate and other modules' filters all work.  A batch
 *            of bufs points into the wire, each holding its memory by a pin
 *            until it is taken; the next batch follows when all of it is.
 *   direct   the wire's bytes as they are to the socket, one call for all
 *            that is ready: plain HTTP/1.x without limit_rate and without a
 *            filter that wants to see bodies.  With HTTP/1.1 the wire carries
 *            the chunk framing in itself, and r->chunked is off so that
 *            nginx's own filter adds none.
 *
 * The response header always leaves through the filters, together with the
 * first batch; only then, and only where nothing is left in them, does a
 * player go direct.  It goes back as soon as a limit_rate appears.
 *
 * A player that takes no byte for send_timeout is closed.
 */


#include "ngx_http_flv_live.h"


#define NGX_HTTP_FLV_LIVE_SPANS   8
#define NGX_HTTP_FLV_LIVE_BATCH   65536


/* a buf and what holds its memory; buf is first: chains point to it */

typedef struct {
    ngx_buf_t         buf;
    ngx_media_pin_t  *pin;
} ngx_http_flv_live_buf_t;


static ngx_uint_t ngx_http_flv_live_direct_now(ngx_http_flv_live_ctx_t *ctx);
static ngx_int_t ngx_http_flv_live_filters(ngx_http_flv_live_ctx_t *ctx);
static ngx_int_t ngx_http_flv_live_filter(ngx_http_flv_live_ctx_t *ctx,
    ngx_chain_t *out);
static ngx_chain_t *ngx_http_flv_live_batch(ngx_http_flv_live_ctx_t *ctx);
static ngx_chain_t *ngx_http_flv_live_buf(ngx_http_flv_live_ctx_t *ctx,
    ngx_media_span_t *span);
static void ngx_http_flv_live_unpin(ngx_chain_t *cl);
static void ngx_http_flv_live_blocked(ngx_http_flv_live_ctx_t *ctx);


/* before the response header: may the player go direct, as far as is known? */

ngx_uint_t
ngx_http_flv_live_direct_predict(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (r->http_version != NGX_HTTP_VERSION_10
        && r->http_version != NGX_HTTP_VERSION_11)
    {
        return 0;
    }

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        return 0;
    }
#endif

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->limit_rate || clcf->limit_rate) {
        return 0;
    }

    return r->http_version == NGX_HTTP_VERSION_10
           || clcf->chunked_transfer_encoding;
}


/*
 * The same after it, when the header filters have spoken.  A wire that was
 * chosen with chunk framing is left where nginx itself must frame.
 */

ngx_int_t
ngx_http_flv_live_direct_decide(ngx_http_flv_live_ctx_t *ctx)
{
    uint32_t            *framing;
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (!ctx->direct) {
        return NGX_OK;
    }

    framing = &ctx->params.opt[NGX_HTTP_FLV_LIVE_OPT_FRAMING];

    if (!r->filter_need_in_memory
        && !r->main_filter_need_in_memory
        && (r->chunked != 0) == (*framing == NGX_HTTP_FLV_LIVE_FRAMING_CHUNK))
    {
        r->chunked = 0;
        return NGX_OK;
    }

    ctx->direct = 0;

    if (*framing != NGX_HTTP_FLV_LIVE_FRAMING_CHUNK) {
        return NGX_OK;
    }

    *framing = NGX_HTTP_FLV_LIVE_FRAMING_NONE;

    /* nothing was sent, but what waits is framed: begin anew */

    ngx_media_play_stop(&ctx->consumer);

    rc = ngx_http_flv_live_attach(ctx, 0);

    return (rc == NGX_AGAIN) ? NGX_OK : rc;
}


/* made ready here, sent before the first batch */

void
ngx_http_flv_live_prologue(ngx_http_flv_live_ctx_t *ctx, uint32_t tracks)
{
    u_char    *p, *last;
    u_char     body[NGX_HTTP_FLV_LIVE_PROLOGUE_SIZE];
    uint32_t   framing;

    if (ctx->type->prologue == NULL) {
        return;
    }

    framing = ctx->params.opt[NGX_HTTP_FLV_LIVE_OPT_FRAMING];
    last = ctx->type->prologue(body, tracks);

    p = ngx_http_flv_live_framing_start(ctx->prologue, framing, last - body);
    p = ngx_cpymem(p, body, last - body);
    p = ngx_http_flv_live_framing_end(p, framing);

    ctx->prologue_len = p - ctx->prologue;
}


/* all that was begun has left: the player stands between two frames */

ngx_uint_t
ngx_http_flv_live_drained(ngx_http_flv_live_ctx_t *ctx)
{
    return ctx->flushed
           && ctx->busy == NULL
           && !ctx->request->buffered
           && !ctx->request->connection->buffered
           && ngx_media_consumer_drained(&ctx->consumer);
}


/*
 * Sends all there is.  The request may be finalised inside: the caller runs
 * posted requests and then touches neither request nor ctx.
 */

void
ngx_http_flv_live_output(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = ctx->request->connection;

    if (ngx_http_flv_live_direct_now(ctx)) {
        rc = ngx_media_consumer_send(&ctx->consumer, c);

    } else {
        rc = ngx_http_flv_live_filters(ctx);
    }

    if (rc == NGX_ERROR) {
        ngx_http_flv_live_finalize(ctx, NGX_ERROR);
        return;
    }

    if (rc == NGX_AGAIN) {
        ngx_http_flv_live_blocked(ctx);
        return;
    }

    if (c->write->timer_set && !c->write->delayed) {
        ngx_del_timer(c->write);
    }

    if (ctx->state == NGX_HTTP_FLV_LIVE_ENDING
        && ngx_http_flv_live_drained(ctx))
    {
        ngx_http_flv_live_finish(ctx);
    }
}


static ngx_uint_t
ngx_http_flv_live_direct_now(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    if (!ctx->direct || !ctx->flushed || ctx->busy) {
        return 0;
    }

    r = ctx->request;
    c = r->connection;

    return r->out == NULL
           && r->limit_rate == 0
           && !r->buffered
           && !c->buffered
           && !c->write->delayed;
}


static ngx_int_t
ngx_http_flv_live_filters(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_chain_t         *out;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    if (r->buffered || c->buffered) {

        if (c->write->delayed) {
            return NGX_AGAIN;
        }

        if (ngx_http_flv_live_filter(ctx, NULL) == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    while (!r->buffered && !c->buffered && ctx->busy == NULL) {

        out = ngx_http_flv_live_batch(ctx);

        if (out == NULL) {
            return NGX_OK;
        }

        if (out == NGX_CHAIN_ERROR
            || ngx_http_flv_live_filter(ctx, out) == NGX_ERROR)
        {
            return NGX_ERROR;
        }

        ctx->flushed = 1;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_flv_live_filter(ngx_http_flv_live_ctx_t *ctx, ngx_chain_t *out)
{
    ngx_int_t            rc;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = ctx->request;

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_flv_live_module);

    for (cl = ctx->free; cl; cl = cl->next) {
        ngx_http_flv_live_unpin(cl);
    }

    return rc;
}


/* takes what is ready off the wire: NULL where there is nothing */

static ngx_chain_t *
ngx_http_flv_live_batch(ngx_http_flv_live_ctx_t *ctx)
{
    size_t             size;
    ngx_uint_t         i, n;
    ngx_chain_t       *out, **ll;
    ngx_media_span_t   spans[NGX_HTTP_FLV_LIVE_SPANS + 1];

    n = 0;
    size = 0;

    if (ctx->prologue_len) {
        spans[0].pos = ctx->prologue;
        spans[0].last = ctx->prologue + ctx->prologue_len;
        spans[0].pin = NULL;

        ctx->prologue_len = 0;
        n = 1;
    }

    i = n;
    n += ngx_media_consumer_spans(&ctx->consumer, spans + n,
                                  NGX_HTTP_FLV_LIVE_SPANS,
                                  NGX_HTTP_FLV_LIVE_BATCH);

    for ( /* void */ ; i < n; i++) {
        size += spans[i].last - spans[i].pos;
    }

    out = NULL;
    ll = &out;

    for (i = 0; i < n; i++) {

        *ll = ngx_http_flv_live_buf(ctx, &spans[i]);

        if (*ll == NULL) {
            ctx->busy = out;
            return NGX_CHAIN_ERROR;
        }

        if (i == n - 1) {
            (*ll)->buf->flush = 1;
        }

        ll = &(*ll)->next;
    }

    if (size) {
        ngx_media_consumer_sent(&ctx->consumer, size);
    }

    return out;
}


static ngx_chain_t *
ngx_http_flv_live_buf(ngx_http_flv_live_ctx_t *ctx, ngx_media_span_t *span)
{
    ngx_chain_t              *cl;
    ngx_http_flv_live_buf_t  *b;

    cl = ctx->free;

    if (cl) {
        ctx->free = cl->next;

    } else {
        cl = ngx_alloc_chain_link(ctx->request->pool);
        if (cl == NULL) {
            return NULL;
        }

        cl->buf = ngx_palloc(ctx->request->pool,
                             sizeof(ngx_http_flv_live_buf_t));
        if (cl->buf == NULL) {
            return NULL;
        }
    }

    cl->next = NULL;

    b = (ngx_http_flv_live_buf_t *) cl->buf;

    ngx_memzero(b, sizeof(ngx_http_flv_live_buf_t));

    b->buf.tag = (ngx_buf_tag_t) &ngx_http_flv_live_module;
    b->buf.start = span->pos;
    b->buf.pos = span->pos;
    b->buf.last = span->last;
    b->buf.end = span->last;
    b->buf.memory = 1;

    b->pin = span->pin;

    if (b->pin) {
        ngx_media_pin(b->pin);
    }

    return cl;
}


static void
ngx_http_flv_live_unpin(ngx_chain_t *cl)
{
    ngx_http_flv_live_buf_t  *b;

    b = (ngx_http_flv_live_buf_t *) cl->buf;

    if (b->pin) {
        ngx_media_unpin(b->pin);
        b->pin = NULL;
    }
}


/* the request's pool goes: nobody reads the bufs any more */

void
ngx_http_flv_live_release(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_chain_t  *cl;

    for (cl = ctx->busy; cl; cl = cl->next) {
        ngx_http_flv_live_unpin(cl);
    }

    ctx->busy = NULL;
    ctx->free = NULL;
}


static void
ngx_http_flv_live_blocked(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = ctx->request->connection->write;

    ngx_media_consumer_block(&ctx->consumer);

    clcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        ngx_http_flv_live_finalize(ctx, NGX_ERROR);
    }
}


void
ngx_http_flv_live_write_handler(ngx_http_request_t *r)
{
    ngx_event_t              *wev;
    ngx_connection_t         *c;
    ngx_http_flv_live_ctx_t  *ctx;

    c = r->connection;
    wev = c->write;

    ctx = ngx_http_get_module_ctx(r, ngx_http_flv_live_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;

        ngx_http_flv_live_finalize(ctx, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (ctx->state != NGX_HTTP_FLV_LIVE_FLOWING
        && ctx->state != NGX_HTTP_FLV_LIVE_ENDING)
    {
        return;
    }

    if (wev->delayed) {
        ngx_http_flv_live_blocked(ctx);
        return;
    }

    ngx_media_consumer_unblock(&ctx->consumer);

    ngx_http_flv_live_output(ctx);
}


/* ends a response that stands between two frames, as HTTP wants it */

void
ngx_http_flv_live_finish(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->params.opt[NGX_HTTP_FLV_LIVE_OPT_FRAMING]
        == NGX_HTTP_FLV_LIVE_FRAMING_CHUNK)
    {
        r->chunked = 1;
    }

    if (ctx->upgrade && !ctx->ws_closed) {
        rc = ngx_http_flv_live_ws_last(ctx);

    } else {
        rc = ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    ngx_http_flv_live_finalize(ctx, rc);
}
