
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: H.265: decoder configuration (ISO/IEC 14496-15 8.3.3), video and
 * sequence parameter sets (H.265 7.3.2.1, 7.3.2.2, 7.3.3, Annex E), a look
 * at an access unit.  Parsers take (pos, end) and return the position after
 * what they read, or NULL where it is damaged or cut off.  Spans point into
 * the caller's bytes.
 */


#ifndef _NGX_MEDIA_HEVC_H_INCLUDED_
#define _NGX_MEDIA_HEVC_H_INCLUDED_


#include "ngx_media_nal.h"


#define NGX_MEDIA_HEVC_NAL_BLA_W_LP    16
#define NGX_MEDIA_HEVC_NAL_IDR_W_RADL  19
#define NGX_MEDIA_HEVC_NAL_IDR_N_LP    20
#define NGX_MEDIA_HEVC_NAL_CRA         21
#define NGX_MEDIA_HEVC_NAL_IRAP_LAST   23
#define NGX_MEDIA_HEVC_NAL_VPS         32
#define NGX_MEDIA_HEVC_NAL_SPS         33
#define NGX_MEDIA_HEVC_NAL_PPS         34
#define NGX_MEDIA_HEVC_NAL_AUD         35
#define NGX_MEDIA_HEVC_NAL_SEI_PREFIX  39

#define ngx_media_hevc_nal_type(b)     (((b) >> 1) & 0x3f)


typedef struct {
    uint8_t        profile_space;
    uint8_t        tier;
    uint8_t        profile;
    uint32_t       compat;          /* profile compatibility flags */
    uint64_t       constraints;     /* 48 bits */
    uint8_t        level;           /* 30 times the level */
    uint8_t        chroma;
    uint8_t        bit_depth;       /* luma */
    uint8_t        bit_depth_chroma;
    uint8_t        temporal_layers;
    uint8_t        nal_size;        /* 1..4 */
    uint8_t        narrays;
    const u_char  *arrays;          /* for ngx_media_hevc_config_next() */
    const u_char  *arrays_end;
} ngx_media_hevc_config_t;


typedef struct {
    uint8_t        id;
    uint8_t        temporal_layers;
    uint8_t        profile;
    uint8_t        tier;
    uint8_t        level;
    uint32_t       fps_num;         /* 0 where not told */
    uint32_t       fps_den;
} ngx_media_hevc_vps_t;


typedef struct {
    uint8_t        profile_space;
    uint8_t        tier;
    uint8_t        profile;
    uint32_t       compat;
    uint64_t       constraints;
    uint8_t        level;
    uint8_t        chroma;
    uint8_t        bit_depth;
    uint8_t        bit_depth_chroma;
    uint8_t        temporal_layers;
    uint8_t        max_reorder;     /* of the highest layer; 0: no B frames */
    uint8_t        color_primaries; /* 2 where not told */
    uint8_t        color_transfer;
    uint8_t        color_matrix;
    uint8_t        color_full_range;
    uint16_t       width;           /* inside the conformance window */
    uint16_t       height;
    uint16_t       sar_width;       /* 0 where not told */
    uint16_t       sar_height;
    uint32_t       fps_num;         /* 0 where not told */
    uint32_t       fps_den;
} ngx_media_hevc_sps_t;


typedef struct {
    uint8_t        irap;        /* 1: decoding can start here */
    uint8_t        idr;
    uint8_t        vps;         /* 1: parameter sets in band */
    uint8_t        sps;
    uint8_t        pps;
    uint8_t        first_type;  /* NAL type of the first slice, 255: none */
    uint8_t        reference;   /* 0: a sub-layer non-reference picture */
    uint8_t        recovery;    /* 1: SEI recovery point */
    uint32_t       recovery_pocs;       /* after which pictures are whole */
    uint32_t       nals;
} ngx_media_hevc_frame_t;


/* HEVCDecoderConfigurationRecord; the arrays are checked to be whole. */
const u_char *ngx_media_hevc_config_parse(const u_char *pos,
    const u_char *end, ngx_media_hevc_config_t *out);

/*
 * The n-th (from 0) NAL of that type in a config.  NGX_MEDIA_OK or
 * NGX_MEDIA_DECLINED.
 */
int ngx_media_hevc_config_set(const ngx_media_hevc_config_t *config,
    unsigned type, unsigned n, ngx_media_nal_t *nal);

/* VPS and SPS, pos at the NAL header. */
const u_char *ngx_media_hevc_vps_parse(const u_char *pos, const u_char *end,
    ngx_media_hevc_vps_t *out);
const u_char *ngx_media_hevc_sps_parse(const u_char *pos, const u_char *end,
    ngx_media_hevc_sps_t *out);

/* As ngx_media_avc_frame_parse(). */
const u_char *ngx_media_hevc_frame_parse(const u_char *pos,
    const u_char *end, unsigned nal_size, ngx_media_hevc_frame_t *out);

/*
 * Writes an HEVCDecoderConfigurationRecord for one VPS, SPS and PPS.
 * Returns the bytes written, or -1 where the buffer is too small or a set
 * damaged.
 */
ssize_t ngx_media_hevc_config_write(const ngx_media_nal_t *vps,
    const ngx_media_nal_t *sps, const ngx_media_nal_t *pps,
    unsigned nal_size, u_char *out, size_t size);


#endif /* _NGX_MEDIA_HEVC_H_INCLUDED_ */
