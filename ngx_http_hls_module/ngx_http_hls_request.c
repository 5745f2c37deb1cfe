
/*
 * Copyright (C) the nginx media suite authors
 *
 * The life of one request.  ngx_http_hls_answer() tries to answer it; where
 * what it asks for is still to come, the request is parked and tried again
 * when the packager has come so far, or when its time is over.
 *
 * The timer of a parked request is not cancelable: a worker that is shutting
 * down answers those that wait and goes then.
 *
 * What is called from outside of nginx's HTTP (the watch, the timer) ends with
 * ngx_http_run_posted_requests(), after which the request may be gone.
 */


#include "ngx_http_hls.h"
#include "ngx_media_url.h"


static ngx_http_hls_ctx_t *ngx_http_hls_create(ngx_http_request_t *r,
    ngx_media_hls_name_t *name);
static ngx_int_t ngx_http_hls_names(ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_check(ngx_str_t *text,
    ngx_media_name_kind_e kind);
static ngx_uint_t ngx_http_hls_plain(ngx_str_t *text);
static ngx_int_t ngx_http_hls_answer(ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_nothing(ngx_http_hls_ctx_t *ctx, ngx_int_t rc);
static ngx_msec_t ngx_http_hls_fetch(ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_take(ngx_http_hls_ctx_t *ctx,
    ngx_media_hls_t *hls);
static ngx_int_t ngx_http_hls_dispatch(ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_playlist(ngx_http_hls_ctx_t *ctx);
static ngx_int_t ngx_http_hls_park(ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_unpark(ngx_http_hls_ctx_t *ctx);
static void ngx_http_hls_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_hls_status(ngx_http_hls_ctx_t *ctx, ngx_int_t rc);
static void ngx_http_hls_cleanup(void *data);


static ngx_uint_t  ngx_http_hls_nparked;


/* Returns what a content handler returns. */

ngx_int_t
ngx_http_hls_request(ngx_http_request_t *r, ngx_media_hls_name_t *name)
{
    ngx_int_t            rc;
    ngx_http_hls_ctx_t  *ctx;

    ngx_media_http_log(r);

    ctx = ngx_http_hls_create(r, name);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_media_hls_query_parse(r->args.data, r->args.data + r->args.len,
                                  &ctx->query)
        != NGX_MEDIA_OK)
    {
        return ngx_http_hls_status(ctx, NGX_HTTP_BAD_REQUEST);
    }

    rc = ngx_http_hls_names(ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_hls_permit(ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_hls_answer(ctx);

    } else if (rc == NGX_AGAIN) {
        r->write_event_handler = ngx_http_request_empty_handler;
        rc = NGX_DONE;
    }

    if (rc == NGX_HTTP_HLS_PARK) {
        rc = ngx_http_hls_park(ctx);
    }

    if (rc == NGX_DONE) {
        r->main->count++;
        r->read_event_handler = r->discard_body
                                ? ngx_http_discarded_request_body_handler
                                : ngx_http_test_reading;
    }

    return ngx_http_hls_status(ctx, rc);
}


static ngx_http_hls_ctx_t *
ngx_http_hls_create(ngx_http_request_t *r, ngx_media_hls_name_t *name)
{
    ngx_pool_cleanup_t  *cln;
    ngx_http_hls_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_hls_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_http_hls_ctx_t));

    ctx->request = r;
    ctx->name = *name;

    ctx->timer.handler = ngx_http_hls_timer_handler;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    cln->handler = ngx_http_hls_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_hls_module);

    return ctx;
}


/*
 * The rules of URLs are those of all protocols; the stream is what the name
 * of the object says it is, so they are shown APP/STREAM.m3u8.
 */

static ngx_int_t
ngx_http_hls_names(ngx_http_hls_ctx_t *ctx)
{
    size_t               size;
    ngx_int_t            rc;
    ngx_str_t            path;
    ngx_http_request_t  *r;

    r = ctx->request;

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

    (void) ngx_media_policy(&ctx->vhost, &ctx->app);

    if (ngx_http_hls_check(&ctx->app, NGX_MEDIA_NAME_APP) != NGX_OK
        || ngx_http_hls_check(&ctx->stream, NGX_MEDIA_NAME_STREAM) != NGX_OK)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    ctx->conf = ngx_media_hls_conf(&ctx->vhost, &ctx->app);

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_check(ngx_str_t *text, ngx_media_name_kind_e kind)
{
    ngx_media_url_str_t  name;

    name.len = text->len;
    name.data = text->data;

    return ngx_media_name_check(&name, kind) == NGX_MEDIA_NAME_OK
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_hls_escape(ngx_pool_t *pool, ngx_str_t *src, ngx_str_t *dst)
{
    dst->data = ngx_pnalloc(pool, 3 * src->len);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    dst->len = ngx_media_hls_escape(src->data, src->len, dst->data,
                                    3 * src->len);

    return NGX_OK;
}


/*
 * What goes behind the URIs in a playlist: relative ones do not inherit the
 * query, and one that names the vhost is a part of the name.
 */

ngx_int_t
ngx_http_hls_args(ngx_http_hls_ctx_t *ctx)
{
    ngx_str_t            key, value;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->escaped.len) {
        return NGX_OK;
    }

    if (ngx_http_hls_escape(r->pool, &ctx->stream, &ctx->escaped) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->args.len == 0) {
        return NGX_OK;
    }

    ngx_str_set(&key, "vhost");

    if (ngx_http_arg(r, key.data, key.len, &value) != NGX_OK) {
        ngx_str_set(&key, "domain");

        if (ngx_http_arg(r, key.data, key.len, &value) != NGX_OK) {
            return NGX_OK;
        }
    }

    if (!ngx_http_hls_plain(&value)) {
        return NGX_OK;
    }

    ctx->args.data = ngx_pnalloc(r->pool, key.len + 1 + value.len);
    if (ctx->args.data == NULL) {
        return NGX_ERROR;
    }

    ctx->args.len = ngx_sprintf(ctx->args.data, "%V=%V", &key, &value)
                    - ctx->args.data;

    return NGX_OK;
}


/* nothing that could end a quoted string or a line */

static ngx_uint_t
ngx_http_hls_plain(ngx_str_t *text)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if ((ch < 'a' || ch > 'z') && (ch < 'A' || ch > 'Z')
            && (ch < '0' || ch > '9') && ch != '.' && ch != '-' && ch != '_'
            && ch != '~' && ch != '%' && ch != ':')
        {
            return 0;
        }
    }

    return 1;
}


/*
 * NGX_HTTP_HLS_PARK: it must wait, what for is noted; NGX_DONE: it goes on by
 * itself; else what nginx is to finalize the request with.
 */

static ngx_int_t
ngx_http_hls_answer(ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t               rc;
    ngx_media_hls_t        *hls;
    ngx_media_hls_group_t  *group;

    ctx->poll = 0;

    if (ctx->name.kind == NGX_MEDIA_HLS_NAME_PLAYLIST) {

        group = ngx_http_hls_group_find(ctx);

        if (group) {
            return ngx_http_hls_group(ctx, group);
        }
    }

    hls = NULL;

    rc = ngx_media_hls_get(&ctx->vhost, &ctx->app, &ctx->stream, &hls);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return ngx_http_hls_nothing(ctx, rc);
    }

    if (ngx_http_hls_take(ctx, hls) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        return ngx_http_hls_dispatch(ctx);
    }

    switch (ctx->name.kind) {

    case NGX_MEDIA_HLS_NAME_PLAYLIST:
    case NGX_MEDIA_HLS_NAME_RENDITION:
    case NGX_MEDIA_HLS_NAME_MPD:
        return ngx_http_hls_want(ctx, 0, 0, 0);

    default:
        return NGX_HTTP_NOT_FOUND;
    }
}


