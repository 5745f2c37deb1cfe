
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: health of one stream in the API: what its tracks have been like over
 * the last seconds, and how far its slowest player is behind.
 *
 * Nothing is counted beforehand: the descriptors of the newest frames are
 * read from the ring of the source, as a player reads them, which any worker
 * can do and which costs the publisher nothing.  Jitter is that of RFC 3550,
 * section 6.4.1, with the decoding time in place of the RTP timestamp.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"


#define NGX_MEDIA_API_SECONDS     10       /* how far back it looks */
#define NGX_MEDIA_API_FRAMES      20000    /* at most so many frames */


/* one track over the window; times in us */

typedef struct {
    uint64_t    frames;
    uint64_t    bytes;
    uint64_t    second[NGX_MEDIA_API_SECONDS];  /* bytes, newest first */
    uint64_t    keys;
    uint64_t    bframes;
    int64_t     first_key;
    int64_t     last_key;
    int64_t     first;              /* dts of the first frame */
    int64_t     dts;                /* and of the newest one */
    int64_t     time;
    int64_t     pts;                /* newest in order of display */
    double      jitter;
    double      jitter_max;
} ngx_media_api_track_t;


typedef struct {
    int64_t                 now;    /* us, monotonic */
    int64_t                 from;
    ngx_uint_t              seconds;    /* whole ones that are known */
    ngx_media_api_track_t   track[NGX_MEDIA_MAX_TRACKS];
} ngx_media_api_health_t;


static void ngx_media_api_health_read(ngx_media_api_health_t *h,
    ngx_media_source_t *src);
static uint64_t ngx_media_api_health_first(ngx_media_api_health_t *h,
    ngx_media_source_t *src, uint64_t head);
static void ngx_media_api_health_frame(ngx_media_api_health_t *h,
    ngx_media_desc_t *d);
static void ngx_media_api_health_players(ngx_media_json_t *j, uint32_t source);
static void ngx_media_api_health_rate(ngx_media_json_t *j,
    ngx_media_api_health_t *h);
static void ngx_media_api_health_track(ngx_media_json_t *j,
    ngx_media_api_health_t *h, ngx_media_track_t *track, ngx_uint_t n);
static double ngx_media_api_health_fps(ngx_media_api_track_t *t);
static void ngx_media_api_health_video(ngx_media_json_t *j,
    ngx_media_api_track_t *t, ngx_media_track_t *track);


void
ngx_media_api_health(ngx_media_json_t *j, ngx_media_api_source_t *s)
{
    ngx_uint_t               i;
    ngx_media_source_t      *src;
    ngx_media_api_health_t   h;

    ngx_media_json_key(j, "health");

    if (!s->live) {
        ngx_media_json_null(j);
        return;
    }

    src = s->source;

    ngx_media_api_health_read(&h, src);

    ngx_media_json_object(j);
    ngx_media_json_key_int(j, "window_ms", (h.now - h.from) / 1000);
    ngx_media_json_key_int(j, "jumps", ngx_media_api_get(&src->jumps));
    ngx_media_json_key_int(j, "publishes",
                           ngx_media_api_get(&src->publishes));
    ngx_media_api_health_players(j, s->index);
    ngx_media_api_health_rate(j, &h);

    ngx_media_json_key_array(j, "tracks");

    for (i = 0; i < NGX_MEDIA_TRACK_SCRIPT; i++) {
        if (ngx_media_api_get(&src->track[i].present)) {
            ngx_media_json_object(j);
            ngx_media_api_health_track(j, &h, &src->track[i], i);
            ngx_media_json_object_end(j);
        }
    }

    ngx_media_json_array_end(j);
    ngx_media_json_object_end(j);
}


static void
ngx_media_api_health_read(ngx_media_api_health_t *h, ngx_media_source_t *src)
{
    int                 rc;
    int64_t             came;
    uint64_t            seq, head;
    ngx_media_desc_t    d;
    ngx_media_chunks_t  chunks;

    ngx_memzero(h, sizeof(ngx_media_api_health_t));

    h->now = ngx_media_now();
    h->from = h->now - NGX_MEDIA_API_SECONDS * 1000000;

    came = ngx_media_api_get(&src->pub_msec) * 1000;

    if (came > h->from) {
        h->from = ngx_min(came, h->now);
    }

    h->seconds = (h->now - h->from) / 1000000;

    head = ngx_media_ring_load(&src->ring.head);
    chunks = ngx_media_arena_chunks();

    for (seq = ngx_media_api_health_first(h, src, head); seq < head; seq++) {

        rc = ngx_media_ring_peek(&src->ring, &chunks, seq, &d);

        if (rc == NGX_MEDIA_OK) {
            ngx_media_api_health_frame(h, &d);

        } else if (rc != NGX_MEDIA_LOST) {
            break;
        }
    }
}


