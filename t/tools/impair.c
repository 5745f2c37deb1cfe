
/*
 * Copyright (C) the nginx media suite authors
 *
 * A relay for tests that makes a network of the loopback: it takes TCP
 * connections and UDP packets on ports that it prints ("tcp PORT", "udp
 * PORT"), sends them on to 127.0.0.1 and does to them, on the way, what it is
 * told.
 *
 *     impair [--tcp=PORT] [--udp=PORT] [--seed=N] [options]
 *
 *     --delay=MS        every packet comes so much later
 *     --jitter=MS       and so much more or less
 *     --rate=KBIT       no more than that passes in a second
 *     --queue=KB        what may wait for it (64): UDP loses what is more,
 *                       TCP reads no further, also for what waits for delay
 *     --loss=PERCENT    packets that are lost; TCP: that come 200 ms late
 *     --burst=N         so many of them one behind the other, in the mean
 *     --duplicate=PERCENT, --reorder=PERCENT
 *                       UDP packets that come twice, that are overtaken
 *     --rebind=MS       UDP: the port that the server sees becomes another
 *                       one, again and again, as behind a NAT; what is sent to
 *                       the old one is lost.  SIGUSR1 does it at once
 *     --reset=MS, --reset-bytes=N
 *                       TCP: connections are reset after that time, or when
 *                       the client has sent so much.  SIGUSR2 does it at once
 *
 * Options in percent may have decimals.  With "up-" or "down-" before its name
 * (--up-loss=5) an option is for one direction, from the client or to it.
 * Order is kept but for --reorder, jitter or not.  Chance comes from the seed,
 * for each connection and direction on its own: the same packets meet with the
 * same fate.  SIGTERM and SIGINT end it; it then prints for each direction how
 * many packets came and what became of them.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define IMPAIR_MS         1000000LL       /* times are nanoseconds */
#define IMPAIR_PIECE      1460            /* bytes of TCP that go together */
#define IMPAIR_READ       32768
#define IMPAIR_PACKET     65536
#define IMPAIR_EVENTS     256
#define IMPAIR_SESSIONS   4096
#define IMPAIR_LATE       (200 * IMPAIR_MS)
#define IMPAIR_OVERTAKEN  (5 * IMPAIR_MS)
#define IMPAIR_NEVER      INT64_MAX

#define IMPAIR_UP         0               /* also the client's side */
#define IMPAIR_DOWN       1               /* also the server's */


typedef struct {
    double                    delay;
    double                    jitter;
    double                    rate;
    double                    queue;
    double                    loss;
    double                    burst;
    double                    duplicate;
    double                    reorder;
    double                    rebind;
    double                    reset;
    double                    reset_bytes;
} impair_model_t;


typedef struct {
    uint64_t                  packets;
    uint64_t                  bytes;
    uint64_t                  lost;
    uint64_t                  duplicated;
    uint64_t                  reordered;
    uint64_t                  full;
} impair_count_t;


typedef struct impair_packet_s  impair_packet_t;

struct impair_packet_s {
    impair_packet_t          *next;
    int64_t                   due;
    size_t                    size;
    size_t                    sent;
    unsigned char             data[];
};


typedef struct {
    impair_packet_t          *first;
    impair_packet_t          *last;
    size_t                    waiting;    /* bytes */
    int64_t                   due;        /* of the last one in order */
    int64_t                   busy;       /* the line is, until then */
    uint64_t                  chance;
    uint64_t                  taken;      /* bytes since it began */
    int                       bad;        /* in a burst of losses */
    int                       eof;
    int                       shut;
} impair_flow_t;


typedef struct impair_session_s  impair_session_t;

typedef struct {
    impair_session_t         *session;
    int                       side;
    int                       fd;         /* -1: none, or the listener's */
    int                       blocked;
    int                       gone;       /* nothing more comes of it */
    uint32_t                  events;
} impair_end_t;

struct impair_session_s {
    impair_session_t         *next;
    struct sockaddr_in        client;
    int64_t                   begun;
    int64_t                   bound;
    impair_end_t              end[2];
    impair_flow_t             flow[2];
    int                       udp;
    int                       dead;
};


