
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: static HDR metadata in the bitstream: SEI of H.264 and H.265 (H.265
 * D.2.28, D.2.35; H.264 D.1.29, D.1.31), metadata OBUs of AV1 (5.8.3, 5.8.4).
 * Called for keyframes and codec configs; looks at the caller's bytes only.
 */


#ifndef _NGX_MEDIA_HDR_H_INCLUDED_
#define _NGX_MEDIA_HDR_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


typedef struct {
    uint8_t        has_mdcv;
    uint8_t        has_clli;
    u_char         mdcv[24];    /* mastering display: x, y of green, blue, red
                                 * and white in 1/50000, 16 bits each; largest
                                 * and least luminance in 1/10000 cd/m2, 32
                                 * bits each; all big endian */
    u_char         clli[4];     /* MaxCLL, MaxFALL in cd/m2, 16 bits each */
} ngx_media_hdr_t;


/*
 * Adds to out (zeroed by the caller at first) what an access unit of the
 * codec tells; nal_size is 1..4 for H.264 and H.265, ignored for others.
 * Damaged input ends the look.
 */
void ngx_media_hdr_frame(ngx_media_hdr_t *out, uint8_t codec,
    unsigned nal_size, const u_char *pos, const u_char *end);

/*
 * The same from a codec config: prefix SEI in the arrays of an
 * HEVCDecoderConfigurationRecord, configOBUs of av1C.
 */
void ngx_media_hdr_config(ngx_media_hdr_t *out, uint8_t codec,
    const u_char *pos, const u_char *end);


#endif /* _NGX_MEDIA_HDR_H_INCLUDED_ */
