
/*
 * Copyright (C) the nginx media suite authors
 *
 * AAC, MPEG audio, Opus, AC-3, E-AC-3, FLAC: configurations and frame
 * headers of real encoders.
 */


#include "ngx_media_aac.h"
#include "ngx_media_ac3.h"
#include "ngx_media_codec.h"
#include "ngx_media_flac.h"
#include "ngx_media_mp3.h"
#include "ngx_media_opus.h"
#include "ngx_media_test.h"


static u_char  buf[128];


static size_t
bytes(const char *s)
{
    return ngx_media_test_hex(s, buf, sizeof(buf));
}


static void
ngx_media_audio_test_aac(void)
{
    size_t                  n;
    ngx_media_aac_config_t  c;
    ngx_media_codec_info_t  info;

    n = bytes("12 10 56 e5 00");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) && c.object_type == 2
       && c.sample_rate == 44100 && c.channels == 2 && c.profile == 2
       && c.frame_samples == 1024 && !c.sbr, "LC, 44100, SBR told absent");

    n = bytes("11 90");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) && c.sample_rate == 48000
       && c.channels == 2, "LC, 48000");

    n = bytes("11 94");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c)
       && c.frame_samples == 960, "960 samples");

    n = bytes("11 b0");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) && c.channels == 6,
       "5.1");

    n = bytes("11 b8");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) && c.channels == 8,
       "7.1");

    n = bytes("2b 92 08 00");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) && c.sbr && !c.ps
       && c.core_rate == 22050 && c.sample_rate == 44100
       && c.object_type == 2 && c.profile == 5 && c.frame_samples == 2048
       && c.channels == 2, "HE, hierarchical");

    n = bytes("eb 8a 08 00");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) && c.sbr && c.ps
       && c.sample_rate == 44100 && c.profile == 29 && c.channels == 2
       && c.channel_config == 1, "HEv2, hierarchical");

    n = bytes("13 90 56 e5 a0");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) && c.sbr && !c.ps
       && c.core_rate == 22050 && c.sample_rate == 44100 && c.profile == 5,
       "HE, backward compatible");

    n = bytes("13 88 56 e5 a5 48 80");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) && c.sbr && c.ps
       && c.profile == 29 && c.channels == 2, "HEv2, backward compatible");

    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_AAC, buf, buf + n, &info)
       == 0 && info.sample_rate == 44100 && info.channels == 2
       && strcmp(ngx_media_codec_profile_name(&info), "HEv2") == 0
       && strcmp(ngx_media_codec_name(info.codec), "AAC") == 0, "names");

    /* an explicit rate of 44100 */

    n = bytes("17 80 56 22 10");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c)
       && c.sample_rate == 44100 && c.channels == 2 && c.rate_index == 15,
       "rate written out: %u", c.sample_rate);

    /* channels in a program config element: one pair */

    n = bytes("11 80 04 c4 00 00 20 00");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c)
       && c.channel_config == 0 && c.channels == 2, "PCE: %u channels",
       c.channels);

    n = bytes("12 10");
    ok(ngx_media_aac_config_parse(buf, buf + 1, &c) == NULL, "cut off");
    ok(ngx_media_aac_config_parse(buf, buf, &c) == NULL, "empty");
    n = bytes("16 90");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) == NULL, "reserved rate");
    n = bytes("02 10");
    ok(ngx_media_aac_config_parse(buf, buf + n, &c) == NULL, "null object");
}


