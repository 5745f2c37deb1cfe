
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: on_update: each publisher and each player is told of every hook_update,
 * counted from when it was allowed.  Nothing is kept for it: a worker looks at
 * the table each second, and whose time has come since the last look is told
 * of.  Sessions are their own worker's; those of no worker, viewers, are of
 * whoever looks first.
 */


#include "ngx_media_hook.h"


#define NGX_MEDIA_HOOK_SWEEP   1000    /* ms */


static void ngx_media_hook_update_look(ngx_media_client_t *client,
    int64_t from, int64_t now);
static void ngx_media_hook_update_tell(ngx_media_client_t *client,
    ngx_uint_t act, int64_t from, int64_t now);


static int64_t  ngx_media_hook_updated;    /* ms since the epoch */


void
ngx_media_hook_update_second(void)
{
    int64_t              now, from, last, viewers;
    uint32_t             i, owner;
    ngx_media_arena_t   *a;
    ngx_media_client_t  *client;

    if (!ngx_media_hook_main_conf()->updates) {
        return;
    }

    a = ngx_media_arena();
    owner = ngx_media_owner();
    now = ngx_media_epoch_ms();

    from = ngx_media_hook_updated ? ngx_media_hook_updated : now;
    ngx_media_hook_updated = now;

    /* who looks at viewers, and since when */

    last = __atomic_load_n(&a->updates_swept, __ATOMIC_RELAXED);
    viewers = last ? last : now;

    if (now - last < NGX_MEDIA_HOOK_SWEEP - 50
        || !__atomic_compare_exchange_n(&a->updates_swept, &last, now, 0,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    {
        viewers = 0;
    }

    for (i = 0; i < a->fresh_client; i++) {
        client = ngx_media_client_at(i);

        if (!client->used) {
            continue;
        }

        if (client->slot == owner) {
            ngx_media_hook_update_look(client, from, now);

        } else if (client->slot == NGX_MEDIA_NOBODY && viewers) {
            ngx_media_hook_update_look(client, viewers, now);
        }
    }
}


/* between the two: has another hook_update passed? */

static void
ngx_media_hook_update_look(ngx_media_client_t *client, int64_t from,
    int64_t now)
{
    if (client->began[NGX_MEDIA_ACT_PUBLISH]) {
        ngx_media_hook_update_tell(client, NGX_MEDIA_ACT_PUBLISH, from, now);
    }

    if (client->began[NGX_MEDIA_ACT_PLAY]) {
        ngx_media_hook_update_tell(client, NGX_MEDIA_ACT_PLAY, from, now);
    }
}


static void
ngx_media_hook_update_tell(ngx_media_client_t *client, ngx_uint_t act,
    int64_t from, int64_t now)
{
    int64_t                  began, every;
    ngx_str_t                vhost, app;
    ngx_media_client_t       copy;
    ngx_media_hook_conf_t   *conf;
    ngx_media_hook_event_t   e;

    began = client->began[act];

    /* cheap for most: a second is the shortest hook_update */

    if (now - began < NGX_MEDIA_HOOK_SWEEP) {
        return;
    }

    vhost = ngx_media_client_text(client, NGX_MEDIA_TEXT_VHOST);
    app = ngx_media_client_text(client, NGX_MEDIA_TEXT_APP);
    conf = ngx_media_hook_conf_of(ngx_media_policy(&vhost, &app));
    every = (int64_t) conf->update;

    if (conf->urls[NGX_MEDIA_HOOK_UPDATE] == NULL
        || (now - began) / every == (ngx_max(from, began) - began) / every
        || ngx_media_client_snapshot(ngx_media_client_index(client), &copy)
           != NGX_OK)
    {
        return;
    }

    ngx_memzero(&e, sizeof(ngx_media_hook_event_t));
    ngx_media_hook_event_client(&e, &copy);

    e.event = NGX_MEDIA_HOOK_UPDATE;
    e.publish = (act == NGX_MEDIA_ACT_PUBLISH);
    e.duration = (uint64_t) (now - began);

    ngx_media_hook_tell(conf, &e, ngx_cycle->log);
}
