
/*
 * Copyright (C) the nginx media suite authors
 *
 * Signed URLs (media_sign) and tokens (media_jwt): who has one may publish or
 * play.  What is signed and what claims mean is in ngx_media_sign.h and
 * ngx_media_jwt.h; keys come from the configuration; OpenSSL does the
 * cryptography.
 *
 * The key says the algorithm: a token that names another one is refused before
 * anything is computed, so a public key is never taken for a secret, and
 * "none" is no algorithm at all.
 */


#include "ngx_media_access.h"
#include "ngx_media_jwt.h"
#include "ngx_media_sign.h"

#include <openssl/ecdsa.h>
#include <openssl/hmac.h>


static ngx_int_t ngx_media_access_sign_rule(ngx_media_access_t *a,
    ngx_media_access_sign_t *rule);
static ngx_uint_t ngx_media_access_sign_good(ngx_media_access_sign_t *rule,
    u_char *text, size_t len, ngx_str_t *signature);
static ngx_uint_t ngx_media_access_digest(ngx_media_access_sign_t *rule,
    ngx_str_t *key, u_char *text, size_t len, u_char *digest);

static ngx_int_t ngx_media_access_token(ngx_media_access_t *a, ngx_str_t *arg,
    ngx_str_t *token);
static ngx_int_t ngx_media_access_jwt_rule(ngx_media_access_t *a,
    ngx_media_access_jwt_t *rule, ngx_media_jwt_t *jwt, const char **why);
static ngx_uint_t ngx_media_access_jwt_good(ngx_media_access_jwt_t *rule,
    ngx_media_jwt_t *jwt);
static ngx_uint_t ngx_media_access_jwt_hmac(ngx_str_t *key,
    ngx_media_jwt_t *jwt);
static ngx_uint_t ngx_media_access_jwt_verify(ngx_media_access_jwt_t *rule,
    EVP_PKEY *key, ngx_media_jwt_t *jwt);
static int ngx_media_access_jwt_der(ngx_media_jwt_t *jwt, u_char **der);
static ngx_media_url_str_t ngx_media_access_str(ngx_str_t *s);
static void ngx_media_access_lifetime(ngx_media_access_t *a, int64_t seconds);


#define NGX_MEDIA_ACCESS_ES256   64        /* bytes of a signature: r and s */
#define NGX_MEDIA_ACCESS_MD5_KEY 256       /* bytes of a key */


static ngx_media_url_str_t
ngx_media_access_str(ngx_str_t *s)
{
    ngx_media_url_str_t  str;

    str.len = s->len;
    str.data = s->data;

    return str;
}


/* the session ends when what allowed it does */

static void
ngx_media_access_lifetime(ngx_media_access_t *a, int64_t seconds)
{
    ngx_msec_t  ms;

    ms = (ngx_msec_t) ngx_min(ngx_max(seconds, 1), 365 * 24 * 3600) * 1000;

    if (a->ask->lifetime == 0 || a->ask->lifetime > ms) {
        a->ask->lifetime = ms;
    }
}


/* --- media_sign --------------------------------------------------------- */

ngx_int_t
ngx_media_access_sign(ngx_media_access_t *a)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, asked;
    ngx_media_access_sign_t  *rule;

    if (a->conf->signs == NULL) {
        return NGX_OK;
    }

    rule = a->conf->signs->elts;
    asked = 0;

    for (i = 0; i < a->conf->signs->nelts; i++) {

        if (!(rule[i].acts & ngx_media_access_bit(a->act))) {
            continue;
        }

        asked = 1;
        rc = ngx_media_access_sign_rule(a, &rule[i]);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (!asked) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, a->ask->connection->log, 0,
                  "media access: %s without a signature that is good now",
                  ngx_media_access_act(a->act));

    return NGX_DECLINED;
}


static ngx_int_t
ngx_media_access_sign_rule(ngx_media_access_t *a,
    ngx_media_access_sign_t *rule)
{
    size_t             len;
    u_char             text[NGX_MEDIA_SIGN_TEXT];
    int64_t            seconds;
    ngx_int_t          rc;
    ngx_str_t          signature, expires;
    ngx_media_sign_t   sign;

    rc = ngx_media_access_arg(a, &rule->arg, &signature);

    if (rc == NGX_OK) {
        rc = ngx_media_access_arg(a, &rule->expires, &expires);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_media_sign_seconds(expires.data, expires.len, &seconds)
        != NGX_MEDIA_OK
        || seconds <= (int64_t) ngx_time())
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&sign, sizeof(ngx_media_sign_t));

    sign.action = ngx_media_access_act(a->act);
    sign.expires = ngx_media_access_str(&expires);
    sign.vhost = ngx_media_access_str(&a->ask->text[NGX_MEDIA_TEXT_VHOST]);
    sign.app = ngx_media_access_str(&a->ask->text[NGX_MEDIA_TEXT_APP]);
    sign.stream = ngx_media_access_str(&a->name);

    if (rule->address) {
        sign.address = ngx_media_access_str(
                                          &a->ask->text[NGX_MEDIA_TEXT_IP]);
    }

    len = ngx_media_sign_text(text, sizeof(text), &sign);

    if (len == 0
        || !ngx_media_access_sign_good(rule, text, len, &signature))
    {
        return NGX_DECLINED;
    }

    if (rule->lifetime) {
        ngx_media_access_lifetime(a, seconds - (int64_t) ngx_time());
    }

    return NGX_OK;
}


