
/*
 * Copyright (C) the nginx media suite authors
 *
 * Clients of low-latency HLS, as players do it: the multivariant playlist,
 * the media playlist, then on one connection the next version of the playlist
 * (_HLS_msn and _HLS_part, which waits), on another one the part that the
 * last version hinted at, asked for ahead.  From its first part on a client
 * must get each part once, in order, with status 200, and what the playlist
 * announces must be what was asked for.
 *
 * RFC 8216bis: 4.4.4.9 EXT-X-PART, 4.4.5.3 EXT-X-PRELOAD-HINT, 6.2.5.2
 * blocking playlist reload.
 */


#include "load.h"


#define LOAD_HLS_QUEUE   64
#define LOAD_HLS_WAITS   8
#define LOAD_HLS_AGAIN   (200 * LOAD_MS)
#define LOAD_HLS_STUCK   (15 * LOAD_SEC)


enum {
    LOAD_HLS_MASTER = 0,
    LOAD_HLS_FIRST,
    LOAD_HLS_FOLLOW
};

typedef struct {
    uint64_t        msn;
    unsigned        n;
    char            uri[72];
} load_item_t;

typedef struct {                 /* a playlist that showed a part */
    uint64_t        msn;
    unsigned        n;
    uint64_t        asked;
    uint64_t        arrived;
} load_shown_t;

typedef struct {
    load_web_t      list;
    load_web_t      part;
    int             stage;
    uint32_t        stream;
    char            media[96];   /* path of the media playlist */
    load_item_t     last;        /* newest known */
    load_item_t     done;        /* newest there */
    load_item_t     hint;
    load_item_t     queue[LOAD_HLS_QUEUE];
    unsigned        head;
    unsigned        n;
    load_shown_t    shown[LOAD_HLS_WAITS];
    unsigned        nshown;
    unsigned        live:1;
} load_hls_t;


static load_hls_t  *load_hls;
static unsigned     load_hls_started;
static unsigned     load_hls_n;


unsigned
load_hls_live(void)
{
    return load_hls_n;
}


/* NAME.hls.[TAG.]MSN.PART.EXT */

static int
load_hls_name(load_item_t *item, const char *uri, size_t n)
{
    char  *p, *end;

    if (n == 0 || n >= sizeof(item->uri)) {
        return LOAD_ERROR;
    }

    memcpy(item->uri, uri, n);
    item->uri[n] = '\0';

    p = strstr(item->uri, ".hls.");
    if (p == NULL) {
        return LOAD_ERROR;
    }

    p += 5;

    if (*p >= 'a') {
        p = strchr(p, '.');
        if (p++ == NULL) {
            return LOAD_ERROR;
        }
    }

    item->msn = strtoull(p, &end, 10);
    if (end == p || *end != '.') {
        return LOAD_ERROR;
    }

    p = end + 1;
    item->n = (unsigned) strtoul(p, &end, 10);

    return end == p || *end != '.' ? LOAD_ERROR : LOAD_OK;
}


static int
load_hls_after(load_item_t *a, load_item_t *b)
{
    return a->msn > b->msn || (a->msn == b->msn && a->n > b->n);
}


/* the attribute URI of a line */

static int
load_hls_uri(load_item_t *item, const char *line, const char *end)
{
    const char  *p, *last;

    p = memmem(line, (size_t) (end - line), "URI=\"", 5);
    if (p == NULL) {
        return LOAD_ERROR;
    }

    p += 5;
    last = memchr(p, '"', (size_t) (end - p));

    return last ? load_hls_name(item, p, (size_t) (last - p)) : LOAD_ERROR;
}


static void
load_hls_ask_list(load_hls_t *h)
{
    load_web_t  *w;

    w = &h->list;

    if (h->stage == LOAD_HLS_FOLLOW) {
        snprintf(w->path, sizeof(w->path), "%.90s?_HLS_msn=%llu&_HLS_part=%u",
                 h->media, (unsigned long long) h->hint.msn, h->hint.n);

    } else if (h->stage == LOAD_HLS_FIRST) {
        snprintf(w->path, sizeof(w->path), "%s", h->media);

    } else if (ld.opt.streams > 1) {
        snprintf(w->path, sizeof(w->path), "/%s/%s%u.m3u8", ld.opt.app,
                 ld.opt.stream, h->stream);

    } else {
        snprintf(w->path, sizeof(w->path), "/%s/%s.m3u8", ld.opt.app,
                 ld.opt.stream);
    }

    load_web_get(w);
}


