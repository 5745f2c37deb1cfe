
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: H.265 and H.266.  The input is taken as decoder
 * configurations, parameter sets and access units.
 */


#include <stdlib.h>

#include "ngx_media_codec.h"
#include "ngx_media_hevc.h"
#include "ngx_media_rc.h"
#include "ngx_media_vvc.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_config(const u_char *pos, const u_char *end)
{
    u_char                   *out;
    size_t                    room;
    unsigned                  n;
    ngx_media_nal_t           nal;
    ngx_media_hevc_sps_t      sps;
    ngx_media_codec_info_t    info;
    ngx_media_hevc_config_t   c;

    (void) ngx_media_codec_parse_config(NGX_MEDIA_CODEC_HEVC, pos, end,
                                        &info);
    (void) ngx_media_codec_profile_name(&info);
    (void) ngx_media_codec_level_name(&info);

    if (ngx_media_hevc_config_parse(pos, end, &c) == NULL) {
        return;
    }

    for (n = 0; n < 64; n++) {

        if (ngx_media_hevc_config_set(&c, NGX_MEDIA_HEVC_NAL_SPS, n, &nal)
            != NGX_MEDIA_OK)
        {
            break;
        }

        if (ngx_media_hevc_sps_parse(nal.data, nal.data + nal.size, &sps)
            == NULL)
        {
            continue;
        }

        if (sps.width == 0 || sps.height == 0) {
            abort();
        }

        room = 23 + 15 + nal.size * 3;
        out = malloc(room);

        if (out == NULL
            || ngx_media_hevc_config_write(&nal, &nal, &nal, 4, out, room) < 0
            || ngx_media_hevc_config_parse(out, out + room, &c) == NULL)
        {
            abort();
        }

        free(out);
        break;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned                 i;
    const u_char            *end;
    ngx_media_hevc_sps_t     sps;
    ngx_media_hevc_vps_t     vps;
    ngx_media_vvc_config_t   vvc;
    ngx_media_hevc_frame_t   f;
    ngx_media_codec_info_t   info;

    end = data + size;

    fuzz_config(data, end);

    (void) ngx_media_hevc_sps_parse(data, end, &sps);
    (void) ngx_media_hevc_vps_parse(data, end, &vps);
    (void) ngx_media_vvc_config_parse(data, end, &vvc);
    (void) ngx_media_codec_parse_config(NGX_MEDIA_CODEC_VVC, data, end,
                                        &info);
    (void) ngx_media_codec_level_name(&info);

    for (i = 1; i < 5; i++) {
        (void) ngx_media_hevc_frame_parse(data, end, i, &f);
        (void) ngx_media_vvc_is_key(data, end, i);
        (void) ngx_media_codec_start(NGX_MEDIA_CODEC_HEVC, i, data, end);
        (void) ngx_media_codec_start(NGX_MEDIA_CODEC_VVC, i, data, end);
    }

    return 0;
}
