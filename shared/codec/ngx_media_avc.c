
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: H.264 parameter sets and access units.  See ngx_media_avc.h.
 * Sources: ISO/IEC 14496-15 5.3.3.1, H.264 7.3.2.1.1, 7.3.3, D.1, E.1.1.
 */


#include "ngx_media_avc.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_AVC_SAR_EXTENDED   255
#define NGX_MEDIA_AVC_MAX_SIZE       16384


static const u_char *ngx_media_avc_sets(const u_char *pos, const u_char *end,
    unsigned n);
static int ngx_media_avc_has_chroma(unsigned profile);
static void ngx_media_avc_sps_chroma(ngx_media_bits_t *b,
    ngx_media_avc_sps_t *out);
static void ngx_media_avc_scaling_list(ngx_media_bits_t *b, unsigned size);
static void ngx_media_avc_sps_poc(ngx_media_bits_t *b,
    ngx_media_avc_sps_t *out);
static int ngx_media_avc_sps_size(ngx_media_bits_t *b,
    ngx_media_avc_sps_t *out);
static void ngx_media_avc_vui(ngx_media_bits_t *b, ngx_media_avc_sps_t *out);
static void ngx_media_avc_vui_tail(ngx_media_bits_t *b,
    ngx_media_avc_sps_t *out);
static void ngx_media_avc_hrd(ngx_media_bits_t *b);
static void ngx_media_avc_slice(const ngx_media_nal_t *nal,
    ngx_media_avc_frame_t *out);


const u_char *
ngx_media_avc_config_parse(const u_char *pos, const u_char *end,
    ngx_media_avc_config_t *out)
{
    memset(out, 0, sizeof(ngx_media_avc_config_t));

    if ((size_t) (end - pos) < 7 || pos[0] != 1) {
        return NULL;
    }

    out->profile = pos[1];
    out->compat = pos[2];
    out->level = pos[3];
    out->nal_size = (uint8_t) ((pos[4] & 3) + 1);
    out->nsps = pos[5] & 0x1f;
    out->sps = pos + 6;

    pos = ngx_media_avc_sets(out->sps, end, out->nsps);

    if (pos == NULL || pos == end) {
        return NULL;
    }

    out->sps_end = pos;
    out->npps = *pos++;
    out->pps = pos;

    pos = ngx_media_avc_sets(pos, end, out->npps);

    if (pos == NULL) {
        return NULL;
    }

    out->pps_end = pos;

    return pos;
}


static const u_char *
ngx_media_avc_sets(const u_char *pos, const u_char *end, unsigned n)
{
    ngx_media_nal_t  nal;

    while (n--) {
        pos = ngx_media_nal_next_set(pos, end, &nal);
        if (pos == NULL) {
            return NULL;
        }
    }

    return pos;
}


static int
ngx_media_avc_has_chroma(unsigned profile)
{
    switch (profile) {

    case 44:
    case 83:
    case 86:
    case 100:
    case 110:
    case 118:
    case 122:
    case 128:
    case 134:
    case 135:
    case 138:
    case 139:
    case 244:
        return 1;

    default:
        return 0;
    }
}


const u_char *
ngx_media_avc_sps_parse(const u_char *pos, const u_char *end,
    ngx_media_avc_sps_t *out)
{
    ngx_media_bits_t  b;

    memset(out, 0, sizeof(ngx_media_avc_sps_t));

    out->chroma = 1;
    out->bit_depth = 8;
    out->bit_depth_chroma = 8;
    out->max_reorder = 255;
    out->color_primaries = 2;
    out->color_transfer = 2;
    out->color_matrix = 2;

    if ((size_t) (end - pos) < 5
        || ngx_media_avc_nal_type(pos[0]) != NGX_MEDIA_AVC_NAL_SPS)
    {
        return NULL;
    }

    ngx_media_bits_init_rbsp(&b, pos + 1, end);

    out->profile = (uint8_t) ngx_media_bits_u(&b, 8);
    out->compat = (uint8_t) ngx_media_bits_u(&b, 8);
    out->level = (uint8_t) ngx_media_bits_u(&b, 8);

    if (ngx_media_bits_ue(&b) > 31) {
        return NULL;
    }

    if (ngx_media_avc_has_chroma(out->profile)) {
        ngx_media_avc_sps_chroma(&b, out);
    }

    (void) ngx_media_bits_ue(&b);            /* log2_max_frame_num_minus4 */

    ngx_media_avc_sps_poc(&b, out);

    out->num_ref_frames = (uint8_t) ngx_media_bits_ue(&b);
    ngx_media_bits_skip(&b, 1);              /* gaps_in_frame_num */

    if (ngx_media_avc_sps_size(&b, out) != 0 || ngx_media_bits_eof(&b)) {
        return NULL;
    }

    /* without B frames pictures leave in the order they come */

    out->bframes = out->profile != 66 && out->poc_type != 2;

    if (ngx_media_bits_flag(&b)) {
        ngx_media_avc_vui(&b, out);
    }

    if (ngx_media_bits_eof(&b)) {
        return NULL;
    }

    if (out->max_reorder == 0) {
        out->bframes = 0;
    }

    return end;
}


