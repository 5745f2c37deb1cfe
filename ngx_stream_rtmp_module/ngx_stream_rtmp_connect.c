
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: the connect command: what the client is and what it can, and our own
 * window, bandwidth and chunk size.
 *
 * Adobe RTMP specification 1.0, section 7.2.1.1; Enhanced RTMP v1 (fourCcList)
 * and v2 (videoFourCcInfoMap, audioFourCcInfoMap, capsEx).
 */


#include "ngx_stream_rtmp.h"


typedef struct {
    const char  *name;
    ngx_uint_t   which;
} ngx_stream_rtmp_text_t;


static ngx_int_t ngx_stream_rtmp_connect_url(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const ngx_media_amf_value_t *object);
static ngx_uint_t ngx_stream_rtmp_connect_caps(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const ngx_media_amf_value_t *object);
static ngx_uint_t ngx_stream_rtmp_connect_fourccs(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const ngx_media_amf_value_t *object,
    const char *name);
static void ngx_stream_rtmp_fourcc(ngx_stream_rtmp_session_t *s,
    const ngx_media_amf_str_t *fourcc);
static ngx_int_t ngx_stream_rtmp_connect_reject(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_rtmp_connect_control(
    ngx_stream_rtmp_session_t *s);


static const ngx_stream_rtmp_text_t  ngx_stream_rtmp_texts[] = {
    { "tcUrl",   NGX_MEDIA_TEXT_TCURL },
    { "pageUrl", NGX_MEDIA_TEXT_PAGEURL },
    { "swfUrl",  NGX_MEDIA_TEXT_SWFURL },
    { NULL,      0 }
};


ngx_int_t
ngx_stream_rtmp_connect(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    ngx_int_t                      rc;
    ngx_uint_t                     enhanced;
    ngx_media_amf_str_t            none;
    ngx_media_amf_value_t          object, v;
    const ngx_stream_rtmp_text_t  *text;

    if (s->connected) {
        return ngx_stream_rtmp_error(s, cmd, "NetConnection.Call.Failed",
                                     "Already connected");
    }

    if (ngx_media_amf_read(cmd->amf, &object) != NGX_MEDIA_OK
        || (object.type != NGX_MEDIA_AMF_OBJECT
            && object.type != NGX_MEDIA_AMF_ECMA_ARRAY))
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client sent \"connect\" without its object");
        return NGX_ERROR;
    }

    if (cmd->transaction == 0) {
        cmd->transaction = 1;
    }

    for (text = ngx_stream_rtmp_texts; text->name; text++) {
        if (ngx_media_amf_find(cmd->amf, &object, text->name, &v)
            == NGX_MEDIA_OK
            && v.type == NGX_MEDIA_AMF_STRING)
        {
            ngx_media_session_set_text(&s->media, text->which, v.string.data,
                                       v.string.len);
        }
    }

    if (ngx_stream_rtmp_connect_url(s, cmd, &object) != NGX_OK) {
        return NGX_ERROR;
    }

    enhanced = ngx_stream_rtmp_connect_caps(s, cmd, &object);

    none.data = NULL;
    none.len = 0;

    rc = ngx_stream_rtmp_name(s, &none);

    if (rc == NGX_DECLINED) {
        return ngx_stream_rtmp_connect_reject(s, cmd);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_stream_rtmp_connect_control(s) != NGX_OK
        || ngx_stream_rtmp_connected(s, cmd, enhanced) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_stream_rtmp_bw_done(s);
}


/* tcUrl and app are needed again for each publish and play */

static ngx_int_t
ngx_stream_rtmp_connect_url(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const ngx_media_amf_value_t *object)
{
    u_char                 *p;
    ngx_media_amf_value_t   url, app;

    ngx_media_amf_find(cmd->amf, object, "tcUrl", &url);
    ngx_media_amf_find(cmd->amf, object, "app", &app);

    s->tcurl_len = 0;
    s->app_len = 0;

    if (url.type == NGX_MEDIA_AMF_STRING) {
        s->tcurl_len = ngx_min(url.string.len, 8192);
    }

    if (app.type == NGX_MEDIA_AMF_STRING) {
        s->app_len = ngx_min(app.string.len, 8192);
    }

    s->url = ngx_alloc(s->tcurl_len + s->app_len + 1, s->connection->log);
    if (s->url == NULL) {
        return NGX_ERROR;
    }

    p = s->url;

    if (s->tcurl_len) {
        p = ngx_cpymem(p, url.string.data, s->tcurl_len);
    }

    if (s->app_len) {
        ngx_memcpy(p, app.string.data, s->app_len);
    }

    return NGX_OK;
}


