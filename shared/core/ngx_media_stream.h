
/*
 * Copyright (C) the nginx media suite authors
 *
 * The variables $media_* in stream{}, for protocol modules (L4) that stand
 * there: the core refers to no symbol of ngx_stream, so what they have in
 * common is here, inline.  Each of them registers all variables, and who comes
 * later sets the same handlers once more, of its own .so.
 *
 * Strings of values lie in the arena or in the session's pool.
 */


#ifndef _NGX_MEDIA_STREAM_H_INCLUDED_
#define _NGX_MEDIA_STREAM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_media.h"


static ngx_inline ngx_int_t
ngx_media_stream_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    const ngx_media_variable_t  *mv = (const ngx_media_variable_t *) data;

    ngx_str_t  arg;

    ngx_str_null(&arg);

    return mv->get(ngx_media_session_find(s->connection->pool), mv->which,
                   &arg, v);
}


/* data is the whole name: the table has the prefix */

static ngx_inline ngx_int_t
ngx_media_stream_prefix_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  *name = (ngx_str_t *) data;

    size_t                       len;
    ngx_str_t                    arg;
    ngx_uint_t                   i;
    const ngx_media_variable_t  *mv;

    for (i = 0; ngx_media_variables[i].name.len; i++) {
        mv = &ngx_media_variables[i];
        len = mv->name.len;

        if (mv->name.data[len - 1] != '_'
            || name->len < len
            || ngx_strncmp(name->data, mv->name.data, len) != 0)
        {
            continue;
        }

        arg.len = name->len - len;
        arg.data = name->data + len;

        return mv->get(ngx_media_session_find(s->connection->pool),
                       mv->which, &arg, v);
    }

    v->not_found = 1;

    return NGX_OK;
}


/* for preconfiguration; NGX_OK or NGX_ERROR */

static ngx_inline ngx_int_t
ngx_media_stream_add_variables(ngx_conf_t *cf)
{
    ngx_str_t                    name;
    ngx_uint_t                   i, prefix;
    ngx_stream_variable_t       *var;
    const ngx_media_variable_t  *mv;

    for (i = 0; ngx_media_variables[i].name.len; i++) {
        mv = &ngx_media_variables[i];
        name = mv->name;
        prefix = (name.data[name.len - 1] == '_');

        /* changeable: another protocol of the suite adds the same ones */

        var = ngx_stream_add_variable(cf, &name,
                                      NGX_STREAM_VAR_CHANGEABLE
                                      |NGX_STREAM_VAR_NOCACHEABLE
                                      |(prefix ? NGX_STREAM_VAR_PREFIX : 0));
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = prefix ? ngx_media_stream_prefix_variable
                                  : ngx_media_stream_variable;
        var->data = (uintptr_t) mv;
    }

    return NGX_OK;
}


#endif /* _NGX_MEDIA_STREAM_H_INCLUDED_ */
