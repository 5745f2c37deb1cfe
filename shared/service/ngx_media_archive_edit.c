
/*
 * Copyright (C) the nginx media suite authors
 *
 * The archive of recordings, how entries come and go: declared in
 * ngx_media_record.h and ngx_media_archive.h.  Run in threads, under the lock
 * of the stream's directory.
 *
 * A file is deleted before its entry: who is killed in between leaves an entry
 * without a file, which the sweep finds, and never a file that nobody knows.
 */


#include "ngx_media_archive.h"
#include "ngx_media_upload.h"


#define NGX_MEDIA_ARCHIVE_TIDY     (24 * 3600)     /* s */


/* what of a stream is to go */

typedef struct {
    int           root;
    int           dir;
    int64_t       before;        /* ms; ended before that: goes */
    uint64_t      over;          /* bytes that are to go */
    u_char        newest[NGX_MEDIA_RECORD_ID];     /* stays, of those */
    ngx_uint_t    broken;        /* those without a file go */
    ngx_uint_t    gone;
    ngx_uint_t    stop;          /* nothing can be deleted */
    int           err;
} ngx_media_archive_edit_t;


static int ngx_media_archive_lock(int dir);
static ngx_int_t ngx_media_archive_append(int dir, const u_char *day,
    size_t whole, const u_char *line, size_t n);
static ngx_int_t ngx_media_archive_replace(int dir, const u_char *name,
    const u_char *p, size_t n);
static ngx_int_t ngx_media_archive_delete(int root, int dir,
    ngx_media_archive_line_t *line, ngx_uint_t broken);
static void ngx_media_archive_prune(int root, u_char *file);
static ngx_int_t ngx_media_archive_remove_at(int root, const u_char *md5,
    const u_char *id);
static ngx_int_t ngx_media_archive_rewrite(int dir, const u_char *day,
    ngx_media_archive_file_t *file);
static uint64_t ngx_media_archive_total(int dir, ngx_array_t *days,
    u_char *newest);
static void ngx_media_archive_clean_day(ngx_media_archive_edit_t *edit,
    const u_char *day);
static ngx_uint_t ngx_media_archive_goes(ngx_media_archive_edit_t *edit,
    ngx_media_archive_line_t *line);
static void ngx_media_archive_tidy(int root, int dir, const u_char *md5);


static int
ngx_media_archive_lock(int dir)
{
    return ngx_media_disk_lock(dir, ".", (u_char *) NGX_MEDIA_ARCHIVE_LOCK, 1);
}


/* --- streams ------------------------------------------------------------ */

ngx_int_t
ngx_media_archive_stream(int root, const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream)
{
    int                         dir, lock, err;
    u_char                      md5[NGX_MEDIA_RECORD_MD5], *p, *last;
    u_char                      text[9 * NGX_MEDIA_NAME_LEN + 3];
    ssize_t                     n;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    const ngx_str_t            *name[3];
    ngx_media_archive_names_t   names;

    ngx_media_record_md5(md5, vhost, app, stream);

    dir = ngx_media_archive_dir(root, md5, 1);

    if (dir == -1) {
        return NGX_ERROR;
    }

    if (ngx_media_archive_names(dir, md5, &names) == NGX_OK) {
        ngx_free(names.text);
        (void) close(dir);
        return NGX_OK;
    }

    name[0] = vhost;
    name[1] = app;
    name[2] = stream;

    p = text;
    last = text + sizeof(text);

    for (i = 0; i < 3; i++) {

        n = ngx_media_archive_escape(name[i]->data,
                                     name[i]->data + name[i]->len, p,
                                     (size_t) (last - p));

        if (n < 0 || last - p - n < 1) {
            (void) close(dir);
            errno = ENAMETOOLONG;
            return NGX_ERROR;
        }

        p += n;
        *p++ = '\n';
    }

    lock = ngx_media_archive_lock(dir);
    rc = NGX_ERROR;

    if (lock != -1) {
        rc = ngx_media_archive_replace(dir,
                                       (u_char *) NGX_MEDIA_ARCHIVE_NAMES,
                                       text, (size_t) (p - text));
        err = errno;
        (void) close(lock);
        errno = err;
    }

    err = errno;
    (void) close(dir);
    errno = err;

    return rc;
}


