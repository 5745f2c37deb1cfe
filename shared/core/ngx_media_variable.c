
/*
 * Copyright (C) the nginx media suite authors
 *
 * $media_*: what of a session is told in logs, maps and headers.  Names and
 * arguments are those of its entry in the arena; what it did is remembered in
 * the session itself, so that the access log still has it when the publish or
 * the play is over and the connection closes later.
 *
 * Modules of http{} and stream{} register them from this table.
 */


#include "ngx_media_core.h"


/* of what a session does, or did last */

#define NGX_MEDIA_DID_TYPE        0
#define NGX_MEDIA_DID_DURATION    1
#define NGX_MEDIA_DID_FRAMES      2
#define NGX_MEDIA_DID_DROPPED     3
#define NGX_MEDIA_DID_SENT        4
#define NGX_MEDIA_DID_RECEIVED    5
#define NGX_MEDIA_DID_REASON      6


/* of the way to the peer */

#define NGX_MEDIA_WAY_RTT         0
#define NGX_MEDIA_WAY_LATENCY     1
#define NGX_MEDIA_WAY_LOSS        2
#define NGX_MEDIA_WAY_LOST        3
#define NGX_MEDIA_WAY_RESENT      4
#define NGX_MEDIA_WAY_LATE        5
#define NGX_MEDIA_WAY_UNDECRYPTED 6


static ngx_int_t ngx_media_variable_text(ngx_media_session_t *s,
    ngx_uint_t which, ngx_str_t *arg, ngx_variable_value_t *v);
static ngx_int_t ngx_media_variable_arg(ngx_media_session_t *s,
    ngx_uint_t which, ngx_str_t *arg, ngx_variable_value_t *v);
static ngx_int_t ngx_media_variable_did(ngx_media_session_t *s,
    ngx_uint_t which, ngx_str_t *arg, ngx_variable_value_t *v);
static const char *ngx_media_variable_word(ngx_media_session_t *s,
    ngx_uint_t which);
static uint64_t ngx_media_variable_number(ngx_media_session_t *s,
    ngx_uint_t which);
static ngx_int_t ngx_media_variable_way(ngx_media_session_t *s,
    ngx_uint_t which, ngx_str_t *arg, ngx_variable_value_t *v);
static uint64_t ngx_media_variable_packets(const ngx_media_link_t *link,
    ngx_uint_t publish, ngx_uint_t which);
static uint64_t ngx_media_variable_loss(const ngx_media_link_t *link,
    ngx_uint_t publish);


const ngx_media_variable_t  ngx_media_variables[] = {

    { ngx_string("media_vhost"), NGX_MEDIA_TEXT_VHOST,
      ngx_media_variable_text },

    { ngx_string("media_app"), NGX_MEDIA_TEXT_APP,
      ngx_media_variable_text },

    { ngx_string("media_stream"), NGX_MEDIA_TEXT_STREAM,
      ngx_media_variable_text },

    { ngx_string("media_args"), NGX_MEDIA_TEXT_ARGS,
      ngx_media_variable_text },

    { ngx_string("media_protocol"), NGX_MEDIA_TEXT_PROTOCOL,
      ngx_media_variable_text },

    { ngx_string("media_client_id"), NGX_MEDIA_TEXT_ID,
      ngx_media_variable_text },

    { ngx_string("media_arg_"), NGX_MEDIA_TEXT_ARGS,
      ngx_media_variable_arg },

    { ngx_string("media_type"), NGX_MEDIA_DID_TYPE,
      ngx_media_variable_did },

    { ngx_string("media_duration"), NGX_MEDIA_DID_DURATION,
      ngx_media_variable_did },

    { ngx_string("media_frames"), NGX_MEDIA_DID_FRAMES,
      ngx_media_variable_did },

    { ngx_string("media_dropped"), NGX_MEDIA_DID_DROPPED,
      ngx_media_variable_did },

    { ngx_string("media_bytes_sent"), NGX_MEDIA_DID_SENT,
      ngx_media_variable_did },

    { ngx_string("media_bytes_received"), NGX_MEDIA_DID_RECEIVED,
      ngx_media_variable_did },

    { ngx_string("media_close_reason"), NGX_MEDIA_DID_REASON,
      ngx_media_variable_did },

    { ngx_string("media_rtt"), NGX_MEDIA_WAY_RTT,
      ngx_media_variable_way },

    { ngx_string("media_latency"), NGX_MEDIA_WAY_LATENCY,
      ngx_media_variable_way },

    { ngx_string("media_loss"), NGX_MEDIA_WAY_LOSS,
      ngx_media_variable_way },

    { ngx_string("media_lost"), NGX_MEDIA_WAY_LOST,
      ngx_media_variable_way },

    { ngx_string("media_resent"), NGX_MEDIA_WAY_RESENT,
      ngx_media_variable_way },

    { ngx_string("media_late"), NGX_MEDIA_WAY_LATE,
      ngx_media_variable_way },

    { ngx_string("media_undecrypted"), NGX_MEDIA_WAY_UNDECRYPTED,
      ngx_media_variable_way },

    { ngx_null_string, 0, NULL }
};


