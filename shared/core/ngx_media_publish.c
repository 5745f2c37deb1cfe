
/*
 * Copyright (C) the nginx media suite authors
 *
 * Publishers: from the first word of an encoder to frames in the ring.
 *
 *   none --publish--> asking --> waiting --> active --unpublish--> none
 *                        |          |
 *                        +----------+--> declined (denied, busy, full), error
 *
 *   asking   guards look at it (ngx_media_guard.c)
 *   waiting  the arena is full and owners were asked to shrink, or another
 *            publisher is being replaced, or may just have gone; tried again
 *            every 10 ms
 *   active   owns the ring's writer half; a timer that is not cancelable
 *            watches for silence and keeps a reloading worker alive
 *
 * Timestamps are mended here, once for all players (ngx_media_timeline.h).
 */


#include "ngx_media_core.h"
#include "ngx_media_mix.h"
#include "ngx_media_amf.h"


#define NGX_MEDIA_RETRY          10      /* ms */
#define NGX_MEDIA_FULL_WAIT      500     /* ms */
#define NGX_MEDIA_REPLACE_WAIT   3000    /* ms */
#define NGX_MEDIA_BUSY_WAIT      250     /* ms: its end may not be read yet */
#define NGX_MEDIA_CHUNKS_MIN     4       /* free ones, to publish at all */
#define NGX_MEDIA_CHUNKS_LOW     64      /* less than 1/n free: shrink */
#define NGX_MEDIA_CHUNKS_ROOM    8       /* more than 1/n free: no shares */
#define NGX_MEDIA_RESERVE        16      /* 1/n: not for who has history */
#define NGX_MEDIA_RESERVE_MAX    512     /* chunks of it */
#define NGX_MEDIA_SHARE_MIN      16      /* chunks that a source may hold */
#define NGX_MEDIA_SHRINK_WAIT    50      /* ms */
#define NGX_MEDIA_SHRINK_LOG     10000   /* ms between lines about it */
#define NGX_MEDIA_SYNC_AUDIO     1000000 /* us between audio start points */
#define NGX_MEDIA_REFRESH_AFTER  4000000 /* us without a keyframe */
#define NGX_MEDIA_REFRESH_GAP    900000  /* us between recovery points */
#define NGX_MEDIA_FPS_WINDOW     2000000 /* us */


struct ngx_media_publisher_s {
    ngx_media_session_t      *session;
    ngx_media_source_t       *source;
    ngx_media_ring_writer_t   writer;
    ngx_media_timeline_t      timeline;
    ngx_media_mix_t          *mix;           /* mix_correct */
    ngx_queue_t               queue;         /* worker: all publishers */
    ngx_event_t               timer;         /* retry, then silence */
    ngx_connection_t          dummy;
    ngx_msec_t                deadline;      /* of waiting */
    ngx_msec_t                heard;         /* last frame */
    int64_t                   sync_dts;      /* us; last audio start point */
    int64_t                   key_dts;       /* us; last real keyframe */
    int64_t                   shrink_msec;
    uint32_t                  credit;        /* chunks that it gave back */
    uint32_t                  skip;          /* tracks that wait for a key */
    uint32_t                  begun;         /* tracks that had a frame */
    uint8_t                   main;          /* track of start points */
    unsigned                  active:1;
    unsigned                  first:1;       /* a frame came */
    unsigned                  dirty:1;       /* not yet told to consumers */
    unsigned                  video:1;
    unsigned                  asked:1;       /* owner was told to leave */
    unsigned                  warned:1;      /* a frame was too large */
    unsigned                  wants:1;       /* others shall give history */
};


/* who publishes what another one wants to publish */

typedef struct {
    uint32_t                  slot;
    int32_t                   pid;
    ngx_media_command_t       close;
} ngx_media_publish_owner_t;


static ngx_int_t ngx_media_publish_allowed(ngx_media_session_t *s,
    ngx_int_t rc);
static ngx_int_t ngx_media_publish_try(ngx_media_publisher_t *p);
static void ngx_media_publish_full(ngx_media_session_t *s);
static ngx_int_t ngx_media_publish_claim(ngx_media_publisher_t *p);
static ngx_uint_t ngx_media_publish_replaces(ngx_media_publisher_t *p);
static void ngx_media_publish_busy(ngx_media_publisher_t *p,
    ngx_media_publish_owner_t *owner);
static void ngx_media_publish_start(ngx_media_publisher_t *p,
    ngx_media_source_t *src);
static void ngx_media_publish_memory(ngx_media_publisher_t *p);
static void ngx_media_publish_retry(ngx_event_t *ev);
static void ngx_media_publish_silence(ngx_event_t *ev);
static void ngx_media_publish_free(ngx_media_publisher_t *p);
static ngx_int_t ngx_media_publish_write(ngx_media_publisher_t *p,
    ngx_media_frame_t *f);
static ngx_int_t ngx_media_publish_head(ngx_media_publisher_t *p,
    ngx_media_frame_t *f);
static void ngx_media_publish_main(ngx_media_publisher_t *p,
    ngx_media_frame_t *f);
