
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: H.265 parameter sets and access units.  See ngx_media_hevc.h.
 * Sources: ISO/IEC 14496-15 8.3.3.1, H.265 7.3.2, 7.3.3, 7.3.4, 7.3.7,
 * 7.4.2.2, E.2.1.
 */


#include "ngx_media_hevc.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_HEVC_CONFIG_SIZE   23
#define NGX_MEDIA_HEVC_MAX_SIZE      16384
#define NGX_MEDIA_HEVC_MAX_RPS       64
#define NGX_MEDIA_HEVC_MAX_DELTA     32
#define NGX_MEDIA_HEVC_SAR_EXTENDED  255


static const u_char *ngx_media_hevc_array(const u_char *pos,
    const u_char *end, unsigned type, unsigned *n, ngx_media_nal_t *nal);
static void ngx_media_hevc_ptl(ngx_media_bits_t *b, unsigned layers,
    ngx_media_hevc_sps_t *out);
static uint8_t ngx_media_hevc_ordering(ngx_media_bits_t *b, unsigned layers);
static int ngx_media_hevc_sps_size(ngx_media_bits_t *b,
    ngx_media_hevc_sps_t *out);
static void ngx_media_hevc_sps_coding(ngx_media_bits_t *b);
static void ngx_media_hevc_scaling(ngx_media_bits_t *b);
static void ngx_media_hevc_sps_refs(ngx_media_bits_t *b, unsigned poc_bits);
static unsigned ngx_media_hevc_rps(ngx_media_bits_t *b, unsigned idx,
    unsigned prev);
static void ngx_media_hevc_vui(ngx_media_bits_t *b,
    ngx_media_hevc_sps_t *out);
static void ngx_media_hevc_timing(ngx_media_bits_t *b, uint32_t *num,
    uint32_t *den);
static u_char *ngx_media_hevc_put_array(u_char *p, unsigned type,
    const ngx_media_nal_t *nal);


const u_char *
ngx_media_hevc_config_parse(const u_char *pos, const u_char *end,
    ngx_media_hevc_config_t *out)
{
    unsigned         i, n;
    const u_char    *p;
    ngx_media_nal_t  nal;

    memset(out, 0, sizeof(ngx_media_hevc_config_t));

    /* early writers put 0 as the version */

    if ((size_t) (end - pos) < NGX_MEDIA_HEVC_CONFIG_SIZE || pos[0] > 1) {
        return NULL;
    }

    out->profile_space = pos[1] >> 6;
    out->tier = (pos[1] >> 5) & 1;
    out->profile = pos[1] & 0x1f;
    out->compat = ngx_media_get_be32(pos + 2);
    out->constraints = (uint64_t) ngx_media_get_be32(pos + 6) << 16
                       | ngx_media_get_be16(pos + 10);
    out->level = pos[12];
    out->chroma = pos[16] & 3;
    out->bit_depth = (uint8_t) (8 + (pos[17] & 7));
    out->bit_depth_chroma = (uint8_t) (8 + (pos[18] & 7));
    out->temporal_layers = (pos[21] >> 3) & 7;
    out->nal_size = (uint8_t) ((pos[21] & 3) + 1);
    out->narrays = pos[22];
    out->arrays = pos + NGX_MEDIA_HEVC_CONFIG_SIZE;

    p = out->arrays;

    for (i = 0; i < out->narrays; i++) {
        n = 0x10000;
        p = ngx_media_hevc_array(p, end, 0xff, &n, &nal);
        if (p == NULL) {
            return NULL;
        }
    }

    out->arrays_end = p;

    return p;
}


/*
 * Walks one array; counts n down over the NALs of the type and, where it was
 * 0, hands out the NAL and leaves ~0 in n.
 */

static const u_char *
ngx_media_hevc_array(const u_char *pos, const u_char *end, unsigned type,
    unsigned *n, ngx_media_nal_t *nal)
{
    unsigned         count, match;
    ngx_media_nal_t  cur;

    if ((size_t) (end - pos) < 3) {
        return NULL;
    }

    match = (pos[0] & 0x3fu) == type;
    count = ngx_media_get_be16(pos + 1);
    pos += 3;

    while (count--) {
        pos = ngx_media_nal_next_set(pos, end, &cur);

        if (pos == NULL) {
            return NULL;
        }

        if (match && (*n)-- == 0) {
            *nal = cur;
            return pos;
        }
    }

    return pos;
}


