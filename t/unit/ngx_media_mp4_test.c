
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fragmented MP4: tracks and their boxes, the bytes of a chunk, the clock
 * over hours.
 */


#include "ngx_media_bytes.h"
#include "ngx_media_codec_string.h"
#include "ngx_media_mp4.h"
#include "ngx_media_rc.h"
#include "ngx_media_test.h"


#define HOURS(n)  ((int64_t) (n) * 3600 * 1000000)


/* x264 High, 322x182, 25 fps, bt709 */

static const char  test_avc[] =
    "01 64 00 0d ff e1 00 1e 67 64 00 0d ac d9 41 51 9e 22 6c 05 a8 08 08 0a"
    "00 00 03 00 02 00 00 03 00 64 1e 28 53 2c 01 00 06 68 eb e3 cb 22 c0 fd"
    "f8 f8 00";

/* x265 Main 10, 64x36, BT.2020 and PQ, SEI of content and display */

static const char  test_hdr[] =
    "01 02 20 00 00 00 90 00 00 00 00 00 1e f0 00 fc fd fa fa 00 00 0f 04 20"
    "00 01 00 18 40 01 0c 01 ff ff 02 20 00 00 03 00 90 00 00 03 00 00 03 00"
    "1e 95 94 09 21 00 01 00 2d 42 01 01 02 20 00 00 03 00 90 00 00 03 00 00"
    "03 00 1e a0 20 83 1f 3b 65 95 95 29 30 bc 05 a8 48 80 48 20 00 00 03 00"
    "20 00 00 03 03 21 22 00 01 00 06 44 01 c0 73 c0 89 27 00 02 00 09 4e 01"
    "90 04 03 e8 01 90 80 00 1e 4e 01 89 18 33 c2 86 c4 1d 4c 0b b8 84 d0 3e"
    "80 3d 13 40 42 00 98 96 80 00 00 03 00 01 80";

static const char  test_mdcv[] =
    "33 c2 86 c4 1d 4c 0b b8 84 d0 3e 80 3d 13 40 42 00 98 96 80 00 00 00 01";

static const char  test_av1[] =
    "81 00 0c 00 0a 0a 00 00 00 02 af f7 9b 5f 20 08";


static u_char  test_config[512];
static u_char  test_frame[512];
static u_char  test_out[8192];


static int
test_track(ngx_media_mp4_track_t *t, uint8_t codec, const char *config,
    const char *frame)
{
    size_t  c, f;

    c = ngx_media_test_hex(config, test_config, sizeof(test_config));
    f = ngx_media_test_hex(frame, test_frame, sizeof(test_frame));

    return ngx_media_mp4_track(t, 1, codec, test_config, test_config + c,
                               test_frame, test_frame + f);
}


/* Where the body of the first box of a type begins, NULL: nowhere. */

static u_char *
test_find(const char *type, u_char *p, size_t n)
{
    size_t  i;

    for (i = 4; i + 4 <= n; i++) {
        if (memcmp(p + i, type, 4) == 0) {
            return p + i + 4;
        }
    }

    return NULL;
}


static int
test_has(ngx_media_mp4_track_t *t, const char *type, const char *body)
{
    u_char   want[256], *p;
    size_t   n;
    ssize_t  size;

    size = ngx_media_mp4_init(t, 1, test_out, sizeof(test_out));

    if (size < 0) {
        return 0;
    }

    p = test_find(type, test_out, (size_t) size);
    n = ngx_media_test_hex(body, want, sizeof(want));

    return p && ngx_media_get_be32(p - 8) == n + 8
           && memcmp(p, want, n) == 0;
}


static int
test_name(ngx_media_mp4_track_t *t, const char *want)
{
    u_char  name[NGX_MEDIA_CODEC_STRING_MAX];

    if (ngx_media_codec_string(&t->info, t->config, t->config_end,
                               NGX_MEDIA_CODEC_STRING_HLS, name, sizeof(name))
        != (ssize_t) strlen(want))
    {
        return 0;
    }

    return strcmp((char *) name, want) == 0;
}


