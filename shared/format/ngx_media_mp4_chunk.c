
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the header of a CMAF chunk: styp, prft, moof, the first bytes of mdat.
 * See ngx_media_mp4.h.  What all samples of a run have in common goes into
 * tfhd and not into each entry of trun: parts of low latency are small.
 *
 * ISO/IEC 14496-12 8.8.4 to 8.8.8 and 8.8.12, 8.16.2 and 8.16.5;
 * ISO/IEC 23000-19 7.3.2 and 7.5.
 */


#include "ngx_media_mp4_box.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_MP4_MAX_DATA      0x7fffffff

/* sample_flags of 8.8.3.1 */

#define NGX_MEDIA_MP4_SYNC          0x02000000  /* depends on no other */
#define NGX_MEDIA_MP4_NO_SYNC       0x01010000  /* it does; no sync sample */
#define NGX_MEDIA_MP4_NOT_NEEDED    0x00800000  /* no other depends on it */

#define NGX_MEDIA_MP4_TFHD_DURATION 0x000008
#define NGX_MEDIA_MP4_TFHD_SIZE     0x000010
#define NGX_MEDIA_MP4_TFHD_FLAGS    0x000020
#define NGX_MEDIA_MP4_TFHD_MOOF     0x020000    /* default-base-is-moof */

#define NGX_MEDIA_MP4_TRUN_OFFSET   0x000001
#define NGX_MEDIA_MP4_TRUN_FIRST    0x000004
#define NGX_MEDIA_MP4_TRUN_DURATION 0x000100
#define NGX_MEDIA_MP4_TRUN_SIZE     0x000200
#define NGX_MEDIA_MP4_TRUN_FLAGS    0x000400
#define NGX_MEDIA_MP4_TRUN_CTS      0x000800

#define NGX_MEDIA_MP4_PRFT_INPUT    24          /* real time, encoder input */
#define NGX_MEDIA_MP4_NTP_EPOCH     2208988800u /* s from 1900 to 1970 */


static int ngx_media_mp4_check(const ngx_media_mp4_chunk_t *c);
static void ngx_media_mp4_styp(ngx_media_mp4_out_t *o, unsigned styp);
static void ngx_media_mp4_prft(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_chunk_t *c);
static size_t ngx_media_mp4_traf(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_run_t *run);
static void ngx_media_mp4_trun(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_run_t *run, uint32_t flags, size_t *offset);
static uint32_t ngx_media_mp4_common(const ngx_media_mp4_run_t *run);
static uint32_t ngx_media_mp4_sample_flags(const ngx_media_mp4_sample_t *s);
static uint32_t ngx_media_mp4_duration(const ngx_media_mp4_run_t *run,
    uint32_t i);


uint64_t
ngx_media_mp4_chunk_data(const ngx_media_mp4_chunk_t *c)
{
    uint32_t  i, k;
    uint64_t  n;

    n = 0;

    for (i = 0; i < c->nruns; i++) {
        for (k = 0; k < c->runs[i].nsamples; k++) {
            n += c->runs[i].samples[k].size;
        }
    }

    return n;
}


