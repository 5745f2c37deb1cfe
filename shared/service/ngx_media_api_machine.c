
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: parts of the API that tell about the process and the machine: rusages,
 * self_proc_stats, system_proc_stats, meminfos.
 *
 * The first two are about the worker that answers.  Fields are those of
 * getrusage(2) and proc(5), in their order; addresses of memory are shown as
 * 0, since they are of use to an attacker only.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <sys/resource.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"
#include "ngx_media_system.h"


#define NGX_MEDIA_API_STAT        1024


static void ngx_media_api_data(ngx_media_json_t *j, int64_t sampled);
static void ngx_media_api_stat_name(ngx_media_json_t *j, char *stat);
static double ngx_media_api_worker_cpu(void);


/* "data" and what all of these begin with */

static void
ngx_media_api_data(ngx_media_json_t *j, int64_t sampled)
{
    ngx_media_json_key_object(j, "data");
    ngx_media_json_key_bool(j, "ok", 1);
    ngx_media_json_key_int(j, "sample_time", sampled);
}


ngx_int_t
ngx_media_api_rusages(ngx_media_api_t *api)
{
    struct rusage      ru;
    ngx_media_json_t  *j = &api->json;

    ngx_memzero(&ru, sizeof(struct rusage));

    (void) getrusage(RUSAGE_SELF, &ru);

    ngx_media_api_data(j, ngx_media_epoch_ms());
    ngx_media_json_key_int(j, "ru_utime", ru.ru_utime.tv_sec);
    ngx_media_json_key_int(j, "ru_stime", ru.ru_stime.tv_sec);
    ngx_media_json_key_int(j, "ru_maxrss", ru.ru_maxrss);
    ngx_media_json_key_int(j, "ru_ixrss", ru.ru_ixrss);
    ngx_media_json_key_int(j, "ru_idrss", ru.ru_idrss);
    ngx_media_json_key_int(j, "ru_isrss", ru.ru_isrss);
    ngx_media_json_key_int(j, "ru_minflt", ru.ru_minflt);
    ngx_media_json_key_int(j, "ru_majflt", ru.ru_majflt);
    ngx_media_json_key_int(j, "ru_nswap", ru.ru_nswap);
    ngx_media_json_key_int(j, "ru_inblock", ru.ru_inblock);
    ngx_media_json_key_int(j, "ru_oublock", ru.ru_oublock);
    ngx_media_json_key_int(j, "ru_msgsnd", ru.ru_msgsnd);
    ngx_media_json_key_int(j, "ru_msgrcv", ru.ru_msgrcv);
    ngx_media_json_key_int(j, "ru_nsignals", ru.ru_nsignals);
    ngx_media_json_key_int(j, "ru_nvcsw", ru.ru_nvcsw);
    ngx_media_json_key_int(j, "ru_nivcsw", ru.ru_nivcsw);
    ngx_media_json_object_end(j);

    return NGX_OK;
}


/* fields of /proc/self/stat that are numbers, from the fourth on */

ngx_int_t
ngx_media_api_self_proc_stats(ngx_media_api_t *api)
{
    char              *p, stat[NGX_MEDIA_API_STAT];
    int64_t            value;
    ngx_uint_t         i;
    ngx_media_json_t  *j = &api->json;

    static const char  *names[] = {
        "ppid", "pgrp", "session", "tty_nr", "tpgid", "flags", "minflt",
        "cminflt", "majflt", "cmajflt", "utime", "stime", "cutime", "cstime",
        "priority", "nice", "num_threads", "itrealvalue", "starttime",
        "vsize", "rss", "rsslim", "*startcode", "*endcode", "*startstack",
        "*kstkesp", "*kstkeip", "signal", "blocked", "sigignore", "sigcatch",
        "*wchan", "nswap", "cnswap", "exit_signal", "processor",
        "rt_priority", "policy", "delayacct_blkio_ticks", "guest_time",
        "cguest_time"
    };

    (void) ngx_media_system_read("/proc/self/stat", stat, sizeof(stat));

    ngx_media_api_data(j, ngx_media_epoch_ms());
    ngx_media_json_key_double(j, "percent", ngx_media_api_worker_cpu(), 2);
    ngx_media_json_key_int(j, "pid", ngx_pid);
    ngx_media_api_stat_name(j, stat);

    /* behind the name, which may hold anything, and the letter of the state */

    p = strrchr(stat, ')');
    p = (p && ngx_strlen(p) > 3) ? p + 3 : stat + ngx_strlen(stat);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        /* rsslim: no limit is -1 */

        value = (int64_t) strtoull(p, &p, 10);

        if (names[i][0] == '*') {
            ngx_media_json_key_int(j, names[i] + 1, 0);

        } else {
            ngx_media_json_key_int(j, names[i], value);
        }
    }

    ngx_media_json_object_end(j);

    return NGX_OK;
}


