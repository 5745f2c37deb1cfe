
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: sample entries: what stsd says of a track.  See ngx_media_mp4.h.
 *
 * ISO/IEC 14496-12 12.1.3 to 12.1.7, 12.2.3; 14496-14 5.6 and 14496-1 7.2.6
 * (esds); 14496-15 5.4, 8.4, 11.3; AV1 codec ISO media file format binding
 * 2.2 and 2.3; VP codec binding; Opus 4.3; FLAC 3.3; ETSI TS 102 366 F.
 */


#include "ngx_media_avc.h"
#include "ngx_media_flac.h"
#include "ngx_media_hevc.h"
#include "ngx_media_mp4_box.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_MP4_UNKNOWN      2         /* colour: unspecified */
#define NGX_MEDIA_MP4_OTI_AAC      0x40
#define NGX_MEDIA_MP4_OTI_MP3      0x6b      /* 11172-3 */
#define NGX_MEDIA_MP4_OTI_MP3_LOW  0x69      /* 13818-3, half the rates */
#define NGX_MEDIA_MP4_AUDIO_STREAM 0x15      /* streamType 5, bit 0 is 1 */
#define NGX_MEDIA_MP4_FLAC_INFO    34        /* STREAMINFO */
#define NGX_MEDIA_MP4_HEVC_HEAD    23        /* hvcC before its arrays */


