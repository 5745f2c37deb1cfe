
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: RTMP chunk stream reader, see the header for events and ownership.
 *
 *     HEAD --> (MATCH) --> PAYLOAD --> HEAD ...
 *
 * HEAD gathers the basic and message header with its extended timestamp in
 * r->head.  MATCH looks for the repeated extended timestamp in a format 3
 * chunk in mid-message, one byte at a time, so that it never waits for bytes
 * that a peer which omits repeats will not send.  Bytes that turn out to be
 * payload after all and lie in an earlier span go through r->back and are read
 * again: they may be the end of this chunk and the head of the next.
 *
 * Adobe RTMP specification 1.0, sections 5.3 and 5.4.
 */


#include "ngx_media_bytes.h"
#include "ngx_media_rtmp_chunk.h"


#define CS_ACTIVE     0x01     /* a message is being read */
#define CS_SKIP       0x02     /* its payload is thrown away */
#define CS_EXT        0x04     /* last header had an extended timestamp */
#define CS_ABSOLUTE   0x08     /* last header was of format 0 */

#define REREAD        100      /* r->back was filled */
#define GO_ON         101      /* state has changed */


enum {
    ST_HEAD = 0,
    ST_MATCH,
    ST_PAYLOAD
};


void
ngx_media_rtmp_reader_init(ngx_media_rtmp_reader_t *r, uint32_t max_message,
    uint32_t max_pending)
{
    memset(r, 0, sizeof(ngx_media_rtmp_reader_t));

    r->chunk_size = NGX_MEDIA_RTMP_DEFAULT_CHUNK_SIZE;
    r->max_message = max_message;
    r->max_pending = max_pending;
}


void
ngx_media_rtmp_reader_extend(ngx_media_rtmp_reader_t *r,
    ngx_media_rtmp_cs_t *extra, unsigned n)
{
    if (n > NGX_MEDIA_RTMP_EXTRA_STREAMS) {
        n = NGX_MEDIA_RTMP_EXTRA_STREAMS;
    }

    memset(extra, 0, n * sizeof(ngx_media_rtmp_cs_t));

    r->extra = extra;
    r->nextra = (uint8_t) n;
}


void
ngx_media_rtmp_skip(ngx_media_rtmp_cs_t *cs)
{
    cs->flags |= CS_SKIP;
}


int
ngx_media_rtmp_skipped(const ngx_media_rtmp_cs_t *cs)
{
    return (cs->flags & CS_SKIP) != 0;
}


ngx_media_rtmp_cs_t *
ngx_media_rtmp_reader_cs(ngx_media_rtmp_reader_t *r, unsigned i)
{
    if (i >= r->used) {
        return NULL;
    }

    if (i < NGX_MEDIA_RTMP_INLINE_STREAMS) {
        return &r->streams[i];
    }

    return &r->extra[i - NGX_MEDIA_RTMP_INLINE_STREAMS];
}


/* sets r->current where found */

static ngx_media_rtmp_cs_t *
ngx_media_rtmp_find(ngx_media_rtmp_reader_t *r, uint32_t csid)
{
    unsigned              i;
    ngx_media_rtmp_cs_t  *cs;

    cs = ngx_media_rtmp_reader_cs(r, r->current);

    if (cs && cs->csid == csid) {
        return cs;
    }

    for (i = 0; i < r->used; i++) {
        cs = ngx_media_rtmp_reader_cs(r, i);

        if (cs->csid == csid) {
            r->current = (uint8_t) i;
            return cs;
        }
    }

    return NULL;
}


static int
ngx_media_rtmp_add(ngx_media_rtmp_reader_t *r, uint32_t csid)
{
    ngx_media_rtmp_cs_t  *cs;

    if (r->used >= NGX_MEDIA_RTMP_INLINE_STREAMS + r->nextra) {
        return r->extra ? NGX_MEDIA_RTMP_ESTREAMS : NGX_MEDIA_RTMP_NEED_STREAMS;
    }

    r->current = r->used++;

    cs = ngx_media_rtmp_reader_cs(r, r->current);

    memset(cs, 0, sizeof(ngx_media_rtmp_cs_t));
    cs->csid = csid;

    return GO_ON;
}


/* length and chunk stream id of the basic header in r->head */

static unsigned
ngx_media_rtmp_basic_size(const ngx_media_rtmp_reader_t *r)
{
    switch (r->head[0] & 0x3f) {

    case 0:
        return 2;

    case 1:
        return 3;

    default:
        return 1;
    }
}


static uint32_t
ngx_media_rtmp_basic_csid(const ngx_media_rtmp_reader_t *r)
{
    switch (r->head[0] & 0x3f) {

    case 0:
        return 64 + (uint32_t) r->head[1];

    case 1:
        return 64 + (uint32_t) r->head[1] + ((uint32_t) r->head[2] << 8);

    default:
        return r->head[0] & 0x3f;
    }
}


