
/*
 * Copyright (C) the nginx media suite authors
 *
 * The segmenter: one reader of a source, in the publisher's worker, that
 * decides where segments and parts begin.
 *
 *   off --publish (hls on), demand--> waiting --start point--> cutting
 *    ^                                   ^                        |
 *    |                                   +--- break, gap ---------+
 *    +--- unpublish, nobody asks for hls_window ------------------+
 *
 * One track leads: the one whose frames are start points.  A segment begins
 * at the first start point where the one before has hls_fragment; where none
 * comes in time, at any frame, so that the target duration is kept.  A part
 * ends before the frame with which it would get longer than the part target;
 * the frame behind it tells how long it is.
 *
 * The target duration is told when the first segment is whole, and never
 * changes as long as there is one segment that somebody may know.
 */


#include "ngx_media_hls_pack.h"
#include "ngx_media_hls_disk.h"


#define NGX_MEDIA_HLS_JUMP       1000000     /* us: the timeline broke */
#define NGX_MEDIA_HLS_EARLY      100000      /* us: a start point just before */
#define NGX_MEDIA_HLS_SLACK      2000        /* us: senders round to ms */
#define NGX_MEDIA_HLS_OVER       490000      /* us: rounds to the target */
#define NGX_MEDIA_HLS_FIRST      10000000    /* us: longest first segment */
#define NGX_MEDIA_HLS_BEHIND     300000      /* us: what comes is history */
#define NGX_MEDIA_HLS_NO_PART    500000      /* us, where none are listed */
#define NGX_MEDIA_HLS_GOP        60000000    /* us: longer ones are cut */
#define NGX_MEDIA_HLS_SAY        60          /* s between the same log lines */


static ngx_media_hls_cutter_t *ngx_media_hls_cutter(ngx_media_source_t *src);
static void ngx_media_hls_cut_open(ngx_media_source_t *src,
    ngx_media_hls_conf_t *conf);
static ngx_int_t ngx_media_hls_cut_setup(ngx_media_hls_cutter_t *c,
    ngx_media_hls_conf_t *conf);
static void ngx_media_hls_cut_close(ngx_media_hls_cutter_t *c,
    ngx_uint_t clear);
static ngx_media_hls_conf_t *ngx_media_hls_cut_conf(ngx_media_source_t *src);
static void ngx_media_hls_cut_heads(ngx_media_reader_t *r,
    const ngx_media_heads_t *heads);
static ngx_int_t ngx_media_hls_cut_room(ngx_media_reader_t *r,
    const ngx_media_frame_t *f, u_char **buf);
static void ngx_media_hls_cut_frame(ngx_media_reader_t *r,
    const ngx_media_frame_t *f);
static void ngx_media_hls_cut_gap(ngx_media_reader_t *r);
static void ngx_media_hls_cut_lead(ngx_media_hls_cutter_t *c,
    const ngx_media_frame_t *f);
static void ngx_media_hls_cut_parts(ngx_media_hls_cutter_t *c,
    const ngx_media_frame_t *f, int64_t before);
static void ngx_media_hls_cut_segment(ngx_media_hls_cutter_t *c,
    const ngx_media_frame_t *f);
static void ngx_media_hls_cut_begin(ngx_media_hls_cutter_t *c,
    const ngx_media_frame_t *f);
static void ngx_media_hls_cut_part(ngx_media_hls_cutter_t *c, int64_t dts,
    ngx_uint_t how);
static void ngx_media_hls_cut_break(ngx_media_hls_cutter_t *c);
static void ngx_media_hls_cut_finish(ngx_media_hls_cutter_t *c);
static void ngx_media_hls_cut_target(ngx_media_hls_cutter_t *c);


static const ngx_media_reader_ops_t  ngx_media_hls_cut_ops = {
    ngx_media_hls_cut_heads,
    ngx_media_hls_cut_room,
    ngx_media_hls_cut_frame,
    ngx_media_hls_cut_gap,
    NULL
};


/* by index of the source */

static ngx_media_hls_cutter_t  **ngx_media_hls_cutters;


static ngx_media_hls_cutter_t *
ngx_media_hls_cutter(ngx_media_source_t *src)
{
    return ngx_media_hls_cutters
           ? ngx_media_hls_cutters[ngx_media_source_index(src)] : NULL;
}


static ngx_media_hls_conf_t *
ngx_media_hls_cut_conf(ngx_media_source_t *src)
{
    ngx_str_t  vhost, app;

    vhost.data = src->vhost;
    vhost.len = src->vhost_len;
    app.data = src->app;
    app.len = src->app_len;

    return ngx_media_hls_conf(&vhost, &app);
}


