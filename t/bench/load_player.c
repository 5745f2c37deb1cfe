
/*
 * Copyright (C) the nginx media suite authors
 *
 * Players: they hand each tag to the checker; some misbehave on purpose
 * (load_role_e).  ld.players are there for the whole run; churn players
 * come and go, and live in a list of their own.
 */


#include "load.h"


#define LOAD_SLOW_RCVBUF   8192
#define LOAD_SLOW_STEP     (100 * LOAD_MS)
#define LOAD_PAUSE_STEP    (1500 * LOAD_MS)


static load_player_t  *load_churn_list;


static void
load_player_detach(load_player_t *p)
{
    p->conn = NULL;
    p->rtmp = NULL;
    p->http = NULL;
}


static void
load_player_lost(load_player_t *p)
{
    load_conn_t  *c;

    c = p->conn;

    if (p->http && p->http->status && p->http->status != 200) {
        ld.stat.refused++;

    } else if (c->broken) {
        ld.stat.protocol++;

    } else if (!p->check.running) {
        ld.stat.refused++;

    } else if (p->role == LOAD_NORMAL || p->role == LOAD_CHURN) {
        ld.stat.early_close++;

    } else {
        ld.stat.cut++;
    }

    ld.stat.bytes += c->received;
    load_player_detach(p);
}


static void
load_player_rtmp_closed(load_conn_t *c)
{
    load_rtmp_t  *r;

    r = c->data;
    load_player_lost(r->data);
}


static void
load_player_http_closed(load_conn_t *c)
{
    load_http_t  *h;

    h = c->data;
    load_player_lost(h->data);
}


/* the first keyframe is in: from now on the role shows */

static void
load_player_started(load_player_t *p, uint64_t now)
{
    uint64_t  us;

    us = (now - p->conn->opened) / 1000;
    p->counted = 1;

    switch (p->role) {

    case LOAD_CHURN:
        load_hist_add(&ld.stat.first_churn, us);
        ld.stat.bytes += p->conn->received;
        load_close(p->conn);
        load_player_detach(p);
        return;

    case LOAD_STUCK:
    case LOAD_SLOW:
        load_read_enable(p->conn, 0);
        break;

    case LOAD_PAUSING:
        p->next_act = now + LOAD_PAUSE_STEP;
        break;

    default:
        break;
    }

    load_hist_add(&ld.stat.first, us);
    ld.live++;
}


static int
load_player_tag(load_player_t *p, unsigned type, uint32_t ts, u_char *data,
    size_t n)
{
    uint64_t  now;

    now = load_now();

    load_check_tag(&p->check, p->stream, type, ts, data, n, now);

    if (p->check.running && !p->counted) {
        load_player_started(p, now);
    }

    return LOAD_OK;
}


static int
load_player_rtmp_tag(load_rtmp_t *r, unsigned type, uint32_t ts, u_char *p,
    size_t n)
{
    return load_player_tag(r->data, type, ts, p, n);
}


static int
load_player_http_tag(load_http_t *h, unsigned type, uint32_t ts, u_char *p,
    size_t n)
{
    return load_player_tag(h->data, type, ts, p, n);
}


static void
load_player_name(char *dst, size_t size, uint32_t stream)
{
    if (ld.opt.streams > 1) {
        snprintf(dst, size, "%s%u", ld.opt.stream, stream);

    } else {
        snprintf(dst, size, "%s", ld.opt.stream);
    }
}


int
load_player_open(load_player_t *p, int http, uint32_t stream,
    load_role_e role)
{
    int            small;
    char           name[64], path[192];
    load_conn_t   *c;
    load_addrs_t  *a;

    static unsigned  serial;

    memset(p, 0, sizeof(load_player_t));

    p->stream = stream;
    p->role = role;
    p->check.may_jump = (role != LOAD_NORMAL && role != LOAD_CHURN);

    small = (role == LOAD_STUCK || role == LOAD_SLOW) ? LOAD_SLOW_RCVBUF : 0;
    a = http ? &ld.opt.http : &ld.opt.rtmp;

    c = load_connect(&a->sa[serial % (unsigned) a->n], serial, small);
    serial++;

    if (c == NULL) {
        return LOAD_ERROR;
    }

    p->conn = c;
    load_player_name(name, sizeof(name), stream);

    if (http) {
        snprintf(path, sizeof(path), "/%s/%s%s", ld.opt.app, name,
                 ld.opt.http_suffix);

        p->http = load_http_client(c, path, ld.opt.http10);
        p->http->tag = load_player_http_tag;
        p->http->data = p;
        c->closed = load_player_http_closed;
        return LOAD_OK;
    }

    p->rtmp = load_rtmp_client(c, 0, ld.opt.app, name);
    p->rtmp->tag = load_player_rtmp_tag;
    p->rtmp->data = p;
    c->closed = load_player_rtmp_closed;

    return LOAD_OK;
}


