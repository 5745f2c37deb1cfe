
/*
 * Copyright (C) the nginx media suite authors
 *
 * Access by what a client is and says: its address (allow, deny), the page
 * that it comes from (referers), a secret (publish_secret), and the name that
 * an encoder's key stands for (publish_name).
 *
 * allow and deny give the result of SRS's security: a deny that matches wins,
 * wherever it stands; then, where there is any allow at all, one of those for
 * the same action has to match; where there are only denies the others pass.
 */


#include "ngx_media_access.h"
#include "ngx_media_sign.h"


static ngx_uint_t ngx_media_access_rule_match(ngx_media_access_rule_t *rule,
    struct sockaddr *sa);
static ngx_uint_t ngx_media_access_referer_ok(ngx_str_t *page,
    ngx_array_t *domains);
static ngx_str_t ngx_media_access_host(ngx_str_t *page);
static ngx_uint_t ngx_media_access_secret_in(ngx_media_access_t *a,
    ngx_str_t *secret);
static ngx_int_t ngx_media_access_rename(ngx_media_access_t *a,
    ngx_media_access_name_t *name);
static void ngx_media_access_hide(ngx_media_access_t *a, ngx_uint_t which,
    ngx_media_access_name_t *name);


/* --- allow, deny -------------------------------------------------------- */

ngx_int_t
ngx_media_access_rules(ngx_media_access_t *a)
{
    ngx_uint_t                i, acts, allows;
    struct sockaddr          *sa;
    ngx_media_access_rule_t  *rule, *allowed;

    if (a->conf->rules == NULL) {
        return NGX_OK;
    }

    sa = a->ask->connection->sockaddr;
    acts = ngx_media_access_bit(a->act);
    rule = a->conf->rules->elts;
    allowed = NULL;
    allows = 0;

    for (i = 0; i < a->conf->rules->nelts; i++) {

        allows += !rule[i].deny;

        if (!(rule[i].acts & acts)
            || !ngx_media_access_rule_match(&rule[i], sa))
        {
            continue;
        }

        if (rule[i].deny) {
            ngx_log_error(NGX_LOG_WARN, a->ask->connection->log, 0,
                          "media access: %s is denied by the rule in %s:%ui",
                          ngx_media_access_act(a->act), rule[i].file,
                          rule[i].line);
            return NGX_DECLINED;
        }

        allowed = &rule[i];
    }

    if (allowed || allows == 0) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, a->ask->connection->log, 0,
                  "media access: %s is allowed by none of the rules",
                  ngx_media_access_act(a->act));

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_media_access_rule_match(ngx_media_access_rule_t *rule,
    struct sockaddr *sa)
{
    return rule->cidr.nelts == 0
           || ngx_cidr_match(sa, &rule->cidr) == NGX_OK;
}


/* --- referers ----------------------------------------------------------- */

