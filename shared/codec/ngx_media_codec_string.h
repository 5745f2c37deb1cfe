
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: codecs as playlists and players name them (RFC 6381): the CODECS of
 * HLS and DASH, the type of a SourceBuffer.
 *
 * ISO/IEC 14496-15 annex E (avc1, hvc1, vvc1), AV1 codec ISO media file
 * format binding 5, VP codec binding "Codecs Parameter String", RFC 6381 3.3.
 */


#ifndef _NGX_MEDIA_CODEC_STRING_H_INCLUDED_
#define _NGX_MEDIA_CODEC_STRING_H_INCLUDED_


#include "ngx_media_codec.h"


#define NGX_MEDIA_CODEC_STRING_MAX  64


/*
 * MP3 has two names: "mp4a.40.34", which HLS wants, and that of the object
 * type in its sample entry, "mp4a.6B" or "mp4a.69", for DASH.
 */

#define NGX_MEDIA_CODEC_STRING_HLS  0
#define NGX_MEDIA_CODEC_STRING_MP4  1


/*
 * Writes the name of a track, "avc1.64001f", "mp4a.40.2", ... and a 0 behind
 * it into buf of NGX_MEDIA_CODEC_STRING_MAX bytes.  info is what the config
 * or a frame told of the track, config the codec config, may be empty for
 * audio but AAC.  Returns the length without the 0, or NGX_MEDIA_ERROR: a
 * codec without such a name, a damaged config, buf too small.
 */
ssize_t ngx_media_codec_string(const ngx_media_codec_info_t *info,
    const u_char *config, const u_char *config_end, unsigned form,
    u_char *buf, size_t size);


#endif /* _NGX_MEDIA_CODEC_STRING_H_INCLUDED_ */
