
/*
 * Copyright (C) the nginx media suite authors
 *
 * Connections and the event loop of the load tool.
 *
 * Level triggered epoll: one recv() per event into one big buffer that all
 * connections share.  What the protocol did not use is kept in memory of its
 * own until more arrives, so an idle connection costs a small struct only.
 * A closed connection is freed at the end of the round, since events of the
 * same round may still point at it.
 */


#include "load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT  24
#endif

#define LOAD_RECV        (256 * 1024)
#define LOAD_REST_MAX    (8 * 1024 * 1024)
#define LOAD_OUT_MAX     (16 * 1024 * 1024)
#define LOAD_EVENTS      512


typedef struct {
    int             fd;
    void          (*handler)(int fd);
} load_listener_t;


static int              load_ep = -1;
static u_char          *load_buf;
static load_conn_t     *load_dead;
static load_listener_t  load_listener[4];
static unsigned         load_nlisteners;


uint64_t
load_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * LOAD_SEC + (uint64_t) ts.tv_nsec;
}


int
load_loop_init(void)
{
    load_ep = epoll_create1(EPOLL_CLOEXEC);
    load_buf = malloc(LOAD_REST_MAX + LOAD_RECV);

    if (load_ep == -1 || load_buf == NULL) {
        return LOAD_ERROR;
    }

    return LOAD_OK;
}


int
load_addr_parse(load_addrs_t *a, const char *text)
{
    char                *s, *p, *save, *colon;
    struct sockaddr_in  *sa;

    a->n = 0;
    s = strdup(text);

    for (p = strtok_r(s, ",", &save); p; p = strtok_r(NULL, ",", &save)) {

        if (a->n == (int) (sizeof(a->sa) / sizeof(a->sa[0]))) {
            break;
        }

        colon = strrchr(p, ':');
        sa = &a->sa[a->n];

        memset(sa, 0, sizeof(*sa));
        sa->sin_family = AF_INET;

        if (colon == NULL) {
            sa->sin_port = htons((uint16_t) atoi(p));
            sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);

        } else {
            *colon = '\0';
            sa->sin_port = htons((uint16_t) atoi(colon + 1));

            if (inet_pton(AF_INET, p, &sa->sin_addr) != 1) {
                free(s);
                return LOAD_ERROR;
            }
        }

        a->n++;
    }

    free(s);

    return a->n ? LOAD_OK : LOAD_ERROR;
}


static void
load_epoll(load_conn_t *c, int op)
{
    struct epoll_event  ev;

    ev.events = EPOLLRDHUP
                | (c->want_read ? EPOLLIN : 0)
                | (c->want_write || c->connecting ? EPOLLOUT : 0);
    ev.data.ptr = c;

    (void) epoll_ctl(load_ep, op, c->fd, &ev);
}


load_conn_t *
load_conn_add(int fd)
{
    int           on;
    load_conn_t  *c;

    c = calloc(1, sizeof(load_conn_t));
    if (c == NULL) {
        close(fd);
        return NULL;
    }

    on = 1;
    (void) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    c->fd = fd;
    c->want_read = 1;
    c->quota = LOAD_NO_QUOTA;
    c->opened = load_now();

    load_epoll(c, EPOLL_CTL_ADD);

    return c;
}


/*
 * serial picks one of --sources source addresses, so that more connections
 * than ephemeral ports can go to one server address; rcvbuf: 0 or a size.
 */

load_conn_t *
load_connect(struct sockaddr_in *sa, unsigned serial, int rcvbuf)
{
    int                 fd, on;
    load_conn_t        *c;
    struct sockaddr_in  local;

    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (fd == -1) {
        perror("socket");
        return NULL;
    }

    if (rcvbuf) {
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
    }

    if (ld.opt.sources > 1) {
        on = 1;
        (void) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
                          sizeof(on));
        memset(&local, 0, sizeof(local));
        local.sin_family = AF_INET;
        local.sin_addr.s_addr = htonl(0x7f000100 + 1
                                      + serial % ld.opt.sources);
        (void) bind(fd, (struct sockaddr *) &local, sizeof(local));
    }

    c = load_conn_add(fd);
    if (c == NULL) {
        return NULL;
    }

    c->connecting = 1;

    if (connect(fd, (struct sockaddr *) sa, sizeof(*sa)) == -1
        && errno != EINPROGRESS)
    {
        perror("connect");
        load_close(c);
        return NULL;
    }

    load_epoll(c, EPOLL_CTL_MOD);

    return c;
}


