
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the vocabulary of the suite: codecs, tracks and the frame, the one
 * currency between every ingest and every delivery protocol.
 *
 * Payload of a frame, by codec ("the codec's own length-prefixed form"):
 *
 *   H264 HEVC VVC  length-prefixed NAL units (prefix size as in the config);
 *                  config: AVC/HEVC/VVCDecoderConfigurationRecord
 *   AV1            OBUs with size fields, no temporal delimiter; config: av1C
 *   VP8 VP9        one frame; config: vpcC (VP9), none (VP8)
 *   AAC            one raw access unit; config: AudioSpecificConfig
 *   MP3 AC3 EAC3   one or more whole frames; no config
 *   OPUS           one packet; config: OpusHead (RFC 7845), may be missing
 *   FLAC           one frame; config: "fLaC" + metadata blocks
 *   OTHER_AUDIO    FLV audio of an older codec: what follows the first byte
 *   OTHER_VIDEO    FLV video of an older codec: what follows the first byte
 *   SCRIPT         AMF0: event name (string) and its values
 */


#ifndef _NGX_MEDIA_CODEC_H_INCLUDED_
#define _NGX_MEDIA_CODEC_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


typedef enum {
    NGX_MEDIA_CODEC_NONE = 0,

    NGX_MEDIA_CODEC_H264 = 1,
    NGX_MEDIA_CODEC_HEVC,
    NGX_MEDIA_CODEC_VVC,
    NGX_MEDIA_CODEC_AV1,
    NGX_MEDIA_CODEC_VP8,
    NGX_MEDIA_CODEC_VP9,
    NGX_MEDIA_CODEC_OTHER_VIDEO = 31,

    NGX_MEDIA_CODEC_AAC = 32,
    NGX_MEDIA_CODEC_MP3,
    NGX_MEDIA_CODEC_OPUS,
    NGX_MEDIA_CODEC_AC3,
    NGX_MEDIA_CODEC_EAC3,
    NGX_MEDIA_CODEC_FLAC,
    NGX_MEDIA_CODEC_OTHER_AUDIO = 63,

    NGX_MEDIA_CODEC_SCRIPT = 64
} ngx_media_codec_e;


#define ngx_media_codec_is_video(c)                                           \
    ((c) >= NGX_MEDIA_CODEC_H264 && (c) <= NGX_MEDIA_CODEC_OTHER_VIDEO)
#define ngx_media_codec_is_audio(c)                                           \
    ((c) >= NGX_MEDIA_CODEC_AAC && (c) <= NGX_MEDIA_CODEC_OTHER_AUDIO)


/* frame flags */

#define NGX_MEDIA_FRAME_KEY         0x0001  /* decoding can start here */
#define NGX_MEDIA_FRAME_CONFIG      0x0002  /* payload is a codec config */
#define NGX_MEDIA_FRAME_META        0x0004  /* SCRIPT: onMetaData */
#define NGX_MEDIA_FRAME_DISPOSABLE  0x0008  /* nothing refers to it */
#define NGX_MEDIA_FRAME_EOS         0x0010  /* end of sequence, no payload */
#define NGX_MEDIA_FRAME_BREAK       0x0020  /* timeline or codec broke before */
#define NGX_MEDIA_FRAME_SYNC        0x0040  /* players may start here; set by
                                             * the core: keyframes of the main
                                             * video, or audio now and then */
#define NGX_MEDIA_FRAME_LEGACY      0x0080  /* came as FLV codec id 12 (HEVC) */
#define NGX_MEDIA_FRAME_EXTRA       0x0100  /* FLV packet of unknown type: aux
                                             * holds its packet type, passed on
                                             * as it came */
#define NGX_MEDIA_FRAME_STICKY      0x0200  /* EXTRA that holds until the next
                                             * of its track: colour metadata of
                                             * a video, channels of an audio */

/* tracks: video and audio are numbered in one space per source */

#define NGX_MEDIA_MAX_TRACKS        16
#define NGX_MEDIA_TRACK_VIDEO       0       /* default video */
#define NGX_MEDIA_TRACK_AUDIO       1       /* default audio */
#define NGX_MEDIA_TRACK_SCRIPT      15      /* AMF data, metadata */

/* track id k of a multitrack publish: video 2k, audio 2k + 1, k <= 6 */

#define NGX_MEDIA_TRACK_ID_MAX      6
#define ngx_media_track_video(k)    (2 * (k))
#define ngx_media_track_audio(k)    (2 * (k) + 1)
#define ngx_media_track_id(track)   ((track) / 2)

