
/*
 * Copyright (C) the nginx media suite authors
 *
 * AAC frames with ADTS headers (ISO/IEC 14496-3, 1.A.2.2), one behind the
 * other.  Called by the core, once per frame and worker, for all players of
 * a wire; the config that the headers come from is the wire's state.
 */


#include "ngx_http_flv_live.h"
#include "ngx_media_aac.h"


typedef struct {
    ngx_media_aac_config_t  config;
    uint64_t                next;      /* seq behind the last frame */
    ngx_uint_t              known;     /* config is */
} ngx_http_flv_live_aac_ctx_t;


static ngx_int_t ngx_http_flv_live_aac_frame(ngx_media_wire_t *w,
    const ngx_media_frame_t *f);


const ngx_media_muxer_t  ngx_http_flv_live_aac_muxer = {
    ngx_string("aac"),
    sizeof(ngx_http_flv_live_aac_ctx_t),
    ngx_http_flv_live_no_header,
    ngx_http_flv_live_aac_frame
};


static ngx_int_t
ngx_http_flv_live_aac_frame(ngx_media_wire_t *w, const ngx_media_frame_t *f)
{
    u_char                       *p;
    u_char                        head[NGX_MEDIA_ADTS_SIZE];
    ngx_media_aac_config_t        config;
    ngx_http_flv_live_aac_ctx_t  *ctx;

    if (f->codec != NGX_MEDIA_CODEC_AAC
        || (f->flags & (NGX_MEDIA_FRAME_EXTRA|NGX_MEDIA_FRAME_EOS)))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_media_wire_ctx(w);

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {

        /* told again to one player, for frames that were written long ago */

        if (f->seq >= ctx->next
            && ngx_media_aac_config_parse(f->data, f->data + f->size, &config))
        {
            ctx->config = config;
            ctx->known = 1;
        }

        return NGX_DECLINED;
    }

    ctx->next = f->seq + 1;

    if (!ctx->known || f->size == 0) {
        return NGX_DECLINED;
    }

    p = ngx_media_adts_write(head, &ctx->config, f->size);

    if (p == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_flv_live_message(w, head, p - head, f->data, f->size);
}


ngx_uint_t
ngx_http_flv_live_aac_carries(uint8_t codec)
{
    return codec == NGX_MEDIA_CODEC_AAC;
}
