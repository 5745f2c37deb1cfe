
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: parts of the API that tell about the server itself: breadcrumbs,
 * versions, authors, features, the raw switches, and the request itself.
 *
 * A feature is there when a module of this nginx has its directive, so that
 * what is shown is what is loaded.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"
#include "ngx_media_version.h"


/* name in the API, and the directive that tells; NULL: always */

typedef struct {
    const char  *name;
    const char  *directive;
} ngx_media_api_feature_t;


static ngx_uint_t ngx_media_api_has(const char *directive);
static ngx_uint_t ngx_media_api_has_module(const char *name);
static void ngx_media_api_options_text(ngx_media_json_t *j);
static const char *ngx_media_api_method(ngx_http_request_t *r);
static void ngx_media_api_request_uri(ngx_media_json_t *j,
    ngx_http_request_t *r);
static void ngx_media_api_request_headers(ngx_media_json_t *j,
    ngx_http_request_t *r);
static ngx_uint_t ngx_media_api_is_secret(ngx_str_t *name);


static const ngx_media_api_feature_t  ngx_media_api_feature_list[] = {
    { "ssl", "ssl_certificate" },
    { "hls", "hls" },
    { "hds", "hds" },
    { "callback", "on_publish" },
    { "api", NULL },
    { "httpd", NULL },
    { "dvr", "dvr" },
    { "transcode", "transcode" },
    { "ingest", "ingest" },
    { "stat", NULL },
    { "caster", "flv_live_push" },
    { "complex_send", NULL },
    { "tcp_nodelay", "tcp_nodelay" },
    { "so_sendbuf", "so_sendbuf" },
    { "mr", NULL },
    { "srt", "srt" },
    { NULL, NULL }
};


ngx_int_t
ngx_media_api_root(ngx_media_api_t *api)
{
    ngx_media_json_t  *j = &api->json;

    ngx_media_json_key_object(j, "urls");
    ngx_media_json_key_text(j, "api", "the HTTP API");
    ngx_media_json_object_end(j);

    return NGX_OK;
}


ngx_int_t
ngx_media_api_index(ngx_media_api_t *api)
{
    ngx_media_json_t  *j = &api->json;

    ngx_media_json_key_object(j, "urls");
    ngx_media_json_key_text(j, "v1", "version 1 of the API");
    ngx_media_json_object_end(j);

    return NGX_OK;
}


ngx_int_t
ngx_media_api_index_v1(ngx_media_api_t *api)
{
    ngx_media_json_t  *j = &api->json;

    ngx_media_json_key_object(j, "urls");
    ngx_media_json_key_text(j, "openapi.json",
                            "all of this, described for programs");
    ngx_media_json_key_text(j, "versions", "version of the server");
    ngx_media_json_key_text(j, "summaries",
                            "processes, machine and shared memory");
    ngx_media_json_key_text(j, "rusages", "resources of the worker");
    ngx_media_json_key_text(j, "self_proc_stats", "status of the worker");
    ngx_media_json_key_text(j, "system_proc_stats",
                            "processors of the machine");
    ngx_media_json_key_text(j, "meminfos", "memory of the machine");
    ngx_media_json_key_text(j, "authors", "license and contributors");
    ngx_media_json_key_text(j, "features", "what is built in");
    ngx_media_json_key_text(j, "requests", "the request itself");
    ngx_media_json_key_text(j, "vhosts", "all vhosts, or one by its id");
    ngx_media_json_key_text(j, "streams",
                            "streams, or one by its id; ?start=0&count=10");
    ngx_media_json_key_text(j, "clients",
                            "clients, or one by its id; ?start=0&count=10");
    ngx_media_json_key_text(j, "relays",
                            "what is fetched from others and sent to them");
    ngx_media_json_key_text(j, "recordings",
                            "recordings, or one by its id; ?start=0&count=10");
    ngx_media_json_key_text(j, "raw", "switches of the API: ?rpc=raw");
    ngx_media_json_object_end(j);

    ngx_media_json_key_object(j, "tests");
    ngx_media_json_key_text(j, "requests", "the request itself");
    ngx_media_json_key_text(j, "errors", "always the error 100");
    ngx_media_json_key_text(j, "redirects", "always a redirect to errors");
    ngx_media_json_key_text(j, "[vhost]",
                            "the same in any server that has this location");
    ngx_media_json_object_end(j);

    return NGX_OK;
}


