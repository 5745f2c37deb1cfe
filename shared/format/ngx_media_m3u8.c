
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: media playlists, declared in ngx_media_m3u8.h.  A worker writes one for
 * each change of a rendition, so nothing is looked up twice: first it is
 * settled which segments are listed, which are skipped and which show their
 * parts, then one pass over them writes.
 *
 * RFC 8216, sections 4.3 and 6.2; draft-pantos-hls-rfc8216bis, sections 4.4
 * and 6.2.5, and its appendix on low latency.
 */


#include "ngx_media_m3u8.h"
#include "ngx_media_text.h"


/* in target durations, as the draft asks for */

#define NGX_MEDIA_M3U8_HOLD_BACK   3
#define NGX_MEDIA_M3U8_PARTS       3
#define NGX_MEDIA_M3U8_SKIP        6

/*
 * In halves of a part target: the draft asks for two parts, and for three
 * where nothing is known of their ways.  Here none is longer than was told,
 * and each is asked for before it is there: half a part is left for its way.
 */

#define NGX_MEDIA_M3U8_PART_HALVES 5


typedef struct {
    const ngx_media_hls_view_t     *view;
    const ngx_media_m3u8_params_t  *params;
    ngx_media_text_t                text;

    uint32_t                        first;     /* listed from here on, */
    uint32_t                        shown;     /* not skipped from here on, */
    uint32_t                        whole;     /* with EXTINF before this */
    uint32_t                        last;      /* listed before this */
    uint32_t                        parts;     /* parts shown from here on */

    uint32_t                        init;      /* what MAP and KEY say now */
    uint32_t                        key;
} ngx_media_m3u8_t;


/* --- what is listed ------------------------------------------------------ */


static uint32_t
ngx_media_m3u8_first(const ngx_media_hls_view_t *v, uint32_t last,
    int64_t start)
{
    uint32_t                        i;
    const ngx_media_hls_segment_t  *s;

    i = v->listed < last ? v->listed : last;

    if (start == 0) {
        return i;
    }

    for ( /* void */ ; i < last; i++) {
        s = &v->segment[i];

        if (s->pdt + s->duration > start) {
            break;
        }
    }

    return i;
}


/*
 * Delta updates leave out what ended before the skip boundary; parts are
 * shown for segments that begin within three target durations.  Both are
 * distances from the end of the playlist.
 */

static void
ngx_media_m3u8_bounds(ngx_media_m3u8_t *m)
{
    uint32_t                    i;
    uint64_t                    behind, target;
    const ngx_media_hls_view_t *v;

    v = m->view;
    target = (uint64_t) v->target * 1000000;
    behind = 0;

    m->shown = m->first;
    m->parts = m->last;

    for (i = m->last; i > m->first; i--) {

        if (m->params->skip
            && behind >= NGX_MEDIA_M3U8_SKIP * target
            && i <= m->whole)
        {
            m->shown = i;
            break;
        }

        behind += v->segment[i - 1].duration;

        if (behind <= NGX_MEDIA_M3U8_PARTS * target || i > m->whole) {
            m->parts = i - 1;
        }
    }

    if (v->part_target == 0) {
        m->parts = m->last;

    } else if (m->parts < v->with_parts) {
        m->parts = v->with_parts;
    }
}


static void
ngx_media_m3u8_plan(ngx_media_m3u8_t *m)
{
    const ngx_media_hls_view_t *v;

    v = m->view;

    m->last = v->nsegments;
    m->whole = m->last;

    /*
     * An open segment has no EXTINF yet, its parts may be listed.  At the end
     * it is a whole one with the parts that it has.
     */

    if (m->last
        && !(v->segment[m->last - 1].flags & NGX_MEDIA_HLS_CLOSED))
    {
        if (v->segment[m->last - 1].nparts == 0
            || (v->part_target == 0 && !v->ended))
        {
            m->last--;
            m->whole--;

        } else if (!v->ended) {
            m->whole--;
        }
    }

    m->first = ngx_media_m3u8_first(v, m->last, m->params->start);

    ngx_media_m3u8_bounds(m);
}


/* --- URIs --------------------------------------------------------------- */


static void
ngx_media_m3u8_prefix(ngx_media_text_t *t, const u_char *prefix, size_t len)
{
    if (len == 0) {
        return;
    }

    ngx_media_text_uri(t, prefix, len);

    if (prefix[len - 1] != '/') {
        ngx_media_text_lit(t, "/");
    }
}


/* the beginning of the name of an object, up to what tells it from others */

