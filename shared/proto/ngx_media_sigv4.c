
/*
 * Copyright (C) the nginx media suite authors
 *
 * AWS Signature Version 4: the canonical request is hashed, the hash is part
 * of the string to sign, and the key for that is the secret by way of the
 * date, the region and the service.
 */


#include "ngx_media_sigv4.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>


/* text that is bounded; p NULL: it was too long */

typedef struct {
    u_char  *p;
    u_char  *end;
} ngx_media_sigv4_text_t;


static void ngx_media_sigv4_add(ngx_media_sigv4_text_t *t, const void *p,
    size_t n);
static void ngx_media_sigv4_str(ngx_media_sigv4_text_t *t, const char *s);
static void ngx_media_sigv4_names(ngx_media_sigv4_text_t *t,
    const ngx_media_sigv4_t *s);
static void ngx_media_sigv4_scope(ngx_media_sigv4_text_t *t,
    const ngx_media_sigv4_t *s);
static int ngx_media_sigv4_key(u_char *key, const ngx_media_sigv4_t *s,
    u_char *scratch);


u_char *
ngx_media_sigv4_escape(u_char *dst, const u_char *p, size_t n, int slash)
{
    u_char             c;
    size_t             i;
    static const char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < n; i++) {
        c = p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
            || c == '~' || (c == '/' && slash))
        {
            *dst++ = c;
            continue;
        }

        *dst++ = '%';
        *dst++ = (u_char) hex[c >> 4];
        *dst++ = (u_char) hex[c & 0xf];
    }

    return dst;
}


static char *
ngx_media_sigv4_digits(char *dst, int64_t v, int n)
{
    int  i;

    for (i = n - 1; i >= 0; i--) {
        dst[i] = (char) ('0' + v % 10);
        v /= 10;
    }

    return dst + n;
}


/* days since the epoch become a date of the Gregorian calendar */

void
ngx_media_sigv4_date(char *dst, int64_t seconds)
{
    int64_t  days, time, era, day, year, month;

    if (seconds < 0 || seconds > 253402300799) {
        seconds = 0;
    }

    days = seconds / 86400 + 719468;
    time = seconds % 86400;

    /* years begin in March, so that the day that may be missing is the last */

    era = days / 146097;
    day = days % 146097;
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);

    dst = ngx_media_sigv4_digits(dst, year, 4);
    dst = ngx_media_sigv4_digits(dst, month, 2);
    dst = ngx_media_sigv4_digits(dst, day + 1, 2);
    *dst++ = 'T';
    dst = ngx_media_sigv4_digits(dst, time / 3600, 2);
    dst = ngx_media_sigv4_digits(dst, time / 60 % 60, 2);
    dst = ngx_media_sigv4_digits(dst, time % 60, 2);
    *dst++ = 'Z';
    *dst = '\0';
}


void
ngx_media_sigv4_hex(char *dst, const u_char *digest)
{
    int                i;
    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        *dst++ = hex[digest[i] >> 4];
        *dst++ = hex[digest[i] & 0xf];
    }

    *dst = '\0';
}


void
ngx_media_sigv4_hash(char *dst, const u_char *p, size_t n)
{
    u_char  digest[SHA256_DIGEST_LENGTH];

    (void) SHA256(p, n, digest);

    ngx_media_sigv4_hex(dst, digest);
}


/* --- text --------------------------------------------------------------- */

static void
ngx_media_sigv4_add(ngx_media_sigv4_text_t *t, const void *p, size_t n)
{
    if (t->p == NULL) {
        return;
    }

    if ((size_t) (t->end - t->p) < n) {
        t->p = NULL;
        return;
    }

    if (n) {
        memcpy(t->p, p, n);
        t->p += n;
    }
}


static void
ngx_media_sigv4_str(ngx_media_sigv4_text_t *t, const char *s)
{
    ngx_media_sigv4_add(t, s, strlen(s));
}


static void
ngx_media_sigv4_names(ngx_media_sigv4_text_t *t, const ngx_media_sigv4_t *s)
{
    size_t  i;

    for (i = 0; i < s->nheaders; i++) {

        if (i) {
            ngx_media_sigv4_str(t, ";");
        }

        ngx_media_sigv4_str(t, s->headers[i].name);
    }
}


/* YYYYMMDD/REGION/s3/aws4_request */