ssize_t
ngx_media_mp4_chunk(const ngx_media_mp4_chunk_t *c, u_char *buf, size_t size)
{
    size_t               moof, box, offsets[NGX_MEDIA_MP4_MAX_TRACKS];
    uint32_t             i, k;
    uint64_t             data, at;
    ngx_media_mp4_out_t  o;

    if (ngx_media_mp4_check(c) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    data = ngx_media_mp4_chunk_data(c);

    if (data > NGX_MEDIA_MP4_MAX_DATA) {
        return NGX_MEDIA_ERROR;
    }

    o.buf = buf;
    o.size = buf ? size : 0;
    o.n = 0;

    ngx_media_mp4_styp(&o, c->styp);
    ngx_media_mp4_prft(&o, c);

    moof = ngx_media_mp4_begin(&o, ngx_media_mp4_type('m', 'o', 'o', 'f'));

    box = ngx_media_mp4_begin_full(&o, ngx_media_mp4_type('m', 'f', 'h', 'd'),
                                   0, 0);
    ngx_media_mp4_put32(&o, c->sequence);
    ngx_media_mp4_end(&o, box);

    for (i = 0; i < c->nruns; i++) {
        offsets[i] = ngx_media_mp4_traf(&o, &c->runs[i]);
    }

    ngx_media_mp4_end(&o, moof);

    ngx_media_mp4_put32(&o, (uint32_t) data + 8);
    ngx_media_mp4_put32(&o, ngx_media_mp4_type('m', 'd', 'a', 't'));

    if (buf && o.n > size) {
        return NGX_MEDIA_ERROR;
    }

    at = o.n - moof;

    for (i = 0; i < c->nruns; i++) {
        ngx_media_mp4_patch(&o, offsets[i], (uint32_t) at);

        for (k = 0; k < c->runs[i].nsamples; k++) {
            at += c->runs[i].samples[k].size;
        }
    }

    return (ssize_t) o.n;
}


static int
ngx_media_mp4_check(const ngx_media_mp4_chunk_t *c)
{
    uint32_t                    i, k;
    uint64_t                    next;
    const ngx_media_mp4_run_t  *run;

    if (c->nruns == 0 || c->nruns > NGX_MEDIA_MP4_MAX_TRACKS) {
        return NGX_MEDIA_ERROR;
    }

    for (i = 0; i < c->nruns; i++) {
        run = &c->runs[i];

        if (run->nsamples == 0) {
            return NGX_MEDIA_ERROR;
        }

        for (k = 0; k < run->nsamples; k++) {
            next = k + 1 < run->nsamples ? run->samples[k + 1].dts : run->end;

            if (next < run->samples[k].dts
                || next - run->samples[k].dts > 0xffffffff)
            {
                return NGX_MEDIA_ERROR;
            }
        }
    }

    return NGX_MEDIA_OK;
}


static void
ngx_media_mp4_styp(ngx_media_mp4_out_t *o, unsigned styp)
{
    size_t  box;

    if (styp == NGX_MEDIA_MP4_STYP_NONE) {
        return;
    }

    box = ngx_media_mp4_begin(o, ngx_media_mp4_type('s', 't', 'y', 'p'));

    ngx_media_mp4_put32(o, ngx_media_mp4_type('m', 's', 'd', 'h'));
    ngx_media_mp4_put32(o, 0);

    if (styp == NGX_MEDIA_MP4_STYP_SEGMENT) {
        ngx_media_mp4_put32(o, ngx_media_mp4_type('m', 's', 'd', 'h'));
        ngx_media_mp4_put32(o, ngx_media_mp4_type('c', 'm', 'f', 's'));
        ngx_media_mp4_put32(o, ngx_media_mp4_type('c', 'm', 'f', 'f'));
    }

    ngx_media_mp4_put32(o, ngx_media_mp4_type('c', 'm', 'f', 'l'));
    ngx_media_mp4_end(o, box);
}


static void
ngx_media_mp4_prft(ngx_media_mp4_out_t *o, const ngx_media_mp4_chunk_t *c)
{
    size_t    box;
    uint64_t  utc;

    if (c->utc <= 0) {
        return;
    }

    utc = (uint64_t) c->utc;

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('p', 'r', 'f', 't'),
                                   1, NGX_MEDIA_MP4_PRFT_INPUT);

    ngx_media_mp4_put32(o, c->runs[0].id);
    ngx_media_mp4_put32(o, (uint32_t) (utc / 1000000)
                           + NGX_MEDIA_MP4_NTP_EPOCH);
    ngx_media_mp4_put32(o, (uint32_t) ((utc % 1000000 << 32) / 1000000));
    ngx_media_mp4_put64(o, c->runs[0].samples[0].dts);
    ngx_media_mp4_end(o, box);
}


/* Returns the place of the data offset. */

static size_t
ngx_media_mp4_traf(ngx_media_mp4_out_t *o, const ngx_media_mp4_run_t *run)
{
    size_t    traf, box, offset;
    uint32_t  flags, tfhd;

    traf = ngx_media_mp4_begin(o, ngx_media_mp4_type('t', 'r', 'a', 'f'));

    flags = ngx_media_mp4_common(run);
    tfhd = NGX_MEDIA_MP4_TFHD_MOOF;

    if (!(flags & NGX_MEDIA_MP4_TRUN_DURATION)) {
        tfhd |= NGX_MEDIA_MP4_TFHD_DURATION;
    }

    if (!(flags & NGX_MEDIA_MP4_TRUN_SIZE)) {
        tfhd |= NGX_MEDIA_MP4_TFHD_SIZE;
    }

    if (!(flags & NGX_MEDIA_MP4_TRUN_FLAGS)) {
        tfhd |= NGX_MEDIA_MP4_TFHD_FLAGS;
    }

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('t', 'f', 'h', 'd'),
                                   0, tfhd);
    ngx_media_mp4_put32(o, run->id);

    if (tfhd & NGX_MEDIA_MP4_TFHD_DURATION) {
        ngx_media_mp4_put32(o, ngx_media_mp4_duration(run, 0));
    }

    if (tfhd & NGX_MEDIA_MP4_TFHD_SIZE) {
        ngx_media_mp4_put32(o, run->samples[0].size);
    }

    if (tfhd & NGX_MEDIA_MP4_TFHD_FLAGS) {
        ngx_media_mp4_put32(o, ngx_media_mp4_sample_flags(
                                   &run->samples[run->nsamples - 1]));
    }

    ngx_media_mp4_end(o, box);

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('t', 'f', 'd', 't'),
                                   1, 0);
    ngx_media_mp4_put64(o, run->samples[0].dts);
    ngx_media_mp4_end(o, box);

    ngx_media_mp4_trun(o, run, flags, &offset);

    ngx_media_mp4_end(o, traf);

    return offset;
}


