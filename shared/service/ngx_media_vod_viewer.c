
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: who plays recordings.  Rules and tokens look at each request.  Where
 * viewers have an id (hls_session), the first playlist of one names the true
 * one with an id in its URI, which comes back with all that is in it, as in
 * live HLS; on_play is asked about the viewer once, and again if he was silent
 * for long, since nobody asks for such a playlist twice.  What comes without
 * an id, a file or an export, is asked about each time.
 */


#include "ngx_media_vod.h"
#include "ngx_media_m3u8.h"
#include "ngx_media_text.h"


#define NGX_MEDIA_VOD_CTX        "hls_ctx="


static ngx_int_t ngx_media_vod_viewer(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_ask(ngx_media_vod_ctx_t *ctx,
    ngx_uint_t request);
static void ngx_media_vod_about(ngx_media_vod_ctx_t *ctx, ngx_str_t *text);
static void ngx_media_vod_asked(ngx_media_ask_t *ask, ngx_int_t rc);
static ngx_int_t ngx_media_vod_permitted(ngx_media_vod_ctx_t *ctx,
    ngx_int_t rc);
static ngx_uint_t ngx_media_vod_own(const u_char *p, size_t n,
    ngx_uint_t own);


/*
 * NGX_OK; NGX_AGAIN: ngx_media_vod_start() and _finish() follow; else a
 * status.
 */

ngx_int_t
ngx_media_vod_permit(ngx_media_vod_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_media_hls_conf_t  *hls;

    hls = ctx->conf[ngx_media_hls_policy_module.ctx_index];

    if (hls->session) {
        rc = ngx_media_vod_viewer(ctx);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return ngx_media_ask_needed(ctx->conf)
           ? ngx_media_vod_ask(ctx, !hls->session) : NGX_OK;
}


/* NGX_OK: is known; NGX_DECLINED: is to be asked about; else a status */

static ngx_int_t
ngx_media_vod_viewer(ngx_media_vod_ctx_t *ctx)
{
    ngx_int_t           rc;
    ngx_str_t           id;
    ngx_uint_t          i;
    ngx_media_viewer_t  viewer;

    if (ngx_http_arg(ctx->request, (u_char *) "hls_ctx", 7, &id) != NGX_OK) {

        if (ctx->name.kind == NGX_MEDIA_VOD_NAME_LIST) {
            ngx_media_viewer_id(ctx->viewer);
            ctx->session = 1;
            ctx->unknown = 1;
        }

        return NGX_DECLINED;
    }

    if (id.len != NGX_MEDIA_VIEWER_ID) {
        return NGX_HTTP_NOT_FOUND;
    }

    for (i = 0; i < NGX_MEDIA_VIEWER_ID; i++) {
        ctx->viewer[i] = id.data[i];

        if ((id.data[i] < '0' || id.data[i] > '9')
            && (id.data[i] < 'a' || id.data[i] > 'z'))
        {
            return NGX_HTTP_NOT_FOUND;
        }
    }

    ngx_memzero(&viewer, sizeof(ngx_media_viewer_t));
    ngx_media_vod_about(ctx, viewer.text);

    rc = ngx_media_viewer_seen(&viewer, ctx->viewer, 0,
                               (uint64_t) ctx->request->request_length);

    if (rc == NGX_ABORT) {
        return NGX_HTTP_NOT_FOUND;
    }

    ctx->session = 1;
    ctx->again = (rc == NGX_DECLINED);

    return rc;
}


static ngx_int_t
ngx_media_vod_ask(ngx_media_vod_ctx_t *ctx, ngx_uint_t request)
{
    ngx_int_t         rc;
    ngx_media_ask_t  *ask;

    ask = ngx_pcalloc(ctx->request->pool, sizeof(ngx_media_ask_t));
    if (ask == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_media_vod_about(ctx, ask->text);

    ask->act = NGX_MEDIA_ACT_PLAY;
    ask->type = NGX_MEDIA_CLIENT_HLS_PLAY;
    ask->conf = ctx->conf;
    ask->connection = ctx->request->connection;
    ask->pool = ctx->request->pool;
    ask->token = ngx_media_http_token(ctx->request);
    ask->request = request;
    ask->done = ngx_media_vod_asked;
    ask->data = ctx;

    ctx->ask = ask;

    rc = ngx_media_ask(ask);

    return (rc == NGX_AGAIN) ? NGX_AGAIN : ngx_media_vod_permitted(ctx, rc);
}


/* there is what is asked for: the viewer is one from now on */

ngx_int_t
ngx_media_vod_enter(ngx_media_vod_ctx_t *ctx)
{
    ngx_media_viewer_t     viewer;
    ngx_media_hls_conf_t  *hls;

    if (!ctx->session || !(ctx->unknown || ctx->again)) {
        return NGX_OK;
    }

    hls = ctx->conf[ngx_media_hls_policy_module.ctx_index];

    ngx_memzero(&viewer, sizeof(ngx_media_viewer_t));
    ngx_media_vod_about(ctx, viewer.text);

    viewer.type = NGX_MEDIA_CLIENT_HLS_PLAY;
    viewer.silence = hls->window * 2;

    if (ctx->ask) {
        viewer.lifetime = ctx->ask->lifetime;
        viewer.limits = ctx->ask->limits;
    }

    if (ngx_media_viewer_new(&viewer, ctx->viewer) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->unknown = 0;
    ctx->again = 0;

    return NGX_OK;
}


/* the request is over */

void
ngx_media_vod_sent(ngx_media_vod_ctx_t *ctx)
{
    off_t               sent;
    ngx_media_viewer_t  viewer;

    sent = ctx->request->connection->sent;

    if (!ctx->session || ctx->unknown || ctx->again || sent <= 0) {
        return;
    }

    ngx_memzero(&viewer, sizeof(ngx_media_viewer_t));
    ngx_media_vod_about(ctx, viewer.text);

    (void) ngx_media_viewer_seen(&viewer, ctx->viewer, (uint64_t) sent, 0);
}


/* all that is known of who asks; strings of the request */

static void
ngx_media_vod_about(ngx_media_vod_ctx_t *ctx, ngx_str_t *text)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    text[NGX_MEDIA_TEXT_VHOST] = ctx->vhost;
    text[NGX_MEDIA_TEXT_APP] = ctx->app;
    text[NGX_MEDIA_TEXT_STREAM] = ctx->stream;
    text[NGX_MEDIA_TEXT_TCURL] = ctx->names.tcurl;
    text[NGX_MEDIA_TEXT_PAGEURL] = ctx->names.pageurl;
    text[NGX_MEDIA_TEXT_ARGS] = r->args;
    text[NGX_MEDIA_TEXT_IP] = r->connection->addr_text;
    ngx_str_set(&text[NGX_MEDIA_TEXT_PROTOCOL], "hls");

    text[NGX_MEDIA_TEXT_NAME].data = (u_char *) ctx->name.stream;
    text[NGX_MEDIA_TEXT_NAME].len = r->uri.data + r->uri.len
                                    - ctx->name.stream;

    if (ctx->session) {
        text[NGX_MEDIA_TEXT_ID].data = ctx->viewer;
        text[NGX_MEDIA_TEXT_ID].len = NGX_MEDIA_VIEWER_ID;
    }
}


static void
ngx_media_vod_asked(ngx_media_ask_t *ask, ngx_int_t rc)
{
    ngx_connection_t     *c;
    ngx_media_vod_ctx_t  *ctx;

    ctx = ask->data;
    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    rc = ngx_media_vod_permitted(ctx, rc);

    if (rc == NGX_OK) {
        rc = ngx_media_vod_start(ctx);
    }

    if (rc != NGX_DONE) {
        ngx_media_vod_finish(ctx, rc);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_media_vod_permitted(ngx_media_vod_ctx_t *ctx, ngx_int_t rc)
{
    ngx_media_ask_t     *ask;
    ngx_http_request_t  *r;

    ask = ctx->ask;
    r = ctx->request;

    if (rc == NGX_OK) {

        if (ask->stream.len) {
            ctx->stream = ask->stream;
        }

        return NGX_OK;
    }

    if (rc != NGX_DECLINED) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "play refused: %s",
                  ngx_media_reason_text(ask->reason));

    return ngx_media_http_refuse(r,
                                 ask->reason == NGX_MEDIA_REASON_NOT_FOUND
                                 ? NGX_HTTP_NOT_FOUND : NGX_HTTP_FORBIDDEN,
                                 &ask->redirect);
}


/*
 * What goes behind the URIs of a playlist: relative ones inherit no query.
 * own: of the URI of the playlist itself, with what is about it alone.
 */

ngx_int_t
ngx_media_vod_args(ngx_media_vod_ctx_t *ctx, ngx_uint_t own)
{
    size_t                size;
    u_char               *p, *end, *last;
    ngx_str_t            *args;
    ngx_media_text_t      t;
    ngx_media_vod_job_t  *job;

    job = ctx->job;
    args = &ctx->request->args;

    size = sizeof(NGX_MEDIA_VOD_CTX) + NGX_MEDIA_VIEWER_ID
           + sizeof("&start=") + NGX_INT64_LEN + 3 * args->len;

    job->escaped.data = ngx_pnalloc(job->pool, 3 * job->stream.len + size);
    if (job->escaped.data == NULL) {
        return NGX_ERROR;
    }

    job->escaped.len = ngx_media_hls_escape(job->stream.data, job->stream.len,
                                            job->escaped.data,
                                            3 * job->stream.len);
    job->args.data = job->escaped.data + 3 * job->stream.len;

    ngx_media_text_init(&t, job->args.data, size);

    if (ctx->session) {
        ngx_media_text_lit(&t, NGX_MEDIA_VOD_CTX);
        ngx_media_text_put(&t, ctx->viewer, NGX_MEDIA_VIEWER_ID);
    }

    last = args->data + args->len;

    for (p = args->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        if (end == p || ngx_media_vod_own(p, (size_t) (end - p), own)) {
            continue;
        }

        if (t.len) {
            ngx_media_text_lit(&t, "&");
        }

        ngx_media_text_uri(&t, p, (size_t) (end - p));
    }

    /* the same range whenever it is asked for */

    if (own && job->id[0] == '\0' && !ctx->query.has_start) {
        ngx_media_text_lit(&t, "&start=");
        ngx_media_text_int(&t, job->from);
    }

    job->args.len = ngx_min(t.len, t.size);

    return NGX_OK;
}


/* an argument that does not go on */

static ngx_uint_t
ngx_media_vod_own(const u_char *p, size_t n, ngx_uint_t own)
{
    ngx_uint_t  i;

    static const ngx_str_t  names[] = {
        ngx_string("_hls_"),
        ngx_string(NGX_MEDIA_VOD_CTX),
        ngx_string("start="),
        ngx_string("end="),
        ngx_string("id=")
    };

    for (i = 0; i < (own ? 2 : sizeof(names) / sizeof(names[0])); i++) {

        if (n >= names[i].len
            && ngx_strncasecmp((u_char *) p, names[i].data, names[i].len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}
