
/*
 * Copyright (C) the nginx media suite authors
 *
 * Switches of recording, the table in the arena: read without its lock by
 * whoever decides whether to record, written under it by the API.
 */


#include "ngx_media_record_switch.h"

#include <ngx_md5.h>


#define NGX_MEDIA_SWITCH_TRIES    1000


static void ngx_media_record_switch_key(u_char *key, const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream);
static ngx_media_switch_t *ngx_media_record_switch_place(
    ngx_media_switches_t *t, const u_char *key, ngx_media_switch_t **room);
static void ngx_media_record_switch_store(ngx_media_switch_t *sw,
    const u_char *key, const ngx_str_t *vhost, const ngx_str_t *app,
    const ngx_str_t *stream);


static const ngx_str_t  ngx_media_record_switch_names[] = {
    ngx_string("auto"),
    ngx_string("on"),
    ngx_string("off")
};


ngx_int_t
ngx_media_record_switch_parse(const u_char *p, size_t n)
{
    ngx_int_t  i;

    for (i = NGX_MEDIA_RECORD_AUTO; i <= NGX_MEDIA_RECORD_OFF; i++) {

        if (ngx_media_record_switch_names[i].len == n
            && ngx_strncmp(ngx_media_record_switch_names[i].data, p, n) == 0)
        {
            return i;
        }
    }

    return NGX_DECLINED;
}


const char *
ngx_media_record_switch_name(ngx_uint_t value)
{
    if (value > NGX_MEDIA_RECORD_OFF) {
        value = NGX_MEDIA_RECORD_AUTO;
    }

    return (const char *) ngx_media_record_switch_names[value].data;
}


static void
ngx_media_record_switch_key(u_char *key, const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream)
{
    ngx_md5_t  ctx;

    ngx_md5_init(&ctx);
    ngx_md5_update(&ctx, vhost->data, vhost->len);
    ngx_md5_update(&ctx, "/", 1);
    ngx_md5_update(&ctx, app->data, app->len);
    ngx_md5_update(&ctx, "/", 1);
    ngx_md5_update(&ctx, stream->data, stream->len);
    ngx_md5_final(key, &ctx);
}


ngx_uint_t
ngx_media_record_switch(const ngx_str_t *vhost, const ngx_str_t *app,
    const ngx_str_t *stream)
{
    u_char                 key[16];
    uint64_t               version;
    ngx_uint_t             n, value;
    ngx_media_switch_t    *sw;
    ngx_media_switches_t  *t;

    t = &ngx_media_arena()->switches;

    if (__atomic_load_n(&t->n, __ATOMIC_RELAXED) == 0) {
        return NGX_MEDIA_RECORD_AUTO;
    }

    ngx_media_record_switch_key(key, vhost, app, stream);

    value = NGX_MEDIA_RECORD_AUTO;

    for (n = 0; n < NGX_MEDIA_SWITCH_TRIES; n++) {

        version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);

        sw = ngx_media_record_switch_place(t, key, NULL);
        value = sw ? __atomic_load_n(&sw->value, __ATOMIC_RELAXED)
                   : NGX_MEDIA_RECORD_AUTO;

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (!(version & 1)
            && __atomic_load_n(&t->version, __ATOMIC_RELAXED) == version)
        {
            break;
        }

        ngx_cpu_pause();
    }

    return value;
}


/* NULL: there is none, *room is where it could be, or NULL */

static ngx_media_switch_t *
ngx_media_record_switch_place(ngx_media_switches_t *t, const u_char *key,
    ngx_media_switch_t **room)
{
    ngx_uint_t           i;
    ngx_media_switch_t  *sw, *place;

    place = NULL;

    for (i = 0; i < NGX_MEDIA_SWITCHES; i++) {

        sw = &t->one[i];

        if (__atomic_load_n(&sw->value, __ATOMIC_RELAXED) == 0) {
            place = place ? place : sw;
            continue;
        }

        if (ngx_memcmp(sw->md5, key, sizeof(sw->md5)) == 0) {
            return sw;
        }
    }

    if (room) {
        *room = place;
    }

    return NULL;
}


ngx_int_t
ngx_media_record_switch_set(const ngx_str_t *vhost, const ngx_str_t *app,
    const ngx_str_t *stream, ngx_uint_t value, ngx_uint_t load)
{
    u_char                 key[16];
    ngx_int_t              rc;
    ngx_str_t              name[3];
    ngx_uint_t             old;
    ngx_media_switch_t    *sw, *room;
    ngx_media_source_t    *src;
    ngx_media_switches_t  *t;

    ngx_media_record_switch_key(key, vhost, app, stream);

    t = &ngx_media_arena()->switches;
    room = NULL;
    rc = NGX_OK;

    ngx_media_lock();

    sw = ngx_media_record_switch_place(t, key, &room);
    old = sw ? sw->value : NGX_MEDIA_RECORD_AUTO;

    if (old == value || (load && sw)) {
        goto done;
    }

    if (sw == NULL && room == NULL) {
        rc = NGX_DECLINED;
        goto done;
    }

    __atomic_store_n(&t->version, t->version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);

    t->n += (sw == NULL);

    if (sw == NULL) {
        sw = room;
        ngx_media_record_switch_store(sw, key, vhost, app, stream);
    }

    __atomic_store_n(&sw->value, (uint32_t) value, __ATOMIC_RELEASE);

    t->n -= (value == NGX_MEDIA_RECORD_AUTO);
    t->seq++;

    __atomic_store_n(&t->version, t->version + 1, __ATOMIC_RELEASE);

    name[0] = *vhost;
    name[1] = *app;
    name[2] = *stream;

    src = ngx_media_source_find(&name[0], &name[1], &name[2]);

    if (src && ngx_media_source_live(src)) {
        ngx_media_record_changed(src);
    }

done:

    ngx_media_unlock();

    return rc;
}


static void
ngx_media_record_switch_store(ngx_media_switch_t *sw, const u_char *key,
    const ngx_str_t *vhost, const ngx_str_t *app, const ngx_str_t *stream)
{
    sw->vhost_len = (uint16_t) ngx_min(vhost->len, NGX_MEDIA_NAME_LEN);
    sw->app_len = (uint16_t) ngx_min(app->len, NGX_MEDIA_NAME_LEN);
    sw->stream_len = (uint16_t) ngx_min(stream->len, NGX_MEDIA_NAME_LEN);

    ngx_memcpy(sw->md5, key, sizeof(sw->md5));
    ngx_memcpy(sw->vhost, vhost->data, sw->vhost_len);
    ngx_memcpy(sw->app, app->data, sw->app_len);
    ngx_memcpy(sw->stream, stream->data, sw->stream_len);
}


int64_t
ngx_media_record_switch_each(ngx_media_record_switch_pt each, void *data)
{
    int64_t                seq;
    ngx_uint_t             i;
    ngx_media_switches_t  *copy;

    copy = ngx_alloc(sizeof(ngx_media_switches_t), ngx_cycle->log);

    if (copy == NULL) {
        return NGX_ERROR;
    }

    ngx_media_lock();
    *copy = ngx_media_arena()->switches;
    ngx_media_unlock();

    seq = (int64_t) copy->seq;

    for (i = 0; i < NGX_MEDIA_SWITCHES; i++) {

        if (copy->one[i].value && each(data, &copy->one[i]) != NGX_OK) {
            seq = NGX_ERROR;
            break;
        }
    }

    ngx_free(copy);

    return seq;
}