/* by a temporary file, on disk before it has its name; under the lock */

static ngx_int_t
ngx_media_archive_replace(int dir, const u_char *name, const u_char *p,
    size_t n)
{
    int        fd, err;
    ngx_int_t  rc;

    fd = openat(dir, NGX_MEDIA_ARCHIVE_TEMP,
                O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK,
                0644);

    if (fd == -1) {
        return NGX_ERROR;
    }

    rc = ngx_media_disk_write(fd, p, n);

    if (rc == NGX_OK
        && (fsync(fd) == -1
            || renameat(dir, NGX_MEDIA_ARCHIVE_TEMP, dir, (const char *) name)
               == -1))
    {
        rc = NGX_ERROR;
    }

    err = errno;

    if (rc != NGX_OK) {
        (void) unlinkat(dir, NGX_MEDIA_ARCHIVE_TEMP, 0);
    }

    (void) close(fd);
    errno = err;

    return rc;
}


/* --- a file is whole ---------------------------------------------------- */

ngx_int_t
ngx_media_archive_add(int root, const ngx_media_recording_t *r)
{
    int                        dir, lock, err;
    u_char                     md5[NGX_MEDIA_RECORD_MD5];
    u_char                     day[NGX_MEDIA_ARCHIVE_DAY];
    u_char                     buf[NGX_MEDIA_ARCHIVE_LINE];
    size_t                     whole;
    ssize_t                    n;
    ngx_int_t                  rc;
    ngx_media_archive_file_t   file;
    ngx_media_archive_line_t   line;

    if (ngx_media_archive_id(r->id, ngx_strlen(r->id)) < 0
        || r->file.len > NGX_MEDIA_ARCHIVE_FILE)
    {
        errno = EINVAL;
        return NGX_ERROR;
    }

    ngx_memcpy(line.id, r->id, NGX_MEDIA_RECORD_ID);
    line.kind = r->kind;
    line.begin = ngx_max(r->begin, 0);
    line.end = ngx_max(r->end, line.begin);
    line.duration = r->duration;
    line.bytes = r->bytes;
    line.len = r->file.len;
    ngx_memcpy(line.file, r->file.data, r->file.len);
    line.file[line.len] = '\0';

    n = ngx_media_archive_write(&line, buf, sizeof(buf));

    if (n < 0) {
        errno = EINVAL;
        return NGX_ERROR;
    }

    if (ngx_media_archive_stream(root, &r->vhost, &r->app, &r->stream)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_media_record_md5(md5, &r->vhost, &r->app, &r->stream);
    ngx_media_archive_day(day, r->id);

    dir = ngx_media_archive_dir(root, md5, 0);
    lock = (dir == -1) ? -1 : ngx_media_archive_lock(dir);
    rc = NGX_ERROR;

    if (lock != -1) {

        rc = ngx_media_archive_load(dir, day, &file);
        whole = 0;

        if (rc == NGX_OK) {
            whole = file.whole;
            rc = ngx_media_archive_entry(&file, r->id) ? NGX_OK : NGX_DECLINED;
            ngx_media_archive_unload(&file);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_media_archive_append(dir, day, whole, buf, (size_t) n);
        }
    }

    err = errno;

    if (lock != -1) {
        (void) close(lock);
    }

    if (dir != -1) {
        (void) close(dir);
    }

    errno = err;

    return rc;
}


/* what is behind the last whole line was torn by a crash and goes */

static ngx_int_t
ngx_media_archive_append(int dir, const u_char *day, size_t whole,
    const u_char *line, size_t n)
{
    int        fd, err;
    ssize_t    written;
    ngx_int_t  rc;

    fd = openat(dir, (const char *) day,
                O_WRONLY|O_APPEND|O_CREAT|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK,
                0644);

    if (fd == -1) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ftruncate(fd, (off_t) whole) == 0) {

        do {
            written = write(fd, line, n);
        } while (written == -1 && errno == EINTR);

        if (written == (ssize_t) n && fsync(fd) == 0) {
            rc = NGX_OK;

        } else {
            err = (written >= 0 && written < (ssize_t) n) ? ENOSPC : errno;
            (void) (ftruncate(fd, (off_t) whole) + 1);
            errno = err;
        }
    }

    err = errno;
    (void) close(fd);
    errno = err;

    return rc;
}


