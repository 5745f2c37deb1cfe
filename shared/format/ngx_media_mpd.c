
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPDs, declared in ngx_media_mpd.h.  Times of a segment are exact: the
 * ticks of its first sample (tfdt), and as its duration the distance to the
 * next one.
 *
 * ISO/IEC 23009-1 (MPD, 5.3; live, 5.3.1.2; low latency, 5.3.9.5.3, K.3.2;
 * clocks, 5.8.4.11); ISO/IEC 23000-19 (CMAF); ISO/IEC 23091-2 (colours).
 */


#include "ngx_media_m3u8.h"
#include "ngx_media_mp4.h"
#include "ngx_media_mpd.h"
#include "ngx_media_text.h"


#define NGX_MEDIA_MPD_SECOND     1000000LL
#define NGX_MEDIA_MPD_JOIN       200000     /* us, holes that are none */
#define NGX_MEDIA_MPD_DELAY      3          /* target durations behind live */


typedef struct {
    const ngx_media_hls_view_t *const  *views;
    unsigned                            nviews;
    const ngx_media_mpd_params_t       *params;
    const ngx_media_hls_view_t         *main;     /* gives the periods */
    int64_t                             begin;    /* us, the MPD's zero */
    uint32_t                            disc;     /* of the period */
    int64_t                             origin;   /* us, its media's zero */
    unsigned                            live;     /* not ended */
    ngx_media_text_t                    text;
} ngx_media_mpd_t;


/* --- views -------------------------------------------------------------- */


static const ngx_media_hls_track_t *
ngx_media_mpd_track(const ngx_media_hls_view_t *v, unsigned video)
{
    uint8_t   codec;
    uint32_t  i;

    for (i = 0; i < v->ntracks && i < NGX_MEDIA_MAX_TRACKS; i++) {
        codec = v->track[i].info.codec;

        if (video ? ngx_media_codec_is_video(codec)
                  : ngx_media_codec_is_audio(codec))
        {
            return &v->track[i];
        }
    }

    return NULL;
}


/* the track by whose ticks the segments are timed: video where there is one */

static const ngx_media_hls_track_t *
ngx_media_mpd_lead(const ngx_media_hls_view_t *v)
{
    const ngx_media_hls_track_t  *t;

    t = ngx_media_mpd_track(v, 1);

    return t ? t : ngx_media_mpd_track(v, 0);
}


/* are open segments listed, and served as they grow? */

static unsigned
ngx_media_mpd_open(const ngx_media_mpd_t *m, const ngx_media_hls_view_t *v)
{
    return m->params->low_latency && v->part_target && !v->ended;
}


/* behind the last segment that may be listed */

static uint32_t
ngx_media_mpd_last(const ngx_media_mpd_t *m, const ngx_media_hls_view_t *v)
{
    uint32_t                        n;
    const ngx_media_hls_segment_t  *s;

    n = v->nsegments;

    if (n == 0) {
        return 0;
    }

    s = &v->segment[n - 1];

    if (s->nparts == 0 || s->duration == 0
        || (!(s->flags & NGX_MEDIA_HLS_CLOSED) && !v->ended
            && !ngx_media_mpd_open(m, v)))
    {
        n--;
    }

    return n;
}


/* fMP4, not encrypted as HLS does it, with segments to be listed */

static unsigned
ngx_media_mpd_usable(const ngx_media_mpd_t *m, const ngx_media_hls_view_t *v)
{
    const ngx_media_hls_track_t  *t;

    t = ngx_media_mpd_lead(v);

    return v->container == NGX_MEDIA_HLS_FMP4 && t && t->timescale
           && v->listed < ngx_media_mpd_last(m, v)
           && v->segment[v->listed].key == 0;
}


static int
ngx_media_mpd_plan(ngx_media_mpd_t *m)
{
    unsigned                    i;
    const ngx_media_hls_view_t *v;

    for (i = 0; i < m->nviews; i++) {
        v = m->views[i];

        if (!ngx_media_mpd_usable(m, v)) {
            continue;
        }

        if (m->main == NULL
            || (ngx_media_mpd_track(v, 1)
                && !ngx_media_mpd_track(m->main, 1)))
        {
            m->main = v;
        }
    }

    if (m->main == NULL) {
        return NGX_MEDIA_DECLINED;
    }

    m->live = !m->main->ended;

    /* whole milliseconds, as the attribute has them */

    m->begin = m->main->begin > 0 ? m->main->begin / 1000 * 1000 : 0;

    return NGX_MEDIA_OK;
}


