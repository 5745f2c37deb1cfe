
/*
 * Copyright (C) the nginx media suite authors
 *
 * A fragmented MP4 becomes a progressive one: its fragments are read for their
 * samples, an index is written to a temporary file beside it, the payloads
 * are copied behind that, and the new file takes the place of the old one.
 * Runs in a thread, takes 16 bytes of memory for each sample and, for the
 * index, about as much again.  What lies behind the last whole fragment, as a
 * crash leaves it, is left out.
 */


#include "ngx_media_record.h"
#include "ngx_media_mp4_moov.h"

#include <sys/statvfs.h>


#define NGX_MEDIA_PROGRESSIVE_MEMORY  ((size_t) 512 * 1024 * 1024)
#define NGX_MEDIA_PROGRESSIVE_MOOV    (1024 * 1024)
#define NGX_MEDIA_PROGRESSIVE_MOOF    (16 * 1024 * 1024)
#define NGX_MEDIA_PROGRESSIVE_COPY    (1024 * 1024)
#define NGX_MEDIA_PROGRESSIVE_SAMPLES 65536
#define NGX_MEDIA_PROGRESSIVE_SPARE   (16 * 1024 * 1024)  /* that stay free */


typedef struct {
    int                      fd;
    int                      out;
    uint64_t                 size;         /* of the file */
    uint64_t                 payload;      /* bytes of all fragments */
    uint64_t                 end;          /* of the last whole one */
    u_char                  *moov;
    size_t                   moov_size;
    u_char                  *moof;
    size_t                   moof_size;
    size_t                   moof_max;
    uint64_t                 moof_offset;
    u_char                  *head;         /* of the new file */
    u_char                  *buf;
    unsigned                 fragments:1;  /* there are some */
    unsigned                 copying:1;
    unsigned                 no_range:1;   /* copy_file_range() is not there */
    ngx_media_mp4_movie_t    movie;
    ngx_media_mp4_moov_t     m;
} ngx_media_progressive_t;


static ngx_int_t ngx_media_progressive_make(ngx_media_progressive_t *p,
    int dir, const u_char *base, const u_char *temp);
static ngx_int_t ngx_media_progressive_space(ngx_media_progressive_t *p);
static ngx_int_t ngx_media_progressive_walk(ngx_media_progressive_t *p);
static ngx_int_t ngx_media_progressive_box(ngx_media_progressive_t *p,
    const ngx_media_mp4_box_t *box, uint64_t offset);
static ngx_int_t ngx_media_progressive_moov(ngx_media_progressive_t *p,
    uint64_t offset, uint64_t size);
static ngx_int_t ngx_media_progressive_moof(ngx_media_progressive_t *p,
    uint64_t offset, uint64_t size);
static ngx_int_t ngx_media_progressive_mdat(ngx_media_progressive_t *p,
    uint64_t offset, uint64_t size);
static ngx_int_t ngx_media_progressive_grow(ngx_media_progressive_t *p);
static ngx_int_t ngx_media_progressive_write(ngx_media_progressive_t *p);
static ngx_int_t ngx_media_progressive_copy(ngx_media_progressive_t *p,
    uint64_t offset, uint64_t size);
static ngx_int_t ngx_media_progressive_read(int fd, u_char *buf, size_t n,
    uint64_t offset);


