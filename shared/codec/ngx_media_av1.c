
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: AV1 OBUs, av1C and sequence header.  See ngx_media_av1.h.
 * Sources: AV1 bitstream specification 4.10.5, 5.3.2, 5.5, 5.9.2; AV1 codec
 * ISO media file format binding 2.3.3.
 */


#include "ngx_media_av1.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"


static void ngx_media_av1_timing(ngx_media_bits_t *b,
    ngx_media_av1_seq_t *out, unsigned *delay_bits);
static void ngx_media_av1_points(ngx_media_bits_t *b,
    ngx_media_av1_seq_t *out, unsigned delay_bits);
static void ngx_media_av1_tools(ngx_media_bits_t *b,
    ngx_media_av1_seq_t *out);
static void ngx_media_av1_color(ngx_media_bits_t *b,
    ngx_media_av1_seq_t *out);


const u_char *
ngx_media_av1_obu_next(const u_char *pos, const u_char *end,
    ngx_media_av1_obu_t *obu)
{
    unsigned  i, header;
    uint64_t  size;

    memset(obu, 0, sizeof(ngx_media_av1_obu_t));

    if (pos == end || (*pos & 0x80)) {
        return NULL;
    }

    header = *pos++;
    obu->type = (header >> 3) & 0x0f;

    if (header & 0x04) {

        if (pos == end) {
            return NULL;
        }

        obu->temporal_id = *pos >> 5;
        obu->spatial_id = (*pos >> 3) & 3;
        pos++;
    }

    size = (size_t) (end - pos);

    if (header & 0x02) {
        size = 0;

        for (i = 0; /* void */ ; i++) {

            if (pos == end || i == 8) {
                return NULL;
            }

            size |= (uint64_t) (*pos & 0x7f) << (7 * i);

            if (!(*pos++ & 0x80)) {
                break;
            }
        }
    }

    if ((size_t) (end - pos) < size) {
        return NULL;
    }

    obu->data = pos;
    obu->size = (size_t) size;

    return pos + size;
}


const u_char *
ngx_media_av1_config_parse(const u_char *pos, const u_char *end,
    ngx_media_av1_config_t *out)
{
    memset(out, 0, sizeof(ngx_media_av1_config_t));

    if ((size_t) (end - pos) < 4 || pos[0] != 0x81) {
        return NULL;
    }

    out->profile = pos[1] >> 5;
    out->level = pos[1] & 0x1f;
    out->tier = pos[2] >> 7;
    out->bit_depth = (pos[2] & 0x40) ? ((pos[2] & 0x20) ? 12 : 10) : 8;
    out->monochrome = (pos[2] >> 4) & 1;
    out->subsampling_x = (pos[2] >> 3) & 1;
    out->subsampling_y = (pos[2] >> 2) & 1;
    out->obus = pos + 4;
    out->obus_end = end;

    return end;
}


const u_char *
ngx_media_av1_seq_parse(const u_char *pos, const u_char *end,
    ngx_media_av1_seq_t *out)
{
    unsigned          delay_bits, width, height;
    ngx_media_bits_t  b;

    memset(out, 0, sizeof(ngx_media_av1_seq_t));

    ngx_media_bits_init(&b, pos, end);

    out->profile = (uint8_t) ngx_media_bits_u(&b, 3);
    out->still_picture = (uint8_t) ngx_media_bits_flag(&b);
    out->reduced_header = (uint8_t) ngx_media_bits_flag(&b);

    if (out->profile > 2) {
        return NULL;
    }

    if (out->reduced_header) {
        out->level = (uint8_t) ngx_media_bits_u(&b, 5);

    } else {
        delay_bits = 0;

        if (ngx_media_bits_flag(&b)) {
            ngx_media_av1_timing(&b, out, &delay_bits);
        }

        ngx_media_av1_points(&b, out, delay_bits);
    }

    width = ngx_media_bits_u(&b, 4) + 1;
    height = ngx_media_bits_u(&b, 4) + 1;

    /* 65536 is the most: held to what 16 bits tell */

    width = ngx_media_bits_u(&b, width);
    height = ngx_media_bits_u(&b, height);

    out->width = (uint16_t) (width < 65535 ? width + 1 : 65535);
    out->height = (uint16_t) (height < 65535 ? height + 1 : 65535);

    ngx_media_av1_tools(&b, out);
    ngx_media_av1_color(&b, out);

    return ngx_media_bits_eof(&b) ? NULL : end;
}


/* timing_info(), decoder_model_info() */

static void
ngx_media_av1_timing(ngx_media_bits_t *b, ngx_media_av1_seq_t *out,
    unsigned *delay_bits)
{
    uint32_t  ticks;
    uint64_t  den;

    out->fps_den = ngx_media_bits_u(b, 32);
    out->fps_num = ngx_media_bits_u(b, 32);

    /* without equal intervals this is only the clock */

    if (ngx_media_bits_flag(b)) {
        ticks = ngx_media_bits_ue(b);
        den = (uint64_t) out->fps_den * ((uint64_t) ticks + 1);

    } else {
        den = 0;
    }

    if (den == 0 || den > 0xffffffff || out->fps_num == 0) {
        out->fps_num = 0;
        den = 0;
    }

    out->fps_den = (uint32_t) den;

    if (ngx_media_bits_flag(b)) {
        *delay_bits = ngx_media_bits_u(b, 5) + 1;
        ngx_media_bits_skip(b, 32 + 5 + 5);
    }
}


