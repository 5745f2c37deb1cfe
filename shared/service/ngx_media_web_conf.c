
/*
 * Copyright (C) the nginx media suite authors
 *
 * The HTTP client's part of media{}: resolver, resolver_timeout and
 * hook_trusted_certificate, and the URLs of all directives.  Whatever could
 * block a worker is done here: names are looked up where there is no resolver,
 * trusted certificates are read.
 */


#include "ngx_media_web_curl.h"


static char *ngx_media_web_resolver(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_media_web_create_conf(ngx_conf_t *cf);
static char *ngx_media_web_init_conf(ngx_conf_t *cf, void *conf);
static char *ngx_media_web_url_prepare(ngx_conf_t *cf,
    ngx_media_web_conf_t *wcf, ngx_media_web_url_t *url);
static ngx_int_t ngx_media_web_init_process(ngx_cycle_t *cycle);
static void ngx_media_web_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_media_web_commands[] = {

    { ngx_string("resolver"),
      NGX_MEDIA_MAIN_CONF|NGX_CONF_1MORE,
      ngx_media_web_resolver,
      NGX_MEDIA_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("resolver_timeout"),
      NGX_MEDIA_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MEDIA_MAIN_CONF_OFFSET,
      offsetof(ngx_media_web_conf_t, resolver_timeout),
      NULL },

    { ngx_string("hook_trusted_certificate"),
      NGX_MEDIA_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MEDIA_MAIN_CONF_OFFSET,
      offsetof(ngx_media_web_conf_t, trusted),
      NULL },

      ngx_null_command
};


static ngx_media_module_t  ngx_media_web_module_ctx = {
    ngx_media_web_create_conf,             /* create main configuration */
    ngx_media_web_init_conf,               /* init main configuration */

    NULL,                                  /* create policy */
    NULL                                   /* merge policy */
};


ngx_module_t  ngx_media_web_module = {
    NGX_MODULE_V1,
    &ngx_media_web_module_ctx,             /* module context */
    ngx_media_web_commands,                /* module directives */
    NGX_MEDIA_MODULE,                      /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_media_web_init_process,            /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_media_web_exit_process,            /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_media_web_conf_t *
ngx_media_web_conf(ngx_cycle_t *cycle)
{
    ngx_media_main_conf_t  *mcf;

    mcf = (ngx_media_main_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                 ngx_media_core_module);

    return mcf->main_conf ? mcf->main_conf[ngx_media_web_module.ctx_index]
                          : NULL;
}


static void *
ngx_media_web_create_conf(ngx_conf_t *cf)
{
    ngx_media_web_conf_t  *wcf;

    wcf = ngx_pcalloc(cf->pool, sizeof(ngx_media_web_conf_t));

    if (wcf == NULL
        || ngx_array_init(&wcf->urls, cf->pool, 4,
                          sizeof(ngx_media_web_url_t *))
           != NGX_OK)
    {
        return NULL;
    }

    wcf->resolver_timeout = NGX_CONF_UNSET_MSEC;

    return wcf;
}


/* at the end of media{} */

static char *
ngx_media_web_init_conf(ngx_conf_t *cf, void *conf)
{
    ngx_media_web_conf_t *wcf = conf;

    char                  *err;
    ngx_uint_t             i;
    ngx_media_web_url_t  **url;

    ngx_conf_init_msec_value(wcf->resolver_timeout, 30000);

    wcf->ready = 1;

    url = wcf->urls.elts;

    for (i = 0; i < wcf->urls.nelts; i++) {

        err = ngx_media_web_url_prepare(cf, wcf, url[i]);

        if (err) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "invalid URL \"%V\": %s in %s:%ui", &url[i]->shown,
                          err, url[i]->file, url[i]->line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_media_web_resolver(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_web_conf_t *wcf = conf;

    ngx_str_t  *value;

    if (wcf->resolver) {
        return "is duplicate";
    }

    value = cf->args->elts;

    wcf->resolver = ngx_resolver_create(cf, &value[1], cf->args->nelts - 1);

    if (wcf->resolver == NULL) {
        return NGX_CONF_ERROR;
    }

    if (wcf->resolver->connections.nelts == 0) {
        return "needs the address of a name server";
    }

    return NGX_CONF_OK;
}


/* --- what a URL needs --------------------------------------------------- */

static void
ngx_media_web_free_store(void *data)
{
    X509_STORE_free(data);
}


/* The certificates are read once, by the master: a worker never waits. */

static char *
ngx_media_web_trust(ngx_conf_t *cf, ngx_media_web_conf_t *wcf)
{
    ngx_str_t            file;
    ngx_pool_cleanup_t  *cln;

    file = wcf->trusted;

    if (file.len) {
        if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
            return "no memory";
        }

    } else {
        file.data = (u_char *) curl_version_info(CURLVERSION_NOW)->cainfo;

        if (file.data == NULL) {
            return "set \"hook_trusted_certificate\", the system has no file "
                   "of trusted certificates";
        }
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL) {
        return "no memory";
    }

    wcf->store = X509_STORE_new();

    if (wcf->store == NULL) {
        return "no memory";
    }

    cln->handler = ngx_media_web_free_store;
    cln->data = wcf->store;

    /* a certificate that stands in the file need not be a root */

    (void) X509_STORE_set_flags(wcf->store, X509_V_FLAG_TRUSTED_FIRST
                                            |X509_V_FLAG_PARTIAL_CHAIN);

    if (X509_STORE_load_locations(wcf->store, (char *) file.data, NULL) != 1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no trusted certificates in \"%s\", set "
                      "\"hook_trusted_certificate\" to a PEM file", file.data);
        ERR_clear_error();
        return "can not be verified";
    }

    return NULL;
}


ngx_int_t
ngx_media_web_addrs_text(ngx_pool_t *pool, ngx_str_t *out, void *data,
    ngx_uint_t n, struct sockaddr *(*addr)(void *data, ngx_uint_t i,
    socklen_t *len))
{
    u_char           *p;
    socklen_t         len;
    ngx_uint_t        i;
    struct sockaddr  *sa;

    n = ngx_min(n, NGX_MEDIA_WEB_ADDRS);

    p = ngx_pnalloc(pool, n * (NGX_SOCKADDR_STRLEN + 1));

    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    for (i = 0; i < n; i++) {

        sa = addr(data, i, &len);

        if (p != out->data) {
            *p++ = ',';
        }

        p += ngx_sock_ntop(sa, len, p, NGX_SOCKADDR_STRLEN, 0);
    }

    out->len = (size_t) (p - out->data);

    return out->len ? NGX_OK : NGX_ERROR;
}


static struct sockaddr *
ngx_media_web_url_addr(void *data, ngx_uint_t i, socklen_t *len)
{
    ngx_addr_t *addrs = data;

    *len = addrs[i].socklen;

    return addrs[i].sockaddr;
}


static char *
ngx_media_web_lookup(ngx_conf_t *cf, ngx_media_web_conf_t *wcf,
    ngx_media_web_url_t *url)
{
    ngx_url_t              u;
    ngx_uint_t             i;
    ngx_media_web_url_t  **other;

    other = wcf->urls.elts;

    for (i = 0; i < wcf->urls.nelts; i++) {

        if (other[i]->addrs.len
            && other[i]->host.len == url->host.len
            && ngx_strncmp(other[i]->host.data, url->host.data, url->host.len)
               == 0)
        {
            url->addrs = other[i]->addrs;
            return NULL;
        }
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = url->host;
    u.default_port = url->port;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return u.err ? u.err : "no memory";
    }

    if (ngx_media_web_addrs_text(cf->pool, &url->addrs, u.addrs, u.naddrs,
                                 ngx_media_web_url_addr)
        != NGX_OK)
    {
        return "no memory";
    }

    return NULL;
}


static char *
ngx_media_web_url_prepare(ngx_conf_t *cf, ngx_media_web_conf_t *wcf,
    ngx_media_web_url_t *url)
{
    char  *err;

    if (url->ssl && wcf->store == NULL) {
        err = ngx_media_web_trust(cf, wcf);

        if (err) {
            return err;
        }
    }

    if (url->literal) {
        return NULL;
    }

    /* RFC 6761, 6.3: nobody is asked for this name */

    if (url->host.len == 9
        && ngx_strncmp(url->host.data, "localhost", 9) == 0)
    {
        ngx_str_set(&url->addrs, "127.0.0.1,::1");
        return NULL;
    }

    return wcf->resolver ? NULL : ngx_media_web_lookup(cf, wcf, url);
}


/* --- URLs --------------------------------------------------------------- */

/* [user@]host[:port] */

static char *
ngx_media_web_url_host(ngx_media_web_url_t *url, u_char *p, u_char *last)
{
    u_char     *colon, *end;
    ngx_int_t   port;

    if (p < last && *p == '[') {

        url->literal = 1;
        end = ngx_strlchr(p, last, ']');

        if (end == NULL) {
            return "\"]\" is missing behind the address";
        }

        url->host.data = p + 1;
        url->host.len = (size_t) (end - p - 1);
        colon = end + 1;

    } else {
        colon = ngx_strlchr(p, last, ':');
        end = (colon == NULL) ? last : colon;
        colon = end;

        url->host.data = p;
        url->host.len = (size_t) (end - p);
    }

    url->port = url->ssl ? 443 : 80;

    if (colon != last) {

        if (*colon != ':') {
            return "invalid host";
        }

        port = ngx_atoi(colon + 1, (size_t) (last - colon - 1));

        if (port < 1 || port > 65535) {
            return "invalid port";
        }

        url->port = (in_port_t) port;
    }

    return NULL;
}


static char *
ngx_media_web_url_check(ngx_media_web_url_t *url)
{
    size_t   i;
    u_char   c;
#if (NGX_HAVE_INET6)
    u_char   addr[16];
#endif

    if (url->literal) {

#if (NGX_HAVE_INET6)
        if (ngx_inet6_addr(url->host.data, url->host.len, addr) == NGX_OK) {
            return NULL;
        }
#endif

        return "invalid IPv6 address";
    }

    if (url->host.len && url->host.data[url->host.len - 1] == '.') {
        url->host.len--;
    }

    if (url->host.len == 0 || url->host.len > 253) {
        return "no host";
    }

    for (i = 0; i < url->host.len; i++) {
        c = url->host.data[i];

        if (c == '$') {
            return "variables may stand only behind the host";
        }

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
              || c == '-' || c == '.' || c == '_'))
        {
            return "invalid host";
        }
    }

    url->literal = (ngx_inet_addr(url->host.data, url->host.len)
                    != INADDR_NONE);

    return NULL;
}


