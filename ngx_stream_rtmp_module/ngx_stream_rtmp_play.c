
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: playing: play and its relatives, what a player is told of the source,
 * and the consumer that sends it the media.
 *
 * A player of a name that nobody publishes waits; the core says when a
 * publisher comes (PUBLISH) or when the patience is over (IDLE).  A player
 * that stops in the middle of a frame is paused and sent the rest of it
 * first: the command that stopped it is handled again after that.
 *
 * Adobe RTMP specification 1.0, sections 7.1.7 and 7.2.2.
 */


#include "ngx_stream_rtmp.h"

#include <netinet/tcp.h>


static ngx_int_t ngx_stream_rtmp_play_name(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const ngx_media_amf_str_t *name);
static ngx_int_t ngx_stream_rtmp_play_tracks(ngx_stream_rtmp_session_t *s);
static void ngx_stream_rtmp_play_params(ngx_stream_rtmp_session_t *s,
    ngx_media_wire_params_t *params);
static ngx_int_t ngx_stream_rtmp_play_begin(ngx_stream_rtmp_session_t *s,
    ngx_int_t rc);
static ngx_int_t ngx_stream_rtmp_play_refuse(ngx_stream_rtmp_session_t *s,
    const char *text);
static ngx_int_t ngx_stream_rtmp_play_greet(ngx_stream_rtmp_session_t *s);
static ngx_int_t ngx_stream_rtmp_play_event(ngx_stream_rtmp_session_t *s,
    ngx_uint_t event);
static ngx_uint_t ngx_stream_rtmp_play_busy(ngx_stream_rtmp_session_t *s);
static void ngx_stream_rtmp_tune_player(ngx_stream_rtmp_session_t *s);
static void ngx_stream_rtmp_output(ngx_media_consumer_t *c);
static void ngx_stream_rtmp_event(ngx_media_consumer_t *c, ngx_uint_t event);


static const ngx_media_consumer_ops_t  ngx_stream_rtmp_consumer_ops = {
    ngx_stream_rtmp_output,
    ngx_stream_rtmp_event
};


static const char  ngx_stream_rtmp_bad_tracks[] =
    "\"tracks\" must be \"all\", \"default\" or a list such as \"v0,a1\", "
    "numbers up to 6";


#define ngx_stream_rtmp_consumer_session(c)                                   \
    ((ngx_stream_rtmp_session_t *)                                            \
     ((u_char *) (c) - offsetof(ngx_stream_rtmp_session_t, consumer)))


/* play(name, start, duration, reset): live is all there is to play */

ngx_int_t
ngx_stream_rtmp_play(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    ngx_uint_t             i;
    ngx_media_amf_str_t    name;
    ngx_media_amf_value_t  v;

    name.data = NULL;
    name.len = 0;

    if (ngx_media_amf_read(cmd->amf, &v) == NGX_MEDIA_OK
        && ngx_media_amf_read(cmd->amf, &v) == NGX_MEDIA_OK
        && v.type == NGX_MEDIA_AMF_STRING)
    {
        name = v.string;
    }

    s->reset = 1;

    for (i = 0; i < 3; i++) {

        if (ngx_media_amf_read(cmd->amf, &v) != NGX_MEDIA_OK) {
            break;
        }

        if (i == 2
            && ((v.type == NGX_MEDIA_AMF_BOOLEAN && !v.boolean)
                || (v.type == NGX_MEDIA_AMF_NUMBER && v.number == 0)))
        {
            s->reset = 0;
        }
    }

    return ngx_stream_rtmp_play_name(s, cmd, &name);
}


/* play2({ streamName, oldStreamName, transition, ... }) */

