
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: names and arguments of requests for what was recorded.
 *
 *   STREAM.m3u8?start=&end=        playlist of recordings, or of one (id=)
 *   STREAM.mp4?start=&end=         a range of time as one file
 *   STREAM.rec.ID.mp4 .flv .ts     the file of a recording
 *
 * Times are numbers of ms since the epoch, or dates.  Spans of the caller,
 * nothing is kept.  RFC 3339, section 5.6.
 */


#ifndef _NGX_MEDIA_VOD_NAME_H_INCLUDED_
#define _NGX_MEDIA_VOD_NAME_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ngx_media_rc.h"


#define NGX_MEDIA_VOD_ID         16        /* digits of an id */
#define NGX_MEDIA_VOD_TIME_MAX   253402300799999LL      /* year 9999, ms */

/* a smaller number is one of seconds: of a player of a live stream */
#define NGX_MEDIA_VOD_TIME_MIN   100000000000LL


typedef enum {
    NGX_MEDIA_VOD_NAME_NONE = 0,           /* not ours */
    NGX_MEDIA_VOD_NAME_LIST,               /* STREAM.m3u8 */
    NGX_MEDIA_VOD_NAME_EXPORT,             /* STREAM.mp4 */
    NGX_MEDIA_VOD_NAME_FILE                /* STREAM.rec.ID.EXT */
} ngx_media_vod_name_e;

typedef struct {
    ngx_media_vod_name_e   kind;
    const u_char          *stream;         /* into the name */
    size_t                 stream_len;
    const u_char          *id;             /* of a file */
    uint8_t                file;           /* NGX_MEDIA_FILE_*, by its ending */
} ngx_media_vod_name_t;

/*
 * Takes the last level of a decoded path apart.  Never fails: kind says what
 * it is.
 */
void ngx_media_vod_name_parse(const u_char *pos, const u_char *end,
    ngx_media_vod_name_t *name);


typedef struct {
    int64_t                start;          /* ms since the epoch */
    int64_t                stop;           /* end= */
    const u_char          *id;             /* its digits, or NULL */
    unsigned               has_start:1;
    unsigned               has_stop:1;
    unsigned               live:1;         /* start= is one of a live stream */
} ngx_media_vod_query_t;

/*
 * Arguments of a request: start, end, id; others are left alone, as is an
 * empty one of these.  NGX_MEDIA_OK, or NGX_MEDIA_ERROR where one is no time
 * or no id, or the end is not behind the start.
 */
int ngx_media_vod_query_parse(const u_char *pos, const u_char *end,
    ngx_media_vod_query_t *query);

/*
 * A time as it stands in a URL (percent-encoded): ms since the epoch, or
 * YYYY-MM-DDTHH:MM:SS[.SSS] and a zone: Z, +HH:MM, +HHMM; a plus may have
 * become a space.  NGX_MEDIA_OK, NGX_MEDIA_ERROR.
 */
int ngx_media_vod_time(const u_char *pos, const u_char *end, int64_t *msec);


#endif /* _NGX_MEDIA_VOD_NAME_H_INCLUDED_ */
