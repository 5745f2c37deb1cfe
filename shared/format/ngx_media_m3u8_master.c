
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: multivariant playlists, declared in ngx_media_m3u8.h.
 *
 * RFC 8216, section 4.3.4; draft-pantos-hls-rfc8216bis, section 4.4.6; RFC
 * 6381 (codecs); ISO/IEC 23091-2 (transfer characteristics).
 */


#include "ngx_media_m3u8.h"
#include "ngx_media_text.h"


#define NGX_MEDIA_M3U8_PQ          16       /* SMPTE ST 2084 */
#define NGX_MEDIA_M3U8_HLG         18       /* ARIB STD-B67 */

#define NGX_MEDIA_M3U8_CODECS      (2 * NGX_MEDIA_MAX_TRACKS)

/* bit/s of audio where nothing was measured */

#define NGX_MEDIA_M3U8_AUDIO_RATE  128000


/* what a variant and the group of audio are together */

typedef struct {
    const char    *codecs[NGX_MEDIA_M3U8_CODECS];
    unsigned       ncodecs;
    unsigned       unknown;        /* a codec has no string */
    uint64_t       bandwidth;
    uint64_t       average;
} ngx_media_m3u8_sum_t;


static const ngx_media_hls_track_t *
ngx_media_m3u8_video(const ngx_media_hls_view_t *v)
{
    uint32_t  i;

    for (i = 0; i < v->ntracks && i < NGX_MEDIA_MAX_TRACKS; i++) {
        if (ngx_media_codec_is_video(v->track[i].info.codec)) {
            return &v->track[i];
        }
    }

    return NULL;
}


static const ngx_media_hls_track_t *
ngx_media_m3u8_audio(const ngx_media_hls_view_t *v)
{
    uint32_t  i;

    for (i = 0; i < v->ntracks && i < NGX_MEDIA_MAX_TRACKS; i++) {
        if (ngx_media_codec_is_audio(v->track[i].info.codec)) {
            return &v->track[i];
        }
    }

    return NULL;
}


static void
ngx_media_m3u8_add_codec(ngx_media_m3u8_sum_t *sum, const char *codec)
{
    unsigned  i;

    if (codec[0] == '\0') {
        sum->unknown = 1;
        return;
    }

    for (i = 0; i < sum->ncodecs; i++) {
        if (strcmp(sum->codecs[i], codec) == 0) {
            return;
        }
    }

    if (sum->ncodecs < NGX_MEDIA_M3U8_CODECS) {
        sum->codecs[sum->ncodecs++] = codec;
    }
}


/* BANDWIDTH must be there: a guess before the first segment is measured */

static uint64_t
ngx_media_m3u8_guess(const ngx_media_hls_view_t *v)
{
    uint64_t                      rate;
    const ngx_media_hls_track_t  *video;

    rate = NGX_MEDIA_M3U8_AUDIO_RATE;
    video = ngx_media_m3u8_video(v);

    if (video) {
        rate += (uint64_t) video->info.width * video->info.height * 2;
    }

    return rate;
}


static void
ngx_media_m3u8_add(ngx_media_m3u8_sum_t *sum, const ngx_media_hls_view_t *v)
{
    uint8_t   codec;
    uint32_t  i;

    for (i = 0; i < v->ntracks && i < NGX_MEDIA_MAX_TRACKS; i++) {
        codec = v->track[i].info.codec;

        if (ngx_media_codec_is_video(codec)
            || ngx_media_codec_is_audio(codec))
        {
            ngx_media_m3u8_add_codec(sum, v->track[i].codecs);
        }
    }

    sum->bandwidth += v->bandwidth ? v->bandwidth : ngx_media_m3u8_guess(v);
    sum->average += v->average;
}


/*
 * A variant is played with one of the group: the one with the highest rate
 * counts (RFC 8216, 4.3.4.2), and the codecs of all of them.
 */

