
/*
 * Copyright (C) the nginx media suite authors
 *
 * The public face of the core (L2): all that a protocol module (L4) may use.
 *
 * A protocol module embeds an ngx_media_session_t in its own session, one per
 * client connection.  An ingest protocol publishes with it and writes frames;
 * a delivery protocol plays with it: it attaches an ngx_media_consumer_t to a
 * wire, which is the stream muxed once per worker into the bytes of that
 * protocol, and sends what the consumer's cursor shows whenever the core asks
 * it to.  Everything here runs in one worker and is not thread safe; what is
 * shared between workers lies in the arena behind it.
 *
 * How a player lives:
 *
 *   ngx_media_session_init()            connection accepted
 *   ngx_media_session_name()            vhost, app, stream are known
 *   ngx_media_play()                    attached; ops->event(), ops->output()
 *       ngx_media_consumer_push()       bytes of the protocol's own
 *       ngx_media_consumer_send()       in ops->output and on write events
 *   ngx_media_play_stop()               the name may be played again
 *   pool cleanup                        the session leaves the statistics
 *
 * How a publisher lives: init, name, ngx_media_publish() and, when it said
 * NGX_AGAIN, ops->published(); then ngx_media_publish_frame() for each frame
 * and one ngx_media_publish_flush() at the end of each read; and
 * ngx_media_unpublish().  Both stop by themselves when the pool goes.
 */


#ifndef _NGX_MEDIA_H_INCLUDED_
#define _NGX_MEDIA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_media_codec.h"


/* must be the same in every .so of the suite: the layout of this header */

#define NGX_MEDIA_ABI               6


typedef struct ngx_media_session_s   ngx_media_session_t;
typedef struct ngx_media_consumer_s  ngx_media_consumer_t;
typedef struct ngx_media_client_s    ngx_media_client_t;
typedef struct ngx_media_wire_s      ngx_media_wire_t;
typedef struct ngx_media_segment_s   ngx_media_segment_t;
typedef struct ngx_media_pin_s       ngx_media_pin_t;
typedef struct ngx_media_out_s       ngx_media_out_t;
typedef struct ngx_media_publisher_s ngx_media_publisher_t;
typedef struct ngx_media_ask_s       ngx_media_ask_t;


/* --- registration ------------------------------------------------------- */

/*
 * Called from create_conf of the boot module of each .so: brings the core
 * into cycle->modules when it is not there yet, and refuses another ABI.
 * Returns NGX_OK, or NGX_ERROR when the configuration must be refused (one
 * line was logged).
 */
ngx_int_t ngx_media_register(ngx_cycle_t *cycle, ngx_uint_t abi,
    const char *who);


/* --- configuration ------------------------------------------------------ */

#define NGX_MEDIA_MODULE            0x4149444D   /* "MDIA" */

#define NGX_MEDIA_MAIN_CONF         0x02000000
#define NGX_MEDIA_VHOST_CONF        0x04000000
#define NGX_MEDIA_APP_CONF          0x08000000
#define NGX_MEDIA_POLICY_CONF                                                 \
    (NGX_MEDIA_MAIN_CONF|NGX_MEDIA_VHOST_CONF|NGX_MEDIA_APP_CONF)

/* ctx of a module of type NGX_MEDIA_MODULE */

typedef struct {
    void       *(*create_main_conf)(ngx_conf_t *cf);
    char       *(*init_main_conf)(ngx_conf_t *cf, void *conf);

    /* policy: one for media{}, each vhost{} and each application{} */
    void       *(*create_conf)(ngx_conf_t *cf);
    char       *(*merge_conf)(ngx_conf_t *cf, void *prev, void *conf);
} ngx_media_module_t;


typedef struct {
    void      **main_conf;
    void      **conf;
} ngx_media_conf_ctx_t;


/*
 * In merge_conf: what another module has in the block that is being merged;
 * merged already where that module comes before.
 */

#define ngx_media_conf_get_module_conf(cf, module)                            \
    ((ngx_media_conf_ctx_t *) (cf)->ctx)->conf[(module).ctx_index]


/* main configuration of a module, in init_process; NULL: there is none */

void *ngx_media_module_main_conf(ngx_cycle_t *cycle, ngx_module_t *module);

#define NGX_MEDIA_MAIN_CONF_OFFSET  offsetof(ngx_media_conf_ctx_t, main_conf)
#define NGX_MEDIA_CONF_OFFSET       offsetof(ngx_media_conf_ctx_t, conf)

/* policy of a named session; s->conf is never NULL */

#define ngx_media_session_get_conf(s, module)                                 \
    (s)->conf[(module).ctx_index]


/* policy of the core itself */

