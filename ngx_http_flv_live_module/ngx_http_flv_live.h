
/*
 * Copyright (C) the nginx media suite authors
 *
 * The hub of the HTTP live module: live streams as the bodies of endless HTTP
 * responses.  Cut like this:
 *
 *   _module.c   directives, names, methods: which request is ours
 *   _play.c     the life of one player from its request to its end
 *   _output.c   how bytes of the wire get to the client
 *   _ws.c       WebSocket: the handshake, and what a client says
 *   _framing.c  what stands around a message of the wire
 *   _mux.c      frames into FLV; _ts.c, _aac.c, _mp3.c: into the others
 *   _push*.c    the other direction: bodies of requests into frames
 *
 * One ngx_http_flv_live_ctx_t per request, in the request's pool; a cleanup
 * of that pool gives back what it holds.
 */


#ifndef _NGX_HTTP_FLV_LIVE_H_INCLUDED_
#define _NGX_HTTP_FLV_LIVE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_media.h"
#include "ngx_media_http.h"
#include "ngx_media_ws.h"


/* opt[] of a wire: how a message is framed, and in what form HEVC is */

#define NGX_HTTP_FLV_LIVE_OPT_FRAMING    0
#define NGX_HTTP_FLV_LIVE_OPT_HEVC       1

#define NGX_HTTP_FLV_LIVE_FRAMING_NONE   0
#define NGX_HTTP_FLV_LIVE_FRAMING_CHUNK  1   /* RFC 9112, 7.1: a chunk each */
#define NGX_HTTP_FLV_LIVE_FRAMING_WS     2   /* RFC 6455, 5.2: a message */

#define NGX_HTTP_FLV_LIVE_HEVC_AS_CAME   0
#define NGX_HTTP_FLV_LIVE_HEVC_LEGACY    1
#define NGX_HTTP_FLV_LIVE_HEVC_ENHANCED  2

/* bytes before a message of the wire, behind it, of its own header */
#define NGX_HTTP_FLV_LIVE_FRAMING_START  (NGX_SIZE_T_LEN + 2)
#define NGX_HTTP_FLV_LIVE_FRAMING_END    2
#define NGX_HTTP_FLV_LIVE_MESSAGE_HEAD   64

/* the longest prologue, with its framing */
#define NGX_HTTP_FLV_LIVE_PROLOGUE_SIZE  64

/* how long a stream that has just begun may take to show its tracks */
#define NGX_HTTP_FLV_LIVE_TRACKS_WAIT    500


/* one extension that the module answers */

typedef struct {
    ngx_str_t                        extension;   /* without the dot */
    ngx_str_t                        content_type;
    const char                      *protocol;
    ngx_uint_t                       client;      /* client type */
    uint32_t                         kinds;       /* that it can carry */
    ngx_uint_t                       single;      /* only one of a kind */
    const ngx_media_muxer_t         *muxer;

    /* may a track of this codec be in it?  NULL: any may */
    ngx_uint_t                     (*carries)(uint8_t codec);

    /* what stands once at the start of a body, true to the tracks;
     * returns the end; may be NULL */
    u_char                        *(*prologue)(u_char *p, uint32_t tracks);
} ngx_http_flv_live_type_t;


typedef struct {
    ngx_flag_t                       enable;
    ngx_flag_t                       push;

    /* to be published is the whole URI: the location is no prefix of it */
    ngx_uint_t                       whole;

    /* where a directive stands, if one stands in this location */
    const char                      *name;
    ngx_str_t                        file;
    ngx_uint_t                       line;
} ngx_http_flv_live_loc_conf_t;


typedef enum {
    NGX_HTTP_FLV_LIVE_WAIT_PERMISSION = 0, /* guards are asked */
    NGX_HTTP_FLV_LIVE_WAIT_PUBLISHER,      /* play_wait runs */
    NGX_HTTP_FLV_LIVE_WAIT_TRACKS,         /* published: what of? */
    NGX_HTTP_FLV_LIVE_FLOWING,             /* response header is sent */
    NGX_HTTP_FLV_LIVE_ENDING,              /* the last bytes, then finish */
    NGX_HTTP_FLV_LIVE_DONE                 /* request is finalised */
} ngx_http_flv_live_state_e;


