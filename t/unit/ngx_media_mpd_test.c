
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of MPDs: views made here and what must come of them, then every
 * buffer that is too small.
 */


#include "ngx_media_mpd.h"
#include "ngx_media_test.h"


#define PDT   1795181628000000LL        /* 2026-11-20T13:33:48Z */
#define TIME  7000000LL                 /* us, where the media begin */


static ngx_media_hls_view_t         video, audio;
static const ngx_media_hls_view_t  *views[2] = { &audio, &video };
static ngx_media_mpd_params_t       params;
static u_char                       buf[256 * 1024];


/*
 * n segments of 2 s and 30 fps, the last one with k of 4 parts; audio of
 * 1024 samples in 48 kHz in segments that begin with the first frame of it.
 */

static void
make(ngx_media_hls_view_t *v, unsigned n, unsigned k)
{
    int64_t                   time;
    unsigned                  i;
    ngx_media_hls_segment_t  *s;

    memset(v, 0, sizeof(ngx_media_hls_view_t));

    v->begin = PDT;
    v->part_target = 500000;
    v->target = 2;
    v->independent = 1;
    v->nsegments = n;
    v->ntracks = 1;
    v->bandwidth = 1000000;

    for (i = 0; i < n; i++) {
        s = &v->segment[i];
        time = TIME + (int64_t) i * 2000000;

        if (v == &audio) {
            time = (time * 48 / 1000 + 1023) / 1024 * 1024;
            time = (time * 1000 + 24) / 48;
        }

        s->msn = 100 + i;
        s->time = time;
        s->origin = TIME;
        s->pdt = PDT + time - TIME;
        s->nparts = (i == n - 1) ? k : 4;
        s->duration = s->nparts * 500000;
        s->flags = s->nparts == 4 ? NGX_MEDIA_HLS_CLOSED : 0;
        s->init = 0xabc;
    }

    if (v == &video) {
        strcpy(v->tag, "v0");
        strcpy(v->track[0].codecs, "avc1.64001f");
        v->track[0].info.codec = NGX_MEDIA_CODEC_H264;
        v->track[0].info.width = 1280;
        v->track[0].info.height = 720;
        v->track[0].fps_milli = 29970;
        v->track[0].timescale = 90000;

    } else {
        strcpy(v->tag, "a0");
        strcpy(v->track[0].codecs, "mp4a.40.2");
        strcpy(v->track[0].language, "en");
        v->track[0].info.codec = NGX_MEDIA_CODEC_AAC;
        v->track[0].info.channels = 2;
        v->track[0].info.sample_rate = 48000;
        v->track[0].timescale = 48000;
    }
}


static void
both(unsigned n, unsigned k)
{
    make(&video, n, k);
    make(&audio, n, k);

    memset(&params, 0, sizeof(params));

    params.stream = (u_char *) "live";
    params.stream_len = 4;
    params.now = PDT + 20000000;
}


static const char *
mpd(void)
{
    size_t  n;

    n = ngx_media_mpd(views, 2, &params, buf, sizeof(buf) - 1);

    buf[n] = '\0';

    return (char *) buf;
}


static void
has(const char *text, const char *name)
{
    if (!ok(strstr(mpd(), text) != NULL, "%s", name)) {
        printf("# got:\n%s# without: %s\n", (char *) buf, text);
    }
}


static void
hasnt(const char *text, const char *name)
{
    if (!ok(strstr(mpd(), text) == NULL, "%s", name)) {
        printf("# got:\n%s# with: %s\n", (char *) buf, text);
    }
}


