
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: stream ids of SRT.  Any bytes: scratch is always enough, what
 * comes out lies in the id or in the scratch, and has no control characters.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_srt_id.h"


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


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                  rc;
    u_char              *copy, *buf;
    ngx_media_srt_id_t   id;

    copy = malloc(size ? size : 1);
    buf = malloc(ngx_media_srt_id_scratch(size));

    if (copy == NULL || buf == NULL) {
        abort();
    }

    memcpy(copy, data, size);

    rc = ngx_media_srt_id(&id, copy, copy + size, buf,
                          ngx_media_srt_id_scratch(size));

    if (rc == NGX_MEDIA_SRT_ID_OK) {
        fuzz_text(&id.vhost);
        fuzz_text(&id.app);
        fuzz_text(&id.stream);
        fuzz_text(&id.user);
        fuzz_text(&id.args);

    } else if (rc == NGX_MEDIA_SRT_ID_BUF) {
        abort();
    }

    free(copy);
    free(buf);

    return 0;
}
