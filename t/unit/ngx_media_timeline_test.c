
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of timestamp repair: clocks that wrap, jump and are reset, tracks
 * that cross a jump one after the other, publishers that come back, and gaps
 * that are real.  Times in the tables are ms.
 */


#include "ngx_media_timeline.h"
#include "ngx_media_test.h"


#define V  NGX_MEDIA_TRACK_VIDEO
#define A  NGX_MEDIA_TRACK_AUDIO
#define S  NGX_MEDIA_TRACK_SCRIPT


typedef struct {
    int      track;
    int64_t  dts;
    int64_t  now;
    int64_t  want;
    int      jumped;
} step_t;


static ngx_media_timeline_t  tl;


static int64_t
map(int track, int64_t dts, int64_t now, int *jumped)
{
    return ngx_media_timeline_map(&tl, track, dts * 1000, now * 1000, jumped)
           / 1000;
}


static void
run(const char *name, int mode, int64_t base, const step_t *s, size_t n)
{
    int      jumped;
    size_t   i;
    int64_t  out;

    ngx_media_timeline_start(&tl, mode, base * 1000);

    for (i = 0; i < n; i++) {
        out = map(s[i].track, s[i].dts, s[i].now, &jumped);

        ok(out == s[i].want && jumped == s[i].jumped,
           "%s: step %d, %ld becomes %ld", name, (int) i, (long) s[i].dts,
           (long) out);
    }
}


#define RUN(name, mode, base, steps)                                          \
    run(name, NGX_MEDIA_TIMELINE_ ## mode, base, steps,                       \
        sizeof(steps) / sizeof(steps[0]))


static void
test_modes(void)
{
    static const step_t  full[] = {
        { V, 5000, 0, 0, 0 },
        { A, 5010, 0, 10, 0 },
        { V, 5040, 40, 40, 0 },
        { A, 5033, 40, 33, 0 },
        { V, 5080, 80, 80, 0 }
    };

    static const step_t  zero[] = {
        { V, 5000, 0, 0, 0 },
        { A, 5010, 0, 10, 0 },
        { V, 100000000, 40, 99995000, 0 },
        { V, 10, 80, -4990, 0 }
    };

    static const step_t  off[] = {
        { V, 5000, 0, 5000, 0 },
        { A, 10, 0, 10, 0 },
        { V, 100000000, 40, 100000000, 0 },
        { V, 4000, 80, 4000, 0 }
    };

    RUN("full", FULL, 0, full);
    RUN("zero", ZERO, 0, zero);
    RUN("off", OFF, 777, off);
}


static void
test_jumps(void)
{
    /* the encoder starts its clock anew: as much time as really passed */

    static const step_t  back[] = {
        { V, 100000, 0, 0, 0 },
        { V, 100040, 40, 40, 0 },
        { V, 0, 80, 80, 1 },
        { V, 40, 120, 120, 0 },
        { V, 80, 160, 160, 0 }
    };

    /* a step of an hour in 40 ms */

    static const step_t  forward[] = {
        { V, 0, 0, 0, 0 },
        { V, 40, 40, 40, 0 },
        { V, 3600000, 80, 80, 1 },
        { V, 3600040, 120, 120, 0 }
    };

    /* 3 s and 60 s in which nothing came are a gap, not a jump */

    static const step_t  gap[] = {
        { V, 0, 0, 0, 0 },
        { A, 0, 0, 0, 0 },
        { V, 3000, 3000, 3000, 0 },
        { A, 3000, 3000, 3000, 0 },
        { V, 63000, 63000, 63000, 0 },
        { A, 63000, 63010, 63000, 0 }
    };

    /* a short step forward is believed although no time passed: a burst */

    static const step_t  burst[] = {
        { V, 0, 0, 0, 0 },
        { V, 2000, 0, 2000, 0 },
        { V, 4000, 0, 4000, 0 },
        { V, 4040, 40, 4040, 0 }
    };

    /* small steps back are held, not followed */

    static const step_t  held[] = {
        { V, 0, 0, 0, 0 },
        { V, 40, 40, 40, 0 },
        { V, 40, 50, 41, 0 },
        { V, 30, 60, 42, 0 },
        { V, 80, 80, 80, 0 },
        { A, 70, 80, 70, 0 },
        { A, 70, 81, 71, 0 },
        { A, 60, 82, 72, 0 }
    };

    /* one stray frame, then the clock as before */

    static const step_t  stray[] = {
        { V, 1000, 0, 0, 0 },
        { A, 1000, 0, 0, 0 },
        { V, 9000000, 40, 40, 1 },
        { V, 1080, 80, 80, 0 },
        { A, 1080, 80, 80, 0 },
        { V, 1120, 120, 120, 0 },
        { V, 500, 160, 160, 1 },
        { V, 540, 200, 200, 0 },
        { A, 540, 200, 200, 0 }
    };

    RUN("back", FULL, 0, back);
    RUN("forward", FULL, 0, forward);
    RUN("gap", FULL, 0, gap);
    RUN("burst", FULL, 0, burst);
    RUN("held", FULL, 0, held);
    RUN("stray", FULL, 0, stray);
}


