
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: reads media playlists, declared in ngx_media_m3u8_read.h.  Line by line:
 * tags set what the next URI is given.  Of a playlist with more segments than
 * a rendition may have the newest are kept.
 *
 * RFC 8216, section 4; RFC 3339 for dates.
 */


#include <string.h>

#include "ngx_media_m3u8_read.h"


/* of the longest numbers that a playlist of ours can have */

#define NGX_MEDIA_M3U8_NUMBER    0x7fffffffffffffffULL
#define NGX_MEDIA_M3U8_SECONDS   3600


typedef struct {
    ngx_media_m3u8_read_t   *list;
    ngx_media_m3u8_entry_t   next;      /* what tags said of it */
    uint64_t                 msn;       /* of the next URI */
    uint64_t                 skip;      /* so many URIs are older */
    uint64_t                 disc;      /* before the next URI's tag */
    unsigned                 timed:1;   /* EXTINF was there */
} ngx_media_m3u8_reader_t;


#define ngx_media_m3u8_is(p, end, tag)                                        \
    ((size_t) ((end) - (p)) >= sizeof(tag) - 1                                \
     && memcmp(p, tag, sizeof(tag) - 1) == 0)


/* digits up to something else; NULL: none, or too many */

static const u_char *
ngx_media_m3u8_number(const u_char *p, const u_char *end, uint64_t max,
    uint64_t *v)
{
    const u_char  *begin;

    begin = p;
    *v = 0;

    while (p < end && *p >= '0' && *p <= '9') {

        if (*v > (max - (uint64_t) (*p - '0')) / 10) {
            return NULL;
        }

        *v = *v * 10 + (uint64_t) (*p++ - '0');
    }

    return (p == begin) ? NULL : p;
}


/* "2.002", in us */

static const u_char *
ngx_media_m3u8_seconds(const u_char *p, const u_char *end, uint64_t *us)
{
    uint64_t  unit;

    p = ngx_media_m3u8_number(p, end, NGX_MEDIA_M3U8_SECONDS, us);

    if (p == NULL) {
        return NULL;
    }

    *us *= 1000000;

    if (p == end || *p != '.') {
        return p;
    }

    p++;

    for (unit = 100000; p < end && *p >= '0' && *p <= '9'; unit /= 10, p++) {
        *us += (uint64_t) (*p - '0') * unit;
    }

    return p;
}


/* n digits and what stands behind them, or any one character */

static const u_char *
ngx_media_m3u8_field(const u_char *p, const u_char *end, size_t n, int64_t *v,
    u_char after)
{
    if (p == NULL || (size_t) (end - p) < n + (after != '\0')) {
        return NULL;
    }

    for (*v = 0; n; n--, p++) {

        if (*p < '0' || *p > '9') {
            return NULL;
        }

        *v = *v * 10 + (*p - '0');
    }

    if (after == '\0') {
        return p;
    }

    return (*p == after || (after == 'T' && *p == ' ')) ? p + 1 : NULL;
}


/* "Z", "+01:00", "+0100" as seconds */

static const u_char *
ngx_media_m3u8_zone(const u_char *p, const u_char *end, int64_t *zone)
{
    int64_t  h, m, sign;

    *zone = 0;

    if (p == end || *p == 'Z') {
        return p;
    }

    if (*p != '+' && *p != '-') {
        return NULL;
    }

    sign = (*p == '-') ? -1 : 1;

    p = ngx_media_m3u8_field(p + 1, end, 2, &h, '\0');

    if (p && p < end && *p == ':') {
        p++;
    }

    p = ngx_media_m3u8_field(p, end, 2, &m, '\0');

    if (p) {
        *zone = sign * (h * 3600 + m * 60);
    }

    return p;
}


/* us since the epoch; 0: not a date */

