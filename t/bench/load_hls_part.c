
/*
 * Copyright (C) the nginx media suite authors
 *
 * The parts of HLS that clients of the load tool get, held against what the
 * tool published itself.
 *
 * The first client that gets a part reads its boxes and each frame in it:
 * decode times must go on without a gap, and no frame may come twice; at the
 * end none may be missing.  All others must get the same bytes.  A part is
 * ready when the server has the video frame behind it, which closes it; the
 * tool knows when it sent that.
 *
 * ISO/IEC 14496-12: 8.8.7 tfhd, 8.8.8 trun, 8.8.12 tfdt.
 */


#include "load.h"


#define LOAD_PARTS        1024       /* the newest of a stream */
#define LOAD_SENT         8192
#define LOAD_SEEN         (1u << 20)
#define LOAD_PART_TRACKS  4
#define LOAD_MARK_NEAR    128        /* bytes of a sample before the mark */

#define LOAD_BOX(a, b, c, d)                                                  \
    ((uint32_t) (a) << 24 | (uint32_t) (b) << 16 | (uint32_t) (c) << 8 | (d))


typedef struct {
    uint64_t        msn;
    unsigned        n;
    size_t          len;
    uint32_t        hash;
    uint64_t        ready;
} load_part_t;

typedef struct {
    load_part_t     parts[LOAD_PARTS];
    unsigned        next;
    uint64_t        sent[LOAD_SENT];       /* of video; 0: another frame */
    u_char          seen[LOAD_SEEN / 8];
    uint64_t        low;                   /* first frame ever seen; + 1 */
    uint64_t        high;
    uint64_t        newest_msn;
    unsigned        newest_n;
    uint64_t        decode[LOAD_PART_TRACKS];
} load_stream_t;

typedef struct {                           /* one traf */
    uint32_t        track;
    uint32_t        duration;
    uint32_t        size;
    uint64_t        decode;
    const u_char   *trun;
    const u_char   *trun_end;
} load_traf_t;


static load_stream_t  *load_streams;


static load_stream_t *
load_stream(uint32_t stream)
{
    if (load_streams == NULL) {
        load_streams = calloc(ld.opt.streams, sizeof(load_stream_t));
    }

    return load_streams ? &load_streams[stream] : NULL;
}


/* a publisher sends a frame */

void
load_part_sent(uint32_t stream, uint64_t seq, int video, uint64_t now)
{
    load_stream_t  *s;

    s = ld.opt.hls_players ? load_stream(stream) : NULL;

    if (s) {
        s->sent[seq % LOAD_SENT] = video ? now : 0;
        s->sent[(seq + 1) % LOAD_SENT] = 0;
    }
}


/* a whole box at p; its end, NULL: none */

static const u_char *
load_box(const u_char *p, const u_char *end, uint32_t *type)
{
    uint32_t  n;

    if (end - p < 8) {
        return NULL;
    }

    n = load_get_be(p, 4);
    *type = load_get_be(p + 4, 4);

    return n < 8 || n > (size_t) (end - p) ? NULL : p + n;
}


static void
load_tfhd(load_traf_t *t, const u_char *p)
{
    uint32_t  flags;

    flags = load_get_be(p + 8, 4) & 0xffffff;
    t->track = load_get_be(p + 12, 4);
    p += 16 + (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0);

    if (flags & 8) {
        t->duration = load_get_be(p, 4);
        p += 4;
    }

    if (flags & 0x10) {
        t->size = load_get_be(p, 4);
    }
}


static int
load_traf(load_traf_t *t, const u_char *p, const u_char *end)
{
    uint32_t       type;
    const u_char  *next;

    memset(t, 0, sizeof(load_traf_t));

    for ( /* void */ ; p < end; p = next) {
        next = load_box(p, end, &type);
        if (next == NULL || next - p < 16) {
            return LOAD_ERROR;
        }

        if (type == LOAD_BOX('t', 'f', 'h', 'd')) {
            load_tfhd(t, p);

        } else if (type == LOAD_BOX('t', 'f', 'd', 't')) {
            t->decode = load_get_be(p + 12, 4);

            if (p[8] == 1) {
                t->decode = t->decode << 32 | load_get_be(p + 16, 4);
            }

        } else if (type == LOAD_BOX('t', 'r', 'u', 'n')) {
            t->trun = p;
            t->trun_end = next;
        }
    }

    return t->trun && t->track ? LOAD_OK : LOAD_ERROR;
}


/* each frame once, unchanged */

static int
load_sample(load_stream_t *s, uint32_t stream, const u_char *p, size_t n)
{
    size_t        near;
    load_mark_t   m;
    const u_char  *q;

    near = n < LOAD_MARK_NEAR ? n : LOAD_MARK_NEAR;
    q = memmem(p, near, "NGXL", 4);

    if (q == NULL || load_mark_parse(q, (size_t) (p + n - q), &m) != LOAD_OK
        || m.stream != stream || m.seq >= LOAD_SEEN)
    {
        ld.stat.corrupt++;
        return LOAD_ERROR;
    }

    if (s->seen[m.seq / 8] & (1 << m.seq % 8)) {
        ld.stat.dups++;
    }

    s->seen[m.seq / 8] |= (u_char) (1 << m.seq % 8);
    s->low = s->low ? s->low : m.seq + 1;

    if (m.seq > s->high) {
        s->high = m.seq;
    }

    return LOAD_OK;
}


/* the samples of a traf; moof: where data offsets count from */

