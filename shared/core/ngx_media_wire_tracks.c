
/*
 * Copyright (C) the nginx media suite authors
 *
 * Tracks of a wire: what a player asked for as it is shared with others, which
 * frames and heads the muxer sees and under which numbers, and which keyframes
 * are starts where the main video is not among them.
 *
 * Called by ngx_media_wire.c, and where players attach.  Memory of one worker.
 *
 * Enhanced RTMP v2 numbers the tracks of a kind, 0 is the default one.
 */


#include "ngx_media_wire.h"


ngx_int_t
ngx_media_wire_select(ngx_media_feed_t *feed,
    const ngx_media_wire_params_t *params, ngx_media_wire_params_t *shared)
{
    ngx_media_source_t  *src;

    src = feed->source;
    *shared = *params;

    shared->tracks &= NGX_MEDIA_TRACKS_ALL;

    if (!ngx_media_tracks_chosen(shared->tracks)
        || !ngx_media_source_live(src)
        || ngx_media_msec() - src->pub_msec < NGX_MEDIA_SETTLED)
    {
        return NGX_OK;
    }

    shared->tracks = ngx_media_tracks_limit(shared->tracks,
                                            src->tracks
                                            | NGX_MEDIA_TRACKS_SCRIPT);

    return (shared->tracks & ~NGX_MEDIA_TRACKS_SCRIPT) ? NGX_OK
                                                       : NGX_DECLINED;
}


/* what holds, as the players of this wire see it */

void
ngx_media_wire_heads(ngx_media_wire_t *w, ngx_media_heads_t *heads)
{
    uint32_t                 tracks;
    ngx_uint_t               i, n, to;
    ngx_media_frame_t       *f;
    ngx_media_codec_info_t   info[NGX_MEDIA_MAX_TRACKS];

    n = 0;

    for (i = 0; i < heads->nframes; i++) {
        f = &heads->frames[i];

        if (w->params.tracks & (1u << f->track)) {
            heads->frames[n] = *f;
            heads->frames[n].track = ngx_media_tracks_number(w->params.tracks,
                                                             f->track);
            n++;
        }
    }

    heads->nframes = n;

    tracks = 0;
    ngx_memzero(info, sizeof(info));

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

        if (heads->tracks & w->params.tracks & (1u << i)) {
            to = ngx_media_tracks_number(w->params.tracks, (uint8_t) i);
            info[to] = heads->info[i];
            tracks |= 1u << to;
        }
    }

    heads->tracks = tracks;
    ngx_memcpy(heads->info, info, sizeof(info));
}


ngx_int_t
ngx_media_wire_mux(ngx_media_wire_t *w, const ngx_media_frame_t *f)
{
    ngx_media_frame_t  out;

    out = *f;
    out.track = ngx_media_tracks_number(w->params.tracks, f->track);

    return w->muxer->frame(w, &out);
}


/*
 * The publisher marks keyframes of the main video, the lowest one, as starts.
 * A wire that has other video but not this one starts at keyframes of its own
 * lowest: the bit of it, or 0.
 */

uint32_t
ngx_media_wire_lead(ngx_media_wire_t *w)
{
    uint32_t  all, main, have;

    all = w->feed->source->tracks & NGX_MEDIA_TRACKS_VIDEO;
    main = ngx_media_tracks_single(all);
    have = all & w->params.tracks;

    return (have & main) ? 0 : ngx_media_tracks_single(have);
}


void
ngx_media_wire_mark(ngx_media_wire_t *w, ngx_media_frame_t *f)
{
    uint32_t  lead;

    lead = ngx_media_wire_lead(w);

    if (lead == 0) {
        return;
    }

    f->flags &= ~NGX_MEDIA_FRAME_SYNC;

    if (lead == (1u << f->track)
        && (f->flags & NGX_MEDIA_FRAME_KEY)
        && !(f->flags & (NGX_MEDIA_FRAME_EXTRA|NGX_MEDIA_FRAME_EOS)))
    {
        f->flags |= NGX_MEDIA_FRAME_SYNC;
    }
}
