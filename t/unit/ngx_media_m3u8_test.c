
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of playlists: views made here and the text that must come of
 * them, to the byte; then every buffer that is too small, and rules that hold
 * for all views, tried on many.
 */


#include <time.h>

#include "ngx_media_m3u8.h"
#include "ngx_media_text.h"
#include "ngx_media_test.h"


#define PDT   1795181628000000LL        /* 2026-11-20T13:33:48Z */


static ngx_media_hls_view_t     view;
static ngx_media_m3u8_params_t  params;
static u_char                   buf[512 * 1024];


/* n segments of 2 s, four parts of 500 ms each, the last one open with k */

static void
make(unsigned n, unsigned k)
{
    unsigned                  i, j, parts;
    ngx_media_hls_segment_t  *s;

    memset(&view, 0, sizeof(view));
    memset(&params, 0, sizeof(params));

    params.stream = (u_char *) "live";
    params.stream_len = 4;
    params.can_block = 1;

    view.part_target = 500000;
    view.target = 2;
    view.window = 30000000;
    view.independent = 1;
    view.nsegments = n;

    for (i = 0; i < n; i++) {
        s = &view.segment[i];
        parts = (i == n - 1 && k < 4) ? k : 4;

        s->msn = 100 + i;
        s->dts = i * 2000000;
        s->pdt = PDT + i * 2000000;
        s->nparts = parts;
        s->duration = parts * 500000;
        s->flags = NGX_MEDIA_HLS_INDEPENDENT
                   | (parts == 4 ? NGX_MEDIA_HLS_CLOSED : 0);
        s->init = 0xabc;

        view.first_part[i] = view.nparts;

        for (j = 0; j < parts; j++) {
            view.parts[view.nparts].duration = 500000;
            view.parts[view.nparts].flags = j ? 0 : NGX_MEDIA_HLS_INDEPENDENT;
            view.nparts++;
        }
    }
}


static const char *
media(void)
{
    size_t  n;

    n = ngx_media_m3u8_media(&view, &params, buf, sizeof(buf) - 1);

    if (n >= sizeof(buf)) {
        return "too large";
    }

    buf[n] = '\0';

    return (char *) buf;
}


static void
is_text(const char *got, const char *want, const char *name)
{
    if (!ok(strcmp(got, want) == 0, "%s", name)) {
        printf("# got:\n%s# want:\n%s", got, want);
    }
}


static void
has(const char *text, const char *name)
{
    if (!ok(strstr(media(), text) != NULL, "%s", name)) {
        printf("# got:\n%s# without: %s\n", (char *) buf, text);
    }
}


static void
hasnt(const char *text, const char *name)
{
    if (!ok(strstr(media(), text) == NULL, "%s", name)) {
        printf("# got:\n%s# with: %s\n", (char *) buf, text);
    }
}


static unsigned
count(const char *what)
{
    unsigned     n;
    const char  *p;

    n = 0;

    for (p = media(); (p = strstr(p, what)) != NULL; p += strlen(what)) {
        n++;
    }

    return n;
}


static void
test_plain(void)
{
    make(2, 4);
    view.part_target = 0;
    params.can_block = 0;

    is_text(media(),
            "#EXTM3U\n"
            "#EXT-X-VERSION:6\n"
            "#EXT-X-TARGETDURATION:2\n"
            "#EXT-X-SERVER-CONTROL:HOLD-BACK=6.000000\n"
            "#EXT-X-INDEPENDENT-SEGMENTS\n"
            "#EXT-X-MEDIA-SEQUENCE:100\n"
            "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
            "#EXT-X-MAP:URI=\"live.hls.init.mp4?v=00000abc\"\n"
            "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T13:33:48.000Z\n"
            "#EXTINF:2.000000,\n"
            "live.hls.100.m4s\n"
            "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T13:33:50.000Z\n"
            "#EXTINF:2.000000,\n"
            "live.hls.101.m4s\n", "no low latency");

    make(2, 2);
    view.part_target = 0;
    hasnt("live.hls.101", "an open segment is not listed without parts");

    make(2, 4);
    view.container = NGX_MEDIA_HLS_MPEGTS;
    view.part_target = 0;
    view.segment[0].init = view.segment[1].init = 0;
    has("VERSION:3\n", "TS: version");
    hasnt("MAP", "TS: no init");
    has("\nlive.hls.101.ts\n", "TS: names");

    make(0, 0);
    has("MEDIA-SEQUENCE:0\n", "an empty view");
    hasnt("PRELOAD", "nothing to hint at");

    make(3, 4);
    view.listed = 3;
    has("MEDIA-SEQUENCE:103\n", "nothing listed");
    hasnt("EXTINF", "none");

    make(1, 0);
    view.nsegments = 1;
    has("MEDIA-SEQUENCE:100\n", "one without parts");
    has("HINT:TYPE=PART,URI=\"live.hls.100.0.m4s\"", "its hint");
    hasnt("PROGRAM", "nothing more of it");

    make(5, 4);
    view.listed = 3;
    has("MEDIA-SEQUENCE:103\n", "a window");
    ok(count("EXTINF") == 2, "of two");
}


