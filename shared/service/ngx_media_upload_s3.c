
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: an object of S3 from a file: by one PUT where it is no longer than a
 * part, else in parts, two of them under way at once:
 *
 *   CREATE      POST ?uploads             the id of the upload, saved
 *   LIST        GET ?uploadId             instead, where there is an id: which
 *                                         parts are there
 *   PARTS       PUT ?partNumber&uploadId  each is saved when it is there
 *   COMPLETE    POST ?uploadId            saved before it is asked for
 *   CHECK       HEAD                      the upload is known no more, and
 *                                         its end was asked for: is the
 *                                         object there?
 *   ABORT       DELETE ?uploadId          of one that is given up
 *
 * Every body is hashed before it is sent, so that S3 takes none that was
 * damaged on its way.  Source: Amazon S3 API Reference.
 */


#include "ngx_media_upload_job.h"
#include "ngx_media_s3_xml.h"
#include "ngx_media_sigv4.h"


#define NGX_MEDIA_UPLOAD_CREATE    0
#define NGX_MEDIA_UPLOAD_LIST      1
#define NGX_MEDIA_UPLOAD_SENDING   2
#define NGX_MEDIA_UPLOAD_COMPLETE  3
#define NGX_MEDIA_UPLOAD_CHECK     4
#define NGX_MEDIA_UPLOAD_ABORT     5

#define NGX_MEDIA_UPLOAD_TIMEOUT   60000    /* ms without a sign */
#define NGX_MEDIA_UPLOAD_LONG      300000   /* ms, of what S3 puts together */
#define NGX_MEDIA_UPLOAD_ANSWER    (1024 * 1024)
#define NGX_MEDIA_UPLOAD_ID        1024
#define NGX_MEDIA_UPLOAD_AUTH      2048
#define NGX_MEDIA_UPLOAD_MEGABYTE  (1024 * 1024)


typedef struct {
    const char                *method;
    ngx_str_t                  query;      /* in order, escaped */
    ngx_str_t                  body;
    const char                *hash;       /* of the body; NULL: of this one */
    const char                *type;       /* of the body, or NULL */
    ngx_uint_t                 storage;    /* says which class of storage */
    ngx_msec_t                 timeout;
    ngx_media_upload_flight_t *flight;     /* NULL: no file */
} ngx_media_upload_call_t;


static void ngx_media_upload_s3_create(ngx_media_upload_job_t *job);
static void ngx_media_upload_s3_list(ngx_media_upload_job_t *job);
static void ngx_media_upload_s3_complete(ngx_media_upload_job_t *job);
static void ngx_media_upload_s3_answer(void *data, ngx_media_web_answer_t *a);
static void ngx_media_upload_s3_created(ngx_media_upload_job_t *job,
    ngx_media_web_answer_t *a);
static void ngx_media_upload_s3_listed(ngx_media_upload_job_t *job,
    ngx_media_web_answer_t *a);
static void ngx_media_upload_s3_completed(ngx_media_upload_job_t *job,
    ngx_media_web_answer_t *a);
static void ngx_media_upload_s3_sent(void *data, ngx_media_web_answer_t *a);


/* --- requests ----------------------------------------------------------- */

static const char *
ngx_media_upload_type(ngx_media_upload_job_t *job)
{
    switch (ngx_media_file_kind(job->entry.file.data, job->entry.file.len)) {

    case NGX_MEDIA_FILE_FLV:
        return "video/x-flv";

    case NGX_MEDIA_FILE_TS:
        return "video/mp2t";

    default:
        return "video/mp4";
    }
}


static ngx_media_url_str_t
ngx_media_upload_str(const void *p, size_t n)
{
    ngx_media_url_str_t  s;

    s.data = (u_char *) p;
    s.len = n;

    return s;
}


/* "Name: value" of what is signed, and "Authorization"; how many */

