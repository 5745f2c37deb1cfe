
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of the RTMP chunk reader and writer.  Each case is a run of bytes
 * and the list of events it must give, whatever way the bytes are cut: at
 * once, byte by byte and in two at every boundary.
 */


#include "ngx_media_bytes.h"
#include "ngx_media_rtmp_chunk.h"
#include "ngx_media_test.h"


#define LOG_SIZE   8192
#define WIRE_SIZE  65536
#define NBUFS      80


typedef struct {
    ngx_media_rtmp_reader_t   r;
    ngx_media_rtmp_cs_t       extra[NGX_MEDIA_RTMP_EXTRA_STREAMS];
    u_char                   *bufs[NBUFS];
    unsigned                  nbufs;
    uint32_t                  step;      /* first cap, 0: whole length */
    int                       skip;      /* message type to skip, -1: all */
    int                       rc;
    char                      log[LOG_SIZE];
    size_t                    log_len;
} peer_t;


static u_char  wire[WIRE_SIZE];
static u_char  body[WIRE_SIZE];


static uint32_t
sum(const u_char *p, size_t n)
{
    uint32_t  h;

    for (h = 2166136261u; n; n--) {
        h = (h ^ *p++) * 16777619u;
    }

    return h;
}


static void __attribute__((format(printf, 2, 3)))
note(peer_t *peer, const char *fmt, ...)
{
    int      n;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(peer->log + peer->log_len, LOG_SIZE - peer->log_len, fmt,
                  args);
    va_end(args);

    peer->log_len += (size_t) n;

    if (peer->log_len >= LOG_SIZE) {
        peer->log_len = LOG_SIZE - 1;
    }
}


static void
peer_init(peer_t *peer, uint32_t max_message, uint32_t max_pending)
{
    memset(peer, 0, sizeof(peer_t));
    ngx_media_rtmp_reader_init(&peer->r, max_message, max_pending);
    peer->skip = -2;
}


static void
peer_done(peer_t *peer)
{
    unsigned              i;
    ngx_media_rtmp_cs_t  *cs;

    for (i = 0; (cs = ngx_media_rtmp_reader_cs(&peer->r, i)) != NULL; i++) {
        free(cs->buf);
        cs->buf = NULL;
    }
}


static void
peer_grow(ngx_media_rtmp_cs_t *cs, uint32_t cap)
{
    cs->cap = cap < cs->length ? cap : cs->length;
    cs->buf = realloc(cs->buf, cs->cap ? cs->cap : 1);
}


static void
peer_event(peer_t *peer, int rc, ngx_media_rtmp_cs_t *cs)
{
    switch (rc) {

    case NGX_MEDIA_RTMP_START:
        if (peer->skip == -1 || peer->skip == cs->type) {
            ngx_media_rtmp_skip(cs);
            break;
        }

        peer_grow(cs, peer->step ? peer->step : cs->length);
        break;

    case NGX_MEDIA_RTMP_NEED_BUFFER:
        peer_grow(cs, cs->cap * 2);
        break;

    case NGX_MEDIA_RTMP_END:
        note(peer, "[%u %u %u %u %u ", cs->csid, cs->timestamp, cs->type,
             cs->msid, cs->length);

        if (ngx_media_rtmp_skipped(cs)) {
            note(peer, "skipped]");

        } else {
            note(peer, "%08x]", sum(cs->buf, cs->length));
        }

        break;

    case NGX_MEDIA_RTMP_ABORTED:
        note(peer, "[abort %u]", cs->csid);
        break;

    case NGX_MEDIA_RTMP_NEW_CHUNK_SIZE:
        note(peer, "[size %u]", peer->r.chunk_size);
        break;

    case NGX_MEDIA_RTMP_NEED_STREAMS:
        ngx_media_rtmp_reader_extend(&peer->r, peer->extra,
                                     NGX_MEDIA_RTMP_EXTRA_STREAMS);
        break;
    }
}


/* every piece is read from memory of its own size, so ASan sees overruns */

static int
peer_feed(peer_t *peer, const u_char *p, size_t n)
{
    int                   rc;
    u_char               *copy;
    const u_char         *pos;
    ngx_media_rtmp_cs_t  *cs;

    copy = malloc(n ? n : 1);
    memcpy(copy, p, n);
    pos = copy;

    for ( ;; ) {
        rc = ngx_media_rtmp_read(&peer->r, &pos, copy + n, &cs);

        if (rc <= 0) {
            break;
        }

        peer_event(peer, rc, cs);
    }

    if (rc == NGX_MEDIA_RTMP_AGAIN && pos != copy + n) {
        note(peer, "[left over]");
    }

    free(copy);

    peer->rc = rc;

    return rc;
}


