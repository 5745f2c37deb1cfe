
/*
 * Copyright (C) the nginx media suite authors
 *
 * MPEG-TS for players over HTTP: the core's muxer, in our framing.
 */


#include "ngx_http_flv_live.h"
#include "ngx_media_ts_wire.h"


static ngx_int_t ngx_http_flv_live_ts_frame(ngx_media_wire_t *w,
    const ngx_media_frame_t *f);
static ngx_int_t ngx_http_flv_live_ts_message(ngx_media_wire_t *w,
    const u_char *p, size_t n);


const ngx_media_muxer_t  ngx_http_flv_live_ts_muxer = {
    ngx_string("ts"),
    sizeof(ngx_media_ts_wire_t),
    ngx_http_flv_live_no_header,
    ngx_http_flv_live_ts_frame
};


static ngx_int_t
ngx_http_flv_live_ts_frame(ngx_media_wire_t *w, const ngx_media_frame_t *f)
{
    return ngx_media_ts_wire_frame(w, f, ngx_http_flv_live_ts_message);
}


static ngx_int_t
ngx_http_flv_live_ts_message(ngx_media_wire_t *w, const u_char *p, size_t n)
{
    return ngx_http_flv_live_message(w, NULL, 0, p, n);
}


ngx_uint_t
ngx_http_flv_live_ts_carries(uint8_t codec)
{
    return ngx_media_ts_type(codec) != 0;
}
