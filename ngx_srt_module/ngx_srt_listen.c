
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: the UDP listeners of SRT and the handshakes of newcomers.
 *
 * A datagram at a listener is from a newcomer, as who has a socket of his own
 * is heard there.  Only the first message of a handshake (induction, version
 * 4) makes one; it is used up by that, and the caller repeats it, after 250 ms
 * with most of them.  How many may shake hands at once is bounded for the
 * worker and for each address: an induction can be forged, and costs a socket
 * and threads.  Where there are too many, the one who is silent for longest
 * makes room.
 *
 * A socket of libsrt's that is closed is expensive: a thread of libsrt waits
 * for another one, some milliseconds, with a lock that all of its functions
 * take.  So listeners are kept when their caller is gone or never came, for
 * newcomers who call the same address, and those that nobody needs are closed a
 * few at a time.
 *
 * The socket of a peer is bound to all addresses, with SO_REUSEADDR only, and
 * of IPv6 also where the listener is of IPv4: until it is connected the kernel
 * then prefers the listener, so that it takes nobody else's packets.  Where
 * the route back would leave from another address than the one that was
 * called, it is bound to that one.  Then it may have got datagrams of others
 * before it was connected: they are thrown away, as are those of others that
 * came between bind() and connect() anywhere: who has no socket yet repeats
 * his induction.
 */


#include "ngx_srt.h"
#include "ngx_media_stream.h"


#define NGX_SRT_PENDING           256
#define NGX_SRT_PENDING_ADDR      32
#define NGX_SRT_SILENT            500     /* ms, then others come first */
#define NGX_SRT_REFUSED           400     /* ms */
#define NGX_SRT_LATE              3000    /* ms */
#define NGX_SRT_DATAGRAMS         64      /* read at once */
#define NGX_SRT_STRAYS            256     /* before it was connected */

#define NGX_SRT_KEPT              1024
#define NGX_SRT_KEPT_REST         1500    /* ms, then it is used again */
#define NGX_SRT_KEPT_TICK         250     /* ms */
#define NGX_SRT_KEPT_CLOSE        8       /* closed in a tick */

/* a handshake: header and body */

#define NGX_SRT_HEADER            16
#define NGX_SRT_HANDSHAKE         64
#define NGX_SRT_INDUCTION         1


static void ngx_srt_listen_handler(ngx_event_t *ev);
static ngx_srt_srv_conf_t *ngx_srt_listen_conf(ngx_listening_t *ls);
static ngx_uint_t ngx_srt_is_induction(const u_char *p, size_t n);
static void ngx_srt_listen_pktinfo(ngx_listening_t *ls, ngx_log_t *log);
static void ngx_srt_called(struct msghdr *msg, ngx_listening_t *ls,
    struct in6_addr *to);
static void ngx_srt_newcomer(ngx_listening_t *ls, struct sockaddr *sa,
    socklen_t socklen, struct in6_addr *to);
static ngx_uint_t ngx_srt_pending(struct sockaddr *sa, socklen_t socklen);
static ngx_srt_peer_t *ngx_srt_silent(ngx_listening_t *ls,
    struct in6_addr *to);
static ngx_srt_peer_t *ngx_srt_kept(ngx_listening_t *ls, struct in6_addr *to);
static ngx_int_t ngx_srt_again_for(ngx_srt_peer_t *peer, struct sockaddr *sa,
    socklen_t socklen);
static void ngx_srt_remote(struct sockaddr_in6 *remote, struct sockaddr *sa);
static void ngx_srt_shake(ngx_srt_peer_t *peer);
static void ngx_srt_shaken(ngx_srt_peer_t *peer);
static ngx_int_t ngx_srt_keep(ngx_srt_peer_t *peer);
static void ngx_srt_keep_timer(ngx_event_t *ev);
static void ngx_srt_peer_free(ngx_srt_peer_t *peer);
static ngx_socket_t ngx_srt_socket(ngx_srt_peer_t *peer,
    struct in6_addr *to);
