
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: AMF0 writer into a buffer of the caller, and the merging of metadata.
 * See ngx_media_amf.h.
 *
 * Specification: AMF 0 (2007-12) 2.
 */


#include "ngx_media_amf.h"
#include "ngx_media_bytes.h"


static u_char *ngx_media_amf_reserve(ngx_media_amf_out_t *w, size_t n);
static int ngx_media_amf_put_children(ngx_media_amf_out_t *w,
    ngx_media_amf_t *amf, const ngx_media_amf_value_t *v);
static int ngx_media_amf_meta_object(ngx_media_amf_t *amf,
    ngx_media_amf_value_t *object);
static void ngx_media_amf_meta_copy(ngx_media_amf_out_t *w,
    ngx_media_amf_t *amf, const ngx_media_amf_value_t *object,
    const ngx_media_amf_prop_t *props, size_t nprops, uint32_t *count);
static int ngx_media_amf_meta_replaced(const ngx_media_amf_str_t *key,
    const ngx_media_amf_prop_t *props, size_t nprops);
static void ngx_media_amf_meta_append(ngx_media_amf_out_t *w,
    const ngx_media_amf_prop_t *props, size_t nprops, uint32_t *count);


void
ngx_media_amf_out_init(ngx_media_amf_out_t *w, u_char *buf, size_t size)
{
    w->start = buf;
    w->pos = buf;
    w->end = buf + size;
    w->overflow = 0;
}


static u_char *
ngx_media_amf_reserve(ngx_media_amf_out_t *w, size_t n)
{
    u_char  *p;

    if (w->overflow || (size_t) (w->end - w->pos) < n) {
        w->overflow = 1;
        return NULL;
    }

    p = w->pos;
    w->pos += n;

    return p;
}


void
ngx_media_amf_put_number(ngx_media_amf_out_t *w, double v)
{
    u_char    *p;
    uint64_t   u;

    p = ngx_media_amf_reserve(w, 9);

    if (p) {
        memcpy(&u, &v, sizeof(uint64_t));
        *p++ = 0x00;
        ngx_media_put_be64(p, u);
    }
}


void
ngx_media_amf_put_boolean(ngx_media_amf_out_t *w, int v)
{
    u_char  *p;

    p = ngx_media_amf_reserve(w, 2);

    if (p) {
        *p++ = 0x01;
        *p = v != 0;
    }
}


void
ngx_media_amf_put_string(ngx_media_amf_out_t *w, const void *data, size_t len)
{
    u_char  *p;

    if (len > 0xffffffff) {
        w->overflow = 1;
        return;
    }

    p = ngx_media_amf_reserve(w, len > 0xffff ? 5 + len : 3 + len);

    if (p == NULL) {
        return;
    }

    if (len > 0xffff) {
        *p++ = 0x0c;
        p = ngx_media_put_be32(p, (uint32_t) len);

    } else {
        *p++ = 0x02;
        p = ngx_media_put_be16(p, (uint32_t) len);
    }

    ngx_media_put(p, data, len);
}


void
ngx_media_amf_put_cstr(ngx_media_amf_out_t *w, const char *s)
{
    ngx_media_amf_put_string(w, s, strlen(s));
}


void
ngx_media_amf_put_null(ngx_media_amf_out_t *w)
{
    ngx_media_amf_put_raw(w, "\x05", 1);
}


void
ngx_media_amf_put_undefined(ngx_media_amf_out_t *w)
{
    ngx_media_amf_put_raw(w, "\x06", 1);
}


void
ngx_media_amf_put_date(ngx_media_amf_out_t *w, double ms)
{
    u_char    *p;
    uint64_t   u;

    p = ngx_media_amf_reserve(w, 11);

    if (p) {
        memcpy(&u, &ms, sizeof(uint64_t));
        *p++ = 0x0b;
        p = ngx_media_put_be64(p, u);
        ngx_media_put_be16(p, 0);
    }
}


void
ngx_media_amf_put_object(ngx_media_amf_out_t *w)
{
    ngx_media_amf_put_raw(w, "\x03", 1);
}


void
ngx_media_amf_put_ecma_array(ngx_media_amf_out_t *w, uint32_t count)
{
    u_char  *p;

    p = ngx_media_amf_reserve(w, 5);

    if (p) {
        *p++ = 0x08;
        ngx_media_put_be32(p, count);
    }
}


void
ngx_media_amf_put_array(ngx_media_amf_out_t *w, uint32_t count)
{
    u_char  *p;

    p = ngx_media_amf_reserve(w, 5);

    if (p) {
        *p++ = 0x0a;
        ngx_media_put_be32(p, count);
    }
}


void
ngx_media_amf_put_key(ngx_media_amf_out_t *w, const void *data, size_t len)
{
    u_char  *p;

    if (len > 0xffff) {
        w->overflow = 1;
        return;
    }

    p = ngx_media_amf_reserve(w, 2 + len);

    if (p) {
        p = ngx_media_put_be16(p, (uint32_t) len);
        ngx_media_put(p, data, len);
    }
}


