
/*
 * Copyright (C) the nginx media suite authors
 *
 * The archive of recordings, what is in it: declared in ngx_media_record.h and
 * ngx_media_archive.h.  Run in threads.  What lies on disk may have been
 * changed by anybody: lines are parsed by ngx_media_archive_line.h, names must
 * have the MD5 that their directory is named after.
 */


#include "ngx_media_archive.h"

#include <ngx_md5.h>


#define NGX_MEDIA_ARCHIVE_SLACK    (24 * 3600)     /* s, of a clock */
#define NGX_MEDIA_ARCHIVE_AGAIN    60              /* s, a file is closed for */
#define NGX_MEDIA_ARCHIVE_TELL     60              /* s between two lines */


static ngx_int_t ngx_media_archive_walk_day(int dir, const u_char *day,
    ngx_media_archive_names_t *names, int64_t from, int64_t to,
    ngx_media_archive_pt each, void *data);
static ngx_uint_t ngx_media_archive_damaged(ngx_media_archive_names_t *names,
    const u_char *day);
static void ngx_media_archive_recording(ngx_media_recording_t *r,
    ngx_media_archive_line_t *line, ngx_media_archive_names_t *names);
static ngx_int_t ngx_media_archive_find_at(int root, const u_char *md5,
    const u_char *id, ngx_media_archive_pt each, void *data);
static int ngx_libc_cdecl ngx_media_archive_cmp_entry(const void *one,
    const void *two);
static int ngx_libc_cdecl ngx_media_archive_cmp_name(const void *one,
    const void *two);


/* --- ids ---------------------------------------------------------------- */

void
ngx_media_record_md5(u_char *md5, const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream)
{
    u_char     digest[16];
    ngx_md5_t  ctx;

    ngx_md5_init(&ctx);
    ngx_md5_update(&ctx, vhost->data, vhost->len);
    ngx_md5_update(&ctx, "/", 1);
    ngx_md5_update(&ctx, app->data, app->len);
    ngx_md5_update(&ctx, "/", 1);
    ngx_md5_update(&ctx, stream->data, stream->len);
    ngx_md5_final(digest, &ctx);

    *ngx_hex_dump(md5, digest, 16) = '\0';
}


void
ngx_media_record_id(u_char *id, int64_t begin, const u_char *md5)
{
    ngx_int_t            i;
    static const u_char  hex[] = "0123456789abcdef";

    begin = ngx_max(begin, 0);

    for (i = 10; i >= 0; i--) {
        id[i] = hex[begin & 0xf];
        begin >>= 4;
    }

    ngx_memcpy(id + 11, md5, 5);
    id[16] = '\0';
}


int64_t
ngx_media_record_id_time(const u_char *id, size_t n)
{
    return ngx_media_archive_id(id, n);
}


void
ngx_media_archive_day(u_char *day, const u_char *id)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (ngx_media_archive_id(id, NGX_MEDIA_ARCHIVE_ID)
                         / 1000), &tm);

    *ngx_snprintf(day, NGX_MEDIA_ARCHIVE_DAY - 1, "%04d%02d%02d",
                  tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday) = '\0';
}


/* --- streams ------------------------------------------------------------ */

int
ngx_media_archive_dir(int root, const u_char *md5, ngx_uint_t make)
{
    u_char         name[64];
    const u_char  *base;

    *ngx_sprintf(name, "%s/%s/x", NGX_MEDIA_RECORD_DIR, md5) = '\0';

    return ngx_media_disk_dir(root, name, &base, make);
}


/* what no stream has in its name: it would make lines of the log */