/* what is made of the parts: base and shown; user ends behind its "@" */

static ngx_int_t
ngx_media_web_url_texts(ngx_pool_t *pool, ngx_media_web_url_t *url,
    ngx_str_t *user)
{
    u_char      *p, *query;
    size_t       n;
    const char  *scheme, *left, *right;

    n = sizeof("https://[]:65535") + url->host.len;

    url->base.data = ngx_pnalloc(pool, n + user->len);
    url->shown.data = ngx_pnalloc(pool, n + url->path.len);

    if (url->base.data == NULL || url->shown.data == NULL) {
        return NGX_ERROR;
    }

    scheme = url->ssl ? "https" : "http";
    left = "";
    right = "";

    if (ngx_strlchr(url->host.data, url->host.data + url->host.len, ':')) {
        left = "[";
        right = "]";
    }

    p = ngx_sprintf(url->base.data, "%s://%V%s%V%s:%ui", scheme, user, left,
                    &url->host, right, (ngx_uint_t) url->port);

    url->base.len = (size_t) (p - url->base.data);

    query = ngx_strlchr(url->path.data, url->path.data + url->path.len, '?');
    n = query ? (size_t) (query - url->path.data) : url->path.len;

    p = ngx_sprintf(url->shown.data, "%s://%s%V%s:%ui%*s", scheme, left,
                    &url->host, right, (ngx_uint_t) url->port, n,
                    url->path.data);

    url->shown.len = (size_t) (p - url->shown.data);

    return NGX_OK;
}


