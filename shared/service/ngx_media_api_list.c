
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: parts of the API that list what lies in the arena: vhosts, streams,
 * clients.
 *
 * Nothing is held while a list is made: of a source its names are copied
 * under the arena's lock, one source at a time, and its counters are aligned
 * words that may be read at any moment; a client is a snapshot of the core's.
 * So two entries of a list may be some microseconds apart.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"


#define NGX_MEDIA_API_COUNT       10
#define NGX_MEDIA_API_COUNT_MAX   10000

#define ngx_media_api_get(p)      __atomic_load_n(p, __ATOMIC_RELAXED)


typedef struct {
    ngx_uint_t           start;
    ngx_uint_t           count;
} ngx_media_api_page_t;


/* what is constant of a source as long as its generation is the same */

typedef struct {
    ngx_media_source_t  *source;
    uint32_t             index;
    uint32_t             pub_client;
    uint32_t             pub_generation;
    ngx_uint_t           live;
    u_char               id[12];
    ngx_str_t            vhost;
    ngx_str_t            app;
    ngx_str_t            stream;
    ngx_str_t            tcurl;
    u_char               text[4 * NGX_MEDIA_NAME_LEN];
} ngx_media_api_source_t;


typedef struct {
    ngx_str_t            name;
    u_char               id[12];
    uint64_t             clients;
    uint64_t             streams;
    uint64_t             send_bytes;
    uint64_t             recv_bytes;
    uint64_t             send_kbps;
    uint64_t             recv_kbps;
} ngx_media_api_vhost_t;


static ngx_media_api_page_t ngx_media_api_page(ngx_http_request_t *r);
static ngx_int_t ngx_media_api_arg_int(ngx_http_request_t *r,
    const char *name, ngx_int_t value);
static ngx_int_t ngx_media_api_source(uint32_t idx,
    ngx_media_api_source_t *s);
static u_char *ngx_media_api_name(ngx_str_t *name, u_char *p,
    const u_char *text, size_t len);
static uint32_t *ngx_media_api_count_clients(ngx_pool_t *pool);
static void ngx_media_api_vhost_id(u_char *id, ngx_str_t *name);
static ngx_uint_t ngx_media_api_is_default(ngx_str_t *vhost);
static void ngx_media_api_kbps(ngx_media_json_t *j, uint64_t recv,
    uint64_t send);
static void ngx_media_api_url(ngx_media_json_t *j, ngx_str_t *vhost,
    ngx_str_t *app, ngx_str_t *stream);
static void ngx_media_api_tcurl(ngx_media_json_t *j, ngx_str_t *url);

static ngx_array_t *ngx_media_api_vhost_list(ngx_pool_t *pool);
static ngx_media_api_vhost_t *ngx_media_api_vhost_add(ngx_array_t *list,
    ngx_str_t *name);
static ngx_int_t ngx_media_api_vhost_count(ngx_array_t *list,
    ngx_media_api_source_t *s, uint32_t clients);
static void ngx_media_api_vhost_write(ngx_media_json_t *j,
    ngx_media_api_vhost_t *v);

static ngx_int_t ngx_media_api_stream_one(ngx_media_api_t *api,
    ngx_media_api_source_t *s, uint32_t *clients);
static void ngx_media_api_stream_write(ngx_media_json_t *j,
    ngx_media_api_source_t *s, uint32_t clients);
static void ngx_media_api_stream_publish(ngx_media_json_t *j,
    ngx_media_api_source_t *s);
static void ngx_media_api_stream_video(ngx_media_json_t *j,
    ngx_media_api_source_t *s);
static void ngx_media_api_stream_audio(ngx_media_json_t *j,
    ngx_media_api_source_t *s);
static ngx_uint_t ngx_media_api_track(ngx_media_api_source_t *s,
    uint32_t tracks, ngx_media_codec_info_t *info);
static void ngx_media_api_stream_memory(ngx_media_json_t *j,
    ngx_media_source_t *src);

