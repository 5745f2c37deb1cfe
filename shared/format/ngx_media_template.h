
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: names of files from templates, of whatever writes files: segments and
 * playlists of HLS, recordings.  The fields are those of SRS, with variables
 * of nginx beside them:
 *
 *   [vhost] [app] [stream]       $media_vhost $media_app $media_stream
 *   [seq] [duration]             of the segment; duration in ms
 *   [timestamp]                  ms since the epoch
 *   [2006] [01] [02] [15] [04] [05] [999]      local date and time
 *   $hostname $pid
 *
 * What is written is a path below a directory of the caller: no level of it
 * is empty or begins with a dot, so it leads nowhere else.
 */


#ifndef _NGX_MEDIA_TEMPLATE_H_INCLUDED_
#define _NGX_MEDIA_TEMPLATE_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_rc.h"


/* fields of a template */

#define NGX_MEDIA_TEMPLATE_VHOST       0x0001
#define NGX_MEDIA_TEMPLATE_APP         0x0002
#define NGX_MEDIA_TEMPLATE_STREAM      0x0004
#define NGX_MEDIA_TEMPLATE_SEQ         0x0008
#define NGX_MEDIA_TEMPLATE_DURATION    0x0010
#define NGX_MEDIA_TEMPLATE_TIMESTAMP   0x0020
#define NGX_MEDIA_TEMPLATE_DATE        0x0040   /* any of the seven */
#define NGX_MEDIA_TEMPLATE_HOSTNAME    0x0080
#define NGX_MEDIA_TEMPLATE_PID         0x0100


typedef struct {
    const u_char               *data;
    size_t                      len;
} ngx_media_template_str_t;


typedef struct {
    ngx_media_template_str_t    vhost;
    ngx_media_template_str_t    app;
    ngx_media_template_str_t    stream;
    ngx_media_template_str_t    hostname;
    uint64_t                    seq;
    uint64_t                    duration;     /* ms */
    uint64_t                    timestamp;    /* ms since the epoch */
    uint32_t                    year;         /* local time of it */
    uint32_t                    month;        /* 1 to 12 */
    uint32_t                    day;
    uint32_t                    hour;
    uint32_t                    minute;
    uint32_t                    second;
    uint32_t                    pid;
} ngx_media_template_vars_t;


/*
 * What stands in a template.  NGX_MEDIA_OK: *fields has a bit for each.
 * NGX_MEDIA_ERROR: *bad is a field that there is not, or a level of the path
 * that no name may have.
 */
int ngx_media_template_check(const u_char *pos, const u_char *end,
    uint32_t *fields, ngx_media_template_str_t *bad);

/*
 * Writes the path that it makes, 0-terminated, without slashes before it.
 * Returns its length, or NGX_MEDIA_ERROR: longer than n - 1, a level longer
 * than 255 bytes, or values that make a level of it empty, begin with a dot or
 * have control characters.
 */
ssize_t ngx_media_template_write(const u_char *pos, const u_char *end,
    const ngx_media_template_vars_t *vars, u_char *dst, size_t n);

/*
 * May that be a path below a directory?  The same rules; NGX_MEDIA_OK or
 * NGX_MEDIA_ERROR.
 */
int ngx_media_template_path(const u_char *pos, const u_char *end);


#endif /* _NGX_MEDIA_TEMPLATE_H_INCLUDED_ */