/* --- life --------------------------------------------------------------- */

void
ngx_media_hls_cut_publish(ngx_media_source_t *src)
{
    ngx_media_hls_conf_t  *conf;

    conf = ngx_media_hls_cut_conf(src);

    if (conf->mode == NGX_MEDIA_HLS_ON
        || (conf->mode == NGX_MEDIA_HLS_DEMAND && src->served_msec
            && ngx_media_msec() - src->served_msec < (int64_t) conf->window))
    {
        ngx_media_hls_cut_open(src, conf);
    }
}


void
ngx_media_hls_cut_unpublish(ngx_media_source_t *src)
{
    ngx_media_hls_cutter_t  *c;

    c = ngx_media_hls_cutter(src);

    if (c) {
        (void) ngx_media_reader_pull(&c->reader, 0);
        ngx_media_hls_cut_close(c, 0);
    }
}


void
ngx_media_hls_cut_demand(ngx_media_source_t *src)
{
    ngx_media_hls_conf_t  *conf;

    if (ngx_media_hls_cutter(src)) {
        return;
    }

    conf = ngx_media_hls_cut_conf(src);

    if (conf->mode != NGX_MEDIA_HLS_OFF) {
        ngx_media_hls_cut_open(src, conf);
    }
}


void
ngx_media_hls_cut_tick(ngx_media_source_t *src)
{
    int64_t                  idle;
    ngx_media_hls_cutter_t  *c;

    c = ngx_media_hls_cutter(src);
    idle = ngx_media_msec()
           - __atomic_load_n(&src->served_msec, __ATOMIC_RELAXED);

    if (c == NULL) {

        /* a command that could not be given, and what had no room */

        if (src->served_msec && idle < 2000) {
            ngx_media_hls_cut_demand(src);

        } else {
            ngx_media_hls_cut_publish(src);
        }

        return;
    }

    if (c->mode == NGX_MEDIA_HLS_DEMAND && idle > (int64_t) c->window) {
        ngx_media_hls_cut_close(c, 1);
    }
}


/* the zone is full: a quarter of what each holds, the oldest */

void
ngx_media_hls_cut_shrink(void)
{
    uint32_t                 i;
    ngx_uint_t               k;
    ngx_media_hls_cutter_t  *c;

    if (ngx_media_hls_cutters == NULL) {
        return;
    }

    for (i = 0; i < ngx_media_arena()->nsources; i++) {
        c = ngx_media_hls_cutters[i];

        if (c == NULL) {
            continue;
        }

        for (k = 0; k < c->nouts; k++) {
            ngx_media_hls_store_shrink(&c->out[k].writer);
        }
    }
}


void
ngx_media_hls_cut_exit(void)
{
    uint32_t                 i;
    ngx_media_hls_cutter_t  *c;

    if (ngx_media_hls_cutters == NULL) {
        return;
    }

    for (i = 0; i < ngx_media_arena()->nsources; i++) {
        c = ngx_media_hls_cutters[i];

        if (c) {
            ngx_media_reader_close(&c->reader);
            ngx_media_hls_pack_free(c);
            ngx_free(c);
        }
    }

    ngx_free(ngx_media_hls_cutters);
    ngx_media_hls_cutters = NULL;
}


static void
ngx_media_hls_cut_open(ngx_media_source_t *src, ngx_media_hls_conf_t *conf)
{
    ngx_media_hls_cutter_t  *c;

    if (ngx_media_hls_cutters == NULL) {
        ngx_media_hls_cutters = ngx_calloc(ngx_media_arena()->nsources
                                           * sizeof(void *), ngx_cycle->log);
        if (ngx_media_hls_cutters == NULL) {
            return;
        }
    }

    c = ngx_calloc(sizeof(ngx_media_hls_cutter_t), ngx_cycle->log);

    if (c == NULL) {
        return;
    }

    c->source = src;
    c->reader.data = c;

    if (ngx_media_hls_cut_setup(c, conf) != NGX_OK
        || ngx_media_reader_open(&c->reader, src, &ngx_media_hls_cut_ops,
                                 NGX_MEDIA_READ_OLDEST)
           != NGX_OK)
    {
        ngx_media_hls_ts_free(c);
        ngx_free(c);
        return;
    }

    ngx_media_hls_cutters[ngx_media_source_index(src)] = c;

    /* what the ring has, at once: somebody waits for it */

    (void) ngx_media_reader_pull(&c->reader, ngx_media_now() + 5000);
}


