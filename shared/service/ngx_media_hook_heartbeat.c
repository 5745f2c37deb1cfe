
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: heartbeat: the server says that it is there, as SRS does.  One worker
 * of all sends each of them: whoever finds first that it is time.
 */


#include "ngx_media_hook.h"
#include "ngx_media_api.h"

#include <ifaddrs.h>
#include <net/if.h>


static void ngx_media_hook_beat(ngx_event_t *ev);
static void ngx_media_hook_beat_send(ngx_media_hook_main_conf_t *conf);
static ngx_int_t ngx_media_hook_beat_body(ngx_pool_t *pool, ngx_str_t *body);
static void ngx_media_hook_beat_ip(ngx_media_json_t *j);
static void ngx_media_hook_beat_listen(ngx_media_json_t *j, const char *name,
    ngx_uint_t http);
static void ngx_media_hook_beat_done(void *data, ngx_media_web_answer_t *a);


static ngx_event_t                ngx_media_hook_beat_event;
static ngx_connection_t           ngx_media_hook_beat_dummy;
static ngx_media_web_t           *ngx_media_hook_beat_web;
static ngx_media_hook_target_t   *ngx_media_hook_beat_target;


void
ngx_media_hook_heartbeat_init(ngx_cycle_t *cycle)
{
    ngx_event_t                 *ev;
    ngx_media_hook_main_conf_t  *conf;

    conf = ngx_media_hook_main_conf();

    if (conf->heartbeat.url == NULL) {
        return;
    }

    ngx_media_hook_beat_dummy.fd = (ngx_socket_t) -1;

    ev = &ngx_media_hook_beat_event;

    ev->handler = ngx_media_hook_beat;
    ev->data = &ngx_media_hook_beat_dummy;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 100);
}


