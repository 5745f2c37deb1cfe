
/*
 * Copyright (C) the nginx media suite authors
 *
 * FLV: headers, the file demuxer fed in all piece sizes, bodies into frames,
 * frames into bodies and back.
 */


#include "ngx_media_flv.h"
#include "ngx_media_test.h"


static u_char  buf[256];


static size_t
bytes(const char *s)
{
    return ngx_media_test_hex(s, buf, sizeof(buf));
}


static void
ngx_media_flv_test_headers(void)
{
    u_char                  out[16];
    ngx_media_flv_tag_t     tag, got;
    ngx_media_flv_header_t  h;

    ok(ngx_media_flv_header_write(out, 1, 0) == out + 13
       && memcmp(out, "FLV\1\4\0\0\0\11\0\0\0\0", 13) == 0, "file header");
    ok(ngx_media_flv_header_parse(out, out + 13, &h) == out + 9
       && h.audio && !h.video && h.version == 1 && h.size == 9, "parsed");
    ok(ngx_media_flv_header_parse(out, out + 8, &h) == NULL, "cut off");
    out[0] = 'f';
    ok(ngx_media_flv_header_parse(out, out + 13, &h) == NULL, "no FLV");

    memset(&tag, 0, sizeof(tag));
    tag.type = NGX_MEDIA_FLV_VIDEO;
    tag.size = 0x123456;
    tag.ms = 0xfedcba98;

    ok(ngx_media_flv_tag_write(out, &tag) == out + 11
       && memcmp(out, "\x09\x12\x34\x56\xdc\xba\x98\xfe\0\0\0", 11) == 0,
       "tag header, all 32 bits of time");
    ok(ngx_media_flv_tag_parse(out, out + 11, &got) == out + 11
       && got.type == tag.type && got.size == tag.size && got.ms == tag.ms
       && got.stream_id == 0 && got.filter == 0, "parsed");
    ok(ngx_media_flv_tag_parse(out, out + 10, &got) == NULL, "cut off");
    ok(ngx_media_flv_prev_size_write(out, 5) == out + 4
       && memcmp(out, "\0\0\0\x10", 4) == 0, "previous tag size");
}


/* The events of a file fed in pieces of step bytes, as a string. */

static void
ngx_media_flv_test_feed(size_t n, size_t step, uint32_t max, char *log,
    size_t size)
{
    int                     rc;
    u_char                 *piece;
    size_t                  i, len;
    uint32_t                body;
    const u_char           *pos;
    ngx_media_flv_demux_t   d;
    ngx_media_flv_piece_t   e;

    ngx_media_flv_demux_init(&d, max);

    *log = '\0';
    body = 0;

    for (i = 0; i < n; i += step) {

        len = n - i < step ? n - i : step;
        piece = ngx_media_test_dup(buf + i, len);
        pos = piece;

        while ((rc = ngx_media_flv_demux(&d, &pos, piece + len, &e))
               == NGX_MEDIA_OK)
        {
            len = strlen(log);

            switch (e.event) {

            case NGX_MEDIA_FLV_EV_HEADER:
                snprintf(log + len, size - len, "H%d%d ", e.header.audio,
                         e.header.video);
                break;

            case NGX_MEDIA_FLV_EV_TAG:
                snprintf(log + len, size - len, "T%d:%u@%u ", e.tag.type,
                         e.tag.size, e.tag.ms);
                body = 0;
                break;

            case NGX_MEDIA_FLV_EV_BODY:

                if (e.offset != body) {
                    snprintf(log + len, size - len, "BAD ");
                }

                body += e.size;
                break;

            case NGX_MEDIA_FLV_EV_END:
                snprintf(log + len, size - len, "E%u ", body);
                break;
            }

            len = n - i < step ? n - i : step;
        }

        if (rc == NGX_MEDIA_ERROR) {
            len = strlen(log);
            snprintf(log + len, size - len, "ERROR");
            free(piece);
            return;
        }

        free(piece);
    }
}


