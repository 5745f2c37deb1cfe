
/*
 * Copyright (C) the nginx media suite authors
 *
 * Playlists.  Each is written once per worker and version of its rendition in
 * each form that is asked for, and handed to all who ask, plain or with gzip;
 * what differs from client to client is written for each.
 *
 * The view that they are written from is copied out of the arena into one
 * buffer of the worker, which remembers what is in it.
 */


#include "ngx_http_hls.h"

#include <zlib.h>


#define NGX_HTTP_HLS_SCRATCH       32768
#define NGX_HTTP_HLS_VIEW_TRIES    200

/* how far ahead of the newest segment a request may be (6.2.5.2) */
#define NGX_HTTP_HLS_AHEAD         2
#define NGX_HTTP_HLS_AHEAD_MSEC    3000


typedef struct {
    ngx_media_hls_view_t    *view;
    ngx_media_hls_t         *hls;      /* what is in it, or NULL */
    ngx_uint_t               rendition;
    uint64_t                 version;

    u_char                  *scratch;
    size_t                   size;

    z_stream                 zstream;
    ngx_uint_t               zready;
} ngx_http_hls_worker_t;


static ngx_int_t ngx_http_hls_blocked(ngx_http_hls_ctx_t *ctx,
    ngx_uint_t rendition);
static ngx_int_t ngx_http_hls_media_write(ngx_http_hls_ctx_t *ctx,
    ngx_uint_t rendition, uint64_t version, ngx_uint_t cache);
static ngx_int_t ngx_http_hls_reports(ngx_http_hls_ctx_t *ctx,
    ngx_uint_t rendition, ngx_media_m3u8_params_t *params,
    ngx_media_hls_view_t *view);
static ngx_uint_t ngx_http_hls_text_cachable(ngx_http_hls_ctx_t *ctx);
static ngx_http_hls_text_t *ngx_http_hls_text_add(
    ngx_http_hls_output_t *output, ngx_str_t *args);
static void ngx_http_hls_text_free(ngx_http_hls_output_t *output,
    ngx_http_hls_text_t *text);
static ngx_http_hls_blob_t *ngx_http_hls_blob(u_char *p, size_t len,
    const char *suffix);
static ngx_http_hls_blob_t *ngx_http_hls_gzip(ngx_http_hls_blob_t *plain);
static ngx_int_t ngx_http_hls_blob_send(ngx_http_hls_ctx_t *ctx,
    ngx_http_hls_blob_t *blob, ngx_uint_t gzip);
static ngx_int_t ngx_http_hls_vary(ngx_http_request_t *r);


static ngx_http_hls_worker_t  ngx_http_hls_worker;


/* --- media playlists ---------------------------------------------------- */

ngx_int_t
ngx_http_hls_media(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition)
{
    uint64_t              version;
    ngx_int_t             rc;
    ngx_uint_t            cache, kind;
    ngx_http_hls_text_t  *text;

    rc = ngx_http_hls_blocked(ctx, rendition);
    if (rc != NGX_OK) {
        return rc;
    }

    cache = ctx->query.has_msn ? NGX_HTTP_HLS_CACHE_BLOCKED
                               : NGX_HTTP_HLS_CACHE_PLAYLIST;
    kind = ctx->query.skip ? NGX_HTTP_HLS_TEXT_DELTA
                           : NGX_HTTP_HLS_TEXT_MEDIA;

    /* first: what changes while it is written is written again */

    version = ngx_media_hls_version(ctx->output->hls, rendition);

    text = ngx_http_hls_text_find(ctx, kind, rendition, version);

    if (text) {
        return ngx_http_hls_text_answer(ctx, text, cache);
    }

    return ngx_http_hls_media_write(ctx, rendition, version, cache);
}


/* NGX_OK: it is to be answered now; NGX_HTTP_HLS_PARK; or a status */

