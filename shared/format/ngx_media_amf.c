
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: AMF0 and AMF3 reader.  A value is read in two steps: its head (marker,
 * scalar content, header of a container) and, for a container, a walk over
 * its children with the iterator that callers use too.  The walk over AMF3
 * children fills the reference tables; a second walk starts from the table
 * sizes noted in the value and writes the same entries again.
 *
 * Specifications: AMF 0 (2007-12) 2, AMF 3 (2013-01) 3 and 4.1.
 */


#include "ngx_media_amf.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_AMF0_NUMBER        0x00
#define NGX_MEDIA_AMF0_BOOLEAN       0x01
#define NGX_MEDIA_AMF0_STRING        0x02
#define NGX_MEDIA_AMF0_OBJECT        0x03
#define NGX_MEDIA_AMF0_NULL          0x05
#define NGX_MEDIA_AMF0_UNDEFINED     0x06
#define NGX_MEDIA_AMF0_REFERENCE     0x07
#define NGX_MEDIA_AMF0_ECMA_ARRAY    0x08
#define NGX_MEDIA_AMF0_END           0x09
#define NGX_MEDIA_AMF0_ARRAY         0x0a
#define NGX_MEDIA_AMF0_DATE          0x0b
#define NGX_MEDIA_AMF0_LONG_STRING   0x0c
#define NGX_MEDIA_AMF0_UNSUPPORTED   0x0d
#define NGX_MEDIA_AMF0_XML           0x0f
#define NGX_MEDIA_AMF0_TYPED_OBJECT  0x10
#define NGX_MEDIA_AMF0_AVMPLUS       0x11

#define NGX_MEDIA_AMF3_UNDEFINED     0x00
#define NGX_MEDIA_AMF3_NULL          0x01
#define NGX_MEDIA_AMF3_FALSE         0x02
#define NGX_MEDIA_AMF3_TRUE          0x03
#define NGX_MEDIA_AMF3_INTEGER       0x04
#define NGX_MEDIA_AMF3_DOUBLE        0x05
#define NGX_MEDIA_AMF3_STRING        0x06
#define NGX_MEDIA_AMF3_XML_DOC       0x07
#define NGX_MEDIA_AMF3_DATE          0x08
#define NGX_MEDIA_AMF3_ARRAY         0x09
#define NGX_MEDIA_AMF3_OBJECT        0x0a
#define NGX_MEDIA_AMF3_XML           0x0b
#define NGX_MEDIA_AMF3_BYTES         0x0c
#define NGX_MEDIA_AMF3_VECTOR_INT    0x0d
#define NGX_MEDIA_AMF3_VECTOR_UINT   0x0e
#define NGX_MEDIA_AMF3_VECTOR_DOUBLE 0x0f
#define NGX_MEDIA_AMF3_VECTOR_OBJECT 0x10
#define NGX_MEDIA_AMF3_DICTIONARY    0x11


#define ngx_media_amf_room(cur, n)                                            \
    ((size_t) ((cur)->end - (cur)->pos) >= (size_t) (n))


static int ngx_media_amf_value(ngx_media_amf_t *amf,
    ngx_media_amf_cursor_t *cur, ngx_media_amf_value_t *v);
static int ngx_media_amf_head(ngx_media_amf_t *amf,
    ngx_media_amf_cursor_t *cur, ngx_media_amf_value_t *v);
static int ngx_media_amf0_head(ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v);
static int ngx_media_amf0_container(ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v, unsigned marker);
static int ngx_media_amf3_head(ngx_media_amf_t *amf,
    ngx_media_amf_cursor_t *cur, ngx_media_amf_value_t *v);
static int ngx_media_amf3_sized(ngx_media_amf_t *amf,
    ngx_media_amf_cursor_t *cur, ngx_media_amf_value_t *v, unsigned marker);
static int ngx_media_amf3_object(ngx_media_amf_t *amf,
    ngx_media_amf_cursor_t *cur, ngx_media_amf_value_t *v, uint32_t u);