typedef struct {
    ngx_media_session_t              session;
    ngx_media_consumer_t             consumer;

    ngx_http_request_t              *request;
    const ngx_http_flv_live_type_t  *type;
    ngx_media_wire_params_t          params;
    ngx_event_t                      timer;       /* holds the worker too */

    ngx_chain_t                     *free;
    ngx_chain_t                     *busy;

    ngx_uint_t                       state;

    ngx_media_ws_t                   ws;          /* what the client says */

    size_t                           prologue_len;
    u_char                           prologue[NGX_HTTP_FLV_LIVE_PROLOGUE_SIZE];

    unsigned                         joined:1;    /* while it was published */
    unsigned                         direct:1;    /* no filter is needed */
    unsigned                         flushed:1;   /* header left the filters */
    unsigned                         upgrade:1;   /* to WebSocket */
    unsigned                         chosen:1;    /* tracks, by argument */
    unsigned                         ws_closed:1; /* the close frame is out */
} ngx_http_flv_live_ctx_t;


ngx_int_t ngx_http_flv_live_play(ngx_http_request_t *r,
    const ngx_http_flv_live_type_t *type);
ngx_int_t ngx_http_flv_live_attach(ngx_http_flv_live_ctx_t *ctx,
    ngx_uint_t flags);
void ngx_http_flv_live_finalize(ngx_http_flv_live_ctx_t *ctx, ngx_int_t rc);

ngx_uint_t ngx_http_flv_live_direct_predict(ngx_http_request_t *r);
ngx_int_t ngx_http_flv_live_direct_decide(ngx_http_flv_live_ctx_t *ctx);
void ngx_http_flv_live_prologue(ngx_http_flv_live_ctx_t *ctx,
    uint32_t tracks);
ngx_uint_t ngx_http_flv_live_drained(ngx_http_flv_live_ctx_t *ctx);
void ngx_http_flv_live_output(ngx_http_flv_live_ctx_t *ctx);
void ngx_http_flv_live_finish(ngx_http_flv_live_ctx_t *ctx);
void ngx_http_flv_live_write_handler(ngx_http_request_t *r);
void ngx_http_flv_live_release(ngx_http_flv_live_ctx_t *ctx);

ngx_int_t ngx_http_flv_live_ws_wanted(ngx_http_request_t *r);
ngx_int_t ngx_http_flv_live_ws_head(ngx_http_flv_live_ctx_t *ctx);
void ngx_http_flv_live_ws_begin(ngx_http_flv_live_ctx_t *ctx);
ngx_int_t ngx_http_flv_live_ws_last(ngx_http_flv_live_ctx_t *ctx);

u_char *ngx_http_flv_live_framing_start(u_char *p, uint32_t framing,
    size_t size);
u_char *ngx_http_flv_live_framing_end(u_char *p, uint32_t framing);
ngx_int_t ngx_http_flv_live_message(ngx_media_wire_t *w, const u_char *head,
    size_t len, const u_char *data, size_t size);

ngx_int_t ngx_http_flv_live_no_header(ngx_media_wire_t *w,
    const ngx_media_heads_t *heads, const ngx_media_frame_t *first);
u_char *ngx_http_flv_live_flv_prologue(u_char *p, uint32_t tracks);
ngx_uint_t ngx_http_flv_live_ts_carries(uint8_t codec);
ngx_uint_t ngx_http_flv_live_aac_carries(uint8_t codec);
ngx_uint_t ngx_http_flv_live_mp3_carries(uint8_t codec);


extern const ngx_media_muxer_t  ngx_http_flv_live_muxer;
extern const ngx_media_muxer_t  ngx_http_flv_live_ts_muxer;
extern const ngx_media_muxer_t  ngx_http_flv_live_aac_muxer;
extern const ngx_media_muxer_t  ngx_http_flv_live_mp3_muxer;

extern ngx_module_t  ngx_http_flv_live_module;


#endif /* _NGX_HTTP_FLV_LIVE_H_INCLUDED_ */
