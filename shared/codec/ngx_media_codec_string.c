
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: codec names of RFC 6381.  See ngx_media_codec_string.h.
 */


#include "ngx_media_codec_string.h"
#include "ngx_media_aac.h"
#include "ngx_media_av1.h"
#include "ngx_media_avc.h"
#include "ngx_media_hevc.h"
#include "ngx_media_rc.h"
#include "ngx_media_vpx.h"
#include "ngx_media_vvc.h"


#define NGX_MEDIA_CODEC_UNKNOWN  2           /* colour: unspecified */


typedef struct {
    u_char   *p;
    size_t    left;     /* room behind p, for the 0 too */
    size_t    n;        /* bytes wanted so far */
} ngx_media_codec_text_t;


static int ngx_media_codec_string_avc(ngx_media_codec_text_t *t,
    const u_char *config, const u_char *end);
static int ngx_media_codec_string_hevc(ngx_media_codec_text_t *t,
    const u_char *config, const u_char *end);
static int ngx_media_codec_string_vvc(ngx_media_codec_text_t *t,
    const u_char *config, const u_char *end);
static int ngx_media_codec_string_av1(ngx_media_codec_text_t *t,
    const ngx_media_codec_info_t *info, const u_char *config,
    const u_char *end);
static int ngx_media_codec_string_vpx(ngx_media_codec_text_t *t,
    const ngx_media_codec_info_t *info);
static int ngx_media_codec_string_aac(ngx_media_codec_text_t *t,
    const u_char *config, const u_char *end);
static int ngx_media_codec_string_plain(ngx_media_codec_text_t *t,
    const ngx_media_codec_info_t *info, unsigned form);
static unsigned ngx_media_codec_string_color(
    const ngx_media_codec_info_t *info);
static void ngx_media_codec_text(ngx_media_codec_text_t *t, const char *s);
static void ngx_media_codec_number(ngx_media_codec_text_t *t, uint32_t v,
    unsigned base, unsigned width, const char *digits);


#define ngx_media_codec_dec(t, v, width)                                      \
    ngx_media_codec_number(t, v, 10, width, "0123456789")
#define ngx_media_codec_hex(t, v, width)                                      \
    ngx_media_codec_number(t, v, 16, width, "0123456789ABCDEF")
#define ngx_media_codec_hex_low(t, v, width)                                  \
    ngx_media_codec_number(t, v, 16, width, "0123456789abcdef")


ssize_t
ngx_media_codec_string(const ngx_media_codec_info_t *info,
    const u_char *config, const u_char *config_end, unsigned form,
    u_char *buf, size_t size)
{
    int                     rc;
    ngx_media_codec_text_t  t;

    if (size == 0) {
        return NGX_MEDIA_ERROR;
    }

    t.p = buf;
    t.left = size - 1;
    t.n = 0;

    switch (info->codec) {

    case NGX_MEDIA_CODEC_H264:
        rc = ngx_media_codec_string_avc(&t, config, config_end);
        break;

    case NGX_MEDIA_CODEC_HEVC:
        rc = ngx_media_codec_string_hevc(&t, config, config_end);
        break;

    case NGX_MEDIA_CODEC_VVC:
        rc = ngx_media_codec_string_vvc(&t, config, config_end);
        break;

    case NGX_MEDIA_CODEC_AV1:
        rc = ngx_media_codec_string_av1(&t, info, config, config_end);
        break;

    case NGX_MEDIA_CODEC_VP8:
    case NGX_MEDIA_CODEC_VP9:
        rc = ngx_media_codec_string_vpx(&t, info);
        break;

    case NGX_MEDIA_CODEC_AAC:
        rc = ngx_media_codec_string_aac(&t, config, config_end);
        break;

    default:
        rc = ngx_media_codec_string_plain(&t, info, form);
        break;
    }

    *t.p = '\0';

    return rc == NGX_MEDIA_OK && t.n < size ? (ssize_t) t.n : NGX_MEDIA_ERROR;
}


static int
ngx_media_codec_string_avc(ngx_media_codec_text_t *t, const u_char *config,
    const u_char *end)
{
    ngx_media_nal_t         nal;
    ngx_media_avc_config_t  avc;

    if (ngx_media_avc_config_parse(config, end, &avc) == NULL) {
        return NGX_MEDIA_ERROR;
    }

    if (avc.nsps
        && ngx_media_nal_next_set(avc.sps, avc.sps_end, &nal) != NULL
        && nal.size >= 4)
    {
        avc.profile = nal.data[1];
        avc.compat = nal.data[2];
        avc.level = nal.data[3];
    }

    ngx_media_codec_text(t, avc.nsps && avc.npps ? "avc1." : "avc3.");
    ngx_media_codec_hex_low(t, avc.profile, 2);
    ngx_media_codec_hex_low(t, avc.compat, 2);
    ngx_media_codec_hex_low(t, avc.level, 2);

    return NGX_MEDIA_OK;
}


