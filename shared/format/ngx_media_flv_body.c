
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: bodies of FLV tags and RTMP messages into frames, and the bytes that
 * come before the payload of a frame.  See ngx_media_flv.h.
 *
 * Specifications: Adobe FLV 10.1 E.4.2, E.4.3; Enhanced RTMP v1 and v2,
 * "Enhanced Audio", "Enhanced Video"; HEVC as codec id 12 and AV1 as 13 as
 * CDNs that came before them use it: laid out as AVC.
 */


#include "ngx_media_flv.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_FLV_ST_START      0
#define NGX_MEDIA_FLV_ST_TRACKS     1
#define NGX_MEDIA_FLV_ST_DONE       2

#define NGX_MEDIA_FLV_NO_MULTI      0xff
#define NGX_MEDIA_FLV_TRACK_MAX                                               \
    ngx_media_track_audio(NGX_MEDIA_TRACK_ID_MAX)

#define NGX_MEDIA_FLV_SOUND_MP3     2
#define NGX_MEDIA_FLV_SOUND_EX      9
#define NGX_MEDIA_FLV_SOUND_AAC     10
#define NGX_MEDIA_FLV_SOUND_MP3_8K  14

#define NGX_MEDIA_FLV_VIDEO_AVC     7
#define NGX_MEDIA_FLV_VIDEO_HEVC    12
#define NGX_MEDIA_FLV_VIDEO_AV1     13

#define NGX_MEDIA_FLV_FRAME_KEY     1
#define NGX_MEDIA_FLV_FRAME_INTER   2
#define NGX_MEDIA_FLV_FRAME_DISP    3
#define NGX_MEDIA_FLV_FRAME_GENKEY  4
#define NGX_MEDIA_FLV_FRAME_INFO    5

#define ngx_media_flv_left(it)  ((size_t) ((it)->end - (it)->pos))


static int ngx_media_flv_legacy_audio(ngx_media_flv_body_t *it,
    ngx_media_frame_t *f);
static int ngx_media_flv_legacy_video(ngx_media_flv_body_t *it,
    ngx_media_frame_t *f);
static int ngx_media_flv_script(ngx_media_flv_body_t *it,
    ngx_media_frame_t *f);
static int ngx_media_flv_ex_start(ngx_media_flv_body_t *it);
static int ngx_media_flv_modex(ngx_media_flv_body_t *it);
static int ngx_media_flv_ex_next(ngx_media_flv_body_t *it,
    ngx_media_frame_t *f);
static int ngx_media_flv_ex_packet(ngx_media_flv_body_t *it, const u_char *pos,
    const u_char *end, ngx_media_frame_t *f);
static int ngx_media_flv_payload(ngx_media_flv_body_t *it, const u_char *pos,
    const u_char *end, ngx_media_frame_t *f);
static uint16_t ngx_media_flv_frame_flags(unsigned frame_type);
static unsigned ngx_media_flv_frame_type(const ngx_media_frame_t *f);
static int ngx_media_flv_write_audio(u_char *p, const ngx_media_frame_t *f,
    unsigned mode);
static int ngx_media_flv_write_video(u_char *p, const ngx_media_frame_t *f,
    unsigned mode);
static int ngx_media_flv_write_ex(u_char *p, const ngx_media_frame_t *f,
    unsigned mode);
static unsigned ngx_media_flv_nano(const ngx_media_frame_t *f,
    unsigned packet, unsigned mode);
static unsigned ngx_media_flv_packet(const ngx_media_frame_t *f);
static int32_t ngx_media_flv_get_cts(const u_char *p);
static uint32_t ngx_media_flv_put_cts(int32_t cts);


void
ngx_media_flv_body_init(ngx_media_flv_body_t *it, uint8_t type,
    const u_char *pos, const u_char *end)
{
    memset(it, 0, sizeof(ngx_media_flv_body_t));

    it->pos = pos;
    it->end = end;
    it->type = type;
    it->multi = NGX_MEDIA_FLV_NO_MULTI;
}


