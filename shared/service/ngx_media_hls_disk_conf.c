
/*
 * Copyright (C) the nginx media suite authors
 *
 * HLS on disk: hls_path and what goes with it, parsed and checked.  Called by
 * the policy module of HLS.  A directory of hls_path becomes one of nginx's
 * own (cycle->paths), which makes it and gives it to the user of the workers.
 */


#include "ngx_media_hls_disk.h"
#include "ngx_media_template.h"


#define NGX_MEDIA_HLS_DISPOSE   120000      /* ms */


/* hls_path DIR | off; */

char *
ngx_media_hls_disk_set_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_hls_conf_t *hcf = conf;

    ngx_str_t   *value, name;
#if (NGX_THREADS)
    ngx_path_t  *path;
#endif

    if (hcf->path.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    name = value[1];

    if (ngx_strcmp(name.data, "off") == 0) {
        ngx_str_set(&hcf->path, "");
        return ngx_media_conf_note(cf, cmd);
    }

    if (name.len == 0) {
        return "needs a directory";
    }

    while (name.len > 1 && name.data[name.len - 1] == '/') {
        name.data[--name.len] = '\0';
    }

    if (ngx_conf_full_name(cf->cycle, &name, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

#if !(NGX_THREADS)

    return "needs nginx built with --with-threads";

#else

    if (ngx_thread_pool_add(cf, NULL) == NULL) {
        return NGX_CONF_ERROR;
    }

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));

    if (path == NULL) {
        return NGX_CONF_ERROR;
    }

    path->name = name;
    path->data = &ngx_media_hls_policy_module;
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    if (ngx_add_path(cf, &path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    hcf->path = name;

    return ngx_media_conf_note(cf, cmd);

#endif
}


/* hls_m3u8_file, hls_ts_file: a template */

char *
ngx_media_hls_disk_set_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    uint32_t                   fields;
    ngx_str_t                 *value, *file;
    ngx_media_template_str_t   bad;

    file = (ngx_str_t *) ((char *) conf + cmd->offset);

    if (file->data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_media_template_check(value[1].data, value[1].data + value[1].len,
                                 &fields, &bad)
        != NGX_MEDIA_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown or invalid \"%*s\" in \"%V\" of \"%V\"",
                           bad.len, bad.data, &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (!(fields & NGX_MEDIA_TEMPLATE_STREAM)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"%V\" is the same for all streams, "
                           "say [stream] in it", &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (cmd->offset != offsetof(ngx_media_hls_conf_t, m3u8_file)) {

        if (!(fields & NGX_MEDIA_TEMPLATE_SEQ)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"%V\" may be the same for two "
                               "files, say [seq] in it", &value[1],
                               &cmd->name);
            return NGX_CONF_ERROR;
        }

    } else if (fields & ~(NGX_MEDIA_TEMPLATE_VHOST|NGX_MEDIA_TEMPLATE_APP
                          |NGX_MEDIA_TEMPLATE_STREAM
                          |NGX_MEDIA_TEMPLATE_HOSTNAME))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"%V\" would change while the stream "
                           "goes on", &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    *file = value[1];

    return ngx_media_conf_note(cf, cmd);
}


char *
ngx_media_hls_disk_set_prefix(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_hls_conf_t *hcf = conf;

    size_t      i;
    ngx_str_t  *value;

    if (hcf->entry_prefix.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] <= ' ' || value[1].data[i] >= 0x7f
            || value[1].data[i] == '"')
        {
            return "is not the beginning of a URL";
        }
    }

    if (value[1].len > 512) {
        return "is too long";
    }

    hcf->entry_prefix = value[1];

    return ngx_media_conf_note(cf, cmd);
}


void
ngx_media_hls_disk_create_conf(ngx_media_hls_conf_t *conf)
{
    conf->cleanup = NGX_CONF_UNSET;
    conf->dispose = NGX_CONF_UNSET_MSEC;
    conf->recover = NGX_CONF_UNSET;
}


void
ngx_media_hls_disk_merge_conf(ngx_media_hls_conf_t *prev,
    ngx_media_hls_conf_t *conf, ngx_uint_t listens)
{
    ngx_conf_merge_str_value(conf->path, prev->path, "");
    ngx_conf_merge_str_value(conf->m3u8_file, prev->m3u8_file,
                             "[app]/[stream].m3u8");
    ngx_conf_merge_str_value(conf->ts_file, prev->ts_file,
                             "[app]/[stream]-[seq].ts");
    ngx_conf_merge_str_value(conf->key_file, prev->key_file,
                             "[app]/[stream]-[seq].key");
    ngx_conf_merge_str_value(conf->entry_prefix, prev->entry_prefix, "");
    ngx_conf_merge_value(conf->cleanup, prev->cleanup, 1);
    ngx_conf_merge_msec_value(conf->dispose, prev->dispose,
                              NGX_MEDIA_HLS_DISPOSE);
    ngx_conf_merge_value(conf->recover, prev->recover, 1);

    /* files and events are for others: nobody may ask for a playlist here */

    if (conf->mode == NGX_CONF_UNSET_UINT) {

        conf->mode = prev->mode;
        conf->mode_default = prev->mode_default
                             || prev->mode == NGX_CONF_UNSET_UINT;

        if (conf->mode_default) {
            conf->mode = (conf->path.len
                          || (listens & NGX_MEDIA_LISTENS_SEGMENT))
                         ? NGX_MEDIA_HLS_ON : NGX_MEDIA_HLS_DEMAND;
        }
    }
}