int
ngx_media_hevc_config_set(const ngx_media_hevc_config_t *config,
    unsigned type, unsigned n, ngx_media_nal_t *nal)
{
    unsigned       i;
    const u_char  *p;

    p = config->arrays;

    for (i = 0; i < config->narrays; i++) {
        p = ngx_media_hevc_array(p, config->arrays_end, type, &n, nal);

        if (p == NULL) {
            break;
        }

        if (n == (unsigned) -1) {
            return NGX_MEDIA_OK;
        }
    }

    nal->data = NULL;
    nal->size = 0;

    return NGX_MEDIA_DECLINED;
}


/* profile_tier_level() */

static void
ngx_media_hevc_ptl(ngx_media_bits_t *b, unsigned layers,
    ngx_media_hevc_sps_t *out)
{
    unsigned  i, profile, level;

    out->profile_space = (uint8_t) ngx_media_bits_u(b, 2);
    out->tier = (uint8_t) ngx_media_bits_u(b, 1);
    out->profile = (uint8_t) ngx_media_bits_u(b, 5);
    out->compat = ngx_media_bits_u(b, 32);
    out->constraints = ngx_media_bits_u64(b, 48);
    out->level = (uint8_t) ngx_media_bits_u(b, 8);

    profile = 0;
    level = 0;

    for (i = 1; i < layers; i++) {
        profile = profile << 1 | ngx_media_bits_flag(b);
        level = level << 1 | ngx_media_bits_flag(b);
    }

    if (layers > 1) {
        ngx_media_bits_skip(b, (9 - layers) * 2);
    }

    for (i = layers - 1; i > 0; i--) {

        if (profile >> (i - 1) & 1) {
            ngx_media_bits_skip(b, 88);
        }

        if (level >> (i - 1) & 1) {
            ngx_media_bits_skip(b, 8);
        }
    }
}


/* The reorder depth of the highest layer. */

static uint8_t
ngx_media_hevc_ordering(ngx_media_bits_t *b, unsigned layers)
{
    unsigned  i, n;
    uint32_t  reorder;

    n = ngx_media_bits_flag(b) ? layers : 1;
    reorder = 0;

    for (i = 0; i < n; i++) {
        (void) ngx_media_bits_ue(b);
        reorder = ngx_media_bits_ue(b);
        (void) ngx_media_bits_ue(b);
    }

    return reorder > 16 ? 16 : (uint8_t) reorder;
}


const u_char *
ngx_media_hevc_vps_parse(const u_char *pos, const u_char *end,
    ngx_media_hevc_vps_t *out)
{
    unsigned              layer_id;
    uint32_t              sets;
    ngx_media_bits_t      b;
    ngx_media_hevc_sps_t  ptl;

    memset(out, 0, sizeof(ngx_media_hevc_vps_t));

    if ((size_t) (end - pos) < 3
        || ngx_media_hevc_nal_type(pos[0]) != NGX_MEDIA_HEVC_NAL_VPS)
    {
        return NULL;
    }

    ngx_media_bits_init_rbsp(&b, pos + 2, end);

    out->id = (uint8_t) ngx_media_bits_u(&b, 4);
    ngx_media_bits_skip(&b, 8);              /* base layer flags, layers */
    out->temporal_layers = (uint8_t) (ngx_media_bits_u(&b, 3) + 1);
    ngx_media_bits_skip(&b, 17);             /* nesting, reserved */

    ngx_media_hevc_ptl(&b, out->temporal_layers, &ptl);

    out->profile = ptl.profile;
    out->tier = ptl.tier;
    out->level = ptl.level;

    (void) ngx_media_hevc_ordering(&b, out->temporal_layers);

    layer_id = ngx_media_bits_u(&b, 6);
    sets = ngx_media_bits_ue(&b);

    if (sets > 1023) {
        return NULL;
    }

    ngx_media_bits_skip(&b, (size_t) sets * (layer_id + 1));

    if (ngx_media_bits_flag(&b)) {
        ngx_media_hevc_timing(&b, &out->fps_num, &out->fps_den);
    }

    return ngx_media_bits_eof(&b) ? NULL : end;
}


