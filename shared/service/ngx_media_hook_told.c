
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: on_unpublish, on_stop and on_close: what the core tells of clients, also
 * of those whose worker died.
 */


#include "ngx_media_hook.h"


/* by ngx_media_act_e */

static const ngx_uint_t  ngx_media_hook_ends[] = {
    NGX_MEDIA_HOOK_CLOSE,
    NGX_MEDIA_HOOK_UNPUBLISH,
    NGX_MEDIA_HOOK_STOP
};


void
ngx_media_hook_told(const ngx_media_told_t *told)
{
    ngx_uint_t               event;
    ngx_media_hook_conf_t   *conf;
    ngx_media_hook_event_t   e;

    event = ngx_media_hook_ends[told->act];
    conf = ngx_media_hook_conf_of(told->conf);

    if (!told->over || conf->urls[event] == NULL) {
        return;
    }

    ngx_memzero(&e, sizeof(ngx_media_hook_event_t));

    e.event = event;
    e.type = told->type;
    e.sent = told->sent;
    e.received = told->received;
    e.duration = told->duration;
    ngx_memcpy(e.text, told->text, sizeof(e.text));

    ngx_media_hook_tell(conf, &e, told->log);
}
