
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG-TS muxer: tracks, configs, frames, the clock and PES headers;
 * ngx_media_ts_packet.c writes the packets and tables.  A frame is walked
 * twice: first for its size, which PES header and stuffing depend on, then
 * its bytes go straight into packets.
 *
 * PCR of a slow video are written ahead of its frame, in packets without
 * payload, one every 40 ms of stream time, with the tables between them.
 *
 * ISO/IEC 13818-1 2.4.3.6 (PES), 2.7 (distances of clock and tables).
 */


#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_avc.h"
#include "ngx_media_hevc.h"
#include "ngx_media_mp3.h"
#include "ngx_media_opus.h"
#include "ngx_media_ts_packet.h"


#define NGX_MEDIA_TS_PCR_SOON      20000    /* us, no PCR before */
#define NGX_MEDIA_TS_PCR_HOLE      5000000  /* us, nothing to fill it with */
#define NGX_MEDIA_TS_PCR_BACK      1000000  /* us, a clock that was reset */
#define NGX_MEDIA_TS_MAX_AUDIO     61200    /* bytes of a frame */
#define NGX_MEDIA_TS_MAX_PREFIX    260
#define NGX_MEDIA_TS_PES_AHEAD     8        /* PES bytes behind its length,
                                             * with a PTS */


static int ngx_media_ts_mux_set_config(ngx_media_ts_mux_t *m,
    ngx_media_ts_mux_track_t *t, const ngx_media_frame_t *f);
static int ngx_media_ts_mux_avc(ngx_media_ts_mux_t *m,
    ngx_media_ts_mux_track_t *t, const u_char *pos, const u_char *end);
static int ngx_media_ts_mux_hevc(ngx_media_ts_mux_t *m,
    ngx_media_ts_mux_track_t *t, const u_char *pos, const u_char *end);
static int ngx_media_ts_mux_add_set(ngx_media_ts_mux_t *m,
    ngx_media_ts_mux_track_t *t, const ngx_media_nal_t *nal);
static void ngx_media_ts_mux_drop_sets(ngx_media_ts_mux_t *m,
    ngx_media_ts_mux_track_t *t);
static void ngx_media_ts_mux_changed(ngx_media_ts_mux_t *m);
static unsigned ngx_media_ts_opus_code(const u_char *pos, const u_char *end);

static int ngx_media_ts_mux_audio(ngx_media_ts_mux_t *m,
    const ngx_media_frame_t *f);
static int ngx_media_ts_mux_video(ngx_media_ts_mux_t *m,
    const ngx_media_frame_t *f);
static int ngx_media_ts_mux_prefix(ngx_media_ts_mux_track_t *t,
    const ngx_media_frame_t *f, u_char *p);
static int ngx_media_ts_mux_gather(ngx_media_ts_mux_t *m,
    const ngx_media_frame_t *f, const u_char *prefix, size_t n);
static int ngx_media_ts_mux_nals(ngx_media_ts_mux_t *m,
    const ngx_media_frame_t *f, ngx_media_ts_out_t *o, int sets,
    size_t *size);

static int ngx_media_ts_mux_before(ngx_media_ts_mux_t *m,
    ngx_media_ts_out_t *o, int64_t dts, unsigned track, unsigned flags);
static int ngx_media_ts_mux_tables_at(ngx_media_ts_mux_t *m,
    ngx_media_ts_out_t *o, int64_t dts);
static int ngx_media_ts_mux_clock(ngx_media_ts_mux_t *m,
    ngx_media_ts_out_t *o, int64_t dts, int here);
static int ngx_media_ts_mux_pes(ngx_media_ts_out_t *o,
    const ngx_media_frame_t *f, size_t size);
static u_char *ngx_media_ts_put_time(u_char *p, unsigned mark, int64_t us);


static const u_char  ngx_media_ts_start_code[4] = { 0, 0, 0, 1 };


void
ngx_media_ts_mux_init(ngx_media_ts_mux_t *m, ngx_media_ts_write_pt write,
    void *ctx)
{
    memset(m, 0, sizeof(ngx_media_ts_mux_t));

    m->write = write;
    m->ctx = ctx;
    m->pcr_track = 0xff;
    m->changed = 1;
}


