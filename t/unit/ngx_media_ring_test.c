
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of the ring: what is read is what was written, history and
 * budget, writers that died in between, readers that are lapped, and a
 * stress of one writer thread against readers, two rings on one small pool,
 * which runs under ThreadSanitizer too.
 *
 * The payload of a frame follows from its ring and number, so a reader can
 * tell a torn copy from a good one.
 */


#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "ngx_media_ring.h"
#include "ngx_media_test.h"


#define MS  1000

#if defined(__SANITIZE_THREAD__)
#define THREADS_ONLY  1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREADS_ONLY  1
#endif
#endif

/* ThreadSanitizer is slow, and one thread alone tells it nothing */

#ifndef THREADS_ONLY
#define THREADS_ONLY  0
#endif


typedef struct {
    u_char            *base;
    uint32_t           nchunks;
    uint32_t           nfree;
    uint32_t           bad;         /* given back though not taken */
    uint32_t          *list;
    u_char            *taken;
    uint32_t           refuse;      /* get() says no */
} pool_t;


typedef struct {
    pool_t                    pool;
    ngx_media_ring_t         *ring;
    ngx_media_ring_writer_t   w;
} fixture_t;


static u_char  payload[4 * 1024 * 1024];
static u_char  copied[4 * 1024 * 1024];


static void
pool_init(pool_t *pool, uint32_t n)
{
    uint32_t  i;

    memset(pool, 0, sizeof(pool_t));

    pool->base = malloc((size_t) n * NGX_MEDIA_CHUNK_SIZE);
    pool->list = calloc(n + 1, sizeof(uint32_t));
    pool->taken = calloc(n + 1, 1);
    pool->nchunks = n;

    if (pool->base == NULL || pool->list == NULL || pool->taken == NULL) {
        abort();
    }

    memset(pool->base, 0xa5, (size_t) n * NGX_MEDIA_CHUNK_SIZE);

    for (i = 0; i < n; i++) {
        pool->list[pool->nfree++] = n - i;
    }
}


static void
pool_done(pool_t *pool)
{
    free(pool->base);
    free(pool->list);
    free(pool->taken);
}


static int
pool_get(void *ctx, uint32_t *entry)
{
    uint32_t  n;
    pool_t   *pool = ctx;

    if (pool->nfree == 0 || pool->refuse) {
        return NGX_MEDIA_DECLINED;
    }

    n = pool->list[--pool->nfree];
    pool->taken[n] = 1;
    __atomic_store_n(entry, n, __ATOMIC_RELEASE);

    return NGX_MEDIA_OK;
}


static void
pool_put(void *ctx, uint32_t *entry)
{
    pool_t   *pool = ctx;
    uint32_t  n = *entry;

    if (n == 0 || n > pool->nchunks || !pool->taken[n]) {
        pool->bad++;
        return;
    }

    pool->taken[n] = 0;
    __atomic_store_n(entry, 0, __ATOMIC_RELEASE);
    pool->list[pool->nfree++] = n;
}


static void
writer_init(ngx_media_ring_writer_t *w, ngx_media_ring_t *ring, pool_t *pool,
    uint32_t max, int64_t history)
{
    memset(w, 0, sizeof(ngx_media_ring_writer_t));

    w->ring = ring;
    w->chunks.base = pool->base;
    w->chunks.nchunks = pool->nchunks;
    w->max = max;
    w->history = history;
    w->get = pool_get;
    w->put = pool_put;
    w->ctx = pool;

    ngx_media_ring_attach(w);
}


static void
setup(fixture_t *t, uint32_t nchunks, uint32_t max, int64_t history)
{
    pool_init(&t->pool, nchunks);

    t->ring = malloc(sizeof(ngx_media_ring_t));

    if (t->ring == NULL) {
        abort();
    }

    ngx_media_ring_init(t->ring);
    writer_init(&t->w, t->ring, &t->pool, max, history);
}


static void
teardown(fixture_t *t)
{
    free(t->ring);
    pool_done(&t->pool);
}


