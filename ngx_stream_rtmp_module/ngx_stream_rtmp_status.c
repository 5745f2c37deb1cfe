
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: answers and notifications that are AMF: results and errors of commands,
 * onStatus and its relatives.  A peer that speaks AMF3 (objectEncoding 3)
 * gets them as messages of type 17, whose first byte says that AMF0 follows,
 * as Flash Media Server sends them.
 *
 * Adobe RTMP specification 1.0, sections 7.2.1 and 7.2.2; Enhanced RTMP v2,
 * "Enhancing NetConnection connect command" and "Reconnect request".
 */


#include "ngx_stream_rtmp.h"


/* one byte before the AMF is left for the marker of type 17 */

#define ngx_stream_rtmp_amf_init(w, buf)                                      \
    ngx_media_amf_out_init(w, (buf) + 1, sizeof(buf) - 1)


static void ngx_stream_rtmp_put_enhanced(ngx_media_amf_out_t *w);
static void ngx_stream_rtmp_put_id(ngx_stream_rtmp_session_t *s,
    ngx_media_amf_out_t *w);


static const char  *ngx_stream_rtmp_video_fourccs[] = {
    "avc1", "hvc1", "vvc1", "av01", "vp08", "vp09", NULL
};

static const char  *ngx_stream_rtmp_audio_fourccs[] = {
    "mp4a", ".mp3", "Opus", "fLaC", "ac-3", "ec-3", NULL
};


ngx_int_t
ngx_stream_rtmp_send_amf(ngx_stream_rtmp_session_t *s, ngx_uint_t csid,
    uint32_t msid, ngx_uint_t amf3, ngx_media_amf_out_t *w)
{
    u_char      *p;
    size_t       n;
    ngx_uint_t   type;

    if (w->overflow) {
        ngx_log_error(NGX_LOG_ALERT, s->connection->log, 0,
                      "RTMP answer does not fit its buffer");
        return NGX_ERROR;
    }

    p = w->start;
    n = ngx_media_amf_out_size(w);
    type = NGX_MEDIA_RTMP_AMF0_COMMAND;

    if (amf3) {
        p--;
        *p = 0;
        n++;
        type = NGX_MEDIA_RTMP_AMF3_COMMAND;
    }

    return ngx_stream_rtmp_send_message(s, csid, type, msid, p, n);
}


static void
ngx_stream_rtmp_put_id(ngx_stream_rtmp_session_t *s, ngx_media_amf_out_t *w)
{
    ngx_str_t  id;

    id = ngx_media_session_text(&s->media, NGX_MEDIA_TEXT_ID);

    ngx_media_amf_prop_string(w, "clientid", id.data, id.len);
}


ngx_int_t
ngx_stream_rtmp_status(ngx_stream_rtmp_session_t *s, uint32_t msid,
    const char *level, const char *code, const char *description)
{
    u_char               buf[1024];
    ngx_str_t            name;
    ngx_media_amf_out_t  w;

    ngx_log_debug2(NGX_LOG_DEBUG_STREAM, s->connection->log, 0,
                   "rtmp status %s: %s", code, description);

    ngx_stream_rtmp_amf_init(&w, buf);

    ngx_media_amf_put_cstr(&w, "onStatus");
    ngx_media_amf_put_number(&w, 0);
    ngx_media_amf_put_null(&w);
    ngx_media_amf_put_object(&w);
    ngx_media_amf_prop_cstr(&w, "level", level);
    ngx_media_amf_prop_cstr(&w, "code", code);
    ngx_media_amf_prop_cstr(&w, "description", description);

    name = ngx_media_session_text(&s->media, NGX_MEDIA_TEXT_STREAM);

    if (msid && name.len) {
        ngx_media_amf_prop_string(&w, "details", name.data, name.len);
    }

    ngx_stream_rtmp_put_id(s, &w);
    ngx_media_amf_put_end(&w);

    return ngx_stream_rtmp_send_amf(s, NGX_MEDIA_RTMP_CSID_STREAM, msid,
                                    s->amf3, &w);
}


/* whoever does not know the fields of "ex" sees a refusal */

ngx_int_t
ngx_stream_rtmp_redirect(ngx_stream_rtmp_session_t *s, uint32_t msid)
{
    u_char               buf[2048];
    ngx_str_t           *url;
    ngx_media_amf_out_t  w;

    url = &s->media.redirect;

    ngx_stream_rtmp_amf_init(&w, buf);

    ngx_media_amf_put_cstr(&w, "onStatus");
    ngx_media_amf_put_number(&w, 0);
    ngx_media_amf_put_null(&w);
    ngx_media_amf_put_object(&w);
    ngx_media_amf_prop_cstr(&w, "level", "error");
    ngx_media_amf_prop_cstr(&w, "code", "NetConnection.Connect.Rejected");
    ngx_media_amf_prop_cstr(&w, "description", "RTMP 302 redirect");

    ngx_media_amf_put_key(&w, "ex", 2);
    ngx_media_amf_put_object(&w);
    ngx_media_amf_prop_number(&w, "code", 302);
    ngx_media_amf_prop_string(&w, "redirect", url->data,
                              ngx_min(url->len, NGX_STREAM_RTMP_REDIRECT));
    ngx_media_amf_put_end(&w);

    ngx_stream_rtmp_put_id(s, &w);
    ngx_media_amf_put_end(&w);

    return ngx_stream_rtmp_send_amf(s, NGX_MEDIA_RTMP_CSID_STREAM, msid,
                                    s->amf3, &w);
}


