
/*
 * Copyright (C) the nginx media suite authors
 *
 * Frames become parts: payloads are collected for each track, and when the
 * cutter says so they go into the store as the container has them.
 *
 * What is collected is the open part only, 16 MB at most.  Renditions and
 * their init segments are made when the first part ends, of the tracks that
 * were seen by then; one that comes later waits for the next start point,
 * which begins new ones.  All renditions have the same segments, by number:
 * one that has nothing for a part gets a part that is a gap.
 */


#include "ngx_media_hls_pack.h"
#include "ngx_media_codec_string.h"


#define NGX_MEDIA_HLS_BUF      65536
#define NGX_MEDIA_HLS_SAMPLES  64
#define NGX_MEDIA_HLS_SLACK_MAX  60000     /* us: the longest frame of Opus */


static u_char *ngx_media_hls_run_grow(ngx_media_hls_run_t *run, size_t size);
static ngx_int_t ngx_media_hls_run_know(ngx_media_hls_cutter_t *c,
    ngx_media_hls_run_t *run, const ngx_media_frame_t *f);
static ngx_int_t ngx_media_hls_run_sample(ngx_media_hls_run_t *run,
    ngx_media_mp4_sample_t *sample);
static uint32_t ngx_media_hls_pack_usable(ngx_media_hls_cutter_t *c);
static ngx_int_t ngx_media_hls_pack_outs(ngx_media_hls_cutter_t *c);
static ngx_int_t ngx_media_hls_pack_open(ngx_media_hls_cutter_t *c,
    ngx_uint_t i, uint32_t tracks);
static int64_t ngx_media_hls_pack_uneven(ngx_media_hls_cutter_t *c,
    uint32_t fps_milli);
static int64_t ngx_media_hls_pack_slack(ngx_media_hls_cutter_t *c,
    ngx_media_hls_out_t *out);
static void ngx_media_hls_pack_tracks(ngx_media_hls_cutter_t *c,
    ngx_media_hls_out_t *out);
static void ngx_media_hls_pack_segment(ngx_media_hls_cutter_t *c,
    ngx_media_hls_pack_t *packs);
static ngx_int_t ngx_media_hls_pack_crypt(ngx_media_hls_cutter_t *c,
    ngx_media_hls_pack_t *packs, ngx_uint_t how);
static ngx_int_t ngx_media_hls_pack_pad(ngx_media_hls_cutter_t *c,
    ngx_uint_t how);
static void ngx_media_hls_pack_empty(ngx_media_hls_cutter_t *c,
    ngx_uint_t keep);


ngx_media_hls_run_t *
ngx_media_hls_run(ngx_media_hls_cutter_t *c, ngx_uint_t track, uint8_t codec)
{
    ngx_media_hls_run_t  *run;

    run = c->run[track];

    if (run == NULL) {
        run = ngx_calloc(sizeof(ngx_media_hls_run_t), ngx_cycle->log);

        if (run == NULL) {
            return NULL;
        }

        run->codec = codec;
        c->run[track] = run;
    }

    if (run->codec != codec) {

        /* its configuration, where it has one, comes with the new codec */

        run->codec = codec;
        run->config_size = 0;
        run->changed = run->packed;
        run->known = 0;
        run->bad = 0;
    }

    return run;
}


ngx_uint_t
ngx_media_hls_run_config(ngx_media_hls_run_t *run, const ngx_media_frame_t *f)
{
    u_char  *config;

    if (run->config_size == f->size && f->size
        && ngx_memcmp(run->config, f->data, f->size) == 0)
    {
        return run->changed;
    }

    config = ngx_alloc(f->size + 1, ngx_cycle->log);

    if (config == NULL) {
        return run->changed;
    }

    ngx_memcpy(config, f->data, f->size);

    if (run->config) {
        ngx_free(run->config);
    }

    run->config = config;
    run->config_size = f->size;
    run->changed = run->packed;
    run->known = 0;
    run->bad = 0;

    return run->changed;
}


ngx_uint_t
ngx_media_hls_run_waits(ngx_media_hls_cutter_t *c, ngx_uint_t track)
{
    ngx_uint_t            i;
    ngx_media_hls_run_t  *run;

    run = c->run[track];

    if (run->changed) {
        c->change = 1;
        return 1;
    }

    if (!c->ready || run->packed || c->ts) {
        return 0;
    }

    /* in one rendition there is one video and one audio track */

    for (i = track & 1; !c->split && i < NGX_MEDIA_MAX_TRACKS; i += 2) {
        if (i != track && c->run[i] && c->run[i]->packed) {
            return 1;
        }
    }

    c->change = 1;

    return 1;
}