static ngx_socket_t ngx_srt_connected(ngx_srt_peer_t *peer,
    const struct in6_addr *from, struct sockaddr_in6 *local);
static void ngx_srt_strays(ngx_socket_t fd);
static void ngx_srt_mapped(struct in6_addr *to, const void *in);
static void ngx_srt_local(ngx_srt_peer_t *peer, struct sockaddr_in6 *sin6);
static ngx_int_t ngx_srt_peer_listen(ngx_srt_peer_t *peer);
static int ngx_srt_callback(void *data, SRTSOCKET sock, int version,
    const struct sockaddr *sa, const char *id);
static void ngx_srt_peer_accept(ngx_srt_peer_t *peer);
static void ngx_srt_peer_late(ngx_event_t *ev);
static void ngx_srt_peer_timeout(ngx_event_t *ev);


static ngx_queue_t       ngx_srt_peers;
static ngx_queue_t       ngx_srt_shaking;
static ngx_uint_t        ngx_srt_npending;

static ngx_queue_t       ngx_srt_keeps;
static ngx_uint_t        ngx_srt_nkept;
static ngx_event_t       ngx_srt_keep_event;
static ngx_connection_t  ngx_srt_keep_dummy;


/* behind that of the event module, which has opened the listeners */

ngx_int_t
ngx_srt_listen_init(ngx_cycle_t *cycle)
{
    ngx_uint_t        i, found;
    ngx_listening_t  *ls;

    ngx_queue_init(&ngx_srt_peers);
    ngx_queue_init(&ngx_srt_shaking);
    ngx_queue_init(&ngx_srt_keeps);

    ngx_srt_keep_dummy.fd = (ngx_socket_t) -1;
    ngx_srt_keep_event.handler = ngx_srt_keep_timer;
    ngx_srt_keep_event.data = &ngx_srt_keep_dummy;
    ngx_srt_keep_event.log = cycle->log;
    ngx_srt_keep_event.cancelable = 1;

    ls = cycle->listening.elts;
    found = 0;

    for (i = 0; i < cycle->listening.nelts; i++) {

        if (ls[i].type != SOCK_DGRAM || ngx_srt_listen_conf(&ls[i]) == NULL) {
            continue;
        }

        found = 1;

        if (ls[i].connection == NULL
            || ls[i].connection->listening != &ls[i])
        {
            continue;
        }

        ls[i].connection->read->handler = ngx_srt_listen_handler;
        ngx_srt_listen_pktinfo(&ls[i], cycle->log);
    }

    return found ? ngx_srt_lib_init(cycle) : NGX_OK;
}


/* NULL: it is not ours */

static ngx_srt_srv_conf_t *
ngx_srt_listen_conf(ngx_listening_t *ls)
{
    ngx_srt_srv_conf_t  *conf;

    conf = ngx_media_stream_srv_conf(ls, &ngx_srt_module);

    return (conf && conf->file) ? conf : NULL;
}


/* nginx asks for it too, where it listens on all addresses */

static void
ngx_srt_listen_pktinfo(ngx_listening_t *ls, ngx_log_t *log)
{
    int  on, rc;

    on = 1;

    if (ls->sockaddr->sa_family == AF_INET6) {
        rc = setsockopt(ls->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on,
                        sizeof(int));

    } else {
        rc = setsockopt(ls->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(int));
    }

    if (rc == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                      "setsockopt(PKTINFO) %V failed", &ls->addr_text);
    }
}


