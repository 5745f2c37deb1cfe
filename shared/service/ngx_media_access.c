
/*
 * Copyright (C) the nginx media suite authors
 *
 * The guard of access rules: asked by the core about each publish and play of
 * any protocol, before hooks are.  See ngx_media_access.h.
 *
 * A protocol that connects asks about that first; the rules of what it
 * connects for are looked at then, so that who is refused raises no hook, and
 * not again when the core goes on with the publish or the play itself.
 */


#include "ngx_media_access.h"


static ngx_int_t ngx_media_access_ask(ngx_media_ask_t *ask);
static ngx_uint_t ngx_media_access_concerned(void **conf);
static ngx_int_t ngx_media_access_run(ngx_media_access_t *a);


static const ngx_media_guard_t  ngx_media_access_guard = {
    ngx_media_access_ask,
    NULL,
    ngx_media_access_concerned
};


ngx_int_t
ngx_media_access_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (ngx_media_access_rate_init() != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_media_guard_add(NGX_MEDIA_GUARD_RULES,
                               &ngx_media_access_guard);
}


static ngx_uint_t
ngx_media_access_concerned(void **conf)
{
    ngx_media_access_conf_t  *c;

    c = ngx_media_access_policy(conf);

    return c->rules || c->referers[NGX_MEDIA_ACCESS_REF_PLAY]
           || c->referers[NGX_MEDIA_ACCESS_REF_ALL]
           || c->names || c->signs || c->jwts || c->max_players
           || c->max_sessions || ngx_media_ban_any();
}


static ngx_int_t
ngx_media_access_ask(ngx_media_ask_t *ask)
{
    ngx_int_t            rc;
    ngx_media_access_t   a;

    a.ask = ask;
    a.conf = ngx_media_access_policy(ask->conf);
    a.act = ask->session ? ask->session->act : ask->act;
    a.name = ask->text[NGX_MEDIA_TEXT_STREAM];

    if (a.act == NGX_MEDIA_ACT_CONNECT
        || (ask->session && ask->session->ruled))
    {
        return NGX_OK;
    }

    rc = ngx_media_access_run(&a);

    if (rc == NGX_OK && ask->session) {
        ask->session->ruled = 1;
    }

    return rc;
}


static ngx_int_t
ngx_media_access_run(ngx_media_access_t *a)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    static ngx_int_t (*const  checks[])(ngx_media_access_t *) = {
        ngx_media_access_name,
        ngx_media_access_banned,
        ngx_media_access_rules,
        ngx_media_access_referers,
        ngx_media_access_secret,
        ngx_media_access_sign,
        ngx_media_access_jwt,
        ngx_media_access_limits
    };

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        rc = checks[i](a);

        if (rc == NGX_DECLINED
            && a->ask->reason == NGX_MEDIA_REASON_NONE)
        {
            a->ask->reason = NGX_MEDIA_REASON_DENIED;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


const char *
ngx_media_access_act(ngx_uint_t act)
{
    return (act == NGX_MEDIA_ACT_PUBLISH) ? "publish" : "play";
}


ngx_int_t
ngx_media_access_arg(ngx_media_access_t *a, ngx_str_t *name, ngx_str_t *value)
{
    ssize_t              n;
    ngx_str_t           *text;
    ngx_media_url_str_t  args, found;

    text = &a->ask->text[NGX_MEDIA_TEXT_ARGS];

    args.data = text->data;
    args.len = text->len;

    if (!ngx_media_arg(&args, (char *) name->data, &found)
        || found.len == 0)
    {
        return NGX_DECLINED;
    }

    value->data = ngx_pnalloc(a->ask->pool, found.len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_media_url_decode(value->data, found.data, found.len, 0);

    if (n <= 0) {
        return NGX_DECLINED;
    }

    value->len = (size_t) n;

    return NGX_OK;
}


ngx_uint_t
ngx_media_access_addr(struct sockaddr *sa, u_char *addr)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        ngx_memcpy(addr, &sin->sin_addr, 4);
        return 4;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            ngx_memcpy(addr, &sin6->sin6_addr.s6_addr[12], 4);
            return 4;
        }

        /* a client has all of its /64 */

        ngx_memcpy(addr, &sin6->sin6_addr, 8);
        return 8;
#endif

    default:
        return 0;
    }
}