static void
ngx_media_flv_test_demux(void)
{
    int     same;
    char    log[512], want[512];
    size_t  n, step;

    n = bytes("46 4c 56 01 05 00 00 00 0b ee ee 00 00 00 00"
              "12 00 00 02 00 00 00 00 00 00 00 02 00 00 00 00 0d"
              "08 00 00 00 00 00 17 00 00 00 00 00 00 00 0b"
              "09 00 00 05 00 00 28 01 00 00 00 17 01 00 00 00 00 00 00 10");

    snprintf(want, sizeof(want),
             "H11 T18:2@0 E2 T8:0@23 E0 T9:5@16777256 E5 ");

    same = 0;

    for (step = 1; step <= n; step++) {
        ngx_media_flv_test_feed(n, step, 100, log, sizeof(log));
        same += strcmp(log, want) == 0;
    }

    ok(same == (int) n, "a file in pieces of any size: %s", log);

    ngx_media_flv_test_feed(n, n, 4, log, sizeof(log));
    ok(strcmp(log, "H11 T18:2@0 E2 T8:0@23 E0 ERROR") == 0,
       "a tag too large: %s", log);

    buf[15] = 0x13;
    ngx_media_flv_test_feed(n, n, 100, log, sizeof(log));
    ok(strcmp(log, "H11 ERROR") == 0, "a tag of unknown type");

    buf[1] = 'X';
    ngx_media_flv_test_feed(n, 3, 100, log, sizeof(log));
    ok(strcmp(log, "ERROR") == 0, "no FLV");
}


/* The frames of a body as a string: codec flags cts track aux size dts. */

static const char *
frames(uint8_t type, const char *hex)
{
    int                   rc;
    size_t                n, len;
    u_char               *p;
    ngx_media_frame_t     f;
    ngx_media_flv_body_t  it;

    static char  log[512];

    n = bytes(hex);
    p = ngx_media_test_dup(buf, n);
    log[0] = '\0';
    len = 0;

    ngx_media_flv_body_init(&it, type, p, p + n);

    while ((rc = ngx_media_flv_body_next(&it, &f)) == NGX_MEDIA_OK) {
        len = strlen(log);
        snprintf(log + len, sizeof(log) - len, "%d,%x,%d,%d,%x,%u,%d;",
                 f.codec, f.flags, f.cts, f.track, f.aux, f.size,
                 (int) f.dts);

        if (f.data < p || f.data + f.size > p + n) {
            snprintf(log + len, sizeof(log) - len, "OUTSIDE");
        }
    }

    len = strlen(log);

    snprintf(log + len, sizeof(log) - len, "%s%u",
             rc == NGX_MEDIA_DONE ? "" : "ERROR", it.skipped);

    if (ngx_media_flv_body_next(&it, &f) == NGX_MEDIA_OK) {
        snprintf(log, sizeof(log), "GOES ON");
    }

    free(p);

    return log;
}


static void
body(uint8_t type, const char *hex, const char *want)
{
    const char  *got;

    got = frames(type, hex);

    ok(strcmp(got, want) == 0, "%d: %s: %s", type, hex, got);
}


