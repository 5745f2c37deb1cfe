
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: bodies of hooks.  As SRS writes them: a JSON object whose fields and
 * their order are those of a table per event.  As nginx-rtmp: a form.  As
 * Oryx: a JSON object with a request_id.
 */


#include "ngx_media_hook.h"
#include "ngx_media_hook_form.h"
#include "ngx_media_json.h"


/* fields of SRS */

typedef enum {
    NGX_MEDIA_HOOK_F_END = 0,
    NGX_MEDIA_HOOK_F_SERVER_ID,
    NGX_MEDIA_HOOK_F_SERVICE_ID,
    NGX_MEDIA_HOOK_F_ACTION,
    NGX_MEDIA_HOOK_F_CLIENT_ID,
    NGX_MEDIA_HOOK_F_IP,
    NGX_MEDIA_HOOK_F_VHOST,
    NGX_MEDIA_HOOK_F_APP,
    NGX_MEDIA_HOOK_F_STREAM,
    NGX_MEDIA_HOOK_F_PARAM,
    NGX_MEDIA_HOOK_F_TCURL,
    NGX_MEDIA_HOOK_F_PAGEURL,
    NGX_MEDIA_HOOK_F_STREAM_URL,
    NGX_MEDIA_HOOK_F_STREAM_ID,
    NGX_MEDIA_HOOK_F_SEND_BYTES,
    NGX_MEDIA_HOOK_F_RECV_BYTES,
    NGX_MEDIA_HOOK_F_DURATION,
    NGX_MEDIA_HOOK_F_CWD,
    NGX_MEDIA_HOOK_F_FILE,
    NGX_MEDIA_HOOK_F_URL,
    NGX_MEDIA_HOOK_F_M3U8,
    NGX_MEDIA_HOOK_F_M3U8_URL,
    NGX_MEDIA_HOOK_F_SEQ_NO,
    NGX_MEDIA_HOOK_F_TYPE,
    NGX_MEDIA_HOOK_F_ALIVE,
    NGX_MEDIA_HOOK_F_REQUEST_ID,
    NGX_MEDIA_HOOK_F_OPAQUE,
    NGX_MEDIA_HOOK_F_UUID,
    NGX_MEDIA_HOOK_F_ARTIFACT_CODE,
    NGX_MEDIA_HOOK_F_ARTIFACT_PATH,
    NGX_MEDIA_HOOK_F_ARTIFACT_URL
} ngx_media_hook_field_e;

#define F(name)  NGX_MEDIA_HOOK_F_ ## name

#define NGX_MEDIA_HOOK_FIELDS  20


static const char  *ngx_media_hook_keys[] = {
    "", "server_id", "service_id", "action", "client_id", "ip", "vhost",
    "app", "stream", "param", "tcUrl", "pageUrl", "stream_url", "stream_id",
    "send_bytes", "recv_bytes", "duration", "cwd", "file", "url", "m3u8",
    "m3u8_url", "seq_no", "type", "alive", "request_id", "opaque", "uuid",
    "artifact_code", "artifact_path", "artifact_url"
};


/* by ngx_media_hook_e, up to 0 */

