
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the HTTP API (location directives `media_api [read|write]` and
 * `media_metrics`): routes, methods, JSONP and the form of the answers.
 * Compatible with the API of SRS: paths, field names, types and codes.
 *
 * Routes are matched on the whole URI, so that `location /api/` and
 * `location /` serve the same.  GET is for everybody.  Who may close a
 * client: anybody under `media_api write` (access is up to the location),
 * else peers on loopback.  Actions on streams need `write`.  A request that a
 * script of a foreign page can make (JSONP, another Origin) changes nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"
#include "ngx_media_http.h"
#include "ngx_media_http_variable.h"


#define NGX_MEDIA_API_READ        1
#define NGX_MEDIA_API_WRITE       2
#define NGX_MEDIA_API_METRICS     3


typedef struct {
    ngx_uint_t   mode;
} ngx_media_api_loc_conf_t;


typedef ngx_int_t (*ngx_media_api_handler_pt)(ngx_media_api_t *api);

typedef struct {
    ngx_str_t                 action;       /* of ?action= */
    ngx_media_api_handler_pt  handler;
} ngx_media_api_action_t;

typedef struct {
    ngx_str_t                      path;
    ngx_uint_t                     flags;
    ngx_media_api_handler_pt       get;     /* NULL: redirects to `to` */
    ngx_media_api_handler_pt       remove;  /* of one id */
    const ngx_media_api_action_t  *post;    /* to one id */
    ngx_str_t                      to;
} ngx_media_api_route_t;

#define NGX_MEDIA_API_ID          1         /* one follows; path ends in '/' */
#define NGX_MEDIA_API_LIST        8         /* POST is to the list */
#define NGX_MEDIA_API_BARE        2         /* nothing but code before it */
#define NGX_MEDIA_API_WHOLE       4         /* the handler writes all of it */


static ngx_int_t ngx_media_api_handler(ngx_http_request_t *r);
static const ngx_media_api_route_t *ngx_media_api_match(ngx_str_t *uri,
    ngx_str_t *id, ngx_uint_t *redirect);
static ngx_int_t ngx_media_api_change(ngx_media_api_t *api,
    const ngx_media_api_route_t *route, ngx_str_t *callback);
static ngx_int_t ngx_media_api_action(ngx_media_api_t *api,
    const ngx_media_api_route_t *route, ngx_str_t *callback);
static ngx_uint_t ngx_media_api_jsonp_changes(ngx_http_request_t *r,
    ngx_str_t *callback);
static ngx_int_t ngx_media_api_denied(ngx_media_api_t *api,
    ngx_str_t *callback);
static ngx_int_t ngx_media_api_run(ngx_media_api_t *api,
    ngx_media_api_handler_pt handler, ngx_uint_t flags, ngx_str_t *callback);
static void ngx_media_api_parked(ngx_http_request_t *r);
static ngx_int_t ngx_media_api_end(ngx_media_api_t *api, ngx_int_t rc,
    ngx_uint_t status, ngx_str_t *callback);
static void ngx_media_api_begin(ngx_media_api_t *api, ngx_uint_t flags,
    ngx_str_t *callback);
static void ngx_media_api_code(ngx_media_api_t *api, ngx_str_t *callback);
static ngx_int_t ngx_media_api_send(ngx_media_api_t *api,
    ngx_uint_t status, ngx_uint_t jsonp);
static ngx_int_t ngx_media_api_send_text(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *text);
static ngx_int_t ngx_media_api_redirect(ngx_http_request_t *r,
    const ngx_str_t *path);
static ngx_int_t ngx_media_api_not_allowed(ngx_http_request_t *r,
    const ngx_media_api_route_t *route);
static ngx_int_t ngx_media_api_options(ngx_http_request_t *r);
static ngx_int_t ngx_media_api_headers(ngx_http_request_t *r);

