
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: JSON Web Tokens.  See ngx_media_jwt.h.
 */


#include "ngx_media_jwt.h"
#include "ngx_media_sign.h"

#include <string.h>


#define NGX_MEDIA_JWT_STRING    1024   /* bytes of a string in a claim */
#define NGX_MEDIA_JWT_HEADER    1024   /* of the header, decoded */


/* does a string of a claim satisfy what is asked? */

typedef int (*ngx_media_jwt_match_pt)(const u_char *p, size_t n,
    const ngx_media_jwt_question_t *question);


static int ngx_media_jwt_header(ngx_media_jwt_t *jwt, const u_char *pos,
    size_t n, u_char *buf);
static ngx_media_jwt_verdict_e ngx_media_jwt_times(
    const ngx_media_json_value_t *claims,
    const ngx_media_jwt_question_t *question, int64_t *exp);
static int ngx_media_jwt_any(const ngx_media_json_value_t *claims,
    const char *name, const char *other,
    const ngx_media_jwt_question_t *question, ngx_media_jwt_match_pt match);
static int ngx_media_jwt_match(const ngx_media_json_value_t *value,
    const ngx_media_jwt_question_t *question, ngx_media_jwt_match_pt match);
static int ngx_media_jwt_is_iss(const u_char *p, size_t n,
    const ngx_media_jwt_question_t *question);
static int ngx_media_jwt_is_aud(const u_char *p, size_t n,
    const ngx_media_jwt_question_t *question);
static int ngx_media_jwt_is_action(const u_char *p, size_t n,
    const ngx_media_jwt_question_t *question);
static int ngx_media_jwt_is_path(const u_char *p, size_t n,
    const ngx_media_jwt_question_t *question);
static int ngx_media_jwt_glob(const u_char *p, const u_char *pend,
    const u_char *s, const u_char *send);


ngx_media_jwt_alg_e
ngx_media_jwt_alg(const u_char *p, size_t n)
{
    size_t    i, k;
    u_char    ch;

    static const char  *names[] = { "HS256", "RS256", "ES256" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]) && n == 5; i++) {

        for (k = 0; k < n; k++) {
            ch = (p[k] >= 'a' && p[k] <= 'z') ? (u_char) (p[k] - 0x20) : p[k];

            if (ch != (u_char) names[i][k]) {
                break;
            }
        }

        if (k == n) {
            return (ngx_media_jwt_alg_e) (NGX_MEDIA_JWT_HS256 + i);
        }
    }

    return NGX_MEDIA_JWT_OTHER;
}