static void ngx_media_publish_atc(ngx_media_publisher_t *p,
    ngx_media_frame_t *f);
static void ngx_media_publish_sync(ngx_media_publisher_t *p,
    ngx_media_frame_t *f);
static ngx_uint_t ngx_media_publish_start_point(ngx_media_publisher_t *p,
    ngx_media_frame_t *f);
static ngx_int_t ngx_media_publish_append(ngx_media_publisher_t *p,
    ngx_media_frame_t *f);
static void ngx_media_publish_stat(ngx_media_publisher_t *p,
    ngx_media_frame_t *f);
static int ngx_media_publish_chunk_get(void *ctx, uint32_t *entry);
static void ngx_media_publish_chunk_put(void *ctx, uint32_t *entry);
static ngx_uint_t ngx_media_publish_rich(ngx_media_publisher_t *p);
static uint32_t ngx_media_publish_reserve(void);
static uint32_t ngx_media_publish_share(void);
static void ngx_media_publish_log_shrink(int64_t msec);
static void ngx_media_publish_ask_shrink(ngx_media_publisher_t *p);
static ngx_int_t ngx_media_publish_mixed(void *ctx, ngx_media_frame_t *f);


static ngx_queue_t  ngx_media_publishers;


static void
ngx_media_publish_list(ngx_media_publisher_t *p)
{
    if (ngx_media_publishers.next == NULL) {
        ngx_queue_init(&ngx_media_publishers);
    }

    ngx_queue_insert_tail(&ngx_media_publishers, &p->queue);
}


ngx_int_t
ngx_media_publish(ngx_media_session_t *s)
{
    ngx_media_publisher_t  *p;

    if (s->publisher) {
        return NGX_ERROR;
    }

    s->reason = NGX_MEDIA_REASON_NONE;

    if (ngx_media_session_check(s, NGX_MEDIA_TEXT_STREAM,
                                NGX_MEDIA_NAME_PUBLISH)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    p = ngx_calloc(sizeof(ngx_media_publisher_t), s->connection->log);

    if (p == NULL) {
        return NGX_ERROR;
    }

    p->session = s;
    p->dummy.fd = (ngx_socket_t) -1;
    p->timer.data = &p->dummy;
    p->timer.log = s->connection->log;
    p->main = NGX_MEDIA_TRACK_VIDEO;

    ngx_media_publish_list(p);
    s->publisher = p;

    return ngx_media_publish_allowed(s, ngx_media_permit(s,
                                                  NGX_MEDIA_ACT_PUBLISH));
}


void
ngx_media_publish_permitted(ngx_media_session_t *s, ngx_int_t rc)
{
    rc = ngx_media_publish_allowed(s, rc);

    if (rc != NGX_AGAIN) {
        s->ops->published(s, rc);
    }
}


/* rc: what the guards say */

static ngx_int_t
ngx_media_publish_allowed(ngx_media_session_t *s, ngx_int_t rc)
{
    ngx_media_publisher_t  *p;

    p = s->publisher;

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_OK) {
        rc = ngx_media_publish_try(p);

        if (rc == NGX_AGAIN) {
            p->timer.handler = ngx_media_publish_retry;
            ngx_add_timer(&p->timer, NGX_MEDIA_RETRY);
            return NGX_AGAIN;
        }
    }

    if (rc != NGX_OK) {
        ngx_media_publish_free(p);
    }

    return rc;
}


static void
ngx_media_publish_retry(ngx_event_t *ev)
{
    ngx_int_t               rc;
    ngx_media_session_t    *s;
    ngx_media_publisher_t  *p;

    p = (ngx_media_publisher_t *) ((u_char *) ev
                                   - offsetof(ngx_media_publisher_t, timer));
    s = p->session;

    rc = ngx_media_publish_try(p);

    if (rc == NGX_AGAIN) {
        ngx_add_timer(ev, NGX_MEDIA_RETRY);
        return;
    }

    if (rc != NGX_OK) {
        ngx_media_publish_free(p);
    }

    s->ops->published(s, rc);
}


static ngx_int_t
ngx_media_publish_try(ngx_media_publisher_t *p)
{
    ngx_int_t             rc;
    ngx_msec_t            wait;
    ngx_media_session_t  *s;

    s = p->session;
    rc = ngx_media_publish_claim(p);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    if (s->reason != NGX_MEDIA_REASON_BUSY) {
        wait = NGX_MEDIA_FULL_WAIT;

    } else if (p->asked || ngx_media_publish_replaces(p)) {
        wait = NGX_MEDIA_REPLACE_WAIT;

    } else {
        wait = NGX_MEDIA_BUSY_WAIT;
    }

    if (p->deadline == 0) {
        p->deadline = ngx_current_msec + wait;
    }

    if ((ngx_msec_int_t) (p->deadline - ngx_current_msec) > 0) {
        return NGX_AGAIN;
    }

    if (s->reason == NGX_MEDIA_REASON_FULL) {
        ngx_media_publish_full(s);
    }

    return NGX_DECLINED;
}


/* once a second: who is refused may try again as fast as it can */

