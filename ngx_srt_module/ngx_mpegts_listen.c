
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: the UDP sockets of mpegts { }: which worker reads them.
 *
 * nginx puts a listener into the event loop of all workers.  Ours are taken
 * out again, with their connections, so that nothing brings them back (the
 * accept mutex would).  A worker that has the claim reads a duplicate of the
 * descriptor: nginx closes its own when the worker is told to leave, but a
 * publisher stays until he stops, as with any other protocol.
 *
 * One timer looks at all sockets: to claim them, to join groups again, to ask
 * the kernel what it dropped.  It holds no worker that leaves.  Who has his
 * share of the sockets claims others more seldom.
 */


#include "ngx_mpegts.h"
#include "ngx_media_stream.h"


#define NGX_MPEGTS_TICK          100        /* ms */
#define NGX_MPEGTS_PATIENCE      3          /* ticks, of who has his share */
#define NGX_MPEGTS_JOIN          5000       /* ms */
#define NGX_MPEGTS_SECOND        1000

#define NGX_MPEGTS_BATCH         16
#define NGX_MPEGTS_BATCHES       16         /* before others have a turn */
#define NGX_MPEGTS_DATAGRAM      65536


static ngx_int_t ngx_mpegts_listen_port(ngx_cycle_t *cycle,
    ngx_listening_t *ls, ngx_mpegts_port_t *port);
static uint64_t ngx_mpegts_listen_key(ngx_listening_t *ls);
static void ngx_mpegts_listen_timer(ngx_event_t *ev);
static void ngx_mpegts_listen_claim(ngx_mpegts_port_t *port);
static void ngx_mpegts_listen_look(ngx_mpegts_port_t *port);
static void ngx_mpegts_listen_close(ngx_mpegts_port_t *port);
static void ngx_mpegts_listen_handler(ngx_event_t *ev);
static ngx_int_t ngx_mpegts_listen_batch(ngx_mpegts_port_t *port,
    ngx_uint_t max);


static ngx_mpegts_port_t  *ngx_mpegts_ports;
static ngx_uint_t          ngx_mpegts_nports;
static ngx_uint_t          ngx_mpegts_share;       /* of one worker */
static ngx_uint_t          ngx_mpegts_ticks;
static ngx_event_t         ngx_mpegts_timer;

/* pages of it are there where datagrams are large */

static u_char  ngx_mpegts_data[NGX_MPEGTS_BATCH][NGX_MPEGTS_DATAGRAM];


/* behind that of the event module, which has opened the listeners */