ngx_int_t
ngx_media_record_progressive(int root, const u_char *name)
{
    int                       dir, err;
    u_char                    temp[64];
    ngx_int_t                 rc;
    const u_char             *base;
    ngx_media_progressive_t  *p;

    dir = ngx_media_disk_dir(root, name, &base, 0);

    if (dir == -1) {
        return NGX_ERROR;
    }

    p = ngx_calloc(sizeof(ngx_media_progressive_t), ngx_cycle->log);

    if (p == NULL) {
        (void) close(dir);
        errno = ENOMEM;
        return NGX_ERROR;
    }

    /* one that was left by who was killed over it is written anew */

    *ngx_sprintf(temp, ".%08xD-mp4.tmp",
                 ngx_crc32_long((u_char *) name, ngx_strlen(name))) = '\0';

    p->fd = openat(dir, (const char *) base,
                   O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);
    p->out = -1;

    rc = p->fd == -1 ? NGX_ERROR
                     : ngx_media_progressive_make(p, dir, base, temp);
    err = errno;

    if (p->out != -1) {
        (void) close(p->out);

        if (rc != NGX_OK) {
            (void) unlinkat(dir, (const char *) temp, 0);
        }
    }

    if (p->fd != -1) {
        (void) close(p->fd);
    }

    (void) close(dir);

    /* NULL is nothing to free() */

    free(p->m.samples);
    free(p->m.chunks);
    free(p->moov);
    free(p->moof);
    free(p->head);
    free(p->buf);
    ngx_free(p);

    errno = err;

    return rc;
}


static ngx_int_t
ngx_media_progressive_make(ngx_media_progressive_t *p, int dir,
    const u_char *base, const u_char *temp)
{
    ngx_int_t    rc;
    struct stat  st;

    if (fstat(p->fd, &st) == -1) {
        return NGX_ERROR;
    }

    if (!S_ISREG(st.st_mode)) {
        return NGX_DECLINED;
    }

    p->size = (uint64_t) st.st_size;

    rc = ngx_media_progressive_walk(p);

    if (rc != NGX_OK) {
        return rc;
    }

    if (p->moov == NULL) {
        return NGX_DECLINED;
    }

    if (!p->fragments) {

        /* no fragments: it has its index, or it has nothing */

        return p->payload ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_media_progressive_space(p) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) unlinkat(dir, (const char *) temp, 0);

    p->out = openat(dir, (const char *) temp,
                    O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC,
                    st.st_mode & 0777);

    if (p->out == -1) {
        return NGX_ERROR;
    }

    rc = ngx_media_progressive_write(p);

    if (rc != NGX_OK) {
        return rc;
    }

    if (fsync(p->out) == -1
        || renameat(dir, (const char *) temp, dir, (const char *) base) == -1)
    {
        return NGX_ERROR;
    }

    /* the new name is to outlive a crash as the old one did */

    (void) fsync(dir);

    return NGX_OK;
}


/*
 * Is there room for a second one?  A disk that it fills is full for those that
 * are recorded at the time, too.
 */

