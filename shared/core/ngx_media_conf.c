
/*
 * Copyright (C) the nginx media suite authors
 *
 * media { }: blocks, the policy of the core, and the merge.
 *
 * Policy directives may stand in media, vhost and application; blocks may
 * stand anywhere and in any order.  Each block has one configuration per
 * module of type NGX_MEDIA_MODULE.  The merge runs once, after the whole of
 * media{} is read: media into vhosts, and each into its applications, those
 * that stand directly in media{} belonging to the default vhost.
 */


#include "ngx_media_core.h"


static void **ngx_media_conf_create(ngx_conf_t *cf);
static char *ngx_media_conf_merge(ngx_conf_t *cf, ngx_media_main_conf_t *mcf,
    void **conf);
static char *ngx_media_conf_merge_all(ngx_conf_t *cf,
    ngx_media_main_conf_t *mcf);
static char *ngx_media_conf_merge_apps(ngx_conf_t *cf,
    ngx_media_main_conf_t *mcf, ngx_array_t *apps);
static ngx_int_t ngx_media_conf_main(ngx_conf_t *cf,
    ngx_media_main_conf_t *mcf);

static char *ngx_media_conf_vhost_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_conf_app_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_media_conf_name_ok(ngx_str_t *name,
    ngx_media_name_kind_e kind);
