
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: life of an MPEG-TS publisher, over UDP or TCP.
 *
 *   content handler -> name -> ngx_media_publish() -> TS -> silence or end
 *
 * Nothing is read while it is asked whether he may publish.  The timer of a
 * session is not cancelable: a worker that leaves waits for its publishers.
 *
 * RTP packets out of order wait for 50 ms.  A datagram that is neither TS nor
 * RTP is not looked into, so that nothing but damaged TS gets to the demuxer;
 * over TCP it decides by itself what is no TS.
 */


#include "ngx_mpegts.h"


#define NGX_MPEGTS_HOLD        50           /* ms */
#define NGX_MPEGTS_ALIVE       1000         /* ms since he was heard */
#define NGX_MPEGTS_READ        65536
#define NGX_MPEGTS_READS       16           /* before others have a turn */


static ngx_mpegts_session_t *ngx_mpegts_session_create(
    ngx_stream_session_t *ss);
static ngx_int_t ngx_mpegts_session_name(ngx_mpegts_session_t *s);
static void ngx_mpegts_session_tcurl(ngx_mpegts_session_t *s,
    ngx_str_t *vhost, ngx_str_t *app);
static void ngx_mpegts_published(ngx_media_session_t *ms, ngx_int_t rc);
static void ngx_mpegts_session_allowed(ngx_mpegts_session_t *s,
    ngx_int_t rc);
static void ngx_mpegts_session_start(ngx_mpegts_session_t *s);
static ngx_uint_t ngx_mpegts_session_raw(ngx_mpegts_session_t *s, u_char *pos,
    u_char *end, ngx_media_rtp_ts_kind_e kind);
static ngx_int_t ngx_mpegts_session_rtp(ngx_mpegts_session_t *s, u_char *pos,
    u_char *end);
static int ngx_mpegts_session_payload(void *data, const u_char *pos,
    const u_char *end);
static void ngx_mpegts_session_hold(ngx_event_t *ev);
static void ngx_mpegts_session_silence(ngx_event_t *ev);
static void ngx_mpegts_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_mpegts_read(ngx_mpegts_session_t *s);
static void ngx_mpegts_write_handler(ngx_event_t *wev);
static void ngx_mpegts_close(ngx_media_session_t *ms, ngx_uint_t reason);
static void ngx_mpegts_session_sum(ngx_mpegts_session_t *s);
static void ngx_mpegts_session_end(ngx_mpegts_session_t *s);
static u_char *ngx_mpegts_log_error(ngx_log_t *log, u_char *buf, size_t len);
static void ngx_mpegts_session_cleanup(void *data);


static const ngx_media_session_ops_t  ngx_mpegts_ops = {
    ngx_mpegts_close,
    NULL,                                  /* drain */
    ngx_mpegts_published,
    NULL                                   /* permitted */
};


/* one for all sessions of the worker: nothing stays in it between events */

static u_char  ngx_mpegts_buffer[NGX_MPEGTS_READ];


