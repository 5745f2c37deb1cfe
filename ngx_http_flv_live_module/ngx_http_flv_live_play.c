
/*
 * Copyright (C) the nginx media suite authors
 *
 * The life of one player, from its request to its end:
 *
 *   WAIT_PUBLISHER  nobody publishes the name yet, play_wait runs
 *   WAIT_TRACKS     somebody does: until there is something to send and, where
 *                   the publish is new, audio and video have shown themselves
 *   FLOWING         the response header is out, media follow
 *   ENDING          the stream is over, its last bytes leave
 *   DONE            the request is finalised
 *
 * Called by the content handler, by the core (ops of session and consumer)
 * and by the session's timer.  That timer is never cancelable: it also keeps
 * a worker alive that is shutting down while its players go on.
 *
 * Whatever is called from outside of nginx's HTTP ends with
 * ngx_http_run_posted_requests(), after which the request may be gone.
 */


#include "ngx_http_flv_live.h"
#include "ngx_media_rc.h"
#include "ngx_media_tracks.h"


/* how often a player's timer runs when there is nothing to wait for */

#define NGX_HTTP_FLV_LIVE_TICK     60000

/* bytes that the kernel may hold and has not sent */

#define NGX_HTTP_FLV_LIVE_NOTSENT  131072


static ngx_http_flv_live_ctx_t *ngx_http_flv_live_create(
    ngx_http_request_t *r, const ngx_http_flv_live_type_t *type);
static ngx_int_t ngx_http_flv_live_names(ngx_http_flv_live_ctx_t *ctx);
static ngx_int_t ngx_http_flv_live_params(ngx_http_flv_live_ctx_t *ctx);
static ngx_int_t ngx_http_flv_live_tracks(ngx_http_flv_live_ctx_t *ctx);
static ngx_uint_t ngx_http_flv_live_arg_on(ngx_http_request_t *r, char *name,
    size_t len);
static ngx_int_t ngx_http_flv_live_status(ngx_uint_t reason);
static ngx_int_t ngx_http_flv_live_head(ngx_http_request_t *r,
    const ngx_http_flv_live_type_t *type);
static void ngx_http_flv_live_begin(ngx_http_flv_live_ctx_t *ctx,
    ngx_int_t rc);
static ngx_int_t ngx_http_flv_live_carried(ngx_http_flv_live_ctx_t *ctx);
static ngx_int_t ngx_http_flv_live_not_carried(ngx_http_flv_live_ctx_t *ctx);
static ngx_uint_t ngx_http_flv_live_tracks_known(
    ngx_http_flv_live_ctx_t *ctx);
static void ngx_http_flv_live_start(ngx_http_flv_live_ctx_t *ctx);
static ngx_int_t ngx_http_flv_live_tune(ngx_http_request_t *r);
static void ngx_http_flv_live_end(ngx_http_flv_live_ctx_t *ctx);
static void ngx_http_flv_live_output_handler(ngx_media_consumer_t *consumer);
static void ngx_http_flv_live_event_handler(ngx_media_consumer_t *consumer,
    ngx_uint_t event);
static void ngx_http_flv_live_permitted(ngx_media_session_t *s,
    ngx_uint_t act, ngx_int_t rc);
static ngx_int_t ngx_http_flv_live_open(ngx_http_flv_live_ctx_t *ctx,
    ngx_int_t rc);
static void ngx_http_flv_live_close_handler(ngx_media_session_t *s,
    ngx_uint_t reason);
static void ngx_http_flv_live_timer_handler(ngx_event_t *ev);
static void ngx_http_flv_live_cleanup(void *data);


static const ngx_media_session_ops_t  ngx_http_flv_live_session_ops = {
    ngx_http_flv_live_close_handler,       /* close */
    NULL,                                  /* drain */
    NULL,                                  /* published */
    ngx_http_flv_live_permitted            /* permitted */
};


static const ngx_media_consumer_ops_t  ngx_http_flv_live_consumer_ops = {
    ngx_http_flv_live_output_handler,      /* output */
    ngx_http_flv_live_event_handler        /* event */
};


/*
 * Answers a GET or HEAD of a live name.  Returns what a content handler
 * returns: NGX_DONE where the player lives on.
 */

