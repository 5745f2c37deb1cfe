
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: private hub of the RTMP module, included by its files alone.
 *
 * One connection is one ngx_stream_rtmp_session_t, made by the content
 * handler in the connection's pool.  Bytes come in through _recv (after
 * _handshake), become messages, and messages go to _command, _publish or the
 * control messages in _recv itself; answers leave through _send, media of a
 * player through its consumer in _play, muxed by _mux.
 *
 * Ownership: what lives as long as the connection is in its pool; handshake,
 * unfinished messages, unsent answers and what only a publisher needs are
 * allocated apart and freed as soon as they are done with.  A handler returns
 * NGX_ERROR to have the session ended; only the entry points (read, write and
 * linger events, the ops of session and consumer) finalize, and after that
 * they touch nothing.
 *
 * Adobe RTMP specification 1.0, Enhanced RTMP v1 and v2 (Veovera).
 */


#ifndef _NGX_STREAM_RTMP_H_INCLUDED_
#define _NGX_STREAM_RTMP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_media.h"
#include "ngx_media_bytes.h"
#include "ngx_media_amf.h"
#include "ngx_media_flv.h"
#include "ngx_media_flv_input.h"
#include "ngx_media_rtmp_chunk.h"
#include "ngx_media_rtmp_handshake.h"
#include "ngx_media_tracks.h"
#include "ngx_media_url.h"


/* deadlines in ms, sizes in bytes */

#define NGX_STREAM_RTMP_HANDSHAKE_TIMEOUT  10000
#define NGX_STREAM_RTMP_REFUSED_TIMEOUT    10000
#define NGX_STREAM_RTMP_LINGER_TIMEOUT     2000

#define NGX_STREAM_RTMP_READ_SIZE          65536
#define NGX_STREAM_RTMP_READS              16      /* per event */
#define NGX_STREAM_RTMP_READ_SLICE         5       /* ms, per event */
#define NGX_STREAM_RTMP_MAX_COMMAND        65536
#define NGX_STREAM_RTMP_MAX_PENDING        131072
#define NGX_STREAM_RTMP_MAX_MEDIA          (16 * 1024 * 1024 - 1)
#define NGX_STREAM_RTMP_KEEP_BUFFER        8192
#define NGX_STREAM_RTMP_LARGE_BUFFER       1048576
#define NGX_STREAM_RTMP_MAX_LARGE          (256 * 1024 * 1024)
#define NGX_STREAM_RTMP_MAX_UNSENT         262144
#define NGX_STREAM_RTMP_NOTSENT            131072
#define NGX_STREAM_RTMP_REDIRECT           1024    /* bytes of its URL */
#define NGX_STREAM_RTMP_MAX_MSID           7
#define NGX_STREAM_RTMP_MSIDS              0xfe    /* 1 to MAX_MSID */

/* opt[] of the wire parameters of the muxer */

#define NGX_STREAM_RTMP_OPT_CHUNK_SIZE     0
#define NGX_STREAM_RTMP_OPT_MSID           1
#define NGX_STREAM_RTMP_OPT_MODE           2       /* NGX_MEDIA_FLV_* */

/* capsEx of Enhanced RTMP v2 */

#define NGX_STREAM_RTMP_CAPS_RECONNECT     0x01
#define NGX_STREAM_RTMP_CAPS_MULTITRACK    0x02
#define NGX_STREAM_RTMP_CAPS_MODEX         0x04
#define NGX_STREAM_RTMP_CAPS_NANO          0x08

/* values of the FourCC info maps of Enhanced RTMP v2 */

#define NGX_STREAM_RTMP_CAN_DECODE         0x01
#define NGX_STREAM_RTMP_CAN_FORWARD        0x04

#define NGX_STREAM_RTMP_SERVER             NGX_MEDIA_SERVER_NAME

/* a handler is done, but nothing more may be read for the time being */

#define NGX_STREAM_RTMP_BUSY               NGX_BUSY


typedef struct {
    size_t                         chunk_size;
    size_t                         ack_window;
    ngx_msec_t                     ping;
    ngx_msec_t                     timeout;

    u_char                        *file;      /* of the block, or NULL */
    ngx_uint_t                     line;
} ngx_stream_rtmp_srv_conf_t;


