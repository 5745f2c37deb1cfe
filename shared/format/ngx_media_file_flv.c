
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: recordings as FLV, see ngx_media_file.h.  The first tag is onMetaData:
 * what the publisher said, with duration and size of the file, which the end
 * fills in, and room for an index of start points, which until then holds
 * spaces.  Tags as in ngx_media_flv_body_write(): H.264, AAC and MP3 have the
 * form that all know, other codecs the enhanced one.
 *
 * Adobe Flash Video File Format 10.1, E.4 and E.5 (onMetaData); Enhanced RTMP
 * v2; "keyframes" as flvmeta, yamdi and others write it.
 */


#include "ngx_media_amf.h"
#include "ngx_media_file_kind.h"
#include "ngx_media_flv.h"


#define NGX_MEDIA_FILE_KEYS       8192      /* bytes for the index */
#define NGX_MEDIA_FILE_KEYS_HEAD  63        /* of them without an entry */
#define NGX_MEDIA_FILE_KEY        18        /* two doubles */
#define NGX_MEDIA_FILE_PROPS      1024      /* bytes for ours in onMetaData */
#define NGX_MEDIA_FILE_META       65536     /* and those of the publisher */
#define NGX_MEDIA_FILE_FILLER     13        /* an array that says nothing, */
#define NGX_MEDIA_FILE_SPACE      3         /* and a string in it, */
#define NGX_MEDIA_FILE_SPACES     500       /* which readers have room for */

#define NGX_MEDIA_FILE_TAG        (NGX_MEDIA_FLV_TAG_SIZE                     \
                                   + NGX_MEDIA_FLV_MAX_BODY_HEADER            \
                                   + NGX_MEDIA_FLV_PREV_SIZE)


static u_char *ngx_media_file_flv_head(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, u_char *buf, u_char *end);
static ssize_t ngx_media_file_flv_meta(const ngx_media_frame_t *frames,
    uint32_t n, u_char *p, size_t size);
static void ngx_media_file_flv_props(const ngx_media_frame_t *frames,
    uint32_t n, ngx_media_amf_prop_t *props);
static int ngx_media_file_flv_find(ngx_media_file_t *f, const u_char *body,
    const u_char *end, uint64_t offset);
static double ngx_media_file_flv_codec(uint8_t codec);
static void ngx_media_file_flv_fill(ngx_media_amf_out_t *w, size_t size);
static u_char *ngx_media_file_flv_tag(u_char *p,
    const ngx_media_frame_t *frame, int64_t t);
static int ngx_media_file_flv_same(ngx_media_file_t *f,
    const ngx_media_frame_t *frame);
static void ngx_media_file_flv_keys(ngx_media_file_t *f,
    ngx_media_amf_out_t *w, const ngx_media_file_key_t *keys,
    uint32_t nkeys);


int
ngx_media_file_flv_valid(const ngx_media_file_t *f)
{
    const ngx_media_file_flv_t  *flv;

    flv = &f->u.flv;

    if (ngx_media_file_fresh(f)) {
        return 1;
    }

    /* the end writes there */

    return f->bytes > NGX_MEDIA_FILE_KEYS + NGX_MEDIA_FLV_HEADER_SIZE
           && flv->duration <= f->bytes - 8 && flv->filesize <= f->bytes - 8
           && flv->keys <= f->bytes - NGX_MEDIA_FILE_KEYS;
}


size_t
ngx_media_file_flv_room(const ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n)
{
    size_t    size;
    uint32_t  i;

    size = 0;

    if (ngx_media_file_fresh(f)) {
        size = NGX_MEDIA_FLV_HEADER_SIZE + NGX_MEDIA_FLV_PREV_SIZE
               + NGX_MEDIA_FILE_TAG + NGX_MEDIA_FILE_PROPS
               + NGX_MEDIA_FILE_KEYS;
    }

    for (i = 0; i < n; i++) {
        size += NGX_MEDIA_FILE_TAG + frames[i].size;
    }

    return size;
}


