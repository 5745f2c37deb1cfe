
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: lists of recordings, for the API.  Run in a thread, in two passes: the
 * first one counts and keeps the newest ids, 16 bytes each, as many as the
 * page and what is before it; the second one reads what stands on the page.
 */


#include "ngx_media_record_api.h"
#include "ngx_media_record_job.h"


static void ngx_media_record_journals(ngx_media_record_work_t *w, int root,
    ngx_array_t *open);
static ngx_int_t ngx_media_record_journal(ngx_media_record_work_t *w,
    ngx_media_record_file_t *file, ngx_array_t *open);
static ngx_int_t ngx_media_record_streams(ngx_media_record_work_t *w,
    ngx_uint_t root);
static ngx_uint_t ngx_media_record_named(ngx_media_record_work_t *w, int root,
    const u_char *md5);
static ngx_int_t ngx_media_record_each(void *data,
    const ngx_media_recording_t *r);
static uint64_t ngx_media_record_number(const u_char *id);
static ngx_int_t ngx_media_record_push(ngx_media_record_work_t *w, uint64_t id,
    uint32_t stream, uint32_t index);
static void ngx_media_record_sift(ngx_media_record_key_t *key, ngx_uint_t n);
static int ngx_libc_cdecl ngx_media_record_cmp_key(const void *one,
    const void *two);
static int ngx_libc_cdecl ngx_media_record_cmp_place(const void *one,
    const void *two);
static ngx_int_t ngx_media_record_page(ngx_media_record_work_t *w);
static ngx_int_t ngx_media_record_details(ngx_media_record_work_t *w,
    ngx_media_record_key_t **place, ngx_uint_t n, ngx_media_record_key_t *key,
    ngx_media_recording_t **found);
static ngx_media_recording_t *ngx_media_record_copy(ngx_pool_t *pool,
    ngx_media_archive_entry_t *e);


void
ngx_media_record_list(ngx_media_record_work_t *w)
{
    ngx_uint_t                  i;
    ngx_media_record_stream_t  *stream;

    w->limit = w->page.start + w->page.count;

    if (ngx_array_init(&w->streams, w->pool, 64,
                       sizeof(ngx_media_record_stream_t))
        != NGX_OK)
    {
        goto failed;
    }

    for (i = 0; i < w->nroots; i++) {
        if (w->fds[i] != -1 && ngx_media_record_streams(w, i) != NGX_OK) {
            goto failed;
        }
    }

    stream = w->streams.elts;

    for (i = 0; i < w->streams.nelts && w->rc == NGX_OK; i++) {

        w->current = (uint32_t) i;

        /* one that is damaged hides no other */

        if (ngx_media_record_named(w, w->fds[stream[i].root], stream[i].md5)) {
            (void) ngx_media_archive_walk(w->fds[stream[i].root],
                                          stream[i].md5, w->from, w->to,
                                          ngx_media_record_each, w);
        }
    }

    for (i = 0; i < w->nopen; i++) {

        /* one that became whole since is there already */

        if (w->open[i].state == NGX_MEDIA_RECORD_OPEN
            && ngx_media_record_push(w, ngx_media_record_number(w->open[i].id),
                                     NGX_MEDIA_RECORD_API_OPEN, (uint32_t) i)
               != NGX_OK)
        {
            goto failed;
        }
    }

    if (w->rc == NGX_OK && ngx_media_record_page(w) == NGX_OK) {
        return;
    }

failed:

    w->rc = NGX_ERROR;
}


/* those of a root */

