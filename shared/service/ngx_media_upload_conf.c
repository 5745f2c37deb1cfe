
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: directives of copies and uploads: dvr_copy, dvr_s3.  A secret is read
 * with the configuration, by the master, and appears in no log.
 */


#include "ngx_media_upload.h"


#define NGX_MEDIA_UPLOAD_SECRET    1024
#define NGX_MEDIA_UPLOAD_PART_MIN  (5 * 1024 * 1024)
#define NGX_MEDIA_UPLOAD_PART_MAX  (1024 * 1024 * 1024)


static void *ngx_media_upload_create_conf(ngx_conf_t *cf);
static char *ngx_media_upload_merge_conf(ngx_conf_t *cf, void *prev,
    void *conf);
static char *ngx_media_upload_set_copy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_upload_set_s3(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_media_upload_init_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_media_upload_commands[] = {

    { ngx_string("dvr_copy"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_upload_set_copy,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dvr_s3"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_upload_set_s3,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_media_module_t  ngx_media_upload_policy_module_ctx = {
    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_media_upload_create_conf,          /* create policy */
    ngx_media_upload_merge_conf            /* merge policy */
};


ngx_module_t  ngx_media_upload_policy_module = {
    NGX_MODULE_V1,
    &ngx_media_upload_policy_module_ctx,   /* module context */
    ngx_media_upload_commands,             /* module directives */
    NGX_MEDIA_MODULE,                      /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_media_upload_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_media_upload_create_conf(ngx_conf_t *cf)
{
    ngx_media_upload_conf_t  *ucf;

    ucf = ngx_pcalloc(cf->pool, sizeof(ngx_media_upload_conf_t));

    if (ucf == NULL) {
        return NULL;
    }

    ucf->copy = NGX_CONF_UNSET_PTR;
    ucf->s3 = NGX_CONF_UNSET_PTR;

    return ucf;
}


static char *
ngx_media_upload_merge_conf(ngx_conf_t *cf, void *prev, void *conf)
{
    ngx_media_upload_conf_t *prv = prev;
    ngx_media_upload_conf_t *ucf = conf;

    ngx_conf_merge_ptr_value(ucf->copy, prv->copy, NULL);
    ngx_conf_merge_ptr_value(ucf->s3, prv->s3, NULL);

    return NGX_CONF_OK;
}


/* dvr_copy DIR | off; */

static char *
ngx_media_upload_set_copy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_upload_conf_t *ucf = conf;

    ngx_str_t   *value, *dir;
    ngx_path_t  *path;

    if (ucf->copy != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ucf->copy = NULL;
        return ngx_media_conf_note(cf, cmd);
    }

    if (value[1].len == 0 || ngx_strlchr(value[1].data, value[1].data
                                         + value[1].len, '$'))
    {
        return "takes the name of a directory, without variables";
    }

    dir = ngx_palloc(cf->pool, sizeof(ngx_str_t));
    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));

    if (dir == NULL || path == NULL) {
        return NGX_CONF_ERROR;
    }

    *dir = value[1];

    if (ngx_conf_full_name(cf->cycle, dir, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (dir->len > 1 && dir->data[dir->len - 1] == '/') {
        dir->data[--dir->len] = '\0';
    }

    path->name = *dir;
    path->data = &ngx_media_upload_policy_module;
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    if (ngx_add_path(cf, &path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ucf->copy = dir;

    return ngx_media_conf_note(cf, cmd);
}


/* --- dvr_s3 ------------------------------------------------------------- */

/* variables that say the same each time it is tried */

static ngx_uint_t
ngx_media_upload_variable(u_char *p, u_char *end)
{
    size_t             n;
    ngx_uint_t         i, brace;
    static ngx_str_t   names[] = {
        ngx_string("media_vhost"), ngx_string("media_app"),
        ngx_string("media_stream"), ngx_string("hostname"), ngx_null_string
    };

    brace = (p < end && *p == '{');
    p += brace;

    for (n = 0; p + n < end; n++) {
        if (!((p[n] >= 'a' && p[n] <= 'z') || p[n] == '_')) {
            break;
        }
    }

    if (brace && (p + n == end || p[n] != '}')) {
        return 0;
    }

    for (i = 0; names[i].len; i++) {
        if (names[i].len == n && ngx_memcmp(names[i].data, p, n) == 0) {
            return 1;
        }
    }

    return 0;
}


/* /BUCKET[/PREFIX] */

static char *
ngx_media_upload_prefix(ngx_conf_t *cf, ngx_media_upload_s3_t *s3)
{
    size_t   n;
    u_char  *p, *end;

    s3->prefix = s3->url->path;

    while (s3->prefix.len && s3->prefix.data[s3->prefix.len - 1] == '/') {
        s3->prefix.len--;
    }

    p = s3->prefix.data;
    end = p + s3->prefix.len;

    for (n = 1; n < s3->prefix.len && p[n] != '/'; n++) {
        if (p[n] == '$') {
            return "variables may stand only behind the bucket";
        }
    }

    if (n < 2) {
        return "the bucket is missing, say https://HOST/BUCKET/PREFIX";
    }

    for ( /* void */ ; p < end; p++) {

        if (*p == '?' || *p == '%' || *p == '#') {
            return "\"?\", \"#\" and \"%\" can not be in it";
        }

        if (*p == '$' && !ngx_media_upload_variable(p + 1, end)) {
            return "it takes $media_vhost, $media_app, $media_stream and "
                   "$hostname";
        }
    }

    return ngx_media_value_compile(cf, &s3->prefix, NULL, &s3->value);
}


static char *
ngx_media_upload_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_media_upload_s3_t *s3)
{
    char                 *err;
    u_char               *p;
    ngx_uint_t            plain;
    ngx_media_web_url_t  *url;

    for (p = value->data; p < value->data + value->len; p++) {

        if (*p == '@') {
            return "credentials stand in key= and secret=";
        }
    }

    err = ngx_media_web_url(cf, value, &s3->url);

    if (err) {
        return err;
    }

    url = s3->url;
    s3->host.data = ngx_pnalloc(cf->pool, url->host.len + 16);

    if (s3->host.data == NULL) {
        return "no memory";
    }

    plain = (ngx_strlchr(url->host.data, url->host.data + url->host.len, ':')
             == NULL);

    p = ngx_sprintf(s3->host.data, plain ? "%V" : "[%V]", &url->host);

    if (url->port != (url->ssl ? 443 : 80)) {
        p = ngx_sprintf(p, ":%ui", (ngx_uint_t) url->port);
    }

    s3->host.len = (size_t) (p - s3->host.data);

    return ngx_media_upload_prefix(cf, s3);
}


/* the first line of a file */

static char *
ngx_media_upload_secret(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *secret)
{
    u_char     buf[NGX_MEDIA_UPLOAD_SECRET];
    size_t     len;
    ssize_t    n;
    ngx_fd_t   fd;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%s\" failed", name->data);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));
    (void) ngx_close_file(fd);

    for (len = 0; n > 0 && len < (size_t) n && buf[len] > ' '; len++) {
        /* void */
    }

    if (len == 0 || len == sizeof(buf)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "there is no secret in \"%s\"", name->data);
        return NGX_CONF_ERROR;
    }

    secret->len = len;
    secret->data = ngx_pnalloc(cf->pool, len);

    if (secret->data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(secret->data, buf, len);
    ngx_explicit_memzero(buf, sizeof(buf));

    return NGX_CONF_OK;
}


/* printable, and one word: it goes into headers */

static ngx_int_t
ngx_media_upload_word(ngx_str_t *value, size_t skip, ngx_str_t *out)
{
    size_t  i;

    if (out->len || value->len == skip) {
        return NGX_ERROR;
    }

    for (i = skip; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f) {
            return NGX_ERROR;
        }
    }

    out->data = value->data + skip;
    out->len = value->len - skip;

    return NGX_OK;
}


