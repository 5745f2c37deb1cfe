
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: recordings (dvr).  The hub of
 *
 *   ngx_media_record_conf.c      directives
 *   ngx_media_record.c           the worker's side: a reader of each source
 *                                that is recorded, batches, cuts, switches
 *   ngx_media_record_job.c       a thread's side: files, index
 *   ngx_media_record_journal.c   how far they are
 *   ngx_media_record_end.c       they are whole
 *   ngx_media_record_progressive.c
 *                                of a fragmented MP4 one with an index
 *   ngx_media_record_sweep.c     what a dead worker left open
 *   ngx_media_archive*.c         what recordings there are (threads)
 *   ngx_media_record_api.c       routes of the API
 *   ngx_media_record_switch.c    switches of the API, and their state file
 *   ngx_media_upload*.c          copies and uploads of whole files
 *   ngx_media_vod*.c             media_recordings, hls_vod
 *
 * The worker collects frames in batches (ngx_media_file.h), bounded by
 * dvr_buffer, and hands one at a time to a thread, which makes bytes of it,
 * appends them, and notes in the journal how far the file is whole.
 *
 * On disk, below the constant part of dvr_path (the root):
 *
 *   .dvr/MD5/names            vhost, app, stream: lines; MD5 is of
 *                             "vhost/app/stream"
 *   .dvr/open/MD5             the journal of the file that is being written;
 *   .dvr/open/ID              of one that is being finished; locked by who
 *                             does
 *   .dvr/MD5/ID.idx           its index: ngx_media_file_key_t, one each batch
 *                             that begins with a start point
 *   .dvr/MD5/YYYYMMDD         whole files that began on that day (UTC), a line
 *                             each
 *   .dvr/switches             what the API switched
 *   .dvr/queue/ID             uploads that are due
 *   .dvr/uploaded/ID          what became of them
 *
 * An id is 16 hexadecimal digits: 11 of the time at which it begins (ms since
 * the epoch), 5 of the stream's MD5, so that it says where to look.
 */


#ifndef _NGX_MEDIA_RECORD_H_INCLUDED_
#define _NGX_MEDIA_RECORD_H_INCLUDED_


#include "ngx_media_core.h"
#include "ngx_media_disk.h"
#include "ngx_media_file.h"
#include "ngx_media_json.h"


#define NGX_MEDIA_RECORD_DIR       ".dvr"
#define NGX_MEDIA_RECORD_ID        17      /* with the 0 behind it */
#define NGX_MEDIA_RECORD_MD5       33
#define NGX_MEDIA_RECORD_MAX_GAP   (24 * 3600 * 1000)

#define NGX_MEDIA_RECORD_SESSION   0
#define NGX_MEDIA_RECORD_SEGMENT   1

#define NGX_MEDIA_RECORD_FRAGMENTED   0
#define NGX_MEDIA_RECORD_PROGRESSIVE  1


/* --- policy (ngx_media_record_conf.c) ----------------------------------- */

/* the constant part of a dvr_path, one for each directory */

typedef struct {
    ngx_str_t                  path;       /* 0-terminated, no / at its end */
} ngx_media_record_root_t;


typedef struct {
    ngx_flag_t                 enable;     /* dvr */
    ngx_str_t                  path;       /* dvr_path as it was written */
    ngx_media_record_root_t   *root;       /* NULL: no dvr_path */
    ngx_str_t                  file;       /* its template below root */
    ngx_uint_t                 kind;       /* NGX_MEDIA_FILE_*, by its ending */
    ngx_uint_t                 plan;       /* NGX_MEDIA_RECORD_SESSION, ... */
    ngx_msec_t                 duration;
    ngx_flag_t                 wait_keyframe;
    ngx_array_t               *apply;      /* of ngx_str_t: globs; NULL: all */
    ngx_msec_t                 gap;        /* ms; 0: each publish has its own */
    ngx_msec_t                 gap_set;    /* dvr_gap, or unset */
    ngx_uint_t                 mp4;        /* NGX_MEDIA_RECORD_FRAGMENTED ... */
    size_t                     buffer;     /* bytes that may wait for a disk */
    time_t                     keep_age;   /* s; 0: for ever */
    off_t                      keep_size;  /* of all files of the stream; 0 */
} ngx_media_record_conf_t;


/* roots of the whole configuration, for those that look after them */

typedef struct {
    ngx_array_t                roots;      /* of ngx_media_record_root_t * */
} ngx_media_record_main_conf_t;


/* conf: that of a session or ngx_media_policy() */
#define ngx_media_record_conf(conf)                                           \
    ((ngx_media_record_conf_t *)                                               \
     (conf)[ngx_media_record_policy_module.ctx_index])

/* NULL: nothing is configured. */
ngx_media_record_main_conf_t *ngx_media_record_main_conf(ngx_cycle_t *cycle);

/* Is APP/STREAM in dvr_apply? */
ngx_uint_t ngx_media_record_applies(ngx_media_record_conf_t *rcf,
    const ngx_str_t *app, const ngx_str_t *stream);


/* --- a recording -------------------------------------------------------- */

