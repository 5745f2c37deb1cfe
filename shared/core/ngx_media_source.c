
/*
 * Copyright (C) the nginx media suite authors
 *
 * The registry of sources in the arena.
 *
 *   free --get--> known --publish--> live --leave--> waiting
 *     ^             |                  ^                |
 *     |             |                  +----publish-----+
 *     +---janitor---+-----------------------------------+
 *
 *   known    named by a player that waits, or by a publish under way
 *   live     epoch is odd; one publisher, in one worker
 *   waiting  epoch is even; players stay while republish_wait runs.  The ring
 *            keeps its history, so a publisher that comes back goes on with it
 *
 * A source is freed when nobody uses it: no publisher, no bit in slots[], and
 * idle_timeout passed since the last use.  generation changes then, for those
 * that look without a bit: the API, and workers without a slot.
 */


#include "ngx_media_core.h"


#define NGX_MEDIA_EVICT    64       /* sources in one go */
#define NGX_MEDIA_TOUCHED  3000     /* ms */


static uint32_t ngx_media_source_hash(ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream);
static ngx_uint_t ngx_media_source_is(ngx_media_source_t *src,
    ngx_str_t *vhost, ngx_str_t *app, ngx_str_t *stream);
static ngx_media_source_t *ngx_media_source_alloc(void);
static void ngx_media_source_free(ngx_media_source_t *src);
static void ngx_media_source_release(ngx_media_source_t *src);
static ngx_uint_t ngx_media_source_unused(ngx_media_source_t *src,
    int64_t msec);
static ngx_uint_t ngx_media_source_idle(ngx_media_source_t *src,
    int64_t msec);


static uint32_t
ngx_media_source_hash(ngx_str_t *vhost, ngx_str_t *app, ngx_str_t *stream)
{
    uint32_t  hash;

    ngx_crc32_init(hash);
    ngx_crc32_update(&hash, vhost->data, vhost->len);
    ngx_crc32_update(&hash, (u_char *) "\0", 1);
    ngx_crc32_update(&hash, app->data, app->len);
    ngx_crc32_update(&hash, (u_char *) "\0", 1);
    ngx_crc32_update(&hash, stream->data, stream->len);
    ngx_crc32_final(hash);

    return hash;
}


static ngx_uint_t
ngx_media_source_is(ngx_media_source_t *src, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream)
{
    return src->stream_len == stream->len
           && src->app_len == app->len
           && src->vhost_len == vhost->len
           && ngx_memcmp(src->stream, stream->data, stream->len) == 0
           && ngx_memcmp(src->app, app->data, app->len) == 0
           && ngx_memcmp(src->vhost, vhost->data, vhost->len) == 0;
}


/* FNV-1a of this server's id and the names */

void
ngx_media_source_id(u_char *id, const ngx_str_t *vhost, const ngx_str_t *app,
    const ngx_str_t *stream)
{
    size_t            k;
    uint64_t          hash;
    ngx_str_t         service;
    ngx_uint_t        i;
    const ngx_str_t  *part[4];

    static const char  digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

    service.data = ngx_media_arena()->service_id;
    service.len = NGX_MEDIA_ID_LEN;

    part[0] = &service;
    part[1] = vhost;
    part[2] = app;
    part[3] = stream;

    hash = 0xcbf29ce484222325ULL;

    for (i = 0; i < 4; i++) {

        for (k = 0; k < part[i]->len; k++) {
            hash = (hash ^ part[i]->data[k]) * 0x100000001b3ULL;
        }

        hash *= 0x100000001b3ULL;
    }

    hash ^= hash >> 29;

    ngx_memcpy(id, "vid-", 4);

    for (i = 4; i < NGX_MEDIA_SOURCE_ID - 1; i++) {
        id[i] = (u_char) digits[hash % 36];
        hash /= 36;
    }

    id[i] = '\0';
}


ngx_media_source_t *
ngx_media_source_find(ngx_str_t *vhost, ngx_str_t *app, ngx_str_t *stream)
{
    uint32_t             hash, i;
    ngx_media_source_t  *src;

    hash = ngx_media_source_hash(vhost, app, stream);

    i = ngx_media_arena()->buckets[hash % NGX_MEDIA_BUCKETS];

    while (i) {
        src = ngx_media_source_at(i - 1);

        if (src->hash == hash
            && ngx_media_source_is(src, vhost, app, stream))
        {
            return src;
        }

        i = src->next;
    }

    return NULL;
}