static void
ngx_media_hook_beat(ngx_event_t *ev)
{
    int64_t                      now, last, wait;
    ngx_media_arena_t           *a;
    ngx_media_hook_main_conf_t  *conf;

    if (ngx_exiting) {
        return;
    }

    conf = ngx_media_hook_main_conf();
    a = ngx_media_arena();

    now = ngx_media_msec();
    last = __atomic_load_n(&a->beat, __ATOMIC_RELAXED);
    wait = last + (int64_t) conf->interval - now;

    if (last && wait > 0) {

        /* a little later than who was the last one */

        ngx_add_timer(ev, (ngx_msec_t) ngx_min(wait, (int64_t) conf->interval)
                          + 5);
        return;
    }

    if (__atomic_compare_exchange_n(&a->beat, &last, now, 0,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    {
        ngx_media_hook_beat_send(conf);
    }

    ngx_add_timer(ev, conf->interval);
}


static void
ngx_media_hook_beat_send(ngx_media_hook_main_conf_t *conf)
{
    ngx_pool_t                *pool;
    ngx_media_hook_conf_t      hcf;
    ngx_media_hook_event_t     e;
    ngx_media_hook_message_t   m;

    ngx_media_hook_beat_target = ngx_media_hook_target(&conf->heartbeat);

    if (ngx_media_hook_beat_web || ngx_media_hook_beat_target == NULL) {
        return;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    ngx_memzero(&hcf, sizeof(ngx_media_hook_conf_t));
    ngx_memzero(&e, sizeof(ngx_media_hook_event_t));
    ngx_memzero(&m, sizeof(ngx_media_hook_message_t));

    /* policy of media{} itself: hook_secret, hook_timeout */

    hcf = *ngx_media_hook_conf_of(ngx_media_get_main_conf()->def.conf);
    hcf.format = NGX_MEDIA_HOOK_SRS;

    m.conf = &hcf;
    m.url = &conf->heartbeat;

    if (ngx_media_hook_beat_body(pool, &m.body) == NGX_OK
        && (m.url->path == NULL
            || ngx_media_value_eval(m.url->path, e.text, NULL,
                                    NGX_MEDIA_VALUE_URL, pool, &m.path)
               == NGX_OK))
    {
        ngx_media_hook_beat_web = ngx_media_hook_send(&m, ngx_cycle->log,
                                             ngx_media_hook_beat_done, NULL);
    }

    ngx_destroy_pool(pool);
}


static void
ngx_media_hook_beat_done(void *data, ngx_media_web_answer_t *a)
{
    ngx_media_hook_beat_web = NULL;

    if (ngx_media_hook_none(a)) {
        ngx_media_hook_failed(ngx_media_hook_beat_target, a);
        return;
    }

    ngx_media_hook_answered(ngx_media_hook_beat_target);
}


static ngx_int_t
ngx_media_hook_beat_body(ngx_pool_t *pool, ngx_str_t *body)
{
    u_char             *p, pid[NGX_INT64_LEN];
    ngx_media_api_t     api;
    ngx_media_json_t   *j;
    ngx_media_arena_t  *a;

    ngx_memzero(&api, sizeof(ngx_media_api_t));

    a = ngx_media_arena();
    j = &api.json;

    ngx_media_json_init(j, pool);
    ngx_media_json_object(j);

    ngx_media_json_key(j, "device_id");
    ngx_media_json_str(j, ngx_cycle->hostname.data,
                       ngx_cycle->hostname.len);
    ngx_media_hook_beat_ip(j);
    ngx_media_json_key_text(j, "server", (char *) a->server_id);
    ngx_media_json_key(j, "service");
    ngx_media_json_str(j, a->service_id, NGX_MEDIA_ID_LEN);

    p = ngx_sprintf(pid, "%P", ngx_media_api_pid());

    ngx_media_json_key(j, "pid");
    ngx_media_json_str(j, pid, p - pid);

    ngx_media_json_key_object(j, "summaries");

    if (ngx_media_api_summaries(&api) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_media_json_object_end(j);

    ngx_media_hook_beat_listen(j, "rtmp", 0);
    ngx_media_hook_beat_listen(j, "http", 1);
    ngx_media_hook_beat_listen(j, "api", 1);

    ngx_media_json_object_end(j);

    return ngx_media_json_text(j, body);
}


/* the first address that others may reach */

static void
ngx_media_hook_beat_ip(ngx_media_json_t *j)
{
    size_t           len;
    u_char           text[NGX_SOCKADDR_STRLEN];
    struct ifaddrs  *list, *ifa;

    len = 0;

    if (getifaddrs(&list) == 0) {

        for (ifa = list; ifa; ifa = ifa->ifa_next) {

            if (ifa->ifa_addr && ifa->ifa_addr->sa_family == AF_INET
                && (ifa->ifa_flags & IFF_UP)
                && !(ifa->ifa_flags & IFF_LOOPBACK))
            {
                len = ngx_sock_ntop(ifa->ifa_addr,
                                    sizeof(struct sockaddr_in), text,
                                    sizeof(text), 0);
                break;
            }
        }

        freeifaddrs(list);
    }

    ngx_media_json_key(j, "ip");

    if (len) {
        ngx_media_json_str(j, text, len);

    } else {
        ngx_media_json_str(j, (u_char *) "127.0.0.1", 9);
    }
}


/* the core knows HTTP from all else that takes TCP, which is RTMP's */

static void
ngx_media_hook_beat_listen(ngx_media_json_t *j, const char *name,
    ngx_uint_t http)
{
    ngx_uint_t        i;
    ngx_listening_t  *ls;

    ls = ngx_cycle->listening.elts;

    ngx_media_json_key_array(j, name);

    for (i = 0; i < ngx_cycle->listening.nelts; i++) {

        /* with reuseport there is one for each worker */

        if (ls[i].type != SOCK_STREAM || ls[i].handler == NULL
            || (ls[i].handler == ngx_http_init_connection) != (http != 0)
#if (NGX_HAVE_REUSEPORT)
            || (ls[i].reuseport && ls[i].worker != 0)
#endif
           )
        {
            continue;
        }

        ngx_media_json_str(j, ls[i].addr_text.data, ls[i].addr_text.len);
    }

    ngx_media_json_array_end(j);
}