static size_t
put_message(u_char *p, uint32_t csid, uint32_t ts, unsigned type,
    uint32_t msid, uint32_t chunk, size_t len)
{
    return (size_t) (ngx_media_rtmp_write_message(p, csid, ts, type, msid,
                                                  chunk, NULL, 0, body, len)
                     - p);
}


/* 1 where log and result are as expected for this way of cutting */

static int
one_way(const u_char *p, size_t n, size_t piece, size_t cut, uint32_t step,
    int want_rc, const char *want)
{
    int      passed;
    size_t   i, k;
    peer_t  *peer;

    peer = malloc(sizeof(peer_t));
    peer_init(peer, 1 << 24, 1 << 24);
    peer->step = step;

    for (i = 0; i < n; i += k) {
        k = piece;

        if (cut && i == 0) {
            k = cut;
        }

        if (k > n - i) {
            k = n - i;
        }

        if (peer_feed(peer, p + i, k) < 0) {
            break;
        }
    }

    passed = peer->rc == want_rc && strcmp(peer->log, want) == 0
             && (want_rc < 0 || peer->r.in_bytes == n);

    if (!passed) {
        printf("# piece %zu cut %zu: rc %d, in %llu of %zu\n#   %s\n# not %s\n",
               piece, cut, peer->rc, (unsigned long long) peer->r.in_bytes, n,
               peer->log, want);
    }

    peer_done(peer);
    free(peer);

    return passed;
}


static void
all_ways(const char *name, const u_char *p, size_t n, int want_rc,
    const char *want)
{
    int     passed;
    size_t  i;

    passed = one_way(p, n, n, 0, 0, want_rc, want)
             && one_way(p, n, 1, 0, 0, want_rc, want)
             && one_way(p, n, 3, 0, 1, want_rc, want);

    for (i = 1; passed && i < n; i++) {
        passed = one_way(p, n, n, i, 0, want_rc, want);
    }

    ok(passed, "%s, cut in all ways", name);
}


static void
test_formats(void)
{
    char     want[1024];
    u_char  *p;

    p = wire;

    /* format 0, then 1, 2, 3 that start messages */

    p = ngx_media_rtmp_write_header(p, 5, 1000, 3, 8, 1);
    p = ngx_media_put(p, "abc", 3);

    *p++ = 0x40 | 5;
    p = ngx_media_put_be24(p, 20);
    p = ngx_media_put_be24(p, 4);
    *p++ = 9;
    p = ngx_media_put(p, "defg", 4);

    *p++ = 0x80 | 5;
    p = ngx_media_put_be24(p, 30);
    p = ngx_media_put(p, "hijk", 4);

    *p++ = 0xc0 | 5;
    p = ngx_media_put(p, "lmno", 4);

    sprintf(want, "[5 1000 8 1 3 %08x][5 1020 9 1 4 %08x]"
            "[5 1050 9 1 4 %08x][5 1080 9 1 4 %08x]",
            sum((u_char *) "abc", 3), sum((u_char *) "defg", 4),
            sum((u_char *) "hijk", 4), sum((u_char *) "lmno", 4));

    all_ways("formats 0 to 3", wire, (size_t) (p - wire), 0, want);

    /* format 3 after format 0: the timestamp is the delta */

    p = ngx_media_rtmp_write_header(wire, 5, 40, 1, 8, 1);
    *p++ = 'a';
    *p++ = 0xc0 | 5;
    *p++ = 'b';

    sprintf(want, "[5 40 8 1 1 %08x][5 80 8 1 1 %08x]",
            sum((u_char *) "a", 1), sum((u_char *) "b", 1));

    all_ways("format 3 after 0", wire, (size_t) (p - wire), 0, want);

    /* a fresh chunk stream that starts with format 1, as librtmp does */

    p = wire;
    *p++ = 0x40 | 2;
    p = ngx_media_put_be24(p, 7);
    p = ngx_media_put_be24(p, 6);
    *p++ = 4;
    p = ngx_media_put(p, "\0\3\0\0\0\1", 6);

    sprintf(want, "[2 7 4 0 6 %08x]", sum(p - 6, 6));

    all_ways("format 1 first", wire, (size_t) (p - wire), 0, want);

    wire[0] = 0x80 | 7;
    all_ways("format 2 first is refused", wire, 20,
             NGX_MEDIA_RTMP_EHEADER, "");

    wire[0] = 0xc0 | 7;
    all_ways("format 3 first is refused", wire, 20,
             NGX_MEDIA_RTMP_EHEADER, "");
}


