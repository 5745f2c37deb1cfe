
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: recordings over HTTP.  The hub of
 *
 *   ngx_media_vod_module.c    directives, names, methods: what is ours
 *   ngx_media_vod_request.c   the life of a request: what is asked of a
 *                             thread, what its answer becomes
 *   ngx_media_vod_viewer.c    who plays, and what URIs tell of that
 *   ngx_media_vod_job.c       threads: recordings, files, indexes
 *   ngx_media_vod_list.c      threads: playlists
 *   ngx_media_vod_export.c    threads: a range of time as one file,
 *   ngx_media_vod_send.c      which is sent
 *
 * All that touches a disk is done by a thread, but for the media itself, which
 * nginx sends out of the file.  A job is the thread's while it runs; it has a
 * pool of its own, so that a request may go meanwhile.
 */


#ifndef _NGX_MEDIA_VOD_H_INCLUDED_
#define _NGX_MEDIA_VOD_H_INCLUDED_


#include "ngx_media_http.h"
#include "ngx_media_hls.h"
#include "ngx_media_record.h"
#include "ngx_media_vod_name.h"
#include "ngx_media_thread.h"


typedef struct ngx_media_vod_job_s     ngx_media_vod_job_t;
typedef struct ngx_media_vod_ctx_s     ngx_media_vod_ctx_t;
typedef struct ngx_media_vod_export_s  ngx_media_vod_export_t;


typedef struct {
    ngx_flag_t                  recordings;    /* media_recordings */
    ngx_flag_t                  list;          /* hls_vod */

    /* where a directive stands, if one stands in this location */
    const char                 *directive;
    ngx_str_t                   file;
    ngx_uint_t                  line;
} ngx_media_vod_loc_conf_t;


/* a file of a recording, open */

typedef struct {
    ngx_media_recording_t       rec;           /* strings are not kept */
    int                         fd;
    uint64_t                    bytes;         /* that are whole */
    time_t                      mtime;
    uint64_t                    init;          /* bytes of the init segment */
} ngx_media_vod_file_t;


/* keys of an index in their order, those that can be */

typedef struct {
    int                         fd;
    ngx_uint_t                  n;             /* in buf */
    ngx_uint_t                  pos;
    ngx_uint_t                  left;          /* that may be read */
    uint64_t                    bytes;         /* bounds */
    int64_t                     time;
    ngx_media_file_key_t        last;
    unsigned                    any:1;
    ngx_media_file_key_t        buf[256];
} ngx_media_vod_keys_t;


struct ngx_media_vod_job_s {
    ngx_thread_task_t           task;
    ngx_pool_t                 *pool;
    ngx_media_vod_ctx_t        *ctx;           /* NULL: its request is gone */
    void                      (*run)(ngx_media_vod_job_t *job);
    ngx_int_t                 (*done)(ngx_media_vod_ctx_t *ctx);
    unsigned                    running:1;

    /* the question */
    const u_char               *root;          /* path, */
    int                         dir;           /* open while it is walked */
    ngx_str_t                   vhost;
    ngx_str_t                   app;
    ngx_str_t                   stream;
    u_char                      md5[NGX_MEDIA_RECORD_MD5];
    u_char                      id[NGX_MEDIA_RECORD_ID];   /* or "" */
    int64_t                     from;          /* ms since the epoch */
    int64_t                     to;            /* 0: no end */
    ngx_msec_t                  fragment;
    ngx_str_t                   escaped;       /* stream, as it is in URIs */
    ngx_str_t                   args;          /* behind URIs */
    ngx_media_recording_t       open;          /* that is written now; id "":
                                                * there is none */

    /* the answer */
    ngx_int_t                   status;        /* NGX_OK, or of HTTP */
    ngx_err_t                   err;
    ngx_media_vod_file_t        file;          /* fd -1: none */
    ngx_uint_t                  other;         /* recordings of a form that
                                                * can't be had so */
    unsigned                    whole:1;       /* nothing will be added */
    unsigned                    busy:1;        /* too many lists are made */

    u_char                     *text;          /* heap */
    size_t                      len;
    size_t                      size;
    int64_t                     target;        /* us; longest segment */
    uint64_t                    rate;          /* bit/s, the highest one */
    uint8_t                     kind;          /* of all its files */

    ngx_media_vod_export_t     *export;
};