int
load_listen(struct sockaddr_in *sa, void (*handler)(int fd))
{
    int                 fd, on;
    struct epoll_event  ev;
    load_listener_t    *l;

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return LOAD_ERROR;
    }

    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));

    if (bind(fd, (struct sockaddr *) sa, sizeof(*sa)) == -1
        || listen(fd, 4096) == -1)
    {
        perror("listen");
        close(fd);
        return LOAD_ERROR;
    }

    l = &load_listener[load_nlisteners++];
    l->fd = fd;
    l->handler = handler;

    ev.events = EPOLLIN;
    ev.data.ptr = l;

    return epoll_ctl(load_ep, EPOLL_CTL_ADD, fd, &ev);
}


void
load_close(load_conn_t *c)
{
    if (c->dead) {
        return;
    }

    close(c->fd);
    c->fd = -1;
    c->dead = 1;
    c->next_dead = load_dead;
    load_dead = c;
}


/* the peer's doing, not ours: the role is told */

static void
load_lost(load_conn_t *c)
{
    if (c->dead) {
        return;
    }

    load_close(c);

    if (c->closed) {
        c->closed(c);
    }
}


void
load_read_enable(load_conn_t *c, int on)
{
    if (!c->dead && c->want_read != (unsigned) on) {
        c->want_read = on;
        load_epoll(c, EPOLL_CTL_MOD);
    }
}


static int
load_flush(load_conn_t *c)
{
    ssize_t  n;

    while (c->out_pos < c->out_len) {
        n = send(c->fd, c->out + c->out_pos, c->out_len - c->out_pos,
                 MSG_NOSIGNAL);

        if (n == -1) {
            if (errno == EAGAIN) {
                break;
            }

            return LOAD_ERROR;
        }

        c->out_pos += (size_t) n;
    }

    if (c->out_pos == c->out_len) {
        c->out_pos = c->out_len = 0;
    }

    if (c->want_write != (c->out_len != 0)) {
        c->want_write = (c->out_len != 0);
        load_epoll(c, EPOLL_CTL_MOD);
    }

    return LOAD_OK;
}


/*
 * Sends or queues all of it.  LOAD_ERROR when the connection is gone or its
 * queue is full; the loop closes it later, the caller only stops.
 */

int
load_write(load_conn_t *c, const void *p, size_t n)
{
    u_char  *out;
    ssize_t  sent;

    if (c->dead) {
        return LOAD_ERROR;
    }

    if (c->out_len == 0 && !c->connecting) {
        sent = send(c->fd, p, n, MSG_NOSIGNAL);

        if (sent == -1 && errno != EAGAIN) {
            return LOAD_ERROR;
        }

        if (sent > 0) {
            p = (const u_char *) p + sent;
            n -= (size_t) sent;
        }

        if (n == 0) {
            return LOAD_OK;
        }
    }

    if (c->out_len + n > LOAD_OUT_MAX) {
        return LOAD_ERROR;
    }

    if (c->out_len + n > c->out_size) {
        out = realloc(c->out, (c->out_len + n) * 2);
        if (out == NULL) {
            return LOAD_ERROR;
        }

        c->out = out;
        c->out_size = (c->out_len + n) * 2;
    }

    memcpy(c->out + c->out_len, p, n);
    c->out_len += n;

    if (!c->want_write) {
        c->want_write = 1;
        load_epoll(c, EPOLL_CTL_MOD);
    }

    return LOAD_OK;
}


/* keeps what input() left over, for the next time */

static int
load_keep(load_conn_t *c, u_char *p, size_t n)
{
    if (n == 0) {
        free(c->rest);
        c->rest = NULL;
        c->rest_len = 0;
        return LOAD_OK;
    }

    if (n > c->rest_len) {
        free(c->rest);
        c->rest = malloc(n);
        if (c->rest == NULL) {
            return LOAD_ERROR;
        }
    }

    memcpy(c->rest, p, n);
    c->rest_len = n;

    return LOAD_OK;
}


/* with the time at which the kernel got the last of it: not our own delay */

