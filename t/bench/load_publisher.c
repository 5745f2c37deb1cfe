
/*
 * Copyright (C) the nginx media suite authors
 *
 * Publishers: synthetic streams (load_frame.c) or a file, in real time over
 * RTMP.  load_pub_tick() sends what is due and says when to come again;
 * load_main.c calls it each round.
 */


#include "load.h"


static void
load_pub_ready(load_rtmp_t *r)
{
    size_t       i, n;
    load_pub_t  *p;
    load_tag_t   buf[8], *tags;

    p = r->data;
    p->live = 1;

    /* the streams' frames are spread over a frame's time */

    p->start = load_now() + p->gen.stream * (LOAD_SEC / ld.opt.fps)
                            / ld.opt.publishers;

    if (ld.file.n) {
        tags = ld.file.headers;
        n = ld.file.nheaders;

    } else {
        tags = buf;
        n = load_gen_headers(buf, 8);
    }

    for (i = 0; i < n; i++) {
        (void) load_rtmp_send(r, tags[i].type == LOAD_TAG_VIDEO ? 6 : 4,
                              tags[i].type, r->msid, ld.opt.ts_start,
                              tags[i].data, tags[i].len);
    }
}


static void
load_pub_closed(load_conn_t *c)
{
    load_pub_t   *p;
    load_rtmp_t  *r;

    r = c->data;
    p = r->data;

    if (!ld.opt.quiet) {
        fprintf(stderr, "publisher %u: closed by the server\n",
                p->gen.stream);
    }

    p->rtmp = NULL;
    p->live = 0;
    ld.stat.pub_closed++;
}


int
load_pub_open(load_pub_t *p, unsigned n)
{
    char           name[64];
    load_conn_t   *c;
    load_addrs_t  *a;

    memset(p, 0, sizeof(load_pub_t));

    if (load_gen_init(&p->gen, n) != LOAD_OK) {
        return LOAD_ERROR;
    }

    a = ld.opt.pub_rtmp.n ? &ld.opt.pub_rtmp : &ld.opt.rtmp;

    c = load_connect(&a->sa[n % (unsigned) a->n], n, 0);
    if (c == NULL) {
        return LOAD_ERROR;
    }

    if (ld.opt.streams > 1) {
        snprintf(name, sizeof(name), "%s%u", ld.opt.stream, n);

    } else {
        snprintf(name, sizeof(name), "%s", ld.opt.stream);
    }

    p->rtmp = load_rtmp_client(c, 1, ld.opt.app, name);
    if (p->rtmp == NULL) {
        return LOAD_ERROR;
    }

    p->rtmp->data = p;
    p->rtmp->ready = load_pub_ready;
    c->closed = load_pub_closed;

    return LOAD_OK;
}


static uint64_t
load_pub_due(load_pub_t *p)
{
    load_file_t  *f;

    f = &ld.file;

    if (f->n == 0) {
        return p->start + load_gen_due(&p->gen);
    }

    if (p->file_pos == f->n) {
        if (!ld.opt.loop) {
            return UINT64_MAX;
        }

        p->file_pos = 0;
        p->file_base += f->duration;
    }

    return p->start + LOAD_MS * (p->file_base + f->tags[p->file_pos].ts
                                 - f->tags[0].ts);
}


static void
load_pub_send(load_pub_t *p, uint64_t now)
{
    load_tag_t  tag;

    if (ld.file.n) {
        tag = ld.file.tags[p->file_pos];
        tag.seq = p->file_pos;
        tag.ts = p->file_base + tag.ts - ld.file.tags[0].ts;
        ld.file.sent[p->file_pos++] = now;

    } else {
        load_gen_next(&p->gen, now, &tag);
    }

    if (p->rtmp->conn->out_len) {
        ld.stat.pub_blocked++;
    }

    tag.ts += ld.opt.ts_start;

    load_part_sent(p->gen.stream, tag.seq, tag.type == LOAD_TAG_VIDEO, now);

    p->sent++;
    p->key_sent |= tag.key;

    (void) load_rtmp_send(p->rtmp, tag.type == LOAD_TAG_VIDEO ? 6 : 4,
                          tag.type, p->rtmp->msid, tag.ts, tag.data,
                          tag.len);
}


/* sends what is due; returns when the next frame is */

uint64_t
load_pub_tick(uint64_t now)
{
    unsigned     i;
    uint64_t     due, next;
    load_pub_t  *p;

    next = UINT64_MAX;

    for (i = 0; i < ld.opt.publishers; i++) {
        p = &ld.pubs[i];

        if (!p->live) {
            continue;
        }

        while (p->live && (due = load_pub_due(p)) <= now) {
            load_pub_send(p, load_now());
        }

        if (p->live && due < next) {
            next = due;
        }
    }

    return next;
}


int
load_pub_all_live(void)
{
    unsigned  i;

    for (i = 0; i < ld.opt.publishers; i++) {
        if (!ld.pubs[i].key_sent) {
            return 0;
        }
    }

    return 1;
}
