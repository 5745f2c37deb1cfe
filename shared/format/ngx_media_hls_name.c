
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: names and arguments of requests for playlists and what is in them,
 * declared in ngx_media_m3u8.h.  A name is taken apart from its ending and
 * from the last ".hls." on; numbers have one form only, so that one object
 * has one name in every cache.  Spans of the caller, nothing is kept.
 *
 * draft-pantos-hls-rfc8216bis, section 6.2.5 (delivery directives); RFC 3339,
 * section 5.6 (times); RFC 3986, section 2.1 (percent-encoding).
 */


#include "ngx_media_bytes.h"
#include "ngx_media_m3u8.h"
#include "ngx_media_text.h"


#define NGX_MEDIA_HLS_MARK       ".hls."
#define NGX_MEDIA_HLS_FIELDS     3
#define NGX_MEDIA_HLS_CTX_MAX    64
#define NGX_MEDIA_HLS_TIME_MAX   64         /* of start=, as it comes */
#define NGX_MEDIA_HLS_PART_MAX   0xffff
#define NGX_MEDIA_HLS_START_MAX  99999999999LL


typedef struct {
    const u_char  *data;
    size_t         len;
} ngx_media_hls_span_t;


#define ngx_media_hls_is(s, lit)                                              \
    ((s)->len == sizeof(lit) - 1                                              \
     && memcmp((s)->data, lit, sizeof(lit) - 1) == 0)

#define ngx_media_hls_digit(c)   ((c) >= '0' && (c) <= '9')


/*
 * A decimal number without leading zeros, at most max: NGX_MEDIA_OK or
 * NGX_MEDIA_ERROR.
 */

static int
ngx_media_hls_number(const ngx_media_hls_span_t *s, uint64_t max,
    uint64_t *value)
{
    size_t    i;
    uint64_t  v, digit;

    if (s->len == 0 || (s->len > 1 && s->data[0] == '0')) {
        return NGX_MEDIA_ERROR;
    }

    v = 0;

    for (i = 0; i < s->len; i++) {

        if (!ngx_media_hls_digit(s->data[i])) {
            return NGX_MEDIA_ERROR;
        }

        digit = (uint64_t) (s->data[i] - '0');

        if (v > (max - digit) / 10) {
            return NGX_MEDIA_ERROR;
        }

        v = v * 10 + digit;
    }

    *value = v;

    return NGX_MEDIA_OK;
}


/* --- names -------------------------------------------------------------- */


static int
ngx_media_hls_ends(const ngx_media_hls_span_t *s, const char *ending,
    size_t len)
{
    return s->len >= len
           && memcmp(s->data + s->len - len, ending, len) == 0;
}


/* a letter and a number: "v0", "a12" */

static int
ngx_media_hls_is_tag(const ngx_media_hls_span_t *s)
{
    uint64_t              n;
    ngx_media_hls_span_t  number;

    if (s->len < 2 || s->len >= NGX_MEDIA_HLS_TAG_LEN
        || s->data[0] < 'a' || s->data[0] > 'z')
    {
        return 0;
    }

    number.data = s->data + 1;
    number.len = s->len - 1;

    return ngx_media_hls_number(&number, 999999, &n) == NGX_MEDIA_OK;
}


/* splits at the dots; 0 where there are too many */

static unsigned
ngx_media_hls_split(const u_char *pos, const u_char *end,
    ngx_media_hls_span_t fields[NGX_MEDIA_HLS_FIELDS])
{
    unsigned       n;
    const u_char  *p;

    n = 0;

    for ( ;; ) {

        if (n == NGX_MEDIA_HLS_FIELDS) {
            return 0;
        }

        p = memchr(pos, '.', (size_t) (end - pos));

        fields[n].data = pos;
        fields[n].len = (size_t) ((p ? p : end) - pos);
        n++;

        if (p == NULL) {
            return n;
        }

        pos = p + 1;
    }
}


/* what is between ".hls." and the ending: numbers of a segment or a part */

