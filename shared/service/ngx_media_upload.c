
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: uploads, the worker's side.  For each root one worker of all holds the
 * lock of the queue; it goes with its process, and another one has it two
 * seconds later.  A thread lists what is due, and each entry becomes a job:
 *
 *   load         a thread reads the entry and opens the file
 *   copy         a thread
 *   S3           ngx_media_upload_s3.c, which saves the entry as it goes
 *   over         a thread notes it and deletes the entry
 *
 * What fails is saved with the time of its next try, and the job ends: the
 * next one goes on where the entry says it stood.  A worker that leaves ends
 * the requests that are under way and begins no others.
 */


#include "ngx_media_upload_job.h"


#define NGX_MEDIA_UPLOAD_SAY  60    /* s between lines of one reason */


struct ngx_media_upload_root_s {
    ngx_thread_task_t      task;
    ngx_str_t              path;
    int                    lock;           /* -1: another worker's */
    ngx_uint_t             seconds;
    ngx_queue_t            jobs;
    ngx_uint_t             njobs;
    ngx_uint_t             counted;        /* entries, in the arena */

    /* the thread's */
    u_char                 skip[NGX_MEDIA_UPLOAD_JOBS][NGX_MEDIA_RECORD_ID];
    ngx_uint_t             nskip;
    u_char                 due[NGX_MEDIA_UPLOAD_JOBS][NGX_MEDIA_RECORD_ID];
    ngx_uint_t             ndue;
    ngx_uint_t             queued;

    time_t                 said;           /* that it can not be done */

    unsigned               busy:1;         /* task */
    unsigned               again:1;        /* when it is through */
};


static void ngx_media_upload_second(void);
static void ngx_media_upload_exit(void);
static void ngx_media_upload_scan(ngx_media_upload_root_t *r);
static void ngx_media_upload_scan_thread(void *data, ngx_log_t *log);
static void ngx_media_upload_scan_done(ngx_event_t *ev);
static void ngx_media_upload_begin(ngx_media_upload_root_t *r, u_char *id);
static ngx_int_t ngx_media_upload_step(ngx_media_upload_job_t *job,
    ngx_uint_t step);
static void ngx_media_upload_thread(void *data, ngx_log_t *log);
static void ngx_media_upload_done(ngx_event_t *ev);
static void ngx_media_upload_loaded(ngx_media_upload_job_t *job);
static void ngx_media_upload_go(ngx_media_upload_job_t *job);
static void ngx_media_upload_give_up(ngx_media_upload_job_t *job,
    const char *text);
static void ngx_media_upload_free(ngx_media_upload_job_t *job);


static ngx_media_upload_root_t  *ngx_media_upload_roots;
static ngx_uint_t                ngx_media_upload_nroots;
static ngx_thread_pool_t        *ngx_media_upload_pool;


static const ngx_media_service_t  ngx_media_upload_service = {
    .second = ngx_media_upload_second,
    .exit = ngx_media_upload_exit
};


ngx_int_t
ngx_media_upload_init_worker(ngx_cycle_t *cycle)
{
    ngx_str_t                       name;
    ngx_uint_t                      i;
    ngx_media_record_root_t       **root;
    ngx_media_upload_root_t        *r;
    ngx_media_record_main_conf_t   *rmcf;

    rmcf = ngx_media_record_main_conf(cycle);

    if (rmcf == NULL || rmcf->roots.nelts == 0) {
        return NGX_OK;
    }

    ngx_str_set(&name, "default");
    ngx_media_upload_pool = ngx_thread_pool_get(cycle, &name);

    ngx_media_upload_nroots = 0;
    ngx_media_upload_roots = ngx_pcalloc(cycle->pool, rmcf->roots.nelts
                                         * sizeof(ngx_media_upload_root_t));

    if (ngx_media_upload_pool == NULL || ngx_media_upload_roots == NULL) {
        return NGX_ERROR;
    }

    root = rmcf->roots.elts;

    for (i = 0; i < rmcf->roots.nelts; i++) {
        r = &ngx_media_upload_roots[i];

        r->path = root[i]->path;
        r->lock = -1;
        r->seconds = (ngx_uint_t) ngx_pid;
        ngx_queue_init(&r->jobs);

        r->task.ctx = r;
        r->task.handler = ngx_media_upload_scan_thread;
        r->task.event.handler = ngx_media_upload_scan_done;
        r->task.event.data = r;
    }

    ngx_media_upload_nroots = rmcf->roots.nelts;

    return ngx_media_service_add(&ngx_media_upload_service);
}


