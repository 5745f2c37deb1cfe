
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: FLAC stream information (RFC 9639 8.2).
 */


#ifndef _NGX_MEDIA_FLAC_H_INCLUDED_
#define _NGX_MEDIA_FLAC_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


typedef struct {
    uint8_t        channels;
    uint8_t        bits;
    uint16_t       min_block;       /* samples */
    uint16_t       max_block;
    uint32_t       sample_rate;
    uint64_t       samples;         /* 0: not known */
} ngx_media_flac_t;


/*
 * STREAMINFO behind "fLaC" and its block header, behind its block header
 * alone, or bare (34 bytes).  Returns the position after it, or NULL.
 */
const u_char *ngx_media_flac_parse(const u_char *pos, const u_char *end,
    ngx_media_flac_t *out);

/* Samples in a frame (RFC 9639 9.1), 0 where it is damaged. */
uint32_t ngx_media_flac_samples(const u_char *pos, const u_char *end);


#endif /* _NGX_MEDIA_FLAC_H_INCLUDED_ */