static void
test_video(void)
{
    u_char                 name[64], *p;
    size_t                 i, n;
    ssize_t                size;
    ngx_media_mp4_track_t  t;

    ok(test_track(&t, NGX_MEDIA_CODEC_H264, test_avc, "") == NGX_MEDIA_OK,
       "H.264");
    ok(t.timescale == 90000 && t.info.width == 322 && t.info.height == 182,
       "its size and scale");
    ok(test_has(&t, "avcC", test_avc), "avcC is the config");
    ok(test_has(&t, "colr", "6e 63 6c 78 00 01 00 01 00 01 00"), "colr");
    ok(test_name(&t, "avc1.64000d"), "its name");

    size = ngx_media_mp4_init(&t, 1, NULL, 0);
    ok(size == ngx_media_mp4_init(&t, 1, test_out, sizeof(test_out)),
       "the size is told before");

    p = malloc((size_t) size);
    n = 0;

    for (i = 0; i < (size_t) size; i++) {
        if (ngx_media_mp4_init(&t, 1, p, i) != NGX_MEDIA_ERROR) {
            n++;
        }
    }

    ok(n == 0 && ngx_media_mp4_init(&t, 1, p, (size_t) size) == size,
       "no byte less");
    is_mem(p, size, test_out, size, "and the same bytes");
    free(p);

    ok(ngx_media_mp4_init(&t, 0, NULL, 0) == NGX_MEDIA_ERROR
       && ngx_media_mp4_init(&t, 17, NULL, 0) == NGX_MEDIA_ERROR,
       "numbers of tracks");

    t.sar_width = 4;
    t.sar_height = 3;
    ok(test_has(&t, "pasp", "00 00 00 04 00 00 00 03"), "pasp");
    p = test_find("tkhd", test_out, sizeof(test_out));
    ok(p && ngx_media_get_be32(p + 76) == 429 * 65536 + 21845
       && ngx_media_get_be32(p + 80) == 182 * 65536, "the displayed size");

    ok(test_track(&t, NGX_MEDIA_CODEC_H264, "01 64 00 0d ff e0 00", "")
       == NGX_MEDIA_AGAIN, "H.264 without sets");
    ok(test_track(&t, NGX_MEDIA_CODEC_H264, "01 64 00 0d ff e0 00",
                  "00 00 00 1e 67 64 00 0d ac d9 41 51 9e 22 6c 05 a8 08 08"
                  "0a 00 00 03 00 02 00 00 03 00 64 1e 28 53 2c")
       == NGX_MEDIA_OK && t.info.width == 322, "they come in band");
    ok(test_name(&t, "avc3.64000d"), "avc3: %s",
       test_find("avc3", test_out, (size_t) ngx_media_mp4_init(&t, 1,
                            test_out, sizeof(test_out))) ? "too" : "no entry");

    ok(test_track(&t, NGX_MEDIA_CODEC_H264, "01 64", "") == NGX_MEDIA_DECLINED,
       "a damaged config");
    ok(test_track(&t, NGX_MEDIA_CODEC_H264, "", "") == NGX_MEDIA_AGAIN,
       "no config");

    ok(test_track(&t, NGX_MEDIA_CODEC_VVC,
                  "ff 00 11 5f 01 02 33 00 00 07 80 04 38 19 00 00", "")
       == NGX_MEDIA_OK && test_name(&t, "vvc1.1.L51"), "H.266");
    ok(test_has(&t, "vvcC", "00 00 00 00"
                "ff 00 11 5f 01 02 33 00 00 07 80 04 38 19 00 00"), "vvcC");

    ok(test_track(&t, NGX_MEDIA_CODEC_AV1, test_av1, "") == NGX_MEDIA_OK
       && test_has(&t, "av1C", test_av1), "AV1");
    ok(test_name(&t, "av01.0.00M.08"), "AV1: its name");
    ok(test_track(&t, NGX_MEDIA_CODEC_AV1, "81 00 0c 00", "")
       == NGX_MEDIA_AGAIN, "AV1 of unknown size");
    ok(test_track(&t, NGX_MEDIA_CODEC_AV1, "81 00 0c 00",
                  "0a 0a 00 00 00 02 af f7 9b 5f 20 08") == NGX_MEDIA_OK
       && t.info.width, "which the keyframe tells");

    ok(test_track(&t, NGX_MEDIA_CODEC_VP9, "", "82 49 83 42 00 13 f0 0b 30")
       == NGX_MEDIA_OK && t.info.width == 320 && t.info.height == 180,
       "VP9: %ux%u", t.info.width, t.info.height);
    ok(test_has(&t, "vpcC", "01 00 00 00 00 0b 82 02 02 02 00 00"), "vpcC");
    ok(test_name(&t, "vp09.00.11.08"), "VP9: its name");
    ok(test_track(&t, NGX_MEDIA_CODEC_VP9,
                  "01 00 00 00 02 1f a2 09 10 09 00 00",
                  "82 49 83 42 00 13 f0 0b 30") == NGX_MEDIA_OK
       && test_name(&t, "vp09.02.31.10.01.09.16.09.00"), "VP9: HDR");

    ngx_media_codec_string(&t.info, t.config, t.config_end,
                           NGX_MEDIA_CODEC_STRING_MP4, name, sizeof(name));
    n = 0;

    for (i = 0; i <= strlen((char *) name); i++) {
        p = malloc(i + 1);
        n += ngx_media_codec_string(&t.info, t.config, t.config_end,
                                    NGX_MEDIA_CODEC_STRING_MP4, p, i)
             != NGX_MEDIA_ERROR;
        free(p);
    }

    ok(n == 0, "no name in less room");

    ok(test_track(&t, NGX_MEDIA_CODEC_OTHER_VIDEO, "", "") ==
       NGX_MEDIA_DECLINED, "other video");
    ok(test_track(&t, NGX_MEDIA_CODEC_SCRIPT, "", "") == NGX_MEDIA_DECLINED,
       "data");
}


