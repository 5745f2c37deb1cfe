
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: any frames into recordings of each kind, in batches; the state
 * goes through other memory between them.  What comes out is read back: FLV
 * by its demuxer, MP4 by its reader and as a progressive file, TS by its
 * packets.  Input: the kind, then records of eight bytes: track and codec,
 * flags, step of time, cts, size, and the payload.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_file.h"
#include "ngx_media_flv.h"
#include "ngx_media_mp4_moov.h"
#include "ngx_media_rc.h"
#include "ngx_media_ts.h"


#define FUZZ_FRAMES  32
#define FUZZ_ALL     (4 * 1024 * 1024)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const uint8_t  fuzz_codecs[] = {
    NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_AAC, NGX_MEDIA_CODEC_HEVC,
    NGX_MEDIA_CODEC_MP3, NGX_MEDIA_CODEC_AV1, NGX_MEDIA_CODEC_OPUS,
    NGX_MEDIA_CODEC_VP9, NGX_MEDIA_CODEC_AC3, NGX_MEDIA_CODEC_VP8,
    NGX_MEDIA_CODEC_EAC3, NGX_MEDIA_CODEC_VVC, NGX_MEDIA_CODEC_FLAC,
    NGX_MEDIA_CODEC_OTHER_VIDEO, NGX_MEDIA_CODEC_OTHER_AUDIO,
    NGX_MEDIA_CODEC_SCRIPT, NGX_MEDIA_CODEC_NONE
};

static const u_char  fuzz_avc[] = {
    0x01, 0x64, 0x00, 0x0d, 0xff, 0xe1, 0x00, 0x1e, 0x67, 0x64, 0x00, 0x0d,
    0xac, 0xd9, 0x41, 0x51, 0x9e, 0x22, 0x6c, 0x05, 0xa8, 0x08, 0x08, 0x0a,
    0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x64, 0x1e, 0x28,
    0x53, 0x2c, 0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd,
    0xf8, 0xf8, 0x00
};

static const u_char  fuzz_aac[] = { 0x11, 0x90 };


static u_char  *fuzz_out;
static size_t   fuzz_used;


static void
fuzz_flv(void)
{
    int                      rc;
    const u_char            *p;
    ngx_media_flv_demux_t    d;
    ngx_media_flv_piece_t    piece;

    p = fuzz_out;
    ngx_media_flv_demux_init(&d, 0xffffff);

    do {
        rc = ngx_media_flv_demux(&d, &p, fuzz_out + fuzz_used, &piece);
    } while (rc == NGX_MEDIA_OK);

    if (rc != NGX_MEDIA_AGAIN || p != fuzz_out + fuzz_used
        || piece.event != NGX_MEDIA_FLV_EV_END)
    {
        abort();
    }
}


static void
fuzz_ts(void)
{
    size_t  i;

    if (fuzz_used % NGX_MEDIA_TS_PACKET) {
        abort();
    }

    for (i = 0; i < fuzz_used; i += NGX_MEDIA_TS_PACKET) {
        if (fuzz_out[i] != 0x47) {
            abort();
        }
    }
}


static void
fuzz_index(ngx_media_mp4_moov_t *m, const u_char *moov, const u_char *end,
    uint64_t payload)
{
    u_char   *buf;
    ssize_t   n;

    if (m->nsamples == 0) {
        return;
    }

    n = ngx_media_mp4_moov_write(m, moov, end, payload, NULL, 0);

    if (n < 0) {
        abort();
    }

    buf = malloc((size_t) n);

    if (ngx_media_mp4_moov_write(m, moov, end, payload, buf, (size_t) n)
        != n)
    {
        abort();
    }

    free(buf);
}


static void
fuzz_mp4(uint64_t frames)
{
    uint64_t                 payload;
    const u_char            *p, *end, *moov, *moov_end, *moof, *moof_end;
    ngx_media_mp4_box_t      box;
    ngx_media_mp4_moov_t     m;
    ngx_media_mp4_movie_t    movie;

    end = fuzz_out + fuzz_used;
    moov = NULL;
    moov_end = NULL;
    moof = NULL;
    moof_end = NULL;
    payload = 0;

    for (p = fuzz_out; p < end; p += box.size) {

        if (ngx_media_mp4_box(p, end, &box) != NGX_MEDIA_OK
            || box.size == 0 || box.size > (size_t) (end - p))
        {
            abort();
        }

        switch (box.type) {

        case NGX_MEDIA_MP4_MOOV:
            moov = p;
            moov_end = p + box.size;

            if (ngx_media_mp4_movie(&movie, moov, moov_end) != NGX_MEDIA_OK) {
                abort();
            }

            ngx_media_mp4_moov_init(&m, &movie);
            m.max_samples = (uint32_t) frames;
            m.max_chunks = (uint32_t) frames;
            m.samples = malloc(frames * sizeof(ngx_media_mp4_moov_sample_t));
            m.chunks = malloc(frames * sizeof(ngx_media_mp4_moov_chunk_t));
            break;

        case NGX_MEDIA_MP4_MOOF:
            moof = p;
            moof_end = p + box.size;
            break;

        case NGX_MEDIA_MP4_MDAT:

            /* no time goes back, all samples are in the payload */

            if (moov == NULL || moof_end != p
                || ngx_media_mp4_moov_add(&m, moof, moof_end,
                                          (uint64_t) (p + 8 - moof),
                                          box.size - 8, payload)
                   != NGX_MEDIA_OK)
            {
                abort();
            }

            payload += box.size - 8;
            break;

        default:
            break;
        }
    }

    if (moov == NULL || m.nsamples != frames) {
        abort();
    }

    fuzz_index(&m, moov, moov_end, payload);

    free(m.samples);
    free(m.chunks);
}


