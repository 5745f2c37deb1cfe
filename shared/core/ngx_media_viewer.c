
/*
 * Copyright (C) the nginx media suite authors
 *
 * Viewers: players without a connection of their own.  Who plays HLS sends
 * one request after the other, each maybe to another worker; what makes them
 * one is an id in their URLs.
 *
 * A viewer is an entry of the table of clients that no worker owns: it is
 * found by its id in a hash table of the arena, under the lock, by any worker,
 * and outlives the one that made it.  It goes after some time of silence,
 * found by whichever worker sweeps next.  One that was kicked stays, hidden,
 * as long as it goes on asking, so that its id is refused.
 */


#include "ngx_media_core.h"


#define NGX_MEDIA_VIEWER_SWEEP   1000    /* ms */
#define NGX_MEDIA_VIEWER_SPARE   4       /* 1/n is of those who connect */


static uint32_t ngx_media_viewer_bucket(const u_char *id);
static ngx_media_client_t *ngx_media_viewer_find(const u_char *id);
static void ngx_media_viewer_unlink(ngx_media_client_t *client);
static void ngx_media_viewer_out(ngx_media_client_t *client,
    ngx_media_client_t *copy);
static ngx_uint_t ngx_media_viewer_tick(ngx_media_client_t *client,
    int64_t now, ngx_media_client_t *copy);
static ngx_int_t ngx_media_viewer_limits(ngx_media_client_t *client,
    const ngx_media_limits_t *limits);
static ngx_uint_t ngx_media_viewer_is(ngx_media_client_t *client,
    ngx_uint_t which, ngx_str_t *text);


/* FNV-1a */

static uint32_t
ngx_media_viewer_bucket(const u_char *id)
{
    uint32_t    hash;
    ngx_uint_t  i;

    hash = 2166136261u;

    for (i = 0; i < NGX_MEDIA_ID_LEN; i++) {
        hash = (hash ^ id[i]) * 16777619u;
    }

    return hash % NGX_MEDIA_VIEWER_BUCKETS;
}


/* under the lock */

static ngx_media_client_t *
ngx_media_viewer_find(const u_char *id)
{
    uint32_t             idx;
    ngx_str_t            text;
    ngx_media_client_t  *client;

    idx = ngx_media_arena()->viewers[ngx_media_viewer_bucket(id)];

    while (idx) {
        client = ngx_media_client_at(idx - 1);
        text = ngx_media_client_text(client, NGX_MEDIA_TEXT_ID);

        if (text.len == NGX_MEDIA_ID_LEN
            && ngx_memcmp(text.data, id, NGX_MEDIA_ID_LEN) == 0)
        {
            return client;
        }

        idx = client->viewer_next;
    }

    return NULL;
}


void
ngx_media_viewer_id(u_char *id)
{
    ngx_media_random_id(id, NGX_MEDIA_ID_LEN);
}


