
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: HTTP hooks: a back end is asked who may connect, publish and play, and
 * is told what happened.  Requests and answers are those of SRS, or of
 * nginx-rtmp or Oryx where hook_format says so.
 *
 *   ngx_media_hook_conf.c       directives
 *   ngx_media_hook_event.c      what an event is about, and its body
 *   ngx_media_hook_send.c       a message for one URL, its signature
 *   ngx_media_hook_target.c     is a back end there?  one line when it is not
 *   ngx_media_hook_verdict.c    what an answer means
 *   ngx_media_hook_guard.c      on_connect, on_publish, on_play: asked
 *   ngx_media_hook_cache.c      hook_cache
 *   ngx_media_hook_queue.c      all others: told, in order, again if need be
 *   ngx_media_hook_told.c       on_close, on_unpublish, on_stop
 *   ngx_media_hook_file.c       on_hls, on_hls_notify, on_dvr
 *   ngx_media_hook_forward.c    on_forward
 *   ngx_media_hook_update.c     on_update
 *   ngx_media_hook_heartbeat.c  heartbeat
 *
 * Everything here belongs to one worker; nothing blocks it.  Bodies, arguments
 * and answers may hold secrets: none of them is ever logged.
 */


#ifndef _NGX_MEDIA_HOOK_H_INCLUDED_
#define _NGX_MEDIA_HOOK_H_INCLUDED_


#include "ngx_media_core.h"
#include "ngx_media_hook_answer.h"
#include "ngx_media_value.h"
#include "ngx_media_web.h"


typedef enum {
    NGX_MEDIA_HOOK_CONNECT = 0,
    NGX_MEDIA_HOOK_CLOSE,
    NGX_MEDIA_HOOK_PUBLISH,
    NGX_MEDIA_HOOK_UNPUBLISH,
    NGX_MEDIA_HOOK_PLAY,
    NGX_MEDIA_HOOK_STOP,
    NGX_MEDIA_HOOK_DVR,
    NGX_MEDIA_HOOK_HLS,
    NGX_MEDIA_HOOK_HLS_NOTIFY,
    NGX_MEDIA_HOOK_FORWARD,
    NGX_MEDIA_HOOK_UPDATE,
    NGX_MEDIA_HOOK_MAX
} ngx_media_hook_e;


#define NGX_MEDIA_HOOK_SRS         0
#define NGX_MEDIA_HOOK_RTMP        1
#define NGX_MEDIA_HOOK_ORYX        2

#define NGX_MEDIA_HOOK_DENY        0
#define NGX_MEDIA_HOOK_ALLOW       1

#define NGX_MEDIA_HOOK_QUEUE       1000     /* messages of one URL */
#define NGX_MEDIA_HOOK_ANSWER      65536    /* bytes of an answer */
#define NGX_MEDIA_HOOK_WARN        60       /* s between the same warnings */
#define NGX_MEDIA_HOOK_AGAIN       100      /* ms, doubled each time */
#define NGX_MEDIA_HOOK_AGAIN_MAX   1000


/* a back end as this worker sees it, for as long as the worker lives */

typedef struct ngx_media_hook_target_s  ngx_media_hook_target_t;


/* one URL of a directive */

typedef struct {
    ngx_media_web_url_t       *url;
    ngx_media_value_t         *path;      /* NULL: nothing to fill in */
    ngx_media_hook_target_t   *target;    /* worker; when it was used once */
} ngx_media_hook_url_t;


typedef struct {
    ngx_array_t   *urls[NGX_MEDIA_HOOK_MAX];  /* of ngx_media_hook_url_t */
    ngx_msec_t     update;
    ngx_msec_t     timeout;
    ngx_msec_t     queue;
    ngx_msec_t     cache;
    ngx_uint_t     retry;
    ngx_uint_t     fail;                      /* NGX_MEDIA_HOOK_DENY, _ALLOW */
    ngx_uint_t     format;                    /* NGX_MEDIA_HOOK_SRS, ... */
    ngx_str_t      secret;
} ngx_media_hook_conf_t;


typedef struct {
    ngx_media_hook_url_t       heartbeat;     /* url is NULL: none */
    ngx_msec_t                 interval;
    ngx_uint_t                 updates;       /* somewhere on_update is set */
    ngx_uint_t                 segments;      /* on_hls or on_hls_notify */
} ngx_media_hook_main_conf_t;


extern ngx_module_t  ngx_media_hook_policy_module;


/* the names of events: "on_connect" */
extern const ngx_str_t  ngx_media_hook_names[];

/* fields of an on_hls_notify URL, up to an empty one */
extern const ngx_str_t  ngx_media_hook_fields[];