void
ngx_media_ts_mux_bundle(ngx_media_ts_mux_t *m, u_char *buf, uint32_t size,
    uint32_t us)
{
    m->bundle = us ? buf : NULL;
    m->bundle_size = size < NGX_MEDIA_TS_MAX_AUDIO ? size
                                                   : NGX_MEDIA_TS_MAX_AUDIO;
    m->bundle_us = us;
}


uint8_t
ngx_media_ts_type(uint8_t codec)
{
    switch (codec) {

    case NGX_MEDIA_CODEC_H264:
        return NGX_MEDIA_TS_TYPE_H264;

    case NGX_MEDIA_CODEC_HEVC:
        return NGX_MEDIA_TS_TYPE_HEVC;

    case NGX_MEDIA_CODEC_AAC:
        return NGX_MEDIA_TS_TYPE_ADTS;

    case NGX_MEDIA_CODEC_MP3:
        return NGX_MEDIA_TS_TYPE_MPEG1;

    case NGX_MEDIA_CODEC_OPUS:
        return NGX_MEDIA_TS_TYPE_PRIVATE;

    case NGX_MEDIA_CODEC_AC3:
        return NGX_MEDIA_TS_TYPE_AC3;

    case NGX_MEDIA_CODEC_EAC3:
        return NGX_MEDIA_TS_TYPE_EAC3;

    default:
        return 0;
    }
}


/* Tracks */

int
ngx_media_ts_mux_track(ngx_media_ts_mux_t *m, const ngx_media_frame_t *f)
{
    int                        rc;
    uint8_t                    type, channels;
    const u_char              *end;
    ngx_media_mp3_t            mp3;
    ngx_media_ts_mux_track_t  *t;

    type = ngx_media_ts_type(f->codec);

    if (type == 0 || f->track >= NGX_MEDIA_MAX_TRACKS) {
        return NGX_MEDIA_DECLINED;
    }

    t = &m->tracks[f->track];
    end = f->data + f->size;
    channels = t->channels;
    rc = NGX_MEDIA_OK;

    if (f->codec == NGX_MEDIA_CODEC_OPUS) {
        if ((f->flags & NGX_MEDIA_FRAME_CONFIG) || t->codec != f->codec) {
            channels = (uint8_t) ngx_media_ts_opus_code(f->data, end);
        }

    } else if (f->codec == NGX_MEDIA_CODEC_MP3) {
        if (ngx_media_mp3_parse(f->data, end, &mp3)) {
            if (mp3.version != 1) {
                type = NGX_MEDIA_TS_TYPE_MPEG2;
            }

        } else if (t->codec == f->codec) {
            type = t->type;
        }
    }

    if (t->codec != f->codec || t->type != type || t->channels != channels) {
        ngx_media_ts_mux_drop_sets(m, t);

        t->codec = f->codec;
        t->type = type;
        t->channels = channels;
        t->nal_size = 4;
        t->aac.object_type = 0;

        ngx_media_ts_mux_changed(m);
    }

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {
        rc = ngx_media_ts_mux_set_config(m, t, f);
    }

    return rc;
}


void
ngx_media_ts_mux_remove(ngx_media_ts_mux_t *m, unsigned track)
{
    ngx_media_ts_mux_track_t  *t;

    if (track >= NGX_MEDIA_MAX_TRACKS || m->tracks[track].codec == 0) {
        return;
    }

    t = &m->tracks[track];

    ngx_media_ts_mux_drop_sets(m, t);

    if (m->bundle_used && m->bundle_track == track) {
        m->bundle_used = 0;
    }

    t->codec = NGX_MEDIA_CODEC_NONE;

    ngx_media_ts_mux_changed(m);
}


/* A new PMT; the clock goes with the first video, or else the first audio. */

static void
ngx_media_ts_mux_changed(ngx_media_ts_mux_t *m)
{
    unsigned  i;
    uint8_t   track;

    track = 0xff;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

        if (m->tracks[i].codec == NGX_MEDIA_CODEC_NONE) {
            continue;
        }

        if (ngx_media_codec_is_video(m->tracks[i].codec)) {
            track = (uint8_t) i;
            break;
        }

        if (track == 0xff) {
            track = (uint8_t) i;
        }
    }

    if (m->pcr_track != track) {
        m->pcr_track = track;
        m->have_pcr = 0;
    }

    if (!m->changed) {
        m->changed = 1;
        m->version = (m->version + 1) & 31;
    }
}