ngx_int_t
ngx_http_flv_live_play(ngx_http_request_t *r,
    const ngx_http_flv_live_type_t *type)
{
    ngx_int_t                 rc;
    ngx_http_flv_live_ctx_t  *ctx;

    ngx_media_http_log(r);

    rc = ngx_http_flv_live_ws_wanted(r);

    if (rc > NGX_OK) {
        return rc;
    }

    ctx = ngx_http_flv_live_create(r, type);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->upgrade = (rc == NGX_OK);

    rc = ngx_media_session_init(&ctx->session, r->connection, r->pool,
                                &ngx_http_flv_live_session_ops,
                                type->protocol);
    if (rc != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ctx->session.token = ngx_media_http_token(r);

    ngx_media_session_set_type(&ctx->session, type->client);
    ngx_media_session_received(&ctx->session, (size_t) r->request_length);

    rc = ngx_http_flv_live_names(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_flv_live_params(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_media_permit(&ctx->session, NGX_MEDIA_ACT_PLAY);

    if (rc == NGX_AGAIN) {
        ctx->state = NGX_HTTP_FLV_LIVE_WAIT_PERMISSION;
        r->main->count++;
        r->read_event_handler = r->discard_body
                                ? ngx_http_discarded_request_body_handler
                                : ngx_http_test_reading;
        return NGX_DONE;
    }

    return ngx_http_flv_live_open(ctx, rc);
}


/* ngx_media_permit() had said NGX_AGAIN */

static void
ngx_http_flv_live_permitted(ngx_media_session_t *s, ngx_uint_t act,
    ngx_int_t rc)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_flv_live_ctx_t  *ctx;

    ctx = ngx_queue_data(s, ngx_http_flv_live_ctx_t, session);

    if (ctx->state != NGX_HTTP_FLV_LIVE_WAIT_PERMISSION) {
        return;
    }

    ctx->state = NGX_HTTP_FLV_LIVE_DONE;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    /* NGX_DONE: what goes on has a reference of its own */

    ngx_http_finalize_request(r, ngx_http_flv_live_open(ctx, rc));
    ngx_http_run_posted_requests(c);
}


/* rc: may it play?  Returns what a content handler returns. */

static ngx_int_t
ngx_http_flv_live_open(ngx_http_flv_live_ctx_t *ctx, ngx_int_t rc)
{
    ngx_uint_t           flags;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (rc == NGX_OK) {
        flags = ngx_media_http_play_wait(r) ? 0 : NGX_MEDIA_PLAY_LIVE;

        if (r->method == NGX_HTTP_HEAD) {
            flags = NGX_MEDIA_PLAY_LIVE|NGX_MEDIA_PLAY_NOW;
        }

        rc = ngx_http_flv_live_attach(ctx, flags);
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "play refused: %s",
                      ngx_media_reason_text(ctx->session.reason));

        return ngx_media_http_refuse(r,
                               ngx_http_flv_live_status(ctx->session.reason),
                               &ctx->session.redirect);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK && ngx_http_flv_live_carried(ctx) == NGX_DECLINED) {
        rc = ngx_http_flv_live_not_carried(ctx);

    } else if (r->method == NGX_HTTP_HEAD) {
        rc = ngx_http_flv_live_head(r, ctx->type);

    } else {
        ngx_http_flv_live_begin(ctx, rc);
        return NGX_DONE;
    }

    ngx_media_play_stop(&ctx->consumer);

    return rc;
}


/* as ngx_media_play(); the consumer is not attached */

ngx_int_t
ngx_http_flv_live_attach(ngx_http_flv_live_ctx_t *ctx, ngx_uint_t flags)
{
    ngx_memzero(&ctx->consumer, sizeof(ngx_media_consumer_t));

    return ngx_media_play(&ctx->session, &ctx->consumer,
                          &ngx_http_flv_live_consumer_ops, ctx->type->muxer,
                          &ctx->params, flags);
}


static ngx_http_flv_live_ctx_t *
ngx_http_flv_live_create(ngx_http_request_t *r,
    const ngx_http_flv_live_type_t *type)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_flv_live_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_flv_live_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;

    ngx_memzero(ctx, sizeof(ngx_http_flv_live_ctx_t));

    ctx->request = r;
    ctx->type = type;

    /* nothing is to be done to it until the player has begun */

    ctx->state = NGX_HTTP_FLV_LIVE_DONE;

    ctx->timer.handler = ngx_http_flv_live_timer_handler;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    cln->handler = ngx_http_flv_live_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_flv_live_module);

    return ctx;
}


