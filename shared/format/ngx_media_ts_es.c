
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG-TS demuxer, elementary streams: what PES packets held, in s->es,
 * becomes frames.
 *
 * Audio is a row of frames that need not end where a PES does; the PTS of a
 * PES is that of the first frame that begins in it (s->mark), all others
 * follow by their samples.  Video is split into access units where a PES has
 * more than one.
 *
 * ISO/IEC 13818-1 2.4.3.7 and 2.14; H.264 7.4.1.2.3, H.265 7.4.2.4.4 (first
 * NAL of an access unit); ETSI TS 103 491 (Opus).
 */


#include <string.h>

#include "ngx_media_aac.h"
#include "ngx_media_ac3.h"
#include "ngx_media_avc.h"
#include "ngx_media_bits.h"
#include "ngx_media_bytes.h"
#include "ngx_media_hevc.h"
#include "ngx_media_mp3.h"
#include "ngx_media_opus.h"
#include "ngx_media_ts_demux.h"


#define NGX_MEDIA_TS_VPS           0        /* slots of s->sets */
#define NGX_MEDIA_TS_SPS           1
#define NGX_MEDIA_TS_PPS           2
#define NGX_MEDIA_TS_NO_SET        3

#define NGX_MEDIA_TS_AVC_FILLER    12
#define NGX_MEDIA_TS_HEVC_FILLER   38

/* what ngx_media_ts_*_look() say besides a size */

#define NGX_MEDIA_TS_MORE          0        /* the frame goes on */
#define NGX_MEDIA_TS_BAD           -1       /* no frame begins here */


typedef struct {
    size_t        offset;       /* of the payload */
    uint32_t      samples;      /* 0: not to be handed out */
    uint32_t      rate;
    uint8_t       codec;
    uint8_t       config_size;
    u_char        config[NGX_MEDIA_LATM_MAX_CONFIG];
} ngx_media_ts_look_t;


typedef struct {
    uint8_t       kind;         /* slot of a parameter set, or NO_SET */
    uint8_t       vcl;
    uint8_t       first;        /* begins an access unit, behind a VCL */
    uint8_t       drop;
} ngx_media_ts_nal_t;


static void ngx_media_ts_es_audio(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s);
static ssize_t ngx_media_ts_es_look(ngx_media_ts_stream_t *s,
    const u_char *pos, const u_char *end, ngx_media_ts_look_t *look);
static ssize_t ngx_media_ts_adts_look(const u_char *pos, const u_char *end,
    ngx_media_ts_look_t *look);
static ssize_t ngx_media_ts_mp3_look(const u_char *pos, const u_char *end,
    ngx_media_ts_look_t *look);
static ssize_t ngx_media_ts_ac3_look(const u_char *pos, const u_char *end,
    ngx_media_ts_look_t *look);
static ssize_t ngx_media_ts_opus_look(ngx_media_ts_stream_t *s,
    const u_char *pos, const u_char *end, ngx_media_ts_look_t *look);
static size_t ngx_media_ts_opus_head(unsigned code, u_char *p);
static void ngx_media_ts_es_latm(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s, size_t at, const u_char *end);
static void ngx_media_ts_es_frame(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s, size_t at, ngx_media_ts_look_t *look,
    const u_char *data, size_t size);
static int ngx_media_ts_es_time(ngx_media_ts_stream_t *s, size_t at,
    uint32_t samples, uint32_t rate, int64_t *us);

static void ngx_media_ts_es_video(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s);
static void ngx_media_ts_avc_nal(ngx_media_ts_stream_t *s,
    const ngx_media_nal_t *nal, ngx_media_ts_nal_t *out);
static void ngx_media_ts_hevc_nal(const ngx_media_nal_t *nal,
    ngx_media_ts_nal_t *out);
static int ngx_media_ts_es_set(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s, unsigned slot, const ngx_media_nal_t *nal,
    unsigned *seen);
static uint32_t ngx_media_ts_pps_id(ngx_media_ts_stream_t *s,
    const u_char *pos, const u_char *end);