static void
ngx_media_publish_full(ngx_media_session_t *s)
{
    int64_t             msec;
    ngx_media_arena_t  *a;
    static int64_t      last;

    a = ngx_media_arena();
    msec = ngx_media_msec();

    if (msec - last < 1000) {
        return;
    }

    last = msec;

    ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                  "media zone is full, publish is refused: %uD of %uD chunks "
                  "are free, %uD of %uD sources are in use; give \"zone\" in "
                  "media{} a larger size", ngx_media_chunks_free(),
                  a->nchunks, a->sources, a->nsources);
}


/* NGX_OK: active; NGX_AGAIN, NGX_DECLINED: s->reason */

static ngx_int_t
ngx_media_publish_claim(ngx_media_publisher_t *p)
{
    uint32_t                   need;
    ngx_str_t                  vhost, app, stream;
    ngx_media_source_t        *src;
    ngx_media_session_t       *s;
    ngx_media_publish_owner_t  owner;

    s = p->session;

    /* its first GOP wants room; after half the wait the least will do */

    need = NGX_MEDIA_CHUNKS_MIN;

    if (p->deadline == 0
        || (ngx_msec_int_t) (p->deadline - ngx_current_msec)
           > NGX_MEDIA_FULL_WAIT / 2)
    {
        need = ngx_max(need, ngx_media_publish_reserve());
    }

    if (ngx_media_chunks_free() < need) {
        s->reason = NGX_MEDIA_REASON_FULL;
        ngx_media_publish_ask_shrink(p);
        return NGX_AGAIN;
    }

    vhost = ngx_media_session_text(s, NGX_MEDIA_TEXT_VHOST);
    app = ngx_media_session_text(s, NGX_MEDIA_TEXT_APP);
    stream = ngx_media_session_text(s, NGX_MEDIA_TEXT_STREAM);

    ngx_media_lock();

    src = ngx_media_source_get(&vhost, &app, &stream, 0);

    if (src == NULL) {
        ngx_media_unlock();
        s->reason = NGX_MEDIA_REASON_FULL;
        return NGX_AGAIN;
    }

    if (!(src->epoch & 1)) {
        ngx_media_publish_start(p, src);
        ngx_media_unlock();
        ngx_media_publish_memory(p);
        ngx_media_services_publish(src);
        ngx_media_slot_notify(src);
        ngx_media_slot_notify_watchers(src);
        return NGX_OK;
    }

    owner.slot = src->pub_slot;
    owner.pid = src->pub_pid;
    owner.close.type = NGX_MEDIA_CMD_CLOSE;
    owner.close.a = src->pub_client;
    owner.close.b = src->pub_generation;
    owner.close.c = NGX_MEDIA_REASON_REPLACED;

    ngx_media_unlock();

    s->reason = NGX_MEDIA_REASON_BUSY;

    ngx_media_publish_busy(p, &owner);

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_media_publish_replaces(ngx_media_publisher_t *p)
{
    return !p->session->relay
           && ngx_media_core_conf(p->session)->publish_conflict
              == NGX_MEDIA_CONFLICT_REPLACE;
}


/* somebody else publishes it: does he still live, must he make way? */

static void
ngx_media_publish_busy(ngx_media_publisher_t *p,
    ngx_media_publish_owner_t *owner)
{
    ngx_uint_t  fetched;

    if (!ngx_media_slot_alive(owner->slot, owner->pid)) {

        /* its worker died, what it left was taken away just now */

        return;
    }

    /* what was fetched from elsewhere makes way for whoever brings it */

    fetched = !p->session->relay
              && owner->close.a != NGX_MEDIA_NONE
              && ngx_media_client_at(owner->close.a)->relay;

    if ((fetched || ngx_media_publish_replaces(p))
        && !p->asked
        && ngx_media_slot_command(owner->slot, &owner->close) == NGX_OK)
    {
        p->asked = 1;
    }
}


/* under the lock */

static void
ngx_media_publish_start(ngx_media_publisher_t *p, ngx_media_source_t *src)
{
    int                     mode;
    int64_t                 base, now;
    ngx_str_t               url;
    ngx_media_client_t     *client;
    ngx_media_core_conf_t  *conf;

    conf = ngx_media_core_conf(p->session);
    client = p->session->client;
    now = ngx_media_now();

    src->pub_slot = ngx_media_owner();
    src->pub_pid = ngx_pid;
    src->pub_client = ngx_media_client_index(client);
    src->pub_generation = client->generation;
    src->pub_msec = ngx_media_msec();
    src->used_msec = src->pub_msec;

    ngx_media_policy_copy(&src->policy, conf);

    src->record.told = (int32_t) p->session->record;

    client->source = ngx_media_source_index(src);
    client->publish = 1;

    url = ngx_media_session_text(p->session, NGX_MEDIA_TEXT_TCURL);
    src->tcurl_len = (uint16_t) ngx_min(url.len, NGX_MEDIA_NAME_LEN);
    ngx_memcpy(src->tcurl, url.data, src->tcurl_len);

    /* what another publisher left is no place to start any more */

    __atomic_store_n(&src->first_seq, src->ring.head, __ATOMIC_RELEASE);
    __atomic_store_n(&src->ring.key, NGX_MEDIA_SEQ_NONE, __ATOMIC_RELEASE);

    ngx_media_heads_reset(src);

    ngx_memzero(src->track, sizeof(src->track));
    src->tracks = 0;

    mode = (int) conf->time_jitter;

    if (conf->atc == NGX_MEDIA_ATC_ON) {
        mode = NGX_MEDIA_TIMELINE_OFF;
    }

    base = 0;

    if (src->publishes && src->last_time) {
        base = src->last_dts + (now - src->last_time);
    }

    ngx_media_timeline_start(&p->timeline, mode, base);

    src->publishes++;

    p->source = src;
    p->active = 1;
    p->heard = ngx_current_msec;

    __atomic_store_n(&src->epoch, src->epoch + 1, __ATOMIC_SEQ_CST);

    if (p->timer.timer_set) {
        ngx_del_timer(&p->timer);
    }

    p->timer.handler = ngx_media_publish_silence;
    ngx_add_timer(&p->timer, conf->publish_first);
}


uint64_t
ngx_media_ring_bytes(void)
{
    uint32_t  n;

    n = ngx_max(NGX_MEDIA_SHARE_MIN, ngx_media_arena()->nchunks / 4);
    n = ngx_min(n, NGX_MEDIA_RING_DATA - 1);

    return (uint64_t) n << NGX_MEDIA_CHUNK_SHIFT;
}


/*
 * Takes the ring over, and what a first configuration and frame need before
 * others take it: a stream without its configuration could never be shown.
 * Not under the lock, which chunks come and go under.
 */

static void
ngx_media_publish_memory(ngx_media_publisher_t *p)
{
    uint32_t                 *entry;
    ngx_media_core_conf_t    *conf;
    ngx_media_ring_writer_t  *w;

    conf = ngx_media_core_conf(p->session);
    w = &p->writer;

    w->ring = &p->source->ring;
    w->chunks = ngx_media_arena_chunks();
    w->max = (uint32_t) (ngx_media_ring_bytes() >> NGX_MEDIA_CHUNK_SHIFT);
    w->history = (int64_t) conf->queue_length * 1000;
    w->get = ngx_media_publish_chunk_get;
    w->put = ngx_media_publish_chunk_put;
    w->ctx = p;

    ngx_media_ring_attach(w);

    p->credit = 0;

    entry = &p->source->heads.chunk;

    if (*entry == 0) {
        (void) ngx_media_chunk_get(NULL, entry);
    }

    (void) ngx_media_ring_prepare(w, NGX_MEDIA_CHUNK_SIZE);

    if (p->wants) {
        p->wants = 0;
        ngx_media_publish_ask_shrink(p);
    }
}


void
ngx_media_policy_copy(ngx_media_source_policy_t *policy,
    ngx_media_core_conf_t *conf)
{
    policy->gop_cache = (uint32_t) conf->gop_cache;
    policy->queue_length = (uint32_t) conf->queue_length;
    policy->send_latency = (uint32_t) conf->send_latency;
    policy->republish_wait = (uint32_t) conf->republish_wait;
    policy->idle_timeout = (uint32_t) conf->idle_timeout;
}


void
ngx_media_source_set_policy(ngx_media_source_t *src,
    ngx_media_core_conf_t *conf)
{
    if (src->publishes == 0) {
        ngx_media_policy_copy(&src->policy, conf);
    }
}


/* no frame for too long; not rearmed with each frame, it looks by itself */

static void
ngx_media_publish_silence(ngx_event_t *ev)
{
    ngx_msec_t              limit;
    ngx_msec_int_t          left;
    ngx_media_session_t    *s;
    ngx_media_publisher_t  *p;
    ngx_media_core_conf_t  *conf;

    p = (ngx_media_publisher_t *) ((u_char *) ev
                                   - offsetof(ngx_media_publisher_t, timer));
    s = p->session;
    conf = ngx_media_core_conf(s);

    limit = p->first ? conf->publish_idle : conf->publish_first;
    left = (ngx_msec_int_t) (p->heard + limit - ngx_current_msec);

    if (left > 0) {
        ngx_add_timer(ev, (ngx_msec_t) left);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "publisher was silent for %M ms", limit);

    ngx_add_timer(ev, limit);

    ngx_media_session_close(s, NGX_MEDIA_REASON_TIMEOUT);
}


void
ngx_media_unpublish(ngx_media_session_t *s)
{
    ngx_media_source_t     *src;
    ngx_media_publisher_t  *p;

    p = s->publisher;

    if (p == NULL) {
        return;
    }

    if (!p->active) {
        ngx_media_publish_free(p);
        return;
    }

    if (p->mix) {
        (void) ngx_media_mix_flush(p->mix, ngx_media_publish_mixed, p);
    }

    src = p->source;

    /* as long as it is ours: the next one may come in another worker */

    ngx_media_services_unpublish(src);

    ngx_media_permit_over(s, NGX_MEDIA_ACT_PUBLISH);

    ngx_media_lock();

    if ((src->epoch & 1)
        && src->pub_client == ngx_media_client_index(s->client)
        && src->pub_generation == s->client->generation)
    {
        ngx_media_source_leave(src);
    }

    ngx_media_unlock();

    s->client->publish = 0;
    s->client->source = NGX_MEDIA_NONE;

    ngx_media_slot_notify(src);
    ngx_media_slot_notify_watchers(src);

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "unpublished \"%*s/%*s\", %uL frames, %uL dropped, "
                  "%uD timestamp jumps, %uD fixes",
                  (size_t) src->app_len, src->app,
                  (size_t) src->stream_len, src->stream, src->frames,
                  src->dropped, p->timeline.jumps, p->timeline.fixes);

    ngx_media_publish_free(p);
}


