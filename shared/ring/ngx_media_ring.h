
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the ring of a source: one writer, any number of readers in any process,
 * no lock and no reference count.  A reader writes nothing but its own
 * cursor, so a killed reader leaves nothing behind.
 *
 * Two endless logs, of payload bytes and of frame descriptors, lie in chunks
 * that a table finds.  Frame number s is descriptor s of the second log and
 * bytes [pos, pos + size) of the first:
 *
 *      tail                     key              head
 *       |                        |                 |
 *   ----+------------------------+-----------------+ - - - - - - - >  seq
 *  freed|     may be read                          | being written
 *
 *   logical chunk l of a log is table[l % size]: chunk number + 1, 0 for none
 *
 * Who may do what:
 *
 *   writer  puts bytes and descriptor above head, then stores head (release).
 *           Frees history: stores tail, fence, and only then gives a chunk
 *           away or writes over it.
 *   reader  seq < head (acquire); reads descriptor and bytes; fence; what it
 *           read is good only if tail <= seq still.
 *
 * A writer that dies leaves bytes above head that nobody sees; the next
 * writer goes on at head and finds the chunks that the dead one had taken in
 * the tables.  Taking and giving back of chunks is the caller's (get and put
 * run under the arena's lock and set or clear the table's entry in there), so
 * that the tables always tell who owns what.
 */


#ifndef _NGX_MEDIA_RING_H_INCLUDED_
#define _NGX_MEDIA_RING_H_INCLUDED_


#include "ngx_media_codec.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_CHUNK_SHIFT     16
#define NGX_MEDIA_CHUNK_SIZE      (1 << NGX_MEDIA_CHUNK_SHIFT)
#define NGX_MEDIA_RING_DATA       2048    /* chunks: 128 MB */
#define NGX_MEDIA_RING_INDEX      64      /* chunks: 65536 frames */

#define NGX_MEDIA_SEQ_NONE        ((uint64_t) -1)

/* the frame is no longer there */
#define NGX_MEDIA_LOST            -6


typedef struct {
    uint64_t        seq;
    uint64_t        pos;        /* byte of the payload log */
    int64_t         dts;        /* us */
    int64_t         time;       /* us, CLOCK_MONOTONIC when written */
    int32_t         cts;        /* us */
    uint32_t        size;
    uint16_t        flags;
    uint8_t         track;
    uint8_t         codec;
    uint8_t         aux;
    uint8_t         pad[3];
    uint64_t        key;        /* seq of the starting point before or at it */
    uint64_t        reserved;
} ngx_media_desc_t;

#define NGX_MEDIA_DESC_SHIFT      (NGX_MEDIA_CHUNK_SHIFT - 6)


typedef struct {
    uint64_t        head;       /* writer; release */
    uint64_t        head_pos;   /* writer */
    uint64_t        tail;       /* writer; before memory is given away */
    uint64_t        tail_pos;   /* writer */
    uint64_t        key;        /* writer; newest starting point or NONE */
    uint64_t        reserved[3];
    uint32_t        data[NGX_MEDIA_RING_DATA];     /* under the lock */
    uint32_t        index[NGX_MEDIA_RING_INDEX];   /* under the lock */
} ngx_media_ring_t;


typedef struct {
    u_char         *base;       /* of chunk 0 in this process */
    uint32_t        nchunks;
} ngx_media_chunks_t;


/* process-local handle of the one writer */

typedef struct {
    ngx_media_ring_t    *ring;
    ngx_media_chunks_t   chunks;
    uint32_t             max;        /* budget, chunks of payload */
    uint32_t             used;       /* chunks of both tables */
    int64_t              history;    /* us kept beside the last GOP */

    /* *entry becomes a chunk's number + 1; returns OK, or DECLINED: none */
    int                (*get)(void *ctx, uint32_t *entry);
    /* gives the chunk of *entry back and clears it */
    void               (*put)(void *ctx, uint32_t *entry);
    void                *ctx;
} ngx_media_ring_writer_t;


/* Makes the zeroed memory of a ring ready; no chunk is taken. */
void ngx_media_ring_init(ngx_media_ring_t *ring);

/*
 * Takes a ring over for writing (new, or from a writer that left or died).
 * The caller has filled w; w->used is counted here, and chunks that a dead
 * writer had neither filled nor given back are given back.
 */
void ngx_media_ring_attach(ngx_media_ring_writer_t *w);

/*
 * Appends a frame; f->data is copied, f->seq is set.  now is
 * CLOCK_MONOTONIC in us.  History beyond w->history is freed on the way.
 * Returns NGX_MEDIA_OK; NGX_MEDIA_DECLINED where no chunk could be had even
 * after history was given up; NGX_MEDIA_ERROR where the frame is larger than
 * the budget.  In both cases nothing was written.
 */
int ngx_media_ring_append(ngx_media_ring_writer_t *w, ngx_media_frame_t *f,
    int64_t now);

/* The same with the payload, f->size bytes, in pieces; f->data is ignored. */

typedef struct {
    const u_char   *data;
    size_t          size;
} ngx_media_ring_span_t;

int ngx_media_ring_appendv(ngx_media_ring_writer_t *w, ngx_media_frame_t *f,
    const ngx_media_ring_span_t *spans, uint32_t nspans, int64_t now);

/*
 * Takes the chunks that the next frame of size bytes will need, without
 * giving up history.  Returns as append().
 */
int ngx_media_ring_prepare(ngx_media_ring_writer_t *w, uint32_t size);

/*
 * Frees history before the newest starting point (hard = 0), or all of it
 * (hard = 1, readers at the tail lose it).  Returns chunks given back.
 */
uint32_t ngx_media_ring_shrink(ngx_media_ring_writer_t *w, int hard);

/* Gives up everything: all chunks go back; numbers of frames leap ahead. */
void ngx_media_ring_clear(ngx_media_ring_writer_t *w);

/*
 * Sets the budget to max chunks (at least 4) and frees what is over it, the
 * oldest first.  Returns chunks given back.
 */
uint32_t ngx_media_ring_limit(ngx_media_ring_writer_t *w, uint32_t max);

/*
 * Reads the descriptor of frame seq.  Returns NGX_MEDIA_OK, NGX_MEDIA_AGAIN
 * (not written yet), NGX_MEDIA_LOST (history).
 */
int ngx_media_ring_peek(const ngx_media_ring_t *ring,
    const ngx_media_chunks_t *chunks, uint64_t seq, ngx_media_desc_t *desc);

/*
 * Copies the payload of desc into buf (desc->size bytes) and validates the
 * copy.  Returns NGX_MEDIA_OK or NGX_MEDIA_LOST.
 */
int ngx_media_ring_copy(const ngx_media_ring_t *ring,
    const ngx_media_chunks_t *chunks, const ngx_media_desc_t *desc,
    u_char *buf);

/* The same for size bytes of it from off on; off + size <= desc->size. */
int ngx_media_ring_copy_part(const ngx_media_ring_t *ring,
    const ngx_media_chunks_t *chunks, const ngx_media_desc_t *desc,
    size_t off, u_char *buf, size_t size);

/* Loads a counter that the other side stores. */
static inline uint64_t
ngx_media_ring_load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}


#endif /* _NGX_MEDIA_RING_H_INCLUDED_ */
