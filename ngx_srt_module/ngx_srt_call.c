
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: SRT calls: this server is the caller, for the relay
 * (ngx_media_relay.h).  A call to fetch a stream is a publisher here, a call
 * that brings a stream to somebody is a player; both are sessions like those
 * of ngx_srt_session.c, without a connection of stream{}: what they need of
 * one is in the call.
 *
 * dial() makes a socket of libsrt, which connects by itself; our thread tells
 * when it has, or not, as it tells of everything that happens at a socket.
 * Media are asked for, or published, when the peer has agreed: a name is not
 * taken by a call that nobody answers.
 *
 * A call that is not wanted any more goes at once, but for one that has sent
 * something: the peer has the time to show the end of it.
 *
 * Ownership: everything of a call is in its pool, which goes in
 * ngx_srt_call_over(), the last step of ngx_srt_session_close().  Its peer is
 * freed as those of callers are.
 *
 * Options of the URL: ngx_media_srt_url.h.
 */


#include "ngx_srt.h"
#include "ngx_media_relay.h"
#include "ngx_media_srt_url.h"


#define NGX_SRT_CALL_GRACE     500    /* ms; libsrt tells a timeout first */


struct ngx_srt_call_s {
    ngx_queue_t              queue;       /* all of this worker */
    ngx_media_relay_call_t  *relay;       /* NULL: it is not told */
    ngx_pool_t              *pool;
    ngx_log_t                log;
    ngx_connection_t         connection;  /* for the core: it counts */
    ngx_event_t              read;
    ngx_event_t              write;
    ngx_srt_srv_conf_t       conf;
    ngx_srt_session_t        session;
    ngx_media_srt_url_t      url;
    ngx_uint_t               why;         /* ngx_media_relay_end_e */
    const char              *text;
    unsigned                 connected:1;
    unsigned                 flowing:1;   /* the relay knows */
};


typedef struct {
    ngx_uint_t               number;      /* ngx_media_srt_url_number_e */
    SRT_SOCKOPT              option;
    size_t                   size;
} ngx_srt_call_option_t;


static const char *ngx_srt_call_check(const ngx_media_relay_url_t *url,
    ngx_uint_t way);
static ngx_int_t ngx_srt_call_dial(ngx_media_relay_call_t *relay);
static void ngx_srt_call_hangup(ngx_media_relay_call_t *relay);
static ngx_srt_call_t *ngx_srt_call_create(ngx_media_relay_call_t *relay);
static ngx_int_t ngx_srt_call_url(ngx_srt_call_t *call);
static int64_t ngx_srt_call_number(const ngx_media_srt_url_t *u,
    ngx_uint_t n, int64_t def);
static ngx_int_t ngx_srt_call_id(ngx_srt_call_t *call);
static ngx_int_t ngx_srt_call_peer(ngx_srt_call_t *call);
static ngx_int_t ngx_srt_call_connect(ngx_srt_call_t *call);
static ngx_int_t ngx_srt_call_options(ngx_srt_call_t *call, SRTSOCKET sock);
static ngx_int_t ngx_srt_call_bind(SRTSOCKET sock, int family);
static void ngx_srt_call_connected(ngx_srt_call_t *call);
static ngx_int_t ngx_srt_call_name(ngx_srt_call_t *call);
static void ngx_srt_call_begun(ngx_srt_call_t *call, ngx_int_t rc);
static void ngx_srt_call_refused(ngx_srt_call_t *call, SRTSOCKET sock);
static void ngx_srt_call_end(ngx_srt_call_t *call, ngx_uint_t why,
    const char *text);
static void ngx_srt_call_timer(ngx_event_t *ev);
static void ngx_srt_call_close(ngx_media_session_t *ms, ngx_uint_t reason);
static void ngx_srt_call_published(ngx_media_session_t *ms, ngx_int_t rc);
static u_char *ngx_srt_call_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