static void
ngx_media_publish_free(ngx_media_publisher_t *p)
{
    if (p->timer.timer_set) {
        ngx_del_timer(&p->timer);
    }

    if (p->mix) {
        ngx_media_mix_free(p->mix);
    }

    ngx_media_permit_over(p->session, NGX_MEDIA_ACT_PUBLISH);

    ngx_queue_remove(&p->queue);
    p->session->publisher = NULL;

    ngx_free(p);
}


/* --- frames ------------------------------------------------------------- */

ngx_int_t
ngx_media_publish_frame(ngx_media_session_t *s, ngx_media_frame_t *f)
{
    ngx_media_publisher_t  *p;
    ngx_media_core_conf_t  *conf;

    p = s->publisher;

    if (p == NULL || !p->active || f->track >= NGX_MEDIA_MAX_TRACKS) {
        return NGX_ERROR;
    }

    conf = ngx_media_core_conf(s);

    p->heard = ngx_current_msec;

    if (!p->first) {
        p->first = 1;
        ngx_add_timer(&p->timer, conf->publish_idle);
    }

    if (!conf->mix_correct) {
        return ngx_media_publish_write(p, f);
    }

    if (p->mix == NULL) {
        p->mix = ngx_media_mix_create(s->connection->log);

        if (p->mix == NULL) {
            return NGX_ERROR;
        }
    }

    return ngx_media_mix_add(p->mix, f, ngx_media_publish_mixed, p);
}


