
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: private to ngx_media_ts_mux.c and ngx_media_ts_packet.c: bytes into
 * packets.  An out lives on the stack for one frame and gathers packets, so
 * that the caller of the muxer gets some at a time.
 *
 * Whoever writes sets pid and cc; start and flags for the packet that begins
 * next; left to the bytes that come before the next start.
 */


#ifndef _NGX_MEDIA_TS_PACKET_H_INCLUDED_
#define _NGX_MEDIA_TS_PACKET_H_INCLUDED_


#include "ngx_media_ts_mux.h"


#define NGX_MEDIA_TS_BATCH         16       /* packets in one write */


typedef struct {
    ngx_media_ts_mux_t  *mux;
    size_t               left;      /* PES bytes without a packet yet */
    size_t               room;      /* in the current packet */
    u_char              *pos;
    int64_t              pcr;       /* us */
    uint8_t             *cc;
    uint16_t             pid;
    uint8_t              flags;     /* of the adaptation field to come */
    uint8_t              start;     /* 1: the first packet */
    u_char               buf[NGX_MEDIA_TS_BATCH * NGX_MEDIA_TS_PACKET];
} ngx_media_ts_out_t;


void ngx_media_ts_out_init(ngx_media_ts_out_t *o, ngx_media_ts_mux_t *m);

/* Bytes of the payload.  0, or -1 where the writer said so. */
int ngx_media_ts_put(ngx_media_ts_out_t *o, const void *src, size_t n);

/* Begins a packet, which is done where left is 0.  Same returns. */
int ngx_media_ts_packet(ngx_media_ts_out_t *o);

/* Writes what is gathered.  Same returns. */
int ngx_media_ts_out_flush(ngx_media_ts_out_t *o);


#endif /* _NGX_MEDIA_TS_PACKET_H_INCLUDED_ */