static void ngx_media_ts_es_unit(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s);
static int ngx_media_ts_es_disposable(ngx_media_ts_stream_t *s,
    const u_char *pos, const u_char *end);
static int ngx_media_ts_es_config(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s);

static void ngx_media_ts_es_emit(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s, ngx_media_frame_t *f);


void
ngx_media_ts_es(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s, int whole)
{
    if (!ngx_media_codec_is_video(s->codec)) {
        ngx_media_ts_es_audio(d, s);
        return;
    }

    if (whole) {
        ngx_media_ts_es_video(d, s);
    }

    s->es.used = 0;
    s->mark = 0;
}


/* Audio */

static void
ngx_media_ts_es_audio(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s)
{
    size_t                at, left;
    ssize_t               n;
    const u_char         *pos, *end;
    ngx_media_ts_look_t   look;

    at = 0;
    end = s->es.data + s->es.used;

    while (at < s->es.used && d->error == NGX_MEDIA_OK) {
        pos = s->es.data + at;

        n = ngx_media_ts_es_look(s, pos, end, &look);

        if (n == NGX_MEDIA_TS_BAD) {
            at++;
            continue;
        }

        if (n == NGX_MEDIA_TS_MORE || n > end - pos) {
            break;
        }

        if (s->type == NGX_MEDIA_TS_TYPE_LATM) {
            ngx_media_ts_es_latm(d, s, at, pos + n);

        } else if (look.samples) {
            ngx_media_ts_es_frame(d, s, at, &look, pos + look.offset,
                                  (size_t) n - look.offset);

        } else {
            d->stat.dropped++;
        }

        at += (size_t) n;
    }

    /* packets of Opus never go on in the next PES */

    left = s->codec == NGX_MEDIA_CODEC_OPUS ? 0 : s->es.used - at;

    memmove(s->es.data, s->es.data + at, left);

    s->es.used = left;
    s->mark = s->mark > at ? s->mark - at : 0;
}


/*
 * What is at pos: the size of a frame, which may be more than there is, or
 * MORE, or BAD.
 */

static ssize_t
ngx_media_ts_es_look(ngx_media_ts_stream_t *s, const u_char *pos,
    const u_char *end, ngx_media_ts_look_t *look)
{
    size_t  n;

    look->offset = 0;
    look->samples = 0;
    look->codec = s->codec;
    look->config_size = 0;

    switch (s->codec) {

    case NGX_MEDIA_CODEC_AAC:

        if (s->type != NGX_MEDIA_TS_TYPE_LATM) {
            return ngx_media_ts_adts_look(pos, end, look);
        }

        if (end - pos < NGX_MEDIA_LOAS_SIZE) {
            return NGX_MEDIA_TS_MORE;
        }

        n = ngx_media_loas_size(pos);

        return n ? (ssize_t) n : NGX_MEDIA_TS_BAD;

    case NGX_MEDIA_CODEC_MP3:
        return ngx_media_ts_mp3_look(pos, end, look);

    case NGX_MEDIA_CODEC_OPUS:
        return ngx_media_ts_opus_look(s, pos, end, look);

    default:
        return ngx_media_ts_ac3_look(pos, end, look);
    }
}


static ssize_t
ngx_media_ts_adts_look(const u_char *pos, const u_char *end,
    ngx_media_ts_look_t *look)
{
    size_t            size;
    ngx_media_adts_t  adts;

    if (end - pos < 9) {
        return NGX_MEDIA_TS_MORE;
    }

    if (ngx_media_adts_parse(pos, end, &adts) == NULL) {
        return NGX_MEDIA_TS_BAD;
    }

    size = adts.frame_size;

    /* a sync word by chance has no other behind its frame */

    if ((size_t) (end - pos) > size && pos[size] != 0xff) {
        return NGX_MEDIA_TS_BAD;
    }

    look->offset = adts.header_size;
    look->rate = adts.sample_rate;
    look->config_size = 2;

    (void) ngx_media_aac_config_write(look->config, &adts);

    /* the borders of several blocks in a frame cannot be told */

    if (adts.blocks == 1 && size > adts.header_size) {
        look->samples = 1024;
    }

    return (ssize_t) size;
}


