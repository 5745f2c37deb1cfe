
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: a piece of a file as the body of a request: hashed by a thread, which
 * the signature needs, and then read by a thread into one of two buffers while
 * the HTTP client sends the other.  The worker itself never reads.
 *
 * Ownership: a body belongs to who made it until ngx_media_upload_body_free(),
 * which may come while a thread is at work: it goes when that returns.
 */


#include "ngx_media_upload_job.h"
#include "ngx_media_sigv4.h"

#include <openssl/evp.h>


#define NGX_MEDIA_UPLOAD_BLOCK  (512 * 1024)


struct ngx_media_upload_body_s {
    ngx_thread_task_t     task;
    int                   fd;              /* its own */
    off_t                 from;
    off_t                 size;
    off_t                 pos;             /* next to read, from `from' */
    u_char               *buf[2];
    size_t                len[2];          /* bytes there */
    size_t                sent;            /* of the one that is sent */
    ngx_uint_t            out;             /* which is sent */
    ngx_int_t             rc;              /* of the thread */
    ngx_err_t             err;
    char                  hash[NGX_MEDIA_SIGV4_HASH];
    ngx_media_web_t      *web;             /* waits for bytes, or NULL */

    ngx_media_upload_body_pt  ready;
    void                 *data;

    unsigned              hashed:1;
    unsigned              busy:1;          /* a thread is at work */
    unsigned              waits:1;         /* web said NGX_AGAIN */
    unsigned              dead:1;
};


static void ngx_media_upload_body_thread(void *data, ngx_log_t *log);
static void ngx_media_upload_body_done(ngx_event_t *ev);
static void ngx_media_upload_body_fill(ngx_media_upload_body_t *b);


static ngx_uint_t  ngx_media_upload_body_gone;


/* --- a thread ----------------------------------------------------------- */

static ssize_t
ngx_media_upload_pread(int fd, u_char *p, size_t n, off_t at)
{
    ssize_t  rc;

    do {
        rc = pread(fd, p, n, at);
    } while (rc < 0 && errno == EINTR);

    if (rc == 0) {

        /* it is shorter than it was */

        errno = EIO;
        rc = -1;
    }

    return rc;
}


static ngx_int_t
ngx_media_upload_body_hash(ngx_media_upload_body_t *b)
{
    off_t        pos;
    u_char       digest[EVP_MAX_MD_SIZE];
    ssize_t      n;
    ngx_int_t    rc;
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();

    if (md == NULL) {
        return NGX_ERROR;
    }

    rc = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? NGX_OK : NGX_ERROR;

    for (pos = 0; rc == NGX_OK && pos < b->size; pos += n) {

        n = ngx_media_upload_pread(b->fd, b->buf[0],
                (size_t) ngx_min(NGX_MEDIA_UPLOAD_BLOCK, b->size - pos),
                b->from + pos);

        if (n < 0 || ngx_exiting || ngx_quit || ngx_terminate) {
            rc = NGX_ERROR;
            break;
        }

        if (EVP_DigestUpdate(md, b->buf[0], (size_t) n) != 1) {
            rc = NGX_ERROR;
        }
    }

    if (rc == NGX_OK && EVP_DigestFinal_ex(md, digest, NULL) != 1) {
        rc = NGX_ERROR;
    }

    EVP_MD_CTX_free(md);

    ngx_media_sigv4_hex(b->hash, digest);

    return rc;
}


static void
ngx_media_upload_body_thread(void *data, ngx_log_t *log)
{
    ngx_media_upload_body_t *b = data;

    size_t      size;
    ssize_t     n;
    ngx_uint_t  in;

    if (!b->hashed) {
        b->rc = ngx_media_upload_body_hash(b);
        b->err = ngx_errno;
        return;
    }

    in = !b->out;
    size = (size_t) ngx_min(NGX_MEDIA_UPLOAD_BLOCK, b->size - b->pos);

    n = ngx_media_upload_pread(b->fd, b->buf[in], size, b->from + b->pos);

    b->err = ngx_errno;
    b->rc = (n < 0) ? NGX_ERROR : NGX_OK;
    b->len[in] = (n < 0) ? 0 : (size_t) n;
}


