
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: which tracks of a stream a player wants, and under which numbers it
 * gets them.  Called by the protocol modules with the argument "tracks" of a
 * play, and by the core for every frame of a wire.
 *
 * Sets of tracks are bit sets, one bit per number as in ngx_media_codec.h.
 */


#ifndef _NGX_MEDIA_TRACKS_H_INCLUDED_
#define _NGX_MEDIA_TRACKS_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_rc.h"
#include "ngx_media_codec.h"
#include "ngx_media_url.h"


/*
 * Reads a selection:
 *
 *     all            every track
 *     default        video 0 and audio 0
 *     v0,a1          these; v and a without a number: every one of a kind
 *
 * in any order, in any case of letters, "," also as "%2C".  Data always comes
 * with it.  tracks is written only with NGX_MEDIA_OK; NGX_MEDIA_ERROR: empty,
 * unknown words or a number above NGX_MEDIA_TRACK_ID_MAX.
 */
int ngx_media_tracks_parse(const u_char *pos, const u_char *end,
    uint32_t *tracks);

/*
 * Looks the argument "tracks" up and reads it.  "," also stands between
 * arguments: what follows one belongs to the selection where it has no "=".
 * Returns as above, NGX_MEDIA_DECLINED: there is no such argument.
 */
int ngx_media_tracks_arg(const ngx_media_url_str_t *args, uint32_t *tracks);

/*
 * Number that a track of the set has for who gets this set: the lowest one of
 * each kind is the default track, which every player can play, the others
 * keep their numbers.
 */
uint8_t ngx_media_tracks_number(uint32_t tracks, uint8_t track);

/*
 * Leaves out of a set what is not in have, but keeps "every one of a kind" and
 * the default tracks, which may come later.
 */
uint32_t ngx_media_tracks_limit(uint32_t tracks, uint32_t have);

/* The lowest one of each kind. */
uint32_t ngx_media_tracks_single(uint32_t tracks);

/* 1: other than any mix of the default tracks and of every one of a kind. */
int ngx_media_tracks_chosen(uint32_t tracks);


#endif /* _NGX_MEDIA_TRACKS_H_INCLUDED_ */
