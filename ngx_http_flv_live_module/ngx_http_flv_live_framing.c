
/*
 * Copyright (C) the nginx media suite authors
 *
 * What stands around each message of a wire, so that players share the very
 * bytes that go to the socket: a chunk of the chunked transfer coding
 * (RFC 9112, 7.1), a WebSocket message (RFC 6455, 5.2), or nothing.
 *
 * Called by the muxers and for what a player sends on its own.  Nothing is
 * kept.
 */


#include "ngx_http_flv_live.h"


/*
 * Writes what goes before size bytes: up to NGX_HTTP_FLV_LIVE_FRAMING_START.
 * Returns the end.
 */

u_char *
ngx_http_flv_live_framing_start(u_char *p, uint32_t framing, size_t size)
{
    switch (framing) {

    case NGX_HTTP_FLV_LIVE_FRAMING_CHUNK:
        return ngx_sprintf(p, "%xz\r\n", size);

    case NGX_HTTP_FLV_LIVE_FRAMING_WS:
        return ngx_media_ws_header(p, NGX_MEDIA_WS_BINARY, size);

    default: /* NGX_HTTP_FLV_LIVE_FRAMING_NONE */
        return p;
    }
}


/* what goes behind them: up to NGX_HTTP_FLV_LIVE_FRAMING_END */

u_char *
ngx_http_flv_live_framing_end(u_char *p, uint32_t framing)
{
    if (framing == NGX_HTTP_FLV_LIVE_FRAMING_CHUNK) {
        *p++ = CR;
        *p++ = LF;
    }

    return p;
}


/*
 * Writes one message: len bytes of a header, up to
 * NGX_HTTP_FLV_LIVE_MESSAGE_HEAD, and size of data.  Returns NGX_OK, or
 * NGX_ERROR: no memory.
 */

ngx_int_t
ngx_http_flv_live_message(ngx_media_wire_t *w, const u_char *head, size_t len,
    const u_char *data, size_t size)
{
    u_char    *p;
    u_char     start[NGX_HTTP_FLV_LIVE_FRAMING_START
                     + NGX_HTTP_FLV_LIVE_MESSAGE_HEAD];
    u_char     end[NGX_HTTP_FLV_LIVE_FRAMING_END];
    uint32_t   framing;

    framing = ngx_media_wire_params(w)->opt[NGX_HTTP_FLV_LIVE_OPT_FRAMING];

    p = ngx_http_flv_live_framing_start(start, framing, len + size);

    if (len) {
        p = ngx_cpymem(p, head, len);
    }

    if (ngx_media_wire_write(w, start, p - start) != NGX_OK
        || ngx_media_wire_write(w, data, size) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_http_flv_live_framing_end(end, framing);

    return ngx_media_wire_write(w, end, p - end);
}
