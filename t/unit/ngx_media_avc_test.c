
/*
 * Copyright (C) the nginx media suite authors
 *
 * H.264: decoder configurations of real encoders, NAL walks, Annex B,
 * access units.
 */


#include "ngx_media_avc.h"
#include "ngx_media_codec.h"
#include "ngx_media_test.h"


/* x264, High, 322x182, 25 fps, bt709, B frames */

static const char  ngx_media_avc_high[] =
    "01 64 00 0d ff e1 00 1e 67 64 00 0d ac d9 41 51 9e 22 6c 05 a8 08 08 0a"
    "00 00 03 00 02 00 00 03 00 64 1e 28 53 2c 01 00 06 68 eb e3 cb 22 c0 fd"
    "f8 f8 00";

/* x264, Constrained Baseline, 320x180, 30 fps */

static const char  ngx_media_avc_base[] =
    "01 42 c0 0d ff e1 00 19 67 42 c0 0d d9 01 41 9f 9f 01 10 00 00 03 00 10"
    "00 00 03 03 c0 f1 42 a4 80 01 00 05 68 cb 83 cb 20";

/* x264, High 4:2:2, 352x288, 10 bit, interlaced coding */

static const char  ngx_media_avc_422[] =
    "01 7a 00 15 ff e1 00 19 67 7a 00 15 b6 cd 94 16 12 d8 08 80 00 00 03 01"
    "00 00 03 00 19 0f 8a 14 cb 01 00 06 68 fb a3 cb 22 c0 fe fa fa 00";


static void
ngx_media_avc_test_configs(void)
{
    size_t                  n;
    u_char                  buf[128], out[128];
    ssize_t                 size;
    ngx_media_nal_t         sps, pps;
    ngx_media_avc_sps_t     info;
    ngx_media_avc_config_t  c;

    n = ngx_media_test_hex(ngx_media_avc_high, buf, sizeof(buf));

    ok(ngx_media_avc_config_parse(buf, buf + n, &c) == buf + n - 4,
       "config: up to the chroma extension");
    ok(c.profile == 100 && c.compat == 0 && c.level == 13 && c.nal_size == 4,
       "profile, level, prefix");
    ok(c.nsps == 1 && c.npps == 1, "one of each set");

    ok(ngx_media_nal_next_set(c.sps, c.sps_end, &sps) == c.sps_end
       && sps.size == 30, "SPS");
    ok(ngx_media_nal_next_set(c.pps, c.pps_end, &pps) == c.pps_end
       && pps.size == 6, "PPS");

    ok(ngx_media_avc_sps_parse(sps.data, sps.data + sps.size, &info) != NULL,
       "SPS parsed");
    ok(info.width == 322 && info.height == 182, "size %dx%d", info.width,
       info.height);
    ok(info.fps_num == 25 && info.fps_den == 1, "25 fps: %u/%u",
       info.fps_num, info.fps_den);
    ok(info.color_primaries == 1 && info.color_transfer == 1
       && info.color_matrix == 1 && info.color_full_range == 0, "bt709");
    ok(info.chroma == 1 && info.bit_depth == 8, "4:2:0, 8 bit");
    ok(info.bframes == 1 && info.max_reorder == 2, "B frames: %u",
       info.max_reorder);

    size = ngx_media_avc_config_write(&sps, &pps, 4, out, sizeof(out));
    is_mem(out, size, buf, n, "config written again");
    ok(ngx_media_avc_config_write(&sps, &pps, 4, out, 40) == -1,
       "no room for it");

    n = ngx_media_test_hex(ngx_media_avc_base, buf, sizeof(buf));

    ok(ngx_media_avc_config_parse(buf, buf + n, &c) == buf + n,
       "baseline: no extension");
    (void) ngx_media_nal_next_set(c.sps, c.sps_end, &sps);
    (void) ngx_media_nal_next_set(c.pps, c.pps_end, &pps);
    ok(ngx_media_avc_sps_parse(sps.data, sps.data + sps.size, &info) != NULL
       && info.width == 320 && info.height == 180, "320x180");
    ok(info.fps_num == 30 && info.fps_den == 1 && info.bframes == 0,
       "30 fps, no B frames");
    ok(info.color_primaries == 2, "colour not told");

    size = ngx_media_avc_config_write(&sps, &pps, 4, out, sizeof(out));
    is_mem(out, size, buf, n, "baseline config written again");

    n = ngx_media_test_hex(ngx_media_avc_422, buf, sizeof(buf));

    ok(ngx_media_avc_config_parse(buf, buf + n, &c) != NULL, "4:2:2");
    (void) ngx_media_nal_next_set(c.sps, c.sps_end, &sps);
    ok(ngx_media_avc_sps_parse(sps.data, sps.data + sps.size, &info) != NULL
       && info.width == 352 && info.height == 288, "352x288: %dx%d",
       info.width, info.height);
    ok(info.chroma == 2 && info.bit_depth == 10
       && info.bit_depth_chroma == 10, "4:2:2, 10 bit");
}


