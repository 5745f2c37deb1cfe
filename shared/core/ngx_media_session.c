
/*
 * Copyright (C) the nginx media suite authors
 *
 * Sessions: one client connection of any protocol, its entry in the arena,
 * its policy, and what the API and the log tell about it.
 *
 * The entry belongs to the worker that made it: only that one writes it,
 * texts under a version so that others copy them whole.  It is taken and given
 * back under the lock, and taken away by whoever finds the worker dead.
 */


#include "ngx_media_core.h"


#define NGX_MEDIA_RATE_TICKS   10      /* seconds between samples */
#define NGX_MEDIA_ARGS_MAX     384
#define NGX_MEDIA_URL_MAX      255
#define NGX_MEDIA_PAGE_MAX     128


static void ngx_media_session_cleanup(void *data);
static ngx_uint_t ngx_media_session_failed(ngx_media_session_t *s);
static ngx_int_t ngx_media_session_set_args(ngx_media_session_t *s,
    ngx_str_t *args);
static void ngx_media_link_counts(const ngx_media_link_t *link, uint64_t *n);
static void ngx_media_session_tick(ngx_media_session_t *s, ngx_uint_t rates,
    int64_t msec);
static ngx_int_t ngx_media_play_fetch(ngx_media_session_t *s,
    ngx_uint_t flags);
static ngx_uint_t ngx_media_session_expired(ngx_media_session_t *s);
static void ngx_media_sessions_expire(void);


static ngx_queue_t  ngx_media_sessions;
static ngx_uint_t   ngx_media_nsessions;


void
ngx_media_sessions_init(void)
{
    ngx_queue_init(&ngx_media_sessions);
}


ngx_int_t
ngx_media_session_init(ngx_media_session_t *s, ngx_connection_t *c,
    ngx_pool_t *pool, const ngx_media_session_ops_t *ops,
    const char *protocol)
{
    u_char                id[NGX_MEDIA_ID_LEN];
    ngx_pool_cleanup_t   *cln;
    ngx_media_vhost_t    *vhost;
    ngx_media_client_t   *client;

    cln = ngx_pool_cleanup_add(pool, 0);

    if (cln == NULL) {
        return NGX_ERROR;
    }

    if (ngx_media_owner() == NGX_MEDIA_NO_SLOT) {
        ngx_log_error(NGX_LOG_WARN, c->log, 0,
                      "more than %d workers at once, this one takes no media "
                      "sessions", NGX_MEDIA_SLOTS + NGX_MEDIA_LIVES);
        return NGX_ERROR;
    }

    ngx_media_random_id(id, NGX_MEDIA_ID_LEN);

    client = ngx_media_client_alloc();

    if (client == NULL) {
        ngx_log_error(NGX_LOG_WARN, c->log, 0,
                      "all %uD sessions of the media zone are in use",
                      ngx_media_arena()->nclients);
        return NGX_ERROR;
    }

    s->connection = c;
    s->pool = pool;
    s->ops = ops;
    s->client = client;
    s->publisher = NULL;
    s->consumer = NULL;
    s->ask = NULL;
    s->record = NGX_CONF_UNSET;

    vhost = &ngx_media_get_main_conf()->def;
    s->conf = vhost->conf;

    cln->handler = ngx_media_session_cleanup;
    cln->data = s;

    ngx_queue_insert_tail(&ngx_media_sessions, &s->queue);
    ngx_media_nsessions++;

    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_ID, id, NGX_MEDIA_ID_LEN);
    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_IP, c->addr_text.data,
                               c->addr_text.len);
    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_PROTOCOL,
                               (u_char *) protocol, ngx_strlen(protocol));

    return NGX_OK;
}


static void
ngx_media_session_cleanup(void *data)
{
    ngx_media_session_t *s = data;

    ngx_media_client_t  *client;

    if (s->client == NULL) {
        return;
    }

    ngx_media_unpublish(s);

    if (s->consumer) {
        ngx_media_play_stop(s->consumer);
    }

    ngx_media_session_tick(s, 0, 0);
    ngx_media_permit_cleanup(s);
    ngx_media_session_set_args(s, NULL);

    ngx_queue_remove(&s->queue);
    ngx_media_nsessions--;

    client = s->client;
    s->client = NULL;

    ngx_media_lock();
    ngx_media_arena()->clients_errs += ngx_media_session_failed(s);
    ngx_media_client_free(client);
    ngx_media_unlock();
}


