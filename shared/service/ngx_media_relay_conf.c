
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: forward, origin, origin_vhost, origin_idle in media{}, vhost{} and
 * application{}, and who can call: protocol modules add their diallers before
 * the configuration is read, so that a URL that nobody calls is refused there.
 *
 * Names in URLs are looked up when the configuration is read where media{} has
 * no resolver; else for each attempt.
 */


#include "ngx_media_relay_hub.h"
#include "ngx_media_relay_uri.h"
#include "ngx_media_web_curl.h"


static char *ngx_media_relay_urls(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_relay_target(ngx_conf_t *cf, ngx_str_t *value,
    ngx_uint_t way, ngx_media_relay_target_t *t);
static const char *ngx_media_relay_sample(ngx_conf_t *cf,
    ngx_media_relay_target_t *t, ngx_str_t *url);
static void *ngx_media_relay_create_main_conf(ngx_conf_t *cf);
static char *ngx_media_relay_init_main_conf(ngx_conf_t *cf, void *conf);
static char *ngx_media_relay_prepare(ngx_conf_t *cf,
    ngx_media_web_conf_t *wcf, ngx_media_relay_target_t *t);
static void *ngx_media_relay_create_conf(ngx_conf_t *cf);
static char *ngx_media_relay_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_media_relay_init_process(ngx_cycle_t *cycle);
static void ngx_media_relay_second(void);
static void ngx_media_relay_command(uint32_t entry, uint32_t what);
static void ngx_media_relay_exit(void);


#define NGX_MEDIA_RELAY_IDLE   10000


static ngx_media_conf_range_t  ngx_media_relay_idle_range = {
    0, 86400000, "a time up to 1d"
};


static ngx_command_t  ngx_media_relay_commands[] = {

    { ngx_string("forward"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_relay_urls,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_relay_conf_t, forward),
      NULL },

    { ngx_string("origin"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_relay_urls,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_relay_conf_t, origin),
      NULL },

    { ngx_string("origin_vhost"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_str,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_relay_conf_t, origin_vhost),
      NULL },

    { ngx_string("origin_idle"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_msec,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_relay_conf_t, origin_idle),
      &ngx_media_relay_idle_range },

      ngx_null_command
};


static ngx_media_module_t  ngx_media_relay_policy_module_ctx = {
    ngx_media_relay_create_main_conf,      /* create main configuration */
    ngx_media_relay_init_main_conf,        /* init main configuration */

    ngx_media_relay_create_conf,           /* create policy */
    ngx_media_relay_merge_conf             /* merge policy */
};


ngx_module_t  ngx_media_relay_policy_module = {
    NGX_MODULE_V1,
    &ngx_media_relay_policy_module_ctx,    /* module context */
    ngx_media_relay_commands,              /* module directives */
    NGX_MEDIA_MODULE,                      /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_media_relay_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_media_service_t  ngx_media_relay_service = {
    .publish = ngx_media_relay_publish,
    .unpublish = ngx_media_relay_unpublish,
    .second = ngx_media_relay_second,
    .exit = ngx_media_relay_exit,
    .wanted = ngx_media_relay_wanted,
    .relay = ngx_media_relay_command
};


/*
 * Those of the configuration that is being read.  Copied by it: a cycle that
 * is refused, or another one, leaves those that run what they have.
 */

static const ngx_media_dialler_t  *ngx_media_diallers[NGX_MEDIA_DIALLERS];
static ngx_uint_t                  ngx_media_ndiallers;
static ngx_cycle_t                *ngx_media_diallers_cycle;


ngx_int_t
ngx_media_dialler_add(ngx_cycle_t *cycle, const ngx_media_dialler_t *dialler)
{
    ngx_uint_t  i;

    if (ngx_media_diallers_cycle != cycle) {
        ngx_media_diallers_cycle = cycle;
        ngx_media_ndiallers = 0;
    }

    for (i = 0; i < ngx_media_ndiallers; i++) {
        if (ngx_media_diallers[i] == dialler) {
            return NGX_OK;
        }
    }

    if (ngx_media_ndiallers == NGX_MEDIA_DIALLERS) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "more than %d diallers", NGX_MEDIA_DIALLERS);
        return NGX_ERROR;
    }

    ngx_media_diallers[ngx_media_ndiallers++] = dialler;

    return NGX_OK;
}


ngx_media_relay_main_conf_t *
ngx_media_relay_main_conf(void)
{
    return ngx_media_module_main_conf((ngx_cycle_t *) ngx_cycle,
                                      &ngx_media_relay_policy_module);
}