static int
ngx_media_ts_mux_set_config(ngx_media_ts_mux_t *m,
    ngx_media_ts_mux_track_t *t, const ngx_media_frame_t *f)
{
    const u_char            *end;
    ngx_media_aac_config_t   aac;

    end = f->data + f->size;

    switch (f->codec) {

    case NGX_MEDIA_CODEC_H264:
        return ngx_media_ts_mux_avc(m, t, f->data, end);

    case NGX_MEDIA_CODEC_HEVC:
        return ngx_media_ts_mux_hevc(m, t, f->data, end);

    case NGX_MEDIA_CODEC_AAC:

        if (ngx_media_aac_config_parse(f->data, end, &aac) == NULL) {
            return NGX_MEDIA_DECLINED;
        }

        t->aac = aac;

        return NGX_MEDIA_OK;

    default:
        return NGX_MEDIA_OK;
    }
}


static int
ngx_media_ts_mux_avc(ngx_media_ts_mux_t *m, ngx_media_ts_mux_track_t *t,
    const u_char *pos, const u_char *end)
{
    unsigned                i;
    ngx_media_nal_t         nal;
    ngx_media_avc_config_t  config;

    if (ngx_media_avc_config_parse(pos, end, &config) == NULL) {
        return NGX_MEDIA_DECLINED;
    }

    ngx_media_ts_mux_drop_sets(m, t);

    t->nal_size = config.nal_size;

    pos = config.sps;

    for (i = 0; i < config.nsps && pos; i++) {
        pos = ngx_media_nal_next_set(pos, config.sps_end, &nal);

        if (pos == NULL || ngx_media_ts_mux_add_set(m, t, &nal) != 0) {
            return NGX_MEDIA_DECLINED;
        }
    }

    pos = config.pps;

    for (i = 0; i < config.npps && pos; i++) {
        pos = ngx_media_nal_next_set(pos, config.pps_end, &nal);

        if (pos == NULL || ngx_media_ts_mux_add_set(m, t, &nal) != 0) {
            return NGX_MEDIA_DECLINED;
        }
    }

    return NGX_MEDIA_OK;
}


static int
ngx_media_ts_mux_hevc(ngx_media_ts_mux_t *m, ngx_media_ts_mux_track_t *t,
    const u_char *pos, const u_char *end)
{
    unsigned                 i, type;
    ngx_media_nal_t          nal;
    ngx_media_hevc_config_t  config;

    if (ngx_media_hevc_config_parse(pos, end, &config) == NULL) {
        return NGX_MEDIA_DECLINED;
    }

    ngx_media_ts_mux_drop_sets(m, t);

    t->nal_size = config.nal_size;

    for (type = NGX_MEDIA_HEVC_NAL_VPS; type <= NGX_MEDIA_HEVC_NAL_PPS;
         type++)
    {
        for (i = 0;
             ngx_media_hevc_config_set(&config, type, i, &nal) == NGX_MEDIA_OK;
             i++)
        {
            if (ngx_media_ts_mux_add_set(m, t, &nal) != 0) {
                return NGX_MEDIA_DECLINED;
            }
        }
    }

    return NGX_MEDIA_OK;
}


/*
 * The sets of all tracks lie behind each other, as Annex B; those of the
 * track at hand are the last.  Where they are too many none are kept.
 */

static int
ngx_media_ts_mux_add_set(ngx_media_ts_mux_t *m, ngx_media_ts_mux_track_t *t,
    const ngx_media_nal_t *nal)
{
    u_char  *p;

    if (nal->size == 0) {
        return 0;
    }

    if (nal->size > (size_t) NGX_MEDIA_TS_MUX_SETS - 4
        || NGX_MEDIA_TS_MUX_SETS - 4 - nal->size < m->nsets)
    {
        ngx_media_ts_mux_drop_sets(m, t);
        return -1;
    }

    if (t->sets_size == 0) {
        t->sets = m->nsets;
    }

    p = m->sets + m->nsets;
    p = ngx_media_put(p, ngx_media_ts_start_code, 4);
    (void) ngx_media_put(p, nal->data, nal->size);

    m->nsets = (uint16_t) (m->nsets + 4 + nal->size);
    t->sets_size = (uint16_t) (t->sets_size + 4 + nal->size);

    return 0;
}