#define NGX_MEDIA_HOOK_FIELD_SERVER   0
#define NGX_MEDIA_HOOK_FIELD_SERVICE  1
#define NGX_MEDIA_HOOK_FIELD_APP      2
#define NGX_MEDIA_HOOK_FIELD_STREAM   3
#define NGX_MEDIA_HOOK_FIELD_TS_URL   4
#define NGX_MEDIA_HOOK_FIELD_PARAM    5
#define NGX_MEDIA_HOOK_FIELD_MAX      6


/* --- configuration (ngx_media_hook_conf.c) ------------------------------ */

#define ngx_media_hook_conf_of(conf)                                          \
    ((ngx_media_hook_conf_t *) (conf)[ngx_media_hook_policy_module.ctx_index])

ngx_media_hook_main_conf_t *ngx_media_hook_main_conf(void);


/* --- events (ngx_media_hook_event.c) ------------------------------------ */

/* strings are the caller's */

typedef struct {
    ngx_uint_t     event;                 /* ngx_media_hook_e */
    ngx_uint_t     type;                  /* ngx_media_client_type_e */
    ngx_str_t      text[NGX_MEDIA_TEXT_MAX];
    uint64_t       sent;                  /* bytes */
    uint64_t       received;
    uint64_t       duration;              /* ms since it was allowed */
    ngx_uint_t     publish;               /* on_update: a publisher */

    /* on_dvr, on_hls, on_hls_notify */
    ngx_str_t      file;
    ngx_str_t      url;
    ngx_str_t      uri;                   /* as the playlist has it */
    ngx_str_t      m3u8;
    ngx_str_t      m3u8_url;
    uint64_t       seq;
    ngx_msec_t     length;                /* ms */

    /* what differs each time is left out: the body is a key */
    unsigned       key:1;
} ngx_media_hook_event_t;

/* The texts of an entry of the table; they lie in there. */
void ngx_media_hook_event_client(ngx_media_hook_event_t *e,
    ngx_media_client_t *client);

/*
 * The body of an event in the format of conf.  NGX_OK; NGX_DECLINED: the
 * format knows no such event; NGX_ERROR.
 */
ngx_int_t ngx_media_hook_body(ngx_pool_t *pool, ngx_media_hook_conf_t *conf,
    const ngx_media_hook_event_t *e, ngx_str_t *body);

/* --- messages (ngx_media_hook_send.c) ----------------------------------- */

typedef struct {
    ngx_media_hook_conf_t  *conf;
    ngx_media_hook_url_t   *url;
    ngx_str_t               path;         /* "": that of the URL */
    ngx_str_t               body;
    ngx_uint_t              get;          /* GET without a body */
} ngx_media_hook_message_t;

/* What one URL is sent; strings from pool.  As ngx_media_hook_body(). */
ngx_int_t ngx_media_hook_message(ngx_pool_t *pool,
    ngx_media_hook_conf_t *conf, ngx_media_hook_url_t *url,
    const ngx_media_hook_event_t *e, ngx_media_hook_message_t *m);

/* Signs and sends it; NULL as ngx_media_web_send(). */
ngx_media_web_t *ngx_media_hook_send(const ngx_media_hook_message_t *m,
    ngx_log_t *log, void (*done)(void *data, ngx_media_web_answer_t *a),
    void *data);

/* hook_retry: ms to wait when it was asked again so many times already. */
ngx_msec_t ngx_media_hook_again(ngx_uint_t tries);


/* --- back ends (ngx_media_hook_target.c) -------------------------------- */

/* a message that waits; one block of memory */

typedef struct {
    ngx_queue_t               queue;
    ngx_media_hook_message_t  message;
    ngx_msec_t                since;
    ngx_uint_t                event;
    u_char                    client[NGX_MEDIA_ID_LEN + 1];
    unsigned                  tried:1;
} ngx_media_hook_entry_t;

struct ngx_media_hook_target_s {
    ngx_queue_t               queue;      /* of all */
    ngx_media_web_url_t      *url;

    ngx_queue_t               entries;    /* of ngx_media_hook_entry_t */
    ngx_uint_t                nentries;
    ngx_media_web_t          *web;        /* the first one is under way */
    ngx_event_t               timer;      /* until it is tried again */
    ngx_connection_t          dummy;
    ngx_msec_t                backoff;

    time_t                    since;      /* it does not answer */
    time_t                    said;       /* that it does not, as a warning */
    time_t                    warned;     /* of a queue that is full */
    ngx_uint_t                dropped;    /* since the last line about it */
    unsigned                  down:1;
    unsigned                  quiet:1;    /* down, and nobody was warned */
};

