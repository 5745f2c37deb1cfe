
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: recordings: frames of a source become the bytes of a file, FLV,
 * fragmented MP4 or MPEG-TS.  Called by the threads of the recorder, batch by
 * batch.  Nothing is allocated or kept but what is in ngx_media_file_t, which
 * is plain memory without pointers: a copy of it, also one that lay in a
 * journal on disk, goes on where it stood (in a program of the same build).
 *
 *     ngx_media_file_init()       a file of this kind begins
 *     ngx_media_file_room()       how large may the next batch become
 *     ngx_media_file_batch()      its bytes, to be appended
 *     ngx_media_file_close()      what is appended and changed at the end
 *
 * After each batch the file is whole: whoever is killed leaves one that plays.
 *
 * A batch is of one span of time, in the order of the source.  A frame with
 * NGX_MEDIA_FRAME_SYNC is only ever the first one of its batch, but for META
 * and CONFIG frames before it; the first batch of a file begins with what
 * holds (ngx_media_heads_t) and such a frame.  So a batch with one begins
 * where decoding can begin, which an index of batches tells.
 *
 * Times: f->dts is that of the source (us); in the file time begins at 0 with
 * the first frame, all tracks keep their distance.  ISO/IEC 14496-12;
 * ISO/IEC 13818-1; Adobe FLV 10.1, Enhanced RTMP v2.
 */


#ifndef _NGX_MEDIA_FILE_H_INCLUDED_
#define _NGX_MEDIA_FILE_H_INCLUDED_


#include "ngx_media_codec.h"
#include "ngx_media_mp4.h"
#include "ngx_media_ts_mux.h"


#define NGX_MEDIA_FILE_FLV        1
#define NGX_MEDIA_FILE_MP4        2
#define NGX_MEDIA_FILE_TS         3

#define NGX_MEDIA_FILE_FRAMES     4096     /* in a batch */


/* FLV: where in the file stands what is known at the end */

typedef struct {
    uint64_t                 duration;     /* offsets of doubles; 0: none */
    uint64_t                 filesize;
    uint64_t                 keys;         /* of room for an index, */
    uint32_t                 keys_size;    /* and its bytes */
    uint8_t                  types;        /* of the header: 1 video, 4 audio;
                                            * those in the file */
    uint8_t                  written;      /* and those that it says */
} ngx_media_file_flv_t;


/* MP4: a track in the init segment */

typedef struct {
    uint32_t                 id;           /* track_ID; 0: not in the file */
    uint32_t                 timescale;
    ngx_media_mp4_clock_t    clock;
} ngx_media_file_mp4_track_t;

typedef struct {
    uint32_t                    sequence;  /* of the next moof */
    uint32_t                    ntracks;
    uint64_t                    duration;  /* offset of that of mehd */
    ngx_media_file_mp4_track_t  track[NGX_MEDIA_MAX_TRACKS];
} ngx_media_file_mp4_t;


/* of any kind: a track of the source */

typedef struct {
    int64_t                  last;         /* us, file time of its newest
                                            * frame */
    uint32_t                 step;         /* us, between its last two */
    uint32_t                 config;       /* hash of its config, 0: none */
    uint8_t                  codec;        /* NONE: it has no frame yet */
} ngx_media_file_track_t;


typedef struct {
    uint32_t                 version;      /* of this layout: sizeof */
    uint8_t                  kind;         /* NGX_MEDIA_FILE_* */
    unsigned                 begun:1;      /* base holds */
    int64_t                  base;         /* us, source time of 0 */
    int64_t                  end;          /* us, file time behind the newest
                                            * frame */
    uint64_t                 bytes;        /* of the file so far */
    uint64_t                 frames;       /* in it */
    uint64_t                 skipped;      /* frames that have no form there */
    ngx_media_file_track_t   track[NGX_MEDIA_MAX_TRACKS];

    union {
        ngx_media_file_flv_t flv;
        ngx_media_file_mp4_t mp4;
        ngx_media_ts_mux_t   ts;           /* its pointers are only set
                                            * during a call */
    } u;
} ngx_media_file_t;


/* an entry of the index, as it stands on disk: a batch that begins with SYNC */

typedef struct {
    uint64_t                 offset;       /* bytes, of its first byte */
    int64_t                  time;         /* us, of the file */
} ngx_media_file_key_t;


/* bytes in the middle of a file that are known at its end */

#define NGX_MEDIA_FILE_PATCHES    4

typedef struct {
    uint64_t                 offset;
    uint32_t                 pos;          /* in the buffer of the call */
    uint32_t                 size;
} ngx_media_file_patch_t;


/* By the ending of a name ("x.flv"); 0: none of ours. */
uint8_t ngx_media_file_kind(const u_char *name, size_t n);

/* ".flv", ".mp4", ".ts"; static. */
const char *ngx_media_file_ending(uint8_t kind);

void ngx_media_file_init(ngx_media_file_t *f, uint8_t kind);

/*
 * Is a state that comes from elsewhere one that can be gone on with, and
 * closed?  1, or 0: of another build, or damaged.
 */
int ngx_media_file_valid(const ngx_media_file_t *f);

/*
 * The timeline of the source begins anew, or another source goes on with the
 * file: the next frame follows the newest one of the file after gap us.
 */
void ngx_media_file_rebase(ngx_media_file_t *f, int64_t gap);

/* Bytes that ngx_media_file_batch() needs for these frames. */
size_t ngx_media_file_room(const ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n);

/*
 * Writes a batch into buf; what lies behind its bytes there is overwritten
 * too.  Returns its bytes, 0 where nothing of it has a form in the file;
 * NGX_MEDIA_DECLINED: this file can not go on with it (a track came or its
 * configuration changed, in MP4; the timeline broke), a new one must be begun
 * with it, f is as before; NGX_MEDIA_ERROR: size is less than
 * ngx_media_file_room() says.  The first batch of a file is never declined:
 * frames that do not fit are left out.
 */
ssize_t ngx_media_file_batch(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, u_char *buf, size_t size);

/*
 * The end.  keys: the index of the whole file.  Returns the bytes in buf; the
 * first *append of them go behind the file, patches[] tells where the others
 * go, *npatches of them.  f->bytes are then those of the whole file.
 * NGX_MEDIA_ERROR: size is too small (64 KB do).
 */
ssize_t ngx_media_file_close(ngx_media_file_t *f,
    const ngx_media_file_key_t *keys, uint32_t nkeys, u_char *buf,
    size_t size, uint32_t *append, ngx_media_file_patch_t *patches,
    uint32_t *npatches);


#endif /* _NGX_MEDIA_FILE_H_INCLUDED_ */
