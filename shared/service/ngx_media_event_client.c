
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: who listens to events, one request each.
 *
 * What waits for a client lies in the ring of the arena, so the client holds
 * one buffer, however slow it reads: when that is sent it is filled again from
 * where the client stands.  What went out of the ring meanwhile is counted and
 * told as the event "lost".  A client that takes no byte for send_timeout is
 * closed.
 *
 *   signal --post--> pump: each client that is not blocked
 *   write event ---> the one that was
 *   timer, 1 s ----> a comment when nothing was sent for long; the end, when
 *                    the worker leaves: the client comes back to another one
 *                    and goes on where it was
 *
 * The health of streams is made by the worker of the listener, every few
 * seconds, some streams at a time; a client that is blocked does without.
 */


#include "ngx_media_event_hub.h"


#define NGX_MEDIA_EVENT_BUFFER     32768
#define NGX_MEDIA_EVENT_LINES      128      /* around one event */
#define NGX_MEDIA_EVENT_TICK       1000     /* ms */
#define NGX_MEDIA_EVENT_SILENCE    15000    /* ms without a byte */
#define NGX_MEDIA_EVENT_RETRY      2000     /* ms, for the client */
#define NGX_MEDIA_EVENT_SOURCES    8        /* in one go */
#define NGX_MEDIA_EVENT_PAUSE      10       /* ms between */


typedef struct {
    ngx_queue_t        clients;
    ngx_uint_t         nclients;
    ngx_event_t        pump;
    ngx_event_t        health;
    ngx_connection_t   dummy;         /* data of events: debug logs read fd */
    ngx_msec_t         began;         /* the round of health */
    uint32_t           source;        /* next one of it */
} ngx_media_event_clients_t;


static void ngx_media_event_client_enter(ngx_media_event_client_t *ctx);
static void ngx_media_event_client_cleanup(void *data);
static void ngx_media_event_client_hello(ngx_media_event_client_t *ctx,
    ngx_uint_t other);
static void ngx_media_event_client_output(ngx_media_event_client_t *ctx);
static ngx_int_t ngx_media_event_client_filter(ngx_media_event_client_t *ctx,
    ngx_chain_t *out);
static void ngx_media_event_client_blocked(ngx_media_event_client_t *ctx);
static void ngx_media_event_client_fill(ngx_media_event_client_t *ctx,
    ngx_buf_t *b);
static u_char *ngx_media_event_client_lost(ngx_media_event_client_t *ctx,
    u_char *p);
static u_char *ngx_media_event_client_write(u_char *p,
    ngx_media_event_t *event, uint64_t number);
static ngx_uint_t ngx_media_event_client_wants(ngx_media_event_client_t *ctx,
    ngx_media_event_t *event);
static ngx_uint_t ngx_media_event_client_ready(ngx_media_event_client_t *ctx);
static void ngx_media_event_client_text(ngx_media_event_client_t *ctx,
    u_char *p, size_t n);
static void ngx_media_event_client_write_handler(ngx_http_request_t *r);
static void ngx_media_event_client_timer(ngx_event_t *ev);
static void ngx_media_event_client_finish(ngx_media_event_client_t *ctx);
static void ngx_media_event_client_finalize(ngx_media_event_client_t *ctx,
    ngx_int_t rc);

static void ngx_media_event_signal(void);
static void ngx_media_event_pump(ngx_event_t *ev);
static void ngx_media_event_health_timer(ngx_event_t *ev);
static ngx_uint_t ngx_media_event_health_source(uint32_t index);
static void ngx_media_event_health_send(ngx_media_event_t *event);


static ngx_media_event_clients_t  ngx_media_event_clients;


void
ngx_media_event_clients_init(ngx_cycle_t *cycle)
{
    ngx_media_event_clients_t  *all;

    all = &ngx_media_event_clients;

    ngx_queue_init(&all->clients);

    all->dummy.fd = (ngx_socket_t) -1;

    all->pump.handler = ngx_media_event_pump;
    all->pump.data = &all->dummy;
    all->pump.log = cycle->log;

    all->health.handler = ngx_media_event_health_timer;
    all->health.data = &all->dummy;
    all->health.log = cycle->log;
    all->health.cancelable = 1;

    ngx_media_slot_signal_handler(ngx_media_event_signal);
}


