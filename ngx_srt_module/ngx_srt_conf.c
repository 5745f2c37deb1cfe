
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: what srt { } says is checked, and told to libsrt.
 *
 * Checks that need the whole of stream{} run when it is read: a server with
 * srt { } must listen on UDP with reuseport, so that each worker has a socket
 * of its own, and nobody else may share that socket.  They say file and line
 * of the block, and what to write instead.
 *
 * Options are set on the socket that waits for a caller, before it gets its
 * UDP socket; the one that is accepted inherits them.
 */


#include "ngx_srt.h"


#define NGX_SRT_FC               25600     /* packets; libsrt's own */
#define NGX_SRT_UDP_HEADER       28        /* IPv4 and UDP, as in mss */

#define NGX_SRT_UNPRIVILEGED                                                  \
    "/proc/sys/net/ipv4/ip_unprivileged_port_start"


#if (nginx_version >= 1025005)
typedef ngx_stream_listen_opt_t  ngx_srt_listen_t;
#else
typedef ngx_stream_listen_t      ngx_srt_listen_t;
#endif


typedef struct {
    ngx_conf_t                *cf;
    ngx_srt_srv_conf_t        *conf;       /* of the server that is checked */
    ngx_uint_t                 found;      /* listen directives */
} ngx_srt_check_t;


static ngx_int_t ngx_srt_check_server(ngx_conf_t *cf,
    ngx_stream_core_srv_conf_t *cscf, ngx_srt_srv_conf_t *conf);
static ngx_int_t ngx_srt_check_listen(ngx_srt_check_t *check,
    ngx_srt_listen_t *ls);
static void ngx_srt_check_port(ngx_srt_check_t *check,
    ngx_srt_listen_t *ls);
static in_port_t ngx_srt_unprivileged_port(void);
static ngx_int_t ngx_srt_check_alone(ngx_srt_check_t *check,
    ngx_srt_listen_t *ls, ngx_srt_listen_t *other,
    ngx_stream_core_srv_conf_t *cscf);
static ngx_int_t ngx_srt_check_listens(ngx_srt_check_t *check,
    ngx_stream_core_srv_conf_t *cscf);
static int ngx_srt_flow_window(ngx_srt_srv_conf_t *conf);


/* --- directives ---------------------------------------------------------- */

/* -1, 0, or bytes a second */

char *
ngx_srt_conf_maxbw(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_srt_srv_conf_t *sscf = conf;

    off_t       size;
    ngx_str_t  *value;

    if (sscf->maxbw != NGX_SRT_MAXBW_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "-1") == 0) {
        sscf->maxbw = -1;
        return NGX_CONF_OK;
    }

    size = ngx_parse_offset(&value[1]);

    if (size == (off_t) NGX_ERROR || (size > 0 && size < NGX_SRT_MAXBW_MIN)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in \"maxbw\" is none, write -1 (no limit), "
                           "0 (by what the stream needs), or bytes a second "
                           "from 16k, for example 2m", &value[1]);
        return NGX_CONF_ERROR;
    }

    sscf->maxbw = size;

    return NGX_CONF_OK;
}


char *
ngx_srt_conf_passphrase(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_srt_srv_conf_t *sscf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_stream_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (sscf->passphrase->lengths) {
        return NGX_CONF_OK;
    }

    /* a constant */

    value = &sscf->passphrase->value;

    if (value->len < NGX_SRT_PASSPHRASE_MIN
        || value->len > NGX_SRT_PASSPHRASE_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"passphrase\" has %uz characters, write one of "
                           "10 to 79, or leave it out", value->len);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* --- checks -------------------------------------------------------------- */

ngx_int_t
ngx_srt_conf_check(ngx_conf_t *cf)
{
    ngx_uint_t                     i;
    ngx_srt_srv_conf_t            *conf;
    ngx_stream_core_srv_conf_t   **servers;
    ngx_stream_core_main_conf_t   *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);
    servers = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        conf = servers[i]->ctx->srv_conf[ngx_srt_module.ctx_index];

        if (conf->file
            && ngx_srt_check_server(cf, servers[i], conf) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_srt_check_server(ngx_conf_t *cf, ngx_stream_core_srv_conf_t *cscf,
    ngx_srt_srv_conf_t *conf)
{
    ngx_srt_check_t  check;

    if (cscf->handler != ngx_srt_handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"srt\" in %s:%ui stands beside another content "
                      "handler, put one of them into a server of its own",
                      conf->file, conf->line);
        return NGX_ERROR;
    }

    if (conf->passphrase == NULL && conf->pbkeylen) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"pbkeylen\" in \"srt\" in %s:%ui is of no use without "
                      "\"passphrase\"", conf->file, conf->line);
    }

    check.cf = cf;
    check.conf = conf;
    check.found = 0;

    return ngx_srt_check_listens(&check, cscf);
}