ngx_int_t
ngx_media_viewer_new(ngx_media_viewer_t *viewer, u_char *id)
{
    uint32_t             bucket;
    ngx_uint_t           i;
    ngx_media_arena_t   *a;
    ngx_media_client_t  *client, copy;
    ngx_media_source_t  *src;
    static time_t        logged;

    a = ngx_media_arena();
    client = NULL;

    /* a request makes one: publishers and players must find room beside */

    if (__atomic_load_n(&a->clients, __ATOMIC_RELAXED)
        < a->nclients - a->nclients / NGX_MEDIA_VIEWER_SPARE)
    {
        client = ngx_media_client_alloc();
    }

    if (client == NULL && logged == ngx_time()) {
        return NGX_ERROR;
    }

    if (client == NULL) {
        logged = ngx_time();

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "no room for another viewer among the %uD sessions of "
                      "the media zone", a->nclients);
        return NGX_ERROR;
    }

    if (ngx_media_viewer_limits(client, &viewer->limits) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_media_client_set_text(client, NGX_MEDIA_TEXT_ID, id,
                              NGX_MEDIA_ID_LEN);

    for (i = NGX_MEDIA_TEXT_ID + 1; i < NGX_MEDIA_TEXT_MAX; i++) {
        if (viewer->text[i].len) {
            ngx_media_client_set_text(client, i, viewer->text[i].data,
                                      viewer->text[i].len);
        }
    }

    client->type = (uint32_t) viewer->type;
    client->viewer_seen = ngx_media_msec();
    client->viewer_silence = (uint32_t) viewer->silence;
    client->viewer_until = viewer->lifetime
                           ? client->viewer_seen + (int64_t) viewer->lifetime
                           : 0;
    client->began[NGX_MEDIA_ACT_PLAY] = client->created;

    bucket = ngx_media_viewer_bucket(id);

    ngx_media_lock();

    src = ngx_media_source_find(&viewer->text[NGX_MEDIA_TEXT_VHOST],
                                &viewer->text[NGX_MEDIA_TEXT_APP],
                                &viewer->text[NGX_MEDIA_TEXT_STREAM]);
    if (src) {
        client->source = ngx_media_source_index(src);
        client->viewer_generation = src->generation;
    }

    /* from here on it is nobody's and lives without this worker */

    client->viewer_next = a->viewers[bucket];
    client->viewer = NGX_MEDIA_VIEWER_PLAYS;
    client->slot = NGX_MEDIA_NOBODY;

    a->viewers[bucket] = ngx_media_client_index(client) + 1;

    copy = *client;

    ngx_media_unlock();

    ngx_media_told_client(&copy, 0, NGX_MEDIA_REASON_NONE, 0);

    return NGX_OK;
}


/* where there are enough already the entry is free again */