static uint32_t
table_count(const ngx_media_ring_t *ring)
{
    uint32_t  i, n;

    n = 0;

    for (i = 0; i < NGX_MEDIA_RING_DATA; i++) {
        n += ring->data[i] != 0;
    }

    for (i = 0; i < NGX_MEDIA_RING_INDEX; i++) {
        n += ring->index[i] != 0;
    }

    return n;
}


static uint64_t
mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;

    return x ^ (x >> 31);
}


/* bytes of frame seq of ring id */

static void
fill(u_char *p, uint32_t size, uint64_t id, uint64_t seq)
{
    uint32_t  i;
    uint64_t  x;

    x = mix(seq * 3 + id);

    for (i = 0; i < size; i++) {
        p[i] = (u_char) (x >> (8 * (i & 7))) ^ (u_char) (i >> 3);
    }
}


static int
intact(const u_char *p, uint32_t size, uint64_t id, uint64_t seq)
{
    uint32_t  i;
    uint64_t  x;

    x = mix(seq * 3 + id);

    for (i = 0; i < size; i++) {
        if (p[i] != ((u_char) (x >> (8 * (i & 7))) ^ (u_char) (i >> 3))) {
            return 0;
        }
    }

    return 1;
}


static int
append(ngx_media_ring_writer_t *w, uint32_t size, int64_t dts, int key)
{
    ngx_media_frame_t  f;

    fill(payload, size, 0, w->ring->head);

    memset(&f, 0, sizeof(f));

    f.dts = dts;
    f.cts = (int32_t) (dts % 100);
    f.size = size;
    f.flags = key ? NGX_MEDIA_FRAME_KEY|NGX_MEDIA_FRAME_SYNC : 0;
    f.track = (uint8_t) (w->ring->head % 3);
    f.codec = NGX_MEDIA_CODEC_H264;
    f.aux = (uint8_t) w->ring->head;
    f.data = payload;

    return ngx_media_ring_append(w, &f, dts + 7);
}


/* OK where frame seq is there and is what append() wrote */

static int
check(ngx_media_ring_writer_t *w, uint64_t seq)
{
    int               rc;
    ngx_media_desc_t  desc;

    rc = ngx_media_ring_peek(w->ring, &w->chunks, seq, &desc);

    if (rc != NGX_MEDIA_OK) {
        return rc;
    }

    if (desc.seq != seq || desc.size > sizeof(copied)
        || desc.time != desc.dts + 7 || desc.cts != desc.dts % 100
        || desc.track != seq % 3 || desc.aux != (uint8_t) seq
        || desc.codec != NGX_MEDIA_CODEC_H264)
    {
        return NGX_MEDIA_ERROR;
    }

    rc = ngx_media_ring_copy(w->ring, &w->chunks, &desc, copied);

    if (rc != NGX_MEDIA_OK) {
        return rc;
    }

    return intact(copied, desc.size, 0, seq) ? NGX_MEDIA_OK : NGX_MEDIA_ERROR;
}


/* number of frames from first up to head that are good */

static uint64_t
check_from(ngx_media_ring_writer_t *w, uint64_t first)
{
    uint64_t  seq, n;

    n = 0;

    for (seq = first; seq < w->ring->head; seq++) {
        n += check(w, seq) == NGX_MEDIA_OK;
    }

    return n;
}


/* --- one thread --------------------------------------------------------- */

