
/*
 * Copyright (C) the nginx media suite authors
 *
 * The floor: the least a server can do.  It makes one stream itself, keeps
 * its bytes once, already in the form of RTMP chunks and of FLV tags, and
 * every --interval ms (0: at each tag) gives each player what is new with
 * one writev().  A server's cost per player is measured against it.
 *
 * The bytes lie in a ring that is mapped twice in a row, so that any part
 * of it is one piece of memory.  Positions are counted from the start and
 * never wrap.  A new player starts at the last keyframe.
 */


#include "load.h"

#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>


#define LOAD_RING  (16u * 1024 * 1024)


typedef struct load_out_s  load_out_t;

typedef struct {
    u_char         *base;
    uint64_t        head;        /* written so far */
    uint64_t        key;         /* where the last keyframe starts */
    u_char          intro[512];  /* configurations, for a new player */
    size_t          intro_len;
} load_ring_t;

struct load_out_s {
    load_conn_t    *conn;
    load_ring_t    *ring;
    uint64_t        pos;
    unsigned        chunked:1;
    unsigned        closed:1;
};


static load_ring_t   load_ring[2];           /* RTMP, FLV */
static load_out_t  **load_outs;
static unsigned      load_nouts, load_outs_size;
static load_gen_t    load_floor_gen;


static int
load_ring_init(load_ring_t *r)
{
    int    fd;
    void  *p;

    fd = memfd_create("floor", MFD_CLOEXEC);

    if (fd == -1 || ftruncate(fd, LOAD_RING) == -1) {
        return LOAD_ERROR;
    }

    p = mmap(NULL, 2 * (size_t) LOAD_RING, PROT_NONE,
             MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        return LOAD_ERROR;
    }

    r->base = p;

    if (mmap(r->base, LOAD_RING, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED,
             fd, 0) == MAP_FAILED
        || mmap(r->base + LOAD_RING, LOAD_RING, PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_FIXED, fd, 0) == MAP_FAILED)
    {
        return LOAD_ERROR;
    }

    close(fd);

    return LOAD_OK;
}


static size_t
load_flv_tag(u_char *dst, load_tag_t *t)
{
    u_char  *p;

    p = dst;
    *p++ = t->type;
    p = load_put_be(p, (uint32_t) t->len, 3);
    p = load_put_be(p, t->ts & 0xffffff, 3);
    *p++ = (u_char) (t->ts >> 24);
    p = load_put_be(p, 0, 3);
    memcpy(p, t->data, t->len);
    p = load_put_be(p + t->len, (uint32_t) t->len + 11, 4);

    return (size_t) (p - dst);
}


static size_t
load_rtmp_tag(u_char *dst, load_tag_t *t)
{
    return load_rtmp_frame(dst, ld.opt.chunk,
                           t->type == LOAD_TAG_VIDEO ? 6 : 4, t->type, 1,
                           t->ts, t->data, t->len);
}


static void
load_floor_intro(void)
{
    size_t        i, n;
    load_tag_t    t[3];
    load_ring_t  *rtmp, *flv;

    rtmp = &load_ring[0];
    flv = &load_ring[1];

    memcpy(flv->intro, "FLV\1\5\0\0\0\11\0\0\0\0", 13);
    flv->intro_len = 13;

    n = load_gen_headers(t, 3);

    for (i = 0; i < n; i++) {
        rtmp->intro_len += load_rtmp_tag(rtmp->intro + rtmp->intro_len,
                                         &t[i]);
        flv->intro_len += load_flv_tag(flv->intro + flv->intro_len, &t[i]);
    }
}


static void
load_floor_close(load_out_t *o)
{
    if (!o->closed) {
        o->closed = 1;
        load_close(o->conn);
    }
}


/*
 * What is new, in one writev(); a socket that is full is tried again with
 * the next round, so an HTTP chunk is only begun when all of it was taken.
 */

