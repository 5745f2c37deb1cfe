
/*
 * Copyright (C) the nginx media suite authors
 *
 * Segments, parts, init segments and keys.
 *
 * An object is copied out of the arena once per worker and sent to all who
 * ask from that copy, which goes when nobody sends it and others are newer.
 * What is too large for that is copied 64 KB at a time as the client takes it;
 * when the packager gives it away meanwhile, the connection is closed.
 */


#include "ngx_http_hls.h"


#define NGX_HTTP_HLS_CACHE_BYTES   (32 * 1024 * 1024)
#define NGX_HTTP_HLS_CACHE_LARGEST (8 * 1024 * 1024)
#define NGX_HTTP_HLS_BUCKETS       1024
#define NGX_HTTP_HLS_REFILL        65536


struct ngx_http_hls_object_s {
    ngx_queue_t              queue;       /* all, last used first */
    ngx_queue_t              bucket;
    ngx_queue_t              of;          /* of its output */
    ngx_http_hls_output_t   *output;
    ngx_uint_t               rendition;
    uint64_t                 msn;
    uint32_t                 part;
    uint32_t                 container;
    ngx_uint_t               refs;
    unsigned                 kept:1;      /* in the lists */
    size_t                   size;
    ngx_str_t                etag;
    u_char                   etag_data[64];
};


typedef struct {
    ngx_queue_t              queue;
    ngx_queue_t              buckets[NGX_HTTP_HLS_BUCKETS];
    size_t                   bytes;       /* also of those only sent yet */
    ngx_uint_t               ready;
} ngx_http_hls_cache_t;


static ngx_http_hls_cache_t *ngx_http_hls_cache(void);
static ngx_queue_t *ngx_http_hls_bucket(ngx_http_hls_output_t *output,
    ngx_uint_t rendition, uint64_t msn, uint32_t part);
static ngx_http_hls_object_t *ngx_http_hls_object_find(
    ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition, uint32_t part);
static ngx_int_t ngx_http_hls_object_locate(ngx_http_hls_ctx_t *ctx,
    ngx_uint_t rendition, uint32_t part);
static ngx_http_hls_object_t *ngx_http_hls_object_read(
    ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition, uint32_t part);
static ngx_uint_t ngx_http_hls_cache_room(size_t size);
static void ngx_http_hls_object_forget(ngx_http_hls_object_t *object);
static u_char *ngx_http_hls_object_etag(ngx_http_hls_ctx_t *ctx,
    uint32_t part, uint64_t size, u_char *p);
static ngx_int_t ngx_http_hls_object_head(ngx_http_hls_ctx_t *ctx,
    uint32_t container, ngx_str_t *etag);
