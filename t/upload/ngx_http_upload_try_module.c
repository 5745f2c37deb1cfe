
/*
 * Copyright (C) the nginx media suite authors
 *
 * For t/upload.t, built by it: `upload_try;` in a location does what the
 * recorder does when a file is whole.  Arguments: what (add, state, forget),
 * app, stream, file, id.
 */


#include "ngx_media_upload.h"

#include <ngx_http.h>


static char *ngx_http_upload_try(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_upload_try_handler(ngx_http_request_t *r);


static ngx_command_t  ngx_http_upload_try_commands[] = {

    { ngx_string("upload_try"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_upload_try,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_upload_try_module_ctx = {
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};


ngx_module_t  ngx_http_upload_try_module = {
    NGX_MODULE_V1,
    &ngx_http_upload_try_module_ctx,
    ngx_http_upload_try_commands,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


ngx_module_t  *ngx_modules[] = {
    &ngx_http_upload_try_module,
    NULL
};


char  *ngx_module_names[] = {
    "ngx_http_upload_try_module",
    NULL
};


char  *ngx_module_order[] = {
    NULL
};


static char *
ngx_http_upload_try(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_upload_try_handler;

    return NGX_CONF_OK;
}


static ngx_str_t
ngx_http_upload_try_arg(ngx_http_request_t *r, char *name)
{
    u_char     *dst, *src;
    ngx_str_t   value;

    ngx_str_set(&value, "");

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK) {
        return value;
    }

    src = value.data;
    dst = ngx_pcalloc(r->pool, value.len + 1);
    value.data = dst;

    ngx_unescape_uri(&dst, &src, value.len, 0);
    value.len = (size_t) (dst - value.data);

    return value;
}


static ngx_int_t
ngx_http_upload_try_handler(ngx_http_request_t *r)
{
    int                     root;
    u_char                  text[32];
    void                  **conf;
    ngx_int_t               rc;
    ngx_buf_t              *b;
    ngx_str_t               what, id;
    ngx_uint_t              state;
    ngx_chain_t             out;
    ngx_media_recording_t   rec;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&rec, sizeof(ngx_media_recording_t));

    what = ngx_http_upload_try_arg(r, "what");
    id = ngx_http_upload_try_arg(r, "id");

    ngx_str_set(&rec.vhost, NGX_MEDIA_DEFAULT_VHOST);
    rec.app = ngx_http_upload_try_arg(r, "app");
    rec.stream = ngx_http_upload_try_arg(r, "stream");
    rec.file = ngx_http_upload_try_arg(r, "file");
    (void) ngx_cpystrn(rec.id, id.data, ngx_min(id.len + 1, sizeof(rec.id)));

    conf = ngx_media_policy(&rec.vhost, &rec.app);
    root = ngx_media_disk_root(ngx_media_record_conf(conf)->root->path.data);
    state = ngx_media_upload_state(root, rec.id);

    if (what.data[0] == 'a') {
        rc = ngx_media_upload_add(conf, root, &rec);

    } else if (what.data[0] == 'f') {
        ngx_media_upload_forget(root, rec.id);
    }

    (void) close(root);

    b = ngx_create_temp_buf(r->pool, sizeof(text));

    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_sprintf(b->last, "%i %ui", rc, state);
    b->last_buf = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