static void
test_basics(void)
{
    fixture_t         t;
    ngx_media_desc_t  desc;

    setup(&t, 8, 8, 1000 * MS);

    ok(ngx_media_ring_peek(t.ring, &t.w.chunks, 0, &desc) == NGX_MEDIA_AGAIN,
       "an empty ring has nothing");
    ok(t.ring->key == NGX_MEDIA_SEQ_NONE && t.w.used == 0, "and takes none");

    ok(append(&t.w, 100, 0, 1) == NGX_MEDIA_OK, "append");
    ok(append(&t.w, 0, 40 * MS, 0) == NGX_MEDIA_OK, "append of no bytes");
    ok(append(&t.w, 1, 80 * MS, 0) == NGX_MEDIA_OK, "append of one");
    ok(check_from(&t.w, 0) == 3, "all of them are read");
    ok(check(&t.w, 3) == NGX_MEDIA_AGAIN, "the next one is not there yet");
    ok(t.ring->key == 0, "the key");

    ngx_media_ring_peek(t.ring, &t.w.chunks, 2, &desc);
    ok(desc.key == 0, "a frame knows its key");

    append(&t.w, 5, 120 * MS, 1);
    ngx_media_ring_peek(t.ring, &t.w.chunks, 3, &desc);
    ok(t.ring->key == 3 && desc.key == 3, "the next key");
    ok(t.w.used == 2 && t.pool.nfree == 6, "a chunk of each log");

    teardown(&t);
}


static void
test_borders(void)
{
    int              good;
    uint32_t         i;
    uint32_t         sizes[] = { 65535, 1, 1, 65536, 65535, 3, 131072, 65534,
                                 200000, 65536, 0, 65536, 4, 65532, 0, 1 };
    fixture_t        t;

    setup(&t, 64, 64, 1000000 * MS);

    good = 1;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        good &= append(&t.w, sizes[i], i * 10 * MS, i == 0) == NGX_MEDIA_OK;
    }

    ok(good, "frames at chunk borders");
    ok(check_from(&t.w, 0) == i, "they are read");

    /* descriptors over the border of their chunk */

    while (t.ring->head < 2100) {
        good &= append(&t.w, 3, t.ring->head * 10 * MS, 0) == NGX_MEDIA_OK;
    }

    ok(good && check_from(&t.w, 0) == 2100, "descriptors at chunk borders");
    ok(t.w.used == table_count(t.ring)
       && t.w.used == t.pool.nchunks - t.pool.nfree, "chunks are accounted");

    teardown(&t);
}


static void
test_history(void)
{
    int       kept, gop, bound;
    int64_t   dts;
    uint64_t  seq, want;
    fixture_t t;

    /* 1 s of history, a key every 2 s, 10 KB a frame: 390 KB a second */

    setup(&t, 1000, 1000, 1000 * MS);

    kept = 1;
    gop = 1;
    bound = 1;

    for (seq = 0; seq < 2000; seq++) {
        dts = seq * 40 * MS;
        append(&t.w, 10000, dts, seq % 50 == 0);

        want = seq > 25 ? seq - 24 : 0;
        kept &= t.ring->tail <= want;
        gop &= t.ring->key == seq - seq % 50 && t.ring->tail <= t.ring->key;
        bound &= t.w.used <= 16;
    }

    ok(kept, "history is kept");
    ok(gop, "and the last GOP whole");
    ok(bound, "and not much more");
    ok(check_from(&t.w, t.ring->tail) == t.ring->head - t.ring->tail,
       "all that is kept is good");
    ok(check(&t.w, t.ring->tail - 1) == NGX_MEDIA_LOST, "what is not is lost");

    /* a GOP longer than history stays */

    seq = t.ring->head;
    append(&t.w, 10000, seq * 40 * MS, 1);

    for (kept = 1; t.ring->head < seq + 500; ) {
        append(&t.w, 10000, t.ring->head * 40 * MS, 0);
        kept &= check(&t.w, seq) == NGX_MEDIA_OK;
    }

    ok(kept && t.ring->key == seq, "a long GOP is kept");

    teardown(&t);
}


