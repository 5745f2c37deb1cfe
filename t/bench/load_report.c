
/*
 * Copyright (C) the nginx media suite authors
 *
 * The result: key=value lines, or one flat JSON object with --json, on
 * standard output; t/bench/README.md explains the keys.
 */


#include "load.h"

#include <stdarg.h>


static unsigned  load_out_n;


static void
load_out(const char *key, const char *fmt, ...)
{
    va_list  args;

    if (ld.opt.json) {
        printf("%s\"%s\": ", load_out_n++ ? ", " : "{", key);

    } else {
        printf("%s=", key);
    }

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    if (!ld.opt.json) {
        printf("\n");
    }
}


static void
load_out_n64(const char *key, uint64_t v)
{
    load_out(key, "%llu", (unsigned long long) v);
}


static void
load_out_hist(const char *name, load_hist_t *h)
{
    char      key[64];
    unsigned  i;

    static const struct {
        const char  *name;
        double       q;
    } q[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "max", 1 } };

    snprintf(key, sizeof(key), "%s_n", name);
    load_out_n64(key, h->n);

    for (i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
        snprintf(key, sizeof(key), "%s_%s_ms", name, q[i].name);
        load_out(key, "%.2f", load_hist_ms(h, q[i].q));
    }
}


static void
load_report_faults(load_stat_t *s)
{
    load_out_n64("frames", s->frames);
    load_out_n64("bytes", s->bytes);
    load_out_n64("gaps", s->gaps);
    load_out_n64("gap_frames", s->gap_frames);
    load_out_n64("tail_missing", s->tail_missing);
    load_out_n64("dups", s->dups);
    load_out_n64("disorder", s->disorder);
    load_out_n64("corrupt", s->corrupt);
    load_out_n64("dirty", s->dirty);
    load_out_n64("jumps", s->jumps);
    load_out_n64("early_audio", s->early_audio);
    load_out_n64("early_inter", s->early_inter);
    load_out_n64("ts_back", s->ts_back);
    load_out_n64("ts_drift_ms", s->ts_drift);
    load_out_n64("early_close", s->early_close);
    load_out_n64("refused", s->refused);
    load_out_n64("protocol", s->protocol);
    load_out_n64("no_key", s->no_key);
    load_out_n64("cut", s->cut);
    load_out_n64("drip_cut", s->drip_cut);
    load_out_n64("pub_closed", s->pub_closed);
    load_out_n64("pub_blocked", s->pub_blocked);
}


/* costs are zero without --pid */

static void
load_report_costs(load_result_t *r)
{
    double  cpu, mem, units;

    load_out("seconds", "%.3f", r->seconds);
    load_out_n64("server_procs", r->after.procs);

    if (r->after.procs == 0) {
        return;
    }

    cpu = (double) (r->end.cpu_ns - r->begin.cpu_ns) / 1000;
    load_out("server_cpu", "%.4f", cpu / 1e6 / r->seconds);

    units = r->measured * r->seconds;
    load_out("cpu_us_per_player_s", "%.2f", units > 0 ? cpu / units : 0);

    units = ld.opt.publishers * r->seconds;
    load_out("cpu_us_per_publisher_s", "%.2f",
             units > 0 && ld.nplayers == 0 ? cpu / units : 0);

    mem = (double) r->after.pss_kb - (double) r->published.pss_kb;
    load_out("kb_per_player", "%.2f",
             ld.live ? mem / (double) ld.live : 0);

    mem = (double) r->after.private_kb - (double) r->published.private_kb;
    load_out("private_kb_per_player", "%.2f",
             ld.live ? mem / (double) ld.live : 0);

    mem = (double) r->published.pss_kb - (double) r->idle.pss_kb;
    load_out("kb_per_publisher", "%.2f",
             ld.opt.publishers ? mem / ld.opt.publishers : 0);

    mem = (double) r->published.arena_kb - (double) r->idle.arena_kb;
    load_out("arena_kb_per_publisher", "%.2f",
             ld.opt.publishers ? mem / ld.opt.publishers : 0);

    load_out_n64("pss_idle_kb", r->idle.pss_kb);
    load_out_n64("pss_published_kb", r->published.pss_kb);
    load_out_n64("pss_after_kb", r->after.pss_kb);
    load_out_n64("arena_after_kb", r->after.arena_kb);
}


/* the exit status: 0, or 1 with --strict when any player missed anything */

int
load_report(load_result_t *r)
{
    int           bad;
    load_stat_t  *s;

    s = &ld.stat;

    bad = s->gaps || s->tail_missing || s->dups || s->disorder || s->corrupt
          || s->dirty || s->early_inter || s->early_close || s->refused
          || s->protocol || s->no_key || s->pub_closed
          || ld.live != ld.nplayers;

    load_out_n64("ok", !bad);
    load_out_n64("publishers", ld.opt.publishers);
    load_out_n64("published", r->frames_published);
    load_out_n64("players", ld.nplayers);
    load_out_n64("live", ld.live);
    load_out("ramp_s", "%.3f", r->ramp_seconds);

    load_report_faults(s);

    load_out_hist("first", &s->first);
    load_out_hist("churn", &s->first_churn);
    load_out_hist("latency", &s->latency);

    load_report_costs(r);

    load_out("tool_cpu", "%.4f", r->own_cpu);

    if (ld.opt.json) {
        printf("}\n");
    }

    return ld.opt.strict && bad ? 1 : 0;
}
