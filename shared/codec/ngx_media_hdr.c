
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: static HDR metadata.  See ngx_media_hdr.h.
 * Sources: H.264 7.3.2.3.1, D.1.29, D.1.31; H.265 7.3.5, D.2.28, D.2.35;
 * AV1 bitstream specification 5.8.1 to 5.8.4, 6.7.3, 6.7.4.
 */


#include "ngx_media_codec.h"
#include "ngx_media_hdr.h"
#include "ngx_media_av1.h"
#include "ngx_media_avc.h"
#include "ngx_media_hevc.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_SEI_MDCV           137
#define NGX_MEDIA_SEI_CLLI           144
#define NGX_MEDIA_SEI_MAX            16      /* messages looked at */

#define NGX_MEDIA_AV1_OBU_METADATA   5
#define NGX_MEDIA_AV1_META_CLLI      1
#define NGX_MEDIA_AV1_META_MDCV      2


static void ngx_media_hdr_nals(ngx_media_hdr_t *out, uint8_t codec,
    unsigned nal_size, const u_char *pos, const u_char *end);
static void ngx_media_hdr_sei(ngx_media_hdr_t *out, const u_char *pos,
    const u_char *end);
static uint32_t ngx_media_hdr_sei_number(ngx_media_bits_t *b);
static void ngx_media_hdr_obus(ngx_media_hdr_t *out, const u_char *pos,
    const u_char *end);
static void ngx_media_hdr_av1_mdcv(ngx_media_hdr_t *out, const u_char *p);


void
ngx_media_hdr_frame(ngx_media_hdr_t *out, uint8_t codec, unsigned nal_size,
    const u_char *pos, const u_char *end)
{
    switch (codec) {

    case NGX_MEDIA_CODEC_H264:
    case NGX_MEDIA_CODEC_HEVC:
        ngx_media_hdr_nals(out, codec, nal_size, pos, end);
        break;

    case NGX_MEDIA_CODEC_AV1:
        ngx_media_hdr_obus(out, pos, end);
        break;

    default:
        break;
    }
}


void
ngx_media_hdr_config(ngx_media_hdr_t *out, uint8_t codec, const u_char *pos,
    const u_char *end)
{
    unsigned                 n;
    ngx_media_nal_t          nal;
    ngx_media_av1_config_t   av1;
    ngx_media_hevc_config_t  hevc;

    switch (codec) {

    case NGX_MEDIA_CODEC_HEVC:

        if (ngx_media_hevc_config_parse(pos, end, &hevc) == NULL) {
            break;
        }

        for (n = 0; n < NGX_MEDIA_SEI_MAX; n++) {
            if (ngx_media_hevc_config_set(&hevc, NGX_MEDIA_HEVC_NAL_SEI_PREFIX,
                                          n, &nal)
                != NGX_MEDIA_OK)
            {
                break;
            }

            if (nal.size > 2) {
                ngx_media_hdr_sei(out, nal.data + 2, nal.data + nal.size);
            }
        }

        break;

    case NGX_MEDIA_CODEC_AV1:

        if (ngx_media_av1_config_parse(pos, end, &av1) != NULL) {
            ngx_media_hdr_obus(out, av1.obus, av1.obus_end);
        }

        break;

    default:
        break;
    }
}


static void
ngx_media_hdr_nals(ngx_media_hdr_t *out, uint8_t codec, unsigned nal_size,
    const u_char *pos, const u_char *end)
{
    unsigned         header;
    ngx_media_nal_t  nal;

    header = codec == NGX_MEDIA_CODEC_H264 ? 1 : 2;

    while (pos != end) {
        pos = ngx_media_nal_next(pos, end, nal_size, &nal);

        if (pos == NULL) {
            return;
        }

        if (nal.size <= header) {
            continue;
        }

        if (header == 1
            ? ngx_media_avc_nal_type(nal.data[0]) == NGX_MEDIA_AVC_NAL_SEI
            : ngx_media_hevc_nal_type(nal.data[0])
              == NGX_MEDIA_HEVC_NAL_SEI_PREFIX)
        {
            ngx_media_hdr_sei(out, nal.data + header, nal.data + nal.size);
        }
    }
}


