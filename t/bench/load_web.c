
/*
 * Copyright (C) the nginx media suite authors
 *
 * HTTP/1.1 with keep-alive for the load tool: one request at a time on a
 * connection, the answer whole.  HLS clients (load_hls.c) have two of them;
 * --get asks for one name as fast as it is answered.
 *
 * A connection that ends while no answer has begun is opened again and the
 * request repeated, as every client does (RFC 9110, 9.2.2): the server is
 * free to close an idle one.  One that ends within an answer is repeated too,
 * but counted as cut.
 *
 * RFC 9112: 4 status line, 6.2 Content-Length, 9.3 persistence.
 */


#include "load.h"

#include <strings.h>


#define LOAD_WEB_HEAD_MAX  16384
#define LOAD_WEB_AGAIN     (50 * LOAD_MS)


static load_web_t  *load_gets;


static void load_web_send(load_web_t *w);


/* the head's length; 0: not whole yet */

static ssize_t
load_web_head(u_char *p, size_t n, load_answer_t *a)
{
    char    *line, *next, *last;
    u_char  *end;

    end = memmem(p, n, "\r\n\r\n", 4);
    if (end == NULL) {
        return n > LOAD_WEB_HEAD_MAX ? LOAD_ERROR : 0;
    }

    memset(a, 0, sizeof(load_answer_t));
    last = (char *) end;

    if (n < 12 || memcmp(p, "HTTP/1.1 ", 9) != 0) {
        return LOAD_ERROR;
    }

    a->status = atoi((char *) p + 9);
    a->len = (size_t) -1;

    for (line = (char *) p; line; line = next) {
        next = memmem(line, (size_t) (last - line), "\r\n", 2);
        next = next ? next + 2 : NULL;

        if (strncasecmp(line, "Content-Length:", 15) == 0) {
            a->len = strtoul(line + 15, NULL, 10);

        } else if (strncasecmp(line, "Connection: close", 17) == 0) {
            a->last = 1;
        }
    }

    if (a->len == (size_t) -1) {
        return LOAD_ERROR;
    }

    return end + 4 - p;
}


static ssize_t
load_web_input(load_conn_t *c, u_char *p, size_t n)
{
    ssize_t        head;
    load_web_t    *w;
    load_answer_t  a;

    w = c->data;

    if (!w->busy) {
        return LOAD_ERROR;
    }

    head = load_web_head(p, n, &a);

    if (head <= 0 || n < (size_t) head + a.len) {
        return head < 0 ? LOAD_ERROR : 0;
    }

    a.body = p + head;
    a.arrived = c->stamp;
    a.asked = w->asked;
    w->busy = 0;

    if (a.last) {
        w->conn = NULL;
        load_close(c);
    }

    ld.stat.bytes += (uint64_t) head + a.len;
    w->answer(w, &a);

    return head + (ssize_t) a.len;
}


static void
load_web_closed(load_conn_t *c)
{
    load_web_t  *w;

    w = c->data;
    w->conn = NULL;

    if (!w->busy) {
        return;
    }

    if (c->broken) {
        ld.stat.protocol++;

    } else if (c->rest_len) {
        ld.stat.web_cut++;

    } else {
        ld.stat.web_again++;
    }

    w->again = load_now() + (c->connecting ? LOAD_WEB_AGAIN : 0);
}


static void
load_web_connected(load_conn_t *c)
{
    load_web_t  *w;

    w = c->data;
    load_stamp(c);

    if (w->busy) {
        load_web_send(w);
    }
}


static void
load_web_send(load_web_t *w)
{
    int   n;
    char  buf[512];

    n = snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 "User-Agent: ngx_media_load\r\n\r\n", w->path);

    (void) load_write(w->conn, buf, (size_t) n);
}


/* asks for w->path; w->answer() is called once, whatever happens between */

void
load_web_get(load_web_t *w)
{
    load_addrs_t  *a;

    a = &ld.opt.http;

    if (!w->busy) {
        w->asked = load_now();
        w->busy = 1;
    }

    w->again = 0;

    if (w->conn) {
        load_web_send(w);
        return;
    }

    w->conn = load_connect(&a->sa[w->serial % (unsigned) a->n], w->serial, 0);

    if (w->conn == NULL) {
        w->again = load_now() + LOAD_WEB_AGAIN;
        return;
    }

    w->conn->data = w;
    w->conn->input = load_web_input;
    w->conn->closed = load_web_closed;
    w->conn->connected = load_web_connected;
}


/* a request whose connection was lost, or one put off by its owner */

void
load_web_tick(load_web_t *w, uint64_t now)
{
    if (w->again && w->again <= now) {
        load_web_get(w);
    }
}


static void
load_get_answer(load_web_t *w, load_answer_t *a)
{
    if (a->status != 200) {
        ld.stat.web_status++;
        w->again = load_now() + LOAD_WEB_AGAIN;
        return;
    }

    if (ld.measuring) {
        ld.stat.gets++;
        ld.stat.get_bytes += a->len;
        load_hist_add(&ld.stat.get_time, a->arrived > a->asked
                      ? (a->arrived - a->asked) / 1000 : 0);
    }

    load_web_get(w);
}


/* --get: opens its connections at the first call */

int
load_get_tick(uint64_t now)
{
    unsigned  i;

    if (ld.opt.get == NULL) {
        return LOAD_OK;
    }

    if (load_gets == NULL) {
        load_gets = calloc(ld.opt.get_conns, sizeof(load_web_t));
        if (load_gets == NULL) {
            return LOAD_ERROR;
        }

        for (i = 0; i < ld.opt.get_conns; i++) {
            load_gets[i].serial = i;
            load_gets[i].answer = load_get_answer;
            snprintf(load_gets[i].path, sizeof(load_gets[i].path), "%s",
                     ld.opt.get);
            load_web_get(&load_gets[i]);
        }
    }

    for (i = 0; i < ld.opt.get_conns; i++) {
        load_web_tick(&load_gets[i], now);
    }

    return LOAD_OK;
}