/* all keys are tried, whichever it was */

static ngx_uint_t
ngx_media_access_sign_good(ngx_media_access_sign_t *rule, u_char *text,
    size_t len, ngx_str_t *signature)
{
    size_t       size;
    u_char       given[EVP_MAX_MD_SIZE], digest[EVP_MAX_MD_SIZE];
    ngx_str_t   *key;
    ngx_uint_t   i, good;

    size = rule->md ? 32 : 16;

    if (ngx_media_sign_digest(given, size, signature->data, signature->len)
        != NGX_MEDIA_OK)
    {
        return 0;
    }

    key = rule->keys.elts;
    good = 0;

    for (i = 0; i < rule->keys.nelts; i++) {

        if (ngx_media_access_digest(rule, &key[i], text, len, digest)) {
            good |= (ngx_uint_t) ngx_media_equal(given, size, digest, size);
        }
    }

    return good;
}


static ngx_uint_t
ngx_media_access_digest(ngx_media_access_sign_t *rule, ngx_str_t *key,
    u_char *text, size_t len, u_char *digest)
{
    u_char    *p, buf[NGX_MEDIA_SIGN_TEXT + NGX_MEDIA_ACCESS_MD5_KEY + 1];
    unsigned   n;

    if (rule->md) {
        return HMAC(rule->md, key->data, (int) key->len, text, len, digest,
                    &n)
               != NULL;
    }

    if (key->len > NGX_MEDIA_ACCESS_MD5_KEY) {
        return 0;
    }

    p = ngx_cpymem(buf, text, len);
    *p++ = ':';
    p = ngx_cpymem(p, key->data, key->len);

    return EVP_Digest(buf, (size_t) (p - buf), digest, &n, EVP_md5(), NULL);
}


/* --- media_jwt ---------------------------------------------------------- */

ngx_int_t
ngx_media_access_jwt(ngx_media_access_t *a)
{
    u_char                  *buf;
    ngx_int_t                rc;
    ngx_str_t                token;
    const char              *why;
    ngx_uint_t               i, asked;
    ngx_media_jwt_t          jwt;
    ngx_media_access_jwt_t  *rule;

    if (a->conf->jwts == NULL) {
        return NGX_OK;
    }

    rule = a->conf->jwts->elts;
    asked = 0;
    why = "there is none";
    buf = NULL;

    for (i = 0; i < a->conf->jwts->nelts; i++) {

        if (!(rule[i].acts & ngx_media_access_bit(a->act))) {
            continue;
        }

        asked = 1;
        rc = ngx_media_access_token(a, &rule[i].arg, &token);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (buf == NULL) {
            buf = ngx_pnalloc(a->ask->pool, NGX_MEDIA_JWT_MAX);
            if (buf == NULL) {
                return NGX_ERROR;
            }
        }

        if (ngx_media_jwt_parse(&jwt, token.data, token.data + token.len, buf)
            != NGX_MEDIA_OK)
        {
            why = "it is none, or damaged, or too long";
            continue;
        }

        rc = ngx_media_access_jwt_rule(a, &rule[i], &jwt, &why);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (!asked) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, a->ask->connection->log, 0,
                  "media access: %s without a token that allows it: %s",
                  ngx_media_access_act(a->act), why);

    return NGX_DECLINED;
}


/* of the URL, else what came beside it */

static ngx_int_t
ngx_media_access_token(ngx_media_access_t *a, ngx_str_t *arg,
    ngx_str_t *token)
{
    ngx_int_t  rc;

    static ngx_str_t  token_arg = ngx_string("token");
    static ngx_str_t  jwt_arg = ngx_string("jwt");

    if (arg->len) {
        rc = ngx_media_access_arg(a, arg, token);

    } else {
        rc = ngx_media_access_arg(a, &token_arg, token);

        if (rc == NGX_DECLINED) {
            rc = ngx_media_access_arg(a, &jwt_arg, token);
        }
    }

    if (rc == NGX_DECLINED && a->ask->token.len) {
        *token = a->ask->token;
        return NGX_OK;
    }

    return rc;
}


