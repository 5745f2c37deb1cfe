
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: directives of a location that several modules share, so that any of
 * them may be loaded alone: the first module of nginx's list that knows a
 * directive is the only one that gets it.  Read by the content handlers of
 * those modules.
 */


#include "ngx_media_http.h"
#include "ngx_media_url.h"


typedef struct {
    ngx_msec_t   play_wait;
} ngx_media_http_loc_conf_t;


static void ngx_media_http_url_str(ngx_media_url_str_t *dst,
    const ngx_str_t *src);
static void ngx_media_http_str(ngx_str_t *dst,
    const ngx_media_url_str_t *src);
static void *ngx_media_http_create_loc_conf(ngx_conf_t *cf);
static char *ngx_media_http_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_command_t  ngx_media_http_commands[] = {

    { ngx_string("play_wait"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_media_http_loc_conf_t, play_wait),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_media_http_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_media_http_create_loc_conf,        /* create location configuration */
    ngx_media_http_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_media_http_module = {
    NGX_MODULE_V1,
    &ngx_media_http_module_ctx,            /* module context */
    ngx_media_http_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_msec_t
ngx_media_http_play_wait(ngx_http_request_t *r)
{
    ngx_media_http_loc_conf_t  *hlcf;

    hlcf = ngx_http_get_module_loc_conf(r, ngx_media_http_module);

    return hlcf->play_wait;
}


ngx_int_t
ngx_media_http_names(ngx_http_request_t *r, ngx_str_t *path,
    ngx_media_http_names_t *names)
{
    int                   rc;
    size_t                size;
    u_char               *buf;
    unsigned              flags;
    ngx_str_t            *host;
    ngx_media_url_t       url;
    ngx_media_url_str_t   upath, uquery, uhost;

    host = r->headers_in.host ? &r->headers_in.host->value
                              : &r->headers_in.server;

    ngx_media_http_url_str(&upath, path);
    ngx_media_http_url_str(&uquery, &r->args);
    ngx_media_http_url_str(&uhost, host);

    size = ngx_media_url_scratch(path->len + r->args.len + host->len);

    buf = ngx_pnalloc(r->pool, size);
    if (buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    flags = NGX_MEDIA_URL_DECODED;

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        flags |= NGX_MEDIA_URL_SSL;
    }
#endif

    rc = ngx_media_url_http(&url, &upath, &uquery, &uhost, flags, buf, size);

    if (rc != NGX_MEDIA_URL_OK) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client asks for a live stream by a bad URL: %s",
                      ngx_media_url_text(rc));

        return NGX_HTTP_BAD_REQUEST;
    }

    ngx_media_http_str(&names->vhost, &url.vhost);
    ngx_media_http_str(&names->app, &url.app);
    ngx_media_http_str(&names->stream, &url.stream);
    ngx_media_http_str(&names->args, &url.args);

    ngx_str_null(&names->pageurl);

    if (r->headers_in.referer) {
        names->pageurl = r->headers_in.referer->value;
    }

    names->tcurl.data = ngx_pnalloc(r->pool, sizeof("https:///") + host->len
                                             + names->app.len);
    if (names->tcurl.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    names->tcurl.len = ngx_sprintf(names->tcurl.data, "http%s://%V/%V",
                                   (flags & NGX_MEDIA_URL_SSL) ? "s" : "",
                                   host, &names->app)
                       - names->tcurl.data;

    return NGX_OK;
}


static void
ngx_media_http_url_str(ngx_media_url_str_t *dst, const ngx_str_t *src)
{
    dst->data = src->data;
    dst->len = src->len;
}


static void
ngx_media_http_str(ngx_str_t *dst, const ngx_media_url_str_t *src)
{
    dst->data = (u_char *) src->data;
    dst->len = src->len;
}


ngx_table_elt_t *
ngx_media_http_header(ngx_http_request_t *r, const char *name,
    const ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return h;
}


ngx_int_t
ngx_media_http_headers(ngx_http_request_t *r,
    const ngx_media_http_header_t *header)
{
    for ( /* void */ ; header->key.len; header++) {

        if (ngx_media_http_header(r, (char *) header->key.data,
                                  &header->value)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_media_http_refuse(ngx_http_request_t *r, ngx_int_t status,
    ngx_str_t *redirect)
{
    ngx_str_t         location;
    ngx_table_elt_t  *h;

    if (redirect->len == 0) {
        return status;
    }

    location.len = redirect->len;
    location.data = ngx_pstrdup(r->pool, redirect);

    if (location.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_clear_location(r);

    h = ngx_media_http_header(r, "Location", &location);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.location = h;

    return NGX_HTTP_MOVED_TEMPORARILY;
}


/* RFC 6750 2.1 */

ngx_str_t
ngx_media_http_token(ngx_http_request_t *r)
{
    ngx_str_t  token;

    ngx_str_null(&token);

    if (r->headers_in.authorization == NULL) {
        return token;
    }

    token = r->headers_in.authorization->value;

    if (token.len < 7
        || ngx_strncasecmp(token.data, (u_char *) "Bearer ", 7) != 0)
    {
        ngx_str_null(&token);
        return token;
    }

    token.data += 7;
    token.len -= 7;

    while (token.len && *token.data == ' ') {
        token.data++;
        token.len--;
    }

    while (token.len && token.data[token.len - 1] == ' ') {
        token.len--;
    }

    return token;
}


static void *
ngx_media_http_create_loc_conf(ngx_conf_t *cf)
{
    ngx_media_http_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_media_http_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->play_wait = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_media_http_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_media_http_loc_conf_t  *prev = parent;
    ngx_media_http_loc_conf_t  *conf = child;

    ngx_conf_merge_msec_value(conf->play_wait, prev->play_wait, 0);

    return NGX_CONF_OK;
}
