
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: reads JSON.  See ngx_media_json_read.h.
 */


#include "ngx_media_json_read.h"

#include <string.h>


static const u_char *ngx_media_json_space(const u_char *pos,
    const u_char *end);
static const u_char *ngx_media_json_skip(const u_char *pos, const u_char *end,
    ngx_media_json_value_t *value);
static const u_char *ngx_media_json_skip_nested(const u_char *pos,
    const u_char *end, ngx_media_json_value_t *value, unsigned depth);
static const u_char *ngx_media_json_skip_list(const u_char *pos,
    const u_char *end, unsigned depth);
static const u_char *ngx_media_json_skip_string(const u_char *pos,
    const u_char *end);
static const u_char *ngx_media_json_skip_number(const u_char *pos,
    const u_char *end);
static const u_char *ngx_media_json_skip_digits(const u_char *pos,
    const u_char *end);
static const u_char *ngx_media_json_skip_word(const u_char *pos,
    const u_char *end, const char *word);
static int ngx_media_json_named(const ngx_media_json_value_t *key,
    const char *name);
static const u_char *ngx_media_json_unescape(const u_char *pos,
    uint32_t *code);
static const u_char *ngx_media_json_hex4(const u_char *pos, uint32_t *code);
static size_t ngx_media_json_utf8(uint32_t code, u_char *utf8);


static const u_char *
ngx_media_json_space(const u_char *pos, const u_char *end)
{
    while (pos < end
           && (*pos == ' ' || *pos == '\t' || *pos == '\n' || *pos == '\r'))
    {
        pos++;
    }

    return pos;
}


/* white space and a value; the place behind it, NULL where there is none */

static const u_char *
ngx_media_json_skip(const u_char *pos, const u_char *end,
    ngx_media_json_value_t *value)
{
    return ngx_media_json_skip_nested(pos, end, value, 0);
}


static const u_char *
ngx_media_json_skip_nested(const u_char *pos, const u_char *end,
    ngx_media_json_value_t *value, unsigned depth)
{
    pos = ngx_media_json_space(pos, end);

    if (pos == end) {
        return NULL;
    }

    value->pos = pos;

    switch (*pos) {

    case '{':
        value->type = NGX_MEDIA_JSON_OBJECT;
        pos = ngx_media_json_skip_list(pos, end, depth + 1);
        break;

    case '[':
        value->type = NGX_MEDIA_JSON_ARRAY;
        pos = ngx_media_json_skip_list(pos, end, depth + 1);
        break;

    case '"':
        value->type = NGX_MEDIA_JSON_STRING;
        pos = ngx_media_json_skip_string(pos, end);
        break;

    case 'n':
        value->type = NGX_MEDIA_JSON_NULL;
        pos = ngx_media_json_skip_word(pos, end, "null");
        break;

    case 't':
        value->type = NGX_MEDIA_JSON_TRUE;
        pos = ngx_media_json_skip_word(pos, end, "true");
        break;

    case 'f':
        value->type = NGX_MEDIA_JSON_FALSE;
        pos = ngx_media_json_skip_word(pos, end, "false");
        break;

    default:
        value->type = NGX_MEDIA_JSON_NUMBER;
        pos = ngx_media_json_skip_number(pos, end);
        break;
    }

    value->end = pos;

    return pos;
}


/* an object or an array, from its bracket on */

static const u_char *
ngx_media_json_skip_list(const u_char *pos, const u_char *end, unsigned depth)
{
    u_char                  close;
    ngx_media_json_value_t  value;

    if (depth > NGX_MEDIA_JSON_READ_DEPTH) {
        return NULL;
    }

    close = (*pos == '{') ? '}' : ']';
    pos = ngx_media_json_space(pos + 1, end);

    if (pos < end && *pos == close) {
        return pos + 1;
    }

    for ( ;; ) {

        if (close == '}') {
            pos = ngx_media_json_space(pos, end);

            if (pos == end || *pos != '"') {
                return NULL;
            }

            pos = ngx_media_json_skip_string(pos, end);

            if (pos == NULL) {
                return NULL;
            }

            pos = ngx_media_json_space(pos, end);

            if (pos == end || *pos++ != ':') {
                return NULL;
            }
        }

        pos = ngx_media_json_skip_nested(pos, end, &value, depth);

        if (pos == NULL) {
            return NULL;
        }

        pos = ngx_media_json_space(pos, end);

        if (pos == end) {
            return NULL;
        }

        if (*pos == close) {
            return pos + 1;
        }

        if (*pos++ != ',') {
            return NULL;
        }
    }
}


