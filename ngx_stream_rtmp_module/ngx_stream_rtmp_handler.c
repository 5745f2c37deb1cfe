
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: life of an RTMP connection: the content handler that begins it, its
 * stages, timers and end.
 *
 * There is one timer, that of the read event, and it is never cancelable, so
 * that a worker which shuts down waits for its sessions.  In the stages
 * HANDSHAKE and COMMANDS it is an absolute deadline; later it comes back when
 * a ping is due or the peer has been silent for too long, and no read or send
 * re-arms it.  A socket that takes nothing has the timer of the write event.
 */


#include "ngx_stream_rtmp.h"


static ngx_msec_t ngx_stream_rtmp_ping_interval(
    ngx_stream_rtmp_session_t *s);
static void ngx_stream_rtmp_tune(ngx_stream_rtmp_session_t *s);
static ngx_int_t ngx_stream_rtmp_read(ngx_stream_rtmp_session_t *s);
static ngx_int_t ngx_stream_rtmp_input(ngx_stream_rtmp_session_t *s,
    const u_char *pos, const u_char *end);
static ngx_int_t ngx_stream_rtmp_enter(ngx_stream_rtmp_session_t *s);
static ngx_int_t ngx_stream_rtmp_timer(ngx_stream_rtmp_session_t *s);
static void ngx_stream_rtmp_set_timer(ngx_stream_rtmp_session_t *s);
static void ngx_stream_rtmp_linger_handler(ngx_event_t *rev);
static void ngx_stream_rtmp_dead_handler(ngx_event_t *ev);
static void ngx_stream_rtmp_close(ngx_media_session_t *ms, ngx_uint_t reason);
static void ngx_stream_rtmp_drain(ngx_media_session_t *ms);
static u_char *ngx_stream_rtmp_log_error(ngx_log_t *log, u_char *buf,
    size_t len);
static void ngx_stream_rtmp_cleanup(void *data);


static const ngx_media_session_ops_t  ngx_stream_rtmp_ops = {
    ngx_stream_rtmp_close,
    ngx_stream_rtmp_drain,
    ngx_stream_rtmp_published,
    ngx_stream_rtmp_permitted
};


/* one for all sessions of the worker: nothing stays in it between events */

static u_char  ngx_stream_rtmp_buffer[NGX_STREAM_RTMP_READ_SIZE];


static const char  *ngx_stream_rtmp_actions[] = {
    "shaking hands over RTMP",
    "waiting for RTMP commands",
    "receiving an RTMP publish",
    "sending an RTMP play",
    "closing an RTMP connection"
};


