
/*
 * Copyright (C) the nginx media suite authors
 *
 * The hub of the HTTP module that serves HLS and DASH: playlists, segments,
 * parts, init segments and keys of what the packager keeps in the arena.  Cut
 * like this:
 *
 *   _module.c    directives, names, methods: which request is ours
 *   _request.c   the life of one request: answered, or parked until it can be
 *   _output.c    what this worker keeps of an output; who waits for what
 *   _playlist.c  playlists: written once per worker and version, gzip
 *   _master.c    multivariant playlists, groups
 *   _session.c   viewers and their ids
 *   _object.c    segments and the like: a cache, or straight from the arena
 *   _chunks.c    the open segment, part by part as they come (DASH)
 *   _headers.c   headers of answers
 *
 * One ngx_http_hls_ctx_t per request, in the request's pool; a cleanup of
 * that pool gives back what it holds.  RFC 8216; draft-pantos-hls-rfc8216bis,
 * sections 6.2 and B.1.
 */


#ifndef _NGX_HTTP_HLS_H_INCLUDED_
#define _NGX_HTTP_HLS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_media_hls.h"
#include "ngx_media_http.h"
#include "ngx_media_m3u8.h"


/* a whole segment, where a number of a part stands */
#define NGX_HTTP_HLS_WHOLE         0xffffffffu
/* that part, or the end of its segment where it has none of that number */
#define NGX_HTTP_HLS_OR_END        0x80000000u

/* playlists of one output that are kept in their different forms */
#define NGX_HTTP_HLS_TEXTS         16

/* waiting without anybody who tells: how often is looked, ms */
#define NGX_HTTP_HLS_POLL          200

/* waiting for what is to come: target durations */
#define NGX_HTTP_HLS_WAIT_TARGETS  3

/* waiting for the first playlist, ms at least */
#define NGX_HTTP_HLS_FIRST_WAIT    10000


/* what an attempt to answer may say: other codes of nginx have a meaning */
#define NGX_HTTP_HLS_PARK          NGX_DECLINED


typedef struct ngx_http_hls_ctx_s     ngx_http_hls_ctx_t;
typedef struct ngx_http_hls_output_s  ngx_http_hls_output_t;
typedef struct ngx_http_hls_object_s  ngx_http_hls_object_t;


typedef struct {
    ngx_flag_t                   enable;

    /* where the directive stands, if it stands in this location */
    ngx_str_t                    file;
    ngx_uint_t                   line;
} ngx_http_hls_loc_conf_t;


/* bytes that several requests send, freed with the last of them */

typedef struct {
    ngx_uint_t                   refs;
    size_t                       size;
    u_char                      *data;
    ngx_str_t                    etag;
} ngx_http_hls_blob_t;


typedef enum {
    NGX_HTTP_HLS_TEXT_MEDIA = 0,
    NGX_HTTP_HLS_TEXT_DELTA,
    NGX_HTTP_HLS_TEXT_MASTER,
    NGX_HTTP_HLS_TEXT_MPD
} ngx_http_hls_text_e;


/* a playlist in one form */

typedef struct {
    ngx_queue_t                  queue;       /* in its output; last used first
                                               */
    ngx_uint_t                   kind;
    ngx_uint_t                   rendition;
    uint64_t                     version;
    uint32_t                     target;      /* s */
    ngx_http_hls_blob_t         *plain;
    ngx_http_hls_blob_t         *gzip;        /* NULL: not yet asked for */
    size_t                       args_len;
    u_char                       args[64];    /* behind each URI */
} ngx_http_hls_text_t;


/* what this worker keeps of an output; hls->data */

struct ngx_http_hls_output_s {
    ngx_media_hls_t             *hls;
    ngx_media_hls_watch_t        watch;       /* while refs */
    ngx_uint_t                   refs;        /* requests */
    uint32_t                     target;      /* s, constant; 0: not seen */
    ngx_queue_t                  dues;        /* of ngx_http_hls_due_t */
    ngx_queue_t                  texts;
    ngx_uint_t                   ntexts;
    ngx_queue_t                  objects;
};


