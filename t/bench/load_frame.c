
/*
 * Copyright (C) the nginx media suite authors
 *
 * The frames of the load tool: synthetic H.264 and AAC in the shape of FLV
 * tags, and the tags of a real FLV file.
 *
 * A synthetic frame has a valid FLV head, for video one NAL unit with its
 * length, and then a mark that says which frame it is and when it was sent,
 * with a checksum over all of the rest.  Everything behind the head is
 * bytes 0x40..0x7f: no start code can appear in it.
 *
 *   mark: "NGXL" kind stream[5] seq[8] sent[11] pts[6] sum[6], digits of
 *         six bits, most significant first; sum is over what follows it,
 *         mixed with the digits before it.
 *
 * FLV: Adobe FLV 10.1, E.4.  Sequence headers: ISO/IEC 14496-15 5.3.3.1
 * (from a real encoder: High, level 3.0, 640x360) and 14496-3 1.6.2.1.
 */


#include "load.h"


#define LOAD_MARK_LEN    (4 + 1 + 5 + 8 + 11 + 6 + 6)
#define LOAD_MARK_SUM    (LOAD_MARK_LEN - 6)
#define LOAD_VIDEO_HEAD  10          /* 5 of FLV, 4 length, 1 NAL header */
#define LOAD_AUDIO_HEAD  2
#define LOAD_KEY_WEIGHT  5           /* a keyframe weighs as much */
#define LOAD_FRAME_MAX   (4 * 1024 * 1024)
#define LOAD_FILL        (64 * 1024)


static u_char  load_avc_header[] = {
    0x17, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x64, 0x00, 0x1e, 0xff, 0xe1, 0x00, 0x1a,
    0x67, 0x64, 0x00, 0x1e, 0xac, 0xb2, 0x01, 0x40, 0x5f, 0xf2, 0xe0, 0x22,
    0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x64, 0x1e, 0x2c,
    0x5c, 0x90,
    0x01, 0x00, 0x06,
    0x68, 0xeb, 0xc3, 0xcb, 0x22, 0xc0,
    0xfd, 0xf8, 0xf8, 0x00
};

static u_char  load_aac_header[] = { 0xaf, 0x00, 0x12, 0x10 };

static u_char  load_metadata[] =
    "\x02\x00\x0a" "onMetaData" "\x08\x00\x00\x00\x05"
    "\x00\x05" "width"        "\x00\x40\x84\x00\x00\x00\x00\x00\x00"
    "\x00\x06" "height"       "\x00\x40\x76\x80\x00\x00\x00\x00\x00"
    "\x00\x09" "framerate"    "\x00\x40\x39\x00\x00\x00\x00\x00\x00"
    "\x00\x0c" "videocodecid" "\x00\x40\x1c\x00\x00\x00\x00\x00\x00"
    "\x00\x0c" "audiocodecid" "\x00\x40\x24\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x09";

static u_char  load_fill[LOAD_FILL];


/* not cryptographic: finds bytes that are lost, changed or moved */

uint32_t
load_hash(const u_char *p, size_t n)
{
    uint64_t  h, w;

    h = 0x9e3779b97f4a7c15ULL ^ n;

    for ( /* void */ ; n >= 8; n -= 8, p += 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdULL;
        h ^= h >> 32;
    }

    for ( /* void */ ; n; n--) {
        h = (h ^ *p++) * 0xff51afd7ed558ccdULL;
        h ^= h >> 32;
    }

    return (uint32_t) h;
}


static u_char *
load_digits_put(u_char *p, uint64_t v, int n)
{
    int  i;

    for (i = n - 1; i >= 0; i--) {
        p[i] = (u_char) (0x40 | (v & 0x3f));
        v >>= 6;
    }

    return p + n;
}


static const u_char *
load_digits_get(const u_char *p, uint64_t *v, int n)
{
    uint64_t  r;

    for (r = 0; n > 0; n--) {
        r = r << 6 | (*p++ & 0x3f);
    }

    *v = r;

    return p;
}


