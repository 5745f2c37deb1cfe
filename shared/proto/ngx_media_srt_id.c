
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: stream ids of SRT, see ngx_media_srt_id.h.
 */


#include <string.h>

#include "ngx_media_srt_id.h"


/* the scratch: args grow from its front, what is decoded lies at its end */

typedef struct {
    ngx_media_srt_id_t   *out;
    u_char               *pos;
    u_char               *end;
    ngx_media_url_str_t   host;           /* h */
    ngx_media_url_str_t   resource;       /* r */
} ngx_media_srt_id_ctx_t;


static int ngx_media_srt_id_keys(ngx_media_srt_id_ctx_t *c,
    const u_char *pos, const u_char *end, int nested);
static int ngx_media_srt_id_key(ngx_media_srt_id_ctx_t *c,
    ngx_media_url_str_t *item);
static int ngx_media_srt_id_mode(ngx_media_srt_id_t *out,
    const ngx_media_url_str_t *value);
static int ngx_media_srt_id_verb(ngx_media_srt_id_ctx_t *c,
    const u_char *pos, const u_char *end);
static int ngx_media_srt_id_url(ngx_media_srt_id_ctx_t *c,
    const u_char *pos, const u_char *end);
static int ngx_media_srt_id_plain(ngx_media_srt_id_ctx_t *c,
    const u_char *pos, const u_char *end);
static int ngx_media_srt_id_arg(ngx_media_srt_id_ctx_t *c, const u_char *p,
    size_t n);
static int ngx_media_srt_id_named(ngx_media_srt_id_ctx_t *c,
    const char *name, const ngx_media_url_str_t *value);
static int ngx_media_srt_id_vhost(ngx_media_srt_id_ctx_t *c,
    const ngx_media_url_str_t *host);
static void ngx_media_srt_id_path(ngx_media_srt_id_t *out,
    const ngx_media_url_str_t *path, int host);


static int
ngx_media_srt_id_is(const ngx_media_url_str_t *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}


static int
ngx_media_srt_id_begins(const u_char *pos, const u_char *end,
    const char *text)
{
    size_t  n;

    n = strlen(text);

    return (size_t) (end - pos) >= n && memcmp(pos, text, n) == 0;
}


int
ngx_media_srt_id(ngx_media_srt_id_t *out, const u_char *pos,
    const u_char *end, u_char *buf, size_t size)
{
    int                      rc;
    const u_char            *p;
    ngx_media_srt_id_t       id;
    ngx_media_srt_id_ctx_t   c;

    if (end - pos > NGX_MEDIA_SRT_ID_MAX) {
        return NGX_MEDIA_SRT_ID_LONG;
    }

    for (p = pos; p < end; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            return NGX_MEDIA_SRT_ID_CONTROL;
        }
    }

    memset(&id, 0, sizeof(ngx_media_srt_id_t));
    memset(&c, 0, sizeof(ngx_media_srt_id_ctx_t));

    c.out = &id;
    c.pos = buf;
    c.end = buf + size;
    c.host.data = buf;
    c.resource.data = buf;
    id.args.data = buf;

    if (pos == end) {
        rc = NGX_MEDIA_SRT_ID_OK;

    } else if (ngx_media_srt_id_begins(pos, end, "#!::")) {
        rc = ngx_media_srt_id_keys(&c, pos + 4, end, 0);

    } else if (ngx_media_srt_id_begins(pos, end, "#!{")) {

        if (end[-1] != '}') {
            return NGX_MEDIA_SRT_ID_NEST;
        }

        rc = ngx_media_srt_id_keys(&c, pos + 3, end - 1, 1);

    } else if (ngx_media_srt_id_begins(pos, end, "publish:")) {
        id.mode = NGX_MEDIA_SRT_MODE_PUBLISH;
        rc = ngx_media_srt_id_verb(&c, pos + 8, end);

    } else if (ngx_media_srt_id_begins(pos, end, "read:")) {
        id.mode = NGX_MEDIA_SRT_MODE_REQUEST;
        rc = ngx_media_srt_id_verb(&c, pos + 5, end);

    } else if (ngx_media_srt_id_begins(pos, end, "srt://")
               || ngx_media_srt_id_begins(pos, end, "srt%3A%2F%2F")
               || ngx_media_srt_id_begins(pos, end, "srt%3a%2f%2f"))
    {
        rc = ngx_media_srt_id_url(&c, pos, end);

    } else {
        rc = ngx_media_srt_id_plain(&c, pos, end);
    }

    if (rc == NGX_MEDIA_SRT_ID_OK) {
        id.args.len = c.pos - id.args.data;
        *out = id;
    }

    return rc;
}


