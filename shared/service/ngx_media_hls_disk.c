
/*
 * Copyright (C) the nginx media suite authors
 *
 * HLS on disk, the worker's side.  The worker that cuts looks for closed
 * segments that are not on disk yet, copies one of them out of the store and
 * has it written by a thread; when that is done it looks again.  What could
 * not be written is tried again each second for as long as the store has it.
 *
 * An output goes when its source goes, or is published elsewhere, or nothing
 * is left to write: whoever comes next reads what is on disk.
 */


#include "ngx_media_hls_disk.h"


#define NGX_MEDIA_HLS_DISK_TRIES   200
#define NGX_MEDIA_HLS_DISK_IDLE    5000     /* ms */
#define NGX_MEDIA_HLS_DISK_SAY     60       /* s between the same log lines */
#define NGX_MEDIA_HLS_DISK_ERRORS  136      /* told apart; errno is below */


static ngx_media_hls_disk_t *ngx_media_hls_disk_get(ngx_media_source_t *src,
    ngx_media_hls_conf_t *conf, uint32_t index);
static ngx_int_t ngx_media_hls_disk_segment(ngx_media_hls_disk_t *d);
static ngx_int_t ngx_media_hls_disk_copy(ngx_media_hls_disk_t *d,
    ngx_media_hls_job_t *job);
static void ngx_media_hls_disk_views(ngx_media_hls_disk_t *d,
    ngx_media_hls_job_t *job);
static ngx_uint_t ngx_media_hls_disk_valid(ngx_media_hls_disk_t *d);
static void ngx_media_hls_disk_next(ngx_media_hls_disk_t *d);
static void ngx_media_hls_disk_thread(void *data, ngx_log_t *log);
static void ngx_media_hls_disk_done(ngx_event_t *ev);
static void ngx_media_hls_disk_finish(ngx_media_hls_disk_t *d);
static void ngx_media_hls_disk_late(ngx_media_hls_disk_t *d);
static void ngx_media_hls_disk_missing(ngx_media_hls_disk_t *d, uint64_t n);
static void ngx_media_hls_disk_say(ngx_media_hls_disk_t *d, ngx_uint_t cause,
    ngx_err_t err, u_char *name);
static void ngx_media_hls_disk_behind(ngx_media_hls_disk_t *d);
static void ngx_media_hls_disk_tell(ngx_media_hls_disk_t *d);
static void ngx_media_hls_disk_free_job(ngx_media_hls_disk_t *d);
static void ngx_media_hls_disk_free(ngx_media_hls_disk_t *d);
static void ngx_media_hls_disk_second(void);
static void ngx_media_hls_disk_exit(void);


static ngx_queue_t         ngx_media_hls_disks;
static ngx_thread_pool_t  *ngx_media_hls_disk_pool;


static const ngx_media_service_t  ngx_media_hls_disk_service = {
    .second = ngx_media_hls_disk_second,
    .exit = ngx_media_hls_disk_exit
};


ngx_int_t
ngx_media_hls_disk_init_worker(ngx_cycle_t *cycle)
{
    ngx_str_t  name;

    ngx_queue_init(&ngx_media_hls_disks);

    if (ngx_media_hls_sweep_init(cycle) != NGX_OK) {

        /* hls_path is nowhere */

        return NGX_OK;
    }

    ngx_str_set(&name, "default");
    ngx_media_hls_disk_pool = ngx_thread_pool_get(cycle, &name);

    return ngx_media_service_add(&ngx_media_hls_disk_service);
}


/* --- outputs ------------------------------------------------------------ */

void
ngx_media_hls_disk_wake(ngx_media_source_t *src)
{
    uint32_t                    i, n;
    ngx_str_t                   vhost, app;
    ngx_media_hls_conf_t       *conf;
    ngx_media_hls_disk_t       *d;
    ngx_media_hls_rendition_t  *r;

    if (ngx_media_hls_disk_pool == NULL) {
        return;
    }

    vhost.data = src->vhost;
    vhost.len = src->vhost_len;
    app.data = src->app;
    app.len = src->app_len;

    conf = ngx_media_hls_conf(&vhost, &app);

    if (conf->path.len == 0) {
        return;
    }

    n = __atomic_load_n(&src->nstores, __ATOMIC_ACQUIRE);

    for (i = 0; i < n; i++) {

        r = ngx_media_hls_rendition_at(src, i);

        if (r == NULL || r->tag[0] == NGX_MEDIA_HLS_RETIRED
            || r->next == r->first)
        {
            continue;
        }

        d = ngx_media_hls_disk_get(src, conf, i);

        if (d) {
            ngx_media_hls_disk_next(d);
        }
    }
}