/* where a segment ends in the media */

static int64_t
ngx_media_mpd_end(const ngx_media_mpd_t *m, const ngx_media_hls_view_t *v,
    uint32_t i)
{
    int64_t                         end, next;
    const ngx_media_hls_segment_t  *s;

    s = &v->segment[i];
    end = s->time + s->duration;

    if (i + 1 < v->nsegments && s[1].disc == s->disc) {
        next = s[1].time;

        if (next > s->time && next - end < NGX_MEDIA_MPD_JOIN
            && end - next < NGX_MEDIA_MPD_JOIN)
        {
            return next;
        }
    }

    /* an open one, of low latency, will be as long as the one before */

    if (i && !(s->flags & NGX_MEDIA_HLS_CLOSED) && ngx_media_mpd_open(m, v)
        && s[-1].duration > s->duration)
    {
        end = s->time + s[-1].duration;
    }

    return end;
}


/* --- pieces -------------------------------------------------------------- */


static void
ngx_media_mpd_duration(ngx_media_text_t *t, const char *name, int64_t us)
{
    ngx_media_text_lit(t, " ");
    ngx_media_text_str(t, name);
    ngx_media_text_lit(t, "=\"PT");
    ngx_media_text_us(t, us > 0 ? (uint64_t) us : 0);
    ngx_media_text_lit(t, "S\"");
}


static void
ngx_media_mpd_time(ngx_media_text_t *t, const char *name, int64_t us)
{
    ngx_media_text_lit(t, " ");
    ngx_media_text_str(t, name);
    ngx_media_text_lit(t, "=\"");
    ngx_media_text_time(t, us);
    ngx_media_text_lit(t, "\"");
}


static void
ngx_media_mpd_uint(ngx_media_text_t *t, const char *name, uint64_t v)
{
    ngx_media_text_lit(t, " ");
    ngx_media_text_str(t, name);
    ngx_media_text_lit(t, "=\"");
    ngx_media_text_uint(t, v);
    ngx_media_text_lit(t, "\"");
}


static void
ngx_media_mpd_string(ngx_media_text_t *t, const char *name, const char *s,
    size_t max)
{
    ngx_media_text_lit(t, " ");
    ngx_media_text_str(t, name);
    ngx_media_text_lit(t, "=\"");
    ngx_media_text_xml(t, (const u_char *) s, strnlen(s, max));
    ngx_media_text_lit(t, "\"");
}


/*
 * A part of a URI in a template: as in playlists, dollars doubled (5.3.9.4.4),
 * and as XML wants it.
 */

static void
ngx_media_mpd_uri(ngx_media_text_t *t, const u_char *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {

        switch (p[i]) {

        case '$':
            ngx_media_text_lit(t, "$$");
            break;

        case '&':
        case '\'':
            ngx_media_text_xml(t, &p[i], 1);
            break;

        default:
            ngx_media_text_uri(t, &p[i], 1);
        }
    }
}


static void
ngx_media_mpd_name(ngx_media_mpd_t *m, const ngx_media_hls_view_t *v)
{
    ngx_media_text_t              *t;
    const ngx_media_mpd_params_t  *params;

    t = &m->text;
    params = m->params;

    if (params->prefix_len) {
        ngx_media_mpd_uri(t, params->prefix, params->prefix_len);

        if (params->prefix[params->prefix_len - 1] != '/') {
            ngx_media_text_lit(t, "/");
        }
    }

    ngx_media_mpd_uri(t, params->stream, params->stream_len);
    ngx_media_text_lit(t, ".hls.");

    if (v->tag[0]) {
        ngx_media_text_put(t, v->tag, strnlen(v->tag, NGX_MEDIA_HLS_TAG_LEN));
        ngx_media_text_lit(t, ".");
    }
}


static void
ngx_media_mpd_args(ngx_media_mpd_t *m, const char *before)
{
    if (m->params->args_len) {
        ngx_media_text_str(&m->text, before);
        ngx_media_mpd_uri(&m->text, m->params->args, m->params->args_len);
    }
}


/* --- segments ------------------------------------------------------------ */


static uint64_t
ngx_media_mpd_ticks(int64_t us, uint32_t scale)
{
    return us > 0 ? ngx_media_mp4_ticks(us, scale) : 0;
}


