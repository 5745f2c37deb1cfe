
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: names and arguments of requests for recordings, declared in
 * ngx_media_vod_name.h.  A name is taken apart from its ending on, so that a
 * stream may be called whatever it likes.
 *
 * RFC 3339, section 5.6 (dates); RFC 3986, section 2.1 (percent-encoding).
 */


#include "ngx_media_bytes.h"
#include "ngx_media_file.h"
#include "ngx_media_url.h"
#include "ngx_media_vod_name.h"


#define NGX_MEDIA_VOD_MARK       ".rec."
#define NGX_MEDIA_VOD_HLS        ".hls."
#define NGX_MEDIA_VOD_TIME_LEN   64         /* of a time, as it comes */


#define ngx_media_vod_is_digit(c)   ((c) >= '0' && (c) <= '9')


static int
ngx_media_vod_is_id(const u_char *p, size_t n)
{
    size_t  i;

    if (n != NGX_MEDIA_VOD_ID) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (!ngx_media_vod_is_digit(p[i]) && (p[i] < 'a' || p[i] > 'f')) {
            return 0;
        }
    }

    return 1;
}


static int
ngx_media_vod_ends(const u_char *pos, size_t len, const char *what)
{
    size_t  n;

    n = strlen(what);

    return len > n && memcmp(pos + len - n, what, n) == 0;
}


static int
ngx_media_vod_has(const u_char *pos, size_t len, const char *what)
{
    size_t  i, n;

    n = strlen(what);

    for (i = 0; i + n <= len; i++) {
        if (memcmp(pos + i, what, n) == 0) {
            return 1;
        }
    }

    return 0;
}


void
ngx_media_vod_name_parse(const u_char *pos, const u_char *end,
    ngx_media_vod_name_t *name)
{
    size_t  len, mark;

    memset(name, 0, sizeof(ngx_media_vod_name_t));

    name->stream = pos;
    len = (size_t) (end - pos);
    mark = sizeof(NGX_MEDIA_VOD_MARK) - 1 + NGX_MEDIA_VOD_ID;

    if (ngx_media_vod_ends(pos, len, ".m3u8")) {
        name->kind = NGX_MEDIA_VOD_NAME_LIST;
        name->stream_len = len - 5;

    } else {
        name->file = ngx_media_file_kind(pos, len);

        if (name->file == 0) {
            return;
        }

        len -= strlen(ngx_media_file_ending(name->file));

        if (len > mark
            && ngx_media_vod_is_id(pos + len - NGX_MEDIA_VOD_ID,
                                   NGX_MEDIA_VOD_ID)
            && memcmp(pos + len - mark, NGX_MEDIA_VOD_MARK,
                      sizeof(NGX_MEDIA_VOD_MARK) - 1)
               == 0)
        {
            name->kind = NGX_MEDIA_VOD_NAME_FILE;
            name->stream_len = len - mark;
            name->id = pos + len - NGX_MEDIA_VOD_ID;
            return;
        }

        if (name->file != NGX_MEDIA_FILE_MP4) {
            return;
        }

        name->kind = NGX_MEDIA_VOD_NAME_EXPORT;
        name->stream_len = len;
    }

    /* names of live HLS */

    if (ngx_media_vod_has(pos, (size_t) (end - pos), NGX_MEDIA_VOD_HLS)) {
        name->kind = NGX_MEDIA_VOD_NAME_NONE;
    }
}


/* --- times -------------------------------------------------------------- */

/* n digits at *pos, which moves on; -1 where they are not there */

static int
ngx_media_vod_digits(const u_char **pos, const u_char *end, size_t n)
{
    int            v;
    const u_char  *p;

    p = *pos;

    if ((size_t) (end - p) < n) {
        return -1;
    }

    for (v = 0; n; n--, p++) {

        if (!ngx_media_vod_is_digit(*p)) {
            return -1;
        }

        v = v * 10 + (*p - '0');
    }

    *pos = p;

    return v;
}


/* the same within bounds and with one of the bytes of sep before it */

static int
ngx_media_vod_field(const u_char **pos, const u_char *end, const char *sep,
    int min, int max)
{
    int  v;

    if (sep) {

        if (*pos == end || **pos == '\0' || strchr(sep, **pos) == NULL) {
            return -1;
        }

        (*pos)++;
    }

    v = ngx_media_vod_digits(pos, end, 2);

    return (v < min || v > max) ? -1 : v;
}


/* days from 1970-01-01 to a date of the Gregorian calendar */

static int64_t
ngx_media_vod_days(int year, int month, int day)
{
    /* March is the first month, so that leap days come last */

    if (month <= 2) {
        month += 12;
        year--;
    }

    return (int64_t) 365 * year + year / 4 - year / 100 + year / 400
           + (153 * (month - 3) + 2) / 5 + day - 1 - 719468;
}


/* an offset from UTC in seconds; 86400: none or a bad one */

static int
ngx_media_vod_zone(const u_char *p, const u_char *end)
{
    int  hours, minutes, minus;

    if (end - p == 1 && (*p == 'Z' || *p == 'z')) {
        return 0;
    }

    if (p == end) {
        return 86400;
    }

    minus = (*p == '-');

    hours = ngx_media_vod_field(&p, end, "+- ", 0, 23);

    if (hours < 0) {
        return 86400;
    }

    minutes = ngx_media_vod_field(&p, end, (p < end && *p == ':') ? ":" : NULL,
                                  0, 59);

    if (minutes < 0 || p != end) {
        return 86400;
    }

    hours = hours * 3600 + minutes * 60;

    return minus ? -hours : hours;
}


