
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: files below a directory of the configuration, as threads write them.
 * Every call may block and is for threads, or for a worker that exits; none
 * logs: errno tells what went wrong.
 *
 * Names are paths below the directory (ngx_media_template.h).  Levels are
 * opened one by one and a symbolic link on the way is an error, so nothing
 * that is planted there leads out of it.
 */


#ifndef _NGX_MEDIA_DISK_H_INCLUDED_
#define _NGX_MEDIA_DISK_H_INCLUDED_


#include "ngx_media_core.h"


#define NGX_MEDIA_DISK_NAME   1024     /* with the 0 */


/* The directory itself: a descriptor to be closed, or -1. */
int ngx_media_disk_root(const u_char *path);

/*
 * The directory that holds a name, made where it is not there (make); *base is
 * its last level.  A descriptor to be closed, or -1.
 */
int ngx_media_disk_dir(int root, const u_char *name, const u_char **base,
    ngx_uint_t make);

/* All of n bytes.  NGX_OK, NGX_ERROR. */
ngx_int_t ngx_media_disk_write(int fd, const u_char *p, size_t n);

/*
 * Writes a file anew.  NGX_OK; NGX_ERROR: nothing of it is there.
 */
ngx_int_t ngx_media_disk_put(int root, const u_char *name, const u_char *p,
    size_t n);

/* The same by a temporary file: readers see the old one or the new one. */
ngx_int_t ngx_media_disk_replace(int root, const u_char *name,
    const u_char *p, size_t n);

/*
 * Reads a file of max bytes at most into memory that is to be freed
 * (ngx_free()).  Its size, or -1.
 */
ssize_t ngx_media_disk_get(int root, const u_char *name, size_t max,
    u_char **p);

/* NGX_OK, also where there is none. */
ngx_int_t ngx_media_disk_remove(int root, const u_char *name);

/*
 * Opens dir/name, a file that says who may write, and locks it.  A descriptor
 * that is to be closed, which unlocks it; -1: errno, ENOENT without make.
 */
int ngx_media_disk_lock(int root, const char *dir, const u_char *name,
    ngx_uint_t make);


#endif /* _NGX_MEDIA_DISK_H_INCLUDED_ */
