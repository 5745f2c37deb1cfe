
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: FLV files.  The first byte is the size of the pieces the rest
 * is fed in; the events must be those of the rest fed at once.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_flv.h"


#define FUZZ_MAX  65536


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    uint64_t   hash;
    uint32_t   body;
    int        rc;
} fuzz_state_t;


static void
fuzz_add(fuzz_state_t *s, uint64_t v)
{
    s->hash = (s->hash ^ v) * 0x100000001b3ULL;
}


static void
fuzz_event(fuzz_state_t *s, const ngx_media_flv_piece_t *e)
{
    uint32_t  i;

    switch (e->event) {

    case NGX_MEDIA_FLV_EV_HEADER:
        fuzz_add(s, e->header.size);
        break;

    case NGX_MEDIA_FLV_EV_TAG:

        if (e->tag.size > FUZZ_MAX) {
            abort();
        }

        fuzz_add(s, e->tag.type);
        fuzz_add(s, e->tag.size);
        fuzz_add(s, e->tag.ms);
        s->body = 0;
        break;

    case NGX_MEDIA_FLV_EV_BODY:

        if (e->size == 0 || e->offset != s->body
            || e->size > e->tag.size - s->body)
        {
            abort();
        }

        for (i = 0; i < e->size; i++) {
            fuzz_add(s, e->data[i]);
        }

        s->body += e->size;
        break;

    case NGX_MEDIA_FLV_EV_END:

        if (s->body != e->tag.size) {
            abort();
        }

        break;

    default:
        abort();
    }
}


static void
fuzz_feed(const u_char *data, size_t size, size_t step, fuzz_state_t *s)
{
    size_t                  n;
    u_char                 *piece;
    const u_char           *pos;
    ngx_media_flv_demux_t   d;
    ngx_media_flv_piece_t   e;

    memset(s, 0, sizeof(fuzz_state_t));

    ngx_media_flv_demux_init(&d, FUZZ_MAX);

    s->rc = NGX_MEDIA_AGAIN;

    while (size && s->rc == NGX_MEDIA_AGAIN) {

        n = size < step ? size : step;
        piece = malloc(n);

        if (piece == NULL) {
            abort();
        }

        memcpy(piece, data, n);
        pos = piece;

        while ((s->rc = ngx_media_flv_demux(&d, &pos, piece + n, &e))
               == NGX_MEDIA_OK)
        {
            fuzz_event(s, &e);
        }

        if (s->rc == NGX_MEDIA_AGAIN && pos != piece + n) {
            abort();
        }

        free(piece);

        data += n;
        size -= n;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_state_t  a, b;

    if (size < 2) {
        return 0;
    }

    fuzz_feed(data + 1, size - 1, size - 1, &a);
    fuzz_feed(data + 1, size - 1, (size_t) data[0] + 1, &b);

    if (a.rc != b.rc || a.hash != b.hash) {
        abort();
    }

    return 0;
}
