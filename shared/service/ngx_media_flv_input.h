
/*
 * Copyright (C) the nginx media suite authors
 *
 * Bodies of FLV tags, which are those of RTMP messages too, into frames of a
 * publisher's source (L3).  Called by whoever takes them off the wire; one
 * ngx_media_flv_input_t per publish, in the caller's memory.
 */


#ifndef _NGX_MEDIA_FLV_INPUT_H_INCLUDED_
#define _NGX_MEDIA_FLV_INPUT_H_INCLUDED_


#include "ngx_media.h"


#define NGX_MEDIA_SERVER_NAME  "nginx-media"    /* as metadata have it */


typedef struct {
    int64_t      last;           /* ms, unwrapped, of audio and video */
    ngx_uint_t   damaged;        /* bodies that were left out */
    ngx_uint_t   beyond;         /* bodies with tracks above the last */
    uint8_t      nal_size[NGX_MEDIA_MAX_TRACKS];    /* 0: not known */
} ngx_media_flv_input_t;


/*
 * Publishes what is in a body.  type is that of the RTMP message or FLV tag
 * (8, 9, 15 or 18), ms its time on a clock of 32 bits.  What is damaged or
 * unknown is left out and counted, the first one is logged.  Returns NGX_OK
 * or NGX_ERROR, where the publish can not go on.  *in is zeroed where a
 * publish begins.
 */
ngx_int_t ngx_media_flv_input(ngx_media_flv_input_t *in,
    ngx_media_session_t *s, ngx_uint_t type, uint32_t ms, const u_char *pos,
    const u_char *end);


#endif /* _NGX_MEDIA_FLV_INPUT_H_INCLUDED_ */
