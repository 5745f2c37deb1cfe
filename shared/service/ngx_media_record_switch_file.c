
/*
 * Copyright (C) the nginx media suite authors
 *
 * Switches of recording, their files: .dvr/switches of each root has those of
 * the applications that record there,
 *
 *   {"server":"ID","seq":N,"switches":[{"vhost":"V","app":"A","stream":"S",
 *    "switch":"on"}]}
 *
 * names are percent-encoded.  The master reads them before it has workers.  A
 * thread writes them, by a temporary file, and several changes at once where
 * the one before is still under way.  Workers write at the same time: what has
 * a smaller number of the same server is older and is not written.
 */


#include "ngx_media_record_switch.h"
#include "ngx_media_json.h"
#include "ngx_media_json_read.h"
#include "ngx_media_thread.h"

#include <sys/file.h>


#define NGX_MEDIA_SWITCH_FILE     "switches"
#define NGX_MEDIA_SWITCH_LOCK     "switches.lock"
#define NGX_MEDIA_SWITCH_TEMP     "switches.new"
#define NGX_MEDIA_SWITCH_MAX      (2 * 1024 * 1024)
#define NGX_MEDIA_SWITCH_NAME     (3 * NGX_MEDIA_NAME_LEN)


static void ngx_media_record_switch_read(ngx_cycle_t *cycle, ngx_str_t *path);
static ngx_int_t ngx_media_record_switch_take(const u_char *p, size_t n,
    ngx_uint_t *lost);
static ngx_int_t ngx_media_record_switch_one(ngx_media_json_value_t *one);


/* --- the master --------------------------------------------------------- */

ngx_int_t
ngx_media_record_switch_load(ngx_cycle_t *cycle)
{
    uint64_t                       hash;
    ngx_uint_t                     i, k, n;
    ngx_media_switches_t          *t;
    ngx_media_record_root_t      **root;
    ngx_media_record_main_conf_t  *rmcf;

    rmcf = ngx_media_record_main_conf(cycle);

    if (rmcf == NULL || ngx_media_arena() == NULL) {
        return NGX_OK;
    }

    t = &ngx_media_arena()->switches;
    root = rmcf->roots.elts;

    for (i = 0; i < rmcf->roots.nelts; i++) {

        hash = ((uint64_t) root[i]->path.len << 32)
               | ngx_crc32_long(root[i]->path.data, root[i]->path.len);

        ngx_media_lock();

        n = t->nroots;

        for (k = 0; k < n && t->roots[k] != hash; k++) { /* void */ }

        if (k == n && n < NGX_MEDIA_SWITCH_ROOTS) {
            t->roots[t->nroots++] = hash;
        }

        ngx_media_unlock();

        if (k == n) {
            ngx_media_record_switch_read(cycle, &root[i]->path);
        }
    }

    return NGX_OK;
}


static void
ngx_media_record_switch_read(ngx_cycle_t *cycle, ngx_str_t *path)
{
    int          root;
    u_char      *text;
    ssize_t      n;
    ngx_uint_t   lost;

    root = ngx_media_disk_root(path->data);

    if (root == -1) {
        return;
    }

    n = ngx_media_disk_get(root, (u_char *) NGX_MEDIA_RECORD_DIR "/"
                           NGX_MEDIA_SWITCH_FILE, NGX_MEDIA_SWITCH_MAX, &text);

    if (n < 0 && errno != ENOENT) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "\"%V/" NGX_MEDIA_RECORD_DIR "/" NGX_MEDIA_SWITCH_FILE
                      "\" can not be read, recordings are not switched as "
                      "they were", path);
    }

    (void) close(root);

    if (n < 0) {
        return;
    }

    lost = 0;

    if (ngx_media_record_switch_take(text, (size_t) n, &lost) != NGX_OK
        || lost)
    {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "\"%V/" NGX_MEDIA_RECORD_DIR "/" NGX_MEDIA_SWITCH_FILE
                      "\" is damaged or has too many switches, some are "
                      "ignored", path);
    }

    ngx_free(text);
}


