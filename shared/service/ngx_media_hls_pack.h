
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the segmenter's own state: a cutter for each source that is being
 * packed in this worker, the tracks it collects, and the renditions it makes
 * of them.  Private to ngx_media_hls_cut.c, which decides where segments and
 * parts begin, ngx_media_hls_pack.c, which makes them, and the two containers,
 * ngx_media_hls_pack_mp4.c and ngx_media_hls_pack_ts.c.
 *
 * All tracks go into one rendition, or, where there are several of a kind or
 * DASH is asked for, each into one of its own.  That is decided when the first
 * part is made, and holds for as long as the source is being packed.
 */


#ifndef _NGX_MEDIA_HLS_PACK_H_INCLUDED_
#define _NGX_MEDIA_HLS_PACK_H_INCLUDED_


#include "ngx_media_hls_store.h"
#include "ngx_media_mp4.h"
#include "ngx_media_ts_mux.h"


#define NGX_MEDIA_HLS_PART_MAX     (16 * 1024 * 1024)    /* bytes of a part */

/*
 * What a frame takes beside its payload, at most: its sample and its entry in
 * the header of the part, or its packets.  A clock that stands ends no part:
 * frames of a byte would make it larger than memory.
 */
#define NGX_MEDIA_HLS_FRAME_COST   256

/* a buffer that grew larger for a part goes when the part is made */
#define NGX_MEDIA_HLS_BUF_KEEP     (4 * 1024 * 1024)


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
    uint8_t                  out;            /* rendition, where packed */
    unsigned                 known:1;        /* mp4 is filled */
    unsigned                 packed:1;       /* in the init segment */
    unsigned                 changed:1;      /* its frames wait for a new one */
    unsigned                 bad:1;          /* no form in this container */
} ngx_media_hls_run_t;


/* MPEG-TS: the packets of the open part */

typedef struct {
    ngx_media_ts_mux_t       mux;
    u_char                  *buf;
    size_t                   used;
    size_t                   size;
    size_t                   mark;           /* before the lead's newest */
    int64_t                  begin_dts;      /* of the lead's first */
    int64_t                  mark_dts;
    uint32_t                 frames;         /* of the lead */
    unsigned                 independent:1;
    u_char                   bundle[3072];
} ngx_media_hls_ts_t;


/* a rendition that is being made */

typedef struct {
    ngx_media_hls_writer_t   writer;
    uint32_t                 tracks;         /* bit set */
    uint32_t                 init;           /* its hash */
    uint64_t                 open;           /* msn that is to be told of */
    u_char                  *head;           /* scratch: header of a part */
    size_t                   head_size;
    void                    *cipher;         /* EVP_CIPHER_CTX */
    u_char                  *secret;         /* scratch: encrypted part */
    size_t                   secret_size;
} ngx_media_hls_out_t;


typedef struct {
    ngx_media_source_t      *source;
    ngx_media_reader_t       reader;
    ngx_media_hls_out_t      out[NGX_MEDIA_HLS_RENDITIONS];
    ngx_uint_t               nouts;          /* the first one is always there */
    ngx_media_hls_run_t     *run[NGX_MEDIA_MAX_TRACKS];
    ngx_media_hls_ts_t      *ts;             /* NULL: fMP4 */

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
    int64_t                  early;          /* us, the same on the monotonic
                                              * clock, by the frame that came
                                              * earliest for its time */
    size_t                   bytes;          /* in the open part */
    ngx_uint_t               disk;           /* hls_path: files are told of */
    ngx_media_hls_segment_t  segment;        /* the open one */
    uint32_t                 key;            /* number; 0: none yet */
    uint32_t                 key_left;       /* segments that it is for */
    uint32_t                 fragments_per_key;      /* 0: clear */
    u_char                   key_bytes[NGX_MEDIA_HLS_KEY_LEN];
    uint8_t                  lead;           /* track that cuts */

    unsigned                 dash:1;
    unsigned                 split:1;        /* a rendition for each track */
    unsigned                 decided:1;      /* split was */
    unsigned                 waiting:1;      /* for a start point */
    unsigned                 broken:1;       /* a discontinuity is due */
    unsigned                 change:1;       /* tracks or configs changed */
    unsigned                 stored:1;       /* segment is in the store */
    unsigned                 ready:1;        /* renditions are made */
    unsigned                 timed:1;        /* clock is set */
    unsigned                 logged:1;
} ngx_media_hls_cutter_t;


/* --- ngx_media_hls_pack.c ----------------------------------------------- */

/* The state of a track, made when it is not there; NULL: no memory. */
ngx_media_hls_run_t *ngx_media_hls_run(ngx_media_hls_cutter_t *c,
    ngx_uint_t track, uint8_t codec);
/* A configuration; 1: it is another one than what is packed. */
ngx_uint_t ngx_media_hls_run_config(ngx_media_hls_run_t *run,
    const ngx_media_frame_t *f);