static const u_char  ngx_media_hook_srs[][NGX_MEDIA_HOOK_FIELDS] = {

    /* on_connect */
    { F(SERVER_ID), F(SERVICE_ID), F(ACTION), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(STREAM), F(PARAM), F(TCURL), F(PAGEURL) },

    /* on_close */
    { F(SERVER_ID), F(SERVICE_ID), F(ACTION), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(SEND_BYTES), F(RECV_BYTES) },

    /* on_publish */
    { F(SERVER_ID), F(SERVICE_ID), F(ACTION), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(TCURL), F(STREAM), F(PARAM), F(STREAM_URL), F(STREAM_ID) },

    /* on_unpublish */
    { F(SERVER_ID), F(SERVICE_ID), F(ACTION), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(TCURL), F(STREAM), F(PARAM), F(STREAM_URL), F(STREAM_ID) },

    /* on_play */
    { F(SERVER_ID), F(SERVICE_ID), F(ACTION), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(STREAM), F(TCURL), F(PARAM), F(PAGEURL), F(STREAM_URL),
      F(STREAM_ID) },

    /* on_stop */
    { F(SERVER_ID), F(SERVICE_ID), F(ACTION), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(TCURL), F(STREAM), F(PARAM), F(STREAM_URL), F(STREAM_ID) },

    /* on_dvr */
    { F(SERVER_ID), F(SERVICE_ID), F(ACTION), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(TCURL), F(STREAM), F(PARAM), F(CWD), F(FILE), F(STREAM_URL),
      F(STREAM_ID) },

    /* on_hls */
    { F(SERVER_ID), F(SERVICE_ID), F(ACTION), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(TCURL), F(STREAM), F(PARAM), F(DURATION), F(CWD), F(FILE),
      F(URL), F(M3U8), F(M3U8_URL), F(SEQ_NO), F(STREAM_URL), F(STREAM_ID) },

    /* on_hls_notify */
    { F(END) },

    /* on_forward */
    { F(ACTION), F(SERVER_ID), F(SERVICE_ID), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(TCURL), F(STREAM), F(PARAM) },

    /* on_update */
    { F(SERVER_ID), F(SERVICE_ID), F(ACTION), F(CLIENT_ID), F(IP), F(VHOST),
      F(APP), F(TCURL), F(STREAM), F(PARAM), F(STREAM_URL), F(STREAM_ID),
      F(TYPE), F(SEND_BYTES), F(RECV_BYTES), F(ALIVE) }
};


static const u_char  ngx_media_hook_oryx[NGX_MEDIA_HOOK_FIELDS] = {
    F(REQUEST_ID), F(ACTION), F(OPAQUE), F(VHOST), F(APP), F(STREAM),
    F(PARAM)
};


static const u_char  ngx_media_hook_oryx_dvr[NGX_MEDIA_HOOK_FIELDS] = {
    F(REQUEST_ID), F(ACTION), F(OPAQUE), F(VHOST), F(APP), F(STREAM),
    F(UUID), F(ARTIFACT_CODE), F(ARTIFACT_PATH), F(ARTIFACT_URL)
};


static ngx_int_t ngx_media_hook_json(ngx_pool_t *pool,
    ngx_media_hook_conf_t *conf, const ngx_media_hook_event_t *e,
    ngx_str_t *body);
static void ngx_media_hook_value(ngx_media_json_t *j, ngx_uint_t field,
    const ngx_media_hook_event_t *e);
static void ngx_media_hook_name(ngx_media_json_t *j, ngx_uint_t field,
    const ngx_media_hook_event_t *e);
static void ngx_media_hook_number(ngx_media_json_t *j, ngx_uint_t field,
    const ngx_media_hook_event_t *e);
static void ngx_media_hook_made(ngx_media_json_t *j, ngx_uint_t field,
    const ngx_media_hook_event_t *e);
static size_t ngx_media_hook_tcurl(const ngx_media_hook_event_t *e,
    u_char *buf, u_char *last);
static void ngx_media_hook_uuid(u_char *buf);
static ngx_int_t ngx_media_hook_form(ngx_pool_t *pool,
    const ngx_media_hook_event_t *e, ngx_str_t *body);


void
ngx_media_hook_event_client(ngx_media_hook_event_t *e,
    ngx_media_client_t *client)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MEDIA_TEXT_MAX; i++) {
        e->text[i] = ngx_media_client_text(client, i);
    }

    e->type = client->type;
    e->sent = client->send_bytes;
    e->received = client->recv_bytes;
}


ngx_int_t
ngx_media_hook_body(ngx_pool_t *pool, ngx_media_hook_conf_t *conf,
    const ngx_media_hook_event_t *e, ngx_str_t *body)
{
    if (conf->format == NGX_MEDIA_HOOK_RTMP
        && e->event != NGX_MEDIA_HOOK_FORWARD)
    {
        return ngx_media_hook_form(pool, e, body);
    }

    return ngx_media_hook_json(pool, conf, e, body);
}


