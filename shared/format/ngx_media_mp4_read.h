
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: reading MP4: the tracks of an init segment, the samples of a fragment,
 * and moving a fragment in time.  For files of our own (ngx_media_file.h) and,
 * as far as they are alike, of others: whatever the bytes are, nothing outside
 * of them is looked at.
 *
 *     ngx_media_mp4_box()          the header of a box: a walk over a file
 *     ngx_media_mp4_movie()        the tracks of a moov
 *     ngx_media_mp4_moof_init()    a fragment,
 *     ngx_media_mp4_moof_next()    and one of its samples after the other
 *     ngx_media_mp4_moof_span()    from when to when it lasts
 *     ngx_media_mp4_moof_shift()   gives it another time and number, in place
 *
 * Nothing is allocated.  Spans are the caller's.
 *
 * ISO/IEC 14496-12 4.2, 8.3 to 8.8; 14496-14 (esds); 14496-15; bindings of
 * AV1, VP9, Opus and FLAC.
 */


#ifndef _NGX_MEDIA_MP4_READ_H_INCLUDED_
#define _NGX_MEDIA_MP4_READ_H_INCLUDED_


#include "ngx_media_mp4.h"


#define NGX_MEDIA_MP4_HEAD_MAX      16     /* bytes of the header of a box */
#define NGX_MEDIA_MP4_MADE          64

#define NGX_MEDIA_MP4_FTYP          0x66747970
#define NGX_MEDIA_MP4_MOOV          0x6d6f6f76
#define NGX_MEDIA_MP4_MOOF          0x6d6f6f66
#define NGX_MEDIA_MP4_MDAT          0x6d646174


typedef struct {
    uint64_t                 size;         /* of the whole box; 0: up to the
                                            * end of the file */
    uint32_t                 head;         /* bytes of its header: 8 or 16 */
    uint32_t                 type;
} ngx_media_mp4_box_t;


/* A track of a moov. */

typedef struct {
    uint32_t                 id;           /* track_ID */
    uint32_t                 timescale;    /* ticks of a second, not 0 */
    uint8_t                  codec;        /* ngx_media_codec_e; NONE: another,
                                            * or one that is no sound and no
                                            * picture */
    uint8_t                  made_size;
    u_char                   made[NGX_MEDIA_MP4_MADE];
    const u_char            *config;       /* as CONFIG frames carry it, in
                                            * moov; empty where it has none.
                                            * Where made_size is not 0 it is
                                            * in made[] instead */
    const u_char            *config_end;
    const u_char            *entry;        /* the body of its stsd */
    const u_char            *entry_end;

    uint32_t                 duration;     /* of trex: ticks, */
    uint32_t                 size;         /* bytes, */
    uint32_t                 flags;        /* as in the file */
    uint64_t                 next;         /* ticks, where the fragment that
                                            * was read last ends */
} ngx_media_mp4_in_track_t;

typedef struct {
    uint32_t                   ntracks;
    ngx_media_mp4_in_track_t   track[NGX_MEDIA_MP4_MAX_TRACKS];
} ngx_media_mp4_movie_t;


typedef struct {
    uint64_t                 dts;          /* ticks of its track */
    uint64_t                 offset;       /* bytes, from the first one of its
                                            * moof; may be anything */
    int32_t                  cts;          /* ticks, pts - dts */
    uint32_t                 duration;     /* ticks */
    uint32_t                 size;         /* bytes */
    uint32_t                 flags;        /* NGX_MEDIA_MP4_KEY, ... */
    uint32_t                 track;        /* its place in the movie */
    unsigned                 first:1;      /* of its run: of those that lie
                                            * behind each other */
} ngx_media_mp4_in_sample_t;


typedef struct {
    ngx_media_mp4_movie_t   *movie;
    const u_char            *moof;
    const u_char            *pos;          /* behind the box at hand, in moof */
    const u_char            *end;
    const u_char            *traf;         /* the same in traf */
    const u_char            *traf_end;
    const u_char            *trun;         /* the next entry */
    uint64_t                 base;         /* of data offsets */
    uint64_t                 offset;       /* of the next sample */
    uint64_t                 dts;
    uint32_t                 left;         /* entries */
    uint32_t                 duration;     /* defaults */
    uint32_t                 size;
    uint32_t                 flags;
    uint32_t                 first_flags;
    uint32_t                 fields;       /* of trun */
    uint32_t                 track;
    uint32_t                 alike;        /* samples without an entry */
    unsigned                 first:1;
} ngx_media_mp4_moof_t;


/*
 * The header of a box.  NGX_MEDIA_OK; NGX_MEDIA_AGAIN: fewer than 8 bytes, or
 * than 16 of one that needs them; NGX_MEDIA_ERROR: its size is no size.  Only
 * the header must be there, the body may reach beyond end.
 */
int ngx_media_mp4_box(const u_char *pos, const u_char *end,
    ngx_media_mp4_box_t *box);

/*
 * Fills out from moov, a whole box with its header, which must stay as long
 * as out is used.  out may be copied.  NGX_MEDIA_OK; NGX_MEDIA_ERROR: it is
 * none, is damaged, or has no track or too many.
 */
int ngx_media_mp4_movie(ngx_media_mp4_movie_t *out, const u_char *moov,
    const u_char *end);

/* The config of a track, *n bytes; in the track or in its moov. */
const u_char *ngx_media_mp4_in_config(const ngx_media_mp4_in_track_t *t,
    size_t *n);

/*
 * Can what is of the movie b follow what is of a, under the init segment of
 * a?  The same ids, timescales, codecs and configurations: 1, else 0.
 */
int ngx_media_mp4_movie_same(const ngx_media_mp4_movie_t *a,
    const ngx_media_mp4_movie_t *b);

/*
 * Walks the samples of a moof, a whole box with its header: run by run, in
 * the order of the file.  NGX_MEDIA_OK; NGX_MEDIA_DONE; NGX_MEDIA_ERROR: it is
 * damaged.  Fragments of tracks that are not in the movie are left out.  A
 * traf without a time goes on where the last one of its track ended, so
 * fragments are read in order; movie is changed by that and only that.
 */
int ngx_media_mp4_moof_init(ngx_media_mp4_moof_t *it,
    ngx_media_mp4_movie_t *movie, const u_char *moof, const u_char *end);
int ngx_media_mp4_moof_next(ngx_media_mp4_moof_t *it,
    ngx_media_mp4_in_sample_t *s);

/*
 * us, the time of its first sample, in any track, and that behind its last.
 * Returns as ngx_media_mp4_moof_next(): DONE is OK, DECLINED: it has none.
 */
int ngx_media_mp4_moof_span(ngx_media_mp4_movie_t *movie, const u_char *moof,
    const u_char *end, int64_t *begin, int64_t *last);

/*
 * Adds shift us to the times of a moof (the same ticks for each fragment of a
 * track: shift them all by the same), not below 0, and gives it a sequence
 * number.  movie: that of its own init segment.  NGX_MEDIA_OK; NGX_MEDIA_ERROR:
 * it is damaged, or a time of 32 bits would not fit; some may be changed.
 */
int ngx_media_mp4_moof_shift(const ngx_media_mp4_movie_t *movie, u_char *moof,
    size_t n, int64_t shift, uint32_t sequence);


#endif /* _NGX_MEDIA_MP4_READ_H_INCLUDED_ */
