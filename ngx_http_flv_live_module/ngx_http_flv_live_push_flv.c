
/*
 * Copyright (C) the nginx media suite authors
 *
 * A body of FLV into frames of the source.  Its tags have the bodies of RTMP
 * messages; a tag that lies whole in what was read is taken from there, one
 * that comes in pieces is put together in a buffer that grows with them.
 *
 * Audio and video share one clock, which is unwrapped from 32 bits here; data
 * never moves it.  A tag that is damaged is left out and counted; where tags
 * begin can not be found again, so what is no tag ends the push.
 *
 * Adobe Flash Video File Format 10.1, E.3 and E.4; Enhanced RTMP v2.
 */


#include "ngx_http_flv_live_push.h"
#include "ngx_media_amf.h"
#include "ngx_media_avc.h"
#include "ngx_media_nal.h"
#include "ngx_media_timeline.h"


#define NGX_HTTP_FLV_LIVE_PUSH_SERVER    "nginx-media"
#define NGX_HTTP_FLV_LIVE_PUSH_MAX_META  65536

/* room kept for the next tag, and the first one given */

#define NGX_HTTP_FLV_LIVE_PUSH_KEEP      65536
#define NGX_HTTP_FLV_LIVE_PUSH_FIRST     4096

/* ms that data may be away from the media, to be believed */

#define NGX_HTTP_FLV_LIVE_PUSH_NEAR      10000


static ngx_int_t ngx_http_flv_live_push_piece(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_piece_t *piece);
static ngx_int_t ngx_http_flv_live_push_gather(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_piece_t *piece);
static ngx_int_t ngx_http_flv_live_push_tag(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag, const u_char *body);
static void ngx_http_flv_live_push_damaged(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag);
static ngx_int_t ngx_http_flv_live_push_data(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag, const u_char *body);
static ngx_int_t ngx_http_flv_live_push_meta(ngx_http_flv_live_push_t *ctx,
    const u_char *pos, const u_char *end, int64_t dts);
static ngx_int_t ngx_http_flv_live_push_frames(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag, const u_char *body, int64_t dts);
static ngx_int_t ngx_http_flv_live_push_video(ngx_http_flv_live_push_t *ctx,
    ngx_media_frame_t *f);
static ngx_int_t ngx_http_flv_live_push_rewrite(
    ngx_http_flv_live_push_t *ctx, ngx_media_frame_t *f, ngx_uint_t nal_size);
static ssize_t ngx_http_flv_live_push_avc_config(ngx_media_frame_t *f,
    u_char *buf, size_t size);


ngx_int_t
ngx_http_flv_live_push_flv(ngx_http_flv_live_push_t *ctx, const u_char *pos,
    const u_char *end)
{
    int                     rc;
    ngx_int_t               error;
    ngx_media_flv_piece_t   piece;
    ngx_media_flv_demux_t  *demux;

    demux = &ctx->flv.demux;

    while ((rc = ngx_media_flv_demux(demux, &pos, end, &piece))
           == NGX_MEDIA_OK)
    {
        error = ngx_http_flv_live_push_piece(ctx, &piece);

        if (error != NGX_OK) {
            return error;
        }
    }

    if (rc == NGX_MEDIA_AGAIN) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  ctx->flv.begun ? "HTTP publisher sent what is no FLV tag"
                                 : "HTTP publisher sent no FLV header");

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_flv_live_push_piece(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_piece_t *piece)
{
    ngx_int_t                      rc;
    ngx_http_flv_live_push_flv_t  *flv;

    flv = &ctx->flv;

    switch (piece->event) {

    case NGX_MEDIA_FLV_EV_HEADER:
        flv->begun = 1;
        return NGX_OK;

    case NGX_MEDIA_FLV_EV_TAG:
        flv->used = 0;
        return NGX_OK;

    case NGX_MEDIA_FLV_EV_BODY:

        if (piece->tag.filter) {
            return NGX_OK;
        }

        if (piece->offset == 0 && piece->size == piece->tag.size) {
            return ngx_http_flv_live_push_tag(ctx, &piece->tag, piece->data);
        }

        return ngx_http_flv_live_push_gather(ctx, piece);

    default: /* NGX_MEDIA_FLV_EV_END */

        if (flv->used == 0) {
            return NGX_OK;
        }

        rc = ngx_http_flv_live_push_tag(ctx, &piece->tag, flv->body);

        flv->used = 0;

        if (flv->size > NGX_HTTP_FLV_LIVE_PUSH_KEEP) {
            ngx_http_flv_live_push_flv_free(ctx);
        }

        return rc;
    }
}


/* what is announced is not allocated before half of it has come */

