
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the RTMP chunk stream: an incremental reader and a writer.
 *
 * Reader.  Bytes of any fragmentation go in, events come out.  The reader
 * copies payload into buffers that the caller attaches to the chunk stream
 * (cs->buf, cs->cap); it neither allocates nor frees.  A buffer is always the
 * caller's: it may stay attached from one message to the next, and whoever
 * tears the session down walks ngx_media_rtmp_reader_cs() and frees them.
 * Set chunk size and abort are carried out by the reader itself, all other
 * messages are the caller's matter.
 *
 * Timestamps are uint32_t milliseconds that wrap.  Format 0 is absolute,
 * formats 1 and 2 add.  Format 3 that starts a message repeats what the last
 * header said: after format 1 or 2 the delta is added again, after format 0
 * its timestamp is the delta (section 5.3.1.2.4; ffmpeg sends and reads it so,
 * librtmp reads it so).  Where format 0 had an extended timestamp, a delta of
 * over 4.6 hours cannot be meant: format 3 is then absolute as well.
 *
 * Extended timestamps may or may not be repeated in format 3 chunks: in the
 * middle of a message the four bytes are taken only if they equal the value of
 * the header, at its start always, unless this peer was seen to omit them.
 *
 * Adobe RTMP specification 1.0, sections 5.3, 5.4 and 7.1.
 */


#ifndef _NGX_MEDIA_RTMP_CHUNK_H_INCLUDED_
#define _NGX_MEDIA_RTMP_CHUNK_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_rtmp.h"


#define NGX_MEDIA_RTMP_INLINE_STREAMS    8
#define NGX_MEDIA_RTMP_MAX_STREAMS       64   /* inline and extension */
#define NGX_MEDIA_RTMP_EXTRA_STREAMS                                          \
    (NGX_MEDIA_RTMP_MAX_STREAMS - NGX_MEDIA_RTMP_INLINE_STREAMS)


/* results of ngx_media_rtmp_read() */

#define NGX_MEDIA_RTMP_AGAIN             0    /* all consumed, wants more */
#define NGX_MEDIA_RTMP_START             1    /* a message begins */
#define NGX_MEDIA_RTMP_NEED_BUFFER       2    /* cs->cap is used up */
#define NGX_MEDIA_RTMP_END               3    /* a message is complete */
#define NGX_MEDIA_RTMP_ABORTED           4    /* peer gave a message up */
#define NGX_MEDIA_RTMP_NEW_CHUNK_SIZE    5    /* r->chunk_size has changed */
#define NGX_MEDIA_RTMP_NEED_STREAMS      6    /* the inline table is full */

#define NGX_MEDIA_RTMP_EHEADER          -1    /* no earlier header to refer to,
                                               * or a new one in mid-message */
#define NGX_MEDIA_RTMP_ECHUNK_SIZE      -2    /* 0, or bit 31 set */
#define NGX_MEDIA_RTMP_ECONTROL         -3    /* control message too short */
#define NGX_MEDIA_RTMP_EMESSAGE         -4    /* longer than max_message */
#define NGX_MEDIA_RTMP_EPENDING         -5    /* unfinished > max_pending */
#define NGX_MEDIA_RTMP_ESTREAMS         -6    /* too many chunk streams */


/* one chunk stream; buf and cap are the caller's, the rest is read-only */

typedef struct {
    u_char    *buf;        /* where payload goes; NULL: it is thrown away */
    uint32_t   cap;        /* size of buf */
    uint32_t   csid;       /* 2..65599; 0: entry is free */
    uint32_t   timestamp;  /* ms, of the message being read */
    uint32_t   length;     /* bytes of the message being read */
    uint32_t   received;   /* of these, came in */
    uint32_t   msid;       /* message stream id */
    uint32_t   field;      /* last timestamp or delta of a header */
    uint8_t    type;       /* message type */
    uint8_t    flags;
} ngx_media_rtmp_cs_t;


