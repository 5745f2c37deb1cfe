
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: metrics of the server in the text format of Prometheus (version 0.0.4),
 * location directive `media_metrics`.  The families srs_* are those of SRS's
 * exporter; nginx_media_* are ours, those of streams labelled by vhost, app
 * and stream.
 *
 * All of a family stands together, so streams are copied first, and then
 * each family walks over the copies.  A stream that was freed meanwhile is
 * left out, since its name may have come again at another place.  Streams
 * beyond NGX_MEDIA_METRICS_MAX bytes of answer are left out and counted.
 *
 * Everything is read from the arena: any worker answers for all of them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <sys/utsname.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"
#include "ngx_media_relay_hub.h"
#include "ngx_media_hls.h"
#include "ngx_media_http.h"
#include "ngx_media_version.h"


#define NGX_MEDIA_METRICS_MAX     (16 * 1024 * 1024)
#define NGX_MEDIA_METRICS_LINE    256      /* without labels */


/* of a stream; durations in ms, frames per second in thousandths */

typedef enum {
    NGX_MEDIA_METRICS_PUBLISHING = 0,
    NGX_MEDIA_METRICS_CLIENTS,
    NGX_MEDIA_METRICS_RECV,
    NGX_MEDIA_METRICS_SEND,
    NGX_MEDIA_METRICS_AUDIO,
    NGX_MEDIA_METRICS_VIDEO,
    NGX_MEDIA_METRICS_DROPPED,
    NGX_MEDIA_METRICS_SKIPPED,
    NGX_MEDIA_METRICS_JUMPS,
    NGX_MEDIA_METRICS_PUBLISHES,
    NGX_MEDIA_METRICS_FPS,
    NGX_MEDIA_METRICS_GOP,
    NGX_MEDIA_METRICS_GOP_FRAMES,
    NGX_MEDIA_METRICS_LAG,
    NGX_MEDIA_METRICS_MEMORY,
    NGX_MEDIA_METRICS_HLS_SEGMENTS,
    NGX_MEDIA_METRICS_HLS_PARTS,
    NGX_MEDIA_METRICS_HLS_MEMORY,
    NGX_MEDIA_METRICS_HLS_TARGET,
    NGX_MEDIA_METRICS_HLS_DURATION,
    NGX_MEDIA_METRICS_HLS_VIEWERS,
    NGX_MEDIA_METRICS_HLS_PARKED,
    NGX_MEDIA_METRICS_HLS_CUTS,
    NGX_MEDIA_METRICS_HLS_DROPPED,
    NGX_MEDIA_METRICS_HLS_WRITTEN,
    NGX_MEDIA_METRICS_HLS_FAILED,
    NGX_MEDIA_METRICS_HLS_MISSING,
    NGX_MEDIA_METRICS_HLS_BEHIND,
    NGX_MEDIA_METRICS_RECORD_ACTIVE,
    NGX_MEDIA_METRICS_RECORD_BYTES,
    NGX_MEDIA_METRICS_RECORD_FILES,
    NGX_MEDIA_METRICS_RECORD_LOST,
    NGX_MEDIA_METRICS_RECORD_ERRORS,
    NGX_MEDIA_METRICS_STREAM_MAX
} ngx_media_metrics_stream_e;


typedef struct {
    const char  *name;
    const char  *type;
    const char  *help;
    ngx_uint_t   milli;             /* the value is in thousandths */
} ngx_media_metrics_family_t;


typedef struct {
    ngx_str_t    labels;            /* with braces */
    uint32_t     index;
    uint32_t     generation;
    int64_t      value[NGX_MEDIA_METRICS_STREAM_MAX];
} ngx_media_metrics_stream_t;


typedef struct {
    uint32_t     clients;
    uint32_t     viewers;           /* of HLS */
    uint32_t     lag;
    uint64_t     dropped;
} ngx_media_metrics_players_t;


/* of the sessions of one protocol whose way is known; us */

typedef struct {
    uint64_t     sessions;
    uint64_t     timed;             /* of them, with a round-trip time */
    uint64_t     sum;               /* of these times */
    uint64_t     max;
} ngx_media_metrics_link_t;


typedef struct {
    ngx_http_request_t           *request;
    ngx_media_json_t              out;      /* its writer of bytes only */
    ngx_array_t                   streams;
    ngx_media_metrics_players_t  *players;  /* by source */
    ngx_media_metrics_link_t      links[NGX_MEDIA_LINK_PROTOCOLS];
    size_t                        size;     /* of the streams, about */
    ngx_uint_t                    omitted;
    ngx_uint_t                    live;
} ngx_media_metrics_t;


static ngx_int_t ngx_media_metrics_collect(ngx_media_metrics_t *m);
static ngx_int_t ngx_media_metrics_players(ngx_media_metrics_t *m);
static void ngx_media_metrics_rtt(ngx_media_metrics_t *m,
    ngx_media_client_t *client);
static ngx_int_t ngx_media_metrics_stream(ngx_media_metrics_t *m,
    ngx_media_api_source_t *s);
static void ngx_media_metrics_values(ngx_media_metrics_t *m,
    ngx_media_metrics_stream_t *stream, ngx_media_api_source_t *s);
