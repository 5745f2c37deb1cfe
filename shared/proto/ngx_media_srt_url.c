
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: URLs of SRT, see ngx_media_srt_url.h.
 */


#include <string.h>

#include "ngx_media_srt_url.h"


typedef struct {
    const char                  *name;
    ngx_media_srt_url_number_e   number;
    int64_t                      min;
    int64_t                      max;
    const char                  *fault;
} ngx_media_srt_url_option_t;


#define NGX_MEDIA_SRT_URL_MS         60000
#define NGX_MEDIA_SRT_URL_BYTES      1073741824
#define NGX_MEDIA_SRT_URL_BANDWIDTH  ((int64_t) 1250000000)

#define NGX_MEDIA_SRT_URL_FLAG       -2    /* min: it is yes or no */


static const char *ngx_media_srt_url_item(ngx_media_srt_url_t *out,
    const u_char *pos, const u_char *end, u_char *buf, size_t *used);
static const char *ngx_media_srt_url_text(ngx_media_srt_url_t *out,
    const ngx_media_url_str_t *name, ngx_media_url_str_t *value);
static const char *ngx_media_srt_url_mode(const ngx_media_url_str_t *value);
static const char *ngx_media_srt_url_number(ngx_media_srt_url_t *out,
    const ngx_media_srt_url_option_t *o, const ngx_media_url_str_t *value);
static int ngx_media_srt_url_flag(const ngx_media_url_str_t *value,
    int64_t *n);
static int ngx_media_srt_url_integer(const ngx_media_url_str_t *value,
    int64_t *n);
static size_t ngx_media_srt_url_key(u_char *buf, size_t used,
    const char *before, const ngx_media_url_str_t *value);
static int ngx_media_srt_url_plain(const ngx_media_url_str_t *value);
static int ngx_media_srt_url_reserved(const ngx_media_url_str_t *value);


