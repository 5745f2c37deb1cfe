
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the end of a recorded file.  A thread writes what is known at its end,
 * makes it durable and enters it into the archive; then the worker tells
 * hooks, events and statistics.  Whose worker recorded it does not matter, nor
 * whether the file was left by one that died: the journal has all of it.
 *
 * What could not be finished keeps its journal, and the sweep tries again.
 */


#include "ngx_media_record_job.h"
#include "ngx_media_event.h"
#include "ngx_media_hook.h"


#define NGX_MEDIA_RECORD_KEYS      (4 * 1024 * 1024)  /* entries of an index */
#define NGX_MEDIA_RECORD_CLOSING   (64 * 1024)
#define NGX_MEDIA_RECORD_ENDS      4                  /* threads at a time */
#define NGX_MEDIA_RECORD_LATER     10000              /* ms between tries */
#define NGX_MEDIA_RECORD_SAY       60                 /* s between the same
                                                       * log lines */


static ngx_int_t ngx_media_record_close(ngx_media_record_end_t *end);
static ngx_int_t ngx_media_record_close_file(ngx_media_record_file_t *file,
    ngx_media_file_key_t *keys, u_char *buf);
static ngx_media_file_key_t *ngx_media_record_keys(
    ngx_media_record_file_t *file);
static ngx_int_t ngx_media_record_table(ngx_media_record_end_t *end,
    int root);
static ngx_int_t ngx_media_record_enter(ngx_media_record_end_t *end,
    int root);
static void ngx_media_record_discard(ngx_media_record_end_t *end, int root);
static ngx_int_t ngx_media_record_reopen_file(ngx_media_record_file_t *file,
    int root);
static void ngx_media_record_end_next(void);
static void ngx_media_record_end_thread(void *data, ngx_log_t *log);
static void ngx_media_record_end_done(ngx_event_t *ev);
static void ngx_media_record_count(ngx_media_record_end_t *end);


static ngx_queue_t  ngx_media_record_waiting;
static ngx_uint_t   ngx_media_record_ending;


/* --- threads ------------------------------------------------------------ */

void
ngx_media_record_finish(ngx_media_record_end_t *end)
{
    int                       root;
    ngx_media_record_file_t  *file;

    file = &end->file;
    end->rc = NGX_ERROR;

    root = ngx_media_disk_root(end->root->path.data);

    if (root == -1) {
        end->err = ngx_errno;
        goto done;
    }

    if (file->mark.state == NGX_MEDIA_RECORD_TOLD) {
        ngx_media_record_journal_remove(file, root);
        end->rc = NGX_DECLINED;
        goto done;
    }

    if (file->mark.file.frames == 0) {
        ngx_media_record_discard(end, root);
        end->rc = NGX_DECLINED;
        goto done;
    }

    end->rc = (file->fd == -1) ? ngx_media_record_reopen_file(file, root)
                               : NGX_OK;

    if (end->rc == NGX_OK) {
        end->rc = ngx_media_record_close(end);
    }

    if (end->rc == NGX_OK) {
        end->rc = ngx_media_record_enter(end, root);
    }

    if (end->rc == NGX_DECLINED) {

        /* somebody took it away */

        end->gone = 1;
        ngx_media_record_discard(end, root);
    }

    if (end->rc == NGX_ERROR) {
        end->err = ngx_errno;

        file->mark.until = ngx_media_epoch_ms() + NGX_MEDIA_RECORD_LATER;
        file->mark.tries++;
        (void) ngx_media_record_journal_mark(file);
    }

done:

    if (root != -1) {
        (void) close(root);
    }

    ngx_media_record_file_close(file);
}


/* NGX_OK; NGX_DECLINED: it is gone; NGX_ERROR */

