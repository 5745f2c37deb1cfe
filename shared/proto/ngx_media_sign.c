
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: signed URLs and secrets.  See ngx_media_sign.h.
 */


#include "ngx_media_sign.h"

#include <string.h>
#include <openssl/crypto.h>


typedef struct {
    u_char  *pos;
    u_char  *last;
} ngx_media_sign_out_t;


static int ngx_media_base64url_char(u_char ch);
static int ngx_media_sign_hex(u_char ch);
static void ngx_media_sign_put(ngx_media_sign_out_t *out, const void *p,
    size_t n);


static int
ngx_media_base64url_char(u_char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }

    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }

    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }

    return (ch == '-') ? 62 : (ch == '_') ? 63 : -1;
}


ssize_t
ngx_media_base64url(u_char *dst, const u_char *src, size_t n)
{
    int       value;
    size_t    i, out;
    uint32_t  bits;
    unsigned  nbits;

    bits = 0;
    nbits = 0;
    out = 0;

    for (i = 0; i < n; i++) {
        value = ngx_media_base64url_char(src[i]);

        if (value < 0) {
            return -1;
        }

        bits = (bits << 6) | (uint32_t) value;
        nbits += 6;

        if (nbits >= 8) {
            nbits -= 8;
            dst[out++] = (u_char) (bits >> nbits);
            bits &= ((uint32_t) 1 << nbits) - 1;
        }
    }

    /* one character alone is no byte; bits that are left over are zero */

    return (nbits == 6 || bits) ? -1 : (ssize_t) out;
}


static int
ngx_media_sign_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : -1;
}


int
ngx_media_sign_digest(u_char *dst, size_t size, const u_char *src, size_t n)
{
    int     high, low;
    size_t  i;
    u_char  buf[ngx_media_base64url_size(2 * NGX_MEDIA_SIGN_DIGEST)];

    if (size > NGX_MEDIA_SIGN_DIGEST || n > 2 * NGX_MEDIA_SIGN_DIGEST) {
        return NGX_MEDIA_ERROR;
    }

    if (n == 2 * size) {

        for (i = 0; i < size; i++) {
            high = ngx_media_sign_hex(src[2 * i]);
            low = ngx_media_sign_hex(src[2 * i + 1]);

            if (high < 0 || low < 0) {
                return NGX_MEDIA_ERROR;
            }

            dst[i] = (u_char) (high << 4 | low);
        }

        return NGX_MEDIA_OK;
    }

    /* one or two of them fill the last four characters */

    for (i = 0; i < 2 && n && src[n - 1] == '=' && (n + i) % 4 == 0; i++) {
        n--;
    }

    if (ngx_media_base64url(buf, src, n) != (ssize_t) size) {
        return NGX_MEDIA_ERROR;
    }

    memcpy(dst, buf, size);

    return NGX_MEDIA_OK;
}


int
ngx_media_sign_seconds(const u_char *p, size_t n, int64_t *seconds)
{
    size_t   i;
    int64_t  value;

    if (n == 0 || n > 12) {
        return NGX_MEDIA_ERROR;
    }

    value = 0;

    for (i = 0; i < n; i++) {

        if (p[i] < '0' || p[i] > '9') {
            return NGX_MEDIA_ERROR;
        }

        value = value * 10 + (p[i] - '0');
    }

    *seconds = value;

    return NGX_MEDIA_OK;
}


/* out->pos is NULL once there was no room */

static void
ngx_media_sign_put(ngx_media_sign_out_t *out, const void *p, size_t n)
{
    if (out->pos == NULL) {
        return;
    }

    if ((size_t) (out->last - out->pos) < n) {
        out->pos = NULL;
        return;
    }

    if (n) {
        memcpy(out->pos, p, n);
        out->pos += n;
    }
}


size_t
ngx_media_sign_text(u_char *buf, size_t size, const ngx_media_sign_t *sign)
{
    size_t                n;
    ngx_media_sign_out_t  out;

    out.pos = buf;
    out.last = buf + size;

    ngx_media_sign_put(&out, sign->action, strlen(sign->action));
    ngx_media_sign_put(&out, ":", 1);
    ngx_media_sign_put(&out, sign->expires.data, sign->expires.len);
    ngx_media_sign_put(&out, ":", 1);

    if (sign->address.len) {
        ngx_media_sign_put(&out, sign->address.data, sign->address.len);
        ngx_media_sign_put(&out, ":", 1);
    }

    n = sizeof(NGX_MEDIA_DEFAULT_VHOST) - 1;

    if (sign->vhost.len != n
        || memcmp(sign->vhost.data, NGX_MEDIA_DEFAULT_VHOST, n) != 0)
    {
        ngx_media_sign_put(&out, sign->vhost.data, sign->vhost.len);
    }

    ngx_media_sign_put(&out, "/", 1);
    ngx_media_sign_put(&out, sign->app.data, sign->app.len);
    ngx_media_sign_put(&out, "/", 1);
    ngx_media_sign_put(&out, sign->stream.data, sign->stream.len);

    return out.pos ? (size_t) (out.pos - buf) : 0;
}


int
ngx_media_equal(const u_char *a, size_t an, const u_char *b, size_t bn)
{
    return an == bn && (an == 0 || CRYPTO_memcmp(a, b, an) == 0);
}


int
ngx_media_contains(const u_char *p, size_t n, const u_char *secret, size_t len)
{
    int     found;
    size_t  i;

    if (len == 0 || n < len) {
        return 0;
    }

    found = 0;

    for (i = 0; i <= n - len; i++) {
        found |= (CRYPTO_memcmp(p + i, secret, len) == 0);
    }

    return found;
}