typedef enum {
    NGX_STREAM_RTMP_HANDSHAKE = 0,
    NGX_STREAM_RTMP_COMMANDS,              /* neither publishes nor plays */
    NGX_STREAM_RTMP_PUBLISH,
    NGX_STREAM_RTMP_PLAY,
    NGX_STREAM_RTMP_LINGER                 /* last words sent, reads to EOF */
} ngx_stream_rtmp_stage_e;


/* a complete message; data is valid during the call */

typedef struct {
    uint32_t                       type;
    uint32_t                       msid;
    uint32_t                       timestamp;
    uint32_t                       length;
    u_char                        *data;
} ngx_stream_rtmp_message_t;


/* allocated bytes that wait: to be sent, or to be read once more */

typedef struct ngx_stream_rtmp_block_s  ngx_stream_rtmp_block_t;

struct ngx_stream_rtmp_block_s {
    ngx_stream_rtmp_block_t       *next;
    u_char                        *pos;
    u_char                        *last;
    u_char                        *end;
};


/* what a publisher needs beyond that */

typedef struct {
    ngx_media_flv_input_t          input;
    ngx_event_t                    nap;        /* reads again when it ends */
    ngx_media_rtmp_cs_t            streams[NGX_MEDIA_RTMP_EXTRA_STREAMS];
} ngx_stream_rtmp_publisher_t;


typedef struct {
    ngx_media_session_t            media;      /* first */

    ngx_stream_session_t          *session;
    ngx_connection_t              *connection;
    ngx_stream_rtmp_srv_conf_t    *conf;

    ngx_media_rtmp_handshake_t    *handshake;  /* its buffer follows it */
    ngx_stream_rtmp_publisher_t   *publisher;  /* kept once it was needed */

    ngx_stream_rtmp_block_t       *out;        /* answers not sent yet */
    ngx_stream_rtmp_block_t       *out_last;
    size_t                         out_size;

    ngx_stream_rtmp_block_t       *rest;       /* read, to be parsed later */
    ngx_stream_rtmp_message_t     *deferred;   /* to be handled again */

    u_char                        *url;        /* tcUrl, then app */
    uint16_t                       tcurl_len;
    uint16_t                       app_len;

    uint32_t                       msids;      /* bit set: created streams */
    uint32_t                       msid;       /* of publish or play */
    uint32_t                       caps;       /* capsEx of the peer */
    uint32_t                       wanted;     /* tracks that a player chose */
    uint32_t                       tracks;     /* and which it receives */

    uint32_t                       window;     /* ack window of the peer */
    uint32_t                       acked;      /* bytes acknowledged to it */
    uint64_t                       received;

    ngx_msec_t                     deadline;   /* handshake, commands */
    ngx_msec_t                     heard;      /* last byte from the peer */
    ngx_msec_t                     pinged;

    uint8_t                        stage;      /* ngx_stream_rtmp_stage_e */

    unsigned                       connected:1;
    unsigned                       entered:1;  /* media session exists */
    unsigned                       amf3:1;     /* objectEncoding 3 */
    unsigned                       hevc:1;     /* takes it by FourCC */
    unsigned                       avc:1;
    unsigned                       aac:1;
    unsigned                       fmle:1;     /* releaseStream or FCPublish
                                                * before createStream */
    unsigned                       haivision:1;/* FCPublish after it */
    unsigned                       created:1;  /* createStream was seen */
    unsigned                       waiting:1;  /* for ops->published() */
    unsigned                       detaching:1;/* player ends its last frame */
    unsigned                       attached:1; /* consumer is the core's */
    unsigned                       greeted:1;  /* Play.Start was sent */
    unsigned                       ended:1;    /* UnpublishNotify was sent */
    unsigned                       reset:1;    /* play wants Play.Reset */
    unsigned                       finalized:1;

    ngx_media_rtmp_reader_t        reader;
    ngx_media_consumer_t           consumer;
} ngx_stream_rtmp_session_t;


/* a string of the URL parser as nginx's */

