
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG-TS in datagrams, see ngx_media_rtp_ts.h.
 */


#include "ngx_media_rtp_ts.h"

#include "ngx_media_bytes.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_RTP_TS_SYNC      0x47
#define NGX_MEDIA_RTP_TS_PACKET    188

#define NGX_MEDIA_RTP_TS_HEADER    12

/* RFC 3550 A.1: MAX_DROPOUT, MAX_MISORDER */

#define NGX_MEDIA_RTP_TS_AHEAD     3000
#define NGX_MEDIA_RTP_TS_BEHIND    100


static int ngx_media_rtp_ts_synced(const u_char *pos, const u_char *end);
static const u_char *ngx_media_rtp_ts_search(const u_char *pos,
    const u_char *end);
static int ngx_media_rtp_ts_far(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet);
static int ngx_media_rtp_ts_begin(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet);
static int ngx_media_rtp_ts_take(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet);
static int ngx_media_rtp_ts_hold(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet);
static int ngx_media_rtp_ts_advance(ngx_media_rtp_ts_t *rtp, uint16_t to);
static int ngx_media_rtp_ts_ready(ngx_media_rtp_ts_t *rtp);
static int ngx_media_rtp_ts_out(ngx_media_rtp_ts_t *rtp, const u_char *pos,
    const u_char *end);


/* a sync byte wherever a packet begins, from pos on */

static int
ngx_media_rtp_ts_synced(const u_char *pos, const u_char *end)
{
    for ( ;; ) {

        if (pos == end) {
            return 1;
        }

        if (*pos != NGX_MEDIA_RTP_TS_SYNC) {
            return 0;
        }

        if ((size_t) (end - pos) <= NGX_MEDIA_RTP_TS_PACKET) {
            return 1;
        }

        pos += NGX_MEDIA_RTP_TS_PACKET;
    }
}


/*
 * Where the first packet begins in a datagram that begins within one: two sync
 * bytes must show it.  Returns NULL where there are none.
 */

static const u_char *
ngx_media_rtp_ts_search(const u_char *pos, const u_char *end)
{
    size_t  i;

    for (i = 1; i < NGX_MEDIA_RTP_TS_PACKET; i++) {

        if ((size_t) (end - pos) < i + NGX_MEDIA_RTP_TS_PACKET + 1) {
            break;
        }

        if (ngx_media_rtp_ts_synced(pos + i, end)) {
            return pos + i;
        }
    }

    return NULL;
}


ngx_media_rtp_ts_kind_e
ngx_media_rtp_ts_kind(const u_char *pos, const u_char *end)
{
    size_t                     size;
    ngx_media_rtp_ts_packet_t  packet;

    size = (size_t) (end - pos);

    if (size < NGX_MEDIA_RTP_TS_PACKET) {
        return NGX_MEDIA_RTP_TS_NONE;
    }

    if (ngx_media_rtp_ts_synced(pos, end)) {
        return NGX_MEDIA_RTP_TS_RAW;
    }

    if (ngx_media_rtp_ts_parse(&packet, pos, end) == NGX_MEDIA_OK) {

        size = (size_t) (packet.end - packet.pos);

        if (size != 0 && size % NGX_MEDIA_RTP_TS_PACKET == 0
            && ngx_media_rtp_ts_synced(packet.pos, packet.end))
        {
            return NGX_MEDIA_RTP_TS_RTP;
        }
    }

    return ngx_media_rtp_ts_search(pos, end) ? NGX_MEDIA_RTP_TS_RAW
                                             : NGX_MEDIA_RTP_TS_NONE;
}


int
ngx_media_rtp_ts_follows(unsigned *part, const u_char *pos, const u_char *end)
{
    size_t         rest;
    const u_char  *first;

    rest = *part ? NGX_MEDIA_RTP_TS_PACKET - *part : 0;

    if (rest && (size_t) (end - pos) <= rest) {
        *part = (unsigned) (*part + (size_t) (end - pos));
        *part %= NGX_MEDIA_RTP_TS_PACKET;
        return 1;
    }

    first = pos + rest;

    if (first == end) {
        return 0;
    }

    if (!ngx_media_rtp_ts_synced(first, end)) {

        /* one before is missing */

        first = ngx_media_rtp_ts_synced(pos, end)
                ? pos : ngx_media_rtp_ts_search(pos, end);

        if (first == NULL) {
            return 0;
        }
    }

    *part = (unsigned) ((size_t) (end - first) % NGX_MEDIA_RTP_TS_PACKET);

    return 1;
}


