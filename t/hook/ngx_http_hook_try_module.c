
/*
 * Copyright (C) the nginx media suite authors
 *
 * For t/hooks_call.t, built by it: `hook_try;` in a location calls what
 * recordings and relays will call.  Arguments: stream (one that is published,
 * in whatever app), what: dvr, forward, or cancel (forward, and nobody waits).
 */


#include "ngx_media_hook.h"

#include <ngx_http.h>


static char *ngx_http_hook_try(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_hook_try_handler(ngx_http_request_t *r);


static ngx_command_t  ngx_http_hook_try_commands[] = {

    { ngx_string("hook_try"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_hook_try,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_hook_try_module_ctx = {
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};


ngx_module_t  ngx_http_hook_try_module = {
    NGX_MODULE_V1,
    &ngx_http_hook_try_module_ctx,
    ngx_http_hook_try_commands,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


ngx_module_t  *ngx_modules[] = {
    &ngx_http_hook_try_module,
    NULL
};


char  *ngx_module_names[] = {
    "ngx_http_hook_try_module",
    NULL
};


char  *ngx_module_order[] = {
    NULL
};


static char *
ngx_http_hook_try(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_hook_try_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_hook_try_say(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    b = ngx_create_temp_buf(r->pool, text->len + 1);

    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->last, text->data, text->len);
    b->last_buf = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) text->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_hook_try_done(void *data, ngx_int_t rc, ngx_str_t *urls,
    ngx_uint_t n)
{
    ngx_http_request_t *r = data;

    u_char            *p, buf[4096];
    ngx_str_t          text;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = r->connection;

    p = ngx_slprintf(buf, buf + sizeof(buf), "rc=%i", rc);

    for (i = 0; i < n; i++) {
        p = ngx_slprintf(p, buf + sizeof(buf), " %V", &urls[i]);
    }

    text.data = buf;
    text.len = (size_t) (p - buf);

    ngx_http_finalize_request(r, ngx_http_hook_try_say(r, &text));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_hook_try_client(ngx_str_t *stream, ngx_media_client_t *client)
{
    uint32_t             i;
    ngx_media_source_t  *src;

    for (i = 0; i < ngx_media_arena()->fresh_source; i++) {
        src = ngx_media_source_at(i);

        if (src->used && (src->epoch & 1) && src->stream_len == stream->len
            && ngx_memcmp(src->stream, stream->data, stream->len) == 0)
        {
            return ngx_media_client_snapshot(src->pub_client, client);
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_hook_try_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  what, stream, text;
    ngx_media_client_t         client;
    ngx_media_hook_forward_t  *f;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_arg(r, (u_char *) "what", 4, &what) != NGX_OK
        || ngx_http_arg(r, (u_char *) "stream", 6, &stream) != NGX_OK
        || ngx_http_hook_try_client(&stream, &client) != NGX_OK)
    {
        return NGX_HTTP_NOT_FOUND;
    }

    if (what.data[0] == 'd') {
        ngx_str_set(&text, "/recordings/x.mp4");
        ngx_media_hook_dvr(&client, &text);

        return ngx_http_hook_try_say(r, &text);
    }

    f = ngx_media_hook_forward(&client, ngx_http_hook_try_done, r);

    if (f && what.data[0] == 'f') {
        r->main->count++;
        return NGX_DONE;
    }

    if (f) {
        ngx_media_hook_forward_cancel(f);
        ngx_str_set(&text, "cancelled");

    } else {
        ngx_str_set(&text, "nothing");
    }

    return ngx_http_hook_try_say(r, &text);
}