static void
load_floor_write(load_out_t *o)
{
    int            n, len;
    char           head[16];
    size_t         size;
    ssize_t        sent;
    struct iovec   iov[3];

    if (o->closed || o->pos == o->ring->head || o->conn->out_len) {
        return;
    }

    size = (size_t) (o->ring->head - o->pos);

    if (size > LOAD_RING / 2) {
        load_floor_close(o);
        return;
    }

    n = 0;
    len = 0;

    if (o->chunked) {
        len = snprintf(head, sizeof(head), "%zx\r\n", size);
        iov[n].iov_base = head;
        iov[n++].iov_len = (size_t) len;
    }

    iov[n].iov_base = o->ring->base + o->pos % LOAD_RING;
    iov[n++].iov_len = size;

    if (o->chunked) {
        iov[n].iov_base = (void *) "\r\n";
        iov[n++].iov_len = 2;
        size += (size_t) len + 2;
    }

    sent = writev(o->conn->fd, iov, n);

    if (sent == -1) {
        if (errno != EAGAIN) {
            load_floor_close(o);
        }

        return;
    }

    if (!o->chunked) {
        o->pos += (uint64_t) sent;
        return;
    }

    o->pos = o->ring->head;

    for (n = 0; n < 3; n++) {    /* the rest of the chunk is queued */

        if ((size_t) sent >= iov[n].iov_len) {
            sent -= (ssize_t) iov[n].iov_len;
            continue;
        }

        if (load_write(o->conn, (u_char *) iov[n].iov_base + sent,
                       iov[n].iov_len - (size_t) sent) != LOAD_OK)
        {
            load_floor_close(o);
            return;
        }

        sent = 0;
    }
}


static void
load_floor_lost(load_out_t *o)
{
    o->closed = 1;
}


static void
load_floor_rtmp_closed(load_conn_t *c)
{
    load_rtmp_t  *r;

    r = c->data;

    if (r->data) {
        load_floor_lost(r->data);
    }
}


static void
load_floor_http_closed(load_conn_t *c)
{
    if (c->data) {
        load_floor_lost(c->data);
    }
}


static load_out_t *
load_floor_start(load_conn_t *c, load_ring_t *ring)
{
    load_out_t  *o, **outs;

    if (load_nouts == load_outs_size) {
        load_outs_size = load_outs_size * 2 + 64;
        outs = realloc(load_outs, load_outs_size * sizeof(load_out_t *));
        if (outs == NULL) {
            return NULL;
        }

        load_outs = outs;
    }

    o = calloc(1, sizeof(load_out_t));
    if (o == NULL) {
        return NULL;
    }

    o->conn = c;
    o->ring = ring;
    o->pos = ring->key;
    load_outs[load_nouts++] = o;

    return o;
}


static void
load_floor_play(load_rtmp_t *r)
{
    load_ring_t  *ring;

    ring = &load_ring[0];

    if (r->data || load_write(r->conn, ring->intro, ring->intro_len)
                   != LOAD_OK)
    {
        return;
    }

    r->data = load_floor_start(r->conn, ring);

    if (r->data) {
        load_floor_write(r->data);
    }
}


/* any GET is for the stream */

static ssize_t
load_floor_http_input(load_conn_t *c, u_char *p, size_t n)
{
    int           http10;
    char          head[192];
    load_out_t   *o;
    load_ring_t  *ring;

    if (c->data || memmem(p, n, "\r\n\r\n", 4) == NULL) {
        return c->data ? (ssize_t) n : 0;
    }

    http10 = memmem(p, n, " HTTP/1.0\r\n", 11) != NULL;
    ring = &load_ring[1];
    o = load_floor_start(c, ring);

    if (o == NULL) {
        return LOAD_ERROR;
    }

    c->data = o;
    o->chunked = !http10;

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n"
             "Content-Type: video/x-flv\r\n%s\r\n%zx\r\n",
             http10 ? "Connection: close\r\n"
                    : "Transfer-Encoding: chunked\r\n",
             ring->intro_len);

    if (http10) {                /* without the chunk's size */
        strstr(head, "\r\n\r\n")[4] = '\0';
    }

    if (load_write(c, head, strlen(head)) != LOAD_OK
        || load_write(c, ring->intro, ring->intro_len) != LOAD_OK
        || (!http10 && load_write(c, "\r\n", 2) != LOAD_OK))
    {
        return LOAD_ERROR;
    }

    load_floor_write(o);

    return (ssize_t) n;
}


