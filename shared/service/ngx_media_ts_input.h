
/*
 * Copyright (C) the nginx media suite authors
 *
 * MPEG-TS into frames of a publisher's source (L3): whoever takes it off a
 * wire (HTTP, SRT, UDP) gives its bytes here, in pieces of any size.
 */


#ifndef _NGX_MEDIA_TS_INPUT_H_INCLUDED_
#define _NGX_MEDIA_TS_INPUT_H_INCLUDED_


#include "ngx_media.h"
#include "ngx_media_rc.h"
#include "ngx_media_ts_demux.h"


/* the largest frame, and all that one publisher may make us hold */

#define NGX_MEDIA_INPUT_MAX_FRAME   (16 * 1024 * 1024 - 1)
#define NGX_MEDIA_INPUT_MAX_MEMORY  (48 * 1024 * 1024)


typedef struct {
    ngx_media_session_t    *session;         /* it publishes */
    ngx_log_t              *log;
    ngx_media_ts_demux_t    demux;
    ngx_media_frame_t      *held;            /* their data are allocated */
    ngx_uint_t              nheld;
    ngx_uint_t              nconfigs;        /* that they begin with */
    uint32_t                configs;         /* tracks of those */
    size_t                  bytes;           /* of them */
    int64_t                 first;           /* us, earliest and latest */
    int64_t                 last;
    uint32_t                seen;            /* tracks that had a frame */
    uint32_t                dropped;         /* by the demuxer, told of */
    ngx_msec_t              logged;          /* when it was */
    unsigned                failed:1;        /* the publish can not go on */
} ngx_media_ts_input_t;


/*
 * Begins; s, log and pool live as long as it.  NULL: no memory.  It is to be
 * freed (_free) before pool goes.
 */
ngx_media_ts_input_t *ngx_media_ts_input_create(ngx_pool_t *pool,
    ngx_media_session_t *s, ngx_log_t *log);

/*
 * Publishes what is in a piece.  NGX_OK; NGX_DECLINED: it is no TS, one line
 * was logged; NGX_ERROR: the publish can not go on.
 */
ngx_int_t ngx_media_ts_input(ngx_media_ts_input_t *in, const u_char *pos,
    const u_char *end);

/*
 * About so many bytes before the next piece never came.  Gaps are found by
 * continuity counters, but for the one in sixteen that comes out even.
 */
void ngx_media_ts_input_lost(ngx_media_ts_input_t *in, size_t bytes);

/*
 * The end: frames that wait for more.  As above; NGX_ERROR also where it has
 * failed already.
 */
ngx_int_t ngx_media_ts_input_end(ngx_media_ts_input_t *in);

void ngx_media_ts_input_free(ngx_media_ts_input_t *in);


/*
 * Memory for frames that come in pieces: gives size bytes whose first used are
 * those of buf, or NULL, where buf stays as it was; size 0 frees.  Large
 * buffers of all publishers of a worker together are bounded.
 */
u_char *ngx_media_input_buffer(ngx_log_t *log, u_char *buf, size_t used,
    size_t size);


#endif /* _NGX_MEDIA_TS_INPUT_H_INCLUDED_ */
