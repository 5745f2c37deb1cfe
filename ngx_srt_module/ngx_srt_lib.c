
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: libsrt in a worker: its start and end, our thread that waits for its
 * sockets, and questions of its threads to the worker.
 *
 * libsrt starts after the fork.  A thread that it makes inherits the signal
 * mask, so signals are blocked around whatever may make one: nginx's handlers
 * run in the worker's thread only.
 */


#include "ngx_srt.h"

#include <pthread.h>
#include <linux/filter.h>
#include <sys/eventfd.h>


#define NGX_SRT_READY_MAX    256           /* sockets of one wait */
#define NGX_SRT_WAIT         1000          /* ms */

/* what a handshake may say, and where it does, behind the header of UDP */

#define NGX_SRT_MSS_LEAST    576
#define NGX_SRT_MSS_MOST     65535

#define NGX_SRT_AT_TYPE      8
#define NGX_SRT_AT_MSS       36
#define NGX_SRT_AT_REQUEST   44
#define NGX_SRT_AT_EXTENSIONS  72

#define NGX_SRT_CMD_FILTER   7             /* an extension */
#define NGX_SRT_EXTENSIONS   8             /* more make no sense */
#define NGX_SRT_FILTER_WORDS  24           /* of 4 bytes */
#define NGX_SRT_FILTER_CODE  2048
#define NGX_SRT_GATHER       2             /* ms: what comes meanwhile makes
                                            * one wake of the worker */


typedef struct {
    pthread_mutex_t      lock;
    pthread_t            thread;
    ngx_srt_peer_t      *first;            /* the worker is told of them */
    ngx_srt_peer_t     **last;
    int                  epoll;
    int                  fd;               /* eventfd */
    int                  stop;
    ngx_uint_t           nsockets;
    pthread_cond_t       cond;             /* there are sockets again */
    ngx_rbtree_t         sockets;          /* watched, by number */
    ngx_rbtree_node_t    sentinel;
    unsigned             running:1;
} ngx_srt_lib_t;


typedef struct {
    ngx_rbtree_node_t    node;             /* key: the socket */
    ngx_srt_peer_t      *peer;
} ngx_srt_watched_t;


static ngx_int_t ngx_srt_lib_thread(ngx_srt_lib_t *lib, ngx_cycle_t *cycle);
static void *ngx_srt_thread(void *data);
static void ngx_srt_tell(ngx_srt_peer_t *peer, ngx_uint_t what);
static void ngx_srt_event(ngx_event_t *ev);
static ngx_uint_t ngx_srt_is_peer(ngx_srt_peer_t *peer,
    const struct sockaddr *sa);
static int ngx_srt_encrypt(ngx_srt_peer_t *peer, SRTSOCKET sock);
static ngx_uint_t ngx_srt_filter_extensions(struct sock_filter *code,
    ngx_uint_t n, ngx_uint_t go);
static ngx_uint_t ngx_srt_filter_text(struct sock_filter *code, ngx_uint_t n);


static ngx_srt_lib_t  ngx_srt_lib;


ngx_int_t
ngx_srt_lib_init(ngx_cycle_t *cycle)
{
    sigset_t        saved;
    ngx_srt_lib_t  *lib;

    lib = &ngx_srt_lib;

    ngx_memzero(lib, sizeof(ngx_srt_lib_t));

    (void) pthread_mutex_init(&lib->lock, NULL);
    (void) pthread_cond_init(&lib->cond, NULL);

    lib->last = &lib->first;
    ngx_rbtree_init(&lib->sockets, &lib->sentinel, ngx_rbtree_insert_value);

    ngx_srt_block_signals(&saved);

    if (srt_startup() == SRT_ERROR) {
        ngx_srt_restore_signals(&saved);
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "srt_startup() failed: %s",
                      srt_getlasterror_str());
        return NGX_ERROR;
    }

    lib->epoll = srt_epoll_create();
    lib->fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (lib->epoll < 0 || lib->fd == -1
        || srt_epoll_set(lib->epoll, SRT_EPOLL_ENABLE_EMPTY) == SRT_ERROR
        || ngx_srt_lib_thread(lib, cycle) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "libsrt can not be waited for");

        /* calls try it again */

        if (lib->fd != -1) {
            (void) close(lib->fd);
        }

        (void) srt_epoll_release(lib->epoll);
        (void) srt_cleanup();

        ngx_srt_restore_signals(&saved);
        return NGX_ERROR;
    }

    lib->running = 1;

    ngx_srt_log_init(cycle);

    ngx_srt_restore_signals(&saved);

    return NGX_OK;
}


