
/*
 * Copyright (C) the nginx media suite authors
 *
 * Entries of the queue of uploads: lines, and what is escaped in them.
 */


#include "ngx_media_upload_entry.h"

#include <string.h>


static int ngx_media_upload_hex(u_char c);


const u_char *
ngx_media_upload_line(const u_char *pos, const u_char *end,
    ngx_media_upload_line_t *line)
{
    const u_char  *last, *space;

    if (pos >= end) {
        return NULL;
    }

    last = memchr(pos, '\n', (size_t) (end - pos));

    if (last == NULL) {
        return NULL;
    }

    space = memchr(pos, ' ', (size_t) (last - pos));

    line->name = pos;
    line->name_len = (size_t) ((space ? space : last) - pos);
    line->value = space ? space + 1 : last;
    line->len = (size_t) (last - line->value);

    return last + 1;
}


int
ngx_media_upload_is(const ngx_media_upload_line_t *line, const char *name)
{
    return line->name_len == strlen(name)
           && memcmp(line->name, name, line->name_len) == 0;
}


static int
ngx_media_upload_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }

    return -1;
}


ssize_t
ngx_media_upload_decode(u_char *dst, const u_char *p, size_t len)
{
    int      hi, lo;
    size_t   i;
    u_char  *start;

    start = dst;

    for (i = 0; i < len; i++) {

        if (p[i] != '%') {

            if (p[i] <= ' ' || p[i] >= 0x7f) {
                return -1;
            }

            *dst++ = p[i];
            continue;
        }

        if (len - i < 3) {
            return -1;
        }

        hi = ngx_media_upload_hex(p[i + 1]);
        lo = ngx_media_upload_hex(p[i + 2]);

        if (hi < 0 || lo < 0 || hi + lo == 0) {
            return -1;
        }

        *dst++ = (u_char) (hi << 4 | lo);
        i += 2;
    }

    return dst - start;
}


int
ngx_media_upload_number(const ngx_media_upload_line_t *line, uint64_t *number)
{
    size_t    i;
    uint64_t  n;

    if (line->len == 0 || line->len > 18) {
        return NGX_MEDIA_ERROR;
    }

    n = 0;

    for (i = 0; i < line->len; i++) {

        if (line->value[i] < '0' || line->value[i] > '9') {
            return NGX_MEDIA_ERROR;
        }

        n = n * 10 + (uint64_t) (line->value[i] - '0');
    }

    *number = n;

    return NGX_MEDIA_OK;
}


u_char *
ngx_media_upload_put(u_char *dst, const char *name, const u_char *p,
    size_t len)
{
    size_t             i, n;
    static const char  hex[] = "0123456789ABCDEF";

    n = strlen(name);
    memcpy(dst, name, n);
    dst += n;
    *dst++ = ' ';

    for (i = 0; i < len; i++) {

        if (p[i] > ' ' && p[i] < 0x7f && p[i] != '%') {
            *dst++ = p[i];
            continue;
        }

        *dst++ = '%';
        *dst++ = (u_char) hex[p[i] >> 4];
        *dst++ = (u_char) hex[p[i] & 0xf];
    }

    *dst++ = '\n';

    return dst;
}
