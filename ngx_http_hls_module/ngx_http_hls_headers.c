
/*
 * Copyright (C) the nginx media suite authors
 *
 * Headers of the answers and how long each may be kept by a cache
 * (draft-pantos-hls-rfc8216bis, B.1: playlists that were waited for six
 * target durations, others half a one; what is named by a number never
 * changes).  Called by whoever answers; values that are made lie in the
 * request's pool.
 */


#include "ngx_http_hls.h"


#define NGX_HTTP_HLS_OBJECT_AGE    600
#define NGX_HTTP_HLS_FOREVER_AGE   86400


/*
 * target: target duration of the playlist, s.  What was said before is taken
 * back: an answer that fails late (a range that is none) is not kept.
 */

ngx_int_t
ngx_http_hls_cache_control(ngx_http_hls_ctx_t *ctx, ngx_uint_t cache,
    uint32_t target)
{
    u_char           *p;
    uint32_t          age;
    ngx_table_elt_t  *h;

    static const ngx_str_t  none = ngx_string("no-cache, no-store");

    h = ctx->cache_control;

    if (h == NULL) {
        h = ngx_media_http_header(ctx->request, "Cache-Control", &none);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ctx->cache_control = h;
    }

    h->value = none;

    switch (cache) {

    case NGX_HTTP_HLS_CACHE_PLAYLIST:
        age = ngx_max(target / 2, 1);
        break;

    case NGX_HTTP_HLS_CACHE_BLOCKED:
        age = ngx_max(target, 1) * 6;
        break;

    case NGX_HTTP_HLS_CACHE_OBJECT:
        age = NGX_HTTP_HLS_OBJECT_AGE;
        break;

    case NGX_HTTP_HLS_CACHE_FOREVER:
        age = NGX_HTTP_HLS_FOREVER_AGE;
        break;

    default: /* NGX_HTTP_HLS_CACHE_NONE */
        return NGX_OK;
    }

    p = ngx_pnalloc(ctx->request->pool,
                    sizeof("max-age=") - 1 + NGX_INT32_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h->value.data = p;
    h->value.len = ngx_sprintf(p, "max-age=%uD", age) - p;

    return NGX_OK;
}


/* etag must live as long as the request */

ngx_int_t
ngx_http_hls_etag(ngx_http_request_t *r, ngx_str_t *etag)
{
    ngx_table_elt_t  *h;

    h = ngx_media_http_header(r, "ETag", etag);
    if (h == NULL) {
        return NGX_ERROR;
    }

    r->headers_out.etag = h;

    return NGX_OK;
}


/* sends header and body; p stays as it is as long as the request lives */

ngx_int_t
ngx_http_hls_send_memory(ngx_http_request_t *r, u_char *p, size_t len)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_exiting) {
        r->keepalive = 0;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = p;
    b->last = p + len;
    b->start = b->pos;
    b->end = b->last;
    b->memory = (len ? 1 : 0);
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