/* --- one goes ----------------------------------------------------------- */

ngx_int_t
ngx_media_archive_remove(int root, const u_char *id)
{
    u_char       *md5;
    ngx_int_t     rc;
    ngx_uint_t    i;
    ngx_pool_t   *pool;
    ngx_array_t   md5s;

    if (ngx_media_archive_id(id, ngx_strlen(id)) < 0) {
        return NGX_DECLINED;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);

    if (pool == NULL) {
        errno = ENOMEM;
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_array_init(&md5s, pool, 4, NGX_MEDIA_RECORD_MD5) == NGX_OK
        && ngx_media_archive_streams(root, id + 11, 5, &md5s) == NGX_OK)
    {
        md5 = md5s.elts;
        rc = NGX_DECLINED;

        for (i = 0; rc == NGX_DECLINED && i < md5s.nelts; i++) {
            rc = ngx_media_archive_remove_at(root, md5, id);
            md5 += NGX_MEDIA_RECORD_MD5;
        }
    }

    ngx_destroy_pool(pool);

    return rc;
}


static ngx_int_t
ngx_media_archive_remove_at(int root, const u_char *md5, const u_char *id)
{
    int                         dir, lock, err;
    u_char                      day[NGX_MEDIA_ARCHIVE_DAY];
    ngx_int_t                   rc;
    ngx_media_archive_file_t    file;
    ngx_media_archive_line_t    line;
    ngx_media_archive_entry_t  *e;

    dir = ngx_media_archive_dir(root, md5, 0);

    if (dir == -1) {
        return (errno == ENOENT) ? NGX_DECLINED : NGX_ERROR;
    }

    ngx_media_archive_day(day, id);

    lock = ngx_media_archive_lock(dir);
    rc = (lock == -1) ? NGX_ERROR : ngx_media_archive_load(dir, day, &file);

    if (rc == NGX_OK) {

        e = ngx_media_archive_entry(&file, id);
        rc = NGX_DECLINED;

        if (e && ngx_media_archive_parse(&line, e->pos, e->end)
                 == NGX_MEDIA_OK)
        {
            rc = ngx_media_archive_delete(root, dir, &line, 0);

            if (rc == NGX_OK) {
                e->end = e->pos;
                rc = ngx_media_archive_rewrite(dir, day, &file);
            }
        }

        ngx_media_archive_unload(&file);
    }

    err = errno;

    if (lock != -1) {
        (void) close(lock);
    }

    (void) close(dir);
    errno = err;

    return rc;
}


/*
 * File and index; NGX_OK: neither is there.  Of one that was found broken the
 * file is not ours, whatever has that name by now.
 */

static ngx_int_t
ngx_media_archive_delete(int root, int dir, ngx_media_archive_line_t *line,
    ngx_uint_t broken)
{
    u_char  name[NGX_MEDIA_RECORD_ID + sizeof(".idx")];

    if (!broken
        && ngx_media_archive_state(root, line->file, line->end, line->bytes)
        == NGX_MEDIA_RECORD_WHOLE
        && ngx_media_disk_remove(root, line->file) != NGX_OK)
    {
        return NGX_ERROR;
    }

    *ngx_sprintf(name, "%s.idx", line->id) = '\0';

    if (unlinkat(dir, (char *) name, 0) == -1 && errno != ENOENT) {
        return NGX_ERROR;
    }

    ngx_media_upload_forget(root, line->id);
    ngx_media_archive_prune(root, line->file);

    return NGX_OK;
}


/* directories on the way to it that are empty now; file is written over */

static void
ngx_media_archive_prune(int root, u_char *file)
{
    int            dir, rc;
    u_char        *slash;
    const u_char  *base;

    for ( ;; ) {

        slash = (u_char *) strrchr((char *) file, '/');

        if (slash == NULL) {
            return;
        }

        *slash = '\0';

        dir = ngx_media_disk_dir(root, file, &base, 0);

        if (dir == -1) {
            return;
        }

        rc = unlinkat(dir, (const char *) base, AT_REMOVEDIR);

        (void) close(dir);

        if (rc == -1 && errno != ENOENT) {
            return;
        }
    }
}


