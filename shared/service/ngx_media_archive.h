
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: private hub of the archive of recordings: what its files share.
 *
 *   ngx_media_archive.c        ids, streams, day files, walks
 *   ngx_media_archive_edit.c   entries come and go, dvr_keep
 *   ngx_media_archive_sweep.c  once an hour: all streams of all roots
 *   ngx_media_record_api.c     asks it for the API
 *
 * A stream is a directory .dvr/MD5 with its names and a file for each day; who
 * changes a day file holds the lock of the directory.  Files are changed by
 * appending a line, or replaced as a whole, so that readers need no lock: a
 * line that has no end yet is none.
 *
 * Everything here blocks and is for threads.  Nothing logs, errno tells, but
 * where a walk leaves out a day that is damaged.
 */


#ifndef _NGX_MEDIA_ARCHIVE_H_INCLUDED_
#define _NGX_MEDIA_ARCHIVE_H_INCLUDED_


#include "ngx_media_record.h"
#include "ngx_media_archive_line.h"


#define NGX_MEDIA_ARCHIVE_DAY      9       /* YYYYMMDD and 0 */
#define NGX_MEDIA_ARCHIVE_MAX      (64 * 1024 * 1024)      /* of a day file */

#define NGX_MEDIA_ARCHIVE_NAMES    "names"
#define NGX_MEDIA_ARCHIVE_LOCK     "lock"
#define NGX_MEDIA_ARCHIVE_TEMP     "new"


/* names of a stream; text is to be freed (ngx_free()) */

typedef struct {
    u_char      *text;
    ngx_str_t    vhost;
    ngx_str_t    app;
    ngx_str_t    stream;
} ngx_media_archive_names_t;


/* lines of a day file, oldest first; text is to be freed */

typedef struct {
    u_char      *pos;
    u_char      *end;            /* behind its last byte, without the LF */
} ngx_media_archive_entry_t;

typedef struct {
    u_char                     *text;
    size_t                      size;      /* of the file */
    size_t                      whole;     /* of it that are whole lines */
    ngx_uint_t                  n;
    ngx_media_archive_entry_t  *entry;     /* to be freed, NULL where n is 0 */
} ngx_media_archive_file_t;


/* The directory of a stream: a descriptor, or -1. */
int ngx_media_archive_dir(int root, const u_char *md5, ngx_uint_t make);

/* Its names, if they are those of md5.  NGX_OK, NGX_ERROR. */
ngx_int_t ngx_media_archive_names(int dir, const u_char *md5,
    ngx_media_archive_names_t *names);

/*
 * Streams of a root whose md5 begins with n digits of prefix: into an array of
 * u_char[NGX_MEDIA_RECORD_MD5], sorted.  NGX_OK, NGX_ERROR.
 */
ngx_int_t ngx_media_archive_streams(int root, const u_char *prefix, size_t n,
    ngx_array_t *md5s);

/* The day of an id; its name is "YYYYMMDD". */
void ngx_media_archive_day(u_char *day, const u_char *id);

/* Names of the day files, u_char[NGX_MEDIA_ARCHIVE_DAY], sorted. */
ngx_int_t ngx_media_archive_days(int dir, ngx_array_t *days);

/* NGX_OK; NGX_DECLINED: there is none; NGX_ERROR.  To be closed if NGX_OK. */
ngx_int_t ngx_media_archive_load(int dir, const u_char *day,
    ngx_media_archive_file_t *file);
void ngx_media_archive_unload(ngx_media_archive_file_t *file);

/* The entry of an id, NULL: none. */
ngx_media_archive_entry_t *ngx_media_archive_entry(
    ngx_media_archive_file_t *file, const u_char *id);

/* NGX_MEDIA_RECORD_WHOLE, or _BROKEN: its file is gone, or is another one. */
ngx_uint_t ngx_media_archive_state(int root, const u_char *file, int64_t end,
    uint64_t bytes);
/* The same in its directory; -1: errno tells why there is none. */
ngx_uint_t ngx_media_archive_state_at(int dir, const u_char *base,
    int64_t end, uint64_t bytes);

/*
 * Deletes of a stream what is older than age (s, 0: nothing is), the oldest
 * ones where all are larger than size (0: nothing), and entries without a
 * file (broken).  NGX_OK; NGX_ERROR: errno, something stayed.
 */
ngx_int_t ngx_media_archive_clean(int root, const u_char *md5, time_t age,
    off_t size, ngx_uint_t broken);

/* The sweep: in init_process.  NGX_OK, NGX_ERROR. */
ngx_int_t ngx_media_archive_init_worker(ngx_cycle_t *cycle);


#endif /* _NGX_MEDIA_ARCHIVE_H_INCLUDED_ */
