
/*
 * Copyright (C) the nginx media suite authors
 *
 * HLS on disk: a thread writes one segment, lists it, and deletes what left
 * the playlist.  Called with an output whose job is filled, and nobody else
 * looks at what is the job's until it returns.
 *
 * Order: the journal says what will be there, then the init segment and the
 * key, the segment, the playlist by rename, and what is too old goes.  Whoever
 * is interrupted anywhere leaves a playlist that plays, and a journal that
 * knows every file.
 */


#include "ngx_media_hls_disk.h"
#include "ngx_media_template.h"

#include <ngx_md5.h>


#define NGX_MEDIA_HLS_DISK_APART    20000   /* us: playlists round to ms */
#define NGX_MEDIA_HLS_DISK_SAME    1500      /* us: playlists have ms */


static ngx_int_t ngx_media_hls_job_names(ngx_media_hls_disk_t *d);
static ngx_int_t ngx_media_hls_job_load(ngx_media_hls_disk_t *d, int root,
    int lock);
static void ngx_media_hls_job_strays(ngx_media_hls_disk_t *d, int root,
    ngx_media_hls_journal_t *j);
static ngx_uint_t ngx_media_hls_job_known(ngx_media_hls_disk_t *d);
static ngx_int_t ngx_media_hls_job_init(ngx_media_hls_disk_t *d, int root,
    int lock);
static ngx_int_t ngx_media_hls_job_common(ngx_media_hls_disk_t *d, int root,
    int lock, u_char *data, size_t size);
static ngx_int_t ngx_media_hls_job_key(ngx_media_hls_disk_t *d, int root,
    int lock);
static ngx_int_t ngx_media_hls_job_segment(ngx_media_hls_disk_t *d, int root,
    int lock);
static ngx_int_t ngx_media_hls_job_list(ngx_media_hls_disk_t *d, int root);
static void ngx_media_hls_job_master(ngx_media_hls_disk_t *d, int root);
static void ngx_media_hls_job_clean(ngx_media_hls_disk_t *d, int root,
    ngx_uint_t now);
static ngx_int_t ngx_media_hls_job_failed(ngx_media_hls_disk_t *d,
    ngx_uint_t cause, const u_char *name);


void
ngx_media_hls_disk_run(ngx_media_hls_disk_t *d)
{
    int                   root, lock;
    ngx_int_t             rc;
    ngx_media_hls_job_t  *job;

    job = d->job;
    job->cause = NGX_MEDIA_HLS_DISK_OK;

    if (ngx_media_hls_job_names(d) != NGX_OK) {
        return;
    }

    root = ngx_media_disk_root(d->conf->path.data);

    if (root == -1) {
        (void) ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_ROOT, NULL);
        return;
    }

    lock = ngx_media_disk_lock(root, NGX_MEDIA_HLS_DISK_DIR, d->id, 1);

    if (lock == -1) {
        (void) ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_ROOT,
                                        (u_char *) NGX_MEDIA_HLS_DISK_DIR);
        (void) close(root);
        return;
    }

    rc = ngx_media_hls_job_load(d, root, lock);

    if (rc == NGX_OK && ngx_media_hls_job_known(d)) {
        job->known = 1;

    } else if (rc == NGX_OK) {

        rc = ngx_media_hls_job_segment(d, root, lock);

        if (rc != NGX_OK && job->err == NGX_ENOSPC) {

            /* what only late players may want makes room */

            ngx_media_hls_job_clean(d, root, 1);
        }
    }

    (void) close(lock);
    (void) close(root);
}


static ngx_int_t
ngx_media_hls_job_failed(ngx_media_hls_disk_t *d, ngx_uint_t cause,
    const u_char *name)
{
    ngx_media_hls_job_t  *job;

    job = d->job;

    job->err = ngx_errno;
    job->cause = cause;

    (void) ngx_cpystrn(job->name, name ? (u_char *) name : (u_char *) "",
                       NGX_MEDIA_DISK_NAME);

    return NGX_ERROR;
}


