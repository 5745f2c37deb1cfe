
/*
 * Copyright (C) the nginx media suite authors
 *
 * Feeds and the pump: how what happened in a source reaches the consumers of
 * this worker.
 *
 * A feed is a source as one worker sees it.  It holds the worker's bit in
 * source->slots while it exists, so that publishers wake this worker and the
 * janitor leaves the source alone.  What changed is put into the dirty list;
 * the pump, a posted event, walks the list in rounds: each feed's wires read
 * the ring, and every consumer that is not blocked sends what there is.
 *
 *   notify -> dirty list -> pump: pull, serve, serve, ... -> next round
 *
 * A round is cut into short slices, with the event loop between them, so that
 * accepts and reads do not wait for a thousand sends: an RTMP player asks four
 * times before it plays, and may wait for a slice each time.  Adaptive
 * sending (send_latency 0): the next round begins at once when rounds are
 * cheap; the dearer they are, the longer it is put off, and the more frames
 * one send carries.  With send_latency T a feed is served every T; while frames
 * come it looks for them by itself and is not woken for each.
 */


#include "ngx_media_wire.h"

#include <time.h>


#define NGX_MEDIA_SLICE         250     /* us */
#define NGX_MEDIA_MUTE          20      /* ms of send_latency: no wakes */
#define NGX_MEDIA_ROUND_CHEAP   8000    /* us of CPU: the next one at once */
#define NGX_MEDIA_ROUND_FACTOR  13
#define NGX_MEDIA_ROUND_MAX     300000  /* us: never put off longer */


static int64_t ngx_media_feed_due(ngx_media_feed_t *feed);
static void ngx_media_pump_schedule(ngx_media_feed_t *feed, int64_t now);
static void ngx_media_pump_handler(ngx_event_t *ev);
static void ngx_media_pump_newcomers(ngx_event_t *ev);
static ngx_uint_t ngx_media_pump_round(int64_t now);
static ngx_uint_t ngx_media_feed_serve(ngx_media_feed_t *feed, int64_t until);
static void ngx_media_feed_rest(ngx_media_feed_t *feed);
static void ngx_media_feed_mute(ngx_media_feed_t *feed, ngx_uint_t mute);
static void ngx_media_feed_state(ngx_media_feed_t *feed);
static void ngx_media_feed_missing(ngx_media_feed_t *feed);
static void ngx_media_feed_players(ngx_media_feed_t *feed);
static void ngx_media_feed_event(ngx_media_feed_t *feed, ngx_uint_t event);
static void ngx_media_feed_timer(ngx_event_t *ev);
static void ngx_media_feed_free(ngx_media_feed_t *feed);
static int64_t ngx_media_cpu_now(void);


typedef struct {
    ngx_media_feed_t  **feeds;          /* by source index */
    uint32_t            nfeeds;
    ngx_queue_t         dirty;
    ngx_queue_t         next;           /* marked while a round runs */
    ngx_queue_t         fresh;          /* feeds with newcomers */
    ngx_event_t         posted;
    ngx_event_t         newcomers;
    ngx_event_t         timer;
    ngx_connection_t    dummy;
    int64_t             due;            /* us; adaptive feeds not before */
    int64_t             cost;           /* us of CPU in this round */
    unsigned            in_round:1;
} ngx_media_pump_t;


static ngx_media_pump_t  ngx_media_pump;


void
ngx_media_feeds_init(ngx_cycle_t *cycle)
{
    ngx_media_pump_t  *p;

    p = &ngx_media_pump;

    ngx_queue_init(&p->dirty);
    ngx_queue_init(&p->next);
    ngx_queue_init(&p->fresh);

    p->nfeeds = ngx_media_arena()->nsources;
    p->feeds = ngx_calloc(p->nfeeds * sizeof(ngx_media_feed_t *), cycle->log);

    if (p->feeds == NULL) {
        p->nfeeds = 0;
    }

    p->dummy.fd = (ngx_socket_t) -1;

    p->posted.handler = ngx_media_pump_handler;
    p->posted.data = &p->dummy;
    p->posted.log = cycle->log;

    p->newcomers.handler = ngx_media_pump_newcomers;
    p->newcomers.data = &p->dummy;
    p->newcomers.log = cycle->log;

    p->timer.handler = ngx_media_pump_handler;
    p->timer.data = &p->dummy;
    p->timer.log = cycle->log;
    p->timer.cancelable = 1;
}


/* sessions that are still there keep their wires: the process ends now */

void
ngx_media_feeds_exit(void)
{
    if (ngx_media_pump.feeds) {
        ngx_free(ngx_media_pump.feeds);
        ngx_media_pump.feeds = NULL;
        ngx_media_pump.nfeeds = 0;
    }
}