static void
ngx_srt_listen_handler(ngx_event_t *ev)
{
    ssize_t            n;
    ngx_uint_t         i;
    struct iovec       iov;
    struct msghdr      msg;
    ngx_sockaddr_t     sa;
    struct in6_addr    to;
    ngx_connection_t  *lc;
    u_char             buf[2048];

    union {
        struct cmsghdr  align;
        u_char          data[CMSG_SPACE(sizeof(struct in6_pktinfo))
                             + CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;

    lc = ev->data;

    for (i = 0; i < NGX_SRT_DATAGRAMS; i++) {

        iov.iov_base = buf;
        iov.iov_len = sizeof(buf);

        ngx_memzero(&msg, sizeof(struct msghdr));
        msg.msg_name = &sa;
        msg.msg_namelen = sizeof(ngx_sockaddr_t);
        msg.msg_iov = &iov;
        msg.msg_iovlen = 1;
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);

        n = recvmsg(lc->fd, &msg, 0);

        if (n == -1) {

            if (ngx_socket_errno == NGX_EAGAIN) {
                return;
            }

            /* of a datagram that could not be delivered, perhaps */

            continue;
        }

        if (ngx_srt_is_induction(buf, (size_t) n)) {
            ngx_srt_called(&msg, lc->listening, &to);
            ngx_srt_newcomer(lc->listening, &sa.sockaddr, msg.msg_namelen,
                             &to);
        }
    }

    /* edge-triggered: the rest after others had a turn */

    ngx_post_event(ev, &ngx_posted_next_events);
}


/* the address that a datagram was sent to; IPv4 is mapped */

static void
ngx_srt_called(struct msghdr *msg, ngx_listening_t *ls, struct in6_addr *to)
{
    struct cmsghdr      *cmsg;
    struct in_pktinfo    info;
    struct in6_pktinfo   info6;

    ngx_memzero(to, sizeof(struct in6_addr));

    for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {

        if (cmsg->cmsg_level == IPPROTO_IPV6
            && cmsg->cmsg_type == IPV6_PKTINFO)
        {
            ngx_memcpy(&info6, CMSG_DATA(cmsg), sizeof(info6));
            *to = info6.ipi6_addr;
            return;
        }

        if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
            ngx_memcpy(&info, CMSG_DATA(cmsg), sizeof(info));
            ngx_srt_mapped(to, &info.ipi_addr);
            return;
        }
    }
}


static void
ngx_srt_mapped(struct in6_addr *to, const void *in)
{
    ngx_memzero(to, sizeof(struct in6_addr));

    to->s6_addr[10] = 0xff;
    to->s6_addr[11] = 0xff;
    ngx_memcpy(&to->s6_addr[12], in, 4);
}


/* draft-sharabayko-srt-01, sections 3.2.1 and 4.3.1.1 */

static ngx_uint_t
ngx_srt_is_induction(const u_char *p, size_t n)
{
    return n >= NGX_SRT_HANDSHAKE
           && p[0] == 0x80 && p[1] == 0 && p[2] == 0 && p[3] == 0
           && p[12] == 0 && p[13] == 0 && p[14] == 0 && p[15] == 0
           && p[NGX_SRT_HEADER + 3] >= 4
           && p[NGX_SRT_HEADER + 20] == 0 && p[NGX_SRT_HEADER + 21] == 0
           && p[NGX_SRT_HEADER + 22] == 0
           && p[NGX_SRT_HEADER + 23] == NGX_SRT_INDUCTION;
}


static void
ngx_srt_newcomer(ngx_listening_t *ls, struct sockaddr *sa, socklen_t socklen,
    struct in6_addr *to)
{
    ngx_srt_peer_t  *peer;

    if (ngx_exiting || ngx_terminate) {
        return;
    }

    peer = NULL;

    if (ngx_srt_npending >= NGX_SRT_PENDING) {
        peer = ngx_srt_silent(ls, to);

        if (peer == NULL) {
            return;
        }
    }

    if (!ngx_srt_pending(sa, socklen)) {
        return;
    }

    if (peer == NULL) {
        peer = ngx_srt_kept(ls, to);
    }

    if (peer) {
        if (ngx_srt_again_for(peer, sa, socklen) != NGX_OK) {
            ngx_srt_peer_close(peer);
        }

        return;
    }