static ngx_int_t
ngx_media_publish_mixed(void *ctx, ngx_media_frame_t *f)
{
    return ngx_media_publish_write(ctx, f);
}


static ngx_int_t
ngx_media_publish_write(ngx_media_publisher_t *p, ngx_media_frame_t *f)
{
    int                  jumped;
    int64_t              dts;
    ngx_media_frame_t    out;
    ngx_media_source_t  *src;

    src = p->source;
    out = *f;
    out.flags &= ~(NGX_MEDIA_FRAME_SYNC|NGX_MEDIA_FRAME_BREAK);

    if (out.flags & NGX_MEDIA_FRAME_META) {
        ngx_media_publish_atc(p, &out);
    }

    dts = f->dts;

    if (out.flags & NGX_MEDIA_HEAD_KINDS) {

        /* their times are often 0 whatever the clock says: the last one */

        out.dts = p->timeline.last;

        if (ngx_media_publish_head(p, &out) != NGX_OK) {
            return NGX_OK;
        }

    } else {
        out.dts = ngx_media_timeline_map(&p->timeline, out.track, dts,
                                         ngx_media_now(), &jumped);
        if (jumped) {
            src->jumps++;

            ngx_log_error(NGX_LOG_INFO, p->session->connection->log, 0,
                          "timestamp of track %ud jumped to %L ms, the "
                          "stream goes on at %L ms", (unsigned) out.track,
                          ngx_media_ms(dts), ngx_media_ms(out.dts));
        }

        ngx_media_publish_sync(p, &out);
    }

    if (p->skip & (1u << out.track)) {

        /* frames were dropped: what refers to them can not be shown */

        if (!(out.flags & (NGX_MEDIA_FRAME_KEY|NGX_MEDIA_FRAME_CONFIG))
            && ngx_media_codec_is_video(out.codec))
        {
            src->dropped++;
            p->session->did.dropped++;
            return NGX_OK;
        }

        if (!(out.flags & NGX_MEDIA_FRAME_CONFIG)) {
            p->skip &= ~(1u << out.track);
        }
    }

    return ngx_media_publish_append(p, &out);
}


/* NGX_OK: pass it on as a frame too; NGX_DECLINED: not */