static const u_char *
ngx_media_json_skip_string(const u_char *pos, const u_char *end)
{
    uint32_t  code;

    for (pos++; pos < end; pos++) {

        if (*pos == '"') {
            return pos + 1;
        }

        if (*pos < 0x20) {
            return NULL;
        }

        if (*pos != '\\') {
            continue;
        }

        pos++;

        if (pos == end) {
            return NULL;
        }

        if (*pos == 'u') {

            if ((size_t) (end - pos) < 5
                || ngx_media_json_hex4(pos + 1, &code) == NULL)
            {
                return NULL;
            }

            pos += 4;

        } else if (*pos == '\0' || strchr("\"\\/bfnrt", *pos) == NULL) {
            return NULL;
        }
    }

    return NULL;
}


static const u_char *
ngx_media_json_skip_number(const u_char *pos, const u_char *end)
{
    if (pos < end && *pos == '-') {
        pos++;
    }

    if (pos < end && *pos == '0') {
        pos++;

    } else {
        pos = ngx_media_json_skip_digits(pos, end);
    }

    if (pos && pos < end && *pos == '.') {
        pos = ngx_media_json_skip_digits(pos + 1, end);
    }

    if (pos && pos < end && (*pos == 'e' || *pos == 'E')) {
        pos++;

        if (pos < end && (*pos == '+' || *pos == '-')) {
            pos++;
        }

        pos = ngx_media_json_skip_digits(pos, end);
    }

    return pos;
}


/* one or more of them */

static const u_char *
ngx_media_json_skip_digits(const u_char *pos, const u_char *end)
{
    const u_char  *p;

    for (p = pos; p < end && *p >= '0' && *p <= '9'; p++) { /* void */ }

    return (p == pos) ? NULL : p;
}


static const u_char *
ngx_media_json_skip_word(const u_char *pos, const u_char *end,
    const char *word)
{
    size_t  n;

    n = strlen(word);

    if ((size_t) (end - pos) < n || memcmp(pos, word, n) != 0) {
        return NULL;
    }

    return pos + n;
}


int
ngx_media_json_parse(ngx_media_json_value_t *value, const u_char *pos,
    const u_char *end)
{
    pos = ngx_media_json_skip(pos, end, value);

    if (pos == NULL || ngx_media_json_space(pos, end) != end) {
        return NGX_MEDIA_ERROR;
    }

    return NGX_MEDIA_OK;
}


int
ngx_media_json_member(const ngx_media_json_value_t *object, const char *name,
    ngx_media_json_value_t *value)
{
    int                      found;
    const u_char            *pos;
    ngx_media_json_value_t   key, v;

    if (object->type != NGX_MEDIA_JSON_OBJECT) {
        return NGX_MEDIA_ERROR;
    }

    found = 0;
    pos = ngx_media_json_space(object->pos + 1, object->end);

    while (*pos != '}') {
        pos = ngx_media_json_skip(pos, object->end, &key);
        pos = ngx_media_json_space(pos, object->end);
        pos = ngx_media_json_skip(pos + 1, object->end, &v);

        if (ngx_media_json_named(&key, name)) {

            if (found) {
                return NGX_MEDIA_ERROR;
            }

            found = 1;
            *value = v;
        }

        pos = ngx_media_json_space(pos, object->end);

        if (*pos == ',') {
            pos++;
        }
    }

    return found ? NGX_MEDIA_OK : NGX_MEDIA_DECLINED;
}


static int
ngx_media_json_named(const ngx_media_json_value_t *key, const char *name)
{
    u_char   buf[64];
    ssize_t  n;

    n = ngx_media_json_string(key, buf, sizeof(buf));

    return n >= 0 && (size_t) n == strlen(name)
           && memcmp(buf, name, (size_t) n) == 0;
}


int
ngx_media_json_element(const ngx_media_json_value_t *array,
    ngx_media_json_value_t *element)
{
    const u_char  *pos;

    if (array->type != NGX_MEDIA_JSON_ARRAY) {
        return NGX_MEDIA_DONE;
    }

    if (element->pos == NULL) {
        pos = ngx_media_json_space(array->pos + 1, array->end);

        if (*pos == ']') {
            return NGX_MEDIA_DONE;
        }

    } else {
        pos = ngx_media_json_space(element->end, array->end);

        if (*pos != ',') {
            return NGX_MEDIA_DONE;
        }

        pos++;
    }

    (void) ngx_media_json_skip(pos, array->end, element);

    return NGX_MEDIA_OK;
}