static ngx_int_t
ngx_http_flv_live_names(ngx_http_flv_live_ctx_t *ctx)
{
    u_char                  *name;
    ngx_int_t                rc;
    ngx_http_request_t      *r;
    ngx_media_session_t     *s;
    ngx_media_http_names_t   names;

    r = ctx->request;
    s = &ctx->session;

    rc = ngx_media_http_names(r, &r->uri, &names);
    if (rc != NGX_OK) {
        return rc;
    }

    /* what the statistics show besides the names */

    name = r->uri.data + r->uri.len;

    while (name > r->uri.data && name[-1] != '/') {
        name--;
    }

    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_NAME, name,
                               r->uri.data + r->uri.len - name);
    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_TCURL, names.tcurl.data,
                               names.tcurl.len);
    ngx_media_session_set_text(s, NGX_MEDIA_TEXT_PAGEURL, names.pageurl.data,
                               names.pageurl.len);

    switch (ngx_media_session_name(s, &names.vhost, &names.app,
                                   &names.stream, &names.args))
    {
    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        return ngx_http_flv_live_status(s->reason);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/* NGX_OK, or the status where the arguments are no good */

static ngx_int_t
ngx_http_flv_live_params(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_str_t            value;
    ngx_http_request_t  *r;

    r = ctx->request;

    rc = ngx_http_flv_live_tracks(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_arg(r, (u_char *) "hevc", 4, &value) == NGX_OK) {

        if (value.len == 6 && ngx_strncmp(value.data, "legacy", 6) == 0) {
            ctx->params.opt[NGX_HTTP_FLV_LIVE_OPT_HEVC] =
                                                NGX_HTTP_FLV_LIVE_HEVC_LEGACY;

        } else if (value.len == 8
                   && ngx_strncmp(value.data, "enhanced", 8) == 0)
        {
            ctx->params.opt[NGX_HTTP_FLV_LIVE_OPT_HEVC] =
                                              NGX_HTTP_FLV_LIVE_HEVC_ENHANCED;
        }
    }

    /* on the wire's own bytes the players of a worker agree, or share less */

    ctx->direct = ngx_http_flv_live_direct_predict(r);

    if (ctx->upgrade) {
        ctx->params.opt[NGX_HTTP_FLV_LIVE_OPT_FRAMING] =
                                                NGX_HTTP_FLV_LIVE_FRAMING_WS;

    } else if (ctx->direct && r->http_version == NGX_HTTP_VERSION_11) {
        ctx->params.opt[NGX_HTTP_FLV_LIVE_OPT_FRAMING] =
                                             NGX_HTTP_FLV_LIVE_FRAMING_CHUNK;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_flv_live_tracks(ngx_http_flv_live_ctx_t *ctx)
{
    uint32_t              tracks;
    ngx_http_request_t   *r;
    ngx_media_url_str_t   args;

    r = ctx->request;

    args.data = r->args.data;
    args.len = r->args.len;

    tracks = NGX_MEDIA_TRACKS_DEFAULT;

    switch (ngx_media_tracks_arg(&args, &tracks)) {

    case NGX_MEDIA_OK:
        ctx->chosen = 1;
        break;

    case NGX_MEDIA_ERROR:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "play refused: \"tracks\" must be \"all\", \"default\" "
                      "or a list such as \"v0,a1\", numbers up to %d",
                      NGX_MEDIA_TRACK_ID_MAX);
        return NGX_HTTP_BAD_REQUEST;

    default: /* NGX_MEDIA_DECLINED */
        break;
    }

    if (ngx_http_flv_live_arg_on(r, "onlyaudio", sizeof("onlyaudio") - 1)) {
        tracks &= ~NGX_MEDIA_TRACKS_VIDEO;

    } else if (ngx_http_flv_live_arg_on(r, "onlyvideo",
                                        sizeof("onlyvideo") - 1))
    {
        tracks &= ~NGX_MEDIA_TRACKS_AUDIO;
    }

    tracks &= ctx->type->kinds;

    if (ctx->type->single) {
        tracks = ngx_media_tracks_single(tracks);
    }

    ctx->params.tracks = tracks;

    if (ctx->chosen && (tracks & ~NGX_MEDIA_TRACKS_SCRIPT) == 0) {
        return ngx_http_flv_live_not_carried(ctx);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_flv_live_arg_on(ngx_http_request_t *r, char *name, size_t len)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) name, len, &value) != NGX_OK) {
        return 0;
    }

    return (value.len == 1 && value.data[0] == '1')
           || (value.len == 2 && ngx_strncmp(value.data, "on", 2) == 0)
           || (value.len == 4 && ngx_strncmp(value.data, "true", 4) == 0);
}


