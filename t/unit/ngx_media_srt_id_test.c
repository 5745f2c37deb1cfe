
/*
 * Copyright (C) the nginx media suite authors
 *
 * Stream ids of SRT: every form, and what is refused.
 */


#include "ngx_media_srt_id.h"
#include "ngx_media_test.h"


#define NONE     NGX_MEDIA_SRT_MODE_NONE
#define REQUEST  NGX_MEDIA_SRT_MODE_REQUEST
#define PUBLISH  NGX_MEDIA_SRT_MODE_PUBLISH


static const struct {
    const char  *id;
    int          mode;
    const char  *vhost;
    const char  *app;
    const char  *stream;
    const char  *args;
    const char  *user;
} good[] = {
    { "", NONE, "", "", "", "", "" },
    { "livestream", NONE, "", "", "livestream", "", "" },
    { "live/livestream", NONE, "", "live", "livestream", "", "" },
    { "/live/a/b/", NONE, "", "live/a", "b", "", "" },
    { "live/x?k=v&l=w", NONE, "", "live", "x", "k=v&l=w", "" },

    { "#!::h=live/livestream,m=publish", PUBLISH, "", "live", "livestream",
      "", "" },
    { "#!::h=Show.Example.com/live/x,m=request", REQUEST, "show.example.com",
      "live", "x", "", "" },
    { "#!::h=v.com/a/b/x", NONE, "v.com", "a/b", "x", "", "" },
    { "#!::r=live/livestream", NONE, "", "live", "livestream", "", "" },
    { "#!::m=request,r=live/x,h=HOST", REQUEST, "host", "live", "x", "", "" },
    { "#!::r=live/x?secret=abc,m=publish", PUBLISH, "", "live", "x",
      "secret=abc", "" },
    { "#!::h=live/x?a=1,b=2,m=publish", PUBLISH, "", "live", "x", "a=1&b=2",
      "" },
    { "#!::u=admin,r=a/b/c,t=stream,s=77,x", NONE, "", "a/b", "c",
      "u=admin&t=stream&s=77&x", "admin" },
    { "#!::", NONE, "", "", "", "", "" },
    { "#!::,,r=x,,", NONE, "", "", "x", "", "" },
    { "#!::r=live/x,k=a=b", NONE, "", "live", "x", "k=a=b", "" },
    { "#!::r=live/x,m=play", REQUEST, "", "live", "x", "", "" },

    { "#!{r=live/x,m=publish,t={a,b},k=1}", PUBLISH, "", "live", "x",
      "t={a,b}&k=1", "" },
    { "#!{}", NONE, "", "", "", "", "" },

    { "publish:live/x", PUBLISH, "", "live", "x", "", "" },
    { "read:live/x:me:se:cret?a=b", REQUEST, "", "live", "x",
      "user=me&pass=se:cret&a=b", "me" },
    { "publish:x::", PUBLISH, "", "", "x", "", "" },
    { "publish:", PUBLISH, "", "", "", "", "" },
    { "publish:x?k=1:2", PUBLISH, "", "", "x", "k=1:2", "" },

    { "srt://Host.com:9000/live/x?k=v", NONE, "host.com", "live", "x", "k=v",
      "" },
    { "srt://u:p@[::1]:9000/live/x", NONE, "::1", "live", "x", "", "" },
    { "srt://[::1", NONE, "::1", "", "", "", "" },
    { "srt://host", NONE, "host", "", "", "", "" },
    { "srt%3A%2F%2Fhost%3A9000%2Flive%2Fx%3Fk%3Dv", NONE, "host", "live",
      "x", "k=v", "" },

    { "#!:r=live/x", NONE, "", "#!:r=live", "x", "", "" }
};


static const struct {
    const char  *id;
    int          rc;
} bad[] = {
    { "#!::r=live/x,m=steal", NGX_MEDIA_SRT_ID_MODE },
    { "#!::r=live/x,m=bidirectional", NGX_MEDIA_SRT_ID_MODE },
    { "#!::r=live/x,t=file", NGX_MEDIA_SRT_ID_TYPE },
    { "#!{r=live/x", NGX_MEDIA_SRT_ID_NEST },
    { "#!{r={live/x}", NGX_MEDIA_SRT_ID_NEST },
    { "#!{r=}live/x}", NGX_MEDIA_SRT_ID_NEST },
    { "live/x\n", NGX_MEDIA_SRT_ID_CONTROL },
    { "live/\x7fx", NGX_MEDIA_SRT_ID_CONTROL },
    { "srt%3A%2F%2Fh%2Fx%0a", NGX_MEDIA_SRT_ID_CONTROL },
    { "srt%3A%2F%2Fh%2Fx%zz", NGX_MEDIA_SRT_ID_ESCAPE }
};


static int
same(const ngx_media_url_str_t *s, const char *text)
{
    return s->len == strlen(text)
           && (s->len == 0 || memcmp(s->data, text, s->len) == 0);
}


/* copies of exact size, so that a sanitizer sees what is read beyond */

static int
parse(ngx_media_srt_id_t *id, const char *text, size_t n, u_char **copy,
    u_char **buf)
{
    *copy = ngx_media_test_dup(text, n);
    *buf = malloc(ngx_media_srt_id_scratch(n));

    return ngx_media_srt_id(id, *copy, *copy + n, *buf,
                            ngx_media_srt_id_scratch(n));
}


int
main(void)
{
    int                  rc;
    char                 text[NGX_MEDIA_SRT_ID_MAX + 2];
    size_t               i, n;
    u_char              *copy, *buf, none[1];
    ngx_media_srt_id_t   id;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        rc = parse(&id, good[i].id, strlen(good[i].id), &copy, &buf);

        ok(rc == NGX_MEDIA_SRT_ID_OK && (int) id.mode == good[i].mode
           && same(&id.vhost, good[i].vhost) && same(&id.app, good[i].app)
           && same(&id.stream, good[i].stream)
           && same(&id.args, good[i].args) && same(&id.user, good[i].user),
           "\"%s\": %d %d vhost \"%.*s\" app \"%.*s\" stream \"%.*s\" "
           "args \"%.*s\" user \"%.*s\"", good[i].id, rc, (int) id.mode,
           (int) id.vhost.len, id.vhost.data, (int) id.app.len, id.app.data,
           (int) id.stream.len, id.stream.data, (int) id.args.len,
           id.args.data, (int) id.user.len, id.user.data);

        free(copy);
        free(buf);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rc = parse(&id, bad[i].id, strlen(bad[i].id), &copy, &buf);

        ok(rc == bad[i].rc, "refused: %s", ngx_media_srt_id_text(rc));

        free(copy);
        free(buf);
    }

    memset(text, 'a', sizeof(text));

    for (n = NGX_MEDIA_SRT_ID_MAX - 1; n < sizeof(text); n++) {
        rc = parse(&id, text, n, &copy, &buf);

        ok(rc == (n > NGX_MEDIA_SRT_ID_MAX ? NGX_MEDIA_SRT_ID_LONG
                                           : NGX_MEDIA_SRT_ID_OK),
           "an id of %zu bytes: %s", n, ngx_media_srt_id_text(rc));

        free(copy);
        free(buf);
    }

    copy = (u_char *) "#!::h=live/x,k=v";
    rc = ngx_media_srt_id(&id, copy, copy + 16, none, 0);

    ok(rc == NGX_MEDIA_SRT_ID_BUF, "no scratch");

    return done_testing();
}
