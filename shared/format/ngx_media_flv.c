
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: FLV file and tag headers, the incremental demuxer of files.  It keeps
 * at most a tag header; body bytes are handed on where they are.
 *
 * Specification: Adobe Flash Video File Format 10.1, E.2 to E.4.1.
 */


#include "ngx_media_flv.h"
#include "ngx_media_bytes.h"


#define NGX_MEDIA_FLV_ST_HEADER   0
#define NGX_MEDIA_FLV_ST_SKIP     1     /* rest of a long file header */
#define NGX_MEDIA_FLV_ST_PREV     2
#define NGX_MEDIA_FLV_ST_TAG      3
#define NGX_MEDIA_FLV_ST_BODY     4
#define NGX_MEDIA_FLV_ST_ERROR    5

#define NGX_MEDIA_FLV_MAX_HEADER  1024


static int ngx_media_flv_gather(ngx_media_flv_demux_t *d, const u_char **pos,
    const u_char *end, unsigned need);
static int ngx_media_flv_demux_header(ngx_media_flv_demux_t *d,
    ngx_media_flv_piece_t *out);
static int ngx_media_flv_demux_tag(ngx_media_flv_demux_t *d,
    ngx_media_flv_piece_t *out);
static int ngx_media_flv_demux_body(ngx_media_flv_demux_t *d,
    const u_char **pos, const u_char *end, ngx_media_flv_piece_t *out);


const u_char *
ngx_media_flv_header_parse(const u_char *pos, const u_char *end,
    ngx_media_flv_header_t *out)
{
    if ((size_t) (end - pos) < NGX_MEDIA_FLV_HEADER_SIZE
        || pos[0] != 'F' || pos[1] != 'L' || pos[2] != 'V')
    {
        return NULL;
    }

    out->version = pos[3];
    out->audio = (pos[4] & 0x04) != 0;
    out->video = (pos[4] & 0x01) != 0;
    out->size = ngx_media_get_be32(pos + 5);

    if (out->size < NGX_MEDIA_FLV_HEADER_SIZE
        || out->size > NGX_MEDIA_FLV_MAX_HEADER)
    {
        return NULL;
    }

    return pos + NGX_MEDIA_FLV_HEADER_SIZE;
}


u_char *
ngx_media_flv_header_write(u_char *p, int audio, int video)
{
    *p++ = 'F';
    *p++ = 'L';
    *p++ = 'V';
    *p++ = 1;
    *p++ = (u_char) ((audio ? 0x04 : 0) | (video ? 0x01 : 0));
    p = ngx_media_put_be32(p, NGX_MEDIA_FLV_HEADER_SIZE);

    return ngx_media_put_be32(p, 0);
}


const u_char *
ngx_media_flv_tag_parse(const u_char *pos, const u_char *end,
    ngx_media_flv_tag_t *out)
{
    if ((size_t) (end - pos) < NGX_MEDIA_FLV_TAG_SIZE) {
        return NULL;
    }

    out->type = pos[0] & 0x1f;
    out->filter = (pos[0] & 0x20) != 0;
    out->size = ngx_media_get_be24(pos + 1);
    out->ms = ngx_media_get_be24(pos + 4) | (uint32_t) pos[7] << 24;
    out->stream_id = ngx_media_get_be24(pos + 8);

    return pos + NGX_MEDIA_FLV_TAG_SIZE;
}


u_char *
ngx_media_flv_tag_write(u_char *p, const ngx_media_flv_tag_t *tag)
{
    *p++ = (u_char) (tag->type | (tag->filter ? 0x20 : 0));
    p = ngx_media_put_be24(p, tag->size);
    p = ngx_media_put_be24(p, tag->ms);
    *p++ = (u_char) (tag->ms >> 24);

    return ngx_media_put_be24(p, tag->stream_id);
}


u_char *
ngx_media_flv_prev_size_write(u_char *p, uint32_t size)
{
    return ngx_media_put_be32(p, size + NGX_MEDIA_FLV_TAG_SIZE);
}


void
ngx_media_flv_demux_init(ngx_media_flv_demux_t *d, uint32_t max)
{
    memset(d, 0, sizeof(ngx_media_flv_demux_t));

    d->state = NGX_MEDIA_FLV_ST_HEADER;
    d->max = max;
}


