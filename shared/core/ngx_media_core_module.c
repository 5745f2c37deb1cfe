
/*
 * Copyright (C) the nginx media suite authors
 *
 * The core as an nginx module: registers itself when a protocol module is
 * loaded, holds media{}, makes the arena in the master and enters it in each
 * worker.
 *
 * Order in a worker's life: init_process takes a slot and begins to listen for
 * wakes; exit_process gives both back.  Only workers (and the one process of
 * master_process off) take part: init_process also runs in the cache manager
 * and loader.
 */


#include "ngx_media_core.h"


static void *ngx_media_core_create_conf(ngx_cycle_t *cycle);
static char *ngx_media_core_init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t ngx_media_core_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_media_core_init_process(ngx_cycle_t *cycle);
static void ngx_media_core_exit_process(ngx_cycle_t *cycle);


#define NGX_MEDIA_ZONE_DEFAULT  (256 * 1024 * 1024)


static ngx_command_t  ngx_media_core_commands[] = {

    { ngx_string("media"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_media_conf_block,
      NGX_MAIN_CONF,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_media_core_module_ctx = {
    ngx_string("media"),
    ngx_media_core_create_conf,
    ngx_media_core_init_conf
};


ngx_module_t  ngx_media_core_module = {
    NGX_MODULE_V1,
    &ngx_media_core_module_ctx,            /* module context */
    ngx_media_core_commands,               /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_media_core_init_module,            /* init module */
    ngx_media_core_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_media_core_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* modules of the core's own .so, in the order in which they are added */

static ngx_module_t  *ngx_media_core_modules[] = {
    &ngx_media_core_module,
    &ngx_media_policy_module,
    &ngx_media_hook_policy_module,
    &ngx_media_access_policy_module,
    &ngx_media_hls_policy_module,
    &ngx_media_record_policy_module,
    &ngx_media_upload_policy_module,
    &ngx_media_web_module,
    &ngx_media_relay_policy_module,
    &ngx_media_api_module,
    &ngx_media_event_module,
    &ngx_media_vod_module,
    &ngx_media_http_module,
    NULL
};


static char  *ngx_media_core_names[] = {
    "ngx_media_core_module",
    "ngx_media_policy_module",
    "ngx_media_hook_policy_module",
    "ngx_media_access_policy_module",
    "ngx_media_hls_policy_module",
    "ngx_media_record_policy_module",
    "ngx_media_upload_policy_module",
    "ngx_media_web_module",
    "ngx_media_relay_policy_module",
    "ngx_media_api_module",
    "ngx_media_event_module",
    "ngx_media_vod_module",
    "ngx_media_http_module",
    NULL
};


ngx_int_t
ngx_media_register(ngx_cycle_t *cycle, ngx_uint_t abi, const char *who)
{
    ngx_str_t    file;
    ngx_uint_t   i, k;
    ngx_conf_t   cf;

    if (abi != NGX_MEDIA_ABI) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "%s was built for media core ABI %ui, the loaded core "
                      "is ABI %d", who, abi, NGX_MEDIA_ABI);
        return NGX_ERROR;
    }

    for (i = 0; cycle->modules[i]; i++) {

        if (ngx_strcmp(cycle->modules[i]->name, "ngx_rtmp_module") == 0) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "%s and nginx-rtmp-module can not be loaded "
                          "together: remove the \"load_module\" of one", who);
            return NGX_ERROR;
        }

        if (cycle->modules[i] == &ngx_media_core_module) {
            return NGX_OK;
        }
    }

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.cycle = cycle;
    cf.log = cycle->log;
    cf.pool = cycle->pool;

    ngx_str_set(&file, "ngx_media_core_module.so");

    for (k = 0; ngx_media_core_modules[k]; k++) {

        ngx_media_core_modules[k]->name = ngx_media_core_names[k];

        if (ngx_add_module(&cf, &file, ngx_media_core_modules[k], NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void *
ngx_media_core_create_conf(ngx_cycle_t *cycle)
{
    ngx_media_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cycle->pool, sizeof(ngx_media_main_conf_t));

    if (mcf) {
        mcf->zone = NGX_CONF_UNSET_SIZE;
    }

    return mcf;
}


static char *
ngx_media_core_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_media_main_conf_t *mcf = conf;

    ngx_uint_t  i;

    for (i = 0; cycle->modules[i]; i++) {
        if (ngx_strcmp(cycle->modules[i]->name, "ngx_rtmp_module") == 0) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "the media modules and nginx-rtmp-module can not be "
                          "loaded together: remove the \"load_module\" of "
                          "one");
            return NGX_CONF_ERROR;
        }
    }

    if (mcf->zone == NGX_CONF_UNSET_SIZE) {
        mcf->zone = NGX_MEDIA_ZONE_DEFAULT;
    }

    return ngx_media_conf_init(cycle, mcf);
}


ngx_media_main_conf_t *
ngx_media_get_main_conf(void)
{
    return (ngx_media_main_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                                  ngx_media_core_module);
}


void *
ngx_media_module_main_conf(ngx_cycle_t *cycle, ngx_module_t *module)
{
    ngx_media_main_conf_t  *mcf;

    mcf = (ngx_media_main_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                 ngx_media_core_module);

    return (mcf && mcf->main_conf) ? mcf->main_conf[module->ctx_index] : NULL;
}


static ngx_int_t
ngx_media_core_init_module(ngx_cycle_t *cycle)
{
    ngx_media_main_conf_t  *mcf;

    if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
        return NGX_OK;
    }

    mcf = (ngx_media_main_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                 ngx_media_core_module);

    return ngx_media_arena_open(cycle, mcf->zone);
}


static ngx_int_t
ngx_media_core_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ngx_media_arena_enter(cycle);
    ngx_media_sessions_init();
    ngx_media_feeds_init(cycle);
    ngx_media_readers_init(cycle);

    return ngx_media_slot_open(cycle);
}


static void
ngx_media_core_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    ngx_media_services_exit();

    /* what was sent since the last tick counts; what nobody plays is freed */

    ngx_media_feeds_tick();

    ngx_media_slot_close(cycle);

    ngx_media_feeds_exit();
    ngx_media_wire_exit();
    ngx_media_segments_exit();
    ngx_media_heads_exit();
    ngx_media_readers_exit();
}
