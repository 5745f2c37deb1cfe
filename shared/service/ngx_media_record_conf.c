
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: directives of recordings (dvr), parsed and checked.  The constant part
 * of a dvr_path becomes one of nginx's own directories (cycle->paths), which
 * makes it and gives it to the user of the workers; what is written goes
 * below it and nowhere else (ngx_media_template.h).
 */


#include "ngx_media_record.h"
#include "ngx_media_record_switch.h"
#include "ngx_media_archive.h"
#include "ngx_media_template.h"
#include "ngx_media_thread.h"


#define NGX_MEDIA_RECORD_BUFFER    (16 * 1024 * 1024)


static void *ngx_media_record_create_main_conf(ngx_conf_t *cf);
static void *ngx_media_record_create_conf(ngx_conf_t *cf);
static char *ngx_media_record_merge_conf(ngx_conf_t *cf, void *prev,
    void *conf);
static char *ngx_media_record_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_record_root(ngx_conf_t *cf, ngx_str_t *dir,
    ngx_media_record_root_t **out);
static char *ngx_media_record_keep(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_media_record_glob(const u_char *p, const u_char *pend,
    const u_char *s, const u_char *send);
static ngx_int_t ngx_media_record_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_media_record_init_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_media_record_plans[] = {
    { ngx_string("session"), NGX_MEDIA_RECORD_SESSION },
    { ngx_string("segment"), NGX_MEDIA_RECORD_SEGMENT },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_media_record_mp4s[] = {
    { ngx_string("fragmented"), NGX_MEDIA_RECORD_FRAGMENTED },
    { ngx_string("progressive"), NGX_MEDIA_RECORD_PROGRESSIVE },
    { ngx_null_string, 0 }
};


static ngx_media_conf_range_t  ngx_media_record_duration_range = {
    1000, 24 * 3600 * 1000, "a time between 1s and 24h"
};


static ngx_media_conf_range_t  ngx_media_record_gap_range = {
    0, NGX_MEDIA_RECORD_MAX_GAP, "a time up to 24h"
};


static ngx_media_conf_range_t  ngx_media_record_buffer_range = {
    1024 * 1024, 1024 * 1024 * 1024, "a size between 1m and 1g"
};


static ngx_command_t  ngx_media_record_commands[] = {

    { ngx_string("dvr"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_record_conf_t, enable),
      NULL },

    { ngx_string("dvr_path"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_record_path,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dvr_plan"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_record_conf_t, plan),
      ngx_media_record_plans },

    { ngx_string("dvr_duration"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_record_conf_t, duration),
      &ngx_media_record_duration_range },

    { ngx_string("dvr_wait_keyframe"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_FLAG,
      ngx_media_conf_set_flag,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_record_conf_t, wait_keyframe),
      NULL },

    { ngx_string("dvr_apply"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_conf_set_list,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_record_conf_t, apply),
      NULL },

    { ngx_string("dvr_gap"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_record_conf_t, gap_set),
      &ngx_media_record_gap_range },

    { ngx_string("dvr_mp4"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_enum,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_record_conf_t, mp4),
      ngx_media_record_mp4s },

    { ngx_string("dvr_buffer"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_size,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_record_conf_t, buffer),
      &ngx_media_record_buffer_range },

    { ngx_string("dvr_keep"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE12,
      ngx_media_record_keep,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_media_module_t  ngx_media_record_policy_module_ctx = {
    ngx_media_record_create_main_conf,     /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_media_record_create_conf,          /* create policy */
    ngx_media_record_merge_conf            /* merge policy */
};


ngx_module_t  ngx_media_record_policy_module = {
    NGX_MODULE_V1,
    &ngx_media_record_policy_module_ctx,   /* module context */
    ngx_media_record_commands,             /* module directives */
    NGX_MEDIA_MODULE,                      /* module type */
    NULL,                                  /* init master */
    ngx_media_record_init_module,          /* init module */
    ngx_media_record_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_media_record_create_main_conf(ngx_conf_t *cf)
{
    ngx_media_record_main_conf_t  *rmcf;

    rmcf = ngx_palloc(cf->pool, sizeof(ngx_media_record_main_conf_t));

    if (rmcf == NULL
        || ngx_array_init(&rmcf->roots, cf->pool, 2,
                          sizeof(ngx_media_record_root_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return rmcf;
}


ngx_media_record_main_conf_t *
ngx_media_record_main_conf(ngx_cycle_t *cycle)
{
    return ngx_media_module_main_conf(cycle, &ngx_media_record_policy_module);
}


static void *
ngx_media_record_create_conf(ngx_conf_t *cf)
{
    ngx_media_record_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_media_record_conf_t));

    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET;
    conf->plan = NGX_CONF_UNSET_UINT;
    conf->duration = NGX_CONF_UNSET_MSEC;
    conf->wait_keyframe = NGX_CONF_UNSET;
    conf->apply = NGX_CONF_UNSET_PTR;
    conf->gap_set = NGX_CONF_UNSET_MSEC;
    conf->mp4 = NGX_CONF_UNSET_UINT;
    conf->buffer = NGX_CONF_UNSET_SIZE;
    conf->keep_age = NGX_CONF_UNSET;
    conf->keep_size = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_media_record_merge_conf(ngx_conf_t *cf, void *prev, void *conf)
{
    ngx_media_record_conf_t *prv = prev;
    ngx_media_record_conf_t *rcf = conf;

    ngx_media_core_conf_t  *ccf;

    ngx_conf_merge_value(rcf->enable, prv->enable, 0);
    ngx_conf_merge_uint_value(rcf->plan, prv->plan, NGX_MEDIA_RECORD_SESSION);
    ngx_conf_merge_msec_value(rcf->duration, prv->duration, 30000);
    ngx_conf_merge_value(rcf->wait_keyframe, prv->wait_keyframe, 1);
    ngx_conf_merge_ptr_value(rcf->apply, prv->apply, NULL);
    ngx_conf_merge_uint_value(rcf->mp4, prv->mp4, NGX_MEDIA_RECORD_FRAGMENTED);
    ngx_conf_merge_size_value(rcf->buffer, prv->buffer,
                              NGX_MEDIA_RECORD_BUFFER);

    if (rcf->keep_age == NGX_CONF_UNSET) {
        rcf->keep_age = (prv->keep_age == NGX_CONF_UNSET) ? 0 : prv->keep_age;
        rcf->keep_size = (prv->keep_size == NGX_CONF_UNSET) ? 0
                                                            : prv->keep_size;
    }

    if (rcf->gap_set == NGX_CONF_UNSET_MSEC) {
        rcf->gap_set = prv->gap_set;
    }

    ccf = ngx_media_conf_get_module_conf(cf, ngx_media_policy_module);

    rcf->gap = (rcf->gap_set == NGX_CONF_UNSET_MSEC) ? ccf->republish_wait
                                                     : rcf->gap_set;

    if (rcf->path.data == NULL) {
        rcf->path = prv->path;
        rcf->root = prv->root;
        rcf->file = prv->file;
        rcf->kind = prv->kind;
    }

    if (rcf->enable && rcf->root == NULL) {
        return ngx_media_conf_fault(cf, "dvr",
                                    "\"dvr\" is on and there is no "
                                    "\"dvr_path\", say where its files go,");
    }

    return NGX_CONF_OK;
}


/* dvr_path TEMPLATE; */

static char *
ngx_media_record_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_record_conf_t *rcf = conf;

    size_t                     i, n;
    uint32_t                   fields;
    ngx_str_t                 *value, dir;
    ngx_media_template_str_t   bad;

    if (rcf->path.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = 0;

    for (i = 0; i < value[1].len; i++) {

        if (value[1].data[i] == '[' || value[1].data[i] == '$') {
            break;
        }

        if (value[1].data[i] == '/') {
            n = i + 1;
        }
    }

    rcf->path = value[1];
    rcf->file.data = value[1].data + n;
    rcf->file.len = value[1].len - n;

    dir.len = n ? n : 2;
    dir.data = ngx_pnalloc(cf->pool, dir.len + 1);

    if (dir.data == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn(dir.data, n ? value[1].data : (u_char *) "./",
                       dir.len + 1);

    if (ngx_media_template_check(rcf->file.data, rcf->file.data + rcf->file.len,
                                 &fields, &bad)
        != NGX_MEDIA_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown or invalid \"%*s\" in \"%V\" of \"%V\"",
                           bad.len, bad.data, &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (fields & (NGX_MEDIA_TEMPLATE_SEQ|NGX_MEDIA_TEMPLATE_DURATION)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"[seq]\" and \"[duration]\" are not known when a "
                           "file of \"%V\" begins, say [timestamp]",
                           &cmd->name);
        return NGX_CONF_ERROR;
    }

    rcf->kind = ngx_media_file_kind(value[1].data, value[1].len);

    if (rcf->kind == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"%V\" must end with .flv, .mp4 or .ts",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_media_record_root(cf, &dir, &rcf->root) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_media_conf_note(cf, cmd);
}


/* dir is 0-terminated and ends with a slash */

static char *
ngx_media_record_root(ngx_conf_t *cf, ngx_str_t *dir,
    ngx_media_record_root_t **out)
{
#if !(NGX_THREADS)

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"dvr_path\" needs nginx built with --with-threads");
    return NGX_CONF_ERROR;

#else

    ngx_uint_t                      i;
    ngx_path_t                     *path;
    ngx_media_record_root_t        *root, **roots;
    ngx_media_record_main_conf_t   *rmcf;

    if (ngx_thread_pool_add(cf, NULL) == NULL
        || ngx_conf_full_name(cf->cycle, dir, 0) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    while (dir->len > 1 && dir->data[dir->len - 1] == '/') {
        dir->data[--dir->len] = '\0';
    }

    rmcf = ((ngx_media_conf_ctx_t *) cf->ctx)->main_conf[
                                  ngx_media_record_policy_module.ctx_index];
    roots = rmcf->roots.elts;

    for (i = 0; i < rmcf->roots.nelts; i++) {
        if (roots[i]->path.len == dir->len
            && ngx_memcmp(roots[i]->path.data, dir->data, dir->len) == 0)
        {
            *out = roots[i];
            return NGX_CONF_OK;
        }
    }

    root = ngx_pcalloc(cf->pool, sizeof(ngx_media_record_root_t));
    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    roots = ngx_array_push(&rmcf->roots);

    if (root == NULL || path == NULL || roots == NULL) {
        return NGX_CONF_ERROR;
    }

    root->path = *dir;
    *roots = root;
    *out = root;

    path->name = *dir;
    path->data = &ngx_media_record_policy_module;
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    return (ngx_add_path(cf, &path) == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;

#endif
}


/* dvr_keep TIME [size=SIZE] | size=SIZE | off; */

static char *
ngx_media_record_keep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_record_conf_t *rcf = conf;

    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (rcf->keep_age != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rcf->keep_age = 0;
    rcf->keep_size = 0;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        return ngx_media_conf_note(cf, cmd);
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "size=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;
            rcf->keep_size = s.len ? ngx_parse_offset(&s) : NGX_ERROR;

            if (rcf->keep_size <= 0) {
                goto invalid;
            }

            continue;
        }

        if (rcf->keep_age) {
            goto invalid;
        }

        rcf->keep_age = ngx_parse_time(&value[i], 1);

        if (rcf->keep_age <= 0) {
            goto invalid;
        }
    }

    return ngx_media_conf_note(cf, cmd);

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"%V\", it takes a time and "
                       "size=SIZE, as in \"dvr_keep 7d size=100g;\"",
                       &value[i], &cmd->name);

    return NGX_CONF_ERROR;
}


/* behind the core's own init_module, which has opened the arena */

static ngx_int_t
ngx_media_record_init_module(ngx_cycle_t *cycle)
{
    if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
        return NGX_OK;
    }

    return ngx_media_record_switch_load(cycle);
}


/* behind the core's own init_process, which has opened the worker's slot */

static ngx_int_t
ngx_media_record_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (ngx_media_archive_init_worker(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_media_record_init_worker(cycle);
}


ngx_uint_t
ngx_media_record_applies(ngx_media_record_conf_t *rcf, const ngx_str_t *app,
    const ngx_str_t *stream)
{
    u_char       name[2 * NGX_MEDIA_NAME_LEN + 1], *last;
    ngx_str_t   *glob;
    ngx_uint_t   i;

    if (rcf->apply == NULL) {
        return 1;
    }

    if (app->len > NGX_MEDIA_NAME_LEN || stream->len > NGX_MEDIA_NAME_LEN) {
        return 0;
    }

    last = ngx_cpymem(name, app->data, app->len);
    *last++ = '/';
    last = ngx_cpymem(last, stream->data, stream->len);

    glob = rcf->apply->elts;

    for (i = 0; i < rcf->apply->nelts; i++) {

        if ((glob[i].len == 3 && ngx_strncmp(glob[i].data, "all", 3) == 0)
            || ngx_media_record_glob(glob[i].data, glob[i].data + glob[i].len,
                                     name, last))
        {
            return 1;
        }
    }

    return 0;
}


/* "*" is any text, "/" too, and "?" one byte; linear but for one star */

static ngx_uint_t
ngx_media_record_glob(const u_char *p, const u_char *pend, const u_char *s,
    const u_char *send)
{
    const u_char  *star, *mark;

    star = NULL;
    mark = NULL;

    while (s < send) {

        if (p < pend && *p == '*') {
            star = ++p;
            mark = s;

        } else if (p < pend && (*p == '?' || *p == *s)) {
            p++;
            s++;

        } else if (star) {
            p = star;
            s = ++mark;

        } else {
            return 0;
        }
    }

    while (p < pend && *p == '*') {
        p++;
    }

    return p == pend;
}
