
/*
 * Copyright (C) the nginx media suite authors
 *
 * ngx_media_load: options and the course of a run.
 *
 *   idle -> publishers live -> players connect -> settle -> measure -> drain
 *
 * CPU is taken over "measure" only; memory when the server is idle, when
 * the publishers are live, and at the end of "measure".  In "drain" nothing
 * is published any more, and each player must get what is still under way.
 */


#include "load.h"

#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>


#define LOAD_PUBLISH_WAIT  (10 * LOAD_SEC)
#define LOAD_TICK          (10 * LOAD_MS)


load_t  ld;

static uint64_t  load_ramp_start;


static void
load_signal(int signo)
{
    (void) signo;
    ld.stop = 1;
}


static const char  load_usage[] =
"usage: ngx_media_load [options]\n"
"  --rtmp A:P[,A:P...]   RTMP servers; players are spread over them\n"
"  --pub-rtmp A:P[,...]  where publishers connect [--rtmp]\n"
"  --http A:P[,...]      HTTP-FLV servers\n"
"  --app NAME            [live]\n"
"  --stream NAME         [bench]; with several streams NAME0, NAME1, ...\n"
"  --suffix TEXT         of the HTTP path /APP/STREAM [.flv]\n"
"  --publishers N        [1]; 0: the stream comes from elsewhere\n"
"  --streams N           streams that players are spread over [publishers]\n"
"  --rtmp-players N, --http-players N\n"
"  --hls-players N       clients of low-latency HLS, two connections each\n"
"  --get PATH --get-conns N   ask for it all the time, over kept connections\n"
"  --http10              HTTP/1.0, without chunks\n"
"  --stuck N, --slow N (--slow-rate BYTES/S), --pausing N\n"
"                        more players: that stop reading, that read slowly,\n"
"                        that pause and resume\n"
"  --churn N             more players a second: connect, keyframe, close\n"
"  --churn-http          over HTTP, also where there are no HTTP players\n"
"  --rate N              connects a second while players come [500]\n"
"  --bitrate KBIT [200]  --fps N [25]  --gop FRAMES [50]  --chunk N [60000]\n"
"  --ts-start MS         the publishers' first timestamp [0]\n"
"  --flv FILE [--loop]   publish, or expect, the frames of a file\n"
"  --duration S [5]      --settle S [1]  --drain MS [5000]\n"
"  --ramp-timeout S      how long all may take for a first keyframe [30]\n"
"  --sources N           connect from 127.0.1.1 .. N\n"
"  --pid PID[,PID...]    the server: its CPU and memory\n"
"  --strict              exit with 1 if any player missed anything\n"
"  --json  --quiet\n"
"  --floor               be the bare server: listens on --rtmp and --http,\n"
"  --interval MS         writes to each player this often; 0: each tag\n"
"  --fault drop|dup|swap|corrupt|time\n"
"                        of the floor: a fault in each 100 frames\n"
"  --drip N              more connections: a byte of handshake a second\n";


static const struct option  load_options[] = {
    { "rtmp",          1, NULL, 'r' },
    { "pub-rtmp",      1, NULL, 'R' },
    { "http",          1, NULL, 'h' },
    { "app",           1, NULL, 'a' },
    { "stream",        1, NULL, 's' },
    { "suffix",        1, NULL, 'x' },
    { "publishers",    1, NULL, 'p' },
    { "streams",       1, NULL, 'S' },
    { "rtmp-players",  1, NULL, 'm' },
    { "http-players",  1, NULL, 'k' },
    { "hls-players",   1, NULL, 'A' },
    { "get",           1, NULL, 'G' },
    { "get-conns",     1, NULL, 'N' },
    { "http10",        0, NULL, '0' },
    { "stuck",         1, NULL, 'u' },
    { "slow",          1, NULL, 'w' },
    { "slow-rate",     1, NULL, 'W' },
    { "pausing",       1, NULL, 'P' },
    { "churn",         1, NULL, 'c' },
    { "churn-http",    0, NULL, 'H' },
    { "rate",          1, NULL, 't' },
    { "bitrate",       1, NULL, 'b' },
    { "fps",           1, NULL, 'f' },
    { "gop",           1, NULL, 'g' },
    { "chunk",         1, NULL, 'C' },
    { "flv",           1, NULL, 'F' },
    { "loop",          0, NULL, 'L' },
    { "duration",      1, NULL, 'd' },
    { "settle",        1, NULL, 'e' },
    { "drain",         1, NULL, 'D' },
    { "ramp-timeout",  1, NULL, 'T' },
    { "sources",       1, NULL, 'o' },
    { "pid",           1, NULL, 'i' },
    { "strict",        0, NULL, 'z' },
    { "json",          0, NULL, 'j' },
    { "quiet",         0, NULL, 'q' },
    { "floor",         0, NULL, 'l' },
    { "interval",      1, NULL, 'v' },
    { "fault",         1, NULL, 'X' },
    { "drip",          1, NULL, 'y' },
    { "ts-start",      1, NULL, 'n' },
    { "help",          0, NULL, '?' },
    { NULL,            0, NULL, 0 }
};