static void
test_csids(void)
{
    char             want[4096];
    u_char          *p;
    size_t           i, n;

    static uint32_t  ids[] = { 2, 3, 63, 64, 65, 319, 320, 321, 575, 576,
                               1000, 65535, 65598, 65599 };

    p = wire;
    n = 0;

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        p += put_message(p, ids[i], 17, 9, 1, 128, 130);

        n += (size_t) sprintf(want + n, "[%u 17 9 1 130 %08x]", ids[i],
                              sum(body, 130));
    }

    all_ways("basic headers of 1, 2 and 3 bytes", wire, (size_t) (p - wire),
             0, want);

    /* 64 in the form of three bytes is the same stream */

    p = ngx_media_put(wire, "\1\0\0\0\0\5\0\0\1\10\1\0\0\0A", 15);
    p = ngx_media_put(p, "\300\0B", 3);

    sprintf(want, "[64 5 8 1 1 %08x][64 10 8 1 1 %08x]",
            sum((u_char *) "A", 1), sum((u_char *) "B", 1));

    all_ways("one id in two forms", wire, (size_t) (p - wire), 0, want);
}


static void
test_interleave(void)
{
    char     want[1024];
    u_char  *p;

    /* a set chunk size in the middle of a message, then another stream */

    p = ngx_media_rtmp_write_header(wire, 6, 50, 300, 9, 1);
    p = ngx_media_put(p, body, 128);
    p = ngx_media_rtmp_write_header(p, 4, 60, 5, 8, 1);
    p = ngx_media_put(p, "audio", 5);
    p = ngx_media_rtmp_write_chunk_size(p, 100);
    p = ngx_media_rtmp_write_header3(p, 6, 50);
    p = ngx_media_put(p, body + 128, 100);
    p = ngx_media_rtmp_write_chunk_size(p, 1);
    p = ngx_media_rtmp_write_header3(p, 6, 50);
    *p++ = body[228];

    /* now one byte a chunk: control messages themselves are cut */

    p = ngx_media_rtmp_write_message(p, 2, 0, 1, 0, 1, NULL, 0,
                                     (u_char *) "\0\1\0\0", 4);
    p = ngx_media_rtmp_write_header3(p, 6, 50);
    p = ngx_media_put(p, body + 229, 71);

    sprintf(want, "[4 60 8 1 5 %08x][size 100][size 1][size 65536]"
            "[6 50 9 1 300 %08x]", sum((u_char *) "audio", 5),
            sum(body, 300));

    all_ways("chunk size changes in mid-message", wire, (size_t) (p - wire),
             0, want);

    /* abort */

    p = ngx_media_rtmp_write_header(wire, 6, 50, 300, 9, 1);
    p = ngx_media_put(p, body, 128);
    p = ngx_media_rtmp_write_abort(p, 7);
    p = ngx_media_rtmp_write_abort(p, 6);
    p = ngx_media_rtmp_write_abort(p, 6);
    p += put_message(p, 6, 70, 9, 1, 128, 10);

    sprintf(want, "[abort 6][6 70 9 1 10 %08x]", sum(body, 10));

    all_ways("abort", wire, (size_t) (p - wire), 0, want);

    /* full headers in mid-message */

    p = ngx_media_rtmp_write_header(wire, 6, 50, 130, 9, 1);
    p = ngx_media_put(p, body, 128);
    p = ngx_media_rtmp_write_header(p, 6, 50, 130, 9, 1);
    p = ngx_media_put(p, body + 128, 2);

    sprintf(want, "[6 50 9 1 130 %08x]", sum(body, 130));

    all_ways("same header in mid-message", wire, (size_t) (p - wire), 0,
             want);

    p = ngx_media_rtmp_write_header(wire, 6, 50, 130, 9, 1);
    p = ngx_media_put(p, body, 128);
    p = ngx_media_rtmp_write_header(p, 6, 50, 131, 9, 1);

    all_ways("other header in mid-message", wire, (size_t) (p - wire),
             NGX_MEDIA_RTMP_EHEADER, "");
}