static ngx_int_t
ngx_http_hls_blocked(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition)
{
    uint32_t    part, want, limit;
    uint64_t    msn, last;
    ngx_int_t   rc;
    ngx_uint_t  closed;

    msn = 0;
    part = 0;
    closed = 0;

    rc = ngx_media_hls_edge(ctx->output->hls, rendition, &msn, &part, &closed);

    if (rc == NGX_AGAIN) {
        return ngx_http_hls_want(ctx, rendition, 0, 0);
    }

    if (rc != NGX_OK || !ctx->query.has_msn) {
        return NGX_OK;
    }

    last = closed ? msn : msn - 1;
    want = ctx->query.has_part ? ctx->query.part : NGX_HTTP_HLS_WHOLE;

    limit = NGX_HTTP_HLS_AHEAD_MSEC / (uint32_t) ngx_max(ctx->conf->part, 1)
            + 3;

    if (ctx->query.msn > last + NGX_HTTP_HLS_AHEAD
        || (ctx->query.has_part && ctx->query.msn == msn && !closed
            && ctx->query.part > part + limit))
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (ngx_http_hls_due_passed(ctx->query.msn, want, msn, part, closed)) {
        return NGX_OK;
    }

    return ngx_http_hls_want(ctx, rendition, ctx->query.msn, want);
}


