
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: fragmented MP4 (CMAF) as HLS, DASH and Media Source Extensions take it:
 * an init segment for a set of tracks, then chunks, each one moof and one
 * mdat.  Called by the segmenter.  Nothing is kept and nothing allocated: all
 * memory is the caller's, payloads are not touched, they are copied behind
 * the header of a chunk as frames carry them (ngx_media_codec.h).
 *
 *     ngx_media_mp4_track()        a track, from its config and a frame
 *     ngx_media_mp4_init()         the init segment of tracks
 *     ngx_media_mp4_clock_frame()  a sample of each frame, with its ticks
 *     ngx_media_mp4_chunk()        moof and the header of mdat
 *
 * Times: a tick is 1/90000 s for video and one audio sample for audio.  All
 * tracks of a source share its timeline and there are no edit lists: what has
 * the same time in the source is shown at the same time.  Absolute times are
 * converted, never durations, so that rounding can not add up.
 *
 * ISO/IEC 14496-12 8.8 and 8.16, 14496-14, 14496-15; ISO/IEC 23000-19 (CMAF);
 * bindings of AV1, VP9, Opus and FLAC; ETSI TS 102 366 annex F (AC-3).
 */


#ifndef _NGX_MEDIA_MP4_H_INCLUDED_
#define _NGX_MEDIA_MP4_H_INCLUDED_


#include "ngx_media_codec.h"
#include "ngx_media_hdr.h"


#define NGX_MEDIA_MP4_VIDEO_SCALE   90000
#define NGX_MEDIA_MP4_AUDIO_SCALE   48000    /* where the rate is not known */
#define NGX_MEDIA_MP4_MAX_TRACKS    NGX_MEDIA_MAX_TRACKS
#define NGX_MEDIA_MP4_BOX_SIZE      24


/* A track.  Filled by ngx_media_mp4_track(); config stays the caller's. */

typedef struct {
    uint32_t                 id;            /* track_ID, from 1 */
    uint32_t                 timescale;     /* ticks of a second */
    uint32_t                 frame;         /* ticks of an audio frame, 0
                                             * where frames differ */
    uint32_t                 bitrate;       /* bit/s; not 0: btrt is written;
                                             * set by the caller */
    const u_char            *config;        /* needed until the init segment
                                             * is written */
    const u_char            *config_end;
    ngx_media_codec_info_t   info;          /* size, rate, colour ... */
    uint16_t                 sar_width;     /* 0 where not told */
    uint16_t                 sar_height;
    uint8_t                  codec;         /* ngx_media_codec_e */
    uint8_t                  box_size;
    u_char                   box[NGX_MEDIA_MP4_BOX_SIZE];
                                            /* dac3, dec3, vpcC, dOps; made
                                             * from the frame */
    ngx_media_hdr_t          hdr;           /* the caller may add what came
                                             * outside the bitstream */
} ngx_media_mp4_track_t;


#define NGX_MEDIA_MP4_KEY           0x01     /* a sync sample */
#define NGX_MEDIA_MP4_DISPOSABLE    0x02     /* nothing refers to it */

typedef struct {
    uint64_t                 dts;           /* ticks */
    int32_t                  cts;           /* ticks, pts - dts, any sign */
    uint32_t                 size;          /* bytes of payload */
    uint32_t                 flags;         /* NGX_MEDIA_MP4_* */
} ngx_media_mp4_sample_t;


/* The samples of one track in a chunk, in decoding order. */

typedef struct {
    const ngx_media_mp4_sample_t  *samples;
    uint32_t                       nsamples;
    uint32_t                       id;      /* track_ID */
    uint64_t                       end;     /* ticks, dts of the sample that
                                             * follows the last one */
} ngx_media_mp4_run_t;


#define NGX_MEDIA_MP4_STYP_NONE     0
#define NGX_MEDIA_MP4_STYP_SEGMENT  1        /* the first chunk of a segment */
#define NGX_MEDIA_MP4_STYP_CHUNK    2        /* any other */

typedef struct {
    const ngx_media_mp4_run_t     *runs;    /* one for each track */
    uint32_t                       nruns;
    uint32_t                       sequence;
                                            /* grows by 1 with each chunk */
    uint32_t                       styp;    /* NGX_MEDIA_MP4_STYP_* */
    int64_t                        utc;     /* us since 1970 at which the
                                             * first sample of the first run
                                             * was taken; 0: no prft */
} ngx_media_mp4_chunk_t;


/* The clock of one track, see ngx_media_mp4_clock_frame(). */

typedef struct {
    int64_t                  offset;        /* us, added to all times; the
                                             * caller's, 0 at first */
    uint64_t                 next;          /* ticks, where one should follow */
    uint64_t                 last;          /* ticks, of the last one */
    uint64_t                 exact;         /* ticks, its true time */
    int64_t                  low;           /* audio: least and largest */
    int64_t                  high;          /* deviation of late, ticks */
    uint32_t                 timescale;
    uint32_t                 frame;         /* ticks of an audio frame, 0:
                                             * not known */
    uint32_t                 step;          /* video: ticks of the last frame */
    uint32_t                 before;        /* and of the one before */
    uint32_t                 count;         /* frames low and high are of */
    uint32_t                 gaps;          /* how often it was not next */
    uint8_t                  codec;
    unsigned                 started:1;
    unsigned                 promised:1;    /* next was given away */
    unsigned                 counted:1;     /* next follows from samples */
} ngx_media_mp4_clock_t;


