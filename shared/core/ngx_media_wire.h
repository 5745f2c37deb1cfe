
/*
 * Copyright (C) the nginx media suite authors
 *
 * Private to ngx_media_wire.c (the log) and ngx_media_consumer.c (the cursors
 * in it).  All of it is memory of one worker.
 */


#ifndef _NGX_MEDIA_WIRE_H_INCLUDED_
#define _NGX_MEDIA_WIRE_H_INCLUDED_


#include "ngx_media_core.h"


#define NGX_MEDIA_SEGMENT_SIZE   65536
#define NGX_MEDIA_SEGMENT_DATA                                                \
    (NGX_MEDIA_SEGMENT_SIZE - offsetof(ngx_media_segment_t, data))
#define NGX_MEDIA_SEGMENTS_KEPT  64      /* free ones, per worker */

#define NGX_MEDIA_BLOB_SIZE      4096
#define NGX_MEDIA_SCRATCH_KEPT   1048576 /* of a worker, for one frame */
#define NGX_MEDIA_PULL_MAX       16384   /* frames in one go */
#define NGX_MEDIA_JUMPS_MAX      2       /* and no byte taken in between */
#define NGX_MEDIA_OUT_MAX        262144  /* bytes of the protocol's own */
#define NGX_MEDIA_LOG_SHARE      4       /* of the zone: log of laggards */
#define NGX_MEDIA_SELECTIONS_MAX 64      /* logs of chosen tracks, per feed */
#define NGX_MEDIA_SETTLED        2000    /* ms, then a publish has its tracks */
#define NGX_MEDIA_LOOK_BACK      512     /* frames, for a key of other video */


/* memory that bufs of the protocols may refer to */

struct ngx_media_pin_s {
    uint32_t              refs;
    uint32_t              segment;      /* or a blob */
};


struct ngx_media_segment_s {
    ngx_media_pin_t       pin;          /* the list holds one */
    uint32_t              cursors;      /* consumers that stand in it */
    uint32_t              size;         /* bytes written */
    uint64_t              start;        /* offset of data[0] in the log */
    ngx_media_segment_t  *next;
    u_char                data[];
};


typedef struct {
    ngx_media_pin_t       pin;
    uint32_t              size;
    uint32_t              room;
    u_char                data[];
} ngx_media_blob_t;


/* bytes that go before the log; pos moves as they are sent */

struct ngx_media_out_s {
    ngx_media_out_t      *next;
    ngx_media_blob_t     *blob;
    uint32_t              pos;
    unsigned              first:1;      /* even inside a frame */
    unsigned              own:1;        /* of the protocol: counted */
};


typedef struct {
    uint64_t              offset;
    uint64_t              seq;
    int64_t               dts;
} ngx_media_entry_t;


struct ngx_media_wire_s {
    ngx_queue_t                  queue;         /* in its feed */
    ngx_media_feed_t            *feed;
    const ngx_media_muxer_t     *muxer;
    ngx_media_wire_params_t      params;
    void                        *ctx;

    uint64_t                     seq;           /* next frame of the ring */
    uint64_t                     head;          /* end of the log */
    int64_t                      head_dts;      /* us */
    ngx_media_segment_t         *first;
    ngx_media_segment_t         *last;

    ngx_media_entry_t           *entries;       /* a ring of 2^n */
    uint32_t                     size_entries;
    uint32_t                     nentries;
    uint64_t                     first_entry;   /* numbers never wrap */
    uint64_t                     drop_entry;
    uint64_t                     drop_offset;

    uint64_t                     key_offset;    /* or SEQ_NONE */
    uint64_t                     key_seq;
    int64_t                      key_dts;
    ngx_media_segment_t         *key_segment;   /* found when needed */
    uint32_t                     key_configs;
    uint32_t                     configs;       /* CONFIG frames so far */

    ngx_media_blob_t            *blob;          /* write() goes here */
    ngx_media_blob_t            *prologue;
    uint64_t                     prologue_seq;

    ngx_queue_t                  consumers;
    ngx_uint_t                   nconsumers;
    ngx_media_consumer_t        *serving;       /* NULL: it went meanwhile */
    uint32_t                     round;

    unsigned                     open:1;        /* a round is not finished */
    unsigned                     need_key:1;    /* nothing before a start */
    unsigned                     need_heads:1;  /* configurations before it:
                                                 * frames were missed */
    unsigned                     pending_key:1; /* the next frame is a start */
};


#define ngx_media_wire_entry(w, i)                                            \
    (&(w)->entries[(i) & ((w)->size_entries - 1)])


/* ngx_media_wire.c */

void ngx_media_wire_free(ngx_media_wire_t *w);
ngx_media_segment_t *ngx_media_wire_segment(ngx_media_wire_t *w,
    uint64_t offset);
/* end of the frame that offset lies inside; offset where it is a border */
uint64_t ngx_media_wire_frame_end(ngx_media_wire_t *w, uint64_t offset);
uint64_t ngx_media_wire_frames(ngx_media_wire_t *w, uint64_t from,
    uint64_t to);
/* number of the frame that begins at or before offset; that of the next one
 * at the end of the log */
uint64_t ngx_media_wire_number(ngx_media_wire_t *w, uint64_t offset);
ngx_media_entry_t *ngx_media_wire_entry_at(ngx_media_wire_t *w,
    uint64_t offset);
uint64_t ngx_media_wire_offset(ngx_media_wire_t *w, uint64_t seq);
void ngx_media_wire_enter_at(ngx_media_wire_t *w, ngx_media_consumer_t *c,
    uint64_t seq);

/* ngx_media_wire_tracks.c */

/* heads as the players of this wire see them: its tracks, their numbers */
void ngx_media_wire_heads(ngx_media_wire_t *w, ngx_media_heads_t *heads);
/* the frame, under the number that players get, to the muxer; as frame() */
ngx_int_t ngx_media_wire_mux(ngx_media_wire_t *w, const ngx_media_frame_t *f);
uint32_t ngx_media_wire_lead(ngx_media_wire_t *w);
/* SYNC becomes a start for this wire */
void ngx_media_wire_mark(ngx_media_wire_t *w, ngx_media_frame_t *f);

/* ngx_media_consumer.c */

ngx_media_segment_t *ngx_media_segment_alloc(void);
ngx_media_blob_t *ngx_media_blob_alloc(size_t room);
/* grows *blob (which may move) */
ngx_int_t ngx_media_blob_append(ngx_media_blob_t **blob, const void *p,
    size_t n);
/* takes over one reference of blob, in any case */
ngx_int_t ngx_media_out_blob(ngx_media_consumer_t *c, ngx_media_blob_t *blob);
/* the unsent rest of the current frame moves into the out list */
ngx_int_t ngx_media_consumer_save_rest(ngx_media_consumer_t *c);
void ngx_media_consumer_enter(ngx_media_consumer_t *c,
    ngx_media_segment_t *seg, uint64_t offset);
void ngx_media_consumer_leave(ngx_media_consumer_t *c);
/* frees what the protocol queued */
void ngx_media_consumer_clear(ngx_media_consumer_t *c);


#endif /* _NGX_MEDIA_WIRE_H_INCLUDED_ */
