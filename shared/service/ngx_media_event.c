
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: events.  What the core tells of clients in their workers becomes a JSON
 * document, goes into the ring of the arena under its lock, so that listeners
 * of any worker read it, and to the sinks of this worker.
 *
 * An event names the client, its address and its stream, and never the
 * arguments: tokens are in them.  The health of a stream is a state and no
 * event: it is not in the ring, who wants it makes it.
 */


#include "ngx_media_event_hub.h"
#include "ngx_media_bytes.h"
#include "ngx_media_record.h"


typedef struct {
    ngx_media_event_sink_pt   handler;
    ngx_uint_t                health;
} ngx_media_event_out_t;


static void ngx_media_event_told(const ngx_media_told_t *told);
static ngx_uint_t ngx_media_event_kind(const ngx_media_told_t *told);
static void ngx_media_event_write(ngx_media_json_t *j,
    const ngx_media_told_t *told, ngx_media_event_t *event);
static void ngx_media_event_begin(ngx_media_json_t *j,
    ngx_media_event_t *event);
static void ngx_media_event_give(ngx_media_event_t *event);
static void ngx_media_event_record(ngx_media_event_t *event);
static void ngx_media_event_tick(ngx_media_source_t *src);
static void ngx_media_event_exit(void);


static const ngx_media_service_t  ngx_media_event_service = {
    .tick = ngx_media_event_tick,
    .exit = ngx_media_event_exit,
    .told = ngx_media_event_told
};


static ngx_str_t  ngx_media_event_names[] = {
    ngx_string("connect"),
    ngx_string("close"),
    ngx_string("publish"),
    ngx_string("unpublish"),
    ngx_string("play"),
    ngx_string("stop"),
    ngx_string("health"),
    ngx_string("record"),
    ngx_string("recorded")
};


static ngx_media_event_out_t  ngx_media_event_sinks[NGX_MEDIA_EVENT_SINKS];
static ngx_uint_t             ngx_media_event_nsinks;
static ngx_uint_t             ngx_media_event_ring_on;


ngx_int_t
ngx_media_event_init(ngx_uint_t ring)
{
    ngx_media_event_ring_on = ring;

    return ngx_media_service_add(&ngx_media_event_service);
}


ngx_int_t
ngx_media_event_sink(ngx_media_event_sink_pt sink, ngx_uint_t health)
{
    if (ngx_media_event_nsinks == NGX_MEDIA_EVENT_SINKS) {
        return NGX_ERROR;
    }

    ngx_media_event_sinks[ngx_media_event_nsinks].handler = sink;
    ngx_media_event_sinks[ngx_media_event_nsinks].health = health;
    ngx_media_event_nsinks++;

    return NGX_OK;
}


void
ngx_media_event_taken(uint64_t delivered, uint64_t lost)
{
    ngx_media_event_count(NGX_MEDIA_EVENT_TAKEN, delivered);
    ngx_media_event_count(NGX_MEDIA_EVENT_UNTAKEN, lost);
}


static void
ngx_media_event_exit(void)
{
    ngx_media_event_nsinks = 0;
}


ngx_str_t *
ngx_media_event_name(ngx_uint_t kind)
{
    return &ngx_media_event_names[ngx_min(kind, NGX_MEDIA_KIND_MAX - 1)];
}


/* --- clients ------------------------------------------------------------ */

static void
ngx_media_event_told(const ngx_media_told_t *told)
{
    ngx_pool_t         *pool;
    ngx_media_json_t    json;
    ngx_media_event_t   event;

    if (!ngx_media_event_ring_on && ngx_media_event_nsinks == 0) {
        return;
    }

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    event.kind = ngx_media_event_kind(told);
    event.vhost = told->text[NGX_MEDIA_TEXT_VHOST];
    event.app = told->text[NGX_MEDIA_TEXT_APP];
    event.stream = told->text[NGX_MEDIA_TEXT_STREAM];

    if (told->act == NGX_MEDIA_ACT_CONNECT) {
        event.stream.len = 0;
    }

    ngx_media_json_init(&json, pool);
    ngx_media_event_write(&json, told, &event);

    if (ngx_media_json_text(&json, &event.json) == NGX_OK) {
        ngx_media_event_give(&event);
    }

    ngx_destroy_pool(pool);
}


static void
ngx_media_event_give(ngx_media_event_t *event)
{
    ngx_uint_t  i;

    ngx_media_event_count(NGX_MEDIA_EVENT_MADE, 1);

    if (ngx_media_event_ring_on) {
        ngx_media_event_record(event);
    }

    for (i = 0; i < ngx_media_event_nsinks; i++) {
        ngx_media_event_sinks[i].handler(event);
    }
}