ngx_int_t
ngx_stream_rtmp_play2(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    ngx_media_amf_str_t    name;
    ngx_media_amf_value_t  v, object;

    name.data = NULL;
    name.len = 0;

    if (ngx_media_amf_read(cmd->amf, &v) == NGX_MEDIA_OK
        && ngx_media_amf_read(cmd->amf, &object) == NGX_MEDIA_OK
        && ngx_media_amf_find(cmd->amf, &object, "streamName", &v)
           == NGX_MEDIA_OK
        && v.type == NGX_MEDIA_AMF_STRING)
    {
        name = v.string;
    }

    s->reset = 0;

    return ngx_stream_rtmp_play_name(s, cmd, &name);
}


static ngx_int_t
ngx_stream_rtmp_play_name(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const ngx_media_amf_str_t *name)
{
    ngx_int_t  rc;

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

    s->msid = cmd->msid;
    s->greeted = 0;
    s->ended = 0;

    if (name->len == 0) {
        s->media.reason = NGX_MEDIA_REASON_NAME;
        return ngx_stream_rtmp_play_refuse(s, NULL);
    }

    rc = ngx_stream_rtmp_name(s, name);

    if (rc == NGX_OK) {
        ngx_media_session_set_type(&s->media, NGX_MEDIA_CLIENT_RTMP_PLAY);

        if (ngx_stream_rtmp_play_tracks(s) != NGX_OK) {
            s->media.reason = NGX_MEDIA_REASON_TRACKS;
            return ngx_stream_rtmp_play_refuse(s, ngx_stream_rtmp_bad_tracks);
        }

        rc = ngx_media_permit(&s->media, NGX_MEDIA_ACT_PLAY);

        if (rc == NGX_AGAIN) {
            s->waiting = 1;
            return NGX_STREAM_RTMP_BUSY;
        }
    }

    return ngx_stream_rtmp_play_begin(s, rc);
}


void
ngx_stream_rtmp_permitted(ngx_media_session_t *ms, ngx_uint_t act,
    ngx_int_t rc)
{
    ngx_stream_rtmp_session_t  *s;

    s = (ngx_stream_rtmp_session_t *) ms;

    if (s->finalized || !s->waiting) {
        return;
    }

    if (ngx_stream_rtmp_play_begin(s, rc) != NGX_OK
        || ngx_stream_rtmp_flush(s) == NGX_ERROR)
    {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_stream_rtmp_resume(s);
}


/* rc: may it play? */

static ngx_int_t
ngx_stream_rtmp_play_begin(ngx_stream_rtmp_session_t *s, ngx_int_t rc)
{
    ngx_media_wire_params_t  params;

    if (rc == NGX_OK) {
        ngx_stream_rtmp_play_params(s, &params);

        ngx_memzero(&s->consumer, sizeof(ngx_media_consumer_t));

        rc = ngx_media_play(&s->media, &s->consumer,
                            &ngx_stream_rtmp_consumer_ops,
                            &ngx_stream_rtmp_muxer, &params, 0);
    }

    if (rc == NGX_DECLINED) {
        return ngx_stream_rtmp_play_refuse(s, NULL);
    }

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return NGX_ERROR;
    }

    s->attached = 1;

    ngx_stream_rtmp_tune_player(s);
    ngx_stream_rtmp_stage(s, NGX_STREAM_RTMP_PLAY);

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    return ngx_stream_rtmp_play_greet(s);
}


/*
 * ?tracks=, without which who can take several tracks gets all; ?onlyaudio=1
 * and ?onlyvideo=1.  NGX_DECLINED: no such selection, or nothing is left.
 */