static void
ngx_media_avc_test_damage(void)
{
    int                     found;
    size_t                  i, n;
    u_char                  buf[128], *p;
    ngx_media_avc_sps_t     info;
    ngx_media_avc_config_t  c;

    n = ngx_media_test_hex(ngx_media_avc_high, buf, sizeof(buf));

    found = 0;

    for (i = 0; i < n - 4; i++) {
        p = ngx_media_test_dup(buf, i);
        found += ngx_media_avc_config_parse(p, p + i, &c) != NULL;
        free(p);
    }

    ok(found == 0, "every cut off config refused");

    found = 0;

    for (i = 0; i < 24; i++) {
        p = ngx_media_test_dup(buf + 8, i);
        found += ngx_media_avc_sps_parse(p, p + i, &info) != NULL;
        free(p);
    }

    ok(found == 0, "every cut off SPS refused");

    buf[0] = 2;
    ok(ngx_media_avc_config_parse(buf, buf + n, &c) == NULL, "version 2");
}


static void
ngx_media_avc_test_frames(void)
{
    size_t                 n;
    u_char                 buf[64];
    ngx_media_nal_t        nal;
    ngx_media_avc_frame_t  f;

    n = ngx_media_test_hex("00 00 00 02 09 f0 00 00 00 05 06 06 01 c4 80"
                           "00 00 00 05 41 9a 23 6c 42", buf, sizeof(buf));

    ok(ngx_media_avc_frame_parse(buf, buf + n, 4, &f) == buf + n,
       "access unit");
    ok(f.nals == 3 && !f.idr && f.recovery, "recovery point");
    ok(f.slice_type == NGX_MEDIA_AVC_SLICE_P && f.ref_idc == 2, "P slice");
    ok(f.recovery_frames == 0, "whole at once");
    ok(ngx_media_codec_start(NGX_MEDIA_CODEC_H264, 4, buf, buf + n)
       == NGX_MEDIA_START_GRADUAL, "which a P slice is not");

    /* x264, intra-refresh=1 */

    n = ngx_media_test_hex("00 00 00 06 06 06 02 13 10 80"
                           "00 00 00 05 41 9b 26 22 3f", buf, sizeof(buf));
    ok(ngx_media_avc_frame_parse(buf, buf + n, 4, &f) != NULL && f.recovery
       && f.recovery_frames == 8, "intra refresh");
    ok(ngx_media_codec_start(NGX_MEDIA_CODEC_H264, 4, buf, buf + n)
       == NGX_MEDIA_START_GRADUAL, "is a gradual start");
    ok(ngx_media_codec_start(NGX_MEDIA_CODEC_H264, 4, buf + 10, buf + n)
       == NGX_MEDIA_START_NONE, "other pictures are none");
    ok(ngx_media_codec_start(NGX_MEDIA_CODEC_H264, 0, buf, buf + n)
       == NGX_MEDIA_START_NONE, "nor is one without a prefix size");

    /* behind another message, an I slice with it */

    n = ngx_media_test_hex("00 00 00 09 06 05 02 aa bb 06 01 c4 80"
                           "00 00 00 05 61 88 84 00 33", buf, sizeof(buf));
    ok(ngx_media_codec_start(NGX_MEDIA_CODEC_H264, 4, buf, buf + n)
       == NGX_MEDIA_START_KEY, "open GOP");

    n = ngx_media_test_hex("00 00 00 04 06 06 01 00", buf, sizeof(buf));
    ok(ngx_media_avc_frame_parse(buf, buf + n, 4, &f) != NULL && !f.recovery,
       "a damaged message is none");

    n = ngx_media_test_hex("00 00 00 05 01 9e 62 6a 42", buf, sizeof(buf));
    ok(ngx_media_avc_frame_parse(buf, buf + n, 4, &f) != NULL
       && f.slice_type == NGX_MEDIA_AVC_SLICE_B && f.ref_idc == 0,
       "B slice nothing refers to");

    n = ngx_media_test_hex("00 02 67 64 00 02 68 eb 00 05 65 88 84 00 33",
                           buf, sizeof(buf));
    ok(ngx_media_avc_frame_parse(buf, buf + n, 2, &f) != NULL
       && f.idr && f.sps && f.pps
       && f.slice_type == NGX_MEDIA_AVC_SLICE_I, "IDR with sets");

    ok(ngx_media_avc_frame_parse(buf, buf + n - 1, 2, &f) == NULL && f.sps,
       "cut off: what came before is told");
    ok(ngx_media_avc_frame_parse(buf, buf, 4, &f) == buf && f.nals == 0,
       "empty");

    ok(ngx_media_nal_next(buf, buf + n, 5, &nal) == NULL
       && ngx_media_nal_next(buf, buf + n, 0, &nal) == NULL,
       "prefix sizes");
}


