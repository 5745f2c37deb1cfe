
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


extern ngx_module_t  ngx_media_http_module;


/* play_wait of the location: ms to wait for a stream that is not live */
ngx_msec_t ngx_media_http_play_wait(ngx_http_request_t *r);


/*
 * The answer to who was refused: the status, or NGX_HTTP_MOVED_TEMPORARILY
 * with its Location where redirect is not empty (copied).
 */
ngx_int_t ngx_media_http_refuse(ngx_http_request_t *r, ngx_int_t status,
    ngx_str_t *redirect);


#endif /* _NGX_MEDIA_HTTP_H_INCLUDED_ */
