
/*
 * Copyright (C) the nginx media suite authors
 *
 * Slots: the entry of a worker in the arena, its wake and its commands.
 *
 * A worker owns a slot by holding the slot's robust mutex for its whole life,
 * so a trylock that says EOWNERDEAD is the truth about its death: a killed
 * worker is a zombie for a while and its pid may come again.  Whoever finds a
 * dead owner first reaps it: its sources lose their publisher, its sessions
 * leave the statistics.
 *
 * A worker for which there is no slot holds a mutex of another table, so that
 * its death is found in the same way.  It has no wake: it looks by itself, at
 * its sources and at commands posted to all of its kind.
 *
 * A wake is one bit.  The sender sets what is dirty, then the pending flag; it
 * writes to the eventfd only if the flag was clear.  The receiver clears the
 * flag by exchange and only then looks at what is dirty: in the other order a
 * wake between the two would be lost for ever.  The eventfd is edge-triggered
 * and never read.
 *
 *   sender                        receiver (epoll)
 *     dirty |= bit                  pending = 0  (exchange)
 *     pending = 1 (exchange)        take dirty, commands
 *     was 0: write(eventfd)         serve
 */


#include "ngx_media_core.h"

#include <sys/resource.h>


#define NGX_MEDIA_TICK       1000       /* ms: housekeeping */
#define NGX_MEDIA_POLL       20         /* ms: a worker without a slot */


/* what proves that an owner lives, in its slot or its life */

typedef struct {
    pthread_mutex_t    *mutex;
    int32_t            *pid;
    uint32_t           *reaping;
} ngx_media_slot_proof_t;


static ngx_int_t ngx_media_slot_take(ngx_cycle_t *cycle);
static ngx_int_t ngx_media_slot_take_life(ngx_cycle_t *cycle);
static ngx_int_t ngx_media_slot_hold(uint32_t n, ngx_log_t *log);
static void ngx_media_slot_proof(uint32_t n, ngx_media_slot_proof_t *proof);
static ngx_int_t ngx_media_slot_listen(ngx_cycle_t *cycle);
static void ngx_media_slot_wake_handler(ngx_event_t *ev);
static ngx_uint_t ngx_media_slot_wake(ngx_media_source_t *src,
    uint64_t *slots, uint64_t *muted);
static void ngx_media_slot_drain(ngx_media_slot_t *slot);
static void ngx_media_slot_commands(ngx_media_slot_t *slot);
static void ngx_media_slot_posts(void);
static void ngx_media_slot_execute(ngx_media_command_t *cmd);
static void ngx_media_slot_reap(uint32_t n, ngx_log_t *log);
static uint32_t ngx_media_slot_reap_clients(uint32_t n);
static void ngx_media_slot_tick(ngx_event_t *ev);
static void ngx_media_slot_poll(ngx_event_t *ev);
static void ngx_media_slot_usage(ngx_media_slot_t *slot);


typedef struct {
    uint32_t            index;
    uint32_t            owner;     /* index, or that of its life */
    uint64_t            posts;     /* commands seen, without a slot */
    ngx_connection_t   *wake;
    ngx_connection_t    dummy;     /* data of timers: --with-debug reads fd */
    ngx_event_t         tick;
    ngx_event_t         poll;
    ngx_uint_t          ticks;
    void              (*signal)(void);
    unsigned            draining:1;
} ngx_media_slot_local_t;


static ngx_media_slot_local_t  ngx_media_slot_local = {
    NGX_MEDIA_NO_SLOT, NGX_MEDIA_NO_SLOT, 0, NULL, { 0 }, { 0 }, { 0 }, 0, NULL,
    0
};