static uint32_t ngx_media_mp4_entry_type(const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_visual(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_visual_config(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_hvcc(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_colour(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_sound(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_sound_config(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_esds(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_descriptor(ngx_media_mp4_out_t *o, unsigned tag,
    size_t size);
static void ngx_media_mp4_dfla(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_btrt(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);


void
ngx_media_mp4_entry(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t  box;

    box = ngx_media_mp4_begin(o, ngx_media_mp4_entry_type(t));

    ngx_media_mp4_zeros(o, 6);
    ngx_media_mp4_put16(o, 1);               /* data_reference_index */

    if (ngx_media_codec_is_audio(t->codec)) {
        ngx_media_mp4_sound(o, t);

    } else {
        ngx_media_mp4_visual(o, t);
    }

    ngx_media_mp4_btrt(o, t);
    ngx_media_mp4_end(o, box);
}


/* avc1 and hvc1 where the config has parameter sets, else they are in band */

static uint32_t
ngx_media_mp4_entry_type(const ngx_media_mp4_track_t *t)
{
    ngx_media_nal_t          nal;
    ngx_media_avc_config_t   avc;
    ngx_media_hevc_config_t  hevc;

    switch (t->codec) {

    case NGX_MEDIA_CODEC_H264:

        if (ngx_media_avc_config_parse(t->config, t->config_end, &avc) == NULL
            || avc.nsps == 0 || avc.npps == 0)
        {
            return ngx_media_mp4_type('a', 'v', 'c', '3');
        }

        return ngx_media_mp4_type('a', 'v', 'c', '1');

    case NGX_MEDIA_CODEC_HEVC:

        if (ngx_media_hevc_config_parse(t->config, t->config_end, &hevc)
            == NULL
            || ngx_media_hevc_config_set(&hevc, NGX_MEDIA_HEVC_NAL_SPS, 0,
                                         &nal)
               != NGX_MEDIA_OK)
        {
            return ngx_media_mp4_type('h', 'e', 'v', '1');
        }

        return ngx_media_mp4_type('h', 'v', 'c', '1');

    case NGX_MEDIA_CODEC_VVC:
        return ngx_media_mp4_type('v', 'v', 'c', '1');

    case NGX_MEDIA_CODEC_AV1:
        return ngx_media_mp4_type('a', 'v', '0', '1');

    case NGX_MEDIA_CODEC_VP8:
        return ngx_media_mp4_type('v', 'p', '0', '8');

    case NGX_MEDIA_CODEC_VP9:
        return ngx_media_mp4_type('v', 'p', '0', '9');

    case NGX_MEDIA_CODEC_OPUS:
        return ngx_media_mp4_type('O', 'p', 'u', 's');

    case NGX_MEDIA_CODEC_AC3:
        return ngx_media_mp4_type('a', 'c', '-', '3');

    case NGX_MEDIA_CODEC_EAC3:
        return ngx_media_mp4_type('e', 'c', '-', '3');

    case NGX_MEDIA_CODEC_FLAC:
        return ngx_media_mp4_type('f', 'L', 'a', 'C');

    default:
        return ngx_media_mp4_type('m', 'p', '4', 'a');
    }
}


static void
ngx_media_mp4_visual(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t  box;

    ngx_media_mp4_zeros(o, 16);
    ngx_media_mp4_put16(o, t->info.width);
    ngx_media_mp4_put16(o, t->info.height);
    ngx_media_mp4_put32(o, 0x00480000);      /* 72 dpi */
    ngx_media_mp4_put32(o, 0x00480000);
    ngx_media_mp4_put32(o, 0);
    ngx_media_mp4_put16(o, 1);               /* frame_count */
    ngx_media_mp4_zeros(o, 32);              /* compressorname */
    ngx_media_mp4_put16(o, 0x0018);          /* depth: colour */
    ngx_media_mp4_put16(o, 0xffff);

    ngx_media_mp4_visual_config(o, t);

    if (t->sar_width && t->sar_height) {
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('p', 'a', 's', 'p'));
        ngx_media_mp4_put32(o, t->sar_width);
        ngx_media_mp4_put32(o, t->sar_height);
        ngx_media_mp4_end(o, box);
    }

    ngx_media_mp4_colour(o, t);
}


static void
ngx_media_mp4_visual_config(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t)
{
    size_t  box;

    switch (t->codec) {

    case NGX_MEDIA_CODEC_H264:
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('a', 'v', 'c', 'C'));
        break;

    case NGX_MEDIA_CODEC_HEVC:
        ngx_media_mp4_hvcc(o, t);
        return;

    case NGX_MEDIA_CODEC_VVC:
        box = ngx_media_mp4_begin_full(o,
                            ngx_media_mp4_type('v', 'v', 'c', 'C'), 0, 0);
        break;

    case NGX_MEDIA_CODEC_AV1:
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('a', 'v', '1', 'C'));
        break;

    default:
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('v', 'p', 'c', 'C'));
        ngx_media_mp4_put(o, t->box, t->box_size);
        ngx_media_mp4_end(o, box);
        return;
    }

    ngx_media_mp4_put(o, t->config, (size_t) (t->config_end - t->config));
    ngx_media_mp4_end(o, box);
}


/*
 * Its version is 1 whatever the sender wrote, and hvc1 asks for arrays of
 * parameter sets that are complete.
 */

static void
ngx_media_mp4_hvcc(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t                    box;
    unsigned                  i, n, type;
    const u_char             *p, *start;
    ngx_media_nal_t           nal;
    ngx_media_hevc_config_t   config;

    box = ngx_media_mp4_begin(o, ngx_media_mp4_type('h', 'v', 'c', 'C'));

    p = ngx_media_hevc_config_parse(t->config, t->config_end, &config);

    if (p == NULL) {
        ngx_media_mp4_end(o, box);
        return;
    }

    ngx_media_mp4_put8(o, 1);
    ngx_media_mp4_put(o, t->config + 1, NGX_MEDIA_MP4_HEVC_HEAD - 1);

    p = config.arrays;

    for (i = 0; i < config.narrays; i++) {
        start = p;
        type = p[0] & 0x3fu;
        n = ngx_media_get_be16(p + 1);
        p += 3;

        while (n--) {
            p = ngx_media_nal_next_set(p, config.arrays_end, &nal);

            if (p == NULL) {
                ngx_media_mp4_end(o, box);
                return;
            }
        }

        ngx_media_mp4_put8(o, type < NGX_MEDIA_HEVC_NAL_VPS
                              || type > NGX_MEDIA_HEVC_NAL_PPS
                              ? start[0] : start[0] | 0x80u);
        ngx_media_mp4_put(o, start + 1, (size_t) (p - start - 1));
    }

    ngx_media_mp4_end(o, box);
}


static void
ngx_media_mp4_colour(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t                         box;
    const ngx_media_codec_info_t  *info;

    info = &t->info;

    if ((info->color_primaries && info->color_primaries
                                  != NGX_MEDIA_MP4_UNKNOWN)
        || (info->color_transfer && info->color_transfer
                                    != NGX_MEDIA_MP4_UNKNOWN)
        || (info->color_matrix && info->color_matrix
                                  != NGX_MEDIA_MP4_UNKNOWN))
    {
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('c', 'o', 'l', 'r'));
        ngx_media_mp4_put32(o, ngx_media_mp4_type('n', 'c', 'l', 'x'));
        ngx_media_mp4_put16(o, info->color_primaries);
        ngx_media_mp4_put16(o, info->color_transfer);
        ngx_media_mp4_put16(o, info->color_matrix);
        ngx_media_mp4_put8(o, info->color_full_range ? 0x80 : 0);
        ngx_media_mp4_end(o, box);
    }

    if (t->hdr.has_mdcv) {
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('m', 'd', 'c', 'v'));
        ngx_media_mp4_put(o, t->hdr.mdcv, sizeof(t->hdr.mdcv));
        ngx_media_mp4_end(o, box);
    }

    if (t->hdr.has_clli) {
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('c', 'l', 'l', 'i'));
        ngx_media_mp4_put(o, t->hdr.clli, sizeof(t->hdr.clli));
        ngx_media_mp4_end(o, box);
    }
}


/* A rate beyond 16 bits is halved until it fits, which decoders expect. */

static void
ngx_media_mp4_sound(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    uint32_t  rate;

    rate = t->timescale;

    while (rate > 65535) {
        rate /= 2;
    }

    ngx_media_mp4_zeros(o, 8);
    ngx_media_mp4_put16(o, t->info.channels ? t->info.channels : 2);
    ngx_media_mp4_put16(o, t->codec == NGX_MEDIA_CODEC_FLAC
                           && t->info.bit_depth ? t->info.bit_depth : 16);
    ngx_media_mp4_put32(o, 0);
    ngx_media_mp4_put32(o, rate << 16);

    ngx_media_mp4_sound_config(o, t);
}


static void
ngx_media_mp4_sound_config(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t)
{
    size_t  box;

    switch (t->codec) {

    case NGX_MEDIA_CODEC_OPUS:
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('d', 'O', 'p', 's'));
        ngx_media_mp4_put(o, t->box, t->box_size);

        /* the mapping table: streams, coupled, one byte for each channel */

        if (t->box_size && t->box[t->box_size - 1]) {
            ngx_media_mp4_put(o, t->config + 19, 2u + t->info.channels);
        }

        break;

    case NGX_MEDIA_CODEC_AC3:
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('d', 'a', 'c', '3'));
        ngx_media_mp4_put(o, t->box, t->box_size);
        break;

    case NGX_MEDIA_CODEC_EAC3:
        box = ngx_media_mp4_begin(o, ngx_media_mp4_type('d', 'e', 'c', '3'));
        ngx_media_mp4_put(o, t->box, t->box_size);
        break;

    case NGX_MEDIA_CODEC_FLAC:
        ngx_media_mp4_dfla(o, t);
        return;

    default:
        ngx_media_mp4_esds(o, t);
        return;
    }

    ngx_media_mp4_end(o, box);
}