static ngx_media_hls_name_e
ngx_media_hls_name_media(const ngx_media_hls_span_t *fields, unsigned n,
    ngx_media_hls_name_t *name)
{
    uint64_t  part;

    if (n < 1 || n > 2
        || ngx_media_hls_number(&fields[0], INT64_MAX, &name->msn)
           != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_HLS_NAME_BAD;
    }

    if (n == 1) {
        return NGX_MEDIA_HLS_NAME_SEGMENT;
    }

    if (ngx_media_hls_number(&fields[1], NGX_MEDIA_HLS_PART_MAX, &part)
        != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_HLS_NAME_BAD;
    }

    name->part = (uint32_t) part;

    return NGX_MEDIA_HLS_NAME_PART;
}


static ngx_media_hls_name_e
ngx_media_hls_name_key(const ngx_media_hls_span_t *fields, unsigned n,
    ngx_media_hls_name_t *name)
{
    if (n == 2 && ngx_media_hls_is(&fields[0], "key")
        && ngx_media_hls_number(&fields[1], UINT32_MAX, &name->msn)
           == NGX_MEDIA_OK)
    {
        return NGX_MEDIA_HLS_NAME_KEY;
    }

    return NGX_MEDIA_HLS_NAME_BAD;
}


/* an object: what follows ".hls." */

static ngx_media_hls_name_e
ngx_media_hls_name_object(const u_char *pos, const u_char *end,
    ngx_media_hls_name_t *name)
{
    unsigned               n;
    ngx_media_hls_span_t  *f, rest, fields[NGX_MEDIA_HLS_FIELDS];

    rest.data = pos;
    rest.len = (size_t) (end - pos);

    if (ngx_media_hls_ends(&rest, ".m3u8", 5)) {
        rest.len -= 5;

        if (!ngx_media_hls_is(&rest, "0") && !ngx_media_hls_is_tag(&rest)) {
            return NGX_MEDIA_HLS_NAME_BAD;
        }

        name->tag = rest.data;
        name->tag_len = rest.len;

        return NGX_MEDIA_HLS_NAME_RENDITION;
    }

    if (rest.len >= 4 && memcmp(rest.data, "key.", 4) == 0) {
        n = ngx_media_hls_split(pos, end, fields);
        return ngx_media_hls_name_key(fields, n, name);
    }

    if (ngx_media_hls_ends(&rest, ".m4s", 4)
        || ngx_media_hls_ends(&rest, ".mp4", 4))
    {
        rest.len -= 4;

    } else if (ngx_media_hls_ends(&rest, ".ts", 3)) {
        rest.len -= 3;
        name->container = NGX_MEDIA_HLS_MPEGTS;

    } else {
        return NGX_MEDIA_HLS_NAME_BAD;
    }

    f = fields;
    n = ngx_media_hls_split(pos, pos + rest.len, fields);

    if (n && ngx_media_hls_is_tag(f)) {
        name->tag = f->data;
        name->tag_len = f->len;
        f++;
        n--;
    }

    if (end[-1] == '4') {       /* .mp4 */
        return (n == 1 && ngx_media_hls_is(f, "init"))
               ? NGX_MEDIA_HLS_NAME_INIT : NGX_MEDIA_HLS_NAME_BAD;
    }

    return ngx_media_hls_name_media(f, n, name);
}


/* the last ".hls.", or NULL */

static const u_char *
ngx_media_hls_mark(const u_char *pos, const u_char *end)
{
    size_t         n;
    const u_char  *p;

    n = sizeof(NGX_MEDIA_HLS_MARK) - 1;

    if ((size_t) (end - pos) < n) {
        return NULL;
    }

    for (p = end - n; memcmp(p, NGX_MEDIA_HLS_MARK, n) != 0; p--) {

        if (p == pos) {
            return NULL;
        }
    }

    return p;
}


