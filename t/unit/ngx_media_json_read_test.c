
/*
 * Copyright (C) the nginx media suite authors
 *
 * JSON that is read where it lies: what is a text and what is not, members,
 * elements, strings with escapes, numbers.
 */


#include "ngx_media_json_read.h"
#include "ngx_media_test.h"


static int
parse(const char *text)
{
    int                      rc;
    u_char                  *p;
    ngx_media_json_value_t   value;

    p = ngx_media_test_dup(text, strlen(text));
    rc = ngx_media_json_parse(&value, p, p + strlen(text));
    free(p);

    return rc;
}


static void
ngx_media_json_read_test_texts(void)
{
    size_t  i;

    static const char  *good[] = {
        "{}", "[]", " { } ", "null", "true", "false", "0", "-0", "12.5e-3",
        "\"\"", "\"\\u0041\\n\\\"\"", "[1,[2,[3]]]", "{\"a\":{\"b\":[]}}",
        "\t{\r\n\"a\" : 1 , \"b\":2}", "\"\xc3\xa4\"",
        "[[[[[[[[[[[[[[[["
        "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"
        "]]]]]]]]]]]]]]]]"
    };

    static const char  *bad[] = {
        "", " ", "{", "}", "[", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}",
        "{a:1}", "{\"a\":1,}", "{\"a\" 1}", "nul", "nullx", "TRUE", "01",
        "-", "1.", ".5", "1e", "1e+", "+1", "\"", "\"\\x\"", "\"\\u12\"",
        "\"\\u12g4\"", "\"\n\"", "1 2", "{} {}", "'a'", "[1 2]", "\"\\",
        "{\"a\":1 \"b\":2}",
        "[[[[[[[[[[[[[[[["
        "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"
        "]]]]]]]]]]]]]]]]]"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(parse(good[i]) == NGX_MEDIA_OK, "good: %zu", i);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(parse(bad[i]) == NGX_MEDIA_ERROR, "bad: %zu", i);
    }
}


static void
ngx_media_json_read_test_values(void)
{
    int64_t                  n;
    ngx_media_json_value_t   object, value, element;

    static const u_char  text[] = " { \"a\" : 1, "
                                  "\"b\\u0063\":[ \"x\" , {}, 2 ],"
                                  "\"d\":-12.75,\"twice\":1,\"twice\":2,"
                                  "\"e\":[],\"f\":1e3,\"g\":1234567890123456,"
                                  "\"h\":\"1\"} ";

    ok(ngx_media_json_parse(&object, text, text + sizeof(text) - 1)
       == NGX_MEDIA_OK && object.type == NGX_MEDIA_JSON_OBJECT, "an object");

    ok(ngx_media_json_member(&object, "a", &value) == NGX_MEDIA_OK
       && ngx_media_json_integer(&value, &n) == NGX_MEDIA_OK && n == 1, "1");
    ok(ngx_media_json_member(&object, "x", &value) == NGX_MEDIA_DECLINED,
       "no member");
    ok(ngx_media_json_member(&object, "twice", &value) == NGX_MEDIA_ERROR,
       "twice the same");
    ok(ngx_media_json_member(&object, "d", &value) == NGX_MEDIA_OK
       && ngx_media_json_integer(&value, &n) == NGX_MEDIA_OK && n == -12,
       "-12.75");
    ok(ngx_media_json_member(&object, "f", &value) == NGX_MEDIA_OK
       && ngx_media_json_integer(&value, &n) == NGX_MEDIA_ERROR, "1e3");
    ok(ngx_media_json_member(&object, "g", &value) == NGX_MEDIA_OK
       && ngx_media_json_integer(&value, &n) == NGX_MEDIA_ERROR,
       "16 digits");
    ok(ngx_media_json_member(&object, "h", &value) == NGX_MEDIA_OK
       && ngx_media_json_integer(&value, &n) == NGX_MEDIA_ERROR, "a string");
    ok(ngx_media_json_member(&value, "h", &element) == NGX_MEDIA_ERROR,
       "no object");

    element.pos = NULL;
    ok(ngx_media_json_element(&value, &element) == NGX_MEDIA_DONE,
       "no array");

    ok(ngx_media_json_member(&object, "e", &value) == NGX_MEDIA_OK
       && ngx_media_json_element(&value, &element) == NGX_MEDIA_DONE,
       "an empty array");

    ok(ngx_media_json_member(&object, "bc", &value) == NGX_MEDIA_OK,
       "a name with an escape");

    element.pos = NULL;
    ok(ngx_media_json_element(&value, &element) == NGX_MEDIA_OK
       && element.type == NGX_MEDIA_JSON_STRING, "first element");
    ok(ngx_media_json_element(&value, &element) == NGX_MEDIA_OK
       && element.type == NGX_MEDIA_JSON_OBJECT, "second");
    ok(ngx_media_json_element(&value, &element) == NGX_MEDIA_OK
       && element.type == NGX_MEDIA_JSON_NUMBER, "third");
    ok(ngx_media_json_element(&value, &element) == NGX_MEDIA_DONE, "no more");
}


static void
ngx_media_json_read_test_strings(void)
{
    size_t                   i, n;
    u_char                  *p, buf[8];
    ssize_t                  rc;
    ngx_media_json_value_t   value;

    static const struct {
        const char  *text;
        ssize_t      n;
        const char  *bytes;
    } list[] = {
        { "\"\"", 0, "" }, { "\"abc\"", 3, "abc" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", 8, "\"\\/\b\f\n\r\t" },
        { "\"12345678\"", 8, "12345678" }, { "\"123456789\"", -1, "" },
        { "\"\\u0041\\u00e4\"", 3, "A\xc3\xa4" },
        { "\"\\u20AC\"", 3, "\xe2\x82\xac" },
        { "\"\\ud83d\\ude00\"", 4, "\xf0\x9f\x98\x80" },
        { "\"\\ud83d\"", -1, "" }, { "\"\\ude00\"", -1, "" },
        { "\"\\ud83dx\"", -1, "" }, { "\"\\ud83d\\u0041\"", -1, "" },
        { "\"\\ud83d\\n\"", -1, "" }, { "\"\\u0000\"", 1, "\0" },
        { "1", -1, "" }, { "\"1234567\\u00e4\"", -1, "" }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        n = strlen(list[i].text);
        p = ngx_media_test_dup(list[i].text, n);

        ok(ngx_media_json_parse(&value, p, p + n) == NGX_MEDIA_OK, "a text");

        rc = ngx_media_json_string(&value, buf, sizeof(buf));

        ok(rc == list[i].n
           && (rc <= 0 || memcmp(buf, list[i].bytes, (size_t) rc) == 0),
           "string %zu", i);

        free(p);
    }
}


int
main(void)
{
    ngx_media_json_read_test_texts();
    ngx_media_json_read_test_values();
    ngx_media_json_read_test_strings();

    return done_testing();
}
