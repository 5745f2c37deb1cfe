
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: a ring of small records of any kind (events), in shared memory.
 *
 * One writer at a time (the caller sees to that), any number of readers that
 * write nothing.  Records have numbers 1, 2, 3, ...; the newest ones that fit
 * are kept.
 *
 *   writer  claim (bytes, number) | fence | record | end | head (release)
 *   reader  head (acquire) | copy | fence | good unless claimed meanwhile
 *
 * A writer that dies in between leaves a claim that is too large: a few old
 * records are lost earlier, and nothing that was not written is ever read.
 */


#ifndef _NGX_MEDIA_EVENT_RING_H_INCLUDED_
#define _NGX_MEDIA_EVENT_RING_H_INCLUDED_


#include "ngx_media_bytes.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_EVENT_RING_SIZE     (1024 * 1024)   /* bytes, 2^n */
#define NGX_MEDIA_EVENT_RING_RECORDS  8192    /* 2^n */
#define NGX_MEDIA_EVENT_RECORD_MAX    8192    /* bytes of one */

#define NGX_MEDIA_EVENT_LOST          -6


typedef struct {
    uint64_t    offset;             /* writer; numbers never wrap */
    uint64_t    size;
} ngx_media_event_entry_t;


/* all zero: empty */

typedef struct {
    uint64_t                 head;            /* number of the newest one */
    uint64_t                 end;             /* writer; bytes, ever */
    uint64_t                 claimed;         /* number being written */
    uint64_t                 claimed_bytes;   /* its end */
    ngx_media_event_entry_t  entry[NGX_MEDIA_EVENT_RING_RECORDS];
    u_char                   data[NGX_MEDIA_EVENT_RING_SIZE];
} ngx_media_event_ring_t;


/*
 * Appends a record of n bytes.  Returns its number, or 0 where it is empty or
 * longer than NGX_MEDIA_EVENT_RECORD_MAX.
 */
uint64_t ngx_media_event_ring_put(ngx_media_event_ring_t *ring,
    const void *p, size_t n);

/*
 * Copies record `number` into buf, which has room for
 * NGX_MEDIA_EVENT_RECORD_MAX bytes.  Returns NGX_MEDIA_OK, *n is its length;
 * NGX_MEDIA_AGAIN: not written yet; NGX_MEDIA_EVENT_LOST: not kept any more.
 */
int ngx_media_event_ring_get(ngx_media_event_ring_t *ring, uint64_t number,
    u_char *buf, size_t *n);

/* Number of the newest record; 0: none was ever written. */
uint64_t ngx_media_event_ring_head(ngx_media_event_ring_t *ring);

/* Number of the oldest record that is kept; head + 1 where there is none. */
uint64_t ngx_media_event_ring_oldest(ngx_media_event_ring_t *ring);


#endif /* _NGX_MEDIA_EVENT_RING_H_INCLUDED_ */
