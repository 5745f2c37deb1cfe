
/*
 * Copyright (C) the nginx media suite authors
 *
 * H.265 and H.266: decoder configurations and access units.
 */


#include "ngx_media_codec.h"
#include "ngx_media_hevc.h"
#include "ngx_media_rc.h"
#include "ngx_media_test.h"
#include "ngx_media_vvc.h"


/* x265, Main 10, 322x182, 30000/1001 fps; its SEI left out */

static const char  ngx_media_hevc_main10[] =
    "01 02 20 00 00 00 90 00 00 00 00 00 3c f0 00 fc fd fa fa 00 00 0f 03 a0"
    "00 01 00 18 40 01 0c 01 ff ff 02 20 00 00 03 00 90 00 00 03 00 00 03 00"
    "3c 95 98 09 a1 00 01 00 2a 42 01 01 02 20 00 00 03 00 90 00 00 03 00 00"
    "03 00 3c a0 0a 48 0b 9c 94 d9 65 66 92 4c af 01 68 08 00 00 1f 48 00 03"
    "a9 80 40 a2 00 01 00 07 44 01 c1 72 b4 62 40";

/* 4:2:0, 10 bit, 1920x1080, one sublayer, 25 fps */

static const char  ngx_media_vvc_config[] =
    "ff 00 11 5f 01 02 33 00 00 07 80 04 38 19 00 00";


static void
ngx_media_hevc_test_config(void)
{
    int                      found;
    size_t                   i, n;
    u_char                   buf[256], out[256], *p;
    ssize_t                  size;
    ngx_media_nal_t          vps, sps, pps;
    ngx_media_hevc_sps_t     info;
    ngx_media_hevc_vps_t     v;
    ngx_media_hevc_config_t  c;

    n = ngx_media_test_hex(ngx_media_hevc_main10, buf, sizeof(buf));

    ok(ngx_media_hevc_config_parse(buf, buf + n, &c) == buf + n, "config");
    ok(c.profile == 2 && c.tier == 0 && c.level == 60 && c.nal_size == 4
       && c.chroma == 1 && c.bit_depth == 10 && c.temporal_layers == 1,
       "config fields");
    ok(c.compat == 0x20000000 && c.constraints == 0x900000000000ULL,
       "compatibility and constraints");

    ok(ngx_media_hevc_config_set(&c, NGX_MEDIA_HEVC_NAL_VPS, 0, &vps)
       == NGX_MEDIA_OK && vps.size == 24, "VPS");
    ok(ngx_media_hevc_config_set(&c, NGX_MEDIA_HEVC_NAL_SPS, 0, &sps)
       == NGX_MEDIA_OK && sps.size == 42, "SPS");
    ok(ngx_media_hevc_config_set(&c, NGX_MEDIA_HEVC_NAL_PPS, 0, &pps)
       == NGX_MEDIA_OK && pps.size == 7, "PPS");
    ok(ngx_media_hevc_config_set(&c, NGX_MEDIA_HEVC_NAL_PPS, 1, &pps)
       == NGX_MEDIA_DECLINED, "no second PPS");
    (void) ngx_media_hevc_config_set(&c, NGX_MEDIA_HEVC_NAL_PPS, 0, &pps);

    ok(ngx_media_hevc_vps_parse(vps.data, vps.data + vps.size, &v) != NULL
       && v.profile == 2 && v.level == 60 && v.temporal_layers == 1,
       "VPS parsed");
    ok(ngx_media_hevc_sps_parse(sps.data, sps.data + sps.size, &info) != NULL
       && info.width == 322 && info.height == 182, "SPS: %dx%d", info.width,
       info.height);
    ok(info.bit_depth == 10 && info.chroma == 1 && info.profile == 2
       && info.tier == 0 && info.level == 60, "SPS fields");
    ok(info.fps_num == 30000 && info.fps_den == 1001, "fps %u/%u",
       info.fps_num, info.fps_den);
    ok(info.max_reorder == 2, "reorder %u", info.max_reorder);

    size = ngx_media_hevc_config_write(&vps, &sps, &pps, 4, out, sizeof(out));
    is_mem(out, size, buf, n, "config written again");
    ok(ngx_media_hevc_config_write(&vps, &sps, &pps, 4, out, n - 1) == -1,
       "no room for it");

    found = 0;

    for (i = 0; i < n; i++) {
        p = ngx_media_test_dup(buf, i);
        found += ngx_media_hevc_config_parse(p, p + i, &c) != NULL;
        free(p);
    }

    ok(found == 0, "every cut off config refused");

    found = 0;

    for (i = 0; i < 38; i++) {
        p = ngx_media_test_dup(sps.data, i);
        found += ngx_media_hevc_sps_parse(p, p + i, &info) != NULL;
        free(p);
    }

    ok(found == 0, "every cut off SPS refused");
}


