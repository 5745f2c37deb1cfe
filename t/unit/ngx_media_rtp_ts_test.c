
/*
 * Copyright (C) the nginx media suite authors
 *
 * MPEG-TS in datagrams: what they hold, RTP headers of every form, packets
 * that are early, late, twice or missing.
 */


#include "ngx_media_rc.h"
#include "ngx_media_rtp_ts.h"
#include "ngx_media_test.h"


#define SIZE  376


static char    got[4096];
static size_t  ngot;
static int     answer;


static int
payload(void *ctx, const u_char *pos, const u_char *end)
{
    (void) ctx;

    ngot += (size_t) snprintf(got + ngot, sizeof(got) - ngot, "%s%u",
                              ngot ? " " : "", (unsigned) pos[4] << 8
                              | pos[5]);

    return end - pos == 2 * 188 || end - pos > 1504 ? answer : NGX_MEDIA_ERROR;
}


static void
send_seq(ngx_media_rtp_ts_t *rtp, unsigned seq, uint32_t ssrc, size_t size)
{
    u_char                     *data;
    ngx_media_rtp_ts_packet_t   packet;

    data = malloc(size);

    if (data == NULL) {
        abort();
    }

    memset(data, 0x47, size);
    data[4] = (u_char) (seq >> 8);
    data[5] = (u_char) seq;

    memset(&packet, 0, sizeof(packet));
    packet.pos = data;
    packet.end = data + size;
    packet.seq = (uint16_t) seq;
    packet.ssrc = ssrc;

    (void) ngx_media_rtp_ts_input(rtp, &packet);

    free(data);
}


static void
sequence(const char *name, const char *in, const char *want, unsigned lost,
    unsigned late)
{
    char                *end;
    unsigned             seq;
    ngx_media_rtp_ts_t  *rtp;

    rtp = malloc(sizeof(ngx_media_rtp_ts_t));

    if (rtp == NULL) {
        abort();
    }

    ngx_media_rtp_ts_init(rtp, payload, NULL);
    ngot = 0;
    got[0] = '\0';
    answer = NGX_MEDIA_OK;

    while (*in) {

        if (*in == ' ') {
            in++;
            continue;
        }

        if (*in == '!') {
            (void) ngx_media_rtp_ts_flush(rtp);
            in++;
            continue;
        }

        seq = (unsigned) strtoul(in, &end, 10);

        send_seq(rtp, seq, *end == '*' ? 2 : 1,
                 *end == '+' ? 10 * 188 : SIZE);

        in = (*end == '*' || *end == '+') ? end + 1 : end;
    }

    ok(strcmp(got, want) == 0 && rtp->stat.lost == lost
       && rtp->stat.late == late, "%s: \"%s\", %u lost, %u late", name, got,
       (unsigned) rtp->stat.lost, (unsigned) rtp->stat.late);

    free(rtp);
}


static ngx_media_rtp_ts_kind_e
kind(const u_char *data, size_t size)
{
    u_char                   *copy;
    ngx_media_rtp_ts_kind_e   rc;

    copy = ngx_media_test_dup(data, size);
    rc = ngx_media_rtp_ts_kind(copy, copy + size);
    free(copy);

    return rc;
}


static void
kinds(void)
{
    size_t  i;
    u_char  ts[7 * 188 + 64];

    memset(ts, 0, sizeof(ts));

    for (i = 0; i < 7; i++) {
        ts[i * 188] = 0x47;
    }

    ok(kind(ts, 7 * 188) == NGX_MEDIA_RTP_TS_RAW, "seven packets");
    ok(kind(ts, 188) == NGX_MEDIA_RTP_TS_RAW, "one packet");
    ok(kind(ts, 1000) == NGX_MEDIA_RTP_TS_RAW, "packets and a part of one");
    ok(kind(ts, 187) == NGX_MEDIA_RTP_TS_NONE, "less than a packet");
    ok(kind(ts, 0) == NGX_MEDIA_RTP_TS_NONE, "nothing");
    ok(kind(ts + 100, 1000) == NGX_MEDIA_RTP_TS_RAW, "begins in a packet");
    ok(kind(ts + 100, 276) == NGX_MEDIA_RTP_TS_NONE,
       "begins in a packet, too short to be known");

    ts[188] = 0;
    ok(kind(ts, 7 * 188) == NGX_MEDIA_RTP_TS_NONE, "a sync byte is missing");

    memset(ts, 0, sizeof(ts));
    ts[0] = 0x80;
    ts[1] = 33;

    for (i = 0; i < 7; i++) {
        ts[12 + i * 188] = 0x47;
    }

    ok(kind(ts, 12 + 7 * 188) == NGX_MEDIA_RTP_TS_RTP, "RTP");
    ok(kind(ts, 12 + 7 * 188 - 1) != NGX_MEDIA_RTP_TS_RTP,
       "RTP with a part of a packet");

    ts[1] = 0x80 | 33;
    ok(kind(ts, 12 + 188) == NGX_MEDIA_RTP_TS_RTP, "RTP with marker");

    ts[1] = 200;
    ok(kind(ts, 12 + 188) == NGX_MEDIA_RTP_TS_NONE, "RTCP");

    ts[1] = 96;
    ts[0] = 0x40;
    ok(kind(ts, 12 + 188) == NGX_MEDIA_RTP_TS_NONE, "version 1");

    memset(ts, 0, sizeof(ts));
    ok(kind(ts, 1316) == NGX_MEDIA_RTP_TS_NONE, "zeros");

    memset(ts, 0x47, sizeof(ts));
    ok(kind(ts, 1316) == NGX_MEDIA_RTP_TS_RAW, "sync bytes only");
}


