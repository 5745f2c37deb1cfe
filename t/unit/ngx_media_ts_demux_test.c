
/*
 * Copyright (C) the nginx media suite authors
 *
 * The MPEG-TS demuxer: what the muxer wrote comes back; pieces of all sizes,
 * packets that are lost, damaged, repeated; tables that change; access units
 * and audio frames that do not end where a PES does.
 */


#include "ngx_media_ts_test.h"
#include "ngx_media_ts_demux.h"


#define MAX_FRAMES  600
#define FIRST       13      /* packets with the tables and a keyframe */


typedef struct {
    int64_t   dts;
    int64_t   cts;
    uint32_t  size;
    uint32_t  crc;
    uint16_t  flags;
    uint8_t   track;
    uint8_t   codec;
    u_char    head[40];
} got_t;


static got_t                 got[MAX_FRAMES], sent[MAX_FRAMES];
static unsigned              ngot, nsent, nconfigs;
static int                   lent;
static ngx_media_ts_stat_t   stat;
static u_char                es[200 * 1024];


static u_char *
lend(void *ctx, u_char *buf, size_t used, size_t size)
{
    u_char  *p;

    (void) ctx;

    if (size == 0) {
        lent--;
        free(buf);
        return NULL;
    }

    /* always elsewhere, so that a stale pointer shows */

    p = malloc(size);

    if (buf) {
        memcpy(p, buf, used);
        free(buf);

    } else {
        lent++;
    }

    return p;
}


static void
note(got_t *g, const ngx_media_frame_t *f)
{
    memset(g, 0, sizeof(got_t));

    g->dts = f->dts;
    g->cts = f->cts;
    g->size = f->size;
    g->flags = f->flags;
    g->track = f->track;
    g->codec = f->codec;
    g->crc = ngx_media_ts_crc(f->data, f->data + f->size);

    memcpy(g->head, f->data, f->size < sizeof(g->head) ? f->size
                                                       : sizeof(g->head));
}


static int
take(void *ctx, const ngx_media_frame_t *f)
{
    (void) ctx;

    if (ngot == MAX_FRAMES) {
        return NGX_MEDIA_DONE;
    }

    nconfigs += (f->flags & NGX_MEDIA_FRAME_CONFIG) != 0;
    note(&got[ngot++], f);

    return NGX_MEDIA_OK;
}


static int
feed(const u_char *p, size_t n, size_t step, unsigned program, size_t max)
{
    int                    rc;
    u_char                *piece;
    size_t                 i, len;
    ngx_media_ts_demux_t  *d;

    ngot = 0;
    nconfigs = 0;
    rc = NGX_MEDIA_OK;

    d = malloc(sizeof(ngx_media_ts_demux_t));
    ngx_media_ts_demux_init(d, take, lend, NULL, program, max, max * 4);

    for (i = 0; i < n && rc == NGX_MEDIA_OK; i += step) {
        len = n - i < step ? n - i : step;
        piece = ngx_media_test_dup(p + i, len);
        rc = ngx_media_ts_demux(d, piece, piece + len);
        free(piece);
    }

    if (rc == NGX_MEDIA_OK) {
        rc = ngx_media_ts_demux_flush(d);
    }

    stat = d->stat;

    ngx_media_ts_demux_close(d);

    if (d->memory || lent) {
        rc = -100;
    }

    free(d);

    return rc;
}


static int
feed_all(void)
{
    return feed(ts, (size_t) (ts_room.pos - ts), TS_SIZE, 0, 1 << 20);
}


/* Muxes and remembers. */

static void
put(ngx_media_frame_t f)
{
    f.dts += 1000000;
    note(&sent[nsent++], &f);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);
}


/* Of a track: frames that came as they were sent, and those that did not. */

