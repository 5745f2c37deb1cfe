
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: what all workers together are: summaries of the API, and the totals that
 * the metrics show as well.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"
#include "ngx_media_system.h"
#include "ngx_media_version.h"


static void ngx_media_api_self(ngx_media_json_t *j,
    const ngx_media_api_totals_t *t, const ngx_media_system_t *s);
static void ngx_media_api_system(ngx_media_json_t *j,
    const ngx_media_api_totals_t *t, const ngx_media_system_t *s);
static void ngx_media_api_arena(ngx_media_json_t *j, ngx_uint_t workers);
static void ngx_media_api_argv(ngx_media_json_t *j);


ngx_pid_t
ngx_media_api_pid(void)
{
    return (ngx_process == NGX_PROCESS_WORKER) ? ngx_parent : ngx_pid;
}


ngx_int_t
ngx_media_api_summaries(ngx_media_api_t *api)
{
    ngx_media_json_t          *j = &api->json;
    ngx_media_api_totals_t     totals;
    const ngx_media_system_t  *system;

    system = ngx_media_system_sample();
    ngx_media_api_totals(&totals);

    ngx_media_json_key_object(j, "data");
    ngx_media_json_key_bool(j, "ok", 1);
    ngx_media_json_key_int(j, "now_ms", totals.now);

    ngx_media_json_key_object(j, "self");
    ngx_media_api_self(j, &totals, system);
    ngx_media_json_object_end(j);

    ngx_media_json_key_object(j, "system");
    ngx_media_api_system(j, &totals, system);
    ngx_media_json_object_end(j);

    ngx_media_json_key_object(j, "arena");
    ngx_media_api_arena(j, totals.workers);
    ngx_media_json_object_end(j);

    ngx_media_json_object_end(j);

    return NGX_OK;
}


void
ngx_media_api_totals(ngx_media_api_totals_t *t)
{
    uint32_t             i, n;
    ngx_media_slot_t    *slot;
    ngx_media_arena_t   *arena;
    ngx_media_client_t  *client;

    ngx_memzero(t, sizeof(ngx_media_api_totals_t));

    arena = ngx_media_arena();
    t->now = ngx_media_epoch_ms();

    for (i = 0; i < NGX_MEDIA_SLOTS; i++) {
        slot = &arena->slots[i];

        if (slot->pid == 0) {
            continue;
        }

        t->workers++;
        t->rss_kb += slot->rss_kb;
        t->cpu += (double) slot->cpu_percent / 10000;
    }

    ngx_media_lock();

    t->send_bytes = arena->send_total;
    t->recv_bytes = arena->recv_total;
    n = arena->fresh_client;

    ngx_media_unlock();

    for (i = 0; i < n; i++) {
        client = ngx_media_client_at(i);

        if (client->used) {
            t->send_bytes += client->send_bytes;
            t->recv_bytes += client->recv_bytes;
            t->clients += !client->relay;
        }
    }
}


static void
ngx_media_api_self(ngx_media_json_t *j, const ngx_media_api_totals_t *t,
    const ngx_media_system_t *s)
{
    char       cwd[NGX_MAX_PATH];
    double     part;
    ngx_pid_t  pid;

    pid = ngx_media_api_pid();
    part = s->mem_total ? (double) t->rss_kb / (double) s->mem_total : 0;

    ngx_media_json_key_text(j, "version", NGX_MEDIA_VERSION);
    ngx_media_json_key_int(j, "pid", pid);
    ngx_media_json_key_int(j, "ppid", ngx_media_system_parent(pid));
    ngx_media_api_argv(j);
    ngx_media_json_key_text(j, "cwd",
                            getcwd(cwd, sizeof(cwd)) ? cwd : "");
    ngx_media_json_key_int(j, "mem_kbyte", t->rss_kb);
    ngx_media_json_key_double(j, "mem_percent", part, 2);
    ngx_media_json_key_double(j, "cpu_percent", t->cpu, 2);
    ngx_media_json_key_int(j, "srs_uptime",
                           (t->now - ngx_media_arena()->started) / 1000);
}


/* nginx keeps a copy of its arguments; a worker has overwritten the others */

