
/*
 * Copyright (C) the nginx media suite authors
 *
 * Bodies of FLV tags and RTMP messages into frames of a source.
 *
 * Audio and video share one clock, which is unwrapped from 32 bits here; data
 * never moves it.  A body that is damaged is left out and counted, whatever
 * is only unknown is passed on or skipped by shared/format.
 *
 * Called by the RTMP module and by publishing over HTTP.  Adobe RTMP
 * specification 1.0, 7.1.3 to 7.1.5; Adobe Flash Video File Format 10.1, E.4;
 * Enhanced RTMP v2.
 */


#include "ngx_media_flv_input.h"
#include "ngx_media_amf.h"
#include "ngx_media_avc.h"
#include "ngx_media_flv.h"
#include "ngx_media_nal.h"
#include "ngx_media_timeline.h"


#define NGX_MEDIA_FLV_INPUT_AMF3      15      /* RTMP: data in AMF3 */
#define NGX_MEDIA_FLV_INPUT_MAX_META  65536

/* ms that data may be away from the media, to be believed */

#define NGX_MEDIA_FLV_INPUT_NEAR      10000


static ngx_int_t ngx_media_flv_input_data(ngx_media_flv_input_t *in,
    ngx_media_session_t *s, ngx_uint_t type, uint32_t ms, const u_char *pos,
    const u_char *end);
static ngx_int_t ngx_media_flv_input_meta(ngx_media_flv_input_t *in,
    ngx_media_session_t *s, const u_char *pos, const u_char *end,
    int64_t dts);
static ngx_int_t ngx_media_flv_input_frames(ngx_media_flv_input_t *in,
    ngx_media_session_t *s, ngx_uint_t type, const u_char *pos,
    const u_char *end, int64_t dts);
static ngx_int_t ngx_media_flv_input_frame(ngx_media_flv_input_t *in,
    ngx_media_session_t *s, ngx_media_frame_t *f);
static ngx_int_t ngx_media_flv_input_config(ngx_media_flv_input_t *in,
    ngx_media_session_t *s, ngx_media_frame_t *f);
static ngx_int_t ngx_media_flv_input_annexb(ngx_media_flv_input_t *in,
    ngx_media_session_t *s, ngx_media_frame_t *f, unsigned nal_size);
static void ngx_media_flv_input_damaged(ngx_media_flv_input_t *in,
    ngx_media_session_t *s, ngx_uint_t type);


ngx_int_t
ngx_media_flv_input(ngx_media_flv_input_t *in, ngx_media_session_t *s,
    ngx_uint_t type, uint32_t ms, const u_char *pos, const u_char *end)
{
    if (type != NGX_MEDIA_FLV_AUDIO && type != NGX_MEDIA_FLV_VIDEO) {
        return ngx_media_flv_input_data(in, s, type, ms, pos, end);
    }

    in->last = ngx_media_unwrap32(in->last, ms);

    return ngx_media_flv_input_frames(in, s, type, pos, end,
                                      ngx_media_us(in->last));
}


/*
 * Encoders often leave the time of data at 0, so it never moves the clock,
 * and far from the media it is not believed.
 */

static ngx_int_t
ngx_media_flv_input_data(ngx_media_flv_input_t *in, ngx_media_session_t *s,
    ngx_uint_t type, uint32_t ms, const u_char *pos, const u_char *end)
{
    int64_t                dts;
    ngx_media_amf_t        amf;
    ngx_media_amf_value_t  v;

    dts = ngx_media_unwrap32(in->last, ms);

    if (dts < in->last - NGX_MEDIA_FLV_INPUT_NEAR
        || dts > in->last + NGX_MEDIA_FLV_INPUT_NEAR)
    {
        dts = in->last;
    }

    dts = ngx_media_us(dts);

    if (type == NGX_MEDIA_FLV_INPUT_AMF3) {
        ngx_media_amf_init_flex(&amf, pos, end);

    } else {
        ngx_media_amf_init(&amf, pos, end);
    }

    if (ngx_media_amf_read(&amf, &v) != NGX_MEDIA_OK) {
        ngx_media_flv_input_damaged(in, s, type);
        return NGX_OK;
    }

    if (ngx_media_amf_is(&v, "@clearDataFrame")) {
        return ngx_media_flv_input_meta(in, s, pos, pos, dts);
    }

    if (ngx_media_amf_is(&v, "@setDataFrame")) {
        (void) ngx_media_amf_read(&amf, &v);
    }

    if (ngx_media_amf_is(&v, "onMetaData")) {
        return ngx_media_flv_input_meta(in, s, pos, end, dts);
    }

    return ngx_media_flv_input_frames(in, s, type, pos, end, dts);
}


/* keeps all that the encoder said and adds who passes it on */