static int
same(unsigned track, unsigned *missing, unsigned *wrong)
{
    int64_t   d;
    unsigned  i, k;

    *missing = 0;
    *wrong = 0;
    k = 0;

    for (i = 0; i < nsent; i++) {

        if (sent[i].track != track) {
            continue;
        }

        while (k < ngot && (got[k].track != track
                            || (got[k].flags & NGX_MEDIA_FRAME_CONFIG)))
        {
            k++;
        }

        if (k == ngot || sent[i].crc != got[k].crc) {
            (*missing)++;
            continue;
        }

        d = got[k].dts - sent[i].dts - NGX_MEDIA_TS_MUX_DELAY;

        if (d < -11 || d > 11 || got[k].cts - sent[i].cts > 11
            || got[k].cts - sent[i].cts < -11 || got[k].codec != sent[i].codec
            || got[k].size != sent[i].size
            || (got[k].flags & NGX_MEDIA_FRAME_KEY)
               != (sent[i].flags & NGX_MEDIA_FRAME_KEY))
        {
            (*wrong)++;
        }

        k++;
    }

    while (k < ngot && (got[k].track != track
                        || (got[k].flags & NGX_MEDIA_FRAME_CONFIG)))
    {
        k++;
    }

    return k == ngot;
}


static void
begin(void)
{
    ts_start();
    nsent = 0;
}


static void
mux_both(uint8_t video, uint8_t audio, unsigned n)
{
    unsigned           i, a;
    ngx_media_frame_t  f;

    begin();

    (void) ts_put_config(video, 0);
    (void) ts_put_config(audio, 1);

    a = 0;

    for (i = 0; i < n; i++) {

        for ( ;; ) {
            f = ts_make(audio, 1, a, 200);

            if (f.dts > (int64_t) i * 40000) {
                break;
            }

            put(f);
            a++;
        }

        put(ts_make(video, 0, i, i == 5 ? 150000 : 300 + i * 77));
    }

    (void) ngx_media_ts_mux_flush(&ts_mux);
}


