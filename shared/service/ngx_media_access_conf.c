
/*
 * Copyright (C) the nginx media suite authors
 *
 * Policy of access without a back end: allow, deny, referers, publish_secret,
 * publish_name, media_sign, media_jwt, max_players, max_publish_rate and
 * max_sessions_per_address in media{}, vhost{} and application{}.
 *
 * A directive replaces what the block around says of the same directive (allow
 * and deny are one list, each action of referers is a list of its own); "off",
 * or 0, ends what would be inherited.
 */


#include "ngx_media_access.h"


static char *ngx_media_access_set_rule(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_access_set_referers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_access_set_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_access_set_name(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_media_access_check_name(ngx_conf_t *cf, ngx_str_t *value);
static char *ngx_media_access_set_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_media_access_create_conf(ngx_conf_t *cf);
static ngx_uint_t ngx_media_access_asks_players(
    ngx_media_access_conf_t *conf);
static char *ngx_media_access_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_media_conf_range_t  ngx_media_access_range = {
    0, 10000000, "up to 10000000, 0 being any number"
};


static ngx_command_t  ngx_media_access_commands[] = {

    { ngx_string("allow"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE2,
      ngx_media_access_set_rule,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("deny"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE2,
      ngx_media_access_set_rule,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("referers"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_2MORE,
      ngx_media_access_set_referers,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("publish_secret"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_access_set_secret,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("publish_name"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE12,
      ngx_media_access_set_name,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("media_sign"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_access_set_sign,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("media_jwt"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_1MORE,
      ngx_media_access_set_jwt,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("max_players"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_num,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_access_conf_t, max_players),
      &ngx_media_access_range },

    { ngx_string("max_sessions_per_address"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_conf_set_num,
      NGX_MEDIA_CONF_OFFSET,
      offsetof(ngx_media_access_conf_t, max_sessions),
      &ngx_media_access_range },

    { ngx_string("max_publish_rate"),
      NGX_MEDIA_POLICY_CONF|NGX_CONF_TAKE1,
      ngx_media_access_set_rate,
      NGX_MEDIA_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_media_module_t  ngx_media_access_policy_module_ctx = {
    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_media_access_create_conf,          /* create policy */
    ngx_media_access_merge_conf            /* merge policy */
};


ngx_module_t  ngx_media_access_policy_module = {
    NGX_MODULE_V1,
    &ngx_media_access_policy_module_ctx,   /* module context */
    ngx_media_access_commands,             /* module directives */
    NGX_MEDIA_MODULE,                      /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_media_access_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* publish, play, all: bits; 0: something else */

ngx_uint_t
ngx_media_access_acts(ngx_str_t *word)
{
    ngx_uint_t  i;

    static const struct {
        ngx_str_t   name;
        ngx_uint_t  acts;
    } words[] = {
        { ngx_string("publish"), NGX_MEDIA_ACCESS_PUBLISH },
        { ngx_string("play"), NGX_MEDIA_ACCESS_PLAY },
        { ngx_string("all"), NGX_MEDIA_ACCESS_ALL }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (word->len == words[i].name.len
            && ngx_strncmp(word->data, words[i].name.data, word->len) == 0)
        {
            return words[i].acts;
        }
    }

    return 0;
}


/*
 * Among options secrets stand bare: one that is misspelt shall not become a
 * secret that anybody guesses.  "=" at the end is padding of base64.
 */

ngx_int_t
ngx_media_access_check_secret(ngx_conf_t *cf, ngx_str_t *word)
{
    size_t  n;

    for (n = 0; n < word->len; n++) {
        if ((word->data[n] < 'a' || word->data[n] > 'z')
            && word->data[n] != '_')
        {
            break;
        }
    }

    if (n == 0 || n + 1 >= word->len || word->data[n] != '='
        || word->data[n + 1] == '=')
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "there is no option \"%*s=\", and a secret may not "
                       "look like one", n, word->data);

    return NGX_ERROR;
}


/* allow|deny publish|play|all all|ADDRESS|CIDR|unix: */

static char *
ngx_media_access_set_rule(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_access_conf_t *acf = conf;

    ngx_int_t                 rc;
    ngx_str_t                *value;
    ngx_cidr_t               *cidr;
    ngx_uint_t                acts;
    ngx_media_access_rule_t  *rule;

    value = cf->args->elts;
    acts = ngx_media_access_acts(&value[1]);

    if (acts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid action \"%V\", say \"%V publish\", "
                           "\"%V play\" or \"%V all\" and then \"all\", an "
                           "address or a network", &value[1], &value[0],
                           &value[0], &value[0]);
        return NGX_CONF_ERROR;
    }

    if (acf->rules == NGX_CONF_UNSET_PTR) {
        acf->rules = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_media_access_rule_t));
        if (acf->rules == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rule = ngx_array_push(acf->rules);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(rule, sizeof(ngx_media_access_rule_t));

    rule->acts = acts;
    rule->deny = (value[0].data[0] == 'd');
    rule->file = cf->conf_file->file.name.data;
    rule->line = cf->conf_file->line;

    if (value[2].len == 3 && ngx_strncmp(value[2].data, "all", 3) == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_array_init(&rule->cidr, cf->pool, 1, sizeof(ngx_cidr_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cidr = ngx_array_push(&rule->cidr);

    ngx_memzero(cidr, sizeof(ngx_cidr_t));

#if (NGX_HAVE_UNIX_DOMAIN)

    if (value[2].len == 5 && ngx_strncmp(value[2].data, "unix:", 5) == 0) {
        cidr->family = AF_UNIX;
        return NGX_CONF_OK;
    }

#endif

    rc = ngx_ptocidr(&value[2], cidr);

    if (rc == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid address \"%V\", say \"all\", an address "
                           "such as 192.0.2.1 or 2001:db8::1, or a network "
                           "such as 192.0.2.0/24", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (rc == NGX_DONE) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "low address bits of \"%V\" are meaningless",
                           &value[2]);
    }

    return NGX_CONF_OK;
}


/* referers publish|play|all DOMAIN...|off */

static char *
ngx_media_access_set_referers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_access_conf_t *acf = conf;

    ngx_str_t     *value, *domain;
    ngx_uint_t     i, acts;
    ngx_array_t  **list;

    value = cf->args->elts;
    acts = ngx_media_access_acts(&value[1]);

    if (acts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid action \"%V\", say \"referers publish\", "
                           "\"referers play\" or \"referers all\" and then "
                           "domains", &value[1]);
        return NGX_CONF_ERROR;
    }

    list = &acf->referers[acts - 1];

    if (cf->args->nelts == 3 && value[2].len == 3
        && ngx_strncmp(value[2].data, "off", 3) == 0)
    {
        if (*list != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        *list = NULL;
        return NGX_CONF_OK;
    }

    if (*list == NULL) {
        return "is duplicate";
    }

    if (*list == NGX_CONF_UNSET_PTR) {
        *list = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
        if (*list == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 2; i < cf->args->nelts; i++) {
        domain = ngx_array_push(*list);
        if (domain == NULL) {
            return NGX_CONF_ERROR;
        }

        *domain = value[i];

        while (domain->len && domain->data[0] == '.') {
            domain->data++;
            domain->len--;
        }

        if (domain->len == 0
            || ngx_strlchr(domain->data, domain->data + domain->len, '/')
            || ngx_strlchr(domain->data, domain->data + domain->len, '*'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid domain \"%V\", say it bare, such as "
                               "example.com: names below it belong to it",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* publish_secret SECRET... [in=args|name]; publish_secret off */

static char *
ngx_media_access_set_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_access_conf_t *acf = conf;

    ngx_str_t                  *value, *secret;
    ngx_uint_t                  i;
    ngx_media_access_secret_t  *s;

    if (acf->secret != NGX_CONF_UNSET_PTR) {
        return "is duplicate: one directive takes several secrets";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && value[1].len == 3
        && ngx_strncmp(value[1].data, "off", 3) == 0)
    {
        acf->secret = NULL;
        return NGX_CONF_OK;
    }

    s = ngx_pcalloc(cf->pool, sizeof(ngx_media_access_secret_t));
    if (s == NULL) {
        return NGX_CONF_ERROR;
    }

    s->args = 1;
    s->name = 1;

    s->list = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    if (s->list == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (value[i].len == 7 && ngx_strncmp(value[i].data, "in=args", 7) == 0)
        {
            s->name = 0;
            continue;
        }

        if (value[i].len == 7 && ngx_strncmp(value[i].data, "in=name", 7) == 0)
        {
            s->args = 0;
            continue;
        }

        if (ngx_media_access_check_secret(cf, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        secret = ngx_array_push(s->list);
        if (secret == NULL) {
            return NGX_CONF_ERROR;
        }

        *secret = value[i];

        if (secret->len == 0) {
            return "has an empty secret";
        }
    }

    if (s->list->nelts == 0 || !(s->args || s->name)) {
        return "needs a secret, and \"in=args\" or \"in=name\" once at most";
    }

    acf->secret = s;

    return NGX_CONF_OK;
}


/* publish_name KEY NAME; publish_name off */

static char *
ngx_media_access_set_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_access_conf_t *acf = conf;

    ngx_str_t                *value;
    ngx_uint_t                i;
    ngx_media_access_name_t  *name;

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (value[1].len != 3 || ngx_strncmp(value[1].data, "off", 3) != 0
            || acf->names != NGX_CONF_UNSET_PTR)
        {
            return "needs a key and a name, or \"off\" alone";
        }

        acf->names = NULL;

        return NGX_CONF_OK;
    }

    if (acf->names == NULL) {
        return "is \"off\" in this block";
    }

    if (ngx_media_access_check_name(cf, &value[1]) != NGX_CONF_OK
        || ngx_media_access_check_name(cf, &value[2]) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (acf->names == NGX_CONF_UNSET_PTR) {
        acf->names = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_media_access_name_t));
        if (acf->names == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    name = acf->names->elts;

    for (i = 0; i < acf->names->nelts; i++) {

        if (name[i].key.len == value[1].len
            && ngx_memcmp(name[i].key.data, value[1].data, value[1].len) == 0)
        {
            return "has a key that has a name already";
        }
    }

    name = ngx_array_push(acf->names);
    if (name == NULL) {
        return NGX_CONF_ERROR;
    }

    name->key = value[1];
    name->name = value[2];

    for (i = 0; i < acf->names->nelts; i++) {
        name = (ngx_media_access_name_t *) acf->names->elts + i;

        if ((name->key.len == value[2].len
             && ngx_memcmp(name->key.data, value[2].data, value[2].len) == 0)
            || (name->name.len == value[1].len
                && ngx_memcmp(name->name.data, value[1].data, value[1].len)
                   == 0))
        {
            return "has a key that is a name too: viewers would see it";
        }
    }

    return NGX_CONF_OK;
}


/* a key may be wrong, but it is not shown */

static char *
ngx_media_access_check_name(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_media_url_str_t      name;
    ngx_media_name_reason_e  reason;

    name.data = value->data;
    name.len = value->len;

    reason = ngx_media_name_check(&name, NGX_MEDIA_NAME_PUBLISH);

    if (reason == NGX_MEDIA_NAME_OK) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid key or name in \"publish_name\": %s",
                       ngx_media_name_text(reason));

    return NGX_CONF_ERROR;
}


static char *
ngx_media_access_set_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_access_conf_t *acf = conf;

    ssize_t     n;
    ngx_str_t  *value;

    if (acf->max_rate != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = ngx_parse_size(&value[1]);

    if (n == NGX_ERROR || (n > 0 && n < 8000)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\" in \"max_publish_rate\", say "
                           "bits per second, for example 8m, or 0 for any",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    acf->max_rate = (size_t) n;

    return ngx_media_conf_note(cf, cmd);
}


static void *
ngx_media_access_create_conf(ngx_conf_t *cf)
{
    ngx_media_access_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_media_access_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->rules = NGX_CONF_UNSET_PTR;
    conf->referers[NGX_MEDIA_ACCESS_REF_PUBLISH] = NGX_CONF_UNSET_PTR;
    conf->referers[NGX_MEDIA_ACCESS_REF_PLAY] = NGX_CONF_UNSET_PTR;
    conf->referers[NGX_MEDIA_ACCESS_REF_ALL] = NGX_CONF_UNSET_PTR;
    conf->secret = NGX_CONF_UNSET_PTR;
    conf->names = NGX_CONF_UNSET_PTR;
    conf->signs = NGX_CONF_UNSET_PTR;
    conf->jwts = NGX_CONF_UNSET_PTR;
    conf->max_players = NGX_CONF_UNSET_UINT;
    conf->max_sessions = NGX_CONF_UNSET_UINT;
    conf->max_rate = NGX_CONF_UNSET_SIZE;

    return conf;
}


/* do players need a signature or a token? */

static ngx_uint_t
ngx_media_access_asks_players(ngx_media_access_conf_t *conf)
{
    ngx_uint_t                i;
    ngx_media_access_jwt_t   *jwt;
    ngx_media_access_sign_t  *sign;

    if (conf->signs) {
        sign = conf->signs->elts;

        for (i = 0; i < conf->signs->nelts; i++) {
            if (sign[i].acts & NGX_MEDIA_ACCESS_PLAY) {
                return 1;
            }
        }
    }

    if (conf->jwts) {
        jwt = conf->jwts->elts;

        for (i = 0; i < conf->jwts->nelts; i++) {
            if (jwt[i].acts & NGX_MEDIA_ACCESS_PLAY) {
                return 1;
            }
        }
    }

    return 0;
}


static char *
ngx_media_access_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_media_access_conf_t *prev = parent;
    ngx_media_access_conf_t *conf = child;

    ngx_uint_t              i;
    ngx_media_core_conf_t  *ccf;

    ngx_conf_merge_ptr_value(conf->rules, prev->rules, NULL);

    for (i = 0; i < 3; i++) {
        ngx_conf_merge_ptr_value(conf->referers[i], prev->referers[i], NULL);
    }

    ngx_conf_merge_ptr_value(conf->secret, prev->secret, NULL);
    ngx_conf_merge_ptr_value(conf->names, prev->names, NULL);
    ngx_conf_merge_ptr_value(conf->signs, prev->signs, NULL);
    ngx_conf_merge_ptr_value(conf->jwts, prev->jwts, NULL);
    ngx_conf_merge_uint_value(conf->max_players, prev->max_players, 0);
    ngx_conf_merge_uint_value(conf->max_sessions, prev->max_sessions, 0);
    ngx_conf_merge_size_value(conf->max_rate, prev->max_rate, 0);

    if (conf->max_players || conf->max_sessions
        || ngx_media_access_asks_players(conf))
    {
        ccf = ngx_media_conf_get_module_conf(cf, ngx_media_policy_module);
        ccf->listens |= NGX_MEDIA_LISTENS_VIEWERS;
    }

    return NGX_CONF_OK;
}