/* --- the worker --------------------------------------------------------- */

static void
ngx_media_upload_body_destroy(ngx_media_upload_body_t *b)
{
    (void) close(b->fd);

    ngx_free(b->buf[0]);
    ngx_free(b);
}


static void
ngx_media_upload_body_post(ngx_media_upload_body_t *b)
{
    b->busy = 1;

    if (ngx_media_upload_post(&b->task) != NGX_OK) {
        b->busy = 0;
        b->rc = NGX_ERROR;
        b->err = ENOMEM;
    }
}


ngx_media_upload_body_t *
ngx_media_upload_body(int fd, off_t from, off_t size,
    ngx_media_upload_body_pt ready, void *data)
{
    ngx_media_upload_body_t  *b;

    b = ngx_calloc(sizeof(ngx_media_upload_body_t), ngx_cycle->log);

    if (b == NULL) {
        return NULL;
    }

    b->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    b->buf[0] = ngx_alloc(2 * NGX_MEDIA_UPLOAD_BLOCK, ngx_cycle->log);

    if (b->fd == -1 || b->buf[0] == NULL) {

        if (b->fd != -1) {
            (void) close(b->fd);
        }

        if (b->buf[0]) {
            ngx_free(b->buf[0]);
        }

        ngx_free(b);
        return NULL;
    }

    b->buf[1] = b->buf[0] + NGX_MEDIA_UPLOAD_BLOCK;
    b->from = from;
    b->size = size;
    b->ready = ready;
    b->data = data;

    b->task.ctx = b;
    b->task.handler = ngx_media_upload_body_thread;
    b->task.event.handler = ngx_media_upload_body_done;
    b->task.event.data = b;

    ngx_media_upload_body_post(b);

    if (!b->busy) {
        ngx_media_upload_body_destroy(b);
        return NULL;
    }

    return b;
}


static void
ngx_media_upload_body_done(ngx_event_t *ev)
{
    ngx_media_upload_body_t *b = ev->data;

    b->busy = 0;

    if (b->dead) {
        ngx_media_upload_body_destroy(b);
        return;
    }

    if (!b->hashed) {
        b->hashed = 1;

        if (b->rc == NGX_OK) {
            ngx_media_upload_body_fill(b);
        }

        b->ready(b->data, b->rc);
        return;
    }

    b->pos += (off_t) b->len[!b->out];

    if (b->waits) {
        b->waits = 0;
        ngx_media_web_resume(b->web);
    }
}


/* the buffer that is not sent is empty: a thread fills it */

static void
ngx_media_upload_body_fill(ngx_media_upload_body_t *b)
{
    if (!b->busy && b->rc == NGX_OK && b->pos < b->size
        && b->len[!b->out] == 0)
    {
        ngx_media_upload_body_post(b);
    }
}


void
ngx_media_upload_body_web(ngx_media_upload_body_t *b, ngx_media_web_t *web)
{
    b->web = web;
}


const char *
ngx_media_upload_body_sum(ngx_media_upload_body_t *b)
{
    return b->hash;
}


off_t
ngx_media_upload_body_size(ngx_media_upload_body_t *b)
{
    return b->size;
}


ssize_t
ngx_media_upload_body_read(ngx_media_upload_body_t *b, u_char *p, size_t n)
{
    if (b->sent == b->len[b->out]) {

        if (b->busy) {
            b->waits = 1;
            return NGX_AGAIN;
        }

        if (b->len[!b->out] == 0) {
            return NGX_ERROR;
        }

        b->len[b->out] = 0;
        b->sent = 0;
        b->out = !b->out;
    }

    n = ngx_min(n, b->len[b->out] - b->sent);

    ngx_memcpy(p, b->buf[b->out] + b->sent, n);
    b->sent += n;

    ngx_media_upload_body_fill(b);

    return (ssize_t) n;
}


void
ngx_media_upload_body_free(ngx_media_upload_body_t *b)
{
    b->waits = 0;

    if (b->busy && !ngx_media_upload_body_gone) {
        b->dead = 1;
        return;
    }

    ngx_media_upload_body_destroy(b);
}


void
ngx_media_upload_body_exit(void)
{
    ngx_media_upload_body_gone = 1;
}
