
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: AAC: AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1, with the explicit
 * SBR and PS signalling of 1.6.6), ADTS (1.A.2.2).  Parsers return the
 * position after what they read, or NULL where it is damaged or cut off.
 */


#ifndef _NGX_MEDIA_AAC_H_INCLUDED_
#define _NGX_MEDIA_AAC_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


#define NGX_MEDIA_AAC_MAIN        1
#define NGX_MEDIA_AAC_LC          2
#define NGX_MEDIA_AAC_SSR         3
#define NGX_MEDIA_AAC_LTP         4
#define NGX_MEDIA_AAC_HE          5     /* SBR */
#define NGX_MEDIA_AAC_ER_LC       17
#define NGX_MEDIA_AAC_ER_LD       23
#define NGX_MEDIA_AAC_HE_V2       29    /* PS */
#define NGX_MEDIA_AAC_ER_ELD      39

#define NGX_MEDIA_ADTS_SIZE       7     /* header without CRC */
#define NGX_MEDIA_ADTS_MAX        8191  /* frame length field is 13 bits */


typedef struct {
    uint8_t        object_type;     /* of the core: 2 for LC and HE */
    uint8_t        profile;         /* 2 LC, 5 HE, 29 HEv2, else the core's */
    uint8_t        sbr;
    uint8_t        ps;
    uint8_t        channel_config;  /* 0: told elsewhere */
    uint8_t        channels;        /* decoded; 0 where not known */
    uint8_t        rate_index;      /* of the core; 15: written out */
    uint32_t       core_rate;       /* Hz */
    uint32_t       sample_rate;     /* Hz decoded, after SBR */
    uint32_t       frame_samples;   /* at sample_rate: 1024, 960, 2048 ... */
} ngx_media_aac_config_t;


typedef struct {
    uint8_t        object_type;
    uint8_t        rate_index;
    uint8_t        channel_config;
    uint8_t        header_size;     /* 7, or 9 with CRC */
    uint8_t        blocks;          /* raw data blocks, 1..4 */
    uint16_t       frame_size;      /* header included */
    uint32_t       sample_rate;
} ngx_media_adts_t;


const u_char *ngx_media_aac_config_parse(const u_char *pos,
    const u_char *end, ngx_media_aac_config_t *out);

/*
 * Writes a 2 byte AudioSpecificConfig of the core from what ADTS tells.
 * Returns the position after it.
 */
u_char *ngx_media_aac_config_write(u_char *p, const ngx_media_adts_t *adts);

/* The ADTS header at pos; returns the position after the header. */
const u_char *ngx_media_adts_parse(const u_char *pos, const u_char *end,
    ngx_media_adts_t *out);

/*
 * Writes the NGX_MEDIA_ADTS_SIZE bytes before an access unit of that size.
 * Returns the position after them, or NULL where ADTS cannot express it
 * (size, object type, rate).  SBR and PS are signalled implicitly.
 */
u_char *ngx_media_adts_write(u_char *p, const ngx_media_aac_config_t *config,
    size_t size);

/* Hz of a sampling frequency index, 0 where it is reserved. */
uint32_t ngx_media_aac_rate(unsigned index);


#endif /* _NGX_MEDIA_AAC_H_INCLUDED_ */
