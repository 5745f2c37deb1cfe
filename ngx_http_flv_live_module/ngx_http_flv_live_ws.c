
/*
 * Copyright (C) the nginx media suite authors
 *
 * WebSocket (RFC 6455) for players: the opening handshake, and what the
 * client says afterwards.  The stream itself is framed on the wire, once for
 * all players, one message per frame.
 *
 * A player's own frames (pongs, its close) go through the consumer, which
 * puts them between two messages.  A client that breaks the protocol gets a
 * close frame with the reason and nothing more.
 */


#include "ngx_http_flv_live.h"

#include <ngx_sha1.h>


#define NGX_HTTP_FLV_LIVE_WS_BUFFER  1024
#define NGX_HTTP_FLV_LIVE_WS_READS   16     /* then others have their turn */


static ngx_str_t *ngx_http_flv_live_ws_header(ngx_http_request_t *r,
    char *name, size_t len);
static void ngx_http_flv_live_ws_read_handler(ngx_http_request_t *r);
static ssize_t ngx_http_flv_live_ws_recv(ngx_http_request_t *r, u_char *buf,
    u_char **pos);
static ngx_int_t ngx_http_flv_live_ws_input(ngx_http_flv_live_ctx_t *ctx,
    const u_char *p, const u_char *end);
static ngx_int_t ngx_http_flv_live_ws_push(ngx_http_flv_live_ctx_t *ctx,
    ngx_uint_t opcode, const u_char *p, size_t n);
static ngx_int_t ngx_http_flv_live_ws_close(ngx_http_flv_live_ctx_t *ctx,
    ngx_uint_t status);


/*
 * Is it the opening handshake of a WebSocket?  Returns NGX_OK: it is;
 * NGX_DECLINED: a plain request; or the status of what is no good handshake.
 */

ngx_int_t
ngx_http_flv_live_ws_wanted(ngx_http_request_t *r)
{
    ngx_str_t   *key, *version, *upgrade, *connection;

    static ngx_str_t  thirteen = ngx_string("13");

    if (r->method != NGX_HTTP_GET || r->http_version != NGX_HTTP_VERSION_11) {
        return NGX_DECLINED;
    }

    upgrade = ngx_http_flv_live_ws_header(r, "upgrade", 7);
    connection = ngx_http_flv_live_ws_header(r, "connection", 10);

    if (upgrade == NULL || connection == NULL
        || ngx_strlcasestrn(upgrade->data, upgrade->data + upgrade->len,
                            (u_char *) "websocket", 9 - 1)
           == NULL
        || ngx_strlcasestrn(connection->data,
                            connection->data + connection->len,
                            (u_char *) "upgrade", 7 - 1)
           == NULL)
    {
        return NGX_DECLINED;
    }

    key = ngx_http_flv_live_ws_header(r, "sec-websocket-key", 17);
    version = ngx_http_flv_live_ws_header(r, "sec-websocket-version", 21);

    if (key && key->len == NGX_MEDIA_WS_KEY_SIZE
        && version && version->len == 2
        && ngx_strncmp(version->data, thirteen.data, 2) == 0
        && r->headers_in.content_length_n <= 0
        && !r->headers_in.chunked)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent a bad WebSocket handshake");

    if (ngx_media_http_header(r, "Sec-WebSocket-Version", &thirteen) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_BAD_REQUEST;
}


static ngx_str_t *
ngx_http_flv_live_ws_header(ngx_http_request_t *r, char *name, size_t len)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_strncmp(h[i].lowcase_key, name, len) == 0)
            {
                return &h[i].value;
            }
        }
    }

    return NULL;
}


/* the answer to the handshake (4.2.2), as ngx_http_send_header() */

ngx_int_t
ngx_http_flv_live_ws_head(ngx_http_flv_live_ctx_t *ctx)
{
    u_char               digest[20];
    ngx_str_t            src, dst, *key;
    ngx_sha1_t           sha1;
    ngx_http_request_t  *r;

    static ngx_str_t  websocket = ngx_string("websocket");

    r = ctx->request;

    key = ngx_http_flv_live_ws_header(r, "sec-websocket-key", 17);

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, key->data, key->len);
    ngx_sha1_update(&sha1, NGX_MEDIA_WS_GUID, sizeof(NGX_MEDIA_WS_GUID) - 1);
    ngx_sha1_final(digest, &sha1);

    src.data = digest;
    src.len = sizeof(digest);

    dst.data = ngx_pnalloc(r->pool, ngx_base64_encoded_length(src.len));
    if (dst.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&dst, &src);

    if (ngx_media_http_header(r, "Upgrade", &websocket) == NULL
        || ngx_media_http_header(r, "Sec-WebSocket-Accept", &dst) == NULL)
    {
        return NGX_ERROR;
    }

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");

    return ngx_http_send_header(r);
}


/* the header was sent: from now on the client is listened to */

void
ngx_http_flv_live_ws_begin(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    /* a close frame must not be lost to what the client sent meanwhile */

    r->lingering_close = 1;
    r->read_event_handler = ngx_http_flv_live_ws_read_handler;

    ngx_post_event(r->connection->read, &ngx_posted_events);
}