/* our thread, and the event by which it wakes the worker */

static ngx_int_t
ngx_srt_lib_thread(ngx_srt_lib_t *lib, ngx_cycle_t *cycle)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(lib->fd, cycle->log);

    if (c == NULL) {
        return NGX_ERROR;
    }

    /* the worker does not wait for it when it leaves */

    c->read->channel = 1;
    c->write->channel = 1;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_srt_event;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) == NGX_OK) {

        if (pthread_create(&lib->thread, NULL, ngx_srt_thread, lib) == 0) {
            return NGX_OK;
        }

        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    return NGX_ERROR;
}


ngx_int_t
ngx_srt_lib_start(void)
{
    return ngx_srt_lib.running ? NGX_OK
                               : ngx_srt_lib_init((ngx_cycle_t *) ngx_cycle);
}


void
ngx_srt_lib_exit(void)
{
    sigset_t        saved;
    ngx_srt_lib_t  *lib;

    lib = &ngx_srt_lib;

    if (!lib->running) {
        return;
    }

    (void) pthread_mutex_lock(&lib->lock);
    lib->stop = 1;
    (void) pthread_cond_signal(&lib->cond);
    (void) pthread_mutex_unlock(&lib->lock);

    ngx_srt_block_signals(&saved);

    /* ends the wait of the thread, too */

    (void) srt_epoll_release(lib->epoll);
    (void) pthread_join(lib->thread, NULL);
    (void) srt_cleanup();

    ngx_srt_restore_signals(&saved);

    ngx_srt_log_exit();

    lib->running = 0;
}


void
ngx_srt_block_signals(sigset_t *saved)
{
    sigset_t  all;

    sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, saved);
}


void
ngx_srt_restore_signals(const sigset_t *saved)
{
    (void) pthread_sigmask(SIG_SETMASK, saved, NULL);
}


/* --- sockets ------------------------------------------------------------- */