static ngx_uint_t
ngx_media_upload_s3_sign(ngx_media_upload_job_t *job,
    ngx_media_upload_call_t *call, ngx_str_t *headers, ngx_pool_t *pool)
{
    char                       date[NGX_MEDIA_SIGV4_DATE];
    char                       hash[NGX_MEDIA_SIGV4_HASH];
    size_t                     i, n, len;
    u_char                    *p, *scratch;
    ngx_media_sigv4_t          s;
    ngx_media_upload_s3_t     *s3;
    ngx_media_sigv4_header_t   h[5];

    s3 = job->conf->s3;
    n = 0;

    scratch = ngx_palloc(pool, NGX_MEDIA_SIGV4_SCRATCH);
    p = ngx_pnalloc(pool, NGX_MEDIA_UPLOAD_AUTH);

    if (scratch == NULL || p == NULL) {
        return 0;
    }

    ngx_media_sigv4_date(date, ngx_time());

    if (call->hash) {
        ngx_memcpy(hash, call->hash, NGX_MEDIA_SIGV4_HASH);

    } else {
        ngx_media_sigv4_hash(hash, call->body.data, call->body.len);
    }

    if (call->type) {
        h[n].name = "content-type";
        h[n++].value = ngx_media_upload_str(call->type,
                                            ngx_strlen(call->type));
    }

    h[n].name = "host";
    h[n++].value = ngx_media_upload_str(s3->host.data, s3->host.len);

    h[n].name = "x-amz-content-sha256";
    h[n++].value = ngx_media_upload_str(hash, 64);

    h[n].name = "x-amz-date";
    h[n++].value = ngx_media_upload_str(date, sizeof(date) - 1);

    if (call->storage && s3->storage.len) {
        h[n].name = "x-amz-storage-class";
        h[n++].value = ngx_media_upload_str(s3->storage.data,
                                            s3->storage.len);
    }

    s.method = call->method;
    s.path = ngx_media_upload_str(job->path.data, job->path.len);
    s.query = ngx_media_upload_str(call->query.data, call->query.len);
    s.headers = h;
    s.nheaders = n;
    s.payload = ngx_media_upload_str(hash, 64);
    s.date = date;
    s.region = ngx_media_upload_str(s3->region.data, s3->region.len);
    s.key = ngx_media_upload_str(s3->key.data, s3->key.len);
    s.secret = ngx_media_upload_str(s3->secret.data, s3->secret.len);

    headers[0].data = p;
    p = ngx_cpymem(p, "Authorization: ", 15);
    len = ngx_media_sigv4_sign(p, NGX_MEDIA_UPLOAD_AUTH - 15, &s, scratch);
    headers[0].len = len + 15;

    ngx_explicit_memzero(scratch, NGX_MEDIA_SIGV4_SCRATCH);

    for (i = 0; i < n; i++) {

        /* the client writes that one */

        if (call->type && i == 0) {
            headers[i + 1] = headers[0];
            continue;
        }

        headers[i + 1].len = ngx_strlen(h[i].name) + 2 + h[i].value.len;
        headers[i + 1].data = ngx_pnalloc(pool, headers[i + 1].len);

        if (headers[i + 1].data == NULL) {
            return 0;
        }

        (void) ngx_sprintf(headers[i + 1].data, "%s: %*s", h[i].name,
                           h[i].value.len, h[i].value.data);
    }

    return len ? n + 1 : 0;
}


static ngx_media_web_t *
ngx_media_upload_s3_call(ngx_media_upload_job_t *job,
    ngx_media_upload_call_t *call)
{
    u_char                   *p;
    ngx_str_t                 headers[6];
    ngx_uint_t                skip;
    ngx_pool_t               *pool;
    ngx_media_web_t          *w;
    ngx_media_web_request_t   rq;

    ngx_memzero(&rq, sizeof(ngx_media_web_request_t));

    pool = ngx_create_pool(4096, ngx_cycle->log);

    if (pool == NULL) {
        return NULL;
    }

    w = NULL;
    skip = call->type ? 1 : 0;

    p = ngx_pnalloc(pool, job->path.len + call->query.len + 1);
    rq.nheaders = ngx_media_upload_s3_sign(job, call, headers, pool);

    if (p && rq.nheaders) {

        rq.path.data = p;
        p = ngx_cpymem(p, job->path.data, job->path.len);

        if (call->query.len) {
            *p++ = '?';
            p = ngx_cpymem(p, call->query.data, call->query.len);
        }

        rq.path.len = (size_t) (p - rq.path.data);

        rq.url = job->conf->s3->url;
        rq.method.data = (u_char *) call->method;
        rq.method.len = ngx_strlen(call->method);
        rq.body = call->body;
        rq.headers = headers + skip;
        rq.nheaders -= skip;
        rq.timeout = call->timeout;
        rq.max = NGX_MEDIA_UPLOAD_ANSWER;
        rq.log = ngx_cycle->log;

        if (call->type) {
            rq.content_type.data = (u_char *) call->type;
            rq.content_type.len = ngx_strlen(call->type);
        }

        rq.done = ngx_media_upload_s3_answer;
        rq.data = job;

        if (call->flight) {
            rq.source = ngx_media_upload_s3_source;
            rq.source_size = ngx_media_upload_body_size(call->flight->body);
            rq.done = ngx_media_upload_s3_sent;
            rq.data = call->flight;
        }

        w = ngx_media_web_send(&rq);
    }

    ngx_destroy_pool(pool);

    return w;
}


