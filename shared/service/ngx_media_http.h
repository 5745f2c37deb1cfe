
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: what the modules that deliver over HTTP have in common: directives of
 * a location that mean the same for all of them.
 */


#ifndef _NGX_MEDIA_HTTP_H_INCLUDED_
#define _NGX_MEDIA_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_media.h"


extern ngx_module_t  ngx_media_http_module;


/* play_wait of the location: ms to wait for a stream that is not live */
ngx_msec_t ngx_media_http_play_wait(ngx_http_request_t *r);


/* strings from the pool of the request, or its own */

typedef struct {
    ngx_str_t      vhost;
    ngx_str_t      app;
    ngx_str_t      stream;
    ngx_str_t      args;
    ngx_str_t      tcurl;              /* http(s)://HOST/APP */
    ngx_str_t      pageurl;            /* Referer, or "" */
} ngx_media_http_names_t;

/*
 * What a request is about, by the rules of URLs of all protocols: path is
 * /APP/STREAM.EXTENSION.  NGX_OK, or the status (one line logged).
 */
ngx_int_t ngx_media_http_names(ngx_http_request_t *r, ngx_str_t *path,
    ngx_media_http_names_t *names);

typedef struct {
    ngx_str_t      key;
    ngx_str_t      value;
} ngx_media_http_header_t;

/*
 * Adds a header to the answer; neither string is copied.  NULL: no memory.
 * Of a table, which ends with an empty key: NGX_OK or NGX_ERROR.
 */
ngx_table_elt_t *ngx_media_http_header(ngx_http_request_t *r,
    const char *name, const ngx_str_t *value);
ngx_int_t ngx_media_http_headers(ngx_http_request_t *r,
    const ngx_media_http_header_t *header);

/*
 * The answer to who was refused: the status, or NGX_HTTP_MOVED_TEMPORARILY
 * with its Location where redirect is not empty (copied).
 */
ngx_int_t ngx_media_http_refuse(ngx_http_request_t *r, ngx_int_t status,
    ngx_str_t *redirect);


/*
 * The token that r brings beside its URL ("Authorization: Bearer TOKEN"), or
 * "": for session->token and ask->token.
 */
ngx_str_t ngx_media_http_token(ngx_http_request_t *r);

/*
 * Lines of the error log about r tell of its session too, and from now on show
 * the request without its arguments, and without its path where it publishes:
 * tokens and keys are in them.
 */
void ngx_media_http_log(ngx_http_request_t *r);

/*
 * Is the request one that hls_vod or media_recordings of its location answers,
 * though the name of a live stream may have that form too?  Handlers of live
 * streams decline it then.
 */
ngx_uint_t ngx_media_vod_takes(ngx_http_request_t *r);


#endif /* _NGX_MEDIA_HTTP_H_INCLUDED_ */
