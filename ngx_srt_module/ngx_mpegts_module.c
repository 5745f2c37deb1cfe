
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: MPEG-TS as a content handler of stream{}: the block mpegts { } in a
 * server that listens on udp or on tcp.
 */


#include "ngx_mpegts.h"
#include "ngx_media_url.h"


#if (nginx_version >= 1025005)
typedef ngx_stream_listen_opt_t  ngx_mpegts_listen_t;
#else
typedef ngx_stream_listen_t  ngx_mpegts_listen_t;
#endif


static void *ngx_mpegts_create_srv_conf(ngx_conf_t *cf);
static char *ngx_mpegts_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mpegts_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_mpegts_publish(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mpegts_source(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_mpegts_postconfiguration(ngx_conf_t *cf);
static ngx_uint_t ngx_mpegts_shared(ngx_mpegts_listen_t *a,
    ngx_mpegts_listen_t *b);
static ngx_int_t ngx_mpegts_check(ngx_conf_t *cf, ngx_mpegts_listen_t *ls,
    ngx_mpegts_srv_conf_t *conf, ngx_uint_t shared);
static ngx_int_t ngx_mpegts_check_sources(ngx_conf_t *cf,
    ngx_mpegts_listen_t *ls, ngx_mpegts_srv_conf_t *conf);
static ngx_int_t ngx_mpegts_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_mpegts_init_process(ngx_cycle_t *cycle);
static void ngx_mpegts_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_mpegts_rtp[] = {
    { ngx_string("auto"), NGX_MPEGTS_RTP_AUTO },
    { ngx_string("on"), NGX_MPEGTS_RTP_ON },
    { ngx_string("off"), NGX_MPEGTS_RTP_OFF },
    { ngx_null_string, 0 }
};


static ngx_media_conf_range_t  ngx_mpegts_recvbuf_range = {
    65536, 268435456, "a size between 64k and 256m"
};


static ngx_media_conf_range_t  ngx_mpegts_timeout_range = {
    500, 600000, "a time between 500ms and 10m"
};


static ngx_command_t  ngx_mpegts_commands[] = {

    { ngx_string("mpegts"),
      NGX_STREAM_SRV_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_mpegts_block,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("publish"),
      NGX_MPEGTS_CONF|NGX_CONF_TAKE1,
      ngx_mpegts_publish,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_mpegts_srv_conf_t, publish),
      NULL },

    { ngx_string("interface"),
      NGX_MPEGTS_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_str,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_mpegts_srv_conf_t, interface),
      NULL },

    { ngx_string("source"),
      NGX_MPEGTS_CONF|NGX_CONF_1MORE,
      ngx_mpegts_source,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("recvbuf"),
      NGX_MPEGTS_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_size,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_mpegts_srv_conf_t, recvbuf),
      &ngx_mpegts_recvbuf_range },

    { ngx_string("timeout"),
      NGX_MPEGTS_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_mpegts_srv_conf_t, timeout),
      &ngx_mpegts_timeout_range },

    { ngx_string("rtp"),
      NGX_MPEGTS_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_mpegts_srv_conf_t, rtp),
      ngx_mpegts_rtp },

      ngx_null_command
};


static ngx_stream_module_t  ngx_mpegts_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_mpegts_postconfiguration,          /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mpegts_create_srv_conf,            /* create server configuration */
    ngx_mpegts_merge_srv_conf              /* merge server configuration */
};


ngx_module_t  ngx_mpegts_module = {
    NGX_MODULE_V1,
    &ngx_mpegts_module_ctx,                /* module context */
    ngx_mpegts_commands,                   /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    ngx_mpegts_init_module,                /* init module */
    ngx_mpegts_init_process,               /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_mpegts_exit_process,               /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_mpegts_create_srv_conf(ngx_conf_t *cf)
{
    ngx_mpegts_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_mpegts_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->recvbuf = NGX_CONF_UNSET_SIZE;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->rtp = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_mpegts_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_mpegts_srv_conf_t *prev = parent;
    ngx_mpegts_srv_conf_t *conf = child;

    ngx_conf_merge_size_value(conf->recvbuf, prev->recvbuf, 4 * 1024 * 1024);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 10000);
    ngx_conf_merge_uint_value(conf->rtp, prev->rtp, NGX_MPEGTS_RTP_AUTO);

    return NGX_CONF_OK;
}


