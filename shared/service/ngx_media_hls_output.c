
/*
 * Copyright (C) the nginx media suite authors
 *
 * Outputs: a source whose renditions this worker serves.  A name that was
 * asked for is found in a table of this worker, without the lock; the handle
 * holds the worker's bit in source->watchers, so that the source stays and
 * this worker is told of each part.  Who watches is called from one posted
 * event, after something really changed.
 */


#include "ngx_media_hls_store.h"


#define NGX_MEDIA_HLS_BUCKETS   1024
#define NGX_MEDIA_HLS_IDLE      30000   /* ms: handles without requests */
#define NGX_MEDIA_HLS_OVER      1000    /* ms: those of streams that ended */
#define NGX_MEDIA_HLS_TOUCH     250     /* ms between marks of use */
#define NGX_MEDIA_HLS_ASK       1000    /* ms between asking the publisher */


static ngx_media_hls_output_t **ngx_media_hls_bucket(uint32_t hash);
static ngx_media_hls_output_t *ngx_media_hls_find(uint32_t hash,
    ngx_str_t *vhost, ngx_str_t *app, ngx_str_t *stream);
static ngx_int_t ngx_media_hls_make(uint32_t hash, ngx_str_t *vhost,
    ngx_str_t *app, ngx_str_t *stream, ngx_media_hls_output_t **result);
static ngx_int_t ngx_media_hls_ready(ngx_media_hls_output_t *o);
static uint64_t ngx_media_hls_stamp(ngx_media_hls_output_t *o);
static void ngx_media_hls_mark(ngx_media_hls_output_t *o);
static void ngx_media_hls_event(ngx_event_t *ev);
static void ngx_media_hls_tell(ngx_media_hls_output_t *o);
static void ngx_media_hls_leave(ngx_media_hls_output_t *o);
static void ngx_media_hls_free(ngx_media_hls_output_t *o);


typedef struct {
    ngx_media_hls_output_t  *buckets[NGX_MEDIA_HLS_BUCKETS];
    ngx_media_hls_output_t **sources;       /* by index of the source */
    uint32_t                 nsources;
    ngx_queue_t              all;
    ngx_event_t              event;
    ngx_connection_t         dummy;
} ngx_media_hls_outputs_t;


static ngx_media_hls_outputs_t  ngx_media_hls_outputs;


static const ngx_media_service_t  ngx_media_hls_service = {
    .publish = ngx_media_hls_cut_publish,
    .unpublish = ngx_media_hls_cut_unpublish,
    .demand = ngx_media_hls_cut_demand,
    .tick = ngx_media_hls_cut_tick,
    .shrink = ngx_media_hls_cut_shrink,
    .changed = ngx_media_hls_outputs_changed,
    .second = ngx_media_hls_outputs_second,
    .exit = ngx_media_hls_outputs_exit
};


ngx_int_t
ngx_media_hls_init_worker(ngx_cycle_t *cycle)
{
    ngx_media_hls_outputs_t  *os;

    os = &ngx_media_hls_outputs;

    ngx_queue_init(&os->all);

    os->nsources = ngx_media_arena()->nsources;
    os->sources = ngx_calloc(os->nsources * sizeof(ngx_media_hls_output_t *),
                             cycle->log);
    if (os->sources == NULL) {
        return NGX_ERROR;
    }

    os->dummy.fd = (ngx_socket_t) -1;

    os->event.handler = ngx_media_hls_event;
    os->event.data = &os->dummy;
    os->event.log = cycle->log;

    return ngx_media_service_add(&ngx_media_hls_service);
}


/* --- names -------------------------------------------------------------- */

