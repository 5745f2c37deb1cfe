
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: names of files from templates, declared in ngx_media_template.h.  Each
 * field is one row of a table; literals are copied as they are.  Called by
 * the parsers of directives and by threads that write files, with memory of
 * the caller.
 */


#include "ngx_media_template.h"
#include "ngx_media_text.h"


#define NGX_MEDIA_TEMPLATE_LEVEL   255


typedef enum {
    NGX_MEDIA_TEMPLATE_IS_TEXT = 0,
    NGX_MEDIA_TEMPLATE_IS_U64,
    NGX_MEDIA_TEMPLATE_IS_U32,       /* two digits at least */
    NGX_MEDIA_TEMPLATE_IS_MSEC       /* three, of a second */
} ngx_media_template_kind_e;


typedef struct {
    const char   *name;
    uint32_t      field;
    uint32_t      kind;
    size_t        offset;
} ngx_media_template_field_t;

#define ngx_media_template_row(name, field, kind, member)                     \
    { name, NGX_MEDIA_TEMPLATE_##field, NGX_MEDIA_TEMPLATE_IS_##kind,         \
      offsetof(ngx_media_template_vars_t, member) }


static const ngx_media_template_field_t  ngx_media_template_fields[] = {
    ngx_media_template_row("[vhost]", VHOST, TEXT, vhost),
    ngx_media_template_row("[app]", APP, TEXT, app),
    ngx_media_template_row("[stream]", STREAM, TEXT, stream),
    ngx_media_template_row("[seq]", SEQ, U64, seq),
    ngx_media_template_row("[duration]", DURATION, U64, duration),
    ngx_media_template_row("[timestamp]", TIMESTAMP, U64, timestamp),
    ngx_media_template_row("[2006]", DATE, U32, year),
    ngx_media_template_row("[01]", DATE, U32, month),
    ngx_media_template_row("[02]", DATE, U32, day),
    ngx_media_template_row("[15]", DATE, U32, hour),
    ngx_media_template_row("[04]", DATE, U32, minute),
    ngx_media_template_row("[05]", DATE, U32, second),
    ngx_media_template_row("[999]", DATE, MSEC, timestamp),
    ngx_media_template_row("$media_vhost", VHOST, TEXT, vhost),
    ngx_media_template_row("$media_app", APP, TEXT, app),
    ngx_media_template_row("$media_stream", STREAM, TEXT, stream),
    ngx_media_template_row("$hostname", HOSTNAME, TEXT, hostname),
    ngx_media_template_row("$pid", PID, U32, pid),
    { NULL, 0, 0, 0 }
};


/* the field that begins at pos: up to the bracket, or as long as a variable's
 * name goes; 0: a literal */

static size_t
ngx_media_template_length(const u_char *pos, const u_char *end)
{
    const u_char  *p;

    p = pos + 1;

    if (*pos == '[') {

        while (p < end && *p != ']') {
            p++;
        }

        return (size_t) (p - pos) + (p < end);
    }

    if (*pos != '$') {
        return 0;
    }

    while (p < end && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
                       || (*p >= '0' && *p <= '9') || *p == '_'))
    {
        p++;
    }

    return (size_t) (p - pos);
}


static const ngx_media_template_field_t *
ngx_media_template_find(const u_char *pos, size_t len)
{
    const ngx_media_template_field_t  *f;

    for (f = ngx_media_template_fields; f->name; f++) {
        if (strlen(f->name) == len && memcmp(f->name, pos, len) == 0) {
            return f;
        }
    }

    return NULL;
}


static const u_char *
ngx_media_template_begin(const u_char *pos, const u_char *end)
{
    while (pos < end && *pos == '/') {
        pos++;
    }

    return pos;
}


