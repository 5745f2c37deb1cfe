
/*
 * Copyright (C) the nginx media suite authors
 *
 * Permission: guards say who may connect, publish and play, one after the
 * other, rules before hooks.  One that has to ask somebody else answers later;
 * the ask belongs to whoever made it, and is cancelled when nobody waits for
 * it any more.
 *
 *   session --permit--> ask --> guard --> guard --> allowed --> told: begins
 *                        |        |                    |
 *                     cancel   declined          over, close, death: told
 *
 * client->began[] in the arena says what a client was allowed, so that the end
 * of it is told even where its worker died.
 */


#include "ngx_media_core.h"


static ngx_int_t ngx_media_ask_run(ngx_media_ask_t *ask);
static ngx_int_t ngx_media_permit_step(ngx_media_session_t *s);
static ngx_int_t ngx_media_permit_ask(ngx_media_session_t *s, ngx_uint_t act);
static void ngx_media_permit_done(ngx_media_ask_t *ask, ngx_int_t rc);
static ngx_int_t ngx_media_permit_end(ngx_media_session_t *s, ngx_int_t rc);
static ngx_int_t ngx_media_permit_answer(ngx_media_session_t *s,
    ngx_media_ask_t *ask);
static void ngx_media_permit_keep(ngx_str_t *dst, ngx_str_t *src);
static void ngx_media_told_texts(ngx_media_client_t *client,
    ngx_media_told_t *told);
static void ngx_media_told(ngx_media_told_t *told);


/* of a worker that died, found out before services are there */

typedef struct ngx_media_dead_s  ngx_media_dead_t;

struct ngx_media_dead_s {
    ngx_media_dead_t    *next;
    ngx_media_client_t   client;
};


static ngx_media_dead_t  *ngx_media_deads;
static ngx_media_dead_t **ngx_media_deads_last = &ngx_media_deads;

static const ngx_media_guard_t  *ngx_media_guards[NGX_MEDIA_GUARDS];
static ngx_uint_t                ngx_media_guard_order[NGX_MEDIA_GUARDS];
static ngx_uint_t                ngx_media_nguards;


ngx_int_t
ngx_media_guard_add(ngx_uint_t order, const ngx_media_guard_t *g)
{
    ngx_uint_t  i;

    if (ngx_media_nguards == NGX_MEDIA_GUARDS) {
        return NGX_ERROR;
    }

    for (i = ngx_media_nguards;
         i > 0 && ngx_media_guard_order[i - 1] > order;
         i--)
    {
        ngx_media_guards[i] = ngx_media_guards[i - 1];
        ngx_media_guard_order[i] = ngx_media_guard_order[i - 1];
    }

    ngx_media_guards[i] = g;
    ngx_media_guard_order[i] = order;
    ngx_media_nguards++;

    return NGX_OK;
}


/* --- asks --------------------------------------------------------------- */