ngx_int_t
ngx_media_upload_post(ngx_thread_task_t *task)
{
    return ngx_thread_task_post(ngx_media_upload_pool, task);
}


/* --- the arena ---------------------------------------------------------- */

static void
ngx_media_upload_count(ngx_uint_t what, uint64_t n)
{
    (void) __atomic_fetch_add(&ngx_media_arena()->uploads[what], n,
                              __ATOMIC_RELAXED);
}


void
ngx_media_upload_sent(off_t bytes)
{
    ngx_media_upload_count(NGX_MEDIA_UPLOADS_BYTES, (uint64_t) bytes);
}


/* who looks after a queue says how long it is */

static void
ngx_media_upload_queued(ngx_media_upload_root_t *r, ngx_uint_t n)
{
    uint32_t                   hash;
    ngx_uint_t                 i;
    ngx_media_upload_queue_t  *q;

    hash = ngx_crc32_long(r->path.data, r->path.len) | 1;

    for (i = 0; i < NGX_MEDIA_UPLOAD_QUEUES; i++) {
        q = &ngx_media_arena()->upload_queue[i];

        if (q->root == 0) {
            ngx_media_lock();
            q->root = q->root ? q->root : hash;
            ngx_media_unlock();
        }

        if (q->root == hash) {
            q->n = (uint32_t) n;
            return;
        }
    }
}


/* --- roots -------------------------------------------------------------- */

static void
ngx_media_upload_unlock(ngx_media_upload_root_t *r)
{
    if (r->lock != -1 && r->njobs == 0 && !r->busy) {
        (void) close(r->lock);
        r->lock = -1;
    }
}


static void
ngx_media_upload_second(void)
{
    ngx_uint_t                i;
    ngx_media_upload_root_t  *r;

    for (i = 0; i < ngx_media_upload_nroots; i++) {
        r = &ngx_media_upload_roots[i];

        if (ngx_exiting || ngx_terminate) {
            ngx_media_upload_unlock(r);

        } else if (r->lock != -1 || r->seconds++ % 2 == 0) {
            ngx_media_upload_scan(r);
        }
    }
}


static void
ngx_media_upload_scan(ngx_media_upload_root_t *r)
{
    ngx_queue_t             *q;
    ngx_media_upload_job_t  *job;

    if (r->busy) {
        r->again = 1;
        return;
    }

    r->nskip = 0;
    r->again = 0;

    for (q = ngx_queue_head(&r->jobs);
         q != ngx_queue_sentinel(&r->jobs);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_media_upload_job_t, queue);

        ngx_memcpy(r->skip[r->nskip++], job->entry.id, NGX_MEDIA_RECORD_ID);
    }

    r->busy = (ngx_media_upload_post(&r->task) == NGX_OK);
}


static void
ngx_media_upload_scan_thread(void *data, ngx_log_t *log)
{
    ngx_media_upload_root_t *r = data;

    int  root;

    r->ndue = 0;
    root = ngx_media_disk_root(r->path.data);

    if (root == -1) {
        return;
    }

    if (r->lock == -1) {
        r->lock = ngx_media_upload_lock(root);
    }

    if (r->lock != -1) {
        r->ndue = ngx_media_upload_due(root, r->due,
                                       NGX_MEDIA_UPLOAD_JOBS - r->nskip,
                                       r->skip, r->nskip, &r->queued);
    }

    (void) close(root);
}


static void
ngx_media_upload_scan_done(ngx_event_t *ev)
{
    ngx_media_upload_root_t *r = ev->data;

    ngx_uint_t  i;

    r->busy = 0;

    if (ngx_exiting || ngx_terminate) {
        ngx_media_upload_unlock(r);
        return;
    }

    if (r->lock == -1) {
        return;
    }

    ngx_media_upload_queued(r, r->queued);

    /* who ends at once asks for another scan, which would write r->due */

    r->busy = 1;

    for (i = 0; i < r->ndue && r->njobs < NGX_MEDIA_UPLOAD_JOBS; i++) {
        ngx_media_upload_begin(r, r->due[i]);
    }

    r->busy = 0;

    if (r->again) {
        ngx_media_upload_scan(r);
    }
}


