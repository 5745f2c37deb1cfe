
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: recordings, the worker's side.  Each source that is published here and
 * is to be recorded has a reader, whose frames are gathered in batches; a
 * thread writes them (ngx_media_record_job.c), one job at a time for each
 * recording, and tells what became of them.
 *
 *   none --publish, switch--> open --unpublish--> over --written--> none
 *                              |  ^
 *                 the disk fails  a while later, with a new file
 *
 * A slow disk costs dvr_buffer of memory and then frames up to the next start
 * point, one that fails costs all frames until it is tried again.  Nothing
 * here waits for either of them.
 */


#include "ngx_media_record_job.h"
#include "ngx_media_event.h"


#define NGX_MEDIA_RECORD_BATCH     (1024 * 1024)
#define NGX_MEDIA_RECORD_SPAN      1000000     /* us */
#define NGX_MEDIA_RECORD_DATA      65536       /* of a batch, at first */
#define NGX_MEDIA_RECORD_NFRAMES   128
#define NGX_MEDIA_RECORD_WAIT      100         /* ms, for another worker */
#define NGX_MEDIA_RECORD_STEAL     10000       /* ms: it must be stuck */
#define NGX_MEDIA_RECORD_BACKOFF   30000       /* ms */
#define NGX_MEDIA_RECORD_HOLD      200         /* ms */
#define NGX_MEDIA_RECORD_EXIT      2000        /* ms */
#define NGX_MEDIA_RECORD_LOOKS     3

#define ngx_media_record_size(b)                                              \
    ((b)->size + (b)->max * sizeof(ngx_media_frame_t))


static void ngx_media_record_publish(ngx_media_source_t *src);
static void ngx_media_record_unpublish(ngx_media_source_t *src);
static void ngx_media_record_tick(ngx_media_source_t *src);
static void ngx_media_record_second(void);
static void ngx_media_record_exit(void);
static ngx_media_record_t *ngx_media_record_find(ngx_media_source_t *src);
static ngx_uint_t ngx_media_record_wanted(ngx_media_source_t *src,
    void ***policy);
static void ngx_media_record_begin(ngx_media_source_t *src, void **policy,
    ngx_uint_t from);
static void ngx_media_record_over(ngx_media_record_t *r, ngx_uint_t how);
static void ngx_media_record_free(ngx_media_record_t *r);
static void ngx_media_record_leave(ngx_media_record_t *r);
static void ngx_media_record_heads(ngx_media_reader_t *reader,
    const ngx_media_heads_t *heads);
static ngx_int_t ngx_media_record_frame_room(ngx_media_reader_t *reader,
    const ngx_media_frame_t *f, u_char **buf);
static void ngx_media_record_frame(ngx_media_reader_t *reader,
    const ngx_media_frame_t *f);
static void ngx_media_record_gap(ngx_media_reader_t *reader);
static ngx_uint_t ngx_media_record_dropped(ngx_media_record_t *r,
    size_t size);
static ngx_int_t ngx_media_record_reserve(ngx_media_record_t *r,
    size_t size);
static void ngx_media_record_add(ngx_media_record_batch_t *b,
    const ngx_media_frame_t *f);
static void ngx_media_record_seal(ngx_media_record_t *r);
static void ngx_media_record_clear(ngx_media_record_t *r, ngx_queue_t *q);
static ngx_uint_t ngx_media_record_take(ngx_media_record_t *r);
static void ngx_media_record_next(ngx_media_record_t *r);
static void ngx_media_record_thread(void *data, ngx_log_t *log);
static void ngx_media_record_done(ngx_event_t *ev);
static void ngx_media_record_result(ngx_media_record_t *r);
static void ngx_media_record_began(ngx_media_record_t *r);
static void ngx_media_record_failing(ngx_media_record_t *r);
static void ngx_media_record_state(ngx_media_record_t *r);
static void ngx_media_record_timer(ngx_event_t *ev);
static void ngx_media_record_holding(ngx_event_t *ev);