static void
ngx_media_m3u8_name(ngx_media_m3u8_t *m)
{
    ngx_media_text_t               *t;
    const ngx_media_m3u8_params_t  *params;

    t = &m->text;
    params = m->params;

    ngx_media_m3u8_prefix(t, params->prefix, params->prefix_len);
    ngx_media_text_uri(t, params->stream, params->stream_len);
    ngx_media_text_lit(t, ".hls.");

    if (m->view->tag[0]) {
        ngx_media_text_put(t, m->view->tag,
                           strnlen(m->view->tag, NGX_MEDIA_HLS_TAG_LEN));
        ngx_media_text_lit(t, ".");
    }
}


static void
ngx_media_m3u8_args(ngx_media_m3u8_t *m, const char *before)
{
    if (m->params->args_len) {
        ngx_media_text_str(&m->text, before);
        ngx_media_text_uri(&m->text, m->params->args, m->params->args_len);
    }
}


static void
ngx_media_m3u8_ending(ngx_media_m3u8_t *m)
{
    if (m->view->container == NGX_MEDIA_HLS_MPEGTS) {
        ngx_media_text_lit(&m->text, ".ts");

    } else {
        ngx_media_text_lit(&m->text, ".m4s");
    }

    ngx_media_m3u8_args(m, "?");
}


static void
ngx_media_m3u8_part_uri(ngx_media_m3u8_t *m, uint64_t msn, uint32_t part)
{
    ngx_media_m3u8_name(m);
    ngx_media_text_uint(&m->text, msn);
    ngx_media_text_lit(&m->text, ".");
    ngx_media_text_uint(&m->text, part);
    ngx_media_m3u8_ending(m);
}


/* --- tags --------------------------------------------------------------- */


static void
ngx_media_m3u8_control(ngx_media_m3u8_t *m)
{
    uint64_t                     target;
    ngx_media_text_t            *t;
    const ngx_media_hls_view_t  *v;

    t = &m->text;
    v = m->view;
    target = (uint64_t) v->target * 1000000;

    ngx_media_text_lit(t, "#EXT-X-SERVER-CONTROL:");

    if (m->params->can_block) {
        ngx_media_text_lit(t, "CAN-BLOCK-RELOAD=YES,");
    }

    if (m->params->can_skip) {
        ngx_media_text_lit(t, "CAN-SKIP-UNTIL=");
        ngx_media_text_us(t, NGX_MEDIA_M3U8_SKIP * target);
        ngx_media_text_lit(t, ",");
    }

    if (v->part_target) {
        ngx_media_text_lit(t, "PART-HOLD-BACK=");
        ngx_media_text_us(t, NGX_MEDIA_M3U8_PART_HALVES
                             * (uint64_t) v->part_target / 2);
        ngx_media_text_lit(t, ",");
    }

    ngx_media_text_lit(t, "HOLD-BACK=");
    ngx_media_text_us(t, NGX_MEDIA_M3U8_HOLD_BACK * target);
    ngx_media_text_lit(t, "\n");

    if (v->part_target) {
        ngx_media_text_lit(t, "#EXT-X-PART-INF:PART-TARGET=");
        ngx_media_text_us(t, v->part_target);
        ngx_media_text_lit(t, "\n");
    }
}


/*
 * The version is what the tags ask for, and of a delta update the same as of
 * the whole: 9 where there may be a SKIP, 6 with a MAP, else 3.
 */

static unsigned
ngx_media_m3u8_version(ngx_media_m3u8_t *m)
{
    if (m->params->can_skip || m->params->skip) {
        return 9;
    }

    return m->view->container == NGX_MEDIA_HLS_MPEGTS ? 3 : 6;
}


/*
 * Discontinuity sequence of the list: what the first segment has, less the
 * tag that stands before it.
 */

static uint32_t
ngx_media_m3u8_discontinuities(ngx_media_m3u8_t *m)
{
    const ngx_media_hls_segment_t  *s;

    if (m->view->nsegments == 0) {
        return 0;
    }

    if (m->first == m->view->nsegments) {
        return m->view->segment[m->first - 1].disc;
    }

    s = &m->view->segment[m->first];

    if ((s->flags & NGX_MEDIA_HLS_DISCONTINUITY) && s->disc) {
        return s->disc - 1;
    }

    return s->disc;
}