static const ngx_media_dialler_t  ngx_srt_dialler = {
    ngx_string("srt"),
    0,
    NGX_MEDIA_RELAY_PULL|NGX_MEDIA_RELAY_PUSH,
    ngx_srt_call_check,
    ngx_srt_call_dial,
    ngx_srt_call_hangup
};


static const ngx_media_session_ops_t  ngx_srt_call_ops = {
    ngx_srt_call_close,
    NULL,                                  /* drain */
    ngx_srt_call_published,
    NULL                                   /* permitted: nobody is asked */
};


/* those that no srt { } has */

static const ngx_srt_call_option_t  ngx_srt_call_table[] = {
    { NGX_MEDIA_SRT_URL_RCVLATENCY, SRTO_RCVLATENCY, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_PEERLATENCY, SRTO_PEERLATENCY, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_PBKEYLEN, SRTO_PBKEYLEN, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_ENFORCED, SRTO_ENFORCEDENCRYPTION, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_INPUTBW, SRTO_INPUTBW, sizeof(int64_t) },
    { NGX_MEDIA_SRT_URL_MININPUTBW, SRTO_MININPUTBW, sizeof(int64_t) },
    { NGX_MEDIA_SRT_URL_OHEADBW, SRTO_OHEADBW, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_NAKREPORT, SRTO_NAKREPORT, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_LOSSMAXTTL, SRTO_LOSSMAXTTL, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_FC, SRTO_FC, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_IPTTL, SRTO_IPTTL, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_IPTOS, SRTO_IPTOS, sizeof(int32_t) },
    { NGX_MEDIA_SRT_URL_NUMBERS, SRTO_MSS, 0 }
};


static ngx_queue_t  ngx_srt_calls;
static ngx_queue_t  ngx_srt_call_peers;       /* their peers */


/* --- what the relay calls ------------------------------------------------ */

static const char *
ngx_srt_call_check(const ngx_media_relay_url_t *url, ngx_uint_t way)
{
    u_char               buf[NGX_MEDIA_SRT_URL_ARGS_MAX];
    ngx_media_srt_url_t  u;

    (void) way;

    if (url->port == 0) {
        return "it has no port: write srt://HOST:PORT";
    }

    if (url->user.len) {
        return "it has a user: what is for the other server goes into "
               "streamid=";
    }

    return ngx_media_srt_url(&u, url->args.data, url->args.data
                             + url->args.len, buf, sizeof(buf));
}


