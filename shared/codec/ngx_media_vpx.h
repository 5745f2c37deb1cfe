
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: VP8 frame header (RFC 6386 9.1), VP9 uncompressed header (VP9 6.2),
 * vpcC (VP codec in ISOBMFF).  Parsers return the position after what they
 * read, or NULL where it is damaged or cut off.
 */


#ifndef _NGX_MEDIA_VPX_H_INCLUDED_
#define _NGX_MEDIA_VPX_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


typedef struct {
    uint8_t        key;
    uint8_t        show;
    uint8_t        profile;
    uint8_t        bit_depth;       /* of key frames */
    uint8_t        chroma;          /* chroma_format_idc, of key frames */
    uint8_t        full_range;      /* of key frames */
    uint16_t       width;           /* 0 where not a key frame */
    uint16_t       height;
} ngx_media_vpx_frame_t;


typedef struct {
    uint8_t        profile;
    uint8_t        level;           /* 10 times the level */
    uint8_t        bit_depth;
    uint8_t        chroma;          /* chroma_format_idc */
    uint8_t        color_primaries;
    uint8_t        color_transfer;
    uint8_t        color_matrix;
    uint8_t        color_full_range;
} ngx_media_vpx_config_t;


const u_char *ngx_media_vp8_parse(const u_char *pos, const u_char *end,
    ngx_media_vpx_frame_t *out);
const u_char *ngx_media_vp9_parse(const u_char *pos, const u_char *end,
    ngx_media_vpx_frame_t *out);

/* VPCodecConfigurationRecord, with or without the FullBox's 4 bytes. */
const u_char *ngx_media_vpx_config_parse(const u_char *pos,
    const u_char *end, ngx_media_vpx_config_t *out);

/*
 * The least VP9 level, 10 times, that pictures of that size and rate have
 * room in (VP9 levels, "Luma picture size" and "luma sample rate"); 30 frames
 * a second where fps_den is 0.
 */
uint8_t ngx_media_vp9_level(uint32_t width, uint32_t height,
    uint32_t fps_num, uint32_t fps_den);


#endif /* _NGX_MEDIA_VPX_H_INCLUDED_ */
