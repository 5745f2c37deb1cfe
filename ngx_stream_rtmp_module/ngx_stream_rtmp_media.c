
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: a publisher's media messages, each one or many in an aggregate: their
 * bodies become frames in shared/service.
 *
 * Called by the receiver for each message that is whole, which stays its own.
 * Adobe RTMP specification 1.0, sections 7.1.3 to 7.1.6.
 */


#include "ngx_stream_rtmp.h"


static ngx_int_t ngx_stream_rtmp_aggregate(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);


ngx_int_t
ngx_stream_rtmp_media(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    if (s->stage != NGX_STREAM_RTMP_PUBLISH || msg->length == 0) {
        return NGX_OK;
    }

    if (msg->type == NGX_MEDIA_RTMP_AGGREGATE) {
        return ngx_stream_rtmp_aggregate(s, msg);
    }

    return ngx_media_flv_input(&s->publisher->input, &s->media, msg->type,
                               msg->timestamp, msg->data,
                               msg->data + msg->length);
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
        s->publisher->input.damaged++;
    }

    return NGX_OK;
}