/* --- the life of one ---------------------------------------------------- */

ngx_int_t
ngx_media_event_client_begin(ngx_media_event_client_t *ctx, ngx_uint_t other)
{
    ngx_chain_t               *cl;
    ngx_connection_t          *c;
    ngx_pool_cleanup_t        *cln;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    c = r->connection;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    cl = ngx_alloc_chain_link(r->pool);

    if (cln == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    cl->next = NULL;
    cl->buf = ngx_create_temp_buf(r->pool, NGX_MEDIA_EVENT_BUFFER);

    if (cl->buf == NULL) {
        return NGX_ERROR;
    }

    cl->buf->tag = (ngx_buf_tag_t) &ngx_media_event_module;
    ctx->free = cl;

    cln->handler = ngx_media_event_client_cleanup;
    cln->data = ctx;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->tcp_nodelay && c->sockaddr->sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(c);
    }

    ngx_http_set_ctx(r, ctx, ngx_media_event_module);

    r->read_event_handler = r->discard_body
                            ? ngx_http_discarded_request_body_handler
                            : ngx_http_test_reading;
    r->write_event_handler = ngx_media_event_client_write_handler;
    r->main->count++;

    ngx_media_event_client_enter(ctx);
    ngx_media_event_client_hello(ctx, other);

    return NGX_DONE;
}


static void
ngx_media_event_client_enter(ngx_media_event_client_t *ctx)
{
    ngx_media_event_clients_t  *all;

    all = &ngx_media_event_clients;

    ctx->timer.handler = ngx_media_event_client_timer;
    ctx->timer.data = ctx;
    ctx->timer.log = ctx->request->connection->log;

    ngx_add_timer(&ctx->timer, NGX_MEDIA_EVENT_TICK);

    ngx_queue_insert_tail(&all->clients, &ctx->queue);

    if (all->nclients++ == 0) {
        ngx_media_slot_listen_events(1);
    }

    if (!all->health.timer_set
        && (ctx->kinds & (ngx_uint_t) 1 << NGX_MEDIA_KIND_HEALTH))
    {
        ngx_add_timer(&all->health, NGX_MEDIA_EVENT_PAUSE);
    }
}


static void
ngx_media_event_client_cleanup(void *data)
{
    ngx_media_event_client_t *ctx = data;

    if (ctx->queue.next == NULL) {
        return;
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_queue_remove(&ctx->queue);
    ctx->queue.next = NULL;

    if (--ngx_media_event_clients.nclients == 0) {
        ngx_media_slot_listen_events(0);
    }
}


/* where the client stands, before the first event comes */

static void
ngx_media_event_client_hello(ngx_media_event_client_t *ctx, ngx_uint_t other)
{
    u_char  text[NGX_MEDIA_EVENT_LINES * 2], *p, *last;

    last = text + sizeof(text);

    p = ngx_slprintf(text, last, "retry: %d\nid: %s-%uL\n\n",
                     NGX_MEDIA_EVENT_RETRY, ngx_media_arena()->service_id,
                     ctx->next - 1);

    if (other) {
        p = ngx_slprintf(p, last, "event: lost\ndata: {\"event\":\"lost\","
                         "\"count\":null}\n\n");
    }

    ngx_media_event_client_text(ctx, text, p - text);

    if (!ctx->done && ngx_media_event_client_ready(ctx)) {
        ngx_media_event_client_output(ctx);
    }
}


/*
 * Sends what there is.  The request may be finalised inside: the caller runs
 * posted requests, unless nginx does, and touches ctx no more.
 */

static void
ngx_media_event_client_output(ngx_media_event_client_t *ctx)
{
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    for ( ;; ) {

        if (!ngx_media_event_client_ready(ctx)) {

            if (!c->write->delayed
                && ngx_media_event_client_filter(ctx, NULL) == NGX_ERROR)
            {
                ngx_media_event_client_finalize(ctx, NGX_ERROR);
                return;
            }

            if (!ngx_media_event_client_ready(ctx)) {
                ngx_media_event_client_blocked(ctx);
                return;
            }
        }

        cl = ctx->free;
        b = cl->buf;

        ngx_media_event_client_fill(ctx, b);

        if (b->pos == b->last) {
            break;
        }

        ctx->free = NULL;

        if (ngx_media_event_client_filter(ctx, cl) == NGX_ERROR) {
            ngx_media_event_client_finalize(ctx, NGX_ERROR);
            return;
        }
    }

    if (c->write->timer_set && !c->write->delayed) {
        ngx_del_timer(c->write);
    }

    if (ctx->ending) {
        ngx_media_event_client_finish(ctx);
    }
}


static ngx_int_t
ngx_media_event_client_filter(ngx_media_event_client_t *ctx, ngx_chain_t *out)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (out) {
        out->buf->flush = 1;
        ctx->sent = ngx_current_msec;
    }

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                            (ngx_buf_tag_t) &ngx_media_event_module);

    return rc;
}


