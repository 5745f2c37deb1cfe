
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: recordings, a thread's side: batches become bytes of a file.  Called
 * with a recording whose job is filled, and nobody else looks at what is the
 * job's until it returns.
 *
 * Order: the bytes, the entry of the index, the mark in the journal.  Whoever
 * is interrupted anywhere leaves a file that plays, and a journal that tells
 * what of it is whole.
 *
 * It returns after a file began or ended, so that the worker can tell of it;
 * what is left of its input comes again.
 */


#include "ngx_media_record_job.h"
#include "ngx_media_template.h"


#define NGX_MEDIA_RECORD_SLACK     2000        /* us: senders round to ms */
#define NGX_MEDIA_RECORD_LATE      5000000     /* us: more than time passed */
#define NGX_MEDIA_RECORD_KEEP_BUF  (2 * 1024 * 1024)
#define NGX_MEDIA_RECORD_NAMES     10000
#define NGX_MEDIA_RECORD_IDS       1000

#define ngx_media_record_is_head(f)  ((f)->flags & NGX_MEDIA_HEAD_KINDS)


static ngx_int_t ngx_media_record_batch(ngx_media_record_t *r,
    ngx_media_record_batch_t *b);
static ngx_int_t ngx_media_record_split(ngx_media_record_t *r,
    ngx_media_record_batch_t *b, ngx_uint_t *first);
static ngx_int_t ngx_media_record_open(ngx_media_record_t *r,
    ngx_media_record_batch_t *b);
static ngx_int_t ngx_media_record_resume(ngx_media_record_t *r, int root,
    ngx_media_record_batch_t *b);
static ngx_int_t ngx_media_record_reopen(ngx_media_record_t *r, int root);
static void ngx_media_record_rebase(ngx_media_record_t *r,
    ngx_media_record_batch_t *b);
static ngx_int_t ngx_media_record_create(ngx_media_record_t *r, int root,
    int64_t begin);
static ngx_int_t ngx_media_record_create_file(ngx_media_record_t *r,
    int root);
static ngx_int_t ngx_media_record_create_index(ngx_media_record_t *r,
    int root, int64_t begin);
static ngx_int_t ngx_media_record_path(ngx_media_record_t *r, int64_t begin,
    u_char *name);
static ngx_int_t ngx_media_record_first(ngx_media_record_t *r,
    ngx_media_record_batch_t *b, ngx_uint_t first);
static ngx_int_t ngx_media_record_append(ngx_media_record_t *r,
    const ngx_media_frame_t *frames, uint32_t n, ngx_uint_t sync,
    int64_t dts);
static ngx_int_t ngx_media_record_note(ngx_media_record_t *r, uint64_t offset,
    ngx_uint_t sync, int64_t dts);
static ngx_int_t ngx_media_record_room(ngx_media_record_t *r, size_t size);
static void ngx_media_record_retire(ngx_media_record_t *r, int root);
static void ngx_media_record_suspend(ngx_media_record_t *r);
static void ngx_media_record_learn(ngx_media_record_t *r,
    const ngx_media_frame_t *f);
static ngx_int_t ngx_media_record_failed(ngx_media_record_t *r,
    ngx_uint_t cause, const u_char *name);


void
ngx_media_record_run(ngx_media_record_t *r)
{
    ngx_int_t                  rc;
    ngx_queue_t               *q;
    ngx_media_record_batch_t  *b;

    r->cause = NGX_MEDIA_RECORD_FINE;
    r->again = 0;
    r->begun = 0;
    r->resumed = 0;
    r->lost = 0;
    r->written = 0;
    r->freed = 0;

    while (!ngx_queue_empty(&r->input)) {

        q = ngx_queue_head(&r->input);
        b = ngx_queue_data(q, ngx_media_record_batch_t, queue);

        rc = ngx_media_record_batch(r, b);

        if (rc == NGX_AGAIN) {
            r->again = 1;
            return;
        }

        ngx_queue_remove(q);

        r->freed += b->size + b->max * sizeof(ngx_media_frame_t);
        ngx_media_record_batch_free(b);

        if (rc != NGX_OK || r->begun || !ngx_queue_empty(&r->ends)) {
            return;
        }
    }

    if (r->file.lock == -1) {
        return;
    }

    if (r->how == NGX_MEDIA_RECORD_SUSPEND) {
        ngx_media_record_suspend(r);

    } else if (r->how == NGX_MEDIA_RECORD_END) {
        ngx_media_record_retire(r, -1);
    }
}


