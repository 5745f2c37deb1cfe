
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the location directive `media_events`: a stream of events as WHATWG
 * HTML, section 9.2 (server-sent events) has it.  Reads the request: filters
 * and Last-Event-ID; what follows is in ngx_media_event_client.c.
 *
 * Reading is for everybody, as in media_api; who may is up to the location.
 */


#include "ngx_media_event_hub.h"
#include "ngx_media_http.h"


typedef struct {
    ngx_uint_t   locations;
} ngx_media_event_main_conf_t;


static ngx_int_t ngx_media_event_handler(ngx_http_request_t *r);
static ngx_int_t ngx_media_event_filters(ngx_media_event_client_t *ctx);
static ngx_int_t ngx_media_event_filter(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
static ngx_int_t ngx_media_event_kinds(ngx_str_t *list, ngx_uint_t *kinds);
static ngx_uint_t ngx_media_event_resume(ngx_media_event_client_t *ctx);
static ngx_int_t ngx_media_event_header(ngx_http_request_t *r);
static ngx_int_t ngx_media_event_not_allowed(ngx_http_request_t *r);

static void *ngx_media_event_create_main_conf(ngx_conf_t *cf);
static char *ngx_media_events(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_media_event_init_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_media_event_commands[] = {

    { ngx_string("media_events"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_media_events,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_media_event_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_media_event_create_main_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_media_event_module = {
    NGX_MODULE_V1,
    &ngx_media_event_module_ctx,           /* module context */
    ngx_media_event_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_media_event_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_media_event_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_uint_t                 other;
    ngx_media_event_client_t  *ctx;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_media_event_not_allowed(r);
    }

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_media_arena() == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_media_event_client_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;

    rc = ngx_media_event_filters(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    other = ngx_media_event_resume(ctx);

    rc = ngx_media_event_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_media_event_client_begin(ctx, other);
}


/* --- the request -------------------------------------------------------- */

static ngx_int_t
ngx_media_event_filters(ngx_media_event_client_t *ctx)
{
    ngx_str_t            list;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_media_event_filter(r, "vhost", &ctx->vhost) != NGX_OK
        || ngx_media_event_filter(r, "app", &ctx->app) != NGX_OK
        || ngx_media_event_filter(r, "stream", &ctx->stream) != NGX_OK
        || ngx_media_event_filter(r, "event", &list) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (list.data == NULL) {
        ctx->kinds = ((ngx_uint_t) 1 << NGX_MEDIA_KIND_MAX) - 1;
        return NGX_OK;
    }

    return ngx_media_event_kinds(&list, &ctx->kinds);
}


/* an argument, decoded; value->data is NULL where there is none */

static ngx_int_t
ngx_media_event_filter(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    u_char     *dst, *src;
    ngx_str_t   arg;

    ngx_str_null(value);

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &arg) != NGX_OK
        || arg.len == 0)
    {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, arg.len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;
    src = arg.data;

    ngx_unescape_uri(&dst, &src, arg.len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


/* names with commas between; NGX_OK, or the status */

static ngx_int_t
ngx_media_event_kinds(ngx_str_t *list, ngx_uint_t *kinds)
{
    u_char      *p, *last, *end;
    ngx_str_t   *name;
    ngx_uint_t   i;

    *kinds = 0;
    end = list->data + list->len;

    for (p = list->data; p < end; p = last + 1) {

        last = ngx_strlchr(p, end, ',');

        if (last == NULL) {
            last = end;
        }

        for (i = 0; i < NGX_MEDIA_KIND_MAX; i++) {
            name = ngx_media_event_name(i);

            if (name->len == (size_t) (last - p)
                && ngx_strncmp(name->data, p, name->len) == 0)
            {
                break;
            }
        }

        if (i == NGX_MEDIA_KIND_MAX) {
            return NGX_HTTP_BAD_REQUEST;
        }

        *kinds |= (ngx_uint_t) 1 << i;
    }

    return *kinds ? NGX_OK : NGX_HTTP_BAD_REQUEST;
}


/*
 * Where to begin: behind the event that Last-Event-ID names, else with the
 * next one that comes.  1: the id is of another life of the server.
 */

static ngx_uint_t
ngx_media_event_resume(ngx_media_event_client_t *ctx)
{
    size_t                   len;
    uint64_t                 head;
    ngx_int_t                n;
    ngx_str_t               *id;
    ngx_media_arena_t       *arena;
    ngx_media_event_ring_t  *ring;

    arena = ngx_media_arena();
    ring = ngx_media_event_ring();
    head = ngx_media_event_ring_head(ring);

    ctx->next = head + 1;

    id = ngx_media_api_find_header(ctx->request, "last-event-id");
    len = ngx_strlen(arena->service_id);

    if (id == NULL || id->len < len + 2 || id->data[len] != '-') {
        return 0;
    }

    n = ngx_atoi(id->data + len + 1, id->len - len - 1);

    if (n == NGX_ERROR) {
        return 0;
    }

    if (ngx_strncmp(id->data, arena->service_id, len) != 0) {
        ctx->next = ngx_media_event_ring_oldest(ring);
        return 1;
    }

    if ((uint64_t) n <= head) {
        ctx->next = (uint64_t) n + 1;
    }

    return 0;
}


/* --- the answer --------------------------------------------------------- */

static ngx_int_t
ngx_media_event_header(ngx_http_request_t *r)
{
    /* a proxy of nginx shall not wait for more */

    static const ngx_media_http_header_t  headers[] = {
        { ngx_string("Cache-Control"), ngx_string("no-store") },
        { ngx_string("X-Accel-Buffering"), ngx_string("no") },
        { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
        { ngx_string("X-Content-Type-Options"), ngx_string("nosniff") },
        { ngx_null_string, ngx_null_string }
    };

    if (ngx_media_http_headers(r, headers) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_media_event_not_allowed(ngx_http_request_t *r)
{
    static const ngx_str_t  allow = ngx_string("GET, HEAD");

    if (ngx_media_http_header(r, "Allow", &allow) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


/* --- configuration ------------------------------------------------------ */

static void *
ngx_media_event_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_media_event_main_conf_t));
}


static char *
ngx_media_events(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_event_main_conf_t *emcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_media_event_handler) {
        return "is duplicate";
    }

    if (clcf->handler) {
        return "conflicts with another content handler in the same location";
    }

    clcf->handler = ngx_media_event_handler;
    emcf->locations++;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_media_event_init_process(ngx_cycle_t *cycle)
{
    ngx_media_event_main_conf_t  *emcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    emcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_media_event_module);

    ngx_media_event_clients_init(cycle);

    return ngx_media_event_init(emcf && emcf->locations);
}