/* one NAME=VALUE; NGX_DECLINED: it was logged */

static ngx_int_t
ngx_media_upload_argument(ngx_conf_t *cf, ngx_str_t *value,
    ngx_media_upload_s3_t *s3)
{
    size_t        i;
    ngx_str_t     word, text;

    static const struct {
        ngx_str_t     name;
        size_t        offset;
    } words[] = {
        { ngx_string("key="), offsetof(ngx_media_upload_s3_t, key) },
        { ngx_string("secret="), offsetof(ngx_media_upload_s3_t, secret) },
        { ngx_string("region="), offsetof(ngx_media_upload_s3_t, region) },
        { ngx_string("class="), offsetof(ngx_media_upload_s3_t, storage) }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (value->len > words[i].name.len
            && ngx_memcmp(value->data, words[i].name.data, words[i].name.len)
               == 0)
        {
            return ngx_media_upload_word(value, words[i].name.len,
                                         (ngx_str_t *) ((u_char *) s3
                                                        + words[i].offset));
        }
    }

    ngx_str_null(&word);

    if (ngx_strncmp(value->data, "secret_file=", 12) == 0 && !s3->secret.len
        && ngx_media_upload_word(value, 12, &word) == NGX_OK)
    {
        return ngx_media_upload_secret(cf, &word, &s3->secret)
               == NGX_CONF_OK ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_strncmp(value->data, "part=", 5) == 0 && s3->part == 0) {
        text.data = value->data + 5;
        text.len = value->len - 5;
        s3->part = text.len ? ngx_parse_offset(&text) : NGX_ERROR;

        return (s3->part >= NGX_MEDIA_UPLOAD_PART_MIN
                && s3->part <= NGX_MEDIA_UPLOAD_PART_MAX)
               ? NGX_OK : NGX_ERROR;
    }

    if (ngx_strcmp(value->data, "delete=on") == 0) {
        s3->remove = 1;
        return NGX_OK;
    }

    return ngx_strcmp(value->data, "delete=off") == 0 ? NGX_OK : NGX_ERROR;
}