static void ngx_media_metrics_hls(int64_t *v, uint32_t source,
    uint32_t viewers);
static ngx_int_t ngx_media_metrics_labels(ngx_media_metrics_t *m,
    ngx_media_metrics_stream_t *stream, ngx_media_api_source_t *s);
static u_char *ngx_media_metrics_label(u_char *p, const char *name,
    ngx_str_t *value);
static void ngx_media_metrics_check(ngx_media_metrics_t *m);
static void ngx_media_metrics_srs(ngx_media_metrics_t *m,
    const ngx_media_api_totals_t *t);
static void ngx_media_metrics_info(ngx_media_metrics_t *m);
static void ngx_media_metrics_server(ngx_media_metrics_t *m,
    const ngx_media_api_totals_t *t);
static void ngx_media_metrics_hooks(ngx_media_metrics_t *m);
static void ngx_media_metrics_uploads(ngx_media_metrics_t *m);
static void ngx_media_metrics_events(ngx_media_metrics_t *m);
static void ngx_media_metrics_relays(ngx_media_metrics_t *m);
static void ngx_media_metrics_workers(ngx_media_metrics_t *m);
static void ngx_media_metrics_links(ngx_media_metrics_t *m);
static void ngx_media_metrics_rtts(ngx_media_metrics_t *m);
static ngx_str_t *ngx_media_metrics_protocol(ngx_media_metrics_t *m,
    ngx_uint_t protocol);
static void ngx_media_metrics_streams(ngx_media_metrics_t *m);
static void ngx_media_metrics_head(ngx_media_metrics_t *m, const char *name,
    const char *type, const char *help);
static void ngx_media_metrics_int(ngx_media_metrics_t *m, const char *name,
    const char *type, const char *help, int64_t value);
static void ngx_media_metrics_line(ngx_media_metrics_t *m, const char *name,
    const ngx_str_t *labels, int64_t value, ngx_uint_t milli);
static void ngx_media_metrics_text(ngx_media_metrics_t *m, const char *text);
static ngx_int_t ngx_media_metrics_send(ngx_media_metrics_t *m);


static const ngx_media_metrics_family_t
    ngx_media_metrics_families[NGX_MEDIA_METRICS_STREAM_MAX] =
{
    { "nginx_media_stream_publishing", "gauge",
      "Whether the stream has a publisher.", 0 },

    { "nginx_media_stream_clients", "gauge",
      "Publisher and players of the stream.", 0 },

    { "nginx_media_stream_receive_bytes_total", "counter",
      "Bytes received from publishers.", 0 },

    { "nginx_media_stream_send_bytes_total", "counter",
      "Bytes sent to players.", 0 },

    { "nginx_media_stream_audio_frames_total", "counter",
      "Audio frames received.", 0 },

    { "nginx_media_stream_video_frames_total", "counter",
      "Video frames received.", 0 },

    { "nginx_media_stream_dropped_frames_total", "counter",
      "Frames that found no room in the shared memory.", 0 },

    { "nginx_media_stream_skipped_frames", "gauge",
      "Frames that the present players were too slow for.", 0 },

    { "nginx_media_stream_timestamp_jumps_total", "counter",
      "Jumps of timestamps that were mended.", 0 },

    { "nginx_media_stream_publishes_total", "counter",
      "Publishers that have come.", 0 },

    { "nginx_media_stream_fps", "gauge",
      "Video frames a second.", 1 },

    { "nginx_media_stream_gop_seconds", "gauge",
      "Time between the last two keyframes.", 1 },

    { "nginx_media_stream_gop_frames", "gauge",
      "Frames of the last whole group of pictures.", 0 },

    { "nginx_media_stream_lag_seconds", "gauge",
      "How far the slowest player is behind the newest frame.", 1 },

    { "nginx_media_stream_memory_bytes", "gauge",
      "Shared memory that the stream holds.", 0 },

    { "nginx_media_hls_segments_total", "counter",
      "Segments of HLS that were made.", 0 },

    { "nginx_media_hls_parts_total", "counter",
      "Parts of HLS that were made.", 0 },

    { "nginx_media_hls_memory_bytes", "gauge",
      "Shared memory that the packed stream holds.", 0 },

    { "nginx_media_hls_target_seconds", "gauge",
      "Target duration.", 0 },

    { "nginx_media_hls_duration_seconds", "gauge",
      "Duration of the last segment.", 1 },

    { "nginx_media_hls_viewers", "gauge",
      "Viewers with sessions.", 0 },

    { "nginx_media_hls_parked_requests", "gauge",
      "Requests that wait for the next part or segment.", 0 },

    { "nginx_media_hls_forced_cuts_total", "counter",
      "Segments that begin without a keyframe.", 0 },

    { "nginx_media_hls_dropped_parts_total", "counter",
      "Parts that found no room in the shared memory.", 0 },

    { "nginx_media_hls_disk_segments_total", "counter",
      "Segments written to disk.", 0 },

    { "nginx_media_hls_disk_failures_total", "counter",
      "Attempts to write a segment that failed.", 0 },

    { "nginx_media_hls_disk_missing_segments_total", "counter",
      "Segments that never came to disk.", 0 },

    { "nginx_media_hls_disk_behind_segments", "gauge",
      "Segments that are not on disk yet.", 0 },

    { "nginx_media_record_active", "gauge",
      "Whether the stream is being recorded.", 0 },

    { "nginx_media_record_bytes_total", "counter",
      "Bytes written to recordings.", 0 },

    { "nginx_media_record_files_total", "counter",
      "Recordings that are whole.", 0 },

    { "nginx_media_record_lost_frames_total", "counter",
      "Frames that no disk took in time.", 0 },

    { "nginx_media_record_errors_total", "counter",
      "Writes to recordings that failed.", 0 }
};


