
/*
 * Copyright (C) the nginx media suite authors
 *
 * AMF0 and AMF3 reader, AMF0 writer, merging of metadata.
 */


#include "ngx_media_amf.h"
#include "ngx_media_test.h"


static u_char  buf[8192];
static u_char  out[8192];


static size_t
bytes(const char *s)
{
    return ngx_media_test_hex(s, buf, sizeof(buf));
}


static size_t
ngx_media_amf_test_connect(u_char *p, size_t size)
{
    ngx_media_amf_out_t  w;

    ngx_media_amf_out_init(&w, p, size);

    ngx_media_amf_put_cstr(&w, "connect");
    ngx_media_amf_put_number(&w, 1);
    ngx_media_amf_put_object(&w);
    ngx_media_amf_prop_cstr(&w, "app", "live");
    ngx_media_amf_prop_boolean(&w, "fpad", 0);
    ngx_media_amf_prop_number(&w, "capabilities", 239);
    ngx_media_amf_put_key(&w, "fourCcList", 10);
    ngx_media_amf_put_array(&w, 2);
    ngx_media_amf_put_cstr(&w, "av01");
    ngx_media_amf_put_cstr(&w, "hvc1");
    ngx_media_amf_put_key(&w, "nested", 6);
    ngx_media_amf_put_ecma_array(&w, 1);
    ngx_media_amf_prop_number(&w, "x", -0.5);
    ngx_media_amf_put_end(&w);
    ngx_media_amf_put_key(&w, "when", 4);
    ngx_media_amf_put_date(&w, 86400000.0);
    ngx_media_amf_put_key(&w, "nothing", 7);
    ngx_media_amf_put_undefined(&w);
    ngx_media_amf_prop_cstr(&w, "tcUrl", "rtmp://h/live");
    ngx_media_amf_put_end(&w);
    ngx_media_amf_put_null(&w);

    return w.overflow ? 0 : ngx_media_amf_out_size(&w);
}


static void
ngx_media_amf_test_amf0(void)
{
    int                    found;
    u_char                *p;
    size_t                 i, n;
    ngx_media_amf_t        amf;
    ngx_media_amf_str_t    key;
    ngx_media_amf_iter_t   it;
    ngx_media_amf_value_t  v, obj, list;

    n = ngx_media_amf_test_connect(buf, sizeof(buf));
    ok(n != 0, "a command written");
    ok(ngx_media_amf_test_connect(out, n - 1) == 0, "one byte short");
    ok(ngx_media_amf_test_connect(out, n) == n, "just room enough");

    ngx_media_amf_init(&amf, buf, buf + n);

    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && ngx_media_amf_is(&v, "connect"), "name");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_NUMBER && v.number == 1, "transaction");
    ok(ngx_media_amf_read(&amf, &obj) == NGX_MEDIA_OK
       && obj.type == NGX_MEDIA_AMF_OBJECT, "object");
    ok(ngx_media_amf_find(&amf, &obj, "app", &v) == NGX_MEDIA_OK
       && ngx_media_amf_is(&v, "live"), "app");
    ok(ngx_media_amf_find(&amf, &obj, "tcUrl", &v) == NGX_MEDIA_OK
       && v.string.len == 13, "tcUrl, behind nested values");
    ok(ngx_media_amf_find(&amf, &obj, "capabilities", &v) == NGX_MEDIA_OK
       && v.number == 239, "capabilities");
    ok(ngx_media_amf_find(&amf, &obj, "fpad", &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_BOOLEAN && v.boolean == 0, "fpad");
    ok(ngx_media_amf_find(&amf, &obj, "when", &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_DATE && v.number == 86400000.0, "date");
    ok(ngx_media_amf_find(&amf, &obj, "x", &v) == NGX_MEDIA_DECLINED
       && v.type == NGX_MEDIA_AMF_NONE, "nested keys are not found");
    ok(ngx_media_amf_find(&amf, &obj, "nested", &list) == NGX_MEDIA_OK
       && ngx_media_amf_find(&amf, &list, "x", &v) == NGX_MEDIA_OK
       && v.number == -0.5, "but inside");

    ok(ngx_media_amf_find(&amf, &obj, "fourCcList", &list) == NGX_MEDIA_OK
       && list.type == NGX_MEDIA_AMF_ARRAY && list.count == 2, "array");
    ngx_media_amf_enter(&amf, &list, &it);
    ok(ngx_media_amf_next(&it, &key, &v) == NGX_MEDIA_OK && key.len == 0
       && ngx_media_amf_is(&v, "av01"), "element");
    ok(ngx_media_amf_next(&it, &key, &v) == NGX_MEDIA_OK
       && ngx_media_amf_is(&v, "hvc1"), "element");
    ok(ngx_media_amf_next(&it, &key, &v) == NGX_MEDIA_DONE, "end");

    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_NULL, "null after it");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_DONE
       && v.type == NGX_MEDIA_AMF_NONE, "no more");
    ok(ngx_media_amf_find(&amf, &v, "app", &v) == NGX_MEDIA_DECLINED,
       "nothing in nothing");

    found = 0;

    for (i = 0; i < n - 4; i++) {
        p = ngx_media_test_dup(buf, i);

        ngx_media_amf_init(&amf, p, p + i);

        while (ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK) {
            found += v.type == NGX_MEDIA_AMF_OBJECT && !v.cut;
        }

        free(p);
    }

    ok(found == 0, "no whole object in a cut off one");
}


