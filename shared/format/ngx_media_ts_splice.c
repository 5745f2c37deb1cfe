
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: packets for a reader that jumps, see ngx_media_ts_splice.h.
 *
 * Counters are the reader's own, for each PID of the muxer.  A jump is seen
 * by the clock: the muxer writes a PCR each 40 ms of the stream and fills
 * silence up to 5 s.  Only the upper 32 of its 33 bits are looked at.
 */


#include "ngx_media_bytes.h"
#include "ngx_media_ts_mux.h"
#include "ngx_media_ts_splice.h"


#define NGX_MEDIA_TS_SPLICE_HZ     45000
#define NGX_MEDIA_TS_SPLICE_JUMP   (NGX_MEDIA_TS_SPLICE_HZ / 2)

#define NGX_MEDIA_TS_PAYLOAD       0x10     /* adaptation_field_control */
#define NGX_MEDIA_TS_ADAPTATION    0x20


static void ngx_media_ts_splice_clock(ngx_media_ts_splice_t *s, u_char *p);


void
ngx_media_ts_splice(ngx_media_ts_splice_t *s, u_char *p, size_t n)
{
    uint8_t   *cc;
    unsigned   pid;

    for ( /* void */ ; n >= NGX_MEDIA_TS_PACKET; n -= NGX_MEDIA_TS_PACKET) {

        pid = ngx_media_get_be16(p + 1) & 0x1fff;

        if (pid - NGX_MEDIA_TS_MUX_PID < NGX_MEDIA_MAX_TRACKS) {
            cc = &s->cc[pid - NGX_MEDIA_TS_MUX_PID];

        } else if (pid == NGX_MEDIA_TS_PID_PAT) {
            cc = &s->cc[NGX_MEDIA_MAX_TRACKS];

        } else {
            cc = &s->cc[NGX_MEDIA_MAX_TRACKS + 1];
        }

        /* without payload a packet has the counter of the one before */

        if (p[3] & NGX_MEDIA_TS_PAYLOAD) {
            p[3] = (u_char) ((p[3] & 0xf0) | *cc);
            *cc = (*cc + 1) & 15;

        } else {
            p[3] = (u_char) ((p[3] & 0xf0) | ((*cc - 1) & 15));
        }

        if ((p[3] & NGX_MEDIA_TS_ADAPTATION) && p[4] >= 7
            && (p[5] & NGX_MEDIA_TS_AF_PCR))
        {
            ngx_media_ts_splice_clock(s, p);
        }

        p += NGX_MEDIA_TS_PACKET;
    }
}


static void
ngx_media_ts_splice_clock(ngx_media_ts_splice_t *s, u_char *p)
{
    uint32_t  pcr, step;

    pcr = ngx_media_get_be32(p + 6);
    step = pcr - s->pcr;

    s->pcr = pcr;

    if (!s->clocked) {
        s->clocked = 1;
        return;
    }

    if (step <= NGX_MEDIA_TS_SPLICE_JUMP) {
        s->passed += (int64_t) step * 1000000 / NGX_MEDIA_TS_SPLICE_HZ;
        return;
    }

    p[5] |= NGX_MEDIA_TS_AF_BREAK;
    s->jumps++;
}