static ssize_t
ngx_media_ts_mp3_look(const u_char *pos, const u_char *end,
    ngx_media_ts_look_t *look)
{
    size_t           size;
    ngx_media_mp3_t  mp3;

    if (end - pos < NGX_MEDIA_MP3_HEADER_SIZE) {
        return NGX_MEDIA_TS_MORE;
    }

    if (ngx_media_mp3_parse(pos, end, &mp3) == NULL
        || mp3.frame_size < NGX_MEDIA_MP3_HEADER_SIZE)
    {
        return NGX_MEDIA_TS_BAD;
    }

    size = mp3.frame_size;

    if ((size_t) (end - pos) > size && pos[size] != 0xff) {
        return NGX_MEDIA_TS_BAD;
    }

    look->rate = mp3.sample_rate;

    if (mp3.layer == 3) {
        look->samples = mp3.samples;
    }

    return (ssize_t) size;
}


/* Of E-AC-3 the dependent frames belong to the independent one before. */

static ssize_t
ngx_media_ts_ac3_look(const u_char *pos, const u_char *end,
    ngx_media_ts_look_t *look)
{
    size_t           size;
    ngx_media_ac3_t  ac3, next;

    if (end - pos < 8) {
        return NGX_MEDIA_TS_MORE;
    }

    if (ngx_media_ac3_parse(pos, end, &ac3) == NULL || ac3.frame_size < 8) {
        return NGX_MEDIA_TS_BAD;
    }

    size = ac3.frame_size;

    while (ac3.eac3 && (size_t) (end - pos) >= size + 8
           && ngx_media_ac3_parse(pos + size, end, &next) != NULL
           && next.eac3 && next.stream_type == 1 && next.frame_size >= 8)
    {
        size += next.frame_size;
    }

    look->codec = ac3.eac3 ? NGX_MEDIA_CODEC_EAC3 : NGX_MEDIA_CODEC_AC3;
    look->samples = ac3.samples;
    look->rate = ac3.sample_rate;

    return (ssize_t) size;
}


/* opus_control_header() and a packet */

static ssize_t
ngx_media_ts_opus_look(ngx_media_ts_stream_t *s, const u_char *pos,
    const u_char *end, ngx_media_ts_look_t *look)
{
    size_t         size;
    unsigned       flags;
    const u_char  *p;

    if (end - pos < 3) {
        return NGX_MEDIA_TS_MORE;
    }

    if (pos[0] != 0x7f || (pos[1] & 0xe0) != 0xe0) {
        return NGX_MEDIA_TS_BAD;
    }

    flags = pos[1];
    size = 0;
    p = pos + 2;

    do {
        if (p == end) {
            return NGX_MEDIA_TS_MORE;
        }

        size += *p;

    } while (*p++ == 255);

    p += (flags & 0x10) ? 2 : 0;             /* start trim */
    p += (flags & 0x08) ? 2 : 0;             /* end trim */

    if (flags & 0x04) {                      /* control extension */
        if (p >= end) {
            return NGX_MEDIA_TS_MORE;
        }

        p += 1 + *p;
    }

    if (p > end || size > (size_t) (end - p)) {
        return NGX_MEDIA_TS_MORE;
    }

    look->offset = (size_t) (p - pos);
    look->rate = NGX_MEDIA_OPUS_RATE;
    look->samples = ngx_media_opus_samples(p, p + size);
    look->config_size = (uint8_t)
                        ngx_media_ts_opus_head(s->channels, look->config);

    return (ssize_t) (look->offset + size);
}


/* OpusHead for a channel_config_code; RFC 7845 5.1.1.2 above two channels. */

