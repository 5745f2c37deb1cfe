
/*
 * Copyright (C) the nginx media suite authors
 *
 * Signatures of requests to S3: the examples of the Amazon S3 API Reference
 * ("Signature Calculations for the Authorization Header: Transferring Payload
 * in a Single Chunk"), names that are escaped, dates.
 */


#include "ngx_media_sigv4.h"
#include "ngx_media_test.h"


#define EMPTY                                                                 \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


static u_char  scratch[NGX_MEDIA_SIGV4_SCRATCH];


static ngx_media_url_str_t
str(const char *s)
{
    ngx_media_url_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}


static void
sign(const char *name, const char *method, const char *path,
    const char *query, ngx_media_sigv4_header_t *h, size_t n,
    const char *payload, const char *want)
{
    size_t             len, size;
    u_char            *out;
    ngx_media_sigv4_t  s;

    s.method = method;
    s.path = str(path);
    s.query = str(query);
    s.headers = h;
    s.nheaders = n;
    s.payload = str(payload);
    s.date = "20130524T000000Z";
    s.region = str("us-east-1");
    s.key = str("AKIAIOSFODNN7EXAMPLE");
    s.secret = str("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");

    size = strlen(want);
    out = malloc(size);

    len = ngx_media_sigv4_sign(out, size, &s, scratch);
    is_mem(out, len, want, size, "%s", name);

    free(out);
    out = malloc(size - 1);

    ok(ngx_media_sigv4_sign(out, size - 1, &s, scratch) == 0,
       "%s: no room", name);

    free(out);
}


static void
long_header(void)
{
    u_char                    out[512];
    ngx_media_sigv4_t         s;
    ngx_media_sigv4_header_t  h;

    memset(&s, 0, sizeof(s));
    h.name = "host";
    h.value.len = NGX_MEDIA_SIGV4_SCRATCH;
    h.value.data = calloc(1, h.value.len);

    s.method = "GET";
    s.headers = &h;
    s.nheaders = 1;
    s.date = "20130524T000000Z";

    ok(ngx_media_sigv4_sign(out, sizeof(out), &s, scratch) == 0,
       "a request that is too long");

    h.value.len = 1;
    s.secret = h.value;
    s.secret.len = NGX_MEDIA_SIGV4_SCRATCH;

    ok(ngx_media_sigv4_sign(out, sizeof(out), &s, scratch) == 0,
       "a secret that is too long");

    free(h.value.data);
}


static void
ngx_media_sigv4_test_examples(void)
{
    char                      hash[NGX_MEDIA_SIGV4_HASH];
    ngx_media_sigv4_header_t  h[5];

    h[0].name = "host";
    h[0].value = str("examplebucket.s3.amazonaws.com");
    h[1].name = "range";
    h[1].value = str("bytes=0-9");
    h[2].name = "x-amz-content-sha256";
    h[2].value = str(EMPTY);
    h[3].name = "x-amz-date";
    h[3].value = str("20130524T000000Z");

    sign("GET of an object", "GET", "/test.txt", "", h, 4, EMPTY,
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
         "us-east-1/s3/aws4_request,SignedHeaders=host;range;"
         "x-amz-content-sha256;x-amz-date,Signature="
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");

    h[1] = h[2];
    h[2] = h[3];

    sign("a query without a value", "GET", "/", "lifecycle=", h, 3, EMPTY,
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
         "us-east-1/s3/aws4_request,SignedHeaders=host;"
         "x-amz-content-sha256;x-amz-date,Signature="
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");

    sign("a query", "GET", "/", "max-keys=2&prefix=J", h, 3, EMPTY,
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
         "us-east-1/s3/aws4_request,SignedHeaders=host;"
         "x-amz-content-sha256;x-amz-date,Signature="
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");

    ngx_media_sigv4_hash(hash, (const u_char *) "Welcome to Amazon S3.", 21);

    ok(strcmp(hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b8"
                    "03f8b072") == 0, "hash of a body");

    h[4].name = "x-amz-storage-class";
    h[4].value = str("REDUCED_REDUNDANCY");
    h[3].name = "x-amz-date";
    h[3].value = str("20130524T000000Z");
    h[2].name = "x-amz-content-sha256";
    h[2].value = str(hash);
    h[1] = h[0];
    h[0].name = "date";
    h[0].value = str("Fri, 24 May 2013 00:00:00 GMT");

    sign("PUT of an object", "PUT", "/test%24file.text", "", h, 5, hash,
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
         "us-east-1/s3/aws4_request,SignedHeaders=date;host;"
         "x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature="
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");

    long_header();
}


static void
ngx_media_sigv4_test_text(void)
{
    int     i;
    char    date[NGX_MEDIA_SIGV4_DATE];
    size_t  n;
    u_char  buf[256], *p, *in;

    static const struct {
        int64_t      seconds;
        const char  *date;
    } dates[] = {
        { 0, "19700101T000000Z" },
        { 951782399, "20000228T235959Z" },
        { 951782400, "20000229T000000Z" },
        { 951868800, "20000301T000000Z" },
        { 1369353600, "20130524T000000Z" },
        { 1735689599, "20241231T235959Z" },
        { 1735689600, "20250101T000000Z" },
        { 4107542400, "21000301T000000Z" },
        { 4107542399, "21000228T235959Z" },
        { 253402300799, "99991231T235959Z" },
        { -1, "19700101T000000Z" },
        { INT64_MAX, "19700101T000000Z" }
    };

    for (i = 0; i < (int) (sizeof(dates) / sizeof(dates[0])); i++) {
        ngx_media_sigv4_date(date, dates[i].seconds);
        ok(strcmp(date, dates[i].date) == 0, "date %s: %s", dates[i].date,
           date);
    }

    in = ngx_media_test_dup("a b/\xc3\xa9~._-+%$&'()", 17);
    n = (size_t) (ngx_media_sigv4_escape(buf, in, 17, 1) - buf);
    p = (u_char *) "a%20b/%C3%A9~._-%2B%25%24%26%27%28%29";
    is_mem(buf, n, p, strlen((char *) p), "a path is escaped");

    n = (size_t) (ngx_media_sigv4_escape(buf, in, 4, 0) - buf);
    is_mem(buf, n, "a%20b%2F", 8, "a value is escaped");

    free(in);
}


int
main(void)
{
    ngx_media_sigv4_test_examples();
    ngx_media_sigv4_test_text();

    return done_testing();
}