/* how long the header in r->head is, as far as its bytes can tell */

static unsigned
ngx_media_rtmp_head_size(ngx_media_rtmp_reader_t *r)
{
    unsigned              n, fmt;
    ngx_media_rtmp_cs_t  *cs;

    static const uint8_t  size[] = { 11, 7, 3, 0 };

    if (r->have == 0) {
        return 1;
    }

    n = ngx_media_rtmp_basic_size(r);

    if (r->have < n) {
        return n;
    }

    fmt = r->head[0] >> 6;

    if (fmt == 3) {
        cs = ngx_media_rtmp_find(r, ngx_media_rtmp_basic_csid(r));

        if (cs && (cs->flags & (CS_EXT|CS_ACTIVE)) == CS_EXT && !r->omits) {
            n += 4;
        }

        return n;
    }

    if (r->have >= n + 3
        && ngx_media_get_be24(r->head + n) == NGX_MEDIA_RTMP_EXT_TIMESTAMP)
    {
        n += 4;
    }

    return n + size[fmt];
}


/* takes the fields of the header in r->head, which starts a message */

static void
ngx_media_rtmp_fields(ngx_media_rtmp_reader_t *r, ngx_media_rtmp_cs_t *cs)
{
    unsigned       fmt;
    uint32_t       field;
    const u_char  *p;

    fmt = r->head[0] >> 6;
    p = r->head + ngx_media_rtmp_basic_size(r);

    if (fmt == 3) {

        /* where repeats are omitted the old value holds */

        if ((cs->flags & CS_EXT) && !r->omits) {
            cs->field = ngx_media_get_be32(p);
        }

        if ((cs->flags & (CS_EXT|CS_ABSOLUTE)) == (CS_EXT|CS_ABSOLUTE)) {
            cs->timestamp = cs->field;

        } else {
            cs->timestamp += cs->field;
        }

        return;
    }

    field = ngx_media_get_be24(p);
    cs->flags &= (uint8_t) ~(CS_EXT|CS_ABSOLUTE);

    if (field == NGX_MEDIA_RTMP_EXT_TIMESTAMP) {
        field = ngx_media_get_be32(r->head + r->have - 4);
        cs->flags |= CS_EXT;
    }

    cs->field = field;

    if (fmt <= 1) {
        cs->length = ngx_media_get_be24(p + 3);
        cs->type = p[6];
    }

    if (fmt == 0) {
        cs->msid = ngx_media_get_le32(p + 7);
        cs->timestamp = field;
        cs->flags |= CS_ABSOLUTE;

    } else {
        cs->timestamp += field;
    }
}


static void
ngx_media_rtmp_begin_chunk(ngx_media_rtmp_reader_t *r,
    ngx_media_rtmp_cs_t *cs)
{
    r->left = cs->length - cs->received;

    if (r->left > r->chunk_size) {
        r->left = r->chunk_size;
    }

    r->state = ST_PAYLOAD;
}


static int
ngx_media_rtmp_begin_message(ngx_media_rtmp_reader_t *r,
    ngx_media_rtmp_cs_t *cs)
{
    ngx_media_rtmp_fields(r, cs);

    cs->received = 0;

    if (cs->length > r->max_message) {
        return NGX_MEDIA_RTMP_EMESSAGE;
    }

    if (cs->length > r->max_pending
        || r->pending > r->max_pending - cs->length)
    {
        return NGX_MEDIA_RTMP_EPENDING;
    }

    r->pending += cs->length;
    cs->flags |= CS_ACTIVE;
    cs->flags &= (uint8_t) ~CS_SKIP;

    ngx_media_rtmp_begin_chunk(r, cs);

    if (cs->type != NGX_MEDIA_RTMP_SET_CHUNK_SIZE
        && cs->type != NGX_MEDIA_RTMP_ABORT)
    {
        return NGX_MEDIA_RTMP_START;
    }

    /* there is room for one at a time, nobody interleaves them */

    if (cs->length < 4 || r->control) {
        return NGX_MEDIA_RTMP_ECONTROL;
    }

    r->control = (uint8_t) (r->current + 1);

    return GO_ON;
}


/* a further chunk of a message */

static int
ngx_media_rtmp_continue(ngx_media_rtmp_reader_t *r, ngx_media_rtmp_cs_t *cs)
{
    unsigned       fmt;
    const u_char  *p;

    fmt = r->head[0] >> 6;

    if (fmt == 3 && (cs->flags & CS_EXT)) {
        r->match = 0;
        r->state = ST_MATCH;
        return GO_ON;
    }

    /*
     * Some peers send a full header in mid-message; it goes through as long as
     * it describes the same message.
     */

    if (fmt <= 1) {
        p = r->head + ngx_media_rtmp_basic_size(r);

        if (ngx_media_get_be24(p + 3) != cs->length || p[6] != cs->type) {
            return NGX_MEDIA_RTMP_EHEADER;
        }
    }

    ngx_media_rtmp_begin_chunk(r, cs);

    return GO_ON;
}


