
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the tracks of a moov, see ngx_media_mp4_read.h: what codec they are of,
 * with the config as CONFIG frames carry it (ngx_media_codec.h), and the
 * defaults of their fragments.
 *
 * ISO/IEC 14496-12 8.3.2, 8.4.2, 8.5.2, 8.8.3; 14496-14 5.6; 14496-1 7.2.6;
 * bindings of Opus (4.3.2) and FLAC (3.3.2).
 */


#include <string.h>

#include "ngx_media_bytes.h"
#include "ngx_media_mp4_in.h"
#include "ngx_media_rc.h"


#define NGX_MEDIA_MP4_VISUAL     78        /* bytes of a sample entry before */
#define NGX_MEDIA_MP4_SOUND      28        /* its boxes */

#define NGX_MEDIA_MP4_IN_AAC     0x40      /* objectTypeIndication */
#define NGX_MEDIA_MP4_IN_MP3     0x6b
#define NGX_MEDIA_MP4_IN_MP3_LOW 0x69


static int ngx_media_mp4_in_trak(ngx_media_mp4_in_track_t *t,
    const u_char *pos, const u_char *end);
static int ngx_media_mp4_in_stsd(ngx_media_mp4_in_track_t *t,
    const u_char *pos, const u_char *end);
static int ngx_media_mp4_in_esds(ngx_media_mp4_in_track_t *t,
    const u_char *pos, const u_char *end);
static const u_char *ngx_media_mp4_in_tag(const u_char *pos,
    const u_char **end, unsigned tag);
static void ngx_media_mp4_in_made(ngx_media_mp4_in_track_t *t);
static void ngx_media_mp4_in_trex(ngx_media_mp4_movie_t *movie,
    const u_char *pos, const u_char *end);


#define ngx_media_mp4_in_type(s)                                              \
    ngx_media_mp4_type((s)[0], (s)[1], (s)[2], (s)[3])


static const struct {
    const char    *entry;
    const char    *box;
    uint8_t        codec;
    uint8_t        skip;
} ngx_media_mp4_in_codecs[] = {
    { "avc1", "avcC", NGX_MEDIA_CODEC_H264, 0 },
    { "avc3", "avcC", NGX_MEDIA_CODEC_H264, 0 },
    { "hvc1", "hvcC", NGX_MEDIA_CODEC_HEVC, 0 },
    { "hev1", "hvcC", NGX_MEDIA_CODEC_HEVC, 0 },
    { "vvc1", "vvcC", NGX_MEDIA_CODEC_VVC, 4 },
    { "vvi1", "vvcC", NGX_MEDIA_CODEC_VVC, 4 },
    { "av01", "av1C", NGX_MEDIA_CODEC_AV1, 0 },
    { "vp09", "vpcC", NGX_MEDIA_CODEC_VP9, 4 },
    { "vp08", NULL,   NGX_MEDIA_CODEC_VP8, 0 },
    { "mp4a", "esds", NGX_MEDIA_CODEC_AAC, 4 },
    { "Opus", "dOps", NGX_MEDIA_CODEC_OPUS, 0 },
    { "fLaC", "dfLa", NGX_MEDIA_CODEC_FLAC, 4 },
    { "ac-3", NULL,   NGX_MEDIA_CODEC_AC3, 0 },
    { "ec-3", NULL,   NGX_MEDIA_CODEC_EAC3, 0 },
    { ".mp3", NULL,   NGX_MEDIA_CODEC_MP3, 0 }
};


int
ngx_media_mp4_movie(ngx_media_mp4_movie_t *out, const u_char *moov,
    const u_char *end)
{
    int            rc;
    uint32_t       type;
    const u_char  *pos, *body, *body_end;

    memset(out, 0, sizeof(ngx_media_mp4_movie_t));

    pos = moov;

    if (ngx_media_mp4_next(&pos, end, &type, &body, &body_end) != NGX_MEDIA_OK
        || type != NGX_MEDIA_MP4_MOOV)
    {
        return NGX_MEDIA_ERROR;
    }

    pos = body;
    end = body_end;

    while ((rc = ngx_media_mp4_next(&pos, end, &type, &body, &body_end))
           == NGX_MEDIA_OK)
    {
        if (type != ngx_media_mp4_type('t', 'r', 'a', 'k')) {
            continue;
        }

        if (out->ntracks == NGX_MEDIA_MP4_MAX_TRACKS
            || ngx_media_mp4_in_trak(&out->track[out->ntracks], body, body_end)
               != NGX_MEDIA_OK)
        {
            return NGX_MEDIA_ERROR;
        }

        out->ntracks++;
    }

    if (rc != NGX_MEDIA_DONE || out->ntracks == 0) {
        return NGX_MEDIA_ERROR;
    }

    pos = moov;
    (void) ngx_media_mp4_next(&pos, end, &type, &body, &body_end);

    rc = ngx_media_mp4_find(body, body_end,
                            ngx_media_mp4_type('m', 'v', 'e', 'x'),
                            &pos, &end);

    if (rc == NGX_MEDIA_OK) {
        ngx_media_mp4_in_trex(out, pos, end);
    }

    return NGX_MEDIA_OK;
}