static ngx_uint_t
ngx_media_archive_control(const u_char *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_media_archive_names(int dir, const u_char *md5,
    ngx_media_archive_names_t *names)
{
    u_char      *p, *end, *lf, again[NGX_MEDIA_RECORD_MD5];
    ssize_t      n;
    ngx_str_t   *name[3];
    ngx_uint_t   i;

    n = ngx_media_disk_get(dir, (u_char *) NGX_MEDIA_ARCHIVE_NAMES,
                           9 * NGX_MEDIA_NAME_LEN + 3, &names->text);
    if (n < 0) {
        return NGX_ERROR;
    }

    name[0] = &names->vhost;
    name[1] = &names->app;
    name[2] = &names->stream;

    p = names->text;
    end = p + n;

    for (i = 0; i < 3; i++) {

        lf = ngx_strlchr(p, end, '\n');

        if (lf == NULL) {
            goto failed;
        }

        n = ngx_media_archive_unescape(p, lf, p, (size_t) (lf - p));

        if (n < 0 || ngx_media_archive_control(p, (size_t) n)) {
            goto failed;
        }

        name[i]->data = p;
        name[i]->len = (size_t) n;
        p = lf + 1;
    }

    ngx_media_record_md5(again, name[0], name[1], name[2]);

    if (ngx_memcmp(again, md5, NGX_MEDIA_RECORD_MD5 - 1) == 0) {
        return NGX_OK;
    }

failed:

    ngx_free(names->text);
    names->text = NULL;
    errno = EINVAL;

    return NGX_ERROR;
}


ngx_int_t
ngx_media_archive_streams(int root, const u_char *prefix, size_t n,
    ngx_array_t *md5s)
{
    int             fd;
    DIR            *list;
    size_t          i;
    u_char         *p, *name;
    const u_char   *base;
    struct dirent  *entry;

    fd = ngx_media_disk_dir(root, (u_char *) NGX_MEDIA_RECORD_DIR "/x", &base,
                            0);
    if (fd == -1) {
        return (errno == ENOENT) ? NGX_OK : NGX_ERROR;
    }

    list = fdopendir(fd);

    if (list == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    while ((entry = readdir(list)) != NULL) {

        name = (u_char *) entry->d_name;

        for (i = 0; (name[i] >= '0' && name[i] <= '9')
                    || (name[i] >= 'a' && name[i] <= 'f'); i++)
        { /* void */ }

        if (i != NGX_MEDIA_RECORD_MD5 - 1 || name[i] != '\0'
            || ngx_memcmp(name, prefix, n) != 0)
        {
            continue;
        }

        p = ngx_array_push(md5s);

        if (p == NULL) {
            (void) closedir(list);
            return NGX_ERROR;
        }

        ngx_memcpy(p, name, NGX_MEDIA_RECORD_MD5);
    }

    (void) closedir(list);

    ngx_qsort(md5s->elts, md5s->nelts, NGX_MEDIA_RECORD_MD5,
              ngx_media_archive_cmp_name);

    return NGX_OK;
}


/* both are 0-terminated */

static int ngx_libc_cdecl
ngx_media_archive_cmp_name(const void *one, const void *two)
{
    return ngx_strcmp(one, two);
}


/* --- days --------------------------------------------------------------- */

ngx_int_t
ngx_media_archive_days(int dir, ngx_array_t *days)
{
    int             fd;
    DIR            *list;
    size_t          i;
    u_char         *p;
    struct dirent  *entry;

    fd = openat(dir, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    list = (fd == -1) ? NULL : fdopendir(fd);

    if (list == NULL) {

        if (fd != -1) {
            (void) close(fd);
        }

        return NGX_ERROR;
    }

    while ((entry = readdir(list)) != NULL) {

        for (i = 0; entry->d_name[i] >= '0' && entry->d_name[i] <= '9'; i++) {
            /* void */
        }

        if (i != NGX_MEDIA_ARCHIVE_DAY - 1 || entry->d_name[i] != '\0') {
            continue;
        }

        p = ngx_array_push(days);

        if (p == NULL) {
            (void) closedir(list);
            return NGX_ERROR;
        }

        ngx_memcpy(p, entry->d_name, NGX_MEDIA_ARCHIVE_DAY);
    }

    (void) closedir(list);

    ngx_qsort(days->elts, days->nelts, NGX_MEDIA_ARCHIVE_DAY,
              ngx_media_archive_cmp_name);

    return NGX_OK;
}


ngx_int_t
ngx_media_archive_load(int dir, const u_char *day,
    ngx_media_archive_file_t *file)
{
    u_char                     *p, *lf, *end;
    ssize_t                     n;
    ngx_uint_t                  lines, sorted;
    ngx_media_archive_entry_t  *e;

    ngx_memzero(file, sizeof(ngx_media_archive_file_t));

    n = ngx_media_disk_get(dir, day, NGX_MEDIA_ARCHIVE_MAX, &file->text);

    if (n < 0) {
        return (errno == ENOENT) ? NGX_DECLINED : NGX_ERROR;
    }

    file->size = (size_t) n;
    end = file->text + n;
    lines = 0;

    for (p = file->text; (lf = memchr(p, '\n', end - p)) != NULL; p = lf + 1) {
        lines += (lf - p > NGX_MEDIA_ARCHIVE_ID);
    }

    file->whole = (size_t) (p - file->text);

    if (lines == 0) {
        return NGX_OK;
    }

    file->entry = ngx_alloc(lines * sizeof(ngx_media_archive_entry_t),
                            ngx_cycle->log);

    if (file->entry == NULL) {
        ngx_media_archive_unload(file);
        errno = ENOMEM;
        return NGX_ERROR;
    }

    sorted = 1;

    for (p = file->text; (lf = memchr(p, '\n', end - p)) != NULL; p = lf + 1) {

        if (lf - p <= NGX_MEDIA_ARCHIVE_ID) {
            continue;
        }

        e = &file->entry[file->n++];
        e->pos = p;
        e->end = lf;

        if (file->n > 1 && ngx_media_archive_cmp_entry(e - 1, e) > 0) {
            sorted = 0;
        }
    }

    if (!sorted) {
        ngx_qsort(file->entry, file->n, sizeof(ngx_media_archive_entry_t),
                  ngx_media_archive_cmp_entry);
    }

    return NGX_OK;
}


void
ngx_media_archive_unload(ngx_media_archive_file_t *file)
{
    ngx_free(file->text);

    if (file->entry) {
        ngx_free(file->entry);
    }

    file->text = NULL;
    file->entry = NULL;
}


/* an id begins with its time, so ids are in the order of time */

static int ngx_libc_cdecl
ngx_media_archive_cmp_entry(const void *one, const void *two)
{
    const ngx_media_archive_entry_t  *a = one, *b = two;

    return ngx_memcmp(a->pos, b->pos, NGX_MEDIA_ARCHIVE_ID);
}


ngx_media_archive_entry_t *
ngx_media_archive_entry(ngx_media_archive_file_t *file, const u_char *id)
{
    ngx_int_t   rc;
    ngx_uint_t  low, high, i;

    low = 0;
    high = file->n;

    while (low < high) {

        i = low + (high - low) / 2;
        rc = ngx_memcmp(file->entry[i].pos, id, NGX_MEDIA_ARCHIVE_ID);

        if (rc == 0) {
            return &file->entry[i];
        }

        if (rc < 0) {
            low = i + 1;

        } else {
            high = i;
        }
    }

    return NULL;
}


/* --- walks -------------------------------------------------------------- */

ngx_int_t
ngx_media_archive_walk(int root, const u_char *md5, int64_t from, int64_t to,
    ngx_media_archive_pt each, void *data)
{
    int                         dir;
    u_char                     *day;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_pool_t                 *pool;
    ngx_array_t                 days;
    ngx_media_archive_names_t   names;

    dir = ngx_media_archive_dir(root, md5, 0);

    if (dir == -1) {
        return (errno == ENOENT) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_media_archive_names(dir, md5, &names) != NGX_OK) {
        (void) close(dir);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    pool = ngx_create_pool(4096, ngx_cycle->log);

    if (pool
        && ngx_array_init(&days, pool, 32, NGX_MEDIA_ARCHIVE_DAY) == NGX_OK)
    {
        rc = ngx_media_archive_days(dir, &days);
        day = days.elts;

        for (i = 0; rc == NGX_OK && i < days.nelts; i++) {
            rc = ngx_media_archive_walk_day(dir, day, &names, from, to, each,
                                            data);
            day += NGX_MEDIA_ARCHIVE_DAY;
        }
    }

    if (pool) {
        ngx_destroy_pool(pool);
    }

    ngx_free(names.text);
    (void) close(dir);

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


/* NGX_OK; NGX_DONE: each() wants no more; NGX_ERROR */

static ngx_int_t
ngx_media_archive_walk_day(int dir, const u_char *day,
    ngx_media_archive_names_t *names, int64_t from, int64_t to,
    ngx_media_archive_pt each, void *data)
{
    u_char                     last[NGX_MEDIA_ARCHIVE_DAY], id[17];
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    struct stat                st;
    ngx_media_recording_t      r;
    ngx_media_archive_file_t   file;
    ngx_media_archive_line_t   line;

    if (to > 0) {
        ngx_media_record_id(id, ngx_min(to, 0xfffffffffffLL),
                            (u_char *) "00000");
        ngx_media_archive_day(last, id);

        if (ngx_strcmp(day, last) > 0) {
            return NGX_OK;
        }
    }

    /* entries are made when a file ends: none ends later than the newest */

    if (fstatat(dir, (const char *) day, &st, AT_SYMLINK_NOFOLLOW) == 0
        && (int64_t) st.st_mtime + NGX_MEDIA_ARCHIVE_SLACK < from / 1000)
    {
        return NGX_OK;
    }

    rc = ngx_media_archive_load(dir, day, &file);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED || ngx_media_archive_damaged(names, day))
               ? NGX_OK : NGX_ERROR;
    }

    for (i = 0; rc == NGX_OK && i < file.n; i++) {

        if (ngx_media_archive_parse(&line, file.entry[i].pos,
                                    file.entry[i].end)
            != NGX_MEDIA_OK
            || line.end < from || (to > 0 && line.begin > to))
        {
            continue;
        }

        ngx_media_archive_recording(&r, &line, names);

        if (each(data, &r) != NGX_OK) {
            rc = NGX_DONE;
        }
    }

    ngx_media_archive_unload(&file);

    return rc;
}


/* errno is about this day alone: one that is damaged hides no other */

static ngx_uint_t
ngx_media_archive_damaged(ngx_media_archive_names_t *names, const u_char *day)
{
    time_t         now, told;
    ngx_err_t      err;

    static time_t  last;

    err = ngx_errno;

    if (err != EINVAL && err != ELOOP && err != EACCES && err != EISDIR
        && err != ENXIO)
    {
        return 0;
    }

    now = ngx_time();
    told = __atomic_load_n(&last, __ATOMIC_RELAXED);

    if (now - told >= NGX_MEDIA_ARCHIVE_TELL
        && __atomic_compare_exchange_n(&last, &told, now, 0, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED))
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                      "the list of recordings of \"%V/%V\" of %s is damaged, "
                      "it is left out", &names->app, &names->stream, day);
    }

    return 1;
}


static void
ngx_media_archive_recording(ngx_media_recording_t *r,
    ngx_media_archive_line_t *line, ngx_media_archive_names_t *names)
{
    ngx_memcpy(r->id, line->id, NGX_MEDIA_RECORD_ID);

    r->kind = line->kind;
    r->state = NGX_MEDIA_RECORD_WHOLE;
    r->vhost = names->vhost;
    r->app = names->app;
    r->stream = names->stream;
    r->file.data = line->file;
    r->file.len = line->len;
    r->begin = line->begin;
    r->end = line->end;
    r->duration = line->duration;
    r->bytes = line->bytes;
}


ngx_int_t
ngx_media_archive_walk_all(int root, int64_t from, int64_t to,
    ngx_media_archive_pt each, void *data)
{
    u_char       *md5;
    ngx_int_t     rc;
    ngx_uint_t    i;
    ngx_pool_t   *pool;
    ngx_array_t   md5s;

    pool = ngx_create_pool(4096, ngx_cycle->log);

    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_array_init(&md5s, pool, 64, NGX_MEDIA_RECORD_MD5) == NGX_OK) {

        rc = ngx_media_archive_streams(root, (u_char *) "", 0, &md5s);
        md5 = md5s.elts;

        for (i = 0; rc == NGX_OK && i < md5s.nelts; i++) {

            /* one that is damaged hides no other */

            (void) ngx_media_archive_walk(root, md5, from, to, each, data);
            md5 += NGX_MEDIA_RECORD_MD5;
        }
    }

    ngx_destroy_pool(pool);

    return rc;
}


