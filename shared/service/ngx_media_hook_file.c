
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: on_hls, on_hls_notify and on_dvr: a segment or a recording is whole.
 *
 * They are about a publisher, who may be gone by then: its last segment is
 * told of when a thread has written it.  So who publishes is noted here, for
 * sources whose policy has such a hook, until a while after it went.
 */


#include "ngx_media_hook.h"
#include "ngx_media_hls.h"


#define NGX_MEDIA_HOOK_KEEP      60000    /* ms after it went */
#define NGX_MEDIA_HOOK_BUCKETS   256


typedef struct {
    ngx_queue_t           queue;
    uint32_t              slot;        /* of the publisher, in the table */
    uint32_t              use;         /* its generation */
    ngx_msec_t            left;        /* 0: it is there */
    ngx_media_client_t    client;
} ngx_media_hook_who_t;


static ngx_media_hook_who_t *ngx_media_hook_who(ngx_str_t *vhost,
    ngx_str_t *app, ngx_str_t *stream);
static ngx_uint_t ngx_media_hook_who_is(ngx_media_hook_who_t *who,
    ngx_uint_t which, ngx_str_t *text);
static void ngx_media_hook_who_tick(ngx_media_hook_who_t *who);
static void ngx_media_hook_who_free(ngx_media_hook_who_t *who);
static ngx_str_t ngx_media_hook_file_url(const ngx_media_segment_event_t *s,
    const ngx_str_t *url, const ngx_str_t *file);
static ngx_str_t ngx_media_hook_file_name(const ngx_str_t *url);


/* by the names of the source; of all workers' sources a worker has a part */

static ngx_queue_t  ngx_media_hook_whos[NGX_MEDIA_HOOK_BUCKETS];


static ngx_queue_t *
ngx_media_hook_who_bucket(ngx_uint_t n)
{
    ngx_queue_t  *bucket;

    bucket = &ngx_media_hook_whos[n % NGX_MEDIA_HOOK_BUCKETS];

    if (bucket->next == NULL) {
        ngx_queue_init(bucket);
    }

    return bucket;
}


static ngx_queue_t *
ngx_media_hook_who_list(const ngx_str_t *app, const ngx_str_t *stream)
{
    uint32_t  hash;

    ngx_crc32_init(hash);
    ngx_crc32_update(&hash, app->data, app->len);
    ngx_crc32_update(&hash, stream->data, stream->len);
    ngx_crc32_final(hash);

    return ngx_media_hook_who_bucket(hash);
}


void
ngx_media_hook_file_publish(ngx_media_source_t *src)
{
    void                   **conf;
    ngx_str_t                vhost, app, stream;
    ngx_media_hook_who_t    *who;
    ngx_media_hook_conf_t   *hcf;

    if (!ngx_media_hook_main_conf()->segments) {
        return;
    }

    vhost.data = src->vhost;
    vhost.len = src->vhost_len;
    app.data = src->app;
    app.len = src->app_len;
    stream.data = src->stream;
    stream.len = src->stream_len;

    who = ngx_media_hook_who(&vhost, &app, &stream);

    if (who) {
        ngx_media_hook_who_free(who);
    }

    conf = ngx_media_policy(&vhost, &app);
    hcf = ngx_media_hook_conf_of(conf);

    if (hcf->urls[NGX_MEDIA_HOOK_HLS] == NULL
        && hcf->urls[NGX_MEDIA_HOOK_HLS_NOTIFY] == NULL)
    {
        return;
    }

    who = ngx_alloc(sizeof(ngx_media_hook_who_t), ngx_cycle->log);
    if (who == NULL) {
        return;
    }

    if (src->pub_client == NGX_MEDIA_NONE
        || ngx_media_client_snapshot(src->pub_client, &who->client) != NGX_OK)
    {
        ngx_free(who);
        return;
    }

    who->slot = src->pub_client;
    who->use = who->client.generation;
    who->left = 0;

    ngx_queue_insert_tail(ngx_media_hook_who_list(&app, &stream),
                          &who->queue);
}


