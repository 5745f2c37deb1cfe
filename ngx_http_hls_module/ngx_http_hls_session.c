
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
static ngx_int_t ngx_http_hls_session_new(ngx_http_hls_ctx_t *ctx);
static u_char *ngx_http_hls_session_query(ngx_http_request_t *r, u_char *p);


/* NGX_OK: it may be answered; else a status */

ngx_int_t
ngx_http_hls_session(ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_media_viewer_t  viewer;

    if (!ctx->conf->session || ctx->checked
        || ctx->name.kind == NGX_MEDIA_HLS_NAME_MPD)
    {
        return NGX_OK;
    }

    ctx->checked = 1;

    /* who begins with the name of the stream becomes a viewer */

    if (ctx->query.ctx_len == 0) {
        ctx->private = (ctx->name.kind == NGX_MEDIA_HLS_NAME_PLAYLIST
                        && !ctx->query.has_msn && !ctx->query.skip);
        return NGX_OK;
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

    return NGX_OK;
}


/* the stream is there, a playlist of it is asked for: who by? */

ngx_int_t
ngx_http_hls_session_enter(ngx_http_hls_ctx_t *ctx)
{
    u_char  *p, *args;

    if (!ctx->private || ctx->entered) {
        return NGX_OK;
    }

    if ((ctx->viewer[0] == '\0' || ctx->unknown)
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


static void
ngx_http_hls_session_texts(ngx_http_hls_ctx_t *ctx,
    ngx_media_viewer_t *viewer)
{
    ngx_memzero(viewer, sizeof(ngx_media_viewer_t));

    viewer->text[NGX_MEDIA_TEXT_VHOST] = ctx->output->hls->vhost;
    viewer->text[NGX_MEDIA_TEXT_APP] = ctx->app;
    viewer->text[NGX_MEDIA_TEXT_STREAM] = ctx->stream;
}


static ngx_int_t
ngx_http_hls_session_new(ngx_http_hls_ctx_t *ctx)
{
    u_char               buf[512];
    ngx_str_t            host;
    ngx_uint_t           secure;
    ngx_media_viewer_t   viewer;
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_http_hls_session_texts(ctx, &viewer);

    host = r->headers_in.host ? r->headers_in.host->value
                              : r->headers_in.server;
    secure = 0;

#if (NGX_HTTP_SSL)
    secure = (r->connection->ssl != NULL);
#endif

    viewer.text[NGX_MEDIA_TEXT_TCURL].data = buf;
    viewer.text[NGX_MEDIA_TEXT_TCURL].len =
        ngx_slprintf(buf, buf + sizeof(buf), "http%s://%V/%V",
                     secure ? "s" : "", &host, &ctx->app) - buf;

    viewer.text[NGX_MEDIA_TEXT_ARGS] = r->args;
    viewer.text[NGX_MEDIA_TEXT_IP] = r->connection->addr_text;
    ngx_str_set(&viewer.text[NGX_MEDIA_TEXT_PROTOCOL], "hls");

    viewer.text[NGX_MEDIA_TEXT_NAME].data = (u_char *) ctx->name.stream;
    viewer.text[NGX_MEDIA_TEXT_NAME].len = r->uri.data + r->uri.len
                                           - ctx->name.stream;

    if (r->headers_in.referer) {
        viewer.text[NGX_MEDIA_TEXT_PAGEURL] = r->headers_in.referer->value;
    }

    viewer.type = NGX_MEDIA_CLIENT_HLS_PLAY;
    viewer.silence = ctx->conf->window * 2;

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