/* a request without a file */

static void
ngx_media_upload_s3_ask(ngx_media_upload_job_t *job, ngx_uint_t state,
    const char *method, ngx_str_t *query, ngx_str_t *body, const char *type)
{
    ngx_media_upload_call_t  call;

    ngx_memzero(&call, sizeof(ngx_media_upload_call_t));

    call.method = method;
    call.query = *query;
    call.type = type;
    call.storage = (state == NGX_MEDIA_UPLOAD_CREATE);
    call.timeout = (state == NGX_MEDIA_UPLOAD_COMPLETE)
                   ? NGX_MEDIA_UPLOAD_LONG : NGX_MEDIA_UPLOAD_TIMEOUT;

    if (body) {
        call.body = *body;
    }

    job->state = state;
    job->web = ngx_media_upload_s3_call(job, &call);

    if (job->web == NULL) {

        if (state == NGX_MEDIA_UPLOAD_ABORT) {
            ngx_media_upload_s3_aborted(job);
            return;
        }

        ngx_media_upload_put_off(job, "waits: no request can be sent now");
    }
}


/* "uploadId=..." behind a text */

static ngx_int_t
ngx_media_upload_s3_query(ngx_media_upload_job_t *job, const char *before,
    ngx_str_t *query)
{
    u_char     *p;
    ngx_str_t  *id;

    id = &job->entry.upload;
    p = ngx_pnalloc(job->pool, ngx_strlen(before) + 9 + 3 * id->len);

    if (p == NULL) {
        return NGX_ERROR;
    }

    query->data = p;
    p = ngx_cpymem(p, before, ngx_strlen(before));
    p = ngx_cpymem(p, "uploadId=", 9);
    p = ngx_media_sigv4_escape(p, id->data, id->len, 0);
    query->len = (size_t) (p - query->data);

    return NGX_OK;
}


/* what is wrong with an answer, as text; S3 says it in <Code> */

static void
ngx_media_upload_s3_fault(ngx_media_upload_job_t *job,
    ngx_media_web_answer_t *a, const char *what, u_char *text, size_t size)
{
    u_char   code[64], *p;
    ssize_t  n;

    if (a->error) {
        p = ngx_snprintf(text, size - 1, "can not be uploaded to \"%V%V\" "
                         "(%s): %s", &job->conf->s3->host, &job->path, what,
                         a->error);
        *p = '\0';
        return;
    }

    n = ngx_media_s3_value(a->body.data, a->body.data + a->body.len, "Code",
                           code, sizeof(code));

    p = ngx_snprintf(text, size - 1, "can not be uploaded to \"%V%V\" (%s): "
                     "the answer is %ui %s", &job->conf->s3->host, &job->path,
                     what, a->status, (n > 0) ? (char *) code : "");
    *p = '\0';
}


static void
ngx_media_upload_s3_failed(ngx_media_upload_job_t *job,
    ngx_media_web_answer_t *a, const char *what)
{
    u_char  text[NGX_MAX_ERROR_STR];

    ngx_media_upload_s3_fault(job, a, what, text, sizeof(text));
    ngx_media_upload_put_off(job, (char *) text);
}


static ngx_uint_t
ngx_media_upload_s3_code(ngx_media_web_answer_t *a, const char *code)
{
    u_char  text[64];

    return a->error == NULL
           && ngx_media_s3_value(a->body.data, a->body.data + a->body.len,
                                 "Code", text, sizeof(text))
              > 0
           && ngx_strcmp(text, code) == 0;
}


