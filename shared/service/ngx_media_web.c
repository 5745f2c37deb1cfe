
/*
 * Copyright (C) the nginx media suite authors
 *
 * The HTTP client: one request from its copy to its answer.
 *
 *   ngx_media_web_send()  copied; a timer runs until it is over
 *     a name              nginx's resolver is asked
 *     addresses           libcurl has it (ngx_media_web_multi.c), the
 *                         addresses with it: it never asks for a name
 *   done()                from libcurl, from the timer, or from a posted event
 *                         where it failed before libcurl had it
 *
 * A timer of each request, not cancelable, keeps a worker that leaves until
 * the answer is there.
 */


#include "ngx_media_web_curl.h"
#include "ngx_media_bytes.h"
#include "ngx_media_version.h"


static ngx_int_t ngx_media_web_resolve(ngx_media_web_t *w,
    ngx_media_web_conf_t *wcf);
static void ngx_media_web_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_media_web_begin(ngx_media_web_t *w, ngx_str_t *addrs);
static void ngx_media_web_fail(ngx_media_web_t *w, const char *error);
static void ngx_media_web_finish(ngx_media_web_t *w, const char *error);
static void ngx_media_web_free(ngx_media_web_t *w);


static struct {
    ngx_queue_t    requests;
    ngx_uint_t     active;
    ngx_uint_t     gone;                   /* the worker exits */
} ngx_media_web_worker;


/* --- the answer --------------------------------------------------------- */

static size_t
ngx_media_web_on_header(char *p, size_t size, size_t n, void *data)
{
    ngx_media_web_t *w = data;

    w->header += n;

    return (w->header > NGX_MEDIA_WEB_HEADERS) ? 0 : n;
}


static size_t
ngx_media_web_on_body(char *p, size_t one, size_t n, void *data)
{
    ngx_media_web_t *w = data;

    size_t   size, room;
    u_char  *body;

    room = ngx_min(n, w->max - w->len);

    if (w->len + room > w->size) {
        size = ngx_max(w->size * 2, w->len + room);
        size = ngx_max(size, 1024);

        body = ngx_alloc(size, w->log);

        if (body == NULL) {
            return 0;
        }

        if (w->len) {
            ngx_memcpy(body, w->body, w->len);
        }

        if (w->body) {
            ngx_free(w->body);
        }

        w->body = body;
        w->size = size;
    }

    if (room) {
        ngx_memcpy(w->body + w->len, p, room);
        w->len += room;
    }

    if (room < n) {

        /* nothing else of it is wanted: the connection ends */

        w->cut = 1;
        return 0;
    }

    return n;
}


/* --- a body that comes in pieces ---------------------------------------- */

static size_t
ngx_media_web_on_source(char *p, size_t one, size_t size, void *data)
{
    ngx_media_web_t *w = data;

    ssize_t  n;

    size *= one;
    size = (w->left < (off_t) size) ? (size_t) w->left : size;

    if (size == 0) {
        return 0;
    }

    n = w->source(w->data, (u_char *) p, size);

    if (n == NGX_AGAIN) {
        w->paused = 1;
        return CURL_READFUNC_PAUSE;
    }

    if (n <= 0) {
        w->failed = 1;
        return CURL_READFUNC_ABORT;
    }

    /* it goes on */

    w->left -= n;
    ngx_add_timer(&w->event, w->timeout);

    return (size_t) n;
}


void
ngx_media_web_resume(ngx_media_web_t *w)
{
    if (!w->paused || w->over || ngx_media_web_worker.gone) {
        return;
    }

    w->paused = 0;

    ngx_media_web_multi_resume(w);
}


