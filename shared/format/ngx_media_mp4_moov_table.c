
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the tables of samples of a track of a progressive MP4, see
 * ngx_media_mp4_moov.h.  Each is one walk over all samples or chunks.
 *
 * ISO/IEC 14496-12 8.6.1.2, 8.6.1.3, 8.6.2, 8.7.3 to 8.7.5.
 */


#include "ngx_media_mp4_in.h"


/* a box with a table: its own place and that of the number of entries */

typedef struct {
    size_t     box;
    size_t     at;
    uint32_t   n;
} ngx_media_mp4_table_t;


static void ngx_media_mp4_table_begin(ngx_media_mp4_out_t *o,
    ngx_media_mp4_table_t *t, uint32_t type, uint32_t version);
static void ngx_media_mp4_table_end(ngx_media_mp4_out_t *o,
    ngx_media_mp4_table_t *t);
static void ngx_media_mp4_table_pair(ngx_media_mp4_out_t *o,
    ngx_media_mp4_table_t *t, uint32_t count, uint32_t value);
static void ngx_media_mp4_table_stts(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track);
static void ngx_media_mp4_table_ctts(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track);
static void ngx_media_mp4_table_stss(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track);
static void ngx_media_mp4_table_stsz(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track);
static void ngx_media_mp4_table_stsc(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track);
static void ngx_media_mp4_table_stco(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track, uint64_t base, unsigned large);


void
ngx_media_mp4_moov_tables(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track, uint64_t base, unsigned large)
{
    ngx_media_mp4_table_stts(m, o, track);
    ngx_media_mp4_table_ctts(m, o, track);
    ngx_media_mp4_table_stss(m, o, track);
    ngx_media_mp4_table_stsc(m, o, track);
    ngx_media_mp4_table_stsz(m, o, track);
    ngx_media_mp4_table_stco(m, o, track, base, large);
}


static void
ngx_media_mp4_table_begin(ngx_media_mp4_out_t *o, ngx_media_mp4_table_t *t,
    uint32_t type, uint32_t version)
{
    t->box = ngx_media_mp4_begin_full(o, type, version, 0);
    t->at = o->n;
    t->n = 0;

    ngx_media_mp4_put32(o, 0);
}


static void
ngx_media_mp4_table_end(ngx_media_mp4_out_t *o, ngx_media_mp4_table_t *t)
{
    ngx_media_mp4_patch(o, t->at, t->n);
    ngx_media_mp4_end(o, t->box);
}


static void
ngx_media_mp4_table_pair(ngx_media_mp4_out_t *o, ngx_media_mp4_table_t *t,
    uint32_t count, uint32_t value)
{
    if (count) {
        ngx_media_mp4_put32(o, count);
        ngx_media_mp4_put32(o, value);
        t->n++;
    }
}


static void
ngx_media_mp4_table_stts(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track)
{
    uint32_t               i, count, value;
    ngx_media_mp4_table_t  t;

    ngx_media_mp4_table_begin(o, &t, ngx_media_mp4_type('s', 't', 't', 's'),
                              0);
    count = 0;
    value = 0;

    for (i = 0; i < m->nsamples; i++) {

        if (m->samples[i].track != track) {
            continue;
        }

        if (m->samples[i].delta != value) {
            ngx_media_mp4_table_pair(o, &t, count, value);
            value = m->samples[i].delta;
            count = 0;
        }

        count++;
    }

    ngx_media_mp4_table_pair(o, &t, count, value);
    ngx_media_mp4_table_end(o, &t);
}