void
ngx_stream_rtmp_handler(ngx_stream_session_t *ss)
{
    ngx_connection_t           *c;
    ngx_pool_cleanup_t         *cln;
    ngx_stream_rtmp_session_t  *s;

    c = ss->connection;

    s = ngx_pcalloc(c->pool, sizeof(ngx_stream_rtmp_session_t));
    if (s == NULL) {
        ngx_stream_finalize_session(ss, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    cln = ngx_pool_cleanup_add(c->pool, 0);
    if (cln == NULL) {
        ngx_stream_finalize_session(ss, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    s->session = ss;
    s->connection = c;
    s->conf = ngx_stream_get_module_srv_conf(ss, ngx_stream_rtmp_module);
    s->window = s->conf->ack_window;

    cln->handler = ngx_stream_rtmp_cleanup;
    cln->data = s;

    ngx_stream_set_ctx(ss, s, ngx_stream_rtmp_module);
    ss->log_handler = ngx_stream_rtmp_log_error;

    c->read->handler = ngx_stream_rtmp_read_handler;
    c->write->handler = ngx_stream_rtmp_write_handler;

    if (ngx_stream_rtmp_handshake_init(s) != NGX_OK) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_stream_rtmp_tune(s);
    ngx_stream_rtmp_stage(s, NGX_STREAM_RTMP_HANDSHAKE);

    /* what another module has read ahead comes first */

    if (c->buffer && c->buffer->pos < c->buffer->last) {

        if (ngx_stream_rtmp_input(s, c->buffer->pos, c->buffer->last)
            == NGX_ERROR)
        {
            ngx_stream_rtmp_finalize(s, NGX_STREAM_BAD_REQUEST);
            return;
        }

        c->buffer->pos = c->buffer->last;
    }

    ngx_stream_rtmp_read_handler(c->read);
}


static void
ngx_stream_rtmp_tune(ngx_stream_rtmp_session_t *s)
{
    ngx_connection_t            *c;
    ngx_stream_core_srv_conf_t  *cscf;

    c = s->connection;
    cscf = ngx_stream_get_module_srv_conf(s->session, ngx_stream_core_module);

    if (c->sockaddr->sa_family == AF_UNIX || !cscf->tcp_nodelay) {
        return;
    }

    /* a failure is logged and costs latency only */

    (void) ngx_tcp_nodelay(c);
}


void
ngx_stream_rtmp_read_handler(ngx_event_t *rev)
{
    uint64_t                    received;
    ngx_int_t                   rc;
    ngx_connection_t           *c;
    ngx_stream_session_t       *ss;
    ngx_stream_rtmp_session_t  *s;

    c = rev->data;
    ss = c->data;
    s = ngx_stream_get_module_ctx(ss, ngx_stream_rtmp_module);

    received = s->received;

    if (c->close) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;

        if (ngx_stream_rtmp_timer(s) != NGX_OK) {
            ngx_stream_rtmp_finalize(s, s->stage >= NGX_STREAM_RTMP_PUBLISH
                                        ? NGX_STREAM_OK
                                        : NGX_STREAM_BAD_REQUEST);
            return;
        }
    }

    rc = ngx_stream_rtmp_read(s);

    if (rc == NGX_DONE) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
        return;
    }

    if (rc == NGX_ERROR) {

        /* the peer may want to know why: a try, and no more than that */

        (void) ngx_stream_rtmp_flush(s);
        ngx_stream_rtmp_finalize(s, NGX_STREAM_BAD_REQUEST);
        return;
    }

    if (ngx_stream_rtmp_flush(s) == NGX_ERROR) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
        return;
    }

    if (s->stage == NGX_STREAM_RTMP_LINGER) {
        ngx_stream_rtmp_linger(s);
        return;
    }

    rc = ngx_stream_rtmp_nap(s, s->received - received);

    if (rc == NGX_OK) {
        return;
    }

    if (rc == NGX_ERROR || ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
    }
}


/*
 * NGX_OK: the socket is empty, or reading must wait; NGX_DONE: the peer has
 * closed; NGX_ERROR.  Frames of a byte take long: others must get their turn.
 * Nobody is asked about a peer that leaves while it waits for the answer, so
 * what it may have sent behind its command is left.
 */

static ngx_int_t
ngx_stream_rtmp_read(ngx_stream_rtmp_session_t *s)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_uint_t         i, more;
    ngx_msec_t         start;
    ngx_connection_t  *c;

    c = s->connection;
    more = 1;
    start = ngx_current_msec;

    if (s->waiting) {

        /* a back end may take long: who has gone meanwhile is not let in */

        return c->read->pending_eof ? NGX_DONE : NGX_OK;
    }

    if (s->detaching) {
        return NGX_OK;
    }

    rc = ngx_stream_rtmp_recv_rest(s);

    for (i = 0; i < NGX_STREAM_RTMP_READS && rc == NGX_OK; i++) {

        if (s->stage == NGX_STREAM_RTMP_LINGER) {
            more = 0;
            break;
        }

        if (i) {
            ngx_time_update();

            if (ngx_current_msec - start > NGX_STREAM_RTMP_READ_SLICE) {
                break;
            }
        }

        n = c->recv(c, ngx_stream_rtmp_buffer, NGX_STREAM_RTMP_READ_SIZE);

        if (n == NGX_AGAIN) {
            more = 0;
            break;
        }

        if (n == 0) {
            rc = NGX_DONE;
            break;
        }

        if (n == NGX_ERROR) {
            c->error = 1;
            rc = NGX_DONE;
            break;
        }

        rc = ngx_stream_rtmp_input(s, ngx_stream_rtmp_buffer,
                                   ngx_stream_rtmp_buffer + n);
    }

    if (s->media.publisher) {
        ngx_media_publish_flush(&s->media);
    }

    if (more && rc == NGX_OK) {
        ngx_post_event(c->read, &ngx_posted_next_events);
    }

    if (rc == NGX_STREAM_RTMP_BUSY) {
        return (s->waiting && c->read->pending_eof) ? NGX_DONE : NGX_OK;
    }

    return rc;
}