static const char *
ngx_media_web_error(ngx_media_web_t *w, CURLcode code)
{
    long  n;

    n = 0;

    switch (code) {

    case CURLE_OPERATION_TIMEDOUT:
        return "timed out";

    case CURLE_COULDNT_CONNECT:
        (void) curl_easy_getinfo(w->easy, CURLINFO_OS_ERRNO, &n);

        return (n == NGX_ECONNREFUSED) ? "connection refused"
                                       : "no connection";

    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return "the connection was closed before the end of the answer";

    case CURLE_ABORTED_BY_CALLBACK:
        return w->failed ? "what is to be sent can not be read"
                         : curl_easy_strerror(code);

    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
        return "the connection was closed while the request was sent";

    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return "the answer is not HTTP";

    case CURLE_WRITE_ERROR:
        return (w->header > NGX_MEDIA_WEB_HEADERS)
               ? "the headers of the answer are too long" : "no memory";

    case CURLE_OUT_OF_MEMORY:

        /* which it also says of a line that is too long for it */

        return "no memory, or a line of the answer is too long";

    case CURLE_PEER_FAILED_VERIFICATION:
        (void) curl_easy_getinfo(w->easy, CURLINFO_SSL_VERIFYRESULT, &n);

        return (n > X509_V_ERR_UNSPECIFIED)
               ? X509_verify_cert_error_string(n)
               : "the certificate is that of another host";

    default:
        return curl_easy_strerror(code);
    }
}


void
ngx_media_web_complete(ngx_media_web_t *w, CURLcode code)
{
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && w->cut)) {
        ngx_media_web_finish(w, NULL);
        return;
    }

    ngx_media_web_finish(w, ngx_media_web_error(w, code));
}


static void
ngx_media_web_finish(ngx_media_web_t *w, const char *error)
{
    long                     status;
    curl_off_t               length;
    struct curl_header      *h;
    ngx_media_web_answer_t   a;

    ngx_memzero(&a, sizeof(ngx_media_web_answer_t));

    a.error = error;
    a.took = ngx_current_msec - w->start;
    a.length = -1;

    if (error == NULL) {
        status = 0;
        length = -1;
        (void) curl_easy_getinfo(w->easy, CURLINFO_RESPONSE_CODE, &status);

        a.status = (ngx_uint_t) status;
        a.body.data = w->body;
        a.body.len = w->len;
        a.cut = w->cut;

        if (curl_easy_header(w->easy, "Location", 0, CURLH_HEADER, -1, &h)
            == CURLHE_OK)
        {
            a.location.data = (u_char *) h->value;
            a.location.len = ngx_strlen(h->value);
        }

        if (curl_easy_header(w->easy, "ETag", 0, CURLH_HEADER, -1, &h)
            == CURLHE_OK)
        {
            a.etag.data = (u_char *) h->value;
            a.etag.len = ngx_strlen(h->value);
        }

        (void) curl_easy_getinfo(w->easy,
                                 CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        a.length = (off_t) length;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_CORE, w->log, 0,
                   "media web answer of \"%V\": %ui %s, %M ms", &w->host,
                   a.status, error ? error : "", a.took);

    w->over = 1;
    w->done(w->data, &a);

    ngx_media_web_free(w);
}


/* --- begin and end ------------------------------------------------------ */

/* it is over from the start, but that is told from outside */

static void
ngx_media_web_fail(ngx_media_web_t *w, const char *error)
{
    w->error = error;

    ngx_post_event(&w->event, &ngx_posted_next_events);
}


static void
ngx_media_web_event(ngx_event_t *ev)
{
    ngx_media_web_t  *w;

    w = (ngx_media_web_t *) ((u_char *) ev - offsetof(ngx_media_web_t, event));

    ngx_media_web_finish(w, w->error ? w->error : "timed out");
}


static struct sockaddr *
ngx_media_web_resolved_addr(void *data, ngx_uint_t i, socklen_t *len)
{
    ngx_resolver_ctx_t *ctx = data;

    *len = ctx->addrs[i].socklen;

    return ctx->addrs[i].sockaddr;
}


static void
ngx_media_web_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_str_t         addrs;
    const char       *error;
    ngx_media_web_t  *w;

    w = ctx->data;
    error = NULL;

    if (ctx->state) {
        error = ngx_resolver_strerror(ctx->state);

    } else if (ngx_media_web_addrs_text(w->pool, &addrs, ctx, ctx->naddrs,
                                        ngx_media_web_resolved_addr)
               != NGX_OK)
    {
        error = "no memory";
    }

    w->dns = NULL;
    ngx_resolve_name_done(ctx);

    if (error) {
        ngx_media_web_fail(w, error);
        return;
    }

    ngx_media_web_begin(w, &addrs);
}