static ngx_int_t
ngx_media_record_reopen_file(ngx_media_record_file_t *file, int root)
{
    int            dir;
    u_char         name[2 * NGX_MEDIA_RECORD_JOURNAL];
    ngx_err_t      err;
    struct stat    st;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, file->head.name, &base, 0);

    if (dir == -1) {
        return (ngx_errno == ENOENT) ? NGX_DECLINED : NGX_ERROR;
    }

    file->fd = openat(dir, (const char *) base,
                      O_RDWR|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);

    err = ngx_errno;
    (void) close(dir);
    ngx_set_errno(err);

    if (file->fd == -1) {
        return (err == ENOENT || err == ELOOP) ? NGX_DECLINED : NGX_ERROR;
    }

    if (fstat(file->fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        (void) close(file->fd);
        file->fd = -1;
        return NGX_DECLINED;
    }

    if (file->idx != -1) {
        return NGX_OK;
    }

    *ngx_sprintf(name, NGX_MEDIA_RECORD_DIR "/%s/%s.idx", file->head.md5,
                 file->head.id) = '\0';

    dir = ngx_media_disk_dir(root, name, &base, 0);

    if (dir != -1) {
        file->idx = openat(dir, (const char *) base,
                           O_RDWR|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);
        (void) close(dir);
    }

    return NGX_OK;
}


/* file and index of a recording in which there is nothing */

static void
ngx_media_record_discard(ngx_media_record_end_t *end, int root)
{
    u_char                    name[2 * NGX_MEDIA_RECORD_JOURNAL];
    ngx_media_record_file_t  *file;

    file = &end->file;

    if (file->head.id[0]) {
        *ngx_sprintf(name, NGX_MEDIA_RECORD_DIR "/%s/%s.idx",
                     file->head.md5, file->head.id) = '\0';

        (void) ngx_media_disk_remove(root, name);
    }

    /* without a descriptor of it the name may be another's */

    if (file->fd != -1
        && ngx_media_record_is(file->fd, root, file->head.name))
    {
        (void) ngx_media_disk_remove(root, file->head.name);
    }

    ngx_media_record_journal_remove(file, root);
}