/* the first frame of the window: they are in the order they were written */

static uint64_t
ngx_media_api_health_first(ngx_media_api_health_t *h, ngx_media_source_t *src,
    uint64_t head)
{
    int                 rc;
    uint64_t            lo, hi, mid;
    ngx_media_desc_t    d;
    ngx_media_chunks_t  chunks;

    chunks = ngx_media_arena_chunks();

    lo = ngx_max(ngx_media_ring_load(&src->ring.tail),
                 ngx_media_ring_load(&src->first_seq));

    if (head > NGX_MEDIA_API_FRAMES) {
        lo = ngx_max(lo, head - NGX_MEDIA_API_FRAMES);
    }

    hi = head;

    while (lo < hi) {

        mid = lo + (hi - lo) / 2;
        rc = ngx_media_ring_peek(&src->ring, &chunks, mid, &d);

        if (rc == NGX_MEDIA_LOST
            || (rc == NGX_MEDIA_OK && d.time < h->from))
        {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return lo;
}


static void
ngx_media_api_health_frame(ngx_media_api_health_t *h, ngx_media_desc_t *d)
{
    double                  late;
    ngx_uint_t              second;
    ngx_media_api_track_t  *t;

    if ((d->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_META
                     |NGX_MEDIA_FRAME_EXTRA|NGX_MEDIA_FRAME_EOS))
        || d->track >= NGX_MEDIA_TRACK_SCRIPT
        || d->time < h->from)
    {
        return;
    }

    t = &h->track[d->track];

    if (d->time <= h->now) {
        second = (h->now - d->time) / 1000000;
        t->second[ngx_min(second, NGX_MEDIA_API_SECONDS - 1)] += d->size;
    }

    if (t->frames && !(d->flags & NGX_MEDIA_FRAME_BREAK)) {
        late = (double) ((d->time - t->time) - (d->dts - t->dts)) / 1000;
        late = (late < 0) ? -late : late;

        t->jitter += (late - t->jitter) / 16;
        t->jitter_max = ngx_max(t->jitter_max, late);
    }

    if (d->flags & NGX_MEDIA_FRAME_KEY) {
        t->first_key = t->keys ? t->first_key : d->dts;
        t->last_key = d->dts;
        t->keys++;
    }

    /* shown before a frame that was decoded before it */

    if (t->frames && d->dts + d->cts < t->pts
        && !(d->flags & NGX_MEDIA_FRAME_BREAK))
    {
        t->bframes++;

    } else {
        t->pts = d->dts + d->cts;
    }

    t->first = t->frames ? t->first : d->dts;
    t->frames++;
    t->bytes += d->size;
    t->dts = d->dts;
    t->time = d->time;
}


/* "players", "lag_ms" and "slowest": the player that is behind most */

static void
ngx_media_api_health_players(ngx_media_json_t *j, uint32_t source)
{
    uint32_t             i, n, lag, max, slowest;
    ngx_str_t            id;
    ngx_uint_t           players;
    ngx_media_client_t  *entry, client;

    n = ngx_media_api_get(&ngx_media_arena()->fresh_client);
    players = 0;
    max = 0;
    slowest = NGX_MEDIA_NONE;

    for (i = 0; i < n; i++) {

        entry = ngx_media_client_at(i);

        if (!ngx_media_api_get(&entry->used)
            || ngx_media_api_get(&entry->source) != source
            || ngx_media_api_get(&entry->relay)
            || ngx_media_api_get(&entry->publish))
        {
            continue;
        }

        players++;
        lag = ngx_media_api_get(&entry->lag);

        if (slowest == NGX_MEDIA_NONE || lag > max) {
            slowest = i;
            max = lag;
        }
    }

    ngx_media_json_key_int(j, "players", players);
    ngx_media_json_key_int(j, "lag_ms", max);
    ngx_media_json_key(j, "slowest");

    if (slowest != NGX_MEDIA_NONE
        && ngx_media_client_snapshot(slowest, &client) == NGX_OK
        && client.source == source)
    {
        id = ngx_media_client_text(&client, NGX_MEDIA_TEXT_ID);
        ngx_media_json_str(j, id.data, id.len);

    } else {
        ngx_media_json_null(j);
    }
}


/* media of all tracks, kbit in each of the last seconds, the newest last */

static void
ngx_media_api_health_rate(ngx_media_json_t *j, ngx_media_api_health_t *h)
{
    uint64_t    bytes;
    ngx_uint_t  i, k;

    ngx_media_json_key_array(j, "history_kbps");

    for (i = h->seconds; i > 0; i--) {

        bytes = 0;

        for (k = 0; k < NGX_MEDIA_MAX_TRACKS; k++) {
            bytes += h->track[k].second[i - 1];
        }

        ngx_media_json_int(j, bytes * 8 / 1000);
    }

    ngx_media_json_array_end(j);
}


static void
ngx_media_api_health_track(ngx_media_json_t *j, ngx_media_api_health_t *h,
    ngx_media_track_t *track, ngx_uint_t n)
{
    u_char                  name[2];
    int64_t                 msec;
    ngx_uint_t              i, codec;
    ngx_media_api_track_t  *t;

    t = &h->track[n];
    codec = track->info.codec;
    msec = ngx_max((h->now - h->from) / 1000, 1);

    /* as a player chooses it */

    name[0] = (n & 1) ? 'a' : 'v';
    name[1] = (u_char) ('0' + ngx_media_track_id(n));

    ngx_media_json_key_int(j, "track", n);
    ngx_media_json_key(j, "name");
    ngx_media_json_str(j, name, 2);
    ngx_media_json_key_text(j, "type", ngx_media_codec_is_video(codec)
                                       ? "video" : "audio");
    ngx_media_json_key_text(j, "codec", ngx_media_codec_name(codec));
    ngx_media_json_key_int(j, "frames", ngx_media_api_get(&track->frames));
    ngx_media_json_key_int(j, "bytes", ngx_media_api_get(&track->bytes));
    ngx_media_json_key_double(j, "fps", ngx_media_api_health_fps(t), 2);
    ngx_media_json_key_double(j, "jitter_ms", t->jitter, 2);
    ngx_media_json_key_double(j, "jitter_max_ms", t->jitter_max, 2);
    ngx_media_json_key_int(j, "bitrate_kbps", t->bytes * 8 / msec);

    ngx_media_json_key_array(j, "history_kbps");

    for (i = h->seconds; i > 0; i--) {
        ngx_media_json_int(j, t->second[i - 1] * 8 / 1000);
    }

    ngx_media_json_array_end(j);

    if (ngx_media_codec_is_video(codec)) {
        ngx_media_api_health_video(j, t, track);
    }
}


static double
ngx_media_api_health_fps(ngx_media_api_track_t *t)
{
    if (t->frames < 2 || t->dts <= t->first) {
        return 0;
    }

    return (double) (t->frames - 1) * 1000000 / (double) (t->dts - t->first);
}


static void
ngx_media_api_health_video(ngx_media_json_t *j, ngx_media_api_track_t *t,
    ngx_media_track_t *track)
{
    int64_t  interval, age;

    interval = (t->keys > 1)
               ? (t->last_key - t->first_key) / (int64_t) (t->keys - 1) / 1000
               : 0;

    age = (ngx_media_api_get(&track->dts)
           - ngx_media_api_get(&track->key_dts)) / 1000;

    ngx_media_json_key_int(j, "gop_ms", ngx_media_api_get(&track->gop_ms));
    ngx_media_json_key_int(j, "gop_frames",
                           ngx_media_api_get(&track->gop_frames));
    ngx_media_json_key_int(j, "keyframes", ngx_media_api_get(&track->keys));
    ngx_media_json_key_int(j, "keyframe_interval_ms", interval);
    ngx_media_json_key_int(j, "keyframe_age_ms", ngx_max(age, 0));
    ngx_media_json_key_int(j, "bframes", t->bframes);
}