void
ngx_media_hls_name_parse(const u_char *pos, const u_char *end,
    ngx_media_hls_name_t *name)
{
    const u_char          *mark;
    ngx_media_hls_span_t   all;

    memset(name, 0, sizeof(ngx_media_hls_name_t));

    all.data = pos;
    all.len = (size_t) (end - pos);

    name->stream = pos;
    name->tag = pos;

    mark = ngx_media_hls_mark(pos, end);

    if (mark) {
        name->stream_len = (size_t) (mark - pos);
        name->kind = ngx_media_hls_name_object(mark + 5, end, name);

    } else if (ngx_media_hls_ends(&all, ".m3u8", 5)) {
        name->stream_len = all.len - 5;
        name->kind = NGX_MEDIA_HLS_NAME_PLAYLIST;

    } else if (ngx_media_hls_ends(&all, ".mpd", 4)) {
        name->stream_len = all.len - 4;
        name->kind = NGX_MEDIA_HLS_NAME_MPD;

    } else {
        return;
    }

    if (name->stream_len == 0) {
        name->kind = NGX_MEDIA_HLS_NAME_BAD;
    }
}


size_t
ngx_media_hls_escape(const u_char *src, size_t len, u_char *dst, size_t n)
{
    u_char             c, hex[3];
    size_t             i;
    ngx_media_text_t   t;
    static const char  hexes[] = "0123456789ABCDEF";

    ngx_media_text_init(&t, dst, n);

    for (i = 0; i < len; i++) {
        c = src[i];

        /* unreserved characters, RFC 3986, section 2.3 */

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || ngx_media_hls_digit(c)
            || c == '-' || c == '.' || c == '_' || c == '~')
        {
            ngx_media_text_put(&t, &c, 1);
            continue;
        }

        hex[0] = '%';
        hex[1] = (u_char) hexes[c >> 4];
        hex[2] = (u_char) hexes[c & 15];

        ngx_media_text_put(&t, hex, 3);
    }

    return t.len;
}


/* --- query -------------------------------------------------------------- */


/* exactly eight hexadecimal digits, as init segments are named */

