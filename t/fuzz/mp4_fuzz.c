
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: tracks of fragmented MP4 from any config and frame, the clock
 * and chunks from any times.  Boxes must fill each other to the byte, sizes
 * told before must be those written, and no dts may go back.  Input: codec,
 * size of the config (2 bytes), size of the frame (2), both, then records of
 * six bytes: step of time, flags, cts, size.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_codec_string.h"
#include "ngx_media_mp4.h"
#include "ngx_media_rc.h"


#define FUZZ_SAMPLES  64


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const uint8_t  fuzz_codecs[] = {
    NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_HEVC, NGX_MEDIA_CODEC_VVC,
    NGX_MEDIA_CODEC_AV1, NGX_MEDIA_CODEC_VP8, NGX_MEDIA_CODEC_VP9,
    NGX_MEDIA_CODEC_AAC, NGX_MEDIA_CODEC_MP3, NGX_MEDIA_CODEC_OPUS,
    NGX_MEDIA_CODEC_AC3, NGX_MEDIA_CODEC_EAC3, NGX_MEDIA_CODEC_FLAC,
    NGX_MEDIA_CODEC_OTHER_AUDIO
};


/* Boxes fill p to end; those that hold boxes are walked too. */

static void
fuzz_boxes(const u_char *p, const u_char *end)
{
    size_t    i, size;
    uint32_t  type;

    static const char  *inner[] = {
        "moov", "trak", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"
    };

    while (p != end) {

        if (end - p < 8) {
            abort();
        }

        size = ngx_media_get_be32(p);
        type = ngx_media_get_be32(p + 4);

        if (size < 8 || (size_t) (end - p) < size) {

            /* the payload of the last chunk is not there */

            if (type == 0x6d646174 && end - p == 8) {
                return;
            }

            abort();
        }

        for (i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
            if (memcmp(p + 4, inner[i], 4) == 0) {
                fuzz_boxes(p + 8, p + size);
            }
        }

        if (memcmp(p + 4, "stsd", 4) == 0) {
            fuzz_boxes(p + 16, p + size);
        }

        p += size;
    }
}


static void
fuzz_chunk(ngx_media_mp4_chunk_t *c)
{
    u_char   *out;
    ssize_t   n;

    n = ngx_media_mp4_chunk(c, NULL, 0);

    if (n < 0) {
        abort();
    }

    out = malloc((size_t) n);

    if (ngx_media_mp4_chunk(c, out, (size_t) n) != n
        || ngx_media_mp4_chunk(c, out, (size_t) n - 1) != NGX_MEDIA_ERROR
        || ngx_media_mp4_chunk(c, out, (size_t) n) != n)
    {
        abort();
    }

    fuzz_boxes(out, out + n);
    free(out);
}


static void
fuzz_samples(ngx_media_mp4_track_t *t, const u_char *p, const u_char *end)
{
    int                     rc;
    uint64_t                last;
    ngx_media_frame_t       f;
    ngx_media_mp4_run_t     run;
    ngx_media_mp4_clock_t   clock;
    ngx_media_mp4_chunk_t   c;
    ngx_media_mp4_sample_t  samples[FUZZ_SAMPLES];

    memset(&f, 0, sizeof(ngx_media_frame_t));
    memset(&run, 0, sizeof(ngx_media_mp4_run_t));
    memset(&c, 0, sizeof(ngx_media_mp4_chunk_t));

    run.samples = samples;
    run.id = t->id;
    c.runs = &run;
    c.nruns = 1;
    last = 0;

    ngx_media_mp4_clock_init(&clock, t);

    while (end - p >= 6) {
        f.codec = t->codec;
        f.flags = p[1] & (NGX_MEDIA_FRAME_KEY|NGX_MEDIA_FRAME_DISPOSABLE);
        f.dts += (int64_t) (int8_t) p[0] * (p[1] & 0x10 ? 7001 : 333);
        f.cts = (int32_t) ((uint32_t) ngx_media_get_be16(p + 2) << 16) >> 8;
        f.size = p[4];
        p += 6;

        if (f.size > (size_t) (end - p)) {
            f.size = (uint32_t) (end - p);
        }

        f.data = p;
        p += f.size;

        rc = ngx_media_mp4_clock_frame(&clock, &f, &samples[run.nsamples]);

        if (rc == NGX_MEDIA_ERROR) {
            ngx_media_mp4_clock_init(&clock, t);
            run.nsamples = 0;
            last = 0;
            continue;
        }

        if (rc == NGX_MEDIA_DECLINED) {
            continue;
        }

        if ((run.nsamples || last)
            && samples[run.nsamples].dts < last)
        {
            abort();
        }

        last = samples[run.nsamples].dts;

        if (++run.nsamples == FUZZ_SAMPLES || (p[-1] & 7) == 3) {
            run.end = ngx_media_mp4_clock_end(&clock);
            last = run.end;
            c.sequence++;
            c.styp = c.sequence % 3;
            c.utc = c.sequence % 2;

            fuzz_chunk(&c);
            run.nsamples = 0;
        }
    }
}


static u_char *
fuzz_cut(const uint8_t **p, const uint8_t *end, size_t *n)
{
    u_char  *out;

    if (*n > (size_t) (end - *p)) {
        *n = (size_t) (end - *p);
    }

    out = malloc(*n ? *n : 1);
    memcpy(out, *p, *n);
    *p += *n;

    return out;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                 *config, *frame, *out;
    size_t                  nc, nf;
    ssize_t                 n;
    const uint8_t          *p, *end;
    ngx_media_mp4_track_t   t;

    if (size < 5) {
        return 0;
    }

    nc = ngx_media_get_be16(data + 1);
    nf = ngx_media_get_be16(data + 3);
    p = data + 5;
    end = data + size;

    config = fuzz_cut(&p, end, &nc);
    frame = fuzz_cut(&p, end, &nf);

    if (ngx_media_mp4_track(&t, 1, fuzz_codecs[data[0] % sizeof(fuzz_codecs)],
                            config, config + nc, frame, frame + nf)
        == NGX_MEDIA_OK)
    {
        t.bitrate = data[0] >> 6;

        n = ngx_media_mp4_init(&t, 1, NULL, 0);

        if (n < 0) {
            abort();
        }

        out = malloc((size_t) n);

        if (ngx_media_mp4_init(&t, 1, out, (size_t) n) != n) {
            abort();
        }

        fuzz_boxes(out, out + n);
        free(out);

        out = malloc(NGX_MEDIA_CODEC_STRING_MAX);
        n = ngx_media_codec_string(&t.info, config, config + nc, data[0] & 1,
                                   out, NGX_MEDIA_CODEC_STRING_MAX);

        if (n > 0 && strlen((char *) out) != (size_t) n) {
            abort();
        }

        free(out);

        fuzz_samples(&t, p, end);
    }

    free(config);
    free(frame);

    return 0;
}