static ngx_int_t
ngx_http_hls_media_write(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition,
    uint64_t version, ngx_uint_t cache)
{
    size_t                    len, size;
    u_char                   *p;
    ngx_uint_t                kind;
    ngx_media_hls_view_t     *view;
    ngx_media_m3u8_params_t   params;

    view = ngx_http_hls_view(ctx->output->hls, rendition);
    if (view == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ctx->output->target = view->target;

    ngx_memzero(&params, sizeof(ngx_media_m3u8_params_t));

    params.stream = ctx->escaped.data;
    params.stream_len = ctx->escaped.len;
    params.args = ctx->args.data;
    params.args_len = ctx->args.len;
    params.prefix = ctx->conf->entry_prefix.data;
    params.prefix_len = ctx->conf->entry_prefix.len;
    params.key_url = ctx->conf->key_url.data;
    params.key_url_len = ctx->conf->key_url.len;
    params.skip = ctx->query.skip;
    params.can_skip = 1;
    params.can_block = 1;

    if (ctx->query.has_start) {
        params.start = ctx->query.start;

        if (params.start <= 0) {
            params.start += (int64_t) ngx_time();
        }

        params.start *= 1000000;
    }

    if (ngx_http_hls_reports(ctx, rendition, &params, view) != NGX_OK) {
        return NGX_ERROR;
    }

    kind = ctx->query.skip ? NGX_HTTP_HLS_TEXT_DELTA
                           : NGX_HTTP_HLS_TEXT_MEDIA;
    size = NGX_HTTP_HLS_SCRATCH;

    for ( ;; ) {
        p = ngx_http_hls_scratch(size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        len = ngx_media_m3u8_media(view, &params, p, size);

        if (len <= size) {
            break;
        }

        size = len;
    }

    return ngx_http_hls_text_send(ctx, kind, rendition, version, p, len,
                                  view->target, cache);
}


/* where the other renditions are: a player that changes need not ask */

static ngx_int_t
ngx_http_hls_reports(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition,
    ngx_media_m3u8_params_t *params, ngx_media_hls_view_t *view)
{
    u_char                   *p;
    uint32_t                  part;
    uint64_t                  msn;
    ngx_uint_t                i, n, closed;
    ngx_media_hls_t          *hls;
    ngx_media_m3u8_report_t  *report;
    char                      tag[NGX_MEDIA_HLS_TAG_LEN];

    hls = ctx->output->hls;
    n = ngx_media_hls_renditions(hls);

    if (n < 2 || view->part_target == 0) {
        return NGX_OK;
    }

    report = ngx_pcalloc(ctx->request->pool,
                         n * sizeof(ngx_media_m3u8_report_t));
    if (report == NULL) {
        return NGX_ERROR;
    }

    params->reports = report;

    for (i = 0; i < n; i++) {

        if (i == rendition
            || ngx_media_hls_edge(hls, i, &msn, &part, &closed) == NGX_AGAIN)
        {
            continue;
        }

        ngx_media_hls_tag(hls, i, tag);

        p = ngx_pnalloc(ctx->request->pool, ctx->escaped.len
                        + NGX_MEDIA_HLS_TAG_LEN + ctx->args.len
                        + sizeof(".hls..m3u8?"));
        if (p == NULL) {
            return NGX_ERROR;
        }

        report->uri = (char *) p;
        report->msn = msn;
        report->part = part;
        report->low_latency = 1;

        p = ngx_sprintf(p, "%V.hls.%s.m3u8", &ctx->escaped,
                        tag);

        if (ctx->args.len) {
            p = ngx_sprintf(p, "?%V", &ctx->args);
        }

        *p = '\0';

        report++;
        params->nreports++;
    }

    return NGX_OK;
}


/* --- what is written from ----------------------------------------------- */

/* good until the next call; NULL: not there, or no memory */

ngx_media_hls_view_t *
ngx_http_hls_view(ngx_media_hls_t *hls, ngx_uint_t i)
{
    uint64_t                version;
    ngx_int_t               rc;
    ngx_uint_t              n;
    ngx_http_hls_worker_t  *w;

    w = &ngx_http_hls_worker;

    version = ngx_media_hls_version(hls, i);

    if (w->view && w->hls == hls && w->rendition == i
        && w->version == version)
    {
        return w->view;
    }

    if (w->view == NULL) {
        w->view = ngx_alloc(sizeof(ngx_media_hls_view_t), ngx_cycle->log);
        if (w->view == NULL) {
            return NULL;
        }
    }

    w->hls = NULL;

    for (n = 0; n < NGX_HTTP_HLS_VIEW_TRIES; n++) {

        rc = ngx_media_hls_view(hls, i, w->view);

        if (rc == NGX_OK) {
            w->hls = hls;
            w->rendition = i;
            w->version = version;

            return w->view;
        }

        if (rc != NGX_AGAIN) {
            return NULL;
        }

        ngx_cpu_pause();
        ngx_sched_yield();
    }

    return NULL;
}


uint32_t
ngx_http_hls_target(ngx_http_hls_output_t *output, ngx_uint_t i)
{
    ngx_media_hls_view_t  *view;

    if (output->target == 0) {
        view = ngx_http_hls_view(output->hls, i);

        if (view) {
            output->target = view->target;
        }
    }

    return output->target;
}


u_char *
ngx_http_hls_scratch(size_t n)
{
    u_char                 *p;
    ngx_http_hls_worker_t  *w;

    w = &ngx_http_hls_worker;

    if (n > w->size) {
        p = ngx_alloc(n, ngx_cycle->log);
        if (p == NULL) {
            return NULL;
        }

        ngx_free(w->scratch);

        w->scratch = p;
        w->size = n;
    }

    return w->scratch;
}


/* --- texts: playlists that are kept ------------------------------------- */

/* what one client alone asks for is not kept */

static ngx_uint_t
ngx_http_hls_text_cachable(ngx_http_hls_ctx_t *ctx)
{
    return !ctx->query.has_start && !ctx->private && !ctx->once
           && ctx->args.len <= sizeof(((ngx_http_hls_text_t *) 0)->args);
}


ngx_http_hls_text_t *
ngx_http_hls_text_find(ngx_http_hls_ctx_t *ctx, ngx_uint_t kind,
    ngx_uint_t rendition, uint64_t version)
{
    ngx_queue_t            *q, *next;
    ngx_http_hls_text_t    *text;
    ngx_http_hls_output_t  *output;

    output = ctx->output;

    if (!ngx_http_hls_text_cachable(ctx)) {
        return NULL;
    }

    for (q = ngx_queue_head(&output->texts);
         q != ngx_queue_sentinel(&output->texts);
         q = next)
    {
        next = ngx_queue_next(q);
        text = ngx_queue_data(q, ngx_http_hls_text_t, queue);

        if (text->kind != kind || text->rendition != rendition
            || text->args_len != ctx->args.len
            || (ctx->args.len
                && ngx_memcmp(text->args, ctx->args.data, ctx->args.len) != 0))
        {
            continue;
        }

        if (text->version != version) {
            ngx_http_hls_text_free(output, text);
            return NULL;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_head(&output->texts, q);

        return text;
    }

    return NULL;
}


/* sends what was written, and keeps it where others may ask for it */

ngx_int_t
ngx_http_hls_text_send(ngx_http_hls_ctx_t *ctx, ngx_uint_t kind,
    ngx_uint_t rendition, uint64_t version, u_char *p, size_t len,
    uint32_t target, ngx_uint_t cache)
{
    ngx_http_hls_blob_t  *plain;
    ngx_http_hls_text_t  *text, once;

    plain = ngx_http_hls_blob(p, len, "");
    if (plain == NULL) {
        return NGX_ERROR;
    }

    if (!ngx_http_hls_text_cachable(ctx)) {

        ngx_memzero(&once, sizeof(ngx_http_hls_text_t));

        once.kind = kind;
        once.target = target;
        once.plain = plain;

        ctx->blob = plain;

        return ngx_http_hls_text_answer(ctx, &once,
                                        ctx->private ? NGX_HTTP_HLS_CACHE_NONE
                                                     : cache);
    }

    text = ngx_http_hls_text_add(ctx->output, &ctx->args);

    if (text == NULL) {
        ngx_http_hls_blob_unref(plain);
        return NGX_ERROR;
    }

    text->kind = kind;
    text->rendition = rendition;
    text->version = version;
    text->target = target;
    text->plain = plain;

    return ngx_http_hls_text_answer(ctx, text, cache);
}


static ngx_http_hls_text_t *
ngx_http_hls_text_add(ngx_http_hls_output_t *output, ngx_str_t *args)
{
    ngx_queue_t          *q;
    ngx_http_hls_text_t  *text;

    if (output->ntexts == NGX_HTTP_HLS_TEXTS) {
        q = ngx_queue_last(&output->texts);
        text = ngx_queue_data(q, ngx_http_hls_text_t, queue);

        ngx_http_hls_text_free(output, text);
    }

    text = ngx_calloc(sizeof(ngx_http_hls_text_t), ngx_cycle->log);
    if (text == NULL) {
        return NULL;
    }

    if (args->len) {
        ngx_memcpy(text->args, args->data, args->len);
        text->args_len = args->len;
    }

    ngx_queue_insert_head(&output->texts, &text->queue);
    output->ntexts++;

    return text;
}


static void
ngx_http_hls_text_free(ngx_http_hls_output_t *output,
    ngx_http_hls_text_t *text)
{
    ngx_queue_remove(&text->queue);
    output->ntexts--;

    ngx_http_hls_blob_unref(text->plain);

    if (text->gzip) {
        ngx_http_hls_blob_unref(text->gzip);
    }

    ngx_free(text);
}


void
ngx_http_hls_texts_free(ngx_http_hls_output_t *output)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&output->texts)) {
        q = ngx_queue_head(&output->texts);

        ngx_http_hls_text_free(output, ngx_queue_data(q, ngx_http_hls_text_t,
                                                      queue));
    }

    /* the address may come back for another one */

    if (ngx_http_hls_worker.hls == output->hls) {
        ngx_http_hls_worker.hls = NULL;
    }
}


