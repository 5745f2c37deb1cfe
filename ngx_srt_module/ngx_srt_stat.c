
/*
 * Copyright (C) the nginx media suite authors
 *
 * L4: what libsrt knows of the way to each peer, for the statistics.
 *
 * One timer of the worker walks over all sessions that were entered, those
 * that were accepted and those that were dialled alike, and reads them: half a
 * microsecond each, and often, as libsrt forgets a socket that is broken, so
 * that who has left was read a tick before.  A session that we end is read
 * once more.
 *
 * Once a second what libsrt counts between two reads is cleared: rates are
 * those of that second, and retransmitted packets that came are added up here,
 * as libsrt 1.5 has no total of them.
 *
 * libsrt 1.5, docs/API/statistics.md.
 */


#include "ngx_srt.h"


#define NGX_SRT_STAT_TICK    250           /* ms */
#define NGX_SRT_STAT_CLEAR   1000          /* ms */


static void ngx_srt_stat_timer(ngx_event_t *ev);
static void ngx_srt_stat_read(ngx_srt_stat_t *st);
static void ngx_srt_stat_rates(ngx_srt_stat_t *st,
    const SRT_TRACEBSTATS *perf);
static uint32_t ngx_srt_stat_number(double value);


static ngx_queue_t       ngx_srt_stats;
static ngx_event_t       ngx_srt_stat_event;
static ngx_connection_t  ngx_srt_stat_dummy;


void
ngx_srt_stat_begin(ngx_srt_stat_t *st, ngx_media_session_t *media,
    SRTSOCKET sock, ngx_uint_t sends)
{
    if (ngx_srt_stats.next == NULL) {
        ngx_queue_init(&ngx_srt_stats);

        ngx_srt_stat_dummy.fd = (ngx_socket_t) -1;

        ngx_srt_stat_event.handler = ngx_srt_stat_timer;
        ngx_srt_stat_event.data = &ngx_srt_stat_dummy;
        ngx_srt_stat_event.log = ngx_cycle->log;
        ngx_srt_stat_event.cancelable = 1;
    }

    if (st->media) {
        return;
    }

    ngx_memzero(st, sizeof(ngx_srt_stat_t));

    st->media = media;
    st->sock = sock;
    st->sends = sends;
    st->began = ngx_current_msec;
    st->cleared = ngx_current_msec;

    ngx_queue_insert_tail(&ngx_srt_stats, &st->queue);

    if (!ngx_srt_stat_event.timer_set) {
        ngx_add_timer(&ngx_srt_stat_event, NGX_SRT_STAT_TICK);
    }
}


void
ngx_srt_stat_end(ngx_srt_stat_t *st)
{
    if (st->media == NULL) {
        return;
    }

    ngx_srt_stat_read(st);

    ngx_queue_remove(&st->queue);
    st->media = NULL;
}


static void
ngx_srt_stat_timer(ngx_event_t *ev)
{
    ngx_queue_t     *q;
    ngx_srt_stat_t  *st;

    if (ngx_queue_empty(&ngx_srt_stats)) {
        return;
    }

    for (q = ngx_queue_head(&ngx_srt_stats);
         q != ngx_queue_sentinel(&ngx_srt_stats);
         q = ngx_queue_next(q))
    {
        st = ngx_queue_data(q, ngx_srt_stat_t, queue);

        /* libsrt guesses a round-trip time until it knows one */

        if (ngx_current_msec - st->began >= NGX_SRT_STAT_TICK) {
            ngx_srt_stat_read(st);
        }
    }

    ngx_add_timer(ev, NGX_SRT_STAT_TICK);
}


static void
ngx_srt_stat_read(ngx_srt_stat_t *st)
{
    int                clear;
    ngx_media_link_t  *link;
    SRT_TRACEBSTATS    perf;

    clear = (ngx_current_msec - st->cleared >= NGX_SRT_STAT_CLEAR);

    if (srt_bistats(st->sock, &perf, clear, 0) == SRT_ERROR) {
        return;
    }

    link = &st->link;

    link->rtt = ngx_srt_stat_number(perf.msRTT * 1000);
    link->bandwidth = ngx_srt_stat_number(perf.mbpsBandwidth * 1000);

    link->sent = (uint64_t) perf.pktSentUniqueTotal;
    link->resent = (uint32_t) perf.pktRetransTotal;
    link->sent_lost = (uint32_t) perf.pktSndLossTotal;
    link->sent_dropped = (uint32_t) perf.pktSndDropTotal;

    link->received = (uint64_t) perf.pktRecvUniqueTotal;
    link->lost = (uint32_t) perf.pktRcvLossTotal;
    link->dropped = (uint32_t) perf.pktRcvDropTotal;
    link->undecrypted = (uint32_t) perf.pktRcvUndecryptTotal;

    /* some come although the first one came after all */

    link->recovered = ngx_min(st->again + (uint32_t) perf.pktRcvRetrans,
                              link->lost);

    if (st->sends) {
        link->latency = (uint32_t) perf.msSndTsbPdDelay;
        link->buffered = (uint32_t) perf.msSndBuf;
        link->nacks = (uint32_t) perf.pktRecvNAKTotal;

    } else {
        link->latency = (uint32_t) perf.msRcvTsbPdDelay;
        link->buffered = (uint32_t) perf.msRcvBuf;
        link->nacks = (uint32_t) perf.pktSentNAKTotal;
    }

    if (clear) {
        st->again += (uint32_t) perf.pktRcvRetrans;
        ngx_srt_stat_rates(st, &perf);
    }

    ngx_media_session_link(st->media, link);
}


/* smoothed over some seconds */

static void
ngx_srt_stat_rates(ngx_srt_stat_t *st, const SRT_TRACEBSTATS *perf)
{
    uint32_t           kbps;
    ngx_media_link_t  *link;

    link = &st->link;
    st->cleared = ngx_current_msec;

    kbps = ngx_srt_stat_number(perf->mbpsSendRate * 1000);
    link->send_kbps = st->rated ? (3 * link->send_kbps + kbps) / 4 : kbps;

    kbps = ngx_srt_stat_number(perf->mbpsRecvRate * 1000);
    link->recv_kbps = st->rated ? (3 * link->recv_kbps + kbps) / 4 : kbps;

    st->rated = 1;
}


/* what is no number, or is beyond, can come out of a division */

static uint32_t
ngx_srt_stat_number(double value)
{
    if (!(value > 0)) {
        return 0;
    }

    return (value < (double) NGX_MAX_INT32_VALUE) ? (uint32_t) value
                                                  : NGX_MAX_INT32_VALUE;
}