static ngx_int_t
ngx_media_publish_head(ngx_media_publisher_t *p, ngx_media_frame_t *f)
{
    ngx_int_t                rc;
    ngx_media_source_t      *src;
    ngx_media_core_conf_t   *conf;
    ngx_media_codec_info_t   info;

    src = p->source;
    conf = ngx_media_core_conf(p->session);

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {

        ngx_memzero(&info, sizeof(ngx_media_codec_info_t));

        if (ngx_media_codec_parse_config(f->codec, f->data, f->data + f->size,
                                         &info)
            != 0)
        {
            ngx_log_error(NGX_LOG_INFO, p->session->connection->log, 0,
                          "configuration of %s, %uD bytes, is damaged or "
                          "not known, it is passed on as it is",
                          ngx_media_codec_name(f->codec), f->size);
        }

        info.codec = f->codec;
        src->track[f->track].info = info;
        src->track[f->track].present = 1;
        src->tracks |= 1u << f->track;

        ngx_media_publish_main(p, f);
    }

    rc = ngx_media_heads_add(src, f, src->ring.head);

    if (rc == NGX_DECLINED) {
        src->dropped++;
        p->session->did.dropped++;

        ngx_log_error(NGX_LOG_INFO, p->session->connection->log, 0,
                      "%s of %uD bytes is dropped: too large, or too many",
                      (f->flags & NGX_MEDIA_FRAME_META) ? "metadata"
                                                        : "configuration",
                      f->size);
        return NGX_DECLINED;
    }

    if (rc == NGX_DONE && conf->reduce_sequence_header) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* of several video tracks the one with the lowest number */

static void
ngx_media_publish_main(ngx_media_publisher_t *p, ngx_media_frame_t *f)
{
    if (ngx_media_codec_is_video(f->codec)
        && (!p->video || f->track < p->main))
    {
        p->video = 1;
        p->main = f->track;
    }
}


/* atc auto: the encoder's metadata says that its clock is absolute */

static void
ngx_media_publish_atc(ngx_media_publisher_t *p, ngx_media_frame_t *f)
{
    ngx_media_amf_t         amf;
    ngx_media_amf_value_t   v, meta;
    ngx_media_core_conf_t  *conf;

    conf = ngx_media_core_conf(p->session);

    if (conf->atc != NGX_MEDIA_ATC_AUTO || p->timeline.started) {
        return;
    }

    ngx_media_amf_init(&amf, f->data, f->data + f->size);

    if (ngx_media_amf_read(&amf, &v) == NGX_MEDIA_OK
        && ngx_media_amf_read(&amf, &meta) == NGX_MEDIA_OK
        && ngx_media_amf_find(&amf, &meta, "bravo_atc", &v) == NGX_MEDIA_OK)
    {
        ngx_media_timeline_start(&p->timeline, NGX_MEDIA_TIMELINE_OFF, 0);
    }
}


/* players start at keyframes of the main video, or at audio now and then */

static void
ngx_media_publish_sync(ngx_media_publisher_t *p, ngx_media_frame_t *f)
{
    ngx_media_track_t   *track;
    ngx_media_source_t  *src;

    src = p->source;

    if (f->track == NGX_MEDIA_TRACK_SCRIPT
        || (f->flags & (NGX_MEDIA_FRAME_EXTRA|NGX_MEDIA_FRAME_EOS)))
    {
        return;
    }

    track = &src->track[f->track];

    if (!track->present) {
        track->present = 1;
        src->tracks |= 1u << f->track;

        ngx_memzero(&track->info, sizeof(ngx_media_codec_info_t));
        (void) ngx_media_codec_parse_frame(f->codec, f->data,
                                           f->data + f->size, &track->info);
        track->info.codec = f->codec;
    }

    ngx_media_publish_main(p, f);

    if (!(p->begun & (1u << f->track))) {
        p->begun |= 1u << f->track;

        if (p->begun == (1u << f->track) && src->publishes > 1) {
            f->flags |= NGX_MEDIA_FRAME_BREAK;
        }
    }

    if (p->video) {
        if (f->track == p->main && ngx_media_publish_start_point(p, f)) {
            f->flags |= NGX_MEDIA_FRAME_KEY|NGX_MEDIA_FRAME_SYNC;
        }

        return;
    }

    if (src->ring.key == NGX_MEDIA_SEQ_NONE
        || f->dts - p->sync_dts >= NGX_MEDIA_SYNC_AUDIO)
    {
        p->sync_dts = f->dts;
        f->flags |= NGX_MEDIA_FRAME_SYNC;
    }
}


/*
 * What the encoder calls a keyframe, and what is one without being called so:
 * an I picture with a recovery point, a CRA.  In streams without any, those
 * with intra refresh, recovery points do: the picture is whole a little later.
 */

static ngx_uint_t
ngx_media_publish_start_point(ngx_media_publisher_t *p, ngx_media_frame_t *f)
{
    int                  start;
    ngx_media_source_t  *src;

    src = p->source;
    start = NGX_MEDIA_START_KEY;

    if (!(f->flags & NGX_MEDIA_FRAME_KEY)) {
        start = ngx_media_codec_start(f->codec,
                                      src->track[f->track].info.nal_size,
                                      f->data, f->data + f->size);
    }

    if (start == NGX_MEDIA_START_KEY) {
        p->key_dts = f->dts;
        p->sync_dts = f->dts;
        return 1;
    }

    if (start == NGX_MEDIA_START_NONE
        || (src->ring.key != NGX_MEDIA_SEQ_NONE
            && (f->dts - p->key_dts < NGX_MEDIA_REFRESH_AFTER
                || f->dts - p->sync_dts < NGX_MEDIA_REFRESH_GAP)))
    {
        return 0;
    }

    p->sync_dts = f->dts;

    return 1;
}


static ngx_int_t
ngx_media_publish_append(ngx_media_publisher_t *p, ngx_media_frame_t *f)
{
    int                  rc;
    int64_t              now;
    ngx_media_source_t  *src;

    src = p->source;
    now = ngx_media_now();

    p->credit = 0;

    rc = ngx_media_ring_append(&p->writer, f, now);

    if (p->wants) {
        p->wants = 0;
        ngx_media_publish_ask_shrink(p);
    }

    if (rc != NGX_MEDIA_OK) {
        src->dropped++;
        p->session->did.dropped++;
        p->skip |= 1u << f->track;

        if (rc == NGX_MEDIA_DECLINED) {
            ngx_media_publish_ask_shrink(p);

        } else if (!p->warned) {
            p->warned = 1;

            ngx_log_error(NGX_LOG_WARN, p->session->connection->log, 0,
                          "frame of %uD bytes is larger than what the media "
                          "zone allows one source, it and further ones are "
                          "dropped", f->size);
        }

        return NGX_OK;
    }

    p->dirty = 1;

    src->last_time = now;

    if (f->dts > src->last_dts || p->timeline.mode != NGX_MEDIA_TIMELINE_FULL)
    {
        src->last_dts = f->dts;
    }

    ngx_media_publish_stat(p, f);

    return NGX_OK;
}


static void
ngx_media_publish_stat(ngx_media_publisher_t *p, ngx_media_frame_t *f)
{
    ngx_media_track_t   *t;
    ngx_media_source_t  *src;

    src = p->source;

    if (f->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_META)
        || f->track == NGX_MEDIA_TRACK_SCRIPT)
    {
        return;
    }

    t = &src->track[f->track];

    src->frames++;
    p->session->did.frames++;
    t->frames++;
    t->bytes += f->size;

    if (!ngx_media_codec_is_video(f->codec)) {
        src->audio_frames++;

    } else {
        src->video_frames++;

        if (f->cts != 0 && (f->flags & NGX_MEDIA_FRAME_DISPOSABLE)) {
            t->bframes++;
        }

        if (f->flags & NGX_MEDIA_FRAME_KEY) {

            if (t->keys++ && f->dts >= t->key_dts) {
                t->gop_ms = (uint32_t) ((f->dts - t->key_dts) / 1000);
                t->gop_frames = t->gop_count;
            }

            t->key_dts = f->dts;
            t->gop_count = 0;
        }

        t->gop_count++;
    }

    t->dts = f->dts;

    if (f->dts - t->fps_dts >= NGX_MEDIA_FPS_WINDOW) {

        if (t->fps_frames && f->dts - t->fps_dts < 10 * NGX_MEDIA_FPS_WINDOW) {
            t->fps_milli = (uint32_t) ((t->frames - t->fps_frames)
                                       * 1000000000
                                       / (uint64_t) (f->dts - t->fps_dts));
        }

        t->fps_dts = f->dts;
        t->fps_frames = t->frames;

    } else if (f->dts < t->fps_dts) {
        t->fps_dts = f->dts;
        t->fps_frames = t->frames;
    }
}