static void
ngx_media_sigv4_scope(ngx_media_sigv4_text_t *t, const ngx_media_sigv4_t *s)
{
    ngx_media_sigv4_add(t, s->date, 8);
    ngx_media_sigv4_str(t, "/");
    ngx_media_sigv4_add(t, s->region.data, s->region.len);
    ngx_media_sigv4_str(t, "/s3/aws4_request");
}


static void
ngx_media_sigv4_request(ngx_media_sigv4_text_t *t, const ngx_media_sigv4_t *s)
{
    size_t  i;

    ngx_media_sigv4_str(t, s->method);
    ngx_media_sigv4_str(t, "\n");
    ngx_media_sigv4_add(t, s->path.data, s->path.len);
    ngx_media_sigv4_str(t, "\n");
    ngx_media_sigv4_add(t, s->query.data, s->query.len);
    ngx_media_sigv4_str(t, "\n");

    for (i = 0; i < s->nheaders; i++) {
        ngx_media_sigv4_str(t, s->headers[i].name);
        ngx_media_sigv4_str(t, ":");
        ngx_media_sigv4_add(t, s->headers[i].value.data,
                            s->headers[i].value.len);
        ngx_media_sigv4_str(t, "\n");
    }

    ngx_media_sigv4_str(t, "\n");
    ngx_media_sigv4_names(t, s);
    ngx_media_sigv4_str(t, "\n");
    ngx_media_sigv4_add(t, s->payload.data, s->payload.len);
}


/* --- the signature ------------------------------------------------------ */

static int
ngx_media_sigv4_hmac(u_char *out, const void *key, size_t len,
    const void *data, size_t n)
{
    unsigned  size;

    return HMAC(EVP_sha256(), key, (int) len, data, n, out, &size) != NULL;
}


static int
ngx_media_sigv4_key(u_char *key, const ngx_media_sigv4_t *s, u_char *scratch)
{
    ngx_media_sigv4_text_t  t;

    t.p = scratch;
    t.end = scratch + NGX_MEDIA_SIGV4_SCRATCH;

    ngx_media_sigv4_str(&t, "AWS4");
    ngx_media_sigv4_add(&t, s->secret.data, s->secret.len);

    return t.p != NULL
           && ngx_media_sigv4_hmac(key, scratch, (size_t) (t.p - scratch),
                                   s->date, 8)
           && ngx_media_sigv4_hmac(key, key, 32, s->region.data,
                                   s->region.len)
           && ngx_media_sigv4_hmac(key, key, 32, "s3", 2)
           && ngx_media_sigv4_hmac(key, key, 32, "aws4_request", 12);
}


size_t
ngx_media_sigv4_sign(u_char *dst, size_t size, const ngx_media_sigv4_t *s,
    u_char *scratch)
{
    char                    hash[NGX_MEDIA_SIGV4_HASH];
    u_char                  key[SHA256_DIGEST_LENGTH];
    ngx_media_sigv4_text_t  t;

    t.p = scratch;
    t.end = scratch + NGX_MEDIA_SIGV4_SCRATCH;

    ngx_media_sigv4_request(&t, s);

    if (t.p == NULL) {
        return 0;
    }

    ngx_media_sigv4_hash(hash, scratch, (size_t) (t.p - scratch));

    if (!ngx_media_sigv4_key(key, s, scratch)) {
        return 0;
    }

    t.p = scratch;
    ngx_media_sigv4_str(&t, "AWS4-HMAC-SHA256\n");
    ngx_media_sigv4_str(&t, s->date);
    ngx_media_sigv4_str(&t, "\n");
    ngx_media_sigv4_scope(&t, s);
    ngx_media_sigv4_str(&t, "\n");
    ngx_media_sigv4_str(&t, hash);

    if (t.p == NULL
        || !ngx_media_sigv4_hmac(key, key, sizeof(key), scratch,
                                 (size_t) (t.p - scratch)))
    {
        return 0;
    }

    ngx_media_sigv4_hex(hash, key);

    t.p = dst;
    t.end = dst + size;
    ngx_media_sigv4_str(&t, "AWS4-HMAC-SHA256 Credential=");
    ngx_media_sigv4_add(&t, s->key.data, s->key.len);
    ngx_media_sigv4_str(&t, "/");
    ngx_media_sigv4_scope(&t, s);
    ngx_media_sigv4_str(&t, ",SignedHeaders=");
    ngx_media_sigv4_names(&t, s);
    ngx_media_sigv4_str(&t, ",Signature=");
    ngx_media_sigv4_str(&t, hash);

    return t.p ? (size_t) (t.p - dst) : 0;
}
