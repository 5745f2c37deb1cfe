
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG audio frame header, layers 1 to 3, MPEG 1, 2 and 2.5
 * (ISO/IEC 11172-3 2.4.1.3, 13818-3).
 */


#ifndef _NGX_MEDIA_MP3_H_INCLUDED_
#define _NGX_MEDIA_MP3_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


#define NGX_MEDIA_MP3_HEADER_SIZE  4


typedef struct {
    uint8_t        version;         /* 1, 2; 3 is MPEG 2.5 */
    uint8_t        layer;           /* 1..3 */
    uint8_t        channels;
    uint8_t        crc;
    uint16_t       samples;         /* a frame decodes to */
    uint16_t       frame_size;      /* header included; 0: free format */
    uint32_t       bitrate;         /* bit/s; 0: free format */
    uint32_t       sample_rate;
} ngx_media_mp3_t;


/* Returns the position after the 4 byte header, or NULL. */
const u_char *ngx_media_mp3_parse(const u_char *pos, const u_char *end,
    ngx_media_mp3_t *out);


#endif /* _NGX_MEDIA_MP3_H_INCLUDED_ */
