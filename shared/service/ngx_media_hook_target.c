
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: back ends of hooks as one worker sees them: whoever sends something to a
 * URL says here what became of it, so that there is one line in the log when
 * it does not answer any more, and one when it does again.  Of a back end that
 * answers now and then only the first such pair in a while is a warning.
 */


#include "ngx_media_hook.h"


static ngx_queue_t  ngx_media_hook_list;


ngx_queue_t *
ngx_media_hook_targets(void)
{
    if (ngx_media_hook_list.next == NULL) {
        ngx_queue_init(&ngx_media_hook_list);
    }

    return &ngx_media_hook_list;
}


/* the same URL may stand in many places */

ngx_media_hook_target_t *
ngx_media_hook_target(ngx_media_hook_url_t *url)
{
    ngx_str_t                *name;
    ngx_queue_t              *q, *list;
    ngx_media_hook_target_t  *t;

    if (url->target) {
        return url->target;
    }

    list = ngx_media_hook_targets();

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        t = ngx_queue_data(q, ngx_media_hook_target_t, queue);
        name = &t->url->url;

        if (name->len == url->url->url.len
            && ngx_strncmp(name->data, url->url->url.data, name->len) == 0)
        {
            url->target = t;
            return t;
        }
    }

    t = ngx_calloc(sizeof(ngx_media_hook_target_t), ngx_cycle->log);
    if (t == NULL) {
        return NULL;
    }

    t->url = url->url;
    t->dummy.fd = (ngx_socket_t) -1;
    t->dummy.data = t;

    ngx_queue_init(&t->entries);
    ngx_queue_insert_tail(list, &t->queue);

    url->target = t;

    return t;
}


void
ngx_media_hook_failed(ngx_media_hook_target_t *t, ngx_media_web_answer_t *a)
{
    ngx_uint_t  level;

    ngx_media_hook_count(NGX_MEDIA_HOOK_FAILED);

    if (t->down) {
        return;
    }

    t->down = 1;
    t->since = ngx_time();
    t->quiet = (t->said && t->since - t->said < NGX_MEDIA_HOOK_WARN);

    level = t->quiet ? NGX_LOG_INFO : NGX_LOG_WARN;

    if (!t->quiet) {
        t->said = t->since;
    }

    if (a && a->status) {
        ngx_log_error(level, ngx_cycle->log, 0,
                      "hook %V answers with status %ui, it is taken for one "
                      "that does not work", &t->url->shown, a->status);
        return;
    }

    ngx_log_error(level, ngx_cycle->log, 0,
                  "hook %V does not answer: %s", &t->url->shown,
                  (a && a->error) ? a->error : "it could not be asked");
}


void
ngx_media_hook_answered(ngx_media_hook_target_t *t)
{
    ngx_uint_t  level;

    if (!t->down) {
        return;
    }

    t->down = 0;
    t->backoff = 0;

    level = t->quiet ? NGX_LOG_INFO : NGX_LOG_NOTICE;

    ngx_log_error(level, ngx_cycle->log, 0,
                  "hook %V answers again after %T s, %ui messages wait, %ui "
                  "were dropped", &t->url->shown, ngx_time() - t->since,
                  t->nentries, t->dropped);

    t->dropped = 0;
}
