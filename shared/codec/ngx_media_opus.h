
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: Opus: identification header (RFC 7845 5.1), duration of a packet from
 * its TOC (RFC 6716 3.1, 3.2).
 */


#ifndef _NGX_MEDIA_OPUS_H_INCLUDED_
#define _NGX_MEDIA_OPUS_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


#define NGX_MEDIA_OPUS_RATE  48000


typedef struct {
    uint8_t        version;
    uint8_t        channels;
    uint8_t        mapping;         /* channel mapping family */
    uint16_t       pre_skip;        /* samples at 48 kHz */
    int16_t        gain;            /* Q7.8 dB */
    uint32_t       input_rate;      /* Hz, informational */
} ngx_media_opus_head_t;


/* OpusHead; returns the position after it, or NULL. */
const u_char *ngx_media_opus_head_parse(const u_char *pos,
    const u_char *end, ngx_media_opus_head_t *out);

/* Writes a 19 byte OpusHead of mapping family 0, channels 1 or 2. */
u_char *ngx_media_opus_head_write(u_char *p, unsigned channels,
    unsigned pre_skip, uint32_t input_rate);

/* Samples at 48 kHz in a packet, 0 where it is damaged. */
uint32_t ngx_media_opus_samples(const u_char *pos, const u_char *end);


#endif /* _NGX_MEDIA_OPUS_H_INCLUDED_ */
