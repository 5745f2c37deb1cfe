
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: what an SRT player gets: MPEG-TS out of the log of its wire, seven
 * packets a message.  Nothing waits for a message to be full: what there is
 * at the end of a round leaves, so that a picture is never late by its tail.
 *
 *   WAIT     libsrt has not accepted it, or tracks may still show themselves
 *   FLOW     media
 *   END      the stream is over; it stays until the peer has shown the last
 *            of it: whoever reads SRT has no use for what is not yet due when
 *            the end comes
 *
 * A GOP of the cache must not run over the way to the peer.  libsrt sends no
 * faster than it is told (SRTO_MAXBW), which begins low and grows by half each
 * round trip as long as there is more to send than leaves and that much
 * arrives, up to NGX_SRT_FAST times what the stream needs; where so many
 * packets get lost that the way must be full, it becomes what arrived.  What
 * libsrt holds meanwhile, and in bad times, is bounded here.  Its sender drops
 * nothing by age (SRTO_SNDDROPDELAY): a player that can not follow jumps from
 * one keyframe to a newer one, where libsrt would tear holes.
 *
 * A player whose acknowledgements stand still for idle_timeout is closed.
 */


#include "ngx_srt.h"
#include "ngx_media_tracks.h"
#include "ngx_media_ts_splice.h"
#include "ngx_media_ts_wire.h"


#define NGX_SRT_SPANS      16
#define NGX_SRT_BURST      256            /* messages in a row */

#define NGX_SRT_FAST       16             /* times as fast as it plays */
#define NGX_SRT_BEGIN      1500000        /* bytes/s, at first */
#define NGX_SRT_MOST       25000000       /* bytes/s, of our own will */
#define NGX_SRT_LEAST      32000
#define NGX_SRT_SAMPLE     30             /* packets that tell of loss */
#define NGX_SRT_CROWDED    6              /* one of so many was lost */
#define NGX_SRT_HELD       65536          /* bytes, and those on the way */
#define NGX_SRT_HELD_TIME  60             /* ms */

#define NGX_SRT_POLL       10             /* ms */
#define NGX_SRT_TICK       1000           /* ms */
#define NGX_SRT_TRACKS     500            /* ms for all of them to show */
#define NGX_SRT_LINGER     5000           /* ms for the end */


typedef enum {
    NGX_SRT_WAIT = 0,
    NGX_SRT_FLOW,
    NGX_SRT_END
} ngx_srt_out_state_e;


struct ngx_srt_out_s {
    ngx_event_t                timer;
    ngx_srt_out_state_e        state;
    ngx_media_ts_splice_t      splice;
    uint32_t                   want;      /* tracks to wait for */
    uint64_t                   bytes;     /* sent */
    uint64_t                   taken;     /* acknowledged, when last seen */
    ngx_msec_t                 heard;     /* when that was more than before */
    ngx_msec_t                 latency;   /* of the peer */
    ngx_msec_t                 since;     /* FLOW: accepted; END: its begin */
    ngx_msec_t                 last;      /* it got something */

    int64_t                    speed;     /* bytes/s, at most */
    ngx_msec_t                 rtt;
    ngx_msec_t                 sampled;   /* when these were seen */
    int64_t                    sent;      /* packets */
    int64_t                    lost;
    uint64_t                   arrived;   /* bytes */
    ngx_uint_t                 crowded;   /* the way was full once */
};


static ngx_int_t ngx_srt_muxer_header(ngx_media_wire_t *w,
    const ngx_media_heads_t *heads, const ngx_media_frame_t *first);
static ngx_int_t ngx_srt_muxer_frame(ngx_media_wire_t *w,
    const ngx_media_frame_t *f);
static ngx_int_t ngx_srt_message(ngx_media_wire_t *w, const u_char *p,
    size_t n);
static ngx_int_t ngx_srt_play_tracks(ngx_srt_session_t *s,
    uint32_t *tracks);
static ngx_uint_t ngx_srt_play_arg(ngx_media_url_str_t *args,
    const char *name);
static ngx_uint_t ngx_srt_play_carried(ngx_srt_session_t *s,
    uint32_t tracks);
