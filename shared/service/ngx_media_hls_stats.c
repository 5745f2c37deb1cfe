
/*
 * Copyright (C) the nginx media suite authors
 *
 * What the packager counts, for the API and the metrics.  Counters lie with
 * the renditions in the arena and go with them: those of the cutter are in
 * the first one, those of the disk in each that is written.  Any worker reads
 * them, without a lock: they are aligned words that may be some ms apart.
 */


#include "ngx_media_hls_store.h"


#define ngx_media_hls_stats_get(p)  __atomic_load_n(p, __ATOMIC_RELAXED)


static void ngx_media_hls_stats_rendition(ngx_media_hls_rendition_t *r,
    ngx_media_hls_stats_t *stats);
static uint32_t ngx_media_hls_stats_parked(ngx_media_hls_rendition_t *r);


/* NULL: nothing is packed */

ngx_media_hls_counters_t *
ngx_media_hls_counters(ngx_media_source_t *src, ngx_uint_t i)
{
    ngx_media_hls_rendition_t  *r;

    r = ngx_media_hls_rendition_at(src, i);

    return r ? &r->counters : NULL;
}


/* this worker alone writes what its slot has */

void
ngx_media_hls_parked(ngx_media_hls_t *hls, ngx_int_t n)
{
    uint32_t                    slot;
    ngx_media_hls_output_t     *o;
    ngx_media_hls_rendition_t  *r;

    o = ngx_media_hls_output(hls);
    o->parked = (uint32_t) ((ngx_int_t) o->parked + n);

    slot = ngx_media_slot();

    if (slot == NGX_MEDIA_NO_SLOT || !ngx_media_hls_valid(hls)) {
        return;
    }

    r = ngx_media_hls_rendition_at(o->source, 0);

    if (r == NULL) {
        return;
    }

    n = ngx_min((ngx_int_t) o->parked, NGX_MEDIA_HLS_PARKED_MAX);

    __atomic_store_n(&r->parked[slot], ngx_media_hls_parked_of(ngx_pid, n),
                     __ATOMIC_RELAXED);
}


ngx_int_t
ngx_media_hls_stats(uint32_t source, ngx_media_hls_stats_t *stats)
{
    uint32_t                    i, n;
    ngx_media_source_t         *src;
    ngx_media_hls_counters_t   *c;
    ngx_media_hls_rendition_t  *r;

    ngx_memzero(stats, sizeof(ngx_media_hls_stats_t));

    src = ngx_media_source_at(source);
    n = __atomic_load_n(&src->nstores, __ATOMIC_ACQUIRE);

    for (i = 0; i < n; i++) {

        r = ngx_media_hls_rendition_at(src, i);

        if (r) {
            ngx_media_hls_stats_rendition(r, stats);
        }
    }

    r = ngx_media_hls_rendition_at(src, 0);

    if (r == NULL) {
        return NGX_DECLINED;
    }

    c = &r->counters;

    stats->segments = ngx_media_hls_stats_get(&c->segments);
    stats->parts = ngx_media_hls_stats_get(&c->parts);
    stats->cuts = ngx_media_hls_stats_get(&c->cuts);
    stats->dropped = ngx_media_hls_stats_get(&c->dropped);
    stats->duration = ngx_media_hls_stats_get(&c->duration);
    stats->target = ngx_media_hls_stats_get(&r->target);
    stats->container = ngx_media_hls_stats_get(&r->container);
    stats->parked = ngx_media_hls_stats_parked(r);

    return NGX_OK;
}


static void
ngx_media_hls_stats_rendition(ngx_media_hls_rendition_t *r,
    ngx_media_hls_stats_t *stats)
{
    ngx_uint_t                 i, chunks;
    ngx_media_hls_counters_t  *c;

    c = &r->counters;
    chunks = 1;

    for (i = 0; i < NGX_MEDIA_RING_DATA; i++) {
        chunks += ngx_media_hls_stats_get(&r->ring.data[i]) ? 1 : 0;
    }

    for (i = 0; i < NGX_MEDIA_RING_INDEX; i++) {
        chunks += ngx_media_hls_stats_get(&r->ring.index[i]) ? 1 : 0;
    }

    stats->bytes += (uint64_t) chunks * NGX_MEDIA_CHUNK_SIZE;

    if (r->tag[0] != NGX_MEDIA_HLS_RETIRED) {
        stats->renditions++;
    }

    stats->written += ngx_media_hls_stats_get(&c->written);
    stats->failed += ngx_media_hls_stats_get(&c->failed);
    stats->missing += ngx_media_hls_stats_get(&c->missing);
    stats->behind += ngx_media_hls_stats_get(&c->behind);
}


/* what workers that are there have said; the dead are not heard */

static uint32_t
ngx_media_hls_stats_parked(ngx_media_hls_rendition_t *r)
{
    uint32_t   i, n, said, pid;

    n = 0;

    for (i = 0; i < NGX_MEDIA_SLOTS; i++) {

        said = ngx_media_hls_stats_get(&r->parked[i]);

        if (said == 0) {
            continue;
        }

        pid = (uint32_t)
              ngx_media_hls_stats_get(&ngx_media_arena()->slots[i].pid);

        if (pid && ((said ^ ngx_media_hls_parked_of(pid, 0)) >> 16) == 0) {
            n += said & NGX_MEDIA_HLS_PARKED_MAX;
        }
    }

    return n;
}
