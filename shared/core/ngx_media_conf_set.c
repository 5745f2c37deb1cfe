
/*
 * Copyright (C) the nginx media suite authors
 *
 * Values of a policy: setters for the directives of modules of type
 * NGX_MEDIA_MODULE, and where each value was set.  ngx_media.h shows how they
 * are used.  A value that can not be is refused where it stands; values that
 * do not go together are found by the merge, long after their lines were read:
 * ngx_media_conf_fault() still names the line.  Places lie in the pool of the
 * configuration, in the order in which values were set.
 */


#include "ngx_media_core.h"


static char *ngx_media_conf_refuse(ngx_conf_t *cf, ngx_command_t *cmd,
    const char *what, const char *say);
static void ngx_media_conf_say(ngx_conf_t *cf, ngx_uint_t level,
    const char *names, const char *fmt, va_list args);
static ngx_media_conf_where_t *ngx_media_conf_where(
    ngx_media_main_conf_t *mcf, const char *names);
static ngx_uint_t ngx_media_conf_named(ngx_str_t *name, const char *names);


char *
ngx_media_conf_set_flag(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char           *rv;
    ngx_flag_t     *fp;
    ngx_command_t   flag;

    fp = (ngx_flag_t *) ((char *) conf + cmd->offset);

    if (cf->args->nelts == 1 && *fp == NGX_CONF_UNSET) {
        *fp = 1;
        return ngx_media_conf_note(cf, cmd);
    }

    flag = *cmd;
    flag.post = NULL;

    rv = ngx_conf_set_flag_slot(cf, &flag, conf);

    return (rv == NGX_CONF_OK) ? ngx_media_conf_note(cf, cmd) : rv;
}


char *
ngx_media_conf_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                ms;
    ngx_str_t               *value;
    ngx_msec_t              *msp;
    ngx_media_conf_range_t  *range;

    msp = (ngx_msec_t *) ((char *) conf + cmd->offset);

    if (*msp != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;
    range = cmd->post;
    ms = ngx_parse_time(&value[1], 0);

    if (ms == NGX_ERROR || (range && (ms < range->min || ms > range->max))) {
        return ngx_media_conf_refuse(cf, cmd, "time",
                                     range ? range->say
                                           : "for example 10s or 500ms");
    }

    *msp = (ngx_msec_t) ms;

    return ngx_media_conf_note(cf, cmd);
}


char *
ngx_media_conf_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    size_t                  *sp;
    ssize_t                  size;
    ngx_str_t               *value;
    ngx_media_conf_range_t  *range;

    sp = (size_t *) ((char *) conf + cmd->offset);

    if (*sp != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;
    range = cmd->post;
    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR
        || (range && (size < range->min || size > range->max)))
    {
        return ngx_media_conf_refuse(cf, cmd, "size",
                                     range ? range->say
                                           : "for example 512k or 8m");
    }

    *sp = (size_t) size;

    return ngx_media_conf_note(cf, cmd);
}


char *
ngx_media_conf_set_num(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                n, *np;
    ngx_str_t               *value;
    ngx_media_conf_range_t  *range;

    np = (ngx_int_t *) ((char *) conf + cmd->offset);

    if (*np != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;
    range = cmd->post;
    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || (range && (n < range->min || n > range->max))) {
        return ngx_media_conf_refuse(cf, cmd, "number",
                                     range ? range->say : "for example 10");
    }

    *np = n;

    return ngx_media_conf_note(cf, cmd);
}


/* as nginx's own setter, but it tells what may be said */

char *
ngx_media_conf_set_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char           *last, buf[256];
    ngx_str_t        *value;
    ngx_uint_t       *np;
    ngx_conf_enum_t  *e;

    np = (ngx_uint_t *) ((char *) conf + cmd->offset);

    if (*np != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    last = buf;

    for (e = cmd->post; e->name.len; e++) {

        if (e->name.len == value[1].len
            && ngx_strncmp(e->name.data, value[1].data, e->name.len) == 0)
        {
            *np = e->value;
            return ngx_media_conf_note(cf, cmd);
        }

        last = ngx_slprintf(last, buf + sizeof(buf) - 1, "%s\"%V\"",
                            (last == buf) ? "" : " or ", &e->name);
    }

    *last = '\0';

    return ngx_media_conf_refuse(cf, cmd, "value", (char *) buf);
}