/* --- JSON --------------------------------------------------------------- */

static ngx_int_t
ngx_media_hook_json(ngx_pool_t *pool, ngx_media_hook_conf_t *conf,
    const ngx_media_hook_event_t *e, ngx_str_t *body)
{
    const u_char      *f;
    ngx_media_json_t   j;

    f = ngx_media_hook_srs[e->event];

    if (conf->format == NGX_MEDIA_HOOK_ORYX
        && e->event != NGX_MEDIA_HOOK_FORWARD)
    {
        f = (e->event == NGX_MEDIA_HOOK_DVR) ? ngx_media_hook_oryx_dvr
                                             : ngx_media_hook_oryx;
    }

    ngx_media_json_init(&j, pool);
    ngx_media_json_object(&j);

    for ( /* void */ ; *f; f++) {

        if (e->key
            && (*f == F(CLIENT_ID) || *f == F(REQUEST_ID) || *f == F(UUID)))
        {
            continue;
        }

        ngx_media_json_key(&j, ngx_media_hook_keys[*f]);

        if (*f == F(ACTION) && f[1] == F(OPAQUE)
            && e->event == NGX_MEDIA_HOOK_DVR)
        {
            ngx_media_json_str(&j, (u_char *) "on_record_end", 13);
            continue;
        }

        ngx_media_hook_value(&j, *f, e);
    }

    ngx_media_json_object_end(&j);

    return ngx_media_json_text(&j, body);
}


static void
ngx_media_hook_value(ngx_media_json_t *j, ngx_uint_t field,
    const ngx_media_hook_event_t *e)
{
    switch (field) {

    case F(SEND_BYTES):
    case F(RECV_BYTES):
    case F(DURATION):
    case F(SEQ_NO):
    case F(ALIVE):
    case F(ARTIFACT_CODE):
        ngx_media_hook_number(j, field, e);
        break;

    case F(STREAM):
    case F(PARAM):
    case F(TCURL):
    case F(STREAM_URL):
    case F(STREAM_ID):
    case F(CWD):
    case F(REQUEST_ID):
    case F(UUID):
        ngx_media_hook_made(j, field, e);
        break;

    default:
        ngx_media_hook_name(j, field, e);
    }
}


/* strings that are there */

static void
ngx_media_hook_name(ngx_media_json_t *j, ngx_uint_t field,
    const ngx_media_hook_event_t *e)
{
    ngx_str_t           s;
    ngx_media_arena_t  *a;

    a = ngx_media_arena();
    ngx_str_set(&s, "");

    switch (field) {

    case F(SERVER_ID):
        s.data = a->server_id;
        s.len = ngx_strlen(s.data);
        break;

    case F(SERVICE_ID):
        s.data = a->service_id;
        s.len = NGX_MEDIA_ID_LEN;
        break;

    case F(ACTION):
        s = ngx_media_hook_names[e->event];
        break;

    case F(CLIENT_ID):
        s = e->text[NGX_MEDIA_TEXT_ID];
        break;

    case F(IP):
        s = e->text[NGX_MEDIA_TEXT_IP];
        break;

    case F(VHOST):
        s = e->text[NGX_MEDIA_TEXT_VHOST];
        break;

    case F(APP):
        s = e->text[NGX_MEDIA_TEXT_APP];
        break;

    case F(PAGEURL):
        s = e->text[NGX_MEDIA_TEXT_PAGEURL];
        break;

    case F(FILE):
    case F(ARTIFACT_PATH):
        s = e->file;
        break;

    case F(URL):
        s = e->url;
        break;

    case F(M3U8):
        s = e->m3u8;
        break;

    case F(M3U8_URL):
        s = e->m3u8_url;
        break;

    case F(TYPE):

        if (e->publish) {
            ngx_str_set(&s, "publish");

        } else {
            ngx_str_set(&s, "play");
        }

        break;
    }

    ngx_media_json_str(j, s.data, s.len);
}