static void
ngx_media_mp4_table_ctts(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track)
{
    int32_t                value;
    uint32_t               i, count, some, negative;
    ngx_media_mp4_table_t  t;

    some = 0;
    negative = 0;

    for (i = 0; i < m->nsamples; i++) {
        if (m->samples[i].track == track && m->samples[i].cts) {
            some = 1;
            negative |= m->samples[i].cts < 0;
        }
    }

    if (!some) {
        return;
    }

    ngx_media_mp4_table_begin(o, &t, ngx_media_mp4_type('c', 't', 't', 's'),
                              negative);
    count = 0;
    value = 0;

    for (i = 0; i < m->nsamples; i++) {

        if (m->samples[i].track != track) {
            continue;
        }

        if (m->samples[i].cts != value) {
            ngx_media_mp4_table_pair(o, &t, count, (uint32_t) value);
            value = m->samples[i].cts;
            count = 0;
        }

        count++;
    }

    ngx_media_mp4_table_pair(o, &t, count, (uint32_t) value);
    ngx_media_mp4_table_end(o, &t);
}


/* Without it all samples are such ones. */

static void
ngx_media_mp4_table_stss(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track)
{
    uint32_t               i, number, other;
    ngx_media_mp4_table_t  t;

    other = 0;

    for (i = 0; i < m->nsamples; i++) {
        if (m->samples[i].track == track
            && !(m->samples[i].flags & NGX_MEDIA_MP4_KEY))
        {
            other = 1;
            break;
        }
    }

    if (!other) {
        return;
    }

    ngx_media_mp4_table_begin(o, &t, ngx_media_mp4_type('s', 't', 's', 's'),
                              0);
    number = 0;

    for (i = 0; i < m->nsamples; i++) {

        if (m->samples[i].track != track) {
            continue;
        }

        number++;

        if (m->samples[i].flags & NGX_MEDIA_MP4_KEY) {
            ngx_media_mp4_put32(o, number);
            t.n++;
        }
    }

    ngx_media_mp4_table_end(o, &t);
}


static void
ngx_media_mp4_table_stsz(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track)
{
    size_t    box;
    uint32_t  i, size, same;

    size = m->samples[m->track[track].last].size;
    same = size != 0;

    for (i = 0; i < m->nsamples; i++) {
        if (m->samples[i].track == track && m->samples[i].size != size) {
            same = 0;
            break;
        }
    }

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('s', 't', 's', 'z'),
                                   0, 0);
    ngx_media_mp4_put32(o, same ? size : 0);
    ngx_media_mp4_put32(o, m->track[track].samples);

    for (i = 0; !same && i < m->nsamples; i++) {
        if (m->samples[i].track == track) {
            ngx_media_mp4_put32(o, m->samples[i].size);
        }
    }

    ngx_media_mp4_end(o, box);
}


static void
ngx_media_mp4_table_stsc(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track)
{
    uint32_t               i, number, samples;
    ngx_media_mp4_table_t  t;

    ngx_media_mp4_table_begin(o, &t, ngx_media_mp4_type('s', 't', 's', 'c'),
                              0);
    number = 0;
    samples = 0;

    for (i = 0; i < m->nchunks; i++) {

        if (m->chunks[i].track != track) {
            continue;
        }

        number++;

        if (m->chunks[i].samples != samples) {
            samples = m->chunks[i].samples;

            ngx_media_mp4_put32(o, number);
            ngx_media_mp4_put32(o, samples);
            ngx_media_mp4_put32(o, 1);
            t.n++;
        }
    }

    ngx_media_mp4_table_end(o, &t);
}


static void
ngx_media_mp4_table_stco(const ngx_media_mp4_moov_t *m,
    ngx_media_mp4_out_t *o, uint32_t track, uint64_t base, unsigned large)
{
    uint32_t               i;
    ngx_media_mp4_table_t  t;

    ngx_media_mp4_table_begin(o, &t,
                              large ? ngx_media_mp4_type('c', 'o', '6', '4')
                                    : ngx_media_mp4_type('s', 't', 'c', 'o'),
                              0);

    for (i = 0; i < m->nchunks; i++) {

        if (m->chunks[i].track != track) {
            continue;
        }

        if (large) {
            ngx_media_mp4_put64(o, base + m->chunks[i].offset);

        } else {
            ngx_media_mp4_put32(o, (uint32_t) (base + m->chunks[i].offset));
        }

        t.n++;
    }

    ngx_media_mp4_table_end(o, &t);
}