/* Returns 1 where the client speaks Enhanced RTMP of any version. */

static ngx_uint_t
ngx_stream_rtmp_connect_caps(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const ngx_media_amf_value_t *object)
{
    ngx_uint_t             enhanced;
    ngx_media_amf_value_t  v;

    enhanced = 0;

    ngx_media_amf_find(cmd->amf, object, "objectEncoding", &v);

    s->amf3 = (v.type == NGX_MEDIA_AMF_NUMBER && v.number == 3);

    ngx_media_amf_find(cmd->amf, object, "capsEx", &v);

    if (v.type == NGX_MEDIA_AMF_NUMBER
        && v.number >= 0 && v.number <= 0xffffffff)
    {
        s->caps = (uint32_t) v.number;
        enhanced = 1;
    }

    enhanced |= ngx_stream_rtmp_connect_fourccs(s, cmd, object, "fourCcList");
    enhanced |= ngx_stream_rtmp_connect_fourccs(s, cmd, object,
                                                "videoFourCcInfoMap");
    enhanced |= ngx_stream_rtmp_connect_fourccs(s, cmd, object,
                                                "audioFourCcInfoMap");
    return enhanced;
}


/*
 * A list of names, or a map of names to what the client can do with them.
 * Returns 1 where there is one.
 */

static ngx_uint_t
ngx_stream_rtmp_connect_fourccs(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const ngx_media_amf_value_t *object,
    const char *name)
{
    ngx_media_amf_str_t    key;
    ngx_media_amf_iter_t   it;
    ngx_media_amf_value_t  v, list;

    ngx_media_amf_find(cmd->amf, object, name, &list);

    if (list.type == NGX_MEDIA_AMF_NONE) {
        return 0;
    }

    ngx_media_amf_enter(cmd->amf, &list, &it);

    while (ngx_media_amf_next(&it, &key, &v) == NGX_MEDIA_OK) {

        if (v.type == NGX_MEDIA_AMF_STRING) {
            ngx_stream_rtmp_fourcc(s, &v.string);
            continue;
        }

        /* a bad number means nothing: the name alone says enough */

        if (v.type != NGX_MEDIA_AMF_NUMBER
            || !(v.number >= 0 && v.number <= 0xffff)
            || ((uint32_t) v.number & (NGX_STREAM_RTMP_CAN_DECODE
                                       |NGX_STREAM_RTMP_CAN_FORWARD)))
        {
            ngx_stream_rtmp_fourcc(s, &key);
        }
    }

    return 1;
}


/* a codec that the client takes by its FourCC */

static void
ngx_stream_rtmp_fourcc(ngx_stream_rtmp_session_t *s,
    const ngx_media_amf_str_t *fourcc)
{
    ngx_uint_t  all;

    all = ngx_media_amf_str_is(fourcc, "*");

    s->hevc |= all || ngx_media_amf_str_is(fourcc, "hvc1");
    s->avc |= all || ngx_media_amf_str_is(fourcc, "avc1");
    s->aac |= all || ngx_media_amf_str_is(fourcc, "mp4a");
}


static ngx_int_t
ngx_stream_rtmp_connect_reject(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    ngx_int_t  rc;

    if (s->media.reason == NGX_MEDIA_REASON_NAME) {
        rc = ngx_stream_rtmp_error(s, cmd,
                                   "NetConnection.Connect.InvalidApp",
                                   ngx_media_reason_text(s->media.reason));

    } else {
        rc = ngx_stream_rtmp_error(s, cmd, "NetConnection.Connect.Rejected",
                                   ngx_media_reason_text(s->media.reason));
    }

    if (rc != NGX_OK
        || ngx_stream_rtmp_status(s, 0, "status",
                                  "NetConnection.Connect.Closed",
                                  "Connection closed")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    s->stage = NGX_STREAM_RTMP_LINGER;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_connect_control(ngx_stream_rtmp_session_t *s)
{
    u_char  *p, buf[4 * NGX_MEDIA_RTMP_MAX_CONTROL];

    p = ngx_media_rtmp_write_window_ack_size(buf, s->conf->ack_window);

    p = ngx_media_rtmp_write_peer_bandwidth(p, s->conf->ack_window,
                                            NGX_MEDIA_RTMP_LIMIT_DYNAMIC);

    p = ngx_media_rtmp_write_user(p, NGX_MEDIA_RTMP_STREAM_BEGIN, 0);

    p = ngx_media_rtmp_write_chunk_size(p, s->conf->chunk_size);

    if (ngx_stream_rtmp_send(s, buf, p - buf) != NGX_OK) {
        return NGX_ERROR;
    }

    s->connected = 1;

    return NGX_OK;
}