static const ngx_media_reader_ops_t  ngx_media_record_ops = {
    ngx_media_record_heads,
    ngx_media_record_frame_room,
    ngx_media_record_frame,
    ngx_media_record_gap,
    NULL
};


static const ngx_media_service_t  ngx_media_record_service = {
    .publish = ngx_media_record_publish,
    .unpublish = ngx_media_record_unpublish,
    .tick = ngx_media_record_tick,
    .second = ngx_media_record_second,
    .exit = ngx_media_record_exit
};


static ngx_queue_t           ngx_media_records;
static ngx_media_record_t  **ngx_media_record_of;    /* by index of the source:
                                                      * the one that is open */
static ngx_thread_pool_t    *ngx_media_record_pool;
static ngx_event_t           ngx_media_record_holder;
static ngx_connection_t      ngx_media_record_dummy;
static ngx_uint_t            ngx_media_record_jobs;


ngx_int_t
ngx_media_record_init_worker(ngx_cycle_t *cycle)
{
    ngx_str_t                      name;
    ngx_media_record_main_conf_t  *rmcf;

    ngx_queue_init(&ngx_media_records);

    rmcf = ngx_media_record_main_conf(cycle);

    if (rmcf == NULL || rmcf->roots.nelts == 0) {
        return NGX_OK;
    }

    ngx_str_set(&name, "default");
    ngx_media_record_pool = ngx_thread_pool_get(cycle, &name);

    if (ngx_media_record_pool == NULL) {
        return NGX_OK;
    }

    ngx_media_record_dummy.fd = (ngx_socket_t) -1;

    ngx_media_record_holder.handler = ngx_media_record_holding;
    ngx_media_record_holder.data = &ngx_media_record_dummy;
    ngx_media_record_holder.log = cycle->log;

    if (ngx_media_record_sweep_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_media_service_add(&ngx_media_record_service);
}


/* --- what is recorded --------------------------------------------------- */

static ngx_media_record_t *
ngx_media_record_find(ngx_media_source_t *src)
{
    ngx_media_record_t  *r;

    if (ngx_media_record_of == NULL) {
        return NULL;
    }

    r = ngx_media_record_of[ngx_media_source_index(src)];

    return (r && r->generation == src->generation) ? r : NULL;
}


static ngx_uint_t
ngx_media_record_wanted(ngx_media_source_t *src, void ***policy)
{
    ngx_str_t                 vhost, app, stream;
    ngx_media_record_conf_t  *rcf;

    vhost.data = src->vhost;
    vhost.len = src->vhost_len;
    app.data = src->app;
    app.len = src->app_len;
    stream.data = src->stream;
    stream.len = src->stream_len;

    *policy = ngx_media_policy(&vhost, &app);
    rcf = ngx_media_record_conf(*policy);

    if (rcf->root == NULL) {
        return 0;
    }

    switch (ngx_media_record_switch(&vhost, &app, &stream)) {

    case NGX_MEDIA_RECORD_ON:
        return 1;

    case NGX_MEDIA_RECORD_OFF:
        return 0;
    }

    if (src->record.told == 0 || src->record.told == 1) {
        return (ngx_uint_t) src->record.told;
    }

    return rcf->enable && ngx_media_record_applies(rcf, &app, &stream);
}


static void
ngx_media_record_publish(ngx_media_source_t *src)
{
    void  **policy;

    __atomic_store_n(&src->record.look, 0, __ATOMIC_RELAXED);

    /* of a worker that died */

    __atomic_store_n(&src->record.active, 0, __ATOMIC_RELEASE);

    if (ngx_media_record_wanted(src, &policy)) {
        ngx_media_record_begin(src, policy, NGX_MEDIA_READ_OLDEST);
    }
}


static void
ngx_media_record_unpublish(ngx_media_source_t *src)
{
    ngx_media_record_t  *r;

    r = ngx_media_record_find(src);

    if (r) {
        (void) ngx_media_reader_pull(&r->reader, 0);
        ngx_media_record_over(r, r->conf->gap ? NGX_MEDIA_RECORD_SUSPEND
                                              : NGX_MEDIA_RECORD_END);
    }
}


static void
ngx_media_record_tick(ngx_media_source_t *src)
{
    void                **policy;
    uint32_t              look;
    ngx_uint_t            wanted;
    ngx_media_record_t   *r;

    look = __atomic_exchange_n(&src->record.look, 0, __ATOMIC_RELAXED);
    r = ngx_media_record_find(src);

    if (look || r == NULL) {
        wanted = ngx_media_record_wanted(src, &policy);

        if (wanted && r == NULL) {
            ngx_media_record_begin(src, policy, NGX_MEDIA_READ_KEY);

        } else if (!wanted && r) {
            (void) ngx_media_reader_pull(&r->reader, 0);
            ngx_media_record_over(r, NGX_MEDIA_RECORD_END);
        }

        return;
    }

    if (r->batch && r->batch->nmedia
        && ngx_media_epoch_ms() - r->batch->wall
           >= NGX_MEDIA_RECORD_SPAN / 1000)
    {
        ngx_media_record_seal(r);
    }

    ngx_media_record_next(r);
}


/* --- life --------------------------------------------------------------- */

static ngx_media_record_t *
ngx_media_record_new(ngx_media_source_t *src, void **policy)
{
    u_char              *p;
    ngx_media_record_t  *r;

    r = ngx_calloc(sizeof(ngx_media_record_t) + src->vhost_len + src->app_len
                   + src->stream_len, ngx_cycle->log);
    if (r == NULL) {
        return NULL;
    }

    r->source = src;
    r->generation = src->generation;
    r->reader.data = r;
    r->policy = policy;
    r->conf = ngx_media_record_conf(policy);

    ngx_queue_init(&r->batches);
    ngx_queue_init(&r->input);
    ngx_queue_init(&r->ends);
    ngx_media_record_file_init(&r->file);

    r->timer.handler = ngx_media_record_timer;
    r->timer.data = &ngx_media_record_dummy;
    r->timer.log = ngx_cycle->log;
    r->timer.cancelable = 1;

    p = r->names;

    r->vhost.data = p;
    r->vhost.len = src->vhost_len;
    p = ngx_cpymem(p, src->vhost, src->vhost_len);

    r->app.data = p;
    r->app.len = src->app_len;
    p = ngx_cpymem(p, src->app, src->app_len);

    r->stream.data = p;
    r->stream.len = src->stream_len;
    ngx_memcpy(p, src->stream, src->stream_len);

    ngx_media_record_md5(r->md5, &r->vhost, &r->app, &r->stream);

    (void) ngx_media_client_snapshot(src->pub_client, &r->client);

    return r;
}


static void
ngx_media_record_begin(ngx_media_source_t *src, void **policy,
    ngx_uint_t from)
{
    ngx_media_record_t  *r;

    if (ngx_media_record_of == NULL) {
        ngx_media_record_of = ngx_calloc(ngx_media_arena()->nsources
                                         * sizeof(ngx_media_record_t *),
                                         ngx_cycle->log);
        if (ngx_media_record_of == NULL) {
            return;
        }
    }

    r = ngx_media_record_new(src, policy);

    if (r == NULL) {
        return;
    }

    if (ngx_media_reader_open(&r->reader, src, &ngx_media_record_ops, from)
        != NGX_OK)
    {
        ngx_free(r);
        return;
    }

    ngx_queue_insert_tail(&ngx_media_records, &r->queue);
    ngx_media_record_of[ngx_media_source_index(src)] = r;
}


/* nothing comes any more; what there is is written, then it goes */

static void
ngx_media_record_over(ngx_media_record_t *r, ngx_uint_t how)
{
    ngx_media_reader_close(&r->reader);
    ngx_media_record_seal(r);

    if (r->batch) {

        /* heads of frames that never came */

        r->held -= ngx_media_record_size(r->batch);
        ngx_media_record_batch_free(r->batch);
        r->batch = NULL;
    }

    r->over = how;
    ngx_media_record_of[ngx_media_source_index(r->source)] = NULL;

    if (r->generation == r->source->generation) {
        __atomic_store_n(&r->source->record.active, 0, __ATOMIC_RELEASE);
    }

    ngx_media_record_next(r);
}


static void
ngx_media_record_free(ngx_media_record_t *r)
{
    if (r->timer.timer_set) {
        ngx_del_timer(&r->timer);
    }

    if (r->batch) {
        ngx_media_record_batch_free(r->batch);
    }

    ngx_media_record_clear(r, &r->batches);
    ngx_media_record_clear(r, &r->input);
    ngx_media_record_job_free(r);

    ngx_queue_remove(&r->queue);
    ngx_free(r);
}


static void
ngx_media_record_second(void)
{
    ngx_media_record_sweep_second();
}


/*
 * The worker exits: threads have ended by now, with what they were given done.
 * What is left is written here, if the disk takes it soon; files stay as they
 * are, for the publisher's next worker or the sweep of another one.
 */

static void
ngx_media_record_exit(void)
{
    int64_t              until;
    ngx_media_record_t  *r;

    until = ngx_media_msec() + NGX_MEDIA_RECORD_EXIT;

    while (!ngx_queue_empty(&ngx_media_records)) {

        r = ngx_queue_data(ngx_queue_head(&ngx_media_records),
                           ngx_media_record_t, queue);

        if (!r->over) {

            /* nobody posts it any more */

            r->busy = 1;
            (void) ngx_media_reader_pull(&r->reader, 0);
            ngx_media_record_over(r, NGX_MEDIA_RECORD_SUSPEND);
        }

        do {
            ngx_media_record_leave(r);

            if (r->cause || r->failing || ngx_media_msec() > until
                || !ngx_media_record_take(r))
            {
                break;
            }

            ngx_media_record_run(r);

        } while (!r->again);

        ngx_media_record_leave(r);
        ngx_media_record_free(r);
    }

    ngx_media_record_end_exit();
    ngx_media_record_sweep_exit();

    if (ngx_media_record_holder.timer_set) {
        ngx_del_timer(&ngx_media_record_holder);
    }

    if (ngx_media_record_of) {
        ngx_free(ngx_media_record_of);
        ngx_media_record_of = NULL;
    }

    ngx_media_record_pool = NULL;
}


/* files that are over are finished elsewhere */

static void
ngx_media_record_leave(ngx_media_record_t *r)
{
    ngx_queue_t             *q;
    ngx_media_record_end_t  *end;

    while (!ngx_queue_empty(&r->ends)) {

        q = ngx_queue_head(&r->ends);
        end = ngx_queue_data(q, ngx_media_record_end_t, queue);

        ngx_queue_remove(q);
        ngx_media_record_file_close(&end->file);
        ngx_free(end);
    }
}


/* a worker that shuts down stays for as long as a thread has something */

ngx_int_t
ngx_media_record_post(ngx_thread_task_t *task)
{
    if (ngx_thread_task_post(ngx_media_record_pool, task) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_media_record_jobs++;

    if (!ngx_media_record_holder.timer_set) {
        ngx_add_timer(&ngx_media_record_holder, NGX_MEDIA_RECORD_HOLD);
    }

    return NGX_OK;
}


void
ngx_media_record_posted(void)
{
    ngx_media_record_jobs--;
}


static void
ngx_media_record_holding(ngx_event_t *ev)
{
    if (ngx_media_record_jobs) {
        ngx_add_timer(ev, NGX_MEDIA_RECORD_HOLD);
    }
}


/* --- frames ------------------------------------------------------------- */

static void
ngx_media_record_heads(ngx_media_reader_t *reader,
    const ngx_media_heads_t *heads)
{
    ngx_uint_t           i;
    ngx_media_record_t  *r;

    r = reader->data;

    ngx_media_record_seal(r);

    for (i = 0; i < heads->nframes; i++) {

        if (ngx_media_record_reserve(r, heads->frames[i].size) != NGX_OK) {
            return;
        }

        ngx_memcpy(r->batch->data + r->batch->used, heads->frames[i].data,
                   heads->frames[i].size);

        ngx_media_record_add(r->batch, &heads->frames[i]);
    }
}


static ngx_int_t
ngx_media_record_frame_room(ngx_media_reader_t *reader,
    const ngx_media_frame_t *f, u_char **buf)
{
    ngx_media_record_t        *r;
    ngx_media_record_batch_t  *b;

    r = reader->data;
    b = r->batch;

    if (b && b->nmedia
        && ((f->flags & (NGX_MEDIA_FRAME_SYNC|NGX_MEDIA_HEAD_KINDS))
            || b->used + f->size > NGX_MEDIA_RECORD_BATCH
            || b->n >= NGX_MEDIA_FILE_FRAMES
            || f->dts - b->dts >= NGX_MEDIA_RECORD_SPAN))
    {
        ngx_media_record_seal(r);
        ngx_media_record_next(r);
    }

    if (ngx_media_record_dropped(r, f->size)) {
        return NGX_DECLINED;
    }

    if (ngx_media_record_reserve(r, f->size) != NGX_OK) {
        (void) ngx_media_record_dropped(r, r->conf->buffer);
        return NGX_DECLINED;
    }

    *buf = r->batch->data + r->batch->used;

    return NGX_OK;
}


static void
ngx_media_record_frame(ngx_media_reader_t *reader, const ngx_media_frame_t *f)
{
    int64_t                    age;
    ngx_media_record_t        *r;
    ngx_media_record_batch_t  *b;

    r = reader->data;
    b = r->batch;

    r->expected = f->seq + 1;

    if (!(f->flags & NGX_MEDIA_HEAD_KINDS) && b->nmedia++ == 0) {

        age = (ngx_media_now() - reader->time) / 1000;

        b->dts = f->dts;
        b->wall = ngx_media_epoch_ms() - ngx_max(age, 0);
        b->sync = (f->flags & NGX_MEDIA_FRAME_SYNC) ? 1 : 0;
    }

    ngx_media_record_add(b, f);
}


/* the reader begins again at a start point, with heads */

static void
ngx_media_record_gap(ngx_media_reader_t *reader)
{
    uint64_t             n;
    ngx_media_record_t  *r;

    r = reader->data;

    ngx_media_record_seal(r);

    if (!r->dropping && r->expected && reader->seq > r->expected) {

        n = reader->seq - r->expected;
        r->dropped += n;
        r->expected = reader->seq;

        if (r->generation == r->source->generation) {
            (void) __atomic_fetch_add(&r->source->record.lost, n,
                                      __ATOMIC_RELAXED);
        }
    }
}


/* Is there no room for it, or no disk?  Then nothing comes up to a SYNC. */

static ngx_uint_t
ngx_media_record_dropped(ngx_media_record_t *r, size_t size)
{
    uint64_t             n;
    ngx_media_reader_t  *reader;

    reader = &r->reader;

    if (r->failing && (ngx_msec_int_t) (r->retry - ngx_current_msec) > 0) {
        goto drop;
    }

    if (r->held + size > r->conf->buffer) {

        if (!r->full) {
            r->full = 1;

            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "\"%V\" is too slow for \"%V/%V\", dvr_buffer of "
                          "%uz bytes is full, frames are lost",
                          &r->conf->root->path, &r->app, &r->stream,
                          r->conf->buffer);
        }

        goto drop;
    }

    if (r->dropping) {
        n = reader->seq - r->seq;

        r->dropping = 0;
        r->dropped += n;

        if (r->generation == r->source->generation) {
            (void) __atomic_fetch_add(&r->source->record.lost, n,
                                      __ATOMIC_RELAXED);
        }

        if (r->full) {
            r->full = 0;

            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "\"%V/%V\" is recorded again, %uL frames are lost",
                          &r->app, &r->stream, r->dropped);

            r->dropped = 0;
        }
    }

    return 0;

drop:

    if (!r->dropping) {
        r->dropping = 1;
        r->seq = reader->seq;
    }

    reader->need_key = 1;
    reader->need_heads = 1;

    if (r->batch && r->batch->nmedia == 0) {
        r->held -= ngx_media_record_size(r->batch);
        ngx_media_record_batch_free(r->batch);
        r->batch = NULL;
    }

    return 1;
}


