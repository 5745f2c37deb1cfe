
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: private hub of the HTTP API: what its files share.
 *
 *   ngx_media_api_module.c   directives, routes, methods, answers
 *   ngx_media_api_access.c   who may change something, JSONP
 *   ngx_media_api_about.c    breadcrumbs, versions, features, echo
 *   ngx_media_api_openapi.c  the description of all of it
 *   ngx_media_api_summary.c  summaries, totals of all workers
 *   ngx_media_api_machine.c  the process and the machine
 *   ngx_media_api_stream.c   vhosts, streams
 *   ngx_media_api_health.c   tracks of one stream
 *   ngx_media_api_client.c   clients
 *   ngx_media_api_relay.c    what is fetched from others and sent to them
 *   ngx_media_record_api.c   recordings, and what is switched on
 *   ngx_media_api_list.c     what lists have in common
 *   ngx_media_metrics.c      Prometheus
 *
 * A request becomes an ngx_media_api_t, a handler of a route writes its part
 * of the document into api->json, and the module sends it.  Everything shown
 * is read from the arena, so that any worker answers for all of them.
 */


#ifndef _NGX_MEDIA_API_H_INCLUDED_
#define _NGX_MEDIA_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_media_core.h"
#include "ngx_media_json.h"


/* codes of errors, as SRS has them; HTTP status is 200 */

#define NGX_MEDIA_API_TEST          100
#define NGX_MEDIA_API_DENIED       1061    /* changes are not allowed */
#define NGX_MEDIA_API_BAD_VALUE    1064    /* of an argument */
#define NGX_MEDIA_API_NO_VHOST     2014
#define NGX_MEDIA_API_NO_STREAM    2048
#define NGX_MEDIA_API_NO_CLIENT    2049

/* and those that it has not */

#define NGX_MEDIA_API_NO_RECORDING 2050
#define NGX_MEDIA_API_RECORDING    2051    /* it is being written */
#define NGX_MEDIA_API_NO_PATH      2052    /* the application has no dvr_path */
#define NGX_MEDIA_API_NO_DISK      2053    /* a file can not be changed */
#define NGX_MEDIA_API_NO_ROOM      2054    /* too many switches */


typedef struct {
    ngx_http_request_t  *request;
    ngx_str_t            id;          /* what follows the route */
    ngx_uint_t           code;        /* error: {"code":N} is all */
    ngx_uint_t           write;       /* media_api write */
    ngx_str_t            callback;    /* of JSONP, or "" */
    ngx_media_json_t     json;
    ngx_int_t            rc;          /* of what it waited for */
    unsigned             whole:1;     /* the handler writes all of it */
    unsigned             ready:1;     /* rc holds */
} ngx_media_api_t;


/*
 * Handlers: the document is open as far as {"code":0,...,"pid":"N" and is
 * closed behind them.  Each returns NGX_OK; NGX_DECLINED where api->code tells
 * the error; NGX_BUSY where a worker could not be asked; NGX_AGAIN where it was
 * parked; NGX_ERROR.
 */

ngx_int_t ngx_media_api_root(ngx_media_api_t *api);
ngx_int_t ngx_media_api_index(ngx_media_api_t *api);
ngx_int_t ngx_media_api_index_v1(ngx_media_api_t *api);
ngx_int_t ngx_media_api_openapi(ngx_media_api_t *api);
ngx_int_t ngx_media_api_versions(ngx_media_api_t *api);
ngx_int_t ngx_media_api_authors(ngx_media_api_t *api);
ngx_int_t ngx_media_api_features(ngx_media_api_t *api);
ngx_int_t ngx_media_api_requests(ngx_media_api_t *api);
ngx_int_t ngx_media_api_errors(ngx_media_api_t *api);
ngx_int_t ngx_media_api_raw(ngx_media_api_t *api);
ngx_int_t ngx_media_api_rusages(ngx_media_api_t *api);
ngx_int_t ngx_media_api_self_proc_stats(ngx_media_api_t *api);
ngx_int_t ngx_media_api_system_proc_stats(ngx_media_api_t *api);
ngx_int_t ngx_media_api_meminfos(ngx_media_api_t *api);
ngx_int_t ngx_media_api_summaries(ngx_media_api_t *api);
ngx_int_t ngx_media_api_vhosts(ngx_media_api_t *api);
ngx_int_t ngx_media_api_streams(ngx_media_api_t *api);
ngx_int_t ngx_media_api_clients(ngx_media_api_t *api);
ngx_int_t ngx_media_api_relays(ngx_media_api_t *api);

/* DELETE of a client: closes it */
ngx_int_t ngx_media_api_kick(ngx_media_api_t *api);

/* POST of a stream with ?action=republish: closes its publisher */
ngx_int_t ngx_media_api_republish(ngx_media_api_t *api);