ssize_t
ngx_media_file_flv_batch(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n, u_char *buf, size_t size)
{
    u_char                   *p, *next;
    int64_t                   t;
    uint32_t                  i;
    uint64_t                  before;
    const ngx_media_frame_t  *fr;

    if (size < ngx_media_file_flv_room(f, frames, n)) {
        return NGX_MEDIA_ERROR;
    }

    p = buf;
    before = f->frames;

    if (ngx_media_file_fresh(f)) {
        p = ngx_media_file_flv_head(f, frames, n, buf, buf + size);

        if (p == NULL) {
            return NGX_MEDIA_ERROR;
        }
    }

    for (i = 0; i < n; i++) {
        fr = &frames[i];
        t = ngx_media_file_newest(f);

        if (ngx_media_file_media(fr)) {

            if (ngx_media_file_time(f, fr, &t) != NGX_MEDIA_OK
                || t / 1000 > 0xffffffff)
            {
                if (!ngx_media_file_fresh(f)) {
                    return NGX_MEDIA_DECLINED;
                }

                f->skipped++;
                continue;
            }

        } else if ((fr->flags & (NGX_MEDIA_FRAME_META|NGX_MEDIA_FRAME_EOS))
                   || fr->size == 0
                   || (ngx_media_file_config(fr)
                       && ngx_media_file_flv_same(f, fr)))
        {
            continue;
        }

        if (fr->codec == NGX_MEDIA_CODEC_SCRIPT) {
            (void) ngx_media_file_time(f, fr, &t);
        }

        next = ngx_media_file_flv_tag(p, fr, t);

        if (ngx_media_file_media(fr)) {

            if (next == NULL) {
                f->skipped++;
                continue;
            }

            f->u.flv.types |= ngx_media_codec_is_video(fr->codec) ? 1 : 4;
            ngx_media_file_count(f, fr, t);
        }

        p = next ? next : p;
    }

    if (ngx_media_file_fresh(f)) {

        if (f->frames == before) {
            return 0;
        }

        f->u.flv.written = f->u.flv.types;
        buf[4] = f->u.flv.types;
    }

    return p - buf;
}


/* Is it the config that the track has?  If not, it is now. */

static int
ngx_media_file_flv_same(ngx_media_file_t *f, const ngx_media_frame_t *frame)
{
    uint32_t                 hash;
    ngx_media_file_track_t  *track;

    track = &f->track[frame->track];
    hash = ngx_media_file_hash(frame->data, frame->size);

    if (track->config == hash
        && (track->codec == 0 || track->codec == frame->codec))
    {
        return 1;
    }

    track->config = hash;

    return 0;
}


/* A whole tag; NULL: the frame has no form in FLV. */

static u_char *
ngx_media_file_flv_tag(u_char *p, const ngx_media_frame_t *frame, int64_t t)
{
    int                  n;
    u_char              *body;
    ngx_media_flv_tag_t  tag;
    ngx_media_frame_t    fr;

    /* what its time has beyond ms goes into cts */

    fr = *frame;
    fr.dts = t - t % 1000;
    fr.cts += (int32_t) (t % 1000);

    memset(&tag, 0, sizeof(ngx_media_flv_tag_t));

    body = p + NGX_MEDIA_FLV_TAG_SIZE;

    n = ngx_media_flv_body_write(body, &fr, 0);

    if (n < 0 || fr.size > NGX_MEDIA_FLV_MAX_SIZE - (uint32_t) n) {
        return NULL;
    }

    tag.type = ngx_media_flv_type(fr.codec);
    tag.size = (uint32_t) n + fr.size;
    tag.ms = (uint32_t) (fr.dts / 1000);

    (void) ngx_media_flv_tag_write(p, &tag);

    p = ngx_media_put(body + n, fr.data, fr.size);

    return ngx_media_flv_prev_size_write(p, tag.size);
}


/* The header of the file and onMetaData. */

static u_char *
ngx_media_file_flv_head(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n, u_char *buf, u_char *end)
{
    u_char               *p, *body;
    ssize_t               size;
    ngx_media_amf_out_t   w;
    ngx_media_flv_tag_t   tag;

    p = ngx_media_flv_header_write(buf, 0, 0);
    body = p + NGX_MEDIA_FLV_TAG_SIZE;

    size = ngx_media_file_flv_meta(frames, n, body, (size_t) (end - body));

    if (size < 0
        || ngx_media_file_flv_find(f, body, body + size,
                                   (uint64_t) (body - buf))
           != NGX_MEDIA_OK)
    {
        return NULL;
    }

    /* the index goes before the end of the array */

    ngx_media_amf_out_init(&w, body + size - 3, (size_t) (end - body - size));
    ngx_media_file_flv_fill(&w, NGX_MEDIA_FILE_KEYS);
    ngx_media_amf_put_end(&w);

    if (w.overflow || (size_t) (end - w.pos) < NGX_MEDIA_FLV_PREV_SIZE) {
        return NULL;
    }

    f->u.flv.keys = (uint64_t) (w.start - buf);
    f->u.flv.keys_size = NGX_MEDIA_FILE_KEYS;

    memset(&tag, 0, sizeof(ngx_media_flv_tag_t));

    tag.type = NGX_MEDIA_FLV_SCRIPT;
    tag.size = (uint32_t) (w.pos - body);

    (void) ngx_media_flv_tag_write(p, &tag);

    return ngx_media_flv_prev_size_write(w.pos, tag.size);
}