void
ngx_media_publish_flush(ngx_media_session_t *s)
{
    ngx_media_publisher_t  *p;

    p = s->publisher;

    if (p && p->dirty) {
        p->dirty = 0;
        ngx_media_slot_notify_frames(p->source);
    }
}


/* --- memory ------------------------------------------------------------- */

/*
 * Chunks of the ring.  The last ones of the zone are for those that have
 * nothing older than their newest GOP, a first GOP above all, and a few more
 * for those that have less than their share: who has more takes no more than
 * it gives back.
 */

static int
ngx_media_publish_chunk_get(void *ctx, uint32_t *entry)
{
    ngx_media_publisher_t *p = ctx;

    uint32_t  room, reserve;

    room = ngx_media_chunks_free();
    reserve = ngx_media_publish_reserve();

    if (p->credit) {
        p->credit--;

    } else if (room <= reserve * 2
               && p->writer.used >= ngx_media_publish_share())
    {
        return NGX_MEDIA_DECLINED;

    } else if (room <= reserve && ngx_media_publish_rich(p)) {
        return NGX_MEDIA_DECLINED;

    } else if (room <= reserve / 2) {
        p->wants = 1;
    }

    return ngx_media_chunk_get(NULL, entry);
}


static void
ngx_media_publish_chunk_put(void *ctx, uint32_t *entry)
{
    ngx_media_publisher_t *p = ctx;

    p->credit++;

    ngx_media_chunk_put(NULL, entry);
}


static ngx_uint_t
ngx_media_publish_rich(ngx_media_publisher_t *p)
{
    ngx_media_ring_t  *ring;

    ring = p->writer.ring;

    return ring->key != NGX_MEDIA_SEQ_NONE && ring->tail < ring->key;
}


static uint32_t
ngx_media_publish_reserve(void)
{
    return ngx_min(ngx_media_arena()->nchunks / NGX_MEDIA_RESERVE,
                   NGX_MEDIA_RESERVE_MAX);
}


/* chunks of a ring, when the zone is full; one more is for the heads */