    peer = ngx_calloc(sizeof(ngx_srt_peer_t), ngx_cycle->log);

    if (peer == NULL) {
        return;
    }

    peer->listening = ls;
    peer->conf = ngx_srt_listen_conf(ls);
    peer->listener = SRT_INVALID_SOCK;
    peer->sock = SRT_INVALID_SOCK;
    peer->socklen = socklen;
    ngx_memcpy(&peer->sockaddr, sa, socklen);

    (void) pthread_cond_init(&peer->cond, NULL);

    ngx_queue_insert_tail(&ngx_srt_peers, &peer->queue);

    peer->timer.handler = ngx_srt_peer_timeout;
    peer->timer.data = peer;
    peer->timer.log = ngx_cycle->log;

    peer->fd = ngx_srt_socket(peer, to);
    peer->udp = peer->fd;

    if (peer->fd == (ngx_socket_t) -1
        || ngx_srt_peer_listen(peer) != NGX_OK)
    {
        ngx_srt_peer_close(peer);
        return;
    }

    ngx_srt_shake(peer);
}


static void
ngx_srt_shake(ngx_srt_peer_t *peer)
{
    peer->since = ngx_current_msec;
    peer->refused = 0;

    ngx_queue_insert_tail(&ngx_srt_shaking, &peer->shaking);
    ngx_srt_npending++;

    ngx_add_timer(&peer->timer, peer->conf->connect_timeout);
}


/* his handshake is over, if he is in one */

static void
ngx_srt_shaken(ngx_srt_peer_t *peer)
{
    if (peer->shaking.next == NULL) {
        return;
    }

    ngx_queue_remove(&peer->shaking);
    peer->shaking.next = NULL;
    ngx_srt_npending--;

    if (peer->timer.timer_set) {
        ngx_del_timer(&peer->timer);
    }
}


/* May one more of this address shake hands?  Not where he does already. */

static ngx_uint_t
ngx_srt_pending(struct sockaddr *sa, socklen_t socklen)
{
    ngx_uint_t       n;
    ngx_queue_t     *q;
    ngx_srt_peer_t  *peer;

    n = 0;

    for (q = ngx_queue_head(&ngx_srt_peers);
         q != ngx_queue_sentinel(&ngx_srt_peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_srt_peer_t, queue);

        if (ngx_cmp_sockaddr(&peer->sockaddr.sockaddr, peer->socklen, sa,
                             socklen, 1)
            == NGX_OK)
        {
            return 0;
        }

        if (peer->shaking.next
            && ngx_cmp_sockaddr(&peer->sockaddr.sockaddr, peer->socklen, sa,
                                socklen, 0)
               == NGX_OK
            && ++n == NGX_SRT_PENDING_ADDR)
        {
            return 0;
        }
    }

    return 1;
}


/* who has said nothing but his first word, the longest ago; or NULL */

static ngx_srt_peer_t *
ngx_srt_silent(ngx_listening_t *ls, struct in6_addr *to)
{
    ngx_queue_t     *q;
    ngx_srt_peer_t  *peer;

    for (q = ngx_queue_head(&ngx_srt_shaking);
         q != ngx_queue_sentinel(&ngx_srt_shaking);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_srt_peer_t, shaking);

        if (ngx_current_msec - peer->since < NGX_SRT_SILENT) {
            return NULL;
        }

        if (peer->session == NULL && !peer->refused
            && peer->listening == ls && !ngx_srt_waits(peer)
            && ngx_memcmp(&peer->called, to, sizeof(struct in6_addr)) == 0)
        {
            return peer;
        }
    }

    return NULL;
}


/* the listener that is kept for longest, of those that fit; or NULL */

