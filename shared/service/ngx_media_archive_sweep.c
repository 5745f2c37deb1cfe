
/*
 * Copyright (C) the nginx media suite authors
 *
 * The archive of recordings, once an hour: dvr_keep for streams that nobody
 * publishes any more, and entries whose files were deleted by somebody else.
 * One worker of all does it, in batches: a thread reads the names of some
 * streams, the worker knows their policy, the thread does what it says and
 * reads the next ones.
 */


#include "ngx_media_archive.h"
#include "ngx_media_thread.h"


#define NGX_MEDIA_ARCHIVE_FIRST    (10 * 1000)     /* ms, from the start */
#define NGX_MEDIA_ARCHIVE_EVERY    (3600 * 1000)
#define NGX_MEDIA_ARCHIVE_BATCH    32


#if (NGX_THREADS)

typedef struct {
    u_char                          md5[NGX_MEDIA_RECORD_MD5];
    ngx_media_archive_names_t       names;
    time_t                          age;
    off_t                           size;
} ngx_media_archive_one_t;

typedef struct {
    ngx_thread_task_t               task;
    ngx_pool_t                     *pool;
    ngx_uint_t                      root;      /* of those configured */
    ngx_media_record_root_t        *at;
    ngx_str_t                       path;      /* its copy */
    ngx_array_t                     md5s;
    ngx_uint_t                      next;      /* of these */
    ngx_uint_t                      n;
    ngx_media_archive_one_t         one[NGX_MEDIA_ARCHIVE_BATCH];
    int                             err;
    unsigned                        listed:1;
} ngx_media_archive_sweep_t;


static void ngx_media_archive_second(void);
static ngx_uint_t ngx_media_archive_due(void);
static void ngx_media_archive_sweep_root(ngx_media_archive_sweep_t *s);
static void ngx_media_archive_sweep_post(ngx_media_archive_sweep_t *s);
static void ngx_media_archive_sweep_thread(void *data, ngx_log_t *log);
static void ngx_media_archive_sweep_act(ngx_media_archive_sweep_t *s,
    int root);
static void ngx_media_archive_sweep_names(ngx_media_archive_sweep_t *s,
    int root);
static void ngx_media_archive_sweep_done(ngx_event_t *ev);
static void ngx_media_archive_sweep_end(ngx_media_archive_sweep_t *s);


static ngx_media_archive_sweep_t  *ngx_media_archive_sweep;


static const ngx_media_service_t  ngx_media_archive_service = {
    .second = ngx_media_archive_second
};


ngx_int_t
ngx_media_archive_init_worker(ngx_cycle_t *cycle)
{
    ngx_media_record_main_conf_t  *rmcf;

    rmcf = ngx_media_record_main_conf(cycle);

    if (rmcf == NULL || rmcf->roots.nelts == 0) {
        return NGX_OK;
    }

    return ngx_media_service_add(&ngx_media_archive_service);
}


static void
ngx_media_archive_second(void)
{
    ngx_pool_t                 *pool;
    ngx_media_archive_sweep_t  *s;

    if (ngx_exiting || ngx_terminate || ngx_media_archive_sweep
        || !ngx_media_archive_due())
    {
        return;
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);

    if (pool == NULL) {
        return;
    }

    s = ngx_pcalloc(pool, sizeof(ngx_media_archive_sweep_t));

    if (s == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    s->pool = pool;
    ngx_media_archive_sweep = s;

    ngx_media_archive_sweep_root(s);
}


/* whoever stores the time does it; a clock that was set back is no reason */

static ngx_uint_t
ngx_media_archive_due(void)
{
    int64_t             now, swept;
    ngx_media_arena_t  *arena;

    arena = ngx_media_arena();
    now = ngx_media_msec();
    swept = __atomic_load_n(&arena->archive_swept, __ATOMIC_RELAXED);

    if (swept == 0) {

        /* the first one has begun it, and not swept */

        (void) __atomic_compare_exchange_n(&arena->archive_swept, &swept,
                                           now - NGX_MEDIA_ARCHIVE_EVERY
                                           + NGX_MEDIA_ARCHIVE_FIRST, 0,
                                           __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED);
        return 0;
    }

    return now - swept >= NGX_MEDIA_ARCHIVE_EVERY
           && __atomic_compare_exchange_n(&arena->archive_swept, &swept, now,
                                          0, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED);
}


/* the next root, or none */

static void
ngx_media_archive_sweep_root(ngx_media_archive_sweep_t *s)
{
    ngx_media_record_root_t       **root;
    ngx_media_record_main_conf_t   *rmcf;

    rmcf = ngx_media_record_main_conf((ngx_cycle_t *) ngx_cycle);

    if (rmcf == NULL || s->root >= rmcf->roots.nelts) {
        ngx_media_archive_sweep_end(s);
        return;
    }

    root = rmcf->roots.elts;

    s->at = root[s->root++];
    s->path.len = s->at->path.len;
    s->path.data = ngx_pnalloc(s->pool, s->path.len + 1);

    if (s->path.data == NULL
        || ngx_array_init(&s->md5s, s->pool, 64, NGX_MEDIA_RECORD_MD5)
           != NGX_OK)
    {
        ngx_media_archive_sweep_end(s);
        return;
    }

    (void) ngx_cpystrn(s->path.data, s->at->path.data, s->path.len + 1);

    s->next = 0;
    s->n = 0;
    s->err = 0;
    s->listed = 0;

    ngx_media_archive_sweep_post(s);
}


static void
ngx_media_archive_sweep_post(ngx_media_archive_sweep_t *s)
{
    ngx_str_t           name;
    ngx_thread_pool_t  *tp;

    ngx_str_set(&name, "default");
    tp = ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle, &name);

    s->task.ctx = s;
    s->task.handler = ngx_media_archive_sweep_thread;
    s->task.event.handler = ngx_media_archive_sweep_done;
    s->task.event.data = s;

    if (tp == NULL || ngx_thread_task_post(tp, &s->task) != NGX_OK) {
        ngx_media_archive_sweep_end(s);
    }
}