static void
test_crossing(void)
{
    /* video jumps first, audio of before is still on its way */

    static const step_t  far[] = {
        { V, 100000, 0, 0, 0 },
        { A, 100000, 0, 0, 0 },
        { V, 100040, 40, 40, 0 },
        { V, 0, 80, 80, 1 },
        { A, 100060, 80, 60, 0 },
        { A, 100080, 85, 80, 0 },
        { A, 20, 100, 100, 0 },
        { V, 40, 120, 120, 0 },
        { A, 40, 120, 120, 0 }
    };

    /* a step so small that both offsets would do for audio */

    static const step_t  near[] = {
        { V, 5000, 0, 0, 0 },
        { A, 5000, 0, 0, 0 },
        { V, 5040, 40, 40, 0 },
        { A, 5040, 40, 40, 0 },
        { V, 0, 80, 80, 1 },
        { A, 5060, 80, 60, 0 },
        { A, 5080, 90, 80, 0 },
        { A, 20, 100, 100, 0 },
        { V, 40, 120, 120, 0 },
        { A, 60, 140, 140, 0 },
        { V, 80, 160, 160, 0 }
    };

    /* the same forwards, far enough not to be believed */

    static const step_t  ahead[] = {
        { V, 0, 0, 0, 0 },
        { A, 0, 0, 0, 0 },
        { V, 20000, 40, 40, 1 },
        { A, 40, 40, 40, 0 },
        { A, 20020, 60, 60, 0 },
        { V, 20040, 80, 80, 0 },
        { A, 20040, 80, 80, 0 }
    };

    RUN("crossing", FULL, 0, far);
    RUN("crossing, near", FULL, 0, near);
    RUN("crossing, ahead", FULL, 0, ahead);
}


static void
test_tracks(void)
{
    /* metadata says 0, or whatever it likes */

    static const step_t  script[] = {
        { S, 0, 0, 0, 0 },
        { V, 5000, 0, 5000, 0 },
        { V, 5040, 40, 5040, 0 },
        { S, 0, 40, 0, 0 },
        { S, 5040, 40, 5040, 0 },
        { S, 999999999, 40, 5040, 0 },
        { S, -999999999, 40, 5040, 0 },
        { V, 5080, 80, 5080, 0 }
    };

    /* a track that begins late, one with a clock of its own */

    static const step_t  late[] = {
        { V, 0, 0, 0, 0 },
        { V, 4000, 4000, 4000, 0 },
        { A, 3990, 4000, 3990, 0 },
        { 3, 700000, 4000, 4010, 1 },
        { V, 4040, 4040, 4040, 0 },
        { 3, 700040, 4040, 4050, 0 }
    };

    RUN("script", FULL, 0, script);
    RUN("tracks", FULL, 0, late);
}


