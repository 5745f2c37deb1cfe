
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: MPEG-TS over UDP (raw or RTP, unicast or multicast) and over TCP.
 * Private hub of
 *
 *   ngx_mpegts_module.c    directives, what nginx -t refuses
 *   ngx_mpegts_listen.c    the UDP sockets: which worker reads them
 *   ngx_mpegts_sender.c    datagrams: of whom, and who is let in
 *   ngx_mpegts_socket.c    options of the sockets, multicast groups
 *   ngx_mpegts_session.c   life of a publisher, from both
 *
 * All workers have the UDP socket, as nginx gives it to them; the one with the
 * claim (ngx_media_claim()) reads it, through a descriptor of its own, the
 * others have it in no event loop and try to claim it.  Who shuts down gives
 * it back when nobody publishes there.  What nobody reads waits in the socket.
 *
 * The first sender with TS in his datagrams becomes a connection of nginx, on
 * which the phases of stream{} run up to our content handler, and publishes.
 * Meanwhile the socket is not read.  There is one publisher for a socket.
 *
 * Ownership: ports live as long as the worker, sessions as their connection.
 */


#ifndef _NGX_MPEGTS_H_INCLUDED_
#define _NGX_MPEGTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>

#include "ngx_media.h"
#include "ngx_media_rc.h"
#include "ngx_media_rtp_ts.h"
#include "ngx_media_ts_input.h"


#define NGX_MPEGTS_CONF           0x40000000   /* inside mpegts { } */

#define NGX_MPEGTS_REFUSED        8            /* senders a port remembers */

#define NGX_MPEGTS_RTP_AUTO       0
#define NGX_MPEGTS_RTP_ON         1
#define NGX_MPEGTS_RTP_OFF        2


typedef struct {
    ngx_stream_complex_value_t  *publish;
    ngx_str_t                 interface;
    ngx_array_t              *sources;         /* ngx_addr_t, or NULL */
    size_t                    recvbuf;
    ngx_msec_t                timeout;
    ngx_uint_t                rtp;

    u_char                   *file;            /* NULL: no mpegts { } */
    ngx_uint_t                line;
} ngx_mpegts_srv_conf_t;


typedef struct ngx_mpegts_session_s  ngx_mpegts_session_t;
typedef struct ngx_mpegts_port_s     ngx_mpegts_port_t;


/* a sender who may not publish now */

typedef struct {
    ngx_sockaddr_t            sockaddr;
    socklen_t                 socklen;         /* 0: nobody */
    ngx_msec_t                until;
    ngx_msec_t                pause;           /* the last one */
} ngx_mpegts_refused_t;


struct ngx_mpegts_port_s {
    ngx_listening_t          *listening;
    ngx_mpegts_srv_conf_t    *conf;
    uint64_t                  key;             /* of the claim */
    ngx_socket_t              fd;              /* a duplicate; -1: given up */
    ngx_connection_t         *reader;          /* NULL: another worker reads */
    ngx_msec_t                joined;          /* tried last */
    ngx_err_t                 join_error;      /* logged last */

    uint32_t                  drops;           /* of the socket, seen last */
    uint64_t                  dropped;         /* datagrams, of this session */
    uint64_t                  dropped_logged;
    ngx_msec_t                second;          /* statistics were told */

    ngx_sockaddr_t            sockaddr;        /* of who is let in */
    socklen_t                 socklen;
    ngx_connection_t         *peer;            /* his connection, or NULL */
    ngx_mpegts_session_t     *session;

    ngx_mpegts_refused_t      refused[NGX_MPEGTS_REFUSED];

    unsigned                  listens:1;       /* reader is in the event loop */
};