static const struct {
    const char               *name;
    size_t                    offset;
} impair_options[] = {
    { "delay", offsetof(impair_model_t, delay) },
    { "jitter", offsetof(impair_model_t, jitter) },
    { "rate", offsetof(impair_model_t, rate) },
    { "queue", offsetof(impair_model_t, queue) },
    { "loss", offsetof(impair_model_t, loss) },
    { "burst", offsetof(impair_model_t, burst) },
    { "duplicate", offsetof(impair_model_t, duplicate) },
    { "reorder", offsetof(impair_model_t, reorder) },
    { "rebind", offsetof(impair_model_t, rebind) },
    { "reset", offsetof(impair_model_t, reset) },
    { "reset-bytes", offsetof(impair_model_t, reset_bytes) },
    { NULL, 0 }
};


static impair_model_t          impair_model[2];
static impair_count_t          impair_count[2];
static impair_session_t       *impair_sessions;
static unsigned                impair_nsessions;
static uint64_t                impair_seed = 1;
static uint64_t                impair_number;
static uint64_t                impair_resets;
static uint64_t                impair_rebinds;
static int                     impair_ep;
static int                     impair_target[2];     /* by UDP or not */
static impair_end_t            impair_listener[2];

static volatile sig_atomic_t   impair_quit;
static volatile sig_atomic_t   impair_rebind_now;
static volatile sig_atomic_t   impair_reset_now;


static void
impair_die(const char *what)
{
    fprintf(stderr, "impair: %s: %s\n", what, strerror(errno));
    exit(1);
}


static int64_t
impair_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 * IMPAIR_MS + ts.tv_nsec;
}


/* 0 <= chance < 1 (xorshift) */

static double
impair_chance(impair_flow_t *f)
{
    f->chance ^= f->chance << 13;
    f->chance ^= f->chance >> 7;
    f->chance ^= f->chance << 17;

    return (double) (f->chance >> 11) / 9007199254740992.0;
}


static struct sockaddr_in
impair_loopback(int port)
{
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(struct sockaddr_in));

    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    return sin;
}


/* Registers what an end waits for, where that is something else now. */

static void
impair_wait(impair_end_t *end, uint32_t events)
{
    struct epoll_event  ev;

    if (end->fd == -1 || end->gone || end->events == events) {
        return;
    }

    ev.events = events;
    ev.data.ptr = end;

    if (epoll_ctl(impair_ep, end->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
                  end->fd, &ev) == -1)
    {
        impair_die("epoll_ctl()");
    }

    end->events = events;
}


/* Buffers are small: what waits should wait where it is counted. */

static void
impair_socket(int fd)
{
    int  on = 1, size = 65536;

    (void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(int));
    (void) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int));
}


/* Connected to the server: the descriptor, -1 where it does not listen. */

static int
impair_connect(int udp)
{
    int                 fd;
    struct sockaddr_in  sin;

    fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

    if (fd == -1) {
        impair_die("socket()");
    }

    sin = impair_loopback(impair_target[udp]);

    if (connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        close(fd);
        return -1;
    }

    if (udp) {
        (void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);

    } else {
        impair_socket(fd);
    }

    return fd;
}


static impair_session_t *
impair_session(int udp, int client, int server)
{
    int                i;
    impair_session_t  *s;

    s = calloc(1, sizeof(impair_session_t));
    if (s == NULL) {
        impair_die("calloc()");
    }

    s->udp = udp;
    s->begun = impair_now();
    s->bound = s->begun;

    for (i = 0; i < 2; i++) {
        s->end[i].session = s;
        s->end[i].side = i;
        s->end[i].fd = i == IMPAIR_UP ? client : server;

        s->flow[i].chance = (impair_seed + 1) * 0x9e3779b97f4a7c15ULL
                            ^ (2 * impair_number + (uint64_t) i + 1)
                              * 0xbf58476d1ce4e5b9ULL;
        s->flow[i].chance |= 1;

        (void) impair_chance(&s->flow[i]);

        impair_wait(&s->end[i], EPOLLIN);
    }

    impair_number++;
    impair_nsessions++;

    s->next = impair_sessions;
    impair_sessions = s;

    return s;
}


/* Ends both connections, with a reset or not; memory goes at a safe place. */