/* --- jobs --------------------------------------------------------------- */

static void
ngx_media_upload_begin(ngx_media_upload_root_t *r, u_char *id)
{
    ngx_uint_t               i;
    ngx_pool_t              *pool;
    ngx_media_upload_job_t  *job;

    pool = ngx_create_pool(4096, ngx_cycle->log);

    if (pool == NULL) {
        return;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_media_upload_job_t));

    if (job == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    job->root = r;
    job->pool = pool;
    job->fd = -1;
    job->start = ngx_current_msec;
    job->entry.pool = pool;
    ngx_memcpy(job->entry.id, id, NGX_MEDIA_RECORD_ID);

    for (i = 0; i < NGX_MEDIA_UPLOAD_FLIGHT; i++) {
        job->flight[i].job = job;
    }

    job->task.ctx = job;
    job->task.handler = ngx_media_upload_thread;
    job->task.event.handler = ngx_media_upload_done;
    job->task.event.data = job;

    ngx_queue_insert_tail(&r->jobs, &job->queue);
    r->njobs++;

    (void) ngx_media_upload_step(job, NGX_MEDIA_UPLOAD_LOAD);
}


static void
ngx_media_upload_free(ngx_media_upload_job_t *job)
{
    ngx_media_upload_root_t  *r;

    r = job->root;

    ngx_media_upload_s3_cancel(job);

    if (job->fd != -1) {
        (void) close(job->fd);
    }

    ngx_queue_remove(&job->queue);
    ngx_destroy_pool(job->pool);

    r->njobs--;

    if (ngx_exiting || ngx_terminate) {
        ngx_media_upload_unlock(r);

    } else {
        ngx_media_upload_scan(r);
    }
}


/*
 * What the thread does next: now, or when it is through with what it does.
 * NGX_OK; NGX_ERROR: there is no thread, and no job any more.
 */

static ngx_int_t
ngx_media_upload_step(ngx_media_upload_job_t *job, ngx_uint_t step)
{
    if (job->busy) {
        job->next = step;
        job->ending = 1;
        return NGX_OK;
    }

    if (step == NGX_MEDIA_UPLOAD_PUT_OFF) {
        job->entry.tries++;
    }

    job->step = step;
    job->busy = 1;

    if (ngx_media_upload_post(&job->task) != NGX_OK) {
        job->busy = 0;
        ngx_media_upload_free(job);

        return NGX_ERROR;
    }

    return NGX_OK;
}


/* delete=on */