/*
 * Sizes that make up --bitrate: a quarter of it is audio (at most 128
 * kbit/s), the rest video with keyframes LOAD_KEY_WEIGHT times as large.
 */

int
load_gen_init(load_gen_t *g, uint32_t stream)
{
    size_t    i, fps, gop;
    double    audio, video, inter;
    uint32_t  x;

    memset(g, 0, sizeof(load_gen_t));

    fps = ld.opt.fps;
    gop = ld.opt.gop;

    audio = ld.opt.kbps * 1000 / 8.0 / 4;
    if (audio > 16000) {
        audio = 16000;
    }

    video = ld.opt.kbps * 1000 / 8.0 - audio;
    inter = video / (double) fps * (double) gop
            / ((double) gop - 1 + LOAD_KEY_WEIGHT);

    g->stream = stream;
    g->audio_size = (size_t) (audio * 1024 / 44100);
    g->inter_size = (size_t) inter;
    g->key_size = (size_t) (inter * LOAD_KEY_WEIGHT);

    if (g->audio_size < LOAD_AUDIO_HEAD + LOAD_MARK_LEN
        || g->inter_size < LOAD_VIDEO_HEAD + LOAD_MARK_LEN
        || g->key_size > LOAD_FRAME_MAX)
    {
        fprintf(stderr, "--bitrate gives frames that are too small "
                        "or too large\n");
        return LOAD_ERROR;
    }

    if (load_fill[0] == 0) {
        for (x = 1, i = 0; i < LOAD_FILL; i++) {
            x = x * 1103515245 + 12345;
            load_fill[i] = (u_char) (0x40 | ((x >> 16) & 0x3f));
        }
    }

    g->buf = malloc(g->key_size > g->audio_size ? g->key_size
                                                : g->audio_size);

    return g->buf ? LOAD_OK : LOAD_ERROR;
}


static uint64_t
load_gen_video_pts(load_gen_t *g)
{
    return g->video_n * LOAD_SEC / ld.opt.fps;
}


static uint64_t
load_gen_audio_pts(load_gen_t *g)
{
    return g->audio_n * 1024 * LOAD_SEC / 44100;
}


/* when the next tag is due, counted from the stream's start */

uint64_t
load_gen_due(load_gen_t *g)
{
    uint64_t  a, v;

    a = load_gen_audio_pts(g);
    v = load_gen_video_pts(g);

    return a < v ? a : v;
}


static void
load_gen_mark(load_gen_t *g, u_char *p, size_t n, u_char kind, uint64_t now,
    uint32_t pts)
{
    size_t     off, part;
    u_char    *q, *last;
    uint32_t   sum;

    last = p + n;

    memcpy(p, "NGXL", 4);
    q = p + 4;
    *q++ = kind;
    q = load_digits_put(q, g->stream, 5);
    q = load_digits_put(q, g->seq, 8);
    q = load_digits_put(q, now, 11);
    q = load_digits_put(q, pts, 6);
    q += 6;

    off = (size_t) (g->seq * 131 + g->stream * 17) % (LOAD_FILL / 2);

    while (q < last) {
        part = (size_t) (last - q);
        if (part > LOAD_FILL - off) {
            part = LOAD_FILL - off;
        }

        memcpy(q, load_fill + off, part);
        q += part;
        off = 0;
    }

    q = p + LOAD_MARK_SUM;
    sum = load_hash(p, LOAD_MARK_SUM)
          ^ load_hash(q + 6, (size_t) (last - q - 6));
    (void) load_digits_put(q, sum, 6);
}


/* makes the next frame in g->buf; it is valid until the next call */

