
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: $media_vhost, $media_app, ... in http{}.  In stream{} the protocol
 * modules register them, since this .so knows no ngx_stream_* symbol.
 */


#ifndef _NGX_MEDIA_HTTP_VARIABLE_H_INCLUDED_
#define _NGX_MEDIA_HTTP_VARIABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * For the preconfiguration of an HTTP module: registers all of
 * ngx_media_variables[].  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_media_http_add_variables(ngx_conf_t *cf);


#endif /* _NGX_MEDIA_HTTP_VARIABLE_H_INCLUDED_ */