static ngx_int_t
ngx_media_record_streams(ngx_media_record_work_t *w, ngx_uint_t root)
{
    u_char                     *md5;
    ngx_uint_t                  i;
    ngx_array_t                 md5s;
    ngx_media_record_stream_t  *stream;

    if (w->vhost.data && w->app.data && w->stream.data) {

        stream = ngx_array_push(&w->streams);

        if (stream == NULL) {
            return NGX_ERROR;
        }

        stream->root = root;
        ngx_media_record_md5(stream->md5, &w->vhost, &w->app, &w->stream);

        return NGX_OK;
    }

    if (ngx_array_init(&md5s, w->pool, 64, NGX_MEDIA_RECORD_MD5) != NGX_OK) {
        return NGX_ERROR;
    }

    /* of a disk that can not be read there is nothing */

    if (ngx_media_archive_streams(w->fds[root], (u_char *) "", 0, &md5s)
        != NGX_OK)
    {
        w->err = errno;
    }

    md5 = md5s.elts;

    for (i = 0; i < md5s.nelts; i++) {

        stream = ngx_array_push(&w->streams);

        if (stream == NULL) {
            return NGX_ERROR;
        }

        stream->root = root;
        ngx_memcpy(stream->md5, md5, NGX_MEDIA_RECORD_MD5);
        md5 += NGX_MEDIA_RECORD_MD5;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_media_record_named(ngx_media_record_work_t *w, int root,
    const u_char *md5)
{
    int                        dir;
    ngx_uint_t                 found;
    ngx_media_archive_names_t  names;

    if ((w->vhost.data == NULL && w->app.data == NULL
         && w->stream.data == NULL)
        || (w->vhost.data && w->app.data && w->stream.data))
    {
        return 1;
    }

    dir = ngx_media_archive_dir(root, md5, 0);

    if (dir == -1) {
        return 0;
    }

    found = 0;

    if (ngx_media_archive_names(dir, md5, &names) == NGX_OK) {

        found = ngx_media_record_same(&w->vhost, &names.vhost)
                && ngx_media_record_same(&w->app, &names.app)
                && ngx_media_record_same(&w->stream, &names.stream);

        ngx_free(names.text);
    }

    (void) close(dir);

    return found;
}


static ngx_int_t
ngx_media_record_each(void *data, const ngx_media_recording_t *r)
{
    ngx_media_record_work_t *w = data;

    ngx_media_recording_t  *open;

    open = ngx_media_record_open_find(w, r->id);

    if (open) {
        open->state = NGX_MEDIA_RECORD_WHOLE;
    }

    if (ngx_media_record_push(w, ngx_media_record_number(r->id), w->current, 0)
        != NGX_OK)
    {
        w->rc = NGX_ERROR;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* ids are in the order of time; they are checked by now */

static uint64_t
ngx_media_record_number(const u_char *id)
{
    uint64_t    n;
    ngx_uint_t  i;

    n = 0;

    for (i = 0; i < NGX_MEDIA_RECORD_ID - 1; i++) {
        n = n << 4 | (uint64_t) (id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
    }

    return n;
}


static ngx_int_t
ngx_media_record_push(ngx_media_record_work_t *w, uint64_t id,
    uint32_t stream, uint32_t index)
{
    ngx_uint_t               i, up;
    ngx_media_record_key_t  *key, one;

    w->total++;

    one.id = id;
    one.stream = stream;
    one.index = index;

    if (w->nkeys == w->limit) {

        if (id > w->key[0].id) {
            w->key[0] = one;
            ngx_media_record_sift(w->key, w->nkeys);
        }

        return NGX_OK;
    }

    if (w->nkeys == w->size) {

        w->size = ngx_max(2 * w->size, 256);
        w->size = ngx_min(w->size, w->limit);
        key = ngx_palloc(w->pool, w->size * sizeof(ngx_media_record_key_t));

        if (key == NULL) {
            return NGX_ERROR;
        }

        if (w->nkeys) {
            ngx_memcpy(key, w->key, w->nkeys * sizeof(ngx_media_record_key_t));
            (void) ngx_pfree(w->pool, w->key);
        }

        w->key = key;
    }

    for (i = w->nkeys++; i > 0; i = up) {

        up = (i - 1) / 2;

        if (w->key[up].id <= id) {
            break;
        }

        w->key[i] = w->key[up];
    }

    w->key[i] = one;

    return NGX_OK;
}


/* the first one goes to its place */

static void
ngx_media_record_sift(ngx_media_record_key_t *key, ngx_uint_t n)
{
    ngx_uint_t              i, down;
    ngx_media_record_key_t  one;

    one = key[0];

    for (i = 0; (down = 2 * i + 1) < n; i = down) {

        if (down + 1 < n && key[down + 1].id < key[down].id) {
            down++;
        }

        if (key[down].id >= one.id) {
            break;
        }

        key[i] = key[down];
    }

    key[i] = one;
}


static int ngx_libc_cdecl
ngx_media_record_cmp_key(const void *one, const void *two)
{
    const ngx_media_record_key_t  *a = one, *b = two;

    return (a->id < b->id) - (a->id > b->id);
}


/* of the same stream one behind the other */

static int ngx_libc_cdecl
ngx_media_record_cmp_place(const void *one, const void *two)
{
    const ngx_media_record_key_t  *a, *b;

    a = *(ngx_media_record_key_t *const *) one;
    b = *(ngx_media_record_key_t *const *) two;

    if (a->stream != b->stream) {
        return (a->stream > b->stream) - (a->stream < b->stream);
    }

    return (a->id > b->id) - (a->id < b->id);
}


/* --- a page ------------------------------------------------------------- */

static ngx_int_t
ngx_media_record_page(ngx_media_record_work_t *w)
{
    ngx_uint_t                   i, n, same;
    ngx_media_json_t            *j;
    ngx_media_record_key_t      *key, **place;
    ngx_media_recording_t      **found, *r;
    ngx_media_record_stream_t   *stream;

    if (w->nkeys) {
        ngx_qsort(w->key, w->nkeys, sizeof(ngx_media_record_key_t),
                  ngx_media_record_cmp_key);
    }

    n = (w->nkeys > w->page.start) ? w->nkeys - w->page.start : 0;
    key = n ? w->key + w->page.start : NULL;

    place = ngx_palloc(w->pool, (n + 1) * sizeof(ngx_media_record_key_t *));
    found = ngx_pcalloc(w->pool, (n + 1) * sizeof(ngx_media_recording_t *));

    if (place == NULL || found == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        place[i] = &key[i];
    }

    ngx_qsort(place, n, sizeof(ngx_media_record_key_t *),
              ngx_media_record_cmp_place);

    for (i = 0; i < n; i += same) {

        for (same = 1; i + same < n
                       && place[i + same]->stream == place[i]->stream; same++)
        { /* void */ }

        if (place[i]->stream != NGX_MEDIA_RECORD_API_OPEN
            && ngx_media_record_details(w, &place[i], same, key, found)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    j = &w->api->json;
    stream = w->streams.elts;

    ngx_media_json_key_array(j, "recordings");

    for (i = 0; i < n; i++) {

        r = (key[i].stream == NGX_MEDIA_RECORD_API_OPEN)
            ? &w->open[key[i].index] : found[i];

        /* one may have gone meanwhile */

        if (r) {
            ngx_media_json_object(j);
            ngx_media_record_write(w, r, r->state == NGX_MEDIA_RECORD_OPEN
                                         ? 0 : stream[key[i].stream].root);
            ngx_media_json_object_end(j);
        }
    }

    ngx_media_json_array_end(j);
    ngx_media_json_key_int(j, "total", (int64_t) w->total);

    return NGX_OK;
}


/* n places of one stream, in the order of time */

static ngx_int_t
ngx_media_record_details(ngx_media_record_work_t *w,
    ngx_media_record_key_t **place, ngx_uint_t n,
    ngx_media_record_key_t *key, ngx_media_recording_t **found)
{
    int                          dir;
    u_char                       id[NGX_MEDIA_RECORD_ID + 1];
    u_char                       day[NGX_MEDIA_ARCHIVE_DAY];
    u_char                       last[NGX_MEDIA_ARCHIVE_DAY];
    ngx_str_t                    name[3];
    ngx_uint_t                   i, loaded;
    ngx_media_recording_t       *r;
    ngx_media_archive_file_t     file;
    ngx_media_archive_entry_t   *e;
    ngx_media_archive_names_t    names;
    ngx_media_record_stream_t   *stream;

    stream = w->streams.elts;
    stream += place[0]->stream;

    dir = ngx_media_archive_dir(w->fds[stream->root], stream->md5, 0);

    if (dir == -1) {
        return NGX_OK;
    }

    if (ngx_media_archive_names(dir, stream->md5, &names) != NGX_OK) {
        (void) close(dir);
        return NGX_OK;
    }

    name[0].data = ngx_pstrdup(w->pool, &names.vhost);
    name[0].len = names.vhost.len;
    name[1].data = ngx_pstrdup(w->pool, &names.app);
    name[1].len = names.app.len;
    name[2].data = ngx_pstrdup(w->pool, &names.stream);
    name[2].len = names.stream.len;

    ngx_free(names.text);

    loaded = 0;
    last[0] = '\0';

    for (i = 0; i < n && name[0].data && name[1].data && name[2].data; i++) {

        *ngx_sprintf(id, "%016xL", place[i]->id) = '\0';
        ngx_media_archive_day(day, id);

        if (ngx_strcmp(day, last) != 0) {

            if (loaded) {
                ngx_media_archive_unload(&file);
            }

            loaded = (ngx_media_archive_load(dir, day, &file) == NGX_OK);
            ngx_memcpy(last, day, NGX_MEDIA_ARCHIVE_DAY);
        }

        e = loaded ? ngx_media_archive_entry(&file, id) : NULL;
        r = e ? ngx_media_record_copy(w->pool, e) : NULL;

        if (r) {
            r->vhost = name[0];
            r->app = name[1];
            r->stream = name[2];
            found[place[i] - key] = r;
        }
    }

    if (loaded) {
        ngx_media_archive_unload(&file);
    }

    (void) close(dir);

    return (i == n) ? NGX_OK : NGX_ERROR;
}


static ngx_media_recording_t *
ngx_media_record_copy(ngx_pool_t *pool, ngx_media_archive_entry_t *e)
{
    ngx_media_recording_t     *r;
    ngx_media_archive_line_t   line;

    if (ngx_media_archive_parse(&line, e->pos, e->end) != NGX_MEDIA_OK) {
        return NULL;
    }

    r = ngx_pcalloc(pool, sizeof(ngx_media_recording_t));

    if (r == NULL) {
        return NULL;
    }

    r->file.len = line.len;
    r->file.data = ngx_pnalloc(pool, line.len + 1);

    if (r->file.data == NULL) {
        return NULL;
    }

    ngx_memcpy(r->file.data, line.file, line.len + 1);
    ngx_memcpy(r->id, line.id, NGX_MEDIA_RECORD_ID);

    r->kind = line.kind;
    r->state = NGX_MEDIA_RECORD_WHOLE;
    r->begin = line.begin;
    r->end = line.end;
    r->duration = line.duration;
    r->bytes = line.bytes;

    return r;
}


/* --- what is not finished ------------------------------------------------ */

void
ngx_media_record_unfinished(ngx_media_record_work_t *w)
{
    ngx_uint_t              i;
    ngx_array_t             open;
    ngx_media_recording_t  *r;

    if (ngx_array_init(&open, w->pool, w->nopen + 8,
                       sizeof(ngx_media_recording_t))
        != NGX_OK)
    {
        return;
    }

    for (i = 0; i < w->nroots; i++) {
        if (w->fds[i] != -1) {
            ngx_media_record_journals(w, w->fds[i], &open);
        }
    }

    for (i = 0; i < w->nopen; i++) {

        r = ngx_array_push(&open);

        if (r == NULL) {
            return;
        }

        *r = w->open[i];
    }

    w->open = open.elts;
    w->nopen = open.nelts;

    ngx_qsort(w->open, w->nopen, sizeof(ngx_media_recording_t),
              ngx_media_record_cmp_open);
}


static void
ngx_media_record_journals(ngx_media_record_work_t *w, int root,
    ngx_array_t *open)
{
    int                       fd;
    DIR                      *list;
    u_char                    name[NGX_MEDIA_RECORD_JOURNAL];
    size_t                    len;
    const u_char             *base;
    struct dirent            *entry;
    ngx_media_record_file_t   file;

    fd = ngx_media_disk_dir(root, (u_char *) NGX_MEDIA_RECORD_OPEN_DIR "/x",
                            &base, 0);
    list = (fd == -1) ? NULL : fdopendir(fd);

    if (list == NULL) {

        if (fd != -1) {
            (void) close(fd);
        }

        return;
    }

    while ((entry = readdir(list)) != NULL) {

        len = ngx_strlen(entry->d_name);

        if (entry->d_name[0] == '.'
            || len + sizeof(NGX_MEDIA_RECORD_OPEN_DIR "/") > sizeof(name))
        {
            continue;
        }

        *ngx_sprintf(name, NGX_MEDIA_RECORD_OPEN_DIR "/%s", entry->d_name)
            = '\0';

        ngx_media_record_file_init(&file);

        if (ngx_media_record_journal_peek(&file, root, name) == NGX_OK
            && ngx_media_record_journal(w, &file, open) != NGX_OK)
        {
            break;
        }
    }

    (void) closedir(list);
}


static ngx_int_t
ngx_media_record_journal(ngx_media_record_work_t *w,
    ngx_media_record_file_t *file, ngx_array_t *open)
{
    u_char                   *p;
    size_t                    n;
    ngx_uint_t                i;
    ngx_media_recording_t     one, *r;
    ngx_media_record_head_t  *head;

    head = &file->head;

    if (file->mark.state == NGX_MEDIA_RECORD_TOLD
        || file->mark.file.frames == 0
        || head->kind < NGX_MEDIA_FILE_FLV || head->kind > NGX_MEDIA_FILE_TS
        || ngx_media_record_open_find(w, head->id))
    {
        return NGX_OK;
    }

    r = open->elts;

    for (i = 0; i < open->nelts; i++) {

        /* it was given another name meanwhile */

        if (ngx_strcmp(r[i].id, head->id) == 0) {
            return NGX_OK;
        }
    }

    ngx_memzero(&one, sizeof(ngx_media_recording_t));
    ngx_memcpy(one.id, head->id, NGX_MEDIA_RECORD_ID);

    one.kind = (uint8_t) head->kind;
    one.state = NGX_MEDIA_RECORD_OPEN;
    one.vhost.data = head->vhost;
    one.vhost.len = head->vhost_len;
    one.app.data = head->app;
    one.app.len = head->app_len;
    one.stream.data = head->stream;
    one.stream.len = head->stream_len;
    one.file.data = head->name;
    one.file.len = ngx_strlen(head->name);
    one.begin = head->begin;
    one.duration = (uint64_t) ngx_max(file->mark.file.end, 0) / 1000;
    one.end = one.begin + (int64_t) one.duration;
    one.bytes = file->mark.file.bytes;

    if (!ngx_media_record_wanted(w, &one)) {
        return NGX_OK;
    }

    n = one.vhost.len + one.app.len + one.stream.len + one.file.len;

    r = ngx_array_push(open);
    p = ngx_pnalloc(w->pool, n + 1);

    if (r == NULL || p == NULL) {
        open->nelts -= (r != NULL);
        return NGX_ERROR;
    }

    *r = one;

    r->vhost.data = p;
    p = ngx_cpymem(p, one.vhost.data, one.vhost.len);
    r->app.data = p;
    p = ngx_cpymem(p, one.app.data, one.app.len);
    r->stream.data = p;
    p = ngx_cpymem(p, one.stream.data, one.stream.len);
    r->file.data = p;
    ngx_memcpy(p, one.file.data, one.file.len);

    return NGX_OK;
}
