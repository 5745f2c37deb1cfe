
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: SRT.  Private hub of
 *
 *   ngx_srt_module.c     directives
 *   ngx_srt_conf.c       what they say is checked, and told to libsrt
 *   ngx_srt_lib.c        libsrt, its thread, what it tells the worker
 *   ngx_srt_log.c        log lines of libsrt
 *   ngx_srt_listen.c     the UDP listeners, handshakes of newcomers
 *   ngx_srt_session.c    life of a connection, from its stream id to its end
 *   ngx_srt_publish.c    MPEG-TS of a publisher into frames
 *   ngx_srt_play.c       packets for a player
 *   ngx_srt_stat.c       how the way to a peer is
 *   ngx_srt_call.c       calls of this server, for the relay
 *
 * nginx owns the listening socket.  Each newcomer gets a UDP socket of its
 * own, bound to the same port and connected to him, so that the kernel brings
 * his packets to this worker whatever happens to the listeners (a reload, in
 * the first place).  That socket is given to libsrt, which listens on it for
 * one caller.
 *
 * Threads: libsrt has several for each connection, and there is one of ours,
 * which waits for all sockets of the worker (srt_epoll_uwait()) and passes on
 * what is ready through an eventfd.  Everything else runs in the worker's own
 * thread.  The one exception is the listen callback: it runs in a thread of
 * libsrt, asks the worker whether the caller may come in, and waits for the
 * answer; nobody else uses that thread, and a deadline ends the wait.
 *
 * Ownership: an ngx_srt_peer_t is allocated for each newcomer, and freed by
 * the worker when neither a socket nor a callback knows it any more.
 *
 * draft-sharabayko-srt-01; libsrt 1.5, docs/API.
 */


#ifndef _NGX_SRT_H_INCLUDED_
#define _NGX_SRT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>

#include <srt/srt.h>
#include <srt/access_control.h>

#include "ngx_media.h"
#include "ngx_media_rc.h"
#include "ngx_media_srt_id.h"
#include "ngx_media_ts_input.h"


#define NGX_SRT_CONF              0x20000000   /* inside srt { } */

#define NGX_SRT_PAYLOAD           1316         /* 7 packets of TS */

#define NGX_SRT_PASSPHRASE_MIN    10
#define NGX_SRT_PASSPHRASE_MAX    79

#define NGX_SRT_MAXBW_UNSET       -2
#define NGX_SRT_MAXBW_MIN         16384        /* bytes a second */


typedef struct {
    ngx_msec_t                latency;
    ngx_stream_complex_value_t  *passphrase;
    ngx_uint_t                pbkeylen;
    ngx_int_t                 mss;
    int64_t                   maxbw;           /* bytes/s; 0: relative, -1:
                                                * no limit */
    ngx_flag_t                tlpktdrop;
    size_t                    sendbuf;
    size_t                    recvbuf;
    ngx_msec_t                connect_timeout;
    ngx_msec_t                idle_timeout;
    ngx_str_t                 default_app;
    ngx_uint_t                default_mode;

    u_char                   *file;            /* NULL: no srt { } */
    ngx_uint_t                line;
} ngx_srt_srv_conf_t;


/* why the worker is told of a peer */

#define NGX_SRT_WANTS             0x01         /* its callback waits */
#define NGX_SRT_READY             0x02         /* its socket has something */


typedef struct ngx_srt_session_s  ngx_srt_session_t;
typedef struct ngx_srt_peer_s     ngx_srt_peer_t;
typedef struct ngx_srt_out_s      ngx_srt_out_t;
typedef struct ngx_srt_in_s       ngx_srt_in_t;
typedef struct ngx_srt_call_s     ngx_srt_call_t;

struct ngx_srt_peer_s {
    ngx_queue_t               queue;           /* all of this worker, or those
                                                * that are kept */
    ngx_queue_t               shaking;         /* those who shake hands */
    ngx_listening_t          *listening;       /* NULL: we have called it */
    ngx_srt_srv_conf_t       *conf;
    ngx_sockaddr_t            sockaddr;        /* of the peer, as nginx wants
                                                * it: IPv4 is not mapped */
    socklen_t                 socklen;
    ngx_sockaddr_t            local;
    socklen_t                 local_len;
    struct in6_addr           called;          /* the same, IPv4 mapped */
    ngx_msec_t                since;           /* he came; kept: he left */
    ngx_socket_t              fd;              /* not yet libsrt's, or -1 */
    ngx_socket_t              udp;             /* the same, whoever has it */
    ngx_srt_peer_t          **link;            /* what its connection has */
    ngx_event_t               timer;           /* of the handshake */
    ngx_event_t               late;            /* end of its listener */