static void
ngx_media_flv_test_legacy(void)
{
    body(8, "", "0");
    body(9, "", "0");
    body(8, "af 00 12 10", "32,2,0,1,af,2,0;0");
    body(8, "af 01 de ad be", "32,0,0,1,af,3,0;0");
    body(8, "af 01", "1");
    body(8, "af", "1");
    body(8, "af 02 00", "1");
    body(8, "2f ff fb 90 00", "33,0,0,1,2f,4,0;0");
    body(8, "ee ff e3 18 c4", "33,0,0,1,ee,4,0;0");
    body(8, "b2 01 02", "63,0,0,1,b2,2,0;0");
    body(8, "b2", "1");

    body(9, "17 00 00 00 00 01 64", "1,2,0,0,0,2,0;0");
    body(9, "17 01 00 00 50 00", "1,1,80000,0,0,1,0;0");
    body(9, "27 01 ff ff d8 00", "1,0,-40000,0,0,1,0;0");
    body(9, "37 01 00 00 00 00", "1,8,0,0,0,1,0;0");
    body(9, "17 02 00 00 00", "1,10,0,0,0,0,0;0");
    body(9, "17 02", "1,10,0,0,0,0,0;0");
    body(9, "17 01 00 00", "ERROR0");
    body(9, "17 01 00 00 00", "1");
    body(9, "17", "1");
    body(9, "17 03 00 00 00 00", "1");
    body(9, "57 00", "1");
    body(9, "1c 00 00 00 00 01", "2,82,0,0,0,1,0;0");
    body(9, "2c 01 00 00 21 00", "2,80,33000,0,0,1,0;0");
    body(9, "1d 01 00 00 00 0a", "4,81,0,0,0,1,0;0");
    body(9, "12 84 00", "31,1,0,0,12,2,0;0");
    body(9, "24 00", "31,0,0,0,24,1,0;0");

    body(18, "02 00 0a 6f 6e 4d 65 74 61 44 61 74 61 05",
         "64,4,0,15,0,14,0;0");
    body(18, "02 00 0d 40 73 65 74 44 61 74 61 46 72 61 6d 65 02 00 0a 6f 6e"
         "4d 65 74 61 44 61 74 61 05", "64,4,0,15,0,14,0;0");
    body(15, "00 02 00 01 78 05", "64,0,0,15,0,5,0;0");
    body(15, "00", "1");
    body(7, "00", "ERROR0");
}


static void
ngx_media_flv_test_enhanced(void)
{
    body(9, "90 68 76 63 31 01", "2,2,0,0,0,1,0;0");
    body(9, "91 68 76 63 31 00 00 28 00", "2,1,40000,0,0,1,0;0");
    body(9, "a1 61 76 63 31 ff ff ff 00", "1,0,-1000,0,0,1,0;0");
    body(9, "a3 76 76 63 31 00", "3,0,0,0,0,1,0;0");
    body(9, "91 61 76 30 31 0a", "4,1,0,0,0,1,0;0");
    body(9, "a1 76 70 30 39 86", "6,0,0,0,0,1,0;0");
    body(9, "b1 76 70 30 38 86", "5,8,0,0,0,1,0;0");
    body(9, "92 68 76 63 31", "2,10,0,0,0,0,0;0");
    body(9, "94 68 76 63 31 02 00", "2,301,0,0,4,2,0;0");
    body(9, "d4 68 76 63 31 02 00", "2,300,0,0,4,2,0;0");
    body(9, "95 61 76 30 31 80", "4,101,0,0,5,1,0;0");
    body(9, "9a 61 76 30 31 80", "4,101,0,0,a,1,0;0");
    body(9, "d1 00", "1");
    body(9, "91 78 78 78 78 00", "1");
    body(9, "91 68 76 63", "ERROR0");
    body(9, "91 68 76 63 31 00 00", "ERROR0");
    body(9, "91 68 76 63 31 00 00 00", "1");
    body(9, "91", "ERROR0");

    body(8, "90 4f 70 75 73 4f", "34,2,0,1,0,1,0;0");
    body(8, "91 66 4c 61 43 ff", "37,0,0,1,0,1,0;0");
    body(8, "91 61 63 2d 33 0b", "35,0,0,1,0,1,0;0");
    body(8, "91 65 63 2d 33 0b", "36,0,0,1,0,1,0;0");
    body(8, "91 2e 6d 70 33 ff", "33,0,0,1,0,1,0;0");
    body(8, "91 6d 70 34 61 de", "32,0,0,1,0,1,0;0");
    body(8, "92 4f 70 75 73", "34,10,0,1,0,0,0;0");
    body(8, "94 4f 70 75 73 01 02", "34,300,0,1,4,2,0;0");
    body(8, "93 4f 70 75 73 01 02", "34,100,0,1,3,2,0;0");
}


