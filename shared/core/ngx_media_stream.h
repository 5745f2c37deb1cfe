
/*
 * Copyright (C) the nginx media suite authors
 *
 * What protocol modules (L4) in stream{} have in common: the core refers to no
 * symbol of ngx_stream, so it is here, inline.  Variables $media_*: each module
 * registers all of them, and who comes later sets the same handlers once more,
 * of its own .so.  Listeners on UDP that a module reads by itself: whose they
 * are, and connections for the phases of stream{} that nobody has accepted.
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


/*
 * What a module has in the server that a listener belongs to, its default one
 * where there are several; NULL: the listener is not of stream{}.
 */

static ngx_inline void *
ngx_media_stream_srv_conf(ngx_listening_t *ls, ngx_module_t *module)
{
    ngx_stream_port_t       *port;
    ngx_stream_in_addr_t    *addr;
    ngx_stream_conf_ctx_t   *ctx;
    ngx_stream_addr_conf_t  *addr_conf;
#if (NGX_HAVE_INET6)
    ngx_stream_in6_addr_t   *addr6;
#endif

    if (ls->handler != ngx_stream_init_connection) {
        return NULL;
    }

    port = ls->servers;

#if (NGX_HAVE_INET6)
    if (ls->sockaddr->sa_family == AF_INET6) {
        addr6 = port->addrs;
        addr_conf = &addr6[0].conf;

    } else
#endif
    {
        addr = port->addrs;
        addr_conf = &addr[0].conf;
    }

#if (nginx_version >= 1025005)
    ctx = addr_conf->default_server->ctx;
#else
    ctx = addr_conf->ctx;
#endif

    return ctx->srv_conf[module->ctx_index];
}


/* Gives back what the next one made, before anybody else has seen it. */

static ngx_inline void
ngx_media_stream_connection_free(ngx_connection_t *c)
{
    ngx_destroy_pool(c->pool);
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


/*
 * A connection of a peer that was heard on a UDP listener, for ls->handler: fd
 * stays its owner's, nginx neither reads nor closes it, and recv and send are
 * set by the caller.  local is of the listener's family, as the phases look up
 * the server by it.  All is copied; NULL: no memory, or no connection is free.
 */

static ngx_inline ngx_connection_t *
ngx_media_stream_connection(ngx_listening_t *ls, ngx_socket_t fd,
    const ngx_sockaddr_t *sa, socklen_t socklen, const ngx_sockaddr_t *local,
    socklen_t local_len)
{
    ngx_log_t         *log;
    ngx_connection_t  *c;

    c = ngx_get_connection(fd, ngx_cycle->log);

    if (c == NULL) {
        return NULL;
    }

    c->shared = 1;
    c->type = SOCK_DGRAM;
    c->pool = ngx_create_pool(ls->pool_size, ngx_cycle->log);

    if (c->pool == NULL) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        return NULL;
    }

    log = ngx_palloc(c->pool, sizeof(ngx_log_t));
    c->sockaddr = ngx_palloc(c->pool, sizeof(ngx_sockaddr_t));
    c->local_sockaddr = ngx_palloc(c->pool, sizeof(ngx_sockaddr_t));
    c->addr_text.data = ngx_pnalloc(c->pool, NGX_SOCKADDR_STRLEN);

    if (log == NULL || c->sockaddr == NULL || c->local_sockaddr == NULL
        || c->addr_text.data == NULL)
    {
        ngx_media_stream_connection_free(c);
        return NULL;
    }

    *log = ls->log;

    c->log = log;
    c->pool->log = log;
    c->read->log = log;
    c->write->log = log;
    c->write->ready = 1;

    c->listening = ls;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    c->socklen = socklen;
    ngx_memcpy(c->sockaddr, sa, socklen);

    c->local_socklen = local_len;
    ngx_memcpy(c->local_sockaddr, local, local_len);

    c->addr_text.len = ngx_sock_ntop(c->sockaddr, c->socklen,
                                     c->addr_text.data, NGX_SOCKADDR_STRLEN,
                                     0);

    return c;
}


#endif /* _NGX_MEDIA_STREAM_H_INCLUDED_ */