static ngx_int_t
ngx_http_flv_live_status(ngx_uint_t reason)
{
    switch (reason) {

    case NGX_MEDIA_REASON_NAME:
        return NGX_HTTP_BAD_REQUEST;

    case NGX_MEDIA_REASON_FULL:
    case NGX_MEDIA_REASON_BUSY:
    case NGX_MEDIA_REASON_SHUTDOWN:
        return NGX_HTTP_SERVICE_UNAVAILABLE;

    case NGX_MEDIA_REASON_DENIED:
    case NGX_MEDIA_REASON_EXPIRED:
    case NGX_MEDIA_REASON_LIMIT:
    case NGX_MEDIA_REASON_KICKED:
        return NGX_HTTP_FORBIDDEN;

    default:
        return NGX_HTTP_NOT_FOUND;
    }
}


static ngx_int_t
ngx_http_flv_live_head(ngx_http_request_t *r,
    const ngx_http_flv_live_type_t *type)
{
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = type->content_type;
    r->headers_out.content_type_len = type->content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    return ngx_http_send_header(r);
}


/* the consumer is attached: rc is what ngx_media_play() said */

static void
ngx_http_flv_live_begin(ngx_http_flv_live_ctx_t *ctx, ngx_int_t rc)
{
    ngx_msec_t           wait;
    ngx_http_request_t  *r;

    r = ctx->request;

    r->main->count++;
    r->keepalive = 0;
    r->write_event_handler = ngx_http_flv_live_write_handler;

    r->read_event_handler = r->discard_body
                            ? ngx_http_discarded_request_body_handler
                            : ngx_http_test_reading;

    if (rc == NGX_AGAIN) {
        ctx->state = NGX_HTTP_FLV_LIVE_WAIT_PUBLISHER;

        /* without play_wait it is being fetched, which ends by itself */

        wait = ngx_media_http_play_wait(r);

        if (wait == 0) {
            wait = ngx_media_core_conf(&ctx->session)->idle_timeout;
        }

        ngx_add_timer(&ctx->timer, wait);

        return;
    }

    /* the core shows the first bytes in this very round, if it has any */

    ctx->joined = (ngx_media_play_tracks(&ctx->consumer) != 0);
    ctx->state = NGX_HTTP_FLV_LIVE_WAIT_TRACKS;
    ngx_add_timer(&ctx->timer, NGX_HTTP_FLV_LIVE_TRACKS_WAIT);
}


/*
 * Has the stream a track that goes into the format?  NGX_OK: yes;
 * NGX_DECLINED: no; NGX_AGAIN: one may come yet, for which HEAD does not wait
 * where others are there.
 */