static void
test_budget(void)
{
    int       good, bound;
    uint32_t  i;
    uint64_t  head;
    fixture_t t;

    setup(&t, 100, 16, 1000000 * MS);

    good = 1;
    bound = 1;

    for (i = 0; i < 5000; i++) {
        good &= append(&t.w, (uint32_t) (mix(i) % 30000), i * MS, i == 0)
                == NGX_MEDIA_OK;
        bound &= t.w.used <= 16 && t.pool.nfree >= 84;
    }

    ok(good && bound, "the budget holds, whatever history wants");
    ok(t.ring->key == NGX_MEDIA_SEQ_NONE, "a key that had to go is no key");
    ok(check_from(&t.w, t.ring->tail) == t.ring->head - t.ring->tail
       && t.ring->head - t.ring->tail > 20, "what is left is good");

    head = t.ring->head;
    ok(append(&t.w, 15 * NGX_MEDIA_CHUNK_SIZE, 0, 0) == NGX_MEDIA_ERROR
       && t.ring->head == head, "a frame larger than the budget");
    ok(append(&t.w, 14 * NGX_MEDIA_CHUNK_SIZE - 1, 0, 0) == NGX_MEDIA_OK
       && check(&t.w, head) == NGX_MEDIA_OK, "one as large as it");
    ok(append(&t.w, 10, 0, 0) == NGX_MEDIA_OK
       && check(&t.w, head + 1) == NGX_MEDIA_OK, "and one after it");
    ok(t.w.used == table_count(t.ring) && t.w.used <= 16
       && t.pool.bad == 0, "chunks are accounted");

    teardown(&t);
}


static void
test_empty_pool(void)
{
    uint32_t   used;
    uint64_t   head;
    fixture_t  t;

    /* ten chunks, and a budget that is larger */

    setup(&t, 10, 20, 1000000 * MS);

    t.pool.refuse = 1;
    ok(append(&t.w, 10, 0, 1) == NGX_MEDIA_DECLINED && t.ring->head == 0
       && t.ring->head_pos == 0, "no chunk at all");
    t.pool.refuse = 0;

    while (t.ring->head < 200
           && append(&t.w, 20000, t.ring->head * MS, 0) == NGX_MEDIA_OK)
    {
        /* void */
    }

    ok(t.ring->head == 200 && t.w.used <= 10,
       "without a free chunk the own history pays");
    ok(check_from(&t.w, t.ring->tail) == t.ring->head - t.ring->tail,
       "what is left is good");

    /* a frame that takes a part of what it needs and then gives up */

    head = t.ring->head;
    t.pool.refuse = 1;
    used = t.w.used;
    ok(append(&t.w, 400000, 0, 0) == NGX_MEDIA_DECLINED
       && t.ring->head == head, "too much for what is left");
    ok(t.w.used == table_count(t.ring) && t.w.used <= used
       && t.pool.nfree + t.w.used == 10, "what was taken is accounted");

    t.pool.refuse = 0;
    ok(append(&t.w, 400000, 0, 0) == NGX_MEDIA_OK
       && check(&t.w, head) == NGX_MEDIA_OK, "and now there is room");

    teardown(&t);
}


/* a clock that goes back an hour: what is ahead of it now is history too */

static void
test_clock_back(void)
{
    uint32_t   most;
    int64_t    dts;
    fixture_t  t;

    setup(&t, 1000, 1000, 1000 * MS);

    most = 0;

    while (t.ring->head < 3000) {
        dts = (int64_t) t.ring->head * 40 * MS;

        if (t.ring->head >= 1000) {
            dts -= 3600ll * 1000 * MS;
        }

        append(&t.w, 10000, dts, t.ring->head % 25 == 0);

        most = t.w.used > most ? t.w.used : most;
    }

    ok(most <= 16, "a clock that goes back leaves no history, %u chunks",
       most);
    ok(t.ring->head - t.ring->tail >= 25
       && check_from(&t.w, t.ring->tail) == t.ring->head - t.ring->tail,
       "what is kept is good");

    teardown(&t);
}