static int
load_trun(load_stream_t *s, uint32_t stream, load_traf_t *t,
    const u_char *moof, const u_char *end)
{
    uint32_t       flags, n, offset, size, duration;
    const u_char  *p;

    flags = load_get_be(t->trun + 8, 4) & 0xffffff;
    n = load_get_be(t->trun + 12, 4);
    p = t->trun + 16;

    if (!(flags & 1) || t->trun_end - p < 4) {
        return LOAD_ERROR;
    }

    offset = load_get_be(p, 4);
    p += 4 + (flags & 4 ? 4 : 0);

    if (t->track < LOAD_PART_TRACKS) {
        if (s->decode[t->track] && s->decode[t->track] != t->decode) {
            ld.stat.gaps++;
        }
    }

    for ( /* void */ ; n; n--) {
        size = t->size;
        duration = t->duration;

        if (t->trun_end - p < (flags & 0x100 ? 4 : 0)
            + (flags & 0x200 ? 4 : 0) + (flags & 0x400 ? 4 : 0)
            + (flags & 0x800 ? 4 : 0))
        {
            return LOAD_ERROR;
        }

        if (flags & 0x100) {
            duration = load_get_be(p, 4);
            p += 4;
        }

        if (flags & 0x200) {
            size = load_get_be(p, 4);
            p += 4;
        }

        p += (flags & 0x400 ? 4 : 0) + (flags & 0x800 ? 4 : 0);

        if (offset > (size_t) (end - moof)
            || size > (size_t) (end - moof) - offset)
        {
            return LOAD_ERROR;
        }

        (void) load_sample(s, stream, moof + offset, size);
        offset += size;
        t->decode += duration;
    }

    if (t->track < LOAD_PART_TRACKS) {
        s->decode[t->track] = t->decode;
    }

    return LOAD_OK;
}


static int
load_moof(load_stream_t *s, uint32_t stream, const u_char *p,
    const u_char *moof_end, const u_char *end)
{
    uint32_t       type;
    load_traf_t    t;
    const u_char  *moof, *next;

    moof = p;

    for (p += 8; p < moof_end; p = next) {
        next = load_box(p, moof_end, &type);
        if (next == NULL) {
            return LOAD_ERROR;
        }

        if (type == LOAD_BOX('t', 'r', 'a', 'f')
            && (load_traf(&t, p + 8, next) != LOAD_OK
                || load_trun(s, stream, &t, moof, end) != LOAD_OK))
        {
            return LOAD_ERROR;
        }
    }

    return LOAD_OK;
}


static int
load_part_read(load_stream_t *s, uint32_t stream, const u_char *p, size_t n)
{
    int            moofs;
    uint32_t       type;
    const u_char  *end, *next;

    end = p + n;

    for (moofs = 0; p < end; p = next) {
        next = load_box(p, end, &type);
        if (next == NULL) {
            return LOAD_ERROR;
        }

        if (type == LOAD_BOX('m', 'o', 'o', 'f')) {
            if (load_moof(s, stream, p, next, end) != LOAD_OK) {
                return LOAD_ERROR;
            }

            moofs++;
        }
    }

    return moofs ? LOAD_OK : LOAD_ERROR;
}


/*
 * A client got part n of segment msn.  Gives when it was ready; 0: who knows.
 */

uint64_t
load_part_got(uint32_t stream, uint64_t msn, unsigned n, const u_char *body,
    size_t len)
{
    unsigned        i;
    uint64_t        seq;
    uint32_t        hash;
    load_part_t    *part;
    load_stream_t  *s;

    s = load_stream(stream);
    if (s == NULL) {
        return 0;
    }

    hash = load_hash(body, len);

    for (i = 0; i < 64; i++) {
        part = &s->parts[(s->next - 1 - i) % LOAD_PARTS];

        if (part->msn == msn && part->n == n && part->len) {
            if (part->len != len || part->hash != hash) {
                ld.stat.corrupt++;
            }

            return part->ready;
        }
    }

    if (msn < s->newest_msn || (msn == s->newest_msn && n < s->newest_n)) {
        return 0;
    }

    part = &s->parts[s->next++ % LOAD_PARTS];
    part->msn = msn;
    part->n = n;
    part->len = len;
    part->hash = hash;
    part->ready = 0;
    s->newest_msn = msn;
    s->newest_n = n;
    s->high = 0;

    if (load_part_read(s, stream, body, len) != LOAD_OK) {
        ld.stat.corrupt++;
        return 0;
    }

    for (seq = s->high + 1; seq < s->high + 16; seq++) {
        if (s->sent[seq % LOAD_SENT]) {
            part->ready = s->sent[seq % LOAD_SENT];
            break;
        }
    }

    return part->ready;
}


int
load_part_newer(uint32_t stream, uint64_t msn, unsigned n)
{
    load_stream_t  *s;

    s = load_stream(stream);

    return s && (s->newest_msn > msn
                 || (s->newest_msn == msn && s->newest_n > n));
}


/* frames that no part had: not the last ones, which are in no part yet */

void
load_part_finish(void)
{
    unsigned        i;
    uint64_t        seq, high;
    load_stream_t  *s;

    for (i = 0; load_streams && i < ld.opt.streams; i++) {
        s = &load_streams[i];

        for (high = LOAD_SEEN; high; high--) {
            if (s->seen[(high - 1) / 8] & (1 << (high - 1) % 8)) {
                break;
            }
        }

        /* sound may be a part later than its picture */

        for (seq = s->low + 64; seq + 64 < high; seq++) {
            if (!(s->seen[seq / 8] & (1 << seq % 8))) {
                ld.stat.gap_frames++;
            }
        }
    }
}
