
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: private hub of the recorder: what its worker's side and its threads
 * share (see ngx_media_record.h for what is on disk).
 *
 * A recording is made of one publish by the publisher's worker.  The worker
 * gathers batches, a thread writes them, one at a time for each recording;
 * what is under "job" is the thread's as long as there is one.  A file that is
 * over leaves the recording as an ngx_media_record_end_t, which is finished by
 * a thread of its own, so that the next file does not wait for it.
 *
 * The journal of the file that is being written is .dvr/open/MD5, that of one
 * that is to be finished .dvr/open/ID.  Whoever has its lock may write to the
 * file.  A file whose publisher is gone is suspended, that is nobody's: the
 * publisher's next worker goes on with it, or the sweep of any worker
 * finishes it when dvr_gap is over.
 */


#ifndef _NGX_MEDIA_RECORD_JOB_H_INCLUDED_
#define _NGX_MEDIA_RECORD_JOB_H_INCLUDED_


#include "ngx_media_record.h"
#include "ngx_media_thread.h"


#define NGX_MEDIA_RECORD_OPEN_DIR  NGX_MEDIA_RECORD_DIR "/open"
#define NGX_MEDIA_RECORD_HEADS     (NGX_MEDIA_MAX_TRACKS * 3)
#define NGX_MEDIA_RECORD_JOURNAL   64      /* ".dvr/open/MD5" with the 0 */


/* --- the journal (ngx_media_record_journal.c) --------------------------- */

/* what does not change as long as the file has this publisher */

typedef struct {
    u_char                     magic[8];
    uint32_t                   size;       /* of this and of a mark */
    uint32_t                   crc;
    uint32_t                   kind;       /* NGX_MEDIA_FILE_* */
    uint32_t                   progressive;
    int64_t                    begin;      /* ms since the epoch */
    int64_t                    gap;        /* ms */
    uint32_t                   vhost_len;
    uint32_t                   app_len;
    uint32_t                   stream_len;
    uint32_t                   reserved;
    u_char                     id[24];
    u_char                     md5[40];
    u_char                     vhost[NGX_MEDIA_NAME_LEN];
    u_char                     app[NGX_MEDIA_NAME_LEN];
    u_char                     stream[NGX_MEDIA_NAME_LEN];
    u_char                     name[NGX_MEDIA_DISK_NAME];
    ngx_media_client_t         client;     /* who published it last */
} ngx_media_record_head_t;


#define NGX_MEDIA_RECORD_WRITING   0
#define NGX_MEDIA_RECORD_SUSPENDED 1       /* until "until" */
#define NGX_MEDIA_RECORD_CLOSED    2       /* nothing more is written to it */
#define NGX_MEDIA_RECORD_TOLD      3       /* it is in the archive */

/* how far it is; the newer one of two that are whole counts */

typedef struct {
    uint32_t                   crc;
    uint32_t                   state;      /* NGX_MEDIA_RECORD_WRITING, ... */
    uint64_t                   number;     /* of this mark */
    int64_t                    time;       /* ms since the epoch, when it was
                                            * written */
    int64_t                    until;      /* the same; not finished before */
    uint64_t                   keys;       /* in the index */
    uint64_t                   tries;      /* to finish it */
    ngx_media_file_t           file;
} ngx_media_record_mark_t;


/* a file that is open; descriptors are -1 where they are not */

typedef struct {
    int                        fd;
    int                        idx;
    int                        lock;       /* the journal */
    ngx_media_record_head_t    head;
    ngx_media_record_mark_t    mark;
} ngx_media_record_file_t;


void ngx_media_record_file_init(ngx_media_record_file_t *file);
/* Closes what is open, which unlocks it. */
void ngx_media_record_file_close(ngx_media_record_file_t *file);

/*
 * Opens and locks a journal; file->lock.  NGX_OK: head and mark are read;
 * NGX_DONE: it is empty or damaged; NGX_AGAIN: somebody has it; NGX_DECLINED:
 * there is none (not with make); NGX_ERROR.
 */
ngx_int_t ngx_media_record_journal_open(ngx_media_record_file_t *file,
    int root, const u_char *name, ngx_uint_t make);
/*
 * Reads one that may be somebody's: what it was a moment ago.  NGX_OK;
 * NGX_DONE: empty or damaged; NGX_DECLINED: none.
 */
ngx_int_t ngx_media_record_journal_peek(ngx_media_record_file_t *file,
    int root, const u_char *name);
ngx_int_t ngx_media_record_journal_head(ngx_media_record_file_t *file);
ngx_int_t ngx_media_record_journal_mark(ngx_media_record_file_t *file);
/* From .dvr/open/MD5 to .dvr/open/ID, where it is there. */
void ngx_media_record_journal_retire(ngx_media_record_file_t *file, int root);
/*
 * Who has the lock is stuck: it keeps the journal, under another name.  NGX_OK:
 * there is none of this name now.
 */
ngx_int_t ngx_media_record_journal_steal(int root, const u_char *name);
/* Is it (still) the file of that name? */
ngx_uint_t ngx_media_record_is(int fd, int root, const u_char *name);
/* The file is whole, or there is none. */
void ngx_media_record_journal_remove(ngx_media_record_file_t *file, int root);

ngx_int_t ngx_media_record_pwrite(int fd, const u_char *p, size_t n,
    uint64_t offset);


/* --- a batch, as the worker gathers it ---------------------------------- */