static ngx_media_hls_disk_t *
ngx_media_hls_disk_get(ngx_media_source_t *src, ngx_media_hls_conf_t *conf,
    uint32_t index)
{
    u_char                     *p;
    ngx_queue_t                *q;
    ngx_media_hls_disk_t       *d;
    ngx_media_hls_rendition_t  *r;

    r = ngx_media_hls_rendition_at(src, index);

    for (q = ngx_queue_head(&ngx_media_hls_disks);
         q != ngx_queue_sentinel(&ngx_media_hls_disks);
         q = ngx_queue_next(q))
    {
        d = ngx_queue_data(q, ngx_media_hls_disk_t, queue);

        if (d->source == src && d->index == index && !d->stop
            && ngx_media_hls_disk_valid(d)
            && ngx_strcmp(d->tag, r->tag) == 0)
        {
            return d;
        }
    }

    d = ngx_calloc(sizeof(ngx_media_hls_disk_t) + src->vhost_len
                   + src->app_len + src->stream_len, ngx_cycle->log);
    if (d == NULL) {
        return NULL;
    }

    d->source = src;
    d->generation = src->generation;
    d->index = index;
    d->conf = conf;
    d->taken = r->first;
    d->older = r->next;
    d->follow = (r->next - r->first > 1
                 && (ngx_media_hls_at(r, r->first + 1)->flags
                     & NGX_MEDIA_HLS_CLOSED));

    ngx_memcpy(d->tag, r->tag, NGX_MEDIA_HLS_TAG_LEN);
    *ngx_sprintf(d->stamp, "%08xD%08xD", (uint32_t) ngx_pid,
                 (uint32_t) ngx_random()) = '\0';

    p = d->names;

    d->vhost.data = p;
    d->vhost.len = src->vhost_len;
    p = ngx_cpymem(p, src->vhost, src->vhost_len);

    d->app.data = p;
    d->app.len = src->app_len;
    p = ngx_cpymem(p, src->app, src->app_len);

    d->stream.data = p;
    d->stream.len = src->stream_len;
    ngx_memcpy(p, src->stream, src->stream_len);

    ngx_queue_insert_tail(&ngx_media_hls_disks, &d->queue);

    return d;
}


static ngx_uint_t
ngx_media_hls_disk_valid(ngx_media_hls_disk_t *d)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    return __atomic_load_n(&d->source->generation, __ATOMIC_RELAXED)
           == d->generation;
}


/* --- out of the store --------------------------------------------------- */

/*
 * The next closed segment and what holds for it.  NGX_OK, NGX_DECLINED: none.
 * The writer of the store may be another worker by now.
 */