int
ngx_media_rtp_ts_parse(ngx_media_rtp_ts_packet_t *packet, const u_char *pos,
    const u_char *end)
{
    u_char  flags;
    size_t  n;

    if ((size_t) (end - pos) < NGX_MEDIA_RTP_TS_HEADER
        || (pos[0] & 0xc0) != 0x80)
    {
        return NGX_MEDIA_DECLINED;
    }

    /* RTCP on the same port: RFC 5761 4 */

    if (pos[1] >= 192 && pos[1] <= 223) {
        return NGX_MEDIA_DECLINED;
    }

    flags = pos[0];

    packet->marker = pos[1] >> 7;
    packet->type = pos[1] & 0x7f;
    packet->seq = ngx_media_get_be16(pos + 2);
    packet->timestamp = ngx_media_get_be32(pos + 4);
    packet->ssrc = ngx_media_get_be32(pos + 8);

    pos += NGX_MEDIA_RTP_TS_HEADER;
    n = (size_t) (flags & 0x0f) * 4;

    if ((size_t) (end - pos) < n) {
        return NGX_MEDIA_ERROR;
    }

    pos += n;

    if (flags & 0x10) {

        if (end - pos < 4) {
            return NGX_MEDIA_ERROR;
        }

        n = (size_t) ngx_media_get_be16(pos + 2) * 4;
        pos += 4;

        if ((size_t) (end - pos) < n) {
            return NGX_MEDIA_ERROR;
        }

        pos += n;
    }

    if (flags & 0x20) {

        if (pos == end || end[-1] == 0 || end - pos < end[-1]) {
            return NGX_MEDIA_ERROR;
        }

        end -= end[-1];
    }

    packet->pos = pos;
    packet->end = end;

    return NGX_MEDIA_OK;
}


void
ngx_media_rtp_ts_init(ngx_media_rtp_ts_t *rtp,
    ngx_media_rtp_ts_payload_pt payload, void *ctx)
{
    memset(rtp, 0, sizeof(ngx_media_rtp_ts_t));

    rtp->payload = payload;
    rtp->ctx = ctx;
}


int
ngx_media_rtp_ts_input(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet)
{
    int      rc;
    int16_t  diff;

    if (!rtp->started || packet->ssrc != rtp->ssrc) {
        return ngx_media_rtp_ts_begin(rtp, packet);
    }

    diff = (int16_t) (uint16_t) (packet->seq - rtp->next);

    if (diff >= NGX_MEDIA_RTP_TS_AHEAD || diff < -NGX_MEDIA_RTP_TS_BEHIND) {
        return ngx_media_rtp_ts_far(rtp, packet);
    }

    rtp->suspect = 0;

    if (diff < 0) {
        rtp->stat.late++;
        return NGX_MEDIA_OK;
    }

    if (diff >= NGX_MEDIA_RTP_TS_WINDOW) {
        rc = ngx_media_rtp_ts_advance(rtp, (uint16_t)
                             (packet->seq - NGX_MEDIA_RTP_TS_WINDOW + 1));

        if (rc != NGX_MEDIA_OK) {
            return rc;
        }
    }

    return ngx_media_rtp_ts_take(rtp, packet);
}


/* far from where it was: believed when the next one follows it */

static int
ngx_media_rtp_ts_far(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet)
{
    if (rtp->suspect && packet->seq == rtp->bad) {
        return ngx_media_rtp_ts_begin(rtp, packet);
    }

    rtp->suspect = 1;
    rtp->bad = (uint16_t) (packet->seq + 1);
    rtp->stat.late++;

    return NGX_MEDIA_OK;
}