static void
test_errors(void)
{
    char     want[256];
    u_char  *p;

    p = ngx_media_rtmp_write_chunk_size(wire, 1);
    wire[12] = 0x80;
    all_ways("chunk size with bit 31", wire, (size_t) (p - wire),
             NGX_MEDIA_RTMP_ECHUNK_SIZE, "");

    p = ngx_media_rtmp_write_chunk_size(wire, 0);
    all_ways("chunk size 0", wire, (size_t) (p - wire),
             NGX_MEDIA_RTMP_ECHUNK_SIZE, "");

    p = ngx_media_rtmp_write_chunk_size(wire, 0x7fffffff);
    all_ways("chunk size 0x7fffffff", wire, (size_t) (p - wire), 0,
             "[size 16777215]");

    p = ngx_media_rtmp_write_header(wire, 2, 0, 3, 1, 0);
    p = ngx_media_put(p, "\0\0\1", 3);
    all_ways("control message of 3 bytes", wire, (size_t) (p - wire),
             NGX_MEDIA_RTMP_ECONTROL, "");

    /* lengths of zero, with and without more of them */

    p = ngx_media_rtmp_write_header(wire, 3, 5, 0, 8, 1);
    *p++ = 0xc0 | 3;

    sprintf(want, "[3 5 8 1 0 %08x][3 10 8 1 0 %08x]", sum(body, 0),
            sum(body, 0));

    all_ways("length 0", wire, (size_t) (p - wire), 0, want);
}


static void
test_ext(void)
{
    int        repeat;
    char       want[1024];
    u_char     save, *p;
    size_t     len;
    uint32_t   ts;

    static const uint32_t  stamps[] = { 0xfffffe, 0xffffff, 0x1000000,
                                        0xfffffff0, 0xffffffff };

    for (ts = 0; ts < 5; ts++) {
        p = wire + put_message(wire, 6, stamps[ts], 9, 1, 128, 300);

        sprintf(want, "[6 %u 9 1 300 %08x]", stamps[ts], sum(body, 300));

        all_ways("extended timestamp repeated", wire, (size_t) (p - wire), 0,
                 want);
    }

    /* without repeats; payload begins like the value, up to three bytes */

    save = body[128];

    for (repeat = 0; repeat < 4; repeat++) {
        ts = 0x01020304;
        ngx_media_put_be32(body + 128, ts);
        body[128 + repeat] ^= 0xff;

        p = ngx_media_rtmp_write_header(wire, 6, ts, 300, 9, 1);
        p = ngx_media_put(p, body, 128);
        *p++ = 0xc0 | 6;
        p = ngx_media_put(p, body + 128, 128);
        *p++ = 0xc0 | 6;
        p = ngx_media_put(p, body + 256, 44);
        p += put_message(p, 4, 5, 8, 1, 128, 1);

        sprintf(want, "[6 %u 9 1 300 %08x][4 5 8 1 1 %08x]", ts,
                sum(body, 300), sum(body, 1));

        all_ways("extended timestamp omitted", wire, (size_t) (p - wire), 0,
                 want);
    }

    body[128] = save;

    /*
     * Omitted, and the last chunk is one byte that looks like the value while
     * the next headers look like the rest of it.
     */

    for (len = 129; len < 132; len++) {
        ts = 0x01c601c6;

        memset(body + 128, 1, 3);
        p = ngx_media_rtmp_write_header(wire, 6, ts, (uint32_t) len, 9, 1);
        p = ngx_media_put(p, body, 128);
        *p++ = 0xc0 | 6;
        p = ngx_media_put(p, body + 128, len - 128);
        p = ngx_media_rtmp_write_chunk_size(p, 1);
        p = ngx_media_rtmp_write_header(p, 6, 0xffffff, 3, 8, 1);
        p = ngx_media_put(p, "\0\306\377\306\377", 5);

        sprintf(want, "[6 %u 9 1 %u %08x][size 1][6 16777215 8 1 3 %08x]", ts,
                (unsigned) len, sum(body, len),
                sum((u_char *) "\0\377\377", 3));

        all_ways("end of message looks like a repeat", wire,
                 (size_t) (p - wire), 0, want);
    }
}


