
/*
 * Copyright (C) the nginx media suite authors
 *
 * The queue of uploads on disk, and copies of files.  Run in threads: nothing
 * here touches the state of the worker.  An entry is replaced by rename, and
 * only while it is there: who deletes a recording takes it away.
 */


#include "ngx_media_upload.h"
#include "ngx_media_template.h"
#include "ngx_media_upload_entry.h"

#include <sys/file.h>


#define NGX_MEDIA_UPLOAD_NAME    64       /* of files below .dvr */
#define NGX_MEDIA_UPLOAD_BUFFER  (256 * 1024)
#define NGX_MEDIA_UPLOAD_RANGE   (8 * 1024 * 1024)
#define NGX_MEDIA_UPLOAD_TEMP    3600     /* s that one may be at work */

/* threads are waited for: they look at this between two pieces */
#define ngx_media_upload_leaving()                                            \
    (ngx_exiting || ngx_terminate || ngx_quit)


static ngx_int_t ngx_media_upload_read(ngx_media_upload_entry_t *e,
    const u_char *pos, const u_char *end);


static int
ngx_media_upload_dir(int root, const char *name, ngx_uint_t make)
{
    if (make) {
        (void) mkdirat(root, NGX_MEDIA_RECORD_DIR, 0700);
        (void) mkdirat(root, name, 0700);
    }

    return openat(root, name, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
}


static ngx_uint_t
ngx_media_upload_is_id(const char *name)
{
    size_t  n;

    for (n = 0; (name[n] >= '0' && name[n] <= '9')
                || (name[n] >= 'a' && name[n] <= 'f'); n++)
    {
        /* void */
    }

    return n == NGX_MEDIA_RECORD_ID - 1 && name[n] == '\0';
}


/* --- an entry ----------------------------------------------------------- */

/* due: the time it gets; it is on disk when this returns */

static ngx_int_t
ngx_media_upload_replace(int dir, const u_char *id, const u_char *p, size_t n,
    time_t due)
{
    int              fd, err;
    char             temp[NGX_MEDIA_UPLOAD_NAME];
    ngx_int_t        rc;
    struct timespec  ts[2];

    (void) snprintf(temp, sizeof(temp), ".%s.%d", (char *) id, (int) ngx_pid);

    fd = openat(dir, temp, O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW|O_CLOEXEC
                           |O_NONBLOCK, 0600);

    if (fd == -1) {
        return NGX_ERROR;
    }

    ts[0].tv_sec = due;
    ts[0].tv_nsec = 0;
    ts[1] = ts[0];

    rc = ngx_media_disk_write(fd, p, n);

    if (rc == NGX_OK && (futimens(fd, ts) == -1 || fsync(fd) == -1)) {
        rc = NGX_ERROR;
    }

    err = errno;

    if (close(fd) == -1 && rc == NGX_OK) {
        err = errno;
        rc = NGX_ERROR;
    }

    if (rc == NGX_OK && renameat(dir, temp, dir, (char *) id) == -1) {
        err = errno;
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {
        (void) unlinkat(dir, temp, 0);
        errno = err;

    } else {
        (void) fsync(dir);
    }

    return rc;
}


static u_char *
ngx_media_upload_put_number(u_char *p, const char *name, uint64_t n)
{
    u_char  text[NGX_INT64_LEN];

    return ngx_media_upload_put(p, name, text,
                                (size_t) (ngx_sprintf(text, "%uL", n) - text));
}


static ngx_int_t
ngx_media_upload_store(int dir, ngx_media_upload_entry_t *e, time_t due)
{
    size_t       n;
    u_char      *p, *text;
    ngx_int_t    rc;
    ngx_uint_t   i;

    n = 1024 + 3 * (e->vhost.len + e->app.len + e->stream.len + e->file.len
                    + e->target.len + e->upload.len);
    n += e->nparts * (8 + 3 * NGX_MEDIA_UPLOAD_ETAG + NGX_INT64_LEN);

    text = ngx_alloc(n, ngx_cycle->log);

    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_media_upload_put_number(text, "added", (uint64_t) e->added);
    p = ngx_media_upload_put_number(p, "todo", e->todo);
    p = ngx_media_upload_put_number(p, "tries", e->tries);
    p = ngx_media_upload_put(p, "vhost", e->vhost.data, e->vhost.len);
    p = ngx_media_upload_put(p, "app", e->app.data, e->app.len);
    p = ngx_media_upload_put(p, "stream", e->stream.data, e->stream.len);
    p = ngx_media_upload_put(p, "file", e->file.data, e->file.len);

    if (e->upload.len) {
        p = ngx_media_upload_put(p, "target", e->target.data, e->target.len);
        p = ngx_media_upload_put(p, "upload", e->upload.data, e->upload.len);
        p = ngx_media_upload_put_number(p, "part", (uint64_t) e->part);
        p = ngx_media_upload_put_number(p, "parts", e->nparts);
        p = ngx_media_upload_put_number(p, "completing", e->completing);

        for (i = 0; i < e->nparts; i++) {
            if (e->parts[i].etag[0]) {
                p = ngx_media_upload_put_number(p, "number", i + 1);
                p = ngx_media_upload_put(p, "etag", e->parts[i].etag,
                                         ngx_strlen(e->parts[i].etag));
            }
        }
    }

    rc = ngx_media_upload_replace(dir, e->id, text, (size_t) (p - text), due);

    ngx_free(text);

    return rc;
}


ngx_int_t
ngx_media_upload_save(int root, ngx_media_upload_entry_t *e, time_t wait)
{
    int          dir, err;
    ngx_int_t    rc;
    struct stat  st;

    dir = ngx_media_upload_dir(root, NGX_MEDIA_UPLOAD_QUEUE, 0);

    if (dir == -1) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (fstatat(dir, (char *) e->id, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        rc = ngx_media_upload_store(dir, e, time(NULL) + wait);
    }

    err = errno;
    (void) close(dir);
    errno = err;

    return rc;
}


ngx_int_t
ngx_media_upload_add(void **conf, int root, const ngx_media_recording_t *r)
{
    int                        dir, err;
    ngx_int_t                  rc;
    ngx_media_upload_conf_t   *ucf;
    ngx_media_upload_entry_t   e;

    ucf = ngx_media_upload_conf(conf);

    ngx_memzero(&e, sizeof(ngx_media_upload_entry_t));

    e.todo = (ucf->copy ? NGX_MEDIA_UPLOAD_COPY : 0)
             | (ucf->s3 ? NGX_MEDIA_UPLOAD_S3 : 0);

    /* a recording may be ended twice, where who did it first died */

    if (e.todo == 0
        || ngx_media_upload_state(root, r->id) != NGX_MEDIA_UPLOAD_NONE)
    {
        return NGX_OK;
    }

    ngx_memcpy(e.id, r->id, NGX_MEDIA_RECORD_ID);
    e.vhost = r->vhost;
    e.app = r->app;
    e.stream = r->stream;
    e.file = r->file;
    e.added = time(NULL);

    dir = ngx_media_upload_dir(root, NGX_MEDIA_UPLOAD_QUEUE, 1);

    if (dir == -1) {
        return NGX_ERROR;
    }

    rc = ngx_media_upload_store(dir, &e, e.added);

    err = errno;
    (void) close(dir);
    errno = err;

    return rc;
}


static ngx_int_t
ngx_media_upload_text(ngx_media_upload_entry_t *e,
    ngx_media_upload_line_t *line, ngx_str_t *out)
{
    ssize_t  n;

    out->data = ngx_pnalloc(e->pool, line->len + 1);

    if (out->data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_media_upload_decode(out->data, line->value, line->len);

    if (n < 0) {
        return NGX_ERROR;
    }

    out->data[n] = '\0';
    out->len = (size_t) n;

    return NGX_OK;
}


/* etag: of the part that "number" said before it */

static ngx_int_t
ngx_media_upload_read_part(ngx_media_upload_entry_t *e,
    ngx_media_upload_line_t *line, uint64_t number)
{
    ssize_t    n;
    ngx_str_t  etag;

    if (number < 1 || number > e->nparts
        || ngx_media_upload_text(e, line, &etag) != NGX_OK
        || etag.len >= NGX_MEDIA_UPLOAD_ETAG)
    {
        return NGX_ERROR;
    }

    n = (ssize_t) number - 1;
    ngx_memcpy(e->parts[n].etag, etag.data, etag.len + 1);

    return NGX_OK;
}


static ngx_int_t
ngx_media_upload_read_line(ngx_media_upload_entry_t *e,
    ngx_media_upload_line_t *line, uint64_t *number)
{
    size_t    i;
    uint64_t  n;

    static const struct {
        const char  *name;
        size_t       offset;
    } texts[] = {
        { "vhost", offsetof(ngx_media_upload_entry_t, vhost) },
        { "app", offsetof(ngx_media_upload_entry_t, app) },
        { "stream", offsetof(ngx_media_upload_entry_t, stream) },
        { "file", offsetof(ngx_media_upload_entry_t, file) },
        { "target", offsetof(ngx_media_upload_entry_t, target) },
        { "upload", offsetof(ngx_media_upload_entry_t, upload) }
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (ngx_media_upload_is(line, texts[i].name)) {
            return ngx_media_upload_text(e, line,
                          (ngx_str_t *) ((u_char *) e + texts[i].offset));
        }
    }

    if (ngx_media_upload_is(line, "etag")) {
        return ngx_media_upload_read_part(e, line, *number);
    }

    if (ngx_media_upload_number(line, &n) != NGX_MEDIA_OK) {
        return NGX_ERROR;
    }

    if (ngx_media_upload_is(line, "added")) {
        e->added = (time_t) n;

    } else if (ngx_media_upload_is(line, "todo")) {
        e->todo = (ngx_uint_t) n & (NGX_MEDIA_UPLOAD_COPY|NGX_MEDIA_UPLOAD_S3);

    } else if (ngx_media_upload_is(line, "tries")) {
        e->tries = (ngx_uint_t) n;

    } else if (ngx_media_upload_is(line, "part")) {
        e->part = (off_t) n;

    } else if (ngx_media_upload_is(line, "completing")) {
        e->completing = (ngx_uint_t) n;

    } else if (ngx_media_upload_is(line, "number")) {
        *number = n;

    } else if (ngx_media_upload_is(line, "parts")) {

        if (n > NGX_MEDIA_UPLOAD_PARTS || e->parts) {
            return NGX_ERROR;
        }

        e->nparts = (ngx_uint_t) n;
        e->parts = ngx_pcalloc(e->pool, (size_t) (n + 1)
                                        * sizeof(ngx_media_upload_part_t));

        return e->parts ? NGX_OK : NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_upload_read(ngx_media_upload_entry_t *e, const u_char *pos,
    const u_char *end)
{
    uint64_t                 number;
    ngx_media_upload_line_t  line;

    number = 0;

    for ( ;; ) {
        pos = ngx_media_upload_line(pos, end, &line);

        if (pos == NULL) {
            break;
        }

        if (line.len > NGX_MEDIA_DISK_NAME * 8
            || (line.len == 0 && line.name_len == 0))
        {
            return NGX_ERROR;
        }

        if (line.len && ngx_media_upload_read_line(e, &line, &number)
                        != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return (e->file.len && e->todo && e->added > 0
            && ngx_media_template_path(e->file.data,
                                       e->file.data + e->file.len)
               == NGX_MEDIA_OK
            && (e->upload.len == 0
                || (e->parts && e->nparts && e->part > 0)))
           ? NGX_OK : NGX_ERROR;
}


/* strings that were not in it */

static void
ngx_media_upload_defaults(ngx_media_upload_entry_t *e)
{
    static u_char  none[] = "";

    e->vhost.data = e->vhost.data ? e->vhost.data : none;
    e->app.data = e->app.data ? e->app.data : none;
    e->stream.data = e->stream.data ? e->stream.data : none;
    e->target.data = e->target.data ? e->target.data : none;
}


ngx_int_t
ngx_media_upload_load(int root, ngx_media_upload_entry_t *e)
{
    u_char     *text, name[NGX_MEDIA_UPLOAD_NAME];
    ssize_t     n;
    ngx_int_t   rc;

    *ngx_sprintf(name, NGX_MEDIA_UPLOAD_QUEUE "/%s", e->id) = '\0';

    n = ngx_media_disk_get(root, name, NGX_MEDIA_UPLOAD_TEXT, &text);

    if (n < 0) {
        return NGX_DECLINED;
    }

    rc = ngx_media_upload_read(e, text, text + n);
    ngx_free(text);

    if (rc != NGX_OK) {
        errno = EINVAL;
        return NGX_DECLINED;
    }

    ngx_media_upload_defaults(e);

    return NGX_OK;
}


/* --- what became of it -------------------------------------------------- */

ngx_int_t
ngx_media_upload_over(int root, const u_char *id, ngx_uint_t done)
{
    int          dir;
    u_char      *text, name[NGX_MEDIA_UPLOAD_NAME];
    ngx_int_t    rc;
    struct stat  st;

    *ngx_sprintf(name, NGX_MEDIA_UPLOAD_QUEUE "/%s", id) = '\0';

    /* taken away with its recording meanwhile */

    if (fstatat(root, (char *) name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
        return NGX_OK;
    }

    dir = ngx_media_upload_dir(root, NGX_MEDIA_UPLOAD_STATE, 1);
    rc = NGX_ERROR;

    if (dir != -1) {
        text = (u_char *) (done ? "done\n" : "failed\n");
        rc = ngx_media_upload_replace(dir, id, text, ngx_strlen(text),
                                      time(NULL));
        (void) close(dir);
    }

    /* a full disk is no reason to upload it again */

    if (ngx_media_disk_remove(root, name) != NGX_OK) {
        rc = NGX_ERROR;
    }

    return rc;
}


ngx_uint_t
ngx_media_upload_state(int root, const u_char *id)
{
    u_char      *text, name[NGX_MEDIA_UPLOAD_NAME];
    ssize_t      n;
    ngx_uint_t   state;
    struct stat  st;

    if (!ngx_media_upload_is_id((const char *) id)) {
        return NGX_MEDIA_UPLOAD_NONE;
    }

    *ngx_sprintf(name, NGX_MEDIA_UPLOAD_QUEUE "/%s", id) = '\0';

    if (fstatat(root, (char *) name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        return NGX_MEDIA_UPLOAD_QUEUED;
    }

    *ngx_sprintf(name, NGX_MEDIA_UPLOAD_STATE "/%s", id) = '\0';

    n = ngx_media_disk_get(root, name, 64, &text);

    if (n < 0) {
        return NGX_MEDIA_UPLOAD_NONE;
    }

    state = (n && text[0] == 'd') ? NGX_MEDIA_UPLOAD_DONE
                                  : NGX_MEDIA_UPLOAD_FAILED;
    ngx_free(text);

    return state;
}


void
ngx_media_upload_forget(int root, const u_char *id)
{
    u_char  name[NGX_MEDIA_UPLOAD_NAME];

    if (!ngx_media_upload_is_id((const char *) id)) {
        return;
    }

    *ngx_sprintf(name, NGX_MEDIA_UPLOAD_QUEUE "/%s", id) = '\0';
    (void) ngx_media_disk_remove(root, name);

    *ngx_sprintf(name, NGX_MEDIA_UPLOAD_STATE "/%s", id) = '\0';
    (void) ngx_media_disk_remove(root, name);
}


/* --- what is due -------------------------------------------------------- */

int
ngx_media_upload_lock(int root)
{
    int  dir, fd;

    dir = ngx_media_upload_dir(root, NGX_MEDIA_UPLOAD_QUEUE, 0);

    if (dir == -1) {
        return -1;
    }

    fd = openat(dir, "lock", O_RDWR|O_CREAT|O_NOFOLLOW|O_CLOEXEC, 0600);

    (void) close(dir);

    if (fd != -1 && flock(fd, LOCK_EX|LOCK_NB) == -1) {
        (void) close(fd);
        fd = -1;
    }

    return fd;
}


/* what a process left that died while it wrote an entry */

static void
ngx_media_upload_stray(int dir, const char *name, time_t now)
{
    struct stat  st;

    if (ngx_strlen(name) > NGX_MEDIA_RECORD_ID
        && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0
        && S_ISREG(st.st_mode)
        && now - st.st_ctime > NGX_MEDIA_UPLOAD_TEMP)
    {
        (void) unlinkat(dir, name, 0);
    }
}


static ngx_uint_t
ngx_media_upload_known(u_char (*ids)[NGX_MEDIA_RECORD_ID], ngx_uint_t n,
    const char *id)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_strcmp(ids[i], id) == 0) {
            return 1;
        }
    }

    return 0;
}


/* into a sorted list of max; how many there are then */

static ngx_uint_t
ngx_media_upload_sort(u_char (*ids)[NGX_MEDIA_RECORD_ID], ngx_uint_t n,
    ngx_uint_t max, const char *id)
{
    ngx_uint_t  i;

    for (i = n; i > 0 && ngx_strcmp(ids[i - 1], id) > 0; i--) {
        /* void */
    }

    if (i == max) {
        return n;
    }

    n = (n < max) ? n + 1 : max;

    ngx_memmove(ids[i + 1], ids[i], (n - i - 1) * NGX_MEDIA_RECORD_ID);
    ngx_memcpy(ids[i], id, NGX_MEDIA_RECORD_ID);

    return n;
}


ngx_uint_t
ngx_media_upload_due(int root, u_char (*ids)[NGX_MEDIA_RECORD_ID],
    ngx_uint_t max, u_char (*skip)[NGX_MEDIA_RECORD_ID], ngx_uint_t nskip,
    ngx_uint_t *queued)
{
    int             dir;
    DIR            *list;
    time_t          now;
    ngx_uint_t      n;
    struct stat     st;
    struct dirent  *entry;

    *queued = 0;
    n = 0;
    now = time(NULL);

    dir = ngx_media_upload_dir(root, NGX_MEDIA_UPLOAD_QUEUE, 0);
    list = (dir == -1) ? NULL : fdopendir(dir);

    if (list == NULL) {

        if (dir != -1) {
            (void) close(dir);
        }

        return 0;
    }

    for ( ;; ) {
        entry = readdir(list);

        if (entry == NULL) {
            break;
        }

        if (entry->d_name[0] == '.') {
            ngx_media_upload_stray(dir, entry->d_name, now);
            continue;
        }

        if (!ngx_media_upload_is_id(entry->d_name)) {
            continue;
        }

        (*queued)++;

        /* a clock that was set back must not keep one for ever */

        if (ngx_media_upload_known(skip, nskip, entry->d_name)
            || fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1
            || (st.st_mtime > now
                && st.st_mtime <= now + NGX_MEDIA_UPLOAD_LAST))
        {
            continue;
        }

        n = ngx_media_upload_sort(ids, n, max, entry->d_name);
    }

    (void) closedir(list);

    return n;
}


/* --- files -------------------------------------------------------------- */

int
ngx_media_upload_open(int root, const u_char *file, off_t *size)
{
    int            dir, fd;
    struct stat    st;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, file, &base, 0);

    if (dir == -1) {
        return -1;
    }

    fd = openat(dir, (const char *) base,
                O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);

    (void) close(dir);

    if (fd == -1) {
        return -1;
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        (void) close(fd);
        errno = ENOENT;
        return -1;
    }

    *size = st.st_size;

    return fd;
}


static ngx_int_t
ngx_media_upload_copy_plain(int in, int out)
{
    u_char     *buf;
    ssize_t     n;
    ngx_int_t   rc;

    buf = ngx_alloc(NGX_MEDIA_UPLOAD_BUFFER, ngx_cycle->log);

    if (buf == NULL) {
        return NGX_ERROR;
    }

    do {
        n = read(in, buf, NGX_MEDIA_UPLOAD_BUFFER);
        rc = (n < 0) ? NGX_ERROR
                     : ngx_media_disk_write(out, buf, (size_t) n);

        if (rc == NGX_OK && n && ngx_media_upload_leaving()) {
            errno = 0;
            rc = NGX_ERROR;
        }

    } while (rc == NGX_OK && n);

    ngx_free(buf);

    return rc;
}


/* within a file system it may cost nothing at all */

static ngx_int_t
ngx_media_upload_copy_data(int in, int out)
{
    ssize_t     n;
    ngx_uint_t  begun;

    for (begun = 0; /* void */ ; begun = 1) {

        n = copy_file_range(in, NULL, out, NULL, NGX_MEDIA_UPLOAD_RANGE, 0);

        if (n == 0 && begun) {
            return NGX_OK;
        }

        if (n <= 0) {

            /* not there, not for two file systems, or not for this one */

            if (n == 0 || (!begun && errno != ENOSPC && errno != EIO)) {
                return ngx_media_upload_copy_plain(in, out);
            }

            return NGX_ERROR;
        }

        if (ngx_media_upload_leaving()) {
            errno = 0;
            return NGX_ERROR;
        }
    }
}


/* a temporary file of a fixed name: what a dead worker left is overwritten */

static ngx_int_t
ngx_media_upload_copy_to(int in, int dir, const u_char *base,
    const u_char *id)
{
    int        out, err;
    char       temp[NGX_MEDIA_UPLOAD_NAME];
    ngx_int_t  rc;

    (void) snprintf(temp, sizeof(temp), ".%s.copy", (char *) id);

    out = openat(dir, temp, O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW|O_CLOEXEC
                            |O_NONBLOCK, 0644);

    if (out == -1) {
        return NGX_ERROR;
    }

    rc = ngx_media_upload_copy_data(in, out);

    if (rc == NGX_OK && fsync(out) == -1) {
        rc = NGX_ERROR;
    }

    err = errno;

    if (close(out) == -1 && rc == NGX_OK) {
        err = errno;
        rc = NGX_ERROR;
    }

    if (rc == NGX_OK
        && renameat(dir, temp, dir, (const char *) base) == -1)
    {
        err = errno;
        rc = NGX_ERROR;
    }

    if (rc == NGX_OK) {
        (void) fsync(dir);

    } else {
        (void) unlinkat(dir, temp, 0);
    }

    errno = err;

    return rc;
}


ngx_int_t
ngx_media_upload_copy(int root, ngx_media_upload_entry_t *e,
    const u_char *path)
{
    int            in, to, dir, err;
    off_t          size;
    ngx_int_t      rc;
    const u_char  *base;

    in = ngx_media_upload_open(root, e->file.data, &size);

    if (in == -1) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    to = ngx_media_disk_root(path);

    if (to != -1) {
        dir = ngx_media_disk_dir(to, e->file.data, &base, 1);

        if (dir != -1) {
            rc = ngx_media_upload_copy_to(in, dir, base, e->id);
            err = errno;
            (void) close(dir);
            errno = err;
        }
    }

    err = errno;

    if (to != -1) {
        (void) close(to);
    }

    (void) close(in);
    errno = err;

    return rc;
}
