
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: the commands of who publishes: releaseStream, FCPublish, publish and
 * their ends.
 *
 * Styles, as the API names them: FMLE sends releaseStream or FCPublish before
 * createStream, Haivision sends FCPublish after it, Flash sends neither.
 *
 * ngx_media_publish() may answer later; meanwhile nothing is read, and the
 * answer comes through ngx_stream_rtmp_published(), from outside of any call
 * of ours.
 *
 * Adobe RTMP specification 1.0, section 7.2.2.6.
 */


#include "ngx_stream_rtmp.h"


static ngx_int_t ngx_stream_rtmp_publish_name(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, ngx_media_amf_str_t *name);
static ngx_int_t ngx_stream_rtmp_publish_done(ngx_stream_rtmp_session_t *s,
    ngx_int_t rc);
static ngx_int_t ngx_stream_rtmp_publish_start(ngx_stream_rtmp_session_t *s);
static ngx_int_t ngx_stream_rtmp_publish_refuse(ngx_stream_rtmp_session_t *s);
static void ngx_stream_rtmp_nap_handler(ngx_event_t *ev);


#define NGX_STREAM_RTMP_NAP        100     /* ms */
#define NGX_STREAM_RTMP_NAP_BYTES  16384   /* more than that: no nap */


ngx_int_t
ngx_stream_rtmp_release_stream(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    if (!s->created) {
        s->fmle = 1;
    }

    return ngx_stream_rtmp_result(s, cmd, NULL);
}


ngx_int_t
ngx_stream_rtmp_fc_publish(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    if (!s->created) {
        s->fmle = 1;

    } else if (!s->fmle) {
        s->haivision = 1;
    }

    return ngx_stream_rtmp_result(s, cmd, NULL);
}


