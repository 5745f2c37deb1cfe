
/*
 * Copyright (C) the nginx media suite authors
 *
 * The MPEG-TS muxer: tables, clock, continuity, stuffing, gathered audio and
 * what is declined.  Packets are taken apart here on their own.
 */


#include "ngx_media_ts_test.h"


typedef struct {
    const u_char  *p;
    unsigned       pid;
    unsigned       start;
    unsigned       cc;
    unsigned       flags;       /* of the adaptation field */
    int64_t        pcr;         /* 27 MHz */
    const u_char  *payload;     /* NULL: none */
    size_t         size;
} packet_t;


typedef struct {
    int       faults;
    unsigned  npcr;
    unsigned  ntables;
    int64_t   max_pcr;          /* largest distance, us */
    int64_t   last_pcr;
    unsigned  keys;             /* random access without tables before */
} check_t;


static int
packet(size_t i, packet_t *k)
{
    size_t         n, j;
    const u_char  *p, *end;

    p = ts + i * NGX_MEDIA_TS_PACKET;
    end = p + NGX_MEDIA_TS_PACKET;

    memset(k, 0, sizeof(packet_t));

    k->p = p;
    k->pid = ngx_media_get_be16(p + 1) & 0x1fff;
    k->start = (p[1] >> 6) & 1;
    k->cc = p[3] & 15;
    k->pcr = -1;

    if (p[0] != 0x47 || (p[1] & 0xa0) || (p[3] & 0xc0) || !(p[3] & 0x30)) {
        return -1;
    }

    n = 0;

    if (p[3] & 0x20) {
        n = p[4] + 1u;

        if (n > 184 || ((p[3] & 0x10) && n > 183)
            || (!(p[3] & 0x10) && n != 184))
        {
            return -1;
        }

        j = 6;

        if (n > 1) {
            k->flags = p[5];

            if (k->flags & 0x10) {
                k->pcr = ((int64_t) ngx_media_get_be32(p + 6) << 1
                          | p[10] >> 7) * 300
                         + (ngx_media_get_be16(p + 10) & 0x1ff);
                j = 12;
            }
        }

        for ( /* void */ ; n > 1 && j < 4 + n; j++) {
            if (p[j] != 0xff) {
                return -1;
            }
        }
    }

    if (p[3] & 0x10) {
        k->payload = p + 4 + n;
        k->size = (size_t) (end - k->payload);
    }

    return 0;
}


/* All packets: continuity, distance of PCR, tables before keyframes. */

static check_t
check(void)
{
    int       tables;
    size_t    i;
    check_t   c;
    uint8_t   cc[8192];
    packet_t  k;

    memset(&c, 0, sizeof(check_t));
    memset(cc, 0xff, sizeof(cc));

    c.last_pcr = -1;
    tables = 0;

    for (i = 0; i < ts_packets(); i++) {

        if (packet(i, &k) != 0) {
            c.faults++;
            continue;
        }

        if (k.payload && cc[k.pid] != 0xff
            && k.cc != ((cc[k.pid] + 1u) & 15))
        {
            c.faults++;
        }

        if (!k.payload && cc[k.pid] != 0xff && k.cc != cc[k.pid]) {
            c.faults++;
        }

        cc[k.pid] = (uint8_t) k.cc;

        if (k.pid == 0) {
            c.ntables++;
            tables = 1;

        } else if (k.start && k.pid != NGX_MEDIA_TS_MUX_PMT) {

            if ((k.flags & NGX_MEDIA_TS_AF_KEY) && !tables) {
                c.keys++;
            }

            tables = 0;
        }

        if (k.pcr >= 0) {
            if (c.last_pcr >= 0 && k.pcr / 27 - c.last_pcr > c.max_pcr) {
                c.max_pcr = k.pcr / 27 - c.last_pcr;
            }

            c.last_pcr = k.pcr / 27;
            c.npcr++;
        }
    }

    return c;
}


/* The payload of a PID, all packets from the first on. */