static ngx_uint_t
ngx_media_upload_s3_is(ngx_media_web_answer_t *a, const char *element)
{
    ngx_media_s3_text_t  text;

    return a->body.len
           && ngx_media_s3_element(a->body.data, a->body.data + a->body.len,
                                   element, &text)
              != NULL;
}


/* --- begin -------------------------------------------------------------- */

static ngx_int_t
ngx_media_upload_s3_path(ngx_media_upload_job_t *job)
{
    u_char                    *p;
    ngx_str_t                  prefix, text[NGX_MEDIA_TEXT_MAX];
    ngx_media_upload_s3_t     *s3;
    ngx_media_upload_entry_t  *e;

    s3 = job->conf->s3;
    e = &job->entry;
    prefix = s3->prefix;

    if (s3->value) {
        ngx_memzero(text, sizeof(text));

        text[NGX_MEDIA_TEXT_VHOST] = e->vhost;
        text[NGX_MEDIA_TEXT_APP] = e->app;
        text[NGX_MEDIA_TEXT_STREAM] = e->stream;

        if (ngx_media_value_eval(s3->value, text, NULL, 0, job->pool, &prefix)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    p = ngx_pnalloc(job->pool, 3 * (prefix.len + e->file.len) + 1);

    if (p == NULL) {
        return NGX_ERROR;
    }

    job->path.data = p;
    p = ngx_media_sigv4_escape(p, prefix.data, prefix.len, 1);
    *p++ = '/';
    p = ngx_media_sigv4_escape(p, e->file.data, e->file.len, 1);
    job->path.len = (size_t) (p - job->path.data);

    return NGX_OK;
}


/* is what the entry says of an upload still of this object? */

static ngx_uint_t
ngx_media_upload_s3_same(ngx_media_upload_job_t *job)
{
    ngx_media_upload_entry_t  *e;

    e = &job->entry;

    return e->upload.len && e->target.len == job->path.len
           && ngx_memcmp(e->target.data, job->path.data, job->path.len) == 0
           && (off_t) e->nparts == (job->size + e->part - 1) / e->part;
}


void
ngx_media_upload_s3(ngx_media_upload_job_t *job)
{
    ngx_media_upload_entry_t  *e;

    e = &job->entry;

    if (ngx_media_upload_s3_path(job) != NGX_OK) {
        ngx_media_upload_put_off(job, "waits: no memory");
        return;
    }

    if (ngx_media_upload_s3_same(job)) {
        ngx_media_upload_s3_list(job);
        return;
    }

    e->upload.len = 0;
    e->completing = 0;

    if (job->size <= job->conf->s3->part) {
        e->nparts = 0;
        job->state = NGX_MEDIA_UPLOAD_SENDING;
        ngx_media_upload_s3_next(job);
        return;
    }

    ngx_media_upload_s3_create(job);
}


static void
ngx_media_upload_s3_create(ngx_media_upload_job_t *job)
{
    off_t                      least;
    ngx_str_t                  query;
    ngx_media_upload_entry_t  *e;

    e = &job->entry;

    /* no more parts than there may be */

    least = (job->size / NGX_MEDIA_UPLOAD_PARTS / NGX_MEDIA_UPLOAD_MEGABYTE
             + 1) * NGX_MEDIA_UPLOAD_MEGABYTE;

    e->part = ngx_max(job->conf->s3->part, least);
    e->nparts = (ngx_uint_t) ((job->size + e->part - 1) / e->part);
    e->parts = ngx_pcalloc(job->pool, e->nparts
                                      * sizeof(ngx_media_upload_part_t));

    if (e->parts == NULL) {
        e->nparts = 0;
        ngx_media_upload_put_off(job, "waits: no memory");
        return;
    }

    ngx_str_set(&query, "uploads=");

    ngx_media_upload_s3_ask(job, NGX_MEDIA_UPLOAD_CREATE, "POST", &query,
                            NULL, ngx_media_upload_type(job));
}


static void
ngx_media_upload_s3_list(ngx_media_upload_job_t *job)
{
    u_char     *p, text[128];
    ngx_str_t   query;

    p = ngx_sprintf(text, "max-parts=1000&");

    if (job->marker) {
        p = ngx_sprintf(p, "part-number-marker=%ui&", job->marker);
    }

    *p = '\0';

    if (ngx_media_upload_s3_query(job, (char *) text, &query) != NGX_OK) {
        ngx_media_upload_put_off(job, "waits: no memory");
        return;
    }

    ngx_media_upload_s3_ask(job, NGX_MEDIA_UPLOAD_LIST, "GET", &query, NULL,
                            NULL);
}


/* --- parts -------------------------------------------------------------- */

ssize_t
ngx_media_upload_s3_source(void *data, u_char *p, size_t n)
{
    ngx_media_upload_flight_t *f = data;

    return ngx_media_upload_body_read(f->body, p, n);
}


/* a body was hashed */

static void
ngx_media_upload_s3_ready(void *data, ngx_int_t rc)
{
    ngx_media_upload_flight_t *f = data;

    u_char                    text[64];
    ngx_str_t                 query;
    ngx_media_upload_job_t   *job;
    ngx_media_upload_call_t   call;

    job = f->job;

    if (rc != NGX_OK) {

        if (ngx_exiting || ngx_terminate) {
            ngx_media_upload_body_free(f->body);
            f->body = NULL;
            ngx_media_upload_s3_next(job);
            return;
        }

        ngx_media_upload_put_off(job, "can not be read");
        return;
    }

    ngx_memzero(&call, sizeof(ngx_media_upload_call_t));

    call.method = "PUT";
    call.hash = ngx_media_upload_body_sum(f->body);
    call.timeout = NGX_MEDIA_UPLOAD_TIMEOUT;
    call.flight = f;

    if (f->number) {
        *ngx_sprintf(text, "partNumber=%ui&", f->number) = '\0';

        if (ngx_media_upload_s3_query(job, (char *) text, &query) != NGX_OK) {
            ngx_media_upload_put_off(job, "waits: no memory");
            return;
        }

        call.query = query;

    } else {
        call.storage = 1;
        call.type = ngx_media_upload_type(job);
    }

    f->web = ngx_media_upload_s3_call(job, &call);

    if (f->web == NULL) {
        ngx_media_upload_put_off(job, "waits: no request can be sent now");
        return;
    }

    ngx_media_upload_body_web(f->body, f->web);
}


/* NGX_ERROR: it was put off */

static ngx_int_t
ngx_media_upload_s3_start(ngx_media_upload_job_t *job,
    ngx_media_upload_flight_t *f, ngx_uint_t number)
{
    off_t  from, size;

    from = number ? (off_t) (number - 1) * job->entry.part : 0;
    size = job->size - from;

    if (number && size > job->entry.part) {
        size = job->entry.part;
    }

    f->number = number;
    f->done = 0;
    f->web = NULL;
    f->body = ngx_media_upload_body(job->fd, from, size,
                                    ngx_media_upload_s3_ready, f);

    if (f->body == NULL) {
        ngx_media_upload_put_off(job, "waits: no memory");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the first part that is neither there nor on its way; 0: none */

static ngx_uint_t
ngx_media_upload_s3_missing(ngx_media_upload_job_t *job)
{
    ngx_uint_t                  i, n;
    ngx_media_upload_flight_t  *f;

    for (n = 0; n < job->entry.nparts; n++) {

        if (job->entry.parts[n].etag[0]) {
            continue;
        }

        for (i = 0; i < NGX_MEDIA_UPLOAD_FLIGHT; i++) {
            f = &job->flight[i];

            if ((f->body || f->done) && f->number == n + 1) {
                break;
            }
        }

        if (i == NGX_MEDIA_UPLOAD_FLIGHT) {
            return n + 1;
        }
    }

    return 0;
}


/* what arrived goes into the entry, while no thread reads that */

static ngx_uint_t
ngx_media_upload_s3_note(ngx_media_upload_job_t *job)
{
    ngx_uint_t                  i, n;
    ngx_media_upload_flight_t  *f;

    n = 0;

    for (i = 0; i < NGX_MEDIA_UPLOAD_FLIGHT; i++) {
        f = &job->flight[i];

        if (f->done) {
            ngx_memcpy(job->entry.parts[f->number - 1].etag, f->etag,
                       NGX_MEDIA_UPLOAD_ETAG);
            f->done = 0;
            n++;
        }
    }

    if (n) {
        job->entry.tries = 0;
    }

    return n;
}


void
ngx_media_upload_s3_next(ngx_media_upload_job_t *job)
{
    ngx_uint_t                  i, n, flying;
    ngx_media_upload_flight_t  *f;

    if (job->web) {
        return;
    }

    if (!job->busy && job->entry.nparts && ngx_media_upload_s3_note(job)
        && ngx_media_upload_save_job(job) != NGX_OK)
    {
        return;
    }

    flying = 0;

    for (i = 0; i < NGX_MEDIA_UPLOAD_FLIGHT; i++) {
        f = &job->flight[i];

        if (f->body == NULL && !f->done && !ngx_exiting && !ngx_terminate) {

            n = ngx_media_upload_s3_missing(job);

            if (n == 0 && (job->entry.nparts || i)) {
                continue;
            }

            if (ngx_media_upload_s3_start(job, f, n) != NGX_OK) {
                return;
            }
        }

        flying += (f->body || f->done);
    }

    if (flying || job->busy) {
        return;
    }

    if (ngx_exiting || ngx_terminate) {
        ngx_media_upload_leave(job);
        return;
    }

    if (!job->entry.completing) {
        job->entry.completing = 1;
        (void) ngx_media_upload_save_job(job);
        return;
    }

    ngx_media_upload_s3_complete(job);
}


/* an ETag as it may stand in XML; the part is not there without one */

static ngx_int_t
ngx_media_upload_s3_etag(ngx_str_t *etag, u_char *out)
{
    size_t  i;

    if (etag->len == 0 || etag->len >= NGX_MEDIA_UPLOAD_ETAG) {
        return NGX_ERROR;
    }

    for (i = 0; i < etag->len; i++) {
        if (etag->data[i] <= ' ' || etag->data[i] >= 0x7f
            || etag->data[i] == '<' || etag->data[i] == '&')
        {
            return NGX_ERROR;
        }
    }

    (void) ngx_cpystrn(out, etag->data, etag->len + 1);

    return NGX_OK;
}


/* a file, or a part of it */

static void
ngx_media_upload_s3_sent(void *data, ngx_media_web_answer_t *a)
{
    ngx_media_upload_flight_t *f = data;

    off_t                    size;
    ngx_media_upload_job_t  *job;

    job = f->job;
    size = ngx_media_upload_body_size(f->body);

    f->web = NULL;
    ngx_media_upload_body_free(f->body);
    f->body = NULL;

    if (a->status == 404 && f->number
        && ngx_media_upload_s3_code(a, "NoSuchUpload"))
    {
        job->entry.upload.len = 0;
        ngx_media_upload_s3_failed(job, a, "a part");
        return;
    }

    if (a->status != 200
        || (f->number
            && ngx_media_upload_s3_etag(&a->etag, f->etag) != NGX_OK))
    {
        ngx_media_upload_s3_failed(job, a, f->number ? "a part" : "PUT");
        return;
    }

    ngx_media_upload_sent(size);

    if (f->number == 0) {
        ngx_media_upload_s3_finished(job);
        return;
    }

    f->done = 1;
    ngx_media_upload_s3_next(job);
}


/* --- the end ------------------------------------------------------------ */

static void
ngx_media_upload_s3_complete(ngx_media_upload_job_t *job)
{
    u_char                    *p;
    ngx_str_t                  query, body;
    ngx_uint_t                 i;
    ngx_media_upload_entry_t  *e;

    e = &job->entry;

    p = ngx_palloc(job->pool, 128 + e->nparts
                              * (64 + NGX_INT_T_LEN + NGX_MEDIA_UPLOAD_ETAG));

    if (p == NULL
        || ngx_media_upload_s3_query(job, "", &query) != NGX_OK)
    {
        ngx_media_upload_put_off(job, "waits: no memory");
        return;
    }

    body.data = p;
    p = ngx_sprintf(p, "<CompleteMultipartUpload xmlns=\"http://"
                       "s3.amazonaws.com/doc/2006-03-01/\">");

    for (i = 0; i < e->nparts; i++) {
        p = ngx_sprintf(p, "<Part><PartNumber>%ui</PartNumber>"
                           "<ETag>%s</ETag></Part>", i + 1, e->parts[i].etag);
    }

    p = ngx_sprintf(p, "</CompleteMultipartUpload>");
    body.len = (size_t) (p - body.data);

    ngx_media_upload_s3_ask(job, NGX_MEDIA_UPLOAD_COMPLETE, "POST", &query,
                            &body, "application/xml");
}


void
ngx_media_upload_s3_abort(ngx_media_upload_job_t *job)
{
    ngx_str_t  query;

    if (job->entry.upload.len == 0
        || job->conf == NULL || job->conf->s3 == NULL
        || ngx_exiting || ngx_terminate
        || ngx_media_upload_s3_path(job) != NGX_OK
        || ngx_media_upload_s3_query(job, "", &query) != NGX_OK)
    {
        ngx_media_upload_s3_aborted(job);
        return;
    }

    ngx_media_upload_s3_ask(job, NGX_MEDIA_UPLOAD_ABORT, "DELETE", &query,
                            NULL, NULL);
}


void
ngx_media_upload_s3_cancel(ngx_media_upload_job_t *job)
{
    ngx_uint_t                  i;
    ngx_media_upload_flight_t  *f;

    if (job->web) {
        ngx_media_web_cancel(job->web);
        job->web = NULL;
    }

    for (i = 0; i < NGX_MEDIA_UPLOAD_FLIGHT; i++) {
        f = &job->flight[i];

        if (f->web) {
            ngx_media_web_cancel(f->web);
            f->web = NULL;
        }

        if (f->body) {
            ngx_media_upload_body_free(f->body);
            f->body = NULL;
        }

        f->done = 0;
    }
}


/* --- answers ------------------------------------------------------------ */

static void
ngx_media_upload_s3_answer(void *data, ngx_media_web_answer_t *a)
{
    ngx_media_upload_job_t *job = data;

    job->web = NULL;

    switch (job->state) {

    case NGX_MEDIA_UPLOAD_CREATE:
        ngx_media_upload_s3_created(job, a);
        return;

    case NGX_MEDIA_UPLOAD_LIST:
        ngx_media_upload_s3_listed(job, a);
        return;

    case NGX_MEDIA_UPLOAD_COMPLETE:
        ngx_media_upload_s3_completed(job, a);
        return;

    case NGX_MEDIA_UPLOAD_CHECK:

        if (a->status == 200 && a->length == job->size) {
            ngx_media_upload_s3_finished(job);
            return;
        }

        if (a->error || a->status != 404) {
            ngx_media_upload_s3_failed(job, a, "HEAD");
            return;
        }

        /* the parts are lost */

        job->entry.upload.len = 0;
        job->entry.completing = 0;
        ngx_media_upload_s3_create(job);
        return;

    default: /* NGX_MEDIA_UPLOAD_ABORT */
        ngx_media_upload_s3_aborted(job);
    }
}


static void
ngx_media_upload_s3_created(ngx_media_upload_job_t *job,
    ngx_media_web_answer_t *a)
{
    u_char                    *id;
    ssize_t                    n;
    ngx_media_upload_entry_t  *e;

    e = &job->entry;
    n = -1;
    id = ngx_pnalloc(job->pool, NGX_MEDIA_UPLOAD_ID);

    if (id && a->status == 200) {
        n = ngx_media_s3_value(a->body.data, a->body.data + a->body.len,
                               "UploadId", id, NGX_MEDIA_UPLOAD_ID);
    }

    if (n <= 0) {
        ngx_media_upload_s3_failed(job, a, "begin");
        return;
    }

    e->upload.data = id;
    e->upload.len = (size_t) n;
    e->target = job->path;
    e->completing = 0;

    job->state = NGX_MEDIA_UPLOAD_SENDING;
    (void) ngx_media_upload_save_job(job);
}


/* the upload is not known: the object may be there, else it begins anew */

static void
ngx_media_upload_s3_unknown(ngx_media_upload_job_t *job)
{
    ngx_str_t  query;

    if (job->entry.completing) {
        ngx_str_null(&query);
        ngx_media_upload_s3_ask(job, NGX_MEDIA_UPLOAD_CHECK, "HEAD", &query,
                                NULL, NULL);
        return;
    }

    job->entry.upload.len = 0;
    ngx_media_upload_s3_create(job);
}


/* parts with the size that they should have; the rest is sent again */

static void
ngx_media_upload_s3_parts(ngx_media_upload_job_t *job,
    ngx_media_web_answer_t *a)
{
    off_t                      size, want;
    u_char                     text[NGX_OFF_T_LEN + 1];
    u_char                     etag[NGX_MEDIA_UPLOAD_ETAG];
    ssize_t                    n;
    ngx_int_t                  number;
    ngx_str_t                  value;
    const u_char              *p, *end, *last;
    ngx_media_s3_text_t        part;
    ngx_media_upload_entry_t  *e;

    e = &job->entry;
    p = a->body.data;
    end = p + a->body.len;

    for ( ;; ) {
        p = ngx_media_s3_element(p, end, "Part", &part);

        if (p == NULL) {
            break;
        }

        last = part.data + part.len;

        n = ngx_media_s3_value(part.data, last, "PartNumber", text,
                               sizeof(text));
        number = (n > 0) ? ngx_atoi(text, (size_t) n) : NGX_ERROR;

        n = ngx_media_s3_value(part.data, last, "Size", text, sizeof(text));
        size = (n > 0) ? ngx_atoof(text, (size_t) n) : NGX_ERROR;

        n = ngx_media_s3_value(part.data, last, "ETag", etag, sizeof(etag));
        value.data = etag;
        value.len = (n > 0) ? (size_t) n : 0;

        if (number < 1 || number > (ngx_int_t) e->nparts) {
            continue;
        }

        job->marker = (ngx_uint_t) number;
        want = ngx_min(e->part, job->size - (number - 1) * e->part);

        if (size == want) {
            (void) ngx_media_upload_s3_etag(&value, e->parts[number - 1].etag);
        }
    }
}


static void
ngx_media_upload_s3_listed(ngx_media_upload_job_t *job,
    ngx_media_web_answer_t *a)
{
    u_char                     text[16];
    ngx_uint_t                 marker;
    ngx_media_upload_entry_t  *e;

    e = &job->entry;

    if (a->status == 404 && !ngx_media_upload_s3_code(a, "NoSuchBucket")) {
        ngx_media_upload_s3_unknown(job);
        return;
    }

    if (a->status == 200 && ngx_media_upload_s3_is(a, "ListPartsResult")) {

        /* what S3 has is what there is */

        marker = job->marker;

        if (marker == 0) {
            ngx_memzero(e->parts, e->nparts * sizeof(ngx_media_upload_part_t));
        }

        ngx_media_upload_s3_parts(job, a);

        if (job->marker > marker
            && ngx_media_s3_value(a->body.data, a->body.data + a->body.len,
                                  "IsTruncated", text, sizeof(text))
               > 0
            && ngx_strcmp(text, "true") == 0)
        {
            ngx_media_upload_s3_list(job);
            return;
        }

    } else if (a->error || (a->status != 501 && a->status != 405)) {

        /* where lists are not known, what was noted counts */

        ngx_media_upload_s3_failed(job, a, "the list of parts");
        return;
    }

    job->state = NGX_MEDIA_UPLOAD_SENDING;
    ngx_media_upload_s3_next(job);
}


/* an error may come with 200, too */

static void
ngx_media_upload_s3_completed(ngx_media_upload_job_t *job,
    ngx_media_web_answer_t *a)
{
    if (a->status == 200
        && ngx_media_upload_s3_is(a, "CompleteMultipartUploadResult"))
    {
        ngx_media_upload_s3_finished(job);
        return;
    }

    if (ngx_media_upload_s3_code(a, "NoSuchUpload")) {
        ngx_media_upload_s3_unknown(job);
        return;
    }

    if (ngx_media_upload_s3_code(a, "InvalidPart")
        || ngx_media_upload_s3_code(a, "InvalidPartOrder")
        || ngx_media_upload_s3_code(a, "EntityTooSmall"))
    {
        job->entry.upload.len = 0;
        job->entry.completing = 0;
    }

    ngx_media_upload_s3_failed(job, a, "end");
}