/* it was refused or cut, and not because somebody wanted it to end */

static ngx_uint_t
ngx_media_session_failed(ngx_media_session_t *s)
{
    switch (s->reason) {

    case NGX_MEDIA_REASON_NONE:
    case NGX_MEDIA_REASON_KICKED:
    case NGX_MEDIA_REASON_REPLACED:
    case NGX_MEDIA_REASON_SHUTDOWN:
        return 0;

    default:
        return 1;
    }
}


ngx_media_session_t *
ngx_media_session_find(ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_media_session_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


ngx_media_client_t *
ngx_media_client_alloc(void)
{
    uint32_t             generation, version;
    ngx_media_arena_t   *a;
    ngx_media_client_t  *client;

    a = ngx_media_arena();
    client = NULL;

    ngx_media_lock();

    if (a->free_client) {
        client = ngx_media_client_at(a->free_client - 1);
        a->free_client = client->next;

    } else if (a->fresh_client < a->nclients) {
        client = ngx_media_client_at(a->fresh_client++);
    }

    if (client) {
        generation = client->generation + 1;

        /* goes on, and becomes even: who copies it notices */

        version = (client->version | 1) + 1;

        ngx_memzero(client, offsetof(ngx_media_client_t, text));

        client->version = version;
        client->generation = generation;
        client->slot = ngx_media_owner();
        client->pid = ngx_pid;
        client->source = NGX_MEDIA_NONE;
        client->created = ngx_media_epoch_ms();
        client->used = 1;

        a->clients++;
        a->clients_total++;
    }

    ngx_media_unlock();

    return client;
}


void
ngx_media_client_free(ngx_media_client_t *client)
{
    ngx_media_arena_t  *a;

    if (!client->used) {
        return;
    }

    a = ngx_media_arena();

    a->send_total += client->send_bytes;
    a->recv_total += client->recv_bytes;

    ngx_media_limit_release(client);

    client->used = 0;
    client->next = a->free_client;
    a->free_client = ngx_media_client_index(client) + 1;
    a->clients--;
}


void
ngx_media_client_rebuild(void)
{
    uint32_t             i;
    ngx_media_arena_t   *a;
    ngx_media_client_t  *client;

    a = ngx_media_arena();

    a->free_client = 0;
    a->clients = 0;

    for (i = a->fresh_client; i > 0; i--) {
        client = ngx_media_client_at(i - 1);

        if (client->used) {
            a->clients++;
            continue;
        }

        client->next = a->free_client;
        a->free_client = i;
    }
}


/* --- texts -------------------------------------------------------------- */

void
ngx_media_session_set_text(ngx_media_session_t *s, ngx_uint_t which,
    const u_char *p, size_t len)
{
    ngx_media_client_set_text(s->client, which, p, len);
}


void
ngx_media_client_set_text(ngx_media_client_t *c, ngx_uint_t which,
    const u_char *p, size_t len)
{
    size_t      max, old, off;
    ngx_uint_t  i;

    switch (which) {

    case NGX_MEDIA_TEXT_ARGS:
        max = NGX_MEDIA_ARGS_MAX;
        break;

    case NGX_MEDIA_TEXT_PAGEURL:
    case NGX_MEDIA_TEXT_SWFURL:
        max = NGX_MEDIA_PAGE_MAX;
        break;

    default:
        max = NGX_MEDIA_URL_MAX;
    }

    len = ngx_min(len, max);

    __atomic_store_n(&c->version, c->version + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    /* texts lie one behind the other: take the old one out */

    old = c->text_len[which];
    off = c->text_off[which];

    if (old) {
        ngx_memmove(c->text + off, c->text + off + old,
                    c->text_used - off - old);
        c->text_used -= (uint16_t) old;

        for (i = 0; i < NGX_MEDIA_TEXT_MAX; i++) {
            if (c->text_off[i] > off) {
                c->text_off[i] -= (uint16_t) old;
            }
        }
    }

    len = ngx_min(len, (size_t) NGX_MEDIA_TEXT_LEN - c->text_used);

    c->text_off[which] = c->text_used;
    c->text_len[which] = (uint16_t) len;

    if (len) {
        ngx_memcpy(c->text + c->text_used, p, len);
        c->text_used += (uint16_t) len;
    }

    __atomic_store_n(&c->version, c->version + 1, __ATOMIC_SEQ_CST);
}


ngx_str_t
ngx_media_client_text(ngx_media_client_t *client, ngx_uint_t which)
{
    ngx_str_t  text;

    text.data = client->text + client->text_off[which];
    text.len = client->text_len[which];

    if ((size_t) client->text_off[which] + text.len > NGX_MEDIA_TEXT_LEN) {
        ngx_str_null(&text);
    }

    return text;
}


/* ", media: ID PROTOCOL VHOST/APP/STREAM" */

u_char *
ngx_media_session_log(ngx_media_session_t *s, u_char *buf, size_t len)
{
    u_char     *p, *last;
    ngx_str_t   text;

    if (s->client == NULL) {
        return buf;
    }

    last = buf + len;

    text = ngx_media_session_text(s, NGX_MEDIA_TEXT_ID);
    p = ngx_slprintf(buf, last, ", media: %V", &text);

    text = ngx_media_session_text(s, NGX_MEDIA_TEXT_PROTOCOL);
    p = ngx_slprintf(p, last, " %V", &text);

    text = ngx_media_session_text(s, NGX_MEDIA_TEXT_APP);

    if (text.len == 0) {
        return p;
    }

    text = ngx_media_session_text(s, NGX_MEDIA_TEXT_VHOST);
    p = ngx_slprintf(p, last, " %V", &text);

    text = ngx_media_session_text(s, NGX_MEDIA_TEXT_APP);
    p = ngx_slprintf(p, last, "/%V", &text);

    text = ngx_media_session_text(s, NGX_MEDIA_TEXT_STREAM);

    return text.len ? ngx_slprintf(p, last, "/%V", &text) : p;
}


ngx_str_t
ngx_media_session_text(ngx_media_session_t *s, ngx_uint_t which)
{
    return ngx_media_client_text(s->client, which);
}


/* NULL: none any more */

static ngx_int_t
ngx_media_session_set_args(ngx_media_session_t *s, ngx_str_t *args)
{
    u_char  *p;

    p = s->args.data;
    ngx_str_null(&s->args);

    /* args may lie in what was kept */

    if (args && args->len
        > ngx_media_session_text(s, NGX_MEDIA_TEXT_ARGS).len)
    {
        s->args.data = ngx_alloc(args->len, s->connection->log);

        if (s->args.data) {
            s->args.len = args->len;
            ngx_memcpy(s->args.data, args->data, args->len);
        }
    }

    if (p) {
        ngx_free(p);
    }

    return (args == NULL || args->len == 0 || s->args.len == args->len
            || ngx_media_session_text(s, NGX_MEDIA_TEXT_ARGS).len == args->len)
           ? NGX_OK : NGX_ERROR;
}


ngx_str_t
ngx_media_session_args(ngx_media_session_t *s)
{
    return s->args.len ? s->args
                       : ngx_media_session_text(s, NGX_MEDIA_TEXT_ARGS);
}


ngx_int_t
ngx_media_client_snapshot(uint32_t idx, ngx_media_client_t *copy)
{
    uint32_t             version;
    ngx_uint_t           i;
    ngx_media_client_t  *client;

    client = ngx_media_client_at(idx);

    for (i = 0; i < 100; i++) {

        if (!__atomic_load_n(&client->used, __ATOMIC_ACQUIRE)) {
            return NGX_DECLINED;
        }

        version = __atomic_load_n(&client->version, __ATOMIC_ACQUIRE);

        if (version & 1) {
            ngx_cpu_pause();
            continue;
        }

        ngx_memcpy(copy, client, sizeof(ngx_media_client_t));

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (__atomic_load_n(&client->version, __ATOMIC_RELAXED) == version) {
            return copy->used ? NGX_OK : NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


/* --- names and policy --------------------------------------------------- */

ngx_int_t
ngx_media_session_check(ngx_media_session_t *s, ngx_uint_t which,
    ngx_media_name_kind_e kind)
{
    ngx_str_t                text;
    ngx_media_url_str_t      name;
    ngx_media_name_reason_e  reason;

    text = ngx_media_session_text(s, which);

    name.len = text.len;
    name.data = text.data;

    reason = ngx_media_name_check(&name, kind);

    if (reason == NGX_MEDIA_NAME_OK) {
        return NGX_OK;
    }

    s->reason = NGX_MEDIA_REASON_NAME;

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "media name is refused: %s", ngx_media_name_text(reason));

    return NGX_DECLINED;
}


ngx_int_t
ngx_media_session_check_text(ngx_media_session_t *s, ngx_str_t *value,
    ngx_media_name_kind_e kind)
{
    ngx_media_url_str_t      name;
    ngx_media_name_reason_e  reason;

    name.len = value->len;
    name.data = value->data;

    reason = ngx_media_name_check(&name, kind);

    if (reason == NGX_MEDIA_NAME_OK) {
        return NGX_OK;
    }

    s->reason = NGX_MEDIA_REASON_NAME;

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "media name of %uz bytes is refused: %s",
                  value->len, ngx_media_name_text(reason));

    return NGX_DECLINED;
}


ngx_int_t
ngx_media_session_app(ngx_media_session_t *s, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *args)
{
    ngx_str_t               name;
    ngx_media_vhost_t      *vh;
    ngx_media_main_conf_t  *mcf;

    if (ngx_media_session_check_text(s, app, NGX_MEDIA_NAME_APP) != NGX_OK) {
        return NGX_DECLINED;
    }

    mcf = ngx_media_get_main_conf();
    vh = vhost->len ? ngx_media_conf_vhost(mcf, vhost) : NULL;

    if (vh) {

        /* a wildcard block holds vhosts of their own names */

        if (ngx_media_session_check_text(s, vhost, NGX_MEDIA_NAME_VHOST)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        name = *vhost;

    } else {
        vh = &mcf->def;
        ngx_str_set(&name, NGX_MEDIA_DEFAULT_VHOST);
    }

    s->conf = ngx_media_conf_app(vh, app);

    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_VHOST, name.data, name.len);
    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_APP, app->data, app->len);
    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_ARGS, args->data, args->len);

    return ngx_media_session_set_args(s, args);
}


ngx_int_t
ngx_media_session_name(ngx_media_session_t *s, ngx_str_t *vhost,
    ngx_str_t *app, ngx_str_t *stream, ngx_str_t *args)
{
    if (ngx_media_session_check_text(s, stream, NGX_MEDIA_NAME_STREAM)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_media_session_app(s, vhost, app, args) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_STREAM, stream->data,
                               stream->len);

    return NGX_OK;
}


void
ngx_media_session_set_type(ngx_media_session_t *s, ngx_uint_t type)
{
    s->client->type = (uint32_t) type;
}


void
ngx_media_session_received(ngx_media_session_t *s, size_t bytes)
{
    s->client->recv_bytes += bytes;

    ngx_media_publish_received(s, bytes);
}


/* what is new since the last time goes into the sums, which never go back */

void
ngx_media_session_link(ngx_media_session_t *s, const ngx_media_link_t *link)
{
    uint64_t    now[NGX_MEDIA_LINK_COUNTS], was[NGX_MEDIA_LINK_COUNTS], *sum;
    uint64_t    n;
    ngx_uint_t  i, protocol;

    if (s->client == NULL) {
        return;
    }

    protocol = ngx_media_link_protocol(s->client);

    if (protocol < NGX_MEDIA_LINK_PROTOCOLS) {
        ngx_media_link_counts(link, now);
        ngx_media_link_counts(&s->client->link, was);

        sum = ngx_media_arena()->links[protocol];

        for (i = 0; i < NGX_MEDIA_LINK_COUNTS; i++) {

            /* another connection of the same session begins at 0 */

            n = (now[i] < was[i]) ? now[i] : now[i] - was[i];

            if (n) {
                (void) __atomic_fetch_add(&sum[i], n, __ATOMIC_RELAXED);
            }
        }
    }

    s->client->link = *link;
    s->client->link.known = 1;
}


static void
ngx_media_link_counts(const ngx_media_link_t *link, uint64_t *n)
{
    n[NGX_MEDIA_LINK_SENT] = link->sent;
    n[NGX_MEDIA_LINK_RESENT] = link->resent;
    n[NGX_MEDIA_LINK_SENT_LOST] = link->sent_lost;
    n[NGX_MEDIA_LINK_SENT_DROPPED] = link->sent_dropped;
    n[NGX_MEDIA_LINK_RECEIVED] = link->received;
    n[NGX_MEDIA_LINK_RECOVERED] = link->recovered;
    n[NGX_MEDIA_LINK_LOST] = link->lost;
    n[NGX_MEDIA_LINK_DROPPED] = link->dropped;
    n[NGX_MEDIA_LINK_UNDECRYPTED] = link->undecrypted;
    n[NGX_MEDIA_LINK_NACKS] = link->nacks;
    n[NGX_MEDIA_LINK_PLIS] = link->plis;
}


ngx_uint_t
ngx_media_link_protocol(ngx_media_client_t *client)
{
    ngx_str_t   text;
    ngx_uint_t  i;

    static const ngx_str_t  names[] = {
        ngx_string("srt"),
        ngx_string("webrtc"),
        ngx_string("mpegts")
    };

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_PROTOCOL);

    for (i = 0; i < NGX_MEDIA_LINK_PROTOCOLS; i++) {
        if (text.len == names[i].len
            && ngx_memcmp(text.data, names[i].data, text.len) == 0)
        {
            break;
        }
    }

    return i;
}