static size_t
collect(unsigned pid, u_char *out)
{
    size_t    i, n;
    packet_t  k;

    n = 0;

    for (i = 0; i < ts_packets(); i++) {
        if (packet(i, &k) == 0 && k.pid == pid && k.payload) {
            memcpy(out + n, k.payload, k.size);
            n += k.size;
        }
    }

    return n;
}


static void
test_tables(void)
{
    size_t             n;
    u_char             want[64];
    packet_t           k;
    ngx_media_frame_t  f;

    ts_start();

    ok(ngx_media_ts_mux_tables(&ts_mux) == NGX_MEDIA_OK && ts_packets() == 2,
       "tables without tracks");

    ts_start();
    ok(ts_put_config(NGX_MEDIA_CODEC_H264, 0) == NGX_MEDIA_OK
       && ts_put_config(NGX_MEDIA_CODEC_AAC, 1) == NGX_MEDIA_OK
       && ts_packets() == 0, "configs write nothing");

    f = ts_make(NGX_MEDIA_CODEC_H264, 0, 0, 100);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_OK, "a frame");

    n = ngx_media_test_hex("47 40 00 10 00 00 b0 0d 00 01 c1 00 00 00 01 f0 00"
                           "2a b1 04 b2 ff ff", want, sizeof(want));
    ok(packet(0, &k) == 0 && memcmp(ts, want, n) == 0, "PAT");

    n = ngx_media_test_hex("47 50 00 10 00 02 b0 17 00 01 c1 00 00 e1 00 f0 00"
                           "1b e1 00 f0 00 0f e1 01 f0 00", want,
                           sizeof(want));
    ok(packet(1, &k) == 0 && memcmp(k.p, want, n) == 0, "PMT");
    ok(ngx_media_ts_crc(k.payload + 1, k.payload + 1 + 26) == 0, "its CRC");

    ok(packet(2, &k) == 0 && k.pid == 0x100 && k.start && k.pcr == 0
       && k.flags == (NGX_MEDIA_TS_AF_KEY|NGX_MEDIA_TS_AF_PCR),
       "keyframe with PCR");

    n = ngx_media_test_hex("00 00 01 e0", want, sizeof(want));
    ok(memcmp(k.payload, want, n) == 0 && k.payload[6] == 0x84
       && k.payload[7] == 0xc0 && k.payload[8] == 10, "PES of video");

    n = ngx_media_test_hex("31 00 03 7b b1 11 00 03 5f 91", want, 64);
    ok(memcmp(k.payload + 9, want, n) == 0, "540 ms and 500 ms");

    n = ngx_media_test_hex("00 00 00 01 09 f0 00 00 00 01 67 42", want, 64);
    ok(memcmp(k.payload + 19, want, n) == 0, "delimiter, SPS");
}