static void
load_floor_accept_rtmp(int fd)
{
    load_conn_t  *c;
    load_rtmp_t  *r;

    c = load_conn_add(fd);
    r = c ? load_rtmp_server(c) : NULL;

    if (r) {
        r->ready = load_floor_play;
        c->closed = load_floor_rtmp_closed;
    }
}


static void
load_floor_accept_http(int fd)
{
    load_conn_t  *c;

    c = load_conn_add(fd);

    if (c) {
        c->input = load_floor_http_input;
        c->closed = load_floor_http_closed;
    }
}


static void
load_floor_put(load_tag_t *t)
{
    load_ring_t  *rtmp, *flv;

    rtmp = &load_ring[0];
    flv = &load_ring[1];

    if (t->key) {
        rtmp->key = rtmp->head;
        flv->key = flv->head;
    }

    rtmp->head += load_rtmp_tag(rtmp->base + rtmp->head % LOAD_RING, t);
    flv->head += load_flv_tag(flv->base + flv->head % LOAD_RING, t);
}


/* a fault every 100 frames, to see whether the players find it */

static int
load_floor_fault(load_tag_t *t)
{
    const char  *fault;

    static u_char      held[64 * 1024];
    static load_tag_t  last;

    fault = ld.opt.fault;

    if (last.data) {             /* "swap": behind the frame after it */
        load_floor_put(t);
        load_floor_put(&last);
        last.data = NULL;
        return 1;
    }

    if (t->seq % 100 != 37 || t->key || t->len > sizeof(held)) {
        return 0;
    }

    if (strcmp(fault, "swap") == 0) {
        last = *t;
        last.data = memcpy(held, t->data, t->len);
        return 1;
    }

    if (strcmp(fault, "drop") == 0) {
        return 1;
    }

    if (strcmp(fault, "dup") == 0) {
        load_floor_put(t);

    } else if (strcmp(fault, "corrupt") == 0) {
        t->data[t->len - 1] ^= 1;

    } else if (strcmp(fault, "time") == 0) {
        t->ts -= 200;
    }

    return 0;
}


static void
load_floor_make(uint64_t now)
{
    load_tag_t  t;

    load_gen_next(&load_floor_gen, now, &t);

    if (ld.opt.fault && load_floor_fault(&t)) {
        return;
    }

    load_floor_put(&t);
}


static void
load_floor_round(void)
{
    unsigned     i;
    load_out_t  *o;

    for (i = 0; i < load_nouts; /* void */) {
        o = load_outs[i];

        if (o->closed) {
            free(o);
            load_outs[i] = load_outs[--load_nouts];
            continue;
        }

        load_floor_write(o);
        i++;
    }
}


int
load_floor_run(void)
{
    uint64_t  start, due, flush, now;

    if (load_ring_init(&load_ring[0]) != LOAD_OK
        || load_ring_init(&load_ring[1]) != LOAD_OK
        || load_gen_init(&load_floor_gen, 0) != LOAD_OK
        || (ld.opt.rtmp.n
            && load_listen(&ld.opt.rtmp.sa[0], load_floor_accept_rtmp))
        || (ld.opt.http.n
            && load_listen(&ld.opt.http.sa[0], load_floor_accept_http)))
    {
        return LOAD_ERROR;
    }

    load_floor_intro();

    start = load_now();
    flush = start;

    while (!ld.stop) {
        now = load_now();

        while ((due = start + load_gen_due(&load_floor_gen)) <= now) {
            load_floor_make(now);

            if (ld.opt.interval == 0) {
                load_floor_round();
            }
        }

        if (ld.opt.interval && now >= flush) {
            load_floor_round();
            flush += ld.opt.interval * LOAD_MS;
        }

        if (ld.opt.interval && flush < due) {
            due = flush;
        }

        if (load_loop_run_once(due) != LOAD_OK) {
            return LOAD_ERROR;
        }
    }

    return LOAD_OK;
}
