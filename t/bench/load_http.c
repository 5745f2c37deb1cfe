
/*
 * Copyright (C) the nginx media suite authors
 *
 * HTTP-FLV for the load tool: one GET, then tags out of the body.
 *
 * The body of a chunked response is freed of its chunk heads in place, so
 * that what follows sees plain FLV; only whole tags are taken.
 *
 * RFC 9112: 4 status line, 7.1 chunked.  FLV: Adobe FLV 10.1, E.2 and E.4.
 */


#include "load.h"

#include <strings.h>


enum {
    LOAD_HTTP_HEAD = 0,
    LOAD_HTTP_FLV,               /* "FLV", 9 bytes and a zero size */
    LOAD_HTTP_TAGS
};

enum {
    LOAD_CHUNK_SIZE = 0,
    LOAD_CHUNK_EXT,              /* after the size, to the line's end */
    LOAD_CHUNK_DATA,
    LOAD_CHUNK_CRLF              /* after the data */
};


/* status, and whether the body is chunked; returns the head's length */

static ssize_t
load_http_head(load_http_t *h, u_char *p, size_t n)
{
    char    *line, *next;
    u_char  *end;

    end = memmem(p, n, "\r\n\r\n", 4);
    if (end == NULL) {
        return n > 16384 ? LOAD_ERROR : 0;
    }

    *end = '\0';

    if (sscanf((char *) p, "HTTP/1.%*d %d", &h->status) != 1
        || h->status != 200)
    {
        return LOAD_ERROR;
    }

    for (line = (char *) p; line; line = next) {
        next = strstr(line, "\r\n");

        if (next) {
            *next = '\0';
            next += 2;
        }

        if (strncasecmp(line, "Transfer-Encoding:", 18) == 0
            && strcasestr(line, "chunked"))
        {
            h->chunked = 1;
        }
    }

    if (h->chunked && h->http10) {
        return LOAD_ERROR;
    }

    return end + 4 - p;
}


/* one byte of a chunk's framing; LOAD_ERROR also at the last chunk */

static int
load_http_chunk_byte(load_http_t *h, u_char ch)
{
    if (h->chunk_stage == LOAD_CHUNK_CRLF) {
        if (ch == '\n') {
            h->chunk_stage = LOAD_CHUNK_SIZE;
            h->chunk_left = 0;
        }

        return ch == '\n' || ch == '\r' ? LOAD_OK : LOAD_ERROR;
    }

    if (ch == '\n') {
        h->chunk_stage = LOAD_CHUNK_DATA;
        return h->chunk_left ? LOAD_OK : LOAD_ERROR;
    }

    if (h->chunk_stage == LOAD_CHUNK_EXT) {
        return LOAD_OK;
    }

    if (ch >= '0' && ch <= '9') {
        ch -= '0';

    } else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f') {
        ch = (u_char) ((ch | 0x20) - 'a' + 10);

    } else {
        h->chunk_stage = LOAD_CHUNK_EXT;
        return ch == '\r' || ch == ';' ? LOAD_OK : LOAD_ERROR;
    }

    h->chunk_left = h->chunk_left * 16 + ch;

    return h->chunk_left < (1u << 30) ? LOAD_OK : LOAD_ERROR;
}


/* takes the framing out of [p, last); returns the new end, NULL: error */

static u_char *
load_http_dechunk(load_http_t *h, u_char *p, u_char *last)
{
    size_t   n;
    u_char  *dst;

    dst = p;

    while (p < last) {

        if (h->chunk_stage != LOAD_CHUNK_DATA) {
            if (load_http_chunk_byte(h, *p++) != LOAD_OK) {
                return NULL;
            }

            continue;
        }

        n = (size_t) (last - p);
        if (n > h->chunk_left) {
            n = h->chunk_left;
        }

        if (dst != p) {
            memmove(dst, p, n);
        }

        dst += n;
        p += n;
        h->chunk_left -= n;

        if (h->chunk_left == 0) {
            h->chunk_stage = LOAD_CHUNK_CRLF;
        }
    }

    return dst;
}


/* whole tags of [p, last); returns where it stopped, NULL: not FLV */

static u_char *
load_http_tags(load_http_t *h, u_char *p, u_char *last)
{
    size_t    n;
    uint32_t  ts;

    if (h->stage == LOAD_HTTP_FLV) {
        if (last - p < 13) {
            return p;
        }

        if (memcmp(p, "FLV\1", 4) != 0 || load_get_be(p + 5, 4) != 9
            || load_get_be(p + 9, 4) != 0)
        {
            return NULL;
        }

        p += 13;
        h->stage = LOAD_HTTP_TAGS;
    }

    while (last - p >= 15 && !h->conn->dead) {
        n = load_get_be(p + 1, 3);

        if ((size_t) (last - p) < n + 15) {
            break;
        }

        if (load_get_be(p + 11 + n, 4) != n + 11) {
            return NULL;
        }

        ts = load_get_be(p + 4, 3) | (uint32_t) p[7] << 24;

        if (h->tag(h, p[0], ts, p + 11, n) != LOAD_OK) {
            return NULL;
        }

        p += n + 15;
    }

    return p;
}


/*
 * The rest that the loop keeps and gives again is plain FLV already (h->plain
 * bytes): only what is new, behind it, still has chunk heads.  Taking these
 * out leaves a hole at the end, so the rest is moved up to the end.
 */

static ssize_t
load_http_input(load_conn_t *c, u_char *p, size_t n)
{
    size_t        left;
    u_char       *start, *last, *end;
    ssize_t       used;
    load_http_t  *h;

    h = c->data;
    start = p;
    last = p + n;

    if (h->stage == LOAD_HTTP_HEAD) {
        used = load_http_head(h, p, n);
        if (used <= 0) {
            return used;
        }

        h->stage = LOAD_HTTP_FLV;
        p += used;
    }

    p += h->plain;               /* plain since the last time */
    end = h->chunked ? load_http_dechunk(h, p, last) : last;

    if (end == NULL) {
        return LOAD_ERROR;
    }

    p = load_http_tags(h, p - h->plain, end);

    if (p == NULL) {
        return LOAD_ERROR;
    }

    if (c->dead) {
        return 0;
    }

    left = (size_t) (end - p);
    h->plain = left;

    if (left && end != last) {
        memmove(last - left, p, left);
    }

    return last - left - start;
}


static void
load_http_connected(load_conn_t *c)
{
    int           n;
    char          buf[512];
    load_http_t  *h;

    h = c->data;

    n = snprintf(buf, sizeof(buf),
                 "GET %s HTTP/1.%d\r\nHost: 127.0.0.1\r\n"
                 "User-Agent: ngx_media_load\r\n\r\n",
                 h->path, h->http10 ? 0 : 1);

    (void) load_write(c, buf, (size_t) n);
}


load_http_t *
load_http_client(load_conn_t *c, const char *path, int http10)
{
    load_http_t  *h;

    h = calloc(1, sizeof(load_http_t));
    if (h == NULL) {
        return NULL;
    }

    h->conn = c;
    h->http10 = http10;
    snprintf(h->path, sizeof(h->path), "%s", path);

    c->data = h;
    c->input = load_http_input;
    c->connected = load_http_connected;
    c->cleanup = free;

    return h;
}
