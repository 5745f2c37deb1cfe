
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: H.266 decoder configuration and access units.  See ngx_media_vvc.h.
 * Sources: ISO/IEC 14496-15 11.2.4.2, H.266 7.3.1.2, 7.4.2.2.
 */


#include "ngx_media_vvc.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"


static void ngx_media_vvc_ptl(ngx_media_bits_t *b, unsigned layers,
    ngx_media_vvc_config_t *out);


const u_char *
ngx_media_vvc_config_parse(const u_char *pos, const u_char *end,
    ngx_media_vvc_config_t *out)
{
    unsigned          layers, rate;
    ngx_media_bits_t  b;

    memset(out, 0, sizeof(ngx_media_vvc_config_t));

    ngx_media_bits_init(&b, pos, end);

    if (ngx_media_bits_u(&b, 5) != 0x1f) {
        return NULL;
    }

    out->nal_size = (uint8_t) (ngx_media_bits_u(&b, 2) + 1);
    out->ptl = (uint8_t) ngx_media_bits_flag(&b);

    if (out->ptl) {
        ngx_media_bits_skip(&b, 9);          /* ols_idx */
        layers = ngx_media_bits_u(&b, 3);
        ngx_media_bits_skip(&b, 2);          /* constant_frame_rate */
        out->chroma = (uint8_t) ngx_media_bits_u(&b, 2);
        out->bit_depth = (uint8_t) (8 + ngx_media_bits_u(&b, 3));
        ngx_media_bits_skip(&b, 5);

        ngx_media_vvc_ptl(&b, layers, out);

        out->width = (uint16_t) ngx_media_bits_u(&b, 16);
        out->height = (uint16_t) ngx_media_bits_u(&b, 16);

        rate = ngx_media_bits_u(&b, 16);     /* frames in 256 seconds */

        if (rate) {
            out->fps_num = rate;
            out->fps_den = 256;
        }
    }

    ngx_media_bits_skip(&b, 8);              /* num_of_arrays */

    return ngx_media_bits_eof(&b) ? NULL : b.pos;
}


/* VvcPTLRecord */

static void
ngx_media_vvc_ptl(ngx_media_bits_t *b, unsigned layers,
    ngx_media_vvc_config_t *out)
{
    unsigned  i, n, present;

    ngx_media_bits_skip(b, 2);
    n = ngx_media_bits_u(b, 6);              /* bytes of constraints */
    out->profile = (uint8_t) ngx_media_bits_u(b, 7);
    out->tier = (uint8_t) ngx_media_bits_flag(b);
    out->level = (uint8_t) ngx_media_bits_u(b, 8);
    ngx_media_bits_skip(b, n ? n * 8 : 2);   /* two flags, constraints */

    if (n == 0) {
        ngx_media_bits_align(b);
    }

    if (layers > 1) {
        present = ngx_media_bits_u(b, 8);    /* flags from the top, zeros */

        for (i = 0; i < layers - 1; i++) {
            if (present & (0x80 >> i)) {
                ngx_media_bits_skip(b, 8);
            }
        }
    }

    n = ngx_media_bits_u(b, 8);              /* sub-profiles */
    ngx_media_bits_skip(b, (size_t) n * 32);
}


int
ngx_media_vvc_is_key(const u_char *pos, const u_char *end, unsigned nal_size)
{
    unsigned         type;
    ngx_media_nal_t  nal;

    while (pos != end) {
        pos = ngx_media_nal_next(pos, end, nal_size, &nal);

        if (pos == NULL) {
            return 0;
        }

        if (nal.size < 2) {
            continue;
        }

        type = ngx_media_vvc_nal_type(nal.data[1]);

        if (type >= NGX_MEDIA_VVC_NAL_IDR_W_RADL
            && type <= NGX_MEDIA_VVC_NAL_CRA)
        {
            return 1;
        }
    }

    return 0;
}
