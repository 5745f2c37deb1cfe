
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: on_forward: a back end says where a publish is sent to.  Its URLs are
 * asked one after the other, and all targets together are the answer.
 */


#include "ngx_media_hook.h"


#define NGX_MEDIA_HOOK_FORWARDS   64      /* targets in all */


struct ngx_media_hook_forward_s {
    ngx_pool_t                 *pool;
    ngx_media_hook_conf_t      *conf;
    ngx_media_hook_event_t      event;
    ngx_media_hook_message_t    message;
    ngx_media_hook_target_t    *target;
    ngx_uint_t                  n;        /* the URL that is asked */
    ngx_uint_t                  tries;
    ngx_media_web_t            *web;
    ngx_event_t                 timer;
    ngx_connection_t            dummy;
    ngx_int_t                   rc;       /* for done() */
    ngx_str_t                   urls[NGX_MEDIA_HOOK_FORWARDS];
    ngx_uint_t                  nurls;
    ngx_media_hook_forward_pt   done;
    void                       *data;
    ngx_media_client_t          client;
};


static void ngx_media_hook_forward_ask(ngx_media_hook_forward_t *f);
static void ngx_media_hook_forward_answer(void *data,
    ngx_media_web_answer_t *a);
static ngx_int_t ngx_media_hook_forward_read(ngx_media_hook_forward_t *f,
    ngx_media_web_answer_t *a);
static void ngx_media_hook_forward_retry(ngx_media_hook_forward_t *f);
static void ngx_media_hook_forward_end(ngx_media_hook_forward_t *f,
    ngx_int_t rc);
static void ngx_media_hook_forward_timer(ngx_event_t *ev);


ngx_media_hook_forward_t *
ngx_media_hook_forward(ngx_media_client_t *publisher,
    ngx_media_hook_forward_pt done, void *data)
{
    ngx_str_t                  vhost, app;
    ngx_pool_t                *pool;
    ngx_media_hook_conf_t     *conf;
    ngx_media_hook_forward_t  *f;

    vhost = ngx_media_client_text(publisher, NGX_MEDIA_TEXT_VHOST);
    app = ngx_media_client_text(publisher, NGX_MEDIA_TEXT_APP);
    conf = ngx_media_hook_conf_of(ngx_media_policy(&vhost, &app));

    if (conf->urls[NGX_MEDIA_HOOK_FORWARD] == NULL) {
        return NULL;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    f = ngx_pcalloc(pool, sizeof(ngx_media_hook_forward_t));
    if (f == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    f->pool = pool;
    f->conf = conf;
    f->done = done;
    f->data = data;
    f->rc = NGX_AGAIN;
    f->client = *publisher;

    f->event.event = NGX_MEDIA_HOOK_FORWARD;
    ngx_media_hook_event_client(&f->event, &f->client);

    f->dummy.fd = (ngx_socket_t) -1;
    f->dummy.data = f;
    f->timer.data = &f->dummy;
    f->timer.log = ngx_cycle->log;
    f->timer.handler = ngx_media_hook_forward_timer;

    ngx_media_hook_forward_ask(f);

    return f;
}


void
ngx_media_hook_forward_cancel(ngx_media_hook_forward_t *f)
{
    if (f->web) {
        ngx_media_web_cancel(f->web);
    }

    if (f->timer.timer_set) {
        ngx_del_timer(&f->timer);
    }

    ngx_destroy_pool(f->pool);
}


/* the current URL; what can not be sent is found out from the timer */

static void
ngx_media_hook_forward_ask(ngx_media_hook_forward_t *f)
{
    ngx_array_t           *urls;
    ngx_media_hook_url_t  *url;

    urls = f->conf->urls[NGX_MEDIA_HOOK_FORWARD];
    url = (ngx_media_hook_url_t *) urls->elts + f->n;

    f->target = ngx_media_hook_target(url);

    if (f->target
        && ngx_media_hook_message(f->pool, f->conf, url, &f->event,
                                  &f->message)
           == NGX_OK)
    {
        f->web = ngx_media_hook_send(&f->message, ngx_cycle->log,
                                     ngx_media_hook_forward_answer, f);
    }

    if (f->web == NULL) {
        f->rc = NGX_ERROR;
        ngx_add_timer(&f->timer, 1);
    }
}


static void
ngx_media_hook_forward_answer(void *data, ngx_media_web_answer_t *a)
{
    ngx_media_hook_forward_t *f = data;

    ngx_int_t     rc;
    ngx_array_t  *urls;

    f->web = NULL;

    if (ngx_media_hook_none(a)) {
        ngx_media_hook_failed(f->target, a);
        ngx_media_hook_forward_retry(f);
        return;
    }

    ngx_media_hook_answered(f->target);

    rc = ngx_media_hook_forward_read(f, a);
    urls = f->conf->urls[NGX_MEDIA_HOOK_FORWARD];

    if (rc != NGX_OK || ++f->n == urls->nelts) {
        ngx_media_hook_forward_end(f, rc);
        return;
    }

    f->tries = 0;
    ngx_media_hook_forward_ask(f);
}


static ngx_int_t
ngx_media_hook_forward_read(ngx_media_hook_forward_t *f,
    ngx_media_web_answer_t *a)
{
    u_char                   *buf;
    ngx_uint_t                i;
    ngx_media_hook_answer_t   answer;

    if ((a->status != 200 && a->status != 201) || a->cut) {
        return NGX_DECLINED;
    }

    buf = ngx_pnalloc(f->pool, a->body.len + 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_media_hook_answer(&answer, a->body.data,
                              a->body.data + a->body.len, buf)
        != NGX_MEDIA_OK)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < answer.nurls; i++) {

        if (f->nurls < NGX_MEDIA_HOOK_FORWARDS) {
            f->urls[f->nurls].data = answer.urls[i].data;
            f->urls[f->nurls++].len = answer.urls[i].len;
        }
    }

    return NGX_OK;
}


static void
ngx_media_hook_forward_retry(ngx_media_hook_forward_t *f)
{
    if (f->tries < f->conf->retry) {
        ngx_add_timer(&f->timer, ngx_media_hook_again(f->tries));
        f->tries++;
        return;
    }

    ngx_media_hook_forward_end(f, NGX_ERROR);
}


static void
ngx_media_hook_forward_timer(ngx_event_t *ev)
{
    ngx_connection_t          *c;
    ngx_media_hook_forward_t  *f;

    c = ev->data;
    f = c->data;

    if (f->rc == NGX_ERROR) {
        ngx_media_hook_forward_end(f, NGX_ERROR);
        return;
    }

    ngx_media_hook_forward_ask(f);
}


static void
ngx_media_hook_forward_end(ngx_media_hook_forward_t *f, ngx_int_t rc)
{
    f->done(f->data, rc, f->urls, (rc == NGX_OK) ? f->nurls : 0);

    ngx_destroy_pool(f->pool);
}
