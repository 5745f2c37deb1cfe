
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: AAC AudioSpecificConfig and ADTS.  See ngx_media_aac.h.
 * Sources: ISO/IEC 14496-3 1.6.2.1, 1.6.3, 4.4.1, 1.A.2.2.
 */


#include "ngx_media_aac.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_AAC_SYNC_SBR  0x2b7
#define NGX_MEDIA_AAC_SYNC_PS   0x548


static unsigned ngx_media_aac_object(ngx_media_bits_t *b);
static uint32_t ngx_media_aac_frequency(ngx_media_bits_t *b, uint8_t *index);
static int ngx_media_aac_ga(ngx_media_bits_t *b, ngx_media_aac_config_t *out);
static unsigned ngx_media_aac_pce(ngx_media_bits_t *b);
static void ngx_media_aac_extension(ngx_media_bits_t *b,
    ngx_media_aac_config_t *out);
static unsigned ngx_media_aac_channels(unsigned config);
static void ngx_media_aac_finish(ngx_media_aac_config_t *out, uint32_t rate);


static const uint32_t  ngx_media_aac_rates[] = {
    96000, 88200, 64000, 48000, 44100, 32000, 24000,
    22050, 16000, 12000, 11025, 8000, 7350
};


uint32_t
ngx_media_aac_rate(unsigned index)
{
    if (index >= sizeof(ngx_media_aac_rates) / sizeof(uint32_t)) {
        return 0;
    }

    return ngx_media_aac_rates[index];
}


static unsigned
ngx_media_aac_channels(unsigned config)
{
    switch (config) {

    case 7:
    case 12:
    case 14:
        return 8;

    case 11:
        return 7;

    case 13:
        return 24;

    default:
        return config < 7 ? config : 0;
    }
}


static unsigned
ngx_media_aac_object(ngx_media_bits_t *b)
{
    unsigned  type;

    type = ngx_media_bits_u(b, 5);

    return type == 31 ? 32 + ngx_media_bits_u(b, 6) : type;
}


static uint32_t
ngx_media_aac_frequency(ngx_media_bits_t *b, uint8_t *index)
{
    *index = (uint8_t) ngx_media_bits_u(b, 4);

    return *index == 15 ? ngx_media_bits_u(b, 24)
                        : ngx_media_aac_rate(*index);
}


const u_char *
ngx_media_aac_config_parse(const u_char *pos, const u_char *end,
    ngx_media_aac_config_t *out)
{
    uint8_t           index;
    uint32_t          rate;
    ngx_media_bits_t  b;

    memset(out, 0, sizeof(ngx_media_aac_config_t));

    ngx_media_bits_init(&b, pos, end);

    out->object_type = (uint8_t) ngx_media_aac_object(&b);
    out->core_rate = ngx_media_aac_frequency(&b, &out->rate_index);
    out->channel_config = (uint8_t) ngx_media_bits_u(&b, 4);

    rate = 0;

    if (out->object_type == NGX_MEDIA_AAC_HE
        || out->object_type == NGX_MEDIA_AAC_HE_V2)
    {
        out->sbr = 1;
        out->ps = out->object_type == NGX_MEDIA_AAC_HE_V2;
        rate = ngx_media_aac_frequency(&b, &index);
        out->object_type = (uint8_t) ngx_media_aac_object(&b);

        if (rate == 0) {
            return NULL;
        }
    }

    if (ngx_media_bits_eof(&b) || out->object_type == 0
        || out->core_rate == 0)
    {
        return NULL;
    }

    out->channels = (uint8_t) ngx_media_aac_channels(out->channel_config);

    if (ngx_media_aac_ga(&b, out) != 0) {
        return NULL;
    }

    if (!out->sbr) {
        ngx_media_aac_extension(&b, out);
        rate = out->sample_rate;
    }

    ngx_media_aac_finish(out, rate);

    return end;
}


/* GASpecificConfig; of other codecs only their frame length is known. */

static int
ngx_media_aac_ga(ngx_media_bits_t *b, ngx_media_aac_config_t *out)
{
    unsigned  shorter;

    switch (out->object_type) {

    case NGX_MEDIA_AAC_MAIN:
    case NGX_MEDIA_AAC_LC:
    case NGX_MEDIA_AAC_SSR:
    case NGX_MEDIA_AAC_LTP:
    case 6:
    case 7:
    case NGX_MEDIA_AAC_ER_LC:
    case 19:
    case 20:
    case 21:
    case 22:
    case NGX_MEDIA_AAC_ER_LD:
        break;

    case NGX_MEDIA_AAC_ER_ELD:
        out->frame_samples = ngx_media_bits_flag(b) ? 480 : 512;
        return 0;

    default:
        out->frame_samples = 1024;
        return 0;
    }

    shorter = ngx_media_bits_flag(b);

    if (out->object_type == NGX_MEDIA_AAC_ER_LD) {
        out->frame_samples = shorter ? 480 : 512;

    } else {
        out->frame_samples = shorter ? 960 : 1024;
    }

    if (ngx_media_bits_flag(b)) {
        ngx_media_bits_skip(b, 14);          /* coreCoderDelay */
    }

    ngx_media_bits_skip(b, 1);               /* extensionFlag */

    /* some encoders leave the last bits out */

    if (ngx_media_bits_eof(b)) {
        return out->channel_config == 0 ? -1 : 0;
    }

    if (out->channel_config == 0) {
        out->channels = (uint8_t) ngx_media_aac_pce(b);
    }

    return ngx_media_bits_eof(b) ? -1 : 0;
}