static char *
ngx_mpegts_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mpegts_srv_conf_t *mscf = conf;

    char                        *rv;
    ngx_conf_t                   save;
    ngx_stream_core_srv_conf_t  *cscf;

    if (mscf->file) {
        return "is duplicate";
    }

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    if (cscf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mpegts\" stands beside another content handler, "
                           "put one of them into a server of its own");
        return NGX_CONF_ERROR;
    }

    cscf->handler = ngx_mpegts_handler;

    mscf->file = cf->conf_file->file.name.data;
    mscf->line = cf->conf_file->line;

    save = *cf;
    cf->cmd_type = NGX_MPEGTS_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv == NGX_CONF_OK && mscf->publish == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"mpegts\" does not say what is published: add "
                           "\"publish APP/STREAM;\"");
        return NGX_CONF_ERROR;
    }

    return rv;
}


static char *
ngx_mpegts_publish(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mpegts_srv_conf_t *mscf = conf;

    char                 *rv;
    ngx_str_t            *value, part[4];
    ngx_uint_t            i;
    ngx_media_url_str_t   name;

    static const ngx_media_name_kind_e  kinds[] = {
        NGX_MEDIA_NAME_VHOST, NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_PUBLISH
    };

    rv = ngx_stream_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || mscf->publish->lengths) {
        return rv;
    }

    value = cf->args->elts;

    if (ngx_mpegts_name(&value[1], &part[0], &part[1], &part[2], &part[3])
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"publish %V\" has no application, write "
                           "\"publish APP/STREAM;\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {

        name.data = part[i].data;
        name.len = part[i].len;

        if (i == 0 && name.len == 0) {
            continue;
        }

        if (ngx_media_name_check(&name, kinds[i]) != NGX_MEDIA_NAME_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in \"publish %V\" can not be a name",
                               &part[i], &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_mpegts_name(ngx_str_t *value, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream, ngx_str_t *args)
{
    u_char  *p, *slash, *end;

    p = value->data;
    end = p + value->len;

    ngx_str_null(vhost);
    ngx_str_null(args);

    slash = ngx_strlchr(p, end, '?');

    if (slash) {
        args->data = slash + 1;
        args->len = end - args->data;
        end = slash;
    }

    if (p < end && *p == '/') {
        p++;
    }

    stream->data = end;

    while (stream->data > p && stream->data[-1] != '/') {
        stream->data--;
    }

    stream->len = end - stream->data;

    if (stream->len == 0 || stream->data == p) {
        return NGX_DECLINED;
    }

    end = stream->data - 1;

    /* of three levels the first is a host where it looks like one */

    slash = ngx_strlchr(p, end, '/');

    if (slash && ngx_strlchr(p, slash, '.')) {
        vhost->data = p;
        vhost->len = slash - p;
        p = slash + 1;
    }

    app->data = p;
    app->len = end - p;

    return app->len ? NGX_OK : NGX_DECLINED;
}


static char *
ngx_mpegts_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mpegts_srv_conf_t *mscf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_addr_t  *addr;

    if (mscf->sources == NULL) {
        mscf->sources = ngx_array_create(cf->pool, 2, sizeof(ngx_addr_t));

        if (mscf->sources == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        addr = ngx_array_push(mscf->sources);

        if (addr == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_parse_addr(cf->pool, addr, value[i].data, value[i].len)
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is not an address of a sender",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        addr->name = value[i];
    }

    return NGX_CONF_OK;
}


/* two addresses of one port: nginx makes one socket for both */

static ngx_uint_t
ngx_mpegts_shared(ngx_mpegts_listen_t *a, ngx_mpegts_listen_t *b)
{
    return (a->wildcard && !b->bind) || (b->wildcard && !a->bind);
}


/* what each listener says, once they are all known */

#if (nginx_version >= 1025005)

static ngx_int_t
ngx_mpegts_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                    i, k, n, shared;
    ngx_mpegts_srv_conf_t        *conf;
    ngx_stream_conf_port_t       *port;
    ngx_stream_conf_addr_t       *addr;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {

        addr = port[i].addrs.elts;

        for (k = 0; k < port[i].addrs.nelts; k++) {
            conf = addr[k].default_server->ctx
                                    ->srv_conf[ngx_mpegts_module.ctx_index];
            shared = 0;

            for (n = 0; n < port[i].addrs.nelts; n++) {
                shared |= (n != k && ngx_mpegts_shared(&addr[k].opt,
                                                       &addr[n].opt));
            }

            if (ngx_mpegts_check(cf, &addr[k].opt, conf, shared) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}

#else

static ngx_int_t
ngx_mpegts_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                    i, k, shared;
    ngx_mpegts_listen_t          *ls;
    ngx_mpegts_srv_conf_t        *conf;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    ls = cmcf->listen.elts;

    for (i = 0; i < cmcf->listen.nelts; i++) {

        conf = ls[i].ctx->srv_conf[ngx_mpegts_module.ctx_index];
        shared = 0;

        for (k = 0; k < cmcf->listen.nelts; k++) {

            if (k != i && ls[k].type == ls[i].type
                && ls[k].sockaddr->sa_family == ls[i].sockaddr->sa_family
                && ngx_inet_get_port(ls[k].sockaddr)
                   == ngx_inet_get_port(ls[i].sockaddr)
                && ngx_mpegts_shared(&ls[i], &ls[k]))
            {
                shared = 1;
            }
        }

        if (ngx_mpegts_check(cf, &ls[i], conf, shared) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

#endif


static ngx_int_t
ngx_mpegts_check(ngx_conf_t *cf, ngx_mpegts_listen_t *ls,
    ngx_mpegts_srv_conf_t *conf, ngx_uint_t shared)
{
    if (conf->file == NULL || ls->type != SOCK_DGRAM) {
        return NGX_OK;
    }

    if (ls->reuseport) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "one worker reads all datagrams of \"mpegts\": remove "
                      "\"reuseport\" from \"listen %V\" in %s:%ui",
                      &ls->addr_text, conf->file, conf->line);
        return NGX_ERROR;
    }

    if (shared) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"mpegts\" can not tell the addresses of a port with "
                      "a wildcard apart: \"listen %V\" needs another port, "
                      "or \"bind\" beside each address, in %s:%ui",
                      &ls->addr_text, conf->file, conf->line);
        return NGX_ERROR;
    }

    if (!ngx_mpegts_multicast(ls->sockaddr)
        && (conf->interface.len || conf->sources))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" is for multicast, and \"listen %V\" is no group, "
                      "in %s:%ui", conf->sources ? "source" : "interface",
                      &ls->addr_text, conf->file, conf->line);
        return NGX_ERROR;
    }

    return ngx_mpegts_check_sources(cf, ls, conf);
}


static ngx_int_t
ngx_mpegts_check_sources(ngx_conf_t *cf, ngx_mpegts_listen_t *ls,
    ngx_mpegts_srv_conf_t *conf)
{
    ngx_uint_t   i;
    ngx_addr_t  *addr;

    if (conf->sources == NULL) {
        return NGX_OK;
    }

    addr = conf->sources->elts;

    for (i = 0; i < conf->sources->nelts; i++) {

        if (addr[i].sockaddr->sa_family != ls->sockaddr->sa_family) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"source %V\" can not send to \"listen %V\", "
                          "in %s:%ui",
                          &addr[i].name, &ls->addr_text, conf->file,
                          conf->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mpegts_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_listening_t        *ls;
    ngx_mpegts_srv_conf_t  *conf;

    if (ngx_test_config) {
        return NGX_OK;
    }

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

        conf = ngx_mpegts_listen_conf(&ls[i]);

        if (conf) {
            ngx_mpegts_socket_init(&ls[i], conf, cycle->log);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_mpegts_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    return ngx_mpegts_listen_init(cycle);
}


static void
ngx_mpegts_exit_process(ngx_cycle_t *cycle)
{
    ngx_mpegts_listen_exit();
}