static const ngx_media_srt_url_option_t  ngx_media_srt_url_options[] = {

    { "latency", NGX_MEDIA_SRT_URL_LATENCY, 0, NGX_MEDIA_SRT_URL_MS,
      "its latency must be a number of milliseconds up to 60000" },
    { "rcvlatency", NGX_MEDIA_SRT_URL_RCVLATENCY, 0, NGX_MEDIA_SRT_URL_MS,
      "its rcvlatency must be a number of milliseconds up to 60000" },
    { "peerlatency", NGX_MEDIA_SRT_URL_PEERLATENCY, 0, NGX_MEDIA_SRT_URL_MS,
      "its peerlatency must be a number of milliseconds up to 60000" },

    { "pbkeylen", NGX_MEDIA_SRT_URL_PBKEYLEN, 0, 32,
      "its pbkeylen must be 0, 16, 24 or 32" },
    { "enforcedencryption", NGX_MEDIA_SRT_URL_ENFORCED,
      NGX_MEDIA_SRT_URL_FLAG, 1, "its enforcedencryption must be 0 or 1" },
    { "enforced_encryption", NGX_MEDIA_SRT_URL_ENFORCED,
      NGX_MEDIA_SRT_URL_FLAG, 1, "its enforced_encryption must be 0 or 1" },

    { "mss", NGX_MEDIA_SRT_URL_MSS, 1360, 9000,
      "its mss must be a number between 1360 and 9000" },

    { "maxbw", NGX_MEDIA_SRT_URL_MAXBW, -1, NGX_MEDIA_SRT_URL_BANDWIDTH,
      "its maxbw must be -1, 0 or a number of bytes per second" },
    { "inputbw", NGX_MEDIA_SRT_URL_INPUTBW, 0, NGX_MEDIA_SRT_URL_BANDWIDTH,
      "its inputbw must be a number of bytes per second" },
    { "mininputbw", NGX_MEDIA_SRT_URL_MININPUTBW, 0,
      NGX_MEDIA_SRT_URL_BANDWIDTH,
      "its mininputbw must be a number of bytes per second" },
    { "oheadbw", NGX_MEDIA_SRT_URL_OHEADBW, 5, 100,
      "its oheadbw must be a number of per cent between 5 and 100" },

    { "tlpktdrop", NGX_MEDIA_SRT_URL_TLPKTDROP, NGX_MEDIA_SRT_URL_FLAG, 1,
      "its tlpktdrop must be 0 or 1" },
    { "nakreport", NGX_MEDIA_SRT_URL_NAKREPORT, NGX_MEDIA_SRT_URL_FLAG, 1,
      "its nakreport must be 0 or 1" },
    { "lossmaxttl", NGX_MEDIA_SRT_URL_LOSSMAXTTL, 0, 10000,
      "its lossmaxttl must be a number of packets up to 10000" },

    { "fc", NGX_MEDIA_SRT_URL_FC, 32, 1048576,
      "its fc must be a number of packets between 32 and 1048576" },
    { "ffs", NGX_MEDIA_SRT_URL_FC, 32, 1048576,
      "its ffs must be a number of packets between 32 and 1048576" },
    { "sndbuf", NGX_MEDIA_SRT_URL_SNDBUF, 65536, NGX_MEDIA_SRT_URL_BYTES,
      "its sndbuf must be a number of bytes between 65536 and 1073741824" },
    { "rcvbuf", NGX_MEDIA_SRT_URL_RCVBUF, 65536, NGX_MEDIA_SRT_URL_BYTES,
      "its rcvbuf must be a number of bytes between 65536 and 1073741824" },

    { "ipttl", NGX_MEDIA_SRT_URL_IPTTL, 1, 255,
      "its ipttl must be a number between 1 and 255" },
    { "iptos", NGX_MEDIA_SRT_URL_IPTOS, 0, 255,
      "its iptos must be a number up to 255" },

    { "conntimeo", NGX_MEDIA_SRT_URL_CONNECT, 100, NGX_MEDIA_SRT_URL_MS,
      "its conntimeo must be a number of milliseconds between 100 and 60000" },
    { "connect_timeout", NGX_MEDIA_SRT_URL_CONNECT, 100,
      NGX_MEDIA_SRT_URL_MS,
      "its connect_timeout must be a number of milliseconds between 100 and "
      "60000" },
    { "peeridletimeo", NGX_MEDIA_SRT_URL_IDLE, 500, 600000,
      "its peeridletimeo must be a number of milliseconds between 500 and "
      "600000" },

    { "payloadsize", NGX_MEDIA_SRT_URL_PAYLOAD, 0, 1456,
      "its payloadsize must be a number of bytes up to 1456" },
    { "payload_size", NGX_MEDIA_SRT_URL_PAYLOAD, 0, 1456,
      "its payload_size must be a number of bytes up to 1456" },
    { "pkt_size", NGX_MEDIA_SRT_URL_PAYLOAD, 0, 1456,
      "its pkt_size must be a number of bytes up to 1456" },

    { NULL, NGX_MEDIA_SRT_URL_NUMBERS, 0, 0, NULL }
};


static int
ngx_media_srt_url_is(const ngx_media_url_str_t *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}


const char *
ngx_media_srt_url(ngx_media_srt_url_t *out, const u_char *pos,
    const u_char *end, u_char *buf, size_t size)
{
    size_t         used;
    const char    *fault;
    const u_char  *p;

    memset(out, 0, sizeof(ngx_media_srt_url_t));

    if ((size_t) (end - pos) > NGX_MEDIA_SRT_URL_ARGS_MAX
        || (size_t) (end - pos) > size)
    {
        return "its arguments are longer than 2048 bytes";
    }

    used = 0;

    while (pos < end) {

        p = memchr(pos, '&', (size_t) (end - pos));

        if (p == NULL) {
            p = end;
        }

        fault = ngx_media_srt_url_item(out, pos, p, buf, &used);

        if (fault) {
            return fault;
        }

        pos = (p < end) ? p + 1 : end;
    }

    return NULL;
}


/* NAME=VALUE; what is decoded is never longer */

