
/*
 * Copyright (C) the nginx media suite authors
 *
 * Consumers: cursors in the log of a wire, and the bytes that a protocol puts
 * before it.  Order of what is sent:
 *
 *    out entries marked first | rest of the current frame | other out entries
 *    | the log from the cursor on
 *
 * so that bytes of the protocol's own never land inside a frame.
 */


#include "ngx_media_wire.h"


#define NGX_MEDIA_SPANS        16
#define NGX_MEDIA_SEND_LIMIT   262144
#define NGX_MEDIA_TLS_RECORD   16384


static ngx_int_t ngx_media_out_add(ngx_media_consumer_t *c,
    ngx_media_blob_t *blob, ngx_uint_t first, ngx_uint_t own);
static void ngx_media_out_shift(ngx_media_consumer_t *c);
static ngx_uint_t ngx_media_consumer_log_spans(ngx_media_consumer_t *c,
    ngx_media_span_t *spans, ngx_uint_t n, size_t *limit, uint64_t from,
    uint64_t to);
static void ngx_media_consumer_advance(ngx_media_consumer_t *c, size_t n);
static ngx_uint_t ngx_media_consumer_inside(ngx_media_consumer_t *c);
static ssize_t ngx_media_consumer_writev(ngx_connection_t *conn,
    ngx_media_span_t *spans, ngx_uint_t n);
static ngx_int_t ngx_media_consumer_send_tls(ngx_media_consumer_t *c,
    ngx_connection_t *conn);
static ngx_int_t ngx_media_consumer_full(ngx_media_consumer_t *c,
    ngx_connection_t *conn);


static ngx_media_segment_t  *ngx_media_segments_kept;
static ngx_uint_t            ngx_media_segments_nkept;


/* --- memory ------------------------------------------------------------- */

ngx_media_segment_t *
ngx_media_segment_alloc(void)
{
    ngx_media_segment_t  *seg;

    seg = ngx_media_segments_kept;

    if (seg) {
        ngx_media_segments_kept = seg->next;
        ngx_media_segments_nkept--;

    } else {
        seg = ngx_alloc(NGX_MEDIA_SEGMENT_SIZE, ngx_cycle->log);

        if (seg == NULL) {
            return NULL;
        }
    }

    seg->pin.refs = 1;
    seg->pin.segment = 1;
    seg->cursors = 0;
    seg->size = 0;
    seg->start = 0;
    seg->next = NULL;

    return seg;
}


ngx_media_blob_t *
ngx_media_blob_alloc(size_t room)
{
    ngx_media_blob_t  *blob;

    blob = ngx_alloc(sizeof(ngx_media_blob_t) + room, ngx_cycle->log);

    if (blob) {
        blob->pin.refs = 1;
        blob->pin.segment = 0;
        blob->size = 0;
        blob->room = (uint32_t) room;
    }

    return blob;
}


