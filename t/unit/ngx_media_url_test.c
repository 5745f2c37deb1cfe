
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of the URL and name rules: tables of what clients send and what
 * it must become, each also with every scratch buffer that is too small.
 */


#include "ngx_media_url.h"
#include "ngx_media_test.h"


typedef struct {
    const char  *tcurl;      /* or the full URL, or the Host header */
    const char  *app;        /* or the path */
    const char  *name;       /* or the query */
    const char  *want;       /* schema user host port vhost app stream ext args
                              * or the text of the error */
} case_t;


static char  got[2048];


static ngx_media_url_str_t
str(const char *s)
{
    ngx_media_url_str_t  v;

    v.data = (u_char *) s;
    v.len = s ? strlen(s) : 0;

    return v;
}


static const char *
show(int rc, const ngx_media_url_t *u)
{
    if (rc != NGX_MEDIA_URL_OK) {
        return ngx_media_url_text(rc);
    }

#define S(x)  (int) u->x.len, (char *) u->x.data

    snprintf(got, sizeof(got), "%.*s|%.*s|%.*s|%u|%.*s|%.*s|%.*s|%.*s|%.*s",
             S(schema), S(user), S(host), u->port, S(vhost), S(app),
             S(stream), S(ext), S(args));

    return got;
}


static int
call(int what, const case_t *c, ngx_media_url_t *u, u_char *buf, size_t size)
{
    ngx_media_url_str_t  a, b, d;

    a = str(c->tcurl);
    b = str(c->app);
    d = str(c->name);

    switch (what) {

    case 0:
        return ngx_media_url_rtmp(u, &a, &b, &d, buf, size);

    case 1:
        return ngx_media_url_full(u, &a, buf, size);

    default:
        return ngx_media_url_http(u, &b, &d, &a,
                                  what == 3 ? NGX_MEDIA_URL_DECODED
                                              | NGX_MEDIA_URL_SSL : 0,
                                  buf, size);
    }
}


static void
check(int what, const case_t *cases, size_t n)
{
    int               rc, ebuf;
    char             *text;
    size_t            i, size, full;
    u_char           *buf;
    ngx_media_url_t   u;

    for (i = 0; i < n; i++) {
        full = str(cases[i].tcurl).len + str(cases[i].app).len
               + str(cases[i].name).len;
        full = ngx_media_url_scratch(full);

        ebuf = 0;

        for (size = 0; size <= full; size++) {
            buf = malloc(size ? size : 1);
            rc = call(what, &cases[i], &u, buf, size);

            if (rc == NGX_MEDIA_URL_EBUF) {
                ebuf++;

            } else if (size != full
                       && strcmp(show(rc, &u), cases[i].want) != 0)
            {
                printf("# size %zu of %zu: %s\n", size, full, show(rc, &u));
                ebuf = -100000;
            }

            if (size != full) {
                free(buf);
            }
        }

        text = strdup(show(rc, &u));
        free(buf);

        ok(strcmp(text, cases[i].want) == 0 && ebuf >= 0
           && (rc != 0 || ebuf > 0), "%s + %s + %s",
           cases[i].tcurl ? cases[i].tcurl : "(none)",
           cases[i].app ? cases[i].app : "(none)",
           cases[i].name ? cases[i].name : "(none)");

        if (strcmp(text, cases[i].want) != 0) {
            printf("#   %s\n# not %s\n", text, cases[i].want);
        }

        free(text);
    }
}


#define D  "__defaultVhost__"

