
/*
 * Copyright (C) the nginx media suite authors
 *
 * The life of one pusher: a POST or PUT whose body is the stream.
 *
 *   request -> names -> ngx_media_publish() -> body, piece by piece -> answer
 *
 * Nothing of the body is read before the name is ours, so that whoever sends
 * "Expect: 100-continue" is refused without having sent anything.  The body is
 * read by nginx (chunks, HTTP/2, TLS), unbuffered: a buffer is taken apart
 * before the next bytes are read into it.
 *
 * Called by the content handler, by nginx's body reader and by the core (ops
 * of the session).  The core's timer of a publisher is not cancelable and so
 * keeps a worker alive that is shutting down.
 *
 * Whatever is called from outside of nginx's HTTP ends with
 * ngx_http_run_posted_requests(), after which the request may be gone.
 */


#include "ngx_http_flv_live_push.h"


/* buffers that are read before others have their turn */

#define NGX_HTTP_FLV_LIVE_PUSH_READS   16

/* seconds in which one that must end may still send and read the answer */

#define NGX_HTTP_FLV_LIVE_PUSH_LINGER  2

/* ms between reads of one that nobody watches, ms and bytes that forbid it */

#define NGX_HTTP_FLV_LIVE_PUSH_NAP     100
#define NGX_HTTP_FLV_LIVE_PUSH_YOUNG   1000
#define NGX_HTTP_FLV_LIVE_PUSH_AWAKE   16384