static int
ngx_media_codec_string_hevc(ngx_media_codec_text_t *t, const u_char *config,
    const u_char *end)
{
    unsigned                  i;
    uint32_t                  compat;
    uint64_t                  constraints;
    ngx_media_nal_t           nal;
    ngx_media_hevc_config_t   hevc;

    static const char  *spaces[4] = { "", "A", "B", "C" };

    if (ngx_media_hevc_config_parse(config, end, &hevc) == NULL) {
        return NGX_MEDIA_ERROR;
    }

    ngx_media_codec_text(t, ngx_media_hevc_config_set(&hevc,
                                    NGX_MEDIA_HEVC_NAL_SPS, 0, &nal)
                            == NGX_MEDIA_OK ? "hvc1." : "hev1.");

    ngx_media_codec_text(t, spaces[hevc.profile_space & 3]);
    ngx_media_codec_dec(t, hevc.profile, 1);

    /* the flags are told from the last to the first */

    compat = 0;

    for (i = 0; i < 32; i++) {
        compat = compat << 1 | (hevc.compat >> i & 1);
    }

    ngx_media_codec_text(t, ".");
    ngx_media_codec_hex(t, compat, 1);
    ngx_media_codec_text(t, hevc.tier ? ".H" : ".L");
    ngx_media_codec_dec(t, hevc.level, 1);

    /* six bytes, those of 0 at the end are left out */

    for (constraints = hevc.constraints & 0xffffffffffffULL;
         constraints;
         constraints = constraints << 8 & 0xffffffffffffULL)
    {
        ngx_media_codec_text(t, ".");
        ngx_media_codec_hex(t, (uint32_t) (constraints >> 40), 1);
    }

    return NGX_MEDIA_OK;
}


static int
ngx_media_codec_string_vvc(ngx_media_codec_text_t *t, const u_char *config,
    const u_char *end)
{
    ngx_media_vvc_config_t  vvc;

    if (ngx_media_vvc_config_parse(config, end, &vvc) == NULL) {
        return NGX_MEDIA_ERROR;
    }

    ngx_media_codec_text(t, "vvc1");

    if (vvc.ptl) {
        ngx_media_codec_text(t, ".");
        ngx_media_codec_dec(t, vvc.profile, 1);
        ngx_media_codec_text(t, vvc.tier ? ".H" : ".L");
        ngx_media_codec_dec(t, vvc.level, 1);
    }

    return NGX_MEDIA_OK;
}


static int
ngx_media_codec_string_av1(ngx_media_codec_text_t *t,
    const ngx_media_codec_info_t *info, const u_char *config,
    const u_char *end)
{
    ngx_media_av1_config_t  av1;

    if (ngx_media_av1_config_parse(config, end, &av1) == NULL) {
        return NGX_MEDIA_ERROR;
    }

    ngx_media_codec_text(t, "av01.");
    ngx_media_codec_dec(t, av1.profile, 1);
    ngx_media_codec_text(t, ".");
    ngx_media_codec_dec(t, av1.level, 2);
    ngx_media_codec_text(t, av1.tier ? "H." : "M.");
    ngx_media_codec_dec(t, av1.bit_depth, 2);

    if (!av1.monochrome && !ngx_media_codec_string_color(info)) {
        return NGX_MEDIA_OK;
    }

    /* the third digit of the sampling is where chroma lies: not known */

    ngx_media_codec_text(t, av1.monochrome ? ".1." : ".0.");
    ngx_media_codec_dec(t, av1.subsampling_x, 1);
    ngx_media_codec_dec(t, av1.subsampling_y, 1);
    ngx_media_codec_text(t, "0.");
    ngx_media_codec_dec(t, info->color_primaries, 2);
    ngx_media_codec_text(t, ".");
    ngx_media_codec_dec(t, info->color_transfer, 2);
    ngx_media_codec_text(t, ".");
    ngx_media_codec_dec(t, info->color_matrix, 2);
    ngx_media_codec_text(t, info->color_full_range ? ".1" : ".0");

    return NGX_MEDIA_OK;
}


