
/*
 * Copyright (C) the nginx media suite authors
 *
 * Elements of the answers of S3.
 */


#include "ngx_media_s3_xml.h"

#include <string.h>


static const u_char *ngx_media_s3_tag(const u_char *pos, const u_char *end,
    const char *name, int close, const u_char **behind);
static size_t ngx_media_s3_entity(const u_char *p, size_t n, u_char *c);


/* where <NAME ...> or </NAME> begins, and what is behind it */

static const u_char *
ngx_media_s3_tag(const u_char *pos, const u_char *end, const char *name,
    int close, const u_char **behind)
{
    size_t         n;
    const u_char  *p, *start;

    n = strlen(name);

    while (pos < end) {

        start = memchr(pos, '<', (size_t) (end - pos));

        if (start == NULL) {
            return NULL;
        }

        pos = start + 1;
        p = pos;

        if (close) {
            if (p == end || *p != '/') {
                continue;
            }

            p++;
        }

        if ((size_t) (end - p) <= n || memcmp(p, name, n) != 0) {
            continue;
        }

        p += n;

        if (*p != '>' && *p != ' ' && *p != '\t' && *p != '\r' && *p != '\n') {
            continue;
        }

        p = memchr(p, '>', (size_t) (end - p));

        if (p == NULL) {
            return NULL;
        }

        *behind = p + 1;

        return start;
    }

    return NULL;
}


const u_char *
ngx_media_s3_element(const u_char *pos, const u_char *end, const char *name,
    ngx_media_s3_text_t *out)
{
    const u_char  *text, *last, *behind;

    if (ngx_media_s3_tag(pos, end, name, 0, &text) == NULL) {
        return NULL;
    }

    last = ngx_media_s3_tag(text, end, name, 1, &behind);

    if (last == NULL) {
        return NULL;
    }

    out->data = text;
    out->len = (size_t) (last - text);

    return behind;
}


/* "&quot;", "&#34;", ...: how long it is; 0: none that is known */

static size_t
ngx_media_s3_entity(const u_char *p, size_t n, u_char *c)
{
    size_t  i;

    static const struct {
        const char  *text;
        u_char       c;
    } known[] = {
        { "&quot;", '"' }, { "&amp;", '&' }, { "&lt;", '<' },
        { "&gt;", '>' }, { "&apos;", '\'' }, { "&#34;", '"' },
        { "&#x22;", '"' }, { "&#39;", '\'' }, { "&#38;", '&' },
        { "&#43;", '+' }, { "&#x2B;", '+' }
    };

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {

        if (n >= strlen(known[i].text)
            && memcmp(p, known[i].text, strlen(known[i].text)) == 0)
        {
            *c = known[i].c;
            return strlen(known[i].text);
        }
    }

    return 0;
}


ssize_t
ngx_media_s3_value(const u_char *pos, const u_char *end, const char *name,
    u_char *dst, size_t size)
{
    u_char                c;
    size_t                i, n, len;
    ngx_media_s3_text_t   text;

    if (size == 0 || ngx_media_s3_element(pos, end, name, &text) == NULL) {
        return -1;
    }

    len = 0;

    for (i = 0; i < text.len; i += n) {
        c = text.data[i];
        n = 1;

        if (c == '&') {
            n = ngx_media_s3_entity(text.data + i, text.len - i, &c);
        }

        if (n == 0 || (n == 1 && c == '<') || c < ' ' || c == 0x7f
            || len + 1 >= size)
        {
            return -1;
        }

        dst[len++] = c;
    }

    dst[len] = '\0';

    return (ssize_t) len;
}