static ngx_int_t ngx_http_hls_stream(ngx_http_hls_ctx_t *ctx, uint32_t part);
static ngx_int_t ngx_http_hls_stream_send(ngx_http_hls_ctx_t *ctx);
static ngx_chain_t *ngx_http_hls_stream_fill(ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_stream_handler(ngx_http_request_t *r);


static ngx_http_hls_cache_t  ngx_http_hls_objects;


/* a segment or a part */

ngx_int_t
ngx_http_hls_object(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition)
{
    uint32_t                part;
    ngx_int_t               rc;
    ngx_http_hls_object_t  *object;

    if (ctx->chunked) {
        return ngx_http_hls_chunks(ctx, rendition);
    }

    part = (ctx->name.kind == NGX_MEDIA_HLS_NAME_PART) ? ctx->name.part
                                                       : NGX_HTTP_HLS_WHOLE;

    object = ngx_http_hls_object_find(ctx, rendition, part);

    if (object == NULL) {

        rc = ngx_http_hls_object_locate(ctx, rendition, part);

        if (rc == NGX_AGAIN && part == NGX_HTTP_HLS_WHOLE
            && ctx->conf->dash)
        {
            return ngx_http_hls_chunks(ctx, rendition);
        }

        if (rc == NGX_AGAIN) {
            return ngx_http_hls_want(ctx, rendition, ctx->name.msn, part);
        }

        if (rc != NGX_OK || ctx->object.container != ctx->name.container) {
            return NGX_HTTP_NOT_FOUND;
        }

        if (ctx->object.size > NGX_HTTP_HLS_CACHE_LARGEST
            || !ngx_http_hls_cache_room((size_t) ctx->object.size))
        {
            return ngx_http_hls_stream(ctx, part);
        }

        object = ngx_http_hls_object_read(ctx, rendition, part);

        if (object == NULL) {
            return NGX_HTTP_NOT_FOUND;
        }
    }

    if (object->container != ctx->name.container) {
        return NGX_HTTP_NOT_FOUND;
    }

    ctx->cached = object;
    object->refs++;

    if (ngx_http_hls_object_head(ctx, object->container, &object->etag)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_hls_send_memory(ctx->request, (u_char *) (object + 1),
                                    object->size);
}


static ngx_int_t
ngx_http_hls_object_locate(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition,
    uint32_t part)
{
    ngx_memzero(&ctx->object, sizeof(ngx_media_hls_object_t));

    if (part == NGX_HTTP_HLS_WHOLE) {
        return ngx_media_hls_segment(ctx->output->hls, rendition,
                                     ctx->name.msn, &ctx->object);
    }

    return ngx_media_hls_part(ctx->output->hls, rendition, ctx->name.msn,
                              part, &ctx->object);
}


/* --- the copies of this worker ------------------------------------------ */

static ngx_http_hls_cache_t *
ngx_http_hls_cache(void)
{
    ngx_uint_t             i;
    ngx_http_hls_cache_t  *cache;

    cache = &ngx_http_hls_objects;

    if (!cache->ready) {
        ngx_queue_init(&cache->queue);

        for (i = 0; i < NGX_HTTP_HLS_BUCKETS; i++) {
            ngx_queue_init(&cache->buckets[i]);
        }

        cache->ready = 1;
    }

    return cache;
}


static ngx_queue_t *
ngx_http_hls_bucket(ngx_http_hls_output_t *output, ngx_uint_t rendition,
    uint64_t msn, uint32_t part)
{
    uint64_t               hash;
    ngx_http_hls_cache_t  *cache;

    cache = ngx_http_hls_cache();

    hash = (uint64_t) (uintptr_t) output >> 4;
    hash = (hash ^ msn) * 0x9e3779b97f4a7c15ULL;
    hash = (hash ^ part ^ (uint64_t) rendition << 32) * 0x9e3779b97f4a7c15ULL;

    return &cache->buckets[(hash >> 32) % NGX_HTTP_HLS_BUCKETS];
}


static ngx_http_hls_object_t *
ngx_http_hls_object_find(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition,
    uint32_t part)
{
    ngx_queue_t            *q, *bucket;
    ngx_http_hls_cache_t   *cache;
    ngx_http_hls_object_t  *object;

    cache = ngx_http_hls_cache();
    bucket = ngx_http_hls_bucket(ctx->output, rendition, ctx->name.msn, part);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        object = ngx_queue_data(q, ngx_http_hls_object_t, bucket);

        if (object->msn == ctx->name.msn && object->part == part
            && object->rendition == rendition
            && object->output == ctx->output)
        {
            ngx_queue_remove(&object->queue);
            ngx_queue_insert_head(&cache->queue, &object->queue);

            return object;
        }
    }

    return NULL;
}


/* NULL: no memory, or it was given away meanwhile */

static ngx_http_hls_object_t *
ngx_http_hls_object_read(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition,
    uint32_t part)
{
    size_t                  size, pos;
    u_char                 *p;
    ssize_t                 n;
    ngx_http_hls_cache_t   *cache;
    ngx_http_hls_object_t  *object;

    size = (size_t) ctx->object.size;

    object = ngx_alloc(sizeof(ngx_http_hls_object_t) + size, ngx_cycle->log);
    if (object == NULL) {
        return NULL;
    }

    p = (u_char *) (object + 1);

    for (pos = 0; pos < size; pos += n) {

        n = ngx_media_hls_read(ctx->output->hls, &ctx->object, p + pos,
                               size - pos);
        if (n <= 0) {
            ngx_free(object);
            return NULL;
        }
    }

    ngx_memzero(object, sizeof(ngx_http_hls_object_t));

    object->output = ctx->output;
    object->rendition = rendition;
    object->msn = ctx->name.msn;
    object->part = part;
    object->container = ctx->object.container;
    object->size = size;
    object->kept = 1;
    object->etag.data = object->etag_data;
    object->etag.len = ngx_http_hls_object_etag(ctx, part, size,
                                                object->etag_data)
                       - object->etag_data;

    cache = ngx_http_hls_cache();

    cache->bytes += size;

    ngx_queue_insert_head(&cache->queue, &object->queue);
    ngx_queue_insert_head(ngx_http_hls_bucket(ctx->output, rendition,
                                              object->msn, part),
                          &object->bucket);
    ngx_queue_insert_head(&ctx->output->objects, &object->of);

    return object;
}


/* those that nobody sends go, oldest first */

static ngx_uint_t
ngx_http_hls_cache_room(size_t size)
{
    ngx_queue_t            *q, *prev;
    ngx_http_hls_cache_t   *cache;
    ngx_http_hls_object_t  *object;

    cache = ngx_http_hls_cache();

    for (q = ngx_queue_last(&cache->queue);
         q != ngx_queue_sentinel(&cache->queue)
         && cache->bytes + size > NGX_HTTP_HLS_CACHE_BYTES;
         q = prev)
    {
        prev = ngx_queue_prev(q);
        object = ngx_queue_data(q, ngx_http_hls_object_t, queue);

        if (object->refs == 0) {
            ngx_http_hls_object_forget(object);
        }
    }

    return cache->bytes + size <= NGX_HTTP_HLS_CACHE_BYTES;
}


/* nobody finds it any more; it is freed when nobody sends it */

static void
ngx_http_hls_object_forget(ngx_http_hls_object_t *object)
{
    if (object->kept) {
        object->kept = 0;

        ngx_queue_remove(&object->queue);
        ngx_queue_remove(&object->bucket);
        ngx_queue_remove(&object->of);
    }

    if (object->refs == 0) {
        ngx_http_hls_objects.bytes -= object->size;
        ngx_free(object);
    }
}


void
ngx_http_hls_object_unref(ngx_http_hls_object_t *object)
{
    if (--object->refs == 0 && !object->kept) {
        ngx_http_hls_object_forget(object);
    }
}


/* the output goes, and its address may come back for another one */

void
ngx_http_hls_objects_orphan(ngx_http_hls_output_t *output)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&output->objects)) {
        q = ngx_queue_head(&output->objects);

        ngx_http_hls_object_forget(ngx_queue_data(q, ngx_http_hls_object_t,
                                                  of));
    }
}