static void
impair_end(impair_session_t *s, int reset)
{
    int            i;
    struct linger  linger = { 1, 0 };

    if (s->dead) {
        return;
    }

    s->dead = 1;

    if (reset) {
        impair_resets++;
    }

    for (i = 0; i < 2; i++) {

        if (s->end[i].fd == -1) {
            continue;
        }

        if (reset) {
            (void) setsockopt(s->end[i].fd, SOL_SOCKET, SO_LINGER, &linger,
                              sizeof(struct linger));
        }

        close(s->end[i].fd);
        s->end[i].fd = -1;
    }
}


static void
impair_sweep(void)
{
    int                 i;
    impair_packet_t    *p, *next;
    impair_session_t  **prev, *s;

    for (prev = &impair_sessions; *prev; /* void */ ) {
        s = *prev;

        if (!s->dead) {
            prev = &s->next;
            continue;
        }

        *prev = s->next;
        impair_nsessions--;

        for (i = 0; i < 2; i++) {
            for (p = s->flow[i].first; p; p = next) {
                next = p->next;
                free(p);
            }
        }

        free(s);
    }
}


/* Whether the next packet is lost: bursts of losses are a state of two. */

static int
impair_lost(impair_flow_t *f, impair_model_t *m)
{
    double  p;

    if (m->loss <= 0) {
        return 0;
    }

    p = m->loss / 100;

    if (m->burst <= 1) {
        return impair_chance(f) < p;
    }

    if (f->bad) {
        f->bad = impair_chance(f) >= 1 / m->burst;

    } else {
        f->bad = p >= 1 || impair_chance(f) < p / (1 - p) / m->burst;
    }

    return f->bad;
}


static void
impair_insert(impair_flow_t *f, const unsigned char *data, size_t n,
    int64_t due)
{
    impair_packet_t  *p, **prev;

    p = malloc(sizeof(impair_packet_t) + n);
    if (p == NULL) {
        impair_die("malloc()");
    }

    p->due = due;
    p->size = n;
    p->sent = 0;

    memcpy(p->data, data, n);

    prev = &f->first;

    if (f->last && f->last->due <= due) {
        prev = &f->last->next;

    } else {
        while (*prev && (*prev)->due <= due) {
            prev = &(*prev)->next;
        }
    }

    p->next = *prev;
    *prev = p;

    if (p->next == NULL) {
        f->last = p;
    }

    f->waiting += n;
}


/* A packet, or a piece of TCP, comes in at the other end of a flow. */

static void
impair_take(impair_session_t *s, int dir, const unsigned char *data, size_t n,
    double jitter)
{
    int64_t          now, due;
    impair_flow_t   *f;
    impair_model_t  *m;
    impair_count_t  *c;

    f = &s->flow[dir];
    m = &impair_model[dir];
    c = &impair_count[dir];
    now = impair_now();

    c->packets++;
    c->bytes += n;
    f->taken += n;

    due = now;

    if (impair_lost(f, m)) {
        c->lost++;

        if (s->udp) {
            return;
        }

        due += IMPAIR_LATE;
    }

    if (s->udp && m->rate > 0 && f->waiting + n > (size_t) (m->queue * 1024)) {
        c->full++;
        return;
    }

    if (m->rate > 0) {
        due = due > f->busy ? due : f->busy;
        due += (int64_t) ((double) n * 8 / m->rate * IMPAIR_MS);
        f->busy = due;
    }

    due += (int64_t) ((m->delay + m->jitter * jitter) * IMPAIR_MS);
    due = due > f->due ? due : f->due;

    if (s->udp && m->reorder > 0 && impair_chance(f) * 100 < m->reorder) {
        c->reordered++;
        due += IMPAIR_OVERTAKEN + (int64_t) (m->delay * IMPAIR_MS / 2);

    } else {
        f->due = due;
    }

    impair_insert(f, data, n, due);

    if (s->udp && m->duplicate > 0 && impair_chance(f) * 100 < m->duplicate) {
        c->duplicated++;
        impair_insert(f, data, n, due);
    }
}


/* TCP reads no further while more waits than may. */

static void
impair_interest(impair_session_t *s)
{
    int       i;
    uint32_t  events;

    if (s->dead) {
        return;
    }

    for (i = 0; i < 2; i++) {
        events = EPOLLHUP;

        if (s->udp || (!s->flow[i].eof
            && s->flow[i].waiting < (size_t) (impair_model[i].queue * 1024)))
        {
            events |= EPOLLIN;
        }

        if (s->end[i].blocked) {
            events |= EPOLLOUT;
        }

        impair_wait(&s->end[i], events);
    }
}