static void
test_ext_back(void)
{
    char     want[1024];
    u_char  *p;

    /*
     * Chunks of one byte without repeats whose run of bytes equals the first
     * bytes of the value again and again: everything is read twice.
     */

    p = ngx_media_rtmp_write_chunk_size(wire, 1);
    p = ngx_media_rtmp_write_header(p, 5, 0xc5c5c500, 6, 8, 1);

    p = ngx_media_put(p, "\305\305\305\305\305\305\305\305\305\305\305", 11);
    p = ngx_media_rtmp_write_header(p, 4, 9, 1, 8, 1);
    *p++ = 'x';

    sprintf(want, "[size 1][5 3318072576 8 1 6 %08x][4 9 8 1 1 %08x]",
            sum((u_char *) "\305\305\305\305\305\305", 6),
            sum((u_char *) "x", 1));

    all_ways("headers that look like repeats", wire, (size_t) (p - wire), 0,
             want);

    /* format 3 starts a message: absolute again, delta again */

    p = ngx_media_rtmp_write_header(wire, 5, 0x2000000, 1, 8, 1);
    *p++ = 'a';
    *p++ = 0xc5;
    p = ngx_media_put_be32(p, 0x2000000);
    *p++ = 'b';
    *p++ = 0x45;
    p = ngx_media_put_be24(p, 0xffffff);
    p = ngx_media_put_be24(p, 1);
    *p++ = 9;
    p = ngx_media_put_be32(p, 0x1000000);
    *p++ = 'c';
    *p++ = 0xc5;
    p = ngx_media_put_be32(p, 0x1000000);
    *p++ = 'd';

    sprintf(want, "[5 33554432 8 1 1 %08x][5 33554432 8 1 1 %08x]"
            "[5 50331648 9 1 1 %08x][5 67108864 9 1 1 %08x]",
            sum((u_char *) "a", 1), sum((u_char *) "b", 1),
            sum((u_char *) "c", 1), sum((u_char *) "d", 1));

    all_ways("extended timestamp in format 3 starts", wire,
             (size_t) (p - wire), 0, want);

    /* deltas wrap at 32 bits */

    p = ngx_media_rtmp_write_header(wire, 5, 0xfffffff0, 1, 8, 1);
    *p++ = 'a';
    *p++ = 0x85;
    p = ngx_media_put_be24(p, 0x20);
    *p++ = 'b';

    sprintf(want, "[5 4294967280 8 1 1 %08x][5 16 8 1 1 %08x]",
            sum((u_char *) "a", 1), sum((u_char *) "b", 1));

    all_ways("timestamps wrap", wire, (size_t) (p - wire), 0, want);

    ok(ngx_media_rtmp_unwrap(0xfffffff0, 0x10) == 0x100000010ll,
       "unwrap forwards");
    ok(ngx_media_rtmp_unwrap(0x100000010ll, 0xfffffff0) == 0xfffffff0ll,
       "unwrap backwards");
    ok(ngx_media_rtmp_unwrap(0, 3000000000u) == 3000000000ll,
       "unwrap is never negative");
    ok(ngx_media_rtmp_unwrap(1000, 960) == 960, "unwrap a step back");
}