static ngx_int_t
ngx_media_hls_job_names(ngx_media_hls_disk_t *d)
{
    u_char     md5[16], *p;
    ngx_md5_t  ctx;

    if (d->named) {
        return NGX_OK;
    }

    if (ngx_media_hls_disk_name(d, &d->conf->m3u8_file, NULL, d->m3u8)
        != NGX_OK)
    {
        ngx_set_errno(0);
        return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_NAME, d->m3u8);
    }

    ngx_media_hls_disk_uri(d, d->m3u8, d->m3u8_uri);

    ngx_md5_init(&ctx);
    ngx_md5_update(&ctx, d->m3u8, ngx_strlen(d->m3u8));
    ngx_md5_final(md5, &ctx);

    p = ngx_hex_dump(d->id, md5, 16);
    *p = '\0';

    d->named = 1;

    return NGX_OK;
}


/* --- what was there before ---------------------------------------------- */

/*
 * Somebody else may have written since, or nobody ever did.  The journal of
 * another stream that is being written now is left alone.
 */

static ngx_int_t
ngx_media_hls_job_load(ngx_media_hls_disk_t *d, int root, int lock)
{
    u_char                   *text;
    ssize_t                   n;
    ngx_int_t                 rc;
    ngx_uint_t                same, keep;
    struct stat               st;
    ngx_media_hls_journal_t   j;

    rc = ngx_media_hls_journal_read(lock, &j);

    if (rc == NGX_OK) {

        same = j.vhost.len == d->vhost.len && j.app.len == d->app.len
               && j.stream.len == d->stream.len
               && ngx_memcmp(j.vhost.data, d->vhost.data, d->vhost.len) == 0
               && ngx_memcmp(j.app.data, d->app.data, d->app.len) == 0
               && ngx_memcmp(j.stream.data, d->stream.data, d->stream.len)
                  == 0;

        if (!same && j.state == 'O' && fstat(lock, &st) == 0
            && time(NULL) - st.st_mtime < 60)
        {
            ngx_free(j.text);
            ngx_set_errno(0);
            return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_TAKEN,
                                            d->m3u8);
        }

        if (same && d->loaded
            && ngx_memcmp(j.stamp, d->stamp, NGX_MEDIA_HLS_DISK_STAMP) == 0)
        {
            ngx_free(j.text);
            return NGX_OK;
        }
    }

    keep = d->conf->recover || d->follow || d->loaded;

    ngx_media_hls_list_clear(&d->list);

    n = ngx_media_disk_get(root, d->m3u8, NGX_MEDIA_HLS_DISK_TEXT, &text);

    if (n >= 0) {
        (void) ngx_media_hls_list_read(d, text, (size_t) n);
        ngx_free(text);
    }

    if (!keep && d->conf->cleanup) {
        (void) ngx_media_disk_remove(root, d->m3u8);

        while (d->list.nfiles) {

            if (d->list.file[0].name) {
                (void) ngx_media_disk_remove(root, d->list.file[0].name);
            }

            ngx_media_hls_list_drop(&d->list, 0);
        }
    }

    if (!keep) {
        ngx_media_hls_list_clear(&d->list);
    }

    if (rc == NGX_OK) {

        if (d->conf->cleanup) {
            ngx_media_hls_job_strays(d, root, &j);
        }

        ngx_free(j.text);
    }

    d->loaded = 1;

    return NGX_OK;
}


/* files that the one before had not deleted yet */

static void
ngx_media_hls_job_strays(ngx_media_hls_disk_t *d, int root,
    ngx_media_hls_journal_t *j)
{
    u_char  *name;

    for ( ;; ) {

        name = ngx_media_hls_journal_next(j);

        if (name == NULL) {
            return;
        }

        if (!ngx_media_hls_list_has(&d->list, name)
            && ngx_strstr(name, ".m3u8") == NULL)
        {
            (void) ngx_media_disk_remove(root, name);
        }
    }
}