/* TS in pieces: sizes, and which of them are taken */

static void
pieces(const char *name, const size_t *sizes, const char *want)
{
    size_t         i, k, pos;
    char           taken[16];
    u_char         ts[40 * 188], *copy;
    unsigned       part;

    memset(ts, 0, sizeof(ts));

    for (i = 0; i < sizeof(ts); i += 188) {
        ts[i] = 0x47;
    }

    part = 0;

    for (pos = 0, k = 0; sizes[k]; k++) {

        /* + 10000: is lost; + 20000: is something else */

        i = sizes[k] % 10000;
        taken[k] = '-';

        copy = ngx_media_test_dup(ts + pos, i);

        if (sizes[k] >= 20000) {
            memset(copy, 'x', i);
        } else {
            pos += i;
        }

        if (sizes[k] < 10000 || sizes[k] >= 20000) {
            taken[k] = ngx_media_rtp_ts_follows(&part, copy, copy + i) ? '1'
                                                                       : '0';
        }

        free(copy);
    }

    taken[k] = '\0';

    ok(strcmp(taken, want) == 0, "%s: \"%s\"", name, taken);
}


static void
all_pieces(void)
{
    static const size_t  whole[] = { 1316, 188, 376, 0 };
    static const size_t  cut[] = { 1472, 64, 1472, 32, 188, 0 };
    static const size_t  small[] = { 100, 50, 38, 1, 187, 188, 0 };
    static const size_t  lost[] = { 1472, 11472, 500, 100, 0 };
    static const size_t  junk[] = { 1316, 20100, 1316, 21316, 188, 0 };
    static const size_t  short_lost[] = { 1472, 10020, 1000, 20100, 800, 0 };

    pieces("whole packets", whole, "111");
    pieces("cut anywhere", cut, "11111");
    pieces("small pieces", small, "111111");
    pieces("a piece is lost", lost, "1-11");
    pieces("something else between packets", junk, "10101");
    pieces("something else between pieces", short_lost, "1-111");
}


static int
parse(const char *hex, size_t *payload_size, ngx_media_rtp_ts_packet_t *p)
{
    int      rc;
    size_t   n;
    u_char   data[256], *copy;

    n = ngx_media_test_hex(hex, data, sizeof(data));
    copy = ngx_media_test_dup(data, n);

    rc = ngx_media_rtp_ts_parse(p, copy, copy + n);

    *payload_size = rc == NGX_MEDIA_OK ? (size_t) (p->end - p->pos) : 0;

    free(copy);

    return rc;
}