/* Does it wait for the next start point, or for ever? */
ngx_uint_t ngx_media_hls_run_waits(ngx_media_hls_cutter_t *c,
    ngx_uint_t track);
/*
 * Where the payload of a frame shall go.  NGX_OK; *buf may be NULL: anywhere;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_media_hls_run_room(ngx_media_hls_cutter_t *c,
    ngx_media_hls_run_t *run, size_t size, u_char **buf);
/*
 * Takes the frame whose payload was put there.  NGX_OK; NGX_DECLINED: it is
 * left out; NGX_ERROR: the timeline broke.
 */
ngx_int_t ngx_media_hls_run_frame(ngx_media_hls_cutter_t *c,
    ngx_media_hls_run_t *run, const ngx_media_frame_t *f);
/* New init segments, new clocks: what is collected is forgotten. */
void ngx_media_hls_pack_reset(ngx_media_hls_cutter_t *c);
/*
 * Makes a part of what is collected; dts is that of the lead's frame that
 * follows, or NGX_MEDIA_HLS_END.  how: NGX_MEDIA_HLS_BUT_ONE: the lead's last
 * frame stays for the next part; _LAST: it ends the segment, in one step, so
 * that nobody waits for one more; _MORE.
 * NGX_OK, also where there was nothing; NGX_DECLINED: no room in the zone.
 */
#define NGX_MEDIA_HLS_MORE    0
#define NGX_MEDIA_HLS_LAST    1
#define NGX_MEDIA_HLS_BUT_ONE 2

ngx_int_t ngx_media_hls_pack_part(ngx_media_hls_cutter_t *c, int64_t dts,
    ngx_uint_t how);
/* Dates of what nobody has seen yet, by the frames that came meanwhile. */
void ngx_media_hls_pack_time(ngx_media_hls_cutter_t *c);
/* Segments end in all renditions. */
void ngx_media_hls_pack_close(ngx_media_hls_cutter_t *c);
/* What all renditions promise, into the store. */
void ngx_media_hls_pack_params(ngx_media_hls_cutter_t *c);
/* Nothing of it is in the zone any more. */
void ngx_media_hls_pack_clear(ngx_media_hls_cutter_t *c);
void ngx_media_hls_pack_free(ngx_media_hls_cutter_t *c);

#define NGX_MEDIA_HLS_END  ((int64_t) 0x7fffffffffffffffLL)


/* --- the containers ------------------------------------------------------ */

/* what one rendition has for a part */

typedef struct {
    ngx_media_hls_cut_t      cut;
    ngx_media_ring_span_t    spans[NGX_MEDIA_MAX_TRACKS + 1];
    uint32_t                 nspans;
} ngx_media_hls_pack_t;

/* NGX_OK or NGX_ERROR: there is nothing to make it of. */
ngx_int_t ngx_media_hls_mp4_init(ngx_media_hls_cutter_t *c,
    ngx_media_hls_out_t *out);
/* NGX_OK, NGX_DECLINED: no frame of it is in this part, NGX_ERROR. */
ngx_int_t ngx_media_hls_mp4_part(ngx_media_hls_cutter_t *c,
    ngx_media_hls_out_t *out, int64_t dts, ngx_uint_t keep,
    ngx_media_hls_pack_t *pack);

ngx_int_t ngx_media_hls_ts_frame(ngx_media_hls_cutter_t *c,
    const ngx_media_frame_t *f);
void ngx_media_hls_ts_reset(ngx_media_hls_cutter_t *c);
ngx_int_t ngx_media_hls_ts_part(ngx_media_hls_cutter_t *c, int64_t dts,
    ngx_uint_t keep, ngx_media_hls_pack_t *pack);
void ngx_media_hls_ts_empty(ngx_media_hls_cutter_t *c, ngx_uint_t keep);
void ngx_media_hls_ts_segment(ngx_media_hls_cutter_t *c);
void ngx_media_hls_ts_free(ngx_media_hls_cutter_t *c);


/* --- ngx_media_hls_crypt.c ----------------------------------------------- */

uint32_t ngx_media_hls_crypt_key(ngx_media_hls_cutter_t *c, uint64_t msn);
ngx_int_t ngx_media_hls_crypt_begin(ngx_media_hls_cutter_t *c,
    ngx_media_hls_out_t *out, uint64_t msn);
ngx_int_t ngx_media_hls_crypt_part(ngx_media_hls_out_t *out,
    ngx_media_hls_pack_t *pack, ngx_uint_t last);
void ngx_media_hls_crypt_free(ngx_media_hls_out_t *out);


/* --- ngx_media_hls_told.c ------------------------------------------------- */

/* Services hear of the segment that was closed, where it is not for a file. */
void ngx_media_hls_told(ngx_media_hls_cutter_t *c, ngx_media_hls_out_t *out);


#endif /* _NGX_MEDIA_HLS_PACK_H_INCLUDED_ */
