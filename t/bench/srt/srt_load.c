
/*
 * Copyright (C) the nginx media suite authors
 *
 * srt_load: many SRT connections in one process, to measure what they cost a
 * server.
 *
 *     srt_load publish PORT --file TS [options]   callers that send a file
 *     srt_load play PORT [options]                callers that read
 *     srt_load receive PORT [options]             the floor for publishers
 *     srt_load serve PORT --file TS [options]     the floor for players
 *
 * The floor is the least that a server with libsrt does: it reads and throws
 * away, or sends the same bytes to whoever comes.  --ports N makes it listen
 * on so many ports, one behind the other, for one caller each: then each
 * connection has a UDP socket and threads of its own, as with a server that
 * gives each caller a socket.
 *
 * A file is sent from its beginning, at --rate, 1316 bytes a message.  What
 * came of all is printed at the end, as key=value.  The tool shares no code
 * with the server.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <srt/srt.h>


#define LOAD_MESSAGE   1316
#define LOAD_MAX       2048
#define LOAD_MS        1000000LL
#define LOAD_SEC       1000000000LL
#define LOAD_TURN      (5 * LOAD_MS)


typedef enum {
    LOAD_PUBLISH = 0,
    LOAD_PLAY,
    LOAD_RECEIVE,
    LOAD_SERVE
} load_mode_e;


typedef struct {
    SRTSOCKET     sock;
    int64_t       since;           /* connected; 0: not yet */
    size_t        pos;             /* in the file */
    uint64_t      bytes;
    int           broken;
} load_conn_t;


static load_mode_e            load_mode;
static int                    load_port;
static int                    load_n = 1;
static int                    load_ports = 1;
static int                    load_rate = 1000;       /* kbit/s */
static int                    load_latency = 120;
static int                    load_connects = 40;     /* a second */
static double                 load_seconds = 10;
static const char            *load_stream = "live/bench";
static unsigned char         *load_file;
static size_t                 load_size;
static load_conn_t            load_conn[LOAD_MAX];
static int                    load_nconn;
static SRTSOCKET              load_listener[LOAD_MAX];
static int                    load_nlisteners;
static uint64_t               load_full;              /* sends refused */
static int                    load_epoll;
static int64_t                load_full_since;        /* all are there */

static volatile sig_atomic_t  load_quit;


static int64_t
load_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * LOAD_SEC + ts.tv_nsec;
}


static void
load_die(const char *what)
{
    fprintf(stderr, "srt_load: %s: %s\n", what, srt_getlasterror_str());
    exit(1);
}


static void
load_signal(int signo)
{
    (void) signo;
    load_quit = 1;
}


static void
load_read_file(const char *name)
{
    long   size;
    FILE  *fp;

    fp = fopen(name, "rb");

    if (fp == NULL || fseek(fp, 0, SEEK_END) != 0 || (size = ftell(fp)) <= 0) {
        fprintf(stderr, "srt_load: %s: %s\n", name, strerror(errno));
        exit(1);
    }

    rewind(fp);

    load_size = (size_t) size;
    load_file = malloc(load_size);

    if (load_file == NULL || fread(load_file, 1, load_size, fp) != load_size) {
        fprintf(stderr, "srt_load: %s: cannot be read\n", name);
        exit(1);
    }

    (void) fclose(fp);
}


/* A socket in live mode that never blocks. */

static SRTSOCKET
load_socket(void)
{
    int            no;
    SRTSOCKET      sock;
    struct linger  linger;

    no = 0;
    linger.l_onoff = 0;
    linger.l_linger = 0;
    sock = srt_create_socket();

    if (sock == SRT_INVALID_SOCK
        || srt_setsockflag(sock, SRTO_RCVSYN, &no, sizeof(int)) == SRT_ERROR
        || srt_setsockflag(sock, SRTO_SNDSYN, &no, sizeof(int)) == SRT_ERROR
        || srt_setsockflag(sock, SRTO_LINGER, &linger, sizeof(linger))
           == SRT_ERROR
        || srt_setsockflag(sock, SRTO_LATENCY, &load_latency, sizeof(int))
           == SRT_ERROR)
    {
        load_die("a socket");
    }

    return sock;
}


static struct sockaddr_in
load_address(int port)
{
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(struct sockaddr_in));

    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    return sin;
}


static load_conn_t *
load_add(SRTSOCKET sock, int events)
{
    load_conn_t  *c;

    if (load_nconn == LOAD_MAX
        || srt_epoll_add_usock(load_epoll, sock, &events) == SRT_ERROR)
    {
        load_die("one more connection");
    }

    c = &load_conn[load_nconn++];
    c->sock = sock;

    return c;
}


