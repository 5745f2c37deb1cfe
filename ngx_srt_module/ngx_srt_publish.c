
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: what an SRT publisher sends: MPEG-TS, in messages of up to 1456 bytes.
 */


#include "ngx_srt.h"


#define NGX_SRT_MESSAGE    1500
#define NGX_SRT_MESSAGES   256            /* before others have a turn */


/* NGX_OK; NGX_DONE: the peer is gone; NGX_ERROR */

ngx_int_t
ngx_srt_receive(ngx_srt_session_t *s)
{
    int         n;
    size_t      size;
    ngx_int_t   rc;
    ngx_uint_t  i;
    char        buf[NGX_SRT_MESSAGE];

    if (s->ts == NULL) {
        s->ts = ngx_media_ts_input_create(s->connection->pool, &s->media,
                                          s->connection->log);
        if (s->ts == NULL) {
            return NGX_ERROR;
        }
    }

    size = 0;
    rc = NGX_OK;

    for (i = 0; i < NGX_SRT_MESSAGES; i++) {

        n = srt_recvmsg(s->peer->sock, buf, sizeof(buf));

        if (n == SRT_ERROR) {

            if (srt_getlasterror(NULL) != SRT_EASYNCRCV) {
                ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                              "SRT publisher is gone: %s",
                              srt_getlasterror_str());
                rc = NGX_DONE;
            }

            break;
        }

        size += n;

        rc = ngx_media_ts_input(s->ts, (u_char *) buf, (u_char *) buf + n);

        if (rc != NGX_OK) {
            rc = NGX_ERROR;
            break;
        }
    }

    if (size) {
        s->heard = ngx_current_msec;
        s->session->received += size;
        ngx_media_session_received(&s->media, size);
        ngx_media_publish_flush(&s->media);
    }

    if (i == NGX_SRT_MESSAGES && rc == NGX_OK) {
        ngx_srt_again(s->peer);
    }

    return rc;
}


void
ngx_srt_receive_end(ngx_srt_session_t *s)
{
    if (s->ts == NULL) {
        return;
    }

    if (s->media.publisher) {
        (void) ngx_media_ts_input_end(s->ts);
        ngx_media_publish_flush(&s->media);
    }

    ngx_media_ts_input_free(s->ts);
    s->ts = NULL;
}
