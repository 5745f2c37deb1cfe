
/*
 * Copyright (C) the nginx media suite authors
 *
 * Services: what is made of sources beside playing them.  The core tells them
 * when a publish begins and ends in this worker, and workers where somebody
 * waits for what they make are told when there is more of it: the worker's
 * bit in source->watchers, apart from that of players, so that it is woken
 * for each part and not for each frame.
 *
 * Called by the publishers, the slots and the modules of services, which add
 * themselves when a worker begins.
 */


#include "ngx_media_core.h"


static const ngx_media_service_t  *ngx_media_services[NGX_MEDIA_SERVICES];
static ngx_uint_t                  ngx_media_nservices;


ngx_int_t
ngx_media_service_add(const ngx_media_service_t *service)
{
    if (ngx_media_nservices == NGX_MEDIA_SERVICES) {
        return NGX_ERROR;
    }

    ngx_media_services[ngx_media_nservices++] = service;

    return NGX_OK;
}


void
ngx_media_service_watch(ngx_media_source_t *src)
{
    uint32_t  n;

    n = ngx_media_slot();

    if (n != NGX_MEDIA_NO_SLOT) {
        (void) __atomic_fetch_or(&src->watchers[n / 64],
                                 (uint64_t) 1 << (n % 64), __ATOMIC_SEQ_CST);
    }

    src->used_msec = ngx_media_msec();
}


void
ngx_media_service_unwatch(ngx_media_source_t *src)
{
    uint32_t  n;

    src->used_msec = ngx_media_msec();

    n = ngx_media_slot();

    if (n != NGX_MEDIA_NO_SLOT) {
        (void) __atomic_fetch_and(&src->watchers[n / 64],
                                  ~((uint64_t) 1 << (n % 64)),
                                  __ATOMIC_SEQ_CST);
    }
}


ngx_int_t
ngx_media_service_ask(ngx_media_source_t *src)
{
    uint32_t             slot;
    ngx_media_command_t  cmd;

    slot = src->pub_slot;

    ngx_memzero(&cmd, sizeof(ngx_media_command_t));

    cmd.type = NGX_MEDIA_CMD_DEMAND;
    cmd.a = ngx_media_source_index(src);
    cmd.b = src->generation;

    if (slot == ngx_media_owner()) {
        ngx_media_publishers_demand(cmd.a, cmd.b);
        return NGX_OK;
    }

    return ngx_media_slot_command(slot, &cmd);
}


void
ngx_media_services_publish(ngx_media_source_t *src)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->publish) {
            ngx_media_services[i]->publish(src);
        }
    }
}


void
ngx_media_services_unpublish(ngx_media_source_t *src)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->unpublish) {
            ngx_media_services[i]->unpublish(src);
        }
    }
}


void
ngx_media_services_demand(ngx_media_source_t *src)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->demand) {
            ngx_media_services[i]->demand(src);
        }
    }
}


void
ngx_media_services_tick(ngx_media_source_t *src)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->tick) {
            ngx_media_services[i]->tick(src);
        }
    }
}


void
ngx_media_services_shrink(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->shrink) {
            ngx_media_services[i]->shrink();
        }
    }
}


void
ngx_media_services_changed(uint32_t index)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->changed) {
            ngx_media_services[i]->changed(index);
        }
    }
}


void
ngx_media_services_second(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->second) {
            ngx_media_services[i]->second();
        }
    }
}


void
ngx_media_services_exit(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->exit) {
            ngx_media_services[i]->exit();
        }
    }

    ngx_media_nservices = 0;
}


void
ngx_media_services_segment(const ngx_media_segment_event_t *event)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->segment) {
            ngx_media_services[i]->segment(event);
        }
    }
}


void
ngx_media_services_told(const ngx_media_told_t *told)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->told) {
            ngx_media_services[i]->told(told);
        }
    }
}


ngx_int_t
ngx_media_services_wanted(const ngx_media_wanted_t *wanted)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->wanted
            && ngx_media_services[i]->wanted(wanted) == NGX_OK)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


void
ngx_media_services_relay(uint32_t entry, uint32_t what)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_media_nservices; i++) {
        if (ngx_media_services[i]->relay) {
            ngx_media_services[i]->relay(entry, what);
        }
    }
}
