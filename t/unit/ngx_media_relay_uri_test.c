
/*
 * Copyright (C) the nginx media suite authors
 *
 * URLs of other servers: their parts, what is refused, what is shown.
 */


#include "ngx_media_relay_uri.h"
#include "ngx_media_test.h"


static const struct {
    const char  *url;
    const char  *scheme;
    const char  *user;
    const char  *host;
    unsigned     port;
    const char  *path;
    const char  *args;
    const char  *shown;            /* the stream is "x" */
} good[] = {
    { "srt://h", "srt", "", "h", 0, "", "", "srt://h" },
    { "SRT://Host.Example.COM:9000", "srt", "", "host.example.com", 9000, "",
      "", "srt://host.example.com:9000" },
    { "srt://h:1/live/x", "srt", "", "h", 1, "/live/x", "",
      "srt://h:1/live/x" },
    { "rtmp://h/live2/abcd-key", "rtmp", "", "h", 0, "/live2/abcd-key", "",
      "rtmp://h/live2/***" },
    { "rtmp://h/app/", "rtmp", "", "h", 0, "/app/", "", "rtmp://h/app/" },
    { "srt://[::1]:65535/x?", "srt", "", "::1", 65535, "/x", "",
      "srt://[::1]:65535/x" },
    { "srt://[FE80::1]", "srt", "", "fe80::1", 0, "", "",
      "srt://[fe80::1]" },
    { "rtmps://u:p@ss@h:443/a/x", "rtmps", "u:p@ss", "h", 443, "/a/x", "",
      "rtmps://u:***@h:443/a/x" },
    { "http://u@h/x.flv", "http", "u", "h", 0, "/x.flv", "",
      "http://u@h/***" },
    { "http://@h/x", "http", "", "h", 0, "/x", "", "http://h/x" },
    { "srt://h:1?streamid=#!::r=live/x,m=request&latency=200", "srt", "",
      "h", 1, "", "streamid=#!::r=live/x,m=request&latency=200",
      "srt://h:1?streamid=***&latency=200" },
    { "srt://h:1/x?passphrase=0123456789&&pbkeylen=32&t&a@b=c?d", "srt", "",
      "h", 1, "/x", "passphrase=0123456789&&pbkeylen=32&t&a@b=c?d",
      "srt://h:1/x?passphrase=***&&pbkeylen=32&***&a@b=***" },
    { "a1+-.://1.2.3.4:80//x", "a1+-.", "", "1.2.3.4", 80, "//x", "",
      "a1+-.://1.2.3.4:80//x" }
};


static const struct {
    const char  *url;
    int          rc;
} bad[] = {
    { "", NGX_MEDIA_RELAY_URI_SCHEME },
    { "srt", NGX_MEDIA_RELAY_URI_SCHEME },
    { "srt:/", NGX_MEDIA_RELAY_URI_SCHEME },
    { "srt:/h/", NGX_MEDIA_RELAY_URI_SCHEME },
    { "://h", NGX_MEDIA_RELAY_URI_SCHEME },
    { "1srt://h", NGX_MEDIA_RELAY_URI_SCHEME },
    { "live/x", NGX_MEDIA_RELAY_URI_SCHEME },
    { "abcdefghijklmnopq://h", NGX_MEDIA_RELAY_URI_SCHEME },
    { "srt://", NGX_MEDIA_RELAY_URI_HOST },
    { "srt:///x", NGX_MEDIA_RELAY_URI_HOST },
    { "srt://:9000", NGX_MEDIA_RELAY_URI_HOST },
    { "srt://u@", NGX_MEDIA_RELAY_URI_HOST },
    { "srt://h#x", NGX_MEDIA_RELAY_URI_HOST },
    { "srt://h%41", NGX_MEDIA_RELAY_URI_HOST },
    { "srt://$h", NGX_MEDIA_RELAY_URI_HOST },
    { "srt://[]", NGX_MEDIA_RELAY_URI_ADDRESS },
    { "srt://[::1", NGX_MEDIA_RELAY_URI_ADDRESS },
    { "srt://[::g]", NGX_MEDIA_RELAY_URI_ADDRESS },
    { "srt://[fe80::1%eth0]", NGX_MEDIA_RELAY_URI_ADDRESS },
    { "srt://[::1]x", NGX_MEDIA_RELAY_URI_HOST },
    { "srt://h:", NGX_MEDIA_RELAY_URI_PORT },
    { "srt://h:0", NGX_MEDIA_RELAY_URI_PORT },
    { "srt://h:65536", NGX_MEDIA_RELAY_URI_PORT },
    { "srt://h:000080", NGX_MEDIA_RELAY_URI_PORT },
    { "srt://h:-1", NGX_MEDIA_RELAY_URI_PORT },
    { "srt://h:1:2", NGX_MEDIA_RELAY_URI_PORT },
    { "srt://h/a b", NGX_MEDIA_RELAY_URI_BYTE },
    { "srt://h/a\tb", NGX_MEDIA_RELAY_URI_BYTE },
    { "srt://h/a\r\nb", NGX_MEDIA_RELAY_URI_BYTE },
    { "srt://h/\xc3\xa9", NGX_MEDIA_RELAY_URI_BYTE },
    { "srt://h/\x7f", NGX_MEDIA_RELAY_URI_BYTE }
};