void
ngx_mpegts_handler(ngx_stream_session_t *ss)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_mpegts_session_t  *s;

    c = ss->connection;

    s = ngx_mpegts_session_create(ss);

    if (s == NULL
        || ngx_media_session_init(&s->media, c, c->pool, &ngx_mpegts_ops,
                                  "mpegts")
           != NGX_OK)
    {
        ngx_stream_finalize_session(ss, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    s->entered = 1;

    if (s->port) {
        s->port->session = s;
    }

    c->read->handler = ngx_mpegts_read_handler;
    c->write->handler = ngx_mpegts_write_handler;

    s->heard = ngx_current_msec;
    ngx_add_timer(&s->timer, s->conf->timeout);

    ngx_media_session_set_type(&s->media, NGX_MEDIA_CLIENT_MPEGTS_PUBLISH);

    rc = ngx_mpegts_session_name(s);

    s->waiting = 1;

    if (rc == NGX_OK) {
        rc = ngx_media_publish(&s->media);
    }

    ngx_mpegts_session_allowed(s, rc);
}


static ngx_mpegts_session_t *
ngx_mpegts_session_create(ngx_stream_session_t *ss)
{
    ngx_connection_t      *c;
    ngx_pool_cleanup_t    *cln;
    ngx_mpegts_session_t  *s;

    c = ss->connection;

    s = ngx_pcalloc(c->pool, sizeof(ngx_mpegts_session_t));
    cln = ngx_pool_cleanup_add(c->pool, 0);

    if (s == NULL || cln == NULL) {
        return NULL;
    }

    s->session = ss;
    s->connection = c;
    s->port = ngx_mpegts_connection_port(c);
    s->conf = ngx_stream_get_module_srv_conf(ss, ngx_mpegts_module);

    s->timer.handler = ngx_mpegts_session_silence;
    s->timer.data = s;
    s->timer.log = c->log;

    s->hold.handler = ngx_mpegts_session_hold;
    s->hold.data = s;
    s->hold.log = c->log;

    cln->handler = ngx_mpegts_session_cleanup;
    cln->data = s;

    ngx_stream_set_ctx(ss, s, ngx_mpegts_module);
    ss->log_handler = ngx_mpegts_log_error;
    c->log->action = "receiving MPEG-TS";

    return s;
}


static ngx_int_t
ngx_mpegts_session_name(ngx_mpegts_session_t *s)
{
    ngx_str_t  value, vhost, app, stream, args;

    if (ngx_stream_complex_value(s->session, s->conf->publish, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_mpegts_name(&value, &vhost, &app, &stream, &args) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "\"publish\" is \"%V\", not APP/STREAM", &value);

        s->media.reason = NGX_MEDIA_REASON_NAME;
        return NGX_DECLINED;
    }

    ngx_mpegts_session_tcurl(s, &vhost, &app);

    return ngx_media_session_name(&s->media, &vhost, &app, &stream, &args);
}


/* what back ends read of other publishers */

static void
ngx_mpegts_session_tcurl(ngx_mpegts_session_t *s, ngx_str_t *vhost,
    ngx_str_t *app)
{
    u_char     *p;
    u_char      url[512];
    u_char      text[NGX_SOCKADDR_STRLEN];
    ngx_str_t   host;

    host = *vhost;

    if (host.len == 0) {
        host.data = text;
        host.len = ngx_sock_ntop(s->connection->local_sockaddr,
                                 s->connection->local_socklen, text,
                                 NGX_SOCKADDR_STRLEN, 1);
    }

    p = ngx_slprintf(url, url + sizeof(url), "mpegts://%V/%V", &host, app);

    ngx_media_session_set_text(&s->media, NGX_MEDIA_TEXT_TCURL, url, p - url);
}


static void
ngx_mpegts_published(ngx_media_session_t *ms, ngx_int_t rc)
{
    ngx_mpegts_session_allowed((ngx_mpegts_session_t *) ms, rc);
}


/* what guards and the source say */

static void
ngx_mpegts_session_allowed(ngx_mpegts_session_t *s, ngx_int_t rc)
{
    ngx_uint_t  status;

    if (rc == NGX_AGAIN || s->finalized || !s->waiting) {
        return;
    }

    s->waiting = 0;

    if (rc == NGX_OK) {
        ngx_mpegts_session_start(s);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "MPEG-TS publisher is refused: %s",
                  ngx_media_reason_text(s->media.reason));

    status = (rc == NGX_DECLINED) ? NGX_STREAM_FORBIDDEN
                                  : NGX_STREAM_INTERNAL_SERVER_ERROR;

    if (s->port) {
        ngx_mpegts_refuse(s->port, s->media.reason);
    }

    ngx_mpegts_session_close(s, status);
}


static void
ngx_mpegts_session_start(ngx_mpegts_session_t *s)
{
    ngx_buf_t          *b;
    ngx_connection_t   *c;
    ngx_mpegts_port_t  *port;

    c = s->connection;
    b = c->buffer;
    port = s->port;

    s->ts = ngx_media_ts_input_create(c->pool, &s->media, c->log);

    if (s->ts == NULL) {
        ngx_mpegts_session_close(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    s->publishing = 1;
    s->heard = ngx_current_msec;

    if (port == NULL) {

        /* there may be something since before it was asked */

        c->read->ready = 1;
        ngx_post_event(c->read, &ngx_posted_events);
        return;
    }

    if (b && b->pos < b->last) {
        ngx_mpegts_session_datagram(s, b->pos, b->last,
                                    ngx_media_rtp_ts_kind(b->pos, b->last));

        if (port->session != s) {
            return;
        }

        b->pos = b->last;
        ngx_mpegts_session_flush(s);
    }

    ngx_mpegts_listen_resume(port);
}


/* --- UDP ------------------------------------------------------------------ */

void
ngx_mpegts_session_datagram(ngx_mpegts_session_t *s, u_char *pos, u_char *end,
    ngx_media_rtp_ts_kind_e kind)
{
    ngx_int_t  rc;

    s->datagrams++;
    s->session->received += end - pos;
    ngx_media_session_received(&s->media, end - pos);

    /* within a packet a piece may look like anything */

    if (kind == NGX_MEDIA_RTP_TS_RTP && s->part == 0) {
        rc = ngx_mpegts_session_rtp(s, pos, end);

    } else if (ngx_mpegts_session_raw(s, pos, end, kind)) {
        rc = ngx_media_ts_input(s->ts, pos, end);

    } else {

        if (s->junk++ == 0) {
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "a datagram of %uz bytes is no MPEG-TS",
                          (size_t) (end - pos));
        }

        return;
    }

    if (rc != NGX_OK) {

        ngx_mpegts_refuse(s->port, NGX_MEDIA_REASON_NONE);
        ngx_mpegts_session_close(s, NGX_STREAM_BAD_REQUEST);
        return;
    }

    s->heard = ngx_current_msec;
}


/* TS as it is; among RTP packets it must show that by itself */

static ngx_uint_t
ngx_mpegts_session_raw(ngx_mpegts_session_t *s, u_char *pos, u_char *end,
    ngx_media_rtp_ts_kind_e kind)
{
    if (s->conf->rtp == NGX_MPEGTS_RTP_ON
        || (s->rtp && kind != NGX_MEDIA_RTP_TS_RAW))
    {
        return 0;
    }

    return ngx_media_rtp_ts_follows(&s->part, pos, end);
}


static ngx_int_t
ngx_mpegts_session_rtp(ngx_mpegts_session_t *s, u_char *pos, u_char *end)
{
    ngx_media_rtp_ts_packet_t  packet;

    if (s->rtp == NULL) {
        s->rtp = ngx_alloc(sizeof(ngx_media_rtp_ts_t), s->connection->log);

        if (s->rtp == NULL) {
            return NGX_ERROR;
        }

        ngx_media_rtp_ts_init(s->rtp, ngx_mpegts_session_payload, s);
    }

    if (ngx_media_rtp_ts_parse(&packet, pos, end) != NGX_MEDIA_OK) {
        return NGX_OK;
    }

    if (ngx_media_rtp_ts_input(s->rtp, &packet) != NGX_MEDIA_OK) {
        return NGX_ERROR;
    }

    if (s->rtp->waiting == 0) {

        if (s->hold.timer_set) {
            ngx_del_timer(&s->hold);
        }

    } else if (!s->hold.timer_set) {
        ngx_add_timer(&s->hold, NGX_MPEGTS_HOLD);
    }

    return NGX_OK;
}


/* called by the window of RTP packets */

static int
ngx_mpegts_session_payload(void *data, const u_char *pos, const u_char *end)
{
    ngx_mpegts_session_t *s = data;

    return ngx_media_ts_input(s->ts, pos, end) == NGX_OK ? NGX_MEDIA_OK
                                                         : NGX_MEDIA_ERROR;
}


static void
ngx_mpegts_session_hold(ngx_event_t *ev)
{
    ngx_mpegts_session_t  *s;

    s = ev->data;

    if (ngx_media_rtp_ts_flush(s->rtp) != NGX_MEDIA_OK) {
        ngx_mpegts_refuse(s->port, NGX_MEDIA_REASON_NONE);
        ngx_mpegts_session_close(s, NGX_STREAM_BAD_REQUEST);
        return;
    }

    ngx_mpegts_session_flush(s);
}


void
ngx_mpegts_session_flush(ngx_mpegts_session_t *s)
{
    if (s->publishing) {
        ngx_media_publish_flush(&s->media);
    }
}


void
ngx_mpegts_session_link(ngx_mpegts_session_t *s)
{
    ngx_media_link_t  link;

    ngx_memzero(&link, sizeof(ngx_media_link_t));

    link.known = 1;
    link.received = s->datagrams;
    link.dropped = s->port->dropped;
    link.lost = s->port->dropped;

    if (s->rtp) {
        link.lost = s->rtp->stat.lost;
        link.recovered = s->rtp->stat.reordered;
    }

    ngx_media_session_link(&s->media, &link);
}


static void
ngx_mpegts_session_silence(ngx_event_t *ev)
{
    ngx_msec_t             silent;
    ngx_mpegts_session_t  *s;

    s = ev->data;
    silent = ngx_current_msec - s->heard;

    /* while it is asked about him nobody listens to him */

    if (s->waiting) {
        ngx_add_timer(ev, s->conf->timeout);
        return;
    }

    if (silent < s->conf->timeout) {
        ngx_add_timer(ev, s->conf->timeout - silent);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, NGX_ETIMEDOUT,
                  "MPEG-TS sender is silent");

    ngx_mpegts_session_close(s, NGX_STREAM_OK);
}


/* --- TCP ------------------------------------------------------------------ */

/* over UDP only when worker_shutdown_timeout ends it */

static void
ngx_mpegts_read_handler(ngx_event_t *rev)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_stream_session_t  *ss;
    ngx_mpegts_session_t  *s;

    c = rev->data;
    ss = c->data;
    s = ngx_stream_get_module_ctx(ss, ngx_mpegts_module);

    if (c->close) {
        ngx_mpegts_session_close(s, NGX_STREAM_OK);
        return;
    }

    if (s->port) {
        return;
    }

    rc = ngx_mpegts_read(s);

    if (rc == NGX_AGAIN) {
        rc = ngx_handle_read_event(rev, 0);
    }

    if (rc != NGX_OK) {
        ngx_mpegts_session_close(s, rc == NGX_DONE ? NGX_STREAM_OK
                                                   : NGX_STREAM_BAD_REQUEST);
    }
}


/*
 * NGX_OK; NGX_AGAIN: there is nothing more now; NGX_DONE: the peer has closed;
 * NGX_ERROR.  Nobody is asked about a peer that leaves while it waits.
 */

static ngx_int_t
ngx_mpegts_read(ngx_mpegts_session_t *s)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = s->connection;

    if (!s->publishing) {
        return c->read->pending_eof ? NGX_DONE : NGX_OK;
    }

    rc = NGX_OK;

    /* what another module has read ahead comes first */

    if (c->buffer && c->buffer->pos < c->buffer->last) {
        rc = ngx_media_ts_input(s->ts, c->buffer->pos, c->buffer->last);
        c->buffer->pos = c->buffer->last;
    }

    for (i = 0; i < NGX_MPEGTS_READS && rc == NGX_OK; i++) {

        n = c->recv(c, ngx_mpegts_buffer, NGX_MPEGTS_READ);

        if (n == NGX_AGAIN) {
            rc = NGX_AGAIN;
            break;
        }

        if (n <= 0) {
            c->error = (n < 0);
            rc = NGX_DONE;
            break;
        }

        s->heard = ngx_current_msec;
        s->session->received += n;
        ngx_media_session_received(&s->media, n);

        rc = ngx_media_ts_input(s->ts, ngx_mpegts_buffer,
                                ngx_mpegts_buffer + n);
    }

    ngx_mpegts_session_flush(s);

    if (i == NGX_MPEGTS_READS && rc == NGX_OK) {
        ngx_post_event(c->read, &ngx_posted_next_events);
    }

    return rc == NGX_DECLINED ? NGX_ERROR : rc;
}


