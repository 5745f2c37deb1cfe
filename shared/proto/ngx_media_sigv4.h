
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: signatures of requests to S3 (AWS Signature Version 4), with what they
 * need of URLs.  Uploads call it; it allocates nothing and knows no clock.
 * Calls out to OpenSSL's one-shot HMAC() and SHA256(), which keep nothing.
 *
 * Source: Amazon S3 API Reference, "Authenticating Requests: Using the
 * Authorization Header", "Signature Calculations: Transferring Payload in a
 * Single Chunk".
 */


#ifndef _NGX_MEDIA_SIGV4_H_INCLUDED_
#define _NGX_MEDIA_SIGV4_H_INCLUDED_


#include "ngx_media_rc.h"
#include "ngx_media_url.h"

#include <stdint.h>


#define NGX_MEDIA_SIGV4_SCRATCH  16384  /* bytes: room for any request */
#define NGX_MEDIA_SIGV4_HASH     65     /* hex of SHA-256, with the 0 */
#define NGX_MEDIA_SIGV4_DATE     17     /* YYYYMMDDTHHMMSSZ, with the 0 */


/* names are lower case, and in their order */

typedef struct {
    const char             *name;
    ngx_media_url_str_t     value;      /* no spaces around it */
} ngx_media_sigv4_header_t;


typedef struct {
    const char             *method;
    ngx_media_url_str_t     path;       /* ngx_media_sigv4_escape() */
    ngx_media_url_str_t     query;      /* "a=b&c=": in order, escaped */
    ngx_media_sigv4_header_t  *headers; /* all that are signed */
    size_t                  nheaders;
    ngx_media_url_str_t     payload;    /* its hash, in hex */
    const char             *date;       /* of x-amz-date */
    ngx_media_url_str_t     region;
    ngx_media_url_str_t     key;
    ngx_media_url_str_t     secret;
} ngx_media_sigv4_t;


/*
 * Escapes all but what is unreserved (RFC 3986, section 2.3), and "/" where
 * slash is set.  dst has room for 3 * n bytes; the position behind them.
 */
u_char *ngx_media_sigv4_escape(u_char *dst, const u_char *p, size_t n,
    int slash);

/* Seconds since the epoch as YYYYMMDDTHHMMSSZ, 0-terminated. */
void ngx_media_sigv4_date(char *dst, int64_t seconds);

/* SHA-256 as 64 hexadecimal digits, 0-terminated. */
void ngx_media_sigv4_hash(char *dst, const u_char *p, size_t n);
/* The same of a digest of 32 bytes. */
void ngx_media_sigv4_hex(char *dst, const u_char *digest);

/*
 * Writes the value of "Authorization", at most size bytes.  scratch has room
 * for NGX_MEDIA_SIGV4_SCRATCH.  Its length; 0: too long.
 */
size_t ngx_media_sigv4_sign(u_char *dst, size_t size,
    const ngx_media_sigv4_t *s, u_char *scratch);


#endif /* _NGX_MEDIA_SIGV4_H_INCLUDED_ */
