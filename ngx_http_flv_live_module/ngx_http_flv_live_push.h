
/*
 * Copyright (C) the nginx media suite authors
 *
 * Publishing over HTTP, what its files share:
 *
 *   _push.c      the life of one pusher, from its request to its end
 *   _push_flv.c  a body of FLV into frames (of MPEG-TS: the core does)
 *
 * One ngx_http_flv_live_push_t per request, in the request's pool; a cleanup
 * of that pool gives back what it holds.
 */


#ifndef _NGX_HTTP_FLV_LIVE_PUSH_H_INCLUDED_
#define _NGX_HTTP_FLV_LIVE_PUSH_H_INCLUDED_


#include "ngx_http_flv_live.h"
#include "ngx_media_flv.h"
#include "ngx_media_flv_input.h"
#include "ngx_media_ts_input.h"


typedef enum {
    NGX_HTTP_FLV_LIVE_PUSH_ANY = 0,         /* its first byte will tell */
    NGX_HTTP_FLV_LIVE_PUSH_FLV,
    NGX_HTTP_FLV_LIVE_PUSH_TS
} ngx_http_flv_live_push_format_e;


/* a body of FLV */

typedef struct {
    ngx_media_flv_demux_t       demux;
    u_char                     *body;       /* of a tag that came in pieces */
    size_t                      size;       /* room in it */
    size_t                      used;
    ngx_media_flv_input_t       input;
    unsigned                    begun:1;    /* the file header has come */
} ngx_http_flv_live_push_flv_t;


typedef struct {
    ngx_media_session_t           session;
    ngx_http_request_t           *request;

    ngx_uint_t                    format;
    ngx_http_flv_live_push_flv_t  flv;
    ngx_media_ts_input_t         *ts;

    ngx_event_t                   nap;
    ngx_msec_t                    begun;
    ngx_msec_t                    heard;    /* when bytes came */

    unsigned                      waiting:1;   /* for ops->published() */
    unsigned                      done:1;      /* request is finalised */
} ngx_http_flv_live_push_t;


ngx_int_t ngx_http_flv_live_push(ngx_http_request_t *r);

/*
 * A piece of a body.  NGX_OK; NGX_DECLINED: it is none of that format, one
 * line was logged; NGX_ERROR: the publish can not go on.
 */
ngx_int_t ngx_http_flv_live_push_flv(ngx_http_flv_live_push_t *ctx,
    const u_char *pos, const u_char *end);

/* The end of a body that is whole: the last frames.  As above. */
ngx_int_t ngx_http_flv_live_push_flv_end(ngx_http_flv_live_push_t *ctx);

void ngx_http_flv_live_push_flv_free(ngx_http_flv_live_push_t *ctx);


#endif /* _NGX_HTTP_FLV_LIVE_PUSH_H_INCLUDED_ */
