
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: AC-3 and E-AC-3 syncframe header (ETSI TS 102 366 4.4.1, E.1.2).
 */


#ifndef _NGX_MEDIA_AC3_H_INCLUDED_
#define _NGX_MEDIA_AC3_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


typedef struct {
    uint8_t        eac3;
    uint8_t        bsid;
    uint8_t        acmod;
    uint8_t        lfe;
    uint8_t        channels;        /* LFE included */
    uint8_t        stream_type;     /* E-AC-3: 0 independent, 1 dependent */
    uint16_t       frame_size;      /* bytes, sync word included */
    uint16_t       samples;
    uint32_t       sample_rate;
    uint32_t       bitrate;         /* bit/s, AC-3 only */
} ngx_media_ac3_t;


/* Returns the position after the fields read, or NULL. */
const u_char *ngx_media_ac3_parse(const u_char *pos, const u_char *end,
    ngx_media_ac3_t *out);


#endif /* _NGX_MEDIA_AC3_H_INCLUDED_ */
