
/*
 * Copyright (C) the nginx media suite authors
 *
 * Live streams over HTTP: GET /APP/STREAM.flv, .ts, .aac and .mp3, and POST
 * or PUT of what is to be published.  This file decides which requests are
 * the module's own and answers what needs no stream.
 *
 * The handler runs in the content phase, before those of static files, and
 * declines every name that is not a live stream's, so that both may share a
 * location.  A content handler of the location (proxy_pass and the like)
 * would keep the phase from running at all, so that is refused.
 */


#include "ngx_http_flv_live.h"
#include "ngx_media_ts_wire.h"
#include "ngx_http_flv_live_push.h"
#include "ngx_media_codec.h"


static ngx_int_t ngx_http_flv_live_handler(ngx_http_request_t *r);
static const ngx_http_flv_live_type_t *ngx_http_flv_live_type(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_flv_live_other(ngx_http_request_t *r,
    ngx_uint_t play);
static ngx_int_t ngx_http_flv_live_options(ngx_http_request_t *r,
    ngx_uint_t play);
static ngx_int_t ngx_http_flv_live_not_allowed(ngx_http_request_t *r,
    ngx_uint_t play);
static ngx_int_t ngx_http_flv_live_allow(ngx_http_request_t *r,
    ngx_uint_t play);

static void *ngx_http_flv_live_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_flv_live_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_flv_live(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_flv_live_push_flag(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_flv_live_postconfiguration(ngx_conf_t *cf);
static void ngx_http_flv_live_exit_process(ngx_cycle_t *cycle);
static void *ngx_http_flv_live_boot(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_flv_live_commands[] = {

    { ngx_string("flv_live"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS
                        |NGX_CONF_TAKE1,
      ngx_http_flv_live,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_flv_live_loc_conf_t, enable),
      NULL },

    { ngx_string("flv_live_push"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_flv_live_push_flag,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_flv_live_loc_conf_t, push),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_flv_live_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_flv_live_postconfiguration,   /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_flv_live_create_loc_conf,     /* create location configuration */
    ngx_http_flv_live_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_flv_live_module = {
    NGX_MODULE_V1,
    &ngx_http_flv_live_module_ctx,         /* module context */
    ngx_http_flv_live_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_flv_live_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_core_module_t  ngx_http_flv_live_boot_module_ctx = {
    ngx_string("flv_live_boot"),
    ngx_http_flv_live_boot,
    NULL
};


ngx_module_t  ngx_http_flv_live_boot_module = {
    NGX_MODULE_V1,
    &ngx_http_flv_live_boot_module_ctx,    /* module context */
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


static const ngx_http_flv_live_type_t  ngx_http_flv_live_types[] = {

    { ngx_string("flv"),
      ngx_string("video/x-flv"),
      "flv",
      NGX_MEDIA_CLIENT_FLV_PLAY,
      NGX_MEDIA_TRACKS_ALL,
      0,
      &ngx_http_flv_live_muxer,
      NULL,
      ngx_http_flv_live_flv_prologue },

    { ngx_string("ts"),
      ngx_string("video/MP2T"),
      "ts",
      NGX_MEDIA_CLIENT_FLV_PLAY,
      NGX_MEDIA_TRACKS_VIDEO|NGX_MEDIA_TRACKS_AUDIO,
      0,
      &ngx_http_flv_live_ts_muxer,
      ngx_http_flv_live_ts_carries,
      NULL },

    { ngx_string("aac"),
      ngx_string("audio/x-aac"),
      "aac",
      NGX_MEDIA_CLIENT_FLV_PLAY,
      NGX_MEDIA_TRACKS_AUDIO,
      1,
      &ngx_http_flv_live_aac_muxer,
      ngx_http_flv_live_aac_carries,
      NULL },

    { ngx_string("mp3"),
      ngx_string("audio/mpeg"),
      "mp3",
      NGX_MEDIA_CLIENT_FLV_PLAY,
      NGX_MEDIA_TRACKS_AUDIO,
      1,
      &ngx_http_flv_live_mp3_muxer,
      ngx_http_flv_live_mp3_carries,
      NULL },

    { ngx_null_string, ngx_null_string, NULL, 0, 0, 0, NULL, NULL,
      NULL }
};


/* any page may play: what a stream is worth is guarded by other means */

static const ngx_media_http_header_t  ngx_http_flv_live_headers[] = {
    { ngx_string("Cache-Control"), ngx_string("no-cache, no-store") },
    { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
    { ngx_string("Access-Control-Expose-Headers"), ngx_string("*") },
    { ngx_null_string, ngx_null_string }
};


static const ngx_media_http_header_t  ngx_http_flv_live_preflight[] = {
    { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
    { ngx_string("Access-Control-Allow-Methods"),
      ngx_string("GET, HEAD, OPTIONS") },
    { ngx_string("Access-Control-Allow-Headers"),
      ngx_string("*, Authorization") },
    { ngx_string("Access-Control-Max-Age"), ngx_string("86400") },
    { ngx_null_string, ngx_null_string }
};


static ngx_int_t
ngx_http_flv_live_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    const ngx_http_flv_live_type_t  *type;
    ngx_http_flv_live_loc_conf_t    *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_flv_live_module);

    if (r != r->main || !(flcf->enable || flcf->push)) {
        return NGX_DECLINED;
    }

    if (flcf->push && (r->method & (NGX_HTTP_POST|NGX_HTTP_PUT))) {
        return ngx_http_flv_live_push(r);
    }

    if (!flcf->enable) {
        return ngx_http_flv_live_other(r, 0);
    }

    type = ngx_http_flv_live_type(r);

    if (type == NULL || ngx_media_vod_takes(r)) {
        return NGX_DECLINED;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_flv_live_other(r, 1);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_media_http_headers(r, ngx_http_flv_live_headers)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

#if (NGX_HTTP_GZIP)
    /* media do not shrink, and gzip would hold them back */
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    return ngx_http_flv_live_play(r, type);
}


/* /APP/STREAM.EXTENSION, where APP may have several levels */

static const ngx_http_flv_live_type_t *
ngx_http_flv_live_type(ngx_http_request_t *r)
{
    u_char                          *p;
    const ngx_http_flv_live_type_t  *type;

    if (r->exten.len == 0) {
        return NULL;
    }

    /* the stream begins after the last slash, an app stands before it */

    p = r->exten.data - 1;

    while (p > r->uri.data && p[-1] != '/') {
        p--;
    }

    if (p == r->exten.data - 1 || p - r->uri.data < 3) {
        return NULL;
    }

    /* "x.hls.12.ts" is a segment of HLS, nobody can publish that name */

    if (ngx_strnstr(p, ".hls.", r->exten.data - 1 - p)) {
        return NULL;
    }

    for (type = ngx_http_flv_live_types; type->muxer; type++) {

        if (type->extension.len == r->exten.len
            && ngx_strncmp(type->extension.data, r->exten.data, r->exten.len)
               == 0)
        {
            return type;
        }
    }

    return NULL;
}


/* neither plays nor publishes; play: a GET of that name would play */

static ngx_int_t
ngx_http_flv_live_other(ngx_http_request_t *r, ngx_uint_t play)
{
    return (r->method == NGX_HTTP_OPTIONS)
           ? ngx_http_flv_live_options(r, play)
           : ngx_http_flv_live_not_allowed(r, play);
}


static ngx_int_t
ngx_http_flv_live_options(ngx_http_request_t *r, ngx_uint_t play)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_flv_live_allow(r, play) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (play
        && ngx_media_http_headers(r, ngx_http_flv_live_preflight)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_http_flv_live_not_allowed(ngx_http_request_t *r, ngx_uint_t play)
{
    static const ngx_media_http_header_t  origin[] = {
        { ngx_string("Access-Control-Allow-Origin"), ngx_string("*") },
        { ngx_null_string, ngx_null_string }
    };

    if (ngx_http_flv_live_allow(r, play) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (play && ngx_media_http_headers(r, origin) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


static ngx_int_t
ngx_http_flv_live_allow(ngx_http_request_t *r, ngx_uint_t play)
{
    ngx_media_http_header_t     header[2];
    ngx_http_flv_live_loc_conf_t  *flcf;

    flcf = ngx_http_get_module_loc_conf(r, ngx_http_flv_live_module);

    ngx_memzero(header, sizeof(header));

    ngx_str_set(&header[0].key, "Allow");

    if (!flcf->push) {
        ngx_str_set(&header[0].value, "GET, HEAD, OPTIONS");

    } else if (play) {
        ngx_str_set(&header[0].value, "GET, HEAD, OPTIONS, POST, PUT");

    } else {
        ngx_str_set(&header[0].value, "OPTIONS, POST, PUT");
    }

    return ngx_media_http_headers(r, header);
}


static void *
ngx_http_flv_live_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_flv_live_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_flv_live_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->whole = 0;
     *     conf->name = NULL;
     *     conf->file = { 0, NULL };
     *     conf->line = 0;
     */

    conf->enable = NGX_CONF_UNSET;
    conf->push = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_flv_live_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_flv_live_loc_conf_t  *prev = parent;
    ngx_http_flv_live_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_value(conf->push, prev->push, 0);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" bear the name of the location they stand in */

    conf->whole = clcf->noname ? prev->whole
                               : (clcf->exact_match || clcf->named
#if (NGX_PCRE)
                                  || clcf->regex
#endif
                                 );

    /* what is published has no end */

    if (conf->push) {
        clcf->client_max_body_size = 0;
    }

    if ((conf->enable || conf->push) && conf->file.len && clcf->handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" would never run beside the handler that "
                      "another directive (proxy_pass, flv, mp4, ...) sets for "
                      "this location; give it a location of its own, such as "
                      "\"location ~ \\.flv$ { flv_live; }\" in %V:%ui",
                      conf->name, &conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_flv_live(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_flv_live_loc_conf_t  *flcf = conf;

    char  *rv;

    rv = ngx_media_conf_set_flag(cf, cmd, conf);

    if (rv == NGX_CONF_OK && flcf->enable) {
        flcf->name = "flv_live";
        flcf->file = cf->conf_file->file.name;
        flcf->line = cf->conf_file->line;
    }

    return rv;
}


static char *
ngx_http_flv_live_push_flag(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_flv_live_loc_conf_t  *flcf = conf;

    char  *rv;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK && flcf->push) {
        flcf->name = "flv_live_push";
        flcf->file = cf->conf_file->file.name;
        flcf->line = cf->conf_file->line;
    }

    return rv;
}


static ngx_int_t
ngx_http_flv_live_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_CONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_flv_live_handler;

    return NGX_OK;
}


static void
ngx_http_flv_live_exit_process(ngx_cycle_t *cycle)
{
    ngx_media_ts_wire_exit();
}


/* runs while load_module is read: the core must be there before media{} */

static void *
ngx_http_flv_live_boot(ngx_cycle_t *cycle)
{
    if (ngx_media_register(cycle, NGX_MEDIA_ABI, "ngx_http_flv_live_module")
        != NGX_OK)
    {
        return NULL;
    }

    return cycle;
}