static ngx_media_hook_who_t *
ngx_media_hook_who(ngx_str_t *vhost, ngx_str_t *app, ngx_str_t *stream)
{
    ngx_queue_t           *q, *list;
    ngx_media_hook_who_t  *who;

    list = ngx_media_hook_who_list(app, stream);

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        who = ngx_queue_data(q, ngx_media_hook_who_t, queue);

        if (ngx_media_hook_who_is(who, NGX_MEDIA_TEXT_STREAM, stream)
            && ngx_media_hook_who_is(who, NGX_MEDIA_TEXT_APP, app)
            && ngx_media_hook_who_is(who, NGX_MEDIA_TEXT_VHOST, vhost))
        {
            return who;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_media_hook_who_is(ngx_media_hook_who_t *who, ngx_uint_t which,
    ngx_str_t *text)
{
    ngx_str_t  have;

    have = ngx_media_client_text(&who->client, which);

    return have.len == text->len
           && ngx_memcmp(have.data, text->data, text->len) == 0;
}


static void
ngx_media_hook_who_free(ngx_media_hook_who_t *who)
{
    ngx_queue_remove(&who->queue);
    ngx_free(who);
}


/* every second */

void
ngx_media_hook_file_tick(void)
{
    ngx_uint_t    i;
    ngx_queue_t  *q, *next, *list;

    if (!ngx_media_hook_main_conf()->segments) {
        return;
    }

    for (i = 0; i < NGX_MEDIA_HOOK_BUCKETS; i++) {
        list = ngx_media_hook_who_bucket(i);

        for (q = ngx_queue_head(list);
             q != ngx_queue_sentinel(list);
             q = next)
        {
            next = ngx_queue_next(q);
            ngx_media_hook_who_tick(ngx_queue_data(q, ngx_media_hook_who_t,
                                                   queue));
        }
    }
}


static void
ngx_media_hook_who_tick(ngx_media_hook_who_t *who)
{
    ngx_media_client_t  *client;

    client = ngx_media_client_at(who->slot);

    if (client->used && client->generation == who->use
        && client->began[NGX_MEDIA_ACT_PUBLISH])
    {
        who->left = 0;

    } else if (who->left == 0) {
        who->left = ngx_current_msec + (ngx_current_msec == 0);

    } else if (ngx_current_msec - who->left > NGX_MEDIA_HOOK_KEEP) {
        ngx_media_hook_who_free(who);
    }
}


void
ngx_media_hook_file_exit(void)
{
    ngx_uint_t             i;
    ngx_queue_t           *list;
    ngx_media_hook_who_t  *who;

    for (i = 0; i < NGX_MEDIA_HOOK_BUCKETS; i++) {
        list = ngx_media_hook_who_bucket(i);

        while (!ngx_queue_empty(list)) {
            who = ngx_queue_data(ngx_queue_head(list), ngx_media_hook_who_t,
                                 queue);
            ngx_media_hook_who_free(who);
        }
    }
}


void
ngx_media_hook_file_segment(const ngx_media_segment_event_t *s)
{
    ngx_str_t                vhost, app, stream;
    ngx_media_hook_who_t    *who;
    ngx_media_hook_conf_t   *conf;
    ngx_media_hook_event_t   e;

    if (!ngx_media_hook_main_conf()->segments) {
        return;
    }

    vhost = s->vhost;
    app = s->app;
    stream = s->stream;

    who = ngx_media_hook_who(&vhost, &app, &stream);

    if (who == NULL) {
        return;
    }

    conf = ngx_media_hook_conf_of(ngx_media_policy(&vhost, &app));

    ngx_memzero(&e, sizeof(ngx_media_hook_event_t));
    ngx_media_hook_event_client(&e, &who->client);

    e.file = s->file;
    e.m3u8 = s->m3u8;
    e.seq = s->seq;
    e.length = s->duration;
    e.uri = s->disk ? s->url : ngx_media_hook_file_name(&s->url);

    e.url = ngx_media_hook_file_url(s, &s->url, &s->file);
    e.m3u8_url = ngx_media_hook_file_url(s, &s->m3u8_url, &s->m3u8);

    e.event = NGX_MEDIA_HOOK_HLS;
    ngx_media_hook_tell(conf, &e, ngx_cycle->log);

    e.event = NGX_MEDIA_HOOK_HLS_NOTIFY;
    ngx_media_hook_tell(conf, &e, ngx_cycle->log);
}


/* SRS's "url": on disk the path below hls_path, unless it is somewhere else */

static ngx_str_t
ngx_media_hook_file_url(const ngx_media_segment_event_t *s,
    const ngx_str_t *url, const ngx_str_t *file)
{
    ngx_str_t   vhost, app, name;
    ngx_str_t  *path;

    if (!s->disk
        || ngx_strlcasestrn(url->data, url->data + url->len,
                            (u_char *) "://", 3 - 1))
    {
        return *url;
    }

    vhost = s->vhost;
    app = s->app;
    path = &ngx_media_hls_conf(&vhost, &app)->path;

    if (file->len <= path->len + 1
        || ngx_memcmp(file->data, path->data, path->len) != 0
        || file->data[path->len] != '/')
    {
        return *url;
    }

    name.data = file->data + path->len + 1;
    name.len = file->len - path->len - 1;

    return name;
}


static ngx_str_t
ngx_media_hook_file_name(const ngx_str_t *url)
{
    u_char     *p;
    ngx_str_t   name;

    p = url->data + url->len;

    while (p > url->data && p[-1] != '/') {
        p--;
    }

    name.data = p;
    name.len = url->data + url->len - p;

    return name;
}


void
ngx_media_hook_dvr(ngx_media_client_t *publisher, ngx_str_t *file)
{
    ngx_str_t                vhost, app;
    ngx_media_hook_event_t   e;

    ngx_memzero(&e, sizeof(ngx_media_hook_event_t));
    ngx_media_hook_event_client(&e, publisher);

    e.event = NGX_MEDIA_HOOK_DVR;
    e.file = *file;

    vhost = e.text[NGX_MEDIA_TEXT_VHOST];
    app = e.text[NGX_MEDIA_TEXT_APP];

    ngx_media_hook_tell(ngx_media_hook_conf_of(ngx_media_policy(&vhost, &app)),
                        &e, ngx_cycle->log);
}
