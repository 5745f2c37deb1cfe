
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: WebSocket (RFC 6455) as a server speaks it to clients that have little
 * to say: frame headers out, and a parser that hands control frames over,
 * skips data and refuses what the RFC forbids.  No extension is known.
 *
 * The parser is incremental; its state is the caller's, starts zeroed, has no
 * pointers and needs no end.
 */


#ifndef _NGX_MEDIA_WS_H_INCLUDED_
#define _NGX_MEDIA_WS_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_rc.h"


#define NGX_MEDIA_WS_CONTINUATION   0x0
#define NGX_MEDIA_WS_TEXT           0x1
#define NGX_MEDIA_WS_BINARY         0x2
#define NGX_MEDIA_WS_CLOSE          0x8
#define NGX_MEDIA_WS_PING           0x9
#define NGX_MEDIA_WS_PONG           0xa

#define NGX_MEDIA_WS_NORMAL         1000
#define NGX_MEDIA_WS_PROTOCOL       1002
#define NGX_MEDIA_WS_TOO_BIG        1009

#define NGX_MEDIA_WS_HEADER_MAX     10       /* bytes, without a mask */
#define NGX_MEDIA_WS_CONTROL_MAX    125      /* payload of a control frame */
#define NGX_MEDIA_WS_DATA_MAX       65536    /* bytes of a client's message */

#define NGX_MEDIA_WS_KEY_SIZE       24       /* Sec-WebSocket-Key */

#define NGX_MEDIA_WS_GUID           "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


typedef struct {
    u_char     head[14];        /* header as it came */
    uint8_t    have;            /* bytes of it */
    uint8_t    opcode;          /* of the frame that was read last */
    uint8_t    size;            /* of payload */
    uint8_t    inside;          /* header is complete, payload is read */
    uint8_t    fragmented;      /* a message is not yet finished */
    uint16_t   status;          /* for the close frame, after ERROR */
    uint32_t   message;         /* bytes of the message so far */
    uint32_t   pos;             /* bytes of the frame's payload so far */
    uint32_t   length;          /* of the frame's payload */
    u_char     payload[NGX_MEDIA_WS_CONTROL_MAX];
} ngx_media_ws_t;


/*
 * Writes the header of an unfragmented, unmasked frame with size bytes of
 * payload (5.2): up to NGX_MEDIA_WS_HEADER_MAX bytes.  Returns the end.
 */
u_char *ngx_media_ws_header(u_char *p, unsigned opcode, size_t size);

/*
 * Reads what a client sent, from *pos on, which moves.  Returns NGX_MEDIA_OK:
 * a control frame is complete, its opcode, payload and size are in ws until
 * the next call; NGX_MEDIA_AGAIN: all was read; NGX_MEDIA_ERROR: it breaks
 * the protocol, status says how, and ws is of no more use.
 */
int ngx_media_ws_parse(ngx_media_ws_t *ws, const u_char **pos,
    const u_char *end);


#endif /* _NGX_MEDIA_WS_H_INCLUDED_ */
