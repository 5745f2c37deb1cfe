
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: one relay: it calls one address after the other, one URL after the
 * other, and after all of them failed waits, longer each time.
 *
 * Whatever goes on does so from the relay's timer, so that nothing ever
 * happens inside of a call that somebody made (a player's first word, ended()
 * of a dialler).  The timer is cancelable: a worker that leaves does not stay
 * for calls that may succeed some day; for those that did it stays by the
 * timers of their sessions.
 */


#include "ngx_media_relay_hub.h"
#include "ngx_media_web_curl.h"


static u_char *ngx_media_relay_log_handler(ngx_log_t *log, u_char *buf,
    size_t len);
static void ngx_media_relay_choose(ngx_media_relay_t *r);
static void ngx_media_relay_state(ngx_media_relay_t *r, ngx_uint_t state);
static void ngx_media_relay_timer(ngx_event_t *ev);
static void ngx_media_relay_attempt(ngx_media_relay_t *r);
static ngx_int_t ngx_media_relay_literal(ngx_media_relay_t *r);
static ngx_int_t ngx_media_relay_resolve(ngx_media_relay_t *r,
    ngx_media_web_conf_t *wcf);
static void ngx_media_relay_resolved(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_media_relay_addrs(ngx_media_relay_t *r,
    ngx_resolver_ctx_t *ctx);
static void ngx_media_relay_dial(ngx_media_relay_t *r);
static void ngx_media_relay_over(ngx_media_relay_t *r);
static void ngx_media_relay_failed(ngx_media_relay_t *r, const char *error);
static void ngx_media_relay_later(ngx_media_relay_t *r);
static void ngx_media_relay_say(ngx_media_relay_t *r, const char *error);
static void ngx_media_relay_answered(ngx_media_relay_t *r);
static ngx_media_relay_t *ngx_media_relay_of(ngx_media_relay_call_t *call);


/*
 * Calls of this worker that nobody has answered: each costs threads and
 * descriptors, and whoever asks for names that are nowhere makes them.
 */

#define NGX_MEDIA_RELAY_CALLS  64
#define NGX_MEDIA_RELAY_TURN   50      /* ms until one looks again */


static ngx_queue_t  ngx_media_relays;
static ngx_uint_t   ngx_media_relay_ncalls;


ngx_queue_t *
ngx_media_relay_all(void)
{
    if (ngx_media_relays.next == NULL) {
        ngx_queue_init(&ngx_media_relays);
    }

    return &ngx_media_relays;
}


/* --- what it is --------------------------------------------------------- */

ngx_media_relay_t *
ngx_media_relay_new(ngx_uint_t way, const ngx_str_t *text, ngx_uint_t n)
{
    ngx_uint_t          i;
    ngx_pool_t         *pool;
    ngx_media_relay_t  *r;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    r = ngx_pcalloc(pool, sizeof(ngx_media_relay_t));
    if (r == NULL) {
        goto failed;
    }

    for (i = 0; i < NGX_MEDIA_TEXT_MAX; i++) {

        if (text[i].len == 0) {
            continue;
        }

        r->text[i].data = ngx_pstrdup(pool, (ngx_str_t *) &text[i]);
        if (r->text[i].data == NULL) {
            goto failed;
        }

        r->text[i].len = text[i].len;
    }

    r->to = ngx_pcalloc(pool, n * sizeof(ngx_media_relay_to_t));
    if (r->to == NULL) {
        goto failed;
    }

    r->pool = pool;
    r->way = way;
    r->entry = NGX_MEDIA_NONE;
    r->pause = NGX_MEDIA_RELAY_PAUSE;
    r->since = ngx_current_msec;
    r->wanted = ngx_media_msec();

    r->log = *ngx_cycle->log;
    r->log.handler = ngx_media_relay_log_handler;
    r->log.data = r;
    r->log.action = NULL;

    r->dummy.fd = (ngx_socket_t) -1;
    r->dummy.data = r;
    r->timer.data = &r->dummy;
    r->timer.log = &r->log;
    r->timer.handler = ngx_media_relay_timer;
    r->timer.cancelable = 1;

    ngx_queue_insert_tail(ngx_media_relay_all(), &r->queue);

    return r;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static u_char *
ngx_media_relay_log_handler(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char             *p, *last;
    ngx_str_t          *text;
    ngx_media_relay_t  *r;

    r = log->data;
    p = buf;
    last = buf + len;
    text = r->text;

    if (r->nto) {
        p = ngx_slprintf(p, last, ", relay: %s \"%V\"",
                         r->way == NGX_MEDIA_RELAY_PULL ? "from" : "to",
                         &r->to[r->cur].shown);
    }

    if (r->dialled && r->naddrs) {
        p = ngx_slprintf(p, last, " at %V", &r->call.addr_text);
    }

    return ngx_slprintf(p, last, ", media: %V %V/%V",
                        &text[NGX_MEDIA_TEXT_VHOST], &text[NGX_MEDIA_TEXT_APP],
                        &text[NGX_MEDIA_TEXT_STREAM]);
}


ngx_int_t
ngx_media_relay_add(ngx_media_relay_t *r, const ngx_str_t *url,
    ngx_media_relay_target_t *target)
{
    const char            *error;
    ngx_media_relay_to_t  *to;

    to = &r->to[r->nto];

    error = ngx_media_relay_url(r->pool, ngx_media_relay_main_conf(), r->way,
                                url, &to->url, &to->dialler);

    if (error) {
        ngx_log_error(NGX_LOG_WARN, &r->log, 0,
                      "a URL of %uz bytes to relay to is refused: %s",
                      url->len, error);
        return NGX_DECLINED;
    }

    to->target = target;

    if (ngx_media_relay_shown(r->pool, &to->url,
                              &r->text[NGX_MEDIA_TEXT_STREAM], &to->shown)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->nto++;

    return NGX_OK;
}


/*
 * The URL with its variables filled in.  A stream id is a list of keys, in
 * which names and arguments of others must not put more of them, such as
 * ",m=publish".
 */

ngx_int_t
ngx_media_relay_eval(ngx_media_relay_t *r, ngx_media_relay_target_t *t,
    const ngx_str_t *text, ngx_str_t *url)
{
    ngx_int_t   rc;
    ngx_uint_t  flags;

    *url = t->url;

    if (t->value == NULL) {
        return NGX_OK;
    }

    flags = NGX_MEDIA_VALUE_URL;

    if (ngx_strlcasestrn(t->url.data, t->url.data + t->url.len,
                         (u_char *) "streamid=", sizeof("streamid=") - 2))
    {
        flags |= NGX_MEDIA_VALUE_ITEM;
    }

    rc = ngx_media_value_eval(t->value, text, NULL, flags, r->pool, url);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_WARN, &r->log, 0,
                      "a name or an argument with \",\", \"?\" or braces "
                      "does not go into \"streamid\"");
    }

    return rc;
}


/* vhost: instead of that of the stream, for values; "": that */

ngx_int_t
ngx_media_relay_add_all(ngx_media_relay_t *r, ngx_array_t *targets,
    const ngx_str_t *vhost)
{
    ngx_int_t                  rc;
    ngx_str_t                  url, text[NGX_MEDIA_TEXT_MAX];
    ngx_uint_t                 i;
    ngx_media_relay_target_t  *t;

    ngx_memcpy(text, r->text, sizeof(text));

    if (vhost->len) {
        text[NGX_MEDIA_TEXT_VHOST] = *vhost;
    }

    r->peer_vhost = text[NGX_MEDIA_TEXT_VHOST];

    t = targets->elts;

    for (i = 0; i < targets->nelts; i++) {
        url = t[i].url;

        /* one that publishes may be all that can be called by it */

        if (!(t[i].dialler->ways & r->way)) {
            continue;
        }

        rc = ngx_media_relay_eval(r, &t[i], text, &url);

        if (rc == NGX_OK) {
            rc = ngx_media_relay_add(r, &url, &t[i]);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    ngx_media_relay_choose(r);

    return r->nto ? NGX_OK : NGX_DECLINED;
}


/* the first one but those that gave no answer a moment ago */

static void
ngx_media_relay_choose(ngx_media_relay_t *r)
{
    ngx_uint_t                 i;
    ngx_media_relay_target_t  *t;

    for (i = 0; i < r->nto; i++) {
        t = r->to[i].target;

        if (t == NULL || t->down == 0
            || ngx_current_msec - t->down > NGX_MEDIA_RELAY_DOWN)
        {
            r->cur = i;
            return;
        }
    }
}


static void
ngx_media_relay_state(ngx_media_relay_t *r, ngx_uint_t state)
{
    r->state = state;
    r->since = ngx_current_msec;

    ngx_media_relay_show(r, NULL);
}


/* --- an attempt --------------------------------------------------------- */

void
ngx_media_relay_start(ngx_media_relay_t *r)
{
    ngx_media_relay_show(r, NULL);
    ngx_add_timer(&r->timer, 0);
}


void
ngx_media_relay_hurry(ngx_media_relay_t *r)
{
    if (r->state == NGX_MEDIA_RELAY_WAITING && r->timer.timer_set
        && ngx_current_msec - r->since >= NGX_MEDIA_RELAY_PAUSE)
    {
        ngx_add_timer(&r->timer, 0);
    }
}


static void
ngx_media_relay_timer(ngx_event_t *ev)
{
    ngx_int_t           rc;
    ngx_connection_t   *c;
    ngx_media_relay_t  *r;

    c = ev->data;
    r = c->data;

    switch (r->state) {

    case NGX_MEDIA_RELAY_WAITING:

        rc = NGX_OK;

        if (r->entry == NGX_MEDIA_NONE) {
            rc = ngx_media_relay_claim(r->key, r->way, NGX_MEDIA_RELAY_YIELD,
                                       &r->entry);
        }

        if (rc != NGX_OK) {
            r->entry = NGX_MEDIA_NONE;
            ngx_add_timer(ev, rc == NGX_DECLINED ? NGX_MEDIA_RELAY_CLAIM
                                                 : NGX_MEDIA_RELAY_PAUSE);
            return;
        }

        if (r->left) {

            /* nobody publishes it now */

            ngx_add_timer(ev, NGX_MEDIA_RELAY_PAUSE);
            return;
        }

        if (ngx_media_relay_ncalls >= NGX_MEDIA_RELAY_CALLS) {
            ngx_add_timer(ev, NGX_MEDIA_RELAY_TURN);
            return;
        }

        if (r->attempt) {
            ngx_media_relay_dial(r);
            return;
        }

        ngx_media_relay_attempt(r);
        return;

    case NGX_MEDIA_RELAY_CALLING:
        ngx_media_relay_over(r);
        ngx_media_relay_failed(r, "no media came in time");
        return;

    default:
        return;
    }
}


/* the current URL: its addresses first */

static void
ngx_media_relay_attempt(ngx_media_relay_t *r)
{
    ngx_int_t                  rc;
    ngx_media_relay_to_t      *to;
    ngx_media_web_conf_t      *wcf;
    ngx_media_relay_target_t  *t;

    to = &r->to[r->cur];
    t = to->target;

    r->addr = 0;
    r->naddrs = 0;
    r->attempt = ngx_create_pool(1024, ngx_cycle->log);

    if (r->attempt == NULL) {
        ngx_media_relay_failed(r, "no memory");
        return;
    }

    rc = ngx_media_relay_literal(r);

    if (rc == NGX_DECLINED) {
        wcf = ngx_media_web_conf((ngx_cycle_t *) ngx_cycle);

        if (wcf && wcf->resolver) {

            if (ngx_media_relay_resolve(r, wcf) != NGX_OK) {
                ngx_media_relay_failed(r, "the resolver can not be asked");
            }

            return;
        }

        if (t && t->naddrs) {
            r->addrs = t->addrs;
            r->naddrs = t->naddrs;
            rc = NGX_OK;
        }
    }

    if (rc != NGX_OK) {
        ngx_media_relay_failed(r, rc == NGX_ERROR ? "no memory"
                               : "no \"resolver\" in media{} for its name");
        return;
    }

    ngx_media_relay_dial(r);
}


/* NGX_OK; NGX_DECLINED: it is a name; NGX_ERROR */

static ngx_int_t
ngx_media_relay_literal(ngx_media_relay_t *r)
{
    ngx_str_t              *host;
    ngx_addr_t             *addr;
    ngx_uint_t              i;
    ngx_media_relay_url_t  *url;

    static ngx_str_t  local[] = {
        ngx_string("127.0.0.1"), ngx_string("::1")
    };

    url = &r->to[r->cur].url;
    host = &url->host;

    r->addrs = ngx_palloc(r->attempt, 2 * sizeof(ngx_addr_t));
    if (r->addrs == NULL) {
        return NGX_ERROR;
    }

    addr = r->addrs;

    /* RFC 6761, 6.3: nobody is asked for this name */

    if (host->len == 9 && ngx_strncmp(host->data, "localhost", 9) == 0) {

        for (i = 0; i < 2; i++) {

            if (ngx_parse_addr(r->attempt, &addr[r->naddrs], local[i].data,
                               local[i].len)
                == NGX_OK)
            {
                ngx_inet_set_port(addr[r->naddrs].sockaddr, url->port);
                r->naddrs++;
            }
        }

        return r->naddrs ? NGX_OK : NGX_ERROR;
    }

    switch (ngx_parse_addr(r->attempt, addr, host->data, host->len)) {

    case NGX_OK:
        ngx_inet_set_port(addr->sockaddr, url->port);
        r->naddrs = 1;
        return NGX_OK;

    case NGX_DECLINED:
        return NGX_DECLINED;

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_media_relay_resolve(ngx_media_relay_t *r, ngx_media_web_conf_t *wcf)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(wcf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_ERROR;
    }

    ctx->name = r->to[r->cur].url.host;
    ctx->handler = ngx_media_relay_resolved;
    ctx->data = r;
    ctx->timeout = wcf->resolver_timeout;

    r->dns = ctx;
    ngx_media_relay_state(r, NGX_MEDIA_RELAY_RESOLVING);

    if (ngx_resolve_name(ctx) != NGX_OK) {

        /* it is freed */

        r->dns = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* it may be called from inside of ngx_resolve_name() */

static void
ngx_media_relay_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t           rc;
    const char         *error;
    ngx_media_relay_t  *r;

    r = ctx->data;
    error = NULL;

    if (ctx->state) {
        error = ngx_resolver_strerror(ctx->state);
        rc = NGX_DECLINED;

    } else {
        rc = ngx_media_relay_addrs(r, ctx);
    }

    r->dns = NULL;
    ngx_resolve_name_done(ctx);

    if (rc != NGX_OK) {
        ngx_media_relay_failed(r, error ? error : "no memory");
        return;
    }

    /* the next step is the timer's */

    ngx_media_relay_state(r, NGX_MEDIA_RELAY_WAITING);
    ngx_add_timer(&r->timer, 0);
}


static ngx_int_t
ngx_media_relay_addrs(ngx_media_relay_t *r, ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t   i, n;
    ngx_addr_t  *addrs;

    n = ngx_min(ctx->naddrs, NGX_MEDIA_RELAY_ADDRS);

    addrs = ngx_pcalloc(r->attempt, n * sizeof(ngx_addr_t));
    if (addrs == NULL || n == 0) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        addrs[i].socklen = ctx->addrs[i].socklen;
        addrs[i].sockaddr = ngx_palloc(r->attempt, addrs[i].socklen);

        if (addrs[i].sockaddr == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(addrs[i].sockaddr, ctx->addrs[i].sockaddr,
                   addrs[i].socklen);
        ngx_inet_set_port(addrs[i].sockaddr, r->to[r->cur].url.port);
    }

    r->addrs = addrs;
    r->naddrs = n;

    return NGX_OK;
}


/* the current address */

static void
ngx_media_relay_dial(ngx_media_relay_t *r)
{
    u_char                  *p;
    ngx_addr_t              *addr;
    ngx_media_relay_to_t    *to;
    ngx_media_relay_call_t  *call;

    to = &r->to[r->cur];
    addr = &r->addrs[r->addr];
    call = &r->call;

    ngx_memzero(call, sizeof(ngx_media_relay_call_t));

    p = ngx_pnalloc(r->attempt, NGX_SOCKADDR_STRLEN);
    if (p == NULL) {
        ngx_media_relay_failed(r, "no memory");
        return;
    }

    call->way = r->way;
    call->url = to->url;
    call->sockaddr = addr->sockaddr;
    call->socklen = addr->socklen;
    call->addr_text.data = p;
    call->addr_text.len = ngx_sock_ntop(addr->sockaddr, addr->socklen, p,
                                        NGX_SOCKADDR_STRLEN, 1);
    call->vhost = r->text[NGX_MEDIA_TEXT_VHOST];
    call->app = r->text[NGX_MEDIA_TEXT_APP];
    call->stream = r->text[NGX_MEDIA_TEXT_STREAM];
    call->args = r->text[NGX_MEDIA_TEXT_ARGS];
    call->peer_vhost = r->peer_vhost;
    call->timeout = NGX_MEDIA_RELAY_TIMEOUT;
    call->log = &r->log;

    if (call->peer_vhost.len == sizeof(NGX_MEDIA_DEFAULT_VHOST) - 1
        && ngx_strncmp(call->peer_vhost.data, NGX_MEDIA_DEFAULT_VHOST,
                       call->peer_vhost.len)
           == 0)
    {
        ngx_str_null(&call->peer_vhost);
    }

    ngx_media_relay_state(r, NGX_MEDIA_RELAY_CALLING);

    r->unanswered = 1;
    ngx_media_relay_ncalls++;

    (void) __atomic_fetch_add(&ngx_media_arena()->relay_calls, 1,
                              __ATOMIC_RELAXED);

    if (to->dialler->dial(call) != NGX_OK) {
        ngx_media_relay_failed(r, "the call can not begin");
        return;
    }

    r->dialled = 1;

    /* whatever the dialler does, it is not waited for longer */

    ngx_add_timer(&r->timer, NGX_MEDIA_RELAY_FLOW);
}


/* --- what the dialler says ---------------------------------------------- */

static ngx_media_relay_t *
ngx_media_relay_of(ngx_media_relay_call_t *call)
{
    return (ngx_media_relay_t *) ((u_char *) call
                                  - offsetof(ngx_media_relay_t, call));
}


void
ngx_media_relay_connected(ngx_media_relay_call_t *call)
{
    ngx_uint_t          level;
    ngx_media_relay_t  *r;

    r = ngx_media_relay_of(call);

    if (!r->dialled || r->state == NGX_MEDIA_RELAY_CONNECTED) {
        return;
    }

    if (r->timer.timer_set) {
        ngx_del_timer(&r->timer);
    }

    r->flowed = 1;

    ngx_media_relay_answered(r);
    ngx_media_relay_state(r, NGX_MEDIA_RELAY_CONNECTED);

    if (r->to[r->cur].target) {
        r->to[r->cur].target->down = 0;
    }

    level = r->noted ? NGX_LOG_NOTICE : NGX_LOG_INFO;

    ngx_log_error(level, &r->log, 0, "relay is connected");

    r->noted = 0;
}


void
ngx_media_relay_ended(ngx_media_relay_call_t *call, ngx_uint_t why,
    const char *text)
{
    ngx_media_relay_t         *r;
    ngx_media_relay_target_t  *t;

    static const char  *whys[] = {
        "closed", "refused", "unreachable", "broken", "failed"
    };

    r = ngx_media_relay_of(call);

    if (!r->dialled) {
        return;
    }

    if (text == NULL) {
        text = whys[ngx_min(why, NGX_MEDIA_RELAY_FAILED)];
    }

    /* its session may be gone: what the last look at it saw */

    r->bytes += r->seen;
    r->seen = 0;
    r->dialled = 0;

    t = r->to[r->cur].target;

    if (t) {
        t->down = (why == NGX_MEDIA_RELAY_UNREACHED) ? ngx_current_msec : 0;
    }

    ngx_media_relay_failed(r, text);
}


/* --- what follows ------------------------------------------------------- */

/* the call ends because we want it */

static void
ngx_media_relay_over(ngx_media_relay_t *r)
{
    ngx_media_relay_answered(r);

    if (!r->dialled) {
        return;
    }

    r->bytes += r->seen;
    r->seen = 0;
    r->dialled = 0;
    r->to[r->cur].dialler->hangup(&r->call);
}


/* or nobody will: others may call */

static void
ngx_media_relay_answered(ngx_media_relay_t *r)
{
    if (r->unanswered) {
        r->unanswered = 0;
        ngx_media_relay_ncalls--;
    }
}


/* the next address, the next URL, or a pause */

static void
ngx_media_relay_failed(ngx_media_relay_t *r, const char *error)
{
    ngx_uint_t  lasted;

    lasted = (r->state == NGX_MEDIA_RELAY_CONNECTED);

    ngx_media_relay_answered(r);
    ngx_media_relay_say(r, error);

    (void) __atomic_fetch_add(&ngx_media_arena()->relay_failures, 1,
                              __ATOMIC_RELAXED);

    if (lasted && ngx_current_msec - r->since >= NGX_MEDIA_RELAY_STABLE) {
        r->pause = NGX_MEDIA_RELAY_PAUSE;
        r->tried = 0;
    }

    r->state = NGX_MEDIA_RELAY_WAITING;
    r->since = ngx_current_msec;

    ngx_media_relay_show(r, error);

    if (!lasted && ++r->addr < r->naddrs) {
        ngx_add_timer(&r->timer, 1);
        return;
    }

    if (r->attempt) {
        ngx_destroy_pool(r->attempt);
        r->attempt = NULL;
    }

    r->naddrs = 0;
    r->cur = (r->cur + 1) % r->nto;

    if (++r->tried < r->nto) {
        ngx_add_timer(&r->timer, 1);
        return;
    }

    r->tried = 0;

    if (r->way == NGX_MEDIA_RELAY_PULL) {
        ngx_media_relay_pull_missing(r);
    }

    ngx_media_relay_later(r);
}


/* up to a fifth longer: not all that lost a server come back at once */

static void
ngx_media_relay_later(ngx_media_relay_t *r)
{
    ngx_add_timer(&r->timer,
                  r->pause + (ngx_msec_t) ngx_random() % (r->pause / 5));

    r->pause = ngx_min(r->pause * 2, NGX_MEDIA_RELAY_PAUSE_MAX);
}


/*
 * Once as a warning, then quietly until it worked again.  Players may ask for
 * any number of names: there are some warnings in a second.
 */

static void
ngx_media_relay_say(ngx_media_relay_t *r, const char *error)
{
    ngx_uint_t         level;
    static time_t      second;
    static ngx_uint_t  said;

    level = r->noted ? NGX_LOG_INFO : NGX_LOG_WARN;

    if (level == NGX_LOG_WARN) {

        if (second != ngx_time()) {
            second = ngx_time();
            said = 0;
        }

        if (said++ >= NGX_MEDIA_RELAY_WARNINGS) {
            level = NGX_LOG_INFO;
        }
    }

    ngx_log_error(level, &r->log, 0,
                  r->state == NGX_MEDIA_RELAY_CONNECTED
                  ? "relay has lost its peer: %s" : "relay failed: %s", error);

    r->noted = 1;
}


void
ngx_media_relay_free(ngx_media_relay_t *r)
{
    ngx_media_relay_over(r);

    if (r->dns) {
        ngx_resolve_name_done(r->dns);
    }

    if (r->timer.timer_set) {
        ngx_del_timer(&r->timer);
    }

    if (r->entry != NGX_MEDIA_NONE) {
        ngx_media_relay_release(r->entry);
    }

    ngx_queue_remove(&r->queue);

    if (r->attempt) {
        ngx_destroy_pool(r->attempt);
    }

    ngx_destroy_pool(r->pool);
}