ngx_uint_t
ngx_media_ask_needed(void **conf)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nguards; i++) {
        if (ngx_media_guards[i]->concerned == NULL
            || ngx_media_guards[i]->concerned(conf))
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_media_ask(ngx_media_ask_t *ask)
{
    ask->guard = 0;
    ask->waiting = 0;
    ask->reason = NGX_MEDIA_REASON_NONE;
    ask->record = NGX_CONF_UNSET;

    return ngx_media_ask_run(ask);
}


static ngx_int_t
ngx_media_ask_run(ngx_media_ask_t *ask)
{
    ngx_int_t  rc;

    rc = NGX_OK;
    ask->asking = 1;

    while (ask->guard < ngx_media_nguards) {

        ask->ctx = NULL;
        rc = ngx_media_guards[ask->guard]->ask(ask);

        if (rc != NGX_OK) {
            break;
        }

        ask->guard++;
    }

    ask->asking = 0;
    ask->waiting = (rc == NGX_AGAIN);

    if (rc == NGX_DECLINED && ask->reason == NGX_MEDIA_REASON_NONE) {
        ask->reason = NGX_MEDIA_REASON_DENIED;
    }

    return rc;
}


void
ngx_media_ask_next(ngx_media_ask_t *ask, ngx_int_t rc)
{
    if (!ask->waiting) {
        return;
    }

    ask->waiting = 0;
    ask->ctx = NULL;

    if (rc == NGX_OK) {
        ask->guard++;
        rc = ngx_media_ask_run(ask);

        if (rc == NGX_AGAIN) {
            return;
        }

    } else if (rc == NGX_DECLINED && ask->reason == NGX_MEDIA_REASON_NONE) {
        ask->reason = NGX_MEDIA_REASON_DENIED;
    }

    ask->done(ask, rc);
}


void
ngx_media_ask_cancel(ngx_media_ask_t *ask)
{
    const ngx_media_guard_t  *g;

    if (!ask->waiting) {
        return;
    }

    ask->waiting = 0;
    g = ngx_media_guards[ask->guard];

    if (g->cancel) {
        g->cancel(ask);
    }
}


/* --- sessions ----------------------------------------------------------- */

ngx_int_t
ngx_media_permit(ngx_media_session_t *s, ngx_uint_t act)
{
    if (s->ask || act >= NGX_MEDIA_ACT_MAX) {
        return NGX_ERROR;
    }

    s->reason = NGX_MEDIA_REASON_NONE;
    ngx_media_permit_keep(&s->redirect, NULL);

    if (s->client->began[act]) {
        ngx_media_permit_over(s, act);
    }

    s->act = act;
    s->ruled = 0;
    s->expires = 0;

    if (act != NGX_MEDIA_ACT_CONNECT) {
        ngx_memzero(&s->did, sizeof(ngx_media_did_t));
        s->did.act = act;
    }

    if (s->relay) {
        s->client->relay = 1;
        return NGX_OK;
    }

    return ngx_media_permit_step(s);
}


/* may it connect, and then what it is about */

static ngx_int_t
ngx_media_permit_step(ngx_media_session_t *s)
{
    ngx_int_t   rc;
    ngx_uint_t  act;

    do {
        act = s->act;

        if (s->connects && s->client->began[NGX_MEDIA_ACT_CONNECT] == 0) {
            act = NGX_MEDIA_ACT_CONNECT;
        }

        rc = ngx_media_permit_ask(s, act);

        if (rc == NGX_AGAIN || s->ask == NULL) {
            return rc;
        }

        rc = ngx_media_permit_end(s, rc);

    } while (rc == NGX_OK && act != s->act);

    return rc;
}


/* the ask has a pool of its own: a connection may make many of them */

static ngx_int_t
ngx_media_permit_ask(ngx_media_session_t *s, ngx_uint_t act)
{
    ngx_str_t         text;
    ngx_uint_t        i;
    ngx_pool_t       *pool;
    ngx_media_ask_t  *ask;

    pool = ngx_create_pool(2048, s->connection->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ask = ngx_pcalloc(pool, sizeof(ngx_media_ask_t));
    if (ask == NULL) {
        goto failed;
    }

    for (i = 0; i < NGX_MEDIA_TEXT_MAX; i++) {
        text = (i == NGX_MEDIA_TEXT_ARGS) ? ngx_media_session_args(s)
                                          : ngx_media_session_text(s, i);

        if (text.len == 0) {
            continue;
        }

        ask->text[i].data = ngx_pstrdup(pool, &text);
        if (ask->text[i].data == NULL) {
            goto failed;
        }

        ask->text[i].len = text.len;
    }

    ask->act = act;
    ask->type = s->client->type;
    ask->conf = s->conf;
    ask->connection = s->connection;
    ask->pool = pool;
    ask->session = s;
    ask->token = s->token;
    ask->done = ngx_media_permit_done;
    ask->data = s;

    s->ask = ask;

    return ngx_media_ask(ask);

failed:

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}


static void
ngx_media_permit_done(ngx_media_ask_t *ask, ngx_int_t rc)
{
    ngx_uint_t            act;
    ngx_media_session_t  *s;

    s = ask->data;
    act = ask->act;

    rc = ngx_media_permit_end(s, rc);

    if (rc == NGX_OK && act != s->act) {
        rc = ngx_media_permit_step(s);

        if (rc == NGX_AGAIN) {
            return;
        }
    }

    if (s->act == NGX_MEDIA_ACT_PUBLISH) {
        ngx_media_publish_permitted(s, rc);
        return;
    }

    s->ops->permitted(s, s->act, rc);
}


/* frees the ask */

static ngx_int_t
ngx_media_permit_end(ngx_media_session_t *s, ngx_int_t rc)
{
    ngx_media_ask_t  *ask;

    ask = s->ask;
    s->ask = NULL;

    if (rc == NGX_DECLINED) {
        s->reason = ask->reason;
        ngx_media_permit_keep(&s->redirect, &ask->redirect);

    } else if (rc == NGX_OK) {
        s->client->began[ask->act] = ngx_media_epoch_ms();
        rc = ngx_media_permit_answer(s, ask);

        if (rc == NGX_OK) {
            ngx_media_told_session(s, ask->act, 0);

        } else {
            ngx_media_permit_over(s, ask->act);
        }
    }

    if (rc != NGX_OK) {
        ngx_media_limit_drop(s->client, NGX_MEDIA_LIMIT_PLAYERS);
    }

    ngx_destroy_pool(ask->pool);

    return rc;
}


static ngx_int_t
ngx_media_permit_answer(ngx_media_session_t *s, ngx_media_ask_t *ask)
{
    ngx_msec_t  expires;

    /* rules may speak while it connects, hooks later: the earlier end holds */

    if (ask->lifetime) {
        expires = ngx_current_msec + ask->lifetime;
        expires += (expires == 0);

        if (s->expires == 0 || (ngx_msec_int_t) (expires - s->expires) < 0) {
            s->expires = expires;
        }
    }

    if (ask->record != NGX_CONF_UNSET) {
        s->record = ask->record;
    }

    if (ask->stream.len == 0) {
        return NGX_OK;
    }

    if (ngx_media_session_check_text(s, &ask->stream, NGX_MEDIA_NAME_STREAM)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_STREAM, ask->stream.data,
                               ask->stream.len);
    return NGX_OK;
}


/* src may be NULL: nothing any more */

static void
ngx_media_permit_keep(ngx_str_t *dst, ngx_str_t *src)
{
    if (dst->data) {
        ngx_free(dst->data);
    }

    ngx_str_null(dst);

    if (src == NULL || src->len == 0) {
        return;
    }

    dst->data = ngx_alloc(src->len, ngx_cycle->log);

    if (dst->data) {
        ngx_memcpy(dst->data, src->data, src->len);
        dst->len = src->len;
    }
}


void
ngx_media_permit_over(ngx_media_session_t *s, ngx_uint_t act)
{
    int64_t           msec;
    ngx_media_ask_t  *ask;

    ask = s->ask;

    if (ask && s->act == act && !ask->asking) {
        s->ask = NULL;
        ngx_media_ask_cancel(ask);
        ngx_destroy_pool(ask->pool);
    }

    if (s->client == NULL) {
        return;
    }

    if (act == NGX_MEDIA_ACT_PLAY) {
        ngx_media_limit_drop(s->client, NGX_MEDIA_LIMIT_PLAYERS);
    }

    if (s->client->began[act] == 0) {
        return;
    }

    ngx_media_told_session(s, act, 1);

    if (s->did.act == act) {
        msec = ngx_media_epoch_ms() - s->client->began[act];

        s->did.msec = (uint64_t) ngx_max(msec, 0);
        s->did.reason = s->reason;
    }

    s->client->began[act] = 0;

    if (act != NGX_MEDIA_ACT_CONNECT) {
        s->expires = 0;
    }
}


void
ngx_media_permit_cleanup(ngx_media_session_t *s)
{
    ngx_media_permit_over(s, NGX_MEDIA_ACT_PLAY);
    ngx_media_permit_over(s, NGX_MEDIA_ACT_PUBLISH);
    ngx_media_permit_over(s, NGX_MEDIA_ACT_CONNECT);

    ngx_media_permit_keep(&s->redirect, NULL);
}


/* --- what services are told --------------------------------------------- */

static void
ngx_media_told_texts(ngx_media_client_t *client, ngx_media_told_t *told)
{
    ngx_uint_t  i;

    ngx_memzero(told, sizeof(ngx_media_told_t));

    for (i = 0; i < NGX_MEDIA_TEXT_MAX; i++) {
        told->text[i] = ngx_media_client_text(client, i);
    }

    told->type = client->type;
    told->sent = client->send_bytes;
    told->received = client->recv_bytes;
    told->log = ngx_cycle->log;
}


static void
ngx_media_told(ngx_media_told_t *told)
{
    ngx_media_source_t  *src;

    ngx_media_lock();

    src = ngx_media_source_find(&told->text[NGX_MEDIA_TEXT_VHOST],
                                &told->text[NGX_MEDIA_TEXT_APP],
                                &told->text[NGX_MEDIA_TEXT_STREAM]);

    told->source = src ? ngx_media_source_index(src) : NGX_MEDIA_NONE;

    ngx_media_unlock();

    ngx_media_services_told(told);
}


void
ngx_media_told_session(ngx_media_session_t *s, ngx_uint_t act,
    ngx_uint_t over)
{
    int64_t           began;
    ngx_media_told_t  told;

    if (s->connection->sent > 0) {
        s->client->send_bytes = (uint64_t) s->connection->sent;
    }

    ngx_media_told_texts(s->client, &told);

    began = s->client->began[act];

    told.act = act;
    told.over = (over != 0);
    told.reason = s->reason;
    told.text[NGX_MEDIA_TEXT_ARGS] = ngx_media_session_args(s);
    told.conf = s->conf;
    told.log = s->connection->log;

    if (over && began) {
        told.duration = (uint64_t) ngx_max(ngx_media_epoch_ms() - began, 0);
    }

    ngx_media_told(&told);
}


void
ngx_media_told_client(ngx_media_client_t *copy, ngx_uint_t over,
    ngx_uint_t reason, ngx_uint_t dead)
{
    int64_t           now;
    ngx_int_t         act;
    ngx_media_told_t  told;

    now = ngx_media_epoch_ms();

    ngx_media_told_texts(copy, &told);

    told.over = (over != 0);
    told.dead = (dead != 0);
    told.reason = reason;
    told.conf = ngx_media_policy(&told.text[NGX_MEDIA_TEXT_VHOST],
                                 &told.text[NGX_MEDIA_TEXT_APP]);

    for (act = NGX_MEDIA_ACT_MAX - 1; act >= 0; act--) {

        if (copy->began[act] == 0) {
            continue;
        }

        told.act = (ngx_uint_t) act;

        if (over) {
            told.duration = (uint64_t) ngx_max(now - copy->began[act], 0);
        }

        ngx_media_told(&told);
    }
}


void
ngx_media_told_dead(ngx_media_client_t *copy)
{
    ngx_media_dead_t  *dead;

    if (copy->began[NGX_MEDIA_ACT_CONNECT] == 0
        && copy->began[NGX_MEDIA_ACT_PUBLISH] == 0
        && copy->began[NGX_MEDIA_ACT_PLAY] == 0)
    {
        return;
    }

    dead = ngx_alloc(sizeof(ngx_media_dead_t), ngx_cycle->log);
    if (dead == NULL) {
        return;
    }

    dead->next = NULL;
    dead->client = *copy;

    *ngx_media_deads_last = dead;
    ngx_media_deads_last = &dead->next;
}


void
ngx_media_told_tick(void)
{
    ngx_media_dead_t  *dead;

    while (ngx_media_deads) {
        dead = ngx_media_deads;
        ngx_media_deads = dead->next;

        if (ngx_media_deads == NULL) {
            ngx_media_deads_last = &ngx_media_deads;
        }

        ngx_media_told_client(&dead->client, 1, NGX_MEDIA_REASON_NONE, 1);
        ngx_free(dead);
    }
}
