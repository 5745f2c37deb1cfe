
/*
 * Copyright (C) the nginx media suite authors
 *
 * What services hear of segments in memory: each one when it is whole, with
 * the names that it is served by, in the publisher's worker.  Those that are
 * written to disk are told of when they are there (ngx_media_hls_disk.c).
 * They are counted here too.
 * Called by ngx_media_hls_pack.c.
 */


#include "ngx_media_hls_pack.h"
#include "ngx_media_text.h"


/* APP/STREAM.hls.TAG.NUMBER.m4s and the like, with room for escapes */
#define NGX_MEDIA_HLS_TOLD_NAME  2048


static void ngx_media_hls_told_name(ngx_media_source_t *src,
    const char *ending, ngx_str_t *file, ngx_str_t *url, u_char *buf);


void
ngx_media_hls_told(ngx_media_hls_cutter_t *c, ngx_media_hls_out_t *out)
{
    char                        dot[NGX_MEDIA_HLS_TAG_LEN + 2];
    u_char                      name[64], playlist[64],
                                bufs[2][2 * NGX_MEDIA_HLS_TOLD_NAME];
    ngx_media_source_t         *src;
    ngx_media_hls_segment_t    *seg;
    ngx_media_hls_rendition_t  *r;
    ngx_media_segment_event_t   event;

    r = out->writer.r;

    if (out->open == 0 || r->next == r->first) {
        return;
    }

    seg = ngx_media_hls_at(r, r->next - 1);

    /* one without a part is none */

    if (!(seg->flags & NGX_MEDIA_HLS_CLOSED) || seg->msn != out->open) {
        return;
    }

    out->open = 0;
    src = c->source;

    ngx_media_hls_count(&r->counters.segments);
    __atomic_store_n(&r->counters.duration, seg->duration, __ATOMIC_RELAXED);

    if (c->disk) {
        return;
    }

    dot[0] = '\0';

    if (r->tag[0]) {
        *ngx_snprintf((u_char *) dot, sizeof(dot) - 1, ".%s", r->tag) = '\0';
    }

    *ngx_snprintf(name, sizeof(name) - 1, ".hls%s.%uL.%s", dot, seg->msn,
                  c->ts ? "ts" : "m4s") = '\0';

    if (r->tag[0]) {
        *ngx_snprintf(playlist, sizeof(playlist) - 1, ".hls%s.m3u8", dot)
            = '\0';

    } else {
        *ngx_cpymem(playlist, ".m3u8", sizeof(".m3u8") - 1) = '\0';
    }

    ngx_memzero(&event, sizeof(ngx_media_segment_event_t));

    event.source = src;
    event.vhost.data = src->vhost;
    event.vhost.len = src->vhost_len;
    event.app.data = src->app;
    event.app.len = src->app_len;
    event.stream.data = src->stream;
    event.stream.len = src->stream_len;
    event.seq = seg->msn;
    event.duration = seg->duration / 1000;

    ngx_media_hls_told_name(src, (char *) name, &event.file, &event.url,
                            bufs[0]);
    ngx_media_hls_told_name(src, (char *) playlist, &event.m3u8,
                            &event.m3u8_url, bufs[1]);

    ngx_media_services_segment(&event);
}


static void
ngx_media_hls_told_name(ngx_media_source_t *src, const char *ending,
    ngx_str_t *file, ngx_str_t *url, u_char *buf)
{
    ngx_media_text_t  t;

    file->data = buf;
    file->len = ngx_snprintf(buf, NGX_MEDIA_HLS_TOLD_NAME, "%*s/%*s%s",
                             (size_t) src->app_len, src->app,
                             (size_t) src->stream_len, src->stream, ending)
                - buf;

    url->data = buf + NGX_MEDIA_HLS_TOLD_NAME;

    ngx_media_text_init(&t, url->data, NGX_MEDIA_HLS_TOLD_NAME);
    ngx_media_text_uri(&t, file->data, file->len);

    url->len = ngx_min(t.len, NGX_MEDIA_HLS_TOLD_NAME);
}