void
ngx_media_amf_put_end(ngx_media_amf_out_t *w)
{
    ngx_media_amf_put_raw(w, "\x00\x00\x09", 3);
}


void
ngx_media_amf_put_raw(ngx_media_amf_out_t *w, const void *data, size_t len)
{
    u_char  *p;

    p = ngx_media_amf_reserve(w, len);

    if (p) {
        ngx_media_put(p, data, len);
    }
}


void
ngx_media_amf_prop_number(ngx_media_amf_out_t *w, const char *key, double v)
{
    ngx_media_amf_put_key(w, key, strlen(key));
    ngx_media_amf_put_number(w, v);
}


void
ngx_media_amf_prop_boolean(ngx_media_amf_out_t *w, const char *key, int v)
{
    ngx_media_amf_put_key(w, key, strlen(key));
    ngx_media_amf_put_boolean(w, v);
}


void
ngx_media_amf_prop_cstr(ngx_media_amf_out_t *w, const char *key,
    const char *s)
{
    ngx_media_amf_prop_string(w, key, s, strlen(s));
}


void
ngx_media_amf_prop_string(ngx_media_amf_out_t *w, const char *key,
    const void *data, size_t len)
{
    ngx_media_amf_put_key(w, key, strlen(key));
    ngx_media_amf_put_string(w, data, len);
}


int
ngx_media_amf_put_value(ngx_media_amf_out_t *w, ngx_media_amf_t *amf,
    const ngx_media_amf_value_t *v)
{
    if (!v->amf3 && !v->cut && v->type != NGX_MEDIA_AMF_NONE) {
        ngx_media_amf_put_raw(w, v->start, (size_t) (v->end - v->start));
        return NGX_MEDIA_OK;
    }

    switch (v->type) {

    case NGX_MEDIA_AMF_NUMBER:
        ngx_media_amf_put_number(w, v->number);
        break;

    case NGX_MEDIA_AMF_BOOLEAN:
        ngx_media_amf_put_boolean(w, v->boolean);
        break;

    case NGX_MEDIA_AMF_STRING:
    case NGX_MEDIA_AMF_XML:
        ngx_media_amf_put_string(w, v->string.data, v->string.len);
        break;

    case NGX_MEDIA_AMF_UNDEFINED:
        ngx_media_amf_put_undefined(w);
        break;

    case NGX_MEDIA_AMF_DATE:
        ngx_media_amf_put_date(w, v->number);
        break;

    case NGX_MEDIA_AMF_OBJECT:
        ngx_media_amf_put_object(w);
        return ngx_media_amf_put_children(w, amf, v);

    case NGX_MEDIA_AMF_ECMA_ARRAY:
        ngx_media_amf_put_ecma_array(w, v->count);
        return ngx_media_amf_put_children(w, amf, v);

    case NGX_MEDIA_AMF_ARRAY:
        ngx_media_amf_put_array(w, v->count);
        return ngx_media_amf_put_children(w, amf, v);

    default:
        ngx_media_amf_put_null(w);
        break;
    }

    return NGX_MEDIA_OK;
}


/*
 * Recurses with put_value(), no deeper than the reader let it.  The elements
 * of an AMF3 array that has keys too are left out: AMF0 has no such thing.
 */

static int
ngx_media_amf_put_children(ngx_media_amf_out_t *w, ngx_media_amf_t *amf,
    const ngx_media_amf_value_t *v)
{
    int                    rc;
    ngx_media_amf_str_t    key;
    ngx_media_amf_iter_t   it;
    ngx_media_amf_value_t  child;

    ngx_media_amf_enter(amf, v, &it);

    for ( ;; ) {
        rc = ngx_media_amf_next(&it, &key, &child);

        if (rc != NGX_MEDIA_OK) {
            break;
        }

        if (w->overflow) {
            return NGX_MEDIA_OK;
        }

        if (v->type != NGX_MEDIA_AMF_ARRAY) {

            if (key.len == 0 && v->amf3) {
                continue;
            }

            ngx_media_amf_put_key(w, key.data, key.len);
        }

        if (ngx_media_amf_put_value(w, amf, &child) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }
    }

    if (rc == NGX_MEDIA_ERROR) {
        return NGX_MEDIA_ERROR;
    }

    if (v->type != NGX_MEDIA_AMF_ARRAY) {
        ngx_media_amf_put_end(w);
    }

    return NGX_MEDIA_OK;
}


