
/*
 * Copyright (C) the nginx media suite authors
 *
 * Threads of recordings over HTTP: which recordings there are, their files and
 * the indexes of these.  What lies on a disk may be damaged or planted there:
 * names never lead out of the root (ngx_media_disk.h), numbers are checked
 * against the file that they are about.
 */


#include "ngx_media_vod.h"
#include "ngx_media_mp4_read.h"
#include "ngx_media_template.h"


/* boxes that may stand before the first fragment */
#define NGX_MEDIA_VOD_BOXES      16

/* keys that are read of an index: one that is damaged may have no end */
#define NGX_MEDIA_VOD_KEYS       (8 * 1024 * 1024)

/* how far a time of an index may be behind the end, us */
#define NGX_MEDIA_VOD_APART      (60 * 1000000LL)


typedef struct {
    ngx_media_vod_job_t   *job;
    ngx_media_archive_pt   each;
    ngx_int_t              rc;             /* of each() */
    ngx_uint_t             seen;           /* the open one was among them */
} ngx_media_vod_walk_t;


static ngx_int_t ngx_media_vod_walk_each(void *data,
    const ngx_media_recording_t *r);
static ngx_uint_t ngx_media_vod_walk_open(ngx_media_vod_job_t *job);
static ngx_int_t ngx_media_vod_file_each(void *data,
    const ngx_media_recording_t *r);
static ngx_uint_t ngx_media_vod_same(const ngx_str_t *a, const ngx_str_t *b);


/* --- recordings --------------------------------------------------------- */