static ngx_uint_t ngx_media_api_client_shown(ngx_media_client_t *client);
static ngx_int_t ngx_media_api_client_one(ngx_media_api_t *api);
static void ngx_media_api_client_write(ngx_media_json_t *j,
    ngx_media_client_t *client);
static void ngx_media_api_client_source(ngx_media_json_t *j,
    ngx_media_client_t *client);


static ngx_media_api_page_t
ngx_media_api_page(ngx_http_request_t *r)
{
    ngx_int_t             n;
    ngx_media_api_page_t  page;

    n = ngx_media_api_arg_int(r, "start", 0);
    page.start = ngx_max(n, 0);

    n = ngx_media_api_arg_int(r, "count", NGX_MEDIA_API_COUNT);
    n = ngx_max(n, 1);
    page.count = ngx_min(n, NGX_MEDIA_API_COUNT_MAX);

    return page;
}


/* a number of the query, negative ones become -1; value where it is none */

static ngx_int_t
ngx_media_api_arg_int(ngx_http_request_t *r, const char *name,
    ngx_int_t value)
{
    ngx_int_t   n;
    ngx_str_t   arg;
    ngx_uint_t  minus;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &arg) != NGX_OK) {
        return value;
    }

    minus = (arg.len && arg.data[0] == '-');

    n = ngx_atoi(arg.data + minus, arg.len - minus);

    if (n == NGX_ERROR) {
        return value;
    }

    return minus ? -1 : n;
}


/* NGX_DECLINED: no source there */

static ngx_int_t
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


/* clients by source: an array of nsources */

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

        if (ngx_media_api_get(&client->used) && idx < arena->nsources) {
            clients[idx]++;
        }
    }

    return clients;
}


/* "vid-" and 7 digits of base 36: the same in all workers and for ever */

static void
ngx_media_api_vhost_id(u_char *id, ngx_str_t *name)
{
    size_t    i;
    uint64_t  hash;

    static const char  digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

    /* FNV-1a */

    hash = 0xcbf29ce484222325ULL;

    for (i = 0; i < name->len; i++) {
        hash = (hash ^ name->data[i]) * 0x100000001b3ULL;
    }

    hash ^= hash >> 29;

    ngx_memcpy(id, "vid-", 4);

    for (i = 4; i < 11; i++) {
        id[i] = digits[hash % 36];
        hash /= 36;
    }

    id[11] = '\0';
}


static ngx_uint_t
ngx_media_api_is_default(ngx_str_t *vhost)
{
    static const ngx_str_t  name = ngx_string(NGX_MEDIA_DEFAULT_VHOST);

    return vhost->len == 0
           || (vhost->len == name.len
               && ngx_strncmp(vhost->data, name.data, name.len) == 0);
}


static void
ngx_media_api_kbps(ngx_media_json_t *j, uint64_t recv, uint64_t send)
{
    ngx_media_json_key_object(j, "kbps");
    ngx_media_json_key_int(j, "recv_30s", recv);
    ngx_media_json_key_int(j, "send_30s", send);
    ngx_media_json_object_end(j);
}


/* /APP/STREAM, behind the vhost unless it is the default one */

static void
ngx_media_api_url(ngx_media_json_t *j, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream)
{
    u_char  text[3 * NGX_MEDIA_NAME_LEN + 2], *p, *last;

    static ngx_str_t  none = ngx_string("");

    if (ngx_media_api_is_default(vhost)) {
        vhost = &none;
    }

    last = text + sizeof(text);
    p = ngx_slprintf(text, last, "%V/%V/%V", vhost, app, stream);

    ngx_media_json_key(j, "url");
    ngx_media_json_str(j, text, p - text);
}


/* without user, password and query: everybody may read this */

