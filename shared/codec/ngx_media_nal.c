
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: NAL units behind lengths and start codes.  See ngx_media_nal.h.
 * Sources: ISO/IEC 14496-15 4.3.2, H.264 annex B.
 */


#include "ngx_media_nal.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_SEI_RECOVERY  6


static const u_char *ngx_media_nal_start_code(const u_char *pos,
    const u_char *end);
static uint32_t ngx_media_nal_sei_number(ngx_media_bits_t *b);


const u_char *
ngx_media_nal_next(const u_char *pos, const u_char *end, unsigned nal_size,
    ngx_media_nal_t *nal)
{
    size_t    left;
    unsigned  i;
    uint32_t  size;

    left = (size_t) (end - pos);

    if (nal_size < 1 || nal_size > 4 || left < nal_size) {
        return NULL;
    }

    size = 0;

    for (i = 0; i < nal_size; i++) {
        size = size << 8 | pos[i];
    }

    if (left - nal_size < size) {
        return NULL;
    }

    nal->data = pos + nal_size;
    nal->size = size;

    return nal->data + size;
}


const u_char *
ngx_media_nal_next_set(const u_char *pos, const u_char *end,
    ngx_media_nal_t *nal)
{
    return ngx_media_nal_next(pos, end, 2, nal);
}


/* The first 00 00 01, or end. */

static const u_char *
ngx_media_nal_start_code(const u_char *pos, const u_char *end)
{
    while (end - pos >= 3) {

        if (pos[2] > 1) {
            pos += 3;

        } else if (pos[0] == 0 && pos[1] == 0 && pos[2] == 1) {
            return pos;

        } else {
            pos++;
        }
    }

    return end;
}


const u_char *
ngx_media_nal_next_annexb(const u_char *pos, const u_char *end,
    ngx_media_nal_t *nal)
{
    const u_char  *last;

    for ( ;; ) {
        pos = ngx_media_nal_start_code(pos, end);

        if (pos == end) {
            return NULL;
        }

        nal->data = pos + 3;
        pos = ngx_media_nal_start_code(nal->data, end);

        last = pos;

        while (last > nal->data && last[-1] == 0) {
            last--;
        }

        nal->size = (size_t) (last - nal->data);

        if (nal->size) {
            return pos;
        }
    }
}


int
ngx_media_nal_is_annexb(const u_char *pos, const u_char *end,
    unsigned nal_size)
{
    size_t           n;
    const u_char    *p;
    ngx_media_nal_t  nal;

    n = (size_t) (end - pos);

    if (n < 4 || pos[0] != 0 || pos[1] != 0
        || !(pos[2] == 1 || (pos[2] == 0 && pos[3] == 1)))
    {
        return 0;
    }

    p = pos;

    while (p != end) {
        p = ngx_media_nal_next(p, end, nal_size, &nal);
        if (p == NULL) {
            return 1;
        }
    }

    return 0;
}


ssize_t
ngx_media_nal_from_annexb(const u_char *pos, const u_char *end,
    unsigned nal_size, u_char *out, size_t size)
{
    u_char           *p;
    unsigned          i;
    ngx_media_nal_t   nal;

    if (nal_size < 1 || nal_size > 4) {
        return -1;
    }

    p = out;

    while ((pos = ngx_media_nal_next_annexb(pos, end, &nal)) != NULL) {

        if (size < nal_size || size - nal_size < nal.size
            || (nal_size < 4 && nal.size >> (8 * nal_size))
            || nal.size > 0xffffffff)
        {
            return -1;
        }

        for (i = nal_size; i > 0; i--) {
            *p++ = (u_char) (nal.size >> (8 * (i - 1)));
        }

        p = ngx_media_put(p, nal.data, nal.size);
        size -= nal_size + nal.size;
    }

    return p - out;
}


void
ngx_media_nal_sar(unsigned idc, uint16_t *width, uint16_t *height)
{
    static const uint8_t  ratios[17][2] = {
        { 0, 0 }, { 1, 1 }, { 12, 11 }, { 10, 11 }, { 16, 11 }, { 40, 33 },
        { 24, 11 }, { 20, 11 }, { 32, 11 }, { 80, 33 }, { 18, 11 },
        { 15, 11 }, { 64, 33 }, { 160, 99 }, { 4, 3 }, { 3, 2 }, { 2, 1 }
    };

    if (idc > 16) {
        idc = 0;
    }

    *width = ratios[idc][0];
    *height = ratios[idc][1];
}


int
ngx_media_nal_sei_recovery(const u_char *pos, const u_char *end,
    uint32_t *count)
{
    uint32_t          type, size;
    ngx_media_bits_t  b;

    ngx_media_bits_init_rbsp(&b, pos, end);

    while (ngx_media_bits_left(&b) > 16) {

        type = ngx_media_nal_sei_number(&b);
        size = ngx_media_nal_sei_number(&b);

        if (ngx_media_bits_eof(&b)) {
            return 0;
        }

        if (type == NGX_MEDIA_SEI_RECOVERY) {

            /* recovery_frame_cnt ue(v), recovery_poc_cnt se(v): 0 is 0 */

            *count = ngx_media_bits_ue(&b);

            return !ngx_media_bits_eof(&b);
        }

        ngx_media_bits_skip(&b, (size_t) size * 8);
    }

    return 0;
}


/* payload type and size: 255 and more follow */

static uint32_t
ngx_media_nal_sei_number(ngx_media_bits_t *b)
{
    uint32_t  n, c;

    n = 0;

    do {
        c = ngx_media_bits_u(b, 8);
        n += c;
    } while (c == 255 && !ngx_media_bits_eof(b));

    return n;
}
