
/*
 * Copyright (C) the nginx media suite authors
 *
 * MPEG-TS into frames of a source, see ngx_media_ts_input.h.
 *
 * The timeline of a source begins with its first frame, and of TS that need
 * not be the earliest: audio is bundled and comes late.  So the first frames
 * are held until each stream of the program has shown one, or a bound is
 * reached, and go out in the order of their times:
 *
 *     V0 V40 V80 A-21 A0 ...   ->   A-21 V0 A0 V40 V80 ...
 *
 * What follows goes out as it comes.
 *
 * ISO/IEC 13818-1 2.4 to 2.7.
 */


#include "ngx_media_ts_input.h"


/* what is held at most */

#define NGX_MEDIA_TS_INPUT_HOLD_FRAMES  256
#define NGX_MEDIA_TS_INPUT_HOLD_BYTES   (4 * 1024 * 1024)
#define NGX_MEDIA_TS_INPUT_HOLD_TIME    1000000  /* us */

/* one line about damage in so many ms */

#define NGX_MEDIA_TS_INPUT_LOG          10000


/* above it a buffer is a large one */

#define NGX_MEDIA_INPUT_LARGE   1048576
#define NGX_MEDIA_INPUT_ALL     (256 * 1024 * 1024)

/* its size goes before it, as memory is aligned */

#define NGX_MEDIA_INPUT_HEAD    16


static void ngx_media_ts_input_damage(ngx_media_ts_input_t *in);
static ngx_int_t ngx_media_ts_input_error(ngx_media_ts_input_t *in);
static int ngx_media_ts_input_frame(void *data,
    const ngx_media_frame_t *frame);
static u_char *ngx_media_ts_input_buffer(void *data, u_char *buf,
    size_t used, size_t size);
static ngx_int_t ngx_media_ts_input_hold(ngx_media_ts_input_t *in,
    const ngx_media_frame_t *frame);
static ngx_uint_t ngx_media_ts_input_complete(ngx_media_ts_input_t *in);
static ngx_int_t ngx_media_ts_input_release(ngx_media_ts_input_t *in);
static void ngx_media_ts_input_sort(ngx_media_ts_input_t *in);
static void ngx_media_ts_input_forget(ngx_media_ts_input_t *in);


/* bytes in large buffers of this worker */

static size_t  ngx_media_input_large;


ngx_media_ts_input_t *
ngx_media_ts_input_create(ngx_pool_t *pool, ngx_media_session_t *s,
    ngx_log_t *log)
{
    size_t                 size;
    ngx_media_ts_input_t  *in;

    in = ngx_pcalloc(pool, sizeof(ngx_media_ts_input_t));
    if (in == NULL) {
        return NULL;
    }

    size = NGX_MEDIA_TS_INPUT_HOLD_FRAMES * sizeof(ngx_media_frame_t);

    in->held = ngx_alloc(size, log);
    if (in->held == NULL) {
        return NULL;
    }

    in->session = s;
    in->log = log;

    ngx_media_ts_demux_init(&in->demux, ngx_media_ts_input_frame,
                            ngx_media_ts_input_buffer, in, 0,
                            NGX_MEDIA_INPUT_MAX_FRAME,
                            NGX_MEDIA_INPUT_MAX_MEMORY);

    return in;
}


ngx_int_t
ngx_media_ts_input(ngx_media_ts_input_t *in, const u_char *pos,
    const u_char *end)
{
    if (ngx_media_ts_demux(&in->demux, pos, end) != NGX_MEDIA_OK) {
        return ngx_media_ts_input_error(in);
    }

    if (in->demux.stat.dropped != in->dropped) {
        ngx_media_ts_input_damage(in);
    }

    return NGX_OK;
}


void
ngx_media_ts_input_lost(ngx_media_ts_input_t *in, size_t bytes)
{
    ngx_media_ts_demux_gap(&in->demux, bytes);
}


/* frames were left out: counted, and told now and then */

