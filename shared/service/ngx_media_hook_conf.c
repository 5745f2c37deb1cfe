
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: policy of hooks: on_*, hook_* in media{}, vhost{} and application{};
 * heartbeat in media{}.
 *
 * URLs of an event that are set in an inner block replace those of the one
 * around it; "off" ends what would be inherited.
 */


#include "ngx_media_hook.h"


static char *ngx_media_hook_urls(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_hook_url(ngx_conf_t *cf, ngx_str_t *value,
    const ngx_str_t *fields, ngx_media_hook_url_t *url);
static char *ngx_media_hook_heartbeat(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_media_hook_create_main_conf(ngx_conf_t *cf);
static void *ngx_media_hook_create_conf(ngx_conf_t *cf);
static char *ngx_media_hook_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_media_hook_init_process(ngx_cycle_t *cycle);
static void ngx_media_hook_second(void);
static void ngx_media_hook_exit(void);


#define NGX_MEDIA_HOOK_UPDATE_DEFAULT  30000
#define NGX_MEDIA_HOOK_BEAT_DEFAULT    9900


const ngx_str_t  ngx_media_hook_names[] = {
    ngx_string("on_connect"),
    ngx_string("on_close"),
    ngx_string("on_publish"),
    ngx_string("on_unpublish"),
    ngx_string("on_play"),
    ngx_string("on_stop"),
    ngx_string("on_dvr"),
    ngx_string("on_hls"),
    ngx_string("on_hls_notify"),
    ngx_string("on_forward"),
    ngx_string("on_update"),
    ngx_null_string
};


const ngx_str_t  ngx_media_hook_fields[] = {
    ngx_string("server_id"),
    ngx_string("service_id"),
    ngx_string("app"),
    ngx_string("stream"),
    ngx_string("ts_url"),
    ngx_string("param"),
    ngx_null_string
};


static ngx_conf_enum_t  ngx_media_hook_fails[] = {
    { ngx_string("deny"), NGX_MEDIA_HOOK_DENY },
    { ngx_string("allow"), NGX_MEDIA_HOOK_ALLOW },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_media_hook_formats[] = {
    { ngx_string("srs"), NGX_MEDIA_HOOK_SRS },
    { ngx_string("rtmp"), NGX_MEDIA_HOOK_RTMP },
    { ngx_string("oryx"), NGX_MEDIA_HOOK_ORYX },
    { ngx_null_string, 0 }
};


static ngx_media_conf_range_t  ngx_media_hook_update_range = {
    1000, 86400000, "a time between 1s and 1d"
};


static ngx_media_conf_range_t  ngx_media_hook_timeout_range = {
    10, 300000, "a time between 10ms and 5m"
};


static ngx_media_conf_range_t  ngx_media_hook_queue_range = {
    0, 3600000, "a time up to 1h"
};


static ngx_media_conf_range_t  ngx_media_hook_retry_range = {
    0, 10, "a number up to 10"
};


static ngx_command_t  ngx_media_hook_commands[] = {

    { ngx_string("on_connect"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_CONNECT,
      NULL },

    { ngx_string("on_close"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_CLOSE,
      NULL },

    { ngx_string("on_publish"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_PUBLISH,
      NULL },

    { ngx_string("on_unpublish"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_UNPUBLISH,
      NULL },

    { ngx_string("on_play"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_PLAY,
      NULL },

    { ngx_string("on_stop"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_STOP,
      NULL },

    { ngx_string("on_dvr"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_DVR,
      NULL },

    { ngx_string("on_hls"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_HLS,
      NULL },

    { ngx_string("on_hls_notify"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_HLS_NOTIFY,
      NULL },

    { ngx_string("on_forward"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_FORWARD,
      NULL },

    { ngx_string("on_update"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_hook_urls,
      NGX_MEDIA_CONF_OFFSET,
      NGX_MEDIA_HOOK_UPDATE,
      NULL },

    { ngx_string("hook_update"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hook_conf_t, update),
      &ngx_media_hook_update_range },

    { ngx_string("hook_timeout"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hook_conf_t, timeout),
      &ngx_media_hook_timeout_range },

    { ngx_string("hook_retry"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_num,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hook_conf_t, retry),
      &ngx_media_hook_retry_range },

    { ngx_string("hook_queue"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hook_conf_t, queue),
      &ngx_media_hook_queue_range },

    { ngx_string("hook_fail"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hook_conf_t, fail),
      ngx_media_hook_fails },

    { ngx_string("hook_format"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hook_conf_t, format),
      ngx_media_hook_formats },

    { ngx_string("hook_cache"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hook_conf_t, cache),
      &ngx_media_hook_queue_range },

    { ngx_string("hook_secret"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_str,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hook_conf_t, secret),
      NULL },

    { ngx_string("heartbeat"),
      NGX_MEDIA_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_media_hook_heartbeat,
      NGX_MEDIA_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_media_module_t  ngx_media_hook_policy_module_ctx = {
    ngx_media_hook_create_main_conf,       /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_media_hook_create_conf,            /* create policy */
    ngx_media_hook_merge_conf              /* merge policy */
};


ngx_module_t  ngx_media_hook_policy_module = {
    NGX_MODULE_V1,
    &ngx_media_hook_policy_module_ctx,     /* module context */
    ngx_media_hook_commands,               /* module directives */
    NGX_MEDIA_MODULE,                      /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_media_hook_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_media_service_t  ngx_media_hook_service = {
    .publish = ngx_media_hook_file_publish,
    .second = ngx_media_hook_second,
    .exit = ngx_media_hook_exit,
    .segment = ngx_media_hook_file_segment,
    .told = ngx_media_hook_told
};


/* behind the core's own init_process, which has opened the worker's slot */

static ngx_int_t
ngx_media_hook_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (ngx_media_guard_add(NGX_MEDIA_GUARD_HOOKS, &ngx_media_hook_guard)
        != NGX_OK
        || ngx_media_service_add(&ngx_media_hook_service) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_media_hook_heartbeat_init(cycle);

    return NGX_OK;
}


static void
ngx_media_hook_second(void)
{
    ngx_media_hook_update_second();
    ngx_media_hook_file_tick();
}


static void
ngx_media_hook_exit(void)
{
    ngx_media_hook_queue_exit();
    ngx_media_hook_cache_exit();
    ngx_media_hook_file_exit();
}


/* on_publish URL...; and the others: cmd->offset is the event */

static char *
ngx_media_hook_urls(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_hook_conf_t *hcf = conf;

    ngx_str_t             *value;
    ngx_uint_t             i;
    const ngx_str_t       *fields;
    ngx_media_hook_url_t  *url;

    if (hcf->urls[cmd->offset] != NGX_CONF_UNSET_PTR) {
        return "is duplicate, give all URLs to one";
    }

    value = cf->args->elts;

    hcf->urls[cmd->offset] = ngx_array_create(cf->pool, cf->args->nelts,
                                              sizeof(ngx_media_hook_url_t));
    if (hcf->urls[cmd->offset] == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return ngx_media_conf_note(cf, cmd);
    }

    fields = (cmd->offset == NGX_MEDIA_HOOK_HLS_NOTIFY)
             ? ngx_media_hook_fields : NULL;

    for (i = 1; i < cf->args->nelts; i++) {
        url = ngx_array_push(hcf->urls[cmd->offset]);

        if (url == NULL
            || ngx_media_hook_url(cf, &value[i], fields, url) != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_media_conf_note(cf, cmd);
}


static char *
ngx_media_hook_url(ngx_conf_t *cf, ngx_str_t *value, const ngx_str_t *fields,
    ngx_media_hook_url_t *url)
{
    char  *error;

    ngx_memzero(url, sizeof(ngx_media_hook_url_t));

    error = ngx_media_web_url(cf, value, &url->url);

    if (error == NULL) {
        error = ngx_media_value_compile(cf, &url->url->path, fields,
                                        &url->path);
    }

    if (error == NULL) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid URL \"%V\": %s", value,
                       error);

    return NGX_CONF_ERROR;
}


/* heartbeat URL [T]; */

static char *
ngx_media_hook_heartbeat(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_hook_main_conf_t *hmcf = conf;

    ngx_int_t   ms;
    ngx_str_t  *value;

    if (hmcf->heartbeat.url) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 3) {
        ms = ngx_parse_time(&value[2], 0);

        if (ms == NGX_ERROR || ms < 100) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid time \"%V\" in \"heartbeat\", say for "
                               "example 10s", &value[2]);
            return NGX_CONF_ERROR;
        }

        hmcf->interval = (ngx_msec_t) ms;
    }

    return ngx_media_hook_url(cf, &value[1], NULL, &hmcf->heartbeat);
}


static void *
ngx_media_hook_create_main_conf(ngx_conf_t *cf)
{
    ngx_media_hook_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_media_hook_main_conf_t));

    if (conf) {
        conf->interval = NGX_MEDIA_HOOK_BEAT_DEFAULT;
    }

    return conf;
}


ngx_media_hook_main_conf_t *
ngx_media_hook_main_conf(void)
{
    return ngx_media_get_main_conf()->main_conf
               [ngx_media_hook_policy_module.ctx_index];
}


static void *
ngx_media_hook_create_conf(ngx_conf_t *cf)
{
    ngx_uint_t              i;
    ngx_media_hook_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_media_hook_conf_t));

    if (conf == NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_MEDIA_HOOK_MAX; i++) {
        conf->urls[i] = NGX_CONF_UNSET_PTR;
    }

    conf->update = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->queue = NGX_CONF_UNSET_MSEC;
    conf->cache = NGX_CONF_UNSET_MSEC;
    conf->retry = NGX_CONF_UNSET_UINT;
    conf->fail = NGX_CONF_UNSET_UINT;
    conf->format = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_media_hook_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_media_hook_conf_t *prev = parent;
    ngx_media_hook_conf_t *conf = child;

    ngx_uint_t                   i;
    ngx_media_core_conf_t       *ccf;
    ngx_media_hook_main_conf_t  *hmcf;

    for (i = 0; i < NGX_MEDIA_HOOK_MAX; i++) {
        ngx_conf_merge_ptr_value(conf->urls[i], prev->urls[i], NULL);

        if (conf->urls[i] && conf->urls[i]->nelts == 0) {
            conf->urls[i] = NULL;
        }
    }

    ngx_conf_merge_msec_value(conf->update, prev->update,
                              NGX_MEDIA_HOOK_UPDATE_DEFAULT);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 5000);
    ngx_conf_merge_msec_value(conf->queue, prev->queue, 60000);
    ngx_conf_merge_msec_value(conf->cache, prev->cache, 0);
    ngx_conf_merge_uint_value(conf->retry, prev->retry, 0);
    ngx_conf_merge_uint_value(conf->fail, prev->fail, NGX_MEDIA_HOOK_DENY);
    ngx_conf_merge_uint_value(conf->format, prev->format, NGX_MEDIA_HOOK_SRS);
    ngx_conf_merge_str_value(conf->secret, prev->secret, "");

    hmcf = ngx_media_conf_main_of(cf)->main_conf
               [ngx_media_hook_policy_module.ctx_index];
    ccf = ngx_media_conf_get_module_conf(cf, ngx_media_policy_module);

    if (conf->urls[NGX_MEDIA_HOOK_PLAY] || conf->urls[NGX_MEDIA_HOOK_STOP]) {
        ccf->listens |= NGX_MEDIA_LISTENS_PLAY;
    }

    if (conf->urls[NGX_MEDIA_HOOK_UPDATE]) {
        hmcf->updates = 1;
    }

    if (conf->urls[NGX_MEDIA_HOOK_HLS]
        || conf->urls[NGX_MEDIA_HOOK_HLS_NOTIFY])
    {
        hmcf->segments = 1;
        ccf->listens |= NGX_MEDIA_LISTENS_SEGMENT;
    }

    return NGX_CONF_OK;
}

