
/*
 * Copyright (C) the nginx media suite authors
 *
 * HLS on disk, of streams that are over: their playlists are ended, and after
 * hls_dispose all of their files are deleted.  Whose stream it was and which
 * worker wrote it does not matter, nor whether nginx was started since: the
 * journals are what is looked at, every two seconds by one worker of all.
 *
 * A thread finds journals that nobody wrote for some time, the worker knows
 * which of them are of streams that are live, a thread does the rest, under
 * the lock of each journal and only if it is still as it was found.
 */


#include "ngx_media_hls_disk.h"


#define NGX_MEDIA_HLS_SWEEP_EVERY   2       /* s */
#define NGX_MEDIA_HLS_SWEEP_QUIET   3       /* s without a segment */
#define NGX_MEDIA_HLS_SWEEP_MAX     64      /* at a time */


typedef struct {
    ngx_media_hls_journal_t  journal;
    u_char                   id[NGX_MEDIA_HLS_DISK_ID];
    struct timespec          mtime;
    ngx_uint_t               over;
} ngx_media_hls_sweep_one_t;

typedef struct {
    ngx_thread_task_t           task;
    ngx_str_t                   path;
    ngx_uint_t                  step;
    ngx_uint_t                  offset;     /* of the directory, to begin at */
    ngx_uint_t                  n;
    ngx_media_hls_sweep_one_t   one[NGX_MEDIA_HLS_SWEEP_MAX];
} ngx_media_hls_sweep_t;


static void ngx_media_hls_sweep_thread(void *data, ngx_log_t *log);
static void ngx_media_hls_sweep_done(ngx_event_t *ev);
static void ngx_media_hls_sweep_find(ngx_media_hls_sweep_t *s, int root);
static ngx_uint_t ngx_media_hls_sweep_due(int dir);
static ngx_uint_t ngx_media_hls_sweep_look(ngx_media_hls_sweep_t *s, int dir,
    const char *name);
static ngx_uint_t ngx_media_hls_sweep_over(ngx_media_hls_journal_t *j);
static void ngx_media_hls_sweep_act(ngx_media_hls_sweep_one_t *one, int root);
static void ngx_media_hls_sweep_end(ngx_media_hls_journal_t *j, int root,
    int lock);
static void ngx_media_hls_sweep_dispose(ngx_media_hls_sweep_one_t *one,
    int root);


static ngx_media_hls_sweep_t  **ngx_media_hls_sweeps;
static ngx_uint_t               ngx_media_hls_nsweeps;


/* NGX_DECLINED: there is no hls_path */

ngx_int_t
ngx_media_hls_sweep_init(ngx_cycle_t *cycle)
{
    ngx_uint_t               i;
    ngx_path_t             **path;
    ngx_media_hls_sweep_t   *s;

    path = cycle->paths.elts;

    ngx_media_hls_nsweeps = 0;
    ngx_media_hls_sweeps = ngx_pcalloc(cycle->pool, cycle->paths.nelts
                                       * sizeof(ngx_media_hls_sweep_t *));

    if (ngx_media_hls_sweeps == NULL) {
        return NGX_DECLINED;
    }

    for (i = 0; i < cycle->paths.nelts; i++) {

        if (path[i]->data != &ngx_media_hls_policy_module) {
            continue;
        }

        s = ngx_pcalloc(cycle->pool, sizeof(ngx_media_hls_sweep_t));

        if (s == NULL) {
            return NGX_DECLINED;
        }

        s->path = path[i]->name;
        ngx_media_hls_sweeps[ngx_media_hls_nsweeps++] = s;
    }

    return ngx_media_hls_nsweeps ? NGX_OK : NGX_DECLINED;
}


static void
ngx_media_hls_sweep_post(ngx_media_hls_sweep_t *s)
{
    ngx_str_t           name;
    ngx_thread_pool_t  *pool;

    ngx_str_set(&name, "default");
    pool = ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle, &name);

    s->task.ctx = s;
    s->task.handler = ngx_media_hls_sweep_thread;
    s->task.event.handler = ngx_media_hls_sweep_done;
    s->task.event.data = s;

    if (pool == NULL || ngx_thread_task_post(pool, &s->task) != NGX_OK) {
        s->step = 0;
    }
}