void
ngx_media_record_job_free(ngx_media_record_t *r)
{
    ngx_uint_t  i;

    ngx_media_record_file_close(&r->file);

    for (i = 0; i < NGX_MEDIA_RECORD_HEADS; i++) {
        if (r->heads[i].data) {
            ngx_free((void *) r->heads[i].data);
            r->heads[i].data = NULL;
        }
    }

    if (r->buf) {
        ngx_free(r->buf);
        r->buf = NULL;
    }
}


void
ngx_media_record_batch_free(ngx_media_record_batch_t *b)
{
    if (b->frames) {
        ngx_free(b->frames);
    }

    if (b->data) {
        ngx_free(b->data);
    }

    ngx_free(b);
}


static ngx_int_t
ngx_media_record_failed(ngx_media_record_t *r, ngx_uint_t cause,
    const u_char *name)
{
    r->err = ngx_errno;
    r->cause = cause;

    (void) ngx_cpystrn(r->name, name ? (u_char *) name : (u_char *) "",
                       NGX_MEDIA_DISK_NAME);

    return NGX_ERROR;
}


/* --- batches ------------------------------------------------------------ */

/*
 * NGX_OK: it is done with; NGX_AGAIN: it must come again; NGX_ERROR: r->cause
 * tells why it was lost.
 */

static ngx_int_t
ngx_media_record_batch(ngx_media_record_t *r, ngx_media_record_batch_t *b)
{
    ngx_int_t   rc;
    ngx_uint_t  i, first;

    /* what holds before its first frame */

    for (first = 0; first < b->n; first++) {

        if (!ngx_media_record_is_head(&b->frames[first])) {
            break;
        }

        ngx_media_record_learn(r, &b->frames[first]);
    }

    rc = NGX_OK;

    if (r->file.fd != -1) {
        rc = ngx_media_record_split(r, b, &first);

        if (rc == NGX_DECLINED) {

            /* it has no form in this file: another one begins with it */

            ngx_media_record_retire(r, -1);
            rc = NGX_OK;
        }
    }

    if (rc == NGX_OK && r->file.fd == -1 && first < b->n) {

        if (!b->sync && r->last == 0) {
            r->lost += b->nmedia;
            return NGX_OK;
        }

        rc = ngx_media_record_open(r, b);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_OK) {
            rc = ngx_media_record_first(r, b, first);
        }
    }

    for (i = first; i < b->n; i++) {
        ngx_media_record_learn(r, &b->frames[i]);
    }

    if (rc != NGX_OK) {
        r->lost += b->nmedia;
        r->last = 0;

        if (r->file.lock != -1) {
            ngx_media_record_retire(r, -1);
        }
    }

    return rc;
}


/*
 * Into the open file, up to where dvr_duration is over.  *first: frames from
 * there on are for another one, which is to be begun where it is not b->n.
 */

static ngx_int_t
ngx_media_record_split(ngx_media_record_t *r, ngx_media_record_batch_t *b,
    ngx_uint_t *first)
{
    int64_t            end;
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_media_file_t  *f;

    f = &r->file.mark.file;
    i = b->n;

    if (r->conf->plan == NGX_MEDIA_RECORD_SEGMENT && f->begun
        && (b->sync || !r->conf->wait_keyframe))
    {
        end = f->base + (int64_t) r->conf->duration * 1000
              - NGX_MEDIA_RECORD_SLACK;

        for (i = *first; i < b->n; i++) {

            if (!ngx_media_record_is_head(&b->frames[i])
                && b->frames[i].dts >= end)
            {
                break;
            }

            if (r->conf->wait_keyframe) {
                i = b->n;
                break;
            }
        }
    }

    if (i > *first) {

        rc = ngx_media_record_append(r, b->frames, (uint32_t) i, b->sync,
                                     b->dts);
        if (rc != NGX_OK) {
            return rc;
        }

        *first = i;
    }

    if (i < b->n) {
        ngx_media_record_retire(r, -1);
    }

    return NGX_OK;
}