static void
test_round(void)
{
    size_t    i, j;
    u_char    buf[256], *gather;
    unsigned  m0, w0, m1, w1, n, c;

    static const uint8_t  pairs[][2] = {
        { NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_AAC },
        { NGX_MEDIA_CODEC_HEVC, NGX_MEDIA_CODEC_OPUS },
        { NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_MP3 },
        { NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_AC3 },
        { NGX_MEDIA_CODEC_HEVC, NGX_MEDIA_CODEC_EAC3 }
    };

    static const size_t  steps[] = { 1, 3, 187, 188, 189, 1000, 65536 };

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {

        mux_both(pairs[i][0], pairs[i][1], 60);

        for (j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {

            if (feed(ts, (size_t) (ts_room.pos - ts), steps[j], 0, 1 << 20)
                != 0
                || !same(0, &m0, &w0) || !same(1, &m1, &w1)
                || m0 || m1 || w0 || w1)
            {
                break;
            }
        }

        ok(j == sizeof(steps) / sizeof(steps[0])
           && stat.frames == nsent && stat.dropped == 0 && stat.junk == 0,
           "codecs %u and %u in pieces of all sizes", pairs[i][0],
           pairs[i][1]);

        n = (unsigned) ts_config(pairs[i][0], buf);

        for (c = 0; c < ngot && got[c].track != 0; c++) { /* void */ }

        ok(c < ngot && (got[c].flags & NGX_MEDIA_FRAME_CONFIG)
           && (pairs[i][0] != NGX_MEDIA_CODEC_H264
               || (got[c].size == n
                   && got[c].crc == ngx_media_ts_crc(buf, buf + n))),
           "config of video");
        ok(nconfigs == (pairs[i][1] < NGX_MEDIA_CODEC_AC3
                        && pairs[i][1] != NGX_MEDIA_CODEC_MP3 ? 2 : 1),
           "configs come once");
    }

    gather = malloc(4096);
    begin();
    ngx_media_ts_mux_bundle(&ts_mux, gather, 4096, 120000);
    (void) ts_put_config(NGX_MEDIA_CODEC_AAC, 1);

    for (n = 0; n < 200; n++) {
        put(ts_make(NGX_MEDIA_CODEC_AAC, 1, n, 100 + n));
    }

    (void) ngx_media_ts_mux_flush(&ts_mux);
    free(gather);

    ok(feed_all() == 0 && same(1, &m1, &w1) && m1 == 0 && w1 == 0,
       "gathered audio has exact times");
}


/* Each packet in turn is lost, or damaged in different ways. */

static void
test_loss(void)
{
    int       bad, extra;
    size_t    i, n, size;
    u_char   *copy, *p;
    unsigned  m0, w0, m1, w1, most0, most1;

    mux_both(NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_AAC, 25);

    n = ts_packets();
    size = n * 188;
    copy = malloc(size + 188);

    bad = 0;
    extra = 0;
    most0 = 0;
    most1 = 0;

    for (i = 0; i < n; i++) {
        memcpy(copy, ts, i * 188);
        memcpy(copy + i * 188, ts + (i + 1) * 188, size - (i + 1) * 188);

        if (feed(copy, size - 188, 100000, 0, 1 << 20) != 0) {
            bad++;
            continue;
        }

        extra += !same(0, &m0, &w0) + !same(1, &m1, &w1);
        bad += w0 + w1;

        /* nothing can be shown without the tables and the first sets */

        if (i >= FIRST) {
            bad += (m0 && m1);
            most0 = m0 > most0 ? m0 : most0;
            most1 = m1 > most1 ? m1 : most1;
        }
    }

    ok(bad == 0 && extra == 0, "a lost packet damages nothing: %d %d", bad,
       extra);

    /* two, where the end of an open PES cannot be told from its loss */

    ok(most0 == 2 && most1 == 1, "and costs one frame: %u %u", most0, most1);

    bad = 0;

    for (i = FIRST; i < n; i++) {
        memcpy(copy, ts, size);
        p = copy + i * 188;

        switch (i % 3) {

        case 0:
            p[1] |= 0x80;                    /* told to be damaged */
            break;

        case 1:
            p[0] = 0x48;                     /* out of step */
            break;

        case 2:
            p[3] ^= 0x05;                    /* a wrong counter */
            break;
        }

        if (feed(copy, size, 1000, 0, 1 << 20) != 0
            || !same(0, &m0, &w0) || !same(1, &m1, &w1)
            || w0 || w1 || m0 + m1 > 3)
        {
            bad++;
        }
    }

    ok(bad == 0, "damaged headers: %d", bad);

    /* every packet twice, junk between two */

    bad = 0;
    p = malloc(size * 2 + 1000);

    for (i = 0; i < n; i++) {
        memcpy(p + i * 376, ts + i * 188, 188);
        memcpy(p + i * 376 + 188, ts + i * 188, 188);
    }

    ok(feed(p, size * 2, 5000, 0, 1 << 20) == 0 && same(0, &m0, &w0)
       && same(1, &m1, &w1) && m0 + m1 + w0 + w1 == 0
       && stat.cc_errors == 0, "packets that come twice");

    memset(p, 0x47, 300);
    memcpy(p + 300, ts, 20 * 188);
    memset(p + 300 + 20 * 188, 0, 333);
    memcpy(p + 633 + 20 * 188, ts + 20 * 188, size - 20 * 188);
    ok(feed(p, size + 633, 77, 0, 1 << 20) == 0 && same(0, &m0, &w0)
       && same(1, &m1, &w1) && m0 + m1 + w0 + w1 <= 1 && stat.junk > 300,
       "junk before and between: %u missing", m0 + m1);

    memset(p, 0x11, size + 70000 > size * 2 ? size * 2 : size + 70000);
    ok(feed(p, 70000, 1000, 0, 1 << 20) == NGX_MEDIA_ERROR
       || size * 2 < 70000, "no TS at all");

    free(p);
    free(copy);
}


/* Messages of seven packets: so many of them are lost from one on. */

static int
feed_gap(size_t first, size_t count, int told)
{
    int                    rc;
    size_t                 i, n, len;
    ngx_media_ts_demux_t  *d;

    ngot = 0;
    nconfigs = 0;
    n = ts_packets();

    d = malloc(sizeof(ngx_media_ts_demux_t));
    ngx_media_ts_demux_init(d, take, lend, NULL, 0, 1 << 20, 1 << 22);

    for (i = 0; i < n; i += 7) {

        if (i / 7 >= first && i / 7 < first + count) {
            continue;
        }

        if (told && i / 7 == first + count) {
            ngx_media_ts_demux_gap(d, count * 7 * 188);
        }

        len = (n - i < 7 ? n - i : 7) * 188;
        (void) ngx_media_ts_demux(d, ts + i * 188, ts + i * 188 + len);
    }

    rc = ngx_media_ts_demux_flush(d);
    stat = d->stat;

    ngx_media_ts_demux_close(d);
    free(d);

    return rc;
}


/* 112 packets are gone, and no counter tells. */

static void
test_gap(void)
{
    int       bad, blind;
    size_t    i, n;
    unsigned  m0, w0, m1, w1, most;

    mux_both(NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_AAC, 25);

    n = ts_packets() / 7;
    bad = 0;
    blind = 0;
    most = 0;

    for (i = FIRST; i + 17 < n; i++) {

        bad += feed_gap(i, 16, 1) != 0;
        bad += !same(0, &m0, &w0) + !same(1, &m1, &w1) + w0 + w1;
        bad += (stat.cc_errors < 2);
        most = m0 > most ? m0 : most;

        (void) feed_gap(i, 16, 0);
        blind += !same(0, &m0, &w0);
    }

    ok(bad == 0 && most < 25, "a gap that is told of damages nothing: %d, %u",
       bad, most);
    ok(blind > 10, "where counters come out even: %d", blind);

    (void) feed_gap(n / 2, 1, 1);
    bad = !same(0, &m0, &w0) + !same(1, &m1, &w1) + w0 + w1;
    ok(bad == 0 && m0 + m1 >= 1 && m0 + m1 <= 3, "one message: %u missing",
       m0 + m1);
}


/* Packets written by hand: a PES on a PID, split as it comes. */

static unsigned  raw_cc[8192];


static void
raw_packet(unsigned pid, int start, const u_char *data, size_t n)
{
    u_char  *p;
    size_t   field;

    p = ts_room.pos;
    field = 184 - n;

    *p++ = 0x47;
    p = ngx_media_put_be16(p, (start ? 0x4000 : 0) | pid);
    *p++ = (u_char) ((field ? 0x30 : 0x10) | (raw_cc[pid]++ & 15));

    if (field) {
        *p = (u_char) (field - 1);
        memset(p + 1, field > 1 ? 0xff : 0, field - 1);

        if (field > 1) {
            p[1] = 0;
        }

        p += field;
    }

    memcpy(p, data, n);
    ts_room.pos += 188;
}


static void
raw_split(unsigned pid, const u_char *data, size_t n, size_t piece)
{
    int     start;
    size_t  k;

    for (start = 1; n; start = 0) {
        k = n < piece ? n : piece;
        raw_packet(pid, start, data, k);
        data += k;
        n -= k;
    }
}


static void
raw_section(unsigned pid, const char *hex)
{
    u_char  buf[1100], *p;

    buf[0] = 0;
    p = buf + 1 + ngx_media_test_hex(hex, buf + 1, 1024);
    (void) ngx_media_put_be16(buf + 2, 0xb000 | (uint32_t) (p - buf));
    p = ngx_media_put_be32(p, ngx_media_ts_crc(buf + 1, p));
    raw_split(pid, buf, (size_t) (p - buf), 184);
}


/* pts < 0: none; open: without a length */

static void
raw_pes(unsigned pid, unsigned id, int64_t pts, int open, const u_char *data,
    size_t n)
{
    u_char  *buf, *p;

    buf = malloc(n + 32);
    p = ngx_media_put_be32(buf, 0x100 | id);
    p = ngx_media_put_be16(p, open ? 0 : (uint32_t) (n + 3
                                                     + (pts < 0 ? 0 : 5)));
    *p++ = 0x80;
    *p++ = pts < 0 ? 0 : 0x80;
    *p++ = pts < 0 ? 0 : 5;

    if (pts >= 0) {
        *p++ = (u_char) (0x21 | (pts >> 29 & 0x0e));
        p = ngx_media_put_be16(p, (uint32_t) (pts >> 14 & 0xfffe) | 1);
        p = ngx_media_put_be16(p, (uint32_t) (pts << 1 & 0xfffe) | 1);
    }

    p = ngx_media_put(p, data, n);
    raw_split(pid, buf, (size_t) (p - buf), 184);
    free(buf);
}


static void
raw_start(const char *pmt)
{
    begin();
    memset(raw_cc, 0, sizeof(raw_cc));
    raw_section(0, "00 b0 00 00 01 c1 00 00 00 01 e1 00");
    raw_section(0x100, pmt);
}


#define PMT_VIDEO  "02 b0 00 00 01 c1 00 00 e2 00 f0 00 1b e2 00 f0 00"
#define SETS       "00 00 00 01 67 42 c0 0d d9 01 41 9f 9f 01 10 00 00 03"    \
                   "00 10 00 00 03 03 c0 f1 42 a4 80 00 00 01 68 cb 83 cb 20"


static void
test_units(void)
{
    size_t  n, k;
    u_char  buf[512];

    raw_start(PMT_VIDEO);

    /* delimiter, filler, sets, SEI, two slices; then another access unit */

    n = ngx_media_test_hex("00 00 00 01 09 10 " SETS
                           "00 00 01 06 05 01 aa 80 00 00 01 65 88 11"
                           "00 00 01 65 08 22 00 00 01 0c ff ff ff 80"
                           "00 00 01 09 30 00 00 01 01 9a 33", buf, 512);
    raw_pes(0x200, 0xe0, 90000, 1, buf, n);

    n = ngx_media_test_hex("00 00 00 01 41 9a 44 00 00 01 41 1a 45", buf, 512);
    raw_pes(0x200, 0xe0, 97200, 1, buf, n);

    ok(feed_all() == 0 && ngot == 4 && nconfigs == 1, "three pictures: %u",
       ngot);
    ok(got[1].flags == NGX_MEDIA_FRAME_KEY && got[1].dts == 1000000
       && got[1].size == 23, "key, delimiter and filler are gone");
    n = ngx_media_test_hex("00 00 00 05 06 05 01 aa 80 00 00 00 03 65 88 11"
                           "00 00 00 03 65 08 22", buf, 512);
    is_mem(got[1].head, got[1].size, buf, n, "its bytes");
    ok(got[2].flags == NGX_MEDIA_FRAME_DISPOSABLE && got[2].dts == 1040000
       && got[2].size == 7, "a second picture in the PES");
    ok(got[3].flags == 0 && got[3].dts == 1080000 && got[3].size == 14,
       "two slices of the next");

    /* recovery points: an I slice, P slices at once and gradual; a b slice */

    raw_start(PMT_VIDEO);
    n = ngx_media_test_hex("00 00 00 01 09 10 " SETS
                           "00 00 01 06 06 01 c4 80 00 00 01 61 88 84 00 33"
                           "00 00 01 09 30 00 00 01 06 06 01 c4 80"
                           "00 00 01 41 9a 23 6c 42"
                           "00 00 01 09 30 00 00 01 06 06 02 13 10 80"
                           "00 00 01 01 9b 26 22 3f"
                           "00 00 01 09 30 00 00 01 01 9b 26 22 3f", buf, 512);
    raw_pes(0x200, 0xe0, 90000, 1, buf, n);

    ok(feed_all() == 0 && ngot == 5 && nconfigs == 1, "four pictures: %u",
       ngot);
    ok(got[1].flags == NGX_MEDIA_FRAME_KEY, "open GOP is a keyframe");
    ok(got[2].flags == 0 && got[3].flags == 0, "gradual starts are none");
    ok(got[4].flags == NGX_MEDIA_FRAME_DISPOSABLE, "nobody needs a b slice");

    /* a packet ends with the PES header, or inside it */

    n = ngx_media_test_hex("00 00 01 e0 00 00 80 80 05 21 00 05 bf 21 " SETS
                           "00 00 01 65 88", buf, 512);

    for (k = 3; k < 15; k++) {
        raw_start(PMT_VIDEO);
        raw_split(0x200, buf, n, k);

        if (feed_all() != 0 || ngot != 2 || got[1].size != 6
            || got[1].dts != 1000000)
        {
            break;
        }
    }

    ok(k == 15, "a PES header in pieces: %d", (int) k);

    /* pieces of one access unit, in PES of their own */

    raw_start(PMT_VIDEO);
    n = ngx_media_test_hex(SETS " 00 00 01 65 88", es, sizeof(es));
    ts_fill(es + n, 150000, 1);
    raw_pes(0x200, 0xe0, 90000, 0, es, 64000);
    raw_pes(0x200, 0xe0, -1, 0, es + 64000, 64000);
    raw_pes(0x200, 0xe0, -1, 0, es + 128000, 150000 + n - 128000);
    k = ngx_media_test_hex("00 00 01 41 9a 44", buf, 512);
    raw_pes(0x200, 0xe0, 93600, 0, buf, k);
    raw_pes(0x200, 0xe0, -1, 0, buf, k);
    ok(feed_all() == 0 && ngot == 4 && got[1].size == 150006,
       "pieces of a large picture: %u", ngot);
    ok(got[2].dts == 1040000 && got[3].dts == 1080000,
       "a picture without a time");

    /* a second PPS stays; another SPS makes another config */

    raw_start(PMT_VIDEO);
    n = ngx_media_test_hex(SETS " 00 00 01 68 53 83 00 00 01 65 88", buf, 512);
    raw_pes(0x200, 0xe0, 90000, 0, buf, n);
    raw_pes(0x200, 0xe0, 93600, 0, buf, n);
    n = ngx_media_test_hex("00 00 01 68 53 84 00 00 01 41 9a", buf, 512);
    raw_pes(0x200, 0xe0, 97200, 0, buf, n);
    n = ngx_media_test_hex("00 00 01 68 cb 83 cb 21 00 00 01 65 88", buf, 512);
    raw_pes(0x200, 0xe0, 100800, 0, buf, n);
    ok(feed_all() == 0 && ngot == 6 && nconfigs == 2, "two configs");
    ok(got[1].size == 13 && got[2].size == 13 && got[3].size == 13,
       "a second PPS stays in its frames");
    ok((got[4].flags & NGX_MEDIA_FRAME_CONFIG) && got[5].size == 6,
       "the first one changes");

    /* nothing can be told before the sets */

    raw_start(PMT_VIDEO);
    n = ngx_media_test_hex("00 00 01 41 9a 44", buf, 512);
    raw_pes(0x200, 0xe0, 90000, 0, buf, n);
    ok(feed_all() == 0 && ngot == 0 && stat.dropped == 1, "no sets");
}


static void
test_audio(void)
{
    int       rc;
    size_t    n;
    u_char    buf[4096], *p;
    unsigned  i;

    /* MP3 frames of 384 bytes across PES of 1000 */

    raw_start("02 b0 00 00 01 c1 00 00 e2 00 f0 00 03 e2 00 f0 00");

    for (i = 0; i < 25; i++) {
        (void) ts_make(NGX_MEDIA_CODEC_MP3, 1, i, 0);
        memcpy(es + i * 384, ts_payload, 384);
    }

    for (i = 0; i < 9; i++) {

        /* the time of the first frame that begins in it */

        raw_pes(0x200, 0xc0, 90000 + 2160 * ((i * 1000 + 383) / 384), 0,
                es + i * 1000, 1000);
    }

    rc = feed_all();

    for (i = 0; i < ngot; i++) {
        if (got[i].dts != 1000000 + i * 24000 || got[i].size != 384) {
            break;
        }
    }

    ok(rc == 0 && i == 23 && ngot == 23, "frames across PES: %u", i);

    /* MPEG audio that is not layer 3 is none of ours */

    raw_start("02 b0 00 00 01 c1 00 00 e2 00 f0 00 03 e2 00 f0 00");
    (void) ngx_media_put_be32(es, 0xfffd8464);
    raw_pes(0x200, 0xc0, 90000, 0, es, 480);
    ok(feed_all() == 0 && ngot == 0 && stat.dropped == 1, "layer 2");

    /* LATM, 48 kHz stereo, an access unit of 3 bytes, off by bits */

    raw_start("02 b0 00 00 01 c1 00 00 e2 00 f0 00 11 e2 00 f0 00");
    n = ngx_media_test_hex("56 e0 0a 20 00 11 90 1f e0 19 09 19 20"
                           "56 e0 05 81 a1 a1 a1 80", buf, sizeof(buf));
    raw_pes(0x200, 0xc0, 90000, 0, buf, n);
    ok(feed_all() == 0 && ngot == 3 && nconfigs == 1, "LATM: %u", ngot);
    ok(got[0].size == 2 && got[0].head[0] == 0x11 && got[0].head[1] == 0x90,
       "its config");
    ok(got[1].size == 3 && memcmp(got[1].head, "!#$", 3) == 0
       && got[1].dts == 1000000, "an access unit");
    ok(got[2].size == 3 && memcmp(got[2].head, "CCC", 3) == 0
       && got[2].dts == 1021333, "another with the same config");

    /* Opus: trims and an extension in the control header */

    raw_start("02 b0 00 00 01 c1 00 00 e2 00 f0 00 06 e2 00 f0 0a"
              "05 04 4f 70 75 73 7f 02 80 06");
    n = ngx_media_test_hex("7f fc 03 01 38 01 38 02 aa bb fc 01 02"
                           "7f e0 02 fc 03", buf, sizeof(buf));
    raw_pes(0x200, 0xbd, 90000, 0, buf, n);
    ok(feed_all() == 0 && ngot == 3 && got[0].size == 27
       && got[0].head[9] == 6 && got[0].head[18] == 1
       && got[0].head[19] == 4 && got[0].head[20] == 2, "Opus of 5.1");
    ok(got[1].size == 3 && got[2].size == 2 && got[2].dts == 1020000,
       "two packets");

    /* E-AC-3 with a dependent frame behind each */

    raw_start("02 b0 00 00 01 c1 00 00 e2 00 f0 00 06 e2 00 f0 03 7a 01 00");
    p = es;

    for (i = 0; i < 4; i++) {
        memset(p, 0x11, 128);
        (void) ngx_media_put_be32(p, 0x0b77003f | (i & 1) << 14);
        (void) ngx_media_put_be32(p + 4, 0x34874000);
        p += 128;
    }

    raw_pes(0x200, 0xbd, 90000, 0, es, 512);
    ok(feed_all() == 0 && ngot == 2 && got[0].size == 256
       && got[1].size == 256 && got[1].codec == NGX_MEDIA_CODEC_EAC3
       && got[1].dts == 1032000, "E-AC-3 of two substreams: %u", ngot);

    /* a change of config in the middle */

    raw_start("02 b0 00 00 01 c1 00 00 e2 00 f0 00 0f e2 00 f0 00");
    n = ngx_media_test_hex("ff f1 4c 80 01 3f fc 01 02 ff f1 50 80 01 3f fc"
                           "03 04 ff f1 50 80 01 3f fc 05 06", buf, 64);
    raw_pes(0x200, 0xc0, 90000, 0, buf, n);
    ok(feed_all() == 0 && ngot == 5 && nconfigs == 2
       && got[3].dts == 1021333 && got[4].dts == 1021333 + 23220,
       "ADTS that changes its rate");
}


static void
test_tables(void)
{
    size_t    n;
    u_char    buf[512];
    unsigned  i;

    /* three programs: no media, two of video */

    begin();
    memset(raw_cc, 0, sizeof(raw_cc));
    n = ngx_media_test_hex(SETS " 00 00 01 65 88", buf, sizeof(buf));

    for (i = 0; i < 3; i++) {
        raw_section(0, "00 b0 00 00 01 c1 00 00 00 00 e0 10 00 01 e1 00"
                       "00 02 e1 01 00 03 e1 02");
        raw_section(0x100, "02 b0 00 00 01 c1 00 00 ff ff f0 00"
                           "05 e2 00 f0 00");
        raw_section(0x101, "02 b0 00 00 02 c1 00 00 e2 01 f0 02 aa 00"
                           "1b e2 01 f0 00");
        raw_section(0x102, "02 b0 00 00 03 c1 00 00 e2 02 f0 00"
                           "1b e2 02 f0 00");
        raw_pes(0x201, 0xe0, 90000 + i * 3600, 0, buf, n);
        raw_pes(0x202, 0xe0, 180000 + i * 3600, 0, buf, n);
    }

    ok(feed_all() == 0 && ngot == 4 && got[1].dts == 1000000,
       "the first program with media: %u", ngot);
    ok(feed(ts, (size_t) (ts_room.pos - ts), 100, 3, 1 << 20) == 0
       && ngot == 4 && got[1].dts == 2000000, "the one asked for");
    ok(feed(ts, (size_t) (ts_room.pos - ts), 100, 9, 1 << 20) == 0
       && ngot == 0, "one that is not there");

    /* video goes, comes back as the second; a damaged PMT counts as none */

    raw_start("02 b0 00 00 01 c1 00 00 e2 00 f0 00 1b e2 00 f0 00"
              "1b e2 01 f0 00");
    raw_pes(0x201, 0xe0, 90000, 0, buf, n);
    raw_section(0x100, "02 b0 00 00 01 c3 00 00 e2 00 f0 00 1b e2 01 f0 00");
    raw_pes(0x201, 0xe0, 93600, 0, buf, n);
    raw_section(0x100, "02 b0 00 00 01 c5 00 00 e2 00 f0 00 1b e2 09 f0 00");
    ts_room.pos[-1] ^= 1;
    raw_pes(0x201, 0xe0, 97200, 0, buf, n);
    ok(feed_all() == 0 && ngot == 5 && nconfigs == 2
       && got[0].track == 2 && got[1].track == 2 && got[2].track == 0
       && (got[2].flags & NGX_MEDIA_FRAME_BREAK) && got[3].track == 0
       && got[4].track == 0 && stat.crc_errors == 1, "a PMT that changes");

    /* a PMT of two packets, cut in the header and behind its pointer */

    begin();
    memset(raw_cc, 0, sizeof(raw_cc));
    raw_section(0, "00 b0 00 00 01 c1 00 00 00 01 e1 00");
    memset(es, 0, 400);
    i = (unsigned) ngx_media_test_hex("00 02 b0 fa 00 01 c1 00 00 e2 00 f0 e0"
                                      "0a de", es, 400);
    memset(es + i, 0xcc, 222);
    i += 222;
    i += (unsigned) ngx_media_test_hex("1b e2 00 f0 00", es + i, 10);
    es[3] = (u_char) (i - 4 + 4);
    (void) ngx_media_put_be32(es + i, ngx_media_ts_crc(es + 1, es + i));
    raw_split(0x100, es, i + 4, 2);
    raw_pes(0x200, 0xe0, 90000, 0, buf, n);
    ok(feed_all() == 0 && ngot == 2, "sections in pieces");
}


static void
test_times(void)
{
    size_t             n;
    u_char             buf[512];
    unsigned           i, m, w;
    ngx_media_frame_t  f;

    begin();
    (void) ts_put_config(NGX_MEDIA_CODEC_H264, 0);

    for (i = 0; i < 100; i++) {
        f = ts_make(NGX_MEDIA_CODEC_H264, 0, i, 100);
        f.dts += 95442717688LL - 3000000;
        put(f);
    }

    ok(feed_all() == 0 && same(0, &m, &w) && m == 0 && w == 0,
       "over the end of 33 bits");

    n = ngx_media_test_hex(SETS " 00 00 01 65 88", buf, sizeof(buf));
    raw_start(PMT_VIDEO);
    raw_pes(0x200, 0xe0, 0x1ffffffffLL, 0, buf, n);
    raw_pes(0x200, 0xe0, 3599, 0, buf, n);
    ok(feed_all() == 0 && ngot == 3 && got[2].dts - got[1].dts == 40000,
       "one tick before the end");

    begin();
    (void) ts_put_config(NGX_MEDIA_CODEC_H264, 0);
    put(ts_make(NGX_MEDIA_CODEC_H264, 0, 0, 100));
    f = ts_make(NGX_MEDIA_CODEC_H264, 0, 1, 100);
    f.flags |= NGX_MEDIA_FRAME_BREAK;
    put(f);
    put(ts_make(NGX_MEDIA_CODEC_H264, 0, 2, 100));
    ok(feed_all() == 0 && ngot == 4
       && !(got[1].flags & NGX_MEDIA_FRAME_BREAK)
       && (got[2].flags & NGX_MEDIA_FRAME_BREAK)
       && !(got[3].flags & NGX_MEDIA_FRAME_BREAK), "a break is told");
}


static void
test_limits(void)
{
    size_t  n;

    raw_start(PMT_VIDEO);
    n = ngx_media_test_hex(SETS " 00 00 01 65 88", es, sizeof(es));
    ts_fill(es + n, 100000, 1);
    raw_pes(0x200, 0xe0, 90000, 1, es, n + 100000);
    raw_pes(0x200, 0xe0, 93600, 1, es, n + 1000);
    raw_pes(0x200, 0xe0, 97200, 1, es, n + 1000);

    ok(feed(ts, (size_t) (ts_room.pos - ts), 1000, 0, 50000) == 0
       && ngot == 3 && stat.dropped == 1, "a frame that is too large");
    ok(feed(ts, (size_t) (ts_room.pos - ts), 1000, 0, 10) == 0
       && ngot == 0, "no memory at all");

    n = 188 * 3;
    ok(feed(ts, n, 1, 0, 1 << 20) == 0 && ngot == 2
       && got[1].size < 200, "an open PES ends with the input");
    ok(feed(ts, 0, 1, 0, 1 << 20) == 0 && ngot == 0, "empty");
}


int
main(void)
{
    test_round();
    test_loss();
    test_gap();
    test_units();
    test_audio();
    test_tables();
    test_times();
    test_limits();

    free(ts);

    return done_testing();
}
