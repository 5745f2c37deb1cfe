
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: playlists and MPDs of views that are made of the input, as
 * damaged as they may be.  They take as many bytes as was said before, never
 * more than there are.  Each line of a playlist is a tag or a URI, without a
 * quote that is not closed.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_m3u8.h"
#include "ngx_media_mpd.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const uint8_t         *pos, *last;
static ngx_media_hls_view_t   view;


static uint32_t
byte(void)
{
    return pos < last ? *pos++ : 0;
}


/* mostly small, now and then anything */

static uint32_t
number(void)
{
    uint32_t  n;

    n = byte();

    if (n >= 0xf0) {
        n = n << 24 | byte() << 16 | byte() << 8 | byte();
    }

    return n;
}


static size_t
span(const u_char **p)
{
    size_t  n;

    n = byte();
    n = n < (size_t) (last - pos) ? n : (size_t) (last - pos);

    *p = pos;
    pos += n;

    return n;
}


static void
fuzz_segments(void)
{
    uint32_t                  i;
    ngx_media_hls_segment_t  *s;

    view.nsegments = number() % (NGX_MEDIA_HLS_SEGMENTS + 1);
    view.listed = number();
    view.with_parts = number();
    view.nparts = number() % (NGX_MEDIA_HLS_PARTS + 1);

    for (i = 0; i < view.nsegments && pos < last; i++) {
        s = &view.segment[i];

        s->msn = (uint64_t) number() << 32 | i;
        s->pdt = (int64_t) ((uint64_t) number() << 30);
        s->time = (int64_t) ((uint64_t) number() << 12) * 5;
        s->origin = s->time - (int64_t) number();
        s->duration = number() * 10000;
        s->nparts = number();
        s->flags = byte();
        s->init = number();
        s->key = number();
        s->disc = number();

        view.first_part[i] = number();
    }

    for (i = 0; i < view.nparts && pos < last; i++) {
        view.parts[i].duration = number() * 1000;
        view.parts[i].flags = byte();
    }
}


static void
fuzz_view(void)
{
    uint32_t                i;
    ngx_media_hls_track_t  *t;

    memset(&view, 0, sizeof(view));

    i = byte();

    view.container = i & 1;
    view.ended = i >> 1 & 1;
    view.independent = i >> 2 & 1;
    view.part_target = number() * 1000;
    view.target = number();
    view.begin = (int64_t) ((uint64_t) number() << 30);
    view.bandwidth = number();
    view.average = number();
    view.tag[0] = i & 8 ? 'a' : '\0';
    view.tag[1] = '1';
    view.ntracks = byte() % (NGX_MEDIA_MAX_TRACKS + 1);

    for (i = 0; i < view.ntracks && pos < last; i++) {
        t = &view.track[i];

        t->info.codec = (uint8_t) byte();
        t->info.channels = (uint8_t) byte();
        t->info.width = (uint16_t) number();
        t->info.height = (uint16_t) number();
        t->info.fps_num = number();
        t->info.fps_den = number();
        t->info.color_transfer = (uint8_t) byte();
        t->fps_milli = number();
        t->timescale = number() * 1000;
        t->codecs[0] = byte() & 1 ? 'x' : '\0';
    }

    fuzz_segments();
}


static void
fuzz_lines(const u_char *p, size_t n)
{
    unsigned       quotes;
    const u_char  *end, *line;

    end = p + n;

    if (n < 8 || memcmp(p, "#EXTM3U\n", 8) != 0 || end[-1] != '\n') {
        abort();
    }

    while (p < end) {
        line = p;
        quotes = 0;

        for ( /* void */ ; *p != '\n'; p++) {
            quotes += *p == '"';

            if (*p < 0x20) {
                abort();
            }
        }

        if (quotes % 2 || (*line != '#' && quotes)) {
            abort();
        }

        p++;
    }
}


static void
fuzz_media(uint32_t what)
{
    size_t                    n, room;
    u_char                   *buf;
    ngx_media_m3u8_report_t   report;
    ngx_media_m3u8_params_t   params;

    memset(&params, 0, sizeof(params));
    memset(&report, 0, sizeof(report));

    report.uri = "x\".m3u8";
    report.msn = number();
    report.low_latency = what & 1;

    params.skip = what >> 1 & 1;
    params.can_skip = what >> 2 & 1;
    params.can_block = what >> 3 & 1;
    params.nreports = what >> 4 & 1;
    params.reports = &report;
    params.start = what & 0x20 ? (int64_t) ((uint64_t) number() << 30) : 0;
    params.stream_len = span(&params.stream);
    params.args_len = span(&params.args);
    params.prefix_len = span(&params.prefix);
    params.key_url_len = span(&params.key_url);

    n = ngx_media_m3u8_media(&view, &params, NULL, 0);

    room = what & 0x40 ? number() % (n + 1) : n;
    buf = malloc(room ? room : 1);

    if (ngx_media_m3u8_media(&view, &params, buf, room) != n) {
        abort();
    }

    /* a stream has a name, and not one that looks like a tag */

    if (room == n && params.stream_len && params.stream[0] != '#'
        && (params.prefix_len == 0 || params.prefix[0] != '#'))
    {
        fuzz_lines(buf, n);
    }

    free(buf);
}


static void
fuzz_master(void)
{
    size_t                    n;
    u_char                   *buf;
    ngx_media_m3u8_variant_t  v[2];

    memset(v, 0, sizeof(v));

    v[0].uri_len = span(&v[0].uri);
    v[0].name_len = span(&v[0].name);
    v[0].view = &view;
    v[1] = v[0];

    n = ngx_media_m3u8_master(v, 2, NULL, 0);
    buf = malloc(n);

    if (ngx_media_m3u8_master(v, 2, buf, n) != n) {
        abort();
    }

    if (v[0].uri_len && v[0].uri[0] != '#') {
        fuzz_lines(buf, n);
    }

    free(buf);
}


/* elements are closed, and quotes are only where values are */

static void
fuzz_xml(const u_char *p, size_t n)
{
    unsigned       quotes;
    const u_char  *end;

    end = p + n;
    quotes = 0;

    if (n < 7 || memcmp(end - 7, "</MPD>\n", 7) != 0) {
        abort();
    }

    for ( /* void */ ; p < end; p++) {
        quotes += *p == '"';

        if ((*p == '<' || *p == '>') && quotes % 2) {
            abort();
        }

        if (*p < 0x20 && *p != '\n') {
            abort();
        }
    }

    if (quotes % 2) {
        abort();
    }
}


static void
fuzz_mpd(uint32_t what)
{
    size_t                       n;
    u_char                      *buf;
    ngx_media_mpd_params_t       params;
    const ngx_media_hls_view_t  *views[2] = { &view, &view };

    memset(&params, 0, sizeof(params));

    params.low_latency = what & 1;
    params.now = (int64_t) ((uint64_t) number() << 30);
    params.stream_len = span(&params.stream);
    params.args_len = span(&params.args);
    params.prefix_len = span(&params.prefix);

    n = ngx_media_mpd(views, 2, &params, NULL, 0);

    if (n == 0) {
        return;
    }

    buf = malloc(n);

    if (ngx_media_mpd(views, 2, &params, buf, n) != n) {
        abort();
    }

    fuzz_xml(buf, n);

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t  what;

    pos = data;
    last = data + size;

    what = byte();

    fuzz_view();
    fuzz_media(what);
    fuzz_master();
    fuzz_mpd(what);

    return 0;
}