static void
test_hdr_metadata(void)
{
    u_char                 want[24];
    ngx_media_hdr_t        hdr;
    ngx_media_mp4_track_t  t;

    ok(test_track(&t, NGX_MEDIA_CODEC_HEVC, test_hdr, "") == NGX_MEDIA_OK,
       "HEVC, HDR");
    ok(test_has(&t, "colr", "6e 63 6c 78 00 09 00 10 00 09 00"),
       "BT.2020, PQ");
    ok(test_has(&t, "mdcv", test_mdcv), "mdcv");
    ok(test_has(&t, "clli", "03 e8 01 90"), "clli");
    ok(test_name(&t, "hvc1.2.4.L30.90"), "its name");

    /* AV1: the same display, as metadata OBUs */

    memset(&hdr, 0, sizeof(ngx_media_hdr_t));
    (void) ngx_media_test_hex(test_mdcv, want, sizeof(want));
    (void) ngx_media_test_hex("2a 1a 02 ae 14 51 ec 43 d7 b0 a4 26 66 0f 5c"
                              "50 0d 54 39 00 03 e8 00 00 00 00 02 80"
                              "2a 06 01 03 e8 01 90 80", test_frame,
                              sizeof(test_frame));
    ngx_media_hdr_frame(&hdr, NGX_MEDIA_CODEC_AV1, 0, test_frame,
                        test_frame + 36);

    ok(hdr.has_mdcv && hdr.has_clli, "AV1: both");
    ok(ngx_media_get_be16(hdr.mdcv) == 13250
       && ngx_media_get_be16(hdr.mdcv + 2) == 34500
       && ngx_media_get_be16(hdr.mdcv + 8) == 34000
       && ngx_media_get_be16(hdr.mdcv + 12) == 15635
       && ngx_media_get_be32(hdr.mdcv + 16) == 10000000
       && ngx_media_get_be32(hdr.mdcv + 20) == 1, "AV1: the order and units");
    is_mem(hdr.clli, 4, "\x03\xe8\x01\x90", 4, "AV1: clli");

    /* H.264: behind another message, long type and size */

    memset(&hdr, 0, sizeof(ngx_media_hdr_t));
    (void) ngx_media_test_hex("00 00 00 0f 06 ff 01 02 aa bb 90 04 01 02 03"
                              "04 05 00 80", test_frame, sizeof(test_frame));
    ngx_media_hdr_frame(&hdr, NGX_MEDIA_CODEC_H264, 4, test_frame,
                        test_frame + 19);
    ok(hdr.has_clli && memcmp(hdr.clli, "\1\2\3\4", 4) == 0, "H.264: clli");

    memset(&hdr, 0, sizeof(ngx_media_hdr_t));
    ngx_media_hdr_frame(&hdr, NGX_MEDIA_CODEC_H264, 4, test_frame,
                        test_frame + 13);
    ok(!hdr.has_clli && !hdr.has_mdcv, "H.264: cut off");
}


