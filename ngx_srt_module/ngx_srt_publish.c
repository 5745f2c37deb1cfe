
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: what an SRT publisher sends: MPEG-TS, in messages of up to 1456 bytes.
 *
 * libsrt gives a packet out when its time has come, its latency after it was
 * sent, also behind the end: who is gone may have left that much, and it is
 * read until that time is over.
 *
 * Packets that never came show in the numbers of those that did.  Counters of
 * TS tell the same unless sixteen packets are missing, so then it is said to
 * the demuxer.
 */


#include "ngx_srt.h"


#define NGX_SRT_MESSAGE    1500           /* buffer */
#define NGX_SRT_PACKET     1456           /* the most that is in one */
#define NGX_SRT_MESSAGES   256            /* before others have a turn */

#define NGX_SRT_REST       50             /* ms behind the latency */
#define NGX_SRT_REST_POLL  10             /* ms */

#define NGX_SRT_SEQ_MAX    0x7fffffff


struct ngx_srt_in_s {
    ngx_media_ts_input_t      *ts;
    ngx_event_t                timer;     /* reads the rest */
    ngx_msec_t                 broken;    /* since then */
    ngx_msec_t                 latency;
    uint32_t                   seq;       /* of the next packet */
    unsigned                   begun:1;   /* seq is known */
    unsigned                   over:1;    /* the peer is gone */
};


static ngx_int_t ngx_srt_receive_create(ngx_srt_session_t *s);
static ngx_int_t ngx_srt_receive_broken(ngx_srt_session_t *s);
static void ngx_srt_receive_seq(ngx_srt_in_t *in, uint32_t seq);
static void ngx_srt_receive_timer(ngx_event_t *ev);
static void ngx_srt_receive_cleanup(void *data);


/* NGX_OK; NGX_DONE: the peer is gone; NGX_ERROR */

ngx_int_t
ngx_srt_receive(ngx_srt_session_t *s)
{
    int            n;
    size_t         size;
    ngx_int_t      rc;
    ngx_uint_t     i;
    SRT_MSGCTRL    ctrl;
    char           buf[NGX_SRT_MESSAGE];

    if (s->in == NULL && ngx_srt_receive_create(s) != NGX_OK) {
        return NGX_ERROR;
    }

    size = 0;
    rc = NGX_OK;

    for (i = 0; i < NGX_SRT_MESSAGES; i++) {

        srt_msgctrl_init(&ctrl);

        n = srt_recvmsg2(s->peer->sock, buf, sizeof(buf), &ctrl);

        if (n == SRT_ERROR) {

            if (srt_getlasterror(NULL) != SRT_EASYNCRCV) {
                rc = ngx_srt_receive_broken(s);
            }

            break;
        }

        size += n;

        ngx_srt_receive_seq(s->in, (uint32_t) ctrl.pktseq);

        rc = ngx_media_ts_input(s->in->ts, (u_char *) buf, (u_char *) buf + n);

        if (rc != NGX_OK) {
            rc = NGX_ERROR;
            break;
        }
    }

    if (size) {
        s->heard = ngx_current_msec;

        if (s->session) {
            s->session->received += size;
        }

        ngx_media_session_received(&s->media, size);
        ngx_media_publish_flush(&s->media);

        if (s->call) {
            ngx_srt_call_flows(s->call);
        }
    }

    if (i == NGX_SRT_MESSAGES && rc == NGX_OK) {
        ngx_srt_again(s->peer);
    }

    return rc;
}


static ngx_int_t
ngx_srt_receive_create(ngx_srt_session_t *s)
{
    int                  n, len;
    ngx_srt_in_t        *in;
    ngx_pool_cleanup_t  *cln;

    in = ngx_pcalloc(s->connection->pool, sizeof(ngx_srt_in_t));
    cln = ngx_pool_cleanup_add(s->connection->pool, 0);

    if (in == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    in->ts = ngx_media_ts_input_create(s->connection->pool, &s->media,
                                       s->connection->log);
    if (in->ts == NULL) {
        return NGX_ERROR;
    }

    in->timer.handler = ngx_srt_receive_timer;
    in->timer.data = s;
    in->timer.log = s->connection->log;

    n = 0;
    len = sizeof(int);

    if (srt_getsockflag(s->peer->sock, SRTO_RCVLATENCY, &n, &len)
        != SRT_ERROR)
    {
        in->latency = (ngx_msec_t) n;
    }

    cln->handler = ngx_srt_receive_cleanup;
    cln->data = in;

    s->in = in;

    return NGX_OK;
}


/* nothing is due of what is left of him */

static ngx_int_t
ngx_srt_receive_broken(ngx_srt_session_t *s)
{
    ngx_srt_in_t  *in;

    in = s->in;

    if (!in->over) {
        in->over = 1;
        in->broken = ngx_current_msec;

        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "SRT publisher is gone: %s", srt_getlasterror_str());
    }

    if (ngx_current_msec - in->broken >= in->latency + NGX_SRT_REST) {
        return NGX_DONE;
    }

    if (!in->timer.timer_set) {
        ngx_add_timer(&in->timer, NGX_SRT_REST_POLL);
    }

    return NGX_OK;
}


/* numbers of packets have 31 bits; a message of TS is one packet */

static void
ngx_srt_receive_seq(ngx_srt_in_t *in, uint32_t seq)
{
    uint32_t  lost;

    if (in->begun) {
        lost = (seq - in->seq) & NGX_SRT_SEQ_MAX;

        if (lost && lost <= NGX_SRT_SEQ_MAX / 2) {
            ngx_media_ts_input_lost(in->ts, (size_t) lost * NGX_SRT_PACKET);
        }
    }

    in->begun = 1;
    in->seq = (seq + 1) & NGX_SRT_SEQ_MAX;
}


static void
ngx_srt_receive_timer(ngx_event_t *ev)
{
    ngx_srt_session_event(ev->data);
}


void
ngx_srt_receive_end(ngx_srt_session_t *s)
{
    ngx_srt_in_t  *in;

    in = s->in;

    if (in == NULL || in->ts == NULL) {
        return;
    }

    if (s->media.publisher) {
        (void) ngx_media_ts_input_end(in->ts);
        ngx_media_publish_flush(&s->media);
    }

    ngx_media_ts_input_free(in->ts);
    in->ts = NULL;
}


static void
ngx_srt_receive_cleanup(void *data)
{
    ngx_srt_in_t  *in = data;

    if (in->timer.timer_set) {
        ngx_del_timer(&in->timer);
    }
}
