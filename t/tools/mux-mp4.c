
/*
 * Copyright (C) the nginx media suite authors
 *
 * mux-mp4 [-e] [-c MS] [-t video|audio] [-p] INPUT OUTPUT
 *
 * FLV or MPEG-TS into fragmented MP4 by the suite's own parsers and writer,
 * as the segmenter does it: a chunk every MS milliseconds of stream time (300)
 * and at each keyframe, where a segment begins.  For tests only: the whole
 * input is held in memory, and no error is forgiven.
 *
 *     -e   the end of a run is the dts of the next sample, not a prediction
 *     -p   chunks have prft
 *     -t   these tracks alone
 *
 * What it wrote is told on stdout:
 *
 *     track ID NAME TIMESCALE WIDTHxHEIGHT RATE CHANNELS
 *     init OFFSET SIZE
 *     chunk SEQUENCE SEGMENT OFFSET SIZE SAMPLES
 *     clock ID SAMPLES GAPS DECLINED
 */


#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_codec_string.h"
#include "ngx_media_flv.h"
#include "ngx_media_mp4.h"
#include "ngx_media_rc.h"
#include "ngx_media_ts_demux.h"


#define MUX_MAX_FRAME   (8 * 1024 * 1024)
#define MUX_HEADER      (1024 * 1024)
#define MUX_UTC         1700000000000000LL


typedef struct {
    ngx_media_frame_t        f;
    ngx_media_mp4_sample_t   s;
    uint32_t                 chunk;
    unsigned                 out:1;     /* is a sample */
} mux_frame_t;


typedef struct {
    u_char                  *config;
    size_t                   config_size;
    mux_frame_t             *first;
    ngx_media_mp4_track_t    t;
    ngx_media_mp4_clock_t    clock;
    unsigned                 samples;
    unsigned                 declined;
    unsigned                 used:1;
} mux_track_t;


static mux_frame_t  *mux_frames;
static size_t        mux_nframes;
static mux_track_t   mux_tracks[NGX_MEDIA_MAX_TRACKS];
static uint32_t     *mux_segments;      /* of each chunk */
static uint32_t      mux_nchunks;
static size_t        mux_offset;
static FILE         *mux_out;
static int           mux_exact;
static int           mux_prft;


static void
mux_fail(const char *what)
{
    fprintf(stderr, "mux-mp4: %s\n", what);
    exit(2);
}


static void *
mux_alloc(void *p, size_t size)
{
    p = realloc(p, size);

    if (p == NULL) {
        mux_fail("no memory");
    }

    return p;
}


static int
mux_take(void *ctx, const ngx_media_frame_t *f)
{
    u_char       *p;
    mux_track_t  *t;
    mux_frame_t  *m;
    const char   *only = ctx;

    if (f->codec == NGX_MEDIA_CODEC_SCRIPT || f->size == 0
        || (f->flags & (NGX_MEDIA_FRAME_EOS|NGX_MEDIA_FRAME_EXTRA))
        || (only && (*only == 'v') != ngx_media_codec_is_video(f->codec)))
    {
        return NGX_MEDIA_OK;
    }

    p = mux_alloc(NULL, f->size);
    memcpy(p, f->data, f->size);

    t = &mux_tracks[f->track];

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {

        if (t->config == NULL) {
            t->config = p;
            t->config_size = f->size;

        } else {
            free(p);
        }

        return NGX_MEDIA_OK;
    }

    if (mux_nframes % 1024 == 0) {
        mux_frames = mux_alloc(mux_frames, (mux_nframes + 1024)
                                           * sizeof(mux_frame_t));
    }

    m = &mux_frames[mux_nframes++];

    memset(m, 0, sizeof(mux_frame_t));
    m->f = *f;
    m->f.data = p;

    t->used = 1;

    return NGX_MEDIA_OK;
}


static u_char *
mux_lend(void *ctx, u_char *buf, size_t used, size_t size)
{
    (void) ctx;
    (void) used;

    if (size == 0) {
        free(buf);
        return NULL;
    }

    return realloc(buf, size);
}


