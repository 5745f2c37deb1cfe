
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: recordings in the API: /api/v1/recordings/, and what is recorded of a
 * stream.  Those that are being written are in the arena, whole ones on disk:
 * the request is parked, a thread looks and writes its part of the document
 * into memory of its own, and the worker sends it.
 */


#include "ngx_media_record_api.h"
#include "ngx_media_record_switch.h"
#include "ngx_media_upload.h"


static ngx_media_record_work_t *ngx_media_record_work(ngx_media_api_t *api,
    void (*run)(ngx_media_record_work_t *w));
static void ngx_media_record_work_free(void *data);
static void ngx_media_record_work_run(ngx_media_record_work_t *w);
static ngx_int_t ngx_media_record_work_end(ngx_media_record_work_t *w);
static ngx_int_t ngx_media_record_work_post(ngx_media_record_work_t *w);
static ngx_int_t ngx_media_record_arg(ngx_media_api_t *api, const char *name,
    ngx_str_t *value);
static ngx_int_t ngx_media_record_time(ngx_media_api_t *api, const char *name,
    int64_t *value);
static ngx_int_t ngx_media_record_open(ngx_media_api_source_t *s,
    ngx_media_recording_t *r, ngx_pool_t *pool);
static ngx_int_t ngx_media_record_opens(ngx_media_record_work_t *w);
static ngx_uint_t ngx_media_record_state(ngx_media_record_work_t *w,
    const ngx_media_recording_t *r, ngx_uint_t root);
static void ngx_media_record_show(ngx_media_record_work_t *w);
static ngx_int_t ngx_media_record_shown(void *data,
    const ngx_media_recording_t *r);
static void ngx_media_record_delete(ngx_media_record_work_t *w);
static ngx_int_t ngx_media_record_change(ngx_media_api_t *api, ngx_str_t *vhost,
    ngx_str_t *app, ngx_str_t *stream);
static void ngx_media_record_changed_done(void *data, ngx_int_t rc);


/* --- work in a thread --------------------------------------------------- */