ngx_int_t
ngx_media_slot_open(ngx_cycle_t *cycle)
{
    ngx_media_slot_local_t  *l;

    l = &ngx_media_slot_local;

    if (!(ngx_event_flags & NGX_USE_CLEAR_EVENT)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "media needs an edge-triggered event method, "
                      "say \"use epoll;\" in events{}");
        return NGX_ERROR;
    }

    l->dummy.fd = (ngx_socket_t) -1;

    l->tick.handler = ngx_media_slot_tick;
    l->tick.data = &l->dummy;
    l->tick.log = cycle->log;
    l->tick.cancelable = 1;

    if (ngx_media_slot_take(cycle) == NGX_OK) {

        if (ngx_media_slot_listen(cycle) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "all %d media slots are taken by workers, this one "
                      "polls every %d ms", NGX_MEDIA_SLOTS, NGX_MEDIA_POLL);

        if (ngx_media_slot_take_life(cycle) != NGX_OK) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                          "more than %d workers at once, this one takes no "
                          "media sessions",
                          NGX_MEDIA_SLOTS + NGX_MEDIA_LIVES);
        }

        l->poll.handler = ngx_media_slot_poll;
        l->poll.data = &l->dummy;
        l->poll.log = cycle->log;
        l->poll.cancelable = 1;

        ngx_add_timer(&l->poll, NGX_MEDIA_POLL);
    }

    ngx_add_timer(&l->tick, NGX_MEDIA_TICK);

    return NGX_OK;
}


static ngx_int_t
ngx_media_slot_take(ngx_cycle_t *cycle)
{
    uint32_t            i;
    ngx_media_slot_t   *slot;
    ngx_media_arena_t  *a;

    a = ngx_media_arena();

    for (i = 0; i < NGX_MEDIA_SLOTS; i++) {

        if (ngx_media_slot_hold(i, cycle->log) != NGX_OK) {
            continue;
        }

        slot = &a->slots[i];

        ngx_media_lock();

        slot->generation++;
        slot->cmd_head = slot->cmd_tail;
        slot->exiting = 0;
        slot->cpu_us = 0;
        slot->cpu_msec = 0;
        slot->cpu_percent = 0;
        slot->sessions = 0;
        slot->pid = ngx_pid;

        ngx_media_unlock();

        ngx_memzero(slot->dirty, sizeof(slot->dirty));
        __atomic_store_n(&slot->signal, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&slot->pending, 0, __ATOMIC_SEQ_CST);

        ngx_media_slot_local.index = i;
        ngx_media_slot_local.owner = i;

        return NGX_OK;
    }

    ngx_media_lock();
    a->no_slot++;
    ngx_media_unlock();

    return NGX_DECLINED;
}