/* there is no output of that name */

static ngx_int_t
ngx_http_hls_nothing(ngx_http_hls_ctx_t *ctx, ngx_int_t rc)
{
    ngx_msec_t  wait;

    switch (rc) {

    case NGX_DECLINED:
        break;

    case NGX_BUSY:
        return NGX_HTTP_SERVICE_UNAVAILABLE;

    default:
        return NGX_ERROR;
    }

    if (ctx->conf->mode == NGX_MEDIA_HLS_OFF
        || (ctx->name.kind != NGX_MEDIA_HLS_NAME_PLAYLIST
            && ctx->name.kind != NGX_MEDIA_HLS_NAME_MPD)
        || (ctx->deadline
            && (ngx_msec_int_t) (ctx->deadline - ngx_current_msec) <= 0))
    {
        return NGX_HTTP_NOT_FOUND;
    }

    if (ctx->deadline == 0) {
        wait = ngx_http_hls_fetch(ctx);

        if (wait == 0) {
            return NGX_HTTP_NOT_FOUND;
        }

        ctx->deadline = ngx_current_msec + wait;
    }

    return ngx_http_hls_want_poll(ctx);
}


/* ms to wait for it: play_wait, or until it is fetched; 0: it will not come */

static ngx_msec_t
ngx_http_hls_fetch(ngx_http_hls_ctx_t *ctx)
{
    void                  **conf;
    ngx_str_t               vhost;
    ngx_msec_t              wait;
    ngx_media_core_conf_t  *ccf;

    wait = ngx_media_http_play_wait(ctx->request);

    if (ctx->request->method == NGX_HTTP_HEAD) {
        return wait;
    }

    vhost = ctx->vhost;
    conf = ngx_media_policy(&vhost, &ctx->app);

    if (ngx_media_fetch(conf, &vhost, &ctx->app, &ctx->stream,
                        &ctx->request->args)
        == NGX_OK
        && wait == 0)
    {
        ccf = conf[ngx_media_policy_module.ctx_index];
        wait = ccf->idle_timeout;
    }

    return wait;
}