/* what is shown of an argument that is wrong: no secret */

static ngx_str_t
ngx_media_upload_shown(ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t   shown;

    shown = *value;
    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p && ngx_strncmp(value->data, "part=", 5) != 0
        && ngx_strncmp(value->data, "delete=", 7) != 0)
    {
        shown.len = (size_t) (p + 1 - value->data);

    } else if (p == NULL) {
        ngx_str_set(&shown, "...");
    }

    return shown;
}


/*
 * dvr_s3 URL key=KEY secret=SECRET|secret_file=PATH [region=REGION]
 *        [part=SIZE] [delete=on|off] [class=CLASS] | off;
 */

static char *
ngx_media_upload_set_s3(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_upload_conf_t *ucf = conf;

    char                   *err;
    ngx_int_t               rc;
    ngx_str_t              *value, shown;
    ngx_uint_t              i;
    ngx_media_upload_s3_t  *s3;

    if (ucf->s3 != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        ucf->s3 = NULL;
        return ngx_media_conf_note(cf, cmd);
    }

    s3 = ngx_pcalloc(cf->pool, sizeof(ngx_media_upload_s3_t));

    if (s3 == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        rc = ngx_media_upload_argument(cf, &value[i], s3);

        if (rc == NGX_DECLINED) {
            return NGX_CONF_ERROR;
        }

        if (rc != NGX_OK) {
            shown = ngx_media_upload_shown(&value[i]);

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V\" in \"%V\", it takes key=, "
                               "secret= or secret_file=, region=, part= (5m "
                               "to 1g), delete=on|off and class=", &shown,
                               &cmd->name);
            return NGX_CONF_ERROR;
        }
    }

    if (s3->key.len == 0 || s3->secret.len == 0) {
        return "needs key= and secret= or secret_file=";
    }

    if (s3->region.len == 0) {
        ngx_str_set(&s3->region, "us-east-1");
    }

    if (s3->part == 0) {
        s3->part = 16 * 1024 * 1024;
    }

    err = ngx_media_upload_url(cf, &value[1], s3);

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URL in \"%V\": %s", &cmd->name, err);
        return NGX_CONF_ERROR;
    }

    ucf->s3 = s3;

    return ngx_media_conf_note(cf, cmd);
}


static ngx_int_t
ngx_media_upload_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    return ngx_media_upload_init_worker(cycle);
}