static void
test_types(void)
{
    size_t             i, n;
    u_char             want[64], pmt[188 * 4];
    ngx_media_frame_t  f;

    static const struct {
        uint8_t      codec;
        const char  *entry;
    } types[] = {
        { NGX_MEDIA_CODEC_HEVC, "24 e1 01 f0 06 05 04 48 45 56 43" },
        { NGX_MEDIA_CODEC_MP3, "03 e1 01 f0 00" },
        { NGX_MEDIA_CODEC_OPUS,
          "06 e1 01 f0 0a 05 04 4f 70 75 73 7f 02 80 02" },
        { NGX_MEDIA_CODEC_AC3, "81 e1 01 f0 06 05 04 41 43 2d 33" },
        { NGX_MEDIA_CODEC_EAC3, "87 e1 01 f0 06 05 04 45 41 43 33" }
    };

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        ts_start();
        (void) ts_put_config(types[i].codec, 1);
        f = ts_make(types[i].codec, 1, 0, 300);
        ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_OK,
           "codec %u", types[i].codec);

        n = ngx_media_test_hex(types[i].entry, want, sizeof(want));
        ok(collect(NGX_MEDIA_TS_MUX_PMT, pmt) == 184
           && memcmp(pmt + 13, want, n) == 0, "its entry in the PMT");
    }

    ts_start();
    ngx_media_test_hex("ff f3 64 c4", ts_payload, 4);
    f = ts_frame(NGX_MEDIA_CODEC_MP3, 1, 0, 0, ts_payload, 100);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_OK
       && collect(NGX_MEDIA_TS_MUX_PMT, pmt) && pmt[13] == 0x04,
       "MPEG-2 audio");

    f.size = 3;
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    ok(ts_mux.version == 0 && !ts_mux.changed, "a damaged frame of it");

    /* told by an empty configuration, before the first frame */

    ts_start();
    f = ts_frame(NGX_MEDIA_CODEC_MP3, 1, 0, NGX_MEDIA_FRAME_CONFIG,
                 ts_payload, 0);
    ok(ngx_media_ts_mux_track(&ts_mux, &f) == NGX_MEDIA_OK, "a bare track");

    ngx_media_test_hex("ff fb 94 c4", ts_payload, 4);
    f = ts_frame(NGX_MEDIA_CODEC_MP3, 1, 0, 0, ts_payload, 100);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_OK
       && collect(NGX_MEDIA_TS_MUX_PMT, pmt) == 184 && pmt[13] == 0x03
       && ts_mux.version == 0 && !ts_mux.changed, "is in the first PMT");

    ts_start();

    for (i = 0; i < 7; i++) {
        f = ts_make(NGX_MEDIA_CODEC_OPUS, (unsigned) (2 * i + 1), 0, 10);
        (void) ngx_media_ts_mux_track(&ts_mux, &f);
        f = ts_make(NGX_MEDIA_CODEC_HEVC, (unsigned) (2 * i), 0, 10);
        (void) ngx_media_ts_mux_track(&ts_mux, &f);
    }

    (void) ngx_media_ts_mux_tables(&ts_mux);
    n = collect(NGX_MEDIA_TS_MUX_PMT, pmt);
    ok(n == 368 && ngx_media_ts_crc(pmt + 1, pmt + 4 + 13 + 14 * 13) == 0,
       "a PMT of two packets");
    ok(check().faults == 0, "well-formed");
}


/* Every size of payload, with stuffing of all kinds. */

static void
test_stuffing(void)
{
    int                 bad;
    size_t              size, n, len;
    u_char             *es;
    ngx_media_frame_t   f;

    es = malloc(4096);
    bad = 0;

    for (size = 1; size < 800; size++) {
        ts_start();

        f = ts_make(NGX_MEDIA_CODEC_MP3, 1, 1, 0);
        f.size = (uint32_t) size;
        ts_fill(ts_payload, size, (unsigned) size);

        if (ngx_media_ts_mux_frame(&ts_mux, &f) != NGX_MEDIA_OK) {
            bad++;
            continue;
        }

        n = collect(0x101, es);
        len = ngx_media_get_be16(es + 4);

        if (n != size + 14 || len != size + 8
            || memcmp(es + 14, ts_payload, size) != 0
            || check().faults)
        {
            bad++;
        }
    }

    ok(bad == 0, "sizes from 1 to 799: %d wrong", bad);

    free(es);
}


static void
run(uint8_t video, uint8_t audio, unsigned fps, unsigned seconds,
    int64_t from)
{
    unsigned           n, a;
    int64_t            dts;
    ngx_media_frame_t  f;

    ts_start();

    if (video) {
        (void) ts_put_config(video, 0);
    }

    if (audio) {
        (void) ts_put_config(audio, 1);
    }

    a = 0;

    for (n = 0; n < (video ? fps : 25) * seconds; n++) {

        dts = (int64_t) n * 1000000 / (video ? fps : 25);

        while (audio) {
            f = ts_make(audio, 1, a, 250);

            if (f.dts > dts) {
                break;
            }

            f.dts += from;
            a++;
            (void) ngx_media_ts_mux_frame(&ts_mux, &f);
        }

        if (video) {
            f = ts_make(video, 0, n, 200 + (n * 997) % 9000);
            f.dts = dts + from;
            (void) ngx_media_ts_mux_frame(&ts_mux, &f);
        }
    }

    (void) ngx_media_ts_mux_flush(&ts_mux);
}