void
ngx_media_hls_sweep_second(void)
{
    ngx_uint_t              i;
    ngx_media_hls_sweep_t  *s;

    if (ngx_exiting || ngx_terminate || ngx_time() % 2) {
        return;
    }

    for (i = 0; i < ngx_media_hls_nsweeps; i++) {

        s = ngx_media_hls_sweeps[i];

        if (s->step == 0) {
            s->step = 1;
            ngx_media_hls_sweep_post(s);
        }
    }
}


static void
ngx_media_hls_sweep_done(ngx_event_t *ev)
{
    ngx_uint_t              i, over;
    ngx_media_hls_sweep_t  *s;

    s = ev->data;

    if (s->step == 1) {

        over = 0;

        for (i = 0; i < s->n; i++) {
            s->one[i].over = ngx_media_hls_sweep_over(&s->one[i].journal);
            over += s->one[i].over;
        }

        if (over) {
            s->step = 2;
            ngx_media_hls_sweep_post(s);

            if (s->step) {
                return;
            }
        }
    }

    for (i = 0; i < s->n; i++) {
        ngx_free(s->one[i].journal.text);
    }

    s->n = 0;
    s->step = 0;
}


/* nobody publishes it, and nobody will go on with it */

static ngx_uint_t
ngx_media_hls_sweep_over(ngx_media_hls_journal_t *j)
{
    ngx_uint_t           over;
    ngx_media_source_t  *src;

    ngx_media_lock();

    src = ngx_media_source_find(&j->vhost, &j->app, &j->stream);
    over = (src == NULL || src->publishes == 0 || ngx_media_hls_ended(src));

    ngx_media_unlock();

    return over;
}


/* --- threads ------------------------------------------------------------ */

static void
ngx_media_hls_sweep_thread(void *data, ngx_log_t *log)
{
    int                     root;
    ngx_uint_t              i;
    ngx_media_hls_sweep_t  *s;

    s = data;
    root = ngx_media_disk_root(s->path.data);

    if (root == -1) {
        return;
    }

    if (s->step == 1) {
        ngx_media_hls_sweep_find(s, root);

    } else {

        for (i = 0; i < s->n; i++) {
            if (s->one[i].over) {
                ngx_media_hls_sweep_act(&s->one[i], root);
            }
        }
    }

    (void) close(root);
}


static void
ngx_media_hls_sweep_find(ngx_media_hls_sweep_t *s, int root)
{
    int             dir, fd;
    DIR            *list;
    ngx_uint_t      i;
    struct dirent  *entry;

    s->n = 0;

    dir = openat(root, NGX_MEDIA_HLS_DISK_DIR,
                 O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (dir == -1) {
        return;
    }

    fd = ngx_media_hls_sweep_due(dir) ? dup(dir) : -1;
    list = (fd == -1) ? NULL : fdopendir(fd);

    if (list == NULL) {

        if (fd != -1) {
            (void) close(fd);
        }

        (void) close(dir);
        return;
    }

    /* of more than fit, others come first the next time */

    for (i = 0; s->n < NGX_MEDIA_HLS_SWEEP_MAX; i++) {

        entry = readdir(list);

        if (entry == NULL) {
            s->offset = 0;
            break;
        }

        if (i < s->offset
            || ngx_strlen(entry->d_name) != NGX_MEDIA_HLS_DISK_ID - 1)
        {
            continue;
        }

        s->n += ngx_media_hls_sweep_look(s, dir, entry->d_name);
    }

    if (s->n == NGX_MEDIA_HLS_SWEEP_MAX) {
        s->offset = i;
    }

    (void) closedir(list);
    (void) close(dir);
}


/* one worker of all, every two seconds */

static ngx_uint_t
ngx_media_hls_sweep_due(int dir)
{
    int          fd;
    ngx_uint_t   due;
    struct stat  st;

    fd = openat(dir, "sweep",
                O_WRONLY|O_CREAT|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK, 0600);

    if (fd == -1) {

        /* a full disk is no reason to keep files */

        return errno == ENOSPC;
    }

    due = fstat(fd, &st) == 0
          && (st.st_size == 0
              || time(NULL) - st.st_mtime >= NGX_MEDIA_HLS_SWEEP_EVERY
              || st.st_mtime > time(NULL));

    if (due && st.st_size == 0) {
        due = (ftruncate(fd, 1) == 0);

    } else if (due) {
        (void) futimens(fd, NULL);
    }

    (void) close(fd);

    return due;
}


static ngx_uint_t
ngx_media_hls_sweep_look(ngx_media_hls_sweep_t *s, int dir, const char *name)
{
    int                         fd;
    time_t                      quiet;
    ngx_int_t                   rc;
    struct stat                 st;
    ngx_media_hls_sweep_one_t  *one;

    one = &s->one[s->n];

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1
        || !S_ISREG(st.st_mode))
    {
        return 0;
    }

    quiet = time(NULL) - st.st_mtime;

    if (quiet >= 0 && quiet < NGX_MEDIA_HLS_SWEEP_QUIET) {
        return 0;
    }

    fd = openat(dir, name, O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        return 0;
    }

    rc = ngx_media_hls_journal_read(fd, &one->journal);

    (void) close(fd);

    if (rc != NGX_OK) {
        return 0;
    }

    if (one->journal.state == 'E'
        && (one->journal.dispose == 0
            || (int64_t) quiet * 1000 < one->journal.dispose))
    {
        ngx_free(one->journal.text);
        return 0;
    }

    one->mtime = st.st_mtim;
    one->over = 0;
    (void) ngx_cpystrn(one->id, (u_char *) name, NGX_MEDIA_HLS_DISK_ID);

    return 1;
}


