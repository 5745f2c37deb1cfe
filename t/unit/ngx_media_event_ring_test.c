
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of the ring of events: records of all sizes come back as they
 * were, also over its end; what is too old is lost, and the oldest one that
 * is kept is known; a writer that died in the middle leaves no trace; readers
 * that are lapped by a writer never take a torn record for a good one.
 *
 * That readers look at bytes which are being written is what the ring is made
 * for, so ThreadSanitizer has nothing to say about it.
 */


#include <pthread.h>

#include "ngx_media_event_ring.h"
#include "ngx_media_test.h"


#define SIZES  5000
#define DEATH  2000


static ngx_media_event_ring_t  ring;
static u_char                  record[NGX_MEDIA_EVENT_RECORD_MAX + 1];
static u_char                  got[NGX_MEDIA_EVENT_RECORD_MAX];


/* the bytes of a record follow from its number */

static void
make(uint64_t number, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        record[i] = (u_char) (number * 31 + i);
    }
}


static size_t
size_of(uint64_t number)
{
    return 1 + (size_t) (number * 977 % NGX_MEDIA_EVENT_RECORD_MAX);
}


static int
good(uint64_t number, size_t size)
{
    size_t  n;

    make(number, size);

    return ngx_media_event_ring_get(&ring, number, got, &n) == NGX_MEDIA_OK
           && n == size && memcmp(got, record, n) == 0;
}


static void
test_empty(void)
{
    size_t  n;

    memset(&ring, 0, sizeof(ring));

    ok(ngx_media_event_ring_head(&ring) == 0, "nothing yet");
    ok(ngx_media_event_ring_oldest(&ring) == 1, "the first is still to come");
    ok(ngx_media_event_ring_get(&ring, 1, got, &n) == NGX_MEDIA_AGAIN,
       "not written yet");
    ok(ngx_media_event_ring_get(&ring, 0, got, &n) == NGX_MEDIA_EVENT_LOST,
       "there is no number 0");
    ok(ngx_media_event_ring_put(&ring, record, 0) == 0, "empty record");
    ok(ngx_media_event_ring_put(&ring, record, sizeof(record)) == 0,
       "record that is too long");
    ok(ngx_media_event_ring_head(&ring) == 0, "nothing was written");
}


static void
test_sizes(void)
{
    int       bad, torn;
    size_t    n;
    uint64_t  i, k, oldest;

    memset(&ring, 0, sizeof(ring));

    bad = 0;
    torn = 0;

    for (i = 1; i <= SIZES; i++) {

        make(i, size_of(i));
        bad += (ngx_media_event_ring_put(&ring, record, size_of(i)) != i);

        oldest = ngx_media_event_ring_oldest(&ring);

        for (k = oldest; k <= i && i % 100 == 0; k++) {
            torn += !good(k, size_of(k));
        }

        if (oldest > 1) {
            bad += (ngx_media_event_ring_get(&ring, oldest - 1, got, &n)
                    != NGX_MEDIA_EVENT_LOST);
        }
    }

    ok(bad == 0, "numbers, and what is lost: %d", bad);
    ok(torn == 0, "records come back as they were: %d", torn);
    ok(ngx_media_event_ring_oldest(&ring) > 1, "old ones have gone");
    ok(SIZES - ngx_media_event_ring_oldest(&ring)
       >= NGX_MEDIA_EVENT_RING_SIZE / NGX_MEDIA_EVENT_RECORD_MAX - 2,
       "what fits is kept");
}


static void
test_small(void)
{
    int       bad;
    uint64_t  i;

    memset(&ring, 0, sizeof(ring));

    for (i = 1; i <= 3 * NGX_MEDIA_EVENT_RING_RECORDS; i++) {
        make(i, 8);
        (void) ngx_media_event_ring_put(&ring, record, 8);
    }

    i = ngx_media_event_ring_oldest(&ring);

    ok(i == 2 * NGX_MEDIA_EVENT_RING_RECORDS + 1,
       "small ones: as many as there are entries");

    for (bad = 0; i <= ngx_media_event_ring_head(&ring); i++) {
        bad += !good(i, 8);
    }

    ok(bad == 0, "all of them");
}