static ngx_int_t
ngx_media_access_jwt_rule(ngx_media_access_t *a, ngx_media_access_jwt_t *rule,
    ngx_media_jwt_t *jwt, const char **why)
{
    int64_t                   exp;
    ngx_media_jwt_verdict_e   verdict;
    ngx_media_jwt_question_t  question;

    if ((ngx_uint_t) jwt->alg != rule->alg) {
        *why = "it is signed by another algorithm than that of the key";
        return NGX_DECLINED;
    }

    if (!ngx_media_access_jwt_good(rule, jwt)) {
        *why = "its signature is wrong";
        return NGX_DECLINED;
    }

    question.now = (int64_t) ngx_time();
    question.leeway = (int64_t) rule->leeway;
    question.action = ngx_media_access_act(a->act);
    question.app = ngx_media_access_str(&a->ask->text[NGX_MEDIA_TEXT_APP]);
    question.stream = ngx_media_access_str(&a->name);
    question.iss = ngx_media_access_str(&rule->iss);
    question.aud = ngx_media_access_str(&rule->aud);

    verdict = ngx_media_jwt_claims(jwt, &question, &exp);

    if (verdict != NGX_MEDIA_JWT_OK) {
        *why = ngx_media_jwt_text(verdict);
        return NGX_DECLINED;
    }

    if (rule->lifetime) {
        ngx_media_access_lifetime(a, exp + question.leeway - question.now);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_media_access_jwt_good(ngx_media_access_jwt_t *rule, ngx_media_jwt_t *jwt)
{
    EVP_PKEY    **pkey;
    ngx_str_t    *key;
    ngx_uint_t    i, good;

    key = rule->keys.elts;
    good = 0;

    for (i = 0; i < rule->keys.nelts; i++) {
        good |= ngx_media_access_jwt_hmac(&key[i], jwt);
    }

    pkey = rule->pkeys.elts;

    for (i = 0; i < rule->pkeys.nelts; i++) {
        good |= ngx_media_access_jwt_verify(rule, pkey[i], jwt);
    }

    return good;
}


static ngx_uint_t
ngx_media_access_jwt_hmac(ngx_str_t *key, ngx_media_jwt_t *jwt)
{
    u_char    digest[EVP_MAX_MD_SIZE];
    unsigned  n;

    if (HMAC(EVP_sha256(), key->data, (int) key->len, jwt->signed_text.data,
             jwt->signed_text.len, digest, &n)
        == NULL)
    {
        return 0;
    }

    return (ngx_uint_t) ngx_media_equal(jwt->signature.data,
                                        jwt->signature.len, digest, n);
}


static ngx_uint_t
ngx_media_access_jwt_verify(ngx_media_access_jwt_t *rule, EVP_PKEY *key,
    ngx_media_jwt_t *jwt)
{
    int          len, rc;
    u_char      *der, *signature;
    EVP_MD_CTX  *ctx;

    der = NULL;
    signature = jwt->signature.data;
    len = (int) jwt->signature.len;

    if (rule->alg == NGX_MEDIA_JWT_ES256) {
        len = ngx_media_access_jwt_der(jwt, &der);
        signature = der;

        if (len <= 0) {
            ERR_clear_error();
            return 0;
        }
    }

    rc = 0;
    ctx = EVP_MD_CTX_new();

    if (ctx
        && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1)
    {
        rc = EVP_DigestVerify(ctx, signature, (size_t) len,
                              jwt->signed_text.data, jwt->signed_text.len);
    }

    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ERR_clear_error();

    return rc == 1;
}


/* RFC 7518 3.4: r and s, 32 bytes each; OpenSSL wants DER */

static int
ngx_media_access_jwt_der(ngx_media_jwt_t *jwt, u_char **der)
{
    int         len;
    BIGNUM     *r, *s;
    ECDSA_SIG  *sig;

    if (jwt->signature.len != NGX_MEDIA_ACCESS_ES256) {
        return 0;
    }

    sig = ECDSA_SIG_new();
    r = BN_bin2bn(jwt->signature.data, NGX_MEDIA_ACCESS_ES256 / 2, NULL);
    s = BN_bin2bn(jwt->signature.data + NGX_MEDIA_ACCESS_ES256 / 2,
                  NGX_MEDIA_ACCESS_ES256 / 2, NULL);

    if (sig == NULL || r == NULL || s == NULL
        || ECDSA_SIG_set0(sig, r, s) != 1)
    {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return 0;
    }

    len = i2d_ECDSA_SIG(sig, der);

    ECDSA_SIG_free(sig);

    return len;
}