static void
ngx_media_api_tcurl(ngx_media_json_t *j, ngx_str_t *url)
{
    u_char     text[NGX_MEDIA_TEXT_LEN], *p, *at, *end, *host;
    ngx_str_t  scheme;

    end = url->data + url->len;

    p = ngx_strlchr(url->data, end, '?');
    end = p ? p : end;

    ngx_media_json_key(j, "tcUrl");

    host = ngx_strlcasestrn(url->data, end, (u_char *) "://", 3 - 1);

    if (host == NULL) {
        ngx_media_json_str(j, url->data, end - url->data);
        return;
    }

    host += 3;

    scheme.data = url->data;
    scheme.len = host - url->data;

    for (at = NULL, p = host; p < end && *p != '/'; p++) {
        at = (*p == '@') ? p : at;
    }

    host = at ? at + 1 : host;

    p = ngx_slprintf(text, text + sizeof(text), "%V%*s", &scheme,
                     (size_t) (end - host), host);

    ngx_media_json_str(j, text, p - text);
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

    ngx_media_json_key_object(j, "hls");
    ngx_media_json_key_bool(j, "enabled", 0);
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
        return ngx_media_api_stream_one(api, &s, clients);
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


static ngx_int_t
ngx_media_api_stream_one(ngx_media_api_t *api, ngx_media_api_source_t *s,
    uint32_t *clients)
{
    uint32_t  i, n;

    n = ngx_media_api_get(&ngx_media_arena()->fresh_source);

    for (i = 0; i < n; i++) {

        if (ngx_media_api_source(i, s) != NGX_OK
            || api->id.len != ngx_strlen(s->id)
            || ngx_strncmp(api->id.data, s->id, api->id.len) != 0)
        {
            continue;
        }

        ngx_media_json_key_object(&api->json, "stream");
        ngx_media_api_stream_write(&api->json, s, clients[i]);
        ngx_media_json_object_end(&api->json);

        return NGX_OK;
    }

    api->code = NGX_MEDIA_API_NO_STREAM;

    return NGX_DECLINED;
}


static void
ngx_media_api_stream_write(ngx_media_json_t *j, ngx_media_api_source_t *s,
    uint32_t clients)
{
    u_char               vhost[12];
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


/* chunks of the arena: payload, descriptors, codec configurations */

static void
ngx_media_api_stream_memory(ngx_media_json_t *j, ngx_media_source_t *src)
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

    ngx_media_json_key_object(j, "memory");
    ngx_media_json_key_int(j, "bytes", chunks * NGX_MEDIA_CHUNK_SIZE);
    ngx_media_json_key_int(j, "chunks", chunks);
    ngx_media_json_object_end(j);
}


ngx_int_t
ngx_media_api_clients(ngx_media_api_t *api)
{
    uint32_t              i, n;
    ngx_uint_t            total;
    ngx_media_json_t     *j;
    ngx_media_client_t    client;
    ngx_media_api_page_t  page;

    if (api->id.len) {
        return ngx_media_api_client_one(api);
    }

    j = &api->json;
    page = ngx_media_api_page(api->request);
    n = ngx_media_api_get(&ngx_media_arena()->fresh_client);
    total = 0;

    ngx_media_json_key_array(j, "clients");

    for (i = 0; i < n; i++) {

        if (!ngx_media_api_client_shown(ngx_media_client_at(i))) {
            continue;
        }

        if (total >= page.start && total - page.start < page.count) {

            if (ngx_media_client_snapshot(i, &client) != NGX_OK) {
                continue;
            }

            ngx_media_json_object(j);
            ngx_media_api_client_write(j, &client);
            ngx_media_json_object_end(j);
        }

        total++;
    }

    ngx_media_json_array_end(j);
    ngx_media_json_key_int(j, "total", total);

    return NGX_OK;
}


/* those that publish, play or are about to, not those still shaking hands */

static ngx_uint_t
ngx_media_api_client_shown(ngx_media_client_t *client)
{
    return ngx_media_api_get(&client->used)
           && (ngx_media_api_get(&client->source) != NGX_MEDIA_NONE
               || ngx_media_api_get(&client->type)
                  != NGX_MEDIA_CLIENT_UNKNOWN);
}


static ngx_int_t
ngx_media_api_client_one(ngx_media_api_t *api)
{
    uint32_t             i, n;
    ngx_str_t            id;
    ngx_media_client_t  *entry, client;

    n = ngx_media_api_get(&ngx_media_arena()->fresh_client);

    for (i = 0; i < n; i++) {

        entry = ngx_media_client_at(i);

        if (!ngx_media_api_get(&entry->used)
            || ngx_media_client_snapshot(i, &client) != NGX_OK)
        {
            continue;
        }

        id = ngx_media_client_text(&client, NGX_MEDIA_TEXT_ID);

        if (id.len == api->id.len
            && ngx_strncmp(id.data, api->id.data, id.len) == 0)
        {
            ngx_media_json_key_object(&api->json, "client");
            ngx_media_api_client_write(&api->json, &client);
            ngx_media_json_object_end(&api->json);

            return NGX_OK;
        }
    }

    api->code = NGX_MEDIA_API_NO_CLIENT;

    return NGX_DECLINED;
}


static void
ngx_media_api_client_write(ngx_media_json_t *j, ngx_media_client_t *client)
{
    u_char     vhost[12];
    double     alive;
    ngx_str_t  text, name, app, stream;

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_ID);
    ngx_media_json_key_str(j, "id", &text);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_VHOST);

    if (text.len == 0) {
        ngx_str_set(&text, NGX_MEDIA_DEFAULT_VHOST);
    }

    name = text;

    ngx_media_api_vhost_id(vhost, &name);
    ngx_media_json_key_text(j, "vhost", (char *) vhost);

    ngx_media_api_client_source(j, client);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_IP);
    ngx_media_json_key_str(j, "ip", &text);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_PAGEURL);
    ngx_media_json_key_str(j, "pageUrl", &text);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_SWFURL);
    ngx_media_json_key_str(j, "swfUrl", &text);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_TCURL);
    ngx_media_api_tcurl(j, &text);

    app = ngx_media_client_text(client, NGX_MEDIA_TEXT_APP);
    stream = ngx_media_client_text(client, NGX_MEDIA_TEXT_STREAM);
    ngx_media_api_url(j, &name, &app, &stream);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_NAME);
    ngx_media_json_key_str(j, "name", text.len ? &text : &stream);

    alive = (double) (ngx_media_epoch_ms() - client->created) / 1000;

    ngx_media_json_key_text(j, "type",
                            ngx_media_client_type_name(client->type));
    ngx_media_json_key_bool(j, "publish", client->publish);
    ngx_media_json_key_double(j, "alive", ngx_max(alive, 0.0), 2);
    ngx_media_json_key_int(j, "send_bytes", client->send_bytes);
    ngx_media_json_key_int(j, "recv_bytes", client->recv_bytes);
    ngx_media_api_kbps(j, client->recv.kbps, client->send.kbps);

    ngx_media_json_key_int(j, "worker", client->pid);
    ngx_media_json_key_int(j, "lag_ms", client->lag);
    ngx_media_json_key_int(j, "dropped", client->dropped);
}


static void
ngx_media_api_client_source(ngx_media_json_t *j, ngx_media_client_t *client)
{
    size_t               len;
    ngx_media_source_t  *src;

    ngx_media_json_key(j, "stream");

    if (client->source >= ngx_media_arena()->nsources) {
        ngx_media_json_str(j, NULL, 0);
        return;
    }

    src = ngx_media_source_at(client->source);

    for (len = 0; len < sizeof(src->id) && src->id[len]; len++) { /* void */ }

    ngx_media_json_str(j, src->id, len);
}


ngx_int_t
ngx_media_api_kick(ngx_media_api_t *api)
{
    if (ngx_media_client_kick(&api->id) != NGX_OK) {
        api->code = NGX_MEDIA_API_NO_CLIENT;
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_NOTICE, api->request->connection->log, 0,
                  "client %V is closed by the API", &api->id);

    return NGX_OK;
}