/* What trun must say of each sample, since the samples differ in it. */

static uint32_t
ngx_media_mp4_common(const ngx_media_mp4_run_t *run)
{
    uint32_t                       i, flags;
    const ngx_media_mp4_sample_t  *s, *first;

    flags = NGX_MEDIA_MP4_TRUN_OFFSET;
    first = &run->samples[0];

    for (i = 0; i < run->nsamples; i++) {
        s = &run->samples[i];

        if (ngx_media_mp4_duration(run, i) != ngx_media_mp4_duration(run, 0)) {
            flags |= NGX_MEDIA_MP4_TRUN_DURATION;
        }

        if (s->size != first->size) {
            flags |= NGX_MEDIA_MP4_TRUN_SIZE;
        }

        if (s->cts != 0) {
            flags |= NGX_MEDIA_MP4_TRUN_CTS;
        }

        /* the first one may differ from all others: a keyframe */

        if (i > 1 && s->flags != run->samples[1].flags) {
            flags |= NGX_MEDIA_MP4_TRUN_FLAGS;
        }
    }

    if (run->nsamples > 1 && first->flags != run->samples[1].flags
        && !(flags & NGX_MEDIA_MP4_TRUN_FLAGS))
    {
        flags |= NGX_MEDIA_MP4_TRUN_FIRST;
    }

    return flags;
}


/* offset: where the data offset lies, which the caller fills in. */

static void
ngx_media_mp4_trun(ngx_media_mp4_out_t *o, const ngx_media_mp4_run_t *run,
    uint32_t flags, size_t *offset)
{
    size_t                         box;
    uint32_t                       i;
    const ngx_media_mp4_sample_t  *s;

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('t', 'r', 'u', 'n'),
                                   1, flags);

    ngx_media_mp4_put32(o, run->nsamples);

    *offset = o->n;
    ngx_media_mp4_put32(o, 0);

    if (flags & NGX_MEDIA_MP4_TRUN_FIRST) {
        ngx_media_mp4_put32(o, ngx_media_mp4_sample_flags(run->samples));
    }

    for (i = 0; i < run->nsamples; i++) {
        s = &run->samples[i];

        if (flags & NGX_MEDIA_MP4_TRUN_DURATION) {
            ngx_media_mp4_put32(o, ngx_media_mp4_duration(run, i));
        }

        if (flags & NGX_MEDIA_MP4_TRUN_SIZE) {
            ngx_media_mp4_put32(o, s->size);
        }

        if (flags & NGX_MEDIA_MP4_TRUN_FLAGS) {
            ngx_media_mp4_put32(o, ngx_media_mp4_sample_flags(s));
        }

        if (flags & NGX_MEDIA_MP4_TRUN_CTS) {
            ngx_media_mp4_put32(o, (uint32_t) s->cts);
        }
    }

    ngx_media_mp4_end(o, box);
}


static uint32_t
ngx_media_mp4_sample_flags(const ngx_media_mp4_sample_t *s)
{
    uint32_t  flags;

    flags = s->flags & NGX_MEDIA_MP4_KEY ? NGX_MEDIA_MP4_SYNC
                                         : NGX_MEDIA_MP4_NO_SYNC;

    if (s->flags & NGX_MEDIA_MP4_DISPOSABLE) {
        flags |= NGX_MEDIA_MP4_NOT_NEEDED;
    }

    return flags;
}


static uint32_t
ngx_media_mp4_duration(const ngx_media_mp4_run_t *run, uint32_t i)
{
    uint64_t  next;

    next = i + 1 < run->nsamples ? run->samples[i + 1].dts : run->end;

    return (uint32_t) (next - run->samples[i].dts);
}