static void
ngx_media_avc_sps_chroma(ngx_media_bits_t *b, ngx_media_avc_sps_t *out)
{
    unsigned  i, n;

    out->chroma = (uint8_t) (ngx_media_bits_ue(b) & 3);

    if (out->chroma == 3) {
        ngx_media_bits_skip(b, 1);           /* separate_colour_plane_flag */
    }

    out->bit_depth = (uint8_t) (8 + (ngx_media_bits_ue(b) & 7));
    out->bit_depth_chroma = (uint8_t) (8 + (ngx_media_bits_ue(b) & 7));
    ngx_media_bits_skip(b, 1);               /* transform_bypass */

    if (!ngx_media_bits_flag(b)) {
        return;
    }

    n = out->chroma == 3 ? 12 : 8;

    for (i = 0; i < n; i++) {
        if (ngx_media_bits_flag(b)) {
            ngx_media_avc_scaling_list(b, i < 6 ? 16 : 64);
        }
    }
}


static void
ngx_media_avc_scaling_list(ngx_media_bits_t *b, unsigned size)
{
    unsigned  i, last, next;

    last = 8;
    next = 8;

    for (i = 0; i < size; i++) {

        if (next != 0) {
            next = (last + (unsigned) ngx_media_bits_se(b)) & 0xff;
        }

        last = next == 0 ? last : next;
    }
}


static void
ngx_media_avc_sps_poc(ngx_media_bits_t *b, ngx_media_avc_sps_t *out)
{
    unsigned  i, n;

    out->poc_type = (uint8_t) ngx_media_bits_ue(b);

    if (out->poc_type == 0) {
        (void) ngx_media_bits_ue(b);         /* log2_max_poc_lsb_minus4 */

    } else if (out->poc_type == 1) {
        ngx_media_bits_skip(b, 1);
        (void) ngx_media_bits_se(b);
        (void) ngx_media_bits_se(b);
        n = ngx_media_bits_ue(b);

        if (n > 255) {
            b->eof = 1;
            return;
        }

        for (i = 0; i < n; i++) {
            (void) ngx_media_bits_se(b);
        }
    }
}


static int
ngx_media_avc_sps_size(ngx_media_bits_t *b, ngx_media_avc_sps_t *out)
{
    uint32_t  width, height, left, right, top, bottom, ux, uy;

    width = ngx_media_bits_ue(b);
    height = ngx_media_bits_ue(b);
    out->interlaced = !ngx_media_bits_flag(b);

    if (width >= NGX_MEDIA_AVC_MAX_SIZE / 16
        || height >= NGX_MEDIA_AVC_MAX_SIZE / 16)
    {
        return -1;
    }

    width = (width + 1) * 16;
    height = (height + 1) * 16 * (out->interlaced ? 2 : 1);

    if (out->interlaced) {
        ngx_media_bits_skip(b, 1);           /* mb_adaptive_frame_field */
    }

    ngx_media_bits_skip(b, 1);               /* direct_8x8_inference */

    if (ngx_media_bits_flag(b)) {
        left = ngx_media_bits_ue(b);
        right = ngx_media_bits_ue(b);
        top = ngx_media_bits_ue(b);
        bottom = ngx_media_bits_ue(b);

        ux = out->chroma == 1 || out->chroma == 2 ? 2 : 1;
        uy = (out->chroma == 1 ? 2 : 1) * (out->interlaced ? 2 : 1);

        if ((uint64_t) left + right >= width / ux
            || (uint64_t) top + bottom >= height / uy)
        {
            return -1;
        }

        width -= (left + right) * ux;
        height -= (top + bottom) * uy;
    }

    out->width = (uint16_t) width;
    out->height = (uint16_t) height;

    return 0;
}


