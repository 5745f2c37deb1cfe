
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: FLAC STREAMINFO.  See ngx_media_flac.h.
 * Source: RFC 9639 6, 8.1, 8.2, 9.1.
 */


#include "ngx_media_flac.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_FLAC_INFO_SIZE  34


const u_char *
ngx_media_flac_parse(const u_char *pos, const u_char *end,
    ngx_media_flac_t *out)
{
    ngx_media_bits_t  b;

    memset(out, 0, sizeof(ngx_media_flac_t));

    if ((size_t) (end - pos) >= 4 && memcmp(pos, "fLaC", 4) == 0) {
        pos += 4;
    }

    /* block type 0 and its size; a bare one has blocks of 16 at least */

    if ((size_t) (end - pos) >= 4 && (pos[0] & 0x7f) == 0
        && ngx_media_get_be24(pos + 1) == NGX_MEDIA_FLAC_INFO_SIZE)
    {
        pos += 4;
    }

    if ((size_t) (end - pos) < NGX_MEDIA_FLAC_INFO_SIZE) {
        return NULL;
    }

    ngx_media_bits_init(&b, pos, end);

    out->min_block = (uint16_t) ngx_media_bits_u(&b, 16);
    out->max_block = (uint16_t) ngx_media_bits_u(&b, 16);
    ngx_media_bits_skip(&b, 24 + 24);        /* frame sizes */
    out->sample_rate = ngx_media_bits_u(&b, 20);
    out->channels = (uint8_t) (ngx_media_bits_u(&b, 3) + 1);
    out->bits = (uint8_t) (ngx_media_bits_u(&b, 5) + 1);
    out->samples = ngx_media_bits_u64(&b, 36);

    if (out->sample_rate == 0 || out->max_block < 16) {
        return NULL;
    }

    return pos + NGX_MEDIA_FLAC_INFO_SIZE;
}


uint32_t
ngx_media_flac_samples(const u_char *pos, const u_char *end)
{
    unsigned  code, lead, n;

    if ((size_t) (end - pos) < 5
        || pos[0] != 0xff || (pos[1] & 0xfe) != 0xf8)
    {
        return 0;
    }

    code = pos[2] >> 4;

    if (code >= 8) {
        return 256u << (code - 8);
    }

    if (code == 0) {
        return 0;
    }

    if (code == 1) {
        return 192;
    }

    if (code < 6) {
        return 576u << (code - 2);
    }

    /* behind the coded number, which is written as UTF-8 */

    lead = pos[4];

    for (n = 0; n < 7 && (lead & (0x80u >> n)); n++) { /* void */ }

    if (n == 0) {
        n = 1;
    }

    pos += 4 + n;

    if (pos >= end || (size_t) (end - pos) < code - 5) {
        return 0;
    }

    return code == 6 ? pos[0] + 1u : ngx_media_get_be16(pos) + 1u;
}