static ngx_int_t
ngx_stream_rtmp_play_tracks(ngx_stream_rtmp_session_t *s)
{
    uint32_t             tracks;
    ngx_str_t            text;
    ngx_media_url_str_t  args, value;

    text = ngx_media_session_text(&s->media, NGX_MEDIA_TEXT_ARGS);

    args.data = text.data;
    args.len = text.len;

    tracks = (s->caps & NGX_STREAM_RTMP_CAPS_MULTITRACK)
             ? NGX_MEDIA_TRACKS_ALL : NGX_MEDIA_TRACKS_DEFAULT;

    if (ngx_media_tracks_arg(&args, &tracks) == NGX_MEDIA_ERROR) {
        return NGX_DECLINED;
    }

    if (ngx_media_arg(&args, "onlyaudio", &value)
        && value.len == 1 && value.data[0] == '1')
    {
        tracks &= ~NGX_MEDIA_TRACKS_VIDEO;

    } else if (ngx_media_arg(&args, "onlyvideo", &value)
               && value.len == 1 && value.data[0] == '1')
    {
        tracks &= ~NGX_MEDIA_TRACKS_AUDIO;
    }

    s->wanted = tracks;
    s->tracks = tracks;

    return (tracks & ~NGX_MEDIA_TRACKS_SCRIPT) ? NGX_OK : NGX_DECLINED;
}


static void
ngx_stream_rtmp_play_params(ngx_stream_rtmp_session_t *s,
    ngx_media_wire_params_t *params)
{
    params->tracks = s->tracks;

    params->opt[NGX_STREAM_RTMP_OPT_CHUNK_SIZE] = s->conf->chunk_size;
    params->opt[NGX_STREAM_RTMP_OPT_MSID] = s->msid;
    params->opt[NGX_STREAM_RTMP_OPT_MODE] = s->hevc
                                            ? 0 : NGX_MEDIA_FLV_HEVC_LEGACY;

    /* who can take offsets has to take the form that they come in */

    if ((s->caps & NGX_STREAM_RTMP_CAPS_MODEX)
        && (s->caps & NGX_STREAM_RTMP_CAPS_NANO)
        && s->avc && s->aac)
    {
        params->opt[NGX_STREAM_RTMP_OPT_MODE] |= NGX_MEDIA_FLV_NANO;
    }
}


/* text may be NULL: what the reason says */

static ngx_int_t
ngx_stream_rtmp_play_refuse(ngx_stream_rtmp_session_t *s, const char *text)
{
    const char  *code;

    if (text == NULL) {
        text = ngx_media_reason_text(s->media.reason);
    }

    ngx_media_permit_over(&s->media, NGX_MEDIA_ACT_PLAY);

    code = (s->media.reason == NGX_MEDIA_REASON_NOT_FOUND
            || s->media.reason == NGX_MEDIA_REASON_NAME)
           ? "NetStream.Play.StreamNotFound" : "NetStream.Play.Failed";

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "RTMP play is refused: %s", text);

    ngx_stream_rtmp_refused(s);

    if (s->media.redirect.len) {
        return ngx_stream_rtmp_redirect(s, s->msid);
    }

    return ngx_stream_rtmp_status(s, s->msid, "error", code, text);
}


/* what a player is told before the first frame */

