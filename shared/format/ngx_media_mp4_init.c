
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the init segment: ftyp and a moov without samples.  See
 * ngx_media_mp4.h.  Sample entries are in ngx_media_mp4_entry.c.
 *
 * There are no edit lists: composition offsets are signed (brand cmf2) and
 * all tracks are on one timeline.
 *
 * ISO/IEC 14496-12 4.3, 8.2 to 8.8; ISO/IEC 23000-19 7.2, 7.3.1, 7.5.
 */


#include "ngx_media_mp4_box.h"
#include "ngx_media_rc.h"


static void ngx_media_mp4_ftyp(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *tracks, unsigned n);
static void ngx_media_mp4_mvhd(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *tracks, unsigned n);
static void ngx_media_mp4_matrix(ngx_media_mp4_out_t *o);
static void ngx_media_mp4_trak(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_tkhd(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_hdlr(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_minf(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_stbl(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *t);
static void ngx_media_mp4_mvex(ngx_media_mp4_out_t *o,
    const ngx_media_mp4_track_t *tracks, unsigned n);


ssize_t
ngx_media_mp4_init(const ngx_media_mp4_track_t *tracks, unsigned n,
    u_char *buf, size_t size)
{
    size_t               moov;
    unsigned             i;
    ngx_media_mp4_out_t  o;

    if (n == 0 || n > NGX_MEDIA_MP4_MAX_TRACKS) {
        return NGX_MEDIA_ERROR;
    }

    o.buf = buf;
    o.size = buf ? size : 0;
    o.n = 0;

    ngx_media_mp4_ftyp(&o, tracks, n);

    moov = ngx_media_mp4_begin(&o, ngx_media_mp4_type('m', 'o', 'o', 'v'));

    ngx_media_mp4_mvhd(&o, tracks, n);

    for (i = 0; i < n; i++) {
        ngx_media_mp4_trak(&o, &tracks[i]);
    }

    ngx_media_mp4_mvex(&o, tracks, n);

    ngx_media_mp4_end(&o, moov);

    if (buf && o.n > size) {
        return NGX_MEDIA_ERROR;
    }

    return (ssize_t) o.n;
}


static void
ngx_media_mp4_ftyp(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *tracks,
    unsigned n)
{
    size_t    box;
    unsigned  i, av1;

    av1 = 0;

    for (i = 0; i < n; i++) {
        if (tracks[i].codec == NGX_MEDIA_CODEC_AV1) {
            av1 = 1;
        }
    }

    box = ngx_media_mp4_begin(o, ngx_media_mp4_type('f', 't', 'y', 'p'));

    ngx_media_mp4_put32(o, ngx_media_mp4_type('i', 's', 'o', '6'));
    ngx_media_mp4_put32(o, 0);
    ngx_media_mp4_put32(o, ngx_media_mp4_type('i', 's', 'o', '6'));
    ngx_media_mp4_put32(o, ngx_media_mp4_type('m', 'p', '4', '1'));

    if (n == 1) {
        ngx_media_mp4_put32(o, ngx_media_mp4_type('c', 'm', 'f', 'c'));
        ngx_media_mp4_put32(o, ngx_media_mp4_type('c', 'm', 'f', '2'));
    }

    if (av1) {
        ngx_media_mp4_put32(o, ngx_media_mp4_type('a', 'v', '0', '1'));
    }

    ngx_media_mp4_end(o, box);
}


static void
ngx_media_mp4_mvhd(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *tracks,
    unsigned n)
{
    size_t    box;
    uint32_t  i, id;

    id = 0;

    for (i = 0; i < n; i++) {
        if (tracks[i].id > id) {
            id = tracks[i].id;
        }
    }

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('m', 'v', 'h', 'd'),
                                   0, 0);
    ngx_media_mp4_zeros(o, 8);                  /* created, modified */
    ngx_media_mp4_put32(o, 1000);               /* timescale */
    ngx_media_mp4_put32(o, 0);                  /* duration: no samples */
    ngx_media_mp4_put32(o, 0x00010000);         /* rate 1.0 */
    ngx_media_mp4_put16(o, 0x0100);             /* volume 1.0 */
    ngx_media_mp4_zeros(o, 10);
    ngx_media_mp4_matrix(o);
    ngx_media_mp4_zeros(o, 24);
    ngx_media_mp4_put32(o, id == 0xffffffff ? id : id + 1);
    ngx_media_mp4_end(o, box);
}


static void
ngx_media_mp4_matrix(ngx_media_mp4_out_t *o)
{
    ngx_media_mp4_put32(o, 0x00010000);
    ngx_media_mp4_zeros(o, 12);
    ngx_media_mp4_put32(o, 0x00010000);
    ngx_media_mp4_zeros(o, 12);
    ngx_media_mp4_put32(o, 0x40000000);
}


static void
ngx_media_mp4_trak(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t  trak, mdia, box;

    trak = ngx_media_mp4_begin(o, ngx_media_mp4_type('t', 'r', 'a', 'k'));

    ngx_media_mp4_tkhd(o, t);

    mdia = ngx_media_mp4_begin(o, ngx_media_mp4_type('m', 'd', 'i', 'a'));

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('m', 'd', 'h', 'd'),
                                   0, 0);
    ngx_media_mp4_zeros(o, 8);
    ngx_media_mp4_put32(o, t->timescale);
    ngx_media_mp4_put32(o, 0);
    ngx_media_mp4_put16(o, 0x55c4);             /* "und" */
    ngx_media_mp4_put16(o, 0);
    ngx_media_mp4_end(o, box);

    ngx_media_mp4_hdlr(o, t);
    ngx_media_mp4_minf(o, t);

    ngx_media_mp4_end(o, mdia);
    ngx_media_mp4_end(o, trak);
}


static void
ngx_media_mp4_tkhd(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t    box;
    unsigned  audio;
    uint64_t  width;

    audio = ngx_media_codec_is_audio(t->codec);
    width = (uint64_t) t->info.width << 16;

    if (t->sar_width && t->sar_height) {
        width = width * t->sar_width / t->sar_height;

        if (width > 0xffffffff) {
            width = 0xffffffff;
        }
    }

    /* enabled, in the movie */

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('t', 'k', 'h', 'd'),
                                   0, 3);
    ngx_media_mp4_zeros(o, 8);
    ngx_media_mp4_put32(o, t->id);
    ngx_media_mp4_zeros(o, 4 + 4 + 8);          /* reserved, duration */
    ngx_media_mp4_put16(o, 0);                  /* layer */
    ngx_media_mp4_put16(o, audio);              /* alternate_group */
    ngx_media_mp4_put16(o, audio ? 0x0100 : 0); /* volume */
    ngx_media_mp4_put16(o, 0);
    ngx_media_mp4_matrix(o);
    ngx_media_mp4_put32(o, (uint32_t) width);
    ngx_media_mp4_put32(o, (uint32_t) t->info.height << 16);
    ngx_media_mp4_end(o, box);
}


static void
ngx_media_mp4_hdlr(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t  box;

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('h', 'd', 'l', 'r'),
                                   0, 0);
    ngx_media_mp4_put32(o, 0);

    if (ngx_media_codec_is_audio(t->codec)) {
        ngx_media_mp4_put32(o, ngx_media_mp4_type('s', 'o', 'u', 'n'));
        ngx_media_mp4_zeros(o, 12);
        ngx_media_mp4_put(o, "audio", 6);

    } else {
        ngx_media_mp4_put32(o, ngx_media_mp4_type('v', 'i', 'd', 'e'));
        ngx_media_mp4_zeros(o, 12);
        ngx_media_mp4_put(o, "video", 6);
    }

    ngx_media_mp4_end(o, box);
}


