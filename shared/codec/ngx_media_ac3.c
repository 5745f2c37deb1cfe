
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: AC-3 and E-AC-3 syncframe header.  See ngx_media_ac3.h.
 * Sources: ETSI TS 102 366 4.3, 4.4.1, 4.4.2, E.1.2.2, E.1.3.1.
 */


#include "ngx_media_ac3.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"


static int ngx_media_ac3_basic(ngx_media_bits_t *b, ngx_media_ac3_t *out);
static int ngx_media_ac3_enhanced(ngx_media_bits_t *b, ngx_media_ac3_t *out);


static const uint16_t  ngx_media_ac3_frequencies[] = { 48000, 44100, 32000 };


const u_char *
ngx_media_ac3_parse(const u_char *pos, const u_char *end,
    ngx_media_ac3_t *out)
{
    int               rc;
    ngx_media_bits_t  b;

    static const uint8_t  channels[8] = { 2, 1, 2, 3, 3, 4, 4, 5 };

    memset(out, 0, sizeof(ngx_media_ac3_t));

    if ((size_t) (end - pos) < 8 || pos[0] != 0x0b || pos[1] != 0x77) {
        return NULL;
    }

    out->bsid = pos[5] >> 3;

    if (out->bsid > 16) {
        return NULL;
    }

    ngx_media_bits_init(&b, pos + 2, end);

    out->eac3 = out->bsid > 10;

    rc = out->eac3 ? ngx_media_ac3_enhanced(&b, out)
                   : ngx_media_ac3_basic(&b, out);

    if (rc != 0 || ngx_media_bits_eof(&b)) {
        return NULL;
    }

    out->channels = (uint8_t) (channels[out->acmod] + out->lfe);

    return b.pos;
}


static int
ngx_media_ac3_basic(ngx_media_bits_t *b, ngx_media_ac3_t *out)
{
    unsigned  frequency, code, kbits, shift;

    static const uint16_t  rates[] = {
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160,
        192, 224, 256, 320, 384, 448, 512, 576, 640
    };

    ngx_media_bits_skip(b, 16);              /* crc1 */
    frequency = ngx_media_bits_u(b, 2);
    code = ngx_media_bits_u(b, 6);
    ngx_media_bits_skip(b, 5 + 3);           /* bsid, bsmod */
    out->acmod = (uint8_t) ngx_media_bits_u(b, 3);

    if ((out->acmod & 1) && out->acmod != 1) {
        ngx_media_bits_skip(b, 2);           /* cmixlev */
    }

    if (out->acmod & 4) {
        ngx_media_bits_skip(b, 2);           /* surmixlev */
    }

    if (out->acmod == 2) {
        ngx_media_bits_skip(b, 2);           /* dsurmod */
    }

    out->lfe = (uint8_t) ngx_media_bits_flag(b);

    if (frequency == 3 || code > 37) {
        return -1;
    }

    kbits = rates[code >> 1];
    shift = out->bsid > 8 ? out->bsid - 8u : 0;

    out->sample_rate = (uint32_t) ngx_media_ac3_frequencies[frequency]
                       >> shift;
    out->bitrate = kbits * 1000 >> shift;
    out->samples = 1536;

    switch (frequency) {

    case 0:
        out->frame_size = (uint16_t) (kbits * 4);
        break;

    case 1:
        out->frame_size = (uint16_t) ((kbits * 320 / 147 + (code & 1)) * 2);
        break;

    default:
        out->frame_size = (uint16_t) (kbits * 6);
        break;
    }

    return 0;
}


static int
ngx_media_ac3_enhanced(ngx_media_bits_t *b, ngx_media_ac3_t *out)
{
    unsigned  frequency, blocks;

    static const uint8_t  counts[4] = { 1, 2, 3, 6 };

    out->stream_type = (uint8_t) ngx_media_bits_u(b, 2);
    ngx_media_bits_skip(b, 3);               /* substreamid */
    out->frame_size = (uint16_t) ((ngx_media_bits_u(b, 11) + 1) * 2);

    frequency = ngx_media_bits_u(b, 2);
    blocks = ngx_media_bits_u(b, 2);

    if (frequency == 3) {

        /* blocks holds the code of the halved rate */

        if (blocks == 3) {
            return -1;
        }

        out->sample_rate = ngx_media_ac3_frequencies[blocks] / 2u;
        out->samples = 1536;

    } else {
        out->sample_rate = ngx_media_ac3_frequencies[frequency];
        out->samples = (uint16_t) (256u * counts[blocks]);
    }

    out->acmod = (uint8_t) ngx_media_bits_u(b, 3);
    out->lfe = (uint8_t) ngx_media_bits_flag(b);

    return out->stream_type == 3 ? -1 : 0;
}
