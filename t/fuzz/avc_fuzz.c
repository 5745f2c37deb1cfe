
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: H.264.  The input is taken as a decoder configuration, an SPS,
 * an access unit with each prefix size and Annex B, which rewritten must be
 * well formed.
 */


#include <stdlib.h>

#include "ngx_media_avc.h"
#include "ngx_media_codec.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_config(const u_char *pos, const u_char *end)
{
    u_char                  *out;
    unsigned                 i;
    const u_char            *p;
    ngx_media_nal_t          nal, pps;
    ngx_media_avc_sps_t      sps;
    ngx_media_codec_info_t   info;
    ngx_media_avc_config_t   c;

    (void) ngx_media_codec_parse_config(NGX_MEDIA_CODEC_H264, pos, end,
                                        &info);
    (void) ngx_media_codec_profile_name(&info);
    (void) ngx_media_codec_level_name(&info);

    if (ngx_media_avc_config_parse(pos, end, &c) == NULL) {
        return;
    }

    pps.data = (u_char *) "\x68\xeb";
    pps.size = 2;

    p = c.sps;

    for (i = 0; i < c.nsps; i++) {
        p = ngx_media_nal_next_set(p, c.sps_end, &nal);

        if (p == NULL) {
            abort();
        }

        if (ngx_media_avc_sps_parse(nal.data, nal.data + nal.size, &sps)
            == NULL)
        {
            continue;
        }

        if (sps.width == 0 || sps.height == 0) {
            abort();
        }

        out = malloc(nal.size + 17);

        if (out == NULL
            || ngx_media_avc_config_write(&nal, &pps, 4, out, nal.size + 17)
               < 0)
        {
            abort();
        }

        free(out);
    }

    if (p != c.sps_end) {
        abort();
    }
}


static void
fuzz_annexb(const u_char *pos, const u_char *end, unsigned nal_size)
{
    size_t                  room;
    u_char                 *out;
    ssize_t                 n;
    ngx_media_avc_frame_t   f;

    room = ngx_media_nal_from_annexb_room((size_t) (end - pos));
    out = malloc(room);

    if (out == NULL) {
        abort();
    }

    n = ngx_media_nal_from_annexb(pos, end, nal_size, out, room);

    if (n >= 0
        && ngx_media_avc_frame_parse(out, out + n, nal_size, &f) == NULL)
    {
        abort();
    }

    if (n < 0 && nal_size == 4) {
        abort();
    }

    (void) ngx_media_avc_config_from_annexb(pos, end, out, room);

    free(out);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned               i;
    const u_char          *end;
    ngx_media_avc_sps_t    sps;
    ngx_media_avc_frame_t  f;

    end = data + size;

    fuzz_config(data, end);

    (void) ngx_media_avc_sps_parse(data, end, &sps);

    for (i = 0; i < 6; i++) {
        (void) ngx_media_avc_frame_parse(data, end, i, &f);
        (void) ngx_media_codec_start(NGX_MEDIA_CODEC_H264, i, data, end);
        (void) ngx_media_nal_is_annexb(data, end, i);
        fuzz_annexb(data, end, i);
    }

    return 0;
}