static void
test_low_latency(void)
{
    make(2, 3);
    view.parts[5].duration = 480000;
    view.segment[1].duration = 1480000;

    is_text(media(),
            "#EXTM3U\n"
            "#EXT-X-VERSION:6\n"
            "#EXT-X-TARGETDURATION:2\n"
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,"
            "PART-HOLD-BACK=1.250000,HOLD-BACK=6.000000\n"
            "#EXT-X-PART-INF:PART-TARGET=0.500000\n"
            "#EXT-X-INDEPENDENT-SEGMENTS\n"
            "#EXT-X-MEDIA-SEQUENCE:100\n"
            "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
            "#EXT-X-MAP:URI=\"live.hls.init.mp4?v=00000abc\"\n"
            "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T13:33:48.000Z\n"
            "#EXT-X-PART:DURATION=0.500000,URI=\"live.hls.100.0.m4s\","
            "INDEPENDENT=YES\n"
            "#EXT-X-PART:DURATION=0.500000,URI=\"live.hls.100.1.m4s\"\n"
            "#EXT-X-PART:DURATION=0.500000,URI=\"live.hls.100.2.m4s\"\n"
            "#EXT-X-PART:DURATION=0.500000,URI=\"live.hls.100.3.m4s\"\n"
            "#EXTINF:2.000000,\n"
            "live.hls.100.m4s\n"
            "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T13:33:50.000Z\n"
            "#EXT-X-PART:DURATION=0.500000,URI=\"live.hls.101.0.m4s\","
            "INDEPENDENT=YES\n"
            "#EXT-X-PART:DURATION=0.480000,URI=\"live.hls.101.1.m4s\"\n"
            "#EXT-X-PART:DURATION=0.500000,URI=\"live.hls.101.2.m4s\"\n"
            "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"live.hls.101.3.m4s\"\n",
            "low latency");

    make(2, 4);
    has("HINT:TYPE=PART,URI=\"live.hls.102.0.m4s\"",
        "the first part of the next segment");

    make(15, 2);
    ok(count("#EXT-X-PART:") == 10, "parts of three target durations: %u",
       count("#EXT-X-PART:"));
    hasnt("live.hls.111.0.", "not of older ones");

    make(15, 4);
    ok(count("#EXT-X-PART:") == 12, "parts of whole segments");

    make(15, 4);
    view.with_parts = 13;
    ok(count("#EXT-X-PART:") == 8, "parts that are there");

    make(3, 2);
    view.tag[0] = 'v';
    view.tag[1] = '0';
    params.args = (u_char *) "hls_ctx=1\"\n";
    params.args_len = 11;
    params.prefix = (u_char *) "http://cdn/x";
    params.prefix_len = 12;
    has("\nhttp://cdn/x/live.hls.v0.101.m4s?hls_ctx=1%22%0A\n", "a prefix");
    has("MAP:URI=\"http://cdn/x/live.hls.v0.init.mp4?v=00000abc&hls_ctx=1%22"
        "%0A\"\n", "of the init");
    has("HINT:TYPE=PART,URI=\"http://cdn/x/live.hls.v0.102.2.m4s?hls_ctx=1"
        "%22%0A\"", "of the hint");

    make(3, 2);
    view.parts[9].flags = NGX_MEDIA_HLS_GAP;
    view.segment[1].flags |= NGX_MEDIA_HLS_GAP;
    view.independent = 0;
    has("URI=\"live.hls.102.1.m4s\",GAP=YES\n", "a part that is a gap");
    has("#EXT-X-GAP\n#EXTINF:2.000000,\nlive.hls.101.m4s", "a gap");
    hasnt("INDEPENDENT-SEGMENTS", "not independent");
}


