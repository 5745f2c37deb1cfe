
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: recordings that nobody goes on with: their publisher did not come back
 * in dvr_gap, or their worker died, or nginx was started since.  Every two
 * seconds a thread of one worker of all looks at the journals of a root; the
 * files of those that are due are finished (ngx_media_record_end.c), each by a
 * thread of its own, under the lock of its journal.
 */


#include "ngx_media_record_job.h"


#define NGX_MEDIA_RECORD_EVERY     2       /* s */
#define NGX_MEDIA_RECORD_DUE       32      /* at a time */
#define NGX_MEDIA_RECORD_DAMAGED   60      /* s, then a journal goes */


typedef struct {
    ngx_thread_task_t         task;
    ngx_media_record_root_t  *root;
    ngx_queue_t               ends;        /* that are due */
    ngx_uint_t                offset;      /* of the directory, to begin at */
    unsigned                  busy:1;
} ngx_media_record_sweep_t;


static void ngx_media_record_sweep_thread(void *data, ngx_log_t *log);
static void ngx_media_record_sweep_done(ngx_event_t *ev);
static ngx_uint_t ngx_media_record_sweep_turn(int dir);
static ngx_uint_t ngx_media_record_sweep_look(ngx_media_record_sweep_t *s,
    int root, const char *name);
static ngx_uint_t ngx_media_record_sweep_due(ngx_media_record_file_t *file,
    ngx_uint_t open);


static ngx_media_record_sweep_t  *ngx_media_record_sweeps;
static ngx_uint_t                 ngx_media_record_nsweeps;


ngx_int_t
ngx_media_record_sweep_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_media_record_root_t       **root;
    ngx_media_record_main_conf_t   *rmcf;

    rmcf = ngx_media_record_main_conf(cycle);
    root = rmcf->roots.elts;

    ngx_media_record_sweeps = ngx_pcalloc(cycle->pool, rmcf->roots.nelts
                                          * sizeof(ngx_media_record_sweep_t));
    if (ngx_media_record_sweeps == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < rmcf->roots.nelts; i++) {
        ngx_media_record_sweeps[i].root = root[i];
        ngx_queue_init(&ngx_media_record_sweeps[i].ends);
    }

    ngx_media_record_nsweeps = rmcf->roots.nelts;

    return NGX_OK;
}


void
ngx_media_record_sweep_second(void)
{
    ngx_uint_t                 i;
    ngx_media_record_sweep_t  *s;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    for (i = 0; i < ngx_media_record_nsweeps; i++) {

        s = &ngx_media_record_sweeps[i];

        if (s->busy) {
            continue;
        }

        s->task.ctx = s;
        s->task.handler = ngx_media_record_sweep_thread;
        s->task.event.handler = ngx_media_record_sweep_done;
        s->task.event.data = s;

        if (ngx_media_record_post(&s->task) == NGX_OK) {
            s->busy = 1;
        }
    }
}


static void
ngx_media_record_sweep_done(ngx_event_t *ev)
{
    ngx_queue_t               *q;
    ngx_media_record_sweep_t  *s;

    s = ev->data;
    s->busy = 0;

    while (!ngx_queue_empty(&s->ends)) {
        q = ngx_queue_head(&s->ends);
        ngx_queue_remove(q);
        ngx_media_record_end_post(ngx_queue_data(q, ngx_media_record_end_t,
                                                 queue));
    }

    ngx_media_record_posted();
}


/* threads have ended; what one found is left to another worker */

void
ngx_media_record_sweep_exit(void)
{
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_media_record_end_t    *end;
    ngx_media_record_sweep_t  *s;

    for (i = 0; i < ngx_media_record_nsweeps; i++) {

        s = &ngx_media_record_sweeps[i];

        while (!ngx_queue_empty(&s->ends)) {
            q = ngx_queue_head(&s->ends);
            end = ngx_queue_data(q, ngx_media_record_end_t, queue);

            ngx_queue_remove(q);
            ngx_media_record_file_close(&end->file);
            ngx_free(end);
        }
    }

    ngx_media_record_nsweeps = 0;
}


/* --- threads ------------------------------------------------------------ */

