
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: events: what clients do, and how streams are, as small JSON documents.
 *
 *   ngx_media_event.c         makes them, puts them into the ring of the arena
 *   ngx_media_event_module.c  the location directive media_events
 *   ngx_media_event_client.c  who listens there
 *
 * A sink takes the same events elsewhere (an optional module): each is given
 * to it once, in the worker in which it was made.
 */


#ifndef _NGX_MEDIA_EVENT_H_INCLUDED_
#define _NGX_MEDIA_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_MEDIA_KIND_CONNECT = 0,
    NGX_MEDIA_KIND_CLOSE,
    NGX_MEDIA_KIND_PUBLISH,
    NGX_MEDIA_KIND_UNPUBLISH,
    NGX_MEDIA_KIND_PLAY,
    NGX_MEDIA_KIND_STOP,
    NGX_MEDIA_KIND_HEALTH,
    NGX_MEDIA_KIND_RECORD,
    NGX_MEDIA_KIND_RECORDED,
    NGX_MEDIA_KIND_MAX
} ngx_media_kind_e;


/* strings are good during the call */

typedef struct {
    ngx_uint_t     kind;              /* ngx_media_kind_e */
    ngx_str_t      vhost;
    ngx_str_t      app;
    ngx_str_t      stream;            /* "" of connect and close */
    ngx_str_t      json;
} ngx_media_event_t;


/* never blocks, and calls nothing of the core */

typedef void (*ngx_media_event_sink_pt)(const ngx_media_event_t *event);

#define NGX_MEDIA_EVENT_SINKS     4

/*
 * In init_process of a worker.  health: it wants NGX_MEDIA_KIND_HEALTH too, of
 * streams that are published in this worker.  NGX_OK; NGX_ERROR: too many.
 */
ngx_int_t ngx_media_event_sink(ngx_media_event_sink_pt sink,
    ngx_uint_t health);

/* What became of events that a sink was given, for the metrics. */
void ngx_media_event_taken(uint64_t delivered, uint64_t lost);

/* A file of a recording begins, or is whole. */
struct ngx_media_recording_s;
void ngx_media_event_recording(ngx_uint_t kind,
    const struct ngx_media_recording_s *rec);

/* "publish", ...; as in "event" of the document */
ngx_str_t *ngx_media_event_name(ngx_uint_t kind);


#endif /* _NGX_MEDIA_EVENT_H_INCLUDED_ */
