
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: drives the handshake of shared/proto on a connection.  Its state and
 * buffer are one allocation that is freed as soon as the handshake is over.
 *
 * Adobe RTMP specification 1.0, section 5.2.
 */


#include "ngx_stream_rtmp.h"


ngx_int_t
ngx_stream_rtmp_handshake_init(ngx_stream_rtmp_session_t *s)
{
    u_char                       noise[NGX_MEDIA_RTMP_RANDOM_SIZE];
    uint32_t                     r;
    ngx_uint_t                   i;
    ngx_media_rtmp_handshake_t  *hs;

    hs = ngx_alloc(sizeof(ngx_media_rtmp_handshake_t)
                   + NGX_MEDIA_RTMP_HANDSHAKE_BUF, s->connection->log);
    if (hs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_MEDIA_RTMP_RANDOM_SIZE; i += sizeof(uint32_t)) {
        r = (uint32_t) ngx_random();
        ngx_memcpy(&noise[i], &r, sizeof(uint32_t));
    }

    ngx_media_rtmp_handshake_server(hs, (u_char *) (hs + 1), noise);

    s->handshake = hs;

    return NGX_OK;
}


/*
 * Takes bytes from *pos on.  NGX_OK: over, *pos is the first byte of chunks;
 * NGX_AGAIN: needs more; NGX_ERROR.
 */

ngx_int_t
ngx_stream_rtmp_handshake(ngx_stream_rtmp_session_t *s, const u_char **pos,
    const u_char *end)
{
    int                          rc;
    ngx_media_rtmp_handshake_t  *hs;

    hs = s->handshake;

    for ( ;; ) {
        rc = ngx_media_rtmp_handshake(hs, pos, end,
                                      (uint32_t) ngx_current_msec);

        if (rc != NGX_MEDIA_RTMP_HS_SEND) {
            break;
        }

        if (ngx_stream_rtmp_send(s, hs->out, hs->out_len) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rc == NGX_MEDIA_RTMP_HS_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc != NGX_MEDIA_RTMP_HS_DONE) {
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "RTMP handshake failed: %s",
                      ngx_media_rtmp_handshake_text(rc));
        return NGX_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_STREAM, s->connection->log, 0,
                   "rtmp handshake done, kind:%d", (int) hs->kind);

    ngx_free(hs);
    s->handshake = NULL;

    return NGX_OK;
}
