
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: any bytes as a fragmented MP4 that is walked as the server
 * does it: the tracks of its moov, the samples of each moof, its span and
 * shift, the index of a progressive file of all of them.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_mp4_moov.h"
#include "ngx_media_rc.h"


#define FUZZ_SAMPLES  4096


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_media_mp4_moov_sample_t  *fuzz_samples;
static ngx_media_mp4_moov_chunk_t   *fuzz_chunks;


/* A box in memory of its own. */

static u_char *
fuzz_dup(const uint8_t *p, size_t n)
{
    u_char  *copy;

    copy = malloc(n);
    memcpy(copy, p, n);

    return copy;
}


static void
fuzz_write(ngx_media_mp4_moov_t *m, const u_char *moov, size_t n,
    uint64_t payload)
{
    u_char   *buf;
    ssize_t   size;

    size = ngx_media_mp4_moov_write(m, moov, moov + n, payload, NULL, 0);

    if (size < 0 || size > 16 * 1024 * 1024) {
        return;
    }

    buf = malloc((size_t) size);

    if (ngx_media_mp4_moov_write(m, moov, moov + n, payload, buf,
                                 (size_t) size)
        != size)
    {
        abort();
    }

    free(buf);
}


static void
fuzz_moof(ngx_media_mp4_movie_t *movie, ngx_media_mp4_moov_t *m,
    u_char *moof, size_t n, uint64_t rest, uint64_t *payload)
{
    int64_t                begin, end, b, e;
    ngx_media_mp4_movie_t  copy;

    copy = *movie;

    if (ngx_media_mp4_moof_span(&copy, moof, moof + n, &begin, &end)
        == NGX_MEDIA_OK
        && begin >= 0 && end >= begin && begin < (1LL << 50)
        && ngx_media_mp4_moof_shift(&copy, moof, n, -begin, 7)
           == NGX_MEDIA_OK)
    {
        copy = *movie;

        if (ngx_media_mp4_moof_span(&copy, moof, moof + n, &b, &e)
            != NGX_MEDIA_OK)
        {
            abort();
        }
    }

    if (ngx_media_mp4_moov_add(m, moof, moof + n, n, rest, *payload)
        == NGX_MEDIA_OK)
    {
        *payload += rest;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                   moov_size, n;
    u_char                  *moov, *moof;
    uint64_t                 payload;
    const uint8_t           *p, *end;
    ngx_media_mp4_box_t      box;
    ngx_media_mp4_moov_t     m;
    ngx_media_mp4_movie_t    movie, same;

    if (fuzz_samples == NULL) {
        fuzz_samples = malloc(FUZZ_SAMPLES * sizeof(*fuzz_samples));
        fuzz_chunks = malloc(FUZZ_SAMPLES * sizeof(*fuzz_chunks));
    }

    moov = NULL;
    moov_size = 0;
    payload = 0;
    end = data + size;

    for (p = data; ngx_media_mp4_box(p, end, &box) == NGX_MEDIA_OK; p += n) {

        n = box.size == 0 || box.size > (size_t) (end - p)
            ? (size_t) (end - p) : (size_t) box.size;

        if (box.type == NGX_MEDIA_MP4_MOOV && moov == NULL) {
            moov = fuzz_dup(p, n);
            moov_size = n;

            if (ngx_media_mp4_movie(&movie, moov, moov + n) != NGX_MEDIA_OK) {
                break;
            }

            same = movie;

            if (!ngx_media_mp4_movie_same(&movie, &same)) {
                abort();
            }

            ngx_media_mp4_moov_init(&m, &movie);
            m.samples = fuzz_samples;
            m.max_samples = FUZZ_SAMPLES;
            m.chunks = fuzz_chunks;
            m.max_chunks = FUZZ_SAMPLES;

        } else if (box.type == NGX_MEDIA_MP4_MOOF && moov) {
            moof = fuzz_dup(p, n);
            fuzz_moof(&movie, &m, moof, n, (uint64_t) (end - p) - n, &payload);
            free(moof);
        }
    }

    if (moov && ngx_media_mp4_movie(&same, moov, moov + moov_size)
                == NGX_MEDIA_OK)
    {
        fuzz_write(&m, moov, moov_size, payload);
    }

    free(moov);

    return 0;
}