/* --- playing ------------------------------------------------------------ */

ngx_int_t
ngx_media_fetch(void **conf, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream, ngx_str_t *args)
{
    ngx_media_wanted_t  wanted;

    wanted.conf = conf;
    wanted.vhost = *vhost;
    wanted.app = *app;
    wanted.stream = *stream;
    wanted.args = *args;
    wanted.waits = 0;

    return ngx_media_services_wanted(&wanted);
}


static ngx_int_t
ngx_media_play_fetch(ngx_media_session_t *s, ngx_uint_t flags)
{
    ngx_str_t  vhost, app, stream, args;

    if (s->relay || (flags & NGX_MEDIA_PLAY_NOW)) {
        return NGX_DECLINED;
    }

    vhost = ngx_media_session_text(s, NGX_MEDIA_TEXT_VHOST);
    app = ngx_media_session_text(s, NGX_MEDIA_TEXT_APP);
    stream = ngx_media_session_text(s, NGX_MEDIA_TEXT_STREAM);
    args = ngx_media_session_args(s);

    return ngx_media_fetch(s->conf, &vhost, &app, &stream, &args);
}


ngx_int_t
ngx_media_play(ngx_media_session_t *s, ngx_media_consumer_t *c,
    const ngx_media_consumer_ops_t *ops, const ngx_media_muxer_t *muxer,
    const ngx_media_wire_params_t *params, ngx_uint_t flags)
{
    ngx_str_t                 vhost, app, stream;
    ngx_uint_t                live;
    ngx_media_feed_t         *feed;
    ngx_media_wire_t         *w;
    ngx_media_source_t       *src;
    ngx_media_wire_params_t   shared;

    if (c->wire) {
        return NGX_ERROR;
    }

    s->reason = NGX_MEDIA_REASON_NONE;

    vhost = ngx_media_session_text(s, NGX_MEDIA_TEXT_VHOST);
    app = ngx_media_session_text(s, NGX_MEDIA_TEXT_APP);
    stream = ngx_media_session_text(s, NGX_MEDIA_TEXT_STREAM);

    feed = NULL;

    if (ngx_media_play_fetch(s, flags) == NGX_OK) {
        flags &= ~NGX_MEDIA_PLAY_LIVE;
    }

    ngx_media_lock();

    src = (flags & NGX_MEDIA_PLAY_LIVE)
          ? ngx_media_source_find(&vhost, &app, &stream)
          : ngx_media_source_get(&vhost, &app, &stream, 1);

    live = src && (src->epoch & 1);

    if (live || (src && !(flags & NGX_MEDIA_PLAY_LIVE))) {
        ngx_media_source_set_policy(src, ngx_media_core_conf(s));
        feed = ngx_media_feed_get(src);
    }

    ngx_media_unlock();

    if (!live && (flags & NGX_MEDIA_PLAY_LIVE)) {
        s->reason = NGX_MEDIA_REASON_NOT_FOUND;
        return NGX_DECLINED;
    }

    if (src == NULL) {
        s->reason = NGX_MEDIA_REASON_FULL;
        return NGX_DECLINED;
    }

    if (feed == NULL) {
        return NGX_ERROR;
    }

    if (ngx_media_wire_select(feed, params, &shared) != NGX_OK) {
        s->reason = NGX_MEDIA_REASON_TRACKS;
        return NGX_DECLINED;
    }

    /* of the newest configuration, whatever the publisher was given */

    ngx_media_policy_copy(&feed->policy, ngx_media_core_conf(s));

    w = ngx_media_wire_get(feed, muxer, &shared);

    if (w == NULL) {
        s->reason = NGX_MEDIA_REASON_FULL;
        return NGX_DECLINED;
    }

    c->ops = ops;
    c->session = s;
    c->paused = 0;
    c->started = 0;
    c->reheads = 0;
    c->frames = 0;
    c->entered = 0;

    ngx_media_wire_attach(w, c);

    s->consumer = c;
    s->client->source = ngx_media_source_index(src);

    ngx_media_feed_newcomer(feed);

    return live ? NGX_OK : NGX_AGAIN;
}


