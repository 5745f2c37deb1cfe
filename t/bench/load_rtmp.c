
/*
 * Copyright (C) the nginx media suite authors
 *
 * RTMP for the load tool: the plain handshake, chunks, and the few commands
 * that a publisher or a player needs; also the other end, for the floor.
 *
 * load_rtmp_input() is the conn's input().  It parses whole chunks only, in
 * place; a message of one chunk goes to its handler without a copy.
 *
 * Adobe RTMP 1.0: 5.2 handshake, 5.3 chunks, 5.4 control messages, 7
 * commands.
 */


#include "load.h"


#define LOAD_HS          1536
#define LOAD_MESSAGE_MAX (8 * 1024 * 1024)

enum {
    LOAD_RTMP_HS1 = 0,           /* waiting for S0 S1 (or C0 C1) */
    LOAD_RTMP_HS2,               /* waiting for S2 (or C2) */
    LOAD_RTMP_RUN
};


static u_char *
load_amf_string(u_char *p, const char *s)
{
    size_t  n;

    n = strlen(s);
    *p++ = 2;
    p = load_put_be(p, (uint32_t) n, 2);
    memcpy(p, s, n);

    return p + n;
}


static u_char *
load_amf_number(u_char *p, double d)
{
    uint64_t  v;

    memcpy(&v, &d, 8);
    *p++ = 0;
    p = load_put_be(p, (uint32_t) (v >> 32), 4);

    return load_put_be(p, (uint32_t) v, 4);
}


static u_char *
load_amf_member(u_char *p, const char *key, const char *value)
{
    u_char  *q;

    q = load_amf_string(p, key);
    memmove(p, p + 1, (size_t) (q - p - 1));     /* a key has no type byte */

    return load_amf_string(q - 1, value);
}


static u_char *
load_amf_end(u_char *p)
{
    return load_put_be(p, 9, 3);
}


static double
load_amf_get_number(const u_char *p)
{
    double    d;
    uint64_t  v;

    v = (uint64_t) load_get_be(p, 4) << 32 | load_get_be(p + 4, 4);
    memcpy(&d, &v, 8);

    return d;
}


/* the payload behind a header, with type 3 headers between its chunks */

static u_char *
load_rtmp_chunks(u_char *d, uint32_t chunk, unsigned csid, uint32_t ext,
    const u_char *p, size_t n)
{
    size_t  part;

    for ( ;; ) {
        if (ext) {
            d = load_put_be(d, ext, 4);
        }

        part = n < chunk ? n : chunk;
        memcpy(d, p, part);
        d += part;
        p += part;
        n -= part;

        if (n == 0) {
            return d;
        }

        *d++ = (u_char) (0xc0 | csid);
    }
}


/* one message, with a type 0 header; returns the length */

size_t
load_rtmp_frame(u_char *dst, uint32_t chunk, unsigned csid, unsigned type,
    uint32_t msid, uint32_t ts, const u_char *p, size_t n)
{
    u_char  *d;

    d = dst;
    *d++ = (u_char) csid;
    d = load_put_be(d, ts < 0xffffff ? ts : 0xffffff, 3);
    d = load_put_be(d, (uint32_t) n, 3);
    *d++ = (u_char) type;
    *d++ = (u_char) msid;        /* little endian */
    *d++ = (u_char) (msid >> 8);
    *d++ = (u_char) (msid >> 16);
    *d++ = (u_char) (msid >> 24);

    d = load_rtmp_chunks(d, chunk, csid, ts >= 0xffffff ? ts : 0, p, n);

    return (size_t) (d - dst);
}


/*
 * One message with the shortest header that says it, as encoders do; last
 * is what was sent on this chunk stream before.  Returns 0 where only a
 * type 0 header will do.
 */