static void
ngx_media_audio_test_adts(void)
{
    int                     found;
    u_char                 *p, out[16];
    size_t                  i, n;
    ngx_media_adts_t        a;
    ngx_media_aac_config_t  c;

    n = bytes("ff f1 4d 80 2f df fc de 02 00");

    ok(ngx_media_adts_parse(buf, buf + n, &a) == buf + 7, "ADTS");
    ok(a.object_type == 2 && a.sample_rate == 48000
       && a.channel_config == 6 && a.frame_size == 382 && a.blocks == 1,
       "ADTS fields: %u", a.frame_size);

    ok(ngx_media_aac_config_write(out, &a) == out + 2
       && memcmp(out, "\x11\xb0", 2) == 0, "config of it");
    ok(ngx_media_aac_config_parse(out, out + 2, &c) != NULL
       && ngx_media_adts_write(out, &c, 382 - 7) == out + 7, "written");
    ok(memcmp(out, "\xff\xf1\x4d\x80\x2f\xdf\xfc", 7) == 0,
       "written the same");
    ok(ngx_media_adts_write(out, &c, 8185) == NULL, "too large a frame");

    found = 0;

    for (i = 0; i < 7; i++) {
        p = ngx_media_test_dup(buf, i);
        found += ngx_media_adts_parse(p, p + i, &a) != NULL;
        free(p);
    }

    ok(found == 0, "cut off");

    buf[1] = 0xf0;
    ok(ngx_media_adts_parse(buf, buf + 8, &a) == NULL, "CRC cut off");
    ok(ngx_media_adts_parse(buf, buf + 9, &a) == buf + 9, "CRC");
    buf[1] = 0xfb;
    ok(ngx_media_adts_parse(buf, buf + n, &a) == NULL, "MP3 is not ADTS");
}


static void
ngx_media_audio_test_mp3(void)
{
    size_t                  n;
    ngx_media_mp3_t         m;
    ngx_media_codec_info_t  info;

    n = bytes("ff fb 90 00");
    ok(ngx_media_mp3_parse(buf, buf + n, &m) == buf + 4 && m.version == 1
       && m.layer == 3 && m.bitrate == 128000 && m.sample_rate == 44100
       && m.channels == 2 && m.samples == 1152 && m.frame_size == 417,
       "128 kbit/s, 44100: %u", m.frame_size);

    n = bytes("ff f3 70 c0");
    ok(ngx_media_mp3_parse(buf, buf + n, &m) != NULL && m.version == 2
       && m.bitrate == 56000 && m.sample_rate == 22050 && m.channels == 1
       && m.samples == 576 && m.frame_size == 182, "MPEG 2: %u",
       m.frame_size);

    n = bytes("ff e3 18 c4");
    ok(ngx_media_mp3_parse(buf, buf + n, &m) != NULL && m.version == 3
       && m.bitrate == 8000 && m.sample_rate == 8000 && m.frame_size == 72,
       "MPEG 2.5: %u", m.frame_size);

    n = bytes("ff fd a4 00");
    ok(ngx_media_mp3_parse(buf, buf + n, &m) != NULL && m.layer == 2
       && m.bitrate == 192000 && m.sample_rate == 48000
       && m.samples == 1152 && m.frame_size == 576, "layer 2: %u",
       m.frame_size);

    n = bytes("ff ff 40 00");
    ok(ngx_media_mp3_parse(buf, buf + n, &m) != NULL && m.layer == 1
       && m.samples == 384 && m.frame_size == 136, "layer 1: %u",
       m.frame_size);

    n = bytes("ff fb f0 00");
    ok(ngx_media_mp3_parse(buf, buf + n, &m) == NULL, "bad rate");
    n = bytes("ff fb 9c 00");
    ok(ngx_media_mp3_parse(buf, buf + n, &m) == NULL, "bad frequency");
    n = bytes("ff f9 90 00");
    ok(ngx_media_mp3_parse(buf, buf + n, &m) == NULL, "ADTS is not MP3");
    ok(ngx_media_mp3_parse(buf, buf + 3, &m) == NULL, "cut off");

    n = bytes("ff fb 90 00");
    ok(ngx_media_codec_parse_frame(NGX_MEDIA_CODEC_MP3, buf, buf + n, &info)
       == 0 && info.sample_rate == 44100 && info.frame_samples == 1152,
       "info");
}