/* digits behind the point: ms, the rest is left out */

static int
ngx_media_vod_fraction(const u_char **pos, const u_char *end)
{
    int            v, unit;
    const u_char  *p;

    p = *pos;

    if (p == end || *p != '.') {
        return 0;
    }

    v = 0;
    unit = 100;

    for (p++; p < end && ngx_media_vod_is_digit(*p); p++) {
        v += (*p - '0') * unit;
        unit /= 10;
    }

    if (p == *pos + 1) {
        return -1;
    }

    *pos = p;

    return v;
}


static int
ngx_media_vod_date(const u_char *p, const u_char *end, int64_t *msec)
{
    int  year, month, day, hour, minute, second, ms, zone;

    year = ngx_media_vod_digits(&p, end, 4);
    month = ngx_media_vod_field(&p, end, "-", 1, 12);
    day = ngx_media_vod_field(&p, end, "-", 1, 31);
    hour = ngx_media_vod_field(&p, end, "Tt ", 0, 23);
    minute = ngx_media_vod_field(&p, end, ":", 0, 59);
    second = ngx_media_vod_field(&p, end, ":", 0, 60);

    if (year < 1970 || month < 0 || day < 0 || hour < 0 || minute < 0
        || second < 0)
    {
        return NGX_MEDIA_ERROR;
    }

    ms = ngx_media_vod_fraction(&p, end);
    zone = ngx_media_vod_zone(p, end);

    if (ms < 0 || zone == 86400) {
        return NGX_MEDIA_ERROR;
    }

    *msec = (ngx_media_vod_days(year, month, day) * 86400
             + hour * 3600 + minute * 60 + second - zone)
            * 1000 + ms;

    return (*msec < 0) ? NGX_MEDIA_ERROR : NGX_MEDIA_OK;
}


int
ngx_media_vod_time(const u_char *pos, const u_char *end, int64_t *msec)
{
    size_t   i;
    u_char   buf[NGX_MEDIA_VOD_TIME_LEN];
    ssize_t  n;
    int64_t  v;

    if ((size_t) (end - pos) > sizeof(buf)) {
        return NGX_MEDIA_ERROR;
    }

    n = ngx_media_url_decode(buf, pos, (size_t) (end - pos), 0);

    if (n <= 0) {
        return NGX_MEDIA_ERROR;
    }

    v = 0;

    for (i = 0; i < (size_t) n && ngx_media_vod_is_digit(buf[i]); i++) {

        v = v * 10 + (buf[i] - '0');

        if (v > NGX_MEDIA_VOD_TIME_MAX) {
            return NGX_MEDIA_ERROR;
        }
    }

    if (i == (size_t) n) {
        *msec = v;
        return NGX_MEDIA_OK;
    }

    return ngx_media_vod_date(buf, buf + n, msec);
}


/* --- query -------------------------------------------------------------- */

/* one argument; the first one of a name counts */

static int
ngx_media_vod_arg(const u_char *name, size_t len, const u_char *value,
    const u_char *end, ngx_media_vod_query_t *q)
{
    if (len == 5 && memcmp(name, "start", 5) == 0 && !q->has_start) {

        q->has_start = 1;

        /* "-10": before the live edge */

        if (*value == '-') {
            q->live = 1;
            return NGX_MEDIA_OK;
        }

        if (ngx_media_vod_time(value, end, &q->start) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }

        q->live = (q->start && q->start < NGX_MEDIA_VOD_TIME_MIN);

        return NGX_MEDIA_OK;
    }

    if (len == 3 && memcmp(name, "end", 3) == 0 && !q->has_stop) {
        q->has_stop = 1;
        return ngx_media_vod_time(value, end, &q->stop);
    }

    if (len == 2 && memcmp(name, "id", 2) == 0 && q->id == NULL) {
        q->id = value;

        if (!ngx_media_vod_is_id(value, (size_t) (end - value))) {
            return NGX_MEDIA_ERROR;
        }
    }

    return NGX_MEDIA_OK;
}


int
ngx_media_vod_query_parse(const u_char *pos, const u_char *end,
    ngx_media_vod_query_t *query)
{
    const u_char  *p, *next, *equal;

    memset(query, 0, sizeof(ngx_media_vod_query_t));

    if (pos == NULL || pos == end) {
        return NGX_MEDIA_OK;
    }

    for (p = pos; p < end; p = next + 1) {

        next = memchr(p, '&', (size_t) (end - p));

        if (next == NULL) {
            next = end;
        }

        equal = memchr(p, '=', (size_t) (next - p));

        if (equal == NULL || equal + 1 == next) {
            continue;
        }

        if (ngx_media_vod_arg(p, (size_t) (equal - p), equal + 1, next, query)
            != NGX_MEDIA_OK)
        {
            return NGX_MEDIA_ERROR;
        }
    }

    if (query->has_stop
        && (query->live || query->stop < NGX_MEDIA_VOD_TIME_MIN
            || (query->has_start && query->stop <= query->start)))
    {
        return NGX_MEDIA_ERROR;
    }

    return NGX_MEDIA_OK;
}
