
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: parts of the API that tell about sources: streams, vhosts.
 *
 * Nothing is held while a list is made: of a source its names are copied
 * under the arena's lock, one source at a time, and its counters are aligned
 * words that may be read at any moment.  So two entries of a list may be some
 * microseconds apart.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"
#include "ngx_media_hls.h"


typedef struct {
    ngx_str_t            name;
    u_char               id[NGX_MEDIA_API_ID_LEN];
    uint64_t             clients;
    uint64_t             streams;
    uint64_t             send_bytes;
    uint64_t             recv_bytes;
    uint64_t             send_kbps;
    uint64_t             recv_kbps;
} ngx_media_api_vhost_t;


static u_char *ngx_media_api_name(ngx_str_t *name, u_char *p,
    const u_char *text, size_t len);
static uint32_t *ngx_media_api_count_clients(ngx_pool_t *pool);
static ngx_array_t *ngx_media_api_vhost_list(ngx_pool_t *pool);
static ngx_media_api_vhost_t *ngx_media_api_vhost_add(ngx_array_t *list,
    ngx_str_t *name);
static ngx_int_t ngx_media_api_vhost_count(ngx_array_t *list,
    ngx_media_api_source_t *s, uint32_t clients);
static void ngx_media_api_vhost_write(ngx_media_json_t *j,
    ngx_media_api_vhost_t *v);
static void ngx_media_api_vhost_hls(ngx_media_json_t *j,
    ngx_media_api_vhost_t *v);
static void ngx_media_api_stream_write(ngx_media_json_t *j,
    ngx_media_api_source_t *s, uint32_t clients);
static void ngx_media_api_stream_publish(ngx_media_json_t *j,
    ngx_media_api_source_t *s);
static ngx_uint_t ngx_media_api_track(ngx_media_api_source_t *s,
    uint32_t tracks, ngx_media_codec_info_t *info);
static void ngx_media_api_stream_video(ngx_media_json_t *j,
    ngx_media_api_source_t *s);
static void ngx_media_api_stream_audio(ngx_media_json_t *j,
    ngx_media_api_source_t *s);
static void ngx_media_api_stream_memory(ngx_media_json_t *j,
    ngx_media_source_t *src);
static void ngx_media_api_stream_hls(ngx_media_json_t *j,
    ngx_media_api_source_t *s);


ngx_int_t
ngx_media_api_source(uint32_t idx, ngx_media_api_source_t *s)
{
    u_char              *p;
    ngx_media_source_t  *src;

    src = ngx_media_source_at(idx);

    if (!ngx_media_api_get(&src->used)) {
        return NGX_DECLINED;
    }

    s->source = src;
    s->index = idx;

    ngx_media_lock();

    if (!src->used) {
        ngx_media_unlock();
        return NGX_DECLINED;
    }

    s->generation = src->generation;
    s->live = src->epoch & 1;
    s->pub_client = src->pub_client;
    s->pub_generation = src->pub_generation;

    ngx_memcpy(s->id, src->id, sizeof(s->id));
    s->id[sizeof(s->id) - 1] = '\0';

    p = ngx_media_api_name(&s->vhost, s->text, src->vhost, src->vhost_len);
    p = ngx_media_api_name(&s->app, p, src->app, src->app_len);
    p = ngx_media_api_name(&s->stream, p, src->stream, src->stream_len);
    (void) ngx_media_api_name(&s->tcurl, p, src->tcurl, src->tcurl_len);

    ngx_media_unlock();

    return NGX_OK;
}


static u_char *
ngx_media_api_name(ngx_str_t *name, u_char *p, const u_char *text, size_t len)
{
    name->data = p;
    name->len = ngx_min(len, NGX_MEDIA_NAME_LEN);

    return ngx_cpymem(p, text, name->len);
}


/* clients by source, but those that this server dialled: array of nsources */

static uint32_t *
ngx_media_api_count_clients(ngx_pool_t *pool)
{
    uint32_t             i, n, idx, *clients;
    ngx_media_arena_t   *arena;
    ngx_media_client_t  *client;

    arena = ngx_media_arena();

    clients = ngx_pcalloc(pool, arena->nsources * sizeof(uint32_t));
    if (clients == NULL) {
        return NULL;
    }

    n = ngx_media_api_get(&arena->fresh_client);

    for (i = 0; i < n; i++) {
        client = ngx_media_client_at(i);
        idx = ngx_media_api_get(&client->source);

        if (ngx_media_api_get(&client->used) && idx < arena->nsources
            && !ngx_media_api_get(&client->relay))
        {
            clients[idx]++;
        }
    }

    return clients;
}


