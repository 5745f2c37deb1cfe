
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: URLs and names, see the header for the rules and ownership.
 *
 * All ways in (RTMP connect and play, full URL, HTTP request) end in one
 * build function: app path, name, two sets of arguments and a host become the
 * result, written piece by piece into the caller's scratch buffer.
 *
 * RFC 3986, section 3 (shape of a URL) and 2.1 (percent-encoding).
 */


#include "ngx_media_bytes.h"
#include "ngx_media_rtmp.h"
#include "ngx_media_url.h"


#define NGX_MEDIA_URL_VHOST_MARK  "...vhost..."


/* scratch buffer, written from front to back */

typedef struct {
    u_char                *pos;
    u_char                *end;
    int                    full;
} ngx_media_url_out_t;


/* a path and what followed it */

typedef struct {
    ngx_media_url_str_t    path;
    ngx_media_url_str_t    args;
    int                    vhost;    /* args lack "vhost=" at their start */
} ngx_media_url_part_t;


/* what the build function gets */

typedef struct {
    ngx_media_url_part_t   app;
    ngx_media_url_part_t   name;
    int                    decode;   /* vhost argument is percent-encoded */
} ngx_media_url_parts_t;


static ngx_media_url_str_t
ngx_media_url_span(const u_char *from, const u_char *to)
{
    ngx_media_url_str_t  s;

    s.data = (u_char *) from;
    s.len = (size_t) (to - from);

    return s;
}


static int
ngx_media_url_eq(const ngx_media_url_str_t *a, const char *b)
{
    size_t  n;

    n = strlen(b);

    return a->len == n && memcmp(a->data, b, n) == 0;
}


static void
ngx_media_url_put(ngx_media_url_out_t *out, const void *data, size_t n)
{
    if ((size_t) (out->end - out->pos) < n) {
        out->full = 1;
        return;
    }

    out->pos = ngx_media_put(out->pos, data, n);
}


static ngx_media_url_str_t
ngx_media_url_copy(ngx_media_url_out_t *out, const u_char *from,
    const u_char *to)
{
    u_char  *start;

    start = out->pos;
    ngx_media_url_put(out, from, (size_t) (to - from));

    return ngx_media_url_span(start, out->pos);
}


static ngx_media_url_str_t
ngx_media_url_copy_text(ngx_media_url_out_t *out, const char *text)
{
    return ngx_media_url_copy(out, (const u_char *) text,
                              (const u_char *) text + strlen(text));
}


static void
ngx_media_url_lower(ngx_media_url_str_t *s)
{
    u_char  *p;

    for (p = s->data; p < s->data + s->len; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            *p |= 0x20;
        }
    }
}


static ngx_media_url_str_t
ngx_media_url_copy_lower(ngx_media_url_out_t *out, const u_char *from,
    const u_char *to)
{
    ngx_media_url_str_t  s;

    s = ngx_media_url_copy(out, from, to);
    ngx_media_url_lower(&s);

    return s;
}


static const u_char *
ngx_media_url_find(const u_char *p, const u_char *end, u_char c)
{
    const u_char  *q;

    q = (p < end) ? memchr(p, c, (size_t) (end - p)) : NULL;

    return q ? q : end;
}


static const u_char *
ngx_media_url_rfind(const u_char *p, const u_char *end, u_char c)
{
    const u_char  *q;

    for (q = end; q > p; q--) {
        if (q[-1] == c) {
            return q - 1;
        }
    }

    return NULL;
}


/* cuts at the first "?", "#" or "...vhost..." */

static ngx_media_url_part_t
ngx_media_url_split(const u_char *p, const u_char *end)
{
    size_t                 n;
    const u_char          *q;
    ngx_media_url_part_t   part;

    n = sizeof(NGX_MEDIA_URL_VHOST_MARK) - 1;

    part.vhost = 0;
    part.args = ngx_media_url_span(end, end);

    for (q = p; q < end; q++) {

        if (*q == '?' || *q == '#') {
            part.args = ngx_media_url_span(q + 1, end);
            break;
        }

        if (*q == '.' && (size_t) (end - q) >= n
            && memcmp(q, NGX_MEDIA_URL_VHOST_MARK, n) == 0)
        {
            while (end > q + n && end[-1] == '/') {
                end--;
            }

            part.vhost = 1;
            part.args = ngx_media_url_span(q + n, end);
            break;
        }
    }

    part.path = ngx_media_url_span(p, q);

    return part;
}