static ngx_int_t
ngx_srt_call_dial(ngx_media_relay_call_t *relay)
{
    ngx_int_t        rc;
    ngx_srt_call_t  *call;

    if (ngx_srt_lib_start() != NGX_OK) {
        return NGX_ERROR;
    }

    call = ngx_srt_call_create(relay);

    if (call == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_srt_call_url(call);

    if (rc == NGX_OK) {
        rc = ngx_srt_call_peer(call);
    }

    if (rc != NGX_OK) {
        ngx_queue_remove(&call->queue);
        ngx_destroy_pool(call->pool);
        return NGX_ERROR;
    }

    if (ngx_srt_call_connect(call) != NGX_OK) {
        call->relay = NULL;
        ngx_srt_session_close(&call->session, NGX_STREAM_OK);
        return NGX_ERROR;
    }

    relay->ctx = call;
    relay->session = NULL;

    return NGX_OK;
}


ngx_int_t
ngx_srt_call_register(ngx_cycle_t *cycle)
{
    return ngx_media_dialler_add(cycle, &ngx_srt_dialler);
}


static void
ngx_srt_call_hangup(ngx_media_relay_call_t *relay)
{
    ngx_srt_call_t *call = relay->ctx;

    ngx_srt_session_t  *s;

    s = &call->session;

    call->relay = NULL;

    /* nothing happens where it is closing */

    if (s->attached) {
        ngx_srt_play_end(s);

    } else {
        ngx_srt_session_close(s, NGX_STREAM_OK);
    }
}


/* --- a call --------------------------------------------------------------- */

static ngx_srt_call_t *
ngx_srt_call_create(ngx_media_relay_call_t *relay)
{
    ngx_pool_t         *pool;
    ngx_srt_call_t     *call;
    ngx_connection_t   *c;
    ngx_srt_session_t  *s;

    pool = ngx_create_pool(4096, relay->log);

    if (pool == NULL) {
        return NULL;
    }

    call = ngx_pcalloc(pool, sizeof(ngx_srt_call_t));

    if (call == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    call->relay = relay;
    call->pool = pool;
    call->text = "closed by the peer";

    call->log = *relay->log;
    call->log.handler = ngx_srt_call_log_error;
    call->log.data = call;
    call->log.action = "calling over SRT";
    pool->log = &call->log;

    c = &call->connection;

    c->fd = (ngx_socket_t) -1;
    c->type = SOCK_DGRAM;
    c->pool = pool;
    c->log = &call->log;
    c->read = &call->read;
    c->write = &call->write;
    c->read->data = c;
    c->read->log = &call->log;
    c->write->data = c;
    c->write->log = &call->log;
    c->write->ready = 1;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;
    c->sockaddr = ngx_palloc(pool, relay->socklen);
    c->socklen = relay->socklen;
    c->addr_text.data = ngx_pnalloc(pool, NGX_SOCKADDR_STRLEN);

    if (c->sockaddr == NULL || c->addr_text.data == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ngx_memcpy(c->sockaddr, relay->sockaddr, relay->socklen);

    c->addr_text.len = ngx_sock_ntop(c->sockaddr, c->socklen,
                                     c->addr_text.data, NGX_SOCKADDR_STRLEN,
                                     0);

    s = &call->session;

    s->call = call;
    s->connection = c;
    s->conf = &call->conf;
    s->mode = (relay->way == NGX_MEDIA_RELAY_PULL)
              ? NGX_MEDIA_SRT_MODE_PUBLISH : NGX_MEDIA_SRT_MODE_REQUEST;
    s->timer.handler = ngx_srt_call_timer;
    s->timer.data = call;
    s->timer.log = &call->log;

    if (ngx_srt_calls.next == NULL) {
        ngx_queue_init(&ngx_srt_calls);
    }

    ngx_queue_insert_tail(&ngx_srt_calls, &call->queue);

    return call;
}


static ngx_int_t
ngx_srt_call_url(ngx_srt_call_t *call)
{
    u_char               *buf;
    const char           *fault;
    const ngx_str_t      *args;
    ngx_srt_srv_conf_t   *conf;
    ngx_media_srt_url_t  *u;

    u = &call->url;
    args = &call->relay->url.args;

    buf = ngx_pnalloc(call->pool, args->len + 1);

    if (buf == NULL) {
        return NGX_ERROR;
    }

    fault = ngx_media_srt_url(u, args->data, args->data + args->len, buf,
                              args->len);
    if (fault) {
        ngx_log_error(NGX_LOG_ERR, &call->log, 0,
                      "a URL of SRT is not taken: %s", fault);
        return NGX_ERROR;
    }

    conf = &call->conf;

    conf->latency = (ngx_msec_t)
                    ngx_srt_call_number(u, NGX_MEDIA_SRT_URL_LATENCY, 120);
    conf->mss = (ngx_int_t)
                ngx_srt_call_number(u, NGX_MEDIA_SRT_URL_MSS, 1500);
    conf->maxbw = (ngx_int_t)
                  ngx_srt_call_number(u, NGX_MEDIA_SRT_URL_MAXBW, -1);
    conf->tlpktdrop = (ngx_flag_t)
                      ngx_srt_call_number(u, NGX_MEDIA_SRT_URL_TLPKTDROP, 1);
    conf->sendbuf = (size_t)
                    ngx_srt_call_number(u, NGX_MEDIA_SRT_URL_SNDBUF, 0);
    conf->recvbuf = (size_t)
                    ngx_srt_call_number(u, NGX_MEDIA_SRT_URL_RCVBUF, 0);
    conf->idle_timeout = (ngx_msec_t)
                         ngx_srt_call_number(u, NGX_MEDIA_SRT_URL_IDLE, 10000);
    conf->connect_timeout = (ngx_msec_t)
                            ngx_srt_call_number(u, NGX_MEDIA_SRT_URL_CONNECT,
                                            (int64_t) call->relay->timeout);

    return u->streamid.len ? NGX_OK : ngx_srt_call_id(call);
}


static int64_t
ngx_srt_call_number(const ngx_media_srt_url_t *u, ngx_uint_t n, int64_t def)
{
    return ngx_media_srt_url_is_set(u, n) ? u->number[n] : def;
}


/* by the path of the URL, or by the names here */

static ngx_int_t
ngx_srt_call_id(ngx_srt_call_t *call)
{
    u_char                  *p;
    ngx_media_url_str_t      vhost, app, stream, args;
    ngx_media_srt_mode_e     mode;
    ngx_media_relay_call_t  *relay;

    relay = call->relay;

    p = ngx_pnalloc(call->pool, NGX_MEDIA_SRT_ID_MAX);

    if (p == NULL) {
        return NGX_ERROR;
    }

    call->url.streamid.data = p;

    vhost.data = relay->peer_vhost.data;
    vhost.len = relay->peer_vhost.len;

    if (vhost.len == sizeof(NGX_MEDIA_DEFAULT_VHOST) - 1
        && ngx_strncmp(vhost.data, NGX_MEDIA_DEFAULT_VHOST, vhost.len) == 0)
    {
        vhost.len = 0;
    }

    app.data = relay->app.data;
    app.len = relay->app.len;
    stream.data = relay->stream.data;
    stream.len = relay->stream.len;
    args.data = relay->args.data;
    args.len = relay->args.len;

    if (relay->url.path.len > 1) {
        ngx_str_null(&app);
        stream.data = relay->url.path.data + 1;
        stream.len = relay->url.path.len - 1;
    }

    mode = (relay->way == NGX_MEDIA_RELAY_PULL) ? NGX_MEDIA_SRT_MODE_REQUEST
                                                : NGX_MEDIA_SRT_MODE_PUBLISH;

    call->url.streamid.len = ngx_media_srt_url_id(p, mode, &vhost, &app,
                                                  &stream, &args);

    if (call->url.streamid.len == 0) {
        ngx_log_error(NGX_LOG_ERR, &call->log, 0,
                      "names do not fit into an SRT stream id: \"%V/%V\"",
                      &relay->app, &relay->stream);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_srt_call_peer(ngx_srt_call_t *call)
{
    ngx_srt_peer_t  *peer;

    peer = ngx_calloc(sizeof(ngx_srt_peer_t), &call->log);

    if (peer == NULL) {
        return NGX_ERROR;
    }

    (void) pthread_cond_init(&peer->cond, NULL);

    if (ngx_srt_call_peers.next == NULL) {
        ngx_queue_init(&ngx_srt_call_peers);
    }

    ngx_queue_insert_tail(&ngx_srt_call_peers, &peer->queue);

    peer->fd = (ngx_socket_t) -1;
    peer->udp = (ngx_socket_t) -1;
    peer->listener = SRT_INVALID_SOCK;
    peer->sock = SRT_INVALID_SOCK;
    peer->socklen = call->connection.socklen;
    ngx_memcpy(&peer->sockaddr, call->connection.sockaddr, peer->socklen);

    peer->conf = &call->conf;
    peer->session = &call->session;
    call->session.peer = peer;

    return NGX_OK;
}


static ngx_int_t
ngx_srt_call_connect(ngx_srt_call_t *call)
{
    sigset_t           saved;
    SRTSOCKET          sock;
    ngx_int_t          rc;
    ngx_srt_peer_t    *peer;
    ngx_connection_t  *c;

    peer = call->session.peer;
    c = &call->connection;

    ngx_srt_block_signals(&saved);

    rc = NGX_ERROR;
    sock = srt_create_socket();
    peer->sock = sock;

    if (sock == SRT_INVALID_SOCK
        || ngx_srt_call_options(call, sock) != NGX_OK
        || ngx_srt_watch(peer, sock, SRT_EPOLL_IN|SRT_EPOLL_OUT|SRT_EPOLL_ERR)
           != NGX_OK
        || ngx_srt_call_bind(sock, c->sockaddr->sa_family) != NGX_OK
        || srt_connect(sock, c->sockaddr, (int) c->socklen) == SRT_ERROR)
    {
        ngx_log_error(NGX_LOG_ERR, &call->log, 0,
                      "libsrt does not call: %s", srt_getlasterror_str());

    } else {
        ngx_add_timer(&call->session.timer,
                      call->conf.connect_timeout + NGX_SRT_CALL_GRACE);
        rc = NGX_OK;
    }

    ngx_srt_restore_signals(&saved);

    return rc;
}


/* any address and port, but a filter for what comes */

static ngx_int_t
ngx_srt_call_bind(SRTSOCKET sock, int family)
{
    socklen_t       len;
    ngx_socket_t    fd;
    ngx_sockaddr_t  any;

    ngx_memzero(&any, sizeof(ngx_sockaddr_t));

    any.sockaddr.sa_family = (sa_family_t) family;
    len = (family == AF_INET6) ? sizeof(struct sockaddr_in6)
                               : sizeof(struct sockaddr_in);

    fd = socket(family, SOCK_DGRAM|SOCK_CLOEXEC, 0);

    if (fd == (ngx_socket_t) -1) {
        return NGX_ERROR;
    }

    if (ngx_srt_filter(fd) != NGX_OK
        || bind(fd, &any.sockaddr, len) == -1
        || srt_bind_acquire(sock, fd) == SRT_ERROR)
    {
        (void) close(fd);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_srt_call_options(ngx_srt_call_t *call, SRTSOCKET sock)
{
    int                           yes, ms;
    int32_t                       n32;
    ngx_media_srt_url_t          *u;
    const ngx_srt_call_option_t  *o;

    u = &call->url;
    yes = 1;
    ms = (int) call->conf.connect_timeout;

    if (ngx_srt_options(sock, &call->conf) != NGX_OK
        || srt_setsockflag(sock, SRTO_CONNTIMEO, &ms, sizeof(int))
           == SRT_ERROR)
    {
        return NGX_ERROR;
    }

    if (call->connection.sockaddr->sa_family == AF_INET6
        && srt_setsockflag(sock, SRTO_IPV6ONLY, &yes, sizeof(int))
           == SRT_ERROR)
    {
        return NGX_ERROR;
    }

    for (o = ngx_srt_call_table; o->size; o++) {

        if (!ngx_media_srt_url_is_set(u, o->number)) {
            continue;
        }

        n32 = (int32_t) u->number[o->number];

        if (srt_setsockflag(sock, o->option,
                            o->size == sizeof(int32_t)
                            ? (void *) &n32 : (void *) &u->number[o->number],
                            (int) o->size)
            == SRT_ERROR)
        {
            return NGX_ERROR;
        }
    }

    if ((u->passphrase.len
         && srt_setsockflag(sock, SRTO_PASSPHRASE, u->passphrase.data,
                            (int) u->passphrase.len) == SRT_ERROR)
        || (u->filter.len
            && srt_setsockflag(sock, SRTO_PACKETFILTER, u->filter.data,
                               (int) u->filter.len) == SRT_ERROR)
        || (u->streamid.len
            && srt_setsockflag(sock, SRTO_STREAMID, u->streamid.data,
                               (int) u->streamid.len) == SRT_ERROR))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* --- what happens to it -------------------------------------------------- */

void
ngx_srt_call_event(ngx_srt_call_t *call)
{
    SRTSOCKET           sock;
    SRT_SOCKSTATUS      status;
    ngx_srt_session_t  *s;

    s = &call->session;

    if (s->accepted) {
        ngx_srt_session_event(s);
        return;
    }

    sock = s->peer->sock;
    status = srt_getsockstate(sock);

    if (status == SRTS_CONNECTED) {

        if (!call->connected) {
            call->connected = 1;
            ngx_srt_call_connected(call);
        }

        return;
    }

    if (status == SRTS_INIT || status == SRTS_OPENED
        || status == SRTS_CONNECTING)
    {
        return;
    }

    if (!call->connected) {
        ngx_srt_call_refused(call, sock);
        return;
    }

    /* it left while we waited for the name */

    ngx_srt_session_close(s, NGX_STREAM_OK);
}


/* the peer has agreed */

static void
ngx_srt_call_connected(ngx_srt_call_t *call)
{
    ngx_srt_session_t  *s;

    s = &call->session;

    if (ngx_media_session_init(&s->media, &call->connection, call->pool,
                               &ngx_srt_call_ops, "srt")
        != NGX_OK)
    {
        ngx_srt_call_end(call, NGX_MEDIA_RELAY_FAILED,
                         "no room for another session");
        return;
    }

    s->entered = 1;
    s->media.relay = 1;
    call->relay->session = &s->media;

    if (ngx_srt_call_name(call) != NGX_OK) {
        ngx_srt_call_end(call, NGX_MEDIA_RELAY_FAILED,
                         "a name is not acceptable");
        return;
    }

    s->waiting = 1;

    if (s->mode == NGX_MEDIA_SRT_MODE_PUBLISH) {
        call->log.action = "fetching a stream over SRT";
        ngx_media_session_set_type(&s->media, NGX_MEDIA_CLIENT_SRT_PUBLISH);
        ngx_srt_call_begun(call, ngx_media_publish(&s->media));

    } else {
        call->log.action = "sending a stream over SRT";
        ngx_media_session_set_type(&s->media, NGX_MEDIA_CLIENT_SRT_PLAY);

        /* as it is not asked about, its entry says here what it is */

        ngx_srt_call_begun(call, ngx_media_permit(&s->media,
                                                  NGX_MEDIA_ACT_PLAY));
    }
}


static ngx_int_t
ngx_srt_call_name(ngx_srt_call_t *call)
{
    u_char                  *p;
    ngx_str_t                text, args;
    ngx_media_relay_call_t  *relay;

    relay = call->relay;

    /* those of others, with what they may hold of secrets */

    ngx_str_null(&args);

    text.len = sizeof("srt://") - 1 + relay->url.host.len
               + sizeof("[]:65535") - 1;
    text.data = ngx_pnalloc(call->pool, text.len);

    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_snprintf(text.data, text.len,
                     ngx_strlchr(relay->url.host.data, relay->url.host.data
                                 + relay->url.host.len, ':')
                     ? "srt://[%V]:%ui" : "srt://%V:%ui", &relay->url.host,
                     (ngx_uint_t) relay->url.port);

    ngx_media_session_set_text(&call->session.media, NGX_MEDIA_TEXT_TCURL,
                               text.data, (size_t) (p - text.data));

    return ngx_media_session_name(&call->session.media, &relay->vhost,
                                  &relay->app, &relay->stream, &args);
}


/* rc: what the source says */

static void
ngx_srt_call_begun(ngx_srt_call_t *call, ngx_int_t rc)
{
    ngx_srt_session_t  *s;

    s = &call->session;

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

    if (rc == NGX_DECLINED) {
        ngx_srt_call_end(call, NGX_MEDIA_RELAY_CLOSED,
                         ngx_media_reason_text(s->media.reason));
        return;
    }

    if (rc != NGX_OK) {
        ngx_srt_call_end(call, NGX_MEDIA_RELAY_FAILED, "no memory");
        return;
    }

    ngx_log_error(NGX_LOG_INFO, &call->log, 0, "SRT call is connected");

    if (s->mode != NGX_MEDIA_SRT_MODE_PUBLISH) {
        ngx_srt_call_flows(call);
    }

    ngx_srt_session_accepted(s);
}


/* media come, or may go out */

void
ngx_srt_call_flows(ngx_srt_call_t *call)
{
    if (!call->flowing && call->relay) {
        call->flowing = 1;
        ngx_media_relay_connected(call->relay);
    }
}


static void
ngx_srt_call_refused(ngx_srt_call_t *call, SRTSOCKET sock)
{
    int  code;

    static const struct {
        int          code;
        ngx_uint_t   why;
        const char  *text;
    } texts[] = {
        { SRT_REJ_TIMEOUT, NGX_MEDIA_RELAY_UNREACHED, "nobody answers" },
        { SRT_REJ_PEER, NGX_MEDIA_RELAY_REFUSED, "refused" },
        { SRT_REJ_ROGUE, NGX_MEDIA_RELAY_BROKEN,
          "the peer shakes hands wrongly" },
        { SRT_REJ_BACKLOG, NGX_MEDIA_RELAY_REFUSED,
          "refused: the peer takes no more" },
        { SRT_REJ_CLOSE, NGX_MEDIA_RELAY_REFUSED,
          "refused: the peer is closing" },
        { SRT_REJ_VERSION, NGX_MEDIA_RELAY_REFUSED,
          "refused: versions of SRT do not fit" },
        { SRT_REJ_BADSECRET, NGX_MEDIA_RELAY_REFUSED,
          "refused: the passphrase is wrong" },
        { SRT_REJ_UNSECURE, NGX_MEDIA_RELAY_REFUSED,
          "refused: one side has a passphrase, the other has none" },
        { SRT_REJ_MESSAGEAPI, NGX_MEDIA_RELAY_REFUSED,
          "refused: the peer is not in live mode" },
        { SRT_REJ_CONGESTION, NGX_MEDIA_RELAY_REFUSED,
          "refused: the peer is not in live mode" },
        { SRT_REJ_FILTER, NGX_MEDIA_RELAY_REFUSED,
          "refused: packet filters do not fit" },
        { SRT_REJX_BAD_REQUEST, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1400: bad request" },
        { SRT_REJX_UNAUTHORIZED, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1401: unauthorized" },
        { SRT_REJX_OVERLOAD, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1402: overload" },
        { SRT_REJX_FORBIDDEN, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1403: forbidden" },
        { SRT_REJX_NOTFOUND, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1404: not found" },
        { SRT_REJX_BAD_MODE, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1405: bad mode" },
        { SRT_REJX_UNACCEPTABLE, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1406: unacceptable" },
        { SRT_REJX_CONFLICT, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1409: conflict" },
        { SRT_REJX_NOTSUP_MEDIA, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1415: media not supported" },
        { SRT_REJX_LOCKED, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1423: locked" },
        { SRT_REJX_ISE, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1500: internal error" },
        { SRT_REJX_GW, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1502: bad gateway" },
        { SRT_REJX_DOWN, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1503: service is down" },
        { SRT_REJX_VERSION, NGX_MEDIA_RELAY_REFUSED,
          "refused with 1505: version not supported" },
        { 0, NGX_MEDIA_RELAY_UNREACHED, "no connection" }
    }, *t;

    code = srt_getrejectreason(sock);

    for (t = texts; t->code && t->code != code; t++) { /* void */ }

    ngx_log_error(NGX_LOG_INFO, &call->log, 0, "SRT call failed with %d: %s",
                  code, srt_rejectreason_str(code));

    if (t->code == 0 && code >= SRT_REJC_PREDEFINED) {
        ngx_srt_call_end(call, NGX_MEDIA_RELAY_REFUSED,
                         "refused with a code of its own");
        return;
    }

    ngx_srt_call_end(call, t->why, t->text);
}


/* After this the call may not be touched any more. */

static void
ngx_srt_call_end(ngx_srt_call_t *call, ngx_uint_t why, const char *text)
{
    call->why = why;
    call->text = text;

    ngx_srt_session_close(&call->session, NGX_STREAM_OK);
}


/* the last step of ngx_srt_session_close() */

void
ngx_srt_call_over(ngx_srt_call_t *call, ngx_uint_t rc)
{
    ngx_uint_t               why;
    const char              *text;
    ngx_media_relay_call_t  *relay;

    relay = call->relay;
    why = call->why;
    text = call->text;

    if (rc != NGX_STREAM_OK && why == NGX_MEDIA_RELAY_CLOSED) {
        why = NGX_MEDIA_RELAY_BROKEN;
        text = "the peer sends no MPEG-TS";
    }

    ngx_log_error(NGX_LOG_INFO, &call->log, 0, "SRT call is over: %s",
                  relay ? text : "it is not wanted any more");

    ngx_queue_remove(&call->queue);

    /* it looks at the session, for the last time */

    if (relay) {
        ngx_media_relay_ended(relay, why, text);
    }

    ngx_destroy_pool(call->pool);
}


static void
ngx_srt_call_timer(ngx_event_t *ev)
{
    ngx_srt_call_t *call = ev->data;

    ngx_srt_session_t  *s;

    s = &call->session;

    if (!s->accepted) {
        ngx_srt_call_end(call, NGX_MEDIA_RELAY_UNREACHED, "nobody answers");
        return;
    }

    ngx_add_timer(ev, s->conf->idle_timeout);

    if (srt_getsockstate(s->peer->sock) != SRTS_CONNECTED) {

        /* it ends, or the rest of it is read first */

        ngx_srt_session_event(s);
    }
}


/* of the core */

static void
ngx_srt_call_close(ngx_media_session_t *ms, ngx_uint_t reason)
{
    ngx_srt_session_t  *s;

    s = (ngx_srt_session_t *) ms;

    if (!s->finalized) {
        ngx_srt_call_end(s->call, NGX_MEDIA_RELAY_CLOSED,
                         ngx_media_reason_text(reason));
    }
}


static void
ngx_srt_call_published(ngx_media_session_t *ms, ngx_int_t rc)
{
    ngx_srt_session_t  *s;

    s = (ngx_srt_session_t *) ms;

    ngx_srt_call_begun(s->call, rc);
}


static u_char *
ngx_srt_call_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char          *p, *last;
    ngx_srt_call_t  *call;

    call = log->data;
    last = buf + len;
    p = buf;

    if (log->action) {
        p = ngx_slprintf(p, last, " while %s", log->action);
    }

    p = ngx_slprintf(p, last, ", peer: %V port %d",
                     &call->connection.addr_text,
                     (int) ngx_inet_get_port(call->connection.sockaddr));

    return call->session.entered
           ? ngx_media_session_log(&call->session.media, p,
                                   (size_t) (last - p))
           : p;
}


/*
 * Only libsrt's part of them: the core and the relay may have gone already, or
 * may still hang up, as modules exit in the order in which they were loaded.
 */

void
ngx_srt_call_exit(void)
{
    ngx_queue_t     *q;
    ngx_srt_call_t  *call;
    ngx_srt_peer_t  *peer;

    if (ngx_srt_calls.next == NULL) {
        return;
    }

    for (q = ngx_queue_head(&ngx_srt_calls);
         q != ngx_queue_sentinel(&ngx_srt_calls);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_srt_call_t, queue);
        peer = call->session.peer;

        if (peer) {
            call->session.peer = NULL;
            peer->session = NULL;
            ngx_srt_peer_close(peer);
        }
    }
}
