
/*
 * Copyright (C) the nginx media suite authors
 *
 * AV1, VP8, VP9: configurations and frames of real encoders.
 */


#include "ngx_media_av1.h"
#include "ngx_media_codec.h"
#include "ngx_media_test.h"
#include "ngx_media_vpx.h"


static u_char  buf[128];


static size_t
bytes(const char *s)
{
    return ngx_media_test_hex(s, buf, sizeof(buf));
}


static void
ngx_media_av1_test_av1(void)
{
    int                     found;
    size_t                  i, n;
    u_char                 *p;
    ngx_media_av1_obu_t     obu;
    ngx_media_av1_seq_t     seq;
    ngx_media_av1_config_t  c;
    ngx_media_codec_info_t  info;

    /* libaom, 64x48 */

    n = bytes("81 00 0c 00 0a 0a 00 00 00 02 af f7 9b 5f 20 08");

    ok(ngx_media_av1_config_parse(buf, buf + n, &c) != NULL
       && c.profile == 0 && c.bit_depth == 8 && c.subsampling_x
       && c.subsampling_y && !c.monochrome, "av1C");
    ok(ngx_media_av1_obu_next(c.obus, c.obus_end, &obu) == buf + n
       && obu.type == NGX_MEDIA_AV1_OBU_SEQUENCE && obu.size == 10,
       "sequence header");
    ok(ngx_media_av1_seq_parse(obu.data, obu.data + obu.size, &seq) != NULL
       && seq.width == 64 && seq.height == 48 && seq.profile == 0
       && seq.bit_depth == 8 && seq.level == 0, "%ux%u", seq.width,
       seq.height);

    found = 0;

    for (i = 0; i < 9; i++) {
        p = ngx_media_test_dup(obu.data, i);
        found += ngx_media_av1_seq_parse(p, p + i, &seq) != NULL;
        free(p);
    }

    ok(found == 0, "every cut off sequence header refused");

    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_AV1, buf, buf + n, &info)
       == 0 && info.width == 64 && info.height == 48 && info.chroma == 1,
       "info");
    ok(strcmp(ngx_media_codec_name(info.codec), "AV1") == 0
       && strcmp(ngx_media_codec_profile_name(&info), "Main") == 0
       && strcmp(ngx_media_codec_level_name(&info), "2") == 0, "names");
    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_AV1, buf, buf + n - 1,
                                    &info) == -1, "cut off");

    n = bytes("0a 0a 00 00 00 02 af f7 9b 5f 20 08 32 04 14 00 22 c0");
    ok(ngx_media_av1_is_key(buf, buf + n), "key frame");
    ok(!ngx_media_av1_is_key(buf, buf + n - 1), "cut off is none");
    n = bytes("32 04 30 00 22 c0");
    ok(!ngx_media_av1_is_key(buf, buf + n), "inter frame");
    n = bytes("12 00");
    ok(!ngx_media_av1_is_key(buf, buf + n), "delimiter alone");

    n = bytes("36 28 02 ff ff 10 01 02 03");
    p = (u_char *) ngx_media_av1_obu_next(buf, buf + n, &obu);
    ok(p == buf + 5 && obu.temporal_id == 1 && obu.spatial_id == 1
       && obu.size == 2, "extension");
    ok(ngx_media_av1_obu_next(p, buf + n, &obu) == buf + n && obu.size == 3,
       "no size field");
    n = bytes("32 ff ff ff ff ff ff ff ff 01");
    ok(ngx_media_av1_obu_next(buf, buf + n, &obu) == NULL, "size too long");
    n = bytes("80 00");
    ok(ngx_media_av1_obu_next(buf, buf + n, &obu) == NULL, "forbidden bit");
}


static void
ngx_media_av1_test_vpx(void)
{
    size_t                  n;
    ngx_media_codec_info_t  info;
    ngx_media_vpx_frame_t   f;
    ngx_media_vpx_config_t  c;

    n = bytes("d0 23 00 9d 01 2a 42 00 32 00 00 07");
    ok(ngx_media_vp8_parse(buf, buf + n, &f) == buf + 10 && f.key && f.show
       && f.width == 66 && f.height == 50, "VP8 key frame");
    ok(ngx_media_vp8_parse(buf, buf + 9, &f) == NULL, "cut off");
    ok(ngx_media_codec_parse_frame(NGX_MEDIA_CODEC_VP8, buf, buf + n, &info)
       == 0 && info.width == 66, "VP8 info");
    buf[0] |= 1;
    ok(ngx_media_vp8_parse(buf, buf + 3, &f) == buf + 3 && !f.key,
       "VP8 inter frame");
    ok(ngx_media_codec_parse_frame(NGX_MEDIA_CODEC_VP8, buf, buf + n, &info)
       == -1, "which tells nothing");

    /* libvpx, 66x50, 4:4:4 */

    n = bytes("a2 49 83 42 e0 04 10 03 16 08 38 24");
    ok(ngx_media_vp9_parse(buf, buf + n, &f) != NULL && f.key
       && f.profile == 1 && f.width == 66 && f.height == 50
       && f.bit_depth == 8 && f.chroma == 3, "VP9 key frame: %ux%u %u",
       f.width, f.height, f.chroma);
    ok(ngx_media_vp9_parse(buf, buf + 7, &f) == NULL, "cut off");
    ok(ngx_media_codec_parse_frame(NGX_MEDIA_CODEC_VP9, buf, buf + n, &info)
       == 0 && info.width == 66, "VP9 info");
    n = bytes("86 00");
    ok(ngx_media_vp9_parse(buf, buf + n, &f) != NULL && !f.key && f.show,
       "VP9 inter frame");
    n = bytes("8a 49 83 42");
    ok(ngx_media_vp9_parse(buf, buf + n, &f) != NULL && !f.key && f.show,
       "VP9 shown again");

    n = bytes("01 00 00 00 01 0a 87 02 02 00 00 00");
    ok(ngx_media_vpx_config_parse(buf, buf + n, &c) != NULL
       && c.profile == 1 && c.level == 10 && c.bit_depth == 8
       && c.chroma == 3 && c.color_full_range, "vpcC");
    ok(ngx_media_vpx_config_parse(buf + 4, buf + n, &c) != NULL
       && c.profile == 1, "vpcC without version");
    ok(ngx_media_vpx_config_parse(buf + 4, buf + 9, &c) == NULL, "cut off");
    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_VP9, buf, buf + n, &info)
       == 0 && strcmp(ngx_media_codec_level_name(&info), "1") == 0
       && strcmp(ngx_media_codec_name(info.codec), "VP9") == 0, "VP9 names");
}


int
main(void)
{
    ngx_media_av1_test_av1();
    ngx_media_av1_test_vpx();

    return done_testing();
}
