
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: VP8 and VP9 headers, vpcC.  See ngx_media_vpx.h.
 * Sources: RFC 6386 9.1, 19.1; VP9 bitstream specification 6.2, 7.2;
 * VP codec ISO media file format binding, "VP Codec Configuration Box".
 */


#include "ngx_media_vpx.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_VP9_SYNC   0x498342
#define NGX_MEDIA_VP9_SRGB   7


static void ngx_media_vp9_color(ngx_media_bits_t *b,
    ngx_media_vpx_frame_t *out);


const u_char *
ngx_media_vp8_parse(const u_char *pos, const u_char *end,
    ngx_media_vpx_frame_t *out)
{
    memset(out, 0, sizeof(ngx_media_vpx_frame_t));

    if ((size_t) (end - pos) < 3) {
        return NULL;
    }

    out->key = !(pos[0] & 1);
    out->profile = (pos[0] >> 1) & 7;
    out->show = (pos[0] >> 4) & 1;

    if (!out->key) {
        return pos + 3;
    }

    if ((size_t) (end - pos) < 10
        || pos[3] != 0x9d || pos[4] != 0x01 || pos[5] != 0x2a)
    {
        return NULL;
    }

    out->bit_depth = 8;
    out->chroma = 1;
    out->width = (uint16_t) ((pos[7] & 0x3f) << 8 | pos[6]);
    out->height = (uint16_t) ((pos[9] & 0x3f) << 8 | pos[8]);

    return pos + 10;
}


const u_char *
ngx_media_vp9_parse(const u_char *pos, const u_char *end,
    ngx_media_vpx_frame_t *out)
{
    unsigned          low;
    uint32_t          width, height;
    ngx_media_bits_t  b;

    memset(out, 0, sizeof(ngx_media_vpx_frame_t));

    ngx_media_bits_init(&b, pos, end);

    if (ngx_media_bits_u(&b, 2) != 2) {
        return NULL;
    }

    low = ngx_media_bits_flag(&b);
    out->profile = (uint8_t) (ngx_media_bits_flag(&b) << 1 | low);

    if (out->profile == 3) {
        ngx_media_bits_skip(&b, 1);
    }

    if (ngx_media_bits_flag(&b)) {           /* show_existing_frame */
        ngx_media_bits_skip(&b, 3);
        out->show = 1;
        return ngx_media_bits_eof(&b) ? NULL : b.pos;
    }

    out->key = !ngx_media_bits_flag(&b);
    out->show = (uint8_t) ngx_media_bits_flag(&b);
    ngx_media_bits_skip(&b, 1);              /* error_resilient_mode */

    if (out->key) {

        if (ngx_media_bits_u(&b, 24) != NGX_MEDIA_VP9_SYNC) {
            return NULL;
        }

        ngx_media_vp9_color(&b, out);

        width = ngx_media_bits_u(&b, 16) + 1;
        height = ngx_media_bits_u(&b, 16) + 1;

        out->width = (uint16_t) (width > 65535 ? 65535 : width);
        out->height = (uint16_t) (height > 65535 ? 65535 : height);
    }

    return ngx_media_bits_eof(&b) ? NULL : b.pos;
}


static void
ngx_media_vp9_color(ngx_media_bits_t *b, ngx_media_vpx_frame_t *out)
{
    unsigned  x, y;

    out->bit_depth = 8;

    if (out->profile >= 2) {
        out->bit_depth = ngx_media_bits_flag(b) ? 12 : 10;
    }

    if (ngx_media_bits_u(b, 3) == NGX_MEDIA_VP9_SRGB) {
        out->full_range = 1;
        out->chroma = 3;

        if (out->profile & 1) {
            ngx_media_bits_skip(b, 1);
        }

        return;
    }

    out->full_range = (uint8_t) ngx_media_bits_flag(b);
    out->chroma = 1;

    if (out->profile & 1) {
        x = ngx_media_bits_flag(b);
        y = ngx_media_bits_flag(b);
        ngx_media_bits_skip(b, 1);

        out->chroma = x ? (y ? 1 : 2) : 3;
    }
}


const u_char *
ngx_media_vpx_config_parse(const u_char *pos, const u_char *end,
    ngx_media_vpx_config_t *out)
{
    memset(out, 0, sizeof(ngx_media_vpx_config_t));

    /* version 1 and flags 0 of a FullBox: no bit depth is 0 */

    if ((size_t) (end - pos) >= 12 && ngx_media_get_be32(pos) == 0x01000000) {
        pos += 4;
    }

    if ((size_t) (end - pos) < 6) {
        return NULL;
    }

    out->profile = pos[0];
    out->level = pos[1];
    out->bit_depth = pos[2] >> 4;
    out->color_full_range = pos[2] & 1;
    out->color_primaries = pos[3];
    out->color_transfer = pos[4];
    out->color_matrix = pos[5];

    switch ((pos[2] >> 1) & 7) {

    case 0:
    case 1:
        out->chroma = 1;
        break;

    case 2:
        out->chroma = 2;
        break;

    default:
        out->chroma = 3;
        break;
    }

    if (out->profile > 3 || out->bit_depth < 8 || out->bit_depth > 12) {
        return NULL;
    }

    return end;
}


uint8_t
ngx_media_vp9_level(uint32_t width, uint32_t height, uint32_t fps_num,
    uint32_t fps_den)
{
    uint64_t  size, rate;
    unsigned  i;

    static const struct {
        uint32_t  rate;         /* luma samples a second, in thousands */
        uint32_t  size;         /* luma samples of a picture */
        uint8_t   level;
    } levels[] = {
        { 829, 36864, 10 },
        { 2764, 73728, 11 },
        { 4608, 122880, 20 },
        { 9216, 245760, 21 },
        { 20736, 552960, 30 },
        { 36864, 983040, 31 },
        { 83558, 2228224, 40 },
        { 160432, 2228224, 41 },
        { 311951, 8912896, 50 },
        { 588251, 8912896, 51 },
        { 1176502, 8912896, 52 },
        { 1176502, 35651584, 60 },
        { 2353004, 35651584, 61 }
    };

    size = (uint64_t) width * height;

    if (fps_num == 0 || fps_den == 0) {
        fps_num = 30;
        fps_den = 1;
    }

    rate = size * fps_num / fps_den / 1000;

    for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (size <= levels[i].size && rate <= levels[i].rate) {
            return levels[i].level;
        }
    }

    return 62;
}
