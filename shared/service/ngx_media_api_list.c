
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: what the lists of the API have in common: paging, ids of vhosts, URLs,
 * rates.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"


#define NGX_MEDIA_API_COUNT       10
#define NGX_MEDIA_API_COUNT_MAX   10000


static ngx_int_t ngx_media_api_arg_int(ngx_http_request_t *r,
    const char *name, ngx_int_t value);
static ngx_uint_t ngx_media_api_is_default(ngx_str_t *vhost);


ngx_media_api_page_t
ngx_media_api_page(ngx_http_request_t *r)
{
    ngx_int_t             n;
    ngx_media_api_page_t  page;

    n = ngx_media_api_arg_int(r, "start", 0);
    page.start = ngx_max(n, 0);

    n = ngx_media_api_arg_int(r, "count", NGX_MEDIA_API_COUNT);
    n = ngx_max(n, 1);
    page.count = ngx_min(n, NGX_MEDIA_API_COUNT_MAX);

    return page;
}


/* a number of the query, negative ones become -1; value where it is none */

static ngx_int_t
ngx_media_api_arg_int(ngx_http_request_t *r, const char *name,
    ngx_int_t value)
{
    ngx_int_t   n;
    ngx_str_t   arg;
    ngx_uint_t  minus;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &arg) != NGX_OK) {
        return value;
    }

    minus = (arg.len && arg.data[0] == '-');

    n = ngx_atoi(arg.data + minus, arg.len - minus);

    if (n == NGX_ERROR) {
        return value;
    }

    return minus ? -1 : n;
}


/* "vid-" and 7 digits of base 36: the same in all workers and for ever */

void
ngx_media_api_vhost_id(u_char *id, ngx_str_t *name)
{
    size_t    i;
    uint64_t  hash;

    static const char  digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

    /* FNV-1a */

    hash = 0xcbf29ce484222325ULL;

    for (i = 0; i < name->len; i++) {
        hash = (hash ^ name->data[i]) * 0x100000001b3ULL;
    }

    hash ^= hash >> 29;

    ngx_memcpy(id, "vid-", 4);

    for (i = 4; i < 11; i++) {
        id[i] = digits[hash % 36];
        hash /= 36;
    }

    id[11] = '\0';
}


static ngx_uint_t
ngx_media_api_is_default(ngx_str_t *vhost)
{
    static const ngx_str_t  name = ngx_string(NGX_MEDIA_DEFAULT_VHOST);

    return vhost->len == 0
           || (vhost->len == name.len
               && ngx_strncmp(vhost->data, name.data, name.len) == 0);
}


void
ngx_media_api_kbps(ngx_media_json_t *j, uint64_t recv, uint64_t send)
{
    ngx_media_json_key_object(j, "kbps");
    ngx_media_json_key_int(j, "recv_30s", recv);
    ngx_media_json_key_int(j, "send_30s", send);
    ngx_media_json_object_end(j);
}


/* /APP/STREAM, behind the vhost unless it is the default one */

void
ngx_media_api_url(ngx_media_json_t *j, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream)
{
    u_char  text[3 * NGX_MEDIA_NAME_LEN + 2], *p, *last;

    static ngx_str_t  none = ngx_string("");

    if (ngx_media_api_is_default(vhost)) {
        vhost = &none;
    }

    last = text + sizeof(text);
    p = ngx_slprintf(text, last, "%V/%V/%V", vhost, app, stream);

    ngx_media_json_key(j, "url");
    ngx_media_json_str(j, text, p - text);
}


/* without user, password and query: everybody may read this */

void
ngx_media_api_tcurl(ngx_media_json_t *j, ngx_str_t *url)
{
    u_char     text[NGX_MEDIA_TEXT_LEN], *p, *at, *end, *host;
    ngx_str_t  scheme;

    end = url->data + url->len;

    p = ngx_strlchr(url->data, end, '?');
    end = p ? p : end;

    ngx_media_json_key(j, "tcUrl");

    host = ngx_strlcasestrn(url->data, end, (u_char *) "://", 3 - 1);

    if (host == NULL) {
        ngx_media_json_str(j, url->data, end - url->data);
        return;
    }

    host += 3;

    scheme.data = url->data;
    scheme.len = host - url->data;

    for (at = NULL, p = host; p < end && *p != '/'; p++) {
        at = (*p == '@') ? p : at;
    }

    host = at ? at + 1 : host;

    p = ngx_slprintf(text, text + sizeof(text), "%V%*s", &scheme,
                     (size_t) (end - host), host);

    ngx_media_json_str(j, text, p - text);
}
