
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: media playlists that are read back.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_m3u8_read.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                        *text;
    uint32_t                       i;
    const ngx_media_m3u8_entry_t  *e;
    static ngx_media_m3u8_read_t   list;

    text = malloc(size ? size : 1);
    memcpy(text, data, size);

    if (ngx_media_m3u8_read(text, text + size, &list) == NGX_MEDIA_OK) {

        if (list.nentries > NGX_MEDIA_HLS_SEGMENTS || list.target > 3600) {
            abort();
        }

        for (i = 0; i < list.nentries; i++) {
            e = &list.entry[i];

            if (e->uri < text || e->uri_len == 0
                || e->uri + e->uri_len > text + size
                || (e->map_len && (e->map < text
                                   || e->map + e->map_len > text + size))
                || memchr(e->uri, '\n', e->uri_len) || e->pdt < 0
                || e->duration > 3601000000U)
            {
                abort();
            }
        }
    }

    free(text);

    return 0;
}
