
/*
 * Copyright (C) the nginx media suite authors
 *
 * HLS on disk: the files of an output that are there, the playlist over them,
 * and the journal.  Run in threads, one at a time for an output; what is
 * allocated is of the list.
 */


#include "ngx_media_hls_disk.h"
#include "ngx_media_template.h"
#include "ngx_media_text.h"
#include "ngx_media_url.h"


static void ngx_media_hls_disk_time(ngx_media_template_vars_t *vars,
    int64_t pdt);
static size_t ngx_media_hls_disk_level(const u_char *name);
static ngx_str_t *ngx_media_hls_disk_key_prefix(ngx_media_hls_disk_t *d);
static void ngx_media_hls_disk_uri_of(ngx_media_hls_disk_t *d,
    ngx_str_t *prefix, const u_char *name, u_char *dst);
static u_char *ngx_media_hls_disk_unuri(ngx_media_hls_disk_t *d,
    ngx_str_t *prefix, const u_char *uri, size_t len);
static void ngx_media_hls_list_learn(ngx_media_hls_disk_t *d,
    const u_char *uri, size_t len, uint32_t hash, uint32_t key);
static uint32_t ngx_media_hls_disk_hash(const u_char *map, size_t len);
static u_char *ngx_media_hls_disk_dup(const u_char *p, size_t n);


/* --- names --------------------------------------------------------------- */

static void
ngx_media_hls_disk_time(ngx_media_template_vars_t *vars, int64_t pdt)
{
    time_t     sec;
    struct tm  tm;

    sec = (time_t) (pdt / 1000000);

    ngx_libc_localtime(sec, &tm);

    vars->timestamp = (uint64_t) (pdt / 1000);
    vars->year = (uint32_t) tm.tm_year + 1900;
    vars->month = (uint32_t) tm.tm_mon + 1;
    vars->day = (uint32_t) tm.tm_mday;
    vars->hour = (uint32_t) tm.tm_hour;
    vars->minute = (uint32_t) tm.tm_min;
    vars->second = (uint32_t) tm.tm_sec;
}


/* the tag of a rendition goes before the ending, a new ending behind it */

ngx_int_t
ngx_media_hls_disk_name(ngx_media_hls_disk_t *d, const ngx_str_t *template,
    const char *ending, u_char *dst)
{
    size_t                      len, dot;
    ssize_t                     n;
    u_char                     *p, *last, name[NGX_MEDIA_DISK_NAME];
    ngx_media_template_vars_t   vars;

    ngx_memzero(&vars, sizeof(ngx_media_template_vars_t));

    vars.vhost.data = d->vhost.data;
    vars.vhost.len = d->vhost.len;
    vars.app.data = d->app.data;
    vars.app.len = d->app.len;
    vars.stream.data = d->stream.data;
    vars.stream.len = d->stream.len;
    vars.hostname.data = ngx_cycle->hostname.data;
    vars.hostname.len = ngx_cycle->hostname.len;
    vars.pid = (uint32_t) ngx_pid;
    vars.seq = d->job->seq;
    vars.duration = d->job->segment.duration / 1000;

    ngx_media_hls_disk_time(&vars, d->job->segment.pdt);

    n = ngx_media_template_write(template->data,
                                 template->data + template->len, &vars, name,
                                 sizeof(name) - NGX_MEDIA_HLS_TAG_LEN - 16);
    if (n < 0) {
        return NGX_ERROR;
    }

    len = (size_t) n;

    for (dot = len; dot > 0 && name[dot - 1] != '.'; dot--) {

        if (name[dot - 1] == '/') {
            dot = 0;
            break;
        }
    }

    dot = dot ? dot - 1 : len;
    last = dst + NGX_MEDIA_DISK_NAME - 1;

    p = ngx_slprintf(dst, last, "%*s", dot, name);

    if (d->tag[0]) {
        p = ngx_slprintf(p, last, ".%s", d->tag);
    }

    /* ".ts" and ".m4s" say what is in it, other endings are kept */

    name[len] = '\0';

    if (ending && name[dot] && ngx_strcmp(name + dot, ".ts") != 0
        && ngx_strcmp(name + dot, ".m4s") != 0)
    {
        ending = NULL;
    }

    p = ngx_slprintf(p, last, "%s", ending ? ending : (char *) name + dot);
    *p = '\0';

    return ngx_media_template_path(dst, p) == NGX_MEDIA_OK ? NGX_OK
                                                           : NGX_ERROR;
}