ngx_int_t
ngx_media_hls_run_room(ngx_media_hls_cutter_t *c, ngx_media_hls_run_t *run,
    size_t size, u_char **buf)
{
    if (c->ts) {
        return NGX_OK;
    }

    *buf = ngx_media_hls_run_grow(run, size);

    return *buf ? NGX_OK : NGX_ERROR;
}


static u_char *
ngx_media_hls_run_grow(ngx_media_hls_run_t *run, size_t size)
{
    size_t   need;
    u_char  *buf;

    if (size <= run->size - run->used) {
        return run->buf + run->used;
    }

    need = ngx_max(run->size * 2, NGX_MEDIA_HLS_BUF);

    while (need - run->used < size) {
        need *= 2;
    }

    buf = ngx_alloc(need, ngx_cycle->log);

    if (buf == NULL) {
        return NULL;
    }

    if (run->buf) {
        ngx_memcpy(buf, run->buf, run->used);
        ngx_free(run->buf);
    }

    run->buf = buf;
    run->size = need;

    return run->buf + run->used;
}


ngx_int_t
ngx_media_hls_run_frame(ngx_media_hls_cutter_t *c, ngx_media_hls_run_t *run,
    const ngx_media_frame_t *f)
{
    int                      rc;
    ngx_media_mp4_sample_t   sample;

    if (!run->known && ngx_media_hls_run_know(c, run, f) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (c->ts) {
        return ngx_media_hls_ts_frame(c, f);
    }

    rc = ngx_media_mp4_clock_frame(&run->clock, f, &sample);

    if (rc == NGX_MEDIA_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_MEDIA_DECLINED
        || ngx_media_hls_run_sample(run, &sample) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    run->used += f->size;
    c->bytes += f->size + NGX_MEDIA_HLS_FRAME_COST;

    return NGX_OK;
}


/* what playlists and the init segment say of the track; f may be NULL */

static ngx_int_t
ngx_media_hls_run_know(ngx_media_hls_cutter_t *c, ngx_media_hls_run_t *run,
    const ngx_media_frame_t *f)
{
    int  rc;

    rc = ngx_media_mp4_track(&run->mp4, 1, run->codec, run->config,
                             run->config + run->config_size,
                             f ? f->data : NULL,
                             f ? f->data + f->size : NULL);

    if (rc == NGX_MEDIA_DECLINED
        || (c->ts && ngx_media_ts_type(run->codec) == 0))
    {
        run->bad = 1;

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "%s of \"%*s/%*s\" is not in its HLS stream: no form "
                      "of it in %s", ngx_media_codec_name(run->codec),
                      (size_t) c->source->app_len, c->source->app,
                      (size_t) c->source->stream_len, c->source->stream,
                      c->ts ? "MPEG-TS" : "MP4");
    }

    if (run->bad || rc != NGX_MEDIA_OK) {
        return NGX_DECLINED;
    }

    run->known = 1;
    ngx_media_mp4_clock_init(&run->clock, &run->mp4);

    return NGX_OK;
}


static ngx_int_t
ngx_media_hls_run_sample(ngx_media_hls_run_t *run,
    ngx_media_mp4_sample_t *sample)
{
    uint32_t                 max;
    ngx_media_mp4_sample_t  *samples;

    if (run->nsamples == run->max) {

        max = (run->max + NGX_MEDIA_HLS_SAMPLES) * 2;
        samples = ngx_alloc(max * sizeof(ngx_media_mp4_sample_t),
                            ngx_cycle->log);
        if (samples == NULL) {
            return NGX_ERROR;
        }

        if (run->samples) {
            ngx_memcpy(samples, run->samples,
                       run->nsamples * sizeof(ngx_media_mp4_sample_t));
            ngx_free(run->samples);
        }

        run->samples = samples;
        run->max = max;
    }

    run->samples[run->nsamples++] = *sample;

    return NGX_OK;
}


void
ngx_media_hls_pack_reset(ngx_media_hls_cutter_t *c)
{
    ngx_uint_t            i;
    ngx_media_hls_run_t  *run;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        run = c->run[i];

        if (run) {
            run->known = 0;
            run->packed = 0;
            run->changed = 0;
            run->nsamples = 0;
            run->used = 0;
        }
    }

    if (c->ts) {
        ngx_media_hls_ts_reset(c);
    }

    c->ready = 0;
    c->change = 0;
    c->bytes = 0;
}


