
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the time of samples.  See ngx_media_mp4.h.  Video keeps the time of
 * each frame; where the end of a run had to be foretold, the next dts is that
 * end and its cts takes up the difference.  Audio is a row of samples without
 * holes as long as the time of its frames stays near enough to it.
 */


#include <string.h>

#include "ngx_media_ac3.h"
#include "ngx_media_flac.h"
#include "ngx_media_mp3.h"
#include "ngx_media_mp4.h"
#include "ngx_media_opus.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_MP4_MAX_TIME     (1LL << 56)  /* us */
#define NGX_MEDIA_MP4_LEAP         600       /* s, a discontinuity */
#define NGX_MEDIA_MP4_SLACK        25        /* 1/25 s, audio is set right */
#define NGX_MEDIA_MP4_WINDOW       64        /* frames that say the same */
#define NGX_MEDIA_MP4_FPS          30        /* where nothing is known */


static int ngx_media_mp4_clock_video(ngx_media_mp4_clock_t *c,
    uint64_t dts, int64_t pts, ngx_media_mp4_sample_t *s);
static int ngx_media_mp4_clock_audio(ngx_media_mp4_clock_t *c, uint64_t dts,
    uint32_t n, ngx_media_mp4_sample_t *s);
static int ngx_media_mp4_clock_off(ngx_media_mp4_clock_t *c, int64_t d,
    uint32_t n);
static uint32_t ngx_media_mp4_samples(const ngx_media_mp4_clock_t *c,
    const ngx_media_frame_t *f);
static uint32_t ngx_media_mp4_mp3_samples(const u_char *pos,
    const u_char *end);
static uint32_t ngx_media_mp4_ac3_samples(const u_char *pos,
    const u_char *end);


void
ngx_media_mp4_clock_init(ngx_media_mp4_clock_t *c,
    const ngx_media_mp4_track_t *t)
{
    const ngx_media_codec_info_t  *info;

    memset(c, 0, sizeof(ngx_media_mp4_clock_t));

    info = &t->info;

    c->codec = t->codec;
    c->timescale = t->timescale;
    c->frame = t->frame;

    c->step = c->timescale / NGX_MEDIA_MP4_FPS;

    if (info->fps_num && info->fps_den
        && info->fps_num / info->fps_den < 1000
        && info->fps_den / info->fps_num < 1)
    {
        c->step = (uint32_t) ((uint64_t) c->timescale * info->fps_den
                              / info->fps_num);
    }

    c->before = c->step;
}


int
ngx_media_mp4_clock_frame(ngx_media_mp4_clock_t *c,
    const ngx_media_frame_t *f, ngx_media_mp4_sample_t *s)
{
    int       rc;
    int64_t   t, pts;
    uint32_t  n;
    uint64_t  dts;

    if (f->dts < -NGX_MEDIA_MP4_MAX_TIME || f->dts > NGX_MEDIA_MP4_MAX_TIME) {
        return NGX_MEDIA_ERROR;
    }

    t = f->dts + c->offset;

    if (t < 0) {
        return NGX_MEDIA_ERROR;
    }

    dts = ngx_media_mp4_ticks(t, c->timescale);

    if (c->started
        && (dts + c->timescale < c->last
            || dts > c->last + (uint64_t) c->timescale * NGX_MEDIA_MP4_LEAP))
    {
        return NGX_MEDIA_ERROR;
    }

    n = ngx_media_codec_is_audio(c->codec) ? ngx_media_mp4_samples(c, f) : 0;

    if (n) {
        rc = ngx_media_mp4_clock_audio(c, dts, n, s);

    } else {
        pts = t + f->cts;
        pts = pts < 0 ? -(int64_t) ngx_media_mp4_ticks(-pts, c->timescale)
                      : (int64_t) ngx_media_mp4_ticks(pts, c->timescale);

        rc = ngx_media_mp4_clock_video(c, dts, pts, s);
    }

    if (rc == NGX_MEDIA_DECLINED) {
        return rc;
    }

    c->started = 1;
    c->promised = 0;

    s->size = f->size;
    s->flags = 0;

    if (!ngx_media_codec_is_video(c->codec)
        || (f->flags & NGX_MEDIA_FRAME_KEY))
    {
        s->flags |= NGX_MEDIA_MP4_KEY;
    }

    if (f->flags & NGX_MEDIA_FRAME_DISPOSABLE) {
        s->flags |= NGX_MEDIA_MP4_DISPOSABLE;
    }

    return rc;
}


static int
ngx_media_mp4_clock_video(ngx_media_mp4_clock_t *c, uint64_t dts, int64_t pts,
    ngx_media_mp4_sample_t *s)
{
    int       rc;
    uint64_t  true_dts;

    rc = NGX_MEDIA_OK;
    true_dts = dts;

    if (c->started) {

        if (c->promised) {

            if (dts < c->next + c->timescale / 2) {
                dts = c->next;

            } else {
                c->gaps++;
                rc = NGX_MEDIA_MP4_GAP;
            }

        } else if (dts <= c->last) {
            dts = c->last + 1;
        }

        c->before = c->step;

        if (true_dts > c->exact) {
            c->step = (uint32_t) (true_dts - c->exact);
        }
    }

    c->exact = true_dts;
    c->last = dts;

    s->dts = dts;
    s->cts = (int32_t) (pts - (int64_t) dts);

    return rc;
}


