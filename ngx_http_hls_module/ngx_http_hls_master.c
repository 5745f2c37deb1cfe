
/*
 * Copyright (C) the nginx media suite authors
 *
 * Multivariant playlists: the renditions of one output, or the members of a
 * group (hls_group), which are outputs of their own.  Views are copied for as
 * long as the playlist is written.
 */


#include "ngx_http_hls.h"
#include "ngx_media_mpd.h"


/* how long a group waits for members that are live but not yet cut, ms */

#define NGX_HTTP_HLS_GROUP_WAIT    3000


typedef struct {
    ngx_http_hls_ctx_t         *ctx;
    ngx_uint_t                  n;
    ngx_uint_t                  max;
    ngx_media_m3u8_variant_t   *variants;
    ngx_media_hls_view_t       *views;
} ngx_http_hls_variants_t;


static ngx_int_t ngx_http_hls_variants_init(ngx_http_hls_variants_t *v,
    ngx_http_hls_ctx_t *ctx, ngx_uint_t max);
static ngx_int_t ngx_http_hls_variants_add(ngx_http_hls_variants_t *v,
    ngx_media_hls_t *hls, ngx_str_t *stream);
static ngx_int_t ngx_http_hls_variants_send(ngx_http_hls_variants_t *v,
    ngx_uint_t kind, uint64_t version);
static ngx_int_t ngx_http_hls_group_write(ngx_http_hls_ctx_t *ctx,
    ngx_media_hls_t **hls, ngx_str_t *streams, ngx_uint_t n);


