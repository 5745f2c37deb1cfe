
/*
 * Copyright (C) the nginx media suite authors
 *
 * What this worker keeps of an output of the packager: playlists that were
 * written, objects that were read, and the requests that wait.
 *
 * Those who wait for the same part are one entry of a short list, so that a
 * change looks at a handful of entries however many requests there are, and
 * touches only those that it can answer.  One watch serves all of an output;
 * it holds the output as long as any request does.
 */


#include "ngx_http_hls.h"


static void ngx_http_hls_output_cleanup(ngx_media_hls_t *hls);
static void ngx_http_hls_output_changed(ngx_media_hls_watch_t *w);
static ngx_uint_t ngx_http_hls_due_is(ngx_http_hls_output_t *output,
    ngx_http_hls_due_t *due);


/* NULL: no memory */

ngx_http_hls_output_t *
ngx_http_hls_output(ngx_media_hls_t *hls)
{
    ngx_http_hls_output_t  *output;

    if (hls->data) {
        return hls->data;
    }

    output = ngx_calloc(sizeof(ngx_http_hls_output_t), ngx_cycle->log);
    if (output == NULL) {
        return NULL;
    }

    output->hls = hls;

    ngx_queue_init(&output->dues);
    ngx_queue_init(&output->texts);
    ngx_queue_init(&output->objects);

    hls->data = output;
    hls->cleanup = ngx_http_hls_output_cleanup;

    return output;
}


/* the store lets it go: nobody holds a watch, so nobody holds the output */

static void
ngx_http_hls_output_cleanup(ngx_media_hls_t *hls)
{
    ngx_http_hls_output_t  *output;

    output = hls->data;

    ngx_http_hls_texts_free(output);
    ngx_http_hls_objects_orphan(output);

    hls->data = NULL;

    ngx_free(output);
}


void
ngx_http_hls_output_ref(ngx_http_hls_output_t *output)
{
    if (output->refs++) {
        return;
    }

    ngx_memzero(&output->watch, sizeof(ngx_media_hls_watch_t));

    output->watch.handler = ngx_http_hls_output_changed;
    output->watch.data = output;

    ngx_media_hls_watch(output->hls, &output->watch);
}


void
ngx_http_hls_output_unref(ngx_http_hls_output_t *output)
{
    if (--output->refs == 0) {
        ngx_media_hls_unwatch(&output->watch);
    }
}


/* has a row of parts that ends at the edge come as far as that part? */

ngx_uint_t
ngx_http_hls_due_passed(uint64_t msn, uint32_t part, uint64_t edge_msn,
    uint32_t edge_part, ngx_uint_t closed)
{
    if (edge_msn != msn) {
        return edge_msn > msn;
    }

    if (part == NGX_HTTP_HLS_WHOLE) {
        return closed;
    }

    if (part & NGX_HTTP_HLS_OR_END) {
        return closed || edge_part >= (part & ~NGX_HTTP_HLS_OR_END);
    }

    return edge_part >= part;
}


static ngx_uint_t
ngx_http_hls_due_is(ngx_http_hls_output_t *output, ngx_http_hls_due_t *due)
{
    uint32_t    part;
    uint64_t    msn;
    ngx_int_t   rc;
    ngx_uint_t  closed;

    msn = 0;
    part = 0;
    closed = 0;

    rc = ngx_media_hls_edge(output->hls, due->rendition, &msn, &part, &closed);

    if (rc == NGX_AGAIN) {

        /* nothing yet, or its source is gone altogether */

        return due->msn
               && ngx_media_hls_version(output->hls, due->rendition) == 0;
    }

    /* ended */

    if (rc != NGX_OK) {
        return 1;
    }

    return ngx_http_hls_due_passed(due->msn, due->part, msn, part, closed);
}


/* parks a request for what it wants; the output is held */

ngx_int_t
ngx_http_hls_due_add(ngx_http_hls_ctx_t *ctx)
{
    ngx_queue_t            *q;
    ngx_http_hls_due_t     *due;
    ngx_http_hls_output_t  *output;

    output = ctx->output;

    for (q = ngx_queue_head(&output->dues);
         q != ngx_queue_sentinel(&output->dues);
         q = ngx_queue_next(q))
    {
        due = ngx_queue_data(q, ngx_http_hls_due_t, queue);

        if (due->rendition == ctx->want && due->msn == ctx->want_msn
            && due->part == ctx->want_part)
        {
            goto found;
        }
    }

    due = ngx_alloc(sizeof(ngx_http_hls_due_t), ngx_cycle->log);
    if (due == NULL) {
        return NGX_ERROR;
    }

    due->rendition = ctx->want;
    due->msn = ctx->want_msn;
    due->part = ctx->want_part;

    ngx_queue_init(&due->requests);
    ngx_queue_insert_tail(&output->dues, &due->queue);

found:

    ngx_queue_insert_tail(&due->requests, &ctx->wait);
    ctx->due = due;

    ngx_media_hls_parked(output->hls, 1);

    return NGX_OK;
}


void
ngx_http_hls_due_remove(ngx_http_hls_ctx_t *ctx)
{
    ngx_http_hls_due_t *due = ctx->due;

    if (due == NULL) {
        return;
    }

    ctx->due = NULL;

    ngx_media_hls_parked(ctx->output->hls, -1);

    ngx_queue_remove(&ctx->wait);

    if (ngx_queue_empty(&due->requests)) {
        ngx_queue_remove(&due->queue);
        ngx_free(due);
    }
}


/*
 * A request that is answered may end others (streams of one connection), or be
 * parked again: so those that are due are picked one by one, out of a list
 * that none of them is added to.
 */

static void
ngx_http_hls_output_changed(ngx_media_hls_watch_t *w)
{
    ngx_queue_t            *q, ready;
    ngx_http_hls_ctx_t     *ctx;
    ngx_http_hls_due_t     *due;
    ngx_http_hls_output_t  *output;

    output = w->data;

    ngx_queue_init(&ready);

    for (q = ngx_queue_head(&output->dues);
         q != ngx_queue_sentinel(&output->dues);
         /* void */ )
    {
        due = ngx_queue_data(q, ngx_http_hls_due_t, queue);
        q = ngx_queue_next(q);

        if (ngx_http_hls_due_is(output, due)) {
            ngx_queue_remove(&due->queue);
            ngx_queue_insert_tail(&ready, &due->queue);
        }
    }

    if (ngx_queue_empty(&ready)) {
        return;
    }

    ngx_http_hls_output_ref(output);

    while (!ngx_queue_empty(&ready)) {

        q = ngx_queue_head(&ready);
        due = ngx_queue_data(q, ngx_http_hls_due_t, queue);

        q = ngx_queue_head(&due->requests);
        ctx = ngx_queue_data(q, ngx_http_hls_ctx_t, wait);

        /* takes it off the list, and the entry with the last of them */

        ngx_http_hls_wake(ctx);
    }

    ngx_http_hls_output_unref(output);
}
