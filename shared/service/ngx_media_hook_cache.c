
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: hook_cache: verdicts that hold for a while, so that a back end is not
 * asked the same again by the same client.
 *
 * The same is what the back end would see as the same: the key is a hash
 * (SHA-256) of the URL and of everything that is said there, but for the id
 * that each session gets anew: event, address, vhost, app, stream, arguments,
 * tcUrl and pageUrl.  Whoever lacks the token of another one has another key.
 * Refusals are kept too; that there was no verdict is not.
 *
 * At most NGX_MEDIA_HOOK_VERDICTS of them in a worker; the oldest goes.
 */


#include "ngx_media_hook.h"
#include "ngx_media_bytes.h"

#include <openssl/evp.h>


#define NGX_MEDIA_HOOK_VERDICTS   4096
#define NGX_MEDIA_HOOK_TEXTS    512       /* longer answers are not kept */


typedef struct {
    ngx_rbtree_node_t          node;      /* key: the hash's first word */
    ngx_queue_t                queue;     /* by age */
    ngx_msec_t                 until;
    u_char                     key[NGX_MEDIA_HOOK_KEY_LEN];
    ngx_media_hook_verdict_t   verdict;   /* texts lie behind it */
} ngx_media_hook_cached_t;


static ngx_media_hook_cached_t *ngx_media_hook_cache_find(const u_char *key);
static void ngx_media_hook_cache_drop(ngx_media_hook_cached_t *c);
static ngx_int_t ngx_media_hook_cache_copy(ngx_pool_t *pool, ngx_str_t *dst);


static ngx_rbtree_t       ngx_media_hook_tree;
static ngx_rbtree_node_t  ngx_media_hook_sentinel;
static ngx_queue_t        ngx_media_hook_ages;
static ngx_uint_t         ngx_media_hook_ncached;


/* words of the key; those that are equal lie side by side */

static ngx_rbtree_key_t
ngx_media_hook_cache_word(const u_char *key)
{
    ngx_rbtree_key_t  word;

    ngx_memcpy(&word, key, sizeof(ngx_rbtree_key_t));

    return word;
}


