
/*
 * Copyright (C) the nginx media suite authors
 *
 * Parts and init segments of one rendition in fMP4 (CMAF): a part is a chunk,
 * a moof that is written here and the payloads as they were collected.
 * Called by ngx_media_hls_pack.c.
 */


#include "ngx_media_hls_pack.h"


static ngx_uint_t ngx_media_hls_mp4_runs(ngx_media_hls_cutter_t *c,
    ngx_media_hls_out_t *out, int64_t dts, ngx_uint_t keep,
    ngx_media_mp4_run_t *runs, ngx_media_hls_pack_t *pack);
static uint64_t ngx_media_hls_mp4_end(ngx_media_hls_run_t *run, int64_t dts);
static ssize_t ngx_media_hls_mp4_head(ngx_media_hls_cutter_t *c,
    ngx_media_hls_out_t *out, ngx_media_mp4_run_t *runs, ngx_uint_t n);


ngx_int_t
ngx_media_hls_mp4_init(ngx_media_hls_cutter_t *c, ngx_media_hls_out_t *out)
{
    ssize_t                 size;
    ngx_uint_t              i, n;
    ngx_media_mp4_track_t   tracks[NGX_MEDIA_MAX_TRACKS];
    static u_char           buf[NGX_MEDIA_HLS_INIT_MAX];

    n = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

        if (out->tracks & (1u << i)) {
            c->run[i]->mp4.id = (uint32_t) n + 1;
            tracks[n++] = c->run[i]->mp4;
        }
    }

    size = ngx_media_mp4_init(tracks, (unsigned) n, buf, sizeof(buf));

    if (size <= 0) {
        return NGX_ERROR;
    }

    out->init = ngx_media_hls_store_init(&out->writer, buf, (size_t) size);

    return out->init ? NGX_OK : NGX_ERROR;
}


/* its first run tells the times: that of the lead where it has it */

ngx_int_t
ngx_media_hls_mp4_part(ngx_media_hls_cutter_t *c, ngx_media_hls_out_t *out,
    int64_t dts, ngx_uint_t keep, ngx_media_hls_pack_t *pack)
{
    ssize_t              size;
    ngx_uint_t           n;
    ngx_media_mp4_run_t  runs[NGX_MEDIA_MAX_TRACKS];

    n = ngx_media_hls_mp4_runs(c, out, dts, keep, runs, pack);

    if (n == 0) {
        return NGX_DECLINED;
    }

    size = ngx_media_hls_mp4_head(c, out, runs, n);

    if (size < 0) {
        return NGX_ERROR;
    }

    pack->spans[0].data = out->head;
    pack->spans[0].size = (size_t) size;
    pack->nspans = (uint32_t) n + 1;

    return NGX_OK;
}


static ngx_uint_t
ngx_media_hls_mp4_runs(ngx_media_hls_cutter_t *c, ngx_media_hls_out_t *out,
    int64_t dts, ngx_uint_t keep, ngx_media_mp4_run_t *runs,
    ngx_media_hls_pack_t *pack)
{
    size_t                used;
    int64_t               start;
    uint32_t              nsamples;
    uint64_t              end;
    ngx_uint_t            i, k, n;
    ngx_media_hls_run_t  *run;

    n = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

        /* in the order lead, 0, 1, ... */

        k = (i == 0) ? c->lead : (i <= c->lead) ? i - 1 : i;
        run = c->run[k];

        if (!(out->tracks & (1u << k)) || run->nsamples == 0) {

            if (k == c->lead && (out->tracks & (1u << k))) {
                return 0;
            }

            continue;
        }

        nsamples = run->nsamples;
        used = run->used;

        if (k == c->lead && keep) {

            if (nsamples < 2) {
                return 0;
            }

            nsamples--;
            used -= run->samples[nsamples].size;
            end = run->samples[nsamples].dts;

        } else {
            end = ngx_media_hls_mp4_end(run, (k == c->lead)
                                             ? dts : NGX_MEDIA_HLS_END);
        }

        runs[n].samples = run->samples;
        runs[n].nsamples = nsamples;
        runs[n].id = run->mp4.id;
        runs[n].end = end;

        pack->spans[n + 1].data = run->buf;
        pack->spans[n + 1].size = used;

        if (n++) {
            continue;
        }

        start = ngx_media_mp4_us(run->samples[0].dts, run->mp4.timescale);

        pack->cut.dts = start - run->clock.offset;
        pack->cut.time = start;
        pack->cut.duration = (uint32_t)
                             (ngx_media_mp4_us(end, run->mp4.timescale)
                              - start);

        if (!ngx_media_codec_is_video(run->codec)
            || (run->samples[0].flags & NGX_MEDIA_MP4_KEY))
        {
            pack->cut.flags |= NGX_MEDIA_HLS_INDEPENDENT;
        }
    }

    return n;
}


/* where a run ends: video has the time of the frame that follows */

static uint64_t
ngx_media_hls_mp4_end(ngx_media_hls_run_t *run, int64_t dts)
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
ngx_media_hls_mp4_head(ngx_media_hls_cutter_t *c, ngx_media_hls_out_t *out,
    ngx_media_mp4_run_t *runs, ngx_uint_t n)
{
    ssize_t                   size;
    ngx_media_hls_segment_t  *seg;
    ngx_media_mp4_chunk_t     chunk;

    seg = ngx_media_hls_store_current(&out->writer);

    ngx_memzero(&chunk, sizeof(ngx_media_mp4_chunk_t));

    chunk.runs = runs;
    chunk.nruns = (uint32_t) n;
    chunk.sequence = (uint32_t) out->writer.r->ring.head + 1;
    chunk.styp = (seg && seg->nparts) ? NGX_MEDIA_MP4_STYP_CHUNK
                                      : NGX_MEDIA_MP4_STYP_SEGMENT;

    size = ngx_media_mp4_chunk(&chunk, NULL, 0);

    if (size < 0) {
        return size;
    }

    if ((size_t) size > out->head_size) {

        if (out->head) {
            ngx_free(out->head);
        }

        out->head_size = (size_t) size * 2;
        out->head = ngx_alloc(out->head_size, ngx_cycle->log);

        if (out->head == NULL) {
            out->head_size = 0;
            return NGX_ERROR;
        }
    }

    return ngx_media_mp4_chunk(&chunk, out->head, out->head_size);
}