/* --- batches ------------------------------------------------------------ */

/* r->batch has room for one more frame of this size */

static ngx_int_t
ngx_media_record_reserve(ngx_media_record_t *r, size_t size)
{
    size_t                     room;
    u_char                    *data;
    uint32_t                   max;
    ngx_media_frame_t         *frames;
    ngx_media_record_batch_t  *b;

    if (r->batch == NULL) {
        r->batch = ngx_calloc(sizeof(ngx_media_record_batch_t),
                              ngx_cycle->log);
        if (r->batch == NULL) {
            return NGX_ERROR;
        }
    }

    b = r->batch;

    if (b->data == NULL || b->size - b->used < size) {

        room = b->size ? b->size * 2 : NGX_MEDIA_RECORD_DATA;
        room = ngx_max(room, b->used + size);

        data = ngx_alloc(room, ngx_cycle->log);
        if (data == NULL) {
            return NGX_ERROR;
        }

        if (b->data) {
            ngx_memcpy(data, b->data, b->used);
            ngx_free(b->data);
        }

        r->held += room - b->size;

        b->data = data;
        b->size = room;
    }

    if (b->n == b->max) {

        max = b->max ? b->max * 2 : NGX_MEDIA_RECORD_NFRAMES;

        frames = ngx_alloc(max * sizeof(ngx_media_frame_t), ngx_cycle->log);
        if (frames == NULL) {
            return NGX_ERROR;
        }

        if (b->frames) {
            ngx_memcpy(frames, b->frames, b->n * sizeof(ngx_media_frame_t));
            ngx_free(b->frames);
        }

        r->held += (max - b->max) * sizeof(ngx_media_frame_t);

        b->frames = frames;
        b->max = max;
    }

    return NGX_OK;
}