ngx_int_t
ngx_media_api_vhosts(ngx_media_api_t *api)
{
    ngx_uint_t              i;
    ngx_array_t            *list;
    ngx_media_json_t       *j;
    ngx_media_api_vhost_t  *v;

    j = &api->json;

    list = ngx_media_api_vhost_list(api->request->pool);
    if (list == NULL) {
        return NGX_ERROR;
    }

    v = list->elts;

    if (api->id.len == 0) {
        ngx_media_json_key_array(j, "vhosts");

        for (i = 0; i < list->nelts; i++) {
            ngx_media_json_object(j);
            ngx_media_api_vhost_write(j, &v[i]);
            ngx_media_json_object_end(j);
        }

        ngx_media_json_array_end(j);

        return NGX_OK;
    }

    for (i = 0; i < list->nelts; i++) {

        if (api->id.len == ngx_strlen(v[i].id)
            && ngx_strncmp(api->id.data, v[i].id, api->id.len) == 0)
        {
            ngx_media_json_key_object(j, "vhost");
            ngx_media_api_vhost_write(j, &v[i]);
            ngx_media_json_object_end(j);

            return NGX_OK;
        }
    }

    api->code = NGX_MEDIA_API_NO_VHOST;

    return NGX_DECLINED;
}


/* the default vhost, the configured ones, and those that sources have */

static ngx_array_t *
ngx_media_api_vhost_list(ngx_pool_t *pool)
{
    uint32_t                i, n, *clients;
    ngx_str_t               name;
    ngx_uint_t              k;
    ngx_array_t            *list;
    ngx_media_vhost_t      *vhosts;
    ngx_media_api_source_t  s;
    ngx_media_main_conf_t  *mcf;

    list = ngx_array_create(pool, 4, sizeof(ngx_media_api_vhost_t));
    clients = ngx_media_api_count_clients(pool);

    if (list == NULL || clients == NULL) {
        return NULL;
    }

    ngx_str_set(&name, NGX_MEDIA_DEFAULT_VHOST);

    if (ngx_media_api_vhost_add(list, &name) == NULL) {
        return NULL;
    }

    mcf = ngx_media_get_main_conf();
    vhosts = mcf ? mcf->vhosts.elts : NULL;

    for (k = 0; vhosts && k < mcf->vhosts.nelts; k++) {
        if (ngx_media_api_vhost_add(list, &vhosts[k].name) == NULL) {
            return NULL;
        }
    }

    n = ngx_media_api_get(&ngx_media_arena()->fresh_source);

    for (i = 0; i < n; i++) {

        if (ngx_media_api_source(i, &s) == NGX_OK
            && ngx_media_api_vhost_count(list, &s, clients[i]) != NGX_OK)
        {
            return NULL;
        }
    }

    return list;
}


/* finds or makes an entry; the name is copied */

static ngx_media_api_vhost_t *
ngx_media_api_vhost_add(ngx_array_t *list, ngx_str_t *name)
{
    ngx_uint_t              i;
    ngx_media_api_vhost_t  *v;

    v = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (v[i].name.len == name->len
            && ngx_strncmp(v[i].name.data, name->data, name->len) == 0)
        {
            return &v[i];
        }
    }

    v = ngx_array_push(list);
    if (v == NULL) {
        return NULL;
    }

    ngx_memzero(v, sizeof(ngx_media_api_vhost_t));

    v->name.data = ngx_pstrdup(list->pool, name);
    if (v->name.data == NULL) {
        return NULL;
    }

    v->name.len = name->len;
    ngx_media_api_vhost_id(v->id, name);

    return v;
}


static ngx_int_t
ngx_media_api_vhost_count(ngx_array_t *list, ngx_media_api_source_t *s,
    uint32_t clients)
{
    ngx_media_source_t     *src;
    ngx_media_api_vhost_t  *v;

    v = ngx_media_api_vhost_add(list, &s->vhost);
    if (v == NULL) {
        return NGX_ERROR;
    }

    src = s->source;

    v->clients += clients;
    v->send_bytes += ngx_media_api_get(&src->send_bytes);
    v->recv_bytes += ngx_media_api_get(&src->recv_bytes);

    if (s->live) {
        v->streams++;
        v->send_kbps += ngx_media_api_get(&src->send.kbps);
        v->recv_kbps += ngx_media_api_get(&src->recv.kbps);
    }

    return NGX_OK;
}


