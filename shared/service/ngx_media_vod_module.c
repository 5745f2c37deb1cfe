
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the location directives `media_recordings` and `hls_vod`: which requests
 * are theirs, and what needs no recording to be answered.
 *
 * The handler runs in the content phase, before those of static files, and
 * declines every name that is not a recording's, so that live streams and
 * files may share a location.  A content handler of the location (proxy_pass
 * and the like) would keep the phase from running at all, so that is refused.
 */


#include "ngx_media_vod.h"
#include "ngx_media_hls_store.h"


static ngx_int_t ngx_media_vod_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_media_vod_name(ngx_http_request_t *r,
    ngx_media_vod_name_t *name);
static ngx_uint_t ngx_media_vod_live(ngx_http_request_t *r);
static ngx_int_t ngx_media_vod_options(ngx_http_request_t *r);
static ngx_int_t ngx_media_vod_not_allowed(ngx_http_request_t *r);

static void *ngx_media_vod_create_loc_conf(ngx_conf_t *cf);
static char *ngx_media_vod_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_media_vod(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_media_vod_postconfiguration(ngx_conf_t *cf);


static ngx_command_t  ngx_media_vod_commands[] = {

    { ngx_string("media_recordings"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS
                        |NGX_CONF_TAKE1,
      ngx_media_vod,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_media_vod_loc_conf_t, recordings),
      NULL },

    { ngx_string("hls_vod"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS
                        |NGX_CONF_TAKE1,
      ngx_media_vod,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_media_vod_loc_conf_t, list),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_media_vod_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_media_vod_postconfiguration,       /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_media_vod_create_loc_conf,         /* create location configuration */
    ngx_media_vod_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_media_vod_module = {
    NGX_MODULE_V1,
    &ngx_media_vod_module_ctx,             /* module context */
    ngx_media_vod_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_media_vod_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* any page may play: what a recording is worth is guarded by other means */

static const ngx_media_http_header_t  ngx_media_vod_cors[] = {
    { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
    { ngx_string("Access-Control-Expose-Headers"), ngx_string("*") },
    { ngx_null_string, ngx_null_string }
};


static const ngx_media_http_header_t  ngx_media_vod_preflight[] = {
    { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
    { ngx_string("Access-Control-Allow-Methods"),
      ngx_string("GET, HEAD, OPTIONS") },
    { ngx_string("Access-Control-Allow-Headers"),
      ngx_string("*, Authorization") },
    { ngx_string("Access-Control-Max-Age"), ngx_string("86400") },
    { ngx_string("Allow"), ngx_string("GET, HEAD, OPTIONS") },
    { ngx_null_string, ngx_null_string }
};


static const ngx_media_http_header_t  ngx_media_vod_allow[] = {
    { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
    { ngx_string("Allow"), ngx_string("GET, HEAD, OPTIONS") },
    { ngx_null_string, ngx_null_string }
};


static ngx_int_t
ngx_media_vod_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_media_vod_name_t  name;

    if (r != r->main || !ngx_media_vod_name(r, &name)) {
        return NGX_DECLINED;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_media_vod_options(r);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_media_vod_not_allowed(r);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_media_http_headers(r, ngx_media_vod_cors) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_media_vod_request(r, &name);
}


/* /APP/NAME, where APP may have several levels */

static ngx_uint_t
ngx_media_vod_name(ngx_http_request_t *r, ngx_media_vod_name_t *name)
{
    u_char                    *p, *last;
    ngx_str_t                  value;
    ngx_media_vod_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_media_vod_module);

    if (!vlcf->recordings && !vlcf->list) {
        return 0;
    }

    last = r->uri.data + r->uri.len;

    for (p = last; p > r->uri.data && p[-1] != '/'; p--) { /* void */ }

    if (p == last || p - r->uri.data < 3) {
        return 0;
    }

    ngx_media_vod_name_parse(p, last, name);

    switch (name->kind) {

    case NGX_MEDIA_VOD_NAME_FILE:
        return 1;

    case NGX_MEDIA_VOD_NAME_LIST:
        return vlcf->list;

    case NGX_MEDIA_VOD_NAME_EXPORT:

        /* a file that lies there has no such argument */

        return vlcf->recordings
               && (ngx_http_arg(r, (u_char *) "start", 5, &value) == NGX_OK
                   || ngx_http_arg(r, (u_char *) "end", 3, &value) == NGX_OK);

    default:
        return 0;
    }
}


ngx_uint_t
ngx_media_vod_takes(ngx_http_request_t *r)
{
    ngx_media_vod_name_t   name;
    ngx_media_vod_query_t  query;

    if (!ngx_media_vod_name(r, &name)) {
        return 0;
    }

    if (name.kind != NGX_MEDIA_VOD_NAME_LIST) {
        return 1;
    }

    if (ngx_media_vod_query_parse(r->args.data, r->args.data + r->args.len,
                                  &query)
        != NGX_MEDIA_OK)
    {
        return query.id || query.has_stop;
    }

    if (query.id || query.has_stop || (query.has_start && !query.live)) {
        return 1;
    }

    return !query.live && !ngx_media_vod_live(r);
}


/* does HLS play a stream of that name, for who asks? */

static ngx_uint_t
ngx_media_vod_live(ngx_http_request_t *r)
{
    ngx_uint_t               live, viewer;
    ngx_str_t                value, vhost;
    ngx_media_source_t      *src;
    ngx_media_hls_conf_t    *conf;
    ngx_media_hls_edge_t     edge;
    ngx_media_http_names_t   names;

    /* who says that goes on with what it has begun to play */

    if (ngx_http_arg(r, (u_char *) "_HLS_msn", 8, &value) == NGX_OK
        || ngx_media_arena() == NULL
        || ngx_media_http_names(r, &r->uri, &names) != NGX_OK)
    {
        return 1;
    }

    vhost = names.vhost;
    conf = ngx_media_policy(&vhost, &names.app)[
                                      ngx_media_hls_policy_module.ctx_index];

    if (conf->mode == NGX_MEDIA_HLS_OFF) {
        return 0;
    }

    /* what is left of it is for those who saw it before */

    viewer = (ngx_http_arg(r, (u_char *) "hls_ctx", 7, &value) == NGX_OK);

    ngx_media_lock();

    src = ngx_media_source_find(&vhost, &names.app, &names.stream);

    live = src && src->publishes
           && (ngx_media_source_live(src)
               || ngx_media_msec() - src->left_msec
                  < (int64_t) src->policy.republish_wait
               || (viewer && ngx_media_hls_edge_read(src, 0, &edge) == NGX_OK
                   && edge.next != edge.first && edge.target));

    ngx_media_unlock();

    return live;
}


static ngx_int_t
ngx_media_vod_options(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_media_http_headers(r, ngx_media_vod_preflight) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_media_vod_not_allowed(ngx_http_request_t *r)
{
    if (ngx_media_http_headers(r, ngx_media_vod_allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


/* --- configuration ------------------------------------------------------ */

static void *
ngx_media_vod_create_loc_conf(ngx_conf_t *cf)
{
    ngx_media_vod_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_media_vod_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->recordings = NGX_CONF_UNSET;
    conf->list = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_media_vod_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_media_vod_loc_conf_t  *prev = parent;
    ngx_media_vod_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_value(conf->recordings, prev->recordings, 0);
    ngx_conf_merge_value(conf->list, prev->list, 0);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if ((conf->recordings || conf->list) && conf->directive && clcf->handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" would never run beside the handler that "
                      "another directive (proxy_pass, flv, mp4, ...) sets for "
                      "this location; give it a location of its own in %V:%ui",
                      conf->directive, &conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_media_vod(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_vod_loc_conf_t *vlcf = conf;

    vlcf->directive = (const char *) cmd->name.data;
    vlcf->file = cf->conf_file->file.name;
    vlcf->line = cf->conf_file->line;

    return ngx_media_conf_set_flag(cf, cmd, conf);
}


static ngx_int_t
ngx_media_vod_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_CONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_media_vod_handler;

    return NGX_OK;
}