ngx_int_t
ngx_mpegts_listen_init(ngx_cycle_t *cycle)
{
    ngx_uint_t        i, n;
    ngx_core_conf_t  *ccf;
    ngx_listening_t  *ls;

    ls = cycle->listening.elts;
    n = 0;

    for (i = 0; i < cycle->listening.nelts; i++) {
        n += ngx_mpegts_listen_conf(&ls[i]) ? 1 : 0;
    }

    if (n == 0) {
        return NGX_OK;
    }

    ngx_mpegts_ports = ngx_pcalloc(cycle->pool,
                                   n * sizeof(ngx_mpegts_port_t));
    if (ngx_mpegts_ports == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < cycle->listening.nelts; i++) {

        if (ngx_mpegts_listen_conf(&ls[i]) == NULL) {
            continue;
        }

        if (ngx_mpegts_listen_port(cycle, &ls[i],
                                   &ngx_mpegts_ports[ngx_mpegts_nports])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_mpegts_nports++;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    ngx_mpegts_share = (n - 1) / ngx_max(ccf->worker_processes, 1) + 1;

    ngx_mpegts_timer.handler = ngx_mpegts_listen_timer;
    ngx_mpegts_timer.log = cycle->log;
    ngx_mpegts_timer.data = ngx_mpegts_ports;
    ngx_mpegts_timer.cancelable = 1;

    ngx_add_timer(&ngx_mpegts_timer, 1);

    return NGX_OK;
}


static ngx_int_t
ngx_mpegts_listen_port(ngx_cycle_t *cycle, ngx_listening_t *ls,
    ngx_mpegts_port_t *port)
{
    ngx_connection_t  *c;

    port->listening = ls;
    port->conf = ngx_mpegts_listen_conf(ls);
    port->key = ngx_mpegts_listen_key(ls);

    port->fd = fcntl(ls->fd, F_DUPFD_CLOEXEC, 0);

    if (port->fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "fcntl(F_DUPFD_CLOEXEC) of %V failed", &ls->addr_text);
        return NGX_ERROR;
    }

    port->drops = ngx_mpegts_socket_drops(port->fd);

    c = ls->connection;

    if (c == NULL || c->listening != ls) {
        return NGX_OK;
    }

    if (c->read->active
        && ngx_del_event(c->read, NGX_READ_EVENT, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a process without workers looks at it when it reads its configuration */

    if (ngx_process == NGX_PROCESS_WORKER) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        ls->connection = NULL;
    }

    return NGX_OK;
}


/* FNV-1a of the address */

static uint64_t
ngx_mpegts_listen_key(ngx_listening_t *ls)
{
    u_char      *p;
    uint64_t     hash;
    ngx_uint_t   i;
    u_char       text[NGX_SOCKADDR_STRLEN + sizeof("mpegts ")];

    p = ngx_cpymem(text, "mpegts ", sizeof("mpegts ") - 1);
    p += ngx_sock_ntop(ls->sockaddr, ls->socklen, p, NGX_SOCKADDR_STRLEN, 1);

    hash = 0xcbf29ce484222325ULL;

    for (i = 0; i < (ngx_uint_t) (p - text); i++) {
        hash = (hash ^ text[i]) * 0x100000001b3ULL;
    }

    return hash ? hash : 1;
}


ngx_mpegts_srv_conf_t *
ngx_mpegts_listen_conf(ngx_listening_t *ls)
{
    ngx_mpegts_srv_conf_t  *conf;

    if (ls->type != SOCK_DGRAM) {
        return NULL;
    }

    conf = ngx_media_stream_srv_conf(ls, &ngx_mpegts_module);

    return (conf && conf->file) ? conf : NULL;
}


static void
ngx_mpegts_listen_timer(ngx_event_t *ev)
{
    ngx_uint_t          i, have, more;
    ngx_mpegts_port_t  *port;

    have = 0;
    more = 0;

    for (i = 0; i < ngx_mpegts_nports; i++) {
        have += ngx_mpegts_ports[i].reader ? 1 : 0;
    }

    ngx_mpegts_ticks++;

    for (i = 0; i < ngx_mpegts_nports; i++) {
        port = &ngx_mpegts_ports[i];

        if (port->reader) {
            ngx_mpegts_listen_look(port);
            more = 1;

        } else if (!ngx_exiting && !ngx_terminate) {

            if (have < ngx_mpegts_share
                || ngx_mpegts_ticks % NGX_MPEGTS_PATIENCE == 0)
            {
                ngx_mpegts_listen_claim(port);
                have += port->reader ? 1 : 0;
            }

            more = 1;
        }
    }

    if (more) {
        ngx_add_timer(ev, NGX_MPEGTS_TICK);
    }
}


static void
ngx_mpegts_listen_claim(ngx_mpegts_port_t *port)
{
    uint32_t           drops;
    ngx_connection_t  *c;

    drops = ngx_mpegts_socket_drops(port->fd);

    if (ngx_media_claim(port->key) != NGX_OK) {
        port->drops = drops;
        return;
    }

    c = ngx_get_connection(port->fd, ngx_cycle->log);

    if (c == NULL) {
        ngx_media_claim_release(port->key);
        return;
    }

    c->type = SOCK_DGRAM;
    c->data = port;
    c->log = ngx_cycle->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_mpegts_listen_handler;

    port->reader = c;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "worker reads MPEG-TS at %V", &port->listening->addr_text);

    ngx_mpegts_socket_join(port);
    ngx_mpegts_listen_resume(port);
}


/* what is to be done from time to time where this worker reads */

static void
ngx_mpegts_listen_look(ngx_mpegts_port_t *port)
{
    uint32_t  drops;

    if (port->peer == NULL && (ngx_exiting || ngx_terminate)) {
        ngx_mpegts_listen_close(port);
        return;
    }

    /* what could not be added, or has failed to be read */

    if (port->peer == NULL || (port->session && port->session->publishing)) {
        ngx_mpegts_listen_resume(port);
    }

    if (port->peer == NULL
        && ngx_current_msec - port->joined >= NGX_MPEGTS_JOIN)
    {
        ngx_mpegts_socket_join(port);
    }

    if (ngx_current_msec - port->second < NGX_MPEGTS_SECOND) {
        return;
    }

    port->second = ngx_current_msec;

    drops = ngx_mpegts_socket_drops(port->fd);

    port->dropped += (uint32_t) (drops - port->drops);
    port->drops = drops;

    if (port->dropped != port->dropped_logged) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "%uL datagrams for %V had no room in the socket and are "
                      "lost, see \"recvbuf\"",
                      port->dropped - port->dropped_logged,
                      &port->listening->addr_text);

        port->dropped_logged = port->dropped;
    }

    if (port->session) {
        ngx_mpegts_session_link(port->session);
    }
}


