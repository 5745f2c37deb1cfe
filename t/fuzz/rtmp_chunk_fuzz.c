
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: the RTMP chunk reader.  The same bytes are read at once and in
 * pieces; both must give the same messages and respect the limits.  Bodies of
 * aggregate messages go through their iterator.
 */


#include <stdlib.h>

#include "ngx_media_bytes.h"
#include "ngx_media_rtmp_chunk.h"


#define MAX_MESSAGE  20000
#define MAX_PENDING  30000


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static uint64_t
fuzz_mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * 1099511628211ull + 1;
}


static uint64_t
fuzz_aggregate(uint64_t h, const ngx_media_rtmp_cs_t *cs)
{
    uint32_t                     i;
    u_char                      *body;
    ngx_media_rtmp_sub_t         sub;
    ngx_media_rtmp_aggregate_t   a;

    body = malloc(cs->length ? cs->length : 1);
    memcpy(body, cs->buf, cs->length);

    ngx_media_rtmp_aggregate_init(&a, body, body + cs->length, cs->timestamp);

    while (ngx_media_rtmp_aggregate_next(&a, &sub) == 1) {
        h = fuzz_mix(h, sub.timestamp);

        for (i = 0; i < sub.len; i++) {
            h = fuzz_mix(h, sub.data[i]);
        }
    }

    free(body);

    return h;
}


static uint64_t
fuzz_event(uint64_t h, ngx_media_rtmp_reader_t *r, int rc,
    ngx_media_rtmp_cs_t *cs, ngx_media_rtmp_cs_t *extra)
{
    uint32_t  i, cap;

    switch (rc) {

    case NGX_MEDIA_RTMP_START:
        if (cs->length > MAX_MESSAGE || r->pending > MAX_PENDING) {
            abort();
        }

        if (cs->type == 5) {
            ngx_media_rtmp_skip(cs);
            break;
        }

        if (cs->type == 6) {
            free(cs->buf);
            cs->buf = NULL;
            break;
        }

        /* fall through */

    case NGX_MEDIA_RTMP_NEED_BUFFER:
        cap = (rc == NGX_MEDIA_RTMP_START) ? 16 : cs->cap * 4;
        cs->cap = cap < cs->length ? cap : cs->length;
        cs->buf = realloc(cs->buf, cs->cap ? cs->cap : 1);
        break;

    case NGX_MEDIA_RTMP_END:
        h = fuzz_mix(h, cs->csid);
        h = fuzz_mix(h, cs->timestamp);
        h = fuzz_mix(h, cs->type);
        h = fuzz_mix(h, cs->msid);
        h = fuzz_mix(h, cs->length);

        if (cs->buf && !ngx_media_rtmp_skipped(cs)) {
            for (i = 0; i < cs->length; i++) {
                h = fuzz_mix(h, cs->buf[i]);
            }

            if (cs->type == NGX_MEDIA_RTMP_AGGREGATE) {
                h = fuzz_aggregate(h, cs);
            }
        }

        break;

    case NGX_MEDIA_RTMP_ABORTED:
        h = fuzz_mix(h, cs->csid);
        break;

    case NGX_MEDIA_RTMP_NEW_CHUNK_SIZE:
        h = fuzz_mix(h, r->chunk_size);
        break;

    case NGX_MEDIA_RTMP_NEED_STREAMS:
        ngx_media_rtmp_reader_extend(r, extra, NGX_MEDIA_RTMP_EXTRA_STREAMS);
        break;
    }

    return h;
}


static uint64_t
fuzz_run(const uint8_t *data, size_t size, size_t piece)
{
    int                       rc;
    size_t                    n, done;
    u_char                   *in;
    uint64_t                  h;
    unsigned                  i;
    const u_char             *pos;
    ngx_media_rtmp_cs_t      *cs, *extra;
    ngx_media_rtmp_reader_t  *r;

    extra = malloc(NGX_MEDIA_RTMP_EXTRA_STREAMS * sizeof(ngx_media_rtmp_cs_t));
    r = malloc(sizeof(ngx_media_rtmp_reader_t));

    ngx_media_rtmp_reader_init(r, MAX_MESSAGE, MAX_PENDING);

    h = 0;
    rc = 0;

    for (done = 0; done < size && rc >= 0; done += n) {
        n = size - done < piece ? size - done : piece;

        in = malloc(n);
        memcpy(in, data + done, n);
        pos = in;

        while ((rc = ngx_media_rtmp_read(r, &pos, in + n, &cs)) > 0) {
            h = fuzz_event(h, r, rc, cs, extra);
        }

        if (rc == NGX_MEDIA_RTMP_AGAIN
            && (pos != in + n || r->in_bytes != done + n))
        {
            abort();
        }

        free(in);
    }

    h = fuzz_mix(h, (uint64_t) (int64_t) rc);
    h = fuzz_mix(h, r->pending);

    for (i = 0; (cs = ngx_media_rtmp_reader_cs(r, i)) != NULL; i++) {
        free(cs->buf);
    }

    free(r);
    free(extra);

    return h;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t  h;

    if (size < 2) {
        return 0;
    }

    h = fuzz_run(data + 1, size - 1, size);

    if (fuzz_run(data + 1, size - 1, data[0] % 32 + 1) != h
        || fuzz_run(data + 1, size - 1, 1) != h)
    {
        abort();
    }

    return 0;
}
