
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: the MPEG-TS muxer with frames of any bytes.  Records of six
 * bytes and a payload: codec, track, flags, step of time, size.  Whatever
 * comes out must be packets in order, with a PES length that is true, and the
 * demuxer must find neither a gap nor junk in them.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_ts_demux.h"
#include "ngx_media_ts_mux.h"


#define FUZZ_OUT  (256 * 1024)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const uint8_t  fuzz_codecs[] = {
    NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_HEVC, NGX_MEDIA_CODEC_AAC,
    NGX_MEDIA_CODEC_MP3, NGX_MEDIA_CODEC_OPUS, NGX_MEDIA_CODEC_AC3,
    NGX_MEDIA_CODEC_EAC3, NGX_MEDIA_CODEC_AV1
};


static u_char *
fuzz_lend(void *ctx, u_char *buf, size_t used, size_t size)
{
    (void) ctx;
    (void) used;

    if (size == 0) {
        free(buf);
        return NULL;
    }

    return realloc(buf, size);
}


static int
fuzz_frame(void *ctx, const ngx_media_frame_t *f)
{
    unsigned  *n = ctx;

    *n += f->size;

    return NGX_MEDIA_OK;
}


static void
fuzz_check(const u_char *p, size_t n)
{
    unsigned               got;
    ngx_media_ts_demux_t  *d;

    if (n % NGX_MEDIA_TS_PACKET) {
        abort();
    }

    got = 0;
    d = malloc(sizeof(ngx_media_ts_demux_t));
    ngx_media_ts_demux_init(d, fuzz_frame, fuzz_lend, &got, 0, 1 << 20,
                            4 << 20);

    if (ngx_media_ts_demux(d, p, p + n) != NGX_MEDIA_OK
        || ngx_media_ts_demux_flush(d) != NGX_MEDIA_OK
        || d->stat.cc_errors || d->stat.junk || d->stat.crc_errors
        || d->stat.packets != n / NGX_MEDIA_TS_PACKET)
    {
        abort();
    }

    ngx_media_ts_demux_close(d);
    free(d);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char               *out, *body, bundle[600];
    const u_char         *p, *end;
    ngx_media_frame_t     f;
    ngx_media_ts_mux_t    m;
    ngx_media_ts_room_t   room;

    if (size < 1) {
        return 0;
    }

    out = malloc(FUZZ_OUT);
    room.pos = out;
    room.end = out + FUZZ_OUT;

    ngx_media_ts_mux_init(&m, ngx_media_ts_write_room, &room);

    if (data[0] & 1) {
        ngx_media_ts_mux_bundle(&m, bundle, sizeof(bundle), 100000);
    }

    memset(&f, 0, sizeof(ngx_media_frame_t));
    f.dts = (int64_t) (data[0] >> 1) * 1000000000;

    p = data + 1;
    end = data + size;

    while (end - p >= 6) {
        f.codec = fuzz_codecs[p[0] & 7];
        f.track = p[1] & 15;
        f.flags = (uint16_t) (p[2] & 0x7f);
        f.dts += (int64_t) (int8_t) p[3] * 10000;
        f.cts = (p[0] >> 3) * 40000;
        f.size = ngx_media_get_be16(p + 4);
        p += 6;

        if (p[-4] & 0x80) {
            ngx_media_ts_mux_remove(&m, f.track);
        }

        if (f.size > (size_t) (end - p)) {
            f.size = (uint32_t) (end - p);
        }

        body = malloc(f.size ? f.size : 1);
        memcpy(body, p, f.size);
        f.data = body;

        if (ngx_media_ts_mux_frame(&m, &f) == NGX_MEDIA_ERROR
            && room.end - room.pos > 128 * 1024)
        {
            abort();
        }

        free(body);
        p += f.size;
    }

    (void) ngx_media_ts_mux_flush(&m);

    fuzz_check(out, (size_t) (room.pos - out));

    free(out);

    return 0;
}
