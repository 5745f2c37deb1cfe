
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: life of an SRT connection, from its stream id to its end.
 *
 * A caller that shows its stream id becomes a connection of nginx, on which
 * the phases of stream{} run (access, limit_conn, realip) up to our content
 * handler.  There the id is taken apart, guards are asked, and the answer goes
 * back into the handshake: 0, or a reject code.  So who is refused reads why.
 * Publishing and playing begin there too, and bytes flow when libsrt has
 * accepted the socket.
 *
 * The connection has libsrt's descriptor, which nginx neither reads nor
 * closes (c->shared).  The timer of a session is not cancelable: a worker that
 * leaves waits for its sessions.
 */


#include "ngx_srt.h"
#include "ngx_media_stream.h"


#define NGX_SRT_IDLE         5000          /* ms; libsrt knows by then */
#define NGX_SRT_ACCEPT       500           /* ms */


static ngx_int_t ngx_srt_connect(ngx_srt_peer_t *peer);
static ngx_connection_t *ngx_srt_connection(ngx_srt_peer_t *peer);
static void ngx_srt_connection_cleanup(void *data);
static ngx_srt_peer_t *ngx_srt_connection_peer(ngx_connection_t *c);
static ngx_int_t ngx_srt_session_name(ngx_srt_session_t *s, int *code);
static ngx_int_t ngx_srt_session_texts(ngx_srt_session_t *s,
    ngx_media_srt_id_t *id);
static ngx_int_t ngx_srt_session_passphrase(ngx_srt_session_t *s);
static ssize_t ngx_srt_no_recv(ngx_connection_t *c, u_char *buf, size_t size);
static ssize_t ngx_srt_no_send(ngx_connection_t *c, u_char *buf, size_t size);
static void ngx_srt_session_allowed(ngx_srt_session_t *s, ngx_int_t rc);
static void ngx_srt_published(ngx_media_session_t *ms, ngx_int_t rc);
static void ngx_srt_permitted(ngx_media_session_t *ms, ngx_uint_t act,
    ngx_int_t rc);
static int ngx_srt_reason_code(ngx_uint_t reason);
static void ngx_srt_session_timer(ngx_event_t *ev);
static void ngx_srt_connection_handler(ngx_event_t *ev);
static void ngx_srt_close(ngx_media_session_t *ms, ngx_uint_t reason);
static u_char *ngx_srt_log_error(ngx_log_t *log, u_char *buf, size_t len);
static void ngx_srt_session_cleanup(void *data);


static const ngx_media_session_ops_t  ngx_srt_ops = {
    ngx_srt_close,
    NULL,                                  /* drain */
    ngx_srt_published,
    ngx_srt_permitted
};


/* the worker has heard the stream id */

void
ngx_srt_session_begin(ngx_srt_peer_t *peer)
{
    if (ngx_srt_connect(peer) != NGX_OK) {
        ngx_srt_peer_refuse(peer, SRT_REJX_ISE);
    }
}


static ngx_int_t
ngx_srt_connect(ngx_srt_peer_t *peer)
{
    ngx_connection_t    *c;
    ngx_pool_cleanup_t  *cln;

    c = ngx_srt_connection(peer);

    if (c == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_srt_peer_t *));

    if (cln == NULL) {
        ngx_media_stream_connection_free(c);
        return NGX_ERROR;
    }

    cln->handler = ngx_srt_connection_cleanup;
    *(ngx_srt_peer_t **) cln->data = peer;
    peer->link = cln->data;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
    (void) ngx_atomic_fetch_add(ngx_stat_handled, 1);
#endif

    /* it may be gone when this returns */

    peer->listening->handler(c);

    return NGX_OK;
}


static ngx_connection_t *
ngx_srt_connection(ngx_srt_peer_t *peer)
{
    ngx_connection_t  *c;

    c = ngx_media_stream_connection(peer->listening, peer->udp,
                                    &peer->sockaddr, peer->socklen,
                                    &peer->local, peer->local_len);

    if (c) {
        c->recv = ngx_srt_no_recv;
        c->send = ngx_srt_no_send;
    }

    return c;
}