static void
test_audio(void)
{
    ngx_media_mp4_track_t  t;

    ok(test_track(&t, NGX_MEDIA_CODEC_AAC, "12 10", "") == NGX_MEDIA_OK
       && t.timescale == 44100 && t.frame == 1024, "AAC");
    ok(test_has(&t, "esds", "00 00 00 00 03 80 80 80 22 00 00 00"
                "04 80 80 80 14 40 15 00 00 00 00 00 00 00 00 00 00 00"
                "05 80 80 80 02 12 10 06 80 80 80 01 02"), "esds");
    ok(test_name(&t, "mp4a.40.2"), "AAC: its name");

    t.bitrate = 128000;
    ok(test_has(&t, "btrt", "00 00 00 00 00 01 f4 00 00 01 f4 00"), "btrt");

    ok(test_track(&t, NGX_MEDIA_CODEC_AAC, "13 90 56 e5 a0", "")
       == NGX_MEDIA_OK && t.timescale == 44100 && t.frame == 2048
       && test_name(&t, "mp4a.40.5"), "HE-AAC");
    ok(test_track(&t, NGX_MEDIA_CODEC_AAC, "", "21") == NGX_MEDIA_AGAIN,
       "AAC without a config");

    ok(test_track(&t, NGX_MEDIA_CODEC_MP3, "", "ff fb 90 64") == NGX_MEDIA_OK
       && t.timescale == 44100 && t.frame == 1152, "MP3");
    ok(test_has(&t, "esds", "00 00 00 00 03 80 80 80 1b 00 00 00"
                "04 80 80 80 0d 6b 15 00 00 00 00 00 00 00 00 00 00 00"
                "06 80 80 80 01 02"), "MP3: esds");
    ok(test_name(&t, "mp4a.40.34"), "MP3: its name");
    ok(test_track(&t, NGX_MEDIA_CODEC_MP3, "", "21 22 23 24")
       == NGX_MEDIA_AGAIN, "no MP3");

    ok(test_track(&t, NGX_MEDIA_CODEC_OPUS,
                  "4f 70 75 73 48 65 61 64 01 02 38 01 80 bb 00 00 01 02 00",
                  "") == NGX_MEDIA_OK
       && test_has(&t, "dOps", "00 02 01 38 00 00 bb 80 02 01 00"), "Opus");
    ok(test_track(&t, NGX_MEDIA_CODEC_OPUS,
                  "4f 70 75 73 48 65 61 64 01 04 38 01 80 bb 00 00 00 00 01"
                  "02 02 00 01 02 03", "") == NGX_MEDIA_OK
       && test_has(&t, "dOps", "00 04 01 38 00 00 bb 80 00 00 01"
                   "02 02 00 01 02 03"), "Opus: four channels");
    ok(test_track(&t, NGX_MEDIA_CODEC_OPUS, "", "fc ff fe") == NGX_MEDIA_OK
       && test_has(&t, "dOps", "00 02 00 00 00 00 bb 80 00 00 00")
       && test_name(&t, "opus"), "Opus without a config");

    /* 192 kbit/s, 48 kHz, stereo */

    ok(test_track(&t, NGX_MEDIA_CODEC_AC3, "", "0b 77 00 00 14 40 43 e1")
       == NGX_MEDIA_OK && test_has(&t, "dac3", "10 11 40")
       && test_name(&t, "ac-3") && t.frame == 1536, "AC-3");

    /* 768 bytes of six blocks at 48 kHz: 192 kbit/s, 3/2 and LFE */

    ok(test_track(&t, NGX_MEDIA_CODEC_EAC3, "", "0b 77 01 7f 3f 86 ff e1")
       == NGX_MEDIA_OK && test_has(&t, "dec3", "06 00 20 0f 00")
       && test_name(&t, "ec-3") && t.info.channels == 6, "E-AC-3");

    ok(test_track(&t, NGX_MEDIA_CODEC_FLAC,
                  "66 4c 61 43 00 00 00 22 10 00 10 00 00 00 0e 00 2b 1c 0a c4"
                  "42 f0 00 00 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e"
                  "0f 10 84 00 00 04 00 00 00 00", "") == NGX_MEDIA_OK
       && t.timescale == 44100 && t.frame == 4096, "FLAC");
    ok(test_has(&t, "dfLa", "00 00 00 00 80 00 00 22"
                "10 00 10 00 00 00 0e 00 2b 1c 0a c4 42 f0 00 00 00 00 01 02"
                "03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10"), "STREAMINFO");
    ok(test_name(&t, "fLaC"), "FLAC: its name");
}


