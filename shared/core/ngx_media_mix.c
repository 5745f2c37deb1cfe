
/*
 * Copyright (C) the nginx media suite authors
 *
 * mix_correct: the queue that puts audio and video into one order by time.
 * Order within a track is never changed, so B-frames and configurations stay
 * where they were.
 */


#include "ngx_media_mix.h"


typedef struct {
    ngx_queue_t         queue;
    ngx_media_frame_t   frame;
    u_char              data[];
} ngx_media_mix_frame_t;


struct ngx_media_mix_s {
    ngx_queue_t         audio;
    ngx_queue_t         video;      /* and everything that is no audio */
    ngx_uint_t          held;
    ngx_log_t          *log;
};


static ngx_int_t ngx_media_mix_out(ngx_media_mix_t *mix,
    ngx_media_mix_pt handler, void *ctx);


ngx_media_mix_t *
ngx_media_mix_create(ngx_log_t *log)
{
    ngx_media_mix_t  *mix;

    mix = ngx_alloc(sizeof(ngx_media_mix_t), log);

    if (mix) {
        ngx_queue_init(&mix->audio);
        ngx_queue_init(&mix->video);
        mix->held = 0;
        mix->log = log;
    }

    return mix;
}


static ngx_int_t
ngx_media_mix_drop(void *ctx, ngx_media_frame_t *f)
{
    return NGX_OK;
}


void
ngx_media_mix_free(ngx_media_mix_t *mix)
{
    (void) ngx_media_mix_flush(mix, ngx_media_mix_drop, NULL);

    ngx_free(mix);
}


ngx_int_t
ngx_media_mix_add(ngx_media_mix_t *mix, ngx_media_frame_t *f,
    ngx_media_mix_pt handler, void *ctx)
{
    ngx_int_t               rc;
    ngx_media_mix_frame_t  *m;

    m = ngx_alloc(sizeof(ngx_media_mix_frame_t) + f->size, mix->log);

    if (m == NULL) {
        return NGX_ERROR;
    }

    m->frame = *f;
    m->frame.data = m->data;

    if (f->size) {
        ngx_memcpy(m->data, f->data, f->size);
    }

    ngx_queue_insert_tail(ngx_media_codec_is_audio(f->codec) ? &mix->audio
                                                             : &mix->video,
                          &m->queue);
    mix->held++;

    while (mix->held > NGX_MEDIA_MIX_HELD
           || (!ngx_queue_empty(&mix->audio)
               && !ngx_queue_empty(&mix->video)))
    {
        rc = ngx_media_mix_out(mix, handler, ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_media_mix_flush(ngx_media_mix_t *mix, ngx_media_mix_pt handler, void *ctx)
{
    ngx_int_t  rc, result;

    result = NGX_OK;

    while (mix->held) {
        rc = ngx_media_mix_out(mix, handler, ctx);

        if (rc != NGX_OK) {
            result = rc;
        }
    }

    return result;
}


/* the older one of the two first frames */

static ngx_int_t
ngx_media_mix_out(ngx_media_mix_t *mix, ngx_media_mix_pt handler, void *ctx)
{
    ngx_int_t               rc;
    ngx_queue_t            *q;
    ngx_media_mix_frame_t  *a, *v, *m;

    a = NULL;
    v = NULL;

    if (!ngx_queue_empty(&mix->audio)) {
        q = ngx_queue_head(&mix->audio);
        a = ngx_queue_data(q, ngx_media_mix_frame_t, queue);
    }

    if (!ngx_queue_empty(&mix->video)) {
        q = ngx_queue_head(&mix->video);
        v = ngx_queue_data(q, ngx_media_mix_frame_t, queue);
    }

    m = (a == NULL || (v && v->frame.dts <= a->frame.dts)) ? v : a;

    ngx_queue_remove(&m->queue);
    mix->held--;

    rc = handler(ctx, &m->frame);

    ngx_free(m);

    return rc;
}
