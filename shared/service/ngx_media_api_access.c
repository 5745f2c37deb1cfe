
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: who may change something through the API.  A page of another origin
 * can make a browser send any GET, so JSONP never changes anything; what
 * else it sends carries Origin (RFC 6454) or Sec-Fetch-Site.  Without
 * `media_api write` only peers on this machine may, which speak for nobody
 * else (a proxy says so).
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_api.h"


#define NGX_MEDIA_API_CALLBACK    64


static ngx_uint_t ngx_media_api_same_origin(ngx_http_request_t *r,
    ngx_str_t *origin);
static ngx_uint_t ngx_media_api_is_local_name(ngx_str_t *origin);
static ngx_uint_t ngx_media_api_is_local(ngx_http_request_t *r);


ngx_int_t
ngx_media_api_callback(ngx_http_request_t *r, ngx_str_t *callback)
{
    u_char   ch;
    size_t   i;

    if (ngx_http_arg(r, (u_char *) "callback", 8, callback) != NGX_OK) {
        ngx_str_null(callback);
        return NGX_OK;
    }

    if (callback->len > NGX_MEDIA_API_CALLBACK) {
        return NGX_DECLINED;
    }

    for (i = 0; i < callback->len; i++) {
        ch = callback->data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9') || ch == '_' || ch == '.'
            || ch == '$')
        {
            continue;
        }

        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_media_api_may_change(ngx_http_request_t *r, ngx_uint_t write)
{
    ngx_str_t  *origin, *site;

    origin = ngx_media_api_find_header(r, "origin");
    site = ngx_media_api_find_header(r, "sec-fetch-site");

    if (origin && !ngx_media_api_same_origin(r, origin)) {
        return 0;
    }

    if (site
        && !(site->len == 11 && ngx_strncmp(site->data, "same-origin", 11) == 0)
        && !(site->len == 4 && ngx_strncmp(site->data, "none", 4) == 0))
    {
        return 0;
    }

    if (write) {
        return 1;
    }

    /*
     * A page may have rebound its own name to loopback, but an address or
     * "localhost" it can not.
     */

    if (origin && !ngx_media_api_is_local_name(origin)) {
        return 0;
    }

    return ngx_media_api_is_local(r);
}


/* Origin: SCHEME "://" HOST [ ":" PORT ], against Host (RFC 6454) */

static ngx_uint_t
ngx_media_api_same_origin(ngx_http_request_t *r, ngx_str_t *origin)
{
    u_char     *p, *end;
    ngx_str_t  *host;

    if (r->headers_in.host == NULL) {
        return 0;
    }

    host = &r->headers_in.host->value;
    end = origin->data + origin->len;
    p = ngx_strlcasestrn(origin->data, end, (u_char *) "://", 3 - 1);

    if (p == NULL) {
        return 0;
    }

    p += 3;

    return (size_t) (end - p) == host->len
           && ngx_strncasecmp(p, host->data, host->len) == 0;
}


static ngx_uint_t
ngx_media_api_is_local_name(ngx_str_t *origin)
{
    size_t      n;
    u_char     *p, *end;
    ngx_str_t   name;

    end = origin->data + origin->len;
    p = ngx_strlcasestrn(origin->data, end, (u_char *) "://", 3 - 1);

    if (p == NULL) {
        return 0;
    }

    name.data = p + 3;
    name.len = end - name.data;

    if (name.len && name.data[0] == '[') {
        return 1;
    }

    for (n = 0; n < name.len && name.data[n] != ':'; n++) { /* void */ }

    if (n == 9 && ngx_strncasecmp(name.data, (u_char *) "localhost", 9) == 0) {
        return 1;
    }

    return ngx_inet_addr(name.data, n) != INADDR_NONE;
}


/* the peer is on this machine and speaks for nobody else */

static ngx_uint_t
ngx_media_api_is_local(ngx_http_request_t *r)
{
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    if (ngx_media_api_find_header(r, "x-forwarded-for")
        || ngx_media_api_find_header(r, "x-real-ip")
        || ngx_media_api_find_header(r, "forwarded"))
    {
        return 0;
    }

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            return sin6->sin6_addr.s6_addr[12] == 127;
        }

        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr) ? 1 : 0;

    case AF_UNIX:
        return 1;

    default:
        return 0;
    }
}


ngx_str_t *
ngx_media_api_find_header(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
            {
                return &h[i].value;
            }
        }
    }

    return NULL;
}