static ngx_srt_peer_t *
ngx_srt_kept(ngx_listening_t *ls, struct in6_addr *to)
{
    ngx_queue_t     *q;
    ngx_srt_peer_t  *peer;

    for (q = ngx_queue_head(&ngx_srt_keeps);
         q != ngx_queue_sentinel(&ngx_srt_keeps);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_srt_peer_t, queue);

        if (ngx_current_msec - peer->since < NGX_SRT_KEPT_REST) {
            return NULL;
        }

        if (peer->listening == ls
            && ngx_memcmp(&peer->called, to, sizeof(struct in6_addr)) == 0)
        {
            ngx_queue_remove(&peer->queue);
            ngx_queue_insert_tail(&ngx_srt_peers, &peer->queue);
            ngx_srt_nkept--;

            return peer;
        }
    }

    return NULL;
}


/* for another caller, who has called the same address */

static ngx_int_t
ngx_srt_again_for(ngx_srt_peer_t *peer, struct sockaddr *sa,
    socklen_t socklen)
{
    ngx_int_t            rc;
    sigset_t             saved;
    SRTSOCKET            sock;
    struct sockaddr_in6  remote;

    rc = NGX_OK;

    if (peer->shaking.next) {
        ngx_srt_shaken(peer);

    } else {
        ngx_srt_block_signals(&saved);

        /* nobody has taken them, and nobody will */

        while ((sock = srt_accept(peer->listener, NULL, NULL))
               != SRT_INVALID_SOCK)
        {
            (void) srt_close(sock);
        }

        rc = ngx_srt_watch(peer, peer->listener,
                           SRT_EPOLL_IN|SRT_EPOLL_ERR);

        ngx_srt_restore_signals(&saved);
    }

    ngx_srt_remote(&remote, sa);

    if (rc != NGX_OK
        || ngx_srt_renew(peer, sa, socklen) != NGX_OK
        || connect(peer->udp, (struct sockaddr *) &remote,
                   sizeof(struct sockaddr_in6))
           == -1)
    {
        return NGX_ERROR;
    }

    ngx_srt_shake(peer);

    return NGX_OK;
}


/* as a socket of IPv6 wants it */

static void
ngx_srt_remote(struct sockaddr_in6 *remote, struct sockaddr *sa)
{
    struct sockaddr_in  *sin;

    if (sa->sa_family == AF_INET6) {
        *remote = *(struct sockaddr_in6 *) sa;
        return;
    }

    sin = (struct sockaddr_in *) sa;

    ngx_memzero(remote, sizeof(struct sockaddr_in6));

    remote->sin6_family = AF_INET6;
    remote->sin6_port = sin->sin_port;
    ngx_srt_mapped(&remote->sin6_addr, &sin->sin_addr);
}


static ngx_socket_t
ngx_srt_socket(ngx_srt_peer_t *peer, struct in6_addr *to)
{
    ngx_socket_t          fd;
    struct sockaddr_in6   local;

    fd = ngx_srt_connected(peer, &in6addr_any, &local);

    if (fd != (ngx_socket_t) -1
        && !IN6_IS_ADDR_UNSPECIFIED(to)
        && ngx_memcmp(&local.sin6_addr, to, sizeof(struct in6_addr)) != 0)
    {
        (void) close(fd);
        fd = ngx_srt_connected(peer, to, &local);
    }

    if (fd != (ngx_socket_t) -1) {
        ngx_srt_strays(fd);
        ngx_srt_local(peer, &local);
    }

    return fd;
}


static ngx_socket_t
ngx_srt_connected(ngx_srt_peer_t *peer, const struct in6_addr *from,
    struct sockaddr_in6 *local)
{
    int                   on, off;
    in_port_t             port;
    socklen_t             len;
    ngx_err_t             err;
    ngx_socket_t          fd;
    struct sockaddr_in6   remote;

    on = 1;
    off = 0;
    port = ngx_inet_get_port(peer->listening->sockaddr);

    ngx_srt_remote(&remote, &peer->sockaddr.sockaddr);
    ngx_memzero(local, sizeof(struct sockaddr_in6));