static char *ngx_media_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_conf_publish_timeout(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static void *ngx_media_policy_create_conf(ngx_conf_t *cf);
static char *ngx_media_policy_merge_conf(ngx_conf_t *cf, void *prev,
    void *conf);


#define NGX_MEDIA_ZONE_SMALL   (64 * 1024 * 1024)
#define NGX_MEDIA_ZONE_MIN     (8 * 1024 * 1024)


static ngx_conf_enum_t  ngx_media_jitters[] = {
    { ngx_string("full"), NGX_MEDIA_JITTER_FULL },
    { ngx_string("zero"), NGX_MEDIA_JITTER_ZERO },
    { ngx_string("off"), NGX_MEDIA_JITTER_OFF },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_media_atcs[] = {
    { ngx_string("off"), NGX_MEDIA_ATC_OFF },
    { ngx_string("on"), NGX_MEDIA_ATC_ON },
    { ngx_string("auto"), NGX_MEDIA_ATC_AUTO },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_media_conflicts[] = {
    { ngx_string("reject"), NGX_MEDIA_CONFLICT_REJECT },
    { ngx_string("replace"), NGX_MEDIA_CONFLICT_REPLACE },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_media_policy_commands[] = {

    { ngx_string("vhost"),
      NGX_MEDIA_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_media_conf_vhost_block,
      0,
      0,
      NULL },

    { ngx_string("application"),
      NGX_MEDIA_MAIN_CONF|NGX_MEDIA_VHOST_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_media_conf_app_block,
      0,
      0,
      NULL },

    { ngx_string("zone"),
      NGX_MEDIA_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_zone,
      0,
      0,
      NULL },

    { ngx_string("gop_cache"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, gop_cache),
      NULL },

    { ngx_string("queue_length"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, queue_length),
      NULL },

    { ngx_string("send_latency"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, send_latency),
      NULL },

    { ngx_string("time_jitter"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, time_jitter),
      ngx_media_jitters },

    { ngx_string("mix_correct"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, mix_correct),
      NULL },

    { ngx_string("atc"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, atc),
      ngx_media_atcs },

    { ngx_string("reduce_sequence_header"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, reduce_sequence_header),
      NULL },

    { ngx_string("publish_timeout"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE12,
      ngx_media_conf_publish_timeout,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("publish_conflict"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, publish_conflict),
      ngx_media_conflicts },

    { ngx_string("republish_wait"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, republish_wait),
      NULL },

    { ngx_string("idle_timeout"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_core_conf_t, idle_timeout),
      NULL },

      ngx_null_command
};


static ngx_media_module_t  ngx_media_policy_module_ctx = {
    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_media_policy_create_conf,          /* create policy */
    ngx_media_policy_merge_conf            /* merge policy */
};


ngx_module_t  ngx_media_policy_module = {
    NGX_MODULE_V1,
    &ngx_media_policy_module_ctx,          /* module context */
    ngx_media_policy_commands,             /* module directives */
    NGX_MEDIA_MODULE,                      /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* number of media modules of this cycle, counted when a block begins */

static ngx_uint_t  ngx_media_conf_modules;


/* --- blocks ------------------------------------------------------------- */

char *
ngx_media_conf_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_main_conf_t *mcf = conf;

    char                  *rv;
    ngx_conf_t             save;
    ngx_media_conf_ctx_t  *ctx;

    if (mcf->block) {
        return "is duplicate: one media{} holds the policy of all protocols";
    }

    mcf->block = 1;

    if (ngx_media_conf_main(cf, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_media_conf_ctx_t));

    if (ctx == NULL) {
        return NGX_CONF_ERROR;
    }

    ctx->main_conf = mcf->main_conf;
    ctx->conf = mcf->def.conf;

    save = *cf;
    cf->ctx = ctx;
    cf->module_type = NGX_MEDIA_MODULE;
    cf->cmd_type = NGX_MEDIA_MAIN_CONF;

    rv = ngx_conf_parse(cf, NULL);

    if (rv == NGX_CONF_OK) {
        rv = ngx_media_conf_merge_all(cf, mcf);
    }

    *cf = save;

    return rv;
}


/* no media{} at all: every vhost, app and stream just works */

char *
ngx_media_conf_init(ngx_cycle_t *cycle, ngx_media_main_conf_t *mcf)
{
    char        *rv;
    ngx_conf_t   cf;

    if (mcf->block) {
        return NGX_CONF_OK;
    }

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.cycle = cycle;
    cf.pool = cycle->pool;
    cf.log = cycle->log;
    cf.temp_pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cycle->log);

    if (cf.temp_pool == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = NGX_CONF_ERROR;

    if (ngx_media_conf_main(&cf, mcf) == NGX_OK) {
        rv = ngx_media_conf_merge_all(&cf, mcf);
    }

    ngx_destroy_pool(cf.temp_pool);

    return rv;
}


static ngx_int_t
ngx_media_conf_main(ngx_conf_t *cf, ngx_media_main_conf_t *mcf)
{
    ngx_uint_t           i;
    ngx_module_t        *module;
    ngx_media_module_t  *ctx;

    ngx_media_conf_modules = ngx_count_modules(cf->cycle, NGX_MEDIA_MODULE);

    mcf->main_conf = ngx_pcalloc(cf->pool,
                                 ngx_media_conf_modules * sizeof(void *));
    mcf->def.conf = ngx_media_conf_create(cf);

    if (mcf->main_conf == NULL || mcf->def.conf == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (module->type != NGX_MEDIA_MODULE) {
            continue;
        }

        ctx = module->ctx;

        if (ctx->create_main_conf) {
            mcf->main_conf[module->ctx_index] = ctx->create_main_conf(cf);

            if (mcf->main_conf[module->ctx_index] == NULL) {
                return NGX_ERROR;
            }
        }
    }

    ngx_str_set(&mcf->def.name, NGX_MEDIA_DEFAULT_VHOST);

    if (ngx_array_init(&mcf->def.apps, cf->pool, 4, sizeof(ngx_media_app_t))
        != NGX_OK
        || ngx_array_init(&mcf->vhosts, cf->pool, 4,
                          sizeof(ngx_media_vhost_t))
           != NGX_OK
        || ngx_array_init(&mcf->where, cf->pool, 16,
                          sizeof(ngx_media_conf_where_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void **
ngx_media_conf_create(ngx_conf_t *cf)
{
    void                **conf;
    ngx_uint_t            i;
    ngx_module_t         *module;
    ngx_media_module_t   *ctx;

    conf = ngx_pcalloc(cf->pool, ngx_media_conf_modules * sizeof(void *));

    if (conf == NULL) {
        return NULL;
    }

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (module->type != NGX_MEDIA_MODULE) {
            continue;
        }

        ctx = module->ctx;

        if (ctx->create_conf) {
            conf[module->ctx_index] = ctx->create_conf(cf);

            if (conf[module->ctx_index] == NULL) {
                return NULL;
            }
        }
    }

    return conf;
}


static ngx_uint_t
ngx_media_conf_name_ok(ngx_str_t *name, ngx_media_name_kind_e kind)
{
    ngx_media_url_str_t  s;

    s.len = name->len;
    s.data = name->data;

    return ngx_media_name_check(&s, kind) == NGX_MEDIA_NAME_OK;
}


ngx_media_main_conf_t *
ngx_media_conf_main_of(ngx_conf_t *cf)
{
    return (ngx_media_main_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                                  ngx_media_core_module);
}


/* parses a block of cmd_type into conf; apps is where applications go */

static char *
ngx_media_conf_parse(ngx_conf_t *cf, void **conf, ngx_uint_t cmd_type,
    void *handler_conf)
{
    char                  *rv;
    ngx_conf_t             save;
    ngx_media_conf_ctx_t  *ctx;

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_media_conf_ctx_t));

    if (ctx == NULL) {
        return NGX_CONF_ERROR;
    }

    ctx->main_conf = ngx_media_conf_main_of(cf)->main_conf;
    ctx->conf = conf;

    save = *cf;
    cf->ctx = ctx;
    cf->cmd_type = cmd_type;
    cf->handler_conf = handler_conf;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_media_conf_vhost_block(ngx_conf_t *cf, ngx_command_t *cmd, void *unused)
{
    u_char                 *file;
    ngx_str_t              *value, name;
    ngx_uint_t              i, line;
    ngx_media_vhost_t      *vhost;
    ngx_media_main_conf_t  *mcf;

    mcf = ngx_media_conf_main_of(cf);
    value = cf->args->elts;
    file = cf->conf_file->file.name.data;
    line = cf->conf_file->line;

    ngx_strlow(value[1].data, value[1].data, value[1].len);

    name = value[1];

    if (name.len > 2 && name.data[0] == '*' && name.data[1] == '.') {
        name.data += 2;
        name.len -= 2;
    }

    if (!ngx_media_conf_name_ok(&name, NGX_MEDIA_NAME_VHOST)
        || ngx_strlchr(name.data, name.data + name.len, '*'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid vhost \"%V\", say a host name or "
                           "\"*.suffix\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    vhost = mcf->vhosts.elts;

    for (i = 0; i < mcf->vhosts.nelts; i++) {
        if (vhost[i].name.len == value[1].len
            && ngx_strncmp(vhost[i].name.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate vhost \"%V\", the first one is in "
                               "%s:%ui", &value[1], vhost[i].file,
                               vhost[i].line);
            return NGX_CONF_ERROR;
        }
    }

    vhost = ngx_array_push(&mcf->vhosts);

    if (vhost == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(vhost, sizeof(ngx_media_vhost_t));

    vhost->name = value[1];
    vhost->file = file;
    vhost->line = line;
    vhost->conf = ngx_media_conf_create(cf);

    if (vhost->conf == NULL
        || ngx_array_init(&vhost->apps, cf->pool, 4, sizeof(ngx_media_app_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_media_conf_parse(cf, vhost->conf, NGX_MEDIA_VHOST_CONF,
                                &vhost->apps);
}


static char *
ngx_media_conf_app_block(ngx_conf_t *cf, ngx_command_t *cmd, void *unused)
{
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_array_t      *apps;
    ngx_media_app_t  *app;

    /* the vhost around it, or the default one */

    apps = (cf->cmd_type == NGX_MEDIA_VHOST_CONF)
           ? cf->handler_conf : (void *) &ngx_media_conf_main_of(cf)->def.apps;

    value = cf->args->elts;

    if (!ngx_media_conf_name_ok(&value[1], NGX_MEDIA_NAME_APP)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid application name \"%V\", say it as in the "
                           "URL, without a slash at either end", &value[1]);
        return NGX_CONF_ERROR;
    }

    app = apps->elts;

    for (i = 0; i < apps->nelts; i++) {
        if (app[i].name.len == value[1].len
            && ngx_strncmp(app[i].name.data, value[1].data, value[1].len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate application \"%V\", the first one "
                               "is in %s:%ui", &value[1], app[i].file,
                               app[i].line);
            return NGX_CONF_ERROR;
        }
    }

    app = ngx_array_push(apps);

    if (app == NULL) {
        return NGX_CONF_ERROR;
    }

    app->name = value[1];
    app->file = cf->conf_file->file.name.data;
    app->line = cf->conf_file->line;
    app->conf = ngx_media_conf_create(cf);

    if (app->conf == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_media_conf_parse(cf, app->conf, NGX_MEDIA_APP_CONF, NULL);
}


static char *
ngx_media_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *unused)
{
    ssize_t                 size;
    ngx_str_t              *value;
    ngx_media_main_conf_t  *mcf;

    mcf = ngx_media_conf_main_of(cf);
    value = cf->args->elts;

    if (mcf->zone != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR || size < NGX_MEDIA_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid media zone size \"%V\", say 8m or more, "
                           "for example \"zone 256m;\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < NGX_MEDIA_ZONE_SMALL) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "media zone of %V is small, 64m or more is "
                           "recommended", &value[1]);
    }

    mcf->zone = size;

    return NGX_CONF_OK;
}


/* --- values ------------------------------------------------------------- */

static char *
ngx_media_conf_publish_timeout(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_core_conf_t *ccf = conf;

    ngx_int_t   ms;
    ngx_str_t  *value;
    ngx_uint_t  i;

    if (ccf->publish_first != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        ms = ngx_parse_time(&value[i], 0);

        if (ms == NGX_ERROR || ms == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid time \"%V\" in \"publish_timeout\", "
                               "say \"publish_timeout FIRST IDLE;\", for "
                               "example 20s 5s", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (i == 1) {
            ccf->publish_first = ms;

        } else {
            ccf->publish_idle = ms;
        }
    }

    return ngx_media_conf_note(cf, cmd);
}


static void *
ngx_media_policy_create_conf(ngx_conf_t *cf)
{
    ngx_media_core_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_media_core_conf_t));

    if (conf == NULL) {
        return NULL;
    }

    conf->gop_cache = NGX_CONF_UNSET;
    conf->queue_length = NGX_CONF_UNSET_MSEC;
    conf->send_latency = NGX_CONF_UNSET_MSEC;
    conf->time_jitter = NGX_CONF_UNSET_UINT;
    conf->mix_correct = NGX_CONF_UNSET;
    conf->atc = NGX_CONF_UNSET_UINT;
    conf->reduce_sequence_header = NGX_CONF_UNSET;
    conf->publish_first = NGX_CONF_UNSET_MSEC;
    conf->publish_idle = NGX_CONF_UNSET_MSEC;
    conf->publish_conflict = NGX_CONF_UNSET_UINT;
    conf->republish_wait = NGX_CONF_UNSET_MSEC;
    conf->idle_timeout = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_media_policy_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_media_core_conf_t *prev = parent;
    ngx_media_core_conf_t *conf = child;

    ngx_conf_merge_value(conf->gop_cache, prev->gop_cache, 1);
    ngx_conf_merge_msec_value(conf->queue_length, prev->queue_length, 10000);
    ngx_conf_merge_msec_value(conf->send_latency, prev->send_latency, 0);
    ngx_conf_merge_uint_value(conf->time_jitter, prev->time_jitter,
                              NGX_MEDIA_JITTER_FULL);
    ngx_conf_merge_value(conf->mix_correct, prev->mix_correct, 0);
    ngx_conf_merge_uint_value(conf->atc, prev->atc, NGX_MEDIA_ATC_OFF);
    ngx_conf_merge_value(conf->reduce_sequence_header,
                         prev->reduce_sequence_header, 0);
    ngx_conf_merge_msec_value(conf->publish_first, prev->publish_first,
                              20000);
    ngx_conf_merge_msec_value(conf->publish_idle, prev->publish_idle, 5000);
    ngx_conf_merge_uint_value(conf->publish_conflict, prev->publish_conflict,
                              NGX_MEDIA_CONFLICT_REJECT);
    ngx_conf_merge_msec_value(conf->republish_wait, prev->republish_wait,
                              10000);
    ngx_conf_merge_msec_value(conf->idle_timeout, prev->idle_timeout, 10000);

    if (conf->queue_length < 500) {
        return ngx_media_conf_fault(cf, "queue_length",
                                    "queue_length of %M ms is too short, say "
                                    "500ms or more", conf->queue_length);
    }

    if (conf->send_latency >= conf->queue_length) {
        return ngx_media_conf_fault(cf, "send_latency queue_length",
                                    "send_latency of %M ms must be shorter "
                                    "than queue_length, %M ms,",
                                    conf->send_latency, conf->queue_length);
    }

    return NGX_CONF_OK;
}


/* --- merge -------------------------------------------------------------- */

/* merges the innermost block so far into conf, which becomes that */

static char *
ngx_media_conf_merge(ngx_conf_t *cf, ngx_media_main_conf_t *mcf, void **conf)
{
    char                 *rv;
    void                **prev;
    ngx_uint_t            i;
    ngx_module_t         *module;
    ngx_media_module_t   *ctx;

    prev = mcf->blocks[mcf->depth++];
    mcf->blocks[mcf->depth] = conf;

    ((ngx_media_conf_ctx_t *) cf->ctx)->conf = conf;

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (module->type != NGX_MEDIA_MODULE) {
            continue;
        }

        ctx = module->ctx;

        if (ctx->merge_conf) {
            rv = ctx->merge_conf(cf, prev[module->ctx_index],
                                 conf[module->ctx_index]);

            if (rv != NGX_CONF_OK) {
                return rv;
            }
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_media_conf_merge_all(ngx_conf_t *cf, ngx_media_main_conf_t *mcf)
{
    char                 *rv;
    ngx_uint_t            i;
    ngx_module_t         *module;
    ngx_media_vhost_t    *vhost;
    ngx_media_module_t   *ctx;
    ngx_media_conf_ctx_t  merged;

    merged.main_conf = mcf->main_conf;
    cf->ctx = &merged;

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (module->type != NGX_MEDIA_MODULE) {
            continue;
        }

        ctx = module->ctx;

        if (ctx->init_main_conf) {
            rv = ctx->init_main_conf(cf, mcf->main_conf[module->ctx_index]);

            if (rv != NGX_CONF_OK) {
                return rv;
            }
        }
    }

    /* media{} itself takes the defaults from a block with nothing set */

    mcf->blocks[0] = ngx_media_conf_create(cf);
    mcf->depth = 0;

    if (mcf->blocks[0] == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_media_conf_merge(cf, mcf, mcf->def.conf);

    if (rv == NGX_CONF_OK) {
        rv = ngx_media_conf_merge_apps(cf, mcf, &mcf->def.apps);
    }

    vhost = mcf->vhosts.elts;

    for (i = 0; rv == NGX_CONF_OK && i < mcf->vhosts.nelts; i++) {

        rv = ngx_media_conf_merge(cf, mcf, vhost[i].conf);

        if (rv == NGX_CONF_OK) {
            rv = ngx_media_conf_merge_apps(cf, mcf, &vhost[i].apps);
            mcf->depth--;
        }
    }

    return rv;
}


static char *
ngx_media_conf_merge_apps(ngx_conf_t *cf, ngx_media_main_conf_t *mcf,
    ngx_array_t *apps)
{
    char             *rv;
    ngx_uint_t        i;
    ngx_media_app_t  *app;

    app = apps->elts;

    for (i = 0; i < apps->nelts; i++) {

        rv = ngx_media_conf_merge(cf, mcf, app[i].conf);

        if (rv != NGX_CONF_OK) {
            return rv;
        }

        mcf->depth--;
    }

    return NGX_CONF_OK;
}


/* --- look-up ------------------------------------------------------------ */

ngx_media_vhost_t *
ngx_media_conf_vhost(ngx_media_main_conf_t *mcf, ngx_str_t *host)
{
    size_t              len;
    ngx_str_t          *name;
    ngx_uint_t          i;
    ngx_media_vhost_t  *vhost, *best;

    vhost = mcf->vhosts.elts;
    best = NULL;

    for (i = 0; i < mcf->vhosts.nelts; i++) {
        name = &vhost[i].name;

        if (name->len == host->len
            && ngx_strncasecmp(name->data, host->data, host->len) == 0)
        {
            return &vhost[i];
        }

        /* "*.suffix": the longest one, and something before the dot */

        if (name->data[0] != '*' || host->len < name->len) {
            continue;
        }

        len = name->len - 1;

        if (ngx_strncasecmp(name->data + 1, host->data + host->len - len, len)
            == 0
            && (best == NULL || best->name.len < name->len))
        {
            best = &vhost[i];
        }
    }

    return best;
}


void **
ngx_media_policy(ngx_str_t *vhost, ngx_str_t *app)
{
    ngx_media_vhost_t      *vh;
    ngx_media_main_conf_t  *mcf;

    mcf = ngx_media_get_main_conf();
    vh = vhost->len ? ngx_media_conf_vhost(mcf, vhost) : NULL;

    if (vh == NULL) {
        vh = &mcf->def;
        ngx_str_set(vhost, NGX_MEDIA_DEFAULT_VHOST);
    }

    return ngx_media_conf_app(vh, app);
}


void **
ngx_media_conf_app(ngx_media_vhost_t *vhost, ngx_str_t *app)
{
    ngx_uint_t        i;
    ngx_media_app_t  *a;

    a = vhost->apps.elts;

    for (i = 0; i < vhost->apps.nelts; i++) {
        if (a[i].name.len == app->len
            && ngx_memcmp(a[i].name.data, app->data, app->len) == 0)
        {
            return a[i].conf;
        }
    }

    return vhost->conf;
}
