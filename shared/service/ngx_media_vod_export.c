
/*
 * Copyright (C) the nginx media suite authors
 *
 * Threads: a range of time as one MP4.  The answer is the init segment of the
 * first recording and then fragments as they lie in the files, each moof with
 * another time and number in the same bytes, each mdat out of the file.  So the
 * length is known before, and nothing but headers passes through memory.
 *
 * First a plan is made: which bytes of which files, and how far each is to be
 * moved, so that one begins where the one before it ended.  Then, as the
 * client takes them, step by step some fragments are read and sent; see
 * ngx_media_vod_send.c.
 */


#include "ngx_media_vod_export.h"
#include "ngx_media_template.h"


#define NGX_MEDIA_VOD_PIECES     4096
#define NGX_MEDIA_VOD_INIT       (1024 * 1024)
#define NGX_MEDIA_VOD_MOOF       (4 * 1024 * 1024)
#define NGX_MEDIA_VOD_APART      1024     /* boxes of a fragment, at most */


static ngx_int_t ngx_media_vod_export_each(void *data,
    const ngx_media_recording_t *r);
static ngx_int_t ngx_media_vod_export_movie(ngx_media_vod_job_t *job,
    ngx_media_vod_file_t *file, ngx_media_mp4_movie_t *movie);
static ngx_int_t ngx_media_vod_export_piece(ngx_media_vod_job_t *job,
    ngx_media_vod_file_t *file, ngx_media_mp4_movie_t *movie);
static void ngx_media_vod_export_pick(ngx_media_vod_job_t *job,
    ngx_media_vod_file_t *file, ngx_media_vod_pick_t *pick);
static ngx_int_t ngx_media_vod_export_span(ngx_media_vod_export_t *ex,
    int fd, ngx_media_mp4_movie_t *movie, uint64_t *pos, uint64_t end,
    int64_t *first, int64_t *last);
static ngx_int_t ngx_media_vod_export_add(ngx_media_vod_job_t *job,
    const ngx_media_vod_piece_t *piece, const ngx_str_t *name);
static ngx_int_t ngx_media_vod_export_moof(ngx_media_vod_export_t *ex, int fd,
    uint64_t pos, uint64_t size, u_char **p);
static ngx_int_t ngx_media_vod_export_box(int fd, uint64_t pos, uint64_t end,
    ngx_media_mp4_box_t *box);
static ngx_int_t ngx_media_vod_export_next(ngx_media_vod_job_t *job);
static ngx_int_t ngx_media_vod_export_file(ngx_media_vod_job_t *job);
static void ngx_media_vod_export_file_span(ngx_media_vod_export_t *ex,
    uint64_t size);


/* --- the plan ----------------------------------------------------------- */

