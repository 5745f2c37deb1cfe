
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: a range of time as one MP4: what its thread (ngx_media_vod_export.c) and
 * its worker (ngx_media_vod_send.c) share.  All of it is the thread's while a
 * job runs.
 */


#ifndef _NGX_MEDIA_VOD_EXPORT_H_INCLUDED_
#define _NGX_MEDIA_VOD_EXPORT_H_INCLUDED_


#include "ngx_media_vod.h"
#include "ngx_media_mp4_read.h"


/* of one step: memory for headers, parts, bytes in all */

#define NGX_MEDIA_VOD_STEP       ((size_t) 128 * 1024)
#define NGX_MEDIA_VOD_SPANS      128
#define NGX_MEDIA_VOD_BYTES      (8 * 1024 * 1024)


typedef struct ngx_media_vod_piece_s  ngx_media_vod_piece_t;

/* bytes of a file that are in the answer */

struct ngx_media_vod_piece_s {
    ngx_media_vod_piece_t  *next;
    ngx_str_t               name;            /* below the root, 0-terminated */
    ino_t                   inode;
    uint64_t                from;
    uint64_t                to;
    int64_t                 shift;           /* us, to be added to times */
};


/* bytes of a file that are asked for */

typedef struct {
    uint64_t                from;
    uint64_t                to;
    uint64_t                tail;            /* the last key before to */
} ngx_media_vod_pick_t;


/* a part of a step: of the file, or of mem */

typedef struct {
    uint64_t                offset;
    uint64_t                size;
    ngx_uint_t              in_file;
} ngx_media_vod_span_t;


struct ngx_media_vod_export_s {

    /* the plan */
    ngx_media_vod_piece_t  *piece;           /* the one at hand */
    ngx_media_vod_piece_t  *last;
    ngx_uint_t              npieces;
    u_char                 *init;            /* of the first file */
    size_t                  init_size;
    ngx_media_mp4_movie_t   movie;           /* in init */
    uint64_t                total;           /* bytes behind init */
    int64_t                 time;            /* us, of all pieces */
    int64_t                 begin;           /* ms since the epoch, of what is
                                              * in it */
    int64_t                 end;
    unsigned                closed:1;        /* what follows can't be in it */

    /* a step */
    unsigned                done:1;          /* it was the last one */
    ngx_media_vod_file_t    file;
    uint64_t                pos;             /* in the piece's file */
    uint64_t                bytes;           /* of the step */
    uint32_t                sequence;
    u_char                 *mem;             /* heap */
    size_t                  size;
    size_t                  used;
    ngx_uint_t              nspans;
    ngx_media_vod_span_t    spans[NGX_MEDIA_VOD_SPANS];

    /* the worker's */
    ngx_file_t              source;          /* of buffers: ex->file */
};


/* A job: what comes next, into spans; job->status tells of an error. */
void ngx_media_vod_export_step(ngx_media_vod_job_t *job);


#endif /* _NGX_MEDIA_VOD_EXPORT_H_INCLUDED_ */