static void
test_clock(void)
{
    size_t    i;
    check_t   c;
    packet_t  k;
    int64_t   first;

    static const struct {
        uint8_t      video;
        uint8_t      audio;
        unsigned     fps;
        const char  *name;
    } runs[] = {
        { NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_AAC, 25, "25 fps and AAC" },
        { NGX_MEDIA_CODEC_H264, 0, 24, "24 fps alone" },
        { NGX_MEDIA_CODEC_HEVC, NGX_MEDIA_CODEC_OPUS, 1, "1 fps and Opus" },
        { NGX_MEDIA_CODEC_H264, 0, 60, "60 fps alone" },
        { NGX_MEDIA_CODEC_H264, 0, 3, "3 fps alone" },
        { 0, NGX_MEDIA_CODEC_AAC, 0, "AAC alone" },
        { 0, NGX_MEDIA_CODEC_AC3, 0, "AC-3 alone" }
    };

    for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        run(runs[i].video, runs[i].audio, runs[i].fps, 10, 0);
        c = check();

        ok(c.faults == 0, "%s: packets", runs[i].name);
        ok(c.max_pcr > 0 && c.max_pcr <= 40001, "%s: PCR after %d us at most",
           runs[i].name, (int) c.max_pcr);
        ok(c.ntables >= 20 && c.keys == 0,
           "%s: %u tables", runs[i].name, c.ntables);
    }

    /* 2^33 ticks less a second */

    run(NGX_MEDIA_CODEC_H264, NGX_MEDIA_CODEC_AAC, 25, 3, 95442717688LL);
    c = check();
    ok(c.faults == 0 && c.max_pcr <= 40001, "over the end of 33 bits");
    ok(c.last_pcr < 3000000, "which begin anew");

    run(NGX_MEDIA_CODEC_H264, 0, 25, 2, -1000000);
    first = -1;

    for (i = 0; i < ts_packets() && first < 0; i++) {
        (void) packet(i, &k);
        first = k.pcr;
    }

    ok(first / 300 == ((int64_t) 1 << 33) - 90000, "below zero");
    ok(check().faults == 0, "in order");
}


static void
test_changes(void)
{
    size_t             n;
    u_char             pmt[4096];
    packet_t           k;
    ngx_media_frame_t  f;

    ts_start();
    (void) ts_put_config(NGX_MEDIA_CODEC_H264, 0);
    f = ts_make(NGX_MEDIA_CODEC_H264, 0, 0, 50);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);

    f = ts_make(NGX_MEDIA_CODEC_AAC, 1, 1, 50);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_DECLINED,
       "AAC without a config");

    (void) ts_put_config(NGX_MEDIA_CODEC_AAC, 1);
    f = ts_make(NGX_MEDIA_CODEC_AAC, 1, 2, 50);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_OK, "with one");

    (void) ts_put_config(NGX_MEDIA_CODEC_AAC, 1);
    f = ts_make(NGX_MEDIA_CODEC_AAC, 1, 3, 50);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);

    f = ts_make(NGX_MEDIA_CODEC_OPUS, 1, 5, 50);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);

    ngx_media_ts_mux_remove(&ts_mux, 0);
    f = ts_make(NGX_MEDIA_CODEC_OPUS, 1, 6, 50);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);

    n = collect(NGX_MEDIA_TS_MUX_PMT, pmt);

    ok(n == 4 * 184, "a PMT for every change: %d", (int) n / 184);
    ok((pmt[6] >> 1 & 31) == 0 && (pmt[184 + 6] >> 1 & 31) == 1
       && (pmt[368 + 6] >> 1 & 31) == 2 && (pmt[552 + 6] >> 1 & 31) == 3,
       "with versions");
    ok(ngx_media_get_be16(pmt + 9) == 0xe100
       && ngx_media_get_be16(pmt + 552 + 9) == 0xe101, "PCR moves to audio");
    ok(pmt[552 + 13] == 0x06, "the only one left");
    ok(check().faults == 0, "continuity through all of it");

    ts_start();
    (void) ts_put_config(NGX_MEDIA_CODEC_H264, 0);
    f = ts_make(NGX_MEDIA_CODEC_H264, 0, 0, 50);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    f = ts_make(NGX_MEDIA_CODEC_H264, 0, 1, 50);
    f.flags |= NGX_MEDIA_FRAME_BREAK;
    f.dts = 5;
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    (void) packet(ts_packets() - 1, &k);
    ok(k.pcr == 5 * 27
       && k.flags == (NGX_MEDIA_TS_AF_BREAK|NGX_MEDIA_TS_AF_PCR),
       "a break");

    n = ts_packets();
    ok(ngx_media_ts_mux_segment(&ts_mux) == NGX_MEDIA_OK && ts_packets() == n,
       "a segment");
    f = ts_make(NGX_MEDIA_CODEC_H264, 0, 2, 50);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    (void) packet(n, &k);
    ok(k.pid == 0, "begins with the tables");
    (void) packet(n + 2, &k);
    ok(k.pcr == 80000 * 27, "and a PCR");
}