static void
mux_ts(const u_char *p, size_t n, char *only)
{
    ngx_media_ts_demux_t  *d;

    d = mux_alloc(NULL, sizeof(ngx_media_ts_demux_t));

    ngx_media_ts_demux_init(d, mux_take, mux_lend, only, 0, MUX_MAX_FRAME,
                            4 * MUX_MAX_FRAME);

    if (ngx_media_ts_demux(d, p, p + n) != NGX_MEDIA_OK
        || ngx_media_ts_demux_flush(d) != NGX_MEDIA_OK || d->stat.dropped)
    {
        mux_fail("damaged MPEG-TS");
    }

    ngx_media_ts_demux_close(d);
    free(d);
}


static void
mux_flv(const u_char *p, size_t n, char *only)
{
    int                      rc;
    const u_char            *end;
    ngx_media_frame_t        f;
    ngx_media_flv_tag_t      tag;
    ngx_media_flv_body_t     it;
    ngx_media_flv_header_t   header;

    end = p + n;

    if (ngx_media_flv_header_parse(p, end, &header) == NULL) {
        mux_fail("neither FLV nor MPEG-TS");
    }

    p += header.size + NGX_MEDIA_FLV_PREV_SIZE;

    while (p < end) {
        p = ngx_media_flv_tag_parse(p, end, &tag);

        if (p == NULL || (size_t) (end - p) < tag.size) {
            mux_fail("FLV is cut off");
        }

        ngx_media_flv_body_init(&it, tag.type, p, p + tag.size);

        while ((rc = ngx_media_flv_body_next(&it, &f)) == NGX_MEDIA_OK) {
            f.dts += ngx_media_us(tag.ms);
            (void) mux_take(only, &f);
        }

        if (rc == NGX_MEDIA_ERROR) {
            mux_fail("damaged FLV");
        }

        p += tag.size + NGX_MEDIA_FLV_PREV_SIZE;
    }
}


/* The first frame, and a keyframe, of each track; the init segment. */

static void
mux_init(void)
{
    int                     i;
    u_char                 *buf, name[NGX_MEDIA_CODEC_STRING_MAX];
    size_t                  k, n;
    ssize_t                 size;
    mux_track_t            *t;
    const u_char           *end;
    ngx_media_frame_t      *f;
    ngx_media_mp4_track_t   tracks[NGX_MEDIA_MAX_TRACKS];

    n = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        t = &mux_tracks[i];

        if (!t->used) {
            continue;
        }

        f = NULL;

        for (k = 0; k < mux_nframes && f == NULL; k++) {
            if (mux_frames[k].f.track == i
                && (ngx_media_codec_is_audio(mux_frames[k].f.codec)
                    || (mux_frames[k].f.flags & NGX_MEDIA_FRAME_KEY)))
            {
                f = &mux_frames[k].f;
            }
        }

        end = t->config ? t->config + t->config_size : t->config;

        if (f == NULL
            || ngx_media_mp4_track(&t->t, (uint32_t) i + 1, f->codec,
                                   t->config, end, f->data, f->data + f->size)
               != NGX_MEDIA_OK)
        {
            mux_fail("a track has no MP4 form");
        }

        ngx_media_mp4_clock_init(&t->clock, &t->t);

        if (ngx_media_codec_string(&t->t.info, t->config, end,
                                   NGX_MEDIA_CODEC_STRING_MP4, name,
                                   sizeof(name))
            < 0)
        {
            mux_fail("a track has no name");
        }

        printf("track %d %s %u %ux%u %u %u\n", i + 1, name, t->t.timescale,
               t->t.info.width, t->t.info.height, t->t.info.sample_rate,
               t->t.info.channels);

        tracks[n++] = t->t;
    }

    size = ngx_media_mp4_init(tracks, (unsigned) n, NULL, 0);

    if (size < 0) {
        mux_fail("no init segment");
    }

    buf = mux_alloc(NULL, (size_t) size);

    if (ngx_media_mp4_init(tracks, (unsigned) n, buf, (size_t) size) != size
        || ngx_media_mp4_init(tracks, (unsigned) n, buf, (size_t) size - 1)
           != NGX_MEDIA_ERROR)
    {
        mux_fail("the size of the init segment");
    }

    fwrite(buf, 1, (size_t) size, mux_out);
    printf("init 0 %zd\n", size);
    mux_offset = (size_t) size;

    free(buf);
}