    local->sin6_family = AF_INET6;
    local->sin6_port = htons(port);
    local->sin6_addr = *from;

    /* of a link, where he is of one */

    local->sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(from) ? remote.sin6_scope_id
                                                       : 0;

    fd = socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC, 0);

    if (fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_socket_errno,
                      "socket() for an SRT caller failed, without IPv6 there "
                      "is no SRT");
        return fd;
    }

    len = sizeof(struct sockaddr_in6);

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int)) != -1
        && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(int)) != -1
        && ngx_srt_filter(fd) == NGX_OK
        && bind(fd, (struct sockaddr *) local, len) != -1
        && connect(fd, (struct sockaddr *) &remote, len) != -1
        && getsockname(fd, (struct sockaddr *) local, &len) != -1)
    {
        return fd;
    }

    err = ngx_socket_errno;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                  "a socket for an SRT caller at port %d failed%s",
                  (int) port,
                  (err == NGX_EACCES) ? ", workers may not bind this port: "
                                        "listen on one from 1024 up"
                                      : "");
    (void) close(fd);

    return (ngx_socket_t) -1;
}


/* from before connect(); of its own peer too, who repeats what he said */

static void
ngx_srt_strays(ngx_socket_t fd)
{
    u_char      c;
    ngx_uint_t  i;

    for (i = 0; i < NGX_SRT_STRAYS; i++) {

        if (recv(fd, &c, 1, MSG_DONTWAIT|MSG_TRUNC) == -1
            && ngx_socket_errno == NGX_EAGAIN)
        {
            return;
        }
    }
}


/* the address that was called, of the listener's family */

static void
ngx_srt_local(ngx_srt_peer_t *peer, struct sockaddr_in6 *sin6)
{
    struct sockaddr_in  *sin;

    peer->called = sin6->sin6_addr;

    if (peer->listening->sockaddr->sa_family == AF_INET6) {
        peer->local.sockaddr_in6 = *sin6;
        peer->local_len = sizeof(struct sockaddr_in6);
        return;
    }

    sin = &peer->local.sockaddr_in;

    ngx_memzero(sin, sizeof(struct sockaddr_in));

    sin->sin_family = AF_INET;
    sin->sin_port = sin6->sin6_port;
    ngx_memcpy(&sin->sin_addr, &sin6->sin6_addr.s6_addr[12], 4);

    peer->local_len = sizeof(struct sockaddr_in);
}


/* libsrt listens on its socket, for one caller */

static ngx_int_t
ngx_srt_peer_listen(ngx_srt_peer_t *peer)
{
    sigset_t   saved;
    SRTSOCKET  sock;

    ngx_srt_block_signals(&saved);

    sock = srt_create_socket();
    peer->listener = sock;

    if (sock == SRT_INVALID_SOCK
        || ngx_srt_options(sock, peer->conf) != NGX_OK
        || srt_bind_acquire(sock, peer->fd) == SRT_ERROR)
    {
        goto failed;
    }

    peer->fd = (ngx_socket_t) -1;

    if (srt_listen_callback(sock, ngx_srt_callback, peer) == SRT_ERROR
        || srt_listen(sock, 1) == SRT_ERROR
        || ngx_srt_watch(peer, sock, SRT_EPOLL_IN|SRT_EPOLL_ERR) != NGX_OK)
    {
        goto failed;
    }

    ngx_srt_restore_signals(&saved);

    return NGX_OK;

failed:

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "libsrt takes no SRT caller: %s", srt_getlasterror_str());

    /* it is of no use for anybody else */

    if (sock != SRT_INVALID_SOCK) {
        (void) srt_close(sock);
        peer->listener = SRT_INVALID_SOCK;
    }

    ngx_srt_restore_signals(&saved);

    return NGX_ERROR;
}


/* a thread of libsrt, see ngx_srt.h */

