
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the journal of a recording, what its file needs to be gone on with or to
 * be finished by another worker or another nginx: who it is of, and after
 * each batch a mark that tells how far it is whole.  There are two places for
 * marks, written in turn, so a torn one leaves the one before.
 *
 * Plain memory with a checksum: who finds another layout finishes the file as
 * it is.  Run in threads.
 */


#include "ngx_media_record_job.h"
#include "ngx_media_template.h"

#include <sys/file.h>


#define NGX_MEDIA_RECORD_PAGE      4096
#define NGX_MEDIA_RECORD_TRIES     20
#define NGX_MEDIA_RECORD_SIZE                                                 \
    (uint32_t) (sizeof(ngx_media_record_head_t)                               \
                + sizeof(ngx_media_record_mark_t))

#define ngx_media_record_mark_at(number)                                      \
    (ngx_align(sizeof(ngx_media_record_head_t), NGX_MEDIA_RECORD_PAGE)        \
     + ((number) & 1) * ngx_align(sizeof(ngx_media_record_mark_t),            \
                                  NGX_MEDIA_RECORD_PAGE))


static ngx_int_t ngx_media_record_journal_read(ngx_media_record_file_t *file);
static ngx_uint_t ngx_media_record_journal_sane(ngx_media_record_head_t *head);
static ngx_uint_t ngx_media_record_journal_is(int fd, int dir,
    const u_char *base);


static u_char  ngx_media_record_magic[8] = "ngxdvr1";


void
ngx_media_record_file_init(ngx_media_record_file_t *file)
{
    ngx_memzero(file, sizeof(ngx_media_record_file_t));

    file->fd = -1;
    file->idx = -1;
    file->lock = -1;
}


void
ngx_media_record_file_close(ngx_media_record_file_t *file)
{
    if (file->fd != -1) {
        (void) close(file->fd);
        file->fd = -1;
    }

    if (file->idx != -1) {
        (void) close(file->idx);
        file->idx = -1;
    }

    if (file->lock != -1) {
        (void) close(file->lock);
        file->lock = -1;
    }
}


ngx_int_t
ngx_media_record_pwrite(int fd, const u_char *p, size_t n, uint64_t offset)
{
    ssize_t  written;

    while (n) {
        written = pwrite(fd, p, n, (off_t) offset);

        if (written < 0) {

            if (errno == EINTR) {
                continue;
            }

            return NGX_ERROR;
        }

        p += written;
        n -= (size_t) written;
        offset += (uint64_t) written;
    }

    return NGX_OK;
}


/* --- life --------------------------------------------------------------- */

ngx_int_t
ngx_media_record_journal_open(ngx_media_record_file_t *file, int root,
    const u_char *name, ngx_uint_t make)
{
    int            dir, fd, err;
    ngx_uint_t     n;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, name, &base, make);

    if (dir == -1) {
        return (errno == ENOENT && !make) ? NGX_DECLINED : NGX_ERROR;
    }

    for (n = 0; n < NGX_MEDIA_RECORD_TRIES; n++) {

        fd = openat(dir, (const char *) base,
                    O_RDWR|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK
                    |(make ? O_CREAT : 0), 0600);

        if (fd == -1) {
            break;
        }

        if (flock(fd, LOCK_EX|LOCK_NB) == -1) {
            err = errno;
            (void) close(fd);
            (void) close(dir);
            errno = err;

            return (err == EWOULDBLOCK) ? NGX_AGAIN : NGX_ERROR;
        }

        /* who had it before may have taken it away, or given it another name */

        if (ngx_media_record_journal_is(fd, dir, base)) {
            (void) close(dir);
            file->lock = fd;

            return ngx_media_record_journal_read(file);
        }

        (void) close(fd);
        errno = EBUSY;
    }

    err = errno;
    (void) close(dir);
    errno = err;

    return (err == ENOENT && !make) ? NGX_DECLINED : NGX_ERROR;
}


ngx_int_t
ngx_media_record_journal_peek(ngx_media_record_file_t *file, int root,
    const u_char *name)
{
    int            dir;
    ngx_int_t      rc;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, name, &base, 0);

    if (dir == -1) {
        return NGX_DECLINED;
    }

    file->lock = openat(dir, (const char *) base,
                        O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);

    (void) close(dir);

    if (file->lock == -1) {
        return NGX_DECLINED;
    }

    rc = ngx_media_record_journal_read(file);

    (void) close(file->lock);
    file->lock = -1;

    return rc;
}


static ngx_uint_t
ngx_media_record_journal_is(int fd, int dir, const u_char *base)
{
    struct stat  a, b;

    return fstat(fd, &a) == 0
           && fstatat(dir, (const char *) base, &b, AT_SYMLINK_NOFOLLOW) == 0
           && S_ISREG(b.st_mode) && a.st_ino == b.st_ino
           && a.st_dev == b.st_dev;
}


/* NGX_OK, NGX_DONE */

static ngx_int_t
ngx_media_record_journal_read(ngx_media_record_file_t *file)
{
    uint32_t                   crc;
    uint64_t                   i;
    ngx_uint_t                 found;
    ngx_media_record_head_t   *head;
    ngx_media_record_mark_t    mark;

    head = &file->head;

    if (pread(file->lock, head, sizeof(ngx_media_record_head_t), 0)
        != (ssize_t) sizeof(ngx_media_record_head_t)
        || ngx_memcmp(head->magic, ngx_media_record_magic, 8) != 0)
    {
        return NGX_DONE;
    }

    crc = head->crc;
    head->crc = 0;

    if (crc != ngx_crc32_long((u_char *) head, sizeof(ngx_media_record_head_t))
        || head->size != NGX_MEDIA_RECORD_SIZE
        || !ngx_media_record_journal_sane(head))
    {
        return NGX_DONE;
    }

    found = 0;

    for (i = 0; i < 2; i++) {

        if (pread(file->lock, &mark, sizeof(mark),
                  (off_t) ngx_media_record_mark_at(i))
            != (ssize_t) sizeof(mark))
        {
            continue;
        }

        crc = mark.crc;
        mark.crc = 0;

        if (crc == ngx_crc32_long((u_char *) &mark, sizeof(mark))
            && (!found || mark.number > file->mark.number))
        {
            file->mark = mark;
            found = 1;
        }
    }

    return found ? NGX_OK : NGX_DONE;
}