static void
ngx_media_ts_mux_drop_sets(ngx_media_ts_mux_t *m, ngx_media_ts_mux_track_t *t)
{
    unsigned  i, after;

    if (t->sets_size == 0) {
        return;
    }

    after = t->sets + t->sets_size;

    memmove(m->sets + t->sets, m->sets + after, m->nsets - after);

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        if (m->tracks[i].sets_size && m->tracks[i].sets >= after) {
            m->tracks[i].sets = (uint16_t) (m->tracks[i].sets - t->sets_size);
        }
    }

    m->nsets = (uint16_t) (m->nsets - t->sets_size);
    t->sets_size = 0;
}


/* channel_config_code of an OpusHead, or of a packet's TOC. */

static unsigned
ngx_media_ts_opus_code(const u_char *pos, const u_char *end)
{
    ngx_media_opus_head_t  head;

    if (ngx_media_opus_head_parse(pos, end, &head)) {
        return head.channels <= 8 ? head.channels : 2;
    }

    return pos < end && !(*pos & 4) ? 1 : 2;
}


/* Frames */

int
ngx_media_ts_mux_frame(ngx_media_ts_mux_t *m, const ngx_media_frame_t *f)
{
    int                        video;
    ngx_media_ts_mux_track_t  *t;

    if (ngx_media_ts_type(f->codec) == 0 || f->track >= NGX_MEDIA_MAX_TRACKS
        || (f->flags & (NGX_MEDIA_FRAME_EXTRA|NGX_MEDIA_FRAME_EOS))
        || f->size == 0)
    {
        return NGX_MEDIA_DECLINED;
    }

    t = &m->tracks[f->track];
    video = ngx_media_codec_is_video(f->codec);

    if ((f->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_BREAK))
        || (video && (f->flags & NGX_MEDIA_FRAME_KEY))
        || f->dts - m->bundle_dts >= m->bundle_us)
    {
        if (ngx_media_ts_mux_flush(m) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }
    }

    if ((f->flags & NGX_MEDIA_FRAME_CONFIG) || t->codec != f->codec) {

        if (ngx_media_ts_mux_track(m, f) != NGX_MEDIA_OK) {
            return NGX_MEDIA_DECLINED;
        }

        if (f->flags & NGX_MEDIA_FRAME_CONFIG) {
            return NGX_MEDIA_OK;
        }
    }

    return video ? ngx_media_ts_mux_video(m, f) : ngx_media_ts_mux_audio(m, f);
}


