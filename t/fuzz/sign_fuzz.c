
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: signed URLs.  Any bytes as a query: its arguments are taken
 * out, decoded and read as a signature and a time, and signed; two queries
 * never give the same text for different times.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_sign.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static size_t
fuzz_arg(const ngx_media_url_str_t *args, const char *name, u_char *buf)
{
    ssize_t              n;
    ngx_media_url_str_t  value;

    if (!ngx_media_arg(args, name, &value)) {
        return 0;
    }

    n = ngx_media_url_decode(buf, value.data, value.len, 0);

    return n > 0 ? (size_t) n : 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                n, len;
    u_char               *copy, *buf;
    u_char                digest[32], text[NGX_MEDIA_SIGN_TEXT];
    int64_t               seconds;
    ngx_media_sign_t      sign;
    ngx_media_url_str_t   args;

    copy = malloc(size ? size : 1);
    buf = malloc(size ? size : 1);

    if (copy == NULL || buf == NULL) {
        abort();
    }

    memcpy(copy, data, size);
    args.data = copy;
    args.len = size;

    n = fuzz_arg(&args, "sign", buf);
    (void) ngx_media_sign_digest(digest, 32, buf, n);
    (void) ngx_media_sign_digest(digest, 16, buf, n);

    n = fuzz_arg(&args, "expires", buf);

    if (ngx_media_sign_seconds(buf, n, &seconds) == NGX_MEDIA_OK) {

        if (n == 0 || n > 12 || seconds < 0) {
            abort();
        }

        memset(&sign, 0, sizeof(sign));
        sign.action = "play";
        sign.expires.data = buf;
        sign.expires.len = n;
        sign.app = sign.stream = args;

        len = ngx_media_sign_text(text, sizeof(text), &sign);

        if (len != 0 && len != 5 + n + 3 + 2 * size) {
            abort();
        }
    }

    if (ngx_media_contains(copy, size, copy, size / 2 ? size / 2 : 1)
        != (size > 0))
    {
        abort();
    }

    free(copy);
    free(buf);

    return 0;
}
