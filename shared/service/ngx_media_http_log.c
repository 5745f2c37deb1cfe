
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: what lines of the error log say of a request that is a media session: as
 * nginx's own handler of requests does, but without the arguments of URLs and
 * the path of a publisher, and with the names of the session behind.
 */


#include "ngx_media_http.h"


static u_char *ngx_media_http_log_error(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);
static ngx_str_t ngx_media_http_log_uri(ngx_str_t *uri);


void
ngx_media_http_log(ngx_http_request_t *r)
{
    r->log_handler = ngx_media_http_log_error;
}


static u_char *
ngx_media_http_log_error(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len)
{
    u_char                    *p, *last;
    ngx_str_t                  uri;
    ngx_media_session_t       *s;
    ngx_http_core_srv_conf_t  *cscf;

    p = buf;
    last = buf + len;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    p = ngx_slprintf(p, last, ", server: %V", &cscf->server_name);

    p = ngx_slprintf(p, last, ", request: \"%V", &r->method_name);

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        uri = ngx_media_http_log_uri(&r->unparsed_uri);
        p = ngx_slprintf(p, last, " %V", &uri);
    }

    p = ngx_slprintf(p, last, "\"");

    if (r->headers_in.host) {
        p = ngx_slprintf(p, last, ", host: \"%V\"",
                         &r->headers_in.host->value);
    }

    if (r->headers_in.referer) {
        uri = ngx_media_http_log_uri(&r->headers_in.referer->value);
        p = ngx_slprintf(p, last, ", referrer: \"%V\"", &uri);
    }

    s = r->pool ? ngx_media_session_find(r->pool) : NULL;

    return s ? ngx_media_session_log(s, p, last - p) : p;
}


static ngx_str_t
ngx_media_http_log_uri(ngx_str_t *uri)
{
    size_t     i;
    ngx_str_t  path;

    path = *uri;

    for (i = 0; i < path.len; i++) {
        if (path.data[i] == '?') {
            path.len = i;
            break;
        }
    }

    return path;
}
