
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: datagrams of mpegts { }: of whom they are, and who is let in.
 *
 * While one publishes, others are counted and left out.  The same host with
 * another port is an encoder that was started again: he is let in as soon as
 * the one before is silent for a moment, others when he has timed out.
 *
 * Who was refused is not asked about with each datagram: he waits 2 seconds,
 * then 4, up to 30.  Where 8 hosts wait nobody else is asked about: addresses
 * of datagrams can be forged.
 */


#include "ngx_mpegts.h"
#include "ngx_media_stream.h"


#define NGX_MPEGTS_AGAIN         1000       /* ms, a host with another port */

#define NGX_MPEGTS_BUSY          1000       /* ms until who was refused ... */
#define NGX_MPEGTS_PAUSE         2000
#define NGX_MPEGTS_KICKED        10000
#define NGX_MPEGTS_PAUSES        30000      /* ... at most */
#define NGX_MPEGTS_FORGIVEN      60000      /* later he begins anew */


static ngx_uint_t ngx_mpegts_other(ngx_mpegts_port_t *port,
    struct sockaddr *sa, socklen_t socklen);
static void ngx_mpegts_newcomer(ngx_mpegts_port_t *port, struct sockaddr *sa,
    socklen_t socklen, u_char *pos, u_char *end);
static ngx_mpegts_refused_t *ngx_mpegts_refused(ngx_mpegts_port_t *port,
    struct sockaddr *sa, socklen_t socklen);
static ngx_mpegts_refused_t *ngx_mpegts_refused_first(
    ngx_mpegts_port_t *port);
static ngx_connection_t *ngx_mpegts_connection(ngx_mpegts_port_t *port,
    u_char *pos, u_char *end);
static ngx_int_t ngx_mpegts_connection_fill(ngx_mpegts_port_t *port,
    ngx_connection_t *c, u_char *pos, u_char *end);
static ssize_t ngx_mpegts_recv(ngx_connection_t *c, u_char *buf, size_t size);
static void ngx_mpegts_connection_cleanup(void *data);


void
ngx_mpegts_datagram(ngx_mpegts_port_t *port, struct sockaddr *sa,
    socklen_t socklen, u_char *pos, u_char *end)
{
    ngx_uint_t               rtp;
    ngx_mpegts_refused_t    *refused;
    ngx_media_rtp_ts_kind_e  kind;

    kind = ngx_media_rtp_ts_kind(pos, end);
    rtp = port->conf->rtp;

    if ((kind == NGX_MEDIA_RTP_TS_RTP && rtp == NGX_MPEGTS_RTP_OFF)
        || (kind == NGX_MEDIA_RTP_TS_RAW && rtp == NGX_MPEGTS_RTP_ON))
    {
        kind = NGX_MEDIA_RTP_TS_NONE;
    }

    if (port->session) {

        if (ngx_cmp_sockaddr(sa, socklen, &port->sockaddr.sockaddr,
                             port->socklen, 1)
            == NGX_OK)
        {
            ngx_mpegts_session_datagram(port->session, pos, end, kind);
            return;
        }

        if (kind == NGX_MEDIA_RTP_TS_NONE
            || !ngx_mpegts_other(port, sa, socklen))
        {
            return;
        }
    }

    if (kind == NGX_MEDIA_RTP_TS_NONE || port->peer) {
        return;
    }

    refused = ngx_mpegts_refused(port, sa, socklen);

    if (refused == NULL) {
        refused = ngx_mpegts_refused_first(port);
    }

    if (refused->socklen
        && (ngx_msec_int_t) (refused->until - ngx_current_msec) > 0)
    {
        return;
    }

    ngx_mpegts_newcomer(port, sa, socklen, pos, end);
}


/* 1: the session is over, he may come */

static ngx_uint_t
ngx_mpegts_other(ngx_mpegts_port_t *port, struct sockaddr *sa,
    socklen_t socklen)
{
    size_t                 n, m;
    u_char                 text[NGX_SOCKADDR_STRLEN];
    u_char                 own[NGX_SOCKADDR_STRLEN];
    ngx_mpegts_session_t  *s;

    s = port->session;

    if (ngx_current_msec - s->heard >= NGX_MPEGTS_AGAIN
        && ngx_cmp_sockaddr(sa, socklen, &port->sockaddr.sockaddr,
                            port->socklen, 0)
           == NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "MPEG-TS sender goes on from another port");

        ngx_mpegts_session_close(s, NGX_STREAM_OK);
        return 1;
    }

    if (s->foreign++ == 0) {
        n = ngx_sock_ntop(sa, socklen, text, NGX_SOCKADDR_STRLEN, 1);
        m = ngx_sock_ntop(&port->sockaddr.sockaddr, port->socklen, own,
                          NGX_SOCKADDR_STRLEN, 1);

        ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                      "MPEG-TS of %*s is left out while %*s sends",
                      n, text, m, own);
    }

    return 0;
}


static void
ngx_mpegts_newcomer(ngx_mpegts_port_t *port, struct sockaddr *sa,
    socklen_t socklen, u_char *pos, u_char *end)
{
    ngx_connection_t  *c;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    ngx_memcpy(&port->sockaddr, sa, socklen);
    port->socklen = socklen;
    port->dropped = 0;
    port->dropped_logged = 0;

    c = ngx_mpegts_connection(port, pos, end);

    if (c == NULL) {
        ngx_mpegts_refuse(port, NGX_MEDIA_REASON_FULL);
        return;
    }

    port->peer = c;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
    (void) ngx_atomic_fetch_add(ngx_stat_handled, 1);
#endif

    /* until he is let in, what he sends stays in the socket */

    ngx_mpegts_listen_pause(port);

    /* it may be gone when this returns */

    port->listening->handler(c);
}