static ngx_int_t
ngx_http_flv_live_push_gather(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_piece_t *piece)
{
    size_t                         need, size;
    u_char                        *p;
    ngx_http_flv_live_push_flv_t  *flv;

    flv = &ctx->flv;
    need = flv->used + piece->size;

    if (need > flv->size) {

        size = ngx_max(need * 2, NGX_HTTP_FLV_LIVE_PUSH_FIRST);
        size = ngx_max(ngx_min(size, piece->tag.size), need);

        p = ngx_http_flv_live_push_buffer(ctx, flv->body, flv->used, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        flv->body = p;
        flv->size = size;
    }

    ngx_memcpy(flv->body + flv->used, piece->data, piece->size);
    flv->used = need;

    return NGX_OK;
}


static ngx_int_t
ngx_http_flv_live_push_tag(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag, const u_char *body)
{
    if (tag->type == NGX_MEDIA_FLV_SCRIPT) {
        return ngx_http_flv_live_push_data(ctx, tag, body);
    }

    ctx->flv.last = ngx_media_unwrap32(ctx->flv.last, tag->ms);

    return ngx_http_flv_live_push_frames(ctx, tag, body,
                                         ngx_media_us(ctx->flv.last));
}


static void
ngx_http_flv_live_push_damaged(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag)
{
    if (ctx->damaged++ == 0) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "HTTP publisher sent a damaged tag of type %uD, it "
                      "and further ones are left out", (uint32_t) tag->type);
    }
}


/* the time of data is often 0: far from the media it is not believed */

static ngx_int_t
ngx_http_flv_live_push_data(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag, const u_char *body)
{
    int64_t                ms, last;
    const u_char          *end;
    ngx_media_amf_t        amf;
    ngx_media_amf_value_t  v;

    last = ctx->flv.last;
    ms = ngx_media_unwrap32(last, tag->ms);

    if (ms < last - NGX_HTTP_FLV_LIVE_PUSH_NEAR
        || ms > last + NGX_HTTP_FLV_LIVE_PUSH_NEAR)
    {
        ms = last;
    }

    end = body + tag->size;

    ngx_media_amf_init(&amf, body, end);

    if (ngx_media_amf_read(&amf, &v) != NGX_MEDIA_OK) {
        ngx_http_flv_live_push_damaged(ctx, tag);
        return NGX_OK;
    }

    if (ngx_media_amf_is(&v, "@clearDataFrame")) {
        return ngx_http_flv_live_push_meta(ctx, body, body,
                                           ngx_media_us(ms));
    }

    if (ngx_media_amf_is(&v, "@setDataFrame")) {
        (void) ngx_media_amf_read(&amf, &v);
    }

    if (ngx_media_amf_is(&v, "onMetaData")) {
        return ngx_http_flv_live_push_meta(ctx, body, end, ngx_media_us(ms));
    }

    return ngx_http_flv_live_push_frames(ctx, tag, body, ngx_media_us(ms));
}


/* keeps all that the encoder said and adds who passes it on */