static ngx_http_flv_live_push_t *ngx_http_flv_live_push_create(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_flv_live_push_format(ngx_http_request_t *r);
static ngx_uint_t ngx_http_flv_live_push_extension(ngx_http_request_t *r);
static ngx_int_t ngx_http_flv_live_push_path(ngx_http_request_t *r,
    ngx_str_t *path);
static ngx_int_t ngx_http_flv_live_push_names(ngx_http_flv_live_push_t *ctx);
static ngx_int_t ngx_http_flv_live_push_refuse(
    ngx_http_flv_live_push_t *ctx);
static ngx_int_t ngx_http_flv_live_push_status(ngx_uint_t reason);
static ngx_int_t ngx_http_flv_live_push_start(ngx_http_flv_live_push_t *ctx);
static void ngx_http_flv_live_push_handler(ngx_http_request_t *r);
static void ngx_http_flv_live_push_read(ngx_http_flv_live_push_t *ctx);
static ngx_int_t ngx_http_flv_live_push_nap(ngx_http_flv_live_push_t *ctx,
    off_t got);
static void ngx_http_flv_live_push_nap_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_flv_live_push_take(ngx_http_flv_live_push_t *ctx);
static ngx_int_t ngx_http_flv_live_push_input(ngx_http_flv_live_push_t *ctx,
    const u_char *pos, const u_char *end);
static void ngx_http_flv_live_push_end(ngx_http_flv_live_push_t *ctx);
static void ngx_http_flv_live_push_stop(ngx_http_flv_live_push_t *ctx);
static void ngx_http_flv_live_push_finalize(ngx_http_flv_live_push_t *ctx,
    ngx_int_t rc);
static void ngx_http_flv_live_push_close_handler(ngx_media_session_t *s,
    ngx_uint_t reason);
static void ngx_http_flv_live_push_published(ngx_media_session_t *s,
    ngx_int_t rc);
static void ngx_http_flv_live_push_cleanup(void *data);


static const ngx_media_session_ops_t  ngx_http_flv_live_push_ops = {
    ngx_http_flv_live_push_close_handler,  /* close */
    NULL,                                  /* drain */
    ngx_http_flv_live_push_published,      /* published */
    NULL                                   /* permitted */
};


/* Answers a POST or PUT.  Returns what a content handler returns. */

ngx_int_t
ngx_http_flv_live_push(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_flv_live_push_t  *ctx;

    ngx_media_http_log(r);

    if (r->headers_in.content_length_n < 0 && !r->headers_in.chunked) {
        return NGX_HTTP_LENGTH_REQUIRED;
    }

    if (r->headers_in.content_length_n == 0 && !r->headers_in.chunked) {
        return NGX_HTTP_BAD_REQUEST;
    }

    ctx = ngx_http_flv_live_push_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_media_session_init(&ctx->session, r->connection, r->pool,
                                &ngx_http_flv_live_push_ops,
                                ctx->format == NGX_HTTP_FLV_LIVE_PUSH_TS
                                ? "ts" : "flv");
    if (rc != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ctx->session.token = ngx_media_http_token(r);

    ngx_media_session_set_type(&ctx->session, NGX_MEDIA_CLIENT_FLV_PUBLISH);
    ngx_media_session_received(&ctx->session, (size_t) r->request_length);

    rc = ngx_http_flv_live_push_names(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_media_publish(&ctx->session);

    switch (rc) {

    case NGX_OK:
        return ngx_http_flv_live_push_start(ctx);

    case NGX_AGAIN:
        ctx->waiting = 1;
        r->main->count++;

        /* nobody is asked about a pusher that leaves meanwhile */

        r->read_event_handler = ngx_http_test_reading;

        return NGX_DONE;

    case NGX_DECLINED:
        return ngx_http_flv_live_push_refuse(ctx);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_http_flv_live_push_t *
ngx_http_flv_live_push_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_flv_live_push_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_flv_live_push_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_http_flv_live_push_t));

    ctx->request = r;
    ctx->format = ngx_http_flv_live_push_format(r);

    ctx->nap.handler = ngx_http_flv_live_push_nap_handler;
    ctx->nap.data = r->connection;
    ctx->nap.log = r->connection->log;
    ctx->begun = ngx_current_msec;
    ctx->heard = ngx_current_msec;

    ngx_media_flv_demux_init(&ctx->flv.demux,
                             NGX_MEDIA_INPUT_MAX_FRAME);

    cln->handler = ngx_http_flv_live_push_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_flv_live_module);

    return ctx;
}


/* what the request says of its body: by the extension, else by the type */

static ngx_uint_t
ngx_http_flv_live_push_format(ngx_http_request_t *r)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *type;
    ngx_uint_t  format;

    format = ngx_http_flv_live_push_extension(r);

    if (format != NGX_HTTP_FLV_LIVE_PUSH_ANY
        || r->headers_in.content_type == NULL)
    {
        return format;
    }

    type = &r->headers_in.content_type->value;

    p = ngx_strlchr(type->data, type->data + type->len, ';');
    len = p ? (size_t) (p - type->data) : type->len;

    while (len && type->data[len - 1] == ' ') {
        len--;
    }

    if (len == sizeof("video/x-flv") - 1
        && ngx_strncasecmp(type->data, (u_char *) "video/x-flv", len) == 0)
    {
        return NGX_HTTP_FLV_LIVE_PUSH_FLV;
    }

    if (len == sizeof("video/mp2t") - 1
        && ngx_strncasecmp(type->data, (u_char *) "video/mp2t", len) == 0)
    {
        return NGX_HTTP_FLV_LIVE_PUSH_TS;
    }

    return NGX_HTTP_FLV_LIVE_PUSH_ANY;
}


/* not r->exten, which knows none of a name that begins with the dot */

static ngx_uint_t
ngx_http_flv_live_push_extension(ngx_http_request_t *r)
{
    ngx_str_t  *uri;

    uri = &r->uri;

    if (uri->len >= 4
        && ngx_strncmp(uri->data + uri->len - 4, ".flv", 4) == 0)
    {
        return NGX_HTTP_FLV_LIVE_PUSH_FLV;
    }

    if (uri->len >= 3 && ngx_strncmp(uri->data + uri->len - 3, ".ts", 3) == 0)
    {
        return NGX_HTTP_FLV_LIVE_PUSH_TS;
    }

    return NGX_HTTP_FLV_LIVE_PUSH_ANY;
}


/*
 * APP/STREAM.EXTENSION: what follows the prefix of the location.  The rules
 * for URLs take the last extension off; a name that has none of ours is given
 * one, so that it stays whole.
 */