static void
ngx_media_mpd_s(ngx_media_text_t *t, uint64_t time, uint64_t duration,
    uint32_t repeat, unsigned timed)
{
    ngx_media_text_lit(t, "<S");

    if (timed) {
        ngx_media_mpd_uint(t, "t", time);
    }

    ngx_media_mpd_uint(t, "d", duration);

    if (repeat) {
        ngx_media_mpd_uint(t, "r", repeat);
    }

    ngx_media_text_lit(t, "/>");
}


/* rows of segments that are as long as each other are one element */

static void
ngx_media_mpd_timeline(ngx_media_mpd_t *m, const ngx_media_hls_view_t *v,
    uint32_t first, uint32_t last, uint32_t scale)
{
    uint32_t   i, repeat;
    unsigned   timed;
    uint64_t   time, end, start, duration, next;

    ngx_media_text_lit(&m->text, "<SegmentTimeline>");

    start = 0;
    duration = 0;
    repeat = 0;
    timed = 1;
    next = 0;

    for (i = first; i < last; i++) {
        time = ngx_media_mpd_ticks(v->segment[i].time, scale);
        end = ngx_media_mpd_ticks(ngx_media_mpd_end(m, v, i), scale);

        if (duration && time == next && end - time == duration) {
            repeat++;
            next = end;
            continue;
        }

        if (duration) {
            ngx_media_mpd_s(&m->text, start, duration, repeat, timed);
            timed = (time != next);
        }

        start = time;
        duration = end > time ? end - time : 1;
        next = start + duration;
        repeat = 0;
    }

    if (duration) {
        ngx_media_mpd_s(&m->text, start, duration, repeat, timed);
    }

    ngx_media_text_lit(&m->text, "</SegmentTimeline>");
}


/* the segments of the period; 0 where there is none */

static unsigned
ngx_media_mpd_range(const ngx_media_mpd_t *m, const ngx_media_hls_view_t *v,
    uint32_t *first, uint32_t *last)
{
    uint32_t  i, end;

    if (!ngx_media_mpd_usable(m, v)) {
        return 0;
    }

    end = ngx_media_mpd_last(m, v);

    for (i = v->listed; i < end && v->segment[i].disc != m->disc; i++) {
        /* void */
    }

    *first = i;

    while (i < end && v->segment[i].disc == m->disc) {
        i++;
    }

    *last = i;

    return *first < *last;
}


static void
ngx_media_mpd_template(ngx_media_mpd_t *m, const ngx_media_hls_view_t *v,
    uint32_t first, uint32_t last)
{
    int64_t                         offset;
    uint32_t                        scale;
    ngx_media_text_t               *t;
    const ngx_media_hls_segment_t  *s;

    t = &m->text;
    s = &v->segment[first];
    scale = ngx_media_mpd_lead(v)->timescale;

    ngx_media_text_lit(t, "<SegmentTemplate");
    ngx_media_mpd_uint(t, "timescale", scale);
    ngx_media_mpd_uint(t, "presentationTimeOffset",
                       ngx_media_mpd_ticks(m->origin, scale));
    ngx_media_mpd_uint(t, "startNumber", s->msn);

    if (ngx_media_mpd_open(m, v)) {
        offset = (int64_t) v->target * NGX_MEDIA_MPD_SECOND - v->part_target;

        ngx_media_text_lit(t, " availabilityTimeOffset=\"");
        ngx_media_text_us(t, offset > 0 ? (uint64_t) offset : 0);
        ngx_media_text_lit(t, "\" availabilityTimeComplete=\"false\"");
    }

    ngx_media_text_lit(t, " initialization=\"");
    ngx_media_mpd_name(m, v);
    ngx_media_text_lit(t, "init.mp4?v=");
    ngx_media_text_hex32(t, s->init);
    ngx_media_mpd_args(m, "&amp;");

    ngx_media_text_lit(t, "\" media=\"");
    ngx_media_mpd_name(m, v);
    ngx_media_text_lit(t, "$Number$.m4s");
    ngx_media_mpd_args(m, "?");
    ngx_media_text_lit(t, "\">\n");

    ngx_media_mpd_timeline(m, v, first, last, scale);

    ngx_media_text_lit(t, "\n</SegmentTemplate>\n");
}


/* --- representations ----------------------------------------------------- */