static int64_t
ngx_media_m3u8_date(const u_char *p, const u_char *end)
{
    int64_t   y, m, d, h, min, s, us, unit, zone;

    p = ngx_media_m3u8_field(p, end, 4, &y, '-');
    p = ngx_media_m3u8_field(p, end, 2, &m, '-');
    p = ngx_media_m3u8_field(p, end, 2, &d, 'T');
    p = ngx_media_m3u8_field(p, end, 2, &h, ':');
    p = ngx_media_m3u8_field(p, end, 2, &min, ':');
    p = ngx_media_m3u8_field(p, end, 2, &s, '\0');

    if (p == NULL || y < 1970 || m < 1 || m > 12 || d < 1 || d > 31 || h > 23
        || min > 59 || s > 60)
    {
        return 0;
    }

    us = 0;

    if (p < end && *p == '.') {
        p++;

        for (unit = 100000; p < end && *p >= '0' && *p <= '9'; p++) {
            us += (*p - '0') * unit;
            unit /= 10;
        }
    }

    if (ngx_media_m3u8_zone(p, end, &zone) == NULL) {
        return 0;
    }

    /* years begin in March: the odd day is the last one */

    if (m < 3) {
        m += 12;
        y--;
    }

    d += 365 * y + y / 4 - y / 100 + y / 400 + (153 * m - 457) / 5 - 719469;

    us += (((d * 24 + h) * 60 + min) * 60 + s - zone) * 1000000;

    return us > 0 ? us : 0;
}


/* the value of URI="..."; NULL: none */

static const u_char *
ngx_media_m3u8_attr_uri(const u_char *p, const u_char *end, size_t *len)
{
    const u_char  *uri;

    for ( /* void */ ; p < end; p++) {

        if (!ngx_media_m3u8_is(p, end, "URI=\"")) {
            continue;
        }

        uri = p + sizeof("URI=\"") - 1;
        p = memchr(uri, '"', (size_t) (end - uri));

        if (p == NULL) {
            break;
        }

        *len = (size_t) (p - uri);

        return uri;
    }

    return NULL;
}


/* the low half of IV=0x...; 0: none */

static uint64_t
ngx_media_m3u8_attr_iv(const u_char *p, const u_char *end)
{
    u_char    c;
    uint64_t  iv;

    for ( /* void */ ; p < end; p++) {

        if (!ngx_media_m3u8_is(p, end, ",IV=0x")) {
            continue;
        }

        iv = 0;

        for (p += sizeof(",IV=0x") - 1; p < end; p++) {

            c = (u_char) (*p | 0x20);

            if (*p >= '0' && *p <= '9') {
                iv = (iv << 4) | (uint64_t) (*p - '0');

            } else if (c >= 'a' && c <= 'f') {
                iv = (iv << 4) | (uint64_t) (c - 'a' + 10);

            } else {
                break;
            }
        }

        return iv;
    }

    return 0;
}


static void
ngx_media_m3u8_read_key(const u_char *p, const u_char *end,
    ngx_media_m3u8_entry_t *e)
{
    e->key = NULL;
    e->key_len = 0;
    e->iv = 0;

    if (ngx_media_m3u8_is(p, end, "METHOD=NONE")) {
        return;
    }

    e->key = ngx_media_m3u8_attr_uri(p, end, &e->key_len);

    if (e->key) {
        e->iv = ngx_media_m3u8_attr_iv(p, end);
    }
}