const u_char *
ngx_media_hevc_sps_parse(const u_char *pos, const u_char *end,
    ngx_media_hevc_sps_t *out)
{
    uint32_t          poc_bits;
    ngx_media_bits_t  b;

    memset(out, 0, sizeof(ngx_media_hevc_sps_t));

    out->color_primaries = 2;
    out->color_transfer = 2;
    out->color_matrix = 2;

    if ((size_t) (end - pos) < 3
        || ngx_media_hevc_nal_type(pos[0]) != NGX_MEDIA_HEVC_NAL_SPS)
    {
        return NULL;
    }

    ngx_media_bits_init_rbsp(&b, pos + 2, end);

    ngx_media_bits_skip(&b, 4);              /* sps_video_parameter_set_id */
    out->temporal_layers = (uint8_t) (ngx_media_bits_u(&b, 3) + 1);
    ngx_media_bits_skip(&b, 1);

    ngx_media_hevc_ptl(&b, out->temporal_layers, out);

    (void) ngx_media_bits_ue(&b);            /* sps_seq_parameter_set_id */

    if (ngx_media_hevc_sps_size(&b, out) != 0) {
        return NULL;
    }

    poc_bits = ngx_media_bits_ue(&b) + 4;

    out->max_reorder = ngx_media_hevc_ordering(&b, out->temporal_layers);

    if (ngx_media_bits_eof(&b) || poc_bits > 16) {
        return NULL;
    }

    ngx_media_hevc_sps_coding(&b);
    ngx_media_hevc_sps_refs(&b, poc_bits);

    ngx_media_bits_skip(&b, 2);              /* temporal mvp, smoothing */

    if (!ngx_media_bits_eof(&b) && ngx_media_bits_flag(&b)) {
        ngx_media_hevc_vui(&b, out);
    }

    return ngx_media_bits_eof(&b) ? NULL : end;
}


static int
ngx_media_hevc_sps_size(ngx_media_bits_t *b, ngx_media_hevc_sps_t *out)
{
    uint32_t  width, height, left, right, top, bottom, ux, uy;

    out->chroma = (uint8_t) (ngx_media_bits_ue(b) & 3);

    if (out->chroma == 3) {
        ngx_media_bits_skip(b, 1);           /* separate_colour_plane_flag */
    }

    width = ngx_media_bits_ue(b);
    height = ngx_media_bits_ue(b);

    if (width == 0 || width > NGX_MEDIA_HEVC_MAX_SIZE
        || height == 0 || height > NGX_MEDIA_HEVC_MAX_SIZE)
    {
        return -1;
    }

    if (ngx_media_bits_flag(b)) {
        left = ngx_media_bits_ue(b);
        right = ngx_media_bits_ue(b);
        top = ngx_media_bits_ue(b);
        bottom = ngx_media_bits_ue(b);

        ux = out->chroma == 1 || out->chroma == 2 ? 2 : 1;
        uy = out->chroma == 1 ? 2 : 1;

        if ((uint64_t) left + right >= (width + ux - 1) / ux
            || (uint64_t) top + bottom >= (height + uy - 1) / uy)
        {
            return -1;
        }

        width -= (left + right) * ux;
        height -= (top + bottom) * uy;
    }

    out->width = (uint16_t) width;
    out->height = (uint16_t) height;
    out->bit_depth = (uint8_t) (8 + (ngx_media_bits_ue(b) & 7));
    out->bit_depth_chroma = (uint8_t) (8 + (ngx_media_bits_ue(b) & 7));

    return 0;
}


static void
ngx_media_hevc_sps_coding(ngx_media_bits_t *b)
{
    unsigned  i;

    for (i = 0; i < 6; i++) {
        (void) ngx_media_bits_ue(b);         /* block sizes, hierarchy */
    }

    if (ngx_media_bits_flag(b) && ngx_media_bits_flag(b)) {
        ngx_media_hevc_scaling(b);
    }

    ngx_media_bits_skip(b, 2);               /* amp, sao */

    if (ngx_media_bits_flag(b)) {
        ngx_media_bits_skip(b, 8);           /* pcm depths */
        (void) ngx_media_bits_ue(b);
        (void) ngx_media_bits_ue(b);
        ngx_media_bits_skip(b, 1);
    }
}


