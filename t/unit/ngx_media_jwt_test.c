
/*
 * Copyright (C) the nginx media suite authors
 *
 * JSON Web Tokens: how they are taken apart (RFC 7515 A.1 is one of them),
 * what their claims allow, and patterns of paths.
 */


#include "ngx_media_jwt.h"
#include "ngx_media_test.h"


#define NOW  1700000000


static ngx_media_url_str_t
str(const char *s)
{
    ngx_media_url_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}


static void
ngx_media_jwt_test_parse(void)
{
    int               rc;
    size_t            i, n;
    u_char           *p, *buf;
    ngx_media_jwt_t   jwt;

    static const struct {
        const char           *token;
        int                   rc;
        ngx_media_jwt_alg_e   alg;
    } list[] = {
        { "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJ"
          "leHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp"
          "0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
          NGX_MEDIA_OK, NGX_MEDIA_JWT_HS256 },
        { "eyJhbGciOiJub25lIn0.e30.", NGX_MEDIA_OK, NGX_MEDIA_JWT_OTHER },
        { "eyJhbGciOiJIUzI1NiJ9.e30.AA", NGX_MEDIA_OK, NGX_MEDIA_JWT_HS256 },
        { "eyJhbGciOiJSUzI1NiJ9.e30.AA", NGX_MEDIA_OK, NGX_MEDIA_JWT_RS256 },
        { "eyJhbGciOiJFUzI1NiJ9.e30.AA", NGX_MEDIA_OK, NGX_MEDIA_JWT_ES256 },
        { "eyJhbGciOiJoczI1NiJ9.e30.AA", NGX_MEDIA_OK, NGX_MEDIA_JWT_OTHER },
        { "eyJhbGciOjF9.e30.AA", NGX_MEDIA_OK, NGX_MEDIA_JWT_OTHER },

        { "", NGX_MEDIA_ERROR, 0 }, { ".", NGX_MEDIA_ERROR, 0 },
        { "..", NGX_MEDIA_ERROR, 0 }, { "a", NGX_MEDIA_ERROR, 0 },
        { "eyJhbGciOiJub25lIn0.e30", NGX_MEDIA_ERROR, 0 },
        { "eyJhbGciOiJIUzI1NiJ9.e30.A.A", NGX_MEDIA_ERROR, 0 },
        { "eyJhbGciOiJIUzI1NiJ9.e30.AA==", NGX_MEDIA_ERROR, 0 },
        { "eyJhbGciOiJIUzI1NiJ9.e30=.AA", NGX_MEDIA_ERROR, 0 },
        { "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdfQ.e30.AA", NGX_MEDIA_ERROR, 0 },
        { "e30.e30.AA", NGX_MEDIA_ERROR, 0 },
        { "W10.e30.AA", NGX_MEDIA_ERROR, 0 }
    };

    buf = malloc(NGX_MEDIA_JWT_MAX);

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        n = strlen(list[i].token);
        p = ngx_media_test_dup(list[i].token, n);

        rc = ngx_media_jwt_parse(&jwt, p, p + n, buf);

        ok(rc == list[i].rc && (rc != NGX_MEDIA_OK || jwt.alg == list[i].alg),
           "token %zu", i);

        if (i == 0) {
            ok(jwt.signed_text.len == n - 44 && jwt.signature.len == 32
               && jwt.signature.data[0] == 0x74 && jwt.claims.len == 70
               && memcmp(jwt.claims.data, "{\"iss\":\"joe\"", 12) == 0,
               "its parts");
        }

        free(p);
    }

    n = NGX_MEDIA_JWT_MAX;
    p = malloc(n + 1);
    memset(p, 'A', n + 1);
    memcpy(p, "eyJhbGciOiJIUzI1NiJ9.e30.", 25);

    ok(ngx_media_jwt_parse(&jwt, p, p + n - 3, buf) == NGX_MEDIA_OK,
       "as long as may be");
    ok(ngx_media_jwt_parse(&jwt, p, p + n + 1, buf) == NGX_MEDIA_ERROR,
       "longer");

    free(p);
    free(buf);
}


