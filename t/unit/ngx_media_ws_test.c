
/*
 * Copyright (C) the nginx media suite authors
 *
 * WebSocket: headers of every size, the examples of RFC 6455 5.7, what a
 * client may send and what it may not, cut off at every byte.
 */


#include "ngx_media_test.h"
#include "ngx_media_ws.h"


static u_char  buf[128];


static size_t
bytes(const char *s)
{
    return ngx_media_test_hex(s, buf, sizeof(buf));
}


static void
ngx_media_ws_test_header(void)
{
    u_char  out[NGX_MEDIA_WS_HEADER_MAX], *p;
    size_t  n;

    p = ngx_media_ws_header(out, NGX_MEDIA_WS_BINARY, 125);
    n = bytes("82 7d");
    is_mem(out, p - out, buf, n, "7 bits");

    p = ngx_media_ws_header(out, NGX_MEDIA_WS_BINARY, 126);
    n = bytes("82 7e 00 7e");
    is_mem(out, p - out, buf, n, "16 bits");

    p = ngx_media_ws_header(out, NGX_MEDIA_WS_BINARY, 65535);
    n = bytes("82 7e ff ff");
    is_mem(out, p - out, buf, n, "the most of them");

    p = ngx_media_ws_header(out, NGX_MEDIA_WS_BINARY, 65536);
    n = bytes("82 7f 00 00 00 00 00 01 00 00");
    is_mem(out, p - out, buf, n, "64 bits");
}


/* the frames of s as a whole, then byte by byte; what the last call said */

static int
parse(ngx_media_ws_t *ws, const char *s)
{
    int            rc, whole;
    size_t         i, n;
    const u_char  *p;

    n = bytes(s);

    memset(ws, 0, sizeof(ngx_media_ws_t));
    p = buf;
    whole = ngx_media_ws_parse(ws, &p, buf + n);

    if (whole == NGX_MEDIA_OK && p != buf + n) {
        whole = ngx_media_ws_parse(ws, &p, buf + n);
    }

    memset(ws, 0, sizeof(ngx_media_ws_t));
    rc = NGX_MEDIA_AGAIN;

    for (i = 0; i < n; i++) {
        p = buf + i;
        rc = ngx_media_ws_parse(ws, &p, buf + i + 1);

        if (rc == NGX_MEDIA_ERROR) {
            break;
        }
    }

    return rc == whole ? rc : -100;
}


static void
ngx_media_ws_test_parse(void)
{
    ngx_media_ws_t  ws;

    ok(parse(&ws, "89 85 37 fa 21 3d 7f 9f 4d 51 58") == NGX_MEDIA_OK
       && ws.opcode == NGX_MEDIA_WS_PING && ws.size == 5
       && memcmp(ws.payload, "Hello", 5) == 0, "ping");
    ok(parse(&ws, "88 82 01 02 03 04 02 ea") == NGX_MEDIA_OK
       && ws.opcode == NGX_MEDIA_WS_CLOSE && ws.size == 2
       && ws.payload[0] == 0x03 && ws.payload[1] == 0xe8, "close");
    ok(parse(&ws, "88 80 01 02 03 04") == NGX_MEDIA_OK && ws.size == 0,
       "close without a status");
    ok(parse(&ws, "81 85 37 fa 21 3d 7f 9f 4d 51 58") == NGX_MEDIA_AGAIN,
       "text is skipped");
    ok(parse(&ws, "01 81 00 00 00 00 61 89 80 00 00 00 00") == NGX_MEDIA_OK
       && ws.opcode == NGX_MEDIA_WS_PING, "ping inside a message");
    ok(parse(&ws, "01 81 00 00 00 00 61 80 81 00 00 00 00 62")
       == NGX_MEDIA_AGAIN, "a message of two frames");
    ok(parse(&ws, "82 fe 00 01 00 00 00 00 61") == NGX_MEDIA_AGAIN,
       "a size longer than it must be");
}


static void
ngx_media_ws_test_bad(void)
{
    size_t          i;
    ngx_media_ws_t  ws;

    static const struct {
        const char  *hex;
        unsigned     status;
        const char  *what;
    } bad[] = {
        { "81 05 48 65 6c 6c 6f", 1002, "not masked" },
        { "89 00", 1002, "not masked, empty" },
        { "c1 85 00 00 00 00", 1002, "reserved bit" },
        { "83 80 00 00 00 00", 1002, "unknown opcode" },
        { "8b 80 00 00 00 00", 1002, "unknown control" },
        { "09 80 00 00 00 00", 1002, "control in fragments" },
        { "89 fe 00 7e 00 00 00 00", 1002, "control too large" },
        { "88 81 00 00 00 00 03", 1002, "half a status" },
        { "80 80 00 00 00 00", 1002, "nothing to go on with" },
        { "01 80 00 00 00 00 01 80 00 00 00 00", 1002, "message in another" },
        { "82 ff 00 00 00 00 00 01 00 01 00 00 00 00", 1009, "large" },
        { "82 ff ff ff ff ff ff ff ff ff 00 00 00 00", 1009, "huge" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(parse(&ws, bad[i].hex) == NGX_MEDIA_ERROR
           && ws.status == bad[i].status, "%s", bad[i].what);
    }
}


int
main(void)
{
    ngx_media_ws_test_header();
    ngx_media_ws_test_parse();
    ngx_media_ws_test_bad();

    return done_testing();
}