/*
 * What the store had when this output began may be there: the one before wrote
 * it, and may have died before it could tell.
 */

static ngx_uint_t
ngx_media_hls_job_known(ngx_media_hls_disk_t *d)
{
    ngx_media_hls_list_t  *list;

    list = &d->list;

    return list->nfiles && d->job->segment.msn < d->older
           && d->job->segment.pdt < list->file[list->nfiles - 1].pdt
                                    + NGX_MEDIA_HLS_DISK_SAME;
}


/* --- the segment -------------------------------------------------------- */

static ngx_int_t
ngx_media_hls_job_init(ngx_media_hls_disk_t *d, int root, int lock)
{
    size_t                len;
    u_char                name[NGX_MEDIA_DISK_NAME],
                          uri[3 * NGX_MEDIA_DISK_NAME];
    ngx_media_hls_job_t  *job;

    job = d->job;

    if (job->init_size == 0
        || ngx_media_hls_list_init(&d->list, job->segment.init, 0))
    {
        return NGX_OK;
    }

    len = ngx_strlen(d->m3u8);

    if (len > 5 && ngx_strcmp(d->m3u8 + len - 5, ".m3u8") == 0) {
        len -= 5;
    }

    *ngx_snprintf(name, sizeof(name) - 1, "%*s-%08xD.mp4", len, d->m3u8,
                  job->segment.init) = '\0';

    if (ngx_media_template_path(name, name + ngx_strlen(name))
        != NGX_MEDIA_OK)
    {
        ngx_set_errno(0);
        return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_NAME, name);
    }

    ngx_media_hls_disk_uri(d, name, uri);

    if (ngx_media_hls_list_add_init(&d->list, name, uri, job->segment.init, 0)
        != NGX_OK)
    {
        return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_MEMORY, name);
    }

    return ngx_media_hls_job_common(d, root, lock, job->init, job->init_size);
}


/* writes what was added to the list last, or takes it out again */

static ngx_int_t
ngx_media_hls_job_common(ngx_media_hls_disk_t *d, int root, int lock,
    u_char *data, size_t size)
{
    ngx_int_t              rc;
    ngx_media_hls_list_t  *list;

    list = &d->list;

    if (ngx_media_hls_journal_write(lock, d, NULL) != NGX_OK) {
        rc = ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_WRITE,
                                      (u_char *) NGX_MEDIA_HLS_DISK_DIR);

    } else if (ngx_media_disk_put(root, list->init[list->ninits - 1].name,
                                  data, size)
               != NGX_OK)
    {
        rc = ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_WRITE,
                                      list->init[list->ninits - 1].name);

    } else {
        return NGX_OK;
    }

    ngx_media_hls_list_drop_init(list, list->ninits - 1);

    return rc;
}


/* one for as many segments as it is used for, named by the first of them */

static ngx_int_t
ngx_media_hls_job_key(ngx_media_hls_disk_t *d, int root, int lock)
{
    u_char                name[NGX_MEDIA_DISK_NAME],
                          uri[3 * NGX_MEDIA_DISK_NAME];
    ngx_media_hls_job_t  *job;

    job = d->job;

    if (job->segment.key == 0
        || ngx_media_hls_list_init(&d->list, job->segment.key, 1))
    {
        return NGX_OK;
    }

    if (ngx_media_hls_disk_name(d, &d->conf->key_file, NULL, name) != NGX_OK) {
        ngx_set_errno(0);
        return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_NAME, d->m3u8);
    }

    ngx_media_hls_disk_key_uri(d, name, uri);

    if (ngx_media_hls_list_add_init(&d->list, name, uri, job->segment.key, 1)
        != NGX_OK)
    {
        return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_MEMORY, name);
    }

    return ngx_media_hls_job_common(d, root, lock, job->key,
                                    NGX_MEDIA_HLS_KEY_LEN);
}


/* does it follow the last one without a break? */

