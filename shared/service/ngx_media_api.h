
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: private hub of the HTTP API: what its files share.
 *
 *   ngx_media_api_module.c   directive, routes, methods, answers
 *   ngx_media_api_access.c   who may change something, JSONP
 *   ngx_media_api_summary.c  breadcrumbs, versions, summaries
 *   ngx_media_api_stream.c   vhosts, streams
 *   ngx_media_api_client.c   clients
 *   ngx_media_api_list.c     what lists have in common
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

#include "ngx_media_json.h"


/* codes of errors, as SRS has them; HTTP status is 200 */

#define NGX_MEDIA_API_DENIED       1061    /* changes are not allowed */
#define NGX_MEDIA_API_NO_VHOST     2014
#define NGX_MEDIA_API_NO_STREAM    2048
#define NGX_MEDIA_API_NO_CLIENT    2049


typedef struct {
    ngx_http_request_t  *request;
    ngx_str_t            id;          /* what follows the route */
    ngx_uint_t           code;        /* error: {"code":N} is all */
    ngx_media_json_t     json;
} ngx_media_api_t;


/*
 * Handlers: the document is open as far as {"code":0,...,"pid":"N" and is
 * closed behind them.  Each returns NGX_OK; NGX_DECLINED where api->code tells
 * the error; NGX_ERROR.
 */

ngx_int_t ngx_media_api_root(ngx_media_api_t *api);
ngx_int_t ngx_media_api_index(ngx_media_api_t *api);
ngx_int_t ngx_media_api_index_v1(ngx_media_api_t *api);
ngx_int_t ngx_media_api_versions(ngx_media_api_t *api);
ngx_int_t ngx_media_api_summaries(ngx_media_api_t *api);
ngx_int_t ngx_media_api_vhosts(ngx_media_api_t *api);
ngx_int_t ngx_media_api_streams(ngx_media_api_t *api);
ngx_int_t ngx_media_api_clients(ngx_media_api_t *api);

/* DELETE /api/v1/clients/ID */
ngx_int_t ngx_media_api_kick(ngx_media_api_t *api);

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


/* the process that stands for the server: the master where there is one */
ngx_pid_t ngx_media_api_pid(void);


#endif /* _NGX_MEDIA_API_H_INCLUDED_ */