static int
ngx_media_rtp_ts_begin(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet)
{
    int  rc;

    if (rtp->started) {
        rtp->stat.restarts++;

        rc = ngx_media_rtp_ts_flush(rtp);

        if (rc != NGX_MEDIA_OK) {
            return rc;
        }
    }

    rtp->started = 1;
    rtp->suspect = 0;
    rtp->ssrc = packet->ssrc;
    rtp->next = packet->seq;

    return ngx_media_rtp_ts_take(rtp, packet);
}


/* it is inside of the window */

static int
ngx_media_rtp_ts_take(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet)
{
    int  rc;

    if (packet->seq != rtp->next) {
        return ngx_media_rtp_ts_hold(rtp, packet);
    }

    if (rtp->waiting) {
        rtp->stat.reordered++;
    }

    rtp->next++;

    rc = ngx_media_rtp_ts_out(rtp, packet->pos, packet->end);

    if (rc != NGX_MEDIA_OK) {
        return rc;
    }

    return ngx_media_rtp_ts_ready(rtp);
}


static int
ngx_media_rtp_ts_hold(ngx_media_rtp_ts_t *rtp,
    const ngx_media_rtp_ts_packet_t *packet)
{
    int                       rc;
    size_t                    size;
    ngx_media_rtp_ts_slot_t  *slot;

    size = (size_t) (packet->end - packet->pos);
    slot = &rtp->slots[packet->seq % NGX_MEDIA_RTP_TS_WINDOW];

    if (slot->size || size == 0) {
        rtp->stat.late++;
        return NGX_MEDIA_OK;
    }

    if (size > NGX_MEDIA_RTP_TS_PAYLOAD) {
        rc = ngx_media_rtp_ts_advance(rtp, packet->seq);

        if (rc != NGX_MEDIA_OK) {
            return rc;
        }

        return ngx_media_rtp_ts_take(rtp, packet);
    }

    slot->size = (uint16_t) size;
    memcpy(slot->data, packet->pos, size);

    rtp->waiting++;

    return NGX_MEDIA_OK;
}


/* what is before that number goes out, or is given up */

static int
ngx_media_rtp_ts_advance(ngx_media_rtp_ts_t *rtp, uint16_t to)
{
    int                       rc;
    size_t                    size;
    ngx_media_rtp_ts_slot_t  *slot;

    while (rtp->next != to) {

        slot = &rtp->slots[rtp->next % NGX_MEDIA_RTP_TS_WINDOW];
        size = slot->size;
        rtp->next++;

        if (size == 0) {
            rtp->stat.lost++;
            continue;
        }

        slot->size = 0;
        rtp->waiting--;

        rc = ngx_media_rtp_ts_out(rtp, slot->data, slot->data + size);

        if (rc != NGX_MEDIA_OK) {
            return rc;
        }
    }

    return ngx_media_rtp_ts_ready(rtp);
}


/* what has waited for its turn */

static int
ngx_media_rtp_ts_ready(ngx_media_rtp_ts_t *rtp)
{
    int                       rc;
    size_t                    size;
    ngx_media_rtp_ts_slot_t  *slot;

    while (rtp->waiting) {

        slot = &rtp->slots[rtp->next % NGX_MEDIA_RTP_TS_WINDOW];
        size = slot->size;

        if (size == 0) {
            break;
        }

        slot->size = 0;
        rtp->waiting--;
        rtp->next++;

        rc = ngx_media_rtp_ts_out(rtp, slot->data, slot->data + size);

        if (rc != NGX_MEDIA_OK) {
            return rc;
        }
    }

    return NGX_MEDIA_OK;
}


int
ngx_media_rtp_ts_flush(ngx_media_rtp_ts_t *rtp)
{
    int  rc;

    while (rtp->waiting) {
        rc = ngx_media_rtp_ts_advance(rtp, (uint16_t) (rtp->next + 1));

        if (rc != NGX_MEDIA_OK) {
            return rc;
        }
    }

    return NGX_MEDIA_OK;
}


static int
ngx_media_rtp_ts_out(ngx_media_rtp_ts_t *rtp, const u_char *pos,
    const u_char *end)
{
    rtp->stat.packets++;

    return rtp->payload(rtp->ctx, pos, end);
}