static ngx_int_t
ngx_http_flv_live_push_path(ngx_http_request_t *r, ngx_str_t *path)
{
    u_char                        *p;
    size_t                         skip;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_flv_live_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_flv_live_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    skip = flcf->whole ? 0 : clcf->name.len;

    if (skip > r->uri.len
        || ngx_strncmp(r->uri.data, clcf->name.data, skip) != 0)
    {
        skip = 0;
    }

    p = ngx_pnalloc(r->pool, r->uri.len + sizeof("/.flv") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    path->data = p;

    if (skip == r->uri.len || r->uri.data[skip] != '/') {
        *p++ = '/';
    }

    p = ngx_cpymem(p, r->uri.data + skip, r->uri.len - skip);

    if (ngx_http_flv_live_push_extension(r) == NGX_HTTP_FLV_LIVE_PUSH_ANY) {
        p = ngx_cpymem(p, ".flv", sizeof(".flv") - 1);
    }

    path->len = p - path->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_flv_live_push_names(ngx_http_flv_live_push_t *ctx)
{
    ngx_int_t                rc;
    ngx_str_t                path;
    ngx_media_session_t     *s;
    ngx_media_http_names_t   names;

    s = &ctx->session;

    if (ngx_http_flv_live_push_path(ctx->request, &path) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_media_http_names(ctx->request, &path, &names);
    if (rc != NGX_OK) {
        return rc;
    }

    /* what the statistics show besides the names */

    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_TCURL, names.tcurl.data,
                               names.tcurl.len);
    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_NAME, names.stream.data,
                               names.stream.len);
    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_PAGEURL, names.pageurl.data,
                               names.pageurl.len);

    switch (ngx_media_session_name(s, &names.vhost, &names.app,
                                   &names.stream, &names.args))
    {
    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        return ngx_http_flv_live_push_refuse(ctx);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_int_t
ngx_http_flv_live_push_refuse(ngx_http_flv_live_push_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "HTTP publish is refused: %s",
                  ngx_media_reason_text(ctx->session.reason));

    /* it may go on sending without an end */

    r->lingering_time = ngx_time() + NGX_HTTP_FLV_LIVE_PUSH_LINGER;

    return ngx_media_http_refuse(r,
                          ngx_http_flv_live_push_status(ctx->session.reason),
                          &ctx->session.redirect);
}


static ngx_int_t
ngx_http_flv_live_push_status(ngx_uint_t reason)
{
    switch (reason) {

    case NGX_MEDIA_REASON_NAME:
        return NGX_HTTP_BAD_REQUEST;

    case NGX_MEDIA_REASON_BUSY:
    case NGX_MEDIA_REASON_REPLACED:
        return NGX_HTTP_CONFLICT;

    case NGX_MEDIA_REASON_DENIED:
    case NGX_MEDIA_REASON_EXPIRED:
    case NGX_MEDIA_REASON_LIMIT:
    case NGX_MEDIA_REASON_KICKED:
        return NGX_HTTP_FORBIDDEN;

    case NGX_MEDIA_REASON_TIMEOUT:
        return NGX_HTTP_REQUEST_TIME_OUT;

    default:
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
}


/* the name is ours: asks for the body */

static ngx_int_t
ngx_http_flv_live_push_start(ngx_http_flv_live_push_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    r->request_body_no_buffering = 1;
    r->request_body_in_file_only = 0;

    rc = ngx_http_read_client_request_body(r, ngx_http_flv_live_push_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_flv_live_push_stop(ctx);
        return rc;
    }

    return NGX_DONE;
}


/* there is something of the body, or its end */

static void
ngx_http_flv_live_push_handler(ngx_http_request_t *r)
{
    ngx_http_flv_live_push_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_flv_live_module);

    if (ctx->done) {
        return;
    }

    r->read_event_handler = ngx_http_flv_live_push_handler;

    ngx_http_flv_live_push_read(ctx);
}


static void
ngx_http_flv_live_push_read(ngx_http_flv_live_push_t *ctx)
{
    off_t                before;
    ngx_int_t            rc;
    ngx_uint_t           i;
    ngx_http_request_t  *r;

    r = ctx->request;
    before = r->request_length;

    for (i = 0; /* void */ ; i++) {

        rc = ngx_http_flv_live_push_take(ctx);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_flv_live_push_finalize(ctx, rc);
            return;
        }

        if (!r->reading_body) {
            ngx_http_flv_live_push_end(ctx);
            return;
        }

        if (rc == NGX_DECLINED && i) {
            break;
        }

        if (i == NGX_HTTP_FLV_LIVE_PUSH_READS) {
            ngx_post_event(r->connection->read, &ngx_posted_next_events);
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_flv_live_push_finalize(ctx, rc);
            return;
        }
    }

    ngx_media_publish_flush(&ctx->session);

    rc = ngx_http_flv_live_push_nap(ctx, r->request_length - before);

    if (rc != NGX_OK) {
        ngx_http_flv_live_push_finalize(ctx, rc);
    }
}