static void
fuzz_batch(ngx_media_file_t **f, ngx_media_frame_t *frames, uint32_t n)
{
    size_t             room;
    u_char            *buf;
    ssize_t            bytes;
    unsigned           fresh;
    ngx_media_file_t  *next;

    fresh = (*f)->bytes == 0;
    room = ngx_media_file_room(*f, frames, n);

    buf = malloc(room ? room : 1);

    bytes = ngx_media_file_batch(*f, frames, n, buf, room);

    if (bytes == NGX_MEDIA_ERROR || (fresh && bytes < 0)) {
        abort();
    }

    if (bytes > 0 && fuzz_used + (size_t) bytes <= FUZZ_ALL) {
        memcpy(fuzz_out + fuzz_used, buf, (size_t) bytes);
        fuzz_used += (size_t) bytes;
    }

    free(buf);

    next = malloc(sizeof(ngx_media_file_t));
    memcpy(next, *f, sizeof(ngx_media_file_t));
    memset(*f, 0xdb, sizeof(ngx_media_file_t));
    free(*f);
    *f = next;
}


static void
fuzz_end(ngx_media_file_t *f)
{
    u_char                  *buf;
    ssize_t                  n;
    uint32_t                 i, append, npatches;
    ngx_media_file_key_t     key;
    ngx_media_file_patch_t   patches[NGX_MEDIA_FILE_PATCHES];

    buf = malloc(65536);
    key.offset = 0;
    key.time = 0;

    n = ngx_media_file_close(f, &key, 1, buf, 65536, &append, patches,
                             &npatches);

    if (n < 0 || append || npatches > NGX_MEDIA_FILE_PATCHES) {
        abort();
    }

    for (i = 0; i < npatches; i++) {

        if (patches[i].offset + patches[i].size > fuzz_used
            || patches[i].pos + patches[i].size > (size_t) n)
        {
            abort();
        }

        memcpy(fuzz_out + patches[i].offset, buf + patches[i].pos,
               patches[i].size);
    }

    free(buf);

    if (fuzz_used == 0) {
        return;
    }

    switch (f->kind) {

    case NGX_MEDIA_FILE_FLV:
        fuzz_flv();
        break;

    case NGX_MEDIA_FILE_MP4:
        fuzz_mp4(f->frames);
        break;

    default:
        fuzz_ts();
    }
}


/* A state with some bytes changed, as a damaged journal could hold it. */

static void
fuzz_state(const ngx_media_file_t *f, const uint8_t *p, const uint8_t *end,
    ngx_media_frame_t *frames, uint32_t nframes)
{
    size_t             room;
    u_char            *buf;
    ngx_media_file_t   other;

    other = *f;

    for ( /* void */ ; end - p >= 3; p += 3) {
        ((u_char *) &other)[ngx_media_get_be16(p) % sizeof(other)] = p[2];
    }

    if (!ngx_media_file_valid(&other)) {
        return;
    }

    room = ngx_media_file_room(&other, frames, nframes);
    buf = malloc(room ? room : 1);

    (void) ngx_media_file_batch(&other, frames, nframes, buf, room);

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t              dts;
    uint32_t             n;
    const uint8_t       *p, *end;
    ngx_media_frame_t   *fr, frames[FUZZ_FRAMES];
    ngx_media_file_t    *f;

    if (size < 1) {
        return 0;
    }

    if (fuzz_out == NULL) {
        fuzz_out = malloc(FUZZ_ALL);
    }

    fuzz_used = 0;
    p = data + 1;
    end = data + size;
    dts = 0;
    n = 0;

    f = malloc(sizeof(ngx_media_file_t));
    ngx_media_file_init(f, (uint8_t) (NGX_MEDIA_FILE_FLV + data[0] % 3));

    while (end - p >= 8) {
        fr = &frames[n++];
        memset(fr, 0, sizeof(ngx_media_frame_t));

        fr->track = p[0] & 15;
        fr->codec = fuzz_codecs[p[0] >> 4];
        fr->flags = ngx_media_get_be16(p + 1) & 0x3ff;
        dts += (int64_t) (int8_t) p[3] * (p[1] & 0x80 ? 40000001 : 1000);
        fr->dts = dts;
        fr->cts = (int32_t) ((uint32_t) ngx_media_get_be16(p + 4) << 16) >> 10;
        fr->size = p[6];
        fr->aux = p[7];

        if (p[1] & 0x40) {
            ngx_media_file_rebase(f, (int64_t) p[7] * 100);
        }

        p += 8;

        if (fr->size > (size_t) (end - p)) {
            fr->size = (uint32_t) (end - p);
        }

        fr->data = p;
        p += fr->size;

        /* a configuration that is one is rarely guessed */

        if ((fr->flags & NGX_MEDIA_FRAME_CONFIG) && fr->size == 1) {

            if (fr->codec == NGX_MEDIA_CODEC_H264) {
                fr->data = fuzz_avc;
                fr->size = sizeof(fuzz_avc);

            } else if (fr->codec == NGX_MEDIA_CODEC_AAC) {
                fr->data = fuzz_aac;
                fr->size = sizeof(fuzz_aac);
            }
        }

        if (n == FUZZ_FRAMES || (p[-1] & 7) == 3) {
            fuzz_batch(&f, frames, n);
            n = 0;
        }
    }

    if (data[0] & 0x80) {
        fuzz_state(f, end - (size < 14 ? 0 : 12), end, frames, n);
    }

    fuzz_batch(&f, frames, n);
    fuzz_end(f);
    free(f);

    return 0;
}
