
/*
 * Copyright (C) the nginx media suite authors
 *
 * A rendition in the arena, as any worker reads it: views for playlists, the
 * place of segments and parts, and their bytes.  Nothing is written here.
 *
 * Everything is copied and then validated: the version of the table is the
 * same and even before and after, a part is not below the ring's tail, and the
 * source is still the one that the handle was made for.
 */


#include "ngx_media_hls_store.h"


#define NGX_MEDIA_HLS_TRIES        200
#define NGX_MEDIA_HLS_PART_WINDOW  4       /* target durations with parts */


static ngx_int_t ngx_media_hls_segment_read(ngx_media_hls_t *hls,
    ngx_uint_t i, uint64_t msn, ngx_media_hls_segment_t *seg,
    ngx_uint_t *ended);
static ngx_int_t ngx_media_hls_view_table(ngx_media_hls_rendition_t *r,
    ngx_media_hls_view_t *view, ngx_uint_t *squeezed);
static void ngx_media_hls_view_list(ngx_media_hls_view_t *view,
    ngx_uint_t squeezed);
static void ngx_media_hls_view_rate(ngx_media_hls_view_t *view);
static void ngx_media_hls_view_parts(ngx_media_hls_rendition_t *r,
    ngx_media_hls_view_t *view);
static ngx_uint_t ngx_media_hls_view_part(ngx_media_hls_rendition_t *r,
    uint64_t n, ngx_media_hls_part_t *part);


ngx_media_hls_rendition_t *
ngx_media_hls_rendition_at(ngx_media_source_t *src, ngx_uint_t i)
{
    if (i >= NGX_MEDIA_HLS_RENDITIONS
        || i >= __atomic_load_n(&src->nstores, __ATOMIC_ACQUIRE))
    {
        return NULL;
    }

    return (ngx_media_hls_rendition_t *) ngx_media_chunk_addr(src->stores[i]);
}


/* one read under the version: set before, checked after */

static uint64_t
ngx_media_hls_read_begin(ngx_media_hls_rendition_t *r)
{
    return __atomic_load_n(&r->version, __ATOMIC_ACQUIRE);
}


static ngx_uint_t
ngx_media_hls_read_good(ngx_media_hls_rendition_t *r, uint64_t version)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    return !(version & 1)
           && __atomic_load_n(&r->version, __ATOMIC_RELAXED) == version;
}


ngx_int_t
ngx_media_hls_edge_read(ngx_media_source_t *src, ngx_uint_t i,
    ngx_media_hls_edge_t *edge)
{
    ngx_uint_t                  n;
    ngx_media_hls_rendition_t  *r;

    r = ngx_media_hls_rendition_at(src, i);

    if (r == NULL) {
        return NGX_DECLINED;
    }

    for (n = 0; n < NGX_MEDIA_HLS_TRIES; n++) {

        edge->version = ngx_media_hls_read_begin(r);
        edge->first = r->first;
        edge->next = r->next;
        edge->target = r->target;
        edge->last = *ngx_media_hls_at(r, edge->next - 1);

        if (ngx_media_hls_read_good(r, edge->version)) {
            return NGX_OK;
        }

        ngx_cpu_pause();
    }

    return NGX_AGAIN;
}


uint64_t
ngx_media_hls_version(ngx_media_hls_t *hls, ngx_uint_t i)
{
    uint64_t                    version;
    ngx_media_source_t         *src;
    ngx_media_hls_rendition_t  *r;

    src = ngx_media_hls_output(hls)->source;

    if (!ngx_media_hls_valid(hls)) {
        return 0;
    }

    r = ngx_media_hls_rendition_at(src, i);

    if (r == NULL) {
        return 0;
    }

    version = ngx_media_hls_read_begin(r) & ~(uint64_t) 1;

    return version | (uint64_t) ngx_media_hls_ended(src);
}