static ngx_int_t
ngx_http_flv_live_carried(ngx_http_flv_live_ctx_t *ctx)
{
    uint32_t    want, all, have;
    ngx_uint_t  i;

    if (ctx->type->carries == NULL && !ctx->chosen) {
        return NGX_OK;
    }

    want = ctx->params.tracks & ~((uint32_t) 1 << NGX_MEDIA_TRACK_SCRIPT);
    all = ngx_media_play_tracks(&ctx->consumer);
    have = all & want;

    for (i = 0; i < NGX_MEDIA_MAX_TRACKS; i++) {

        if ((have & (uint32_t) 1 << i)
            && (ctx->type->carries == NULL
                || ctx->type->carries(ngx_media_play_codec(&ctx->consumer,
                                                           i))))
        {
            return NGX_OK;
        }
    }

    if (all == 0 || (have != want && ctx->request->method != NGX_HTTP_HEAD)) {
        return NGX_AGAIN;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_flv_live_not_carried(ngx_http_flv_live_ctx_t *ctx)
{
    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "play refused: nothing in the stream goes into \"%V\"",
                  &ctx->type->extension);

    return NGX_HTTP_NOT_FOUND;
}


static ngx_uint_t
ngx_http_flv_live_tracks_known(ngx_http_flv_live_ctx_t *ctx)
{
    uint32_t  want;

    if (ctx->joined) {
        return 1;
    }

    want = ctx->params.tracks & ~((uint32_t) 1 << NGX_MEDIA_TRACK_SCRIPT);

    return (ngx_media_play_tracks(&ctx->consumer) & want) == want;
}


/* sends the response header, the prologue and what there is of the stream */

static void
ngx_http_flv_live_start(ngx_http_flv_live_ctx_t *ctx)
{
    uint32_t             tracks;
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_flv_live_carried(ctx) != NGX_OK) {

        if (ngx_media_play_tracks(&ctx->consumer) == 0) {
            ngx_add_timer(&ctx->timer, NGX_HTTP_FLV_LIVE_TRACKS_WAIT);
            return;
        }

        ngx_http_flv_live_finalize(ctx, ngx_http_flv_live_not_carried(ctx));
        return;
    }

    ctx->state = NGX_HTTP_FLV_LIVE_FLOWING;
    ngx_add_timer(&ctx->timer, NGX_HTTP_FLV_LIVE_TICK);

    if (ngx_http_flv_live_tune(r) != NGX_OK) {
        ngx_http_flv_live_finalize(ctx, NGX_ERROR);
        return;
    }

    rc = ctx->upgrade ? ngx_http_flv_live_ws_head(ctx)
                      : ngx_http_flv_live_head(r, ctx->type);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_flv_live_finalize(ctx, rc);
        return;
    }

    if (ngx_http_flv_live_direct_decide(ctx) != NGX_OK) {
        ngx_http_flv_live_finalize(ctx, NGX_ERROR);
        return;
    }

    tracks = ngx_media_play_tracks(&ctx->consumer);

    if (tracks == 0) {
        tracks = ~(uint32_t) 0;
    }

    ngx_http_flv_live_prologue(ctx, tracks & ctx->params.tracks);

    if (ctx->upgrade) {
        ngx_http_flv_live_ws_begin(ctx);
    }

    ngx_http_flv_live_output(ctx);
}


/*
 * Small frames must not wait for acknowledgements, and the kernel is to hide
 * no more of a slow player's lag than it has to.
 */