/* Sends what is due of one direction; gives when the next one is. */

static int64_t
impair_send(impair_session_t *s, int dir, int64_t now)
{
    int               fd;
    ssize_t           n;
    impair_end_t     *to;
    impair_flow_t    *f;
    impair_packet_t  *p;

    f = &s->flow[dir];
    to = &s->end[!dir];

    while ((p = f->first) != NULL) {

        if (p->due > now) {
            return p->due;
        }

        if (s->udp) {
            fd = to->fd == -1 ? impair_listener[1].fd : to->fd;

            (void) sendto(fd, p->data, p->size, 0,
                          dir == IMPAIR_DOWN ? (struct sockaddr *) &s->client
                                             : NULL,
                          dir == IMPAIR_DOWN ? sizeof(struct sockaddr_in) : 0);

        } else {
            n = send(to->fd, p->data + p->sent, p->size - p->sent,
                     MSG_NOSIGNAL);

            if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
                to->blocked = 1;
                return IMPAIR_NEVER;
            }

            if (n == -1) {
                impair_end(s, 1);
                return IMPAIR_NEVER;
            }

            to->blocked = 0;
            p->sent += (size_t) n;

            if (p->sent < p->size) {
                continue;
            }
        }

        f->waiting -= p->size;
        f->first = p->next;

        if (f->first == NULL) {
            f->last = NULL;
        }

        free(p);
    }

    to->blocked = 0;

    if (f->eof && !f->shut) {
        f->shut = 1;
        (void) shutdown(to->fd, SHUT_WR);

        if (s->flow[!dir].shut) {
            impair_end(s, 0);
        }
    }

    return IMPAIR_NEVER;
}


static void
impair_read_tcp(impair_session_t *s, int side)
{
    double         jitter;
    size_t         n, at;
    ssize_t        got;
    unsigned char  buf[IMPAIR_READ];

    got = recv(s->end[side].fd, buf, sizeof(buf), 0);

    if (got == -1) {
        if (errno != EAGAIN && errno != EINTR) {
            impair_end(s, 1);
        }

        return;
    }

    if (got == 0) {
        s->flow[side].eof = 1;
        return;
    }

    /* what comes together stays together */

    jitter = impair_chance(&s->flow[side]) * 2 - 1;

    for (at = 0; at < (size_t) got; at += n) {
        n = (size_t) got - at;
        n = n < IMPAIR_PIECE ? n : IMPAIR_PIECE;

        impair_take(s, side, buf + at, n, jitter);
    }

    if (impair_model[side].reset_bytes > 0
        && (double) s->flow[side].taken >= impair_model[side].reset_bytes)
    {
        impair_end(s, 1);
    }
}


static impair_session_t *
impair_udp_session(struct sockaddr_in *client)
{
    int                fd;
    impair_session_t  *s;

    for (s = impair_sessions; s; s = s->next) {
        if (s->udp && !s->dead
            && s->client.sin_port == client->sin_port
            && s->client.sin_addr.s_addr == client->sin_addr.s_addr)
        {
            return s;
        }
    }

    if (impair_nsessions >= IMPAIR_SESSIONS) {
        return NULL;
    }

    fd = impair_connect(1);
    if (fd == -1) {
        return NULL;
    }

    s = impair_session(1, -1, fd);
    s->client = *client;

    return s;
}


static void
impair_read_udp(impair_end_t *end)
{
    int                   dir;
    ssize_t               n;
    socklen_t             len;
    impair_session_t     *s;
    struct sockaddr_in    from;
    static unsigned char  buf[IMPAIR_PACKET];

    for ( ;; ) {
        len = sizeof(struct sockaddr_in);

        n = recvfrom(end->fd, buf, sizeof(buf), 0, (struct sockaddr *) &from,
                     &len);

        if (n == -1) {

            /* nobody listens at the server's port: a packet was lost */

            if (errno == ECONNREFUSED) {
                continue;
            }

            return;
        }

        s = end->session ? end->session : impair_udp_session(&from);
        dir = end->session ? IMPAIR_DOWN : IMPAIR_UP;

        if (s) {
            impair_take(s, dir, buf, (size_t) n,
                        impair_chance(&s->flow[dir]) * 2 - 1);
        }
    }
}