/* Of a time in us, 0 or more, to ticks and back, to the nearest. */

static inline uint64_t
ngx_media_mp4_ticks(int64_t us, uint32_t scale)
{
    uint64_t  t;

    t = (uint64_t) us;

    return t / 1000000 * scale + (t % 1000000 * scale + 500000) / 1000000;
}


static inline int64_t
ngx_media_mp4_us(uint64_t ticks, uint32_t scale)
{
    return (int64_t) (ticks / scale * 1000000
                      + (ticks % scale * 1000000 + scale / 2) / scale);
}


/*
 * Fills t.  config is the codec config of the track as CONFIG frames carry it
 * (may be empty), frame the payload of a frame of it, a keyframe where it is
 * video (may be empty).  MP3, AC-3, E-AC-3 and VP8 need the frame, VP9 too
 * for its size, Opus without a config; the others find size and HDR metadata
 * there that the config lacks.  t->config points into config; frame is not
 * needed after the call.
 *
 * Returns NGX_MEDIA_OK; NGX_MEDIA_AGAIN: config or frame tell too little yet,
 * try again with the next frame; NGX_MEDIA_DECLINED: the codec has no form in
 * MP4 here, or the config is damaged.
 */
int ngx_media_mp4_track(ngx_media_mp4_track_t *t, uint32_t id, uint8_t codec,
    const u_char *config, const u_char *config_end, const u_char *frame,
    const u_char *frame_end);

/*
 * Writes the init segment (ftyp, moov) of n tracks into buf of size bytes.
 * One track makes a CMAF header.  Returns its length; where buf is NULL only
 * that, exactly.  NGX_MEDIA_ERROR: it does not fit, n is 0 or too large.
 */
ssize_t ngx_media_mp4_init(const ngx_media_mp4_track_t *tracks, unsigned n,
    u_char *buf, size_t size);

/*
 * Writes all of a chunk but its payload: styp and prft where asked for, moof
 * and the header of mdat.  The payloads follow, run by run, each in the order
 * of its samples, ngx_media_mp4_chunk_data() bytes.  Durations are the
 * distance to the next dts, for the last one to run->end.
 *
 * Returns the bytes written; where buf is NULL only their number, exactly.
 * NGX_MEDIA_ERROR: it does not fit; a run is empty, its dts go back or are
 * too far apart; or more than 2 GB of payload.
 */
ssize_t ngx_media_mp4_chunk(const ngx_media_mp4_chunk_t *c, u_char *buf,
    size_t size);

/* Bytes of payload of a chunk. */
uint64_t ngx_media_mp4_chunk_data(const ngx_media_mp4_chunk_t *c);


/* Starts the clock of a track, also anew after a discontinuity. */
void ngx_media_mp4_clock_init(ngx_media_mp4_clock_t *c,
    const ngx_media_mp4_track_t *t);

#define NGX_MEDIA_MP4_GAP           1

/*
 * Makes the sample of a frame: its ticks, size and flags.  Called for each
 * frame of the track, in their order, one that is no CONFIG and has payload.
 *
 * Video has the exact time of each frame.  Audio is counted in samples from
 * its first frame on, which hides that senders round to milliseconds, and is
 * set right where the source's time is 40 ms (and more than one frame) away,
 * or more than half a frame for 64 frames in a row.
 *
 * Returns NGX_MEDIA_OK; NGX_MEDIA_MP4_GAP: as OK, but it starts later than
 * the one before ends (audio that was set right, video that came too late for
 * a promise); NGX_MEDIA_DECLINED: audio to be left out, what came before
 * lasts longer than the time of this one; NGX_MEDIA_ERROR: the time goes back
 * by more than a second, leaps by more than ten minutes, or is before 0: a
 * discontinuity is due.  In both last cases s is not filled.  Takes no
 * ownership.
 */
int ngx_media_mp4_clock_frame(ngx_media_mp4_clock_t *c,
    const ngx_media_frame_t *f, ngx_media_mp4_sample_t *s);

/*
 * Where the next frame should begin: the end of a run, when that frame did
 * not come yet.  The promise is kept: the dts of the next frame will be this
 * one, its cts keeps its pts exact; but for a frame more than half a second
 * later, or for audio that is set right: that leaves a gap behind the run.
 * Call it when a chunk is closed, not for looking only.  When the next frame
 * is at hand, its sample's dts is the end and this is not called.
 */
uint64_t ngx_media_mp4_clock_end(ngx_media_mp4_clock_t *c);


#endif /* _NGX_MEDIA_MP4_H_INCLUDED_ */