static void
ngx_media_ts_input_damage(ngx_media_ts_input_t *in)
{
    ngx_media_ts_stat_t  *stat;

    stat = &in->demux.stat;

    in->session->did.dropped += stat->dropped - in->dropped;
    in->dropped = stat->dropped;

    if (in->logged
        && ngx_current_msec - in->logged < NGX_MEDIA_TS_INPUT_LOG)
    {
        return;
    }

    in->logged = ngx_current_msec;

    ngx_log_error(NGX_LOG_WARN, in->log, 0,
                  "MPEG-TS of a publisher is damaged: %uD frames left out "
                  "and %uD gaps so far", stat->dropped, stat->cc_errors);
}


static ngx_int_t
ngx_media_ts_input_error(ngx_media_ts_input_t *in)
{
    if (in->failed) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, in->log, 0,
                  "publisher sent what is no MPEG-TS: %uD bytes of junk "
                  "between %uL packets", in->demux.stat.junk,
                  in->demux.stat.packets);

    return NGX_DECLINED;
}


/* called by the demuxer */

static u_char *
ngx_media_ts_input_buffer(void *data, u_char *buf, size_t used, size_t size)
{
    ngx_media_ts_input_t *in = data;

    return ngx_media_input_buffer(in->log, buf, used, size);
}


/* called by the demuxer */

static int
ngx_media_ts_input_frame(void *data, const ngx_media_frame_t *frame)
{
    ngx_media_ts_input_t *in = data;

    ngx_int_t          rc;
    ngx_media_frame_t  f;

    if (in->held) {
        rc = ngx_media_ts_input_hold(in, frame);

        if (rc == NGX_OK && ngx_media_ts_input_complete(in)) {
            rc = ngx_media_ts_input_release(in);
        }

    } else {
        f = *frame;
        rc = ngx_media_publish_frame(in->session, &f);
    }

    if (rc != NGX_OK) {
        in->failed = 1;
        return NGX_MEDIA_ERROR;
    }

    return NGX_MEDIA_OK;
}