ngx_int_t
ngx_media_api_versions(ngx_media_api_t *api)
{
    ngx_media_json_t  *j = &api->json;

    ngx_media_json_key_object(j, "data");
    ngx_media_json_key_int(j, "major", NGX_MEDIA_VERSION_MAJOR);
    ngx_media_json_key_int(j, "minor", NGX_MEDIA_VERSION_MINOR);
    ngx_media_json_key_int(j, "revision", NGX_MEDIA_VERSION_REVISION);
    ngx_media_json_key_text(j, "version", NGX_MEDIA_VERSION);
    ngx_media_json_object_end(j);

    return NGX_OK;
}


ngx_int_t
ngx_media_api_authors(ngx_media_api_t *api)
{
    ngx_media_json_t  *j = &api->json;

    ngx_media_json_key_object(j, "data");
    ngx_media_json_key_text(j, "license", "BSD-2-Clause");
    ngx_media_json_key_text(j, "contributors",
                            "the nginx media suite authors");
    ngx_media_json_object_end(j);

    return NGX_OK;
}


ngx_int_t
ngx_media_api_features(ngx_media_api_t *api)
{
    ngx_uint_t                      change;
    ngx_media_json_t               *j = &api->json;
    const ngx_media_api_feature_t  *f;

    change = ngx_media_api_may_change(api->request, api->write);

    ngx_media_json_key_object(j, "data");
    ngx_media_api_options_text(j);
    ngx_media_json_key_text(j, "build", NGX_MEDIA_VERSION_DATE);
    ngx_media_json_key_text(j, "build2", NGX_MEDIA_VERSION_TIME);

    ngx_media_json_key_object(j, "features");

    for (f = ngx_media_api_feature_list; f->name; f++) {
        ngx_media_json_key_bool(j, f->name, f->directive == NULL
                                            || ngx_media_api_has(f->directive));
    }

    ngx_media_json_object_end(j);

    /* what this client may do here */

    ngx_media_json_key_object(j, "allowed");
    ngx_media_json_key_bool(j, "remove", change);
    ngx_media_json_key_bool(j, "action", change && api->write);
    ngx_media_json_object_end(j);

    ngx_media_json_object_end(j);

    return NGX_OK;
}


/* does a loaded module have this directive? */