#define NGX_MEDIA_RECORD_OPEN      0       /* it is being written */
#define NGX_MEDIA_RECORD_WHOLE     1
#define NGX_MEDIA_RECORD_BROKEN    2       /* its file is gone or no such */

typedef struct ngx_media_recording_s {
    u_char                     id[NGX_MEDIA_RECORD_ID];
    uint8_t                    kind;       /* NGX_MEDIA_FILE_* */
    uint8_t                    state;      /* NGX_MEDIA_RECORD_OPEN, ... */
    ngx_str_t                  vhost;
    ngx_str_t                  app;
    ngx_str_t                  stream;
    ngx_str_t                  file;       /* below the root */
    int64_t                    begin;      /* ms since the epoch, of its first
                                            * frame */
    int64_t                    end;        /* and behind its last */
    uint64_t                   duration;   /* ms, of what is in it */
    uint64_t                   bytes;
} ngx_media_recording_t;

/* Its id; the md5 of its stream, 32 digits. */
void ngx_media_record_md5(u_char *md5, const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream);
void ngx_media_record_id(u_char *id, int64_t begin, const u_char *md5);
/* When it begins, or -1: that is no id. */
int64_t ngx_media_record_id_time(const u_char *id, size_t n);


/*
 * Members of its object in the API and in events (ngx_media_record_api.c);
 * upload: "none", "queued", "done", "failed".
 */
void ngx_media_record_json(ngx_media_json_t *j, const ngx_media_recording_t *r,
    const char *upload);


/* --- the recorder (ngx_media_record.c) ---------------------------------- */

ngx_int_t ngx_media_record_init_worker(ngx_cycle_t *cycle);

/*
 * A copy of what is being recorded of a source, for those of other workers.
 * NGX_OK; NGX_DECLINED: nothing is.
 */
ngx_int_t ngx_media_record_now(const ngx_media_source_record_t *now,
    ngx_media_source_record_t *rec);

/*
 * What a switch or a policy says changed: looks at the source again, in its
 * publisher's worker, at the next tick.
 */
#define ngx_media_record_changed(src)                                         \
    __atomic_store_n(&(src)->record.look, 1, __ATOMIC_RELAXED)


/* --- a whole file (ngx_media_record_progressive.c): threads only --------- */

/*
 * Makes a fragmented MP4 a progressive one, by a temporary file beside it that
 * takes its place.  NGX_OK, also where it is one already; NGX_DECLINED: it is
 * no MP4 that could be, or its index would be too large; NGX_ERROR: errno,
 * ECANCELED where nginx is told to terminate.  Unless NGX_OK is returned the
 * file is as it was.
 */
ngx_int_t ngx_media_record_progressive(int root, const u_char *name);


/* --- the archive (ngx_media_archive.c): threads only -------------------- */

/* Makes .dvr/MD5 and its names.  NGX_OK, NGX_ERROR (errno). */
ngx_int_t ngx_media_archive_stream(int root, const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream);
/* A file is whole: enters it.  NGX_OK, also where it was there; NGX_ERROR. */
ngx_int_t ngx_media_archive_add(int root, const ngx_media_recording_t *r);
/* Deletes what dvr_keep does not keep of a stream. */
void ngx_media_archive_keep(int root, const u_char *md5, time_t age,
    off_t size);

/*
 * Calls each() for the whole recordings of a stream (md5) that have anything
 * between from and to (ms since the epoch; to 0: no end), oldest first; r is
 * good during the call; it returns NGX_OK to go on.  NGX_OK, NGX_ERROR.
 */
typedef ngx_int_t (*ngx_media_archive_pt)(void *data,
    const ngx_media_recording_t *r);

ngx_int_t ngx_media_archive_walk(int root, const u_char *md5, int64_t from,
    int64_t to, ngx_media_archive_pt each, void *data);
/* The same for all streams of a root, in any order of streams. */
ngx_int_t ngx_media_archive_walk_all(int root, int64_t from, int64_t to,
    ngx_media_archive_pt each, void *data);
/* each() is called for the one of that id, or not at all. */
ngx_int_t ngx_media_archive_find(int root, const u_char *id,
    ngx_media_archive_pt each, void *data);
/* Deletes file, index and entry.  NGX_OK, NGX_DECLINED: none; NGX_ERROR. */
ngx_int_t ngx_media_archive_remove(int root, const u_char *id);


/* --- switches (ngx_media_record_switch.c) ------------------------------- */

#define NGX_MEDIA_RECORD_AUTO      0
#define NGX_MEDIA_RECORD_ON        1
#define NGX_MEDIA_RECORD_OFF       2

/* What the API said about a stream; reads the arena only. */
ngx_uint_t ngx_media_record_switch(const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream);


/* --- after it is whole (ngx_media_upload.c): threads only --------------- */

/*
 * conf: policy of its application, which outlives the thread.  Notes in the
 * queue what is to be done with the file.  NGX_OK, also where nothing is.
 */
ngx_int_t ngx_media_upload_add(void **conf, int root,
    const ngx_media_recording_t *r);


#endif /* _NGX_MEDIA_RECORD_H_INCLUDED_ */
