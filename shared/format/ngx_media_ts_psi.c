
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG-TS demuxer, tables: sections are put together and checked, the PAT
 * gives the programs, the PMT of one of them its streams.  Only one PMT is
 * listened to at a time: where it has nothing for us, or does not come, it is
 * the next one's turn.
 *
 * ISO/IEC 13818-1 2.4.4, 2.6; EN 300 468 (descriptors of AC-3).
 */


#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_ts_demux.h"


#define NGX_MEDIA_TS_PATIENCE      8        /* PATs to wait for a PMT */


static const u_char *ngx_media_ts_psi_gather(ngx_media_ts_demux_t *d,
    ngx_media_ts_section_t *s, const u_char *pos, const u_char *end);
static void ngx_media_ts_psi_table(ngx_media_ts_demux_t *d,
    ngx_media_ts_section_t *s);
static void ngx_media_ts_psi_pat(ngx_media_ts_demux_t *d,
    const u_char *pos, const u_char *end);
static void ngx_media_ts_psi_choose(ngx_media_ts_demux_t *d, unsigned n);
static void ngx_media_ts_psi_pmt(ngx_media_ts_demux_t *d,
    const u_char *pos, const u_char *end);
static unsigned ngx_media_ts_psi_streams(const u_char *pos,
    const u_char *end, ngx_media_ts_stream_t *streams);
static void ngx_media_ts_psi_codec(ngx_media_ts_stream_t *s,
    const u_char *pos, const u_char *end);
static void ngx_media_ts_psi_format(ngx_media_ts_stream_t *s,
    const u_char *format);
static void ngx_media_ts_psi_take(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s, unsigned n);


void
ngx_media_ts_psi(ngx_media_ts_demux_t *d, ngx_media_ts_section_t *s,
    unsigned cc, int start, const u_char *pos, const u_char *end)
{
    size_t  n;

    if (s->cc == cc) {
        return;                              /* came twice */
    }

    if (s->cc != 0xff && ((s->cc + 1u) & 15) != cc) {
        s->open = 0;
        d->stat.cc_errors++;
    }

    s->cc = (uint8_t) cc;

    if (start) {
        n = *pos++;                          /* pointer_field */

        if (n > (size_t) (end - pos)) {
            s->open = 0;
            return;
        }

        if (s->open) {
            (void) ngx_media_ts_psi_gather(d, s, pos, pos + n);
        }

        pos += n;
        s->open = 1;
        s->have = 0;
        s->need = 0;
    }

    while (s->open && pos < end) {

        if (s->have == 0 && *pos == 0xff) {
            s->open = 0;                     /* stuffing */
            return;
        }

        pos = ngx_media_ts_psi_gather(d, s, pos, end);
    }
}


static const u_char *
ngx_media_ts_psi_gather(ngx_media_ts_demux_t *d, ngx_media_ts_section_t *s,
    const u_char *pos, const u_char *end)
{
    while (pos < end) {

        s->data[s->have++] = *pos++;

        if (s->have == 3) {
            s->need = (uint16_t)
                      (3 + (ngx_media_get_be16(s->data + 1) & 0x0fff));

            if (s->need > NGX_MEDIA_TS_MAX_SECTION || s->need < 12) {
                s->open = 0;
                return end;
            }
        }

        if (s->have == s->need) {
            ngx_media_ts_psi_table(d, s);

            s->have = 0;
            s->need = 0;

            return pos;
        }
    }

    return pos;
}


static void
ngx_media_ts_psi_table(ngx_media_ts_demux_t *d, ngx_media_ts_section_t *s)
{
    uint32_t       crc;
    const u_char  *pos, *end;

    pos = s->data;
    end = pos + s->need;

    /* section_syntax_indicator, current_next_indicator */

    if (!(pos[1] & 0x80) || !(pos[5] & 1)) {
        return;
    }

    if (ngx_media_ts_crc(pos, end) != 0) {
        d->stat.crc_errors++;
        return;
    }

    end -= 4;
    crc = ngx_media_get_be32(end);

    if (s == &d->pat) {

        if (pos[0] != NGX_MEDIA_TS_TABLE_PAT) {
            return;
        }

        if (d->program == 0 && d->nprograms
            && ++d->waited > NGX_MEDIA_TS_PATIENCE)
        {
            ngx_media_ts_psi_choose(d, d->current + 1u);
        }

        if (crc != s->crc) {
            s->crc = crc;
            ngx_media_ts_psi_pat(d, pos, end);
        }

        return;
    }

    if (pos[0] == NGX_MEDIA_TS_TABLE_PMT && crc != s->crc
        && ngx_media_get_be16(pos + 3) == d->programs[d->current])
    {
        s->crc = crc;
        ngx_media_ts_psi_pmt(d, pos, end);
    }
}