ngx_int_t
ngx_media_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_media_metrics_t     m;
    ngx_media_api_totals_t  totals;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_media_arena() == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_memzero(&m, sizeof(ngx_media_metrics_t));
    m.request = r;

    ngx_media_json_init(&m.out, r->pool);
    ngx_media_api_totals(&totals);

    if (ngx_media_metrics_collect(&m) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_media_metrics_info(&m);
    ngx_media_metrics_srs(&m, &totals);
    ngx_media_metrics_server(&m, &totals);
    ngx_media_metrics_hooks(&m);
    ngx_media_metrics_uploads(&m);
    ngx_media_metrics_events(&m);
    ngx_media_metrics_relays(&m);
    ngx_media_metrics_workers(&m);
    ngx_media_metrics_links(&m);
    ngx_media_metrics_rtts(&m);
    ngx_media_metrics_streams(&m);

    return ngx_media_metrics_send(&m);
}


/* --- what there is ------------------------------------------------------ */

static ngx_int_t
ngx_media_metrics_collect(ngx_media_metrics_t *m)
{
    uint32_t                i, n;
    ngx_media_api_source_t  s;

    if (ngx_array_init(&m->streams, m->request->pool, 16,
                       sizeof(ngx_media_metrics_stream_t))
        != NGX_OK
        || ngx_media_metrics_players(m) != NGX_OK)
    {
        return NGX_ERROR;
    }

    n = ngx_media_api_get(&ngx_media_arena()->fresh_source);

    for (i = 0; i < n; i++) {

        if (ngx_media_api_source(i, &s) != NGX_OK) {
            continue;
        }

        m->live += s.live;

        if (ngx_media_metrics_stream(m, &s) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_media_metrics_check(m);

    return NGX_OK;
}


static ngx_int_t
ngx_media_metrics_players(ngx_media_metrics_t *m)
{
    uint32_t                      i, n, idx;
    ngx_media_arena_t            *arena;
    ngx_media_client_t           *client;
    ngx_media_metrics_players_t  *p;

    arena = ngx_media_arena();

    m->players = ngx_pcalloc(m->request->pool, arena->nsources
                             * sizeof(ngx_media_metrics_players_t));
    if (m->players == NULL) {
        return NGX_ERROR;
    }

    n = ngx_media_api_get(&arena->fresh_client);

    for (i = 0; i < n; i++) {
        client = ngx_media_client_at(i);
        idx = ngx_media_api_get(&client->source);

        if (!ngx_media_api_get(&client->used)) {
            continue;
        }

        ngx_media_metrics_rtt(m, client);

        if (idx >= arena->nsources || ngx_media_api_get(&client->relay)) {
            continue;
        }

        p = &m->players[idx];
        p->clients++;
        p->viewers += ngx_media_api_get(&client->type)
                      == NGX_MEDIA_CLIENT_HLS_PLAY;
        p->dropped += ngx_media_api_get(&client->dropped);

        if (!ngx_media_api_get(&client->publish)) {
            p->lag = ngx_max(p->lag, ngx_media_api_get(&client->lag));
        }
    }

    return NGX_OK;
}


static void
ngx_media_metrics_rtt(ngx_media_metrics_t *m, ngx_media_client_t *client)
{
    uint32_t                   rtt;
    ngx_uint_t                 protocol;
    ngx_media_metrics_link_t  *l;

    if (!ngx_media_api_get(&client->link.known)) {
        return;
    }

    protocol = ngx_media_link_protocol(client);

    if (protocol == NGX_MEDIA_LINK_PROTOCOLS) {
        return;
    }

    l = &m->links[protocol];
    rtt = ngx_media_api_get(&client->link.rtt);

    l->sessions++;
    l->timed += (rtt != 0);
    l->sum += rtt;
    l->max = ngx_max(l->max, rtt);
}


static ngx_int_t
ngx_media_metrics_stream(ngx_media_metrics_t *m, ngx_media_api_source_t *s)
{
    ngx_media_metrics_stream_t  *stream;

    if (m->size > NGX_MEDIA_METRICS_MAX) {
        m->omitted++;
        return NGX_OK;
    }

    stream = ngx_array_push(&m->streams);
    if (stream == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(stream, sizeof(ngx_media_metrics_stream_t));

    stream->index = s->index;
    stream->generation = s->generation;

    ngx_media_metrics_values(m, stream, s);

    return ngx_media_metrics_labels(m, stream, s);
}


static void
ngx_media_metrics_values(ngx_media_metrics_t *m,
    ngx_media_metrics_stream_t *stream, ngx_media_api_source_t *s)
{
    int64_t                      *v;
    ngx_uint_t                    i;
    ngx_media_track_t            *track;
    ngx_media_source_t           *src;
    ngx_media_metrics_players_t  *p;

    src = s->source;
    p = &m->players[s->index];
    v = stream->value;

    v[NGX_MEDIA_METRICS_PUBLISHING] = s->live;
    v[NGX_MEDIA_METRICS_CLIENTS] = p->clients;
    v[NGX_MEDIA_METRICS_RECV] = ngx_media_api_get(&src->recv_bytes);
    v[NGX_MEDIA_METRICS_SEND] = ngx_media_api_get(&src->send_bytes);
    v[NGX_MEDIA_METRICS_AUDIO] = ngx_media_api_get(&src->audio_frames);
    v[NGX_MEDIA_METRICS_VIDEO] = ngx_media_api_get(&src->video_frames);
    v[NGX_MEDIA_METRICS_DROPPED] = ngx_media_api_get(&src->dropped);
    v[NGX_MEDIA_METRICS_SKIPPED] = p->dropped;
    v[NGX_MEDIA_METRICS_JUMPS] = ngx_media_api_get(&src->jumps);
    v[NGX_MEDIA_METRICS_PUBLISHES] = ngx_media_api_get(&src->publishes);
    v[NGX_MEDIA_METRICS_LAG] = p->lag;
    v[NGX_MEDIA_METRICS_MEMORY] = ngx_media_api_chunks(src)
                                  * NGX_MEDIA_CHUNK_SIZE;

    ngx_media_metrics_hls(v, s->index, p->viewers);

    v[NGX_MEDIA_METRICS_RECORD_ACTIVE] = s->live
                                && ngx_media_api_get(&src->record.active);
    v[NGX_MEDIA_METRICS_RECORD_BYTES] = ngx_media_api_get(&src->record.total);
    v[NGX_MEDIA_METRICS_RECORD_FILES] = ngx_media_api_get(&src->record.files);
    v[NGX_MEDIA_METRICS_RECORD_LOST] = ngx_media_api_get(&src->record.lost);
    v[NGX_MEDIA_METRICS_RECORD_ERRORS] =
        ngx_media_api_get(&src->record.errors);

    /* the first video track that is there */

    for (i = 0; s->live && i < NGX_MEDIA_TRACK_SCRIPT; i++) {

        track = &src->track[i];

        if (ngx_media_api_get(&track->present)
            && ngx_media_codec_is_video(track->info.codec))
        {
            v[NGX_MEDIA_METRICS_FPS] = ngx_media_api_get(&track->fps_milli);
            v[NGX_MEDIA_METRICS_GOP] = ngx_media_api_get(&track->gop_ms);
            v[NGX_MEDIA_METRICS_GOP_FRAMES] =
                ngx_media_api_get(&track->gop_frames);
            break;
        }
    }
}


static void
ngx_media_metrics_hls(int64_t *v, uint32_t source, uint32_t viewers)
{
    ngx_media_hls_stats_t  stats;

    if (ngx_media_hls_stats(source, &stats) != NGX_OK) {
        return;
    }

    v[NGX_MEDIA_METRICS_HLS_SEGMENTS] = stats.segments;
    v[NGX_MEDIA_METRICS_HLS_PARTS] = stats.parts;
    v[NGX_MEDIA_METRICS_HLS_MEMORY] = stats.bytes;
    v[NGX_MEDIA_METRICS_HLS_TARGET] = stats.target;
    v[NGX_MEDIA_METRICS_HLS_DURATION] = stats.duration / 1000;
    v[NGX_MEDIA_METRICS_HLS_VIEWERS] = viewers;
    v[NGX_MEDIA_METRICS_HLS_PARKED] = stats.parked;
    v[NGX_MEDIA_METRICS_HLS_CUTS] = stats.cuts;
    v[NGX_MEDIA_METRICS_HLS_DROPPED] = stats.dropped;
    v[NGX_MEDIA_METRICS_HLS_WRITTEN] = stats.written;
    v[NGX_MEDIA_METRICS_HLS_FAILED] = stats.failed;
    v[NGX_MEDIA_METRICS_HLS_MISSING] = stats.missing;
    v[NGX_MEDIA_METRICS_HLS_BEHIND] = stats.behind;
}


static ngx_int_t
ngx_media_metrics_labels(ngx_media_metrics_t *m,
    ngx_media_metrics_stream_t *stream, ngx_media_api_source_t *s)
{
    u_char     *p;
    ngx_str_t   vhost;

    vhost = s->vhost;

    if (vhost.len == 0) {
        ngx_str_set(&vhost, NGX_MEDIA_DEFAULT_VHOST);
    }

    /* a byte becomes 5 at most: two backslashes, "x" and two digits */

    p = ngx_pnalloc(m->request->pool,
                    sizeof("{vhost=\"\",app=\"\",stream=\"\"}") - 1
                    + 5 * (vhost.len + s->app.len + s->stream.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    stream->labels.data = p;

    *p++ = '{';
    p = ngx_media_metrics_label(p, "vhost", &vhost);
    *p++ = ',';
    p = ngx_media_metrics_label(p, "app", &s->app);
    *p++ = ',';
    p = ngx_media_metrics_label(p, "stream", &s->stream);
    *p++ = '}';

    stream->labels.len = p - stream->labels.data;

    m->size += NGX_MEDIA_METRICS_STREAM_MAX
               * (stream->labels.len + NGX_MEDIA_METRICS_LINE / 2);

    return NGX_OK;
}


/*
 * NAME="VALUE".  A value is UTF-8: a byte that is not is shown as \xNN, which
 * no name has, since none has a backslash.
 */

static u_char *
ngx_media_metrics_label(u_char *p, const char *name, ngx_str_t *value)
{
    size_t         n;
    const u_char  *s, *end;

    p = ngx_sprintf(p, "%s=\"", name);
    end = value->data + value->len;

    for (s = value->data; s < end; s += n) {

        n = 1;

        switch (*s) {

        case '\\':
        case '"':
            *p++ = '\\';
            *p++ = *s;
            continue;

        case '\n':
            *p++ = '\\';
            *p++ = 'n';
            continue;

        default:
            break;
        }

        n = ngx_media_json_utf8(s, end);

        if (n) {
            p = ngx_cpymem(p, s, n);

        } else {
            p = ngx_sprintf(p, "\\\\x%02xi", (ngx_int_t) *s);
            n = 1;
        }
    }

    *p++ = '"';

    return p;
}


/*
 * Those that were there when all had been copied have different names; the
 * others go.
 */

static void
ngx_media_metrics_check(ngx_media_metrics_t *m)
{
    ngx_uint_t                   i, n;
    ngx_media_source_t          *src;
    ngx_media_metrics_stream_t  *stream;

    stream = m->streams.elts;
    n = 0;

    for (i = 0; i < m->streams.nelts; i++) {

        src = ngx_media_source_at(stream[i].index);

        if (ngx_media_api_get(&src->used)
            && ngx_media_api_get(&src->generation) == stream[i].generation)
        {
            stream[n++] = stream[i];
        }
    }

    m->streams.nelts = n;
}


/* --- families ----------------------------------------------------------- */

static void
ngx_media_metrics_info(ngx_media_metrics_t *m)
{
    u_char              text[1024], *p, *last;
    ngx_str_t           value;
    ngx_uint_t          i;
    const char         *names[5], *values[5];
    struct utsname      u;
    ngx_media_arena_t  *arena;

    arena = ngx_media_arena();
    last = text + sizeof(text);

    ngx_memzero(&u, sizeof(struct utsname));
    (void) uname(&u);

    names[0] = "sysname";
    values[0] = u.sysname;
    names[1] = "nodename";
    values[1] = u.nodename;
    names[2] = "release";
    values[2] = u.release;
    names[3] = "version";
    values[3] = u.version;
    names[4] = "machine";
    values[4] = u.machine;

    ngx_media_metrics_head(m, "srs_node_uname_info", "gauge",
                           "The system, as uname tells.");
    ngx_media_metrics_text(m, "srs_node_uname_info{");

    for (i = 0; i < 5; i++) {
        value.data = (u_char *) values[i];
        value.len = ngx_min(ngx_strlen(values[i]), 64);

        p = text;

        if (i) {
            *p++ = ',';
        }

        p = ngx_media_metrics_label(p, names[i], &value);
        ngx_media_json_raw(&m->out, text, p - text);
    }

    ngx_media_metrics_text(m, "} 1\n");

    ngx_media_metrics_head(m, "srs_build_info", "gauge",
                           "The version of the server.");

    p = ngx_slprintf(text, last, "srs_build_info{server=\"%s\","
                     "service=\"%s\",pid=\"%P\",build_date=\"%s\","
                     "major=\"%d\",version=\"%s\",code=\"nginx\"} 1\n",
                     arena->server_id, arena->service_id, ngx_media_api_pid(),
                     NGX_MEDIA_VERSION_DATE, NGX_MEDIA_VERSION_MAJOR,
                     NGX_MEDIA_VERSION);
    ngx_media_json_raw(&m->out, text, p - text);
}


static void
ngx_media_metrics_srs(ngx_media_metrics_t *m, const ngx_media_api_totals_t *t)
{
    ngx_media_arena_t  *arena;

    arena = ngx_media_arena();

    ngx_media_metrics_head(m, "srs_cpu_percent", "gauge",
                           "Processor time of all workers, percent of one.");
    ngx_media_metrics_line(m, "srs_cpu_percent", NULL,
                           (int64_t) (t->cpu * 100 * 1000 + 0.5), 1);

    ngx_media_metrics_int(m, "srs_memory", "gauge",
                          "Memory of all workers, KB.", t->rss_kb);
    ngx_media_metrics_int(m, "srs_send_bytes_total", "counter",
                          "Bytes sent to all clients.", t->send_bytes);
    ngx_media_metrics_int(m, "srs_receive_bytes_total", "counter",
                          "Bytes received from all clients.", t->recv_bytes);
    ngx_media_metrics_int(m, "srs_streams", "gauge",
                          "Streams that have a publisher.", m->live);
    ngx_media_metrics_int(m, "srs_clients", "gauge",
                          "Clients that are connected.", t->clients);
    ngx_media_metrics_int(m, "srs_clients_total", "counter",
                          "Clients that have come.",
                          ngx_media_api_get(&arena->clients_total));
    ngx_media_metrics_int(m, "srs_clients_errs_total", "counter",
                          "Clients that were refused or cut.",
                          ngx_media_api_get(&arena->clients_errs));
}


static void
ngx_media_metrics_server(ngx_media_metrics_t *m,
    const ngx_media_api_totals_t *t)
{
    ngx_media_arena_t  *arena;

    arena = ngx_media_arena();

    ngx_media_metrics_int(m, "nginx_media_uptime_seconds", "gauge",
                          "Since the shared memory was made.",
                          (t->now - arena->started) / 1000);
    ngx_media_metrics_int(m, "nginx_media_arena_size_bytes", "gauge",
                          "Shared memory for media.",
                          (int64_t) arena->nchunks * NGX_MEDIA_CHUNK_SIZE);
    ngx_media_metrics_int(m, "nginx_media_arena_free_bytes", "gauge",
                          "Of it, what nothing holds.",
                          (int64_t) ngx_media_chunks_free()
                          * NGX_MEDIA_CHUNK_SIZE);
    ngx_media_metrics_int(m, "nginx_media_arena_sources", "gauge",
                          "Streams that are known, with publisher or not.",
                          ngx_media_api_get(&arena->sources));
    ngx_media_metrics_int(m, "nginx_media_arena_recoveries_total", "counter",
                          "Processes that died while they held the lock.",
                          ngx_media_api_get(&arena->recoveries));
    ngx_media_metrics_int(m, "nginx_media_workers", "gauge",
                          "Workers that are attached.", t->workers);
    ngx_media_metrics_int(m, "nginx_media_streams_omitted", "gauge",
                          "Streams that are left out below.", m->omitted);
}


static void
ngx_media_metrics_hooks(ngx_media_metrics_t *m)
{
    uint64_t    *n;
    ngx_uint_t   i;

    static const char  *names[][2] = {
        { "nginx_media_hook_requests_total",
          "Requests to back ends." },
        { "nginx_media_hook_failures_total",
          "Of them, those without an answer, or with status 500 and above." },
        { "nginx_media_hook_denied_total",
          "Clients that hooks denied." },
        { "nginx_media_hook_cached_total",
          "Verdicts that were kept." },
        { "nginx_media_hook_dropped_total",
          "Messages that were never told." }
    };

    n = ngx_media_arena()->hooks;

    for (i = 0; i < NGX_MEDIA_HOOK_COUNTS; i++) {
        ngx_media_metrics_int(m, names[i][0], "counter", names[i][1],
                              (int64_t) ngx_media_api_get(&n[i]));
    }
}


static void
ngx_media_metrics_relays(ngx_media_metrics_t *m)
{
    u_char                   *p, buf[64];
    int64_t                   n[2][NGX_MEDIA_RELAY_CONNECTED + 1];
    uint32_t                  i;
    ngx_str_t                 labels;
    ngx_uint_t                way, state;
    ngx_media_relay_entry_t   e;

    static const char  *ways[] = { "pull", "push" };

    ngx_memzero(n, sizeof(n));

    for (i = 0; i < NGX_MEDIA_RELAYS; i++) {

        if (ngx_media_relay_snapshot(i, &e) == NGX_OK
            && e.state <= NGX_MEDIA_RELAY_CONNECTED)
        {
            n[e.way != NGX_MEDIA_RELAY_PULL][e.state]++;
        }
    }

    ngx_media_metrics_head(m, "nginx_media_relays", "gauge",
                           "Streams fetched from others and sent to them.");

    for (way = 0; way < 2; way++) {
        for (state = 0; state <= NGX_MEDIA_RELAY_CONNECTED; state++) {
            p = ngx_sprintf(buf, "{way=\"%s\",state=\"%s\"}", ways[way],
                            ngx_media_relay_state_name(state));
            labels.data = buf;
            labels.len = p - buf;

            ngx_media_metrics_line(m, "nginx_media_relays", &labels,
                                   n[way][state], 0);
        }
    }

    ngx_media_metrics_int(m, "nginx_media_relay_calls_total", "counter",
                          "Calls to other servers.", (int64_t)
                          ngx_media_api_get(&ngx_media_arena()->relay_calls));
    ngx_media_metrics_int(m, "nginx_media_relay_failures_total", "counter",
                          "Calls that failed or were lost, and names that "
                          "were not resolved.", (int64_t)
                          ngx_media_api_get(&ngx_media_arena()
                                            ->relay_failures));
}


static void
ngx_media_metrics_uploads(ngx_media_metrics_t *m)
{
    int64_t              queued;
    uint64_t            *n;
    ngx_uint_t           i;
    ngx_media_arena_t   *arena;

    static ngx_str_t  results[] = {
        ngx_string("{result=\"done\"}"),
        ngx_string("{result=\"failed\"}"),
        ngx_string("{result=\"retried\"}")
    };

    arena = ngx_media_arena();
    n = arena->uploads;
    queued = 0;

    for (i = 0; i < NGX_MEDIA_UPLOAD_QUEUES; i++) {
        queued += ngx_media_api_get(&arena->upload_queue[i].n);
    }

    ngx_media_metrics_head(m, "nginx_media_uploads_total", "counter",
                           "Recordings to be copied or uploaded, by what "
                           "became of it.");

    for (i = 0; i <= NGX_MEDIA_UPLOADS_RETRIED; i++) {
        ngx_media_metrics_line(m, "nginx_media_uploads_total", &results[i],
                               (int64_t) ngx_media_api_get(&n[i]), 0);
    }

    ngx_media_metrics_int(m, "nginx_media_upload_bytes_total", "counter",
                          "Bytes of recordings that were uploaded.",
                          (int64_t)
                          ngx_media_api_get(&n[NGX_MEDIA_UPLOADS_BYTES]));
    ngx_media_metrics_int(m, "nginx_media_upload_queue", "gauge",
                          "Recordings that wait for it.", queued);
}


static void
ngx_media_metrics_events(ngx_media_metrics_t *m)
{
    uint64_t    *n;
    ngx_uint_t   i;

    static const char  *names[][2] = {
        { "nginx_media_events_total",
          "Events of clients." },
        { "nginx_media_events_missed_total",
          "Events that listeners were too slow for." },
        { "nginx_media_events_delivered_total",
          "Events that were taken elsewhere." },
        { "nginx_media_events_undelivered_total",
          "Events that could not be." }
    };

    n = ngx_media_arena()->events;

    for (i = 0; i < NGX_MEDIA_EVENT_COUNTS; i++) {
        ngx_media_metrics_int(m, names[i][0], "counter", names[i][1],
                              (int64_t) ngx_media_api_get(&n[i]));
    }
}


static void
ngx_media_metrics_workers(ngx_media_metrics_t *m)
{
    u_char             text[64];
    int64_t            value[3];
    int32_t            pid[NGX_MEDIA_SLOTS];
    ngx_str_t          labels;
    ngx_uint_t         i, k;
    ngx_media_slot_t  *slot;

    static const ngx_media_metrics_family_t  families[] = {
        { "nginx_media_worker_cpu_ratio", "gauge",
          "Processor time, a share of one.", 1 },
        { "nginx_media_worker_memory_bytes", "gauge",
          "Resident memory.", 0 },
        { "nginx_media_worker_sessions", "gauge",
          "Clients that the worker serves.", 0 }
    };

    for (i = 0; i < NGX_MEDIA_SLOTS; i++) {
        pid[i] = ngx_media_api_get(&ngx_media_arena()->slots[i].pid);
    }

    for (k = 0; k < 3; k++) {

        ngx_media_metrics_head(m, families[k].name, families[k].type,
                               families[k].help);

        for (i = 0; i < NGX_MEDIA_SLOTS; i++) {

            if (pid[i] == 0) {
                continue;
            }

            slot = &ngx_media_arena()->slots[i];

            value[0] = ngx_media_api_get(&slot->cpu_percent) / 10;
            value[1] = (int64_t) ngx_media_api_get(&slot->rss_kb) * 1024;
            value[2] = ngx_media_api_get(&slot->sessions);

            labels.data = text;
            labels.len = ngx_sprintf(text, "{slot=\"%ui\",pid=\"%D\"}", i,
                                     pid[i])
                         - text;

            ngx_media_metrics_line(m, families[k].name, &labels, value[k],
                                   families[k].milli);
        }
    }
}


/* sums by protocol, those of sessions that are gone included */

static void
ngx_media_metrics_links(ngx_media_metrics_t *m)
{
    uint64_t    *n;
    ngx_str_t   *labels;
    ngx_uint_t   i, k;

    static const char  *names[][2] = {
        { "nginx_media_link_sent_packets_total",
          "Packets sent to players, each once." },
        { "nginx_media_link_resent_packets_total",
          "Packets sent again." },
        { "nginx_media_link_sent_lost_packets_total",
          "Packets that players missed." },
        { "nginx_media_link_sent_dropped_packets_total",
          "Packets that came too late to be sent." },
        { "nginx_media_link_received_packets_total",
          "Packets received from publishers, each once." },
        { "nginx_media_link_recovered_packets_total",
          "Of them, those that came when asked for." },
        { "nginx_media_link_lost_packets_total",
          "Packets of publishers that were missed." },
        { "nginx_media_link_dropped_packets_total",
          "Packets of publishers that came too late, or never." },
        { "nginx_media_link_undecrypted_packets_total",
          "Packets of publishers that could not be decrypted." },
        { "nginx_media_link_nacks_total",
          "Requests for packets, sent and received." },
        { "nginx_media_link_plis_total",
          "Requests for keyframes, sent and received." }
    };

    for (i = 0; i < NGX_MEDIA_LINK_COUNTS; i++) {

        ngx_media_metrics_head(m, names[i][0], "counter", names[i][1]);

        for (k = 0; k < NGX_MEDIA_LINK_PROTOCOLS; k++) {

            labels = ngx_media_metrics_protocol(m, k);
            n = ngx_media_arena()->links[k];

            if (labels) {
                ngx_media_metrics_line(m, names[i][0], labels,
                                       (int64_t) ngx_media_api_get(&n[i]), 0);
            }
        }
    }
}


/* of the sessions of now */

static void
ngx_media_metrics_rtts(ngx_media_metrics_t *m)
{
    int64_t                    value[3];
    ngx_str_t                 *labels;
    ngx_uint_t                 i, k;
    ngx_media_metrics_link_t  *l;

    static const ngx_media_metrics_family_t  families[] = {
        { "nginx_media_link_sessions", "gauge",
          "Sessions whose way to the peer is known.", 0 },
        { "nginx_media_link_rtt_seconds", "gauge",
          "Round-trip time, the mean over these sessions.", 1 },
        { "nginx_media_link_rtt_max_seconds", "gauge",
          "The longest round-trip time of them.", 1 }
    };

    for (i = 0; i < 3; i++) {

        ngx_media_metrics_head(m, families[i].name, families[i].type,
                               families[i].help);

        for (k = 0; k < NGX_MEDIA_LINK_PROTOCOLS; k++) {

            labels = ngx_media_metrics_protocol(m, k);
            l = &m->links[k];

            if (labels == NULL) {
                continue;
            }

            value[0] = (int64_t) l->sessions;
            value[1] = l->timed ? (int64_t) (l->sum / l->timed) : 0;
            value[2] = (int64_t) l->max;

            ngx_media_metrics_line(m, families[i].name, labels,
                                   families[i].milli ? (value[i] + 500) / 1000
                                                     : value[i],
                                   families[i].milli);
        }
    }
}


/* NULL: nothing is known of it, and never was; there is SRT always */

static ngx_str_t *
ngx_media_metrics_protocol(ngx_media_metrics_t *m, ngx_uint_t protocol)
{
    uint64_t  *n;

    static ngx_str_t  labels[NGX_MEDIA_LINK_PROTOCOLS] = {
        ngx_string("{protocol=\"srt\"}"),
        ngx_string("{protocol=\"webrtc\"}"),
        ngx_string("{protocol=\"mpegts\"}")
    };

    n = ngx_media_arena()->links[protocol];

    if (protocol != NGX_MEDIA_LINK_SRT
        && m->links[protocol].sessions == 0
        && ngx_media_api_get(&n[NGX_MEDIA_LINK_SENT]) == 0
        && ngx_media_api_get(&n[NGX_MEDIA_LINK_RECEIVED]) == 0)
    {
        return NULL;
    }

    return &labels[protocol];
}


static void
ngx_media_metrics_streams(ngx_media_metrics_t *m)
{
    ngx_uint_t                         i, k;
    ngx_media_metrics_stream_t        *stream;
    const ngx_media_metrics_family_t  *f;

    stream = m->streams.elts;

    for (k = 0; k < NGX_MEDIA_METRICS_STREAM_MAX; k++) {

        f = &ngx_media_metrics_families[k];

        ngx_media_metrics_head(m, f->name, f->type, f->help);

        for (i = 0; i < m->streams.nelts; i++) {
            ngx_media_metrics_line(m, f->name, &stream[i].labels,
                                   stream[i].value[k], f->milli);
        }
    }
}


/* --- lines -------------------------------------------------------------- */

static void
ngx_media_metrics_head(ngx_media_metrics_t *m, const char *name,
    const char *type, const char *help)
{
    ngx_media_metrics_text(m, "# HELP ");
    ngx_media_metrics_text(m, name);
    ngx_media_metrics_text(m, " ");
    ngx_media_metrics_text(m, help);
    ngx_media_metrics_text(m, "\n# TYPE ");
    ngx_media_metrics_text(m, name);
    ngx_media_metrics_text(m, " ");
    ngx_media_metrics_text(m, type);
    ngx_media_metrics_text(m, "\n");
}


static void
ngx_media_metrics_int(ngx_media_metrics_t *m, const char *name,
    const char *type, const char *help, int64_t value)
{
    ngx_media_metrics_head(m, name, type, help);
    ngx_media_metrics_line(m, name, NULL, value, 0);
}


/* labels may be NULL */

static void
ngx_media_metrics_line(ngx_media_metrics_t *m, const char *name,
    const ngx_str_t *labels, int64_t value, ngx_uint_t milli)
{
    u_char  text[2 * NGX_INT64_LEN], *p;

    ngx_media_metrics_text(m, name);

    if (labels) {
        ngx_media_json_raw(&m->out, labels->data, labels->len);
    }

    p = milli ? ngx_sprintf(text, " %L.%03L\n", value / 1000, value % 1000)
              : ngx_sprintf(text, " %L\n", value);

    ngx_media_json_raw(&m->out, text, p - text);
}


static void
ngx_media_metrics_text(ngx_media_metrics_t *m, const char *text)
{
    ngx_media_json_raw(&m->out, text, ngx_strlen(text));
}


static ngx_int_t
ngx_media_metrics_send(ngx_media_metrics_t *m)
{
    ngx_int_t            rc;
    ngx_chain_t         *out;
    ngx_http_request_t  *r;

    static const ngx_str_t  no_store = ngx_string("no-store");

    r = m->request;

    out = ngx_media_json_finish(&m->out);
    if (out == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "media metrics: answer of %uz bytes could not be made",
                      m->out.size);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    m->out.buf->last_buf = (r == r->main) ? 1 : 0;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = m->out.size;

    ngx_str_set(&r->headers_out.content_type,
                "text/plain; version=0.0.4; charset=utf-8");
    r->headers_out.content_type_len = sizeof("text/plain") - 1;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_media_http_header(r, "Cache-Control", &no_store) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}
