
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: text into a bounded buffer, for playlists and MPDs.  What does not fit
 * is counted and not written: len is what the whole text takes, and it is in
 * the buffer where len <= size.  The buffer is the caller's.
 */


#ifndef _NGX_MEDIA_TEXT_H_INCLUDED_
#define _NGX_MEDIA_TEXT_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>


typedef struct {
    u_char   *data;
    size_t    size;
    size_t    len;
} ngx_media_text_t;


static inline void
ngx_media_text_init(ngx_media_text_t *t, u_char *buf, size_t n)
{
    t->data = buf;
    t->size = n;
    t->len = 0;
}


static inline void
ngx_media_text_put(ngx_media_text_t *t, const void *p, size_t n)
{
    if (n && t->len <= t->size && n <= t->size - t->len) {
        memcpy(t->data + t->len, p, n);
    }

    t->len += n;
}


#define ngx_media_text_lit(t, s)   ngx_media_text_put(t, s, sizeof(s) - 1)
#define ngx_media_text_str(t, s)   ngx_media_text_put(t, s, strlen(s))

/* Decimal, with a minus where it is negative. */
void ngx_media_text_uint(ngx_media_text_t *t, uint64_t v);
void ngx_media_text_int(ngx_media_text_t *t, int64_t v);

/* Eight lower case hexadecimal digits. */
void ngx_media_text_hex32(ngx_media_text_t *t, uint32_t v);

/* Microseconds or thousandths as seconds: "2.002000", "29.970". */
void ngx_media_text_us(ngx_media_text_t *t, uint64_t us);
void ngx_media_text_milli(ngx_media_text_t *t, uint64_t v);

/*
 * A time in us since the epoch as RFC 3339 in UTC with milliseconds:
 * "2026-11-20T13:00:00.000Z".  Of times before the epoch or after the year
 * 9999 the next valid one.
 */
void ngx_media_text_time(ngx_media_text_t *t, int64_t us);

/*
 * A part of a URI as it came, with what would end a quoted string or a line,
 * or stands in no URI, as %XX.
 */
void ngx_media_text_uri(ngx_media_text_t *t, const u_char *p, size_t n);

/* Text of an XML attribute: & < > " ' as entities, control characters out. */
void ngx_media_text_xml(ngx_media_text_t *t, const u_char *p, size_t n);


#endif /* _NGX_MEDIA_TEXT_H_INCLUDED_ */