static ngx_int_t
ngx_stream_rtmp_input(ngx_stream_rtmp_session_t *s, const u_char *pos,
    const u_char *end)
{
    ngx_int_t  rc;

    s->heard = ngx_current_msec;
    s->received += end - pos;
    s->session->received += end - pos;

    if (s->handshake) {
        rc = ngx_stream_rtmp_handshake(s, &pos, end);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (ngx_stream_rtmp_enter(s) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_media_session_received(&s->media, end - pos);

    return ngx_stream_rtmp_recv(s, pos, end);
}


/* the handshake is over: the client enters the statistics */

static ngx_int_t
ngx_stream_rtmp_enter(ngx_stream_rtmp_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (ngx_media_session_init(&s->media, c, c->pool, &ngx_stream_rtmp_ops,
                               "rtmp")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    s->entered = 1;
    s->media.connects = 1;

    ngx_media_rtmp_reader_init(&s->reader, NGX_STREAM_RTMP_MAX_COMMAND,
                               NGX_STREAM_RTMP_MAX_PENDING);

    ngx_stream_rtmp_stage(s, NGX_STREAM_RTMP_COMMANDS);

    return NGX_OK;
}


void
ngx_stream_rtmp_stage(ngx_stream_rtmp_session_t *s, ngx_uint_t stage)
{
    s->stage = stage;
    s->connection->log->action = (char *) ngx_stream_rtmp_actions[stage];
    s->heard = ngx_current_msec;
    s->pinged = ngx_current_msec;

    switch (stage) {

    case NGX_STREAM_RTMP_HANDSHAKE:
        s->deadline = ngx_current_msec
                      + ngx_min(s->conf->timeout,
                                NGX_STREAM_RTMP_HANDSHAKE_TIMEOUT);
        break;

    case NGX_STREAM_RTMP_COMMANDS:
        s->deadline = ngx_current_msec + s->conf->timeout;
        break;

    case NGX_STREAM_RTMP_LINGER:
        s->deadline = ngx_current_msec + NGX_STREAM_RTMP_LINGER_TIMEOUT;
        break;

    default:
        break;
    }

    ngx_stream_rtmp_set_timer(s);
}


void
ngx_stream_rtmp_refused(ngx_stream_rtmp_session_t *s)
{
    ngx_stream_rtmp_stage(s, NGX_STREAM_RTMP_COMMANDS);

    s->deadline = ngx_current_msec
                  + ngx_min(s->conf->timeout,
                            NGX_STREAM_RTMP_REFUSED_TIMEOUT);

    ngx_stream_rtmp_set_timer(s);
}


static ngx_msec_t
ngx_stream_rtmp_ping_interval(ngx_stream_rtmp_session_t *s)
{
    /* an answer must have a chance to come in time */

    return ngx_min(s->conf->ping, s->conf->timeout / 2);
}


static void
ngx_stream_rtmp_set_timer(ngx_stream_rtmp_session_t *s)
{
    ngx_msec_t      next, silent;
    ngx_msec_int_t  wait;

    if (s->stage == NGX_STREAM_RTMP_PUBLISH
        || s->stage == NGX_STREAM_RTMP_PLAY)
    {
        next = s->pinged + ngx_stream_rtmp_ping_interval(s);
        silent = s->heard + s->conf->timeout;

        if ((ngx_msec_int_t) (silent - next) < 0) {
            next = silent;
        }

    } else {
        next = s->deadline;
    }

    wait = (ngx_msec_int_t) (next - ngx_current_msec);

    if (s->connection->read->timer_set) {
        ngx_del_timer(s->connection->read);
    }

    ngx_add_timer(s->connection->read, ngx_max(wait, 1));
}


static ngx_int_t
ngx_stream_rtmp_timer(ngx_stream_rtmp_session_t *s)
{
    ngx_log_t  *log;

    log = s->connection->log;

    if (s->stage != NGX_STREAM_RTMP_PUBLISH
        && s->stage != NGX_STREAM_RTMP_PLAY)
    {
        if ((ngx_msec_int_t) (s->deadline - ngx_current_msec) <= 0) {
            ngx_log_error(NGX_LOG_INFO, log, NGX_ETIMEDOUT,
                          "RTMP client took too long");
            return NGX_ERROR;
        }

        ngx_stream_rtmp_set_timer(s);
        return NGX_OK;
    }

    if ((ngx_msec_int_t) (s->heard + s->conf->timeout - ngx_current_msec)
        <= 0)
    {
        ngx_log_error(NGX_LOG_INFO, log, NGX_ETIMEDOUT,
                      "RTMP client is silent");
        return NGX_ERROR;
    }

    if ((ngx_msec_int_t) (s->pinged + ngx_stream_rtmp_ping_interval(s)
                          - ngx_current_msec) <= 0)
    {
        s->pinged = ngx_current_msec;

        if (ngx_stream_rtmp_send_user(s, NGX_MEDIA_RTMP_PING_REQUEST,
                                      (uint32_t) ngx_current_msec)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_stream_rtmp_set_timer(s);

    return NGX_OK;
}


/* what made reading wait is over; the event loop goes on with it */

void
ngx_stream_rtmp_resume(ngx_stream_rtmp_session_t *s)
{
    s->waiting = 0;
    s->detaching = 0;

    ngx_post_event(s->connection->read, &ngx_posted_events);
}


/* closing a socket with unread bytes in it would take the last words back */

void
ngx_stream_rtmp_linger(ngx_stream_rtmp_session_t *s)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = s->connection;

    rc = ngx_stream_rtmp_flush(s);

    if (rc == NGX_ERROR || c->close) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
        return;
    }

    if (s->attached) {
        s->attached = 0;
        ngx_media_play_stop(&s->consumer);
    }

    ngx_media_permit_over(&s->media, NGX_MEDIA_ACT_PLAY);
    ngx_media_unpublish(&s->media);

    s->waiting = 0;
    s->detaching = 0;

    ngx_stream_rtmp_stage(s, NGX_STREAM_RTMP_LINGER);

    c->read->handler = ngx_stream_rtmp_linger_handler;
    c->write->handler = ngx_stream_rtmp_write_handler;

    if (rc == NGX_OK && !s->session->ssl) {
        (void) ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN);
    }

    ngx_post_event(c->read, &ngx_posted_events);
}


static void
ngx_stream_rtmp_linger_handler(ngx_event_t *rev)
{
    ssize_t                     n;
    ngx_uint_t                  i;
    ngx_connection_t           *c;
    ngx_stream_session_t       *ss;
    ngx_stream_rtmp_session_t  *s;

    c = rev->data;
    ss = c->data;
    s = ngx_stream_get_module_ctx(ss, ngx_stream_rtmp_module);

    if (c->close || rev->timedout) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
        return;
    }

    for (i = 0; i < NGX_STREAM_RTMP_READS; i++) {
        n = c->recv(c, ngx_stream_rtmp_buffer, NGX_STREAM_RTMP_READ_SIZE);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
            return;
        }
    }

    if (i == NGX_STREAM_RTMP_READS) {
        ngx_post_event(rev, &ngx_posted_next_events);
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
    }
}