static ngx_int_t
ngx_srt_check_listen(ngx_srt_check_t *check, ngx_srt_listen_t *ls)
{
    const char  *what;

    check->found++;

    if (ls->type != SOCK_DGRAM) {
        what = "needs UDP, write \"udp reuseport\" in";

    } else if (ls->sockaddr->sa_family != AF_INET
#if (NGX_HAVE_INET6)
               && ls->sockaddr->sa_family != AF_INET6
#endif
              )
    {
        what = "needs an IP address and a port in";

    } else if (!ls->reuseport) {
        what = "needs a socket for each worker, add \"reuseport\" to";

    } else if (ls->ssl) {
        what = "has encryption of its own (\"passphrase\"), take \"ssl\" out "
               "of";

    } else if (ls->proxy_protocol) {
        what = "can not read the PROXY protocol, take \"proxy_protocol\" out "
               "of";

    } else {
        ngx_srt_check_port(check, ls);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                  "\"srt\" in %s:%ui %s the \"listen\" directive of %V",
                  check->conf->file, check->conf->line, what, &ls->addr_text);

    return NGX_ERROR;
}


/* the sockets of callers are bound by workers */

static void
ngx_srt_check_port(ngx_srt_check_t *check, ngx_srt_listen_t *ls)
{
    in_port_t         port;
    ngx_core_conf_t  *ccf;

    port = ngx_inet_get_port(ls->sockaddr);
    ccf = (ngx_core_conf_t *) ngx_get_conf(check->cf->cycle->conf_ctx,
                                           ngx_core_module);

    if (port >= 1024 || port >= ngx_srt_unprivileged_port()
        || geteuid() != 0 || ccf->user == 0)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, check->cf->log, 0,
                  "\"srt\" in %s:%ui listens on port %d, where workers may "
                  "not open the sockets of callers, unless they have "
                  "CAP_NET_BIND_SERVICE: listen on a port from 1024 up, or "
                  "set net.ipv4.ip_unprivileged_port_start",
                  check->conf->file, check->conf->line, (int) port);
}


static in_port_t
ngx_srt_unprivileged_port(void)
{
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_int_t  port;
    u_char     buf[NGX_INT_T_LEN];

    fd = ngx_open_file((u_char *) NGX_SRT_UNPRIVILEGED, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return 1024;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));
    (void) ngx_close_file(fd);

    if (n <= 0) {
        return 1024;
    }

    port = ngx_atoi(buf, (size_t) n - (buf[n - 1] == LF));

    return (port < 0 || port > 65535) ? 1024 : (in_port_t) port;
}


/* nobody else has the socket that ls is going to be */

static ngx_int_t
ngx_srt_check_alone(ngx_srt_check_t *check, ngx_srt_listen_t *ls,
    ngx_srt_listen_t *other, ngx_stream_core_srv_conf_t *cscf)
{
    if (other->type != SOCK_DGRAM
        || other->sockaddr->sa_family != ls->sockaddr->sa_family
        || ngx_inet_get_port(other->sockaddr)
           != ngx_inet_get_port(ls->sockaddr))
    {
        return NGX_OK;
    }

    if (ngx_cmp_sockaddr(other->sockaddr, other->socklen, ls->sockaddr,
                         ls->socklen, 1)
        != NGX_OK
        && (!ls->wildcard || other->bind))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                  "\"srt\" in %s:%ui listens on %V, and the server in %s:%ui "
                  "on %V, by the same socket: give one of them another port",
                  check->conf->file, check->conf->line, &ls->addr_text,
                  cscf->file_name, cscf->line, &other->addr_text);

    return NGX_ERROR;
}