static void
test_chunk(void)
{
    u_char                  want[512], out[512];
    size_t                  n;
    ngx_media_mp4_run_t     runs[2];
    ngx_media_mp4_chunk_t   c;
    ngx_media_mp4_sample_t  s[3];

    memset(&c, 0, sizeof(ngx_media_mp4_chunk_t));
    memset(s, 0, sizeof(s));
    memset(runs, 0, sizeof(runs));

    c.runs = runs;
    c.nruns = 1;
    c.sequence = 7;

    runs[0].id = 1;
    runs[0].samples = s;
    runs[0].nsamples = 2;
    runs[0].end = 9000;

    s[0].dts = 3000;
    s[0].size = 100;
    s[0].flags = NGX_MEDIA_MP4_KEY;
    s[1].dts = 6000;
    s[1].size = 50;

    n = ngx_media_test_hex(
            "00 00 00 6c 6d 6f 6f 66  00 00 00 10 6d 66 68 64 00 00 00 00"
            "00 00 00 07  00 00 00 54 74 72 61 66"
            "00 00 00 18 74 66 68 64 00 02 00 28 00 00 00 01 00 00 0b b8"
            "01 01 00 00"
            "00 00 00 14 74 66 64 74 01 00 00 00 00 00 00 00 00 00 0b b8"
            "00 00 00 20 74 72 75 6e 01 00 02 05 00 00 00 02 00 00 00 74"
            "02 00 00 00 00 00 00 64 00 00 00 32"
            "00 00 00 9e 6d 64 61 74", want, sizeof(want));

    ok(ngx_media_mp4_chunk(&c, NULL, 0) == (ssize_t) n, "size of a chunk");
    is_mem(out, ngx_media_mp4_chunk(&c, out, n), want, n, "a chunk");
    ok(ngx_media_mp4_chunk(&c, out, n - 1) == NGX_MEDIA_ERROR, "no room");
    ok(ngx_media_mp4_chunk_data(&c) == 150, "its payload");

    /* two tracks, all that differs, a negative offset, styp and prft */

    s[2].dts = 6000;
    s[2].size = 9;
    s[2].flags = NGX_MEDIA_MP4_KEY;
    s[1].flags = NGX_MEDIA_MP4_DISPOSABLE;
    s[1].cts = -3000;
    s[0].dts = 2999;
    runs[1].id = 2;
    runs[1].samples = &s[2];
    runs[1].nsamples = 1;
    runs[1].end = 7024;
    c.nruns = 2;
    c.styp = NGX_MEDIA_MP4_STYP_CHUNK;
    c.utc = 1500000;

    n = ngx_media_test_hex(
            "00 00 00 14 73 74 79 70 6d 73 64 68 00 00 00 00 63 6d 66 6c"
            "00 00 00 20 70 72 66 74 01 00 00 18 00 00 00 01 83 aa 7e 81"
            "80 00 00 00 00 00 00 00 00 00 0b b7"
            "00 00 00 c4 6d 6f 6f 66  00 00 00 10 6d 66 68 64 00 00 00 00"
            "00 00 00 07  00 00 00 60 74 72 61 66"
            "00 00 00 14 74 66 68 64 00 02 00 20 00 00 00 01 01 81 00 00"
            "00 00 00 14 74 66 64 74 01 00 00 00 00 00 00 00 00 00 0b b7"
            "00 00 00 30 74 72 75 6e 01 00 0b 05 00 00 00 02 00 00 00 cc"
            "02 00 00 00"
            "00 00 0b b9 00 00 00 64 00 00 00 00"
            "00 00 0b b8 00 00 00 32 ff ff f4 48"
            "00 00 00 4c 74 72 61 66"
            "00 00 00 1c 74 66 68 64 00 02 00 38 00 00 00 02 00 00 04 00"
            "00 00 00 09 02 00 00 00"
            "00 00 00 14 74 66 64 74 01 00 00 00 00 00 00 00 00 00 17 70"
            "00 00 00 14 74 72 75 6e 01 00 00 01 00 00 00 01 00 00 01 62"
            "00 00 00 a7 6d 64 61 74", want, sizeof(want));

    is_mem(out, ngx_media_mp4_chunk(&c, out, sizeof(out)), want, n,
           "a chunk of two tracks");

    runs[1].end = 5999;
    ok(ngx_media_mp4_chunk(&c, NULL, 0) == NGX_MEDIA_ERROR, "an end before");
    runs[1].end = 7024;
    s[0].dts = 6001;
    ok(ngx_media_mp4_chunk(&c, NULL, 0) == NGX_MEDIA_ERROR, "dts goes back");
    s[0].dts = 3000;
    s[0].size = 0x7fffffff;
    ok(ngx_media_mp4_chunk(&c, NULL, 0) == NGX_MEDIA_ERROR, "too large");
    runs[1].nsamples = 0;
    ok(ngx_media_mp4_chunk(&c, NULL, 0) == NGX_MEDIA_ERROR, "an empty run");
    c.nruns = 0;
    ok(ngx_media_mp4_chunk(&c, NULL, 0) == NGX_MEDIA_ERROR, "no run");
}


/* ms-quantised times of the frame n, of frames of num/den seconds */

static int64_t
test_ms(int64_t n, int64_t num, int64_t den)
{
    return (n * num * 1000 / den) * 1000;
}