    ngx_uint_t                refused;

    SRTSOCKET                 listener;        /* or SRT_INVALID_SOCK */
    SRTSOCKET                 sock;            /* accepted, or the same */
    ngx_srt_session_t        *session;

    /* under the lock of ngx_srt_lib.c */

    ngx_srt_peer_t           *next;            /* in the list of those that
                                                * the worker is told of */
    ngx_uint_t                told;            /* NGX_SRT_WANTS, ... */
    ngx_uint_t                listed;
    int                       asked;           /* the callback waits */
    int                       answered;
    int                       answer;          /* 0, or a reject code */
    pthread_cond_t            cond;

    /* the callback's until the worker is told that it waits */

    size_t                    id_len;
    u_char                    id[NGX_MEDIA_SRT_ID_MAX + 1];

    /* the worker's until it answers */

    char                      passphrase[NGX_SRT_PASSPHRASE_MAX + 1];
    int                       pbkeylen;
};


/* a session in the walk of ngx_srt_stat.c; zeroed: it is not */

typedef struct {
    ngx_queue_t               queue;
    ngx_media_session_t      *media;           /* NULL: it is not */
    SRTSOCKET                 sock;
    ngx_uint_t                sends;           /* it plays */
    ngx_msec_t                began;
    ngx_msec_t                cleared;         /* what libsrt counts between */
    uint64_t                  again;           /* packets that came as they
                                                * were sent again, before */
    ngx_uint_t                rated;
    ngx_media_link_t          link;
} ngx_srt_stat_t;


struct ngx_srt_session_s {
    ngx_media_session_t       media;           /* first */
    ngx_srt_peer_t           *peer;
    ngx_srt_call_t           *call;            /* NULL: we were called */
    ngx_stream_session_t     *session;         /* NULL: we have called */
    ngx_connection_t         *connection;
    ngx_srt_srv_conf_t       *conf;
    ngx_media_consumer_t      consumer;
    ngx_srt_stat_t            stat;
    ngx_media_srt_mode_e      mode;
    ngx_event_t               timer;           /* idle; holds the worker */
    ngx_msec_t                heard;
    unsigned                  entered:1;       /* media is there */
    unsigned                  attached:1;      /* it plays */
    unsigned                  waiting:1;       /* for guards */
    unsigned                  allowed:1;       /* libsrt may accept it */
    unsigned                  accepted:1;
    unsigned                  finalized:1;

    ngx_srt_out_t            *out;             /* of ngx_srt_play.c */
    ngx_srt_in_t             *in;              /* of ngx_srt_publish.c */
};


extern ngx_module_t  ngx_srt_module;


/* --- ngx_srt_conf.c ------------------------------------------------------ */