static size_t
load_rtmp_frame_delta(u_char *dst, uint32_t chunk, unsigned csid,
    unsigned type, load_chunk_t *last, uint32_t ts, const u_char *p,
    size_t n)
{
    u_char    *d;
    uint32_t   delta;
    unsigned   fmt;

    delta = ts - last->ts;

    if (last->csid == 0 || ts < last->ts || delta >= 0xffffff) {
        return 0;
    }

    fmt = 1;

    if (last->len == n && last->type == type) {
        fmt = (last->got && last->delta == delta) ? 3 : 2;
    }

    d = dst;
    *d++ = (u_char) (fmt << 6 | csid);

    if (fmt < 3) {
        d = load_put_be(d, delta, 3);
    }

    if (fmt < 2) {
        d = load_put_be(d, (uint32_t) n, 3);
        *d++ = (u_char) type;
    }

    last->delta = delta;
    last->got = 1;               /* a delta was given, type 3 may repeat it */

    d = load_rtmp_chunks(d, chunk, csid, 0, p, n);

    return (size_t) (d - dst);
}


/* the two chunk streams of a publisher's frames have a memory */

static size_t
load_rtmp_message_out(load_rtmp_t *r, u_char *buf, unsigned csid,
    unsigned type, uint32_t msid, uint32_t ts, const u_char *p, size_t n)
{
    size_t         len;
    load_chunk_t  *last;

    if (!r->publish || (csid != 4 && csid != 6)) {
        return load_rtmp_frame(buf, r->out_chunk, csid, type, msid, ts, p,
                               n);
    }

    last = &r->out[csid == 6];
    len = load_rtmp_frame_delta(buf, r->out_chunk, csid, type, last, ts, p,
                                n);

    if (len == 0) {
        len = load_rtmp_frame(buf, r->out_chunk, csid, type, msid, ts, p, n);
        last->csid = csid;
        last->got = 0;
    }

    last->ts = ts;
    last->len = (uint32_t) n;
    last->type = (u_char) type;

    return len;
}


int
load_rtmp_send(load_rtmp_t *r, unsigned csid, unsigned type, uint32_t msid,
    uint32_t ts, const u_char *p, size_t n)
{
    int      rc;
    u_char  *buf, small[4096];
    size_t   max;

    max = n + 16 + (n / r->out_chunk + 1) * 5;
    buf = max > sizeof(small) ? malloc(max) : small;

    if (buf == NULL) {
        return LOAD_ERROR;
    }

    n = load_rtmp_message_out(r, buf, csid, type, msid, ts, p, n);
    rc = load_write(r->conn, buf, n);

    if (buf != small) {
        free(buf);
    }

    return rc;
}


static int
load_rtmp_control(load_rtmp_t *r, unsigned type, uint32_t value)
{
    u_char  b[4];

    (void) load_put_be(b, value, 4);

    return load_rtmp_send(r, 2, type, 0, 0, b, 4);
}


static int
load_rtmp_connect_app(load_rtmp_t *r)
{
    u_char  *p, buf[1024];
    char     url[256];

    if (r->publish) {
        if (load_rtmp_control(r, 1, ld.opt.chunk) != LOAD_OK) {
            return LOAD_ERROR;
        }

        r->out_chunk = ld.opt.chunk;
    }

    snprintf(url, sizeof(url), "rtmp://%s/%s", r->host, r->app);

    p = load_amf_string(buf, "connect");
    p = load_amf_number(p, 1);
    *p++ = 3;
    p = load_amf_member(p, "app", r->app);
    p = load_amf_member(p, "flashVer", "ngx_media_load");
    p = load_amf_member(p, "tcUrl", url);
    p = load_amf_end(p);

    return load_rtmp_send(r, 3, 20, 0, 0, buf, (size_t) (p - buf));
}


static int
load_rtmp_create_stream(load_rtmp_t *r)
{
    u_char  *p, buf[64];

    p = load_amf_string(buf, "createStream");
    p = load_amf_number(p, 2);
    *p++ = 5;

    return load_rtmp_send(r, 3, 20, 0, 0, buf, (size_t) (p - buf));
}