/*
 * The programs of one section (a PAT of several is one after the other).  The
 * one that is played stays, where it still has the same PMT.
 */

static void
ngx_media_ts_psi_pat(ngx_media_ts_demux_t *d, const u_char *pos,
    const u_char *end)
{
    unsigned  i, n, number, pid;

    n = pos[6] ? d->nprograms : 0;           /* section_number */

    for (pos += 8; end - pos >= 4; pos += 4) {

        number = ngx_media_get_be16(pos);
        pid = ngx_media_get_be16(pos + 2) & 0x1fff;

        if (number == 0 || pid == NGX_MEDIA_TS_PID_PAT
            || (d->want && d->want != number) || n == NGX_MEDIA_TS_PROGRAMS)
        {
            continue;
        }

        d->programs[n] = (uint16_t) number;
        d->pids[n++] = (uint16_t) pid;
    }

    d->nprograms = (uint8_t) n;

    for (i = 0; i < n; i++) {
        if (d->programs[i] == d->program && d->pids[i] == d->pmt_pid) {
            d->current = (uint8_t) i;
            return;
        }
    }

    ngx_media_ts_psi_choose(d, 0);
}


/* Listens to the PMT of the n-th program. */

static void
ngx_media_ts_psi_choose(ngx_media_ts_demux_t *d, unsigned n)
{
    d->program = 0;
    d->waited = 0;
    d->current = 0;
    d->pmt_pid = NGX_MEDIA_TS_PID_NULL;

    if (d->nprograms) {
        d->current = (uint8_t) (n % d->nprograms);
        d->pmt_pid = d->pids[d->current];
    }

    d->pmt.cc = 0xff;
    d->pmt.open = 0;
    d->pmt.crc = 0;
}


static void
ngx_media_ts_psi_pmt(ngx_media_ts_demux_t *d, const u_char *pos,
    const u_char *end)
{
    size_t                 info;
    unsigned               n;
    ngx_media_ts_stream_t  streams[NGX_MEDIA_TS_STREAMS];

    if (end - pos < 12) {
        return;
    }

    info = ngx_media_get_be16(pos + 10) & 0x0fff;

    if (info > (size_t) (end - pos - 12)) {
        return;
    }

    n = ngx_media_ts_psi_streams(pos + 12 + info, end, streams);

    if (n == 0 && d->program == 0) {

        /* nothing for us in this one */

        ngx_media_ts_psi_choose(d, d->current + 1u);
        return;
    }

    d->program = d->programs[d->current];
    d->pcr_pid = ngx_media_get_be16(pos + 8) & 0x1fff;

    ngx_media_ts_psi_take(d, streams, n);
}


/* The streams of a PMT that have a codec we know. */

static unsigned
ngx_media_ts_psi_streams(const u_char *pos, const u_char *end,
    ngx_media_ts_stream_t *streams)
{
    size_t                  info;
    unsigned                i, n, video, audio, k;
    ngx_media_ts_stream_t  *s;

    n = 0;
    video = 0;
    audio = 0;

    while (end - pos >= 5 && n < NGX_MEDIA_TS_STREAMS) {
        s = &streams[n];

        memset(s, 0, sizeof(ngx_media_ts_stream_t));

        s->type = pos[0];
        s->pid = ngx_media_get_be16(pos + 1) & 0x1fff;
        s->cc = 0xff;
        s->step = NGX_MEDIA_TS_HZ / 25;
        info = ngx_media_get_be16(pos + 3) & 0x0fff;
        pos += 5;

        if (info > (size_t) (end - pos)) {
            break;
        }

        ngx_media_ts_psi_codec(s, pos, pos + info);
        pos += info;

        for (i = 0; i < n && streams[i].pid != s->pid; i++) { /* void */ }

        if (s->codec == NGX_MEDIA_CODEC_NONE || i < n) {
            continue;
        }

        k = ngx_media_codec_is_video(s->codec) ? video++ : audio++;

        if (k > NGX_MEDIA_TRACK_ID_MAX) {
            continue;
        }

        s->track = (uint8_t) (ngx_media_codec_is_video(s->codec)
                              ? ngx_media_track_video(k)
                              : ngx_media_track_audio(k));
        n++;
    }

    return n;
}