int
ngx_media_template_check(const u_char *pos, const u_char *end,
    uint32_t *fields, ngx_media_template_str_t *bad)
{
    size_t                             len;
    const u_char                      *p, *level;
    const ngx_media_template_field_t  *f;

    *fields = 0;

    level = ngx_media_template_begin(pos, end);

    for (p = level; p < end; p += len) {

        bad->data = p;
        len = ngx_media_template_length(p, end);
        bad->len = len;

        if (len) {
            f = ngx_media_template_find(p, len);

            if (f == NULL) {
                return NGX_MEDIA_ERROR;
            }

            *fields |= f->field;
            continue;
        }

        len = 1;
        bad->len = 1;

        if (*p < 0x20 || *p == 0x7f || (p == level && *p == '.')) {
            return NGX_MEDIA_ERROR;
        }

        if (*p == '/') {

            if (p == level) {
                return NGX_MEDIA_ERROR;
            }

            level = p + 1;
        }
    }

    bad->data = pos;
    bad->len = (size_t) (end - pos);

    return (level == end) ? NGX_MEDIA_ERROR : NGX_MEDIA_OK;
}


int
ngx_media_template_path(const u_char *pos, const u_char *end)
{
    const u_char  *p, *level;

    level = pos;

    for (p = pos; p < end; p++) {

        if (*p < 0x20 || *p == 0x7f || (p == level && (*p == '.'
                                                       || *p == '/')))
        {
            return NGX_MEDIA_ERROR;
        }

        if (*p == '/') {
            level = p + 1;

        } else if (p - level >= NGX_MEDIA_TEMPLATE_LEVEL) {
            return NGX_MEDIA_ERROR;
        }
    }

    return (level == end) ? NGX_MEDIA_ERROR : NGX_MEDIA_OK;
}


static void
ngx_media_template_digits(ngx_media_text_t *t, uint64_t v, unsigned width)
{
    uint64_t  limit;

    for (limit = 10; width > 1; width--, limit *= 10) {
        if (v < limit) {
            break;
        }
    }

    while (--width > 0 && width < 8) {
        ngx_media_text_lit(t, "0");
    }

    ngx_media_text_uint(t, v);
}


static void
ngx_media_template_put(ngx_media_text_t *t,
    const ngx_media_template_field_t *f,
    const ngx_media_template_vars_t *vars)
{
    const u_char                    *p;
    const ngx_media_template_str_t  *s;

    p = (const u_char *) vars + f->offset;

    switch (f->kind) {

    case NGX_MEDIA_TEMPLATE_IS_TEXT:
        s = (const ngx_media_template_str_t *) p;
        ngx_media_text_put(t, s->data, s->len);
        break;

    case NGX_MEDIA_TEMPLATE_IS_U64:
        ngx_media_text_uint(t, *(const uint64_t *) p);
        break;

    case NGX_MEDIA_TEMPLATE_IS_U32:
        ngx_media_template_digits(t, *(const uint32_t *) p, 2);
        break;

    default: /* NGX_MEDIA_TEMPLATE_IS_MSEC */
        ngx_media_template_digits(t, *(const uint64_t *) p % 1000, 3);
        break;
    }
}


ssize_t
ngx_media_template_write(const u_char *pos, const u_char *end,
    const ngx_media_template_vars_t *vars, u_char *dst, size_t n)
{
    size_t                             len;
    const u_char                      *p;
    ngx_media_text_t                   t;
    const ngx_media_template_field_t  *f;

    ngx_media_text_init(&t, dst, n);

    for (p = ngx_media_template_begin(pos, end); p < end; p += len) {

        len = ngx_media_template_length(p, end);

        if (len == 0) {
            len = 1;
            ngx_media_text_put(&t, p, 1);
            continue;
        }

        f = ngx_media_template_find(p, len);

        if (f == NULL) {
            return NGX_MEDIA_ERROR;
        }

        ngx_media_template_put(&t, f, vars);
    }

    if (t.len >= n
        || ngx_media_template_path(dst, dst + t.len) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    dst[t.len] = '\0';

    return (ssize_t) t.len;
}