static void
ngx_media_hook_number(ngx_media_json_t *j, ngx_uint_t field,
    const ngx_media_hook_event_t *e)
{
    switch (field) {

    case F(SEND_BYTES):
        ngx_media_json_int(j, (int64_t) e->sent);
        break;

    case F(RECV_BYTES):
        ngx_media_json_int(j, (int64_t) e->received);
        break;

    case F(DURATION):
        ngx_media_json_double(j, (double) e->length / 1000, 2);
        break;

    case F(SEQ_NO):
        ngx_media_json_int(j, (int64_t) e->seq);
        break;

    case F(ALIVE):
        ngx_media_json_double(j, (double) e->duration / 1000, 2);
        break;

    default:
        ngx_media_json_int(j, 0);
    }
}


/* strings that are made of others */

static void
ngx_media_hook_made(ngx_media_json_t *j, ngx_uint_t field,
    const ngx_media_hook_event_t *e)
{
    u_char            buf[NGX_MEDIA_TEXT_LEN], *p, *last;
    ngx_str_t         vhost;
    const ngx_str_t  *t;

    t = e->text;
    p = buf;
    last = buf + sizeof(buf);

    switch (field) {

    case F(STREAM):

        /* who plays HLS asks for the name of its playlist */

        if (e->type == NGX_MEDIA_CLIENT_HLS_PLAY
            && t[NGX_MEDIA_TEXT_NAME].len)
        {
            t += NGX_MEDIA_TEXT_NAME;

        } else {
            t += NGX_MEDIA_TEXT_STREAM;
        }

        ngx_media_json_str(j, t->data, t->len);
        return;

    case F(PARAM):
        t += NGX_MEDIA_TEXT_ARGS;

        if (t->len > sizeof(buf) - 1) {
            p = ngx_pnalloc(j->pool, t->len + 1);

            if (p == NULL) {
                j->failed = 1;
                return;
            }
        }

        if (t->len) {
            p[0] = '?';
            ngx_memcpy(p + 1, t->data, t->len);
        }

        ngx_media_json_str(j, p, t->len ? t->len + 1 : 0);
        return;

    case F(TCURL):
        p += ngx_media_hook_tcurl(e, buf, last);
        break;

    case F(STREAM_URL):
        vhost = t[NGX_MEDIA_TEXT_VHOST];

        if (vhost.len == sizeof(NGX_MEDIA_DEFAULT_VHOST) - 1
            && ngx_strncmp(vhost.data, NGX_MEDIA_DEFAULT_VHOST, vhost.len)
               == 0)
        {
            vhost.len = 0;
        }

        p = ngx_slprintf(p, last, "%V/%V/%V", &vhost, &t[NGX_MEDIA_TEXT_APP],
                         &t[NGX_MEDIA_TEXT_STREAM]);
        break;

    case F(STREAM_ID):
        ngx_media_source_id(buf, &t[NGX_MEDIA_TEXT_VHOST],
                            &t[NGX_MEDIA_TEXT_APP],
                            &t[NGX_MEDIA_TEXT_STREAM]);
        p += ngx_strlen(buf);
        break;

    case F(CWD):

        if (getcwd((char *) buf, sizeof(buf)) != NULL) {
            p += ngx_strlen(buf);
        }

        break;

    default:
        ngx_media_hook_uuid(buf);
        p += 36;
    }

    ngx_media_json_str(j, buf, p - buf);
}


/*
 * RTMP: what the client said.  HTTP: live streams have that of RTMP, and HLS
 * has no port, as in SRS.
 */