static int ngx_media_amf3_traits(ngx_media_amf_t *amf,
    ngx_media_amf_cursor_t *cur, ngx_media_amf_traits_t *traits, uint32_t u);
static int ngx_media_amf3_external(const ngx_media_amf_traits_t *traits,
    ngx_media_amf_value_t *v);
static int ngx_media_amf3_vector(ngx_media_amf_t *amf,
    ngx_media_amf_cursor_t *cur, ngx_media_amf_value_t *v, unsigned marker,
    uint32_t count);
static int ngx_media_amf_walk(ngx_media_amf_t *amf,
    ngx_media_amf_cursor_t *cur, ngx_media_amf_value_t *v);
static void ngx_media_amf_start(ngx_media_amf_t *amf,
    const ngx_media_amf_value_t *v, ngx_media_amf_iter_t *it);
static int ngx_media_amf0_next(ngx_media_amf_iter_t *it,
    ngx_media_amf_str_t *key, ngx_media_amf_value_t *v);
static int ngx_media_amf3_next(ngx_media_amf_iter_t *it,
    ngx_media_amf_str_t *key, ngx_media_amf_value_t *v);
static int ngx_media_amf0_string(ngx_media_amf_cursor_t *cur, unsigned bytes,
    ngx_media_amf_str_t *s);
static int ngx_media_amf3_u29(ngx_media_amf_cursor_t *cur, uint32_t *u);
static int ngx_media_amf3_string(ngx_media_amf_t *amf,
    ngx_media_amf_cursor_t *cur, ngx_media_amf_str_t *s);
static double ngx_media_amf_double(const u_char *p);


void
ngx_media_amf_init(ngx_media_amf_t *amf, const u_char *pos, const u_char *end)
{
    memset(&amf->cur, 0, sizeof(ngx_media_amf_cursor_t));

    amf->cur.pos = pos;
    amf->cur.end = end;
}


void
ngx_media_amf_init_amf3(ngx_media_amf_t *amf, const u_char *pos,
    const u_char *end)
{
    ngx_media_amf_init(amf, pos, end);

    amf->cur.amf3 = 1;
}


void
ngx_media_amf_init_flex(ngx_media_amf_t *amf, const u_char *pos,
    const u_char *end)
{
    if (pos != end && *pos == 0) {
        pos++;
    }

    ngx_media_amf_init(amf, pos, end);
}


int
ngx_media_amf_read(ngx_media_amf_t *amf, ngx_media_amf_value_t *v)
{
    if (amf->cur.pos == amf->cur.end) {
        memset(v, 0, sizeof(ngx_media_amf_value_t));
        return NGX_MEDIA_DONE;
    }

    return ngx_media_amf_value(amf, &amf->cur, v);
}


int
ngx_media_amf_read_head(ngx_media_amf_t *amf, ngx_media_amf_value_t *v)
{
    if (amf->cur.pos == amf->cur.end) {
        memset(v, 0, sizeof(ngx_media_amf_value_t));
        return NGX_MEDIA_DONE;
    }

    return ngx_media_amf_head(amf, &amf->cur, v);
}


