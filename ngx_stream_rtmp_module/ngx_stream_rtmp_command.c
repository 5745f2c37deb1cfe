
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: commands of a client: decodes name and transaction, finds the handler
 * and has the small ones here; connect, publish and play have files of their
 * own.
 *
 * Adobe RTMP specification 1.0, section 7.2.
 */


#include "ngx_stream_rtmp.h"


typedef struct {
    const char   *name;
    ngx_int_t   (*handler)(ngx_stream_rtmp_session_t *s,
                           ngx_stream_rtmp_command_t *cmd);
} ngx_stream_rtmp_command_handler_t;


static ngx_int_t ngx_stream_rtmp_dispatch(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_rtmp_create_stream(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_rtmp_close_stream(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_rtmp_delete_stream(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_rtmp_end_stream(ngx_stream_rtmp_session_t *s,
    uint32_t msid);
static ngx_int_t ngx_stream_rtmp_stream_length(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_rtmp_fc_subscribe(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_rtmp_accept(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
static ngx_int_t ngx_stream_rtmp_ignore(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);


static const ngx_stream_rtmp_command_handler_t  ngx_stream_rtmp_handlers[] = {
    { "connect",         ngx_stream_rtmp_connect },
    { "createStream",    ngx_stream_rtmp_create_stream },
    { "initStream",      ngx_stream_rtmp_accept },
    { "closeStream",     ngx_stream_rtmp_close_stream },
    { "deleteStream",    ngx_stream_rtmp_delete_stream },
    { "releaseStream",   ngx_stream_rtmp_release_stream },
    { "FCPublish",       ngx_stream_rtmp_fc_publish },
    { "FCUnpublish",     ngx_stream_rtmp_fc_unpublish },
    { "publish",         ngx_stream_rtmp_publish },
    { "FCSubscribe",     ngx_stream_rtmp_fc_subscribe },
    { "FCUnsubscribe",   ngx_stream_rtmp_accept },
    { "getStreamLength", ngx_stream_rtmp_stream_length },
    { "play",            ngx_stream_rtmp_play },
    { "play2",           ngx_stream_rtmp_play2 },
    { "pause",           ngx_stream_rtmp_pause },
    { "pauseRaw",        ngx_stream_rtmp_pause },
    { "seek",            ngx_stream_rtmp_seek },
    { "receiveAudio",    ngx_stream_rtmp_receive },
    { "receiveVideo",    ngx_stream_rtmp_receive },
    { "_checkbw",        ngx_stream_rtmp_accept },
    { "checkBandwidth",  ngx_stream_rtmp_accept },
    { "_result",         ngx_stream_rtmp_ignore },
    { "_error",          ngx_stream_rtmp_ignore },
    { "onStatus",        ngx_stream_rtmp_ignore },
    { NULL,              NULL }
};


ngx_int_t
ngx_stream_rtmp_command(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    ngx_media_amf_t            amf;
    ngx_media_amf_value_t      name, number;
    ngx_stream_rtmp_command_t  cmd;

    cmd.amf = &amf;
    cmd.msid = msg->msid;
    cmd.amf3 = (msg->type == NGX_MEDIA_RTMP_AMF3_COMMAND);

    if (cmd.amf3) {
        ngx_media_amf_init_flex(&amf, msg->data, msg->data + msg->length);

    } else {
        ngx_media_amf_init(&amf, msg->data, msg->data + msg->length);
    }

    if (ngx_media_amf_read(&amf, &name) != NGX_MEDIA_OK
        || name.type != NGX_MEDIA_AMF_STRING)
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client sent a command without a name");
        return NGX_ERROR;
    }

    cmd.name = name.string;
    cmd.transaction = 0;

    if (ngx_media_amf_read(&amf, &number) == NGX_MEDIA_OK
        && number.type == NGX_MEDIA_AMF_NUMBER)
    {
        cmd.transaction = number.number;
    }

    return ngx_stream_rtmp_dispatch(s, &cmd);
}


static ngx_int_t
ngx_stream_rtmp_dispatch(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    ngx_str_t                                 name;
    const ngx_stream_rtmp_command_handler_t  *h;

    name.len = ngx_min(cmd->name.len, 64);
    name.data = (u_char *) cmd->name.data;

    ngx_log_debug3(NGX_LOG_DEBUG_STREAM, s->connection->log, 0,
                   "rtmp command \"%V\" transaction:%i msid:%uD",
                   &name, (ngx_int_t) cmd->transaction, cmd->msid);

    if (!s->connected && !ngx_media_amf_str_is(&cmd->name, "connect")) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client sent \"%V\" before \"connect\"", &name);
        return NGX_ERROR;
    }

    for (h = ngx_stream_rtmp_handlers; h->name; h++) {
        if (ngx_media_amf_str_is(&cmd->name, h->name)) {
            return h->handler(s, cmd);
        }
    }

    return ngx_stream_rtmp_error(s, cmd, "NetConnection.Call.Failed",
                                 "Method not found");
}


ngx_int_t
ngx_stream_rtmp_name(ngx_stream_rtmp_session_t *s,
    const ngx_media_amf_str_t *name)
{
    int                   rc;
    u_char               *buf;
    size_t                size;
    ngx_int_t             result;
    ngx_str_t             vhost, app, stream, args;
    ngx_media_url_t       u;
    ngx_media_url_str_t   tcurl, connected, played;

    tcurl.data = s->url;
    tcurl.len = s->tcurl_len;

    connected.data = s->url + s->tcurl_len;
    connected.len = s->app_len;

    played.data = (u_char *) name->data;
    played.len = name->len;

    size = ngx_media_url_scratch(tcurl.len + connected.len + played.len);

    buf = ngx_alloc(size, s->connection->log);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_media_url_rtmp(&u, &tcurl, &connected, &played, buf, size);

    if (rc != NGX_MEDIA_URL_OK) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client sent an invalid URL: %s",
                      ngx_media_url_text(rc));
        result = NGX_DECLINED;
        s->media.reason = NGX_MEDIA_REASON_NAME;
        goto done;
    }

    ngx_stream_rtmp_str(&vhost, &u.vhost);
    ngx_stream_rtmp_str(&app, &u.app);
    ngx_stream_rtmp_str(&stream, &u.stream);
    ngx_stream_rtmp_str(&args, &u.args);

    if (name->len) {
        result = ngx_media_session_name(&s->media, &vhost, &app, &stream,
                                        &args);

    } else {
        result = ngx_media_session_app(&s->media, &vhost, &app, &args);
    }

done:

    ngx_free(buf);

    return result;
}


/*
 * Ids are few, since players with different ones can not share a wire.  Where
 * a client never deletes its streams, those that it does not use are taken
 * from it.
 */

static ngx_int_t
ngx_stream_rtmp_create_stream(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    double    number;
    uint32_t  msid;

    if (s->msids == NGX_STREAM_RTMP_MSIDS) {
        s->msids = 0;

        if (s->stage == NGX_STREAM_RTMP_PUBLISH
            || s->stage == NGX_STREAM_RTMP_PLAY)
        {
            s->msids = (uint32_t) 1 << s->msid;
        }
    }

    for (msid = 1; s->msids & (uint32_t) 1 << msid; msid++) { /* void */ }

    s->msids |= (uint32_t) 1 << msid;
    s->created = 1;

    number = msid;

    return ngx_stream_rtmp_result(s, cmd, &number);
}


/* some clients never create a stream and use 0 */

ngx_uint_t
ngx_stream_rtmp_msid_ok(ngx_stream_rtmp_session_t *s, uint32_t msid)
{
    if (msid <= NGX_STREAM_RTMP_MAX_MSID) {
        return 1;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "RTMP client uses message stream %uD, which was never "
                  "created", msid);

    return 0;
}


static ngx_int_t
ngx_stream_rtmp_close_stream(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    return ngx_stream_rtmp_end_stream(s, cmd->msid);
}


static ngx_int_t
ngx_stream_rtmp_delete_stream(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    uint32_t               msid;
    ngx_int_t              rc;
    ngx_media_amf_value_t  v;

    msid = cmd->msid;

    if (ngx_media_amf_read(cmd->amf, &v) == NGX_MEDIA_OK
        && ngx_media_amf_read(cmd->amf, &v) == NGX_MEDIA_OK
        && v.type == NGX_MEDIA_AMF_NUMBER
        && v.number >= 0 && v.number <= NGX_STREAM_RTMP_MAX_MSID)
    {
        msid = (uint32_t) v.number;
    }

    rc = ngx_stream_rtmp_end_stream(s, msid);

    if (rc == NGX_OK && msid && msid <= NGX_STREAM_RTMP_MAX_MSID) {
        s->msids &= ~((uint32_t) 1 << msid);
    }

    return rc;
}


/* stream 0 means the one there is: some clients never say another number */

static ngx_int_t
ngx_stream_rtmp_end_stream(ngx_stream_rtmp_session_t *s, uint32_t msid)
{
    if (msid && msid != s->msid) {
        return NGX_OK;
    }

    if (s->stage == NGX_STREAM_RTMP_PUBLISH) {
        return ngx_stream_rtmp_unpublish(s);
    }

    if (s->stage == NGX_STREAM_RTMP_PLAY) {
        return ngx_stream_rtmp_play_stop(s);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_stream_length(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    const double  live = 0;

    return ngx_stream_rtmp_result(s, cmd, &live);
}


static ngx_int_t
ngx_stream_rtmp_fc_subscribe(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    if (ngx_stream_rtmp_result(s, cmd, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_stream_rtmp_fc_status(s, 0, "onFCSubscribe",
                                     "NetStream.Play.Start", "Subscribed");
}


static ngx_int_t
ngx_stream_rtmp_accept(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    return ngx_stream_rtmp_result(s, cmd, NULL);
}


static ngx_int_t
ngx_stream_rtmp_ignore(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    return NGX_OK;
}
