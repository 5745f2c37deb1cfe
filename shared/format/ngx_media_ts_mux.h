
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG-TS muxer: frames of H.264, HEVC, AAC, MP3, Opus, AC-3 and E-AC-3
 * into packets of 188 bytes, one program.  The bytes go to a function of the
 * caller as they come; the state is the caller's, has no pointer of its own
 * and needs no end.
 *
 * Tracks: the PID is 0x100 + track for as long as the track is there.  A new
 * track, one that went or another codec make a new version of the PMT.
 * Configs come as frames with CONFIG, before the frames that need them.
 *
 * Clock: PTS and DTS are the times of the frames plus a constant delay, PCR
 * is the bare dts, so that decoders have that time for their buffers.  Tables
 * come before every video keyframe and every frame with SYNC, which makes
 * both places where a reader can start, and at least every half second.
 *
 * ISO/IEC 13818-1 2.4 to 2.6 and 2.14; ETSI TS 103 491 (Opus).
 */


#ifndef _NGX_MEDIA_TS_MUX_H_INCLUDED_
#define _NGX_MEDIA_TS_MUX_H_INCLUDED_


#include "ngx_media_ts.h"
#include "ngx_media_aac.h"


#define NGX_MEDIA_TS_MUX_DELAY     500000   /* us, PTS and DTS before PCR */
#define NGX_MEDIA_TS_MUX_TABLES    400000   /* us, with a frame to spare */
#define NGX_MEDIA_TS_MUX_PCR       40000    /* us, most between two PCR */
#define NGX_MEDIA_TS_MUX_PID       0x100
#define NGX_MEDIA_TS_MUX_PMT       0x1000
#define NGX_MEDIA_TS_MUX_SETS      3072     /* parameter sets of all tracks */


/*
 * Takes n bytes, a multiple of NGX_MEDIA_TS_PACKET; they are good during the
 * call.  Returns NGX_MEDIA_OK, anything else ends the frame.
 */
typedef int (*ngx_media_ts_write_pt)(void *ctx, const u_char *p, size_t n);


typedef struct {
    uint8_t                     codec;      /* NONE: there is no such track */
    uint8_t                     type;       /* stream_type */
    uint8_t                     cc;         /* of the next packet */
    uint8_t                     nal_size;
    uint8_t                     channels;   /* Opus: channel_config_code */
    uint16_t                    sets;       /* offset in sets[] of the mux */
    uint16_t                    sets_size;
    ngx_media_aac_config_t      aac;        /* object_type 0: none yet */
} ngx_media_ts_mux_track_t;


typedef struct {
    ngx_media_ts_write_pt       write;
    void                       *ctx;

    int64_t                     pcr;        /* us, the last one */
    int64_t                     tables;     /* us, when they were written */

    u_char                     *bundle;     /* the caller's; NULL: none */
    int64_t                     bundle_dts;
    uint32_t                    bundle_size;
    uint32_t                    bundle_used;
    uint32_t                    bundle_us;
    uint16_t                    bundle_flags;

    uint16_t                    nsets;      /* bytes in sets[] */
    uint8_t                     pat_cc;
    uint8_t                     pmt_cc;
    uint8_t                     version;    /* of the PMT */
    uint8_t                     pcr_track;  /* 0xff: none */
    uint8_t                     bundle_track;

    unsigned                    have_pcr:1;
    unsigned                    have_tables:1;
    unsigned                    changed:1;  /* PMT since it was written */
    unsigned                    broken:1;   /* next PCR starts a new clock */

    ngx_media_ts_mux_track_t    tracks[NGX_MEDIA_MAX_TRACKS];
    u_char                      sets[NGX_MEDIA_TS_MUX_SETS];
} ngx_media_ts_mux_t;


/* Room for a writer below. */

typedef struct {
    u_char                     *pos;        /* moves */
    u_char                     *end;
} ngx_media_ts_room_t;


/* Starts without tracks; write and its ctx stay the caller's. */
void ngx_media_ts_mux_init(ngx_media_ts_mux_t *m, ngx_media_ts_write_pt write,
    void *ctx);

/*
 * Frames of the first audio track are gathered into PES packets of up to us
 * microseconds, in buf of size bytes (3 KB hold 120 ms of common AAC), which
 * must outlive m.  They are written when the time is over, when the buffer is
 * full, before a video keyframe and by ngx_media_ts_mux_flush().  A reader
 * takes the times inside a PES from the length of the frames.
 */
void ngx_media_ts_mux_bundle(ngx_media_ts_mux_t *m, u_char *buf,
    uint32_t size, uint32_t us);

/*
 * Adds the track of a frame or takes over its config (frame with CONFIG;
 * copied; empty for a codec that has none).  Nothing is written before the
 * next frame.  For the tracks that are known before the first frame:
 * ngx_media_ts_mux_frame() calls it by itself for frames of new tracks and for
 * configs.  Returns NGX_MEDIA_OK, or NGX_MEDIA_DECLINED: a codec that TS has no
 * form for here, a damaged config or one too large.
 */
int ngx_media_ts_mux_track(ngx_media_ts_mux_t *m, const ngx_media_frame_t *f);

/* Takes a track away; frames of it bring it back. */
void ngx_media_ts_mux_remove(ngx_media_ts_mux_t *m, unsigned track);

/*
 * Writes a frame; its payload as ngx_media_codec.h says.  Returns
 * NGX_MEDIA_OK; NGX_MEDIA_DECLINED: the frame has no TS form, is damaged, or
 * its config is missing, nothing of it was written; NGX_MEDIA_ERROR: write
 * said so, packets of the frame may be missing.
 */
int ngx_media_ts_mux_frame(ngx_media_ts_mux_t *m, const ngx_media_frame_t *f);

/*
 * Writes what is gathered.  Returns NGX_MEDIA_OK, or NGX_MEDIA_ERROR from
 * write.
 */
int ngx_media_ts_mux_flush(ngx_media_ts_mux_t *m);

/*
 * Starts a segment: writes what is gathered; then the next frame has tables
 * and PCR before it.  Same returns.
 */
int ngx_media_ts_mux_segment(ngx_media_ts_mux_t *m);

/* Writes PAT and PMT at once.  Same returns. */
int ngx_media_ts_mux_tables(ngx_media_ts_mux_t *m);

/*
 * A write function for a buffer: ctx is an ngx_media_ts_room_t.  Returns
 * NGX_MEDIA_OK, or NGX_MEDIA_ERROR: no room, nothing was copied.
 */
int ngx_media_ts_write_room(void *ctx, const u_char *p, size_t n);

/* stream_type of a codec, 0 where TS has no form for it. */
uint8_t ngx_media_ts_type(uint8_t codec);


#endif /* _NGX_MEDIA_TS_MUX_H_INCLUDED_ */
