
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: SRT as a content handler of stream{}: the block srt { } in a server
 * that listens on udp with reuseport.
 */


#include "ngx_srt.h"
#include "ngx_media_stream.h"


static void *ngx_srt_create_srv_conf(ngx_conf_t *cf);
static char *ngx_srt_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_srt_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_srt_init_process(ngx_cycle_t *cycle);
static void ngx_srt_exit_process(ngx_cycle_t *cycle);
static void *ngx_srt_boot_create_conf(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_srt_modes[] = {
    { ngx_string("request"), NGX_MEDIA_SRT_MODE_REQUEST },
    { ngx_string("publish"), NGX_MEDIA_SRT_MODE_PUBLISH },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_srt_keylens[] = {
    { ngx_string("0"), 0 },
    { ngx_string("16"), 16 },
    { ngx_string("24"), 24 },
    { ngx_string("32"), 32 },
    { ngx_null_string, 0 }
};


static ngx_media_conf_range_t  ngx_srt_latency_range = {
    0, 60000, "a time up to 60s, the default is 120ms"
};


static ngx_media_conf_range_t  ngx_srt_time_range = {
    500, 600000, "a time between 500ms and 10m"
};


/* header of SRT, and of IPv4 and UDP, beside the payload */

static ngx_media_conf_range_t  ngx_srt_mss_range = {
    NGX_SRT_PAYLOAD + 44, 9000, "a number between 1360 and 9000, the default "
    "is 1500"
};


static ngx_media_conf_range_t  ngx_srt_buf_range = {
    65536, 536870912, "a size between 64k and 512m"
};


static ngx_command_t  ngx_srt_commands[] = {

    { ngx_string("srt"),
      NGX_STREAM_SRV_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_srt_block,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("latency"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, latency),
      &ngx_srt_latency_range },

    { ngx_string("passphrase"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_srt_conf_passphrase,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, passphrase),
      NULL },

    { ngx_string("pbkeylen"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, pbkeylen),
      ngx_srt_keylens },

    { ngx_string("mss"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_num,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, mss),
      &ngx_srt_mss_range },

    { ngx_string("maxbw"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_srt_conf_maxbw,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tlpktdrop"),
      NGX_SRT_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, tlpktdrop),
      NULL },

    { ngx_string("sendbuf"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_size,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, sendbuf),
      &ngx_srt_buf_range },

    { ngx_string("recvbuf"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_size,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, recvbuf),
      &ngx_srt_buf_range },

    { ngx_string("connect_timeout"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, connect_timeout),
      &ngx_srt_time_range },

    { ngx_string("idle_timeout"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, idle_timeout),
      &ngx_srt_time_range },

    { ngx_string("default_app"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_str,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, default_app),
      NULL },

    { ngx_string("default_mode"),
      NGX_SRT_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_srt_srv_conf_t, default_mode),
      ngx_srt_modes },

      ngx_null_command
};


static ngx_stream_module_t  ngx_srt_module_ctx = {
    ngx_media_stream_add_variables,        /* preconfiguration */
    ngx_srt_conf_check,                    /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_srt_create_srv_conf,               /* create server configuration */
    ngx_srt_merge_srv_conf                 /* merge server configuration */
};


ngx_module_t  ngx_srt_module = {
    NGX_MODULE_V1,
    &ngx_srt_module_ctx,                   /* module context */
    ngx_srt_commands,                      /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_srt_init_process,                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_srt_exit_process,                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_core_module_t  ngx_srt_boot_module_ctx = {
    ngx_string("ngx_srt_boot"),
    ngx_srt_boot_create_conf,
    NULL
};


ngx_module_t  ngx_srt_boot_module = {
    NGX_MODULE_V1,
    &ngx_srt_boot_module_ctx,              /* module context */
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


static void *
ngx_srt_create_srv_conf(ngx_conf_t *cf)
{
    ngx_srt_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_srt_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->latency = NGX_CONF_UNSET_MSEC;
    conf->pbkeylen = NGX_CONF_UNSET_UINT;
    conf->mss = NGX_CONF_UNSET;
    conf->maxbw = NGX_SRT_MAXBW_UNSET;
    conf->tlpktdrop = NGX_CONF_UNSET;
    conf->sendbuf = NGX_CONF_UNSET_SIZE;
    conf->recvbuf = NGX_CONF_UNSET_SIZE;
    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->idle_timeout = NGX_CONF_UNSET_MSEC;
    conf->default_mode = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_srt_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_srt_srv_conf_t *prev = parent;
    ngx_srt_srv_conf_t *conf = child;

    ngx_conf_merge_msec_value(conf->latency, prev->latency, 120);
    ngx_conf_merge_uint_value(conf->pbkeylen, prev->pbkeylen, 0);
    ngx_conf_merge_value(conf->mss, prev->mss, 1500);
    ngx_conf_merge_value(conf->tlpktdrop, prev->tlpktdrop, 1);
    ngx_conf_merge_size_value(conf->sendbuf, prev->sendbuf, 0);
    ngx_conf_merge_size_value(conf->recvbuf, prev->recvbuf, 0);
    ngx_conf_merge_msec_value(conf->connect_timeout, prev->connect_timeout,
                              3000);
    ngx_conf_merge_msec_value(conf->idle_timeout, prev->idle_timeout, 10000);
    ngx_conf_merge_str_value(conf->default_app, prev->default_app, "live");
    ngx_conf_merge_uint_value(conf->default_mode, prev->default_mode,
                              NGX_MEDIA_SRT_MODE_REQUEST);

    if (conf->maxbw == NGX_SRT_MAXBW_UNSET) {
        conf->maxbw = (prev->maxbw == NGX_SRT_MAXBW_UNSET) ? -1 : prev->maxbw;
    }

    if (conf->passphrase == NULL) {
        conf->passphrase = prev->passphrase;
    }

    return NGX_CONF_OK;
}


static char *
ngx_srt_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_srt_srv_conf_t *sscf = conf;

    char                        *rv;
    ngx_conf_t                   save;
    ngx_stream_core_srv_conf_t  *cscf;

    if (sscf->file) {
        return "is duplicate";
    }

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    if (cscf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"srt\" stands beside another content handler, "
                           "put one of them into a server of its own");
        return NGX_CONF_ERROR;
    }

    cscf->handler = ngx_srt_handler;

    sscf->file = cf->conf_file->file.name.data;
    sscf->line = cf->conf_file->line;

    save = *cf;
    cf->cmd_type = NGX_SRT_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static ngx_int_t
ngx_srt_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    return ngx_srt_listen_init(cycle);
}


static void
ngx_srt_exit_process(ngx_cycle_t *cycle)
{
    ngx_srt_call_exit();
    ngx_srt_listen_exit();
}


static void *
ngx_srt_boot_create_conf(ngx_cycle_t *cycle)
{
    if (ngx_media_register(cycle, NGX_MEDIA_ABI, "ngx_srt_module") != NGX_OK
        || ngx_srt_call_register(cycle) != NGX_OK)
    {
        return NULL;
    }

    /* no configuration of its own, but not NULL, which would be an error */

    return &ngx_srt_boot_module_ctx;
}