static void
ngx_media_m3u8_sum(ngx_media_m3u8_sum_t *sum,
    const ngx_media_m3u8_variant_t *variant,
    const ngx_media_m3u8_variant_t *variants, unsigned n, unsigned group)
{
    unsigned              i;
    uint64_t              bandwidth, average;
    ngx_media_m3u8_sum_t  one;

    memset(sum, 0, sizeof(ngx_media_m3u8_sum_t));

    ngx_media_m3u8_add(sum, variant->view);

    if (!group) {
        return;
    }

    bandwidth = 0;
    average = 0;

    for (i = 0; i < n; i++) {

        if (ngx_media_m3u8_video(variants[i].view)) {
            continue;
        }

        one = *sum;
        one.bandwidth = 0;
        one.average = 0;

        ngx_media_m3u8_add(&one, variants[i].view);

        memcpy(sum->codecs, one.codecs, sizeof(sum->codecs));
        sum->ncodecs = one.ncodecs;
        sum->unknown = one.unknown;

        bandwidth = one.bandwidth > bandwidth ? one.bandwidth : bandwidth;
        average = one.average > average ? one.average : average;
    }

    sum->bandwidth += bandwidth;
    sum->average += average;
}


static const char *
ngx_media_m3u8_range(const ngx_media_hls_track_t *video)
{
    switch (video->info.color_transfer) {

    case NGX_MEDIA_M3U8_PQ:
        return "PQ";

    case NGX_MEDIA_M3U8_HLG:
        return "HLG";

    default:
        return "SDR";
    }
}


static void
ngx_media_m3u8_picture(ngx_media_text_t *t, const ngx_media_hls_track_t *video)
{
    uint64_t  fps;

    if (video->info.width && video->info.height) {
        ngx_media_text_lit(t, ",RESOLUTION=");
        ngx_media_text_uint(t, video->info.width);
        ngx_media_text_lit(t, "x");
        ngx_media_text_uint(t, video->info.height);
    }

    fps = video->fps_milli;

    if (fps == 0 && video->info.fps_den) {
        fps = (uint64_t) video->info.fps_num * 1000 / video->info.fps_den;
    }

    if (fps) {
        ngx_media_text_lit(t, ",FRAME-RATE=");
        ngx_media_text_milli(t, fps);
    }

    ngx_media_text_lit(t, ",VIDEO-RANGE=");
    ngx_media_text_str(t, ngx_media_m3u8_range(video));
}


static void
ngx_media_m3u8_stream(ngx_media_text_t *t,
    const ngx_media_m3u8_variant_t *variant,
    const ngx_media_m3u8_variant_t *variants, unsigned n, unsigned group)
{
    unsigned                      i;
    ngx_media_m3u8_sum_t          sum;
    const ngx_media_hls_track_t  *video;

    ngx_media_m3u8_sum(&sum, variant, variants, n, group);

    ngx_media_text_lit(t, "#EXT-X-STREAM-INF:BANDWIDTH=");
    ngx_media_text_uint(t, sum.bandwidth);

    if (sum.average) {
        ngx_media_text_lit(t, ",AVERAGE-BANDWIDTH=");
        ngx_media_text_uint(t, sum.average);
    }

    if (sum.ncodecs && !sum.unknown) {
        ngx_media_text_lit(t, ",CODECS=\"");

        for (i = 0; i < sum.ncodecs; i++) {
            ngx_media_text_put(t, ",", i ? 1 : 0);
            ngx_media_text_str(t, sum.codecs[i]);
        }

        ngx_media_text_lit(t, "\"");
    }

    video = ngx_media_m3u8_video(variant->view);

    if (video) {
        ngx_media_m3u8_picture(t, video);
    }

    if (group) {
        ngx_media_text_lit(t, ",AUDIO=\"audio\"");
    }

    ngx_media_text_lit(t, "\n");
    ngx_media_text_uri(t, variant->uri, variant->uri_len);
    ngx_media_text_lit(t, "\n");
}


