
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


static void
load_report_hls(load_stat_t *s)
{
    load_out_n64("hls_players", ld.opt.hls_players);
    load_out_n64("hls_live", load_hls_live());
    load_out_n64("hls_lists", s->hls_lists);
    load_out_n64("hls_parts", s->hls_parts);
    load_out_n64("hls_skipped", s->hls_skipped);
    load_out_n64("hls_lost", s->hls_lost);
    load_out_n64("hls_stale", s->hls_stale);
    load_out_n64("hls_ended", s->hls_ended);
    load_out_n64("hls_behind", s->hls_behind);
    load_out_n64("hls_ahead", s->hls_ahead);
    load_out_n64("hls_late", s->hls_late);
    load_out_hist("hls_list", &s->hls_list);
    load_out_hist("hls_part", &s->hls_part);
}


/* requests over kept connections: HLS and --get */

static void
load_report_web(load_stat_t *s, load_result_t *r)
{
    double  cpu;

    load_out_n64("web_again", s->web_again);
    load_out_n64("web_cut", s->web_cut);
    load_out_n64("web_status", s->web_status);

    if (ld.opt.hls_players) {
        load_report_hls(s);
    }

    if (ld.opt.get == NULL) {
        return;
    }

    cpu = (double) (r->end.cpu_ns - r->begin.cpu_ns) / 1000;

    load_out_n64("gets", s->gets);
    load_out("gets_per_s", "%.0f", (double) s->gets / r->seconds);
    load_out("get_bytes", "%.0f", s->gets ? (double) s->get_bytes
                                            / (double) s->gets : 0);
    load_out("cpu_us_per_get", "%.2f", s->gets ? cpu / (double) s->gets : 0);
    load_out_hist("get", &s->get_time);
}


/* what one player or publisher added */

static void
load_out_each(const char *key, unsigned n, uint64_t before, uint64_t after)
{
    load_out(key, "%.2f", n ? ((double) after - (double) before) / n : 0);
}


/* costs are zero without --pid */

static void
load_report_costs(load_result_t *r)
{
    double  cpu, units;

    load_out("seconds", "%.3f", r->seconds);
    load_out_n64("server_procs", r->after.procs);

    if (r->after.procs == 0) {
        return;
    }

    load_out("others_cpu", "%.3f", r->machine_cpu - r->own_cpu
             - (double) (r->end.cpu_ns - r->begin.cpu_ns) / 1e9 / r->seconds);

    cpu = (double) (r->end.cpu_ns - r->begin.cpu_ns) / 1000;
    load_out("server_cpu", "%.4f", cpu / 1e6 / r->seconds);

    units = r->measured * r->seconds;
    load_out("cpu_us_per_player_s", "%.2f", units > 0 ? cpu / units : 0);

    units = ld.opt.publishers * r->seconds;
    load_out("cpu_us_per_publisher_s", "%.2f",
             units > 0 && r->measured == 0 ? cpu / units : 0);

    load_out_each("kb_per_player", ld.live, r->published.anon_kb,
                  r->after.anon_kb);
    load_out_each("arena_kb_per_player", ld.live, r->published.arena_kb,
                  r->after.arena_kb);
    load_out_each("kb_per_publisher", ld.opt.publishers, r->idle.anon_kb,
                  r->published.anon_kb);
    load_out_each("arena_kb_per_publisher", ld.opt.publishers,
                  r->idle.arena_kb, r->published.arena_kb);

    load_out_n64("anon_idle_kb", r->idle.anon_kb);
    load_out_n64("anon_published_kb", r->published.anon_kb);
    load_out_n64("anon_after_kb", r->after.anon_kb);
    load_out_n64("arena_idle_kb", r->idle.arena_kb);
    load_out_n64("arena_after_kb", r->after.arena_kb);
    load_out_n64("file_after_kb", r->after.file_kb);
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
          || s->gap_frames || s->web_cut || s->web_status
          || s->hls_skipped || s->hls_lost || s->hls_stale || s->hls_behind
          || load_hls_live() != ld.opt.hls_players
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

    load_report_web(s, r);
    load_report_costs(r);

    load_out("tool_cpu", "%.4f", r->own_cpu);

    if (ld.opt.json) {
        printf("}\n");
    }

    return ld.opt.strict && bad ? 1 : 0;
}