/* POST of a stream with ?action=record: switches it */
ngx_int_t ngx_media_api_record(ngx_media_api_t *api);
/* POST to the list: of a stream that is named */
ngx_int_t ngx_media_api_record_name(ngx_media_api_t *api);
ngx_int_t ngx_media_api_recordings(ngx_media_api_t *api);
/* DELETE of a recording */
ngx_int_t ngx_media_api_recording_remove(ngx_media_api_t *api);

/*
 * A handler that needs longer returns _park(), and calls _resume() later, in
 * the same worker, with what it would have returned.  The request stays until
 * then, whatever its client does.
 */
ngx_int_t ngx_media_api_park(ngx_media_api_t *api);
void ngx_media_api_resume(ngx_media_api_t *api, ngx_int_t rc);

/* location directive media_metrics: the answer, a status of HTTP or NGX_* */
ngx_int_t ngx_media_metrics_handler(ngx_http_request_t *r);

/*
 * ?callback=NAME: NGX_OK, with an empty string where there is none;
 * NGX_DECLINED: not a name of JavaScript.
 */
ngx_int_t ngx_media_api_callback(ngx_http_request_t *r, ngx_str_t *callback);

/*
 * May this request change something?  write: the location allows changes from
 * everywhere.
 */
ngx_uint_t ngx_media_api_may_change(ngx_http_request_t *r, ngx_uint_t write);


/* lists */

typedef struct {
    ngx_uint_t           start;
    ngx_uint_t           count;
} ngx_media_api_page_t;


#define NGX_MEDIA_API_ID_LEN      12       /* of a vhost or stream, and 0 */

/* a word that another process writes */
#define ngx_media_api_get(p)      __atomic_load_n(p, __ATOMIC_RELAXED)

/* ?start=&count=, within their bounds */
ngx_media_api_page_t ngx_media_api_page(ngx_http_request_t *r);

/* "vid-" and 7 digits of base 36: the same in all workers and for ever */
void ngx_media_api_vhost_id(u_char *id, ngx_str_t *name);

/* "kbps" */
void ngx_media_api_kbps(ngx_media_json_t *j, uint64_t recv, uint64_t send);

/* "url": /APP/STREAM, behind the vhost unless it is the default one */
void ngx_media_api_url(ngx_media_json_t *j, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream);

/* "tcUrl" without user, password and query: everybody may read it */
void ngx_media_api_tcurl(ngx_media_json_t *j, ngx_str_t *url);


/* "link": how the way to a client is; null where nothing knows it */
void ngx_media_api_link(ngx_media_json_t *j, const ngx_media_link_t *link);


/* a header of the request, name in lower case; NULL: it has none */
ngx_str_t *ngx_media_api_find_header(ngx_http_request_t *r, const char *name);


/* sources */

/* what is constant of a source as long as its generation is the same */

typedef struct {
    ngx_media_source_t  *source;
    uint32_t             index;
    uint32_t             generation;
    uint32_t             pub_client;
    uint32_t             pub_generation;
    ngx_uint_t           live;
    u_char               id[NGX_MEDIA_API_ID_LEN];
    ngx_str_t            vhost;
    ngx_str_t            app;
    ngx_str_t            stream;
    ngx_str_t            tcurl;
    u_char               text[4 * NGX_MEDIA_NAME_LEN];
} ngx_media_api_source_t;


/* Fills *s, its strings lie in s->text.  NGX_DECLINED: no source there. */
ngx_int_t ngx_media_api_source(uint32_t idx, ngx_media_api_source_t *s);

/* the live or remembered one of api->id; NGX_DECLINED, api->code is set */
ngx_int_t ngx_media_api_stream_find(ngx_media_api_t *api,
    ngx_media_api_source_t *s);

/* "record": what is recorded of it */
void ngx_media_api_stream_record(ngx_media_json_t *j,
    ngx_media_api_source_t *s);

/* "health": what its tracks and players are like */
void ngx_media_api_health(ngx_media_json_t *j, ngx_media_api_source_t *s);

/* chunks of the arena: payload, descriptors, codec configurations */
int64_t ngx_media_api_chunks(ngx_media_source_t *src);


/* what all workers together are */

typedef struct {
    int64_t     now;                /* ms since the epoch */
    int64_t     rss_kb;
    int64_t     send_bytes;
    int64_t     recv_bytes;
    double      cpu;                /* 1 is one processor */
    ngx_uint_t  workers;
    ngx_uint_t  clients;            /* but those that this server dialled */
} ngx_media_api_totals_t;

void ngx_media_api_totals(ngx_media_api_totals_t *t);


/* the process that stands for the server: the master where there is one */
ngx_pid_t ngx_media_api_pid(void);


#endif /* _NGX_MEDIA_API_H_INCLUDED_ */