static ngx_int_t
ngx_media_record_switch_take(const u_char *p, size_t n, ngx_uint_t *lost)
{
    ngx_media_json_value_t  doc, list, one;

    if (ngx_media_json_parse(&doc, p, p + n) != NGX_MEDIA_OK
        || ngx_media_json_member(&doc, "switches", &list) != NGX_MEDIA_OK
        || list.type != NGX_MEDIA_JSON_ARRAY)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&one, sizeof(ngx_media_json_value_t));

    while (ngx_media_json_element(&list, &one) == NGX_MEDIA_OK) {
        *lost += (ngx_media_record_switch_one(&one) != NGX_OK);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_record_switch_one(ngx_media_json_value_t *one)
{
    u_char                   text[3][NGX_MEDIA_SWITCH_NAME], word[8];
    ssize_t                  n;
    ngx_int_t                value;
    ngx_str_t                name[3];
    ngx_uint_t               i;
    ngx_media_url_str_t      s;
    ngx_media_json_value_t   v;

    static const char                   *names[] = { "vhost", "app", "stream" };
    static const ngx_media_name_kind_e   kinds[] = {
        NGX_MEDIA_NAME_VHOST, NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_STREAM
    };

    for (i = 0; i < 3; i++) {

        if (ngx_media_json_member(one, names[i], &v) != NGX_MEDIA_OK) {
            return NGX_DECLINED;
        }

        n = ngx_media_json_string(&v, text[i], NGX_MEDIA_SWITCH_NAME);

        if (n >= 0) {
            n = ngx_media_url_decode(text[i], text[i], (size_t) n, 0);
        }

        if (n < 0 || n > NGX_MEDIA_NAME_LEN) {
            return NGX_DECLINED;
        }

        name[i].data = text[i];
        name[i].len = (size_t) n;

        s.data = text[i];
        s.len = (size_t) n;

        if (ngx_media_name_check(&s, kinds[i]) != NGX_MEDIA_NAME_OK) {
            return NGX_DECLINED;
        }
    }

    if (ngx_media_json_member(one, "switch", &v) != NGX_MEDIA_OK) {
        return NGX_DECLINED;
    }

    n = ngx_media_json_string(&v, word, sizeof(word));
    value = (n < 0) ? NGX_DECLINED
                    : ngx_media_record_switch_parse(word, (size_t) n);

    if (value == NGX_DECLINED) {
        return NGX_DECLINED;
    }

    return ngx_media_record_switch_set(&name[0], &name[1], &name[2],
                                       (ngx_uint_t) value, 1);
}


/* --- workers ------------------------------------------------------------ */

#if (NGX_THREADS)

/* the text of one root */

typedef struct {
    ngx_media_record_root_t  *root;
    ngx_str_t                 path;        /* copy; 0-terminated */
    ngx_media_json_t          json;
    ngx_str_t                 text;
    ngx_uint_t                n;           /* switches in it */
    int                       err;
} ngx_media_record_switch_text_t;

typedef struct {
    ngx_thread_task_t                task;
    ngx_pool_t                      *pool;
    uint64_t                         seq;
    u_char                           server[12];
    ngx_uint_t                       n;
    ngx_media_record_switch_text_t  *text;
} ngx_media_record_switch_job_t;


static ngx_int_t ngx_media_record_switch_start(void);
static ngx_int_t ngx_media_record_switch_make(
    ngx_media_record_switch_job_t *job);
static ngx_int_t ngx_media_record_switch_add(void *data,
    const ngx_media_switch_t *sw);
static void ngx_media_record_switch_encoded(ngx_media_json_t *j,
    const char *key, const u_char *p, size_t n);
static void ngx_media_record_switch_thread(void *data, ngx_log_t *log);
static ngx_int_t ngx_media_record_switch_write(
    ngx_media_record_switch_job_t *job, ngx_media_record_switch_text_t *t,
    int dir);
static ngx_uint_t ngx_media_record_switch_old(
    ngx_media_record_switch_job_t *job, const u_char *p, size_t n);
static void ngx_media_record_switch_done(ngx_event_t *ev);
static void ngx_media_record_switch_tell(uint64_t seq, ngx_int_t rc);


static ngx_queue_t                     ngx_media_record_switch_waiting;
static ngx_media_record_switch_job_t  *ngx_media_record_switch_job;


ngx_int_t
ngx_media_record_switch_save(ngx_media_record_switch_wait_t *w)
{
    if (ngx_media_record_switch_waiting.next == NULL) {
        ngx_queue_init(&ngx_media_record_switch_waiting);
    }

    ngx_media_lock();
    w->seq = ngx_media_arena()->switches.seq;
    ngx_media_unlock();

    ngx_queue_insert_tail(&ngx_media_record_switch_waiting, &w->queue);

    if (ngx_media_record_switch_job) {
        return NGX_OK;
    }

    if (ngx_media_record_switch_start() != NGX_OK) {
        ngx_queue_remove(&w->queue);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_record_switch_start(void)
{
    ngx_str_t                       name;
    ngx_pool_t                     *pool;
    ngx_thread_pool_t              *tp;
    ngx_media_record_switch_job_t  *job;

    ngx_str_set(&name, "default");
    tp = ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle, &name);
    pool = tp ? ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log) : NULL;

    if (pool == NULL) {
        return NGX_ERROR;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_media_record_switch_job_t));

    if (job == NULL) {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    job->pool = pool;
    job->task.ctx = job;
    job->task.handler = ngx_media_record_switch_thread;
    job->task.event.handler = ngx_media_record_switch_done;
    job->task.event.data = job;

    if (ngx_media_record_switch_make(job) != NGX_OK
        || ngx_thread_task_post(tp, &job->task) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    ngx_media_record_switch_job = job;

    return NGX_OK;
}


/* the texts of all roots, as it is now */

static ngx_int_t
ngx_media_record_switch_make(ngx_media_record_switch_job_t *job)
{
    int64_t                          seq;
    ngx_uint_t                       i;
    ngx_media_arena_t               *arena;
    ngx_media_record_root_t        **root;
    ngx_media_record_main_conf_t    *rmcf;
    ngx_media_record_switch_text_t  *t;

    rmcf = ngx_media_record_main_conf((ngx_cycle_t *) ngx_cycle);

    if (rmcf == NULL || rmcf->roots.nelts == 0) {
        return NGX_ERROR;
    }

    arena = ngx_media_arena();
    root = rmcf->roots.elts;

    ngx_memcpy(job->server, arena->service_id, sizeof(job->server));
    job->server[sizeof(job->server) - 1] = '\0';

    job->n = rmcf->roots.nelts;
    job->text = ngx_pcalloc(job->pool, job->n
                            * sizeof(ngx_media_record_switch_text_t));

    if (job->text == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < job->n; i++) {

        t = &job->text[i];

        t->root = root[i];
        t->path.len = root[i]->path.len;
        t->path.data = ngx_pnalloc(job->pool, t->path.len + 1);

        if (t->path.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_cpystrn(t->path.data, root[i]->path.data, t->path.len + 1);

        ngx_media_json_init(&t->json, job->pool);
        ngx_media_json_object(&t->json);
        ngx_media_json_key_array(&t->json, "switches");
    }

    seq = ngx_media_record_switch_each(ngx_media_record_switch_add, job);

    if (seq == NGX_ERROR) {
        return NGX_ERROR;
    }

    job->seq = (uint64_t) seq;

    for (i = 0; i < job->n; i++) {

        t = &job->text[i];

        ngx_media_json_array_end(&t->json);
        ngx_media_json_key_text(&t->json, "server", (char *) job->server);
        ngx_media_json_key_int(&t->json, "seq", seq);
        ngx_media_json_object_end(&t->json);
        ngx_media_json_raw(&t->json, "\n", 1);

        if (ngx_media_json_text(&t->json, &t->text) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* into the file of where its application records now */

static ngx_int_t
ngx_media_record_switch_add(void *data, const ngx_media_switch_t *sw)
{
    ngx_media_record_switch_job_t *job = data;

    ngx_str_t                 vhost, app;
    ngx_uint_t                i;
    ngx_media_json_t         *j;
    ngx_media_record_conf_t  *rcf;

    vhost.data = (u_char *) sw->vhost;
    vhost.len = sw->vhost_len;
    app.data = (u_char *) sw->app;
    app.len = sw->app_len;

    rcf = ngx_media_record_conf(ngx_media_policy(&vhost, &app));

    for (i = job->n - 1; i > 0 && job->text[i].root != rcf->root; i--) {
        /* void */
    }

    job->text[i].n++;
    j = &job->text[i].json;

    ngx_media_json_object(j);
    ngx_media_record_switch_encoded(j, "vhost", sw->vhost, sw->vhost_len);
    ngx_media_record_switch_encoded(j, "app", sw->app, sw->app_len);
    ngx_media_record_switch_encoded(j, "stream", sw->stream, sw->stream_len);
    ngx_media_json_key_text(j, "switch",
                            ngx_media_record_switch_name(sw->value));
    ngx_media_json_object_end(j);

    return NGX_OK;
}


/* names need not be UTF-8, which JSON has to be */

static void
ngx_media_record_switch_encoded(ngx_media_json_t *j, const char *key,
    const u_char *p, size_t n)
{
    u_char  text[NGX_MEDIA_SWITCH_NAME], *last;

    n = ngx_min(n, NGX_MEDIA_NAME_LEN);
    last = (u_char *) ngx_escape_uri(text, (u_char *) p, n,
                                     NGX_ESCAPE_URI_COMPONENT);

    ngx_media_json_key(j, key);
    ngx_media_json_str(j, text, (size_t) (last - text));
}


static void
ngx_media_record_switch_thread(void *data, ngx_log_t *log)
{
    int                             root, dir;
    ngx_uint_t                      i;
    const u_char                   *base;
    ngx_media_record_switch_job_t  *job;
    ngx_media_record_switch_text_t *t;

    job = data;

    for (i = 0; i < job->n; i++) {

        t = &job->text[i];

        root = ngx_media_disk_root(t->path.data);
        dir = -1;

        if (root != -1) {
            dir = ngx_media_disk_dir(root, (u_char *) NGX_MEDIA_RECORD_DIR
                                     "/x", &base, t->n != 0);
        }

        /* nothing is said where nothing ever was */

        if (dir == -1) {
            t->err = (t->n || errno != ENOENT) ? errno : 0;

        } else if (ngx_media_record_switch_write(job, t, dir) != NGX_OK) {
            t->err = errno;
        }

        if (dir != -1) {
            (void) close(dir);
        }

        if (root != -1) {
            (void) close(root);
        }
    }
}


static ngx_int_t
ngx_media_record_switch_write(ngx_media_record_switch_job_t *job,
    ngx_media_record_switch_text_t *t, int dir)
{
    int         lock, fd, err;
    u_char     *was;
    ssize_t     n;
    ngx_int_t   rc;

    lock = ngx_media_disk_lock(dir, ".", (u_char *) NGX_MEDIA_SWITCH_LOCK, 1);

    if (lock == -1) {
        return NGX_ERROR;
    }

    n = ngx_media_disk_get(dir, (u_char *) NGX_MEDIA_SWITCH_FILE,
                           NGX_MEDIA_SWITCH_MAX, &was);
    rc = NGX_DECLINED;

    if (n >= 0) {
        rc = ngx_media_record_switch_old(job, was, (size_t) n)
             ? NGX_DECLINED : NGX_OK;
        ngx_free(was);

    } else if (errno == ENOENT && t->n == 0) {
        rc = NGX_OK;
    }

    if (rc == NGX_DECLINED) {

        fd = -1;
        rc = ngx_media_disk_put(dir, (u_char *) NGX_MEDIA_SWITCH_TEMP,
                                t->text.data, t->text.len);

        if (rc == NGX_OK) {
            fd = openat(dir, NGX_MEDIA_SWITCH_TEMP,
                        O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);
        }

        if (rc == NGX_OK
            && (fd == -1 || fsync(fd) == -1
                || renameat(dir, NGX_MEDIA_SWITCH_TEMP, dir,
                            NGX_MEDIA_SWITCH_FILE) == -1
                || fsync(dir) == -1))
        {
            rc = NGX_ERROR;
        }

        err = errno;

        if (fd != -1) {
            (void) close(fd);
        }

        errno = err;
    }

    err = errno;
    (void) close(lock);
    errno = err;

    return rc;
}


/* is that which is there older than what is to be written? */

static ngx_uint_t
ngx_media_record_switch_old(ngx_media_record_switch_job_t *job,
    const u_char *p, size_t n)
{
    u_char                  server[16];
    int64_t                 seq;
    ssize_t                 len;
    ngx_media_json_value_t  doc, v;

    if (ngx_media_json_parse(&doc, p, p + n) != NGX_MEDIA_OK
        || ngx_media_json_member(&doc, "server", &v) != NGX_MEDIA_OK)
    {
        return 1;
    }

    len = ngx_media_json_string(&v, server, sizeof(server));

    if (len < 0 || (size_t) len != ngx_strlen(job->server)
        || ngx_memcmp(server, job->server, (size_t) len) != 0
        || ngx_media_json_member(&doc, "seq", &v) != NGX_MEDIA_OK
        || ngx_media_json_integer(&v, &seq) != NGX_MEDIA_OK)
    {
        return 1;
    }

    return seq < 0 || (uint64_t) seq < job->seq;
}


static void
ngx_media_record_switch_done(ngx_event_t *ev)
{
    uint64_t                         seq;
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_media_record_switch_job_t   *job;
    ngx_media_record_switch_text_t  *t;

    job = ev->data;
    rc = NGX_OK;

    for (i = 0; i < job->n; i++) {

        t = &job->text[i];

        if (t->err) {
            rc = NGX_ERROR;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, t->err,
                          "\"%V/" NGX_MEDIA_RECORD_DIR "/"
                          NGX_MEDIA_SWITCH_FILE "\" can not be written, "
                          "switches of recordings hold until nginx is "
                          "restarted", &t->path);
        }
    }

    seq = job->seq;

    ngx_media_record_switch_job = NULL;
    ngx_destroy_pool(job->pool);

    ngx_media_record_switch_tell(seq, rc);

    if (!ngx_queue_empty(&ngx_media_record_switch_waiting)
        && ngx_media_record_switch_job == NULL
        && ngx_media_record_switch_start() != NGX_OK)
    {
        ngx_media_record_switch_tell((uint64_t) -1, NGX_ERROR);
    }
}


/* those who waited for no more than that */

static void
ngx_media_record_switch_tell(uint64_t seq, ngx_int_t rc)
{
    ngx_queue_t                     *q, *next;
    ngx_media_record_switch_wait_t  *w;

    for (q = ngx_queue_head(&ngx_media_record_switch_waiting);
         q != ngx_queue_sentinel(&ngx_media_record_switch_waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        w = ngx_queue_data(q, ngx_media_record_switch_wait_t, queue);

        if (w->seq <= seq) {
            ngx_queue_remove(q);
            w->done(w->data, rc);
        }
    }
}

#else

ngx_int_t
ngx_media_record_switch_save(ngx_media_record_switch_wait_t *w)
{
    return NGX_ERROR;
}

#endif
