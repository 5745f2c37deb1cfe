
/*
 * Copyright (C) the nginx media suite authors
 *
 * Policy of HTTP streaming: hls, hls_* and dash in media{}, vhost{} and
 * application{}.  Read by the packager in the publisher's worker and by the
 * module that serves.
 */


#include "ngx_media_hls_disk.h"


static char *ngx_media_hls_group(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_media_hls_create_conf(ngx_conf_t *cf);
static void ngx_media_hls_merge_session(ngx_conf_t *cf,
    ngx_media_hls_conf_t *prev, ngx_media_hls_conf_t *conf,
    ngx_uint_t listens);
static char *ngx_media_hls_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_media_hls_check_conf(ngx_conf_t *cf,
    ngx_media_hls_conf_t *conf);
static char *ngx_media_hls_check_window(ngx_conf_t *cf,
    ngx_media_hls_conf_t *conf);
static ngx_int_t ngx_media_hls_init_process(ngx_cycle_t *cycle);


#define NGX_MEDIA_HLS_PART_MIN       100      /* ms */
#define NGX_MEDIA_HLS_FRAGMENT_MIN   500
#define NGX_MEDIA_HLS_FRAGMENT_MAX   60000
#define NGX_MEDIA_HLS_WINDOW_MAX     3600000  /* us fit in 32 bits */


static ngx_conf_enum_t  ngx_media_hls_modes[] = {
    { ngx_string("off"), NGX_MEDIA_HLS_OFF },
    { ngx_string("on"), NGX_MEDIA_HLS_ON },
    { ngx_string("demand"), NGX_MEDIA_HLS_DEMAND },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_media_hls_containers[] = {
    { ngx_string("fmp4"), NGX_MEDIA_HLS_FMP4 },
    { ngx_string("mpegts"), NGX_MEDIA_HLS_MPEGTS },
    { ngx_null_string, 0 }
};


static ngx_media_conf_range_t  ngx_media_hls_fragment_range = {
    NGX_MEDIA_HLS_FRAGMENT_MIN,
    NGX_MEDIA_HLS_FRAGMENT_MAX,
    "a time between 500ms and 60s"
};


static ngx_media_conf_range_t  ngx_media_hls_per_key_range = {
    1, 1000000, "1 or more, up to 1000000"
};


static ngx_command_t  ngx_media_hls_commands[] = {

    { ngx_string("hls"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, mode),
      ngx_media_hls_modes },

    { ngx_string("hls_fragment"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, fragment),
      &ngx_media_hls_fragment_range },

    { ngx_string("hls_window"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, window),
      NULL },

    { ngx_string("hls_part"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, part),
      NULL },

    { ngx_string("hls_container"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, container),
      ngx_media_hls_containers },

    { ngx_string("hls_session"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, session),
      NULL },

    { ngx_string("hls_group"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_2MORE,
      ngx_media_hls_group,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_keys"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, keys),
      NULL },

    { ngx_string("hls_fragments_per_key"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_num,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, fragments_per_key),
      &ngx_media_hls_per_key_range },

    { ngx_string("hls_key_url"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_str,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, key_url),
      NULL },

    { ngx_string("dash"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, dash),
      NULL },

    { ngx_string("hls_path"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_hls_disk_set_path,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_m3u8_file"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_hls_disk_set_file,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, m3u8_file),
      NULL },

    { ngx_string("hls_ts_file"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_hls_disk_set_file,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, ts_file),
      NULL },

    { ngx_string("hls_key_file"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_hls_disk_set_file,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, key_file),
      NULL },

    { ngx_string("hls_entry_prefix"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_hls_disk_set_prefix,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("hls_cleanup"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, cleanup),
      NULL },

    { ngx_string("hls_dispose"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, dispose),
      NULL },

    { ngx_string("hls_recover"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_hls_conf_t, recover),
      NULL },

      ngx_null_command
};


static ngx_media_module_t  ngx_media_hls_policy_module_ctx = {
    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_media_hls_create_conf,             /* create policy */
    ngx_media_hls_merge_conf               /* merge policy */
};


ngx_module_t  ngx_media_hls_policy_module = {
    NGX_MODULE_V1,
    &ngx_media_hls_policy_module_ctx,      /* module context */
    ngx_media_hls_commands,                /* module directives */
    NGX_MEDIA_MODULE,                      /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_media_hls_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* behind the core's own init_process, which has opened the worker's slot */

static ngx_int_t
ngx_media_hls_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (ngx_media_hls_init_worker(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_media_hls_disk_init_worker(cycle);
}


/* hls_group NAME STREAM...; */

static char *
ngx_media_hls_group(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_hls_conf_t *hcf = conf;

    ngx_str_t                *value, *name;
    ngx_uint_t                i;
    ngx_media_url_str_t       s;
    ngx_media_hls_group_t    *group;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        s.data = value[i].data;
        s.len = value[i].len;

        if (ngx_media_name_check(&s, NGX_MEDIA_NAME_PUBLISH)
            != NGX_MEDIA_NAME_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid stream name \"%V\" in \"hls_group\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (hcf->groups == NGX_CONF_UNSET_PTR) {
        hcf->groups = ngx_array_create(cf->pool, 2,
                                       sizeof(ngx_media_hls_group_t));
        if (hcf->groups == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    group = hcf->groups->elts;

    for (i = 0; i < hcf->groups->nelts; i++) {
        if (group[i].name.len == value[1].len
            && ngx_memcmp(group[i].name.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate hls_group \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    group = ngx_array_push(hcf->groups);

    if (group == NULL
        || ngx_array_init(&group->streams, cf->pool, cf->args->nelts - 2,
                          sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    group->name = value[1];

    for (i = 2; i < cf->args->nelts; i++) {
        name = ngx_array_push(&group->streams);

        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return ngx_media_conf_note(cf, cmd);
}


static void *
ngx_media_hls_create_conf(ngx_conf_t *cf)
{
    ngx_media_hls_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_media_hls_conf_t));

    if (conf == NULL) {
        return NULL;
    }

    conf->mode = NGX_CONF_UNSET_UINT;
    conf->fragment = NGX_CONF_UNSET_MSEC;
    conf->window = NGX_CONF_UNSET_MSEC;
    conf->part = NGX_CONF_UNSET_MSEC;
    conf->container = NGX_CONF_UNSET_UINT;
    conf->session = NGX_CONF_UNSET;
    conf->dash = NGX_CONF_UNSET;
    conf->keys = NGX_CONF_UNSET;
    conf->fragments_per_key = NGX_CONF_UNSET_UINT;
    conf->groups = NGX_CONF_UNSET_PTR;

    ngx_media_hls_disk_create_conf(conf);

    return conf;
}


/* without sessions nobody knows who plays */

static void
ngx_media_hls_merge_session(ngx_conf_t *cf, ngx_media_hls_conf_t *prev,
    ngx_media_hls_conf_t *conf, ngx_uint_t listens)
{
    conf->session_warned = prev->session_warned;

    if (conf->session == NGX_CONF_UNSET) {

        conf->session = prev->session;
        conf->session_default = prev->session_default
                                || prev->session == NGX_CONF_UNSET;

        if (conf->session_default) {
            conf->session = (listens & (NGX_MEDIA_LISTENS_PLAY
                                        |NGX_MEDIA_LISTENS_VIEWERS)) ? 1 : 0;
        }
    }

    if (!conf->session && (listens & NGX_MEDIA_LISTENS_PLAY)
        && conf->mode != NGX_MEDIA_HLS_OFF && !conf->session_warned)
    {
        conf->session_warned = 1;

        ngx_media_conf_warn(cf, "hls_session",
                            "\"hls_session off\" beside \"on_play\" or "
                            "\"on_stop\": they are not told of viewers of "
                            "HLS,");
    }
}


static char *
ngx_media_hls_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_media_hls_conf_t *prev = parent;
    ngx_media_hls_conf_t *conf = child;

    ngx_media_core_conf_t  *ccf;

    ccf = ngx_media_conf_get_module_conf(cf, ngx_media_policy_module);

    ngx_media_hls_disk_merge_conf(prev, conf, ccf->listens);
    ngx_media_hls_merge_session(cf, prev, conf, ccf->listens);

    ngx_conf_merge_msec_value(conf->fragment, prev->fragment, 2000);
    ngx_conf_merge_msec_value(conf->window, prev->window,
                              ngx_max(30000, 3 * conf->fragment));
    ngx_conf_merge_msec_value(conf->part, prev->part, 300);
    ngx_conf_merge_uint_value(conf->container, prev->container,
                              NGX_MEDIA_HLS_FMP4);
    ngx_conf_merge_value(conf->dash, prev->dash, 0);
    ngx_conf_merge_value(conf->keys, prev->keys, 0);
    ngx_conf_merge_uint_value(conf->fragments_per_key,
                              prev->fragments_per_key, 5);
    ngx_conf_merge_str_value(conf->key_url, prev->key_url, "");
    ngx_conf_merge_ptr_value(conf->groups, prev->groups, NULL);

    return ngx_media_hls_check_conf(cf, conf);
}


/* values that do not go together, when all are merged */

static char *
ngx_media_hls_check_conf(ngx_conf_t *cf, ngx_media_hls_conf_t *conf)
{
    if (conf->dash && conf->container == NGX_MEDIA_HLS_MPEGTS) {
        return ngx_media_conf_fault(cf, "dash hls_container",
                   "\"dash on\" needs \"hls_container fmp4\"");
    }

    if (conf->dash && conf->keys) {
        return ngx_media_conf_fault(cf, "dash hls_keys",
                   "\"dash on\" and \"hls_keys on\" exclude each other, say "
                   "\"off\" to one of them");
    }

    if (conf->part
        && (conf->part < NGX_MEDIA_HLS_PART_MIN
            || conf->part > conf->fragment))
    {
        return ngx_media_conf_fault(cf, "hls_part hls_fragment",
                   "hls_part of %M ms must be 0, or 100ms or more and not "
                   "longer than hls_fragment, %M ms,",
                   conf->part, conf->fragment);
    }

    return ngx_media_hls_check_window(cf, conf);
}


static char *
ngx_media_hls_check_window(ngx_conf_t *cf, ngx_media_hls_conf_t *conf)
{
    ngx_uint_t  segments;

    segments = conf->window / conf->fragment;

    if (conf->window < 3 * conf->fragment) {
        return ngx_media_conf_fault(cf, "hls_window hls_fragment",
                   "hls_window of %M ms is too short, say three times "
                   "hls_fragment or more, which is %M ms,",
                   conf->window, conf->fragment);
    }

    if (segments > NGX_MEDIA_HLS_SEGMENTS - 8) {
        return ngx_media_conf_fault(cf, "hls_window hls_fragment",
                   "hls_window of %M ms has more than %d segments of "
                   "hls_fragment, %M ms,", conf->window,
                   NGX_MEDIA_HLS_SEGMENTS - 8, conf->fragment);
    }

    if (conf->keys
        && segments / conf->fragments_per_key > NGX_MEDIA_HLS_KEYS - 8)
    {
        return ngx_media_conf_fault(cf,
                   "hls_window hls_fragment hls_keys hls_fragments_per_key",
                   "hls_window of %M ms has more than %d keys, give "
                   "hls_fragments_per_key a larger number",
                   conf->window, NGX_MEDIA_HLS_KEYS - 8);
    }

    if (conf->window > NGX_MEDIA_HLS_WINDOW_MAX) {
        return ngx_media_conf_fault(cf, "hls_window hls_fragment",
                   "hls_window of %M ms must not be longer than 1h",
                   conf->window);
    }

    return NGX_CONF_OK;
}


ngx_media_hls_conf_t *
ngx_media_hls_conf(ngx_str_t *vhost, ngx_str_t *app)
{
    ngx_str_t  name;

    name = *vhost;

    return ngx_media_policy(&name, app)
               [ngx_media_hls_policy_module.ctx_index];
}


ngx_uint_t
ngx_media_hls_viewers_only(ngx_media_ask_t *ask)
{
    u_char                *last;
    ngx_str_t             *name;
    ngx_media_hls_conf_t  *conf;

    conf = ask->conf[ngx_media_hls_policy_module.ctx_index];

    if (!conf->session) {
        return 0;
    }

    name = &ask->text[NGX_MEDIA_TEXT_NAME];
    last = name->data + name->len;

    return name->len <= sizeof(".m3u8") - 1
           || ngx_strncmp(last - (sizeof(".m3u8") - 1), ".m3u8",
                          sizeof(".m3u8") - 1) != 0
           || ngx_strlcasestrn(name->data, last, (u_char *) ".hls.",
                               sizeof(".hls.") - 2) != NULL;
}