static ngx_media_record_work_t *
ngx_media_record_work(ngx_media_api_t *api,
    void (*run)(ngx_media_record_work_t *w))
{
    ngx_uint_t                      i;
    ngx_pool_t                     *pool;
    ngx_pool_cleanup_t             *cln;
    ngx_media_record_root_t       **root;
    ngx_media_record_work_t        *w;
    ngx_media_record_main_conf_t   *rmcf;

    pool = api->request->pool;

    w = ngx_pcalloc(pool, sizeof(ngx_media_record_work_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (w == NULL || cln == NULL) {
        return NULL;
    }

    w->pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);

    if (w->pool == NULL) {
        return NULL;
    }

    cln->handler = ngx_media_record_work_free;
    cln->data = w;

    w->api = api;
    w->run = run;
    w->rc = NGX_OK;

    rmcf = ngx_media_record_main_conf((ngx_cycle_t *) ngx_cycle);

    if (rmcf == NULL || rmcf->roots.nelts == 0) {
        return w;
    }

    root = rmcf->roots.elts;

    w->nroots = rmcf->roots.nelts;
    w->roots = ngx_pcalloc(w->pool, w->nroots * sizeof(ngx_str_t));
    w->fds = ngx_pcalloc(w->pool, w->nroots * sizeof(int));

    w->uploads = ngx_pcalloc(w->pool, w->nroots * sizeof(ngx_uint_t));

    if (w->roots == NULL || w->fds == NULL || w->uploads == NULL) {
        return NULL;
    }

    for (i = 0; i < w->nroots; i++) {

        w->fds[i] = -1;
        w->roots[i].len = root[i]->path.len;
        w->roots[i].data = ngx_pnalloc(w->pool, root[i]->path.len + 1);

        if (w->roots[i].data == NULL) {
            return NULL;
        }

        (void) ngx_cpystrn(w->roots[i].data, root[i]->path.data,
                           root[i]->path.len + 1);
    }

    return w;
}


/* with the request, which is behind what was sent of it */

static void
ngx_media_record_work_free(void *data)
{
    ngx_media_record_work_t *w = data;

    ngx_destroy_pool(w->pool);
}


static void
ngx_media_record_work_run(ngx_media_record_work_t *w)
{
    ngx_uint_t  i;

    for (i = 0; i < w->nroots; i++) {
        w->fds[i] = ngx_media_disk_root(w->roots[i].data);
    }

    for (i = 0; i < w->nroots; i++) {
        w->uploads[i] = w->fds[i] != -1
                        && (faccessat(w->fds[i], NGX_MEDIA_UPLOAD_QUEUE, F_OK,
                                      0) == 0
                            || faccessat(w->fds[i], NGX_MEDIA_UPLOAD_STATE,
                                         F_OK, 0) == 0);
    }

    ngx_media_record_unfinished(w);

    w->run(w);

    if (w->dir_known && w->dir != -1) {
        (void) close(w->dir);
    }

    for (i = 0; i < w->nroots; i++) {
        if (w->fds[i] != -1) {
            (void) close(w->fds[i]);
        }
    }
}


static ngx_int_t
ngx_media_record_work_end(ngx_media_record_work_t *w)
{
    if (w->err) {
        ngx_log_error(NGX_LOG_ERR, w->api->request->connection->log, w->err,
                      "media API: recordings could not be read or changed");
    }

    return w->rc;
}


#if (NGX_THREADS)

static void
ngx_media_record_work_thread(void *data, ngx_log_t *log)
{
    ngx_media_record_work_run(*(ngx_media_record_work_t **) data);
}


static void
ngx_media_record_work_done(ngx_event_t *ev)
{
    ngx_media_record_work_t *w = ev->data;

    ngx_media_api_resume(w->api, ngx_media_record_work_end(w));
}

#endif


/* NGX_AGAIN, or what the handler says at once */

static ngx_int_t
ngx_media_record_work_post(ngx_media_record_work_t *w)
{
#if (NGX_THREADS)

    ngx_str_t           name;
    ngx_thread_pool_t  *tp;
    ngx_thread_task_t  *task;

    if (w->nroots) {

        ngx_str_set(&name, "default");
        tp = ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle, &name);
        task = ngx_thread_task_alloc(w->api->request->pool, sizeof(void *));

        if (tp == NULL || task == NULL) {
            return NGX_ERROR;
        }

        *(ngx_media_record_work_t **) task->ctx = w;

        task->handler = ngx_media_record_work_thread;
        task->event.handler = ngx_media_record_work_done;
        task->event.data = w;

        /* from here on the document is the thread's */

        w->api->json.pool = w->pool;

        if (ngx_thread_task_post(tp, task) != NGX_OK) {
            return NGX_BUSY;
        }

        return ngx_media_api_park(w->api);
    }

#endif

    ngx_media_record_work_run(w);

    return ngx_media_record_work_end(w);
}


/* --- arguments ---------------------------------------------------------- */

/* decoded; NGX_DECLINED: not given, or empty: data is NULL; NGX_ERROR */

static ngx_int_t
ngx_media_record_arg(ngx_media_api_t *api, const char *name, ngx_str_t *value)
{
    ssize_t     n;
    u_char     *p;
    ngx_str_t   arg;

    ngx_str_null(value);

    if (ngx_http_arg(api->request, (u_char *) name, ngx_strlen(name), &arg)
        != NGX_OK
        || arg.len == 0)
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(api->request->pool, arg.len);

    if (p == NULL) {
        return NGX_ERROR;
    }

    n = ngx_media_url_decode(p, arg.data, arg.len, 1);

    if (n <= 0) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = (size_t) n;

    return NGX_OK;
}


/* ms since the epoch; NGX_OK, also where it is not given; NGX_DECLINED */

static ngx_int_t
ngx_media_record_time(ngx_media_api_t *api, const char *name, int64_t *value)
{
    ngx_int_t  n;
    ngx_str_t  arg;

    *value = 0;

    if (ngx_http_arg(api->request, (u_char *) name, ngx_strlen(name), &arg)
        != NGX_OK
        || arg.len == 0)
    {
        return NGX_OK;
    }

    n = (arg.len > 15) ? NGX_ERROR : ngx_atoi(arg.data, arg.len);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *value = n;

    return NGX_OK;
}


ngx_uint_t
ngx_media_record_same(const ngx_str_t *want, const ngx_str_t *name)
{
    return want->data == NULL
           || (want->len == name->len
               && ngx_memcmp(want->data, name->data, name->len) == 0);
}


ngx_uint_t
ngx_media_record_wanted(ngx_media_record_work_t *w,
    const ngx_media_recording_t *r)
{
    return ngx_media_record_same(&w->vhost, &r->vhost)
           && ngx_media_record_same(&w->app, &r->app)
           && ngx_media_record_same(&w->stream, &r->stream)
           && r->end >= w->from
           && (w->to == 0 || r->begin <= w->to);
}