static void
ngx_media_avc_vui(ngx_media_bits_t *b, ngx_media_avc_sps_t *out)
{
    unsigned  idc;

    if (ngx_media_bits_flag(b)) {

        idc = ngx_media_bits_u(b, 8);

        if (idc == NGX_MEDIA_AVC_SAR_EXTENDED) {
            out->sar_width = (uint16_t) ngx_media_bits_u(b, 16);
            out->sar_height = (uint16_t) ngx_media_bits_u(b, 16);

        } else {
            ngx_media_nal_sar(idc, &out->sar_width, &out->sar_height);
        }
    }

    if (ngx_media_bits_flag(b)) {
        ngx_media_bits_skip(b, 1);           /* overscan_appropriate_flag */
    }

    if (ngx_media_bits_flag(b)) {
        ngx_media_bits_skip(b, 3);           /* video_format */
        out->color_full_range = (uint8_t) ngx_media_bits_flag(b);

        if (ngx_media_bits_flag(b)) {
            out->color_primaries = (uint8_t) ngx_media_bits_u(b, 8);
            out->color_transfer = (uint8_t) ngx_media_bits_u(b, 8);
            out->color_matrix = (uint8_t) ngx_media_bits_u(b, 8);
        }
    }

    if (ngx_media_bits_flag(b)) {
        (void) ngx_media_bits_ue(b);         /* chroma_sample_loc */
        (void) ngx_media_bits_ue(b);
    }

    if (ngx_media_bits_flag(b)) {
        out->fps_den = ngx_media_bits_u(b, 32);
        out->fps_num = ngx_media_bits_u(b, 32);
        ngx_media_bits_skip(b, 1);           /* fixed_frame_rate_flag */

        /* a tick is a field */

        if (out->fps_den == 0 || out->fps_num == 0) {
            out->fps_den = 0;
            out->fps_num = 0;

        } else if (out->fps_num % 2 == 0) {
            out->fps_num /= 2;

        } else if (out->fps_den <= 0x7fffffff) {
            out->fps_den *= 2;

        } else {
            out->fps_num /= 2;
        }
    }

    ngx_media_avc_vui_tail(b, out);
}


static void
ngx_media_avc_vui_tail(ngx_media_bits_t *b, ngx_media_avc_sps_t *out)
{
    unsigned  nal, vcl;
    uint32_t  n;

    nal = ngx_media_bits_flag(b);

    if (nal) {
        ngx_media_avc_hrd(b);
    }

    vcl = ngx_media_bits_flag(b);

    if (vcl) {
        ngx_media_avc_hrd(b);
    }

    if (nal || vcl) {
        ngx_media_bits_skip(b, 1);           /* low_delay_hrd_flag */
    }

    ngx_media_bits_skip(b, 1);               /* pic_struct_present_flag */

    if (ngx_media_bits_flag(b)) {
        ngx_media_bits_skip(b, 1);           /* vectors over boundaries */
        (void) ngx_media_bits_ue(b);
        (void) ngx_media_bits_ue(b);
        (void) ngx_media_bits_ue(b);
        (void) ngx_media_bits_ue(b);

        n = ngx_media_bits_ue(b);            /* max_num_reorder_frames */

        (void) ngx_media_bits_ue(b);

        out->max_reorder = n > 16 ? 16 : (uint8_t) n;
    }
}


static void
ngx_media_avc_hrd(ngx_media_bits_t *b)
{
    uint32_t  i, n;

    n = ngx_media_bits_ue(b);                /* cpb_cnt_minus1 */

    if (n > 31) {
        b->eof = 1;
        return;
    }

    ngx_media_bits_skip(b, 8);

    for (i = 0; i <= n; i++) {
        (void) ngx_media_bits_ue(b);
        (void) ngx_media_bits_ue(b);
        ngx_media_bits_skip(b, 1);
    }

    ngx_media_bits_skip(b, 20);
}


