
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: datagrams of MPEG-TS.  The input is a row of datagrams, each
 * behind two bytes of length; a length of 0 flushes.  What is handed out lies
 * in the datagram or in the window, numbers never go backwards, and what is
 * counted as waiting waits.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_rc.h"
#include "ngx_media_rtp_ts.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static int
fuzz_payload(void *ctx, const u_char *pos, const u_char *end)
{
    unsigned  *sum = ctx;

    while (pos < end) {
        *sum += *pos++;
    }

    return NGX_MEDIA_OK;
}


static void
fuzz_datagram(ngx_media_rtp_ts_t *rtp, unsigned *part, const u_char *pos,
    const u_char *end)
{
    unsigned                    i, n;
    ngx_media_rtp_ts_kind_e     kind;
    ngx_media_rtp_ts_packet_t   packet;

    kind = ngx_media_rtp_ts_kind(pos, end);

    if ((!ngx_media_rtp_ts_follows(part, pos, end)
         && kind == NGX_MEDIA_RTP_TS_RAW)
        || *part > 187)
    {
        abort();
    }

    if (ngx_media_rtp_ts_parse(&packet, pos, end) != NGX_MEDIA_OK) {

        if (kind == NGX_MEDIA_RTP_TS_RTP) {
            abort();
        }

        return;
    }

    if (packet.pos > packet.end || packet.pos < pos || packet.end > end
        || ngx_media_rtp_ts_input(rtp, &packet) != NGX_MEDIA_OK)
    {
        abort();
    }

    for (n = 0, i = 0; i < NGX_MEDIA_RTP_TS_WINDOW; i++) {
        n += rtp->slots[i].size ? 1 : 0;
    }

    if (n != rtp->waiting
        || (n && rtp->slots[rtp->next % NGX_MEDIA_RTP_TS_WINDOW].size))
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               n;
    u_char              *copy;
    unsigned             sum, part;
    ngx_media_rtp_ts_t  *rtp;

    rtp = malloc(sizeof(ngx_media_rtp_ts_t));

    if (rtp == NULL) {
        abort();
    }

    sum = 0;
    part = 0;
    ngx_media_rtp_ts_init(rtp, fuzz_payload, &sum);

    while (size >= 2) {
        n = (size_t) data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        n = n > size ? size : n;

        if (n == 0) {
            (void) ngx_media_rtp_ts_flush(rtp);

            if (rtp->waiting) {
                abort();
            }

            continue;
        }

        copy = malloc(n);

        if (copy == NULL) {
            abort();
        }

        memcpy(copy, data, n);
        fuzz_datagram(rtp, &part, copy, copy + n);
        free(copy);

        data += n;
        size -= n;
    }

    free(rtp);

    return 0;
}