/* what holds for the frames that come */

static void
ngx_media_record_learn(ngx_media_record_t *r, const ngx_media_frame_t *f)
{
    u_char             *p;
    ngx_uint_t          i;
    ngx_media_frame_t  *h;

    if (f->track >= NGX_MEDIA_MAX_TRACKS) {
        return;
    }

    if (!ngx_media_record_is_head(f)) {

        /* another codec has another configuration, or none */

        h = &r->heads[NGX_MEDIA_MAX_TRACKS + f->track];

        if (h->data && h->codec != f->codec) {
            ngx_free((void *) h->data);
            h->data = NULL;
        }

        return;
    }

    i = (f->flags & NGX_MEDIA_FRAME_META) ? 0
        : (f->flags & NGX_MEDIA_FRAME_CONFIG) ? NGX_MEDIA_MAX_TRACKS
                                              : 2 * NGX_MEDIA_MAX_TRACKS;
    h = &r->heads[i + f->track];

    p = ngx_alloc(f->size + 1, ngx_cycle->log);

    if (h->data) {
        ngx_free((void *) h->data);
    }

    *h = *f;
    h->data = p;

    if (p) {
        ngx_memcpy(p, f->data, f->size);
    }
}


/* the first batch of a file: what holds comes before it */

static ngx_int_t
ngx_media_record_first(ngx_media_record_t *r, ngx_media_record_batch_t *b,
    ngx_uint_t first)
{
    uint32_t            n, k;
    ngx_int_t           rc;
    ngx_media_frame_t  *frames;

    frames = ngx_alloc((NGX_MEDIA_RECORD_HEADS + b->n - first)
                       * sizeof(ngx_media_frame_t), ngx_cycle->log);
    if (frames == NULL) {
        return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_MEMORY, NULL);
    }

    n = 0;

    for (k = 0; k < NGX_MEDIA_RECORD_HEADS; k++) {

        if (r->heads[k].data) {
            frames[n] = r->heads[k];
            frames[n++].dts = b->frames[first].dts;
        }
    }

    for (k = (uint32_t) first; k < b->n; k++) {
        frames[n++] = b->frames[k];
    }

    rc = ngx_media_record_append(r, frames, n,
                                 b->frames[first].flags
                                 & NGX_MEDIA_FRAME_SYNC,
                                 b->frames[first].dts);

    if (rc == NGX_DECLINED && r->resumed) {

        /* what came back is something else */

        ngx_media_record_retire(r, -1);
        r->resumed = 0;

        rc = ngx_media_record_open(r, b);

        if (rc == NGX_OK) {
            rc = ngx_media_record_append(r, frames, n,
                                         b->frames[first].flags
                                         & NGX_MEDIA_FRAME_SYNC,
                                         b->frames[first].dts);
        }
    }

    if (rc == NGX_DECLINED) {

        /* nothing of it has a form */

        ngx_set_errno(0);
        rc = ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_WRITE,
                                     r->file.head.name);
    }

    ngx_free(frames);

    return rc;
}


/*
 * NGX_OK; NGX_DECLINED: this file can not have them, nothing happened;
 * NGX_ERROR: r->cause.
 */

