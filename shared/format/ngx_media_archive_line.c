
/*
 * Copyright (C) the nginx media suite authors
 *
 * Lines of the archive, declared in ngx_media_archive_line.h.  Called by
 * threads that look after recordings; nothing is kept here.
 */


#include <string.h>

#include "ngx_media_archive_line.h"
#include "ngx_media_template.h"
#include "ngx_media_text.h"


#define NGX_MEDIA_ARCHIVE_DIGITS   15      /* of a number at most */


static int
ngx_media_archive_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : -1;
}


int64_t
ngx_media_archive_id(const u_char *id, size_t n)
{
    int      digit;
    size_t   i;
    int64_t  begin;

    if (n != NGX_MEDIA_ARCHIVE_ID) {
        return -1;
    }

    begin = 0;

    for (i = 0; i < n; i++) {

        digit = ngx_media_archive_hex(id[i]);

        if (digit < 0) {
            return -1;
        }

        if (i < 11) {
            begin = begin * 16 + digit;
        }
    }

    return begin;
}


static int
ngx_media_archive_special(u_char ch)
{
    return ch <= 0x20 || ch == '%' || ch == 0x7f;
}


ssize_t
ngx_media_archive_escape(const u_char *pos, const u_char *end, u_char *buf,
    size_t n)
{
    size_t               len;
    const u_char        *p;
    static const u_char  hex[] = "0123456789abcdef";

    len = 0;

    for (p = pos; p < end; p++) {

        if (!ngx_media_archive_special(*p)) {

            if (n - len < 1) {
                return NGX_MEDIA_ERROR;
            }

            buf[len++] = *p;
            continue;
        }

        if (n - len < 3) {
            return NGX_MEDIA_ERROR;
        }

        buf[len++] = '%';
        buf[len++] = hex[*p >> 4];
        buf[len++] = hex[*p & 0xf];
    }

    return (ssize_t) len;
}


ssize_t
ngx_media_archive_unescape(const u_char *pos, const u_char *end, u_char *buf,
    size_t n)
{
    int            high, low;
    u_char         ch;
    size_t         len;
    const u_char  *p;

    len = 0;

    for (p = pos; p < end; p++) {

        ch = *p;

        if (ch == '%') {

            if ((size_t) (end - p) < 3) {
                return NGX_MEDIA_ERROR;
            }

            high = ngx_media_archive_hex(p[1]);
            low = ngx_media_archive_hex(p[2]);

            if (high < 0 || low < 0) {
                return NGX_MEDIA_ERROR;
            }

            ch = (u_char) (high << 4 | low);

            if (!ngx_media_archive_special(ch)) {
                return NGX_MEDIA_ERROR;
            }

            p += 2;

        } else if (ngx_media_archive_special(ch)) {
            return NGX_MEDIA_ERROR;
        }

        if (len == n) {
            return NGX_MEDIA_ERROR;
        }

        buf[len++] = ch;
    }

    return (ssize_t) len;
}


/* up to a tab, which is left behind; NULL: no number, or too many digits */

static const u_char *
ngx_media_archive_number(const u_char *pos, const u_char *end, uint64_t *n)
{
    const u_char  *p;

    *n = 0;

    for (p = pos; p < end && *p != '\t'; p++) {

        if (*p < '0' || *p > '9' || p - pos >= NGX_MEDIA_ARCHIVE_DIGITS) {
            return NULL;
        }

        *n = *n * 10 + (uint64_t) (*p - '0');
    }

    return (p == pos || p == end) ? NULL : p + 1;
}


static const u_char *
ngx_media_archive_kind(const u_char *pos, const u_char *end, uint8_t *kind)
{
    size_t         n;
    const u_char  *p;

    p = memchr(pos, '\t', (size_t) (end - pos));

    if (p == NULL) {
        return NULL;
    }

    n = (size_t) (p - pos);

    if (n == 3 && memcmp(pos, "flv", 3) == 0) {
        *kind = NGX_MEDIA_FILE_FLV;

    } else if (n == 3 && memcmp(pos, "mp4", 3) == 0) {
        *kind = NGX_MEDIA_FILE_MP4;

    } else if (n == 2 && memcmp(pos, "ts", 2) == 0) {
        *kind = NGX_MEDIA_FILE_TS;

    } else {
        return NULL;
    }

    return p + 1;
}


