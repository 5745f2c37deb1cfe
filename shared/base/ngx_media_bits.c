
/*
 * Copyright (C) the nginx media suite authors
 *
 * L0: the bit reader.  See ngx_media_bits.h.
 */


#include "ngx_media_bits.h"


static int ngx_media_bits_load(ngx_media_bits_t *b);


void
ngx_media_bits_init(ngx_media_bits_t *b, const u_char *pos, const u_char *end)
{
    b->pos = pos;
    b->end = end;
    b->byte = 0;
    b->left = 0;
    b->zeros = 0;
    b->rbsp = 0;
    b->eof = 0;
}


void
ngx_media_bits_init_rbsp(ngx_media_bits_t *b, const u_char *pos,
    const u_char *end)
{
    ngx_media_bits_init(b, pos, end);

    b->rbsp = 1;
}


static int
ngx_media_bits_load(ngx_media_bits_t *b)
{
    if (b->pos == b->end) {
        b->eof = 1;
        return 0;
    }

    if (b->rbsp) {

        if (b->zeros == 2 && *b->pos == 3) {
            b->pos++;
            b->zeros = 0;

            if (b->pos == b->end) {
                b->eof = 1;
                return 0;
            }
        }

        if (*b->pos != 0) {
            b->zeros = 0;

        } else if (b->zeros < 2) {
            b->zeros++;
        }
    }

    b->byte = *b->pos++;
    b->left = 8;

    return 1;
}


uint64_t
ngx_media_bits_u64(ngx_media_bits_t *b, unsigned n)
{
    unsigned  take;
    uint64_t  v;

    v = 0;

    while (n) {

        if (b->left == 0 && !ngx_media_bits_load(b)) {
            return n < 64 ? v << n : 0;
        }

        take = n < b->left ? n : b->left;

        b->left = (uint8_t) (b->left - take);
        n -= take;

        v = v << take | ((b->byte >> b->left) & ((1u << take) - 1));
    }

    return v;
}


uint32_t
ngx_media_bits_u(ngx_media_bits_t *b, unsigned n)
{
    return (uint32_t) ngx_media_bits_u64(b, n);
}


uint32_t
ngx_media_bits_ue(ngx_media_bits_t *b)
{
    unsigned  zeros;

    zeros = 0;

    while (ngx_media_bits_u(b, 1) == 0) {

        if (b->eof || ++zeros > 32) {
            b->eof = 1;
            return 0;
        }
    }

    return (uint32_t) (((uint64_t) 1 << zeros) - 1
                       + ngx_media_bits_u64(b, zeros));
}


int32_t
ngx_media_bits_se(ngx_media_bits_t *b)
{
    uint32_t  v;

    v = ngx_media_bits_ue(b);

    if (v & 1) {
        return (int32_t) ((v >> 1) + 1);
    }

    return -(int32_t) (v >> 1);
}


void
ngx_media_bits_skip(ngx_media_bits_t *b, size_t n)
{
    size_t  take;

    while (n) {

        if (b->left == 0 && !ngx_media_bits_load(b)) {
            return;
        }

        take = n < b->left ? n : b->left;

        b->left = (uint8_t) (b->left - take);
        n -= take;
    }
}


void
ngx_media_bits_align(ngx_media_bits_t *b)
{
    b->left = 0;
}


size_t
ngx_media_bits_left(const ngx_media_bits_t *b)
{
    return (size_t) (b->end - b->pos) * 8 + b->left;
}
