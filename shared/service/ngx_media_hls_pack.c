
/*
 * Copyright (C) the nginx media suite authors
 *
 * Frames become parts: payloads are collected for each track, and when the
 * cutter says so they go into the store behind the header of a CMAF chunk,
 * with the init segment made before the first of them.
 *
 * What is collected is the open part only, 16 MB at most.  The init segment
 * is made when the first part ends, of the tracks that were seen by then; one
 * that comes later waits for the next start point, which begins a new one.
 */


#include "ngx_media_hls_pack.h"
#include "ngx_media_codec_string.h"


#define NGX_MEDIA_HLS_BUF      65536
#define NGX_MEDIA_HLS_SAMPLES  64


static ngx_int_t ngx_media_hls_pack_init(ngx_media_hls_cutter_t *c);
static void ngx_media_hls_pack_tracks(ngx_media_hls_cutter_t *c,
    ngx_uint_t *order, ngx_uint_t n);
static ngx_uint_t ngx_media_hls_pack_runs(ngx_media_hls_cutter_t *c,
    int64_t dts, ngx_uint_t keep, ngx_media_mp4_run_t *runs,
    ngx_media_ring_span_t *spans);
static uint64_t ngx_media_hls_pack_end(ngx_media_hls_run_t *run, int64_t dts);
static ssize_t ngx_media_hls_pack_head(ngx_media_hls_cutter_t *c,
    ngx_media_mp4_run_t *runs, ngx_uint_t n);
static ngx_int_t ngx_media_hls_pack_store(ngx_media_hls_cutter_t *c,
    ngx_media_mp4_run_t *lead, ngx_media_ring_span_t *spans, ngx_uint_t n);
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


u_char *
ngx_media_hls_run_room(ngx_media_hls_run_t *run, size_t size)
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
    ngx_media_mp4_sample_t   sample, *samples;

    if (!run->known) {

        rc = ngx_media_mp4_track(&run->mp4, 1, run->codec, run->config,
                                 run->config + run->config_size, f->data,
                                 f->data + f->size);

        if (rc == NGX_MEDIA_DECLINED) {
            run->bad = 1;

            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "%s of \"%*s/%*s\" is not in its HLS stream: no "
                          "form of it in MP4",
                          ngx_media_codec_name(run->codec),
                          (size_t) c->source->app_len, c->source->app,
                          (size_t) c->source->stream_len, c->source->stream);
        }

        if (rc != NGX_MEDIA_OK) {
            return NGX_DECLINED;
        }

        run->known = 1;
        ngx_media_mp4_clock_init(&run->clock, &run->mp4);
    }

    rc = ngx_media_mp4_clock_frame(&run->clock, f, &sample);

    if (rc == NGX_MEDIA_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_MEDIA_DECLINED) {
        return NGX_DECLINED;
    }

    if (run->nsamples == run->max) {

        samples = ngx_alloc((run->max + NGX_MEDIA_HLS_SAMPLES) * 2
                            * sizeof(ngx_media_mp4_sample_t), ngx_cycle->log);
        if (samples == NULL) {
            return NGX_DECLINED;
        }

        if (run->samples) {
            ngx_memcpy(samples, run->samples,
                       run->nsamples * sizeof(ngx_media_mp4_sample_t));
            ngx_free(run->samples);
        }

        run->samples = samples;
        run->max = (run->max + NGX_MEDIA_HLS_SAMPLES) * 2;
    }

    run->samples[run->nsamples++] = sample;
    run->used += f->size;
    c->bytes += f->size;

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

    if (c->head) {
        ngx_free(c->head);
        c->head = NULL;
    }
}


/* --- init segment ------------------------------------------------------- */