static void ngx_srt_output(ngx_media_consumer_t *c);
static void ngx_srt_event_of(ngx_media_consumer_t *c, ngx_uint_t event);
static ngx_uint_t ngx_srt_play_ready(ngx_srt_session_t *s);
static ngx_int_t ngx_srt_play_go(ngx_srt_session_t *s);
static ngx_int_t ngx_srt_send(ngx_srt_session_t *s);
static ngx_int_t ngx_srt_play_full(ngx_srt_session_t *s);
static ngx_uint_t ngx_srt_play_room(ngx_srt_session_t *s);
static void ngx_srt_play_speed(ngx_srt_session_t *s);
static int64_t ngx_srt_play_most(ngx_srt_session_t *s, int64_t *least);
static size_t ngx_srt_play_held(ngx_srt_session_t *s);
static void ngx_srt_play_look(ngx_srt_out_t *out, ngx_msec_t ms);
static size_t ngx_srt_gather(ngx_media_span_t *spans, ngx_uint_t n,
    u_char *buf);
static ngx_uint_t ngx_srt_play_over(ngx_srt_session_t *s);
static void ngx_srt_play_timer(ngx_event_t *ev);
static void ngx_srt_play_cleanup(void *data);


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


/* --- coming -------------------------------------------------------------- */

/* NGX_OK, NGX_DECLINED: the reason is set; NGX_ERROR */

ngx_int_t
ngx_srt_play(ngx_srt_session_t *s)
{
    ngx_int_t                rc;
    ngx_srt_out_t           *out;
    ngx_pool_cleanup_t      *cln;
    ngx_media_wire_params_t  params;

    ngx_memzero(&params, sizeof(ngx_media_wire_params_t));

    rc = ngx_srt_play_tracks(s, &params.tracks);

    if (rc != NGX_OK) {
        return rc;
    }

    out = ngx_pcalloc(s->connection->pool, sizeof(ngx_srt_out_t));
    cln = ngx_pool_cleanup_add(s->connection->pool, 0);

    if (out == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_srt_play_cleanup;
    cln->data = out;

    out->timer.handler = ngx_srt_play_timer;
    out->timer.data = s;
    out->timer.log = s->connection->log;

    s->out = out;

    rc = ngx_media_play(&s->media, &s->consumer, &ngx_srt_consumer_ops,
                        &ngx_srt_muxer, &params, NGX_MEDIA_PLAY_LIVE);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return rc;
    }

    if (!ngx_srt_play_carried(s, params.tracks)) {
        ngx_media_play_stop(&s->consumer);
        s->media.reason = NGX_MEDIA_REASON_TRACKS;
        return NGX_DECLINED;
    }

    s->attached = 1;

    /* of a stream that is new more may come than it has now */

    if (ngx_media_play_tracks(&s->consumer) == 0) {
        out->want = params.tracks
                    & ~((uint32_t) 1 << NGX_MEDIA_TRACK_SCRIPT);
    }

    /* until libsrt has accepted it */

    ngx_media_consumer_block(&s->consumer);

    return rc;
}


static ngx_int_t
ngx_srt_play_tracks(ngx_srt_session_t *s, uint32_t *tracks)
{
    ngx_str_t            text;
    ngx_media_url_str_t  args;

    text = ngx_media_session_args(&s->media);

    args.data = text.data;
    args.len = text.len;

    *tracks = NGX_MEDIA_TRACKS_DEFAULT;

    if (ngx_media_tracks_arg(&args, tracks) == NGX_MEDIA_ERROR) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "play refused: \"tracks\" must be \"all\", \"default\" "
                      "or a list such as \"v0,a1\", numbers up to %d",
                      NGX_MEDIA_TRACK_ID_MAX);
        s->media.reason = NGX_MEDIA_REASON_NAME;
        return NGX_DECLINED;
    }

    if (ngx_srt_play_arg(&args, "onlyaudio")) {
        *tracks &= ~NGX_MEDIA_TRACKS_VIDEO;

    } else if (ngx_srt_play_arg(&args, "onlyvideo")) {
        *tracks &= ~NGX_MEDIA_TRACKS_AUDIO;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_srt_play_arg(ngx_media_url_str_t *args, const char *name)
{
    ngx_media_url_str_t  value;

    if (!ngx_media_arg(args, name, &value)) {
        return 0;
    }

    return (value.len == 1 && value.data[0] == '1')
           || (value.len == 2 && ngx_strncmp(value.data, "on", 2) == 0)
           || (value.len == 4 && ngx_strncmp(value.data, "true", 4) == 0);
}


/* Does anything of it go into TS, as far as it is known? */

static ngx_uint_t
ngx_srt_play_carried(ngx_srt_session_t *s, uint32_t tracks)
{
    uint32_t    have;
    ngx_uint_t  i;

    have = ngx_media_play_tracks(&s->consumer);

    if (have == 0) {
        return 1;
    }

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

        if ((have & tracks & (uint32_t) 1 << i)
            && ngx_media_ts_type(ngx_media_play_codec(&s->consumer, i)))
        {
            return 1;
        }
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "play refused: nothing in the stream goes into MPEG-TS");

    return 0;
}