ngx_int_t
ngx_stream_rtmp_fc_unpublish(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    if (ngx_stream_rtmp_fc_status(s, s->msid, "onFCUnpublish",
                                  "NetStream.Unpublish.Success",
                                  "Stop publishing stream")
        != NGX_OK
        || ngx_stream_rtmp_result(s, cmd, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_stream_rtmp_unpublish(s);
}


ngx_int_t
ngx_stream_rtmp_publish(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    ngx_int_t            rc;
    ngx_media_amf_str_t  name;

    if (!ngx_stream_rtmp_msid_ok(s, cmd->msid)) {
        return NGX_ERROR;
    }

    if (s->stage == NGX_STREAM_RTMP_PLAY) {
        rc = ngx_stream_rtmp_play_stop(s);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ngx_stream_rtmp_unpublish(s) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_stream_rtmp_publish_name(s, cmd, &name);

    if (rc == NGX_DONE) {
        return NGX_OK;
    }

    s->msid = cmd->msid;

    if (rc == NGX_OK) {
        rc = ngx_stream_rtmp_name(s, &name);
    }

    if (rc != NGX_OK) {
        return ngx_stream_rtmp_publish_done(s, rc);
    }

    ngx_media_session_set_type(&s->media,
                               s->fmle ? NGX_MEDIA_CLIENT_FMLE_PUBLISH
                               : s->haivision
                                 ? NGX_MEDIA_CLIENT_HAIVISION_PUBLISH
                                 : NGX_MEDIA_CLIENT_FLASH_PUBLISH);

    rc = ngx_media_publish(&s->media);

    if (rc == NGX_AGAIN) {
        s->waiting = 1;
        return NGX_STREAM_RTMP_BUSY;
    }

    return ngx_stream_rtmp_publish_done(s, rc);
}


/*
 * publish(name, type): without a name, or with false, the publish ends, which
 * is NGX_DONE.
 */

static ngx_int_t
ngx_stream_rtmp_publish_name(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, ngx_media_amf_str_t *name)
{
    ngx_media_amf_value_t  v;

    if (ngx_media_amf_read(cmd->amf, &v) != NGX_MEDIA_OK
        || ngx_media_amf_read(cmd->amf, &v) != NGX_MEDIA_OK
        || (v.type == NGX_MEDIA_AMF_BOOLEAN && !v.boolean))
    {
        return NGX_DONE;
    }

    if (v.type != NGX_MEDIA_AMF_STRING || v.string.len == 0) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client wants to publish without a name");
        s->media.reason = NGX_MEDIA_REASON_NAME;
        return NGX_DECLINED;
    }

    *name = v.string;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_publish_done(ngx_stream_rtmp_session_t *s, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        return ngx_stream_rtmp_publish_start(s);
    }

    if (rc == NGX_DECLINED) {
        return ngx_stream_rtmp_publish_refuse(s);
    }

    return NGX_ERROR;
}


void
ngx_stream_rtmp_published(ngx_media_session_t *ms, ngx_int_t rc)
{
    ngx_stream_rtmp_session_t  *s;

    s = (ngx_stream_rtmp_session_t *) ms;

    if (s->finalized || !s->waiting) {
        return;
    }

    if (ngx_stream_rtmp_publish_done(s, rc) != NGX_OK
        || ngx_stream_rtmp_flush(s) == NGX_ERROR)
    {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_stream_rtmp_resume(s);
}


static ngx_int_t
ngx_stream_rtmp_publish_start(ngx_stream_rtmp_session_t *s)
{
    if (s->publisher == NULL) {
        s->publisher = ngx_calloc(sizeof(ngx_stream_rtmp_publisher_t),
                                  s->connection->log);
        if (s->publisher == NULL) {
            return NGX_ERROR;
        }

        s->publisher->nap.handler = ngx_stream_rtmp_nap_handler;
        s->publisher->nap.data = s->connection;
        s->publisher->nap.log = s->connection->log;
    }

    ngx_memzero(&s->publisher->input, sizeof(ngx_media_flv_input_t));

    ngx_stream_rtmp_recv_limits(s, 1);
    ngx_stream_rtmp_stage(s, NGX_STREAM_RTMP_PUBLISH);

    if (ngx_stream_rtmp_send_user(s, NGX_MEDIA_RTMP_STREAM_BEGIN, s->msid)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((s->fmle || s->haivision)
        && ngx_stream_rtmp_fc_status(s, s->msid, "onFCPublish",
                                     "NetStream.Publish.Start",
                                     "Started publishing stream")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_stream_rtmp_status(s, s->msid, "status",
                                  "NetStream.Publish.Start",
                                  "Started publishing stream");
}


/* the connection stays for a while: the client may try another name */

static ngx_int_t
ngx_stream_rtmp_publish_refuse(ngx_stream_rtmp_session_t *s)
{
    const char  *code, *text;

    text = ngx_media_reason_text(s->media.reason);

    switch (s->media.reason) {

    case NGX_MEDIA_REASON_NAME:
    case NGX_MEDIA_REASON_BUSY:
        code = "NetStream.Publish.BadName";
        break;

    case NGX_MEDIA_REASON_DENIED:
    case NGX_MEDIA_REASON_LIMIT:
        code = "NetStream.Publish.Denied";
        break;

    default:
        code = "NetStream.Publish.Rejected";
        break;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "RTMP publish is refused: %s", text);

    ngx_stream_rtmp_refused(s);

    if (s->media.redirect.len) {
        return ngx_stream_rtmp_redirect(s, s->msid);
    }

    return ngx_stream_rtmp_status(s, s->msid, "error", code, text);
}


ngx_int_t
ngx_stream_rtmp_unpublish(ngx_stream_rtmp_session_t *s)
{
    if (s->stage != NGX_STREAM_RTMP_PUBLISH) {
        return NGX_OK;
    }

    ngx_media_publish_flush(&s->media);
    ngx_media_unpublish(&s->media);

    ngx_stream_rtmp_recv_limits(s, 0);
    ngx_stream_rtmp_stage(s, NGX_STREAM_RTMP_COMMANDS);

    return ngx_stream_rtmp_status(s, s->msid, "status",
                                  "NetStream.Unpublish.Success",
                                  "Stopped publishing stream");
}


/*
 * Waking up for each message is most of what a publisher costs.  While there
 * is no player the socket is taken out of epoll and read every 100 ms; a
 * player that comes gets the newest keyframe at once, and the next read finds
 * it there.
 */

ngx_int_t
ngx_stream_rtmp_nap(ngx_stream_rtmp_session_t *s, uint64_t got)
{
    ngx_event_t  *rev, *nap;

    rev = s->connection->read;

    if (s->stage != NGX_STREAM_RTMP_PUBLISH || s->waiting || s->rest
        || s->deferred || got > NGX_STREAM_RTMP_NAP_BYTES || rev->posted
#if (NGX_STREAM_SSL)
        || s->connection->ssl
#endif
        || ngx_media_publish_watched(&s->media))
    {
        return NGX_DECLINED;
    }

    nap = &s->publisher->nap;

    if (nap->timer_set) {
        return NGX_OK;
    }

    if (rev->active && ngx_del_event(rev, NGX_READ_EVENT, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(nap, NGX_STREAM_RTMP_NAP);

    return NGX_OK;
}


static void
ngx_stream_rtmp_nap_handler(ngx_event_t *ev)
{
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ev->data;
    rev = c->read;

    ev->timedout = 0;

    /* as if epoll had told */

    rev->ready = 1;
    rev->available = -1;

    rev->handler(rev);
}