static const char *
ngx_media_srt_url_item(ngx_media_srt_url_t *out, const u_char *pos,
    const u_char *end, u_char *buf, size_t *used)
{
    size_t                             i;
    ssize_t                            n;
    const u_char                      *p;
    ngx_media_url_str_t                name, value;
    const ngx_media_srt_url_option_t  *o;

    if (pos == end) {
        return NULL;
    }

    p = memchr(pos, '=', (size_t) (end - pos));

    name.data = (u_char *) pos;
    name.len = (size_t) ((p ? p : end) - pos);

    p = p ? p + 1 : end;

    value.data = buf + *used;
    n = ngx_media_url_decode(value.data, p, (size_t) (end - p), 0);

    if (n < 0) {
        return "it has a \"%\" without two hexadecimal digits";
    }

    value.len = (size_t) n;
    *used += value.len;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] == 0x7f) {
            return "it has a control character";
        }
    }

    for (o = ngx_media_srt_url_options; o->name; o++) {
        if (ngx_media_srt_url_is(&name, o->name)) {
            return ngx_media_srt_url_number(out, o, &value);
        }
    }

    return ngx_media_srt_url_text(out, &name, &value);
}


static const char *
ngx_media_srt_url_text(ngx_media_srt_url_t *out,
    const ngx_media_url_str_t *name, ngx_media_url_str_t *value)
{
    if (ngx_media_srt_url_is(name, "streamid")
        || ngx_media_srt_url_is(name, "srt_streamid"))
    {
        if (value->len > NGX_MEDIA_SRT_ID_MAX) {
            return "its streamid is longer than 512 bytes";
        }

        out->streamid = *value;
        return NULL;
    }

    if (ngx_media_srt_url_is(name, "passphrase")) {

        if (value->len && (value->len < 10 || value->len > 79)) {
            return "its passphrase must have 10 to 79 characters";
        }

        out->passphrase = *value;
        return NULL;
    }

    if (ngx_media_srt_url_is(name, "packetfilter")) {

        if (value->len > NGX_MEDIA_SRT_ID_MAX) {
            return "its packetfilter is longer than 512 bytes";
        }

        out->filter = *value;
        return NULL;
    }

    if (ngx_media_srt_url_is(name, "mode")) {
        return ngx_media_srt_url_mode(value);
    }

    if (ngx_media_srt_url_is(name, "transtype")) {
        return ngx_media_srt_url_is(value, "live")
               ? NULL : "its transtype can only be live";
    }

    return "it has an argument that is no option of SRT; what is for the "
           "other server goes into streamid=";
}


static const char *
ngx_media_srt_url_mode(const ngx_media_url_str_t *value)
{
    if (ngx_media_srt_url_is(value, "caller")
        || ngx_media_srt_url_is(value, "client"))
    {
        return NULL;
    }

    if (ngx_media_srt_url_is(value, "listener")
        || ngx_media_srt_url_is(value, "server"))
    {
        return "mode=listener is for who is called: write a server with "
               "srt { } instead, and let the other one call it";
    }

    if (ngx_media_srt_url_is(value, "rendezvous")) {
        return "mode=rendezvous is not supported: one of both must listen";
    }

    return "its mode can only be caller";
}


static const char *
ngx_media_srt_url_number(ngx_media_srt_url_t *out,
    const ngx_media_srt_url_option_t *o, const ngx_media_url_str_t *value)
{
    int64_t  n;

    if (o->min == NGX_MEDIA_SRT_URL_FLAG) {

        if (!ngx_media_srt_url_flag(value, &n)) {
            return o->fault;
        }

    } else if (!ngx_media_srt_url_integer(value, &n)
               || n < o->min || n > o->max)
    {
        return o->fault;
    }

    if (o->number == NGX_MEDIA_SRT_URL_PBKEYLEN
        && n != 0 && n != 16 && n != 24 && n != 32)
    {
        return o->fault;
    }

    out->number[o->number] = n;
    out->set |= (uint32_t) 1 << o->number;

    return NULL;
}