static ngx_int_t
ngx_media_hls_cut_setup(ngx_media_hls_cutter_t *c, ngx_media_hls_conf_t *conf)
{
    static time_t               said;
    ngx_media_source_t         *src;
    ngx_media_hls_rendition_t  *r;

    src = c->source;

    if (ngx_media_hls_store_open(&c->out[0].writer, src, 0) != NGX_OK) {

        /* it is tried again each second */

        if (said == 0 || ngx_time() - said >= NGX_MEDIA_HLS_SAY) {
            said = ngx_time();

            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "no room in the media zone for the HLS stream of "
                          "\"%*s/%*s\"", (size_t) src->app_len, src->app,
                          (size_t) src->stream_len, src->stream);
        }

        return NGX_ERROR;
    }

    r = c->out[0].writer.r;
    c->nouts = 1;

    /* what nobody can know any more */

    if (r->first != r->next
        && (src->pub_msec - src->left_msec > (int64_t) conf->window
            || r->container != conf->container
            || (r->low_latency && conf->keys)))
    {
        ngx_media_hls_store_clear(&c->out[0].writer);
    }

    if (conf->container == NGX_MEDIA_HLS_MPEGTS) {
        c->ts = ngx_calloc(sizeof(ngx_media_hls_ts_t), ngx_cycle->log);

        if (c->ts == NULL) {
            return NGX_ERROR;
        }
    }

    c->fragment = (int64_t) conf->fragment * 1000;
    c->window = conf->window;
    c->mode = conf->mode;
    c->disk = (conf->path.len != 0);
    c->dash = conf->dash ? 1 : 0;
    c->fragments_per_key = conf->keys ? (uint32_t) conf->fragments_per_key : 0;
    c->target = r->target;
    c->low_latency = r->target ? r->low_latency : conf->part && !conf->keys;
    c->part = (int64_t) conf->part * 1000 + NGX_MEDIA_HLS_SLACK;
    c->waiting = 1;
    c->broken = (r->first != r->next);

    if (!c->low_latency) {
        c->part = NGX_MEDIA_HLS_NO_PART;
    }

    if (r->target) {

        /* those that play it were promised this much */

        c->part = ngx_min(c->part, (int64_t) r->part_target);
        c->fragment = ngx_min(c->fragment, (int64_t) r->target * 1000000);
    }

    src->store_keep = (uint32_t) conf->window;

    ngx_media_hls_pack_params(c);

    return NGX_OK;
}


static void
ngx_media_hls_cut_close(ngx_media_hls_cutter_t *c, ngx_uint_t clear)
{
    ngx_media_source_t  *src;

    src = c->source;

    ngx_media_reader_close(&c->reader);
    ngx_media_hls_cut_finish(c);

    if (clear) {
        ngx_media_hls_pack_clear(c);
    }

    ngx_media_hls_cutters[ngx_media_source_index(src)] = NULL;

    ngx_media_hls_pack_free(c);
    ngx_free(c);

    ngx_media_slot_notify_watchers(src);
}


/* --- frames ------------------------------------------------------------- */

static void
ngx_media_hls_cut_heads(ngx_media_reader_t *r, const ngx_media_heads_t *heads)
{
    ngx_uint_t                i;
    ngx_media_hls_run_t      *run;
    ngx_media_hls_cutter_t   *c;
    const ngx_media_frame_t  *f;

    c = r->data;

    for (i = 0; i < heads->nframes; i++) {
        f = &heads->frames[i];

        if (!(f->flags & NGX_MEDIA_FRAME_CONFIG)) {
            continue;
        }

        run = ngx_media_hls_run(c, f->track, f->codec);

        if (run && ngx_media_hls_run_config(run, f)) {
            c->change = 1;
        }
    }
}


static ngx_int_t
ngx_media_hls_cut_room(ngx_media_reader_t *r, const ngx_media_frame_t *f,
    u_char **buf)
{
    ngx_uint_t               waits;
    ngx_media_hls_run_t     *run;
    ngx_media_hls_cutter_t  *c;

    c = r->data;

    if (f->track == NGX_MEDIA_TRACK_SCRIPT || f->size == 0
        || (f->flags & (NGX_MEDIA_FRAME_META|NGX_MEDIA_FRAME_EXTRA
                        |NGX_MEDIA_FRAME_EOS)))
    {
        return NGX_DECLINED;
    }

    run = ngx_media_hls_run(c, f->track, f->codec);

    if (run == NULL || run->bad) {
        return NGX_DECLINED;
    }

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {
        return NGX_OK;
    }

    waits = ngx_media_hls_run_waits(c, f->track);

    if ((f->flags & NGX_MEDIA_FRAME_BREAK) || c->bytes + f->size
                                              > NGX_MEDIA_HLS_PART_MAX)
    {
        ngx_media_hls_cut_break(c);
    }

    if ((f->flags & NGX_MEDIA_FRAME_SYNC) && f->track != c->lead
        && !c->waiting)
    {
        /* video came to what was audio alone, or went */

        ngx_media_hls_cut_break(c);
    }

    if (c->waiting) {

        if (!(f->flags & NGX_MEDIA_FRAME_SYNC)) {
            return NGX_DECLINED;
        }

        c->lead = f->track;
        ngx_media_hls_cut_begin(c, f);

    } else if (f->track == c->lead) {

        ngx_media_hls_cut_lead(c, f);

        if (c->waiting) {
            return NGX_DECLINED;
        }
    }

    if (waits && ngx_media_hls_run_waits(c, f->track)) {

        /* not with the init segment that there is */

        return NGX_DECLINED;
    }

    return ngx_media_hls_run_room(c, run, f->size, buf);
}