#if (nginx_version >= 1025005)

static ngx_uint_t
ngx_srt_addr_has(ngx_stream_conf_addr_t *addr,
    ngx_stream_core_srv_conf_t *cscf)
{
    ngx_uint_t                    i;
    ngx_stream_core_srv_conf_t  **servers;

    servers = addr->servers.elts;

    for (i = 0; i < addr->servers.nelts; i++) {
        if (servers[i] == cscf) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_srt_check_addr(ngx_srt_check_t *check, ngx_stream_conf_port_t *port,
    ngx_stream_conf_addr_t *addr, ngx_stream_core_srv_conf_t *cscf)
{
    ngx_uint_t                    i, j;
    ngx_stream_conf_addr_t       *other;
    ngx_stream_core_srv_conf_t  **servers;

    if (ngx_srt_check_listen(check, &addr->opt) != NGX_OK) {
        return NGX_ERROR;
    }

    other = port->addrs.elts;

    for (i = 0; i < port->addrs.nelts; i++) {
        servers = other[i].servers.elts;

        for (j = 0; j < other[i].servers.nelts; j++) {

            if (servers[j] != cscf
                && ngx_srt_check_alone(check, &addr->opt, &other[i].opt,
                                       servers[j])
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_srt_check_listens(ngx_srt_check_t *check,
    ngx_stream_core_srv_conf_t *cscf)
{
    ngx_uint_t                    i, j;
    ngx_stream_conf_port_t       *port;
    ngx_stream_conf_addr_t       *addr;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(check->cf,
                                                ngx_stream_core_module);
    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {
        addr = port[i].addrs.elts;

        for (j = 0; j < port[i].addrs.nelts; j++) {

            if (ngx_srt_addr_has(&addr[j], cscf)
                && ngx_srt_check_addr(check, &port[i], &addr[j], cscf)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}

#else

static ngx_stream_core_srv_conf_t *
ngx_srt_listen_server(ngx_srt_listen_t *ls)
{
    return ls->ctx->srv_conf[ngx_stream_core_module.ctx_index];
}


static ngx_int_t
ngx_srt_check_listens(ngx_srt_check_t *check,
    ngx_stream_core_srv_conf_t *cscf)
{
    ngx_uint_t                    i, j;
    ngx_srt_listen_t             *ls;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(check->cf,
                                                ngx_stream_core_module);
    ls = cmcf->listen.elts;

    for (i = 0; i < cmcf->listen.nelts; i++) {

        if (ls[i].ctx != cscf->ctx) {
            continue;
        }

        if (ngx_srt_check_listen(check, &ls[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        for (j = 0; j < cmcf->listen.nelts; j++) {

            if (ls[j].ctx != cscf->ctx
                && ngx_srt_check_alone(check, &ls[i], &ls[j],
                                       ngx_srt_listen_server(&ls[j]))
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}

#endif


/* --- options ------------------------------------------------------------- */

/* NGX_OK or NGX_ERROR, which libsrt explains (srt_getlasterror_str()) */

ngx_int_t
ngx_srt_options(SRTSOCKET sock, ngx_srt_srv_conf_t *conf)
{
    int            mss, fc, sendbuf, recvbuf, latency, idle, drop, no,
                   pbkeylen;
    int64_t        maxbw;
    ngx_uint_t     i;
    struct linger  linger;

    const struct {
        SRT_SOCKOPT   name;
        const void   *value;
        int           len;
        int           set;
    } options[] = {
        { SRTO_RCVSYN, &no, sizeof(int), 1 },
        { SRTO_SNDSYN, &no, sizeof(int), 1 },
        { SRTO_LINGER, &linger, sizeof(struct linger), 1 },
        { SRTO_MSS, &mss, sizeof(int), 1 },
        { SRTO_FC, &fc, sizeof(int), 1 },
        { SRTO_SNDBUF, &sendbuf, sizeof(int), conf->sendbuf > 0 },
        { SRTO_RCVBUF, &recvbuf, sizeof(int), conf->recvbuf > 0 },
        { SRTO_MAXBW, &maxbw, sizeof(int64_t), 1 },
        { SRTO_LATENCY, &latency, sizeof(int), 1 },
        { SRTO_TLPKTDROP, &drop, sizeof(int), 1 },
        { SRTO_PEERIDLETIMEO, &idle, sizeof(int), 1 },

        /* callers that want none take what the listener says */

        { SRTO_PBKEYLEN, &pbkeylen, sizeof(int), conf->passphrase != NULL }
    };

    no = 0;
    ngx_memzero(&linger, sizeof(struct linger));
    mss = (int) conf->mss;
    fc = ngx_srt_flow_window(conf);
    sendbuf = (int) conf->sendbuf;
    recvbuf = (int) conf->recvbuf;
    maxbw = conf->maxbw;
    latency = (int) conf->latency;
    drop = conf->tlpktdrop ? 1 : 0;
    idle = (int) conf->idle_timeout;
    pbkeylen = (int) conf->pbkeylen;

    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {

        if (options[i].set
            && srt_setsockflag(sock, options[i].name, options[i].value,
                               options[i].len)
               == SRT_ERROR)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* packets on their way: libsrt cuts a receive buffer to it */

static int
ngx_srt_flow_window(ngx_srt_srv_conf_t *conf)
{
    size_t  size, packets;

    size = ngx_max(conf->sendbuf, conf->recvbuf);
    packets = size / ((size_t) conf->mss - NGX_SRT_UDP_HEADER) + 1;

    return (int) ngx_max(packets, NGX_SRT_FC);
}


/* what both ends have agreed on */

void
ngx_srt_options_log(ngx_srt_session_t *s)
{
#if (NGX_DEBUG)
    int          value[9], len;
    int64_t      maxbw;
    ngx_log_t   *log;
    ngx_str_t    name;
    SRTSOCKET    sock;
    ngx_uint_t   i;
    char         filter[512];

    static const SRT_SOCKOPT  names[] = {
        SRTO_MSS, SRTO_FC, SRTO_SNDBUF, SRTO_RCVBUF, SRTO_RCVLATENCY,
        SRTO_PEERLATENCY, SRTO_PEERIDLETIMEO, SRTO_PBKEYLEN, SRTO_RCVKMSTATE
    };

    log = s->connection->log;

    if (!(log->log_level & NGX_LOG_DEBUG_STREAM)) {
        return;
    }

    sock = s->peer->sock;
    name = ngx_media_session_text(&s->media, NGX_MEDIA_TEXT_STREAM);

    for (i = 0; i < 9; i++) {
        value[i] = -1;
        len = sizeof(int);
        (void) srt_getsockflag(sock, names[i], &value[i], &len);
    }

    maxbw = 0;
    len = sizeof(int64_t);
    (void) srt_getsockflag(sock, SRTO_MAXBW, &maxbw, &len);

    filter[0] = '\0';
    len = sizeof(filter);
    (void) srt_getsockflag(sock, SRTO_PACKETFILTER, filter, &len);

    ngx_log_debug8(NGX_LOG_DEBUG_STREAM, log, 0,
                   "srt options of \"%V\": mss:%d fc:%d sendbuf:%d "
                   "recvbuf:%d latency:%d,%d idle:%d",
                   &name, value[0], value[1], value[2], value[3], value[4],
                   value[5], value[6]);

    ngx_log_debug5(NGX_LOG_DEBUG_STREAM, log, 0,
                   "srt options of \"%V\": pbkeylen:%d kmstate:%d maxbw:%L "
                   "filter:%s",
                   &name, value[7], value[8], maxbw, filter);
#endif
}