void
ngx_media_hls_pack_free(ngx_media_hls_cutter_t *c)
{
    ngx_uint_t            i;
    ngx_media_hls_run_t  *run;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        run = c->run[i];

        if (run == NULL) {
            continue;
        }

        if (run->buf) {
            ngx_free(run->buf);
        }

        if (run->samples) {
            ngx_free(run->samples);
        }

        if (run->config) {
            ngx_free(run->config);
        }

        ngx_free(run);
        c->run[i] = NULL;
    }

    for (i = 0; i < NGX_MEDIA_HLS_RENDITIONS; i++) {
        ngx_media_hls_crypt_free(&c->out[i]);

        if (c->out[i].head) {
            ngx_free(c->out[i].head);
            c->out[i].head = NULL;
        }
    }

    ngx_media_hls_ts_free(c);
}


/* --- renditions --------------------------------------------------------- */

/* tracks that can be packed */

static uint32_t
ngx_media_hls_pack_usable(ngx_media_hls_cutter_t *c)
{
    uint32_t              tracks;
    ngx_uint_t            i;
    ngx_media_hls_run_t  *run;

    tracks = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        run = c->run[i];

        if (run == NULL || run->bad) {
            continue;
        }

        /* its frames are late, but its configuration may tell enough */

        if (!run->known
            && (run->config_size == 0
                || ngx_media_hls_run_know(c, run, NULL) != NGX_OK))
        {
            continue;
        }

        tracks |= 1u << i;
    }

    return tracks;
}