typedef struct {
    ngx_queue_t                queue;
    ngx_media_frame_t         *frames;
    u_char                    *data;
    size_t                     size;       /* of data */
    size_t                     used;
    uint32_t                   n;
    uint32_t                   max;
    uint32_t                   nmedia;     /* of them no heads */
    int64_t                    dts;        /* us, of the first of these */
    int64_t                    wall;       /* ms since the epoch, of it */
    unsigned                   sync:1;     /* it is one */
} ngx_media_record_batch_t;

void ngx_media_record_batch_free(ngx_media_record_batch_t *b);


/* --- a file that is over ------------------------------------------------- */

typedef struct {
    ngx_thread_task_t          task;
    ngx_queue_t                queue;
    ngx_media_record_root_t   *root;
    void                     **conf;       /* policy */
    ngx_media_record_file_t    file;

    /* what became of it */

    ngx_int_t                  rc;         /* NGX_OK: whole; NGX_DECLINED: there
                                            * is nothing; NGX_ERROR: err */
    ngx_err_t                  err;
    ngx_uint_t                 gone;       /* somebody took it away */
    ngx_media_recording_t      recording;
} ngx_media_record_end_t;

/* Finishes it, in a thread; closes and unlocks. */
void ngx_media_record_finish(ngx_media_record_end_t *end);


/* --- a recording --------------------------------------------------------- */

/* why a job failed */

typedef enum {
    NGX_MEDIA_RECORD_FINE = 0,
    NGX_MEDIA_RECORD_NO_ROOT,
    NGX_MEDIA_RECORD_NO_NAME,
    NGX_MEDIA_RECORD_NO_FILE,
    NGX_MEDIA_RECORD_NO_WRITE,
    NGX_MEDIA_RECORD_NO_JOURNAL,
    NGX_MEDIA_RECORD_NO_MEMORY
} ngx_media_record_cause_e;


#define NGX_MEDIA_RECORD_GO        0       /* there will be more */
#define NGX_MEDIA_RECORD_SUSPEND   1
#define NGX_MEDIA_RECORD_END       2


typedef struct {
    ngx_queue_t                queue;      /* all of this worker */
    ngx_media_reader_t         reader;
    ngx_media_source_t        *source;
    uint32_t                   generation;
    ngx_media_record_batch_t  *batch;      /* that is being gathered */
    ngx_queue_t                batches;
    size_t                     held;       /* bytes of all, the job's too */
    uint64_t                   dropped;    /* frames, since it was said */
    uint64_t                   seq;        /* where dropping began */
    uint64_t                   expected;   /* of the frame that comes next */
    ngx_msec_t                 retry;
    ngx_msec_t                 backoff;    /* 0: the disk is fine */
    ngx_msec_t                 waited;     /* for another worker */
    ngx_event_t                timer;
    ngx_uint_t                 over;       /* nothing comes any more, and what
                                            * to do then; else 0 */
    unsigned                   busy:1;     /* a thread has the job */
    unsigned                   dropping:1;
    unsigned                   full:1;     /* it was said */
    unsigned                   failing:1;

    /* const */

    void                     **policy;
    ngx_media_record_conf_t   *conf;
    ngx_str_t                  vhost;
    ngx_str_t                  app;
    ngx_str_t                  stream;
    u_char                     md5[NGX_MEDIA_RECORD_MD5];
    ngx_media_client_t         client;

    /* job: what is to be done */

    ngx_thread_task_t          task;
    ngx_queue_t                input;
    ngx_uint_t                 how;        /* NGX_MEDIA_RECORD_GO, ... */
    ngx_uint_t                 steal;      /* who has the journal has it for
                                            * too long */

    /* job: what became of it */

    ngx_uint_t                 cause;      /* ngx_media_record_cause_e */
    ngx_err_t                  err;
    ngx_uint_t                 again;      /* another has the journal */
    ngx_uint_t                 begun;      /* a new file */
    ngx_uint_t                 resumed;    /* that of another publish */
    uint64_t                   lost;       /* frames */
    uint64_t                   written;    /* bytes */
    size_t                     freed;      /* of batches */
    ngx_queue_t                ends;
    u_char                     name[NGX_MEDIA_DISK_NAME];   /* that failed */

    /* job: its own */

    ngx_media_record_file_t    file;
    ngx_media_frame_t          heads[NGX_MEDIA_RECORD_HEADS];
    u_char                    *buf;
    size_t                     size;
    int64_t                    last;       /* begin of the last file */

    u_char                     names[];
} ngx_media_record_t;


/* Does the job. */
void ngx_media_record_run(ngx_media_record_t *r);
/* Memory and descriptors of the job. */
void ngx_media_record_job_free(ngx_media_record_t *r);


/* --- worker --------------------------------------------------------------- */

/*
 * Gives a thread its work.  A worker that shuts down waits for it, up to the
 * call of _posted() in its event handler.  NGX_OK, NGX_ERROR.
 */
ngx_int_t ngx_media_record_post(ngx_thread_task_t *task);
void ngx_media_record_posted(void);

void ngx_media_record_end_post(ngx_media_record_end_t *end);
void ngx_media_record_end_exit(void);

/* --- sweep ---------------------------------------------------------------- */

ngx_int_t ngx_media_record_sweep_init(ngx_cycle_t *cycle);
void ngx_media_record_sweep_second(void);
void ngx_media_record_sweep_exit(void);


#endif /* _NGX_MEDIA_RECORD_JOB_H_INCLUDED_ */