/* onFCPublish, onFCUnpublish, onFCSubscribe */

ngx_int_t
ngx_stream_rtmp_fc_status(ngx_stream_rtmp_session_t *s, uint32_t msid,
    const char *name, const char *code, const char *description)
{
    u_char               buf[512];
    ngx_media_amf_out_t  w;

    ngx_stream_rtmp_amf_init(&w, buf);

    ngx_media_amf_put_cstr(&w, name);
    ngx_media_amf_put_number(&w, 0);
    ngx_media_amf_put_null(&w);
    ngx_media_amf_put_object(&w);
    ngx_media_amf_prop_cstr(&w, "level", "status");
    ngx_media_amf_prop_cstr(&w, "code", code);
    ngx_media_amf_prop_cstr(&w, "description", description);
    ngx_stream_rtmp_put_id(s, &w);
    ngx_media_amf_put_end(&w);

    return ngx_stream_rtmp_send_amf(s, NGX_MEDIA_RTMP_CSID_STREAM, msid,
                                    s->amf3, &w);
}


/* _result with a number, or undefined; nothing where nobody waits for it */

ngx_int_t
ngx_stream_rtmp_result(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const double *value)
{
    u_char               buf[64];
    ngx_media_amf_out_t  w;

    if (cmd->transaction == 0) {
        return NGX_OK;
    }

    ngx_stream_rtmp_amf_init(&w, buf);

    ngx_media_amf_put_cstr(&w, "_result");
    ngx_media_amf_put_number(&w, cmd->transaction);
    ngx_media_amf_put_null(&w);

    if (value) {
        ngx_media_amf_put_number(&w, *value);

    } else {
        ngx_media_amf_put_undefined(&w);
    }

    return ngx_stream_rtmp_send_amf(s, NGX_MEDIA_RTMP_CSID_COMMAND, 0,
                                    cmd->amf3, &w);
}


ngx_int_t
ngx_stream_rtmp_error(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const char *code,
    const char *description)
{
    u_char               buf[512];
    ngx_media_amf_out_t  w;

    if (cmd->transaction == 0) {
        return NGX_OK;
    }

    ngx_stream_rtmp_amf_init(&w, buf);

    ngx_media_amf_put_cstr(&w, "_error");
    ngx_media_amf_put_number(&w, cmd->transaction);
    ngx_media_amf_put_null(&w);
    ngx_media_amf_put_object(&w);
    ngx_media_amf_prop_cstr(&w, "level", "error");
    ngx_media_amf_prop_cstr(&w, "code", code);
    ngx_media_amf_prop_cstr(&w, "description", description);
    ngx_media_amf_put_end(&w);

    return ngx_stream_rtmp_send_amf(s, NGX_MEDIA_RTMP_CSID_COMMAND, 0,
                                    cmd->amf3, &w);
}


/* the answer to connect */

ngx_int_t
ngx_stream_rtmp_connected(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, ngx_uint_t enhanced)
{
    u_char               buf[1024];
    ngx_media_amf_out_t  w;

    ngx_stream_rtmp_amf_init(&w, buf);

    ngx_media_amf_put_cstr(&w, "_result");
    ngx_media_amf_put_number(&w, cmd->transaction);

    ngx_media_amf_put_object(&w);
    ngx_media_amf_prop_cstr(&w, "fmsVer", "FMS/3,5,7,7009");
    ngx_media_amf_prop_number(&w, "capabilities", 127);
    ngx_media_amf_prop_number(&w, "mode", 1);

    if (enhanced) {
        ngx_stream_rtmp_put_enhanced(&w);
    }

    ngx_media_amf_put_end(&w);

    ngx_media_amf_put_object(&w);
    ngx_media_amf_prop_cstr(&w, "level", "status");
    ngx_media_amf_prop_cstr(&w, "code", "NetConnection.Connect.Success");
    ngx_media_amf_prop_cstr(&w, "description", "Connection succeeded");
    ngx_media_amf_prop_number(&w, "objectEncoding", s->amf3 ? 3 : 0);
    ngx_stream_rtmp_put_id(s, &w);

    ngx_media_amf_put_key(&w, "data", 4);
    ngx_media_amf_put_ecma_array(&w, 3);
    ngx_media_amf_prop_cstr(&w, "version", "3,5,7,7009");
    ngx_media_amf_prop_cstr(&w, "server", NGX_STREAM_RTMP_SERVER);
    ngx_media_amf_prop_cstr(&w, "server_version", NGINX_VERSION);
    ngx_media_amf_put_end(&w);

    ngx_media_amf_put_end(&w);

    /* this one answer is AMF0 in any case: it tells the encoding */

    return ngx_stream_rtmp_send_amf(s, NGX_MEDIA_RTMP_CSID_COMMAND, 0, 0, &w);
}