/* host[:port], [ipv6][:port] or a bare IPv6 address */

static int
ngx_media_url_host(ngx_media_url_t *u, ngx_media_url_out_t *out,
    const u_char *p, const u_char *end)
{
    uint32_t       port;
    const u_char  *q;

    if (p < end && *p == '[') {
        q = ngx_media_url_find(++p, end, ']');

        if (q == end) {
            return NGX_MEDIA_URL_EHOST;
        }

        u->ipv6 = 1;
        u->host = ngx_media_url_copy_lower(out, p, q++);

        if (q < end && *q != ':') {
            return NGX_MEDIA_URL_EHOST;
        }

    } else {
        q = ngx_media_url_find(p, end, ':');

        if (q < end && ngx_media_url_find(q + 1, end, ':') < end) {
            u->ipv6 = 1;
            q = end;
        }

        u->host = ngx_media_url_copy_lower(out, p, q);
    }

    if ((size_t) (end - q) < 2) {
        return NGX_MEDIA_URL_OK;
    }

    port = 0;

    while (++q < end) {

        if (*q < '0' || *q > '9') {
            return NGX_MEDIA_URL_EPORT;
        }

        port = port * 10 + (*q - '0');

        if (port > 65535) {
            return NGX_MEDIA_URL_EPORT;
        }
    }

    if (port == 0) {
        return NGX_MEDIA_URL_EPORT;
    }

    u->port = (uint16_t) port;

    return NGX_MEDIA_URL_OK;
}


static uint16_t
ngx_media_url_schema_port(const ngx_media_url_str_t *schema)
{
    static const struct {
        const char  *name;
        uint16_t     port;
    } ports[] = {
        { "rtmp",   NGX_MEDIA_RTMP_PORT },
        { "rtmpt",  80 },
        { "rtmps",  NGX_MEDIA_RTMPS_PORT },
        { "http",   80 },
        { "https",  443 },
        { "ws",     80 },
        { "wss",    443 },
        { "rtsp",   554 },
        { "srt",    10080 },
    };

    size_t  i;

    for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (ngx_media_url_eq(schema, ports[i].name)) {
            return ports[i].port;
        }
    }

    return 0;
}


/*
 * schema, user, host and port; *rest is what follows the slash after them.
 * A missing schema is rtmp.
 */

static int
ngx_media_url_authority(ngx_media_url_t *u, ngx_media_url_out_t *out,
    const ngx_media_url_str_t *url, ngx_media_url_str_t *rest)
{
    int            rc;
    const u_char  *p, *q, *at, *end;

    p = url->data;
    end = p + url->len;

    *rest = ngx_media_url_span(end, end);

    q = ngx_media_url_find(p, end, ':');

    if ((size_t) (end - q) >= 3 && q[1] == '/' && q[2] == '/') {
        u->schema = ngx_media_url_copy_lower(out, p, q);
        p = q + 3;

    } else {
        u->schema = ngx_media_url_copy_text(out, "rtmp");
    }

    u->port = ngx_media_url_schema_port(&u->schema);

    for (q = p; q < end && *q != '/' && *q != '?' && *q != '#'; q++) {
        /* void */
    }

    at = ngx_media_url_rfind(p, q, '@');

    if (at) {
        u->user = ngx_media_url_copy(out, p, at);
        p = at + 1;
    }

    rc = ngx_media_url_host(u, out, p, q);

    if (q < end && *q == '/') {
        q++;
    }

    *rest = ngx_media_url_span(q, end);

    return rc;
}


/* adds the levels of a path to the app, which is at the end of out */

static void
ngx_media_url_levels(ngx_media_url_out_t *out, ngx_media_url_str_t *app,
    const u_char *p, const u_char *end)
{
    const u_char         *q;
    ngx_media_url_str_t   level;

    for ( ;; ) {
        q = ngx_media_url_find(p, end, '/');
        level = ngx_media_url_span(p, q);

        if (!ngx_media_url_eq(&level, "_definst_")) {

            if (app->len) {
                ngx_media_url_put(out, "/", 1);
            }

            ngx_media_url_put(out, p, level.len);
            app->len = (size_t) (out->pos - app->data);
        }

        if (q == end) {
            return;
        }

        p = q + 1;
    }
}