/* KEY=VALUE,...; a comma inside of braces is of the value */

static int
ngx_media_srt_id_keys(ngx_media_srt_id_ctx_t *c, const u_char *pos,
    const u_char *end, int nested)
{
    int                   rc, depth;
    const u_char         *p;
    ngx_media_url_str_t   item;

    while (pos < end) {

        depth = 0;

        for (p = pos; p < end; p++) {

            if (nested && *p == '{') {
                depth++;

            } else if (nested && *p == '}') {

                if (depth-- == 0) {
                    return NGX_MEDIA_SRT_ID_NEST;
                }

            } else if (depth == 0 && (*p == ',' || *p == '?')) {
                break;
            }
        }

        if (depth) {
            return NGX_MEDIA_SRT_ID_NEST;
        }

        item.data = (u_char *) pos;
        item.len = p - pos;

        rc = ngx_media_srt_id_key(c, &item);

        if (rc != NGX_MEDIA_SRT_ID_OK) {
            return rc;
        }

        pos = p + 1;
    }

    if (c->resource.len == 0) {
        ngx_media_srt_id_path(c->out, &c->host, 1);
        c->host = c->out->vhost;

    } else {
        ngx_media_srt_id_path(c->out, &c->resource, 0);
    }

    return ngx_media_srt_id_vhost(c, &c->host);
}


static int
ngx_media_srt_id_key(ngx_media_srt_id_ctx_t *c, ngx_media_url_str_t *item)
{
    u_char               *eq;
    ngx_media_url_str_t   key, value;

    eq = item->len ? memchr(item->data, '=', item->len) : NULL;

    if (eq == NULL) {
        return ngx_media_srt_id_arg(c, item->data, item->len);
    }

    key.data = item->data;
    key.len = eq - item->data;
    value.data = eq + 1;
    value.len = item->data + item->len - value.data;

    if (ngx_media_srt_id_is(&key, "r")) {
        c->resource = value;
        return NGX_MEDIA_SRT_ID_OK;
    }

    if (ngx_media_srt_id_is(&key, "h")) {
        c->host = value;
        return NGX_MEDIA_SRT_ID_OK;
    }

    if (ngx_media_srt_id_is(&key, "m")) {
        return ngx_media_srt_id_mode(c->out, &value);
    }

    if (ngx_media_srt_id_is(&key, "u")) {
        c->out->user = value;

    } else if (ngx_media_srt_id_is(&key, "t")
               && (ngx_media_srt_id_is(&value, "file")
                   || ngx_media_srt_id_is(&value, "auth")))
    {
        return NGX_MEDIA_SRT_ID_TYPE;
    }

    return ngx_media_srt_id_arg(c, item->data, item->len);
}


static int
ngx_media_srt_id_mode(ngx_media_srt_id_t *out,
    const ngx_media_url_str_t *value)
{
    if (ngx_media_srt_id_is(value, "publish")) {
        out->mode = NGX_MEDIA_SRT_MODE_PUBLISH;

    } else if (ngx_media_srt_id_is(value, "request")
               || ngx_media_srt_id_is(value, "play"))
    {
        out->mode = NGX_MEDIA_SRT_MODE_REQUEST;

    } else {
        return NGX_MEDIA_SRT_ID_MODE;
    }

    return NGX_MEDIA_SRT_ID_OK;
}