ngx_media_feed_t *
ngx_media_feed_get(ngx_media_source_t *src)
{
    uint32_t           n, idx;
    ngx_media_feed_t  *feed;
    ngx_media_pump_t  *p;

    p = &ngx_media_pump;
    idx = ngx_media_source_index(src);

    if (idx >= p->nfeeds) {
        return NULL;
    }

    feed = p->feeds[idx];

    if (feed) {
        return (feed->generation == src->generation) ? feed : NULL;
    }

    feed = ngx_calloc(sizeof(ngx_media_feed_t), ngx_cycle->log);

    if (feed == NULL) {
        return NULL;
    }

    feed->source = src;
    feed->index = idx;
    feed->generation = src->generation;
    feed->ended = ngx_current_msec;

    ngx_queue_init(&feed->wires);
    ngx_queue_init(&feed->readers);

    feed->timer.handler = ngx_media_feed_timer;
    feed->timer.data = &p->dummy;
    feed->timer.log = ngx_cycle->log;
    feed->timer.cancelable = 1;

    n = ngx_media_slot();

    ngx_media_feed_mute(feed, 0);

    if (n != NGX_MEDIA_NO_SLOT) {
        (void) __atomic_fetch_or(&src->slots[n / 64], (uint64_t) 1 << (n % 64),
                                 __ATOMIC_SEQ_CST);
    }

    /* after the bit: what changes from here on wakes us */

    feed->epoch = __atomic_load_n(&src->epoch, __ATOMIC_SEQ_CST);
    feed->missing = __atomic_load_n(&src->missing, __ATOMIC_SEQ_CST);

    p->feeds[idx] = feed;

    if (!(feed->epoch & 1)) {
        ngx_add_timer(&feed->timer, 1000);
    }

    return feed;
}


static void
ngx_media_feed_free(ngx_media_feed_t *feed)
{
    uint32_t             n;
    ngx_queue_t         *q;
    ngx_media_source_t  *src;

    src = feed->source;

    while (!ngx_queue_empty(&feed->wires)) {
        q = ngx_queue_head(&feed->wires);
        ngx_media_wire_free(ngx_queue_data(q, ngx_media_wire_t, queue));
    }

    if (feed->is_dirty) {
        ngx_queue_remove(&feed->dirty);
    }

    if (feed->is_fresh) {
        ngx_queue_remove(&feed->fresh);
    }

    if (feed->is_reading) {
        ngx_queue_remove(&feed->reading);
    }

    if (feed->timer.timer_set) {
        ngx_del_timer(&feed->timer);
    }

    src->used_msec = ngx_media_msec();

    n = ngx_media_slot();

    ngx_media_feed_mute(feed, 0);

    if (n != NGX_MEDIA_NO_SLOT) {
        (void) __atomic_fetch_and(&src->slots[n / 64],
                                  ~((uint64_t) 1 << (n % 64)),
                                  __ATOMIC_SEQ_CST);
    }

    ngx_media_pump.feeds[feed->index] = NULL;
    ngx_free(feed);
}


void
ngx_media_feed_dirty(uint32_t index)
{
    ngx_media_feed_t  *feed;

    if (index < ngx_media_pump.nfeeds) {
        feed = ngx_media_pump.feeds[index];

        if (feed) {
            ngx_media_feed_mark(feed);
        }
    }
}


void
ngx_media_feed_mark(ngx_media_feed_t *feed)
{
    ngx_media_pump_t  *p;

    p = &ngx_media_pump;
    feed->again = 1;

    if (!ngx_queue_empty(&feed->readers)) {
        ngx_media_readers_mark(feed);
    }

    if (feed->is_dirty) {
        return;
    }

    feed->is_dirty = 1;

    if (p->in_round) {

        /* a round ends, so that the next one may be put off */

        ngx_queue_insert_tail(&p->next, &feed->dirty);
        return;
    }

    ngx_queue_insert_tail(&p->dirty, &feed->dirty);

    ngx_media_pump_schedule(feed, ngx_media_now());
}


void
ngx_media_feed_newcomer(ngx_media_feed_t *feed)
{
    ngx_media_pump_t  *p;

    p = &ngx_media_pump;

    if (!feed->is_fresh) {
        feed->is_fresh = 1;
        ngx_queue_insert_tail(&p->fresh, &feed->fresh);
    }

    if (!p->newcomers.posted) {
        ngx_post_event(&p->newcomers, &ngx_posted_events);
    }
}