static int
load_rtmp_start(load_rtmp_t *r)
{
    u_char  *p, buf[256];

    p = load_amf_string(buf, r->publish ? "publish" : "play");
    p = load_amf_number(p, 3);
    *p++ = 5;
    p = load_amf_string(p, r->name);

    if (r->publish) {
        p = load_amf_string(p, "live");
    }

    if (load_rtmp_send(r, 8, 20, r->msid, 0, buf, (size_t) (p - buf))
        != LOAD_OK)
    {
        return LOAD_ERROR;
    }

    if (!r->publish && r->ready) {
        r->ready(r);
    }

    return LOAD_OK;
}


int
load_rtmp_pause(load_rtmp_t *r, int on, uint32_t ms)
{
    u_char  *p, buf[64];

    p = load_amf_string(buf, "pause");
    p = load_amf_number(p, 0);
    *p++ = 5;
    *p++ = 1;
    *p++ = (u_char) on;
    p = load_amf_number(p, ms);

    return load_rtmp_send(r, 8, 20, r->msid, 0, buf, (size_t) (p - buf));
}


/* the value of "code" in an onStatus object, wherever it stands */

static int
load_rtmp_code_is(const u_char *p, size_t n, const char *code)
{
    size_t         len;
    const u_char  *q;

    q = memmem(p, n, "\0\4code\2", 7);
    len = strlen(code);

    return q && (size_t) (p + n - q) >= 9 + len
           && load_get_be(q + 7, 2) == len
           && memcmp(q + 9, code, len) == 0;
}


static int
load_rtmp_client_command(load_rtmp_t *r, const u_char *p, size_t n,
    const char *name, double tid)
{
    if (strcmp(name, "_result") == 0) {

        if (tid == 1) {
            return load_rtmp_create_stream(r);
        }

        if (tid == 2 && n >= 10 && p[0] == 5 && p[1] == 0) {
            r->msid = (uint32_t) load_amf_get_number(p + 2);
            return load_rtmp_start(r);
        }

        return LOAD_OK;
    }

    if (strcmp(name, "_error") == 0) {
        return LOAD_ERROR;
    }

    if (strcmp(name, "onStatus") == 0 && r->publish) {

        if (load_rtmp_code_is(p, n, "NetStream.Publish.Start")) {
            if (r->ready) {
                r->ready(r);
            }

            return LOAD_OK;
        }

        if (load_rtmp_code_is(p, n, "NetStream.Publish.BadName")) {
            return LOAD_ERROR;
        }
    }

    return LOAD_OK;
}


static int
load_rtmp_status(load_rtmp_t *r, const char *code)
{
    u_char  *p, buf[256];

    p = load_amf_string(buf, "onStatus");
    p = load_amf_number(p, 0);
    *p++ = 5;
    *p++ = 3;
    p = load_amf_member(p, "level", "status");
    p = load_amf_member(p, "code", code);
    p = load_amf_end(p);

    return load_rtmp_send(r, 5, 20, 1, 0, buf, (size_t) (p - buf));
}


static int
load_rtmp_server_command(load_rtmp_t *r, const char *name, double tid)
{
    u_char  *p, buf[256];

    if (strcmp(name, "connect") == 0) {
        if (load_rtmp_control(r, 1, ld.opt.chunk) != LOAD_OK) {
            return LOAD_ERROR;
        }

        r->out_chunk = ld.opt.chunk;

        p = load_amf_string(buf, "_result");
        p = load_amf_number(p, tid);
        *p++ = 5;
        *p++ = 3;
        p = load_amf_member(p, "code", "NetConnection.Connect.Success");
        p = load_amf_end(p);

        return load_rtmp_send(r, 3, 20, 0, 0, buf, (size_t) (p - buf));
    }

    if (strcmp(name, "createStream") == 0) {
        p = load_amf_string(buf, "_result");
        p = load_amf_number(p, tid);
        *p++ = 5;
        p = load_amf_number(p, 1);

        return load_rtmp_send(r, 3, 20, 0, 0, buf, (size_t) (p - buf));
    }

    if (strcmp(name, "play") == 0) {
        if (load_rtmp_status(r, "NetStream.Play.Start") != LOAD_OK) {
            return LOAD_ERROR;
        }

        r->ready(r);
    }

    return LOAD_OK;
}