/* a day without the entries that were made empty */

static ngx_int_t
ngx_media_archive_rewrite(int dir, const u_char *day,
    ngx_media_archive_file_t *file)
{
    size_t       n;
    u_char      *text, *p;
    ngx_int_t    rc;
    ngx_uint_t   i;

    text = ngx_alloc(file->size + 1, ngx_cycle->log);

    if (text == NULL) {
        errno = ENOMEM;
        return NGX_ERROR;
    }

    p = text;

    for (i = 0; i < file->n; i++) {

        n = (size_t) (file->entry[i].end - file->entry[i].pos);

        if (n) {
            p = ngx_cpymem(p, file->entry[i].pos, n);
            *p++ = '\n';
        }
    }

    if (p == text) {
        rc = (unlinkat(dir, (const char *) day, 0) == -1 && errno != ENOENT)
             ? NGX_ERROR : NGX_OK;

    } else {
        rc = ngx_media_archive_replace(dir, day, text, (size_t) (p - text));
    }

    ngx_free(text);

    return rc;
}


/* --- dvr_keep ----------------------------------------------------------- */

void
ngx_media_archive_keep(int root, const u_char *md5, time_t age, off_t size)
{
    (void) ngx_media_archive_clean(root, md5, age, size, 0);
}


ngx_int_t
ngx_media_archive_clean(int root, const u_char *md5, time_t age, off_t size,
    ngx_uint_t broken)
{
    int                        lock;
    u_char                    *day;
    uint64_t                   total;
    ngx_uint_t                 i;
    ngx_pool_t                *pool;
    ngx_array_t                days;
    ngx_media_archive_edit_t   edit;

    if (age == 0 && size == 0 && !broken) {
        return NGX_OK;
    }

    ngx_memzero(&edit, sizeof(ngx_media_archive_edit_t));

    edit.root = root;
    edit.broken = broken;
    edit.dir = ngx_media_archive_dir(root, md5, 0);

    if (edit.dir == -1) {
        return (errno == ENOENT) ? NGX_OK : NGX_ERROR;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    lock = pool ? ngx_media_archive_lock(edit.dir) : -1;

    if (lock == -1
        || ngx_array_init(&days, pool, 32, NGX_MEDIA_ARCHIVE_DAY) != NGX_OK
        || ngx_media_archive_days(edit.dir, &days) != NGX_OK)
    {
        edit.err = errno ? errno : ENOMEM;
        goto done;
    }

    edit.before = age ? (int64_t) (time(NULL) - age) * 1000 : 0;

    if (size) {
        total = ngx_media_archive_total(edit.dir, &days, edit.newest);
        edit.over = (total > (uint64_t) size) ? total - (uint64_t) size : 0;
    }

    day = days.elts;

    for (i = 0; !edit.stop && i < days.nelts; i++) {
        ngx_media_archive_clean_day(&edit, day);
        day += NGX_MEDIA_ARCHIVE_DAY;
    }

    if (broken) {
        ngx_media_archive_tidy(root, edit.dir, md5);
    }

done:

    if (lock != -1) {
        (void) close(lock);
    }

    if (pool) {
        ngx_destroy_pool(pool);
    }

    (void) close(edit.dir);

    errno = edit.err;

    return edit.err ? NGX_ERROR : NGX_OK;
}


/* bytes of a whole stream, and the id of its newest recording */

static uint64_t
ngx_media_archive_total(int dir, ngx_array_t *days, u_char *newest)
{
    u_char                    *day;
    uint64_t                   total;
    ngx_uint_t                 i, k;
    ngx_media_archive_file_t   file;
    ngx_media_archive_line_t   line;

    total = 0;
    day = days->elts;

    for (i = 0; i < days->nelts; i++, day += NGX_MEDIA_ARCHIVE_DAY) {

        if (ngx_media_archive_load(dir, day, &file) != NGX_OK) {
            continue;
        }

        for (k = 0; k < file.n; k++) {

            if (ngx_media_archive_parse(&line, file.entry[k].pos,
                                        file.entry[k].end)
                == NGX_MEDIA_OK)
            {
                total += line.bytes;
                ngx_memcpy(newest, line.id, NGX_MEDIA_RECORD_ID);
            }
        }

        ngx_media_archive_unload(&file);
    }

    return total;
}


static void
ngx_media_archive_clean_day(ngx_media_archive_edit_t *edit, const u_char *day)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, broken;
    ngx_media_archive_file_t    file;
    ngx_media_archive_line_t    line;
    ngx_media_archive_entry_t  *e;

    rc = ngx_media_archive_load(edit->dir, day, &file);

    /* a day that is damaged keeps no other */

    if (rc != NGX_OK) {
        edit->err = (rc == NGX_DECLINED) ? edit->err : errno;
        return;
    }

    edit->gone = 0;

    for (i = 0; i < file.n; i++) {

        e = &file.entry[i];

        if (ngx_media_archive_parse(&line, e->pos, e->end) != NGX_MEDIA_OK) {
            continue;
        }

        broken = edit->broken
                 && ngx_media_archive_state(edit->root, line.file, line.end,
                                            line.bytes)
                    == NGX_MEDIA_RECORD_BROKEN;

        if (!broken && !ngx_media_archive_goes(edit, &line)) {
            continue;
        }

        if (ngx_media_archive_delete(edit->root, edit->dir, &line, broken)
            != NGX_OK)
        {
            edit->err = errno;
            edit->stop = 1;
            break;
        }

        edit->over -= ngx_min(edit->over, line.bytes);
        edit->gone++;
        e->end = e->pos;
    }

    if (edit->gone
        && ngx_media_archive_rewrite(edit->dir, day, &file) != NGX_OK)
    {
        edit->err = errno;
        edit->stop = 1;
    }

    ngx_media_archive_unload(&file);
}