int
ngx_media_flv_body_next(ngx_media_flv_body_t *it, ngx_media_frame_t *f)
{
    int  rc, ex;

    memset(f, 0, sizeof(ngx_media_frame_t));

    if (it->state == NGX_MEDIA_FLV_ST_TRACKS) {
        return ngx_media_flv_ex_next(it, f);
    }

    if (it->state == NGX_MEDIA_FLV_ST_DONE || it->pos == it->end) {
        it->state = NGX_MEDIA_FLV_ST_DONE;
        return NGX_MEDIA_DONE;
    }

    it->state = NGX_MEDIA_FLV_ST_DONE;

    switch (it->type) {

    case NGX_MEDIA_FLV_AUDIO:
        ex = (*it->pos >> 4) == NGX_MEDIA_FLV_SOUND_EX;
        break;

    case NGX_MEDIA_FLV_VIDEO:
        ex = *it->pos >> 7;
        break;

    case NGX_MEDIA_FLV_AMF3:
    case NGX_MEDIA_FLV_SCRIPT:
        return ngx_media_flv_script(it, f);

    default:
        return NGX_MEDIA_ERROR;
    }

    if (!ex) {
        return it->type == NGX_MEDIA_FLV_AUDIO
               ? ngx_media_flv_legacy_audio(it, f)
               : ngx_media_flv_legacy_video(it, f);
    }

    rc = ngx_media_flv_ex_start(it);

    if (rc != NGX_MEDIA_OK) {
        it->state = NGX_MEDIA_FLV_ST_DONE;
        return rc;
    }

    it->state = NGX_MEDIA_FLV_ST_TRACKS;

    return ngx_media_flv_ex_next(it, f);
}


static int
ngx_media_flv_legacy_audio(ngx_media_flv_body_t *it, ngx_media_frame_t *f)
{
    f->aux = *it->pos++;
    f->track = NGX_MEDIA_TRACK_AUDIO;

    switch (f->aux >> 4) {

    case NGX_MEDIA_FLV_SOUND_AAC:

        if (it->pos == it->end) {
            it->skipped++;
            return NGX_MEDIA_DONE;
        }

        f->codec = NGX_MEDIA_CODEC_AAC;

        switch (*it->pos++) {

        case 0:
            f->flags = NGX_MEDIA_FRAME_CONFIG;
            break;

        case 1:
            break;

        default:
            it->skipped++;
            return NGX_MEDIA_DONE;
        }

        break;

    case NGX_MEDIA_FLV_SOUND_MP3:
    case NGX_MEDIA_FLV_SOUND_MP3_8K:
        f->codec = NGX_MEDIA_CODEC_MP3;
        break;

    default:
        f->codec = NGX_MEDIA_CODEC_OTHER_AUDIO;
        break;
    }

    return ngx_media_flv_payload(it, it->pos, it->end, f);
}


static int
ngx_media_flv_legacy_video(ngx_media_flv_body_t *it, ngx_media_frame_t *f)
{
    unsigned  first, packet;

    first = *it->pos++;

    if ((first >> 4) == NGX_MEDIA_FLV_FRAME_INFO) {
        it->skipped++;
        return NGX_MEDIA_DONE;
    }

    f->track = NGX_MEDIA_TRACK_VIDEO;
    f->flags = ngx_media_flv_frame_flags(first >> 4);

    switch (first & 0x0f) {

    case NGX_MEDIA_FLV_VIDEO_AVC:
        f->codec = NGX_MEDIA_CODEC_H264;
        break;

    case NGX_MEDIA_FLV_VIDEO_HEVC:
        f->codec = NGX_MEDIA_CODEC_HEVC;
        f->flags |= NGX_MEDIA_FRAME_LEGACY;
        break;

    case NGX_MEDIA_FLV_VIDEO_AV1:
        f->codec = NGX_MEDIA_CODEC_AV1;
        f->flags |= NGX_MEDIA_FRAME_LEGACY;
        break;

    default:
        f->codec = NGX_MEDIA_CODEC_OTHER_VIDEO;
        f->aux = (uint8_t) first;
        return ngx_media_flv_payload(it, it->pos, it->end, f);
    }

    if (it->pos == it->end) {
        it->skipped++;
        return NGX_MEDIA_DONE;
    }

    packet = *it->pos++;

    if (packet == 2) {
        f->flags |= NGX_MEDIA_FRAME_EOS;
        return ngx_media_flv_payload(it, it->end, it->end, f);
    }

    if (packet > 2) {
        it->skipped++;
        return NGX_MEDIA_DONE;
    }

    if (ngx_media_flv_left(it) < 3) {
        return NGX_MEDIA_ERROR;
    }

    if (packet == 0) {
        f->flags |= NGX_MEDIA_FRAME_CONFIG;

    } else {
        f->cts = ngx_media_flv_get_cts(it->pos);
    }

    return ngx_media_flv_payload(it, it->pos + 3, it->end, f);
}


