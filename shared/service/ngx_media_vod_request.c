
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the life of a request for what was recorded: its names, whether who asks
 * may play it, a job for a thread, and the answer that comes of it.
 *
 * A request that waits for a thread or a guard is held by its count.  When it
 * goes before, its job is left to itself and freed when it comes back.  What
 * is called from outside of nginx's HTTP ends with
 * ngx_http_run_posted_requests(), after which the request may be gone.
 */


#include "ngx_media_vod.h"
#include "ngx_media_url.h"


#define NGX_MEDIA_VOD_DAY        (24 * 3600 * 1000LL)
#define NGX_MEDIA_VOD_AGE        600     /* s, of a playlist that is whole */


static ngx_media_vod_ctx_t *ngx_media_vod_create(ngx_http_request_t *r,
    const ngx_media_vod_name_t *name);
static ngx_int_t ngx_media_vod_names(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_check(ngx_str_t *text,
    ngx_media_name_kind_e kind);
static ngx_int_t ngx_media_vod_job(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_range(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_open(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_copy(ngx_pool_t *pool, ngx_str_t *dst,
    const void *src, size_t n);
static void ngx_media_vod_thread(void *data, ngx_log_t *log);
static void ngx_media_vod_done(ngx_event_t *ev);
static void ngx_media_vod_job_free(ngx_media_vod_job_t *job);
static ngx_int_t ngx_media_vod_file_done(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_file_send(ngx_media_vod_ctx_t *ctx,
    ngx_pool_cleanup_file_t *clnf);
static ngx_int_t ngx_media_vod_list_done(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_export_done(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_list_send(ngx_media_vod_ctx_t *ctx,
    u_char *head, size_t n);
static void ngx_media_vod_other(ngx_media_vod_ctx_t *ctx);
static ngx_int_t ngx_media_vod_status(ngx_media_vod_ctx_t *ctx,
    ngx_int_t rc);
static void ngx_media_vod_cleanup(void *data);


static ngx_thread_pool_t  *ngx_media_vod_pool;


ngx_int_t
ngx_media_vod_init_process(ngx_cycle_t *cycle)
{
    ngx_str_t  name;

    ngx_str_set(&name, "default");
    ngx_media_vod_pool = ngx_thread_pool_get(cycle, &name);

    return NGX_OK;
}


/* Returns what a content handler returns. */

ngx_int_t
ngx_media_vod_request(ngx_http_request_t *r, const ngx_media_vod_name_t *name)
{
    ngx_int_t             rc;
    ngx_media_vod_ctx_t  *ctx;

    ngx_media_http_log(r);

    ctx = ngx_media_vod_create(r, name);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_media_vod_names(ctx);

    if (rc == NGX_OK) {
        rc = ngx_media_vod_permit(ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_media_vod_start(ctx);
    }

    if (rc == NGX_AGAIN) {
        rc = NGX_DONE;
    }

    if (rc == NGX_DONE) {
        r->main->count++;
        r->write_event_handler = ngx_http_request_empty_handler;
        r->read_event_handler = r->discard_body
                                ? ngx_http_discarded_request_body_handler
                                : ngx_http_test_reading;
    }

    return ngx_media_vod_status(ctx, rc);
}


static ngx_media_vod_ctx_t *
ngx_media_vod_create(ngx_http_request_t *r, const ngx_media_vod_name_t *name)
{
    ngx_pool_cleanup_t   *cln;
    ngx_media_vod_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_media_vod_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_media_vod_ctx_t));

    ctx->request = r;
    ctx->name = *name;

    cln->handler = ngx_media_vod_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_media_vod_module);

    return ctx;
}


/*
 * The rules of URLs are those of all protocols; the stream is what the name
 * says it is, so they are shown APP/STREAM.m3u8.
 */

static ngx_int_t
ngx_media_vod_names(ngx_media_vod_ctx_t *ctx)
{
    size_t                    size;
    ngx_int_t                 rc;
    ngx_str_t                 path;
    ngx_http_request_t       *r;
    ngx_media_record_conf_t  *rcf;

    r = ctx->request;

    if (ngx_media_vod_query_parse(r->args.data, r->args.data + r->args.len,
                                  &ctx->query)
        != NGX_MEDIA_OK
        || (ctx->query.live && ctx->name.kind == NGX_MEDIA_VOD_NAME_EXPORT))
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    size = (size_t) (ctx->name.stream + ctx->name.stream_len - r->uri.data);

    path.len = size + sizeof(".m3u8") - 1;
    path.data = ngx_pnalloc(r->pool, path.len);

    if (path.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_cpymem(path.data, r->uri.data, size), ".m3u8",
               sizeof(".m3u8") - 1);

    rc = ngx_media_http_names(r, &path, &ctx->names);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->vhost = ctx->names.vhost;
    ctx->app = ctx->names.app;
    ctx->stream = ctx->names.stream;

    ctx->conf = ngx_media_policy(&ctx->vhost, &ctx->app);

    if (ngx_media_vod_check(&ctx->app, NGX_MEDIA_NAME_APP) != NGX_OK
        || ngx_media_vod_check(&ctx->stream, NGX_MEDIA_NAME_STREAM) != NGX_OK)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    rcf = ngx_media_record_conf(ctx->conf);

    if (rcf->root == NULL || ngx_media_vod_pool == NULL) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "there is no \"dvr_path\" for application \"%V\"",
                      &ctx->app);
        return NGX_HTTP_NOT_FOUND;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_vod_check(ngx_str_t *text, ngx_media_name_kind_e kind)
{
    ngx_media_url_str_t  name;

    name.len = text->len;
    name.data = text->data;

    return ngx_media_name_check(&name, kind) == NGX_MEDIA_NAME_OK
           ? NGX_OK : NGX_DECLINED;
}


/* --- jobs --------------------------------------------------------------- */

ngx_int_t
ngx_media_vod_start(ngx_media_vod_ctx_t *ctx)
{
    ngx_media_vod_job_t  *job;

    if (ngx_media_vod_job(ctx) != NGX_OK
        || ngx_media_vod_range(ctx) != NGX_OK
        || ngx_media_vod_open(ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    job = ctx->job;

    switch (ctx->name.kind) {

    case NGX_MEDIA_VOD_NAME_FILE:
        job->kind = ctx->name.file;
        job->run = ngx_media_vod_file_run;
        job->done = ngx_media_vod_file_done;
        break;

    case NGX_MEDIA_VOD_NAME_EXPORT:
        job->run = ngx_media_vod_export_run;
        job->done = ngx_media_vod_export_done;
        break;

    default: /* NGX_MEDIA_VOD_NAME_LIST */

        if (ngx_media_vod_args(ctx, ctx->unknown) != NGX_OK) {
            return NGX_ERROR;
        }

        job->run = ngx_media_vod_list_run;
        job->done = ngx_media_vod_list_done;
        break;
    }

    return ngx_media_vod_post(ctx);
}


static ngx_int_t
ngx_media_vod_job(ngx_media_vod_ctx_t *ctx)
{
    ngx_pool_t               *pool;
    ngx_media_vod_job_t      *job;
    ngx_media_hls_conf_t     *hls;
    ngx_media_record_conf_t  *rcf;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_media_vod_job_t));
    if (job == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    job->pool = pool;
    job->ctx = ctx;
    job->dir = -1;
    job->file.fd = -1;

    ctx->job = job;

    rcf = ngx_media_record_conf(ctx->conf);
    hls = ctx->conf[ngx_media_hls_policy_module.ctx_index];

    job->root = rcf->root->path.data;
    job->fragment = hls->fragment;

    ngx_media_record_md5(job->md5, &ctx->vhost, &ctx->app, &ctx->stream);

    if (ngx_media_vod_copy(pool, &job->vhost, ctx->vhost.data, ctx->vhost.len)
        != NGX_OK
        || ngx_media_vod_copy(pool, &job->app, ctx->app.data, ctx->app.len)
           != NGX_OK
        || ngx_media_vod_copy(pool, &job->stream, ctx->stream.data,
                              ctx->stream.len)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* which recordings, and which of their time */

static ngx_int_t
ngx_media_vod_range(ngx_media_vod_ctx_t *ctx)
{
    const u_char           *id;
    ngx_media_vod_job_t    *job;
    ngx_media_vod_query_t  *q;

    job = ctx->job;
    q = &ctx->query;

    id = (ctx->name.kind == NGX_MEDIA_VOD_NAME_FILE) ? ctx->name.id : q->id;

    if (id) {
        (void) ngx_cpystrn(job->id, (u_char *) id, NGX_MEDIA_RECORD_ID);
    }

    job->to = q->stop;

    if (q->has_start && !q->live) {
        job->from = q->start;

    } else if (id == NULL && !q->has_stop) {
        job->from = ngx_time() * 1000LL - NGX_MEDIA_VOD_DAY;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_vod_copy(ngx_pool_t *pool, ngx_str_t *dst, const void *src,
    size_t n)
{
    dst->len = n;
    dst->data = ngx_pnalloc(pool, n ? n : 1);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src, n);

    return NGX_OK;
}


/* what is written of it now */

static ngx_int_t
ngx_media_vod_open(ngx_media_vod_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_media_source_t         *src;
    ngx_media_vod_job_t        *job;
    ngx_media_recording_t      *r;
    ngx_media_source_record_t   rec;

    job = ctx->job;
    r = &job->open;

    if (ngx_media_arena() == NULL) {
        return NGX_OK;
    }

    ngx_media_lock();

    src = ngx_media_source_find(&ctx->vhost, &ctx->app, &ctx->stream);

    rc = src ? ngx_media_record_now(&src->record, &rec) : NGX_DECLINED;

    ngx_media_unlock();

    if (rc != NGX_OK) {
        return NGX_OK;
    }

    if (ngx_media_vod_copy(job->pool, &r->file, rec.file,
                           ngx_strlen(rec.file))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(r->id, rec.id, NGX_MEDIA_RECORD_ID);

    r->kind = ngx_media_file_kind(r->file.data, r->file.len);
    r->state = NGX_MEDIA_RECORD_OPEN;
    r->vhost = job->vhost;
    r->app = job->app;
    r->stream = job->stream;
    r->begin = rec.begin;
    r->duration = rec.duration / 1000;
    r->bytes = rec.bytes;
    r->end = r->begin + (int64_t) r->duration;

    return NGX_OK;
}


ngx_int_t
ngx_media_vod_post(ngx_media_vod_ctx_t *ctx)
{
    ngx_media_vod_job_t  *job;

    job = ctx->job;

    job->task.ctx = job;
    job->task.handler = ngx_media_vod_thread;
    job->task.event.handler = ngx_media_vod_done;
    job->task.event.data = job;

    if (ngx_thread_task_post(ngx_media_vod_pool, &job->task) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    job->running = 1;

    return NGX_DONE;
}


static void
ngx_media_vod_thread(void *data, ngx_log_t *log)
{
    ngx_media_vod_job_t *job = data;

    job->run(job);
}


static void
ngx_media_vod_done(ngx_event_t *ev)
{
    ngx_int_t             rc;
    ngx_connection_t     *c;
    ngx_media_vod_job_t  *job;
    ngx_media_vod_ctx_t  *ctx;

    job = ev->data;
    ctx = job->ctx;

    job->running = 0;

    if (ctx == NULL) {
        ngx_media_vod_job_free(job);
        return;
    }

    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    rc = job->done(ctx);

    if (rc != NGX_DONE) {
        ngx_media_vod_finish(ctx, rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_media_vod_job_free(ngx_media_vod_job_t *job)
{
    ngx_media_vod_export_free(job);
    ngx_media_vod_file_close(&job->file);
    ngx_media_vod_root_close(job);
    ngx_media_vod_list_free(job);

    ngx_destroy_pool(job->pool);
}


/* --- the file of a recording -------------------------------------------- */

static ngx_int_t
ngx_media_vod_file_done(ngx_media_vod_ctx_t *ctx)
{
    ngx_pool_cleanup_t       *cln;
    ngx_media_vod_job_t      *job;
    ngx_pool_cleanup_file_t  *clnf;

    job = ctx->job;

    if (job->status != NGX_OK) {
        return job->status;
    }

    if (ngx_media_vod_enter(ctx) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    cln = ngx_pool_cleanup_add(ctx->request->pool,
                               sizeof(ngx_pool_cleanup_file_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    clnf = cln->data;

    clnf->fd = job->file.fd;
    clnf->name = (u_char *) "recording";
    clnf->log = ctx->request->connection->log;

    cln->handler = ngx_pool_cleanup_file;

    job->file.fd = -1;

    return ngx_media_vod_file_send(ctx, clnf);
}


static ngx_int_t
ngx_media_vod_file_send(ngx_media_vod_ctx_t *ctx,
    ngx_pool_cleanup_file_t *clnf)
{
    ngx_int_t             rc;
    ngx_buf_t            *b;
    ngx_chain_t           out;
    ngx_http_request_t   *r;
    ngx_media_vod_job_t  *job;

    static const ngx_str_t  types[] = {
        ngx_null_string,
        ngx_string("video/x-flv"),
        ngx_string("video/mp4"),
        ngx_string("video/mp2t")
    };
    static const ngx_str_t  open = ngx_string("no-cache");

    r = ctx->request;
    job = ctx->job;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) job->file.bytes;
    r->headers_out.last_modified_time = job->file.mtime;
    r->headers_out.content_type = types[job->kind];
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_set_etag(r) != NGX_OK) {
        return NGX_ERROR;
    }

    r->allow_ranges = 1;

    if (job->file.rec.state == NGX_MEDIA_RECORD_OPEN
        && ngx_media_http_header(r, "Cache-Control", &open) == NULL)
    {
        return NGX_ERROR;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->file = ngx_pcalloc(r->pool, sizeof(ngx_file_t));
    if (b->file == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->file_pos = 0;
    b->file_last = (off_t) job->file.bytes;
    b->in_file = b->file_last ? 1 : 0;
    b->last_buf = 1;
    b->last_in_chain = 1;

    b->file->fd = clnf->fd;
    b->file->name.data = clnf->name;
    b->file->name.len = ngx_strlen(clnf->name);
    b->file->log = r->connection->log;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* --- playlists ---------------------------------------------------------- */

static ngx_int_t
ngx_media_vod_list_done(ngx_media_vod_ctx_t *ctx)
{
    size_t                n;
    u_char               *p;
    ngx_str_t             cache;
    ngx_uint_t            master;
    ngx_http_request_t   *r;
    ngx_media_vod_job_t  *job;

    r = ctx->request;
    job = ctx->job;

    ngx_media_vod_other(ctx);

    if (job->status != NGX_OK) {
        return job->status;
    }

    master = ctx->unknown;

    if (ngx_media_vod_enter(ctx) != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    n = 256 + (master ? job->escaped.len + job->args.len : 0);
    p = ngx_pnalloc(r->pool, n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    n = master ? ngx_media_vod_list_master(job, p, n)
               : ngx_media_vod_list_head(job, p, n);

    /* who named its end gets the same later on */

    ngx_str_set(&cache, "no-cache");

    if (job->whole && !ctx->session && (job->id[0] || (job->to && job->to
                                      < ngx_time() * 1000LL)))
    {
        cache.data = ngx_pnalloc(r->pool, sizeof("max-age=") + NGX_INT_T_LEN);
        if (cache.data == NULL) {
            return NGX_ERROR;
        }

        cache.len = ngx_sprintf(cache.data, "max-age=%d", NGX_MEDIA_VOD_AGE)
                    - cache.data;
    }

    if (ngx_media_http_header(r, "Cache-Control", &cache) == NULL) {
        return NGX_ERROR;
    }

    return ngx_media_vod_list_send(ctx, p, n);
}


static ngx_int_t
ngx_media_vod_list_send(ngx_media_vod_ctx_t *ctx, u_char *head, size_t n)
{
    ngx_int_t             rc;
    ngx_str_t             end;
    ngx_uint_t            i;
    ngx_buf_t            *b;
    ngx_chain_t           out[3];
    ngx_http_request_t   *r;
    ngx_media_vod_job_t  *job;

    r = ctx->request;
    job = ctx->job;

    ngx_str_set(&end, "#EXT-X-ENDLIST\n");

    if (!job->whole || job->len == 0) {
        end.len = 0;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) (n + job->len + end.len);
    ngx_str_set(&r->headers_out.content_type, "application/vnd.apple.mpegurl");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    for (i = 0; i < 3; i++) {

        b = ngx_calloc_buf(r->pool);
        if (b == NULL) {
            return NGX_ERROR;
        }

        b->memory = 1;

        out[i].buf = b;
        out[i].next = &out[i + 1];
    }

    out[0].buf->pos = head;
    out[0].buf->last = head + n;

    out[1].buf->pos = job->text;
    out[1].buf->last = job->text + job->len;
    out[1].buf->memory = job->len ? 1 : 0;
    out[1].buf->sync = job->len ? 0 : 1;

    out[2].buf->pos = end.data;
    out[2].buf->last = end.data + end.len;
    out[2].buf->memory = end.len ? 1 : 0;
    out[2].buf->last_buf = 1;
    out[2].buf->last_in_chain = 1;
    out[2].next = NULL;

    return ngx_http_output_filter(r, &out[0]);
}


static ngx_int_t
ngx_media_vod_export_done(ngx_media_vod_ctx_t *ctx)
{
    ngx_media_vod_other(ctx);

    if (ctx->job->status != NGX_OK) {
        return ctx->job->status;
    }

    return (ngx_media_vod_enter(ctx) == NGX_OK)
           ? ngx_media_vod_export_send(ctx) : NGX_HTTP_SERVICE_UNAVAILABLE;
}


static void
ngx_media_vod_other(ngx_media_vod_ctx_t *ctx)
{
    ngx_media_vod_job_t  *job;

    job = ctx->job;

    if (job->err) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, job->err,
                      "recordings in \"%s\" can't be read", job->root);
    }

    if (job->busy) {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "too many playlists of recordings are under way");
    }

    if (job->other) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "%ui recordings of \"%V/%V\" are left out: only "
                      "fragmented MP4 and MPEG-TS, one of them, can be in a "
                      "playlist, and fragmented MP4 in an export",
                      job->other, &ctx->app, &ctx->stream);
    }
}


/* --- the end ------------------------------------------------------------ */

void
ngx_media_vod_finish(ngx_media_vod_ctx_t *ctx, ngx_int_t rc)
{
    ngx_http_finalize_request(ctx->request, ngx_media_vod_status(ctx, rc));
}


/* no cache is to keep what is not there; it may come in a moment */

static ngx_int_t
ngx_media_vod_status(ngx_media_vod_ctx_t *ctx, ngx_int_t rc)
{
    static const ngx_str_t  none = ngx_string("no-cache, no-store");

    if (ctx->request->header_sent) {
        return rc >= NGX_HTTP_SPECIAL_RESPONSE ? NGX_ERROR : rc;
    }

    if (rc == NGX_ERROR) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc >= NGX_HTTP_BAD_REQUEST) {
        (void) ngx_media_http_header(ctx->request, "Cache-Control", &none);
    }

    return rc;
}


static void
ngx_media_vod_cleanup(void *data)
{
    ngx_media_vod_ctx_t *ctx = data;

    if (ctx->ask) {
        ngx_media_ask_cancel(ctx->ask);
    }

    ngx_media_vod_sent(ctx);

    if (ctx->job == NULL) {
        return;
    }

    if (ctx->job->running) {
        ctx->job->ctx = NULL;

    } else {
        ngx_media_vod_job_free(ctx->job);
    }

    ctx->job = NULL;
}