/* program_config_element(): the number of its channels. */

static unsigned
ngx_media_aac_pce(ngx_media_bits_t *b)
{
    unsigned  i, n, elements, lfe, assoc, cc, channels;

    ngx_media_bits_skip(b, 10);              /* tag, object type, rate */

    elements = ngx_media_bits_u(b, 4);       /* front, side, back */
    elements += ngx_media_bits_u(b, 4);
    elements += ngx_media_bits_u(b, 4);
    lfe = ngx_media_bits_u(b, 2);
    assoc = ngx_media_bits_u(b, 3);
    cc = ngx_media_bits_u(b, 4);

    for (i = 0; i < 3; i++) {

        /* mono mixdown, stereo mixdown, matrix mixdown */

        if (ngx_media_bits_flag(b)) {
            ngx_media_bits_skip(b, i < 2 ? 4 : 3);
        }
    }

    channels = lfe;

    for (i = 0; i < elements; i++) {
        channels += ngx_media_bits_flag(b) ? 2 : 1;
        ngx_media_bits_skip(b, 4);
    }

    ngx_media_bits_skip(b, (lfe + assoc) * 4 + cc * 5);
    ngx_media_bits_align(b);

    n = ngx_media_bits_u(b, 8);              /* comment */
    ngx_media_bits_skip(b, n * 8);

    return channels;
}


/* Backward compatible signalling of SBR and PS behind the config. */

static void
ngx_media_aac_extension(ngx_media_bits_t *b, ngx_media_aac_config_t *out)
{
    uint8_t   index;
    uint32_t  rate;

    out->sample_rate = 0;

    /* SyncExtensionType, audio object type, present flag */

    if (ngx_media_bits_left(b) < 11 + 5 + 1
        || ngx_media_bits_u(b, 11) != NGX_MEDIA_AAC_SYNC_SBR
        || ngx_media_aac_object(b) != NGX_MEDIA_AAC_HE
        || !ngx_media_bits_flag(b))
    {
        return;
    }

    rate = ngx_media_aac_frequency(b, &index);

    if (ngx_media_bits_eof(b) || rate == 0) {
        return;
    }

    out->sbr = 1;
    out->sample_rate = rate;

    if (ngx_media_bits_left(b) >= 12
        && ngx_media_bits_u(b, 11) == NGX_MEDIA_AAC_SYNC_PS)
    {
        out->ps = (uint8_t) ngx_media_bits_flag(b);
    }
}


static void
ngx_media_aac_finish(ngx_media_aac_config_t *out, uint32_t rate)
{
    out->sample_rate = out->core_rate;
    out->profile = out->object_type;

    if (out->sbr) {
        out->sample_rate = rate;
        out->profile = out->ps ? NGX_MEDIA_AAC_HE_V2 : NGX_MEDIA_AAC_HE;

        if (rate / 2 == out->core_rate) {
            out->frame_samples *= 2;
        }
    }

    if (out->ps && out->channels == 1) {
        out->channels = 2;
    }
}


u_char *
ngx_media_aac_config_write(u_char *p, const ngx_media_adts_t *adts)
{
    return ngx_media_put_be16(p, (uint32_t) adts->object_type << 11
                                 | (uint32_t) adts->rate_index << 7
                                 | (uint32_t) adts->channel_config << 3);
}


const u_char *
ngx_media_adts_parse(const u_char *pos, const u_char *end,
    ngx_media_adts_t *out)
{
    if ((size_t) (end - pos) < NGX_MEDIA_ADTS_SIZE
        || pos[0] != 0xff || (pos[1] & 0xf6) != 0xf0)
    {
        return NULL;
    }

    out->header_size = (pos[1] & 1) ? 7 : 9;
    out->object_type = (uint8_t) ((pos[2] >> 6) + 1);
    out->rate_index = (pos[2] >> 2) & 0x0f;
    out->channel_config = (uint8_t) ((pos[2] & 1) << 2 | pos[3] >> 6);
    out->frame_size = (uint16_t) ((pos[3] & 3) << 11 | pos[4] << 3
                                  | pos[5] >> 5);
    out->blocks = (uint8_t) ((pos[6] & 3) + 1);
    out->sample_rate = ngx_media_aac_rate(out->rate_index);

    if (out->sample_rate == 0 || out->frame_size < out->header_size
        || (size_t) (end - pos) < out->header_size)
    {
        return NULL;
    }

    return pos + out->header_size;
}


u_char *
ngx_media_adts_write(u_char *p, const ngx_media_aac_config_t *config,
    size_t size)
{
    if (config->object_type < 1 || config->object_type > 4
        || config->rate_index > 12 || config->channel_config > 7
        || size > NGX_MEDIA_ADTS_MAX - NGX_MEDIA_ADTS_SIZE)
    {
        return NULL;
    }

    size += NGX_MEDIA_ADTS_SIZE;

    *p++ = 0xff;
    *p++ = 0xf1;
    *p++ = (u_char) ((config->object_type - 1) << 6 | config->rate_index << 2
                     | config->channel_config >> 2);
    *p++ = (u_char) ((config->channel_config & 3) << 6 | size >> 11);
    *p++ = (u_char) (size >> 3);
    *p++ = (u_char) ((size & 7) << 5 | 0x1f);
    *p++ = 0xfc;

    return p;
}
