
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: what a track is, from its codec config or a frame; names of codecs,
 * profiles and levels as clients of the HTTP API know them.  Called by the
 * core when a track's config changes; calls the parsers of the codecs.
 */


#include "ngx_media_codec.h"
#include "ngx_media_aac.h"
#include "ngx_media_ac3.h"
#include "ngx_media_av1.h"
#include "ngx_media_avc.h"
#include "ngx_media_bytes.h"
#include "ngx_media_flac.h"
#include "ngx_media_hevc.h"
#include "ngx_media_mp3.h"
#include "ngx_media_opus.h"
#include "ngx_media_vpx.h"
#include "ngx_media_vvc.h"
#include "ngx_media_rc.h"


static int ngx_media_codec_avc(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_hevc(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_vvc(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_av1(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_vp9(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_aac(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_opus(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_flac(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_mp3_frame(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_ac3_frame(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static int ngx_media_codec_vpx_frame(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info);
static const char *ngx_media_codec_avc_profile(unsigned profile);
static const char *ngx_media_codec_hevc_profile(unsigned profile);
static const char *ngx_media_codec_aac_profile(unsigned profile);


static const char  ngx_media_codec_other[] = "Other";


int
ngx_media_codec_parse_config(uint8_t codec, const u_char *pos,
    const u_char *end, ngx_media_codec_info_t *info)
{
    memset(info, 0, sizeof(ngx_media_codec_info_t));

    info->codec = codec;

    switch (codec) {

    case NGX_MEDIA_CODEC_H264:
        return ngx_media_codec_avc(pos, end, info);

    case NGX_MEDIA_CODEC_HEVC:
        return ngx_media_codec_hevc(pos, end, info);

    case NGX_MEDIA_CODEC_VVC:
        return ngx_media_codec_vvc(pos, end, info);

    case NGX_MEDIA_CODEC_AV1:
        return ngx_media_codec_av1(pos, end, info);

    case NGX_MEDIA_CODEC_VP9:
        return ngx_media_codec_vp9(pos, end, info);

    case NGX_MEDIA_CODEC_AAC:
        return ngx_media_codec_aac(pos, end, info);

    case NGX_MEDIA_CODEC_OPUS:
        return ngx_media_codec_opus(pos, end, info);

    case NGX_MEDIA_CODEC_FLAC:
        return ngx_media_codec_flac(pos, end, info);

    default:
        return -1;
    }
}


int
ngx_media_codec_parse_frame(uint8_t codec, const u_char *pos,
    const u_char *end, ngx_media_codec_info_t *info)
{
    memset(info, 0, sizeof(ngx_media_codec_info_t));

    info->codec = codec;

    switch (codec) {

    case NGX_MEDIA_CODEC_MP3:
        return ngx_media_codec_mp3_frame(pos, end, info);

    case NGX_MEDIA_CODEC_AC3:
    case NGX_MEDIA_CODEC_EAC3:
        return ngx_media_codec_ac3_frame(pos, end, info);

    case NGX_MEDIA_CODEC_VP8:
    case NGX_MEDIA_CODEC_VP9:
        return ngx_media_codec_vpx_frame(pos, end, info);

    default:
        return -1;
    }
}


int
ngx_media_codec_start(uint8_t codec, unsigned nal_size, const u_char *pos,
    const u_char *end)
{
    ngx_media_avc_frame_t   avc;
    ngx_media_hevc_frame_t  hevc;

    switch (codec) {

    case NGX_MEDIA_CODEC_H264:
        (void) ngx_media_avc_frame_parse(pos, end, nal_size, &avc);

        if (avc.idr || (avc.recovery && avc.recovery_frames == 0
                        && avc.slice_type == NGX_MEDIA_AVC_SLICE_I))
        {
            return NGX_MEDIA_START_KEY;
        }

        return avc.recovery ? NGX_MEDIA_START_GRADUAL : NGX_MEDIA_START_NONE;

    case NGX_MEDIA_CODEC_HEVC:
        (void) ngx_media_hevc_frame_parse(pos, end, nal_size, &hevc);

        if (hevc.irap) {
            return NGX_MEDIA_START_KEY;
        }

        return hevc.recovery ? NGX_MEDIA_START_GRADUAL : NGX_MEDIA_START_NONE;

    case NGX_MEDIA_CODEC_VVC:
        return ngx_media_vvc_is_key(pos, end, nal_size)
               ? NGX_MEDIA_START_KEY : NGX_MEDIA_START_NONE;

    default:
        return NGX_MEDIA_START_NONE;
    }
}


static int
ngx_media_codec_avc(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    ngx_media_nal_t         nal;
    ngx_media_avc_sps_t     sps;
    ngx_media_avc_config_t  config;

    if (ngx_media_avc_config_parse(pos, end, &config) == NULL) {
        return -1;
    }

    info->profile = config.profile;
    info->compat = config.compat;
    info->level = config.level;
    info->nal_size = config.nal_size;

    /* the parameter sets may come in band */

    if (config.nsps == 0) {
        return 0;
    }

    (void) ngx_media_nal_next_set(config.sps, config.sps_end, &nal);

    if (ngx_media_avc_sps_parse(nal.data, nal.data + nal.size, &sps) == NULL)
    {
        return -1;
    }

    info->profile = sps.profile;
    info->compat = sps.compat;
    info->level = sps.level;
    info->bit_depth = sps.bit_depth;
    info->chroma = sps.chroma;
    info->width = sps.width;
    info->height = sps.height;
    info->fps_num = sps.fps_num;
    info->fps_den = sps.fps_den;
    info->color_primaries = sps.color_primaries;
    info->color_transfer = sps.color_transfer;
    info->color_matrix = sps.color_matrix;
    info->color_full_range = sps.color_full_range;

    return 0;
}


static int
ngx_media_codec_hevc(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    ngx_media_nal_t          nal;
    ngx_media_hevc_sps_t     sps;
    ngx_media_hevc_vps_t     vps;
    ngx_media_hevc_config_t  config;

    if (ngx_media_hevc_config_parse(pos, end, &config) == NULL) {
        return -1;
    }

    info->profile = config.profile;
    info->compat = config.tier;
    info->level = config.level;
    info->nal_size = config.nal_size;
    info->bit_depth = config.bit_depth;
    info->chroma = config.chroma;

    if (ngx_media_hevc_config_set(&config, NGX_MEDIA_HEVC_NAL_SPS, 0, &nal)
        != NGX_MEDIA_OK)
    {
        return 0;
    }

    if (ngx_media_hevc_sps_parse(nal.data, nal.data + nal.size, &sps)
        == NULL)
    {
        return -1;
    }

    info->profile = sps.profile;
    info->compat = sps.tier;
    info->level = sps.level;
    info->bit_depth = sps.bit_depth;
    info->chroma = sps.chroma;
    info->width = sps.width;
    info->height = sps.height;
    info->fps_num = sps.fps_num;
    info->fps_den = sps.fps_den;
    info->color_primaries = sps.color_primaries;
    info->color_transfer = sps.color_transfer;
    info->color_matrix = sps.color_matrix;
    info->color_full_range = sps.color_full_range;

    if (info->fps_num == 0
        && ngx_media_hevc_config_set(&config, NGX_MEDIA_HEVC_NAL_VPS, 0, &nal)
           == NGX_MEDIA_OK
        && ngx_media_hevc_vps_parse(nal.data, nal.data + nal.size, &vps)
           != NULL)
    {
        info->fps_num = vps.fps_num;
        info->fps_den = vps.fps_den;
    }

    return 0;
}


static int
ngx_media_codec_vvc(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    ngx_media_vvc_config_t  config;

    if (ngx_media_vvc_config_parse(pos, end, &config) == NULL) {
        return -1;
    }

    info->profile = config.profile;
    info->compat = config.tier;
    info->level = config.level;
    info->nal_size = config.nal_size;
    info->bit_depth = config.bit_depth;
    info->chroma = config.chroma;
    info->width = config.width;
    info->height = config.height;
    info->fps_num = config.fps_num;
    info->fps_den = config.fps_den;

    return 0;
}


static int
ngx_media_codec_av1(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    const u_char            *p;
    ngx_media_av1_obu_t      obu;
    ngx_media_av1_seq_t      seq;
    ngx_media_av1_config_t   config;

    if (ngx_media_av1_config_parse(pos, end, &config) == NULL) {
        return -1;
    }

    info->profile = config.profile;
    info->compat = config.tier;
    info->level = config.level;
    info->bit_depth = config.bit_depth;
    info->chroma = config.monochrome ? 0
                   : config.subsampling_y ? 1 : config.subsampling_x ? 2 : 3;

    p = config.obus;

    while (p != config.obus_end) {
        p = ngx_media_av1_obu_next(p, config.obus_end, &obu);

        if (p == NULL) {
            return -1;
        }

        if (obu.type != NGX_MEDIA_AV1_OBU_SEQUENCE) {
            continue;
        }

        if (ngx_media_av1_seq_parse(obu.data, obu.data + obu.size, &seq)
            == NULL)
        {
            return -1;
        }

        info->width = seq.width;
        info->height = seq.height;
        info->fps_num = seq.fps_num;
        info->fps_den = seq.fps_den;
        info->color_primaries = seq.color_primaries;
        info->color_transfer = seq.color_transfer;
        info->color_matrix = seq.color_matrix;
        info->color_full_range = seq.color_full_range;

        break;
    }

    return 0;
}


static int
ngx_media_codec_vp9(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    ngx_media_vpx_config_t  config;

    if (ngx_media_vpx_config_parse(pos, end, &config) == NULL) {
        return -1;
    }

    info->profile = config.profile;
    info->level = config.level;
    info->bit_depth = config.bit_depth;
    info->chroma = config.chroma;
    info->color_primaries = config.color_primaries;
    info->color_transfer = config.color_transfer;
    info->color_matrix = config.color_matrix;
    info->color_full_range = config.color_full_range;

    return 0;
}


static int
ngx_media_codec_aac(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    ngx_media_aac_config_t  config;

    if (ngx_media_aac_config_parse(pos, end, &config) == NULL) {
        return -1;
    }

    info->profile = config.profile;
    info->channels = config.channels;
    info->sample_rate = config.sample_rate;
    info->frame_samples = config.frame_samples;

    return 0;
}


static int
ngx_media_codec_opus(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    ngx_media_opus_head_t  head;

    if (ngx_media_opus_head_parse(pos, end, &head) == NULL) {
        return -1;
    }

    info->channels = head.channels;
    info->sample_rate = NGX_MEDIA_OPUS_RATE;

    return 0;
}


static int
ngx_media_codec_flac(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    ngx_media_flac_t  flac;

    if (ngx_media_flac_parse(pos, end, &flac) == NULL) {
        return -1;
    }

    info->channels = flac.channels;
    info->bit_depth = flac.bits;
    info->sample_rate = flac.sample_rate;

    if (flac.min_block == flac.max_block) {
        info->frame_samples = flac.max_block;
    }

    return 0;
}


static int
ngx_media_codec_mp3_frame(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    ngx_media_mp3_t  mp3;

    if (ngx_media_mp3_parse(pos, end, &mp3) == NULL) {
        return -1;
    }

    info->profile = mp3.layer;
    info->channels = mp3.channels;
    info->sample_rate = mp3.sample_rate;
    info->frame_samples = mp3.samples;

    return 0;
}


static int
ngx_media_codec_ac3_frame(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    ngx_media_ac3_t  ac3;

    if (ngx_media_ac3_parse(pos, end, &ac3) == NULL) {
        return -1;
    }

    info->channels = ac3.channels;
    info->sample_rate = ac3.sample_rate;
    info->frame_samples = ac3.samples;

    return 0;
}


static int
ngx_media_codec_vpx_frame(const u_char *pos, const u_char *end,
    ngx_media_codec_info_t *info)
{
    const u_char           *p;
    ngx_media_vpx_frame_t   frame;

    p = info->codec == NGX_MEDIA_CODEC_VP8
        ? ngx_media_vp8_parse(pos, end, &frame)
        : ngx_media_vp9_parse(pos, end, &frame);

    if (p == NULL || !frame.key) {
        return -1;
    }

    info->profile = frame.profile;
    info->bit_depth = frame.bit_depth;
    info->chroma = frame.chroma;
    info->width = frame.width;
    info->height = frame.height;
    info->color_full_range = frame.full_range;

    return 0;
}


const char *
ngx_media_codec_name(uint8_t codec)
{
    switch (codec) {

    case NGX_MEDIA_CODEC_H264:
        return "H264";

    case NGX_MEDIA_CODEC_HEVC:
        return "HEVC";

    case NGX_MEDIA_CODEC_VVC:
        return "VVC";

    case NGX_MEDIA_CODEC_AV1:
        return "AV1";

    case NGX_MEDIA_CODEC_VP8:
        return "VP8";

    case NGX_MEDIA_CODEC_VP9:
        return "VP9";

    case NGX_MEDIA_CODEC_AAC:
        return "AAC";

    case NGX_MEDIA_CODEC_MP3:
        return "MP3";

    case NGX_MEDIA_CODEC_OPUS:
        return "Opus";

    case NGX_MEDIA_CODEC_AC3:
        return "AC3";

    case NGX_MEDIA_CODEC_EAC3:
        return "EAC3";

    case NGX_MEDIA_CODEC_FLAC:
        return "FLAC";

    default:
        return ngx_media_codec_other;
    }
}


const char *
ngx_media_codec_profile_name(const ngx_media_codec_info_t *info)
{
    static const char  *av1[] = { "Main", "High", "Professional" };
    static const char  *vp9[] = {
        "Profile0", "Profile1", "Profile2", "Profile3"
    };

    switch (info->codec) {

    case NGX_MEDIA_CODEC_H264:
        return ngx_media_codec_avc_profile(info->profile);

    case NGX_MEDIA_CODEC_HEVC:
        return ngx_media_codec_hevc_profile(info->profile);

    case NGX_MEDIA_CODEC_AAC:
        return ngx_media_codec_aac_profile(info->profile);

    case NGX_MEDIA_CODEC_AV1:
        return info->profile < 3 ? av1[info->profile] : ngx_media_codec_other;

    case NGX_MEDIA_CODEC_VP9:
        return info->profile < 4 ? vp9[info->profile] : ngx_media_codec_other;

    case NGX_MEDIA_CODEC_VVC:
        return info->profile == 1 ? "Main10" : ngx_media_codec_other;

    default:
        return ngx_media_codec_other;
    }
}


static const char *
ngx_media_codec_avc_profile(unsigned profile)
{
    switch (profile) {

    case 66:
        return "Baseline";

    case 77:
        return "Main";

    case 88:
        return "Extended";

    case 100:
        return "High";

    case 110:
        return "High(10)";

    case 122:
        return "High(422)";

    case 144:
        return "High(444)";

    case 244:
        return "High(444+Predictive)";

    default:
        return ngx_media_codec_other;
    }
}


static const char *
ngx_media_codec_hevc_profile(unsigned profile)
{
    switch (profile) {

    case 1:
        return "Main";

    case 2:
        return "Main10";

    case 3:
        return "Main Still Picture";

    case 4:
        return "Rext";

    default:
        return ngx_media_codec_other;
    }
}


static const char *
ngx_media_codec_aac_profile(unsigned profile)
{
    switch (profile) {

    case NGX_MEDIA_AAC_MAIN:
        return "Main";

    case NGX_MEDIA_AAC_LC:
        return "LC";

    case NGX_MEDIA_AAC_SSR:
        return "SSR";

    case NGX_MEDIA_AAC_HE:
        return "HE";

    case NGX_MEDIA_AAC_HE_V2:
        return "HEv2";

    default:
        return ngx_media_codec_other;
    }
}


const char *
ngx_media_codec_level_name(const ngx_media_codec_info_t *info)
{
    unsigned  major, minor;

    static const char  *names[7][4] = {
        { "1", "1.1", "1.2", "1.3" },
        { "2", "2.1", "2.2", "2.3" },
        { "3", "3.1", "3.2", "3.3" },
        { "4", "4.1", "4.2", "4.3" },
        { "5", "5.1", "5.2", "5.3" },
        { "6", "6.1", "6.2", "6.3" },
        { "7", "7.1", "7.2", "7.3" }
    };

    switch (info->codec) {

    case NGX_MEDIA_CODEC_H264:
    case NGX_MEDIA_CODEC_VP9:
        major = info->level / 10;
        minor = info->level % 10;
        break;

    case NGX_MEDIA_CODEC_HEVC:

        if (info->level % 3) {
            return ngx_media_codec_other;
        }

        major = info->level / 30;
        minor = info->level % 30 / 3;
        break;

    case NGX_MEDIA_CODEC_VVC:

        if (info->level % 16 % 3) {
            return ngx_media_codec_other;
        }

        major = info->level / 16;
        minor = info->level % 16 / 3;
        break;

    case NGX_MEDIA_CODEC_AV1:
        major = 2 + info->level / 4u;
        minor = info->level % 4;
        break;

    default:
        return ngx_media_codec_other;
    }

    if (major < 1 || major > 7 || minor > 3) {
        return ngx_media_codec_other;
    }

    return names[major - 1][minor];
}