static ngx_uint_t
ngx_media_hls_job_follows(ngx_media_hls_disk_t *d)
{
    int64_t                diff;
    ngx_media_hls_file_t  *last;

    if (d->list.nfiles == 0) {
        return 1;
    }

    last = &d->list.file[d->list.nfiles - 1];
    diff = d->job->segment.pdt - last->pdt - last->duration;

    return last->pdt && diff > -NGX_MEDIA_HLS_DISK_APART
           && diff < NGX_MEDIA_HLS_DISK_APART;
}


static ngx_int_t
ngx_media_hls_job_segment(ngx_media_hls_disk_t *d, int root, int lock)
{
    ngx_media_hls_job_t   *job;
    ngx_media_hls_file_t   file;
    ngx_media_hls_list_t  *list;

    job = d->job;
    list = &d->list;

    job->seq = list->next ? list->next : job->segment.msn;

    if (ngx_media_hls_disk_name(d, &d->conf->ts_file,
                                job->container == NGX_MEDIA_HLS_MPEGTS
                                ? ".ts" : ".m4s", job->name)
        != NGX_OK)
    {
        ngx_set_errno(0);
        return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_NAME,
                                        d->m3u8);
    }

    ngx_media_hls_disk_uri(d, job->name, job->uri);

    ngx_memzero(&file, sizeof(ngx_media_hls_file_t));

    file.name = job->name;
    file.uri = job->uri;
    file.seq = job->seq;
    file.pdt = job->segment.pdt;
    file.duration = job->segment.duration;
    file.flags = job->segment.flags;
    file.init = job->segment.init;
    file.key = job->segment.key;
    file.iv = job->segment.msn;

    if (list->nfiles && !ngx_media_hls_job_follows(d)) {
        file.flags |= NGX_MEDIA_HLS_DISCONTINUITY;

    } else if (list->nfiles == 0) {
        file.flags &= ~NGX_MEDIA_HLS_DISCONTINUITY;
    }

    file.disc = list->disc + !!(file.flags & NGX_MEDIA_HLS_DISCONTINUITY);

    if (ngx_media_hls_job_init(d, root, lock) != NGX_OK
        || ngx_media_hls_job_key(d, root, lock) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_media_hls_journal_write(lock, d, job->name) != NGX_OK) {
        return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_WRITE,
                                        (u_char *) NGX_MEDIA_HLS_DISK_DIR);
    }

    if (ngx_media_disk_put(root, job->name, job->data, job->size) != NGX_OK) {
        return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_WRITE,
                                        job->name);
    }

    if (ngx_media_hls_list_add(list, &file) != NGX_OK) {
        (void) ngx_media_disk_remove(root, job->name);
        return ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_MEMORY,
                                        job->name);
    }

    return ngx_media_hls_job_list(d, root);
}


/* the segment is there: tell of it */

static ngx_int_t
ngx_media_hls_job_list(ngx_media_hls_disk_t *d, int root)
{
    size_t                 n;
    u_char                *text;
    uint32_t               disc;
    uint64_t               seq;
    ngx_int_t              rc;
    ngx_media_hls_list_t  *list;

    list = &d->list;

    list->target = ngx_max(list->target, d->job->target);
    list->target = ngx_max(list->target,
                           (d->job->segment.duration + 500000) / 1000000);

    ngx_media_hls_list_window(list, d->job->window);

    text = ngx_media_hls_list_text(d, d->job->container, &n);

    if (text == NULL) {
        rc = NGX_ERROR;
        ngx_set_errno(ENOMEM);

    } else {
        rc = ngx_media_disk_replace(root, d->m3u8, text, n);
    }

    if (rc != NGX_OK) {

        (void) ngx_media_hls_job_failed(d, NGX_MEDIA_HLS_DISK_PLAYLIST,
                                        d->m3u8);

        /* it will be written again, under the same number */

        disc = list->file[list->nfiles - 1].disc
               - !!(list->file[list->nfiles - 1].flags
                    & NGX_MEDIA_HLS_DISCONTINUITY);
        seq = list->file[list->nfiles - 1].seq;

        ngx_media_hls_list_drop(list, list->nfiles - 1);

        list->disc = disc;
        list->next = seq;

    } else {
        ngx_media_hls_job_clean(d, root, 0);
        ngx_media_hls_job_master(d, root);
    }

    if (text) {
        ngx_free(text);
    }

    return rc;
}


