
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: the way in.  The chunk reader of shared/proto puts messages together in
 * buffers that are allocated here, grow with what really comes in and go when
 * the message is done; a publisher keeps its small ones.  How much a message,
 * and all unfinished ones together, may take is the reader's limit: little
 * for everybody, more for who publishes.
 *
 * Adobe RTMP specification 1.0, sections 5.3, 5.4 and 7.1.
 */


#include "ngx_stream_rtmp.h"


static ngx_int_t ngx_stream_rtmp_parse(ngx_stream_rtmp_session_t *s,
    const u_char **pos, const u_char *end);
static ngx_int_t ngx_stream_rtmp_put_aside(ngx_stream_rtmp_session_t *s,
    const u_char *pos, const u_char *end);
static ngx_int_t ngx_stream_rtmp_defer(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);
static ngx_int_t ngx_stream_rtmp_message_start(ngx_stream_rtmp_session_t *s,
    ngx_media_rtmp_cs_t *cs);
static ngx_int_t ngx_stream_rtmp_buffer(ngx_stream_rtmp_session_t *s,
    ngx_media_rtmp_cs_t *cs, size_t size);
static void ngx_stream_rtmp_buffer_free(ngx_media_rtmp_cs_t *cs);
static ngx_int_t ngx_stream_rtmp_message_grow(ngx_stream_rtmp_session_t *s,
    ngx_media_rtmp_cs_t *cs);
static ngx_int_t ngx_stream_rtmp_message_end(ngx_stream_rtmp_session_t *s,
    ngx_media_rtmp_cs_t *cs);
static ngx_int_t ngx_stream_rtmp_more_streams(ngx_stream_rtmp_session_t *s);
static ngx_int_t ngx_stream_rtmp_message(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);
static ngx_int_t ngx_stream_rtmp_control(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);
static ngx_int_t ngx_stream_rtmp_user(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg);
static ngx_int_t ngx_stream_rtmp_acknowledge(ngx_stream_rtmp_session_t *s);


/* bytes in large buffers of this worker */

static size_t  ngx_stream_rtmp_large;


ngx_int_t
ngx_stream_rtmp_recv(ngx_stream_rtmp_session_t *s, const u_char *pos,
    const u_char *end)
{
    ngx_int_t  rc;

    rc = ngx_stream_rtmp_parse(s, &pos, end);

    if (rc == NGX_STREAM_RTMP_BUSY) {
        return ngx_stream_rtmp_put_aside(s, pos, end);
    }

    if (rc == NGX_OK) {
        return ngx_stream_rtmp_acknowledge(s);
    }

    return rc;
}


ngx_int_t
ngx_stream_rtmp_recv_rest(ngx_stream_rtmp_session_t *s)
{
    ngx_int_t                   rc;
    ngx_stream_rtmp_block_t    *rest;
    ngx_stream_rtmp_message_t  *msg;

    if (s->deferred) {
        msg = s->deferred;
        s->deferred = NULL;

        rc = ngx_stream_rtmp_message(s, msg);

        ngx_free(msg);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (s->rest == NULL) {
        return NGX_OK;
    }

    rest = s->rest;
    s->rest = NULL;

    rc = ngx_stream_rtmp_recv(s, rest->pos, rest->last);

    ngx_free(rest);

    return rc;
}


/* NGX_OK: all of it; NGX_STREAM_RTMP_BUSY: up to *pos; NGX_ERROR. */

static ngx_int_t
ngx_stream_rtmp_parse(ngx_stream_rtmp_session_t *s, const u_char **pos,
    const u_char *end)
{
    int                   event;
    ngx_int_t             rc;
    ngx_media_rtmp_cs_t  *cs;

    for ( ;; ) {

        if (s->stage == NGX_STREAM_RTMP_LINGER) {
            return NGX_OK;
        }

        event = ngx_media_rtmp_read(&s->reader, pos, end, &cs);

        rc = NGX_OK;

        switch (event) {

        case NGX_MEDIA_RTMP_AGAIN:
            return NGX_OK;

        case NGX_MEDIA_RTMP_START:
            rc = ngx_stream_rtmp_message_start(s, cs);
            break;

        case NGX_MEDIA_RTMP_NEED_BUFFER:
            rc = ngx_stream_rtmp_message_grow(s, cs);
            break;

        case NGX_MEDIA_RTMP_END:
            rc = ngx_stream_rtmp_message_end(s, cs);
            break;

        case NGX_MEDIA_RTMP_NEED_STREAMS:
            rc = ngx_stream_rtmp_more_streams(s);
            break;

        case NGX_MEDIA_RTMP_NEW_CHUNK_SIZE:
            ngx_log_debug1(NGX_LOG_DEBUG_STREAM, s->connection->log, 0,
                           "rtmp peer chunk size:%uD", s->reader.chunk_size);
            break;

        case NGX_MEDIA_RTMP_ABORTED:
            break;

        default:
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "RTMP client sent damaged chunks: %s",
                          ngx_media_rtmp_read_text(event));
            return NGX_ERROR;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


static ngx_int_t
ngx_stream_rtmp_put_aside(ngx_stream_rtmp_session_t *s, const u_char *pos,
    const u_char *end)
{
    ngx_stream_rtmp_block_t  *b;

    if (pos == end) {
        return NGX_STREAM_RTMP_BUSY;
    }

    b = ngx_stream_rtmp_block_create(end - pos, s->connection->log);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, pos, end - pos);
    s->rest = b;

    return NGX_STREAM_RTMP_BUSY;
}


/* keeps a message that can be handled only later */

static ngx_int_t
ngx_stream_rtmp_defer(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    ngx_stream_rtmp_message_t  *kept;

    kept = ngx_alloc(sizeof(ngx_stream_rtmp_message_t) + msg->length,
                     s->connection->log);
    if (kept == NULL) {
        return NGX_ERROR;
    }

    *kept = *msg;
    kept->data = (u_char *) (kept + 1);
    ngx_memcpy(kept->data, msg->data, msg->length);

    s->deferred = kept;

    return NGX_STREAM_RTMP_BUSY;
}


static ngx_int_t
ngx_stream_rtmp_message_start(ngx_stream_rtmp_session_t *s,
    ngx_media_rtmp_cs_t *cs)
{
    size_t      size;
    ngx_uint_t  media;

    media = (cs->type == NGX_MEDIA_RTMP_AUDIO
             || cs->type == NGX_MEDIA_RTMP_VIDEO
             || cs->type == NGX_MEDIA_RTMP_AGGREGATE
             || cs->type == NGX_MEDIA_RTMP_AMF0_DATA
             || cs->type == NGX_MEDIA_RTMP_AMF3_DATA);

    if (media && s->stage != NGX_STREAM_RTMP_PUBLISH) {
        ngx_media_rtmp_skip(cs);
        return NGX_OK;
    }

    if (!media && cs->length > NGX_STREAM_RTMP_MAX_COMMAND) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client sent a message of type %ui with %uD "
                      "bytes", (ngx_uint_t) cs->type, cs->length);
        return NGX_ERROR;
    }

    size = ngx_min(cs->length, NGX_STREAM_RTMP_MAX_COMMAND);

    if (size == 0 || (cs->buf && cs->cap >= size)) {
        return NGX_OK;
    }

    return ngx_stream_rtmp_buffer(s, cs, size);
}