static void
ngx_media_audio_test_opus(void)
{
    size_t                  n;
    u_char                  out[32];
    ngx_media_codec_info_t  info;
    ngx_media_opus_head_t   h;

    n = bytes("4f 70 75 73 48 65 61 64 01 02 38 01 80 bb 00 00 00 00 00");

    ok(ngx_media_opus_head_parse(buf, buf + n, &h) == buf + n
       && h.channels == 2 && h.pre_skip == 312 && h.input_rate == 48000
       && h.mapping == 0, "OpusHead");
    ok(ngx_media_opus_head_write(out, 2, 312, 48000) == out + n
       && memcmp(out, buf, n) == 0, "written the same");
    ok(ngx_media_opus_head_parse(buf, buf + n - 1, &h) == NULL, "cut off");
    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_OPUS, buf, buf + n, &info)
       == 0 && info.sample_rate == 48000
       && strcmp(ngx_media_codec_name(info.codec), "Opus") == 0, "info");

    buf[9] = 6;
    ok(ngx_media_opus_head_parse(buf, buf + n, &h) == NULL,
       "six channels need a mapping");
    buf[18] = 1;
    ok(ngx_media_opus_head_parse(buf, buf + n, &h) == NULL
       && ngx_media_opus_head_parse(buf, buf + n + 8, &h) == buf + n + 8,
       "with its table");

    ok(ngx_media_opus_samples((u_char *) "\xfc", (u_char *) "\xfc" + 1)
       == 960, "CELT 20 ms");

    (void) bytes("08");
    ok(ngx_media_opus_samples(buf, buf + 1) == 960, "SILK 20 ms");
    (void) bytes("19");
    ok(ngx_media_opus_samples(buf, buf + 1) == 5760, "SILK 2 x 60 ms");
    (void) bytes("83 06");
    ok(ngx_media_opus_samples(buf, buf + 2) == 720, "CELT 6 x 2.5 ms");
    ok(ngx_media_opus_samples(buf, buf + 1) == 0, "count cut off");
    (void) bytes("1b 03");
    ok(ngx_media_opus_samples(buf, buf + 2) == 0, "more than 120 ms");
    ok(ngx_media_opus_samples(buf, buf) == 0, "empty");
}


static void
ngx_media_audio_test_rest(void)
{
    size_t                  n;
    ngx_media_ac3_t         a;
    ngx_media_flac_t        f;
    ngx_media_codec_info_t  info;

    n = bytes("0b 77 b5 0b 1e 40 eb f8 40 3e");
    ok(ngx_media_ac3_parse(buf, buf + n, &a) != NULL && !a.eac3
       && a.sample_rate == 48000 && a.channels == 6 && a.lfe
       && a.bitrate == 448000 && a.frame_size == 1792 && a.samples == 1536,
       "AC-3 5.1: %u", a.frame_size);
    ok(ngx_media_ac3_parse(buf, buf + 7, &a) == NULL, "cut off");

    n = bytes("0b 77 01 a0 74 87 c0 00 20 84");
    ok(ngx_media_ac3_parse(buf, buf + n, &a) != NULL && a.eac3
       && a.sample_rate == 44100 && a.channels == 2 && a.samples == 1536
       && a.frame_size == 834, "E-AC-3: %u", a.frame_size);
    ok(ngx_media_codec_parse_frame(NGX_MEDIA_CODEC_EAC3, buf, buf + n, &info)
       == 0 && info.channels == 2, "info");

    n = bytes("66 4c 61 43 00 00 00 22 12 00 12 00 00 04 6d 00 05 08 0a c4"
              "42 f0 00 00 33 ae 36 56 7c 61 37 e8 d5 78 c4 31 ed 19 1f d8"
              "5f f5");
    ok(ngx_media_flac_parse(buf, buf + n, &f) == buf + n
       && f.sample_rate == 44100 && f.channels == 2 && f.bits == 16
       && f.max_block == 4608 && f.samples == 13230, "FLAC");
    ok(ngx_media_flac_parse(buf + 8, buf + n, &f) == buf + n, "bare");
    ok(ngx_media_flac_parse(buf, buf + n - 1, &f) == NULL, "cut off");
    ok(ngx_media_codec_parse_config(NGX_MEDIA_CODEC_FLAC, buf, buf + n, &info)
       == 0 && info.frame_samples == 4608, "info");
}


int
main(void)
{
    ngx_media_audio_test_aac();
    ngx_media_audio_test_adts();
    ngx_media_audio_test_mp3();
    ngx_media_audio_test_opus();
    ngx_media_audio_test_rest();

    return done_testing();
}