static void
test_end(void)
{
    make(3, 2);
    view.ended = 1;
    has("#EXTINF:1.000000,\nlive.hls.102.m4s\n#EXT-X-ENDLIST\n",
        "an open segment at the end");
    hasnt("PRELOAD", "nothing comes");

    make(3, 2);
    view.part_target = 0;
    view.ended = 1;
    has("#EXTINF:1.000000,\nlive.hls.102.m4s\n#EXT-X-ENDLIST\n",
        "without parts too");

    make(3, 0);
    view.ended = 1;
    has("live.hls.101.m4s\n#EXT-X-ENDLIST\n", "an empty one is none");
}


static void
test_discontinuity(void)
{
    make(4, 4);
    view.segment[0].disc = 3;
    view.segment[1].disc = 3;
    view.segment[2].disc = 4;
    view.segment[3].disc = 4;
    view.segment[2].flags |= NGX_MEDIA_HLS_DISCONTINUITY;
    view.segment[2].init = view.segment[3].init = 0xdef;

    has("DISCONTINUITY-SEQUENCE:3\n", "sequence");
    has("live.hls.101.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"live.hls."
        "init.mp4?v=00000def\"\n#EXT-X-PROGRAM", "a discontinuity");
    ok(count("#EXT-X-MAP") == 2, "each init once");

    view.listed = 2;
    has("DISCONTINUITY-SEQUENCE:3\n", "its tag is still there");
    has("#EXT-X-DISCONTINUITY\n", "here");

    view.listed = 3;
    has("DISCONTINUITY-SEQUENCE:4\n", "its tag is gone");
    hasnt("#EXT-X-DISCONTINUITY\n", "from here");
}


static void
test_own_keys(void)
{
    ngx_media_m3u8_uri_t  uris[NGX_MEDIA_HLS_SEGMENTS];

    memset(uris, 0, sizeof(uris));

    uris[1].uri = uris[2].uri = (u_char *) "s.ts";
    uris[1].uri_len = uris[2].uri_len = 4;
    uris[1].key = uris[2].key = (u_char *) "k.key";
    uris[1].key_len = uris[2].key_len = 5;
    uris[1].iv = 0x1122334455667788;
    uris[2].iv = 9;

    params.uris = uris;

    has("#EXT-X-KEY:METHOD=AES-128,URI=\"k.key\",IV=0x0000000000000000"
        "1122334455667788\n", "a vector of its own");
    has("IV=0x00000000000000000000000000000009\n", "one for each segment");

    params.uris = NULL;
}


static void
test_keys(void)
{
    make(4, 4);
    view.part_target = 0;
    view.segment[1].key = view.segment[2].key = 7;
    view.segment[3].key = 8;

    has("live.hls.100.m4s\n#EXT-X-KEY:METHOD=AES-128,URI=\"live.hls.key.7\""
        "\n#EXT-X-PROGRAM", "a key");
    ok(count("#EXT-X-KEY") == 2, "one tag for each");

    view.segment[2].init = view.segment[3].init = 5;
    view.segment[3].key = 0;
    params.key_url = (u_char *) "https://k/";
    params.key_url_len = 10;
    has("live.hls.101.m4s\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP:URI=\"live.hls."
        "init.mp4?v=00000005\"\n#EXT-X-KEY:METHOD=AES-128,"
        "URI=\"https://k/live.hls.key.7\"\n", "inits are clear");
    has("live.hls.102.m4s\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-PROGRAM",
        "no key any more");

    test_own_keys();
}