static ngx_int_t
ngx_media_upload_remove(int root, ngx_media_upload_entry_t *e)
{
    if (ngx_media_archive_remove(root, e->id) != NGX_OK
        && ngx_media_disk_remove(root, e->file.data) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_media_upload_forget(root, e->id);

    return NGX_OK;
}


static void
ngx_media_upload_thread(void *data, ngx_log_t *log)
{
    ngx_media_upload_job_t *job = data;

    int                        root;
    ngx_media_upload_entry_t  *e;

    e = &job->entry;
    job->rc = NGX_ERROR;
    root = ngx_media_disk_root(job->root->path.data);

    if (root == -1) {
        job->err = ngx_errno;
        return;
    }

    switch (job->step) {

    case NGX_MEDIA_UPLOAD_LOAD:
        job->rc = ngx_media_upload_load(root, e);

        if (job->rc == NGX_OK) {
            job->fd = ngx_media_upload_open(root, e->file.data, &job->size);
        }

        break;

    case NGX_MEDIA_UPLOAD_COPYING:
        job->rc = ngx_media_upload_copy(root, e, job->conf->copy->data);
        break;

    case NGX_MEDIA_UPLOAD_SAVE:
        job->rc = ngx_media_upload_save(root, e, 0);
        break;

    case NGX_MEDIA_UPLOAD_PUT_OFF:
        job->rc = ngx_media_upload_save(root, e, job->wait);
        break;

    default: /* NGX_MEDIA_UPLOAD_OVER */

        job->rc = NGX_OK;

        if (job->remove) {
            job->rc = ngx_media_upload_remove(root, e);
            job->err = ngx_errno;
        }

        if (!job->remove || job->rc != NGX_OK) {
            (void) ngx_media_upload_over(root, e->id, job->done);
        }
    }

    if (job->step != NGX_MEDIA_UPLOAD_OVER) {
        job->err = ngx_errno;
    }

    (void) close(root);
}


static void
ngx_media_upload_done(ngx_event_t *ev)
{
    ngx_media_upload_job_t *job = ev->data;

    u_char  text[NGX_MAX_ERROR_STR];

    job->busy = 0;

    if (job->ending) {
        job->ending = 0;
        (void) ngx_media_upload_step(job, job->next);
        return;
    }

    switch (job->step) {

    case NGX_MEDIA_UPLOAD_LOAD:
        ngx_media_upload_loaded(job);
        return;

    case NGX_MEDIA_UPLOAD_COPYING:

        if (job->rc == NGX_OK) {
            ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                          "recording \"%V/%V\" is copied to \"%V\"",
                          &job->root->path, &job->entry.file,
                          job->conf->copy);

            job->entry.todo &= ~(ngx_uint_t) NGX_MEDIA_UPLOAD_COPY;
            job->entry.tries = 0;
            ngx_media_upload_go(job);

        } else if (job->err == 0) {
            ngx_media_upload_free(job);

        } else {
            *ngx_snprintf(text, sizeof(text) - 1,
                          "can not be copied to \"%V\": %s", job->conf->copy,
                          strerror(job->err)) = '\0';
            ngx_media_upload_put_off(job, (char *) text);
        }

        return;

    case NGX_MEDIA_UPLOAD_SAVE:

        if (job->rc != NGX_OK && job->err == ENOENT) {

            /* the recording was deleted meanwhile */

            ngx_media_upload_s3_cancel(job);
            ngx_media_upload_s3_abort(job);
            return;
        }

        ngx_media_upload_s3_next(job);
        return;

    case NGX_MEDIA_UPLOAD_OVER:

        if (job->rc != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, job->err,
                          "recording \"%V/%V\" is uploaded, but can not be "
                          "deleted", &job->root->path, &job->entry.file);
        }

        ngx_media_upload_count(job->done ? NGX_MEDIA_UPLOADS_DONE
                                         : NGX_MEDIA_UPLOADS_FAILED, 1);
    }

    ngx_media_upload_free(job);
}


static void
ngx_media_upload_loaded(ngx_media_upload_job_t *job)
{
    if (job->rc != NGX_OK) {

        if (job->err != EINVAL) {
            ngx_media_upload_free(job);
            return;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "entry \"%V/" NGX_MEDIA_UPLOAD_QUEUE "/%s\" is damaged, "
                      "and deleted", &job->root->path, job->entry.id);

        (void) ngx_media_upload_step(job, NGX_MEDIA_UPLOAD_OVER);
        return;
    }

    if (ngx_exiting || ngx_terminate) {
        ngx_media_upload_free(job);
        return;
    }

    job->conf = ngx_media_upload_conf(ngx_media_policy(&job->entry.vhost,
                                                       &job->entry.app));

    if (job->fd == -1 && (job->err == ENOENT || job->err == ENOTDIR
                          || job->err == ELOOP))
    {
        ngx_media_upload_give_up(job, "is not there any more");

    } else if (job->fd == -1) {
        ngx_media_upload_put_off(job, strerror(job->err));

    } else if (ngx_time() - job->entry.added > NGX_MEDIA_UPLOAD_GIVEN_UP) {
        ngx_media_upload_give_up(job, "is given up after 24 hours");

    } else {
        ngx_media_upload_go(job);
    }
}


/* what comes next of all that is to be done */

