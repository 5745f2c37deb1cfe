
/*
 * Copyright (C) the nginx media suite authors
 *
 * max_publish_rate: publishers whose bytes come faster than allowed are
 * closed.  A leaky bucket per source of this worker, looked at every second:
 * it holds what comes in NGX_MEDIA_RATE_BURST at the allowed rate, so the
 * first keyframe and a burst pass, and what stays above the rate does not.
 *
 * Memory: one small table per worker, made with the first publisher that has
 * a limit.
 */


#include "ngx_media_access.h"


#define NGX_MEDIA_RATE_BURST   5           /* seconds */


typedef struct {
    uint64_t    epoch;                     /* of the source, 0: not watched */
    uint64_t    limit;                     /* bytes per second */
    uint64_t    bytes;                     /* at the last look */
    uint64_t    level;                     /* bytes in the bucket */
    int64_t     msec;                      /* of the last look */
    unsigned    over:1;
} ngx_media_access_rate_t;


static void ngx_media_access_rate_publish(ngx_media_source_t *src);
static void ngx_media_access_rate_unpublish(ngx_media_source_t *src);
static void ngx_media_access_rate_tick(ngx_media_source_t *src);
static void ngx_media_access_rate_second(void);
static void ngx_media_access_rate_close(ngx_media_source_t *src,
    ngx_media_access_rate_t *rate);
static void ngx_media_access_rate_exit(void);


static ngx_media_access_rate_t  *ngx_media_access_rates;
static ngx_uint_t                ngx_media_access_over;


static const ngx_media_service_t  ngx_media_access_service = {
    .publish = ngx_media_access_rate_publish,
    .unpublish = ngx_media_access_rate_unpublish,
    .tick = ngx_media_access_rate_tick,
    .second = ngx_media_access_rate_second,
    .exit = ngx_media_access_rate_exit
};


ngx_int_t
ngx_media_access_rate_init(void)
{
    return ngx_media_service_add(&ngx_media_access_service);
}


static void
ngx_media_access_rate_publish(ngx_media_source_t *src)
{
    size_t                    max;
    ngx_str_t                 vhost, app;
    ngx_media_access_conf_t  *conf;
    ngx_media_access_rate_t  *rate;

    vhost.data = src->vhost;
    vhost.len = src->vhost_len;
    app.data = src->app;
    app.len = src->app_len;

    conf = ngx_media_access_policy(ngx_media_policy(&vhost, &app));
    max = conf->max_rate;

    if (ngx_media_access_rates == NULL) {

        if (max == 0) {
            return;
        }

        ngx_media_access_rates = ngx_calloc(ngx_media_arena()->nsources
                                            * sizeof(ngx_media_access_rate_t),
                                            ngx_cycle->log);
        if (ngx_media_access_rates == NULL) {
            return;
        }
    }

    rate = &ngx_media_access_rates[ngx_media_source_index(src)];

    ngx_memzero(rate, sizeof(ngx_media_access_rate_t));

    if (max) {
        rate->epoch = src->epoch;
        rate->limit = ngx_max(max / 8, 1);
        rate->bytes = src->recv_bytes;
        rate->msec = ngx_media_msec();
    }
}


static void
ngx_media_access_rate_unpublish(ngx_media_source_t *src)
{
    if (ngx_media_access_rates) {
        ngx_media_access_rates[ngx_media_source_index(src)].epoch = 0;
    }
}


static void
ngx_media_access_rate_tick(ngx_media_source_t *src)
{
    int64_t                   now;
    uint64_t                  passed;
    ngx_media_access_rate_t  *rate;

    if (ngx_media_access_rates == NULL) {
        return;
    }

    rate = &ngx_media_access_rates[ngx_media_source_index(src)];

    if (rate->epoch == 0 || rate->over) {
        return;
    }

    now = ngx_media_msec();

    if (src->recv_bytes < rate->bytes) {
        rate->bytes = src->recv_bytes;
    }

    rate->level += src->recv_bytes - rate->bytes;
    passed = rate->limit * (uint64_t) (now - rate->msec) / 1000;

    rate->level -= ngx_min(rate->level, passed);
    rate->bytes = src->recv_bytes;
    rate->msec = now;

    if (rate->level > rate->limit * NGX_MEDIA_RATE_BURST) {
        rate->over = 1;
        ngx_media_access_over++;
    }
}


/* not in tick(), which is called for one publisher after the other */

static void
ngx_media_access_rate_second(void)
{
    uint32_t                  i;
    ngx_media_access_rate_t  *rate;

    if (ngx_media_access_over == 0) {
        return;
    }

    ngx_media_access_over = 0;

    for (i = 0; i < ngx_media_arena()->nsources; i++) {
        rate = &ngx_media_access_rates[i];

        if (rate->epoch && rate->over) {
            ngx_media_access_rate_close(ngx_media_source_at(i), rate);
        }
    }
}


static void
ngx_media_access_rate_close(ngx_media_source_t *src,
    ngx_media_access_rate_t *rate)
{
    ngx_media_session_t  *s;

    s = ngx_media_session_by_client(src->pub_client, src->pub_generation);

    rate->epoch = 0;

    if (s == NULL || s->publisher == NULL) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                  "media access: publisher sends more than max_publish_rate, "
                  "%uL kbit/s, for seconds",
                  (unsigned long long) rate->limit * 8 / 1000);

    ngx_media_session_close(s, NGX_MEDIA_REASON_LIMIT);
}


static void
ngx_media_access_rate_exit(void)
{
    if (ngx_media_access_rates) {
        ngx_free(ngx_media_access_rates);
        ngx_media_access_rates = NULL;
    }
}
