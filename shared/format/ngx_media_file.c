
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: files of recordings, see ngx_media_file.h: what their kinds have in
 * common, which are times and counters.  A batch is made in a copy of the
 * state, so that one that is declined leaves no trace.
 */


#include "ngx_media_file_kind.h"


#define NGX_MEDIA_FILE_MAX_TIME   (1LL << 56)       /* us */
#define NGX_MEDIA_FILE_MAX_END    (1LL << 58)       /* us; bytes */
#define NGX_MEDIA_FILE_LATE       10000000          /* us, before the first */
#define NGX_MEDIA_FILE_BACK       1000000           /* us, in its own track */
#define NGX_MEDIA_FILE_LEAP       600000000         /* us */
#define NGX_MEDIA_FILE_STEP       1000000           /* us, of a last frame */


static int ngx_media_file_begin(ngx_media_file_t *f,
    const ngx_media_frame_t *frames, uint32_t n);


static const char  *ngx_media_file_endings[] = { "", ".flv", ".mp4", ".ts" };


uint8_t
ngx_media_file_kind(const u_char *name, size_t n)
{
    size_t   len;
    uint8_t  kind;

    for (kind = NGX_MEDIA_FILE_FLV; kind <= NGX_MEDIA_FILE_TS; kind++) {
        len = strlen(ngx_media_file_endings[kind]);

        if (n > len
            && memcmp(name + n - len, ngx_media_file_endings[kind], len) == 0)
        {
            return kind;
        }
    }

    return 0;
}


const char *
ngx_media_file_ending(uint8_t kind)
{
    return ngx_media_file_endings[kind <= NGX_MEDIA_FILE_TS ? kind : 0];
}


void
ngx_media_file_init(ngx_media_file_t *f, uint8_t kind)
{
    memset(f, 0, sizeof(ngx_media_file_t));

    f->version = sizeof(ngx_media_file_t);
    f->kind = kind;

    if (kind == NGX_MEDIA_FILE_TS) {
        ngx_media_file_ts_init(f);
    }
}


int
ngx_media_file_valid(const ngx_media_file_t *f)
{
    unsigned  i;

    if (f->version != sizeof(ngx_media_file_t)
        || f->end < 0 || f->end > NGX_MEDIA_FILE_MAX_END
        || f->base > NGX_MEDIA_FILE_MAX_END
        || f->base < -NGX_MEDIA_FILE_MAX_END
        || f->bytes > (uint64_t) NGX_MEDIA_FILE_MAX_END)
    {
        return 0;
    }

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        if (f->track[i].last < 0 || f->track[i].last > NGX_MEDIA_FILE_MAX_END)
        {
            return 0;
        }
    }

    switch (f->kind) {

    case NGX_MEDIA_FILE_FLV:
        return ngx_media_file_flv_valid(f);

    case NGX_MEDIA_FILE_MP4:
        return ngx_media_file_mp4_valid(f);

    case NGX_MEDIA_FILE_TS:
        return ngx_media_file_ts_valid(f);

    default:
        return 0;
    }
}


void
ngx_media_file_rebase(ngx_media_file_t *f, int64_t gap)
{
    unsigned  i;

    if (ngx_media_file_fresh(f)) {
        f->begun = 0;
        return;
    }

    f->begun = 0;
    f->end += gap > 0 ? gap : 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        f->track[i].last = f->end;
        f->track[i].step = 0;
    }

    if (f->kind == NGX_MEDIA_FILE_MP4) {
        ngx_media_file_mp4_rebase(f);
    }
}


size_t
ngx_media_file_room(const ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n)
{
    ngx_media_file_t  next;

    next = *f;

    if (ngx_media_file_begin(&next, frames, n) != NGX_MEDIA_OK) {
        return 0;
    }

    switch (f->kind) {

    case NGX_MEDIA_FILE_FLV:
        return ngx_media_file_flv_room(&next, frames, n);

    case NGX_MEDIA_FILE_MP4:
        return ngx_media_file_mp4_room(&next, frames, n);

    default:
        return ngx_media_file_ts_room(&next, frames, n);
    }
}


ssize_t
ngx_media_file_batch(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n, u_char *buf, size_t size)
{
    int64_t           end;
    ssize_t           bytes;
    unsigned          i;
    ngx_media_file_t  next;

    next = *f;

    if (ngx_media_file_begin(&next, frames, n) != NGX_MEDIA_OK) {
        return 0;
    }

    switch (f->kind) {

    case NGX_MEDIA_FILE_FLV:
        bytes = ngx_media_file_flv_batch(&next, frames, n, buf, size);
        break;

    case NGX_MEDIA_FILE_MP4:
        bytes = ngx_media_file_mp4_batch(&next, frames, n, buf, size);
        break;

    default:
        bytes = ngx_media_file_ts_batch(&next, frames, n, buf, size);
    }

    if (bytes < 0) {
        return bytes;
    }

    if (bytes == 0) {
        f->skipped = next.skipped;
        return 0;
    }

    next.bytes += (uint64_t) bytes;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        end = ngx_media_file_end(&next, i);

        if (end > next.end) {
            next.end = end;
        }
    }

    *f = next;

    return bytes;
}