static void
ngx_media_m3u8_head(ngx_media_m3u8_t *m)
{
    uint64_t                     msn;
    ngx_media_text_t            *t;
    const ngx_media_hls_view_t  *v;

    t = &m->text;
    v = m->view;

    ngx_media_text_lit(t, "#EXTM3U\n#EXT-X-VERSION:");
    ngx_media_text_uint(t, ngx_media_m3u8_version(m));

    ngx_media_text_lit(t, "\n#EXT-X-TARGETDURATION:");
    ngx_media_text_uint(t, v->target);
    ngx_media_text_lit(t, "\n");

    ngx_media_m3u8_control(m);

    if (v->independent) {
        ngx_media_text_lit(t, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    }

    if (m->params->start) {
        ngx_media_text_lit(t, "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n");
    }

    msn = 0;

    if (m->first < v->nsegments) {
        msn = v->segment[m->first].msn;

    } else if (v->nsegments) {
        msn = v->segment[v->nsegments - 1].msn + 1;
    }

    ngx_media_text_lit(t, "#EXT-X-MEDIA-SEQUENCE:");
    ngx_media_text_uint(t, msn);

    ngx_media_text_lit(t, "\n#EXT-X-DISCONTINUITY-SEQUENCE:");
    ngx_media_text_uint(t, ngx_media_m3u8_discontinuities(m));
    ngx_media_text_lit(t, "\n");

    if (m->shown > m->first) {
        ngx_media_text_lit(t, "#EXT-X-SKIP:SKIPPED-SEGMENTS=");
        ngx_media_text_uint(t, m->shown - m->first);
        ngx_media_text_lit(t, "\n");
    }
}


/* a name of one's own, and an initialization vector for each segment */

static void
ngx_media_m3u8_own_key(ngx_media_m3u8_t *m, const ngx_media_m3u8_uri_t *own)
{
    ngx_media_text_t  *t;

    t = &m->text;

    ngx_media_text_lit(t, "#EXT-X-KEY:METHOD=AES-128,URI=\"");
    ngx_media_text_uri(t, own->key, own->key_len);
    ngx_media_text_lit(t, "\",IV=0x0000000000000000");
    ngx_media_text_hex32(t, (uint32_t) (own->iv >> 32));
    ngx_media_text_hex32(t, (uint32_t) own->iv);
    ngx_media_text_lit(t, "\n");
}


/* the initialization vector is the media sequence number, RFC 8216, 5.2 */

static void
ngx_media_m3u8_key(ngx_media_m3u8_t *m, uint32_t key,
    const ngx_media_m3u8_uri_t *own)
{
    ngx_media_text_t               *t;
    const ngx_media_m3u8_params_t  *params;

    if (key && own) {
        m->key = key;
        ngx_media_m3u8_own_key(m, own);
        return;
    }

    if (key == m->key) {
        return;
    }

    t = &m->text;
    params = m->params;
    m->key = key;

    if (key == 0) {
        ngx_media_text_lit(t, "#EXT-X-KEY:METHOD=NONE\n");
        return;
    }

    ngx_media_text_lit(t, "#EXT-X-KEY:METHOD=AES-128,URI=\"");
    ngx_media_m3u8_prefix(t, params->key_url, params->key_url_len);
    ngx_media_text_uri(t, params->stream, params->stream_len);
    ngx_media_text_lit(t, ".hls.key.");
    ngx_media_text_uint(t, key);
    ngx_media_m3u8_args(m, "?");
    ngx_media_text_lit(t, "\"\n");
}


/* init segments are clear, so no key is in force where a MAP stands */

static void
ngx_media_m3u8_map(ngx_media_m3u8_t *m, uint32_t i)
{
    uint32_t                     init;
    const ngx_media_m3u8_uri_t  *own;

    init = m->view->segment[i].init;

    if (init == m->init || init == 0) {
        return;
    }

    ngx_media_m3u8_key(m, 0, NULL);

    m->init = init;

    ngx_media_text_lit(&m->text, "#EXT-X-MAP:URI=\"");

    if (m->params->uris) {
        own = &m->params->uris[i];
        ngx_media_text_uri(&m->text, own->map, own->map_len);
        ngx_media_text_lit(&m->text, "\"\n");
        return;
    }

    ngx_media_m3u8_name(m);
    ngx_media_text_lit(&m->text, "init.mp4?v=");
    ngx_media_text_hex32(&m->text, init);
    ngx_media_m3u8_args(m, "&");
    ngx_media_text_lit(&m->text, "\"\n");
}


static void
ngx_media_m3u8_parts(ngx_media_m3u8_t *m, uint32_t i)
{
    uint32_t                        n, first;
    ngx_media_text_t               *t;
    const ngx_media_hls_part_t     *part;
    const ngx_media_hls_view_t     *v;
    const ngx_media_hls_segment_t  *s;

    t = &m->text;
    v = m->view;
    s = &v->segment[i];
    first = v->first_part[i];

    for (n = 0; n < s->nparts && first + n < v->nparts; n++) {
        part = &v->parts[first + n];

        ngx_media_text_lit(t, "#EXT-X-PART:DURATION=");
        ngx_media_text_us(t, part->duration);
        ngx_media_text_lit(t, ",URI=\"");
        ngx_media_m3u8_part_uri(m, s->msn, n);
        ngx_media_text_lit(t, "\"");

        if (part->flags & NGX_MEDIA_HLS_INDEPENDENT) {
            ngx_media_text_lit(t, ",INDEPENDENT=YES");
        }

        if (part->flags & NGX_MEDIA_HLS_GAP) {
            ngx_media_text_lit(t, ",GAP=YES");
        }

        ngx_media_text_lit(t, "\n");
    }
}


static void
ngx_media_m3u8_segment(ngx_media_m3u8_t *m, uint32_t i)
{
    ngx_media_text_t               *t;
    const ngx_media_hls_segment_t  *s;

    t = &m->text;
    s = &m->view->segment[i];

    if (s->flags & NGX_MEDIA_HLS_DISCONTINUITY) {
        ngx_media_text_lit(t, "#EXT-X-DISCONTINUITY\n");
    }

    ngx_media_m3u8_map(m, i);
    ngx_media_m3u8_key(m, s->key,
                       m->params->uris ? &m->params->uris[i] : NULL);

    if (s->pdt > 0) {
        ngx_media_text_lit(t, "#EXT-X-PROGRAM-DATE-TIME:");
        ngx_media_text_time(t, s->pdt);
        ngx_media_text_lit(t, "\n");
    }

    if (i >= m->parts) {
        ngx_media_m3u8_parts(m, i);
    }

    if (i >= m->whole) {
        return;
    }

    if (s->flags & NGX_MEDIA_HLS_GAP) {
        ngx_media_text_lit(t, "#EXT-X-GAP\n");
    }

    ngx_media_text_lit(t, "#EXTINF:");
    ngx_media_text_us(t, s->duration);
    ngx_media_text_lit(t, ",\n");

    if (m->params->uris) {
        ngx_media_text_uri(t, m->params->uris[i].uri,
                           m->params->uris[i].uri_len);

    } else {
        ngx_media_m3u8_name(m);
        ngx_media_text_uint(t, s->msn);
        ngx_media_m3u8_ending(m);
    }

    ngx_media_text_lit(t, "\n");
}


/* the part that comes next; which segment it is in is settled before */

static void
ngx_media_m3u8_hint(ngx_media_m3u8_t *m)
{
    uint32_t                        part;
    uint64_t                        msn;
    const ngx_media_hls_view_t     *v;
    const ngx_media_hls_segment_t  *s;

    v = m->view;

    if (v->part_target == 0 || v->nsegments == 0) {
        return;
    }

    s = &v->segment[v->nsegments - 1];

    msn = s->msn;
    part = s->nparts;

    if (s->flags & NGX_MEDIA_HLS_CLOSED) {
        msn++;
        part = 0;
    }

    ngx_media_text_lit(&m->text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"");
    ngx_media_m3u8_part_uri(m, msn, part);
    ngx_media_text_lit(&m->text, "\"\n");
}


static void
ngx_media_m3u8_reports(ngx_media_m3u8_t *m)
{
    uint32_t                        i;
    ngx_media_text_t               *t;
    const ngx_media_m3u8_report_t  *r;

    t = &m->text;

    for (i = 0; i < m->params->nreports; i++) {
        r = &m->params->reports[i];

        ngx_media_text_lit(t, "#EXT-X-RENDITION-REPORT:URI=\"");
        ngx_media_text_uri(t, (const u_char *) r->uri, strlen(r->uri));
        ngx_media_text_lit(t, "\",LAST-MSN=");
        ngx_media_text_uint(t, r->msn);

        if (r->low_latency) {
            ngx_media_text_lit(t, ",LAST-PART=");
            ngx_media_text_uint(t, r->part);
        }

        ngx_media_text_lit(t, "\n");
    }
}


size_t
ngx_media_m3u8_media(const ngx_media_hls_view_t *view,
    const ngx_media_m3u8_params_t *params, u_char *buf, size_t n)
{
    uint32_t          i;
    ngx_media_m3u8_t  m;

    memset(&m, 0, sizeof(ngx_media_m3u8_t));

    m.view = view;
    m.params = params;

    ngx_media_text_init(&m.text, buf, n);

    ngx_media_m3u8_plan(&m);
    ngx_media_m3u8_head(&m);

    /* what is in force after the skipped ones is known to the client */

    if (m.shown > m.first) {
        m.init = view->segment[m.shown - 1].init;
        m.key = view->segment[m.shown - 1].key;
    }

    for (i = m.shown; i < m.last; i++) {
        ngx_media_m3u8_segment(&m, i);
    }

    if (view->ended) {
        ngx_media_text_lit(&m.text, "#EXT-X-ENDLIST\n");

    } else {
        ngx_media_m3u8_hint(&m);
        ngx_media_m3u8_reports(&m);
    }

    return m.text.len;
}