static void
ngx_media_hevc_test_frames(void)
{
    size_t                  n;
    u_char                  buf[128];
    ngx_media_hevc_frame_t  f;

    n = ngx_media_test_hex("00 00 00 02 40 01 00 00 00 02 42 01"
                           "00 00 00 02 44 01 00 00 00 03 28 01 af",
                           buf, sizeof(buf));

    ok(ngx_media_hevc_frame_parse(buf, buf + n, 4, &f) != NULL
       && f.irap && f.idr && f.vps && f.sps && f.pps && f.nals == 4
       && f.first_type == NGX_MEDIA_HEVC_NAL_IDR_N_LP, "IDR with sets");

    n = ngx_media_test_hex("00 00 00 03 2a 01 af", buf, sizeof(buf));
    ok(ngx_media_hevc_frame_parse(buf, buf + n, 4, &f) != NULL
       && f.irap && !f.idr && f.reference && !f.recovery, "CRA");
    ok(ngx_media_codec_start(NGX_MEDIA_CODEC_HEVC, 4, buf, buf + n)
       == NGX_MEDIA_START_KEY, "which is a start");

    n = ngx_media_test_hex("00 00 00 06 4e 01 06 01 28 80"
                           "00 00 00 03 02 01 e0", buf, sizeof(buf));
    ok(ngx_media_hevc_frame_parse(buf, buf + n, 4, &f) != NULL
       && f.recovery && f.recovery_pocs == 4 && !f.irap, "recovery point");
    ok(ngx_media_codec_start(NGX_MEDIA_CODEC_HEVC, 4, buf, buf + n)
       == NGX_MEDIA_START_GRADUAL, "a gradual start");
    ok(ngx_media_codec_start(NGX_MEDIA_CODEC_HEVC, 4, buf + 10, buf + n)
       == NGX_MEDIA_START_NONE
       && ngx_media_codec_start(NGX_MEDIA_CODEC_AV1, 4, buf, buf + n)
          == NGX_MEDIA_START_NONE, "none");

    n = ngx_media_test_hex("00 00 00 03 00 01 e0", buf, sizeof(buf));
    ok(ngx_media_hevc_frame_parse(buf, buf + n, 4, &f) != NULL
       && !f.irap && !f.reference, "TRAIL_N");
    ok(ngx_media_hevc_frame_parse(buf, buf + n - 1, 4, &f) == NULL,
       "cut off");
}


static void
ngx_media_hevc_test_vvc(void)
{
    int                     found;
    size_t                  i, n;
    u_char                  buf[64], *p;
    ngx_media_vvc_config_t  c;
    ngx_media_codec_info_t  info;

    n = ngx_media_test_hex(ngx_media_vvc_config, buf, sizeof(buf));

    ok(ngx_media_vvc_config_parse(buf, buf + n, &c) == buf + n, "VVC config");
    ok(c.nal_size == 4 && c.ptl && c.profile == 1 && c.level == 51
       && c.bit_depth == 10 && c.chroma == 1, "VVC fields");
    ok(c.width == 1920 && c.height == 1080 && c.fps_num == 6400
       && c.fps_den == 256, "VVC size and rate");

    found = 0;

    for (i = 0; i < n; i++) {
        p = ngx_media_test_dup(buf, i);
        found += ngx_media_vvc_config_parse(p, p + i, &c) != NULL;
        free(p);
    }

    ok(found == 0, "every cut off VVC config refused");

    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_VVC, buf, buf + n, &info)
       == 0 && strcmp(ngx_media_codec_level_name(&info), "3.1") == 0
       && strcmp(ngx_media_codec_profile_name(&info), "Main10") == 0,
       "VVC names");

    n = ngx_media_test_hex("00 00 00 03 00 41 c0", buf, sizeof(buf));
    ok(ngx_media_vvc_is_key(buf, buf + n, 4), "VVC IDR");
    ok(!ngx_media_vvc_is_key(buf, buf + n - 1, 4), "VVC cut off");
}


static void
ngx_media_hevc_test_info(void)
{
    size_t                  n;
    u_char                  buf[256];
    ngx_media_codec_info_t  info;

    n = ngx_media_test_hex(ngx_media_hevc_main10, buf, sizeof(buf));

    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_HEVC, buf, buf + n, &info)
       == 0 && info.width == 322 && info.bit_depth == 10 && info.compat == 0,
       "info");
    ok(strcmp(ngx_media_codec_name(info.codec), "HEVC") == 0
       && strcmp(ngx_media_codec_profile_name(&info), "Main10") == 0
       && strcmp(ngx_media_codec_level_name(&info), "2") == 0, "names");

    info.level = 93;
    ok(strcmp(ngx_media_codec_level_name(&info), "3.1") == 0, "3.1");
    info.level = 92;
    ok(strcmp(ngx_media_codec_level_name(&info), "Other") == 0, "Other");
}


int
main(void)
{
    ngx_media_hevc_test_config();
    ngx_media_hevc_test_frames();
    ngx_media_hevc_test_vvc();
    ngx_media_hevc_test_info();

    return done_testing();
}
