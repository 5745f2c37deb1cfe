
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: timestamp repair, once, at the writer, for all players of a source.
 *
 * The sender's clock becomes the timeline of the source by adding an offset
 * that is common to all tracks, so audio and video keep their distance.  A
 * jump (a clock that was reset, or a step larger than time really passed)
 * makes a new offset; the one before it stays good for the frames of other
 * tracks that are still on their way from before the jump; which of the two
 * a frame means is told by the time it is expected at:
 *
 *    in    100 120 140 | 5 25 45            offset -100, then +55
 *    out     0  20  40 | 60 80 100
 *
 * Times are in microseconds, now is CLOCK_MONOTONIC.  Pure: no clock of its
 * own, no memory.
 */


#ifndef _NGX_MEDIA_TIMELINE_H_INCLUDED_
#define _NGX_MEDIA_TIMELINE_H_INCLUDED_


#include "ngx_media_codec.h"


#define NGX_MEDIA_TIMELINE_FULL   0     /* from zero, repaired */
#define NGX_MEDIA_TIMELINE_ZERO   1     /* from zero */
#define NGX_MEDIA_TIMELINE_OFF    2     /* as the sender says */


typedef struct {
    int64_t    offset;          /* out = in + offset */
    int64_t    offset_old;      /* before the last jump */
    int64_t    last;            /* newest out of all tracks; where nothing
                                 * is repaired, out of the last frame */
    int64_t    last_now;        /* when the newest frame came */
    int64_t    base;            /* out of the first frame */
    int64_t    track[NGX_MEDIA_MAX_TRACKS];       /* newest out of a track */
    int64_t    track_now[NGX_MEDIA_MAX_TRACKS];   /* when it came */
    uint32_t   seen;            /* tracks that had a frame */
    uint32_t   moved;           /* tracks that follow the newest offset */
    uint32_t   jumps;           /* new offsets made */
    uint32_t   fixes;           /* single frames moved */
    uint8_t    mode;
    uint8_t    started;
} ngx_media_timeline_t;


/*
 * Begins a timeline whose first frame shall come out at base (0, or where a
 * publish before it ended plus the time since).  OFF ignores base.
 */
void ngx_media_timeline_start(ngx_media_timeline_t *tl, int mode,
    int64_t base);

/*
 * Maps the dts of a frame of a track.  *jumped becomes 1 where the timeline
 * had to make a new offset, else 0.  Returns the time on the source timeline.
 */
int64_t ngx_media_timeline_map(ngx_media_timeline_t *tl, int track,
    int64_t dts, int64_t now, int *jumped);

/*
 * Unwraps a clock of `bits` bits: the value nearest to last (same unit, any
 * size) whose low bits are v.  RTMP: 32 bits of ms; MPEG-TS: 33 of 90 kHz.
 */
int64_t ngx_media_unwrap(int64_t last, uint64_t v, int bits);

#define ngx_media_unwrap32(last, v)  ngx_media_unwrap(last, v, 32)


#endif /* _NGX_MEDIA_TIMELINE_H_INCLUDED_ */