static int
load_rtmp_command(load_rtmp_t *r, const u_char *p, size_t n)
{
    char    name[32];
    double  tid;
    size_t  len;

    if (n < 3 || p[0] != 2) {
        return LOAD_ERROR;
    }

    len = load_get_be(p + 1, 2);

    if (len >= sizeof(name) || n < 3 + len + 9 || p[3 + len] != 0) {
        return LOAD_OK;
    }

    memcpy(name, p + 3, len);
    name[len] = '\0';
    tid = load_amf_get_number(p + 3 + len + 1);

    p += 3 + len + 9;
    n -= 3 + len + 9;

    if (r->server) {
        return load_rtmp_server_command(r, name, tid);
    }

    return load_rtmp_client_command(r, p, n, name, tid);
}


/* a message that carries several tags, each with FLV's head and trailer */

static int
load_rtmp_aggregate(load_rtmp_t *r, uint32_t ts, u_char *p, size_t n)
{
    size_t    len;
    uint32_t  first, own;

    for (first = 0; n >= 11; p += len, n -= len) {
        own = load_get_be(p + 4, 3) | (uint32_t) p[7] << 24;
        len = load_get_be(p + 1, 3) + 15;

        if (len > n) {
            return LOAD_ERROR;
        }

        if (first == 0) {
            first = own;
        }

        if (r->tag(r, p[0], ts + own - first, p + 11, len - 15) != LOAD_OK) {
            return LOAD_ERROR;
        }
    }

    return LOAD_OK;
}


static int
load_rtmp_user_control(load_rtmp_t *r, const u_char *p, size_t n)
{
    u_char  pong[6];

    if (n < 6 || load_get_be(p, 2) != 6) {
        return LOAD_OK;
    }

    (void) load_put_be(pong, 7, 2);
    memcpy(pong + 2, p + 2, 4);

    return load_rtmp_send(r, 2, 4, 0, 0, pong, 6);
}


static int
load_rtmp_message(load_rtmp_t *r, unsigned type, uint32_t ts, u_char *p,
    size_t n)
{
    switch (type) {

    case 1:
        if (n < 4 || load_get_be(p, 4) == 0) {
            return LOAD_ERROR;
        }

        r->in_chunk = load_get_be(p, 4) & 0x7fffffff;
        return LOAD_OK;

    case 4:
        return load_rtmp_user_control(r, p, n);

    case 5:
        r->window = n >= 4 ? load_get_be(p, 4) : 0;
        return LOAD_OK;

    case LOAD_TAG_AUDIO:
    case LOAD_TAG_VIDEO:
    case LOAD_TAG_META:
        return r->tag ? r->tag(r, type, ts, p, n) : LOAD_OK;

    case 17:
        return n ? load_rtmp_command(r, p + 1, n - 1) : LOAD_OK;

    case 20:
        return load_rtmp_command(r, p, n);

    case 22:
        return r->tag ? load_rtmp_aggregate(r, ts, p, n) : LOAD_OK;

    default:
        return LOAD_OK;
    }
}


static load_chunk_t *
load_rtmp_cs(load_rtmp_t *r, uint32_t csid)
{
    unsigned  i;

    for (i = 0; i < r->ncs; i++) {
        if (r->cs[i].csid == csid) {
            return &r->cs[i];
        }
    }

    if (r->ncs == LOAD_RTMP_CSIDS) {
        return NULL;
    }

    r->cs[r->ncs].csid = csid;

    return &r->cs[r->ncs++];
}