void
ngx_media_vod_export_run(ngx_media_vod_job_t *job)
{
    ngx_int_t                rc;
    ngx_media_vod_export_t  *ex;

    job->status = NGX_HTTP_NOT_FOUND;

    ex = ngx_pcalloc(job->pool, sizeof(ngx_media_vod_export_t));

    if (ex == NULL || ngx_media_vod_root_open(job) != NGX_OK) {
        return;
    }

    ex->file.fd = -1;
    job->export = ex;

    rc = ngx_media_vod_walk(job, ngx_media_vod_export_each);

    ngx_media_vod_root_close(job);

    if (rc != NGX_OK && !ex->closed) {
        job->status = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else if (ex->npieces) {
        job->status = NGX_OK;
    }
}


static ngx_int_t
ngx_media_vod_export_each(void *data, const ngx_media_recording_t *r)
{
    ngx_media_vod_job_t *job = data;

    ngx_int_t               rc;
    ngx_media_vod_file_t    file;
    ngx_media_mp4_movie_t   movie;

    if (r->kind != NGX_MEDIA_FILE_MP4) {
        job->other++;
        return NGX_OK;
    }

    if (ngx_media_vod_file_open(job, r, &file) != NGX_OK) {
        return NGX_OK;
    }

    rc = ngx_media_vod_file_init(&file);

    if (rc == NGX_OK) {
        rc = ngx_media_vod_export_movie(job, &file, &movie);
    }

    if (rc == NGX_OK) {
        rc = ngx_media_vod_export_piece(job, &file, &movie);
    }

    ngx_media_vod_file_close(&file);

    if (rc == NGX_DECLINED && r->state != NGX_MEDIA_RECORD_OPEN) {
        job->other++;
    }

    return (rc == NGX_DECLINED) ? NGX_OK : rc;
}


/*
 * The tracks of a file.  NGX_DONE: they are others than before, which ends the
 * range; NGX_DECLINED: they can't be read.
 */

static ngx_int_t
ngx_media_vod_export_movie(ngx_media_vod_job_t *job,
    ngx_media_vod_file_t *file, ngx_media_mp4_movie_t *movie)
{
    u_char                  *init, *p;
    ngx_int_t                rc;
    ngx_media_mp4_box_t      box;
    ngx_media_vod_export_t  *ex;

    ex = job->export;

    if (file->init > NGX_MEDIA_VOD_INIT) {
        return NGX_DECLINED;
    }

    init = ngx_palloc(job->pool, (size_t) file->init);
    if (init == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_DECLINED;

    if (ngx_media_vod_read(file->fd, init, (size_t) file->init, 0) != NGX_OK) {
        goto done;
    }

    for (p = init; ; p += box.size) {

        if (ngx_media_mp4_box(p, init + file->init, &box) != NGX_MEDIA_OK
            || box.size == 0 || box.size > (size_t) (init + file->init - p))
        {
            goto done;
        }

        if (box.type == NGX_MEDIA_MP4_MOOV) {
            break;
        }
    }

    if (ngx_media_mp4_movie(movie, p, p + box.size) != NGX_MEDIA_OK) {
        goto done;
    }

    if (ex->npieces == 0) {
        ex->init = init;
        ex->init_size = (size_t) file->init;
        ex->movie = *movie;
        return NGX_OK;
    }

    if (ngx_media_mp4_movie_same(&ex->movie, movie)) {

        /* what is of it now is of no use without its moov */

        *movie = ex->movie;
        rc = NGX_OK;

    } else {
        ex->closed = 1;
        rc = NGX_DONE;
    }

done:

    ngx_pfree(job->pool, init);

    return rc;
}


/* which bytes of a file, and from when to when they last */

static ngx_int_t
ngx_media_vod_export_piece(ngx_media_vod_job_t *job,
    ngx_media_vod_file_t *file, ngx_media_mp4_movie_t *movie)
{
    int64_t                  first, last, begin, end;
    uint64_t                 pos, tail;
    struct stat              st;
    ngx_media_vod_pick_t     pick;
    ngx_media_vod_piece_t    piece;
    ngx_media_vod_export_t  *ex;

    ex = job->export;

    ngx_media_vod_export_pick(job, file, &pick);

    pos = pick.from;

    if (ngx_media_vod_export_span(ex, file->fd, movie, &pos, pick.to, &begin,
                                  &end)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* the end, from the last key on; damage ends it where it is found */

    tail = pos;
    pos = ngx_max(pos, pick.tail);

    while (ngx_media_vod_export_span(ex, file->fd, movie, &pos, pick.to,
                                     &first, &last)
           == NGX_OK)
    {
        end = ngx_max(end, last);
        tail = pos;
    }

    if (end <= begin || fstat(file->fd, &st) == -1) {
        return NGX_DECLINED;
    }

    piece.inode = st.st_ino;
    piece.from = pick.from;
    piece.to = tail;
    piece.shift = ex->time - begin;

    ex->time += end - begin;
    ex->total += piece.to - piece.from;

    if (ex->npieces == 0) {
        ex->begin = file->rec.begin + begin / 1000;
    }

    ex->end = file->rec.begin + end / 1000;

    return ngx_media_vod_export_add(job, &piece, &file->rec.file);
}


/* the keys between which it lies: whole groups of pictures */

static void
ngx_media_vod_export_pick(ngx_media_vod_job_t *job,
    ngx_media_vod_file_t *file, ngx_media_vod_pick_t *pick)
{
    int64_t                      from, to;
    ngx_uint_t                   n;
    ngx_media_vod_keys_t         keys;
    const ngx_media_file_key_t  *key;

    from = (job->from - file->rec.begin) * 1000;
    to = job->to ? (job->to - file->rec.begin) * 1000 : INT64_MAX;

    pick->from = file->init;
    pick->to = file->bytes;
    pick->tail = file->init;

    ngx_media_vod_keys_open(job, file, &keys);

    for (n = 0; /* void */ ; n++) {

        key = ngx_media_vod_keys_next(&keys);

        if (key == NULL) {
            break;
        }

        if (n && key->time >= to) {
            pick->to = key->offset;
            break;
        }

        if (n && key->time <= from) {
            pick->from = ngx_max(key->offset, file->init);
        }

        pick->tail = ngx_max(key->offset, pick->from);
    }

    ngx_media_vod_keys_close(&keys);
}


/*
 * From pos on the next fragment, whose mdat is there too: from when to when it
 * lasts; *pos is behind it.  NGX_DECLINED: there is none before end.
 */

static ngx_int_t
ngx_media_vod_export_span(ngx_media_vod_export_t *ex, int fd,
    ngx_media_mp4_movie_t *movie, uint64_t *pos, uint64_t end, int64_t *first,
    int64_t *last)
{
    int                   rc;
    u_char               *moof;
    uint64_t              p;
    ngx_uint_t            n, found;
    ngx_media_mp4_box_t   box;

    p = *pos;
    found = 0;

    for (n = 0; n < NGX_MEDIA_VOD_APART; n++, p += box.size) {

        if (ngx_media_vod_export_box(fd, p, end, &box) != NGX_OK) {
            break;
        }

        if (box.type == NGX_MEDIA_MP4_MDAT && found) {
            *pos = p + box.size;
            return NGX_OK;
        }

        if (box.type != NGX_MEDIA_MP4_MOOF) {
            continue;
        }

        if (ngx_media_vod_export_moof(ex, fd, p, box.size, &moof) != NGX_OK) {
            break;
        }

        rc = ngx_media_mp4_moof_span(movie, moof, moof + box.size, first,
                                     last);

        if (rc == NGX_MEDIA_ERROR) {
            break;
        }

        found = (rc != NGX_MEDIA_DECLINED);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_media_vod_export_add(ngx_media_vod_job_t *job,
    const ngx_media_vod_piece_t *piece, const ngx_str_t *name)
{
    ngx_media_vod_piece_t   *p;
    ngx_media_vod_export_t  *ex;

    ex = job->export;

    if (ex->npieces == NGX_MEDIA_VOD_PIECES) {
        ex->closed = 1;
        return NGX_DONE;
    }

    p = ngx_palloc(job->pool, sizeof(ngx_media_vod_piece_t) + name->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = *piece;
    p->next = NULL;
    p->name.len = name->len;
    p->name.data = (u_char *) (p + 1);

    (void) ngx_cpystrn(p->name.data, name->data, name->len + 1);

    if (ex->last) {
        ex->last->next = p;

    } else {
        ex->piece = p;
        ex->pos = p->from;
    }

    ex->last = p;
    ex->npieces++;

    return NGX_OK;
}


/* --- boxes -------------------------------------------------------------- */

/* The header of a box that lies before end.  NGX_OK, NGX_DECLINED. */

static ngx_int_t
ngx_media_vod_export_box(int fd, uint64_t pos, uint64_t end,
    ngx_media_mp4_box_t *box)
{
    size_t  n;
    u_char  head[NGX_MEDIA_MP4_HEAD_MAX];

    if (pos >= end) {
        return NGX_DECLINED;
    }

    n = (size_t) ngx_min(sizeof(head), end - pos);

    if (ngx_media_vod_read(fd, head, n, pos) != NGX_OK
        || ngx_media_mp4_box(head, head + n, box) != NGX_MEDIA_OK
        || box->size == 0 || box->size > end - pos)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* a moof, in memory that is good until the next one or the next step */

static ngx_int_t
ngx_media_vod_export_moof(ngx_media_vod_export_t *ex, int fd, uint64_t pos,
    uint64_t size, u_char **p)
{
    u_char  *mem;
    size_t   need;

    if (size > NGX_MEDIA_VOD_MOOF) {
        return NGX_DECLINED;
    }

    need = ngx_max((size_t) size, NGX_MEDIA_VOD_STEP);

    if (ex->size < need) {
        mem = realloc(ex->mem, need);

        if (mem == NULL) {
            return NGX_ERROR;
        }

        ex->mem = mem;
        ex->size = need;
    }

    *p = ex->mem + ex->used;

    return ngx_media_vod_read(fd, *p, (size_t) size, pos);
}


/* --- a step ------------------------------------------------------------- */

/* what is sent next: ex->spans, and ex->done where it is the last of it */

void
ngx_media_vod_export_step(ngx_media_vod_job_t *job)
{
    ngx_int_t                rc;
    ngx_media_vod_export_t  *ex;

    ex = job->export;

    ex->used = 0;
    ex->nspans = 0;
    ex->bytes = 0;

    do {
        rc = ngx_media_vod_export_next(job);
    } while (rc == NGX_AGAIN);

    if (rc == NGX_ERROR) {
        job->status = NGX_HTTP_INTERNAL_SERVER_ERROR;
        ngx_media_vod_file_close(&ex->file);
    }
}


/* one box more.  NGX_OK: that is enough; NGX_AGAIN; NGX_ERROR */

static ngx_int_t
ngx_media_vod_export_next(ngx_media_vod_job_t *job)
{
    u_char                  *moof;
    ngx_media_mp4_box_t      box;
    ngx_media_vod_span_t    *span;
    ngx_media_vod_export_t  *ex;

    ex = job->export;

    if (ex->nspans >= NGX_MEDIA_VOD_SPANS - 1
        || ex->bytes >= NGX_MEDIA_VOD_BYTES)
    {
        return NGX_OK;
    }

    if (ex->pos == ex->piece->to) {

        if (ex->piece->next == NULL) {
            ex->done = 1;
            return NGX_OK;
        }

        /* what is to be sent of a file needs it */

        if (ex->nspans) {
            return NGX_OK;
        }

        ex->piece = ex->piece->next;
        ex->pos = ex->piece->from;

        ngx_media_vod_file_close(&ex->file);
    }

    if (ngx_media_vod_export_file(job) != NGX_OK
        || ngx_media_vod_export_box(ex->file.fd, ex->pos, ex->piece->to, &box)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (box.type != NGX_MEDIA_MP4_MOOF) {
        ngx_media_vod_export_file_span(ex, box.size);
        return NGX_AGAIN;
    }

    if (ex->used && box.size > ex->size - ex->used) {
        return NGX_OK;
    }

    if (ngx_media_vod_export_moof(ex, ex->file.fd, ex->pos, box.size, &moof)
        != NGX_OK
        || ngx_media_mp4_moof_shift(&ex->movie, moof, (size_t) box.size,
                                    ex->piece->shift, ++ex->sequence)
           != NGX_MEDIA_OK)
    {
        return NGX_ERROR;
    }

    span = &ex->spans[ex->nspans++];

    span->in_file = 0;
    span->offset = ex->used;
    span->size = box.size;

    ex->used += (size_t) box.size;
    ex->pos += box.size;
    ex->bytes += box.size;

    return NGX_AGAIN;
}


/* opens the file of the piece at hand, which must be the one that it was */

static ngx_int_t
ngx_media_vod_export_file(ngx_media_vod_job_t *job)
{
    ngx_int_t                rc;
    struct stat              st;
    ngx_media_recording_t    r;
    ngx_media_vod_export_t  *ex;

    ex = job->export;

    if (ex->file.fd != -1) {
        return NGX_OK;
    }

    ngx_memzero(&r, sizeof(ngx_media_recording_t));

    r.file = ex->piece->name;
    r.state = NGX_MEDIA_RECORD_WHOLE;

    if (ngx_media_vod_root_open(job) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_media_vod_file_open(job, &r, &ex->file);

    ngx_media_vod_root_close(job);

    if (rc != NGX_OK || fstat(ex->file.fd, &st) == -1
        || st.st_ino != ex->piece->inode || ex->file.bytes < ex->piece->to)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_media_vod_export_file_span(ngx_media_vod_export_t *ex, uint64_t size)
{
    ngx_media_vod_span_t  *span;

    span = ex->nspans ? &ex->spans[ex->nspans - 1] : NULL;

    if (span == NULL || !span->in_file) {
        span = &ex->spans[ex->nspans++];

        span->in_file = 1;
        span->offset = ex->pos;
        span->size = 0;
    }

    span->size += size;

    ex->pos += size;
    ex->bytes += size;
}


void
ngx_media_vod_export_free(ngx_media_vod_job_t *job)
{
    ngx_media_vod_export_t  *ex;

    ex = job->export;

    if (ex == NULL) {
        return;
    }

    ngx_media_vod_file_close(&ex->file);

    if (ex->mem) {
        free(ex->mem);
    }
}
