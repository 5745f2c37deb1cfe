
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: values in media{} with variables in them.  A source has no request to
 * evaluate them in, so that nginx's own variables do not work there; these do:
 *
 *     $media_vhost $media_app $media_stream $media_args $media_arg_NAME
 *     $media_protocol $media_client_id $hostname $pid $msec $time_iso8601
 *
 * each also as ${name}.  Compiled when the configuration is read, and
 * evaluated with the texts of a client or a source.  Where the caller says
 * so, fields in square brackets are filled in as well.
 *
 * Ownership: what is compiled belongs to the configuration, results to the
 * pool that is given.
 */


#ifndef _NGX_MEDIA_VALUE_H_INCLUDED_
#define _NGX_MEDIA_VALUE_H_INCLUDED_


#include "ngx_media_core.h"


typedef struct ngx_media_value_s  ngx_media_value_t;


/* for parts of URLs: what is filled in is escaped (RFC 3986, section 2) */

#define NGX_MEDIA_VALUE_URL       0x01

/* and does not end a key of a stream id: no ",", "?", "{" or "}", escaped or
   not */

#define NGX_MEDIA_VALUE_ITEM      0x02


/*
 * Compiles source; fields are names of what may stand in square brackets, up
 * to an empty one, or NULL.  *out is NULL where there is nothing to fill in.
 * Returns NULL, or a text for ngx_conf_log_error().
 */
char *ngx_media_value_compile(ngx_conf_t *cf, ngx_str_t *source,
    const ngx_str_t *fields, ngx_media_value_t **out);

/*
 * text: by ngx_media_text_e.  values: of the fields, in their order, which go
 * in as they are, or NULL.  NGX_OK; NGX_ERROR: no memory; NGX_DECLINED: what
 * is filled in is not as the flags want it.
 */
ngx_int_t ngx_media_value_eval(const ngx_media_value_t *value,
    const ngx_str_t *text, const ngx_str_t *values, ngx_uint_t flags,
    ngx_pool_t *pool, ngx_str_t *out);


#endif /* _NGX_MEDIA_VALUE_H_INCLUDED_ */
