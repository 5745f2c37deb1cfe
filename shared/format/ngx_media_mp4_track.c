
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: what the init segment says of a track, from its codec config and one
 * of its frames.  See ngx_media_mp4.h.  The bodies of configuration boxes
 * that no config holds are made here, the others when they are written.
 *
 * ETSI TS 102 366 F.4 and F.6 (dac3, dec3); VP codec ISO media file format
 * binding (vpcC); Encapsulation of Opus in ISO base media file format 4.3.2.
 */


#include "ngx_media_aac.h"
#include "ngx_media_ac3.h"
#include "ngx_media_av1.h"
#include "ngx_media_avc.h"
#include "ngx_media_bits.h"
#include "ngx_media_flac.h"
#include "ngx_media_hevc.h"
#include "ngx_media_mp4_box.h"
#include "ngx_media_opus.h"
#include "ngx_media_rc.h"
#include "ngx_media_vpx.h"


#define NGX_MEDIA_MP4_UNKNOWN  2             /* colour: unspecified */
#define NGX_MEDIA_MP4_BITRATE  0x1fff        /* kbit/s that dec3 can tell */
#define NGX_MEDIA_MP4_MAX_DEP  15            /* dependent substreams */


static int ngx_media_mp4_video(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end);
static int ngx_media_mp4_audio(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end);
static void ngx_media_mp4_avc(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end);
static void ngx_media_mp4_hevc(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end);
static void ngx_media_mp4_set_avc(ngx_media_mp4_track_t *t,
    const ngx_media_nal_t *nal);
static void ngx_media_mp4_set_hevc(ngx_media_mp4_track_t *t,
    const ngx_media_nal_t *nal);
static void ngx_media_mp4_av1(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end);
static void ngx_media_mp4_vpx(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end);
static void ngx_media_mp4_vpcc(ngx_media_mp4_track_t *t);
static int ngx_media_mp4_opus(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end);
static int ngx_media_mp4_dac3(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end);
static int ngx_media_mp4_dec3(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end);
static unsigned ngx_media_mp4_dec3_map(const u_char *frame,
    const u_char *end);


int
ngx_media_mp4_track(ngx_media_mp4_track_t *t, uint32_t id, uint8_t codec,
    const u_char *config, const u_char *config_end, const u_char *frame,
    const u_char *frame_end)
{
    memset(t, 0, sizeof(ngx_media_mp4_track_t));

    t->id = id;
    t->codec = codec;
    t->config = config;
    t->config_end = config_end;
    t->info.codec = codec;

    if (config != config_end
        && codec != NGX_MEDIA_CODEC_MP3 && codec != NGX_MEDIA_CODEC_AC3
        && codec != NGX_MEDIA_CODEC_EAC3 && codec != NGX_MEDIA_CODEC_VP8
        && ngx_media_codec_parse_config(codec, config, config_end, &t->info)
           != 0)
    {
        return NGX_MEDIA_DECLINED;
    }

    if (ngx_media_codec_is_video(codec)) {
        return ngx_media_mp4_video(t, frame, frame_end);
    }

    if (ngx_media_codec_is_audio(codec)) {
        return ngx_media_mp4_audio(t, frame, frame_end);
    }

    return NGX_MEDIA_DECLINED;
}


static int
ngx_media_mp4_video(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end)
{
    unsigned  need;

    t->timescale = NGX_MEDIA_MP4_VIDEO_SCALE;

    need = 1;

    switch (t->codec) {

    case NGX_MEDIA_CODEC_H264:
        ngx_media_mp4_avc(t, frame, end);
        break;

    case NGX_MEDIA_CODEC_HEVC:
        ngx_media_mp4_hevc(t, frame, end);
        break;

    case NGX_MEDIA_CODEC_VVC:
        break;

    case NGX_MEDIA_CODEC_AV1:
        ngx_media_mp4_av1(t, frame, end);
        break;

    case NGX_MEDIA_CODEC_VP8:
    case NGX_MEDIA_CODEC_VP9:
        ngx_media_mp4_vpx(t, frame, end);
        need = 0;
        break;

    default:
        return NGX_MEDIA_DECLINED;
    }

    if ((need && t->config == t->config_end)
        || t->info.width == 0 || t->info.height == 0)
    {
        return NGX_MEDIA_AGAIN;
    }

    ngx_media_hdr_config(&t->hdr, t->codec, t->config, t->config_end);
    ngx_media_hdr_frame(&t->hdr, t->codec, t->info.nal_size, frame, end);

    return NGX_MEDIA_OK;
}