static ngx_int_t
ngx_media_slot_take_life(ngx_cycle_t *cycle)
{
    uint32_t            i;
    ngx_media_arena_t  *a;

    a = ngx_media_arena();

    for (i = 0; i < NGX_MEDIA_LIVES; i++) {

        if (ngx_media_slot_hold(NGX_MEDIA_SLOTS + i, cycle->log) != NGX_OK) {
            continue;
        }

        ngx_media_lock();
        a->lives[i].pid = ngx_pid;
        ngx_media_slot_local.posts = a->posts;
        ngx_media_unlock();

        ngx_media_slot_local.owner = NGX_MEDIA_SLOTS + i;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* NGX_OK: this process has it now, and the owner before is buried */

static ngx_int_t
ngx_media_slot_hold(uint32_t n, ngx_log_t *log)
{
    int                     rc;
    ngx_media_slot_proof_t  proof;

    ngx_media_slot_proof(n, &proof);

    rc = pthread_mutex_trylock(proof.mutex);

    if (rc == EOWNERDEAD) {
        (void) pthread_mutex_consistent(proof.mutex);
        ngx_media_slot_reap(n, log);
        rc = 0;
    }

    return (rc == 0) ? NGX_OK : NGX_DECLINED;
}


static void
ngx_media_slot_proof(uint32_t n, ngx_media_slot_proof_t *proof)
{
    ngx_media_life_t  *life;
    ngx_media_slot_t  *slot;

    if (n < NGX_MEDIA_SLOTS) {
        slot = &ngx_media_arena()->slots[n];
        proof->mutex = &slot->mutex;
        proof->pid = &slot->pid;
        proof->reaping = &slot->reaping;
        return;
    }

    life = &ngx_media_arena()->lives[n - NGX_MEDIA_SLOTS];
    proof->mutex = &life->mutex;
    proof->pid = &life->pid;
    proof->reaping = &life->reaping;
}


static ngx_int_t
ngx_media_slot_listen(ngx_cycle_t *cycle)
{
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ngx_get_connection(ngx_media_arena()
                               ->wake_fd[ngx_media_slot_local.index],
                           cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->pool = cycle->pool;

    rev = c->read;
    rev->log = cycle->log;
    rev->channel = 1;
    rev->handler = ngx_media_slot_wake_handler;

    c->write->log = cycle->log;
    c->write->channel = 1;

    if (ngx_add_event(rev, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_media_slot_local.wake = c;

    return NGX_OK;
}


void
ngx_media_slot_close(ngx_cycle_t *cycle)
{
    uint32_t                n;
    ngx_media_slot_proof_t  proof;

    n = ngx_media_slot_local.owner;

    if (n == NGX_MEDIA_NO_SLOT) {
        return;
    }

    /* the same as if it had died, but at once */

    ngx_media_slot_proof(n, &proof);
    ngx_media_slot_reap(n, NULL);
    ngx_media_slot_local.index = NGX_MEDIA_NO_SLOT;
    ngx_media_slot_local.owner = NGX_MEDIA_NO_SLOT;

    (void) pthread_mutex_unlock(proof.mutex);
}


uint32_t
ngx_media_slot(void)
{
    return ngx_media_slot_local.index;
}


uint32_t
ngx_media_owner(void)
{
    return ngx_media_slot_local.owner;
}


void
ngx_media_slot_notify(ngx_media_source_t *src)
{
    if (ngx_media_slot_wake(src, src->slots, NULL)
        || ngx_media_slot_local.index == NGX_MEDIA_NO_SLOT)
    {
        ngx_media_feed_dirty(ngx_media_source_index(src));
    }
}


void
ngx_media_slot_notify_frames(ngx_media_source_t *src)
{
    if (ngx_media_slot_wake(src, src->slots, src->muted)
        || ngx_media_slot_local.index == NGX_MEDIA_NO_SLOT)
    {
        ngx_media_feed_dirty(ngx_media_source_index(src));
    }
}


void
ngx_media_slot_notify_watchers(ngx_media_source_t *src)
{
    if (ngx_media_slot_wake(src, src->watchers, NULL)
        || ngx_media_slot_local.index == NGX_MEDIA_NO_SLOT)
    {
        ngx_media_services_changed(ngx_media_source_index(src));
    }
}


/* wakes the workers of a mask but the muted; 1: this one is among them */

static ngx_uint_t
ngx_media_slot_wake(ngx_media_source_t *src, uint64_t *slots,
    uint64_t *muted)
{
    uint32_t            n, idx;
    uint64_t            mask;
    ngx_uint_t          w, self;
    ngx_media_slot_t   *slot;
    ngx_media_arena_t  *a;
    static uint64_t     one = 1;

    a = ngx_media_arena();
    idx = ngx_media_source_index(src);
    self = 0;

    /*
     * The ring's head (or the epoch) was stored before; a consumer sets its
     * bit and then reads them.  Both sides are sequentially consistent.
     */

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    for (w = 0; w < NGX_MEDIA_SLOTS / 64; w++) {

        mask = __atomic_load_n(&slots[w], __ATOMIC_SEQ_CST);

        if (mask && muted) {
            mask &= ~__atomic_load_n(&muted[w], __ATOMIC_SEQ_CST);
        }

        while (mask) {
            n = (uint32_t) __builtin_ctzll(mask);
            mask &= mask - 1;
            n += w * 64;

            if (n == ngx_media_slot_local.index) {
                self = 1;
                continue;
            }

            slot = &a->slots[n];

            (void) __atomic_fetch_or(&slot->dirty[idx / 64],
                                     (uint64_t) 1 << (idx % 64),
                                     __ATOMIC_SEQ_CST);

            if (__atomic_exchange_n(&slot->pending, 1, __ATOMIC_SEQ_CST) == 0)
            {
                (void) ngx_write_fd(a->wake_fd[n], &one, sizeof(one));
            }
        }
    }

    return self;
}


ngx_int_t
ngx_media_slot_command(uint32_t n, ngx_media_command_t *cmd)
{
    ngx_int_t           rc;
    ngx_media_slot_t   *slot;
    ngx_media_arena_t  *a;
    static uint64_t     one = 1;

    if (n == NGX_MEDIA_NO_SLOT) {
        return NGX_DECLINED;
    }

    a = ngx_media_arena();

    if (n >= NGX_MEDIA_SLOTS) {

        /* all of them see it, the one whose client it is acts */

        ngx_media_lock();
        a->post[a->posts % NGX_MEDIA_POSTS] = *cmd;
        __atomic_store_n(&a->posts, a->posts + 1, __ATOMIC_RELEASE);
        ngx_media_unlock();

        return NGX_OK;
    }

    slot = &a->slots[n];
    rc = NGX_DECLINED;

    ngx_media_lock();

    if (slot->pid && slot->cmd_head - slot->cmd_tail < NGX_MEDIA_COMMANDS) {
        slot->cmd[slot->cmd_head % NGX_MEDIA_COMMANDS] = *cmd;
        slot->cmd_head++;
        rc = NGX_OK;
    }

    ngx_media_unlock();

    if (rc == NGX_OK
        && __atomic_exchange_n(&slot->pending, 1, __ATOMIC_SEQ_CST) == 0)
    {
        (void) ngx_write_fd(a->wake_fd[n], &one, sizeof(one));
    }

    return rc;
}


void
ngx_media_slot_command_all(ngx_media_command_t *cmd)
{
    uint32_t            i;
    ngx_media_arena_t  *a;

    a = ngx_media_arena();

    for (i = 0; i < NGX_MEDIA_SLOTS; i++) {
        if (a->slots[i].pid) {
            (void) ngx_media_slot_command(i, cmd);
        }
    }

    if (a->no_slot) {
        (void) ngx_media_slot_command(NGX_MEDIA_SLOTS, cmd);
    }
}


/* --- signals ------------------------------------------------------------ */

void
ngx_media_slot_signal_handler(void (*handler)(void))
{
    ngx_media_slot_local.signal = handler;
}


void
ngx_media_slot_listen_events(ngx_uint_t on)
{
    uint32_t   n;
    uint64_t  *word, bit;

    n = ngx_media_slot_local.index;

    if (n == NGX_MEDIA_NO_SLOT) {
        return;
    }

    word = &ngx_media_arena()->listeners[n / 64];
    bit = (uint64_t) 1 << (n % 64);

    if (on) {
        (void) __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);

    } else {
        (void) __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
    }
}


void
ngx_media_slot_signal(void)
{
    uint32_t            n;
    uint64_t            mask;
    ngx_uint_t          w;
    ngx_media_slot_t   *slot;
    ngx_media_arena_t  *a;
    static uint64_t     one = 1;

    a = ngx_media_arena();

    /* as in ngx_media_slot_wake(): the ring's head was stored before */

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    for (w = 0; w < NGX_MEDIA_SLOTS / 64; w++) {

        mask = __atomic_load_n(&a->listeners[w], __ATOMIC_SEQ_CST);

        while (mask) {
            n = (uint32_t) __builtin_ctzll(mask);
            mask &= mask - 1;
            n += w * 64;

            if (n == ngx_media_slot_local.index) {

                if (ngx_media_slot_local.signal) {
                    ngx_media_slot_local.signal();
                }

                continue;
            }

            slot = &a->slots[n];

            __atomic_store_n(&slot->signal, 1, __ATOMIC_SEQ_CST);

            if (__atomic_exchange_n(&slot->pending, 1, __ATOMIC_SEQ_CST) == 0)
            {
                (void) ngx_write_fd(a->wake_fd[n], &one, sizeof(one));
            }
        }
    }
}


ngx_uint_t
ngx_media_slot_alive(uint32_t n, int32_t pid)
{
    ngx_media_slot_proof_t  proof;

    if (n >= NGX_MEDIA_SLOTS + NGX_MEDIA_LIVES) {
        return 0;
    }

    if (n == ngx_media_slot_local.owner) {
        return 1;
    }

    ngx_media_slot_proof(n, &proof);

    if (ngx_media_slot_hold(n, ngx_cycle->log) != NGX_OK) {

        /* its owner lives, or another worker buries it just now */

        return *proof.pid == pid
               && !__atomic_load_n(proof.reaping, __ATOMIC_ACQUIRE);
    }

    (void) pthread_mutex_unlock(proof.mutex);

    return 0;
}


/* Holds the owner's mutex: it is dead (log) or leaves (no log). */

static void
ngx_media_slot_reap(uint32_t n, ngx_log_t *log)
{
    int32_t                  pid;
    uint32_t                 i, sources, clients;
    ngx_media_slot_t        *slot;
    ngx_media_arena_t       *a;
    ngx_media_source_t      *src;
    ngx_media_slot_proof_t   proof;

    a = ngx_media_arena();
    sources = 0;

    ngx_media_slot_proof(n, &proof);

    __atomic_store_n(proof.reaping, 1, __ATOMIC_RELEASE);

    for (i = 0; i < a->fresh_source; i++) {
        src = ngx_media_source_at(i);

        if (!src->used) {
            continue;
        }

        if (n < NGX_MEDIA_SLOTS) {
            (void) __atomic_fetch_and(&src->slots[n / 64],
                                      ~((uint64_t) 1 << (n % 64)),
                                      __ATOMIC_SEQ_CST);

            (void) __atomic_fetch_and(&src->muted[n / 64],
                                      ~((uint64_t) 1 << (n % 64)),
                                      __ATOMIC_SEQ_CST);

            (void) __atomic_fetch_and(&src->watchers[n / 64],
                                      ~((uint64_t) 1 << (n % 64)),
                                      __ATOMIC_SEQ_CST);
        }

        if (!(src->epoch & 1) || src->pub_slot != n) {
            continue;
        }

        ngx_media_lock();

        if ((src->epoch & 1) && src->pub_slot == n) {
            ngx_media_source_leave(src);
            sources++;
        }

        ngx_media_unlock();

        ngx_media_slot_notify(src);
        ngx_media_slot_notify_watchers(src);
    }

    clients = ngx_media_slot_reap_clients(n);

    ngx_media_lock();

    if (n < NGX_MEDIA_SLOTS) {
        slot = &a->slots[n];

        (void) __atomic_fetch_and(&a->listeners[n / 64],
                                  ~((uint64_t) 1 << (n % 64)),
                                  __ATOMIC_SEQ_CST);

        slot->exiting = 0;
        slot->cmd_tail = slot->cmd_head;
        slot->cpu_percent = 0;
        slot->rss_kb = 0;
        slot->sessions = 0;
    }

    pid = *proof.pid;
    *proof.pid = 0;
    *proof.reaping = 0;

    ngx_media_unlock();

    if (log && pid) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "worker %D died, its %uD published sources and %uD "
                      "sessions are gone", pid, sources, clients);
    }
}


static uint32_t
ngx_media_slot_reap_clients(uint32_t n)
{
    uint32_t             i, clients;
    ngx_media_arena_t   *a;
    ngx_media_client_t  *client, copy;

    a = ngx_media_arena();
    clients = 0;

    for (i = 0; i < a->fresh_client; i++) {
        client = ngx_media_client_at(i);

        if (!client->used || client->slot != n) {
            continue;
        }

        copy.used = 0;

        ngx_media_lock();

        if (client->used && client->slot == n) {
            copy = *client;
            ngx_media_client_free(client);
            clients++;
        }

        ngx_media_unlock();

        if (copy.used) {
            ngx_media_told_dead(&copy);
        }
    }

    return clients;
}


static void
ngx_media_slot_wake_handler(ngx_event_t *ev)
{
    ngx_media_slot_t  *slot;

    ev->ready = 0;

    if (ngx_media_slot_local.index == NGX_MEDIA_NO_SLOT) {
        return;
    }

    slot = &ngx_media_arena()->slots[ngx_media_slot_local.index];

    ngx_media_slot_drain(slot);
}


static void
ngx_media_slot_drain(ngx_media_slot_t *slot)
{
    uint32_t    idx;
    uint64_t    bits;
    ngx_uint_t  w, words;

    (void) __atomic_exchange_n(&slot->pending, 0, __ATOMIC_SEQ_CST);

    words = (ngx_media_arena()->nsources + 63) / 64;

    for (w = 0; w < words; w++) {

        if (__atomic_load_n(&slot->dirty[w], __ATOMIC_RELAXED) == 0) {
            continue;
        }

        bits = __atomic_exchange_n(&slot->dirty[w], 0, __ATOMIC_SEQ_CST);

        while (bits) {
            idx = (uint32_t) __builtin_ctzll(bits);
            bits &= bits - 1;
            ngx_media_feed_dirty(w * 64 + idx);
            ngx_media_services_changed(w * 64 + idx);
        }
    }

    if (slot->cmd_head != slot->cmd_tail) {
        ngx_media_slot_commands(slot);
    }

    if (__atomic_load_n(&slot->signal, __ATOMIC_RELAXED)
        && __atomic_exchange_n(&slot->signal, 0, __ATOMIC_SEQ_CST)
        && ngx_media_slot_local.signal)
    {
        ngx_media_slot_local.signal();
    }
}


static void
ngx_media_slot_commands(ngx_media_slot_t *slot)
{
    ngx_uint_t           n;
    ngx_media_command_t  cmd;

    for (n = 0; n < NGX_MEDIA_COMMANDS; n++) {

        ngx_media_lock();

        if (slot->cmd_head == slot->cmd_tail) {
            ngx_media_unlock();
            return;
        }

        cmd = slot->cmd[slot->cmd_tail % NGX_MEDIA_COMMANDS];
        slot->cmd_tail++;

        ngx_media_unlock();

        ngx_media_slot_execute(&cmd);
    }
}


/* who has no slot: what was posted since it looked the last time */

static void
ngx_media_slot_posts(void)
{
    uint64_t                 posts;
    ngx_media_arena_t       *a;
    ngx_media_command_t      cmd;
    ngx_media_slot_local_t  *l;

    a = ngx_media_arena();
    l = &ngx_media_slot_local;

    posts = __atomic_load_n(&a->posts, __ATOMIC_ACQUIRE);

    if (posts - l->posts > NGX_MEDIA_POSTS) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "%uL media commands came too fast for a worker without "
                      "a slot, they are lost",
                      posts - l->posts - NGX_MEDIA_POSTS);

        l->posts = posts - NGX_MEDIA_POSTS;
    }

    while (l->posts != posts) {

        ngx_media_lock();
        cmd = a->post[l->posts % NGX_MEDIA_POSTS];
        ngx_media_unlock();

        l->posts++;

        ngx_media_slot_execute(&cmd);
    }
}