/* PATH[:USER[:PASS]][?ARGS]; user and password become arguments as well */

static int
ngx_media_srt_id_verb(ngx_media_srt_id_ctx_t *c, const u_char *pos,
    const u_char *end)
{
    int                   rc;
    unsigned              n;
    const u_char         *p, *query;
    ngx_media_url_str_t   part[3];

    static const char    *name[] = { "", "user=", "pass=" };

    query = memchr(pos, '?', end - pos);

    if (query == NULL) {
        query = end;
    }

    memset(part, 0, sizeof(part));

    for (n = 0; n < 3; n++) {

        /* a password may have a colon */

        p = (n < 2) ? memchr(pos, ':', query - pos) : NULL;

        if (p == NULL) {
            p = query;
        }

        part[n].data = (u_char *) pos;
        part[n].len = p - pos;

        if (p == query) {
            break;
        }

        pos = p + 1;
    }

    ngx_media_srt_id_path(c->out, &part[0], 0);
    c->out->user = part[1];

    for (n = 1; n < 3; n++) {

        if (part[n].len == 0) {
            continue;
        }

        rc = ngx_media_srt_id_named(c, name[n], &part[n]);

        if (rc != NGX_MEDIA_SRT_ID_OK) {
            return rc;
        }
    }

    return query < end ? ngx_media_srt_id_arg(c, query + 1, end - query - 1)
                       : NGX_MEDIA_SRT_ID_OK;
}


/* srt://HOST[:PORT]/APP/STREAM[?ARGS], maybe percent-encoded as a whole */

static int
ngx_media_srt_id_url(ngx_media_srt_id_ctx_t *c, const u_char *pos,
    const u_char *end)
{
    u_char               *p;
    ssize_t               n;
    const u_char         *slash, *at;
    ngx_media_url_str_t   host;

    if (pos[3] == '%') {

        if (c->end - c->pos < end - pos) {
            return NGX_MEDIA_SRT_ID_BUF;
        }

        /* it is what the rest points into, and arguments come before it */

        c->end -= end - pos;
        p = c->end;
        n = ngx_media_url_decode(p, pos, end - pos, 0);

        if (n < 0) {
            return NGX_MEDIA_SRT_ID_ESCAPE;
        }

        pos = p;
        end = p + n;

        while (p < end) {
            if (*p < 0x20 || *p == 0x7f) {
                return NGX_MEDIA_SRT_ID_CONTROL;
            }

            p++;
        }
    }

    pos += sizeof("srt://") - 1;
    slash = memchr(pos, '/', end - pos);

    if (slash == NULL) {
        slash = end;
    }

    at = memchr(pos, '@', slash - pos);

    if (at) {
        pos = at + 1;
    }

    host.data = (u_char *) pos;
    host.len = slash - pos;

    if (host.len && host.data[0] == '[') {
        host.data++;
        at = memchr(pos, ']', slash - pos);
        host.len = (at ? at : slash) - host.data;

    } else {
        at = memchr(pos, ':', slash - pos);
        host.len = (at ? at : slash) - pos;
    }

    if (slash < end) {
        slash++;
    }

    n = ngx_media_srt_id_plain(c, slash, end);

    return (n == NGX_MEDIA_SRT_ID_OK) ? ngx_media_srt_id_vhost(c, &host)
                                      : (int) n;
}


static int
ngx_media_srt_id_plain(ngx_media_srt_id_ctx_t *c, const u_char *pos,
    const u_char *end)
{
    const u_char         *query;
    ngx_media_url_str_t   path;

    query = memchr(pos, '?', end - pos);

    path.data = (u_char *) pos;
    path.len = (query ? query : end) - pos;

    ngx_media_srt_id_path(c->out, &path, 0);

    return query ? ngx_media_srt_id_arg(c, query + 1, end - query - 1)
                 : NGX_MEDIA_SRT_ID_OK;
}


