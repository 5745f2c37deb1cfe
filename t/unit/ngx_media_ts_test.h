
/*
 * Copyright (C) the nginx media suite authors
 *
 * For the tests of MPEG-TS: frames of all codecs made up, a muxer that writes
 * into memory, packets taken apart.
 */


#ifndef _NGX_MEDIA_TS_TEST_H_INCLUDED_
#define _NGX_MEDIA_TS_TEST_H_INCLUDED_


#include "ngx_media_avc.h"
#include "ngx_media_bytes.h"
#include "ngx_media_hevc.h"
#include "ngx_media_opus.h"
#include "ngx_media_test.h"
#include "ngx_media_ts_mux.h"


#define TS_SIZE  (8 * 1024 * 1024)


static u_char               *ts;           /* what was muxed */
static ngx_media_ts_room_t   ts_room;
static ngx_media_ts_mux_t    ts_mux;

static u_char                ts_payload[300 * 1024];

static const char  ts_avcc[] =
    "01 42 c0 0d ff e1 00 19 67 42 c0 0d d9 01 41 9f 9f 01 10 00 00 03 00 10"
    "00 00 03 03 c0 f1 42 a4 80 01 00 05 68 cb 83 cb 20";

static const char  ts_hvcc[] =
    "01 02 20 00 00 00 90 00 00 00 00 00 3c f0 00 fc fd fa fa 00 00 0f 03 a0"
    "00 01 00 18 40 01 0c 01 ff ff 02 20 00 00 03 00 90 00 00 03 00 00 03 00"
    "3c 95 98 09 a1 00 01 00 2a 42 01 01 02 20 00 00 03 00 90 00 00 03 00 00"
    "03 00 3c a0 0a 48 0b 9c 94 d9 65 66 92 4c af 01 68 08 00 00 1f 48 00 03"
    "a9 80 40 a2 00 01 00 07 44 01 c1 72 b4 62 40";


static inline void
ts_start(void)
{
    if (ts == NULL) {
        ts = malloc(TS_SIZE);
    }

    ts_room.pos = ts;
    ts_room.end = ts + TS_SIZE;

    ngx_media_ts_mux_init(&ts_mux, ngx_media_ts_write_room, &ts_room);
}


static inline size_t
ts_packets(void)
{
    return (size_t) (ts_room.pos - ts) / NGX_MEDIA_TS_PACKET;
}


/* Bytes that are no start code and no sync word; others for another n. */

static inline void
ts_fill(u_char *p, size_t size, unsigned n)
{
    size_t  i;

    for (i = 0; i < size; i++) {
        p[i] = (u_char) (1 + (i * 7 + n * 13 + (i >> 8)) % 127);
    }
}


static inline ngx_media_frame_t
ts_frame(uint8_t codec, unsigned track, int64_t dts, unsigned flags,
    const u_char *data, size_t size)
{
    ngx_media_frame_t  f;

    memset(&f, 0, sizeof(ngx_media_frame_t));

    f.codec = codec;
    f.track = (uint8_t) track;
    f.dts = dts;
    f.flags = (uint16_t) flags;
    f.data = data;
    f.size = (uint32_t) size;

    return f;
}


/*
 * The config of a codec into p; 0: it has none.
 */

static inline size_t
ts_config(uint8_t codec, u_char *p)
{
    switch (codec) {

    case NGX_MEDIA_CODEC_H264:
        return ngx_media_test_hex(ts_avcc, p, 256);

    case NGX_MEDIA_CODEC_HEVC:
        return ngx_media_test_hex(ts_hvcc, p, 256);

    case NGX_MEDIA_CODEC_AAC:
        return ngx_media_test_hex("11 90", p, 256);

    case NGX_MEDIA_CODEC_OPUS:
        return (size_t) (ngx_media_opus_head_write(p, 2, 0, 48000) - p);

    default:
        return 0;
    }
}


/*
 * The n-th frame of a codec, with its time; size is about that of video.
 * AC-3, E-AC-3, MP3 and Opus have the sizes of their headers.
 */

static inline ngx_media_frame_t
ts_make(uint8_t codec, unsigned track, unsigned n, size_t size)
{
    unsigned            key;
    u_char             *p;
    ngx_media_frame_t   f;

    p = ts_payload;
    f = ts_frame(codec, track, 0, 0, p, size);

    switch (codec) {

    case NGX_MEDIA_CODEC_H264:
    case NGX_MEDIA_CODEC_HEVC:
        key = n % 10 == 0;

        ts_fill(p, size, n);
        p = ngx_media_put_be32(p, (uint32_t) (size - 4));

        if (codec == NGX_MEDIA_CODEC_H264) {
            *p++ = key ? 0x65 : 0x41;
            *p++ = 0x88;

        } else {
            *p++ = key ? 0x26 : 0x02;
            *p++ = 0x01;
            *p++ = 0xa8;
        }

        f.flags = key ? NGX_MEDIA_FRAME_KEY : 0;
        f.dts = (int64_t) n * 40000;
        f.cts = key ? 40000 : (n % 3) * 40000;
        break;

    case NGX_MEDIA_CODEC_AAC:
        ts_fill(p, size, n);
        f.dts = ((int64_t) n * 1024 * 1000000 + 24000) / 48000;
        break;

    case NGX_MEDIA_CODEC_MP3:                /* 128 kbit/s, 48 kHz */
        f.size = 384;
        ts_fill(p, f.size, n);
        (void) ngx_media_put_be32(p, 0xfffb9464);
        f.dts = (int64_t) n * 24000;
        break;

    case NGX_MEDIA_CODEC_OPUS:               /* 20 ms */
        f.size = (uint32_t) (size + n % 300);
        ts_fill(p, f.size, n);
        p[0] = 0xfc;
        f.dts = (int64_t) n * 20000;
        break;

    case NGX_MEDIA_CODEC_AC3:                /* 192 kbit/s, 48 kHz */
        f.size = 768;
        ts_fill(p, f.size, n);
        (void) ngx_media_put_be32(p, 0x0b770000);
        (void) ngx_media_put_be32(p + 4, 0x144043e1);
        f.dts = (int64_t) n * 32000;
        break;

    case NGX_MEDIA_CODEC_EAC3:               /* 768 bytes, six blocks */
        f.size = 768;
        ts_fill(p, f.size, n);
        (void) ngx_media_put_be32(p, 0x0b77017f);
        (void) ngx_media_put_be32(p + 4, 0x34874000);
        f.dts = (int64_t) n * 32000;
        break;
    }

    return f;
}


static inline int
ts_put_config(uint8_t codec, unsigned track)
{
    size_t             n;
    u_char             buf[256];
    ngx_media_frame_t  f;

    n = ts_config(codec, buf);

    if (n == 0) {
        return NGX_MEDIA_OK;
    }

    f = ts_frame(codec, track, 0, NGX_MEDIA_FRAME_CONFIG, buf, n);

    return ngx_media_ts_mux_frame(&ts_mux, &f);
}


#endif /* _NGX_MEDIA_TS_TEST_H_INCLUDED_ */