static void
ngx_media_api_vhost_write(ngx_media_json_t *j, ngx_media_api_vhost_t *v)
{
    ngx_media_json_key_text(j, "id", (char *) v->id);
    ngx_media_json_key_str(j, "name", &v->name);
    ngx_media_json_key_bool(j, "enabled", 1);
    ngx_media_json_key_int(j, "clients", v->clients);
    ngx_media_json_key_int(j, "streams", v->streams);
    ngx_media_json_key_int(j, "send_bytes", v->send_bytes);
    ngx_media_json_key_int(j, "recv_bytes", v->recv_bytes);
    ngx_media_api_kbps(j, v->recv_kbps, v->send_kbps);

    ngx_media_api_vhost_hls(j, v);
}


/* policy of the vhost; nobody serves where the module is not loaded */

static void
ngx_media_api_vhost_hls(ngx_media_json_t *j, ngx_media_api_vhost_t *v)
{
    ngx_str_t              app;
    ngx_uint_t             i, enabled;
    ngx_media_hls_conf_t  *conf;

    ngx_str_null(&app);

    conf = ngx_media_hls_conf(&v->name, &app);
    enabled = 0;

    for (i = 0; ngx_cycle->modules[i]; i++) {
        if (ngx_strcmp(ngx_cycle->modules[i]->name, "ngx_http_hls_module")
            == 0)
        {
            enabled = (conf->mode != NGX_MEDIA_HLS_OFF);
            break;
        }
    }

    ngx_media_json_key_object(j, "hls");
    ngx_media_json_key_bool(j, "enabled", enabled);

    if (enabled) {
        ngx_media_json_key_double(j, "fragment",
                                  (double) conf->fragment / 1000, 2);
    }

    ngx_media_json_object_end(j);
}


ngx_int_t
ngx_media_api_streams(ngx_media_api_t *api)
{
    uint32_t                i, n, *clients;
    ngx_uint_t              total;
    ngx_media_json_t       *j;
    ngx_media_api_page_t    page;
    ngx_media_api_source_t  s;

    j = &api->json;

    clients = ngx_media_api_count_clients(api->request->pool);
    if (clients == NULL) {
        return NGX_ERROR;
    }

    if (api->id.len) {

        if (ngx_media_api_stream_find(api, &s) != NGX_OK) {
            return NGX_DECLINED;
        }

        ngx_media_json_key_object(j, "stream");
        ngx_media_api_stream_write(j, &s, clients[s.index]);
        ngx_media_api_health(j, &s);
        ngx_media_json_object_end(j);

        return NGX_OK;
    }

    page = ngx_media_api_page(api->request);
    n = ngx_media_api_get(&ngx_media_arena()->fresh_source);
    total = 0;

    ngx_media_json_key_array(j, "streams");

    for (i = 0; i < n; i++) {

        if (ngx_media_api_source(i, &s) != NGX_OK) {
            continue;
        }

        if (total >= page.start && total - page.start < page.count) {
            ngx_media_json_object(j);
            ngx_media_api_stream_write(j, &s, clients[i]);
            ngx_media_json_object_end(j);
        }

        total++;
    }

    ngx_media_json_array_end(j);
    ngx_media_json_key_int(j, "total", total);

    return NGX_OK;
}


/* the source that has this id */

ngx_int_t
ngx_media_api_stream_find(ngx_media_api_t *api, ngx_media_api_source_t *s)
{
    uint32_t  i, n;

    n = ngx_media_api_get(&ngx_media_arena()->fresh_source);

    for (i = 0; i < n; i++) {

        if (ngx_media_api_source(i, s) == NGX_OK
            && api->id.len == ngx_strlen(s->id)
            && ngx_strncmp(api->id.data, s->id, api->id.len) == 0)
        {
            return NGX_OK;
        }
    }

    api->code = NGX_MEDIA_API_NO_STREAM;

    return NGX_DECLINED;
}


/*
 * Its publisher is closed, so that the encoder comes back and is given the
 * policy of the newest configuration.
 */

