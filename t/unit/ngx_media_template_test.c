
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of templates of file names: what stands in them, what they make,
 * and what they never make.
 */


#include "ngx_media_template.h"
#include "ngx_media_test.h"


#define str(s)  { (const u_char *) s, sizeof(s) - 1 }


static const struct {
    const char  *template;
    const char  *want;
} names[] = {
    { "[app]/[stream].m3u8", "live/x.m3u8" },
    { "[vhost]/[app]/[stream]-[seq].ts", "example.com/live/x-1795181628.ts" },
    { "/[app]/[stream]-[seq]-[duration].m4s", "live/x-1795181628-2002.m4s" },
    { "//a", "a" },
    { "[2006]/[01]/[02]/[15].[04].[05].[999]_[timestamp]",
      "2026/03/09/07.05.00.042_1795181628042" },
    { "$media_vhost/$media_app/$media_stream-$hostname-$pid.flv",
      "example.com/live/x-box-4242.flv" },
    { "$media_app[stream]", "livex" },
    { "a$pid.$pid", "a4242.4242" },
    { "x y/z]", "x y/z]" },
    { "", NULL },
    { "/", NULL },
    { "[app]/", NULL },
    { "a//b", NULL },
    { ".a", NULL },
    { "a/.b", NULL },
    { "a/../b", NULL },
    { "a\nb", NULL },
    { "[no]", NULL },
    { "[app", NULL },
    { "[]", NULL },
    { "$", NULL },
    { "$media_streams", NULL },
    { "$media_stream_", NULL },
    { "[Stream]", NULL }
};


/* values that lead away are refused when the name is made */

static const struct {
    const char  *app;
    const char  *stream;
    const char  *want;
} values[] = {
    { "a/b", "x", "a/b/x.ts" },
    { "..", "x", NULL },
    { "a/..", "x", NULL },
    { "a/.b", "x", NULL },
    { "/etc", "x", NULL },
    { "", "x", NULL },
    { "a/", "x", NULL },
    { "a", ".x", NULL },
    { "a", "../x", NULL },
    { "a", "x/../y", NULL },
    { "a", "\x01", NULL },
    { "a", "\xd0\xbf", "a/\xd0\xbf.ts" },
    { "a", "", NULL }
};


static void
test_names(ngx_media_template_vars_t *vars)
{
    int                        rc;
    char                       got[256];
    size_t                     i, n;
    ssize_t                    len;
    u_char                    *t;
    uint32_t                   fields;
    ngx_media_template_str_t   bad;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        n = strlen(names[i].template);
        t = ngx_media_test_dup(names[i].template, n);

        rc = ngx_media_template_check(t, t + n, &fields, &bad);
        len = ngx_media_template_write(t, t + n, vars, (u_char *) got,
                                       sizeof(got));

        if (names[i].want == NULL) {
            ok(rc == NGX_MEDIA_ERROR && len < 0, "refused: \"%s\"",
               names[i].template);

        } else {
            ok(rc == NGX_MEDIA_OK && len > 0
               && strcmp(got, names[i].want) == 0, "\"%s\": %s",
               names[i].template, len > 0 ? got : "none");
        }

        free(t);
    }

    t = (u_char *) "[app]/[stream]-[seq][02]";

    ok(ngx_media_template_check(t, t + strlen((char *) t), &fields, &bad)
       == NGX_MEDIA_OK
       && fields == (NGX_MEDIA_TEMPLATE_APP|NGX_MEDIA_TEMPLATE_STREAM
                     |NGX_MEDIA_TEMPLATE_SEQ|NGX_MEDIA_TEMPLATE_DATE),
       "fields of a template");

    t = (u_char *) "[app]/[strem].ts";

    ok(ngx_media_template_check(t, t + strlen((char *) t), &fields, &bad)
       == NGX_MEDIA_ERROR && bad.len == 7 && memcmp(bad.data, "[strem]", 7)
                                             == 0,
       "the field that is not known");
}


static void
test_values(ngx_media_template_vars_t *vars)
{
    size_t                      i, n;
    ssize_t                     len;
    u_char                      got[600], big[400];
    static const char           t[] = "[app]/[stream].ts";
    ngx_media_template_vars_t   v;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {

        v = *vars;
        v.app.data = (const u_char *) values[i].app;
        v.app.len = strlen(values[i].app);
        v.stream.data = (const u_char *) values[i].stream;
        v.stream.len = strlen(values[i].stream);

        len = ngx_media_template_write((u_char *) t, (u_char *) t
                                       + sizeof(t) - 1, &v, got, sizeof(got));

        ok(values[i].want ? (len > 0 && strcmp((char *) got, values[i].want)
                                        == 0)
                          : len < 0,
           "app %zu, stream %zu bytes", v.app.len, v.stream.len);
    }

    memset(big, 'x', sizeof(big));

    v = *vars;
    v.stream.data = big;

    for (n = 251; n < 255; n++) {
        v.stream.len = n;
        len = ngx_media_template_write((u_char *) t, (u_char *) t
                                       + sizeof(t) - 1, &v, got, sizeof(got));
        ok((len > 0) == (n + 3 <= 255), "a level of %zu bytes", n + 3);
    }

    v.stream.len = 10;

    for (n = 0; n < 24; n++) {
        len = ngx_media_template_write((u_char *) t, (u_char *) t
                                       + sizeof(t) - 1, &v, got, n);
        ok((len > 0) == (n > 18), "%zu bytes of room", n);
    }
}


int
main(void)
{
    ngx_media_template_vars_t  vars = {
        str("example.com"), str("live"), str("x"), str("box"),
        1795181628, 2002, 1795181628042ULL, 2026, 3, 9, 7, 5, 0, 4242
    };

    test_names(&vars);
    test_values(&vars);

    return done_testing();
}