/* the app part without slashes at its ends, then the directory of the name */

static void
ngx_media_url_path(ngx_media_url_t *u, ngx_media_url_out_t *out,
    const ngx_media_url_parts_t *parts)
{
    const u_char  *p, *end, *slash;

    u->app = ngx_media_url_span(out->pos, out->pos);

    p = parts->app.path.data;
    end = p + parts->app.path.len;

    while (p < end && *p == '/') {
        p++;
    }

    while (end > p && end[-1] == '/') {
        end--;
    }

    if (p < end) {
        ngx_media_url_levels(out, &u->app, p, end);
    }

    p = parts->name.path.data;
    end = p + parts->name.path.len;

    if (p < end && *p == '/') {
        p++;
    }

    slash = ngx_media_url_rfind(p, end, '/');

    if (slash) {
        ngx_media_url_levels(out, &u->app, p, slash);
        p = slash + 1;
    }

    if (u->app.len == 0) {
        u->app = ngx_media_url_copy_text(out, NGX_MEDIA_DEFAULT_APP);
    }

    u->stream = ngx_media_url_copy(out, p, end);
}


/* adds one set of arguments */

static void
ngx_media_url_add_args(ngx_media_url_out_t *out, ngx_media_url_str_t *args,
    const ngx_media_url_part_t *part)
{
    u_char         c;
    const u_char  *p, *end;

    if (part->args.len == 0) {
        return;
    }

    if (args->len) {
        ngx_media_url_put(out, "&", 1);
    }

    p = part->args.data;
    end = p + part->args.len;

    if (part->vhost) {
        ngx_media_url_put(out, "vhost=", 6);

        /* what stood behind the name of the vhost */

        for ( /* void */ ; p < end; p++) {
            c = *p;

            if (c == '?' || c == '#') {
                ngx_media_url_put(out, "&", 1);
                p++;
                break;
            }

            ngx_media_url_put(out, &c, 1);
        }
    }

    ngx_media_url_put(out, p, (size_t) (end - p));

    args->len = (size_t) (out->pos - args->data);
}


/* dotted quad */

static int
ngx_media_url_is_ipv4(const ngx_media_url_str_t *host)
{
    unsigned       dots, digits, value;
    const u_char  *p, *end;

    dots = 0;
    digits = 0;
    value = 0;

    end = host->data + host->len;

    for (p = host->data; p < end; p++) {

        if (*p == '.') {
            if (digits == 0) {
                return 0;
            }

            dots++;
            digits = 0;
            value = 0;
            continue;
        }

        if (*p < '0' || *p > '9') {
            return 0;
        }

        value = value * 10 + (*p - '0');
        digits++;

        if (digits > 3 || value > 255) {
            return 0;
        }
    }

    return dots == 3 && digits != 0;
}


static int
ngx_media_url_vhost(ngx_media_url_t *u, ngx_media_url_out_t *out, int decode)
{
    ssize_t              n;
    ngx_media_url_str_t  value, lone;

    if (!ngx_media_arg(&u->args, "vhost", &value) || value.len == 0) {
        (void) ngx_media_arg(&u->args, "domain", &value);
    }

    if (value.len) {
        lone = value;

        value = ngx_media_url_copy(out, lone.data, lone.data + lone.len);

        if (decode) {
            n = ngx_media_url_decode(value.data, value.data, value.len, 1);

            if (n < 0) {
                return NGX_MEDIA_URL_EESCAPE;
            }

            value.len = (size_t) n;
        }

        if (!ngx_media_url_eq(&value, NGX_MEDIA_DEFAULT_VHOST)) {
            ngx_media_url_lower(&value);
            u->vhost = value;
            return NGX_MEDIA_URL_OK;
        }

        /* says nothing: dropped where it is the only argument */

        if (lone.data - u->args.data <= 7
            && lone.data + lone.len == u->args.data + u->args.len)
        {
            u->args.len = 0;
        }
    }

    if (u->host.len == 0 || u->ipv6 || ngx_media_url_is_ipv4(&u->host)) {
        u->vhost = ngx_media_url_copy_text(out, NGX_MEDIA_DEFAULT_VHOST);
        return NGX_MEDIA_URL_OK;
    }

    u->vhost = u->host;

    return NGX_MEDIA_URL_OK;
}