static void
load_connect(int i)
{
    char                id[256];
    SRTSOCKET           sock;
    struct sockaddr_in  sin;

    sock = load_socket();
    sin = load_address(load_port + i % load_ports);

    if (load_mode == LOAD_PUBLISH) {
        (void) snprintf(id, sizeof(id), "#!::r=%s%d,m=publish", load_stream,
                        i);
    } else {
        (void) snprintf(id, sizeof(id), "#!::r=%s,m=request", load_stream);
    }

    if (srt_setsockflag(sock, SRTO_STREAMID, id, (int) strlen(id))
        == SRT_ERROR)
    {
        load_die("a stream id");
    }

    (void) load_add(sock, SRT_EPOLL_IN|SRT_EPOLL_OUT|SRT_EPOLL_ERR);

    if (srt_connect(sock, (struct sockaddr *) &sin, sizeof(sin))
        == SRT_ERROR)
    {
        load_die("connect");
    }
}


static void
load_listen(int i)
{
    int                 events;
    SRTSOCKET           sock;
    struct sockaddr_in  sin;

    sock = load_socket();
    sin = load_address(load_port + i);
    events = SRT_EPOLL_IN|SRT_EPOLL_ERR;

    if (srt_bind(sock, (struct sockaddr *) &sin, sizeof(sin)) == SRT_ERROR
        || srt_listen(sock, 128) == SRT_ERROR
        || srt_epoll_add_usock(load_epoll, sock, &events) == SRT_ERROR)
    {
        load_die("listen");
    }

    load_listener[load_nlisteners++] = sock;
}


static int
load_accept(SRTSOCKET listener)
{
    int           i;
    SRTSOCKET     sock;
    load_conn_t  *c;

    for (i = 0; i < load_nlisteners && load_listener[i] != listener; i++) {
        /* void */
    }

    if (i == load_nlisteners) {
        return 0;
    }

    sock = srt_accept(listener, NULL, NULL);

    if (sock != SRT_INVALID_SOCK) {
        c = load_add(sock, load_mode == LOAD_RECEIVE
                           ? SRT_EPOLL_IN|SRT_EPOLL_ERR : SRT_EPOLL_ERR);
        c->since = load_now();
    }

    return 1;
}


/* Connected, or something came, or it is over. */

static void
load_event(SRTSOCKET sock)
{
    int           i, n, events;
    load_conn_t  *c;
    char          buf[1500];

    for (i = 0; i < load_nconn && load_conn[i].sock != sock; i++) {
        /* void */
    }

    if (i == load_nconn) {
        return;
    }

    c = &load_conn[i];

    if (srt_getsockstate(sock) != SRTS_CONNECTED) {

        if (srt_getsockstate(sock) != SRTS_CONNECTING) {
            (void) srt_epoll_remove_usock(load_epoll, sock);
            c->broken = 1;
        }

        return;
    }

    if (c->since == 0) {
        c->since = load_now();
        events = (load_mode == LOAD_PUBLISH) ? SRT_EPOLL_ERR
                                             : SRT_EPOLL_IN|SRT_EPOLL_ERR;
        (void) srt_epoll_update_usock(load_epoll, sock, &events);
    }

    if (load_mode == LOAD_PLAY || load_mode == LOAD_RECEIVE) {
        while ((n = srt_recvmsg(sock, buf, sizeof(buf))) > 0) {
            c->bytes += (uint64_t) n;
        }
    }
}


/* What is due by now. */

static void
load_send(load_conn_t *c, int64_t now)
{
    size_t    n;
    uint64_t  due;

    due = (uint64_t) ((double) (now - c->since) / 8e6 * load_rate);

    while (c->bytes < due && c->pos < load_size) {
        n = load_size - c->pos;
        n = n < LOAD_MESSAGE ? n : LOAD_MESSAGE;

        if (srt_sendmsg(c->sock, (char *) load_file + c->pos, (int) n, -1, 1)
            == SRT_ERROR)
        {
            if (srt_getlasterror(NULL) == SRT_EASYNCSND) {
                load_full++;

            } else {
                c->broken = 1;
            }

            return;
        }

        c->pos += n;
        c->bytes += n;
    }
}


static void
load_print(int64_t begun)
{
    int              i, connected, broken;
    uint64_t         bytes, retrans, lost, dropped;
    SRT_TRACEBSTATS  st;

    connected = 0;
    broken = 0;
    bytes = 0;
    retrans = 0;
    lost = 0;
    dropped = 0;

    for (i = 0; i < load_nconn; i++) {
        connected += load_conn[i].since != 0;
        broken += load_conn[i].broken;
        bytes += load_conn[i].bytes;

        if (srt_bstats(load_conn[i].sock, &st, 0) == 0) {
            retrans += (uint64_t) st.pktRetransTotal;
            lost += (uint64_t) st.pktRcvLossTotal;
            dropped += (uint64_t) st.pktRcvDropTotal
                       + (uint64_t) st.pktSndDropTotal;
        }
    }

    printf("connections=%d\nconnected=%d\nbroken=%d\nbytes=%llu\n"
           "retransmitted=%llu\nlost=%llu\ndropped=%llu\nfull=%llu\n"
           "seconds=%.3f\n",
           load_nconn, connected, broken, (unsigned long long) bytes,
           (unsigned long long) retrans, (unsigned long long) lost,
           (unsigned long long) dropped, (unsigned long long) load_full,
           (double) (load_now() - begun) / 1e9);
    fflush(stdout);
}


