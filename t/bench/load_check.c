
/*
 * Copyright (C) the nginx media suite authors
 *
 * What a player must receive: from some keyframe on, each frame that was
 * published, once, in order, unchanged.  load_check_tag() is called with
 * every tag of every player and keeps the player's place (load_check_t) and
 * the totals (ld.stat).
 *
 * A synthetic frame says its number itself.  A frame of a file is known by
 * its hash: the first keyframe tells the place, from there on the hashes
 * must follow one another.
 *
 * Latency is taken only while measuring and only of frames that were sent
 * after the player's first keyframe: those before came from a GOP cache.
 */


#include "load.h"


void
load_hist_add(load_hist_t *h, uint64_t us)
{
    unsigned  i, shift;
    uint64_t  v;

    h->n++;

    if (us > h->max) {
        h->max = us;
    }

    shift = 0;

    for (v = us; v >= 2 * LOAD_HIST_SUB; v >>= 1) {
        shift++;
    }

    i = shift * LOAD_HIST_SUB + (unsigned) v;

    h->bucket[i < LOAD_HIST_MAX ? i : LOAD_HIST_MAX - 1]++;
}


/* quantile in milliseconds, to 3 %; q = 1: the exact maximum */

double
load_hist_ms(load_hist_t *h, double q)
{
    double    us, max;
    unsigned  i, shift;
    uint64_t  n, want;

    if (h->n == 0) {
        return 0;
    }

    max = (double) h->max;
    want = (uint64_t) ((double) h->n * q);

    for (n = 0, i = 0; i < LOAD_HIST_MAX; i++) {
        n += h->bucket[i];

        if (n > want) {
            break;
        }
    }

    if (q >= 1 || i == LOAD_HIST_MAX) {
        return max / 1000;
    }

    if (i < 2 * LOAD_HIST_SUB) {
        us = i;

    } else {
        shift = i / LOAD_HIST_SUB - 1;
        us = (i % LOAD_HIST_SUB + LOAD_HIST_SUB + 0.5) * (double) (1u << shift);
    }

    return (us < max ? us : max) / 1000;
}


/* the number of a file's frame; LOAD_ERROR: not a frame of the file */

static int
load_file_mark(load_check_t *k, const u_char *p, size_t n, load_mark_t *m)
{
    size_t        i;
    uint32_t      hash;
    load_file_t  *f;

    f = &ld.file;
    hash = load_hash(p, n);
    i = (size_t) (k->next % f->n);

    if (!k->running || f->hash[i] != hash) {

        for (i = 0; i < f->n; i++) {
            if (f->hash[i] == hash && (k->running || f->tags[i].key)) {
                break;
            }
        }

        if (i == f->n) {
            return LOAD_ERROR;
        }
    }

    m->seq = i;
    m->sent = f->sent[i];
    m->pts = f->tags[i].ts;

    if (k->running) {
        m->seq += k->next - k->next % f->n;

        if (m->seq < k->next && k->next - m->seq > f->n / 2) {
            m->seq += f->n;
        }

        m->pts += (uint32_t) (m->seq / f->n) * f->duration;
    }

    return LOAD_OK;
}


/* the frame is not the expected one: what kind of fault is it? */

static void
load_check_fault(load_check_t *k, load_mark_t *m, load_class_e class)
{
    load_stat_t  *s;

    s = &ld.stat;

    if (m->seq < k->next) {

        if (m->seq + 1 == k->next) {
            s->dups++;

        } else {
            s->disorder++;
        }

        return;
    }

    if (k->may_jump) {
        s->jumps++;

    } else {
        s->gaps++;
        s->gap_frames += m->seq - k->next;
    }

    if (class != LOAD_CLASS_KEY) {
        k->resync = 1;
    }

    k->next = m->seq + 1;
}


static void
load_check_time(load_check_t *k, uint32_t ts, uint32_t pts)
{
    int64_t      drift;
    load_stat_t  *s;

    s = &ld.stat;

    if ((int32_t) (ts - k->ts_last) < 0) {
        s->ts_back++;
    }

    k->ts_last = ts;

    drift = (int64_t) (int32_t) (ts - k->ts_base)
            - (int64_t) (int32_t) (pts - k->pts_base);

    if (drift < 0) {
        drift = -drift;
    }

    if ((uint64_t) drift > s->ts_drift) {
        s->ts_drift = (uint64_t) drift;
    }
}


/* before the first keyframe; returns 1 when this is it */

static int
load_check_first(load_check_t *k, load_class_e class, uint32_t ts,
    load_mark_t *m, uint64_t now)
{
    if (class == LOAD_CLASS_AUDIO) {
        ld.stat.early_audio++;
        return 0;
    }

    if (class == LOAD_CLASS_INTER) {
        ld.stat.early_inter++;
        return 0;
    }

    k->running = 1;
    k->key_time = now;
    k->next = m->seq + 1;
    k->ts_base = ts;
    k->ts_last = ts;
    k->pts_base = m->pts;

    return 1;
}


void
load_check_tag(load_check_t *k, uint32_t stream, unsigned type, uint32_t ts,
    const u_char *p, size_t n, uint64_t now)
{
    int           rc;
    load_mark_t   m;
    load_stat_t  *s;
    load_class_e  class;

    s = &ld.stat;
    class = load_tag_class(type, p, n);

    if (class <= LOAD_CLASS_HEADER) {
        return;
    }

    s->frames++;
    m.stream = stream;

    if (ld.file.n) {
        rc = (k->running || class == LOAD_CLASS_KEY)
             ? load_file_mark(k, p, n, &m) : LOAD_OK;
    } else {
        rc = load_mark_read(p, n, &m);
    }

    if (rc != LOAD_OK || m.stream != stream) {
        s->corrupt++;
        return;
    }

    if (!k->running) {
        if (!load_check_first(k, class, ts, &m, now)) {
            return;
        }

    } else if (m.seq != k->next) {
        load_check_fault(k, &m, class);

    } else {
        k->next++;
    }

    if (k->resync && type == LOAD_TAG_VIDEO) {
        s->dirty += (class != LOAD_CLASS_KEY);
        k->resync = 0;
    }

    load_check_time(k, ts, m.pts);

    /* a publisher of elsewhere goes on while players catch up at the end */

    if (ld.max_seq[stream] < k->next
        && (ld.publishing || ld.opt.publishers))
    {
        ld.max_seq[stream] = k->next;
    }

    if (ld.measuring && m.sent > k->key_time && !k->may_jump) {
        load_hist_add(&s->latency, (now - m.sent) / 1000);
    }
}