/* its payload is at the end of the data */

static void
ngx_media_record_add(ngx_media_record_batch_t *b, const ngx_media_frame_t *f)
{
    b->frames[b->n] = *f;
    b->frames[b->n].data = NULL;
    b->used += f->size;
    b->n++;
}


/* the batch is whole, where there is a frame in it */

static void
ngx_media_record_seal(ngx_media_record_t *r)
{
    u_char                    *p;
    uint32_t                   i;
    ngx_media_record_batch_t  *b;

    b = r->batch;

    if (b == NULL || b->nmedia == 0) {
        return;
    }

    p = b->data;

    for (i = 0; i < b->n; i++) {
        b->frames[i].data = p;
        p += b->frames[i].size;
    }

    ngx_queue_insert_tail(&r->batches, &b->queue);
    r->batch = NULL;
}


static void
ngx_media_record_clear(ngx_media_record_t *r, ngx_queue_t *queue)
{
    uint64_t                   n;
    ngx_queue_t               *q;
    ngx_media_record_batch_t  *b;

    n = 0;

    while (!ngx_queue_empty(queue)) {

        q = ngx_queue_head(queue);
        b = ngx_queue_data(q, ngx_media_record_batch_t, queue);

        ngx_queue_remove(q);

        n += b->nmedia;
        r->held -= ngx_media_record_size(b);
        ngx_media_record_batch_free(b);
    }

    r->dropped += n;

    if (n && r->generation == r->source->generation) {
        (void) __atomic_fetch_add(&r->source->record.lost, n,
                                  __ATOMIC_RELAXED);
    }
}


