
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: RTMP chunk stream writer, ready-made control messages and the aggregate
 * iterator, declared in ngx_media_rtmp_chunk.h.  Writes into memory of the
 * caller, who has asked for the exact size before.
 *
 * Adobe RTMP specification 1.0, sections 5.3.1, 5.4, 7.1.6 and 7.1.7.
 */


#include "ngx_media_bytes.h"
#include "ngx_media_rtmp_chunk.h"


#define TAG_HEADER  11


static u_char *
ngx_media_rtmp_write_basic(u_char *p, unsigned fmt, uint32_t csid)
{
    if (csid < 64) {
        *p++ = (u_char) (fmt << 6 | csid);
        return p;
    }

    csid -= 64;

    if (csid < 256) {
        *p++ = (u_char) (fmt << 6);
        *p++ = (u_char) csid;
        return p;
    }

    *p++ = (u_char) (fmt << 6 | 1);
    *p++ = (u_char) csid;
    *p++ = (u_char) (csid >> 8);

    return p;
}


size_t
ngx_media_rtmp_header3_size(uint32_t csid, uint32_t ts)
{
    size_t  n;

    n = (csid < 64) ? 1 : (csid < 320) ? 2 : 3;

    return (ts >= NGX_MEDIA_RTMP_EXT_TIMESTAMP) ? n + 4 : n;
}


size_t
ngx_media_rtmp_header_size(uint32_t csid, uint32_t ts)
{
    return ngx_media_rtmp_header3_size(csid, ts) + 11;
}


size_t
ngx_media_rtmp_message_size(size_t len, uint32_t chunk_size, uint32_t csid,
    uint32_t ts)
{
    size_t  more;

    more = len ? (len - 1) / chunk_size : 0;

    return ngx_media_rtmp_header_size(csid, ts) + len
           + more * ngx_media_rtmp_header3_size(csid, ts);
}


u_char *
ngx_media_rtmp_write_header(u_char *p, uint32_t csid, uint32_t ts,
    uint32_t len, unsigned type, uint32_t msid)
{
    int  ext;

    ext = (ts >= NGX_MEDIA_RTMP_EXT_TIMESTAMP);

    p = ngx_media_rtmp_write_basic(p, 0, csid);
    p = ngx_media_put_be24(p, ext ? NGX_MEDIA_RTMP_EXT_TIMESTAMP : ts);
    p = ngx_media_put_be24(p, len);
    *p++ = (u_char) type;
    p = ngx_media_put_le32(p, msid);

    return ext ? ngx_media_put_be32(p, ts) : p;
}


u_char *
ngx_media_rtmp_write_header3(u_char *p, uint32_t csid, uint32_t ts)
{
    p = ngx_media_rtmp_write_basic(p, 3, csid);

    return (ts >= NGX_MEDIA_RTMP_EXT_TIMESTAMP) ? ngx_media_put_be32(p, ts)
                                                : p;
}


u_char *
ngx_media_rtmp_write_message(u_char *p, uint32_t csid, uint32_t ts,
    unsigned type, uint32_t msid, uint32_t chunk_size, const u_char *prefix,
    size_t prefix_len, const u_char *payload, size_t len)
{
    size_t  n, left, total;

    total = prefix_len + len;

    p = ngx_media_rtmp_write_header(p, csid, ts, (uint32_t) total, type, msid);

    for ( ;; ) {
        left = (total < chunk_size) ? total : chunk_size;
        total -= left;

        n = (prefix_len < left) ? prefix_len : left;

        p = ngx_media_put(p, prefix, n);
        prefix_len -= n;

        if (prefix_len) {
            prefix += n;

        } else if (left > n) {
            p = ngx_media_put(p, payload, left - n);
            payload += left - n;
        }

        if (total == 0) {
            return p;
        }

        p = ngx_media_rtmp_write_header3(p, csid, ts);
    }
}


static u_char *
ngx_media_rtmp_write_control(u_char *p, unsigned type, uint32_t len)
{
    return ngx_media_rtmp_write_header(p, NGX_MEDIA_RTMP_CSID_CONTROL, 0, len,
                                       type, 0);
}


u_char *
ngx_media_rtmp_write_chunk_size(u_char *p, uint32_t size)
{
    p = ngx_media_rtmp_write_control(p, NGX_MEDIA_RTMP_SET_CHUNK_SIZE, 4);

    return ngx_media_put_be32(p, size & 0x7fffffff);
}


u_char *
ngx_media_rtmp_write_abort(u_char *p, uint32_t csid)
{
    p = ngx_media_rtmp_write_control(p, NGX_MEDIA_RTMP_ABORT, 4);

    return ngx_media_put_be32(p, csid);
}


u_char *
ngx_media_rtmp_write_ack(u_char *p, uint32_t in_bytes)
{
    p = ngx_media_rtmp_write_control(p, NGX_MEDIA_RTMP_ACK, 4);

    return ngx_media_put_be32(p, in_bytes);
}


u_char *
ngx_media_rtmp_write_window_ack_size(u_char *p, uint32_t size)
{
    p = ngx_media_rtmp_write_control(p, NGX_MEDIA_RTMP_WINDOW_ACK_SIZE, 4);

    return ngx_media_put_be32(p, size);
}


u_char *
ngx_media_rtmp_write_peer_bandwidth(u_char *p, uint32_t size, unsigned limit)
{
    p = ngx_media_rtmp_write_control(p, NGX_MEDIA_RTMP_SET_PEER_BANDWIDTH, 5);
    p = ngx_media_put_be32(p, size);
    *p++ = (u_char) limit;

    return p;
}


u_char *
ngx_media_rtmp_write_user(u_char *p, unsigned event, uint32_t arg)
{
    p = ngx_media_rtmp_write_control(p, NGX_MEDIA_RTMP_USER, 6);
    p = ngx_media_put_be16(p, event);

    return ngx_media_put_be32(p, arg);
}


u_char *
ngx_media_rtmp_write_buffer_length(u_char *p, uint32_t msid, uint32_t ms)
{
    p = ngx_media_rtmp_write_control(p, NGX_MEDIA_RTMP_USER, 10);
    p = ngx_media_put_be16(p, NGX_MEDIA_RTMP_SET_BUFFER_LENGTH);
    p = ngx_media_put_be32(p, msid);

    return ngx_media_put_be32(p, ms);
}


void
ngx_media_rtmp_aggregate_init(ngx_media_rtmp_aggregate_t *a,
    const u_char *pos, const u_char *end, uint32_t timestamp)
{
    a->pos = pos;
    a->end = end;
    a->base = timestamp;
    a->first = 0;
    a->started = 0;
}


int
ngx_media_rtmp_aggregate_next(ngx_media_rtmp_aggregate_t *a,
    ngx_media_rtmp_sub_t *sub)
{
    size_t         left;
    uint32_t       ts;
    const u_char  *p;

    p = a->pos;
    left = (size_t) (a->end - p);

    if (left == 0) {
        return 0;
    }

    if (left < TAG_HEADER) {
        return -1;
    }

    sub->type = p[0];
    sub->len = ngx_media_get_be24(p + 1);
    ts = ngx_media_get_be24(p + 4) | (uint32_t) p[7] << 24;

    p += TAG_HEADER;
    left -= TAG_HEADER;

    if (left < sub->len) {
        return -1;
    }

    sub->data = p;

    if (!a->started) {
        a->started = 1;
        a->first = ts;
    }

    sub->timestamp = a->base + (ts - a->first);

    p += sub->len;
    left -= sub->len;

    /* back pointer; the last one may be missing, damage shows next time */

    a->pos = (left < 4) ? p : p + 4;

    return 1;
}
