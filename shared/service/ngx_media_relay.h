
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: streams that this server fetches from others (origin) or sends to others
 * (forward).  The relay decides what is to be fetched or sent, when, where to
 * (names are resolved for each attempt) and after which pause once more; it
 * knows no protocol.  A protocol module that can call registers a dialler for
 * the scheme of its URLs.
 *
 * A call is one attempt: the relay makes it and dials; the dialler connects,
 * makes a session of its own (ngx_media_session_t, relay set, so that no
 * guard is asked) and publishes what comes (PULL) or plays what goes out
 * (PUSH) by the names in the call.  It says when media flows, and when it is
 * over, from its own events only.  All in one worker.
 *
 * A URL without a path (and whatever else names a stream in its protocol)
 * asks the peer for the app and stream of the call, of the vhost peer_vhost.
 *
 *   dial() --> ngx_media_relay_connected() --> ngx_media_relay_ended()
 *         \--------------------------------->/
 *         \--> hangup()                  (the relay wants it no more)
 */


#ifndef _NGX_MEDIA_RELAY_H_INCLUDED_
#define _NGX_MEDIA_RELAY_H_INCLUDED_


#include "ngx_media.h"


#define NGX_MEDIA_RELAY_PULL       0x01    /* it publishes here */
#define NGX_MEDIA_RELAY_PUSH       0x02    /* it plays from here */


/* SCHEME://[USER[:PASS]@]HOST[:PORT][/PATH][?ARGS], taken apart; not decoded */

typedef struct {
    ngx_str_t                  url;        /* whole */
    ngx_str_t                  scheme;     /* lower case */
    ngx_str_t                  user;       /* with its password, or "" */
    ngx_str_t                  host;       /* without [] */
    in_port_t                  port;       /* that of the URL, or the default */
    ngx_str_t                  path;       /* with its "/", or "" */
    ngx_str_t                  args;       /* without "?", or "" */
} ngx_media_relay_url_t;


typedef struct ngx_media_relay_call_s  ngx_media_relay_call_t;

struct ngx_media_relay_call_s {
    /* of the relay; good until ended() or hangup() */
    ngx_uint_t                 way;        /* NGX_MEDIA_RELAY_* */
    ngx_media_relay_url_t      url;
    struct sockaddr           *sockaddr;   /* to call, with its port */
    socklen_t                  socklen;
    ngx_str_t                  addr_text;
    ngx_str_t                  vhost;      /* names here */
    ngx_str_t                  app;
    ngx_str_t                  stream;
    ngx_str_t                  args;
    ngx_str_t                  peer_vhost; /* to ask the peer for, or "" */
    ngx_msec_t                 timeout;    /* ms; to be connected */
    ngx_log_t                 *log;

    /* of the dialler */
    void                      *ctx;
    ngx_media_session_t       *session;    /* as soon as there is one, for the
                                            * statistics, until ended() or
                                            * hangup(); or NULL */
};


/* why a call ended */

typedef enum {
    NGX_MEDIA_RELAY_CLOSED = 0,            /* by the peer, or the stream */
    NGX_MEDIA_RELAY_REFUSED,               /* the peer answered no */
    NGX_MEDIA_RELAY_UNREACHED,             /* no answer, or no route */
    NGX_MEDIA_RELAY_BROKEN,                /* the peer talks nonsense */
    NGX_MEDIA_RELAY_FAILED                 /* memory, descriptors */
} ngx_media_relay_end_e;


typedef struct {
    ngx_str_t                  scheme;     /* lower case */
    in_port_t                  port;       /* default; 0: it must be given */
    ngx_uint_t                 ways;       /* NGX_MEDIA_RELAY_* it can */

    /* Would it call this URL?  NULL, or what is wrong with it (a static text,
     * for nginx -t). */
    const char              *(*check)(const ngx_media_relay_url_t *url,
                                      ngx_uint_t way);

    /* Begins a call: NGX_OK, or NGX_ERROR: it never began.  Neither ended()
     * nor connected() may be called from inside. */
    ngx_int_t                (*dial)(ngx_media_relay_call_t *call);

    /* It is not wanted any more: nothing is told, and nothing of the call may
     * be touched behind this.  What was sent may have its time to be shown. */
    void                     (*hangup)(ngx_media_relay_call_t *call);
} ngx_media_dialler_t;


#define NGX_MEDIA_DIALLERS         16

/*
 * In create_conf of the boot module, behind ngx_media_register().  dialler is
 * static.  NGX_OK (also where it was there), NGX_ERROR.
 */
ngx_int_t ngx_media_dialler_add(ngx_cycle_t *cycle,
    const ngx_media_dialler_t *dialler);

/* Media flows: the next pause is the shortest one again. */
void ngx_media_relay_connected(ngx_media_relay_call_t *call);

/*
 * The call is over; it may not be touched any more, and neither may the
 * strings that it had.  Its session is read here for the last time.  why: one
 * of ngx_media_relay_end_e; text: a static text for the log and the API.
 */
void ngx_media_relay_ended(ngx_media_relay_call_t *call, ngx_uint_t why,
    const char *text);


#endif /* _NGX_MEDIA_RELAY_H_INCLUDED_ */