static void
ngx_media_mp4_avc(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end)
{
    ngx_media_nal_t         nal;
    ngx_media_avc_config_t  config;

    if (ngx_media_avc_config_parse(t->config, t->config_end, &config) == NULL)
    {
        return;
    }

    if (config.nsps) {
        if (ngx_media_nal_next_set(config.sps, config.sps_end, &nal) != NULL) {
            ngx_media_mp4_set_avc(t, &nal);
        }

        return;
    }

    while (frame != end) {
        frame = ngx_media_nal_next(frame, end, config.nal_size, &nal);

        if (frame == NULL) {
            return;
        }

        if (nal.size && ngx_media_avc_nal_type(nal.data[0])
                        == NGX_MEDIA_AVC_NAL_SPS)
        {
            ngx_media_mp4_set_avc(t, &nal);
            return;
        }
    }
}


static void
ngx_media_mp4_set_avc(ngx_media_mp4_track_t *t, const ngx_media_nal_t *nal)
{
    ngx_media_avc_sps_t  sps;

    if (ngx_media_avc_sps_parse(nal->data, nal->data + nal->size, &sps)
        == NULL)
    {
        return;
    }

    t->info.width = sps.width;
    t->info.height = sps.height;
    t->info.bit_depth = sps.bit_depth;
    t->info.chroma = sps.chroma;
    t->info.color_primaries = sps.color_primaries;
    t->info.color_transfer = sps.color_transfer;
    t->info.color_matrix = sps.color_matrix;
    t->info.color_full_range = sps.color_full_range;
    t->info.fps_num = sps.fps_num;
    t->info.fps_den = sps.fps_den;

    t->sar_width = sps.sar_width;
    t->sar_height = sps.sar_height;
}


static void
ngx_media_mp4_hevc(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end)
{
    ngx_media_nal_t          nal;
    ngx_media_hevc_config_t  config;

    if (ngx_media_hevc_config_parse(t->config, t->config_end, &config) == NULL)
    {
        return;
    }

    if (ngx_media_hevc_config_set(&config, NGX_MEDIA_HEVC_NAL_SPS, 0, &nal)
        == NGX_MEDIA_OK)
    {
        ngx_media_mp4_set_hevc(t, &nal);
        return;
    }

    while (frame != end) {
        frame = ngx_media_nal_next(frame, end, config.nal_size, &nal);

        if (frame == NULL) {
            return;
        }

        if (nal.size && ngx_media_hevc_nal_type(nal.data[0])
                        == NGX_MEDIA_HEVC_NAL_SPS)
        {
            ngx_media_mp4_set_hevc(t, &nal);
            return;
        }
    }
}


static void
ngx_media_mp4_set_hevc(ngx_media_mp4_track_t *t, const ngx_media_nal_t *nal)
{
    ngx_media_hevc_sps_t  sps;

    if (ngx_media_hevc_sps_parse(nal->data, nal->data + nal->size, &sps)
        == NULL)
    {
        return;
    }

    t->info.width = sps.width;
    t->info.height = sps.height;
    t->info.bit_depth = sps.bit_depth;
    t->info.chroma = sps.chroma;
    t->info.color_primaries = sps.color_primaries;
    t->info.color_transfer = sps.color_transfer;
    t->info.color_matrix = sps.color_matrix;
    t->info.color_full_range = sps.color_full_range;

    if (sps.fps_num) {
        t->info.fps_num = sps.fps_num;
        t->info.fps_den = sps.fps_den;
    }

    t->sar_width = sps.sar_width;
    t->sar_height = sps.sar_height;
}


/* A config without a sequence header: the keyframe has one. */

static void
ngx_media_mp4_av1(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end)
{
    ngx_media_av1_obu_t  obu;
    ngx_media_av1_seq_t  seq;

    if (t->config == t->config_end || t->info.width) {
        return;
    }

    while (frame != end) {
        frame = ngx_media_av1_obu_next(frame, end, &obu);

        if (frame == NULL) {
            return;
        }

        if (obu.type != NGX_MEDIA_AV1_OBU_SEQUENCE) {
            continue;
        }

        if (ngx_media_av1_seq_parse(obu.data, obu.data + obu.size, &seq)
            == NULL)
        {
            return;
        }

        t->info.width = seq.width;
        t->info.height = seq.height;
        t->info.fps_num = seq.fps_num;
        t->info.fps_den = seq.fps_den;
        t->info.color_primaries = seq.color_primaries;
        t->info.color_transfer = seq.color_transfer;
        t->info.color_matrix = seq.color_matrix;
        t->info.color_full_range = seq.color_full_range;

        return;
    }
}