static const case_t  rtmp_cases[] = {
    { "rtmp://h/live", "live", "livestream",
      "rtmp||h|1935|h|live|livestream||" },
    { "rtmp://192.168.1.10/live", "live", "livestream",
      "rtmp||192.168.1.10|1935|" D "|live|livestream||" },
    { "rtmp://[::1]:19350/live", "live", "livestream",
      "rtmp||::1|19350|" D "|live|livestream||" },
    { "rtmp://[fe80::1%25eth0]/live", "live", "x",
      "rtmp||fe80::1%25eth0|1935|" D "|live|x||" },
    { "rtmps://Show.Example.COM/live", "live", "x",
      "rtmps||show.example.com|443|show.example.com|live|x||" },
    { "rtmp://h:1936/live", "live", "x", "rtmp||h|1936|h|live|x||" },
    { "rtmp://h:/live", "live", "x", "rtmp||h|1935|h|live|x||" },
    { "rtmp://u:p@h/live", "live", "x", "rtmp|u:p|h|1935|h|live|x||" },
    { "rtmp://h/live...vhost...a.com", "live...vhost...a.com", "x",
      "rtmp||h|1935|a.com|live|x||vhost=a.com" },
    { "rtmp://h/live", "live...vhost...a.com?token=1", "x",
      "rtmp||h|1935|a.com|live|x||vhost=a.com&token=1" },
    { "rtmp://h/live...vhost...a.com/", NULL, "x",
      "rtmp||h|1935|a.com|live|x||vhost=a.com" },
    { "rtmp://h/live", "live", "x...vhost...b.com",
      "rtmp||h|1935|b.com|live|x||vhost=b.com" },
    { "rtmp://h/live?vhost=a.com", "live?vhost=a.com", "x",
      "rtmp||h|1935|a.com|live|x||vhost=a.com" },
    { "rtmp://h/live?vhost=A.com", "live", "x",
      "rtmp||h|1935|a.com|live|x||vhost=A.com" },
    { "rtmp://h/live", "live", "x?domain=d.com",
      "rtmp||h|1935|d.com|live|x||domain=d.com" },
    { "rtmp://h/live", "live", "x?domain=d.com&vhost=v.com",
      "rtmp||h|1935|v.com|live|x||domain=d.com&vhost=v.com" },
    { "rtmp://h/live", "live?token=x", "livestream",
      "rtmp||h|1935|h|live|livestream||token=x" },
    { "rtmp://h/live", "live?token=x", "livestream?a=b",
      "rtmp||h|1935|h|live|livestream||a=b&token=x" },
    { "rtmp://h/live#vhost=a.com", "live#vhost=a.com", "x",
      "rtmp||h|1935|a.com|live|x||vhost=a.com" },
    { "rtmp://h/live", "live", "x?token=a/b/c==",
      "rtmp||h|1935|h|live|x||token=a/b/c==" },
    { "rtmp://h/live", "live/_definst_", "x", "rtmp||h|1935|h|live|x||" },
    { "rtmp://h/live/_definst_", "live/_definst_?t=1", "x",
      "rtmp||h|1935|h|live|x||t=1" },
    { "rtmp://h/live/_definst_", NULL, "x", "rtmp||h|1935|h|live|x||" },
    { "rtmp://h/live", "live", "_definst_/x", "rtmp||h|1935|h|live|x||" },
    { "rtmp://h/live", "live", "_definst_x",
      "rtmp||h|1935|h|live|_definst_x||" },
    { "rtmp://h/a/b", "a/b", "c/d", "rtmp||h|1935|h|a/b/c|d||" },
    { "rtmp://h/a/b/c", NULL, "d", "rtmp||h|1935|h|a/b/c|d||" },
    { "rtmp://h/live/", "live/", "x", "rtmp||h|1935|h|live|x||" },
    { "rtmp://h/live", "/live", "/x", "rtmp||h|1935|h|live|x||" },
    { "rtmp://h", NULL, "x", "rtmp||h|1935|h|__defaultApp__|x||" },
    { "rtmp://h/", "", "x", "rtmp||h|1935|h|__defaultApp__|x||" },
    { NULL, NULL, NULL, "rtmp|||1935|" D "|__defaultApp__|||" },
    { NULL, "live", "x", "rtmp|||1935|" D "|live|x||" },
    { "h:1936/live", "live", "x", "rtmp||h|1936|h|live|x||" },
    { "rtmp://h/live", "live", NULL, "rtmp||h|1935|h|live|||" },
    { "rtmp://1.2.3.4/live", "live", "x?vhost=" D,
      "rtmp||1.2.3.4|1935|" D "|live|x||" },
    { "rtmp://h/live", "live?vhost=" D, "x", "rtmp||h|1935|h|live|x||" },
    { "rtmp://h/live", "live", "x?vhost=" D "&a=b",
      "rtmp||h|1935|h|live|x||vhost=" D "&a=b" },
    { "rtmp://h/live", "live", "x?vhost=&domain=d.com",
      "rtmp||h|1935|d.com|live|x||vhost=&domain=d.com" },
    { "rtmp://h/live", "live", "x?a=1,vhost=v1.com,b=2",
      "rtmp||h|1935|v1.com|live|x||a=1,vhost=v1.com,b=2" },
    { "rtmp://h/live", "live", "x?a=1&&vhost=v2.com",
      "rtmp||h|1935|v2.com|live|x||a=1&&vhost=v2.com" },
    { "rtmp://h/live", "live", "x?a=1;vhost=v3.com;",
      "rtmp||h|1935|v3.com|live|x||a=1;vhost=v3.com;" },
    { "rtmp://h/live", "live", "x?a=1#vhost=v4.com",
      "rtmp||h|1935|v4.com|live|x||a=1#vhost=v4.com" },
    { "rtmp://h/live", "live", "mp4:x", "rtmp||h|1935|h|live|x||" },
    { "rtmp://h/live", "live", "flv:dir/x", "rtmp||h|1935|h|live/dir|x||" },
    { "rtmp://h/live", "live", "mp4:", "rtmp||h|1935|h|live|mp4:||" },
    { "rtmp://h/live", "live", "a%20b", "rtmp||h|1935|h|live|a%20b||" },
    { "rtmp://999.1.1.1/live", "live", "x",
      "rtmp||999.1.1.1|1935|999.1.1.1|live|x||" },
    { "rtmp://1.2.3/live", "live", "x", "rtmp||1.2.3|1935|1.2.3|live|x||" },
    { "rtmp://h:0/live", "live", "x", "invalid port in URL" },
    { "rtmp://h:65536/live", "live", "x", "invalid port in URL" },
    { "rtmp://h:19a/live", "live", "x", "invalid port in URL" },
    { "rtmp://h:18446744073709551617/live", "live", "x",
      "invalid port in URL" },
    { "rtmp://[::1/live", "live", "x", "invalid host in URL" },
    { "rtmp://[::1]x/live", "live", "x", "invalid host in URL" },
};


