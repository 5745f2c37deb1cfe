
/*
 * Copyright (C) the nginx media suite authors
 *
 * Heads of a source: metadata, codec configurations and what else holds until
 * the next of its kind (STICKY), each with the frame number from which it
 * holds, so that a player that starts at an older keyframe gets the
 * configuration of that keyframe.  All that the tracks of one source can have
 * at a time fits: the table never overflows, only sizes can be too much.
 *
 * One writer, the publisher's worker.  Readers copy under a version: odd while
 * it is being written, and a copy is good only if the version is the same
 * before and after.  The blobs lie one behind the other in one chunk, those
 * that nothing can need any more are squeezed out when room is short.
 */


#include "ngx_media_core.h"


/* what is given up for a new one */

#define NGX_MEDIA_HEADS_OLD       0     /* what no frame needs any more */
#define NGX_MEDIA_HEADS_REPLACED  1     /* what a newer one replaces */
#define NGX_MEDIA_HEADS_META      2     /* metadata too */


static ngx_media_head_t *ngx_media_heads_latest(ngx_media_head_table_t *h,
    ngx_media_frame_t *f);
static void ngx_media_heads_prune(ngx_media_source_t *src, ngx_uint_t how);
static ngx_int_t ngx_media_heads_copy(ngx_media_source_t *src,
    ngx_media_head_table_t *copy);
static void ngx_media_heads_select(ngx_media_source_t *src,
    ngx_media_head_table_t *copy, uint64_t seq, ngx_media_heads_t *heads);


static u_char  *ngx_media_heads_buffer;