static void
test_limit(void)
{
    uint32_t   n, nfree;
    uint64_t   head;
    fixture_t  t;

    setup(&t, 100, 100, 1000000 * MS);

    while (t.ring->head < 200) {
        append(&t.w, 20000, t.ring->head * MS, t.ring->head == 0);
    }

    nfree = t.pool.nfree;
    n = ngx_media_ring_limit(&t.w, 20);

    ok(n > 40 && t.w.used <= 20 && t.pool.nfree == nfree + n
       && t.w.used == table_count(t.ring), "a smaller budget: %u come back",
       n);
    ok(t.ring->head - t.ring->tail > 40
       && check_from(&t.w, t.ring->tail) == t.ring->head - t.ring->tail,
       "what is left is good");
    ok(ngx_media_ring_limit(&t.w, 50) == 0, "a larger one takes nothing");

    head = t.ring->head;
    (void) ngx_media_ring_limit(&t.w, 0);
    ok(t.w.used <= 4 && append(&t.w, 100000, 0, 1) == NGX_MEDIA_OK
       && check(&t.w, head) == NGX_MEDIA_OK && t.w.used <= 4,
       "the smallest one still takes a frame");
    ok(t.pool.bad == 0, "nothing is given back twice");

    teardown(&t);
}


static void
test_prepare(void)
{
    uint32_t   used;
    fixture_t  t;

    setup(&t, 10, 8, 1000000 * MS);

    ok(ngx_media_ring_prepare(&t.w, NGX_MEDIA_CHUNK_SIZE) == NGX_MEDIA_OK
       && t.w.used == 2 && t.ring->head == 0, "chunks are taken before");
    ok(ngx_media_ring_prepare(&t.w, NGX_MEDIA_CHUNK_SIZE) == NGX_MEDIA_OK
       && t.w.used == 2, "once");

    t.pool.refuse = 1;
    ok(append(&t.w, NGX_MEDIA_CHUNK_SIZE, 0, 1) == NGX_MEDIA_OK
       && check(&t.w, 0) == NGX_MEDIA_OK, "and are there for the frame");
    ok(ngx_media_ring_prepare(&t.w, 1) == NGX_MEDIA_DECLINED
       && check(&t.w, 0) == NGX_MEDIA_OK, "history is not given up for it");
    t.pool.refuse = 0;

    used = t.w.used;
    ok(ngx_media_ring_prepare(&t.w, 7 * NGX_MEDIA_CHUNK_SIZE)
       == NGX_MEDIA_ERROR
       && ngx_media_ring_prepare(&t.w, 6 * NGX_MEDIA_CHUNK_SIZE + 1)
          != NGX_MEDIA_OK && t.w.used == used, "nor is the budget");

    teardown(&t);
}


static void
test_shrink(void)
{
    uint32_t   n, nfree;
    fixture_t  t;

    setup(&t, 100, 100, 1000000 * MS);

    ok(ngx_media_ring_shrink(&t.w, 0) == 0
       && ngx_media_ring_shrink(&t.w, 1) == 0, "nothing to shrink");

    while (t.ring->head < 100) {
        append(&t.w, 20000, t.ring->head * MS, t.ring->head == 70);
    }

    nfree = t.pool.nfree;
    n = ngx_media_ring_shrink(&t.w, 0);
    ok(n == 70 * 20000 / NGX_MEDIA_CHUNK_SIZE && t.pool.nfree == nfree + n
       && t.w.used == table_count(t.ring), "soft: %d chunks come back", n);
    ok(t.ring->tail == 70 && t.ring->key == 70 && check_from(&t.w, 70) == 30,
       "the last GOP stays");
    ok(ngx_media_ring_shrink(&t.w, 0) == 0, "twice is no more");

    n = ngx_media_ring_shrink(&t.w, 1);
    ok(n > 0 && t.w.used <= 2 && t.ring->tail == 100
       && t.ring->key == NGX_MEDIA_SEQ_NONE, "hard: all of it");
    ok(append(&t.w, 20000, 0, 1) == NGX_MEDIA_OK
       && check(&t.w, 100) == NGX_MEDIA_OK && check(&t.w, 99)
       == NGX_MEDIA_LOST, "and it goes on");
    ok(t.pool.bad == 0, "nothing is given back twice");

    teardown(&t);
}


/* what a writer leaves that dies between two stores */