ngx_int_t
ngx_media_hls_edge(ngx_media_hls_t *hls, ngx_uint_t i, uint64_t *msn,
    uint32_t *part, ngx_uint_t *closed)
{
    ngx_media_source_t       *src;
    ngx_media_hls_edge_t      edge;
    ngx_media_hls_segment_t   before;

    src = ngx_media_hls_output(hls)->source;

    if (!ngx_media_hls_valid(hls)
        || ngx_media_hls_edge_read(src, i, &edge) != NGX_OK
        || edge.next == edge.first || edge.target == 0)
    {
        return NGX_AGAIN;
    }

    if (edge.last.nparts == 0) {

        /* the one that was just begun: the newest part is of the one before */

        if (edge.next - edge.first < 2
            || ngx_media_hls_segment_read(hls, i, edge.next - 2, &before, NULL)
               != NGX_OK)
        {
            return NGX_AGAIN;
        }

        edge.last = before;
        edge.next--;
    }

    *msn = edge.next - 1;
    *part = edge.last.nparts - 1;
    *closed = 1;

    if (ngx_media_hls_ended(src)) {
        return NGX_DONE;
    }

    *closed = (edge.last.flags & NGX_MEDIA_HLS_CLOSED) ? 1 : 0;

    return NGX_OK;
}


/* --- objects ------------------------------------------------------------ */

static ngx_int_t
ngx_media_hls_segment_read(ngx_media_hls_t *hls, ngx_uint_t i, uint64_t msn,
    ngx_media_hls_segment_t *seg, ngx_uint_t *ended)
{
    uint64_t                    version, first, next;
    ngx_uint_t                  n;
    ngx_media_source_t         *src;
    ngx_media_hls_rendition_t  *r;

    src = ngx_media_hls_output(hls)->source;

    if (!ngx_media_hls_valid(hls)) {
        return NGX_DECLINED;
    }

    r = ngx_media_hls_rendition_at(src, i);

    if (r == NULL) {
        return NGX_DECLINED;
    }

    if (ended) {
        *ended = ngx_media_hls_ended(src);
    }

    for (n = 0; n < NGX_MEDIA_HLS_TRIES; n++) {

        version = ngx_media_hls_read_begin(r);
        first = r->first;
        next = r->next;
        *seg = *ngx_media_hls_at(r, msn);

        if (!ngx_media_hls_read_good(r, version)) {
            ngx_cpu_pause();
            continue;
        }

        if (msn == next) {
            return (ended && *ended) ? NGX_DECLINED : NGX_AGAIN;
        }

        return (msn < first || msn > next) ? NGX_DECLINED : NGX_OK;
    }

    return NGX_AGAIN;
}


ngx_int_t
ngx_media_hls_segment(ngx_media_hls_t *hls, ngx_uint_t i, uint64_t msn,
    ngx_media_hls_object_t *o)
{
    ngx_int_t                   rc;
    ngx_uint_t                  ended;
    ngx_media_hls_segment_t     seg;
    ngx_media_hls_rendition_t  *r;

    rc = ngx_media_hls_segment_read(hls, i, msn, &seg, &ended);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!(seg.flags & NGX_MEDIA_HLS_CLOSED) && !ended) {
        return NGX_AGAIN;
    }

    if (seg.nparts == 0) {
        return NGX_DECLINED;
    }

    r = ngx_media_hls_rendition_at(ngx_media_hls_output(hls)->source, i);

    o->part = seg.part;
    o->nparts = seg.nparts;
    o->container = r->container;
    o->size = seg.bytes;
    o->pos = 0;
    o->generation = ngx_media_hls_output(hls)->generation;
    o->rendition = (uint32_t) i;
    o->flags = seg.flags;

    return NGX_OK;
}


