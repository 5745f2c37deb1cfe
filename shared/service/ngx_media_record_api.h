
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: private hub of recordings in the API.
 *
 *   ngx_media_record_api.c   requests, one recording, switches
 *   ngx_media_record_list.c  lists, and what is not finished
 *
 * The request is parked, a thread looks at what is on disk and writes its part
 * of the document into memory of its own, and the worker sends it.
 */


#ifndef _NGX_MEDIA_RECORD_API_H_INCLUDED_
#define _NGX_MEDIA_RECORD_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_api.h"
#include "ngx_media_archive.h"


#define NGX_MEDIA_RECORD_API_START  1000000
#define NGX_MEDIA_RECORD_API_OPEN   0xffffffffu    /* no stream of the disk */


/* a recording of the list; index: of those that are open */

typedef struct {
    uint64_t                  id;
    uint32_t                  stream;
    uint32_t                  index;
} ngx_media_record_key_t;


typedef struct {
    ngx_uint_t                root;
    u_char                    md5[NGX_MEDIA_RECORD_MD5];
} ngx_media_record_stream_t;


typedef struct ngx_media_record_work_s  ngx_media_record_work_t;

struct ngx_media_record_work_s {
    ngx_media_api_t          *api;
    ngx_pool_t               *pool;        /* the thread's while it runs */
    void                    (*run)(ngx_media_record_work_t *w);
    ngx_int_t                 rc;          /* for the API */
    int                       err;

    ngx_uint_t                nroots;
    ngx_str_t                *roots;       /* 0-terminated */
    int                      *fds;
    ngx_uint_t               *uploads;     /* there are some */

    u_char                    id[NGX_MEDIA_RECORD_ID];
    ngx_uint_t                at;          /* root where it is */

    /* the directory that a file was looked at last */
    int                       dir;
    ngx_uint_t                dir_root;
    size_t                    dir_len;
    u_char                    dir_name[NGX_MEDIA_ARCHIVE_FILE + 1];
    unsigned                  dir_known:1;

    /* a list; names with data NULL are any */
    ngx_str_t                 vhost;
    ngx_str_t                 app;
    ngx_str_t                 stream;
    int64_t                   from;
    int64_t                   to;
    ngx_media_api_page_t      page;

    ngx_uint_t                nopen;       /* newest first */
    ngx_media_recording_t    *open;
    ngx_uint_t                all;         /* those of the disk, too */

    ngx_array_t               streams;     /* of ngx_media_record_stream_t */
    uint32_t                  current;     /* of them, of the walk */
    ngx_media_record_key_t   *key;         /* a heap, the oldest one first */
    ngx_uint_t                nkeys;
    ngx_uint_t                size;
    ngx_uint_t                limit;
    ngx_uint_t                total;
};


/* Thread: a list, and its page. */
void ngx_media_record_list(ngx_media_record_work_t *w);

/*
 * Thread: adds recordings that nobody writes now and that are not whole, by
 * their journals: of a publisher who may come back, or about to be finished.
 */
void ngx_media_record_unfinished(ngx_media_record_work_t *w);

/* Is it one of the list? */
ngx_uint_t ngx_media_record_wanted(ngx_media_record_work_t *w,
    const ngx_media_recording_t *r);
/* want: data is NULL: any name. */
ngx_uint_t ngx_media_record_same(const ngx_str_t *want,
    const ngx_str_t *name);
/* By their ids. */
int ngx_libc_cdecl ngx_media_record_cmp_open(const void *one,
    const void *two);
/* Of those that were open when the request came; NULL: none. */
ngx_media_recording_t *ngx_media_record_open_find(ngx_media_record_work_t *w,
    const u_char *id);
/*
 * Thread: members of a recording; root: of w->fds, where it is whole, its file
 * being 0-terminated.
 */
void ngx_media_record_write(ngx_media_record_work_t *w,
    const ngx_media_recording_t *r, ngx_uint_t root);


#endif /* _NGX_MEDIA_RECORD_API_H_INCLUDED_ */
