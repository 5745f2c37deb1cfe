
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: hooks that inform: a queue per back end and worker.  Messages go out one
 * after the other, in the order in which things happened; one that gets no
 * answer is sent again, at growing distances, for as long as hook_queue says.
 *
 *     entries:  [under way] [waits] [waits] ...
 *
 * A worker that leaves stays until its queues are empty, for hook_queue at
 * most: timers here are not cancelable.
 */


#include "ngx_media_hook.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_HOOK_BACKOFF      250    /* ms, doubled each time */
#define NGX_MEDIA_HOOK_BACKOFF_MAX  4000


static void ngx_media_hook_queue_add(ngx_media_hook_conf_t *conf,
    ngx_media_hook_url_t *url, const ngx_media_hook_event_t *e,
    ngx_pool_t *pool);
static ngx_media_hook_entry_t *ngx_media_hook_entry(
    const ngx_media_hook_message_t *m, const ngx_media_hook_event_t *e);
static void ngx_media_hook_queue_full(ngx_media_hook_target_t *t);
static void ngx_media_hook_queue_next(ngx_media_hook_target_t *t);
static ngx_media_hook_entry_t *ngx_media_hook_queue_head(
    ngx_media_hook_target_t *t);
static void ngx_media_hook_queue_drop(ngx_media_hook_target_t *t,
    ngx_media_hook_entry_t *entry);
static void ngx_media_hook_queue_done(void *data, ngx_media_web_answer_t *a);
static void ngx_media_hook_queue_said(ngx_media_hook_target_t *t,
    ngx_media_hook_entry_t *entry, ngx_media_web_answer_t *a);
static void ngx_media_hook_queue_wait(ngx_media_hook_target_t *t);
static void ngx_media_hook_queue_timer(ngx_event_t *ev);


/* the worker exits: targets are freed, and URLs of directives point to them */
static ngx_uint_t  ngx_media_hook_queue_gone;


void
ngx_media_hook_tell(ngx_media_hook_conf_t *conf,
    const ngx_media_hook_event_t *e, ngx_log_t *log)
{
    ngx_uint_t             i;
    ngx_pool_t            *pool;
    ngx_array_t           *urls;
    ngx_media_hook_url_t  *url;

    urls = conf->urls[e->event];

    if (urls == NULL) {
        return;
    }

    /* services that exit later may still have something to tell */

    if (ngx_media_hook_queue_gone) {
        ngx_media_hook_count(NGX_MEDIA_HOOK_DROPPED);
        return;
    }

    pool = ngx_create_pool(1024, log);
    if (pool == NULL) {
        return;
    }

    url = urls->elts;

    for (i = 0; i < urls->nelts; i++) {
        ngx_media_hook_queue_add(conf, &url[i], e, pool);
    }

    ngx_destroy_pool(pool);
}


static void
ngx_media_hook_queue_add(ngx_media_hook_conf_t *conf,
    ngx_media_hook_url_t *url, const ngx_media_hook_event_t *e,
    ngx_pool_t *pool)
{
    ngx_uint_t                 room;
    ngx_media_hook_entry_t    *entry;
    ngx_media_hook_target_t   *t;
    ngx_media_hook_message_t   m;

    t = ngx_media_hook_target(url);
    if (t == NULL) {
        return;
    }

    /* there will be another update; what ended is told once */

    room = (e->event == NGX_MEDIA_HOOK_UPDATE) ? NGX_MEDIA_HOOK_QUEUE / 2
                                               : NGX_MEDIA_HOOK_QUEUE;

    if (t->nentries >= room) {
        ngx_media_hook_queue_full(t);
        return;
    }

    if (ngx_media_hook_message(pool, conf, url, e, &m) != NGX_OK) {
        return;
    }

    entry = ngx_media_hook_entry(&m, e);

    if (entry == NULL) {
        ngx_media_hook_queue_full(t);
        return;
    }

    ngx_queue_insert_tail(&t->entries, &entry->queue);
    t->nentries++;

    if (t->web == NULL && !t->timer.timer_set) {
        ngx_media_hook_queue_next(t);
    }
}


static ngx_media_hook_entry_t *
ngx_media_hook_entry(const ngx_media_hook_message_t *m,
    const ngx_media_hook_event_t *e)
{
    u_char                  *p;
    const ngx_str_t         *id;
    ngx_media_hook_entry_t  *entry;

    entry = ngx_alloc(sizeof(ngx_media_hook_entry_t) + m->path.len
                      + m->body.len, ngx_cycle->log);
    if (entry == NULL) {
        return NULL;
    }

    entry->message = *m;
    entry->since = ngx_current_msec;
    entry->event = e->event;
    entry->tried = 0;

    id = &e->text[NGX_MEDIA_TEXT_ID];
    (void) ngx_cpystrn(entry->client, id->data,
                       ngx_min(id->len, NGX_MEDIA_ID_LEN) + 1);

    p = (u_char *) entry + sizeof(ngx_media_hook_entry_t);

    entry->message.path.data = p;
    p = ngx_media_put(p, m->path.data, m->path.len);

    entry->message.body.data = p;
    (void) ngx_media_put(p, m->body.data, m->body.len);

    return entry;
}


static void
ngx_media_hook_queue_full(ngx_media_hook_target_t *t)
{
    ngx_media_hook_count(NGX_MEDIA_HOOK_DROPPED);
    t->dropped++;

    if (t->warned && ngx_time() - t->warned < NGX_MEDIA_HOOK_WARN) {
        return;
    }

    t->warned = ngx_time();

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "hook %V is too slow: %ui messages wait for it, more are "
                  "dropped", &t->url->shown, t->nentries);
}