ngx_int_t
ngx_srt_watch(ngx_srt_peer_t *peer, SRTSOCKET sock, int events)
{
    int                 flags;
    ngx_srt_lib_t      *lib;
    ngx_srt_watched_t  *w;

    lib = &ngx_srt_lib;

    w = ngx_alloc(sizeof(ngx_srt_watched_t), ngx_cycle->log);

    if (w == NULL) {
        return NGX_ERROR;
    }

    w->node.key = (ngx_rbtree_key_t) sock;
    w->peer = peer;

    (void) pthread_mutex_lock(&lib->lock);

    ngx_rbtree_insert(&lib->sockets, &w->node);
    lib->nsockets++;
    (void) pthread_cond_signal(&lib->cond);

    (void) pthread_mutex_unlock(&lib->lock);

    flags = events | (int) SRT_EPOLL_ET;

    if (srt_epoll_add_usock(lib->epoll, sock, &flags) == SRT_ERROR) {
        ngx_srt_unwatch(sock);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_srt_unwatch(SRTSOCKET sock)
{
    ngx_srt_lib_t      *lib;
    ngx_rbtree_node_t  *node;

    lib = &ngx_srt_lib;

    (void) srt_epoll_remove_usock(lib->epoll, sock);

    (void) pthread_mutex_lock(&lib->lock);

    node = lib->sockets.root;

    while (node != &lib->sentinel && node->key != (ngx_rbtree_key_t) sock) {
        node = ((ngx_rbtree_key_t) sock < node->key) ? node->left
                                                     : node->right;
    }

    if (node != &lib->sentinel) {
        ngx_rbtree_delete(&lib->sockets, node);
        lib->nsockets--;

    } else {
        node = NULL;
    }

    (void) pthread_mutex_unlock(&lib->lock);

    ngx_free(node);
}


static void *
ngx_srt_thread(void *data)
{
    ngx_srt_lib_t *lib = data;

    int                 i, n;
    ngx_rbtree_node_t  *node;
    SRT_EPOLL_EVENT     ready[NGX_SRT_READY_MAX];

    for ( ;; ) {

        (void) pthread_mutex_lock(&lib->lock);

        while (lib->nsockets == 0 && !lib->stop) {
            (void) pthread_cond_wait(&lib->cond, &lib->lock);
        }

        n = lib->stop;

        (void) pthread_mutex_unlock(&lib->lock);

        if (n) {
            return NULL;
        }

        n = srt_epoll_uwait(lib->epoll, ready, NGX_SRT_READY_MAX,
                            NGX_SRT_WAIT);

        if (n <= 0) {
            continue;
        }

        n = ngx_min(n, NGX_SRT_READY_MAX);

        (void) pthread_mutex_lock(&lib->lock);

        for (i = 0; i < n; i++) {

            node = lib->sockets.root;

            while (node != &lib->sentinel
                   && node->key != (ngx_rbtree_key_t) ready[i].fd)
            {
                node = ((ngx_rbtree_key_t) ready[i].fd < node->key)
                       ? node->left : node->right;
            }

            if (node != &lib->sentinel) {
                ngx_srt_tell(((ngx_srt_watched_t *) node)->peer,
                             NGX_SRT_READY);
            }
        }

        (void) pthread_mutex_unlock(&lib->lock);

        ngx_msleep(NGX_SRT_GATHER);
    }
}


/* under the lock */

static void
ngx_srt_tell(ngx_srt_peer_t *peer, ngx_uint_t what)
{
    ngx_uint_t      wake;
    ngx_srt_lib_t  *lib;

    lib = &ngx_srt_lib;

    peer->told |= what;

    if (peer->listed) {
        return;
    }

    wake = (lib->first == NULL);

    peer->listed = 1;
    peer->next = NULL;
    *lib->last = peer;
    lib->last = &peer->next;

    if (wake) {
        ngx_srt_wake();
    }
}


void
ngx_srt_wake(void)
{
    uint64_t  one;

    one = 1;
    (void) !write(ngx_srt_lib.fd, &one, sizeof(one));
}


/* in the worker: one after the other, as each may end others */

static void
ngx_srt_event(ngx_event_t *ev)
{
    uint64_t         n;
    ngx_uint_t       told, i;
    ngx_srt_lib_t   *lib;
    ngx_srt_peer_t  *peer;

    lib = &ngx_srt_lib;

    (void) !read(lib->fd, &n, sizeof(n));

    ngx_srt_log_write();

    for (i = 0; i < NGX_SRT_READY_MAX; i++) {

        (void) pthread_mutex_lock(&lib->lock);

        peer = lib->first;

        if (peer == NULL) {
            (void) pthread_mutex_unlock(&lib->lock);
            return;
        }

        lib->first = peer->next;

        if (lib->first == NULL) {
            lib->last = &lib->first;
        }

        told = peer->told;
        peer->told = 0;
        peer->listed = 0;

        (void) pthread_mutex_unlock(&lib->lock);

        ngx_srt_peer_event(peer, told);
    }

    /* others want a turn too */

    ngx_srt_wake();
}


void
ngx_srt_again(ngx_srt_peer_t *peer)
{
    (void) pthread_mutex_lock(&ngx_srt_lib.lock);
    ngx_srt_tell(peer, NGX_SRT_READY);
    (void) pthread_mutex_unlock(&ngx_srt_lib.lock);
}


/* --- questions ----------------------------------------------------------- */

int
ngx_srt_ask(ngx_srt_peer_t *peer, SRTSOCKET sock, const struct sockaddr *sa,
    const char *id)
{
    int              code;
    size_t           n;
    ngx_srt_lib_t   *lib;
    struct timespec  until;

    lib = &ngx_srt_lib;
    n = strlen(id);

    if (n > NGX_MEDIA_SRT_ID_MAX) {
        return SRT_REJX_BAD_REQUEST;
    }

    (void) clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1 + peer->conf->connect_timeout / 1000;

    (void) pthread_mutex_lock(&lib->lock);

    /* who had this listener before is still heard, if he speaks late */

    if (!ngx_srt_is_peer(peer, sa)) {
        (void) pthread_mutex_unlock(&lib->lock);
        return SRT_REJX_DOWN;
    }

    /* who asks once more, as he heard no answer, gets the same one */

    if (!peer->answered) {
        ngx_memcpy(peer->id, id, n + 1);
        peer->id_len = n;

        ngx_srt_tell(peer, NGX_SRT_WANTS);
    }

    peer->asked = 1;

    while (!peer->answered) {
        if (pthread_cond_timedwait(&peer->cond, &lib->lock, &until) != 0) {
            break;
        }
    }

    /* late answers are for nobody */

    if (!peer->answered) {
        peer->answered = 1;
        peer->answer = SRT_REJX_DOWN;
    }

    code = peer->answer;

    (void) pthread_mutex_unlock(&lib->lock);

    /* the peer stays as long as we are here */

    if (code == 0 && peer->passphrase[0]) {
        code = ngx_srt_encrypt(peer, sock);
    }

    (void) pthread_mutex_lock(&lib->lock);

    peer->asked = 0;
    (void) pthread_cond_broadcast(&peer->cond);

    (void) pthread_mutex_unlock(&lib->lock);

    return code;
}


/* under the lock; libsrt's sockets are of IPv6 */

static ngx_uint_t
ngx_srt_is_peer(ngx_srt_peer_t *peer, const struct sockaddr *sa)
{
    const u_char               *addr;
    struct sockaddr            *own;
    const struct sockaddr_in6  *sin6;

    own = &peer->sockaddr.sockaddr;
    sin6 = (const struct sockaddr_in6 *) sa;

    if (sa->sa_family != AF_INET6
        || ntohs(sin6->sin6_port) != ngx_inet_get_port(own))
    {
        return 0;
    }

    addr = sin6->sin6_addr.s6_addr;

    if (own->sa_family == AF_INET6) {
        return ngx_memcmp(&peer->sockaddr.sockaddr_in6.sin6_addr, addr, 16)
               == 0;
    }

    return ngx_memcmp(&peer->sockaddr.sockaddr_in.sin_addr, addr + 12, 4) == 0;
}


static int
ngx_srt_encrypt(ngx_srt_peer_t *peer, SRTSOCKET sock)
{
    if (srt_setsockflag(sock, SRTO_PBKEYLEN, &peer->pbkeylen, sizeof(int))
        == SRT_ERROR
        || srt_setsockflag(sock, SRTO_PASSPHRASE, peer->passphrase,
                           (int) strlen(peer->passphrase))
           == SRT_ERROR)
    {
        return SRT_REJX_ISE;
    }

    return 0;
}


ngx_uint_t
ngx_srt_waits(ngx_srt_peer_t *peer)
{
    ngx_uint_t  waits;

    (void) pthread_mutex_lock(&ngx_srt_lib.lock);
    waits = peer->asked && !peer->answered;
    (void) pthread_mutex_unlock(&ngx_srt_lib.lock);

    return waits;
}


void
ngx_srt_answer(ngx_srt_peer_t *peer, int code)
{
    ngx_srt_lib_t  *lib;

    lib = &ngx_srt_lib;

    (void) pthread_mutex_lock(&lib->lock);

    if (!peer->answered) {
        peer->answered = 1;
        peer->answer = code;
        (void) pthread_cond_broadcast(&peer->cond);
    }

    (void) pthread_mutex_unlock(&lib->lock);
}


void
ngx_srt_forget(ngx_srt_peer_t *peer)
{
    ngx_srt_lib_t    *lib;
    ngx_srt_peer_t  **p;

    lib = &ngx_srt_lib;

    (void) pthread_mutex_lock(&lib->lock);

    if (!peer->answered || peer->answer == 0) {
        peer->answered = 1;
        peer->answer = SRT_REJX_DOWN;
        (void) pthread_cond_broadcast(&peer->cond);
    }

    while (peer->asked) {

        /* it has only to leave */

        (void) pthread_cond_wait(&peer->cond, &lib->lock);
    }

    if (peer->listed) {

        for (p = &lib->first; *p != peer; p = &(*p)->next) { /* void */ }

        *p = peer->next;

        if (lib->last == &peer->next) {
            lib->last = p;
        }

        peer->listed = 0;
    }

    (void) pthread_mutex_unlock(&lib->lock);
}


ngx_int_t
ngx_srt_renew(ngx_srt_peer_t *peer, struct sockaddr *sa, socklen_t socklen)
{
    ngx_srt_lib_t  *lib;

    lib = &ngx_srt_lib;

    (void) pthread_mutex_lock(&lib->lock);

    if (peer->asked || peer->listed) {
        (void) pthread_mutex_unlock(&lib->lock);
        return NGX_DECLINED;
    }

    peer->told = 0;
    peer->answered = 0;
    peer->answer = 0;
    peer->id_len = 0;
    peer->pbkeylen = 0;
    peer->passphrase[0] = '\0';
    peer->socklen = socklen;
    ngx_memcpy(&peer->sockaddr, sa, socklen);

    (void) pthread_mutex_unlock(&lib->lock);

    return NGX_OK;
}


void
ngx_srt_deaf(ngx_srt_peer_t *peer)
{
    (void) pthread_mutex_lock(&ngx_srt_lib.lock);
    peer->answer = SRT_REJX_DOWN;
    (void) pthread_mutex_unlock(&ngx_srt_lib.lock);
}


/*
 * draft-sharabayko-srt-01, sections 3.2 and 3.2.1: a control packet of type 0
 * is dropped where its MSS is none, unless it is a refusal (1000 and more), and
 * where numbers of its packet filter have more than two digits: libsrt takes
 * memory for columns times rows.  Words of that text are of the other byte
 * order.
 */

ngx_int_t
ngx_srt_filter(ngx_socket_t fd)
{
    ngx_uint_t          n;
    struct sock_fprog   program;
    struct sock_filter  code[NGX_SRT_FILTER_CODE];

    static const struct sock_filter  head[] = {
        BPF_STMT(BPF_LD|BPF_W|BPF_ABS, NGX_SRT_AT_TYPE),
        BPF_STMT(BPF_ALU|BPF_AND|BPF_K, 0xffff0000),
        BPF_JUMP(BPF_JMP|BPF_JEQ|BPF_K, 0x80000000, 1, 0),
        BPF_STMT(BPF_RET|BPF_K, 0xffffffff),
        BPF_STMT(BPF_LD|BPF_W|BPF_ABS, NGX_SRT_AT_REQUEST),
        BPF_JUMP(BPF_JMP|BPF_JGE|BPF_K, 0x80000000, 2, 0),
        BPF_JUMP(BPF_JMP|BPF_JGE|BPF_K, 1000, 0, 1),
        BPF_STMT(BPF_RET|BPF_K, 0xffffffff),
        BPF_STMT(BPF_LD|BPF_W|BPF_ABS, NGX_SRT_AT_MSS),
        BPF_JUMP(BPF_JMP|BPF_JGE|BPF_K, NGX_SRT_MSS_LEAST, 0, 1),
        BPF_JUMP(BPF_JMP|BPF_JGT|BPF_K, NGX_SRT_MSS_MOST, 0, 1),
        BPF_STMT(BPF_RET|BPF_K, 0),
        BPF_STMT(BPF_LDX|BPF_IMM, NGX_SRT_AT_EXTENSIONS)
    };

    ngx_memcpy(code, head, sizeof(head));
    n = sizeof(head) / sizeof(head[0]);

    /* those before the packet filter, its text, those behind it */

    n = ngx_srt_filter_extensions(code, n, 1);
    n = ngx_srt_filter_text(code, n);
    n = ngx_srt_filter_extensions(code, n, 0);

    program.len = (unsigned short) n;
    program.filter = code;

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                      sizeof(struct sock_fprog))
           == -1 ? NGX_ERROR : NGX_OK;
}


/* X: where the next one is; with go, code goes on behind this at the filter */

static ngx_uint_t
ngx_srt_filter_extensions(struct sock_filter *code, ngx_uint_t n,
    ngx_uint_t go)
{
    ngx_uint_t  i, end;

    static const struct sock_filter  step[] = {
        BPF_STMT(BPF_LD|BPF_W|BPF_LEN, 0),
        BPF_STMT(BPF_ALU|BPF_SUB|BPF_K, 4),
        BPF_JUMP(BPF_JMP|BPF_JGE|BPF_X, 0, 1, 0),
        BPF_STMT(BPF_RET|BPF_K, 0xffffffff),
        BPF_STMT(BPF_LD|BPF_H|BPF_IND, 0),
        BPF_JUMP(BPF_JMP|BPF_JEQ|BPF_K, NGX_SRT_CMD_FILTER, 0, 1),
        BPF_STMT(BPF_JMP|BPF_JA, 0),
        BPF_STMT(BPF_LD|BPF_H|BPF_IND, 2),
        BPF_STMT(BPF_ALU|BPF_LSH|BPF_K, 2),
        BPF_STMT(BPF_ALU|BPF_ADD|BPF_K, 4),
        BPF_STMT(BPF_ALU|BPF_ADD|BPF_X, 0),
        BPF_STMT(BPF_MISC|BPF_TAX, 0)
    };

    enum { size = sizeof(step) / sizeof(step[0]), found = 6 };

    end = n + NGX_SRT_EXTENSIONS * size;

    for (i = 0; i < NGX_SRT_EXTENSIONS; i++) {
        ngx_memcpy(&code[n], step, sizeof(step));

        /* to the end: it is dropped, or behind that */

        code[n + found].k = (uint32_t) (end + go - (n + found) - 1);
        n += size;
    }

    code[n++] = (struct sock_filter) BPF_STMT(BPF_RET|BPF_K, 0);

    return n;
}


/* X: where it is, and then, where the next one is; M[0]: digits in a row */

static ngx_uint_t
ngx_srt_filter_text(struct sock_filter *code, ngx_uint_t n)
{
    ngx_uint_t  i, k;

    static const struct sock_filter  head[] = {
        BPF_STMT(BPF_LD|BPF_H|BPF_IND, 2),
        BPF_JUMP(BPF_JMP|BPF_JGT|BPF_K, NGX_SRT_FILTER_WORDS, 0, 1),
        BPF_STMT(BPF_RET|BPF_K, 0),
        BPF_STMT(BPF_ALU|BPF_LSH|BPF_K, 2),
        BPF_STMT(BPF_ALU|BPF_ADD|BPF_K, 4),
        BPF_STMT(BPF_ALU|BPF_ADD|BPF_X, 0),
        BPF_STMT(BPF_ST, 1),
        BPF_STMT(BPF_LD|BPF_IMM, 0),
        BPF_STMT(BPF_ST, 0),
        BPF_STMT(BPF_MISC|BPF_TXA, 0),
        BPF_STMT(BPF_ALU|BPF_ADD|BPF_K, 4),
        BPF_STMT(BPF_MISC|BPF_TAX, 0)
    };

    static const struct sock_filter  byte[] = {
        BPF_STMT(BPF_LD|BPF_B|BPF_IND, 0),
        BPF_JUMP(BPF_JMP|BPF_JGE|BPF_K, '0', 0, 5),
        BPF_JUMP(BPF_JMP|BPF_JGT|BPF_K, '9', 4, 0),
        BPF_STMT(BPF_LD|BPF_MEM, 0),
        BPF_STMT(BPF_ALU|BPF_ADD|BPF_K, 1),
        BPF_JUMP(BPF_JMP|BPF_JGT|BPF_K, 2, 0, 2),
        BPF_STMT(BPF_RET|BPF_K, 0),
        BPF_STMT(BPF_LD|BPF_IMM, 0),
        BPF_STMT(BPF_ST, 0)
    };

    enum {
        size = sizeof(byte) / sizeof(byte[0]),
        word = 2 + 4 * size + 3
    };

    ngx_memcpy(&code[n], head, sizeof(head));
    n += sizeof(head) / sizeof(head[0]);

    for (i = 0; i < NGX_SRT_FILTER_WORDS; i++) {

        /* over it where it is not there any more */

        code[n++] = (struct sock_filter) BPF_STMT(BPF_LD|BPF_MEM, 1);
        code[n++] = (struct sock_filter)
                        BPF_JUMP(BPF_JMP|BPF_JGT|BPF_X, 0, 0, word - 2);

        for (k = 0; k < 4; k++) {
            ngx_memcpy(&code[n], byte, sizeof(byte));
            code[n].k = (uint32_t) (3 - k);
            n += size;
        }

        code[n++] = (struct sock_filter) BPF_STMT(BPF_MISC|BPF_TXA, 0);
        code[n++] = (struct sock_filter) BPF_STMT(BPF_ALU|BPF_ADD|BPF_K, 4);
        code[n++] = (struct sock_filter) BPF_STMT(BPF_MISC|BPF_TAX, 0);
    }

    return n;
}
