
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of the answers of hooks: what agrees, what refuses, what is not
 * understood, and what "data" may say; each also cut short at every byte.
 */


#include "ngx_media_hook_answer.h"
#include "ngx_media_test.h"


typedef struct {
    const char  *body;
    int          want;
} case_t;


static const case_t  cases[] = {
    { "0", NGX_MEDIA_OK },
    { "0\n", NGX_MEDIA_OK },
    { " \t\r\n0 \r\n", NGX_MEDIA_OK },
    { "{\"code\":0}", NGX_MEDIA_OK },
    { "{ \"code\" : 0 }\n", NGX_MEDIA_OK },
    { "{\"a\":[1,{\"code\":1}],\"code\":0,\"b\":null}", NGX_MEDIA_OK },
    { "{\"code\":0,\"data\":null}", NGX_MEDIA_OK },
    { "{\"code\":0,\"data\":{\"code\":7}}", NGX_MEDIA_OK },
    { "{\"\\u0063ode\":0}", NGX_MEDIA_OK },

    { "1", NGX_MEDIA_DECLINED },
    { "-1", NGX_MEDIA_DECLINED },
    { "-0", NGX_MEDIA_DECLINED },
    { "403", NGX_MEDIA_DECLINED },
    { "{\"code\":1}", NGX_MEDIA_DECLINED },
    { "{\"code\":-5}", NGX_MEDIA_DECLINED },
    { "{\"code\":\"0\"}", NGX_MEDIA_DECLINED },
    { "{\"code\":0.0}", NGX_MEDIA_DECLINED },
    { "{\"code\":0e0}", NGX_MEDIA_DECLINED },
    { "{\"code\":false}", NGX_MEDIA_DECLINED },
    { "{\"code\":null}", NGX_MEDIA_DECLINED },
    { "{\"code\":{}}", NGX_MEDIA_DECLINED },
    { "{\"code\":1,\"code\":0}", NGX_MEDIA_DECLINED },
    { "{\"code\":0,\"code\":1}", NGX_MEDIA_DECLINED },
    { "{\"code\":18446744073709551616}", NGX_MEDIA_DECLINED },
    { "{\"code\":99999999999999999999999999990}", NGX_MEDIA_DECLINED },

    { "", NGX_MEDIA_ERROR },
    { " ", NGX_MEDIA_ERROR },
    { "00", NGX_MEDIA_ERROR },
    { "0 0", NGX_MEDIA_ERROR },
    { "0x", NGX_MEDIA_ERROR },
    { "0.0", NGX_MEDIA_ERROR },
    { "0e1", NGX_MEDIA_ERROR },
    { "\"0\"", NGX_MEDIA_ERROR },
    { "[0]", NGX_MEDIA_ERROR },
    { "{}", NGX_MEDIA_ERROR },
    { "{\"Code\":0}", NGX_MEDIA_ERROR },
    { "{\"code\":0}}", NGX_MEDIA_ERROR },
    { "{\"code\":0},", NGX_MEDIA_ERROR },
    { "{\"code\":0,}", NGX_MEDIA_ERROR },
    { "{\"code\":00}", NGX_MEDIA_ERROR },
    { "{\"code\":+0}", NGX_MEDIA_ERROR },
    { "{\"code\":0.}", NGX_MEDIA_ERROR },
    { "{\"code\":0,\"a\":1e}", NGX_MEDIA_ERROR },
    { "{'code':0}", NGX_MEDIA_ERROR },
    { "{code:0}", NGX_MEDIA_ERROR },
    { "{\"code\":0,\"a\":\"\\x\"}", NGX_MEDIA_ERROR },
    { "{\"code\":0,\"a\":\"\n\"}", NGX_MEDIA_ERROR },
    { "{\"code\":0,\"a\":tru}", NGX_MEDIA_ERROR },
    { "{\"data\":{\"code\":0}}", NGX_MEDIA_ERROR },
    { "<html>0</html>", NGX_MEDIA_ERROR },
    { "nullx", NGX_MEDIA_ERROR },
    { "null", NGX_MEDIA_ERROR }
};


static ngx_media_hook_answer_t  answer;
static u_char                  *strings;


/* in blocks of exactly their size */

static int
call(const char *body, size_t n)
{
    int     rc;
    u_char  *p;

    free(strings);

    p = ngx_media_test_dup(body, n);
    strings = malloc(n ? n : 1);

    rc = ngx_media_hook_answer(&answer, p, p + n, strings);

    free(p);

    return rc;
}