static ngx_int_t
ngx_media_ts_input_hold(ngx_media_ts_input_t *in,
    const ngx_media_frame_t *frame)
{
    u_char             *p;
    uint32_t            bit;
    ngx_media_frame_t  *f, first;

    p = ngx_alloc(frame->size + 1, in->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (frame->size) {
        ngx_memcpy(p, frame->data, frame->size);
    }

    f = &in->held[in->nheld];
    *f = *frame;
    f->data = p;

    /*
     * The first configuration of each track goes before all frames: a player
     * that begins with the first one would get it twice.
     */

    bit = (uint32_t) 1 << f->track;

    if ((f->flags & NGX_MEDIA_FRAME_CONFIG) && !(in->configs & bit)) {
        in->configs |= bit;

        first = *f;

        ngx_memmove(&in->held[in->nconfigs + 1], &in->held[in->nconfigs],
                    (in->nheld - in->nconfigs) * sizeof(ngx_media_frame_t));

        f = &in->held[in->nconfigs++];
        *f = first;
    }

    if (in->nheld++ == 0) {
        in->first = f->dts;
        in->last = f->dts;
    }

    in->bytes += f->size;
    in->first = ngx_min(in->first, f->dts);
    in->last = ngx_max(in->last, f->dts);

    if (!(f->flags & NGX_MEDIA_FRAME_CONFIG)) {
        in->seen |= bit;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_media_ts_input_complete(ngx_media_ts_input_t *in)
{
    uint32_t    want;
    ngx_uint_t  i;

    if (in->nheld == NGX_MEDIA_TS_INPUT_HOLD_FRAMES
        || in->bytes >= NGX_MEDIA_TS_INPUT_HOLD_BYTES
        || in->last - in->first >= NGX_MEDIA_TS_INPUT_HOLD_TIME)
    {
        return 1;
    }

    want = 0;

    for (i = 0; i < in->demux.nstreams; i++) {
        want |= (uint32_t) 1 << in->demux.streams[i].track;
    }

    return (in->seen & want) == want;
}


/* from here on frames are not held any more */

static ngx_int_t
ngx_media_ts_input_release(ngx_media_ts_input_t *in)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    ngx_media_ts_input_sort(in);

    rc = NGX_OK;

    for (i = 0; i < in->nheld && rc == NGX_OK; i++) {
        rc = ngx_media_publish_frame(in->session, &in->held[i]);
    }

    ngx_media_ts_input_forget(in);

    return rc;
}


/* by time; those of one time, and a later configuration and its frame, stay */

static void
ngx_media_ts_input_sort(ngx_media_ts_input_t *in)
{
    ngx_uint_t         i, k;
    ngx_media_frame_t  f;

    for (i = 0; i < in->nconfigs; i++) {
        in->held[i].dts = in->first;
    }

    for (i = in->nconfigs + 1; i < in->nheld; i++) {
        f = in->held[i];

        for (k = i; k > in->nconfigs && in->held[k - 1].dts > f.dts; k--) {
            in->held[k] = in->held[k - 1];
        }

        in->held[k] = f;
    }
}


static void
ngx_media_ts_input_forget(ngx_media_ts_input_t *in)
{
    ngx_uint_t  i;

    for (i = 0; i < in->nheld; i++) {
        ngx_free((u_char *) in->held[i].data);
    }

    ngx_free(in->held);

    in->held = NULL;
    in->nheld = 0;
}


ngx_int_t
ngx_media_ts_input_end(ngx_media_ts_input_t *in)
{
    ngx_media_ts_stat_t  *stat;

    if (in->demux.error != NGX_MEDIA_OK) {

        /* it was told before */

        return NGX_ERROR;
    }

    if (ngx_media_ts_demux_flush(&in->demux) != NGX_MEDIA_OK) {
        return ngx_media_ts_input_error(in);
    }

    if (in->held && ngx_media_ts_input_release(in) != NGX_OK) {
        return NGX_ERROR;
    }

    stat = &in->demux.stat;

    if (stat->packets == 0) {
        return ngx_media_ts_input_error(in);
    }

    if (stat->junk || stat->cc_errors || stat->dropped) {
        ngx_log_error(NGX_LOG_INFO, in->log, 0,
                      "MPEG-TS of a publisher: %uL packets, %uD bytes of "
                      "junk, %uD gaps, %uD frames left out",
                      stat->packets, stat->junk, stat->cc_errors,
                      stat->dropped);
    }

    return NGX_OK;
}


void
ngx_media_ts_input_free(ngx_media_ts_input_t *in)
{
    if (in->held) {
        ngx_media_ts_input_forget(in);
    }

    /* streams of the demuxer may show their last frame even now */

    in->failed = 1;
    in->demux.error = NGX_MEDIA_ERROR;

    ngx_media_ts_demux_close(&in->demux);
}


u_char *
ngx_media_input_buffer(ngx_log_t *log, u_char *buf, size_t used, size_t size)
{
    u_char  *p;
    size_t   old;

    p = NULL;

    if (size) {

        if (size > NGX_MEDIA_INPUT_LARGE
            && ngx_media_input_large + size > NGX_MEDIA_INPUT_ALL)
        {
            ngx_log_error(NGX_LOG_INFO, log, 0,
                          "publisher needs %uz bytes for a frame while "
                          "%uz bytes of others are unfinished", size,
                          ngx_media_input_large);
            return NULL;
        }

        p = ngx_alloc(NGX_MEDIA_INPUT_HEAD + size, log);
        if (p == NULL) {
            return NULL;
        }

        ngx_memcpy(p, &size, sizeof(size_t));

        p += NGX_MEDIA_INPUT_HEAD;

        if (size > NGX_MEDIA_INPUT_LARGE) {
            ngx_media_input_large += size;
        }
    }

    if (buf) {

        if (p) {
            ngx_memcpy(p, buf, used);
        }

        buf -= NGX_MEDIA_INPUT_HEAD;

        ngx_memcpy(&old, buf, sizeof(size_t));

        if (old > NGX_MEDIA_INPUT_LARGE) {
            ngx_media_input_large -= old;
        }

        ngx_free(buf);
    }

    return p;
}
