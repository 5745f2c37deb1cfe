
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: numbers, times and escaping of text, see ngx_media_text.h.
 *
 * RFC 3339 (dates), RFC 3986 section 2 (characters of a URI), XML 1.0
 * section 2.4 (markup).
 */


#include "ngx_media_text.h"


#define NGX_MEDIA_TEXT_YEAR_9999   253402300799999999LL


static const char  ngx_media_text_hexes[] = "0123456789ABCDEF";


void
ngx_media_text_uint(ngx_media_text_t *t, uint64_t v)
{
    u_char  *p, buf[20];

    p = buf + sizeof(buf);

    do {
        *--p = (u_char) ('0' + v % 10);
        v /= 10;
    } while (v);

    ngx_media_text_put(t, p, (size_t) (buf + sizeof(buf) - p));
}


void
ngx_media_text_int(ngx_media_text_t *t, int64_t v)
{
    if (v < 0) {
        ngx_media_text_lit(t, "-");
        ngx_media_text_uint(t, 0 - (uint64_t) v);
        return;
    }

    ngx_media_text_uint(t, (uint64_t) v);
}


void
ngx_media_text_hex32(ngx_media_text_t *t, uint32_t v)
{
    int     i;
    u_char  buf[8];

    for (i = 7; i >= 0; i--) {
        buf[i] = (u_char) ngx_media_text_hexes[v & 15];
        buf[i] |= (u_char) (buf[i] > '9' ? 0x20 : 0);
        v >>= 4;
    }

    ngx_media_text_put(t, buf, sizeof(buf));
}


/* n digits with leading zeros */

static void
ngx_media_text_digits(u_char *p, uint32_t v, int n)
{
    while (n--) {
        p[n] = (u_char) ('0' + v % 10);
        v /= 10;
    }
}


void
ngx_media_text_us(ngx_media_text_t *t, uint64_t us)
{
    u_char  buf[7];

    ngx_media_text_uint(t, us / 1000000);

    buf[0] = '.';
    ngx_media_text_digits(buf + 1, (uint32_t) (us % 1000000), 6);

    ngx_media_text_put(t, buf, sizeof(buf));
}


void
ngx_media_text_milli(ngx_media_text_t *t, uint64_t v)
{
    u_char  buf[4];

    ngx_media_text_uint(t, v / 1000);

    buf[0] = '.';
    ngx_media_text_digits(buf + 1, (uint32_t) (v % 1000), 3);

    ngx_media_text_put(t, buf, sizeof(buf));
}


/*
 * Days since the epoch as a date of the Gregorian calendar: years are counted
 * from March on, so that the day of the leap year is the last one, in eras of
 * 400 years, which all have 146097 days.
 */

static void
ngx_media_text_date(u_char *p, uint32_t days)
{
    uint32_t  era, day, year, month;

    days += 719468;             /* from 0000-03-01 on */

    era = days / 146097;
    day = days % 146097;

    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    year += era * 400;

    month = (5 * day + 2) / 153;        /* 0: March */
    day -= (153 * month + 2) / 5;

    if (month >= 10) {
        month -= 9;
        year++;

    } else {
        month += 3;
    }

    ngx_media_text_digits(p, year, 4);
    ngx_media_text_digits(p + 5, month, 2);
    ngx_media_text_digits(p + 8, day + 1, 2);
}


void
ngx_media_text_time(ngx_media_text_t *t, int64_t us)
{
    u_char    buf[24];
    uint32_t  ms;

    if (us < 0) {
        us = 0;

    } else if (us > NGX_MEDIA_TEXT_YEAR_9999) {
        us = NGX_MEDIA_TEXT_YEAR_9999;
    }

    memcpy(buf, "0000-00-00T00:00:00.000Z", sizeof(buf));

    ngx_media_text_date(buf, (uint32_t) (us / 86400000000));

    ms = (uint32_t) (us % 86400000000 / 1000);

    ngx_media_text_digits(buf + 11, ms / 3600000, 2);
    ngx_media_text_digits(buf + 14, ms / 60000 % 60, 2);
    ngx_media_text_digits(buf + 17, ms / 1000 % 60, 2);
    ngx_media_text_digits(buf + 20, ms % 1000, 3);

    ngx_media_text_put(t, buf, sizeof(buf));
}


void
ngx_media_text_uri(ngx_media_text_t *t, const u_char *p, size_t n)
{
    u_char         buf[3];
    const u_char  *last, *start;

    start = p;

    for (last = p + n; p < last; p++) {

        if (*p > 0x20 && *p < 0x7f && *p != '"' && *p != '<' && *p != '>'
            && *p != '\\')
        {
            continue;
        }

        ngx_media_text_put(t, start, (size_t) (p - start));
        start = p + 1;

        buf[0] = '%';
        buf[1] = (u_char) ngx_media_text_hexes[*p >> 4];
        buf[2] = (u_char) ngx_media_text_hexes[*p & 15];

        ngx_media_text_put(t, buf, 3);
    }

    ngx_media_text_put(t, start, (size_t) (p - start));
}


void
ngx_media_text_xml(ngx_media_text_t *t, const u_char *p, size_t n)
{
    const char    *entity;
    const u_char  *last, *start;

    start = p;

    for (last = p + n; p < last; p++) {

        switch (*p) {

        case '&':
            entity = "&amp;";
            break;

        case '<':
            entity = "&lt;";
            break;

        case '>':
            entity = "&gt;";
            break;

        case '"':
            entity = "&quot;";
            break;

        case '\'':
            entity = "&apos;";
            break;

        default:

            if (*p >= 0x20) {
                continue;
            }

            entity = "";
        }

        ngx_media_text_put(t, start, (size_t) (p - start));
        ngx_media_text_str(t, entity);
        start = p + 1;
    }

    ngx_media_text_put(t, start, (size_t) (p - start));
}
