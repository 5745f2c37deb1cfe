
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: FLV (Adobe FLV 10.1 annex E) with Enhanced RTMP v1 and v2 (Veovera):
 * file and tag headers, an incremental demuxer of files, tag bodies into
 * frames and frames into the bytes before their payload.  RTMP audio (8),
 * video (9) and data (18) messages have the same bodies.
 *
 * Times: FLV counts in ms modulo 2^32, frames in us.  A body holds no dts:
 * the caller adds the tag's, and on the way out writes
 * (uint32_t) ngx_media_ms(dts), truncated to 32 bits.
 *
 * Tracks: FLV numbers the tracks of audio and of video each from 0, which is
 * the default; frames have one space.  Video n is track 2n, audio n is track
 * 2n + 1, data is NGX_MEDIA_TRACK_SCRIPT.
 */


#ifndef _NGX_MEDIA_FLV_H_INCLUDED_
#define _NGX_MEDIA_FLV_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_rc.h"
#include "ngx_media_codec.h"


#define NGX_MEDIA_FLV_AUDIO            8
#define NGX_MEDIA_FLV_VIDEO            9
#define NGX_MEDIA_FLV_AMF3             15   /* RTMP only: data as AMF3 */
#define NGX_MEDIA_FLV_SCRIPT           18

#define NGX_MEDIA_FLV_HEADER_SIZE      9
#define NGX_MEDIA_FLV_TAG_SIZE         11
#define NGX_MEDIA_FLV_PREV_SIZE        4
#define NGX_MEDIA_FLV_MAX_BODY_HEADER  32
#define NGX_MEDIA_FLV_MAX_SIZE         0xffffff     /* body: 24 bits */

/* Enhanced packet types; aux of FRAME_EXTRA. */

#define NGX_MEDIA_FLV_PKT_START            0
#define NGX_MEDIA_FLV_PKT_FRAMES           1
#define NGX_MEDIA_FLV_PKT_END              2
#define NGX_MEDIA_FLV_PKT_FRAMES_X         3    /* video */
#define NGX_MEDIA_FLV_PKT_METADATA         4    /* video */
#define NGX_MEDIA_FLV_PKT_CHANNELS         4    /* audio */
#define NGX_MEDIA_FLV_PKT_TS_START         5    /* video */
#define NGX_MEDIA_FLV_PKT_AUDIO_TRACKS     5    /* audio multitrack */
#define NGX_MEDIA_FLV_PKT_VIDEO_TRACKS     6    /* video multitrack */
#define NGX_MEDIA_FLV_PKT_MODEX            7

#define NGX_MEDIA_FLV_ONE_TRACK            0
#define NGX_MEDIA_FLV_MANY_TRACKS          1
#define NGX_MEDIA_FLV_MANY_CODECS          2

/* Modes of ngx_media_flv_body_write(). */

#define NGX_MEDIA_FLV_HEVC_LEGACY      0x01     /* HEVC as codec id 12 */
#define NGX_MEDIA_FLV_NANO             0x02     /* what a time has beyond ms
                                                 * as ModEx; for that H264 and
                                                 * AAC are enhanced too */

#define NGX_MEDIA_FLV_NANO_MAX         999999   /* ns, of TimestampOffsetNano */

#define ngx_media_flv_fourcc(a, b, c, d)                                      \
    ((uint32_t) (a) << 24 | (uint32_t) (b) << 16 | (uint32_t) (c) << 8 | (d))


/* Headers */

typedef struct {
    uint8_t        version;
    uint8_t        audio;       /* 1: announced */
    uint8_t        video;
    uint32_t       size;        /* of the header, 9 or more */
} ngx_media_flv_header_t;


typedef struct {
    uint8_t        type;        /* 8, 9, 18 */
    uint8_t        filter;      /* 1: encrypted */
    uint32_t       size;        /* of the body */
    uint32_t       ms;          /* all 32 bits */
    uint32_t       stream_id;
} ngx_media_flv_tag_t;


/* File header (without the first previous tag size). */
const u_char *ngx_media_flv_header_parse(const u_char *pos,
    const u_char *end, ngx_media_flv_header_t *out);

/*
 * File header and first previous tag size, 13 bytes.  Returns the position
 * after them.
 */
u_char *ngx_media_flv_header_write(u_char *p, int audio, int video);

/* Tag header, 11 bytes. */
const u_char *ngx_media_flv_tag_parse(const u_char *pos, const u_char *end,
    ngx_media_flv_tag_t *out);
u_char *ngx_media_flv_tag_write(u_char *p, const ngx_media_flv_tag_t *tag);

/* Previous tag size that follows a tag with a body of size bytes. */
u_char *ngx_media_flv_prev_size_write(u_char *p, uint32_t size);


/* Files, piece by piece */

