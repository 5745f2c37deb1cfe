
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: what a packager has made of a source, as the writers of playlists (HLS,
 * DASH) see it: a consistent copy of one rendition, in memory of the caller.
 * Filled from the arena by the store (shared/service), read by
 * ngx_media_m3u8_*() and ngx_media_mpd_*(), which know nothing else.
 *
 * Terms (RFC 8216 and draft-pantos-hls-rfc8216bis): a rendition is a set of
 * tracks packed together; it is a row of segments, numbered without holes
 * (media sequence number, msn), and each segment is a row of parts, numbered
 * from 0.  The last segment may be open: parts may follow.
 *
 * All renditions of an output are cut at the same times and have the same
 * numbers.
 */


#ifndef _NGX_MEDIA_HLS_VIEW_H_INCLUDED_
#define _NGX_MEDIA_HLS_VIEW_H_INCLUDED_


#include "ngx_media_codec.h"


#define NGX_MEDIA_HLS_SEGMENTS     512     /* kept in a rendition at most */
#define NGX_MEDIA_HLS_PARTS        2048    /* shown in a view at most */
#define NGX_MEDIA_HLS_RENDITIONS   14      /* of an output at most */
#define NGX_MEDIA_HLS_TAG_LEN      8       /* "", "v0", "a1" */
#define NGX_MEDIA_HLS_KEY_LEN      16


typedef enum {
    NGX_MEDIA_HLS_FMP4 = 0,
    NGX_MEDIA_HLS_MPEGTS
} ngx_media_hls_container_e;


/* flags of segments and parts */

#define NGX_MEDIA_HLS_CLOSED        0x01   /* segment: no part will follow */
#define NGX_MEDIA_HLS_INDEPENDENT   0x02   /* begins with a keyframe; audio */
#define NGX_MEDIA_HLS_DISCONTINUITY 0x04   /* segment: tag goes before it */
#define NGX_MEDIA_HLS_GAP           0x08   /* its bytes are not there */


typedef struct {
    uint32_t        duration;      /* us */
    uint32_t        size;          /* bytes */
    uint32_t        flags;
} ngx_media_hls_part_t;


typedef struct {
    uint64_t        msn;
    uint64_t        part;          /* its first part in the store */
    int64_t         dts;           /* us, source timeline, of its first frame */
    int64_t         pdt;           /* us since the epoch, of the same;
                                    * 0 to 2^62 */
    int64_t         time;          /* us, where its first sample stands in the
                                    * media (tfdt): ngx_media_mp4_us() of it */
    int64_t         origin;        /* the same of the first segment since the
                                    * discontinuity (or ever) */
    uint64_t        bytes;         /* of what there is of it */
    uint32_t        duration;      /* us, of what there is of it */
    uint32_t        nparts;
    uint32_t        flags;
    uint32_t        init;          /* hash that names its init; 0: none (TS) */
    uint32_t        key;           /* number of its AES key; 0: clear */
    uint32_t        disc;          /* discontinuities up to and with it: its
                                    * discontinuity sequence number */
} ngx_media_hls_segment_t;


/* one track of a rendition: for CODECS, RESOLUTION, MPD attributes */

typedef struct {
    ngx_media_codec_info_t  info;
    uint32_t        track;         /* of the source */
    uint32_t        fps_milli;     /* measured; 0: not known */
    uint32_t        timescale;     /* of its fMP4 track */
    char            codecs[48];    /* RFC 6381, "" where there is none */
    char            language[8];   /* "" or RFC 5646 */
} ngx_media_hls_track_t;


typedef struct {
    uint32_t        container;     /* ngx_media_hls_container_e */
    uint32_t        part_target;   /* us; 0: no low latency */
    uint32_t        target;        /* s; EXT-X-TARGETDURATION, never changes */
    uint32_t        window;        /* us of media that playlists list */
    uint32_t        ended;         /* EXT-X-ENDLIST: nothing will follow */
    uint32_t        independent;   /* every segment begins with a keyframe */

    uint32_t        bandwidth;     /* bit/s, the peak over a segment */
    uint32_t        average;       /* bit/s */

    char            tag[NGX_MEDIA_HLS_TAG_LEN];
    uint32_t        ntracks;
    ngx_media_hls_track_t    track[NGX_MEDIA_MAX_TRACKS];

    int64_t         begin;         /* us since the epoch: pdt of the first
                                    * segment that there ever was; DASH */
    uint64_t        version;       /* grows with every change */
    uint32_t        nsegments;     /* oldest first; those of the window and
                                    * up to 2 target durations before it
                                    * (still served, not listed) */
    uint32_t        listed;        /* index of the first one to list */
    ngx_media_hls_segment_t  segment[NGX_MEDIA_HLS_SEGMENTS];

    /* parts of the last segments: of segment i from first_part[i] on,
     * for i >= with_parts */
    uint32_t        with_parts;
    uint32_t        nparts;
    uint32_t        first_part[NGX_MEDIA_HLS_SEGMENTS];
    ngx_media_hls_part_t     parts[NGX_MEDIA_HLS_PARTS];
} ngx_media_hls_view_t;


#endif /* _NGX_MEDIA_HLS_VIEW_H_INCLUDED_ */
