
/*
 * Copyright (C) the nginx media suite authors
 *
 * mix_correct: audio and video of one publisher put into one order by time.
 * Frames are held (copied) until the other kind tells how far it is, but never
 * more than NGX_MEDIA_MIX_HELD of them.  Private memory of the publisher.
 */


#ifndef _NGX_MEDIA_MIX_H_INCLUDED_
#define _NGX_MEDIA_MIX_H_INCLUDED_


#include "ngx_media.h"


#define NGX_MEDIA_MIX_HELD  40

typedef struct ngx_media_mix_s  ngx_media_mix_t;

/* what to do with the next frame; f->data is good during the call */
typedef ngx_int_t (*ngx_media_mix_pt)(void *ctx, ngx_media_frame_t *f);


/* NULL: no memory */
ngx_media_mix_t *ngx_media_mix_create(ngx_log_t *log);
void ngx_media_mix_free(ngx_media_mix_t *mix);

/*
 * Adds a frame (copied) and hands out all that are ripe, in order.  Returns
 * NGX_OK, NGX_ERROR (no memory) or what the handler returned.
 */
ngx_int_t ngx_media_mix_add(ngx_media_mix_t *mix, ngx_media_frame_t *f,
    ngx_media_mix_pt handler, void *ctx);

/* hands out all that are held */
ngx_int_t ngx_media_mix_flush(ngx_media_mix_t *mix, ngx_media_mix_pt handler,
    void *ctx);


#endif /* _NGX_MEDIA_MIX_H_INCLUDED_ */