/* That of a URL, made when there is none.  NULL: no memory. */
ngx_media_hook_target_t *ngx_media_hook_target(ngx_media_hook_url_t *url);
ngx_queue_t *ngx_media_hook_targets(void);

/* one more of NGX_MEDIA_HOOK_SENT, ... */
#define ngx_media_hook_count(n)                                               \
    (void) __atomic_fetch_add(&ngx_media_arena()->hooks[n], 1,                \
                              __ATOMIC_RELAXED)

/* It gave no answer (error is static text or NULL), or it gave one. */
void ngx_media_hook_failed(ngx_media_hook_target_t *t,
    ngx_media_web_answer_t *a);
void ngx_media_hook_answered(ngx_media_hook_target_t *t);


/* --- answers (ngx_media_hook_verdict.c) --------------------------------- */

/* what the back end says; strings lie in the pool that was given */

typedef struct {
    ngx_int_t      rc;                    /* NGX_OK, NGX_DECLINED */
    ngx_str_t      stream;
    ngx_str_t      redirect;
    ngx_msec_t     lifetime;
    ngx_int_t      record;                /* 1, 0, NGX_CONF_UNSET */
} ngx_media_hook_verdict_t;

/* NGX_OK: *v is set; NGX_AGAIN: there is no verdict; NGX_ERROR: no memory. */
ngx_int_t ngx_media_hook_verdict(ngx_pool_t *pool,
    ngx_media_hook_conf_t *conf, ngx_media_web_answer_t *a,
    ngx_media_hook_verdict_t *v);

/* No answer, or one that says nothing about the question. */
ngx_uint_t ngx_media_hook_none(ngx_media_web_answer_t *a);


/* --- hook_cache (ngx_media_hook_cache.c) -------------------------------- */

#define NGX_MEDIA_HOOK_KEY_LEN    32

/* The key of a question to one URL.  NGX_OK, NGX_ERROR. */
ngx_int_t ngx_media_hook_cache_key(ngx_pool_t *pool,
    ngx_media_hook_conf_t *conf, ngx_media_hook_message_t *m,
    const ngx_media_hook_event_t *e, u_char *key);

/* NGX_OK: *v is set, its strings lie in pool; NGX_DECLINED; NGX_ERROR. */
ngx_int_t ngx_media_hook_cache_get(ngx_pool_t *pool, const u_char *key,
    ngx_media_hook_verdict_t *v);
void ngx_media_hook_cache_put(const u_char *key, ngx_msec_t valid,
    const ngx_media_hook_verdict_t *v);
void ngx_media_hook_cache_exit(void);


/* --- asking (ngx_media_hook_guard.c) ------------------------------------ */

extern const ngx_media_guard_t  ngx_media_hook_guard;


/* --- telling (ngx_media_hook_queue.c, _told.c, _file.c, _update.c) ------ */

/* Queues an event for all of its URLs. */
void ngx_media_hook_tell(ngx_media_hook_conf_t *conf,
    const ngx_media_hook_event_t *e, ngx_log_t *log);
void ngx_media_hook_queue_exit(void);

void ngx_media_hook_told(const ngx_media_told_t *told);

void ngx_media_hook_file_publish(ngx_media_source_t *src);
void ngx_media_hook_file_segment(const ngx_media_segment_event_t *event);
void ngx_media_hook_file_tick(void);
void ngx_media_hook_file_exit(void);

void ngx_media_hook_update_second(void);

void ngx_media_hook_heartbeat_init(ngx_cycle_t *cycle);


/* --- for recordings and relays ------------------------------------------ */

/*
 * on_dvr: a recording is whole.  publisher: the entry of its publisher, copied
 * by ngx_media_client_snapshot() while there was one.
 */
void ngx_media_hook_dvr(ngx_media_client_t *publisher, ngx_str_t *file);

/*
 * on_forward: asks where a publish shall be sent to.  done() is called once,
 * never from inside: rc is NGX_OK (urls, maybe none, valid during the call),
 * NGX_DECLINED (the back end refuses) or NGX_ERROR (it gives no answer, after
 * hook_retry).  Returns NULL where nothing is configured, or without memory.
 * It is gone when done() returns, or with _cancel(), which may not be called
 * from inside of done().
 */
typedef struct ngx_media_hook_forward_s  ngx_media_hook_forward_t;

typedef void (*ngx_media_hook_forward_pt)(void *data, ngx_int_t rc,
    ngx_str_t *urls, ngx_uint_t n);

ngx_media_hook_forward_t *ngx_media_hook_forward(
    ngx_media_client_t *publisher, ngx_media_hook_forward_pt done,
    void *data);
void ngx_media_hook_forward_cancel(ngx_media_hook_forward_t *f);


#endif /* _NGX_MEDIA_HOOK_H_INCLUDED_ */