static ngx_int_t
ngx_stream_rtmp_play_greet(ngx_stream_rtmp_session_t *s)
{
    if (s->greeted) {
        return NGX_OK;
    }

    s->greeted = 1;

    if (ngx_stream_rtmp_send_user(s, NGX_MEDIA_RTMP_STREAM_BEGIN, s->msid)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (s->reset
        && ngx_stream_rtmp_status(s, s->msid, "status",
                                  "NetStream.Play.Reset",
                                  "Playing and resetting stream")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_stream_rtmp_status(s, s->msid, "status", "NetStream.Play.Start",
                               "Started playing stream")
        != NGX_OK
        || ngx_stream_rtmp_sample_access(s) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* as a command: ffmpeg would take the data message for a track */

    return ngx_stream_rtmp_status(s, s->msid, "status",
                                  "NetStream.Data.Start",
                                  "Started sending data");
}


/* pause(flag, time) */

ngx_int_t
ngx_stream_rtmp_pause(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    ngx_media_amf_value_t  v;

    if (s->stage != NGX_STREAM_RTMP_PLAY) {
        return NGX_OK;
    }

    if (ngx_media_amf_read(cmd->amf, &v) != NGX_MEDIA_OK
        || ngx_media_amf_read(cmd->amf, &v) != NGX_MEDIA_OK
        || v.type != NGX_MEDIA_AMF_BOOLEAN)
    {
        return NGX_OK;
    }

    if (v.boolean) {
        ngx_media_play_pause(&s->consumer, 1);

        if (ngx_stream_rtmp_status(s, s->msid, "status",
                                   "NetStream.Pause.Notify", "Paused stream")
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_stream_rtmp_send_user(s, NGX_MEDIA_RTMP_STREAM_EOF,
                                         s->msid);
    }

    if (ngx_stream_rtmp_send_user(s, NGX_MEDIA_RTMP_STREAM_BEGIN, s->msid)
        != NGX_OK
        || ngx_stream_rtmp_status(s, s->msid, "status",
                                  "NetStream.Unpause.Notify",
                                  "Unpaused stream")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_media_play_pause(&s->consumer, 0);

    return NGX_OK;
}


/* there is only now: it is told, and playing goes on */

ngx_int_t
ngx_stream_rtmp_seek(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    if (s->stage != NGX_STREAM_RTMP_PLAY) {
        return NGX_OK;
    }

    if (ngx_stream_rtmp_status(s, s->msid, "status",
                               "NetStream.Seek.Notify", "Seeking")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_stream_rtmp_status(s, s->msid, "status",
                                  "NetStream.Play.Start",
                                  "Started playing stream");
}


/* receiveAudio(flag), receiveVideo(flag) */

ngx_int_t
ngx_stream_rtmp_receive(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd)
{
    uint32_t                 tracks;
    ngx_media_amf_value_t    v;
    ngx_media_wire_params_t  params;

    if (s->stage != NGX_STREAM_RTMP_PLAY
        || ngx_media_amf_read(cmd->amf, &v) != NGX_MEDIA_OK
        || ngx_media_amf_read(cmd->amf, &v) != NGX_MEDIA_OK
        || v.type != NGX_MEDIA_AMF_BOOLEAN)
    {
        return NGX_OK;
    }

    tracks = ngx_media_amf_str_is(&cmd->name, "receiveAudio")
             ? NGX_MEDIA_TRACKS_AUDIO : NGX_MEDIA_TRACKS_VIDEO;

    tracks = v.boolean ? s->tracks | (s->wanted & tracks)
                       : s->tracks & ~tracks;

    if (tracks != s->tracks) {
        s->tracks = tracks;
        ngx_stream_rtmp_play_params(s, &params);

        if (ngx_media_play_switch(&s->consumer, &ngx_stream_rtmp_muxer,
                                  &params)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (!v.boolean) {
        return NGX_OK;
    }

    return ngx_stream_rtmp_seek(s, cmd);
}


static ngx_uint_t
ngx_stream_rtmp_play_busy(ngx_stream_rtmp_session_t *s)
{
    return s->out || s->consumer.out
           || s->consumer.frame_end > s->consumer.offset;
}


ngx_int_t
ngx_stream_rtmp_play_stop(ngx_stream_rtmp_session_t *s)
{
    if (s->attached) {

        if (ngx_stream_rtmp_play_busy(s)) {
            ngx_media_play_pause(&s->consumer, 1);

            if (ngx_stream_rtmp_flush(s) == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (ngx_stream_rtmp_play_busy(s)) {
                s->detaching = 1;
                return NGX_AGAIN;
            }
        }

        s->attached = 0;
        ngx_media_play_stop(&s->consumer);
    }

    ngx_media_permit_over(&s->media, NGX_MEDIA_ACT_PLAY);

    ngx_stream_rtmp_stage(s, NGX_STREAM_RTMP_COMMANDS);

    if (!s->greeted) {
        return NGX_OK;
    }

    s->greeted = 0;

    return ngx_stream_rtmp_status(s, s->msid, "status",
                                  "NetStream.Play.Stop", "Stopped playing");
}


void
ngx_stream_rtmp_play_sent(ngx_stream_rtmp_session_t *s)
{
    if (!ngx_stream_rtmp_play_busy(s)) {
        ngx_stream_rtmp_resume(s);
    }
}


/* what the kernel holds is lag that nobody sees: it shall not be much */

static void
ngx_stream_rtmp_tune_player(ngx_stream_rtmp_session_t *s)
{
#ifdef TCP_NOTSENT_LOWAT

    int                lowat;
    ngx_connection_t  *c;

    c = s->connection;

    if (c->sockaddr->sa_family == AF_UNIX) {
        return;
    }

    lowat = NGX_STREAM_RTMP_NOTSENT;

    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
                   (const void *) &lowat, sizeof(int))
        == -1)
    {
        ngx_connection_error(c, ngx_socket_errno,
                             "setsockopt(TCP_NOTSENT_LOWAT) failed");
    }

#endif
}


static void
ngx_stream_rtmp_output(ngx_media_consumer_t *c)
{
    ngx_stream_rtmp_session_t  *s;

    s = ngx_stream_rtmp_consumer_session(c);

    if (ngx_stream_rtmp_flush(s) == NGX_ERROR) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
    }
}


static void
ngx_stream_rtmp_event(ngx_media_consumer_t *c, ngx_uint_t event)
{
    ngx_stream_rtmp_session_t  *s;

    s = ngx_stream_rtmp_consumer_session(c);

    if (s->finalized || s->stage != NGX_STREAM_RTMP_PLAY) {
        return;
    }

    if (event == NGX_MEDIA_EVENT_MISSING) {
        event = NGX_MEDIA_EVENT_IDLE;
    }

    if (ngx_stream_rtmp_play_event(s, event) != NGX_OK) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
        return;
    }

    if (event == NGX_MEDIA_EVENT_IDLE) {
        ngx_stream_rtmp_linger(s);
        return;
    }

    if (ngx_stream_rtmp_flush(s) == NGX_ERROR) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
    }
}


static ngx_int_t
ngx_stream_rtmp_play_event(ngx_stream_rtmp_session_t *s, ngx_uint_t event)
{
    switch (event) {

    case NGX_MEDIA_EVENT_PUBLISH:

        if (!s->ended) {
            return ngx_stream_rtmp_play_greet(s);
        }

        s->ended = 0;

        if (ngx_stream_rtmp_send_user(s, NGX_MEDIA_RTMP_STREAM_BEGIN,
                                      s->msid)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_stream_rtmp_status(s, s->msid, "status",
                                      "NetStream.Play.PublishNotify",
                                      "Stream is published");

    case NGX_MEDIA_EVENT_START:
        return ngx_stream_rtmp_play_greet(s);

    case NGX_MEDIA_EVENT_UNPUBLISH:
        return ngx_stream_rtmp_send_user(s, NGX_MEDIA_RTMP_STREAM_DRY,
                                         s->msid);

    case NGX_MEDIA_EVENT_END:

        if (s->ended || !s->greeted) {
            return NGX_OK;
        }

        s->ended = 1;

        if (ngx_stream_rtmp_send_user(s, NGX_MEDIA_RTMP_STREAM_EOF, s->msid)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_stream_rtmp_status(s, s->msid, "status",
                                      "NetStream.Play.UnpublishNotify",
                                      "Stream is not published any more");

    case NGX_MEDIA_EVENT_IDLE:

        if (s->greeted) {
            return ngx_stream_rtmp_status(s, s->msid, "status",
                                          "NetStream.Play.Stop",
                                          "Stopped playing");
        }

        return ngx_stream_rtmp_status(s, s->msid, "error",
                                      "NetStream.Play.StreamNotFound",
                                      "Nobody publishes it");

    default:
        return NGX_OK;
    }
}
