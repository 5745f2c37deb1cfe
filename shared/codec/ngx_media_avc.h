
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: H.264: decoder configuration (ISO/IEC 14496-15 5.3.3), sequence
 * parameter set (H.264 7.3.2.1, Annex E), a look at an access unit.
 * Parsers take (pos, end) and return the position after what they read, or
 * NULL where it is damaged or cut off.  Spans point into the caller's bytes.
 */


#ifndef _NGX_MEDIA_AVC_H_INCLUDED_
#define _NGX_MEDIA_AVC_H_INCLUDED_


#include "ngx_media_nal.h"


#define NGX_MEDIA_AVC_NAL_SLICE      1
#define NGX_MEDIA_AVC_NAL_DPA        2
#define NGX_MEDIA_AVC_NAL_IDR        5
#define NGX_MEDIA_AVC_NAL_SEI        6
#define NGX_MEDIA_AVC_NAL_SPS        7
#define NGX_MEDIA_AVC_NAL_PPS        8
#define NGX_MEDIA_AVC_NAL_AUD        9

#define NGX_MEDIA_AVC_SLICE_P        0
#define NGX_MEDIA_AVC_SLICE_B        1
#define NGX_MEDIA_AVC_SLICE_I        2
#define NGX_MEDIA_AVC_SLICE_NONE     255

#define ngx_media_avc_nal_type(b)    ((b) & 0x1f)


typedef struct {
    uint8_t        profile;
    uint8_t        compat;
    uint8_t        level;
    uint8_t        nal_size;    /* 1..4 */
    uint8_t        nsps;
    uint8_t        npps;
    const u_char  *sps;         /* nsps entries for ngx_media_nal_next_set() */
    const u_char  *sps_end;
    const u_char  *pps;         /* npps entries */
    const u_char  *pps_end;
} ngx_media_avc_config_t;


typedef struct {
    uint8_t        profile;
    uint8_t        compat;
    uint8_t        level;
    uint8_t        chroma;          /* chroma_format_idc */
    uint8_t        bit_depth;       /* luma */
    uint8_t        bit_depth_chroma;
    uint8_t        num_ref_frames;
    uint8_t        poc_type;
    uint8_t        interlaced;      /* !frame_mbs_only_flag */
    uint8_t        max_reorder;     /* VUI; 255 where not told */
    uint8_t        bframes;         /* 0: the stream can hold no B frames */
    uint8_t        color_primaries; /* 2 where not told */
    uint8_t        color_transfer;
    uint8_t        color_matrix;
    uint8_t        color_full_range;
    uint16_t       width;           /* after cropping */
    uint16_t       height;
    uint16_t       sar_width;       /* 0 where not told */
    uint16_t       sar_height;
    uint32_t       fps_num;         /* 0 where not told */
    uint32_t       fps_den;
} ngx_media_avc_sps_t;


typedef struct {
    uint8_t        idr;         /* 1: holds an IDR slice */
    uint8_t        recovery;    /* 1: SEI recovery point */
    uint8_t        sps;         /* 1: parameter sets in band */
    uint8_t        pps;
    uint8_t        slice_type;  /* of the first slice, NGX_MEDIA_AVC_SLICE_* */
    uint8_t        ref_idc;     /* of the first slice */
    uint32_t       recovery_frames;     /* after which pictures are whole */
    uint32_t       nals;
} ngx_media_avc_frame_t;


/* AVCDecoderConfigurationRecord; a cut off extension at its end is let be. */
const u_char *ngx_media_avc_config_parse(const u_char *pos,
    const u_char *end, ngx_media_avc_config_t *out);

/* SPS, pos at its NAL header. */
const u_char *ngx_media_avc_sps_parse(const u_char *pos, const u_char *end,
    ngx_media_avc_sps_t *out);

/*
 * Looks at the NALs of a length-prefixed access unit.  Decoding can start
 * where idr or recovery is set.  NULL where a length exceeds the payload;
 * out then holds what came before.
 */
const u_char *ngx_media_avc_frame_parse(const u_char *pos,
    const u_char *end, unsigned nal_size, ngx_media_avc_frame_t *out);

/*
 * Writes an AVCDecoderConfigurationRecord for one SPS and one PPS.  Returns
 * the bytes written, or -1 where the buffer is too small or a set damaged.
 */
ssize_t ngx_media_avc_config_write(const ngx_media_nal_t *sps,
    const ngx_media_nal_t *pps, unsigned nal_size, u_char *out, size_t size);

/*
 * The same for sets behind start codes, the last of each kind, with lengths of
 * 4 bytes.  Returns the bytes written, or -1 where one is missing or damaged
 * or the buffer is too small; that of the sets and 64 bytes more will do.
 */
ssize_t ngx_media_avc_config_from_annexb(const u_char *pos,
    const u_char *end, u_char *out, size_t size);


#endif /* _NGX_MEDIA_AVC_H_INCLUDED_ */
