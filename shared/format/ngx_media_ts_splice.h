
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: packets of our muxer (ngx_media_ts_mux.h) on their way to one reader,
 * who may have jumped from one frame to a later one: continuity counters go
 * on without a gap, and the first PCR behind the jump has the
 * discontinuity_indicator.  Frames are whole on both sides of it, so that
 * nothing is missing that a counter would have to tell of.
 *
 * It also tells how much time of the stream has gone by.
 *
 * ISO/IEC 13818-1 2.4.3.3 (continuity_counter), 2.4.3.5 (adaptation field).
 */


#ifndef _NGX_MEDIA_TS_SPLICE_H_INCLUDED_
#define _NGX_MEDIA_TS_SPLICE_H_INCLUDED_


#include "ngx_media_ts.h"


#define NGX_MEDIA_TS_SPLICE_PIDS   (NGX_MEDIA_MAX_TRACKS + 2)


/* Zeroed before the first packet; the caller's. */

typedef struct {
    int64_t                 passed;     /* us of the stream, without jumps */
    uint32_t                jumps;
    uint32_t                pcr;        /* of 45 kHz, the last one */
    unsigned                clocked:1;  /* pcr is known */
    uint8_t                 cc[NGX_MEDIA_TS_SPLICE_PIDS];
} ngx_media_ts_splice_t;


/*
 * Goes over n bytes, which are whole packets of the muxer, and changes them
 * where they are.
 */
void ngx_media_ts_splice(ngx_media_ts_splice_t *s, u_char *p, size_t n);


#endif /* _NGX_MEDIA_TS_SPLICE_H_INCLUDED_ */
