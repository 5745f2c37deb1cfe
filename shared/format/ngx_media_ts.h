
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: what the MPEG-TS muxer and demuxer share: packets, PIDs, stream types,
 * descriptors, the CRC of sections, clocks.
 *
 * ISO/IEC 13818-1 2.4; ETSI TS 101 154 and EN 300 468 (AC-3, E-AC-3); ATSC
 * A/53 part 3 (stream types 0x81, 0x87); Opus in MPEG-TS (ETSI TS 103 491).
 */


#ifndef _NGX_MEDIA_TS_H_INCLUDED_
#define _NGX_MEDIA_TS_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_rc.h"
#include "ngx_media_codec.h"


#define NGX_MEDIA_TS_PACKET        188
#define NGX_MEDIA_TS_SYNC          0x47
#define NGX_MEDIA_TS_MAX_SECTION   1024

#define NGX_MEDIA_TS_PID_PAT       0x0000
#define NGX_MEDIA_TS_PID_NULL      0x1fff

#define NGX_MEDIA_TS_TABLE_PAT     0x00
#define NGX_MEDIA_TS_TABLE_PMT     0x02

/* flags of the adaptation field */

#define NGX_MEDIA_TS_AF_BREAK      0x80     /* discontinuity_indicator */
#define NGX_MEDIA_TS_AF_KEY        0x40     /* random_access_indicator */
#define NGX_MEDIA_TS_AF_PCR        0x10

/* stream_type */

#define NGX_MEDIA_TS_TYPE_MPEG1    0x03     /* audio, all layers */
#define NGX_MEDIA_TS_TYPE_MPEG2    0x04
#define NGX_MEDIA_TS_TYPE_PRIVATE  0x06     /* descriptors tell */
#define NGX_MEDIA_TS_TYPE_ADTS     0x0f
#define NGX_MEDIA_TS_TYPE_LATM     0x11
#define NGX_MEDIA_TS_TYPE_H264     0x1b
#define NGX_MEDIA_TS_TYPE_HEVC     0x24
#define NGX_MEDIA_TS_TYPE_AC3      0x81
#define NGX_MEDIA_TS_TYPE_EAC3     0x87

/* descriptor_tag */

#define NGX_MEDIA_TS_DESC_FORMAT   0x05     /* registration */
#define NGX_MEDIA_TS_DESC_AC3      0x6a
#define NGX_MEDIA_TS_DESC_EAC3     0x7a
#define NGX_MEDIA_TS_DESC_EXT      0x7f
#define NGX_MEDIA_TS_EXT_OPUS      0x80

/* stream_id of PES packets */

#define NGX_MEDIA_TS_PES_PRIVATE   0xbd
#define NGX_MEDIA_TS_PES_AUDIO     0xc0
#define NGX_MEDIA_TS_PES_VIDEO     0xe0

#define NGX_MEDIA_TS_HZ            90000    /* PTS and DTS, 33 bits */


/*
 * Microseconds to 90 kHz and back, to the nearest; also below zero.
 */

static inline int64_t
ngx_media_ts_ticks(int64_t us)
{
    return us >= 0 ? (us * 9 + 50) / 100 : -((-us * 9 + 50) / 100);
}


static inline int64_t
ngx_media_ts_us(int64_t ticks)
{
    return ticks >= 0 ? (ticks * 100 + 4) / 9 : -((-ticks * 100 + 4) / 9);
}


/*
 * CRC-32 of a section (13818-1 annex A); over a section with its CRC it is 0.
 */
uint32_t ngx_media_ts_crc(const u_char *pos, const u_char *end);


#endif /* _NGX_MEDIA_TS_H_INCLUDED_ */