static void
ngx_media_hls_sweep_act(ngx_media_hls_sweep_one_t *one, int root)
{
    int          lock;
    struct stat  st;

    lock = ngx_media_disk_lock(root, NGX_MEDIA_HLS_DISK_DIR, one->id, 0);

    if (lock == -1) {
        return;
    }

    if (fstat(lock, &st) == 0 && st.st_mtim.tv_sec == one->mtime.tv_sec
        && st.st_mtim.tv_nsec == one->mtime.tv_nsec)
    {
        if (one->journal.state == 'E') {
            ngx_media_hls_sweep_dispose(one, root);

        } else {
            ngx_media_hls_sweep_end(&one->journal, root, lock);
        }
    }

    (void) close(lock);
}


/* EXT-X-ENDLIST, once; the time that it was written is when disposal counts */

static void
ngx_media_hls_sweep_end(ngx_media_hls_journal_t *j, int root, int lock)
{
    u_char      *text, *more;
    ssize_t      n;
    ngx_uint_t   ended;
    static char  tag[] = "#EXT-X-ENDLIST\n";

    n = ngx_media_disk_get(root, j->m3u8, NGX_MEDIA_HLS_DISK_TEXT, &text);

    if (n > 0) {

        ended = ngx_strstr(text, "#EXT-X-ENDLIST") != NULL;
        more = ended ? NULL : ngx_alloc((size_t) n + sizeof(tag),
                                        ngx_cycle->log);

        if (more) {
            ngx_memcpy(more, text, (size_t) n);
            ngx_memcpy(more + n, tag, sizeof(tag) - 1);

            ended = ngx_media_disk_replace(root, j->m3u8, more,
                                           (size_t) n + sizeof(tag) - 1)
                    == NGX_OK;

            ngx_free(more);
        }

        ngx_free(text);

        if (!ended) {
            return;
        }
    }

    if (pwrite(lock, "E", 1, 0) != 1) {

        /* the next time */

        return;
    }
}


static void
ngx_media_hls_sweep_dispose(ngx_media_hls_sweep_one_t *one, int root)
{
    u_char   name[NGX_MEDIA_HLS_DISK_ID + 8], *file;
    int      fd;

    (void) ngx_media_disk_remove(root, one->journal.m3u8);

    for ( ;; ) {

        file = ngx_media_hls_journal_next(&one->journal);

        if (file == NULL) {
            break;
        }

        (void) ngx_media_disk_remove(root, file);
    }

    *ngx_sprintf(name, "%s", one->id) = '\0';

    fd = openat(root, NGX_MEDIA_HLS_DISK_DIR,
                O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (fd != -1) {
        (void) unlinkat(fd, (char *) name, 0);
        (void) close(fd);
    }
}