static void
test_audio_clock(uint32_t rate)
{
    int                     rc;
    int64_t                 n, worst, d;
    uint64_t                next;
    unsigned                holes;
    ngx_media_frame_t       f;
    ngx_media_mp4_clock_t   c;
    ngx_media_mp4_track_t   t;
    ngx_media_mp4_sample_t  s;

    memset(&f, 0, sizeof(ngx_media_frame_t));
    memset(&t, 0, sizeof(ngx_media_mp4_track_t));
    t.codec = NGX_MEDIA_CODEC_AAC;
    t.timescale = rate;
    t.frame = 1024;
    f.codec = NGX_MEDIA_CODEC_AAC;
    f.size = 10;

    ngx_media_mp4_clock_init(&c, &t);
    next = 0;
    holes = 0;
    worst = 0;

    for (n = 0; n * 1024 / rate < 36000; n++) {
        f.dts = test_ms(n, 1024, rate) + 1000000;
        rc = ngx_media_mp4_clock_frame(&c, &f, &s);

        if (rc != NGX_MEDIA_OK || (n && s.dts != next)) {
            holes++;
        }

        if (n % 13 == 0 && ngx_media_mp4_clock_end(&c) != s.dts + 1024) {
            holes++;
        }

        d = ngx_media_mp4_us(s.dts, rate) - f.dts;
        d = d < 0 ? -d : d;
        worst = d > worst ? d : worst;
        next = s.dts + 1024;
    }

    ok(holes == 0 && c.gaps == 0, "%u Hz: no hole in 10 hours", rate);
    ok(worst <= 1020, "%u Hz: %d us from the source at most", rate,
       (int) worst);
    ok(s.dts == rate + (uint64_t) (n - 1) * 1024, "%u Hz: to the sample",
       rate);

    /* a second is missing: one gap, then as before */

    holes = 0;

    for ( /* void */ ; n * 1024 / rate < 36100; n++) {
        f.dts = test_ms(n, 1024, rate) + 2000000;
        rc = ngx_media_mp4_clock_frame(&c, &f, &s);

        if (rc == NGX_MEDIA_MP4_GAP) {
            holes++;
        }
    }

    d = ngx_media_mp4_us(s.dts, rate) - f.dts;
    ok(holes == 1 && c.gaps == 1, "%u Hz: one gap", rate);
    ok(d < 1001 && d > -1001, "%u Hz: and right by %d us", rate, (int) d);
}


static void
test_audio_odd(void)
{
    int                     rc;
    int64_t                 n, d, worst;
    unsigned                gaps, declined, holes;
    uint64_t                next;
    ngx_media_frame_t       f;
    ngx_media_mp4_clock_t   c;
    ngx_media_mp4_track_t   t;
    ngx_media_mp4_sample_t  s;

    memset(&f, 0, sizeof(ngx_media_frame_t));
    memset(&t, 0, sizeof(ngx_media_mp4_track_t));
    t.codec = NGX_MEDIA_CODEC_AAC;
    t.timescale = 48000;
    t.frame = 1024;
    f.size = 10;

    /* two frames at a time with one stamp */

    ngx_media_mp4_clock_init(&c, &t);
    gaps = 0;

    for (n = 0; n < 20000; n++) {
        f.dts = test_ms(n & ~1LL, 1024, 48000);
        gaps += ngx_media_mp4_clock_frame(&c, &f, &s) != NGX_MEDIA_OK;
    }

    ok(gaps == 0, "pairs of frames are a row");

    /* frames are lost, two of them, one by one: that is set right */

    ngx_media_mp4_clock_init(&c, &t);
    gaps = 0;

    for (n = 0; n < 2000; n++) {
        if (n == 100 || n == 500) {
            continue;
        }

        f.dts = test_ms(n, 1024, 48000);
        gaps += ngx_media_mp4_clock_frame(&c, &f, &s) == NGX_MEDIA_MP4_GAP;
    }

    d = ngx_media_mp4_us(s.dts, 48000) - f.dts;
    ok(gaps == 2 && d < 1001 && d > -1001, "lost frames: %u gaps, %d us", gaps,
       (int) d);

    /* a sender that is 1/5000 too fast, and one too slow, for two hours */

    for (holes = 0; holes < 2; holes++) {
        ngx_media_mp4_clock_init(&c, &t);
        gaps = 0;
        declined = 0;
        worst = 0;
        next = 0;

        for (n = 0; n * 1024 / 48000 < 7200; n++) {
            f.dts = test_ms(n, 1024, holes ? 47990 : 48010);
            rc = ngx_media_mp4_clock_frame(&c, &f, &s);

            if (rc == NGX_MEDIA_DECLINED) {
                declined++;
                continue;
            }

            gaps += rc == NGX_MEDIA_MP4_GAP;

            if (rc == NGX_MEDIA_OK && next && s.dts != next) {
                break;
            }

            next = s.dts + 1024;
            d = ngx_media_mp4_us(s.dts, 48000) - f.dts;
            d = d < 0 ? -d : d;
            worst = d > worst ? d : worst;
        }

        ok(n * 1024 / 48000 == 7200 && worst < 14000,
           "drift: %u gaps, %u left out, %d us", gaps, declined, (int) worst);
        ok(holes ? gaps > 50 && !declined : declined > 50 && !gaps,
           "drift: in its direction");
    }

    /* leaps are for the caller */

    f.dts = 7200 * 1000000LL - 3000000;
    ok(ngx_media_mp4_clock_frame(&c, &f, &s) == NGX_MEDIA_ERROR, "back");
    f.dts = 9000 * 1000000LL;
    ok(ngx_media_mp4_clock_frame(&c, &f, &s) == NGX_MEDIA_ERROR, "far on");
    f.dts = -1;
    ok(ngx_media_mp4_clock_frame(&c, &f, &s) == NGX_MEDIA_ERROR, "below 0");
    f.dts = INT64_MAX;
    ok(ngx_media_mp4_clock_frame(&c, &f, &s) == NGX_MEDIA_ERROR, "beyond all");

    ngx_media_mp4_clock_init(&c, &t);
    c.offset = 10000000;
    f.dts = -1000000;
    ok(ngx_media_mp4_clock_frame(&c, &f, &s) == NGX_MEDIA_OK
       && s.dts == 9 * 48000, "an offset");
}