static void
ngx_media_flv_test_tracks(void)
{
    /* ModEx: 123456 ns, twice with an unknown one before */

    body(9, "97 02 01 e2 40 01 68 76 63 31 00 00 00 00",
         "2,1,0,0,0,1,123;0");
    body(9, "97 00 00 17 02 01 e2 40 03 68 76 63 31 00",
         "2,1,0,0,0,1,123;0");
    body(8, "97 02 0f 42 3f 01 4f 70 75 73 fc", "34,0,0,1,0,1,999;0");
    body(8, "97 02 0f 42 40 01 4f 70 75 73 fc", "34,0,0,1,0,1,0;0");
    body(8, "97 02 ff ff ff 01 4f 70 75 73 fc", "34,0,0,1,0,1,0;0");
    body(8, "97 02 01 e2 40 05 11 4f 70 75 73 00 00 00 01 fc 01 00 00 01 fc",
         "34,0,0,1,0,1,123;34,0,0,3,0,1,123;0");
    body(9, "97 02 01 e2", "ERROR0");
    body(9, "97 ff 00", "ERROR0");
    body(9, "97 ff 00 02 01 e2 40 03 68 76 63 31 00", "2,1,0,0,0,1,123;0");

    /* OneTrack */

    body(9, "96 01 68 76 63 31 02 00 00 14 aa", "2,1,20000,4,0,1,0;0");
    body(8, "95 01 4f 70 75 73 03 fc", "34,0,0,7,0,1,0;0");
    body(8, "95 01 4f 70 75 73 07 fc", "1");
    body(9, "96 00 61 76 30 31 06 0a", "4,2,0,12,0,1,0;0");
    body(9, "96 00 61 76 30 31 07 0a", "1");
    body(9, "96 00 61 76 30 31 ff 0a", "1");
    body(9, "96 00 61 76 30 31 08 0a", "1");

    /* ManyTracks */

    body(9, "a6 13 61 76 63 31 00 00 00 02 aa bb 01 00 00 01 cc",
         "1,0,0,0,0,2,0;1,0,0,2,0,1,0;0");
    body(9, "a6 13 61 76 63 31 00 00 00 00 01 00 00 01 cc",
         "1,0,0,2,0,1,0;1");
    body(9, "a6 13 61 76 63 31 00 00 00 02 aa", "ERROR0");
    body(9, "a6 13 61 76 63 31 00 00 00 01 aa 01", "1,0,0,0,0,1,0;ERROR0");

    /* ManyTracksManyCodecs */

    body(8, "95 21 4f 70 75 73 00 00 00 01 fc 78 78 78 78 01 00 00 01 00"
         "6d 70 34 61 02 00 00 02 de ad",
         "34,0,0,1,0,1,0;32,0,0,5,0,2,0;1");
    body(9, "96 20 68 76 63 31 00 00 00 01 01 61 76 30 31 01 00 00 01 81",
         "2,2,0,0,0,1,0;4,2,0,2,0,1,0;0");
    body(9, "96 21 68 76 63 31 00 00 00 02 00 00", "ERROR0");

    body(9, "96 36 68 76 63 31 00", "1");
    body(9, "96 06 68 76 63 31 00 00", "1");
    body(9, "96", "ERROR0");
    body(9, "96 01 68 76 63 31", "ERROR0");
}


static int
ngx_media_flv_test_trip(ngx_media_frame_t *f, unsigned mode, const char *hex)
{
    int                   n, rc;
    u_char                b[64];
    ngx_media_frame_t     got, more;
    ngx_media_flv_body_t  it;

    n = ngx_media_flv_body_write(b, f, mode);

    if (n < 0 || n > NGX_MEDIA_FLV_MAX_BODY_HEADER) {
        return 0;
    }

    if (hex && ((size_t) n != bytes(hex) || memcmp(b, buf, (size_t) n) != 0)) {
        return 0;
    }

    if (f->size) {
        memcpy(b + n, f->data, f->size);
    }

    ngx_media_flv_body_init(&it, ngx_media_flv_type(f->codec), b,
                            b + n + f->size);

    rc = ngx_media_flv_body_next(&it, &got);

    return rc == NGX_MEDIA_OK && got.codec == f->codec
           && got.flags == f->flags && got.cts == f->cts
           && got.track == f->track && got.aux == f->aux
           && got.size == f->size
           && memcmp(got.data, f->data, f->size) == 0
           && ngx_media_flv_body_next(&it, &more) == NGX_MEDIA_DONE;
}