static int
ngx_media_flv_script(ngx_media_flv_body_t *it, ngx_media_frame_t *f)
{
    size_t         n;
    const u_char  *pos;

    static const u_char  set[] = "\x02\x00\x0d@setDataFrame";
    static const u_char  meta[] = "\x02\x00\x0aonMetaData";

    pos = it->pos;

    if (it->type == NGX_MEDIA_FLV_AMF3 && *pos == 0) {
        pos++;
    }

    n = sizeof(set) - 1;

    if ((size_t) (it->end - pos) >= n && memcmp(pos, set, n) == 0) {
        pos += n;
    }

    n = sizeof(meta) - 1;

    if ((size_t) (it->end - pos) >= n && memcmp(pos, meta, n) == 0) {
        f->flags = NGX_MEDIA_FRAME_META;
    }

    f->codec = NGX_MEDIA_CODEC_SCRIPT;
    f->track = NGX_MEDIA_TRACK_SCRIPT;

    return ngx_media_flv_payload(it, pos, it->end, f);
}


/* The header of an enhanced body, up to its first track. */

static int
ngx_media_flv_ex_start(ngx_media_flv_body_t *it)
{
    int       rc;
    unsigned  frame_type;

    it->packet = *it->pos & 0x0f;
    frame_type = (*it->pos >> 4) & 0x07;
    it->pos++;

    while (it->packet == NGX_MEDIA_FLV_PKT_MODEX) {
        rc = ngx_media_flv_modex(it);
        if (rc != NGX_MEDIA_OK) {
            return rc;
        }
    }

    if (it->type == NGX_MEDIA_FLV_VIDEO) {

        if (frame_type == NGX_MEDIA_FLV_FRAME_INFO
            && it->packet != NGX_MEDIA_FLV_PKT_METADATA)
        {
            it->skipped++;
            return NGX_MEDIA_DONE;
        }

        it->flags = ngx_media_flv_frame_flags(frame_type);
    }

    if (it->packet == (it->type == NGX_MEDIA_FLV_VIDEO
                       ? NGX_MEDIA_FLV_PKT_VIDEO_TRACKS
                       : NGX_MEDIA_FLV_PKT_AUDIO_TRACKS))
    {
        if (it->pos == it->end) {
            return NGX_MEDIA_ERROR;
        }

        it->multi = *it->pos >> 4;
        it->packet = *it->pos & 0x0f;
        it->pos++;

        /* nothing is defined for tracks or modifiers inside of tracks */

        if (it->multi > NGX_MEDIA_FLV_MANY_CODECS
            || it->packet == NGX_MEDIA_FLV_PKT_MODEX
            || (it->type == NGX_MEDIA_FLV_VIDEO
                && it->packet == NGX_MEDIA_FLV_PKT_VIDEO_TRACKS)
            || (it->type == NGX_MEDIA_FLV_AUDIO
                && it->packet == NGX_MEDIA_FLV_PKT_AUDIO_TRACKS))
        {
            it->skipped++;
            return NGX_MEDIA_DONE;
        }
    }

    if (it->multi != NGX_MEDIA_FLV_MANY_CODECS) {

        if (ngx_media_flv_left(it) < 4) {
            return NGX_MEDIA_ERROR;
        }

        it->fourcc = ngx_media_get_be32(it->pos);
        it->pos += 4;
    }

    return NGX_MEDIA_OK;
}


/* One modifier: its data, then its type and the next packet type. */

static int
ngx_media_flv_modex(ngx_media_flv_body_t *it)
{
    size_t         size;
    const u_char  *data;

    if (it->pos == it->end) {
        return NGX_MEDIA_ERROR;
    }

    size = (size_t) *it->pos++ + 1;

    if (size == 256) {

        if (ngx_media_flv_left(it) < 2) {
            return NGX_MEDIA_ERROR;
        }

        size = (size_t) ngx_media_get_be16(it->pos) + 1;
        it->pos += 2;
    }

    if (ngx_media_flv_left(it) < size + 1) {
        return NGX_MEDIA_ERROR;
    }

    data = it->pos;
    it->pos += size;

    if ((*it->pos >> 4) == 0 && size >= 3
        && ngx_media_get_be24(data) <= NGX_MEDIA_FLV_NANO_MAX)
    {
        it->nano = ngx_media_get_be24(data);
    }

    it->packet = *it->pos++ & 0x0f;

    return NGX_MEDIA_OK;
}


