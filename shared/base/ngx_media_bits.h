
/*
 * Copyright (C) the nginx media suite authors
 *
 * L0: the bit reader, the only one of the suite.  It reads most significant
 * bit first from a span it does not own.  Reading past the end yields zero
 * bits and sets eof: a parser reads on without looking and asks once, at its
 * end, whether all it read was there.
 *
 * In RBSP mode the emulation prevention byte of 00 00 03 is left out on the
 * way (H.264 7.3.1, H.265 7.3.1.1, H.266 7.3.1.1).
 */


#ifndef _NGX_MEDIA_BITS_H_INCLUDED_
#define _NGX_MEDIA_BITS_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


typedef struct {
    const u_char  *pos;     /* next byte to load */
    const u_char  *end;
    uint8_t        byte;    /* loaded byte */
    uint8_t        left;    /* its bits not read yet, 0..8 */
    uint8_t        zeros;   /* zero bytes in a row before pos, at most 2 */
    uint8_t        rbsp;    /* 1: skip emulation prevention bytes */
    uint8_t        eof;     /* 1: read past the end, or a code too long */
} ngx_media_bits_t;


/* Starts on plain bytes. */
void ngx_media_bits_init(ngx_media_bits_t *b, const u_char *pos,
    const u_char *end);

/* Starts on the payload of a NAL unit. */
void ngx_media_bits_init_rbsp(ngx_media_bits_t *b, const u_char *pos,
    const u_char *end);

/* u(n), n <= 32. */
uint32_t ngx_media_bits_u(ngx_media_bits_t *b, unsigned n);

/* u(n), n <= 64. */
uint64_t ngx_media_bits_u64(ngx_media_bits_t *b, unsigned n);

/* ue(v), se(v): Exp-Golomb, H.264 9.1. */
uint32_t ngx_media_bits_ue(ngx_media_bits_t *b);
int32_t ngx_media_bits_se(ngx_media_bits_t *b);

/* Steps over n bits. */
void ngx_media_bits_skip(ngx_media_bits_t *b, size_t n);

/* Steps to the next byte boundary, nowhere if it is on one. */
void ngx_media_bits_align(ngx_media_bits_t *b);

/* Bits not read yet; in RBSP mode counts emulation prevention bytes too. */
size_t ngx_media_bits_left(const ngx_media_bits_t *b);


#define ngx_media_bits_flag(b)  ngx_media_bits_u(b, 1)
#define ngx_media_bits_eof(b)   ((b)->eof)


#endif /* _NGX_MEDIA_BITS_H_INCLUDED_ */