static void
test_republish(void)
{
    /* where the publish before ended, 2 s later; audio begins before video */

    static const step_t  again[] = {
        { V, 80, 50000, 60000, 0 },
        { A, 0, 50000, 60000, 0 },
        { A, 21, 50021, 60001, 0 },
        { V, 120, 50040, 60040, 0 },
        { A, 128, 50048, 60048, 0 }
    };

    int64_t  last;

    RUN("republish", FULL, 60000, again);

    last = tl.last;
    ngx_media_timeline_start(&tl, NGX_MEDIA_TIMELINE_ZERO, last);
    ok(ngx_media_timeline_map(&tl, V, 12345, 0, &(int) { 0 }) == last,
       "a publish with time_jitter zero begins at the base too");
}


/* monotonic per track, whatever comes */

static void
test_random(void)
{
    int       track, jumped, good, jumps;
    int64_t   clock, now, out, last[3], newest;
    uint64_t  x;
    unsigned  i;

    ngx_media_timeline_start(&tl, NGX_MEDIA_TIMELINE_FULL, 0);

    x = 88172645463325252ull;
    clock = 1000000;
    now = 0;
    good = 1;
    jumps = 0;
    newest = 0;
    last[0] = last[1] = last[2] = -1;

    for (i = 0; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;

        track = x % 3;
        clock += 5000 + (int64_t) (x >> 8) % 10000;
        now += 10000;

        if (x % 1009 == 0) {
            clock = (int64_t) (x >> 20);
        }

        out = ngx_media_timeline_map(&tl, track,
                                     clock - (int64_t) (x >> 40) % 300000,
                                     now, &jumped);

        good &= track == A ? out >= last[track] : out > last[track];
        last[track] = out;
        jumps += jumped;

        /* nor does it run away from the time that passed */

        newest = out > newest ? out : newest;
        good &= newest < 2 * now + 30000000;
    }

    ok(good, "every track goes forward");
    ok(jumps >= 100 && jumps < 2000, "%d jumps", jumps);
}


static void
test_unwrap(void)
{
    int64_t   v, step;
    uint64_t  low;
    unsigned  i;

    ok(ngx_media_unwrap32(0, 5) == 5, "the first");
    ok(ngx_media_unwrap32(0xfffffff0ll, 0x10) == 0x100000010ll, "49 days");
    ok(ngx_media_unwrap32(0x100000010ll, 0xfffffff0u) == 0xfffffff0ll,
       "and a step back over it");
    ok(ngx_media_unwrap32(0x300000010ll, 0x20) == 0x300000020ll,
       "the fourth round");
    ok(ngx_media_unwrap32(10, 0xfffffffau) == -6, "before the beginning");
    ok(ngx_media_unwrap32(0, 0x80000000u) == 0x80000000ll, "half a round");
    ok(ngx_media_unwrap(0x1ffffff00ll, 0x100, 33) == 0x200000100ll,
       "33 bits");
    ok(ngx_media_unwrap(0xfffff0, 0x10, 24) == 0x1000010, "24 bits");

    /* a year of it in steps, through the timeline */

    ngx_media_timeline_start(&tl, NGX_MEDIA_TIMELINE_FULL, 0);

    v = 0;
    step = 7000;

    for (i = 0; i < 5000000; i++) {
        low = (uint64_t) (i * step) & 0xffffffff;
        v = ngx_media_unwrap32(v, low);

        if (v != (int64_t) i * step
            || ngx_media_timeline_map(&tl, V, v * 1000, i * step * 1000,
                                      &(int) { 0 })
               != (int64_t) i * step * 1000)
        {
            break;
        }
    }

    ok(i == 5000000 && tl.jumps == 0 && tl.fixes == 0,
       "%u times 7 s pass 8 wraps", i);
}


int
main(void)
{
    test_modes();
    test_jumps();
    test_crossing();
    test_tracks();
    test_republish();
    test_random();
    test_unwrap();

    return done_testing();
}