static ngx_int_t
ngx_media_web_resolve(ngx_media_web_t *w, ngx_media_web_conf_t *wcf)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(wcf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_ERROR;
    }

    ctx->name = w->host;
    ctx->handler = ngx_media_web_resolved;
    ctx->data = w;
    ctx->timeout = ngx_min(wcf->resolver_timeout, w->timeout);

    w->dns = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {

        /* it is freed */

        w->dns = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* addrs: NULL where the host is an address */

static void
ngx_media_web_begin(ngx_media_web_t *w, ngx_str_t *addrs)
{
    u_char      *p;
    ngx_msec_t   took;

    if (addrs) {
        p = ngx_pnalloc(w->pool, w->host.len + addrs->len + 16);

        if (p == NULL) {
            ngx_media_web_fail(w, "no memory");
            return;
        }

        *ngx_sprintf(p, "%V:%ui:%V", &w->host, (ngx_uint_t) w->port, addrs)
            = '\0';

        w->resolve = curl_slist_append(NULL, (char *) p);

        if (w->resolve == NULL
            || curl_easy_setopt(w->easy, CURLOPT_RESOLVE, w->resolve)
               != CURLE_OK)
        {
            ngx_media_web_fail(w, "no memory");
            return;
        }
    }

    /* it divides what is left among the addresses */

    took = ngx_current_msec - w->start;
    took = (took < w->timeout) ? w->timeout - took : 1;

    (void) curl_easy_setopt(w->easy, w->source ? CURLOPT_CONNECTTIMEOUT_MS
                                               : CURLOPT_TIMEOUT_MS,
                            (long) took);

    if (ngx_media_web_multi_add(w) != NGX_OK) {
        ngx_media_web_fail(w, "no memory");
        return;
    }

    w->sent = 1;
}


static void
ngx_media_web_free(ngx_media_web_t *w)
{
    if (w->dns) {
        ngx_resolve_name_done(w->dns);
    }

    if (w->event.timer_set) {
        ngx_del_timer(&w->event);
    }

    if (w->event.posted) {
        ngx_delete_posted_event(&w->event);
    }

    if (w->sent) {
        ngx_media_web_multi_remove(w);
    }

    if (w->easy) {
        curl_easy_cleanup(w->easy);
    }

    curl_slist_free_all(w->headers);
    curl_slist_free_all(w->resolve);

    if (w->body) {
        ngx_free(w->body);
    }

    if (w->queue.next) {
        ngx_queue_remove(&w->queue);

        if (--ngx_media_web_worker.active == 0) {
            ngx_media_web_multi_idle(1);
        }
    }

    ngx_destroy_pool(w->pool);
}


/* --- a request for libcurl ---------------------------------------------- */

static ngx_int_t
ngx_media_web_header(ngx_media_web_t *w, const char *name, ngx_str_t *value)
{
    u_char             *p, *text;
    struct curl_slist  *list;

    text = ngx_pnalloc(w->pool, ngx_strlen(name) + value->len + 1);

    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, name, ngx_strlen(name));
    p = ngx_media_put(p, value->data, value->len);
    *p = '\0';

    /* a value is one line, whatever it was made of */

    for (p = text; p < text + ngx_strlen(name) + value->len; p++) {
        if (*p < ' ' || *p == 0x7f) {
            *p = ' ';
        }
    }

    list = curl_slist_append(w->headers, (char *) text);

    if (list == NULL) {
        return NGX_ERROR;
    }

    w->headers = list;

    return NGX_OK;
}