ngx_media_source_t *
ngx_media_source_get(ngx_str_t *vhost, ngx_str_t *app, ngx_str_t *stream,
    ngx_uint_t waits)
{
    uint32_t             i, max, generation, *bucket;
    ngx_media_arena_t   *a;
    ngx_media_source_t  *src;

    src = ngx_media_source_find(vhost, app, stream);

    if (src) {
        src->used_msec = ngx_media_msec();
        return src;
    }

    if (vhost->len > NGX_MEDIA_NAME_LEN || app->len > NGX_MEDIA_NAME_LEN
        || stream->len > NGX_MEDIA_NAME_LEN)
    {
        return NULL;
    }

    a = ngx_media_arena();

    /* who asks for many names must not keep others from publishing */

    max = waits ? a->nsources - a->nsources / 4 : a->nsources;

    if (a->sources >= max && ngx_media_source_evict(0) == 0) {
        return NULL;
    }

    src = ngx_media_source_alloc();

    if (src == NULL) {
        return NULL;
    }

    generation = src->generation;

    ngx_memzero(src, sizeof(ngx_media_source_t));

    src->magic = NGX_MEDIA_MAGIC;
    src->generation = generation;
    src->hash = ngx_media_source_hash(vhost, app, stream);
    src->used_msec = ngx_media_msec();
    src->pub_slot = NGX_MEDIA_NO_SLOT;
    src->pub_client = NGX_MEDIA_NONE;

    src->vhost_len = (uint16_t) vhost->len;
    src->app_len = (uint16_t) app->len;
    src->stream_len = (uint16_t) stream->len;

    ngx_memcpy(src->vhost, vhost->data, vhost->len);
    ngx_memcpy(src->app, app->data, app->len);
    ngx_memcpy(src->stream, stream->data, stream->len);

    ngx_media_source_id(src->id, vhost, app, stream);

    ngx_media_ring_init(&src->ring);

    i = ngx_media_source_index(src);
    bucket = &a->buckets[src->hash % NGX_MEDIA_BUCKETS];

    src->next = *bucket;

    /* after a death here the rebuild believes what is marked used */

    __atomic_store_n(&src->used, 1, __ATOMIC_RELEASE);

    *bucket = i + 1;
    a->sources++;

    return src;
}


static ngx_media_source_t *
ngx_media_source_alloc(void)
{
    ngx_media_arena_t   *a;
    ngx_media_source_t  *src;

    a = ngx_media_arena();

    if (a->free_source) {
        src = ngx_media_source_at(a->free_source - 1);
        a->free_source = src->next;
        return src;
    }

    if (a->fresh_source < a->nsources) {
        return ngx_media_source_at(a->fresh_source++);
    }

    return NULL;
}


void
ngx_media_source_leave(ngx_media_source_t *src)
{
    src->left_msec = ngx_media_msec();
    src->used_msec = src->left_msec;

    /* a worker that dies from here on leaves no publisher without an owner */

    __atomic_store_n(&src->epoch, src->epoch + 1, __ATOMIC_SEQ_CST);

    src->pub_slot = NGX_MEDIA_NO_SLOT;
    src->pub_pid = 0;
    src->pub_client = NGX_MEDIA_NONE;
}


static ngx_uint_t
ngx_media_source_unused(ngx_media_source_t *src, int64_t msec)
{
    ngx_uint_t  w;

    if (!src->used || (src->epoch & 1)) {
        return 0;
    }

    for (w = 0; w < NGX_MEDIA_SLOTS / 64; w++) {
        if (__atomic_load_n(&src->slots[w], __ATOMIC_SEQ_CST)
            || __atomic_load_n(&src->watchers[w], __ATOMIC_SEQ_CST))
        {
            return 0;
        }
    }

    /* workers without a slot have no bit, they touch what they use */

    return !ngx_media_arena()->no_slot
           || msec - src->used_msec >= NGX_MEDIA_TOUCHED;
}


static ngx_uint_t
ngx_media_source_idle(ngx_media_source_t *src, int64_t msec)
{
    int64_t  keep;

    if (!ngx_media_source_unused(src, msec)) {
        return 0;
    }

    /* a publisher that comes back in time finds its timeline */

    keep = src->policy.idle_timeout;

    if (src->publishes && keep < (int64_t) src->policy.republish_wait) {
        keep = src->policy.republish_wait;
    }

    /* and viewers what was packed of it */

    if (src->nstores && keep < (int64_t) src->store_keep) {
        keep = src->store_keep;
    }

    return msec - src->used_msec > keep;
}