/*
 * A chunk's header.  Returns its length, 0 when more input is needed,
 * LOAD_ERROR.  h is a copy of the chunk stream's state, brought up to date;
 * the caller stores it when the chunk's payload is there too.
 */

static int
load_rtmp_header(load_rtmp_t *r, const u_char *p, size_t n,
    load_chunk_t **cs, load_chunk_t *h)
{
    int            fmt;
    size_t         need;
    uint32_t       csid, t;
    const u_char  *q;

    static const size_t  len[] = { 11, 7, 3, 0 };

    fmt = p[0] >> 6;
    csid = p[0] & 0x3f;
    need = 1 + (csid == 0 ? 1 : csid == 1 ? 2 : 0);

    if (n < need + len[fmt]) {
        return 0;
    }

    if (csid == 0) {
        csid = 64u + p[1];

    } else if (csid == 1) {
        csid = 64u + p[1] + p[2] * 256u;
    }

    *cs = load_rtmp_cs(r, csid);
    if (*cs == NULL) {
        return LOAD_ERROR;
    }

    *h = **cs;
    q = p + need;
    t = h->delta;

    if (fmt < 3) {
        t = load_get_be(q, 3);
        h->ext = (t == 0xffffff);
    }

    if (fmt < 2) {
        h->len = load_get_be(q + 3, 3);
        h->type = q[6];
    }

    if (fmt == 0) {
        h->msid = (uint32_t) q[7] | (uint32_t) q[8] << 8
                  | (uint32_t) q[9] << 16 | (uint32_t) q[10] << 24;
    }

    need += len[fmt];

    if (h->ext) {
        if (n < need + 4) {
            return 0;
        }

        if (fmt < 3) {
            t = load_get_be(p + need, 4);
        }

        need += 4;
    }

    if (h->got == 0) {           /* the first chunk of a message */
        h->ts = fmt == 0 ? t : h->ts + t;
        h->delta = t;
    }

    return h->len > LOAD_MESSAGE_MAX ? LOAD_ERROR : (int) need;
}


/* one chunk; returns bytes used, 0: more input is needed, LOAD_ERROR */

static ssize_t
load_rtmp_chunk(load_rtmp_t *r, u_char *p, size_t n)
{
    int            rc, head;
    size_t         part;
    load_chunk_t  *cs, h;

    head = load_rtmp_header(r, p, n, &cs, &h);
    if (head <= 0) {
        return head;
    }

    part = h.len - h.got;
    if (part > r->in_chunk) {
        part = r->in_chunk;
    }

    if (n < (size_t) head + part) {
        return 0;
    }

    p += head;
    *cs = h;

    if (cs->got == 0 && part == cs->len) {
        rc = load_rtmp_message(r, cs->type, cs->ts, p, part);
        return rc == LOAD_OK ? (ssize_t) (head + (ssize_t) part) : LOAD_ERROR;
    }

    if (cs->got == 0) {
        cs->buf = malloc(cs->len);
        if (cs->buf == NULL) {
            return LOAD_ERROR;
        }
    }

    memcpy(cs->buf + cs->got, p, part);
    cs->got += (uint32_t) part;
    rc = LOAD_OK;

    if (cs->got == cs->len) {
        cs->got = 0;
        rc = load_rtmp_message(r, cs->type, cs->ts, cs->buf, cs->len);
        free(cs->buf);
        cs->buf = NULL;
    }

    return rc == LOAD_OK ? (ssize_t) (head + (ssize_t) part) : LOAD_ERROR;
}


/* returns bytes used; the stage says whether to go on */

