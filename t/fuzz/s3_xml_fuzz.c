
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: answers of S3, and entries of the queue of uploads.  Whatever
 * is found lies in the input, values are 0-terminated and no longer than they
 * may be, and what is written of a value reads as the same value.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_s3_xml.h"
#include "ngx_media_upload_entry.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_xml(const u_char *p, const u_char *end)
{
    u_char                out[40];
    ssize_t               n;
    const u_char         *pos, *next;
    ngx_media_s3_text_t   part;

    for (pos = p; pos; pos = next) {
        next = ngx_media_s3_element(pos, end, "Part", &part);

        if (next == NULL) {
            break;
        }

        if (next <= pos || next > end || part.data < pos
            || part.len > (size_t) (end - part.data))
        {
            abort();
        }

        n = ngx_media_s3_value(part.data, part.data + part.len, "ETag", out,
                               sizeof(out));

        if (n >= (ssize_t) sizeof(out) || (n >= 0 && out[n] != '\0')) {
            abort();
        }
    }

    (void) ngx_media_s3_value(p, end, "Code", out, sizeof(out));
}


static void
fuzz_entry(const u_char *p, const u_char *end)
{
    u_char                   *value, *text;
    ssize_t                   n, m;
    uint64_t                  number;
    const u_char             *last;
    ngx_media_upload_line_t   line, again;

    for ( ;; ) {
        p = ngx_media_upload_line(p, end, &line);

        if (p == NULL) {
            return;
        }

        (void) ngx_media_upload_number(&line, &number);

        value = malloc(line.len + 1);
        text = malloc(3 * line.len + 4);

        if (value == NULL || text == NULL) {
            abort();
        }

        n = ngx_media_upload_decode(value, line.value, line.len);

        if (n >= 0) {
            last = ngx_media_upload_put(text, "a", value, (size_t) n);

            if (ngx_media_upload_line(text, last, &again) != last) {
                abort();
            }

            m = ngx_media_upload_decode(text, again.value, again.len);

            if (m != n || memcmp(text, value, (size_t) n) != 0) {
                abort();
            }
        }

        free(value);
        free(text);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char  *copy;

    copy = malloc(size ? size : 1);

    if (copy == NULL) {
        abort();
    }

    memcpy(copy, data, size);

    fuzz_xml(copy, copy + size);
    fuzz_entry(copy, copy + size);

    free(copy);

    return 0;
}