static void
ngx_media_mpd_codecs(ngx_media_text_t *t, const ngx_media_hls_view_t *v)
{
    size_t       len;
    uint32_t     i, n;
    const char  *codecs;

    n = 0;

    for (i = 0; i < v->ntracks && i < NGX_MEDIA_MAX_TRACKS; i++) {
        codecs = v->track[i].codecs;
        len = strnlen(codecs, sizeof(v->track[i].codecs));

        if (len == 0) {
            continue;
        }

        ngx_media_text_str(t, n ? "," : " codecs=\"");
        n++;

        ngx_media_text_xml(t, (const u_char *) codecs, len);
    }

    if (n) {
        ngx_media_text_lit(t, "\"");
    }
}


/* thousandths of frames per second as a whole number or a fraction */

static void
ngx_media_mpd_fps(ngx_media_text_t *t, uint32_t milli)
{
    uint32_t  whole;

    if (milli == 0) {
        return;
    }

    whole = (milli + 500) / 1000;

    if (milli % 1000 == 0) {
        ngx_media_mpd_uint(t, "frameRate", whole);
        return;
    }

    ngx_media_text_lit(t, " frameRate=\"");

    if ((uint64_t) whole * 1000000 / 1001 == milli
        || (uint64_t) whole * 1000000 / 1001 + 1 == milli)
    {
        ngx_media_text_uint(t, (uint64_t) whole * 1000);
        ngx_media_text_lit(t, "/1001\"");

    } else {
        ngx_media_text_uint(t, milli);
        ngx_media_text_lit(t, "/1000\"");
    }
}


static void
ngx_media_mpd_picture(ngx_media_text_t *t, const ngx_media_hls_track_t *track)
{
    uint64_t  fps;

    if (track->info.width && track->info.height) {
        ngx_media_mpd_uint(t, "width", track->info.width);
        ngx_media_mpd_uint(t, "height", track->info.height);
    }

    fps = track->fps_milli;

    if (fps == 0 && track->info.fps_den) {
        fps = (uint64_t) track->info.fps_num * 1000 / track->info.fps_den;
    }

    ngx_media_mpd_fps(t, fps < 1000000 ? (uint32_t) fps : 0);
}


static void
ngx_media_mpd_property(ngx_media_text_t *t, const char *element,
    const char *scheme, uint64_t value)
{
    ngx_media_text_lit(t, "<");
    ngx_media_text_str(t, element);
    ngx_media_text_lit(t, " schemeIdUri=\"");
    ngx_media_text_str(t, scheme);
    ngx_media_text_lit(t, "\"");
    ngx_media_mpd_uint(t, "value", value);
    ngx_media_text_lit(t, "/>\n");
}


static void
ngx_media_mpd_representation(ngx_media_mpd_t *m,
    const ngx_media_hls_view_t *v, uint32_t first, uint32_t last)
{
    ngx_media_text_t             *t;
    const ngx_media_hls_track_t  *video, *audio;

    t = &m->text;
    video = ngx_media_mpd_track(v, 1);
    audio = ngx_media_mpd_track(v, 0);

    ngx_media_text_lit(t, "<Representation");
    ngx_media_mpd_string(t, "id", v->tag[0] ? v->tag : "0",
                         NGX_MEDIA_HLS_TAG_LEN);

    /* a guess, as in multivariant playlists, before it is measured */

    ngx_media_mpd_uint(t, "bandwidth",
                       v->bandwidth ? v->bandwidth
                       : video ? (uint64_t) video->info.width
                                 * video->info.height * 2 + 128000
                       : 128000);
    ngx_media_mpd_codecs(t, v);

    if (video) {
        ngx_media_mpd_picture(t, video);
    }

    if (audio && audio->info.sample_rate) {
        ngx_media_mpd_uint(t, "audioSamplingRate", audio->info.sample_rate);
    }

    ngx_media_text_lit(t, ">\n");

    if (audio && audio->info.channels) {
        ngx_media_mpd_property(t, "AudioChannelConfiguration",
                               "urn:mpeg:dash:23003:3:audio_channel_"
                               "configuration:2011", audio->info.channels);
    }

    if (video && video->info.color_transfer > 2) {
        ngx_media_mpd_property(t, "SupplementalProperty",
                               "urn:mpeg:mpegB:cicp:"
                               "TransferCharacteristics",
                               video->info.color_transfer);
        ngx_media_mpd_property(t, "SupplementalProperty",
                               "urn:mpeg:mpegB:cicp:ColourPrimaries",
                               video->info.color_primaries);
    }

    ngx_media_mpd_template(m, v, first, last);

    ngx_media_text_lit(t, "</Representation>\n");
}