static int
ngx_media_amf_value(ngx_media_amf_t *amf, ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v)
{
    if (ngx_media_amf_head(amf, cur, v) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    if (v->body.pos && ngx_media_amf_walk(amf, cur, v) != NGX_MEDIA_OK) {
        v->type = NGX_MEDIA_AMF_NONE;
        return NGX_MEDIA_ERROR;
    }

    v->end = cur->pos;

    return NGX_MEDIA_OK;
}


/* The head; of a container cur is then at its first child, as v->body. */

static int
ngx_media_amf_head(ngx_media_amf_t *amf, ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v)
{
    int      rc;
    uint8_t  amf3;

    memset(v, 0, sizeof(ngx_media_amf_value_t));

    v->start = cur->pos;

    if (cur->pos == cur->end) {
        return NGX_MEDIA_ERROR;
    }

    amf3 = cur->amf3;

    if (!amf3 && *cur->pos == NGX_MEDIA_AMF0_AVMPLUS) {
        cur->pos++;
        cur->amf3 = 1;
    }

    v->amf3 = cur->amf3;

    rc = cur->amf3 ? ngx_media_amf3_head(amf, cur, v)
                   : ngx_media_amf0_head(cur, v);

    if (rc == NGX_MEDIA_OK && v->body.pos) {

        if (cur->depth == NGX_MEDIA_AMF_DEPTH) {
            rc = NGX_MEDIA_ERROR;
        }

        v->body = *cur;
        v->body.depth++;
    }

    cur->amf3 = amf3;

    if (rc != NGX_MEDIA_OK) {
        v->type = NGX_MEDIA_AMF_NONE;
        v->body.pos = NULL;
        return NGX_MEDIA_ERROR;
    }

    v->end = cur->pos;

    return NGX_MEDIA_OK;
}


static int
ngx_media_amf0_head(ngx_media_amf_cursor_t *cur, ngx_media_amf_value_t *v)
{
    unsigned  marker;

    marker = *cur->pos++;

    switch (marker) {

    case NGX_MEDIA_AMF0_NUMBER:
    case NGX_MEDIA_AMF0_DATE:

        if (!ngx_media_amf_room(cur, marker ? 10 : 8)) {
            return NGX_MEDIA_ERROR;
        }

        v->type = marker ? NGX_MEDIA_AMF_DATE : NGX_MEDIA_AMF_NUMBER;
        v->number = ngx_media_amf_double(cur->pos);
        cur->pos += marker ? 10 : 8;

        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF0_BOOLEAN:

        if (!ngx_media_amf_room(cur, 1)) {
            return NGX_MEDIA_ERROR;
        }

        v->type = NGX_MEDIA_AMF_BOOLEAN;
        v->boolean = *cur->pos++ != 0;

        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF0_STRING:
        v->type = NGX_MEDIA_AMF_STRING;
        return ngx_media_amf0_string(cur, 2, &v->string);

    case NGX_MEDIA_AMF0_LONG_STRING:
        v->type = NGX_MEDIA_AMF_STRING;
        return ngx_media_amf0_string(cur, 4, &v->string);

    case NGX_MEDIA_AMF0_XML:
        v->type = NGX_MEDIA_AMF_XML;
        return ngx_media_amf0_string(cur, 4, &v->string);

    case NGX_MEDIA_AMF0_NULL:
        v->type = NGX_MEDIA_AMF_NULL;
        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF0_UNDEFINED:
    case NGX_MEDIA_AMF0_UNSUPPORTED:
        v->type = NGX_MEDIA_AMF_UNDEFINED;
        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF0_REFERENCE:

        if (!ngx_media_amf_room(cur, 2)) {
            return NGX_MEDIA_ERROR;
        }

        v->type = NGX_MEDIA_AMF_REFERENCE;
        v->number = ngx_media_get_be16(cur->pos);
        cur->pos += 2;

        return NGX_MEDIA_OK;

    default:
        return ngx_media_amf0_container(cur, v, marker);
    }
}


static int
ngx_media_amf0_container(ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v, unsigned marker)
{
    switch (marker) {

    case NGX_MEDIA_AMF0_OBJECT:
        v->type = NGX_MEDIA_AMF_OBJECT;
        break;

    case NGX_MEDIA_AMF0_TYPED_OBJECT:

        if (ngx_media_amf0_string(cur, 2, &v->string) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }

        v->type = NGX_MEDIA_AMF_OBJECT;
        break;

    case NGX_MEDIA_AMF0_ECMA_ARRAY:
    case NGX_MEDIA_AMF0_ARRAY:

        if (!ngx_media_amf_room(cur, 4)) {
            return NGX_MEDIA_ERROR;
        }

        v->type = marker == NGX_MEDIA_AMF0_ARRAY ? NGX_MEDIA_AMF_ARRAY
                                                 : NGX_MEDIA_AMF_ECMA_ARRAY;
        v->count = ngx_media_get_be32(cur->pos);
        cur->pos += 4;
        break;

    default:
        return NGX_MEDIA_ERROR;
    }

    v->body.pos = cur->pos;

    return NGX_MEDIA_OK;
}


static int
ngx_media_amf3_head(ngx_media_amf_t *amf, ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v)
{
    unsigned  marker;
    uint32_t  u;

    if (!ngx_media_amf_room(cur, 1)) {
        return NGX_MEDIA_ERROR;
    }

    marker = *cur->pos++;

    switch (marker) {

    case NGX_MEDIA_AMF3_UNDEFINED:
        v->type = NGX_MEDIA_AMF_UNDEFINED;
        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF3_NULL:
        v->type = NGX_MEDIA_AMF_NULL;
        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF3_FALSE:
    case NGX_MEDIA_AMF3_TRUE:
        v->type = NGX_MEDIA_AMF_BOOLEAN;
        v->boolean = marker == NGX_MEDIA_AMF3_TRUE;
        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF3_INTEGER:

        if (ngx_media_amf3_u29(cur, &u) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }

        v->type = NGX_MEDIA_AMF_NUMBER;
        v->number = (u & 0x10000000) ? (double) u - 0x20000000 : (double) u;

        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF3_DOUBLE:

        if (!ngx_media_amf_room(cur, 8)) {
            return NGX_MEDIA_ERROR;
        }

        v->type = NGX_MEDIA_AMF_NUMBER;
        v->number = ngx_media_amf_double(cur->pos);
        cur->pos += 8;

        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF3_STRING:
        v->type = NGX_MEDIA_AMF_STRING;
        return ngx_media_amf3_string(amf, cur, &v->string);

    default:
        return ngx_media_amf3_sized(amf, cur, v, marker);
    }
}


/* AMF3 values that begin with a reference or a size. */

static int
ngx_media_amf3_sized(ngx_media_amf_t *amf, ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v, unsigned marker)
{
    uint32_t  u;

    if (marker > NGX_MEDIA_AMF3_DICTIONARY
        || ngx_media_amf3_u29(cur, &u) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    if (!(u & 1)) {
        v->type = NGX_MEDIA_AMF_REFERENCE;
        v->number = u >> 1;
        return NGX_MEDIA_OK;
    }

    switch (marker) {

    case NGX_MEDIA_AMF3_XML_DOC:
    case NGX_MEDIA_AMF3_XML:
    case NGX_MEDIA_AMF3_BYTES:

        if (!ngx_media_amf_room(cur, u >> 1)) {
            return NGX_MEDIA_ERROR;
        }

        v->type = marker == NGX_MEDIA_AMF3_BYTES ? NGX_MEDIA_AMF_BYTES
                                                 : NGX_MEDIA_AMF_XML;
        v->string.data = cur->pos;
        v->string.len = u >> 1;
        cur->pos += u >> 1;

        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF3_DATE:

        if (!ngx_media_amf_room(cur, 8)) {
            return NGX_MEDIA_ERROR;
        }

        v->type = NGX_MEDIA_AMF_DATE;
        v->number = ngx_media_amf_double(cur->pos);
        cur->pos += 8;

        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF3_ARRAY:

        if (!ngx_media_amf_room(cur, 1)) {
            return NGX_MEDIA_ERROR;
        }

        /* an empty first key: there is no keyed part */

        v->type = *cur->pos == 1 ? NGX_MEDIA_AMF_ARRAY
                                 : NGX_MEDIA_AMF_ECMA_ARRAY;
        v->keyed = 1;
        v->count = u >> 1;
        v->body.pos = cur->pos;

        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF3_OBJECT:
        return ngx_media_amf3_object(amf, cur, v, u);

    default:
        return ngx_media_amf3_vector(amf, cur, v, marker, u >> 1);
    }
}


static int
ngx_media_amf3_object(ngx_media_amf_t *amf, ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v, uint32_t u)
{
    uint32_t                 n;
    ngx_media_amf_traits_t  *t;

    n = (u & 2) ? cur->ntraits : u >> 2;

    if (n >= NGX_MEDIA_AMF_TRAITS) {
        return NGX_MEDIA_ERROR;
    }

    t = &amf->traits[n];

    if (u & 2) {

        if (ngx_media_amf3_traits(amf, cur, t, u) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }

        cur->ntraits++;

    } else if (n >= cur->ntraits) {
        return NGX_MEDIA_ERROR;
    }

    v->body.pos = cur->pos;
    v->string = t->name;

    if (t->external) {
        return ngx_media_amf3_external(t, v);
    }

    v->type = NGX_MEDIA_AMF_OBJECT;
    v->trait = n;
    v->count = t->sealed;
    v->keyed = t->dynamic;

    return NGX_MEDIA_OK;
}


static int
ngx_media_amf3_traits(ngx_media_amf_t *amf, ngx_media_amf_cursor_t *cur,
    ngx_media_amf_traits_t *traits, uint32_t u)
{
    uint32_t             i;
    ngx_media_amf_str_t  name;

    if (ngx_media_amf3_string(amf, cur, &traits->name) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    traits->external = (u & 4) != 0;
    traits->dynamic = !traits->external && (u & 8) != 0;
    traits->sealed = traits->external ? 0 : u >> 4;
    traits->nstrings = cur->nstrings;
    traits->pos = cur->pos;

    for (i = 0; i < traits->sealed; i++) {
        if (ngx_media_amf3_string(amf, cur, &name) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }
    }

    return NGX_MEDIA_OK;
}


/*
 * Externalizable classes have a form of their own; those of Flex that hold
 * exactly one value are known.
 */

static int
ngx_media_amf3_external(const ngx_media_amf_traits_t *traits,
    ngx_media_amf_value_t *v)
{
    if (ngx_media_amf_str_is(&traits->name,
                             "flex.messaging.io.ArrayCollection")
        || ngx_media_amf_str_is(&traits->name,
                                "flex.messaging.io.ArrayList")
        || ngx_media_amf_str_is(&traits->name,
                                "flex.messaging.io.ObjectProxy"))
    {
        v->type = NGX_MEDIA_AMF_OPAQUE;
        v->count = 1;
        return NGX_MEDIA_OK;
    }

    return NGX_MEDIA_ERROR;
}


static int
ngx_media_amf3_vector(ngx_media_amf_t *amf, ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v, unsigned marker, uint32_t count)
{
    size_t               size;
    ngx_media_amf_str_t  name;

    /* fixed vector or weak keys */

    if (!ngx_media_amf_room(cur, 1)) {
        return NGX_MEDIA_ERROR;
    }

    cur->pos++;

    v->type = NGX_MEDIA_AMF_OPAQUE;

    switch (marker) {

    case NGX_MEDIA_AMF3_VECTOR_INT:
    case NGX_MEDIA_AMF3_VECTOR_UINT:
    case NGX_MEDIA_AMF3_VECTOR_DOUBLE:

        size = (size_t) count
               * (marker == NGX_MEDIA_AMF3_VECTOR_DOUBLE ? 8 : 4);

        if (!ngx_media_amf_room(cur, size)) {
            return NGX_MEDIA_ERROR;
        }

        cur->pos += size;

        return NGX_MEDIA_OK;

    case NGX_MEDIA_AMF3_VECTOR_OBJECT:

        if (ngx_media_amf3_string(amf, cur, &name) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }

        v->count = count;
        break;

    case NGX_MEDIA_AMF3_DICTIONARY:
        v->count = count * 2;
        break;

    default:
        return NGX_MEDIA_ERROR;
    }

    v->body.pos = cur->pos;

    return NGX_MEDIA_OK;
}


/* Steps over the children of a container; cur ends after it. */

static int
ngx_media_amf_walk(ngx_media_amf_t *amf, ngx_media_amf_cursor_t *cur,
    ngx_media_amf_value_t *v)
{
    int                    rc;
    ngx_media_amf_str_t    key;
    ngx_media_amf_iter_t   it;
    ngx_media_amf_value_t  child;

    ngx_media_amf_start(amf, v, &it);

    do {
        rc = ngx_media_amf_next(&it, &key, &child);
    } while (rc == NGX_MEDIA_OK);

    if (rc == NGX_MEDIA_ERROR) {
        return NGX_MEDIA_ERROR;
    }

    cur->pos = it.cur.pos;
    cur->nstrings = it.cur.nstrings;
    cur->ntraits = it.cur.ntraits;
    cur->cut |= it.cur.cut;

    v->cut = it.cur.cut;

    return NGX_MEDIA_OK;
}


void
ngx_media_amf_enter(ngx_media_amf_t *amf, const ngx_media_amf_value_t *v,
    ngx_media_amf_iter_t *it)
{
    ngx_media_amf_start(amf, v, it);

    if (v->type != NGX_MEDIA_AMF_OBJECT
        && v->type != NGX_MEDIA_AMF_ECMA_ARRAY
        && v->type != NGX_MEDIA_AMF_ARRAY)
    {
        it->type = NGX_MEDIA_AMF_NONE;
    }
}


static void
ngx_media_amf_start(ngx_media_amf_t *amf, const ngx_media_amf_value_t *v,
    ngx_media_amf_iter_t *it)
{
    memset(it, 0, sizeof(ngx_media_amf_iter_t));

    it->amf = amf;
    it->cur = v->body;
    it->type = v->type;
    it->left = v->count;
    it->keyed = v->keyed;

    if (v->amf3 && v->type == NGX_MEDIA_AMF_OBJECT) {
        it->names = v->body;
        it->names.pos = amf->traits[v->trait].pos;
        it->names.nstrings = amf->traits[v->trait].nstrings;
    }
}


int
ngx_media_amf_next(ngx_media_amf_iter_t *it, ngx_media_amf_str_t *key,
    ngx_media_amf_value_t *v)
{
    int  rc;

    key->data = NULL;
    key->len = 0;

    if (it->type == NGX_MEDIA_AMF_NONE) {
        rc = NGX_MEDIA_DONE;

    } else if (it->cur.amf3) {
        rc = ngx_media_amf3_next(it, key, v);

    } else {
        rc = ngx_media_amf0_next(it, key, v);
    }

    if (rc != NGX_MEDIA_OK) {
        it->type = NGX_MEDIA_AMF_NONE;
        memset(v, 0, sizeof(ngx_media_amf_value_t));
    }

    return rc;
}


static int
ngx_media_amf0_next(ngx_media_amf_iter_t *it, ngx_media_amf_str_t *key,
    ngx_media_amf_value_t *v)
{
    size_t                   n;
    ngx_media_amf_cursor_t  *cur;

    cur = &it->cur;

    if (it->type == NGX_MEDIA_AMF_ARRAY) {

        if (it->left == 0) {
            return NGX_MEDIA_DONE;
        }

        it->left--;

        return ngx_media_amf_value(it->amf, cur, v);
    }

    n = (size_t) (cur->end - cur->pos);

    if (n == 0 || (n == 1 && cur->pos[0] == 0)
        || (n == 2 && cur->pos[0] == 0 && cur->pos[1] == 0))
    {
        cur->pos = cur->end;
        cur->cut = 1;
        return NGX_MEDIA_DONE;
    }

    if (ngx_media_amf0_string(cur, 2, key) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    if (key->len == 0 && cur->pos != cur->end
        && *cur->pos == NGX_MEDIA_AMF0_END)
    {
        cur->pos++;
        return NGX_MEDIA_DONE;
    }

    return ngx_media_amf_value(it->amf, cur, v);
}


/*
 * The members of an object come before its dynamic part, the elements of an
 * array after its keyed part.
 */

static int
ngx_media_amf3_next(ngx_media_amf_iter_t *it, ngx_media_amf_str_t *key,
    ngx_media_amf_value_t *v)
{
    if (it->type == NGX_MEDIA_AMF_OBJECT && it->left) {
        it->left--;

        if (ngx_media_amf3_string(it->amf, &it->names, key) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }

        return ngx_media_amf_value(it->amf, &it->cur, v);
    }

    if (it->keyed) {

        if (ngx_media_amf3_string(it->amf, &it->cur, key) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }

        if (key->len) {
            return ngx_media_amf_value(it->amf, &it->cur, v);
        }

        it->keyed = 0;
    }

    if (it->left == 0) {
        return NGX_MEDIA_DONE;
    }

    it->left--;

    return ngx_media_amf_value(it->amf, &it->cur, v);
}


int
ngx_media_amf_find(ngx_media_amf_t *amf, const ngx_media_amf_value_t *object,
    const char *name, ngx_media_amf_value_t *v)
{
    ngx_media_amf_str_t   key;
    ngx_media_amf_iter_t  it;

    ngx_media_amf_enter(amf, object, &it);

    while (ngx_media_amf_next(&it, &key, v) == NGX_MEDIA_OK) {
        if (ngx_media_amf_str_is(&key, name)) {
            return NGX_MEDIA_OK;
        }
    }

    return NGX_MEDIA_DECLINED;
}


int
ngx_media_amf_is(const ngx_media_amf_value_t *v, const char *name)
{
    return v->type == NGX_MEDIA_AMF_STRING
           && ngx_media_amf_str_is(&v->string, name);
}


int
ngx_media_amf_str_is(const ngx_media_amf_str_t *s, const char *name)
{
    size_t  len;

    len = strlen(name);

    return s->len == len && (len == 0 || memcmp(s->data, name, len) == 0);
}


static int
ngx_media_amf0_string(ngx_media_amf_cursor_t *cur, unsigned bytes,
    ngx_media_amf_str_t *s)
{
    if (!ngx_media_amf_room(cur, bytes)) {
        return NGX_MEDIA_ERROR;
    }

    s->len = bytes == 2 ? ngx_media_get_be16(cur->pos)
                        : ngx_media_get_be32(cur->pos);

    if ((size_t) (cur->end - cur->pos) - bytes < s->len) {
        s->len = 0;
        return NGX_MEDIA_ERROR;
    }

    s->data = cur->pos + bytes;
    cur->pos += bytes + s->len;

    return NGX_MEDIA_OK;
}


static int
ngx_media_amf3_u29(ngx_media_amf_cursor_t *cur, uint32_t *u)
{
    unsigned  i, b;
    uint32_t  v;

    v = 0;

    for (i = 0; i < 4; i++) {

        if (cur->pos == cur->end) {
            return NGX_MEDIA_ERROR;
        }

        b = *cur->pos++;

        if (i == 3) {
            v = v << 8 | b;
            break;
        }

        v = v << 7 | (b & 0x7f);

        if (!(b & 0x80)) {
            break;
        }
    }

    *u = v;

    return NGX_MEDIA_OK;
}


static int
ngx_media_amf3_string(ngx_media_amf_t *amf, ngx_media_amf_cursor_t *cur,
    ngx_media_amf_str_t *s)
{
    uint32_t  u;

    if (ngx_media_amf3_u29(cur, &u) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    if (!(u & 1)) {
        u >>= 1;

        if (u >= cur->nstrings || u >= NGX_MEDIA_AMF_STRINGS) {
            return NGX_MEDIA_ERROR;
        }

        *s = amf->strings[u];

        return NGX_MEDIA_OK;
    }

    u >>= 1;

    if (!ngx_media_amf_room(cur, u)) {
        return NGX_MEDIA_ERROR;
    }

    s->data = cur->pos;
    s->len = u;
    cur->pos += u;

    if (u == 0) {
        return NGX_MEDIA_OK;
    }

    if (cur->nstrings < NGX_MEDIA_AMF_STRINGS) {
        amf->strings[cur->nstrings] = *s;
    }

    if (cur->nstrings < 0xffff) {
        cur->nstrings++;
    }

    return NGX_MEDIA_OK;
}


static double
ngx_media_amf_double(const u_char *p)
{
    double    d;
    uint64_t  u;

    u = ngx_media_get_be64(p);
    memcpy(&d, &u, sizeof(double));

    return d;
}