static int
ngx_media_hls_hash(const ngx_media_hls_span_t *s, uint32_t *value)
{
    u_char    c;
    size_t    i;
    uint32_t  v;

    if (s->len != 8) {
        return NGX_MEDIA_DECLINED;
    }

    v = 0;

    for (i = 0; i < 8; i++) {
        c = s->data[i];

        if (ngx_media_hls_digit(c)) {
            v = v << 4 | (uint32_t) (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            v = v << 4 | (uint32_t) (c - 'a' + 10);

        } else {
            return NGX_MEDIA_DECLINED;
        }
    }

    *value = v;

    return v ? NGX_MEDIA_OK : NGX_MEDIA_DECLINED;
}


static int
ngx_media_hls_hex(u_char c)
{
    if (ngx_media_hls_digit(c)) {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


/* percent-decodes a short value into buf; its length or -1 */

static ssize_t
ngx_media_hls_decode(const ngx_media_hls_span_t *s, u_char *buf, size_t n)
{
    int     hi, lo;
    size_t  i, len;

    len = 0;

    for (i = 0; i < s->len; i++) {

        if (len == n) {
            return -1;
        }

        if (s->data[i] != '%') {
            buf[len++] = s->data[i];
            continue;
        }

        if (s->len - i < 3) {
            return -1;
        }

        hi = ngx_media_hls_hex(s->data[i + 1]);
        lo = ngx_media_hls_hex(s->data[i + 2]);

        if (hi < 0 || lo < 0) {
            return -1;
        }

        buf[len++] = (u_char) (hi << 4 | lo);
        i += 2;
    }

    return (ssize_t) len;
}


/* n digits at *pos, which moves on; -1 where they are not there */

static int
ngx_media_hls_digits(const u_char **pos, const u_char *end, int n)
{
    int            v;
    const u_char  *p;

    p = *pos;

    if (end - p < n) {
        return -1;
    }

    for (v = 0; n; n--, p++) {

        if (!ngx_media_hls_digit(*p)) {
            return -1;
        }

        v = v * 10 + (*p - '0');
    }

    *pos = p;

    return v;
}


static int
ngx_media_hls_char(const u_char **pos, const u_char *end, u_char ch)
{
    if (*pos == end || **pos != ch) {
        return 0;
    }

    (*pos)++;

    return 1;
}


/* days from 1970-01-01 to a date of the Gregorian calendar */

static int64_t
ngx_media_hls_days(int year, int month, int day)
{
    /* March is the first month, so that leap days come last */

    if (month <= 2) {
        month += 12;
        year--;
    }

    return (int64_t) 365 * year + year / 4 - year / 100 + year / 400
           + (153 * (month - 3) + 2) / 5 + day - 1 - 719468;
}


/* an offset from UTC in seconds: "Z", "+01:00"; 86400 where there is none */

static int
ngx_media_hls_zone(const u_char *p, const u_char *end)
{
    int  hours, minutes, sign;

    if (end - p == 1 && (*p == 'Z' || *p == 'z')) {
        return 0;
    }

    if (end - p < 5 || (*p != '+' && *p != '-')) {
        return 86400;
    }

    sign = (*p++ == '-') ? -1 : 1;

    hours = ngx_media_hls_digits(&p, end, 2);
    (void) ngx_media_hls_char(&p, end, ':');
    minutes = ngx_media_hls_digits(&p, end, 2);

    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || p != end) {
        return 86400;
    }

    return sign * (hours * 3600 + minutes * 60);
}


/* RFC 3339, section 5.6; parts of a second are left out */

static int
ngx_media_hls_time(const u_char *p, const u_char *end, int64_t *value)
{
    int  year, month, day, hour, minute, second, zone;

    year = ngx_media_hls_digits(&p, end, 4);
    if (year < 1970 || !ngx_media_hls_char(&p, end, '-')) {
        return NGX_MEDIA_ERROR;
    }

    month = ngx_media_hls_digits(&p, end, 2);
    if (month < 1 || month > 12 || !ngx_media_hls_char(&p, end, '-')) {
        return NGX_MEDIA_ERROR;
    }

    day = ngx_media_hls_digits(&p, end, 2);
    if (day < 1 || day > 31
        || (!ngx_media_hls_char(&p, end, 'T')
            && !ngx_media_hls_char(&p, end, 't')))
    {
        return NGX_MEDIA_ERROR;
    }

    hour = ngx_media_hls_digits(&p, end, 2);
    if (hour < 0 || hour > 23 || !ngx_media_hls_char(&p, end, ':')) {
        return NGX_MEDIA_ERROR;
    }

    minute = ngx_media_hls_digits(&p, end, 2);
    if (minute < 0 || minute > 59 || !ngx_media_hls_char(&p, end, ':')) {
        return NGX_MEDIA_ERROR;
    }

    second = ngx_media_hls_digits(&p, end, 2);
    if (second < 0 || second > 60) {
        return NGX_MEDIA_ERROR;
    }

    if (ngx_media_hls_char(&p, end, '.')) {
        if (ngx_media_hls_digits(&p, end, 1) < 0) {
            return NGX_MEDIA_ERROR;
        }

        while (p < end && ngx_media_hls_digit(*p)) {
            p++;
        }
    }

    zone = ngx_media_hls_zone(p, end);
    if (zone == 86400) {
        return NGX_MEDIA_ERROR;
    }

    *value = ngx_media_hls_days(year, month, day) * 86400
             + hour * 3600 + minute * 60 + second - zone;

    return NGX_MEDIA_OK;
}


static int
ngx_media_hls_start(const ngx_media_hls_span_t *s, int64_t *value)
{
    ssize_t               len;
    u_char                buf[NGX_MEDIA_HLS_TIME_MAX];
    uint64_t              v;
    ngx_media_hls_span_t  number;

    len = ngx_media_hls_decode(s, buf, sizeof(buf));
    if (len <= 0) {
        return NGX_MEDIA_ERROR;
    }

    number.data = buf;
    number.len = (size_t) len;

    if (buf[0] == '-') {
        number.data++;
        number.len--;
    }

    if (ngx_media_hls_number(&number, NGX_MEDIA_HLS_START_MAX, &v)
        == NGX_MEDIA_OK)
    {
        *value = (buf[0] == '-') ? -(int64_t) v : (int64_t) v;
        return NGX_MEDIA_OK;
    }

    return ngx_media_hls_time(buf, buf + len, value);
}


/* an id of ours: it comes back in playlists, so no other characters */

static int
ngx_media_hls_ctx(const ngx_media_hls_span_t *s, ngx_media_hls_query_t *q)
{
    u_char  c;
    size_t  i;

    if (s->len > NGX_MEDIA_HLS_CTX_MAX) {
        return NGX_MEDIA_ERROR;
    }

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (!ngx_media_hls_digit(c) && (c < 'a' || c > 'z')
            && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.')
        {
            return NGX_MEDIA_ERROR;
        }
    }

    q->ctx = s->data;
    q->ctx_len = s->len;

    return NGX_MEDIA_OK;
}


/* the delivery directives; one that comes twice means nothing certain */

static int
ngx_media_hls_directive(const ngx_media_hls_span_t *name,
    const ngx_media_hls_span_t *value, ngx_media_hls_query_t *q)
{
    uint64_t  v;

    if (ngx_media_hls_is(name, "_HLS_msn")) {

        if (q->has_msn
            || ngx_media_hls_number(value, INT64_MAX, &q->msn)
               != NGX_MEDIA_OK)
        {
            return NGX_MEDIA_ERROR;
        }

        q->has_msn = 1;

    } else if (ngx_media_hls_is(name, "_HLS_part")) {

        if (q->has_part
            || ngx_media_hls_number(value, INT32_MAX, &v) != NGX_MEDIA_OK)
        {
            return NGX_MEDIA_ERROR;
        }

        q->part = (uint32_t) v;
        q->has_part = 1;

    } else if (ngx_media_hls_is(name, "_HLS_skip")) {

        if (q->skip) {
            return NGX_MEDIA_ERROR;
        }

        q->skip_v2 = ngx_media_hls_is(value, "v2") ? 1 : 0;

        if (!q->skip_v2 && !ngx_media_hls_is(value, "YES")) {
            return NGX_MEDIA_ERROR;
        }

        q->skip = 1;

    } else if (ngx_media_hls_is(name, "_HLS_push")) {
        q->push = 1;
    }

    return NGX_MEDIA_OK;
}


static int
ngx_media_hls_argument(const ngx_media_hls_span_t *name,
    const ngx_media_hls_span_t *value, ngx_media_hls_query_t *q)
{
    if (name->len > 5 && memcmp(name->data, "_HLS_", 5) == 0) {
        return ngx_media_hls_directive(name, value, q);
    }

    if (ngx_media_hls_is(name, "v") && !q->has_init) {

        /* players may have a "v" of their own: no fault */

        q->has_init = (ngx_media_hls_hash(value, &q->init) == NGX_MEDIA_OK);

    } else if (ngx_media_hls_is(name, "start") && !q->has_start) {

        if (ngx_media_hls_start(value, &q->start) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }

        q->has_start = (q->start != 0);

    } else if (ngx_media_hls_is(name, "hls_ctx") && q->ctx_len == 0) {
        return ngx_media_hls_ctx(value, q);
    }

    return NGX_MEDIA_OK;
}


int
ngx_media_hls_query_parse(const u_char *pos, const u_char *end,
    ngx_media_hls_query_t *query)
{
    const u_char          *p, *q;
    ngx_media_hls_span_t   name, value;

    memset(query, 0, sizeof(ngx_media_hls_query_t));

    while (pos < end) {

        p = memchr(pos, '&', (size_t) (end - pos));
        if (p == NULL) {
            p = end;
        }

        q = memchr(pos, '=', (size_t) (p - pos));

        name.data = pos;
        name.len = (size_t) ((q ? q : p) - pos);
        value.data = q ? q + 1 : p;
        value.len = (size_t) (p - value.data);

        if (ngx_media_hls_argument(&name, &value, query) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }

        pos = (p < end) ? p + 1 : end;
    }

    return (query->has_part && !query->has_msn) ? NGX_MEDIA_ERROR
                                                : NGX_MEDIA_OK;
}