static ssize_t
load_recv(load_conn_t *c, u_char *p, size_t n)
{
    ssize_t           rc;
    uint64_t          now;
    struct iovec      iov;
    struct msghdr     msg;
    struct cmsghdr   *cm;
    struct timespec   ts, real;
    char              control[64];

    if (!c->stamped) {
        return recv(c->fd, p, n, 0);
    }

    memset(&msg, 0, sizeof(msg));
    iov.iov_base = p;
    iov.iov_len = n;
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control;
    msg.msg_controllen = sizeof(control);

    rc = recvmsg(c->fd, &msg, 0);

    if (rc > 0) {
        now = load_now();
        c->stamp = now;

        for (cm = CMSG_FIRSTHDR(&msg); cm; cm = CMSG_NXTHDR(&msg, cm)) {
            if (cm->cmsg_level == SOL_SOCKET
                && cm->cmsg_type == SCM_TIMESTAMPNS)
            {
                clock_gettime(CLOCK_REALTIME, &real);
                memcpy(&ts, CMSG_DATA(cm), sizeof(ts));
                c->stamp = now - (uint64_t) (real.tv_sec - ts.tv_sec)
                                 * LOAD_SEC
                           - (uint64_t) (real.tv_nsec - ts.tv_nsec);
            }
        }
    }

    return rc;
}


/* from now on c->stamp says when what input() gets has arrived */

void
load_stamp(load_conn_t *c)
{
    int  on;

    on = 1;
    c->stamped = 1;
    c->stamp = load_now();
    (void) setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
}


static void
load_readable(load_conn_t *c)
{
    size_t   max, have;
    ssize_t  n;

    have = c->rest_len;
    max = c->quota < LOAD_RECV ? c->quota : LOAD_RECV;

    if (max == 0) {
        return;
    }

    if (have) {
        memcpy(load_buf, c->rest, have);
    }

    n = load_recv(c, load_buf + have, max);

    if (n == -1) {
        if (errno == EAGAIN || errno == EINTR) {
            return;
        }

        load_lost(c);
        return;
    }

    if (n == 0) {
        load_lost(c);
        return;
    }

    if (c->quota != LOAD_NO_QUOTA) {
        c->quota -= (size_t) n;
    }

    c->received += (uint64_t) n;
    have += (size_t) n;

    n = c->input(c, load_buf, have);

    if (c->dead) {
        return;
    }

    if (n < 0 || have - (size_t) n > LOAD_REST_MAX
        || load_keep(c, load_buf + n, have - (size_t) n) != LOAD_OK)
    {
        c->broken = 1;
        load_lost(c);
    }
}


/* a reader with a quota: takes what there is, up to the quota */

void
load_read_some(load_conn_t *c, size_t quota)
{
    c->quota = quota;
    load_readable(c);
}


static void
load_event(load_conn_t *c, uint32_t events)
{
    int        err;
    socklen_t  len;

    if (c->dead) {
        return;
    }

    if (c->connecting && (events & (EPOLLOUT|EPOLLERR|EPOLLHUP))) {
        err = 0;
        len = sizeof(err);
        (void) getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);

        if (err) {
            load_lost(c);
            return;
        }

        c->connecting = 0;
        load_epoll(c, EPOLL_CTL_MOD);

        if (c->connected) {
            c->connected(c);
        }

        return;
    }

    if ((events & EPOLLOUT) && load_flush(c) != LOAD_OK) {
        load_lost(c);
        return;
    }

    if (c->want_read && (events & (EPOLLIN|EPOLLRDHUP|EPOLLHUP|EPOLLERR))) {
        load_readable(c);
        return;
    }

    if (events & (EPOLLRDHUP|EPOLLHUP|EPOLLERR)) {
        load_lost(c);
    }
}


static void
load_bury(void)
{
    load_conn_t  *c;

    while (load_dead) {
        c = load_dead;
        load_dead = c->next_dead;

        if (c->cleanup) {
            c->cleanup(c->data);
        }

        free(c->rest);
        free(c->out);
        free(c);
    }
}


/* waits for events, at most until the given time, and handles them */

int
load_loop_run_once(uint64_t until)
{
    int                 i, n, fd;
    uint64_t            now;
    long long           ms;
    load_listener_t    *l;
    struct epoll_event  ev[LOAD_EVENTS];

    now = load_now();
    ms = until > now ? (long long) ((until - now + LOAD_MS - 1) / LOAD_MS) : 0;

    n = epoll_wait(load_ep, ev, LOAD_EVENTS, ms > 1000 ? 1000 : (int) ms);
    if (n == -1) {
        return errno == EINTR ? LOAD_OK : LOAD_ERROR;
    }

    for (i = 0; i < n; i++) {
        l = ev[i].data.ptr;

        if (l >= load_listener && l < load_listener + load_nlisteners) {
            while ((fd = accept4(l->fd, NULL, NULL,
                                 SOCK_NONBLOCK|SOCK_CLOEXEC)) != -1)
            {
                l->handler(fd);
            }

            continue;
        }

        load_event(ev[i].data.ptr, ev[i].events);
    }

    load_bury();

    return LOAD_OK;
}