static int
ngx_srt_callback(void *data, SRTSOCKET sock, int version,
    const struct sockaddr *sa, const char *id)
{
    ngx_srt_peer_t *peer = data;

    int  code;

    code = (version < 5) ? SRT_REJX_VERSION
                         : ngx_srt_ask(peer, sock, sa, id ? id : "");

    if (code) {
        (void) srt_setrejectreason(sock, code);
        return -1;
    }

    return 0;
}


void
ngx_srt_peer_event(ngx_srt_peer_t *peer, ngx_uint_t told)
{
    if (peer->session && peer->session->call) {
        ngx_srt_call_event(peer->session->call);
        return;
    }

    if ((told & NGX_SRT_WANTS) && peer->session == NULL
        && ngx_srt_waits(peer))
    {
        ngx_srt_session_begin(peer);
        return;
    }

    if (!(told & NGX_SRT_READY)) {
        return;
    }

    if (peer->sock == SRT_INVALID_SOCK) {
        ngx_srt_peer_accept(peer);
        return;
    }

    if (peer->session) {
        ngx_srt_session_event(peer->session);
    }
}


static void
ngx_srt_peer_accept(ngx_srt_peer_t *peer)
{
    sigset_t   saved;
    SRTSOCKET  sock;

    ngx_srt_block_signals(&saved);

    sock = srt_accept(peer->listener, NULL, NULL);

    if (sock == SRT_INVALID_SOCK) {
        ngx_srt_restore_signals(&saved);
        return;
    }

    ngx_srt_unwatch(peer->listener);

    ngx_srt_restore_signals(&saved);

    peer->sock = sock;

    ngx_srt_shaken(peer);

    /* who has not got our last answer asks for it until his time is over */

    peer->late.handler = ngx_srt_peer_late;
    peer->late.data = peer;
    peer->late.log = ngx_cycle->log;
    peer->late.cancelable = 1;

    ngx_add_timer(&peer->late, ngx_max(peer->conf->connect_timeout,
                                       NGX_SRT_LATE));

    if (peer->session == NULL
        || ngx_srt_watch(peer, sock, SRT_EPOLL_IN|SRT_EPOLL_OUT|SRT_EPOLL_ERR)
           != NGX_OK)
    {
        ngx_srt_peer_close(peer);
        return;
    }

    ngx_srt_session_accepted(peer->session);
}


static void
ngx_srt_peer_late(ngx_event_t *ev)
{
    ngx_srt_deaf(ev->data);
}


static void
ngx_srt_peer_timeout(ngx_event_t *ev)
{
    ngx_srt_peer_t *peer = ev->data;

    if (!peer->refused) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "SRT caller did not end its handshake");
    }

    ngx_srt_peer_close(peer);
}


/* libsrt tells the caller, and once more where he asks again */

void
ngx_srt_peer_refuse(ngx_srt_peer_t *peer, int code)
{
    ngx_srt_answer(peer, code);

    if (peer->timer.timer_set) {
        peer->refused = 1;
        ngx_add_timer(&peer->timer, NGX_SRT_REFUSED);
    }
}


/* its session goes with it */

void
ngx_srt_peer_close(ngx_srt_peer_t *peer)
{
    sigset_t            saved;
    ngx_srt_session_t  *s;

    s = peer->session;
    peer->session = NULL;

    if (s) {
        s->peer = NULL;
        ngx_srt_session_close(s, NGX_STREAM_OK);
    }

    ngx_srt_shaken(peer);

    if (peer->late.timer_set) {
        ngx_del_timer(&peer->late);
    }

    if (peer->link) {
        *peer->link = NULL;
        peer->link = NULL;
    }

    ngx_srt_block_signals(&saved);

    /* the order matters, see ngx_srt.h */

    if (peer->sock != SRT_INVALID_SOCK) {
        ngx_srt_unwatch(peer->sock);

    } else if (peer->listener != SRT_INVALID_SOCK) {
        ngx_srt_unwatch(peer->listener);
    }

    ngx_srt_forget(peer);

    if (peer->sock != SRT_INVALID_SOCK) {
        (void) srt_close(peer->sock);
        peer->sock = SRT_INVALID_SOCK;
    }

    ngx_srt_restore_signals(&saved);

    if (ngx_srt_keep(peer) != NGX_OK) {
        ngx_srt_peer_free(peer);
    }
}