static int
ngx_media_srt_id_arg(ngx_media_srt_id_ctx_t *c, const u_char *p, size_t n)
{
    ngx_media_url_str_t  value;

    value.data = (u_char *) p;
    value.len = n;

    return n ? ngx_media_srt_id_named(c, "", &value) : NGX_MEDIA_SRT_ID_OK;
}


/* adds an argument; name ends with "=" */

static int
ngx_media_srt_id_named(ngx_media_srt_id_ctx_t *c, const char *name,
    const ngx_media_url_str_t *value)
{
    size_t  n;

    n = strlen(name);

    if ((size_t) (c->end - c->pos) < n + value->len + 1) {
        return NGX_MEDIA_SRT_ID_BUF;
    }

    if (c->pos > c->out->args.data) {
        *c->pos++ = '&';
    }

    memcpy(c->pos, name, n);
    c->pos += n;

    memcpy(c->pos, value->data, value->len);
    c->pos += value->len;

    return NGX_MEDIA_SRT_ID_OK;
}


/* in lower case, as vhosts are; it takes the end of the scratch */

static int
ngx_media_srt_id_vhost(ngx_media_srt_id_ctx_t *c,
    const ngx_media_url_str_t *host)
{
    size_t  i;
    u_char  ch;

    if ((size_t) (c->end - c->pos) < host->len) {
        return NGX_MEDIA_SRT_ID_BUF;
    }

    c->end -= host->len;

    for (i = 0; i < host->len; i++) {
        ch = host->data[i];
        c->end[i] = (ch >= 'A' && ch <= 'Z') ? (u_char) (ch | 0x20) : ch;
    }

    c->out->vhost.data = c->end;
    c->out->vhost.len = host->len;

    return NGX_MEDIA_SRT_ID_OK;
}


/*
 * APP/STREAM; host: there was no other key, so that of three levels the first
 * is the vhost.  Slashes around it do not count.
 */

static void
ngx_media_srt_id_path(ngx_media_srt_id_t *out,
    const ngx_media_url_str_t *path, int host)
{
    const u_char  *p, *pos, *end, *slash;

    pos = path->data;
    end = pos + path->len;

    while (pos < end && *pos == '/') {
        pos++;
    }

    while (pos < end && end[-1] == '/') {
        end--;
    }

    slash = NULL;

    for (p = pos; p < end; p++) {
        if (*p == '/') {
            slash = p;
        }
    }

    out->stream.data = (u_char *) (slash ? slash + 1 : pos);
    out->stream.len = end - out->stream.data;

    if (slash == NULL) {
        return;
    }

    end = slash;
    p = host ? memchr(pos, '/', end - pos) : NULL;

    if (p) {
        out->vhost.data = (u_char *) pos;
        out->vhost.len = p - pos;
        pos = p + 1;
    }

    out->app.data = (u_char *) pos;
    out->app.len = end - pos;
}


const char *
ngx_media_srt_id_text(int rc)
{
    switch (rc) {

    case NGX_MEDIA_SRT_ID_OK:
        return "ok";

    case NGX_MEDIA_SRT_ID_LONG:
        return "it is longer than 512 bytes";

    case NGX_MEDIA_SRT_ID_BUF:
        return "no room for it";

    case NGX_MEDIA_SRT_ID_MODE:
        return "\"m\" is neither \"publish\" nor \"request\"";

    case NGX_MEDIA_SRT_ID_CONTROL:
        return "it has control characters";

    case NGX_MEDIA_SRT_ID_NEST:
        return "its braces do not match";

    case NGX_MEDIA_SRT_ID_ESCAPE:
        return "its percent-encoding is damaged";

    case NGX_MEDIA_SRT_ID_TYPE:
        return "\"t\" is not \"stream\"";

    default:
        return "unknown";
    }
}
