
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: H.266: decoder configuration (ISO/IEC 14496-15 11.2.4) and a look at
 * an access unit (H.266 7.4.2.2).  Parsers take (pos, end) and return the
 * position after what they read, or NULL where it is damaged or cut off.
 */


#ifndef _NGX_MEDIA_VVC_H_INCLUDED_
#define _NGX_MEDIA_VVC_H_INCLUDED_


#include "ngx_media_nal.h"


#define NGX_MEDIA_VVC_NAL_IDR_W_RADL  7
#define NGX_MEDIA_VVC_NAL_IDR_N_LP    8
#define NGX_MEDIA_VVC_NAL_CRA         9
#define NGX_MEDIA_VVC_NAL_GDR         10

#define ngx_media_vvc_nal_type(b1)    ((b1) >> 3)   /* second header byte */


typedef struct {
    uint8_t        nal_size;        /* 1..4 */
    uint8_t        ptl;             /* 1: the fields below are there */
    uint8_t        profile;
    uint8_t        tier;
    uint8_t        level;           /* 16 times the level */
    uint8_t        chroma;
    uint8_t        bit_depth;
    uint16_t       width;
    uint16_t       height;
    uint32_t       fps_num;         /* 0 where not told */
    uint32_t       fps_den;
} ngx_media_vvc_config_t;


/* VvcDecoderConfigurationRecord, up to its arrays. */
const u_char *ngx_media_vvc_config_parse(const u_char *pos,
    const u_char *end, ngx_media_vvc_config_t *out);

/*
 * 1 where a length-prefixed access unit holds an IDR or CRA picture, 0 where
 * it does not or is damaged.
 */
int ngx_media_vvc_is_key(const u_char *pos, const u_char *end,
    unsigned nal_size);


#endif /* _NGX_MEDIA_VVC_H_INCLUDED_ */
