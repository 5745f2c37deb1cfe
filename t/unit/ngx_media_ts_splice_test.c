
/*
 * Copyright (C) the nginx media suite authors
 *
 * Packets for a reader that jumps: counters without a gap, the clock, the
 * time that has gone by.
 */


#include "ngx_media_ts_splice.h"
#include "ngx_media_ts_test.h"


#define KEYS  6


static size_t    key[KEYS];                /* packet where each begins */
static unsigned  breaks, faults, pcrs;


/* one keyframe and nine others, ten times a second, with sound */

static void
mux(void)
{
    unsigned           i, a;
    ngx_media_frame_t  f;
    u_char             buf[256];

    ts_start();

    for (i = 0; i < 2; i++) {
        f = ts_frame(i ? NGX_MEDIA_CODEC_AAC : NGX_MEDIA_CODEC_H264, i, 0,
                     NGX_MEDIA_FRAME_CONFIG, buf, 0);
        f.size = (uint32_t) ts_config(f.codec, buf);
        (void) ngx_media_ts_mux_frame(&ts_mux, &f);
    }

    a = 0;

    for (i = 0; i < KEYS * 10; i++) {

        if (i % 10 == 0) {
            key[i / 10] = ts_packets();
        }

        f = ts_make(NGX_MEDIA_CODEC_H264, 0, i, 500 + i * 31);
        f.dts = (int64_t) i * 100000;
        (void) ngx_media_ts_mux_frame(&ts_mux, &f);

        while (a * 1024 * 10 < (i + 1) * 48000) {
            f = ts_make(NGX_MEDIA_CODEC_AAC, 1, a++, 200);
            (void) ngx_media_ts_mux_frame(&ts_mux, &f);
        }
    }
}


/* counters and clocks of what a reader got */

static void
look(const u_char *p, size_t n)
{
    uint8_t   cc[8192];
    unsigned  pid, c;

    breaks = 0;
    faults = 0;
    pcrs = 0;

    memset(cc, 0xff, sizeof(cc));

    for ( /* void */ ; n; n -= 188, p += 188) {
        pid = ngx_media_get_be16(p + 1) & 0x1fff;
        c = p[3] & 15;

        if (cc[pid] != 0xff) {
            faults += (c != ((cc[pid] + !!(p[3] & 0x10)) & 15u));
        }

        cc[pid] = (uint8_t) c;

        if ((p[3] & 0x20) && p[4] && (p[5] & 0x10)) {
            pcrs++;
        }

        if ((p[3] & 0x20) && p[4] && (p[5] & 0x80)) {
            breaks++;
            faults += !(p[5] & 0x10);
        }
    }
}


static void
copy(u_char *to, size_t from, size_t until, ngx_media_ts_splice_t *s)
{
    size_t  n, size;

    /* in messages of seven packets */

    for ( /* void */ ; from < until; from += n) {
        n = until - from < 7 ? until - from : 7;
        size = n * 188;

        memcpy(to, ts + from * 188, size);
        ngx_media_ts_splice(s, to, size);
        to += size;
    }
}


int
main(void)
{
    u_char                 *p, *end;
    size_t                  i, n, all;
    unsigned                bad;
    ngx_media_ts_splice_t   s;

    mux();

    all = ts_packets();
    p = malloc(all * 188);

    memset(&s, 0, sizeof(s));
    copy(p, 0, all, &s);
    look(p, all * 188);
    ok(faults == 0 && breaks == 0 && s.jumps == 0 && pcrs > 100,
       "without a jump: %u faults, %u clocks", faults, pcrs);
    ok(s.passed > (KEYS * 10 - 2) * 100000 && s.passed <= KEYS * 1000000,
       "and all of the time: %d ms", (int) (s.passed / 1000));

    /* from any frame to any later keyframe a second or more ahead */

    bad = 0;
    n = 0;

    for (i = 1; i < KEYS; i++) {
        memset(&s, 0, sizeof(s));
        end = p;

        copy(end, 0, key[1] - 40, &s);
        end += (key[1] - 40) * 188;
        copy(end, key[i], all, &s);
        end += (all - key[i]) * 188;

        look(p, (size_t) (end - p));

        bad += faults;
        bad += (breaks != (i > 1)) + (s.jumps != (i > 1));
        bad += s.passed > (int64_t) (KEYS - i + 1) * 1000000;
        n++;
    }

    ok(bad == 0, "%d jumps: %u faults", (int) n, bad);

    /* not from the beginning */

    memset(&s, 0, sizeof(s));
    copy(p, key[3], all, &s);
    look(p, (all - key[3]) * 188);
    ok(faults == 0 && breaks == 0, "who comes late has no gap");

    free(p);
    free(ts);

    return done_testing();
}