/* length of the directory of a name, with its slash */

static size_t
ngx_media_hls_disk_level(const u_char *name)
{
    size_t  i, n;

    n = 0;

    for (i = 0; name[i]; i++) {
        if (name[i] == '/') {
            n = i + 1;
        }
    }

    return n;
}


/*
 * Below the directory of the playlist that is all; a prefix without a slash
 * stands for hls_path, one with a slash for the playlist's directory (SRS).
 */

void
ngx_media_hls_disk_uri(ngx_media_hls_disk_t *d, const u_char *name,
    u_char *dst)
{
    ngx_media_hls_disk_uri_of(d, &d->conf->entry_prefix, name, dst);
}


/* keys may be with another server */

void
ngx_media_hls_disk_key_uri(ngx_media_hls_disk_t *d, const u_char *name,
    u_char *dst)
{
    ngx_media_hls_disk_uri_of(d, ngx_media_hls_disk_key_prefix(d), name, dst);
}


static ngx_str_t *
ngx_media_hls_disk_key_prefix(ngx_media_hls_disk_t *d)
{
    return d->conf->key_url.len ? &d->conf->key_url : &d->conf->entry_prefix;
}


static void
ngx_media_hls_disk_uri_of(ngx_media_hls_disk_t *d, ngx_str_t *prefix,
    const u_char *name, u_char *dst)
{
    size_t            i, dir, common;
    u_char            c;
    ngx_media_text_t  t;

    dir = ngx_media_hls_disk_level(d->m3u8);

    ngx_media_text_init(&t, dst, 3 * NGX_MEDIA_DISK_NAME - 1);
    ngx_media_text_put(&t, prefix->data, prefix->len);

    if (prefix->len && prefix->data[prefix->len - 1] != '/') {
        ngx_media_text_lit(&t, "/");

    } else {

        common = 0;

        for (i = 0; i < dir && name[i] == d->m3u8[i]; i++) {
            if (name[i] == '/') {
                common = i + 1;
            }
        }

        for (i = common; i < dir; i++) {
            if (d->m3u8[i] == '/') {
                ngx_media_text_lit(&t, "../");
            }
        }

        name += common;
    }

    for ( /* void */ ; *name; name++) {

        c = *name;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '/' || c == '-' || c == '.'
            || c == '_' || c == '~')
        {
            ngx_media_text_put(&t, &c, 1);

        } else {
            (void) ngx_sprintf(dst + ngx_min(t.len, 3 * NGX_MEDIA_DISK_NAME
                                                    - 4), "%%%02Xd", c);
            t.len += 3;
        }
    }

    dst[ngx_min(t.len, 3 * NGX_MEDIA_DISK_NAME - 1)] = '\0';
}


/* the file that a URI of ours stands for; NULL: none below hls_path */

static u_char *
ngx_media_hls_disk_unuri(ngx_media_hls_disk_t *d, ngx_str_t *prefix,
    const u_char *uri, size_t len)
{
    size_t   dir;
    u_char   name[NGX_MEDIA_DISK_NAME];
    ssize_t  n;

    dir = ngx_media_hls_disk_level(d->m3u8);

    if (prefix->len && len > prefix->len
        && ngx_memcmp(uri, prefix->data, prefix->len) == 0)
    {
        uri += prefix->len;
        len -= prefix->len;

        if (prefix->data[prefix->len - 1] != '/') {
            dir = 0;
            uri++;
            len--;
        }
    }

    while (len >= 3 && ngx_memcmp(uri, "../", 3) == 0) {

        if (dir == 0) {
            return NULL;
        }

        for (dir--; dir > 0 && d->m3u8[dir - 1] != '/'; dir--) {
            /* void */
        }

        uri += 3;
        len -= 3;
    }

    if (dir + len >= sizeof(name)) {
        return NULL;
    }

    ngx_memcpy(name, d->m3u8, dir);

    n = ngx_media_url_decode(name + dir, uri, len, 0);

    if (n <= 0
        || ngx_media_template_path(name, name + dir + n) != NGX_MEDIA_OK
        || ngx_strlchr(name, name + dir + n, ':'))
    {
        return NULL;
    }

    return ngx_media_hls_disk_dup(name, dir + (size_t) n);
}