static int
ngx_media_flv_ex_next(ngx_media_flv_body_t *it, ngx_media_frame_t *f)
{
    int            rc;
    size_t         size;
    unsigned       track;
    const u_char  *pos, *end;

    do {
        track = 0;

        if (it->multi == NGX_MEDIA_FLV_NO_MULTI
            || it->multi == NGX_MEDIA_FLV_ONE_TRACK)
        {
            it->state = NGX_MEDIA_FLV_ST_DONE;

        } else if (it->pos == it->end) {
            it->state = NGX_MEDIA_FLV_ST_DONE;
            return NGX_MEDIA_DONE;
        }

        if (it->multi == NGX_MEDIA_FLV_MANY_CODECS) {

            if (ngx_media_flv_left(it) < 4) {
                goto damaged;
            }

            it->fourcc = ngx_media_get_be32(it->pos);
            it->pos += 4;
        }

        if (it->multi != NGX_MEDIA_FLV_NO_MULTI) {

            if (it->pos == it->end) {
                goto damaged;
            }

            track = *it->pos++;
        }

        size = ngx_media_flv_left(it);

        if (it->state == NGX_MEDIA_FLV_ST_TRACKS) {

            if (size < 3 || size - 3 < ngx_media_get_be24(it->pos)) {
                goto damaged;
            }

            size = ngx_media_get_be24(it->pos);
            it->pos += 3;
        }

        pos = it->pos;
        end = pos + size;
        it->pos = end;

        memset(f, 0, sizeof(ngx_media_frame_t));

        f->codec = ngx_media_flv_fourcc_codec(it->type, it->fourcc);
        f->flags = it->flags;
        f->dts = it->nano / 1000;

        if (track > NGX_MEDIA_TRACK_ID_MAX) {
            it->beyond++;
            it->skipped++;
            rc = NGX_MEDIA_DONE;
            continue;
        }

        if (f->codec == NGX_MEDIA_CODEC_NONE) {
            it->skipped++;
            rc = NGX_MEDIA_DONE;
            continue;
        }

        f->track = (uint8_t) (it->type == NGX_MEDIA_FLV_AUDIO
                              ? ngx_media_track_audio(track)
                              : ngx_media_track_video(track));

        rc = ngx_media_flv_ex_packet(it, pos, end, f);

    } while (rc == NGX_MEDIA_DONE && it->state == NGX_MEDIA_FLV_ST_TRACKS);

    if (rc != NGX_MEDIA_ERROR) {
        return rc;
    }

damaged:

    it->state = NGX_MEDIA_FLV_ST_DONE;

    return NGX_MEDIA_ERROR;
}


static int
ngx_media_flv_ex_packet(ngx_media_flv_body_t *it, const u_char *pos,
    const u_char *end, ngx_media_frame_t *f)
{
    switch (it->packet) {

    case NGX_MEDIA_FLV_PKT_START:
        f->flags |= NGX_MEDIA_FRAME_CONFIG;
        break;

    case NGX_MEDIA_FLV_PKT_FRAMES:

        if (f->codec == NGX_MEDIA_CODEC_H264
            || f->codec == NGX_MEDIA_CODEC_HEVC
            || f->codec == NGX_MEDIA_CODEC_VVC)
        {
            if ((size_t) (end - pos) < 3) {
                return NGX_MEDIA_ERROR;
            }

            f->cts = ngx_media_flv_get_cts(pos);
            pos += 3;
        }

        break;

    case NGX_MEDIA_FLV_PKT_END:
        f->flags |= NGX_MEDIA_FRAME_EOS;
        pos = end;
        break;

    case NGX_MEDIA_FLV_PKT_FRAMES_X:

        if (it->type == NGX_MEDIA_FLV_VIDEO) {
            break;
        }

        /* fall through */

    default:
        f->flags |= NGX_MEDIA_FRAME_EXTRA;
        f->aux = it->packet;

        /* both kinds have theirs under the same number */

        if (it->packet == NGX_MEDIA_FLV_PKT_METADATA) {
            f->flags |= NGX_MEDIA_FRAME_STICKY;
        }

        break;
    }

    return ngx_media_flv_payload(it, pos, end, f);
}