static void
ngx_media_upload_go(ngx_media_upload_job_t *job)
{
    ngx_uint_t  todo;

    todo = job->entry.todo;

    if (todo == 0) {
        job->done = 1;
        (void) ngx_media_upload_step(job, NGX_MEDIA_UPLOAD_OVER);

    } else if (ngx_exiting || ngx_terminate) {

        /* what is done is saved: another worker goes on */

        job->wait = 0;
        (void) ngx_media_upload_step(job, NGX_MEDIA_UPLOAD_PUT_OFF);

    } else if ((todo & NGX_MEDIA_UPLOAD_COPY) && job->conf->copy) {
        (void) ngx_media_upload_step(job, NGX_MEDIA_UPLOAD_COPYING);

    } else if ((todo & NGX_MEDIA_UPLOAD_S3) && job->conf->s3) {
        ngx_media_upload_s3(job);

    } else {
        ngx_media_upload_put_off(job, (todo & NGX_MEDIA_UPLOAD_COPY)
                                 ? "waits: its application has no dvr_copy"
                                 : "waits: its application has no dvr_s3");
    }
}


void
ngx_media_upload_leave(ngx_media_upload_job_t *job)
{
    ngx_media_upload_free(job);
}


ngx_int_t
ngx_media_upload_save_job(ngx_media_upload_job_t *job)
{
    return ngx_media_upload_step(job, NGX_MEDIA_UPLOAD_SAVE);
}


void
ngx_media_upload_put_off(ngx_media_upload_job_t *job, const char *text)
{
    ngx_uint_t                level;
    ngx_media_upload_root_t  *r;

    r = job->root;

    ngx_media_upload_s3_cancel(job);

    job->wait = NGX_MEDIA_UPLOAD_LAST;

    if (job->entry.tries < 9) {
        job->wait = ngx_min(NGX_MEDIA_UPLOAD_FIRST << job->entry.tries,
                            NGX_MEDIA_UPLOAD_LAST);
    }

    /* many of one root have the same reason, as a rule */

    level = NGX_LOG_INFO;

    if (ngx_time() - r->said >= NGX_MEDIA_UPLOAD_SAY || ngx_time() < r->said) {
        r->said = ngx_time();
        level = NGX_LOG_WARN;
    }

    ngx_log_error(level, ngx_cycle->log, 0,
                  "recording \"%V/%V\" %s, tried again in %T s", &r->path,
                  &job->entry.file, text, job->wait);

    ngx_media_upload_count(NGX_MEDIA_UPLOADS_RETRIED, 1);
    (void) ngx_media_upload_step(job, NGX_MEDIA_UPLOAD_PUT_OFF);
}


static void
ngx_media_upload_give_up(ngx_media_upload_job_t *job, const char *text)
{
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "recording \"%V/%V\" %s, it is not uploaded",
                  &job->root->path, &job->entry.file, text);

    ngx_media_upload_s3_abort(job);
}


void
ngx_media_upload_s3_aborted(ngx_media_upload_job_t *job)
{
    job->done = 0;
    (void) ngx_media_upload_step(job, NGX_MEDIA_UPLOAD_OVER);
}


void
ngx_media_upload_s3_finished(ngx_media_upload_job_t *job)
{
    ngx_media_upload_entry_t  *e;

    e = &job->entry;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "recording \"%V/%V\" is uploaded to \"%V\", %O bytes in "
                  "%M ms", &job->root->path, &e->file, &job->path, job->size,
                  ngx_current_msec - job->start);

    e->todo &= ~(ngx_uint_t) NGX_MEDIA_UPLOAD_S3;
    e->tries = 0;
    e->upload.len = 0;
    e->nparts = 0;

    job->remove = (e->todo == 0 && job->conf->s3->remove);

    ngx_media_upload_go(job);
}


/* the worker exits: threads have ended, what they did is on disk */

static void
ngx_media_upload_exit(void)
{
    ngx_uint_t                i;
    ngx_queue_t              *q;
    ngx_media_upload_root_t  *r;

    ngx_media_upload_body_exit();

    for (i = 0; i < ngx_media_upload_nroots; i++) {
        r = &ngx_media_upload_roots[i];
        r->busy = 1;

        while (!ngx_queue_empty(&r->jobs)) {
            q = ngx_queue_head(&r->jobs);
            ngx_media_upload_free(ngx_queue_data(q, ngx_media_upload_job_t,
                                                 queue));
        }

        if (r->lock != -1) {
            (void) close(r->lock);
            r->lock = -1;
        }
    }

    ngx_media_upload_nroots = 0;
}