static void
ngx_media_slot_execute(ngx_media_command_t *cmd)
{
    ngx_media_session_t  *s;

    switch (cmd->type) {

    case NGX_MEDIA_CMD_CLOSE:
        s = ngx_media_session_by_client(cmd->a, cmd->b);

        /* who shall make way may have done so by itself meanwhile */

        if (s && (cmd->c != NGX_MEDIA_REASON_REPLACED || s->publisher)) {
            ngx_media_session_close(s, cmd->c);
        }

        break;

    case NGX_MEDIA_CMD_SHRINK:
        ngx_media_publishers_shrink();
        break;

    case NGX_MEDIA_CMD_DEMAND:
        ngx_media_publishers_demand(cmd->a, cmd->b);
        break;

    case NGX_MEDIA_CMD_RELAY:
        ngx_media_services_relay(cmd->a, cmd->b);
        break;

    default:
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "unknown media command %uD", cmd->type);
    }
}


/* every second: the dead, the idle, the statistics, a shutdown that began */

static void
ngx_media_slot_tick(ngx_event_t *ev)
{
    uint32_t                 i;
    ngx_media_slot_t        *slot;
    ngx_media_arena_t       *a;
    ngx_media_slot_local_t  *l;

    a = ngx_media_arena();
    l = &ngx_media_slot_local;
    l->ticks++;

    for (i = 0; i < NGX_MEDIA_SLOTS; i++) {
        if (i != l->index && a->slots[i].pid) {
            (void) ngx_media_slot_alive(i, a->slots[i].pid);
        }
    }

    for (i = 0; a->no_slot && i < NGX_MEDIA_LIVES; i++) {
        if (a->lives[i].pid) {
            (void) ngx_media_slot_alive(NGX_MEDIA_SLOTS + i, a->lives[i].pid);
        }
    }

    ngx_media_told_tick();
    ngx_media_sessions_tick(l->ticks);
    ngx_media_publishers_tick();
    ngx_media_feeds_tick();
    ngx_media_services_second();
    ngx_media_source_janitor();
    ngx_media_viewers_tick();

    if (l->index != NGX_MEDIA_NO_SLOT) {
        slot = &a->slots[l->index];
        slot->exiting = ngx_exiting;
        slot->sessions = (uint32_t) ngx_media_sessions_count();
        ngx_media_slot_usage(slot);

        /* a wake that was written while epoll was full is not lost */

        ngx_media_slot_drain(slot);
    }

    if (ngx_exiting && !l->draining) {
        l->draining = 1;
        ngx_media_sessions_drain();
    }

    ngx_add_timer(ev, NGX_MEDIA_TICK);
}