static int
ngx_media_flv_payload(ngx_media_flv_body_t *it, const u_char *pos,
    const u_char *end, ngx_media_frame_t *f)
{
    if (f->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_EOS)) {
        f->flags &= (uint16_t) ~(NGX_MEDIA_FRAME_KEY
                                 |NGX_MEDIA_FRAME_DISPOSABLE);
    }

    if (pos == end && !(f->flags & NGX_MEDIA_FRAME_EOS)) {
        it->skipped++;
        return NGX_MEDIA_DONE;
    }

    f->data = pos;
    f->size = (uint32_t) (end - pos);

    return NGX_MEDIA_OK;
}


static uint16_t
ngx_media_flv_frame_flags(unsigned frame_type)
{
    switch (frame_type) {

    case NGX_MEDIA_FLV_FRAME_KEY:
    case NGX_MEDIA_FLV_FRAME_GENKEY:
        return NGX_MEDIA_FRAME_KEY;

    case NGX_MEDIA_FLV_FRAME_DISP:
        return NGX_MEDIA_FRAME_DISPOSABLE;

    default:
        return 0;
    }
}


static unsigned
ngx_media_flv_frame_type(const ngx_media_frame_t *f)
{
    if (f->flags & (NGX_MEDIA_FRAME_KEY|NGX_MEDIA_FRAME_CONFIG
                    |NGX_MEDIA_FRAME_EOS))
    {
        return NGX_MEDIA_FLV_FRAME_KEY;
    }

    if (f->flags & NGX_MEDIA_FRAME_DISPOSABLE) {
        return NGX_MEDIA_FLV_FRAME_DISP;
    }

    return NGX_MEDIA_FLV_FRAME_INTER;
}


int
ngx_media_flv_body_write(u_char *p, const ngx_media_frame_t *f, unsigned mode)
{
    switch (ngx_media_flv_type(f->codec)) {

    case NGX_MEDIA_FLV_AUDIO:

        if (f->track > NGX_MEDIA_FLV_TRACK_MAX || !(f->track & 1)) {
            return -1;
        }

        return ngx_media_flv_write_audio(p, f, mode);

    case NGX_MEDIA_FLV_VIDEO:

        if (f->track > NGX_MEDIA_FLV_TRACK_MAX || (f->track & 1)) {
            return -1;
        }

        return ngx_media_flv_write_video(p, f, mode);

    case NGX_MEDIA_FLV_SCRIPT:
        return 0;

    default:
        return -1;
    }
}


static int
ngx_media_flv_write_audio(u_char *p, const ngx_media_frame_t *f,
    unsigned mode)
{
    unsigned  format;

    if (f->track != NGX_MEDIA_TRACK_AUDIO
        || (f->flags & (NGX_MEDIA_FRAME_EXTRA|NGX_MEDIA_FRAME_EOS))
        || (f->codec == NGX_MEDIA_CODEC_AAC && (mode & NGX_MEDIA_FLV_NANO)))
    {
        return ngx_media_flv_write_ex(p, f, mode);
    }

    format = f->aux >> 4;

    switch (f->codec) {

    case NGX_MEDIA_CODEC_AAC:
        p[0] = format == NGX_MEDIA_FLV_SOUND_AAC ? f->aux : 0xaf;
        p[1] = (f->flags & NGX_MEDIA_FRAME_CONFIG) ? 0 : 1;
        return 2;

    case NGX_MEDIA_CODEC_MP3:

        if (f->flags & NGX_MEDIA_FRAME_CONFIG) {
            return ngx_media_flv_write_ex(p, f, mode);
        }

        p[0] = format == NGX_MEDIA_FLV_SOUND_MP3
               || format == NGX_MEDIA_FLV_SOUND_MP3_8K ? f->aux : 0x2f;
        return 1;

    case NGX_MEDIA_CODEC_OTHER_AUDIO:
        p[0] = f->aux;
        return 1;

    default:
        return ngx_media_flv_write_ex(p, f, mode);
    }
}