/* gives a message a buffer of that size, with what has come so far */

static ngx_int_t
ngx_stream_rtmp_buffer(ngx_stream_rtmp_session_t *s, ngx_media_rtmp_cs_t *cs,
    size_t size)
{
    u_char  *p;

    p = ngx_alloc(size, s->connection->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (cs->received) {
        ngx_memcpy(p, cs->buf, cs->received);
    }

    ngx_stream_rtmp_buffer_free(cs);

    cs->buf = p;
    cs->cap = (uint32_t) size;

    if (size > NGX_STREAM_RTMP_LARGE_BUFFER) {
        ngx_stream_rtmp_large += size;
    }

    return NGX_OK;
}


static void
ngx_stream_rtmp_buffer_free(ngx_media_rtmp_cs_t *cs)
{
    if (cs->buf == NULL) {
        return;
    }

    if (cs->cap > NGX_STREAM_RTMP_LARGE_BUFFER) {
        ngx_stream_rtmp_large -= cs->cap;
    }

    ngx_free(cs->buf);

    cs->buf = NULL;
    cs->cap = 0;
}


/*
 * What is announced is not allocated before half of it has come.  All large
 * messages of a worker together are bounded, or a few hundred publishers that
 * never finish theirs would take its memory.
 */

static ngx_int_t
ngx_stream_rtmp_message_grow(ngx_stream_rtmp_session_t *s,
    ngx_media_rtmp_cs_t *cs)
{
    size_t  size;

    size = ngx_min(cs->length, (size_t) cs->cap * 2);

    if (size > NGX_STREAM_RTMP_LARGE_BUFFER
        && ngx_stream_rtmp_large + size > NGX_STREAM_RTMP_MAX_LARGE)
    {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client sent a message of %uD bytes while %uz "
                      "bytes of others are unfinished",
                      cs->length, ngx_stream_rtmp_large);
        return NGX_ERROR;
    }

    return ngx_stream_rtmp_buffer(s, cs, size);
}


static ngx_int_t
ngx_stream_rtmp_message_end(ngx_stream_rtmp_session_t *s,
    ngx_media_rtmp_cs_t *cs)
{
    ngx_int_t                  rc;
    ngx_stream_rtmp_message_t  msg;

    rc = NGX_OK;

    if (!ngx_media_rtmp_skipped(cs)) {
        msg.type = cs->type;
        msg.msid = cs->msid;
        msg.timestamp = cs->timestamp;
        msg.length = cs->length;
        msg.data = cs->buf;

        rc = ngx_stream_rtmp_message(s, &msg);
    }

    if (cs->buf
        && (s->stage != NGX_STREAM_RTMP_PUBLISH
            || cs->cap > NGX_STREAM_RTMP_KEEP_BUFFER))
    {
        ngx_stream_rtmp_buffer_free(cs);
    }

    return rc;
}