static void
ngx_media_mp4_vpx(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end)
{
    ngx_media_codec_info_t   info, *have;

    if (ngx_media_codec_parse_frame(t->codec, frame, end, &info) != 0) {
        return;
    }

    have = &t->info;

    if (have->bit_depth == 0) {
        have->profile = info.profile;
        have->bit_depth = info.bit_depth;
        have->chroma = info.chroma;
        have->color_full_range = info.color_full_range;
        have->color_primaries = NGX_MEDIA_MP4_UNKNOWN;
        have->color_transfer = NGX_MEDIA_MP4_UNKNOWN;
        have->color_matrix = NGX_MEDIA_MP4_UNKNOWN;
    }

    have->width = info.width;
    have->height = info.height;

    if (have->level == 0) {
        have->level = ngx_media_vp9_level(have->width, have->height,
                                          have->fps_num, have->fps_den);
    }

    ngx_media_mp4_vpcc(t);
}


static void
ngx_media_mp4_vpcc(ngx_media_mp4_track_t *t)
{
    u_char                        *p;
    const ngx_media_codec_info_t  *info;

    info = &t->info;
    p = t->box;

    p = ngx_media_put_be32(p, 0x01000000);   /* version 1 */
    *p++ = info->profile;
    *p++ = info->level;
    *p++ = (u_char) (info->bit_depth << 4 | info->chroma << 1
                     | info->color_full_range);
    *p++ = info->color_primaries;
    *p++ = info->color_transfer;
    *p++ = info->color_matrix;
    p = ngx_media_put_be16(p, 0);            /* codecInitializationData */

    t->box_size = (uint8_t) (p - t->box);
}


static int
ngx_media_mp4_audio(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end)
{
    int                     rc;
    ngx_media_codec_info_t  info;

    rc = NGX_MEDIA_OK;

    switch (t->codec) {

    case NGX_MEDIA_CODEC_AAC:
    case NGX_MEDIA_CODEC_FLAC:

        if (t->config == t->config_end) {
            rc = NGX_MEDIA_AGAIN;
        }

        break;

    case NGX_MEDIA_CODEC_OPUS:
        rc = ngx_media_mp4_opus(t, frame, end);
        break;

    case NGX_MEDIA_CODEC_MP3:
    case NGX_MEDIA_CODEC_AC3:
    case NGX_MEDIA_CODEC_EAC3:

        if (ngx_media_codec_parse_frame(t->codec, frame, end, &info) != 0) {
            rc = NGX_MEDIA_AGAIN;
            break;
        }

        t->info = info;

        if (t->codec == NGX_MEDIA_CODEC_AC3) {
            rc = ngx_media_mp4_dac3(t, frame, end);

        } else if (t->codec == NGX_MEDIA_CODEC_EAC3) {
            rc = ngx_media_mp4_dec3(t, frame, end);
        }

        break;

    default:
        rc = NGX_MEDIA_DECLINED;
        break;
    }

    t->timescale = t->info.sample_rate ? t->info.sample_rate
                                       : NGX_MEDIA_MP4_AUDIO_SCALE;
    t->frame = t->info.frame_samples;

    return rc;
}


/* dOps, big endian, from OpusHead or from the first packet. */

static int
ngx_media_mp4_opus(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end)
{
    u_char                 *p;
    ngx_media_opus_head_t   head;

    memset(&head, 0, sizeof(ngx_media_opus_head_t));

    if (t->config != t->config_end) {

        if (ngx_media_opus_head_parse(t->config, t->config_end, &head) == NULL)
        {
            return NGX_MEDIA_DECLINED;
        }

    } else {

        if (ngx_media_opus_samples(frame, end) == 0) {
            return NGX_MEDIA_AGAIN;
        }

        head.channels = frame[0] & 0x04 ? 2 : 1;
        head.input_rate = NGX_MEDIA_OPUS_RATE;

        t->info.channels = head.channels;
        t->info.sample_rate = NGX_MEDIA_OPUS_RATE;
    }

    p = t->box;

    *p++ = 0;
    *p++ = head.channels;
    p = ngx_media_put_be16(p, head.pre_skip);
    p = ngx_media_put_be32(p, head.input_rate);
    p = ngx_media_put_be16(p, (uint16_t) head.gain);
    *p++ = head.mapping;

    t->box_size = (uint8_t) (p - t->box);

    return NGX_MEDIA_OK;
}


