
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: private hub of the packager: what its files share.
 *
 *   ngx_media_hls_conf.c     directives
 *   ngx_media_hls_store.c    a rendition in the arena, written
 *   ngx_media_hls_view.c     the same, read by any worker
 *   ngx_media_hls_output.c   names, requests, watches
 *   ngx_media_hls_cut.c      where segments and parts begin
 *   ngx_media_hls_pack*.c    frames become parts
 *   ngx_media_hls_stats.c    what is counted
 *
 * A rendition is one chunk of the arena and the chunks of its ring.  Its one
 * writer is the worker of the source's publisher; fields marked "version" are
 * copied by readers between two equal, even values of it.  A part lies in the
 * ring before the table tells of it, so whoever goes on after a death finds
 * at most one part that nobody knows.
 */


#ifndef _NGX_MEDIA_HLS_STORE_H_INCLUDED_
#define _NGX_MEDIA_HLS_STORE_H_INCLUDED_


#include "ngx_media_core.h"
#include "ngx_media_hls.h"


#define NGX_MEDIA_HLS_INITS        8
#define NGX_MEDIA_HLS_INIT_BYTES   12288
#define NGX_MEDIA_HLS_KEYS         64
#define NGX_MEDIA_HLS_RETIRED      '-'      /* first of a tag: not served */
#define NGX_MEDIA_HLS_KEEP         2     /* target durations kept before the
                                          * window */
#define NGX_MEDIA_HLS_FIRST_KEEP   60       /* s, the same before it is known */

typedef struct {
    uint32_t                 hash;
    uint32_t                 off;
    uint32_t                 size;
    uint32_t                 reserved;
} ngx_media_hls_init_t;


typedef struct {
    uint32_t                 number;
    u_char                   bytes[NGX_MEDIA_HLS_KEY_LEN];
} ngx_media_hls_key_t;


/* atomic; counted by the publisher's worker */

typedef struct {
    uint64_t                 segments;
    uint64_t                 parts;
    uint64_t                 cuts;
    uint64_t                 dropped;
    uint64_t                 written;
    uint64_t                 failed;
    uint64_t                 missing;
    uint32_t                 behind;
    uint32_t                 duration;       /* us */
} ngx_media_hls_counters_t;

#define ngx_media_hls_count(p)                                                \
    (void) __atomic_fetch_add(p, 1, __ATOMIC_RELAXED)


typedef struct {
    ngx_media_ring_t         ring;           /* first: the core frees by it */

    uint64_t                 version;        /* odd: being written */
    uint64_t                 epoch;          /* of the source, whose publisher
                                              * is being cut; 0: nobody's */

    /* version */

    uint32_t                 container;
    uint32_t                 part_target;    /* us; of what is cut */
    uint32_t                 low_latency;    /* parts are listed */
    uint32_t                 target;         /* s; 0: not known yet */
    uint32_t                 window;         /* us */
    uint32_t                 disc;           /* discontinuities so far */
    uint32_t                 ntracks;
    uint32_t                 ninits;
    uint64_t                 first;          /* msn of the oldest one */
    uint64_t                 next;           /* msn of the one to begin */
    int64_t                  begin;          /* us, pdt of the first one that
                                              * there ever was */
    char                     tag[NGX_MEDIA_HLS_TAG_LEN];
    ngx_media_hls_track_t    track[NGX_MEDIA_MAX_TRACKS];
    ngx_media_hls_segment_t  segment[NGX_MEDIA_HLS_SEGMENTS];   /* by msn */
    ngx_media_hls_init_t     init[NGX_MEDIA_HLS_INITS];         /* oldest 1st */
    u_char                   inits[NGX_MEDIA_HLS_INIT_BYTES];
    uint32_t                 nkeys;          /* ever made */
    uint32_t                 squeezed;       /* the window is cut short */
    ngx_media_hls_key_t      key[NGX_MEDIA_HLS_KEYS];   /* circular */
    ngx_media_hls_counters_t counters;
    uint32_t                 parked[NGX_MEDIA_SLOTS];   /* slot; see below */
} ngx_media_hls_rendition_t;

/* one chunk */
typedef char ngx_media_hls_rendition_fits_t[
    sizeof(ngx_media_hls_rendition_t) <= NGX_MEDIA_CHUNK_SIZE ? 1 : -1];

#define ngx_media_hls_at(r, msn)                                              \
    (&(r)->segment[(msn) % NGX_MEDIA_HLS_SEGMENTS])


/* --- store: the writer -------------------------------------------------- */

typedef struct {
    ngx_media_source_t         *source;
    ngx_media_hls_rendition_t  *r;           /* NULL: not open */
    ngx_media_ring_writer_t     ring;
    uint32_t                    index;
    uint32_t                    logged;      /* squeezed: it was said */
} ngx_media_hls_writer_t;

/* what a part tells of itself */

typedef struct {
    int64_t                  dts;            /* us */
    int64_t                  time;           /* us, of it in the media */
    uint32_t                 duration;       /* us */
    uint32_t                 flags;          /* NGX_MEDIA_HLS_INDEPENDENT,
                                              * _GAP; _CLOSED: the last one */
} ngx_media_hls_cut_t;

