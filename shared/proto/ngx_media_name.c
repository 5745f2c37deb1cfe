
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: look-up of one argument, percent-decoding and the check that every name
 * passes before it becomes a map key, a file name or a log text; declared in
 * ngx_media_url.h.  Works on spans of the caller, keeps nothing.
 *
 * RFC 3986, section 2.1 (percent-encoding).
 */


#include "ngx_media_bytes.h"
#include "ngx_media_url.h"


static int
ngx_media_url_is_separator(u_char c)
{
    return c == '&' || c == ',' || c == ';' || c == '?' || c == '#';
}


int
ngx_media_arg(const ngx_media_url_str_t *args, const char *name,
    ngx_media_url_str_t *value)
{
    size_t         n;
    const u_char  *p, *q, *end;

    value->data = args->data;
    value->len = 0;

    if (args->len == 0) {
        return 0;
    }

    n = strlen(name);
    end = args->data + args->len;

    for (p = args->data; p < end; p = q + 1) {

        for (q = p; q < end && !ngx_media_url_is_separator(*q); q++) {
            /* void */
        }

        if ((size_t) (q - p) < n || memcmp(p, name, n) != 0) {
            continue;
        }

        if (p + n == q) {
            value->data = (u_char *) q;
            return 1;
        }

        if (p[n] == '=') {
            value->data = (u_char *) p + n + 1;
            value->len = (size_t) (q - value->data);
            return 1;
        }
    }

    return 0;
}


static int
ngx_media_url_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


ssize_t
ngx_media_url_decode(u_char *dst, const u_char *src, size_t len, int plus)
{
    int            hi, lo;
    u_char        *d;
    const u_char  *p, *end;

    d = dst;
    end = src + len;

    for (p = src; p < end; p++) {

        if (*p == '+' && plus) {
            *d++ = ' ';
            continue;
        }

        if (*p != '%') {
            *d++ = *p;
            continue;
        }

        if ((size_t) (end - p) < 3) {
            return -1;
        }

        hi = ngx_media_url_hex(p[1]);
        lo = ngx_media_url_hex(p[2]);

        if (hi < 0 || lo < 0) {
            return -1;
        }

        *d++ = (u_char) (hi << 4 | lo);
        p += 2;
    }

    return d - dst;
}


static int
ngx_media_url_contains(const ngx_media_url_str_t *s, const char *what)
{
    size_t  i, n;

    n = strlen(what);

    for (i = 0; i + n <= s->len; i++) {
        if (memcmp(s->data + i, what, n) == 0) {
            return 1;
        }
    }

    return 0;
}


/* levels of an app, from its first byte to its last */

static ngx_media_name_reason_e
ngx_media_url_check_levels(const ngx_media_url_str_t *name)
{
    unsigned       n;
    const u_char  *p, *q, *end;

    n = 0;
    end = name->data + name->len;

    for (p = name->data; /* void */ ; p = q + 1) {

        for (q = p; q < end && *q != '/'; q++) {
            /* void */
        }

        if (p == q) {
            return NGX_MEDIA_NAME_EMPTY_LEVEL;
        }

        if (q - p == 1 && *p == '.') {
            return NGX_MEDIA_NAME_DOTS;
        }

        if (++n > NGX_MEDIA_NAME_LEVELS) {
            return NGX_MEDIA_NAME_TOO_DEEP;
        }

        if (q == end) {
            return NGX_MEDIA_NAME_OK;
        }
    }
}


ngx_media_name_reason_e
ngx_media_name_check(const ngx_media_url_str_t *name,
    ngx_media_name_kind_e kind)
{
    size_t  i, slashes;
    u_char  c;

    if (name->len == 0) {
        return NGX_MEDIA_NAME_EMPTY;
    }

    if (name->len > NGX_MEDIA_NAME_MAX) {
        return NGX_MEDIA_NAME_TOO_LONG;
    }

    slashes = 0;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (c < 0x20 || c == 0x7f) {
            return NGX_MEDIA_NAME_CONTROL;
        }

        if (c == '\\') {
            return NGX_MEDIA_NAME_BACKSLASH;
        }

        slashes += (c == '/');
    }

    if (slashes && kind != NGX_MEDIA_NAME_APP) {
        return NGX_MEDIA_NAME_SLASH;
    }

    if (name->data[0] == '/' || name->data[name->len - 1] == '/') {
        return NGX_MEDIA_NAME_SLASH;
    }

    if (ngx_media_url_contains(name, "..")) {
        return NGX_MEDIA_NAME_DOTS;
    }

    if (kind == NGX_MEDIA_NAME_PUBLISH
        && ngx_media_url_contains(name, ".hls."))
    {
        return NGX_MEDIA_NAME_HLS;
    }

    return ngx_media_url_check_levels(name);
}


const char *
ngx_media_name_text(ngx_media_name_reason_e reason)
{
    static const char  *text[] = {
        "name is fine",
        "name is empty",
        "name is too long",
        "name has a control byte",
        "name has a backslash",
        "name has \"..\" or a level \".\"",
        "name has a slash where none may be",
        "name has an empty level",
        "name has too many levels",
        "name has \".hls.\", which is reserved"
    };

    if ((size_t) reason >= sizeof(text) / sizeof(text[0])) {
        return "name is refused";
    }

    return text[reason];
}