/* --- all sessions of this worker ---------------------------------------- */

static void
ngx_media_session_tick(ngx_media_session_t *s, ngx_uint_t rates, int64_t msec)
{
    ngx_media_client_t  *client;

    client = s->client;

    if (s->connection->sent > 0) {
        client->send_bytes = (uint64_t) s->connection->sent;
    }

    if (s->consumer) {
        client->lag = ngx_media_consumer_lag(s->consumer);
        client->dropped = s->consumer->dropped;
    }

    if (rates) {
        ngx_media_rate_tick(&client->send, client->send_bytes, msec);
        ngx_media_rate_tick(&client->recv, client->recv_bytes, msec);
    }
}


void
ngx_media_sessions_tick(ngx_uint_t ticks)
{
    int64_t               msec;
    ngx_uint_t            expired;
    ngx_queue_t          *q;
    ngx_media_session_t  *s;

    msec = ngx_media_msec();

    expired = 0;

    for (q = ngx_queue_head(&ngx_media_sessions);
         q != ngx_queue_sentinel(&ngx_media_sessions);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_media_session_t, queue);

        ngx_media_session_tick(s, 1, msec);

        expired |= ngx_media_session_expired(s);
    }

    if (expired) {
        ngx_media_sessions_expire();
    }
}


static ngx_uint_t
ngx_media_session_expired(ngx_media_session_t *s)
{
    return s->expires && !s->closing
           && (ngx_msec_int_t) (s->expires - ngx_current_msec) <= 0;
}


