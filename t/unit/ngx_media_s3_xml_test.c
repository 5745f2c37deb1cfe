
/*
 * Copyright (C) the nginx media suite authors
 *
 * Answers of S3: elements by name, values with entities, and what is damaged;
 * and entries of the queue of uploads.
 */


#include "ngx_media_s3_xml.h"
#include "ngx_media_upload_entry.h"
#include "ngx_media_test.h"


static void
value(const char *xml, const char *name, size_t size, ssize_t n,
    const char *want)
{
    u_char   *p, *out;
    ssize_t   rc;

    p = ngx_media_test_dup(xml, strlen(xml));
    out = malloc(size);

    rc = ngx_media_s3_value(p, p + strlen(xml), name, out, size);

    ok(rc == n && (n < 0 || strcmp((char *) out, want) == 0),
       "%s of %s: %zd", name, xml, rc);

    free(p);
    free(out);
}


static void
ngx_media_s3_test_values(void)
{
    value("<a><Code>NoSuchKey</Code></a>", "Code", 10, 9, "NoSuchKey");
    value("<a><Code>NoSuchKey</Code></a>", "Code", 9, -1, "");
    value("<E>&quot;ab&#34;&amp;&lt;&gt;&apos;</E>", "E", 20, 8,
          "\"ab\"&<>'");
    value("<E>&nbsp;</E>", "E", 20, -1, "");
    value("<E>&", "E", 20, -1, "");
    value("<E>&</E>", "E", 20, -1, "");
    value("<E><b/></E>", "E", 20, -1, "");
    value("<E>a\nb</E>", "E", 20, -1, "");
    value("<E></E>", "E", 1, 0, "");
    value("<E></E>", "E", 0, -1, "");
    value("<E xmlns=\"x\">y</E>", "E", 9, 1, "y");
    value("<Ex>1</Ex><E>2</E >", "E", 9, 1, "2");
    value("<E>1</F>", "E", 9, -1, "");
    value("<E>1</E", "E", 9, -1, "");
    value("<E", "E", 9, -1, "");
    value("<", "E", 9, -1, "");
    value("", "E", 9, -1, "");
    value("<E/><E>1</E>", "E", 9, 1, "1");
}


static void
ngx_media_s3_test_list(void)
{
    int                   n;
    u_char               *p, *end, text[8];
    const u_char         *pos;
    ngx_media_s3_text_t   part;

    static const char  xml[] = "<L><Part><N>1</N></Part>\n<PartX></PartX>"
                               "<Part ><N>2</N></Part></L>";

    p = ngx_media_test_dup(xml, sizeof(xml) - 1);
    end = p + sizeof(xml) - 1;

    for (pos = p, n = 0; ; n++) {
        pos = ngx_media_s3_element(pos, end, "Part", &part);

        if (pos == NULL) {
            break;
        }

        ok(ngx_media_s3_value(part.data, part.data + part.len, "N", text,
                              sizeof(text)) == 1
           && text[0] == '1' + n, "part %d", n + 1);
    }

    ok(n == 2, "two parts");

    free(p);
}


static void
ngx_media_s3_test_entry(void)
{
    size_t                    i, n;
    u_char                    all[256], buf[1024], *p, *end, *copy;
    uint64_t                  number;
    const u_char             *pos;
    ngx_media_upload_line_t   line;

    for (i = 0; i < 255; i++) {
        all[i] = (u_char) (i + 1);
    }

    p = ngx_media_upload_put(buf, "file", all, 255);
    p = ngx_media_upload_put(p, "n", (u_char *) "12", 2);
    n = (size_t) (p - buf);

    copy = ngx_media_test_dup(buf, n);
    end = copy + n;

    pos = ngx_media_upload_line(copy, end, &line);
    ok(pos && ngx_media_upload_is(&line, "file"), "a name");
    ok(!ngx_media_upload_is(&line, "fil"), "not another");

    memset(buf, 0, sizeof(buf));
    ok(ngx_media_upload_decode(buf, line.value, line.len) == 255
       && memcmp(buf, all, 255) == 0, "any bytes");

    pos = ngx_media_upload_line(pos, end, &line);
    ok(pos == end && ngx_media_upload_number(&line, &number) == NGX_MEDIA_OK
       && number == 12, "a number");

    ok(ngx_media_upload_line(pos, end, &line) == NULL, "the end");
    ok(ngx_media_upload_line(copy, end - 1, &line) != NULL
       && ngx_media_upload_line(line.value, line.value + 3, &line) == NULL,
       "half a line is none");

    free(copy);

    ok(ngx_media_upload_decode(buf, (u_char *) "%0", 2) == -1
       && ngx_media_upload_decode(buf, (u_char *) "%00", 3) == -1
       && ngx_media_upload_decode(buf, (u_char *) "%zz", 3) == -1
       && ngx_media_upload_decode(buf, (u_char *) "a\x80", 2) == -1,
       "damaged values");

    line.value = (u_char *) "1234567890123456789";
    line.len = 19;
    ok(ngx_media_upload_number(&line, &number) == NGX_MEDIA_ERROR, "too long");
    line.len = 0;
    ok(ngx_media_upload_number(&line, &number) == NGX_MEDIA_ERROR, "none");
    line.value = (u_char *) "1x";
    line.len = 2;
    ok(ngx_media_upload_number(&line, &number) == NGX_MEDIA_ERROR, "no digit");
}


int
main(void)
{
    ngx_media_s3_test_values();
    ngx_media_s3_test_list();
    ngx_media_s3_test_entry();

    return done_testing();
}
