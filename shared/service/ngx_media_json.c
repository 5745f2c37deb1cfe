
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: writer of JSON into a chain of buffers; see ngx_media_json.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <math.h>
#include "ngx_media_json.h"


static u_char *ngx_media_json_reserve(ngx_media_json_t *j, size_t n);
static void ngx_media_json_value(ngx_media_json_t *j);
static void ngx_media_json_open(ngx_media_json_t *j, u_char ch);
static void ngx_media_json_close(ngx_media_json_t *j, u_char ch);
static size_t ngx_media_json_plain(const u_char *p, const u_char *end);
static size_t ngx_media_json_escape(const u_char *p, const u_char *end,
    u_char *out, size_t *len);


void
ngx_media_json_init(ngx_media_json_t *j, ngx_pool_t *pool)
{
    ngx_memzero(j, sizeof(ngx_media_json_t));

    j->pool = pool;
    j->last = &j->first;
}


ngx_chain_t *
ngx_media_json_finish(ngx_media_json_t *j)
{
    if (j->failed || j->depth || j->keyed || j->buf == NULL) {
        return NULL;
    }

    j->buf->last_buf = 1;
    j->buf->last_in_chain = 1;

    return j->first;
}


ngx_int_t
ngx_media_json_text(ngx_media_json_t *j, ngx_str_t *text)
{
    u_char       *p;
    ngx_chain_t  *out, *cl;

    out = ngx_media_json_finish(j);

    if (out == NULL) {
        return NGX_ERROR;
    }

    /* in one piece already, as nearly always */

    if (out->next == NULL) {
        text->data = out->buf->pos;
        text->len = out->buf->last - out->buf->pos;

        return NGX_OK;
    }

    p = ngx_pnalloc(j->pool, j->size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (cl = out; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    text->len = p - text->data;

    return NGX_OK;
}


/* room for n <= NGX_MEDIA_JSON_BUFFER contiguous bytes, not yet taken */

static u_char *
ngx_media_json_reserve(ngx_media_json_t *j, size_t n)
{
    ngx_chain_t  *cl;

    if (j->failed) {
        return NULL;
    }

    if (n > NGX_MEDIA_JSON_MAX - j->size) {
        j->failed = 1;
        return NULL;
    }

    if (j->buf && (size_t) (j->buf->end - j->buf->last) >= n) {
        return j->buf->last;
    }

    cl = ngx_alloc_chain_link(j->pool);
    if (cl == NULL) {
        j->failed = 1;
        return NULL;
    }

    cl->buf = ngx_create_temp_buf(j->pool, NGX_MEDIA_JSON_BUFFER);
    if (cl->buf == NULL) {
        j->failed = 1;
        return NULL;
    }

    cl->next = NULL;
    *j->last = cl;
    j->last = &cl->next;
    j->buf = cl->buf;

    return j->buf->last;
}


void
ngx_media_json_raw(ngx_media_json_t *j, const void *p, size_t n)
{
    size_t         part;
    u_char        *last;
    const u_char  *pos;

    pos = p;

    while (n) {

        part = ngx_min(n, NGX_MEDIA_JSON_BUFFER);

        if (j->buf && j->buf->end > j->buf->last) {
            part = ngx_min(n, (size_t) (j->buf->end - j->buf->last));
        }

        last = ngx_media_json_reserve(j, part);
        if (last == NULL) {
            return;
        }

        j->buf->last = ngx_cpymem(last, pos, part);
        j->size += part;

        pos += part;
        n -= part;
    }
}


/* what goes before a value: the comma, unless its key has written one */

static void
ngx_media_json_value(ngx_media_json_t *j)
{
    uint32_t  bit;

    if (j->keyed) {
        j->keyed = 0;
        return;
    }

    bit = (uint32_t) 1 << j->depth;

    if (j->depth && (j->filled & bit)) {
        ngx_media_json_raw(j, ",", 1);
    }

    j->filled |= bit;
}


static void
ngx_media_json_open(ngx_media_json_t *j, u_char ch)
{
    ngx_media_json_value(j);

    if (j->depth + 1 >= NGX_MEDIA_JSON_DEPTH) {
        j->failed = 1;
        return;
    }

    ngx_media_json_raw(j, &ch, 1);

    j->depth++;
    j->filled &= ~((uint32_t) 1 << j->depth);
}


static void
ngx_media_json_close(ngx_media_json_t *j, u_char ch)
{
    if (j->depth == 0 || j->keyed) {
        j->failed = 1;
        return;
    }

    ngx_media_json_raw(j, &ch, 1);

    j->depth--;
}


void
ngx_media_json_object(ngx_media_json_t *j)
{
    ngx_media_json_open(j, '{');
}


void
ngx_media_json_object_end(ngx_media_json_t *j)
{
    ngx_media_json_close(j, '}');
}


void
ngx_media_json_array(ngx_media_json_t *j)
{
    ngx_media_json_open(j, '[');
}


void
ngx_media_json_array_end(ngx_media_json_t *j)
{
    ngx_media_json_close(j, ']');
}


void
ngx_media_json_key(ngx_media_json_t *j, const char *name)
{
    ngx_media_json_value(j);

    ngx_media_json_raw(j, "\"", 1);
    ngx_media_json_raw(j, name, ngx_strlen(name));
    ngx_media_json_raw(j, "\":", 2);

    j->keyed = 1;
}


void
ngx_media_json_name(ngx_media_json_t *j, const u_char *p, size_t n)
{
    ngx_media_json_str(j, p, n);
    ngx_media_json_raw(j, ":", 1);

    j->keyed = 1;
}


/* bytes from p on that may stand in a string as they are */

static size_t
ngx_media_json_plain(const u_char *p, const u_char *end)
{
    const u_char  *s;

    for (s = p; s < end; s++) {
        if (*s < 0x20 || *s >= 0x7f || *s == '"' || *s == '\\') {
            break;
        }
    }

    return s - p;
}


size_t
ngx_media_json_utf8(const u_char *p, const u_char *end)
{
    u_char  lo, hi;
    size_t  i, n;

    lo = 0x80;
    hi = 0xbf;

    if (*p < 0xc2 || *p > 0xf4) {
        return (*p < 0x80) ? 1 : 0;
    }

    if (*p < 0xe0) {
        n = 2;

    } else if (*p < 0xf0) {
        n = 3;
        lo = (*p == 0xe0) ? 0xa0 : 0x80;
        hi = (*p == 0xed) ? 0x9f : 0xbf;

    } else {
        n = 4;
        lo = (*p == 0xf0) ? 0x90 : 0x80;
        hi = (*p == 0xf4) ? 0x8f : 0xbf;
    }

    if ((size_t) (end - p) < n || p[1] < lo || p[1] > hi) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


/*
 * One character that is not plain: writes at most 8 bytes into out, their
 * number into *len, and returns how many bytes of input it stands for.
 */

static size_t
ngx_media_json_escape(const u_char *p, const u_char *end, u_char *out,
    size_t *len)
{
    size_t  n;

    static u_char  lines[] = { 0xe2, 0x80 };

    if (*p == '"' || *p == '\\') {
        out[0] = '\\';
        out[1] = *p;
        *len = 2;
        return 1;
    }

    if (*p < 0x20 || *p == 0x7f) {
        *len = ngx_sprintf(out, "\\u%04xi", (ngx_int_t) *p) - out;
        return 1;
    }

    n = ngx_media_json_utf8(p, end);

    if (n == 0) {
        ngx_memcpy(out, "\\ufffd", 6);
        *len = 6;
        return 1;
    }

    if (n == 3 && ngx_memcmp(p, lines, 2) == 0 && (p[2] & 0xfe) == 0xa8) {
        *len = ngx_sprintf(out, "\\u202%c", (p[2] & 1) ? '9' : '8') - out;
        return 3;
    }

    ngx_memcpy(out, p, n);
    *len = n;

    return n;
}


void
ngx_media_json_str(ngx_media_json_t *j, const u_char *p, size_t n)
{
    u_char         out[8];
    size_t         len;
    const u_char  *end;

    ngx_media_json_value(j);
    ngx_media_json_raw(j, "\"", 1);

    end = n ? p + n : p;

    while (p < end && !j->failed) {

        len = ngx_media_json_plain(p, end);

        if (len) {
            ngx_media_json_raw(j, p, len);
            p += len;
            continue;
        }

        p += ngx_media_json_escape(p, end, out, &len);
        ngx_media_json_raw(j, out, len);
    }

    ngx_media_json_raw(j, "\"", 1);
}


void
ngx_media_json_int(ngx_media_json_t *j, int64_t n)
{
    u_char  buf[NGX_INT64_LEN];

    ngx_media_json_value(j);
    ngx_media_json_raw(j, buf, ngx_sprintf(buf, "%L", n) - buf);
}


void
ngx_media_json_bool(ngx_media_json_t *j, ngx_uint_t b)
{
    ngx_media_json_value(j);
    ngx_media_json_raw(j, b ? "true" : "false", b ? 4 : 5);
}


void
ngx_media_json_null(ngx_media_json_t *j)
{
    ngx_media_json_value(j);
    ngx_media_json_raw(j, "null", 4);
}


void
ngx_media_json_double(ngx_media_json_t *j, double d, ngx_uint_t decimals)
{
    u_char  buf[NGX_INT64_LEN + 16];

    static const char  *formats[] = {
        "%.0f", "%.1f", "%.2f", "%.3f", "%.4f", "%.5f", "%.6f"
    };

    if (!isfinite(d) || d > 9e15 || d < -9e15) {
        d = 0;
    }

    ngx_media_json_value(j);
    ngx_media_json_raw(j, buf,
                       ngx_sprintf(buf, formats[ngx_min(decimals, 6)], d)
                       - buf);
}


void
ngx_media_json_key_str(ngx_media_json_t *j, const char *name,
    const ngx_str_t *s)
{
    ngx_media_json_key(j, name);
    ngx_media_json_str(j, s->data, s->len);
}


void
ngx_media_json_key_text(ngx_media_json_t *j, const char *name,
    const char *text)
{
    ngx_media_json_key(j, name);
    ngx_media_json_str(j, (const u_char *) text, ngx_strlen(text));
}


void
ngx_media_json_key_int(ngx_media_json_t *j, const char *name, int64_t n)
{
    ngx_media_json_key(j, name);
    ngx_media_json_int(j, n);
}


void
ngx_media_json_key_bool(ngx_media_json_t *j, const char *name, ngx_uint_t b)
{
    ngx_media_json_key(j, name);
    ngx_media_json_bool(j, b);
}


void
ngx_media_json_key_double(ngx_media_json_t *j, const char *name, double d,
    ngx_uint_t decimals)
{
    ngx_media_json_key(j, name);
    ngx_media_json_double(j, d, decimals);
}


void
ngx_media_json_key_object(ngx_media_json_t *j, const char *name)
{
    ngx_media_json_key(j, name);
    ngx_media_json_object(j);
}


void
ngx_media_json_key_array(ngx_media_json_t *j, const char *name)
{
    ngx_media_json_key(j, name);
    ngx_media_json_array(j);
}