static void
load_hls_ask_part(load_hls_t *h)
{
    if (h->n == 0 || h->part.busy) {
        return;
    }

    snprintf(h->part.path, sizeof(h->part.path), "/%s/%s", ld.opt.app,
             h->queue[h->head].uri);
    load_web_get(&h->part);
}


static void
load_hls_queue(load_hls_t *h, load_item_t *item)
{
    if (!load_hls_after(item, &h->last)) {
        return;
    }

    /* a number left out */

    if (h->last.msn && !(item->msn == h->last.msn && item->n == h->last.n + 1)
        && !(item->msn == h->last.msn + 1 && item->n == 0))
    {
        ld.stat.hls_skipped++;
    }

    if (h->n == LOAD_HLS_QUEUE) {
        ld.stat.hls_lost++;
        return;
    }

    h->last = *item;
    h->queue[(h->head + h->n++) % LOAD_HLS_QUEUE] = *item;
}


/* the first line that is a name */

static int
load_hls_variant(load_hls_t *h, load_answer_t *a)
{
    char        *p, *end, *next;

    end = (char *) a->body + a->len;

    for (p = (char *) a->body; p < end; p = next + 1) {
        next = memchr(p, '\n', (size_t) (end - p));
        if (next == NULL) {
            break;
        }

        if (*p != '#' && next - p > 4 && next - p < 64) {
            snprintf(h->media, sizeof(h->media), "/%s/%.*s", ld.opt.app,
                     (int) (next - p), p);
            return LOAD_OK;
        }
    }

    return LOAD_ERROR;
}


/* parts and the hint; only the hint at first */

static int
load_hls_media(load_hls_t *h, load_answer_t *a)
{
    int          found;
    char        *p, *end, *next;
    load_item_t  item, asked;

    end = (char *) a->body + a->len;
    asked = h->hint;
    found = 0;
    h->hint.msn = 0;

    for (p = (char *) a->body; p < end; p = next + 1) {
        next = memchr(p, '\n', (size_t) (end - p));
        if (next == NULL) {
            return LOAD_ERROR;
        }

        if (next - p > 12 && memcmp(p, "#EXT-X-PART:", 12) == 0) {
            if (load_hls_uri(&item, p, next) != LOAD_OK) {
                return LOAD_ERROR;
            }

            found |= !load_hls_after(&asked, &item);

            if (h->stage == LOAD_HLS_FOLLOW) {
                load_hls_queue(h, &item);
            }

        } else if (next - p > 20
                   && memcmp(p, "#EXT-X-PRELOAD-HINT:", 20) == 0)
        {
            if (load_hls_uri(&h->hint, p, next) != LOAD_OK) {
                return LOAD_ERROR;
            }

            load_hls_queue(h, &h->hint);

        } else if (next - p >= 14 && memcmp(p, "#EXT-X-ENDLIST", 14) == 0) {
            ld.stat.hls_ended++;
        }
    }

    if (h->stage == LOAD_HLS_FOLLOW && !found) {
        ld.stat.hls_stale++;
    }

    return h->hint.msn ? LOAD_OK : LOAD_ERROR;
}


static void
load_hls_list(load_web_t *w, load_answer_t *a)
{
    load_hls_t    *h;
    load_item_t    asked;
    load_shown_t  *shown;

    h = w->data;
    asked = h->hint;

    if (a->status != 200) {
        if (h->stage == LOAD_HLS_FOLLOW && ld.publishing) {
            ld.stat.web_status++;
        }

        w->busy = 1;
        w->again = load_now() + LOAD_HLS_AGAIN;
        return;
    }

    if (h->stage == LOAD_HLS_MASTER) {
        if (load_hls_variant(h, a) != LOAD_OK) {
            ld.stat.protocol++;
            return;
        }

        h->stage = LOAD_HLS_FIRST;
        load_hls_ask_list(h);
        return;
    }

    if (load_hls_media(h, a) != LOAD_OK) {
        if (h->stage == LOAD_HLS_FIRST) {     /* no part is hinted at yet */
            w->busy = 1;
            w->again = load_now() + LOAD_HLS_AGAIN;

        } else if (ld.publishing) {
            ld.stat.protocol++;
        }

        return;
    }

    if (h->stage == LOAD_HLS_FOLLOW) {
        ld.stat.hls_lists++;

        shown = &h->shown[h->nshown++ % LOAD_HLS_WAITS];
        shown->msn = asked.msn;
        shown->n = asked.n;
        shown->asked = a->asked;
        shown->arrived = a->arrived;
    }

    h->stage = LOAD_HLS_FOLLOW;
    load_hls_ask_list(h);
    load_hls_ask_part(h);
}