ngx_int_t
ngx_media_hls_part(ngx_media_hls_t *hls, ngx_uint_t i, uint64_t msn,
    uint32_t part, ngx_media_hls_object_t *o)
{
    ngx_int_t                   rc;
    ngx_uint_t                  ended;
    ngx_media_hls_part_t        p;
    ngx_media_hls_segment_t     seg;
    ngx_media_hls_rendition_t  *r;

    rc = ngx_media_hls_segment_read(hls, i, msn, &seg, &ended);

    if (rc == NGX_AGAIN) {
        return part ? NGX_DECLINED : NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (part >= seg.nparts) {
        return (part > seg.nparts || ended
                || (seg.flags & NGX_MEDIA_HLS_CLOSED)) ? NGX_DECLINED
                                                       : NGX_AGAIN;
    }

    r = ngx_media_hls_rendition_at(ngx_media_hls_output(hls)->source, i);

    if (!ngx_media_hls_view_part(r, seg.part + part, &p)) {
        return NGX_DECLINED;
    }

    o->part = seg.part + part;
    o->nparts = 1;
    o->container = r->container;
    o->size = p.size;
    o->pos = 0;
    o->generation = ngx_media_hls_output(hls)->generation;
    o->rendition = (uint32_t) i;
    o->flags = p.flags;

    return NGX_OK;
}


ssize_t
ngx_media_hls_read(ngx_media_hls_t *hls, ngx_media_hls_object_t *o,
    u_char *buf, size_t n)
{
    size_t                      part, size;
    ssize_t                     total;
    uint64_t                    off;
    uint32_t                    k;
    ngx_media_desc_t            desc;
    ngx_media_chunks_t          chunks;
    ngx_media_hls_output_t     *output;
    ngx_media_hls_rendition_t  *r;

    output = ngx_media_hls_output(hls);
    chunks = ngx_media_arena_chunks();

    if (!ngx_media_hls_valid(hls) || o->generation != output->generation) {
        return NGX_ERROR;
    }

    r = ngx_media_hls_rendition_at(output->source, o->rendition);

    if (r == NULL) {
        return NGX_ERROR;
    }

    total = 0;
    off = 0;

    for (k = 0; k < o->nparts && n && o->pos < o->size; k++) {

        if (ngx_media_ring_peek(&r->ring, &chunks, o->part + k, &desc)
            != NGX_MEDIA_OK)
        {
            return NGX_ERROR;
        }

        if (o->pos - off >= desc.size) {
            off += desc.size;
            continue;
        }

        part = (size_t) (o->pos - off);
        size = ngx_min(desc.size - part, n);

        if (ngx_media_ring_copy_part(&r->ring, &chunks, &desc, part, buf, size)
            != NGX_MEDIA_OK)
        {
            return NGX_ERROR;
        }

        off += desc.size;
        o->pos += size;
        total += size;
        buf += size;
        n -= size;
    }

    return ngx_media_hls_valid(hls) ? total : NGX_ERROR;
}


ssize_t
ngx_media_hls_init(ngx_media_hls_t *hls, ngx_uint_t i, uint32_t hash,
    u_char *buf, size_t n)
{
    uint32_t                    k;
    uint64_t                    version;
    ngx_uint_t                  try;
    ngx_media_hls_init_t        init;
    ngx_media_hls_rendition_t  *r;

    r = ngx_media_hls_valid(hls)
        ? ngx_media_hls_rendition_at(ngx_media_hls_output(hls)->source, i)
        : NULL;

    for (try = 0; r && try < NGX_MEDIA_HLS_TRIES; try++) {

        version = ngx_media_hls_read_begin(r);

        ngx_memzero(&init, sizeof(ngx_media_hls_init_t));

        for (k = ngx_min(r->ninits, NGX_MEDIA_HLS_INITS); k > 0; k--) {
            if (hash == 0 || r->init[k - 1].hash == hash) {
                init = r->init[k - 1];
                break;
            }
        }

        if (init.size > NGX_MEDIA_HLS_INIT_BYTES
            || init.off > NGX_MEDIA_HLS_INIT_BYTES - init.size)
        {
            continue;
        }

        if (init.size > n) {
            return NGX_ERROR;
        }

        ngx_memcpy(buf, r->inits + init.off, init.size);

        if (ngx_media_hls_read_good(r, version)) {
            return init.size ? (ssize_t) init.size : NGX_DECLINED;
        }

        ngx_cpu_pause();
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_media_hls_key(ngx_media_hls_t *hls, uint32_t number,
    u_char key[NGX_MEDIA_HLS_KEY_LEN])
{
    uint32_t                    i;
    uint64_t                    version;
    ngx_int_t                   rc;
    ngx_uint_t                  n;
    ngx_media_hls_rendition_t  *r;

    r = ngx_media_hls_valid(hls)
        ? ngx_media_hls_rendition_at(ngx_media_hls_output(hls)->source, 0)
        : NULL;

    for (n = 0; r && n < NGX_MEDIA_HLS_TRIES; n++) {

        version = ngx_media_hls_read_begin(r);
        rc = NGX_DECLINED;

        for (i = 0; i < NGX_MEDIA_HLS_KEYS; i++) {
            if (number && r->key[i].number == number) {
                ngx_memcpy(key, r->key[i].bytes, NGX_MEDIA_HLS_KEY_LEN);
                rc = NGX_OK;
            }
        }

        if (ngx_media_hls_read_good(r, version)) {
            return rc;
        }

        ngx_cpu_pause();
    }

    return NGX_DECLINED;
}


/* --- views -------------------------------------------------------------- */

ngx_int_t
ngx_media_hls_view(ngx_media_hls_t *hls, ngx_uint_t i,
    ngx_media_hls_view_t *view)
{
    ngx_int_t                   rc;
    ngx_uint_t                  squeezed;
    ngx_media_source_t         *src;
    ngx_media_hls_rendition_t  *r;

    src = ngx_media_hls_output(hls)->source;

    r = ngx_media_hls_valid(hls) ? ngx_media_hls_rendition_at(src, i) : NULL;

    if (r == NULL) {
        return NGX_DECLINED;
    }

    view->ended = (uint32_t) ngx_media_hls_ended(src);

    rc = ngx_media_hls_view_table(r, view, &squeezed);

    if (rc != NGX_OK) {
        return rc;
    }

    view->version |= view->ended;

    if (view->nsegments && view->ended) {
        view->segment[view->nsegments - 1].flags |= NGX_MEDIA_HLS_CLOSED;
    }

    /* the one that was just begun has nothing to show */

    if (view->nsegments && view->segment[view->nsegments - 1].nparts == 0) {
        view->nsegments--;
    }

    if (view->nsegments == 0 || view->target == 0) {
        return NGX_DECLINED;
    }

    ngx_media_hls_view_list(view, squeezed);
    ngx_media_hls_view_rate(view);
    ngx_media_hls_view_parts(r, view);

    return ngx_media_hls_valid(hls) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_media_hls_view_table(ngx_media_hls_rendition_t *r,
    ngx_media_hls_view_t *view, ngx_uint_t *squeezed)
{
    uint64_t    msn, next, version;
    ngx_uint_t  n;

    for (n = 0; n < NGX_MEDIA_HLS_TRIES; n++) {

        version = ngx_media_hls_read_begin(r);

        view->version = version;
        view->container = r->container;
        view->part_target = r->low_latency ? r->part_target : 0;
        view->target = r->target;
        view->window = r->window;
        view->begin = r->begin;
        *squeezed = r->squeezed;
        view->ntracks = ngx_min(r->ntracks, NGX_MEDIA_MAX_TRACKS);
        view->nsegments = 0;

        ngx_memcpy(view->tag, r->tag, NGX_MEDIA_HLS_TAG_LEN);
        ngx_memcpy(view->track, r->track,
                   view->ntracks * sizeof(ngx_media_hls_track_t));

        msn = r->first;
        next = r->next;

        for ( /* void */ ;
             msn < next && view->nsegments < NGX_MEDIA_HLS_SEGMENTS;
             msn++)
        {
            view->segment[view->nsegments++] = *ngx_media_hls_at(r, msn);
        }

        if (ngx_media_hls_read_good(r, version)) {
            return NGX_OK;
        }

        ngx_cpu_pause();
    }

    return NGX_AGAIN;
}


/* those of the window, but three target durations at least */

static void
ngx_media_hls_view_list(ngx_media_hls_view_t *view, ngx_uint_t squeezed)
{
    uint32_t                  i;
    uint64_t                  us, window;
    ngx_media_hls_segment_t  *seg;

    us = 0;
    window = ngx_max((uint64_t) view->window,
                     (uint64_t) view->target * 3000000);
    view->independent = 1;

    for (i = view->nsegments; i > 0 && us < window; i--) {
        seg = &view->segment[i - 1];

        us += seg->duration;

        if (!(seg->flags & NGX_MEDIA_HLS_INDEPENDENT)) {
            view->independent = 0;
        }
    }

    /*
     * The oldest two go any moment where the zone has no room for more.  With
     * fewer segments it is one, so that the list never goes back when one has
     * gone.
     */

    if (squeezed && view->nsegments > 4) {
        i = ngx_max(i, ngx_min(view->nsegments - 4, 2));
    }

    view->listed = i;
}


static void
ngx_media_hls_view_rate(ngx_media_hls_view_t *view)
{
    uint32_t                  i;
    uint64_t                  bytes, us, rate, peak;
    ngx_media_hls_segment_t  *seg;

    bytes = 0;
    us = 0;
    peak = 0;

    for (i = 0; i < view->nsegments; i++) {
        seg = &view->segment[i];

        if (seg->duration == 0) {
            continue;
        }

        bytes += seg->bytes;
        us += seg->duration;

        /* a short one says little of what a second takes */

        rate = seg->bytes * 8000000
               / ngx_max(seg->duration, view->target * 500000);
        peak = ngx_max(peak, rate);
    }

    view->average = us ? (uint32_t) (bytes * 8000000 / us) : 0;
    view->bandwidth = (uint32_t) ngx_max(peak, view->average);
}


static void
ngx_media_hls_view_parts(ngx_media_hls_rendition_t *r,
    ngx_media_hls_view_t *view)
{
    uint32_t                  i, k, n;
    uint64_t                  us;
    ngx_media_hls_segment_t  *seg;

    view->nparts = 0;
    view->with_parts = view->nsegments;

    if (view->part_target == 0) {
        return;
    }

    us = 0;
    n = 0;

    for (i = view->nsegments; i > view->listed; i--) {
        seg = &view->segment[i - 1];

        if (us > (uint64_t) view->target * NGX_MEDIA_HLS_PART_WINDOW * 1000000
            || n + seg->nparts > NGX_MEDIA_HLS_PARTS)
        {
            break;
        }

        us += seg->duration;
        n += seg->nparts;
    }

    view->with_parts = i;

    for ( /* void */ ; i < view->nsegments; i++) {
        seg = &view->segment[i];
        view->first_part[i] = view->nparts;

        for (k = 0; k < seg->nparts; k++) {

            if (!ngx_media_hls_view_part(r, seg->part + k,
                                         &view->parts[view->nparts++]))
            {
                /* given away since: nothing of it or before it is there */

                view->with_parts = i + 1;
                view->listed = ngx_max(view->listed, i + 1);
                break;
            }
        }
    }
}


static ngx_uint_t
ngx_media_hls_view_part(ngx_media_hls_rendition_t *r, uint64_t n,
    ngx_media_hls_part_t *part)
{
    ngx_media_desc_t    desc;
    ngx_media_chunks_t  chunks;

    chunks = ngx_media_arena_chunks();

    ngx_memzero(part, sizeof(ngx_media_hls_part_t));

    if (ngx_media_ring_peek(&r->ring, &chunks, n, &desc) != NGX_MEDIA_OK) {
        return 0;
    }

    part->duration = (uint32_t) desc.cts;
    part->size = desc.size;

    if (desc.flags & NGX_MEDIA_FRAME_KEY) {
        part->flags |= NGX_MEDIA_HLS_INDEPENDENT;
    }

    if (desc.flags & NGX_MEDIA_FRAME_DISPOSABLE) {
        part->flags |= NGX_MEDIA_HLS_GAP;
    }

    return 1;
}