static unsigned *
load_opt_number(int c)
{
    load_opt_t  *o;

    o = &ld.opt;

    switch (c) {
    case 'p':
        return &o->publishers;
    case 'S':
        return &o->streams;
    case 'm':
        return &o->rtmp_players;
    case 'k':
        return &o->http_players;
    case 'A':
        return &o->hls_players;
    case 'N':
        return &o->get_conns;
    case 'u':
        return &o->stuck;
    case 'w':
        return &o->slow;
    case 'W':
        return &o->slow_rate;
    case 'P':
        return &o->pausing;
    case 'c':
        return &o->churn;
    case 't':
        return &o->rate;
    case 'b':
        return &o->kbps;
    case 'f':
        return &o->fps;
    case 'g':
        return &o->gop;
    case 'C':
        return &o->chunk;
    case 'D':
        return &o->drain_ms;
    case 'o':
        return &o->sources;
    case 'v':
        return &o->interval;
    case 'y':
        return &o->drip;
    case 'n':
        return &o->ts_start;
    default:
        return NULL;
    }
}


static unsigned *
load_opt_flag(int c)
{
    load_opt_t  *o;

    o = &ld.opt;

    switch (c) {
    case '0':
        return &o->http10;
    case 'L':
        return &o->loop;
    case 'z':
        return &o->strict;
    case 'j':
        return &o->json;
    case 'q':
        return &o->quiet;
    case 'l':
        return &o->floor;
    case 'H':
        return &o->churn_http;
    default:
        return NULL;
    }
}


static int
load_opt_other(int c, char *arg)
{
    load_opt_t  *o;

    o = &ld.opt;

    switch (c) {
    case 'r':
        return load_addr_parse(&o->rtmp, arg);
    case 'R':
        return load_addr_parse(&o->pub_rtmp, arg);
    case 'h':
        return load_addr_parse(&o->http, arg);
    case 'a':
        o->app = arg;
        return LOAD_OK;
    case 's':
        o->stream = arg;
        return LOAD_OK;
    case 'x':
        o->http_suffix = arg;
        return LOAD_OK;
    case 'G':
        o->get = arg;
        return LOAD_OK;
    case 'X':
        o->fault = arg;
        return LOAD_OK;
    case 'F':
        return load_file_read(&ld.file, arg);
    case 'd':
        o->duration = atof(arg);
        return LOAD_OK;
    case 'e':
        o->settle = atof(arg);
        return LOAD_OK;
    case 'T':
        o->ramp_timeout = atof(arg);
        return LOAD_OK;
    case 'i':
        return load_acct_pids(arg);
    default:
        return LOAD_ERROR;
    }
}


static void
load_opt_defaults(void)
{
    load_opt_t  *o;

    o = &ld.opt;

    o->app = "live";
    o->stream = "bench";
    o->http_suffix = ".flv";
    o->publishers = 1;
    o->slow_rate = 4000;
    o->rate = 500;
    o->kbps = 200;
    o->fps = 25;
    o->gop = 50;
    o->chunk = 60000;
    o->drain_ms = 5000;
    o->duration = 5;
    o->settle = 1;
    o->ramp_timeout = 30;
    o->sources = 1;
    o->get_conns = 16;
}


/* what the options demand of each other */