static int
ngx_media_mp4_in_trak(ngx_media_mp4_in_track_t *t, const u_char *pos,
    const u_char *end)
{
    int            rc;
    size_t         at;
    const u_char  *body, *body_end, *mdia, *mdia_end;

    memset(t, 0, sizeof(ngx_media_mp4_in_track_t));

    rc = ngx_media_mp4_find(pos, end, ngx_media_mp4_type('t', 'k', 'h', 'd'),
                            &body, &body_end);

    if (rc != NGX_MEDIA_OK || (size_t) (body_end - body) < 24) {
        return NGX_MEDIA_ERROR;
    }

    t->id = ngx_media_get_be32(body + (body[0] == 1 ? 20 : 12));

    rc = ngx_media_mp4_find(pos, end, ngx_media_mp4_type('m', 'd', 'i', 'a'),
                            &mdia, &mdia_end);

    if (rc != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    rc = ngx_media_mp4_find(mdia, mdia_end,
                            ngx_media_mp4_type('m', 'd', 'h', 'd'),
                            &body, &body_end);

    if (rc != NGX_MEDIA_OK || (size_t) (body_end - body) < 24) {
        return NGX_MEDIA_ERROR;
    }

    at = body[0] == 1 ? 20 : 12;
    t->timescale = ngx_media_get_be32(body + at);

    if (t->timescale == 0) {
        return NGX_MEDIA_ERROR;
    }

    rc = ngx_media_mp4_find(mdia, mdia_end,
                            ngx_media_mp4_type('m', 'i', 'n', 'f'),
                            &pos, &end);

    if (rc == NGX_MEDIA_OK) {
        rc = ngx_media_mp4_find(pos, end,
                                ngx_media_mp4_type('s', 't', 'b', 'l'),
                                &body, &body_end);
    }

    if (rc == NGX_MEDIA_OK) {
        rc = ngx_media_mp4_find(body, body_end,
                                ngx_media_mp4_type('s', 't', 's', 'd'),
                                &pos, &end);
    }

    if (rc != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    t->entry = pos;
    t->entry_end = end;

    return ngx_media_mp4_in_stsd(t, pos, end);
}


/* The first sample entry. */

static int
ngx_media_mp4_in_stsd(ngx_media_mp4_in_track_t *t, const u_char *pos,
    const u_char *end)
{
    int            rc;
    size_t         i, skip;
    uint32_t       type;
    const u_char  *body, *body_end, *box, *box_end;

    if ((size_t) (end - pos) < 8) {
        return NGX_MEDIA_ERROR;
    }

    pos += 8;

    rc = ngx_media_mp4_next(&pos, end, &type, &body, &body_end);

    if (rc != NGX_MEDIA_OK) {
        return rc == NGX_MEDIA_DONE ? NGX_MEDIA_OK : NGX_MEDIA_ERROR;
    }

    for (i = 0; i < sizeof(ngx_media_mp4_in_codecs)
                    / sizeof(ngx_media_mp4_in_codecs[0]); i++)
    {
        if (type == ngx_media_mp4_in_type(ngx_media_mp4_in_codecs[i].entry)) {
            break;
        }
    }

    if (i == sizeof(ngx_media_mp4_in_codecs)
             / sizeof(ngx_media_mp4_in_codecs[0]))
    {
        return NGX_MEDIA_OK;
    }

    t->codec = ngx_media_mp4_in_codecs[i].codec;

    if (ngx_media_mp4_in_codecs[i].box == NULL) {
        return NGX_MEDIA_OK;
    }

    skip = ngx_media_codec_is_video(t->codec) ? NGX_MEDIA_MP4_VISUAL
                                              : NGX_MEDIA_MP4_SOUND;

    if ((size_t) (body_end - body) < skip) {
        return NGX_MEDIA_ERROR;
    }

    rc = ngx_media_mp4_find(body + skip, body_end,
              ngx_media_mp4_in_type(ngx_media_mp4_in_codecs[i].box),
              &box, &box_end);

    skip = ngx_media_mp4_in_codecs[i].skip;

    if (rc != NGX_MEDIA_OK || (size_t) (box_end - box) < skip) {

        /* QuickTime has it elsewhere: one that we cannot tell */

        t->codec = NGX_MEDIA_CODEC_NONE;
        return NGX_MEDIA_OK;
    }

    if (t->codec == NGX_MEDIA_CODEC_AAC) {
        return ngx_media_mp4_in_esds(t, box + skip, box_end);
    }

    t->config = box + skip;
    t->config_end = box_end;

    ngx_media_mp4_in_made(t);

    return NGX_MEDIA_OK;
}


static int
ngx_media_mp4_in_esds(ngx_media_mp4_in_track_t *t, const u_char *pos,
    const u_char *end)
{
    unsigned  flags;

    t->codec = NGX_MEDIA_CODEC_NONE;

    pos = ngx_media_mp4_in_tag(pos, &end, 3);

    if (pos == NULL || (size_t) (end - pos) < 3) {
        return NGX_MEDIA_OK;
    }

    flags = pos[2];
    pos += 3;

    /* dependsOn, URL, OCR */

    if (flags & 0xe0) {
        return NGX_MEDIA_OK;
    }

    pos = ngx_media_mp4_in_tag(pos, &end, 4);

    if (pos == NULL || (size_t) (end - pos) < 13) {
        return NGX_MEDIA_OK;
    }

    switch (pos[0]) {

    case NGX_MEDIA_MP4_IN_AAC:
        pos = ngx_media_mp4_in_tag(pos + 13, &end, 5);

        if (pos != NULL) {
            t->codec = NGX_MEDIA_CODEC_AAC;
            t->config = pos;
            t->config_end = end;
        }

        break;

    case NGX_MEDIA_MP4_IN_MP3:
    case NGX_MEDIA_MP4_IN_MP3_LOW:
        t->codec = NGX_MEDIA_CODEC_MP3;
        break;

    default:
        break;
    }

    return NGX_MEDIA_OK;
}


/* Enters a descriptor: its body, up to *end; NULL: it is not there. */

static const u_char *
ngx_media_mp4_in_tag(const u_char *pos, const u_char **end, unsigned tag)
{
    size_t    size;
    unsigned  i, c;

    if (pos == *end || *pos++ != tag) {
        return NULL;
    }

    size = 0;

    for (i = 0; i < 4; i++) {

        if (pos == *end) {
            return NULL;
        }

        c = *pos++;
        size = size << 7 | (c & 0x7f);

        if (!(c & 0x80)) {
            break;
        }
    }

    if ((size_t) (*end - pos) < size) {
        return NULL;
    }

    *end = pos + size;

    return pos;
}


/* dOps to OpusHead, dfLa to "fLaC" and its first block. */

static void
ngx_media_mp4_in_made(ngx_media_mp4_in_track_t *t)
{
    u_char        *p;
    size_t         n;
    const u_char  *c;

    c = t->config;
    n = (size_t) (t->config_end - c);
    p = t->made;

    if (t->codec == NGX_MEDIA_CODEC_OPUS) {

        if (n < 11 || n > NGX_MEDIA_MP4_MADE - 8 || c[0] != 0) {
            return;
        }

        p = ngx_media_put(p, "OpusHead", 8);
        *p++ = 1;
        *p++ = c[1];
        *p++ = c[3];
        *p++ = c[2];
        p = ngx_media_put_le32(p, ngx_media_get_be32(c + 4));
        *p++ = c[9];
        *p++ = c[8];
        p = ngx_media_put(p, c + 10, n - 10);

    } else if (t->codec == NGX_MEDIA_CODEC_FLAC) {

        /* STREAMINFO, made the last block */

        if (n < 38 || (c[0] & 0x7f) != 0) {
            return;
        }

        p = ngx_media_put(p, "fLaC", 4);
        p = ngx_media_put(p, c, 38);
        t->made[4] |= 0x80;

    } else {
        return;
    }

    t->made_size = (uint8_t) (p - t->made);
}


static void
ngx_media_mp4_in_trex(ngx_media_mp4_movie_t *movie, const u_char *pos,
    const u_char *end)
{
    uint32_t       i, type;
    const u_char  *body, *body_end;

    while (ngx_media_mp4_next(&pos, end, &type, &body, &body_end)
           == NGX_MEDIA_OK)
    {
        if (type != ngx_media_mp4_type('t', 'r', 'e', 'x')
            || (size_t) (body_end - body) < 24)
        {
            continue;
        }

        for (i = 0; i < movie->ntracks; i++) {

            if (movie->track[i].id == ngx_media_get_be32(body + 4)) {
                movie->track[i].duration = ngx_media_get_be32(body + 12);
                movie->track[i].size = ngx_media_get_be32(body + 16);
                movie->track[i].flags = ngx_media_get_be32(body + 20);
            }
        }
    }
}


const u_char *
ngx_media_mp4_in_config(const ngx_media_mp4_in_track_t *t, size_t *n)
{
    if (t->made_size) {
        *n = t->made_size;
        return t->made;
    }

    *n = (size_t) (t->config_end - t->config);

    return t->config;
}


int
ngx_media_mp4_movie_same(const ngx_media_mp4_movie_t *a,
    const ngx_media_mp4_movie_t *b)
{
    size_t                           n;
    uint32_t                         i;
    const ngx_media_mp4_in_track_t  *s, *t;

    if (a->ntracks != b->ntracks) {
        return 0;
    }

    for (i = 0; i < a->ntracks; i++) {
        s = &a->track[i];
        t = &b->track[i];
        n = (size_t) (s->entry_end - s->entry);

        if (s->id != t->id || s->timescale != t->timescale
            || s->duration != t->duration || s->size != t->size
            || s->flags != t->flags
            || n != (size_t) (t->entry_end - t->entry)
            || memcmp(s->entry, t->entry, n) != 0)
        {
            return 0;
        }
    }

    return 1;
}