static void
test_skip(void)
{
    char      *full, *tail;
    unsigned   i;

    make(15, 2);
    params.can_skip = 1;
    has("#EXT-X-VERSION:9\n", "version");
    has("CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.000000,PART-HOLD-BACK",
        "delta updates are offered");
    hasnt("EXT-X-SKIP:", "not made");
    full = strdup(media());

    /* 29 s; what ended before 17 s: 8 segments */

    params.skip = 1;
    has("MEDIA-SEQUENCE:100\n", "a delta update has the sequence of all");
    has("#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-SKIP:SKIPPED-SEGMENTS=8\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T13:34:04.000Z\n",
        "what is skipped");

    tail = strstr(media(), "SEGMENTS=8\n");
    ok(tail && strstr(full, tail + 11)
       && strlen(strstr(full, tail + 11)) == strlen(tail + 11),
       "the rest is as in the full one");
    free(full);

    make(7, 4);
    params.skip = params.can_skip = 1;
    has("#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n", "one that ended on the boundary");

    view.segment[1].init = 4;
    has("SEGMENTS=1\n#EXT-X-MAP:URI=\"live.hls.init.mp4?v=00000004\"\n",
        "an init that changes behind it");

    make(6, 4);
    params.skip = params.can_skip = 1;
    hasnt("EXT-X-SKIP:", "nothing to skip");

    for (i = 0; i < 16; i++) {
        make(i, i % 5);
        params.skip = params.can_skip = 1;
        (void) media();
    }
}


static void
test_start(void)
{
    make(10, 2);
    params.start = PDT + 5000000;
    has("#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n", "time shift: start");
    has("MEDIA-SEQUENCE:102\n", "time shift: sequence");

    params.start = PDT + 4000000;
    has("MEDIA-SEQUENCE:102\n", "on the start of a segment");

    params.start = 1;
    has("MEDIA-SEQUENCE:100\n", "from the beginning of time on");

    view.listed = 4;
    has("MEDIA-SEQUENCE:104\n", "not more than the window");

    params.start = PDT + 1000000000;
    has("MEDIA-SEQUENCE:110\n", "in the future");
    has("HINT:TYPE=PART,URI=\"live.hls.109.2.m4s\"", "what will come");
}


static void
test_reports(void)
{
    ngx_media_m3u8_report_t  r[2] = {
        { "live.hls.a1.m3u8", 101, 2, 1 },
        { "live.hls.a2.m3u8", 101, 2, 0 }
    };

    make(2, 3);
    params.nreports = 2;
    params.reports = r;

    has(".3.m4s\"\n#EXT-X-RENDITION-REPORT:URI=\"live.hls.a1.m3u8\","
        "LAST-MSN=101,LAST-PART=2\n#EXT-X-RENDITION-REPORT:"
        "URI=\"live.hls.a2.m3u8\",LAST-MSN=101\n", "reports");

    view.ended = 1;
    hasnt("REPORT", "none at the end");
}


static void
test_small(void)
{
    size_t   n, full;
    u_char  *p;

    make(3, 2);

    full = ngx_media_m3u8_media(&view, &params, NULL, 0);
    n = 0;

    ok(full > 1000, "the length of all");

    do {
        p = malloc(n ? n : 1);

        if (ngx_media_m3u8_media(&view, &params, p, n) != full) {
            break;
        }

        if (n == full && memcmp(p, media(), full) != 0) {
            break;
        }

        free(p);

    } while (++n <= full);

    ok(n == full + 1, "buffers of any size");
}


static void
test_full(void)
{
    unsigned  i, j;

    memset(&view, 0, sizeof(view));
    make(NGX_MEDIA_HLS_SEGMENTS, 4);

    ok(count("EXTINF") == NGX_MEDIA_HLS_SEGMENTS, "a full table");

    /* more parts than a view has: nothing behind them is read */

    for (i = 0; i < NGX_MEDIA_HLS_SEGMENTS; i++) {
        view.segment[i].nparts = 0xffffffff;
        view.segment[i].duration = 1;
        view.first_part[i] = i % 2 ? NGX_MEDIA_HLS_PARTS - 3 : 0xfffffff0;
    }

    view.nparts = NGX_MEDIA_HLS_PARTS;

    for (j = 0; j < NGX_MEDIA_HLS_PARTS; j++) {
        view.parts[j].duration = 0xffffffff;
    }

    ok(count("#EXT-X-PART:") == 3 * NGX_MEDIA_HLS_SEGMENTS / 2,
       "parts that are not in the view");
}


static void
track(ngx_media_hls_view_t *v, uint8_t codec, const char *codecs)
{
    ngx_media_hls_track_t  *t;

    t = &v->track[v->ntracks++];

    t->info.codec = codec;
    strcpy(t->codecs, codecs);

    if (ngx_media_codec_is_video(codec)) {
        t->info.width = 1920;
        t->info.height = 1080;
        t->fps_milli = 29970;

    } else {
        t->info.channels = 2;
    }
}


