
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: arguments of HLS requests.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_m3u8.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 i;
    u_char                *args;
    ngx_media_hls_query_t  q;

    args = malloc(size ? size : 1);
    memcpy(args, data, size);

    if (ngx_media_hls_query_parse(args, args + size, &q) == NGX_MEDIA_OK) {

        if ((q.has_part && !q.has_msn) || (q.skip_v2 && !q.skip)
            || (q.has_start && q.start == 0)
            || q.start > 300000000000LL || q.start < -99999999999LL
            || (q.has_msn && q.msn > INT64_MAX))
        {
            abort();
        }

        if (q.ctx_len && (q.ctx < args || q.ctx_len > 64
                          || q.ctx + q.ctx_len > args + size))
        {
            abort();
        }

        for (i = 0; i < q.ctx_len; i++) {
            if (q.ctx[i] < 0x21 || q.ctx[i] == '"' || q.ctx[i] > 0x7e) {
                abort();
            }
        }
    }

    free(args);

    return 0;
}