static ngx_int_t
ngx_http_flv_live_tune(ngx_http_request_t *r)
{
    ngx_connection_t          *c;
    ngx_http_core_loc_conf_t  *clcf;
#ifdef TCP_NOTSENT_LOWAT
    int                        lowat;
#endif

    c = r->connection;

    if (r->http_version > NGX_HTTP_VERSION_11
        || (c->sockaddr->sa_family != AF_INET
#if (NGX_HAVE_INET6)
            && c->sockaddr->sa_family != AF_INET6
#endif
           ))
    {
        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->tcp_nodelay && ngx_tcp_nodelay(c) != NGX_OK) {
        return NGX_ERROR;
    }

#ifdef TCP_NOTSENT_LOWAT

    lowat = NGX_HTTP_FLV_LIVE_NOTSENT;

    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
                   (const void *) &lowat, sizeof(int))
        == -1)
    {
        ngx_connection_error(c, ngx_socket_errno,
                             "setsockopt(TCP_NOTSENT_LOWAT) failed");
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


static void
ngx_http_flv_live_end(ngx_http_flv_live_ctx_t *ctx)
{
    switch (ctx->state) {

    case NGX_HTTP_FLV_LIVE_WAIT_TRACKS:
        ngx_http_flv_live_finalize(ctx, NGX_HTTP_NOT_FOUND);
        break;

    case NGX_HTTP_FLV_LIVE_FLOWING:
        ctx->state = NGX_HTTP_FLV_LIVE_ENDING;
        ngx_http_flv_live_output(ctx);
        break;

    default: /* NGX_HTTP_FLV_LIVE_WAIT_PUBLISHER: play_wait says how long */
        break;
    }
}


static void
ngx_http_flv_live_output_handler(ngx_media_consumer_t *consumer)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_flv_live_ctx_t  *ctx;

    ctx = ngx_queue_data(consumer, ngx_http_flv_live_ctx_t, consumer);

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    switch (ctx->state) {

    case NGX_HTTP_FLV_LIVE_WAIT_TRACKS:

        if (!ngx_http_flv_live_tracks_known(ctx)) {
            return;
        }

        ngx_http_flv_live_start(ctx);
        break;

    case NGX_HTTP_FLV_LIVE_FLOWING:
    case NGX_HTTP_FLV_LIVE_ENDING:
        ngx_http_flv_live_output(ctx);
        break;

    default: /* it waits for somebody else, or is done */
        return;
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_flv_live_event_handler(ngx_media_consumer_t *consumer,
    ngx_uint_t event)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_flv_live_ctx_t  *ctx;

    ctx = ngx_queue_data(consumer, ngx_http_flv_live_ctx_t, consumer);

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "flv live event:%ui state:%ui", event, ctx->state);

    switch (event) {

    case NGX_MEDIA_EVENT_PUBLISH:
    case NGX_MEDIA_EVENT_START:

        if (ctx->state == NGX_HTTP_FLV_LIVE_WAIT_PUBLISHER) {
            ctx->state = NGX_HTTP_FLV_LIVE_WAIT_TRACKS;
            ngx_add_timer(&ctx->timer, NGX_HTTP_FLV_LIVE_TRACKS_WAIT);
        }

        break;

    case NGX_MEDIA_EVENT_MISSING:

        if (ctx->state == NGX_HTTP_FLV_LIVE_WAIT_PUBLISHER
            && ngx_media_http_play_wait(r) == 0)
        {
            ngx_http_flv_live_finalize(ctx, NGX_HTTP_NOT_FOUND);
        }

        break;

    case NGX_MEDIA_EVENT_END:
    case NGX_MEDIA_EVENT_IDLE:
        ngx_http_flv_live_end(ctx);
        break;

    default: /* NGX_MEDIA_EVENT_UNPUBLISH: it may come back */
        break;
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_flv_live_close_handler(ngx_media_session_t *s, ngx_uint_t reason)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_flv_live_ctx_t  *ctx;

    ctx = ngx_queue_data(s, ngx_http_flv_live_ctx_t, session);

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "player is closed: %s",
                  ngx_media_reason_text(reason));

    switch (ctx->state) {

    case NGX_HTTP_FLV_LIVE_WAIT_PERMISSION:
    case NGX_HTTP_FLV_LIVE_WAIT_PUBLISHER:
    case NGX_HTTP_FLV_LIVE_WAIT_TRACKS:
        ngx_http_flv_live_finalize(ctx, ngx_http_flv_live_status(reason));
        break;

    case NGX_HTTP_FLV_LIVE_FLOWING:
    case NGX_HTTP_FLV_LIVE_ENDING:

        if (ngx_http_flv_live_drained(ctx)) {
            ngx_http_flv_live_finish(ctx);

        } else {
            /* in the middle of a frame: no way to end it well */
            ngx_http_flv_live_finalize(ctx, NGX_ERROR);
        }

        break;

    default: /* NGX_HTTP_FLV_LIVE_DONE */
        break;
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_flv_live_timer_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_flv_live_ctx_t  *ctx;

    ctx = ev->data;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    switch (ctx->state) {

    case NGX_HTTP_FLV_LIVE_WAIT_PUBLISHER:
        ngx_http_flv_live_finalize(ctx, NGX_HTTP_NOT_FOUND);
        break;

    case NGX_HTTP_FLV_LIVE_WAIT_TRACKS:
        ngx_http_flv_live_start(ctx);
        break;

    case NGX_HTTP_FLV_LIVE_FLOWING:
    case NGX_HTTP_FLV_LIVE_ENDING:
        ngx_add_timer(ev, NGX_HTTP_FLV_LIVE_TICK);
        return;

    default: /* NGX_HTTP_FLV_LIVE_DONE */
        return;
    }

    ngx_http_run_posted_requests(c);
}


void
ngx_http_flv_live_finalize(ngx_http_flv_live_ctx_t *ctx, ngx_int_t rc)
{
    ctx->state = NGX_HTTP_FLV_LIVE_DONE;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_media_play_stop(&ctx->consumer);

    ngx_http_finalize_request(ctx->request, rc);
}


static void
ngx_http_flv_live_cleanup(void *data)
{
    ngx_http_flv_live_ctx_t  *ctx = data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ctx->state = NGX_HTTP_FLV_LIVE_DONE;

    ngx_http_flv_live_release(ctx);
}