void
load_gen_next(load_gen_t *g, uint64_t now, load_tag_t *tag)
{
    int      key;
    u_char  *p;

    p = g->buf;
    tag->data = p;
    tag->seq = g->seq;

    if (load_gen_audio_pts(g) < load_gen_video_pts(g)) {
        tag->type = LOAD_TAG_AUDIO;
        tag->ts = (uint32_t) (load_gen_audio_pts(g) / LOAD_MS);
        tag->len = g->audio_size;
        tag->key = 0;
        g->audio_n++;

        *p++ = 0xaf;
        *p++ = 1;

        load_gen_mark(g, p, tag->len - LOAD_AUDIO_HEAD, 'A', now, tag->ts);

    } else {
        key = (g->video_n % ld.opt.gop == 0);

        tag->type = LOAD_TAG_VIDEO;
        tag->ts = (uint32_t) (load_gen_video_pts(g) / LOAD_MS);
        tag->len = key ? g->key_size : g->inter_size;
        tag->key = key;
        g->video_n++;

        *p++ = key ? 0x17 : 0x27;
        p = load_put_be(p, 1, 1);
        p = load_put_be(p, 0, 3);
        p = load_put_be(p, (uint32_t) tag->len - 9, 4);
        *p++ = key ? 0x65 : 0x41;

        load_gen_mark(g, p, tag->len - LOAD_VIDEO_HEAD, key ? 'K' : 'V', now,
                      tag->ts);
    }

    g->seq++;
}


/* metadata and the two configurations, as an encoder sends them first */

size_t
load_gen_headers(load_tag_t *tags, size_t max)
{
    if (max < 3) {
        return 0;
    }

    memset(tags, 0, 3 * sizeof(load_tag_t));

    tags[0].type = LOAD_TAG_META;
    tags[0].data = load_metadata;
    tags[0].len = sizeof(load_metadata) - 1;

    tags[1].type = LOAD_TAG_VIDEO;
    tags[1].data = load_avc_header;
    tags[1].len = sizeof(load_avc_header);

    tags[2].type = LOAD_TAG_AUDIO;
    tags[2].data = load_aac_header;
    tags[2].len = sizeof(load_aac_header);

    return 3;
}


/* p is at the mark; LOAD_ERROR: there is none, or bytes were changed */

int
load_mark_parse(const u_char *p, size_t n, load_mark_t *m)
{
    uint64_t       v;
    const u_char  *q;

    if (n < LOAD_MARK_LEN || memcmp(p, "NGXL", 4) != 0) {
        return LOAD_ERROR;
    }

    q = load_digits_get(p + 5, &v, 5);
    m->stream = (uint32_t) v;
    q = load_digits_get(q, &m->seq, 8);
    q = load_digits_get(q, &m->sent, 11);
    q = load_digits_get(q, &v, 6);
    m->pts = (uint32_t) v;
    q = load_digits_get(q, &v, 6);

    if ((uint32_t) v != (load_hash(p, LOAD_MARK_SUM)
                         ^ load_hash(q, (size_t) (p + n - q))))
    {
        return LOAD_ERROR;
    }

    return LOAD_OK;
}


/* the same for a whole tag body */

int
load_mark_read(const u_char *p, size_t n, load_mark_t *m)
{
    size_t  head;

    head = (p[0] >> 4) == 10 ? LOAD_AUDIO_HEAD : LOAD_VIDEO_HEAD;

    return n < head ? LOAD_ERROR : load_mark_parse(p + head, n - head, m);
}


/* legacy and enhanced (E-RTMP v1) video, AAC and other audio */