static void
ngx_stream_rtmp_dead_handler(ngx_event_t *ev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_STREAM, ev->log, 0,
                   "rtmp event of a finalized session");
}


/* After this the session must not be touched any more. */

void
ngx_stream_rtmp_finalize(ngx_stream_rtmp_session_t *s, ngx_uint_t rc)
{
    ngx_connection_t  *c;

    if (s->finalized) {
        return;
    }

    s->finalized = 1;
    c = s->connection;

    if (s->attached) {
        s->attached = 0;
        ngx_media_play_stop(&s->consumer);
    }

    if (s->entered) {
        ngx_media_permit_over(&s->media, NGX_MEDIA_ACT_PLAY);
        ngx_media_unpublish(&s->media);
    }

    ngx_stream_rtmp_recv_cleanup(s);

    /* a TLS shutdown may outlive this call */

    c->read->handler = ngx_stream_rtmp_dead_handler;
    c->write->handler = ngx_stream_rtmp_dead_handler;

    ngx_stream_finalize_session(s->session, rc);
}


/* the core wants the session to end; never called from a call of ours */

static void
ngx_stream_rtmp_close(ngx_media_session_t *ms, ngx_uint_t reason)
{
    const char                 *text;
    ngx_stream_rtmp_session_t  *s;

    s = (ngx_stream_rtmp_session_t *) ms;

    if (s->finalized || s->stage == NGX_STREAM_RTMP_LINGER) {
        return;
    }

    text = ngx_media_reason_text(reason);

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "RTMP session is closed: %s", text);

    if (reason == NGX_MEDIA_REASON_SLOW
        || reason == NGX_MEDIA_REASON_SHUTDOWN)
    {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
        return;
    }

    if (s->stage == NGX_STREAM_RTMP_PUBLISH) {
        (void) ngx_stream_rtmp_status(s, s->msid, "error",
                                      reason == NGX_MEDIA_REASON_REPLACED
                                      ? "NetStream.Publish.BadName"
                                      : "NetStream.Publish.Rejected", text);

    } else if (s->stage == NGX_STREAM_RTMP_PLAY) {
        (void) ngx_stream_rtmp_status(s, s->msid, "status",
                                      "NetStream.Play.Stop", text);
    }

    (void) ngx_stream_rtmp_status(s, 0, "status",
                                  "NetConnection.Connect.Closed", text);

    ngx_stream_rtmp_linger(s);
}