static int
ngx_media_mp4_dac3(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end)
{
    unsigned         v;
    ngx_media_ac3_t  ac3;

    if (ngx_media_ac3_parse(frame, end, &ac3) == NULL || ac3.eac3) {
        return NGX_MEDIA_AGAIN;
    }

    /* fscod, bsid, bsmod, acmod, lfeon, bit_rate_code, reserved */

    v = frame[4] >> 6;
    v = v << 5 | frame[5] >> 3;
    v = v << 3 | (frame[5] & 7u);
    v = v << 3 | ac3.acmod;
    v = v << 1 | ac3.lfe;
    v = v << 5 | (frame[4] & 0x3fu) >> 1;

    (void) ngx_media_put_be24(t->box, v << 5);
    t->box_size = 3;

    return NGX_MEDIA_OK;
}


/* One independent substream, with what depends on it. */

static int
ngx_media_mp4_dec3(ngx_media_mp4_track_t *t, const u_char *frame,
    const u_char *end)
{
    u_char           *p;
    uint32_t          v;
    unsigned          ndep, map;
    uint64_t          rate;
    const u_char     *pos;
    ngx_media_ac3_t   ac3, dep;

    if (ngx_media_ac3_parse(frame, end, &ac3) == NULL || !ac3.eac3
        || ac3.samples == 0)
    {
        return NGX_MEDIA_AGAIN;
    }

    ndep = 0;
    map = 0;
    pos = frame;
    dep = ac3;

    while (dep.frame_size && (size_t) (end - pos) > dep.frame_size
           && ndep < NGX_MEDIA_MP4_MAX_DEP)
    {
        pos += dep.frame_size;

        if (ngx_media_ac3_parse(pos, end, &dep) == NULL
            || !dep.eac3 || dep.stream_type != 1)
        {
            break;
        }

        ndep++;
        map |= ngx_media_mp4_dec3_map(pos, end);
    }

    rate = (uint64_t) ac3.frame_size * (ndep + 1) * 8 * ac3.sample_rate
           / ac3.samples / 1000;

    if (rate > NGX_MEDIA_MP4_BITRATE) {
        rate = NGX_MEDIA_MP4_BITRATE;
    }

    p = ngx_media_put_be16(t->box, (uint32_t) rate << 3);

    /* fscod, bsid, reserved, asvc, bsmod, acmod, lfeon, reserved, ndep */

    v = frame[4] >> 6;
    v = v << 5 | ac3.bsid;
    v = v << 9 | (uint32_t) ac3.acmod << 1 | ac3.lfe;
    v = v << 7 | ndep;

    if (ndep) {
        v = v << 1 | (map >> 8 & 1);
        p = ngx_media_put_be24(p, v);
        *p++ = (u_char) map;

    } else {
        p = ngx_media_put_be24(p, v << 1);
    }

    t->box_size = (uint8_t) (p - t->box);

    return NGX_MEDIA_OK;
}


/*
 * chan_loc of a dependent substream, of its chanmap: Lc/Rc is bit 0, then
 * Lrs/Rrs, Cs, Ts, Lsd/Rsd, Lw/Rw, Lvh/Rvh, Cvh, and LFE2 bit 8.
 */

static unsigned
ngx_media_mp4_dec3_map(const u_char *frame, const u_char *end)
{
    unsigned          i, acmod, map, loc;
    ngx_media_bits_t  b;

    ngx_media_bits_init(&b, frame + 2, end);

    ngx_media_bits_skip(&b, 2 + 3 + 11 + 2 + 2);
    acmod = ngx_media_bits_u(&b, 3);
    ngx_media_bits_skip(&b, 1 + 5 + 5);      /* lfeon, bsid, dialnorm */

    if (ngx_media_bits_flag(&b)) {
        ngx_media_bits_skip(&b, 8);          /* compr */
    }

    if (acmod == 0) {
        ngx_media_bits_skip(&b, 5);

        if (ngx_media_bits_flag(&b)) {
            ngx_media_bits_skip(&b, 8);
        }
    }

    if (!ngx_media_bits_flag(&b)) {
        return 0;
    }

    map = ngx_media_bits_u(&b, 16);

    if (ngx_media_bits_eof(&b)) {
        return 0;
    }

    loc = map & 0x0002 ? 0x100 : 0;

    for (i = 0; i < 8; i++) {
        if (map & (0x0400u >> i)) {
            loc |= 1u << i;
        }
    }

    return loc;
}
