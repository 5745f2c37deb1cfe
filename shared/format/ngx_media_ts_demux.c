
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG-TS demuxer: packets and PES.
 *
 *     span -> packet (in place, or put together in d->packet)
 *          -> ngx_media_ts_psi(): sections -> programs -> streams
 *          -> PES header -> s->es -> ngx_media_ts_es(): frames
 *
 * A PES that tells its length is done with its last byte, another one when
 * the next begins.  A PES of video without a time goes on with the access
 * unit of the one before, as encoders cut large ones into pieces.
 */


#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_timeline.h"
#include "ngx_media_ts_demux.h"


#define NGX_MEDIA_TS_FIRST_BUF     4096
#define NGX_MEDIA_TS_CUT           60000    /* length of a PES that may be a
                                             * piece of an access unit */
#define NGX_MEDIA_TS_MAX_TICKS     ((int64_t) 1 << 55)


static int ngx_media_ts_demux_search(ngx_media_ts_demux_t *d);
static void ngx_media_ts_demux_junk(ngx_media_ts_demux_t *d, size_t n);
static void ngx_media_ts_demux_packet(ngx_media_ts_demux_t *d,
    const u_char *p);

static void ngx_media_ts_demux_stream(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s, const u_char *p, const u_char *pos,
    unsigned flags);
static void ngx_media_ts_demux_lost(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s);
static void ngx_media_ts_demux_pes(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s, const u_char *pos, const u_char *end);
static const u_char *ngx_media_ts_demux_head(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s, const u_char *pos, const u_char *end);
static void ngx_media_ts_demux_begin(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s);
static int ngx_media_ts_demux_times(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s, int64_t *pts, int64_t *dts);
static uint64_t ngx_media_ts_demux_time(const u_char *p);


void
ngx_media_ts_demux_init(ngx_media_ts_demux_t *d, ngx_media_ts_frame_pt frame,
    ngx_media_ts_buffer_pt buffer, void *ctx, unsigned program,
    size_t max_frame, size_t max_memory)
{
    memset(d, 0, sizeof(ngx_media_ts_demux_t));

    d->frame = frame;
    d->buffer = buffer;
    d->ctx = ctx;
    d->want = (uint16_t) program;
    d->max_frame = max_frame;
    d->max_memory = max_memory;
    d->pmt_pid = NGX_MEDIA_TS_PID_NULL;
    d->pcr_pid = NGX_MEDIA_TS_PID_NULL;
    d->pat.cc = 0xff;
    d->pmt.cc = 0xff;
}


int
ngx_media_ts_demux(ngx_media_ts_demux_t *d, const u_char *pos,
    const u_char *end)
{
    size_t  n, need;

    d->stat.bytes += (size_t) (end - pos);

    while (pos < end && d->error == NGX_MEDIA_OK) {

        if (d->locked && d->have == 0
            && (size_t) (end - pos) >= NGX_MEDIA_TS_PACKET)
        {
            if (*pos == NGX_MEDIA_TS_SYNC) {
                ngx_media_ts_demux_packet(d, pos);
                pos += NGX_MEDIA_TS_PACKET;
                continue;
            }

            d->locked = 0;
            d->stat.resyncs++;
        }

        /* out of step it takes the sync byte of the next packet too */

        need = NGX_MEDIA_TS_PACKET + (d->locked ? 0 : 1);

        n = need - d->have;
        n = (size_t) (end - pos) < n ? (size_t) (end - pos) : n;

        memcpy(d->packet + d->have, pos, n);
        d->have = (uint8_t) (d->have + n);
        pos += n;

        if (d->have < need) {
            break;
        }

        if (d->locked && d->packet[0] == NGX_MEDIA_TS_SYNC) {
            d->have = 0;
            ngx_media_ts_demux_packet(d, d->packet);
            continue;
        }

        if (d->locked) {
            d->locked = 0;
            d->stat.resyncs++;
            continue;
        }

        if (ngx_media_ts_demux_search(d)) {
            d->locked = 1;
            d->run = 0;
            d->have = 0;
            pos--;                           /* begins the next packet */
            ngx_media_ts_demux_packet(d, d->packet);
        }
    }

    return d->error;
}


/*
 * d->packet is full: 1 where a packet is in it and the next one begins behind
 * it, else it moves to the next byte that may begin one.
 */