ngx_int_t
ngx_media_access_referers(ngx_media_access_t *a)
{
    ngx_uint_t     i;
    ngx_array_t   *lists[2];

    lists[0] = a->conf->referers[NGX_MEDIA_ACCESS_REF_ALL];
    lists[1] = a->conf->referers[(a->act == NGX_MEDIA_ACT_PUBLISH)
                                 ? NGX_MEDIA_ACCESS_REF_PUBLISH
                                 : NGX_MEDIA_ACCESS_REF_PLAY];

    for (i = 0; i < 2; i++) {

        if (lists[i]
            && !ngx_media_access_referer_ok(
                                    &a->ask->text[NGX_MEDIA_TEXT_PAGEURL],
                                    lists[i]))
        {
            ngx_log_error(NGX_LOG_WARN, a->ask->connection->log, 0,
                          "media access: %s from a page that is not among "
                          "the referers", ngx_media_access_act(a->act));
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* the domain itself, or one below it */

static ngx_uint_t
ngx_media_access_referer_ok(ngx_str_t *page, ngx_array_t *domains)
{
    ngx_str_t    host, *domain;
    ngx_uint_t   i;

    host = ngx_media_access_host(page);
    domain = domains->elts;

    for (i = 0; i < domains->nelts; i++) {

        if (host.len < domain[i].len
            || ngx_strncasecmp(host.data + host.len - domain[i].len,
                               domain[i].data, domain[i].len)
               != 0)
        {
            continue;
        }

        if (host.len == domain[i].len
            || host.data[host.len - domain[i].len - 1] == '.')
        {
            return 1;
        }
    }

    return 0;
}


/* [scheme://][user@]HOST[:port][/path], "" where there is none */

static ngx_str_t
ngx_media_access_host(ngx_str_t *page)
{
    u_char     *p, *last;
    ngx_str_t   host;

    host = *page;

    if (host.len == 0) {
        return host;
    }

    last = host.data + host.len;

    p = ngx_strlcasestrn(host.data, last, (u_char *) "://", 3 - 1);

    if (p) {
        host.data = p + 3;
    }

    for (p = host.data; p < last; p++) {

        if (*p == '/' || *p == '?' || *p == '#' || *p == '\\') {
            break;
        }

        if (*p == '@') {
            host.data = p + 1;
        }
    }

    last = p;

    if (host.data < last && *host.data == '[') {
        p = ngx_strlchr(host.data, last, ']');
        last = p ? p + 1 : last;

    } else {
        p = ngx_strlchr(host.data, last, ':');
        last = p ? p : last;
    }

    while (last > host.data && last[-1] == '.') {
        last--;
    }

    host.len = (size_t) (last - host.data);

    return host;
}


/* --- publish_secret ----------------------------------------------------- */

ngx_int_t
ngx_media_access_secret(ngx_media_access_t *a)
{
    ngx_str_t   *secret;
    ngx_uint_t   i, found;

    if (a->act != NGX_MEDIA_ACT_PUBLISH || a->conf->secret == NULL) {
        return NGX_OK;
    }

    secret = a->conf->secret->list->elts;
    found = 0;

    /* all of them: which one it was does not show either */

    for (i = 0; i < a->conf->secret->list->nelts; i++) {
        found |= ngx_media_access_secret_in(a, &secret[i]);
    }

    if (found) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, a->ask->connection->log, 0,
                  "media access: publish without the publish_secret");

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_media_access_secret_in(ngx_media_access_t *a, ngx_str_t *secret)
{
    ngx_str_t   *args, value;
    ngx_uint_t   found;

    static ngx_str_t  arg = ngx_string("secret");

    found = 0;
    args = &a->ask->text[NGX_MEDIA_TEXT_ARGS];

    if (a->conf->secret->name) {
        found |= (ngx_uint_t) ngx_media_contains(a->name.data, a->name.len,
                                                 secret->data, secret->len);
    }

    if (a->conf->secret->args) {
        found |= (ngx_uint_t) ngx_media_contains(args->data, args->len,
                                                 secret->data, secret->len);

        if (ngx_media_access_arg(a, &arg, &value) == NGX_OK) {
            found |= (ngx_uint_t) ngx_media_equal(value.data, value.len,
                                                  secret->data, secret->len);
        }
    }

    return found;
}


/* --- publish_name ------------------------------------------------------- */

ngx_int_t
ngx_media_access_name(ngx_media_access_t *a)
{
    ngx_uint_t                i;
    ngx_media_access_name_t  *name, *key, *alias;

    if (a->conf->names == NULL) {
        return NGX_OK;
    }

    name = a->conf->names->elts;
    key = NULL;
    alias = NULL;

    for (i = 0; i < a->conf->names->nelts; i++) {

        if (ngx_media_equal(a->name.data, a->name.len, name[i].key.data,
                            name[i].key.len))
        {
            key = &name[i];
        }

        if (a->name.len == name[i].name.len
            && ngx_memcmp(a->name.data, name[i].name.data, a->name.len) == 0)
        {
            alias = &name[i];
        }
    }

    if (a->act == NGX_MEDIA_ACT_PUBLISH) {

        if (key) {
            return ngx_media_access_rename(a, key);
        }

        if (alias) {
            ngx_log_error(NGX_LOG_WARN, a->ask->connection->log, 0,
                          "media access: publish under a name that has a key "
                          "(publish_name)");
            return NGX_DECLINED;
        }

        return NGX_OK;
    }

    if (key) {

        /* as any other name that nobody publishes */

        ngx_media_access_hide(a, NGX_MEDIA_TEXT_STREAM, NULL);
        a->ask->reason = NGX_MEDIA_REASON_NOT_FOUND;

        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* from here on nobody sees the key: neither hooks nor the API nor a log */

static ngx_int_t
ngx_media_access_rename(ngx_media_access_t *a, ngx_media_access_name_t *name)
{
    a->ask->stream = name->name;

    ngx_media_access_hide(a, NGX_MEDIA_TEXT_STREAM, name);
    ngx_media_access_hide(a, NGX_MEDIA_TEXT_NAME, name);
    ngx_media_access_hide(a, NGX_MEDIA_TEXT_TCURL, name);
    ngx_media_access_hide(a, NGX_MEDIA_TEXT_PAGEURL, name);
    ngx_media_access_hide(a, NGX_MEDIA_TEXT_SWFURL, name);

    return NGX_OK;
}


/*
 * A text that is the key becomes the name, or "" where name is NULL; one that
 * has it somewhere ends before it.
 */

static void
ngx_media_access_hide(ngx_media_access_t *a, ngx_uint_t which,
    ngx_media_access_name_t *name)
{
    u_char     *p, *last;
    ngx_str_t  *text, *key;

    text = &a->ask->text[which];
    key = &a->name;

    if (text->len == key->len
        && ngx_memcmp(text->data, key->data, key->len) == 0)
    {
        if (name) {
            *text = name->name;

        } else {
            text->len = 0;
        }

    } else {
        last = text->data + text->len;

        for (p = text->data; (size_t) (last - p) >= key->len; p++) {
            if (ngx_memcmp(p, key->data, key->len) == 0) {
                break;
            }
        }

        if ((size_t) (last - p) < key->len) {
            return;
        }

        text->len = (size_t) (p - text->data);
    }

    if (a->ask->session) {
        ngx_media_session_set_text(a->ask->session, which, text->data,
                                   text->len);
    }
}
