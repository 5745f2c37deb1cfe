
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: a media playlist read back, to go on with what was written before a
 * restart.  Everything points into the text, which is the caller's.
 *
 * RFC 8216, section 4.3.
 */


#ifndef _NGX_MEDIA_M3U8_READ_H_INCLUDED_
#define _NGX_MEDIA_M3U8_READ_H_INCLUDED_


#include "ngx_media_hls_view.h"
#include "ngx_media_rc.h"


typedef struct {
    const u_char   *uri;               /* as it stands there */
    size_t          uri_len;
    const u_char   *map;               /* of EXT-X-MAP, or none */
    size_t          map_len;
    const u_char   *key;               /* URI of EXT-X-KEY, or none: clear */
    size_t          key_len;
    uint64_t        iv;                /* low half of its IV; 0: none */
    int64_t         pdt;               /* us since the epoch; 0: none */
    uint32_t        duration;          /* us */
    uint32_t        flags;             /* NGX_MEDIA_HLS_DISCONTINUITY, _GAP */
} ngx_media_m3u8_entry_t;

typedef struct {
    uint64_t        msn;               /* of the first one below */
    uint32_t        target;            /* s */
    uint32_t        disc;              /* discontinuity sequence of the same,
                                        * before its own tag */
    uint32_t        ended;             /* EXT-X-ENDLIST */
    uint32_t        nentries;          /* the newest ones */
    ngx_media_m3u8_entry_t  entry[NGX_MEDIA_HLS_SEGMENTS];
} ngx_media_m3u8_read_t;

/*
 * NGX_MEDIA_OK; NGX_MEDIA_ERROR: not a media playlist, or a number in it is
 * none.  Tags that are not known are left alone.
 */
int ngx_media_m3u8_read(const u_char *pos, const u_char *end,
    ngx_media_m3u8_read_t *list);


#endif /* _NGX_MEDIA_M3U8_READ_H_INCLUDED_ */
