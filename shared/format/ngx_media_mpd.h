
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPDs of MPEG-DASH (ISO/IEC 23009-1), written from the views of all
 * renditions of an output.  The media are the segments of HLS, by number:
 * one rendition for each track, in fMP4.
 *
 * The clock of an MPD begins with the first segment that the output ever had
 * (view->begin); each discontinuity begins a period, where the wall clock of
 * its first segment was.  So any worker writes the same MPD, at any time.
 */


#ifndef _NGX_MEDIA_MPD_H_INCLUDED_
#define _NGX_MEDIA_MPD_H_INCLUDED_


#include "ngx_media_hls_view.h"


typedef struct {
    const u_char   *stream;            /* base name, escaped */
    size_t          stream_len;
    const u_char   *args;              /* behind every URI, without a question
                                        * mark, or none */
    size_t          args_len;
    const u_char   *prefix;            /* hls_entry_prefix, or none */
    size_t          prefix_len;
    int64_t         now;               /* us since the epoch; of an answer that
                                        * is kept it gets old: the clock of
                                        * players is set by it */
    uint32_t        low_latency;       /* the open segment is served, part by
                                        * part as they come */
} ngx_media_mpd_params_t;

/*
 * Writes the MPD into [buf, buf + n).  Of the views those count that have
 * segments, in fMP4 and not encrypted; the first one with video gives the
 * periods.  Returns its length; where n is too small, the length that it would
 * have (nothing useful is in buf); 0 where there is nothing to be played yet.
 */
size_t ngx_media_mpd(const ngx_media_hls_view_t *const *views,
    unsigned nviews, const ngx_media_mpd_params_t *params, u_char *buf,
    size_t n);


#endif /* _NGX_MEDIA_MPD_H_INCLUDED_ */