/*
 * Each rendition has a playlist of its own, and they are told of together.
 * Where that fails it is tried again with the next segment.
 */

static void
ngx_media_hls_job_master(ngx_media_hls_disk_t *d, int root)
{
    size_t                     n;
    u_char                    *text, *uris,
                               tag[NGX_MEDIA_HLS_TAG_LEN],
                               name[NGX_MEDIA_DISK_NAME];
    uint32_t                   i;
    ngx_media_hls_job_t       *job;
    ngx_media_m3u8_variant_t   variants[NGX_MEDIA_HLS_RENDITIONS];

    job = d->job;

    if (job->nviews == 0) {
        return;
    }

    uris = ngx_alloc(job->nviews * 3 * NGX_MEDIA_DISK_NAME, ngx_cycle->log);

    if (uris == NULL) {
        return;
    }

    ngx_memzero(variants, sizeof(variants));
    ngx_memcpy(tag, d->tag, NGX_MEDIA_HLS_TAG_LEN);

    for (i = 0; i < job->nviews; i++) {

        text = uris + i * 3 * NGX_MEDIA_DISK_NAME;

        ngx_memcpy(d->tag, job->views[i].tag, NGX_MEDIA_HLS_TAG_LEN);

        if (ngx_media_hls_disk_name(d, &d->conf->m3u8_file, NULL, name)
            == NGX_OK)
        {
            ngx_media_hls_disk_uri(d, name, text);

        } else {
            text[0] = '\0';
        }

        variants[i].uri = text;
        variants[i].uri_len = ngx_strlen(text);
        variants[i].view = &job->views[i];
    }

    d->tag[0] = '\0';

    if (ngx_media_hls_disk_name(d, &d->conf->m3u8_file, NULL, d->master)
        != NGX_OK)
    {
        d->master[0] = '\0';
    }

    ngx_memcpy(d->tag, tag, NGX_MEDIA_HLS_TAG_LEN);

    n = ngx_media_m3u8_master(variants, job->nviews, NULL, 0);
    text = ngx_alloc(n, ngx_cycle->log);

    if (text) {
        (void) ngx_media_m3u8_master(variants, job->nviews, text, n);

        if (d->master[0]) {
            (void) ngx_media_disk_replace(root, d->master, text, n);
        }

        ngx_free(text);
    }

    ngx_free(uris);
}


/* now: without the time that they are kept for players with old playlists */

static void
ngx_media_hls_job_clean(ngx_media_hls_disk_t *d, int root, ngx_uint_t now)
{
    int64_t                until;
    uint32_t               i, k;
    ngx_uint_t             used;
    ngx_media_hls_map_t   *map;
    ngx_media_hls_list_t  *list;
    ngx_media_hls_file_t  *file;

    list = &d->list;
    until = ngx_media_epoch_ms() - (now ? 0 : (int64_t) list->target * 1000);

    while (list->first > 0) {

        file = &list->file[0];

        if (d->conf->cleanup) {

            if (file->left > until) {
                break;
            }

            if (file->name) {
                (void) ngx_media_disk_remove(root, file->name);
            }
        }

        ngx_media_hls_list_drop(list, 0);
    }

    for (i = list->ninits; i > 0; i--) {

        map = &list->init[i - 1];
        used = map->hash == (map->key ? d->job->segment.key
                                      : d->job->segment.init);

        for (k = 0; k < list->nfiles && !used; k++) {
            file = &list->file[k];
            used = map->hash == (map->key ? file->key : file->init);
        }

        if (used) {
            continue;
        }

        if (d->conf->cleanup && map->name) {
            (void) ngx_media_disk_remove(root, map->name);
        }

        ngx_media_hls_list_drop_init(list, i - 1);
    }
}
