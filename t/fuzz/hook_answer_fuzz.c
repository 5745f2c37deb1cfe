
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: answers of back ends of hooks.  What is kept lies in the buffer
 * that was given, and an answer that agrees goes on agreeing with white space
 * around it.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_hook_answer.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
inside(const ngx_media_url_str_t *s, const u_char *buf, size_t size)
{
    if (s->len
        && (s->data < buf || s->data > buf + size
            || s->len > (size_t) (buf + size - s->data)))
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                       rc;
    u_char                   *buf, *copy;
    unsigned                  i;
    ngx_media_hook_answer_t   a;

    buf = malloc(size + 2);
    copy = malloc(size + 2);

    rc = ngx_media_hook_answer(&a, data, data + size, buf);

    inside(&a.stream, buf, size);
    inside(&a.redirect, buf, size);

    for (i = 0; i < a.nurls; i++) {
        inside(&a.urls[i], buf, size);
    }

    if (a.lifetime > NGX_MEDIA_HOOK_LIFETIME_MAX) {
        abort();
    }

    copy[0] = ' ';
    memcpy(copy + 1, data, size);
    copy[size + 1] = '\n';

    if (ngx_media_hook_answer(&a, copy, copy + size + 2, buf) != rc) {
        abort();
    }

    free(copy);
    free(buf);

    return 0;
}
