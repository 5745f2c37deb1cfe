
/*
 * Copyright (C) the nginx media suite authors
 *
 * Signed URLs and secrets: base64url and its one form, digests in hex and
 * base64url, times, the text that is signed, and comparisons.
 */


#include "ngx_media_sign.h"
#include "ngx_media_test.h"


static ngx_media_url_str_t
str(const char *s)
{
    ngx_media_url_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}


static void
ngx_media_sign_test_base64(void)
{
    size_t    i, n;
    u_char   *src, *dst;
    ssize_t   rc;

    static const struct {
        const char  *text;
        ssize_t      n;
        const char  *bytes;
    } list[] = {
        { "", 0, "" }, { "Zg", 1, "f" }, { "Zm8", 2, "fo" },
        { "Zm9v", 3, "foo" }, { "Zm9vYg", 4, "foob" },
        { "Zm9vYmFy", 6, "foobar" }, { "-_-_", 3, "\xfb\xff\xbf" },
        { "Z", -1, "" }, { "Zm9vY", -1, "" }, { "Zh", -1, "" },
        { "Zm9", -1, "" }, { "Zg==", -1, "" }, { "+/+/", -1, "" },
        { "Zm9 v", -1, "" }, { "Zm9v\n", -1, "" }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        n = strlen(list[i].text);
        src = ngx_media_test_dup(list[i].text, n);
        dst = malloc(ngx_media_base64url_size(n));

        rc = ngx_media_base64url(dst, src, n);

        ok(rc == list[i].n
           && (rc <= 0 || memcmp(dst, list[i].bytes, (size_t) rc) == 0),
           "base64url \"%s\" is %zd", list[i].text, rc);

        /* in place */

        rc = ngx_media_base64url(src, src, n);

        ok(rc == list[i].n
           && (rc <= 0 || memcmp(src, list[i].bytes, (size_t) rc) == 0),
           "in place");

        free(src);
        free(dst);
    }
}


static void
ngx_media_sign_test_digest(void)
{
    int      rc;
    size_t   i, n;
    u_char   want[16], got[16], *src;

    static const struct {
        const char  *text;
        int          rc;
    } list[] = {
        { "000102030405060708090a0b0c0d0e0f", NGX_MEDIA_OK },
        { "000102030405060708090A0B0C0D0E0F", NGX_MEDIA_OK },
        { "AAECAwQFBgcICQoLDA0ODw", NGX_MEDIA_OK },
        { "AAECAwQFBgcICQoLDA0ODw==", NGX_MEDIA_OK },
        { "AAECAwQFBgcICQoLDA0ODw=", NGX_MEDIA_ERROR },
        { "AAECAwQFBgcICQoLDA0ODw===", NGX_MEDIA_ERROR },
        { "AAECAwQFBgcICQoLDA0O", NGX_MEDIA_ERROR },
        { "000102030405060708090a0b0c0d0e", NGX_MEDIA_ERROR },
        { "000102030405060708090a0b0c0d0e0g", NGX_MEDIA_ERROR },
        { "", NGX_MEDIA_ERROR }, { "=", NGX_MEDIA_ERROR },
        { "====", NGX_MEDIA_ERROR }
    };

    for (i = 0; i < sizeof(want); i++) {
        want[i] = (u_char) i;
    }

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        n = strlen(list[i].text);
        src = ngx_media_test_dup(list[i].text, n);

        rc = ngx_media_sign_digest(got, sizeof(got), src, n);

        ok(rc == list[i].rc
           && (rc != NGX_MEDIA_OK || memcmp(got, want, sizeof(got)) == 0),
           "digest \"%s\"", list[i].text);

        free(src);
    }

    src = malloc(1000);
    memset(src, 'A', 1000);
    ok(ngx_media_sign_digest(got, 16, src, 1000) == NGX_MEDIA_ERROR,
       "a long one");
    free(src);
}


static void
ngx_media_sign_test_seconds(void)
{
    int      rc;
    size_t   i;
    int64_t  n;

    static const struct {
        const char  *text;
        int64_t      n;
    } list[] = {
        { "0", 0 }, { "1893456000", 1893456000 },
        { "999999999999", 999999999999 }, { "9999999999999", -1 },
        { "", -1 }, { "-1", -1 }, { "+1", -1 }, { " 1", -1 }, { "1 ", -1 },
        { "1.5", -1 }, { "0x1", -1 }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        n = -1;
        rc = ngx_media_sign_seconds((u_char *) list[i].text,
                                    strlen(list[i].text), &n);

        ok(n == list[i].n && (rc == NGX_MEDIA_OK) == (n >= 0),
           "seconds \"%s\"", list[i].text);
    }
}


static void
ngx_media_sign_test_text(void)
{
    size_t            n;
    u_char            buf[NGX_MEDIA_SIGN_TEXT];
    ngx_media_sign_t  sign;

    sign.action = "play";
    sign.expires = str("1893456000");
    sign.address = str("");
    sign.vhost = str("__defaultVhost__");
    sign.app = str("live");
    sign.stream = str("x");

    n = ngx_media_sign_text(buf, sizeof(buf), &sign);
    is_mem(buf, n, "play:1893456000:/live/x", 23, "a text");

    ok(ngx_media_sign_text(buf, 23, &sign) == 23, "it fits");
    ok(ngx_media_sign_text(buf, 22, &sign) == 0, "it does not");

    sign.vhost = str("v.example.com");
    sign.address = str("2001:db8::1");

    n = ngx_media_sign_text(buf, sizeof(buf), &sign);
    is_mem(buf, n, "play:1893456000:2001:db8::1:v.example.com/live/x", 48,
           "with all");
}


static void
ngx_media_sign_test_compare(void)
{
    ok(ngx_media_equal((u_char *) "abc", 3, (u_char *) "abc", 3), "equal");
    ok(!ngx_media_equal((u_char *) "abc", 3, (u_char *) "abd", 3), "not");
    ok(!ngx_media_equal((u_char *) "abc", 3, (u_char *) "ab", 2), "shorter");
    ok(ngx_media_equal(NULL, 0, NULL, 0), "nothing");

    ok(ngx_media_contains((u_char *) "xxabcxx", 7, (u_char *) "abc", 3),
       "in the middle");
    ok(ngx_media_contains((u_char *) "abc", 3, (u_char *) "abc", 3), "all");
    ok(ngx_media_contains((u_char *) "xabc", 4, (u_char *) "abc", 3),
       "at the end");
    ok(!ngx_media_contains((u_char *) "xab", 3, (u_char *) "abc", 3),
       "a part of it");
    ok(!ngx_media_contains((u_char *) "ab", 2, (u_char *) "abc", 3),
       "too short");
    ok(!ngx_media_contains((u_char *) "ab", 2, (u_char *) "", 0),
       "an empty secret");
    ok(!ngx_media_contains(NULL, 0, (u_char *) "a", 1), "in nothing");
}


int
main(void)
{
    ngx_media_sign_test_base64();
    ngx_media_sign_test_digest();
    ngx_media_sign_test_seconds();
    ngx_media_sign_test_text();
    ngx_media_sign_test_compare();

    return done_testing();
}
