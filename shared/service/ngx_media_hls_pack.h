
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the segmenter's own state: a cutter for each source that is being
 * packed in this worker, and the tracks it collects.  Private to
 * ngx_media_hls_cut.c, which decides where segments and parts begin, and
 * ngx_media_hls_pack.c, which makes them.
 */


#ifndef _NGX_MEDIA_HLS_PACK_H_INCLUDED_
#define _NGX_MEDIA_HLS_PACK_H_INCLUDED_


#include "ngx_media_hls_store.h"
#include "ngx_media_mp4.h"


#define NGX_MEDIA_HLS_PART_MAX     (16 * 1024 * 1024)    /* bytes of a part */


/* what a track has for the part that is open */

typedef struct {
    ngx_media_mp4_track_t    mp4;
    ngx_media_mp4_clock_t    clock;
    ngx_media_mp4_sample_t  *samples;
    uint32_t                 nsamples;
    uint32_t                 max;
    u_char                  *buf;            /* payloads, in their order */
    size_t                   used;
    size_t                   size;
    u_char                  *config;
    uint32_t                 config_size;
    uint8_t                  codec;
    unsigned                 known:1;        /* mp4 is filled */
    unsigned                 packed:1;       /* in the init segment */
    unsigned                 changed:1;      /* its frames wait for a new one */
    unsigned                 bad:1;          /* no form in this container */
} ngx_media_hls_run_t;


typedef struct {
    ngx_media_source_t      *source;
    ngx_media_reader_t       reader;
    ngx_media_hls_writer_t   writer;
    ngx_media_hls_run_t     *run[NGX_MEDIA_MAX_TRACKS];

    int64_t                  fragment;       /* us */
    int64_t                  part;           /* us, a part's longest */
    uint32_t                 target;         /* s; 0: not known yet */
    uint32_t                 low_latency;
    ngx_msec_t               window;
    ngx_uint_t               mode;

    int64_t                  gop;            /* us, longest that was seen */
    int64_t                  delta;          /* us between frames of lead */
    int64_t                  last_dts;       /* of lead */
    int64_t                  part_dts;       /* where the open part begins */
    int64_t                  key_dts;
    int64_t                  clock;          /* us, epoch at dts 0 */
    size_t                   bytes;          /* in the open part */
    ngx_media_hls_segment_t  segment;        /* the open one */
    uint32_t                 init;           /* its hash */
    u_char                  *head;           /* scratch: header of a part */
    size_t                   head_size;
    uint8_t                  lead;           /* track that cuts */

    unsigned                 waiting:1;      /* for a start point */
    unsigned                 broken:1;       /* a discontinuity is due */
    unsigned                 change:1;       /* tracks or configs changed */
    unsigned                 stored:1;       /* segment is in the store */
    unsigned                 ready:1;        /* init segment is made */
    unsigned                 logged:1;
} ngx_media_hls_cutter_t;


/* The state of a track, made when it is not there; NULL: no memory. */
ngx_media_hls_run_t *ngx_media_hls_run(ngx_media_hls_cutter_t *c,
    ngx_uint_t track, uint8_t codec);
/* A configuration; 1: it is another one than that of the init segment. */
ngx_uint_t ngx_media_hls_run_config(ngx_media_hls_run_t *run,
    const ngx_media_frame_t *f);
/* Room for size bytes of a frame, or NULL. */
u_char *ngx_media_hls_run_room(ngx_media_hls_run_t *run, size_t size);
/*
 * Takes the frame whose payload was put there.  NGX_OK; NGX_DECLINED: it is
 * left out; NGX_ERROR: the timeline broke.
 */
ngx_int_t ngx_media_hls_run_frame(ngx_media_hls_cutter_t *c,
    ngx_media_hls_run_t *run, const ngx_media_frame_t *f);
/* New init segment, new clocks: what is collected is forgotten. */
void ngx_media_hls_pack_reset(ngx_media_hls_cutter_t *c);
/*
 * Makes a part of what is collected; dts is that of the lead's frame that
 * follows, or NGX_MEDIA_HLS_END; keep: its last frame stays for the next part.
 * NGX_OK, also where there was nothing; NGX_DECLINED: no room in the zone.
 */
ngx_int_t ngx_media_hls_pack_part(ngx_media_hls_cutter_t *c, int64_t dts,
    ngx_uint_t keep);
void ngx_media_hls_pack_free(ngx_media_hls_cutter_t *c);

#define NGX_MEDIA_HLS_END  ((int64_t) 0x7fffffffffffffffLL)


#endif /* _NGX_MEDIA_HLS_PACK_H_INCLUDED_ */