static void
test_live(void)
{
    static const char  want[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\""
        " profiles=\"urn:mpeg:dash:profile:isoff-live:2011,"
        "urn:mpeg:dash:profile:cmaf:2019\" type=\"dynamic\""
        " availabilityStartTime=\"2026-11-20T13:33:48.000Z\""
        " publishTime=\"2026-11-20T13:33:54.000Z\""
        " minimumUpdatePeriod=\"PT1.000000S\""
        " timeShiftBufferDepth=\"PT6.000000S\""
        " suggestedPresentationDelay=\"PT6.000000S\""
        " minBufferTime=\"PT2.000000S\""
        " maxSegmentDuration=\"PT2.000000S\">\n"
        "<Period id=\"p0\" start=\"PT0.000000S\">\n"
        "<AdaptationSet id=\"0\" contentType=\"video\""
        " mimeType=\"video/mp4\" segmentAlignment=\"true\""
        " startWithSAP=\"1\">\n"
        "<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"main\"/>\n"
        "<Representation id=\"v0\" bandwidth=\"1000000\""
        " codecs=\"avc1.64001f\" width=\"1280\" height=\"720\""
        " frameRate=\"30000/1001\">\n"
        "<SegmentTemplate timescale=\"90000\""
        " presentationTimeOffset=\"630000\" startNumber=\"100\""
        " initialization=\"live.hls.v0.init.mp4?v=00000abc\""
        " media=\"live.hls.v0.$Number$.m4s\">\n"
        "<SegmentTimeline><S t=\"630000\" d=\"180000\" r=\"2\"/>"
        "</SegmentTimeline>\n"
        "</SegmentTemplate>\n"
        "</Representation>\n"
        "</AdaptationSet>\n"
        "<AdaptationSet id=\"1\" contentType=\"audio\""
        " mimeType=\"audio/mp4\" lang=\"en\" segmentAlignment=\"true\""
        " startWithSAP=\"1\">\n"
        "<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"main\"/>\n"
        "<Representation id=\"a0\" bandwidth=\"1000000\""
        " codecs=\"mp4a.40.2\" audioSamplingRate=\"48000\">\n"
        "<AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:"
        "audio_channel_configuration:2011\" value=\"2\"/>\n"
        "<SegmentTemplate timescale=\"48000\""
        " presentationTimeOffset=\"336000\" startNumber=\"100\""
        " initialization=\"live.hls.a0.init.mp4?v=00000abc\""
        " media=\"live.hls.a0.$Number$.m4s\">\n"
        "<SegmentTimeline><S t=\"336896\" d=\"95232\"/><S d=\"96256\" r=\"1\"/>"
        "</SegmentTimeline>\n"
        "</SegmentTemplate>\n"
        "</Representation>\n"
        "</AdaptationSet>\n"
        "</Period>\n"
        "<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:direct:2014\""
        " value=\"2026-11-20T13:34:08.000Z\"/>\n"
        "</MPD>\n";

    both(4, 2);

    if (!ok(strcmp(mpd(), want) == 0, "a live MPD")) {
        printf("# got:\n%s# want:\n%s", (char *) buf, want);
    }
}


static void
test_low_latency(void)
{
    both(4, 2);
    params.low_latency = 1;

    has(" minimumUpdatePeriod=\"PT0.500000S\"", "low latency: updates");
    has("<Latency target=\"2100\" min=\"1050\" max=\"8400\"/>", "latency");
    has("startNumber=\"100\" availabilityTimeOffset=\"1.500000\""
        " availabilityTimeComplete=\"false\"", "segments come early");
    has("<S t=\"630000\" d=\"180000\" r=\"3\"/>", "and the open one");
    has(" suggestedPresentationDelay=\"PT2.100000S\"", "as delay too");

    both(4, 0);
    params.low_latency = 1;
    has("<S t=\"630000\" d=\"180000\" r=\"2\"/>", "one without parts");

    both(4, 2);
    video.part_target = audio.part_target = 0;
    params.low_latency = 1;
    hasnt("availabilityTimeOffset", "without parts");

    both(1, 2);
    ok(mpd()[0] == '\0', "nothing to be played yet");
    params.low_latency = 1;
    has("<S t=\"630000\" d=\"90000\"/>", "but with low latency");
    audio.part_target = video.part_target = 0;
    ok(mpd()[0] == '\0', "nothing without parts");
}


static void
test_periods(void)
{
    unsigned  i;

    both(6, 4);

    for (i = 3; i < 6; i++) {
        video.segment[i].disc = audio.segment[i].disc = 1;
        video.segment[i].time += 90000000;
        audio.segment[i].time += 90000000;
        video.segment[i].origin = video.segment[3].time;
        audio.segment[i].origin = audio.segment[3].time;
        video.segment[i].pdt += 1500000;
        video.segment[i].init = 0xdef;
    }

    has("<Period id=\"p0\" start=\"PT0.000000S\">", "a period");
    has("<Period id=\"p7500\" start=\"PT7.500000S\">", "and the next");
    has("presentationTimeOffset=\"9270000\" startNumber=\"103\" "
        "initialization=\"live.hls.v0.init.mp4?v=00000def\"", "its media");
    has("<S t=\"9270000\" d=\"180000\" r=\"2\"/>", "its times");

    video.listed = audio.listed = 4;
    hasnt("id=\"p0\"", "the first one has gone");
    has("<Period id=\"p7500\" start=\"PT7.500000S\">",
        "the next starts as ever");
    has("presentationTimeOffset=\"9270000\" startNumber=\"104\"",
        "and its media");

    /* a hole within a period */

    both(4, 4);
    video.segment[2].time += 1000000;
    video.segment[3].time += 1000000;
    has("<S t=\"630000\" d=\"180000\" r=\"1\"/>"
        "<S t=\"1080000\" d=\"180000\" r=\"1\"/>", "a hole");

    /* one that is a little off is none */

    both(4, 4);
    video.segment[2].time += 10000;
    has("<S t=\"630000\" d=\"180000\"/><S d=\"180900\"/><S d=\"179100\"/>"
        "<S d=\"180000\"/>", "no hole");
}


static void
test_end(void)
{
    both(4, 2);
    video.ended = audio.ended = 1;
    params.low_latency = 1;

    has(" type=\"static\" mediaPresentationDuration=\"PT7.000000S\"",
        "at the end");
    has("<S t=\"630000\" d=\"180000\" r=\"2\"/><S d=\"90000\"/>",
        "the last one as it is");
    hasnt("UTCTiming", "no clock");
    hasnt("availability", "everything is there");
}


static void
test_sets(void)
{
    both(4, 4);
    video.track[0].info.color_transfer = 16;
    video.track[0].info.color_primaries = 9;
    has("TransferCharacteristics\" value=\"16\"/>", "HDR");
    has("ColourPrimaries\" value=\"9\"/>", "its colours");

    both(4, 4);
    video.track[0].fps_milli = 25000;
    has("frameRate=\"25\"", "25");
    video.track[0].fps_milli = 23976;
    has("frameRate=\"24000/1001\"", "23.976");
    video.track[0].fps_milli = 12500;
    has("frameRate=\"12500/1000\"", "12.5");
    video.track[0].fps_milli = 0;
    hasnt("frameRate", "not known");
    video.track[0].info.fps_num = 50;
    video.track[0].info.fps_den = 1;
    has("frameRate=\"50\"", "as the config says");

    params.stream = (u_char *) "a$b&c%20";
    params.stream_len = 8;
    params.args = (u_char *) "x=1&y=\"<'";
    params.args_len = 9;
    params.prefix = (u_char *) "http://h";
    params.prefix_len = 8;
    has(" initialization=\"http://h/a$$b&amp;c%20.hls.v0.init.mp4?v=00000abc"
        "&amp;x=1&amp;y=%22%3C&apos;\"", "escaped: init");
    has(" media=\"http://h/a$$b&amp;c%20.hls.v0.$Number$.m4s?"
        "x=1&amp;y=%22%3C&apos;\"", "escaped: media");

    both(4, 4);
    video.nsegments = 0;
    hasnt("video/mp4", "audio only");
    has("<S t=\"336896\"", "its segments");

    both(4, 4);
    video.container = audio.container = NGX_MEDIA_HLS_MPEGTS;
    ok(mpd()[0] == '\0', "no MPEG-TS");

    both(4, 4);
    video.segment[0].key = audio.segment[0].key = 1;
    ok(mpd()[0] == '\0', "nothing encrypted");

    both(0, 0);
    ok(mpd()[0] == '\0', "nothing at all");
}


static void
test_small(void)
{
    size_t   n, full;
    u_char  *p;

    both(5, 2);

    full = ngx_media_mpd(views, 2, &params, NULL, 0);
    n = 0;

    do {
        p = malloc(n ? n : 1);

        if (ngx_media_mpd(views, 2, &params, p, n) != full
            || (n == full && memcmp(p, mpd(), full) != 0))
        {
            break;
        }

        free(p);

    } while (++n <= full);

    ok(n == full + 1 && full > 1000, "buffers of any size");
}


int
main(void)
{
    test_live();
    test_low_latency();
    test_periods();
    test_end();
    test_sets();
    test_small();

    return done_testing();
}