static void
ngx_media_slot_poll(ngx_event_t *ev)
{
    ngx_media_feeds_poll();
    ngx_media_services_changed(NGX_MEDIA_NONE);

    if (ngx_media_slot_local.owner != NGX_MEDIA_NO_SLOT) {
        ngx_media_slot_posts();
    }

    if (ngx_media_slot_local.signal) {
        ngx_media_slot_local.signal();
    }

    ngx_add_timer(ev, NGX_MEDIA_POLL);
}


static void
ngx_media_slot_usage(ngx_media_slot_t *slot)
{
    int                fd;
    u_char             buf[128], *p, *last;
    int64_t            msec;
    ssize_t            n;
    uint64_t           us;
    struct rusage      ru;
    static ngx_uint_t  skip;

    if (getrusage(RUSAGE_SELF, &ru) == 0) {

        us = (uint64_t) ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec
             + (uint64_t) ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec;
        msec = ngx_media_msec();

        if (slot->cpu_msec && msec > slot->cpu_msec) {
            slot->cpu_percent = (uint32_t) ((us - slot->cpu_us) * 10
                                            / (msec - slot->cpu_msec));
        }

        slot->cpu_us = us;
        slot->cpu_msec = msec;
    }

    if (skip++ % 5) {
        return;
    }

    fd = ngx_open_file("/proc/self/statm", NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    if (n <= 0) {
        return;
    }

    /* size resident shared ... in pages */

    last = buf + n;
    p = ngx_strlchr(buf, last, ' ');

    if (p) {
        us = 0;

        for (p++; p < last && *p >= '0' && *p <= '9'; p++) {
            us = us * 10 + (*p - '0');
        }

        slot->rss_kb = (uint32_t) (us * (ngx_pagesize / 1024));
    }
}
