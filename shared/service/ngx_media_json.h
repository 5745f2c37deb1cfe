
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: writer of JSON (RFC 8259) into a chain of buffers of a pool.  A document
 * grows by one buffer at a time, so a long list never moves in memory; it is
 * bounded by NGX_MEDIA_JSON_MAX bytes.
 *
 *     ngx_media_json_init(&j, pool);
 *     ngx_media_json_object(&j);
 *     ngx_media_json_key_int(&j, "code", 0);
 *     ngx_media_json_object_end(&j);
 *     chain = ngx_media_json_finish(&j);
 *
 * Commas are the writer's.  Errors (no memory, too large, too deep) are kept
 * and told once, by ngx_media_json_finish().  What is written is always valid
 * UTF-8: bytes that are not become U+FFFD, and U+2028 and U+2029 are escaped,
 * since a document may be wrapped into JavaScript.
 *
 * Ownership: all memory is the pool's; strings passed in are copied.
 */


#ifndef _NGX_MEDIA_JSON_H_INCLUDED_
#define _NGX_MEDIA_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_MEDIA_JSON_BUFFER     8192
#define NGX_MEDIA_JSON_MAX        (64 * 1024 * 1024)
#define NGX_MEDIA_JSON_DEPTH      32


typedef struct {
    ngx_pool_t    *pool;
    ngx_chain_t   *first;
    ngx_chain_t  **last;
    ngx_buf_t     *buf;
    size_t         size;          /* bytes written so far */
    ngx_uint_t     depth;
    uint32_t       filled;        /* bit by depth: a comma goes before */
    unsigned       keyed:1;       /* a key waits for its value */
    unsigned       failed:1;
} ngx_media_json_t;


void ngx_media_json_init(ngx_media_json_t *j, ngx_pool_t *pool);

/*
 * Ends the document.  Returns its buffers, the last one with last_buf set,
 * or NULL where something failed.
 */
ngx_chain_t *ngx_media_json_finish(ngx_media_json_t *j);
/* The same in one piece, in memory of the pool.  NGX_OK, NGX_ERROR. */
ngx_int_t ngx_media_json_text(ngx_media_json_t *j, ngx_str_t *text);

/* Bytes that go into the document as they are (JSONP). */
void ngx_media_json_raw(ngx_media_json_t *j, const void *p, size_t n);

void ngx_media_json_object(ngx_media_json_t *j);
void ngx_media_json_object_end(ngx_media_json_t *j);
void ngx_media_json_array(ngx_media_json_t *j);
void ngx_media_json_array_end(ngx_media_json_t *j);

/* The name of the next value; needs no escaping. */
void ngx_media_json_key(ngx_media_json_t *j, const char *name);
/* The same with any bytes: they are escaped as those of a string are. */
void ngx_media_json_name(ngx_media_json_t *j, const u_char *p, size_t n);

/* Values, alone (in arrays) or after a key. */
void ngx_media_json_str(ngx_media_json_t *j, const u_char *p, size_t n);
void ngx_media_json_int(ngx_media_json_t *j, int64_t n);
void ngx_media_json_bool(ngx_media_json_t *j, ngx_uint_t b);
void ngx_media_json_null(ngx_media_json_t *j);
/* With decimals digits behind the point (0..6); not finite: 0. */
void ngx_media_json_double(ngx_media_json_t *j, double d,
    ngx_uint_t decimals);

/*
 * Length of the well-formed UTF-8 sequence at p < end (RFC 3629, section 4), 0
 * where there is none: overlong forms, surrogates and what is above U+10FFFF.
 */
size_t ngx_media_json_utf8(const u_char *p, const u_char *end);

/* Key and value in one. */
void ngx_media_json_key_str(ngx_media_json_t *j, const char *name,
    const ngx_str_t *s);
void ngx_media_json_key_text(ngx_media_json_t *j, const char *name,
    const char *text);
void ngx_media_json_key_int(ngx_media_json_t *j, const char *name, int64_t n);
void ngx_media_json_key_bool(ngx_media_json_t *j, const char *name,
    ngx_uint_t b);
void ngx_media_json_key_double(ngx_media_json_t *j, const char *name,
    double d, ngx_uint_t decimals);
void ngx_media_json_key_object(ngx_media_json_t *j, const char *name);
void ngx_media_json_key_array(ngx_media_json_t *j, const char *name);


#endif /* _NGX_MEDIA_JSON_H_INCLUDED_ */
