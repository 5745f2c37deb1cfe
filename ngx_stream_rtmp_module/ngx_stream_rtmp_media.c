
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: the way of a publisher's media messages into frames of the source.
 *
 * Audio and video share one clock, which is unwrapped from 32 bits here; data
 * never moves it.  A body that is damaged is left out and counted, whatever
 * is only unknown is passed on or skipped by shared/format.
 *
 * Adobe RTMP specification 1.0, sections 7.1.3 to 7.1.6.
 */


#include "ngx_stream_rtmp.h"
#include "ngx_media_avc.h"
#include "ngx_media_nal.h"


static ngx_int_t ngx_stream_rtmp_aggregate(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);
static ngx_int_t ngx_stream_rtmp_av(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);
static ngx_int_t ngx_stream_rtmp_data(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);
static ngx_int_t ngx_stream_rtmp_metadata(ngx_stream_rtmp_session_t *s,
    const u_char *pos, const u_char *end, int64_t dts);
static ngx_int_t ngx_stream_rtmp_frames(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg, int64_t dts);
static ngx_int_t ngx_stream_rtmp_frame(ngx_stream_rtmp_session_t *s,
    ngx_media_frame_t *f);
static ngx_int_t ngx_stream_rtmp_config(ngx_stream_rtmp_session_t *s,
    ngx_media_frame_t *f);
static ngx_int_t ngx_stream_rtmp_annexb_config(ngx_stream_rtmp_session_t *s,
    ngx_media_frame_t *f);
static ngx_int_t ngx_stream_rtmp_annexb(ngx_stream_rtmp_session_t *s,
    ngx_media_frame_t *f);


ngx_int_t
ngx_stream_rtmp_media(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    if (s->stage != NGX_STREAM_RTMP_PUBLISH || msg->length == 0) {
        return NGX_OK;
    }

    switch (msg->type) {

    case NGX_MEDIA_RTMP_AGGREGATE:
        return ngx_stream_rtmp_aggregate(s, msg);

    case NGX_MEDIA_RTMP_AUDIO:
    case NGX_MEDIA_RTMP_VIDEO:
        return ngx_stream_rtmp_av(s, msg);

    default:
        return ngx_stream_rtmp_data(s, msg);
    }
}


