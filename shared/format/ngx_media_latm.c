
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: LOAS and LATM: AudioSyncStream, AudioMuxElement, StreamMuxConfig
 * (ISO/IEC 14496-3 1.7.2, 1.7.3).
 */


#include "ngx_media_rc.h"
#include "ngx_media_aac.h"
#include "ngx_media_latm.h"


static int ngx_media_latm_config(ngx_media_latm_t *l, ngx_media_bits_t *b);
static size_t ngx_media_latm_asc_bits(ngx_media_bits_t b);
static unsigned ngx_media_latm_object(ngx_media_bits_t *b);
static void ngx_media_latm_rate(ngx_media_bits_t *b);
static uint32_t ngx_media_latm_value(ngx_media_bits_t *b);


size_t
ngx_media_loas_size(const u_char *pos)
{
    if (pos[0] != 0x56 || (pos[1] & 0xe0) != 0xe0) {
        return 0;
    }

    return NGX_MEDIA_LOAS_SIZE + ((size_t) (pos[1] & 0x1f) << 8 | pos[2]);
}


int
ngx_media_latm_open(ngx_media_latm_t *l, const u_char *pos, const u_char *end)
{
    int                rc;
    ngx_media_bits_t  *b;

    l->left = 0;

    if ((size_t) (end - pos) < NGX_MEDIA_LOAS_SIZE) {
        return NGX_MEDIA_ERROR;
    }

    b = &l->bits;
    ngx_media_bits_init(b, pos + NGX_MEDIA_LOAS_SIZE, end);

    if (!ngx_media_bits_flag(b)) {           /* useSameStreamMux */
        rc = ngx_media_latm_config(l, b);

        if (rc != NGX_MEDIA_OK) {
            l->config_size = 0;
            return rc;
        }
    }

    if (l->config_size == 0) {
        return NGX_MEDIA_DECLINED;
    }

    l->left = l->units;

    return NGX_MEDIA_OK;
}


ssize_t
ngx_media_latm_next(ngx_media_latm_t *l, u_char *out, size_t size)
{
    size_t    n, i;
    uint32_t  part;

    if (l->left == 0) {
        return 0;
    }

    l->left--;
    n = 0;

    do {
        part = ngx_media_bits_u(&l->bits, 8);
        n += part;
    } while (part == 255);

    if (n == 0 || n > size || n > ngx_media_bits_left(&l->bits) / 8) {
        l->left = 0;
        return -1;
    }

    for (i = 0; i < n; i++) {
        out[i] = (u_char) ngx_media_bits_u(&l->bits, 8);
    }

    return (ssize_t) n;
}


static int
ngx_media_latm_config(ngx_media_latm_t *l, ngx_media_bits_t *b)
{
    size_t    n, i;
    unsigned  last;

    l->version = (uint8_t) ngx_media_bits_flag(b);

    if (l->version) {
        if (ngx_media_bits_flag(b)) {        /* audioMuxVersionA */
            return NGX_MEDIA_DECLINED;
        }

        (void) ngx_media_latm_value(b);      /* taraBufferFullness */
    }

    /* same time framing; the number of programs and of layers less one */

    if (!ngx_media_bits_flag(b)) {
        return NGX_MEDIA_DECLINED;
    }

    l->units = (uint8_t) (ngx_media_bits_u(b, 6) + 1);

    if (ngx_media_bits_u(b, 4) || ngx_media_bits_u(b, 3)) {
        return NGX_MEDIA_DECLINED;
    }

    n = l->version ? ngx_media_latm_value(b) : ngx_media_latm_asc_bits(*b);

    if (n == 0 || n > NGX_MEDIA_LATM_MAX_CONFIG * 8
        || n > ngx_media_bits_left(b))
    {
        return n ? NGX_MEDIA_ERROR : NGX_MEDIA_DECLINED;
    }

    l->config_size = (uint8_t) ((n + 7) / 8);

    for (i = 0; i < n / 8; i++) {
        l->config[i] = (u_char) ngx_media_bits_u(b, 8);
    }

    last = n % 8;

    if (last) {
        l->config[i] = (u_char) (ngx_media_bits_u(b, last) << (8 - last));
    }

    if (ngx_media_bits_u(b, 3) != 0) {       /* frameLengthType */
        return NGX_MEDIA_DECLINED;
    }

    ngx_media_bits_skip(b, 8);               /* latmBufferFullness */

    if (ngx_media_bits_flag(b)) {            /* otherDataPresent */

        if (l->version) {
            (void) ngx_media_latm_value(b);

        } else {
            do {
                last = ngx_media_bits_flag(b);
                ngx_media_bits_skip(b, 8);
            } while (last && !ngx_media_bits_eof(b));
        }
    }

    if (ngx_media_bits_flag(b)) {            /* crcCheckPresent */
        ngx_media_bits_skip(b, 8);
    }

    return ngx_media_bits_eof(b) ? NGX_MEDIA_ERROR : NGX_MEDIA_OK;
}


/*
 * Version 0 does not tell the length of the AudioSpecificConfig: it is read
 * for it.  0: of a kind that is not used here.
 */

static size_t
ngx_media_latm_asc_bits(ngx_media_bits_t b)
{
    size_t    left;
    unsigned  object;

    left = ngx_media_bits_left(&b);

    object = ngx_media_latm_object(&b);
    ngx_media_latm_rate(&b);

    if (ngx_media_bits_u(&b, 4) == 0) {      /* program_config_element() */
        return 0;
    }

    if (object == NGX_MEDIA_AAC_HE || object == NGX_MEDIA_AAC_HE_V2) {
        ngx_media_latm_rate(&b);
        object = ngx_media_latm_object(&b);
    }

    if (object < NGX_MEDIA_AAC_MAIN || object > NGX_MEDIA_AAC_LTP) {
        return 0;
    }

    ngx_media_bits_skip(&b, 1);              /* frameLengthFlag */

    if (ngx_media_bits_flag(&b)) {           /* dependsOnCoreCoder */
        ngx_media_bits_skip(&b, 14);
    }

    if (ngx_media_bits_flag(&b)) {           /* extensionFlag */
        ngx_media_bits_skip(&b, 1);
    }

    return ngx_media_bits_eof(&b) ? 0 : left - ngx_media_bits_left(&b);
}


static unsigned
ngx_media_latm_object(ngx_media_bits_t *b)
{
    unsigned  object;

    object = ngx_media_bits_u(b, 5);

    return object == 31 ? 32 + ngx_media_bits_u(b, 6) : object;
}


static void
ngx_media_latm_rate(ngx_media_bits_t *b)
{
    if (ngx_media_bits_u(b, 4) == 15) {
        ngx_media_bits_skip(b, 24);
    }
}


static uint32_t
ngx_media_latm_value(ngx_media_bits_t *b)
{
    unsigned  n;

    n = ngx_media_bits_u(b, 2);

    return ngx_media_bits_u(b, 8 * (n + 1));
}