/* --- URLs --------------------------------------------------------------- */

static void
ngx_media_relay_str(ngx_str_t *dst, const ngx_media_url_str_t *src)
{
    dst->data = src->data;
    dst->len = src->len;
}


const char *
ngx_media_relay_url(ngx_pool_t *pool, ngx_media_relay_main_conf_t *mcf,
    ngx_uint_t way, const ngx_str_t *url, ngx_media_relay_url_t *out,
    const ngx_media_dialler_t **dialler)
{
    int                         rc;
    u_char                     *buf;
    ngx_uint_t                  i;
    ngx_media_relay_uri_t       uri;
    const ngx_media_dialler_t  *d;

    buf = ngx_pnalloc(pool, 2 * url->len + 1);
    if (buf == NULL) {
        return "no memory";
    }

    ngx_memcpy(buf, url->data, url->len);

    rc = ngx_media_relay_uri(&uri, buf, buf + url->len, buf + url->len);

    if (rc != NGX_MEDIA_RELAY_URI_OK) {
        return ngx_media_relay_uri_text(rc);
    }

    ngx_memzero(out, sizeof(ngx_media_relay_url_t));

    out->url.data = buf;
    out->url.len = url->len;
    out->port = uri.port;

    ngx_media_relay_str(&out->scheme, &uri.scheme);
    ngx_media_relay_str(&out->user, &uri.user);
    ngx_media_relay_str(&out->host, &uri.host);
    ngx_media_relay_str(&out->path, &uri.path);
    ngx_media_relay_str(&out->args, &uri.args);

    d = NULL;

    for (i = 0; i < mcf->ndiallers; i++) {
        d = mcf->diallers[i];

        if (d->scheme.len == out->scheme.len
            && ngx_strncmp(d->scheme.data, out->scheme.data, d->scheme.len)
               == 0)
        {
            break;
        }
    }

    if (i == mcf->ndiallers) {
        return "nobody here calls such URLs";
    }

    if (!(d->ways & way)) {
        return (way == NGX_MEDIA_RELAY_PULL)
               ? "such URLs can only be sent to, not fetched from"
               : "such URLs can only be fetched from, not sent to";
    }

    if (out->port == 0) {
        out->port = d->port;
    }

    if (out->port == 0) {
        return "it needs a port";
    }

    *dialler = d;

    return d->check ? d->check(out, way) : NULL;
}


ngx_int_t
ngx_media_relay_shown(ngx_pool_t *pool, const ngx_media_relay_url_t *url,
    const ngx_str_t *stream, ngx_str_t *shown)
{
    size_t                 n;
    u_char                 none[1], *buf;
    ngx_media_url_str_t    name;
    ngx_media_relay_uri_t  uri;

    n = url->url.len + 64;

    buf = ngx_pnalloc(pool, url->url.len + 1);
    shown->data = ngx_pnalloc(pool, n);

    if (buf == NULL || shown->data == NULL) {
        return NGX_ERROR;
    }

    name.data = stream->len ? stream->data : none;
    name.len = stream->len;

    if (ngx_media_relay_uri(&uri, url->url.data,
                            url->url.data + url->url.len, buf)
        != NGX_MEDIA_RELAY_URI_OK)
    {
        shown->len = 0;
        return NGX_OK;
    }

    shown->len = ngx_media_relay_uri_show(&uri, &name, shown->data, n);

    return NGX_OK;
}


/* forward URL...; origin URL...; */