/* the beginning of a set; what all of its representations have */

static void
ngx_media_mpd_set(ngx_media_mpd_t *m, const ngx_media_hls_view_t *v,
    uint64_t id)
{
    unsigned                      video;
    ngx_media_text_t             *t;
    const ngx_media_hls_track_t  *track;

    t = &m->text;
    track = ngx_media_mpd_lead(v);
    video = ngx_media_codec_is_video(track->info.codec);

    ngx_media_text_lit(t, "<AdaptationSet");
    ngx_media_mpd_uint(t, "id", id);
    ngx_media_mpd_string(t, "contentType", video ? "video" : "audio", 8);
    ngx_media_mpd_string(t, "mimeType", video ? "video/mp4" : "audio/mp4", 16);

    if (track->language[0]) {
        ngx_media_mpd_string(t, "lang", track->language,
                             sizeof(track->language));
    }

    ngx_media_text_lit(t, " segmentAlignment=\"true\"");

    if (v->independent) {
        ngx_media_text_lit(t, " startWithSAP=\"1\"");
    }

    ngx_media_text_lit(t, ">\n");

    if (id == 0 || !video) {
        ngx_media_text_lit(t, "<Role schemeIdUri=\"urn:mpeg:dash:role:2011\"");
        ngx_media_mpd_string(t, "value", id < 2 ? "main" : "alternate", 16);
        ngx_media_text_lit(t, "/>\n");
    }
}


/* video in one set, each audio in one of its own */

static void
ngx_media_mpd_sets(ngx_media_mpd_t *m)
{
    unsigned                     i, open;
    uint32_t                     first, last;
    const ngx_media_hls_view_t  *v;

    open = 0;

    for (i = 0; i < m->nviews; i++) {
        v = m->views[i];

        if (!ngx_media_mpd_range(m, v, &first, &last)
            || !ngx_media_mpd_track(v, 1))
        {
            continue;
        }

        if (!open) {
            ngx_media_mpd_set(m, v, 0);
            open = 1;
        }

        ngx_media_mpd_representation(m, v, first, last);
    }

    if (open) {
        ngx_media_text_lit(&m->text, "</AdaptationSet>\n");
    }

    open = 0;

    for (i = 0; i < m->nviews; i++) {
        v = m->views[i];

        if (!ngx_media_mpd_range(m, v, &first, &last)
            || ngx_media_mpd_track(v, 1))
        {
            continue;
        }

        ngx_media_mpd_set(m, v, ++open);
        ngx_media_mpd_representation(m, v, first, last);
        ngx_media_text_lit(&m->text, "</AdaptationSet>\n");
    }
}


/* --- periods ------------------------------------------------------------- */


/* where media time of a segment's period stands on the clock of the MPD */

static int64_t
ngx_media_mpd_start(const ngx_media_mpd_t *m, const ngx_media_hls_segment_t *s)
{
    int64_t  start;

    start = s->pdt - (s->time - s->origin) - m->begin;

    return start > 0 ? start : 0;
}


static void
ngx_media_mpd_periods(ngx_media_mpd_t *m)
{
    int64_t                         start;
    uint32_t                        i, last;
    ngx_media_text_t               *t;
    const ngx_media_hls_segment_t  *s;

    t = &m->text;
    last = ngx_media_mpd_last(m, m->main);

    for (i = m->main->listed; i < last; i++) {
        s = &m->main->segment[i];

        if (i > m->main->listed && s->disc == s[-1].disc) {
            continue;
        }

        m->disc = s->disc;
        m->origin = s->origin;

        /* one that starts elsewhere is another one */

        start = ngx_media_mpd_start(m, s);

        ngx_media_text_lit(t, "<Period id=\"p");
        ngx_media_text_uint(t, (uint64_t) start / 1000);
        ngx_media_text_lit(t, "\"");
        ngx_media_mpd_duration(t, "start", start);
        ngx_media_text_lit(t, ">\n");

        ngx_media_mpd_sets(m);

        ngx_media_text_lit(t, "</Period>\n");
    }
}