static void
ngx_media_hls_cut_frame(ngx_media_reader_t *r, const ngx_media_frame_t *f)
{
    ngx_media_hls_run_t     *run;
    ngx_media_hls_cutter_t  *c;

    c = r->data;
    run = c->run[f->track];

    if (f->flags & NGX_MEDIA_FRAME_CONFIG) {

        if (ngx_media_hls_run_config(run, f)) {
            c->change = 1;
        }

        return;
    }

    if (ngx_media_hls_run_frame(c, run, f) == NGX_ERROR) {
        ngx_media_hls_cut_break(c);
    }
}


static void
ngx_media_hls_cut_gap(ngx_media_reader_t *r)
{
    ngx_media_hls_cut_break(r->data);
}


/* a frame of the track that cuts */

static void
ngx_media_hls_cut_lead(ngx_media_hls_cutter_t *c, const ngx_media_frame_t *f)
{
    int64_t     length, limit, before;
    ngx_uint_t  sync, audio;

    sync = f->flags & NGX_MEDIA_FRAME_SYNC;
    audio = !ngx_media_codec_is_video(f->codec);

    if (f->dts < c->last_dts || f->dts - c->last_dts > NGX_MEDIA_HLS_JUMP) {

        ngx_media_hls_cut_break(c);

        if (sync) {
            ngx_media_hls_cut_begin(c, f);
        }

        return;
    }

    if (c->delta == 0) {
        c->delta = f->dts - c->last_dts;

    } else {
        c->delta += (f->dts - c->last_dts - c->delta) / 16;
    }

    before = c->last_dts;
    c->last_dts = f->dts;
    c->early = ngx_min(c->early, c->reader.time - f->dts);

    if (sync && !audio) {
        c->gop = ngx_max(c->gop, f->dts - c->key_dts);
        c->key_dts = f->dts;
    }

    length = f->dts - c->segment.dts;
    limit = c->target ? (int64_t) c->target * 1000000 + NGX_MEDIA_HLS_OVER
                      : NGX_MEDIA_HLS_FIRST;

    if ((sync && (length >= c->fragment - NGX_MEDIA_HLS_EARLY || c->change))
        || (audio && length + c->delta / 2 >= c->fragment)
        || length + c->delta > limit)
    {
        ngx_media_hls_cut_segment(c, f);
        return;
    }

    ngx_media_hls_cut_parts(c, f, before);
}


static void
ngx_media_hls_cut_parts(ngx_media_hls_cutter_t *c, const ngx_media_frame_t *f,
    int64_t before)
{
    /* the last frame was longer than it was thought to be: not in this part */

    if (f->dts - c->part_dts > c->part && before > c->part_dts) {
        ngx_media_hls_cut_part(c, before, NGX_MEDIA_HLS_BUT_ONE);
    }

    if (!c->waiting && f->dts - c->part_dts + c->delta > c->part) {
        ngx_media_hls_cut_part(c, f->dts, NGX_MEDIA_HLS_MORE);
    }
}


static void
ngx_media_hls_cut_segment(ngx_media_hls_cutter_t *c,
    const ngx_media_frame_t *f)
{
    ngx_media_hls_cut_part(c, f->dts, NGX_MEDIA_HLS_LAST);

    if (c->waiting) {

        /* it could not be stored */

        if (f->flags & NGX_MEDIA_FRAME_SYNC) {
            ngx_media_hls_cut_begin(c, f);
        }

        return;
    }

    ngx_media_hls_pack_close(c);
    ngx_media_hls_cut_target(c);
    ngx_media_hls_disk_wake(c->source);

    if (c->change && (f->flags & NGX_MEDIA_FRAME_SYNC)) {
        c->broken = 1;
    }

    ngx_media_hls_cut_begin(c, f);

    ngx_media_slot_notify_watchers(c->source);
}