static void
ngx_media_ts_psi_codec(ngx_media_ts_stream_t *s, const u_char *pos,
    const u_char *end)
{
    size_t  size;

    switch (s->type) {

    case NGX_MEDIA_TS_TYPE_H264:
        s->codec = NGX_MEDIA_CODEC_H264;
        return;

    case NGX_MEDIA_TS_TYPE_HEVC:
        s->codec = NGX_MEDIA_CODEC_HEVC;
        return;

    case NGX_MEDIA_TS_TYPE_ADTS:
    case NGX_MEDIA_TS_TYPE_LATM:
        s->codec = NGX_MEDIA_CODEC_AAC;
        return;

    case NGX_MEDIA_TS_TYPE_MPEG1:
    case NGX_MEDIA_TS_TYPE_MPEG2:
        s->codec = NGX_MEDIA_CODEC_MP3;
        return;

    case NGX_MEDIA_TS_TYPE_AC3:
        s->codec = NGX_MEDIA_CODEC_AC3;
        return;

    case NGX_MEDIA_TS_TYPE_EAC3:
        s->codec = NGX_MEDIA_CODEC_EAC3;
        return;

    case NGX_MEDIA_TS_TYPE_PRIVATE:
        break;

    default:
        return;
    }

    s->channels = 2;

    while (end - pos >= 2) {
        size = pos[1];

        if (size > (size_t) (end - pos - 2)) {
            return;
        }

        if (pos[0] == NGX_MEDIA_TS_DESC_FORMAT && size >= 4) {
            ngx_media_ts_psi_format(s, pos + 2);

        } else if (pos[0] == NGX_MEDIA_TS_DESC_AC3) {
            s->codec = NGX_MEDIA_CODEC_AC3;

        } else if (pos[0] == NGX_MEDIA_TS_DESC_EAC3) {
            s->codec = NGX_MEDIA_CODEC_EAC3;

        } else if (pos[0] == NGX_MEDIA_TS_DESC_EXT && size >= 2
                   && pos[2] == NGX_MEDIA_TS_EXT_OPUS)
        {
            s->channels = pos[3];
        }

        pos += 2 + size;
    }
}


static void
ngx_media_ts_psi_format(ngx_media_ts_stream_t *s, const u_char *format)
{
    if (memcmp(format, "Opus", 4) == 0) {
        s->codec = NGX_MEDIA_CODEC_OPUS;

    } else if (memcmp(format, "AC-3", 4) == 0) {
        s->codec = NGX_MEDIA_CODEC_AC3;

    } else if (memcmp(format, "EAC3", 4) == 0) {
        s->codec = NGX_MEDIA_CODEC_EAC3;

    } else if (memcmp(format, "HEVC", 4) == 0) {
        s->codec = NGX_MEDIA_CODEC_HEVC;
    }
}


/* The new streams; those that stay go on where they were. */

static void
ngx_media_ts_psi_take(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    unsigned n)
{
    unsigned                i, k;
    uint8_t                 track;
    ngx_media_ts_stream_t  *old;

    for (i = 0; i < n; i++) {

        for (k = 0; k < d->nstreams; k++) {
            old = &d->streams[k];

            if (old->pid != s[i].pid || old->codec != s[i].codec
                || old->type != s[i].type || old->channels != s[i].channels)
            {
                continue;
            }

            track = s[i].track;
            s[i] = *old;
            s[i].track = track;

            if (old->track != track) {
                s[i].broken = 1;
                s[i].changed = 1;
                s[i].config = 0;
            }

            old->es.data = NULL;
            old->sets = NULL;
            break;
        }
    }

    /* what waited for more ends with its stream */

    for (k = 0; k < d->nstreams; k++) {
        ngx_media_ts_stream_free(d, &d->streams[k]);
    }

    memcpy(d->streams, s, n * sizeof(ngx_media_ts_stream_t));
    d->nstreams = (uint8_t) n;
}
