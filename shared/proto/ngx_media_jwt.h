
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: JSON Web Tokens in their compact form: taken apart, and what their
 * claims say of a stream.  The signature is checked by the caller, who has the
 * key and the cryptography, between the two:
 *
 *     ngx_media_jwt_parse()    header read, signature and claims decoded
 *     ...                      jwt->alg is that of the key, and the signature
 *                              is that of jwt->signed_text under it
 *     ngx_media_jwt_claims()   read only then
 *
 * What is not signed decides nothing: the header's "alg" is compared with that
 * of the key and never chooses one.  All memory is the caller's.
 *
 * RFC 7515 (JWS), RFC 7518 section 3 (algorithms), RFC 7519 (JWT).
 */


#ifndef _NGX_MEDIA_JWT_H_INCLUDED_
#define _NGX_MEDIA_JWT_H_INCLUDED_


#include "ngx_media_rc.h"
#include "ngx_media_url.h"
#include "ngx_media_json_read.h"


#define NGX_MEDIA_JWT_MAX       8192   /* bytes of a token */


typedef enum {
    NGX_MEDIA_JWT_OTHER = 0,           /* "none" and all that is not below */
    NGX_MEDIA_JWT_HS256,
    NGX_MEDIA_JWT_RS256,
    NGX_MEDIA_JWT_ES256
} ngx_media_jwt_alg_e;


typedef struct {
    ngx_media_jwt_alg_e      alg;          /* as the header says */
    ngx_media_url_str_t      signed_text;  /* of the token */
    ngx_media_url_str_t      signature;    /* decoded, in the buffer */
    ngx_media_url_str_t      claims;       /* the same; JSON, not yet read */
} ngx_media_jwt_t;


/* what is asked of the claims */

typedef struct {
    int64_t                  now;          /* seconds since the epoch */
    int64_t                  leeway;       /* seconds that clocks may differ */
    const char              *action;       /* "publish", "play" */
    ngx_media_url_str_t      app;
    ngx_media_url_str_t      stream;
    ngx_media_url_str_t      iss;          /* "": any */
    ngx_media_url_str_t      aud;          /* "": any */
} ngx_media_jwt_question_t;


typedef enum {
    NGX_MEDIA_JWT_OK = 0,
    NGX_MEDIA_JWT_BAD_CLAIMS,          /* no object, or of a wrong type */
    NGX_MEDIA_JWT_EXPIRED,             /* exp, or there is none */
    NGX_MEDIA_JWT_EARLY,               /* nbf */
    NGX_MEDIA_JWT_ISSUER,
    NGX_MEDIA_JWT_AUDIENCE,
    NGX_MEDIA_JWT_ACTION,
    NGX_MEDIA_JWT_PATH
} ngx_media_jwt_verdict_e;


/* "HS256" and so on, for the configuration; case does not matter */
ngx_media_jwt_alg_e ngx_media_jwt_alg(const u_char *p, size_t n);

/*
 * Takes a token apart.  buf has room for NGX_MEDIA_JWT_MAX bytes and has to
 * stay.  NGX_MEDIA_OK; NGX_MEDIA_ERROR: no token, too long, or with extensions
 * that have to be understood ("crit").
 */
int ngx_media_jwt_parse(ngx_media_jwt_t *jwt, const u_char *pos,
    const u_char *end, u_char *buf);

/*
 * Do the claims of a token whose signature is good allow it?  exp is when they
 * end, seconds since the epoch.
 *
 *     exp      a number; there has to be one
 *     nbf      a number, or there is none
 *     iss      the string that is asked for
 *     aud      that string, or an array with it
 *     action   "publish", "play", "all", or an array of these; where there is
 *              none, play ("actions" is the same)
 *     path     a pattern for APP/STREAM, or an array of them; there has to be
 *              one ("paths" is the same)
 */
ngx_media_jwt_verdict_e ngx_media_jwt_claims(const ngx_media_jwt_t *jwt,
    const ngx_media_jwt_question_t *question, int64_t *exp);

/*
 * Does the pattern match APP/STREAM?  "*" is any number of bytes but "/", "**"
 * any at all, "?" one byte but "/"; a slash in front is no matter, and "*"
 * alone is everything.  Returns 1 or 0.
 */
int ngx_media_jwt_path(const u_char *pattern, size_t n,
    const ngx_media_url_str_t *app, const ngx_media_url_str_t *stream);

/* Static text, such as "it has expired". */
const char *ngx_media_jwt_text(ngx_media_jwt_verdict_e verdict);


#endif /* _NGX_MEDIA_JWT_H_INCLUDED_ */