static size_t
ngx_media_ts_opus_head(unsigned code, u_char *p)
{
    u_char  *start;

    static const u_char  streams[9][2] = {
        { 1, 1 }, { 1, 0 }, { 1, 1 }, { 2, 1 }, { 2, 2 },
        { 3, 2 }, { 4, 2 }, { 4, 3 }, { 5, 3 }
    };

    static const u_char  maps[9][8] = {
        { 0, 1 },
        { 0 },
        { 0, 1 },
        { 0, 2, 1 },
        { 0, 1, 2, 3 },
        { 0, 4, 1, 2, 3 },
        { 0, 4, 1, 2, 3, 5 },
        { 0, 4, 1, 2, 3, 5, 6 },
        { 0, 6, 1, 2, 3, 4, 5, 7 }
    };

    if (code == 0 || code > 8) {
        code = 2;                            /* dual mono, and unknown */
    }

    start = p;
    p = ngx_media_opus_head_write(p, code, 0, NGX_MEDIA_OPUS_RATE);

    if (code > 2) {
        p[-1] = 1;                           /* mapping family */
        p = ngx_media_put(p, streams[code], 2);
        p = ngx_media_put(p, maps[code], code);
    }

    return (size_t) (p - start);
}


static void
ngx_media_ts_es_latm(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    size_t at, const u_char *end)
{
    int                      rc;
    size_t                   size;
    ssize_t                  n;
    const u_char            *pos;
    ngx_media_ts_look_t      look;
    ngx_media_aac_config_t   aac;

    pos = s->es.data + at;
    size = (size_t) (end - pos);

    rc = ngx_media_latm_open(&s->latm, pos, end);

    if (rc != NGX_MEDIA_OK
        || ngx_media_aac_config_parse(s->latm.config,
                                      s->latm.config + s->latm.config_size,
                                      &aac)
           == NULL
        || aac.sample_rate == 0 || aac.frame_samples == 0
        || ngx_media_ts_room(d, &d->out, size) != NGX_MEDIA_OK)
    {
        d->stat.dropped++;
        return;
    }

    look.codec = NGX_MEDIA_CODEC_AAC;
    look.samples = aac.frame_samples;
    look.rate = aac.sample_rate;
    look.config_size = s->latm.config_size;
    memcpy(look.config, s->latm.config, s->latm.config_size);

    while (d->error == NGX_MEDIA_OK) {
        n = ngx_media_latm_next(&s->latm, d->out.data, size);

        if (n <= 0) {
            d->stat.dropped += (n < 0);
            return;
        }

        ngx_media_ts_es_frame(d, s, at, &look, d->out.data, (size_t) n);
    }
}


/* Hands out a frame that began at that byte of s->es. */

static void
ngx_media_ts_es_frame(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    size_t at, ngx_media_ts_look_t *look, const u_char *data, size_t size)
{
    int64_t            us;
    uint32_t           crc;
    ngx_media_frame_t  f;

    if (ngx_media_ts_es_time(s, at, look->samples, look->rate, &us) != 0) {
        d->stat.dropped++;
        return;
    }

    memset(&f, 0, sizeof(ngx_media_frame_t));

    f.dts = us;
    f.codec = look->codec;

    if (look->config_size) {
        crc = ngx_media_ts_crc(look->config,
                               look->config + look->config_size);

        if (crc != s->config) {
            s->config = crc;

            f.flags = NGX_MEDIA_FRAME_CONFIG;
            f.data = look->config;
            f.size = look->config_size;

            ngx_media_ts_es_emit(d, s, &f);
        }
    }

    f.flags = 0;
    f.data = data;
    f.size = (uint32_t) size;

    ngx_media_ts_es_emit(d, s, &f);
}


static int
ngx_media_ts_es_time(ngx_media_ts_stream_t *s, size_t at, uint32_t samples,
    uint32_t rate, int64_t *us)
{
    if (s->fresh && at >= s->mark) {
        s->base = ngx_media_ts_us(s->pts);
        s->samples = 0;
        s->based = 1;
        s->fresh = 0;
        s->rate = rate;
    }

    if (!s->based) {
        return -1;
    }

    if (s->rate != rate) {
        s->base += (int64_t) (s->samples * 1000000 / s->rate);
        s->samples = 0;
        s->rate = rate;
    }

    *us = s->base + (int64_t) ((s->samples * 1000000 + rate / 2) / rate);
    s->samples += samples;

    return 0;
}


