
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: frames of a source into MPEG-TS (ISO/IEC 13818-1) for players, whatever
 * protocol carries the packets.  Called by muxers, once per frame and worker,
 * for all players of a wire.
 *
 * Nothing goes before the log: wherever a player may start, the log itself
 * has PAT and PMT, whose continuity counters then fit what follows.  A player
 * that jumps to a newer keyframe finds the counters ahead, by which TS tells
 * that packets are missing.
 */


#ifndef _NGX_MEDIA_TS_WIRE_H_INCLUDED_
#define _NGX_MEDIA_TS_WIRE_H_INCLUDED_


#include "ngx_media.h"
#include "ngx_media_ts_mux.h"


/* the state of a wire, zeroed: ctx_size of the muxer */

typedef struct {
    ngx_media_ts_mux_t  mux;
    uint64_t            next;      /* seq behind the last frame */
} ngx_media_ts_wire_t;


/* Writes the packets of a frame as one message.  NGX_OK or NGX_ERROR. */

typedef ngx_int_t (*ngx_media_ts_wire_pt)(ngx_media_wire_t *w,
    const u_char *p, size_t n);

/* What frame() of a muxer returns. */
ngx_int_t ngx_media_ts_wire_frame(ngx_media_wire_t *w,
    const ngx_media_frame_t *f, ngx_media_ts_wire_pt message);

/* In exit_process of who uses it, once or more: memory of the worker. */
void ngx_media_ts_wire_exit(void);


#endif /* _NGX_MEDIA_TS_WIRE_H_INCLUDED_ */