static void
ngx_media_archive_sweep_thread(void *data, ngx_log_t *log)
{
    int                         root;
    ngx_media_archive_sweep_t  *s;

    s = data;
    root = ngx_media_disk_root(s->path.data);

    ngx_media_archive_sweep_act(s, root);

    if (root == -1) {
        s->err = (errno == ENOENT) ? 0 : errno;
        return;
    }

    if (!s->listed) {

        s->listed = 1;

        if (ngx_media_archive_streams(root, (u_char *) "", 0, &s->md5s)
            != NGX_OK)
        {
            s->err = errno;
        }
    }

    ngx_media_archive_sweep_names(s, root);

    (void) close(root);
}


static void
ngx_media_archive_sweep_act(ngx_media_archive_sweep_t *s, int root)
{
    int         err;
    ngx_uint_t  i;

    err = errno;

    for (i = 0; i < s->n; i++) {

        if (root != -1
            && ngx_media_archive_clean(root, s->one[i].md5, s->one[i].age,
                                       s->one[i].size, 1)
               != NGX_OK)
        {
            s->err = errno;
        }

        ngx_free(s->one[i].names.text);
    }

    s->n = 0;
    errno = err;
}


static void
ngx_media_archive_sweep_names(ngx_media_archive_sweep_t *s, int root)
{
    int                       dir;
    u_char                   *md5;
    ngx_media_archive_one_t  *one;

    while (s->n < NGX_MEDIA_ARCHIVE_BATCH && s->next < s->md5s.nelts) {

        md5 = (u_char *) s->md5s.elts + s->next++ * NGX_MEDIA_RECORD_MD5;
        one = &s->one[s->n];

        dir = ngx_media_archive_dir(root, md5, 0);

        if (dir == -1) {
            continue;
        }

        if (ngx_media_archive_names(dir, md5, &one->names) == NGX_OK) {
            ngx_memcpy(one->md5, md5, NGX_MEDIA_RECORD_MD5);
            s->n++;
        }

        (void) close(dir);
    }
}


static void
ngx_media_archive_sweep_done(ngx_event_t *ev)
{
    ngx_str_t                   vhost, app;
    ngx_uint_t                  i;
    ngx_media_record_conf_t    *rcf;
    ngx_media_archive_sweep_t  *s;

    s = ev->data;

    if (s->err) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, s->err,
                      "recordings in \"%V\" could not be looked after, what "
                      "is too old may stay", &s->path);
        s->err = 0;
    }

    if (s->n == 0) {
        ngx_media_archive_sweep_root(s);
        return;
    }

    if (ngx_exiting || ngx_terminate) {
        ngx_media_archive_sweep_end(s);
        return;
    }

    for (i = 0; i < s->n; i++) {

        vhost = s->one[i].names.vhost;
        app = s->one[i].names.app;

        rcf = ngx_media_record_conf(ngx_media_policy(&vhost, &app));

        /* of an application that records elsewhere now nothing is deleted */

        s->one[i].age = (rcf->root == s->at) ? rcf->keep_age : 0;
        s->one[i].size = (rcf->root == s->at) ? rcf->keep_size : 0;
    }

    ngx_media_archive_sweep_post(s);
}


static void
ngx_media_archive_sweep_end(ngx_media_archive_sweep_t *s)
{
    ngx_uint_t  i;

    for (i = 0; i < s->n; i++) {
        ngx_free(s->one[i].names.text);
    }

    ngx_media_archive_sweep = NULL;
    ngx_destroy_pool(s->pool);
}

#else

ngx_int_t
ngx_media_archive_init_worker(ngx_cycle_t *cycle)
{
    return NGX_OK;
}

#endif