static u_char *
ngx_media_hls_disk_dup(const u_char *p, size_t n)
{
    u_char  *s;

    s = ngx_alloc(n + 1, ngx_cycle->log);

    if (s) {
        ngx_memcpy(s, p, n);
        s[n] = '\0';
    }

    return s;
}


/* --- list ----------------------------------------------------------------- */

/* an init segment of ours has its hash in its name */

static uint32_t
ngx_media_hls_disk_hash(const u_char *map, size_t len)
{
    ngx_int_t  n;

    if (len > 12 && ngx_strncmp(map + len - 4, ".mp4", 4) == 0) {

        n = ngx_hextoi((u_char *) map + len - 12, 8);

        if (n > 0) {
            return (uint32_t) n;
        }
    }

    return ngx_crc32_long((u_char *) map, len) | 1;
}


ngx_int_t
ngx_media_hls_list_add(ngx_media_hls_list_t *list,
    const ngx_media_hls_file_t *from)
{
    ngx_media_hls_file_t  *file;

    if (list->nfiles == NGX_MEDIA_HLS_DISK_FILES) {
        ngx_media_hls_list_drop(list, 0);
    }

    file = &list->file[list->nfiles];

    *file = *from;

    file->uri = ngx_media_hls_disk_dup(from->uri, ngx_strlen(from->uri));

    if (from->name) {
        file->name = ngx_media_hls_disk_dup(from->name,
                                            ngx_strlen(from->name));
    }

    if (file->uri == NULL || (from->name && file->name == NULL)) {

        if (file->uri) {
            ngx_free(file->uri);
        }

        return NGX_ERROR;
    }

    list->nfiles++;
    list->next = file->seq + 1;
    list->disc = file->disc;

    return NGX_OK;
}


void
ngx_media_hls_list_drop(ngx_media_hls_list_t *list, uint32_t i)
{
    ngx_media_hls_file_t  *file;

    file = &list->file[i];

    ngx_free(file->uri);

    if (file->name) {
        ngx_free(file->name);
    }

    list->nfiles--;

    ngx_memmove(file, file + 1,
                (list->nfiles - i) * sizeof(ngx_media_hls_file_t));

    if (list->first > i) {
        list->first--;
    }
}


ngx_int_t
ngx_media_hls_list_add_init(ngx_media_hls_list_t *list, const u_char *name,
    const u_char *uri, uint32_t hash, uint32_t key)
{
    ngx_media_hls_map_t  *map;

    if (list->ninits == NGX_MEDIA_HLS_DISK_INITS) {
        ngx_media_hls_list_drop_init(list, 0);
    }

    map = &list->init[list->ninits];

    map->hash = hash;
    map->key = key;
    map->name = name ? ngx_media_hls_disk_dup(name, ngx_strlen(name)) : NULL;
    map->uri = ngx_media_hls_disk_dup(uri, ngx_strlen(uri));

    if (map->uri == NULL || (name && map->name == NULL)) {

        if (map->uri) {
            ngx_free(map->uri);
        }

        return NGX_ERROR;
    }

    list->ninits++;

    return NGX_OK;
}


void
ngx_media_hls_list_drop_init(ngx_media_hls_list_t *list, uint32_t i)
{
    ngx_media_hls_map_t  *map;

    map = &list->init[i];

    ngx_free(map->uri);

    if (map->name) {
        ngx_free(map->name);
    }

    list->ninits--;

    ngx_memmove(map, map + 1,
                (list->ninits - i) * sizeof(ngx_media_hls_map_t));
}