static void
ngx_media_amf_test_odd(void)
{
    size_t                 i, n;
    ngx_media_amf_t        amf;
    ngx_media_amf_value_t  v;

    n = bytes("03 00 01 61 05");
    ngx_media_amf_init(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK && v.cut
       && ngx_media_amf_find(&amf, &v, "a", &v) == NGX_MEDIA_OK,
       "no end marker");

    n = bytes("03 00 01 61 05 00 00");
    ngx_media_amf_init(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK && v.cut,
       "half an end marker");

    n = bytes("10 00 01 43 00 01 61 01 07 00 00 09 07 00 05 0d 0f 00 00 00"
              "01 3c 0c 00 00 00 02 61 62");
    ngx_media_amf_init(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_OBJECT && v.string.len == 1, "class");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_REFERENCE && v.number == 5, "reference");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_UNDEFINED, "unsupported");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_XML && v.string.len == 1, "xml");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && ngx_media_amf_is(&v, "ab"), "long string");

    /* 16 levels are read, 17 are not */

    for (i = 0; i < 17; i++) {
        (void) ngx_media_test_hex("0a 00 00 00 01", buf + i * 5, 5);
    }

    buf[17 * 5] = 5;

    ngx_media_amf_init(&amf, buf + 5, buf + 17 * 5 + 1);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK, "16 levels");
    ngx_media_amf_init(&amf, buf, buf + 17 * 5 + 1);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_ERROR, "17 levels");

    n = bytes("0a ff ff ff ff 05 05");
    ngx_media_amf_init(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_ERROR,
       "more elements than bytes");

    n = bytes("04");
    ngx_media_amf_init(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_ERROR, "movie clip");
    n = bytes("09");
    ngx_media_amf_init(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_ERROR, "stray end");
}


static void
ngx_media_amf_test_amf3(void)
{
    size_t                 n;
    ngx_media_amf_t        amf;
    ngx_media_amf_out_t    w;
    ngx_media_amf_str_t    key;
    ngx_media_amf_iter_t   it;
    ngx_media_amf_value_t  v, obj;

    /*
     * 0, "cmd", 1.0, avmplus: dynamic object { app: "live", n: -1, more:
     * "live" by reference }, avmplus: array [ true, "app" by reference ]
     */

    n = bytes("00 02 00 03 63 6d 64 00 3f f0 00 00 00 00 00 00"
              "11 0a 0b 01 07 61 70 70 06 09 6c 69 76 65"
              "03 6e 04 ff ff ff ff 09 6d 6f 72 65 06 02 01"
              "11 09 05 01 03 06 00");

    ngx_media_amf_init_flex(&amf, buf, buf + n);

    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && ngx_media_amf_is(&v, "cmd"), "flex: name");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK && v.number == 1,
       "flex: number");
    ok(ngx_media_amf_read(&amf, &obj) == NGX_MEDIA_OK
       && obj.type == NGX_MEDIA_AMF_OBJECT && obj.amf3, "AMF3 object");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_ARRAY && v.count == 2, "AMF3 array");

    ngx_media_amf_enter(&amf, &v, &it);
    ok(ngx_media_amf_next(&it, &key, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_BOOLEAN && v.boolean, "true");
    ok(ngx_media_amf_next(&it, &key, &v) == NGX_MEDIA_OK
       && ngx_media_amf_is(&v, "app"), "a string of the value before");

    /* the tables are the same on a second walk, after all was read */

    ok(ngx_media_amf_find(&amf, &obj, "app", &v) == NGX_MEDIA_OK
       && ngx_media_amf_is(&v, "live"), "app");
    ok(ngx_media_amf_find(&amf, &obj, "n", &v) == NGX_MEDIA_OK
       && v.number == -1, "integer -1: %f", v.number);
    ok(ngx_media_amf_find(&amf, &obj, "more", &v) == NGX_MEDIA_OK
       && ngx_media_amf_is(&v, "live"), "string by reference");

    ngx_media_amf_out_init(&w, out, sizeof(out));
    ok(ngx_media_amf_put_value(&w, &amf, &obj) == NGX_MEDIA_OK,
       "written as AMF0");
    n = bytes("03 00 03 61 70 70 02 00 04 6c 69 76 65 00 01 6e 00 bf f0 00"
              "00 00 00 00 00 00 04 6d 6f 72 65 02 00 04 6c 69 76 65"
              "00 00 09");
    is_mem(out, ngx_media_amf_out_size(&w), buf, n, "as AMF0");
}