static void
ngx_media_record_sweep_thread(void *data, ngx_log_t *log)
{
    int                        root, dir;
    DIR                       *list;
    ngx_uint_t                 i, n;
    const u_char              *base;
    struct dirent             *entry;
    ngx_media_record_sweep_t  *s;

    s = data;
    root = ngx_media_disk_root(s->root->path.data);

    if (root == -1) {
        return;
    }

    dir = ngx_media_disk_dir(root, (u_char *) NGX_MEDIA_RECORD_OPEN_DIR "/x",
                             &base, 0);

    if (dir == -1 || !ngx_media_record_sweep_turn(dir)) {
        list = NULL;

    } else {
        list = fdopendir(dir);
    }

    if (list == NULL) {

        if (dir != -1) {
            (void) close(dir);
        }

        (void) close(root);
        return;
    }

    n = 0;

    /* of more than fit, others come first the next time */

    for (i = 0; n < NGX_MEDIA_RECORD_DUE; i++) {

        entry = readdir(list);

        if (entry == NULL) {
            break;
        }

        if (i >= s->offset && entry->d_name[0] != '.') {
            n += ngx_media_record_sweep_look(s, root, entry->d_name);
        }
    }

    s->offset = (n == NGX_MEDIA_RECORD_DUE) ? i : 0;

    (void) closedir(list);
    (void) close(root);
}


/* one worker of all, every two seconds; what comes twice finds locks */

static ngx_uint_t
ngx_media_record_sweep_turn(int dir)
{
    int          fd;
    time_t       age;
    ngx_uint_t   due;
    struct stat  st;

    fd = openat(dir, ".sweep",
                O_WRONLY|O_CREAT|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK, 0600);

    if (fd == -1) {
        return 1;
    }

    due = 1;

    if (fstat(fd, &st) == 0) {
        age = time(NULL) - st.st_mtime;
        due = (st.st_size == 0 || age >= NGX_MEDIA_RECORD_EVERY || age < 0);
    }

    if (due) {

        /* on a disk that is full each worker looks each second */

        (void) ngx_media_record_pwrite(fd, (u_char *) "\n", 1, 0);
        (void) futimens(fd, NULL);
    }

    (void) close(fd);

    return due;
}


/* 1: it is due, and locked */

static ngx_uint_t
ngx_media_record_sweep_look(ngx_media_record_sweep_t *s, int root,
    const char *name)
{
    size_t                     len;
    u_char                     path[NGX_MEDIA_RECORD_JOURNAL];
    ngx_int_t                  rc;
    ngx_uint_t                 open;
    struct stat                st;
    ngx_media_record_end_t    *end;
    ngx_media_record_file_t   *file;

    len = ngx_strlen(name);
    open = (len == NGX_MEDIA_RECORD_MD5 - 1);

    if (!open && len != NGX_MEDIA_RECORD_ID - 1) {
        return 0;
    }

    *ngx_sprintf(path, NGX_MEDIA_RECORD_OPEN_DIR "/%s", name) = '\0';

    end = ngx_calloc(sizeof(ngx_media_record_end_t), ngx_cycle->log);

    if (end == NULL) {
        return 0;
    }

    file = &end->file;
    ngx_media_record_file_init(file);

    rc = ngx_media_record_journal_open(file, root, path, 0);

    if (rc == NGX_DONE) {

        /* what can not be read tells nothing */

        if (fstat(file->lock, &st) == 0
            && time(NULL) - st.st_mtime > NGX_MEDIA_RECORD_DAMAGED)
        {
            (void) ngx_media_disk_remove(root, path);
        }

    } else if (rc == NGX_OK && file->mark.state == NGX_MEDIA_RECORD_TOLD) {

        /* it was stolen: who finished the file knew another name of it */

        (void) ngx_media_disk_remove(root, path);

    } else if (rc == NGX_OK && ngx_media_record_sweep_due(file, open)) {

        if (open) {
            ngx_media_record_journal_retire(file, root);
        }

        end->root = s->root;
        ngx_queue_insert_tail(&s->ends, &end->queue);

        return 1;
    }

    ngx_media_record_file_close(file);
    ngx_free(end);

    return 0;
}


/* open: its publisher may go on with it */

static ngx_uint_t
ngx_media_record_sweep_due(ngx_media_record_file_t *file, ngx_uint_t open)
{
    int64_t                   now, until;
    ngx_media_record_mark_t  *mark;

    mark = &file->mark;
    now = ngx_media_epoch_ms();

    /* a clock that was set back must not keep it for ever */

    if (mark->time > now + 1000) {
        return 1;
    }

    until = mark->until;

    if (until == 0 && open) {
        until = mark->time + file->head.gap;
    }

    return until <= now;
}