/* what comes and goes is libsrt's: a phase that reads ahead gets nothing */

static ssize_t
ngx_srt_no_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    return NGX_ERROR;
}


static ssize_t
ngx_srt_no_send(ngx_connection_t *c, u_char *buf, size_t size)
{
    return NGX_ERROR;
}


/* the connection goes: refused by a phase, or with its session */

static void
ngx_srt_connection_cleanup(void *data)
{
    ngx_srt_peer_t **link = data;

    ngx_srt_peer_t  *peer;

    peer = *link;

    if (peer) {
        peer->link = NULL;
        ngx_srt_peer_refuse(peer, SRT_REJX_FORBIDDEN);
    }
}


static ngx_srt_peer_t *
ngx_srt_connection_peer(ngx_connection_t *c)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_srt_connection_cleanup) {
            return *(ngx_srt_peer_t **) cln->data;
        }
    }

    return NULL;
}


void
ngx_srt_handler(ngx_stream_session_t *ss)
{
    int                   code;
    ngx_srt_peer_t       *peer;
    ngx_connection_t     *c;
    ngx_srt_session_t    *s;
    ngx_pool_cleanup_t   *cln;

    c = ss->connection;
    peer = ngx_srt_connection_peer(c);

    s = ngx_pcalloc(c->pool, sizeof(ngx_srt_session_t));
    cln = ngx_pool_cleanup_add(c->pool, 0);

    if (peer == NULL || s == NULL || cln == NULL) {
        ngx_stream_finalize_session(ss, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    s->session = ss;
    s->connection = c;
    s->peer = peer;
    s->conf = ngx_stream_get_module_srv_conf(ss, ngx_srt_module);
    s->timer.handler = ngx_srt_session_timer;
    s->timer.data = s;
    s->timer.log = c->log;

    cln->handler = ngx_srt_session_cleanup;
    cln->data = s;

    ngx_stream_set_ctx(ss, s, ngx_srt_module);
    ss->log_handler = ngx_srt_log_error;
    c->log->action = "shaking hands over SRT";

    if (ngx_media_session_init(&s->media, c, c->pool, &ngx_srt_ops, "srt")
        != NGX_OK)
    {
        ngx_srt_peer_refuse(peer, SRT_REJX_OVERLOAD);
        ngx_stream_finalize_session(ss, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    s->entered = 1;
    s->media.connects = 1;
    peer->session = s;

    c->read->handler = ngx_srt_connection_handler;
    c->write->handler = ngx_srt_connection_handler;

    code = SRT_REJX_ISE;

    if (ngx_srt_session_name(s, &code) != NGX_OK
        || ngx_srt_session_passphrase(s) != NGX_OK)
    {
        ngx_srt_peer_refuse(peer, code);
        ngx_srt_session_close(s, NGX_STREAM_BAD_REQUEST);
        return;
    }

    s->heard = ngx_current_msec;
    ngx_add_timer(&s->timer, s->conf->connect_timeout);

    s->waiting = 1;

    if (s->mode == NGX_MEDIA_SRT_MODE_PUBLISH) {
        ngx_media_session_set_type(&s->media, NGX_MEDIA_CLIENT_SRT_PUBLISH);
        ngx_srt_session_allowed(s, ngx_media_publish(&s->media));

    } else {
        ngx_media_session_set_type(&s->media, NGX_MEDIA_CLIENT_SRT_PLAY);
        ngx_srt_session_allowed(s, ngx_media_permit(&s->media,
                                                    NGX_MEDIA_ACT_PLAY));
    }
}


static ngx_int_t
ngx_srt_session_name(ngx_srt_session_t *s, int *code)
{
    int                  rc;
    u_char               buf[ngx_media_srt_id_scratch(NGX_MEDIA_SRT_ID_MAX)];
    ngx_str_t            vhost, app, stream, args;
    ngx_srt_peer_t      *peer;
    ngx_media_srt_id_t   id;

    peer = s->peer;
    *code = SRT_REJX_BAD_REQUEST;

    rc = ngx_media_srt_id(&id, peer->id, peer->id + peer->id_len, buf,
                          sizeof(buf));

    if (rc != NGX_MEDIA_SRT_ID_OK) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "SRT stream id is refused: %s",
                      ngx_media_srt_id_text(rc));

        if (rc == NGX_MEDIA_SRT_ID_MODE) {
            *code = SRT_REJX_BAD_MODE;

        } else if (rc == NGX_MEDIA_SRT_ID_TYPE) {
            *code = SRT_REJX_NOTSUP_MEDIA;
        }

        return NGX_DECLINED;
    }

    s->mode = id.mode ? id.mode : (ngx_media_srt_mode_e) s->conf->default_mode;

    vhost.data = id.vhost.data;
    vhost.len = id.vhost.len;
    app.data = id.app.data;
    app.len = id.app.len;
    stream.data = id.stream.data;
    stream.len = id.stream.len;
    args.data = id.args.data;
    args.len = id.args.len;

    if (app.len == 0) {
        app = s->conf->default_app;
    }

    if (ngx_media_session_name(&s->media, &vhost, &app, &stream, &args)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* what comes now is no fault of the caller */

    *code = SRT_REJX_ISE;

    return ngx_srt_session_texts(s, &id);
}


/*
 * For hooks: srt://HOST:PORT/APP, the vhost if one was named, else the address
 * that was called.  A user that is one is a token too (JWT), which those who
 * can only set u hand in.
 */

static ngx_int_t
ngx_srt_session_texts(ngx_srt_session_t *s, ngx_media_srt_id_t *id)
{
    size_t             len;
    u_char            *p, *last;
    ngx_str_t          host, app, user;
    in_port_t          port;
    u_char             text[NGX_SOCKADDR_STRLEN];
    ngx_connection_t  *c;

    c = s->connection;

    host.data = id->vhost.data;
    host.len = id->vhost.len;

    if (host.len == 0) {
        host.data = text;
        host.len = ngx_sock_ntop(c->local_sockaddr, c->local_socklen, text,
                                 NGX_SOCKADDR_STRLEN, 0);
    }

    app = ngx_media_session_text(&s->media, NGX_MEDIA_TEXT_APP);
    port = ngx_inet_get_port(c->local_sockaddr);

    len = sizeof("srt://[]:65535/") + host.len + app.len;

    p = ngx_pnalloc(c->pool, len);

    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(p, ngx_strlchr(host.data, host.data + host.len, ':')
                          ? "srt://[%V]:%d/%V" : "srt://%V:%d/%V",
                       &host, (int) port, &app);

    ngx_media_session_set_text(&s->media, NGX_MEDIA_TEXT_TCURL, p, last - p);

    user.len = id->user.len;

    if (user.len == 0) {
        return NGX_OK;
    }

    user.data = ngx_pnalloc(c->pool, user.len);

    if (user.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(user.data, id->user.data, user.len);
    s->media.token = user;

    return NGX_OK;
}


/* with the names known: a passphrase may depend on them */

static ngx_int_t
ngx_srt_session_passphrase(ngx_srt_session_t *s)
{
    ngx_str_t        value;
    ngx_srt_peer_t  *peer;

    peer = s->peer;

    if (s->conf->passphrase == NULL) {
        return NGX_OK;
    }

    if (ngx_stream_complex_value(s->session, s->conf->passphrase, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    if (value.len < NGX_SRT_PASSPHRASE_MIN
        || value.len > NGX_SRT_PASSPHRASE_MAX)
    {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "SRT passphrase must have 10 to 79 characters, this "
                      "one has %uz", value.len);
        return NGX_ERROR;
    }

    ngx_memcpy(peer->passphrase, value.data, value.len);
    peer->passphrase[value.len] = '\0';
    peer->pbkeylen = (int) s->conf->pbkeylen;

    return NGX_OK;
}


static void
ngx_srt_published(ngx_media_session_t *ms, ngx_int_t rc)
{
    ngx_srt_session_allowed((ngx_srt_session_t *) ms, rc);
}


static void
ngx_srt_permitted(ngx_media_session_t *ms, ngx_uint_t act, ngx_int_t rc)
{
    if (act == NGX_MEDIA_ACT_PLAY) {
        ngx_srt_session_allowed((ngx_srt_session_t *) ms, rc);
    }
}


/* rc: what guards say, and for a publisher the source */

static void
ngx_srt_session_allowed(ngx_srt_session_t *s, ngx_int_t rc)
{
    int  code;

    if (rc == NGX_AGAIN || s->finalized || !s->waiting) {
        return;
    }

    if (rc == NGX_OK && s->mode != NGX_MEDIA_SRT_MODE_PUBLISH) {
        rc = ngx_srt_play(s);

        if (rc == NGX_AGAIN) {
            rc = NGX_OK;
        }
    }

    s->waiting = 0;

    if (rc == NGX_OK) {

        /*
         * libsrt accepts at once, or never: it looks at the passphrase now.
         * A name must not be held by who knows none.
         */

        s->allowed = 1;
        ngx_add_timer(&s->timer, NGX_SRT_ACCEPT);
        ngx_srt_answer(s->peer, 0);
        return;
    }

    code = (rc == NGX_DECLINED) ? ngx_srt_reason_code(s->media.reason)
                                : SRT_REJX_ISE;

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "SRT caller is refused with %d: %s", code,
                  ngx_media_reason_text(s->media.reason));

    ngx_srt_peer_refuse(s->peer, code);
    ngx_srt_session_close(s, NGX_STREAM_FORBIDDEN);
}


static int
ngx_srt_reason_code(ngx_uint_t reason)
{
    switch (reason) {

    case NGX_MEDIA_REASON_NAME:
        return SRT_REJX_BAD_REQUEST;

    case NGX_MEDIA_REASON_BUSY:
        return SRT_REJX_CONFLICT;

    case NGX_MEDIA_REASON_FULL:
    case NGX_MEDIA_REASON_LIMIT:
        return SRT_REJX_OVERLOAD;

    case NGX_MEDIA_REASON_NOT_FOUND:
    case NGX_MEDIA_REASON_TRACKS:
        return SRT_REJX_NOTFOUND;

    case NGX_MEDIA_REASON_EXPIRED:
        return SRT_REJX_UNAUTHORIZED;

    case NGX_MEDIA_REASON_SHUTDOWN:
    case NGX_MEDIA_REASON_TIMEOUT:
        return SRT_REJX_DOWN;

    default:
        return SRT_REJX_FORBIDDEN;
    }
}


void
ngx_srt_session_accepted(ngx_srt_session_t *s)
{
    s->accepted = 1;
    s->heard = ngx_current_msec;

    ngx_add_timer(&s->timer, s->conf->idle_timeout);

    ngx_srt_stat_begin(&s->stat, &s->media, s->peer->sock,
                       s->mode != NGX_MEDIA_SRT_MODE_PUBLISH);
    ngx_srt_options_log(s);

    if (s->mode == NGX_MEDIA_SRT_MODE_PUBLISH) {
        s->connection->log->action = "receiving an SRT publish";

    } else {
        s->connection->log->action = "sending an SRT play";
        ngx_srt_play_start(s);
        return;
    }

    ngx_srt_session_event(s);
}


void
ngx_srt_session_event(ngx_srt_session_t *s)
{
    ngx_int_t  rc;

    if (!s->accepted) {
        return;
    }

    rc = (s->mode == NGX_MEDIA_SRT_MODE_PUBLISH) ? ngx_srt_receive(s)
                                                 : ngx_srt_play_event(s);

    if (rc != NGX_OK) {
        ngx_srt_session_close(s, rc == NGX_DONE ? NGX_STREAM_OK
                                                : NGX_STREAM_BAD_REQUEST);
    }
}


/*
 * Who is silent is found by libsrt, as it knows of each packet of the peer:
 * this timer holds the worker, and looks in case nobody has told of it.  But
 * libsrt takes 16 steps of 300 ms at least: what is to be found sooner is a
 * publisher without media.
 */

static void
ngx_srt_session_timer(ngx_event_t *ev)
{
    ngx_msec_t          silent;
    ngx_srt_session_t  *s;

    s = ev->data;

    if (!s->accepted) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      s->allowed ? "SRT caller is refused by libsrt, its "
                                   "passphrase may be wrong"
                                 : "SRT caller did not end its handshake");

        ngx_srt_session_close(s, NGX_STREAM_OK);
        return;
    }

    if (srt_getsockstate(s->peer->sock) != SRTS_CONNECTED) {

        /* it ends, or the rest of a publisher is read first */

        ngx_add_timer(ev, s->conf->idle_timeout);
        ngx_srt_session_event(s);
        return;
    }

    silent = ngx_current_msec - s->heard;

    if (s->mode != NGX_MEDIA_SRT_MODE_PUBLISH
        || s->conf->idle_timeout >= NGX_SRT_IDLE)
    {
        silent = 0;
    }

    if (silent < s->conf->idle_timeout) {
        ngx_add_timer(ev, s->conf->idle_timeout - silent);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, NGX_ETIMEDOUT,
                  "SRT publisher sends no media");

    ngx_srt_session_close(s, NGX_STREAM_OK);
}


/* nginx has no events of its descriptor, but worker_shutdown_timeout calls */

static void
ngx_srt_connection_handler(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_srt_session_t     *s;
    ngx_stream_session_t  *ss;

    c = ev->data;
    ss = c->data;
    s = ngx_stream_get_module_ctx(ss, ngx_srt_module);

    if (c->close) {
        ngx_srt_session_close(s, NGX_STREAM_OK);
    }
}


/* the core wants it to end; never called from a call of ours */

static void
ngx_srt_close(ngx_media_session_t *ms, ngx_uint_t reason)
{
    ngx_srt_session_t  *s;

    s = (ngx_srt_session_t *) ms;

    if (s->finalized) {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "SRT session is closed: %s", ngx_media_reason_text(reason));

    ngx_srt_session_close(s, NGX_STREAM_OK);
}


/* After this neither the session nor its peer may be touched any more. */

void
ngx_srt_session_close(ngx_srt_session_t *s, ngx_uint_t rc)
{
    ngx_srt_call_t  *call;
    ngx_srt_peer_t  *peer;

    if (s->finalized) {
        return;
    }

    s->finalized = 1;
    call = s->call;

    ngx_srt_stat_end(&s->stat);

    if (s->attached) {
        s->attached = 0;
        ngx_media_play_stop(&s->consumer);
    }

    ngx_srt_receive_end(s);

    ngx_media_permit_over(&s->media, NGX_MEDIA_ACT_PLAY);
    ngx_media_unpublish(&s->media);

    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }

    peer = s->peer;
    s->peer = NULL;

    if (peer) {
        peer->session = NULL;

        if (peer->link) {
            *peer->link = NULL;
            peer->link = NULL;
        }
    }

    if (call) {
        ngx_srt_call_over(call, rc);

    } else {
        ngx_stream_finalize_session(s->session, rc);
    }

    /* who was refused hears it from libsrt, and goes by its timer */

    if (peer && (call || peer->sock != SRT_INVALID_SOCK)) {
        ngx_srt_peer_close(peer);
    }
}


static u_char *
ngx_srt_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_srt_session_t     *s;
    ngx_stream_session_t  *ss;

    ss = log->data;
    s = ngx_stream_get_module_ctx(ss, ngx_srt_module);

    return (s && s->entered) ? ngx_media_session_log(&s->media, buf, len)
                             : buf;
}


static void
ngx_srt_session_cleanup(void *data)
{
    ngx_srt_session_t *s = data;

    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }

    ngx_srt_stat_end(&s->stat);
    ngx_srt_receive_end(s);
}