static int
ngx_media_ts_demux_search(ngx_media_ts_demux_t *d)
{
    u_char  *p;
    size_t   n;

    if (d->packet[0] == NGX_MEDIA_TS_SYNC
        && d->packet[NGX_MEDIA_TS_PACKET] == NGX_MEDIA_TS_SYNC)
    {
        return 1;
    }

    p = memchr(d->packet + 1, NGX_MEDIA_TS_SYNC, NGX_MEDIA_TS_PACKET);
    n = p ? (size_t) (p - d->packet) : NGX_MEDIA_TS_PACKET + 1;

    memmove(d->packet, d->packet + n, sizeof(d->packet) - n);
    d->have = (uint8_t) (sizeof(d->packet) - n);

    ngx_media_ts_demux_junk(d, n);

    return 0;
}


static void
ngx_media_ts_demux_junk(ngx_media_ts_demux_t *d, size_t n)
{
    d->stat.junk += (uint32_t) n;
    d->run += (uint32_t) n;

    if (d->run > NGX_MEDIA_TS_JUNK) {
        d->error = NGX_MEDIA_ERROR;
    }
}


void
ngx_media_ts_demux_gap(ngx_media_ts_demux_t *d, size_t bytes)
{
    unsigned                i;
    ngx_media_ts_stream_t  *s;

    if (d->have) {
        ngx_media_ts_demux_junk(d, d->have);
        d->have = 0;
        d->locked = 0;
    }

    if (bytes < NGX_MEDIA_TS_PACKET * 16) {
        return;
    }

    for (i = 0; i < d->nstreams; i++) {
        s = &d->streams[i];

        if (s->cc == 0xff) {
            continue;
        }

        d->stat.cc_errors++;
        ngx_media_ts_demux_lost(d, s);
        s->cc = 0xff;
        s->repeated = 0;
    }
}


int
ngx_media_ts_demux_flush(ngx_media_ts_demux_t *d)
{
    int                     whole;
    unsigned                i;
    ngx_media_ts_stream_t  *s;

    if (d->error == NGX_MEDIA_OK && d->packet[0] == NGX_MEDIA_TS_SYNC
        && d->have == NGX_MEDIA_TS_PACKET)
    {
        /* the only packet of all, or the first after junk */

        d->have = 0;
        ngx_media_ts_demux_packet(d, d->packet);
    }

    for (i = 0; i < d->nstreams && d->error == NGX_MEDIA_OK; i++) {
        s = &d->streams[i];

        if (s->es.used && !s->heading) {
            whole = s->length == 0 || s->left == 0;

            if (!whole) {
                d->stat.dropped++;
            }

            ngx_media_ts_es(d, s, whole);
        }

        s->open = 0;
        s->heading = 0;
        s->es.used = 0;
    }

    return d->error;
}


void
ngx_media_ts_demux_close(ngx_media_ts_demux_t *d)
{
    unsigned  i;

    for (i = 0; i < d->nstreams; i++) {
        ngx_media_ts_stream_free(d, &d->streams[i]);
    }

    d->nstreams = 0;

    if (d->out.data) {
        (void) d->buffer(d->ctx, d->out.data, 0, 0);
        d->memory -= d->out.size;
        memset(&d->out, 0, sizeof(ngx_media_ts_buf_t));
    }
}


void
ngx_media_ts_stream_free(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s)
{
    if (s->es.data) {

        if (s->es.used && s->length == 0 && !s->heading
            && d->error == NGX_MEDIA_OK)
        {
            ngx_media_ts_es(d, s, 1);
        }

        (void) d->buffer(d->ctx, s->es.data, 0, 0);
        d->memory -= s->es.size;
    }

    if (s->sets) {
        (void) d->buffer(d->ctx, s->sets, 0, 0);
        d->memory -= NGX_MEDIA_TS_SETS * NGX_MEDIA_TS_SET;
    }

    s->es.data = NULL;
    s->es.used = 0;
    s->sets = NULL;
}


int
ngx_media_ts_room(ngx_media_ts_demux_t *d, ngx_media_ts_buf_t *b, size_t size)
{
    size_t   n;
    u_char  *p;

    if (size <= b->size) {
        return NGX_MEDIA_OK;
    }

    n = b->size ? b->size : NGX_MEDIA_TS_FIRST_BUF;

    while (n < size) {
        n *= 2;
    }

    if (n - b->size > d->max_memory - d->memory) {
        n = size;
    }

    if (n - b->size > d->max_memory - d->memory) {
        return NGX_MEDIA_ERROR;
    }

    p = d->buffer(d->ctx, b->data, b->used, n);

    if (p == NULL) {
        return NGX_MEDIA_ERROR;
    }

    d->memory += n - b->size;
    b->data = p;
    b->size = n;

    return NGX_MEDIA_OK;
}