static int
load_opt_check(void)
{
    load_opt_t  *o;

    o = &ld.opt;

    if (o->streams == 0) {
        o->streams = o->publishers ? o->publishers : 1;
    }

    ld.nplayers = o->rtmp_players + o->http_players + o->stuck + o->slow
                  + o->pausing;

    if ((o->rtmp_players || o->pausing || (o->publishers && !o->floor
                                           && o->pub_rtmp.n == 0))
        && o->rtmp.n == 0)
    {
        fprintf(stderr, "--rtmp is needed\n");
        return LOAD_ERROR;
    }

    if ((o->http_players || o->hls_players || o->get) && o->http.n == 0) {
        fprintf(stderr, "--http is needed\n");
        return LOAD_ERROR;
    }

    if (o->rtmp.n + o->http.n + o->pub_rtmp.n == 0
        || o->fps == 0 || o->gop == 0 || o->rate == 0 || o->chunk < 128
        || o->publishers > o->streams
        || (ld.file.n && o->hls_players)
        || (ld.file.n && o->publishers > 1))
    {
        fprintf(stderr, "options contradict each other\n");
        return LOAD_ERROR;
    }

    return LOAD_OK;
}


static int
load_opt_parse(int argc, char **argv)
{
    int        c;
    unsigned  *n;

    load_opt_defaults();

    while ((c = getopt_long(argc, argv, "", load_options, NULL)) != -1) {

        n = load_opt_number(c);
        if (n) {
            *n = (unsigned) strtoul(optarg, NULL, 10);
            continue;
        }

        n = load_opt_flag(c);
        if (n) {
            *n = 1;
            continue;
        }

        if (load_opt_other(c, optarg) != LOAD_OK) {
            fputs(load_usage, stderr);
            return LOAD_ERROR;
        }
    }

    if (optind != argc) {
        fputs(load_usage, stderr);
        return LOAD_ERROR;
    }

    return load_opt_check();
}


/*
 * Player i: RTMP and HTTP players are mixed evenly, those that misbehave
 * come last.  A slow or stuck one takes RTMP or HTTP in turn.
 */

static void
load_open_player(unsigned i)
{
    int           http;
    uint64_t      k, n;
    unsigned      j;
    load_opt_t   *o;
    load_role_e   role;

    o = &ld.opt;
    k = o->http_players;
    n = o->rtmp_players + k;

    if (i < n) {
        role = LOAD_NORMAL;
        http = (i + 1) * k / n != i * k / n;

    } else {
        j = i - (unsigned) n;
        role = j < o->stuck ? LOAD_STUCK
               : j < o->stuck + o->slow ? LOAD_SLOW : LOAD_PAUSING;
        http = role != LOAD_PAUSING && o->http.n
               && (o->rtmp.n == 0 || (j & 1));
    }

    (void) load_player_open(&ld.players[i], http, i % o->streams, role);
}


/* opens the players that are due; returns when the next one is */

static uint64_t
load_ramp(uint64_t now)
{
    uint64_t  due;

    for ( ;; ) {
        if (load_ramp_start == 0 || ld.started == ld.nplayers) {
            return UINT64_MAX;
        }

        due = load_ramp_start + ld.started * LOAD_SEC / ld.opt.rate;

        if (due > now) {
            return due;
        }

        load_open_player(ld.started++);
    }
}


/* the loop of every phase: until the time, or until done() says so */

static void
load_run(uint64_t until, int (*done)(void))
{
    uint64_t  now, next, t;

    while (!ld.stop && (now = load_now()) < until) {

        if (done && done()) {
            return;
        }

        next = now + LOAD_TICK < until ? now + LOAD_TICK : until;

        if (ld.publishing) {
            t = load_pub_tick(now);

            if (ld.opt.publishers > 8 && t < now + LOAD_MS) {
                t = now + LOAD_MS;
            }

            next = t < next ? t : next;
        }

        t = load_ramp(now);
        next = t < next ? t : next;

        load_player_tick(now);
        load_drip_tick(now);

        if (ld.ramped && (load_hls_tick(now) != LOAD_OK
                          || load_get_tick(now) != LOAD_OK))
        {
            return;
        }

        if (ld.measuring && ld.opt.churn) {
            load_player_churn(now);
        }

        if (load_loop_run_once(next) != LOAD_OK) {
            return;
        }
    }
}


