
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: selections of tracks.  What is accepted has data, at least one
 * track, and stays the same when it is limited to all there may be.
 */


#include <stdlib.h>

#include "ngx_media_tracks.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t             tracks;
    ngx_media_url_str_t  args;

    tracks = 0;

    args.data = (u_char *) data;
    args.len = size;

    if (ngx_media_tracks_arg(&args, &tracks) == NGX_MEDIA_OK && tracks == 0) {
        abort();
    }

    tracks = 0;

    switch (ngx_media_tracks_parse(data, data + size, &tracks)) {

    case NGX_MEDIA_OK:

        if (!(tracks & NGX_MEDIA_TRACKS_SCRIPT)
            || !(tracks & (NGX_MEDIA_TRACKS_VIDEO|NGX_MEDIA_TRACKS_AUDIO))
            || ngx_media_tracks_limit(tracks, NGX_MEDIA_TRACKS_ALL) != tracks
            || (ngx_media_tracks_single(tracks) & ~tracks))
        {
            abort();
        }

        break;

    case NGX_MEDIA_ERROR:

        if (tracks) {
            abort();
        }

        break;

    default:
        abort();
    }

    return 0;
}