static void
test_limits(void)
{
    u_char    *p;
    peer_t    *peer;
    unsigned   i;

    peer = malloc(sizeof(peer_t));

    peer_init(peer, 1000, 1500);
    p = ngx_media_rtmp_write_header(wire, 4, 0, 1000, 8, 1);
    ok(peer_feed(peer, wire, (size_t) (p - wire)) == 0, "message at limit");
    p = ngx_media_put(wire, body, 128);
    p = ngx_media_rtmp_write_header(p, 5, 0, 501, 8, 1);
    ok(peer_feed(peer, wire, (size_t) (p - wire)) == NGX_MEDIA_RTMP_EPENDING,
       "unfinished bytes over the limit");
    ok(peer_feed(peer, wire, 1) == NGX_MEDIA_RTMP_EPENDING,
       "errors are sticky");
    peer_done(peer);

    peer_init(peer, 1000, 1500);
    p = ngx_media_rtmp_write_header(wire, 4, 0, 1001, 8, 1);
    ok(peer_feed(peer, wire, (size_t) (p - wire)) == NGX_MEDIA_RTMP_EMESSAGE,
       "message over the limit");
    peer_done(peer);

    peer_init(peer, 1000, 100000);

    for (i = 0; i < NGX_MEDIA_RTMP_MAX_STREAMS; i++) {
        p = ngx_media_rtmp_write_header(wire, 2 + i * 37, 0, 0, 8, 1);

        if (peer_feed(peer, wire, (size_t) (p - wire)) != 0) {
            break;
        }
    }

    ok(i == NGX_MEDIA_RTMP_MAX_STREAMS, "64 chunk streams");
    ok(ngx_media_rtmp_reader_cs(&peer->r, 63) != NULL
       && ngx_media_rtmp_reader_cs(&peer->r, 64) == NULL,
       "all are listed");

    p = ngx_media_rtmp_write_header(wire, 65000, 0, 0, 8, 1);
    ok(peer_feed(peer, wire, (size_t) (p - wire)) == NGX_MEDIA_RTMP_ESTREAMS,
       "the 65th is refused");
    peer_done(peer);

    peer_init(peer, 100000, 100000);
    peer->skip = 9;
    p = wire + put_message(wire, 6, 1, 9, 1, 128, 1000);
    p += put_message(p, 6, 2, 8, 1, 128, 2);
    peer_feed(peer, wire, (size_t) (p - wire));
    ok(strncmp(peer->log, "[6 1 9 1 1000 skipped][6 2 8 1 2 ", 33) == 0,
       "payload thrown away: %s", peer->log);
    ok(peer->r.pending == 0, "nothing pending at the end");
    peer_done(peer);

    peer_init(peer, 100000, 100000);
    peer->step = 1;
    p = wire + put_message(wire, 6, 1, 9, 1, 128, 1000);
    peer_feed(peer, wire, (size_t) (p - wire));
    ok(strstr(peer->log, "1000 ") != NULL, "buffer that grows");
    peer_done(peer);

    ok(sizeof(ngx_media_rtmp_reader_t) < 400, "reader is %zu bytes",
       sizeof(ngx_media_rtmp_reader_t));

    free(peer);
}


static void
test_round_trips(void)
{
    int        passed;
    size_t     i, k, n, size, len, prefix;
    u_char    *big, *out, *p;
    peer_t    *peer;

    static const uint32_t  sizes[] = { 1, 128, 4096, 60000, 65536, 16777215 };
    static const size_t    lens[] = { 0, 1, 127, 128, 129, 4096, 60005,
                                      131072, 200000 };
    static const uint32_t  times[] = { 0, 0xfffffe, 0xffffff, 0xfffffffe };

    big = malloc(200000);
    out = malloc(200000 * 9);
    peer = malloc(sizeof(peer_t));

    for (i = 0; i < 200000; i++) {
        big[i] = (u_char) (i * 31 + (i >> 8));
    }

    for (i = 0; i < 6; i++) {
        passed = 1;

        for (k = 0; k < 9 * 4 * 3; k++) {
            uint32_t  ts = times[k % 4], csid = k % 3 == 0 ? 6
                                                : k % 3 == 1 ? 100 : 7000;

            len = lens[k / 12];
            prefix = len < 5 ? len : 5;

            peer_init(peer, 1 << 24, 1 << 24);

            p = ngx_media_rtmp_write_chunk_size(out, sizes[i]);
            peer_feed(peer, out, (size_t) (p - out));
            peer->log_len = 0;

            p = ngx_media_rtmp_write_message(out, csid, ts, 9, 1, sizes[i],
                                             big, prefix, big + prefix,
                                             len - prefix);

            size = ngx_media_rtmp_message_size(len, sizes[i], csid, ts);
            n = (size_t) (p - out);

            if (n != size) {
                printf("# size %zu not %zu\n", n, size);
                passed = 0;
            }

            peer_feed(peer, out, n / 3);
            peer_feed(peer, out + n / 3, n - n / 3);

            snprintf((char *) wire, 200, "[%u %u 9 1 %zu %08x]", csid, ts, len,
                     sum(big, len));

            if (strcmp(peer->log, (char *) wire) != 0) {
                printf("# %s not %s\n", peer->log, wire);
                passed = 0;
            }

            peer_done(peer);
        }

        ok(passed, "round trips at chunk size %u", sizes[i]);
    }

    free(peer);
    free(out);
    free(big);
}