static ngx_int_t
ngx_media_viewer_limits(ngx_media_client_t *client,
    const ngx_media_limits_t *limits)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MEDIA_LIMITS; i++) {

        if (limits->max[i] == 0
            || ngx_media_limit_take(client, i, limits->key[i], limits->max[i])
               == NGX_OK)
        {
            continue;
        }

        ngx_media_lock();
        ngx_media_client_free(client);
        ngx_media_unlock();

        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_media_viewer_seen(ngx_media_viewer_t *viewer, u_char *id,
    uint64_t sent, uint64_t received)
{
    ngx_int_t            rc;
    ngx_media_client_t  *client;

    rc = NGX_DECLINED;

    ngx_media_lock();

    client = ngx_media_viewer_find(id);

    if (client
        && ngx_media_viewer_is(client, NGX_MEDIA_TEXT_VHOST,
                               &viewer->text[NGX_MEDIA_TEXT_VHOST])
        && ngx_media_viewer_is(client, NGX_MEDIA_TEXT_APP,
                               &viewer->text[NGX_MEDIA_TEXT_APP])
        && ngx_media_viewer_is(client, NGX_MEDIA_TEXT_STREAM,
                               &viewer->text[NGX_MEDIA_TEXT_STREAM]))
    {
        client->viewer_seen = ngx_media_msec();
        client->send_bytes += sent;
        client->recv_bytes += received;

        rc = (client->viewer == NGX_MEDIA_VIEWER_KICKED) ? NGX_ABORT : NGX_OK;

    } else if (client) {
        rc = NGX_ABORT;
    }

    ngx_media_unlock();

    return rc;
}


static ngx_uint_t
ngx_media_viewer_is(ngx_media_client_t *client, ngx_uint_t which,
    ngx_str_t *text)
{
    ngx_str_t  have;

    have = ngx_media_client_text(client, which);

    return have.len == text->len
           && ngx_memcmp(have.data, text->data, text->len) == 0;
}


void
ngx_media_viewer_kick(uint32_t idx, uint32_t generation)
{
    ngx_media_client_t  *client, copy;

    client = ngx_media_client_at(idx);
    copy.used = 0;

    ngx_media_lock();

    if (client->used && client->viewer && client->generation == generation) {
        ngx_media_viewer_out(client, &copy);
    }

    ngx_media_unlock();

    if (copy.used) {
        ngx_media_told_client(&copy, 1, NGX_MEDIA_REASON_KICKED, 0);
    }
}


/* under the lock: it stays known as one that may not come back */

static void
ngx_media_viewer_out(ngx_media_client_t *client, ngx_media_client_t *copy)
{
    *copy = *client;

    ngx_media_limit_release(client);

    client->viewer = NGX_MEDIA_VIEWER_KICKED;
    client->source = NGX_MEDIA_NONE;
    client->type = NGX_MEDIA_CLIENT_UNKNOWN;

    ngx_memzero(client->began, sizeof(client->began));
}


/* under the lock */

static void
ngx_media_viewer_unlink(ngx_media_client_t *client)
{
    uint32_t   idx, *link;
    ngx_str_t  id;

    id = ngx_media_client_text(client, NGX_MEDIA_TEXT_ID);

    if (id.len != NGX_MEDIA_ID_LEN) {
        return;
    }

    idx = ngx_media_client_index(client) + 1;
    link = &ngx_media_arena()->viewers[ngx_media_viewer_bucket(id.data)];

    while (*link) {

        if (*link == idx) {
            *link = client->viewer_next;
            return;
        }

        link = &ngx_media_client_at(*link - 1)->viewer_next;
    }
}


/* called every second by each worker, done by one of them */

void
ngx_media_viewers_tick(void)
{
    int64_t              now, last;
    uint32_t             i;
    ngx_uint_t           reason;
    ngx_media_arena_t   *a;
    ngx_media_client_t  *client, copy;

    a = ngx_media_arena();
    now = ngx_media_msec();
    last = __atomic_load_n(&a->viewers_swept, __ATOMIC_RELAXED);

    if (now - last < NGX_MEDIA_VIEWER_SWEEP - 50
        || !__atomic_compare_exchange_n(&a->viewers_swept, &last, now, 0,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    {
        return;
    }

    for (i = 0; i < a->fresh_client; i++) {
        client = ngx_media_client_at(i);

        if (!client->used || !client->viewer) {
            continue;
        }

        copy.used = 0;
        reason = NGX_MEDIA_REASON_NONE;

        ngx_media_lock();

        if (client->used && client->viewer) {
            reason = ngx_media_viewer_tick(client, now, &copy);
        }

        ngx_media_unlock();

        if (copy.used) {
            ngx_media_told_client(&copy, 1, reason, 0);
        }
    }
}


/* under the lock; where it is over, copy is made, and the reason is given */

static ngx_uint_t
ngx_media_viewer_tick(ngx_media_client_t *client, int64_t now,
    ngx_media_client_t *copy)
{
    if (now - client->viewer_seen > (int64_t) client->viewer_silence) {
        *copy = *client;

        ngx_media_viewer_unlink(client);
        ngx_media_client_free(client);

        return NGX_MEDIA_REASON_NONE;
    }

    if (client->viewer == NGX_MEDIA_VIEWER_PLAYS
        && client->viewer_until && now > client->viewer_until)
    {
        ngx_media_viewer_out(client, copy);

        return NGX_MEDIA_REASON_EXPIRED;
    }

    if (client->source != NGX_MEDIA_NONE
        && ngx_media_source_at(client->source)->generation
           != client->viewer_generation)
    {
        client->source = NGX_MEDIA_NONE;
    }

    ngx_media_rate_tick(&client->send, client->send_bytes, now);
    ngx_media_rate_tick(&client->recv, client->recv_bytes, now);

    return NGX_MEDIA_REASON_NONE;
}


/* under the lock, after a death in the middle of something */

void
ngx_media_viewers_rebuild(void)
{
    uint32_t             i, bucket;
    ngx_str_t            id;
    ngx_media_arena_t   *a;
    ngx_media_client_t  *client;

    a = ngx_media_arena();

    ngx_memzero(a->viewers, sizeof(a->viewers));

    for (i = 0; i < a->fresh_client; i++) {
        client = ngx_media_client_at(i);

        if (!client->used || !client->viewer) {
            continue;
        }

        id = ngx_media_client_text(client, NGX_MEDIA_TEXT_ID);

        if (id.len != NGX_MEDIA_ID_LEN) {
            continue;
        }

        client->slot = NGX_MEDIA_NOBODY;

        bucket = ngx_media_viewer_bucket(id.data);
        client->viewer_next = a->viewers[bucket];
        a->viewers[bucket] = i + 1;
    }
}