/* the states in which a writer may have died */

static void
test_death(void)
{
    size_t    n;
    uint64_t  i;

    memset(&ring, 0, sizeof(ring));

    for (i = 1; i <= DEATH; i++) {
        make(i, 4000);
        (void) ngx_media_event_ring_put(&ring, record, 4000);
    }

    ring.claimed = DEATH + 1;
    ring.claimed_bytes = ring.end + 8000;
    memset(ring.data + (ring.end & (NGX_MEDIA_EVENT_RING_SIZE - 1)), 0xee,
           100);

    ok(good(DEATH, 4000), "the newest one is there");
    ok(ngx_media_event_ring_get(&ring, DEATH + 1, got, &n) == NGX_MEDIA_AGAIN,
       "what was begun is not");

    i = ngx_media_event_ring_oldest(&ring);
    ok(good(i, 4000), "the oldest one is whole");

    make(DEATH + 1, 100);
    ok(ngx_media_event_ring_put(&ring, record, 100) == DEATH + 1, "it goes on");
    ok(good(DEATH + 1, 100), "with that number");

    ring.end += 4000;

    make(DEATH + 2, 50);
    ok(ngx_media_event_ring_put(&ring, record, 50) == DEATH + 2,
       "after a hole");
    ok(good(DEATH + 2, 50) && good(DEATH + 1, 100) && good(DEATH, 4000),
       "all is there");
}


#if defined(__SANITIZE_THREAD__)
#define NO_THREADS  1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NO_THREADS  1
#endif
#endif

#ifndef NO_THREADS

#define READERS  3
#define RECORDS  50000


typedef struct {
    pthread_t  thread;
    uint64_t   good;
    uint64_t   lost;
    uint64_t   torn;
} reader_t;


static void *
write_all(void *data)
{
    size_t    i, n;
    uint64_t  number;
    u_char    text[NGX_MEDIA_EVENT_RECORD_MAX];

    (void) data;

    for (number = 1; number <= RECORDS; number++) {

        n = 1 + (size_t) (number * 977 % 2000);

        for (i = 0; i < n; i++) {
            text[i] = (u_char) (number * 31 + i);
        }

        (void) ngx_media_event_ring_put(&ring, text, n);
    }

    return NULL;
}


static void *
read_all(void *data)
{
    reader_t *r = data;

    int       rc;
    size_t    i, n;
    uint64_t  number;
    u_char    text[NGX_MEDIA_EVENT_RECORD_MAX];

    for (number = 1; number <= RECORDS; /* void */ ) {

        rc = ngx_media_event_ring_get(&ring, number, text, &n);

        if (rc == NGX_MEDIA_AGAIN) {
            continue;
        }

        if (rc == NGX_MEDIA_EVENT_LOST) {
            r->lost++;
            i = (size_t) ngx_media_event_ring_oldest(&ring);
            number = (i > number) ? i : number + 1;
            continue;
        }

        r->torn += (n != 1 + (size_t) (number * 977 % 2000));

        for (i = 0; i < n; i++) {
            if (text[i] != (u_char) (number * 31 + i)) {
                r->torn++;
                break;
            }
        }

        r->good++;
        number++;
    }

    return NULL;
}


static void
test_threads(void)
{
    int        i;
    pthread_t  writer;
    reader_t   readers[READERS];

    memset(&ring, 0, sizeof(ring));
    memset(readers, 0, sizeof(readers));

    for (i = 0; i < READERS; i++) {
        pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
    }

    pthread_create(&writer, NULL, write_all, NULL);
    pthread_join(writer, NULL);

    for (i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        ok(readers[i].torn == 0, "reader %d: %d good, %d times lapped", i,
           (int) readers[i].good, (int) readers[i].lost);
    }
}

#endif


int
main(void)
{
    test_empty();
    test_sizes();
    test_small();
    test_death();

#ifndef NO_THREADS
    test_threads();
#endif

    return done_testing();
}