/* each one may take others with it */

static void
ngx_media_sessions_expire(void)
{
    ngx_queue_t          *q;
    ngx_media_session_t  *s;

again:

    for (q = ngx_queue_head(&ngx_media_sessions);
         q != ngx_queue_sentinel(&ngx_media_sessions);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_media_session_t, queue);

        if (ngx_media_session_expired(s)) {
            ngx_media_session_close(s, NGX_MEDIA_REASON_EXPIRED);
            goto again;
        }
    }
}


/* called every second; samples are kept every ten */

void
ngx_media_rate_tick(ngx_media_rate_t *r, uint64_t bytes, int64_t msec)
{
    int64_t     passed;
    ngx_uint_t  oldest;

    if (r->n && msec - r->msec[(r->n - 1) % NGX_MEDIA_RATE_SAMPLES]
                < NGX_MEDIA_RATE_TICKS * 1000)
    {
        oldest = (r->n > NGX_MEDIA_RATE_SAMPLES)
                 ? r->n % NGX_MEDIA_RATE_SAMPLES : 0;
        passed = msec - r->msec[oldest];

        if (passed >= 1000 && bytes >= r->bytes[oldest]) {
            r->kbps = (uint32_t) ((bytes - r->bytes[oldest]) * 8
                                  / (uint64_t) passed);
        }

        return;
    }

    r->bytes[r->n % NGX_MEDIA_RATE_SAMPLES] = bytes;
    r->msec[r->n % NGX_MEDIA_RATE_SAMPLES] = msec;
    r->n++;
}


