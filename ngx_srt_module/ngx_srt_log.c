
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: what libsrt has to say, for error_log.
 *
 * libsrt calls its log handler in any thread, with locks of its own held.  So
 * a line is only copied into a ring under a lock that nobody holds for longer,
 * and the worker writes it.  A line is cut to what a place of the ring takes;
 * lines that find no place, and those beyond NGX_SRT_LOG_RATE a second, are
 * counted instead.
 *
 * Most of what libsrt calls an error is a fault of a peer, or of no matter,
 * and is said at the level where nginx speaks of its clients: info.
 */


#include "ngx_srt.h"

#include <pthread.h>


#define NGX_SRT_LOG_LINES    64
#define NGX_SRT_LOG_LEN      240
#define NGX_SRT_LOG_RATE     20            /* lines a second */


typedef struct {
    int                level;              /* of libsrt */
    u_short            len;
    u_char             text[NGX_SRT_LOG_LEN];
} ngx_srt_log_line_t;


typedef struct {
    pthread_mutex_t      lock;
    ngx_uint_t           first;
    ngx_uint_t           n;
    ngx_uint_t           lost;             /* no place */
    ngx_srt_log_line_t   lines[NGX_SRT_LOG_LINES];

    /* the worker's */
    ngx_log_t           *log;
    ngx_event_t          timer;
    ngx_connection_t     dummy;
    ngx_msec_t           since;
    ngx_uint_t           written;          /* since then */
    ngx_uint_t           left_out;
} ngx_srt_log_t;


static void ngx_srt_log_handler(void *data, int level, const char *file,
    int line, const char *area, const char *message);
static size_t ngx_srt_log_copy(u_char *dst, const char *area,
    const char *message);
static void ngx_srt_log_write_line(ngx_srt_log_t *lg,
    ngx_srt_log_line_t *line);
static void ngx_srt_log_second(ngx_srt_log_t *lg);
static void ngx_srt_log_timer(ngx_event_t *ev);


static ngx_srt_log_t  ngx_srt_log;


/* libsrt has started */

void
ngx_srt_log_init(ngx_cycle_t *cycle)
{
    int             level;
    ngx_uint_t      n;
    ngx_srt_log_t  *lg;

    lg = &ngx_srt_log;

    ngx_memzero(lg, sizeof(ngx_srt_log_t));
    (void) pthread_mutex_init(&lg->lock, NULL);

    lg->log = cycle->log;
    lg->since = ngx_current_msec;

    lg->dummy.fd = (ngx_socket_t) -1;
    lg->timer.data = &lg->dummy;
    lg->timer.handler = ngx_srt_log_timer;
    lg->timer.log = cycle->log;
    lg->timer.cancelable = 1;

    n = cycle->log->log_level;

    if (n >= NGX_LOG_DEBUG && (n & NGX_LOG_DEBUG_STREAM)) {
        level = LOG_NOTICE;

    } else if (n >= NGX_LOG_INFO) {
        level = LOG_ERR;

    } else {
        level = LOG_CRIT;
    }

    srt_setloglevel(level);
    srt_setlogflags(SRT_LOGF_DISABLE_TIME|SRT_LOGF_DISABLE_THREADNAME
                    |SRT_LOGF_DISABLE_SEVERITY|SRT_LOGF_DISABLE_EOL);
    srt_setloghandler(lg, ngx_srt_log_handler);
}


/* no thread of libsrt is left */

void
ngx_srt_log_exit(void)
{
    ngx_srt_log_t  *lg;

    lg = &ngx_srt_log;

    if (lg->log == NULL) {
        return;
    }

    ngx_srt_log_write();

    if (lg->timer.timer_set) {
        ngx_del_timer(&lg->timer);
    }

    lg->log = NULL;
}


/* in any thread */

static void
ngx_srt_log_handler(void *data, int level, const char *file, int line,
    const char *area, const char *message)
{
    ngx_srt_log_t *lg = data;

    ngx_uint_t           wake;
    ngx_srt_log_line_t  *to;

    (void) file;
    (void) line;

    (void) pthread_mutex_lock(&lg->lock);

    wake = (lg->n == 0 && lg->lost == 0);

    if (lg->n == NGX_SRT_LOG_LINES) {
        lg->lost++;

    } else {
        to = &lg->lines[(lg->first + lg->n++) % NGX_SRT_LOG_LINES];
        to->level = level;
        to->len = (u_short) ngx_srt_log_copy(to->text, area, message);
    }

    (void) pthread_mutex_unlock(&lg->lock);

    if (wake) {
        ngx_srt_wake();
    }
}


/* stream ids are in there too: no control bytes */

static size_t
ngx_srt_log_copy(u_char *dst, const char *area, const char *message)
{
    size_t       n;
    const char  *p;

    (void) area;

    n = 0;

    /* an area that it does not say has left its colon */

    while (*message == ':' || *message == ' ') {
        message++;
    }

    for (p = message; *p && n < NGX_SRT_LOG_LEN; p++) {
        dst[n++] = ((u_char) *p < 0x20 || *p == 0x7f) ? '.' : (u_char) *p;
    }

    while (n && (dst[n - 1] == ' ' || dst[n - 1] == '.')) {
        n--;
    }

    return n;
}


/* in the worker: all that waits */

void
ngx_srt_log_write(void)
{
    ngx_uint_t           i, more;
    ngx_srt_log_t       *lg;
    ngx_srt_log_line_t   line;

    lg = &ngx_srt_log;

    if (lg->log == NULL) {
        return;
    }

    more = 1;

    for (i = 0; more && i < 2 * NGX_SRT_LOG_LINES; i++) {

        (void) pthread_mutex_lock(&lg->lock);

        lg->left_out += lg->lost;
        lg->lost = 0;

        more = lg->n;

        if (more) {
            line = lg->lines[lg->first];
            lg->first = (lg->first + 1) % NGX_SRT_LOG_LINES;
            lg->n--;
        }

        (void) pthread_mutex_unlock(&lg->lock);

        if (more) {
            ngx_srt_log_write_line(lg, &line);
        }
    }

    if (more) {
        ngx_srt_wake();
    }

    if (lg->left_out && !lg->timer.timer_set) {
        ngx_add_timer(&lg->timer, 1000);
    }
}


static void
ngx_srt_log_write_line(ngx_srt_log_t *lg, ngx_srt_log_line_t *line)
{
    ngx_str_t   text;
    ngx_uint_t  level;

    if (ngx_current_msec - lg->since >= 1000) {
        ngx_srt_log_second(lg);
    }

    if (lg->written == NGX_SRT_LOG_RATE) {
        lg->left_out++;
        return;
    }

    lg->written++;

    switch (line->level) {

    case LOG_ERR:
        level = NGX_LOG_INFO;
        break;

    case LOG_CRIT:
        level = NGX_LOG_CRIT;
        break;

    default:
        level = NGX_LOG_DEBUG;
    }

    text.len = line->len;
    text.data = line->text;

    ngx_log_error(level, lg->log, 0, "srt: %V", &text);
}


static void
ngx_srt_log_second(ngx_srt_log_t *lg)
{
    if (lg->left_out) {
        ngx_log_error(NGX_LOG_INFO, lg->log, 0,
                      "srt: %ui lines more of libsrt are left out",
                      lg->left_out);
        lg->left_out = 0;
    }

    lg->written = 0;
    lg->since = ngx_current_msec;
}


static void
ngx_srt_log_timer(ngx_event_t *ev)
{
    ngx_srt_log_second(&ngx_srt_log);
}