static const case_t  full_cases[] = {
    { "rtmp://h/live/x", NULL, NULL, "rtmp||h|1935|h|live|x||" },
    { "rtmp://u:p@h:1936/a/b/x?k=v", NULL, NULL,
      "rtmp|u:p|h|1936|h|a/b|x||k=v" },
    { "rtmp://h/live?k=v/x", NULL, NULL, "rtmp||h|1935|h|live|x||k=v" },
    { "rtmp://h/live?k=v/x?a=b", NULL, NULL,
      "rtmp||h|1935|h|live|x||a=b&k=v" },
    { "rtmp://h/live...vhost...a.com/x", NULL, NULL,
      "rtmp||h|1935|a.com|live|x||vhost=a.com" },
    { "rtmp://h/a/b...vhost...a.com/x?t=1", NULL, NULL,
      "rtmp||h|1935|a.com|a/b|x||t=1&vhost=a.com" },
    { "rtmp://h/live/x?token=a/b==", NULL, NULL,
      "rtmp||h|1935|h|live|x||token=a/b==" },
    { "rtmp://h/live/x?vhost=v.com", NULL, NULL,
      "rtmp||h|1935|v.com|live|x||vhost=v.com" },
    { "rtmp://h/live/_definst_/x", NULL, NULL, "rtmp||h|1935|h|live|x||" },
    { "rtmp://h/x", NULL, NULL, "rtmp||h|1935|h|__defaultApp__|x||" },
    { "rtmp://h/live/", NULL, NULL, "rtmp||h|1935|h|live|||" },
    { "rtmp://h", NULL, NULL, "rtmp||h|1935|h|__defaultApp__|||" },
    { "RTMPS://[2001:DB8::1]/live/mp4:x", NULL, NULL,
      "rtmps||2001:db8::1|443|" D "|live|x||" },
    { "http://h/live/x.flv", NULL, NULL, "http||h|80|h|live|x.flv||" },
    { "h/live/x", NULL, NULL, "URL has no schema" },
    { "://h/live/x", NULL, NULL, "URL has no schema" },
    { "", NULL, NULL, "URL has no schema" },
    { "rtmp:///live/x", NULL, NULL, "invalid host in URL" },
    { "rtmp://", NULL, NULL, "invalid host in URL" },
};


