
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: recordings as fragmented MP4, see ngx_media_file.h.  The first batch
 * begins with the init segment, which has the tracks of all codecs that are
 * known by then; each batch is one moof and mdat, a run of each track.  Where
 * a run ends is promised by its clock (ngx_media_mp4.h), so that runs neither
 * overlap nor drift.  At the end mehd tells how long it all lasts.
 *
 * The samples of a batch are kept at the end of the caller's buffer while it
 * is made.
 *
 * ISO/IEC 14496-12 8.8.
 */


#include "ngx_media_file_kind.h"
#include "ngx_media_mp4_box.h"
#include "ngx_media_mp4_read.h"


#define NGX_MEDIA_FILE_MEHD       20        /* bytes of that box */
#define NGX_MEDIA_FILE_INIT       4096      /* of an init segment, */
#define NGX_MEDIA_FILE_TRAK       1024      /* of a track in it, and */
#define NGX_MEDIA_FILE_TRAF       128       /* in a moof, */
#define NGX_MEDIA_FILE_TRUN       16        /* of a sample in it */

#define NGX_MEDIA_FILE_MAX_TICKS  (1ULL << 61)

#define ngx_media_file_padded(n)  (((n) + 15) & ~(size_t) 15)


/* what a batch says of a track */

typedef struct {
    const ngx_media_frame_t  *config;       /* its last config, or NULL */
    unsigned                  found:1;      /* mp4 holds */
    ngx_media_mp4_track_t     mp4;
} ngx_media_file_look_t;


static ssize_t ngx_media_file_mp4_head(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, u_char *buf, size_t size);
static void ngx_media_file_mp4_look(const ngx_media_frame_t *frames,
    uint32_t n, unsigned track, ngx_media_file_look_t *look);
static ssize_t ngx_media_file_mp4_init(ngx_media_file_t *f,
    const ngx_media_mp4_track_t *tracks, unsigned n, u_char *buf,
    size_t size);
static int ngx_media_file_mp4_fits(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n);
static int ngx_media_file_mp4_other(ngx_media_file_t *f,
    const ngx_media_frame_t *frame);
static ssize_t ngx_media_file_mp4_fragment(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, u_char *buf, size_t size);
static int ngx_media_file_mp4_run(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, unsigned track,
    ngx_media_mp4_sample_t *samples, const u_char **data, uint32_t *count);
static int ngx_media_file_mp4_rate(const ngx_media_file_t *f,
    const ngx_media_frame_t *frame);


int
ngx_media_file_mp4_valid(const ngx_media_file_t *f)
{
    unsigned                           i;
    const ngx_media_file_mp4_track_t  *t;

    if (ngx_media_file_fresh(f)) {
        return 1;
    }

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        t = &f->u.mp4.track[i];

        if (t->id && (t->timescale == 0 || t->timescale > 0xffffff
                      || t->clock.timescale != t->timescale
                      || t->clock.next > NGX_MEDIA_FILE_MAX_TICKS
                      || t->clock.last > NGX_MEDIA_FILE_MAX_TICKS
                      || t->clock.exact > NGX_MEDIA_FILE_MAX_TICKS
                      || t->clock.offset != 0))
        {
            return 0;
        }
    }

    return f->bytes >= 8 && f->u.mp4.duration <= f->bytes - 8;
}


size_t
ngx_media_file_mp4_room(const ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n)
{
    size_t    size;
    uint32_t  i;

    size = NGX_MEDIA_FILE_TRAF * (NGX_MEDIA_MAX_TRACKS + 1);

    if (ngx_media_file_fresh(f)) {
        size += NGX_MEDIA_FILE_INIT
                + NGX_MEDIA_FILE_TRAK * NGX_MEDIA_MAX_TRACKS;
    }

    /* a config is in here too, for the init segment */

    for (i = 0; i < n; i++) {
        size += frames[i].size + NGX_MEDIA_FILE_TRUN;
    }

    return ngx_media_file_padded(size) + 16
           + n * (sizeof(ngx_media_mp4_sample_t) + sizeof(u_char *));
}


