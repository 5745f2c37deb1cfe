
/*
 * Copyright (C) the nginx media suite authors
 *
 * For t/web.t, built by it: `web_try URL;` in a location sends requests with
 * the suite's HTTP client and answers with what came of them.  Arguments:
 * method, body, path, timeout, max, header, n (requests at once), cancel (so
 * many of them are cancelled at once), again (as many again when one is done).
 * One line per answer: its fields, separated by spaces, the body last.
 */


#include "ngx_media_web.h"

#include <ngx_http.h>


typedef struct {
    ngx_media_web_url_t  *url;
} ngx_http_web_try_conf_t;


typedef struct {
    ngx_http_request_t   *request;
    ngx_uint_t            left;
    ngx_uint_t            again;
    ngx_chain_t          *out;
    ngx_chain_t         **last;
    size_t                size;
} ngx_http_web_try_ctx_t;


static char *ngx_http_web_try(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static void *ngx_http_web_try_create_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_web_try_send(ngx_http_request_t *r,
    ngx_http_web_try_ctx_t *ctx, ngx_media_web_t **w);


static ngx_command_t  ngx_http_web_try_commands[] = {

    { ngx_string("web_try"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_web_try,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_web_try_module_ctx = {
    NULL, NULL, NULL, NULL, NULL, NULL,
    ngx_http_web_try_create_conf,
    NULL
};


ngx_module_t  ngx_http_web_try_module = {
    NGX_MODULE_V1,
    &ngx_http_web_try_module_ctx,
    ngx_http_web_try_commands,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


ngx_module_t  *ngx_modules[] = {
    &ngx_http_web_try_module,
    NULL
};


char  *ngx_module_names[] = {
    "ngx_http_web_try_module",
    NULL
};


char  *ngx_module_order[] = {
    NULL
};


static void
ngx_http_web_try_done(void *data, ngx_media_web_answer_t *a)
{
    ngx_http_web_try_ctx_t *ctx = data;

    size_t               n;
    ngx_buf_t           *b;
    ngx_chain_t         *cl;
    ngx_media_web_t     *w;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    if (ctx->again) {
        ctx->again--;
        (void) ngx_http_web_try_send(r, ctx, &w);
    }

    n = 512 + a->body.len + a->location.len;

    b = ngx_create_temp_buf(r->pool, n);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        abort();
    }

    b->last = ngx_slprintf(b->last, b->end,
                           "status=%ui error=\"%s\" cut=%d took=%M "
                           "location=\"%V\" length=%uz body=%V\n",
                           a->status, a->error ? a->error : "", a->cut,
                           a->took, &a->location, a->body.len, &a->body);

    cl->buf = b;
    cl->next = NULL;

    *ctx->last = cl;
    ctx->last = &cl->next;
    ctx->size += (size_t) (b->last - b->pos);

    if (--ctx->left) {
        return;
    }

    b->last_buf = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) ctx->size;

    (void) ngx_http_send_header(r);

    ngx_http_finalize_request(r, ngx_http_output_filter(r, ctx->out));
    ngx_http_run_posted_requests(c);
}


static ngx_str_t
ngx_http_web_try_arg(ngx_http_request_t *r, char *name)
{
    u_char     *dst, *src;
    ngx_str_t   value;

    ngx_str_null(&value);

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK
        || value.len == 0)
    {
        ngx_str_null(&value);
        return value;
    }

    src = value.data;
    dst = ngx_pnalloc(r->pool, value.len);
    value.data = dst;

    ngx_unescape_uri(&dst, &src, value.len, 0);
    value.len = (size_t) (dst - value.data);

    return value;
}


static ngx_int_t
ngx_http_web_try_num(ngx_http_request_t *r, char *name, ngx_int_t none)
{
    ngx_str_t  value;

    value = ngx_http_web_try_arg(r, name);

    return value.len ? ngx_atoi(value.data, value.len) : none;
}


static ngx_int_t
ngx_http_web_try_send(ngx_http_request_t *r, ngx_http_web_try_ctx_t *ctx,
    ngx_media_web_t **w)
{
    ngx_str_t                 header;
    ngx_http_web_try_conf_t  *wtcf;
    ngx_media_web_request_t   rq;

    wtcf = ngx_http_get_module_loc_conf(r, ngx_http_web_try_module);

    ngx_memzero(&rq, sizeof(ngx_media_web_request_t));

    header = ngx_http_web_try_arg(r, "header");

    rq.url = wtcf->url;
    rq.method = ngx_http_web_try_arg(r, "method");
    rq.body = ngx_http_web_try_arg(r, "body");
    rq.path = ngx_http_web_try_arg(r, "path");
    rq.timeout = (ngx_msec_t) ngx_http_web_try_num(r, "timeout", 0);
    rq.max = (size_t) ngx_http_web_try_num(r, "max", 0);
    rq.done = ngx_http_web_try_done;
    rq.data = ctx;

    if (rq.body.len) {
        ngx_str_set(&rq.content_type, "application/json");
    }

    if (header.len) {
        rq.headers = &header;
        rq.nheaders = 1;
    }

    *w = ngx_media_web_send(&rq);

    if (*w) {
        ctx->left++;
    }

    return *w ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_web_try_handler(ngx_http_request_t *r)
{
    ngx_int_t                n, cancel;
    ngx_media_web_t         *w;
    ngx_http_web_try_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_web_try_ctx_t));

    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->request = r;
    ctx->last = &ctx->out;
    ctx->again = (ngx_uint_t) ngx_http_web_try_num(r, "again", 0);

    n = ngx_http_web_try_num(r, "n", 1);
    cancel = ngx_http_web_try_num(r, "cancel", 0);

    while (n-- > 0) {

        if (ngx_http_web_try_send(r, ctx, &w) != NGX_OK) {
            continue;
        }

        if (cancel-- > 0) {
            ngx_media_web_cancel(w);
            ctx->left--;
        }
    }

    if (ctx->left == 0) {
        return NGX_HTTP_NO_CONTENT;
    }

    r->main->count++;

    return NGX_DONE;
}


static char *
ngx_http_web_try(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_web_try_conf_t *wtcf = conf;

    char                      *err;
    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;
    err = ngx_media_web_url(cf, &value[1], &wtcf->url);

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid URL \"%V\": %s",
                           &value[1], err);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_web_try_handler;

    return NGX_CONF_OK;
}


static void *
ngx_http_web_try_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_web_try_conf_t));
}
