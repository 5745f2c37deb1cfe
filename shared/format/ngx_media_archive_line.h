
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: lines of the archive of recordings, as they stand in its day files and
 * in the names of a stream.  One line is one whole file:
 *
 *   ID TAB BEGIN TAB END TAB DURATION TAB BYTES TAB KIND TAB FILE LF
 *
 * BEGIN and END are ms since the epoch, DURATION is ms, KIND is flv, mp4 or
 * ts, FILE is a path below a root (ngx_media_template_path()).  A text that
 * stands in a line is escaped: control characters, blank, percent and DEL are
 * %XX, all other bytes are as they came.
 *
 * Lines may come from anybody who could write there: what is not exactly of
 * this form is no line.
 */


#ifndef _NGX_MEDIA_ARCHIVE_LINE_H_INCLUDED_
#define _NGX_MEDIA_ARCHIVE_LINE_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_file.h"


#define NGX_MEDIA_ARCHIVE_ID       16
#define NGX_MEDIA_ARCHIVE_FILE     1023    /* bytes of a path */
#define NGX_MEDIA_ARCHIVE_LINE     4096    /* no line is longer */


typedef struct {
    u_char       id[NGX_MEDIA_ARCHIVE_ID + 1];
    uint8_t      kind;           /* NGX_MEDIA_FILE_* */
    int64_t      begin;          /* ms since the epoch */
    int64_t      end;
    uint64_t     duration;       /* ms */
    uint64_t     bytes;
    size_t       len;            /* of file */
    u_char       file[NGX_MEDIA_ARCHIVE_FILE + 1];      /* with a 0 */
} ngx_media_archive_line_t;


/*
 * A line without what ends it.  NGX_MEDIA_OK or NGX_MEDIA_ERROR: it is none,
 * and *line is anything.
 */
int ngx_media_archive_parse(ngx_media_archive_line_t *line,
    const u_char *pos, const u_char *end);

/*
 * Writes a line with its LF.  Returns its length, or NGX_MEDIA_ERROR: n is too
 * small, or a value is one that would not be read (NGX_MEDIA_ARCHIVE_LINE
 * bytes do for all that would).
 */
ssize_t ngx_media_archive_write(const ngx_media_archive_line_t *line,
    u_char *buf, size_t n);

/*
 * When a recording begins, by its id, in ms since the epoch; -1: that is no
 * id (16 digits of lower case hexadecimal).
 */
int64_t ngx_media_archive_id(const u_char *id, size_t n);

/*
 * Escapes a text; returns its length, or NGX_MEDIA_ERROR: longer than n.
 */
ssize_t ngx_media_archive_escape(const u_char *pos, const u_char *end,
    u_char *buf, size_t n);

/*
 * The text that was escaped; may be in place.  Returns its length, or
 * NGX_MEDIA_ERROR: longer than n, or not what escaping makes.
 */
ssize_t ngx_media_archive_unescape(const u_char *pos, const u_char *end,
    u_char *buf, size_t n);


#endif /* _NGX_MEDIA_ARCHIVE_LINE_H_INCLUDED_ */