ssize_t
ngx_media_amf_merge_metadata(const u_char *pos, const u_char *end,
    const ngx_media_amf_prop_t *props, size_t nprops, u_char *out,
    size_t size)
{
    u_char                 *mark;
    uint32_t                count;
    ngx_media_amf_t         amf;
    ngx_media_amf_out_t     w;
    ngx_media_amf_value_t   object;

    /* no metadata begins with a number, the marker of which is 0 */

    ngx_media_amf_init_flex(&amf, pos, end);

    if (ngx_media_amf_meta_object(&amf, &object) != NGX_MEDIA_OK) {
        return -1;
    }

    ngx_media_amf_out_init(&w, out, size);

    count = 0;

    ngx_media_amf_put_cstr(&w, "onMetaData");
    mark = w.pos;
    ngx_media_amf_put_ecma_array(&w, 0);

    if (object.type != NGX_MEDIA_AMF_NONE) {
        ngx_media_amf_meta_copy(&w, &amf, &object, props, nprops, &count);
    }

    ngx_media_amf_meta_append(&w, props, nprops, &count);
    ngx_media_amf_put_end(&w);

    if (w.overflow) {
        return -1;
    }

    ngx_media_put_be32(mark + 1, count);

    return (ssize_t) ngx_media_amf_out_size(&w);
}


/* Finds the object behind the names; type NONE where there is none. */

static int
ngx_media_amf_meta_object(ngx_media_amf_t *amf, ngx_media_amf_value_t *object)
{
    int  rc;

    rc = ngx_media_amf_read(amf, object);

    if (rc == NGX_MEDIA_DONE) {
        return NGX_MEDIA_OK;
    }

    if (rc == NGX_MEDIA_OK && ngx_media_amf_is(object, "@setDataFrame")) {
        rc = ngx_media_amf_read(amf, object);
    }

    if (rc != NGX_MEDIA_OK || !ngx_media_amf_is(object, "onMetaData")) {
        return NGX_MEDIA_ERROR;
    }

    /* only the head is read: the object may be cut off */

    while ((rc = ngx_media_amf_read_head(amf, object)) == NGX_MEDIA_OK) {

        if (object->type == NGX_MEDIA_AMF_OBJECT
            || object->type == NGX_MEDIA_AMF_ECMA_ARRAY)
        {
            return NGX_MEDIA_OK;
        }

        if (object->body.pos) {
            return NGX_MEDIA_ERROR;
        }
    }

    return rc == NGX_MEDIA_DONE ? NGX_MEDIA_OK : NGX_MEDIA_ERROR;
}


static void
ngx_media_amf_meta_copy(ngx_media_amf_out_t *w, ngx_media_amf_t *amf,
    const ngx_media_amf_value_t *object, const ngx_media_amf_prop_t *props,
    size_t nprops, uint32_t *count)
{
    u_char                 *mark;
    unsigned                i, j, n;
    ngx_media_amf_str_t     keys[NGX_MEDIA_AMF_META_PROPS], key;
    ngx_media_amf_iter_t    it;
    ngx_media_amf_value_t   value;

    /* the keys first, to know which occur again */

    n = 0;

    ngx_media_amf_enter(amf, object, &it);

    while (n < NGX_MEDIA_AMF_META_PROPS
           && ngx_media_amf_next(&it, &keys[n], &value) == NGX_MEDIA_OK)
    {
        n++;
    }

    ngx_media_amf_enter(amf, object, &it);

    for (i = 0; i < n; i++) {

        if (ngx_media_amf_next(&it, &key, &value) != NGX_MEDIA_OK) {
            return;
        }

        if (key.len == 0 || ngx_media_amf_meta_replaced(&key, props, nprops)) {
            continue;
        }

        for (j = i + 1; j < n; j++) {
            if (keys[j].len == key.len
                && memcmp(keys[j].data, key.data, key.len) == 0)
            {
                break;
            }
        }

        if (j != n) {
            continue;
        }

        mark = w->pos;

        ngx_media_amf_put_key(w, key.data, key.len);

        if (ngx_media_amf_put_value(w, amf, &value) != NGX_MEDIA_OK) {
            w->pos = mark;
            continue;
        }

        (*count)++;
    }
}


static int
ngx_media_amf_meta_replaced(const ngx_media_amf_str_t *key,
    const ngx_media_amf_prop_t *props, size_t nprops)
{
    size_t  i;

    for (i = 0; i < nprops; i++) {
        if (ngx_media_amf_str_is(key, props[i].key)) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_media_amf_meta_append(ngx_media_amf_out_t *w,
    const ngx_media_amf_prop_t *props, size_t nprops, uint32_t *count)
{
    size_t  i;

    for (i = 0; i < nprops; i++) {

        switch (props[i].type) {

        case NGX_MEDIA_AMF_NUMBER:
            ngx_media_amf_prop_number(w, props[i].key, props[i].number);
            break;

        case NGX_MEDIA_AMF_BOOLEAN:
            ngx_media_amf_prop_boolean(w, props[i].key, props[i].boolean);
            break;

        case NGX_MEDIA_AMF_STRING:
            ngx_media_amf_prop_string(w, props[i].key, props[i].string.data,
                                      props[i].string.len);
            break;

        default:
            continue;
        }

        (*count)++;
    }
}