ngx_int_t
ngx_media_vod_root_open(ngx_media_vod_job_t *job)
{
    job->dir = ngx_media_disk_root(job->root);

    if (job->dir == -1) {
        job->err = ngx_errno;
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_media_vod_root_close(ngx_media_vod_job_t *job)
{
    if (job->dir != -1) {
        (void) close(job->dir);
        job->dir = -1;
    }
}


ngx_int_t
ngx_media_vod_walk(ngx_media_vod_job_t *job, ngx_media_archive_pt each)
{
    ngx_int_t             rc;
    ngx_media_vod_walk_t  walk;

    walk.job = job;
    walk.each = each;
    walk.rc = NGX_OK;
    walk.seen = 0;

    if (job->id[0]) {
        rc = ngx_media_archive_find(job->dir, job->id,
                                    ngx_media_vod_walk_each, &walk);
    } else {
        rc = ngx_media_archive_walk(job->dir, job->md5, job->from, job->to,
                                    ngx_media_vod_walk_each, &walk);
    }

    /* what ended the walk is no error of the archive's */

    if (rc == NGX_OK) {
        rc = walk.rc;
    }

    if (rc == NGX_OK && !walk.seen && ngx_media_vod_walk_open(job)) {
        rc = each(job, &job->open);
    }

    return rc;
}


static ngx_int_t
ngx_media_vod_walk_each(void *data, const ngx_media_recording_t *r)
{
    ngx_media_vod_walk_t *walk = data;

    ngx_media_vod_job_t  *job;

    job = walk->job;

    if (!ngx_media_vod_same(&r->vhost, &job->vhost)
        || !ngx_media_vod_same(&r->app, &job->app)
        || !ngx_media_vod_same(&r->stream, &job->stream))
    {
        return NGX_OK;
    }

    if (ngx_memcmp(r->id, job->open.id, NGX_MEDIA_VOD_ID) == 0) {
        walk->seen = 1;
    }

    walk->rc = walk->each(job, r);

    return walk->rc;
}


static ngx_uint_t
ngx_media_vod_walk_open(ngx_media_vod_job_t *job)
{
    if (job->open.id[0] == '\0') {
        return 0;
    }

    if (job->id[0]) {
        return ngx_memcmp(job->open.id, job->id, NGX_MEDIA_VOD_ID) == 0;
    }

    return (job->to == 0 || job->open.begin < job->to)
           && job->open.end > job->from;
}


static ngx_uint_t
ngx_media_vod_same(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


/* --- files -------------------------------------------------------------- */

ngx_int_t
ngx_media_vod_file_open(ngx_media_vod_job_t *job,
    const ngx_media_recording_t *r, ngx_media_vod_file_t *file)
{
    int            dir;
    u_char         name[NGX_MEDIA_DISK_NAME];
    struct stat    st;
    const u_char  *base;

    ngx_memzero(file, sizeof(ngx_media_vod_file_t));

    file->rec = *r;
    file->fd = -1;

    if (r->file.len >= NGX_MEDIA_DISK_NAME
        || ngx_media_template_path(r->file.data, r->file.data + r->file.len)
           != NGX_MEDIA_OK)
    {
        return NGX_DECLINED;
    }

    (void) ngx_cpystrn(name, r->file.data, r->file.len + 1);

    dir = ngx_media_disk_dir(job->dir, name, &base, 0);

    if (dir == -1) {
        return NGX_DECLINED;
    }

    file->fd = openat(dir, (const char *) base,
                      O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);

    (void) close(dir);

    if (file->fd == -1) {
        return NGX_DECLINED;
    }

    if (fstat(file->fd, &st) == -1 || !S_ISREG(st.st_mode)
        || st.st_size <= 0)
    {
        ngx_media_vod_file_close(file);
        return NGX_DECLINED;
    }

    file->bytes = (uint64_t) st.st_size;
    file->mtime = st.st_mtime;

    if (r->state == NGX_MEDIA_RECORD_OPEN) {
        file->bytes = ngx_min(file->bytes, r->bytes);
    }

    return NGX_OK;
}


void
ngx_media_vod_file_close(ngx_media_vod_file_t *file)
{
    if (file->fd != -1) {
        (void) close(file->fd);
        file->fd = -1;
    }
}


ngx_int_t
ngx_media_vod_read(int fd, u_char *p, size_t n, uint64_t offset)
{
    ssize_t  done;

    while (n) {
        done = pread(fd, p, n, (off_t) offset);

        if (done == 0 || (done == -1 && errno != EINTR)) {
            return NGX_ERROR;
        }

        if (done > 0) {
            p += done;
            n -= (size_t) done;
            offset += (uint64_t) done;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_media_vod_file_init(ngx_media_vod_file_t *file)
{
    size_t               n;
    u_char               head[NGX_MEDIA_MP4_HEAD_MAX];
    uint64_t             pos;
    ngx_uint_t           i;
    ngx_media_mp4_box_t  box;

    pos = 0;

    for (i = 0; i < NGX_MEDIA_VOD_BOXES && pos < file->bytes; i++) {

        n = (size_t) ngx_min(sizeof(head), file->bytes - pos);

        if (ngx_media_vod_read(file->fd, head, n, pos) != NGX_OK
            || ngx_media_mp4_box(head, head + n, &box) != NGX_MEDIA_OK)
        {
            break;
        }

        if (box.type == NGX_MEDIA_MP4_MOOF) {
            break;
        }

        if (box.type == NGX_MEDIA_MP4_MDAT || box.size == 0
            || box.size > file->bytes - pos)
        {
            file->init = 0;
            break;
        }

        pos += box.size;

        if (box.type == NGX_MEDIA_MP4_MOOV) {
            file->init = pos;
        }
    }

    return file->init ? NGX_OK : NGX_DECLINED;
}


/* the file of one recording */

void
ngx_media_vod_file_run(ngx_media_vod_job_t *job)
{
    job->status = NGX_HTTP_NOT_FOUND;

    if (ngx_media_vod_root_open(job) == NGX_OK) {
        (void) ngx_media_vod_walk(job, ngx_media_vod_file_each);
        ngx_media_vod_root_close(job);
    }
}


static ngx_int_t
ngx_media_vod_file_each(void *data, const ngx_media_recording_t *r)
{
    ngx_media_vod_job_t *job = data;

    if (job->file.fd != -1 || r->kind != job->kind) {
        return NGX_OK;
    }

    if (ngx_media_vod_file_open(job, r, &job->file) == NGX_OK) {
        job->status = NGX_OK;
    }

    return NGX_OK;
}


/* --- indexes ------------------------------------------------------------ */

void
ngx_media_vod_keys_open(ngx_media_vod_job_t *job,
    const ngx_media_vod_file_t *file, ngx_media_vod_keys_t *keys)
{
    int            dir;
    u_char         name[NGX_MEDIA_DISK_NAME];
    const u_char  *base;

    keys->fd = -1;
    keys->n = 0;
    keys->pos = 0;
    keys->any = 0;
    keys->left = NGX_MEDIA_VOD_KEYS;
    keys->bytes = file->bytes;
    keys->time = (int64_t) ngx_min(file->rec.duration,
                                   (uint64_t) NGX_MEDIA_VOD_TIME_MAX) * 1000
                 + NGX_MEDIA_VOD_APART;

    *ngx_sprintf(name, NGX_MEDIA_RECORD_DIR "/%*s/%*s.idx",
                 (size_t) NGX_MEDIA_RECORD_MD5 - 1, job->md5,
                 (size_t) NGX_MEDIA_VOD_ID, file->rec.id) = '\0';

    dir = ngx_media_disk_dir(job->dir, name, &base, 0);

    if (dir == -1) {
        return;
    }

    keys->fd = openat(dir, (const char *) base,
                      O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);

    (void) close(dir);
}


const ngx_media_file_key_t *
ngx_media_vod_keys_next(ngx_media_vod_keys_t *keys)
{
    ssize_t                      n;
    const ngx_media_file_key_t  *key;

    for ( ;; ) {

        if (keys->pos == keys->n) {

            if (keys->fd == -1 || keys->left == 0) {
                return NULL;
            }

            n = read(keys->fd, keys->buf, sizeof(keys->buf));

            keys->pos = 0;
            keys->n = (n > 0) ? (size_t) n / sizeof(keys->buf[0]) : 0;

            if (keys->n == 0) {
                return NULL;
            }

            keys->left -= ngx_min(keys->left, keys->n);
        }

        key = &keys->buf[keys->pos++];

        if (key->offset >= keys->bytes || key->time < 0
            || key->time > keys->time
            || (keys->any && (key->offset <= keys->last.offset
                              || key->time <= keys->last.time)))
        {
            continue;
        }

        keys->last = *key;
        keys->any = 1;

        return key;
    }
}


void
ngx_media_vod_keys_close(ngx_media_vod_keys_t *keys)
{
    if (keys->fd != -1) {
        (void) close(keys->fd);
        keys->fd = -1;
    }
}