/* --- headers ------------------------------------------------------------ */

/* the same in all workers: numbers never come back with other bytes */

static u_char *
ngx_http_hls_object_etag(ngx_http_hls_ctx_t *ctx, uint32_t part,
    uint64_t size, u_char *p)
{
    return ngx_sprintf(p, "\"%xL-%xD-%xL\"", ctx->name.msn, part, size);
}


static ngx_int_t
ngx_http_hls_object_head(ngx_http_hls_ctx_t *ctx, uint32_t container,
    ngx_str_t *etag)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (container == NGX_MEDIA_HLS_MPEGTS) {
        ngx_str_set(&r->headers_out.content_type, "video/mp2t");

    } else {
        ngx_str_set(&r->headers_out.content_type, "video/iso.segment");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->allow_ranges = 1;

#if (NGX_HTTP_GZIP)
    /* media do not shrink */
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

    return ngx_http_hls_etag(r, etag);
}


/* --- 64 KB after 64 KB -------------------------------------------------- */

static ngx_int_t
ngx_http_hls_stream(ngx_http_hls_ctx_t *ctx, uint32_t part)
{
    ngx_int_t            rc;
    ngx_str_t            etag;
    ngx_http_request_t  *r;

    r = ctx->request;

    etag.data = ngx_pnalloc(r->pool, 64);
    if (etag.data == NULL) {
        return NGX_ERROR;
    }

    etag.len = ngx_http_hls_object_etag(ctx, part, ctx->object.size,
                                        etag.data)
               - etag.data;

    if (ngx_http_hls_object_head(ctx, ctx->object.container, &etag)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* one range at most: several would need all of it in one buffer */

    r->single_range = 1;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) ctx->object.size;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    r->write_event_handler = ngx_http_hls_stream_handler;

    return ngx_http_hls_stream_send(ctx);
}


/* NGX_DONE: the client must take more first */