/* libsrt has accepted it */

void
ngx_srt_play_start(ngx_srt_session_t *s)
{
    int             n, len;
    ngx_srt_out_t  *out;

    out = s->out;

    n = 0;
    len = sizeof(int);

    if (srt_getsockflag(s->peer->sock, SRTO_PEERLATENCY, &n, &len)
        != SRT_ERROR)
    {
        out->latency = (ngx_msec_t) n;
    }

    n = -1;
    (void) srt_setsockflag(s->peer->sock, SRTO_SNDDROPDELAY, &n, sizeof(int));

    out->speed = NGX_SRT_MOST;

    if (s->conf->maxbw) {
        out->speed = (s->conf->maxbw > 0)
                     ? ngx_min(NGX_SRT_BEGIN, s->conf->maxbw) : NGX_SRT_BEGIN;

        (void) srt_setsockflag(s->peer->sock, SRTO_MAXBW, &out->speed,
                               sizeof(int64_t));
    }

    out->rtt = NGX_SRT_POLL;
    out->sampled = ngx_current_msec;
    out->since = ngx_current_msec;
    out->last = ngx_current_msec;
    out->heard = ngx_current_msec;

    ngx_srt_play_look(out, out->want ? NGX_SRT_TRACKS : NGX_SRT_POLL);

    ngx_media_consumer_unblock(&s->consumer);
}


/* --- going --------------------------------------------------------------- */

/* its socket has room again, or is broken */

ngx_int_t
ngx_srt_play_event(ngx_srt_session_t *s)
{
    if (srt_getsockstate(s->peer->sock) != SRTS_CONNECTED) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "SRT player is gone");
        return NGX_DONE;
    }

    return ngx_srt_play_go(s);
}


static void
ngx_srt_output(ngx_media_consumer_t *c)
{
    ngx_srt_session_t  *s;

    s = (ngx_srt_session_t *) c->session;

    if (!s->accepted || s->finalized) {
        return;
    }

    if (ngx_srt_play_go(s) != NGX_OK) {
        ngx_srt_session_close(s, NGX_STREAM_OK);
    }
}


static void
ngx_srt_event_of(ngx_media_consumer_t *c, ngx_uint_t event)
{
    ngx_srt_session_t  *s;

    s = (ngx_srt_session_t *) c->session;

    switch (event) {

    case NGX_MEDIA_EVENT_START:
    case NGX_MEDIA_EVENT_PUBLISH:
    case NGX_MEDIA_EVENT_UNPUBLISH:
        return;

    case NGX_MEDIA_EVENT_END:

        if (s->out->state == NGX_SRT_WAIT) {

            /* who has nothing of it yet waits for what may be fetched */

            return;
        }

        break;

    default: /* NGX_MEDIA_EVENT_IDLE, _MISSING */
        break;
    }

    ngx_srt_play_end(s);
}


/* the stream is over, for it */

void
ngx_srt_play_end(ngx_srt_session_t *s)
{
    if (s->finalized || s->out->state == NGX_SRT_END) {
        return;
    }

    if (!s->accepted || s->out->state == NGX_SRT_WAIT) {
        ngx_srt_session_close(s, NGX_STREAM_OK);
        return;
    }

    s->out->state = NGX_SRT_END;
    s->out->since = ngx_current_msec;

    ngx_srt_play_look(s->out, NGX_SRT_POLL);
}


/* all tracks have shown themselves, or none is waited for any more */