int
ngx_media_jwt_parse(ngx_media_jwt_t *jwt, const u_char *pos,
    const u_char *end, u_char *buf)
{
    ssize_t        n;
    const u_char  *claims, *signature;

    if (pos == end || end - pos > NGX_MEDIA_JWT_MAX) {
        return NGX_MEDIA_ERROR;
    }

    claims = memchr(pos, '.', (size_t) (end - pos));

    if (claims == NULL) {
        return NGX_MEDIA_ERROR;
    }

    claims++;
    signature = memchr(claims, '.', (size_t) (end - claims));

    if (signature == NULL) {
        return NGX_MEDIA_ERROR;
    }

    signature++;

    if (ngx_media_jwt_header(jwt, pos, (size_t) (claims - 1 - pos), buf)
        != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    jwt->signed_text.data = (u_char *) pos;
    jwt->signed_text.len = (size_t) (signature - 1 - pos);

    /* the parts are shorter decoded, with a byte or two of room each */

    n = ngx_media_base64url(buf, claims, (size_t) (signature - 1 - claims));

    if (n < 0) {
        return NGX_MEDIA_ERROR;
    }

    jwt->claims.data = buf;
    jwt->claims.len = (size_t) n;

    buf += n;
    n = ngx_media_base64url(buf, signature, (size_t) (end - signature));

    if (n < 0) {
        return NGX_MEDIA_ERROR;
    }

    jwt->signature.data = buf;
    jwt->signature.len = (size_t) n;

    return NGX_MEDIA_OK;
}


static int
ngx_media_jwt_header(ngx_media_jwt_t *jwt, const u_char *pos, size_t n,
    u_char *buf)
{
    ssize_t                 len;
    u_char                  name[16];
    ngx_media_json_value_t  header, value;

    if (n > NGX_MEDIA_JWT_HEADER) {
        return NGX_MEDIA_ERROR;
    }

    len = ngx_media_base64url(buf, pos, n);

    if (len < 0
        || ngx_media_json_parse(&header, buf, buf + len) != NGX_MEDIA_OK
        || ngx_media_json_member(&header, "crit", &value)
           != NGX_MEDIA_DECLINED
        || ngx_media_json_member(&header, "alg", &value) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    len = ngx_media_json_string(&value, name, sizeof(name));

    jwt->alg = NGX_MEDIA_JWT_OTHER;

    if (len == 5) {

        /* RFC 7515: case matters here */

        if (memcmp(name, "HS256", 5) == 0) {
            jwt->alg = NGX_MEDIA_JWT_HS256;

        } else if (memcmp(name, "RS256", 5) == 0) {
            jwt->alg = NGX_MEDIA_JWT_RS256;

        } else if (memcmp(name, "ES256", 5) == 0) {
            jwt->alg = NGX_MEDIA_JWT_ES256;
        }
    }

    return NGX_MEDIA_OK;
}


ngx_media_jwt_verdict_e
ngx_media_jwt_claims(const ngx_media_jwt_t *jwt,
    const ngx_media_jwt_question_t *question, int64_t *exp)
{
    int                      rc;
    ngx_media_json_value_t   claims;
    ngx_media_jwt_verdict_e  verdict;

    if (ngx_media_json_parse(&claims, jwt->claims.data,
                             jwt->claims.data + jwt->claims.len)
        != NGX_MEDIA_OK
        || claims.type != NGX_MEDIA_JSON_OBJECT)
    {
        return NGX_MEDIA_JWT_BAD_CLAIMS;
    }

    verdict = ngx_media_jwt_times(&claims, question, exp);

    if (verdict != NGX_MEDIA_JWT_OK) {
        return verdict;
    }

    if (question->iss.len
        && ngx_media_jwt_any(&claims, "iss", NULL, question,
                             ngx_media_jwt_is_iss) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_JWT_ISSUER;
    }

    if (question->aud.len
        && ngx_media_jwt_any(&claims, "aud", NULL, question,
                             ngx_media_jwt_is_aud) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_JWT_AUDIENCE;
    }

    rc = ngx_media_jwt_any(&claims, "action", "actions", question,
                           ngx_media_jwt_is_action);

    if (rc != NGX_MEDIA_OK
        && (rc != NGX_MEDIA_DONE || strcmp(question->action, "play") != 0))
    {
        return NGX_MEDIA_JWT_ACTION;
    }

    if (ngx_media_jwt_any(&claims, "path", "paths", question,
                          ngx_media_jwt_is_path) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_JWT_PATH;
    }

    return NGX_MEDIA_JWT_OK;
}


static ngx_media_jwt_verdict_e
ngx_media_jwt_times(const ngx_media_json_value_t *claims,
    const ngx_media_jwt_question_t *question, int64_t *exp)
{
    int                     rc;
    int64_t                 nbf;
    ngx_media_json_value_t  value;

    rc = ngx_media_json_member(claims, "exp", &value);

    if (rc == NGX_MEDIA_DECLINED) {
        return NGX_MEDIA_JWT_EXPIRED;
    }

    if (rc != NGX_MEDIA_OK
        || ngx_media_json_integer(&value, exp) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_JWT_BAD_CLAIMS;
    }

    if (*exp + question->leeway <= question->now) {
        return NGX_MEDIA_JWT_EXPIRED;
    }

    rc = ngx_media_json_member(claims, "nbf", &value);

    if (rc == NGX_MEDIA_DECLINED) {
        return NGX_MEDIA_JWT_OK;
    }

    if (rc != NGX_MEDIA_OK
        || ngx_media_json_integer(&value, &nbf) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_JWT_BAD_CLAIMS;
    }

    return (nbf > question->now + question->leeway) ? NGX_MEDIA_JWT_EARLY
                                                    : NGX_MEDIA_JWT_OK;
}


/*
 * A claim that is a string or an array of strings, one of which has to match;
 * it may have another name, but not both.  NGX_MEDIA_OK; NGX_MEDIA_DECLINED:
 * none matches; NGX_MEDIA_DONE: there is no such claim; NGX_MEDIA_ERROR.
 */

static int
ngx_media_jwt_any(const ngx_media_json_value_t *claims, const char *name,
    const char *other, const ngx_media_jwt_question_t *question,
    ngx_media_jwt_match_pt match)
{
    int                     rc;
    ngx_media_json_value_t  value, second, element;

    rc = ngx_media_json_member(claims, name, &value);

    if (other && rc != NGX_MEDIA_ERROR) {

        if (rc == NGX_MEDIA_DECLINED) {
            rc = ngx_media_json_member(claims, other, &value);

        } else if (ngx_media_json_member(claims, other, &second)
                   != NGX_MEDIA_DECLINED)
        {
            rc = NGX_MEDIA_ERROR;
        }
    }

    if (rc != NGX_MEDIA_OK) {
        return (rc == NGX_MEDIA_DECLINED) ? NGX_MEDIA_DONE : NGX_MEDIA_ERROR;
    }

    if (value.type == NGX_MEDIA_JSON_STRING) {
        return ngx_media_jwt_match(&value, question, match)
               ? NGX_MEDIA_OK : NGX_MEDIA_DECLINED;
    }

    if (value.type != NGX_MEDIA_JSON_ARRAY) {
        return NGX_MEDIA_ERROR;
    }

    element.pos = NULL;

    while (ngx_media_json_element(&value, &element) == NGX_MEDIA_OK) {
        if (ngx_media_jwt_match(&element, question, match)) {
            return NGX_MEDIA_OK;
        }
    }

    return NGX_MEDIA_DECLINED;
}


static int
ngx_media_jwt_match(const ngx_media_json_value_t *value,
    const ngx_media_jwt_question_t *question, ngx_media_jwt_match_pt match)
{
    u_char   text[NGX_MEDIA_JWT_STRING];
    ssize_t  n;

    n = ngx_media_json_string(value, text, sizeof(text));

    return n >= 0 && match(text, (size_t) n, question);
}


static int
ngx_media_jwt_is_iss(const u_char *p, size_t n,
    const ngx_media_jwt_question_t *question)
{
    return ngx_media_equal(p, n, question->iss.data, question->iss.len);
}


static int
ngx_media_jwt_is_aud(const u_char *p, size_t n,
    const ngx_media_jwt_question_t *question)
{
    return ngx_media_equal(p, n, question->aud.data, question->aud.len);
}


static int
ngx_media_jwt_is_action(const u_char *p, size_t n,
    const ngx_media_jwt_question_t *question)
{
    return (n == 3 && memcmp(p, "all", 3) == 0)
           || (n == strlen(question->action)
               && memcmp(p, question->action, n) == 0);
}


static int
ngx_media_jwt_is_path(const u_char *p, size_t n,
    const ngx_media_jwt_question_t *question)
{
    return ngx_media_jwt_path(p, n, &question->app, &question->stream);
}


int
ngx_media_jwt_path(const u_char *pattern, size_t n,
    const ngx_media_url_str_t *app, const ngx_media_url_str_t *stream)
{
    size_t  len;
    u_char  path[2 * NGX_MEDIA_NAME_MAX + 1];

    if (app->len > NGX_MEDIA_NAME_MAX || stream->len > NGX_MEDIA_NAME_MAX) {
        return 0;
    }

    if (n == 1 && *pattern == '*') {
        return 1;
    }

    if (n && *pattern == '/') {
        pattern++;
        n--;
    }

    len = 0;

    if (app->len) {
        memcpy(path, app->data, app->len);
        len = app->len;
    }

    path[len++] = '/';

    if (stream->len) {
        memcpy(path + len, stream->data, stream->len);
        len += stream->len;
    }

    return ngx_media_jwt_glob(pattern, pattern + n, path, path + len);
}


/*
 * One place to come back to for "*" and one for "**": the last one of a kind
 * is enough, and the time at most the product of the lengths for each place
 * of "**".
 */

static int
ngx_media_jwt_glob(const u_char *p, const u_char *pend, const u_char *s,
    const u_char *send)
{
    const u_char  *star, *star_at, *deep, *deep_at;

    star = NULL;
    star_at = NULL;
    deep = NULL;
    deep_at = NULL;

    while (s < send || p < pend) {

        if (p < pend && *p == '*') {

            if (pend - p >= 2 && p[1] == '*') {
                p += 2;
                deep = p;
                deep_at = s;
                star = NULL;

            } else {
                p++;
                star = p;
                star_at = s;
            }

            continue;
        }

        if (p < pend && s < send
            && (*p == *s || (*p == '?' && *s != '/')))
        {
            p++;
            s++;
            continue;
        }

        if (star && star_at < send && *star_at != '/') {
            p = star;
            s = ++star_at;
            continue;
        }

        if (deep && deep_at < send) {
            p = deep;
            s = ++deep_at;
            star = NULL;
            continue;
        }

        return 0;
    }

    return 1;
}


const char *
ngx_media_jwt_text(ngx_media_jwt_verdict_e verdict)
{
    static const char  *texts[] = {
        "ok", "its claims are damaged", "it has expired or never does",
        "it is not valid yet", "of another issuer", "for another audience",
        "for another action", "for another path"
    };

    if ((size_t) verdict >= sizeof(texts) / sizeof(texts[0])) {
        return "error";
    }

    return texts[verdict];
}