static void
test_packets(void)
{
    u_char                  data[16];
    ngx_media_frame_t       f;
    ngx_media_mp4_clock_t   c;
    ngx_media_mp4_track_t   t;
    ngx_media_mp4_sample_t  s;

    memset(&f, 0, sizeof(ngx_media_frame_t));
    memset(&t, 0, sizeof(ngx_media_mp4_track_t));
    t.timescale = 48000;
    f.data = data;

    /* Opus: packets of 20, 60 and 2.5 ms */

    t.codec = NGX_MEDIA_CODEC_OPUS;
    ngx_media_mp4_clock_init(&c, &t);
    f.size = 2;
    data[1] = 0;

    data[0] = 0xfc;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(ngx_media_mp4_clock_end(&c) == 960, "Opus: 20 ms");
    f.dts = 20000;
    data[0] = 0x1c;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(s.dts == 960 && ngx_media_mp4_clock_end(&c) == 960 + 2880,
       "Opus: 60 ms");
    f.dts = 80000;
    data[0] = 0xe4;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(s.dts == 3840 && ngx_media_mp4_clock_end(&c) == 3960, "Opus: 2.5 ms");

    /* FLAC: a block size in the header of the frame */

    t.codec = NGX_MEDIA_CODEC_FLAC;
    ngx_media_mp4_clock_init(&c, &t);
    f.size = 8;
    f.dts = 0;
    memcpy(data, "\xff\xf8\xca\x18\x00\x01\x02\x03", 8);
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(ngx_media_mp4_clock_end(&c) == 4096, "FLAC: 4096");
    memcpy(data, "\xff\xf8\x7a\x18\xc3\xa9\x0f\xff", 8);
    f.dts = 85333;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(ngx_media_mp4_clock_end(&c) == 8192, "FLAC: 16 bits behind a number");
    memcpy(data, "\xff\xf8\x6a\x18\x05\xbf\x00\x00", 8);
    f.dts = 170666;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(ngx_media_mp4_clock_end(&c) == 8192 + 192, "FLAC: 8 bits");
}


/* 29.97 fps in ms for 10 hours, chunks of 9 frames with predicted ends. */

