
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG audio frame header.  See ngx_media_mp3.h.
 * Sources: ISO/IEC 11172-3 2.4.1.3, 2.4.2.3; ISO/IEC 13818-3 2.4.2.3.
 */


#include "ngx_media_mp3.h"


static const uint16_t  ngx_media_mp3_rates[5][15] = {

    /* MPEG 1, layers 1, 2, 3; MPEG 2 and 2.5, layer 1, layers 2 and 3 */

    { 0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448 },
    { 0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384 },
    { 0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 },
    { 0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256 },
    { 0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 }
};


const u_char *
ngx_media_mp3_parse(const u_char *pos, const u_char *end,
    ngx_media_mp3_t *out)
{
    unsigned  version, layer, rate, frequency, padding, row;

    static const uint16_t  frequencies[3] = { 44100, 48000, 32000 };

    if ((size_t) (end - pos) < NGX_MEDIA_MP3_HEADER_SIZE
        || pos[0] != 0xff || (pos[1] & 0xe0) != 0xe0)
    {
        return NULL;
    }

    version = (pos[1] >> 3) & 3;             /* 0: 2.5, 2: 2, 3: 1 */
    layer = 4 - ((pos[1] >> 1) & 3);
    rate = pos[2] >> 4;
    frequency = (pos[2] >> 2) & 3;
    padding = (pos[2] >> 1) & 1;

    if (version == 1 || layer == 4 || rate == 15 || frequency == 3) {
        return NULL;
    }

    out->version = version == 3 ? 1 : version == 2 ? 2 : 3;
    out->layer = (uint8_t) layer;
    out->crc = !(pos[1] & 1);
    out->channels = (pos[3] >> 6) == 3 ? 1 : 2;
    out->sample_rate = frequencies[frequency] >> (out->version - 1);

    row = out->version == 1 ? layer - 1 : layer == 1 ? 3 : 4;

    out->bitrate = ngx_media_mp3_rates[row][rate] * 1000u;

    if (layer == 1) {
        out->samples = 384;
        out->frame_size = (uint16_t)
                          ((12 * out->bitrate / out->sample_rate + padding)
                           * 4);

    } else {
        out->samples = layer == 3 && out->version != 1 ? 576 : 1152;
        out->frame_size = (uint16_t)
                          (out->samples / 8 * out->bitrate / out->sample_rate
                           + padding);
    }

    if (out->bitrate == 0) {
        out->frame_size = 0;
    }

    return pos + NGX_MEDIA_MP3_HEADER_SIZE;
}