typedef struct {
    uint64_t              in_bytes;     /* all bytes read as chunks */
    ngx_media_rtmp_cs_t  *extra;        /* caller's extension, or NULL */

    uint32_t              chunk_size;   /* of the peer */
    uint32_t              max_message;  /* limit of one message */
    uint32_t              max_pending;  /* limit of all unfinished ones */
    uint32_t              pending;      /* announced, unfinished bytes */
    uint32_t              left;         /* payload left in this chunk */

    uint8_t               state;
    uint8_t               current;      /* index of the chunk stream */
    uint8_t               nextra;       /* entries in extra */
    uint8_t               used;         /* entries in use */
    uint8_t               have;         /* bytes in head */
    uint8_t               match;        /* matched bytes of a repeat */
    uint8_t               nback;        /* bytes in back */
    uint8_t               omits;        /* peer omits repeats */
    uint8_t               control;      /* index + 1 that fills body */
    int8_t                error;        /* sticky */

    u_char                head[NGX_MEDIA_RTMP_MAX_HEADER];
    u_char                back[3];      /* bytes to be read again */
    u_char                body[4];      /* of set chunk size and abort */

    ngx_media_rtmp_cs_t   streams[NGX_MEDIA_RTMP_INLINE_STREAMS];
} ngx_media_rtmp_reader_t;


/*
 * max_message, max_pending: bytes; max_pending also covers messages whose
 * payload is thrown away.  The chunk size starts at 128.
 */
void ngx_media_rtmp_reader_init(ngx_media_rtmp_reader_t *r,
    uint32_t max_message, uint32_t max_pending);

/*
 * After NEED_STREAMS: gives the reader up to NGX_MEDIA_RTMP_EXTRA_STREAMS more
 * entries.  The array stays the caller's and must outlive the reader; it is
 * cleared here.
 */
void ngx_media_rtmp_reader_extend(ngx_media_rtmp_reader_t *r,
    ngx_media_rtmp_cs_t *extra, unsigned n);

/*
 * Reads from *pos up to end and advances *pos.  Returns at each event with
 * *cs set; call again with the same span until AGAIN, where *pos == end.
 *
 * START         cs->type, timestamp, length, msid are set, length is within
 *               the limits.  Attach a buffer: set cs->buf and cs->cap (cap may
 *               be less than length), or leave what is attached, or call
 *               ngx_media_rtmp_skip(cs); with no buffer the payload is thrown
 *               away.  Refusing is closing the connection.
 * NEED_BUFFER   cap bytes are filled and more come: attach a larger buffer
 *               that begins with the same cap bytes, or skip.
 * END           cs->buf holds cs->length bytes (none where skipped, see
 *               ngx_media_rtmp_skipped()); take the buffer (set cs->buf NULL
 *               and cap 0) or leave it for the next message.
 * ABORTED       cs was given up by the peer; the buffer is free for use.
 * NEW_CHUNK_SIZE  for the log only; *cs is NULL.
 * NEED_STREAMS  call ngx_media_rtmp_reader_extend() and go on, or close; *cs
 *               is NULL.
 *
 * Negative codes are errors of the peer and sticky.
 */
int ngx_media_rtmp_read(ngx_media_rtmp_reader_t *r, const u_char **pos,
    const u_char *end, ngx_media_rtmp_cs_t **cs);

/* In START or NEED_BUFFER: throw the (rest of the) payload away. */
void ngx_media_rtmp_skip(ngx_media_rtmp_cs_t *cs);

/* In END: non-zero where the payload was thrown away. */
int ngx_media_rtmp_skipped(const ngx_media_rtmp_cs_t *cs);

/*
 * The i-th chunk stream in use, NULL after the last: for freeing buffers when
 * a session ends.
 */
ngx_media_rtmp_cs_t *ngx_media_rtmp_reader_cs(ngx_media_rtmp_reader_t *r,
    unsigned i);

/* Static text for a result code. */
const char *ngx_media_rtmp_read_text(int rc);

/*
 * Unwraps a 32-bit timestamp: of the values >= 0 whose low 32 bits are ts,
 * the one nearest to last (ms).
 */
int64_t ngx_media_rtmp_unwrap(int64_t last, uint32_t ts);


