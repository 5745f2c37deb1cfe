
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: URL rules, name checks, arguments and percent-decoding.  The
 * input is cut at its line feeds into the three strings of a request.
 */


#include <stdlib.h>

#include "ngx_media_bytes.h"
#include "ngx_media_url.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_inside(const ngx_media_url_str_t *s, const u_char *buf, size_t size)
{
    if (s->data < buf || s->data > buf + size
        || s->len > (size_t) (buf + size - s->data))
    {
        abort();
    }
}


static void
fuzz_result(int rc, const ngx_media_url_t *u, const u_char *buf, size_t size,
    int enough)
{
    int                  kind;
    ngx_media_url_str_t  value;

    if (rc == NGX_MEDIA_URL_EBUF && enough) {
        abort();
    }

    if (rc != NGX_MEDIA_URL_OK) {
        return;
    }

    fuzz_inside(&u->schema, buf, size);
    fuzz_inside(&u->user, buf, size);
    fuzz_inside(&u->host, buf, size);
    fuzz_inside(&u->vhost, buf, size);
    fuzz_inside(&u->app, buf, size);
    fuzz_inside(&u->stream, buf, size);
    fuzz_inside(&u->ext, buf, size);
    fuzz_inside(&u->args, buf, size);

    if (u->vhost.len == 0 || u->app.len == 0
        || (u->stream.len && memchr(u->stream.data, '/', u->stream.len)))
    {
        abort();
    }

    for (kind = NGX_MEDIA_NAME_VHOST; kind <= NGX_MEDIA_NAME_PUBLISH; kind++) {
        (void) ngx_media_name_check(&u->vhost, kind);
        (void) ngx_media_name_check(&u->stream, kind);

        if (ngx_media_name_check(&u->app, kind) == NGX_MEDIA_NAME_OK
            && memchr(u->app.data, 0, u->app.len))
        {
            abort();
        }
    }

    if (ngx_media_arg(&u->args, "a", &value)) {
        fuzz_inside(&value, buf, size);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                  i, enough;
    size_t               room, want;
    u_char              *buf, *in, *p, *q;
    ngx_media_url_t      u;
    ngx_media_url_str_t  s[3];

    if (size == 0) {
        return 0;
    }

    want = ngx_media_url_scratch(size - 1);
    room = (data[0] & 0x80) ? (data[0] & 0x7f) : want;
    enough = (room == want);

    in = malloc(size);
    memcpy(in, data + 1, size - 1);
    buf = malloc(room ? room : 1);

    p = in;

    for (i = 0; i < 3; i++) {
        q = p;

        while (q < in + size - 1 && (i == 2 || *q != '\n')) {
            q++;
        }

        s[i].data = p;
        s[i].len = (size_t) (q - p);

        p = q < in + size - 1 ? q + 1 : q;
    }

    fuzz_result(ngx_media_url_rtmp(&u, &s[0], &s[1], &s[2], buf, room), &u,
                buf, room, enough);
    fuzz_result(ngx_media_url_full(&u, &s[0], buf, room), &u, buf, room,
                enough);
    fuzz_result(ngx_media_url_http(&u, &s[1], &s[2], &s[0], 0, buf, room), &u,
                buf, room, enough);
    fuzz_result(ngx_media_url_http(&u, &s[1], &s[2], &s[0],
                                   NGX_MEDIA_URL_DECODED, buf, room), &u,
                buf, room, enough);

    free(buf);
    free(in);

    return 0;
}