typedef struct {
    ngx_flag_t   gop_cache;
    ngx_msec_t   queue_length;
    ngx_msec_t   send_latency;             /* 0: adaptive */
    ngx_uint_t   time_jitter;              /* NGX_MEDIA_JITTER_* */
    ngx_flag_t   mix_correct;
    ngx_uint_t   atc;                      /* NGX_MEDIA_ATC_* */
    ngx_flag_t   reduce_sequence_header;
    ngx_msec_t   publish_first;
    ngx_msec_t   publish_idle;
    ngx_uint_t   publish_conflict;         /* NGX_MEDIA_CONFLICT_* */
    ngx_msec_t   republish_wait;
    ngx_msec_t   idle_timeout;

    ngx_uint_t   listens;                  /* NGX_MEDIA_LISTENS_* */
} ngx_media_core_conf_t;

/*
 * What somebody listens to in this block: said by the merge of modules that
 * do, for each block, for those that are merged after them.
 */

#define NGX_MEDIA_LISTENS_PLAY      0x01    /* a player comes or goes */
#define NGX_MEDIA_LISTENS_SEGMENT   0x02    /* a segment of HLS is whole */
#define NGX_MEDIA_LISTENS_VIEWERS   0x04    /* rules that are about viewers of
                                             * HLS, not about requests */

#define NGX_MEDIA_JITTER_FULL       0
#define NGX_MEDIA_JITTER_ZERO       1
#define NGX_MEDIA_JITTER_OFF        2

#define NGX_MEDIA_ATC_OFF           0
#define NGX_MEDIA_ATC_ON            1
#define NGX_MEDIA_ATC_AUTO          2

#define NGX_MEDIA_CONFLICT_REJECT   0
#define NGX_MEDIA_CONFLICT_REPLACE  1

extern ngx_module_t  ngx_media_core_module;       /* media { } */
extern ngx_module_t  ngx_media_policy_module;     /* NGX_MEDIA_MODULE */

#define ngx_media_core_conf(s)                                                \
    ((ngx_media_core_conf_t *)                                                \
     ngx_media_session_get_conf(s, ngx_media_policy_module))


/* --- values of a policy ------------------------------------------------- */

/*
 * Setters for directives in media{}, vhost{} and application{}, all in the
 * same way: the command has NGX_MEDIA_POLICY_CONF, NGX_MEDIA_CONF_OFFSET and
 * the offset of the field; create_conf() sets the field to its unset value;
 * merge_conf() merges it with nginx's macro.  What cmd->post is:
 *
 *              field            unset                 post
 *    _flag     ngx_flag_t       NGX_CONF_UNSET        NULL
 *    _msec     ngx_msec_t       NGX_CONF_UNSET_MSEC   a range or NULL
 *    _size     size_t           NGX_CONF_UNSET_SIZE   a range or NULL
 *    _num      ngx_int_t        NGX_CONF_UNSET        a range or NULL
 *              or ngx_uint_t    NGX_CONF_UNSET_UINT
 *    _enum     ngx_uint_t       NGX_CONF_UNSET_UINT   ngx_conf_enum_t[]
 *    _str      ngx_str_t        zeroed                NULL
 *    _list     ngx_array_t *    NGX_CONF_UNSET_PTR    NULL
 *
 * A list is of ngx_str_t, all values in one directive; "off" alone makes it
 * empty, which ends what would be inherited.  A value that can not be is
 * refused at its line.  Each setter notes the line, and where values do not go
 * together, merge_conf() returns what ngx_media_conf_fault() does:
 *
 *    { ngx_string("x_time"), NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
 *      ngx_media_conf_set_msec, NGX_MEDIA_CONF_OFFSET,
 *      offsetof(ngx_media_x_conf_t, time), &ngx_media_x_time_range },
 *
 *    conf->time = NGX_CONF_UNSET_MSEC;
 *
 *    ngx_conf_merge_msec_value(conf->time, prev->time, 5000);
 *
 *    if (conf->time > conf->limit) {
 *        return ngx_media_conf_fault(cf, "x_time x_limit",
 *                                    "x_time of %M ms is longer than x_limit, "
 *                                    "%M ms,", conf->time, conf->limit);
 *    }
 *
 * A setter of a module's own ends with return ngx_media_conf_note(cf, cmd).
 * Setters do for modules of stream{} and http{} too, where nothing is noted.
 * A flag whose directive may stand without a value (NGX_CONF_NOARGS) is on.
 */

typedef struct {
    ngx_int_t    min;
    ngx_int_t    max;
    const char  *say;             /* "between 500ms and 60s" */
} ngx_media_conf_range_t;