static void
impair_accept(void)
{
    int            client, server;
    struct linger  linger = { 1, 0 };

    client = accept4(impair_listener[0].fd, NULL, NULL, SOCK_CLOEXEC);

    if (client == -1) {
        return;
    }

    impair_socket(client);

    server = impair_nsessions < IMPAIR_SESSIONS ? impair_connect(0) : -1;

    if (server == -1) {
        (void) setsockopt(client, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(struct linger));
        close(client);
        return;
    }

    (void) impair_session(0, client, server);
}


/* The server sees another port from now on. */

static void
impair_rebind(impair_session_t *s, int64_t now)
{
    int            fd;
    impair_end_t  *end;

    s->bound = now;

    fd = impair_connect(1);
    if (fd == -1) {
        return;
    }

    end = &s->end[IMPAIR_DOWN];

    close(end->fd);

    end->fd = fd;
    end->events = 0;

    impair_wait(end, EPOLLIN);
    impair_rebinds++;
}


static int64_t
impair_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


/* All that time brings; gives when to look again. */

static int64_t
impair_time(void)
{
    int64_t            now, next, rebind, reset;
    impair_session_t  *s;

    now = impair_now();
    next = IMPAIR_NEVER;
    rebind = (int64_t) (impair_model[0].rebind * IMPAIR_MS);
    reset = (int64_t) (impair_model[0].reset * IMPAIR_MS);

    for (s = impair_sessions; s; s = s->next) {

        if (s->udp && (impair_rebind_now
                       || (rebind && now - s->bound >= rebind)))
        {
            impair_rebind(s, now);
        }

        if (!s->udp && !s->dead
            && (impair_reset_now || (reset && now - s->begun >= reset)))
        {
            impair_end(s, 1);
        }

        if (!s->dead) {
            next = impair_min(next, impair_send(s, IMPAIR_UP, now));
        }

        if (!s->dead) {
            next = impair_min(next, impair_send(s, IMPAIR_DOWN, now));
        }

        if (s->udp && rebind) {
            next = impair_min(next, s->bound + rebind);
        }

        if (!s->udp && reset) {
            next = impair_min(next, s->begun + reset);
        }

        impair_interest(s);
    }

    impair_rebind_now = 0;
    impair_reset_now = 0;

    impair_sweep();

    return next;
}


static void
impair_event(impair_end_t *end, uint32_t events)
{
    impair_session_t  *s;

    s = end->session;

    if (end == &impair_listener[0]) {
        impair_accept();

    } else if (s == NULL || s->udp) {
        impair_read_udp(end);

    } else if (s->dead) {
        return;

    } else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {

        if (!s->flow[end->side].eof) {
            impair_read_tcp(s, end->side);

        } else if (events & EPOLLERR) {
            impair_end(s, 1);

        } else {

            /* closed in both directions: what it has sent goes on */

            (void) epoll_ctl(impair_ep, EPOLL_CTL_DEL, end->fd, NULL);
            end->gone = 1;
        }
    }
}


static void
impair_run(const sigset_t *mask)
{
    int                  i, n, timeout;
    int64_t              next, now;
    struct epoll_event   events[IMPAIR_EVENTS];

    while (!impair_quit) {
        next = impair_time();
        now = impair_now();

        timeout = next == IMPAIR_NEVER ? -1
                  : next <= now ? 0
                  : (int) ((next - now + IMPAIR_MS - 1) / IMPAIR_MS);

        n = epoll_pwait(impair_ep, events, IMPAIR_EVENTS, timeout, mask);

        for (i = 0; i < n; i++) {
            impair_event(events[i].data.ptr, events[i].events);
        }
    }
}


static void
impair_listen(int udp)
{
    int                 fd, size;
    socklen_t           len;
    struct sockaddr_in  sin;

    fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK
                         | SOCK_CLOEXEC, 0);
    sin = impair_loopback(0);
    len = sizeof(struct sockaddr_in);
    size = 4 * 1024 * 1024;

    if (fd == -1
        || bind(fd, (struct sockaddr *) &sin, len) == -1
        || (!udp && listen(fd, 1024) == -1)
        || getsockname(fd, (struct sockaddr *) &sin, &len) == -1)
    {
        impair_die("listen()");
    }

    if (udp) {
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(int));
    }

    impair_listener[udp].fd = fd;
    impair_wait(&impair_listener[udp], EPOLLIN);

    printf("%s %d\n", udp ? "udp" : "tcp", ntohs(sin.sin_port));
    fflush(stdout);
}