#define ngx_stream_rtmp_str(dst, src)                                         \
    (dst)->len = (src)->len;                                                  \
    (dst)->data = (src)->data


/* one command while it is handled */

typedef struct {
    ngx_media_amf_t               *amf;
    ngx_media_amf_str_t            name;
    double                         transaction;
    uint32_t                       msid;
    unsigned                       amf3:1;
} ngx_stream_rtmp_command_t;


/* ngx_stream_rtmp_module.c */

extern ngx_module_t  ngx_stream_rtmp_module;
extern ngx_module_t  ngx_stream_rtmp_boot_module;


/* ngx_stream_rtmp_handler.c */

void ngx_stream_rtmp_handler(ngx_stream_session_t *ss);
void ngx_stream_rtmp_read_handler(ngx_event_t *rev);
void ngx_stream_rtmp_resume(ngx_stream_rtmp_session_t *s);
void ngx_stream_rtmp_stage(ngx_stream_rtmp_session_t *s, ngx_uint_t stage);

/* A publish or play was refused: another try must come soon. */
void ngx_stream_rtmp_refused(ngx_stream_rtmp_session_t *s);

/* Last words are queued: sends them, and closes when the peer does. */
void ngx_stream_rtmp_linger(ngx_stream_rtmp_session_t *s);
void ngx_stream_rtmp_finalize(ngx_stream_rtmp_session_t *s, ngx_uint_t rc);


/* ngx_stream_rtmp_handshake.c */

ngx_int_t ngx_stream_rtmp_handshake_init(ngx_stream_rtmp_session_t *s);
ngx_int_t ngx_stream_rtmp_handshake(ngx_stream_rtmp_session_t *s,
    const u_char **pos, const u_char *end);


/* ngx_stream_rtmp_recv.c */

/*
 * Takes what came from the peer.  NGX_OK: all of it was handled;
 * NGX_STREAM_RTMP_BUSY: reading stops until ngx_stream_rtmp_resume(), what is
 * left was put aside; NGX_ERROR.
 */
ngx_int_t ngx_stream_rtmp_recv(ngx_stream_rtmp_session_t *s,
    const u_char *pos, const u_char *end);

/* Goes on with what was put aside.  Same return codes. */
ngx_int_t ngx_stream_rtmp_recv_rest(ngx_stream_rtmp_session_t *s);

void ngx_stream_rtmp_recv_limits(ngx_stream_rtmp_session_t *s,
    ngx_uint_t publisher);
void ngx_stream_rtmp_recv_cleanup(ngx_stream_rtmp_session_t *s);


/* ngx_stream_rtmp_send.c */

ngx_stream_rtmp_block_t *ngx_stream_rtmp_block_create(size_t size,
    ngx_log_t *log);

/* Queues bytes for the peer: NGX_OK or NGX_ERROR. */
ngx_int_t ngx_stream_rtmp_send(ngx_stream_rtmp_session_t *s, const u_char *p,
    size_t n);

/* Queues one message, cut into chunks; the body is not kept. */
ngx_int_t ngx_stream_rtmp_send_message(ngx_stream_rtmp_session_t *s,
    ngx_uint_t csid, ngx_uint_t type, uint32_t msid, const u_char *body,
    size_t len);

ngx_int_t ngx_stream_rtmp_send_user(ngx_stream_rtmp_session_t *s,
    ngx_uint_t event, uint32_t arg);

/* Sends what is queued: NGX_OK, NGX_AGAIN or NGX_ERROR. */
ngx_int_t ngx_stream_rtmp_flush(ngx_stream_rtmp_session_t *s);

void ngx_stream_rtmp_write_handler(ngx_event_t *wev);
void ngx_stream_rtmp_send_cleanup(ngx_stream_rtmp_session_t *s);


/* ngx_stream_rtmp_status.c: answers and notifications in AMF */

/* as SRS: the client goes to s->media.redirect */
ngx_int_t ngx_stream_rtmp_redirect(ngx_stream_rtmp_session_t *s,
    uint32_t msid);
ngx_int_t ngx_stream_rtmp_status(ngx_stream_rtmp_session_t *s, uint32_t msid,
    const char *level, const char *code, const char *description);