/* sends the first one; not while one is under way */

static void
ngx_media_hook_queue_next(ngx_media_hook_target_t *t)
{
    ngx_media_hook_entry_t  *entry;

    entry = ngx_media_hook_queue_head(t);

    if (entry == NULL) {
        return;
    }

    entry->tried = 1;

    t->web = ngx_media_hook_send(&entry->message, ngx_cycle->log,
                                 ngx_media_hook_queue_done, t);
    if (t->web == NULL) {
        ngx_media_hook_queue_wait(t);
    }
}


/*
 * The first one that is not too old; where the back end works all are sent,
 * unless the worker has to go.
 */

static ngx_media_hook_entry_t *
ngx_media_hook_queue_head(ngx_media_hook_target_t *t)
{
    ngx_msec_t               queue;
    ngx_queue_t             *q;
    ngx_media_hook_entry_t  *entry;

    while (!ngx_queue_empty(&t->entries)) {
        q = ngx_queue_head(&t->entries);
        entry = ngx_queue_data(q, ngx_media_hook_entry_t, queue);

        queue = entry->message.conf->queue;

        if ((!t->down && !ngx_exiting)
            || ngx_current_msec - entry->since < queue
            || (queue == 0 && !entry->tried))
        {
            return entry;
        }

        ngx_media_hook_queue_drop(t, entry);
        ngx_media_hook_count(NGX_MEDIA_HOOK_DROPPED);
        t->dropped++;
    }

    return NULL;
}


static void
ngx_media_hook_queue_drop(ngx_media_hook_target_t *t,
    ngx_media_hook_entry_t *entry)
{
    ngx_queue_remove(&entry->queue);
    t->nentries--;

    ngx_free(entry);
}


static void
ngx_media_hook_queue_done(void *data, ngx_media_web_answer_t *a)
{
    ngx_media_hook_target_t *t = data;

    ngx_queue_t             *q;
    ngx_media_hook_entry_t  *entry;

    t->web = NULL;

    if (ngx_media_hook_none(a) || a->status == 429) {
        ngx_media_hook_failed(t, a);
        ngx_media_hook_queue_wait(t);
        return;
    }

    ngx_media_hook_answered(t);
    t->backoff = 0;

    q = ngx_queue_head(&t->entries);
    entry = ngx_queue_data(q, ngx_media_hook_entry_t, queue);

    /* out of the queue first: a viewer who is kicked is told of at once */

    ngx_queue_remove(&entry->queue);
    t->nentries--;

    ngx_media_hook_queue_said(t, entry, a);
    ngx_free(entry);

    if (t->web == NULL && !t->timer.timer_set) {
        ngx_media_hook_queue_next(t);
    }
}


/*
 * It was told; that it does not like it changes nothing, but that nginx-rtmp
 * closes a client where on_update is refused.
 */

static void
ngx_media_hook_queue_said(ngx_media_hook_target_t *t,
    ngx_media_hook_entry_t *entry, ngx_media_web_answer_t *a)
{
    ngx_str_t    id;
    ngx_uint_t   rtmp;

    if (a->status >= 200 && a->status < 300) {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "hook %V answers %V with status %ui", &t->url->shown,
                  &ngx_media_hook_names[entry->event], a->status);

    rtmp = (entry->message.conf->format == NGX_MEDIA_HOOK_RTMP);

    if (rtmp && entry->event == NGX_MEDIA_HOOK_UPDATE) {
        id.data = entry->client;
        id.len = ngx_strlen(entry->client);

        (void) ngx_media_client_kick(&id);
    }
}


static void
ngx_media_hook_queue_wait(ngx_media_hook_target_t *t)
{
    t->backoff = t->backoff ? ngx_min(2 * t->backoff,
                                      NGX_MEDIA_HOOK_BACKOFF_MAX)
                            : NGX_MEDIA_HOOK_BACKOFF;

    /* hook_queue 0: told once, and not again */

    if (ngx_media_hook_queue_head(t) == NULL) {
        return;
    }

    t->timer.handler = ngx_media_hook_queue_timer;
    t->timer.data = &t->dummy;
    t->timer.log = ngx_cycle->log;

    ngx_add_timer(&t->timer, t->backoff);
}


static void
ngx_media_hook_queue_timer(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_media_hook_queue_next(c->data);
}


void
ngx_media_hook_queue_exit(void)
{
    ngx_uint_t                n;
    ngx_queue_t              *list, *q;
    ngx_media_hook_entry_t   *entry;
    ngx_media_hook_target_t  *t;

    ngx_media_hook_queue_gone = 1;

    list = ngx_media_hook_targets();

    while (!ngx_queue_empty(list)) {
        q = ngx_queue_head(list);
        t = ngx_queue_data(q, ngx_media_hook_target_t, queue);

        if (t->web) {
            ngx_media_web_cancel(t->web);
        }

        if (t->timer.timer_set) {
            ngx_del_timer(&t->timer);
        }

        n = t->nentries;

        while (!ngx_queue_empty(&t->entries)) {
            q = ngx_queue_head(&t->entries);
            entry = ngx_queue_data(q, ngx_media_hook_entry_t, queue);
            ngx_media_hook_queue_drop(t, entry);
        }

        if (n + t->dropped) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "hook %V was not told of %ui events",
                          &t->url->shown, n + t->dropped);
        }

        ngx_queue_remove(&t->queue);
        ngx_free(t);
    }
}
