
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: URLs of other servers: their parts, and what of them may be shown.
 */


#include "ngx_media_relay_uri.h"

#include <string.h>


typedef struct {
    u_char              *pos;
    u_char              *end;
} ngx_media_relay_out_t;


static const u_char *ngx_media_relay_scheme(ngx_media_relay_uri_t *uri,
    const u_char *pos, const u_char *end, u_char **buf);
static int ngx_media_relay_host(ngx_media_relay_uri_t *uri,
    const u_char *pos, const u_char *end, u_char *buf);
static int ngx_media_relay_port(ngx_media_relay_uri_t *uri,
    const u_char *pos, const u_char *end);
static u_char ngx_media_relay_lower(u_char ch);
static void ngx_media_relay_put(ngx_media_relay_out_t *out, const void *p,
    size_t n);
static void ngx_media_relay_put_port(ngx_media_relay_out_t *out,
    unsigned port);
static void ngx_media_relay_put_path(ngx_media_relay_out_t *out,
    const ngx_media_url_str_t *path, const ngx_media_url_str_t *stream);
static void ngx_media_relay_put_args(ngx_media_relay_out_t *out,
    const ngx_media_url_str_t *args);
static int ngx_media_relay_harmless(const u_char *p, size_t n);


/* arguments whose values say nothing that others must not know */

static const char *const  ngx_media_relay_names[] = {
    "latency", "rcvlatency", "peerlatency", "mode", "pbkeylen", "maxbw",
    "mss", "tlpktdrop", "connect_timeout", "transtype", "payload_size",
    "pkt_size", "sndbuf", "rcvbuf", "linger", "vhost", NULL
};


int
ngx_media_relay_uri(ngx_media_relay_uri_t *uri, const u_char *pos,
    const u_char *end, u_char *buf)
{
    int            rc;
    const u_char  *p, *authority;

    memset(uri, 0, sizeof(ngx_media_relay_uri_t));

    if ((size_t) (end - pos) > NGX_MEDIA_RELAY_URI_MAX) {
        return NGX_MEDIA_RELAY_URI_LONG;
    }

    for (p = pos; p < end; p++) {
        if (*p <= 0x20 || *p >= 0x7f) {
            return NGX_MEDIA_RELAY_URI_BYTE;
        }
    }

    pos = ngx_media_relay_scheme(uri, pos, end, &buf);

    if (pos == NULL) {
        return NGX_MEDIA_RELAY_URI_SCHEME;
    }

    authority = pos;

    for (p = pos; p < end && *p != '/' && *p != '?'; p++) {
        if (*p == '@') {
            authority = p + 1;
        }
    }

    if (authority > pos) {
        uri->user.data = (u_char *) pos;
        uri->user.len = (size_t) (authority - pos) - 1;
    }

    rc = ngx_media_relay_host(uri, authority, p, buf);

    if (rc != NGX_MEDIA_RELAY_URI_OK) {
        return rc;
    }

    pos = p;

    while (p < end && *p != '?') {
        p++;
    }

    uri->path.data = (u_char *) pos;
    uri->path.len = (size_t) (p - pos);

    if (p < end) {
        p++;
    }

    uri->args.data = (u_char *) p;
    uri->args.len = (size_t) (end - p);

    return NGX_MEDIA_RELAY_URI_OK;
}


/* returns what follows "://", or NULL */

static const u_char *
ngx_media_relay_scheme(ngx_media_relay_uri_t *uri, const u_char *pos,
    const u_char *end, u_char **buf)
{
    u_char         ch;
    const u_char  *p;

    uri->scheme.data = *buf;

    for (p = pos; p < end; p++) {
        ch = ngx_media_relay_lower(*p);

        if (!((ch >= 'a' && ch <= 'z')
              || (p > pos && ((ch >= '0' && ch <= '9') || ch == '+'
                              || ch == '-' || ch == '.'))))
        {
            break;
        }

        if ((size_t) (p - pos) == NGX_MEDIA_RELAY_SCHEME_MAX) {
            return NULL;
        }

        *(*buf)++ = ch;
    }

    uri->scheme.len = (size_t) (p - pos);

    if (uri->scheme.len == 0 || (size_t) (end - p) < 3
        || memcmp(p, "://", 3) != 0)
    {
        return NULL;
    }

    return p + 3;
}


/* HOST[:PORT] */

static int
ngx_media_relay_host(ngx_media_relay_uri_t *uri, const u_char *pos,
    const u_char *end, u_char *buf)
{
    u_char         ch;
    const u_char  *p;

    if (pos < end && *pos == '[') {
        uri->ipv6 = 1;
        pos++;
    }

    uri->host.data = buf;

    for (p = pos; p < end; p++) {
        ch = ngx_media_relay_lower(*p);

        if (uri->ipv6) {
            if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f')
                  || ch == ':' || ch == '.'))
            {
                break;
            }

        } else if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z')
                     || ch == '-' || ch == '.' || ch == '_'))
        {
            break;
        }

        *buf++ = ch;
    }

    uri->host.len = (size_t) (p - pos);

    if (uri->ipv6) {

        if (uri->host.len < 2 || uri->host.len > 45 || p == end || *p != ']')
        {
            return NGX_MEDIA_RELAY_URI_ADDRESS;
        }

        p++;

    } else if (uri->host.len == 0 || uri->host.len > 253) {
        return NGX_MEDIA_RELAY_URI_HOST;
    }

    if (p == end) {
        return NGX_MEDIA_RELAY_URI_OK;
    }

    if (*p != ':') {
        return NGX_MEDIA_RELAY_URI_HOST;
    }

    return ngx_media_relay_port(uri, p + 1, end);
}