/* --- jobs --------------------------------------------------------------- */

/* gives the job its input.  0: there is nothing to do */

static ngx_uint_t
ngx_media_record_take(ngx_media_record_t *r)
{
    if (!ngx_queue_empty(&r->batches)) {

        if (ngx_queue_empty(&r->input)) {
            ngx_queue_init(&r->input);
        }

        ngx_queue_add(&r->input, &r->batches);
        ngx_queue_init(&r->batches);
    }

    r->how = r->over;

    return !ngx_queue_empty(&r->input) || (r->over && r->file.lock != -1);
}


static void
ngx_media_record_next(ngx_media_record_t *r)
{
    if (r->busy || r->timer.timer_set) {
        return;
    }

    if (!ngx_media_record_take(r)) {

        if (r->over) {
            ngx_media_record_free(r);
        }

        return;
    }

    r->task.ctx = r;
    r->task.handler = ngx_media_record_thread;
    r->task.event.handler = ngx_media_record_done;
    r->task.event.data = r;

    if (ngx_media_record_post(&r->task) != NGX_OK) {
        r->timer.cancelable = 0;
        ngx_add_timer(&r->timer, NGX_MEDIA_RECORD_WAIT);
        return;
    }

    r->busy = 1;
}


static void
ngx_media_record_thread(void *data, ngx_log_t *log)
{
    ngx_media_record_run(data);
}