static const char *
master(const ngx_media_m3u8_variant_t *v, unsigned n)
{
    size_t  len, i;
    u_char *p;

    len = ngx_media_m3u8_master(v, n, buf, sizeof(buf));
    buf[len] = '\0';

    for (i = 0; i <= len; i++) {
        p = malloc(i ? i : 1);

        if (ngx_media_m3u8_master(v, n, p, i) != len
            || (i == len && memcmp(p, buf, len) != 0))
        {
            ok(0, "a master into %zu", i);
        }

        free(p);
    }

    return (char *) buf;
}


static void
test_master(void)
{
    static ngx_media_hls_view_t  views[4];
    ngx_media_m3u8_variant_t     v[4];

    memset(views, 0, sizeof(views));
    memset(v, 0, sizeof(v));

    track(&views[0], NGX_MEDIA_CODEC_H264, "avc1.64001f");
    track(&views[0], NGX_MEDIA_CODEC_AAC, "mp4a.40.2");
    views[0].bandwidth = 2500000;
    views[0].average = 2000000;
    views[0].independent = 1;

    v[0].uri = (u_char *) "live.hls.0.m3u8?a=\"b";
    v[0].uri_len = 20;
    v[0].view = &views[0];

    is_text(master(v, 1),
            "#EXTM3U\n"
            "#EXT-X-VERSION:6\n"
            "#EXT-X-INDEPENDENT-SEGMENTS\n"
            "#EXT-X-STREAM-INF:BANDWIDTH=2500000,AVERAGE-BANDWIDTH=2000000,"
            "CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1920x1080,"
            "FRAME-RATE=29.970,VIDEO-RANGE=SDR\n"
            "live.hls.0.m3u8?a=%22b\n", "one muxed rendition");

    /* one of video, two of audio */

    memset(views, 0, sizeof(views));
    memset(v, 0, sizeof(v));

    track(&views[0], NGX_MEDIA_CODEC_HEVC, "hvc1.2.4.L120.b0");
    views[0].track[0].info.color_transfer = 16;
    views[0].track[0].fps_milli = 0;
    views[0].track[0].info.fps_num = 25;
    views[0].track[0].info.fps_den = 1;
    views[0].bandwidth = 5000000;
    views[0].average = 4000000;

    track(&views[1], NGX_MEDIA_CODEC_AAC, "mp4a.40.2");
    views[1].bandwidth = 130000;
    views[1].average = 128000;
    strcpy(views[1].track[0].language, "en");

    track(&views[2], NGX_MEDIA_CODEC_OPUS, "opus");
    views[2].bandwidth = 100000;
    views[2].average = 129000;
    views[2].track[0].info.channels = 6;

    v[0].uri = (u_char *) "v0";
    v[0].uri_len = 2;
    v[1].uri = (u_char *) "a0";
    v[1].uri_len = 2;
    v[1].name = v[2].name = (u_char *) "Eng\"\n";
    v[1].name_len = v[2].name_len = 5;
    v[2].uri = (u_char *) "a1";
    v[2].uri_len = 2;
    v[3].uri = (u_char *) "a2";
    v[3].uri_len = 2;
    v[0].view = &views[0];
    v[1].view = &views[1];
    v[2].view = &views[2];
    v[3].view = &views[1];

    is_text(master(v, 4),
            "#EXTM3U\n"
            "#EXT-X-VERSION:6\n"
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Eng__\","
            "LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\","
            "URI=\"a0\"\n"
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Eng__ 2\","
            "AUTOSELECT=YES,CHANNELS=\"6\",URI=\"a1\"\n"
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Audio 3\","
            "LANGUAGE=\"en\",AUTOSELECT=YES,CHANNELS=\"2\",URI=\"a2\"\n"
            "#EXT-X-STREAM-INF:BANDWIDTH=5130000,AVERAGE-BANDWIDTH=4129000,"
            "CODECS=\"hvc1.2.4.L120.b0,mp4a.40.2,opus\",RESOLUTION=1920x1080,"
            "FRAME-RATE=25.000,VIDEO-RANGE=PQ,AUDIO=\"audio\"\n"
            "v0\n", "a group of audio");

    views[0].track[0].info.color_transfer = 18;
    ok(strstr(master(v, 1), "VIDEO-RANGE=HLG\n") != NULL, "HLG, no group");

    is_text(master(v + 1, 1),
            "#EXTM3U\n"
            "#EXT-X-VERSION:6\n"
            "#EXT-X-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=128000,"
            "CODECS=\"mp4a.40.2\"\n"
            "a0\n", "audio only");

    /* nothing is known */

    memset(views, 0, sizeof(views));
    track(&views[0], NGX_MEDIA_CODEC_OTHER_VIDEO, "");
    track(&views[0], NGX_MEDIA_CODEC_AAC, "mp4a.40.2");
    views[0].track[0].info.width = 0;
    views[0].track[0].fps_milli = 0;

    is_text(master(v, 1),
            "#EXTM3U\n"
            "#EXT-X-VERSION:6\n"
            "#EXT-X-STREAM-INF:BANDWIDTH=128000,VIDEO-RANGE=SDR\n"
            "v0\n", "nothing known");

    is_text(master(v, 0), "#EXTM3U\n#EXT-X-VERSION:6\n", "nothing there");
}