/*
 * It goes on as a listener without a caller, connected to where nobody is.
 * The address that it speaks from stays.
 */

static ngx_int_t
ngx_srt_keep(ngx_srt_peer_t *peer)
{
    struct sockaddr_in6  remote;

    if (ngx_exiting || ngx_terminate || ngx_quit
        || peer->listener == SRT_INVALID_SOCK
        || peer->fd != (ngx_socket_t) -1
        || ngx_srt_nkept >= NGX_SRT_KEPT
        || IN6_IS_ADDR_LINKLOCAL(&peer->called))
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&remote, sizeof(struct sockaddr_in6));

    remote.sin6_family = AF_INET6;
    remote.sin6_port = htons(1);
    remote.sin6_addr = peer->called;

    if (connect(peer->udp, (struct sockaddr *) &remote,
                sizeof(struct sockaddr_in6))
        == -1)
    {
        return NGX_DECLINED;
    }

    peer->since = ngx_current_msec;

    ngx_queue_remove(&peer->queue);
    ngx_queue_insert_tail(&ngx_srt_keeps, &peer->queue);
    ngx_srt_nkept++;

    if (!ngx_srt_keep_event.timer_set) {
        ngx_add_timer(&ngx_srt_keep_event, NGX_SRT_KEPT_TICK);
    }

    return NGX_OK;
}


static void
ngx_srt_keep_timer(ngx_event_t *ev)
{
    ngx_uint_t       i;
    ngx_queue_t     *q;
    ngx_srt_peer_t  *peer;

    for (i = 0; i < NGX_SRT_KEPT_CLOSE; i++) {

        if (ngx_queue_empty(&ngx_srt_keeps)) {
            return;
        }

        q = ngx_queue_head(&ngx_srt_keeps);
        peer = ngx_queue_data(q, ngx_srt_peer_t, queue);

        if (ngx_current_msec - peer->since < 2 * NGX_SRT_KEPT_REST) {
            break;
        }

        ngx_srt_nkept--;
        ngx_srt_peer_free(peer);
    }

    ngx_add_timer(ev, NGX_SRT_KEPT_TICK);
}


static void
ngx_srt_peer_free(ngx_srt_peer_t *peer)
{
    sigset_t  saved;

    if (peer->listener != SRT_INVALID_SOCK) {
        ngx_srt_block_signals(&saved);
        (void) srt_close(peer->listener);
        ngx_srt_restore_signals(&saved);
    }

    if (peer->fd != (ngx_socket_t) -1) {
        (void) close(peer->fd);
    }

    ngx_queue_remove(&peer->queue);
    (void) pthread_cond_destroy(&peer->cond);
    ngx_free(peer);
}


/* of the core nothing is left: only libsrt's part of them is ended */

void
ngx_srt_listen_exit(void)
{
    ngx_queue_t     *q;
    ngx_srt_peer_t  *peer;

    while (ngx_srt_peers.next && !ngx_queue_empty(&ngx_srt_peers)) {
        q = ngx_queue_head(&ngx_srt_peers);
        peer = ngx_queue_data(q, ngx_srt_peer_t, queue);

        if (peer->session) {
            peer->session->peer = NULL;
            peer->session = NULL;
        }

        ngx_srt_peer_close(peer);
    }

    while (ngx_srt_keeps.next && !ngx_queue_empty(&ngx_srt_keeps)) {
        q = ngx_queue_head(&ngx_srt_keeps);
        ngx_srt_peer_free(ngx_queue_data(q, ngx_srt_peer_t, queue));
    }

    ngx_srt_lib_exit();
}