static void
ngx_media_record_done(ngx_event_t *ev)
{
    ngx_media_record_t  *r;

    r = ev->data;
    r->busy = 0;

    ngx_media_record_result(r);

    if (r->again && !r->failing) {
        r->waited += NGX_MEDIA_RECORD_WAIT;
        r->steal = (r->waited > NGX_MEDIA_RECORD_STEAL);

        r->timer.cancelable = 0;
        ngx_add_timer(&r->timer, NGX_MEDIA_RECORD_WAIT);

    } else {
        r->waited = 0;
        r->steal = 0;
        ngx_media_record_next(r);
    }

    ngx_media_record_posted();
}


static void
ngx_media_record_timer(ngx_event_t *ev)
{
    ngx_media_record_next((ngx_media_record_t *)
                          ((u_char *) ev
                           - offsetof(ngx_media_record_t, timer)));
}


/* what became of the job */

static void
ngx_media_record_result(ngx_media_record_t *r)
{
    ngx_queue_t                *q;
    ngx_media_source_record_t  *rec;

    r->held -= r->freed;

    while (!ngx_queue_empty(&r->ends)) {
        q = ngx_queue_head(&r->ends);
        ngx_queue_remove(q);
        ngx_media_record_end_post(ngx_queue_data(q, ngx_media_record_end_t,
                                                 queue));
    }

    if (r->generation == r->source->generation) {
        rec = &r->source->record;

        (void) __atomic_fetch_add(&rec->lost, r->lost, __ATOMIC_RELAXED);
        (void) __atomic_fetch_add(&rec->total, r->written, __ATOMIC_RELAXED);
        (void) __atomic_fetch_add(&rec->errors, r->cause != 0,
                                  __ATOMIC_RELAXED);
    }

    r->dropped += r->lost;

    if (r->cause) {
        ngx_media_record_failing(r);

    } else if (r->written && r->failing) {

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "\"%V/%V\" is recorded again, %uL frames are lost",
                      &r->app, &r->stream, r->dropped);

        r->failing = 0;
        r->backoff = 0;
        r->dropped = 0;
    }

    if (r->begun) {
        ngx_media_record_began(r);
    }

    if (!r->over) {
        ngx_media_record_state(r);
    }
}