static ngx_uint_t
ngx_media_api_has(const char *directive)
{
    ngx_uint_t      i;
    ngx_command_t  *cmd;

    for (i = 0; ngx_cycle->modules[i]; i++) {

        cmd = ngx_cycle->modules[i]->commands;

        for ( /* void */ ; cmd && cmd->name.len; cmd++) {
            if (ngx_strcmp(cmd->name.data, directive) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_media_api_has_module(const char *name)
{
    ngx_uint_t  i;

    for (i = 0; ngx_cycle->modules[i]; i++) {
        if (ngx_strcmp(ngx_cycle->modules[i]->name, name) == 0) {
            return 1;
        }
    }

    return 0;
}


/* modules of the suite, then what they run in */

static void
ngx_media_api_options_text(ngx_media_json_t *j)
{
    u_char  text[256], *p, *last;

    last = text + sizeof(text);

    p = ngx_slprintf(text, last, "--rtmp=%s --flv-live=%s",
                     ngx_media_api_has_module("ngx_stream_rtmp_module")
                     ? "on" : "off",
                     ngx_media_api_has_module("ngx_http_flv_live_module")
                     ? "on" : "off");

    ngx_media_json_key(j, "options");
    ngx_media_json_str(j, text, p - text);

    p = ngx_slprintf(text, last, "--nginx=%s --stream=%s --ssl=%s --http2=%s",
                     NGINX_VERSION,
                     ngx_media_api_has_module("ngx_stream_module")
                     ? "on" : "off",
                     ngx_media_api_has("ssl_certificate") ? "on" : "off",
                     ngx_media_api_has_module("ngx_http_v2_module")
                     ? "on" : "off");

    ngx_media_json_key(j, "options2");
    ngx_media_json_str(j, text, p - text);
}


/* what came with a request, for debugging; what is secret in it stays so */

ngx_int_t
ngx_media_api_requests(ngx_media_api_t *api)
{
    ngx_media_json_t    *j = &api->json;
    ngx_http_request_t  *r = api->request;

    ngx_media_json_key_object(j, "data");

    ngx_media_api_request_uri(j, r);
    ngx_media_json_key_str(j, "path", &r->uri);
    ngx_media_json_key_text(j, "METHOD", ngx_media_api_method(r));

    ngx_media_json_key_object(j, "headers");
    ngx_media_api_request_headers(j, r);
    ngx_media_json_object_end(j);

    ngx_media_json_key_object(j, "server");
    ngx_media_json_key_text(j, "sigature", "nginx media suite");
    ngx_media_json_key_text(j, "version", NGX_MEDIA_VERSION);
    ngx_media_json_key_text(j, "link", "/api/v1/");
    ngx_media_json_key_int(j, "time", ngx_media_epoch_ms());
    ngx_media_json_object_end(j);

    ngx_media_json_object_end(j);

    return NGX_OK;
}


static const char *
ngx_media_api_method(ngx_http_request_t *r)
{
    return (r->method == NGX_HTTP_HEAD) ? "HEAD" : "GET";
}


static void
ngx_media_api_request_uri(ngx_media_json_t *j, ngx_http_request_t *r)
{
    size_t      len;
    u_char     *p;
    ngx_str_t   host, scheme;

    ngx_str_set(&scheme, "http://");
    ngx_str_null(&host);

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(&scheme, "https://");
    }
#endif

    if (r->headers_in.host) {
        host = r->headers_in.host->value;
    }

    ngx_media_json_key(j, "uri");

    len = scheme.len + host.len + r->unparsed_uri.len;

    p = ngx_pnalloc(r->pool, len);

    if (p == NULL) {
        ngx_media_json_str(j, NULL, 0);
        return;
    }

    (void) ngx_sprintf(p, "%V%V%V", &scheme, &host, &r->unparsed_uri);

    ngx_media_json_str(j, p, len);
}


static void
ngx_media_api_request_headers(ngx_media_json_t *j, ngx_http_request_t *r)
{
    ngx_str_t         hidden;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_str_set(&hidden, "***");

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            ngx_media_json_name(j, h[i].key.data, h[i].key.len);
            ngx_media_json_str(j, ngx_media_api_is_secret(&h[i].key)
                                  ? hidden.data : h[i].value.data,
                               ngx_media_api_is_secret(&h[i].key)
                               ? hidden.len : h[i].value.len);
        }
    }
}


/* a page of another site could read them with JSONP */

static ngx_uint_t
ngx_media_api_is_secret(ngx_str_t *name)
{
    ngx_uint_t  i;

    static const ngx_str_t  names[] = {
        ngx_string("cookie"),
        ngx_string("authorization"),
        ngx_string("proxy-authorization"),
        ngx_null_string
    };

    for (i = 0; names[i].len; i++) {
        if (name->len == names[i].len
            && ngx_strncasecmp(name->data, names[i].data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_media_api_errors(ngx_media_api_t *api)
{
    api->code = NGX_MEDIA_API_TEST;

    return NGX_DECLINED;
}


/* the raw API of SRS: its switches may be read, and all of them are off */

ngx_int_t
ngx_media_api_raw(ngx_media_api_t *api)
{
    ngx_str_t            rpc, *listen;
    ngx_media_json_t    *j = &api->json;
    ngx_http_request_t  *r = api->request;

    if (ngx_http_arg(r, (u_char *) "rpc", 3, &rpc) != NGX_OK
        || rpc.len != 3
        || ngx_strncmp(rpc.data, "raw", 3) != 0)
    {
        api->code = NGX_MEDIA_API_DENIED;
        return NGX_DECLINED;
    }

    listen = &r->connection->listening->addr_text;

    ngx_media_json_key_object(j, "http_api");
    ngx_media_json_key_bool(j, "enabled", 1);
    ngx_media_json_key_str(j, "listen", listen);
    ngx_media_json_key_bool(j, "crossdomain", 1);

    ngx_media_json_key_object(j, "raw_api");
    ngx_media_json_key_bool(j, "enabled", 0);
    ngx_media_json_key_bool(j, "allow_reload", 0);
    ngx_media_json_key_bool(j, "allow_query", 0);
    ngx_media_json_key_bool(j, "allow_update", 0);
    ngx_media_json_object_end(j);

    ngx_media_json_object_end(j);

    return NGX_OK;
}