static void
ngx_media_api_argv(ngx_media_json_t *j)
{
    int      i;
    u_char   text[2048], *p, *last;

    p = text;
    last = text + sizeof(text);

    for (i = 0; i < ngx_argc && ngx_argv[i]; i++) {
        p = ngx_slprintf(p, last, i ? " %s" : "%s", ngx_argv[i]);
    }

    ngx_media_json_key(j, "argv");
    ngx_media_json_str(j, text, p - text);
}


static void
ngx_media_api_system(ngx_media_json_t *j, const ngx_media_api_totals_t *t,
    const ngx_media_system_t *s)
{
    double   ram, swap;
    int64_t  used;

    used = s->mem_total - s->mem_free - s->mem_buffers - s->mem_cached;
    ram = s->mem_total ? (double) used / (double) s->mem_total : 0;
    swap = s->swap_total
           ? (double) (s->swap_total - s->swap_free) / (double) s->swap_total
           : 0;

    ngx_media_json_key_double(j, "cpu_percent", s->cpu, 2);
    ngx_media_json_key_int(j, "disk_read_KBps", s->disk_read);
    ngx_media_json_key_int(j, "disk_write_KBps", s->disk_write);
    ngx_media_json_key_double(j, "disk_busy_percent", s->disk_busy, 2);
    ngx_media_json_key_int(j, "mem_ram_kbyte", s->mem_total);
    ngx_media_json_key_double(j, "mem_ram_percent", ram, 2);
    ngx_media_json_key_int(j, "mem_swap_kbyte", s->swap_total);
    ngx_media_json_key_double(j, "mem_swap_percent", swap, 2);
    ngx_media_json_key_int(j, "cpus", sysconf(_SC_NPROCESSORS_CONF));
    ngx_media_json_key_int(j, "cpus_online", ngx_ncpu);
    ngx_media_json_key_double(j, "uptime", s->uptime, 2);
    ngx_media_json_key_double(j, "ilde_time", s->idle, 2);
    ngx_media_json_key_double(j, "load_1m", s->load[0], 2);
    ngx_media_json_key_double(j, "load_5m", s->load[1], 2);
    ngx_media_json_key_double(j, "load_15m", s->load[2], 2);
    ngx_media_json_key_int(j, "net_sample_time", s->sampled);
    ngx_media_json_key_int(j, "net_recv_bytes", s->net_recv);
    ngx_media_json_key_int(j, "net_send_bytes", s->net_send);
    ngx_media_json_key_int(j, "net_recvi_bytes", s->net_inner_recv);
    ngx_media_json_key_int(j, "net_sendi_bytes", s->net_inner_send);
    ngx_media_json_key_int(j, "srs_sample_time", t->now);
    ngx_media_json_key_int(j, "srs_recv_bytes", t->recv_bytes);
    ngx_media_json_key_int(j, "srs_send_bytes", t->send_bytes);
    ngx_media_json_key_int(j, "conn_sys", s->tcp + s->tcp_time_wait + s->udp);
    ngx_media_json_key_int(j, "conn_sys_et", s->tcp_established);
    ngx_media_json_key_int(j, "conn_sys_tw", s->tcp_time_wait);
    ngx_media_json_key_int(j, "conn_sys_udp", s->udp);
    ngx_media_json_key_int(j, "conn_srs", t->clients);
}


static void
ngx_media_api_arena(ngx_media_json_t *j, ngx_uint_t workers)
{
    int64_t             size, left;
    ngx_media_arena_t  *arena;

    arena = ngx_media_arena();

    size = (int64_t) arena->nchunks * NGX_MEDIA_CHUNK_SIZE;
    left = (int64_t) ngx_media_chunks_free() * NGX_MEDIA_CHUNK_SIZE;

    ngx_media_json_key_int(j, "size", size);
    ngx_media_json_key_int(j, "used", size - left);
    ngx_media_json_key_int(j, "free", left);
    ngx_media_json_key_int(j, "sources", arena->sources);
    ngx_media_json_key_int(j, "clients", arena->clients);
    ngx_media_json_key_int(j, "workers", workers);
    ngx_media_json_key_int(j, "recoveries", arena->recoveries);
}