static ngx_int_t
ngx_media_hls_pack_outs(ngx_media_hls_cutter_t *c)
{
    uint32_t    tracks, kind, all;
    ngx_uint_t  i, n, audio;

    all = ngx_media_hls_pack_usable(c);

    if (!(all & (1u << c->lead))) {
        return NGX_ERROR;
    }

    if (!c->decided) {
        c->decided = 1;
        c->split = !c->ts
                   && (c->dash
                       || __builtin_popcount(all & NGX_MEDIA_TRACKS_VIDEO) > 1
                       || __builtin_popcount(all & NGX_MEDIA_TRACKS_AUDIO)
                          > 1);
    }

    n = 0;

    if (!c->split) {

        /* the lowest one of each kind */

        kind = all & NGX_MEDIA_TRACKS_VIDEO;
        tracks = kind & -kind;
        kind = all & NGX_MEDIA_TRACKS_AUDIO;
        tracks |= kind & -kind;

        tracks |= 1u << c->lead;

        if (ngx_media_hls_pack_open(c, n++, c->ts ? all : tracks) != NGX_OK) {
            return NGX_ERROR;
        }

        all = 0;
    }

    for (audio = 0; audio < 2; audio++) {
        for (i = audio; i < NGX_MEDIA_MAX_TRACKS; i += 2) {

            if ((all & (1u << i)) && n < NGX_MEDIA_HLS_RENDITIONS
                && ngx_media_hls_pack_open(c, n++, 1u << i) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    /* of a publisher before, who had more of them */

    for (i = n; i < c->source->nstores; i++) {
        if (ngx_media_hls_pack_open(c, i, 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    c->nouts = n;
    c->ready = 1;

    ngx_media_hls_pack_params(c);

    return NGX_OK;
}


static ngx_int_t
ngx_media_hls_pack_open(ngx_media_hls_cutter_t *c, ngx_uint_t i,
    uint32_t tracks)
{
    char                        tag[NGX_MEDIA_HLS_TAG_LEN];
    ngx_uint_t                  k;
    ngx_media_hls_out_t        *out;
    ngx_media_hls_rendition_t  *r;

    out = &c->out[i];

    if (out->writer.r == NULL
        && ngx_media_hls_store_open(&out->writer, c->source, (uint32_t) i)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    r = out->writer.r;
    out->tracks = tracks;

    ngx_memzero(tag, sizeof(tag));

    if (tracks == 0) {
        tag[0] = NGX_MEDIA_HLS_RETIRED;

    } else if (c->split) {
        k = (ngx_uint_t) __builtin_ctz(tracks);
        tag[0] = (k & 1) ? 'a' : 'v';
        tag[1] = (char) ('0' + ngx_media_track_id(k));
    }

    if (ngx_memcmp(r->tag, tag, sizeof(tag)) != 0) {

        if (r->next != r->first) {
            ngx_media_hls_store_clear(&out->writer);
        }

        ngx_media_hls_store_lock(&out->writer);
        ngx_memcpy(r->tag, tag, sizeof(tag));
        ngx_media_hls_store_unlock(&out->writer);
    }

    if (tracks == 0) {
        return NGX_OK;
    }

    for (k = 0; k < NGX_MEDIA_MAX_TRACKS; k++) {
        if (tracks & (1u << k)) {
            c->run[k]->packed = 1;
            c->run[k]->out = (uint8_t) i;
        }
    }

    if (!c->ts && ngx_media_hls_mp4_init(c, out) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_media_hls_pack_tracks(c, out);

    return NGX_OK;
}


static void
ngx_media_hls_pack_tracks(ngx_media_hls_cutter_t *c, ngx_media_hls_out_t *out)
{
    ngx_uint_t                  i;
    ngx_media_hls_run_t        *run;
    ngx_media_hls_track_t      *t;
    ngx_media_hls_rendition_t  *r;

    r = out->writer.r;

    ngx_media_hls_store_lock(&out->writer);

    r->ntracks = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

        if (!(out->tracks & (1u << i))) {
            continue;
        }

        run = c->run[i];
        t = &r->track[r->ntracks++];

        ngx_memzero(t, sizeof(ngx_media_hls_track_t));

        t->info = run->mp4.info;
        t->track = (uint32_t) i;
        t->fps_milli = c->source->track[i].fps_milli;
        t->timescale = run->mp4.timescale;

        if (t->fps_milli == 0 && i == c->lead && c->delta > 0
            && ngx_media_codec_is_video(run->codec))
        {
            t->fps_milli = (uint32_t) (1000000000 / c->delta);
        }

        if (ngx_media_codec_string(&run->mp4.info, run->config,
                                   run->config + run->config_size,
                                   NGX_MEDIA_CODEC_STRING_HLS,
                                   (u_char *) t->codecs, sizeof(t->codecs))
            < 0)
        {
            t->codecs[0] = '\0';
        }
    }

    ngx_media_hls_store_unlock(&out->writer);
}


/*
 * Video beside the lead: with the same frame rate, or a multiple of it, its
 * parts are as long as the lead's; else they have one frame more or less.
 */

static int64_t
ngx_media_hls_pack_uneven(ngx_media_hls_cutter_t *c, uint32_t fps_milli)
{
    int64_t  frame, rest;

    if (fps_milli == 0 || c->delta <= 0) {
        return 0;
    }

    frame = 1000000000 / fps_milli;

    if (frame == 0) {
        return 0;
    }

    rest = c->delta % frame;
    rest = ngx_min(rest, frame - rest);

    return (rest <= frame / 20) ? 0 : frame + 1000;
}


/* cut where the lead is cut: its parts have one frame more or less */

static int64_t
ngx_media_hls_pack_slack(ngx_media_hls_cutter_t *c, ngx_media_hls_out_t *out)
{
    ngx_uint_t            track;
    ngx_media_hls_run_t  *run;

    if (!c->ready || (out->tracks & (1u << c->lead)) || out->tracks == 0) {
        return 0;
    }

    track = (ngx_uint_t) __builtin_ctz(out->tracks);
    run = c->run[track];

    if (ngx_media_codec_is_video(run->codec)) {
        return ngx_media_hls_pack_uneven(c, c->source->track[track].fps_milli);
    }

    if (run->mp4.frame == 0) {
        return NGX_MEDIA_HLS_SLACK_MAX;
    }

    return (int64_t) run->mp4.frame * 1000000 / run->mp4.timescale + 1000;
}


void
ngx_media_hls_pack_params(ngx_media_hls_cutter_t *c)
{
    ngx_uint_t                  i;
    ngx_media_hls_rendition_t  *r;

    for (i = 0; i < c->nouts; i++) {
        r = c->out[i].writer.r;

        ngx_media_hls_store_lock(&c->out[i].writer);

        r->container = c->ts ? NGX_MEDIA_HLS_MPEGTS : NGX_MEDIA_HLS_FMP4;
        r->window = (uint32_t) (c->window * 1000);
        r->low_latency = c->low_latency;
        r->part_target = (uint32_t) (c->part
                                     + ngx_media_hls_pack_slack(c,
                                                                &c->out[i]));
        r->target = c->target;

        ngx_media_hls_store_unlock(&c->out[i].writer);

        __atomic_store_n(&r->epoch, c->source->epoch, __ATOMIC_RELEASE);
    }
}


void
ngx_media_hls_pack_clear(ngx_media_hls_cutter_t *c)
{
    ngx_uint_t  i;

    for (i = 0; i < c->nouts; i++) {
        __atomic_store_n(&c->out[i].writer.r->epoch, 0, __ATOMIC_RELEASE);
        ngx_media_hls_store_clear(&c->out[i].writer);
    }
}


void
ngx_media_hls_pack_close(ngx_media_hls_cutter_t *c)
{
    ngx_uint_t  i;

    for (i = 0; i < c->nouts; i++) {
        ngx_media_hls_store_close(&c->out[i].writer);
        ngx_media_hls_told(c, &c->out[i]);
    }

    if (c->ts) {
        ngx_media_hls_ts_segment(c);
    }
}


/* --- parts -------------------------------------------------------------- */

ngx_int_t
ngx_media_hls_pack_part(ngx_media_hls_cutter_t *c, int64_t dts,
    ngx_uint_t how)
{
    ngx_int_t              rc;
    ngx_uint_t             i, keep;
    ngx_media_hls_pack_t   packs[NGX_MEDIA_HLS_RENDITIONS];

    if (c->bytes == 0 || (!c->ready && ngx_media_hls_pack_outs(c) != NGX_OK)) {
        ngx_media_hls_pack_empty(c, 0);
        return ngx_media_hls_pack_pad(c, how);
    }

    keep = (how == NGX_MEDIA_HLS_BUT_ONE);

    for (i = 0; i < c->nouts; i++) {

        ngx_memzero(&packs[i].cut, sizeof(ngx_media_hls_cut_t));
        packs[i].nspans = 0;

        rc = c->ts ? ngx_media_hls_ts_part(c, dts, keep, &packs[i])
                   : ngx_media_hls_mp4_part(c, &c->out[i], dts, keep,
                                            &packs[i]);

        if (rc == NGX_ERROR) {
            ngx_media_hls_pack_empty(c, 0);
            return ngx_media_hls_pack_pad(c, how);
        }

        if (i == 0 && rc == NGX_DECLINED) {

            /* no frame of the lead: what others have waits for one */

            return ngx_media_hls_pack_pad(c, how);
        }

        if (rc == NGX_DECLINED) {
            packs[i].cut = packs[0].cut;
            packs[i].cut.flags = NGX_MEDIA_HLS_GAP;
        }

        if (how == NGX_MEDIA_HLS_LAST) {
            packs[i].cut.flags |= NGX_MEDIA_HLS_CLOSED;
        }
    }

    if (!c->stored) {
        c->stored = 1;
        ngx_media_hls_pack_segment(c, packs);
    }

    rc = c->fragments_per_key ? ngx_media_hls_pack_crypt(c, packs, how)
                              : NGX_OK;

    for (i = 0; i < c->nouts && rc == NGX_OK; i++) {
        rc = ngx_media_hls_store_part(&c->out[i].writer, &packs[i].cut,
                                      packs[i].spans, packs[i].nspans);
    }

    if (rc == NGX_OK) {
        ngx_media_hls_count(&c->out[0].writer.r->counters.parts);
    }

    ngx_media_hls_pack_empty(c, keep);

    return rc;
}


/*
 * The first frames of a publish come late, when connections are made and
 * encoders begin, and then what was held up comes at once: the frame that came
 * earliest for its time tells when all others were made.  It is looked for in
 * the first part of a timeline, and until there is a playlist; from then on
 * dates follow durations.
 */

void
ngx_media_hls_pack_time(ngx_media_hls_cutter_t *c)
{
    int64_t                     diff, clock;
    uint64_t                    msn;
    ngx_uint_t                  i;
    ngx_media_hls_segment_t    *seg;
    ngx_media_hls_rendition_t  *r;

    clock = ngx_media_epoch_ms() * 1000 - ngx_media_now() + c->early;

    if (!c->timed) {
        c->timed = 1;
        c->clock = clock;
        return;
    }

    diff = clock - c->clock;
    c->clock = clock;

    for (i = 0; i < c->nouts; i++) {

        r = c->out[i].writer.r;

        ngx_media_hls_store_lock(&c->out[i].writer);

        for (msn = r->next; msn > r->first; msn--) {

            seg = ngx_media_hls_at(r, msn - 1);

            if (r->begin == seg->pdt) {
                r->begin += diff;
            }

            seg->pdt += diff;

            if (seg->flags & NGX_MEDIA_HLS_DISCONTINUITY) {
                break;
            }
        }

        ngx_media_hls_store_unlock(&c->out[i].writer);
    }
}


/* a segment begins in all renditions, with the same number */

static void
ngx_media_hls_pack_segment(ngx_media_hls_cutter_t *c,
    ngx_media_hls_pack_t *packs)
{
    uint32_t                  disc;
    uint64_t                  msn;
    ngx_uint_t                i;
    ngx_media_hls_out_t      *out;
    ngx_media_hls_segment_t   seg;

    msn = 0;
    disc = c->out[0].writer.r->disc;

    if (!c->timed) {
        ngx_media_hls_pack_time(c);
    }

    for (i = 0; i < c->nouts; i++) {
        msn = ngx_max(msn, c->out[i].writer.r->next);
    }

    for (i = 0; i < c->nouts; i++) {
        out = &c->out[i];
        seg = c->segment;

        seg.init = out->init;
        seg.dts = packs[i].cut.dts;
        seg.pdt = c->clock + seg.dts;

        if (packs[i].cut.flags & NGX_MEDIA_HLS_INDEPENDENT) {
            seg.flags |= NGX_MEDIA_HLS_INDEPENDENT;
        }

        if (c->fragments_per_key) {

            if (i == 0) {
                (void) ngx_media_hls_crypt_key(c, msn);
            }

            seg.key = c->key;
            (void) ngx_media_hls_crypt_begin(c, out, msn);
        }

        ngx_media_hls_store_align(&out->writer, msn, disc);
        ngx_media_hls_store_segment(&out->writer, &seg);
        out->open = msn;
    }
}


static ngx_int_t
ngx_media_hls_pack_crypt(ngx_media_hls_cutter_t *c,
    ngx_media_hls_pack_t *packs, ngx_uint_t how)
{
    ngx_uint_t  i;

    for (i = 0; i < c->nouts; i++) {
        if (ngx_media_hls_crypt_part(&c->out[i], &packs[i],
                                     how == NGX_MEDIA_HLS_LAST)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* an encrypted segment ends, and there is no frame to end it with */

static ngx_int_t
ngx_media_hls_pack_pad(ngx_media_hls_cutter_t *c, ngx_uint_t how)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_media_hls_pack_t  pack;

    if (how != NGX_MEDIA_HLS_LAST || !c->stored || !c->fragments_per_key) {
        return NGX_OK;
    }

    rc = NGX_OK;

    for (i = 0; i < c->nouts && rc == NGX_OK; i++) {

        ngx_memzero(&pack.cut, sizeof(ngx_media_hls_cut_t));

        pack.cut.dts = c->part_dts;
        pack.cut.flags = NGX_MEDIA_HLS_CLOSED;
        pack.nspans = 0;

        if (ngx_media_hls_crypt_part(&c->out[i], &pack, 1) != NGX_OK) {
            return NGX_DECLINED;
        }

        rc = ngx_media_hls_store_part(&c->out[i].writer, &pack.cut,
                                      pack.spans, pack.nspans);
    }

    return rc;
}


static void
ngx_media_hls_pack_empty(ngx_media_hls_cutter_t *c, ngx_uint_t keep)
{
    size_t                size;
    ngx_uint_t            i;
    ngx_media_hls_run_t  *run;

    c->bytes = 0;

    if (c->ts) {
        ngx_media_hls_ts_empty(c, keep);
        return;
    }

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        run = c->run[i];

        if (run == NULL) {
            continue;
        }

        if (keep && i == c->lead && run->nsamples) {

            run->samples[0] = run->samples[run->nsamples - 1];
            size = run->samples[0].size;

            ngx_memmove(run->buf, run->buf + run->used - size, size);

            run->nsamples = 1;
            run->used = size;
            c->bytes = size + NGX_MEDIA_HLS_FRAME_COST;
            continue;
        }

        run->nsamples = 0;
        run->used = 0;

        if (run->size > NGX_MEDIA_HLS_BUF_KEEP) {
            ngx_free(run->buf);
            run->buf = NULL;
            run->size = 0;
        }
    }
}