static int
ngx_media_url_build(ngx_media_url_t *u, ngx_media_url_out_t *out,
    const ngx_media_url_parts_t *parts)
{
    int  rc;

    ngx_media_url_path(u, out, parts);

    u->args = ngx_media_url_span(out->pos, out->pos);

    ngx_media_url_add_args(out, &u->args, &parts->name);
    ngx_media_url_add_args(out, &u->args, &parts->app);

    if (out->full) {
        return NGX_MEDIA_URL_EBUF;
    }

    rc = ngx_media_url_vhost(u, out, parts->decode);

    return out->full ? NGX_MEDIA_URL_EBUF : rc;
}


static void
ngx_media_url_init(ngx_media_url_t *u, ngx_media_url_out_t *out, u_char *buf,
    size_t size)
{
    ngx_media_url_str_t  empty;

    out->pos = buf;
    out->end = buf + size;
    out->full = 0;

    empty = ngx_media_url_span(buf, buf);

    u->schema = empty;
    u->user = empty;
    u->host = empty;
    u->vhost = empty;
    u->app = empty;
    u->stream = empty;
    u->ext = empty;
    u->args = empty;
    u->port = 0;
    u->ipv6 = 0;
}


/* an empty span may come without memory */

static ngx_media_url_str_t
ngx_media_url_input(const ngx_media_url_str_t *s)
{
    static const u_char  empty[1];

    if (s == NULL || s->len == 0 || s->data == NULL) {
        return ngx_media_url_span(empty, empty);
    }

    return *s;
}


/* the name without the prefix of a Flash file name */

static ngx_media_url_str_t
ngx_media_url_strip(ngx_media_url_str_t name)
{
    if (name.len > 4
        && (memcmp(name.data, "mp4:", 4) == 0
            || memcmp(name.data, "flv:", 4) == 0))
    {
        name.data += 4;
        name.len -= 4;
    }

    return name;
}


int
ngx_media_url_rtmp(ngx_media_url_t *u, const ngx_media_url_str_t *tcurl,
    const ngx_media_url_str_t *app, const ngx_media_url_str_t *name,
    u_char *buf, size_t size)
{
    int                    rc;
    ngx_media_url_out_t    out;
    ngx_media_url_str_t    in, rest;
    ngx_media_url_part_t   tc;
    ngx_media_url_parts_t  parts;

    ngx_media_url_init(u, &out, buf, size);

    in = ngx_media_url_input(tcurl);

    rc = ngx_media_url_authority(u, &out, &in, &rest);
    if (rc != NGX_MEDIA_URL_OK) {
        return out.full ? NGX_MEDIA_URL_EBUF : rc;
    }

    tc = ngx_media_url_split(rest.data, rest.data + rest.len);

    in = ngx_media_url_input(app);
    parts.app = ngx_media_url_split(in.data, in.data + in.len);

    if (parts.app.path.len == 0) {
        parts.app.path = tc.path;
    }

    if (parts.app.args.len == 0) {
        parts.app.args = tc.args;
        parts.app.vhost = tc.vhost;
    }

    in = ngx_media_url_strip(ngx_media_url_input(name));
    parts.name = ngx_media_url_split(in.data, in.data + in.len);
    parts.decode = 0;

    return ngx_media_url_build(u, &out, &parts);
}


