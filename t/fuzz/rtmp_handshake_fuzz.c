
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: the RTMP handshake of both sides.  The first byte chooses the
 * side, the kind and the size of the pieces in which the rest arrives.
 */


#include <stdlib.h>

#include "ngx_media_bytes.h"
#include "ngx_media_rtmp_handshake.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                          rc;
    size_t                       n, piece;
    u_char                      *buf, *in;
    const u_char                *pos;
    ngx_media_rtmp_handshake_t   hs;

    static const size_t  pieces[] = { 1, 7, 100, 1536, 1537, 3000, 3073, 9999 };
    static const u_char  random[NGX_MEDIA_RTMP_RANDOM_SIZE];

    if (size == 0) {
        return 0;
    }

    buf = malloc(NGX_MEDIA_RTMP_HANDSHAKE_BUF);
    piece = pieces[data[0] & 7];

    if (data[0] & 0x80) {
        ngx_media_rtmp_handshake_client(&hs, buf, random,
                                        (data[0] >> 3) % 3, 1);
    } else {
        ngx_media_rtmp_handshake_server(&hs, buf, random);
    }

    data++;
    size--;
    rc = NGX_MEDIA_RTMP_HS_AGAIN;

    while (size && rc > 0) {
        n = size < piece ? size : piece;

        in = malloc(n);
        memcpy(in, data, n);
        pos = in;

        do {
            rc = ngx_media_rtmp_handshake(&hs, &pos, in + n, 2);

            if (rc == NGX_MEDIA_RTMP_HS_SEND
                && (hs.out < buf
                    || hs.out + hs.out_len
                       > buf + NGX_MEDIA_RTMP_HANDSHAKE_BUF))
            {
                abort();
            }

        } while (rc == NGX_MEDIA_RTMP_HS_SEND);

        if (rc == NGX_MEDIA_RTMP_HS_AGAIN
            && (pos != in + n || ngx_media_rtmp_handshake_need(&hs) == 0))
        {
            abort();
        }

        free(in);

        data += n;
        size -= n;
    }

    free(buf);

    return 0;
}
