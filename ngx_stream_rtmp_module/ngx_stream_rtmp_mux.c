
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: the muxer of RTMP players: each frame becomes one whole message with a
 * header of format 0, so that nothing depends on what was sent before and
 * every player that has the same chunk size and message stream id can be sent
 * the same bytes, from any frame on.
 *
 * Called by the core inside a wire; bytes go to ngx_media_wire_write().
 *
 * Adobe RTMP specification 1.0, sections 5.3.1 and 7.1.
 */


#include "ngx_stream_rtmp.h"


static ngx_int_t ngx_stream_rtmp_mux_header(ngx_media_wire_t *w,
    const ngx_media_heads_t *heads, const ngx_media_frame_t *first);
static ngx_int_t ngx_stream_rtmp_mux_frame(ngx_media_wire_t *w,
    const ngx_media_frame_t *f);
static ngx_int_t ngx_stream_rtmp_mux_write(ngx_media_wire_t *w,
    const ngx_media_frame_t *f, uint32_t ts);


const ngx_media_muxer_t  ngx_stream_rtmp_muxer = {
    ngx_string("rtmp"),
    0,
    ngx_stream_rtmp_mux_header,
    ngx_stream_rtmp_mux_frame
};


/* metadata, and configurations with the time of what follows them */

static ngx_int_t
ngx_stream_rtmp_mux_header(ngx_media_wire_t *w,
    const ngx_media_heads_t *heads, const ngx_media_frame_t *first)
{
    uint32_t                  ts;
    ngx_int_t                 rc;
    ngx_uint_t                i;
    const ngx_media_frame_t  *f;

    ts = first ? (uint32_t) ngx_media_ms(first->dts) : 0;

    for (i = 0; i < heads->nframes; i++) {
        f = &heads->frames[i];

        rc = ngx_stream_rtmp_mux_write(w, f, ts);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_mux_frame(ngx_media_wire_t *w, const ngx_media_frame_t *f)
{
    return ngx_stream_rtmp_mux_write(w, f, (uint32_t) ngx_media_ms(f->dts));
}


static ngx_int_t
ngx_stream_rtmp_mux_write(ngx_media_wire_t *w, const ngx_media_frame_t *f,
    uint32_t ts)
{
    int                             prefix;
    u_char                         *p, *last;
    u_char                          head[NGX_MEDIA_RTMP_MAX_HEADER
                                         + NGX_MEDIA_FLV_MAX_BODY_HEADER];
    size_t                          n, size, left;
    uint32_t                        chunk;
    ngx_uint_t                      csid, type;
    const u_char                   *data;
    u_char                          body[NGX_MEDIA_FLV_MAX_BODY_HEADER];
    const ngx_media_wire_params_t  *params;

    params = ngx_media_wire_params(w);
    chunk = params->opt[NGX_STREAM_RTMP_OPT_CHUNK_SIZE];

    type = ngx_media_flv_type(f->codec);

    prefix = ngx_media_flv_body_write(body, f,
                                      params->opt[NGX_STREAM_RTMP_OPT_MODE]);

    if (type == 0 || prefix < 0
        || f->size > (size_t) NGX_MEDIA_RTMP_MAX_MESSAGE - prefix)
    {
        return NGX_DECLINED;
    }

    /* libavformat takes metadata of a later time for subtitles */

    if (f->flags & NGX_MEDIA_FRAME_META) {
        ts = 0;
    }

    csid = (type == NGX_MEDIA_FLV_VIDEO) ? NGX_MEDIA_RTMP_CSID_VIDEO
           : (type == NGX_MEDIA_FLV_AUDIO) ? NGX_MEDIA_RTMP_CSID_AUDIO
           : NGX_MEDIA_RTMP_CSID_DATA;

    size = prefix + f->size;

    last = ngx_media_rtmp_write_header(head, csid, ts, size, type,
                                       params->opt[NGX_STREAM_RTMP_OPT_MSID]);
    last = ngx_cpymem(last, body, prefix);

    if (ngx_media_wire_write(w, head, last - head) != NGX_OK) {
        return NGX_ERROR;
    }

    /* the chunk size is never smaller than a body header */

    data = f->data;
    left = f->size;
    n = ngx_min(left, chunk - prefix);

    for ( ;; ) {

        if (n && ngx_media_wire_write(w, data, n) != NGX_OK) {
            return NGX_ERROR;
        }

        data += n;
        left -= n;

        if (left == 0) {
            return NGX_OK;
        }

        p = ngx_media_rtmp_write_header3(head, csid, ts);

        if (ngx_media_wire_write(w, head, p - head) != NGX_OK) {
            return NGX_ERROR;
        }

        n = ngx_min(left, chunk);
    }
}
