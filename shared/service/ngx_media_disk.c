
/*
 * Copyright (C) the nginx media suite authors
 *
 * Files below a directory, declared in ngx_media_disk.h.  Run in threads:
 * nothing here touches the state of the worker.
 */


#include "ngx_media_disk.h"

#include <sys/file.h>


#define NGX_MEDIA_DISK_DIR_MODE   0755
#define NGX_MEDIA_DISK_FILE_MODE  0644
#define NGX_MEDIA_DISK_LOCK       5000     /* ms that one is waited for */


int
ngx_media_disk_root(const u_char *path)
{
    return open((const char *) path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
}


int
ngx_media_disk_dir(int root, const u_char *name, const u_char **base,
    ngx_uint_t make)
{
    int            fd, next, err, made;
    u_char         level[256];
    const u_char  *p, *slash;

    fd = dup(root);

    for (p = name; fd != -1; p = slash + 1) {

        slash = (const u_char *) ngx_strchr(p, '/');

        if (slash == NULL) {
            *base = p;
            return fd;
        }

        if ((size_t) (slash - p) >= sizeof(level)) {
            (void) close(fd);
            errno = ENAMETOOLONG;
            return -1;
        }

        (void) ngx_cpystrn(level, (u_char *) p, (size_t) (slash - p) + 1);

        made = 0;

        if (make
            && mkdirat(fd, (char *) level, NGX_MEDIA_DISK_DIR_MODE) == -1)
        {
            made = errno;
        }

        next = openat(fd, (char *) level,
                      O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
        err = errno;

        /* why it is not there */

        if (next == -1 && err == ENOENT && made) {
            err = made;
        }

        (void) close(fd);

        errno = err;
        fd = next;
    }

    return -1;
}


ngx_int_t
ngx_media_disk_write(int fd, const u_char *p, size_t n)
{
    ssize_t  written;

    while (n) {
        written = write(fd, p, n);

        if (written < 0) {

            if (errno == EINTR) {
                continue;
            }

            return NGX_ERROR;
        }

        p += written;
        n -= (size_t) written;
    }

    return NGX_OK;
}


/* base in an open directory */

static ngx_int_t
ngx_media_disk_put_at(int dir, const char *base, const u_char *p, size_t n)
{
    int        fd, err;
    ngx_int_t  rc;

    fd = openat(dir, base, O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW|O_CLOEXEC
                           |O_NONBLOCK, NGX_MEDIA_DISK_FILE_MODE);
    if (fd == -1) {
        return NGX_ERROR;
    }

    rc = ngx_media_disk_write(fd, p, n);
    err = errno;

    /* some file systems tell of a full disk here */

    if (close(fd) == -1 && rc == NGX_OK) {
        err = errno;
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {
        (void) unlinkat(dir, base, 0);
        errno = err;
    }

    return rc;
}


ngx_int_t
ngx_media_disk_put(int root, const u_char *name, const u_char *p, size_t n)
{
    int            dir, err;
    ngx_int_t      rc;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, name, &base, 1);

    if (dir == -1) {
        return NGX_ERROR;
    }

    rc = ngx_media_disk_put_at(dir, (const char *) base, p, n);
    err = errno;

    (void) close(dir);
    errno = err;

    return rc;
}


ngx_int_t
ngx_media_disk_replace(int root, const u_char *name, const u_char *p,
    size_t n)
{
    int            dir, err;
    u_char         temp[NGX_MEDIA_DISK_NAME];
    ngx_int_t      rc;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, name, &base, 1);

    if (dir == -1) {
        return NGX_ERROR;
    }

    /* of one length, so that any name has one: no name begins with a dot */

    *ngx_sprintf(temp, ".%08xD-%08xD.tmp",
                 ngx_crc32_long((u_char *) name, ngx_strlen(name)),
                 (uint32_t) ngx_pid) = '\0';

    rc = ngx_media_disk_put_at(dir, (char *) temp, p, n);
    err = errno;

    if (rc == NGX_OK
        && renameat(dir, (char *) temp, dir, (const char *) base) == -1)
    {
        err = errno;
        rc = NGX_ERROR;
        (void) unlinkat(dir, (char *) temp, 0);
    }

    (void) close(dir);
    errno = err;

    return rc;
}


ssize_t
ngx_media_disk_get(int root, const u_char *name, size_t max, u_char **p)
{
    int            dir, fd;
    size_t         size;
    u_char        *buf;
    ssize_t        n;
    struct stat    st;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, name, &base, 0);

    if (dir == -1) {
        return -1;
    }

    fd = openat(dir, (const char *) base,
                O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK);

    (void) close(dir);

    if (fd == -1) {
        return -1;
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size < 0
        || (uint64_t) st.st_size > max)
    {
        (void) close(fd);
        errno = EINVAL;
        return -1;
    }

    size = (size_t) st.st_size;
    buf = ngx_alloc(size + 1, ngx_cycle->log);

    if (buf == NULL) {
        (void) close(fd);
        return -1;
    }

    n = pread(fd, buf, size, 0);

    (void) close(fd);

    if (n < 0) {
        ngx_free(buf);
        return -1;
    }

    buf[n] = '\0';
    *p = buf;

    return n;
}


ngx_int_t
ngx_media_disk_remove(int root, const u_char *name)
{
    int            dir, rc;
    const u_char  *base;

    dir = ngx_media_disk_dir(root, name, &base, 0);

    if (dir == -1) {
        return (errno == ENOENT) ? NGX_OK : NGX_ERROR;
    }

    rc = unlinkat(dir, (const char *) base, 0);

    if (rc == -1 && errno == ENOENT) {
        rc = 0;
    }

    (void) close(dir);

    return rc == 0 ? NGX_OK : NGX_ERROR;
}


/*
 * Whoever may write there may hold a lock for ever: threads that waited for it
 * would be missing to all others, and the worker could not end.
 */

static ngx_int_t
ngx_media_disk_flock(int fd)
{
    ngx_uint_t  ms, waited;

    waited = 0;

    for (ms = 1; flock(fd, LOCK_EX|LOCK_NB) == -1; ms = ngx_min(2 * ms, 32)) {

        if (errno == EINTR) {
            continue;
        }

        if (errno != EWOULDBLOCK) {
            return NGX_ERROR;
        }

        if (waited >= NGX_MEDIA_DISK_LOCK || ngx_terminate) {
            errno = EBUSY;
            return NGX_ERROR;
        }

        ngx_msleep(ms);
        waited += ms;
    }

    return NGX_OK;
}


int
ngx_media_disk_lock(int root, const char *dir, const u_char *name,
    ngx_uint_t make)
{
    int          fd, at;
    ngx_uint_t   n;
    struct stat  st;

    if (make) {
        (void) mkdirat(root, dir, 0700);
    }

    at = openat(root, dir, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (at == -1) {
        return -1;
    }

    fd = -1;

    for (n = 0; n < 100; n++) {

        fd = openat(at, (const char *) name,
                    O_RDWR|O_NOFOLLOW|O_CLOEXEC|(make ? O_CREAT : 0), 0600);

        if (fd == -1) {
            break;
        }

        if (ngx_media_disk_flock(fd) != NGX_OK) {
            (void) close(fd);
            fd = -1;
            break;
        }

        /* who had it before may have taken it away */

        if (fstat(fd, &st) == 0 && st.st_nlink > 0) {
            break;
        }

        (void) close(fd);
        fd = -1;
        errno = EBUSY;
    }

    n = (ngx_uint_t) errno;
    (void) close(at);
    errno = (int) n;

    return fd;
}