static void
ngx_mpegts_write_handler(ngx_event_t *wev)
{
    /* nothing is sent */
}


/* --- the end -------------------------------------------------------------- */

/* the core wants it to end; never called from a call of ours */

static void
ngx_mpegts_close(ngx_media_session_t *ms, ngx_uint_t reason)
{
    ngx_mpegts_session_t  *s;

    s = (ngx_mpegts_session_t *) ms;

    if (s->finalized) {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "MPEG-TS publisher is closed: %s",
                  ngx_media_reason_text(reason));

    /* who sends on, but no frames, is not a new publisher at once */

    if (s->port
        && (reason != NGX_MEDIA_REASON_TIMEOUT
            || ngx_current_msec - s->heard < NGX_MPEGTS_ALIVE))
    {
        ngx_mpegts_refuse(s->port, reason);
    }

    ngx_mpegts_session_close(s, NGX_STREAM_OK);
}


/* After this the session may not be touched any more. */

void
ngx_mpegts_session_close(ngx_mpegts_session_t *s, ngx_uint_t rc)
{
    if (s->finalized) {
        return;
    }

    s->finalized = 1;

    ngx_mpegts_session_sum(s);

    if (s->publishing && s->media.publisher) {

        if (s->rtp) {
            (void) ngx_media_rtp_ts_flush(s->rtp);
        }

        (void) ngx_media_ts_input_end(s->ts);
        ngx_media_publish_flush(&s->media);
    }

    ngx_mpegts_session_end(s);

    ngx_media_unpublish(&s->media);

    /* its port hears it when the pool goes */

    ngx_stream_finalize_session(s->session, rc);
}