/* "comm" in its parentheses, "state" */

static void
ngx_media_api_stat_name(ngx_media_json_t *j, char *stat)
{
    char  *p, *last;

    p = strchr(stat, '(');
    last = strrchr(stat, ')');

    ngx_media_json_key(j, "comm");

    if (p == NULL || last == NULL || last < p) {
        ngx_media_json_str(j, NULL, 0);
        ngx_media_json_key_text(j, "state", "");
        return;
    }

    ngx_media_json_str(j, (u_char *) p, last + 1 - p);

    ngx_media_json_key(j, "state");
    ngx_media_json_str(j, (u_char *) last + 2, ngx_strlen(last) > 2 ? 1 : 0);
}


/* share of one processor, as sampled by the worker itself */

static double
ngx_media_api_worker_cpu(void)
{
    uint32_t  slot;

    slot = ngx_media_slot();

    if (slot >= NGX_MEDIA_SLOTS) {
        return 0;
    }

    return (double) ngx_media_arena()->slots[slot].cpu_percent / 10000;
}


/* ticks of all processors: the first line of /proc/stat */

ngx_int_t
ngx_media_api_system_proc_stats(ngx_media_api_t *api)
{
    char                      *p, stat[NGX_MEDIA_API_STAT];
    ngx_uint_t                 i;
    ngx_media_json_t          *j = &api->json;
    const ngx_media_system_t  *s;

    static const char  *names[] = {
        "user", "nice", "sys", "idle", "iowait", "irq", "softirq", "steal",
        "guest"
    };

    s = ngx_media_system_sample();
    p = ngx_media_system_read("/proc/stat", stat, sizeof(stat));

    ngx_media_api_data(j, s->sampled);
    ngx_media_json_key_double(j, "percent", s->cpu, 2);

    p += (ngx_strncmp(p, "cpu ", 4) == 0) ? 4 : ngx_strlen(p);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ngx_media_json_key_int(j, names[i], strtoll(p, &p, 10));
    }

    ngx_media_json_object_end(j);

    return NGX_OK;
}


ngx_int_t
ngx_media_api_meminfos(ngx_media_api_t *api)
{
    double                     ram, swap;
    int64_t                    active, used;
    ngx_media_json_t          *j = &api->json;
    const ngx_media_system_t  *s;

    s = ngx_media_system_sample();

    active = s->mem_total - s->mem_free;
    used = active - s->mem_buffers - s->mem_cached;
    ram = s->mem_total ? (double) used / (double) s->mem_total : 0;
    swap = s->swap_total
           ? (double) (s->swap_total - s->swap_free) / (double) s->swap_total
           : 0;

    ngx_media_api_data(j, s->sampled);
    ngx_media_json_key_double(j, "percent_ram", ram, 2);
    ngx_media_json_key_double(j, "percent_swap", swap, 2);
    ngx_media_json_key_int(j, "MemActive", active);
    ngx_media_json_key_int(j, "RealInUse", used);
    ngx_media_json_key_int(j, "NotInUse", s->mem_total - used);
    ngx_media_json_key_int(j, "MemTotal", s->mem_total);
    ngx_media_json_key_int(j, "MemFree", s->mem_free);
    ngx_media_json_key_int(j, "Buffers", s->mem_buffers);
    ngx_media_json_key_int(j, "Cached", s->mem_cached);
    ngx_media_json_key_int(j, "SwapTotal", s->swap_total);
    ngx_media_json_key_int(j, "SwapFree", s->swap_free);
    ngx_media_json_object_end(j);

    return NGX_OK;
}