/* Video */

static void
ngx_media_ts_es_video(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s)
{
    size_t               size;
    u_char              *p;
    unsigned             vcl, seen;
    const u_char        *pos, *end;
    ngx_media_nal_t      nal;
    ngx_media_ts_nal_t   kind;

    size = ngx_media_nal_from_annexb_room(s->es.used);

    if (!s->timed || ngx_media_ts_room(d, &d->out, size) != NGX_MEDIA_OK) {
        d->stat.dropped++;
        return;
    }

    if (!s->fresh) {
        s->dts += s->step;
        s->pts += s->step;
    }

    s->fresh = 0;
    vcl = 0;
    seen = 0;
    d->out.used = 0;

    pos = s->es.data;
    end = pos + s->es.used;

    while ((pos = ngx_media_nal_next_annexb(pos, end, &nal)) != NULL) {

        if (s->codec == NGX_MEDIA_CODEC_H264) {
            ngx_media_ts_avc_nal(s, &nal, &kind);
        } else {
            ngx_media_ts_hevc_nal(&nal, &kind);
        }

        if (kind.first && vcl) {
            ngx_media_ts_es_unit(d, s);

            s->dts += s->step;
            s->pts += s->step;
            d->out.used = 0;
            vcl = 0;
            seen = 0;
        }

        if (kind.drop
            || (kind.kind != NGX_MEDIA_TS_NO_SET
                && ngx_media_ts_es_set(d, s, kind.kind, &nal, &seen)))
        {
            continue;
        }

        vcl |= kind.vcl;

        p = d->out.data + d->out.used;
        p = ngx_media_put_be32(p, (uint32_t) nal.size);
        p = ngx_media_put(p, nal.data, nal.size);
        d->out.used = (size_t) (p - d->out.data);
    }

    if (vcl) {
        ngx_media_ts_es_unit(d, s);
    }
}


static void
ngx_media_ts_avc_nal(ngx_media_ts_stream_t *s, const ngx_media_nal_t *nal,
    ngx_media_ts_nal_t *out)
{
    unsigned  type;

    type = ngx_media_avc_nal_type(nal->data[0]);

    out->kind = NGX_MEDIA_TS_NO_SET;
    out->vcl = 0;
    out->first = 0;
    out->drop = 0;

    switch (type) {

    case NGX_MEDIA_AVC_NAL_SLICE:
    case NGX_MEDIA_AVC_NAL_DPA:
    case NGX_MEDIA_AVC_NAL_IDR:
        out->vcl = 1;
        out->first = nal->size > 1 && (nal->data[1] & 0x80);
        break;

    case NGX_MEDIA_AVC_NAL_SPS:
        out->kind = NGX_MEDIA_TS_SPS;
        out->first = 1;
        break;

    case NGX_MEDIA_AVC_NAL_PPS:
        out->kind = NGX_MEDIA_TS_PPS;
        out->first = 1;
        break;

    case NGX_MEDIA_AVC_NAL_AUD:
        out->drop = 1;
        out->first = 1;
        break;

    case NGX_MEDIA_TS_AVC_FILLER:
        out->drop = 1;
        break;

    case NGX_MEDIA_AVC_NAL_SEI:
        out->first = 1;
        break;

    default:
        out->first = type >= 14 && type <= 18;
    }

    /* both fields of a frame are one access unit in all other formats */

    if (s->interlaced) {
        out->first = 0;
    }
}


