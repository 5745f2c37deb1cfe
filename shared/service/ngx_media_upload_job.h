
/*
 * Copyright (C) the nginx media suite authors
 *
 * Inside of uploads (ngx_media_upload.h), the worker's side: an entry that is
 * being worked on, from ngx_media_upload.c, and what makes objects of it,
 * ngx_media_upload_s3.c and ngx_media_upload_body.c.
 *
 * A job has one thread at work for the entry (task) and up to two requests.
 * What the thread reads of the entry changes only while none is there.
 */


#ifndef _NGX_MEDIA_UPLOAD_JOB_H_INCLUDED_
#define _NGX_MEDIA_UPLOAD_JOB_H_INCLUDED_


#include "ngx_media_upload.h"


typedef struct ngx_media_upload_body_s  ngx_media_upload_body_t;
typedef struct ngx_media_upload_root_s  ngx_media_upload_root_t;
typedef struct ngx_media_upload_job_s   ngx_media_upload_job_t;


/* what a thread does with an entry */

#define NGX_MEDIA_UPLOAD_LOAD      0
#define NGX_MEDIA_UPLOAD_COPYING   1
#define NGX_MEDIA_UPLOAD_SAVE      2       /* and the job goes on */
#define NGX_MEDIA_UPLOAD_PUT_OFF   3       /* saved, and the job ends */
#define NGX_MEDIA_UPLOAD_OVER      4       /* it is over, the job too */


/* a request with a body */

typedef struct {
    ngx_media_upload_job_t    *job;
    ngx_media_upload_body_t   *body;       /* NULL: the place is free */
    ngx_media_web_t           *web;        /* NULL: not sent yet, or over */
    ngx_uint_t                 number;     /* of the part, from 1; 0: all */
    u_char                     etag[NGX_MEDIA_UPLOAD_ETAG];
    unsigned                   done:1;     /* etag is there */
} ngx_media_upload_flight_t;


struct ngx_media_upload_job_s {
    ngx_queue_t                queue;      /* of its root */
    ngx_media_upload_root_t   *root;
    ngx_pool_t                *pool;
    ngx_media_upload_entry_t   entry;
    ngx_media_upload_conf_t   *conf;       /* NULL: not known yet */

    ngx_thread_task_t          task;
    ngx_uint_t                 step;       /* what the thread does */
    ngx_uint_t                 next;       /* and will do, see ending */
    ngx_uint_t                 done;       /* of _OVER */
    ngx_uint_t                 remove;     /* of _OVER: the file too */
    time_t                     wait;       /* of _PUT_OFF */
    ngx_int_t                  rc;
    ngx_err_t                  err;

    int                        fd;         /* of the file, -1: none */
    off_t                      size;
    ngx_msec_t                 start;

    /* S3 */
    ngx_str_t                  path;       /* of the object, escaped */
    ngx_media_web_t           *web;        /* a request without a file */
    ngx_uint_t                 state;
    ngx_uint_t                 marker;     /* of the list of parts */
    ngx_media_upload_flight_t  flight[NGX_MEDIA_UPLOAD_FLIGHT];

    unsigned                   busy:1;     /* task */
    unsigned                   ending:1;   /* next follows */
};


/* --- ngx_media_upload.c ------------------------------------------------- */

ngx_int_t ngx_media_upload_post(ngx_thread_task_t *task);

/*
 * Saves the entry; ngx_media_upload_s3_next() follows.  NGX_OK; NGX_ERROR: the
 * job is gone.
 */
ngx_int_t ngx_media_upload_save_job(ngx_media_upload_job_t *job);
/* It is tried again later.  text: why, behind the names; 0-terminated. */
void ngx_media_upload_put_off(ngx_media_upload_job_t *job, const char *text);
/* The object is there. */
void ngx_media_upload_s3_finished(ngx_media_upload_job_t *job);
/* What was in the way of an entry that is given up is away. */
void ngx_media_upload_s3_aborted(ngx_media_upload_job_t *job);
/* The worker leaves, and nothing of it is under way. */
void ngx_media_upload_leave(ngx_media_upload_job_t *job);
/* Bytes that have arrived, for the metrics. */
void ngx_media_upload_sent(off_t bytes);


/* --- ngx_media_upload_s3.c ---------------------------------------------- */

/* Begins, or goes on. */
void ngx_media_upload_s3(ngx_media_upload_job_t *job);
/* The entry was saved. */
void ngx_media_upload_s3_next(ngx_media_upload_job_t *job);
/* Deletes the parts of one that is given up. */
void ngx_media_upload_s3_abort(ngx_media_upload_job_t *job);
/* Bytes of a part, for the HTTP client. */
ssize_t ngx_media_upload_s3_source(void *data, u_char *p, size_t n);
/* Ends all requests of a job. */
void ngx_media_upload_s3_cancel(ngx_media_upload_job_t *job);


/* --- ngx_media_upload_body.c -------------------------------------------- */

typedef void (*ngx_media_upload_body_pt)(void *data, ngx_int_t rc);

/* ready() is called once, when the hash is known, never from inside. */
ngx_media_upload_body_t *ngx_media_upload_body(int fd, off_t from,
    off_t size, ngx_media_upload_body_pt ready, void *data);
/* SHA-256, in hex */
const char *ngx_media_upload_body_sum(ngx_media_upload_body_t *b);
off_t ngx_media_upload_body_size(ngx_media_upload_body_t *b);
/* The request that is told when there are bytes. */
void ngx_media_upload_body_web(ngx_media_upload_body_t *b,
    ngx_media_web_t *web);
/* As ngx_media_web_request_t.source. */
ssize_t ngx_media_upload_body_read(ngx_media_upload_body_t *b, u_char *p,
    size_t n);
void ngx_media_upload_body_free(ngx_media_upload_body_t *b);
/* The worker exits: threads have ended. */
void ngx_media_upload_body_exit(void);


#endif /* _NGX_MEDIA_UPLOAD_JOB_H_INCLUDED_ */