/* what became of it, for the error log */

static void
ngx_mpegts_session_sum(ngx_mpegts_session_t *s)
{
    if (s->port && s->publishing) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "MPEG-TS over UDP: %uL datagrams, %uL lost in the "
                      "socket, %uL without TS, %uL of other senders",
                      s->datagrams, s->port->dropped, s->junk, s->foreign);
    }

    if (s->rtp) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTP: %uL packets, %uL lost, %uL out of order, %uL too "
                      "late or twice, %uD restarts",
                      s->rtp->stat.packets, s->rtp->stat.lost,
                      s->rtp->stat.reordered, s->rtp->stat.late,
                      s->rtp->stat.restarts);
    }
}


static void
ngx_mpegts_session_end(ngx_mpegts_session_t *s)
{
    s->publishing = 0;

    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }

    if (s->hold.timer_set) {
        ngx_del_timer(&s->hold);
    }

    if (s->ts) {
        ngx_media_ts_input_free(s->ts);
        s->ts = NULL;
    }

    if (s->rtp) {
        ngx_free(s->rtp);
        s->rtp = NULL;
    }
}


static u_char *
ngx_mpegts_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_stream_session_t  *ss;
    ngx_mpegts_session_t  *s;

    ss = log->data;
    s = ngx_stream_get_module_ctx(ss, ngx_mpegts_module);

    return (s && s->entered) ? ngx_media_session_log(&s->media, buf, len)
                             : buf;
}


static void
ngx_mpegts_session_cleanup(void *data)
{
    ngx_mpegts_session_t *s = data;

    s->finalized = 1;

    ngx_mpegts_session_end(s);
}


void
ngx_mpegts_session_exit(ngx_mpegts_session_t *s)
{
    s->finalized = 1;

    ngx_mpegts_session_sum(s);
    ngx_mpegts_session_end(s);
}
