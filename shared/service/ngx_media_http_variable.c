
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the variables of the core's table in http{}.  The session is the one
 * whose life is bound to the pool of the request (a live player or an HTTP
 * publisher); requests without one have no value.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media.h"
#include "ngx_media_http_variable.h"


static ngx_int_t ngx_media_http_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_media_http_variable_prefix(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


ngx_int_t
ngx_media_http_add_variables(ngx_conf_t *cf)
{
    ngx_str_t                    name;
    ngx_uint_t                   flags, prefix;
    ngx_http_variable_t         *var;
    const ngx_media_variable_t  *mv;

    for (mv = ngx_media_variables; mv->name.len; mv++) {

        name = mv->name;
        prefix = (name.data[name.len - 1] == '_');
        flags = NGX_HTTP_VAR_NOCACHEABLE | (prefix ? NGX_HTTP_VAR_PREFIX : 0);

        var = ngx_http_add_variable(cf, &name, flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = prefix ? ngx_media_http_variable_prefix
                                  : ngx_media_http_variable;
        var->data = (uintptr_t) mv;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_http_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    const ngx_media_variable_t  *mv = (const ngx_media_variable_t *) data;

    return mv->get(ngx_media_session_find(r->pool), mv->which, NULL, v);
}


/* nginx hands the whole name that the configuration has written */

static ngx_int_t
ngx_media_http_variable_prefix(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *name = (ngx_str_t *) data;

    ngx_str_t                    arg;
    const ngx_media_variable_t  *mv;

    for (mv = ngx_media_variables; mv->name.len; mv++) {

        if (mv->name.data[mv->name.len - 1] != '_'
            || name->len <= mv->name.len
            || ngx_strncmp(name->data, mv->name.data, mv->name.len) != 0)
        {
            continue;
        }

        arg.data = name->data + mv->name.len;
        arg.len = name->len - mv->name.len;

        return mv->get(ngx_media_session_find(r->pool), mv->which, &arg, v);
    }

    v->not_found = 1;

    return NGX_OK;
}
