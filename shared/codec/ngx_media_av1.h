
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: AV1: codec configuration record (AV1 in ISOBMFF 2.3), OBUs (AV1 5.3),
 * sequence header (5.5), a look at the first frame header (5.9.2).  Parsers
 * return the position after what they read, or NULL where it is damaged or
 * cut off.
 */


#ifndef _NGX_MEDIA_AV1_H_INCLUDED_
#define _NGX_MEDIA_AV1_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


#define NGX_MEDIA_AV1_OBU_SEQUENCE      1
#define NGX_MEDIA_AV1_OBU_DELIMITER     2
#define NGX_MEDIA_AV1_OBU_FRAME_HEADER  3
#define NGX_MEDIA_AV1_OBU_FRAME         6


typedef struct {
    uint8_t        type;
    uint8_t        temporal_id;
    uint8_t        spatial_id;
    const u_char  *data;        /* behind the OBU header and size */
    size_t         size;
} ngx_media_av1_obu_t;


typedef struct {
    uint8_t        profile;
    uint8_t        level;       /* seq_level_idx_0 */
    uint8_t        tier;
    uint8_t        bit_depth;
    uint8_t        monochrome;
    uint8_t        subsampling_x;
    uint8_t        subsampling_y;
    const u_char  *obus;        /* configOBUs, may be empty */
    const u_char  *obus_end;
} ngx_media_av1_config_t;


typedef struct {
    uint8_t        profile;
    uint8_t        level;
    uint8_t        tier;
    uint8_t        still_picture;
    uint8_t        reduced_header;
    uint8_t        bit_depth;
    uint8_t        monochrome;
    uint8_t        subsampling_x;
    uint8_t        subsampling_y;
    uint8_t        color_primaries;
    uint8_t        color_transfer;
    uint8_t        color_matrix;
    uint8_t        color_full_range;
    uint16_t       width;
    uint16_t       height;
    uint32_t       fps_num;     /* 0 where not told */
    uint32_t       fps_den;
} ngx_media_av1_seq_t;


/* The next OBU; one without a size field reaches to the end. */
const u_char *ngx_media_av1_obu_next(const u_char *pos, const u_char *end,
    ngx_media_av1_obu_t *obu);

/* av1C */
const u_char *ngx_media_av1_config_parse(const u_char *pos,
    const u_char *end, ngx_media_av1_config_t *out);

/* Payload of a sequence header OBU. */
const u_char *ngx_media_av1_seq_parse(const u_char *pos, const u_char *end,
    ngx_media_av1_seq_t *out);

/*
 * 1 where a temporal unit begins with a key frame, 0 where it does not or is
 * damaged.
 */
int ngx_media_av1_is_key(const u_char *pos, const u_char *end);


#endif /* _NGX_MEDIA_AV1_H_INCLUDED_ */