static void
ngx_media_jwt_test_claims(void)
{
    size_t                    i;
    int64_t                   exp;
    ngx_media_jwt_t           jwt;
    ngx_media_jwt_verdict_e   verdict;
    ngx_media_jwt_question_t  question;

    static const struct {
        const char               *claims;
        ngx_media_jwt_verdict_e   verdict;
    } list[] = {
        { "{\"exp\":1700000001,\"path\":\"live/x\"}", NGX_MEDIA_JWT_OK },
        { "{\"exp\":1700000001,\"paths\":[1,\"live/*\"]}", NGX_MEDIA_JWT_OK },
        { "{\"exp\":1700000000,\"path\":\"*\"}", NGX_MEDIA_JWT_EXPIRED },
        { "{\"path\":\"*\"}", NGX_MEDIA_JWT_EXPIRED },
        { "{\"exp\":\"1700000001\",\"path\":\"*\"}",
          NGX_MEDIA_JWT_BAD_CLAIMS },
        { "{\"exp\":1,\"exp\":1800000000,\"path\":\"*\"}",
          NGX_MEDIA_JWT_BAD_CLAIMS },
        { "{\"exp\":1800000000,\"nbf\":1700000001,\"path\":\"*\"}",
          NGX_MEDIA_JWT_EARLY },
        { "{\"exp\":1800000000,\"nbf\":1700000000,\"path\":\"*\"}",
          NGX_MEDIA_JWT_OK },
        { "{\"exp\":1800000000,\"nbf\":true,\"path\":\"*\"}",
          NGX_MEDIA_JWT_BAD_CLAIMS },
        { "{\"exp\":1800000000,\"path\":\"live/y\"}", NGX_MEDIA_JWT_PATH },
        { "{\"exp\":1800000000,\"path\":\"*\",\"paths\":\"*\"}",
          NGX_MEDIA_JWT_PATH },
        { "{\"exp\":1800000000}", NGX_MEDIA_JWT_PATH },
        { "{\"exp\":1800000000,\"path\":\"*\",\"action\":\"publish\"}",
          NGX_MEDIA_JWT_ACTION },
        { "{\"exp\":1800000000,\"path\":\"*\",\"action\":[]}",
          NGX_MEDIA_JWT_ACTION },
        { "{\"exp\":1800000000,\"path\":\"*\",\"actions\":[\"all\"]}",
          NGX_MEDIA_JWT_OK },
        { "{\"exp\":1800000000,\"path\":\"*\",\"action\":null}",
          NGX_MEDIA_JWT_ACTION },
        { "[]", NGX_MEDIA_JWT_BAD_CLAIMS }, { "", NGX_MEDIA_JWT_BAD_CLAIMS }
    };

    memset(&question, 0, sizeof(question));

    question.now = NOW;
    question.action = "play";
    question.app = str("live");
    question.stream = str("x");

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        jwt.claims = str(list[i].claims);
        verdict = ngx_media_jwt_claims(&jwt, &question, &exp);

        ok(verdict == list[i].verdict, "claims %zu: %s", i,
           ngx_media_jwt_text(verdict));
    }

    jwt.claims = str("{\"exp\":1699999999,\"path\":\"*\",\"iss\":\"a\","
                     "\"aud\":[\"b\",\"c\"]}");
    question.leeway = 2;
    question.iss = str("a");
    question.aud = str("c");
    ok(ngx_media_jwt_claims(&jwt, &question, &exp) == NGX_MEDIA_JWT_OK
       && exp == 1699999999, "leeway, issuer, audience");

    question.iss = str("b");
    ok(ngx_media_jwt_claims(&jwt, &question, &exp) == NGX_MEDIA_JWT_ISSUER,
       "another issuer");

    question.iss = str("");
    question.aud = str("a");
    ok(ngx_media_jwt_claims(&jwt, &question, &exp) == NGX_MEDIA_JWT_AUDIENCE,
       "another audience");

    question.aud = str("");
    question.action = "publish";
    ok(ngx_media_jwt_claims(&jwt, &question, &exp) == NGX_MEDIA_JWT_ACTION,
       "no action is not publish");
}


static void
ngx_media_jwt_test_path(void)
{
    size_t               i;
    ngx_media_url_str_t  app, stream;

    static const struct {
        const char  *pattern;
        const char  *app;
        const char  *stream;
        int          match;
    } list[] = {
        { "live/x", "live", "x", 1 }, { "/live/x", "live", "x", 1 },
        { "live/y", "live", "x", 0 }, { "live", "live", "x", 0 },
        { "live/", "live", "x", 0 }, { "live/xx", "live", "x", 0 },
        { "", "live", "x", 0 }, { "*", "live", "x", 1 },
        { "/*", "live", "x", 0 }, { "**", "a/b", "x", 1 },
        { "live/*", "live", "x", 1 }, { "live/*", "live/b", "x", 0 },
        { "live/**", "live/b", "x", 1 }, { "*/x", "live", "x", 1 },
        { "*/x", "a/live", "x", 0 }, { "**/x", "a/live", "x", 1 },
        { "live/c*m", "live", "cam", 1 }, { "live/c*m", "live", "cam2", 0 },
        { "live/*a*b", "live", "xaxbxab", 1 },
        { "live/?", "live", "x", 1 }, { "live?x", "live", "x", 0 },
        { "l*/**b", "live/a/b", "xb", 1 }, { "l**e/*", "live/e", "y", 1 },
        { "**a*/x", "ba", "x", 1 }, { "***", "a/b", "c", 1 },
        { "*a/**", "b/a", "x", 0 }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        app = str(list[i].app);
        stream = str(list[i].stream);

        ok(ngx_media_jwt_path((u_char *) list[i].pattern,
                              strlen(list[i].pattern), &app, &stream)
           == list[i].match, "\"%s\" and %s/%s", list[i].pattern, list[i].app,
           list[i].stream);
    }

    ok(ngx_media_jwt_alg((u_char *) "rs256", 5) == NGX_MEDIA_JWT_RS256
       && ngx_media_jwt_alg((u_char *) "ES256", 5) == NGX_MEDIA_JWT_ES256
       && ngx_media_jwt_alg((u_char *) "none", 4) == NGX_MEDIA_JWT_OTHER
       && ngx_media_jwt_alg((u_char *) "hs512", 5) == NGX_MEDIA_JWT_OTHER,
       "names of algorithms");
}


int
main(void)
{
    ngx_media_jwt_test_parse();
    ngx_media_jwt_test_claims();
    ngx_media_jwt_test_path();

    return done_testing();
}