static void
headers(void)
{
    size_t                     i, n;
    ngx_media_rtp_ts_packet_t  p;

    static const struct {
        const char  *hex;
        int          rc;
        size_t       size;
        const char  *what;
    } cases[] = {
        { "80 21 12 34 00 00 00 01 de ad be ef 47 48", NGX_MEDIA_OK, 2,
          "plain" },
        { "80 21 12 34 00 00 00 01 de ad be ef", NGX_MEDIA_OK, 0, "empty" },
        { "80 21 12 34 00 00 00 01 de ad be", NGX_MEDIA_DECLINED, 0,
          "11 bytes" },
        { "82 21 12 34 00 00 00 01 de ad be ef 00 00 00 01 00 00 00 02 47",
          NGX_MEDIA_OK, 1, "two CSRC" },
        { "82 21 12 34 00 00 00 01 de ad be ef 00 00 00 01 00 00 00",
          NGX_MEDIA_ERROR, 0, "two CSRC that are not there" },
        { "90 21 12 34 00 00 00 01 de ad be ef be de 00 01 aa bb cc dd 47",
          NGX_MEDIA_OK, 1, "extension" },
        { "90 21 12 34 00 00 00 01 de ad be ef be de 00 02 aa bb cc dd 47",
          NGX_MEDIA_ERROR, 0, "extension that is too long" },
        { "90 21 12 34 00 00 00 01 de ad be ef be de 00",
          NGX_MEDIA_ERROR, 0, "extension that is cut" },
        { "a0 21 12 34 00 00 00 01 de ad be ef 47 48 00 00 03",
          NGX_MEDIA_OK, 2, "padding" },
        { "a0 21 12 34 00 00 00 01 de ad be ef 47 48 00 00 00",
          NGX_MEDIA_ERROR, 0, "padding of 0" },
        { "a0 21 12 34 00 00 00 01 de ad be ef 47 48 00 00 06",
          NGX_MEDIA_ERROR, 0, "padding that is too long" },
        { "a0 21 12 34 00 00 00 01 de ad be ef",
          NGX_MEDIA_ERROR, 0, "padding of nothing" },
        { "80 c8 12 34 00 00 00 01 de ad be ef", NGX_MEDIA_DECLINED, 0,
          "RTCP" },
        { "47 40 11 10 00 00 00 01 de ad be ef", NGX_MEDIA_DECLINED, 0,
          "TS" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(parse(cases[i].hex, &n, &p) == cases[i].rc && n == cases[i].size,
           "header: %s", cases[i].what);
    }

    (void) parse("80 a1 12 34 01 02 03 04 de ad be ef", &n, &p);

    ok(p.seq == 0x1234 && p.ssrc == 0xdeadbeef && p.timestamp == 0x01020304
       && p.type == 33 && p.marker == 1, "what a header says");
}


static void
stops(void)
{
    ngx_media_rtp_ts_t  *rtp;

    rtp = malloc(sizeof(ngx_media_rtp_ts_t));

    if (rtp == NULL) {
        abort();
    }

    ngx_media_rtp_ts_init(rtp, payload, NULL);
    ngot = 0;
    answer = NGX_MEDIA_OK;

    send_seq(rtp, 1, 1, SIZE);
    send_seq(rtp, 3, 1, SIZE);

    answer = NGX_MEDIA_DONE;

    ok(ngx_media_rtp_ts_flush(rtp) == NGX_MEDIA_DONE
       && rtp->waiting == 0, "the code of payload() comes back");

    free(rtp);
}


int
main(void)
{
    kinds();
    headers();
    all_pieces();

    sequence("in order", "1 2 3", "1 2 3", 0, 0);
    sequence("wraps", "65534 65535 0 1", "65534 65535 0 1", 0, 0);
    sequence("two changed", "1 3 2 4", "1 2 3 4", 0, 0);
    sequence("changed over the wrap", "65535 1 0 2", "65535 0 1 2", 0, 0);
    sequence("much changed", "1 5 4 3 2 6", "1 2 3 4 5 6", 0, 0);
    sequence("twice", "1 1 2 2 4 4 3 3", "1 2 3 4", 0, 4);
    sequence("missing, flushed", "1 3 4 ! 5", "1 3 4 5", 1, 0);
    sequence("too late", "1 3 ! 2 4", "1 3 4", 1, 1);
    sequence("two gaps", "1 3 5 !", "1 3 5", 2, 0);
    sequence("nothing to flush", "1 ! ! 2", "1 2", 0, 0);
    sequence("window", "1 3 4 5 33 34", "1 3 4 5", 1, 0);
    sequence("window, flushed", "1 3 33 34 !", "1 3 33 34", 30, 0);
    sequence("behind the window", "1 200 201", "1", 168, 0);
    sequence("behind the window, all", "1 200 201 !", "1 200 201", 198, 0);
    sequence("far, then back", "1 20000 2 3", "1 2 3", 0, 1);
    sequence("far, and goes on", "1 20000 20001 20002", "1 20001 20002", 0,
             1);
    sequence("backwards", "30000 1000 1001 1002", "30000 1001 1002", 0, 1);
    sequence("another sender", "1 2 4 500* 501*", "1 2 4 500 501", 1, 0);
    sequence("a long one can not wait", "1 3 5+ 6", "1 3 5 6", 2, 0);
    sequence("a long one, twice", "1 3 3+ 2", "1 2 3", 0, 1);

    stops();

    return done_testing();
}
