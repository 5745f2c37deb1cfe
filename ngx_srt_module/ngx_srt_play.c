
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: what an SRT player gets: MPEG-TS out of the log of its wire, seven
 * packets a message, the last one of what is there may be shorter.
 */


#include "ngx_srt.h"
#include "ngx_media_ts_wire.h"


#define NGX_SRT_SPANS      16
#define NGX_SRT_BURST      (256 * NGX_SRT_PAYLOAD)


static ngx_int_t ngx_srt_muxer_header(ngx_media_wire_t *w,
    const ngx_media_heads_t *heads, const ngx_media_frame_t *first);
static ngx_int_t ngx_srt_muxer_frame(ngx_media_wire_t *w,
    const ngx_media_frame_t *f);
static ngx_int_t ngx_srt_message(ngx_media_wire_t *w, const u_char *p,
    size_t n);
static void ngx_srt_output(ngx_media_consumer_t *c);
static void ngx_srt_event_of(ngx_media_consumer_t *c, ngx_uint_t event);
static ngx_int_t ngx_srt_send(ngx_srt_session_t *s);
static size_t ngx_srt_gather(ngx_media_span_t *spans, ngx_uint_t n,
    u_char *buf);


static const ngx_media_muxer_t  ngx_srt_muxer = {
    ngx_string("ts"),
    sizeof(ngx_media_ts_wire_t),
    ngx_srt_muxer_header,
    ngx_srt_muxer_frame
};


static const ngx_media_consumer_ops_t  ngx_srt_consumer_ops = {
    ngx_srt_output,
    ngx_srt_event_of
};


static ngx_int_t
ngx_srt_muxer_header(ngx_media_wire_t *w, const ngx_media_heads_t *heads,
    const ngx_media_frame_t *first)
{
    return NGX_OK;
}


static ngx_int_t
ngx_srt_muxer_frame(ngx_media_wire_t *w, const ngx_media_frame_t *f)
{
    return ngx_media_ts_wire_frame(w, f, ngx_srt_message);
}


static ngx_int_t
ngx_srt_message(ngx_media_wire_t *w, const u_char *p, size_t n)
{
    return ngx_media_wire_write(w, p, n);
}


/* NGX_OK, NGX_DECLINED: the reason is set; NGX_ERROR */

ngx_int_t
ngx_srt_play(ngx_srt_session_t *s)
{
    ngx_int_t                rc;
    ngx_media_wire_params_t  params;

    ngx_memzero(&params, sizeof(ngx_media_wire_params_t));
    params.tracks = NGX_MEDIA_TRACKS_DEFAULT;

    rc = ngx_media_play(&s->media, &s->consumer, &ngx_srt_consumer_ops,
                        &ngx_srt_muxer, &params, NGX_MEDIA_PLAY_LIVE);

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        s->attached = 1;

        /* until libsrt has accepted it */

        ngx_media_consumer_block(&s->consumer);
    }

    return rc;
}


void
ngx_srt_play_start(ngx_srt_session_t *s)
{
    ngx_media_consumer_unblock(&s->consumer);
}


/* its socket has room again, or is broken */

ngx_int_t
ngx_srt_play_event(ngx_srt_session_t *s)
{
    SRT_SOCKSTATUS  status;

    status = srt_getsockstate(s->peer->sock);

    if (status != SRTS_CONNECTED) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "SRT player is gone");
        return NGX_DONE;
    }

    s->heard = ngx_current_msec;

    if (s->consumer.blocked) {
        ngx_media_consumer_unblock(&s->consumer);
    }

    return NGX_OK;
}


static void
ngx_srt_output(ngx_media_consumer_t *c)
{
    ngx_srt_session_t  *s;

    s = (ngx_srt_session_t *) c->session;

    if (!s->accepted || s->finalized) {
        return;
    }

    if (ngx_srt_send(s) != NGX_OK) {
        ngx_srt_session_close(s, NGX_STREAM_OK);
    }
}


static ngx_int_t
ngx_srt_send(ngx_srt_session_t *s)
{
    int                n;
    size_t             size, all;
    ngx_uint_t         nspans;
    ngx_media_span_t   spans[NGX_SRT_SPANS];
    u_char             buf[NGX_SRT_PAYLOAD];

    for (all = 0; all < NGX_SRT_BURST; all += size) {

        nspans = ngx_media_consumer_spans(&s->consumer, spans, NGX_SRT_SPANS,
                                          NGX_SRT_PAYLOAD);
        if (nspans == 0) {
            return NGX_OK;
        }

        size = ngx_srt_gather(spans, nspans, buf);

        n = srt_sendmsg(s->peer->sock, (char *) buf, (int) size, -1, 1);

        if (n == SRT_ERROR) {

            if (srt_getlasterror(NULL) == SRT_EASYNCSND) {
                ngx_media_consumer_block(&s->consumer);
                return NGX_OK;
            }

            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "SRT player is gone: %s", srt_getlasterror_str());
            return NGX_ERROR;
        }

        s->heard = ngx_current_msec;
        s->connection->sent += size;
        ngx_media_consumer_sent(&s->consumer, size);
    }

    /* the rest after others had a turn */

    ngx_media_consumer_block(&s->consumer);
    ngx_srt_again(s->peer);

    return NGX_OK;
}


static size_t
ngx_srt_gather(ngx_media_span_t *spans, ngx_uint_t n, u_char *buf)
{
    size_t      size, used;
    ngx_uint_t  i;

    used = 0;

    for (i = 0; i < n && used < NGX_SRT_PAYLOAD; i++) {
        size = spans[i].last - spans[i].pos;
        size = ngx_min(size, NGX_SRT_PAYLOAD - used);

        ngx_memcpy(buf + used, spans[i].pos, size);
        used += size;
    }

    return used;
}


static void
ngx_srt_event_of(ngx_media_consumer_t *c, ngx_uint_t event)
{
    ngx_srt_session_t  *s;

    s = (ngx_srt_session_t *) c->session;

    if (event == NGX_MEDIA_EVENT_END || event == NGX_MEDIA_EVENT_IDLE) {
        ngx_srt_session_close(s, NGX_STREAM_OK);
    }
}