static void
test_takeover(void)
{
    uint32_t                 i, before;
    uint64_t                 head;
    fixture_t                t;
    ngx_media_ring_writer_t  w;

    setup(&t, 100, 60, 100 * MS);

    while (t.ring->head < 300) {
        append(&t.w, 9000, t.ring->head * MS, t.ring->head % 100 == 0);
    }

    /* chunks were taken for a frame, some bytes of it were written */

    head = t.ring->head;

    for (i = 1; i <= 3; i++) {
        pool_get(&t.pool, &t.ring->data[(t.ring->head_pos
                                         / NGX_MEDIA_CHUNK_SIZE + i)
                                        % NGX_MEDIA_RING_DATA]);
    }

    writer_init(&w, t.ring, &t.pool, 60, 100 * MS);

    ok(w.used == table_count(t.ring)
       && w.used == 100 - t.pool.nfree, "taken chunks are counted");
    ok(append(&w, 150000, 300 * MS, 0) == NGX_MEDIA_OK
       && check(&w, head) == NGX_MEDIA_OK && w.used == table_count(t.ring),
       "the next writer uses them");

    /* bytes and descriptor are there, head_pos was stored, head was not */

    t.ring->head_pos += 12345;
    t.ring->key = t.ring->head;
    head = t.ring->head;

    writer_init(&w, t.ring, &t.pool, 60, 100 * MS);
    w.ring->key = NGX_MEDIA_SEQ_NONE;

    ok(append(&w, 70000, 301 * MS, 0) == NGX_MEDIA_OK
       && check(&w, head) == NGX_MEDIA_OK
       && check(&w, head - 1) == NGX_MEDIA_OK, "a gap of bytes");

    /* the tail moved, its chunks were not given back */

    before = 100 - t.pool.nfree;
    t.ring->tail = head;
    writer_init(&w, t.ring, &t.pool, 60, 100 * MS);
    ok(w.used == before, "chunks before the tail are counted");

    while (t.ring->head < 6000) {
        if (append(&w, 30000, t.ring->head * MS, t.ring->head % 100 == 0)
            != NGX_MEDIA_OK
            || check(&w, t.ring->head - 1) != NGX_MEDIA_OK)
        {
            break;
        }
    }

    ok(t.ring->head == 6000 && w.used <= 60, "and it goes on");

    ngx_media_ring_shrink(&w, 1);
    ok(w.used == table_count(t.ring) && w.used == 100 - t.pool.nfree
       && w.used <= 2 && t.pool.bad == 0, "nothing leaks for ever: %d left",
       w.used);

    teardown(&t);
}


static void
test_lost(void)
{
    fixture_t         t;
    ngx_media_desc_t  desc;

    setup(&t, 20, 8, 1000000 * MS);

    append(&t.w, 1000, 0, 1);
    ngx_media_ring_peek(t.ring, &t.w.chunks, 0, &desc);

    ok(ngx_media_ring_copy(t.ring, &t.w.chunks, &desc, copied)
       == NGX_MEDIA_OK, "in time");

    while (t.ring->head < 1000) {
        append(&t.w, 10000, 0, 0);
    }

    ok(ngx_media_ring_copy(t.ring, &t.w.chunks, &desc, copied)
       == NGX_MEDIA_LOST, "a descriptor of the past");
    ok(check(&t.w, 0) == NGX_MEDIA_LOST, "a lapped reader is told");
    ok(check(&t.w, t.ring->tail - 1) == NGX_MEDIA_LOST
       && check(&t.w, t.ring->tail) == NGX_MEDIA_OK, "up to the tail");

    teardown(&t);
}


/* more frames than the table of descriptors holds, none of them a key */

static void
test_index_wrap(void)
{
    int        good;
    uint64_t   first;
    fixture_t  t;

    setup(&t, 400, 400, 1000000000ll * MS);

    good = 1;

    while (t.ring->head < 140000) {
        good &= append(&t.w, 16, t.ring->head * MS, t.ring->head == 0)
                == NGX_MEDIA_OK
                && t.ring->head - t.ring->tail
                   <= (NGX_MEDIA_RING_INDEX << NGX_MEDIA_DESC_SHIFT);
    }

    ok(good, "the table of descriptors does not run over");

    first = t.ring->tail;
    ok(t.ring->head - first > 60000
       && check_from(&t.w, first) == t.ring->head - first,
       "it is used up to its end, %d frames", (int) (t.ring->head - first));
    ok(t.w.used == table_count(t.ring) && t.pool.bad == 0,
       "chunks are accounted");

    teardown(&t);
}


