
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: playlists of HTTP Live Streaming, written from a view of a rendition,
 * and the names of the objects in them.
 *
 *   STREAM.m3u8                    multivariant, or media playlist where
 *                                  there is one rendition (see _master)
 *   STREAM.hls.TAG.m3u8            media playlist of a rendition
 *   STREAM.hls.12.m4s  .ts         segment 12 of the muxed rendition
 *   STREAM.hls.12.3.m4s  .ts       its part 3
 *   STREAM.hls.init.mp4?v=HASH     init segment
 *   STREAM.hls.key.5               AES key 5
 *   STREAM.hls.TAG.12.m4s ...      the same of the rendition TAG (v0, a1)
 *   STREAM.mpd                     DASH
 *
 * RFC 8216; draft-pantos-hls-rfc8216bis; ISO/IEC 23009-1 for the MPD.
 */


#ifndef _NGX_MEDIA_M3U8_H_INCLUDED_
#define _NGX_MEDIA_M3U8_H_INCLUDED_


#include "ngx_media_hls_view.h"
#include "ngx_media_rc.h"


/* --- names -------------------------------------------------------------- */

typedef enum {
    NGX_MEDIA_HLS_NAME_NONE = 0,       /* not ours: static files may serve it */
    NGX_MEDIA_HLS_NAME_PLAYLIST,       /* STREAM.m3u8 */
    NGX_MEDIA_HLS_NAME_RENDITION,      /* STREAM.hls.TAG.m3u8; tag "0" is the
                                        * muxed one */
    NGX_MEDIA_HLS_NAME_MPD,
    NGX_MEDIA_HLS_NAME_INIT,
    NGX_MEDIA_HLS_NAME_SEGMENT,
    NGX_MEDIA_HLS_NAME_PART,
    NGX_MEDIA_HLS_NAME_KEY,
    NGX_MEDIA_HLS_NAME_BAD             /* ours by its form, but damaged: 404 */
} ngx_media_hls_name_e;

typedef struct {
    ngx_media_hls_name_e  kind;
    const u_char         *stream;      /* into the name */
    size_t                stream_len;
    const u_char         *tag;
    size_t                tag_len;
    uint64_t              msn;         /* or number of a key */
    uint32_t              part;
    uint32_t              container;   /* by the ending */
} ngx_media_hls_name_t;

/*
 * Takes the last level of a decoded path apart ("x.hls.12.3.m4s").  Never
 * fails: kind says what it is.
 */
void ngx_media_hls_name_parse(const u_char *pos, const u_char *end,
    ngx_media_hls_name_t *name);


/*
 * Writes a name of a stream as it goes into URIs: all but the unreserved
 * characters of RFC 3986 as %XX.  Returns its length, at most 3 * len; where
 * n is too small nothing useful is in dst.
 */
size_t ngx_media_hls_escape(const u_char *src, size_t len, u_char *dst,
    size_t n);


/* --- query -------------------------------------------------------------- */

typedef struct {
    uint64_t        msn;               /* _HLS_msn */
    uint32_t        part;              /* _HLS_part */
    uint32_t        init;              /* v= of an init */
    int64_t         start;             /* start=: <0 s before live; >0 s since
                                        * the epoch (a number or RFC 3339) */
    const u_char   *ctx;               /* hls_ctx= */
    size_t          ctx_len;
    unsigned        has_msn:1;
    unsigned        has_part:1;
    unsigned        has_init:1;
    unsigned        has_start:1;
    unsigned        skip:1;            /* _HLS_skip=YES or v2 */
    unsigned        skip_v2:1;
    unsigned        push:1;            /* _HLS_push: ignored */
} ngx_media_hls_query_t;

/*
 * Parses the arguments of a request.  NGX_MEDIA_OK, or NGX_MEDIA_ERROR where
 * a directive has no valid value or _HLS_part comes without _HLS_msn (answer
 * 400, rfc8216bis 6.2.5).  Other arguments are left alone.
 */
int ngx_media_hls_query_parse(const u_char *pos, const u_char *end,
    ngx_media_hls_query_t *query);


/* --- media playlist ----------------------------------------------------- */

/* last msn and part of another rendition: EXT-X-RENDITION-REPORT */

typedef struct {
    const char     *uri;               /* relative */
    uint64_t        msn;
    uint32_t        part;
    uint32_t        low_latency;       /* part is meant */
} ngx_media_m3u8_report_t;

/* names of one's own, of a playlist and its segments on disk: URIs */

typedef struct {
    const u_char   *uri;
    size_t          uri_len;
    const u_char   *map;               /* its init segment, or none */
    size_t          map_len;
    const u_char   *key;               /* its key, where the view has one */
    size_t          key_len;
    uint64_t        iv;                /* told, as numbers may be others */
} ngx_media_m3u8_uri_t;

typedef struct {
    const u_char   *stream;            /* base name, as it stands in URIs:
                                        * already escaped */
    size_t          stream_len;
    const u_char   *args;              /* goes behind every URI, without a
                                        * question mark, or none */
    size_t          args_len;
    const u_char   *prefix;            /* hls_entry_prefix, or none; a slash
                                        * is added where it has none */
    size_t          prefix_len;
    const u_char   *key_url;           /* hls_key_url, or none; the same */
    size_t          key_url_len;
    uint32_t        skip;              /* delta update is asked for */
    uint32_t        can_skip;          /* CAN-SKIP-UNTIL is offered */
    uint32_t        can_block;         /* CAN-BLOCK-RELOAD */
    int64_t         start;             /* msn-independent time shift: list from
                                        * this pdt on (us since the epoch), 0:
                                        * the window */
    uint32_t        nreports;
    const ngx_media_m3u8_report_t  *reports;
    const ngx_media_m3u8_uri_t     *uris;    /* of the segments of the view, by
                                        * index; NULL: by the names above */
} ngx_media_m3u8_params_t;

/*
 * Writes a media playlist into [buf, buf + n).  Returns its length; where n
 * is too small, the length that it would have (nothing useful is in buf).
 */
size_t ngx_media_m3u8_media(const ngx_media_hls_view_t *view,
    const ngx_media_m3u8_params_t *params, u_char *buf, size_t n);


/* --- multivariant playlist ---------------------------------------------- */

typedef struct {
    const u_char   *uri;               /* as it goes into the playlist */
    size_t          uri_len;
    const u_char   *name;              /* NAME of an audio rendition, or none */
    size_t          name_len;
    const ngx_media_hls_view_t  *view; /* tracks and bandwidths of it; segments
                                        * are not looked at */
} ngx_media_m3u8_variant_t;

/*
 * Variants are the renditions with video (or all, where none has); those
 * without are EXT-X-MEDIA of type AUDIO in the group of all.  Returns as
 * above.
 */
size_t ngx_media_m3u8_master(const ngx_media_m3u8_variant_t *variants,
    unsigned nvariants, u_char *buf, size_t n);


#endif /* _NGX_MEDIA_M3U8_H_INCLUDED_ */