void
ngx_mpegts_listen_resume(ngx_mpegts_port_t *port)
{
    if (port->reader == NULL || port->listens) {
        return;
    }

    if (ngx_add_event(port->reader->read, NGX_READ_EVENT, 0) == NGX_OK) {
        port->listens = 1;
    }
}


void
ngx_mpegts_listen_pause(ngx_mpegts_port_t *port)
{
    if (!port->listens) {
        return;
    }

    port->listens = 0;

    (void) ngx_del_event(port->reader->read, NGX_READ_EVENT, 0);
}


void
ngx_mpegts_listen_idle(ngx_mpegts_port_t *port)
{
    if (ngx_exiting || ngx_terminate) {
        ngx_mpegts_listen_close(port);
        return;
    }

    ngx_mpegts_listen_resume(port);
}


/* another worker goes on */

static void
ngx_mpegts_listen_close(ngx_mpegts_port_t *port)
{
    ngx_connection_t  *c;

    c = port->reader;

    if (c == NULL) {
        return;
    }

    ngx_mpegts_listen_pause(port);

    port->reader = NULL;

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ngx_media_claim_release(port->key);
}


static void
ngx_mpegts_listen_handler(ngx_event_t *ev)
{
    ngx_int_t           n;
    ngx_uint_t          i, max;
    ngx_connection_t   *c;
    ngx_mpegts_port_t  *port;

    c = ev->data;
    port = c->data;

    /* worker_shutdown_timeout */

    if (c->close) {

        if (port->session) {
            ngx_mpegts_session_close(port->session, NGX_STREAM_OK);
        }

        ngx_mpegts_listen_close(port);
        return;
    }

    /* behind the one that makes a session the others may have to wait */

    for (i = 0; i < NGX_MPEGTS_BATCHES && port->listens; i++) {
        max = port->session ? NGX_MPEGTS_BATCH : 1;

        n = ngx_mpegts_listen_batch(port, max);

        if (n < (ngx_int_t) max) {
            break;
        }
    }

    if (port->session) {
        ngx_mpegts_session_flush(port->session);
    }
}


/* how many were read */

static ngx_int_t
ngx_mpegts_listen_batch(ngx_mpegts_port_t *port, ngx_uint_t max)
{
    int                    n, i;
    ngx_err_t              err;
    struct iovec           iovs[NGX_MPEGTS_BATCH];
    struct mmsghdr         msgs[NGX_MPEGTS_BATCH];
    ngx_sockaddr_t         addrs[NGX_MPEGTS_BATCH];
    ngx_mpegts_session_t  *s;

    ngx_memzero(msgs, max * sizeof(struct mmsghdr));

    for (i = 0; i < (int) max; i++) {
        iovs[i].iov_base = ngx_mpegts_data[i];
        iovs[i].iov_len = NGX_MPEGTS_DATAGRAM;

        msgs[i].msg_hdr.msg_iov = &iovs[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
        msgs[i].msg_hdr.msg_name = &addrs[i];
        msgs[i].msg_hdr.msg_namelen = sizeof(ngx_sockaddr_t);
    }

    n = recvmmsg(port->fd, msgs, (unsigned) max, MSG_DONTWAIT, NULL);

    if (n == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EAGAIN && err != NGX_EINTR) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                          "recvmmsg() at %V failed",
                          &port->listening->addr_text);

            ngx_mpegts_listen_pause(port);
        }

        return 0;
    }

    s = port->session;

    for (i = 0; i < n; i++) {

        /*
         * with it the rest of the batch goes: who waits is not read for.  The
         * next one may lie where it was.
         */

        if (!port->listens || (s && port->session != s)) {
            break;
        }

        ngx_mpegts_datagram(port, &addrs[i].sockaddr,
                            msgs[i].msg_hdr.msg_namelen, ngx_mpegts_data[i],
                            ngx_mpegts_data[i] + msgs[i].msg_len);
    }

    return n;
}


void
ngx_mpegts_listen_exit(void)
{
    ngx_uint_t          i;
    ngx_mpegts_port_t  *port;

    for (i = 0; i < ngx_mpegts_nports; i++) {
        port = &ngx_mpegts_ports[i];

        if (port->session) {
            ngx_mpegts_session_exit(port->session);
        }

        /* its descriptor is ours */

        if (port->peer) {
            port->peer->fd = (ngx_socket_t) -1;
        }

        ngx_mpegts_listen_close(port);

        if (port->fd != (ngx_socket_t) -1) {
            (void) close(port->fd);
            port->fd = (ngx_socket_t) -1;
        }
    }

    ngx_mpegts_nports = 0;
}