/* holds the output, in place of the one that it held */

static ngx_int_t
ngx_http_hls_take(ngx_http_hls_ctx_t *ctx, ngx_media_hls_t *hls)
{
    ngx_http_hls_output_t  *output;

    output = ngx_http_hls_output(hls);
    if (output == NULL) {
        return NGX_ERROR;
    }

    if (ctx->output == output) {
        return NGX_OK;
    }

    ngx_http_hls_output_ref(output);

    if (ctx->output) {
        ngx_http_hls_output_unref(ctx->output);
    }

    ctx->output = output;

    return NGX_OK;
}


static ngx_int_t
ngx_http_hls_dispatch(ngx_http_hls_ctx_t *ctx)
{
    size_t      len;
    u_char     *tag;
    ngx_int_t   i, rc;

    tag = (u_char *) ctx->name.tag;
    len = ctx->name.tag_len;

    switch (ctx->name.kind) {

    case NGX_MEDIA_HLS_NAME_PLAYLIST:
        return ngx_http_hls_playlist(ctx);

    case NGX_MEDIA_HLS_NAME_MPD:

        if (ngx_http_hls_args(ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_hls_mpd(ctx);

    case NGX_MEDIA_HLS_NAME_KEY:
        return ngx_http_hls_key(ctx);

    case NGX_MEDIA_HLS_NAME_RENDITION:

        if (len == 1 && tag[0] == '0') {
            len = 0;
        }

        break;

    default:
        break;
    }

    i = ngx_media_hls_rendition(ctx->output->hls, tag, len);

    if (i < 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    switch (ctx->name.kind) {

    case NGX_MEDIA_HLS_NAME_RENDITION:

        if (ngx_http_hls_args(ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = ngx_http_hls_session_enter(ctx);

        return (rc == NGX_OK) ? ngx_http_hls_media(ctx, i) : rc;

    case NGX_MEDIA_HLS_NAME_INIT:
        return ngx_http_hls_init(ctx, i);

    default: /* NGX_MEDIA_HLS_NAME_SEGMENT, NGX_MEDIA_HLS_NAME_PART */
        return ngx_http_hls_object(ctx, i);
    }
}


/* STREAM.m3u8 names the renditions, or is the one that there is */

static ngx_int_t
ngx_http_hls_playlist(ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (ngx_http_hls_args(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_hls_session_enter(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if ((ctx->query.has_msn || ctx->query.skip || ctx->query.ctx_len)
        && ngx_media_hls_renditions(ctx->output->hls) == 1)
    {
        return ngx_http_hls_media(ctx, 0);
    }

    return ngx_http_hls_master(ctx);
}


/* --- waiting ------------------------------------------------------------ */

ngx_int_t
ngx_http_hls_want(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition,
    uint64_t msn, uint32_t part)
{
    uint32_t    target;
    ngx_msec_t  wait;

    ctx->want = rendition;
    ctx->want_msn = msn;
    ctx->want_part = part;

    if (ctx->deadline == 0) {
        wait = ctx->conf->fragment;

        if (msn) {
            target = ngx_http_hls_target(ctx->output, rendition);
            wait = ngx_max(wait, (ngx_msec_t) target * 1000);
        }

        wait *= NGX_HTTP_HLS_WAIT_TARGETS;

        if (msn == 0) {
            wait = ngx_max(wait, NGX_HTTP_HLS_FIRST_WAIT);
        }

        ctx->deadline = ngx_current_msec + wait;
    }

    return NGX_HTTP_HLS_PARK;
}


ngx_int_t
ngx_http_hls_want_poll(ngx_http_hls_ctx_t *ctx)
{
    ctx->poll = 1;

    if (ctx->deadline == 0) {
        ctx->deadline = ngx_current_msec + NGX_HTTP_HLS_FIRST_WAIT;
    }

    return NGX_HTTP_HLS_PARK;
}


/* NGX_DONE: it waits now; else a status */

static ngx_int_t
ngx_http_hls_park(ngx_http_hls_ctx_t *ctx)
{
    ngx_msec_int_t       left;
    ngx_http_request_t  *r;

    r = ctx->request;
    left = (ngx_msec_int_t) (ctx->deadline - ngx_current_msec);

    /* of HTTP/2 there may be many on a connection: bounded as connections */

    if (left <= 0 || ngx_http_hls_nparked >= ngx_cycle->connection_n) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ctx->poll) {
        left = ngx_min(left, NGX_HTTP_HLS_POLL);

    } else if (ngx_http_hls_due_add(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    ctx->parked = 1;
    ngx_http_hls_nparked++;

    ngx_add_timer(&ctx->timer, (ngx_msec_t) left);

    return NGX_DONE;
}


static void
ngx_http_hls_unpark(ngx_http_hls_ctx_t *ctx)
{
    if (!ctx->parked) {
        return;
    }

    ctx->parked = 0;
    ngx_http_hls_nparked--;

    ngx_http_hls_due_remove(ctx);

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


/* tries again a request that was parked; it may be gone afterwards */

void
ngx_http_hls_wake(ngx_http_hls_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_hls_unpark(ctx);

    rc = ngx_http_hls_answer(ctx);

    if (rc == NGX_HTTP_HLS_PARK) {
        rc = ngx_http_hls_park(ctx);
    }

    if (rc != NGX_DONE) {
        ngx_http_hls_finish(ctx, rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_hls_timer_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_hls_ctx_t  *ctx;

    ctx = ev->data;
    c = ctx->request->connection;

    if (ctx->poll) {
        ngx_http_hls_wake(ctx);
        return;
    }

    ngx_http_set_log_request(c->log, ctx->request);

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "what the client waits for has not come in time");

    ngx_http_hls_unpark(ctx);
    ngx_http_hls_finish(ctx, NGX_HTTP_SERVICE_UNAVAILABLE);

    ngx_http_run_posted_requests(c);
}


void
ngx_http_hls_finish(ngx_http_hls_ctx_t *ctx, ngx_int_t rc)
{
    ngx_http_finalize_request(ctx->request, ngx_http_hls_status(ctx, rc));
}


/* no cache is to keep what is not there; it may come in a moment */

static ngx_int_t
ngx_http_hls_status(ngx_http_hls_ctx_t *ctx, ngx_int_t rc)
{
    if (ctx->request->header_sent) {
        return rc >= NGX_HTTP_SPECIAL_RESPONSE ? NGX_ERROR : rc;
    }

    if (rc == NGX_ERROR) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc >= NGX_HTTP_BAD_REQUEST) {
        (void) ngx_http_hls_cache_control(ctx, NGX_HTTP_HLS_CACHE_NONE, 0);
    }

    return rc;
}


static void
ngx_http_hls_cleanup(void *data)
{
    ngx_http_hls_ctx_t  *ctx = data;

    off_t  sent;

    ngx_http_hls_unpark(ctx);

    if (ctx->ask) {
        ngx_media_ask_cancel(ctx->ask);
    }

    sent = ctx->request->connection->sent;

    if (sent > 0 && ctx->output) {
        ngx_media_hls_sent(ctx->output->hls, (uint64_t) sent);
        ngx_http_hls_session_sent(ctx, (uint64_t) sent);
    }

    if (ctx->blob) {
        ngx_http_hls_blob_unref(ctx->blob);
        ctx->blob = NULL;
    }

    if (ctx->cached) {
        ngx_http_hls_object_unref(ctx->cached);
        ctx->cached = NULL;
    }

    if (ctx->output) {
        ngx_http_hls_output_unref(ctx->output);
        ctx->output = NULL;
    }
}
