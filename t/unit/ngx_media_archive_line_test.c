
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of lines of the archive of recordings: what is written is read
 * again, and what is not of their form is none.
 */


#include "ngx_media_archive_line.h"
#include "ngx_media_test.h"


#define ID    "019e3bc5a011f00d"


static const struct {
    const char  *line;
    const char  *file;
} lines[] = {
    { ID "\t1\t2\t1\t9\tflv\ta/b.flv", "a/b.flv" },
    { ID "\t0\t0\t0\t0\tts\ta%20b%25.ts", "a b%.ts" },
    { ID "\t999999999999999\t999999999999999\t1\t9\tmp4\tx", "x" },
    { ID "\t1\t2\t1\t9\tmp4\t\xc3\xa9.mp4", "\xc3\xa9.mp4" },
    { "", NULL },
    { ID, NULL },
    { ID "\t", NULL },
    { ID "\t1\t2\t1\t9\tflv\t", NULL },
    { ID "\t1\t2\t1\t9\tflv", NULL },
    { ID "\t1\t2\t1\t9\tavi\ta", NULL },
    { ID "\t1\t2\t1\t9\tfl\ta", NULL },
    { ID "\t2\t1\t1\t9\tflv\ta", NULL },
    { ID "\t-1\t1\t1\t9\tflv\ta", NULL },
    { ID "\t\t1\t1\t9\tflv\ta", NULL },
    { ID "\t1000000000000000\t2000000000000000\t1\t9\tflv\ta", NULL },
    { ID " 1\t2\t1\t9\tflv\ta", NULL },
    { "019E3bc5a011f00d\t1\t2\t1\t9\tflv\ta", NULL },
    { "019e3bc5a011f00\t1\t2\t1\t9\tflv\ta", NULL },
    { "019e3bc5a011f00d0\t1\t2\t1\t9\tflv\ta", NULL },
    { ID "\t1\t2\t1\t9\tflv\t../a", NULL },
    { ID "\t1\t2\t1\t9\tflv\t/a", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta/../b", NULL },
    { ID "\t1\t2\t1\t9\tflv\t.dvr/a", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta//b", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta/", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta%", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta%2", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta%2e", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta%00", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta%0a", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta%09", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta%2E", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta b", NULL },
    { ID "\t1\t2\t1\t9\tflv\ta\tb", NULL }
};


static ngx_media_archive_line_t
make(const char *file, size_t n)
{
    ngx_media_archive_line_t  line;

    memset(&line, 0, sizeof(ngx_media_archive_line_t));

    memcpy(line.id, ID, sizeof(ID));
    line.kind = NGX_MEDIA_FILE_MP4;
    line.begin = 1795206000123;
    line.end = 1795206060124;
    line.duration = 60001;
    line.bytes = 123456789012;
    line.len = n;
    memcpy(line.file, file, n);

    return line;
}


static void
parse_tests(void)
{
    int                        rc;
    size_t                     i, n;
    u_char                    *copy;
    ngx_media_archive_line_t   line;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {

        /* of its own size, so that nothing behind it is read */

        n = strlen(lines[i].line);
        copy = malloc(n ? n : 1);
        memcpy(copy, lines[i].line, n);

        rc = ngx_media_archive_parse(&line, copy, copy + n);

        if (lines[i].file) {
            ok(rc == NGX_MEDIA_OK
               && strcmp((char *) line.file, lines[i].file) == 0
               && line.len == strlen(lines[i].file)
               && strcmp((char *) line.id, ID) == 0, "line %zu", i);

        } else {
            ok(rc == NGX_MEDIA_ERROR, "no line %zu", i);
        }

        free(copy);
    }
}


static void
write_tests(void)
{
    u_char                    buf[NGX_MEDIA_ARCHIVE_LINE];
    u_char                    name[NGX_MEDIA_ARCHIVE_FILE];
    size_t                    i;
    ssize_t                   n;
    ngx_media_archive_line_t  line, again;

    static const char  plain[] = ID "\t1795206000123\t1795206060124\t60001\t"
        "123456789012\tmp4\tlive/a%20b%25.mp4\n";

    line = make("live/a b%.mp4", 13);
    n = ngx_media_archive_write(&line, buf, sizeof(buf));

    is_mem(buf, n, plain, sizeof(plain) - 1, "written");

    ok(n > 1 && ngx_media_archive_parse(&again, buf, buf + n - 1)
                == NGX_MEDIA_OK
       && again.begin == line.begin && again.end == line.end
       && again.duration == line.duration && again.bytes == line.bytes
       && again.kind == line.kind && again.len == line.len
       && memcmp(again.file, line.file, line.len) == 0, "and read");

    ok(ngx_media_archive_write(&line, buf, (size_t) n) == n, "room");

    for (i = 0; i < (size_t) n; i++) {
        if (ngx_media_archive_write(&line, buf, i) != NGX_MEDIA_ERROR) {
            break;
        }
    }

    ok(i == (size_t) n, "no room");

    /* the longest one there is, and each byte of it is escaped */

    memset(name, ' ', sizeof(name));

    for (i = 250; i < sizeof(name); i += 250) {
        name[i] = '/';
    }

    line = make((char *) name, sizeof(name));
    line.begin = line.end = 999999999999999;
    line.bytes = line.duration = 999999999999999;
    n = ngx_media_archive_write(&line, buf, sizeof(buf));

    ok(n > 3000 && ngx_media_archive_parse(&again, buf, buf + n - 1)
                   == NGX_MEDIA_OK
       && again.len == line.len, "the longest name");

    line.end = -1;
    ok(ngx_media_archive_write(&line, buf, sizeof(buf)) == NGX_MEDIA_ERROR,
       "no time");

    line = make("a/../b", 6);
    ok(ngx_media_archive_write(&line, buf, sizeof(buf)) == NGX_MEDIA_ERROR,
       "no name");

    line = make("a\n.mp4", 6);
    ok(ngx_media_archive_write(&line, buf, sizeof(buf)) == NGX_MEDIA_ERROR,
       "no control characters");

    line = make("a", 1);
    line.kind = 0;
    ok(ngx_media_archive_write(&line, buf, sizeof(buf)) == NGX_MEDIA_ERROR,
       "no kind");

    line = make("a", 1);
    line.id[0] = 'G';
    ok(ngx_media_archive_write(&line, buf, sizeof(buf)) == NGX_MEDIA_ERROR,
       "no id");
}


static void
escape_tests(void)
{
    u_char   text[256], buf[768], again[256];
    size_t   i;
    ssize_t  n;

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (u_char) i;
    }

    n = ngx_media_archive_escape(text, text + sizeof(text), buf, sizeof(buf));

    ok(n == 256 + 2 * 35 && memchr(buf, '\n', (size_t) n) == NULL
       && memchr(buf, 0, (size_t) n) == NULL, "all bytes are escaped");

    ok(ngx_media_archive_unescape(buf, buf + n, again, sizeof(again)) == 256
       && memcmp(text, again, sizeof(text)) == 0, "and are back");

    ok(ngx_media_archive_unescape(buf, buf + n, again, 255)
       == NGX_MEDIA_ERROR, "no room for them");

    ok(ngx_media_archive_unescape(buf, buf + n, buf, sizeof(buf)) == 256
       && memcmp(text, buf, sizeof(text)) == 0, "in place");

    ok(ngx_media_archive_escape(text, text, buf, 0) == 0, "nothing");
}


int
main(void)
{
    parse_tests();
    write_tests();
    escape_tests();

    ok(ngx_media_archive_id((u_char *) ID, 16) == 0x019e3bc5a01, "time of id");
    ok(ngx_media_archive_id((u_char *) ID, 15) == -1, "short id");
    ok(ngx_media_archive_id((u_char *) "019e3bc5a01\0""f00d", 16) == -1,
       "no id");

    return done_testing();
}
