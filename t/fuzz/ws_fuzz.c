
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: the WebSocket parser with any bytes, in two parts, cut where
 * the first byte says.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_ws.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static int
fuzz_part(ngx_media_ws_t *ws, const u_char *p, size_t n)
{
    int            rc;
    u_char        *copy;
    const u_char  *pos, *was;

    copy = malloc(n ? n : 1);

    if (copy == NULL) {
        abort();
    }

    memcpy(copy, p, n);
    pos = copy;

    do {
        was = pos;
        rc = ngx_media_ws_parse(ws, &pos, copy + n);

        if (pos < was || pos > copy + n
            || (rc == NGX_MEDIA_AGAIN && pos != copy + n)
            || (rc == NGX_MEDIA_OK && (ws->size > NGX_MEDIA_WS_CONTROL_MAX
                                       || !(ws->opcode & 8)))
            || (rc == NGX_MEDIA_ERROR && ws->status == 0))
        {
            abort();
        }

    } while (rc == NGX_MEDIA_OK);

    free(copy);

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          cut;
    ngx_media_ws_t  ws;

    if (size == 0) {
        return 0;
    }

    memset(&ws, 0, sizeof(ngx_media_ws_t));

    cut = data[0];
    data++;
    size--;
    cut = cut < size ? cut : size;

    if (fuzz_part(&ws, data, cut) != NGX_MEDIA_ERROR) {
        (void) fuzz_part(&ws, data + cut, size - cut);
    }

    return 0;
}