/* scaling_list_data() */

static void
ngx_media_hevc_scaling(ngx_media_bits_t *b)
{
    unsigned  size, matrix, i, n;

    for (size = 0; size < 4; size++) {
        for (matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {

            if (!ngx_media_bits_flag(b)) {
                (void) ngx_media_bits_ue(b);
                continue;
            }

            n = size == 0 ? 16 : 64;

            if (size > 1) {
                n++;                         /* the DC coefficient */
            }

            for (i = 0; i < n; i++) {
                (void) ngx_media_bits_se(b);
            }
        }
    }
}


static void
ngx_media_hevc_sps_refs(ngx_media_bits_t *b, unsigned poc_bits)
{
    unsigned  i, n, prev;

    n = ngx_media_bits_ue(b);

    if (n > NGX_MEDIA_HEVC_MAX_RPS) {
        b->eof = 1;
        return;
    }

    prev = 0;

    for (i = 0; i < n; i++) {
        prev = ngx_media_hevc_rps(b, i, prev);
    }

    if (ngx_media_bits_flag(b)) {
        n = ngx_media_bits_ue(b);

        if (n > 32) {
            b->eof = 1;
            return;
        }

        ngx_media_bits_skip(b, n * (poc_bits + 1));
    }
}


/* st_ref_pic_set(): how many pictures it holds; prev: the one before. */

static unsigned
ngx_media_hevc_rps(ngx_media_bits_t *b, unsigned idx, unsigned prev)
{
    unsigned  i, n, neg, positive;

    if (idx && ngx_media_bits_flag(b)) {
        ngx_media_bits_skip(b, 1);           /* delta_rps_sign */
        (void) ngx_media_bits_ue(b);

        n = 0;

        for (i = 0; i <= prev; i++) {

            /* used_by_curr_pic_flag, use_delta_flag */

            if (ngx_media_bits_flag(b) || ngx_media_bits_flag(b)) {
                n++;
            }
        }

    } else {
        neg = ngx_media_bits_ue(b);
        positive = ngx_media_bits_ue(b);

        if (neg > 16 || positive > 16) {
            b->eof = 1;
            return 0;
        }

        n = neg + positive;

        for (i = 0; i < n; i++) {
            (void) ngx_media_bits_ue(b);
            ngx_media_bits_skip(b, 1);
        }
    }

    if (n > NGX_MEDIA_HEVC_MAX_DELTA) {
        b->eof = 1;
        return 0;
    }

    return n;
}


static void
ngx_media_hevc_vui(ngx_media_bits_t *b, ngx_media_hevc_sps_t *out)
{
    unsigned  idc;

    if (ngx_media_bits_flag(b)) {

        idc = ngx_media_bits_u(b, 8);

        if (idc == NGX_MEDIA_HEVC_SAR_EXTENDED) {
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

    ngx_media_bits_skip(b, 3);               /* neutral, field, info */

    if (ngx_media_bits_flag(b)) {
        (void) ngx_media_bits_ue(b);         /* default display window */
        (void) ngx_media_bits_ue(b);
        (void) ngx_media_bits_ue(b);
        (void) ngx_media_bits_ue(b);
    }

    if (ngx_media_bits_flag(b)) {
        ngx_media_hevc_timing(b, &out->fps_num, &out->fps_den);
    }
}


static void
ngx_media_hevc_timing(ngx_media_bits_t *b, uint32_t *num, uint32_t *den)
{
    *den = ngx_media_bits_u(b, 32);
    *num = ngx_media_bits_u(b, 32);

    if (*den == 0 || *num == 0 || ngx_media_bits_eof(b)) {
        *den = 0;
        *num = 0;
    }
}


const u_char *
ngx_media_hevc_frame_parse(const u_char *pos, const u_char *end,
    unsigned nal_size, ngx_media_hevc_frame_t *out)
{
    unsigned         type;
    uint32_t         count;
    ngx_media_nal_t  nal;

    memset(out, 0, sizeof(ngx_media_hevc_frame_t));

    out->first_type = 255;
    out->reference = 1;

    while (pos != end) {
        pos = ngx_media_nal_next(pos, end, nal_size, &nal);

        if (pos == NULL) {
            return NULL;
        }

        if (nal.size < 2) {
            continue;
        }

        out->nals++;

        type = ngx_media_hevc_nal_type(nal.data[0]);

        if (type < NGX_MEDIA_HEVC_NAL_VPS) {

            if (out->first_type == 255) {
                out->first_type = (uint8_t) type;
                out->reference = type >= 16 || (type & 1);
            }

            if (type >= NGX_MEDIA_HEVC_NAL_BLA_W_LP
                && type <= NGX_MEDIA_HEVC_NAL_IRAP_LAST)
            {
                out->irap = 1;
            }

            if (type == NGX_MEDIA_HEVC_NAL_IDR_W_RADL
                || type == NGX_MEDIA_HEVC_NAL_IDR_N_LP)
            {
                out->idr = 1;
            }

        } else if (type == NGX_MEDIA_HEVC_NAL_VPS) {
            out->vps = 1;

        } else if (type == NGX_MEDIA_HEVC_NAL_SPS) {
            out->sps = 1;

        } else if (type == NGX_MEDIA_HEVC_NAL_PPS) {
            out->pps = 1;

        } else if (type == NGX_MEDIA_HEVC_NAL_SEI_PREFIX
                   && ngx_media_nal_sei_recovery(nal.data + 2,
                                                 nal.data + nal.size, &count))
        {
            out->recovery = 1;
            out->recovery_pocs = count;
        }
    }

    return end;
}


ssize_t
ngx_media_hevc_config_write(const ngx_media_nal_t *vps,
    const ngx_media_nal_t *sps, const ngx_media_nal_t *pps,
    unsigned nal_size, u_char *out, size_t size)
{
    u_char                *p;
    ngx_media_hevc_sps_t   info;

    if (nal_size < 1 || nal_size > 4 || vps->size < 2 || vps->size > 0xffff
        || sps->size > 0xffff || pps->size < 2 || pps->size > 0xffff
        || ngx_media_hevc_sps_parse(sps->data, sps->data + sps->size, &info)
           == NULL
        || size < NGX_MEDIA_HEVC_CONFIG_SIZE + 15 + vps->size + sps->size
                  + pps->size)
    {
        return -1;
    }

    p = out;

    *p++ = 1;
    *p++ = (u_char) (info.profile_space << 6 | info.tier << 5 | info.profile);
    p = ngx_media_put_be32(p, info.compat);
    p = ngx_media_put_be32(p, (uint32_t) (info.constraints >> 16));
    p = ngx_media_put_be16(p, (uint32_t) (info.constraints & 0xffff));
    *p++ = info.level;
    p = ngx_media_put_be16(p, 0xf000);       /* segmentation: not told */
    *p++ = 0xfc;                             /* parallelism: not told */
    *p++ = (u_char) (0xfc | info.chroma);
    *p++ = (u_char) (0xf8 | (info.bit_depth - 8));
    *p++ = (u_char) (0xf8 | (info.bit_depth_chroma - 8));
    p = ngx_media_put_be16(p, 0);            /* frame rate: not told */
    *p++ = (u_char) ((info.temporal_layers & 7) << 3 | 4 | (nal_size - 1));
    *p++ = 3;

    p = ngx_media_hevc_put_array(p, NGX_MEDIA_HEVC_NAL_VPS, vps);
    p = ngx_media_hevc_put_array(p, NGX_MEDIA_HEVC_NAL_SPS, sps);
    p = ngx_media_hevc_put_array(p, NGX_MEDIA_HEVC_NAL_PPS, pps);

    return p - out;
}


static u_char *
ngx_media_hevc_put_array(u_char *p, unsigned type, const ngx_media_nal_t *nal)
{
    *p++ = (u_char) (0x80 | type);
    p = ngx_media_put_be16(p, 1);
    p = ngx_media_put_be16(p, (uint32_t) nal->size);

    return ngx_media_put(p, nal->data, nal->size);
}