ngx_int_t
ngx_media_api_republish(ngx_media_api_t *api)
{
    ngx_media_client_t     *client;
    ngx_media_command_t     cmd;
    ngx_media_api_source_t  s;

    if (ngx_media_api_stream_find(api, &s) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (!s.live || s.pub_client >= ngx_media_arena()->nclients) {
        api->code = NGX_MEDIA_API_NO_STREAM;
        return NGX_DECLINED;
    }

    client = ngx_media_client_at(s.pub_client);

    cmd.type = NGX_MEDIA_CMD_CLOSE;
    cmd.a = s.pub_client;
    cmd.b = s.pub_generation;
    cmd.c = NGX_MEDIA_REASON_KICKED;

    if (ngx_media_slot_command(ngx_media_api_get(&client->slot), &cmd)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    ngx_log_error(NGX_LOG_NOTICE, api->request->connection->log, 0,
                  "publisher of %V/%V is closed by the API", &s.app,
                  &s.stream);

    return NGX_OK;
}


static void
ngx_media_api_stream_write(ngx_media_json_t *j, ngx_media_api_source_t *s,
    uint32_t clients)
{
    u_char               vhost[NGX_MEDIA_API_ID_LEN];
    uint64_t             video;
    ngx_media_source_t  *src;

    src = s->source;
    video = ngx_media_api_get(&src->video_frames);

    ngx_media_api_vhost_id(vhost, &s->vhost);

    ngx_media_json_key_text(j, "id", (char *) s->id);
    ngx_media_json_key_str(j, "name", &s->stream);
    ngx_media_json_key_text(j, "vhost", (char *) vhost);
    ngx_media_json_key_str(j, "app", &s->app);
    ngx_media_api_tcurl(j, &s->tcurl);
    ngx_media_api_url(j, &s->vhost, &s->app, &s->stream);
    ngx_media_json_key_int(j, "live_ms", ngx_media_epoch_ms());
    ngx_media_json_key_int(j, "clients", clients);
    ngx_media_json_key_int(j, "frames", video);
    ngx_media_json_key_int(j, "send_bytes",
                           ngx_media_api_get(&src->send_bytes));
    ngx_media_json_key_int(j, "recv_bytes",
                           ngx_media_api_get(&src->recv_bytes));
    ngx_media_api_kbps(j,
                       s->live ? ngx_media_api_get(&src->recv.kbps) : 0,
                       s->live ? ngx_media_api_get(&src->send.kbps) : 0);
    ngx_media_api_stream_publish(j, s);
    ngx_media_api_stream_video(j, s);
    ngx_media_api_stream_audio(j, s);

    ngx_media_json_key_int(j, "audio_frames",
                           ngx_media_api_get(&src->audio_frames));
    ngx_media_json_key_int(j, "video_frames", video);
    ngx_media_json_key_int(j, "dropped", ngx_media_api_get(&src->dropped));
    ngx_media_api_stream_memory(j, src);
    ngx_media_api_stream_hls(j, s);
    ngx_media_api_stream_record(j, s);
}


static void
ngx_media_api_stream_publish(ngx_media_json_t *j, ngx_media_api_source_t *s)
{
    ngx_str_t           id;
    ngx_media_client_t  client;

    ngx_media_json_key_object(j, "publish");
    ngx_media_json_key_bool(j, "active", s->live);

    if (s->live
        && s->pub_client < ngx_media_arena()->nclients
        && ngx_media_client_snapshot(s->pub_client, &client) == NGX_OK
        && client.generation == s->pub_generation)
    {
        id = ngx_media_client_text(&client, NGX_MEDIA_TEXT_ID);
        ngx_media_json_key_str(j, "cid", &id);
        ngx_media_json_key_bool(j, "relay", client.relay);
        ngx_media_api_link(j, &client.link);
    }

    ngx_media_json_object_end(j);
}


/* the first of these tracks that the publisher of now has sent */

static ngx_uint_t
ngx_media_api_track(ngx_media_api_source_t *s, uint32_t tracks,
    ngx_media_codec_info_t *info)
{
    ngx_uint_t          i;
    ngx_media_track_t  *track;

    for (i = 0; s->live && i < NGX_MEDIA_MAX_TRACKS; i++) {

        track = &s->source->track[i];

        if ((tracks & (1u << i)) && ngx_media_api_get(&track->present)) {
            *info = track->info;

            if (info->codec != NGX_MEDIA_CODEC_NONE) {
                return 1;
            }
        }
    }

    return 0;
}


static void
ngx_media_api_stream_video(ngx_media_json_t *j, ngx_media_api_source_t *s)
{
    ngx_media_codec_info_t  info;

    ngx_media_json_key(j, "video");

    if (!ngx_media_api_track(s, NGX_MEDIA_TRACKS_VIDEO, &info)) {
        ngx_media_json_null(j);
        return;
    }

    ngx_media_json_object(j);
    ngx_media_json_key_text(j, "codec", ngx_media_codec_name(info.codec));
    ngx_media_json_key_text(j, "profile",
                            ngx_media_codec_profile_name(&info));
    ngx_media_json_key_text(j, "level", ngx_media_codec_level_name(&info));
    ngx_media_json_key_int(j, "width", info.width);
    ngx_media_json_key_int(j, "height", info.height);
    ngx_media_json_object_end(j);
}


static void
ngx_media_api_stream_audio(ngx_media_json_t *j, ngx_media_api_source_t *s)
{
    ngx_media_codec_info_t  info;

    ngx_media_json_key(j, "audio");

    if (!ngx_media_api_track(s, NGX_MEDIA_TRACKS_AUDIO, &info)) {
        ngx_media_json_null(j);
        return;
    }

    ngx_media_json_object(j);
    ngx_media_json_key_text(j, "codec", ngx_media_codec_name(info.codec));
    ngx_media_json_key_int(j, "sample_rate", info.sample_rate);
    ngx_media_json_key_int(j, "channel", info.channels);
    ngx_media_json_key_text(j, "profile",
                            ngx_media_codec_profile_name(&info));
    ngx_media_json_object_end(j);
}


static void
ngx_media_api_stream_memory(ngx_media_json_t *j, ngx_media_source_t *src)
{
    int64_t  chunks;

    chunks = ngx_media_api_chunks(src);

    ngx_media_json_key_object(j, "memory");
    ngx_media_json_key_int(j, "bytes", chunks * NGX_MEDIA_CHUNK_SIZE);
    ngx_media_json_key_int(j, "chunks", chunks);
    ngx_media_json_object_end(j);
}


/* null where nothing is packed */

static void
ngx_media_api_stream_hls(ngx_media_json_t *j, ngx_media_api_source_t *s)
{
    uint32_t               i, n, viewers;
    ngx_media_client_t    *client;
    ngx_media_hls_stats_t  stats;

    ngx_media_json_key(j, "hls");

    if (ngx_media_hls_stats(s->index, &stats) != NGX_OK
        || ngx_media_api_get(&s->source->generation) != s->generation)
    {
        ngx_media_json_null(j);
        return;
    }

    viewers = 0;
    n = ngx_media_api_get(&ngx_media_arena()->fresh_client);

    for (i = 0; i < n; i++) {
        client = ngx_media_client_at(i);

        if (ngx_media_api_get(&client->used)
            && ngx_media_api_get(&client->source) == s->index
            && ngx_media_api_get(&client->type) == NGX_MEDIA_CLIENT_HLS_PLAY)
        {
            viewers++;
        }
    }

    ngx_media_json_object(j);
    ngx_media_json_key_text(j, "container",
                            stats.container == NGX_MEDIA_HLS_MPEGTS
                            ? "mpegts" : "fmp4");
    ngx_media_json_key_int(j, "renditions", stats.renditions);
    ngx_media_json_key_int(j, "segments", stats.segments);
    ngx_media_json_key_int(j, "parts", stats.parts);
    ngx_media_json_key_int(j, "bytes", stats.bytes);
    ngx_media_json_key_int(j, "target_ms", (int64_t) stats.target * 1000);
    ngx_media_json_key_int(j, "duration_ms", stats.duration / 1000);
    ngx_media_json_key_int(j, "viewers", viewers);
    ngx_media_json_key_int(j, "parked", stats.parked);
    ngx_media_json_key_int(j, "cuts", stats.cuts);
    ngx_media_json_key_int(j, "dropped", stats.dropped);
    ngx_media_json_key_int(j, "disk_written", stats.written);
    ngx_media_json_key_int(j, "disk_failed", stats.failed);
    ngx_media_json_key_int(j, "disk_missing", stats.missing);
    ngx_media_json_key_int(j, "disk_behind", stats.behind);
    ngx_media_json_object_end(j);
}


int64_t
ngx_media_api_chunks(ngx_media_source_t *src)
{
    int64_t     chunks;
    ngx_uint_t  i;

    chunks = ngx_media_api_get(&src->heads.chunk) ? 1 : 0;

    for (i = 0; i < NGX_MEDIA_RING_DATA; i++) {
        chunks += ngx_media_api_get(&src->ring.data[i]) ? 1 : 0;
    }

    for (i = 0; i < NGX_MEDIA_RING_INDEX; i++) {
        chunks += ngx_media_api_get(&src->ring.index[i]) ? 1 : 0;
    }

    return chunks;
}