/* --- what is being written ---------------------------------------------- */

int ngx_libc_cdecl
ngx_media_record_cmp_open(const void *one, const void *two)
{
    const ngx_media_recording_t  *a = one, *b = two;

    return ngx_strcmp(a->id, b->id);
}


/* NGX_DECLINED: nothing of this source is */

static ngx_int_t
ngx_media_record_open(ngx_media_api_source_t *s, ngx_media_recording_t *r,
    ngx_pool_t *pool)
{
    u_char                     *p;
    ngx_media_record_conf_t    *rcf;
    ngx_media_source_record_t   rec;

    if (ngx_media_record_now(&s->source->record, &rec) != NGX_OK
        || ngx_media_api_get(&s->source->generation) != s->generation)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(r, sizeof(ngx_media_recording_t));
    ngx_memcpy(r->id, rec.id, NGX_MEDIA_RECORD_ID);

    r->file.len = ngx_strlen(rec.file);
    p = ngx_pnalloc(pool, r->file.len + s->vhost.len + s->app.len
                          + s->stream.len + 1);

    if (p == NULL) {
        return NGX_ERROR;
    }

    r->file.data = p;
    p = ngx_cpymem(p, rec.file, r->file.len);

    r->vhost.data = p;
    r->vhost.len = s->vhost.len;
    p = ngx_cpymem(p, s->vhost.data, s->vhost.len);

    r->app.data = p;
    r->app.len = s->app.len;
    p = ngx_cpymem(p, s->app.data, s->app.len);

    r->stream.data = p;
    r->stream.len = s->stream.len;
    ngx_memcpy(p, s->stream.data, s->stream.len);

    r->kind = ngx_media_file_kind(r->file.data, r->file.len);

    if (r->kind == 0) {

        /* a long name is not all there */

        rcf = ngx_media_record_conf(ngx_media_policy(&s->vhost, &s->app));
        r->kind = (uint8_t) rcf->kind;
    }

    r->state = NGX_MEDIA_RECORD_OPEN;
    r->begin = rec.begin;
    r->duration = rec.duration / 1000;
    r->end = rec.begin + (int64_t) r->duration;
    r->bytes = rec.bytes;

    return NGX_OK;
}


/* all that are wanted */