static void
ngx_media_avc_test_annexb(void)
{
    size_t           n;
    u_char           buf[600], out[64];
    const u_char    *p;
    ngx_media_nal_t  nal;

    n = ngx_media_test_hex("00 00 00 01 67 64 00 00 00 01 68 eb 00 00 01"
                           "00 00 01 65 88 00", buf, sizeof(buf));

    p = ngx_media_nal_next_annexb(buf, buf + n, &nal);
    ok(p && nal.size == 2 && nal.data[0] == 0x67, "first NAL, trailing zero");
    p = ngx_media_nal_next_annexb(p, buf + n, &nal);
    ok(p && nal.size == 2 && nal.data[0] == 0x68, "second");
    p = ngx_media_nal_next_annexb(p, buf + n, &nal);
    ok(p == buf + n && nal.size == 2 && nal.data[0] == 0x65,
       "third, an empty one left out");
    ok(ngx_media_nal_next_annexb(p, buf + n, &nal) == NULL, "no more");

    ok(ngx_media_nal_is_annexb(buf, buf + n, 4), "is Annex B");
    ok(ngx_media_nal_from_annexb(buf, buf + n, 4, out, sizeof(out)) == 18,
       "rewritten");
    ok(memcmp(out, "\0\0\0\2\x67\x64\0\0\0\2\x68\xeb\0\0\0\2\x65\x88", 18)
       == 0, "behind lengths");
    ok(ngx_media_nal_from_annexb(buf, buf + n, 4, out, 17) == -1, "no room");
    ok(ngx_media_nal_from_annexb(buf, buf + n, 2, out, 12) == 12,
       "two byte lengths");
    ok(!ngx_media_nal_is_annexb(out, out + 12, 2), "lengths are not Annex B");

    /* a length of 256..511 looks like a start code */

    memset(buf, 0x55, sizeof(buf));
    (void) ngx_media_test_hex("00 00 01 10", buf, 4);
    ok(!ngx_media_nal_is_annexb(buf, buf + 4 + 0x110, 4),
       "length like a start code");
    ok(ngx_media_nal_is_annexb(buf, buf + 4 + 0x111, 4),
       "start code like a length");

    /* a NAL that needs more than a one byte length */

    ok(ngx_media_nal_from_annexb(buf, buf + 300, 1, buf + 300, 300) == -1,
       "too long for its length");
    ok(ngx_media_nal_from_annexb(buf, buf + 2, 4, out, 64) == 0,
       "no start code");
}


