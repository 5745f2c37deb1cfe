
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: WebSocket frames (RFC 6455, 5.2 to 5.5).  The server's half: frames of
 * clients must be masked, those of the server are not.
 */


#include "ngx_media_bytes.h"
#include "ngx_media_ws.h"


#define NGX_MEDIA_WS_FIN   0x80
#define NGX_MEDIA_WS_RSV   0x70
#define NGX_MEDIA_WS_MASK  0x80


static unsigned ngx_media_ws_header_size(const ngx_media_ws_t *ws);
static int ngx_media_ws_begin(ngx_media_ws_t *ws);
static int ngx_media_ws_error(ngx_media_ws_t *ws, uint16_t status);
static const u_char *ngx_media_ws_read(ngx_media_ws_t *ws, const u_char *p,
    const u_char *end);


u_char *
ngx_media_ws_header(u_char *p, unsigned opcode, size_t size)
{
    *p++ = (u_char) (NGX_MEDIA_WS_FIN | opcode);

    if (size < 126) {
        *p++ = (u_char) size;
        return p;
    }

    if (size < 65536) {
        *p++ = 126;
        return ngx_media_put_be16(p, (uint32_t) size);
    }

    *p++ = 127;
    p = ngx_media_put_be32(p, (uint32_t) ((uint64_t) size >> 32));

    return ngx_media_put_be32(p, (uint32_t) size);
}


int
ngx_media_ws_parse(ngx_media_ws_t *ws, const u_char **pos, const u_char *end)
{
    int            rc;
    const u_char  *p;

    p = *pos;

    for ( ;; ) {

        if (!ws->inside) {

            while (ws->have < ngx_media_ws_header_size(ws)) {

                if (p == end) {
                    *pos = p;
                    return NGX_MEDIA_AGAIN;
                }

                ws->head[ws->have++] = *p++;
            }

            rc = ngx_media_ws_begin(ws);

            if (rc != NGX_MEDIA_OK) {
                *pos = p;
                return rc;
            }
        }

        p = ngx_media_ws_read(ws, p, end);

        if (ws->pos < ws->length) {
            *pos = p;
            return NGX_MEDIA_AGAIN;
        }

        ws->inside = 0;
        ws->have = 0;

        if (ws->opcode & 8) {
            *pos = p;
            return NGX_MEDIA_OK;
        }
    }
}


/* as far as it can be told: at least 2, then all of it; none without mask */

static unsigned
ngx_media_ws_header_size(const ngx_media_ws_t *ws)
{
    if (ws->have < 2 || !(ws->head[1] & NGX_MEDIA_WS_MASK)) {
        return 2;
    }

    switch (ws->head[1] & 0x7f) {

    case 126:
        return 2 + 2 + 4;

    case 127:
        return 2 + 8 + 4;

    default:
        return 2 + 4;
    }
}


/* the header is there: is it one that may be? */

static int
ngx_media_ws_begin(ngx_media_ws_t *ws)
{
    unsigned  fin, opcode;
    uint64_t  size;

    fin = ws->head[0] & NGX_MEDIA_WS_FIN;
    opcode = ws->head[0] & 0x0f;
    size = ws->head[1] & 0x7f;

    if (size == 126) {
        size = ngx_media_get_be16(ws->head + 2);

    } else if (size == 127) {
        size = (uint64_t) ngx_media_get_be32(ws->head + 2) << 32
               | ngx_media_get_be32(ws->head + 6);
    }

    if ((ws->head[0] & NGX_MEDIA_WS_RSV)
        || !(ws->head[1] & NGX_MEDIA_WS_MASK))
    {
        return ngx_media_ws_error(ws, NGX_MEDIA_WS_PROTOCOL);
    }

    if (opcode & 8) {

        if (opcode > NGX_MEDIA_WS_PONG || !fin
            || size > NGX_MEDIA_WS_CONTROL_MAX
            || (opcode == NGX_MEDIA_WS_CLOSE && size == 1))
        {
            return ngx_media_ws_error(ws, NGX_MEDIA_WS_PROTOCOL);
        }

        ws->size = (uint8_t) size;

    } else {

        /* a message begins, or goes on where one was begun */

        if (opcode > NGX_MEDIA_WS_BINARY
            || (opcode == NGX_MEDIA_WS_CONTINUATION) != (ws->fragmented != 0))
        {
            return ngx_media_ws_error(ws, NGX_MEDIA_WS_PROTOCOL);
        }

        if (!ws->fragmented) {
            ws->message = 0;
        }

        if (size > NGX_MEDIA_WS_DATA_MAX - ws->message) {
            return ngx_media_ws_error(ws, NGX_MEDIA_WS_TOO_BIG);
        }

        ws->message += (uint32_t) size;
        ws->fragmented = !fin;
    }

    ws->opcode = (uint8_t) opcode;
    ws->length = (uint32_t) size;
    ws->pos = 0;
    ws->inside = 1;

    return NGX_MEDIA_OK;
}


static int
ngx_media_ws_error(ngx_media_ws_t *ws, uint16_t status)
{
    ws->status = status;
    return NGX_MEDIA_ERROR;
}


/* payload: unmasked into ws where it is of a control frame, else skipped */

static const u_char *
ngx_media_ws_read(ngx_media_ws_t *ws, const u_char *p, const u_char *end)
{
    uint32_t       left;
    const u_char  *mask;

    left = ws->length - ws->pos;

    if ((size_t) (end - p) < left) {
        left = (uint32_t) (end - p);
    }

    if (!(ws->opcode & 8)) {
        ws->pos += left;
        return p + left;
    }

    mask = ws->head + ws->have - 4;

    while (left--) {
        ws->payload[ws->pos] = *p++ ^ mask[ws->pos & 3];
        ws->pos++;
    }

    return p;
}