/* Packets: 13818-1 2.4.3.2 */

static void
ngx_media_ts_demux_packet(ngx_media_ts_demux_t *d, const u_char *p)
{
    unsigned                i, pid, flags, field;
    const u_char           *pos, *end;
    ngx_media_ts_stream_t  *s;

    d->stat.packets++;

    if (p[1] & 0x80) {                       /* transport_error_indicator */
        d->stat.tei++;
        return;
    }

    pid = ngx_media_get_be16(p + 1) & 0x1fff;
    pos = p + 4;
    end = p + NGX_MEDIA_TS_PACKET;
    flags = 0;

    if (p[3] & 0x20) {
        field = *pos++;

        if (field > (size_t) (end - pos)) {
            return;
        }

        if (field) {
            flags = *pos;
        }

        pos += field;
    }

    if (!(p[3] & 0x10)) {
        pos = end;
    }

    if (flags & NGX_MEDIA_TS_AF_BREAK) {
        for (i = 0; i < d->nstreams; i++) {
            if (pid == d->pcr_pid || pid == d->streams[i].pid) {
                d->streams[i].breaks = 1;
            }
        }
    }

    if (pos == end) {
        return;
    }

    if (pid == NGX_MEDIA_TS_PID_PAT || pid == d->pmt_pid) {
        ngx_media_ts_psi(d, pid ? &d->pmt : &d->pat, p[3] & 15,
                         p[1] & 0x40, pos, end);
        return;
    }

    for (i = 0; i < d->nstreams; i++) {
        s = &d->streams[i];

        if (s->pid == pid) {

            if (p[3] & 0xc0) {
                d->scrambled = 1;
                return;
            }

            ngx_media_ts_demux_stream(d, s, p, pos, flags);
            return;
        }
    }
}


/* PES: 13818-1 2.4.3.6 */

static void
ngx_media_ts_demux_stream(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    const u_char *p, const u_char *pos, unsigned flags)
{
    unsigned       cc;
    const u_char  *end;

    cc = p[3] & 15;
    end = p + NGX_MEDIA_TS_PACKET;

    if (s->cc == cc && !s->repeated && !(flags & NGX_MEDIA_TS_AF_BREAK)) {
        s->repeated = 1;                     /* a packet may come twice */
        return;
    }

    if (s->cc != 0xff && ((s->cc + 1u) & 15) != cc
        && !(flags & NGX_MEDIA_TS_AF_BREAK))
    {
        d->stat.cc_errors++;
        ngx_media_ts_demux_lost(d, s);
    }

    s->cc = (uint8_t) cc;
    s->repeated = 0;

    if (p[1] & 0x40) {
        s->open = 1;
        s->heading = 1;
        s->head_size = 0;
        s->head_left = 9;
    }

    if (s->open) {
        ngx_media_ts_demux_pes(d, s, pos, end);
    }
}


/* Packets are missing: what is there of audio is used up to there. */

static void
ngx_media_ts_demux_lost(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s)
{
    int  cut;

    cut = s->open || s->es.used;

    if (s->es.used && !s->heading) {
        ngx_media_ts_es(d, s, 0);
    }

    if (cut) {
        d->stat.dropped++;
    }

    s->es.used = 0;
    s->mark = 0;
    s->fresh = 0;
    s->open = 0;
    s->heading = 0;
}


static void
ngx_media_ts_demux_pes(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    const u_char *pos, const u_char *end)
{
    size_t  n;

    if (s->heading) {
        pos = ngx_media_ts_demux_head(d, s, pos, end);

        if (pos == NULL || s->heading) {
            return;
        }
    }

    n = (size_t) (end - pos);

    if (s->length && n > s->left) {
        n = s->left;
    }

    if (n == 0) {
        return;
    }

    if (n > d->max_frame || s->es.used > d->max_frame - n
        || ngx_media_ts_room(d, &s->es, s->es.used + n) != NGX_MEDIA_OK)
    {
        d->stat.dropped++;
        s->es.used = 0;
        s->mark = 0;
        s->fresh = 0;
        s->open = 0;
        return;
    }

    (void) ngx_media_put(s->es.data + s->es.used, pos, n);
    s->es.used += n;

    if (s->length == 0) {
        return;
    }

    s->left -= (uint32_t) n;

    if (s->left == 0) {
        s->open = 0;

        if (!ngx_media_codec_is_video(s->codec)
            || s->length < NGX_MEDIA_TS_CUT)
        {
            ngx_media_ts_es(d, s, 1);
        }
    }
}