static void
ngx_media_pump_newcomers(ngx_event_t *ev)
{
    ngx_queue_t       *q, *next;
    ngx_media_feed_t  *feed;
    ngx_media_pump_t  *p;
    ngx_media_wire_t  *w;

    p = &ngx_media_pump;

    while (!ngx_queue_empty(&p->fresh)) {

        q = ngx_queue_head(&p->fresh);
        feed = ngx_queue_data(q, ngx_media_feed_t, fresh);

        ngx_queue_remove(q);
        feed->is_fresh = 0;

        for (q = ngx_queue_head(&feed->wires);
             q != ngx_queue_sentinel(&feed->wires);
             q = next)
        {
            next = ngx_queue_next(q);
            w = ngx_queue_data(q, ngx_media_wire_t, queue);

            if (w->nconsumers) {
                ngx_media_wire_pull(w);
                ngx_media_wire_serve_fresh(w);
            }
        }

        if (!(feed->epoch & 1)) {

            /* a publisher may have come since: its event is due */

            ngx_media_feed_state(feed);
        }
    }
}


static int64_t
ngx_media_feed_due(ngx_media_feed_t *feed)
{
    return feed->policy.send_latency ? feed->due : ngx_media_pump.due;
}


static void
ngx_media_pump_schedule(ngx_media_feed_t *feed, int64_t now)
{
    int64_t            due;
    ngx_msec_t         ms;
    ngx_media_pump_t  *p;

    p = &ngx_media_pump;

    if (p->posted.posted) {
        return;
    }

    due = ngx_media_feed_due(feed);

    if (due <= now) {
        ngx_post_event(&p->posted, &ngx_posted_events);
        return;
    }

    ms = (ngx_msec_t) ((due - now + 999) / 1000);

    if (p->timer.timer_set) {

        if ((ngx_msec_int_t) (p->timer.timer.key - ngx_current_msec - ms)
            <= 0)
        {
            return;
        }

        ngx_del_timer(&p->timer);
    }

    ngx_add_timer(&p->timer, ms);
}


static int64_t
ngx_media_cpu_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void
ngx_media_pump_handler(ngx_event_t *ev)
{
    int64_t            now, cpu, delay;
    ngx_uint_t         more;
    ngx_queue_t       *q;
    ngx_media_pump_t  *p;

    p = &ngx_media_pump;

    if (!ngx_queue_empty(&p->fresh)) {

        /* they came since the last slice, and their event is behind this */

        ngx_media_pump_newcomers(&p->newcomers);
    }

    now = ngx_media_now();
    cpu = ngx_media_cpu_now();

    p->in_round = 1;

    more = ngx_media_pump_round(now);

    p->cost += ngx_media_cpu_now() - cpu;

    if (more) {

        /* let the event loop look at its sockets, then go on */

        if (!p->posted.posted) {
            ngx_post_event(&p->posted, &ngx_posted_next_events);
        }

        return;
    }

    delay = 0;

    if (p->cost > NGX_MEDIA_ROUND_CHEAP) {
        delay = (p->cost - NGX_MEDIA_ROUND_CHEAP) * NGX_MEDIA_ROUND_FACTOR;
        delay = ngx_min(delay, NGX_MEDIA_ROUND_MAX);
    }

    now = ngx_media_now();

    p->due = delay ? now + delay : 0;
    p->cost = 0;
    p->in_round = 0;

    ngx_queue_add(&p->dirty, &p->next);
    ngx_queue_init(&p->next);

    for (q = ngx_queue_head(&p->dirty);
         q != ngx_queue_sentinel(&p->dirty) && !p->posted.posted;
         q = ngx_queue_next(q))
    {
        ngx_media_pump_schedule(ngx_queue_data(q, ngx_media_feed_t, dirty),
                                now);
    }
}


/* 1: the slice is over and feeds are left that are due now */