static ngx_int_t
ngx_http_hls_stream_send(ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_chain_t               *out;
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    out = NULL;

    for ( ;; ) {

        if (ctx->busy == NULL) {
            out = ngx_http_hls_stream_fill(ctx);

            if (out == NULL) {
                return NGX_ERROR;
            }
        }

        rc = ngx_http_output_filter(r, out);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (out && out->buf->last_buf) {
            return rc;
        }

        ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                                (ngx_buf_tag_t) &ngx_http_hls_module);

        if (ctx->busy) {
            break;
        }
    }

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DONE;
}


/* NULL: no memory, or the object was given away */

static ngx_chain_t *
ngx_http_hls_stream_fill(ngx_http_hls_ctx_t *ctx)
{
    size_t        pos;
    ssize_t       n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(ctx->request->pool, &ctx->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;

    if (b->start == NULL) {
        b->start = ngx_palloc(ctx->request->pool, NGX_HTTP_HLS_REFILL);
        if (b->start == NULL) {
            return NULL;
        }

        b->end = b->start + NGX_HTTP_HLS_REFILL;
        b->temporary = 1;
        b->tag = (ngx_buf_tag_t) &ngx_http_hls_module;
    }

    for (pos = 0; pos < NGX_HTTP_HLS_REFILL; pos += n) {

        n = ngx_media_hls_read(ctx->output->hls, &ctx->object, b->start + pos,
                               NGX_HTTP_HLS_REFILL - pos);
        if (n < 0) {
            ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                          "client was too slow for what it asked for");
            return NULL;
        }

        if (n == 0) {
            break;
        }
    }

    b->pos = b->start;
    b->last = b->start + pos;
    b->last_buf = (ctx->object.pos >= ctx->object.size);
    b->last_in_chain = b->last_buf;
    b->flush = 1;

    if (pos == 0 && !b->last_buf) {
        return NULL;
    }

    return cl;
}


static void
ngx_http_hls_stream_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_event_t               *wev;
    ngx_connection_t          *c;
    ngx_http_hls_ctx_t        *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    c = r->connection;
    wev = c->write;

    ctx = ngx_http_get_module_ctx(r, ngx_http_hls_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
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

    rc = ngx_http_hls_stream_send(ctx);

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


/* --- small things ------------------------------------------------------- */

ngx_int_t
ngx_http_hls_init(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition)
{
    u_char              *p;
    ssize_t              n;
    ngx_str_t            etag;
    ngx_uint_t           cache;
    ngx_http_request_t  *r;

    r = ctx->request;

    p = ngx_palloc(r->pool, NGX_MEDIA_HLS_INIT_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    n = ngx_media_hls_init(ctx->output->hls, rendition,
                           ctx->query.has_init ? ctx->query.init : 0, p,
                           NGX_MEDIA_HLS_INIT_MAX);

    if (n == NGX_DECLINED) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (n < 0) {
        return NGX_ERROR;
    }

    etag.data = ngx_pnalloc(r->pool, 64);
    if (etag.data == NULL) {
        return NGX_ERROR;
    }

    etag.len = ngx_sprintf(etag.data, "\"%08xD-%xz\"",
                           ngx_crc32_long(p, (size_t) n), (size_t) n)
               - etag.data;

    ngx_str_set(&r->headers_out.content_type, "video/mp4");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->allow_ranges = 1;

    cache = ctx->query.has_init ? NGX_HTTP_HLS_CACHE_FOREVER
                                : NGX_HTTP_HLS_CACHE_PLAYLIST;

    if (ngx_http_hls_cache_control(ctx, ctx->private ? NGX_HTTP_HLS_CACHE_NONE
                                                     : cache,
                                   ctx->output->target)
        != NGX_OK
        || ngx_http_hls_etag(r, &etag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_hls_send_memory(r, p, (size_t) n);
}


ngx_int_t
ngx_http_hls_key(ngx_http_hls_ctx_t *ctx)
{
    u_char              *p;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->name.msn == 0 || ctx->name.msn > 0xffffffffu) {
        return NGX_HTTP_NOT_FOUND;
    }

    p = ngx_palloc(r->pool, NGX_MEDIA_HLS_KEY_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ngx_media_hls_key(ctx->output->hls, (uint32_t) ctx->name.msn, p)
        != NGX_OK)
    {
        return NGX_HTTP_NOT_FOUND;
    }

    ngx_str_set(&r->headers_out.content_type, "application/octet-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    if (ngx_http_hls_cache_control(ctx, NGX_HTTP_HLS_CACHE_NONE, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_hls_send_memory(r, p, NGX_MEDIA_HLS_KEY_LEN);
}