static ngx_int_t
ngx_media_record_append(ngx_media_record_t *r,
    const ngx_media_frame_t *frames, uint32_t n, ngx_uint_t sync, int64_t dts)
{
    ssize_t            size;
    struct stat        st;
    ngx_media_file_t   before, *f;

    f = &r->file.mark.file;

    if (ngx_media_record_room(r, ngx_media_file_room(f, frames, n))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (fstat(r->file.fd, &st) == 0 && st.st_nlink == 0) {

        /* it was taken away */

        return NGX_DECLINED;
    }

    before = *f;

    size = ngx_media_file_batch(f, frames, n, r->buf, r->size);

    if (size < 0) {
        *f = before;

        if (size == NGX_MEDIA_DECLINED) {
            return NGX_DECLINED;
        }

        ngx_set_errno(0);
        return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_WRITE,
                                       r->file.head.name);
    }

    if (size == 0) {
        return NGX_OK;
    }

    if (ngx_media_record_pwrite(r->file.fd, r->buf, (size_t) size,
                                before.bytes)
        != NGX_OK)
    {
        *f = before;
        (void) ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_WRITE,
                                       r->file.head.name);

        if (ftruncate(r->file.fd, (off_t) before.bytes) == -1) {
            /* whoever finishes it does */
        }

        return NGX_ERROR;
    }

    r->written += (uint64_t) size;

    return ngx_media_record_note(r, before.bytes, sync, dts);
}


/* a batch is in the file, from offset on */

static ngx_int_t
ngx_media_record_note(ngx_media_record_t *r, uint64_t offset, ngx_uint_t sync,
    int64_t dts)
{
    ngx_media_file_key_t      key;
    ngx_media_record_mark_t  *mark;

    mark = &r->file.mark;

    if (sync) {
        key.offset = offset;
        key.time = dts - mark->file.base;

        if (ngx_media_record_pwrite(r->file.idx, (u_char *) &key, sizeof(key),
                                    mark->keys * sizeof(key))
            != NGX_OK)
        {
            return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_JOURNAL,
                                           r->file.head.name);
        }

        mark->keys++;
    }

    mark->state = NGX_MEDIA_RECORD_WRITING;
    mark->time = ngx_media_epoch_ms();
    mark->until = 0;

    if (ngx_media_record_journal_mark(&r->file) != NGX_OK) {
        return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_JOURNAL,
                                       r->file.head.name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_record_room(ngx_media_record_t *r, size_t size)
{
    if (r->buf && size <= r->size
        && (r->size <= NGX_MEDIA_RECORD_KEEP_BUF
            || size > NGX_MEDIA_RECORD_KEEP_BUF))
    {
        return NGX_OK;
    }

    if (r->buf) {
        ngx_free(r->buf);
    }

    r->size = size;
    r->buf = ngx_alloc(size ? size : 1, ngx_cycle->log);

    if (r->buf == NULL) {
        r->size = 0;
        return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_MEMORY, NULL);
    }

    return NGX_OK;
}


/* --- the end of a file -------------------------------------------------- */

/* root: -1 where the caller has none */

static void
ngx_media_record_retire(ngx_media_record_t *r, int root)
{
    int                      dir;
    ngx_media_record_end_t  *end;

    dir = (root == -1) ? ngx_media_disk_root(r->conf->root->path.data) : root;

    if (dir != -1) {
        ngx_media_record_journal_retire(&r->file, dir);

        if (root == -1) {
            (void) close(dir);
        }
    }

    end = ngx_calloc(sizeof(ngx_media_record_end_t), ngx_cycle->log);

    if (end == NULL) {

        /* the sweep finds it */

        ngx_media_record_file_close(&r->file);
        ngx_media_record_file_init(&r->file);
        return;
    }

    end->root = r->conf->root;
    end->file = r->file;
    ngx_queue_insert_tail(&r->ends, &end->queue);

    ngx_media_record_file_init(&r->file);
}


/* nobody's, until its publisher comes back or time is over */

static void
ngx_media_record_suspend(ngx_media_record_t *r)
{
    ngx_media_record_mark_t  *mark;

    mark = &r->file.mark;

    mark->state = NGX_MEDIA_RECORD_SUSPENDED;
    mark->time = ngx_media_epoch_ms();
    mark->until = mark->time + r->file.head.gap;

    if (ngx_media_record_journal_mark(&r->file) != NGX_OK) {

        /* it counts from when it was written last */
    }

    ngx_media_record_file_close(&r->file);
}


/* --- the beginning of one ----------------------------------------------- */

/* that of another publish, or a new one.  NGX_OK, NGX_AGAIN, NGX_ERROR */