char *ngx_srt_conf_maxbw(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_srt_conf_passphrase(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* When all of stream{} is read. */
ngx_int_t ngx_srt_conf_check(ngx_conf_t *cf);

/* Of a socket that is not bound yet. */
ngx_int_t ngx_srt_options(SRTSOCKET sock, ngx_srt_srv_conf_t *conf);
/* For the debug log: what holds with a peer. */
void ngx_srt_options_log(ngx_srt_session_t *s);


/* --- ngx_srt_lib.c ------------------------------------------------------- */

ngx_int_t ngx_srt_lib_init(ngx_cycle_t *cycle);
/* The same, in a worker that runs, where it has not been done. */
ngx_int_t ngx_srt_lib_start(void);
void ngx_srt_lib_exit(void);

/* Sockets of a peer are watched for events (SRT_EPOLL_*), or not any more. */
ngx_int_t ngx_srt_watch(ngx_srt_peer_t *peer, SRTSOCKET sock, int events);
void ngx_srt_unwatch(SRTSOCKET sock);

/*
 * In a thread of libsrt: asks the worker, and waits.  Returns 0, or a reject
 * code; who calls from elsewhere than the peer is refused.
 */
int ngx_srt_ask(ngx_srt_peer_t *peer, SRTSOCKET sock,
    const struct sockaddr *sa, const char *id);
/* In the worker: is it still waited for? */
ngx_uint_t ngx_srt_waits(ngx_srt_peer_t *peer);
/* The answer. */
void ngx_srt_answer(ngx_srt_peer_t *peer, int code);
/* It will be told of once more, as if its socket were ready. */
void ngx_srt_again(ngx_srt_peer_t *peer);
/*
 * Nothing will be told of it any more, and who asks is refused; waits for a
 * callback to leave.  Its sockets are not watched any more, and are closed
 * behind it: that waits for libsrt's thread, which may be in the callback.
 */
void ngx_srt_forget(ngx_srt_peer_t *peer);
/*
 * It is for a caller from there now, and knows nothing of the one before.
 * NGX_DECLINED: that one is just being heard.
 */
ngx_int_t ngx_srt_renew(ngx_srt_peer_t *peer, struct sockaddr *sa,
    socklen_t socklen);
/*
 * A socket that libsrt will have does not get what libsrt falls over: it aborts
 * where a handshake has an MSS of some tens of bytes.
 */
ngx_int_t ngx_srt_filter(ngx_socket_t fd);
/* From now on nobody is accepted by its listener. */
void ngx_srt_deaf(ngx_srt_peer_t *peer);
/* From any thread: the worker looks for what there is. */
void ngx_srt_wake(void);

/* Calls that may make threads of libsrt: they shall get no signals. */
void ngx_srt_block_signals(sigset_t *saved);
void ngx_srt_restore_signals(const sigset_t *saved);


/* --- ngx_srt_log.c ------------------------------------------------------- */

void ngx_srt_log_init(ngx_cycle_t *cycle);
void ngx_srt_log_exit(void);
/* Lines that wait go into the error log. */
void ngx_srt_log_write(void);


/* --- ngx_srt_listen.c ----------------------------------------------------- */

ngx_int_t ngx_srt_listen_init(ngx_cycle_t *cycle);
void ngx_srt_listen_exit(void);
/* What libsrt's thread told of it. */
void ngx_srt_peer_event(ngx_srt_peer_t *peer, ngx_uint_t told);
void ngx_srt_peer_close(ngx_srt_peer_t *peer);
/* The caller is refused, with a code; the peer goes by itself. */
void ngx_srt_peer_refuse(ngx_srt_peer_t *peer, int code);


/* --- ngx_srt_session.c ---------------------------------------------------- */

/* The content handler of a server with srt { }. */
void ngx_srt_handler(ngx_stream_session_t *s);
/* A caller shows its stream id.  The answer may come later. */
void ngx_srt_session_begin(ngx_srt_peer_t *peer);
/* Its socket is there, and watched. */
void ngx_srt_session_accepted(ngx_srt_session_t *s);
/* Its socket can be read, written, or is broken. */
void ngx_srt_session_event(ngx_srt_session_t *s);
void ngx_srt_session_close(ngx_srt_session_t *s, ngx_uint_t rc);


/* --- ngx_srt_publish.c ---------------------------------------------------- */

/*
 * Reads what there is.  NGX_OK; NGX_DONE: the publisher is gone, and all that
 * he sent was taken; NGX_ERROR.
 */
ngx_int_t ngx_srt_receive(ngx_srt_session_t *s);
/* The last frames; nothing happens where there are none. */
void ngx_srt_receive_end(ngx_srt_session_t *s);


/* --- ngx_srt_play.c ------------------------------------------------------- */

/* What ngx_media_play() returns. */
ngx_int_t ngx_srt_play(ngx_srt_session_t *s);
/* Its socket is there: bytes may flow. */
void ngx_srt_play_start(ngx_srt_session_t *s);
/* Its socket has room, or is broken: NGX_OK, NGX_DONE, NGX_ERROR. */
ngx_int_t ngx_srt_play_event(ngx_srt_session_t *s);
/* It ends when its peer has shown all of it; at once where it had nothing. */
void ngx_srt_play_end(ngx_srt_session_t *s);


/* --- ngx_srt_stat.c ------------------------------------------------------- */

/*
 * From now on what libsrt knows of the socket is in the statistics of the
 * session.  sends: it plays.  st is the caller's, zeroed, until _end().
 */
void ngx_srt_stat_begin(ngx_srt_stat_t *st, ngx_media_session_t *media,
    SRTSOCKET sock, ngx_uint_t sends);
/*
 * A last time, before the socket is closed and the session is logged; nothing
 * happens where it has not begun.
 */
void ngx_srt_stat_end(ngx_srt_stat_t *st);


/* --- ngx_srt_call.c ------------------------------------------------------- */

/* The dialler of "srt" (ngx_media_relay.h). */
ngx_int_t ngx_srt_call_register(ngx_cycle_t *cycle);
/* Its socket has connected, or not, or has something. */
void ngx_srt_call_event(ngx_srt_call_t *call);
/* The peer has sent what is published. */
void ngx_srt_call_flows(ngx_srt_call_t *call);
/* The session is closed: its memory goes.  rc as in ngx_srt_session_close(). */
void ngx_srt_call_over(ngx_srt_call_t *call, ngx_uint_t rc);
void ngx_srt_call_exit(void);


#endif /* _NGX_SRT_H_INCLUDED_ */