static ngx_uint_t
ngx_srt_play_ready(ngx_srt_session_t *s)
{
    ngx_srt_out_t  *out;

    out = s->out;

    if (out->state != NGX_SRT_WAIT) {
        return 1;
    }

    if (out->want
        && (ngx_media_play_tracks(&s->consumer) & out->want) != out->want
        && ngx_current_msec - out->since < NGX_SRT_TRACKS)
    {
        return 0;
    }

    out->state = NGX_SRT_FLOW;
    ngx_srt_play_look(out, NGX_SRT_TICK);

    return 1;
}


/* NGX_OK; NGX_DONE: it had all of it; NGX_ERROR */

static ngx_int_t
ngx_srt_play_go(ngx_srt_session_t *s)
{
    if (!ngx_srt_play_ready(s)) {
        return NGX_OK;
    }

    ngx_media_consumer_unblock(&s->consumer);

    return ngx_srt_send(s);
}


static ngx_int_t
ngx_srt_send(ngx_srt_session_t *s)
{
    size_t                  size;
    ngx_uint_t              i, n;
    ngx_srt_out_t          *out;
    ngx_media_span_t        spans[NGX_SRT_SPANS];
    ngx_media_ts_splice_t   saved;
    u_char                  buf[NGX_SRT_PAYLOAD];

    out = s->out;

    for (i = 0; i < NGX_SRT_BURST; i++) {

        n = ngx_media_consumer_spans(&s->consumer, spans, NGX_SRT_SPANS,
                                     NGX_SRT_PAYLOAD);
        if (n == 0) {
            return NGX_OK;
        }

        if ((i & 15) == 0 && !ngx_srt_play_room(s)) {
            return ngx_srt_play_full(s);
        }

        size = ngx_srt_gather(spans, n, buf);

        saved = out->splice;
        ngx_media_ts_splice(&out->splice, buf, size);

        if (srt_sendmsg(s->peer->sock, (char *) buf, (int) size, -1, 1)
            == SRT_ERROR)
        {
            if (srt_getlasterror(NULL) == SRT_EASYNCSND) {
                out->splice = saved;
                return ngx_srt_play_full(s);
            }

            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "SRT player is gone: %s", srt_getlasterror_str());
            return NGX_ERROR;
        }

        out->bytes += size;
        out->last = ngx_current_msec;
        s->connection->sent += size;

        ngx_media_consumer_sent(&s->consumer, size);
    }

    /* the rest after others had a turn */

    ngx_media_consumer_block(&s->consumer);
    ngx_srt_again(s->peer);

    return NGX_OK;
}


/* no room, or not yet */

static ngx_int_t
ngx_srt_play_full(ngx_srt_session_t *s)
{
    ngx_media_consumer_block(&s->consumer);
    ngx_srt_play_look(s->out, NGX_SRT_POLL);

    return NGX_OK;
}


/* May some messages go now? */

static ngx_uint_t
ngx_srt_play_room(ngx_srt_session_t *s)
{
    size_t          held;
    ngx_srt_out_t  *out;

    out = s->out;
    held = ngx_srt_play_held(s);

    if (held <= NGX_SRT_HELD
                + (size_t) out->speed * (out->rtt + NGX_SRT_HELD_TIME) / 1000)
    {
        return 1;
    }

    ngx_srt_play_speed(s);

    return 0;
}


/* There is more to send than leaves: may it be faster, or is it too fast? */

static void
ngx_srt_play_speed(ngx_srt_session_t *s)
{
    int64_t          sent, lost, most, least, arrived, speed;
    ngx_msec_t       elapsed;
    ngx_srt_out_t   *out;
    SRT_TRACEBSTATS  stat;

    out = s->out;
    elapsed = ngx_current_msec - out->sampled;

    if (elapsed < out->rtt + 2 * NGX_SRT_POLL
        || srt_bistats(s->peer->sock, &stat, 0, 1) == SRT_ERROR)
    {
        return;
    }

    sent = stat.pktSentTotal - out->sent;
    lost = stat.pktSndLossTotal - out->lost;

    if (sent < NGX_SRT_SAMPLE) {
        return;
    }

    arrived = (int64_t) (out->taken - out->arrived) * 1000
              / (int64_t) elapsed;

    out->rtt = (ngx_msec_t) stat.msRTT;
    out->arrived = out->taken;
    out->sampled = ngx_current_msec;
    out->sent = stat.pktSentTotal;
    out->lost = stat.pktSndLossTotal;

    most = ngx_srt_play_most(s, &least);

    speed = out->speed;

    if (lost * NGX_SRT_CROWDED > sent) {
        out->crowded = 1;
        speed = ngx_min(speed, ngx_max(arrived, speed / 2));
        speed = ngx_max(speed, least);

    } else if (!out->crowded && arrived >= speed / 4 * 3) {
        speed = ngx_min(speed / 2 * 3, most);
    }

    if (speed != out->speed && s->conf->maxbw) {
        out->speed = speed;
        (void) srt_setsockflag(s->peer->sock, SRTO_MAXBW, &speed,
                               sizeof(int64_t));
    }
}