static void
ngx_media_record_began(ngx_media_record_t *r)
{
    ngx_media_recording_t     rec;
    ngx_media_record_head_t  *head;

    head = &r->file.head;

    if (r->file.lock == -1) {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "\"%V/%V\" is recorded %sto \"%V/%s\"",
                  &r->app, &r->stream, r->resumed ? "again " : "",
                  &r->conf->root->path, head->name);

    if (r->resumed) {
        return;
    }

    ngx_memzero(&rec, sizeof(ngx_media_recording_t));

    ngx_memcpy(rec.id, head->id, NGX_MEDIA_RECORD_ID);
    rec.kind = (uint8_t) head->kind;
    rec.state = NGX_MEDIA_RECORD_OPEN;
    rec.vhost = r->vhost;
    rec.app = r->app;
    rec.stream = r->stream;
    rec.file.data = head->name;
    rec.file.len = ngx_strlen(head->name);
    rec.begin = head->begin;
    rec.duration = (uint64_t) (r->file.mark.file.end / 1000);
    rec.end = rec.begin + (int64_t) rec.duration;
    rec.bytes = r->file.mark.file.bytes;

    ngx_media_event_recording(NGX_MEDIA_KIND_RECORD, &rec);
}


static void
ngx_media_record_failing(ngx_media_record_t *r)
{
    static const char  *what[] = {
        "",
        "can not be opened",
        "gives it no name that a file may have",
        "can not be made",
        "can not be written",
        "can not be written, its journal",
        "can not be written, no memory"
    };

    if (!r->failing) {
        r->failing = 1;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, r->err,
                      "\"%V%s%s\" %s, \"%V/%V\" is not recorded, live goes on",
                      &r->conf->root->path, r->name[0] ? "/" : "", r->name,
                      what[r->cause], &r->app, &r->stream);
    }

    r->backoff = r->backoff ? ngx_min(r->backoff * 2,
                                      NGX_MEDIA_RECORD_BACKOFF)
                            : 1000;
    r->retry = ngx_current_msec + r->backoff;

    ngx_media_record_clear(r, &r->input);
    ngx_media_record_clear(r, &r->batches);

    if (r->batch) {
        r->dropped += r->batch->nmedia;
        r->held -= ngx_media_record_size(r->batch);
        ngx_media_record_batch_free(r->batch);
        r->batch = NULL;
    }

    if (!r->over && !r->dropping) {
        r->dropping = 1;
        r->seq = r->reader.seq;
        r->reader.need_key = 1;
        r->reader.need_heads = 1;
    }
}