ssize_t
ngx_media_file_mp4_batch(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n, u_char *buf, size_t size)
{
    ssize_t  head, body;

    if (size < ngx_media_file_mp4_room(f, frames, n)) {
        return NGX_MEDIA_ERROR;
    }

    head = 0;

    if (ngx_media_file_fresh(f)) {
        head = ngx_media_file_mp4_head(f, frames, n, buf, size);

        if (head < 0) {
            return head;
        }

    } else if (ngx_media_file_mp4_fits(f, frames, n) != NGX_MEDIA_OK) {
        return NGX_MEDIA_DECLINED;
    }

    body = ngx_media_file_mp4_fragment(f, frames, n, buf + head,
                                       size - (size_t) head);

    return body > 0 ? head + body : body;
}


/* The init segment, of all tracks of the first batch. */

static ssize_t
ngx_media_file_mp4_head(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n, u_char *buf, size_t size)
{
    unsigned                     i, k;
    ngx_media_mp4_track_t        tracks[NGX_MEDIA_MAX_TRACKS];
    ngx_media_file_look_t        look;
    ngx_media_file_mp4_track_t  *t;

    k = 0;

    for (i = 0; i < NGX_MEDIA_TRACK_SCRIPT; i++) {
        ngx_media_file_mp4_look(frames, n, i, &look);

        if (!look.found) {
            continue;
        }

        look.mp4.id = k + 1;
        tracks[k++] = look.mp4;

        t = &f->u.mp4.track[i];
        t->id = k;
        t->timescale = look.mp4.timescale;
        ngx_media_mp4_clock_init(&t->clock, &look.mp4);

        f->track[i].config = look.config
                             ? ngx_media_file_hash(look.config->data,
                                                   look.config->size) : 0;
    }

    if (k == 0) {
        return 0;              /* frames are counted as skipped */
    }

    f->u.mp4.ntracks = k;
    f->u.mp4.sequence = 1;

    return ngx_media_file_mp4_init(f, tracks, k, buf, size);
}


/* The last config of a track and, with it, the first frame that tells all. */

static void
ngx_media_file_mp4_look(const ngx_media_frame_t *frames, uint32_t n,
    unsigned track, ngx_media_file_look_t *look)
{
    int                       key;
    uint32_t                  i, from;
    const u_char             *config, *end;
    ngx_media_mp4_track_t     mp4;
    const ngx_media_frame_t  *f;

    memset(look, 0, sizeof(ngx_media_file_look_t));

    from = 0;
    config = NULL;
    end = NULL;

    for (i = 0; i < n; i++) {
        f = &frames[i];

        if (f->track == track && ngx_media_file_config(f)
            && ngx_media_mp4_track(&mp4, 1, f->codec, f->data,
                                   f->data + f->size, NULL, NULL)
               != NGX_MEDIA_DECLINED)
        {
            look->config = f;
            config = f->data;
            end = f->data + f->size;
            from = i;
        }
    }

    /* a keyframe tells more */

    for (key = 1; key >= 0; key--) {

        for (i = from; i < n; i++) {
            f = &frames[i];

            if (f->track != track || !ngx_media_file_media(f)
                || (key && !(f->flags & NGX_MEDIA_FRAME_KEY))
                || (look->config && f->codec != look->config->codec))
            {
                continue;
            }

            if (ngx_media_mp4_track(&look->mp4, 1, f->codec, config, end,
                                    f->data, f->data + f->size)
                == NGX_MEDIA_OK)
            {
                look->found = 1;
                return;
            }
        }
    }

    if (look->config
        && ngx_media_mp4_track(&look->mp4, 1, look->config->codec, config,
                               end, NULL, NULL)
           == NGX_MEDIA_OK)
    {
        look->found = 1;
    }
}


/* ftyp and moov, with mehd as the last box of mvex, the last of moov. */

