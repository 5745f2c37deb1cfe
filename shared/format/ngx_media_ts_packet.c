
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG-TS muxer, packets: adaptation fields with PCR and stuffing, PAT
 * and PMT, the CRC of both ways.
 *
 * ISO/IEC 13818-1 2.4.3.2 to 2.4.3.5, 2.4.4 and annex A.
 */


#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_ts_packet.h"


static u_char *ngx_media_ts_pmt(ngx_media_ts_mux_t *m, u_char *p);
static u_char *ngx_media_ts_pmt_track(ngx_media_ts_mux_track_t *t,
    unsigned pid, u_char *p);
static int ngx_media_ts_mux_section(ngx_media_ts_out_t *o, unsigned pid,
    uint8_t *cc, const u_char *section, u_char *end);
static u_char *ngx_media_ts_adaptation(ngx_media_ts_out_t *o, u_char *p,
    size_t size);


int
ngx_media_ts_mux_tables(ngx_media_ts_mux_t *m)
{
    u_char              *p, section[NGX_MEDIA_TS_MAX_SECTION];
    ngx_media_ts_out_t   out;

    ngx_media_ts_out_init(&out, m);

    p = section;
    *p++ = NGX_MEDIA_TS_TABLE_PAT;
    p = ngx_media_put_be16(p, 0xb000 | (5 + 4 + 4));
    p = ngx_media_put_be16(p, 1);            /* transport_stream_id */
    *p++ = 0xc1;                             /* version 0, current */
    p = ngx_media_put_be16(p, 0);            /* section 0 of 0 */
    p = ngx_media_put_be16(p, 1);            /* program 1 */
    p = ngx_media_put_be16(p, 0xe000 | NGX_MEDIA_TS_MUX_PMT);

    if (ngx_media_ts_mux_section(&out, NGX_MEDIA_TS_PID_PAT, &m->pat_cc,
                                 section, p)
        != 0)
    {
        return NGX_MEDIA_ERROR;
    }

    p = ngx_media_ts_pmt(m, section);

    if (ngx_media_ts_mux_section(&out, NGX_MEDIA_TS_MUX_PMT, &m->pmt_cc,
                                 section, p)
        != 0
        || ngx_media_ts_out_flush(&out) != 0)
    {
        return NGX_MEDIA_ERROR;
    }

    m->have_tables = 1;
    m->changed = 0;

    return NGX_MEDIA_OK;
}


static u_char *
ngx_media_ts_pmt(ngx_media_ts_mux_t *m, u_char *p)
{
    u_char    *start;
    unsigned   i, pcr;

    start = p;
    pcr = NGX_MEDIA_TS_PID_NULL;

    if (m->pcr_track != 0xff) {
        pcr = NGX_MEDIA_TS_MUX_PID + m->pcr_track;
    }

    p += 3;
    p = ngx_media_put_be16(p, 1);            /* program_number */
    *p++ = (u_char) (0xc1 | m->version << 1);
    p = ngx_media_put_be16(p, 0);
    p = ngx_media_put_be16(p, 0xe000 | pcr);
    p = ngx_media_put_be16(p, 0xf000);       /* no program_info */

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        if (m->tracks[i].codec != NGX_MEDIA_CODEC_NONE) {
            p = ngx_media_ts_pmt_track(&m->tracks[i],
                                       NGX_MEDIA_TS_MUX_PID + i, p);
        }
    }

    start[0] = NGX_MEDIA_TS_TABLE_PMT;
    (void) ngx_media_put_be16(start + 1,
                              0xb000 | (uint32_t) (p - start - 3 + 4));

    return p;
}


static u_char *
ngx_media_ts_pmt_track(ngx_media_ts_mux_track_t *t, unsigned pid, u_char *p)
{
    u_char      *start;
    const char  *format;

    *p++ = t->type;
    p = ngx_media_put_be16(p, 0xe000 | pid);

    start = p;
    p += 2;

    switch (t->codec) {

    case NGX_MEDIA_CODEC_HEVC:
        format = "HEVC";
        break;

    case NGX_MEDIA_CODEC_OPUS:
        format = "Opus";
        break;

    case NGX_MEDIA_CODEC_AC3:
        format = "AC-3";
        break;

    case NGX_MEDIA_CODEC_EAC3:
        format = "EAC3";
        break;

    default:
        format = NULL;
    }

    if (format) {
        *p++ = NGX_MEDIA_TS_DESC_FORMAT;
        *p++ = 4;
        p = ngx_media_put(p, format, 4);
    }

    if (t->codec == NGX_MEDIA_CODEC_OPUS) {
        *p++ = NGX_MEDIA_TS_DESC_EXT;
        *p++ = 2;
        *p++ = NGX_MEDIA_TS_EXT_OPUS;
        *p++ = t->channels;
    }

    (void) ngx_media_put_be16(start, 0xf000 | (uint32_t) (p - start - 2));

    return p;
}


/* A section and its CRC, for which there is room behind its end. */