ssize_t
ngx_media_json_string(const ngx_media_json_value_t *value, u_char *buf,
    size_t size)
{
    size_t         n, len;
    u_char         utf8[4];
    uint32_t       code;
    const u_char  *pos, *last;

    if (value->type != NGX_MEDIA_JSON_STRING) {
        return -1;
    }

    len = 0;
    last = value->end - 1;

    for (pos = value->pos + 1; pos < last; /* void */ ) {

        if (*pos != '\\') {
            utf8[0] = *pos++;
            n = 1;

        } else {
            pos = ngx_media_json_unescape(pos, &code);

            if (pos == NULL) {
                return -1;
            }

            n = ngx_media_json_utf8(code, utf8);
        }

        if (size - len < n) {
            return -1;
        }

        memcpy(buf + len, utf8, n);
        len += n;
    }

    return (ssize_t) len;
}


/* from the backslash on; the place behind the escape */

static const u_char *
ngx_media_json_unescape(const u_char *pos, uint32_t *code)
{
    uint32_t     low;
    const char  *p;

    static const char  from[] = "\"\\/bfnrt";
    static const char  to[] = "\"\\/\b\f\n\r\t";

    pos++;

    if (*pos != 'u') {
        p = strchr(from, *pos);
        *code = (uint32_t) (u_char) to[p - from];

        return pos + 1;
    }

    pos = ngx_media_json_hex4(pos + 1, code);

    if (*code < 0xd800 || *code > 0xdfff) {
        return pos;
    }

    /* a pair; the closing quote is behind whatever stands here */

    if (*code > 0xdbff || pos[0] != '\\' || pos[1] != 'u') {
        return NULL;
    }

    pos = ngx_media_json_hex4(pos + 2, &low);

    if (low < 0xdc00 || low > 0xdfff) {
        return NULL;
    }

    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);

    return pos;
}


static const u_char *
ngx_media_json_hex4(const u_char *pos, uint32_t *code)
{
    u_char    ch;
    unsigned  i;

    *code = 0;

    for (i = 0; i < 4; i++) {
        ch = pos[i];

        if (ch >= '0' && ch <= '9') {
            *code = *code << 4 | (uint32_t) (ch - '0');
            continue;
        }

        ch |= 0x20;

        if (ch < 'a' || ch > 'f') {
            return NULL;
        }

        *code = *code << 4 | (uint32_t) (ch - 'a' + 10);
    }

    return pos + 4;
}


static size_t
ngx_media_json_utf8(uint32_t code, u_char *utf8)
{
    if (code < 0x80) {
        utf8[0] = (u_char) code;
        return 1;
    }

    if (code < 0x800) {
        utf8[0] = (u_char) (0xc0 | code >> 6);
        utf8[1] = (u_char) (0x80 | (code & 0x3f));
        return 2;
    }

    if (code < 0x10000) {
        utf8[0] = (u_char) (0xe0 | code >> 12);
        utf8[1] = (u_char) (0x80 | (code >> 6 & 0x3f));
        utf8[2] = (u_char) (0x80 | (code & 0x3f));
        return 3;
    }

    utf8[0] = (u_char) (0xf0 | code >> 18);
    utf8[1] = (u_char) (0x80 | (code >> 12 & 0x3f));
    utf8[2] = (u_char) (0x80 | (code >> 6 & 0x3f));
    utf8[3] = (u_char) (0x80 | (code & 0x3f));

    return 4;
}


int
ngx_media_json_integer(const ngx_media_json_value_t *value, int64_t *n)
{
    int            minus;
    unsigned       digits;
    const u_char  *p;

    if (value->type != NGX_MEDIA_JSON_NUMBER) {
        return NGX_MEDIA_ERROR;
    }

    p = value->pos;
    minus = (*p == '-');
    p += minus;

    *n = 0;

    for (digits = 0; p < value->end && *p >= '0' && *p <= '9'; p++) {

        if (++digits > 15) {
            return NGX_MEDIA_ERROR;
        }

        *n = *n * 10 + (*p - '0');
    }

    for ( /* void */ ; p < value->end; p++) {
        if (*p == 'e' || *p == 'E') {
            return NGX_MEDIA_ERROR;
        }
    }

    if (minus) {
        *n = -*n;
    }

    return NGX_MEDIA_OK;
}