/* a quoted string has no quotes and no line ends, RFC 8216, 4.2 */

static void
ngx_media_m3u8_quoted(ngx_media_text_t *t, const u_char *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        ngx_media_text_put(t, (p[i] < 0x20 || p[i] == '"' || p[i] == 0x7f)
                              ? (const u_char *) "_" : &p[i], 1);
    }
}


/* NAME is unique in a group: without one it is the number */

static void
ngx_media_m3u8_media_name(ngx_media_text_t *t,
    const ngx_media_m3u8_variant_t *variants, unsigned i, unsigned number)
{
    unsigned                         j;
    const ngx_media_m3u8_variant_t  *v;

    v = &variants[i];

    if (v->name_len == 0) {
        ngx_media_text_lit(t, "Audio ");
        ngx_media_text_uint(t, number);
        return;
    }

    ngx_media_m3u8_quoted(t, v->name, v->name_len);

    for (j = 0; j < i; j++) {

        if (variants[j].name_len == v->name_len
            && memcmp(variants[j].name, v->name, v->name_len) == 0)
        {
            ngx_media_text_lit(t, " ");
            ngx_media_text_uint(t, number);
            return;
        }
    }
}


static void
ngx_media_m3u8_rendition(ngx_media_text_t *t,
    const ngx_media_m3u8_variant_t *variants, unsigned i, unsigned number)
{
    size_t                        len;
    const ngx_media_hls_track_t  *audio;

    audio = ngx_media_m3u8_audio(variants[i].view);

    ngx_media_text_lit(t, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"");
    ngx_media_m3u8_media_name(t, variants, i, number);
    ngx_media_text_lit(t, "\"");

    if (audio && audio->language[0]) {
        len = strnlen(audio->language, sizeof(audio->language));

        ngx_media_text_lit(t, ",LANGUAGE=\"");
        ngx_media_m3u8_quoted(t, (const u_char *) audio->language, len);
        ngx_media_text_lit(t, "\"");
    }

    if (number == 1) {
        ngx_media_text_lit(t, ",DEFAULT=YES");
    }

    ngx_media_text_lit(t, ",AUTOSELECT=YES");

    if (audio && audio->info.channels) {
        ngx_media_text_lit(t, ",CHANNELS=\"");
        ngx_media_text_uint(t, audio->info.channels);
        ngx_media_text_lit(t, "\"");
    }

    ngx_media_text_lit(t, ",URI=\"");
    ngx_media_text_uri(t, variants[i].uri, variants[i].uri_len);
    ngx_media_text_lit(t, "\"\n");
}


size_t
ngx_media_m3u8_master(const ngx_media_m3u8_variant_t *variants,
    unsigned nvariants, u_char *buf, size_t n)
{
    unsigned          i, videos, group, number, independent;
    ngx_media_text_t  t;

    ngx_media_text_init(&t, buf, n);

    videos = 0;
    independent = 1;

    for (i = 0; i < nvariants; i++) {
        videos += ngx_media_m3u8_video(variants[i].view) != NULL;
        independent &= variants[i].view->independent != 0;
    }

    group = videos && videos < nvariants;
    number = 0;

    ngx_media_text_lit(&t, "#EXTM3U\n#EXT-X-VERSION:6\n");

    if (independent && nvariants) {
        ngx_media_text_lit(&t, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    }

    for (i = 0; group && i < nvariants; i++) {
        if (ngx_media_m3u8_video(variants[i].view) == NULL) {
            ngx_media_m3u8_rendition(&t, variants, i, ++number);
        }
    }

    for (i = 0; i < nvariants; i++) {
        if (!group || ngx_media_m3u8_video(variants[i].view)) {
            ngx_media_m3u8_stream(&t, &variants[i], variants, nvariants,
                                  group);
        }
    }

    return t.len;
}