static ngx_uint_t
ngx_media_pump_round(int64_t now)
{
    int64_t            until;
    ngx_queue_t       *q;
    ngx_media_feed_t  *feed;
    ngx_media_pump_t  *p;

    p = &ngx_media_pump;
    until = now + NGX_MEDIA_SLICE;

    while (!ngx_queue_empty(&p->dirty)) {

        q = ngx_queue_head(&p->dirty);
        feed = ngx_queue_data(q, ngx_media_feed_t, dirty);

        if (ngx_media_feed_due(feed) > now) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&p->next, q);
            continue;
        }

        /* until it is finished it stays first in line */

        if (ngx_media_feed_serve(feed, until)) {
            return 1;
        }

        ngx_queue_remove(&feed->dirty);
        feed->is_dirty = 0;
        feed->due = now + (int64_t) feed->policy.send_latency * 1000;

        ngx_media_feed_rest(feed);

        if (ngx_media_now() > until && !ngx_queue_empty(&p->dirty)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Served, and when is it looked at next: at the end of send_latency where
 * frames are coming, else when it is woken.  Readers are woken for each frame.
 */

static void
ngx_media_feed_rest(ngx_media_feed_t *feed)
{
    uint64_t  head;

    head = ngx_media_ring_load(&feed->source->ring.head);

    if (feed->policy.send_latency >= NGX_MEDIA_MUTE && (feed->epoch & 1)
        && feed->consumers && ngx_queue_empty(&feed->readers)
        && head != feed->seen
        && ngx_media_slot() != NGX_MEDIA_NO_SLOT)
    {
        feed->seen = head;
        feed->again = 1;

        if (!feed->muted) {
            ngx_media_feed_mute(feed, 1);
        }

    } else if (feed->muted) {

        /* what comes from here on wakes; what came before is seen here */

        ngx_media_feed_mute(feed, 0);

        if (__atomic_load_n(&feed->source->ring.head, __ATOMIC_SEQ_CST)
            != head)
        {
            feed->again = 1;
        }
    }

    if (feed->again) {
        ngx_media_feed_mark(feed);
    }
}


static void
ngx_media_feed_mute(ngx_media_feed_t *feed, ngx_uint_t mute)
{
    uint32_t   n;
    uint64_t   bit, *word;

    n = ngx_media_slot();

    feed->muted = (mute != 0);

    if (n == NGX_MEDIA_NO_SLOT) {
        return;
    }

    word = &feed->source->muted[n / 64];
    bit = (uint64_t) 1 << (n % 64);

    if (mute) {
        (void) __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);

    } else {
        (void) __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
    }
}


/* 1: the slice ended before all consumers were served */

static ngx_uint_t
ngx_media_feed_serve(ngx_media_feed_t *feed, int64_t until)
{
    ngx_queue_t       *q, *next;
    ngx_media_wire_t  *w;

    /* where the slice before ended, or a new pass */

    for (q = ngx_queue_head(&feed->wires);
         q != ngx_queue_sentinel(&feed->wires);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_media_wire_t, queue);

        if (w->open) {
            break;
        }
    }

    if (q == ngx_queue_sentinel(&feed->wires)) {
        feed->again = 0;
        q = ngx_queue_head(&feed->wires);

        if (!(feed->epoch & 1)) {
            ngx_media_feed_state(feed);
        }
    }

    for ( /* void */ ; q != ngx_queue_sentinel(&feed->wires); q = next) {

        next = ngx_queue_next(q);
        w = ngx_queue_data(q, ngx_media_wire_t, queue);

        if (w->nconsumers == 0) {
            w->open = 0;
            continue;
        }

        if (!w->open) {
            ngx_media_wire_pull(w);
        }

        if (ngx_media_wire_serve(w, until)) {
            return 1;
        }
    }

    ngx_media_feed_state(feed);

    return 0;
}


/* a publisher came or went */

static void
ngx_media_feed_state(ngx_media_feed_t *feed)
{
    uint64_t  epoch;

    epoch = ngx_media_ring_load(&feed->source->epoch);

    if (epoch == feed->epoch) {

        if (!(epoch & 1)) {
            ngx_media_feed_missing(feed);
        }

        return;
    }

    feed->epoch = epoch;
    feed->end_seen = 0;

    if (epoch & 1) {

        if (feed->timer.timer_set) {
            ngx_del_timer(&feed->timer);
        }

        ngx_media_feed_event(feed, NGX_MEDIA_EVENT_PUBLISH);
        return;
    }

    ngx_media_feed_event(feed, NGX_MEDIA_EVENT_UNPUBLISH);

    ngx_add_timer(&feed->timer, 1);
}


/* it could not be fetched: not the affair of those who wait for it back */

static void
ngx_media_feed_missing(ngx_media_feed_t *feed)
{
    uint32_t  missing;

    missing = __atomic_load_n(&feed->source->missing, __ATOMIC_ACQUIRE);

    if (missing == feed->missing) {
        return;
    }

    feed->missing = missing;

    if (feed->source->publishes == 0
        || ngx_media_msec() - feed->source->left_msec
           > (int64_t) feed->source->policy.republish_wait)
    {
        ngx_media_feed_event(feed, NGX_MEDIA_EVENT_MISSING);
    }
}


