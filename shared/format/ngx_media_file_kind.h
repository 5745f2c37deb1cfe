
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: between ngx_media_file.c and the kinds of files it calls, each in a file
 * of its own.
 */


#ifndef _NGX_MEDIA_FILE_KIND_H_INCLUDED_
#define _NGX_MEDIA_FILE_KIND_H_INCLUDED_


#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_file.h"
#include "ngx_media_rc.h"


/* Frames of sound and picture that are to be shown. */
#define ngx_media_file_media(f)                                               \
    (((f)->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_EXTRA              \
                    |NGX_MEDIA_FRAME_EOS)) == 0                               \
     && (f)->size && (f)->track < NGX_MEDIA_TRACK_SCRIPT                      \
     && (ngx_media_codec_is_video((f)->codec)                                 \
         || ngx_media_codec_is_audio((f)->codec)))

/* Configurations of such ones. */
#define ngx_media_file_config(f)                                              \
    (((f)->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_EXTRA))            \
         == NGX_MEDIA_FRAME_CONFIG                                            \
     && (f)->size && (f)->track < NGX_MEDIA_TRACK_SCRIPT                      \
     && (ngx_media_codec_is_video((f)->codec)                                 \
         || ngx_media_codec_is_audio((f)->codec)))

/* There is nothing in it yet. */
#define ngx_media_file_fresh(f)  ((f)->bytes == 0)


/*
 * The time of a frame in the file, us.  NGX_MEDIA_OK; NGX_MEDIA_DECLINED: the
 * timeline broke there.
 */
int ngx_media_file_time(const ngx_media_file_t *f,
    const ngx_media_frame_t *frame, int64_t *time);

/* A frame is in the file, at time. */
void ngx_media_file_count(ngx_media_file_t *f, const ngx_media_frame_t *frame,
    int64_t time);

/* us, behind the newest frame of a track, and time of the newest of all. */
int64_t ngx_media_file_end(const ngx_media_file_t *f, unsigned track);
int64_t ngx_media_file_newest(const ngx_media_file_t *f);

/* Of a config; never 0. */
uint32_t ngx_media_file_hash(const u_char *p, size_t n);


/* Does what a kind keeps hold together? */
int ngx_media_file_flv_valid(const ngx_media_file_t *f);
int ngx_media_file_mp4_valid(const ngx_media_file_t *f);
int ngx_media_file_ts_valid(const ngx_media_file_t *f);

/*
 * Batches: f is a copy that is thrown away where DECLINED or ERROR is
 * returned; it has begun.  buf has the room that the kind asked for.
 */

size_t ngx_media_file_flv_room(const ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n);
ssize_t ngx_media_file_flv_batch(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, u_char *buf, size_t size);
ssize_t ngx_media_file_flv_close(ngx_media_file_t *f,
    const ngx_media_file_key_t *keys, uint32_t nkeys, u_char *buf,
    size_t size, ngx_media_file_patch_t *patches, uint32_t *npatches);

size_t ngx_media_file_mp4_room(const ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n);
ssize_t ngx_media_file_mp4_batch(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, u_char *buf, size_t size);
void ngx_media_file_mp4_rebase(ngx_media_file_t *f);
ssize_t ngx_media_file_mp4_close(ngx_media_file_t *f, u_char *buf,
    size_t size, ngx_media_file_patch_t *patches, uint32_t *npatches);

void ngx_media_file_ts_init(ngx_media_file_t *f);
size_t ngx_media_file_ts_room(const ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n);
ssize_t ngx_media_file_ts_batch(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, u_char *buf, size_t size);


#endif /* _NGX_MEDIA_FILE_KIND_H_INCLUDED_ */
