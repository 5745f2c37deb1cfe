
/*
 * Copyright (C) the nginx media suite authors
 *
 * libcurl's multi interface on nginx's events.  Each socket of libcurl is an
 * nginx connection from its socket() to its close(), both done here, so that
 * nginx never watches a descriptor that is another one by now.
 *
 * libcurl reads what it likes and expects to be called again while there is
 * more: its sockets are watched level-triggered, as nginx does with listeners,
 * and nothing has to be remembered when its interest changes.  A timer runs
 * only while libcurl asks for one; with nothing under way for a while all of
 * it is freed, connections kept alive too.
 *
 * libcurl 7.88 closes a socket that has not connected yet (of a request that
 * is cancelled or timed out) by itself, and tells afterwards only that it is of
 * no interest.  So a socket is known by its inode too: what is closed, or
 * another one by now, is let go of and not touched.
 */


#include "ngx_media_web_curl.h"


typedef struct {
    ngx_rbtree_node_t    node;             /* key: descriptor */
    ngx_connection_t    *connection;
    ino_t                inode;
} ngx_media_web_socket_t;


typedef struct {
    CURLM               *multi;            /* NULL until it is needed */
    CURLSH              *share;            /* sessions of TLS */
    ngx_rbtree_t         sockets;
    ngx_rbtree_node_t    sentinel;
    ngx_event_t          timer;            /* libcurl's */
    ngx_event_t          idle;
    ngx_connection_t     dummy;            /* data of both */
    ngx_uint_t           ready;            /* libcurl is initialized */
} ngx_media_web_multi_t;


static void ngx_media_web_multi_free(void);
static void ngx_media_web_timer_handler(ngx_event_t *ev);
static void ngx_media_web_idle_handler(ngx_event_t *ev);
static void ngx_media_web_read_handler(ngx_event_t *ev);
static void ngx_media_web_write_handler(ngx_event_t *ev);
static ngx_connection_t *ngx_media_web_connection(int fd, ngx_log_t *log);


static ngx_media_web_multi_t  ngx_media_web_multi;


/* --- libcurl is told ---------------------------------------------------- */

static void
ngx_media_web_run(curl_socket_t fd, int what)
{
    int         n;
    CURL       *easy;
    CURLMsg    *msg;
    CURLcode    code;
    CURLMcode   rc;
    char       *w;

    rc = curl_multi_socket_action(ngx_media_web_multi.multi, fd, what, &n);

    if (rc != CURLM_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "curl_multi_socket_action() failed: %s",
                      curl_multi_strerror(rc));
    }

    /* done() of a request may send others, cancel others */

    for ( ;; ) {
        msg = curl_multi_info_read(ngx_media_web_multi.multi, &n);

        if (msg == NULL) {
            break;
        }

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        easy = msg->easy_handle;
        code = msg->data.result;

        w = NULL;
        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &w);

        ngx_media_web_complete((ngx_media_web_t *) w, code);
    }

    /* what is left there would be told by the next connection with TLS */

    ERR_clear_error();
}


static void
ngx_media_web_timer_handler(ngx_event_t *ev)
{
    ngx_media_web_run(CURL_SOCKET_TIMEOUT, 0);
}


static void
ngx_media_web_read_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close && !c->error) {

        /* the worker leaves: nothing is kept for later */

        c->close = 0;

        if (ngx_media_web_active() == 0) {
            ngx_media_web_multi_idle(1);
        }

        return;
    }

    if (c->close) {

        /* worker_shutdown_timeout: libcurl finds the end of it */

        (void) shutdown(c->fd, SHUT_RDWR);
    }

    ngx_media_web_run(c->fd, CURL_CSELECT_IN);
}


static void
ngx_media_web_write_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_media_web_run(c->fd, CURL_CSELECT_OUT);
}


/* --- libcurl asks ------------------------------------------------------- */

static int
ngx_media_web_timer(CURLM *multi, long ms, void *data)
{
    ngx_event_t  *ev;

    ev = &ngx_media_web_multi.timer;

    /* nginx leaves a timer alone that moves by little only */

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }

    if (ms == 0) {

        /* not from inside, and others come first */

        ngx_post_event(ev, &ngx_posted_next_events);

    } else if (ms > 0) {
        ngx_add_timer(ev, (ngx_msec_t) ms);
    }

    return 0;
}


static ngx_media_web_socket_t *
ngx_media_web_socket(curl_socket_t fd)
{
    ngx_rbtree_node_t  *node, *sentinel;

    node = ngx_media_web_multi.sockets.root;
    sentinel = ngx_media_web_multi.sockets.sentinel;

    while (node != sentinel) {

        if ((ngx_rbtree_key_t) fd == node->key) {
            return (ngx_media_web_socket_t *) node;
        }

        node = ((ngx_rbtree_key_t) fd < node->key) ? node->left : node->right;
    }

    return NULL;
}


/* is the descriptor still that of this socket? */

