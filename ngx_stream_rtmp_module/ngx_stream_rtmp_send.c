
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: the way out.  While a consumer is attached, all bytes go through it:
 * ngx_media_consumer_push() keeps them in order with the media at frame
 * borders.  At other times they wait in blocks of the session's own, which
 * are sent before anything of a consumer.  A block stays where it is until it
 * is sent as a whole, as TLS wants it.
 */


#include "ngx_stream_rtmp.h"


#define NGX_STREAM_RTMP_BLOCK  1024


static ngx_int_t ngx_stream_rtmp_flush_blocks(ngx_stream_rtmp_session_t *s);
static void ngx_stream_rtmp_write_timer(ngx_stream_rtmp_session_t *s,
    ngx_int_t rc);


ngx_stream_rtmp_block_t *
ngx_stream_rtmp_block_create(size_t size, ngx_log_t *log)
{
    ngx_stream_rtmp_block_t  *b;

    b = ngx_alloc(sizeof(ngx_stream_rtmp_block_t) + size, log);
    if (b == NULL) {
        return NULL;
    }

    b->next = NULL;
    b->pos = (u_char *) (b + 1);
    b->last = b->pos;
    b->end = b->pos + size;

    return b;
}


ngx_int_t
ngx_stream_rtmp_send(ngx_stream_rtmp_session_t *s, const u_char *p, size_t n)
{
    size_t                    size;
    ngx_stream_rtmp_block_t  *b;

    if (s->attached) {
        return ngx_media_consumer_push(&s->consumer, p, n);
    }

    if (s->out_size + n > NGX_STREAM_RTMP_MAX_UNSENT) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP client does not read its answers");
        return NGX_ERROR;
    }

    b = s->out_last;

    if (b == NULL || (size_t) (b->end - b->last) < n) {
        size = ngx_max(n, NGX_STREAM_RTMP_BLOCK);

        b = ngx_stream_rtmp_block_create(size, s->connection->log);
        if (b == NULL) {
            return NGX_ERROR;
        }

        if (s->out_last) {
            s->out_last->next = b;

        } else {
            s->out = b;
        }

        s->out_last = b;
    }

    b->last = ngx_cpymem(b->last, p, n);
    s->out_size += n;

    return NGX_OK;
}


ngx_int_t
ngx_stream_rtmp_send_message(ngx_stream_rtmp_session_t *s, ngx_uint_t csid,
    ngx_uint_t type, uint32_t msid, const u_char *body, size_t len)
{
    u_char     *p, *last, small[1024];
    size_t      size;
    uint32_t    chunk;
    ngx_int_t   rc;

    /* the chunk size is announced in the answer to connect */

    chunk = s->connected ? s->conf->chunk_size
                         : NGX_MEDIA_RTMP_DEFAULT_CHUNK_SIZE;

    size = ngx_media_rtmp_message_size(len, chunk, csid, 0);

    p = small;

    if (size > sizeof(small)) {
        p = ngx_alloc(size, s->connection->log);
        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    last = ngx_media_rtmp_write_message(p, csid, 0, type, msid, chunk, NULL,
                                        0, body, len);

    rc = ngx_stream_rtmp_send(s, p, last - p);

    if (p != small) {
        ngx_free(p);
    }

    return rc;
}


ngx_int_t
ngx_stream_rtmp_send_user(ngx_stream_rtmp_session_t *s, ngx_uint_t event,
    uint32_t arg)
{
    u_char  *last, buf[NGX_MEDIA_RTMP_MAX_CONTROL];

    last = ngx_media_rtmp_write_user(buf, event, arg);

    return ngx_stream_rtmp_send(s, buf, last - buf);
}


ngx_int_t
ngx_stream_rtmp_flush(ngx_stream_rtmp_session_t *s)
{
    ngx_int_t  rc;

    if (s->out) {
        rc = ngx_stream_rtmp_flush_blocks(s);

        if (rc != NGX_OK) {
            ngx_stream_rtmp_write_timer(s, rc);
            return rc;
        }
    }

    rc = NGX_OK;

    if (s->attached) {

        /* blocked: the write event of the connection brings us back */

        if (s->consumer.blocked) {
            return NGX_AGAIN;
        }

        rc = ngx_media_consumer_send(&s->consumer, s->connection);
    }

    ngx_stream_rtmp_write_timer(s, rc);

    if (s->detaching && rc != NGX_ERROR) {
        ngx_stream_rtmp_play_sent(s);
    }

    return rc;
}


static ngx_int_t
ngx_stream_rtmp_flush_blocks(ngx_stream_rtmp_session_t *s)
{
    ssize_t                   n;
    ngx_connection_t         *c;
    ngx_stream_rtmp_block_t  *b;

    c = s->connection;

    while (s->out) {
        b = s->out;

        n = c->send(c, b->pos, b->last - b->pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {

            if (s->attached && !s->consumer.blocked) {
                ngx_media_consumer_block(&s->consumer);
            }

            return ngx_handle_write_event(c->write, 0) == NGX_OK ? NGX_AGAIN
                                                                 : NGX_ERROR;
        }

        b->pos += n;
        s->out_size -= n;

        if (b->pos == b->last) {
            s->out = b->next;
            ngx_free(b);

            if (s->out == NULL) {
                s->out_last = NULL;
            }
        }
    }

    return NGX_OK;
}


/* runs only while the socket takes nothing */

static void
ngx_stream_rtmp_write_timer(ngx_stream_rtmp_session_t *s, ngx_int_t rc)
{
    ngx_event_t  *wev;

    wev = s->connection->write;

    if (rc == NGX_AGAIN) {

        if (!wev->timer_set) {
            ngx_add_timer(wev, s->conf->timeout);
        }

    } else if (wev->timer_set) {
        ngx_del_timer(wev);
    }
}


void
ngx_stream_rtmp_write_handler(ngx_event_t *wev)
{
    ngx_connection_t           *c;
    ngx_stream_session_t       *ss;
    ngx_stream_rtmp_session_t  *s;

    c = wev->data;
    ss = c->data;
    s = ngx_stream_get_module_ctx(ss, ngx_stream_rtmp_module);

    if (wev->timedout) {
        wev->timedout = 0;

        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "RTMP client reads nothing");
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    if (s->out == NULL && !s->attached) {
        return;
    }

    if (s->attached) {
        ngx_media_consumer_unblock(&s->consumer);
    }

    if (ngx_stream_rtmp_flush(s) == NGX_ERROR) {
        ngx_stream_rtmp_finalize(s, NGX_STREAM_OK);
    }
}


void
ngx_stream_rtmp_send_cleanup(ngx_stream_rtmp_session_t *s)
{
    ngx_stream_rtmp_block_t  *b;

    while (s->out) {
        b = s->out;
        s->out = b->next;
        ngx_free(b);
    }

    s->out_last = NULL;
    s->out_size = 0;
}