ngx_int_t
ngx_http_hls_text_answer(ngx_http_hls_ctx_t *ctx, ngx_http_hls_text_t *text,
    ngx_uint_t cache)
{
    ngx_uint_t            gzip;
    ngx_http_request_t   *r;
    ngx_http_hls_blob_t  *blob;

    r = ctx->request;

    if (text->kind == NGX_HTTP_HLS_TEXT_MPD) {
        ngx_str_set(&r->headers_out.content_type, "application/dash+xml");

    } else {
        ngx_str_set(&r->headers_out.content_type,
                    "application/vnd.apple.mpegurl");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;

    if (ngx_http_hls_cache_control(ctx, cache, text->target) != NGX_OK) {
        return NGX_ERROR;
    }

    blob = text->plain;
    gzip = 0;

#if (NGX_HTTP_GZIP)

    if (ctx->blob == NULL) {

        if (ngx_http_hls_vary(r) != NGX_OK) {
            return NGX_ERROR;
        }

        if (r->headers_in.accept_encoding && ngx_http_gzip_ok(r) == NGX_OK) {

            if (text->gzip == NULL) {
                text->gzip = ngx_http_hls_gzip(text->plain);
            }

            if (text->gzip) {
                blob = text->gzip;
                gzip = 1;
            }
        }
    }

#endif

    return ngx_http_hls_blob_send(ctx, blob, gzip);
}


static ngx_int_t
ngx_http_hls_vary(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    static const ngx_str_t  coding = ngx_string("Accept-Encoding");

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->gzip_vary) {
        r->gzip_vary = 1;
        return NGX_OK;
    }

    return ngx_media_http_header(r, "Vary", &coding) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_hls_blob_send(ngx_http_hls_ctx_t *ctx, ngx_http_hls_blob_t *blob,
    ngx_uint_t gzip)
{
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    static const ngx_str_t  coding = ngx_string("gzip");

    r = ctx->request;

    if (ctx->blob == NULL) {
        ctx->blob = blob;
        blob->refs++;
    }

    if (gzip) {
        h = ngx_media_http_header(r, "Content-Encoding", &coding);
        if (h == NULL) {
            return NGX_ERROR;
        }

        r->headers_out.content_encoding = h;
    }

    if (ngx_http_hls_etag(r, &blob->etag) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_hls_send_memory(r, blob->data, blob->size);
}


/* --- blobs -------------------------------------------------------------- */

/* a copy, with one reference; NULL: no memory */

static ngx_http_hls_blob_t *
ngx_http_hls_blob(u_char *p, size_t len, const char *suffix)
{
    u_char               *last;
    ngx_http_hls_blob_t  *blob;

    blob = ngx_alloc(sizeof(ngx_http_hls_blob_t) + len
                     + sizeof("\"12345678-12345678-gz\"") + NGX_SIZE_T_LEN,
                     ngx_cycle->log);
    if (blob == NULL) {
        return NULL;
    }

    blob->refs = 1;
    blob->size = len;
    blob->data = (u_char *) (blob + 1);

    last = ngx_cpymem(blob->data, p, len);

    blob->etag.data = last;
    blob->etag.len = ngx_sprintf(last, "\"%08xD%08xD-%uz%s\"",
                                 ngx_crc32_long(p, len),
                                 ngx_murmur_hash2(p, len), len, suffix)
                     - last;

    return blob;
}


void
ngx_http_hls_blob_unref(ngx_http_hls_blob_t *blob)
{
    if (--blob->refs == 0) {
        ngx_free(blob);
    }
}


/* NULL: it can not be, so the plain one is sent */

static ngx_http_hls_blob_t *
ngx_http_hls_gzip(ngx_http_hls_blob_t *plain)
{
    size_t                  size;
    u_char                 *p;
    z_stream               *z;
    ngx_http_hls_blob_t    *blob;
    ngx_http_hls_worker_t  *w;

    w = &ngx_http_hls_worker;
    z = &w->zstream;

    if (!w->zready) {

        if (deflateInit2(z, 4, Z_DEFLATED, MAX_WBITS + 16, 8,
                         Z_DEFAULT_STRATEGY)
            != Z_OK)
        {
            return NULL;
        }

        w->zready = 1;

    } else if (deflateReset(z) != Z_OK) {
        return NULL;
    }

    size = deflateBound(z, (uLong) plain->size);

    p = ngx_http_hls_scratch(size);
    if (p == NULL) {
        return NULL;
    }

    z->next_in = plain->data;
    z->avail_in = (uInt) plain->size;
    z->next_out = p;
    z->avail_out = (uInt) size;

    if (deflate(z, Z_FINISH) != Z_STREAM_END) {
        return NULL;
    }

    blob = ngx_http_hls_blob(p, size - z->avail_out, "-gz");

    return blob;
}


void
ngx_http_hls_playlist_exit(void)
{
    ngx_http_hls_worker_t  *w;

    w = &ngx_http_hls_worker;

    if (w->zready) {
        (void) deflateEnd(&w->zstream);
        w->zready = 0;
    }

    if (w->view) {
        ngx_free(w->view);
        w->view = NULL;
    }

    if (w->scratch) {
        ngx_free(w->scratch);
        w->scratch = NULL;
        w->size = 0;
    }

    w->hls = NULL;
}