/* The operating points; the first one counts. */

static void
ngx_media_av1_points(ngx_media_bits_t *b, ngx_media_av1_seq_t *out,
    unsigned delay_bits)
{
    unsigned  i, n, display_delay, level, tier;

    display_delay = ngx_media_bits_flag(b);
    n = ngx_media_bits_u(b, 5) + 1;

    for (i = 0; i < n; i++) {
        ngx_media_bits_skip(b, 12);          /* operating_point_idc */

        level = ngx_media_bits_u(b, 5);
        tier = level > 7 ? ngx_media_bits_flag(b) : 0;

        if (i == 0) {
            out->level = (uint8_t) level;
            out->tier = (uint8_t) tier;
        }

        if (delay_bits && ngx_media_bits_flag(b)) {
            ngx_media_bits_skip(b, delay_bits * 2 + 1);
        }

        if (display_delay && ngx_media_bits_flag(b)) {
            ngx_media_bits_skip(b, 4);
        }
    }
}


/* From the frame id to restoration: only to be stepped over. */

static void
ngx_media_av1_tools(ngx_media_bits_t *b, ngx_media_av1_seq_t *out)
{
    unsigned  order_hint, screen;

    if (!out->reduced_header && ngx_media_bits_flag(b)) {
        ngx_media_bits_skip(b, 7);           /* frame id lengths */
    }

    ngx_media_bits_skip(b, 3);               /* superblock, intra tools */

    if (!out->reduced_header) {
        ngx_media_bits_skip(b, 4);           /* inter tools */
        order_hint = ngx_media_bits_flag(b);

        if (order_hint) {
            ngx_media_bits_skip(b, 2);
        }

        /* seq_choose_screen_content_tools, seq_force_... */

        screen = ngx_media_bits_flag(b) ? 2 : ngx_media_bits_flag(b);

        if (screen && !ngx_media_bits_flag(b)) {
            ngx_media_bits_skip(b, 1);       /* seq_force_integer_mv */
        }

        if (order_hint) {
            ngx_media_bits_skip(b, 3);       /* order_hint_bits */
        }
    }

    ngx_media_bits_skip(b, 3);               /* superres, cdef, restoration */
}


static void
ngx_media_av1_color(ngx_media_bits_t *b, ngx_media_av1_seq_t *out)
{
    unsigned  high;

    high = ngx_media_bits_flag(b);

    out->bit_depth = high ? 10 : 8;

    if (high && out->profile == 2 && ngx_media_bits_flag(b)) {
        out->bit_depth = 12;
    }

    if (out->profile != 1) {
        out->monochrome = (uint8_t) ngx_media_bits_flag(b);
    }

    out->color_primaries = 2;
    out->color_transfer = 2;
    out->color_matrix = 2;

    if (ngx_media_bits_flag(b)) {
        out->color_primaries = (uint8_t) ngx_media_bits_u(b, 8);
        out->color_transfer = (uint8_t) ngx_media_bits_u(b, 8);
        out->color_matrix = (uint8_t) ngx_media_bits_u(b, 8);
    }

    if (!out->monochrome && out->color_primaries == 1
        && out->color_transfer == 13 && out->color_matrix == 0)
    {
        out->color_full_range = 1;           /* sRGB */
        return;
    }

    out->color_full_range = (uint8_t) ngx_media_bits_flag(b);

    if (out->monochrome || out->profile == 0) {
        out->subsampling_x = 1;
        out->subsampling_y = 1;

    } else if (out->profile == 2 && out->bit_depth == 12) {
        out->subsampling_x = (uint8_t) ngx_media_bits_flag(b);

        if (out->subsampling_x) {
            out->subsampling_y = (uint8_t) ngx_media_bits_flag(b);
        }

    } else if (out->profile == 2) {
        out->subsampling_x = 1;
    }
}


int
ngx_media_av1_is_key(const u_char *pos, const u_char *end)
{
    ngx_media_av1_obu_t  obu;
    ngx_media_av1_seq_t  seq;

    seq.reduced_header = 0;

    while (pos != end) {
        pos = ngx_media_av1_obu_next(pos, end, &obu);

        if (pos == NULL) {
            return 0;
        }

        switch (obu.type) {

        case NGX_MEDIA_AV1_OBU_SEQUENCE:

            if (ngx_media_av1_seq_parse(obu.data, obu.data + obu.size, &seq)
                == NULL)
            {
                return 0;
            }

            break;

        case NGX_MEDIA_AV1_OBU_FRAME_HEADER:
        case NGX_MEDIA_AV1_OBU_FRAME:

            if (seq.reduced_header) {
                return 1;
            }

            /* show_existing_frame, then frame_type: 0 is a key frame */

            return obu.size && (obu.data[0] & 0xe0) == 0;

        default:
            break;
        }
    }

    return 0;
}