static ngx_int_t
ngx_media_variable_text(ngx_media_session_t *s, ngx_uint_t which,
    ngx_str_t *arg, ngx_variable_value_t *v)
{
    ngx_str_t  text;

    if (s == NULL || s->client == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    text = ngx_media_session_text(s, which);

    v->data = text.data;
    v->len = (unsigned) text.len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_media_variable_arg(ngx_media_session_t *s, ngx_uint_t which,
    ngx_str_t *arg, ngx_variable_value_t *v)
{
    char                 name[64];
    ngx_str_t            text;
    ngx_media_url_str_t  args, value;

    if (s == NULL || s->client == NULL || arg->len >= sizeof(name)) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_memcpy(name, arg->data, arg->len);
    name[arg->len] = '\0';

    text = ngx_media_session_text(s, which);
    args.data = text.data;
    args.len = text.len;

    if (!ngx_media_arg(&args, name, &value)) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = value.data;
    v->len = (unsigned) value.len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_media_variable_did(ngx_media_session_t *s, ngx_uint_t which,
    ngx_str_t *arg, ngx_variable_value_t *v)
{
    u_char      *p;
    uint64_t     n;
    const char  *word;

    if (s == NULL || s->client == NULL
        || s->did.act == NGX_MEDIA_ACT_CONNECT)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    word = ngx_media_variable_word(s, which);

    if (word) {
        v->data = (u_char *) word;
        v->len = (unsigned) ngx_strlen(word);
        return NGX_OK;
    }

    p = ngx_pnalloc(s->pool, NGX_INT64_LEN + 5);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    n = ngx_media_variable_number(s, which);

    if (which == NGX_MEDIA_DID_DURATION) {
        p = ngx_sprintf(p, "%uL.%03uL", n / 1000, n % 1000);

    } else {
        p = ngx_sprintf(p, "%uL", n);
    }

    v->len = (unsigned) (p - v->data);

    return NGX_OK;
}


/* NULL: it is a number */

static const char *
ngx_media_variable_word(ngx_media_session_t *s, ngx_uint_t which)
{
    switch (which) {

    case NGX_MEDIA_DID_TYPE:
        return (s->did.act == NGX_MEDIA_ACT_PUBLISH) ? "publish" : "play";

    case NGX_MEDIA_DID_REASON:
        return ngx_media_reason_name(s->reason ? s->reason : s->did.reason);

    default:
        return NULL;
    }
}


static uint64_t
ngx_media_variable_number(ngx_media_session_t *s, ngx_uint_t which)
{
    int64_t  began;

    switch (which) {

    case NGX_MEDIA_DID_DURATION:
        began = s->client->began[s->did.act];

        if (began == 0) {
            return s->did.msec;
        }

        return (uint64_t) ngx_max(ngx_media_epoch_ms() - began, 0);

    case NGX_MEDIA_DID_FRAMES:
        return s->consumer ? ngx_media_consumer_frames(s->consumer)
                           : s->did.frames;

    case NGX_MEDIA_DID_DROPPED:
        return s->consumer ? s->consumer->dropped : s->did.dropped;

    case NGX_MEDIA_DID_SENT:
        return ngx_max(s->client->send_bytes,
                       (uint64_t) ngx_max(s->connection->sent, 0));

    default: /* NGX_MEDIA_DID_RECEIVED */
        return s->client->recv_bytes;
    }
}


/*
 * Where the protocol knows; of the direction in which media goes.  What has no
 * round-trip time has no latency to agree on.
 */

static ngx_int_t
ngx_media_variable_way(ngx_media_session_t *s, ngx_uint_t which,
    ngx_str_t *arg, ngx_variable_value_t *v)
{
    u_char                  *p;
    uint64_t                 n;
    ngx_uint_t               publish;
    const ngx_media_link_t  *link;

    if (s == NULL || s->client == NULL || !s->client->link.known
        || s->did.act == NGX_MEDIA_ACT_CONNECT
        || (which <= NGX_MEDIA_WAY_LATENCY && s->client->link.rtt == 0))
    {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(s->pool, NGX_INT64_LEN + 5);
    if (p == NULL) {
        return NGX_ERROR;
    }

    link = &s->client->link;
    publish = (s->did.act == NGX_MEDIA_ACT_PUBLISH);

    v->data = p;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    switch (which) {

    case NGX_MEDIA_WAY_RTT:
        p = ngx_sprintf(p, "%uD.%03uD", link->rtt / 1000, link->rtt % 1000);
        break;

    case NGX_MEDIA_WAY_LATENCY:
        p = ngx_sprintf(p, "%uD", link->latency);
        break;

    case NGX_MEDIA_WAY_LOSS:
        n = ngx_media_variable_loss(link, publish);
        p = ngx_sprintf(p, "%uL.%02uL", n / 100, n % 100);
        break;

    default:
        p = ngx_sprintf(p, "%uL",
                        ngx_media_variable_packets(link, publish, which));
    }

    v->len = (unsigned) (p - v->data);

    return NGX_OK;
}


static uint64_t
ngx_media_variable_packets(const ngx_media_link_t *link, ngx_uint_t publish,
    ngx_uint_t which)
{
    switch (which) {

    case NGX_MEDIA_WAY_LOST:
        return publish ? link->lost : link->sent_lost;

    case NGX_MEDIA_WAY_RESENT:
        return publish ? link->recovered : link->resent;

    case NGX_MEDIA_WAY_LATE:
        return publish ? link->dropped : link->sent_dropped;

    default: /* NGX_MEDIA_WAY_UNDECRYPTED */
        return link->undecrypted;
    }
}


/* hundredths of a percent; a packet may be missed more than once */

static uint64_t
ngx_media_variable_loss(const ngx_media_link_t *link, ngx_uint_t publish)
{
    uint64_t  all, lost;

    lost = publish ? link->lost : link->sent_lost;
    all = publish ? link->received + link->dropped : link->sent;

    return all ? ngx_min(lost * 10000 / all, 10000) : 0;
}
