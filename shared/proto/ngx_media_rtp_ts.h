
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG-TS in datagrams: what a datagram holds, and RTP packets of TS back
 * into their order.
 *
 * A packet that comes before those that precede it waits in a window of 32;
 * when the window is full, or the caller does not want to wait any longer, the
 * missing ones are given up.  What comes twice or too late is left out.  A
 * sender that begins anew (another SSRC, or two packets in a row far from
 * where it was) is followed.
 *
 * Nothing is allocated; payloads are handed out in order and good during the
 * call only.  RFC 3550 5.1 and A.1; RFC 2250 2.
 */


#ifndef _NGX_MEDIA_RTP_TS_H_INCLUDED_
#define _NGX_MEDIA_RTP_TS_H_INCLUDED_


#include <stdint.h>
#include <sys/types.h>


#define NGX_MEDIA_RTP_TS_WINDOW    32       /* packets */
#define NGX_MEDIA_RTP_TS_PAYLOAD   1504     /* bytes; longer ones can not wait:
                                             * those before are given up */


typedef enum {
    NGX_MEDIA_RTP_TS_NONE = 0,              /* nothing of that */
    NGX_MEDIA_RTP_TS_RAW,                   /* TS as it is; it may begin within
                                             * a packet */
    NGX_MEDIA_RTP_TS_RTP                    /* RTP with whole TS packets */
} ngx_media_rtp_ts_kind_e;


typedef struct {
    const u_char           *pos;            /* payload */
    const u_char           *end;
    uint32_t                ssrc;
    uint32_t                timestamp;
    uint16_t                seq;
    uint8_t                 type;
    uint8_t                 marker;
} ngx_media_rtp_ts_packet_t;


typedef struct {
    uint64_t                packets;        /* handed out */
    uint64_t                lost;           /* given up */
    uint64_t                late;           /* twice or too late, left out */
    uint64_t                reordered;      /* behind a later one, in time */
    uint32_t                restarts;
} ngx_media_rtp_ts_stat_t;


/* NGX_MEDIA_OK, or a code that ends the call that hands out */

typedef int (*ngx_media_rtp_ts_payload_pt)(void *ctx, const u_char *pos,
    const u_char *end);


typedef struct {
    uint16_t                size;           /* 0: nothing waits here */
    u_char                  data[NGX_MEDIA_RTP_TS_PAYLOAD];
} ngx_media_rtp_ts_slot_t;


typedef struct {
    ngx_media_rtp_ts_payload_pt  payload;
    void                        *ctx;

    uint32_t                ssrc;
    uint32_t                waiting;        /* packets in the window */
    uint16_t                next;           /* to be handed out */
    uint16_t                bad;            /* behind one that was far away */
    uint8_t                 started;
    uint8_t                 suspect;        /* bad holds */

    ngx_media_rtp_ts_stat_t stat;
    ngx_media_rtp_ts_slot_t slots[NGX_MEDIA_RTP_TS_WINDOW];
} ngx_media_rtp_ts_t;


/* What a datagram alone shows to hold.  RTCP is nothing. */
ngx_media_rtp_ts_kind_e ngx_media_rtp_ts_kind(const u_char *pos,
    const u_char *end);

/*
 * Is a datagram TS that goes on from those before?  Senders that do not care
 * for packets cut TS anywhere, and the rest may be short.  part: bytes that are
 * there of an unfinished packet, 0 at first, kept for the next call.
 */
int ngx_media_rtp_ts_follows(unsigned *part, const u_char *pos,
    const u_char *end);

/*
 * Takes an RTP packet apart.  NGX_MEDIA_OK; NGX_MEDIA_DECLINED: it is none,
 * or RTCP; NGX_MEDIA_ERROR: its header is longer than it is.
 */
int ngx_media_rtp_ts_parse(ngx_media_rtp_ts_packet_t *packet,
    const u_char *pos, const u_char *end);

/* Begins; rtp is of the caller. */
void ngx_media_rtp_ts_init(ngx_media_rtp_ts_t *rtp,
    ngx_media_rtp_ts_payload_pt payload, void *ctx);

/*
 * Takes one packet and hands out what is in order now.  NGX_MEDIA_OK, also
 * where it was left out, or what payload() returned.  Where packets wait then
 * (rtp->waiting), the caller calls _flush() after some time.
 */
int ngx_media_rtp_ts_input(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet);

/* Gives up what is missing, hands out what waits.  As above. */
int ngx_media_rtp_ts_flush(ngx_media_rtp_ts_t *rtp);


#endif /* _NGX_MEDIA_RTP_TS_H_INCLUDED_ */