static int
ngx_media_flv_write_video(u_char *p, const ngx_media_frame_t *f,
    unsigned mode)
{
    unsigned  id;

    if (f->track != NGX_MEDIA_TRACK_VIDEO
        || (f->flags & NGX_MEDIA_FRAME_EXTRA))
    {
        return ngx_media_flv_write_ex(p, f, mode);
    }

    if (f->codec == NGX_MEDIA_CODEC_OTHER_VIDEO) {
        p[0] = f->aux;
        return 1;
    }

    if (f->codec == NGX_MEDIA_CODEC_H264 && !(mode & NGX_MEDIA_FLV_NANO)) {
        id = NGX_MEDIA_FLV_VIDEO_AVC;

    } else if (f->codec == NGX_MEDIA_CODEC_HEVC
               && (mode & NGX_MEDIA_FLV_HEVC_LEGACY))
    {
        id = NGX_MEDIA_FLV_VIDEO_HEVC;

    } else {
        return ngx_media_flv_write_ex(p, f, mode);
    }

    p[0] = (u_char) (ngx_media_flv_frame_type(f) << 4 | id);
    p[1] = (u_char) ngx_media_flv_packet(f);

    ngx_media_put_be24(p + 2, p[1] == NGX_MEDIA_FLV_PKT_FRAMES
                              ? ngx_media_flv_put_cts(f->cts) : 0);

    return 5;
}


static int
ngx_media_flv_write_ex(u_char *p, const ngx_media_frame_t *f, unsigned mode)
{
    int        audio;
    u_char    *start;
    unsigned   packet, nano;
    uint32_t   fourcc;

    fourcc = ngx_media_flv_codec_fourcc(f->codec);

    if (fourcc == 0) {
        return -1;
    }

    start = p;
    audio = ngx_media_codec_is_audio(f->codec);
    packet = ngx_media_flv_packet(f);
    nano = ngx_media_flv_nano(f, packet, mode);

    if (packet == NGX_MEDIA_FLV_PKT_FRAMES && f->cts == 0
        && (f->codec == NGX_MEDIA_CODEC_H264
            || f->codec == NGX_MEDIA_CODEC_HEVC
            || f->codec == NGX_MEDIA_CODEC_VVC))
    {
        packet = NGX_MEDIA_FLV_PKT_FRAMES_X;
    }

    *p = (u_char) (audio ? NGX_MEDIA_FLV_SOUND_EX << 4
                         : 0x80 | ngx_media_flv_frame_type(f) << 4);

    if (nano) {

        /* 3 bytes of it, then a modifier of type 0 */

        *p++ |= NGX_MEDIA_FLV_PKT_MODEX;
        *p++ = 3 - 1;
        p = ngx_media_put_be24(p, nano);
        *p = 0;
    }

    if (f->track > NGX_MEDIA_TRACK_AUDIO) {
        *p++ |= audio ? NGX_MEDIA_FLV_PKT_AUDIO_TRACKS
                      : NGX_MEDIA_FLV_PKT_VIDEO_TRACKS;
        *p++ = (u_char) (NGX_MEDIA_FLV_ONE_TRACK << 4 | packet);
        p = ngx_media_put_be32(p, fourcc);
        *p++ = f->track >> 1;

    } else {
        *p++ |= (u_char) packet;
        p = ngx_media_put_be32(p, fourcc);
    }

    if (packet == NGX_MEDIA_FLV_PKT_FRAMES
        && (f->codec == NGX_MEDIA_CODEC_H264
            || f->codec == NGX_MEDIA_CODEC_HEVC
            || f->codec == NGX_MEDIA_CODEC_VVC))
    {
        p = ngx_media_put_be24(p, ngx_media_flv_put_cts(f->cts));
    }

    return (int) (p - start);
}


/* ns to write, 0 where there are none to tell or nobody to be told */

static unsigned
ngx_media_flv_nano(const ngx_media_frame_t *f, unsigned packet, unsigned mode)
{
    if (!(mode & NGX_MEDIA_FLV_NANO) || packet != NGX_MEDIA_FLV_PKT_FRAMES
        || f->dts <= 0)
    {
        return 0;
    }

    return (unsigned) (f->dts % 1000) * 1000;
}