static ngx_int_t
ngx_media_record_open(ngx_media_record_t *r, ngx_media_record_batch_t *b)
{
    int        root;
    ngx_int_t  rc;
    ngx_err_t  err;

    root = ngx_media_disk_root(r->conf->root->path.data);

    if (root == -1) {
        return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_ROOT, NULL);
    }

    rc = ngx_media_record_resume(r, root, b);

    if (rc == NGX_DECLINED) {
        rc = ngx_media_record_create(r, root, ngx_max(b->wall, r->last + 1));
    }

    err = ngx_errno;
    (void) close(root);
    ngx_set_errno(err);

    if (rc == NGX_OK) {
        r->last = r->file.head.begin;
    }

    return rc;
}


/*
 * Locks the journal.  NGX_OK: it is of a file to go on with; NGX_DECLINED: it
 * is empty now; NGX_AGAIN: another worker has it; NGX_ERROR.
 */

static ngx_int_t
ngx_media_record_resume(ngx_media_record_t *r, int root,
    ngx_media_record_batch_t *b)
{
    u_char      name[NGX_MEDIA_RECORD_JOURNAL];
    ngx_int_t   rc;
    ngx_uint_t  n;

    *ngx_sprintf(name, NGX_MEDIA_RECORD_OPEN_DIR "/%s", r->md5) = '\0';

    for (n = 0; n < 3; n++) {

        ngx_media_record_file_init(&r->file);

        rc = ngx_media_record_journal_open(&r->file, root, name, 1);

        if (rc == NGX_AGAIN) {

            if (r->steal
                && ngx_media_record_journal_steal(root, name) == NGX_OK)
            {
                continue;
            }

            return NGX_AGAIN;
        }

        if (rc == NGX_ERROR) {
            return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_JOURNAL,
                                           name);
        }

        if (rc == NGX_DONE) {
            return NGX_DECLINED;
        }

        if (ngx_media_record_reopen(r, root) == NGX_OK) {
            ngx_media_record_rebase(r, b);
            r->resumed = 1;
            r->begun = 1;
            return NGX_OK;
        }

        ngx_media_record_retire(r, root);
    }

    ngx_set_errno(EBUSY);

    return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_JOURNAL, name);
}


/* may this publish go on with the file?  NGX_OK, NGX_DECLINED */

static ngx_int_t
ngx_media_record_reopen(ngx_media_record_t *r, int root)
{
    int                        dir;
    int64_t                    now, until;
    struct stat                st;
    const u_char              *base;
    u_char                     name[2 * NGX_MEDIA_RECORD_JOURNAL];
    ngx_media_record_head_t   *head;
    ngx_media_record_mark_t   *mark;
    ngx_media_record_file_t   *file;

    file = &r->file;
    head = &file->head;
    mark = &file->mark;

    now = ngx_media_epoch_ms();

    until = (mark->state == NGX_MEDIA_RECORD_SUSPENDED)
            ? mark->until : mark->time + head->gap;

    if (mark->state >= NGX_MEDIA_RECORD_CLOSED || until < now
        || mark->time > now + NGX_MEDIA_RECORD_MAX_GAP
        || r->conf->gap == 0 || head->kind != r->conf->kind
        || !ngx_media_file_valid(&mark->file)
        || mark->file.kind != head->kind || !mark->file.begun
        || ngx_strcmp(head->md5, r->md5) != 0)
    {
        return NGX_DECLINED;
    }

    dir = ngx_media_disk_dir(root, head->name, &base, 0);

    if (dir == -1) {
        return NGX_DECLINED;
    }

    file->fd = openat(dir, (const char *) base,
                      O_RDWR|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);
    (void) close(dir);

    if (file->fd == -1 || fstat(file->fd, &st) == -1 || !S_ISREG(st.st_mode)
        || (uint64_t) st.st_size < mark->file.bytes
        || ftruncate(file->fd, (off_t) mark->file.bytes) == -1)
    {
        return NGX_DECLINED;
    }

    *ngx_sprintf(name, NGX_MEDIA_RECORD_DIR "/%s/%s.idx", r->md5, head->id)
        = '\0';

    dir = ngx_media_disk_dir(root, name, &base, 0);

    if (dir == -1) {
        return NGX_DECLINED;
    }

    file->idx = openat(dir, (const char *) base,
                       O_RDWR|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);
    (void) close(dir);

    if (file->idx == -1 || fstat(file->idx, &st) == -1
        || (uint64_t) st.st_size / sizeof(ngx_media_file_key_t) < mark->keys)
    {
        return NGX_DECLINED;
    }

    head->client = r->client;
    head->gap = (int64_t) r->conf->gap;

    return ngx_media_record_journal_head(file) == NGX_OK ? NGX_OK
                                                         : NGX_DECLINED;
}


