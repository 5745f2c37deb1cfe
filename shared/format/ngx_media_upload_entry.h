
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the text of an entry in the queue of uploads: lines of a name, a space
 * and a value, in which control characters, spaces, "%" and bytes beyond ASCII
 * are written as %XX.  Uploads read what another process, or another version,
 * has left there: names that are not known are passed over by the caller.
 *
 * All memory is the caller's.
 */


#ifndef _NGX_MEDIA_UPLOAD_ENTRY_H_INCLUDED_
#define _NGX_MEDIA_UPLOAD_ENTRY_H_INCLUDED_


#include "ngx_media_rc.h"

#include <stdint.h>
#include <sys/types.h>


typedef struct {
    const u_char        *name;
    size_t               name_len;
    const u_char        *value;        /* as it is written */
    size_t               len;
} ngx_media_upload_line_t;


/*
 * The next line.  Returns the position behind it; NULL: there is none, what is
 * left is no whole line.
 */
const u_char *ngx_media_upload_line(const u_char *pos, const u_char *end,
    ngx_media_upload_line_t *line);

/* Is it the line of this name? */
int ngx_media_upload_is(const ngx_media_upload_line_t *line,
    const char *name);

/*
 * Decodes a value into dst, which has room for len bytes and may be the value
 * itself.  Returns how many there are, -1: damaged, or a 0 is in it.
 */
ssize_t ngx_media_upload_decode(u_char *dst, const u_char *p, size_t len);

/* The same of digits.  NGX_MEDIA_OK, NGX_MEDIA_ERROR. */
int ngx_media_upload_number(const ngx_media_upload_line_t *line,
    uint64_t *number);

/* Writes "name value\n"; needs strlen(name) + 3 * len + 2 bytes. */
u_char *ngx_media_upload_put(u_char *dst, const char *name, const u_char *p,
    size_t len);


#endif /* _NGX_MEDIA_UPLOAD_ENTRY_H_INCLUDED_ */