ngx_int_t
ngx_media_blob_append(ngx_media_blob_t **blobp, const void *p, size_t n)
{
    ngx_media_blob_t  *blob, *grown;

    blob = *blobp;

    if (n > blob->room - blob->size) {

        grown = ngx_media_blob_alloc((size_t) blob->size * 2 + n);

        if (grown == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(grown->data, blob->data, blob->size);
        grown->size = blob->size;

        ngx_media_unpin(&blob->pin);
        *blobp = grown;
        blob = grown;
    }

    ngx_memcpy(blob->data + blob->size, p, n);
    blob->size += (uint32_t) n;

    return NGX_OK;
}


void
ngx_media_pin(ngx_media_pin_t *pin)
{
    pin->refs++;
}


void
ngx_media_unpin(ngx_media_pin_t *pin)
{
    ngx_media_segment_t  *seg;

    if (--pin->refs) {
        return;
    }

    if (pin->segment
        && ngx_media_segments_nkept < NGX_MEDIA_SEGMENTS_KEPT)
    {
        seg = (ngx_media_segment_t *) pin;
        seg->next = ngx_media_segments_kept;
        ngx_media_segments_kept = seg;
        ngx_media_segments_nkept++;
        return;
    }

    ngx_free(pin);
}


void
ngx_media_segments_exit(void)
{
    ngx_media_segment_t  *seg;

    while (ngx_media_segments_kept) {
        seg = ngx_media_segments_kept;
        ngx_media_segments_kept = seg->next;
        ngx_free(seg);
    }

    ngx_media_segments_nkept = 0;
}


/* --- the out list ------------------------------------------------------- */

static ngx_int_t
ngx_media_out_add(ngx_media_consumer_t *c, ngx_media_blob_t *blob,
    ngx_uint_t first, ngx_uint_t own)
{
    ngx_media_out_t  *out, **last;

    out = ngx_alloc(sizeof(ngx_media_out_t), ngx_cycle->log);

    if (out == NULL) {
        ngx_media_unpin(&blob->pin);
        return NGX_ERROR;
    }

    out->blob = blob;
    out->pos = 0;
    out->first = (first != 0);
    out->own = (own != 0);

    /* the ones marked first stay in order before the others */

    last = &c->out;

    while (*last && (!first || (*last)->first)) {
        last = &(*last)->next;
    }

    out->next = *last;
    *last = out;

    if (own) {
        c->out_size += blob->size;
    }

    return NGX_OK;
}


ngx_int_t
ngx_media_out_blob(ngx_media_consumer_t *c, ngx_media_blob_t *blob)
{
    if (blob->size == 0) {
        ngx_media_unpin(&blob->pin);
        return NGX_OK;
    }

    return ngx_media_out_add(c, blob, 0, 0);
}


static void
ngx_media_out_shift(ngx_media_consumer_t *c)
{
    ngx_media_out_t  *out;

    out = c->out;
    c->out = out->next;

    if (out->own) {
        c->out_size -= out->blob->size;
    }

    ngx_media_unpin(&out->blob->pin);
    ngx_free(out);
}


ngx_int_t
ngx_media_consumer_push(ngx_media_consumer_t *c, const u_char *p, size_t n)
{
    ngx_media_blob_t  *blob;

    if (n == 0) {
        return NGX_OK;
    }

    if (c->out_size + n > NGX_MEDIA_OUT_MAX) {
        return NGX_ERROR;
    }

    blob = ngx_media_blob_alloc(n);

    if (blob == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(blob->data, p, n);
    blob->size = (uint32_t) n;

    return ngx_media_out_add(c, blob, 0, 1);
}


void
ngx_media_consumer_clear(ngx_media_consumer_t *c)
{
    while (c->out) {
        ngx_media_out_shift(c);
    }
}


/* --- the cursor --------------------------------------------------------- */

void
ngx_media_consumer_enter(ngx_media_consumer_t *c, ngx_media_segment_t *seg,
    uint64_t offset)
{
    c->segment = seg;
    c->offset = offset;
    c->frame_end = 0;
    c->configs = c->wire->key_configs;
    c->entry = ngx_media_wire_number(c->wire, offset);
    c->entered = 1;

    if (seg) {
        seg->cursors++;
    }
}


void
ngx_media_consumer_leave(ngx_media_consumer_t *c)
{
    c->frames = ngx_media_consumer_frames(c);
    c->entered = 0;

    if (c->segment) {
        c->segment->cursors--;
        c->segment = NULL;
    }

    c->frame_end = 0;
}


uint64_t
ngx_media_consumer_frames(ngx_media_consumer_t *c)
{
    uint64_t  number;

    if (!c->entered || c->wire == NULL) {
        return c->frames;
    }

    number = ngx_media_wire_number(c->wire, c->offset);

    return c->frames + (number > c->entry ? number - c->entry : 0);
}


static ngx_uint_t
ngx_media_consumer_inside(ngx_media_consumer_t *c)
{
    return c->segment && c->frame_end > c->offset;
}


ngx_uint_t
ngx_media_consumer_drained(ngx_media_consumer_t *c)
{
    if (c->out) {
        return 0;
    }

    return c->segment == NULL || c->offset >= c->wire->head;
}


/* the segments of the current frame may go: its rest is copied */

ngx_int_t
ngx_media_consumer_save_rest(ngx_media_consumer_t *c)
{
    size_t             limit;
    uint64_t           left;
    ngx_uint_t         i, n;
    ngx_media_blob_t  *blob;
    ngx_media_span_t   spans[NGX_MEDIA_SPANS];

    if (!ngx_media_consumer_inside(c)) {
        return NGX_OK;
    }

    left = c->frame_end - c->offset;
    blob = ngx_media_blob_alloc((size_t) left);

    if (blob == NULL) {
        return NGX_ERROR;
    }

    while (c->offset < c->frame_end) {
        limit = (size_t) left;
        n = ngx_media_consumer_log_spans(c, spans, NGX_MEDIA_SPANS, &limit,
                                         c->offset, c->frame_end);

        for (i = 0; i < n; i++) {
            left = spans[i].last - spans[i].pos;
            ngx_memcpy(blob->data + blob->size, spans[i].pos, left);
            blob->size += (uint32_t) left;
            ngx_media_consumer_advance(c, left);
        }

        if (n == 0) {
            break;
        }

        left = c->frame_end - c->offset;
    }

    c->frame_end = 0;

    return ngx_media_out_add(c, blob, 1, 0);
}


static ngx_uint_t
ngx_media_consumer_log_spans(ngx_media_consumer_t *c, ngx_media_span_t *spans,
    ngx_uint_t n, size_t *limit, uint64_t from, uint64_t to)
{
    size_t                size;
    uint64_t              end;
    ngx_uint_t            i;
    ngx_media_segment_t  *seg;

    i = 0;

    for (seg = c->segment; seg && i < n && from < to && *limit;
         seg = seg->next)
    {
        end = seg->start + seg->size;

        if (from >= end) {
            continue;
        }

        size = (size_t) (ngx_min(end, to) - from);
        size = ngx_min(size, *limit);

        spans[i].pos = seg->data + (from - seg->start);
        spans[i].last = spans[i].pos + size;
        spans[i].pin = &seg->pin;

        i++;
        from += size;
        *limit -= size;
    }

    return i;
}


ngx_uint_t
ngx_media_consumer_spans(ngx_media_consumer_t *c, ngx_media_span_t *spans,
    ngx_uint_t n, size_t limit)
{
    size_t            size;
    uint64_t          from;
    ngx_uint_t        i, inside;
    ngx_media_out_t  *out;

    i = 0;
    from = c->offset;
    inside = ngx_media_consumer_inside(c);

    for (out = c->out; out && i < n && limit; out = out->next) {

        if (inside && !out->first) {
            i += ngx_media_consumer_log_spans(c, spans + i, n - i, &limit,
                                              from, c->frame_end);
            from = c->frame_end;
            inside = 0;

            if (i == n || limit == 0) {
                return i;
            }
        }

        size = out->blob->size - out->pos;
        size = ngx_min(size, limit);

        spans[i].pos = out->blob->data + out->pos;
        spans[i].last = spans[i].pos + size;
        spans[i].pin = &out->blob->pin;

        i++;
        limit -= size;
    }

    if (c->segment && c->wire && i < n && limit && out == NULL) {
        i += ngx_media_consumer_log_spans(c, spans + i, n - i, &limit, from,
                                          c->wire->head);
    }

    return i;
}


static void
ngx_media_consumer_advance(ngx_media_consumer_t *c, size_t n)
{
    ngx_media_segment_t  *seg;

    c->offset += n;
    seg = c->segment;

    while (seg->next && c->offset >= seg->start + seg->size) {
        seg->cursors--;
        seg = seg->next;
        seg->cursors++;
    }

    c->segment = seg;
}


void
ngx_media_consumer_sent(ngx_media_consumer_t *c, size_t bytes)
{
    size_t            n;
    ngx_media_out_t  *out;

    if (c->wire) {
        c->wire->feed->sent += bytes;
    }

    if (bytes) {
        c->jumps = 0;
    }

    while (bytes) {

        out = c->out;

        if (out && (out->first || !ngx_media_consumer_inside(c))) {

            n = out->blob->size - out->pos;
            n = ngx_min(n, bytes);

            out->pos += (uint32_t) n;

            if (out->pos == out->blob->size) {
                ngx_media_out_shift(c);
            }

        } else if (c->segment == NULL) {
            return;

        } else {
            n = bytes;

            if (out) {
                n = (size_t) ngx_min(n, c->frame_end - c->offset);
            }

            ngx_media_consumer_advance(c, n);
        }

        bytes -= n;
    }

    if (c->segment == NULL || c->offset == c->wire->head) {
        c->frame_end = 0;

    } else if (c->frame_end <= c->offset) {
        c->frame_end = ngx_media_wire_frame_end(c->wire, c->offset);
    }
}


void
ngx_media_consumer_block(ngx_media_consumer_t *c)
{
    c->blocked = 1;
}


void
ngx_media_consumer_unblock(ngx_media_consumer_t *c)
{
    c->blocked = 0;
}


/* --- sending ------------------------------------------------------------ */

ngx_int_t
ngx_media_consumer_send(ngx_media_consumer_t *c, ngx_connection_t *conn)
{
    size_t            total;
    ssize_t           sent;
    ngx_uint_t        i, n;
    ngx_media_span_t  spans[NGX_MEDIA_SPANS];

#if (NGX_SSL)
    if (conn->ssl) {
        return ngx_media_consumer_send_tls(c, conn);
    }
#endif

    for ( ;; ) {

        n = ngx_media_consumer_spans(c, spans, NGX_MEDIA_SPANS,
                                     NGX_MEDIA_SEND_LIMIT);

        if (n == 0) {
            c->blocked = 0;
            return NGX_OK;
        }

        if (!conn->write->ready) {
            return ngx_media_consumer_full(c, conn);
        }

        if (n == 1) {
            total = spans[0].last - spans[0].pos;
            sent = conn->send(conn, spans[0].pos, total);

        } else {
            total = 0;

            for (i = 0; i < n; i++) {
                total += spans[i].last - spans[i].pos;
            }

            sent = ngx_media_consumer_writev(conn, spans, n);
        }

        if (sent == NGX_AGAIN) {
            return ngx_media_consumer_full(c, conn);
        }

        if (sent < 0) {
            return NGX_ERROR;
        }

        ngx_media_consumer_sent(c, (size_t) sent);

        if ((size_t) sent < total) {

            /* the kernel took what it could: it will tell */

            conn->write->ready = 0;
        }
    }
}


static ssize_t
ngx_media_consumer_writev(ngx_connection_t *conn, ngx_media_span_t *spans,
    ngx_uint_t n)
{
    ssize_t        sent;
    ngx_err_t      err;
    ngx_uint_t     i;
    struct iovec   iov[NGX_MEDIA_SPANS];

    for (i = 0; i < n; i++) {
        iov[i].iov_base = spans[i].pos;
        iov[i].iov_len = spans[i].last - spans[i].pos;
    }

    do {
        sent = writev(conn->fd, iov, (int) n);
        err = ngx_errno;
    } while (sent == -1 && err == NGX_EINTR);

    if (sent >= 0) {
        conn->sent += sent;
        return sent;
    }

    if (err == NGX_EAGAIN) {
        conn->write->ready = 0;
        return NGX_AGAIN;
    }

    conn->write->error = 1;
    (void) ngx_connection_error(conn, err, "writev() failed");

    return NGX_ERROR;
}


/*
 * One TLS record for as many small spans as fit.  It is copied and leaves the
 * log with that: OpenSSL wants the same bytes at the same address when it has
 * to try again, and what is before the cursor then may have changed.
 */

static ngx_int_t
ngx_media_consumer_send_tls(ngx_media_consumer_t *c, ngx_connection_t *conn)
{
    size_t             size;
    ssize_t            sent;
    ngx_uint_t         i, n;
    ngx_media_out_t   *out;
    ngx_media_blob_t  *blob;
    ngx_media_span_t   spans[NGX_MEDIA_SPANS];

    for ( ;; ) {

        out = c->out;

        if (out == NULL || !out->first) {

            n = ngx_media_consumer_spans(c, spans, NGX_MEDIA_SPANS,
                                         NGX_MEDIA_TLS_RECORD);
            if (n == 0) {
                c->blocked = 0;
                return NGX_OK;
            }

            size = 0;

            for (i = 0; i < n; i++) {
                size += spans[i].last - spans[i].pos;
            }

            blob = ngx_media_blob_alloc(size);

            if (blob == NULL) {
                return NGX_ERROR;
            }

            for (i = 0; i < n; i++) {
                (void) ngx_media_blob_append(&blob, spans[i].pos,
                                             spans[i].last - spans[i].pos);
            }

            ngx_media_consumer_sent(c, size);

            if (c->wire) {
                c->wire->feed->sent -= size;
            }

            if (ngx_media_out_add(c, blob, 1, 0) != NGX_OK) {
                return NGX_ERROR;
            }

            out = c->out;
        }

        if (!conn->write->ready) {
            return ngx_media_consumer_full(c, conn);
        }

        sent = conn->send(conn, out->blob->data + out->pos,
                          out->blob->size - out->pos);

        if (sent == NGX_AGAIN) {
            return ngx_media_consumer_full(c, conn);
        }

        if (sent < 0) {
            return NGX_ERROR;
        }

        ngx_media_consumer_sent(c, (size_t) sent);
    }
}


static ngx_int_t
ngx_media_consumer_full(ngx_media_consumer_t *c, ngx_connection_t *conn)
{
    if (ngx_handle_write_event(conn->write, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    c->blocked = 1;

    return NGX_AGAIN;
}


uint32_t
ngx_media_consumer_lag(ngx_media_consumer_t *c)
{
    ngx_media_wire_t   *w;
    ngx_media_entry_t  *e;

    w = c->wire;

    if (w == NULL || c->segment == NULL || c->offset >= w->head) {
        return 0;
    }

    e = ngx_media_wire_entry_at(w, c->offset);

    if (e == NULL || e->dts > w->head_dts) {
        return 0;
    }

    return (uint32_t) ((w->head_dts - e->dts) / 1000);
}