static ngx_int_t
ngx_media_record_close(ngx_media_record_end_t *end)
{
    u_char                   *buf;
    ngx_int_t                 rc;
    struct stat               st;
    ngx_media_file_key_t     *keys;
    ngx_media_record_file_t  *file;

    file = &end->file;

    if (fstat(file->fd, &st) == -1) {
        return NGX_ERROR;
    }

    if (st.st_nlink == 0) {
        return NGX_DECLINED;
    }

    /*
     * A file that is shorter than it was is what a machine left that stopped;
     * it is entered as it is.
     */

    if (file->mark.state != NGX_MEDIA_RECORD_CLOSED
        && ngx_media_file_valid(&file->mark.file)
        && (uint64_t) st.st_size >= file->mark.file.bytes)
    {
        if (ftruncate(file->fd, (off_t) file->mark.file.bytes) == -1) {
            return NGX_ERROR;
        }

        keys = ngx_media_record_keys(file);
        buf = ngx_alloc(NGX_MEDIA_RECORD_CLOSING, ngx_cycle->log);

        rc = buf ? ngx_media_record_close_file(file, keys, buf) : NGX_ERROR;

        if (buf) {
            ngx_free(buf);
        }

        if (keys) {
            ngx_free(keys);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (fsync(file->fd) == -1) {
        return NGX_ERROR;
    }

    if (file->mark.state != NGX_MEDIA_RECORD_CLOSED) {
        file->mark.state = NGX_MEDIA_RECORD_CLOSED;
        return ngx_media_record_journal_mark(file);
    }

    return NGX_OK;
}


/* NULL: it goes without */

static ngx_media_file_key_t *
ngx_media_record_keys(ngx_media_record_file_t *file)
{
    size_t                 size;
    ngx_media_file_key_t  *keys;

    if (file->idx == -1 || file->mark.keys == 0
        || file->mark.keys > NGX_MEDIA_RECORD_KEYS)
    {
        return NULL;
    }

    size = (size_t) file->mark.keys * sizeof(ngx_media_file_key_t);
    keys = ngx_alloc(size, ngx_cycle->log);

    if (keys && pread(file->idx, keys, size, 0) != (ssize_t) size) {
        ngx_free(keys);
        return NULL;
    }

    return keys;
}


static ngx_int_t
ngx_media_record_close_file(ngx_media_record_file_t *file,
    ngx_media_file_key_t *keys, u_char *buf)
{
    ssize_t                 n;
    uint32_t                append, npatches, i;
    ngx_media_file_t        f;
    ngx_media_file_patch_t  patches[NGX_MEDIA_FILE_PATCHES];

    f = file->mark.file;
    append = 0;
    npatches = 0;

    n = ngx_media_file_close(&f, keys, keys ? (uint32_t) file->mark.keys : 0,
                             buf, NGX_MEDIA_RECORD_CLOSING, &append, patches,
                             &npatches);
    if (n < 0) {

        /* it plays without */

        return NGX_OK;
    }

    if (append
        && ngx_media_record_pwrite(file->fd, buf, append,
                                   file->mark.file.bytes)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < npatches; i++) {

        if (ngx_media_record_pwrite(file->fd, buf + patches[i].pos,
                                    patches[i].size, patches[i].offset)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* what the archive, copies and hooks are told */

static void
ngx_media_record_fill(ngx_media_record_end_t *end, uint64_t bytes)
{
    ngx_media_recording_t    *rec;
    ngx_media_record_head_t  *head;

    rec = &end->recording;
    head = &end->file.head;

    ngx_memcpy(rec->id, head->id, NGX_MEDIA_RECORD_ID);
    rec->kind = (uint8_t) head->kind;
    rec->state = NGX_MEDIA_RECORD_WHOLE;

    rec->vhost.data = head->vhost;
    rec->vhost.len = head->vhost_len;
    rec->app.data = head->app;
    rec->app.len = head->app_len;
    rec->stream.data = head->stream;
    rec->stream.len = head->stream_len;
    rec->file.data = head->name;
    rec->file.len = ngx_strlen(head->name);

    rec->duration = (uint64_t) (end->file.mark.file.end / 1000);
    rec->begin = head->begin;
    rec->end = head->begin + (int64_t) rec->duration;
    rec->bytes = bytes;
}


/* an MP4 with an index, as dvr_mp4 says; where that fails it stays as it is */

static ngx_int_t
ngx_media_record_table(ngx_media_record_end_t *end, int root)
{
    u_char                    name[2 * NGX_MEDIA_RECORD_JOURNAL];
    ngx_int_t                 rc;
    ngx_media_record_file_t  *file;

    file = &end->file;

    rc = ngx_media_record_progressive(root, file->head.name);

    if (rc != NGX_OK) {

        if (rc == NGX_ERROR) {
            end->err = ngx_errno;

            if (end->err == ECANCELED) {
                return NGX_ERROR;
            }
        }

        return NGX_OK;
    }

    /* the index is of what it was */

    *ngx_sprintf(name, NGX_MEDIA_RECORD_DIR "/%s/%s.idx", file->head.md5,
                 file->head.id) = '\0';

    (void) ngx_media_disk_remove(root, name);

    (void) close(file->fd);
    file->fd = -1;

    return (ngx_media_record_reopen_file(file, root) == NGX_OK) ? NGX_OK
                                                                : NGX_ERROR;
}


static ngx_int_t
ngx_media_record_enter(ngx_media_record_end_t *end, int root)
{
    struct stat               st;
    ngx_media_record_conf_t  *rcf;
    ngx_media_record_file_t  *file;

    file = &end->file;

    if (file->head.progressive
        && ngx_media_record_table(end, root) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (fstat(file->fd, &st) == -1) {
        return NGX_ERROR;
    }

    ngx_media_record_fill(end, (uint64_t) st.st_size);

    if (ngx_media_archive_add(root, &end->recording) != NGX_OK
        || ngx_media_upload_add(end->conf, root, &end->recording) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rcf = ngx_media_record_conf(end->conf);

    if (rcf->keep_age || rcf->keep_size) {
        ngx_media_archive_keep(root, file->head.md5, rcf->keep_age,
                               rcf->keep_size);
    }

    /* a worker that goes at once tells nobody: another one will */

    if (!ngx_terminate) {
        ngx_media_record_journal_remove(file, root);
    }

    return NGX_OK;
}


/* --- worker ------------------------------------------------------------- */

void
ngx_media_record_end_post(ngx_media_record_end_t *end)
{
    ngx_str_t                 vhost, app;
    ngx_media_record_head_t  *head;

    head = &end->file.head;

    vhost.data = head->vhost;
    vhost.len = head->vhost_len;
    app.data = head->app;
    app.len = head->app_len;

    end->conf = ngx_media_policy(&vhost, &app);

    end->task.ctx = end;
    end->task.handler = ngx_media_record_end_thread;
    end->task.event.handler = ngx_media_record_end_done;
    end->task.event.data = end;

    if (ngx_media_record_waiting.next == NULL) {
        ngx_queue_init(&ngx_media_record_waiting);
    }

    ngx_queue_insert_tail(&ngx_media_record_waiting, &end->queue);

    ngx_media_record_end_next();
}


/* many that end at once must not keep threads from those that go on */

static void
ngx_media_record_end_next(void)
{
    ngx_queue_t             *q;
    ngx_media_record_end_t  *end;

    while (ngx_media_record_ending < NGX_MEDIA_RECORD_ENDS
           && !ngx_queue_empty(&ngx_media_record_waiting))
    {
        q = ngx_queue_head(&ngx_media_record_waiting);
        end = ngx_queue_data(q, ngx_media_record_end_t, queue);

        ngx_queue_remove(q);

        if (ngx_media_record_post(&end->task) == NGX_OK) {
            ngx_media_record_ending++;
            continue;
        }

        /* the sweep finds it */

        ngx_media_record_file_close(&end->file);
        ngx_free(end);
    }
}


/* the worker exits */

void
ngx_media_record_end_exit(void)
{
    ngx_queue_t             *q;
    ngx_media_record_end_t  *end;

    while (ngx_media_record_waiting.next
           && !ngx_queue_empty(&ngx_media_record_waiting))
    {
        q = ngx_queue_head(&ngx_media_record_waiting);
        end = ngx_queue_data(q, ngx_media_record_end_t, queue);

        ngx_queue_remove(q);
        ngx_media_record_file_close(&end->file);
        ngx_free(end);
    }
}


static void
ngx_media_record_end_thread(void *data, ngx_log_t *log)
{
    ngx_media_record_finish(data);
}


static void
ngx_media_record_end_done(ngx_event_t *ev)
{
    u_char                   *p;
    ngx_str_t                 path;
    static time_t             said;
    ngx_media_recording_t    *rec;
    ngx_media_record_end_t   *end;
    ngx_media_record_head_t  *head;

    end = ev->data;
    head = &end->file.head;
    rec = &end->recording;

    ngx_media_record_posted();

    ngx_media_record_ending--;
    ngx_media_record_end_next();

    if (end->rc == NGX_OK) {

        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "\"%V/%s\" is recorded, %uL ms of \"%V/%V\", "
                      "%uL bytes", &end->root->path, head->name,
                      rec->duration, &rec->app, &rec->stream, rec->bytes);

        if (end->err) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, end->err,
                          "\"%V/%s\" can not be made progressive, it stays in "
                          "fragments", &end->root->path, head->name);
        }

        ngx_media_record_count(end);

        path.len = end->root->path.len + 1 + rec->file.len;
        path.data = ngx_alloc(path.len, ngx_cycle->log);

        if (path.data) {
            p = ngx_cpymem(path.data, end->root->path.data,
                           end->root->path.len);
            *p++ = '/';
            ngx_memcpy(p, rec->file.data, rec->file.len);

            ngx_media_hook_dvr(&head->client, &path);
            ngx_free(path.data);
        }

        ngx_media_event_recording(NGX_MEDIA_KIND_RECORDED, rec);

    } else if (end->rc == NGX_DECLINED && end->gone) {

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "\"%V/%s\" was taken away before it was whole",
                      &end->root->path, head->name);

    } else if (end->rc == NGX_ERROR && end->file.mark.tries <= 1
               && (said == 0 || ngx_time() - said >= NGX_MEDIA_RECORD_SAY))
    {
        said = ngx_time();

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, end->err,
                      "\"%V/%s\" can not be finished, it is tried again",
                      &end->root->path, head->name);
    }

    ngx_free(end);
}


/* its stream may be live, in any worker */

static void
ngx_media_record_count(ngx_media_record_end_t *end)
{
    ngx_media_source_t  *src;

    ngx_media_lock();

    src = ngx_media_source_find(&end->recording.vhost, &end->recording.app,
                                &end->recording.stream);
    if (src) {
        (void) __atomic_fetch_add(&src->record.files, 1, __ATOMIC_RELAXED);
    }

    ngx_media_unlock();
}