static int
ngx_media_srt_url_flag(const ngx_media_url_str_t *value, int64_t *n)
{
    if (ngx_media_srt_url_is(value, "1") || ngx_media_srt_url_is(value, "yes")
        || ngx_media_srt_url_is(value, "on")
        || ngx_media_srt_url_is(value, "true"))
    {
        *n = 1;
        return 1;
    }

    *n = 0;

    return ngx_media_srt_url_is(value, "0")
           || ngx_media_srt_url_is(value, "no")
           || ngx_media_srt_url_is(value, "off")
           || ngx_media_srt_url_is(value, "false");
}


/* up to 12 digits */

static int
ngx_media_srt_url_integer(const ngx_media_url_str_t *value, int64_t *n)
{
    size_t  i;
    int     minus;

    minus = value->len > 1 && value->data[0] == '-';
    i = minus ? 1 : 0;

    if (value->len == i || value->len - i > 12) {
        return 0;
    }

    for (*n = 0; i < value->len; i++) {

        if (value->data[i] < '0' || value->data[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (value->data[i] - '0');
    }

    if (minus) {
        *n = - *n;
    }

    return 1;
}


/* --- stream ids ----------------------------------------------------------- */

size_t
ngx_media_srt_url_id(u_char *buf, ngx_media_srt_mode_e mode,
    const ngx_media_url_str_t *vhost, const ngx_media_url_str_t *app,
    const ngx_media_url_str_t *stream, const ngx_media_url_str_t *args)
{
    size_t               used, n;
    const u_char        *pos, *end, *p;
    ngx_media_url_str_t  item;

    if (!ngx_media_srt_url_plain(vhost) || !ngx_media_srt_url_plain(app)
        || !ngx_media_srt_url_plain(stream) || stream->len == 0)
    {
        return 0;
    }

    item.data = (u_char *) (mode == NGX_MEDIA_SRT_MODE_PUBLISH ? "publish"
                                                               : "request");
    item.len = 7;

    used = app->len ? ngx_media_srt_url_key(buf, 0, "#!::r=", app) : 0;
    used = (app->len && used == 0) ? 0
           : ngx_media_srt_url_key(buf, used, used ? "/" : "#!::r=", stream);
    used = used ? ngx_media_srt_url_key(buf, used, ",m=", &item) : 0;

    if (used && vhost->len) {
        used = ngx_media_srt_url_key(buf, used, ",h=", vhost);
    }

    if (used == 0) {
        return 0;
    }

    for (pos = args->data, end = pos + args->len; pos < end; pos = p + 1) {

        p = memchr(pos, '&', (size_t) (end - pos));

        if (p == NULL) {
            p = end;
        }

        item.data = (u_char *) pos;
        item.len = (size_t) (p - pos);

        if (item.len == 0 || !ngx_media_srt_url_plain(&item)
            || ngx_media_srt_url_reserved(&item))
        {
            continue;
        }

        n = ngx_media_srt_url_key(buf, used, ",", &item);

        if (n) {
            used = n;
        }
    }

    return used;
}


/* 0: there is no room */

static size_t
ngx_media_srt_url_key(u_char *buf, size_t used, const char *before,
    const ngx_media_url_str_t *value)
{
    size_t  n;

    n = strlen(before);

    if (n + value->len > NGX_MEDIA_SRT_ID_MAX - used) {
        return 0;
    }

    memcpy(buf + used, before, n);

    if (value->len) {
        memcpy(buf + used + n, value->data, value->len);
    }

    return used + n + value->len;
}


/* it does not end its key */

static int
ngx_media_srt_url_plain(const ngx_media_url_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 0x20 || value->data[i] == 0x7f
            || value->data[i] == ',' || value->data[i] == '?')
        {
            return 0;
        }
    }

    return 1;
}


/* keys that mean something, of who has published here or asked */

static int
ngx_media_srt_url_reserved(const ngx_media_url_str_t *value)
{
    size_t         i;
    const u_char  *p;

    static const char  *names[] = { "h", "r", "m", "t", "vhost", "domain" };

    p = memchr(value->data, '=', value->len);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((size_t) (p ? p - value->data : (ssize_t) value->len)
            == strlen(names[i])
            && memcmp(value->data, names[i], strlen(names[i])) == 0)
        {
            return 1;
        }
    }

    return 0;
}