static void
ngx_media_mp4_esds(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t    box, specific, config;
    unsigned  type;

    specific = 0;
    type = t->info.sample_rate >= 32000 ? NGX_MEDIA_MP4_OTI_MP3
                                        : NGX_MEDIA_MP4_OTI_MP3_LOW;

    if (t->codec == NGX_MEDIA_CODEC_AAC) {
        specific = (size_t) (t->config_end - t->config);
        type = NGX_MEDIA_MP4_OTI_AAC;
    }

    config = 13 + (specific ? 5 + specific : 0);

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('e', 's', 'd', 's'),
                                   0, 0);

    ngx_media_mp4_descriptor(o, 3, 3 + 5 + config + 5 + 1);
    ngx_media_mp4_put16(o, 0);               /* ES_ID */
    ngx_media_mp4_put8(o, 0);

    ngx_media_mp4_descriptor(o, 4, config);
    ngx_media_mp4_put8(o, type);
    ngx_media_mp4_put8(o, NGX_MEDIA_MP4_AUDIO_STREAM);
    ngx_media_mp4_zeros(o, 3);               /* bufferSizeDB */
    ngx_media_mp4_put32(o, t->bitrate);
    ngx_media_mp4_put32(o, t->bitrate);

    if (specific) {
        ngx_media_mp4_descriptor(o, 5, specific);
        ngx_media_mp4_put(o, t->config, specific);
    }

    ngx_media_mp4_descriptor(o, 6, 1);
    ngx_media_mp4_put8(o, 2);

    ngx_media_mp4_end(o, box);
}


/* Tag and size of a descriptor, the size in four bytes: 28 bits. */

static void
ngx_media_mp4_descriptor(ngx_media_mp4_out_t *o, unsigned tag, size_t size)
{
    ngx_media_mp4_put8(o, tag);
    ngx_media_mp4_put8(o, 0x80 | (uint32_t) (size >> 21 & 0x7f));
    ngx_media_mp4_put8(o, 0x80 | (uint32_t) (size >> 14 & 0x7f));
    ngx_media_mp4_put8(o, 0x80 | (uint32_t) (size >> 7 & 0x7f));
    ngx_media_mp4_put8(o, (uint32_t) (size & 0x7f));
}


/* STREAMINFO alone, the last metadata block. */

static void
ngx_media_mp4_dfla(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t             box;
    const u_char      *p;
    ngx_media_flac_t   flac;

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('d', 'f', 'L', 'a'),
                                   0, 0);

    p = ngx_media_flac_parse(t->config, t->config_end, &flac);

    if (p != NULL) {
        ngx_media_mp4_put32(o, 0x80000000 | NGX_MEDIA_MP4_FLAC_INFO);
        ngx_media_mp4_put(o, p - NGX_MEDIA_MP4_FLAC_INFO,
                          NGX_MEDIA_MP4_FLAC_INFO);
    }

    ngx_media_mp4_end(o, box);
}


static void
ngx_media_mp4_btrt(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t  box;

    if (t->bitrate == 0) {
        return;
    }

    box = ngx_media_mp4_begin(o, ngx_media_mp4_type('b', 't', 'r', 't'));
    ngx_media_mp4_put32(o, 0);               /* bufferSizeDB: not told */
    ngx_media_mp4_put32(o, t->bitrate);
    ngx_media_mp4_put32(o, t->bitrate);
    ngx_media_mp4_end(o, box);
}
