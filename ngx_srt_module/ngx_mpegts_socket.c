
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: options of the UDP sockets of mpegts { }, and multicast groups.
 *
 * The receive buffer is set by the master, who may go beyond net.core.rmem_max.
 * Groups are joined by the worker that reads, and again from time to time: an
 * interface may go and come back, and the socket, which outlives all workers,
 * knows by itself what it has joined already.
 *
 * RFC 3678 5.1.
 */


#include "ngx_mpegts.h"

#include <ifaddrs.h>
#include <net/if.h>

#if (NGX_LINUX)
#include <linux/sock_diag.h>
#endif


static ngx_int_t ngx_mpegts_socket_interface(ngx_str_t *name,
    uint32_t *index);
static ngx_uint_t ngx_mpegts_socket_named(struct sockaddr *sa,
    ngx_str_t *name);
static ngx_int_t ngx_mpegts_socket_group(ngx_mpegts_port_t *port,
    uint32_t index, ngx_addr_t *source);
static void ngx_mpegts_socket_only(ngx_mpegts_port_t *port);


void
ngx_mpegts_socket_init(ngx_listening_t *ls, ngx_mpegts_srv_conf_t *conf,
    ngx_log_t *log)
{
    int        size, has;
    socklen_t  len;

    size = (int) conf->recvbuf;

#ifdef SO_RCVBUFFORCE
    if (setsockopt(ls->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(int))
        == 0)
    {
        return;
    }
#endif

    (void) setsockopt(ls->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(int));

    has = 0;
    len = sizeof(int);

    if (getsockopt(ls->fd, SOL_SOCKET, SO_RCVBUF, &has, &len) == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_socket_errno,
                      "getsockopt(SO_RCVBUF) of %V failed", &ls->addr_text);
        return;
    }

    /* Linux gives and tells twice as much, for its own needs */

    if (has / 2 < size) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "\"recvbuf\" of %V is %d bytes, not %d: raise "
                      "net.core.rmem_max", &ls->addr_text, has / 2, size);
    }
}


ngx_uint_t
ngx_mpegts_multicast(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;

    if (sa->sa_family == AF_INET6) {
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_MULTICAST(&sin6->sin6_addr);
    }
#endif

    if (sa->sa_family != AF_INET) {
        return 0;
    }

    sin = (struct sockaddr_in *) sa;

    return IN_MULTICAST(ntohl(sin->sin_addr.s_addr));
}


void
ngx_mpegts_socket_join(ngx_mpegts_port_t *port)
{
    uint32_t     index;
    ngx_int_t    rc;
    ngx_err_t    err;
    ngx_uint_t   i;
    ngx_addr_t  *addr;

    port->joined = ngx_current_msec;

    if (!ngx_mpegts_multicast(port->listening->sockaddr)) {
        return;
    }

    index = 0;

    if (port->conf->interface.len) {
        rc = ngx_mpegts_socket_interface(&port->conf->interface, &index);

    } else {
        rc = NGX_OK;
    }

    if (rc == NGX_OK) {
        ngx_mpegts_socket_only(port);

        if (port->conf->sources == NULL) {
            rc = ngx_mpegts_socket_group(port, index, NULL);

        } else {
            addr = port->conf->sources->elts;

            for (i = 0; i < port->conf->sources->nelts && rc == NGX_OK; i++) {
                rc = ngx_mpegts_socket_group(port, index, &addr[i]);
            }
        }
    }

    err = (rc == NGX_OK) ? 0 : ngx_socket_errno;

    if (err != port->join_error) {
        port->join_error = err;

        if (err) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                          "multicast group %V can not be joined on interface "
                          "\"%V\", tried again every 5 seconds",
                          &port->listening->addr_text,
                          &port->conf->interface);

        } else {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "multicast group %V was joined",
                          &port->listening->addr_text);
        }
    }
}


/* a name, or an address that it has; errno is set where there is none */