static ngx_uint_t
ngx_media_web_open_still(ngx_media_web_socket_t *s)
{
    struct stat  st;

    return fstat((int) s->node.key, &st) == 0 && st.st_ino == s->inode;
}


/*
 * libcurl has closed it: epoll knows it no more, and the descriptor is not ours
 * to close.
 */

static void
ngx_media_web_lost(ngx_media_web_socket_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, c->log, 0,
                   "media web socket %d: closed by libcurl", (int) c->fd);

    ngx_rbtree_delete(&ngx_media_web_multi.sockets, &s->node);
    ngx_free(s);

    c->shared = 1;

    ngx_close_connection(c);
}


static void
ngx_media_web_watch(ngx_event_t *ev, ngx_int_t event, ngx_uint_t on)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (on) {
        if (!ev->active) {
            rc = ngx_add_event(ev, event, NGX_LEVEL_EVENT);
        }

    } else {
        if (ev->posted) {
            ngx_delete_posted_event(ev);
        }

        if (ev->active) {
            rc = ngx_del_event(ev, event, 0);
        }
    }

    /* nginx has logged it; the timer of the request ends it */

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "a connection to a web server can not be watched");
    }
}


static int
ngx_media_web_interest(CURL *easy, curl_socket_t fd, int what, void *data,
    void *unused)
{
    ngx_connection_t        *c;
    ngx_media_web_socket_t  *s;

    s = ngx_media_web_socket(fd);

    if (s == NULL) {
        return 0;
    }

    if (!ngx_media_web_open_still(s)) {
        ngx_media_web_lost(s);
        return 0;
    }

    c = s->connection;

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, c->log, 0,
                   "media web socket %d: %d", (int) fd, what);

    if (what == CURL_POLL_REMOVE) {
        what = CURL_POLL_NONE;
    }

    ngx_media_web_watch(c->read, NGX_READ_EVENT, what & CURL_POLL_IN);
    ngx_media_web_watch(c->write, NGX_WRITE_EVENT, what & CURL_POLL_OUT);

    return 0;
}


static curl_socket_t
ngx_media_web_open(void *data, curlsocktype purpose, struct curl_sockaddr *a)
{
    int                      fd;
    ngx_log_t               *log;
    ngx_uint_t               level;
    ngx_connection_t        *c;

    log = ngx_cycle->log;
    fd = socket(a->family, a->socktype|SOCK_NONBLOCK|SOCK_CLOEXEC,
                a->protocol);

    if (fd == -1) {

        /* no IPv6 on this machine is no fault */

        level = (ngx_socket_errno == EAFNOSUPPORT) ? NGX_LOG_INFO
                                                   : NGX_LOG_ALERT;

        ngx_log_error(level, log, ngx_socket_errno, ngx_socket_n " failed");
        return CURL_SOCKET_BAD;
    }

    c = ngx_media_web_connection(fd, log);

    if (c == NULL) {
        (void) ngx_close_socket(fd);
        return CURL_SOCKET_BAD;
    }

    return fd;
}


/*
 * An nginx connection for a new socket.  Where there is one of the same number
 * libcurl has closed that; it takes the new one for it and does not tell again
 * what it wants.
 */

static ngx_connection_t *
ngx_media_web_connection(int fd, ngx_log_t *log)
{
    struct stat              st;
    ngx_uint_t               in, out;
    ngx_connection_t        *c;
    ngx_media_web_socket_t  *s, *old;

    in = 0;
    out = 0;
    old = ngx_media_web_socket(fd);

    if (old) {
        in = old->connection->read->active;
        out = old->connection->write->active;

        ngx_media_web_lost(old);
    }

    if (fstat(fd, &st) == -1) {
        return NULL;
    }

    s = ngx_alloc(sizeof(ngx_media_web_socket_t), log);
    if (s == NULL) {
        return NULL;
    }

    c = ngx_get_connection(fd, log);

    if (c == NULL) {
        ngx_free(s);
        return NULL;
    }

    c->type = SOCK_STREAM;
    c->idle = 1;
    c->log = log;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    c->read->log = log;
    c->write->log = log;
    c->read->handler = ngx_media_web_read_handler;
    c->write->handler = ngx_media_web_write_handler;

    s->connection = c;
    s->inode = st.st_ino;
    s->node.key = (ngx_rbtree_key_t) fd;
    ngx_rbtree_insert(&ngx_media_web_multi.sockets, &s->node);

    ngx_media_web_watch(c->read, NGX_READ_EVENT, in);
    ngx_media_web_watch(c->write, NGX_WRITE_EVENT, out);

    return c;
}


static int
ngx_media_web_close(void *data, curl_socket_t fd)
{
    ngx_connection_t        *c;
    ngx_media_web_socket_t  *s;

    s = ngx_media_web_socket(fd);

    if (s == NULL) {
        return close(fd);
    }

    c = s->connection;

    ngx_rbtree_delete(&ngx_media_web_multi.sockets, &s->node);
    ngx_free(s);

    ngx_close_connection(c);

    return 0;
}