static void
is_time(int64_t us, const char *want)
{
    u_char            out[64];
    ngx_media_text_t  t;

    ngx_media_text_init(&t, out, sizeof(out));
    ngx_media_text_time(&t, us);

    is_mem(out, t.len, want, strlen(want), "%s", want);
}


static void
test_text(void)
{
    char              want[64];
    u_char            out[64];
    time_t            sec;
    unsigned          i, bad;
    struct tm         tm;
    ngx_media_text_t  t;

    is_time(0, "1970-01-01T00:00:00.000Z");
    is_time(-1, "1970-01-01T00:00:00.000Z");
    is_time(PDT + 999999, "2026-11-20T13:33:48.999Z");
    is_time(951782400000000LL, "2000-02-29T00:00:00.000Z");
    is_time(4107542399999000LL, "2100-02-28T23:59:59.999Z");
    is_time(4107542400000000LL, "2100-03-01T00:00:00.000Z");
    is_time(INT64_MAX, "9999-12-31T23:59:59.999Z");

    bad = 0;

    for (i = 0; i < 100000; i++) {
        sec = (time_t) i * 86400 + i;
        gmtime_r(&sec, &tm);
        strftime(want, sizeof(want), "%FT%T.000Z", &tm);

        ngx_media_text_init(&t, out, sizeof(out));
        ngx_media_text_time(&t, (int64_t) sec * 1000000);

        bad += t.len != 24 || memcmp(out, want, 24) != 0;
    }

    ok(bad == 0, "each day of 270 years");

    ngx_media_text_init(&t, out, sizeof(out));
    ngx_media_text_int(&t, INT64_MIN);
    is_mem(out, t.len, "-9223372036854775808", 20, "the least number");

    ngx_media_text_init(&t, out, sizeof(out));
    ngx_media_text_uint(&t, UINT64_MAX);
    is_mem(out, t.len, "18446744073709551615", 20, "the largest");

    ngx_media_text_init(&t, out, sizeof(out));
    ngx_media_text_xml(&t, (u_char *) "a<b>&'\"\001c", 9);
    is_mem(out, t.len, "a&lt;b&gt;&amp;&apos;&quot;c", 28, "XML");
}


static void
test_speed(void)
{
    unsigned         i;
    uint64_t         ns;
    struct timespec  a, b;

    make(16, 2);
    params.can_skip = 1;

    clock_gettime(CLOCK_MONOTONIC, &a);

    for (i = 0; i < 1000; i++) {
        (void) ngx_media_m3u8_media(&view, &params, buf, sizeof(buf));
    }

    clock_gettime(CLOCK_MONOTONIC, &b);

    ns = (uint64_t) (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;

    printf("# %llu ns for a playlist of %zu bytes\n",
           (unsigned long long) ns / 1000, strlen(media()));
}


int
main(void)
{
    test_plain();
    test_low_latency();
    test_end();
    test_discontinuity();
    test_keys();
    test_skip();
    test_start();
    test_reports();
    test_small();
    test_full();
    test_master();
    test_text();
    test_speed();

    return done_testing();
}