static size_t
ngx_media_hook_tcurl(const ngx_media_hook_event_t *e, u_char *buf,
    u_char *last)
{
    u_char     *p, *host, *end, *slash;
    ngx_str_t   url;

    url = e->text[NGX_MEDIA_TEXT_TCURL];

    if (e->type == NGX_MEDIA_CLIENT_FLV_PLAY) {
        p = ngx_slprintf(buf, last, "rtmp://%V/%V",
                         &e->text[NGX_MEDIA_TEXT_VHOST],
                         &e->text[NGX_MEDIA_TEXT_APP]);
        return p - buf;
    }

    end = url.data + url.len;
    host = url.data;

    if (e->type == NGX_MEDIA_CLIENT_HLS_PLAY && url.len > 8) {
        host += 7 + (url.data[4] == 's');
    }

    slash = ngx_strlchr(host, end, '/');

    if (e->type != NGX_MEDIA_CLIENT_HLS_PLAY || slash == NULL) {
        return ngx_slprintf(buf, last, "%V", &url) - buf;
    }

    /* digits behind the last colon */

    for (p = slash; p > host && p[-1] >= '0' && p[-1] <= '9'; p--) {
        /* void */
    }

    p = (p > host && p[-1] == ':') ? p - 1 : slash;

    p = ngx_slprintf(buf, last, "%*s%*s", (size_t) (p - url.data), url.data,
                     (size_t) (end - slash), slash);
    return p - buf;
}


/* of version 4, RFC 9562 */

static void
ngx_media_hook_uuid(u_char *buf)
{
    u_char      *p;
    uint32_t     n;
    ngx_uint_t   i;

    static const u_char  form[] = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
    static const u_char  hex[] = "0123456789abcdef";

    p = buf;

    for (i = 0; i < 36; i++) {
        n = (uint32_t) (ngx_random() >> 8);

        switch (form[i]) {

        case 'x':
            *p++ = hex[n & 0xf];
            break;

        case 'y':
            *p++ = hex[8 | (n & 3)];
            break;

        default:
            *p++ = form[i];
        }
    }
}


/* --- forms -------------------------------------------------------------- */

typedef struct {
    const char    *name;
    ngx_str_t      value;
} ngx_media_hook_pair_t;


#define NGX_MEDIA_HOOK_PAIRS  16


/* what a client may not say for itself */

static const char *const  ngx_media_hook_taken[] = {
    "app", "flashver", "swfurl", "tcurl", "pageurl", "addr", "clientid",
    "epoch", "call", "name", "type", "start", "duration", "reset", "time",
    "timestamp", "recorder", "path", "bytes_in", "bytes_out", NULL
};


/* by ngx_media_hook_e; "" where nginx-rtmp has none */

static const char  *ngx_media_hook_calls[] = {
    "connect", "disconnect", "publish", "publish_done", "play", "play_done",
    "record_done", "", "", "", ""
};


static void
ngx_media_hook_pair(ngx_media_hook_pair_t *pair, ngx_uint_t *n,
    const char *name, u_char *data, size_t len)
{
    pair[*n].name = name;
    pair[*n].value.data = data;
    pair[*n].value.len = len;

    (*n)++;
}


static void
ngx_media_hook_pair_text(ngx_media_hook_pair_t *pair, ngx_uint_t *n,
    const char *name, const char *text)
{
    ngx_media_hook_pair(pair, n, name, (u_char *) text, ngx_strlen(text));
}


/* what each call has of its own */