typedef enum {
    NGX_MEDIA_FLV_EV_HEADER = 1,    /* header */
    NGX_MEDIA_FLV_EV_TAG,           /* tag: a tag begins */
    NGX_MEDIA_FLV_EV_BODY,          /* tag, data, size: a piece of its body */
    NGX_MEDIA_FLV_EV_END            /* tag: its body is complete */
} ngx_media_flv_event_e;


typedef struct {
    uint8_t                  event;
    ngx_media_flv_header_t   header;
    ngx_media_flv_tag_t      tag;
    const u_char            *data;  /* into the span of the caller */
    uint32_t                 size;
    uint32_t                 offset;    /* of the piece in the body */
} ngx_media_flv_piece_t;


typedef struct {
    uint8_t                  state;
    uint8_t                  have;      /* bytes in buf */
    uint32_t                 max;       /* largest body */
    uint32_t                 left;      /* bytes of the body, or to skip */
    ngx_media_flv_tag_t      tag;
    u_char                   buf[16];
} ngx_media_flv_demux_t;


/* Starts at the beginning of a file; a larger body than max is an error. */
void ngx_media_flv_demux_init(ngx_media_flv_demux_t *d, uint32_t max);

/*
 * Takes bytes from *pos on, moves *pos and hands out one event.  NGX_MEDIA_OK
 * with an event; NGX_MEDIA_AGAIN: the span is used up; NGX_MEDIA_ERROR: no
 * FLV, a tag of unknown type or too large (the demuxer then stays in error).
 * Tags of size 0 give EV_TAG and EV_END.  The sizes between tags are not
 * checked, many writers get them wrong.
 */
int ngx_media_flv_demux(ngx_media_flv_demux_t *d, const u_char **pos,
    const u_char *end, ngx_media_flv_piece_t *out);


/* Bodies */

typedef struct {
    const u_char  *pos;
    const u_char  *end;
    uint8_t        type;
    uint8_t        state;
    uint8_t        packet;      /* packet type of all tracks */
    uint8_t        multi;       /* 0xff: no multitrack, else its kind */
    uint16_t       flags;       /* frame flags from the frame type */
    uint32_t       fourcc;
    uint32_t       nano;        /* ns to add to the tag's time */
    uint32_t       skipped;     /* items left out: empty, unknown codec or
                                 * track number out of range */
    uint32_t       beyond;      /* those with such a number */
} ngx_media_flv_body_t;


/*
 * Walks the frames of a body:
 *
 *     ngx_media_flv_body_init(&it, tag.type, body, body + size);
 *     while ((rc = ngx_media_flv_body_next(&it, &frame)) == NGX_MEDIA_OK) {
 *         frame.dts += ngx_media_us(time);
 *     }
 *     if (rc == NGX_MEDIA_ERROR) { the body is cut off or damaged }
 *
 * Of the frame codec, flags, cts, track, aux, size and data are set; seq is
 * 0; dts is the offset to add to the tag's time (Enhanced RTMP's nano offset
 * in us, mostly 0).  data points into the body.
 *
 * Empty bodies, video info and command frames, empty frames, unknown codecs
 * and track numbers that have no track are left out.  A frame with CONFIG or
 * EOS never has KEY.  A packet type we do not know is handed out with EXTRA
 * and its number in aux, the metadata of a video and the MultichannelConfig of
 * an audio with STICKY too.  Of data "@setDataFrame" is left out; onMetaData
 * has META.  aux of AAC and MP3 in legacy form is the sound byte.
 */
void ngx_media_flv_body_init(ngx_media_flv_body_t *it, uint8_t type,
    const u_char *pos, const u_char *end);
int ngx_media_flv_body_next(ngx_media_flv_body_t *it,
    ngx_media_frame_t *frame);

/*
 * Writes all bytes of a body before the payload of a frame into
 * NGX_MEDIA_FLV_MAX_BODY_HEADER bytes; the body is these bytes and the
 * payload.  H264, AAC and MP3 of the default tracks have the legacy form,
 * all else is enhanced; other tracks are wrapped as Multitrack OneTrack.
 * cts is rounded to ms and held to 24 bits.  Of dts only what it has beyond
 * ms is looked at, and written with NANO before coded frames.
 *
 * Returns their number (0 for SCRIPT), or -1 where the frame has no FLV form.
 */
int ngx_media_flv_body_write(u_char *p, const ngx_media_frame_t *frame,
    unsigned mode);

/* 8, 9 or 18 for the codec of a frame, 0 where it has no FLV form. */
uint8_t ngx_media_flv_type(uint8_t codec);

/* FourCC of a codec and back; 0 where there is none. */
uint32_t ngx_media_flv_codec_fourcc(uint8_t codec);
uint8_t ngx_media_flv_fourcc_codec(uint8_t type, uint32_t fourcc);


#endif /* _NGX_MEDIA_FLV_H_INCLUDED_ */