static const case_t  http_cases[] = {
    { "h:8080", "/live/x.flv", NULL, "http||h|8080|h|live|x|flv|" },
    { "H.com", "/a/b/c/x.ts", "token=1",
      "http||h.com|80|h.com|a/b/c|x|ts|token=1" },
    { "127.0.0.1:8080", "/live/x.m3u8", "hls_ctx=1",
      "http||127.0.0.1|8080|" D "|live|x|m3u8|hls_ctx=1" },
    { "127.0.0.1", "/live/x.flv", "vhost=a%2Ecom",
      "http||127.0.0.1|80|a.com|live|x|flv|vhost=a%2Ecom" },
    { "h", "/live/x.flv", "domain=d.com",
      "http||h|80|d.com|live|x|flv|domain=d.com" },
    { "h", "/live/x.flv", "vhost=" D, "http||h|80|h|live|x|flv|" },
    { "h", "/live/a.b.flv", NULL, "http||h|80|h|live|a.b|flv|" },
    { "h", "/live/x.hls.12.3.m4s", NULL,
      "http||h|80|h|live|x.hls.12.3|m4s|" },
    { "h", "/live/x", NULL, "http||h|80|h|live|x||" },
    { "h", "/x.flv", NULL, "http||h|80|h|__defaultApp__|x|flv|" },
    { "h", "/l%69ve/a%20b.flv", NULL, "http||h|80|h|live|a b|flv|" },
    { "h", "/live%2Fx.flv", NULL, "http||h|80|h|live|x|flv|" },
    { "h", "/live/a+b.flv", NULL, "http||h|80|h|live|a+b|flv|" },
    { "h", "/live/_definst_/x.flv", NULL, "http||h|80|h|live|x|flv|" },
    { "[::1]:8080", "/live/x.flv", NULL,
      "http||::1|8080|" D "|live|x|flv|" },
    { "::1", "/live/x.flv", NULL, "http||::1|80|" D "|live|x|flv|" },
    { NULL, "/live/x.flv", NULL, "http|||80|" D "|live|x|flv|" },
    { "h", "/", NULL, "http||h|80|h|__defaultApp__|||" },
    { "h", NULL, NULL, "http||h|80|h|__defaultApp__|||" },
    { "h", "/live/x%2.flv", NULL, "invalid percent-encoding in URL" },
    { "h", "/live/x.flv%", NULL, "invalid percent-encoding in URL" },
    { "h", "/live/x.flv", "vhost=%zz", "invalid percent-encoding in URL" },
    { "h:x", "/live/x.flv", NULL, "invalid port in URL" },
};


static const case_t  decoded_cases[] = {
    { "h", "/live/a%20b.flv", "x=%zz",
      "https||h|443|h|live|a%20b|flv|x=%zz" },
    { "h:8443", "/live/x.flv", NULL, "https||h|8443|h|live|x|flv|" },
};


static void
test_arg(void)
{
    ngx_media_url_str_t  args, value;

    static const char  *found[][3] = {
        { "a=1&b=2", "a", "1" },
        { "a=1&b=2", "b", "2" },
        { "?a=1&b=2", "a", "1" },
        { "aa=1,a=3,a=4", "a", "3" },
        { "a=1&&b=2", "b", "2" },
        { "a=1;b=2", "b", "2" },
        { "a=1#b=2", "b", "2" },
        { "a=1&b", "b", "" },
        { "a&b=2", "a", "" },
        { "a=&b=2", "a", "" },
        { "t=x=y", "t", "x=y" },
        { NULL, NULL, NULL }
    };

    static const char  *missing[][2] = {
        { "", "a" },
        { "ab=1", "a" },
        { "x=a", "a" },
        { "A=1", "a" },
        { "&&&", "a" },
        { NULL, NULL }
    };

    size_t  i;

    for (i = 0; found[i][0]; i++) {
        args = str(found[i][0]);

        ok(ngx_media_arg(&args, found[i][1], &value) == 1
           && value.len == strlen(found[i][2])
           && memcmp(value.data, found[i][2], value.len) == 0,
           "%s in %s", found[i][1], found[i][0]);
    }

    for (i = 0; missing[i][0]; i++) {
        args = str(missing[i][0]);

        ok(ngx_media_arg(&args, missing[i][1], &value) == 0 && value.len == 0,
           "no %s in \"%s\"", missing[i][1], missing[i][0]);
    }

    args.data = NULL;
    args.len = 0;
    ok(ngx_media_arg(&args, "a", &value) == 0, "no arguments at all");
}