static int
ngx_media_m3u8_tag(ngx_media_m3u8_reader_t *r, const u_char *p,
    const u_char *end)
{
    size_t                  len;
    uint64_t                v;
    const u_char           *map;
    ngx_media_m3u8_read_t  *list;

    list = r->list;

    if (ngx_media_m3u8_is(p, end, "#EXTINF:")) {

        if (ngx_media_m3u8_seconds(p + 8, end, &v) == NULL) {
            return NGX_MEDIA_ERROR;
        }

        r->next.duration = (uint32_t) v;
        r->timed = 1;

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-TARGETDURATION:")) {

        if (ngx_media_m3u8_number(p + 22, end, NGX_MEDIA_M3U8_SECONDS, &v)
            == NULL)
        {
            return NGX_MEDIA_ERROR;
        }

        list->target = (uint32_t) v;

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-MEDIA-SEQUENCE:")) {

        if (ngx_media_m3u8_number(p + 22, end, NGX_MEDIA_M3U8_NUMBER / 2,
                                  &r->msn)
            == NULL)
        {
            return NGX_MEDIA_ERROR;
        }

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-DISCONTINUITY-SEQUENCE:")) {

        if (ngx_media_m3u8_number(p + 30, end, UINT32_MAX / 2, &r->disc)
            == NULL)
        {
            return NGX_MEDIA_ERROR;
        }

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-DISCONTINUITY")) {
        r->next.flags |= NGX_MEDIA_HLS_DISCONTINUITY;

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-GAP")) {
        r->next.flags |= NGX_MEDIA_HLS_GAP;

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-PROGRAM-DATE-TIME:")) {
        r->next.pdt = ngx_media_m3u8_date(p + 25, end);

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-MAP:")) {

        map = ngx_media_m3u8_attr_uri(p + 11, end, &len);

        if (map) {
            r->next.map = map;
            r->next.map_len = len;
        }

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-KEY:")) {
        ngx_media_m3u8_read_key(p + 11, end, &r->next);

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-ENDLIST")) {
        list->ended = 1;

    } else if (ngx_media_m3u8_is(p, end, "#EXT-X-STREAM-INF:")) {
        return NGX_MEDIA_ERROR;
    }

    return NGX_MEDIA_OK;
}


static void
ngx_media_m3u8_uri(ngx_media_m3u8_reader_t *r, const u_char *p,
    const u_char *end)
{
    ngx_media_m3u8_entry_t  *e;

    if (r->skip) {
        r->skip--;

        if (r->next.flags & NGX_MEDIA_HLS_DISCONTINUITY) {
            r->disc++;
        }

    } else {

        if (r->list->nentries == 0) {
            r->list->msn = r->msn;
            r->list->disc = (uint32_t) r->disc;
        }

        e = &r->list->entry[r->list->nentries++];

        *e = r->next;
        e->uri = p;
        e->uri_len = (size_t) (end - p);
    }

    r->msn++;

    /* a map and a key hold until the next one */

    r->next.pdt = 0;
    r->next.duration = 0;
    r->next.flags = 0;
    r->timed = 0;
}


static const u_char *
ngx_media_m3u8_line(const u_char *p, const u_char *end, const u_char **last)
{
    const u_char  *eol;

    eol = memchr(p, '\n', (size_t) (end - p));

    if (eol == NULL) {
        eol = end;
    }

    *last = (eol > p && eol[-1] == '\r') ? eol - 1 : eol;

    return (eol == end) ? end : eol + 1;
}


int
ngx_media_m3u8_read(const u_char *pos, const u_char *end,
    ngx_media_m3u8_read_t *list)
{
    uint64_t                 n;
    const u_char            *p, *next, *last;
    ngx_media_m3u8_reader_t  r;

    memset(list, 0, offsetof(ngx_media_m3u8_read_t, entry));
    memset(&r, 0, sizeof(ngx_media_m3u8_reader_t));

    r.list = list;

    if (!ngx_media_m3u8_is(pos, end, "#EXTM3U")) {
        return NGX_MEDIA_ERROR;
    }

    n = 0;

    for (p = pos; p < end; p = next) {
        next = ngx_media_m3u8_line(p, end, &last);
        n += (last > p && *p != '#');
    }

    if (n > NGX_MEDIA_HLS_SEGMENTS) {
        r.skip = n - NGX_MEDIA_HLS_SEGMENTS;
    }

    for (p = pos; p < end; p = next) {

        next = ngx_media_m3u8_line(p, end, &last);

        if (last == p) {
            continue;
        }

        if (*p != '#') {

            if (!r.timed) {
                return NGX_MEDIA_ERROR;
            }

            ngx_media_m3u8_uri(&r, p, last);

        } else if (ngx_media_m3u8_tag(&r, p, last) != NGX_MEDIA_OK) {
            return NGX_MEDIA_ERROR;
        }
    }

    if (list->nentries == 0) {
        list->msn = r.msn;
        list->disc = (uint32_t) r.disc;
    }

    return NGX_MEDIA_OK;
}