static ngx_int_t
ngx_media_hls_disk_segment(ngx_media_hls_disk_t *d)
{
    uint64_t                    version, first, next, msn;
    ngx_uint_t                  n;
    ngx_media_hls_job_t        *job;
    ngx_media_hls_rendition_t  *r;

    job = d->job;
    r = ngx_media_hls_rendition_at(d->source, d->index);

    for (n = 0; r && n < NGX_MEDIA_HLS_DISK_TRIES; n++) {

        version = __atomic_load_n(&r->version, __ATOMIC_ACQUIRE);

        first = r->first;
        next = r->next;
        msn = ngx_max(first, d->taken);

        job->container = r->container;
        job->target = r->target;
        job->window = r->window;
        job->segment = *ngx_media_hls_at(r, msn);

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if ((version & 1)
            || __atomic_load_n(&r->version, __ATOMIC_RELAXED) != version)
        {
            ngx_cpu_pause();
            continue;
        }

        if (!ngx_media_hls_disk_valid(d) || msn >= next || job->target == 0
            || !(job->segment.flags & NGX_MEDIA_HLS_CLOSED))
        {
            return NGX_DECLINED;
        }

        if (msn > d->taken) {
            ngx_media_hls_disk_missing(d, msn - d->taken);
            d->taken = msn;
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* NGX_OK; NGX_DECLINED: they were given away; NGX_ERROR: no memory */

static ngx_int_t
ngx_media_hls_disk_copy(ngx_media_hls_disk_t *d, ngx_media_hls_job_t *job)
{
    ssize_t                  n;
    ngx_media_hls_output_t   output;
    ngx_media_hls_object_t   o;

    /* read as any worker does, by a handle that is in no table */

    ngx_memzero(&output, sizeof(ngx_media_hls_output_t));

    output.source = d->source;
    output.generation = d->generation;

    ngx_memzero(&o, sizeof(ngx_media_hls_object_t));

    o.part = job->segment.part;
    o.nparts = job->segment.nparts;
    o.size = job->segment.bytes;
    o.generation = d->generation;
    o.rendition = d->index;

    if (o.size == 0 || o.nparts == 0) {
        return NGX_DECLINED;
    }

    job->size = (size_t) o.size;
    job->data = ngx_alloc(job->size, ngx_cycle->log);

    if (job->data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_media_hls_read(&output.hls, &o, job->data, job->size);

    if (n < 0 || (size_t) n != job->size) {
        return NGX_DECLINED;
    }

    if (job->segment.key
        && ngx_media_hls_key(&output.hls, job->segment.key, job->key)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (job->segment.init == 0) {
        return NGX_OK;
    }

    job->init = ngx_alloc(NGX_MEDIA_HLS_INIT_MAX, ngx_cycle->log);

    if (job->init == NULL) {
        return NGX_ERROR;
    }

    n = ngx_media_hls_init(&output.hls, d->index, job->segment.init,
                           job->init, NGX_MEDIA_HLS_INIT_MAX);
    if (n <= 0) {
        return NGX_DECLINED;
    }

    job->init_size = (size_t) n;

    return NGX_OK;
}


/* the first rendition of several writes the multivariant playlist too */

static void
ngx_media_hls_disk_views(ngx_media_hls_disk_t *d, ngx_media_hls_job_t *job)
{
    uint32_t                    i, n;
    ngx_media_hls_output_t      output;
    ngx_media_hls_rendition_t  *r;

    n = __atomic_load_n(&d->source->nstores, __ATOMIC_ACQUIRE);

    if (d->tag[0] == '\0') {
        return;
    }

    for (i = 0; i < d->index; i++) {
        r = ngx_media_hls_rendition_at(d->source, i);

        if (r == NULL || r->tag[0] != NGX_MEDIA_HLS_RETIRED) {
            return;
        }
    }

    ngx_memzero(&output, sizeof(ngx_media_hls_output_t));

    output.source = d->source;
    output.generation = d->generation;

    job->views = ngx_alloc((n - d->index) * sizeof(ngx_media_hls_view_t),
                           ngx_cycle->log);
    if (job->views == NULL) {
        return;
    }

    for (i = d->index; i < n; i++) {

        r = ngx_media_hls_rendition_at(d->source, i);

        if (r && r->tag[0] != NGX_MEDIA_HLS_RETIRED
            && ngx_media_hls_view(&output.hls, i, &job->views[job->nviews])
               == NGX_OK)
        {
            job->nviews++;
        }
    }
}


/* a thread is at work: does the store give away what comes after it? */

static void
ngx_media_hls_disk_late(ngx_media_hls_disk_t *d)
{
    uint64_t                    first;
    ngx_media_hls_rendition_t  *r;

    r = ngx_media_hls_rendition_at(d->source, d->index);
    first = r ? __atomic_load_n(&r->first, __ATOMIC_RELAXED) : 0;

    if (first > d->taken + 1 && ngx_media_hls_disk_valid(d)) {
        ngx_media_hls_disk_say(d, NGX_MEDIA_HLS_DISK_SLOW, 0, NULL);
    }
}


static void
ngx_media_hls_disk_missing(ngx_media_hls_disk_t *d, uint64_t n)
{
    ngx_media_hls_counters_t  *counters;

    counters = ngx_media_hls_counters(d->source, d->index);

    if (counters && ngx_media_hls_disk_valid(d)) {
        (void) __atomic_fetch_add(&counters->missing, n, __ATOMIC_RELAXED);
    }

    d->missing += n;

    ngx_media_hls_disk_say(d, NGX_MEDIA_HLS_DISK_SLOW, 0, NULL);
}


/* --- jobs --------------------------------------------------------------- */

/* prepares the job of the next segment.  NGX_OK; NGX_DECLINED: there is none */

static ngx_int_t
ngx_media_hls_disk_take(ngx_media_hls_disk_t *d)
{
    ngx_int_t  rc;

    d->job = ngx_calloc(sizeof(ngx_media_hls_job_t), ngx_cycle->log);

    if (d->job == NULL) {
        return NGX_DECLINED;
    }

    while (ngx_media_hls_disk_segment(d) == NGX_OK) {

        rc = ngx_media_hls_disk_copy(d, d->job);

        if (rc == NGX_OK) {
            ngx_media_hls_disk_views(d, d->job);
            return NGX_OK;
        }

        if (rc == NGX_ERROR || !ngx_media_hls_disk_valid(d)) {
            break;
        }

        d->taken++;
        ngx_media_hls_disk_missing(d, 1);

        if (d->job->data) {
            ngx_free(d->job->data);
            d->job->data = NULL;
        }

        if (d->job->init) {
            ngx_free(d->job->init);
            d->job->init = NULL;
        }
    }

    ngx_media_hls_disk_free_job(d);

    return NGX_DECLINED;
}


static void
ngx_media_hls_disk_next(ngx_media_hls_disk_t *d)
{
    ngx_thread_task_t  *task;

    if (d->job || ngx_media_hls_disk_take(d) != NGX_OK) {
        return;
    }

    d->used = ngx_current_msec;

    task = &d->job->task;

    task->ctx = d;
    task->handler = ngx_media_hls_disk_thread;
    task->event.handler = ngx_media_hls_disk_done;
    task->event.data = d;

    if (ngx_thread_task_post(ngx_media_hls_disk_pool, task) != NGX_OK) {
        ngx_media_hls_disk_free_job(d);
    }
}


static void
ngx_media_hls_disk_thread(void *data, ngx_log_t *log)
{
    ngx_media_hls_disk_run(data);
}


static void
ngx_media_hls_disk_done(ngx_event_t *ev)
{
    ngx_uint_t             failed;
    ngx_media_hls_disk_t  *d;

    d = ev->data;
    failed = d->job->cause;

    ngx_media_hls_disk_finish(d);

    if (d->stop) {
        ngx_media_hls_disk_free(d);

    } else if (!failed) {
        ngx_media_hls_disk_next(d);
    }
}


/* what became of the job */

static void
ngx_media_hls_disk_finish(ngx_media_hls_disk_t *d)
{
    ngx_media_hls_job_t       *job;
    ngx_media_hls_counters_t  *counters;

    job = d->job;

    d->used = ngx_current_msec;

    counters = ngx_media_hls_disk_valid(d)
               ? ngx_media_hls_counters(d->source, d->index) : NULL;

    if (counters && !job->known) {
        ngx_media_hls_count(job->cause ? &counters->failed
                                       : &counters->written);
    }

    if (job->cause) {
        d->failing = 1;
        ngx_media_hls_disk_say(d, job->cause, job->err, job->name);

    } else {

        if (d->failing || d->missing) {

            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "HLS of \"%V/%V\" is written to disk again, "
                          "%uL segments are missing", &d->app, &d->stream,
                          d->missing);

            d->failing = 0;
            d->missing = 0;
        }

        d->taken++;

        if (!job->known) {
            ngx_media_hls_disk_tell(d);
        }
    }

    ngx_media_hls_disk_free_job(d);
    ngx_media_hls_disk_behind(d);
}


/* how many closed segments are not on disk yet */

static void
ngx_media_hls_disk_behind(ngx_media_hls_disk_t *d)
{
    uint64_t                    n;
    ngx_media_hls_rendition_t  *r;

    r = ngx_media_hls_disk_valid(d)
        ? ngx_media_hls_rendition_at(d->source, d->index) : NULL;

    if (r == NULL) {
        return;
    }

    n = r->next;

    if (n > r->first
        && !(ngx_media_hls_at(r, n - 1)->flags & NGX_MEDIA_HLS_CLOSED))
    {
        n--;
    }

    n = (n > d->taken) ? n - d->taken : 0;

    __atomic_store_n(&r->counters.behind, (uint32_t) n, __ATOMIC_RELAXED);
}


static void
ngx_media_hls_disk_tell(ngx_media_hls_disk_t *d)
{
    u_char                      file[2 * NGX_MEDIA_DISK_NAME + 2],
                                m3u8[2 * NGX_MEDIA_DISK_NAME + 2];
    ngx_media_hls_job_t        *job;
    ngx_media_segment_event_t   event;

    job = d->job;

    event.source = ngx_media_hls_disk_valid(d) ? d->source : NULL;
    event.disk = 1;
    event.vhost = d->vhost;
    event.app = d->app;
    event.stream = d->stream;

    event.file.data = file;
    event.file.len = ngx_snprintf(file, sizeof(file), "%V/%s",
                                  &d->conf->path, job->name)
                     - file;
    event.m3u8.data = m3u8;
    event.m3u8.len = ngx_snprintf(m3u8, sizeof(m3u8), "%V/%s",
                                  &d->conf->path, d->m3u8)
                     - m3u8;

    event.url.data = job->uri;
    event.url.len = ngx_strlen(job->uri);
    event.m3u8_url.data = d->m3u8_uri;
    event.m3u8_url.len = ngx_strlen(d->m3u8_uri);

    event.seq = job->seq;
    event.duration = job->segment.duration / 1000;

    ngx_media_services_segment(&event);
}


/* --- log ---------------------------------------------------------------- */

static void
ngx_media_hls_disk_say(ngx_media_hls_disk_t *d, ngx_uint_t cause,
    ngx_err_t err, u_char *name)
{
    time_t              now, *last;
    static time_t       said[NGX_MEDIA_HLS_DISK_CAUSES]
                            [NGX_MEDIA_HLS_DISK_ERRORS];
    static const char  *what[] = {
        "",
        "can not be opened",
        "gives it no name that a file may have",
        "is written by another stream",
        "can not be written",
        "can not be written",
        "can not be written, no memory",
        "is too slow, segments are missing on it"
    };

    now = ngx_time();

    last = &said[cause][ngx_min(err, NGX_MEDIA_HLS_DISK_ERRORS - 1)];

    if (*last && now - *last < NGX_MEDIA_HLS_DISK_SAY) {
        return;
    }

    *last = now;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                  "\"%V%s%s\" %s, HLS of \"%V/%V\" is not on disk, live goes "
                  "on", &d->conf->path, (name && name[0]) ? "/" : "",
                  name ? name : (u_char *) "", what[cause], &d->app,
                  &d->stream);
}


/* --- life --------------------------------------------------------------- */

static void
ngx_media_hls_disk_free_job(ngx_media_hls_disk_t *d)
{
    ngx_media_hls_job_t  *job;

    job = d->job;
    d->job = NULL;

    if (job->data) {
        ngx_free(job->data);
    }

    if (job->init) {
        ngx_free(job->init);
    }

    if (job->views) {
        ngx_free(job->views);
    }

    ngx_free(job);
}


static void
ngx_media_hls_disk_free(ngx_media_hls_disk_t *d)
{
    if (d->job) {
        d->stop = 1;
        return;
    }

    ngx_media_hls_list_clear(&d->list);
    ngx_queue_remove(&d->queue);
    ngx_free(d);
}


static void
ngx_media_hls_disk_second(void)
{
    ngx_queue_t           *q, *next;
    ngx_media_hls_disk_t  *d;

    for (q = ngx_queue_head(&ngx_media_hls_disks);
         q != ngx_queue_sentinel(&ngx_media_hls_disks);
         q = next)
    {
        next = ngx_queue_next(q);
        d = ngx_queue_data(q, ngx_media_hls_disk_t, queue);

        if (d->stop) {
            continue;
        }

        if (!ngx_media_hls_disk_valid(d)
            || (ngx_media_source_live(d->source)
                && d->source->pub_slot != ngx_media_owner()))
        {
            /* whoever has it now writes what is left */

            ngx_media_hls_disk_free(d);
            continue;
        }

        ngx_media_hls_disk_behind(d);

        if (d->job) {
            ngx_media_hls_disk_late(d);
            continue;
        }

        ngx_media_hls_disk_next(d);

        if (d->job == NULL && !ngx_media_source_live(d->source)
            && ngx_current_msec - d->used > NGX_MEDIA_HLS_DISK_IDLE)
        {
            ngx_media_hls_disk_free(d);
        }
    }

    ngx_media_hls_sweep_second();
}


/*
 * The worker exits: threads have ended by now, with what they were given done;
 * the rest is written here.
 */

static void
ngx_media_hls_disk_exit(void)
{
    ngx_uint_t             failed;
    ngx_queue_t           *q;
    ngx_media_hls_disk_t  *d;

    while (!ngx_queue_empty(&ngx_media_hls_disks)) {

        q = ngx_queue_head(&ngx_media_hls_disks);
        d = ngx_queue_data(q, ngx_media_hls_disk_t, queue);

        failed = 0;

        while (!failed && (d->job || (!d->stop
                                      && ngx_media_hls_disk_take(d)
                                         == NGX_OK)))
        {
            if (d->job->task.handler == NULL) {
                ngx_media_hls_disk_run(d);
            }

            failed = d->job->cause;
            ngx_media_hls_disk_finish(d);
        }

        ngx_media_hls_disk_free(d);
    }

    ngx_media_hls_disk_pool = NULL;
}
