
/*
 * Copyright (C) the nginx media suite authors
 *
 * Threads: playlists of recordings.  Each recording is a file, its segments
 * are ranges of bytes of it, which begin where its index says that decoding
 * can begin; so nothing is written twice.  Of the file that is still being
 * written only those segments are listed that nothing will be added to: a
 * later version of the playlist begins with what this one says.
 *
 * RFC 8216, sections 4.3 and 6.2.
 */


#include "ngx_media_vod.h"
#include "ngx_media_text.h"


#define NGX_MEDIA_VOD_RATE       500000      /* us; a shorter one is no
                                             * measure */
#define NGX_MEDIA_VOD_TEXT       (64 * 1024)
#define NGX_MEDIA_VOD_TEXT_MAX   (32 * 1024 * 1024)

/* of all playlists that a worker is making or sending */
#define NGX_MEDIA_VOD_TEXT_ALL   (128 * 1024 * 1024)


typedef struct {
    ngx_media_vod_job_t    *job;
    ngx_media_vod_file_t    file;
    ngx_media_vod_keys_t    keys;
    ngx_media_file_key_t    begin;       /* of the segment at hand */
    int64_t                 longest;     /* us between two keys */
    int64_t                 prev;        /* us, of the key before */
    ngx_uint_t              n;           /* segments of this file */
} ngx_media_vod_list_t;


static ngx_int_t ngx_media_vod_list_each(void *data,
    const ngx_media_recording_t *r);
static ngx_uint_t ngx_media_vod_list_usable(ngx_media_vod_job_t *job,
    ngx_media_vod_file_t *file);
static ngx_int_t ngx_media_vod_list_file(ngx_media_vod_list_t *l);
static const ngx_media_file_key_t *ngx_media_vod_list_first(
    ngx_media_vod_list_t *l);
static ngx_int_t ngx_media_vod_list_segment(ngx_media_vod_list_t *l,
    uint64_t end, int64_t time);
static void ngx_media_vod_list_begin(ngx_media_vod_list_t *l,
    ngx_media_text_t *t);
static void ngx_media_vod_list_uri(ngx_media_vod_list_t *l,
    ngx_media_text_t *t);
static u_char *ngx_media_vod_list_room(ngx_media_vod_job_t *job, size_t n);


static ngx_atomic_t  ngx_media_vod_list_all;