static int
ngx_media_relay_port(ngx_media_relay_uri_t *uri, const u_char *pos,
    const u_char *end)
{
    unsigned       port;
    const u_char  *p;

    port = 0;

    if (pos == end || end - pos > 5) {
        return NGX_MEDIA_RELAY_URI_PORT;
    }

    for (p = pos; p < end; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_MEDIA_RELAY_URI_PORT;
        }

        port = port * 10 + (unsigned) (*p - '0');
    }

    if (port == 0 || port > 65535) {
        return NGX_MEDIA_RELAY_URI_PORT;
    }

    uri->port = (uint16_t) port;

    return NGX_MEDIA_RELAY_URI_OK;
}


static u_char
ngx_media_relay_lower(u_char ch)
{
    return (ch >= 'A' && ch <= 'Z') ? (u_char) (ch | 0x20) : ch;
}


const char *
ngx_media_relay_uri_text(int rc)
{
    switch (rc) {

    case NGX_MEDIA_RELAY_URI_OK:
        return "ok";

    case NGX_MEDIA_RELAY_URI_LONG:
        return "it is longer than 2048 characters";

    case NGX_MEDIA_RELAY_URI_BYTE:
        return "a space, a control character or one that is not ASCII is in "
               "it";

    case NGX_MEDIA_RELAY_URI_SCHEME:
        return "it must begin with SCHEME://, such as srt://";

    case NGX_MEDIA_RELAY_URI_HOST:
        return "it has no valid host";

    case NGX_MEDIA_RELAY_URI_ADDRESS:
        return "there is no IPv6 address between \"[\" and \"]\"";

    default:
        return "it has no valid port";
    }
}


/* --- showing it --------------------------------------------------------- */

size_t
ngx_media_relay_uri_show(const ngx_media_relay_uri_t *uri,
    const ngx_media_url_str_t *stream, u_char *buf, size_t size)
{
    size_t                 n;
    ngx_media_relay_out_t  out;

    out.pos = buf;
    out.end = buf + size;

    ngx_media_relay_put(&out, uri->scheme.data, uri->scheme.len);
    ngx_media_relay_put(&out, "://", 3);

    if (uri->user.len) {

        for (n = 0; n < uri->user.len && uri->user.data[n] != ':'; n++) {
            /* void */
        }

        ngx_media_relay_put(&out, uri->user.data, n);

        if (n < uri->user.len) {
            ngx_media_relay_put(&out, ":***", 4);
        }

        ngx_media_relay_put(&out, "@", 1);
    }

    if (uri->ipv6) {
        ngx_media_relay_put(&out, "[", 1);
    }

    ngx_media_relay_put(&out, uri->host.data, uri->host.len);

    if (uri->ipv6) {
        ngx_media_relay_put(&out, "]", 1);
    }

    if (uri->port) {
        ngx_media_relay_put_port(&out, uri->port);
    }

    ngx_media_relay_put_path(&out, &uri->path, stream);
    ngx_media_relay_put_args(&out, &uri->args);

    return (size_t) (out.pos - buf);
}


static void
ngx_media_relay_put(ngx_media_relay_out_t *out, const void *p, size_t n)
{
    if (n > (size_t) (out->end - out->pos)) {
        n = (size_t) (out->end - out->pos);
    }

    if (n) {
        memcpy(out->pos, p, n);
        out->pos += n;
    }
}


static void
ngx_media_relay_put_port(ngx_media_relay_out_t *out, unsigned port)
{
    u_char  buf[6], *p;

    p = buf + sizeof(buf);

    do {
        *--p = (u_char) ('0' + port % 10);
        port /= 10;
    } while (port);

    *--p = ':';

    ngx_media_relay_put(out, p, (size_t) (buf + sizeof(buf) - p));
}


static void
ngx_media_relay_put_path(ngx_media_relay_out_t *out,
    const ngx_media_url_str_t *path, const ngx_media_url_str_t *stream)
{
    size_t  n;

    if (path->len == 0) {
        return;
    }

    for (n = path->len; n > 0 && path->data[n - 1] != '/'; n--) {
        /* void */
    }

    ngx_media_relay_put(out, path->data, n);

    if (n == path->len) {
        return;
    }

    if (path->len - n == stream->len
        && memcmp(path->data + n, stream->data, stream->len) == 0)
    {
        ngx_media_relay_put(out, stream->data, stream->len);
        return;
    }

    ngx_media_relay_put(out, "***", 3);
}


static void
ngx_media_relay_put_args(ngx_media_relay_out_t *out,
    const ngx_media_url_str_t *args)
{
    size_t         n;
    const u_char  *p, *end, *next, *value;

    p = args->data;
    end = p + args->len;

    for (n = 0; p < end; p = next, n++) {

        for (next = p; next < end && *next != '&'; next++) {
            /* void */
        }

        for (value = p; value < next && *value != '='; value++) {
            /* void */
        }

        ngx_media_relay_put(out, n ? "&" : "?", 1);

        if (value == next) {
            ngx_media_relay_put(out, "***", value > p ? 3 : 0);

        } else if (ngx_media_relay_harmless(p, (size_t) (value - p))) {
            ngx_media_relay_put(out, p, (size_t) (next - p));

        } else {
            ngx_media_relay_put(out, p, (size_t) (value - p) + 1);
            ngx_media_relay_put(out, "***", 3);
        }

        if (next < end) {
            next++;
        }
    }
}


static int
ngx_media_relay_harmless(const u_char *p, size_t n)
{
    const char *const  *name;

    for (name = ngx_media_relay_names; *name; name++) {
        if (strlen(*name) == n && memcmp(*name, p, n) == 0) {
            return 1;
        }
    }

    return 0;
}