/*
 * Takes rendition index over, made anew where it is not there yet; an open
 * segment that another writer left is closed.  NGX_OK, NGX_ERROR (no chunk).
 */
ngx_int_t ngx_media_hls_store_open(ngx_media_hls_writer_t *w,
    ngx_media_source_t *src, uint32_t index);
/* Segments go on at msn and disc; what is before it goes where it differs. */
void ngx_media_hls_store_align(ngx_media_hls_writer_t *w, uint64_t msn,
    uint32_t disc);
/* Begins a segment; of *seg dts, pdt, flags, init and key are taken. */
void ngx_media_hls_store_segment(ngx_media_hls_writer_t *w,
    const ngx_media_hls_segment_t *seg);
/* Adds a part to it.  NGX_OK, NGX_DECLINED: no room. */
ngx_int_t ngx_media_hls_store_part(ngx_media_hls_writer_t *w,
    const ngx_media_hls_cut_t *cut, const ngx_media_ring_span_t *spans,
    uint32_t nspans);
/* Ends it. */
void ngx_media_hls_store_close(ngx_media_hls_writer_t *w);
/* Keeps an init segment; returns the hash that names it, 0: no room. */
uint32_t ngx_media_hls_store_init(ngx_media_hls_writer_t *w, const u_char *p,
    size_t n);
/* Keeps a key; the oldest of many goes. */
void ngx_media_hls_store_key(ngx_media_hls_writer_t *w, uint32_t number,
    const u_char *bytes);
/* Between them any field marked "version" may be set. */
void ngx_media_hls_store_lock(ngx_media_hls_writer_t *w);
void ngx_media_hls_store_unlock(ngx_media_hls_writer_t *w);
/* Gives all segments up. */
void ngx_media_hls_store_clear(ngx_media_hls_writer_t *w);
/* The zone is full: a quarter goes, the oldest. */
void ngx_media_hls_store_shrink(ngx_media_hls_writer_t *w);
/* The one that is open, or NULL. */
ngx_media_hls_segment_t *ngx_media_hls_store_current(
    ngx_media_hls_writer_t *w);


/* --- view: any worker ---------------------------------------------------- */

/* NULL: not made */
ngx_media_hls_rendition_t *ngx_media_hls_rendition_at(
    ngx_media_source_t *src, ngx_uint_t i);

/* Where the table ends.  NGX_OK, NGX_AGAIN (being written), NGX_DECLINED. */

typedef struct {
    uint64_t                 version;
    uint64_t                 first;
    uint64_t                 next;
    uint32_t                 target;
    ngx_media_hls_segment_t  last;           /* where next > first */
} ngx_media_hls_edge_t;

ngx_int_t ngx_media_hls_edge_read(ngx_media_source_t *src, ngx_uint_t i,
    ngx_media_hls_edge_t *edge);


/* --- output ------------------------------------------------------------- */

/* what a handle of this worker is behind its public face */

typedef struct ngx_media_hls_output_s  ngx_media_hls_output_t;

struct ngx_media_hls_output_s {
    ngx_media_hls_t          hls;            /* first */
    ngx_media_source_t      *source;
    uint32_t                 index;
    uint32_t                 generation;
    uint32_t                 hash;
    ngx_media_hls_output_t  *next;           /* in its bucket */
    uint64_t                 version;        /* as watchers were told */
    ngx_msec_t               used;
    ngx_msec_t               asked;          /* to be cut */
    uint32_t                 parked;         /* requests of this worker */
    unsigned                 dirty:1;
    unsigned                 gone:1;         /* its source is another one */
    u_char                   names[];
};

#define ngx_media_hls_output(h)  ((ngx_media_hls_output_t *) (h))

/* The publisher is gone and republish_wait is over. */
ngx_uint_t ngx_media_hls_ended(ngx_media_source_t *src);
/* Is it still the source that the handle was made for? */
ngx_uint_t ngx_media_hls_valid(ngx_media_hls_t *hls);

ngx_int_t ngx_media_hls_init_worker(ngx_cycle_t *cycle);
void ngx_media_hls_outputs_changed(uint32_t index);
void ngx_media_hls_outputs_second(void);
void ngx_media_hls_outputs_exit(void);


/* --- statistics ---------------------------------------------------------- */

/*
 * Requests that wait, by worker: 16 bits of its pid, so that nobody hears of
 * a dead one's, and 16 bits of their number.
 */

#define NGX_MEDIA_HLS_PARKED_MAX   0xffff

#define ngx_media_hls_parked_of(pid, n)                                       \
    ((uint32_t) (pid) << 16 | (uint32_t) (n))

/* of rendition i; NULL: it is not there */
ngx_media_hls_counters_t *ngx_media_hls_counters(ngx_media_source_t *src,
    ngx_uint_t i);


/* --- segmenter ----------------------------------------------------------- */

void ngx_media_hls_cut_publish(ngx_media_source_t *src);
void ngx_media_hls_cut_unpublish(ngx_media_source_t *src);
void ngx_media_hls_cut_demand(ngx_media_source_t *src);
void ngx_media_hls_cut_tick(ngx_media_source_t *src);
void ngx_media_hls_cut_shrink(void);
void ngx_media_hls_cut_exit(void);


#endif /* _NGX_MEDIA_HLS_STORE_H_INCLUDED_ */