static void
test_bundle(void)
{
    int                frames;
    size_t             i, n;
    u_char             buf[3000], es[4096];
    unsigned           a;
    packet_t           k;
    ngx_media_frame_t  f;

    ts_start();
    ngx_media_ts_mux_bundle(&ts_mux, buf, sizeof(buf), 100000);
    (void) ts_put_config(NGX_MEDIA_CODEC_AAC, 1);

    for (a = 0; a < 6; a++) {
        f = ts_make(NGX_MEDIA_CODEC_AAC, 1, a, 100);
        (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    }

    n = collect(0x101, es);
    ok(n == 14 + 5 * 107 && ngx_media_get_be16(es + 4) == 8 + 5 * 107,
       "five frames in a PES after 100 ms: %d bytes", (int) n);

    ok(ngx_media_ts_mux_flush(&ts_mux) == NGX_MEDIA_OK
       && collect(0x101, es) == n + 14 + 107, "flushed");

    (void) ts_put_config(NGX_MEDIA_CODEC_H264, 0);
    n = ts_packets();
    f = ts_make(NGX_MEDIA_CODEC_AAC, 1, 10, 100);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    ok(ts_packets() == n, "waits");
    f = ts_make(NGX_MEDIA_CODEC_H264, 0, 10, 100);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);

    frames = 0;

    for (i = n; i < ts_packets() && !frames; i++) {
        (void) packet(i, &k);
        frames = k.start && k.pid == 0x101;
        a = k.pid;
    }

    ok(frames && a == 0x101, "a keyframe sends what waits before it");

    n = ts_packets();
    f = ts_make(NGX_MEDIA_CODEC_AAC, 1, 11, 2000);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    ok(ts_packets() == n, "waits");
    f = ts_make(NGX_MEDIA_CODEC_AAC, 1, 12, 2000);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    ok(ts_packets() > n, "until the buffer is full");

    n = ts_packets();
    f = ts_make(NGX_MEDIA_CODEC_AAC, 1, 13, 4000);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_OK
       && ts_packets() > n + 30, "a frame that is larger goes alone");
    ok(check().faults == 0, "continuity");
}