static ssize_t
ngx_media_file_mp4_init(ngx_media_file_t *f,
    const ngx_media_mp4_track_t *tracks, unsigned n, u_char *buf,
    size_t size)
{
    u_char               *p, *end, *moov, *mvex;
    ssize_t               bytes;
    ngx_media_mp4_box_t   box;

    bytes = ngx_media_mp4_init(tracks, n, buf, size);

    if (bytes < 0 || size - (size_t) bytes < NGX_MEDIA_FILE_MEHD) {
        return NGX_MEDIA_ERROR;
    }

    end = buf + bytes;
    moov = buf + ngx_media_get_be32(buf);
    mvex = NULL;

    for (p = moov + 8; p < end; p += box.size) {

        if (ngx_media_mp4_box(p, end, &box) != NGX_MEDIA_OK
            || box.size < box.head || box.size > (uint64_t) (end - p))
        {
            return NGX_MEDIA_ERROR;
        }

        mvex = p;
    }

    if (mvex == NULL) {
        return NGX_MEDIA_ERROR;
    }

    (void) ngx_media_put_be32(moov, ngx_media_get_be32(moov)
                                    + NGX_MEDIA_FILE_MEHD);
    (void) ngx_media_put_be32(mvex, ngx_media_get_be32(mvex)
                                    + NGX_MEDIA_FILE_MEHD);

    p = ngx_media_put_be32(end, NGX_MEDIA_FILE_MEHD);
    p = ngx_media_put_be32(p, ngx_media_mp4_type('m', 'e', 'h', 'd'));
    p = ngx_media_put_be32(p, 1u << 24);

    f->u.mp4.duration = (uint64_t) (p - buf);

    p = ngx_media_put_be64(p, 0);

    return p - buf;
}


/* Can the init segment stay as it is? */

static int
ngx_media_file_mp4_fits(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n)
{
    uint32_t                  i;
    const ngx_media_frame_t  *fr;
    ngx_media_mp4_track_t     mp4;

    for (i = 0; i < n; i++) {
        fr = &frames[i];

        if (ngx_media_file_config(fr)) {

            if (f->track[fr->track].config
                == ngx_media_file_hash(fr->data, fr->size))
            {
                continue;
            }

            if (ngx_media_mp4_track(&mp4, 1, fr->codec, fr->data,
                                    fr->data + fr->size, NULL, NULL)
                != NGX_MEDIA_DECLINED)
            {
                return NGX_MEDIA_DECLINED;
            }

        } else if (ngx_media_file_media(fr)
                   && ngx_media_file_mp4_other(f, fr))
        {
            return NGX_MEDIA_DECLINED;
        }
    }

    return NGX_MEDIA_OK;
}


/* Is it of a track, a codec or a rate that another file would have? */

static int
ngx_media_file_mp4_other(ngx_media_file_t *f, const ngx_media_frame_t *frame)
{
    ngx_media_mp4_track_t        mp4;
    ngx_media_file_mp4_track_t  *t;

    t = &f->u.mp4.track[frame->track];

    if (t->id && t->clock.codec == frame->codec
        && ngx_media_file_mp4_rate(f, frame))
    {
        return 0;
    }

    return ngx_media_mp4_track(&mp4, 1, frame->codec, NULL, NULL, frame->data,
                               frame->data + frame->size)
           == NGX_MEDIA_OK;
}


/* Those without a config tell their rate in each frame. */

static int
ngx_media_file_mp4_rate(const ngx_media_file_t *f,
    const ngx_media_frame_t *frame)
{
    ngx_media_codec_info_t  info;

    if (frame->codec != NGX_MEDIA_CODEC_MP3
        && frame->codec != NGX_MEDIA_CODEC_AC3
        && frame->codec != NGX_MEDIA_CODEC_EAC3)
    {
        return 1;
    }

    return ngx_media_codec_parse_frame(frame->codec, frame->data,
                                       frame->data + frame->size, &info)
           != 0
           || info.sample_rate == 0
           || info.sample_rate == f->u.mp4.track[frame->track].timescale;
}