static void
ngx_media_ts_hevc_nal(const ngx_media_nal_t *nal, ngx_media_ts_nal_t *out)
{
    unsigned  type, layer;

    type = ngx_media_hevc_nal_type(nal->data[0]);
    layer = nal->size > 1 ? (nal->data[0] & 1) << 5 | nal->data[1] >> 3 : 0;

    out->kind = NGX_MEDIA_TS_NO_SET;
    out->vcl = type < 32;
    out->first = 0;
    out->drop = (type == NGX_MEDIA_HEVC_NAL_AUD
                 || type == NGX_MEDIA_TS_HEVC_FILLER || nal->size < 3);

    if (layer) {
        return;
    }

    if (type < 32) {
        out->first = nal->size > 2 && (nal->data[2] & 0x80);

    } else {
        out->first = type <= NGX_MEDIA_HEVC_NAL_AUD
                     || type == NGX_MEDIA_HEVC_NAL_SEI_PREFIX
                     || (type >= 41 && type <= 44)
                     || (type >= 48 && type <= 55);

        if (type <= NGX_MEDIA_HEVC_NAL_PPS) {
            out->kind = (uint8_t) (type - NGX_MEDIA_HEVC_NAL_VPS);
        }
    }
}


/*
 * A parameter set: 1 where it is that of the config, which it may change, 0
 * where it must stay in the frame.
 */

static int
ngx_media_ts_es_set(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    unsigned slot, const ngx_media_nal_t *nal, unsigned *seen)
{
    u_char               *set;
    unsigned              bit;
    ngx_media_avc_sps_t   sps;

    if (s->sets == NULL) {
        if (NGX_MEDIA_TS_SETS * NGX_MEDIA_TS_SET > d->max_memory - d->memory) {
            return 0;
        }

        s->sets = d->buffer(d->ctx, NULL, 0,
                            NGX_MEDIA_TS_SETS * NGX_MEDIA_TS_SET);

        if (s->sets == NULL) {
            return 0;
        }

        d->memory += NGX_MEDIA_TS_SETS * NGX_MEDIA_TS_SET;
    }

    if (nal->size > NGX_MEDIA_TS_SET) {
        return 0;
    }

    set = s->sets + slot * NGX_MEDIA_TS_SET;
    bit = 1u << slot;

    if (nal->size == s->set_size[slot]
        && memcmp(nal->data, set, nal->size) == 0)
    {
        *seen |= bit;
        return 1;
    }

    /* a second one of its kind, or a PPS beside that of the config */

    if ((*seen & bit)
        || (slot == NGX_MEDIA_TS_PPS && s->set_size[slot]
            && !(*seen & 1u << NGX_MEDIA_TS_SPS)
            && ngx_media_ts_pps_id(s, nal->data, nal->data + nal->size)
               != ngx_media_ts_pps_id(s, set, set + s->set_size[slot])))
    {
        return 0;
    }

    (void) ngx_media_put(set, nal->data, nal->size);

    s->set_size[slot] = (uint16_t) nal->size;
    s->changed = 1;
    *seen |= bit;

    if (s->codec == NGX_MEDIA_CODEC_H264 && slot == NGX_MEDIA_TS_SPS
        && ngx_media_avc_sps_parse(set, set + nal->size, &sps))
    {
        s->interlaced = sps.interlaced;
    }

    return 1;
}


static uint32_t
ngx_media_ts_pps_id(ngx_media_ts_stream_t *s, const u_char *pos,
    const u_char *end)
{
    ngx_media_bits_t  b;

    ngx_media_bits_init_rbsp(&b, pos, end);
    ngx_media_bits_skip(&b, s->codec == NGX_MEDIA_CODEC_H264 ? 8 : 16);

    return ngx_media_bits_ue(&b);
}


/* Hands out the access unit in d->out. */

