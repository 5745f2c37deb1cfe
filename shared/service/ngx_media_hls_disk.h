
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: HLS on disk (hls_path): closed segments of the store become files, with
 * a playlist over them.  Private hub of
 *
 *   ngx_media_hls_disk_conf.c    directives
 *   ngx_media_hls_disk.c         the worker's side: what is to be written
 *   ngx_media_hls_disk_job.c     a thread's side: one segment
 *   ngx_media_hls_disk_list.c    the files that are there, playlists of them
 *   ngx_media_hls_disk_sweep.c   streams that are over: end, then disposal
 *
 * One output for each rendition that this worker cuts, with one job at a time
 * in a thread: the queue is the store itself, and what leaves the store before
 * its turn is missing on disk.  Fields marked "job" are the thread's while
 * there is one.
 *
 * For each output there is a journal below hls_path, .hls/MD5-of-the-playlist:
 *
 *   O STAMP            O: goes on, E: ended; who wrote it last
 *   VHOST, APP, STREAM, name of the playlist, hls_dispose in ms
 *   names of files     all that hls_cleanup and hls_dispose will delete
 *
 * Who writes to an output or disposes of it holds the lock of the journal, in
 * whatever process; who finds another stamp than its own in it reads the
 * playlist first.
 */


#ifndef _NGX_MEDIA_HLS_DISK_H_INCLUDED_
#define _NGX_MEDIA_HLS_DISK_H_INCLUDED_


#include "ngx_media_hls_store.h"
#include "ngx_media_m3u8.h"
#include "ngx_media_m3u8_read.h"
#include "ngx_media_disk.h"
#include "ngx_media_thread.h"


#define NGX_MEDIA_HLS_DISK_DIR      ".hls"
#define NGX_MEDIA_HLS_DISK_FILES    (NGX_MEDIA_HLS_SEGMENTS + 128)
#define NGX_MEDIA_HLS_DISK_INITS    128     /* and keys */
#define NGX_MEDIA_HLS_DISK_TEXT     (1024 * 1024)   /* of a playlist read */
#define NGX_MEDIA_HLS_DISK_STAMP    16
#define NGX_MEDIA_HLS_DISK_ID       33      /* MD5 in hex, with the 0 */


/* a segment on disk; strings are 0-terminated and of the list */

typedef struct {
    u_char                  *name;           /* NULL: not below hls_path */
    u_char                  *uri;
    uint64_t                 seq;
    int64_t                  pdt;            /* us since the epoch, or 0 */
    int64_t                  left;           /* ms; it left the playlist */
    uint32_t                 duration;       /* us */
    uint32_t                 flags;
    uint32_t                 disc;
    uint32_t                 init;           /* of inits[].hash, or 0 */
    uint32_t                 key;            /* the same of its key */
    uint64_t                 iv;
} ngx_media_hls_file_t;

/* what segments have in common: an init segment or a key */

typedef struct {
    u_char                  *name;
    u_char                  *uri;
    uint32_t                 hash;
    uint32_t                 key;            /* it is one */
} ngx_media_hls_map_t;

typedef struct {
    uint32_t                 nfiles;         /* oldest first */
    uint32_t                 first;          /* listed from here on */
    uint32_t                 ninits;
    uint32_t                 target;         /* s */
    uint64_t                 next;           /* sequence number; 0: not known */
    uint32_t                 disc;           /* of the newest one */
    ngx_media_hls_file_t     file[NGX_MEDIA_HLS_DISK_FILES];
    ngx_media_hls_map_t      init[NGX_MEDIA_HLS_DISK_INITS];
} ngx_media_hls_list_t;


/* why a job failed: each is logged once a minute */

typedef enum {
    NGX_MEDIA_HLS_DISK_OK = 0,
    NGX_MEDIA_HLS_DISK_ROOT,
    NGX_MEDIA_HLS_DISK_NAME,
    NGX_MEDIA_HLS_DISK_TAKEN,
    NGX_MEDIA_HLS_DISK_WRITE,
    NGX_MEDIA_HLS_DISK_PLAYLIST,
    NGX_MEDIA_HLS_DISK_MEMORY,
    NGX_MEDIA_HLS_DISK_SLOW,
    NGX_MEDIA_HLS_DISK_CAUSES
} ngx_media_hls_disk_cause_e;


typedef struct {
    ngx_thread_task_t        task;
    ngx_media_hls_segment_t  segment;
    u_char                  *data;
    size_t                   size;
    u_char                  *init;
    size_t                   init_size;
    u_char                   key[NGX_MEDIA_HLS_KEY_LEN];
    uint32_t                 container;
    uint32_t                 target;         /* s */
    uint32_t                 window;         /* us */
    ngx_media_hls_view_t    *views;          /* of all renditions, where this
                                              * one writes the multivariant
                                              * playlist */
    uint32_t                 nviews;

    /* what became of it */

    ngx_uint_t               cause;          /* NGX_MEDIA_HLS_DISK_* */
    ngx_err_t                err;
    ngx_uint_t               known;          /* was there already */
    uint64_t                 seq;
    u_char                   name[NGX_MEDIA_DISK_NAME];
    u_char                   uri[3 * NGX_MEDIA_DISK_NAME];
} ngx_media_hls_job_t;


typedef struct ngx_media_hls_disk_s  ngx_media_hls_disk_t;