static ngx_int_t ngx_media_api_add_variables(ngx_conf_t *cf);
static void *ngx_media_api_create_loc_conf(ngx_conf_t *cf);
static char *ngx_media_api_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_media_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_media_metrics(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_media_api_commands[] = {

    { ngx_string("media_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_media_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("media_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_media_metrics,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_media_api_module_ctx = {
    ngx_media_api_add_variables,   /* preconfiguration */
    NULL,                          /* postconfiguration */

    NULL,                          /* create main configuration */
    NULL,                          /* init main configuration */

    NULL,                          /* create server configuration */
    NULL,                          /* merge server configuration */

    ngx_media_api_create_loc_conf, /* create location configuration */
    ngx_media_api_merge_loc_conf   /* merge location configuration */
};


ngx_module_t  ngx_media_api_module = {
    NGX_MODULE_V1,
    &ngx_media_api_module_ctx,     /* module context */
    ngx_media_api_commands,        /* module directives */
    NGX_HTTP_MODULE,               /* module type */
    NULL,                          /* init master */
    NULL,                          /* init module */
    NULL,                          /* init process */
    NULL,                          /* init thread */
    NULL,                          /* exit thread */
    NULL,                          /* exit process */
    NULL,                          /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_media_api_action_t  ngx_media_api_stream_actions[] = {
    { ngx_string("republish"), ngx_media_api_republish },
    { ngx_string("record"), ngx_media_api_record },
    { ngx_null_string, NULL }
};


static const ngx_media_api_action_t  ngx_media_api_recording_actions[] = {
    { ngx_string("record"), ngx_media_api_record_name },
    { ngx_null_string, NULL }
};


static const ngx_media_api_route_t  ngx_media_api_routes[] = {

    { ngx_string("/"), 0,
      ngx_media_api_root, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/"), 0,
      ngx_media_api_index, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/"), 0,
      ngx_media_api_index_v1, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/openapi.json"), NGX_MEDIA_API_WHOLE,
      ngx_media_api_openapi, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/versions"), 0,
      ngx_media_api_versions, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/summaries"), 0,
      ngx_media_api_summaries, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/rusages"), 0,
      ngx_media_api_rusages, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/self_proc_stats"), 0,
      ngx_media_api_self_proc_stats, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/system_proc_stats"), 0,
      ngx_media_api_system_proc_stats, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/meminfos"), 0,
      ngx_media_api_meminfos, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/authors"), 0,
      ngx_media_api_authors, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/features"), 0,
      ngx_media_api_features, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/requests"), 0,
      ngx_media_api_requests, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/vhosts/"), NGX_MEDIA_API_ID,
      ngx_media_api_vhosts, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/streams/"), NGX_MEDIA_API_ID,
      ngx_media_api_streams, NULL, ngx_media_api_stream_actions,
      ngx_null_string },

    { ngx_string("/api/v1/clients/"), NGX_MEDIA_API_ID,
      ngx_media_api_clients, ngx_media_api_kick, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/relays"), 0,
      ngx_media_api_relays, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/recordings/"), NGX_MEDIA_API_ID|NGX_MEDIA_API_LIST,
      ngx_media_api_recordings, ngx_media_api_recording_remove,
      ngx_media_api_recording_actions,
      ngx_null_string },

    { ngx_string("/api/v1/raw"), NGX_MEDIA_API_BARE,
      ngx_media_api_raw, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/tests/requests"), 0,
      ngx_media_api_requests, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/tests/errors"), 0,
      ngx_media_api_errors, NULL, NULL,
      ngx_null_string },

    { ngx_string("/api/v1/tests/redirects"), 0,
      NULL, NULL, NULL,
      ngx_string("/api/v1/tests/errors") },

    { ngx_null_string, 0, NULL, NULL, NULL, ngx_null_string }
};


static ngx_str_t  ngx_media_api_json_type = ngx_string("application/json");
static ngx_str_t  ngx_media_api_jsonp_type = ngx_string("text/javascript");
static ngx_str_t  ngx_media_api_text_type =
    ngx_string("text/plain; charset=utf-8");


static ngx_int_t
ngx_media_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    redirect;
    ngx_media_api_t              *api;
    ngx_media_api_loc_conf_t     *alcf;
    const ngx_media_api_route_t  *route;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    /* in memory of the request: an answer may come later */

    api = ngx_pcalloc(r->pool, sizeof(ngx_media_api_t));
    if (api == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->request = r;

    alcf = ngx_http_get_module_loc_conf(r, ngx_media_api_module);
    api->write = (alcf->mode == NGX_MEDIA_API_WRITE);

    route = ngx_media_api_match(&r->uri, &api->id, &redirect);

    if (route == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_media_api_options(r);
    }

    if (redirect) {
        return ngx_media_api_redirect(r, &route->path);
    }

    if (ngx_media_arena() == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_media_api_callback(r, &api->callback) != NGX_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_media_api_change(api, route, &api->callback);
    }

    if (ngx_media_api_jsonp_changes(r, &api->callback)) {
        return ngx_media_api_denied(api, &api->callback);
    }

    if (route->get == NULL) {
        return ngx_media_api_redirect(r, &route->to);
    }

    return ngx_media_api_run(api, route->get, route->flags, &api->callback);
}


/*
 * The route of a URI, id is what follows it; *redirect: the URI lacks the last
 * slash.  NULL: there is none.
 */

static const ngx_media_api_route_t *
ngx_media_api_match(ngx_str_t *uri, ngx_str_t *id, ngx_uint_t *redirect)
{
    const ngx_str_t              *path;
    const ngx_media_api_route_t  *route;

    *redirect = 0;
    ngx_str_null(id);

    for (route = ngx_media_api_routes; route->path.len; route++) {

        path = &route->path;

        if (uri->len < path->len) {

            if (uri->len == path->len - 1 && uri->len
                && path->data[uri->len] == '/'
                && ngx_strncmp(uri->data, path->data, uri->len) == 0)
            {
                *redirect = 1;
                return route;
            }

            continue;
        }

        if (ngx_strncmp(uri->data, path->data, path->len) != 0) {
            continue;
        }

        if (uri->len == path->len) {
            return route;
        }

        if (route->flags & NGX_MEDIA_API_ID) {
            id->data = uri->data + path->len;
            id->len = uri->len - path->len;
            return route;
        }
    }

    return NULL;
}


/* methods that change something: DELETE of one id, POST to one or to a list */

static ngx_int_t
ngx_media_api_change(ngx_media_api_t *api, const ngx_media_api_route_t *route,
    ngx_str_t *callback)
{
    ngx_http_request_t  *r;

    r = api->request;

    if (r->method == NGX_HTTP_POST && route->post
        && (api->id.len != 0) == !(route->flags & NGX_MEDIA_API_LIST))
    {

        if (callback->len || !api->write || !ngx_media_api_may_change(r, 1)) {
            return ngx_media_api_denied(api, callback);
        }

        return ngx_media_api_action(api, route, callback);
    }

    if (r->method == NGX_HTTP_DELETE && route->remove && api->id.len) {

        if (callback->len || !ngx_media_api_may_change(r, api->write)) {
            return ngx_media_api_denied(api, callback);
        }

        return ngx_media_api_run(api, route->remove, 0, callback);
    }

    return ngx_media_api_not_allowed(r, route);
}


static ngx_int_t
ngx_media_api_action(ngx_media_api_t *api, const ngx_media_api_route_t *route,
    ngx_str_t *callback)
{
    ngx_str_t                      name;
    ngx_http_request_t            *r;
    const ngx_media_api_action_t  *a;

    r = api->request;

    if (ngx_http_arg(r, (u_char *) "action", 6, &name) != NGX_OK) {
        return ngx_media_api_not_allowed(r, route);
    }

    for (a = route->post; a->handler; a++) {

        if (name.len == a->action.len
            && ngx_strncmp(name.data, a->action.data, name.len) == 0)
        {
            return ngx_media_api_run(api, a->handler, 0, callback);
        }
    }

    return NGX_HTTP_BAD_REQUEST;
}


/* JSONP can only GET and names another method in an argument: it only reads */

static ngx_uint_t
ngx_media_api_jsonp_changes(ngx_http_request_t *r, ngx_str_t *callback)
{
    ngx_str_t  method;

    return callback->len
           && ngx_http_arg(r, (u_char *) "method", 6, &method) == NGX_OK
           && (method.len != 3
               || ngx_strncasecmp(method.data, (u_char *) "GET", 3) != 0);
}


static ngx_int_t
ngx_media_api_denied(ngx_media_api_t *api, ngx_str_t *callback)
{
    ngx_uint_t  status;

    /* a script element runs no answer but one of status 200 */

    status = (callback->len && (api->request->method & NGX_HTTP_GET))
             ? NGX_HTTP_OK : NGX_HTTP_FORBIDDEN;

    api->code = NGX_MEDIA_API_DENIED;

    return ngx_media_api_end(api, NGX_DECLINED, status, callback);
}


static ngx_int_t
ngx_media_api_run(ngx_media_api_t *api, ngx_media_api_handler_pt handler,
    ngx_uint_t flags, ngx_str_t *callback)
{
    ngx_int_t  rc;

    api->whole = (flags & NGX_MEDIA_API_WHOLE) ? 1 : 0;

    ngx_media_api_begin(api, flags, callback);

    rc = handler(api);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    return ngx_media_api_end(api, rc, NGX_HTTP_OK, callback);
}


/*
 * The request waits for something else.  It stays where it is (blocked), also
 * where its client goes, until it is resumed.
 */

ngx_int_t
ngx_media_api_park(ngx_media_api_t *api)
{
    ngx_http_request_t  *r;

    r = api->request;

    r->main->count++;
    r->main->blocked++;
    r->aio = 1;

    ngx_http_set_ctx(r, api, ngx_media_api_module);
    r->write_event_handler = ngx_media_api_parked;

    return NGX_AGAIN;
}


void
ngx_media_api_resume(ngx_media_api_t *api, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = api->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    api->rc = rc;
    api->ready = 1;

    r->main->blocked--;
    r->aio = 0;

    /* the one below, or nginx's own where the request was given up */

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_media_api_parked(ngx_http_request_t *r)
{
    ngx_media_api_t  *api;

    api = ngx_http_get_module_ctx(r, ngx_media_api_module);

    if (!api->ready) {
        return;
    }

    api->ready = 0;

    ngx_http_finalize_request(r, ngx_media_api_end(api, api->rc, NGX_HTTP_OK,
                                                   &api->callback));
}


/* rc is what a handler has said */

static ngx_int_t
ngx_media_api_end(ngx_media_api_t *api, ngx_int_t rc, ngx_uint_t status,
    ngx_str_t *callback)
{
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_BUSY) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (rc == NGX_DECLINED) {
        ngx_media_api_code(api, callback);

    } else if (!api->whole) {
        ngx_media_json_object_end(&api->json);
    }

    if (callback->len) {
        ngx_media_json_raw(&api->json, ")", 1);
    }

    return ngx_media_api_send(api, status, callback->len != 0);
}


static void
ngx_media_api_begin(ngx_media_api_t *api, ngx_uint_t flags,
    ngx_str_t *callback)
{
    u_char              pid[NGX_INT64_LEN + 1];
    ngx_media_json_t   *j;
    ngx_media_arena_t  *arena;

    arena = ngx_media_arena();
    j = &api->json;

    ngx_media_json_init(j, api->request->pool);

    if (callback->len) {
        ngx_media_json_raw(j, callback->data, callback->len);
        ngx_media_json_raw(j, "(", 1);
    }

    if (flags & NGX_MEDIA_API_WHOLE) {
        return;
    }

    *ngx_sprintf(pid, "%P", ngx_media_api_pid()) = '\0';

    ngx_media_json_object(j);
    ngx_media_json_key_int(j, "code", 0);

    if (flags & NGX_MEDIA_API_BARE) {
        return;
    }

    ngx_media_json_key_text(j, "server", (char *) arena->server_id);
    ngx_media_json_key_text(j, "service", (char *) arena->service_id);
    ngx_media_json_key_text(j, "pid", (char *) pid);
}


static void
ngx_media_api_code(ngx_media_api_t *api, ngx_str_t *callback)
{
    ngx_media_json_t  *j;

    j = &api->json;

    ngx_media_json_init(j, api->request->pool);

    if (callback->len) {
        ngx_media_json_raw(j, callback->data, callback->len);
        ngx_media_json_raw(j, "(", 1);
    }

    ngx_media_json_object(j);
    ngx_media_json_key_int(j, "code", api->code);
    ngx_media_json_object_end(j);
}


static ngx_int_t
ngx_media_api_send(ngx_media_api_t *api, ngx_uint_t status, ngx_uint_t jsonp)
{
    ngx_int_t            rc;
    ngx_chain_t         *out;
    ngx_http_request_t  *r;

    r = api->request;

    out = ngx_media_json_finish(&api->json);
    if (out == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "media API: answer of %uz bytes could not be made",
                      api->json.size);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    api->json.buf->last_buf = (r == r->main) ? 1 : 0;

    r->headers_out.status = status;
    r->headers_out.content_length_n = api->json.size;
    r->headers_out.content_type = jsonp ? ngx_media_api_jsonp_type
                                        : ngx_media_api_json_type;
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_media_api_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


static ngx_int_t
ngx_media_api_send_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *text)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = text->len ? 1 : 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = status;
    r->headers_out.content_length_n = text->len;

    if (text->len) {
        r->headers_out.content_type = ngx_media_api_text_type;
        r->headers_out.content_type_len = sizeof("text/plain") - 1;
        r->headers_out.content_type_lowcase = NULL;
    }

    if (ngx_media_api_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_media_api_redirect(ngx_http_request_t *r, const ngx_str_t *path)
{
    u_char     *p;
    ngx_str_t   text, location;

    static const ngx_str_t  to = ngx_string("Redirect to ");

    text.len = to.len + path->len + 1 + r->args.len;

    text.data = ngx_pnalloc(r->pool, text.len);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_cpymem(text.data, to.data, to.len);
    p = ngx_cpymem(p, path->data, path->len);

    if (r->args.len) {
        *p++ = '?';
        p = ngx_cpymem(p, r->args.data, r->args.len);
    }

    text.len = p - text.data;

    location.data = text.data + to.len;
    location.len = text.len - to.len;

    /* not headers_out.location: nginx would make it absolute */

    if (ngx_media_http_header(r, "Location", &location) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_media_api_send_text(r, NGX_HTTP_MOVED_TEMPORARILY, &text);
}


static ngx_int_t
ngx_media_api_not_allowed(ngx_http_request_t *r,
    const ngx_media_api_route_t *route)
{
    ngx_str_t  *allow;

    static ngx_str_t  text = ngx_string("Method Not Allowed");
    static ngx_str_t  reads = ngx_string("GET, HEAD, OPTIONS");
    static ngx_str_t  removes = ngx_string("GET, HEAD, DELETE, OPTIONS");
    static ngx_str_t  posts = ngx_string("GET, HEAD, POST, OPTIONS");
    static ngx_str_t  both = ngx_string("GET, HEAD, POST, DELETE, OPTIONS");

    allow = route->remove ? &removes : route->post ? &posts : &reads;

    if (route->remove && route->post) {
        allow = &both;
    }

    if (ngx_media_http_header(r, "Allow", allow) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_media_api_send_text(r, NGX_HTTP_NOT_ALLOWED, &text);
}


/* CORS: pages of other origins may read, and nothing else */

static ngx_int_t
ngx_media_api_options(ngx_http_request_t *r)
{
    static ngx_str_t                      empty = ngx_string("");
    static const ngx_media_http_header_t  headers[] = {
        { ngx_string("Access-Control-Allow-Methods"),
          ngx_string("GET, HEAD, OPTIONS") },
        { ngx_string("Access-Control-Allow-Headers"),
          ngx_string("Accept, Authorization, Cache-Control, Content-Type, "
                     "Range, X-Requested-With") },
        { ngx_null_string, ngx_null_string }
    };

    if (ngx_media_http_headers(r, headers) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_media_api_send_text(r, NGX_HTTP_OK, &empty);
}


static ngx_int_t
ngx_media_api_headers(ngx_http_request_t *r)
{
    static const ngx_media_http_header_t  headers[] = {
        { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
        { ngx_string("Cache-Control"), ngx_string("no-store") },
        { ngx_string("X-Content-Type-Options"), ngx_string("nosniff") },
        { ngx_null_string, ngx_null_string }
    };

    return ngx_media_http_headers(r, headers);
}


static ngx_int_t
ngx_media_api_add_variables(ngx_conf_t *cf)
{
    return ngx_media_http_add_variables(cf);
}


static void *
ngx_media_api_create_loc_conf(ngx_conf_t *cf)
{
    ngx_media_api_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_media_api_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->mode = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_media_api_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_media_api_loc_conf_t *prev = parent;
    ngx_media_api_loc_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->mode, prev->mode, NGX_MEDIA_API_READ);

    return NGX_CONF_OK;
}


static char *
ngx_media_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_api_loc_conf_t *alcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (alcf->mode == NGX_MEDIA_API_METRICS) {
        return "conflicts with \"media_metrics\" in the same location";
    }

    if (alcf->mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 1 || ngx_strcmp(value[1].data, "read") == 0) {
        alcf->mode = NGX_MEDIA_API_READ;

    } else if (ngx_strcmp(value[1].data, "write") == 0) {
        alcf->mode = NGX_MEDIA_API_WRITE;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"media_api\", "
                           "it must be \"read\" or \"write\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_media_api_handler;

    return NGX_CONF_OK;
}


static char *
ngx_media_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_api_loc_conf_t *alcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (alcf->mode == NGX_MEDIA_API_METRICS) {
        return "is duplicate";
    }

    if (alcf->mode != NGX_CONF_UNSET_UINT) {
        return "conflicts with \"media_api\" in the same location";
    }

    alcf->mode = NGX_MEDIA_API_METRICS;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_media_metrics_handler;

    return NGX_CONF_OK;
}