static void
test_random(void)
{
    int        rc, good, again;
    uint32_t   size;
    uint64_t   x, read, lost, seq;
    fixture_t  t;

    setup(&t, 40, 32, 300 * MS);

    good = 1;
    again = 0;
    read = 0;
    lost = 0;
    seq = 0;

    while (t.ring->head < 100000) {
        x = mix(t.ring->head + 12345);
        size = (uint32_t) (x % 1500);

        if (x % 997 == 0) {
            size = (uint32_t) (x >> 20) % 300000;
        }

        good &= append(&t.w, size, t.ring->head * 5 * MS, x % 200 == 0)
                == NGX_MEDIA_OK;

        if (x % 1000 == 0) {
            ngx_media_ring_shrink(&t.w, x % 3000 == 0);
        }

        if (x % 20000 == 1) {
            writer_init(&t.w, t.ring, &t.pool, 32, 300 * MS);
        }

        /* a reader that sleeps now and then */

        while (x % 3 == 0) {
            rc = check(&t.w, seq);

            if (rc == NGX_MEDIA_AGAIN) {
                again++;
                break;
            }

            good &= rc == NGX_MEDIA_OK || rc == NGX_MEDIA_LOST;

            if (rc == NGX_MEDIA_LOST) {
                lost += t.ring->tail - seq;
                seq = t.ring->tail;
                continue;
            }

            read++;
            seq++;
        }
    }

    ok(good && t.pool.bad == 0, "random frames, all good");
    ok(read + lost == seq && read > 80000,
       "%d read, %d given up with history", (int) read, (int) lost);
    ok(t.w.used == table_count(t.ring)
       && t.w.used == t.pool.nchunks - t.pool.nfree, "chunks are accounted");

    teardown(&t);
}


/* --- threads ------------------------------------------------------------ */

#define STRESS_RINGS    2
#define STRESS_READERS  3
#define STRESS_MS       1500


static pool_t                   stress_pool;
static ngx_media_ring_t        *stress_ring[STRESS_RINGS];
static ngx_media_ring_writer_t  stress_writer[STRESS_RINGS];
static int                      stress_stop;


typedef struct {
    int        id;
    uint64_t   good;
    uint64_t   lost;
    uint64_t   torn;
    u_char     buf[200000];
} reader_t;


static int64_t
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static uint32_t
stress_size(uint64_t id, uint64_t seq)
{
    uint64_t  x;

    x = mix(seq * 7 + id);

    return x % 20 ? (uint32_t) (x >> 8) % 300 : (uint32_t) (x >> 8) % 40000;
}


static void *
stress_write(void *data)
{
    uint64_t           n, seq, id;
    ngx_media_frame_t  f;

    for (n = 0; !__atomic_load_n(&stress_stop, __ATOMIC_RELAXED); n++) {

        id = n / 100 % STRESS_RINGS;
        seq = stress_ring[id]->head;

        memset(&f, 0, sizeof(f));
        f.size = stress_size(id, seq);
        f.dts = (int64_t) seq * MS;
        f.flags = seq % 20 == 0 ? NGX_MEDIA_FRAME_SYNC : 0;
        f.data = payload;

        fill(payload, f.size, id, seq);

        if (ngx_media_ring_append(&stress_writer[id], &f, 0)
            != NGX_MEDIA_OK)
        {
            ngx_media_ring_shrink(&stress_writer[!id], 1);
        }
    }

    (void) data;

    return NULL;
}


/*
 * One reads all it can, one stands at the tail, where the writer frees, one
 * at the head.
 */