/* Which chunk a frame goes to; samples are made in the same go. */

static void
mux_cut(int64_t length)
{
    int           rc, i, main_track, video;
    size_t        k;
    int64_t       start;
    uint32_t      chunk, segment;
    mux_track_t  *t;
    mux_frame_t  *m;

    main_track = -1;
    start = 0;
    chunk = 0;
    segment = 0;
    video = 0;

    mux_segments = mux_alloc(NULL, (mux_nframes + 1) * sizeof(uint32_t));

    for (i = NGX_MEDIA_MAX_TRACKS - 1; i >= 0; i--) {
        if (mux_tracks[i].used
            && (!video || ngx_media_codec_is_video(mux_tracks[i].t.codec)))
        {
            main_track = i;
            video = ngx_media_codec_is_video(mux_tracks[i].t.codec);
        }
    }

    for (k = 0; k < mux_nframes; k++) {
        m = &mux_frames[k];
        t = &mux_tracks[m->f.track];

        if (m->f.track == main_track
            && (k == 0 || m->f.dts - start >= length
                || (video && (m->f.flags & NGX_MEDIA_FRAME_KEY))))
        {
            if (k && !mux_exact) {
                for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
                    (void) ngx_media_mp4_clock_end(&mux_tracks[i].clock);
                }
            }

            chunk++;
            start = m->f.dts;

            if (!video || (m->f.flags & NGX_MEDIA_FRAME_KEY)) {
                segment++;
            }
        }

        mux_segments[chunk] = segment;
        m->chunk = chunk;

        rc = ngx_media_mp4_clock_frame(&t->clock, &m->f, &m->s);

        if (rc == NGX_MEDIA_ERROR) {
            mux_fail("the time leaps");
        }

        if (rc == NGX_MEDIA_DECLINED) {
            t->declined++;
            continue;
        }

        t->samples++;
        m->out = 1;
    }

    mux_nchunks = chunk + 1;
}


/* The dts behind the last sample of a run: of the sample k frames on. */

static uint64_t
mux_end(size_t k, int track)
{
    for ( /* void */ ; k < mux_nframes; k++) {
        if (mux_frames[k].f.track == track && mux_frames[k].out) {
            return mux_frames[k].s.dts;
        }
    }

    return ngx_media_mp4_clock_end(&mux_tracks[track].clock);
}


/*
 * A prediction was kept by the next frame, but for a gap: there the sample
 * before has the length of the one before it.
 */

static uint64_t
mux_run_end(const ngx_media_mp4_run_t *run, size_t k, int track)
{
    uint64_t                       end, step;
    const ngx_media_mp4_sample_t  *s;

    end = mux_end(k, track);

    if (mux_exact || run->nsamples < 2) {
        return end;
    }

    s = run->samples + run->nsamples - 1;
    step = s->dts - s[-1].dts;

    return end - s->dts > step + mux_tracks[track].t.timescale / 2
           ? s->dts + step : end;
}