/*
 * Writers return the position after what they wrote.  Extended timestamps are
 * repeated in format 3 chunks, as ffmpeg, librtmp, Flash and SRS expect.
 */

/* Format 0 header, at most NGX_MEDIA_RTMP_MAX_HEADER bytes. */
u_char *ngx_media_rtmp_write_header(u_char *p, uint32_t csid, uint32_t ts,
    uint32_t len, unsigned type, uint32_t msid);

/* Format 3 header, at most 7 bytes; ts is that of the format 0 header. */
u_char *ngx_media_rtmp_write_header3(u_char *p, uint32_t csid, uint32_t ts);

/* Bytes of these headers. */
size_t ngx_media_rtmp_header_size(uint32_t csid, uint32_t ts);
size_t ngx_media_rtmp_header3_size(uint32_t csid, uint32_t ts);

/*
 * Bytes on the wire of a message with a body of len bytes: one format 0
 * header and a format 3 header for each further chunk_size bytes.
 */
size_t ngx_media_rtmp_message_size(size_t len, uint32_t chunk_size,
    uint32_t csid, uint32_t ts);

/*
 * Writes one whole message: body is prefix followed by payload (prefix is an
 * FLV body header, prefix_len may be 0).  p has room for
 * ngx_media_rtmp_message_size(prefix_len + len, ...) bytes, which is exactly
 * what is written.  prefix_len + len <= 0xffffff is the caller's duty.
 */
u_char *ngx_media_rtmp_write_message(u_char *p, uint32_t csid, uint32_t ts,
    unsigned type, uint32_t msid, uint32_t chunk_size, const u_char *prefix,
    size_t prefix_len, const u_char *payload, size_t len);

/*
 * Ready-made control messages on chunk stream 2, message stream 0, time 0;
 * each is at most NGX_MEDIA_RTMP_MAX_CONTROL bytes and one chunk (the peer's
 * chunk size is never under 128).  Sections 5.4 and 7.1.7.
 */
u_char *ngx_media_rtmp_write_chunk_size(u_char *p, uint32_t size);
u_char *ngx_media_rtmp_write_abort(u_char *p, uint32_t csid);
u_char *ngx_media_rtmp_write_ack(u_char *p, uint32_t in_bytes);
u_char *ngx_media_rtmp_write_window_ack_size(u_char *p, uint32_t size);
u_char *ngx_media_rtmp_write_peer_bandwidth(u_char *p, uint32_t size,
    unsigned limit);

/* STREAM_BEGIN, EOF, DRY, IS_RECORDED (arg: msid), PING_* (arg: ms) */
u_char *ngx_media_rtmp_write_user(u_char *p, unsigned event, uint32_t arg);
u_char *ngx_media_rtmp_write_buffer_length(u_char *p, uint32_t msid,
    uint32_t ms);


/*
 * Aggregate message (type 22, section 7.1.6): FLV tags one after another.
 * Timestamps are moved so that the first sub-message has that of the
 * aggregate.
 */

typedef struct {
    const u_char  *pos;
    const u_char  *end;
    uint32_t       base;        /* timestamp of the aggregate */
    uint32_t       first;       /* timestamp of the first sub-message */
    uint8_t        started;
} ngx_media_rtmp_aggregate_t;

typedef struct {
    const u_char  *data;        /* inside the aggregate's body */
    uint32_t       len;
    uint32_t       timestamp;   /* ms, adjusted */
    uint8_t        type;        /* message type */
} ngx_media_rtmp_sub_t;

/* pos, end: body of the aggregate, must live as long as the iterator. */
void ngx_media_rtmp_aggregate_init(ngx_media_rtmp_aggregate_t *a,
    const u_char *pos, const u_char *end, uint32_t timestamp);

/*
 * Next sub-message.  Returns 1 with *sub set, 0 at the end, -1 where the body
 * is cut short.  The back pointer of the last one may be missing.
 */
int ngx_media_rtmp_aggregate_next(ngx_media_rtmp_aggregate_t *a,
    ngx_media_rtmp_sub_t *sub);


#endif /* _NGX_MEDIA_RTMP_CHUNK_H_INCLUDED_ */