ngx_int_t
ngx_media_archive_find(int root, const u_char *id, ngx_media_archive_pt each,
    void *data)
{
    u_char       *md5;
    ngx_int_t     rc;
    ngx_uint_t    i;
    ngx_pool_t   *pool;
    ngx_array_t   md5s;

    if (ngx_media_archive_id(id, ngx_strlen(id)) < 0) {
        return NGX_OK;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);

    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_array_init(&md5s, pool, 4, NGX_MEDIA_RECORD_MD5) == NGX_OK) {

        rc = ngx_media_archive_streams(root, id + 11, 5, &md5s);
        md5 = md5s.elts;

        /* one that is damaged hides no other */

        for (i = 0; rc != NGX_DONE && i < md5s.nelts; i++) {
            rc = ngx_media_archive_find_at(root, md5, id, each, data);
            md5 += NGX_MEDIA_RECORD_MD5;
        }
    }

    ngx_destroy_pool(pool);

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


/* NGX_DONE: it was there */

static ngx_int_t
ngx_media_archive_find_at(int root, const u_char *md5, const u_char *id,
    ngx_media_archive_pt each, void *data)
{
    int                         dir;
    u_char                      day[NGX_MEDIA_ARCHIVE_DAY];
    ngx_int_t                   rc;
    ngx_media_recording_t       r;
    ngx_media_archive_file_t    file;
    ngx_media_archive_line_t    line;
    ngx_media_archive_entry_t  *e;
    ngx_media_archive_names_t   names;

    dir = ngx_media_archive_dir(root, md5, 0);

    if (dir == -1) {
        return NGX_OK;
    }

    ngx_media_archive_day(day, id);

    rc = ngx_media_archive_load(dir, day, &file);

    if (rc != NGX_OK) {
        (void) close(dir);
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    e = ngx_media_archive_entry(&file, id);

    if (e && ngx_media_archive_parse(&line, e->pos, e->end) == NGX_MEDIA_OK
        && ngx_media_archive_names(dir, md5, &names) == NGX_OK)
    {
        ngx_media_archive_recording(&r, &line, &names);
        r.state = ngx_media_archive_state(root, line.file, line.end,
                                          line.bytes);
        (void) each(data, &r);

        ngx_free(names.text);
        rc = NGX_DONE;
    }

    ngx_media_archive_unload(&file);
    (void) close(dir);

    return rc;
}


/*
 * A file of another size that was written long after this one ended is not
 * this one: it was deleted, and a new one has its name.  What can not be
 * looked at is not gone.
 */

ngx_uint_t
ngx_media_archive_state(int root, const u_char *file, int64_t end,
    uint64_t bytes)
{
    int            dir;
    ngx_uint_t     state;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, file, &base, 0);
    state = ngx_media_archive_state_at(dir, base, end, bytes);

    if (dir != -1) {
        (void) close(dir);
    }

    return state;
}


ngx_uint_t
ngx_media_archive_state_at(int dir, const u_char *base, int64_t end,
    uint64_t bytes)
{
    struct stat  st;

    if (dir == -1
        || fstatat(dir, (const char *) base, &st, AT_SYMLINK_NOFOLLOW) == -1)
    {
        return (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
               ? NGX_MEDIA_RECORD_BROKEN : NGX_MEDIA_RECORD_WHOLE;
    }

    if (!S_ISREG(st.st_mode)
        || ((uint64_t) st.st_size != bytes
            && (int64_t) st.st_mtime
               > end / 1000 + NGX_MEDIA_ARCHIVE_AGAIN))
    {
        return NGX_MEDIA_RECORD_BROKEN;
    }

    return NGX_MEDIA_RECORD_WHOLE;
}