static void
ngx_http_flv_live_ws_read_handler(ngx_http_request_t *r)
{
    u_char                   *p;
    u_char                    buf[NGX_HTTP_FLV_LIVE_WS_BUFFER];
    ssize_t                   n;
    ngx_uint_t                i;
    ngx_connection_t         *c;
    ngx_http_flv_live_ctx_t  *ctx;

    c = r->connection;
    ctx = ngx_http_get_module_ctx(r, ngx_http_flv_live_module);

    for (i = 0; i < NGX_HTTP_FLV_LIVE_WS_READS; i++) {

        n = ngx_http_flv_live_ws_recv(r, buf, &p);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_http_flv_live_finalize(ctx, NGX_ERROR);
                return;
            }

            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_flv_live_finalize(ctx, NGX_HTTP_CLIENT_CLOSED_REQUEST);
            return;
        }

        ngx_media_session_received(&ctx->session, n);

        /* what follows a close frame means nothing */

        if (!ctx->ws_closed
            && ngx_http_flv_live_ws_input(ctx, p, p + n) != NGX_OK)
        {
            ngx_http_flv_live_finalize(ctx, NGX_ERROR);
            return;
        }
    }

    if (i == NGX_HTTP_FLV_LIVE_WS_READS) {
        ngx_post_event(c->read, &ngx_posted_next_events);
    }

    /* where the timer runs the client does not read: it must not go on */

    if (!c->write->timer_set
        && (!ngx_http_flv_live_drained(ctx)
            || ctx->state == NGX_HTTP_FLV_LIVE_ENDING))
    {
        ngx_http_flv_live_output(ctx);
    }
}


/* as c->recv(); what came together with the handshake is first */

static ssize_t
ngx_http_flv_live_ws_recv(ngx_http_request_t *r, u_char *buf, u_char **pos)
{
    ssize_t  n;

    n = r->header_in->last - r->header_in->pos;

    if (n > 0) {
        *pos = r->header_in->pos;
        r->header_in->pos = r->header_in->last;

        return n;
    }

    *pos = buf;

    return r->connection->recv(r->connection, buf,
                               NGX_HTTP_FLV_LIVE_WS_BUFFER);
}


static ngx_int_t
ngx_http_flv_live_ws_input(ngx_http_flv_live_ctx_t *ctx, const u_char *p,
    const u_char *end)
{
    ngx_int_t        rc;
    ngx_uint_t       status;
    ngx_media_ws_t  *ws;

    ws = &ctx->ws;

    for ( ;; ) {

        rc = ngx_media_ws_parse(ws, &p, end);

        if (rc == NGX_MEDIA_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_MEDIA_ERROR) {
            ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                          "client broke the WebSocket protocol: %uD",
                          (uint32_t) ws->status);

            return ngx_http_flv_live_ws_close(ctx, ws->status);
        }

        if (ws->opcode == NGX_MEDIA_WS_CLOSE) {
            status = NGX_MEDIA_WS_NORMAL;

            if (ws->size >= 2) {
                status = ws->payload[0] << 8 | ws->payload[1];
            }

            return ngx_http_flv_live_ws_close(ctx, status);
        }

        if (ws->opcode == NGX_MEDIA_WS_PING
            && ngx_http_flv_live_ws_push(ctx, NGX_MEDIA_WS_PONG, ws->payload,
                                         ws->size)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
}


/* queues a control frame, to be sent between two messages */

static ngx_int_t
ngx_http_flv_live_ws_push(ngx_http_flv_live_ctx_t *ctx, ngx_uint_t opcode,
    const u_char *p, size_t n)
{
    u_char  *last;
    u_char   buf[NGX_MEDIA_WS_HEADER_MAX + NGX_MEDIA_WS_CONTROL_MAX];

    last = ngx_media_ws_header(buf, opcode, n);
    last = ngx_cpymem(last, p, n);

    return ngx_media_consumer_push(&ctx->consumer, buf, last - buf);
}


/* the message that was begun goes out, then a close frame, and no more */

static ngx_int_t
ngx_http_flv_live_ws_close(ngx_http_flv_live_ctx_t *ctx, ngx_uint_t status)
{
    u_char  payload[2];

    payload[0] = (u_char) (status >> 8);
    payload[1] = (u_char) status;

    ngx_media_play_pause(&ctx->consumer, 1);

    if (ngx_http_flv_live_ws_push(ctx, NGX_MEDIA_WS_CLOSE, payload, 2)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->ws_closed = 1;
    ctx->state = NGX_HTTP_FLV_LIVE_ENDING;

    return NGX_OK;
}


/* the stream is over: a close frame is the last of the response */

ngx_int_t
ngx_http_flv_live_ws_last(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_create_temp_buf(ctx->request->pool, NGX_MEDIA_WS_HEADER_MAX + 2);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_media_ws_header(b->last, NGX_MEDIA_WS_CLOSE, 2);
    *b->last++ = (u_char) (NGX_MEDIA_WS_NORMAL >> 8);
    *b->last++ = (u_char) (NGX_MEDIA_WS_NORMAL & 0xff);
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    ctx->ws_closed = 1;

    return ngx_http_output_filter(ctx->request, &out);
}
