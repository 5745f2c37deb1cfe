
/*
 * Copyright (C) the nginx media suite authors
 *
 * MP3 frames as they are, one behind the other: their headers tell all.
 * Called by the core, once per frame and worker, for all players of a wire.
 */


#include "ngx_http_flv_live.h"


static ngx_int_t ngx_http_flv_live_mp3_frame(ngx_media_wire_t *w,
    const ngx_media_frame_t *f);


const ngx_media_muxer_t  ngx_http_flv_live_mp3_muxer = {
    ngx_string("mp3"),
    0,
    ngx_http_flv_live_no_header,
    ngx_http_flv_live_mp3_frame
};


static ngx_int_t
ngx_http_flv_live_mp3_frame(ngx_media_wire_t *w, const ngx_media_frame_t *f)
{
    if (f->codec != NGX_MEDIA_CODEC_MP3
        || (f->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_EXTRA
                        |NGX_MEDIA_FRAME_EOS))
        || f->size == 0)
    {
        return NGX_DECLINED;
    }

    return ngx_http_flv_live_message(w, NULL, 0, f->data, f->size);
}


/* for formats that need nothing before their first frame */

ngx_int_t
ngx_http_flv_live_no_header(ngx_media_wire_t *w,
    const ngx_media_heads_t *heads, const ngx_media_frame_t *first)
{
    return NGX_OK;
}


ngx_uint_t
ngx_http_flv_live_mp3_carries(uint8_t codec)
{
    return codec == NGX_MEDIA_CODEC_MP3;
}