/*
 * How far behind live players are to be with low latency, ms: a part is made,
 * the MPD learnt of, a part is loaded, and room.
 */

static uint64_t
ngx_media_mpd_latency(const ngx_media_mpd_t *m)
{
    return 3 * (uint64_t) m->main->part_target / 1000 + 600;
}


static void
ngx_media_mpd_live(ngx_media_mpd_t *m, int64_t end, int64_t depth)
{
    int64_t            target, update, delay;
    ngx_media_text_t  *t;

    t = &m->text;
    target = (int64_t) m->main->target * NGX_MEDIA_MPD_SECOND;

    update = target / 2;
    delay = NGX_MEDIA_MPD_DELAY * target;

    /* with low latency a new segment is to be known soon after it begins */

    if (ngx_media_mpd_open(m, m->main)) {
        update = NGX_MEDIA_MPD_SECOND / 2;
        delay = (int64_t) ngx_media_mpd_latency(m) * 1000;
    }

    ngx_media_text_lit(t, " type=\"dynamic\"");
    ngx_media_mpd_time(t, "availabilityStartTime", m->begin);
    ngx_media_mpd_time(t, "publishTime", end);
    ngx_media_mpd_duration(t, "minimumUpdatePeriod", update);
    ngx_media_mpd_duration(t, "timeShiftBufferDepth", depth);
    ngx_media_mpd_duration(t, "suggestedPresentationDelay", delay);
}


static void
ngx_media_mpd_service(ngx_media_mpd_t *m)
{
    uint64_t           ms;
    ngx_media_text_t  *t;

    t = &m->text;
    ms = ngx_media_mpd_latency(m);

    ngx_media_text_lit(t, "<ServiceDescription id=\"0\">\n<Latency");
    ngx_media_mpd_uint(t, "target", ms);
    ngx_media_mpd_uint(t, "min", ms / 2);
    ngx_media_mpd_uint(t, "max", ms * 4);
    ngx_media_text_lit(t, "/>\n<PlaybackRate min=\"0.96\" max=\"1.04\"/>\n"
                          "</ServiceDescription>\n");
}


size_t
ngx_media_mpd(const ngx_media_hls_view_t *const *views, unsigned nviews,
    const ngx_media_mpd_params_t *params, u_char *buf, size_t n)
{
    int64_t                         end, depth;
    uint32_t                        last;
    ngx_media_mpd_t                 m;
    ngx_media_text_t               *t;
    const ngx_media_hls_segment_t  *s;

    memset(&m, 0, sizeof(ngx_media_mpd_t));

    m.views = views;
    m.nviews = nviews;
    m.params = params;

    if (ngx_media_mpd_plan(&m) != NGX_MEDIA_OK) {
        return 0;
    }

    t = &m.text;
    ngx_media_text_init(t, buf, n);

    last = ngx_media_mpd_last(&m, m.main);
    s = &m.main->segment[last - 1];

    end = s->pdt + s->duration;
    depth = end - m.main->segment[m.main->listed].pdt;

    ngx_media_text_lit(t,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\""
        " profiles=\"urn:mpeg:dash:profile:isoff-live:2011,"
        "urn:mpeg:dash:profile:cmaf:2019\"");

    if (m.live) {
        ngx_media_mpd_live(&m, end, depth);

    } else {
        ngx_media_text_lit(t, " type=\"static\"");
        ngx_media_mpd_duration(t, "mediaPresentationDuration", end - m.begin);
    }

    ngx_media_mpd_duration(t, "minBufferTime",
                           ngx_media_mpd_open(&m, m.main)
                           ? (int64_t) m.main->part_target
                           : (int64_t) m.main->target * NGX_MEDIA_MPD_SECOND);
    ngx_media_mpd_duration(t, "maxSegmentDuration",
                           (int64_t) m.main->target * NGX_MEDIA_MPD_SECOND);
    ngx_media_text_lit(t, ">\n");

    if (ngx_media_mpd_open(&m, m.main)) {
        ngx_media_mpd_service(&m);
    }

    ngx_media_mpd_periods(&m);

    if (m.live) {
        ngx_media_text_lit(t, "<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:"
                              "direct:2014\"");
        ngx_media_mpd_time(t, "value", params->now);
        ngx_media_text_lit(t, "/>\n");
    }

    ngx_media_text_lit(t, "</MPD>\n");

    return t->len;
}