static void
test_video_clock(int promise)
{
    int64_t                 n, d, worst, worst_pts;
    unsigned                holes;
    uint64_t                end, sum;
    ngx_media_frame_t       f;
    ngx_media_mp4_clock_t   c;
    ngx_media_mp4_track_t   t;
    ngx_media_mp4_sample_t  s, before;

    memset(&f, 0, sizeof(ngx_media_frame_t));
    memset(&t, 0, sizeof(ngx_media_mp4_track_t));
    memset(&before, 0, sizeof(ngx_media_mp4_sample_t));
    t.codec = NGX_MEDIA_CODEC_H264;
    t.timescale = NGX_MEDIA_MP4_VIDEO_SCALE;
    f.size = 10;

    ngx_media_mp4_clock_init(&c, &t);
    end = 0;
    holes = 0;
    worst = 0;
    worst_pts = 0;
    sum = 0;

    for (n = 0; n * 1001 / 30000 < 36000; n++) {
        f.dts = test_ms(n, 1001, 30000);
        f.cts = (int32_t) (test_ms(n + n % 3, 1001, 30000) - f.dts);

        if (ngx_media_mp4_clock_frame(&c, &f, &s) != NGX_MEDIA_OK
            || (end && s.dts != end) || (n && s.dts <= before.dts))
        {
            holes++;
        }

        sum += s.dts - (n ? before.dts : 0);
        before = s;
        end = promise && n % 9 == 8 ? ngx_media_mp4_clock_end(&c) : 0;

        d = (int64_t) s.dts - f.dts * 9 / 100;
        d = d < 0 ? -d : d;
        worst = d > worst ? d : worst;

        d = (int64_t) s.dts + s.cts - (f.dts + f.cts) * 9 / 100;
        d = d < 0 ? -d : d;
        worst_pts = d > worst_pts ? d : worst_pts;
    }

    ok(holes == 0, "29.97 fps: no hole in 10 hours%s",
       promise ? ", promised" : "");
    ok(worst <= (promise ? 91 : 0), "dts %d ticks off at most", (int) worst);
    ok(worst_pts == 0, "pts exact");
    ok(sum == s.dts, "durations add up");
}


static void
test_video_odd(void)
{
    uint64_t                end;
    ngx_media_frame_t       f;
    ngx_media_mp4_clock_t   c;
    ngx_media_mp4_track_t   t;
    ngx_media_mp4_sample_t  s;

    memset(&f, 0, sizeof(ngx_media_frame_t));
    memset(&t, 0, sizeof(ngx_media_mp4_track_t));
    t.codec = NGX_MEDIA_CODEC_H264;
    t.timescale = NGX_MEDIA_MP4_VIDEO_SCALE;
    t.info.fps_num = 25;
    t.info.fps_den = 1;
    f.size = 10;
    f.flags = NGX_MEDIA_FRAME_KEY;

    ngx_media_mp4_clock_init(&c, &t);
    ok(ngx_media_mp4_clock_end(&c) == 0, "nothing yet");

    f.dts = 1000000;
    ok(ngx_media_mp4_clock_frame(&c, &f, &s) == NGX_MEDIA_OK
       && s.flags == NGX_MEDIA_MP4_KEY && s.size == 10, "a keyframe");
    ok(ngx_media_mp4_clock_end(&c) == 93600, "as long as the config says");
    ok(ngx_media_mp4_clock_end(&c) == 93600, "the same again");

    f.flags = NGX_MEDIA_FRAME_DISPOSABLE;
    f.dts = 1050000;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(s.dts == 93600 && s.dts + (uint64_t) s.cts == 94500
       && s.flags == NGX_MEDIA_MP4_DISPOSABLE, "later than promised");

    (void) ngx_media_mp4_clock_end(&c);
    f.dts = 1051000;
    f.cts = 5000;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(s.dts == 97200 && (int64_t) s.dts + s.cts == 95040,
       "sooner than promised: %d", s.cts);

    f.dts = 1060000;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(s.dts == 97201 && (int64_t) s.dts + s.cts == 95850, "dts goes on");

    f.dts = 1100000;
    f.cts = 0;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    ok(s.dts == 99000 && s.cts == 0, "and is the true one again");

    /* a pause of the picture does not foretell another */

    f.dts = 9000000;
    (void) ngx_media_mp4_clock_frame(&c, &f, &s);
    end = ngx_media_mp4_clock_end(&c);
    ok(end == 810000 + 3600, "after a pause: %d", (int) (end - 810000));

    f.dts = 12000000;
    ok(ngx_media_mp4_clock_frame(&c, &f, &s) == NGX_MEDIA_MP4_GAP
       && s.dts == 1080000, "a promise that cannot be kept");

    f.dts = 10000000;
    ok(ngx_media_mp4_clock_frame(&c, &f, &s) == NGX_MEDIA_ERROR, "back");
}


int
main(void)
{
    ok(ngx_media_mp4_ticks(33367, 90000) == 3003
       && ngx_media_mp4_us(3003, 90000) == 33367
       && ngx_media_mp4_ticks(HOURS(200000), 44100) == 31752000000000,
       "ticks");

    test_video();
    test_hdr_metadata();
    test_audio();
    test_chunk();

    test_audio_clock(44100);
    test_audio_clock(48000);
    test_audio_clock(22050);
    test_audio_odd();
    test_packets();

    test_video_clock(0);
    test_video_clock(1);
    test_video_odd();

    return done_testing();
}