static ngx_int_t
ngx_http_flv_live_push_meta(ngx_http_flv_live_push_t *ctx, const u_char *pos,
    const u_char *end, int64_t dts)
{
    u_char                *buf;
    size_t                 size;
    ssize_t                n;
    ngx_int_t              rc;
    ngx_media_frame_t      f;
    ngx_media_amf_prop_t   props[2];

    if (end - pos > NGX_HTTP_FLV_LIVE_PUSH_MAX_META) {
        ctx->damaged++;
        return NGX_OK;
    }

    ngx_memzero(props, sizeof(props));

    props[0].key = "server";
    props[0].type = NGX_MEDIA_AMF_STRING;
    props[0].string.data = (u_char *) NGX_HTTP_FLV_LIVE_PUSH_SERVER;
    props[0].string.len = sizeof(NGX_HTTP_FLV_LIVE_PUSH_SERVER) - 1;

    props[1].key = "server_version";
    props[1].type = NGX_MEDIA_AMF_STRING;
    props[1].string.data = (u_char *) NGINX_VERSION;
    props[1].string.len = sizeof(NGINX_VERSION) - 1;

    /* AMF3 may grow when it becomes AMF0: an integer of 2 bytes takes 9 */

    size = (end - pos) * 5 + 256;

    buf = ngx_alloc(size, ctx->request->connection->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    n = ngx_media_amf_merge_metadata(pos, end, props, 2, buf, size);

    rc = NGX_OK;

    if (n > 0) {
        ngx_memzero(&f, sizeof(ngx_media_frame_t));

        f.dts = dts;
        f.size = (uint32_t) n;
        f.flags = NGX_MEDIA_FRAME_META;
        f.track = NGX_MEDIA_TRACK_SCRIPT;
        f.codec = NGX_MEDIA_CODEC_SCRIPT;
        f.data = buf;

        rc = ngx_media_publish_frame(&ctx->session, &f);

    } else {
        ctx->damaged++;
    }

    ngx_free(buf);

    return rc;
}


static ngx_int_t
ngx_http_flv_live_push_frames(ngx_http_flv_live_push_t *ctx,
    ngx_media_flv_tag_t *tag, const u_char *body, int64_t dts)
{
    int                   rc;
    ngx_int_t             error;
    ngx_media_frame_t     f;
    ngx_media_flv_body_t  it;

    ngx_media_flv_body_init(&it, tag->type, body, body + tag->size);

    while ((rc = ngx_media_flv_body_next(&it, &f)) == NGX_MEDIA_OK) {
        f.dts += dts;

        error = (f.codec == NGX_MEDIA_CODEC_H264
                 || f.codec == NGX_MEDIA_CODEC_HEVC
                 || f.codec == NGX_MEDIA_CODEC_VVC)
                ? ngx_http_flv_live_push_video(ctx, &f)
                : ngx_media_publish_frame(&ctx->session, &f);

        if (error != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rc == NGX_MEDIA_ERROR) {
        ngx_http_flv_live_push_damaged(ctx, tag);
    }

    return NGX_OK;
}


/* NAL units are to stand behind lengths; some encoders send start codes */

static ngx_int_t
ngx_http_flv_live_push_video(ngx_http_flv_live_push_t *ctx,
    ngx_media_frame_t *f)
{
    uint8_t  *nal_size;

    nal_size = &ctx->flv.nal_size[f->track];

    if (*nal_size == 0) {
        *nal_size = 4;
    }

    if (f->flags & (NGX_MEDIA_FRAME_EOS|NGX_MEDIA_FRAME_EXTRA)) {
        return ngx_media_publish_frame(&ctx->session, f);
    }

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {

        *nal_size = 4;

        if (f->codec == NGX_MEDIA_CODEC_H264 && f->size > 4) {

            if (f->data[0] == 0) {
                return ngx_http_flv_live_push_rewrite(ctx, f, 4);
            }

            *nal_size = (f->data[4] & 0x03) + 1;

        } else if (f->codec == NGX_MEDIA_CODEC_HEVC && f->size > 21) {
            *nal_size = (f->data[21] & 0x03) + 1;
        }

        return ngx_media_publish_frame(&ctx->session, f);
    }

    if (ngx_media_nal_is_annexb(f->data, f->data + f->size, *nal_size)) {
        return ngx_http_flv_live_push_rewrite(ctx, f, *nal_size);
    }

    return ngx_media_publish_frame(&ctx->session, f);
}


/* a frame or an AVC configuration of start codes */

static ngx_int_t
ngx_http_flv_live_push_rewrite(ngx_http_flv_live_push_t *ctx,
    ngx_media_frame_t *f, ngx_uint_t nal_size)
{
    u_char     *buf;
    size_t      size;
    ssize_t     n;
    ngx_int_t   rc;

    size = ngx_media_nal_from_annexb_room(f->size) + 64;

    buf = ngx_alloc(size, ctx->request->connection->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    n = (f->flags & NGX_MEDIA_FRAME_CONFIG)
        ? ngx_http_flv_live_push_avc_config(f, buf, size)
        : ngx_media_nal_from_annexb(f->data, f->data + f->size,
                                    (unsigned) nal_size, buf, size);

    rc = NGX_OK;

    if (n > 0) {
        f->data = buf;
        f->size = (uint32_t) n;

        rc = ngx_media_publish_frame(&ctx->session, f);

    } else {
        ctx->damaged++;
    }

    ngx_free(buf);

    return rc;
}


static ssize_t
ngx_http_flv_live_push_avc_config(ngx_media_frame_t *f, u_char *buf,
    size_t size)
{
    const u_char     *pos, *end;
    ngx_media_nal_t   nal, sps, pps;

    ngx_memzero(&sps, sizeof(ngx_media_nal_t));
    ngx_memzero(&pps, sizeof(ngx_media_nal_t));

    pos = f->data;
    end = f->data + f->size;

    while ((pos = ngx_media_nal_next_annexb(pos, end, &nal)) != NULL) {

        if (nal.size == 0) {
            continue;
        }

        switch (ngx_media_avc_nal_type(nal.data[0])) {

        case NGX_MEDIA_AVC_NAL_SPS:
            sps = nal;
            break;

        case NGX_MEDIA_AVC_NAL_PPS:
            pps = nal;
            break;
        }
    }

    if (sps.size == 0 || pps.size == 0) {
        return -1;
    }

    return ngx_media_avc_config_write(&sps, &pps, 4, buf, size);
}


ngx_int_t
ngx_http_flv_live_push_flv_end(ngx_http_flv_live_push_t *ctx)
{
    if (!ctx->flv.begun) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "HTTP publisher sent no FLV header");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_http_flv_live_push_flv_free(ngx_http_flv_live_push_t *ctx)
{
    if (ctx->flv.body) {
        (void) ngx_http_flv_live_push_buffer(ctx, ctx->flv.body, 0, 0);

        ctx->flv.body = NULL;
        ctx->flv.size = 0;
        ctx->flv.used = 0;
    }
}