static int
same(const ngx_media_url_str_t *s, const char *text)
{
    return s->len == strlen(text)
           && (s->len == 0 || memcmp(s->data, text, s->len) == 0);
}


int
main(void)
{
    int                     rc;
    char                    big[NGX_MEDIA_RELAY_URI_MAX + 2];
    size_t                  i, n;
    u_char                 *copy, *buf, shown[256];
    ngx_media_url_str_t     stream;
    ngx_media_relay_uri_t   uri;

    stream.data = (u_char *) "x";
    stream.len = 1;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        n = strlen(good[i].url);
        copy = ngx_media_test_dup(good[i].url, n);
        buf = malloc(n);

        rc = ngx_media_relay_uri(&uri, copy, copy + n, buf);

        ok(rc == NGX_MEDIA_RELAY_URI_OK && same(&uri.scheme, good[i].scheme)
           && same(&uri.user, good[i].user) && same(&uri.host, good[i].host)
           && uri.port == good[i].port && same(&uri.path, good[i].path)
           && same(&uri.args, good[i].args),
           "\"%s\": %d host \"%.*s\" port %u path \"%.*s\" args \"%.*s\"",
           good[i].url, rc, (int) uri.host.len, uri.host.data,
           (unsigned) uri.port, (int) uri.path.len, uri.path.data,
           (int) uri.args.len, uri.args.data);

        n = ngx_media_relay_uri_show(&uri, &stream, shown, sizeof(shown));

        ok(n == strlen(good[i].shown) && memcmp(shown, good[i].shown, n) == 0,
           "shown as \"%.*s\"", (int) n, shown);

        n = ngx_media_relay_uri_show(&uri, &stream, shown, 5);

        ok(n == 5, "cut to what has room");

        free(copy);
        free(buf);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        n = strlen(bad[i].url);
        copy = ngx_media_test_dup(bad[i].url, n);
        buf = malloc(n + 1);

        rc = ngx_media_relay_uri(&uri, copy, copy + n, buf);

        ok(rc == bad[i].rc, "\"%s\" is refused with %d: %s", bad[i].url, rc,
           ngx_media_relay_uri_text(rc));

        free(copy);
        free(buf);
    }

    memset(big, 'x', sizeof(big));
    memcpy(big, "srt://h/", 8);

    buf = malloc(sizeof(big));

    rc = ngx_media_relay_uri(&uri, (u_char *) big,
                             (u_char *) big + NGX_MEDIA_RELAY_URI_MAX, buf);
    ok(rc == NGX_MEDIA_RELAY_URI_OK, "as long as it may be");

    rc = ngx_media_relay_uri(&uri, (u_char *) big,
                             (u_char *) big + NGX_MEDIA_RELAY_URI_MAX + 1,
                             buf);
    ok(rc == NGX_MEDIA_RELAY_URI_LONG, "longer: %s",
       ngx_media_relay_uri_text(rc));

    free(buf);

    return done_testing();
}