ngx_int_t ngx_stream_rtmp_fc_status(ngx_stream_rtmp_session_t *s,
    uint32_t msid, const char *name, const char *code,
    const char *description);
ngx_int_t ngx_stream_rtmp_result(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const double *value);
ngx_int_t ngx_stream_rtmp_error(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, const char *code,
    const char *description);
ngx_int_t ngx_stream_rtmp_connected(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd, ngx_uint_t enhanced);
ngx_int_t ngx_stream_rtmp_bw_done(ngx_stream_rtmp_session_t *s);
ngx_int_t ngx_stream_rtmp_reconnect(ngx_stream_rtmp_session_t *s);
ngx_int_t ngx_stream_rtmp_sample_access(ngx_stream_rtmp_session_t *s);
ngx_int_t ngx_stream_rtmp_send_amf(ngx_stream_rtmp_session_t *s,
    ngx_uint_t csid, uint32_t msid, ngx_uint_t amf3, ngx_media_amf_out_t *w);


/* ngx_stream_rtmp_command.c */

/*
 * NGX_OK; NGX_ERROR; NGX_STREAM_RTMP_BUSY: done, read on later; NGX_AGAIN:
 * the message must be handled once more after ngx_stream_rtmp_resume().
 */
ngx_int_t ngx_stream_rtmp_command(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);

/* 1 where a publish or play may use that message stream. */
ngx_uint_t ngx_stream_rtmp_msid_ok(ngx_stream_rtmp_session_t *s,
    uint32_t msid);

/* Names the source from tcUrl, app and name; NGX_OK, NGX_DECLINED, _ERROR. */
ngx_int_t ngx_stream_rtmp_name(ngx_stream_rtmp_session_t *s,
    const ngx_media_amf_str_t *name);


/* ngx_stream_rtmp_connect.c */

ngx_int_t ngx_stream_rtmp_connect(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);


/* ngx_stream_rtmp_publish.c */

ngx_int_t ngx_stream_rtmp_release_stream(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
ngx_int_t ngx_stream_rtmp_fc_publish(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
ngx_int_t ngx_stream_rtmp_fc_unpublish(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
ngx_int_t ngx_stream_rtmp_publish(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
ngx_int_t ngx_stream_rtmp_unpublish(ngx_stream_rtmp_session_t *s);
void ngx_stream_rtmp_published(ngx_media_session_t *ms, ngx_int_t rc);


/* ngx_stream_rtmp_media.c */

/*
 * Nobody watches what s publishes: its socket is left alone for a moment, so
 * that one read takes many messages.  got: bytes read this time.  NGX_OK: the
 * nap has begun; NGX_DECLINED: wait for the socket as usual; NGX_ERROR.
 */
ngx_int_t ngx_stream_rtmp_nap(ngx_stream_rtmp_session_t *s, uint64_t got);

/* Media and data of a publisher; of anybody else they are left out. */
ngx_int_t ngx_stream_rtmp_media(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);


/* ngx_stream_rtmp_play.c */

/* ngx_media_permit() had said NGX_AGAIN */
void ngx_stream_rtmp_permitted(ngx_media_session_t *ms, ngx_uint_t act,
    ngx_int_t rc);
ngx_int_t ngx_stream_rtmp_play(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
ngx_int_t ngx_stream_rtmp_play2(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
ngx_int_t ngx_stream_rtmp_pause(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
ngx_int_t ngx_stream_rtmp_seek(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);
ngx_int_t ngx_stream_rtmp_receive(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_command_t *cmd);

/*
 * Ends a play.  NGX_OK: the session plays nothing; NGX_AGAIN: it is in the
 * middle of a frame, ngx_stream_rtmp_resume() follows; NGX_ERROR.
 */
ngx_int_t ngx_stream_rtmp_play_stop(ngx_stream_rtmp_session_t *s);

/* After a send: goes on with a play_stop that had to wait. */
void ngx_stream_rtmp_play_sent(ngx_stream_rtmp_session_t *s);


/* ngx_stream_rtmp_mux.c */

extern const ngx_media_muxer_t  ngx_stream_rtmp_muxer;


#endif /* _NGX_STREAM_RTMP_H_INCLUDED_ */