static int
ngx_media_rtmp_head(ngx_media_rtmp_reader_t *r, const u_char **pos,
    const u_char *end, ngx_media_rtmp_cs_t **out)
{
    int                   rc;
    size_t                n, need;
    uint32_t              csid;
    ngx_media_rtmp_cs_t  *cs;

    for ( ;; ) {
        need = ngx_media_rtmp_head_size(r);

        if (r->have >= need) {
            break;
        }

        n = (size_t) (end - *pos);

        if (n == 0) {
            return NGX_MEDIA_RTMP_AGAIN;
        }

        if (n > need - r->have) {
            n = need - r->have;
        }

        memcpy(r->head + r->have, *pos, n);

        *pos += n;
        r->have = (uint8_t) (r->have + n);
    }

    csid = ngx_media_rtmp_basic_csid(r);
    cs = ngx_media_rtmp_find(r, csid);

    if (cs == NULL) {

        /* librtmp starts some chunk streams with format 1 */

        if (r->head[0] >> 6 > 1) {
            return NGX_MEDIA_RTMP_EHEADER;
        }

        rc = ngx_media_rtmp_add(r, csid);
        if (rc != GO_ON) {
            return rc;
        }

        cs = ngx_media_rtmp_reader_cs(r, r->current);
    }

    if (cs->flags & CS_ACTIVE) {
        rc = ngx_media_rtmp_continue(r, cs);

    } else {
        rc = ngx_media_rtmp_begin_message(r, cs);
    }

    r->have = 0;

    if (rc == NGX_MEDIA_RTMP_START) {
        *out = cs;
    }

    return rc;
}


static int
ngx_media_rtmp_match(ngx_media_rtmp_reader_t *r, const u_char **pos,
    const u_char *end)
{
    u_char                want[4];
    const u_char         *start;
    ngx_media_rtmp_cs_t  *cs;

    cs = ngx_media_rtmp_reader_cs(r, r->current);
    ngx_media_put_be32(want, cs->field);

    for (start = *pos; r->match < 4; r->match++, (*pos)++) {

        if (*pos == end) {
            return NGX_MEDIA_RTMP_AGAIN;
        }

        if (**pos != want[r->match]) {
            break;
        }
    }

    ngx_media_rtmp_begin_chunk(r, cs);

    if (r->match == 4) {
        return GO_ON;
    }

    r->omits = 1;

    if ((size_t) (*pos - start) >= r->match) {
        *pos -= r->match;
        return GO_ON;
    }

    memcpy(r->back, want, r->match);
    r->nback = r->match;

    return REREAD;
}


static void
ngx_media_rtmp_end_message(ngx_media_rtmp_reader_t *r,
    ngx_media_rtmp_cs_t *cs)
{
    r->pending -= cs->length;
    cs->flags &= (uint8_t) ~CS_ACTIVE;
}


/* carries out set chunk size or abort, which has come in in full */

static int
ngx_media_rtmp_control(ngx_media_rtmp_reader_t *r, unsigned type,
    ngx_media_rtmp_cs_t **out)
{
    uint32_t              value;
    ngx_media_rtmp_cs_t  *cs;

    value = ngx_media_get_be32(r->body);
    r->control = 0;

    if (type == NGX_MEDIA_RTMP_SET_CHUNK_SIZE) {

        if (value == 0 || value > 0x7fffffff) {
            return NGX_MEDIA_RTMP_ECHUNK_SIZE;
        }

        /* no message is longer, so larger sizes mean the same */

        if (value > NGX_MEDIA_RTMP_MAX_CHUNK_SIZE) {
            value = NGX_MEDIA_RTMP_MAX_CHUNK_SIZE;
        }

        r->chunk_size = value;

        return NGX_MEDIA_RTMP_NEW_CHUNK_SIZE;
    }

    cs = ngx_media_rtmp_find(r, value);

    if (cs == NULL || !(cs->flags & CS_ACTIVE)) {
        return GO_ON;
    }

    ngx_media_rtmp_end_message(r, cs);
    *out = cs;

    return NGX_MEDIA_RTMP_ABORTED;
}