const u_char *
ngx_media_avc_frame_parse(const u_char *pos, const u_char *end,
    unsigned nal_size, ngx_media_avc_frame_t *out)
{
    uint32_t         count;
    ngx_media_nal_t  nal;

    memset(out, 0, sizeof(ngx_media_avc_frame_t));

    out->slice_type = NGX_MEDIA_AVC_SLICE_NONE;

    while (pos != end) {
        pos = ngx_media_nal_next(pos, end, nal_size, &nal);

        if (pos == NULL) {
            return NULL;
        }

        if (nal.size == 0) {
            continue;
        }

        out->nals++;

        switch (ngx_media_avc_nal_type(nal.data[0])) {

        case NGX_MEDIA_AVC_NAL_IDR:
            out->idr = 1;
            /* fall through */

        case NGX_MEDIA_AVC_NAL_SLICE:
        case NGX_MEDIA_AVC_NAL_DPA:
            ngx_media_avc_slice(&nal, out);
            break;

        case NGX_MEDIA_AVC_NAL_SEI:

            if (ngx_media_nal_sei_recovery(nal.data + 1, nal.data + nal.size,
                                           &count))
            {
                out->recovery = 1;
                out->recovery_frames = count;
            }

            break;

        case NGX_MEDIA_AVC_NAL_SPS:
            out->sps = 1;
            break;

        case NGX_MEDIA_AVC_NAL_PPS:
            out->pps = 1;
            break;

        default:
            break;
        }
    }

    return end;
}


static void
ngx_media_avc_slice(const ngx_media_nal_t *nal, ngx_media_avc_frame_t *out)
{
    uint32_t          type;
    ngx_media_bits_t  b;

    if (out->slice_type != NGX_MEDIA_AVC_SLICE_NONE) {
        return;
    }

    ngx_media_bits_init_rbsp(&b, nal->data + 1, nal->data + nal->size);

    (void) ngx_media_bits_ue(&b);            /* first_mb_in_slice */
    type = ngx_media_bits_ue(&b);

    if (!ngx_media_bits_eof(&b) && type < 10) {
        out->slice_type = (uint8_t) (type % 5);
        out->ref_idc = (nal->data[0] >> 5) & 3;
    }
}


ssize_t
ngx_media_avc_config_write(const ngx_media_nal_t *sps,
    const ngx_media_nal_t *pps, unsigned nal_size, u_char *out, size_t size)
{
    u_char               *p;
    ngx_media_avc_sps_t   info;

    if (nal_size < 1 || nal_size > 4 || sps->size > 0xffff
        || pps->size > 0xffff || pps->size == 0
        || ngx_media_avc_sps_parse(sps->data, sps->data + sps->size, &info)
           == NULL
        || size < 11 + sps->size + pps->size + 4)
    {
        return -1;
    }

    p = out;

    *p++ = 1;
    *p++ = info.profile;
    *p++ = info.compat;
    *p++ = info.level;
    *p++ = (u_char) (0xfc | (nal_size - 1));
    *p++ = 0xe1;
    p = ngx_media_put_be16(p, (uint32_t) sps->size);
    p = ngx_media_put(p, sps->data, sps->size);
    *p++ = 1;
    p = ngx_media_put_be16(p, (uint32_t) pps->size);
    p = ngx_media_put(p, pps->data, pps->size);

    if (ngx_media_avc_has_chroma(info.profile)) {
        *p++ = (u_char) (0xfc | info.chroma);
        *p++ = (u_char) (0xf8 | (info.bit_depth - 8));
        *p++ = (u_char) (0xf8 | (info.bit_depth_chroma - 8));
        *p++ = 0;
    }

    return p - out;
}


ssize_t
ngx_media_avc_config_from_annexb(const u_char *pos, const u_char *end,
    u_char *out, size_t size)
{
    ngx_media_nal_t  nal, sps, pps;

    memset(&sps, 0, sizeof(ngx_media_nal_t));
    memset(&pps, 0, sizeof(ngx_media_nal_t));

    while ((pos = ngx_media_nal_next_annexb(pos, end, &nal)) != NULL) {

        if (nal.size == 0) {
            continue;
        }

        switch (ngx_media_avc_nal_type(nal.data[0])) {

        case NGX_MEDIA_AVC_NAL_SPS:
            sps = nal;
            break;

        case NGX_MEDIA_AVC_NAL_PPS:
            pps = nal;
            break;
        }
    }

    if (sps.size == 0 || pps.size == 0) {
        return -1;
    }

    return ngx_media_avc_config_write(&sps, &pps, 4, out, size);
}
