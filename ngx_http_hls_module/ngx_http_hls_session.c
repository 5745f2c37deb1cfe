
/*
 * Copyright (C) the nginx media suite authors
 *
 * Sessions (hls_session): a viewer gets an id with the first playlist, which
 * comes back as hls_ctx with each request, to whatever worker.  The core
 * counts it as a client; one that is kicked is refused.
 *
 * Called before a request is answered, and when it is gone (bytes).
 */


#include "ngx_http_hls.h"


#define NGX_HTTP_HLS_CTX           "hls_ctx="


static void ngx_http_hls_session_texts(ngx_http_hls_ctx_t *ctx,
    ngx_media_viewer_t *viewer);
static ngx_int_t ngx_http_hls_session_known(ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_session_ask(ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_session_asked(ngx_media_ask_t *ask, ngx_int_t rc);
static ngx_int_t ngx_http_hls_session_answer(ngx_http_hls_ctx_t *ctx,
    ngx_int_t rc);
static void ngx_http_hls_session_about(ngx_http_hls_ctx_t *ctx,
    ngx_media_viewer_t *viewer);
static ngx_int_t ngx_http_hls_session_new(ngx_http_hls_ctx_t *ctx);
static u_char *ngx_http_hls_session_query(ngx_http_request_t *r, u_char *p);


/*
 * May it be answered?  A viewer that is known was allowed when it came; of all
 * others guards are asked.  NGX_OK; NGX_AGAIN: ngx_http_hls_wake() follows;
 * else a status.
 */

ngx_int_t
ngx_http_hls_permit(ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_hls_session_known(ctx);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_hls_session_ask(ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    return ngx_http_hls_session_answer(ctx, rc);
}


/* NGX_OK: there is such a viewer; NGX_DECLINED: there is none; else a status */

static ngx_int_t
ngx_http_hls_session_known(ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_media_viewer_t  viewer;

    if (!ctx->conf->session || ctx->name.kind == NGX_MEDIA_HLS_NAME_MPD
        || (ctx->name.kind == NGX_MEDIA_HLS_NAME_PLAYLIST
            && ngx_http_hls_group_find(ctx)))
    {
        return NGX_DECLINED;
    }

    /* who begins with the name of the stream becomes a viewer */

    if (ctx->query.ctx_len == 0) {

        if (ctx->name.kind == NGX_MEDIA_HLS_NAME_PLAYLIST
            && !ctx->query.has_msn && !ctx->query.skip)
        {
            ngx_media_viewer_id(ctx->viewer);
            ctx->private = 1;
            ctx->unknown = 1;
        }

        return NGX_DECLINED;
    }

    ctx->private = 1;

    if (ctx->query.ctx_len != NGX_MEDIA_VIEWER_ID) {
        return NGX_HTTP_NOT_FOUND;
    }

    for (i = 0; i < NGX_MEDIA_VIEWER_ID; i++) {
        ctx->viewer[i] = ctx->query.ctx[i];

        if ((ctx->viewer[i] < '0' || ctx->viewer[i] > '9')
            && (ctx->viewer[i] < 'a' || ctx->viewer[i] > 'z'))
        {
            return NGX_HTTP_NOT_FOUND;
        }
    }

    ngx_http_hls_session_texts(ctx, &viewer);

    rc = ngx_media_viewer_seen(&viewer, ctx->viewer, 0,
                               (uint64_t) ctx->request->request_length);

    if (rc == NGX_ABORT) {
        ctx->viewer[0] = '\0';
        return NGX_HTTP_NOT_FOUND;
    }

    /* a player that was silent for long comes back: with its playlist */

    ctx->unknown = (rc == NGX_DECLINED);

    return rc;
}


static ngx_int_t
ngx_http_hls_session_ask(ngx_http_hls_ctx_t *ctx)
{
    void               **conf;
    ngx_str_t            vhost;
    ngx_media_ask_t     *ask;
    ngx_media_viewer_t   viewer;

    vhost = ctx->vhost;
    conf = ngx_media_policy(&vhost, &ctx->app);

    if (!ngx_media_ask_needed(conf)) {
        return NGX_OK;
    }

    ask = ngx_pcalloc(ctx->request->pool, sizeof(ngx_media_ask_t));
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ngx_http_hls_session_about(ctx, &viewer);

    ngx_memcpy(ask->text, viewer.text, sizeof(ask->text));

    ask->act = NGX_MEDIA_ACT_PLAY;
    ask->type = NGX_MEDIA_CLIENT_HLS_PLAY;
    ask->conf = conf;
    ask->connection = ctx->request->connection;
    ask->pool = ctx->request->pool;
    ask->token = ngx_media_http_token(ctx->request);
    ask->request = !ctx->private
                   || (ctx->name.kind != NGX_MEDIA_HLS_NAME_PLAYLIST
                       && ctx->name.kind != NGX_MEDIA_HLS_NAME_RENDITION);
    ask->done = ngx_http_hls_session_asked;
    ask->data = ctx;

    ctx->ask = ask;

    return ngx_media_ask(ask);
}


static void
ngx_http_hls_session_asked(ngx_media_ask_t *ask, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_hls_ctx_t  *ctx;

    ctx = ask->data;
    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    rc = ngx_http_hls_session_answer(ctx, rc);

    if (rc == NGX_OK) {
        ngx_http_hls_wake(ctx);
        return;
    }

    ngx_http_hls_finish(ctx, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_hls_session_answer(ngx_http_hls_ctx_t *ctx, ngx_int_t rc)
{
    ngx_media_ask_t     *ask;
    ngx_http_request_t  *r;

    ask = ctx->ask;
    r = ctx->request;

    if (rc == NGX_OK) {

        if (ask && ask->stream.len) {
            ctx->stream = ask->stream;
        }

        return NGX_OK;
    }

    if (rc != NGX_DECLINED || ask == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "play refused: %s",
                  ngx_media_reason_text(ask->reason));

    return ngx_media_http_refuse(r,
                                 ask->reason == NGX_MEDIA_REASON_NOT_FOUND
                                 ? NGX_HTTP_NOT_FOUND : NGX_HTTP_FORBIDDEN,
                                 &ask->redirect);
}


/* the stream is there, a playlist of it is asked for: who by? */

ngx_int_t
ngx_http_hls_session_enter(ngx_http_hls_ctx_t *ctx)
{
    u_char  *p, *args;

    if (!ctx->private || ctx->entered) {
        return NGX_OK;
    }

    if (ctx->unknown
        && ngx_http_hls_session_new(ctx) != NGX_OK)
    {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ctx->unknown = 0;
    ctx->entered = 1;

    p = ngx_pnalloc(ctx->request->pool, sizeof(NGX_HTTP_HLS_CTX)
                    + NGX_MEDIA_VIEWER_ID + ctx->args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    args = p;

    p = ngx_sprintf(p, NGX_HTTP_HLS_CTX "%*s", (size_t) NGX_MEDIA_VIEWER_ID,
                    ctx->viewer);

    if (ctx->args.len) {
        p = ngx_sprintf(p, "&%V", &ctx->args);
    }

    ctx->args.data = args;
    ctx->args.len = p - args;

    return NGX_OK;
}


/* behind a URI in a list of streams: who follows it becomes a viewer of that */

ngx_int_t
ngx_http_hls_session_member(ngx_http_hls_ctx_t *ctx)
{
    u_char              *p;
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_media_viewer_id(ctx->viewer);
    ctx->private = 1;

    p = ngx_pnalloc(r->pool, sizeof(NGX_HTTP_HLS_CTX) + NGX_MEDIA_VIEWER_ID
                             + 1 + 3 * r->args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->args.data = p;

    p = ngx_sprintf(p, NGX_HTTP_HLS_CTX "%*s", (size_t) NGX_MEDIA_VIEWER_ID,
                    ctx->viewer);
    p = ngx_http_hls_session_query(r, p);

    ctx->args.len = p - ctx->args.data;

    return NGX_OK;
}


static void
ngx_http_hls_session_texts(ngx_http_hls_ctx_t *ctx,
    ngx_media_viewer_t *viewer)
{
    ngx_memzero(viewer, sizeof(ngx_media_viewer_t));

    viewer->text[NGX_MEDIA_TEXT_VHOST] = ctx->vhost;
    viewer->text[NGX_MEDIA_TEXT_APP] = ctx->app;
    viewer->text[NGX_MEDIA_TEXT_STREAM] = ctx->stream;
}


/* all that is known of who asks; strings of the request */

static void
ngx_http_hls_session_about(ngx_http_hls_ctx_t *ctx,
    ngx_media_viewer_t *viewer)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_http_hls_session_texts(ctx, viewer);

    viewer->text[NGX_MEDIA_TEXT_TCURL] = ctx->names.tcurl;
    viewer->text[NGX_MEDIA_TEXT_PAGEURL] = ctx->names.pageurl;
    viewer->text[NGX_MEDIA_TEXT_ARGS] = r->args;
    viewer->text[NGX_MEDIA_TEXT_IP] = r->connection->addr_text;
    ngx_str_set(&viewer->text[NGX_MEDIA_TEXT_PROTOCOL], "hls");

    viewer->text[NGX_MEDIA_TEXT_NAME].data = (u_char *) ctx->name.stream;
    viewer->text[NGX_MEDIA_TEXT_NAME].len = r->uri.data + r->uri.len
                                            - ctx->name.stream;

    if (ctx->private) {

        viewer->text[NGX_MEDIA_TEXT_ID].data = ctx->viewer;
        viewer->text[NGX_MEDIA_TEXT_ID].len = NGX_MEDIA_VIEWER_ID;
    }
}


static ngx_int_t
ngx_http_hls_session_new(ngx_http_hls_ctx_t *ctx)
{
    ngx_media_viewer_t  viewer;

    ngx_http_hls_session_about(ctx, &viewer);

    viewer.type = NGX_MEDIA_CLIENT_HLS_PLAY;
    viewer.silence = ctx->conf->window * 2;

    if (ctx->ask) {
        viewer.lifetime = ctx->ask->lifetime;
        viewer.limits = ctx->ask->limits;
    }

    return ngx_media_viewer_new(&viewer, ctx->viewer);
}


/*
 * The first playlist of a viewer has one variant: the same name with the id
 * and the query that it came with.
 */

ngx_int_t
ngx_http_hls_session_uri(ngx_http_hls_ctx_t *ctx, ngx_str_t *uri)
{
    u_char              *p;
    ngx_http_request_t  *r;

    r = ctx->request;

    p = ngx_pnalloc(r->pool, ctx->escaped.len + sizeof(".m3u8?")
                             + sizeof(NGX_HTTP_HLS_CTX) + NGX_MEDIA_VIEWER_ID
                             + 3 * r->args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    uri->data = p;

    p = ngx_sprintf(p, "%V.m3u8?" NGX_HTTP_HLS_CTX "%*s", &ctx->escaped,
                    (size_t) NGX_MEDIA_VIEWER_ID, ctx->viewer);

    p = ngx_http_hls_session_query(r, p);

    uri->len = p - uri->data;

    return NGX_OK;
}


/* what stands for itself is not taken over, nor what ends an URI */

static u_char *
ngx_http_hls_session_query(ngx_http_request_t *r, u_char *p)
{
    u_char             *pos, *end, *last;
    static const u_char hex[] = "0123456789ABCDEF";

    last = r->args.data + r->args.len;

    for (pos = r->args.data; pos < last; pos = end + 1) {

        end = ngx_strlchr(pos, last, '&');

        if (end == NULL) {
            end = last;
        }

        if (end == pos
            || ngx_strncasecmp(pos, (u_char *) "_hls_",
                               ngx_min((size_t) (end - pos), 5)) == 0
            || ngx_strncasecmp(pos, (u_char *) NGX_HTTP_HLS_CTX,
                               ngx_min((size_t) (end - pos),
                                       sizeof(NGX_HTTP_HLS_CTX) - 1)) == 0)
        {
            continue;
        }

        *p++ = '&';

        for ( /* void */ ; pos < end; pos++) {

            if (*pos <= ' ' || *pos >= 0x7f || *pos == '"' || *pos == '<'
                || *pos == '>' || *pos == '\\')
            {
                *p++ = '%';
                *p++ = hex[*pos >> 4];
                *p++ = hex[*pos & 0xf];

            } else {
                *p++ = *pos;
            }
        }
    }

    return p;
}


/* the request is over */

void
ngx_http_hls_session_sent(ngx_http_hls_ctx_t *ctx, uint64_t sent)
{
    ngx_media_viewer_t  viewer;

    if (ctx->viewer[0] == '\0' || ctx->unknown) {
        return;
    }

    ngx_http_hls_session_texts(ctx, &viewer);

    (void) ngx_media_viewer_seen(&viewer, ctx->viewer, sent, 0);
}