static uint32_t
ngx_media_publish_share(void)
{
    int64_t          msec;
    static int64_t   last;
    static uint32_t  share;

    msec = ngx_media_msec();

    if (share == 0 || msec - last >= NGX_MEDIA_SHRINK_WAIT) {
        last = msec;
        share = ngx_media_arena()->nchunks / (ngx_media_sources_live() + 1);
        share = ngx_max(share, NGX_MEDIA_SHARE_MIN) - 1;
    }

    return share;
}


static void
ngx_media_publish_log_shrink(int64_t msec)
{
    static int64_t  logged;

    if (logged && msec - logged < NGX_MEDIA_SHRINK_LOG) {
        return;
    }

    logged = msec;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "media zone is full, %uD chunks are free: all sources "
                  "give up history before their last keyframe",
                  ngx_media_chunks_free());
}


static void
ngx_media_publish_ask_shrink(ngx_media_publisher_t *p)
{
    int64_t              msec;
    ngx_uint_t           freed;
    ngx_media_command_t  cmd;

    msec = ngx_media_msec();

    /* who waits for room asks again, what was freed may be gone */

    if (msec - p->shrink_msec < (p->active ? 1000 : NGX_MEDIA_SHRINK_WAIT)) {
        return;
    }

    p->shrink_msec = msec;

    /* history of those that are gone goes first */

    ngx_media_lock();
    freed = ngx_media_source_evict(1);
    ngx_media_unlock();

    if (freed && ngx_media_chunks_free() >= ngx_media_publish_reserve()) {
        return;
    }

    ngx_media_publish_log_shrink(msec);

    ngx_memzero(&cmd, sizeof(ngx_media_command_t));
    cmd.type = NGX_MEDIA_CMD_SHRINK;

    ngx_media_slot_command_all(&cmd);
}


/*
 * The zone is full.  Who holds more than its share of it gives up the rest
 * and may hold no more from now on: few sources with endless GOPs must not
 * keep others out.
 */

void
ngx_media_publishers_shrink(void)
{
    int64_t                 msec;
    uint32_t                share;
    ngx_queue_t            *q;
    ngx_media_publisher_t  *p;
    static int64_t          last;

    if (ngx_media_publishers.next == NULL) {
        return;
    }

    msec = ngx_media_msec();

    if (msec - last < NGX_MEDIA_SHRINK_WAIT) {
        return;
    }

    last = msec;

    ngx_media_services_shrink();

    share = ngx_media_publish_share();

    for (q = ngx_queue_head(&ngx_media_publishers);
         q != ngx_queue_sentinel(&ngx_media_publishers);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_media_publisher_t, queue);

        if (!p->active) {
            continue;
        }

        (void) ngx_media_ring_shrink(&p->writer, 0);

        if (p->writer.used > share) {
            (void) ngx_media_ring_limit(&p->writer, share);
        }
    }
}


void
ngx_media_publishers_tick(void)
{
    int64_t                 msec;
    uint32_t                room, all;
    uint64_t                bytes;
    ngx_queue_t            *q;
    ngx_media_source_t     *src;
    ngx_media_publisher_t  *p;

    if (ngx_media_publishers.next == NULL) {
        return;
    }

    msec = ngx_media_msec();

    room = ngx_media_chunks_free();
    all = ngx_media_arena()->nchunks;

    if (room < all / NGX_MEDIA_CHUNKS_LOW) {

        /* else one that grows would give up its own GOP first */

        ngx_media_publish_log_shrink(msec);
        ngx_media_publishers_shrink();
    }

    for (q = ngx_queue_head(&ngx_media_publishers);
         q != ngx_queue_sentinel(&ngx_media_publishers);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_media_publisher_t, queue);

        if (!p->active) {
            continue;
        }

        if (room > all / NGX_MEDIA_CHUNKS_ROOM) {

            /* who had to keep to a share may have a whole GOP again */

            p->writer.max = (uint32_t) (ngx_media_ring_bytes()
                                        >> NGX_MEDIA_CHUNK_SHIFT);
        }

        src = p->source;
        src->used_msec = msec;

        bytes = __atomic_load_n(&src->send_bytes, __ATOMIC_RELAXED);

        ngx_media_rate_tick(&src->send, bytes, msec);
        ngx_media_rate_tick(&src->recv, src->recv_bytes, msec);

        ngx_media_services_tick(src);
    }
}


void
ngx_media_publishers_demand(uint32_t index, uint32_t generation)
{
    ngx_queue_t            *q;
    ngx_media_publisher_t  *p;

    if (ngx_media_publishers.next == NULL) {
        return;
    }

    for (q = ngx_queue_head(&ngx_media_publishers);
         q != ngx_queue_sentinel(&ngx_media_publishers);
         q = ngx_queue_next(q))
    {
        p = ngx_queue_data(q, ngx_media_publisher_t, queue);

        if (p->active && ngx_media_source_index(p->source) == index
            && p->source->generation == generation)
        {
            ngx_media_services_demand(p->source);
            return;
        }
    }
}


void
ngx_media_publish_received(ngx_media_session_t *s, size_t bytes)
{
    if (s->publisher && s->publisher->active) {
        s->publisher->source->recv_bytes += bytes;
    }
}