static int
ngx_media_codec_string_vpx(ngx_media_codec_text_t *t,
    const ngx_media_codec_info_t *info)
{
    uint8_t  level;

    level = info->level;

    if (level == 0) {
        level = ngx_media_vp9_level(info->width, info->height, info->fps_num,
                                    info->fps_den);
    }

    ngx_media_codec_text(t, info->codec == NGX_MEDIA_CODEC_VP8 ? "vp08."
                                                               : "vp09.");
    ngx_media_codec_dec(t, info->profile, 2);
    ngx_media_codec_text(t, ".");
    ngx_media_codec_dec(t, level, 2);
    ngx_media_codec_text(t, ".");
    ngx_media_codec_dec(t, info->bit_depth ? info->bit_depth : 8u, 2);

    if (info->chroma < 2 && !ngx_media_codec_string_color(info)) {
        return NGX_MEDIA_OK;
    }

    ngx_media_codec_text(t, ".");
    ngx_media_codec_dec(t, info->chroma, 2);
    ngx_media_codec_text(t, ".");
    ngx_media_codec_dec(t, info->color_primaries, 2);
    ngx_media_codec_text(t, ".");
    ngx_media_codec_dec(t, info->color_transfer, 2);
    ngx_media_codec_text(t, ".");
    ngx_media_codec_dec(t, info->color_matrix, 2);
    ngx_media_codec_text(t, info->color_full_range ? ".01" : ".00");

    return NGX_MEDIA_OK;
}


/* The colour of it is told where it is not what a player assumes. */

static unsigned
ngx_media_codec_string_color(const ngx_media_codec_info_t *info)
{
    return info->color_primaries > NGX_MEDIA_CODEC_UNKNOWN
           || info->color_transfer > NGX_MEDIA_CODEC_UNKNOWN
           || info->color_matrix > NGX_MEDIA_CODEC_UNKNOWN
           || info->color_full_range;
}


static int
ngx_media_codec_string_aac(ngx_media_codec_text_t *t, const u_char *config,
    const u_char *end)
{
    ngx_media_aac_config_t  aac;

    if (ngx_media_aac_config_parse(config, end, &aac) == NULL) {
        return NGX_MEDIA_ERROR;
    }

    ngx_media_codec_text(t, "mp4a.40.");
    ngx_media_codec_dec(t, aac.profile, 1);

    return NGX_MEDIA_OK;
}


static int
ngx_media_codec_string_plain(ngx_media_codec_text_t *t,
    const ngx_media_codec_info_t *info, unsigned form)
{
    switch (info->codec) {

    case NGX_MEDIA_CODEC_MP3:

        if (form == NGX_MEDIA_CODEC_STRING_HLS) {
            ngx_media_codec_text(t, "mp4a.40.34");

        } else {
            ngx_media_codec_text(t, info->sample_rate >= 32000 ? "mp4a.6B"
                                                               : "mp4a.69");
        }

        return NGX_MEDIA_OK;

    case NGX_MEDIA_CODEC_OPUS:
        ngx_media_codec_text(t, "opus");
        return NGX_MEDIA_OK;

    case NGX_MEDIA_CODEC_AC3:
        ngx_media_codec_text(t, "ac-3");
        return NGX_MEDIA_OK;

    case NGX_MEDIA_CODEC_EAC3:
        ngx_media_codec_text(t, "ec-3");
        return NGX_MEDIA_OK;

    case NGX_MEDIA_CODEC_FLAC:
        ngx_media_codec_text(t, "fLaC");
        return NGX_MEDIA_OK;

    default:
        return NGX_MEDIA_ERROR;
    }
}


static void
ngx_media_codec_text(ngx_media_codec_text_t *t, const char *s)
{
    for ( /* void */ ; *s; s++) {

        if (t->left) {
            *t->p++ = (u_char) *s;
            t->left--;
        }

        t->n++;
    }
}


/* At least width digits, with zeros in front. */

static void
ngx_media_codec_number(ngx_media_codec_text_t *t, uint32_t v, unsigned base,
    unsigned width, const char *digits)
{
    char      text[12];
    unsigned  i;

    i = sizeof(text) - 1;
    text[i] = '\0';

    do {
        text[--i] = digits[v % base];
        v /= base;

    } while (v);

    while (sizeof(text) - 1 - i < width) {
        text[--i] = '0';
    }

    ngx_media_codec_text(t, text + i);
}