ngx_int_t
ngx_media_heads_add(ngx_media_source_t *src, ngx_media_frame_t *f,
    uint64_t seq)
{
    u_char                  *base;
    ngx_uint_t               how, most;
    ngx_media_head_t        *head;
    ngx_media_head_table_t  *h;

    h = &src->heads;

    if (f->size > NGX_MEDIA_CONFIG_MAX) {
        return NGX_DECLINED;
    }

    if (h->chunk == 0
        && ngx_media_chunk_get(NULL, &h->chunk) != NGX_MEDIA_OK)
    {
        return NGX_DECLINED;
    }

    base = ngx_media_chunk_addr(h->chunk);
    head = ngx_media_heads_latest(h, f);

    if (head && head->size == f->size && head->codec == f->codec
        && head->aux == f->aux
        && ngx_memcmp(base + head->off, f->data, f->size) == 0)
    {
        return NGX_DONE;
    }

    __atomic_store_n(&h->version, h->version + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    /* without its configuration a track cannot be shown */

    most = (f->flags & NGX_MEDIA_FRAME_CONFIG) ? NGX_MEDIA_HEADS_META
                                               : NGX_MEDIA_HEADS_REPLACED;

    for (how = NGX_MEDIA_HEADS_OLD; how <= most; how++) {

        if (h->n < NGX_MEDIA_HEADS
            && h->used + f->size <= NGX_MEDIA_CHUNK_SIZE)
        {
            break;
        }

        ngx_media_heads_prune(src, how);
    }

    head = NULL;

    if (h->n < NGX_MEDIA_HEADS
        && h->used + f->size <= NGX_MEDIA_CHUNK_SIZE)
    {
        head = &h->head[h->n];

        head->seq = seq;
        head->off = h->used;
        head->size = f->size;
        head->flags = f->flags;
        head->track = f->track;
        head->codec = f->codec;
        head->aux = f->aux;

        ngx_memcpy(base + h->used, f->data, f->size);

        h->used += f->size;
        h->n++;
    }

    __atomic_store_n(&h->version, h->version + 1, __ATOMIC_SEQ_CST);

    return head ? NGX_OK : NGX_DECLINED;
}


static ngx_media_head_t *
ngx_media_heads_latest(ngx_media_head_table_t *h, ngx_media_frame_t *f)
{
    uint32_t           i;
    ngx_media_head_t  *head;

    for (i = h->n; i > 0; i--) {
        head = &h->head[i - 1];

        if (head->track == f->track
            && ((head->flags ^ f->flags) & NGX_MEDIA_HEAD_KINDS) == 0)
        {
            return head;
        }
    }

    return NULL;
}


static void
ngx_media_heads_prune(ngx_media_source_t *src, ngx_uint_t how)
{
    u_char                  *base;
    uint32_t                 i, k, n, used;
    ngx_uint_t               keep;
    ngx_media_head_t        *head, *next;
    ngx_media_head_table_t  *h;

    h = &src->heads;
    base = ngx_media_chunk_addr(h->chunk);
    n = 0;
    used = 0;

    for (i = 0; i < h->n; i++) {

        head = &h->head[i];
        keep = (how < NGX_MEDIA_HEADS_META
                || !(head->flags & NGX_MEDIA_FRAME_META));

        for (k = i + 1; k < h->n; k++) {
            next = &h->head[k];

            if (next->track == head->track
                && ((next->flags ^ head->flags) & NGX_MEDIA_HEAD_KINDS) == 0
                && (how || next->seq <= src->ring.tail))
            {
                keep = 0;
                break;
            }
        }

        if (!keep) {
            continue;
        }

        ngx_memmove(base + used, base + head->off, head->size);

        h->head[n] = *head;
        h->head[n].off = used;
        used += head->size;
        n++;
    }

    h->n = n;
    h->used = used;
}


void
ngx_media_heads_reset(ngx_media_source_t *src)
{
    ngx_media_head_table_t  *h;

    h = &src->heads;

    /* odd already where a publisher died writing */

    __atomic_store_n(&h->version, h->version | 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    h->n = 0;
    h->used = 0;

    __atomic_store_n(&h->version, h->version + 1, __ATOMIC_SEQ_CST);
}


ngx_int_t
ngx_media_heads_read(ngx_media_source_t *src, uint64_t seq,
    ngx_media_heads_t *heads)
{
    ngx_uint_t                     i;
    ngx_media_track_t             *track;
    static ngx_media_head_table_t  copy;

    ngx_memzero(heads, sizeof(ngx_media_heads_t));

    for (i = 0; i < 100; i++) {

        if (ngx_media_heads_copy(src, &copy) == NGX_OK) {
            ngx_media_heads_select(src, &copy, seq, heads);
            goto found;
        }

        ngx_cpu_pause();
    }

    return NGX_AGAIN;

found:

    /* tracks without a configuration: what their frames told */

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        track = &src->track[i];

        if (track->present && !(heads->tracks & (1u << i))) {
            heads->tracks |= 1u << i;
            heads->info[i] = track->info;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_media_heads_bare(const ngx_media_heads_t *heads, uint32_t tracks,
    ngx_media_frame_t *frames)
{
    uint32_t    bare;
    ngx_uint_t  i, n;

    bare = heads->tracks & tracks;

    for (i = 0; i < heads->nframes; i++) {
        if (heads->frames[i].flags & NGX_MEDIA_FRAME_CONFIG) {
            bare &= ~(1u << heads->frames[i].track);
        }
    }

    n = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

        if (!(bare & (1u << i))
            || heads->info[i].codec == NGX_MEDIA_CODEC_NONE)
        {
            continue;
        }

        ngx_memzero(&frames[n], sizeof(ngx_media_frame_t));

        frames[n].flags = NGX_MEDIA_FRAME_CONFIG;
        frames[n].track = (uint8_t) i;
        frames[n].codec = heads->info[i].codec;
        frames[n].data = (u_char *) "";
        n++;
    }

    return n;
}


static ngx_int_t
ngx_media_heads_copy(ngx_media_source_t *src, ngx_media_head_table_t *copy)
{
    u_char    *base;
    uint32_t   version;

    if (ngx_media_heads_buffer == NULL) {
        ngx_media_heads_buffer = ngx_alloc(NGX_MEDIA_CHUNK_SIZE,
                                           ngx_cycle->log);
        if (ngx_media_heads_buffer == NULL) {
            return NGX_ERROR;
        }
    }

    version = __atomic_load_n(&src->heads.version, __ATOMIC_ACQUIRE);

    if (version & 1) {
        return NGX_AGAIN;
    }

    ngx_memcpy(copy, &src->heads, sizeof(ngx_media_head_table_t));

    if (copy->n > NGX_MEDIA_HEADS || copy->used > NGX_MEDIA_CHUNK_SIZE) {
        return NGX_AGAIN;
    }

    base = ngx_media_chunk_addr(copy->chunk);

    if (base) {
        ngx_memcpy(ngx_media_heads_buffer, base, copy->used);

    } else {
        copy->n = 0;
    }

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    if (__atomic_load_n(&src->heads.version, __ATOMIC_RELAXED) != version) {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


/* of each track the newest that holds at seq; of none that old, the oldest */

static void
ngx_media_heads_select(ngx_media_source_t *src, ngx_media_head_table_t *copy,
    uint64_t seq, ngx_media_heads_t *heads)
{
    uint32_t            i, k;
    ngx_uint_t          pass;
    ngx_media_head_t   *head, *best[NGX_MEDIA_MAX_TRACKS * 3];
    ngx_media_frame_t  *f;

    ngx_memzero(best, sizeof(best));

    for (i = 0; i < copy->n; i++) {
        head = &copy->head[i];

        k = head->track % NGX_MEDIA_MAX_TRACKS;

        if (head->flags & NGX_MEDIA_FRAME_CONFIG) {
            k += NGX_MEDIA_MAX_TRACKS;

        } else if (head->flags & NGX_MEDIA_FRAME_STICKY) {
            k += NGX_MEDIA_MAX_TRACKS * 2;
        }

        if (head->off + head->size > copy->used
            || (best[k] != NULL && head->seq > seq))
        {
            continue;
        }

        best[k] = head;
    }

    for (pass = 0; pass < 3; pass++) {
        for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

            head = best[pass * NGX_MEDIA_MAX_TRACKS + i];

            if (head == NULL) {
                continue;
            }

            f = &heads->frames[heads->nframes++];

            f->seq = seq;
            f->size = head->size;
            f->flags = head->flags;
            f->track = head->track;
            f->codec = head->codec;
            f->aux = head->aux;
            f->data = ngx_media_heads_buffer + head->off;

            if (pass != 1) {
                continue;
            }

            heads->tracks |= 1u << i;

            (void) ngx_media_codec_parse_config(f->codec, f->data,
                                                f->data + f->size,
                                                &heads->info[i]);
        }
    }
}


void
ngx_media_heads_exit(void)
{
    if (ngx_media_heads_buffer) {
        ngx_free(ngx_media_heads_buffer);
        ngx_media_heads_buffer = NULL;
    }
}