struct ngx_media_vod_ctx_s {
    ngx_http_request_t         *request;
    ngx_media_vod_name_t        name;
    ngx_media_vod_query_t       query;
    ngx_media_http_names_t      names;
    ngx_str_t                   vhost;         /* as sources have it */
    ngx_str_t                   app;
    ngx_str_t                   stream;
    void                      **conf;          /* policy of the application */
    ngx_media_ask_t            *ask;
    ngx_media_vod_job_t        *job;           /* held */
    ngx_chain_t                *free;
    ngx_chain_t                *busy;
    u_char                      viewer[NGX_MEDIA_VIEWER_ID];
    unsigned                    session:1;     /* viewer holds */
    unsigned                    unknown:1;     /* it is new, and to be told */
    unsigned                    again:1;       /* it was forgotten */
};



/* _request.c */

ngx_int_t ngx_media_vod_request(ngx_http_request_t *r,
    const ngx_media_vod_name_t *name);
/* NGX_DONE: job->done() follows; else a status */
ngx_int_t ngx_media_vod_start(ngx_media_vod_ctx_t *ctx);
ngx_int_t ngx_media_vod_post(ngx_media_vod_ctx_t *ctx);
/* finalizes; the request may be gone afterwards */
void ngx_media_vod_finish(ngx_media_vod_ctx_t *ctx, ngx_int_t rc);
ngx_int_t ngx_media_vod_init_process(ngx_cycle_t *cycle);

/* _viewer.c */

ngx_int_t ngx_media_vod_permit(ngx_media_vod_ctx_t *ctx);
ngx_int_t ngx_media_vod_enter(ngx_media_vod_ctx_t *ctx);
void ngx_media_vod_sent(ngx_media_vod_ctx_t *ctx);
/* fills job->escaped and job->args */
ngx_int_t ngx_media_vod_args(ngx_media_vod_ctx_t *ctx, ngx_uint_t own);

/* _job.c: threads */

/* job->dir.  NGX_OK, NGX_ERROR (job->err) */
ngx_int_t ngx_media_vod_root_open(ngx_media_vod_job_t *job);
void ngx_media_vod_root_close(ngx_media_vod_job_t *job);

/* each(job, r) for what is in the range, or has the id; oldest first */
ngx_int_t ngx_media_vod_walk(ngx_media_vod_job_t *job,
    ngx_media_archive_pt each);

/* The file of a recording.  NGX_OK; NGX_DECLINED: it is not there. */
ngx_int_t ngx_media_vod_file_open(ngx_media_vod_job_t *job,
    const ngx_media_recording_t *r, ngx_media_vod_file_t *file);
void ngx_media_vod_file_close(ngx_media_vod_file_t *file);
/* all of n bytes at an offset: NGX_OK, NGX_ERROR */
ngx_int_t ngx_media_vod_read(int fd, u_char *p, size_t n, uint64_t offset);
/* Fills file->init.  NGX_DECLINED: it is no fragmented MP4. */
ngx_int_t ngx_media_vod_file_init(ngx_media_vod_file_t *file);
/* A job: fills job->file. */
void ngx_media_vod_file_run(ngx_media_vod_job_t *job);

void ngx_media_vod_keys_open(ngx_media_vod_job_t *job,
    const ngx_media_vod_file_t *file, ngx_media_vod_keys_t *keys);
/* NULL: that was the last one */
const ngx_media_file_key_t *ngx_media_vod_keys_next(
    ngx_media_vod_keys_t *keys);
void ngx_media_vod_keys_close(ngx_media_vod_keys_t *keys);

/* _list.c */

void ngx_media_vod_list_run(ngx_media_vod_job_t *job);
void ngx_media_vod_list_free(ngx_media_vod_job_t *job);
/* what stands before its segments; or a list that names the true one */
size_t ngx_media_vod_list_head(ngx_media_vod_job_t *job, u_char *buf,
    size_t n);

size_t ngx_media_vod_list_master(ngx_media_vod_job_t *job, u_char *buf,
    size_t n);

/* _export.c, _send.c */

void ngx_media_vod_export_run(ngx_media_vod_job_t *job);
void ngx_media_vod_export_free(ngx_media_vod_job_t *job);
ngx_int_t ngx_media_vod_export_send(ngx_media_vod_ctx_t *ctx);


#endif /* _NGX_MEDIA_VOD_H_INCLUDED_ */
