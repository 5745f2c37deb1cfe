
/*
 * Copyright (C) the nginx media suite authors
 *
 * HLS and DASH over HTTP: GET /APP/STREAM.m3u8 and what its playlists name.
 * This file decides which requests are the module's own and answers what
 * needs no stream.
 *
 * The handler runs in the content phase, before those of static files, and
 * declines every name that is not HLS's, so that both may share a location.
 * A content handler of the location (proxy_pass and the like) would keep the
 * phase from running at all, so that is refused.
 */


#include "ngx_http_hls.h"


static ngx_int_t ngx_http_hls_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_hls_name(ngx_http_request_t *r,
    ngx_media_hls_name_t *name);
static ngx_int_t ngx_http_hls_options(ngx_http_request_t *r);
static ngx_int_t ngx_http_hls_not_allowed(ngx_http_request_t *r);

static void *ngx_http_hls_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_hls_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_hls(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_hls_postconfiguration(ngx_conf_t *cf);
static void ngx_http_hls_exit_process(ngx_cycle_t *cycle);
static void *ngx_http_hls_boot(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_hls_commands[] = {

    { ngx_string("hls"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS
                        |NGX_CONF_TAKE1,
      ngx_http_hls,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_hls_loc_conf_t, enable),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_hls_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_hls_postconfiguration,        /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_hls_create_loc_conf,          /* create location configuration */
    ngx_http_hls_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_hls_module = {
    NGX_MODULE_V1,
    &ngx_http_hls_module_ctx,              /* module context */
    ngx_http_hls_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_hls_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_core_module_t  ngx_http_hls_boot_module_ctx = {
    ngx_string("hls_boot"),
    ngx_http_hls_boot,
    NULL
};


ngx_module_t  ngx_http_hls_boot_module = {
    NGX_MODULE_V1,
    &ngx_http_hls_boot_module_ctx,         /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* any page may play: what a stream is worth is guarded by other means */

static const ngx_media_http_header_t  ngx_http_hls_cors[] = {
    { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
    { ngx_string("Access-Control-Expose-Headers"), ngx_string("*") },
    { ngx_null_string, ngx_null_string }
};


static const ngx_media_http_header_t  ngx_http_hls_preflight[] = {
    { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
    { ngx_string("Access-Control-Allow-Methods"),
      ngx_string("GET, HEAD, OPTIONS") },
    { ngx_string("Access-Control-Allow-Headers"),
      ngx_string("*, Authorization") },
    { ngx_string("Access-Control-Max-Age"), ngx_string("86400") },
    { ngx_string("Allow"), ngx_string("GET, HEAD, OPTIONS") },
    { ngx_null_string, ngx_null_string }
};


static const ngx_media_http_header_t  ngx_http_hls_allow[] = {
    { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
    { ngx_string("Allow"), ngx_string("GET, HEAD, OPTIONS") },
    { ngx_null_string, ngx_null_string }
};


static ngx_int_t
ngx_http_hls_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_media_hls_name_t      name;
    ngx_http_hls_loc_conf_t  *hlcf;

    hlcf = ngx_http_get_module_loc_conf(r, ngx_http_hls_module);

    if (!hlcf->enable || r != r->main || !ngx_http_hls_name(r, &name)) {
        return NGX_DECLINED;
    }

    /* what was recorded of a stream that is not live, or is asked for */

    if (name.kind == NGX_MEDIA_HLS_NAME_PLAYLIST && ngx_media_vod_takes(r)) {
        return NGX_DECLINED;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_http_hls_options(r);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_hls_not_allowed(r);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_media_http_headers(r, ngx_http_hls_cors) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (name.kind == NGX_MEDIA_HLS_NAME_BAD) {
        return NGX_HTTP_NOT_FOUND;
    }

    return ngx_http_hls_request(r, &name);
}


/* /APP/NAME, where APP may have several levels */

static ngx_uint_t
ngx_http_hls_name(ngx_http_request_t *r, ngx_media_hls_name_t *name)
{
    u_char  *p, *last;

    last = r->uri.data + r->uri.len;

    for (p = last; p > r->uri.data && p[-1] != '/'; p--) { /* void */ }

    if (p == last || p - r->uri.data < 3) {
        return 0;
    }

    ngx_media_hls_name_parse(p, last, name);

    return name->kind != NGX_MEDIA_HLS_NAME_NONE;
}


static ngx_int_t
ngx_http_hls_options(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_media_http_headers(r, ngx_http_hls_preflight) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_http_hls_not_allowed(ngx_http_request_t *r)
{
    if (ngx_media_http_headers(r, ngx_http_hls_allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


static void *
ngx_http_hls_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_hls_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_hls_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->file = { 0, NULL };
     *     conf->line = 0;
     */

    conf->enable = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_hls_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_hls_loc_conf_t  *prev = parent;
    ngx_http_hls_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_value(conf->enable, prev->enable, 0);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->enable && conf->file.len && clcf->handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"hls\" would never run beside the handler that "
                      "another directive (proxy_pass, flv, mp4, ...) sets for "
                      "this location; give it a location of its own, such as "
                      "\"location ~ \\.(m3u8|m4s|mp4|ts)$ { hls; }\" "
                      "in %V:%ui",
                      &conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_hls(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_hls_loc_conf_t  *hlcf = conf;

    hlcf->file = cf->conf_file->file.name;
    hlcf->line = cf->conf_file->line;

    return ngx_media_conf_set_flag(cf, cmd, conf);
}


static ngx_int_t
ngx_http_hls_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_CONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_hls_handler;

    return NGX_OK;
}


static void
ngx_http_hls_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_hls_playlist_exit();
}


/* runs while load_module is read: the core must be there before media{} */

static void *
ngx_http_hls_boot(ngx_cycle_t *cycle)
{
    if (ngx_media_register(cycle, NGX_MEDIA_ABI, "ngx_http_hls_module")
        != NGX_OK)
    {
        return NULL;
    }

    return cycle;
}