/* what leads to other files and other memory is as it was written */

static ngx_uint_t
ngx_media_record_journal_sane(ngx_media_record_head_t *head)
{
    ngx_uint_t           i;
    ngx_media_client_t  *client;

    head->name[NGX_MEDIA_DISK_NAME - 1] = '\0';

    if (head->vhost_len > NGX_MEDIA_NAME_LEN
        || head->app_len > NGX_MEDIA_NAME_LEN
        || head->stream_len > NGX_MEDIA_NAME_LEN
        || head->id[NGX_MEDIA_RECORD_ID - 1] != '\0'
        || head->md5[NGX_MEDIA_RECORD_MD5 - 1] != '\0'
        || ngx_media_record_id_time(head->id, NGX_MEDIA_RECORD_ID - 1) == -1
        || ngx_media_template_path(head->name,
                                   head->name + ngx_strlen(head->name))
           != NGX_MEDIA_OK)
    {
        return 0;
    }

    for (i = 0; i < NGX_MEDIA_RECORD_MD5 - 1; i++) {

        if ((head->md5[i] < '0' || head->md5[i] > '9')
            && (head->md5[i] < 'a' || head->md5[i] > 'f'))
        {
            return 0;
        }
    }

    client = &head->client;

    for (i = 0; i < NGX_MEDIA_TEXT_MAX; i++) {

        if ((size_t) client->text_off[i] + client->text_len[i]
            > NGX_MEDIA_TEXT_LEN)
        {
            return 0;
        }
    }

    return 1;
}


/* --- writing ------------------------------------------------------------ */

ngx_int_t
ngx_media_record_journal_head(ngx_media_record_file_t *file)
{
    ngx_media_record_head_t  *head;

    head = &file->head;

    ngx_memcpy(head->magic, ngx_media_record_magic, 8);
    head->size = NGX_MEDIA_RECORD_SIZE;
    head->crc = 0;
    head->crc = ngx_crc32_long((u_char *) head,
                               sizeof(ngx_media_record_head_t));

    return ngx_media_record_pwrite(file->lock, (u_char *) head,
                                   sizeof(ngx_media_record_head_t), 0);
}


ngx_int_t
ngx_media_record_journal_mark(ngx_media_record_file_t *file)
{
    ngx_media_record_mark_t  *mark;

    mark = &file->mark;

    mark->number++;
    mark->crc = 0;
    mark->crc = ngx_crc32_long((u_char *) mark,
                               sizeof(ngx_media_record_mark_t));

    return ngx_media_record_pwrite(file->lock, (u_char *) mark,
                                   sizeof(ngx_media_record_mark_t),
                                   ngx_media_record_mark_at(mark->number));
}


/* --- names -------------------------------------------------------------- */

void
ngx_media_record_journal_retire(ngx_media_record_file_t *file, int root)
{
    int            dir;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, (u_char *) NGX_MEDIA_RECORD_OPEN_DIR "/x",
                             &base, 0);

    if (dir == -1) {
        return;
    }

    if (ngx_media_record_journal_is(file->lock, dir, file->head.md5)) {
        (void) renameat(dir, (char *) file->head.md5,
                        dir, (char *) file->head.id);
    }

    (void) close(dir);
}


void
ngx_media_record_journal_remove(ngx_media_record_file_t *file, int root)
{
    int            dir;
    ngx_uint_t     i;
    const u_char  *base, *names[2];

    dir = ngx_media_disk_dir(root, (u_char *) NGX_MEDIA_RECORD_OPEN_DIR "/x",
                             &base, 0);

    if (dir == -1) {
        return;
    }

    /* in case that it has a name which nobody knows here */

    file->mark.state = NGX_MEDIA_RECORD_TOLD;
    (void) ngx_media_record_journal_mark(file);

    names[0] = file->head.id;
    names[1] = file->head.md5;

    for (i = 0; i < 2; i++) {
        if (names[i][0]
            && ngx_media_record_journal_is(file->lock, dir, names[i]))
        {
            (void) unlinkat(dir, (const char *) names[i], 0);
        }
    }

    (void) close(dir);
}


ngx_int_t
ngx_media_record_journal_steal(int root, const u_char *name)
{
    int            dir, rc;
    u_char         id[NGX_MEDIA_RECORD_ID];
    const u_char  *base;

    dir = ngx_media_disk_dir(root, name, &base, 0);

    if (dir == -1) {
        return NGX_ERROR;
    }

    *ngx_sprintf(id, "%08xD%08xD", (uint32_t) ngx_pid,
                 (uint32_t) ngx_media_now()) = '\0';

    rc = renameat(dir, (const char *) base, dir, (char *) id);

    (void) close(dir);

    return (rc == 0) ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_media_record_is(int fd, int root, const u_char *name)
{
    int            dir;
    ngx_uint_t     is;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, name, &base, 0);

    if (dir == -1) {
        return 0;
    }

    is = ngx_media_record_journal_is(fd, dir, base);
    (void) close(dir);

    return is;
}
