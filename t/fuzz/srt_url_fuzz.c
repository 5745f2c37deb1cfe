
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: arguments of URLs of SRT, and stream ids that are made of
 * names.  Any bytes: as much room as input is enough, what comes out lies in
 * it and has no control characters; an id that was made is read as what it
 * was made of.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_srt_url.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_text(const ngx_media_url_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < 0x20 || s->data[i] == 0x7f) {
            abort();
        }
    }
}


/* names are what lies between bytes of 0 */

static void
fuzz_id(const u_char *pos, const u_char *end)
{
    int                    i;
    size_t                 n;
    u_char                 buf[NGX_MEDIA_SRT_ID_MAX];
    u_char                 scratch[ngx_media_srt_id_scratch(sizeof(buf))];
    const u_char          *p;
    ngx_media_srt_id_t     id;
    ngx_media_url_str_t    s[4];

    for (i = 0; i < 4; i++) {
        p = (pos < end) ? memchr(pos, 0, (size_t) (end - pos)) : NULL;

        if (p == NULL) {
            p = end;
        }

        s[i].data = (u_char *) pos;
        s[i].len = (size_t) (p - pos);

        pos = (p < end) ? p + 1 : end;
    }

    n = ngx_media_srt_url_id(buf, NGX_MEDIA_SRT_MODE_PUBLISH, &s[0], &s[1],
                             &s[2], &s[3]);

    if (n > sizeof(buf)) {
        abort();
    }

    if (n && (ngx_media_srt_id(&id, buf, buf + n, scratch, sizeof(scratch))
              != NGX_MEDIA_SRT_ID_OK
              || id.mode != NGX_MEDIA_SRT_MODE_PUBLISH))
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char               *copy, *buf;
    ngx_media_srt_url_t   u;

    copy = malloc(size ? size : 1);
    buf = malloc(size ? size : 1);

    if (copy == NULL || buf == NULL) {
        abort();
    }

    memcpy(copy, data, size);

    if (ngx_media_srt_url(&u, copy, copy + size, buf, size) == NULL) {
        fuzz_text(&u.streamid);
        fuzz_text(&u.passphrase);
        fuzz_text(&u.filter);
    }

    fuzz_id(copy, copy + size);

    free(copy);
    free(buf);

    return 0;
}