/*
 * Waking up for each piece is most of what a pusher costs.  While there is no
 * player the socket is taken out of epoll and read every 100 ms.  Each of these
 * reads begins client_body_timeout anew, so that is looked at here.
 */

static ngx_int_t
ngx_http_flv_live_push_nap(ngx_http_flv_live_push_t *ctx, off_t got)
{
    ngx_event_t               *rev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    rev = r->connection->read;

    if (got) {
        ctx->heard = ngx_current_msec;
    }

    if (ngx_current_msec - ctx->begun < NGX_HTTP_FLV_LIVE_PUSH_YOUNG
        || got > NGX_HTTP_FLV_LIVE_PUSH_AWAKE || rev->posted || rev->ready
#if (NGX_HTTP_V2)
        || r->stream
#endif
#if (NGX_HTTP_SSL)
        || r->connection->ssl
#endif
        || ngx_media_publish_watched(&ctx->session))
    {
        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (ngx_current_msec - ctx->heard >= clcf->client_body_timeout) {
        r->connection->timedout = 1;
        return NGX_HTTP_REQUEST_TIME_OUT;
    }

    if (rev->active && ngx_del_event(rev, NGX_READ_EVENT, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ctx->nap.timer_set) {
        ngx_add_timer(&ctx->nap, NGX_HTTP_FLV_LIVE_PUSH_NAP);
    }

    return NGX_OK;
}


static void
ngx_http_flv_live_push_nap_handler(ngx_event_t *ev)
{
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ev->data;
    rev = c->read;

    ev->timedout = 0;

    /* as if epoll had told */

    rev->ready = 1;
    rev->available = -1;

    rev->handler(rev);
}


/* NGX_OK: there were bytes; NGX_DECLINED: none; else a status */

static ngx_int_t
ngx_http_flv_live_push_take(ngx_http_flv_live_push_t *ctx)
{
    size_t               n;
    ngx_buf_t           *b;
    ngx_int_t            rc, got;
    ngx_chain_t         *cl, *next;
    ngx_http_request_t  *r;

    r = ctx->request;

    cl = r->request_body->bufs;
    r->request_body->bufs = NULL;

    got = NGX_DECLINED;

    for ( /* void */ ; cl; cl = next) {
        next = cl->next;
        b = cl->buf;

        ngx_free_chain(r->pool, cl);

        if (!ngx_buf_in_memory(b)) {

            if (b->in_file) {
                ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                              "body of a live stream is in a file");
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }

            continue;
        }

        n = b->last - b->pos;

        if (n == 0) {
            continue;
        }

        got = NGX_OK;

        ngx_media_session_received(&ctx->session, n);

        rc = ngx_http_flv_live_push_input(ctx, b->pos, b->last);

        b->pos = b->last;

        if (rc == NGX_DECLINED) {
            return NGX_HTTP_BAD_REQUEST;
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return got;
}


static ngx_int_t
ngx_http_flv_live_push_input(ngx_http_flv_live_push_t *ctx,
    const u_char *pos, const u_char *end)
{
    if (ctx->format == NGX_HTTP_FLV_LIVE_PUSH_ANY) {

        if (*pos == 'F') {
            ctx->format = NGX_HTTP_FLV_LIVE_PUSH_FLV;

        } else if (*pos == NGX_MEDIA_TS_SYNC) {
            ctx->format = NGX_HTTP_FLV_LIVE_PUSH_TS;

            ngx_media_session_set_text(&ctx->session, NGX_MEDIA_TEXT_PROTOCOL,
                                       (u_char *) "ts", 2);

        } else {
            ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                          "HTTP publisher sent neither FLV nor MPEG-TS");
            return NGX_DECLINED;
        }
    }

    if (ctx->format == NGX_HTTP_FLV_LIVE_PUSH_FLV) {
        return ngx_http_flv_live_push_flv(ctx, pos, end);
    }

    if (ctx->ts == NULL) {
        ctx->ts = ngx_media_ts_input_create(ctx->request->pool, &ctx->session,
                                            ctx->request->connection->log);
        if (ctx->ts == NULL) {
            return NGX_ERROR;
        }
    }

    return ngx_media_ts_input(ctx->ts, pos, end);
}


/* the body is whole */

static void
ngx_http_flv_live_push_end(ngx_http_flv_live_push_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->format != NGX_HTTP_FLV_LIVE_PUSH_TS) {
        rc = ngx_http_flv_live_push_flv_end(ctx);

    } else {
        rc = ctx->ts ? ngx_media_ts_input_end(ctx->ts) : NGX_DECLINED;
    }

    ngx_media_publish_flush(&ctx->session);

    if (rc != NGX_OK) {
        ngx_http_flv_live_push_finalize(ctx, rc == NGX_DECLINED
                                             ? NGX_HTTP_BAD_REQUEST
                                             : NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_http_flv_live_push_stop(ctx);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    ngx_http_finalize_request(r, ngx_http_send_header(r));
}


static void
ngx_http_flv_live_push_stop(ngx_http_flv_live_push_t *ctx)
{
    ctx->done = 1;
    ctx->waiting = 0;

    if (ctx->nap.timer_set) {
        ngx_del_timer(&ctx->nap);
    }

    ngx_media_unpublish(&ctx->session);
}


static void
ngx_http_flv_live_push_finalize(ngx_http_flv_live_push_t *ctx, ngx_int_t rc)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_media_publish_flush(&ctx->session);
    ngx_http_flv_live_push_stop(ctx);

    /* it may go on sending without an end */

    r->lingering_time = ngx_time() + NGX_HTTP_FLV_LIVE_PUSH_LINGER;
    r->read_event_handler = ngx_http_block_reading;

    ngx_http_finalize_request(r, rc);
}


static void
ngx_http_flv_live_push_close_handler(ngx_media_session_t *s,
    ngx_uint_t reason)
{
    ngx_connection_t          *c;
    ngx_http_flv_live_push_t  *ctx;

    ctx = ngx_queue_data(s, ngx_http_flv_live_push_t, session);

    if (ctx->done) {
        return;
    }

    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    ngx_http_flv_live_push_finalize(ctx,
                                    ngx_http_flv_live_push_status(reason));

    ngx_http_run_posted_requests(c);
}


/* ngx_media_publish() had said NGX_AGAIN */

static void
ngx_http_flv_live_push_published(ngx_media_session_t *s, ngx_int_t rc)
{
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_flv_live_push_t  *ctx;

    ctx = ngx_queue_data(s, ngx_http_flv_live_push_t, session);

    if (ctx->done || !ctx->waiting) {
        return;
    }

    ctx->waiting = 0;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (rc == NGX_OK) {
        rc = ngx_http_flv_live_push_start(ctx);

    } else if (rc == NGX_DECLINED) {
        ctx->done = 1;
        rc = ngx_http_flv_live_push_refuse(ctx);

    } else {
        ctx->done = 1;
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* NGX_DONE: the body has a reference of its own */

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_flv_live_push_cleanup(void *data)
{
    ngx_http_flv_live_push_t  *ctx = data;

    ctx->done = 1;

    if (ctx->nap.timer_set) {
        ngx_del_timer(&ctx->nap);
    }

    ngx_http_flv_live_push_flv_free(ctx);

    if (ctx->ts) {
        ngx_media_ts_input_free(ctx->ts);
        ctx->ts = NULL;
    }
}