/* does the timeline of the source go on with that of the file? */

static void
ngx_media_record_rebase(ngx_media_record_t *r, ngx_media_record_batch_t *b)
{
    int64_t            passed, step;
    ngx_media_file_t  *f;

    f = &r->file.mark.file;

    passed = (b->wall - r->file.head.begin) * 1000 - f->end;

    if (passed < 0) {
        passed = 0;
    }

    step = b->dts - (f->base + f->end);

    if (step < 0 || step > passed + NGX_MEDIA_RECORD_LATE) {
        step = passed;
    }

    ngx_media_file_rebase(f, step);
}


static ngx_int_t
ngx_media_record_create(ngx_media_record_t *r, int root, int64_t begin)
{
    ngx_uint_t                n;
    ngx_media_record_head_t  *head;

    head = &r->file.head;

    ngx_memzero(head, sizeof(ngx_media_record_head_t));
    ngx_memzero(&r->file.mark, sizeof(ngx_media_record_mark_t));

    head->kind = (uint32_t) r->conf->kind;
    head->progressive = (r->conf->kind == NGX_MEDIA_FILE_MP4
                         && r->conf->mp4 == NGX_MEDIA_RECORD_PROGRESSIVE);
    head->gap = (int64_t) r->conf->gap;
    head->client = r->client;

    head->vhost_len = (uint32_t) r->vhost.len;
    head->app_len = (uint32_t) r->app.len;
    head->stream_len = (uint32_t) r->stream.len;
    ngx_memcpy(head->vhost, r->vhost.data, r->vhost.len);
    ngx_memcpy(head->app, r->app.data, r->app.len);
    ngx_memcpy(head->stream, r->stream.data, r->stream.len);
    ngx_memcpy(head->md5, r->md5, NGX_MEDIA_RECORD_MD5);

    if (ngx_media_record_path(r, begin, head->name) != NGX_OK) {
        ngx_set_errno(0);
        return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_NAME, NULL);
    }

    if (ngx_media_archive_stream(root, &r->vhost, &r->app, &r->stream)
        != NGX_OK
        || ngx_media_record_create_index(r, root, begin) != NGX_OK)
    {
        return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_JOURNAL,
                                       (u_char *) NGX_MEDIA_RECORD_DIR);
    }

    /* dvr_keep may take an empty directory away meanwhile */

    for (n = 0; ngx_media_record_create_file(r, root) != NGX_OK; n++) {

        if (ngx_errno == NGX_ENOENT && n < 3) {
            continue;
        }

        return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_FILE,
                                       head->name);
    }

    ngx_media_file_init(&r->file.mark.file, (uint8_t) head->kind);
    r->file.mark.time = ngx_media_epoch_ms();

    if (ftruncate(r->file.lock, 0) == -1
        || ngx_media_record_journal_head(&r->file) != NGX_OK
        || ngx_media_record_journal_mark(&r->file) != NGX_OK)
    {
        return ngx_media_record_failed(r, NGX_MEDIA_RECORD_NO_JOURNAL,
                                       (u_char *) NGX_MEDIA_RECORD_DIR);
    }

    r->begun = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_media_record_path(ngx_media_record_t *r, int64_t begin, u_char *name)
{
    time_t                     sec;
    struct tm                  tm;
    ngx_media_template_vars_t  vars;

    ngx_memzero(&vars, sizeof(ngx_media_template_vars_t));

    sec = (time_t) (begin / 1000);
    (void) localtime_r(&sec, &tm);

    vars.vhost.data = r->vhost.data;
    vars.vhost.len = r->vhost.len;
    vars.app.data = r->app.data;
    vars.app.len = r->app.len;
    vars.stream.data = r->stream.data;
    vars.stream.len = r->stream.len;
    vars.hostname.data = ngx_cycle->hostname.data;
    vars.hostname.len = ngx_cycle->hostname.len;
    vars.timestamp = (uint64_t) begin;
    vars.year = (uint32_t) tm.tm_year + 1900;
    vars.month = (uint32_t) tm.tm_mon + 1;
    vars.day = (uint32_t) tm.tm_mday;
    vars.hour = (uint32_t) tm.tm_hour;
    vars.minute = (uint32_t) tm.tm_min;
    vars.second = (uint32_t) tm.tm_sec;
    vars.pid = (uint32_t) ngx_pid;

    return ngx_media_template_write(r->conf->file.data,
                                    r->conf->file.data + r->conf->file.len,
                                    &vars, name, NGX_MEDIA_DISK_NAME)
           > 0 ? NGX_OK : NGX_ERROR;
}