/* What a body of that codec on that track hands out beside the payload. */

static int
ngx_media_flv_test_frame(ngx_media_frame_t *f, unsigned codec,
    unsigned flags, unsigned track)
{
    int  audio, plain;

    static const int32_t  times[] = { 0, 40000, -40000, 2000000 };

    memset(f, 0, sizeof(ngx_media_frame_t));

    f->codec = (uint8_t) codec;
    f->flags = (uint16_t) flags;
    f->track = (uint8_t) track;
    f->data = (u_char *) "\x01\x02\x03";
    f->size = (flags & NGX_MEDIA_FRAME_EOS) ? 0 : 3;

    audio = ngx_media_codec_is_audio(codec);
    plain = (flags & (uint16_t) ~NGX_MEDIA_FRAME_KEY) == 0;

    if (audio && (flags & (NGX_MEDIA_FRAME_KEY|NGX_MEDIA_FRAME_DISPOSABLE))) {
        return 0;
    }

    if (codec == NGX_MEDIA_CODEC_OTHER_VIDEO
        || codec == NGX_MEDIA_CODEC_OTHER_AUDIO)
    {
        f->aux = audio ? 0xb2 : flags ? 0x12 : 0x22;
        return plain && track < 2;
    }

    if (flags & NGX_MEDIA_FRAME_EXTRA) {
        f->aux = NGX_MEDIA_FLV_PKT_METADATA;
        f->flags |= NGX_MEDIA_FRAME_STICKY;
        return 1;
    }

    if (codec <= NGX_MEDIA_CODEC_VVC && plain) {
        f->cts = times[track / 2 % 4];
    }

    if (track == 1 && codec == NGX_MEDIA_CODEC_AAC
        && !(flags & NGX_MEDIA_FRAME_EOS))
    {
        f->aux = 0xaf;
    }

    if (track == 1 && codec == NGX_MEDIA_CODEC_MP3 && plain) {
        f->aux = 0x2f;
    }

    return 1;
}


static void
ngx_media_flv_test_trips(void)
{
    size_t             i, j;
    unsigned           bad, all, track;
    ngx_media_frame_t  f;

    static const uint8_t   codecs[] = { 1, 2, 3, 4, 5, 6, 31,
                                        32, 33, 34, 35, 36, 37, 63 };
    static const uint16_t  kinds[] = { 0, 1, 2, 8, 0x10, 0x100, 0x101 };

    bad = 0;
    all = 0;

    for (i = 0; i < sizeof(codecs); i++) {
        for (j = 0; j < sizeof(kinds) / sizeof(uint16_t); j++) {
            for (track = 0; track < NGX_MEDIA_TRACK_SCRIPT - 1; track++) {

                if (!ngx_media_flv_test_frame(&f, codecs[i], kinds[j], track))
                {
                    continue;
                }

                if ((track & 1) != ngx_media_codec_is_audio(codecs[i])) {
                    bad += ngx_media_flv_body_write(buf, &f, 0) != -1;
                    continue;
                }

                all++;

                if (!ngx_media_flv_test_trip(&f, 0, NULL)) {
                    bad++;
                    printf("# codec %d flags %x track %d\n", f.codec,
                           f.flags, f.track);
                }
            }
        }
    }

    ok(bad == 0 && all > 400, "%u frames there and back", all);
}