static void
ngx_media_avc_test_info(void)
{
    size_t                  n;
    u_char                  buf[128];
    ngx_media_codec_info_t  info;

    n = ngx_media_test_hex(ngx_media_avc_high, buf, sizeof(buf));

    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_H264, buf, buf + n, &info)
       == 0, "info");
    ok(info.codec == NGX_MEDIA_CODEC_H264 && info.width == 322
       && info.height == 182 && info.nal_size == 4, "info fields");
    ok(strcmp(ngx_media_codec_name(info.codec), "H264") == 0
       && strcmp(ngx_media_codec_profile_name(&info), "High") == 0
       && strcmp(ngx_media_codec_level_name(&info), "1.3") == 0, "names");

    info.level = 31;
    ok(strcmp(ngx_media_codec_level_name(&info), "3.1") == 0, "3.1");
    info.level = 40;
    ok(strcmp(ngx_media_codec_level_name(&info), "4") == 0, "4");
    info.level = 99;
    info.profile = 1;
    ok(strcmp(ngx_media_codec_level_name(&info), "Other") == 0
       && strcmp(ngx_media_codec_profile_name(&info), "Other") == 0, "Other");
    ok(strcmp(ngx_media_codec_name(200), "Other") == 0, "Other codec");
    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_MP3, buf, buf + n, &info)
       == -1, "MP3 has no config");
    ok(ngx_media_codec_parse_frame(NGX_MEDIA_CODEC_H264, buf, buf + n, &info)
       == -1, "H.264 frames tell nothing");
}


/* sets behind start codes, a delimiter and another PPS before them */

static void
ngx_media_avc_test_sets(void)
{
    size_t                  n;
    u_char                  buf[128], annexb[128], out[128], *p;
    ssize_t                 size;
    ngx_media_nal_t         sps, pps;
    ngx_media_avc_config_t  c;

    n = ngx_media_test_hex(ngx_media_avc_base, buf, sizeof(buf));

    (void) ngx_media_avc_config_parse(buf, buf + n, &c);
    (void) ngx_media_nal_next_set(c.sps, c.sps_end, &sps);
    (void) ngx_media_nal_next_set(c.pps, c.pps_end, &pps);

    p = annexb;
    p += ngx_media_test_hex("00 00 00 01 09 10 00 00 01 68 ff 00 00 00 01", p,
                            32);
    memcpy(p, sps.data, sps.size);
    p += sps.size;
    p += ngx_media_test_hex("00 00 01", p, 3);
    memcpy(p, pps.data, pps.size);
    p += pps.size;

    size = ngx_media_avc_config_from_annexb(annexb, p, out, sizeof(out));
    is_mem(out, size, buf, n, "config of sets behind start codes");
    ok(ngx_media_avc_config_from_annexb(annexb, p, out, 30) == -1,
       "no room for it");
    ok(ngx_media_avc_config_from_annexb(annexb, annexb + 11, out,
                                        sizeof(out))
       == -1, "none without an SPS");
}


int
main(void)
{
    ngx_media_avc_test_configs();
    ngx_media_avc_test_sets();
    ngx_media_avc_test_damage();
    ngx_media_avc_test_frames();
    ngx_media_avc_test_annexb();
    ngx_media_avc_test_info();

    return done_testing();
}