void
ngx_media_vod_list_run(ngx_media_vod_job_t *job)
{
    ngx_int_t  rc;

    job->status = NGX_HTTP_NOT_FOUND;
    job->whole = 1;

    if (ngx_media_vod_root_open(job) != NGX_OK) {
        return;
    }

    rc = ngx_media_vod_walk(job, ngx_media_vod_list_each);

    ngx_media_vod_root_close(job);

    /* half a list is none: a player would take its end for that of all */

    if (job->busy) {
        job->status = NGX_HTTP_SERVICE_UNAVAILABLE;

    } else if (rc != NGX_OK || job->err) {
        job->status = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else if (job->len) {
        job->status = NGX_OK;
    }
}


static ngx_int_t
ngx_media_vod_list_each(void *data, const ngx_media_recording_t *r)
{
    ngx_media_vod_job_t *job = data;

    ngx_int_t             rc;
    ngx_media_vod_list_t  l;

    if (r->kind == NGX_MEDIA_FILE_FLV || (job->kind && job->kind != r->kind)) {
        job->other++;
        return NGX_OK;
    }

    if (ngx_media_vod_file_open(job, r, &l.file) != NGX_OK) {
        return NGX_OK;
    }

    rc = NGX_OK;

    if (ngx_media_vod_list_usable(job, &l.file)) {

        l.job = job;
        l.longest = 0;
        l.n = 0;

        ngx_media_vod_keys_open(job, &l.file, &l.keys);

        rc = ngx_media_vod_list_file(&l);

        ngx_media_vod_keys_close(&l.keys);
    }

    ngx_media_vod_file_close(&l.file);

    return rc;
}


static ngx_uint_t
ngx_media_vod_list_usable(ngx_media_vod_job_t *job, ngx_media_vod_file_t *file)
{
    if (file->rec.kind == NGX_MEDIA_FILE_MP4
        && ngx_media_vod_file_init(file) != NGX_OK)
    {
        /* it is progressive, or there is nothing in it yet */

        if (file->rec.state != NGX_MEDIA_RECORD_OPEN) {
            job->other++;
            return 0;
        }

        job->whole = 0;
        return 0;
    }

    return 1;
}


static ngx_int_t
ngx_media_vod_list_file(ngx_media_vod_list_t *l)
{
    int64_t                      to, fragment;
    ngx_media_vod_job_t         *job;
    const ngx_media_file_key_t  *key;

    job = l->job;
    fragment = (int64_t) job->fragment * 1000;

    /* times of the file from here on */

    to = job->to ? (job->to - l->file.rec.begin) * 1000 : INT64_MAX;

    key = ngx_media_vod_list_first(l);
    l->prev = l->begin.time;

    for ( /* void */ ; key; key = ngx_media_vod_keys_next(&l->keys)) {

        l->longest = ngx_max(l->longest, key->time - l->prev);
        l->prev = key->time;

        if (key->time < to && key->time - l->begin.time < fragment) {
            continue;
        }

        if (ngx_media_vod_list_segment(l, key->offset, key->time) != NGX_OK) {
            return NGX_ERROR;
        }

        l->begin = *key;

        if (key->time >= to) {
            return NGX_OK;
        }
    }

    if (l->file.rec.state == NGX_MEDIA_RECORD_OPEN) {
        job->whole = 0;
        job->target = ngx_max(job->target, fragment + l->longest);
        return NGX_OK;
    }

    return ngx_media_vod_list_segment(l, l->file.bytes,
                                      (int64_t) l->file.rec.duration * 1000);
}


/*
 * Fills l->begin: where decoding can begin at or before the time that is asked
 * for.  Returns the key behind it.
 */

static const ngx_media_file_key_t *
ngx_media_vod_list_first(ngx_media_vod_list_t *l)
{
    int64_t                      from;
    const ngx_media_file_key_t  *key;

    from = (l->job->from - l->file.rec.begin) * 1000;

    l->begin.offset = l->file.init;
    l->begin.time = 0;

    key = ngx_media_vod_keys_next(&l->keys);

    /* the first one, with what stands before it: from the beginning on */

    if (key) {
        key = ngx_media_vod_keys_next(&l->keys);
    }

    while (key && key->time <= from) {
        l->begin = *key;
        key = ngx_media_vod_keys_next(&l->keys);
    }

    return key;
}


/* from l->begin to an offset and a time */

static ngx_int_t
ngx_media_vod_list_segment(ngx_media_vod_list_t *l, uint64_t end,
    int64_t time)
{
    int64_t               duration;
    ngx_media_text_t      t;
    ngx_media_vod_job_t  *job;

    job = l->job;

    if (end <= l->begin.offset) {
        return NGX_OK;
    }

    duration = ngx_max(time - l->begin.time, 1000);
    job->target = ngx_max(job->target, duration);
    job->kind = l->file.rec.kind;

    if (duration >= NGX_MEDIA_VOD_RATE) {
        job->rate = ngx_max(job->rate, (end - l->begin.offset) * 8000
                                       / (uint64_t) (duration / 1000));
    }

    ngx_media_text_init(&t, ngx_media_vod_list_room(job, 0), job->size);

    for ( ;; ) {
        t.len = job->len;

        if (l->n == 0) {
            ngx_media_vod_list_begin(l, &t);
        }

        ngx_media_text_lit(&t, "#EXTINF:");
        ngx_media_text_us(&t, (uint64_t) duration);
        ngx_media_text_lit(&t, ",\n#EXT-X-BYTERANGE:");
        ngx_media_text_uint(&t, end - l->begin.offset);
        ngx_media_text_lit(&t, "@");
        ngx_media_text_uint(&t, l->begin.offset);
        ngx_media_text_lit(&t, "\n");
        ngx_media_vod_list_uri(l, &t);
        ngx_media_text_lit(&t, "\n");

        if (t.len <= t.size) {
            break;
        }

        t.data = ngx_media_vod_list_room(job, t.len);

        if (t.data == NULL) {
            return NGX_ERROR;
        }

        t.size = job->size;
    }

    job->len = t.len;
    l->n++;

    return NGX_OK;
}


/* before the first segment of a file */

static void
ngx_media_vod_list_begin(ngx_media_vod_list_t *l, ngx_media_text_t *t)
{
    if (t->len) {
        ngx_media_text_lit(t, "#EXT-X-DISCONTINUITY\n");
    }

    if (l->file.init) {
        ngx_media_text_lit(t, "#EXT-X-MAP:URI=\"");
        ngx_media_vod_list_uri(l, t);
        ngx_media_text_lit(t, "\",BYTERANGE=\"");
        ngx_media_text_uint(t, l->file.init);
        ngx_media_text_lit(t, "@0\"\n");
    }

    ngx_media_text_lit(t, "#EXT-X-PROGRAM-DATE-TIME:");
    ngx_media_text_time(t, l->file.rec.begin * 1000 + l->begin.time);
    ngx_media_text_lit(t, "\n");
}


static void
ngx_media_vod_list_uri(ngx_media_vod_list_t *l, ngx_media_text_t *t)
{
    ngx_media_vod_job_t  *job;

    job = l->job;

    ngx_media_text_put(t, job->escaped.data, job->escaped.len);
    ngx_media_text_lit(t, ".rec.");
    ngx_media_text_put(t, l->file.rec.id, NGX_MEDIA_VOD_ID);
    ngx_media_text_str(t, ngx_media_file_ending(l->file.rec.kind));

    if (job->args.len) {
        ngx_media_text_lit(t, "?");
        ngx_media_text_put(t, job->args.data, job->args.len);
    }
}


/*
 * Room for n bytes in all; the text, or NULL.  Arguments of a request stand in
 * each line of its playlist, so that many of them could fill the memory.
 */

static u_char *
ngx_media_vod_list_room(ngx_media_vod_job_t *job, size_t n)
{
    u_char  *p;
    size_t   size;

    if (n <= job->size) {
        return job->text;
    }

    size = job->size ? job->size : NGX_MEDIA_VOD_TEXT;

    while (size < n) {
        size *= 2;
    }

    if (size > NGX_MEDIA_VOD_TEXT_MAX) {
        job->err = NGX_ENOMEM;
        return NULL;
    }

    if (ngx_atomic_fetch_add(&ngx_media_vod_list_all, size - job->size)
        + size - job->size > NGX_MEDIA_VOD_TEXT_ALL)
    {
        job->busy = 1;
        p = NULL;

    } else {
        p = realloc(job->text, size);
    }

    if (p == NULL) {
        (void) ngx_atomic_fetch_add(&ngx_media_vod_list_all,
                                    job->size - size);
        return NULL;
    }

    job->text = p;
    job->size = size;

    return p;
}


void
ngx_media_vod_list_free(ngx_media_vod_job_t *job)
{
    if (job->text) {
        free(job->text);
        (void) ngx_atomic_fetch_add(&ngx_media_vod_list_all,
                                    -(ngx_atomic_int_t) job->size);
        job->text = NULL;
    }
}


size_t
ngx_media_vod_list_head(ngx_media_vod_job_t *job, u_char *buf, size_t n)
{
    ngx_media_text_t  t;

    ngx_media_text_init(&t, buf, n);

    ngx_media_text_lit(&t, "#EXTM3U\n#EXT-X-VERSION:7\n"
                           "#EXT-X-TARGETDURATION:");
    ngx_media_text_uint(&t, (uint64_t) (job->target + 999999) / 1000000);

    if (job->whole) {
        ngx_media_text_lit(&t, "\n#EXT-X-PLAYLIST-TYPE:VOD\n");

    } else {
        ngx_media_text_lit(&t, "\n#EXT-X-PLAYLIST-TYPE:EVENT\n");
    }

    ngx_media_text_lit(&t, "#EXT-X-MEDIA-SEQUENCE:0\n"
                           "#EXT-X-INDEPENDENT-SEGMENTS\n");

    return t.len;
}


/* instead of segments, of which nothing is left then */

size_t
ngx_media_vod_list_master(ngx_media_vod_job_t *job, u_char *buf, size_t n)
{
    ngx_media_text_t  t;

    job->len = 0;

    ngx_media_text_init(&t, buf, n);

    ngx_media_text_lit(&t, "#EXTM3U\n#EXT-X-VERSION:7\n"
                           "#EXT-X-INDEPENDENT-SEGMENTS\n"
                           "#EXT-X-STREAM-INF:BANDWIDTH=");
    ngx_media_text_uint(&t, ngx_max(job->rate, 1));
    ngx_media_text_lit(&t, "\n");
    ngx_media_text_put(&t, job->escaped.data, job->escaped.len);
    ngx_media_text_lit(&t, ".m3u8?");
    ngx_media_text_put(&t, job->args.data, job->args.len);
    ngx_media_text_lit(&t, "\n");

    return t.len;
}