/* a name that is there gets "-1", "-2" before its ending */

static ngx_int_t
ngx_media_record_create_file(ngx_media_record_t *r, int root)
{
    int            dir;
    size_t         len, ending;
    u_char         name[NGX_MEDIA_DISK_NAME];
    ngx_err_t      err;
    ngx_uint_t     n;
    const u_char  *base;

    len = ngx_strlen(r->file.head.name);
    ending = ngx_strlen(ngx_media_file_ending((uint8_t) r->file.head.kind));

    ngx_memcpy(name, r->file.head.name, len + 1);

    dir = ngx_media_disk_dir(root, name, &base, 1);

    if (dir == -1) {
        return NGX_ERROR;
    }

    for (n = 1; n < NGX_MEDIA_RECORD_NAMES; n++) {

        r->file.fd = openat(dir, (const char *) base,
                            O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC,
                            0644);

        if (r->file.fd != -1 || errno != EEXIST) {
            break;
        }

        if (len + NGX_INT_T_LEN >= sizeof(name)) {
            errno = ENAMETOOLONG;
            break;
        }

        *ngx_sprintf(name + len - ending, "-%ui%s", n,
                     ngx_media_file_ending((uint8_t) r->file.head.kind))
            = '\0';
    }

    err = ngx_errno;
    (void) close(dir);

    (void) ngx_cpystrn(r->file.head.name, name, NGX_MEDIA_DISK_NAME);
    ngx_set_errno(err);

    return (r->file.fd != -1) ? NGX_OK : NGX_ERROR;
}


/* its id, and the index, whose name says that the id is taken */

static ngx_int_t
ngx_media_record_create_index(ngx_media_record_t *r, int root, int64_t begin)
{
    int            dir;
    u_char         name[2 * NGX_MEDIA_RECORD_JOURNAL];
    ngx_err_t      err;
    ngx_uint_t     n;
    const u_char  *base;

    *ngx_sprintf(name, NGX_MEDIA_RECORD_DIR "/%s/x", r->md5) = '\0';

    dir = ngx_media_disk_dir(root, name, &base, 1);

    if (dir == -1) {
        return NGX_ERROR;
    }

    for (n = 0; n < NGX_MEDIA_RECORD_IDS; n++) {

        r->file.head.begin = begin + (int64_t) n;
        ngx_media_record_id(r->file.head.id, r->file.head.begin, r->md5);

        *ngx_sprintf(name, "%s.idx", r->file.head.id) = '\0';

        r->file.idx = openat(dir, (char *) name,
                             O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC,
                             0644);

        if (r->file.idx != -1 || errno != EEXIST) {
            break;
        }
    }

    err = ngx_errno;
    (void) close(dir);

    if (r->file.idx == -1) {

        /* that index is another's */

        r->file.head.id[0] = '\0';
    }

    ngx_set_errno(err);

    return (r->file.idx != -1) ? NGX_OK : NGX_ERROR;
}