/* sei_rbsp() behind the NAL header */

static void
ngx_media_hdr_sei(ngx_media_hdr_t *out, const u_char *pos, const u_char *end)
{
    u_char            body[24];
    uint32_t          type, size, i;
    unsigned          n;
    ngx_media_bits_t  b;

    ngx_media_bits_init_rbsp(&b, pos, end);

    for (n = 0; n < NGX_MEDIA_SEI_MAX; n++) {

        type = ngx_media_hdr_sei_number(&b);
        size = ngx_media_hdr_sei_number(&b);

        if (ngx_media_bits_eof(&b) || size > ngx_media_bits_left(&b) / 8) {
            return;
        }

        if (!(type == NGX_MEDIA_SEI_MDCV && size == sizeof(body))
            && !(type == NGX_MEDIA_SEI_CLLI && size == sizeof(out->clli)))
        {
            ngx_media_bits_skip(&b, (size_t) size * 8);
            continue;
        }

        for (i = 0; i < size; i++) {
            body[i] = (u_char) ngx_media_bits_u(&b, 8);
        }

        if (ngx_media_bits_eof(&b)) {
            return;
        }

        if (type == NGX_MEDIA_SEI_MDCV) {
            memcpy(out->mdcv, body, sizeof(out->mdcv));
            out->has_mdcv = 1;

        } else {
            memcpy(out->clli, body, sizeof(out->clli));
            out->has_clli = 1;
        }
    }
}


/* payload type or size: a chain of 255 and a last byte */

static uint32_t
ngx_media_hdr_sei_number(ngx_media_bits_t *b)
{
    uint32_t  n, byte;

    n = 0;

    do {
        byte = ngx_media_bits_u(b, 8);
        n += byte;

    } while (byte == 255 && n < 0x10000);

    return n;
}


static void
ngx_media_hdr_obus(ngx_media_hdr_t *out, const u_char *pos, const u_char *end)
{
    ngx_media_av1_obu_t  obu;

    while (pos != end) {
        pos = ngx_media_av1_obu_next(pos, end, &obu);

        if (pos == NULL) {
            return;
        }

        if (obu.type != NGX_MEDIA_AV1_OBU_METADATA || obu.size == 0) {
            continue;
        }

        /* the type is a leb128, of one byte where it is one of ours */

        if (obu.data[0] == NGX_MEDIA_AV1_META_CLLI && obu.size >= 1 + 4) {
            memcpy(out->clli, obu.data + 1, sizeof(out->clli));
            out->has_clli = 1;

        } else if (obu.data[0] == NGX_MEDIA_AV1_META_MDCV
                   && obu.size >= 1 + 24)
        {
            ngx_media_hdr_av1_mdcv(out, obu.data + 1);
        }
    }
}


/*
 * AV1 has red, green, blue, 0.16 fixed point; luminance 24.8 and 18.14.
 */

static void
ngx_media_hdr_av1_mdcv(ngx_media_hdr_t *out, const u_char *p)
{
    u_char    *q;
    uint32_t   v;
    unsigned   i;
    uint64_t   max, min;

    static const uint8_t  order[8] = { 2, 3, 4, 5, 0, 1, 6, 7 };

    q = out->mdcv;

    for (i = 0; i < 8; i++) {
        v = ngx_media_get_be16(p + 2 * order[i]);
        q = ngx_media_put_be16(q, (v * 50000 + 32768) >> 16);
    }

    max = ((uint64_t) ngx_media_get_be32(p + 16) * 10000 + 128) >> 8;
    min = ((uint64_t) ngx_media_get_be32(p + 20) * 10000 + 8192) >> 14;

    q = ngx_media_put_be32(q, max > 0xffffffff ? 0xffffffff : (uint32_t) max);
    (void) ngx_media_put_be32(q, min > 0xffffffff ? 0xffffffff
                                                  : (uint32_t) min);

    out->has_mdcv = 1;
}