/* --NAME=VALUE, --up-NAME=VALUE or --down-NAME=VALUE of the model. */

static int
impair_option(const char *arg)
{
    int          i, only;
    char        *end;
    double       value;
    size_t       n;
    const char  *equal;

    equal = strchr(arg, '=');

    if (strncmp(arg, "--", 2) != 0 || equal == NULL) {
        return -1;
    }

    arg += 2;
    only = -1;
    value = strtod(equal + 1, &end);

    if (end == equal + 1 || *end || value < 0) {
        return -1;
    }

    if (strncmp(arg, "tcp=", 4) == 0 || strncmp(arg, "udp=", 4) == 0) {
        impair_target[*arg == 'u'] = (int) value;
        return value >= 1 && value <= 65535 ? 0 : -1;
    }

    if (strncmp(arg, "seed=", 5) == 0) {
        impair_seed = (uint64_t) value;
        return 0;
    }

    if (strncmp(arg, "up-", 3) == 0) {
        only = IMPAIR_UP;
        arg += 3;

    } else if (strncmp(arg, "down-", 5) == 0) {
        only = IMPAIR_DOWN;
        arg += 5;
    }

    n = (size_t) (equal - arg);

    for (i = 0; impair_options[i].name; i++) {
        if (strlen(impair_options[i].name) == n
            && memcmp(impair_options[i].name, arg, n) == 0)
        {
            break;
        }
    }

    if (impair_options[i].name == NULL) {
        return -1;
    }

    for (n = 0; n < 2; n++) {
        if (only == -1 || only == (int) n) {
            *(double *) ((char *) &impair_model[n] + impair_options[i].offset)
                = value;
        }
    }

    return 0;
}


static void
impair_signal(int signo)
{
    if (signo == SIGUSR1) {
        impair_rebind_now = 1;

    } else if (signo == SIGUSR2) {
        impair_reset_now = 1;

    } else {
        impair_quit = 1;
    }
}


int
main(int argc, char **argv)
{
    int               i;
    sigset_t          mask, old;
    struct sigaction  sa;

    static const char  *names[] = { "up", "down" };
    static const int    signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };

    impair_model[0].queue = 64;
    impair_model[1].queue = 64;

    for (i = 1; i < argc; i++) {
        if (impair_option(argv[i]) != 0) {
            fprintf(stderr, "impair: invalid option \"%s\"\n", argv[i]);
            return 2;
        }
    }

    if (!impair_target[0] && !impair_target[1]) {
        fprintf(stderr, "usage: impair [--tcp=PORT] [--udp=PORT] ...\n");
        return 2;
    }

    /* signals come while it waits, and at no other time */

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = impair_signal;
    sigemptyset(&mask);

    for (i = 0; i < 4; i++) {
        sigaddset(&mask, signals[i]);
        sigaction(signals[i], &sa, NULL);
    }

    sigprocmask(SIG_BLOCK, &mask, &old);

    for (i = 0; i < 4; i++) {
        sigdelset(&old, signals[i]);
    }

    impair_ep = epoll_create1(EPOLL_CLOEXEC);
    if (impair_ep == -1) {
        impair_die("epoll_create1()");
    }

    for (i = 0; i < 2; i++) {
        impair_listener[i].fd = -1;

        if (impair_target[i]) {
            impair_listen(i);
        }
    }

    impair_run(&old);

    for (i = 0; i < 2; i++) {
        printf("%s packets %llu bytes %llu lost %llu duplicated %llu"
               " reordered %llu full %llu\n", names[i],
               (unsigned long long) impair_count[i].packets,
               (unsigned long long) impair_count[i].bytes,
               (unsigned long long) impair_count[i].lost,
               (unsigned long long) impair_count[i].duplicated,
               (unsigned long long) impair_count[i].reordered,
               (unsigned long long) impair_count[i].full);
    }

    printf("resets %llu rebinds %llu\n", (unsigned long long) impair_resets,
           (unsigned long long) impair_rebinds);

    return 0;
}