char *ngx_media_conf_set_flag(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_media_conf_set_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_media_conf_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_media_conf_set_num(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_media_conf_set_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_media_conf_set_str(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_media_conf_set_list(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Notes where a value of this block stands.  NGX_CONF_OK or _ERROR. */
char *ngx_media_conf_note(ngx_conf_t *cf, ngx_command_t *cmd);

/*
 * Only in merge_conf(): logs one line, which ends with the place of one of the
 * directives in names (words with a space between, of any module): in the
 * block that is merged or else in the one around it, the last one there.  fmt
 * is as for ngx_log_error().  Always returns NGX_CONF_ERROR.
 */
char *ngx_media_conf_fault(ngx_conf_t *cf, const char *names,
    const char *fmt, ...);
/* the same, of what is taken nevertheless */
void ngx_media_conf_warn(ngx_conf_t *cf, const char *names,
    const char *fmt, ...);


/* --- sessions ----------------------------------------------------------- */

/* client types, as SRS's API names them */

typedef enum {
    NGX_MEDIA_CLIENT_UNKNOWN = 0,
    NGX_MEDIA_CLIENT_RTMP_PLAY,            /* rtmp-play */
    NGX_MEDIA_CLIENT_FLASH_PUBLISH,        /* flash-publish */
    NGX_MEDIA_CLIENT_FMLE_PUBLISH,         /* fmle-publish */
    NGX_MEDIA_CLIENT_HAIVISION_PUBLISH,    /* haivision-publish */
    NGX_MEDIA_CLIENT_FLV_PLAY,             /* flv-play */
    NGX_MEDIA_CLIENT_HLS_PLAY,             /* hls-play */
    NGX_MEDIA_CLIENT_RTC_PLAY,
    NGX_MEDIA_CLIENT_RTC_PUBLISH,
    NGX_MEDIA_CLIENT_SRT_PLAY,
    NGX_MEDIA_CLIENT_SRT_PUBLISH,
    NGX_MEDIA_CLIENT_FLV_PUBLISH,          /* HTTP push */
    NGX_MEDIA_CLIENT_MPEGTS_PUBLISH        /* mpegts-publish */
} ngx_media_client_type_e;


/* why a call was declined, or why ops->close() is called */

typedef enum {
    NGX_MEDIA_REASON_NONE = 0,
    NGX_MEDIA_REASON_NAME,                 /* a name is not acceptable */
    NGX_MEDIA_REASON_BUSY,                 /* publish: it has a publisher */
    NGX_MEDIA_REASON_FULL,                 /* arena or tables are full */
    NGX_MEDIA_REASON_NOT_FOUND,            /* play: nobody publishes it */
    NGX_MEDIA_REASON_DENIED,               /* policy or hook said no */
    NGX_MEDIA_REASON_KICKED,               /* by the API */
    NGX_MEDIA_REASON_REPLACED,             /* another publisher took over */
    NGX_MEDIA_REASON_TIMEOUT,              /* publish_timeout passed */
    NGX_MEDIA_REASON_SLOW,                 /* player does not read */
    NGX_MEDIA_REASON_SHUTDOWN,             /* worker must stop now */
    NGX_MEDIA_REASON_TRACKS,               /* play: it has none of those */
    NGX_MEDIA_REASON_EXPIRED,              /* its permission ended */
    NGX_MEDIA_REASON_LIMIT                 /* max_players and the like */
} ngx_media_reason_e;


typedef struct {
    /*
     * The session must end: the protocol tells its peer in its own words and
     * finalises the connection, or lets it linger with its consumer stopped
     * and its publish ended.  Called once, from a timer, a command or the
     * pump, never from inside a call that the protocol made.
     */
    void       (*close)(ngx_media_session_t *s, ngx_uint_t reason);

    /* the worker is shutting down gracefully: ask the peer to reconnect;
     * may be NULL */
    void       (*drain)(ngx_media_session_t *s);

    /* ngx_media_publish() had said NGX_AGAIN: rc is NGX_OK, NGX_DECLINED
     * (s->reason tells why) or NGX_ERROR */
    void       (*published)(ngx_media_session_t *s, ngx_int_t rc);

    /* ngx_media_permit() had said NGX_AGAIN: rc as there.  NULL where the
     * protocol never asks */
    void       (*permitted)(ngx_media_session_t *s, ngx_uint_t act,
                            ngx_int_t rc);
} ngx_media_session_ops_t;


/* what a session does, or did last: for variables */

typedef struct {
    ngx_uint_t              act;           /* ngx_media_act_e; CONNECT: nothing
                                            * yet */
    ngx_uint_t              reason;        /* why it ended */
    uint64_t                msec;          /* how long it took, when over */
    uint64_t                frames;        /* in, or out */
    uint64_t                dropped;
} ngx_media_did_t;


struct ngx_media_session_s {
    const ngx_media_session_ops_t  *ops;         /* set by the protocol */
    ngx_connection_t               *connection;  /* its bytes are counted */
    ngx_pool_t                     *pool;        /* lifetime of the session */

    void                          **conf;        /* policy, after _name() */
    ngx_media_client_t             *client;      /* arena, owner writes */
    ngx_media_publisher_t          *publisher;   /* while publishing */
    ngx_media_consumer_t           *consumer;    /* while playing */
    ngx_media_ask_t                *ask;         /* while it waits for it */

    ngx_queue_t                     queue;       /* worker: all sessions */
    ngx_uint_t                      reason;      /* ngx_media_reason_e */
    ngx_uint_t                      act;         /* what ask leads to */
    ngx_str_t                       args;        /* heap; where they are longer
                                                  * than the table holds */
    ngx_str_t                       redirect;    /* heap */
    ngx_str_t                       token;       /* set by the protocol, which
                                                  * owns it: what the request
                                                  * brought beside its URL */
    ngx_msec_t                      expires;     /* 0, or when it must end */
    ngx_media_did_t                 did;
    ngx_int_t                       record;      /* hooks say: 1, 0, unset */

    unsigned                        connects:1;  /* set by the protocol: it is
                                                  * asked about connecting */
    unsigned                        relay:1;     /* set by the protocol: this
                                                  * server dialled it itself,
                                                  * nobody is asked */
    unsigned                        drained:1;
    unsigned                        closing:1;   /* ops->close() was called */
    unsigned                        ruled:1;     /* of guards: rules have seen
                                                  * what it is allowed now */
};


/* what of a session can be read back; strings lie in the arena */

typedef enum {
    NGX_MEDIA_TEXT_ID = 0,                 /* client id, 8 characters */
    NGX_MEDIA_TEXT_VHOST,
    NGX_MEDIA_TEXT_APP,
    NGX_MEDIA_TEXT_STREAM,
    NGX_MEDIA_TEXT_ARGS,                   /* without '?' */
    NGX_MEDIA_TEXT_IP,
    NGX_MEDIA_TEXT_TCURL,
    NGX_MEDIA_TEXT_PAGEURL,
    NGX_MEDIA_TEXT_SWFURL,
    NGX_MEDIA_TEXT_NAME,                   /* "livestream", "x.flv" */
    NGX_MEDIA_TEXT_PROTOCOL,               /* "rtmp", "flv", ... */
    NGX_MEDIA_TEXT_MAX
} ngx_media_text_e;


/*
 * Enters a client into the statistics and gives it an id.  s is zeroed memory
 * of the caller that lives as long as pool; connection, pool and ops are set
 * here.  protocol is a static string ("rtmp").  A cleanup handler of pool
 * stops whatever runs and takes the client out again.
 * Returns NGX_OK, or NGX_ERROR (table full or no memory; one line logged).
 */
ngx_int_t ngx_media_session_init(ngx_media_session_t *s,
    ngx_connection_t *c, ngx_pool_t *pool, const ngx_media_session_ops_t *ops,
    const char *protocol);

/*
 * Finds the session whose life is bound to a pool (for variables).
 * Returns NULL where there is none.
 */
ngx_media_session_t *ngx_media_session_find(ngx_pool_t *pool);

/* Sets one text of the session (copied, cut to what the table holds). */
void ngx_media_session_set_text(ngx_media_session_t *s, ngx_uint_t which,
    const u_char *p, size_t len);

/* Reads one back; the string lies in the arena and is not 0-terminated. */
ngx_str_t ngx_media_session_text(ngx_media_session_t *s, ngx_uint_t which);

/*
 * The arguments as they came: those of NGX_MEDIA_TEXT_ARGS are cut to what the
 * table holds.  Good until the session is named again.
 */
ngx_str_t ngx_media_session_args(ngx_media_session_t *s);

/*
 * Names the source that the session is about, before publish or play (and
 * again before the next one on the same connection).  Names are checked
 * (ngx_media_name_check()), the vhost is looked up ("" or one that is not
 * configured is the default vhost), and s->conf becomes the policy of
 * vhost/app.  Returns NGX_OK; NGX_DECLINED with NGX_MEDIA_REASON_NAME where a
 * name is not acceptable (logged at info).
 */
ngx_int_t ngx_media_session_name(ngx_media_session_t *s, ngx_str_t *vhost,
    ngx_str_t *app, ngx_str_t *stream, ngx_str_t *args);

/*
 * As _name(), but only vhost and app are known (RTMP connect): policy and
 * statistics, no source yet.  Same return codes.
 */
ngx_int_t ngx_media_session_app(ngx_media_session_t *s, ngx_str_t *vhost,
    ngx_str_t *app, ngx_str_t *args);

void ngx_media_session_set_type(ngx_media_session_t *s, ngx_uint_t type);

/*
 * What lines of the error log say of the session: its id, protocol and names,
 * never its arguments.  For log handlers; returns the end.
 */
u_char *ngx_media_session_log(ngx_media_session_t *s, u_char *buf,
    size_t len);

/* bytes received, for the statistics; what was sent is read from c->sent */
void ngx_media_session_received(ngx_media_session_t *s, size_t bytes);

/*
 * How the way to a peer is, where its protocol knows (SRT, RTP): of the
 * session since it began; what it does not know is 0.
 */

typedef struct {
    uint32_t                known;         /* 1: the rest is filled in */
    uint32_t                rtt;           /* us, smoothed */
    uint32_t                rtt_var;       /* us */
    uint32_t                latency;       /* ms; that both ends agreed on */
    uint32_t                bandwidth;     /* kbit/s, estimated; of the link */
    uint32_t                send_kbps;     /* over the last seconds */
    uint32_t                recv_kbps;
    uint32_t                buffered;      /* ms that wait to be sent, or to be
                                            * read */
    uint64_t                sent;          /* packets, the first time */
    uint64_t                resent;        /* packets, again */
    uint64_t                sent_lost;     /* packets that the peer missed */
    uint64_t                sent_dropped;  /* too late to be sent */
    uint64_t                received;      /* packets, each once */
    uint64_t                recovered;     /* of them, came when asked for */
    uint64_t                lost;          /* gaps seen, packets */
    uint64_t                dropped;       /* came too late, or never */
    uint64_t                undecrypted;   /* could not be decrypted */
    uint32_t                nacks;         /* sent, or received */
    uint32_t                plis;
} ngx_media_link_t;

/* For the statistics; each second or so. */
void ngx_media_session_link(ngx_media_session_t *s,
    const ngx_media_link_t *link);

/* "busy", "not found", ...: for log lines and status descriptions */
const char *ngx_media_reason_text(ngx_uint_t reason);

/* the same as one word, "closed" where nobody but the peer wanted it: for
 * variables and events */
const char *ngx_media_reason_name(ngx_uint_t reason);


/* --- permission --------------------------------------------------------- */

/*
 * Whoever wants to connect, to publish or to play is asked about: guards
 * (rules of access, hooks) look at it one after the other, and each must
 * agree.  What a guard allowed is over when the session stops it, closes or
 * its worker dies; services are told (ngx_media_told_t in the core's hub).
 *
 * Connecting is asked about with the first publish or play of a session of a
 * protocol that connects, when its stream is known.
 */

typedef enum {
    NGX_MEDIA_ACT_CONNECT = 0,
    NGX_MEDIA_ACT_PUBLISH,
    NGX_MEDIA_ACT_PLAY,
    NGX_MEDIA_ACT_MAX
} ngx_media_act_e;


/* what is counted over all workers, by a key; max 0: it is not */

#define NGX_MEDIA_LIMIT_PLAYERS     0      /* of one source */
#define NGX_MEDIA_LIMIT_ADDRESS     1      /* sessions of one address */
#define NGX_MEDIA_LIMITS            2

typedef struct {
    uint64_t                key[NGX_MEDIA_LIMITS];
    uint32_t                max[NGX_MEDIA_LIMITS];
} ngx_media_limits_t;


struct ngx_media_ask_s {
    /* the question, set by who asks; strings live as long as the ask */
    ngx_uint_t              act;           /* ngx_media_act_e */
    ngx_uint_t              type;          /* ngx_media_client_type_e */
    ngx_str_t               text[NGX_MEDIA_TEXT_MAX];    /* args are whole */
    void                  **conf;          /* policy, as s->conf */
    ngx_connection_t       *connection;    /* address and log */
    ngx_pool_t             *pool;          /* of the guards too */
    ngx_media_session_t    *session;       /* NULL: a viewer */
    ngx_str_t               token;         /* of the protocol, or "" */
    unsigned                request:1;     /* one request of a player that has
                                            * no session: others are not asked,
                                            * it does not count */

    /* rc as that of ngx_media_ask(); never called from inside of it; the ask
     * may be freed inside */
    void                  (*done)(ngx_media_ask_t *ask, ngx_int_t rc);
    void                   *data;          /* of who asks */

    /* the answer, written by guards; strings from pool */
    ngx_uint_t              reason;        /* ngx_media_reason_e */
    ngx_str_t               stream;        /* its new name, or "" */
    ngx_str_t               redirect;      /* URL to go to, or "": refused */
    ngx_msec_t              lifetime;      /* ms; 0: no end */
    ngx_int_t               record;        /* 1, 0, NGX_CONF_UNSET */
    ngx_media_limits_t      limits;        /* for a viewer */

    /* the core's own */
    ngx_uint_t              guard;         /* the one that it waits for */
    void                   *ctx;           /* of that one */
    unsigned                asking:1;
    unsigned                waiting:1;
};

/*
 * Asks all guards.  NGX_OK: allowed (stream may hold a new name); NGX_AGAIN:
 * ask->done() follows; NGX_DECLINED: reason and redirect tell why;
 * NGX_ERROR.  Nobody is told of an ask without a session: who keeps its
 * permission (ngx_media_viewer_new()) tells its end.
 */
ngx_int_t ngx_media_ask(ngx_media_ask_t *ask);

/* Would anybody look at it?  What makes many requests need not ask. */
ngx_uint_t ngx_media_ask_needed(void **conf);

/*
 * The policy of names; a vhost that is "" or not configured becomes the
 * default's.
 */
void **ngx_media_policy(ngx_str_t *vhost, ngx_str_t *app);

/* Nobody waits for the answer any more; nothing happens where none is due. */
void ngx_media_ask_cancel(ngx_media_ask_t *ask);

/*
 * Asks for a named session; ngx_media_publish() does it by itself.  What was
 * allowed is over with ngx_media_permit_over() or the session.
 * Returns NGX_OK; NGX_AGAIN: ops->permitted() follows; NGX_DECLINED:
 * s->reason and s->redirect tell why; NGX_ERROR.
 */
ngx_int_t ngx_media_permit(ngx_media_session_t *s, ngx_uint_t act);

/* It is over, or not waited for any more; nothing happens where neither. */
void ngx_media_permit_over(ngx_media_session_t *s, ngx_uint_t act);


/* --- publishing --------------------------------------------------------- */

/*
 * Asks for the permission and begins to publish the named source.
 * Returns NGX_OK: publish frames now; NGX_AGAIN: ops->published() follows
 * (hooks, a full arena, a publisher that is being replaced); NGX_DECLINED:
 * s->reason tells why; NGX_ERROR.  The session keeps its names in any case.
 */
ngx_int_t ngx_media_publish(ngx_media_session_t *s);

/*
 * Writes one frame into the source.  f->dts is the sender's own clock in us,
 * unwrapped (ngx_media_unwrap32()); f->data stays the caller's; f->seq is
 * ignored.  CONFIG frames change the codec configuration, META frames replace
 * the metadata.  Returns NGX_OK (also where the frame had to be dropped, which
 * is counted), or NGX_ERROR when the session can not go on publishing.
 */
ngx_int_t ngx_media_publish_frame(ngx_media_session_t *s,
    ngx_media_frame_t *f);

/* Wakes the workers that have consumers; call once at the end of each read. */
void ngx_media_publish_flush(ngx_media_session_t *s);

/*
 * Does any worker have consumers of what s publishes?  While none has, a
 * protocol may read its encoder in larger steps.
 */
ngx_uint_t ngx_media_publish_watched(ngx_media_session_t *s);

/*
 * Ends the publish, or the wait for one; nothing happens where there is none.
 * Consumers are told in their own workers.  Keeps session names.
 */
void ngx_media_unpublish(ngx_media_session_t *s);


/* --- wires: a stream muxed once per worker ------------------------------ */

/* codec configurations and metadata that hold at a point of the stream */

typedef struct {
    ngx_uint_t              nframes;
    ngx_media_frame_t       frames[NGX_MEDIA_MAX_TRACKS * 3];
                                        /* META first, then CONFIG by track,
                                         * then STICKY by track; data valid
                                         * during the call */
    uint32_t                tracks;     /* bit set: tracks that exist */
    ngx_media_codec_info_t  info[NGX_MEDIA_MAX_TRACKS];
} ngx_media_heads_t;


/*
 * One way to mux.  Wires with the same muxer, tracks and opt are one wire.
 * opt[] means what the muxer says (RTMP: chunk size, stream id, flags).
 *
 * A muxer sees frames of these tracks only, under the numbers that players get
 * (ngx_media_tracks_number()): the lowest video and audio are the default
 * ones.  Of tracks that were chosen one by one those that the source has not
 * are left out when playing begins.
 */

typedef struct {
    uint32_t                tracks;     /* bit set wanted */
    uint32_t                opt[3];
} ngx_media_wire_params_t;


typedef struct {
    ngx_str_t               name;

    /*
     * Zeroed state per wire.  A muxer with state is given the codec
     * configurations that hold by frame(), before the first frame that needs
     * them, and an empty one for each track of a codec that has none; for one
     * player that jumped, also again, with the number of a frame that was
     * written before.
     */
    size_t                  ctx_size;

    /*
     * Writes what a consumer needs before the frame `first` (file header,
     * metadata, sequence headers).  first may be NULL: nothing to start from.
     * Called once per starting point, shared by all that start there.
     */
    ngx_int_t             (*header)(ngx_media_wire_t *w,
                                    const ngx_media_heads_t *heads,
                                    const ngx_media_frame_t *first);

    /* Writes one frame.  NGX_OK, NGX_DECLINED (nothing written), NGX_ERROR. */
    ngx_int_t             (*frame)(ngx_media_wire_t *w,
                                   const ngx_media_frame_t *f);
} ngx_media_muxer_t;


/* for muxers, inside header() and frame() only */

ngx_int_t ngx_media_wire_write(ngx_media_wire_t *w, const void *p, size_t n);
void *ngx_media_wire_ctx(ngx_media_wire_t *w);
const ngx_media_wire_params_t *ngx_media_wire_params(ngx_media_wire_t *w);


/* --- playing ------------------------------------------------------------ */

typedef enum {
    NGX_MEDIA_EVENT_START = 1,   /* the first bytes can be sent now */
    NGX_MEDIA_EVENT_PUBLISH,     /* a publisher came (back) */
    NGX_MEDIA_EVENT_UNPUBLISH,   /* it left; republish_wait runs */
    NGX_MEDIA_EVENT_END,         /* republish_wait is over: RTMP stays
                                  * idle_timeout longer, the others end */
    NGX_MEDIA_EVENT_IDLE,        /* idle_timeout with nothing to play */
    NGX_MEDIA_EVENT_MISSING      /* nobody publishes it, and it could not be
                                  * fetched from elsewhere either */
} ngx_media_event_e;


typedef struct {
    /* There is something to send, or room again: send it.  The consumer and
     * its session may be destroyed inside. */
    void       (*output)(ngx_media_consumer_t *c);

    /* The source changed: ngx_media_event_e.  May destroy as above. */
    void       (*event)(ngx_media_consumer_t *c, ngx_uint_t event);
} ngx_media_consumer_ops_t;


/* embedded by the protocol, zeroed; fields are the core's own */

struct ngx_media_consumer_s {
    ngx_queue_t                      queue;      /* in its wire */
    ngx_media_wire_t                *wire;
    const ngx_media_consumer_ops_t  *ops;
    ngx_media_session_t             *session;

    ngx_media_segment_t             *segment;    /* cursor: where it reads */
    uint64_t                         offset;     /* cursor: byte of the log */
    uint64_t                         frame_end;  /* > offset: inside a frame */
    uint64_t                         frames;     /* passed, up to entry */
    uint64_t                         entry;      /* of the wire, where it came
                                                  * into the log */
    ngx_media_out_t                 *out;        /* goes before the log */
    uint32_t                         out_size;   /* of it, the protocol's */

    uint32_t                         round;
    uint32_t                         configs;    /* of the wire, when it left
                                                  * its place in the log */
    uint32_t                         dropped;    /* frames jumped over */
    ngx_msec_t                       since;      /* attached */

    unsigned                         jumps:8;    /* without progress since */
    unsigned                         blocked:1;  /* waits for a write event */
    unsigned                         waiting:1;  /* for a starting point */
    unsigned                         paused:1;
    unsigned                         started:1;
    unsigned                         reheads:1;  /* send configs when it starts
                                                  * again */
    unsigned                         fresh:1;    /* not yet looked at */
    unsigned                         entered:1;  /* entry holds */
};


typedef struct {
    u_char                          *pos;
    u_char                          *last;
    ngx_media_pin_t                 *pin;        /* holds the memory */
} ngx_media_span_t;


#define NGX_MEDIA_PLAY_LIVE         0x01  /* decline when nobody publishes,
                                           * and nobody fetches it either */
#define NGX_MEDIA_PLAY_NOW          0x02  /* it is not fetched for this one */

/*
 * Attaches c to the named source through a wire.  c is zeroed memory of the
 * caller that lives as long as the session; ops is kept.
 * Returns NGX_OK: attached, and there is a publisher; NGX_AGAIN: attached,
 * waiting for one (ops->event() tells); NGX_DECLINED: s->reason; NGX_ERROR.
 * ops->output() is never called from inside.
 */
ngx_int_t ngx_media_play(ngx_media_session_t *s, ngx_media_consumer_t *c,
    const ngx_media_consumer_ops_t *ops, const ngx_media_muxer_t *muxer,
    const ngx_media_wire_params_t *params, ngx_uint_t flags);

/*
 * Somebody wants to play what nobody publishes.  NGX_OK: it is being fetched
 * from elsewhere (origin), who waits is told by NGX_MEDIA_EVENT_PUBLISH or
 * _MISSING; NGX_DECLINED: nobody fetches it, or it is there.  conf and vhost
 * are those of ngx_media_policy().  ngx_media_play() asks by itself.
 */
ngx_int_t ngx_media_fetch(void **conf, ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream, ngx_str_t *args);

/* Detaches; nothing happens where c is not attached.  Keeps session names. */
void ngx_media_play_stop(ngx_media_consumer_t *c);

/*
 * Stops or resumes the flow; bytes of the protocol's own go on.  Resuming goes
 * on at the newest keyframe, or waits for the next where that one was sent
 * before.  Without memory for the rest of the current frame nothing changes.
 */
void ngx_media_play_pause(ngx_media_consumer_t *c, ngx_flag_t pause);

/*
 * Changes tracks or options: the consumer moves to another wire, at the end
 * of the frame it is sending.  Returns NGX_OK or NGX_ERROR (no memory: the
 * consumer stays where it was).
 */
ngx_int_t ngx_media_play_switch(ngx_media_consumer_t *c,
    const ngx_media_muxer_t *muxer, const ngx_media_wire_params_t *params);

/*
 * Tracks that the source has now (bit set; 0: not known yet): an HTTP-FLV
 * header wants to be true.
 */
uint32_t ngx_media_play_tracks(ngx_media_consumer_t *c);

/* Codec of one of them, NGX_MEDIA_CODEC_NONE where it is not known. */
uint8_t ngx_media_play_codec(ngx_media_consumer_t *c, ngx_uint_t track);

/*
 * Queues bytes of the protocol's own, sent in order at the next frame border
 * before any further media.  p is copied.
 * Returns NGX_OK, NGX_ERROR (no memory, or a peer that does not read them:
 * 256 KB wait).
 */
ngx_int_t ngx_media_consumer_push(ngx_media_consumer_t *c, const u_char *p,
    size_t n);

/*
 * Shows what can be sent now: up to n spans, about limit bytes.  Returns their
 * number, 0 when there is nothing.  The memory stays as it is until
 * ngx_media_consumer_sent() passes it, or longer where a pin is taken.
 */
ngx_uint_t ngx_media_consumer_spans(ngx_media_consumer_t *c,
    ngx_media_span_t *spans, ngx_uint_t n, size_t limit);

/* Moves the cursor over bytes that were sent (or pinned and handed over). */
void ngx_media_consumer_sent(ngx_media_consumer_t *c, size_t bytes);

/*
 * Sends all there is to a connection of its own (plain or TLS).
 * Returns NGX_OK: everything was sent; NGX_AGAIN: the kernel is full, c is
 * marked blocked, a write event is armed and c will not be asked until
 * ngx_media_consumer_unblock(); NGX_ERROR: close the session.
 */
ngx_int_t ngx_media_consumer_send(ngx_media_consumer_t *c,
    ngx_connection_t *conn);

/* For protocols that send by themselves: output is not called meanwhile. */
void ngx_media_consumer_block(ngx_media_consumer_t *c);
void ngx_media_consumer_unblock(ngx_media_consumer_t *c);

/* Everything is sent that there is. */
ngx_uint_t ngx_media_consumer_drained(ngx_media_consumer_t *c);

void ngx_media_pin(ngx_media_pin_t *pin);
void ngx_media_unpin(ngx_media_pin_t *pin);


/* --- viewers ------------------------------------------------------------ */

/*
 * A player that sends one request after the other, with an id in its URLs,
 * and has no connection of its own.  It is in the statistics as a client; all
 * workers know it.
 */

#define NGX_MEDIA_VIEWER_ID         8

typedef struct {
    ngx_str_t      text[NGX_MEDIA_TEXT_MAX];  /* by ngx_media_text_e; copied */
    ngx_uint_t     type;                      /* ngx_media_client_type_e */
    ngx_msec_t     silence;                   /* it is gone after so long */
    ngx_msec_t     lifetime;                  /* 0, or kicked after so long */
    ngx_media_limits_t  limits;               /* as the ask has them */
} ngx_media_viewer_t;

/*
 * Enters a viewer who was allowed to play.  id: NGX_MEDIA_VIEWER_ID characters
 * to be known by.  Services are told when it goes.  NGX_OK, NGX_DECLINED (a
 * limit), NGX_ERROR (full).
 */
ngx_int_t ngx_media_viewer_new(ngx_media_viewer_t *viewer, u_char *id);

/* Makes an id. */
void ngx_media_viewer_id(u_char *id);

/*
 * A request with that id; sent and received are added to its bytes.  NGX_OK;
 * NGX_DECLINED: not known (any more); NGX_ABORT: it was kicked, or is about
 * another stream (vhost, app and stream of viewer are compared).
 */
ngx_int_t ngx_media_viewer_seen(ngx_media_viewer_t *viewer, u_char *id,
    uint64_t sent, uint64_t received);


/* --- claims ------------------------------------------------------------- */

/*
 * What only one of all workers may do, of all generations: who claims a key
 * first has it until it gives it back or is dead.  Others try again; a claim
 * costs a lock and a look at a short table, so each 100 ms is no burden.
 */

/*
 * NGX_OK: it is this worker's (also where it was already); NGX_DECLINED: a
 * live worker has it; NGX_ERROR: the table is full (one line was logged).
 * key is not 0.
 */
ngx_int_t ngx_media_claim(uint64_t key);

/* Nothing happens where it is another's. */
void ngx_media_claim_release(uint64_t key);


/* --- variables ---------------------------------------------------------- */

/*
 * $media_vhost ... in stream{} are registered by the protocol modules from
 * this table (the core knows no ngx_stream_* symbol).  get() writes into value
 * (valid, data and len set; not_found where s is NULL).  A name that ends with
 * '_' is a prefix: $media_arg_NAME, arg is NAME.
 */

typedef struct {
    ngx_str_t      name;
    ngx_uint_t     which;
    ngx_int_t    (*get)(ngx_media_session_t *s, ngx_uint_t which,
                        ngx_str_t *arg, ngx_variable_value_t *value);
} ngx_media_variable_t;

extern const ngx_media_variable_t  ngx_media_variables[];


#endif /* _NGX_MEDIA_H_INCLUDED_ */