/* "ready" is said once when all are connected. */

static void
load_ready(void)
{
    int  i;

    if (load_full_since || load_nconn < load_n) {
        return;
    }

    for (i = 0; i < load_n; i++) {
        if (load_conn[i].since == 0) {
            return;
        }
    }

    load_full_since = load_now();
    printf("ready=1\n");
    fflush(stdout);
}


static void
load_run(void)
{
    int               i, n, caller, sender;
    int64_t           now, begun, turn;
    SRT_EPOLL_EVENT   ready[LOAD_MAX];

    begun = load_now();
    turn = begun;
    caller = load_mode == LOAD_PUBLISH || load_mode == LOAD_PLAY;
    sender = load_mode == LOAD_PUBLISH || load_mode == LOAD_SERVE;

    while (!load_quit) {
        now = load_now();

        if ((double) (now - begun) / 1e9 > load_seconds) {
            break;
        }

        if (caller && load_nconn < load_n
            && now - begun >= load_nconn * LOAD_SEC / load_connects)
        {
            load_connect(load_nconn);
        }

        if (sender && now >= turn) {
            turn = now + LOAD_TURN;

            for (i = 0; i < load_nconn; i++) {
                if (load_conn[i].since && !load_conn[i].broken) {
                    load_send(&load_conn[i], now);
                }
            }
        }

        load_ready();

        n = srt_epoll_uwait(load_epoll, ready, LOAD_MAX, LOAD_TURN / LOAD_MS);

        for (i = 0; i < n && i < LOAD_MAX; i++) {
            if (!load_accept(ready[i].fd)) {
                load_event(ready[i].fd);
            }
        }
    }

    load_print(begun);
}


static int
load_options(int argc, char **argv)
{
    int  i;

    static const char  *modes[] = { "publish", "play", "receive", "serve" };

    if (argc < 3) {
        return -1;
    }

    for (i = 0; i < 4 && strcmp(argv[1], modes[i]) != 0; i++) { /* void */ }

    load_mode = (load_mode_e) i;
    load_port = atoi(argv[2]);

    if (i == 4 || load_port < 1) {
        return -1;
    }

    for (i = 3; i + 1 < argc; i += 2) {

        if (strcmp(argv[i], "--file") == 0) {
            load_read_file(argv[i + 1]);

        } else if (strcmp(argv[i], "--stream") == 0) {
            load_stream = argv[i + 1];

        } else if (strcmp(argv[i], "--n") == 0) {
            load_n = atoi(argv[i + 1]);

        } else if (strcmp(argv[i], "--ports") == 0) {
            load_ports = atoi(argv[i + 1]);

        } else if (strcmp(argv[i], "--rate") == 0) {
            load_rate = atoi(argv[i + 1]);

        } else if (strcmp(argv[i], "--latency") == 0) {
            load_latency = atoi(argv[i + 1]);

        } else if (strcmp(argv[i], "--connects") == 0) {
            load_connects = atoi(argv[i + 1]);

        } else if (strcmp(argv[i], "--seconds") == 0) {
            load_seconds = atof(argv[i + 1]);

        } else {
            return -1;
        }
    }

    return i == argc && load_n > 0 && load_n <= LOAD_MAX && load_ports > 0
           && load_ports <= LOAD_MAX && load_connects > 0
           && (load_file
               || load_mode == LOAD_PLAY || load_mode == LOAD_RECEIVE)
           ? 0 : -1;
}


int
main(int argc, char **argv)
{
    int               i;
    struct sigaction  sa;

    if (load_options(argc, argv) != 0) {
        fprintf(stderr, "usage: srt_load publish|play|receive|serve PORT "
                "[--file TS] [--n N] [--rate KBIT]\n"
                "    [--stream APP/NAME] [--ports N] [--latency MS] "
                "[--connects N] [--seconds S]\n");
        return 2;
    }

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = load_signal;
    (void) sigaction(SIGTERM, &sa, NULL);
    (void) sigaction(SIGINT, &sa, NULL);

    if (srt_startup() == SRT_ERROR) {
        load_die("libsrt");
    }

    srt_setloglevel(LOG_CRIT);

    load_epoll = srt_epoll_create();
    (void) srt_epoll_set(load_epoll, SRT_EPOLL_ENABLE_EMPTY);

    if (load_mode == LOAD_RECEIVE || load_mode == LOAD_SERVE) {
        for (i = 0; i < load_ports; i++) {
            load_listen(i);
        }
    }

    load_run();

    for (i = 0; i < load_nconn; i++) {
        (void) srt_close(load_conn[i].sock);
    }

    (void) srt_cleanup();

    return 0;
}