int
ngx_media_flv_demux(ngx_media_flv_demux_t *d, const u_char **pos,
    const u_char *end, ngx_media_flv_piece_t *out)
{
    uint32_t  n;

    for ( ;; ) {

        switch (d->state) {

        case NGX_MEDIA_FLV_ST_HEADER:

            if (!ngx_media_flv_gather(d, pos, end,
                                      NGX_MEDIA_FLV_HEADER_SIZE))
            {
                return NGX_MEDIA_AGAIN;
            }

            return ngx_media_flv_demux_header(d, out);

        case NGX_MEDIA_FLV_ST_SKIP:

            n = (size_t) (end - *pos) < d->left ? (uint32_t) (end - *pos)
                                                : d->left;
            *pos += n;
            d->left -= n;

            if (d->left) {
                return NGX_MEDIA_AGAIN;
            }

            d->state = NGX_MEDIA_FLV_ST_PREV;
            break;

        case NGX_MEDIA_FLV_ST_PREV:

            if (!ngx_media_flv_gather(d, pos, end, NGX_MEDIA_FLV_PREV_SIZE)) {
                return NGX_MEDIA_AGAIN;
            }

            d->state = NGX_MEDIA_FLV_ST_TAG;
            break;

        case NGX_MEDIA_FLV_ST_TAG:

            if (!ngx_media_flv_gather(d, pos, end, NGX_MEDIA_FLV_TAG_SIZE)) {
                return NGX_MEDIA_AGAIN;
            }

            return ngx_media_flv_demux_tag(d, out);

        case NGX_MEDIA_FLV_ST_BODY:
            return ngx_media_flv_demux_body(d, pos, end, out);

        default:
            return NGX_MEDIA_ERROR;
        }
    }
}


/* 1 once buf holds need bytes. */

static int
ngx_media_flv_gather(ngx_media_flv_demux_t *d, const u_char **pos,
    const u_char *end, unsigned need)
{
    size_t  n;

    n = need - d->have;

    if ((size_t) (end - *pos) < n) {
        n = (size_t) (end - *pos);
    }

    ngx_media_put(d->buf + d->have, *pos, n);

    *pos += n;
    d->have = (uint8_t) (d->have + n);

    if (d->have < need) {
        return 0;
    }

    d->have = 0;

    return 1;
}


static int
ngx_media_flv_demux_header(ngx_media_flv_demux_t *d,
    ngx_media_flv_piece_t *out)
{
    memset(out, 0, sizeof(ngx_media_flv_piece_t));

    if (ngx_media_flv_header_parse(d->buf, d->buf + NGX_MEDIA_FLV_HEADER_SIZE,
                                   &out->header)
        == NULL)
    {
        d->state = NGX_MEDIA_FLV_ST_ERROR;
        return NGX_MEDIA_ERROR;
    }

    d->left = out->header.size - NGX_MEDIA_FLV_HEADER_SIZE;
    d->state = NGX_MEDIA_FLV_ST_SKIP;

    out->event = NGX_MEDIA_FLV_EV_HEADER;

    return NGX_MEDIA_OK;
}


static int
ngx_media_flv_demux_tag(ngx_media_flv_demux_t *d, ngx_media_flv_piece_t *out)
{
    ngx_media_flv_tag_t  *tag;

    memset(out, 0, sizeof(ngx_media_flv_piece_t));

    tag = &d->tag;

    (void) ngx_media_flv_tag_parse(d->buf, d->buf + NGX_MEDIA_FLV_TAG_SIZE,
                                   tag);

    if ((tag->type != NGX_MEDIA_FLV_AUDIO
         && tag->type != NGX_MEDIA_FLV_VIDEO
         && tag->type != NGX_MEDIA_FLV_SCRIPT)
        || tag->size > d->max)
    {
        d->state = NGX_MEDIA_FLV_ST_ERROR;
        return NGX_MEDIA_ERROR;
    }

    d->left = tag->size;
    d->state = NGX_MEDIA_FLV_ST_BODY;

    out->event = NGX_MEDIA_FLV_EV_TAG;
    out->tag = *tag;

    return NGX_MEDIA_OK;
}


static int
ngx_media_flv_demux_body(ngx_media_flv_demux_t *d, const u_char **pos,
    const u_char *end, ngx_media_flv_piece_t *out)
{
    memset(out, 0, sizeof(ngx_media_flv_piece_t));

    out->tag = d->tag;

    if (d->left == 0) {
        d->state = NGX_MEDIA_FLV_ST_PREV;
        out->event = NGX_MEDIA_FLV_EV_END;
        return NGX_MEDIA_OK;
    }

    if (*pos == end) {
        return NGX_MEDIA_AGAIN;
    }

    out->event = NGX_MEDIA_FLV_EV_BODY;
    out->data = *pos;
    out->offset = d->tag.size - d->left;
    out->size = (size_t) (end - *pos) < d->left ? (uint32_t) (end - *pos)
                                                : d->left;

    *pos += out->size;
    d->left -= out->size;

    return NGX_MEDIA_OK;
}