/* those who wait for the same part */

typedef struct {
    ngx_queue_t                  queue;       /* in its output */
    ngx_queue_t                  requests;    /* of ngx_http_hls_ctx_t.wait */
    ngx_uint_t                   rendition;
    uint64_t                     msn;
    uint32_t                     part;        /* or NGX_HTTP_HLS_WHOLE */
} ngx_http_hls_due_t;


struct ngx_http_hls_ctx_s {
    ngx_http_request_t          *request;
    ngx_http_hls_output_t       *output;      /* held */
    ngx_media_hls_conf_t        *conf;        /* policy of the application */

    ngx_str_t                    vhost;       /* as sources have it */
    ngx_str_t                    app;
    ngx_str_t                    stream;
    ngx_media_http_names_t       names;       /* as the URL has them */
    ngx_str_t                    escaped;     /* stream, as it is in URIs */
    ngx_str_t                    args;        /* behind URIs of playlists */
    ngx_media_hls_name_t         name;
    ngx_media_hls_query_t        query;

    /* parked */
    ngx_queue_t                  wait;
    ngx_http_hls_due_t          *due;         /* NULL: only the timer runs */
    ngx_event_t                  timer;       /* holds the worker too */
    ngx_msec_t                   deadline;
    ngx_uint_t                   want;        /* rendition */
    uint64_t                     want_msn;
    uint32_t                     want_part;

    /* large objects: 64 KB after 64 KB */
    ngx_media_hls_object_t       object;
    ngx_chain_t                 *free;
    ngx_chain_t                 *busy;
    uint32_t                     chunk;       /* open segment: part to send */

    u_char                       viewer[NGX_MEDIA_VIEWER_ID];
                                              /* begins with 0: none */
    ngx_media_ask_t             *ask;         /* may it play? */

    ngx_http_hls_blob_t         *blob;        /* held */
    ngx_http_hls_object_t       *cached;      /* held */
    ngx_table_elt_t             *cache_control;    /* of the answer, once set
                                                    */

    unsigned                     parked:1;
    unsigned                     poll:1;      /* nobody tells */
    unsigned                     private:1;   /* of one viewer alone */
    unsigned                     once:1;      /* not kept by this worker */
    unsigned                     unknown:1;   /* nobody has that id */
    unsigned                     entered:1;   /* args have the id */
    unsigned                     chunked:1;   /* sends an open segment */
};


/* Cache-Control of an answer */

typedef enum {
    NGX_HTTP_HLS_CACHE_NONE = 0,
    NGX_HTTP_HLS_CACHE_PLAYLIST,       /* half a target duration */
    NGX_HTTP_HLS_CACHE_BLOCKED,        /* six of them */
    NGX_HTTP_HLS_CACHE_OBJECT,
    NGX_HTTP_HLS_CACHE_FOREVER
} ngx_http_hls_cache_e;


/* _request.c */

ngx_int_t ngx_http_hls_request(ngx_http_request_t *r,
    ngx_media_hls_name_t *name);
/* asks to be parked: NGX_HTTP_HLS_PARK, which the caller returns */
ngx_int_t ngx_http_hls_want(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition,
    uint64_t msn, uint32_t part);
ngx_int_t ngx_http_hls_want_poll(ngx_http_hls_ctx_t *ctx);
/* finalizes; the request may be gone afterwards */
void ngx_http_hls_finish(ngx_http_hls_ctx_t *ctx, ngx_int_t rc);
/* fills ctx->escaped and ctx->args */
ngx_int_t ngx_http_hls_args(ngx_http_hls_ctx_t *ctx);
ngx_int_t ngx_http_hls_escape(ngx_pool_t *pool, ngx_str_t *src,
    ngx_str_t *dst);
void ngx_http_hls_wake(ngx_http_hls_ctx_t *ctx);

/* _output.c */