ngx_int_t
ngx_http_hls_master(ngx_http_hls_ctx_t *ctx)
{
    uint64_t                  version;
    ngx_int_t                 rc;
    ngx_str_t                 uri;
    ngx_media_hls_t          *hls;
    ngx_http_hls_text_t      *text;
    ngx_http_hls_variants_t   v;

    hls = ctx->output->hls;

    version = ngx_media_hls_version(hls, 0);

    text = ngx_http_hls_text_find(ctx, NGX_HTTP_HLS_TEXT_MASTER, 0, version);

    if (text) {
        return ngx_http_hls_text_answer(ctx, text,
                                        NGX_HTTP_HLS_CACHE_PLAYLIST);
    }

    if (ngx_http_hls_variants_init(&v, ctx, ngx_media_hls_renditions(hls))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_hls_variants_add(&v, hls, &ctx->escaped);

    /* a viewer that is new and gets one playlist: of the same name */

    if (rc == NGX_OK && ctx->private && v.n == 1) {
        rc = ngx_http_hls_session_uri(ctx, &uri);

        v.variants[0].uri = uri.data;
        v.variants[0].uri_len = uri.len;
    }

    if (rc == NGX_OK) {
        ctx->output->target = v.views[0].target;
        rc = ngx_http_hls_variants_send(&v, NGX_HTTP_HLS_TEXT_MASTER, version);
    }

    ngx_free(v.views);

    return rc;
}


static ngx_int_t
ngx_http_hls_variants_init(ngx_http_hls_variants_t *v,
    ngx_http_hls_ctx_t *ctx, ngx_uint_t max)
{
    ngx_memzero(v, sizeof(ngx_http_hls_variants_t));

    if (max == 0) {
        return NGX_ERROR;
    }

    v->ctx = ctx;
    v->max = max;

    v->variants = ngx_pcalloc(ctx->request->pool,
                              max * sizeof(ngx_media_m3u8_variant_t));
    if (v->variants == NULL) {
        return NGX_ERROR;
    }

    v->views = ngx_alloc(max * sizeof(ngx_media_hls_view_t), ngx_cycle->log);
    if (v->views == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* all renditions of an output; NGX_OK, or what the request is to end with */

static ngx_int_t
ngx_http_hls_variants_add(ngx_http_hls_variants_t *v, ngx_media_hls_t *hls,
    ngx_str_t *stream)
{
    size_t                     len;
    u_char                    *p;
    ngx_str_t                 *args;
    ngx_uint_t                 i, n;
    ngx_media_hls_view_t      *view;
    ngx_media_m3u8_variant_t  *variant;

    args = &v->ctx->args;
    n = ngx_media_hls_renditions(hls);

    for (i = 0; i < n && v->n < v->max; i++) {

        view = ngx_http_hls_view(hls, i);
        if (view == NULL) {
            return NGX_HTTP_SERVICE_UNAVAILABLE;
        }

        v->views[v->n] = *view;
        view = &v->views[v->n];

        len = ngx_strnlen((u_char *) view->tag, NGX_MEDIA_HLS_TAG_LEN);

        p = ngx_pnalloc(v->ctx->request->pool, stream->len + args->len + len
                                               + sizeof(".hls.0.m3u8?"));
        if (p == NULL) {
            return NGX_ERROR;
        }

        variant = &v->variants[v->n++];
        variant->view = view;
        variant->uri = p;

        p = ngx_sprintf(p, "%V.hls.%*s.m3u8", stream, len ? len : (size_t) 1,
                        len ? (u_char *) view->tag : (u_char *) "0");

        if (args->len) {
            p = ngx_sprintf(p, "?%V", args);
        }

        variant->uri_len = p - variant->uri;

        if (len) {
            variant->name = (u_char *) view->tag;
            variant->name_len = len;
        }
    }

    return v->n ? NGX_OK : NGX_HTTP_SERVICE_UNAVAILABLE;
}


static ngx_int_t
ngx_http_hls_variants_send(ngx_http_hls_variants_t *v, ngx_uint_t kind,
    uint64_t version)
{
    size_t   len, size;
    u_char  *p;

    size = 4096;

    for ( ;; ) {
        p = ngx_http_hls_scratch(size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        len = ngx_media_m3u8_master(v->variants, (unsigned) v->n, p, size);

        if (len <= size) {
            break;
        }

        size = len;
    }

    return ngx_http_hls_text_send(v->ctx, kind, 0, version, p, len,
                                  v->views[0].target,
                                  NGX_HTTP_HLS_CACHE_PLAYLIST);
}


/* --- groups ------------------------------------------------------------- */

ngx_media_hls_group_t *
ngx_http_hls_group_find(ngx_http_hls_ctx_t *ctx)
{
    ngx_uint_t              i;
    ngx_media_hls_group_t  *group;

    if (ctx->conf->groups == NULL || ctx->conf->mode == NGX_MEDIA_HLS_OFF) {
        return NULL;
    }

    group = ctx->conf->groups->elts;

    for (i = 0; i < ctx->conf->groups->nelts; i++) {

        if (group[i].name.len == ctx->stream.len
            && ngx_memcmp(group[i].name.data, ctx->stream.data,
                          ctx->stream.len)
               == 0)
        {
            return &group[i];
        }
    }

    return NULL;
}


/*
 * Those of its members that are there now.  As each is asked for, demand
 * outputs begin to be cut, and those that have begun are waited for.
 */

ngx_int_t
ngx_http_hls_group(ngx_http_hls_ctx_t *ctx, ngx_media_hls_group_t *group)
{
    ngx_int_t          rc;
    ngx_str_t         *stream, *streams;
    ngx_uint_t         i, n, wait;
    ngx_media_hls_t  **hls;

    stream = group->streams.elts;
    n = 0;
    wait = 0;

    hls = ngx_palloc(ctx->request->pool,
                     group->streams.nelts
                     * (sizeof(ngx_media_hls_t *) + sizeof(ngx_str_t)));
    if (hls == NULL) {
        return NGX_ERROR;
    }

    streams = (ngx_str_t *) (hls + group->streams.nelts);

    for (i = 0; i < group->streams.nelts; i++) {

        rc = ngx_media_hls_get(&ctx->vhost, &ctx->app, &stream[i], &hls[n]);

        if (rc == NGX_AGAIN) {
            wait = 1;
        }

        if (rc == NGX_OK) {
            streams[n++] = stream[i];
        }
    }

    if (ctx->deadline == 0) {
        ctx->deadline = ngx_current_msec + NGX_HTTP_HLS_GROUP_WAIT;
    }

    if (wait
        && (ngx_msec_int_t) (ctx->deadline - ngx_current_msec)
           > NGX_HTTP_HLS_POLL)
    {
        return ngx_http_hls_want_poll(ctx);
    }

    if (n == 0) {
        return wait ? NGX_HTTP_SERVICE_UNAVAILABLE : NGX_HTTP_NOT_FOUND;
    }

    if (ngx_http_hls_args(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_hls_group_write(ctx, hls, streams, n);
}


static ngx_int_t
ngx_http_hls_group_write(ngx_http_hls_ctx_t *ctx, ngx_media_hls_t **hls,
    ngx_str_t *streams, ngx_uint_t n)
{
    ngx_int_t                rc;
    ngx_str_t                escaped;
    ngx_uint_t               i, renditions;
    ngx_http_hls_variants_t  v;

    renditions = 0;

    for (i = 0; i < n; i++) {
        renditions += ngx_media_hls_renditions(hls[i]);
    }

    if (ngx_http_hls_variants_init(&v, ctx, renditions) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (i = 0; i < n && rc == NGX_OK; i++) {

        rc = ngx_http_hls_escape(ctx->request->pool, &streams[i], &escaped);

        if (rc == NGX_OK && ctx->conf->session) {
            rc = ngx_http_hls_session_member(ctx);
        }

        if (rc == NGX_OK) {
            rc = ngx_http_hls_variants_add(&v, hls[i], &escaped);
        }
    }

    if (rc == NGX_OK) {
        ctx->once = 1;
        rc = ngx_http_hls_variants_send(&v, NGX_HTTP_HLS_TEXT_MASTER, 0);
    }

    ngx_free(v.views);

    return rc;
}


/* --- DASH --------------------------------------------------------------- */

/* not kept: players set their clocks by it */

ngx_int_t
ngx_http_hls_mpd(ngx_http_hls_ctx_t *ctx)
{
    size_t                         len, size;
    u_char                        *p;
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    struct timeval                 tv;
    ngx_media_hls_t               *hls;
    ngx_http_hls_variants_t        v;
    ngx_media_mpd_params_t         params;
    const ngx_media_hls_view_t    *views[NGX_MEDIA_HLS_RENDITIONS];

    hls = ctx->output->hls;

    if (!ctx->conf->dash) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (ngx_http_hls_variants_init(&v, ctx, ngx_media_hls_renditions(hls))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_hls_variants_add(&v, hls, &ctx->escaped);

    if (rc != NGX_OK) {
        ngx_free(v.views);
        return rc;
    }

    for (i = 0; i < v.n && i < NGX_MEDIA_HLS_RENDITIONS; i++) {
        views[i] = &v.views[i];
    }

    ngx_memzero(&params, sizeof(ngx_media_mpd_params_t));

    ngx_gettimeofday(&tv);

    params.stream = ctx->escaped.data;
    params.stream_len = ctx->escaped.len;
    params.args = ctx->args.data;
    params.args_len = ctx->args.len;
    params.prefix = ctx->conf->entry_prefix.data;
    params.prefix_len = ctx->conf->entry_prefix.len;
    params.low_latency = 1;
    params.now = (int64_t) tv.tv_sec * 1000000 + tv.tv_usec;

    size = 16384;

    for ( ;; ) {
        p = ngx_http_hls_scratch(size);

        if (p == NULL) {
            len = 0;
            rc = NGX_ERROR;
            break;
        }

        len = ngx_media_mpd(views, (unsigned) i, &params, p, size);

        if (len <= size) {
            rc = len ? NGX_OK : NGX_HTTP_SERVICE_UNAVAILABLE;
            break;
        }

        size = len;
    }

    if (rc == NGX_OK) {
        ctx->once = 1;
        rc = ngx_http_hls_text_send(ctx, NGX_HTTP_HLS_TEXT_MPD, 0, 0, p, len,
                                    v.views[0].target,
                                    NGX_HTTP_HLS_CACHE_PLAYLIST);
    }

    ngx_free(v.views);

    return rc;
}