/* us from when it was ready, or asked for if that was later */

static void
load_hls_latency(load_hist_t *hist, uint64_t ready, uint64_t asked,
    uint64_t arrived)
{
    if (asked > ready) {
        ld.stat.hls_late++;
        ready = asked;

    } else {
        ld.stat.hls_ahead++;
    }

    load_hist_add(hist, arrived > ready ? (arrived - ready) / 1000 : 0);
}


static void
load_hls_times(load_hls_t *h, load_answer_t *a, uint64_t ready)
{
    unsigned       i;
    load_shown_t  *shown;

    load_hls_latency(&ld.stat.hls_part, ready, a->asked, a->arrived);

    for (i = 0; i < LOAD_HLS_WAITS; i++) {
        shown = &h->shown[i];

        if (shown->msn == h->done.msn && shown->n == h->done.n) {
            load_hls_latency(&ld.stat.hls_list, ready, shown->asked,
                             shown->arrived);
            shown->msn = 0;
        }
    }
}


static void
load_hls_part(load_web_t *w, load_answer_t *a)
{
    uint64_t     ready;
    load_hls_t  *h;

    h = w->data;

    if (a->status == 503) {
        ld.stat.web_status += ld.publishing;
        w->busy = 1;
        w->again = load_now() + LOAD_HLS_AGAIN;
        return;
    }

    h->done = h->queue[h->head];
    h->head = (h->head + 1) % LOAD_HLS_QUEUE;
    h->n--;

    if (a->status != 200) {
        ld.stat.web_status++;
        ld.stat.hls_lost++;

    } else {
        ready = load_part_got(h->stream, h->done.msn, h->done.n, a->body,
                              a->len);
        ld.stat.hls_parts++;

        if (!h->live) {
            h->live = 1;
            load_hls_n++;

        } else if (ready && ld.measuring) {
            load_hls_times(h, a, ready);
        }
    }

    load_hls_ask_part(h);
}


static void
load_hls_open(load_hls_t *h, unsigned i)
{
    h->stream = i % ld.opt.streams;
    h->list.serial = i;
    h->part.serial = i;
    h->list.data = h;
    h->part.data = h;
    h->list.answer = load_hls_list;
    h->part.answer = load_hls_part;

    load_hls_ask_list(h);
}


/* opens those that are due, and asks again where an answer did not come */

int
load_hls_tick(uint64_t now)
{
    unsigned  i;

    static uint64_t  start, next;

    if (ld.opt.hls_players == 0) {
        return LOAD_OK;
    }

    if (load_hls == NULL) {
        load_hls = calloc(ld.opt.hls_players, sizeof(load_hls_t));
        if (load_hls == NULL) {
            return LOAD_ERROR;
        }

        start = now;
    }

    while (load_hls_started < ld.opt.hls_players
           && start + load_hls_started * LOAD_SEC / ld.opt.rate <= now)
    {
        load_hls_open(&load_hls[load_hls_started], load_hls_started);
        load_hls_started++;
    }

    if (now < next) {
        return LOAD_OK;
    }

    next = now + 10 * LOAD_MS;

    for (i = 0; i < load_hls_started; i++) {
        load_web_tick(&load_hls[i].list, now);
        load_web_tick(&load_hls[i].part, now);
    }

    return LOAD_OK;
}


/* how many clients lack the newest part that any of them has? */

unsigned
load_hls_behind(void)
{
    unsigned  i, n;

    for (n = 0, i = 0; i < load_hls_started; i++) {
        n += (unsigned) load_part_newer(load_hls[i].stream,
                                        load_hls[i].done.msn,
                                        load_hls[i].done.n);
    }

    return n;
}


void
load_hls_finish(void)
{
    ld.stat.hls_behind = load_hls_behind();
    load_part_finish();
}