/* splits the value at its path; the host is made lower case in a copy */

static char *
ngx_media_web_url_parse(ngx_conf_t *cf, ngx_media_web_url_t *url)
{
    char       *err;
    u_char     *p, *last, *host, *path;
    ngx_str_t   user;

    p = url->url.data + (url->ssl ? 8 : 7);
    last = url->url.data + url->url.len;

    for (path = p; path < last; path++) {
        if (*path <= ' ' || *path == 0x7f) {
            return "a space or a control character is in it";
        }
    }

    path = p + strcspn((char *) p, "/?#");

    user.data = p;
    user.len = 0;

    for (host = p; p < path; p++) {
        if (*p == '@') {
            host = p + 1;
            user.len = (size_t) (host - user.data);
        }
    }

    url->path.len = strcspn((char *) path, "#");
    url->path.data = ngx_pnalloc(cf->pool, url->path.len + 2);

    p = ngx_pnalloc(cf->pool, (size_t) (path - host) + 1);

    if (url->path.data == NULL || p == NULL) {
        return "no memory";
    }

    last = p + (path - host);
    ngx_strlow(p, host, (size_t) (path - host));

    err = ngx_media_web_url_host(url, p, last);

    if (err == NULL) {
        err = ngx_media_web_url_check(url);
    }

    if (err) {
        return err;
    }

    p = url->path.data;

    if (url->path.len == 0 || *path != '/') {
        *p++ = '/';
    }

    p = ngx_cpymem(p, path, url->path.len);
    *p = '\0';
    url->path.len = (size_t) (p - url->path.data);

    return ngx_media_web_url_texts(cf->pool, url, &user) == NGX_OK
           ? NULL : "no memory";
}