/* What the publisher told, unless it is damaged or too much, and ours. */

static ssize_t
ngx_media_file_flv_meta(const ngx_media_frame_t *frames, uint32_t n,
    u_char *p, size_t size)
{
    ssize_t                rc;
    uint32_t               i;
    const u_char          *data, *end;
    ngx_media_amf_prop_t   props[7];

    data = NULL;
    end = NULL;

    for (i = 0; i < n; i++) {
        if ((frames[i].flags & NGX_MEDIA_FRAME_META)
            && frames[i].size <= NGX_MEDIA_FILE_META)
        {
            data = frames[i].data;
            end = data + frames[i].size;
        }
    }

    ngx_media_file_flv_props(frames, n, props);

    /* AMF3 can grow, into room that is for frames */

    if (data && (size_t) (end - data) + NGX_MEDIA_FILE_PROPS <= size) {
        rc = ngx_media_amf_merge_metadata(data, end, props, 7, p,
                                          (size_t) (end - data)
                                          + NGX_MEDIA_FILE_PROPS);
        if (rc >= 0) {
            return rc;
        }
    }

    return ngx_media_amf_merge_metadata(p, p, props, 7, p, size);
}


static void
ngx_media_file_flv_props(const ngx_media_frame_t *frames, uint32_t n,
    ngx_media_amf_prop_t *props)
{
    int                       rc;
    uint32_t                  i;
    const u_char             *end;
    const ngx_media_frame_t  *fr;
    ngx_media_codec_info_t    info;

    memset(props, 0, 7 * sizeof(ngx_media_amf_prop_t));

    props[0].key = "duration";
    props[0].type = NGX_MEDIA_AMF_NUMBER;
    props[1].key = "filesize";
    props[1].type = NGX_MEDIA_AMF_NUMBER;
    props[2].key = "keyframes";
    props[3].key = "width";
    props[4].key = "height";
    props[5].key = "videocodecid";
    props[6].key = "audiocodecid";

    for (i = n; i > 0; i--) {
        fr = &frames[i - 1];

        if (fr->track == NGX_MEDIA_TRACK_AUDIO && ngx_media_file_media(fr)) {
            props[6].type = NGX_MEDIA_AMF_NUMBER;
            props[6].number = ngx_media_file_flv_codec(fr->codec);
        }

        if (fr->track != NGX_MEDIA_TRACK_VIDEO) {
            continue;
        }

        end = fr->data + fr->size;

        if (ngx_media_file_config(fr)) {
            rc = ngx_media_codec_parse_config(fr->codec, fr->data, end, &info);

        } else if (ngx_media_file_media(fr)) {
            props[5].type = NGX_MEDIA_AMF_NUMBER;
            props[5].number = ngx_media_file_flv_codec(fr->codec);

            rc = ngx_media_codec_parse_frame(fr->codec, fr->data, end, &info);

        } else {
            continue;
        }

        if (rc == 0 && info.width && info.height) {
            props[3].type = NGX_MEDIA_AMF_NUMBER;
            props[3].number = info.width;
            props[4].type = NGX_MEDIA_AMF_NUMBER;
            props[4].number = info.height;
        }
    }
}


/* Finds the numbers that are filled in at the end; offset: of body. */

static int
ngx_media_file_flv_find(ngx_media_file_t *f, const u_char *body,
    const u_char *end, uint64_t offset)
{
    ngx_media_amf_t        amf;
    ngx_media_amf_value_t  name, object, v;

    ngx_media_amf_init(&amf, body, end);

    if (ngx_media_amf_read(&amf, &name) != NGX_MEDIA_OK
        || ngx_media_amf_read(&amf, &object) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_ERROR;
    }

    if (ngx_media_amf_find(&amf, &object, "duration", &v) == NGX_MEDIA_OK
        && v.end - v.start == 9)
    {
        f->u.flv.duration = offset + (uint64_t) (v.start + 1 - body);
    }

    if (ngx_media_amf_find(&amf, &object, "filesize", &v) == NGX_MEDIA_OK
        && v.end - v.start == 9)
    {
        f->u.flv.filesize = offset + (uint64_t) (v.start + 1 - body);
    }

    return NGX_MEDIA_OK;
}


static double
ngx_media_file_flv_codec(uint8_t codec)
{
    switch (codec) {

    case NGX_MEDIA_CODEC_H264:
        return 7;

    case NGX_MEDIA_CODEC_AAC:
        return 10;

    case NGX_MEDIA_CODEC_MP3:
        return 2;

    default:
        return ngx_media_flv_codec_fourcc(codec);
    }
}


/*
 * A property of size bytes that means nothing.  It is an array, since readers
 * show other strings to their users.
 */

