
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: AAC in LATM behind LOAS sync words (ISO/IEC 14496-3 1.7), as DVB has
 * it: one program, one layer, access units with a length.  Access units do
 * not lie on bytes there and are copied out.
 */


#ifndef _NGX_MEDIA_LATM_H_INCLUDED_
#define _NGX_MEDIA_LATM_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_bits.h"


#define NGX_MEDIA_LOAS_SIZE        3
#define NGX_MEDIA_LATM_MAX_CONFIG  64


/* lives as long as the stream; zeroed at first */

typedef struct {
    ngx_media_bits_t  bits;         /* of the frame being read */
    uint8_t           version;
    uint8_t           left;         /* access units not handed out yet */
    uint8_t           units;        /* in a frame */
    uint8_t           config_size;  /* 0: there was none yet */
    u_char            config[NGX_MEDIA_LATM_MAX_CONFIG];
                                    /* AudioSpecificConfig */
} ngx_media_latm_t;


/*
 * Bytes of the LOAS frame at pos, header included; 0: no sync word.  Looks at
 * NGX_MEDIA_LOAS_SIZE bytes, which must be there.
 */
size_t ngx_media_loas_size(const u_char *pos);

/*
 * Opens a whole LOAS frame; it must stay until the last access unit is read.
 * Returns NGX_MEDIA_OK; NGX_MEDIA_DECLINED: there was no config yet, or it is
 * of a kind we do not read; NGX_MEDIA_ERROR: damaged.
 */
int ngx_media_latm_open(ngx_media_latm_t *l, const u_char *pos,
    const u_char *end);

/*
 * Copies the next access unit into size bytes at out, for which the size of
 * the frame is enough.  Returns its size, 0 after the last, or -1: damaged.
 */
ssize_t ngx_media_latm_next(ngx_media_latm_t *l, u_char *out, size_t size);


#endif /* _NGX_MEDIA_LATM_H_INCLUDED_ */