static void
test_control(void)
{
    u_char  b[NGX_MEDIA_RTMP_MAX_CONTROL];

#define control(call, want)                                                   \
    memset(b, 0xaa, sizeof(b));                                               \
    is_mem(b, call - b, want, sizeof(want) - 1, #call)

    control(ngx_media_rtmp_write_chunk_size(b, 60000),
            "\2\0\0\0\0\0\4\1\0\0\0\0\0\0\352\140");
    control(ngx_media_rtmp_write_abort(b, 6),
            "\2\0\0\0\0\0\4\2\0\0\0\0\0\0\0\6");
    control(ngx_media_rtmp_write_ack(b, 0x01020304),
            "\2\0\0\0\0\0\4\3\0\0\0\0\1\2\3\4");
    control(ngx_media_rtmp_write_window_ack_size(b, 2500000),
            "\2\0\0\0\0\0\4\5\0\0\0\0\0\x26\x25\xa0");
    control(ngx_media_rtmp_write_peer_bandwidth(b, 2500000,
                                                NGX_MEDIA_RTMP_LIMIT_DYNAMIC),
            "\2\0\0\0\0\0\5\6\0\0\0\0\0\x26\x25\xa0\2");
    control(ngx_media_rtmp_write_user(b, NGX_MEDIA_RTMP_STREAM_BEGIN, 1),
            "\2\0\0\0\0\0\6\4\0\0\0\0\0\0\0\0\0\1");
    control(ngx_media_rtmp_write_user(b, NGX_MEDIA_RTMP_PING_REQUEST, 258),
            "\2\0\0\0\0\0\6\4\0\0\0\0\0\6\0\0\1\2");
    control(ngx_media_rtmp_write_buffer_length(b, 1, 3000),
            "\2\0\0\0\0\0\12\4\0\0\0\0\0\3\0\0\0\1\0\0\13\270");
}


static void
test_aggregate(void)
{
    int                         rc, n;
    u_char                     *p, *copy;
    size_t                      len, cut, whole;
    ngx_media_rtmp_sub_t        sub;
    ngx_media_rtmp_aggregate_t  a;

    static const u_char  tags[] = {
        8, 0, 0, 2, 0xff, 0xff, 0xf0, 0, 0, 0, 0, 'a', 'b', 0, 0, 0, 13,
        9, 0, 0, 0, 0xff, 0xff, 0xf8, 0, 0, 0, 0, 0, 0, 0, 11,
        9, 0, 0, 3, 0, 0, 0x10, 1, 0, 0, 0, 'c', 'd', 'e', 0, 0, 0, 14
    };

    len = sizeof(tags);
    whole = 0;

    for (cut = 0; cut <= len; cut++) {
        copy = malloc(cut ? cut : 1);
        memcpy(copy, tags, cut);

        ngx_media_rtmp_aggregate_init(&a, copy, copy + cut, 5000);

        for (n = 0; (rc = ngx_media_rtmp_aggregate_next(&a, &sub)) == 1; n++) {

            if (n == 0 && (sub.type != 8 || sub.timestamp != 5000
                           || sub.len != 2 || memcmp(sub.data, "ab", 2)))
            {
                break;
            }

            if (n == 1 && (sub.timestamp != 5008 || sub.len != 0)) {
                break;
            }

            if (n == 2 && (sub.timestamp != 5032
                           || memcmp(sub.data, "cde", 3)))
            {
                break;
            }
        }

        if (rc == 0) {
            whole++;
        }

        if (cut == len) {
            ok(rc == 0 && n == 3, "aggregate of three");
        }

        if (cut == len - 4) {
            ok(rc == 0 && n == 3, "last back pointer missing");
        }

        if (cut == 20) {
            ok(rc == -1 && n == 1, "aggregate cut in a header");
        }

        if (cut == 12) {
            ok(rc == -1 && n == 0, "aggregate cut in a body");
        }

        free(copy);
    }

    ok(whole > 3 && whole < 20, "damage is told from the end");

    p = (u_char *) tags;
    ngx_media_rtmp_aggregate_init(&a, p, p, 1);
    ok(ngx_media_rtmp_aggregate_next(&a, &sub) == 0, "empty aggregate");
}


int
main(void)
{
    size_t  i;

    for (i = 0; i < WIRE_SIZE; i++) {
        body[i] = (u_char) (i * 7 + 3);
    }

    test_formats();
    test_csids();
    test_interleave();
    test_errors();
    test_ext();
    test_ext_back();
    test_limits();
    test_round_trips();
    test_control();
    test_aggregate();

    ok(strcmp(ngx_media_rtmp_read_text(NGX_MEDIA_RTMP_EMESSAGE),
              "message is too long") == 0, "texts");

    return done_testing();
}
