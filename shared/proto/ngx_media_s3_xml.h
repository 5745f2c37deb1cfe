
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: what is read of the answers of S3, which are XML without attributes that
 * matter: the text of an element by its name, wherever it stands.  Uploads
 * call it.  Prefixes of names, comments and CDATA, which S3 does not use, are
 * not understood.
 *
 * Source: Amazon S3 API Reference; XML 1.0, sections 2.4 and 4.6.
 */


#ifndef _NGX_MEDIA_S3_XML_H_INCLUDED_
#define _NGX_MEDIA_S3_XML_H_INCLUDED_


#include "ngx_media_rc.h"

#include <sys/types.h>


typedef struct {
    const u_char  *data;
    size_t         len;
} ngx_media_s3_text_t;


/*
 * The first element of this name: what is between <NAME> and </NAME>, as it
 * is.  The position behind it, to go on from; NULL: there is none.
 */
const u_char *ngx_media_s3_element(const u_char *pos, const u_char *end,
    const char *name, ngx_media_s3_text_t *out);

/*
 * The text of the first element of this name into dst, decoded and
 * 0-terminated.  Its length; -1: there is none, it is longer than size - 1,
 * or there are elements or control characters in it.
 */
ssize_t ngx_media_s3_value(const u_char *pos, const u_char *end,
    const char *name, u_char *dst, size_t size);


#endif /* _NGX_MEDIA_S3_XML_H_INCLUDED_ */
