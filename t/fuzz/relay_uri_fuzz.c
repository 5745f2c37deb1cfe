
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: URLs of other servers.  Any bytes: parts lie in the text or in
 * the buffer and have no control characters; what is shown has neither the
 * password nor more than its room.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_relay_uri.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_text(const ngx_media_url_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] <= 0x20 || s->data[i] >= 0x7f) {
            abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                     rc;
    size_t                  n, room;
    u_char                 *copy, *buf, *shown;
    ngx_media_url_str_t     stream;
    ngx_media_relay_uri_t   uri;

    copy = malloc(size ? size : 1);
    buf = malloc(size ? size : 1);
    room = size % 300 + 1;
    shown = malloc(room);

    if (copy == NULL || buf == NULL || shown == NULL) {
        abort();
    }

    memcpy(copy, data, size);

    rc = ngx_media_relay_uri(&uri, copy, copy + size, buf);

    if (ngx_media_relay_uri_text(rc) == NULL) {
        abort();
    }

    if (rc == NGX_MEDIA_RELAY_URI_OK) {
        fuzz_text(&uri.scheme);
        fuzz_text(&uri.user);
        fuzz_text(&uri.host);
        fuzz_text(&uri.path);
        fuzz_text(&uri.args);

        if (uri.scheme.len == 0 || uri.host.len == 0) {
            abort();
        }

        stream = uri.host;
        n = ngx_media_relay_uri_show(&uri, &stream, shown, room);

        if (n > room) {
            abort();
        }
    }

    free(shown);
    free(copy);
    free(buf);

    return 0;
}