static void
ngx_media_flv_test_write(void)
{
    ngx_media_frame_t  f;

    memset(&f, 0, sizeof(f));
    f.data = (u_char *) "\x01";
    f.size = 1;
    f.codec = NGX_MEDIA_CODEC_HEVC;
    f.flags = NGX_MEDIA_FRAME_KEY|NGX_MEDIA_FRAME_LEGACY;
    f.cts = 33000;
    ok(ngx_media_flv_test_trip(&f, NGX_MEDIA_FLV_HEVC_LEGACY,
                               "1c 01 00 00 21"), "HEVC as codec id 12");
    f.flags = NGX_MEDIA_FRAME_KEY;
    ok(ngx_media_flv_test_trip(&f, 0, "91 68 76 63 31 00 00 21"),
       "HEVC enhanced");
    f.cts = 0;
    ok(ngx_media_flv_test_trip(&f, 0, "93 68 76 63 31"),
       "HEVC without cts as CodedFramesX");
    f.track = 4;
    f.cts = 1000;
    ok(ngx_media_flv_test_trip(&f, NGX_MEDIA_FLV_HEVC_LEGACY,
                               "96 01 68 76 63 31 02 00 00 01"),
       "another track");

    f.codec = NGX_MEDIA_CODEC_H264;
    f.track = 0;
    f.cts = 33400;
    ok(ngx_media_flv_body_write(buf, &f, 0) == 5
       && memcmp(buf, "\x17\x01\x00\x00\x21", 5) == 0, "cts rounded down");
    f.cts = -33500;
    ok(ngx_media_flv_body_write(buf, &f, 0) == 5
       && memcmp(buf, "\x17\x01\xff\xff\xde", 5) == 0,
       "cts rounded away from 0");

    f.flags = NGX_MEDIA_FRAME_KEY;
    f.cts = 33000;
    f.dts = 7123456;
    ok(ngx_media_flv_test_trip(&f, NGX_MEDIA_FLV_NANO,
                               "97 02 06 f5 40 01 61 76 63 31 00 00 21"),
       "456 us as ModEx");
    f.track = 2;
    ok(ngx_media_flv_test_trip(&f, NGX_MEDIA_FLV_NANO,
                               "97 02 06 f5 40 06 01 61 76 63 31 01 00 00 21"),
       "before a track");
    f.track = 0;
    f.dts = 7123000;
    ok(ngx_media_flv_test_trip(&f, NGX_MEDIA_FLV_NANO,
                               "91 61 76 63 31 00 00 21"), "whole ms: none");
    f.dts = 7123456;
    f.flags = NGX_MEDIA_FRAME_CONFIG;
    f.cts = 0;
    ok(ngx_media_flv_test_trip(&f, NGX_MEDIA_FLV_NANO, "90 61 76 63 31"),
       "a config: none");
    f.codec = NGX_MEDIA_CODEC_AAC;
    f.track = 1;
    f.flags = 0;
    ok(ngx_media_flv_test_trip(&f, NGX_MEDIA_FLV_NANO,
                               "97 02 06 f5 40 01 6d 70 34 61"), "AAC");
    ok(ngx_media_flv_body_write(buf, &f, 0) == 2
       && memcmp(buf, "\xaf\x01", 2) == 0, "AAC for those without ModEx");
    f.flags = NGX_MEDIA_FRAME_EXTRA|NGX_MEDIA_FRAME_STICKY;
    f.aux = NGX_MEDIA_FLV_PKT_CHANNELS;
    f.track = 3;
    ok(ngx_media_flv_test_trip(&f, 0, "95 04 6d 70 34 61 01"),
       "MultichannelConfig of another track");
    f.flags = 0;
    f.aux = 0;
    f.dts = 0;
    f.track = 0;

    f.codec = NGX_MEDIA_CODEC_SCRIPT;
    ok(ngx_media_flv_body_write(buf, &f, 0) == 0, "data has no header");
    f.codec = NGX_MEDIA_CODEC_NONE;
    ok(ngx_media_flv_body_write(buf, &f, 0) == -1, "nothing has no form");
    ok(ngx_media_flv_type(NGX_MEDIA_CODEC_SCRIPT) == 18
       && ngx_media_flv_type(NGX_MEDIA_CODEC_OPUS) == 8
       && ngx_media_flv_type(NGX_MEDIA_CODEC_OTHER_VIDEO) == 9
       && ngx_media_flv_type(7) == 0, "tag types");
}


int
main(void)
{
    ngx_media_flv_test_headers();
    ngx_media_flv_test_demux();
    ngx_media_flv_test_legacy();
    ngx_media_flv_test_enhanced();
    ngx_media_flv_test_tracks();
    ngx_media_flv_test_trips();
    ngx_media_flv_test_write();

    return done_testing();
}