ngx_int_t
ngx_media_hls_get(ngx_str_t *host, ngx_str_t *app, ngx_str_t *stream,
    ngx_media_hls_t **hls)
{
    int64_t                 msec;
    uint32_t                hash;
    void                  **policy;
    ngx_int_t               rc;
    ngx_str_t               vhost, args;
    ngx_media_vhost_t      *v;
    ngx_media_hls_conf_t   *conf;
    ngx_media_main_conf_t  *mcf;
    ngx_media_hls_output_t *o;

    mcf = ngx_media_get_main_conf();
    v = ngx_media_conf_vhost(mcf, host);

    /* a wildcard block holds vhosts of their own names */

    if (v) {
        vhost = *host;

    } else {
        v = &mcf->def;
        vhost = v->name;
    }

    policy = ngx_media_conf_app(v, app);
    conf = policy[ngx_media_hls_policy_module.ctx_index];

    if (conf->mode == NGX_MEDIA_HLS_OFF) {
        return NGX_DECLINED;
    }

    ngx_crc32_init(hash);
    ngx_crc32_update(&hash, vhost.data, vhost.len);
    ngx_crc32_update(&hash, app->data, app->len);
    ngx_crc32_update(&hash, stream->data, stream->len);
    ngx_crc32_final(hash);

    o = ngx_media_hls_find(hash, &vhost, app, stream);

    if (o == NULL) {
        rc = ngx_media_hls_make(hash, &vhost, app, stream, &o);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    o->hls.conf = conf;
    o->used = ngx_current_msec;
    *hls = &o->hls;

    msec = ngx_media_msec();

    if (msec - o->source->served_msec > NGX_MEDIA_HLS_TOUCH) {
        __atomic_store_n(&o->source->served_msec, msec, __ATOMIC_RELAXED);
    }

    if (!ngx_media_source_live(o->source)) {

        /* it may be fetched again: who plays HLS is heard of by this alone */

        ngx_str_null(&args);

        (void) ngx_media_fetch(policy, &vhost, app, stream, &args);
    }

    return ngx_media_hls_ready(o);
}


static ngx_media_hls_output_t **
ngx_media_hls_bucket(uint32_t hash)
{
    return &ngx_media_hls_outputs.buckets[hash % NGX_MEDIA_HLS_BUCKETS];
}


static ngx_media_hls_output_t *
ngx_media_hls_find(uint32_t hash, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream)
{
    ngx_media_hls_t         *h;
    ngx_media_hls_output_t  *o;

    for (o = *ngx_media_hls_bucket(hash); o; o = o->next) {
        h = &o->hls;

        if (o->hash != hash
            || h->stream.len != stream->len || h->app.len != app->len
            || h->vhost.len != vhost->len
            || ngx_memcmp(h->stream.data, stream->data, stream->len) != 0
            || ngx_memcmp(h->app.data, app->data, app->len) != 0
            || ngx_memcmp(h->vhost.data, vhost->data, vhost->len) != 0)
        {
            continue;
        }

        if (ngx_media_hls_valid(h)) {
            return o;
        }

        /* another source may have that name now */

        ngx_media_hls_leave(o);
        ngx_media_hls_mark(o);

        return NULL;
    }

    return NULL;
}


static ngx_int_t
ngx_media_hls_make(uint32_t hash, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream, ngx_media_hls_output_t **result)
{
    u_char                  *p;
    uint32_t                 generation, index;
    ngx_media_source_t      *src;
    ngx_media_hls_output_t  *o;

    ngx_media_lock();

    src = ngx_media_source_find(vhost, app, stream);

    if (src && src->publishes == 0) {
        src = NULL;
    }

    generation = 0;

    if (src) {
        generation = src->generation;
        ngx_media_service_watch(src);
    }

    ngx_media_unlock();

    if (src == NULL) {
        return NGX_DECLINED;
    }

    index = ngx_media_source_index(src);
    o = ngx_media_hls_outputs.sources[index];

    if (o && ngx_media_hls_valid(&o->hls)) {
        return NGX_ERROR;
    }

    if (o) {

        /* the handle of a source that had this place before */

        ngx_media_hls_leave(o);
        ngx_media_hls_mark(o);
        ngx_media_service_watch(src);
    }

    o = ngx_calloc(sizeof(ngx_media_hls_output_t) + vhost->len + app->len
                   + stream->len, ngx_cycle->log);
    if (o == NULL) {
        ngx_media_service_unwatch(src);
        return NGX_ERROR;
    }

    p = o->names;

    o->hls.vhost.data = p;
    o->hls.vhost.len = vhost->len;
    p = ngx_cpymem(p, vhost->data, vhost->len);

    o->hls.app.data = p;
    o->hls.app.len = app->len;
    p = ngx_cpymem(p, app->data, app->len);

    o->hls.stream.data = p;
    o->hls.stream.len = stream->len;
    ngx_memcpy(p, stream->data, stream->len);

    o->source = src;
    o->index = index;
    o->generation = generation;
    o->hash = hash;
    o->asked = ngx_current_msec - NGX_MEDIA_HLS_ASK;

    ngx_queue_init(&o->hls.watches);
    ngx_queue_insert_tail(&ngx_media_hls_outputs.all, &o->hls.queue);

    o->next = *ngx_media_hls_bucket(hash);
    *ngx_media_hls_bucket(hash) = o;

    ngx_media_hls_outputs.sources[index] = o;

    *result = o;

    return NGX_OK;
}


void
ngx_media_hls_sent(ngx_media_hls_t *hls, uint64_t bytes)
{
    if (ngx_media_hls_valid(hls)) {
        (void) __atomic_fetch_add(&ngx_media_hls_output(hls)->source
                                  ->send_bytes, bytes, __ATOMIC_RELAXED);
    }
}


ngx_uint_t
ngx_media_hls_valid(ngx_media_hls_t *hls)
{
    ngx_media_hls_output_t  *o;

    o = ngx_media_hls_output(hls);

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    return !o->gone
           && __atomic_load_n(&o->source->generation, __ATOMIC_RELAXED)
              == o->generation;
}


ngx_uint_t
ngx_media_hls_ended(ngx_media_source_t *src)
{
    return !ngx_media_source_live(src)
           && ngx_media_msec() - src->left_msec
              > (int64_t) src->policy.republish_wait;
}


/* is there something to serve, and does somebody make more of it? */

static ngx_int_t
ngx_media_hls_ready(ngx_media_hls_output_t *o)
{
    ngx_uint_t                  cut, live, any;
    ngx_media_source_t         *src;
    ngx_media_hls_edge_t        edge;
    ngx_media_hls_rendition_t  *r;

    src = o->source;
    live = ngx_media_source_live(src);
    r = ngx_media_hls_rendition_at(src, 0);

    cut = (r && ngx_media_ring_load(&r->epoch)
                == ngx_media_ring_load(&src->epoch));
    any = (ngx_media_hls_edge_read(src, 0, &edge) == NGX_OK
           && edge.next != edge.first && edge.target);

    if (!live) {
        return any ? NGX_OK : NGX_DECLINED;
    }

    if (!cut && ngx_current_msec - o->asked >= NGX_MEDIA_HLS_ASK) {

        /* where it takes no commands its own tick will see the request */

        o->asked = ngx_current_msec;
        (void) ngx_media_service_ask(src);

        if (src->pub_slot == ngx_media_owner()) {

            /* it was done here and now */

            return ngx_media_hls_ready(o);
        }
    }

    /* what is there is of the publisher before, and nobody goes on with it */

    if (!cut && ngx_media_msec() - src->pub_msec > NGX_MEDIA_HLS_ASK) {
        return NGX_AGAIN;
    }

    return any ? NGX_OK : NGX_AGAIN;
}


ngx_uint_t
ngx_media_hls_renditions(ngx_media_hls_t *hls)
{
    ngx_uint_t                  i;
    ngx_media_hls_rendition_t  *r;

    if (!ngx_media_hls_valid(hls)) {
        return 0;
    }

    for (i = 0; i < NGX_MEDIA_HLS_RENDITIONS; i++) {

        r = ngx_media_hls_rendition_at(ngx_media_hls_output(hls)->source, i);

        /* those of a publisher before are the last ones */

        if (r == NULL || r->tag[0] == NGX_MEDIA_HLS_RETIRED) {
            break;
        }
    }

    return i;
}


ngx_int_t
ngx_media_hls_rendition(ngx_media_hls_t *hls, u_char *tag, size_t len)
{
    ngx_uint_t                  i;
    ngx_media_hls_rendition_t  *r;

    if (!ngx_media_hls_valid(hls)) {
        return NGX_ERROR;
    }

    if (len == 1 && tag[0] == '0') {
        len = 0;
    }

    for (i = 0; i < NGX_MEDIA_HLS_RENDITIONS; i++) {

        r = ngx_media_hls_rendition_at(ngx_media_hls_output(hls)->source, i);

        if (r == NULL) {
            break;
        }

        if (len < NGX_MEDIA_HLS_TAG_LEN && ngx_memcmp(r->tag, tag, len) == 0
            && r->tag[len] == '\0')
        {
            return (ngx_int_t) i;
        }
    }

    return NGX_ERROR;
}


void
ngx_media_hls_tag(ngx_media_hls_t *hls, ngx_uint_t i,
    char tag[NGX_MEDIA_HLS_TAG_LEN])
{
    ngx_media_hls_rendition_t  *r;

    r = ngx_media_hls_valid(hls)
        ? ngx_media_hls_rendition_at(ngx_media_hls_output(hls)->source, i)
        : NULL;

    tag[0] = '\0';

    if (r) {
        ngx_memcpy(tag, r->tag, NGX_MEDIA_HLS_TAG_LEN);
        tag[NGX_MEDIA_HLS_TAG_LEN - 1] = '\0';
    }
}


/* --- changes ------------------------------------------------------------ */

void
ngx_media_hls_watch(ngx_media_hls_t *hls, ngx_media_hls_watch_t *w)
{
    ngx_media_hls_output_t  *o;

    o = ngx_media_hls_output(hls);

    w->hls = hls;

    if (ngx_queue_empty(&hls->watches)) {

        /* what changed until now, the caller has seen */

        o->version = ngx_media_hls_stamp(o);
    }

    ngx_queue_insert_tail(&hls->watches, &w->queue);
}


void
ngx_media_hls_unwatch(ngx_media_hls_watch_t *w)
{
    if (w->hls == NULL) {
        return;
    }

    ngx_media_hls_output(w->hls)->used = ngx_current_msec;

    ngx_queue_remove(&w->queue);
    w->hls = NULL;
}


static uint64_t
ngx_media_hls_stamp(ngx_media_hls_output_t *o)
{
    uint64_t    stamp;
    ngx_uint_t  i, n;

    if (!ngx_media_hls_valid(&o->hls)) {
        return (uint64_t) -1;
    }

    n = ngx_media_hls_renditions(&o->hls);
    stamp = ngx_media_ring_load(&o->source->epoch) << 48;

    for (i = 0; i < n; i++) {
        stamp += ngx_media_hls_version(&o->hls, i);
    }

    return stamp;
}


static void
ngx_media_hls_mark(ngx_media_hls_output_t *o)
{
    o->dirty = 1;

    if (!ngx_media_hls_outputs.event.posted) {
        ngx_post_event(&ngx_media_hls_outputs.event, &ngx_posted_events);
    }
}


void
ngx_media_hls_outputs_changed(uint32_t index)
{
    ngx_queue_t              *q;
    ngx_media_hls_output_t   *o;
    ngx_media_hls_outputs_t  *os;

    os = &ngx_media_hls_outputs;

    if (os->sources == NULL) {
        return;
    }

    if (index != NGX_MEDIA_NONE) {
        o = (index < os->nsources) ? os->sources[index] : NULL;

        if (o && !ngx_queue_empty(&o->hls.watches)) {
            ngx_media_hls_mark(o);
        }

        return;
    }

    for (q = ngx_queue_head(&os->all);
         q != ngx_queue_sentinel(&os->all);
         q = ngx_queue_next(q))
    {
        o = (ngx_media_hls_output_t *) ngx_queue_data(q, ngx_media_hls_t,
                                                      queue);

        if (!ngx_queue_empty(&o->hls.watches)) {
            ngx_media_hls_mark(o);
        }
    }
}


static void
ngx_media_hls_event(ngx_event_t *ev)
{
    ngx_queue_t              *q, *next;
    ngx_media_hls_output_t   *o;
    ngx_media_hls_outputs_t  *os;

    os = &ngx_media_hls_outputs;

    /* handles are freed by the tick only, so next stays */

    for (q = ngx_queue_head(&os->all);
         q != ngx_queue_sentinel(&os->all);
         q = next)
    {
        next = ngx_queue_next(q);
        o = (ngx_media_hls_output_t *) ngx_queue_data(q, ngx_media_hls_t,
                                                      queue);

        if (o->dirty) {
            o->dirty = 0;
            ngx_media_hls_tell(o);
        }
    }
}


static void
ngx_media_hls_tell(ngx_media_hls_output_t *o)
{
    uint64_t                stamp;
    ngx_queue_t             told, *q;
    ngx_media_hls_watch_t  *w;

    stamp = ngx_media_hls_stamp(o);

    if ((stamp == o->version && !o->gone) || ngx_queue_empty(&o->hls.watches))
    {
        return;
    }

    o->version = stamp;

    /* a handler may take any of them out, its own too, or add new ones */

    ngx_queue_init(&told);
    ngx_queue_add(&told, &o->hls.watches);
    ngx_queue_init(&o->hls.watches);

    while (!ngx_queue_empty(&told)) {

        q = ngx_queue_head(&told);
        w = ngx_queue_data(q, ngx_media_hls_watch_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&o->hls.watches, q);

        w->handler(w);
    }
}


/* --- life --------------------------------------------------------------- */

void
ngx_media_hls_outputs_second(void)
{
    ngx_msec_t                idle;
    ngx_queue_t              *q, *next;
    ngx_media_hls_output_t   *o;
    ngx_media_hls_outputs_t  *os;

    os = &ngx_media_hls_outputs;

    if (os->sources == NULL) {
        return;
    }

    for (q = ngx_queue_head(&os->all);
         q != ngx_queue_sentinel(&os->all);
         q = next)
    {
        next = ngx_queue_next(q);
        o = (ngx_media_hls_output_t *) ngx_queue_data(q, ngx_media_hls_t,
                                                      queue);

        if (!ngx_queue_empty(&o->hls.watches)) {

            /* an end has no other sign than the time */

            ngx_media_hls_mark(o);
            continue;
        }

        idle = ngx_media_hls_ended(o->source) ? NGX_MEDIA_HLS_OVER
                                              : NGX_MEDIA_HLS_IDLE;

        if (ngx_current_msec - o->used > idle) {
            ngx_media_hls_free(o);

        } else if (!ngx_media_hls_valid(&o->hls)) {
            ngx_media_hls_leave(o);

        } else {
            o->source->used_msec = ngx_media_msec();
        }
    }
}


/* out of the tables: nobody finds it any more */

static void
ngx_media_hls_leave(ngx_media_hls_output_t *o)
{
    ngx_media_hls_output_t  **prev;

    if (o->gone) {
        return;
    }

    for (prev = ngx_media_hls_bucket(o->hash); *prev; prev = &(*prev)->next) {
        if (*prev == o) {
            *prev = o->next;
            break;
        }
    }

    ngx_media_hls_outputs.sources[o->index] = NULL;

    ngx_media_service_unwatch(o->source);

    o->gone = 1;
}


static void
ngx_media_hls_free(ngx_media_hls_output_t *o)
{
    ngx_media_hls_leave(o);

    ngx_queue_remove(&o->hls.queue);

    if (o->hls.cleanup) {
        o->hls.cleanup(&o->hls);
    }

    ngx_free(o);
}


void
ngx_media_hls_outputs_exit(void)
{
    ngx_queue_t              *q;
    ngx_media_hls_outputs_t  *os;

    ngx_media_hls_cut_exit();

    os = &ngx_media_hls_outputs;

    if (os->sources == NULL) {
        return;
    }

    while (!ngx_queue_empty(&os->all)) {
        q = ngx_queue_head(&os->all);
        ngx_media_hls_free((ngx_media_hls_output_t *)
                           ngx_queue_data(q, ngx_media_hls_t, queue));
    }

    ngx_free(os->sources);
    os->sources = NULL;
}