struct ngx_media_hls_disk_s {
    ngx_queue_t              queue;          /* all of this worker */
    ngx_media_source_t      *source;
    uint32_t                 generation;
    uint32_t                 index;          /* rendition */
    uint64_t                 taken;          /* msn of the next one */
    uint64_t                 missing;        /* segments, since it was told */
    ngx_media_hls_job_t     *job;
    ngx_msec_t               used;
    unsigned                 failing:1;
    unsigned                 stop:1;

    /* const */

    ngx_media_hls_conf_t    *conf;
    uint64_t                 older;          /* msn: those before may be on
                                              * disk already */
    unsigned                 follow:1;       /* the store has more of it */
    ngx_str_t                vhost;
    ngx_str_t                app;
    ngx_str_t                stream;
    u_char                   tag[NGX_MEDIA_HLS_TAG_LEN];
    u_char                   stamp[NGX_MEDIA_HLS_DISK_STAMP + 1];

    /* job */

    unsigned                 named:1;        /* m3u8 and id are made */
    unsigned                 loaded:1;
    u_char                   m3u8[NGX_MEDIA_DISK_NAME];
    u_char                   m3u8_uri[3 * NGX_MEDIA_DISK_NAME];
    u_char                   master[NGX_MEDIA_DISK_NAME];   /* or "" */
    u_char                   id[NGX_MEDIA_HLS_DISK_ID];
    ngx_media_hls_list_t     list;

    u_char                   names[];
};


/* --- directives ---------------------------------------------------------- */

/* path->data of ours in cycle->paths */
extern ngx_module_t  ngx_media_hls_policy_module;

char *ngx_media_hls_disk_set_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_media_hls_disk_set_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_media_hls_disk_set_prefix(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_media_hls_disk_create_conf(ngx_media_hls_conf_t *conf);
/* listens: NGX_MEDIA_LISTENS_* */
void ngx_media_hls_disk_merge_conf(ngx_media_hls_conf_t *prev,
    ngx_media_hls_conf_t *conf, ngx_uint_t listens);


/* --- worker -------------------------------------------------------------- */

ngx_int_t ngx_media_hls_disk_init_worker(ngx_cycle_t *cycle);
/* In the worker that cuts: segments were closed. */
void ngx_media_hls_disk_wake(ngx_media_source_t *src);


/* --- threads ------------------------------------------------------------- */

/* Writes d->job. */
void ngx_media_hls_disk_run(ngx_media_hls_disk_t *d);


/* --- list ---------------------------------------------------------------- */

/* NGX_OK; NGX_ERROR: no such name can be.  ending NULL: as the template. */
ngx_int_t ngx_media_hls_disk_name(ngx_media_hls_disk_t *d,
    const ngx_str_t *template, const char *ending, u_char *dst);
/* The URI of a file in the playlist. */
void ngx_media_hls_disk_uri(ngx_media_hls_disk_t *d, const u_char *name,
    u_char *dst);
void ngx_media_hls_disk_key_uri(ngx_media_hls_disk_t *d, const u_char *name,
    u_char *dst);

/* What the playlist text lists.  NGX_OK, NGX_ERROR: it is none. */
ngx_int_t ngx_media_hls_list_read(ngx_media_hls_disk_t *d, u_char *text,
    size_t n);
/* NGX_OK or NGX_ERROR (no memory). */
ngx_int_t ngx_media_hls_list_add(ngx_media_hls_list_t *list,
    const ngx_media_hls_file_t *file);
ngx_int_t ngx_media_hls_list_add_init(ngx_media_hls_list_t *list,
    const u_char *name, const u_char *uri, uint32_t hash, uint32_t key);
void ngx_media_hls_list_drop(ngx_media_hls_list_t *list, uint32_t i);
void ngx_media_hls_list_drop_init(ngx_media_hls_list_t *list, uint32_t i);
ngx_media_hls_map_t *ngx_media_hls_list_init(ngx_media_hls_list_t *list,
    uint32_t hash, uint32_t key);
ngx_uint_t ngx_media_hls_list_has(ngx_media_hls_list_t *list,
    const u_char *name);
void ngx_media_hls_list_clear(ngx_media_hls_list_t *list);
/* Settles what is listed; window in us. */
void ngx_media_hls_list_window(ngx_media_hls_list_t *list, uint64_t window);
/* Playlist in memory that is to be freed; NULL: no memory. */
u_char *ngx_media_hls_list_text(ngx_media_hls_disk_t *d, uint32_t container,
    size_t *n);


/* --- journal ------------------------------------------------------------- */

typedef struct {
    u_char      *text;                       /* to be freed */
    ngx_str_t    vhost;
    ngx_str_t    app;
    ngx_str_t    stream;
    u_char      *m3u8;                       /* 0-terminated */
    int64_t      dispose;                    /* ms */
    u_char      *files;                      /* 0-terminated, each line one */
    u_char       state;
    u_char       stamp[NGX_MEDIA_HLS_DISK_STAMP + 1];
} ngx_media_hls_journal_t;

/* NGX_OK; NGX_DECLINED: empty or damaged; NGX_ERROR. */
ngx_int_t ngx_media_hls_journal_read(int fd, ngx_media_hls_journal_t *j);
ngx_int_t ngx_media_hls_journal_write(int fd, ngx_media_hls_disk_t *d,
    const u_char *name);
/* Cuts the next name off files; NULL: no more. */
u_char *ngx_media_hls_journal_next(ngx_media_hls_journal_t *j);


/* --- sweep --------------------------------------------------------------- */

ngx_int_t ngx_media_hls_sweep_init(ngx_cycle_t *cycle);
void ngx_media_hls_sweep_second(void);


#endif /* _NGX_MEDIA_HLS_DISK_H_INCLUDED_ */
