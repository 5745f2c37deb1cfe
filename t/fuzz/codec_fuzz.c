
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: audio codecs, AV1, VP8, VP9.  Every parser gets the whole
 * input; what was parsed must be in its range and can be written again.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_aac.h"
#include "ngx_media_ac3.h"
#include "ngx_media_av1.h"
#include "ngx_media_codec.h"
#include "ngx_media_flac.h"
#include "ngx_media_mp3.h"
#include "ngx_media_opus.h"
#include "ngx_media_vpx.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_audio(const u_char *pos, const u_char *end)
{
    u_char                   buf[32];
    ngx_media_ac3_t          ac3;
    ngx_media_mp3_t          mp3;
    ngx_media_adts_t         adts, again;
    ngx_media_flac_t         flac;
    ngx_media_opus_head_t    opus;
    ngx_media_aac_config_t   aac;

    if (ngx_media_aac_config_parse(pos, end, &aac)) {

        if (aac.sample_rate == 0 || aac.frame_samples == 0) {
            abort();
        }

        if (ngx_media_adts_write(buf, &aac, 100)
            && (ngx_media_adts_parse(buf, buf + 7, &again) == NULL
                || again.frame_size != 107
                || again.channel_config != aac.channel_config))
        {
            abort();
        }
    }

    if (ngx_media_adts_parse(pos, end, &adts)) {

        if (ngx_media_aac_config_write(buf, &adts) != buf + 2
            || (adts.channel_config
                && ngx_media_aac_config_parse(buf, buf + 2, &aac) == NULL))
        {
            abort();
        }
    }

    if (ngx_media_mp3_parse(pos, end, &mp3)
        && (mp3.sample_rate == 0
            || (mp3.bitrate && (mp3.frame_size < 24
                                || mp3.frame_size > 2881))))
    {
        abort();
    }

    if (ngx_media_opus_samples(pos, end) > 5760) {
        abort();
    }

    (void) ngx_media_opus_head_parse(pos, end, &opus);

    if (ngx_media_ac3_parse(pos, end, &ac3)
        && (ac3.sample_rate == 0 || ac3.channels == 0 || ac3.samples == 0))
    {
        abort();
    }

    (void) ngx_media_flac_parse(pos, end, &flac);
}


static void
fuzz_video(const u_char *pos, const u_char *end)
{
    ngx_media_av1_seq_t      seq;
    ngx_media_av1_obu_t      obu;
    ngx_media_vpx_frame_t    vpx;
    ngx_media_vpx_config_t   vpcc;

    (void) ngx_media_vp8_parse(pos, end, &vpx);
    (void) ngx_media_vp9_parse(pos, end, &vpx);
    (void) ngx_media_vpx_config_parse(pos, end, &vpcc);
    (void) ngx_media_av1_is_key(pos, end);
    (void) ngx_media_av1_seq_parse(pos, end, &seq);

    while (pos && pos != end) {
        pos = ngx_media_av1_obu_next(pos, end, &obu);

        if (pos && (obu.data > end
                    || obu.size > (size_t) (end - obu.data)))
        {
            abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned                 i;
    ngx_media_codec_info_t   info;

    fuzz_audio(data, data + size);
    fuzz_video(data, data + size);

    for (i = 0; i < 65; i++) {

        (void) ngx_media_codec_parse_config((uint8_t) i, data, data + size,
                                            &info);
        (void) ngx_media_codec_parse_frame((uint8_t) i, data, data + size,
                                           &info);

        if (strlen(ngx_media_codec_name((uint8_t) i)) == 0
            || strlen(ngx_media_codec_profile_name(&info)) == 0
            || strlen(ngx_media_codec_level_name(&info)) == 0)
        {
            abort();
        }
    }

    return 0;
}