static void
ngx_media_mp4_minf(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t  minf, dinf, dref, box;

    minf = ngx_media_mp4_begin(o, ngx_media_mp4_type('m', 'i', 'n', 'f'));

    if (ngx_media_codec_is_audio(t->codec)) {
        box = ngx_media_mp4_begin_full(o,
                            ngx_media_mp4_type('s', 'm', 'h', 'd'), 0, 0);
        ngx_media_mp4_zeros(o, 4);

    } else {
        box = ngx_media_mp4_begin_full(o,
                            ngx_media_mp4_type('v', 'm', 'h', 'd'), 0, 1);
        ngx_media_mp4_zeros(o, 8);
    }

    ngx_media_mp4_end(o, box);

    dinf = ngx_media_mp4_begin(o, ngx_media_mp4_type('d', 'i', 'n', 'f'));
    dref = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('d', 'r', 'e', 'f'),
                                    0, 0);
    ngx_media_mp4_put32(o, 1);

    /* flag: the data is in this file */

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('u', 'r', 'l', ' '),
                                   0, 1);
    ngx_media_mp4_end(o, box);

    ngx_media_mp4_end(o, dref);
    ngx_media_mp4_end(o, dinf);

    ngx_media_mp4_stbl(o, t);

    ngx_media_mp4_end(o, minf);
}


static void
ngx_media_mp4_stbl(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *t)
{
    size_t  stbl, box;

    stbl = ngx_media_mp4_begin(o, ngx_media_mp4_type('s', 't', 'b', 'l'));

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('s', 't', 's', 'd'),
                                   0, 0);
    ngx_media_mp4_put32(o, 1);
    ngx_media_mp4_entry(o, t);
    ngx_media_mp4_end(o, box);

    /* the tables of samples are empty */

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('s', 't', 't', 's'),
                                   0, 0);
    ngx_media_mp4_put32(o, 0);
    ngx_media_mp4_end(o, box);

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('s', 't', 's', 'c'),
                                   0, 0);
    ngx_media_mp4_put32(o, 0);
    ngx_media_mp4_end(o, box);

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('s', 't', 's', 'z'),
                                   0, 0);
    ngx_media_mp4_zeros(o, 8);
    ngx_media_mp4_end(o, box);

    box = ngx_media_mp4_begin_full(o, ngx_media_mp4_type('s', 't', 'c', 'o'),
                                   0, 0);
    ngx_media_mp4_put32(o, 0);
    ngx_media_mp4_end(o, box);

    ngx_media_mp4_end(o, stbl);
}


static void
ngx_media_mp4_mvex(ngx_media_mp4_out_t *o, const ngx_media_mp4_track_t *tracks,
    unsigned n)
{
    size_t    mvex, box;
    unsigned  i;

    mvex = ngx_media_mp4_begin(o, ngx_media_mp4_type('m', 'v', 'e', 'x'));

    for (i = 0; i < n; i++) {
        box = ngx_media_mp4_begin_full(o,
                            ngx_media_mp4_type('t', 'r', 'e', 'x'), 0, 0);
        ngx_media_mp4_put32(o, tracks[i].id);
        ngx_media_mp4_put32(o, 1);              /* the only sample entry */
        ngx_media_mp4_zeros(o, 12);             /* tfhd has the defaults */
        ngx_media_mp4_end(o, box);
    }

    ngx_media_mp4_end(o, mvex);
}
