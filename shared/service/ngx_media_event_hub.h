
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: private hub of the events: what the files of ngx_media_event_* share.
 */


#ifndef _NGX_MEDIA_EVENT_HUB_H_INCLUDED_
#define _NGX_MEDIA_EVENT_HUB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_media_core.h"
#include "ngx_media_api.h"
#include "ngx_media_event.h"


#define NGX_MEDIA_EVENT_HEALTH    5        /* seconds between two of a stream */


/* a record of the ring: this, vhost, app, stream, json */

typedef struct {
    uint16_t       kind;
    uint16_t       vhost_len;
    uint16_t       app_len;
    uint16_t       stream_len;
} ngx_media_event_record_t;


/* n more of NGX_MEDIA_EVENT_MADE, ... */
#define ngx_media_event_count(which, n)                                       \
    (void) __atomic_fetch_add(&ngx_media_arena()->events[which], n,           \
                              __ATOMIC_RELAXED)

/* A record as it was read; strings point into it.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_media_event_parse(ngx_media_event_t *event, u_char *p,
    size_t n);

/*
 * The health of a source, in memory of pool.  NGX_OK; NGX_DECLINED: it is not
 * live; NGX_ERROR.
 */
ngx_int_t ngx_media_event_health(ngx_media_event_t *event, uint32_t index,
    ngx_pool_t *pool);

/* init_process: ring: some location wants the events of all workers */
ngx_int_t ngx_media_event_init(ngx_uint_t ring);


/* one who listens */

typedef struct {
    ngx_http_request_t  *request;
    ngx_queue_t          queue;       /* worker: all of them */
    ngx_event_t          timer;       /* each second; not cancelable */
    ngx_chain_t         *free;
    ngx_chain_t         *busy;
    uint64_t             next;        /* number of the next event */
    ngx_msec_t           sent;        /* when something was sent last */
    ngx_str_t            vhost;       /* only these; data is NULL: all */
    ngx_str_t            app;
    ngx_str_t            stream;
    ngx_uint_t           kinds;       /* bit set */
    unsigned             ending:1;
    unsigned             done:1;
} ngx_media_event_client_t;


/*
 * Begins to send: the header is out, ctx is zeroed memory of the request's pool
 * with request, filters and next set.  other: the id in Last-Event-ID was of
 * another life of the server.  Returns what a content handler returns.
 */
ngx_int_t ngx_media_event_client_begin(ngx_media_event_client_t *ctx,
    ngx_uint_t other);

/* once, when the worker begins */
void ngx_media_event_clients_init(ngx_cycle_t *cycle);


#endif /* _NGX_MEDIA_EVENT_HUB_H_INCLUDED_ */