static void
ngx_media_amf_test_amf3_types(void)
{
    size_t                 i, n;
    ngx_media_amf_t        amf;
    ngx_media_amf_str_t    key;
    ngx_media_amf_iter_t   it;
    ngx_media_amf_value_t  v, obj;

    /*
     * traits: class "P" with members a, b; then an object by trait reference
     * and a typed one inside of it
     */

    n = bytes("09 05 01 0a 23 03 50 03 61 03 62 04 01 04 02"
              "0a 01 04 03 04 04");
    ngx_media_amf_init_amf3(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK && v.end == buf + n,
       "traits");
    ngx_media_amf_enter(&amf, &v, &it);
    ok(ngx_media_amf_next(&it, &key, &obj) == NGX_MEDIA_OK
       && obj.string.len == 1 && obj.count == 2
       && ngx_media_amf_find(&amf, &obj, "b", &v) == NGX_MEDIA_OK
       && v.number == 2, "members");
    ok(ngx_media_amf_next(&it, &key, &obj) == NGX_MEDIA_OK
       && ngx_media_amf_find(&amf, &obj, "b", &v) == NGX_MEDIA_OK
       && v.number == 4, "members by trait reference");

    n = bytes("0c 07 01 02 03 0d 05 00 00 00 00 01 00 00 00 02 08 01 00 00 00"
              "00 00 00 00 00 0f 03 00 00 00 00 00 00 00 00 00 10 03 00 01 04"
              "05 11 03 00 04 01 04 02 07 03 78 0a 00");
    ngx_media_amf_init_amf3(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_BYTES && v.string.len == 3, "ByteArray");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_OPAQUE, "Vector.<int>");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_DATE, "Date");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_OPAQUE, "Vector.<Number>");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_OPAQUE, "Vector.<Object>");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_OPAQUE, "Dictionary");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_XML, "XMLDocument");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && v.type == NGX_MEDIA_AMF_REFERENCE, "object reference");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_DONE, "end");

    n = bytes("06 04");
    ngx_media_amf_init_amf3(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_ERROR,
       "string reference to nowhere");
    n = bytes("0a 05");
    ngx_media_amf_init_amf3(&amf, buf, buf + n);
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_ERROR,
       "trait reference to nowhere");

    /* more strings than the table holds */

    for (i = 0; i < 1000; i++) {
        buf[i * 3] = 0x06;
        buf[i * 3 + 1] = 0x03;
        buf[i * 3 + 2] = 'x';
    }

    (void) ngx_media_test_hex("06 81 7e 06 84 00", buf + 3000, 6);
    ngx_media_amf_init_amf3(&amf, buf, buf + 3006);

    for (i = 0; i < 1000; i++) {
        (void) ngx_media_amf_read(&amf, &v);
    }

    ok(v.type == NGX_MEDIA_AMF_STRING, "1000 strings");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
       && ngx_media_amf_is(&v, "x"), "one in the table");
    ok(ngx_media_amf_read(&amf, &v) == NGX_MEDIA_ERROR, "one beyond");
}


static ngx_media_amf_prop_t  ngx_media_amf_test_props[] = {
    { "server", NGX_MEDIA_AMF_STRING, 0, 0, { (u_char *) "suite", 5 } },
    { "width", NGX_MEDIA_AMF_NUMBER, 0, 640, { NULL, 0 } },
    { "live", NGX_MEDIA_AMF_BOOLEAN, 1, 0, { NULL, 0 } },
    { "filesize", NGX_MEDIA_AMF_NONE, 0, 0, { NULL, 0 } }
};


static ssize_t
merge(size_t n)
{
    u_char   *p;
    ssize_t   rc;

    p = ngx_media_test_dup(buf, n);
    rc = ngx_media_amf_merge_metadata(p, p + n, ngx_media_amf_test_props, 4,
                                      out, sizeof(out));
    free(p);

    return rc;
}