/* what it may be at most, and must be to follow the stream */

static int64_t
ngx_srt_play_most(ngx_srt_session_t *s, int64_t *least)
{
    int64_t         most, rate;
    ngx_srt_out_t  *out;

    out = s->out;

    *least = NGX_SRT_LEAST;
    most = NGX_SRT_MOST;

    if (out->splice.passed >= 300000) {
        rate = (int64_t) out->bytes * 1000 / (out->splice.passed / 1000);

        *least = ngx_max(*least, rate * 5 / 4);
        most = ngx_max(rate * NGX_SRT_FAST, NGX_SRT_BEGIN);
    }

    if (s->conf->maxbw > 0) {
        most = ngx_min(most, s->conf->maxbw);
        *least = ngx_min(*least, s->conf->maxbw);
    }

    return ngx_max(most, out->speed);
}


/* bytes that are not acknowledged; that they get fewer is a sign of life */

static size_t
ngx_srt_play_held(ngx_srt_session_t *s)
{
    size_t          blocks, held;
    ngx_srt_out_t  *out;

    out = s->out;

    if (srt_getsndbuffer(s->peer->sock, &blocks, &held) == SRT_ERROR
        || held > out->bytes)
    {
        return 0;
    }

    if (held == 0 || out->bytes - held > out->taken) {
        out->taken = out->bytes - held;
        out->heard = ngx_current_msec;
    }

    return held;
}


/* the timer runs then and no later, which nginx's own lazy one would */

static void
ngx_srt_play_look(ngx_srt_out_t *out, ngx_msec_t ms)
{
    if (out->timer.timer_set) {
        ngx_del_timer(&out->timer);
    }

    ngx_add_timer(&out->timer, ms);
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


/* --- the end ------------------------------------------------------------- */

/* it has all of it, and time has passed for it to show it */

static ngx_uint_t
ngx_srt_play_over(ngx_srt_session_t *s)
{
    ngx_srt_out_t  *out;

    out = s->out;

    if (ngx_current_msec - out->since >= out->latency + NGX_SRT_LINGER) {
        return 1;
    }

    return ngx_media_consumer_drained(&s->consumer)
           && ngx_srt_play_held(s) == 0
           && ngx_current_msec - out->last >= out->latency + 5 * NGX_SRT_POLL;
}


/* looks at what no event tells */

static void
ngx_srt_play_timer(ngx_event_t *ev)
{
    ngx_int_t           rc;
    ngx_msec_t          tick;
    ngx_srt_out_t      *out;
    ngx_srt_session_t  *s;

    s = ev->data;
    out = s->out;

    if (!s->accepted || s->finalized) {
        return;
    }

    if (ngx_srt_play_held(s)
        && ngx_current_msec - out->heard >= s->conf->idle_timeout)
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, NGX_ETIMEDOUT,
                      "SRT player takes nothing");
        ngx_srt_session_close(s, NGX_STREAM_OK);
        return;
    }

    if (out->state == NGX_SRT_END && ngx_srt_play_over(s)) {
        ngx_srt_session_close(s, NGX_STREAM_OK);
        return;
    }

    rc = ngx_srt_play_go(s);

    if (rc != NGX_OK) {
        ngx_srt_session_close(s, NGX_STREAM_OK);
        return;
    }

    if (!out->timer.timer_set) {
        tick = ngx_min(NGX_SRT_TICK, s->conf->idle_timeout / 4);
        ngx_add_timer(&out->timer,
                      out->state == NGX_SRT_FLOW ? tick : NGX_SRT_POLL);
    }
}


static void
ngx_srt_play_cleanup(void *data)
{
    ngx_srt_out_t  *out = data;

    if (out->timer.timer_set) {
        ngx_del_timer(&out->timer);
    }
}