static int
is(const ngx_media_url_str_t *s, const char *want)
{
    return s->len == strlen(want) && memcmp(s->data, want, s->len) == 0;
}


static void
verdicts(void)
{
    size_t    n;
    unsigned  i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = strlen(cases[i].body);

        ok(call(cases[i].body, n) == cases[i].want, "verdict of case %u", i);

        while (n--) {
            (void) call(cases[i].body, n);
        }
    }

    ok(call("0\0", 2) == NGX_MEDIA_ERROR, "a zero byte behind it");
}


static void
data(void)
{
    const char  *body;

    body = "{\"code\":0,\"data\":{\"stream\":\"a\\u00e9\\ud83d\\ude00\\/b\","
           "\"redirect\":\"rtmp://h/live/x\",\"lifetime\":60.25,"
           "\"record\":false,\"urls\":[\"rtmp://a\",5,\"rtmp://b\"]}}";

    ok(call(body, strlen(body)) == NGX_MEDIA_OK, "data");
    ok(is(&answer.stream, "a\xc3\xa9\xf0\x9f\x98\x80/b"), "stream");
    ok(is(&answer.redirect, "rtmp://h/live/x"), "redirect");
    ok(answer.lifetime == 60250, "lifetime");
    ok(answer.record == 0, "record");
    ok(answer.nurls == 2 && is(&answer.urls[0], "rtmp://a")
       && is(&answer.urls[1], "rtmp://b"), "urls");

    body = "{\"data\":{\"stream\":5,\"redirect\":null,\"lifetime\":-1,"
           "\"record\":\"yes\",\"urls\":\"x\",\"a\":{\"stream\":\"no\"}},"
           "\"code\":0,\"stream\":\"no\"}";

    ok(call(body, strlen(body)) == NGX_MEDIA_OK, "data of other types");
    ok(answer.stream.len == 0 && answer.redirect.len == 0, "no strings");
    ok(answer.lifetime == 0 && answer.record == -1 && answer.nurls == 0,
       "nothing else");

    body = "{\"code\":0,\"data\":{\"record\":true,"
           "\"lifetime\":99999999999999999999}}";

    ok(call(body, strlen(body)) == NGX_MEDIA_OK, "a long life");
    ok(answer.record == 1, "record");
    ok(answer.lifetime == NGX_MEDIA_HOOK_LIFETIME_MAX, "is bounded");

    body = "{\"code\":0,\"data\":{\"stream\":7,\"redirect\":"
           "\"a\",\"redirect\":\"b\",\"lifetime\":6e1}}";

    ok(call(body, strlen(body)) == NGX_MEDIA_OK, "data that is no use");
    ok(answer.stream.len == 0 && answer.redirect.len == 0
       && answer.lifetime == 0, "a number, twice the same, 6e1");

    body = "{\"code\":0,\"data\":{\"stream\":\"x\",\"redirect\":\"\\ud800\"}}";

    ok(call(body, strlen(body)) == NGX_MEDIA_DECLINED
       && answer.stream.len == 0, "half a character: who knows where to");

    body = "{\"data\":{\"stream\":\"x\"},\"code\":1}";

    ok(call(body, strlen(body)) == NGX_MEDIA_DECLINED
       && answer.stream.len == 0, "data of a refusal is not kept");
}


static void
bounds(void)
{
    char    *body;
    size_t   n;
    int      i;

    body = malloc(4096);
    n = (size_t) sprintf(body, "{\"code\":0,\"a\":");

    memset(body + n, '[', 31);
    memset(body + n + 31, ']', 31);
    strcpy(body + n + 62, "}");

    ok(call(body, strlen(body)) == NGX_MEDIA_OK, "as deep as it may be");

    memset(body + n, '[', 32);
    memset(body + n + 32, ']', 32);
    strcpy(body + n + 64, "}");

    ok(call(body, strlen(body)) == NGX_MEDIA_ERROR, "deeper");

    n = (size_t) sprintf(body, "{\"code\":0,\"data\":{\"urls\":[\"0\"");

    for (i = 1; i < 40; i++) {
        n += (size_t) sprintf(body + n, ",\"%d\"", i);
    }

    strcpy(body + n, "]}}");

    ok(call(body, strlen(body)) == NGX_MEDIA_OK, "many URLs");
    ok(answer.nurls == NGX_MEDIA_HOOK_URLS && is(&answer.urls[15], "15"),
       "the first ones are kept");

    free(body);
}


int
main(void)
{
    verdicts();
    data();
    bounds();

    free(strings);

    return done_testing();
}