char *
ngx_media_conf_set_str(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value, *field;

    field = (ngx_str_t *) ((char *) conf + cmd->offset);

    if (field->data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    *field = value[1];

    return ngx_media_conf_note(cf, cmd);
}


char *
ngx_media_conf_set_list(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t    *value, *name;
    ngx_uint_t    i;
    ngx_array_t  *list, **field;

    field = (ngx_array_t **) ((char *) conf + cmd->offset);

    if (*field != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    list = ngx_array_create(cf->pool, cf->args->nelts - 1, sizeof(ngx_str_t));

    if (list == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "off") == 0) {

            if (cf->args->nelts == 2) {
                break;
            }

            return "takes \"off\" only alone";
        }

        if (value[i].len == 0) {
            return "has an empty value";
        }

        name = ngx_array_push(list);

        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    *field = list;

    return ngx_media_conf_note(cf, cmd);
}


/* the one line about a value that can not be */

static char *
ngx_media_conf_refuse(ngx_conf_t *cf, ngx_command_t *cmd, const char *what,
    const char *say)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid %s \"%V\" in \"%V\", say %s", what, &value[1],
                       &cmd->name, say);

    return NGX_CONF_ERROR;
}


/* --- where a value was set ----------------------------------------------- */

char *
ngx_media_conf_note(ngx_conf_t *cf, ngx_command_t *cmd)
{
    ngx_media_conf_where_t  *where;

    if (cf->module_type != NGX_MEDIA_MODULE) {
        return NGX_CONF_OK;
    }

    where = ngx_array_push(&ngx_media_conf_main_of(cf)->where);

    if (where == NULL) {
        return NGX_CONF_ERROR;
    }

    where->conf = ((ngx_media_conf_ctx_t *) cf->ctx)->conf;
    where->name = cmd->name;
    where->file = cf->conf_file->file.name.data;
    where->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


char *
ngx_media_conf_fault(ngx_conf_t *cf, const char *names, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_media_conf_say(cf, NGX_LOG_EMERG, names, fmt, args);
    va_end(args);

    return NGX_CONF_ERROR;
}


void
ngx_media_conf_warn(ngx_conf_t *cf, const char *names, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_media_conf_say(cf, NGX_LOG_WARN, names, fmt, args);
    va_end(args);
}


static void
ngx_media_conf_say(ngx_conf_t *cf, ngx_uint_t level, const char *names,
    const char *fmt, va_list args)
{
    u_char                  *last, buf[NGX_MAX_CONF_ERRSTR];
    ngx_media_conf_where_t  *where;

    last = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);

    where = ngx_media_conf_where(ngx_media_conf_main_of(cf), names);

    if (where) {
        ngx_log_error(level, cf->log, 0, "%*s in %s:%ui",
                      (size_t) (last - buf), buf, where->file, where->line);

    } else {
        ngx_log_error(level, cf->log, 0, "%*s", (size_t) (last - buf), buf);
    }
}


/* in the block that is merged, or the ones around it; the last one of them */

static ngx_media_conf_where_t *
ngx_media_conf_where(ngx_media_main_conf_t *mcf, const char *names)
{
    void                   **conf;
    ngx_uint_t               i, depth;
    ngx_media_conf_where_t  *where;

    where = mcf->where.elts;

    for (depth = mcf->depth; depth; depth--) {
        conf = mcf->blocks[depth];

        for (i = mcf->where.nelts; i; i--) {
            if (where[i - 1].conf == conf
                && ngx_media_conf_named(&where[i - 1].name, names))
            {
                return &where[i - 1];
            }
        }
    }

    return NULL;
}


/* is name one of the words of names? */

static ngx_uint_t
ngx_media_conf_named(ngx_str_t *name, const char *names)
{
    size_t       len;
    const char  *p;

    for (p = names; *p; p += len) {

        if (*p == ' ') {
            len = 1;
            continue;
        }

        len = strcspn(p, " ");

        if (len == name->len && ngx_strncmp(p, name->data, len) == 0) {
            return 1;
        }
    }

    return 0;
}