/* all that was begun has been taken */

static ngx_uint_t
ngx_media_event_client_ready(ngx_media_event_client_t *ctx)
{
    return ctx->busy == NULL && ctx->free
           && !ctx->request->buffered
           && !ctx->request->connection->buffered;
}


static void
ngx_media_event_client_blocked(ngx_media_event_client_t *ctx)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = ctx->request->connection->write;

    clcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        ngx_media_event_client_finalize(ctx, NGX_ERROR);
    }
}


static void
ngx_media_event_client_write_handler(ngx_http_request_t *r)
{
    ngx_connection_t          *c;
    ngx_media_event_client_t  *ctx;

    c = r->connection;
    ctx = ngx_http_get_module_ctx(r, ngx_media_event_module);

    if (c->write->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client of events timed out");
        c->timedout = 1;

        ngx_media_event_client_finalize(ctx, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (!ctx->done) {
        ngx_media_event_client_output(ctx);
    }
}


static void
ngx_media_event_client_timer(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_media_event_client_t  *ctx;

    ctx = ev->data;
    c = ctx->request->connection;

    ngx_add_timer(ev, NGX_MEDIA_EVENT_TICK);

    if (ngx_exiting || ngx_terminate || c->close) {
        ctx->ending = 1;

        if (ngx_media_event_client_ready(ctx)) {
            ngx_media_event_client_output(ctx);

        } else {
            ngx_media_event_client_finalize(ctx, NGX_ERROR);
        }

    } else if (ngx_current_msec - ctx->sent >= NGX_MEDIA_EVENT_SILENCE
               && ngx_media_event_client_ready(ctx))
    {
        ngx_media_event_client_text(ctx, (u_char *) ":\n\n", 3);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_media_event_client_finish(ngx_media_event_client_t *ctx)
{
    ngx_media_event_client_finalize(ctx,
                       ngx_http_send_special(ctx->request, NGX_HTTP_LAST));
}


static void
ngx_media_event_client_finalize(ngx_media_event_client_t *ctx, ngx_int_t rc)
{
    if (ctx->done) {
        return;
    }

    ctx->done = 1;

    /* nothing more is to come from here */

    ngx_media_event_client_cleanup(ctx);

    ngx_http_finalize_request(ctx->request, rc);
}


/* --- what is sent ------------------------------------------------------- */

static void
ngx_media_event_client_fill(ngx_media_event_client_t *ctx, ngx_buf_t *b)
{
    int                 rc;
    size_t              n;
    u_char              record[NGX_MEDIA_EVENT_RECORD_MAX];
    ngx_media_event_t   event;

    while ((size_t) (b->end - b->last)
           >= NGX_MEDIA_EVENT_RECORD_MAX + 2 * NGX_MEDIA_EVENT_LINES)
    {
        rc = ngx_media_event_ring_get(ngx_media_event_ring(), ctx->next,
                                      record, &n);

        if (rc == NGX_MEDIA_AGAIN) {
            return;
        }

        if (rc == NGX_MEDIA_EVENT_LOST) {
            b->last = ngx_media_event_client_lost(ctx, b->last);
            continue;
        }

        if (ngx_media_event_parse(&event, record, n) == NGX_OK
            && ngx_media_event_client_wants(ctx, &event))
        {
            b->last = ngx_media_event_client_write(b->last, &event,
                                                   ctx->next);
        }

        ctx->next++;
    }
}


static u_char *
ngx_media_event_client_lost(ngx_media_event_client_t *ctx, u_char *p)
{
    uint64_t  oldest;

    oldest = ngx_media_event_ring_oldest(ngx_media_event_ring());

    if (oldest <= ctx->next) {
        oldest = ctx->next + 1;
    }

    ngx_media_event_count(NGX_MEDIA_EVENT_MISSED, oldest - ctx->next);

    p = ngx_sprintf(p, "id: %s-%uL\nevent: lost\n"
                    "data: {\"event\":\"lost\",\"count\":%uL}\n\n",
                    ngx_media_arena()->service_id, oldest - 1,
                    oldest - ctx->next);

    ctx->next = oldest;

    return p;
}


/* number: 0 of what is no event of the ring */

static u_char *
ngx_media_event_client_write(u_char *p, ngx_media_event_t *event,
    uint64_t number)
{
    if (number) {
        p = ngx_sprintf(p, "id: %s-%uL\n", ngx_media_arena()->service_id,
                        number);
    }

    p = ngx_sprintf(p, "event: %V\ndata: ", ngx_media_event_name(event->kind));
    p = ngx_cpymem(p, event->json.data, event->json.len);

    *p++ = '\n';
    *p++ = '\n';

    return p;
}


static ngx_uint_t
ngx_media_event_client_wants(ngx_media_event_client_t *ctx,
    ngx_media_event_t *event)
{
    ngx_uint_t   i;
    ngx_str_t   *want[3], *have[3];

    if (!(ctx->kinds & (ngx_uint_t) 1 << event->kind)) {
        return 0;
    }

    want[0] = &ctx->vhost;
    have[0] = &event->vhost;
    want[1] = &ctx->app;
    have[1] = &event->app;
    want[2] = &ctx->stream;
    have[2] = &event->stream;

    for (i = 0; i < 3; i++) {
        if (want[i]->data
            && (want[i]->len != have[i]->len
                || ngx_memcmp(want[i]->data, have[i]->data, have[i]->len)
                   != 0))
        {
            return 0;
        }
    }

    return 1;
}


/* to a client that is ready; n < NGX_MEDIA_EVENT_BUFFER */

static void
ngx_media_event_client_text(ngx_media_event_client_t *ctx, u_char *p, size_t n)
{
    ngx_chain_t  *cl;

    cl = ctx->free;
    ctx->free = NULL;

    cl->buf->last = ngx_cpymem(cl->buf->last, p, n);

    if (ngx_media_event_client_filter(ctx, cl) == NGX_ERROR) {
        ngx_media_event_client_finalize(ctx, NGX_ERROR);
        return;
    }

    if (!ngx_media_event_client_ready(ctx)) {
        ngx_media_event_client_blocked(ctx);
    }
}


/* --- all of this worker ------------------------------------------------- */

/* from inside of anything */

static void
ngx_media_event_signal(void)
{
    if (ngx_media_event_clients.nclients) {
        ngx_post_event(&ngx_media_event_clients.pump, &ngx_posted_events);
    }
}


static void
ngx_media_event_pump(ngx_event_t *ev)
{
    ngx_queue_t               *q, list;
    ngx_connection_t          *c;
    ngx_media_event_client_t  *ctx;

    ngx_queue_init(&list);
    ngx_queue_add(&list, &ngx_media_event_clients.clients);
    ngx_queue_init(&ngx_media_event_clients.clients);

    while (!ngx_queue_empty(&list)) {

        q = ngx_queue_head(&list);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_media_event_clients.clients, q);

        ctx = ngx_queue_data(q, ngx_media_event_client_t, queue);

        if (ngx_media_event_client_ready(ctx)) {
            c = ctx->request->connection;
            ngx_media_event_client_output(ctx);
            ngx_http_run_posted_requests(c);
        }
    }
}


/* --- health ------------------------------------------------------------- */

static void
ngx_media_event_health_timer(ngx_event_t *ev)
{
    uint32_t                    n;
    ngx_uint_t                  done;
    ngx_msec_int_t              wait;
    ngx_media_event_clients_t  *all;

    all = &ngx_media_event_clients;

    if (all->nclients == 0) {
        all->source = 0;
        return;
    }

    if (all->source == 0) {
        all->began = ngx_current_msec;
    }

    n = __atomic_load_n(&ngx_media_arena()->fresh_source, __ATOMIC_RELAXED);
    done = 0;

    while (all->source < n && done < NGX_MEDIA_EVENT_SOURCES) {
        done += ngx_media_event_health_source(all->source++);
    }

    if (all->source < n) {
        ngx_add_timer(ev, NGX_MEDIA_EVENT_PAUSE);
        return;
    }

    all->source = 0;

    wait = (ngx_msec_int_t) (all->began + NGX_MEDIA_EVENT_HEALTH * 1000
                             - ngx_current_msec);

    ngx_add_timer(ev, ngx_max(wait, NGX_MEDIA_EVENT_PAUSE));
}


/* 1: it was live, and somebody wanted to know */

static ngx_uint_t
ngx_media_event_health_source(uint32_t index)
{
    ngx_uint_t                 wanted;
    ngx_pool_t                *pool;
    ngx_queue_t               *q;
    ngx_media_event_t          event;
    ngx_media_api_source_t     s;
    ngx_media_event_client_t  *ctx;

    if (!ngx_media_source_live(ngx_media_source_at(index))
        || ngx_media_api_source(index, &s) != NGX_OK || !s.live)
    {
        return 0;
    }

    event.kind = NGX_MEDIA_KIND_HEALTH;
    event.vhost = s.vhost;
    event.app = s.app;
    event.stream = s.stream;

    wanted = 0;

    for (q = ngx_queue_head(&ngx_media_event_clients.clients);
         q != ngx_queue_sentinel(&ngx_media_event_clients.clients);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_media_event_client_t, queue);
        wanted |= ngx_media_event_client_ready(ctx)
                  && ngx_media_event_client_wants(ctx, &event);
    }

    if (!wanted) {
        return 0;
    }

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return 1;
    }

    if (ngx_media_event_health(&event, index, pool) == NGX_OK
        && event.json.len + NGX_MEDIA_EVENT_LINES < NGX_MEDIA_EVENT_BUFFER)
    {
        ngx_media_event_health_send(&event);
    }

    ngx_destroy_pool(pool);

    return 1;
}


static void
ngx_media_event_health_send(ngx_media_event_t *event)
{
    u_char                    *p;
    u_char                     text[NGX_MEDIA_EVENT_BUFFER];
    ngx_queue_t               *q, list;
    ngx_connection_t          *c;
    ngx_media_event_client_t  *ctx;

    p = ngx_media_event_client_write(text, event, 0);

    ngx_queue_init(&list);
    ngx_queue_add(&list, &ngx_media_event_clients.clients);
    ngx_queue_init(&ngx_media_event_clients.clients);

    while (!ngx_queue_empty(&list)) {

        q = ngx_queue_head(&list);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_media_event_clients.clients, q);

        ctx = ngx_queue_data(q, ngx_media_event_client_t, queue);

        if (ngx_media_event_client_ready(ctx)
            && ngx_media_event_client_wants(ctx, event))
        {
            c = ctx->request->connection;
            ngx_media_event_client_text(ctx, text, p - text);
            ngx_http_run_posted_requests(c);
        }
    }
}