static ngx_int_t
ngx_media_web_headers(ngx_media_web_t *w, const ngx_media_web_request_t *rq)
{
    ngx_str_t   none, type;
    ngx_uint_t  i;

    ngx_str_set(&none, "");
    type = rq->content_type.len ? rq->content_type : none;

    /* a large body is asked about before it is sent, libcurl does that */

    if ((rq->source == NULL
         && ngx_media_web_header(w, "Expect:", &none) != NGX_OK)
        || ngx_media_web_header(w, type.len ? "Content-Type: "
                                            : "Content-Type:", &type)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < rq->nheaders; i++) {
        if (ngx_media_web_header(w, "", &rq->headers[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return curl_easy_setopt(w->easy, CURLOPT_HTTPHEADER, w->headers)
           == CURLE_OK ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_media_web_is(const ngx_str_t *method, const char *name)
{
    return method->len == ngx_strlen(name)
           && ngx_strncmp(method->data, name, method->len) == 0;
}


static ngx_int_t
ngx_media_web_method(ngx_media_web_t *w, const ngx_media_web_request_t *rq)
{
    char      *name;
    CURLcode   rc;

    if (ngx_media_web_is(&rq->method, "HEAD")) {
        rc = curl_easy_setopt(w->easy, CURLOPT_NOBODY, 1L);
        return rc == CURLE_OK ? NGX_OK : NGX_ERROR;
    }

    rc = CURLE_OK;

    if (rq->source) {
        w->source = rq->source;
        w->left = rq->source_size;

        /* a source can not go back, which requests on one connection need */

        rc |= curl_easy_setopt(w->easy, CURLOPT_UPLOAD, 1L);
        rc |= curl_easy_setopt(w->easy, CURLOPT_INFILESIZE_LARGE,
                               (curl_off_t) rq->source_size);
        rc |= curl_easy_setopt(w->easy, CURLOPT_READFUNCTION,
                               ngx_media_web_on_source);
        rc |= curl_easy_setopt(w->easy, CURLOPT_READDATA, w);
        rc |= curl_easy_setopt(w->easy, CURLOPT_HTTP_VERSION,
                               (long) CURL_HTTP_VERSION_1_1);

    } else if (rq->body.len
        || ngx_media_web_is(&rq->method, "POST")
        || ngx_media_web_is(&rq->method, "PUT"))
    {
        /* the length is said, also where it is 0; the body is copied */

        rc |= curl_easy_setopt(w->easy, CURLOPT_POST, 1L);
        rc |= curl_easy_setopt(w->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t) rq->body.len);
        rc |= curl_easy_setopt(w->easy, CURLOPT_COPYPOSTFIELDS,
                               rq->body.len ? (char *) rq->body.data : "");
    }

    if (rq->method.len) {
        name = ngx_pnalloc(w->pool, rq->method.len + 1);

        if (name == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_cpystrn((u_char *) name, rq->method.data,
                           rq->method.len + 1);

        rc |= curl_easy_setopt(w->easy, CURLOPT_CUSTOMREQUEST, name);
    }

    return rc == CURLE_OK ? NGX_OK : NGX_ERROR;
}


static CURLcode
ngx_media_web_ssl_ctx(CURL *easy, void *ctx, void *store)
{
    SSL_CTX_set1_cert_store(ctx, store);

    return CURLE_OK;
}


static ngx_int_t
ngx_media_web_ssl(ngx_media_web_t *w, ngx_media_web_conf_t *wcf)
{
    CURL      *easy;
    CURLcode   rc;

    if (wcf->store == NULL) {
        return NGX_ERROR;
    }

    /* certificates were read by the master, libcurl reads no file */

    easy = w->easy;
    rc = CURLE_OK;

    rc |= curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    rc |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION,
                           ngx_media_web_ssl_ctx);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, wcf->store);
    rc |= curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                           (long) CURL_SSLVERSION_TLSv1_2);

    /* requests of a burst share a connection where HTTP/2 is spoken */

    rc |= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);

    return rc == CURLE_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_media_web_url_text(ngx_media_web_t *w, const ngx_media_web_request_t *rq)
{
    size_t      i;
    u_char      c, *p, *text;
    ngx_str_t   path;

    path = rq->path.len ? rq->path : rq->url->path;

    text = ngx_pnalloc(w->pool, rq->url->base.len + path.len * 3 + 2);

    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, rq->url->base.data, rq->url->base.len);

    if (path.data[0] != '/') {
        *p++ = '/';
    }

    /* what would end it or the line it is in; the rest is the caller's */

    for (i = 0; i < path.len; i++) {
        c = path.data[i];

        if (c <= ' ' || c >= 0x7f || c == '#') {
            p = ngx_sprintf(p, "%%%02XD", (uint32_t) c);

        } else {
            *p++ = c;
        }
    }

    *p = '\0';

    return curl_easy_setopt(w->easy, CURLOPT_URL, text) == CURLE_OK
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_media_web_options(ngx_media_web_t *w)
{
    CURL      *easy;
    CURLcode   rc;

    easy = w->easy;

    rc = ngx_media_web_multi_setup(easy);

    rc |= curl_easy_setopt(easy, CURLOPT_PRIVATE, w);
    rc |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    rc |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
    rc |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    rc |= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    rc |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                           (long) CURL_HTTP_VERSION_2TLS);
    rc |= curl_easy_setopt(easy, CURLOPT_USERAGENT,
                           "nginx-media/" NGX_MEDIA_VERSION);
    rc |= curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                           (long) NGX_MEDIA_WEB_BUFFER);
    rc |= curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN,
                           (long) (NGX_MEDIA_WEB_KEEP / 1000));

    rc |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                           ngx_media_web_on_header);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, w);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
                           ngx_media_web_on_body);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, w);

    return rc == CURLE_OK ? NGX_OK : NGX_ERROR;
}


