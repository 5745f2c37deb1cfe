
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: directives of rtmp { }, a block in a server of stream{}, and the
 * variables $media_* of stream{}.
 *
 * The block makes the server's content handler ngx_stream_rtmp_handler().
 * Everything nginx does before the content phase (listen, ssl, access,
 * limits, realip) works as for any other content handler.
 *
 * The boot module stands last in this file and in the shared object: it
 * brings the core in and refuses one with another interface.
 */


#include "ngx_stream_rtmp.h"
#include "ngx_media_stream.h"


#define NGX_STREAM_RTMP_CONF  0x10000000


static void *ngx_stream_rtmp_create_srv_conf(ngx_conf_t *cf);
static char *ngx_stream_rtmp_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_uint_t ngx_stream_rtmp_has_udp(ngx_conf_t *cf,
    ngx_stream_core_srv_conf_t *cscf);
static char *ngx_stream_rtmp_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_stream_rtmp_boot_create_conf(ngx_cycle_t *cycle);


static ngx_media_conf_range_t  ngx_stream_rtmp_chunk_size_range = {
    128, 65536, "a size from 128 to 65536, the default is 60000"
};

static ngx_media_conf_range_t  ngx_stream_rtmp_ack_window_range = {
    4096, 1073741824, "a size from 4096 to 1g, the default is 2500000"
};

static ngx_media_conf_range_t  ngx_stream_rtmp_time_range = {
    1000, 86400000, "a time from 1s to 1d, the default is 60s"
};


static ngx_command_t  ngx_stream_rtmp_commands[] = {

    { ngx_string("rtmp"),
      NGX_STREAM_SRV_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_stream_rtmp_block,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("chunk_size"),
      NGX_STREAM_RTMP_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_size,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_rtmp_srv_conf_t, chunk_size),
      &ngx_stream_rtmp_chunk_size_range },

    { ngx_string("ack_window"),
      NGX_STREAM_RTMP_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_size,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_rtmp_srv_conf_t, ack_window),
      &ngx_stream_rtmp_ack_window_range },

    { ngx_string("ping"),
      NGX_STREAM_RTMP_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_rtmp_srv_conf_t, ping),
      &ngx_stream_rtmp_time_range },

    { ngx_string("timeout"),
      NGX_STREAM_RTMP_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_rtmp_srv_conf_t, timeout),
      &ngx_stream_rtmp_time_range },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_rtmp_module_ctx = {
    ngx_media_stream_add_variables,        /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_rtmp_create_srv_conf,       /* create server configuration */
    ngx_stream_rtmp_merge_srv_conf         /* merge server configuration */
};


ngx_module_t  ngx_stream_rtmp_module = {
    NGX_MODULE_V1,
    &ngx_stream_rtmp_module_ctx,           /* module context */
    ngx_stream_rtmp_commands,              /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_core_module_t  ngx_stream_rtmp_boot_module_ctx = {
    ngx_string("ngx_stream_rtmp_boot"),
    ngx_stream_rtmp_boot_create_conf,
    NULL
};


ngx_module_t  ngx_stream_rtmp_boot_module = {
    NGX_MODULE_V1,
    &ngx_stream_rtmp_boot_module_ctx,      /* module context */
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
ngx_stream_rtmp_create_srv_conf(ngx_conf_t *cf)
{
    ngx_stream_rtmp_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_rtmp_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->file = NULL;
     *     conf->line = 0;
     */

    conf->chunk_size = NGX_CONF_UNSET_SIZE;
    conf->ack_window = NGX_CONF_UNSET_SIZE;
    conf->ping = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_stream_rtmp_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_rtmp_srv_conf_t *prev = parent;
    ngx_stream_rtmp_srv_conf_t *conf = child;

    ngx_stream_core_srv_conf_t  *cscf;

    ngx_conf_merge_size_value(conf->chunk_size, prev->chunk_size, 60000);
    ngx_conf_merge_size_value(conf->ack_window, prev->ack_window, 2500000);
    ngx_conf_merge_msec_value(conf->ping, prev->ping, 60000);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 60000);

    if (conf->file == NULL) {
        return NGX_CONF_OK;
    }

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    if (cscf->handler != ngx_stream_rtmp_handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"rtmp\" in %s:%ui stands beside another content "
                      "handler, put one of them into a server of its own",
                      conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    if (ngx_stream_rtmp_has_udp(cf, cscf)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"rtmp\" in %s:%ui needs TCP, take \"udp\" out of "
                      "the \"listen\" directive of this server",
                      conf->file, conf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


#if (nginx_version >= 1025005)

static ngx_uint_t
ngx_stream_rtmp_has_udp(ngx_conf_t *cf, ngx_stream_core_srv_conf_t *cscf)
{
    ngx_uint_t                     i, j, k;
    ngx_stream_conf_port_t        *port;
    ngx_stream_conf_addr_t        *addr;
    ngx_stream_core_srv_conf_t   **servers;
    ngx_stream_core_main_conf_t   *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    if (cmcf->ports == NULL) {
        return 0;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {

        if (port[i].type != SOCK_DGRAM) {
            continue;
        }

        addr = port[i].addrs.elts;

        for (j = 0; j < port[i].addrs.nelts; j++) {
            servers = addr[j].servers.elts;

            for (k = 0; k < addr[j].servers.nelts; k++) {
                if (servers[k] == cscf) {
                    return 1;
                }
            }
        }
    }

    return 0;
}

#else

static ngx_uint_t
ngx_stream_rtmp_has_udp(ngx_conf_t *cf, ngx_stream_core_srv_conf_t *cscf)
{
    ngx_uint_t                    i;
    ngx_stream_listen_t          *ls;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    ls = cmcf->listen.elts;

    for (i = 0; i < cmcf->listen.nelts; i++) {
        if (ls[i].ctx == cscf->ctx && ls[i].type == SOCK_DGRAM) {
            return 1;
        }
    }

    return 0;
}

#endif


static char *
ngx_stream_rtmp_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_rtmp_srv_conf_t *rscf = conf;

    char                        *rv;
    ngx_conf_t                   save;
    ngx_stream_core_srv_conf_t  *cscf;

    if (rscf->file) {
        return "is duplicate";
    }

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    if (cscf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rtmp\" stands beside another content handler, "
                           "put one of them into a server of its own");
        return NGX_CONF_ERROR;
    }

    cscf->handler = ngx_stream_rtmp_handler;

    rscf->file = cf->conf_file->file.name.data;
    rscf->line = cf->conf_file->line;

    save = *cf;
    cf->cmd_type = NGX_STREAM_RTMP_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static void *
ngx_stream_rtmp_boot_create_conf(ngx_cycle_t *cycle)
{
    if (ngx_media_register(cycle, NGX_MEDIA_ABI, "ngx_stream_rtmp_module")
        != NGX_OK)
    {
        return NULL;
    }

    /* no configuration of its own, but not NULL, which would be an error */

    return &ngx_stream_rtmp_boot_module_ctx;
}
