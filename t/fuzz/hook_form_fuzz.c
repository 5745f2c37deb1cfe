
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: arguments of clients in forms of hooks.  No field of ours comes
 * out, nothing needs more room than was promised, and once more changes
 * nothing.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_hook_form.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                n;
    u_char               *buf, *again, *p;
    ngx_media_url_str_t   s, value;

    static const char *const  names[] = { "app", "call", NULL };

    buf = malloc(size + 1);
    again = malloc(size + 2);

    s.data = (u_char *) data;
    s.len = size;

    p = ngx_media_hook_form_args(buf, &s, names);
    n = (size_t) (p - buf);

    if (n > size + 1) {
        abort();
    }

    s.data = buf;
    s.len = n;

    if (ngx_media_arg(&s, "app", &value) || ngx_media_arg(&s, "call", &value))
    {
        abort();
    }

    p = ngx_media_hook_form_args(again, &s, names);

    if ((size_t) (p - again) != n || (n && memcmp(buf, again, n) != 0)) {
        abort();
    }

    free(again);
    free(buf);

    buf = malloc(ngx_media_hook_form_room(size) + 1);
    p = ngx_media_hook_form_escape(buf, data, size);

    if ((size_t) (p - buf) > ngx_media_hook_form_room(size)
        || memchr(buf, '&', (size_t) (p - buf)))
    {
        abort();
    }

    free(buf);

    return 0;
}