static void
ngx_media_hook_pairs(const ngx_media_hook_event_t *e, u_char *buf,
    ngx_media_hook_pair_t *pair, ngx_uint_t *n)
{
    size_t      len;
    ngx_str_t  *name;

    name = (ngx_str_t *) &e->text[NGX_MEDIA_TEXT_STREAM];

    switch (e->event) {

    case NGX_MEDIA_HOOK_CONNECT:

        if (!e->key) {
            len = ngx_sprintf(buf, "%uA", (ngx_uint_t) ngx_current_msec)
                  - buf;
            ngx_media_hook_pair(pair, n, "epoch", buf, len);
        }

        return;

    case NGX_MEDIA_HOOK_CLOSE:
        len = ngx_sprintf(buf, "%uL", e->received) - buf;
        ngx_media_hook_pair(pair, n, "bytes_in", buf, len);

        buf += len;
        len = ngx_sprintf(buf, "%uL", e->sent) - buf;
        ngx_media_hook_pair(pair, n, "bytes_out", buf, len);
        return;

    case NGX_MEDIA_HOOK_DVR:
        ngx_media_hook_pair_text(pair, n, "recorder", "");
        ngx_media_hook_pair(pair, n, "name", name->data, name->len);
        ngx_media_hook_pair(pair, n, "path", e->file.data, e->file.len);
        return;

    case NGX_MEDIA_HOOK_UPDATE:
        len = ngx_sprintf(buf, "%uL", e->duration / 1000) - buf;
        ngx_media_hook_pair(pair, n, "time", buf, len);

        buf += len;
        len = ngx_sprintf(buf, "%uL", e->duration) - buf;
        ngx_media_hook_pair(pair, n, "timestamp", buf, len);
        break;

    default:
        break;
    }

    ngx_media_hook_pair(pair, n, "name", name->data, name->len);

    if (e->event == NGX_MEDIA_HOOK_PUBLISH) {
        ngx_media_hook_pair_text(pair, n, "type", "live");

    } else if (e->event == NGX_MEDIA_HOOK_PLAY) {
        ngx_media_hook_pair_text(pair, n, "start", "0");
        ngx_media_hook_pair_text(pair, n, "duration", "0");
        ngx_media_hook_pair_text(pair, n, "reset", "0");
    }
}


static ngx_int_t
ngx_media_hook_form(ngx_pool_t *pool, const ngx_media_hook_event_t *e,
    ngx_str_t *body)
{
    size_t                  size;
    u_char                 *p, buf[2 * NGX_INT64_LEN + 8];
    ngx_str_t              *t;
    ngx_uint_t              i, n;
    const char             *call;
    ngx_media_url_str_t     args;
    ngx_media_hook_pair_t   pair[NGX_MEDIA_HOOK_PAIRS];

    t = (ngx_str_t *) e->text;
    call = ngx_media_hook_calls[e->event];

    if (e->event == NGX_MEDIA_HOOK_UPDATE) {
        call = e->publish ? "update_publish" : "update_play";
    }

    if (*call == '\0') {
        return NGX_DECLINED;
    }

    n = 0;

#define T(x)  t[NGX_MEDIA_TEXT_ ## x].data, t[NGX_MEDIA_TEXT_ ## x].len

    ngx_media_hook_pair(pair, &n, "app", T(APP));
    ngx_media_hook_pair_text(pair, &n, "flashver", "");
    ngx_media_hook_pair(pair, &n, "swfurl", T(SWFURL));
    ngx_media_hook_pair(pair, &n, "tcurl", T(TCURL));
    ngx_media_hook_pair(pair, &n, "pageurl", T(PAGEURL));
    ngx_media_hook_pair(pair, &n, "addr", T(IP));

    if (!e->key) {
        ngx_media_hook_pair(pair, &n, "clientid", T(ID));
    }

    ngx_media_hook_pair_text(pair, &n, "call", call);
    ngx_media_hook_pairs(e, buf, pair, &n);

    args.data = t[NGX_MEDIA_TEXT_ARGS].data;
    args.len = t[NGX_MEDIA_TEXT_ARGS].len;

    size = args.len + 1;

    for (i = 0; i < n; i++) {
        size += ngx_strlen(pair[i].name) + 2
                + ngx_media_hook_form_room(pair[i].value.len);
    }

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    for (i = 0; i < n; i++) {

        if (i) {
            *p++ = '&';
        }

        p = ngx_cpymem(p, pair[i].name, ngx_strlen(pair[i].name));
        *p++ = '=';
        p = ngx_media_hook_form_escape(p, pair[i].value.data,
                                       pair[i].value.len);
    }

    if (args.len) {
        p = ngx_media_hook_form_args(p, &args, ngx_media_hook_taken);
    }

    body->len = p - body->data;

    return NGX_OK;
}
