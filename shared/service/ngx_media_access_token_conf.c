
/*
 * Copyright (C) the nginx media suite authors
 *
 * The directives media_sign and media_jwt: keys and options.  Files of keys
 * are read here, once, by the master, and belong to the configuration.
 */


#include "ngx_media_access.h"
#include "ngx_media_jwt.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>


static ngx_int_t ngx_media_access_off(ngx_conf_t *cf, ngx_array_t **list);
static void *ngx_media_access_push(ngx_conf_t *cf, ngx_array_t **list,
    size_t size);
static ngx_uint_t ngx_media_access_option(ngx_str_t *value, const char *name,
    ngx_str_t *option);
static ngx_int_t ngx_media_access_flag(ngx_conf_t *cf, ngx_str_t *value,
    const char *name, ngx_uint_t *flag);
static ngx_int_t ngx_media_access_sign_option(ngx_conf_t *cf,
    ngx_media_access_sign_t *sign, ngx_str_t *value);
static ngx_int_t ngx_media_access_jwt_option(ngx_conf_t *cf,
    ngx_media_access_jwt_t *jwt, ngx_str_t *value);
static char *ngx_media_access_jwt_key(ngx_conf_t *cf,
    ngx_media_access_jwt_t *jwt, ngx_str_t *value);
static EVP_PKEY *ngx_media_access_read_key(ngx_conf_t *cf, ngx_str_t *file);
static ngx_uint_t ngx_media_access_key_fits(ngx_uint_t alg, EVP_PKEY *key);
static void ngx_media_access_free_key(void *data);


#define NGX_MEDIA_ACCESS_RSA_MIN   2048    /* bits, RFC 7518 3.3 */
#define NGX_MEDIA_ACCESS_HS_MIN    32      /* bytes, RFC 7518 3.2 */
#define NGX_MEDIA_ACCESS_KEY_MAX   256


/* NGX_OK: "off" stood there, *list is NULL; NGX_DECLINED: something else */

static ngx_int_t
ngx_media_access_off(ngx_conf_t *cf, ngx_array_t **list)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts != 2 || value[1].len != 3
        || ngx_strncmp(value[1].data, "off", 3) != 0)
    {
        return (*list == NULL) ? NGX_ERROR : NGX_DECLINED;
    }

    if (*list != NGX_CONF_UNSET_PTR) {
        return NGX_ERROR;
    }

    *list = NULL;

    return NGX_OK;
}


/* one more, zeroed, of a list that is made when it is needed */

static void *
ngx_media_access_push(ngx_conf_t *cf, ngx_array_t **list, size_t size)
{
    void  *elt;

    if (*list == NGX_CONF_UNSET_PTR) {
        *list = ngx_array_create(cf->pool, 2, size);
        if (*list == NULL) {
            return NULL;
        }
    }

    elt = ngx_array_push(*list);

    if (elt) {
        ngx_memzero(elt, size);
    }

    return elt;
}


/* NAME=VALUE, zero-terminated as words of a configuration are */

static ngx_uint_t
ngx_media_access_option(ngx_str_t *value, const char *name, ngx_str_t *option)
{
    size_t  n;

    n = ngx_strlen(name);

    if (value->len <= n || ngx_strncmp(value->data, name, n) != 0
        || value->data[n] != '=')
    {
        return 0;
    }

    option->data = value->data + n + 1;
    option->len = value->len - n - 1;

    return 1;
}


/* NGX_OK; NGX_DECLINED: another option; NGX_ERROR: neither on nor off */

static ngx_int_t
ngx_media_access_flag(ngx_conf_t *cf, ngx_str_t *value, const char *name,
    ngx_uint_t *flag)
{
    ngx_str_t  option;

    if (!ngx_media_access_option(value, name, &option)) {
        return NGX_DECLINED;
    }

    if (option.len == 2 && ngx_strncmp(option.data, "on", 2) == 0) {
        *flag = 1;
        return NGX_OK;
    }

    if (option.len == 3 && ngx_strncmp(option.data, "off", 3) == 0) {
        *flag = 0;
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\", say \"%s=on\" or \"%s=off\"",
                       value, name, name);

    return NGX_ERROR;
}


/* --- media_sign --------------------------------------------------------- */

/*
 * media_sign hmac_sha256|md5 KEY... [arg=NAME] [expires=NAME] [address=on]
 *     [lifetime=on] [publish|play|all]; what is no option is a key
 */