int
ngx_media_url_full(ngx_media_url_t *u, const ngx_media_url_str_t *url,
    u_char *buf, size_t size)
{
    int                     rc;
    const u_char           *p, *end, *last, *slash;
    ngx_media_url_out_t     out;
    ngx_media_url_str_t     in, rest;
    ngx_media_url_parts_t   parts;

    ngx_media_url_init(u, &out, buf, size);

    in = ngx_media_url_input(url);
    end = in.data + in.len;

    p = ngx_media_url_find(in.data, end, ':');

    if (p == in.data || (size_t) (end - p) < 3 || p[1] != '/' || p[2] != '/') {
        return NGX_MEDIA_URL_ESCHEMA;
    }

    rc = ngx_media_url_authority(u, &out, &in, &rest);
    if (rc != NGX_MEDIA_URL_OK) {
        return out.full ? NGX_MEDIA_URL_EBUF : rc;
    }

    if (u->host.len == 0) {
        return out.full ? NGX_MEDIA_URL_EBUF : NGX_MEDIA_URL_EHOST;
    }

    parts.app = ngx_media_url_split(rest.data, rest.data + rest.len);
    parts.decode = 0;

    /* the stream is the last level of the path, unless that has only one */

    end = parts.app.path.data + parts.app.path.len;
    slash = ngx_media_url_rfind(parts.app.path.data, end, '/');

    p = parts.app.args.data;
    last = ngx_media_url_rfind(p, p + parts.app.args.len, '/');

    if (last && (slash == NULL || parts.app.vhost)) {
        in = ngx_media_url_span(last + 1, p + parts.app.args.len);
        in = ngx_media_url_strip(in);

        parts.name = ngx_media_url_split(in.data, in.data + in.len);
        parts.app.args = ngx_media_url_span(p, last);

        return ngx_media_url_build(u, &out, &parts);
    }

    parts.name = parts.app;

    if (slash) {
        parts.name.path = ngx_media_url_span(slash + 1, end);
        parts.app.path = ngx_media_url_span(parts.app.path.data, slash);

    } else {
        parts.app.path.len = 0;
    }

    parts.name.path = ngx_media_url_strip(parts.name.path);
    parts.app.args.len = 0;

    return ngx_media_url_build(u, &out, &parts);
}


int
ngx_media_url_http(ngx_media_url_t *u, const ngx_media_url_str_t *path,
    const ngx_media_url_str_t *query, const ngx_media_url_str_t *host,
    unsigned flags, u_char *buf, size_t size)
{
    int                     rc;
    ssize_t                 n;
    const char             *schema;
    const u_char           *dot;
    ngx_media_url_out_t     out;
    ngx_media_url_str_t     in;
    ngx_media_url_parts_t   parts;

    ngx_media_url_init(u, &out, buf, size);

    schema = (flags & NGX_MEDIA_URL_SSL) ? "https" : "http";
    u->schema = ngx_media_url_copy_text(&out, schema);
    u->port = (flags & NGX_MEDIA_URL_SSL) ? 443 : 80;

    in = ngx_media_url_input(host);

    rc = ngx_media_url_host(u, &out, in.data, in.data + in.len);
    if (rc != NGX_MEDIA_URL_OK) {
        return out.full ? NGX_MEDIA_URL_EBUF : rc;
    }

    in = ngx_media_url_input(path);

    if (!(flags & NGX_MEDIA_URL_DECODED)) {
        in = ngx_media_url_copy(&out, in.data, in.data + in.len);

        n = ngx_media_url_decode(in.data, in.data, in.len, 0);
        if (n < 0) {
            return NGX_MEDIA_URL_EESCAPE;
        }

        in.len = (size_t) n;
    }

    memset(&parts, 0, sizeof(ngx_media_url_parts_t));

    parts.app.path = ngx_media_url_span(in.data, in.data);
    parts.name.path = in;
    parts.name.args = ngx_media_url_input(query);
    parts.decode = 1;

    rc = ngx_media_url_build(u, &out, &parts);
    if (rc != NGX_MEDIA_URL_OK) {
        return rc;
    }

    dot = ngx_media_url_rfind(u->stream.data, u->stream.data + u->stream.len,
                              '.');

    if (dot) {
        u->ext = ngx_media_url_span(dot + 1, u->stream.data + u->stream.len);
        u->stream.len = (size_t) (dot - u->stream.data);
    }

    return NGX_MEDIA_URL_OK;
}


const char *
ngx_media_url_text(int rc)
{
    switch (rc) {

    case NGX_MEDIA_URL_OK:
        return "URL is fine";

    case NGX_MEDIA_URL_EBUF:
        return "URL is too long";

    case NGX_MEDIA_URL_EPORT:
        return "invalid port in URL";

    case NGX_MEDIA_URL_EHOST:
        return "invalid host in URL";

    case NGX_MEDIA_URL_EESCAPE:
        return "invalid percent-encoding in URL";

    case NGX_MEDIA_URL_ESCHEMA:
        return "URL has no schema";

    default:
        return "unknown URL result";
    }
}