static void
ngx_media_feed_event(ngx_media_feed_t *feed, ngx_uint_t event)
{
    ngx_queue_t       *q, *next;
    ngx_media_wire_t  *w;

    for (q = ngx_queue_head(&feed->wires);
         q != ngx_queue_sentinel(&feed->wires);
         q = next)
    {
        next = ngx_queue_next(q);
        w = ngx_queue_data(q, ngx_media_wire_t, queue);

        ngx_media_wire_event(w, event);
    }

    ngx_media_readers_event(feed, event);
}


/* nobody publishes: republish_wait first, then idle_timeout of each player */

static void
ngx_media_feed_timer(ngx_event_t *ev)
{
    int64_t              left;
    ngx_msec_t           next, idle;
    ngx_queue_t         *q, *following;
    ngx_media_feed_t    *feed;
    ngx_media_wire_t    *w;
    ngx_media_source_t  *src;

    feed = (ngx_media_feed_t *) ((u_char *) ev
                                 - offsetof(ngx_media_feed_t, timer));
    src = feed->source;

    ngx_media_feed_state(feed);

    if (feed->epoch & 1) {
        return;
    }

    if (!feed->end_seen && src->publishes) {

        left = src->left_msec + src->policy.republish_wait - ngx_media_msec();

        if (left > 0) {
            ngx_add_timer(ev, (ngx_msec_t) left + 1);
            return;
        }

        feed->end_seen = 1;
        feed->ended = ngx_current_msec;

        ngx_media_feed_event(feed, NGX_MEDIA_EVENT_END);
    }

    next = NGX_TIMER_INFINITE;

    for (q = ngx_queue_head(&feed->wires);
         q != ngx_queue_sentinel(&feed->wires);
         q = following)
    {
        following = ngx_queue_next(q);
        w = ngx_queue_data(q, ngx_media_wire_t, queue);

        idle = ngx_media_wire_idle(w, feed->ended, feed->policy.idle_timeout);
        next = ngx_min(next, idle);
    }

    /* new players may come with a clock of their own: look again soon */

    ngx_add_timer(ev, ngx_min(next, 1000) + 1);
}


/* one of them may want what is not there any more */

static void
ngx_media_feed_players(ngx_media_feed_t *feed)
{
    ngx_queue_t           *q;
    ngx_media_wire_t      *w;
    ngx_media_wanted_t     wanted;
    ngx_media_session_t   *s;

    feed->source->played_msec = ngx_media_msec();

    if (ngx_media_source_live(feed->source)) {
        return;
    }

    for (q = ngx_queue_head(&feed->wires);
         q != ngx_queue_sentinel(&feed->wires);
         q = ngx_queue_next(q))
    {
        w = ngx_queue_data(q, ngx_media_wire_t, queue);
        s = ngx_media_wire_player(w);

        if (s == NULL) {
            continue;
        }

        wanted.conf = s->conf;
        wanted.vhost = ngx_media_session_text(s, NGX_MEDIA_TEXT_VHOST);
        wanted.app = ngx_media_session_text(s, NGX_MEDIA_TEXT_APP);
        wanted.stream = ngx_media_session_text(s, NGX_MEDIA_TEXT_STREAM);
        wanted.args = ngx_media_session_args(s);
        wanted.waits = 1;

        (void) ngx_media_services_wanted(&wanted);
        return;
    }
}


void
ngx_media_feeds_tick(void)
{
    uint32_t           i;
    ngx_queue_t       *q, *next;
    ngx_media_feed_t  *feed;
    ngx_media_wire_t  *w;

    ngx_media_wire_tick();

    for (i = 0; i < ngx_media_pump.nfeeds; i++) {
        feed = ngx_media_pump.feeds[i];

        if (feed == NULL) {
            continue;
        }

        feed->source->used_msec = ngx_media_msec();

        if (feed->players) {
            ngx_media_feed_players(feed);
        }

        if (feed->sent) {
            (void) __atomic_fetch_add(&feed->source->send_bytes, feed->sent,
                                      __ATOMIC_RELAXED);
            feed->sent = 0;
        }

        for (q = ngx_queue_head(&feed->wires);
             q != ngx_queue_sentinel(&feed->wires);
             q = next)
        {
            next = ngx_queue_next(q);
            w = ngx_queue_data(q, ngx_media_wire_t, queue);

            if (w->nconsumers == 0) {
                ngx_media_wire_free(w);
            }
        }

        if (ngx_queue_empty(&feed->wires)
            && ngx_queue_empty(&feed->readers))
        {
            ngx_media_feed_free(feed);
        }
    }
}


void
ngx_media_feeds_poll(void)
{
    uint32_t  i;

    for (i = 0; i < ngx_media_pump.nfeeds; i++) {
        if (ngx_media_pump.feeds[i]) {
            ngx_media_feed_mark(ngx_media_pump.feeds[i]);
        }
    }
}