static ngx_int_t
ngx_media_hls_pack_init(ngx_media_hls_cutter_t *c)
{
    ssize_t                 size;
    ngx_uint_t              i, n, order[NGX_MEDIA_MAX_TRACKS];
    ngx_media_hls_run_t    *run;
    ngx_media_mp4_track_t   tracks[NGX_MEDIA_MAX_TRACKS];
    static u_char           buf[NGX_MEDIA_HLS_INIT_MAX];

    n = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        run = c->run[i];

        if (run == NULL || run->bad) {
            continue;
        }

        if (!run->known) {

            /* a track whose frames are late, but its configuration tells */

            if (run->config_size == 0
                || ngx_media_mp4_track(&run->mp4, 1, run->codec, run->config,
                                       run->config + run->config_size, NULL,
                                       NULL)
                   != NGX_MEDIA_OK)
            {
                continue;
            }

            run->known = 1;
            ngx_media_mp4_clock_init(&run->clock, &run->mp4);
        }

        run->packed = 1;
        run->mp4.id = (uint32_t) n + 1;

        order[n] = i;
        tracks[n++] = run->mp4;
    }

    size = n ? ngx_media_mp4_init(tracks, (unsigned) n, buf, sizeof(buf))
             : NGX_MEDIA_ERROR;

    if (size <= 0) {
        return NGX_ERROR;
    }

    c->init = ngx_media_hls_store_init(&c->writer, buf, (size_t) size);
    c->segment.init = c->init;
    c->ready = 1;

    ngx_media_hls_pack_tracks(c, order, n);

    return NGX_OK;
}


static void
ngx_media_hls_pack_tracks(ngx_media_hls_cutter_t *c, ngx_uint_t *order,
    ngx_uint_t n)
{
    ngx_uint_t                  i;
    ngx_media_hls_run_t        *run;
    ngx_media_hls_track_t      *t;
    ngx_media_hls_rendition_t  *r;

    r = c->writer.r;

    ngx_media_hls_store_lock(&c->writer);

    r->ntracks = (uint32_t) n;

    for (i = 0; i < n; i++) {
        run = c->run[order[i]];
        t = &r->track[i];

        ngx_memzero(t, sizeof(ngx_media_hls_track_t));

        t->info = run->mp4.info;
        t->track = (uint32_t) order[i];
        t->fps_milli = c->source->track[order[i]].fps_milli;
        t->timescale = run->mp4.timescale;

        if (ngx_media_codec_string(&run->mp4.info, run->config,
                                   run->config + run->config_size,
                                   NGX_MEDIA_CODEC_STRING_HLS,
                                   (u_char *) t->codecs, sizeof(t->codecs))
            < 0)
        {
            t->codecs[0] = '\0';
        }
    }

    ngx_media_hls_store_unlock(&c->writer);
}


/* --- parts -------------------------------------------------------------- */

ngx_int_t
ngx_media_hls_pack_part(ngx_media_hls_cutter_t *c, int64_t dts,
    ngx_uint_t keep)
{
    ssize_t                size;
    ngx_int_t              rc;
    ngx_uint_t             n;
    ngx_media_mp4_run_t    runs[NGX_MEDIA_MAX_TRACKS];
    ngx_media_ring_span_t  spans[NGX_MEDIA_MAX_TRACKS + 1];

    if (c->bytes == 0 || (!c->ready && ngx_media_hls_pack_init(c) != NGX_OK)) {
        ngx_media_hls_pack_empty(c, 0);
        return NGX_OK;
    }

    n = ngx_media_hls_pack_runs(c, dts, keep, runs, spans + 1);

    if (n == 0) {
        return NGX_OK;
    }

    if (!c->stored) {
        c->stored = 1;
        ngx_media_hls_store_segment(&c->writer, &c->segment);
    }

    size = ngx_media_hls_pack_head(c, runs, n);

    if (size < 0) {
        ngx_media_hls_pack_empty(c, 0);
        return NGX_OK;
    }

    spans[0].data = c->head;
    spans[0].size = (size_t) size;

    rc = ngx_media_hls_pack_store(c, &runs[0], spans, n + 1);

    ngx_media_hls_pack_empty(c, keep);

    return rc;
}


/* the lead's is the first one */