static ngx_int_t
ngx_media_progressive_space(ngx_media_progressive_t *p)
{
    struct statvfs  fs;

    if (fstatvfs(p->fd, &fs) == -1) {

        /* it can not be known */

        return NGX_OK;
    }

    if ((uint64_t) fs.f_bavail * fs.f_frsize
        < p->size + p->size / 8 + NGX_MEDIA_PROGRESSIVE_SPARE)
    {
        errno = ENOSPC;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Over the boxes of the file, to the last whole one. */

static ngx_int_t
ngx_media_progressive_walk(ngx_media_progressive_t *p)
{
    size_t                n;
    u_char                buf[NGX_MEDIA_MP4_HEAD_MAX];
    uint64_t              offset, end;
    ngx_int_t             rc;
    ngx_media_mp4_box_t   box;

    end = p->copying ? p->end : p->size;
    offset = 0;

    while (offset < end) {

        if (ngx_terminate) {
            errno = ECANCELED;
            return NGX_ERROR;
        }

        n = (size_t) ngx_min(end - offset, NGX_MEDIA_MP4_HEAD_MAX);

        if (ngx_media_progressive_read(p->fd, buf, n, offset) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_media_mp4_box(buf, buf + n, &box) != NGX_MEDIA_OK) {
            break;
        }

        if (box.size == 0) {
            box.size = end - offset;
        }

        if (box.size > end - offset) {
            break;
        }

        rc = ngx_media_progressive_box(p, &box, offset);

        if (rc != NGX_OK) {
            return rc;
        }

        offset += box.size;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_progressive_box(ngx_media_progressive_t *p,
    const ngx_media_mp4_box_t *box, uint64_t offset)
{
    ngx_int_t  rc;

    switch (box->type) {

    case NGX_MEDIA_MP4_MOOV:

        if (p->copying) {
            return NGX_OK;
        }

        return ngx_media_progressive_moov(p, offset, box->size);

    case NGX_MEDIA_MP4_MOOF:

        if (p->copying) {
            return NGX_OK;
        }

        return ngx_media_progressive_moof(p, offset, box->size);

    case NGX_MEDIA_MP4_MDAT:

        if (p->copying) {
            return ngx_media_progressive_copy(p, offset + box->head,
                                              box->size - box->head);
        }

        rc = ngx_media_progressive_mdat(p, offset + box->head,
                                        box->size - box->head);
        p->end = offset + box->size;

        return rc;

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_media_progressive_moov(ngx_media_progressive_t *p, uint64_t offset,
    uint64_t size)
{
    /* that of a progressive file may be larger: it need not be read */

    if (p->moov || size > NGX_MEDIA_PROGRESSIVE_MOOV) {
        return NGX_DECLINED;
    }

    p->moov = malloc((size_t) size);

    if (p->moov == NULL) {
        errno = ENOMEM;
        return NGX_ERROR;
    }

    p->moov_size = (size_t) size;

    if (ngx_media_progressive_read(p->fd, p->moov, p->moov_size, offset)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_media_mp4_movie(&p->movie, p->moov, p->moov + p->moov_size)
        != NGX_MEDIA_OK)
    {
        return NGX_DECLINED;
    }

    ngx_media_mp4_moov_init(&p->m, &p->movie);

    return NGX_OK;
}


static ngx_int_t
ngx_media_progressive_moof(ngx_media_progressive_t *p, uint64_t offset,
    uint64_t size)
{
    u_char  *moof;

    if (p->moov == NULL || size > NGX_MEDIA_PROGRESSIVE_MOOF) {
        return NGX_DECLINED;
    }

    if (size > p->moof_max) {
        moof = realloc(p->moof, (size_t) size * 2);

        if (moof == NULL) {
            errno = ENOMEM;
            return NGX_ERROR;
        }

        p->moof = moof;
        p->moof_max = (size_t) size * 2;
    }

    p->moof_size = (size_t) size;
    p->moof_offset = offset;

    return ngx_media_progressive_read(p->fd, p->moof, p->moof_size, offset);
}


/* The payload of the moof before it. */

static ngx_int_t
ngx_media_progressive_mdat(ngx_media_progressive_t *p, uint64_t offset,
    uint64_t size)
{
    int        rc;
    ngx_int_t  ok;

    if (p->moof_size) {

        do {
            rc = ngx_media_mp4_moov_add(&p->m, p->moof,
                                        p->moof + p->moof_size,
                                        offset - p->moof_offset, size,
                                        p->payload);

            if (rc == NGX_MEDIA_AGAIN) {
                ok = ngx_media_progressive_grow(p);

                if (ok != NGX_OK) {
                    return ok;
                }
            }

        } while (rc == NGX_MEDIA_AGAIN);

        if (rc != NGX_MEDIA_OK) {
            return NGX_DECLINED;
        }

        p->moof_size = 0;
        p->fragments = 1;
    }

    p->payload += size;

    return NGX_OK;
}


static ngx_int_t
ngx_media_progressive_grow(ngx_media_progressive_t *p)
{
    size_t   samples, chunks;
    void    *grown;

    samples = p->m.max_samples ? (size_t) p->m.max_samples * 2
                               : NGX_MEDIA_PROGRESSIVE_SAMPLES;
    chunks = samples;

    /* few samples are in a run of their own */

    if (p->m.max_chunks && p->m.max_chunks - p->m.nchunks
                           > p->m.max_chunks / 2)
    {
        chunks = p->m.max_chunks;
    }

    if (samples * sizeof(ngx_media_mp4_moov_sample_t)
        + chunks * sizeof(ngx_media_mp4_moov_chunk_t)
        > NGX_MEDIA_PROGRESSIVE_MEMORY)
    {
        return NGX_DECLINED;
    }

    grown = realloc(p->m.samples,
                    samples * sizeof(ngx_media_mp4_moov_sample_t));

    if (grown == NULL) {
        errno = ENOMEM;
        return NGX_ERROR;
    }

    p->m.samples = grown;
    p->m.max_samples = (uint32_t) samples;

    grown = realloc(p->m.chunks,
                    chunks * sizeof(ngx_media_mp4_moov_chunk_t));

    if (grown == NULL) {
        errno = ENOMEM;
        return NGX_ERROR;
    }

    p->m.chunks = grown;
    p->m.max_chunks = (uint32_t) chunks;

    return NGX_OK;
}


static ngx_int_t
ngx_media_progressive_write(ngx_media_progressive_t *p)
{
    u_char   *end;
    ssize_t   n;

    end = p->moov + p->moov_size;

    n = ngx_media_mp4_moov_write(&p->m, p->moov, end, p->payload, NULL, 0);

    if (n < 0 || (size_t) n > NGX_MEDIA_PROGRESSIVE_MEMORY) {
        return NGX_DECLINED;
    }

    p->head = malloc((size_t) n);

    if (p->head == NULL) {
        errno = ENOMEM;
        return NGX_ERROR;
    }

    n = ngx_media_mp4_moov_write(&p->m, p->moov, end, p->payload, p->head,
                                 (size_t) n);

    if (n < 0) {
        return NGX_DECLINED;
    }

    /* copying may take minutes and needs nothing of it */

    free(p->m.samples);
    free(p->m.chunks);
    p->m.samples = NULL;
    p->m.chunks = NULL;

    if (ngx_media_disk_write(p->out, p->head, (size_t) n) != NGX_OK) {
        return NGX_ERROR;
    }

    p->copying = 1;

    return ngx_media_progressive_walk(p);
}


/* Appends a piece of the old file. */

static ngx_int_t
ngx_media_progressive_copy(ngx_media_progressive_t *p, uint64_t offset,
    uint64_t size)
{
    size_t   n;
#if (NGX_LINUX)
    off_t    from;
    ssize_t  done;

    from = (off_t) offset;

    while (size && !p->no_range) {
        done = copy_file_range(p->fd, &from, p->out, NULL,
                               (size_t) ngx_min(size, NGX_MAX_INT32_VALUE), 0);

        if (done == -1 && errno == EINTR) {
            continue;
        }

        if (done <= 0) {

            /* the file system does not know it, or there is an error */

            p->no_range = 1;
            break;
        }

        offset += (uint64_t) done;
        size -= (uint64_t) done;
    }
#endif

    if (size && p->buf == NULL) {
        p->buf = malloc(NGX_MEDIA_PROGRESSIVE_COPY);

        if (p->buf == NULL) {
            errno = ENOMEM;
            return NGX_ERROR;
        }
    }

    while (size) {
        n = (size_t) ngx_min(size, NGX_MEDIA_PROGRESSIVE_COPY);

        if (ngx_media_progressive_read(p->fd, p->buf, n, offset) != NGX_OK
            || ngx_media_disk_write(p->out, p->buf, n) != NGX_OK)
        {
            return NGX_ERROR;
        }

        offset += n;
        size -= n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_progressive_read(int fd, u_char *buf, size_t n, uint64_t offset)
{
    ssize_t  done;

    while (n) {
        done = pread(fd, buf, n, (off_t) offset);

        if (done == -1 && errno == EINTR) {
            continue;
        }

        if (done <= 0) {

            if (done == 0) {
                errno = EIO;
            }

            return NGX_ERROR;
        }

        buf += done;
        n -= (size_t) done;
        offset += (uint64_t) done;
    }

    return NGX_OK;
}