/* slow readers and pausing players; every 100 ms */

void
load_player_tick(uint64_t now)
{
    unsigned        i;
    load_player_t  *p;

    static uint64_t  next;

    if (now < next || ld.opt.slow + ld.opt.pausing == 0) {
        return;
    }

    next = now + LOAD_SLOW_STEP;

    for (i = 0; i < ld.started; i++) {
        p = &ld.players[i];

        if (p->conn == NULL || !p->counted) {
            continue;
        }

        if (p->role == LOAD_SLOW) {
            load_read_some(p->conn, ld.opt.slow_rate / 10);
        }

        if (p->role == LOAD_PAUSING && p->rtmp && now >= p->next_act) {
            p->paused = !p->paused;
            p->next_act = now + LOAD_PAUSE_STEP;
            (void) load_rtmp_pause(p->rtmp, p->paused, p->check.ts_last);
        }
    }
}


/* opens churn players at their rate and frees those that are done */

void
load_player_churn(uint64_t now)
{
    int             http;
    load_player_t  *p, **prev;

    static unsigned  n;
    static uint64_t  next;

    if (now < next) {
        return;
    }

    next = (next ? next : now) + LOAD_SEC / ld.opt.churn;

    for (prev = &load_churn_list; *prev; /* void */) {
        p = *prev;

        if (p->conn == NULL) {
            *prev = p->next;
            free(p);
            continue;
        }

        prev = &p->next;
    }

    p = malloc(sizeof(load_player_t));
    if (p == NULL) {
        return;
    }

    http = ld.opt.churn_http
           || (ld.opt.rtmp_players == 0 && ld.opt.http_players);

    if (ld.opt.rtmp_players && ld.opt.http_players) {
        http = n & 1;
    }

    if (load_player_open(p, http, n++ % ld.opt.streams, LOAD_CHURN)
        != LOAD_OK)
    {
        free(p);
        return;
    }

    p->next = load_churn_list;
    load_churn_list = p;
}


/* connections that send a byte of handshake, or of a request, a second */

static void
load_drip_closed(load_conn_t *c)
{
    load_conn_t  **slot;

    slot = c->data;
    *slot = NULL;
    ld.stat.drip_cut++;
}


static ssize_t
load_drip_input(load_conn_t *c, u_char *p, size_t n)
{
    (void) c;
    (void) p;

    return (ssize_t) n;
}


void
load_drip_tick(uint64_t now)
{
    unsigned       i;
    load_conn_t   *c;
    load_addrs_t  *a;

    static uint64_t       next;
    static load_conn_t  **drips;

    if (ld.opt.drip == 0 || !ld.started || now < next) {
        return;
    }

    next = now + LOAD_SEC;

    if (drips == NULL) {
        drips = calloc(ld.opt.drip, sizeof(load_conn_t *));

        for (i = 0; drips && i < ld.opt.drip; i++) {
            a = ld.opt.rtmp.n ? &ld.opt.rtmp : &ld.opt.http;
            c = load_connect(&a->sa[i % (unsigned) a->n], i, 0);
            drips[i] = c;

            if (c) {
                c->input = load_drip_input;
                c->closed = load_drip_closed;
                c->data = &drips[i];
            }
        }

        return;
    }

    for (i = 0; i < ld.opt.drip; i++) {
        if (drips[i] && !drips[i]->connecting) {
            (void) load_write(drips[i], ld.opt.rtmp.n ? "\3" : "G", 1);
        }
    }
}


/* how many players lack the end of their stream? */

unsigned
load_player_behind(void)
{
    unsigned        i, n;
    load_player_t  *p;

    for (n = 0, i = 0; i < ld.started; i++) {
        p = &ld.players[i];

        if (p->role == LOAD_NORMAL && p->conn && p->check.running
            && p->check.next < ld.max_seq[p->stream])
        {
            n++;
        }
    }

    return n;
}


/* counts what players lack at the end, and their bytes */

void
load_player_finish(void)
{
    unsigned        i;
    load_player_t  *p;

    for (i = 0; i < ld.started; i++) {
        p = &ld.players[i];

        if (p->conn == NULL) {
            continue;
        }

        ld.stat.bytes += p->conn->received;

        if (!p->check.running) {
            ld.stat.no_key++;
            continue;
        }

        if (p->role == LOAD_NORMAL
            && p->check.next < ld.max_seq[p->stream])
        {
            ld.stat.tail_missing += ld.max_seq[p->stream] - p->check.next;
        }
    }
}