static ngx_uint_t
ngx_media_event_kind(const ngx_media_told_t *told)
{
    switch (told->act) {

    case NGX_MEDIA_ACT_CONNECT:
        return told->over ? NGX_MEDIA_KIND_CLOSE : NGX_MEDIA_KIND_CONNECT;

    case NGX_MEDIA_ACT_PUBLISH:
        return told->over ? NGX_MEDIA_KIND_UNPUBLISH
                          : NGX_MEDIA_KIND_PUBLISH;

    default:
        return told->over ? NGX_MEDIA_KIND_STOP : NGX_MEDIA_KIND_PLAY;
    }
}


static void
ngx_media_event_write(ngx_media_json_t *j, const ngx_media_told_t *told,
    ngx_media_event_t *event)
{
    ngx_media_event_begin(j, event);

    ngx_media_json_key_str(j, "client_id", &told->text[NGX_MEDIA_TEXT_ID]);
    ngx_media_json_key_str(j, "ip", &told->text[NGX_MEDIA_TEXT_IP]);
    ngx_media_json_key_str(j, "protocol",
                           &told->text[NGX_MEDIA_TEXT_PROTOCOL]);
    ngx_media_json_key_text(j, "type", ngx_media_client_type_name(told->type));

    if (told->over) {
        ngx_media_json_key_text(j, "reason", told->dead ? "died"
                                    : ngx_media_reason_name(told->reason));
        ngx_media_json_key_int(j, "duration_ms", (int64_t) told->duration);
        ngx_media_json_key_int(j, "send_bytes", (int64_t) told->sent);
        ngx_media_json_key_int(j, "recv_bytes", (int64_t) told->received);
    }

    ngx_media_json_object_end(j);
}


/* what all of them begin with */

static void
ngx_media_event_begin(ngx_media_json_t *j, ngx_media_event_t *event)
{
    ngx_media_arena_t  *arena;

    arena = ngx_media_arena();

    ngx_media_json_object(j);
    ngx_media_json_key_str(j, "event", ngx_media_event_name(event->kind));
    ngx_media_json_key_int(j, "time", ngx_media_epoch_ms());
    ngx_media_json_key_text(j, "server_id", (char *) arena->server_id);
    ngx_media_json_key_text(j, "service_id", (char *) arena->service_id);
    ngx_media_json_key_int(j, "worker", ngx_pid);
    ngx_media_json_key_str(j, "vhost", &event->vhost);
    ngx_media_json_key_str(j, "app", &event->app);

    if (event->stream.len) {
        ngx_media_json_key_str(j, "stream", &event->stream);
    }
}


/* --- recordings --------------------------------------------------------- */

void
ngx_media_event_recording(ngx_uint_t kind, const ngx_media_recording_t *rec)
{
    ngx_str_t           id;
    ngx_pool_t         *pool;
    ngx_media_json_t    json;
    ngx_media_event_t   event;

    if (!ngx_media_event_ring_on && ngx_media_event_nsinks == 0) {
        return;
    }

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    event.kind = kind;
    event.vhost = rec->vhost;
    event.app = rec->app;
    event.stream = rec->stream;

    id.data = (u_char *) rec->id;
    id.len = NGX_MEDIA_RECORD_ID - 1;

    ngx_media_json_init(&json, pool);
    ngx_media_event_begin(&json, &event);

    ngx_media_json_key_str(&json, "id", &id);
    ngx_media_json_key_str(&json, "file", (ngx_str_t *) &rec->file);
    ngx_media_json_key_text(&json, "format",
                            ngx_media_file_ending(rec->kind) + 1);
    ngx_media_json_key_int(&json, "begin", rec->begin);
    ngx_media_json_key_int(&json, "end", rec->end);
    ngx_media_json_key_int(&json, "duration", (int64_t) rec->duration);
    ngx_media_json_key_int(&json, "bytes", (int64_t) rec->bytes);
    ngx_media_json_key_text(&json, "state",
                            rec->state == NGX_MEDIA_RECORD_OPEN ? "recording"
                                                                : "complete");
    ngx_media_json_object_end(&json);

    if (ngx_media_json_text(&json, &event.json) == NGX_OK) {
        ngx_media_event_give(&event);
    }

    ngx_destroy_pool(pool);
}


/* --- the ring ----------------------------------------------------------- */