static void *
stress_read(void *data)
{
    int                 id, rc;
    uint64_t            seq[STRESS_RINGS];
    reader_t           *r = data;
    ngx_media_desc_t    desc;
    ngx_media_chunks_t  chunks;

    chunks = stress_writer[0].chunks;
    memset(seq, 0, sizeof(seq));

    for (id = 0; !__atomic_load_n(&stress_stop, __ATOMIC_RELAXED); id = !id) {

        if (r->id == 1) {
            seq[id] = ngx_media_ring_load(&stress_ring[id]->tail);

        } else if (r->id == 2) {
            seq[id] = ngx_media_ring_load(&stress_ring[id]->head);
            seq[id] -= seq[id] != 0;
        }

        rc = ngx_media_ring_peek(stress_ring[id], &chunks, seq[id], &desc);

        if (rc == NGX_MEDIA_OK) {

            if (desc.seq != seq[id] || desc.size != stress_size(id, seq[id])
                || desc.dts != (int64_t) seq[id] * MS)
            {
                r->torn++;
                continue;
            }

            rc = ngx_media_ring_copy(stress_ring[id], &chunks, &desc, r->buf);

            if (rc == NGX_MEDIA_OK) {
                r->good++;
                r->torn += !intact(r->buf, desc.size, id, seq[id]);
                seq[id]++;
            }
        }

        if (rc == NGX_MEDIA_LOST) {
            r->lost++;
            seq[id] = ngx_media_ring_load(&stress_ring[id]->tail);
        }
    }

    return NULL;
}


static void
test_stress(void)
{
    int               i;
    int64_t           end;
    uint64_t          good, lost, torn;
    pthread_t         writer, readers[STRESS_READERS];
    static reader_t   r[STRESS_READERS];

    /* what one ring gives back the other one writes over at once */

    pool_init(&stress_pool, 16);

    for (i = 0; i < STRESS_RINGS; i++) {
        stress_ring[i] = malloc(sizeof(ngx_media_ring_t));

        if (stress_ring[i] == NULL) {
            abort();
        }

        ngx_media_ring_init(stress_ring[i]);
        writer_init(&stress_writer[i], stress_ring[i], &stress_pool, 9,
                    10 * MS);
    }

    pthread_create(&writer, NULL, stress_write, NULL);

    for (i = 0; i < STRESS_READERS; i++) {
        r[i].id = i;
        pthread_create(&readers[i], NULL, stress_read, &r[i]);
    }

    /* as long as it takes on a busy machine, up to 20 s */

    end = now_ms();

    do {
        usleep(STRESS_MS * 1000 / 10);

    } while (now_ms() - end < STRESS_MS
             || (now_ms() - end < 20000
                 && __atomic_load_n(&stress_ring[1]->tail, __ATOMIC_RELAXED)
                    < 500));

    __atomic_store_n(&stress_stop, 1, __ATOMIC_RELAXED);

    pthread_join(writer, NULL);

    good = lost = torn = 0;

    for (i = 0; i < STRESS_READERS; i++) {
        pthread_join(readers[i], NULL);
        good += r[i].good;
        lost += r[i].lost;
        torn += r[i].torn;
    }

    ok(torn == 0, "no torn frame was taken for a good one");
    ok(good > 1000, "%lu frames were read", (unsigned long) good);
    ok(stress_ring[1]->tail >= 500, "the writer went round, %lu frames, "
       "%lu lost reads", (unsigned long) (stress_ring[0]->head
                                          + stress_ring[1]->head),
       (unsigned long) lost);
    ok(stress_pool.bad == 0
       && stress_pool.nfree + table_count(stress_ring[0])
          + table_count(stress_ring[1]) == stress_pool.nchunks,
       "chunks are accounted");

    free(stress_ring[0]);
    free(stress_ring[1]);
    pool_done(&stress_pool);
}


int
main(void)
{
    test_basics();
    test_borders();
    test_takeover();
    test_lost();

    if (!THREADS_ONLY) {
        test_history();
        test_budget();
        test_empty_pool();
        test_clock_back();
        test_limit();
        test_prepare();
        test_shrink();
        test_index_wrap();
        test_random();
    }

    test_stress();

    return done_testing();
}
