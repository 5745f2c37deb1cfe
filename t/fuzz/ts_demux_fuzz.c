
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: the MPEG-TS demuxer.  The first byte says in what pieces the
 * rest is fed; the frames must be those of the rest fed at once, within the
 * limits of memory, and all of it must come back.  The CRC of sections is
 * repaired first, so that what is behind it is reached.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_ts_demux.h"


#define FUZZ_FRAME   20000
#define FUZZ_MEMORY  90000


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    uint64_t   hash;
    size_t     lent;
} fuzz_state_t;


static u_char *
fuzz_lend(void *ctx, u_char *buf, size_t used, size_t size)
{
    u_char        *p;
    fuzz_state_t  *s = ctx;

    p = size ? malloc(size) : NULL;

    if (p && used) {
        memcpy(p, buf, used);
    }

    s->lent += (buf == NULL);
    s->lent -= (size == 0);

    free(buf);

    return p;
}


static int
fuzz_frame(void *ctx, const ngx_media_frame_t *f)
{
    uint32_t       i;
    fuzz_state_t  *s = ctx;

    if (f->size == 0 || f->size > 2 * FUZZ_FRAME
        || f->track >= NGX_MEDIA_TRACK_SCRIPT)
    {
        abort();
    }

    s->hash = (s->hash ^ (uint64_t) f->dts) * 0x100000001b3ULL;
    s->hash = (s->hash ^ (uint32_t) f->cts) * 0x100000001b3ULL;
    s->hash = (s->hash ^ f->flags) * 0x100000001b3ULL;

    for (i = 0; i < f->size; i++) {
        s->hash = (s->hash ^ f->data[i]) * 0x100000001b3ULL;
    }

    return NGX_MEDIA_OK;
}


static uint64_t
fuzz_run(const u_char *p, size_t n, size_t step)
{
    int                    rc;
    size_t                 i, len;
    u_char                *piece;
    fuzz_state_t           s;
    ngx_media_ts_demux_t  *d;

    memset(&s, 0, sizeof(s));

    d = malloc(sizeof(ngx_media_ts_demux_t));
    ngx_media_ts_demux_init(d, fuzz_frame, fuzz_lend, &s, 0, FUZZ_FRAME,
                            FUZZ_MEMORY);
    rc = NGX_MEDIA_OK;

    for (i = 0; i < n && rc == NGX_MEDIA_OK; i += step) {
        len = n - i < step ? n - i : step;

        piece = malloc(len);
        memcpy(piece, p + i, len);
        rc = ngx_media_ts_demux(d, piece, piece + len);
        free(piece);

        if (d->memory > FUZZ_MEMORY) {
            abort();
        }
    }

    (void) ngx_media_ts_demux_flush(d);
    ngx_media_ts_demux_close(d);

    if (d->memory || s.lent) {
        abort();
    }

    s.hash = s.hash * 31 + d->stat.dropped + d->stat.junk * 7u;

    free(d);

    return s.hash;
}


/* Sections that lie in one packet get the CRC they should have. */

static void
fuzz_repair(u_char *p, size_t n)
{
    size_t   i, len;
    u_char  *s;

    for (i = 0; i + 188 <= n; i += 188) {
        s = p + i + 5;

        if ((p[i + 1] & 0xdf) != 0x40 && (p[i + 1] & 0xdf) != 0x50) {
            continue;
        }

        if (p[i + 3] & 0x20 || p[i + 4] || s[0] > 2) {
            continue;
        }

        len = 3 + (ngx_media_get_be16(s + 1) & 0xfff);

        if (len >= 12 && len <= 183) {
            (void) ngx_media_put_be32(s + len - 4,
                                      ngx_media_ts_crc(s, s + len - 4));
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char    *p;
    size_t     n;

    if (size < 2) {
        return 0;
    }

    n = size - 1;
    p = malloc(n);
    memcpy(p, data + 1, n);

    fuzz_repair(p, n);

    if (fuzz_run(p, n, n) != fuzz_run(p, n, (size_t) data[0] + 1)) {
        abort();
    }

    free(p);

    return 0;
}