ngx_media_hls_map_t *
ngx_media_hls_list_init(ngx_media_hls_list_t *list, uint32_t hash,
    uint32_t key)
{
    uint32_t  i;

    for (i = 0; hash && i < list->ninits; i++) {
        if (list->init[i].hash == hash && list->init[i].key == key) {
            return &list->init[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_media_hls_list_has(ngx_media_hls_list_t *list, const u_char *name)
{
    uint32_t  i;

    for (i = 0; i < list->nfiles; i++) {
        if (list->file[i].name && ngx_strcmp(list->file[i].name, name) == 0) {
            return 1;
        }
    }

    for (i = 0; i < list->ninits; i++) {
        if (list->init[i].name && ngx_strcmp(list->init[i].name, name) == 0) {
            return 1;
        }
    }

    return 0;
}


void
ngx_media_hls_list_clear(ngx_media_hls_list_t *list)
{
    while (list->nfiles) {
        ngx_media_hls_list_drop(list, list->nfiles - 1);
    }

    while (list->ninits) {
        ngx_media_hls_list_drop_init(list, list->ninits - 1);
    }

    list->first = 0;
    list->next = 0;
    list->disc = 0;
    list->target = 0;
}


void
ngx_media_hls_list_window(ngx_media_hls_list_t *list, uint64_t window)
{
    int64_t    now;
    uint32_t   i, last;
    uint64_t   us;

    us = 0;
    now = ngx_media_epoch_ms();
    window = ngx_max(window, (uint64_t) list->target * 3000000);
    last = (list->nfiles > NGX_MEDIA_HLS_SEGMENTS)
           ? list->nfiles - NGX_MEDIA_HLS_SEGMENTS : 0;

    for (i = list->nfiles; i > last && us < window; i--) {
        us += list->file[i - 1].duration;
    }

    list->first = i;

    while (i-- > 0) {
        if (list->file[i].left == 0) {
            list->file[i].left = now;
        }
    }
}


/* an init segment or a key that a playlist names */

static void
ngx_media_hls_list_learn(ngx_media_hls_disk_t *d, const u_char *from,
    size_t len, uint32_t hash, uint32_t key)
{
    u_char     *name, *uri;
    ngx_str_t  *prefix;

    if (ngx_media_hls_list_init(&d->list, hash, key)) {
        return;
    }

    prefix = key ? ngx_media_hls_disk_key_prefix(d) : &d->conf->entry_prefix;

    name = ngx_media_hls_disk_unuri(d, prefix, from, len);
    uri = ngx_media_hls_disk_dup(from, len);

    if (uri) {
        (void) ngx_media_hls_list_add_init(&d->list, name, uri, hash, key);
        ngx_free(uri);
    }

    if (name) {
        ngx_free(name);
    }
}


ngx_int_t
ngx_media_hls_list_read(ngx_media_hls_disk_t *d, u_char *text, size_t n)
{
    uint32_t                 i;
    ngx_media_hls_list_t    *list;
    ngx_media_hls_file_t     file;
    ngx_media_m3u8_read_t   *read;
    ngx_media_m3u8_entry_t  *e;

    list = &d->list;
    read = ngx_alloc(sizeof(ngx_media_m3u8_read_t), ngx_cycle->log);

    if (read == NULL
        || ngx_media_m3u8_read(text, text + n, read) != NGX_MEDIA_OK)
    {
        if (read) {
            ngx_free(read);
        }

        return NGX_ERROR;
    }

    list->target = read->target;
    list->next = read->msn;
    list->disc = read->disc;

    for (i = 0; i < read->nentries; i++) {

        e = &read->entry[i];

        ngx_memzero(&file, sizeof(ngx_media_hls_file_t));

        file.seq = read->msn + i;
        file.pdt = e->pdt;
        file.duration = e->duration;
        file.flags = e->flags|NGX_MEDIA_HLS_CLOSED;
        file.disc = list->disc + !!(e->flags & NGX_MEDIA_HLS_DISCONTINUITY);

        if (e->map_len) {
            file.init = ngx_media_hls_disk_hash(e->map, e->map_len);
            ngx_media_hls_list_learn(d, e->map, e->map_len, file.init, 0);
        }

        if (e->key_len) {
            file.key = ngx_crc32_long((u_char *) e->key, e->key_len) | 1;
            file.iv = e->iv;
            ngx_media_hls_list_learn(d, e->key, e->key_len, file.key, 1);
        }

        file.name = ngx_media_hls_disk_unuri(d, &d->conf->entry_prefix,
                                             e->uri, e->uri_len);
        file.uri = ngx_media_hls_disk_dup(e->uri, e->uri_len);

        if (file.uri) {
            (void) ngx_media_hls_list_add(list, &file);
            ngx_free(file.uri);
        }

        if (file.name) {
            ngx_free(file.name);
        }
    }

    ngx_free(read);

    return NGX_OK;
}


u_char *
ngx_media_hls_list_text(ngx_media_hls_disk_t *d, uint32_t container,
    size_t *n)
{
    u_char                   *text;
    uint32_t                  i, k;
    ngx_media_hls_map_t      *map;
    ngx_media_hls_list_t     *list;
    ngx_media_hls_file_t     *file;
    ngx_media_hls_view_t     *view;
    ngx_media_m3u8_uri_t     *uris;
    ngx_media_m3u8_params_t   params;

    list = &d->list;

    ngx_memzero(&params, sizeof(ngx_media_m3u8_params_t));

    view = ngx_calloc(sizeof(ngx_media_hls_view_t)
                      + NGX_MEDIA_HLS_SEGMENTS * sizeof(ngx_media_m3u8_uri_t),
                      ngx_cycle->log);
    if (view == NULL) {
        return NULL;
    }

    uris = (ngx_media_m3u8_uri_t *) (view + 1);

    view->container = container;
    view->target = list->target;
    view->independent = 1;

    for (i = list->first; i < list->nfiles; i++) {

        file = &list->file[i];
        k = view->nsegments++;

        view->segment[k].msn = file->seq;
        view->segment[k].pdt = file->pdt;
        view->segment[k].duration = file->duration;
        view->segment[k].flags = file->flags|NGX_MEDIA_HLS_CLOSED;
        view->segment[k].disc = file->disc;

        uris[k].uri = file->uri;
        uris[k].uri_len = ngx_strlen(file->uri);

        map = ngx_media_hls_list_init(list, file->init, 0);

        if (map) {
            view->segment[k].init = file->init;
            uris[k].map = map->uri;
            uris[k].map_len = ngx_strlen(map->uri);
        }

        map = ngx_media_hls_list_init(list, file->key, 1);

        if (map) {
            view->segment[k].key = file->key;
            uris[k].key = map->uri;
            uris[k].key_len = ngx_strlen(map->uri);
            uris[k].iv = file->iv;
        }

        if (!(file->flags & NGX_MEDIA_HLS_INDEPENDENT)) {
            view->independent = 0;
        }
    }

    view->with_parts = view->nsegments;
    params.uris = uris;

    *n = ngx_media_m3u8_media(view, &params, NULL, 0);
    text = ngx_alloc(*n, ngx_cycle->log);

    if (text) {
        (void) ngx_media_m3u8_media(view, &params, text, *n);
    }

    ngx_free(view);

    return text;
}


/* --- journal -------------------------------------------------------------- */

/* one line; 0-terminated in place */

static u_char *
ngx_media_hls_journal_line(u_char **p)
{
    u_char  *line, *eol;

    line = *p;
    eol = (u_char *) ngx_strchr(line, '\n');

    if (eol == NULL) {
        return NULL;
    }

    *eol = '\0';
    *p = eol + 1;

    return line;
}


ngx_int_t
ngx_media_hls_journal_read(int fd, ngx_media_hls_journal_t *j)
{
    size_t       size;
    u_char      *p, *line;
    ssize_t      n;
    ngx_uint_t   i;
    ngx_str_t   *names[3];
    struct stat  st;

    ngx_memzero(j, sizeof(ngx_media_hls_journal_t));

    if (fstat(fd, &st) == -1 || st.st_size > NGX_MEDIA_HLS_DISK_TEXT) {
        return NGX_ERROR;
    }

    size = (size_t) st.st_size;
    j->text = ngx_alloc(size + 1, ngx_cycle->log);

    if (j->text == NULL) {
        return NGX_ERROR;
    }

    n = pread(fd, j->text, size, 0);

    if (n < 0) {
        ngx_free(j->text);
        return NGX_ERROR;
    }

    j->text[n] = '\0';
    p = j->text;

    line = ngx_media_hls_journal_line(&p);

    if (line == NULL || ngx_strlen(line) != 2 + NGX_MEDIA_HLS_DISK_STAMP) {
        goto damaged;
    }

    j->state = line[0];
    ngx_memcpy(j->stamp, line + 2, NGX_MEDIA_HLS_DISK_STAMP + 1);

    names[0] = &j->vhost;
    names[1] = &j->app;
    names[2] = &j->stream;

    for (i = 0; i < 3; i++) {
        line = ngx_media_hls_journal_line(&p);

        if (line == NULL) {
            goto damaged;
        }

        names[i]->data = line;
        names[i]->len = ngx_strlen(line);
    }

    j->m3u8 = ngx_media_hls_journal_line(&p);
    line = ngx_media_hls_journal_line(&p);

    if (line == NULL
        || ngx_media_template_path(j->m3u8, j->m3u8 + ngx_strlen(j->m3u8))
           != NGX_MEDIA_OK)
    {
        goto damaged;
    }

    j->dispose = ngx_atoi(line, ngx_strlen(line));

    if (j->dispose < 0) {
        goto damaged;
    }

    j->files = p;

    return NGX_OK;

damaged:

    ngx_free(j->text);
    j->text = NULL;

    return NGX_DECLINED;
}


u_char *
ngx_media_hls_journal_next(ngx_media_hls_journal_t *j)
{
    u_char  *line;

    for ( ;; ) {
        line = ngx_media_hls_journal_line(&j->files);

        if (line == NULL
            || ngx_media_template_path(line, line + ngx_strlen(line))
               == NGX_MEDIA_OK)
        {
            return line;
        }
    }
}


/* name is a file that will be there soon, or NULL */

ngx_int_t
ngx_media_hls_journal_write(int fd, ngx_media_hls_disk_t *d,
    const u_char *name)
{
    size_t                 size;
    u_char                *buf, *p, *last;
    ssize_t                n;
    uint32_t               i;
    ngx_media_hls_list_t  *list;

    list = &d->list;
    size = (list->nfiles + list->ninits + 3) * NGX_MEDIA_DISK_NAME + 4096;

    buf = ngx_alloc(size, ngx_cycle->log);

    if (buf == NULL) {
        errno = ENOMEM;
        return NGX_ERROR;
    }

    last = buf + size;
    p = ngx_slprintf(buf, last, "O %s\n%V\n%V\n%V\n%s\n%M\n", d->stamp,
                     &d->vhost, &d->app, &d->stream, d->m3u8,
                     d->conf->dispose);

    if (d->master[0]) {
        p = ngx_slprintf(p, last, "%s\n", d->master);
    }

    for (i = 0; i < list->ninits; i++) {
        if (list->init[i].name) {
            p = ngx_slprintf(p, last, "%s\n", list->init[i].name);
        }
    }

    for (i = 0; i < list->nfiles; i++) {
        if (list->file[i].name) {
            p = ngx_slprintf(p, last, "%s\n", list->file[i].name);
        }
    }

    if (name) {
        p = ngx_slprintf(p, last, "%s\n", name);
    }

    n = pwrite(fd, buf, (size_t) (p - buf), 0);

    if (n == p - buf && ftruncate(fd, n) == -1) {
        n = -1;

    } else if (n >= 0 && n != p - buf) {
        errno = ENOSPC;
        n = -1;
    }

    ngx_free(buf);

    return n < 0 ? NGX_ERROR : NGX_OK;
}