/* --- the client --------------------------------------------------------- */

static ngx_media_web_t *
ngx_media_web_new(const ngx_media_web_request_t *rq, ngx_media_web_conf_t *wcf)
{
    ngx_log_t        *log;
    ngx_pool_t       *pool;
    ngx_media_web_t  *w;

    log = rq->log ? rq->log : ngx_cycle->log;

    pool = ngx_create_pool(2048, log);

    if (pool == NULL) {
        return NULL;
    }

    w = ngx_pcalloc(pool, sizeof(ngx_media_web_t));

    if (w == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    w->pool = pool;
    w->log = log;
    w->start = ngx_current_msec;
    w->timeout = rq->timeout ? rq->timeout : NGX_MEDIA_WEB_TIMEOUT;
    w->max = rq->max ? rq->max : NGX_MEDIA_WEB_MAX;
    w->done = rq->done;
    w->data = rq->data;
    w->port = rq->url->port;

    w->dummy.fd = (ngx_socket_t) -1;
    w->event.handler = ngx_media_web_event;
    w->event.data = &w->dummy;
    w->event.log = log;

    w->host.len = rq->url->host.len;
    w->host.data = ngx_pstrdup(pool, &rq->url->host);
    w->easy = curl_easy_init();

    if (w->host.data == NULL
        || w->easy == NULL
        || ngx_media_web_options(w) != NGX_OK
        || ngx_media_web_url_text(w, rq) != NGX_OK
        || ngx_media_web_method(w, rq) != NGX_OK
        || ngx_media_web_headers(w, rq) != NGX_OK
        || (rq->url->ssl && ngx_media_web_ssl(w, wcf) != NGX_OK))
    {
        ngx_media_web_free(w);
        return NULL;
    }

    return w;
}


ngx_media_web_t *
ngx_media_web_send(const ngx_media_web_request_t *rq)
{
    ngx_media_web_t       *w;
    ngx_media_web_url_t   *url;
    ngx_media_web_conf_t  *wcf;

    wcf = ngx_media_web_conf((ngx_cycle_t *) ngx_cycle);

    if (wcf == NULL
        || ngx_media_web_worker.gone
        || ngx_media_web_worker.active == NGX_MEDIA_WEB_ACTIVE)
    {
        return NULL;
    }

    w = ngx_media_web_new(rq, wcf);

    if (w == NULL) {
        return NULL;
    }

    if (ngx_media_web_worker.active++ == 0) {
        ngx_queue_init(&ngx_media_web_worker.requests);
        ngx_media_web_multi_idle(0);
    }

    ngx_queue_insert_tail(&ngx_media_web_worker.requests, &w->queue);
    ngx_add_timer(&w->event, w->timeout);

    url = rq->url;

    if (url->literal || url->addrs.len) {
        ngx_media_web_begin(w, url->literal ? NULL : &url->addrs);

    } else if (wcf->resolver == NULL) {
        ngx_media_web_fail(w, "no resolver");

    } else if (ngx_media_web_resolve(w, wcf) != NGX_OK) {
        ngx_media_web_fail(w, "the resolver can not be asked");
    }

    return w;
}


void
ngx_media_web_cancel(ngx_media_web_t *w)
{
    if (ngx_media_web_worker.gone || w->over) {
        return;
    }

    ngx_media_web_free(w);
}


ngx_uint_t
ngx_media_web_active(void)
{
    return ngx_media_web_worker.active;
}


/* the worker exits: who waits for an answer will not get one */

void
ngx_media_web_exit(void)
{
    ngx_queue_t  *q;

    while (ngx_media_web_worker.active) {
        q = ngx_queue_head(&ngx_media_web_worker.requests);
        ngx_media_web_free(ngx_queue_data(q, ngx_media_web_t, queue));
    }

    ngx_media_web_worker.gone = 1;
}