static ngx_int_t
ngx_media_flv_input_meta(ngx_media_flv_input_t *in, ngx_media_session_t *s,
    const u_char *pos, const u_char *end, int64_t dts)
{
    u_char                *buf;
    size_t                 size;
    ssize_t                n;
    ngx_int_t              rc;
    ngx_media_frame_t      f;
    ngx_media_amf_prop_t   props[2];

    if (end - pos > NGX_MEDIA_FLV_INPUT_MAX_META) {
        in->damaged++;
        return NGX_OK;
    }

    ngx_memzero(props, sizeof(props));

    props[0].key = "server";
    props[0].type = NGX_MEDIA_AMF_STRING;
    props[0].string.data = (u_char *) NGX_MEDIA_SERVER_NAME;
    props[0].string.len = sizeof(NGX_MEDIA_SERVER_NAME) - 1;

    props[1].key = "server_version";
    props[1].type = NGX_MEDIA_AMF_STRING;
    props[1].string.data = (u_char *) NGINX_VERSION;
    props[1].string.len = sizeof(NGINX_VERSION) - 1;

    /* AMF3 may grow when it becomes AMF0: an integer of 2 bytes takes 9 */

    size = (end - pos) * 5 + 256;

    buf = ngx_alloc(size, s->connection->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    n = ngx_media_amf_merge_metadata(pos, end, props, 2, buf, size);

    if (n > 0) {
        ngx_memzero(&f, sizeof(ngx_media_frame_t));

        f.dts = dts;
        f.size = (uint32_t) n;
        f.flags = NGX_MEDIA_FRAME_META;
        f.track = NGX_MEDIA_TRACK_SCRIPT;
        f.codec = NGX_MEDIA_CODEC_SCRIPT;
        f.data = buf;

        rc = ngx_media_publish_frame(s, &f);

    } else {
        in->damaged++;
    }

    ngx_free(buf);

    return rc;
}


static ngx_int_t
ngx_media_flv_input_frames(ngx_media_flv_input_t *in, ngx_media_session_t *s,
    ngx_uint_t type, const u_char *pos, const u_char *end, int64_t dts)
{
    int                   rc;
    ngx_media_frame_t     f;
    ngx_media_flv_body_t  body;

    ngx_media_flv_body_init(&body, type, pos, end);

    while ((rc = ngx_media_flv_body_next(&body, &f)) == NGX_MEDIA_OK) {
        f.dts += dts;

        if (ngx_media_flv_input_frame(in, s, &f) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (body.beyond && in->beyond++ == 0) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "publisher sent a track above %d, it and further ones "
                      "are left out", NGX_MEDIA_TRACK_ID_MAX);
    }

    if (rc == NGX_MEDIA_ERROR) {
        ngx_media_flv_input_damaged(in, s, type);
    }

    return NGX_OK;
}


/* NAL units are to stand behind lengths; some encoders send start codes */

static ngx_int_t
ngx_media_flv_input_frame(ngx_media_flv_input_t *in, ngx_media_session_t *s,
    ngx_media_frame_t *f)
{
    unsigned  nal_size;

    if ((f->codec != NGX_MEDIA_CODEC_H264
         && f->codec != NGX_MEDIA_CODEC_HEVC
         && f->codec != NGX_MEDIA_CODEC_VVC)
        || (f->flags & (NGX_MEDIA_FRAME_EOS|NGX_MEDIA_FRAME_EXTRA)))
    {
        return ngx_media_publish_frame(s, f);
    }

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {
        return ngx_media_flv_input_config(in, s, f);
    }

    nal_size = in->nal_size[f->track] ? in->nal_size[f->track] : 4;

    if (ngx_media_nal_is_annexb(f->data, f->data + f->size, nal_size)) {
        return ngx_media_flv_input_annexb(in, s, f, nal_size);
    }

    return ngx_media_publish_frame(s, f);
}


/* remembers how long the lengths are */

static ngx_int_t
ngx_media_flv_input_config(ngx_media_flv_input_t *in, ngx_media_session_t *s,
    ngx_media_frame_t *f)
{
    uint8_t  *nal_size;

    nal_size = &in->nal_size[f->track];
    *nal_size = 4;

    if (f->codec == NGX_MEDIA_CODEC_H264 && f->size > 4) {

        if (f->data[0] == 0) {
            return ngx_media_flv_input_annexb(in, s, f, 4);
        }

        *nal_size = (f->data[4] & 0x03) + 1;

    } else if (f->codec == NGX_MEDIA_CODEC_HEVC && f->size > 21) {
        *nal_size = (f->data[21] & 0x03) + 1;
    }

    return ngx_media_publish_frame(s, f);
}


/* a frame, or a configuration of AVC, of start codes */

static ngx_int_t
ngx_media_flv_input_annexb(ngx_media_flv_input_t *in, ngx_media_session_t *s,
    ngx_media_frame_t *f, unsigned nal_size)
{
    u_char        *buf;
    size_t         size;
    ssize_t        n;
    ngx_int_t      rc;
    const u_char  *end;

    size = ngx_media_nal_from_annexb_room((size_t) f->size) + 64;

    buf = ngx_alloc(size, s->connection->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;
    end = f->data + f->size;

    n = (f->flags & NGX_MEDIA_FRAME_CONFIG)
        ? ngx_media_avc_config_from_annexb(f->data, end, buf, size)
        : ngx_media_nal_from_annexb(f->data, end, nal_size, buf, size);

    if (n > 0) {
        f->data = buf;
        f->size = (uint32_t) n;

        rc = ngx_media_publish_frame(s, f);

    } else {
        in->damaged++;
    }

    ngx_free(buf);

    return rc;
}


static void
ngx_media_flv_input_damaged(ngx_media_flv_input_t *in,
    ngx_media_session_t *s, ngx_uint_t type)
{
    if (in->damaged++ == 0) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "publisher sent a damaged message of type %ui, it and "
                      "further ones are left out", type);
    }
}