void
ngx_media_source_janitor(void)
{
    int64_t              msec;
    uint32_t             i;
    ngx_media_arena_t   *a;
    ngx_media_source_t  *src;

    a = ngx_media_arena();
    msec = ngx_media_msec();

    for (i = 0; i < a->fresh_source; i++) {
        src = ngx_media_source_at(i);

        if (!ngx_media_source_idle(src, msec)) {
            continue;
        }

        ngx_media_lock();

        if (!ngx_media_source_idle(src, msec)) {
            ngx_media_unlock();
            continue;
        }

        /* out of the table first: nobody finds it any more */

        ngx_media_source_free(src);
        ngx_media_unlock();
    }
}


/*
 * What is kept for a publisher or player that may come back is worth less
 * than one that is here.  Each worker goes round the table, so that what was
 * kept for the shortest time has the best chance to stay.
 */

ngx_uint_t
ngx_media_source_evict(ngx_uint_t chunks)
{
    int64_t              msec;
    uint32_t             i, n;
    ngx_uint_t           freed;
    ngx_media_arena_t   *a;
    ngx_media_source_t  *src;
    static uint32_t      hand;

    a = ngx_media_arena();
    msec = ngx_media_msec();
    n = a->fresh_source;
    freed = 0;

    for (i = 0; i < n && freed < NGX_MEDIA_EVICT; i++) {

        hand = (hand + 1 < n) ? hand + 1 : 0;
        src = ngx_media_source_at(hand);

        if (!ngx_media_source_unused(src, msec)
            || (chunks && src->publishes == 0))
        {
            continue;
        }

        ngx_media_source_free(src);
        freed++;
    }

    return freed;
}


uint32_t
ngx_media_sources_live(void)
{
    uint32_t             i, n;
    ngx_media_arena_t   *a;
    ngx_media_source_t  *src;

    a = ngx_media_arena();
    n = 0;

    for (i = 0; i < a->fresh_source; i++) {
        src = ngx_media_source_at(i);
        n += src->used && ngx_media_source_live(src);
    }

    return n;
}


static void
ngx_media_source_free(ngx_media_source_t *src)
{
    uint32_t           i, *prev;
    ngx_media_arena_t  *a;

    a = ngx_media_arena();
    i = ngx_media_source_index(src) + 1;

    prev = &a->buckets[src->hash % NGX_MEDIA_BUCKETS];

    while (*prev && *prev != i) {
        prev = &ngx_media_source_at(*prev - 1)->next;
    }

    if (*prev == i) {
        *prev = src->next;
    }

    __atomic_store_n(&src->generation, src->generation + 1, __ATOMIC_SEQ_CST);

    ngx_media_source_release(src);

    src->used = 0;
    src->next = a->free_source;
    a->free_source = i;
    a->sources--;
}


/* all chunks go back; the lock is held, so not through chunk_put() */

static void
ngx_media_source_release(ngx_media_source_t *src)
{
    uint32_t           *next, *table, n;
    ngx_uint_t          i, total;
    ngx_media_arena_t  *a;

    a = ngx_media_arena();
    next = (uint32_t *) ((u_char *) a + a->off_next);

    /* readers that are still copying see it and throw their copy away */

    __atomic_store_n(&src->ring.tail, src->ring.head, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    if (src->publishes == 0) {
        return;
    }

    ngx_media_store_release(src);

    total = NGX_MEDIA_RING_DATA + NGX_MEDIA_RING_INDEX + 1;

    for (i = 0; i < total; i++) {

        if (i < NGX_MEDIA_RING_DATA) {
            table = &src->ring.data[i];

        } else if (i < NGX_MEDIA_RING_DATA + NGX_MEDIA_RING_INDEX) {
            table = &src->ring.index[i - NGX_MEDIA_RING_DATA];

        } else {
            table = &src->heads.chunk;
        }

        n = *table;

        if (n == 0 || n > a->nchunks) {
            continue;
        }

        *table = 0;
        next[n - 1] = a->free_chunk;
        a->free_chunk = n;
        a->free_chunks++;
    }
}


void
ngx_media_source_rebuild(void)
{
    uint32_t             i, *bucket;
    ngx_media_arena_t   *a;
    ngx_media_source_t  *src;

    a = ngx_media_arena();

    ngx_memzero(a->buckets, sizeof(a->buckets));

    a->free_source = 0;
    a->sources = 0;

    for (i = a->fresh_source; i > 0; i--) {
        src = ngx_media_source_at(i - 1);

        if (!src->used) {
            src->next = a->free_source;
            a->free_source = i;
            continue;
        }

        bucket = &a->buckets[src->hash % NGX_MEDIA_BUCKETS];
        src->next = *bucket;
        *bucket = i;
        a->sources++;
    }
}