static int
load_all_live(void)
{
    return (ld.live >= ld.nplayers
            || (ld.nplayers && ld.stat.refused >= ld.nplayers))
           && load_hls_live() >= ld.opt.hls_players;
}


static int
load_none_behind(void)
{
    return load_player_behind() == 0 && load_hls_behind() == 0;
}


static uint64_t
load_ns(double seconds)
{
    return (uint64_t) (seconds * (double) LOAD_SEC);
}


static int
load_start_publishers(void)
{
    unsigned  i;

    for (i = 0; i < ld.opt.publishers; i++) {
        if (load_pub_open(&ld.pubs[i], i) != LOAD_OK) {
            return LOAD_ERROR;
        }

        if (i % 64 == 63) {      /* let the server accept */
            load_run(load_now() + 5 * LOAD_MS, NULL);
        }
    }

    ld.publishing = 1;
    load_run(load_now() + LOAD_PUBLISH_WAIT, load_pub_all_live);

    if (!load_pub_all_live()) {
        fprintf(stderr, "not all publishers could publish\n");
        return LOAD_ERROR;
    }

    return LOAD_OK;
}


static double
load_own_cpu(void)
{
    struct rusage  ru;

    getrusage(RUSAGE_SELF, &ru);

    return (double) (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec)
           + (double) (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}


static void
load_measure(load_result_t *r)
{
    double    own, machine;
    uint64_t  t;

    load_acct_read(&r->begin, 0);
    own = load_own_cpu();
    machine = load_acct_machine();
    t = load_now();
    r->measured = ld.live + load_hls_live();
    ld.measuring = 1;

    load_run(t + load_ns(ld.opt.duration), NULL);

    ld.measuring = 0;
    load_acct_read(&r->end, 0);
    r->seconds = (double) (load_now() - t) / (double) LOAD_SEC;
    r->own_cpu = (load_own_cpu() - own) / r->seconds;
    r->machine_cpu = (load_acct_machine() - machine) / r->seconds;
}


static void
load_drain(load_result_t *r)
{
    unsigned  i;

    ld.publishing = 0;

    for (i = 0; i < ld.opt.publishers; i++) {
        r->frames_published += ld.pubs[i].sent;

        if (ld.file.n == 0) {
            ld.max_seq[i] = ld.pubs[i].gen.seq;
        }
    }

    load_run(load_now() + ld.opt.drain_ms * LOAD_MS, load_none_behind);
    load_player_finish();
    load_hls_finish();
}


static int
load_course(void)
{
    uint64_t       t;
    load_result_t  r;

    memset(&r, 0, sizeof(r));

    load_acct_read(&r.idle, 1);

    if (load_start_publishers() != LOAD_OK) {
        return 2;
    }

    load_run(load_now() + load_ns(ld.opt.settle), NULL);
    load_acct_read(&r.published, 1);

    if (ld.nplayers || ld.opt.hls_players || ld.opt.get) {
        t = load_now();
        ld.ramped = 1;
        load_ramp_start = ld.nplayers ? t : 0;
        load_run(t + load_ns(ld.opt.ramp_timeout), load_all_live);
        r.ramp_seconds = (double) (load_now() - t) / (double) LOAD_SEC;
        load_run(load_now() + load_ns(ld.opt.settle), NULL);
    }

    load_measure(&r);
    load_acct_read(&r.after, 1);
    load_drain(&r);

    return load_report(&r);
}


int
main(int argc, char **argv)
{
    int            rc;
    struct rlimit  rl;

    if (load_opt_parse(argc, argv) != LOAD_OK) {
        return 2;
    }

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &rl);
    }

    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, load_signal);
    signal(SIGTERM, load_signal);

    if (load_loop_init() != LOAD_OK) {
        return 2;
    }

    if (ld.opt.floor) {
        return load_floor_run() == LOAD_OK ? 0 : 2;
    }

    ld.pubs = calloc(ld.opt.publishers + 1, sizeof(load_pub_t));
    ld.players = calloc(ld.nplayers + 1, sizeof(load_player_t));
    ld.max_seq = calloc(ld.opt.streams, sizeof(uint64_t));

    if (ld.pubs == NULL || ld.players == NULL || ld.max_seq == NULL) {
        return 2;
    }

    rc = load_course();

    return ld.stop ? 130 : rc;
}