char *
ngx_media_access_set_sign(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_access_conf_t *acf = conf;

    ngx_int_t                 rc;
    ngx_str_t                *value, *key;
    ngx_uint_t                i;
    ngx_media_access_sign_t  *sign;

    rc = ngx_media_access_off(cf, &acf->signs);

    if (rc != NGX_DECLINED) {
        return (rc == NGX_OK) ? NGX_CONF_OK : "and \"media_sign off\" exclude "
                                              "each other";
    }

    value = cf->args->elts;

    sign = ngx_media_access_push(cf, &acf->signs,
                                 sizeof(ngx_media_access_sign_t));
    if (sign == NULL) {
        return NGX_CONF_ERROR;
    }

    if (value[1].len == 11
        && ngx_strncmp(value[1].data, "hmac_sha256", 11) == 0)
    {
        sign->md = EVP_sha256();

    } else if (value[1].len != 3
               || ngx_strncmp(value[1].data, "md5", 3) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid method \"%V\", say \"media_sign "
                           "hmac_sha256 KEY\" or \"media_sign md5 KEY\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts < 3) {
        return "needs a key";
    }

    sign->acts = NGX_MEDIA_ACCESS_ALL;
    ngx_str_set(&sign->arg, "sign");
    ngx_str_set(&sign->expires, "expires");

    if (ngx_array_init(&sign->keys, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        rc = (i == 2) ? NGX_DECLINED
                      : ngx_media_access_sign_option(cf, sign, &value[i]);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_OK) {
            continue;
        }

        if (value[i].len == 0 || value[i].len > NGX_MEDIA_ACCESS_KEY_MAX) {
            return "has a key that is empty or longer than 256 bytes";
        }

        if (i > 2 && ngx_media_access_check_secret(cf, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        key = ngx_array_push(&sign->keys);
        if (key == NULL) {
            return NGX_CONF_ERROR;
        }

        *key = value[i];
    }

    return ngx_media_conf_note(cf, cmd);
}


static ngx_int_t
ngx_media_access_sign_option(ngx_conf_t *cf, ngx_media_access_sign_t *sign,
    ngx_str_t *value)
{
    ngx_int_t   rc;
    ngx_uint_t  acts, flag;

    acts = ngx_media_access_acts(value);

    if (acts) {
        sign->acts = acts;
        return NGX_OK;
    }

    if (ngx_media_access_option(value, "arg", &sign->arg)
        || ngx_media_access_option(value, "expires", &sign->expires))
    {
        if (sign->arg.len && sign->expires.len) {
            return NGX_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has no name of an argument", value);
        return NGX_ERROR;
    }

    rc = ngx_media_access_flag(cf, value, "address", &flag);

    if (rc != NGX_DECLINED) {
        sign->address = (rc == NGX_OK && flag);
        return rc;
    }

    rc = ngx_media_access_flag(cf, value, "lifetime", &flag);

    if (rc == NGX_OK) {
        sign->lifetime = (flag != 0);
    }

    return rc;
}


/* --- media_jwt ---------------------------------------------------------- */

/*
 * media_jwt hs256 SECRET... | rs256|es256 FILE... [arg=NAME] [iss=NAME]
 *     [aud=NAME] [leeway=TIME] [lifetime=on] [publish|play|all]
 */

char *
ngx_media_access_set_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_access_conf_t *acf = conf;

    char                    *rv;
    ngx_int_t                rc;
    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_media_access_jwt_t  *jwt;

    rc = ngx_media_access_off(cf, &acf->jwts);

    if (rc != NGX_DECLINED) {
        return (rc == NGX_OK) ? NGX_CONF_OK : "and \"media_jwt off\" exclude "
                                              "each other";
    }

    value = cf->args->elts;

    jwt = ngx_media_access_push(cf, &acf->jwts,
                                sizeof(ngx_media_access_jwt_t));
    if (jwt == NULL) {
        return NGX_CONF_ERROR;
    }

    jwt->acts = NGX_MEDIA_ACCESS_ALL;
    jwt->alg = ngx_media_jwt_alg(value[1].data, value[1].len);

    if (jwt->alg == NGX_MEDIA_JWT_OTHER) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid algorithm \"%V\", say \"media_jwt hs256 "
                           "SECRET\", or \"rs256\" or \"es256\" and a file "
                           "with the public key", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts < 3) {
        return "needs a key";
    }

    if (ngx_array_init(&jwt->keys, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&jwt->pkeys, cf->pool, 2, sizeof(EVP_PKEY *))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        rc = (i == 2) ? NGX_DECLINED
                      : ngx_media_access_jwt_option(cf, jwt, &value[i]);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_OK) {
            continue;
        }

        if (i > 2 && ngx_media_access_check_secret(cf, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        rv = ngx_media_access_jwt_key(cf, jwt, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_media_conf_note(cf, cmd);
}


static ngx_int_t
ngx_media_access_jwt_option(ngx_conf_t *cf, ngx_media_access_jwt_t *jwt,
    ngx_str_t *value)
{
    ngx_int_t   rc;
    ngx_str_t   option;
    ngx_uint_t  acts, flag;

    acts = ngx_media_access_acts(value);

    if (acts) {
        jwt->acts = acts;
        return NGX_OK;
    }

    if (ngx_media_access_option(value, "arg", &jwt->arg)
        || ngx_media_access_option(value, "iss", &jwt->iss)
        || ngx_media_access_option(value, "aud", &jwt->aud))
    {
        return NGX_OK;
    }

    if (ngx_media_access_option(value, "leeway", &option)) {
        rc = ngx_parse_time(&option, 1);

        if (rc == NGX_ERROR || rc > 3600) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid time \"%V\", say for example "
                               "\"leeway=10s\", up to 1h", value);
            return NGX_ERROR;
        }

        jwt->leeway = (time_t) rc;

        return NGX_OK;
    }

    rc = ngx_media_access_flag(cf, value, "lifetime", &flag);

    if (rc == NGX_OK) {
        jwt->lifetime = (flag != 0);
    }

    return rc;
}


static char *
ngx_media_access_jwt_key(ngx_conf_t *cf, ngx_media_access_jwt_t *jwt,
    ngx_str_t *value)
{
    EVP_PKEY            *key, **pkey;
    ngx_str_t           *secret;
    ngx_pool_cleanup_t  *cln;

    if (jwt->alg == NGX_MEDIA_JWT_HS256) {

        if (value->len == 0) {
            return "has an empty secret";
        }

        if (value->len < NGX_MEDIA_ACCESS_HS_MIN) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "secret of \"media_jwt hs256\" has %uz bytes, "
                               "RFC 7518 demands %d or more", value->len,
                               NGX_MEDIA_ACCESS_HS_MIN);
        }

        secret = ngx_array_push(&jwt->keys);
        if (secret == NULL) {
            return NGX_CONF_ERROR;
        }

        *secret = *value;

        return NGX_CONF_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    pkey = ngx_array_push(&jwt->pkeys);

    if (cln == NULL || pkey == NULL) {
        return NGX_CONF_ERROR;
    }

    key = ngx_media_access_read_key(cf, value);

    if (key == NULL) {
        jwt->pkeys.nelts--;
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_media_access_free_key;
    cln->data = key;
    *pkey = key;

    if (!ngx_media_access_key_fits(jwt->alg, key)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key in \"%V\" is none for this algorithm: "
                           "rs256 takes RSA keys of %d bits or more, es256 "
                           "keys on the curve P-256", value,
                           NGX_MEDIA_ACCESS_RSA_MIN);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_media_access_free_key(void *data)
{
    EVP_PKEY_free(data);
}


/* a public key or a certificate, in PEM */

static EVP_PKEY *
ngx_media_access_read_key(ngx_conf_t *cf, ngx_str_t *file)
{
    BIO        *bio;
    X509       *x509;
    EVP_PKEY   *key;
    ngx_str_t   path;

    path = *file;

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NULL;
    }

    bio = BIO_new_file((char *) path.data, "r");

    if (bio == NULL) {
        ERR_clear_error();
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot read the file of a public key \"%V\"",
                           &path);
        return NULL;
    }

    key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);

    if (key == NULL) {
        (void) BIO_reset(bio);

        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (x509) {
            key = X509_get_pubkey(x509);
            X509_free(x509);
        }
    }

    BIO_free(bio);
    ERR_clear_error();

    if (key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" holds neither a public key nor a "
                           "certificate in PEM", &path);
    }

    return key;
}


static ngx_uint_t
ngx_media_access_key_fits(ngx_uint_t alg, EVP_PKEY *key)
{
    int              nid;
    EC_KEY          *ec;
    const EC_GROUP  *group;

    if (alg == NGX_MEDIA_JWT_RS256) {
        return EVP_PKEY_base_id(key) == EVP_PKEY_RSA
               && EVP_PKEY_bits(key) >= NGX_MEDIA_ACCESS_RSA_MIN;
    }

    if (EVP_PKEY_base_id(key) != EVP_PKEY_EC) {
        return 0;
    }

    ec = EVP_PKEY_get1_EC_KEY(key);
    if (ec == NULL) {
        return 0;
    }

    group = EC_KEY_get0_group(ec);
    nid = group ? EC_GROUP_get_curve_name(group) : NID_undef;

    EC_KEY_free(ec);

    return nid == NID_X9_62_prime256v1;
}