static int
ngx_media_amf_test_has(ssize_t n, const char *key, ngx_media_amf_value_t *v,
    unsigned *times)
{
    ngx_media_amf_t        amf;
    ngx_media_amf_str_t    k;
    ngx_media_amf_iter_t   it;
    ngx_media_amf_value_t  obj, cur;

    *times = 0;

    if (n < 0) {
        return 0;
    }

    ngx_media_amf_init(&amf, out, out + n);

    if (ngx_media_amf_read(&amf, &obj) != NGX_MEDIA_OK
        || !ngx_media_amf_is(&obj, "onMetaData")
        || ngx_media_amf_read(&amf, &obj) != NGX_MEDIA_OK
        || obj.type != NGX_MEDIA_AMF_ECMA_ARRAY || obj.cut
        || obj.end != out + n)
    {
        return 0;
    }

    ngx_media_amf_enter(&amf, &obj, &it);

    while (ngx_media_amf_next(&it, &k, &cur) == NGX_MEDIA_OK) {
        obj.count--;

        if (ngx_media_amf_str_is(&k, key)) {
            (*times)++;
            *v = cur;
        }
    }

    return obj.count == 0;
}


static void
ngx_media_amf_test_merge(void)
{
    size_t                 i, n;
    ssize_t                rc;
    unsigned               t;
    ngx_media_amf_value_t  v;

    /* as ffmpeg writes it */

    n = bytes("02 00 0a 6f 6e 4d 65 74 61 44 61 74 61 08 00 00 00 08 00 08 64"
              "75 72 61 74 69 6f 6e 00 3f f1 47 ae 14 7a e1 48 00 05 77 69 64"
              "74 68 00 40 74 20 00 00 00 00 00 00 06 68 65 69 67 68 74 00 40"
              "66 c0 00 00 00 00 00 00 07 65 6e 63 6f 64 65 72 02 00 0d 4c 61"
              "76 66 35 39 2e 32 37 2e 31 30 30 00 08 66 69 6c 65 73 69 7a 65"
              "00 40 be 23 00 00 00 00 00 00 00 09");

    rc = merge(n);
    ok(ngx_media_amf_test_has(rc, "width", &v, &t) && t == 1
       && v.number == 640, "overridden");
    ok(ngx_media_amf_test_has(rc, "height", &v, &t) && t == 1
       && v.number == 182, "kept");
    ok(ngx_media_amf_test_has(rc, "server", &v, &t) && t == 1
       && ngx_media_amf_is(&v, "suite"), "appended");
    ok(ngx_media_amf_test_has(rc, "live", &v, &t) && t == 1 && v.boolean,
       "appended boolean");
    ok(ngx_media_amf_test_has(rc, "filesize", &v, &t) && t == 0,
       "taken out");
    ok(memcmp(out + 18, buf + 18, 19) == 0, "byte for byte");

    ok(ngx_media_amf_merge_metadata(buf, buf + n, NULL, 0, out, 60) == -1,
       "no room");

    for (i = 0, t = 0; i < n; i++) {
        t += merge(i) > 0;
    }

    /* but for the four bytes of the count */

    ok(t == 1 + (n - 13) - 4, "cut off anywhere behind the name: %u", t);

    rc = merge(n - 30);
    ok(ngx_media_amf_test_has(rc, "height", &v, &t) && t == 1
       && v.number == 182, "what was whole is kept");

    rc = merge(0);
    ok(ngx_media_amf_test_has(rc, "server", &v, &t) && t == 1, "empty");

    /* @setDataFrame, an object, a key twice, an open nested object */

    n = bytes("02 00 0d 40 73 65 74 44 61 74 61 46 72 61 6d 65"
              "02 00 0a 6f 6e 4d 65 74 61 44 61 74 61 03"
              "00 01 61 01 00 00 01 62 05 00 01 61 01 01"
              "00 01 63 03 00 01 64 01 01");

    rc = merge(n);
    ok(ngx_media_amf_test_has(rc, "a", &v, &t) && t == 1 && v.boolean,
       "the last of two");
    ok(ngx_media_amf_test_has(rc, "b", &v, &t) && t == 1
       && v.type == NGX_MEDIA_AMF_NULL, "null");
    ok(ngx_media_amf_test_has(rc, "c", &v, &t) && t == 1
       && v.type == NGX_MEDIA_AMF_OBJECT && !v.cut, "closed again");

    /* AMF3, as data message 15 */

    n = bytes("00 02 00 0a 6f 6e 4d 65 74 61 44 61 74 61"
              "11 0a 0b 01 0b 77 69 64 74 68 04 32 07 66 70 73 04 1e 01");
    rc = merge(n);
    ok(ngx_media_amf_test_has(rc, "fps", &v, &t) && t == 1
       && v.number == 30, "AMF3");
    ok(ngx_media_amf_test_has(rc, "width", &v, &t) && t == 1
       && v.number == 640, "AMF3 overridden");

    n = bytes("02 00 0a 6f 6e 43 75 65 50 6f 69 6e 74 73 03 00 00 09");
    ok(merge(n) == -1, "another event");
}


int
main(void)
{
    ngx_media_amf_test_amf0();
    ngx_media_amf_test_odd();
    ngx_media_amf_test_amf3();
    ngx_media_amf_test_amf3_types();
    ngx_media_amf_test_merge();

    return done_testing();
}