ngx_uint_t
ngx_media_sessions_count(void)
{
    return ngx_media_nsessions;
}


void
ngx_media_sessions_drain(void)
{
    ngx_queue_t          *q, list;
    ngx_media_session_t  *s;

    ngx_queue_init(&list);
    ngx_queue_add(&list, &ngx_media_sessions);
    ngx_queue_init(&ngx_media_sessions);

    while (!ngx_queue_empty(&list)) {

        q = ngx_queue_head(&list);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_media_sessions, q);

        s = ngx_queue_data(q, ngx_media_session_t, queue);

        if (s->drained) {
            continue;
        }

        s->drained = 1;

        if (s->ops->drain) {
            s->ops->drain(s);
        }
    }
}


ngx_media_session_t *
ngx_media_session_by_client(uint32_t idx, uint32_t generation)
{
    ngx_queue_t          *q;
    ngx_media_client_t   *client;
    ngx_media_session_t  *s;

    if (idx >= ngx_media_arena()->nclients) {
        return NULL;
    }

    client = ngx_media_client_at(idx);

    if (!client->used || client->generation != generation) {
        return NULL;
    }

    for (q = ngx_queue_head(&ngx_media_sessions);
         q != ngx_queue_sentinel(&ngx_media_sessions);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_media_session_t, queue);

        if (s->client == client) {
            return s;
        }
    }

    return NULL;
}