ngx_http_hls_output_t *ngx_http_hls_output(ngx_media_hls_t *hls);
void ngx_http_hls_output_ref(ngx_http_hls_output_t *output);
void ngx_http_hls_output_unref(ngx_http_hls_output_t *output);
ngx_int_t ngx_http_hls_due_add(ngx_http_hls_ctx_t *ctx);
void ngx_http_hls_due_remove(ngx_http_hls_ctx_t *ctx);
ngx_uint_t ngx_http_hls_due_passed(uint64_t msn, uint32_t part,
    uint64_t edge_msn, uint32_t edge_part, ngx_uint_t closed);

/* _playlist.c */

ngx_int_t ngx_http_hls_media(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition);
ngx_media_hls_view_t *ngx_http_hls_view(ngx_media_hls_t *hls, ngx_uint_t i);
/* target duration, s; 0: not known yet */
uint32_t ngx_http_hls_target(ngx_http_hls_output_t *output, ngx_uint_t i);
/* room for n bytes, until the next call; NULL: no memory */
u_char *ngx_http_hls_scratch(size_t n);
ngx_http_hls_text_t *ngx_http_hls_text_find(ngx_http_hls_ctx_t *ctx,
    ngx_uint_t kind, ngx_uint_t rendition, uint64_t version);
ngx_int_t ngx_http_hls_text_send(ngx_http_hls_ctx_t *ctx, ngx_uint_t kind,
    ngx_uint_t rendition, uint64_t version, u_char *p, size_t len,
    uint32_t target, ngx_uint_t cache);
ngx_int_t ngx_http_hls_text_answer(ngx_http_hls_ctx_t *ctx,
    ngx_http_hls_text_t *text, ngx_uint_t cache);
void ngx_http_hls_texts_free(ngx_http_hls_output_t *output);
void ngx_http_hls_blob_unref(ngx_http_hls_blob_t *blob);
void ngx_http_hls_playlist_exit(void);

/* _master.c */

ngx_int_t ngx_http_hls_master(ngx_http_hls_ctx_t *ctx);
ngx_int_t ngx_http_hls_mpd(ngx_http_hls_ctx_t *ctx);
ngx_media_hls_group_t *ngx_http_hls_group_find(ngx_http_hls_ctx_t *ctx);
ngx_int_t ngx_http_hls_group(ngx_http_hls_ctx_t *ctx,
    ngx_media_hls_group_t *group);

/* _session.c */

ngx_int_t ngx_http_hls_permit(ngx_http_hls_ctx_t *ctx);
ngx_int_t ngx_http_hls_session_enter(ngx_http_hls_ctx_t *ctx);
ngx_int_t ngx_http_hls_session_member(ngx_http_hls_ctx_t *ctx);
ngx_int_t ngx_http_hls_session_uri(ngx_http_hls_ctx_t *ctx, ngx_str_t *uri);
void ngx_http_hls_session_sent(ngx_http_hls_ctx_t *ctx, uint64_t sent);

/* _object.c */

ngx_int_t ngx_http_hls_object(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition);
ngx_int_t ngx_http_hls_init(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition);
ngx_int_t ngx_http_hls_key(ngx_http_hls_ctx_t *ctx);
void ngx_http_hls_object_unref(ngx_http_hls_object_t *object);
void ngx_http_hls_objects_orphan(ngx_http_hls_output_t *output);

/* _chunks.c */

ngx_int_t ngx_http_hls_chunks(ngx_http_hls_ctx_t *ctx, ngx_uint_t rendition);

/* _headers.c */

ngx_int_t ngx_http_hls_cache_control(ngx_http_hls_ctx_t *ctx,
    ngx_uint_t cache, uint32_t target);
ngx_int_t ngx_http_hls_etag(ngx_http_request_t *r, ngx_str_t *etag);
ngx_int_t ngx_http_hls_send_memory(ngx_http_request_t *r, u_char *p,
    size_t len);


extern ngx_module_t  ngx_http_hls_module;


#endif /* _NGX_HTTP_HLS_H_INCLUDED_ */
