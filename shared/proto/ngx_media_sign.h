
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: signed URLs and secrets: the text that is signed, the forms a signature
 * may come in, and comparisons that tell nothing by the time they take.  The
 * rules of access call it; it allocates nothing and knows no clock.
 *
 * The text is ACTION:EXPIRES:[ADDRESS:][VHOST]/APP/STREAM, without VHOST where
 * it is the default one: play:1893456000:/live/x.  No field but the last two
 * can hold a slash, none before them but an IPv6 address a colon, and names
 * hold no control bytes, so two texts are the same only where all fields are.
 *
 * RFC 4648 section 5 (base64url), RFC 2104 (HMAC).
 */


#ifndef _NGX_MEDIA_SIGN_H_INCLUDED_
#define _NGX_MEDIA_SIGN_H_INCLUDED_


#include "ngx_media_rc.h"
#include "ngx_media_url.h"


/* the longest text: names of NGX_MEDIA_NAME_MAX bytes, an address, a time */
#define NGX_MEDIA_SIGN_TEXT     (3 * NGX_MEDIA_NAME_MAX + 128)

#define NGX_MEDIA_SIGN_DIGEST   64     /* bytes of the longest digest */


typedef struct {
    const char           *action;      /* "publish", "play" */
    ngx_media_url_str_t   expires;     /* as the URL has it */
    ngx_media_url_str_t   address;     /* text, or empty */
    ngx_media_url_str_t   vhost;
    ngx_media_url_str_t   app;
    ngx_media_url_str_t   stream;
} ngx_media_sign_t;


/* Bytes that base64url text of n bytes takes at most. */
#define ngx_media_base64url_size(n)  ((n) / 4 * 3 + 3)

/*
 * Decodes base64url without padding into dst, which has room for
 * ngx_media_base64url_size(n) and may be src.  Strict: each sequence of bytes
 * has one form only.  Returns their number, or -1.
 */
ssize_t ngx_media_base64url(u_char *dst, const u_char *src, size_t n);

/*
 * A digest of exactly size bytes, in hex of either case or base64url, which
 * may be padded with "=".  Returns NGX_MEDIA_OK or NGX_MEDIA_ERROR.
 */
int ngx_media_sign_digest(u_char *dst, size_t size, const u_char *src,
    size_t n);

/* Seconds since the epoch, up to 12 digits.  OK or ERROR. */
int ngx_media_sign_seconds(const u_char *p, size_t n, int64_t *seconds);

/* The text to be signed; returns its length, 0 where there is no room. */
size_t ngx_media_sign_text(u_char *buf, size_t size,
    const ngx_media_sign_t *sign);

/*
 * The same bytes?  The time depends on the lengths only.  Returns 1 or 0.
 */
int ngx_media_equal(const u_char *a, size_t an, const u_char *b, size_t bn);

/*
 * Do n bytes hold secret somewhere?  The time depends on the lengths only.  An
 * empty secret is nowhere.  Returns 1 or 0.
 */
int ngx_media_contains(const u_char *p, size_t n, const u_char *secret,
    size_t len);


#endif /* _NGX_MEDIA_SIGN_H_INCLUDED_ */