static char *
ngx_media_relay_urls(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char  *p = conf;

    ngx_str_t                  *value;
    ngx_uint_t                  i, way;
    ngx_array_t               **urls;
    ngx_media_relay_target_t   *t;

    urls = (ngx_array_t **) (p + cmd->offset);

    if (*urls != NGX_CONF_UNSET_PTR) {
        return "is duplicate, give all URLs to one";
    }

    value = cf->args->elts;
    way = (cmd->offset == offsetof(ngx_media_relay_conf_t, origin))
          ? NGX_MEDIA_RELAY_PULL : NGX_MEDIA_RELAY_PUSH;

    *urls = ngx_array_create(cf->pool, cf->args->nelts,
                             sizeof(ngx_media_relay_target_t));
    if (*urls == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return ngx_media_conf_note(cf, cmd);
    }

    for (i = 1; i < cf->args->nelts; i++) {
        t = ngx_array_push(*urls);

        if (t == NULL
            || ngx_media_relay_target(cf, &value[i], way, t) != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_media_conf_note(cf, cmd);
}


static char *
ngx_media_relay_target(ngx_conf_t *cf, ngx_str_t *value, ngx_uint_t way,
    ngx_media_relay_target_t *t)
{
    u_char                        *p;
    ngx_str_t                      sample;
    const char                    *error;
    ngx_media_relay_url_t          url;
    ngx_media_relay_target_t     **slot;
    ngx_media_relay_main_conf_t   *mcf;

    mcf = ngx_media_conf_main_of(cf)->main_conf
              [ngx_media_relay_policy_module.ctx_index];

    ngx_memzero(t, sizeof(ngx_media_relay_target_t));

    t->url = *value;
    t->way = way;
    t->file = cf->conf_file ? cf->conf_file->file.name.data : (u_char *) "";
    t->line = cf->conf_file ? cf->conf_file->line : 0;

    error = ngx_media_value_compile(cf, &t->url, NULL, &t->value);

    if (error == NULL) {
        error = ngx_media_relay_sample(cf, t, &sample);
    }

    if (error == NULL) {
        error = ngx_media_relay_url(cf->pool, mcf, way, &sample, &url,
                                    &t->dialler);
    }

    if (error == NULL) {
        t->host = url.host;

        slot = ngx_array_push(&mcf->targets);

        if (slot) {
            *slot = t;
            return NGX_CONF_OK;
        }

        error = "no memory";
    }

    /* behind the host there may be secrets */

    p = ngx_strlchr(value->data, value->data + value->len, '?');

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid URL \"%*s\": %s%s",
                       p ? (size_t) (p - value->data) : value->len,
                       value->data, error,
                       t->dialler ? ""
                       : (value->len > 6
                          && ngx_strncasecmp(value->data,
                                             (u_char *) "srt://", 6) == 0)
                         ? ", load ngx_srt_module.so before" : "");

    return NGX_CONF_ERROR;
}


/* what the URL may look like, when its variables are filled in */

static const char *
ngx_media_relay_sample(ngx_conf_t *cf, ngx_media_relay_target_t *t,
    ngx_str_t *url)
{
    u_char      *p, *end;
    ngx_str_t    text[NGX_MEDIA_TEXT_MAX];
    ngx_uint_t   i;

    if (t->value == NULL) {
        *url = t->url;
        return NULL;
    }

    p = (u_char *) ngx_strstr(t->url.data, "://");
    end = t->url.data + t->url.len;

    for (p = p ? p + 3 : t->url.data;
         p < end && *p != '/' && *p != '?';
         p++)
    {
        if (*p == '$') {
            return "variables may stand only behind the host";
        }
    }

    for (i = 0; i < NGX_MEDIA_TEXT_MAX; i++) {
        ngx_str_set(&text[i], "x");
    }

    ngx_str_set(&text[NGX_MEDIA_TEXT_ARGS], "x=y");

    if (ngx_media_value_eval(t->value, text, NULL, NGX_MEDIA_VALUE_URL,
                             cf->pool, url)
        != NGX_OK)
    {
        return "no memory";
    }

    return NULL;
}


/* --- the configuration -------------------------------------------------- */

static void *
ngx_media_relay_create_main_conf(ngx_conf_t *cf)
{
    ngx_media_relay_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_media_relay_main_conf_t));

    if (mcf == NULL
        || ngx_array_init(&mcf->targets, cf->pool, 4,
                          sizeof(ngx_media_relay_target_t *))
           != NGX_OK)
    {
        return NULL;
    }

    if (ngx_media_diallers_cycle == cf->cycle) {
        ngx_memcpy(mcf->diallers, ngx_media_diallers,
                   sizeof(ngx_media_diallers));
        mcf->ndiallers = ngx_media_ndiallers;
    }

    return mcf;
}


/* at the end of media{} */