static void
ngx_media_file_flv_fill(ngx_media_amf_out_t *w, size_t size)
{
    size_t    n;
    u_char   *p, *end;
    uint32_t  count;

    if ((size_t) (w->end - w->pos) < size
        || size < NGX_MEDIA_FILE_FILLER + NGX_MEDIA_FILE_SPACE)
    {
        w->overflow = 1;
        return;
    }

    end = w->pos + size;

    ngx_media_amf_put_key(w, "filler", 6);
    ngx_media_amf_put_array(w, 0);

    p = w->pos;
    count = 0;

    while (p < end) {
        n = (size_t) (end - p);

        if (n > NGX_MEDIA_FILE_SPACES) {
            n = NGX_MEDIA_FILE_SPACES - NGX_MEDIA_FILE_SPACE;
        }

        *p = 2;
        (void) ngx_media_put_be16(p + 1, (uint32_t) n - NGX_MEDIA_FILE_SPACE);
        memset(p + NGX_MEDIA_FILE_SPACE, ' ', n - NGX_MEDIA_FILE_SPACE);

        p += n;
        count++;
    }

    (void) ngx_media_put_be32(w->pos - 4, count);
    w->pos = end;
}


/* The end */

ssize_t
ngx_media_file_flv_close(ngx_media_file_t *f, const ngx_media_file_key_t *keys,
    uint32_t nkeys, u_char *buf, size_t size, ngx_media_file_patch_t *patches,
    uint32_t *npatches)
{
    u_char                *p;
    uint32_t               n;
    ngx_media_amf_out_t    w;
    ngx_media_file_flv_t  *flv;

    flv = &f->u.flv;
    n = 0;

    if (size < NGX_MEDIA_FILE_KEYS + 32) {
        return NGX_MEDIA_ERROR;
    }

    /* numbers as AMF has them: behind their marker */

    ngx_media_amf_out_init(&w, buf, size);

    if (flv->duration) {
        ngx_media_amf_put_number(&w, (double) f->end / 1000000);
        patches[n].offset = flv->duration;
        patches[n].pos = 1;
        patches[n++].size = 8;
    }

    if (flv->filesize) {
        patches[n].offset = flv->filesize;
        patches[n].pos = (uint32_t) (w.pos + 1 - buf);
        patches[n++].size = 8;
        ngx_media_amf_put_number(&w, (double) f->bytes);
    }

    if (flv->types != flv->written) {
        p = w.pos;
        *w.pos++ = flv->types;

        patches[n].offset = 4;
        patches[n].pos = (uint32_t) (p - buf);
        patches[n++].size = 1;
    }

    if (flv->keys_size == NGX_MEDIA_FILE_KEYS && nkeys) {
        p = w.pos;
        ngx_media_amf_out_init(&w, p, NGX_MEDIA_FILE_KEYS);
        ngx_media_file_flv_keys(f, &w, keys, nkeys);

        if (!w.overflow) {
            patches[n].offset = flv->keys;
            patches[n].pos = (uint32_t) (p - buf);
            patches[n++].size = NGX_MEDIA_FILE_KEYS;
        }
    }

    *npatches = n;

    return w.pos - buf;
}


/*
 * As many start points as there is room for, at even distances.  That of the
 * first batch is behind onMetaData.
 */

static void
ngx_media_file_flv_keys(ngx_media_file_t *f, ngx_media_amf_out_t *w,
    const ngx_media_file_key_t *keys, uint32_t nkeys)
{
    uint32_t  i, n;
    uint64_t  offset, first;

    n = (NGX_MEDIA_FILE_KEYS - NGX_MEDIA_FILE_KEYS_HEAD) / NGX_MEDIA_FILE_KEY;

    if (n > nkeys) {
        n = nkeys;
    }

    first = f->u.flv.keys + f->u.flv.keys_size + 3 + NGX_MEDIA_FLV_PREV_SIZE;

    ngx_media_amf_put_key(w, "keyframes", 9);
    ngx_media_amf_put_object(w);

    ngx_media_amf_put_key(w, "filepositions", 13);
    ngx_media_amf_put_array(w, n);

    for (i = 0; i < n; i++) {
        offset = keys[(uint64_t) i * nkeys / n].offset;
        ngx_media_amf_put_number(w, (double) (offset < first ? first
                                                             : offset));
    }

    ngx_media_amf_put_key(w, "times", 5);
    ngx_media_amf_put_array(w, n);

    for (i = 0; i < n; i++) {
        ngx_media_amf_put_number(w, (double) keys[(uint64_t) i * nkeys / n]
                                    .time / 1000000);
    }

    ngx_media_amf_put_end(w);

    ngx_media_file_flv_fill(w, (size_t) (w->end - w->pos));
}