static ssize_t
load_rtmp_handshake(load_rtmp_t *r, u_char *p, size_t n)
{
    u_char   b[1 + LOAD_HS];
    ssize_t  used;

    used = 0;

    if (r->stage == LOAD_RTMP_HS1) {
        if (n < 1 + LOAD_HS) {
            return 0;
        }

        if (p[0] != 3) {
            return LOAD_ERROR;
        }

        if (r->server) {         /* S0 S1 */
            memset(b, 0, sizeof(b));
            b[0] = 3;

            if (load_write(r->conn, b, sizeof(b)) != LOAD_OK) {
                return LOAD_ERROR;
            }
        }

        /* C2 or S2: the peer's bytes back */

        if (load_write(r->conn, p + 1, LOAD_HS) != LOAD_OK) {
            return LOAD_ERROR;
        }

        r->stage = LOAD_RTMP_HS2;
        used = 1 + LOAD_HS;
        n -= (size_t) used;
    }

    if (n < LOAD_HS) {
        return used;
    }

    r->stage = LOAD_RTMP_RUN;

    if (!r->server && load_rtmp_connect_app(r) != LOAD_OK) {
        return LOAD_ERROR;
    }

    return used + LOAD_HS;
}


ssize_t
load_rtmp_input(load_conn_t *c, u_char *p, size_t n)
{
    u_char       *start, *last;
    ssize_t       used;
    load_rtmp_t  *r;

    r = c->data;
    start = p;
    last = p + n;

    if (r->stage != LOAD_RTMP_RUN) {
        used = load_rtmp_handshake(r, p, n);

        if (used < 0 || r->stage != LOAD_RTMP_RUN) {
            return used;
        }

        p += used;
    }

    while (p < last && !c->dead) {
        used = load_rtmp_chunk(r, p, (size_t) (last - p));

        if (used < 0) {
            return LOAD_ERROR;
        }

        if (used == 0) {
            break;
        }

        p += used;
    }

    if (!c->dead && r->window && c->received - r->acked > r->window / 2) {
        r->acked = c->received;

        if (load_rtmp_control(r, 3, (uint32_t) c->received) != LOAD_OK) {
            return LOAD_ERROR;
        }
    }

    return p - start;
}


/* the conn's cleanup */

static void
load_rtmp_free(void *data)
{
    unsigned      i;
    load_rtmp_t  *r;

    r = data;

    for (i = 0; i < r->ncs; i++) {
        free(r->cs[i].buf);
    }

    free(r);
}


static load_rtmp_t *
load_rtmp_new(load_conn_t *c)
{
    load_rtmp_t  *r;

    r = calloc(1, sizeof(load_rtmp_t));
    if (r == NULL) {
        return NULL;
    }

    r->conn = c;
    r->in_chunk = 128;
    r->out_chunk = 128;

    c->data = r;
    c->input = load_rtmp_input;
    c->cleanup = load_rtmp_free;

    return r;
}


load_rtmp_t *
load_rtmp_server(load_conn_t *c)
{
    load_rtmp_t  *r;

    r = load_rtmp_new(c);
    if (r) {
        r->server = 1;
    }

    return r;
}


static void
load_rtmp_connected(load_conn_t *c)
{
    int       i;
    u_char    b[1 + LOAD_HS];
    uint32_t  x;

    memset(b, 0, sizeof(b));
    b[0] = 3;

    for (x = (uint32_t) c->fd, i = 9; i < 1 + LOAD_HS; i++) {
        x = x * 1103515245 + 12345;
        b[i] = (u_char) (x >> 16);
    }

    (void) load_write(c, b, sizeof(b));
}


load_rtmp_t *
load_rtmp_client(load_conn_t *c, int publish, const char *app,
    const char *name)
{
    load_rtmp_t  *r;

    r = load_rtmp_new(c);
    if (r == NULL) {
        return NULL;
    }

    r->publish = publish;
    r->app = app;
    snprintf(r->name, sizeof(r->name), "%s", name);
    snprintf(r->host, sizeof(r->host), "127.0.0.1");

    c->connected = load_rtmp_connected;

    return r;
}