static ngx_int_t
ngx_media_record_opens(ngx_media_record_work_t *w)
{
    uint32_t                 i, n;
    ngx_int_t                rc;
    ngx_array_t              open;
    ngx_media_recording_t   *r, one;
    ngx_media_api_source_t   s;

    if (ngx_array_init(&open, w->pool, 4, sizeof(ngx_media_recording_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    n = ngx_media_api_get(&ngx_media_arena()->fresh_source);

    for (i = 0; i < n; i++) {

        if (!ngx_media_api_get(&ngx_media_source_at(i)->record.active)
            || ngx_media_api_source(i, &s) != NGX_OK)
        {
            continue;
        }

        rc = ngx_media_record_open(&s, &one, w->pool);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED || !ngx_media_record_wanted(w, &one)) {
            continue;
        }

        r = ngx_array_push(&open);

        if (r == NULL) {
            return NGX_ERROR;
        }

        *r = one;
    }

    w->open = open.elts;
    w->nopen = open.nelts;

    ngx_qsort(w->open, w->nopen, sizeof(ngx_media_recording_t),
              ngx_media_record_cmp_open);

    return NGX_OK;
}


ngx_media_recording_t *
ngx_media_record_open_find(ngx_media_record_work_t *w, const u_char *id)
{
    ngx_media_recording_t  key;

    if (w->nopen == 0) {
        return NULL;
    }

    ngx_memcpy(key.id, id, NGX_MEDIA_RECORD_ID);

    return bsearch(&key, w->open, w->nopen, sizeof(ngx_media_recording_t),
                   ngx_media_record_cmp_open);
}


/* --- lists -------------------------------------------------------------- */

ngx_int_t
ngx_media_api_recordings(ngx_media_api_t *api)
{
    ngx_media_record_work_t  *w;

    w = ngx_media_record_work(api, api->id.len ? ngx_media_record_show
                                               : ngx_media_record_list);
    if (w == NULL) {
        return NGX_ERROR;
    }

    if (api->id.len) {

        if (ngx_media_archive_id(api->id.data, api->id.len) < 0) {
            api->code = NGX_MEDIA_API_NO_RECORDING;
            return NGX_DECLINED;
        }

        ngx_memcpy(w->id, api->id.data, api->id.len);

    } else {

        w->page = ngx_media_api_page(api->request);

        if (ngx_media_record_arg(api, "vhost", &w->vhost) == NGX_ERROR
            || ngx_media_record_arg(api, "app", &w->app) == NGX_ERROR
            || ngx_media_record_arg(api, "stream", &w->stream) == NGX_ERROR
            || ngx_media_record_time(api, "from", &w->from) != NGX_OK
            || ngx_media_record_time(api, "to", &w->to) != NGX_OK
            || w->page.start > NGX_MEDIA_RECORD_API_START)
        {
            api->code = NGX_MEDIA_API_BAD_VALUE;
            return NGX_DECLINED;
        }
    }

    if (ngx_media_record_opens(w) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_media_record_work_post(w);
}


/* --- what is told --------------------------------------------------------- */

/* of a page most files are in one directory */

static ngx_uint_t
ngx_media_record_state(ngx_media_record_work_t *w,
    const ngx_media_recording_t *r, ngx_uint_t root)
{
    size_t         len;
    u_char        *p;
    const u_char  *base;

    for (p = r->file.data + r->file.len; p > r->file.data && p[-1] != '/'; p--)
    { /* void */ }

    len = (size_t) (p - r->file.data);

    if (!w->dir_known || w->dir_root != root || w->dir_len != len
        || w->dir == -1
        || ngx_memcmp(w->dir_name, r->file.data, len) != 0)
    {
        if (w->dir_known && w->dir != -1) {
            (void) close(w->dir);
        }

        w->dir = ngx_media_disk_dir(w->fds[root], r->file.data, &base, 0);
        w->dir_known = 1;
        w->dir_root = root;
        w->dir_len = len;
        ngx_memcpy(w->dir_name, r->file.data, len);
    }

    return ngx_media_archive_state_at(w->dir, p, r->end, r->bytes);
}


void
ngx_media_record_write(ngx_media_record_work_t *w,
    const ngx_media_recording_t *r, ngx_uint_t root)
{
    ngx_uint_t              upload;
    ngx_media_recording_t   one;

    static const char  *uploads[] = { "none", "queued", "done", "failed" };

    one = *r;
    upload = NGX_MEDIA_UPLOAD_NONE;

    if (r->state != NGX_MEDIA_RECORD_OPEN) {

        one.state = (uint8_t) ngx_media_record_state(w, r, root);

        if (w->uploads[root]) {
            upload = ngx_media_upload_state(w->fds[root], r->id);
        }
    }

    ngx_media_record_json(&w->api->json, &one,
                          uploads[ngx_min(upload, NGX_MEDIA_UPLOAD_FAILED)]);
}


void
ngx_media_record_json(ngx_media_json_t *j, const ngx_media_recording_t *r,
    const char *upload)
{
    u_char  url[3 * 2 * NGX_MEDIA_NAME_LEN + 64], *p;
    size_t  n;

    static const char  *states[] = { "recording", "complete", "broken" };

    ngx_media_json_key_text(j, "id", (const char *) r->id);
    ngx_media_json_key_str(j, "vhost", &r->vhost);
    ngx_media_json_key_str(j, "app", &r->app);
    ngx_media_json_key_str(j, "stream", &r->stream);
    ngx_media_json_key_str(j, "file", &r->file);
    ngx_media_json_key_text(j, "format", r->kind
                                         ? ngx_media_file_ending(r->kind) + 1
                                         : "");
    ngx_media_json_key_int(j, "begin", r->begin);
    ngx_media_json_key_int(j, "end", r->end);
    ngx_media_json_key_int(j, "duration", (int64_t) r->duration);
    ngx_media_json_key_int(j, "bytes", (int64_t) r->bytes);
    ngx_media_json_key_text(j, "state", states[ngx_min(r->state, 2)]);
    ngx_media_json_key_text(j, "upload", upload);

    /* as it stands in a request, so that a player takes it as it is */

    p = url;
    *p++ = '/';

    n = ngx_min(r->app.len, NGX_MEDIA_NAME_LEN);
    p = (u_char *) ngx_escape_uri(p, r->app.data, n, NGX_ESCAPE_URI);
    *p++ = '/';

    n = ngx_min(r->stream.len, NGX_MEDIA_NAME_LEN);
    p = (u_char *) ngx_escape_uri(p, r->stream.data, n, NGX_ESCAPE_URI);
    p = ngx_sprintf(p, ".rec.%s%s", r->id,
                    r->kind ? ngx_media_file_ending(r->kind) : "");

    ngx_media_json_key(j, "url");
    ngx_media_json_str(j, url, (size_t) (p - url));
}


/* --- one ---------------------------------------------------------------- */

static void
ngx_media_record_show(ngx_media_record_work_t *w)
{
    ngx_uint_t              i;
    ngx_media_recording_t  *r;

    w->rc = NGX_DECLINED;
    w->api->code = NGX_MEDIA_API_NO_RECORDING;

    /* whole first: one that ended a moment ago is no longer open */

    for (i = 0; i < w->nroots && w->rc == NGX_DECLINED; i++) {

        if (w->fds[i] == -1) {
            continue;
        }

        w->at = i;

        if (ngx_media_archive_find(w->fds[i], w->id, ngx_media_record_shown, w)
            != NGX_OK)
        {
            w->err = errno;
        }
    }

    r = ngx_media_record_open_find(w, w->id);

    if (w->rc == NGX_DECLINED && r) {
        (void) ngx_media_record_shown(w, r);
    }
}


static ngx_int_t
ngx_media_record_shown(void *data, const ngx_media_recording_t *r)
{
    ngx_media_record_work_t *w = data;

    ngx_media_json_key_object(&w->api->json, "recording");
    ngx_media_record_write(w, r, w->at);
    ngx_media_json_object_end(&w->api->json);

    w->rc = NGX_OK;

    return NGX_OK;
}


ngx_int_t
ngx_media_api_recording_remove(ngx_media_api_t *api)
{
    ngx_media_record_work_t  *w;

    if (ngx_media_archive_id(api->id.data, api->id.len) < 0) {
        api->code = NGX_MEDIA_API_NO_RECORDING;
        return NGX_DECLINED;
    }

    w = ngx_media_record_work(api, ngx_media_record_delete);

    if (w == NULL || ngx_media_record_opens(w) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(w->id, api->id.data, api->id.len);

    ngx_log_error(NGX_LOG_NOTICE, api->request->connection->log, 0,
                  "recording %s is to be deleted, says the API", w->id);

    return ngx_media_record_work_post(w);
}


static void
ngx_media_record_delete(ngx_media_record_work_t *w)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = NGX_DECLINED;

    for (i = 0; i < w->nroots && rc == NGX_DECLINED; i++) {

        if (w->fds[i] == -1) {
            continue;
        }

        rc = ngx_media_archive_remove(w->fds[i], w->id);

        if (rc == NGX_ERROR) {
            w->err = errno;
        }
    }

    if (rc == NGX_OK) {
        return;
    }

    w->rc = NGX_DECLINED;
    w->api->code = (rc == NGX_ERROR) ? NGX_MEDIA_API_NO_DISK
                 : ngx_media_record_open_find(w, w->id)
                 ? NGX_MEDIA_API_RECORDING : NGX_MEDIA_API_NO_RECORDING;
}


/* --- switches ----------------------------------------------------------- */

typedef struct {
    ngx_media_api_t                 *api;
    ngx_media_record_switch_wait_t   wait;
} ngx_media_record_change_t;


ngx_int_t
ngx_media_api_record(ngx_media_api_t *api)
{
    ngx_media_api_source_t  s;

    if (ngx_media_api_stream_find(api, &s) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_media_record_change(api, &s.vhost, &s.app, &s.stream);
}


ngx_int_t
ngx_media_api_record_name(ngx_media_api_t *api)
{
    ngx_str_t            name[3];
    ngx_uint_t           i;
    ngx_media_url_str_t  s;

    static const ngx_media_name_kind_e  kinds[] = {
        NGX_MEDIA_NAME_VHOST, NGX_MEDIA_NAME_APP, NGX_MEDIA_NAME_PUBLISH
    };

    if (ngx_media_record_arg(api, "vhost", &name[0]) == NGX_ERROR
        || ngx_media_record_arg(api, "app", &name[1]) != NGX_OK
        || ngx_media_record_arg(api, "stream", &name[2]) != NGX_OK)
    {
        api->code = NGX_MEDIA_API_BAD_VALUE;
        return NGX_DECLINED;
    }

    /* that of the default vhost, where it is not configured */

    (void) ngx_media_policy(&name[0], &name[1]);

    for (i = 0; i < 3; i++) {

        s.data = name[i].data;
        s.len = name[i].len;

        if (name[i].len > NGX_MEDIA_NAME_LEN
            || ngx_media_name_check(&s, kinds[i]) != NGX_MEDIA_NAME_OK)
        {
            api->code = NGX_MEDIA_API_BAD_VALUE;
            return NGX_DECLINED;
        }
    }

    return ngx_media_record_change(api, &name[0], &name[1], &name[2]);
}


static ngx_int_t
ngx_media_record_change(ngx_media_api_t *api, ngx_str_t *vhost,
    ngx_str_t *app, ngx_str_t *stream)
{
    ngx_int_t                       value;
    ngx_str_t                       arg;
    ngx_media_record_conf_t        *rcf;
    ngx_media_record_change_t      *change;
    ngx_media_record_main_conf_t   *rmcf;

    value = NGX_DECLINED;

    if (ngx_http_arg(api->request, (u_char *) "switch", 6, &arg) == NGX_OK) {
        value = ngx_media_record_switch_parse(arg.data, arg.len);
    }

    if (value == NGX_DECLINED) {
        api->code = NGX_MEDIA_API_BAD_VALUE;
        return NGX_DECLINED;
    }

    rcf = ngx_media_record_conf(ngx_media_policy(vhost, app));

    /* what was switched on before it lost its path can be taken back */

    if (rcf->root == NULL && value != NGX_MEDIA_RECORD_AUTO) {
        api->code = NGX_MEDIA_API_NO_PATH;
        return NGX_DECLINED;
    }

    change = ngx_pcalloc(api->request->pool,
                         sizeof(ngx_media_record_change_t));

    if (change == NULL) {
        return NGX_ERROR;
    }

    if (ngx_media_record_switch_set(vhost, app, stream, (ngx_uint_t) value, 0)
        != NGX_OK)
    {
        api->code = NGX_MEDIA_API_NO_ROOM;
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_NOTICE, api->request->connection->log, 0,
                  "recording of %V/%V is switched to \"%s\" by the API",
                  app, stream,
                  ngx_media_record_switch_name((ngx_uint_t) value));

    rmcf = ngx_media_record_main_conf((ngx_cycle_t *) ngx_cycle);

    if (rmcf == NULL || rmcf->roots.nelts == 0) {
        return NGX_OK;
    }

    change->api = api;
    change->wait.done = ngx_media_record_changed_done;
    change->wait.data = change;

    if (ngx_media_record_switch_save(&change->wait) != NGX_OK) {
        api->code = NGX_MEDIA_API_NO_DISK;
        return NGX_DECLINED;
    }

    return ngx_media_api_park(api);
}


static void
ngx_media_record_changed_done(void *data, ngx_int_t rc)
{
    ngx_media_record_change_t *change = data;

    if (rc != NGX_OK) {
        change->api->code = NGX_MEDIA_API_NO_DISK;
        rc = NGX_DECLINED;
    }

    ngx_media_api_resume(change->api, rc);
}


/* --- of a stream -------------------------------------------------------- */

void
ngx_media_api_stream_record(ngx_media_json_t *j, ngx_media_api_source_t *s)
{
    ngx_int_t               rc;
    ngx_uint_t              value;
    ngx_media_recording_t   r;

    value = ngx_media_record_switch(&s->vhost, &s->app, &s->stream);
    rc = ngx_media_record_open(s, &r, j->pool);

    ngx_media_json_key_object(j, "record");
    ngx_media_json_key_text(j, "switch", ngx_media_record_switch_name(value));
    ngx_media_json_key_bool(j, "active", rc == NGX_OK);

    if (rc == NGX_OK) {
        ngx_media_json_key_text(j, "id", (const char *) r.id);
        ngx_media_json_key_str(j, "file", &r.file);
        ngx_media_json_key_int(j, "duration", (int64_t) r.duration);
        ngx_media_json_key_int(j, "bytes", (int64_t) r.bytes);
    }

    ngx_media_json_key_int(j, "lost",
                           (int64_t) ngx_media_api_get(
                                                  &s->source->record.lost));
    ngx_media_json_object_end(j);
}