static int
ngx_media_ts_mux_section(ngx_media_ts_out_t *o, unsigned pid, uint8_t *cc,
    const u_char *section, u_char *end)
{
    size_t  n;

    end = ngx_media_put_be32(end, ngx_media_ts_crc(section, end));

    o->pid = (uint16_t) pid;
    o->cc = cc;
    o->start = 1;
    o->room = 0;

    n = (size_t) (end - section);

    /* what is left of the last packet is filled with 0xff, no adaptation */

    o->left = ((n + 1 + 183) / 184) * 184;

    if (ngx_media_ts_put(o, "", 1) != 0 || ngx_media_ts_put(o, section, n)) {
        return -1;
    }

    memset(o->pos, 0xff, o->room);

    o->pos += o->room;
    o->room = 0;
    o->left = 0;

    return 0;
}


/* Packets */

void
ngx_media_ts_out_init(ngx_media_ts_out_t *o, ngx_media_ts_mux_t *m)
{
    memset(o, 0, offsetof(ngx_media_ts_out_t, buf));

    o->mux = m;
    o->pos = o->buf;
}


int
ngx_media_ts_put(ngx_media_ts_out_t *o, const void *src, size_t n)
{
    size_t         part;
    const u_char  *p;

    p = src;

    while (n) {

        if (o->room == 0 && ngx_media_ts_packet(o) != 0) {
            return -1;
        }

        part = n < o->room ? n : o->room;

        o->pos = ngx_media_put(o->pos, p, part);
        o->room -= part;
        o->left -= part;

        p += part;
        n -= part;
    }

    return 0;
}


/* Begins a packet: what is left fills it, or stuffing does. */

int
ngx_media_ts_packet(ngx_media_ts_out_t *o)
{
    u_char  *p;
    size_t   field, payload;

    if (o->pos == o->buf + sizeof(o->buf) && ngx_media_ts_out_flush(o) != 0) {
        return -1;
    }

    field = 0;

    if (o->flags) {
        field = (o->flags & NGX_MEDIA_TS_AF_PCR) ? 8 : 2;
    }

    payload = NGX_MEDIA_TS_PACKET - 4 - field;

    if (o->left < payload) {
        field += payload - o->left;
        payload = o->left;
    }

    if (payload) {
        *o->cc = (*o->cc + 1) & 15;
    }

    p = o->pos;

    *p++ = NGX_MEDIA_TS_SYNC;
    p = ngx_media_put_be16(p, (uint32_t) (o->start ? 0x4000 : 0) | o->pid);

    /* the counter is that of the last packet with payload */

    *p++ = (u_char) ((field ? 0x20 : 0) | (payload ? 0x10 : 0)
                     | ((*o->cc - 1) & 15));

    if (field) {
        p = ngx_media_ts_adaptation(o, p, field);
    }

    o->pos = p;
    o->room = payload;
    o->start = 0;
    o->flags = 0;

    return 0;
}


/* An adaptation field of size bytes. */

static u_char *
ngx_media_ts_adaptation(ngx_media_ts_out_t *o, u_char *p, size_t size)
{
    u_char    *end;
    uint64_t   clock, base;

    end = p + size;
    *p++ = (u_char) (size - 1);

    if (size == 1) {
        return p;
    }

    *p++ = o->flags;

    if (o->flags & NGX_MEDIA_TS_AF_PCR) {
        clock = (uint64_t) o->pcr * 27;

        if (o->pcr < 0) {
            clock = 300 * ((uint64_t) 1 << 33) - (uint64_t) -o->pcr * 27;
        }

        base = clock / 300 & 0x1ffffffff;

        p = ngx_media_put_be32(p, (uint32_t) (base >> 1));
        p = ngx_media_put_be16(p, (uint32_t) (base & 1) << 15 | 0x7e00
                                  | (uint32_t) (clock % 300));
    }

    memset(p, 0xff, (size_t) (end - p));

    return end;
}


int
ngx_media_ts_out_flush(ngx_media_ts_out_t *o)
{
    size_t  n;

    n = (size_t) (o->pos - o->buf);
    o->pos = o->buf;

    if (n && o->mux->write(o->mux->ctx, o->buf, n) != NGX_MEDIA_OK) {
        return -1;
    }

    return 0;
}


int
ngx_media_ts_write_room(void *ctx, const u_char *p, size_t n)
{
    ngx_media_ts_room_t  *room = ctx;

    if ((size_t) (room->end - room->pos) < n) {
        return NGX_MEDIA_ERROR;
    }

    room->pos = ngx_media_put(room->pos, p, n);

    return NGX_MEDIA_OK;
}


/* The polynomial 0x04c11db7 by four bits at a time. */

uint32_t
ngx_media_ts_crc(const u_char *pos, const u_char *end)
{
    uint32_t  crc;

    static const uint32_t  table[16] = {
        0x00000000, 0x04c11db7, 0x09823b6e, 0x0d4326d9,
        0x130476dc, 0x17c56b6b, 0x1a864db2, 0x1e475005,
        0x2608edb8, 0x22c9f00f, 0x2f8ad6d6, 0x2b4bcb61,
        0x350c9b64, 0x31cd86d3, 0x3c8ea00a, 0x384fbdbd
    };

    crc = 0xffffffff;

    for ( /* void */ ; pos < end; pos++) {
        crc ^= (uint32_t) *pos << 24;
        crc = crc << 4 ^ table[crc >> 28];
        crc = crc << 4 ^ table[crc >> 28];
    }

    return crc;
}