static int
ngx_media_rtmp_payload(ngx_media_rtmp_reader_t *r, const u_char **pos,
    const u_char *end, ngx_media_rtmp_cs_t **out)
{
    size_t                n, room;
    ngx_media_rtmp_cs_t  *cs;

    cs = ngx_media_rtmp_reader_cs(r, r->current);

    while (r->left) {

        n = (size_t) (end - *pos);

        if (n == 0) {
            return NGX_MEDIA_RTMP_AGAIN;
        }

        if (n > r->left) {
            n = r->left;
        }

        if (r->control == r->current + 1) {

            if (cs->received < sizeof(r->body)) {
                room = sizeof(r->body) - cs->received;
                memcpy(r->body + cs->received, *pos, n < room ? n : room);
            }

        } else if (cs->buf == NULL || (cs->flags & CS_SKIP)) {
            cs->flags |= CS_SKIP;

        } else {

            if (cs->cap <= cs->received) {
                *out = cs;
                return NGX_MEDIA_RTMP_NEED_BUFFER;
            }

            room = cs->cap - cs->received;

            if (n > room) {
                n = room;
            }

            memcpy(cs->buf + cs->received, *pos, n);
        }

        *pos += n;
        r->left -= (uint32_t) n;
        cs->received += (uint32_t) n;
    }

    r->state = ST_HEAD;

    if (cs->received < cs->length) {
        return GO_ON;
    }

    ngx_media_rtmp_end_message(r, cs);

    if (r->control == r->current + 1) {
        return ngx_media_rtmp_control(r, cs->type, out);
    }

    *out = cs;

    return NGX_MEDIA_RTMP_END;
}


/* reads one span up to an event or its end */

static int
ngx_media_rtmp_step(ngx_media_rtmp_reader_t *r, const u_char **pos,
    const u_char *end, ngx_media_rtmp_cs_t **cs)
{
    int  rc;

    do {
        switch (r->state) {

        case ST_HEAD:
            rc = ngx_media_rtmp_head(r, pos, end, cs);
            break;

        case ST_MATCH:
            rc = ngx_media_rtmp_match(r, pos, end);
            break;

        default:
            rc = ngx_media_rtmp_payload(r, pos, end, cs);
        }

    } while (rc == GO_ON);

    return rc;
}


/* reads r->back again, what is left of it after an event stays there */

static int
ngx_media_rtmp_read_back(ngx_media_rtmp_reader_t *r, ngx_media_rtmp_cs_t **cs)
{
    int            rc;
    u_char         back[sizeof(r->back)];
    const u_char  *p, *end;

    memcpy(back, r->back, sizeof(back));

    p = back;
    end = back + r->nback;
    r->nback = 0;

    rc = ngx_media_rtmp_step(r, &p, end, cs);

    if (p < end) {
        r->nback = (uint8_t) (end - p);
        memcpy(r->back, p, r->nback);
    }

    return (rc == NGX_MEDIA_RTMP_AGAIN) ? REREAD : rc;
}


int
ngx_media_rtmp_read(ngx_media_rtmp_reader_t *r, const u_char **pos,
    const u_char *end, ngx_media_rtmp_cs_t **cs)
{
    int            rc;
    const u_char  *start;

    *cs = NULL;

    if (r->error) {
        return r->error;
    }

    do {
        if (r->nback) {
            rc = ngx_media_rtmp_read_back(r, cs);
            continue;
        }

        start = *pos;
        rc = ngx_media_rtmp_step(r, pos, end, cs);
        r->in_bytes += (uint64_t) (*pos - start);

    } while (rc == REREAD);

    if (rc < 0) {
        r->error = (int8_t) rc;
    }

    return rc;
}


const char *
ngx_media_rtmp_read_text(int rc)
{
    switch (rc) {

    case NGX_MEDIA_RTMP_AGAIN:
        return "more input needed";

    case NGX_MEDIA_RTMP_START:
        return "message begins";

    case NGX_MEDIA_RTMP_NEED_BUFFER:
        return "buffer needed";

    case NGX_MEDIA_RTMP_END:
        return "message is complete";

    case NGX_MEDIA_RTMP_ABORTED:
        return "message was aborted";

    case NGX_MEDIA_RTMP_NEW_CHUNK_SIZE:
        return "chunk size has changed";

    case NGX_MEDIA_RTMP_NEED_STREAMS:
        return "more chunk streams needed";

    case NGX_MEDIA_RTMP_EHEADER:
        return "chunk header does not fit what came before";

    case NGX_MEDIA_RTMP_ECHUNK_SIZE:
        return "invalid chunk size";

    case NGX_MEDIA_RTMP_ECONTROL:
        return "invalid protocol control message";

    case NGX_MEDIA_RTMP_EMESSAGE:
        return "message is too long";

    case NGX_MEDIA_RTMP_EPENDING:
        return "too many bytes in unfinished messages";

    case NGX_MEDIA_RTMP_ESTREAMS:
        return "too many chunk streams";

    default:
        return "unknown chunk result";
    }
}


int64_t
ngx_media_rtmp_unwrap(int64_t last, uint32_t ts)
{
    int64_t  value;

    value = last + (int32_t) (ts - (uint32_t) last);

    return (value < 0) ? (int64_t) ts : value;
}