/* bit sets of tracks */

#define NGX_MEDIA_TRACKS_VIDEO      0x5555u
#define NGX_MEDIA_TRACKS_AUDIO      0x2aaau
#define NGX_MEDIA_TRACKS_SCRIPT     0x8000u
#define NGX_MEDIA_TRACKS_DEFAULT    0x8003u  /* default video, audio; script */
#define NGX_MEDIA_TRACKS_ALL        0xffffu


/*
 * One frame.  Times are in microseconds: ms, 90 kHz and 48 kHz ticks survive
 * the way there and back when rounded to the nearest.
 */

typedef struct {
    uint64_t       seq;      /* position in its source, set by the ring */
    int64_t        dts;      /* us, source timeline */
    int32_t        cts;      /* us, pts - dts */
    uint32_t       size;     /* bytes of payload */
    uint16_t       flags;    /* NGX_MEDIA_FRAME_* */
    uint8_t        track;    /* < NGX_MEDIA_MAX_TRACKS */
    uint8_t        codec;    /* ngx_media_codec_e */
    uint8_t        aux;      /* FLV: first tag byte of OTHER_*, sound byte of
                              * audio, packet type where FRAME_EXTRA */
    const u_char  *data;     /* payload; whose memory, the function says */
} ngx_media_frame_t;


#define ngx_media_ms(us)     ((us) / 1000)
#define ngx_media_us(ms)     ((int64_t) (ms) * 1000)


/* What a codec config or a first frame tells about its track. */

typedef struct {
    uint8_t        codec;         /* ngx_media_codec_e */
    uint8_t        profile;       /* as the codec numbers it; AAC: 2, 5, 29 */
    uint8_t        level;         /* as the codec numbers it */
    uint8_t        nal_size;      /* bytes of the NAL length prefix, 1..4 */
    uint8_t        channels;
    uint8_t        bit_depth;
    uint8_t        compat;        /* H264: constraint flags; HEVC: tier */
    uint8_t        chroma;        /* chroma_format_idc */
    uint16_t       width;         /* displayed, after cropping */
    uint16_t       height;
    uint32_t       sample_rate;   /* Hz, output rate (HE-AAC: extension) */
    uint32_t       frame_samples; /* samples an audio frame decodes to, or 0 */
    uint32_t       fps_num;       /* from VUI timing, 0 if not known */
    uint32_t       fps_den;
    uint8_t        color_primaries;
    uint8_t        color_transfer;
    uint8_t        color_matrix;
    uint8_t        color_full_range;
} ngx_media_codec_info_t;


/*
 * Fills info from a codec config (sequence header) of the codec.
 * Returns 0, or -1 where the config is damaged or the codec has none.
 * Takes no ownership.
 */
int ngx_media_codec_parse_config(uint8_t codec, const u_char *pos,
    const u_char *end, ngx_media_codec_info_t *info);

/*
 * Fills info from the first bytes of a frame, for codecs that carry their
 * parameters there (MP3, AC3, EAC3, VP8, VP9 keyframes).
 * Returns 0, or -1 where nothing could be learned.
 */
int ngx_media_codec_parse_frame(uint8_t codec, const u_char *pos,
    const u_char *end, ngx_media_codec_info_t *info);

/* can decoding start at a frame? */

#define NGX_MEDIA_START_NONE        0
#define NGX_MEDIA_START_GRADUAL     1       /* whole some pictures later: intra
                                             * refresh, H.264 D.2.8 */
#define NGX_MEDIA_START_KEY         2

/*
 * Looks into a frame of H264, HEVC or VVC with NAL lengths of nal_size bytes.
 * Returns NGX_MEDIA_START_*, NONE for other codecs and damaged frames.
 */
int ngx_media_codec_start(uint8_t codec, unsigned nal_size,
    const u_char *pos, const u_char *end);

/* "H264", "HEVC", "AAC", ... as SRS's API writes them; "Other" if unknown. */
const char *ngx_media_codec_name(uint8_t codec);

/*
 * Profile and level as SRS's API writes them: "High", "Main", "LC", "3.1";
 * "Other" where unknown.  Static strings.
 */
const char *ngx_media_codec_profile_name(const ngx_media_codec_info_t *info);
const char *ngx_media_codec_level_name(const ngx_media_codec_info_t *info);


#endif /* _NGX_MEDIA_CODEC_H_INCLUDED_ */