static ngx_int_t
ngx_stream_rtmp_aggregate(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    int                         rc;
    ngx_media_rtmp_sub_t        sub;
    ngx_stream_rtmp_message_t   one;
    ngx_media_rtmp_aggregate_t  a;

    ngx_media_rtmp_aggregate_init(&a, msg->data, msg->data + msg->length,
                                  msg->timestamp);

    while ((rc = ngx_media_rtmp_aggregate_next(&a, &sub)) == 1) {

        if (sub.type == NGX_MEDIA_RTMP_AGGREGATE || sub.len == 0) {
            continue;
        }

        one.type = sub.type;
        one.msid = msg->msid;
        one.timestamp = sub.timestamp;
        one.length = sub.len;
        one.data = (u_char *) sub.data;

        if (sub.type != NGX_MEDIA_RTMP_AUDIO
            && sub.type != NGX_MEDIA_RTMP_VIDEO
            && sub.type != NGX_MEDIA_RTMP_AMF0_DATA
            && sub.type != NGX_MEDIA_RTMP_AMF3_DATA)
        {
            continue;
        }

        if (ngx_stream_rtmp_media(s, &one) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rc < 0) {
        s->publisher->damaged++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_av(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    s->publisher->last = ngx_media_rtmp_unwrap(s->publisher->last,
                                               msg->timestamp);

    return ngx_stream_rtmp_frames(s, msg, ngx_media_us(s->publisher->last));
}


/*
 * Encoders often leave the time of data at 0, so it never moves the clock,
 * and far from the media it is not believed.
 */

static ngx_int_t
ngx_stream_rtmp_data(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    int64_t                ms;
    const u_char          *pos, *end;
    ngx_media_amf_t        amf;
    ngx_media_amf_value_t  v;

    ms = ngx_media_rtmp_unwrap(s->publisher->last, msg->timestamp);

    if (ms < s->publisher->last - 10000 || ms > s->publisher->last + 10000) {
        ms = s->publisher->last;
    }

    pos = msg->data;
    end = msg->data + msg->length;

    if (msg->type == NGX_MEDIA_RTMP_AMF3_DATA) {
        ngx_media_amf_init_flex(&amf, pos, end);

    } else {
        ngx_media_amf_init(&amf, pos, end);
    }

    if (ngx_media_amf_read(&amf, &v) != NGX_MEDIA_OK) {
        s->publisher->damaged++;
        return NGX_OK;
    }

    if (ngx_media_amf_is(&v, "@clearDataFrame")) {
        return ngx_stream_rtmp_metadata(s, pos, pos, ngx_media_us(ms));
    }

    if (ngx_media_amf_is(&v, "@setDataFrame")) {
        ngx_media_amf_read(&amf, &v);
    }

    if (ngx_media_amf_is(&v, "onMetaData")) {
        return ngx_stream_rtmp_metadata(s, pos, end, ngx_media_us(ms));
    }

    return ngx_stream_rtmp_frames(s, msg, ngx_media_us(ms));
}


/* keeps all that the encoder said and adds who passes it on */

static ngx_int_t
ngx_stream_rtmp_metadata(ngx_stream_rtmp_session_t *s, const u_char *pos,
    const u_char *end, int64_t dts)
{
    u_char                *buf;
    size_t                 size;
    ssize_t                n;
    ngx_int_t              rc;
    ngx_media_frame_t      f;
    ngx_media_amf_prop_t   props[2];

    if (end - pos > NGX_STREAM_RTMP_MAX_COMMAND) {
        s->publisher->damaged++;
        return NGX_OK;
    }

    ngx_memzero(props, sizeof(props));

    props[0].key = "server";
    props[0].type = NGX_MEDIA_AMF_STRING;
    props[0].string.data = (u_char *) NGX_STREAM_RTMP_SERVER;
    props[0].string.len = sizeof(NGX_STREAM_RTMP_SERVER) - 1;

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

    n = ngx_media_amf_merge_metadata(pos, end, props, 2, buf, size);

    if (n < 0) {
        s->publisher->damaged++;
        ngx_free(buf);
        return NGX_OK;
    }

    ngx_memzero(&f, sizeof(ngx_media_frame_t));

    f.dts = dts;
    f.size = n;
    f.flags = NGX_MEDIA_FRAME_META;
    f.track = NGX_MEDIA_TRACK_SCRIPT;
    f.codec = NGX_MEDIA_CODEC_SCRIPT;
    f.data = buf;

    rc = ngx_media_publish_frame(&s->media, &f);

    ngx_free(buf);

    return rc;
}


static ngx_int_t
ngx_stream_rtmp_frames(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg, int64_t dts)
{
    int                   rc;
    ngx_media_frame_t     f;
    ngx_media_flv_body_t  body;

    ngx_media_flv_body_init(&body, msg->type, msg->data,
                            msg->data + msg->length);

    while ((rc = ngx_media_flv_body_next(&body, &f)) == NGX_MEDIA_OK) {
        f.dts += dts;

        if (ngx_stream_rtmp_frame(s, &f) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (body.beyond && s->publisher->beyond++ == 0) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP publisher sent a track above %d, it and further "
                      "ones are left out", NGX_MEDIA_TRACK_ID_MAX);
    }

    if (rc == NGX_MEDIA_ERROR && s->publisher->damaged++ == 0) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP publisher sent a damaged message of type %uD, "
                      "it and further ones are left out", msg->type);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_frame(ngx_stream_rtmp_session_t *s, ngx_media_frame_t *f)
{
    uint8_t  nal_size;

    if (f->codec != NGX_MEDIA_CODEC_H264
        && f->codec != NGX_MEDIA_CODEC_HEVC
        && f->codec != NGX_MEDIA_CODEC_VVC)
    {
        return ngx_media_publish_frame(&s->media, f);
    }

    if (f->flags & (NGX_MEDIA_FRAME_EOS|NGX_MEDIA_FRAME_EXTRA)) {
        return ngx_media_publish_frame(&s->media, f);
    }

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {
        return ngx_stream_rtmp_config(s, f);
    }

    nal_size = s->publisher->nal_size[f->track];

    if (nal_size == 0) {
        nal_size = 4;
    }

    if (ngx_media_nal_is_annexb(f->data, f->data + f->size, nal_size)) {
        return ngx_stream_rtmp_annexb(s, f);
    }

    return ngx_media_publish_frame(&s->media, f);
}


/* remembers how long the lengths are */

static ngx_int_t
ngx_stream_rtmp_config(ngx_stream_rtmp_session_t *s, ngx_media_frame_t *f)
{
    uint8_t  *nal_size;

    nal_size = &s->publisher->nal_size[f->track];
    *nal_size = 4;

    if (f->codec == NGX_MEDIA_CODEC_H264 && f->size > 4) {

        if (f->data[0] == 0) {
            return ngx_stream_rtmp_annexb_config(s, f);
        }

        *nal_size = (f->data[4] & 0x03) + 1;

    } else if (f->codec == NGX_MEDIA_CODEC_HEVC && f->size > 21) {
        *nal_size = (f->data[21] & 0x03) + 1;
    }

    return ngx_media_publish_frame(&s->media, f);
}


/* some encoders send parameter sets behind start codes as their config */

static ngx_int_t
ngx_stream_rtmp_annexb_config(ngx_stream_rtmp_session_t *s,
    ngx_media_frame_t *f)
{
    u_char           *buf;
    size_t            size;
    ssize_t           n;
    ngx_int_t         rc;
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
        s->publisher->damaged++;
        return NGX_OK;
    }

    size = f->size + 64;

    buf = ngx_alloc(size, s->connection->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    n = ngx_media_avc_config_write(&sps, &pps, 4, buf, size);

    if (n > 0) {
        f->data = buf;
        f->size = n;

        rc = ngx_media_publish_frame(&s->media, f);

    } else {
        s->publisher->damaged++;
    }

    ngx_free(buf);

    return rc;
}


static ngx_int_t
ngx_stream_rtmp_annexb(ngx_stream_rtmp_session_t *s, ngx_media_frame_t *f)
{
    u_char     *buf;
    size_t      size;
    ssize_t     n;
    uint8_t     nal_size;
    ngx_int_t   rc;

    nal_size = s->publisher->nal_size[f->track];

    if (nal_size == 0) {
        nal_size = 4;
    }

    size = ngx_media_nal_from_annexb_room(f->size);

    buf = ngx_alloc(size, s->connection->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    n = ngx_media_nal_from_annexb(f->data, f->data + f->size, nal_size, buf,
                                  size);

    if (n > 0) {
        f->data = buf;
        f->size = n;

        rc = ngx_media_publish_frame(&s->media, f);

    } else {
        s->publisher->damaged++;
    }

    ngx_free(buf);

    return rc;
}