struct ngx_mpegts_session_s {
    ngx_media_session_t       media;           /* first */
    ngx_mpegts_port_t        *port;            /* NULL: TCP */
    ngx_stream_session_t     *session;
    ngx_connection_t         *connection;
    ngx_mpegts_srv_conf_t    *conf;
    ngx_media_ts_input_t     *ts;
    ngx_media_rtp_ts_t       *rtp;             /* heap, or NULL */
    ngx_event_t               timer;           /* silence; holds the worker */
    ngx_event_t               hold;            /* RTP packets wait */
    ngx_msec_t                heard;
    unsigned                  part;            /* see _rtp_ts_follows() */
    uint64_t                  datagrams;
    uint64_t                  junk;            /* datagrams with no TS */
    uint64_t                  foreign;         /* of other senders */
    unsigned                  entered:1;       /* media is there */
    unsigned                  waiting:1;       /* for guards */
    unsigned                  publishing:1;
    unsigned                  finalized:1;
};


extern ngx_module_t  ngx_mpegts_module;


/* --- ngx_mpegts_module.c -------------------------------------------------- */

/*
 * Takes [VHOST/]APP/STREAM[?ARGS] apart; the parts lie in value.  NGX_OK, or
 * NGX_DECLINED: there is no app or no stream.
 */
ngx_int_t ngx_mpegts_name(ngx_str_t *value, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream, ngx_str_t *args);


/* --- ngx_mpegts_socket.c -------------------------------------------------- */

/* In the master: the receive buffer, where its rights are needed. */
void ngx_mpegts_socket_init(ngx_listening_t *ls, ngx_mpegts_srv_conf_t *conf,
    ngx_log_t *log);
/* Joins the group, where the address is one; nothing where it has joined. */
void ngx_mpegts_socket_join(ngx_mpegts_port_t *port);
/* Datagrams that the kernel dropped since the socket is there. */
uint32_t ngx_mpegts_socket_drops(ngx_socket_t fd);
ngx_uint_t ngx_mpegts_multicast(struct sockaddr *sa);


/* --- ngx_mpegts_listen.c -------------------------------------------------- */

ngx_int_t ngx_mpegts_listen_init(ngx_cycle_t *cycle);
void ngx_mpegts_listen_exit(void);
/* NULL: the listener is not ours */
ngx_mpegts_srv_conf_t *ngx_mpegts_listen_conf(ngx_listening_t *ls);
/* Reads the socket, or leaves what comes to the kernel. */
void ngx_mpegts_listen_resume(ngx_mpegts_port_t *port);
void ngx_mpegts_listen_pause(ngx_mpegts_port_t *port);
/* Its session is over: a worker that leaves gives the claim back. */
void ngx_mpegts_listen_idle(ngx_mpegts_port_t *port);


/* --- ngx_mpegts_sender.c -------------------------------------------------- */

void ngx_mpegts_datagram(ngx_mpegts_port_t *port, struct sockaddr *sa,
    socklen_t socklen, u_char *pos, u_char *end);
/* The sender of port may not publish: he is not asked about for a time. */
void ngx_mpegts_refuse(ngx_mpegts_port_t *port, ngx_uint_t reason);
/* The port of a connection that ngx_mpegts_datagram() made; NULL: TCP. */
ngx_mpegts_port_t *ngx_mpegts_connection_port(ngx_connection_t *c);


/* --- ngx_mpegts_session.c ------------------------------------------------- */

/* The content handler of a server with mpegts { }. */
void ngx_mpegts_handler(ngx_stream_session_t *s);
/* A datagram of the sender. */
void ngx_mpegts_session_datagram(ngx_mpegts_session_t *s, u_char *pos,
    u_char *end, ngx_media_rtp_ts_kind_e kind);
/* After some of them: wakes players. */
void ngx_mpegts_session_flush(ngx_mpegts_session_t *s);
/* Each second: what the statistics show of the way to it. */
void ngx_mpegts_session_link(ngx_mpegts_session_t *s);
void ngx_mpegts_session_close(ngx_mpegts_session_t *s, ngx_uint_t rc);
/* The process ends, the core may have done so already: memory is freed. */
void ngx_mpegts_session_exit(ngx_mpegts_session_t *s);


#endif /* _NGX_MPEGTS_H_INCLUDED_ */