static void
ngx_media_event_record(ngx_media_event_t *event)
{
    u_char                    *p;
    size_t                     size;
    u_char                     buf[NGX_MEDIA_EVENT_RECORD_MAX];
    ngx_media_event_record_t   record;

    size = sizeof(ngx_media_event_record_t) + event->vhost.len
           + event->app.len + event->stream.len + event->json.len;

    if (size > sizeof(buf)) {
        return;
    }

    record.kind = (uint16_t) event->kind;
    record.vhost_len = (uint16_t) event->vhost.len;
    record.app_len = (uint16_t) event->app.len;
    record.stream_len = (uint16_t) event->stream.len;

    p = ngx_cpymem(buf, &record, sizeof(ngx_media_event_record_t));
    p = ngx_media_put(p, event->vhost.data, event->vhost.len);
    p = ngx_media_put(p, event->app.data, event->app.len);
    p = ngx_media_put(p, event->stream.data, event->stream.len);
    (void) ngx_cpymem(p, event->json.data, event->json.len);

    ngx_media_lock();

    (void) ngx_media_event_ring_put(ngx_media_event_ring(), buf, size);

    ngx_media_unlock();

    ngx_media_slot_signal();
}


ngx_int_t
ngx_media_event_parse(ngx_media_event_t *event, u_char *p, size_t n)
{
    size_t                    names;
    ngx_media_event_record_t  record;

    if (n < sizeof(ngx_media_event_record_t)) {
        return NGX_ERROR;
    }

    ngx_memcpy(&record, p, sizeof(ngx_media_event_record_t));

    p += sizeof(ngx_media_event_record_t);
    n -= sizeof(ngx_media_event_record_t);

    names = (size_t) record.vhost_len + record.app_len + record.stream_len;

    if (n < names || record.kind >= NGX_MEDIA_KIND_MAX) {
        return NGX_ERROR;
    }

    event->kind = record.kind;

    event->vhost.data = p;
    event->vhost.len = record.vhost_len;
    p += record.vhost_len;

    event->app.data = p;
    event->app.len = record.app_len;
    p += record.app_len;

    event->stream.data = p;
    event->stream.len = record.stream_len;
    p += record.stream_len;

    event->json.data = p;
    event->json.len = n - names;

    return NGX_OK;
}


/* --- health ------------------------------------------------------------- */

ngx_int_t
ngx_media_event_health(ngx_media_event_t *event, uint32_t index,
    ngx_pool_t *pool)
{
    ngx_media_json_t         json;
    ngx_media_source_t      *src;
    ngx_media_api_source_t  *s;

    s = ngx_palloc(pool, sizeof(ngx_media_api_source_t));
    if (s == NULL) {
        return NGX_ERROR;
    }

    if (ngx_media_api_source(index, s) != NGX_OK || !s->live) {
        return NGX_DECLINED;
    }

    src = s->source;

    event->kind = NGX_MEDIA_KIND_HEALTH;
    event->vhost = s->vhost;
    event->app = s->app;
    event->stream = s->stream;

    ngx_media_json_init(&json, pool);
    ngx_media_event_begin(&json, event);

    ngx_media_json_key_text(&json, "stream_id", (char *) s->id);
    ngx_media_json_key_int(&json, "send_bytes",
                           ngx_media_api_get(&src->send_bytes));
    ngx_media_json_key_int(&json, "recv_bytes",
                           ngx_media_api_get(&src->recv_bytes));
    ngx_media_api_kbps(&json, ngx_media_api_get(&src->recv.kbps),
                       ngx_media_api_get(&src->send.kbps));
    ngx_media_api_health(&json, s);

    ngx_media_json_object_end(&json);

    return ngx_media_json_text(&json, &event->json);
}


/* for sinks: each stream in the worker of its publisher, and not all at once */

static void
ngx_media_event_tick(ngx_media_source_t *src)
{
    uint32_t            index;
    ngx_uint_t          i, wanted;
    ngx_pool_t         *pool;
    ngx_media_event_t   event;

    wanted = 0;

    for (i = 0; i < ngx_media_event_nsinks; i++) {
        wanted |= ngx_media_event_sinks[i].health;
    }

    if (!wanted) {
        return;
    }

    index = ngx_media_source_index(src);

    if ((ngx_media_msec() / 1000 + index) % NGX_MEDIA_EVENT_HEALTH != 0) {
        return;
    }

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    if (ngx_media_event_health(&event, index, pool) == NGX_OK) {

        for (i = 0; i < ngx_media_event_nsinks; i++) {
            if (ngx_media_event_sinks[i].health) {
                ngx_media_event_sinks[i].handler(&event);
            }
        }
    }

    ngx_destroy_pool(pool);
}
