
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: of a fragmented MP4 one with an index at its front (progressive, "fast
 * start").  The payloads of all fragments are to lie behind each other in one
 * mdat, as they did before; this makes the moov that goes before it.  Called
 * by the thread that finishes a recording.
 *
 *     ngx_media_mp4_moov_init()    the movie of the fragmented file
 *     ngx_media_mp4_moov_add()     each of its fragments, in order
 *     ngx_media_mp4_moov_write()   ftyp, moov and the header of mdat
 *
 * Nothing is allocated: samples and chunks are arrays of the caller, who makes
 * them larger when ngx_media_mp4_moov_add() says NGX_MEDIA_AGAIN.
 *
 * A track that begins later than 0 gets an edit list with an empty edit, so
 * that all keep their distance, and so does one whose first picture is shown
 * later than it is decoded: without it the track is as long as its decoding,
 * and players leave out the last pictures.
 * What the moov holds besides the tables of samples is kept.
 *
 * ISO/IEC 14496-12 8.3 to 8.7.
 */


#ifndef _NGX_MEDIA_MP4_MOOV_H_INCLUDED_
#define _NGX_MEDIA_MP4_MOOV_H_INCLUDED_


#include "ngx_media_mp4_read.h"


typedef struct {
    uint32_t                 delta;        /* ticks to the next one */
    int32_t                  cts;
    uint32_t                 size;
    uint8_t                  track;
    uint8_t                  flags;        /* NGX_MEDIA_MP4_KEY, ... */
} ngx_media_mp4_moov_sample_t;

typedef struct {
    uint64_t                 offset;       /* in the payload of all */
    uint32_t                 samples;
    uint32_t                 track;
} ngx_media_mp4_moov_chunk_t;

typedef struct {
    uint64_t                 begin;        /* ticks, dts of the first sample */
    uint64_t                 end;          /* and behind the last */
    int64_t                  shown;        /* ticks, when its first picture is
                                            * shown, */
    int64_t                  till;         /* and its last no more */
    uint64_t                 dts;          /* of the last */
    uint32_t                 last;         /* its index */
    uint32_t                 samples;
} ngx_media_mp4_moov_track_t;

typedef struct {
    ngx_media_mp4_movie_t         *movie;
    ngx_media_mp4_moov_sample_t   *samples;
    ngx_media_mp4_moov_chunk_t    *chunks;
    uint32_t                       nsamples;
    uint32_t                       max_samples;    /* set by the caller */
    uint32_t                       nchunks;
    uint32_t                       max_chunks;
    ngx_media_mp4_moov_track_t     track[NGX_MEDIA_MP4_MAX_TRACKS];
} ngx_media_mp4_moov_t;


/* movie stays as long as m; m has no room yet. */
void ngx_media_mp4_moov_init(ngx_media_mp4_moov_t *m,
    ngx_media_mp4_movie_t *movie);

/*
 * Adds the samples of a moof, a whole box.  data: where, from its first byte,
 * its payload begins, size bytes; before: bytes of payload of all fragments
 * before.  NGX_MEDIA_OK; NGX_MEDIA_AGAIN: nothing was added, arrays that are
 * full must be larger; NGX_MEDIA_ERROR: it is damaged, its payload is not
 * there, or a time goes back.
 */
int ngx_media_mp4_moov_add(ngx_media_mp4_moov_t *m, const u_char *moof,
    const u_char *end, uint64_t data, uint64_t size, uint64_t before);

/*
 * Writes ftyp, moov and the header of mdat for payload bytes into buf.  moov:
 * that of the fragmented file, as for the movie.  Returns the bytes, where buf
 * is NULL only their number, exactly.  NGX_MEDIA_ERROR: no samples, no room,
 * or a damaged moov.
 */
ssize_t ngx_media_mp4_moov_write(ngx_media_mp4_moov_t *m, const u_char *moov,
    const u_char *end, uint64_t payload, u_char *buf, size_t size);


#endif /* _NGX_MEDIA_MP4_MOOV_H_INCLUDED_ */