void
ngx_media_session_close(ngx_media_session_t *s, ngx_uint_t reason)
{
    if (s->closing) {
        return;
    }

    s->closing = 1;
    s->reason = reason;

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "media session is closed: %s",
                  ngx_media_reason_text(reason));

    s->ops->close(s, reason);
}


ngx_int_t
ngx_media_client_kick(ngx_str_t *id)
{
    uint32_t              i, n;
    ngx_str_t             text;
    ngx_media_arena_t    *a;
    ngx_media_client_t   *client;
    ngx_media_command_t   cmd;

    a = ngx_media_arena();
    n = __atomic_load_n(&a->fresh_client, __ATOMIC_RELAXED);

    for (i = 0; i < n; i++) {
        client = ngx_media_client_at(i);

        if (!client->used) {
            continue;
        }

        text = ngx_media_client_text(client, NGX_MEDIA_TEXT_ID);

        if (text.len != id->len
            || ngx_memcmp(text.data, id->data, id->len) != 0)
        {
            continue;
        }

        if (client->viewer) {
            ngx_media_viewer_kick(i, client->generation);
            return NGX_OK;
        }

        cmd.type = NGX_MEDIA_CMD_CLOSE;
        cmd.a = i;
        cmd.b = client->generation;
        cmd.c = NGX_MEDIA_REASON_KICKED;

        return ngx_media_slot_command(client->slot, &cmd);
    }

    return NGX_DECLINED;
}


/* --- words -------------------------------------------------------------- */

const char *
ngx_media_reason_text(ngx_uint_t reason)
{
    static const char  *texts[] = {
        "ok", "bad name", "stream is busy", "server is full",
        "stream not found", "denied", "kicked", "replaced by another publisher",
        "timed out", "client is too slow", "server is shutting down",
        "stream has none of these tracks", "permission has expired",
        "too many of them"
    };

    if (reason >= sizeof(texts) / sizeof(texts[0])) {
        return "error";
    }

    return texts[reason];
}


const char *
ngx_media_reason_name(ngx_uint_t reason)
{
    static const char  *names[] = {
        "closed", "bad_name", "busy", "full", "not_found", "denied", "kicked",
        "replaced", "timeout", "slow", "shutdown", "no_tracks", "expired",
        "limit"
    };

    if (reason >= sizeof(names) / sizeof(names[0])) {
        return "error";
    }

    return names[reason];
}


const char *
ngx_media_client_type_name(ngx_uint_t type)
{
    static const char  *names[] = {
        "Unknown", "rtmp-play", "flash-publish", "fmle-publish",
        "haivision-publish", "flv-play", "hls-play", "rtc-play",
        "rtc-publish", "srt-play", "srt-publish", "flv-publish",
        "mpegts-publish"
    };

    if (type >= sizeof(names) / sizeof(names[0])) {
        return names[0];
    }

    return names[type];
}