/* what we pass on, under the names in which a client told what it can */

static void
ngx_stream_rtmp_put_enhanced(ngx_media_amf_out_t *w)
{
    ngx_uint_t    i;
    const double  forward = 4;

    ngx_media_amf_put_key(w, "fourCcList", 10);
    ngx_media_amf_put_array(w, 12);

    for (i = 0; ngx_stream_rtmp_video_fourccs[i]; i++) {
        ngx_media_amf_put_cstr(w, ngx_stream_rtmp_video_fourccs[i]);
    }

    for (i = 0; ngx_stream_rtmp_audio_fourccs[i]; i++) {
        ngx_media_amf_put_cstr(w, ngx_stream_rtmp_audio_fourccs[i]);
    }

    ngx_media_amf_put_key(w, "videoFourCcInfoMap", 18);
    ngx_media_amf_put_object(w);

    for (i = 0; ngx_stream_rtmp_video_fourccs[i]; i++) {
        ngx_media_amf_prop_number(w, ngx_stream_rtmp_video_fourccs[i],
                                  forward);
    }

    ngx_media_amf_put_end(w);

    ngx_media_amf_put_key(w, "audioFourCcInfoMap", 18);
    ngx_media_amf_put_object(w);

    for (i = 0; ngx_stream_rtmp_audio_fourccs[i]; i++) {
        ngx_media_amf_prop_number(w, ngx_stream_rtmp_audio_fourccs[i],
                                  forward);
    }

    ngx_media_amf_put_end(w);

    ngx_media_amf_prop_number(w, "capsEx",
                              NGX_STREAM_RTMP_CAPS_RECONNECT
                              |NGX_STREAM_RTMP_CAPS_MULTITRACK
                              |NGX_STREAM_RTMP_CAPS_MODEX
                              |NGX_STREAM_RTMP_CAPS_NANO);
}


ngx_int_t
ngx_stream_rtmp_bw_done(ngx_stream_rtmp_session_t *s)
{
    u_char               buf[64];
    ngx_media_amf_out_t  w;

    ngx_stream_rtmp_amf_init(&w, buf);

    ngx_media_amf_put_cstr(&w, "onBWDone");
    ngx_media_amf_put_number(&w, 0);
    ngx_media_amf_put_null(&w);

    return ngx_stream_rtmp_send_amf(s, NGX_MEDIA_RTMP_CSID_COMMAND, 0,
                                    s->amf3, &w);
}


ngx_int_t
ngx_stream_rtmp_reconnect(ngx_stream_rtmp_session_t *s)
{
    u_char               buf[2048];
    ngx_media_amf_out_t  w;

    ngx_stream_rtmp_amf_init(&w, buf);

    ngx_media_amf_put_cstr(&w, "onStatus");
    ngx_media_amf_put_number(&w, 0);
    ngx_media_amf_put_null(&w);
    ngx_media_amf_put_object(&w);
    ngx_media_amf_prop_cstr(&w, "level", "status");
    ngx_media_amf_prop_cstr(&w, "code",
                            "NetConnection.Connect.ReconnectRequest");
    ngx_media_amf_prop_cstr(&w, "description",
                            "The server process is being replaced");

    if (s->tcurl_len && s->tcurl_len < 1024) {
        ngx_media_amf_prop_string(&w, "tcUrl", s->url, s->tcurl_len);
    }

    ngx_media_amf_put_end(&w);

    return ngx_stream_rtmp_send_amf(s, NGX_MEDIA_RTMP_CSID_COMMAND, 0,
                                    s->amf3, &w);
}


ngx_int_t
ngx_stream_rtmp_sample_access(ngx_stream_rtmp_session_t *s)
{
    u_char               buf[64];
    ngx_media_amf_out_t  w;

    ngx_media_amf_out_init(&w, buf, sizeof(buf));

    ngx_media_amf_put_cstr(&w, "|RtmpSampleAccess");
    ngx_media_amf_put_boolean(&w, 1);
    ngx_media_amf_put_boolean(&w, 1);

    return ngx_stream_rtmp_send_message(s, NGX_MEDIA_RTMP_CSID_DATA,
                                        NGX_MEDIA_RTMP_AMF0_DATA, s->msid,
                                        buf, ngx_media_amf_out_size(&w));
}