ngx_int_t
ngx_media_hook_cache_key(ngx_pool_t *pool, ngx_media_hook_conf_t *conf,
    ngx_media_hook_message_t *m, const ngx_media_hook_event_t *e, u_char *key)
{
    ngx_int_t                rc;
    unsigned                 n;
    ngx_str_t                body;
    EVP_MD_CTX              *md;
    const ngx_str_t         *url, *vhost, *name;
    ngx_media_hook_event_t   question;

    question = *e;
    question.key = 1;

    if (ngx_media_hook_body(pool, conf, &question, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    url = &m->url->url->url;
    vhost = &e->text[NGX_MEDIA_TEXT_VHOST];
    name = &ngx_media_hook_names[e->event];

    /* lengths go in, so that nothing can be taken for something else */

    rc = EVP_DigestInit_ex(md, EVP_sha256(), NULL)
         && EVP_DigestUpdate(md, &url->len, sizeof(size_t))
         && EVP_DigestUpdate(md, url->data, url->len)
         && EVP_DigestUpdate(md, name->data, name->len)
         && EVP_DigestUpdate(md, &vhost->len, sizeof(size_t))
         && EVP_DigestUpdate(md, vhost->data, vhost->len)
         && EVP_DigestUpdate(md, body.data, body.len)
         && EVP_DigestFinal_ex(md, key, &n);

    EVP_MD_CTX_free(md);

    return rc ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_media_hook_cache_get(ngx_pool_t *pool, const u_char *key,
    ngx_media_hook_verdict_t *v)
{
    ngx_media_hook_cached_t  *c;

    c = ngx_media_hook_cache_find(key);

    if (c == NULL) {
        return NGX_DECLINED;
    }

    if ((ngx_msec_int_t) (c->until - ngx_current_msec) <= 0) {
        ngx_media_hook_cache_drop(c);
        return NGX_DECLINED;
    }

    *v = c->verdict;

    if (ngx_media_hook_cache_copy(pool, &v->stream) != NGX_OK
        || ngx_media_hook_cache_copy(pool, &v->redirect) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_hook_cache_copy(ngx_pool_t *pool, ngx_str_t *dst)
{
    if (dst->len == 0) {
        return NGX_OK;
    }

    dst->data = ngx_pstrdup(pool, dst);

    return dst->data ? NGX_OK : NGX_ERROR;
}


void
ngx_media_hook_cache_put(const u_char *key, ngx_msec_t valid,
    const ngx_media_hook_verdict_t *v)
{
    u_char                   *p;
    size_t                    len;
    ngx_queue_t              *q;
    ngx_media_hook_cached_t  *c;

    len = v->stream.len + v->redirect.len;

    if (len > NGX_MEDIA_HOOK_TEXTS) {
        return;
    }

    if (ngx_media_hook_tree.root == NULL) {
        ngx_rbtree_init(&ngx_media_hook_tree, &ngx_media_hook_sentinel,
                        ngx_rbtree_insert_value);
        ngx_queue_init(&ngx_media_hook_ages);
    }

    c = ngx_media_hook_cache_find(key);

    if (c) {
        ngx_media_hook_cache_drop(c);
    }

    if (ngx_media_hook_ncached >= NGX_MEDIA_HOOK_VERDICTS) {
        q = ngx_queue_head(&ngx_media_hook_ages);
        c = ngx_queue_data(q, ngx_media_hook_cached_t, queue);
        ngx_media_hook_cache_drop(c);
    }

    c = ngx_alloc(sizeof(ngx_media_hook_cached_t) + len, ngx_cycle->log);
    if (c == NULL) {
        return;
    }

    p = (u_char *) c + sizeof(ngx_media_hook_cached_t);

    c->until = ngx_current_msec + valid;
    c->verdict = *v;

    c->verdict.stream.data = p;
    p = ngx_media_put(p, v->stream.data, v->stream.len);

    c->verdict.redirect.data = p;
    (void) ngx_media_put(p, v->redirect.data, v->redirect.len);

    ngx_memcpy(c->key, key, NGX_MEDIA_HOOK_KEY_LEN);
    c->node.key = ngx_media_hook_cache_word(key);

    ngx_rbtree_insert(&ngx_media_hook_tree, &c->node);
    ngx_queue_insert_tail(&ngx_media_hook_ages, &c->queue);
    ngx_media_hook_ncached++;
}


/* a hash of SHA-256: two that agree in one word are none that occur */

static ngx_media_hook_cached_t *
ngx_media_hook_cache_find(const u_char *key)
{
    ngx_rbtree_key_t          word;
    ngx_rbtree_node_t        *node;
    ngx_media_hook_cached_t  *c;

    node = ngx_media_hook_tree.root;
    word = ngx_media_hook_cache_word(key);

    while (node && node != &ngx_media_hook_sentinel) {

        if (word == node->key) {
            c = ngx_rbtree_data(node, ngx_media_hook_cached_t, node);

            if (ngx_memcmp(c->key, key, NGX_MEDIA_HOOK_KEY_LEN) == 0) {
                return c;
            }
        }

        node = (word < node->key) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_media_hook_cache_drop(ngx_media_hook_cached_t *c)
{
    ngx_rbtree_delete(&ngx_media_hook_tree, &c->node);
    ngx_queue_remove(&c->queue);
    ngx_media_hook_ncached--;

    ngx_free(c);
}


void
ngx_media_hook_cache_exit(void)
{
    ngx_queue_t              *q;
    ngx_media_hook_cached_t  *c;

    while (ngx_media_hook_ncached) {
        q = ngx_queue_head(&ngx_media_hook_ages);
        c = ngx_queue_data(q, ngx_media_hook_cached_t, queue);
        ngx_media_hook_cache_drop(c);
    }
}
