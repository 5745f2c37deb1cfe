
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: copies and uploads of whole recordings.  Hub of
 *
 *   ngx_media_upload_conf.c      directives
 *   ngx_media_upload_queue.c     threads: entries of the queue, what became of
 *                                them, copies
 *   ngx_media_upload.c           the worker: who looks after a queue, what is
 *                                due, one entry from its begin to its end
 *   ngx_media_upload_s3.c        an object: one PUT, or parts
 *   ngx_media_upload_body.c      bytes of a file for the HTTP client, read by
 *                                a thread
 *
 * On disk, below a root (ngx_media_record.h):
 *
 *   .dvr/queue/ID       what is due of a recording (ngx_media_upload_entry.h);
 *                       the time of the file is when it is to be tried
 *   .dvr/queue/lock     locked by the worker that looks after it
 *   .dvr/uploaded/ID    "done" or "failed"
 *
 * Credentials stand in neither: the policy of the application is asked again
 * each time.  Whatever dies leaves an entry that says how far it came, or less.
 */


#ifndef _NGX_MEDIA_UPLOAD_H_INCLUDED_
#define _NGX_MEDIA_UPLOAD_H_INCLUDED_


#include "ngx_media_record.h"
#include "ngx_media_value.h"
#include "ngx_media_web.h"
#include "ngx_media_thread.h"


#define NGX_MEDIA_UPLOAD_QUEUE     ".dvr/queue"
#define NGX_MEDIA_UPLOAD_STATE     ".dvr/uploaded"

#define NGX_MEDIA_UPLOAD_JOBS      2       /* at once, of a root */
#define NGX_MEDIA_UPLOAD_FLIGHT    2       /* parts at once, of a file */
#define NGX_MEDIA_UPLOAD_PARTS     10000   /* S3's own limit */
#define NGX_MEDIA_UPLOAD_ETAG      80
#define NGX_MEDIA_UPLOAD_FIRST     1       /* s between tries, at first */
#define NGX_MEDIA_UPLOAD_LAST      300     /* and at last */
#define NGX_MEDIA_UPLOAD_GIVEN_UP  (24 * 3600)
#define NGX_MEDIA_UPLOAD_TEXT      (2 * 1024 * 1024)   /* of an entry */


/* --- policy (ngx_media_upload_conf.c) ----------------------------------- */

/* where objects go */

typedef struct {
    ngx_media_web_url_t       *url;
    ngx_str_t                  prefix;     /* its path, "/bucket/prefix" */
    ngx_media_value_t         *value;      /* of prefix; NULL: as it is */
    ngx_str_t                  host;       /* as in "Host:" */
    ngx_str_t                  key;
    ngx_str_t                  secret;
    ngx_str_t                  region;
    ngx_str_t                  storage;    /* class of storage, or "" */
    off_t                      part;
    unsigned                   remove:1;   /* delete=on */
} ngx_media_upload_s3_t;


typedef struct {
    ngx_str_t                 *copy;       /* 0-terminated; NULL: none */
    ngx_media_upload_s3_t     *s3;         /* NULL: none */
} ngx_media_upload_conf_t;


extern ngx_module_t  ngx_media_upload_policy_module;

#define ngx_media_upload_conf(conf)                                           \
    ((ngx_media_upload_conf_t *)                                              \
     (conf)[ngx_media_upload_policy_module.ctx_index])


/* --- the queue (ngx_media_upload_queue.c): threads only ----------------- */

#define NGX_MEDIA_UPLOAD_COPY      0x01    /* things to do */
#define NGX_MEDIA_UPLOAD_S3        0x02

typedef struct {
    u_char                     etag[NGX_MEDIA_UPLOAD_ETAG];   /* "": none */
} ngx_media_upload_part_t;

typedef struct {
    u_char                     id[NGX_MEDIA_RECORD_ID];
    ngx_pool_t                *pool;       /* of all that is below */
    ngx_str_t                  vhost;
    ngx_str_t                  app;
    ngx_str_t                  stream;
    ngx_str_t                  file;       /* below the root, 0-terminated */
    ngx_uint_t                 todo;       /* NGX_MEDIA_UPLOAD_COPY|_S3 */
    time_t                     added;
    ngx_uint_t                 tries;      /* since the last progress */

    /* of an object in parts */
    ngx_str_t                  target;     /* where it goes; "": not begun */
    ngx_str_t                  upload;     /* its UploadId */
    off_t                      part;       /* size of each but the last */
    ngx_uint_t                 nparts;
    ngx_media_upload_part_t   *parts;
    ngx_uint_t                 completing; /* its end was asked for */
} ngx_media_upload_entry_t;

/* Reads queue/ID.  NGX_OK, NGX_DECLINED: none, or damaged (errno EINVAL). */
ngx_int_t ngx_media_upload_load(int root, ngx_media_upload_entry_t *e);
/* Writes it anew if it is still there, due in so many seconds. */
ngx_int_t ngx_media_upload_save(int root, ngx_media_upload_entry_t *e,
    time_t wait);
/* It is over: notes what became of it, and deletes it. */
ngx_int_t ngx_media_upload_over(int root, const u_char *id, ngx_uint_t done);

/*
 * Ids that are due, oldest first, at most n of them that are not in skip.
 * *queued: all that there are.  How many.
 */
ngx_uint_t ngx_media_upload_due(int root,
    u_char (*ids)[NGX_MEDIA_RECORD_ID], ngx_uint_t n,
    u_char (*skip)[NGX_MEDIA_RECORD_ID], ngx_uint_t nskip,
    ngx_uint_t *queued);

/*
 * The lock of a queue: a descriptor; -1: another one has it, or there is no
 * queue.
 */
int ngx_media_upload_lock(int root);

/* The file, opened to be read; -1: errno. */
int ngx_media_upload_open(int root, const u_char *file, off_t *size);

/*
 * Copies a file to the same name below dir.  NGX_OK; NGX_ERROR: errno, 0: the
 * worker leaves.
 */
ngx_int_t ngx_media_upload_copy(int root, ngx_media_upload_entry_t *e,
    const u_char *dir);


/* --- what became of a recording: threads only --------------------------- */

#define NGX_MEDIA_UPLOAD_NONE      0
#define NGX_MEDIA_UPLOAD_QUEUED    1
#define NGX_MEDIA_UPLOAD_DONE      2
#define NGX_MEDIA_UPLOAD_FAILED    3

ngx_uint_t ngx_media_upload_state(int root, const u_char *id);
/* The recording is deleted: so is what is due of it, and its state. */
void ngx_media_upload_forget(int root, const u_char *id);


/* --- the worker (ngx_media_upload.c) ------------------------------------ */

ngx_int_t ngx_media_upload_init_worker(ngx_cycle_t *cycle);


#endif /* _NGX_MEDIA_UPLOAD_H_INCLUDED_ */