/* a segment begins with this frame */

static void
ngx_media_hls_cut_begin(ngx_media_hls_cutter_t *c, const ngx_media_frame_t *f)
{
    ngx_media_hls_segment_t  *seg;

    seg = &c->segment;

    if (c->waiting || c->broken) {

        /* another timeline: other clocks, and an init segment of its own */

        ngx_media_hls_pack_reset(c);

        c->early = c->reader.time - f->dts;
        c->timed = 0;
        c->key_dts = f->dts;
        c->last_dts = f->dts;
    }

    ngx_memzero(seg, sizeof(ngx_media_hls_segment_t));

    seg->dts = f->dts;

    if (!(f->flags & NGX_MEDIA_FRAME_SYNC)
        && ngx_media_codec_is_video(f->codec))
    {
        ngx_media_hls_count(&c->out[0].writer.r->counters.cuts);
    }

    if (c->broken) {
        seg->flags |= NGX_MEDIA_HLS_DISCONTINUITY;
    }

    c->part_dts = f->dts;
    c->stored = 0;
    c->waiting = 0;
    c->broken = 0;
}


static void
ngx_media_hls_cut_part(ngx_media_hls_cutter_t *c, int64_t dts,
    ngx_uint_t how)
{
    if (ngx_media_hls_pack_part(c, dts, how) == NGX_OK) {
        c->part_dts = dts;
        ngx_media_hls_cut_target(c);
        ngx_media_slot_notify_watchers(c->source);
        return;
    }

    ngx_media_hls_count(&c->out[0].writer.r->counters.dropped);

    if (!c->logged) {
        c->logged = 1;

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "media zone is full, parts of the HLS stream of "
                      "\"%*s/%*s\" are missing",
                      (size_t) c->source->app_len, c->source->app,
                      (size_t) c->source->stream_len, c->source->stream);
    }

    ngx_media_hls_cut_break(c);
}


/* what comes next does not follow what was */

static void
ngx_media_hls_cut_break(ngx_media_hls_cutter_t *c)
{
    if (!c->waiting) {
        c->waiting = 1;
        c->broken = 1;
        ngx_media_hls_cut_finish(c);
    }
}


/* the open part, and with it the open segment, ends with what it has */

static void
ngx_media_hls_cut_finish(ngx_media_hls_cutter_t *c)
{
    (void) ngx_media_hls_pack_part(c, NGX_MEDIA_HLS_END, NGX_MEDIA_HLS_LAST);

    if (c->stored) {
        c->stored = 0;
        ngx_media_hls_pack_close(c);
        ngx_media_hls_cut_target(c);
        ngx_media_hls_disk_wake(c->source);
        ngx_media_slot_notify_watchers(c->source);
    }
}


/*
 * After the first segment, or all that the ring had: what is promised from
 * here on, and with it the first playlist.
 */

static void
ngx_media_hls_cut_target(ngx_media_hls_cutter_t *c)
{
    int64_t                     us, n;
    uint64_t                    msn;
    ngx_media_hls_rendition_t  *r;

    r = c->out[0].writer.r;

    if (c->target || r->next == r->first
        || !(ngx_media_hls_at(r, r->first)->flags & NGX_MEDIA_HLS_CLOSED))
    {
        return;
    }

    if (c->reader.feed && c->reader.seq + 1 < c->source->ring.head
        && ngx_media_now() - c->reader.time > NGX_MEDIA_HLS_BEHIND)
    {
        return;
    }

    /* whole GOPs, as many as make a fragment */

    us = c->fragment;
    c->gop = ngx_max(c->gop, (int64_t) c->source->track[c->lead].gop_ms * 1000);

    if (c->gop && c->gop <= NGX_MEDIA_HLS_GOP) {
        n = (c->fragment - NGX_MEDIA_HLS_EARLY + c->gop - 1) / c->gop;
        us = ngx_max(us, n * c->gop);
    }

    for (msn = r->first; msn < r->next; msn++) {
        us = ngx_max(us, (int64_t) ngx_media_hls_at(r, msn)->duration);
    }

    ngx_media_hls_pack_time(c);

    c->target = (uint32_t) ((us - 50000 + 999999) / 1000000);

    if (c->low_latency && c->delta > 0) {
        n = ngx_max(c->part / c->delta, 1);
        c->part = ngx_min(c->part, n * c->delta + NGX_MEDIA_HLS_SLACK);
        c->part = (c->part + 999) / 1000 * 1000;
    }

    ngx_media_hls_pack_params(c);
}