char *
ngx_media_web_url(ngx_conf_t *cf, ngx_str_t *value, ngx_media_web_url_t **out)
{
    char                  *err;
    ngx_media_web_url_t   *url, **slot;
    ngx_media_web_conf_t  *wcf;

    wcf = ngx_media_web_conf(cf->cycle);

    if (wcf == NULL) {
        return "a media{} block has to stand before it";
    }

    url = ngx_pcalloc(cf->pool, sizeof(ngx_media_web_url_t));

    if (url == NULL) {
        return "no memory";
    }

    url->url.len = value->len;
    url->url.data = ngx_pnalloc(cf->pool, value->len + 1);

    if (url->url.data == NULL) {
        return "no memory";
    }

    (void) ngx_cpystrn(url->url.data, value->data, value->len + 1);

    if (value->len > 7
        && ngx_strncasecmp(value->data, (u_char *) "http://", 7) == 0)
    {
        url->ssl = 0;

    } else if (value->len > 8
               && ngx_strncasecmp(value->data, (u_char *) "https://", 8) == 0)
    {
        url->ssl = 1;

    } else {
        return "it must begin with \"http://\" or \"https://\"";
    }

    if (cf->conf_file) {
        url->file = cf->conf_file->file.name.data;
        url->line = cf->conf_file->line;

    } else {
        url->file = (u_char *) "";
    }

    err = ngx_media_web_url_parse(cf, url);

    if (err == NULL && wcf->ready) {
        err = ngx_media_web_url_prepare(cf, wcf, url);
    }

    if (err) {
        return err;
    }

    slot = ngx_array_push(&wcf->urls);

    if (slot == NULL) {
        return "no memory";
    }

    *slot = url;
    *out = url;

    return NULL;
}


/* --- the worker --------------------------------------------------------- */

static ngx_int_t
ngx_media_web_init_process(ngx_cycle_t *cycle)
{
    ngx_media_web_conf_t  *wcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    wcf = ngx_media_web_conf(cycle);

    if (wcf == NULL || wcf->urls.nelts == 0) {
        return NGX_OK;
    }

    return ngx_media_web_multi_init(cycle);
}


static void
ngx_media_web_exit_process(ngx_cycle_t *cycle)
{
    ngx_media_web_exit();
    ngx_media_web_multi_exit();
}