static int
ngx_media_ts_mux_audio(ngx_media_ts_mux_t *m, const ngx_media_frame_t *f)
{
    int                  n;
    u_char               prefix[NGX_MEDIA_TS_MAX_PREFIX];
    unsigned             first;
    ngx_media_ts_out_t   out;

    if (f->size > NGX_MEDIA_TS_MAX_AUDIO) {
        return NGX_MEDIA_DECLINED;
    }

    n = ngx_media_ts_mux_prefix(&m->tracks[f->track], f, prefix);

    if (n < 0) {
        return NGX_MEDIA_DECLINED;
    }

    for (first = 0; first < f->track; first++) {
        if (ngx_media_codec_is_audio(m->tracks[first].codec)) {
            break;
        }
    }

    if (m->bundle && first == f->track
        && (size_t) n + f->size <= m->bundle_size)
    {
        return ngx_media_ts_mux_gather(m, f, prefix, (size_t) n);
    }

    if (first == f->track && ngx_media_ts_mux_flush(m) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    if (ngx_media_ts_mux_before(m, &out, f->dts, f->track, f->flags) != 0
        || ngx_media_ts_mux_pes(&out, f, (size_t) n + f->size) != 0
        || ngx_media_ts_put(&out, prefix, (size_t) n) != 0
        || ngx_media_ts_put(&out, f->data, f->size) != 0
        || ngx_media_ts_out_flush(&out) != 0)
    {
        return NGX_MEDIA_ERROR;
    }

    return NGX_MEDIA_OK;
}


/* What goes before an audio frame: ADTS, Opus' control header; or -1. */

static int
ngx_media_ts_mux_prefix(ngx_media_ts_mux_track_t *t,
    const ngx_media_frame_t *f, u_char *p)
{
    size_t   n;
    u_char  *start;

    start = p;

    switch (f->codec) {

    case NGX_MEDIA_CODEC_AAC:

        if (t->aac.object_type == 0) {
            return -1;
        }

        p = ngx_media_adts_write(p, &t->aac, f->size);

        return p ? (int) (p - start) : -1;

    case NGX_MEDIA_CODEC_OPUS:

        p = ngx_media_put_be16(p, 0x7fe0);

        for (n = f->size; n >= 255; n -= 255) {
            *p++ = 255;
        }

        *p++ = (u_char) n;

        return (int) (p - start);

    default:
        return 0;
    }
}


static int
ngx_media_ts_mux_gather(ngx_media_ts_mux_t *m, const ngx_media_frame_t *f,
    const u_char *prefix, size_t n)
{
    u_char  *p;

    if (m->bundle_used
        && (m->bundle_track != f->track
            || f->dts < m->bundle_dts
            || (f->flags & NGX_MEDIA_FRAME_SYNC)
            || m->bundle_size - m->bundle_used < n + f->size)
        && ngx_media_ts_mux_flush(m) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    if (m->bundle_used == 0) {
        m->bundle_dts = f->dts;
        m->bundle_track = f->track;
        m->bundle_flags = f->flags;
    }

    p = m->bundle + m->bundle_used;
    p = ngx_media_put(p, prefix, n);
    p = ngx_media_put(p, f->data, f->size);

    m->bundle_used = (uint32_t) (p - m->bundle);

    return NGX_MEDIA_OK;
}


int
ngx_media_ts_mux_flush(ngx_media_ts_mux_t *m)
{
    uint32_t            n;
    ngx_media_frame_t   f;
    ngx_media_ts_out_t  out;

    if (m->bundle_used == 0) {
        return NGX_MEDIA_OK;
    }

    n = m->bundle_used;
    m->bundle_used = 0;

    memset(&f, 0, sizeof(ngx_media_frame_t));

    f.dts = m->bundle_dts;
    f.track = m->bundle_track;
    f.flags = m->bundle_flags;
    f.codec = m->tracks[f.track].codec;

    if (ngx_media_ts_mux_before(m, &out, f.dts, f.track, f.flags) != 0
        || ngx_media_ts_mux_pes(&out, &f, n) != 0
        || ngx_media_ts_put(&out, m->bundle, n) != 0
        || ngx_media_ts_out_flush(&out) != 0)
    {
        return NGX_MEDIA_ERROR;
    }

    return NGX_MEDIA_OK;
}


static int
ngx_media_ts_mux_video(ngx_media_ts_mux_t *m, const ngx_media_frame_t *f)
{
    int                 sets;
    size_t              size;
    ngx_media_ts_out_t  out;

    sets = ngx_media_ts_mux_nals(m, f, NULL, 0, &size);

    if (sets < 0) {
        return NGX_MEDIA_DECLINED;
    }

    /* those in the frame are newer */

    sets = !sets && (f->flags & NGX_MEDIA_FRAME_KEY);

    if (sets) {
        size += m->tracks[f->track].sets_size;
    }

    if (ngx_media_ts_mux_before(m, &out, f->dts, f->track, f->flags) != 0
        || ngx_media_ts_mux_pes(&out, f, size) != 0
        || ngx_media_ts_mux_nals(m, f, &out, sets, &size) < 0
        || ngx_media_ts_out_flush(&out) != 0)
    {
        return NGX_MEDIA_ERROR;
    }

    return NGX_MEDIA_OK;
}


/*
 * Writes an access unit as Annex B behind a delimiter and, where wanted, the
 * parameter sets; o is NULL: only counts.  What comes behind a damaged length
 * is left out.  Returns 1 where the frame has parameter sets of its own, 0
 * where not, -1: nothing in it, or no packet could be written.
 */

static int
ngx_media_ts_mux_nals(ngx_media_ts_mux_t *m, const ngx_media_frame_t *f,
    ngx_media_ts_out_t *o, int sets, size_t *size)
{
    int                        own;
    size_t                     n;
    unsigned                   type, aud;
    const u_char              *pos, *end;
    ngx_media_nal_t            nal;
    ngx_media_ts_mux_track_t  *t;

    static const u_char  delimiters[2][7] = {
        { 0, 0, 0, 1, 0x09, 0xf0, 0 },
        { 0, 0, 0, 1, 0x46, 0x01, 0x50 }
    };

    t = &m->tracks[f->track];
    aud = f->codec == NGX_MEDIA_CODEC_HEVC;
    n = 6 + aud;

    if (o && (ngx_media_ts_put(o, delimiters[aud], n) != 0
              || (sets
                  && ngx_media_ts_put(o, m->sets + t->sets, t->sets_size)
                     != 0)))
    {
        return -1;
    }

    *size = n;
    own = 0;
    pos = f->data;
    end = pos + f->size;

    while (pos < end) {
        pos = ngx_media_nal_next(pos, end, t->nal_size, &nal);

        if (pos == NULL) {
            break;
        }

        if (nal.size == 0) {
            continue;
        }

        if (aud) {
            type = ngx_media_hevc_nal_type(nal.data[0]);
            own |= (type == NGX_MEDIA_HEVC_NAL_SPS);

            if (type == NGX_MEDIA_HEVC_NAL_AUD) {
                continue;
            }

        } else {
            type = ngx_media_avc_nal_type(nal.data[0]);
            own |= (type == NGX_MEDIA_AVC_NAL_SPS);

            if (type == NGX_MEDIA_AVC_NAL_AUD) {
                continue;
            }
        }

        *size += 4 + nal.size;

        if (o && (ngx_media_ts_put(o, ngx_media_ts_start_code, 4) != 0
                  || ngx_media_ts_put(o, nal.data, nal.size) != 0))
        {
            return -1;
        }
    }

    return *size > n ? own : -1;
}


/*
 * What comes before a frame: tables, PCR that were due; and what its first
 * packet is to carry.
 */

static int
ngx_media_ts_mux_before(ngx_media_ts_mux_t *m, ngx_media_ts_out_t *o,
    int64_t dts, unsigned track, unsigned flags)
{
    int  start, written;

    start = (flags & NGX_MEDIA_FRAME_SYNC)
            || ((flags & NGX_MEDIA_FRAME_KEY)
                && ngx_media_codec_is_video(m->tracks[track].codec));

    ngx_media_ts_out_init(o, m);

    written = !m->have_tables || m->changed;

    if (written && ngx_media_ts_mux_tables_at(m, o, dts) != 0) {
        return -1;
    }

    if (flags & NGX_MEDIA_FRAME_BREAK) {
        m->have_pcr = 0;
        m->broken = 1;
    }

    if (ngx_media_ts_mux_clock(m, o, dts, track == m->pcr_track) != 0) {
        return -1;
    }

    if (!written
        && (start || dts - m->tables >= NGX_MEDIA_TS_MUX_TABLES
            || m->tables - dts >= NGX_MEDIA_TS_MUX_TABLES)
        && ngx_media_ts_mux_tables_at(m, o, dts) != 0)
    {
        return -1;
    }

    if (flags & NGX_MEDIA_FRAME_BREAK) {
        o->flags |= NGX_MEDIA_TS_AF_BREAK;
    }

    if (start) {
        o->flags |= NGX_MEDIA_TS_AF_KEY;
    }

    o->pid = (uint16_t) (NGX_MEDIA_TS_MUX_PID + track);
    o->cc = &m->tracks[track].cc;
    o->start = 1;

    return 0;
}


/* Tables, behind what is gathered in o. */

static int
ngx_media_ts_mux_tables_at(ngx_media_ts_mux_t *m, ngx_media_ts_out_t *o,
    int64_t dts)
{
    if (ngx_media_ts_out_flush(o) != 0
        || ngx_media_ts_mux_tables(m) != NGX_MEDIA_OK)
    {
        return -1;
    }

    m->tables = dts;

    return 0;
}


/*
 * PCR of a frame at dts, which is on the PID of the clock (here) or not.  A
 * frame of another PID brings it only where its own has been silent.
 */

static int
ngx_media_ts_mux_clock(ngx_media_ts_mux_t *m, ngx_media_ts_out_t *o,
    int64_t dts, int here)
{
    int64_t  gap;

    gap = dts - m->pcr;

    if (m->have_pcr && gap < -NGX_MEDIA_TS_PCR_BACK) {
        m->have_pcr = 0;
        m->broken = 1;
    }

    if (!m->have_pcr || gap > NGX_MEDIA_TS_PCR_HOLE) {
        m->have_pcr = 0;
        m->pcr = dts;

        if (here) {
            goto mine;
        }

    } else if (gap < (here ? NGX_MEDIA_TS_PCR_SOON
                           : 2 * NGX_MEDIA_TS_MUX_PCR))
    {
        return 0;
    }

    o->pid = (uint16_t) (NGX_MEDIA_TS_MUX_PID + m->pcr_track);
    o->cc = &m->tracks[m->pcr_track].cc;

    while (!m->have_pcr || dts - m->pcr > NGX_MEDIA_TS_MUX_PCR) {

        if (m->have_pcr) {
            m->pcr += NGX_MEDIA_TS_MUX_PCR;
        }

        o->pcr = m->pcr;
        o->flags = NGX_MEDIA_TS_AF_PCR;

        if (m->broken) {
            o->flags |= NGX_MEDIA_TS_AF_BREAK;
        }

        m->have_pcr = 1;
        m->broken = 0;

        if (ngx_media_ts_packet(o) != 0
            || (m->pcr - m->tables >= NGX_MEDIA_TS_MUX_TABLES
                && ngx_media_ts_mux_tables_at(m, o, m->pcr) != 0))
        {
            return -1;
        }
    }

    if (!here) {
        return 0;
    }

mine:

    o->flags = NGX_MEDIA_TS_AF_PCR;

    if (m->broken) {
        o->flags |= NGX_MEDIA_TS_AF_BREAK;
    }

    m->pcr = dts;
    m->have_pcr = 1;
    m->broken = 0;
    o->pcr = dts;

    return 0;
}


/* The PES header of size bytes of payload. */

static int
ngx_media_ts_mux_pes(ngx_media_ts_out_t *o, const ngx_media_frame_t *f,
    size_t size)
{
    int       video, both;
    u_char   *p, header[19];
    size_t    length;
    int64_t   pts;

    video = ngx_media_codec_is_video(f->codec);
    pts = f->dts + (video ? f->cts : 0);
    both = ngx_media_ts_ticks(pts) != ngx_media_ts_ticks(f->dts);

    length = size + NGX_MEDIA_TS_PES_AHEAD + (both ? 5 : 0);

    p = ngx_media_put_be24(header, 1);

    switch (f->codec) {

    case NGX_MEDIA_CODEC_AAC:
    case NGX_MEDIA_CODEC_MP3:
        *p++ = NGX_MEDIA_TS_PES_AUDIO;
        break;

    default:
        *p++ = video ? NGX_MEDIA_TS_PES_VIDEO : NGX_MEDIA_TS_PES_PRIVATE;
    }

    /* only video may leave its length open */

    p = ngx_media_put_be16(p, length > 0xffff ? 0 : (uint32_t) length);
    *p++ = 0x84;                             /* begins with an access unit */
    *p++ = both ? 0xc0 : 0x80;
    *p++ = both ? 10 : 5;

    p = ngx_media_ts_put_time(p, both ? 3 : 2, pts);

    if (both) {
        p = ngx_media_ts_put_time(p, 1, f->dts);
    }

    o->left = (size_t) (p - header) + size;

    return ngx_media_ts_put(o, header, (size_t) (p - header));
}


/* PTS or DTS: 33 bits in 3, 15 and 15. */

static u_char *
ngx_media_ts_put_time(u_char *p, unsigned mark, int64_t us)
{
    uint64_t  t;

    t = (uint64_t) ngx_media_ts_ticks(us + NGX_MEDIA_TS_MUX_DELAY);

    *p++ = (u_char) (mark << 4 | (t >> 29 & 0x0e) | 1);
    p = ngx_media_put_be16(p, (uint32_t) (t >> 14 & 0xfffe) | 1);

    return ngx_media_put_be16(p, (uint32_t) (t << 1 & 0xfffe) | 1);
}


int
ngx_media_ts_mux_segment(ngx_media_ts_mux_t *m)
{
    if (ngx_media_ts_mux_flush(m) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    m->have_tables = 0;
    m->have_pcr = 0;

    return NGX_MEDIA_OK;
}