static int
ngx_media_mp4_clock_audio(ngx_media_mp4_clock_t *c, uint64_t dts, uint32_t n,
    ngx_media_mp4_sample_t *s)
{
    int       rc;
    int64_t   d;
    uint64_t  least;

    if (!c->counted) {
        least = c->promised ? c->next : c->started ? c->last + 1 : 0;
        c->next = dts < least ? least : dts;
    }

    rc = NGX_MEDIA_OK;
    d = (int64_t) (dts - c->next);

    if (ngx_media_mp4_clock_off(c, d, n)) {
        c->gaps++;
        c->count = 0;

        if (d < 0) {
            return NGX_MEDIA_DECLINED;
        }

        c->next = dts;
        rc = NGX_MEDIA_MP4_GAP;
    }

    s->dts = c->next;
    s->cts = 0;

    c->last = c->next;
    c->next += n;
    c->frame = n;
    c->counted = 1;

    return rc;
}


/* Is the time d ticks away from the samples for good? */

static int
ngx_media_mp4_clock_off(ngx_media_mp4_clock_t *c, int64_t d, uint32_t n)
{
    int64_t  slack;

    slack = (int64_t) n + n / 4;

    if (slack < c->timescale / NGX_MEDIA_MP4_SLACK) {
        slack = c->timescale / NGX_MEDIA_MP4_SLACK;
    }

    if (d > slack || d < -slack) {
        return 1;
    }

    if (c->count == 0 || d < c->low) {
        c->low = d;
    }

    if (c->count == 0 || d > c->high) {
        c->high = d;
    }

    if (++c->count < NGX_MEDIA_MP4_WINDOW) {
        return 0;
    }

    c->count = 0;

    /* the frame at hand must be a fair one to be set right by */

    return c->low > (int64_t) n / 2 || c->high < -(int64_t) n / 2;
}


uint64_t
ngx_media_mp4_clock_end(ngx_media_mp4_clock_t *c)
{
    uint32_t  n;

    if (!c->started) {
        return 0;
    }

    /*
     * The shorter one of two: after a pause of the picture frames go on as
     * they did before.
     */

    if (!c->counted && !c->promised) {
        n = c->step < c->before ? c->step : c->before;

        if (n > c->timescale) {
            n = c->timescale;
        }

        c->next = c->last + (n ? n : 1);
    }

    c->promised = 1;

    return c->next;
}


/*
 * Samples that an audio frame decodes to; those of the last one where it does
 * not tell, 0 where that is not known either.
 */

static uint32_t
ngx_media_mp4_samples(const ngx_media_mp4_clock_t *c,
    const ngx_media_frame_t *f)
{
    uint32_t       n;
    const u_char  *end;

    n = 0;
    end = f->data + f->size;

    switch (c->codec) {

    case NGX_MEDIA_CODEC_OPUS:
        n = ngx_media_opus_samples(f->data, end);
        break;

    case NGX_MEDIA_CODEC_MP3:
        n = ngx_media_mp4_mp3_samples(f->data, end);
        break;

    case NGX_MEDIA_CODEC_AC3:
    case NGX_MEDIA_CODEC_EAC3:
        n = ngx_media_mp4_ac3_samples(f->data, end);
        break;

    case NGX_MEDIA_CODEC_FLAC:
        n = ngx_media_flac_samples(f->data, end);
        break;

    default:
        break;
    }

    return n ? n : c->frame;
}


static uint32_t
ngx_media_mp4_mp3_samples(const u_char *pos, const u_char *end)
{
    uint32_t         n;
    ngx_media_mp3_t  mp3;

    n = 0;

    while (ngx_media_mp3_parse(pos, end, &mp3) != NULL) {
        n += mp3.samples;

        if (mp3.frame_size == 0 || (size_t) (end - pos) <= mp3.frame_size) {
            break;
        }

        pos += mp3.frame_size;
    }

    return n;
}


/* Dependent substreams of E-AC-3 last no time of their own. */

static uint32_t
ngx_media_mp4_ac3_samples(const u_char *pos, const u_char *end)
{
    uint32_t         n;
    ngx_media_ac3_t  ac3;

    n = 0;

    while (ngx_media_ac3_parse(pos, end, &ac3) != NULL) {

        if (!ac3.eac3 || ac3.stream_type != 1) {
            n += ac3.samples;
        }

        if (ac3.frame_size == 0 || (size_t) (end - pos) <= ac3.frame_size) {
            break;
        }

        pos += ac3.frame_size;
    }

    return n;
}