static void
test_decode(void)
{
    u_char  b[32];

    ok(ngx_media_url_decode(b, (u_char *) "a%41%2fb+", 9, 0) == 5
       && memcmp(b, "aA/b+", 5) == 0, "decode");
    ok(ngx_media_url_decode(b, (u_char *) "a+b", 3, 1) == 3
       && memcmp(b, "a b", 3) == 0, "decode plus");
    ok(ngx_media_url_decode(b, (u_char *) "%", 1, 0) == -1
       && ngx_media_url_decode(b, (u_char *) "%4", 2, 0) == -1
       && ngx_media_url_decode(b, (u_char *) "%4g", 3, 0) == -1
       && ngx_media_url_decode(b, (u_char *) "%g4", 3, 0) == -1,
       "damaged escapes");
    ok(ngx_media_url_decode(b, (u_char *) "", 0, 0) == 0, "decode nothing");
}


static void
test_names(void)
{
    char                 n255[256], n256[257];
    size_t               i;
    ngx_media_url_str_t  s;

    static const struct {
        const char               *name;
        ngx_media_name_kind_e     kind;
        ngx_media_name_reason_e   want;
    } t[] = {
        { "live", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_OK },
        { "a/b/c", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_OK },
        { "1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6", NGX_MEDIA_NAME_APP,
          NGX_MEDIA_NAME_OK },
        { "1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7", NGX_MEDIA_NAME_APP,
          NGX_MEDIA_NAME_TOO_DEEP },
        { "a//b", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_EMPTY_LEVEL },
        { "/a", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_SLASH },
        { "a/", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_SLASH },
        { "/", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_SLASH },
        { "a/../b", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_DOTS },
        { "..", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_DOTS },
        { "a..b", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_DOTS },
        { ".", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_DOTS },
        { "a/./b", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_DOTS },
        { ".a", NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_OK },
        { "", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_EMPTY },
        { "a/b", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_SLASH },
        { "a/b", NGX_MEDIA_NAME_VHOST, NGX_MEDIA_NAME_SLASH },
        { "a\\b", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_BACKSLASH },
        { "a\nb", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_CONTROL },
        { "a\x7f", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_CONTROL },
        { "a b", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_OK },
        { "\xe4\xb8\xad", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_OK },
        { "\xff\xfe", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_OK },
        { "x.hls.1", NGX_MEDIA_NAME_PUBLISH, NGX_MEDIA_NAME_HLS },
        { "x.hls.1", NGX_MEDIA_NAME_STREAM, NGX_MEDIA_NAME_OK },
        { "x.hls", NGX_MEDIA_NAME_PUBLISH, NGX_MEDIA_NAME_OK },
        { "__defaultVhost__", NGX_MEDIA_NAME_VHOST, NGX_MEDIA_NAME_OK },
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s = str(t[i].name);
        ok(ngx_media_name_check(&s, t[i].kind) == t[i].want,
           "name %zu: %s", i, ngx_media_name_text(t[i].want));
    }

    memset(n255, 'a', 255);
    n255[255] = '\0';
    memset(n256, 'a', 256);
    n256[256] = '\0';

    s = str(n255);
    ok(ngx_media_name_check(&s, NGX_MEDIA_NAME_APP) == NGX_MEDIA_NAME_OK,
       "255 bytes");
    s = str(n256);
    ok(ngx_media_name_check(&s, NGX_MEDIA_NAME_APP)
       == NGX_MEDIA_NAME_TOO_LONG, "256 bytes");

    s.data = (u_char *) "a\0b";
    s.len = 3;
    ok(ngx_media_name_check(&s, NGX_MEDIA_NAME_STREAM)
       == NGX_MEDIA_NAME_CONTROL, "zero byte");

    ok(strcmp(ngx_media_name_text((ngx_media_name_reason_e) 99),
              "name is refused") == 0, "text of an unknown reason");
}


#define N(a)  (a), sizeof(a) / sizeof((a)[0])

int
main(void)
{
    check(0, N(rtmp_cases));
    check(1, N(full_cases));
    check(2, N(http_cases));
    check(3, N(decoded_cases));

    test_arg();
    test_decode();
    test_names();

    return done_testing();
}
