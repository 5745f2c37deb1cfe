
/*
 * Copyright (C) the nginx media suite authors
 *
 * Frames into FLV tags (Adobe FLV 10.1, annex E; Enhanced RTMP v1 and v2).
 * Called by the core, once per frame and worker, for all players of a wire.
 *
 * The file header is not written here but by each player for itself, when it
 * knows the tracks: a player may start before all of them have come.
 *
 * Each tag is one message of the wire.
 */


#include "ngx_http_flv_live.h"
#include "ngx_media_flv.h"


/* framing, tag header and all of a body before the payload */

#define NGX_HTTP_FLV_LIVE_TAG_MAX                                             \
    (NGX_HTTP_FLV_LIVE_FRAMING_START + NGX_MEDIA_FLV_TAG_SIZE                 \
     + NGX_MEDIA_FLV_MAX_BODY_HEADER)


static ngx_int_t ngx_http_flv_live_mux_header(ngx_media_wire_t *w,
    const ngx_media_heads_t *heads, const ngx_media_frame_t *first);
static ngx_int_t ngx_http_flv_live_mux_frame(ngx_media_wire_t *w,
    const ngx_media_frame_t *f);
static ngx_int_t ngx_http_flv_live_mux_tag(ngx_media_wire_t *w,
    const ngx_media_frame_t *f, int64_t dts);


const ngx_media_muxer_t  ngx_http_flv_live_muxer = {
    ngx_string("flv"),
    0,
    ngx_http_flv_live_mux_header,
    ngx_http_flv_live_mux_frame
};


static ngx_int_t
ngx_http_flv_live_mux_header(ngx_media_wire_t *w,
    const ngx_media_heads_t *heads, const ngx_media_frame_t *first)
{
    int64_t                   dts;
    ngx_uint_t                i;
    const ngx_media_frame_t  *f;

    for (i = 0; i < heads->nframes; i++) {
        f = &heads->frames[i];

        dts = first ? first->dts : f->dts;

        if (ngx_http_flv_live_mux_tag(w, f, dts) == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_flv_live_mux_frame(ngx_media_wire_t *w, const ngx_media_frame_t *f)
{
    return ngx_http_flv_live_mux_tag(w, f, f->dts);
}


static ngx_int_t
ngx_http_flv_live_mux_tag(ngx_media_wire_t *w, const ngx_media_frame_t *f,
    int64_t dts)
{
    int                             n;
    u_char                         *p;
    u_char                          body[NGX_MEDIA_FLV_MAX_BODY_HEADER];
    u_char                          head[NGX_HTTP_FLV_LIVE_TAG_MAX];
    u_char                          tail[NGX_MEDIA_FLV_PREV_SIZE
                                         + NGX_HTTP_FLV_LIVE_FRAMING_END];
    uint32_t                        framing;
    unsigned                        mode;
    ngx_media_flv_tag_t             tag;
    const ngx_media_wire_params_t  *params;

    params = ngx_media_wire_params(w);

    framing = params->opt[NGX_HTTP_FLV_LIVE_OPT_FRAMING];

    switch (params->opt[NGX_HTTP_FLV_LIVE_OPT_HEVC]) {

    case NGX_HTTP_FLV_LIVE_HEVC_LEGACY:
        mode = NGX_MEDIA_FLV_HEVC_LEGACY;
        break;

    case NGX_HTTP_FLV_LIVE_HEVC_ENHANCED:
        mode = 0;
        break;

    default:
        mode = (f->flags & NGX_MEDIA_FRAME_LEGACY) ? NGX_MEDIA_FLV_HEVC_LEGACY
                                                   : 0;
        break;
    }

    n = ngx_media_flv_body_write(body, f, mode);

    if (n < 0 || f->size > (uint32_t) (NGX_MEDIA_FLV_MAX_SIZE - n)) {
        return NGX_DECLINED;
    }

    ngx_memzero(&tag, sizeof(ngx_media_flv_tag_t));

    tag.type = ngx_media_flv_type(f->codec);
    tag.size = (uint32_t) n + f->size;

    /* libavformat takes metadata of a later time for subtitles */

    tag.ms = (f->flags & NGX_MEDIA_FRAME_META)
             ? 0 : (uint32_t) ngx_media_ms(dts);

    p = ngx_http_flv_live_framing_start(head, framing,
                                        (size_t) NGX_MEDIA_FLV_TAG_SIZE
                                        + tag.size + NGX_MEDIA_FLV_PREV_SIZE);
    p = ngx_media_flv_tag_write(p, &tag);
    p = ngx_cpymem(p, body, n);

    if (ngx_media_wire_write(w, head, p - head) != NGX_OK) {
        return NGX_ERROR;
    }

    if (f->size && ngx_media_wire_write(w, f->data, f->size) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_media_flv_prev_size_write(tail, tag.size);
    p = ngx_http_flv_live_framing_end(p, framing);

    return ngx_media_wire_write(w, tail, p - tail);
}


u_char *
ngx_http_flv_live_flv_prologue(u_char *p, uint32_t tracks)
{
    int  audio, video;

    /* audio tracks have odd numbers, video even ones; 15 is data */

    tracks &= ~((uint32_t) 1 << NGX_MEDIA_TRACK_SCRIPT);

    video = (tracks & 0x55555555) != 0;
    audio = (tracks & 0xaaaaaaaa) != 0;

    return ngx_media_flv_header_write(p, audio, video);
}