int
ngx_media_archive_parse(ngx_media_archive_line_t *line, const u_char *pos,
    const u_char *end)
{
    ssize_t        len;
    uint64_t       begin, stop;
    const u_char  *p;

    if ((size_t) (end - pos) < NGX_MEDIA_ARCHIVE_ID + 1
        || ngx_media_archive_id(pos, NGX_MEDIA_ARCHIVE_ID) < 0
        || pos[NGX_MEDIA_ARCHIVE_ID] != '\t')
    {
        return NGX_MEDIA_ERROR;
    }

    begin = 0;
    stop = 0;

    memcpy(line->id, pos, NGX_MEDIA_ARCHIVE_ID);
    line->id[NGX_MEDIA_ARCHIVE_ID] = '\0';

    p = pos + NGX_MEDIA_ARCHIVE_ID + 1;
    p = ngx_media_archive_number(p, end, &begin);

    if (p) {
        p = ngx_media_archive_number(p, end, &stop);
    }

    if (p) {
        p = ngx_media_archive_number(p, end, &line->duration);
    }

    if (p) {
        p = ngx_media_archive_number(p, end, &line->bytes);
    }

    if (p) {
        p = ngx_media_archive_kind(p, end, &line->kind);
    }

    if (p == NULL || stop < begin) {
        return NGX_MEDIA_ERROR;
    }

    line->begin = (int64_t) begin;
    line->end = (int64_t) stop;

    len = ngx_media_archive_unescape(p, end, line->file,
                                     NGX_MEDIA_ARCHIVE_FILE);

    if (len <= 0
        || ngx_media_template_path(line->file, line->file + len)
           != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    line->len = (size_t) len;
    line->file[len] = '\0';

    return NGX_MEDIA_OK;
}


ssize_t
ngx_media_archive_write(const ngx_media_archive_line_t *line, u_char *buf,
    size_t n)
{
    ssize_t                   len;
    ngx_media_text_t          t;
    ngx_media_archive_line_t  again;

    if (line->len > NGX_MEDIA_ARCHIVE_FILE) {
        return NGX_MEDIA_ERROR;
    }

    ngx_media_text_init(&t, buf, n);

    ngx_media_text_put(&t, line->id, NGX_MEDIA_ARCHIVE_ID);
    ngx_media_text_lit(&t, "\t");
    ngx_media_text_int(&t, line->begin);
    ngx_media_text_lit(&t, "\t");
    ngx_media_text_int(&t, line->end);
    ngx_media_text_lit(&t, "\t");
    ngx_media_text_uint(&t, line->duration);
    ngx_media_text_lit(&t, "\t");
    ngx_media_text_uint(&t, line->bytes);
    ngx_media_text_lit(&t, "\t");

    switch (line->kind) {

    case NGX_MEDIA_FILE_FLV:
        ngx_media_text_lit(&t, "flv\t");
        break;

    case NGX_MEDIA_FILE_MP4:
        ngx_media_text_lit(&t, "mp4\t");
        break;

    case NGX_MEDIA_FILE_TS:
        ngx_media_text_lit(&t, "ts\t");
        break;

    default:
        return NGX_MEDIA_ERROR;
    }

    if (t.len >= n) {
        return NGX_MEDIA_ERROR;
    }

    len = ngx_media_archive_escape(line->file, line->file + line->len,
                                   buf + t.len, n - t.len - 1);

    /* nothing is written that would not be read */

    if (len < 0
        || ngx_media_archive_parse(&again, buf, buf + t.len + len)
           != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    len += (ssize_t) t.len;
    buf[len++] = '\n';

    return len;
}