load_class_e
load_tag_class(unsigned type, const u_char *p, size_t n)
{
    unsigned  frame, packet;

    if (n < 2) {
        return LOAD_CLASS_OTHER;
    }

    if (type == LOAD_TAG_AUDIO) {
        if ((p[0] >> 4) == 10 && p[1] == 0) {
            return LOAD_CLASS_HEADER;
        }

        return LOAD_CLASS_AUDIO;
    }

    if (type != LOAD_TAG_VIDEO) {
        return LOAD_CLASS_OTHER;
    }

    frame = (p[0] >> 4) & 7;

    if (p[0] & 0x80) {
        packet = p[0] & 15;

        if (packet == 0) {
            return LOAD_CLASS_HEADER;
        }

        if (packet != 1 && packet != 3) {
            return LOAD_CLASS_OTHER;
        }

        return frame == 1 ? LOAD_CLASS_KEY : LOAD_CLASS_INTER;
    }

    if ((p[0] & 15) == 7 || (p[0] & 15) == 12) {
        if (p[1] == 0) {
            return LOAD_CLASS_HEADER;
        }

        if (p[1] != 1) {
            return LOAD_CLASS_OTHER;
        }
    }

    if (frame == 5) {
        return LOAD_CLASS_OTHER;
    }

    return frame == 1 ? LOAD_CLASS_KEY : LOAD_CLASS_INTER;
}


static u_char *
load_slurp(const char *name, size_t *size)
{
    long     n;
    FILE    *fp;
    u_char  *p;

    fp = fopen(name, "rb");
    if (fp == NULL) {
        perror(name);
        return NULL;
    }

    p = NULL;

    if (fseek(fp, 0, SEEK_END) == 0 && (n = ftell(fp)) > 0) {
        rewind(fp);
        p = malloc((size_t) n);

        if (p && fread(p, 1, (size_t) n, fp) != (size_t) n) {
            free(p);
            p = NULL;
        }

        *size = (size_t) n;
    }

    fclose(fp);

    return p;
}


/* frames go to tags, configurations and metadata to headers */

static void
load_file_tag(load_file_t *f, load_tag_t *t)
{
    load_class_e  class;

    class = load_tag_class(t->type, t->data, t->len);

    if (class == LOAD_CLASS_HEADER || t->type == LOAD_TAG_META) {
        if (f->nheaders < sizeof(f->headers) / sizeof(f->headers[0])) {
            f->headers[f->nheaders++] = *t;
        }

        return;
    }

    if (class == LOAD_CLASS_OTHER) {
        return;
    }

    t->key = (class == LOAD_CLASS_KEY);
    f->nkeys += t->key;

    f->hash[f->n] = load_hash(t->data, t->len);
    f->tags[f->n] = *t;
    f->n++;
}


int
load_file_read(load_file_t *f, const char *name)
{
    size_t      size, n;
    u_char     *p, *last;
    load_tag_t  t;

    memset(f, 0, sizeof(load_file_t));

    size = 0;
    p = load_slurp(name, &size);

    if (p == NULL || size < 13 || memcmp(p, "FLV", 3) != 0) {
        fprintf(stderr, "%s: not an FLV file\n", name);
        return LOAD_ERROR;
    }

    n = size / 15 + 1;
    f->tags = calloc(n, sizeof(load_tag_t));
    f->hash = calloc(n, sizeof(uint32_t));
    f->sent = calloc(n, sizeof(uint64_t));

    if (f->tags == NULL || f->hash == NULL || f->sent == NULL) {
        return LOAD_ERROR;
    }

    last = p + size;
    memset(&t, 0, sizeof(t));

    for (p += 13; last - p >= 15; p += 15 + t.len) {
        t.type = p[0] & 0x1f;
        t.len = load_get_be(p + 1, 3);
        t.ts = load_get_be(p + 4, 3) | (uint32_t) p[7] << 24;
        t.data = p + 11;
        t.key = 0;

        if ((size_t) (last - p) < 15 + t.len) {
            break;
        }

        load_file_tag(f, &t);
    }

    if (f->n < 2 || f->nkeys == 0) {
        fprintf(stderr, "%s: no frames or no keyframe\n", name);
        return LOAD_ERROR;
    }

    f->duration = f->tags[f->n - 1].ts - f->tags[0].ts + 40;

    return LOAD_OK;
}
