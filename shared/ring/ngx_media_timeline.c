
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: timestamp repair; see the header for the picture.
 */


#include <string.h>

#include "ngx_media_timeline.h"


/* a track may step back that far by itself: it is held, not a jump */
#define NGX_MEDIA_TIMELINE_BACK    250000

/* a step forward that is believed even if less time really passed */
#define NGX_MEDIA_TIMELINE_AHEAD   10000000

/* tracks of one sender begin within that of each other */
#define NGX_MEDIA_TIMELINE_SKEW    10000000

/* the gap that a jump leaves: as long as it really took, within these */
#define NGX_MEDIA_TIMELINE_GAP_MIN 10000
#define NGX_MEDIA_TIMELINE_GAP_MAX 10000000


static int64_t ngx_media_timeline_pick(ngx_media_timeline_t *tl, int track,
    int64_t dts, int64_t now, int *jumped);
static int ngx_media_timeline_nearer(ngx_media_timeline_t *tl, int track,
    int64_t a, int64_t b, int64_t now);
static int ngx_media_timeline_plausible(ngx_media_timeline_t *tl, int track,
    int64_t out, int64_t now);
static int64_t ngx_media_timeline_jump(ngx_media_timeline_t *tl, int64_t dts,
    int64_t now);


void
ngx_media_timeline_start(ngx_media_timeline_t *tl, int mode, int64_t base)
{
    memset(tl, 0, sizeof(ngx_media_timeline_t));

    tl->mode = (uint8_t) mode;
    tl->base = base;
    tl->last = base;
}


int64_t
ngx_media_timeline_map(ngx_media_timeline_t *tl, int track, int64_t dts,
    int64_t now, int *jumped)
{
    int64_t  out;

    *jumped = 0;

    if (!tl->started) {
        tl->started = 1;
        tl->offset = (tl->mode == NGX_MEDIA_TIMELINE_OFF) ? 0 : tl->base - dts;
        tl->offset_old = tl->offset;
        tl->last = dts + tl->offset;
        tl->last_now = now;
    }

    out = dts + tl->offset;

    if (tl->mode != NGX_MEDIA_TIMELINE_FULL) {
        tl->last = out;
        return out;
    }

    if (track == NGX_MEDIA_TRACK_SCRIPT) {

        /* data comes when it wants and often with a time of its own */

        if (out < tl->base || out > tl->last + NGX_MEDIA_TIMELINE_AHEAD
            || out < tl->last - NGX_MEDIA_TIMELINE_SKEW)
        {
            out = tl->last;
        }

        return out;
    }

    out = ngx_media_timeline_pick(tl, track, dts, now, jumped);

    if (tl->seen & (1u << track)) {

        /* never back within a track, and never twice at one time */

        if (out <= tl->track[track]) {
            out = tl->track[track] + 1000;
            tl->fixes++;
        }

    } else if (out < tl->base) {

        /* a publisher that came back: not into the time before */

        out = tl->base;
    }

    tl->seen |= 1u << track;
    tl->track[track] = out;
    tl->track_now[track] = now;
    tl->last_now = now;

    if (out > tl->last) {
        tl->last = out;
    }

    return out;
}


static int64_t
ngx_media_timeline_pick(ngx_media_timeline_t *tl, int track, int64_t dts,
    int64_t now, int *jumped)
{
    int64_t   out, old;
    uint32_t  bit;

    bit = 1u << track;
    out = dts + tl->offset;
    old = dts + tl->offset_old;

    if (ngx_media_timeline_plausible(tl, track, out, now)
        && ((tl->moved & bit) || out == old
            || !ngx_media_timeline_nearer(tl, track, old, out, now)))
    {
        tl->moved |= bit;
        return out;
    }

    if (out != old && ngx_media_timeline_plausible(tl, track, old, now)) {

        if (tl->moved & bit) {

            /* the jump was one of a few stray frames: back to what held */

            tl->offset_old = tl->offset;
            tl->offset = old - dts;
            tl->moved = bit;
        }

        return old;
    }

    *jumped = 1;
    tl->moved = bit;

    return ngx_media_timeline_jump(tl, dts, now);
}


/* is a nearer than b to where the track should be now? */

static int
ngx_media_timeline_nearer(ngx_media_timeline_t *tl, int track, int64_t a,
    int64_t b, int64_t now)
{
    int64_t  expected;

    expected = tl->last;

    if (tl->seen & (1u << track)) {
        expected = tl->track[track] + (now - tl->track_now[track]);
    }

    a -= expected;
    b -= expected;

    return (a < 0 ? -a : a) < (b < 0 ? -b : b);
}


static int
ngx_media_timeline_plausible(ngx_media_timeline_t *tl, int track, int64_t out,
    int64_t now)
{
    int64_t  step, passed;

    if (!(tl->seen & (1u << track))) {
        step = out - tl->last;
        return step >= -NGX_MEDIA_TIMELINE_SKEW
               && step <= NGX_MEDIA_TIMELINE_SKEW;
    }

    step = out - tl->track[track];
    passed = now - tl->track_now[track];

    return step >= -NGX_MEDIA_TIMELINE_BACK
           && step <= passed + NGX_MEDIA_TIMELINE_AHEAD;
}


static int64_t
ngx_media_timeline_jump(ngx_media_timeline_t *tl, int64_t dts, int64_t now)
{
    int64_t  gap, out;

    gap = now - tl->last_now;

    if (gap < NGX_MEDIA_TIMELINE_GAP_MIN) {
        gap = NGX_MEDIA_TIMELINE_GAP_MIN;
    }

    if (gap > NGX_MEDIA_TIMELINE_GAP_MAX) {
        gap = NGX_MEDIA_TIMELINE_GAP_MAX;
    }

    out = tl->last + gap;

    tl->offset_old = tl->offset;
    tl->offset = out - dts;
    tl->jumps++;

    return out;
}


int64_t
ngx_media_unwrap(int64_t last, uint64_t v, int bits)
{
    uint64_t  mod, mask, diff;

    mod = (uint64_t) 1 << bits;
    mask = mod - 1;
    diff = (v - (uint64_t) last) & mask;

    if (diff > mod / 2) {
        return last - (int64_t) (mod - diff);
    }

    return last + (int64_t) diff;
}