ssize_t
ngx_media_file_close(ngx_media_file_t *f, const ngx_media_file_key_t *keys,
    uint32_t nkeys, u_char *buf, size_t size, uint32_t *append,
    ngx_media_file_patch_t *patches, uint32_t *npatches)
{
    *append = 0;
    *npatches = 0;

    if (ngx_media_file_fresh(f)) {
        return 0;
    }

    switch (f->kind) {

    case NGX_MEDIA_FILE_FLV:
        return ngx_media_file_flv_close(f, keys, nkeys, buf, size, patches,
                                        npatches);

    case NGX_MEDIA_FILE_MP4:
        return ngx_media_file_mp4_close(f, buf, size, patches, npatches);

    default:
        return 0;
    }
}


/*
 * Finds the time that is 0 in a new file, or the end of one that goes on: that
 * of the earliest frame near the first one.
 */

static int
ngx_media_file_begin(ngx_media_file_t *f, const ngx_media_frame_t *frames,
    uint32_t n)
{
    int64_t   first, least;
    uint32_t  i;

    if (f->begun) {
        return NGX_MEDIA_OK;
    }

    first = 0;
    least = 0;

    for (i = 0; i < n; i++) {

        if (!ngx_media_file_media(&frames[i])
            || frames[i].dts > NGX_MEDIA_FILE_MAX_TIME
            || frames[i].dts < -NGX_MEDIA_FILE_MAX_TIME)
        {
            continue;
        }

        if (!f->begun) {
            f->begun = 1;
            first = frames[i].dts;
            least = first;

        } else if (frames[i].dts < least
                   && frames[i].dts >= first - NGX_MEDIA_FILE_LATE)
        {
            least = frames[i].dts;
        }
    }

    if (!f->begun) {
        return NGX_MEDIA_DECLINED;
    }

    f->base = least - f->end;

    return NGX_MEDIA_OK;
}


int
ngx_media_file_time(const ngx_media_file_t *f, const ngx_media_frame_t *frame,
    int64_t *time)
{
    int64_t                        t;
    const ngx_media_file_track_t  *track;

    if (frame->dts > NGX_MEDIA_FILE_MAX_TIME
        || frame->dts < -NGX_MEDIA_FILE_MAX_TIME)
    {
        return NGX_MEDIA_DECLINED;
    }

    t = frame->dts - f->base;

    if (t < -NGX_MEDIA_FILE_LATE) {
        return NGX_MEDIA_DECLINED;
    }

    if (t < 0) {
        t = 0;
    }

    track = &f->track[frame->track];

    if (track->codec && t < track->last - NGX_MEDIA_FILE_BACK) {
        return NGX_MEDIA_DECLINED;
    }

    if (f->frames && t > ngx_media_file_newest(f) + NGX_MEDIA_FILE_LEAP) {
        return NGX_MEDIA_DECLINED;
    }

    *time = t;

    return NGX_MEDIA_OK;
}


void
ngx_media_file_count(ngx_media_file_t *f, const ngx_media_frame_t *frame,
    int64_t time)
{
    int64_t                  step;
    ngx_media_file_track_t  *track;

    track = &f->track[frame->track];

    step = time - track->last;

    if (track->codec && step > 0) {
        track->step = (uint32_t) (step < NGX_MEDIA_FILE_STEP
                                  ? step : NGX_MEDIA_FILE_STEP);
    }

    if (time > track->last) {
        track->last = time;
    }

    track->codec = frame->codec;
    f->frames++;
}


int64_t
ngx_media_file_end(const ngx_media_file_t *f, unsigned track)
{
    const ngx_media_file_track_t  *t;

    t = &f->track[track];

    if (t->codec == NGX_MEDIA_CODEC_NONE) {
        return 0;
    }

    /* the clock of MP4 knows better */

    return f->kind == NGX_MEDIA_FILE_MP4 ? t->last : t->last + t->step;
}


int64_t
ngx_media_file_newest(const ngx_media_file_t *f)
{
    int64_t   newest;
    unsigned  i;

    newest = 0;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {
        if (f->track[i].last > newest) {
            newest = f->track[i].last;
        }
    }

    return newest;
}


/* FNV-1a */

uint32_t
ngx_media_file_hash(const u_char *p, size_t n)
{
    uint32_t  hash;

    hash = 2166136261u;

    while (n--) {
        hash = (hash ^ *p++) * 16777619u;
    }

    return hash ? hash : 1;
}