static ssize_t
ngx_media_file_mp4_fragment(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n, u_char *buf, size_t size)
{
    int                          rc;
    int64_t                      end;
    ssize_t                      head;
    u_char                      *p, *tail;
    uint32_t                     i, used, count;
    const u_char               **data;
    ngx_media_mp4_run_t          runs[NGX_MEDIA_MAX_TRACKS];
    ngx_media_mp4_chunk_t        chunk;
    ngx_media_mp4_sample_t      *samples;
    ngx_media_file_mp4_track_t  *t;

    tail = buf + size - n * (sizeof(ngx_media_mp4_sample_t)
                             + sizeof(u_char *));
    tail -= (uintptr_t) tail & 15;

    samples = (ngx_media_mp4_sample_t *) (void *) tail;
    data = (const u_char **) (void *) (samples + n);

    memset(&chunk, 0, sizeof(ngx_media_mp4_chunk_t));
    chunk.runs = runs;
    chunk.sequence = f->u.mp4.sequence;

    used = 0;

    for (i = 0; i < NGX_MEDIA_TRACK_SCRIPT; i++) {
        t = &f->u.mp4.track[i];

        rc = ngx_media_file_mp4_run(f, frames, n, i, samples + used,
                                    data + used, &count);
        if (rc != NGX_MEDIA_OK) {
            return rc;
        }

        if (count == 0) {
            continue;
        }

        runs[chunk.nruns].samples = samples + used;
        runs[chunk.nruns].nsamples = count;
        runs[chunk.nruns].id = t->id;
        runs[chunk.nruns++].end = ngx_media_mp4_clock_end(&t->clock);

        end = ngx_media_mp4_us(t->clock.next, t->timescale);

        if (end > f->end) {
            f->end = end;
        }

        used += count;
    }

    if (used == 0) {
        return 0;
    }

    head = ngx_media_mp4_chunk(&chunk, buf, (size_t) (tail - buf));

    if (head < 0) {
        return NGX_MEDIA_ERROR;
    }

    p = buf + head;

    for (i = 0; i < used; i++) {

        if ((size_t) (tail - p) < samples[i].size) {
            return NGX_MEDIA_ERROR;
        }

        p = ngx_media_put(p, data[i], samples[i].size);
    }

    f->u.mp4.sequence++;

    return p - buf;
}


/* The samples of a track. */

static int
ngx_media_file_mp4_run(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n, unsigned track, ngx_media_mp4_sample_t *samples,
    const u_char **data, uint32_t *count)
{
    int                          rc, known;
    int64_t                      t;
    uint32_t                     i, k, hash;
    ngx_media_frame_t            frame;
    ngx_media_file_mp4_track_t  *mp4;

    mp4 = &f->u.mp4.track[track];

    /* in a first batch: from the config of the init segment on */

    known = !ngx_media_file_fresh(f) || f->track[track].config == 0;
    k = 0;

    for (i = 0; i < n; i++) {
        frame = frames[i];

        if (frame.track != track) {
            continue;
        }

        if (ngx_media_file_config(&frame)) {

            if (!known) {
                hash = ngx_media_file_hash(frame.data, frame.size);
                known = hash == f->track[track].config;
            }

            continue;
        }

        if (!ngx_media_file_media(&frame)) {
            continue;
        }

        if (mp4->id == 0 || frame.codec != mp4->clock.codec || !known
            || !ngx_media_file_mp4_rate(f, &frame))
        {
            f->skipped++;
            continue;
        }

        rc = ngx_media_file_time(f, &frame, &t);

        if (rc == NGX_MEDIA_OK) {
            frame.dts = t;
            rc = ngx_media_mp4_clock_frame(&mp4->clock, &frame, &samples[k]);

            if (rc == NGX_MEDIA_DECLINED) {
                f->skipped++;
                continue;
            }
        }

        if (rc == NGX_MEDIA_ERROR || rc == NGX_MEDIA_DECLINED) {

            if (!ngx_media_file_fresh(f)) {
                return NGX_MEDIA_DECLINED;
            }

            f->skipped++;
            continue;
        }

        data[k++] = frame.data;
        ngx_media_file_count(f, &frame, t);
    }

    *count = k;

    return NGX_MEDIA_OK;
}


void
ngx_media_file_mp4_rebase(ngx_media_file_t *f)
{
    unsigned                i;
    ngx_media_mp4_clock_t  *c;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        c = &f->u.mp4.track[i].clock;

        c->started = 0;
        c->promised = 0;
        c->counted = 0;
        c->count = 0;
    }
}


ssize_t
ngx_media_file_mp4_close(ngx_media_file_t *f, u_char *buf, size_t size,
    ngx_media_file_patch_t *patches, uint32_t *npatches)
{
    if (size < 8) {
        return NGX_MEDIA_ERROR;
    }

    (void) ngx_media_put_be64(buf, (uint64_t) f->end / 1000);

    patches[0].offset = f->u.mp4.duration;
    patches[0].pos = 0;
    patches[0].size = 8;

    *npatches = 1;

    return 8;
}