/* --- requests ----------------------------------------------------------- */

CURLcode
ngx_media_web_multi_setup(CURL *easy)
{
    CURLcode  rc;

    rc = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION,
                          ngx_media_web_open);

    if (rc == CURLE_OK) {
        rc = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                              ngx_media_web_close);
    }

    if (rc == CURLE_OK && ngx_media_web_multi.share) {
        rc = curl_easy_setopt(easy, CURLOPT_SHARE, ngx_media_web_multi.share);
    }

    return rc;
}


static ngx_int_t
ngx_media_web_multi_new(void)
{
    long    all;
    CURLM  *multi;

    multi = curl_multi_init();

    if (multi == NULL) {
        return NGX_ERROR;
    }

    /* what carries streams has the other half */

    all = (long) ngx_max(ngx_cycle->connection_n / 2, 1);

    (void) curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                             ngx_media_web_interest);
    (void) curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             ngx_media_web_timer);
    (void) curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                             (long) NGX_MEDIA_WEB_HOST_CONNS);
    (void) curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, all);

    /* with a lower number a full cache closes each connection after its use */

    (void) curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, all);

    ngx_media_web_multi.multi = multi;

    return NGX_OK;
}


ngx_int_t
ngx_media_web_multi_add(ngx_media_web_t *w)
{
    CURLMcode  rc;

    if (ngx_media_web_multi.multi == NULL
        && ngx_media_web_multi_new() != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = curl_multi_add_handle(ngx_media_web_multi.multi, w->easy);

    if (rc != CURLM_OK) {
        ngx_log_error(NGX_LOG_ALERT, w->log, 0,
                      "curl_multi_add_handle() failed: %s",
                      curl_multi_strerror(rc));
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_media_web_multi_remove(ngx_media_web_t *w)
{
    (void) curl_multi_remove_handle(ngx_media_web_multi.multi, w->easy);

    ERR_clear_error();
}


void
ngx_media_web_multi_resume(ngx_media_web_t *w)
{
    CURLcode  rc;

    /* libcurl sets its timer, and reads when that is over */

    rc = curl_easy_pause(w->easy, CURLPAUSE_CONT);

    if (rc != CURLE_OK) {
        ngx_log_error(NGX_LOG_ALERT, w->log, 0,
                      "curl_easy_pause() failed: %s", curl_easy_strerror(rc));
    }

    ERR_clear_error();
}


void
ngx_media_web_multi_idle(ngx_uint_t idle)
{
    ngx_event_t  *ev;

    ev = &ngx_media_web_multi.idle;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }

    if (!idle || ngx_media_web_multi.multi == NULL) {
        return;
    }

    if (ngx_exiting) {
        ngx_post_event(ev, &ngx_posted_next_events);

    } else {
        ngx_add_timer(ev, NGX_MEDIA_WEB_KEEP);
    }
}


static void
ngx_media_web_idle_handler(ngx_event_t *ev)
{
    ngx_media_web_multi_free();
}


/* --- the worker's life -------------------------------------------------- */

ngx_int_t
ngx_media_web_multi_init(ngx_cycle_t *cycle)
{
    ngx_media_web_multi_t  *m;

    m = &ngx_media_web_multi;

    ngx_memzero(m, sizeof(ngx_media_web_multi_t));

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "curl_global_init() failed");
        return NGX_ERROR;
    }

    m->ready = 1;
    m->share = curl_share_init();

    if (m->share) {
        (void) curl_share_setopt(m->share, CURLSHOPT_SHARE,
                                 CURL_LOCK_DATA_SSL_SESSION);
    }

    ngx_rbtree_init(&m->sockets, &m->sentinel, ngx_rbtree_insert_value);

    m->dummy.fd = (ngx_socket_t) -1;

    /* what is under way keeps a leaving worker by timers of its own */

    m->timer.handler = ngx_media_web_timer_handler;
    m->timer.data = &m->dummy;
    m->timer.log = cycle->log;
    m->timer.cancelable = 1;

    m->idle.handler = ngx_media_web_idle_handler;
    m->idle.data = &m->dummy;
    m->idle.log = cycle->log;
    m->idle.cancelable = 1;

    return NGX_OK;
}


static void
ngx_media_web_multi_free(void)
{
    ngx_media_web_multi_t  *m;

    m = &ngx_media_web_multi;

    if (m->multi == NULL) {
        return;
    }

    (void) curl_multi_cleanup(m->multi);

    ERR_clear_error();

    m->multi = NULL;

    (void) ngx_media_web_timer(NULL, -1, NULL);
}


void
ngx_media_web_multi_exit(void)
{
    ngx_media_web_multi_t  *m;

    m = &ngx_media_web_multi;

    if (!m->ready) {
        return;
    }

    ngx_media_web_multi_free();
    ngx_media_web_multi_idle(0);

    if (m->share) {
        (void) curl_share_cleanup(m->share);
    }

    curl_global_cleanup();

    m->ready = 0;
}