/* the worker leaves: clients that know how are asked to come back */

static void
ngx_stream_rtmp_drain(ngx_media_session_t *ms)
{
    ngx_stream_rtmp_session_t  *s;

    s = (ngx_stream_rtmp_session_t *) ms;

    if (s->finalized
        || s->stage == NGX_STREAM_RTMP_LINGER
        || !(s->caps & NGX_STREAM_RTMP_CAPS_RECONNECT))
    {
        return;
    }

    if (ngx_stream_rtmp_reconnect(s) != NGX_OK
        || ngx_stream_rtmp_flush(s) == NGX_ERROR)
    {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
    }
}


static u_char *
ngx_stream_rtmp_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_stream_session_t       *ss;
    ngx_stream_rtmp_session_t  *s;

    ss = log->data;
    s = ngx_stream_get_module_ctx(ss, ngx_stream_rtmp_module);

    if (s == NULL || !s->entered) {
        return buf;
    }

    return ngx_media_session_log(&s->media, buf, len);
}


static void
ngx_stream_rtmp_cleanup(void *data)
{
    ngx_stream_rtmp_session_t  *s = data;

    ngx_stream_rtmp_recv_cleanup(s);
    ngx_stream_rtmp_send_cleanup(s);

    if (s->handshake) {
        ngx_free(s->handshake);
        s->handshake = NULL;
    }

    if (s->url) {
        ngx_free(s->url);
        s->url = NULL;
    }

    if (s->publisher) {

        if (s->publisher->nap.timer_set) {
            ngx_del_timer(&s->publisher->nap);
        }

        ngx_free(s->publisher);
        s->publisher = NULL;
    }
}