static ngx_mpegts_refused_t *
ngx_mpegts_refused(ngx_mpegts_port_t *port, struct sockaddr *sa,
    socklen_t socklen)
{
    ngx_uint_t             i;
    ngx_mpegts_refused_t  *refused;

    for (i = 0; i < NGX_MPEGTS_REFUSED; i++) {
        refused = &port->refused[i];

        if (refused->socklen
            && ngx_cmp_sockaddr(&refused->sockaddr.sockaddr, refused->socklen,
                                sa, socklen, 0)
               == NGX_OK)
        {
            return refused;
        }
    }

    return NULL;
}


/* the place that is free, or will be first */

static ngx_mpegts_refused_t *
ngx_mpegts_refused_first(ngx_mpegts_port_t *port)
{
    ngx_uint_t             i;
    ngx_mpegts_refused_t  *first, *refused;

    first = &port->refused[0];

    for (i = 0; i < NGX_MPEGTS_REFUSED; i++) {
        refused = &port->refused[i];

        if (refused->socklen == 0) {
            return refused;
        }

        if ((ngx_msec_int_t) (refused->until - first->until) < 0) {
            first = refused;
        }
    }

    return first;
}


void
ngx_mpegts_refuse(ngx_mpegts_port_t *port, ngx_uint_t reason)
{
    ngx_mpegts_refused_t  *refused;

    refused = ngx_mpegts_refused(port, &port->sockaddr.sockaddr,
                                 port->socklen);

    if (refused == NULL) {
        refused = ngx_mpegts_refused_first(port);

        refused->sockaddr = port->sockaddr;
        refused->socklen = port->socklen;
        refused->pause = 0;

    } else if ((ngx_msec_int_t) (ngx_current_msec - refused->until)
               > NGX_MPEGTS_FORGIVEN)
    {
        refused->pause = 0;
    }

    switch (reason) {

    case NGX_MEDIA_REASON_BUSY:
    case NGX_MEDIA_REASON_FULL:
    case NGX_MEDIA_REASON_LIMIT:
        refused->pause = NGX_MPEGTS_BUSY;
        break;

    case NGX_MEDIA_REASON_KICKED:
    case NGX_MEDIA_REASON_REPLACED:
        refused->pause = ngx_max(refused->pause, NGX_MPEGTS_KICKED);
        break;

    default:
        refused->pause = refused->pause ? refused->pause * 2
                                        : NGX_MPEGTS_PAUSE;
        break;
    }

    refused->pause = ngx_min(refused->pause, NGX_MPEGTS_PAUSES);
    refused->until = ngx_current_msec + refused->pause;
}


/* --- connections ---------------------------------------------------------- */

/* as nginx makes them of datagrams; the first one is in its buffer */

static ngx_connection_t *
ngx_mpegts_connection(ngx_mpegts_port_t *port, u_char *pos, u_char *end)
{
    ngx_listening_t   *ls;
    ngx_connection_t  *c;

    ls = port->listening;

    c = ngx_media_stream_connection(ls, port->fd, &port->sockaddr,
                                    port->socklen,
                                    (ngx_sockaddr_t *) ls->sockaddr,
                                    ls->socklen);
    if (c == NULL) {
        return NULL;
    }

    if (ngx_mpegts_connection_fill(port, c, pos, end) != NGX_OK) {
        ngx_media_stream_connection_free(c);
        return NULL;
    }

    return c;
}


static ngx_int_t
ngx_mpegts_connection_fill(ngx_mpegts_port_t *port, ngx_connection_t *c,
    u_char *pos, u_char *end)
{
    ngx_pool_cleanup_t  *cln;

    c->recv = ngx_mpegts_recv;
    c->send = ngx_udp_send;
    c->buffer = ngx_create_temp_buf(c->pool, end - pos);

    if (c->buffer == NULL) {
        return NGX_ERROR;
    }

    c->buffer->last = ngx_cpymem(c->buffer->pos, pos, end - pos);

    /* the last one that can fail: it speaks of what is refused */

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_mpegts_port_t *));

    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_mpegts_connection_cleanup;
    *(ngx_mpegts_port_t **) cln->data = port;

    return NGX_OK;
}


/* there is nothing more for modules that read before content handlers do */

static ssize_t
ngx_mpegts_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    return NGX_AGAIN;
}


/* the connection goes; without a session a phase has refused it */

static void
ngx_mpegts_connection_cleanup(void *data)
{
    ngx_mpegts_port_t **link = data;

    ngx_mpegts_port_t  *port;

    port = *link;

    if (port->session == NULL) {
        ngx_mpegts_refuse(port, NGX_MEDIA_REASON_DENIED);
    }

    port->session = NULL;
    port->peer = NULL;

    ngx_mpegts_listen_idle(port);
}


ngx_mpegts_port_t *
ngx_mpegts_connection_port(ngx_connection_t *c)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_mpegts_connection_cleanup) {
            return *(ngx_mpegts_port_t **) cln->data;
        }
    }

    return NULL;
}