static ngx_int_t
ngx_stream_rtmp_more_streams(ngx_stream_rtmp_session_t *s)
{
    if (s->publisher == NULL) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client uses too many chunk streams");
        return NGX_ERROR;
    }

    ngx_media_rtmp_reader_extend(&s->reader, s->publisher->streams,
                                 NGX_MEDIA_RTMP_EXTRA_STREAMS);

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_message(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    ngx_int_t  rc;

    ngx_log_debug4(NGX_LOG_DEBUG_STREAM, s->connection->log, 0,
                   "rtmp message type:%uD msid:%uD time:%uD length:%uD",
                   msg->type, msg->msid, msg->timestamp, msg->length);

    switch (msg->type) {

    case NGX_MEDIA_RTMP_AUDIO:
    case NGX_MEDIA_RTMP_VIDEO:
    case NGX_MEDIA_RTMP_AMF0_DATA:
    case NGX_MEDIA_RTMP_AMF3_DATA:
    case NGX_MEDIA_RTMP_AGGREGATE:
        return ngx_stream_rtmp_media(s, msg);

    case NGX_MEDIA_RTMP_AMF0_COMMAND:
    case NGX_MEDIA_RTMP_AMF3_COMMAND:
        rc = ngx_stream_rtmp_command(s, msg);

        if (rc == NGX_AGAIN) {
            return ngx_stream_rtmp_defer(s, msg);
        }

        return rc;

    case NGX_MEDIA_RTMP_ACK:
    case NGX_MEDIA_RTMP_USER:
    case NGX_MEDIA_RTMP_WINDOW_ACK_SIZE:
    case NGX_MEDIA_RTMP_SET_PEER_BANDWIDTH:
        return ngx_stream_rtmp_control(s, msg);

    default:

        /* shared objects and what is not defined: none of our business */

        return NGX_OK;
    }
}


static ngx_int_t
ngx_stream_rtmp_control(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    uint32_t  value;

    if (msg->type == NGX_MEDIA_RTMP_USER) {
        return ngx_stream_rtmp_user(s, msg);
    }

    if (msg->length < 4) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client sent a control message of type %uD that "
                      "is too short", msg->type);
        return NGX_ERROR;
    }

    value = ngx_media_get_be32(msg->data);

    if (msg->type == NGX_MEDIA_RTMP_WINDOW_ACK_SIZE && value) {
        s->window = value;
    }

    /* an acknowledgement is a sign of life, a limit a wish: both are heard */

    return NGX_OK;
}


static ngx_int_t
ngx_stream_rtmp_user(ngx_stream_rtmp_session_t *s,
    ngx_stream_rtmp_message_t *msg)
{
    if (msg->length < 6
        || ngx_media_get_be16(msg->data) != NGX_MEDIA_RTMP_PING_REQUEST)
    {
        return NGX_OK;
    }

    return ngx_stream_rtmp_send_user(s, NGX_MEDIA_RTMP_PING_RESPONSE,
                                     ngx_media_get_be32(msg->data + 2));
}


static ngx_int_t
ngx_stream_rtmp_acknowledge(ngx_stream_rtmp_session_t *s)
{
    u_char  *last, buf[NGX_MEDIA_RTMP_MAX_CONTROL];

    /* half of the window: the peer must not stand still waiting for us */

    if ((uint32_t) s->received - s->acked < s->window / 2) {
        return NGX_OK;
    }

    s->acked = (uint32_t) s->received;

    last = ngx_media_rtmp_write_ack(buf, s->acked);

    return ngx_stream_rtmp_send(s, buf, last - buf);
}


void
ngx_stream_rtmp_recv_limits(ngx_stream_rtmp_session_t *s,
    ngx_uint_t publisher)
{
    if (publisher) {
        s->reader.max_message = NGX_STREAM_RTMP_MAX_MEDIA;
        s->reader.max_pending = NGX_STREAM_RTMP_MAX_MEDIA;

    } else {
        s->reader.max_message = NGX_STREAM_RTMP_MAX_COMMAND;
        s->reader.max_pending = NGX_STREAM_RTMP_MAX_PENDING;
    }
}


void
ngx_stream_rtmp_recv_cleanup(ngx_stream_rtmp_session_t *s)
{
    ngx_uint_t            i;
    ngx_media_rtmp_cs_t  *cs;

    for (i = 0; i < NGX_MEDIA_RTMP_MAX_STREAMS; i++) {
        cs = ngx_media_rtmp_reader_cs(&s->reader, i);

        if (cs == NULL) {
            break;
        }

        ngx_stream_rtmp_buffer_free(cs);
    }

    if (s->rest) {
        ngx_free(s->rest);
        s->rest = NULL;
    }

    if (s->deferred) {
        ngx_free(s->deferred);
        s->deferred = NULL;
    }
}
