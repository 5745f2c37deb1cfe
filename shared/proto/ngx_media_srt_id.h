
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: what an SRT caller asks for: its stream id, in all forms that encoders
 * and players use.
 *
 *   #!::r=APP/STREAM,m=publish,h=VHOST,NAME=VALUE      SRT access control
 *   #!::h=APP/STREAM,m=publish  #!::h=VHOST/APP/STREAM,m=request      SRS
 *   #!{r=APP/STREAM,m=publish,t={a,b}}                 the same, nested
 *   publish:APP/STREAM[:USER[:PASS]][?ARGS]  read:...  MediaMTX
 *   srt://HOST[:PORT]/APP/STREAM?ARGS                  also percent-encoded
 *   APP/STREAM[?ARGS]  STREAM                          plain
 *
 * The last level of a path is the stream, what is before it the app.  A "?"
 * is read like ",", keys that have no meaning of their own become arguments,
 * and so do u, s and t: back ends want them.  Haivision's SRT access control
 * guidelines; the ids of SRS.
 *
 * Nothing is allocated; results point into a scratch buffer of the caller.
 */


#ifndef _NGX_MEDIA_SRT_ID_H_INCLUDED_
#define _NGX_MEDIA_SRT_ID_H_INCLUDED_


#include "ngx_media_url.h"


#define NGX_MEDIA_SRT_ID_MAX       512    /* bytes of a stream id */

/* scratch that is always enough for an id of n bytes */
#define ngx_media_srt_id_scratch(n)  (2 * (n) + 64)


typedef enum {
    NGX_MEDIA_SRT_MODE_NONE = 0,          /* the id says none */
    NGX_MEDIA_SRT_MODE_REQUEST,           /* it plays */
    NGX_MEDIA_SRT_MODE_PUBLISH
} ngx_media_srt_mode_e;


typedef struct {
    ngx_media_srt_mode_e  mode;
    ngx_media_url_str_t   vhost;          /* lower case, or empty */
    ngx_media_url_str_t   app;            /* empty: the default one */
    ngx_media_url_str_t   stream;         /* may be empty */
    ngx_media_url_str_t   user;           /* u, or that of MediaMTX's form */
    ngx_media_url_str_t   args;           /* NAME=VALUE&..., as written */
} ngx_media_srt_id_t;


/* results */

#define NGX_MEDIA_SRT_ID_OK        0
#define NGX_MEDIA_SRT_ID_LONG     -1      /* longer than 512 bytes */
#define NGX_MEDIA_SRT_ID_BUF      -2      /* scratch too small */
#define NGX_MEDIA_SRT_ID_MODE     -3      /* m is neither publish nor request */
#define NGX_MEDIA_SRT_ID_CONTROL  -4      /* a byte under 0x20, or 0x7f */
#define NGX_MEDIA_SRT_ID_NEST     -5      /* braces that do not match */
#define NGX_MEDIA_SRT_ID_ESCAPE   -6      /* damaged percent-encoding */
#define NGX_MEDIA_SRT_ID_TYPE     -7      /* t is not a live stream */


/*
 * Takes an id apart.  The names are not checked (ngx_media_name_check()).
 * Returns one of the results; *out is only filled with OK.
 */
int ngx_media_srt_id(ngx_media_srt_id_t *out, const u_char *pos,
    const u_char *end, u_char *buf, size_t size);

/* Static text for a result. */
const char *ngx_media_srt_id_text(int rc);


#endif /* _NGX_MEDIA_SRT_ID_H_INCLUDED_ */