static void
ngx_media_ts_es_unit(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s)
{
    u_char             *end;
    ngx_media_frame_t   f;

    if (d->error != NGX_MEDIA_OK) {
        return;
    }

    if ((s->changed && ngx_media_ts_es_config(d, s) != NGX_MEDIA_OK)
        || s->config == 0)
    {
        d->stat.dropped++;
        return;
    }

    memset(&f, 0, sizeof(ngx_media_frame_t));

    f.dts = ngx_media_ts_us(s->dts);
    f.cts = (int32_t) (ngx_media_ts_us(s->pts) - f.dts);
    f.codec = s->codec;
    f.data = d->out.data;
    f.size = (uint32_t) d->out.used;

    end = d->out.data + d->out.used;

    if (ngx_media_codec_start(s->codec, 4, f.data, end)
        == NGX_MEDIA_START_KEY)
    {
        f.flags |= NGX_MEDIA_FRAME_KEY;

    } else if (ngx_media_ts_es_disposable(s, f.data, end)) {
        f.flags |= NGX_MEDIA_FRAME_DISPOSABLE;
    }

    ngx_media_ts_es_emit(d, s, &f);
}


/* No other picture refers to it.  A gradual start is none to be left out. */

static int
ngx_media_ts_es_disposable(ngx_media_ts_stream_t *s, const u_char *pos,
    const u_char *end)
{
    ngx_media_avc_frame_t   avc;
    ngx_media_hevc_frame_t  hevc;

    if (s->codec == NGX_MEDIA_CODEC_H264) {
        (void) ngx_media_avc_frame_parse(pos, end, 4, &avc);

        return avc.ref_idc == 0 && !avc.recovery;
    }

    (void) ngx_media_hevc_frame_parse(pos, end, 4, &hevc);

    return !hevc.reference && !hevc.recovery;
}


/*
 * The config of the sets.  NGX_MEDIA_ERROR: one is missing or damaged, and
 * what comes cannot be decoded.
 */

static int
ngx_media_ts_es_config(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s)
{
    u_char             config[NGX_MEDIA_TS_SETS * NGX_MEDIA_TS_SET + 64];
    ssize_t            n;
    uint32_t           crc;
    unsigned           i;
    ngx_media_nal_t    nal[NGX_MEDIA_TS_SETS];
    ngx_media_frame_t  f;

    n = -1;

    for (i = 0; i < NGX_MEDIA_TS_SETS; i++) {
        nal[i].size = s->set_size[i];
        nal[i].data = nal[i].size ? s->sets + i * NGX_MEDIA_TS_SET : NULL;
    }

    if (nal[NGX_MEDIA_TS_SPS].size && nal[NGX_MEDIA_TS_PPS].size) {

        if (s->codec == NGX_MEDIA_CODEC_H264) {
            n = ngx_media_avc_config_write(&nal[NGX_MEDIA_TS_SPS],
                                           &nal[NGX_MEDIA_TS_PPS], 4, config,
                                           sizeof(config));

        } else if (nal[NGX_MEDIA_TS_VPS].size) {
            n = ngx_media_hevc_config_write(&nal[NGX_MEDIA_TS_VPS],
                                            &nal[NGX_MEDIA_TS_SPS],
                                            &nal[NGX_MEDIA_TS_PPS], 4, config,
                                            sizeof(config));
        }
    }

    if (n < 0) {
        s->config = 0;
        return NGX_MEDIA_ERROR;
    }

    s->changed = 0;
    crc = ngx_media_ts_crc(config, config + n) | 1;

    if (crc == s->config) {
        return NGX_MEDIA_OK;
    }

    s->config = crc;

    memset(&f, 0, sizeof(ngx_media_frame_t));

    f.dts = ngx_media_ts_us(s->dts);
    f.flags = NGX_MEDIA_FRAME_CONFIG;
    f.codec = s->codec;
    f.data = config;
    f.size = (uint32_t) n;

    ngx_media_ts_es_emit(d, s, &f);

    return NGX_MEDIA_OK;
}


static void
ngx_media_ts_es_emit(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    ngx_media_frame_t *f)
{
    if (d->error != NGX_MEDIA_OK) {
        return;
    }

    f->track = s->track;

    if (s->broken) {
        s->broken = 0;
        f->flags |= NGX_MEDIA_FRAME_BREAK;
    }

    if (!(f->flags & NGX_MEDIA_FRAME_CONFIG)) {
        d->stat.frames++;
    }

    d->error = d->frame(d->ctx, f);
}