static unsigned
ngx_media_flv_packet(const ngx_media_frame_t *f)
{
    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {
        return NGX_MEDIA_FLV_PKT_START;
    }

    if (f->flags & NGX_MEDIA_FRAME_EOS) {
        return NGX_MEDIA_FLV_PKT_END;
    }

    if (f->flags & NGX_MEDIA_FRAME_EXTRA) {
        return f->aux & 0x0f;
    }

    return NGX_MEDIA_FLV_PKT_FRAMES;
}


/* SI24 in ms */

static int32_t
ngx_media_flv_get_cts(const u_char *p)
{
    int32_t  ms;

    ms = (int32_t) ngx_media_get_be24(p);

    if (ms & 0x800000) {
        ms -= 0x1000000;
    }

    /* 35 minutes is what 32 bits of microseconds hold */

    if (ms > 2147483) {
        ms = 2147483;

    } else if (ms < -2147483) {
        ms = -2147483;
    }

    return ms * 1000;
}


static uint32_t
ngx_media_flv_put_cts(int32_t cts)
{
    int32_t  ms;

    ms = cts / 1000;
    cts %= 1000;

    if (cts >= 500) {
        ms++;

    } else if (cts <= -500) {
        ms--;
    }

    return (uint32_t) ms & 0xffffff;
}


uint8_t
ngx_media_flv_type(uint8_t codec)
{
    if (codec == NGX_MEDIA_CODEC_SCRIPT) {
        return NGX_MEDIA_FLV_SCRIPT;
    }

    if (codec == NGX_MEDIA_CODEC_OTHER_VIDEO) {
        return NGX_MEDIA_FLV_VIDEO;
    }

    if (codec == NGX_MEDIA_CODEC_OTHER_AUDIO) {
        return NGX_MEDIA_FLV_AUDIO;
    }

    if (ngx_media_flv_codec_fourcc(codec) == 0) {
        return 0;
    }

    return ngx_media_codec_is_video(codec) ? NGX_MEDIA_FLV_VIDEO
                                           : NGX_MEDIA_FLV_AUDIO;
}


uint32_t
ngx_media_flv_codec_fourcc(uint8_t codec)
{
    switch (codec) {

    case NGX_MEDIA_CODEC_H264:
        return ngx_media_flv_fourcc('a', 'v', 'c', '1');

    case NGX_MEDIA_CODEC_HEVC:
        return ngx_media_flv_fourcc('h', 'v', 'c', '1');

    case NGX_MEDIA_CODEC_VVC:
        return ngx_media_flv_fourcc('v', 'v', 'c', '1');

    case NGX_MEDIA_CODEC_AV1:
        return ngx_media_flv_fourcc('a', 'v', '0', '1');

    case NGX_MEDIA_CODEC_VP8:
        return ngx_media_flv_fourcc('v', 'p', '0', '8');

    case NGX_MEDIA_CODEC_VP9:
        return ngx_media_flv_fourcc('v', 'p', '0', '9');

    case NGX_MEDIA_CODEC_AAC:
        return ngx_media_flv_fourcc('m', 'p', '4', 'a');

    case NGX_MEDIA_CODEC_MP3:
        return ngx_media_flv_fourcc('.', 'm', 'p', '3');

    case NGX_MEDIA_CODEC_OPUS:
        return ngx_media_flv_fourcc('O', 'p', 'u', 's');

    case NGX_MEDIA_CODEC_AC3:
        return ngx_media_flv_fourcc('a', 'c', '-', '3');

    case NGX_MEDIA_CODEC_EAC3:
        return ngx_media_flv_fourcc('e', 'c', '-', '3');

    case NGX_MEDIA_CODEC_FLAC:
        return ngx_media_flv_fourcc('f', 'L', 'a', 'C');

    default:
        return 0;
    }
}


uint8_t
ngx_media_flv_fourcc_codec(uint8_t type, uint32_t fourcc)
{
    unsigned  codec, last;

    if (type == NGX_MEDIA_FLV_VIDEO) {
        codec = NGX_MEDIA_CODEC_H264;
        last = NGX_MEDIA_CODEC_VP9;

    } else {
        codec = NGX_MEDIA_CODEC_AAC;
        last = NGX_MEDIA_CODEC_FLAC;
    }

    for (; codec <= last; codec++) {
        if (ngx_media_flv_codec_fourcc((uint8_t) codec) == fourcc) {
            return (uint8_t) codec;
        }
    }

    return NGX_MEDIA_CODEC_NONE;
}