static ngx_uint_t
ngx_media_archive_goes(ngx_media_archive_edit_t *edit,
    ngx_media_archive_line_t *line)
{
    if (line->end >= edit->before
        && (edit->over == 0
            || ngx_strcmp(line->id, edit->newest) == 0))
    {
        return 0;
    }

    /* not before its upload */

    return ngx_media_upload_state(edit->root, line->id)
           != NGX_MEDIA_UPLOAD_QUEUED;
}


/*
 * A stream that had nothing for a day, and of which nothing is left, is
 * forgotten: whoever records it again makes its directory anew.
 */

static void
ngx_media_archive_tidy(int root, int dir, const u_char *md5)
{
    int             fd;
    DIR            *list;
    u_char          name[64];
    ngx_uint_t      others;
    struct stat     st;
    const u_char   *base;
    struct dirent  *entry;

    if (fstat(dir, &st) == -1
        || time(NULL) - st.st_mtime < NGX_MEDIA_ARCHIVE_TIDY)
    {
        return;
    }

    fd = openat(dir, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    list = (fd == -1) ? NULL : fdopendir(fd);

    if (list == NULL) {

        if (fd != -1) {
            (void) close(fd);
        }

        return;
    }

    others = 0;

    while ((entry = readdir(list)) != NULL) {
        others += ngx_strcmp(entry->d_name, ".") != 0
                  && ngx_strcmp(entry->d_name, "..") != 0
                  && ngx_strcmp(entry->d_name, NGX_MEDIA_ARCHIVE_NAMES) != 0
                  && ngx_strcmp(entry->d_name, NGX_MEDIA_ARCHIVE_TEMP) != 0
                  && ngx_strcmp(entry->d_name, NGX_MEDIA_ARCHIVE_LOCK) != 0;
    }

    (void) closedir(list);

    if (others) {
        return;
    }

    (void) unlinkat(dir, NGX_MEDIA_ARCHIVE_NAMES, 0);
    (void) unlinkat(dir, NGX_MEDIA_ARCHIVE_TEMP, 0);
    (void) unlinkat(dir, NGX_MEDIA_ARCHIVE_LOCK, 0);

    *ngx_sprintf(name, "%s/%s", NGX_MEDIA_RECORD_DIR, md5) = '\0';

    fd = ngx_media_disk_dir(root, name, &base, 0);

    if (fd != -1) {
        (void) unlinkat(fd, (const char *) base, AT_REMOVEDIR);
        (void) close(fd);
    }
}