static ngx_int_t
ngx_mpegts_socket_interface(ngx_str_t *name, uint32_t *index)
{
    char             text[IF_NAMESIZE];
    ngx_int_t        rc;
    struct ifaddrs  *list, *ifa;

    if (name->len < IF_NAMESIZE) {
        ngx_memcpy(text, name->data, name->len);
        text[name->len] = '\0';

        *index = if_nametoindex(text);

        if (*index) {
            return NGX_OK;
        }
    }

    if (getifaddrs(&list) == -1) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    for (ifa = list; ifa && rc != NGX_OK; ifa = ifa->ifa_next) {

        if (ifa->ifa_addr && ngx_mpegts_socket_named(ifa->ifa_addr, name)) {
            *index = if_nametoindex(ifa->ifa_name);
            rc = *index ? NGX_OK : NGX_ERROR;
        }
    }

    freeifaddrs(list);

    ngx_set_errno(ENODEV);

    return rc;
}


static ngx_uint_t
ngx_mpegts_socket_named(struct sockaddr *sa, ngx_str_t *name)
{
    size_t     len;
    socklen_t  socklen;
    u_char     text[NGX_SOCKADDR_STRLEN];

    if (sa->sa_family == AF_INET) {
        socklen = sizeof(struct sockaddr_in);

#if (NGX_HAVE_INET6)
    } else if (sa->sa_family == AF_INET6) {
        socklen = sizeof(struct sockaddr_in6);
#endif

    } else {
        return 0;
    }

    len = ngx_sock_ntop(sa, socklen, text, NGX_SOCKADDR_STRLEN, 0);

    /* IPv6 addresses are written between brackets */

    if (len > 2 && text[0] == '[' && name->data[0] != '[') {
        return len - 2 == name->len
               && ngx_strncmp(text + 1, name->data, len - 2) == 0;
    }

    return len == name->len && ngx_strncmp(text, name->data, len) == 0;
}


static ngx_int_t
ngx_mpegts_socket_group(ngx_mpegts_port_t *port, uint32_t index,
    ngx_addr_t *source)
{
    int                       rc, level;
    struct group_req          any;
    struct group_source_req   one;

    level = port->listening->sockaddr->sa_family == AF_INET ? IPPROTO_IP
                                                            : IPPROTO_IPV6;
    if (source == NULL) {
        ngx_memzero(&any, sizeof(struct group_req));

        any.gr_interface = index;
        ngx_memcpy(&any.gr_group, port->listening->sockaddr,
                   port->listening->socklen);

        rc = setsockopt(port->fd, level, MCAST_JOIN_GROUP, &any,
                        sizeof(struct group_req));

    } else {
        ngx_memzero(&one, sizeof(struct group_source_req));

        one.gsr_interface = index;
        ngx_memcpy(&one.gsr_group, port->listening->sockaddr,
                   port->listening->socklen);
        ngx_memcpy(&one.gsr_source, source->sockaddr, source->socklen);

        rc = setsockopt(port->fd, level, MCAST_JOIN_SOURCE_GROUP, &one,
                        sizeof(struct group_source_req));
    }

    if (rc == 0 || ngx_socket_errno == NGX_EADDRINUSE
        || (source && ngx_socket_errno == EADDRNOTAVAIL))
    {
        return NGX_OK;
    }

    return NGX_ERROR;
}


/* what others of this host have joined is not for us */

static void
ngx_mpegts_socket_only(ngx_mpegts_port_t *port)
{
    int  no;

    no = 0;

    if (port->listening->sockaddr->sa_family == AF_INET) {
#ifdef IP_MULTICAST_ALL
        (void) setsockopt(port->fd, IPPROTO_IP, IP_MULTICAST_ALL, &no,
                          sizeof(int));
#endif

    } else {
#ifdef IPV6_MULTICAST_ALL
        (void) setsockopt(port->fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &no,
                          sizeof(int));
#endif
    }
}


uint32_t
ngx_mpegts_socket_drops(ngx_socket_t fd)
{
#ifdef SO_MEMINFO

    uint32_t   info[SK_MEMINFO_VARS];
    socklen_t  len;

    len = sizeof(info);
    ngx_memzero(info, sizeof(info));

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0) {
        return info[SK_MEMINFO_DROPS];
    }

#endif

    return 0;
}