static ngx_uint_t
ngx_media_hls_pack_runs(ngx_media_hls_cutter_t *c, int64_t dts,
    ngx_uint_t keep, ngx_media_mp4_run_t *runs, ngx_media_ring_span_t *spans)
{
    size_t                used;
    uint32_t              nsamples;
    uint64_t              end;
    ngx_uint_t            i, k, n;
    ngx_media_hls_run_t  *run;

    n = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

        /* in the order lead, 0, 1, ... */

        k = (i == 0) ? c->lead : (i <= c->lead) ? i - 1 : i;
        run = c->run[k];

        if (run == NULL || !run->packed || run->nsamples == 0) {

            if (k == c->lead) {
                return 0;
            }

            continue;
        }

        nsamples = run->nsamples;
        used = run->used;

        if (k != c->lead) {
            end = ngx_media_mp4_clock_end(&run->clock);

        } else if (keep) {

            if (nsamples < 2) {
                return 0;
            }

            nsamples--;
            used -= run->samples[nsamples].size;
            end = run->samples[nsamples].dts;

        } else {
            end = ngx_media_hls_pack_end(run, dts);
        }

        runs[n].samples = run->samples;
        runs[n].nsamples = nsamples;
        runs[n].id = run->mp4.id;
        runs[n].end = end;

        spans[n].data = run->buf;
        spans[n].size = used;
        n++;
    }

    return n;
}


/* where the lead's run ends: video has the time of the frame that follows */

static uint64_t
ngx_media_hls_pack_end(ngx_media_hls_run_t *run, int64_t dts)
{
    uint64_t  end;

    if (dts != NGX_MEDIA_HLS_END && ngx_media_codec_is_video(run->codec)) {

        end = ngx_media_mp4_ticks(dts + run->clock.offset,
                                  run->mp4.timescale);

        if (end > run->samples[run->nsamples - 1].dts) {
            return end;
        }
    }

    return ngx_media_mp4_clock_end(&run->clock);
}


static ssize_t
ngx_media_hls_pack_head(ngx_media_hls_cutter_t *c, ngx_media_mp4_run_t *runs,
    ngx_uint_t n)
{
    ssize_t                  size;
    ngx_media_hls_segment_t *seg;
    ngx_media_mp4_chunk_t    chunk;

    seg = ngx_media_hls_store_current(&c->writer);

    chunk.runs = runs;
    chunk.nruns = (uint32_t) n;
    chunk.sequence = (uint32_t) c->writer.r->ring.head + 1;
    chunk.styp = (seg && seg->nparts) ? NGX_MEDIA_MP4_STYP_CHUNK
                                      : NGX_MEDIA_MP4_STYP_SEGMENT;
    chunk.utc = 0;

    size = ngx_media_mp4_chunk(&chunk, NULL, 0);

    if (size < 0) {
        return size;
    }

    if ((size_t) size > c->head_size) {

        if (c->head) {
            ngx_free(c->head);
        }

        c->head_size = (size_t) size * 2;
        c->head = ngx_alloc(c->head_size, ngx_cycle->log);

        if (c->head == NULL) {
            c->head_size = 0;
            return NGX_ERROR;
        }
    }

    return ngx_media_mp4_chunk(&chunk, c->head, c->head_size);
}


static ngx_int_t
ngx_media_hls_pack_store(ngx_media_hls_cutter_t *c, ngx_media_mp4_run_t *lead,
    ngx_media_ring_span_t *spans, ngx_uint_t n)
{
    uint32_t             scale;
    ngx_media_hls_cut_t  cut;

    scale = c->run[c->lead]->mp4.timescale;

    cut.dts = c->part_dts;
    cut.time = ngx_media_mp4_us(lead->samples[0].dts, scale);
    cut.duration = (uint32_t) (ngx_media_mp4_us(lead->end, scale)
                               - ngx_media_mp4_us(lead->samples[0].dts,
                                                  scale));
    cut.flags = 0;

    if (lead->samples[0].flags & NGX_MEDIA_MP4_KEY) {
        cut.flags |= NGX_MEDIA_HLS_INDEPENDENT;
    }

    return ngx_media_hls_store_part(&c->writer, &cut, spans, (uint32_t) n);
}


static void
ngx_media_hls_pack_empty(ngx_media_hls_cutter_t *c, ngx_uint_t keep)
{
    size_t                size;
    ngx_uint_t            i;
    ngx_media_hls_run_t  *run;

    c->bytes = 0;

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
            c->bytes = size;
            continue;
        }

        run->nsamples = 0;
        run->used = 0;
    }
}
