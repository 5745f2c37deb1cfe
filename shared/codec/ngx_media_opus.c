
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: OpusHead and packet duration.  See ngx_media_opus.h.
 * Sources: RFC 7845 5.1, RFC 6716 3.1, 3.2.
 */


#include "ngx_media_opus.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_OPUS_HEAD_SIZE    19
#define NGX_MEDIA_OPUS_MAX_SAMPLES  5760     /* 120 ms */


const u_char *
ngx_media_opus_head_parse(const u_char *pos, const u_char *end,
    ngx_media_opus_head_t *out)
{
    size_t  size;

    memset(out, 0, sizeof(ngx_media_opus_head_t));

    /* the major part of the version must be 0 */

    if ((size_t) (end - pos) < NGX_MEDIA_OPUS_HEAD_SIZE
        || memcmp(pos, "OpusHead", 8) != 0 || pos[8] > 15 || pos[9] == 0)
    {
        return NULL;
    }

    out->version = pos[8];
    out->channels = pos[9];
    out->pre_skip = (uint16_t) (pos[11] << 8 | pos[10]);
    out->input_rate = ngx_media_get_le32(pos + 12);
    out->gain = (int16_t) (uint16_t) (pos[17] << 8 | pos[16]);
    out->mapping = pos[18];

    size = NGX_MEDIA_OPUS_HEAD_SIZE;

    if (out->mapping) {
        size += 2u + out->channels;

    } else if (out->channels > 2) {
        return NULL;
    }

    if ((size_t) (end - pos) < size) {
        return NULL;
    }

    return pos + size;
}


u_char *
ngx_media_opus_head_write(u_char *p, unsigned channels, unsigned pre_skip,
    uint32_t input_rate)
{
    p = ngx_media_put(p, "OpusHead\x01", 9);
    *p++ = (u_char) channels;
    *p++ = (u_char) pre_skip;
    *p++ = (u_char) (pre_skip >> 8);
    p = ngx_media_put_le32(p, input_rate);

    return ngx_media_put(p, "\0\0\0", 3);
}


uint32_t
ngx_media_opus_samples(const u_char *pos, const u_char *end)
{
    unsigned  config, frames;
    uint32_t  size;

    if (pos == end) {
        return 0;
    }

    config = *pos >> 3;

    if (config < 12) {                       /* SILK: 10, 20, 40, 60 ms */
        size = (config & 3) == 3 ? 2880 : 480u << (config & 3);

    } else if (config < 16) {                /* hybrid: 10, 20 ms */
        size = 480u << (config & 1);

    } else {                                 /* CELT: 2.5, 5, 10, 20 ms */
        size = 120u << (config & 3);
    }

    switch (*pos & 3) {

    case 0:
        frames = 1;
        break;

    case 3:

        if (end - pos < 2) {
            return 0;
        }

        frames = pos[1] & 0x3f;
        break;

    default:
        frames = 2;
        break;
    }

    size *= frames;

    return size > NGX_MEDIA_OPUS_MAX_SAMPLES ? 0 : size;
}
