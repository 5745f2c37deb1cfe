
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: FLV bodies.  The first byte is the tag type, the rest a body.
 * Every frame must lie inside of it, and written again must come back as the
 * same frame.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_flv.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_again(const ngx_media_frame_t *f, unsigned mode)
{
    int                    n;
    u_char                *b;
    uint16_t               flags;
    ngx_media_frame_t      got;
    ngx_media_flv_body_t   it;

    b = malloc(NGX_MEDIA_FLV_MAX_BODY_HEADER + f->size);

    if (b == NULL) {
        abort();
    }

    n = ngx_media_flv_body_write(b, f, mode);

    if (n < 0 || n > NGX_MEDIA_FLV_MAX_BODY_HEADER) {
        abort();
    }

    memcpy(b + n, f->data, f->size);

    ngx_media_flv_body_init(&it, ngx_media_flv_type(f->codec), b,
                            b + n + f->size);

    /* which form it came in depends on the mode */

    flags = f->flags & (uint16_t) ~NGX_MEDIA_FRAME_LEGACY;

    if (ngx_media_flv_body_next(&it, &got) != NGX_MEDIA_OK
        || got.codec != f->codec || got.track != f->track
        || (got.flags & (uint16_t) ~NGX_MEDIA_FRAME_LEGACY) != flags
        || got.size != f->size
        || memcmp(got.data, f->data, f->size) != 0)
    {
        /* only data may begin with another @setDataFrame */

        if (f->codec != NGX_MEDIA_CODEC_SCRIPT) {
            abort();
        }

    } else if ((f->codec < NGX_MEDIA_CODEC_AV1 && got.cts != f->cts)
               || (f->codec == NGX_MEDIA_CODEC_OTHER_VIDEO
                   && got.aux != f->aux))
    {
        abort();

    } else if (mode == NGX_MEDIA_FLV_NANO && got.dts != f->dts
               && ngx_media_flv_codec_fourcc(f->codec)
               && f->codec != NGX_MEDIA_CODEC_MP3
               && !(f->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_EOS
                                |NGX_MEDIA_FRAME_EXTRA)))
    {
        abort();
    }

    free(b);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                    rc;
    const u_char          *end;
    ngx_media_frame_t      f;
    ngx_media_flv_body_t   it;

    if (size == 0) {
        return 0;
    }

    end = data + size;

    ngx_media_flv_body_init(&it, data[0], data + 1, end);

    while ((rc = ngx_media_flv_body_next(&it, &f)) == NGX_MEDIA_OK) {

        if (f.data < data || f.size > (size_t) (end - f.data)
            || f.track >= NGX_MEDIA_MAX_TRACKS
            || (f.size == 0 && !(f.flags & NGX_MEDIA_FRAME_EOS))
            || f.track > NGX_MEDIA_TRACK_SCRIPT
            || f.dts < 0 || f.dts > 999)
        {
            abort();
        }

        fuzz_again(&f, 0);
        fuzz_again(&f, NGX_MEDIA_FLV_HEVC_LEGACY);
        fuzz_again(&f, NGX_MEDIA_FLV_NANO);
    }

    if (rc != NGX_MEDIA_DONE && rc != NGX_MEDIA_ERROR) {
        abort();
    }

    return 0;
}