static void
mux_chunk(uint32_t chunk, size_t from, size_t to)
{
    int                      i;
    u_char                  *buf;
    size_t                   k, n;
    ssize_t                  size;
    ngx_media_mp4_run_t      runs[NGX_MEDIA_MAX_TRACKS];
    ngx_media_mp4_chunk_t    c;
    ngx_media_mp4_sample_t  *samples;
    static uint32_t          sequence;

    memset(&c, 0, sizeof(ngx_media_mp4_chunk_t));
    samples = mux_alloc(NULL, (to - from + 1)
                              * sizeof(ngx_media_mp4_sample_t));
    n = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        runs[c.nruns].samples = samples + n;
        runs[c.nruns].nsamples = 0;
        runs[c.nruns].id = (uint32_t) i + 1;

        for (k = from; k < to; k++) {
            if (mux_frames[k].f.track == i && mux_frames[k].out) {
                samples[n++] = mux_frames[k].s;
                runs[c.nruns].nsamples++;
            }
        }

        if (runs[c.nruns].nsamples) {
            runs[c.nruns].end = mux_run_end(&runs[c.nruns], to, i);
            c.nruns++;
        }
    }

    if (c.nruns == 0) {
        free(samples);
        return;
    }

    c.runs = runs;
    c.sequence = ++sequence;
    c.styp = chunk == 0 || mux_segments[chunk] != mux_segments[chunk - 1]
             ? NGX_MEDIA_MP4_STYP_SEGMENT : NGX_MEDIA_MP4_STYP_CHUNK;

    if (mux_prft) {
        c.utc = MUX_UTC + mux_frames[from].f.dts;
    }

    buf = mux_alloc(NULL, MUX_HEADER);
    size = ngx_media_mp4_chunk(&c, buf, MUX_HEADER);

    if (size < 0 || ngx_media_mp4_chunk(&c, NULL, 0) != size
        || ngx_media_mp4_chunk(&c, buf, (size_t) size - 1)
           != NGX_MEDIA_ERROR
        || ngx_media_mp4_chunk(&c, buf, (size_t) size) != size)
    {
        mux_fail("the size of a chunk");
    }

    fwrite(buf, 1, (size_t) size, mux_out);

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        for (k = from; k < to; k++) {
            if (mux_frames[k].f.track == i && mux_frames[k].out) {
                fwrite(mux_frames[k].f.data, 1, mux_frames[k].f.size,
                       mux_out);
            }
        }
    }

    size += (ssize_t) ngx_media_mp4_chunk_data(&c);

    printf("chunk %u %u %zu %zd %zu\n", sequence, mux_segments[chunk],
           mux_offset, size, n);

    mux_offset += (size_t) size;

    free(buf);
    free(samples);
}


static void
mux_input(const char *name, char *only)
{
    FILE    *in;
    u_char  *p;
    size_t   n, got;

    in = fopen(name, "rb");

    if (in == NULL) {
        mux_fail("cannot open the input");
    }

    p = NULL;
    n = 0;

    do {
        p = mux_alloc(p, n + 1024 * 1024);
        got = fread(p + n, 1, 1024 * 1024, in);
        n += got;

    } while (got);

    fclose(in);

    if (n && p[0] == NGX_MEDIA_TS_SYNC) {
        mux_ts(p, n, only);

    } else {
        mux_flv(p, n, only);
    }

    free(p);
}


int
main(int argc, char **argv)
{
    int      i;
    char    *only;
    size_t   k, from;
    int64_t  length;

    only = NULL;
    length = 300;

    while ((i = getopt(argc, argv, "c:ept:")) != -1) {
        switch (i) {

        case 'c':
            length = atoi(optarg);
            break;

        case 'e':
            mux_exact = 1;
            break;

        case 'p':
            mux_prft = 1;
            break;

        case 't':
            only = optarg;
            break;

        default:
            mux_fail("-e, -p, -c MS, -t video|audio, INPUT, OUTPUT");
        }
    }

    if (argc - optind != 2) {
        mux_fail("INPUT and OUTPUT");
    }

    mux_input(argv[optind], only);

    mux_out = fopen(argv[optind + 1], "wb");

    if (mux_out == NULL || mux_nframes == 0) {
        mux_fail("no output, or no frames");
    }

    mux_init();
    mux_cut(ngx_media_us(length));

    for (from = 0, k = 0; k <= mux_nframes; k++) {
        if (k == mux_nframes || mux_frames[k].chunk != mux_frames[from].chunk)
        {
            mux_chunk(mux_frames[from].chunk, from, k);
            from = k;
        }
    }

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        if (mux_tracks[i].used) {
            printf("clock %d %u %u %u\n", i + 1, mux_tracks[i].samples,
                   mux_tracks[i].clock.gaps, mux_tracks[i].declined);
        }

        free(mux_tracks[i].config);
    }

    for (k = 0; k < mux_nframes; k++) {
        free((void *) mux_frames[k].f.data);
    }

    free(mux_frames);
    free(mux_segments);

    return fclose(mux_out) == 0 ? 0 : 2;
}