/* for those that show it */

static void
ngx_media_record_state(ngx_media_record_t *r)
{
    ngx_media_source_record_t  *rec;

    if (r->generation != r->source->generation) {
        return;
    }

    rec = &r->source->record;

    if (r->file.lock == -1) {
        __atomic_store_n(&rec->active, 0, __ATOMIC_RELEASE);
        return;
    }

    if (ngx_strcmp(rec->id, r->file.head.id) != 0) {

        __atomic_store_n(&rec->active, 0, __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);

        (void) ngx_cpystrn(rec->id, r->file.head.id, sizeof(rec->id));
        (void) ngx_cpystrn(rec->file, r->file.head.name,
                           NGX_MEDIA_RECORD_NAME);
        rec->begin = r->file.head.begin;
    }

    rec->duration = (uint64_t) r->file.mark.file.end;
    rec->bytes = r->file.mark.file.bytes;

    __atomic_store_n(&rec->active, 1, __ATOMIC_RELEASE);
}


ngx_int_t
ngx_media_record_now(const ngx_media_source_record_t *now,
    ngx_media_source_record_t *rec)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_MEDIA_RECORD_LOOKS; n++) {

        if (!__atomic_load_n(&now->active, __ATOMIC_ACQUIRE)) {
            return NGX_DECLINED;
        }

        *rec = *now;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        /* its worker may be about to begin the next one */

        if (ngx_memcmp(rec->id, now->id, sizeof(rec->id)) != 0
            || !__atomic_load_n(&now->active, __ATOMIC_RELAXED))
        {
            continue;
        }

        rec->id[NGX_MEDIA_RECORD_ID - 1] = '\0';
        rec->file[NGX_MEDIA_RECORD_NAME - 1] = '\0';

        return (ngx_media_record_id_time(rec->id, ngx_strlen(rec->id)) < 0)
               ? NGX_DECLINED : NGX_OK;
    }

    return NGX_DECLINED;
}