static char *
ngx_media_relay_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_media_relay_main_conf_t *mcf = conf;

    char                       *error;
    ngx_uint_t                  i;
    ngx_media_web_conf_t       *wcf;
    ngx_media_relay_target_t  **t;

    wcf = ngx_media_web_conf(cf->cycle);
    t = mcf->targets.elts;

    for (i = 0; i < mcf->targets.nelts; i++) {

        error = ngx_media_relay_prepare(cf, wcf, t[i]);

        if (error) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "host \"%V\" in a URL: %s in %s:%ui", &t[i]->host,
                          error, t[i]->file, t[i]->line);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_media_relay_prepare(ngx_conf_t *cf, ngx_media_web_conf_t *wcf,
    ngx_media_relay_target_t *t)
{
    ngx_url_t                    u;
    ngx_addr_t                   addr;
    ngx_uint_t                   i;
    const char                  *error;
    ngx_str_t                    sample;
    ngx_media_relay_url_t        url;
    const ngx_media_dialler_t   *dialler;

    if ((wcf && wcf->resolver)
        || (t->host.len == 9
            && ngx_strncmp(t->host.data, "localhost", 9) == 0)
        || ngx_parse_addr(cf->pool, &addr, t->host.data, t->host.len)
           != NGX_DECLINED)
    {
        return NULL;
    }

    error = ngx_media_relay_sample(cf, t, &sample);

    if (error
        || ngx_media_relay_url(cf->pool, ngx_media_conf_main_of(cf)->main_conf
                                   [ngx_media_relay_policy_module.ctx_index],
                               t->way, &sample, &url, &dialler))
    {
        return "no memory";
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = t->host;
    u.default_port = url.port;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return u.err ? u.err : "no memory";
    }

    for (i = 0; i < u.naddrs; i++) {
        ngx_inet_set_port(u.addrs[i].sockaddr, url.port);
    }

    t->addrs = u.addrs;
    t->naddrs = u.naddrs;

    return NULL;
}


static void *
ngx_media_relay_create_conf(ngx_conf_t *cf)
{
    ngx_media_relay_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_media_relay_conf_t));

    if (conf == NULL) {
        return NULL;
    }

    conf->forward = NGX_CONF_UNSET_PTR;
    conf->origin = NGX_CONF_UNSET_PTR;
    conf->origin_idle = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_media_relay_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_media_relay_conf_t *prev = parent;
    ngx_media_relay_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->forward, prev->forward, NULL);
    ngx_conf_merge_ptr_value(conf->origin, prev->origin, NULL);
    ngx_conf_merge_str_value(conf->origin_vhost, prev->origin_vhost, "");
    ngx_conf_merge_msec_value(conf->origin_idle, prev->origin_idle,
                              NGX_MEDIA_RELAY_IDLE);

    if (conf->forward && conf->forward->nelts == 0) {
        conf->forward = NULL;
    }

    if (conf->origin && conf->origin->nelts == 0) {
        conf->origin = NULL;
    }

    return NGX_CONF_OK;
}


/* --- the worker --------------------------------------------------------- */

static ngx_int_t
ngx_media_relay_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    return ngx_media_service_add(&ngx_media_relay_service);
}


static void
ngx_media_relay_second(void)
{
    ngx_queue_t        *q, *next;
    ngx_media_relay_t  *r;

    for (q = ngx_queue_head(ngx_media_relay_all());
         q != ngx_queue_sentinel(ngx_media_relay_all());
         q = next)
    {
        next = ngx_queue_next(q);
        r = ngx_queue_data(q, ngx_media_relay_t, queue);

        if (r->way == NGX_MEDIA_RELAY_PULL) {
            ngx_media_relay_pull_tick(r);

        } else {
            ngx_media_relay_push_tick(r);
        }
    }
}


/* another worker says so */

static void
ngx_media_relay_command(uint32_t entry, uint32_t what)
{
    ngx_queue_t        *q;
    ngx_media_relay_t  *r;

    for (q = ngx_queue_head(ngx_media_relay_all());
         q != ngx_queue_sentinel(ngx_media_relay_all());
         q = ngx_queue_next(q))
    {
        r = ngx_queue_data(q, ngx_media_relay_t, queue);

        if (r->entry != entry) {
            continue;
        }

        if (what == NGX_MEDIA_RELAY_HURRY) {
            r->wanted = ngx_media_msec();
            ngx_media_relay_hurry(r);

        } else if (what == NGX_MEDIA_RELAY_YIELD
                   && r->way == NGX_MEDIA_RELAY_PUSH && r->left)
        {
            ngx_media_relay_free(r);
        }

        return;
    }
}


static void
ngx_media_relay_exit(void)
{
    ngx_queue_t  *q;

    ngx_media_relay_push_exit();

    while (!ngx_queue_empty(ngx_media_relay_all())) {
        q = ngx_queue_head(ngx_media_relay_all());
        ngx_media_relay_free(ngx_queue_data(q, ngx_media_relay_t, queue));
    }
}