/*
 * Reads the header, which may be in several packets.  Returns where the
 * payload begins, or NULL: this PES is not for us.
 */

static const u_char *
ngx_media_ts_demux_head(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    const u_char *pos, const u_char *end)
{
    size_t  n;

    while (s->head_left) {

        n = (size_t) (end - pos);

        if (n == 0) {
            return pos;
        }

        if (s->head_size == sizeof(s->head)) {
            n = n < s->head_left ? n : s->head_left;
            s->head_left = (uint16_t) (s->head_left - n);
            pos += n;
            continue;
        }

        s->head[s->head_size++] = *pos++;
        s->head_left--;

        if (s->head_size < 9) {
            continue;
        }

        if (s->head_size == 9) {

            if (ngx_media_get_be24(s->head) != 1 || (s->head[6] & 0xc0) != 0x80)
            {
                s->open = 0;
                s->heading = 0;
                d->stat.dropped++;
                return NULL;
            }

            s->head_left = s->head[8];
        }
    }

    s->heading = 0;

    ngx_media_ts_demux_begin(d, s);

    return s->open ? pos : NULL;
}


/* The header is there: ends the PES before and begins this one. */

static void
ngx_media_ts_demux_begin(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s)
{
    int       timed, video;
    int64_t   pts, dts;
    uint32_t  length, head;

    video = ngx_media_codec_is_video(s->codec);
    timed = ngx_media_ts_demux_times(d, s, &pts, &dts);

    if (s->es.used && (timed || !video)) {

        /* a PES that told its length and did not come to it is cut off */

        ngx_media_ts_es(d, s, s->length == 0 || s->left == 0);

        if (s->length && s->left) {
            s->es.used = 0;
            d->stat.dropped++;
        }
    }

    length = ngx_media_get_be16(s->head + 4);
    head = 3u + s->head[8];

    s->length = length;
    s->left = 0;

    if (length) {
        if (length < head) {
            s->open = 0;
            d->stat.dropped++;
            return;
        }

        s->left = length - head;

        if (s->left == 0) {
            s->open = 0;
        }
    }

    if (s->breaks) {
        s->breaks = 0;
        s->broken = 1;
    }

    if (timed) {
        if (video && s->timed && dts > s->dts
            && dts - s->dts <= NGX_MEDIA_TS_HZ)
        {
            s->step = (uint32_t) (dts - s->dts);
        }

        s->pts = pts;
        s->dts = dts;
        s->timed = 1;
        s->fresh = 1;
        s->mark = s->es.used;

    } else if (s->es.used == 0) {
        s->mark = 0;
    }
}


/* PTS and DTS of the header in us; 0: there are none. */

static int
ngx_media_ts_demux_times(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    int64_t *pts, int64_t *dts)
{
    uint64_t       t;
    const u_char  *p;

    p = s->head;

    if (!(p[7] & 0x80) || s->head_size < 14) {
        return 0;
    }

    t = ngx_media_ts_demux_time(p + 9);

    if ((p[7] & 0x40) && s->head_size == 19) {
        *dts = (int64_t) ngx_media_ts_demux_time(p + 14);

    } else {
        *dts = (int64_t) t;
    }

    if (d->timed && d->last < NGX_MEDIA_TS_MAX_TICKS
        && d->last > -NGX_MEDIA_TS_MAX_TICKS)
    {
        *dts = ngx_media_unwrap(d->last, (uint64_t) *dts, 33);
    }

    d->last = *dts;
    d->timed = 1;

    *pts = ngx_media_unwrap(*dts, t, 33);

    return 1;
}


static uint64_t
ngx_media_ts_demux_time(const u_char *p)
{
    return (uint64_t) (p[0] & 0x0e) << 29
           | (uint64_t) (ngx_media_get_be16(p + 1) >> 1) << 15
           | ngx_media_get_be16(p + 3) >> 1;
}