static void
test_declined(void)
{
    u_char             sets[3300];
    ngx_media_nal_t    sps, pps;
    ngx_media_frame_t  f;

    ts_start();
    (void) ts_put_config(NGX_MEDIA_CODEC_H264, 0);

    f = ts_frame(NGX_MEDIA_CODEC_SCRIPT, 15, 0, 0, ts_payload, 10);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_DECLINED, "script");
    f = ts_frame(NGX_MEDIA_CODEC_AV1, 0, 0, 0, ts_payload, 10);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_DECLINED, "AV1");
    f = ts_frame(NGX_MEDIA_CODEC_H264, 0, 0, NGX_MEDIA_FRAME_EOS, NULL, 0);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_DECLINED, "EOS");
    f = ts_make(NGX_MEDIA_CODEC_H264, 0, 0, 10);
    f.track = 16;
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_DECLINED, "track");
    f = ts_make(NGX_MEDIA_CODEC_H264, 0, 0, 10);
    f.size = 9;
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_DECLINED,
       "a NAL that is cut off");
    f = ts_frame(NGX_MEDIA_CODEC_H264, 0, 0, NGX_MEDIA_FRAME_CONFIG,
                 ts_payload, 5);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_DECLINED,
       "a damaged config");
    f = ts_make(NGX_MEDIA_CODEC_MP3, 1, 0, 0);
    f.size = 70000;
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_DECLINED,
       "audio too large for a PES");
    ok(ts_packets() == 0, "nothing was written");

    ngx_media_test_hex(ts_avcc, sets, sizeof(sets));
    sps.data = sets + 8;
    sps.size = 25;
    pps.data = ts_payload;
    pps.size = 3100;
    ts_payload[0] = 0x68;
    f = ts_frame(NGX_MEDIA_CODEC_H264, 0, 0, NGX_MEDIA_FRAME_CONFIG,
                 ts_payload + 8192, 0);
    f.size = (uint32_t) ngx_media_avc_config_write(&sps, &pps, 4,
                                                   ts_payload + 8192, 4096);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_DECLINED
       && ts_mux.nsets == 0, "sets that are too large");

    ts_start();
    ts_room.end = ts + 376;
    f = ts_make(NGX_MEDIA_CODEC_MP3, 1, 0, 0);
    ok(ngx_media_ts_mux_frame(&ts_mux, &f) == NGX_MEDIA_ERROR
       && ts_packets() == 2, "no room");
}


/* Sets of tracks that come and go, by turns. */

static void
test_sets(void)
{
    size_t             i, n;
    u_char             es[4096], want[256], *p;
    ngx_media_frame_t  f;

    ts_start();

    for (i = 0; i < 60; i++) {
        (void) ts_put_config(NGX_MEDIA_CODEC_HEVC, 2 * (unsigned) (i % 3));
        (void) ts_put_config(NGX_MEDIA_CODEC_H264, 6 + 2 * (i & 1));
        ngx_media_ts_mux_remove(&ts_mux, 2 * (unsigned) ((i + 1) % 3));
    }

    f = ts_make(NGX_MEDIA_CODEC_H264, 8, 0, 20);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);

    n = collect(0x108, es);
    p = ngx_media_put(want, "\0\0\0\1\x09\xf0\0\0\0\1", 10);
    p += ngx_media_test_hex("67 42 c0 0d d9 01 41 9f 9f 01 10 00 00 03 00 10"
                            "00 00 03 03 c0 f1 42 a4 80 00 00 00 01 68 cb 83"
                            "cb 20 00 00 00 01 65 88", p, 200);
    ok(n > 60 && memcmp(es + 19, want, (size_t) (p - want)) == 0,
       "each track has its own sets");
    ok(ts_mux.nsets == 2 * (29 + 9) + 2 * (28 + 46 + 11), "none are left over");

    ts_start();
    (void) ts_put_config(NGX_MEDIA_CODEC_H264, 0);
    n = ngx_media_test_hex("00 00 00 03 67 01 02 00 00 00 02 09 f0"
                           "00 00 00 02 65 88", want, sizeof(want));
    f = ts_frame(NGX_MEDIA_CODEC_H264, 0, 0, NGX_MEDIA_FRAME_KEY, want, n);
    (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    n = collect(0x100, es);
    ok(n == 14 + 6 + 7 + 6, "sets of the frame go before those of the config");
}


int
main(void)
{
    test_tables();
    test_types();
    test_stuffing();
    test_clock();
    test_changes();
    test_bundle();
    test_declined();
    test_sets();

    free(ts);

    return done_testing();
}
