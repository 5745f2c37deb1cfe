
/*
 * Copyright (C) the nginx media suite authors
 *
 * Recordings: names, the three kinds of files from frames that are known, the
 * state that went through other memory, what is declined, hours, the end.
 */


#include "ngx_media_amf.h"
#include "ngx_media_bytes.h"
#include "ngx_media_file.h"
#include "ngx_media_flv.h"
#include "ngx_media_mp4_read.h"
#include "ngx_media_rc.h"
#include "ngx_media_test.h"


#define TEST_SECOND   1000000
#define TEST_GOP      50                   /* frames, 25 of them a second */


/* x264 High, 322x182, 25 fps; AAC LC 48 kHz stereo, 44.1 kHz */

static const char  test_avc[] =
    "01 64 00 0d ff e1 00 1e 67 64 00 0d ac d9 41 51 9e 22 6c 05 a8 08 08 0a"
    "00 00 03 00 02 00 00 03 00 64 1e 28 53 2c 01 00 06 68 eb e3 cb 22 c0 fd"
    "f8 f8 00";
static const char  test_aac[] = "11 90";
static const char  test_aac_44[] = "12 10";


typedef struct {
    u_char                   data[65536];
    u_char                   config[512];
    size_t                   used;
    uint32_t                 n;
    ngx_media_frame_t        frames[1024];
} test_batch_t;


typedef struct {
    u_char                  *p;
    size_t                   n;
    size_t                   size;
} test_bytes_t;


static test_batch_t  test_batch;


static ngx_media_frame_t *
test_add(unsigned track, uint8_t codec, unsigned flags, int64_t dts,
    const void *p, size_t n)
{
    ngx_media_frame_t  *f;

    f = &test_batch.frames[test_batch.n++];
    memset(f, 0, sizeof(ngx_media_frame_t));

    f->track = (uint8_t) track;
    f->codec = codec;
    f->flags = (uint16_t) flags;
    f->dts = dts;
    f->data = test_batch.data + test_batch.used;
    f->size = (uint32_t) n;
    f->aux = 0xaf;

    if (n) {
        memcpy(test_batch.data + test_batch.used, p, n);
    }

    test_batch.used += n;

    return f;
}


static void
test_reset(void)
{
    test_batch.n = 0;
    test_batch.used = 0;
}


static void
test_config(unsigned track, uint8_t codec, const char *hex)
{
    u_char  buf[256];
    size_t  n;

    n = ngx_media_test_hex(hex, buf, sizeof(buf));

    (void) test_add(track, codec, NGX_MEDIA_FRAME_CONFIG, 0, buf, n);
}


static void
test_heads(void)
{
    test_config(0, NGX_MEDIA_CODEC_H264, test_avc);
    test_config(1, NGX_MEDIA_CODEC_AAC, test_aac);
}


/* One picture, an IDR or not, that says which one it is. */

static ngx_media_frame_t *
test_video(int64_t dts, uint32_t number, unsigned key)
{
    u_char              nal[16];
    ngx_media_frame_t  *f;

    memset(nal, 0x5a, sizeof(nal));
    (void) ngx_media_put_be32(nal, 12);
    nal[4] = key ? 0x65 : 0x41;
    (void) ngx_media_put_be32(nal + 8, number | 0x80000000);

    f = test_add(0, NGX_MEDIA_CODEC_H264,
                 key ? NGX_MEDIA_FRAME_KEY|NGX_MEDIA_FRAME_SYNC : 0, dts, nal,
                 16);
    f->cts = 40000;

    return f;
}


static ngx_media_frame_t *
test_audio(int64_t dts, uint32_t number)
{
    u_char  raw[8];

    memset(raw, 0x21, sizeof(raw));
    (void) ngx_media_put_be32(raw + 2, number);

    return test_add(1, NGX_MEDIA_CODEC_AAC, 0, dts, raw, 8);
}


/* A second of both, ms as senders have them; the first frame is a keyframe. */

static void
test_second(int64_t start, uint32_t number)
{
    uint32_t  v, a;
    uint64_t  first;

    first = ((uint64_t) number * 48000 + 1023) / 1024;

    for (v = 0, a = 0; v < 25; v++) {

        (void) test_video(start + (int64_t) (number * 25ull + v) * 40000,
                          number * 25 + v,
                          (number * 25 + v) % TEST_GOP == 0);

        while ((first + a) * 1024 * 1000 / 48000 * 1000
               < (number * 25ull + v + 1) * 40000)
        {
            (void) test_audio(start + (int64_t) ((first + a) * 1024 * 1000
                                                 / 48000) * 1000,
                              (uint32_t) first + a);
            a++;
        }
    }
}


/* Writes the batch; -1 and less as ngx_media_file_batch(). */

static ssize_t
test_write(ngx_media_file_t *f, test_bytes_t *out)
{
    size_t   room;
    u_char  *buf;
    ssize_t  n;

    room = ngx_media_file_room(f, test_batch.frames, test_batch.n);
    buf = malloc(room ? room : 1);

    n = ngx_media_file_batch(f, test_batch.frames, test_batch.n, buf, room);

    if (n > 0 && out) {

        if (out->size - out->n < (size_t) n) {
            out->size = (out->n + (size_t) n) * 2;
            out->p = realloc(out->p, out->size);
        }

        memcpy(out->p + out->n, buf, (size_t) n);
        out->n += (size_t) n;
    }

    free(buf);
    test_reset();

    return n;
}


static void
test_names(void)
{
    ok(ngx_media_file_kind((u_char *) "a.flv", 5) == NGX_MEDIA_FILE_FLV,
       "a.flv is FLV");
    ok(ngx_media_file_kind((u_char *) "a/b.mp4", 7) == NGX_MEDIA_FILE_MP4,
       "a/b.mp4 is MP4");
    ok(ngx_media_file_kind((u_char *) "a.ts", 4) == NGX_MEDIA_FILE_TS,
       "a.ts is MPEG-TS");
    ok(ngx_media_file_kind((u_char *) ".ts", 3) == 0
       && ngx_media_file_kind((u_char *) "a.mkv", 5) == 0
       && ngx_media_file_kind((u_char *) "mp4", 3) == 0, "others are none");
    ok(strcmp(ngx_media_file_ending(NGX_MEDIA_FILE_MP4), ".mp4") == 0,
       "and back");
}


/* The same frames, once by one state, once by copies of it. */

static void
test_copies(uint8_t kind)
{
    uint32_t           i;
    test_bytes_t       a, b;
    ngx_media_file_t   one, *other, *next;

    memset(&a, 0, sizeof(test_bytes_t));
    memset(&b, 0, sizeof(test_bytes_t));

    ngx_media_file_init(&one, kind);
    other = malloc(sizeof(ngx_media_file_t));
    ngx_media_file_init(other, kind);

    for (i = 0; i < 20; i++) {

        if (i == 0) {
            test_heads();
        }

        test_second(7 * TEST_SECOND, i);

        if (test_write(&one, &a) <= 0) {
            ok(0, "kind %d: batch %u", kind, i);
        }

        if (i == 0) {
            test_heads();
        }

        test_second(7 * TEST_SECOND, i);
        (void) test_write(other, &b);

        if (i == 10) {
            ngx_media_file_rebase(&one, 5000);
            ngx_media_file_rebase(other, 5000);
        }

        next = malloc(sizeof(ngx_media_file_t));
        memcpy(next, other, sizeof(ngx_media_file_t));
        memset(other, 0xee, sizeof(ngx_media_file_t));
        free(other);
        other = next;
    }

    ok(ngx_media_file_valid(&one), "kind %d: its state holds together", kind);
    one.version++;
    ok(!ngx_media_file_valid(&one), "kind %d: that of another build", kind);
    one.version--;

    is_mem(a.p, a.n, b.p, b.n, "kind %d: a copy of the state goes on", kind);
    ok(memcmp(&one, other, sizeof(ngx_media_file_t)) == 0,
       "kind %d: and is the same", kind);
    ok(one.bytes == a.n && one.frames == 500 + 938 && one.skipped == 0,
       "kind %d: counts bytes and frames", kind);
    ok(one.end >= 20 * TEST_SECOND + 5000 && one.end < 20 * TEST_SECOND + 90000,
       "kind %d: and knows its end", kind);

    free(other);
    free(a.p);
    free(b.p);
}


/* All samples of an MP4, in the order of its tracks, against the frames. */

typedef struct {
    uint32_t    next[2];                   /* number of the next frame */
    uint64_t    end[2];                    /* of the run before */
    uint64_t    worst;                     /* us, of a presentation time */
    uint32_t    holes;
    uint32_t    faults;
} test_mp4_t;


static void
test_moof(ngx_media_mp4_movie_t *movie, test_mp4_t *t, const u_char *p,
    const u_char *end, int64_t offset)
{
    int                         rc;
    int64_t                     want, got;
    uint64_t                    d;
    uint32_t                    number, k;
    ngx_media_mp4_moof_t        it;
    ngx_media_mp4_in_sample_t   s;

    rc = ngx_media_mp4_moof_init(&it, movie, p, end);

    while (rc == NGX_MEDIA_OK
           && (rc = ngx_media_mp4_moof_next(&it, &s)) == NGX_MEDIA_OK)
    {
        k = s.track;

        if (s.offset + s.size > (uint64_t) (end - p)) {
            t->faults++;
            continue;
        }

        if (t->next[k] && s.dts != t->end[k]) {
            t->holes++;
        }

        t->end[k] = s.dts + s.duration;

        number = ngx_media_get_be32(p + s.offset + (k ? 2 : 8)) & 0x7fffffff;

        if (number != t->next[k]++) {
            t->faults++;
        }

        if (k == 0 && !(s.flags & NGX_MEDIA_MP4_KEY) != !!(number % TEST_GOP))
        {
            t->faults++;
        }

        want = k ? (int64_t) ((uint64_t) number * 1024 * 1000 / 48000) * 1000
                 : (int64_t) number * 40000 + 40000;
        got = ngx_media_mp4_us((uint64_t) ((int64_t) s.dts + s.cts),
                               movie->track[k].timescale) + offset;
        d = (uint64_t) (got < want ? want - got : got - want);
        t->worst = d > t->worst ? d : t->worst;
    }

    if (rc != NGX_MEDIA_DONE) {
        t->faults++;
    }
}


static void
test_hours(void)
{
    ssize_t                 n;
    uint32_t                i, bad;
    u_char                 *init;
    test_mp4_t              t;
    test_bytes_t            out;
    const u_char           *p;
    ngx_media_file_t        f;
    ngx_media_mp4_box_t     box;
    ngx_media_mp4_movie_t   movie;

    memset(&t, 0, sizeof(test_mp4_t));
    memset(&out, 0, sizeof(test_bytes_t));
    memset(&movie, 0, sizeof(ngx_media_mp4_movie_t));

    ngx_media_file_init(&f, NGX_MEDIA_FILE_MP4);
    test_heads();
    init = NULL;
    bad = 0;

    for (i = 0; i < 36000; i++) {
        test_second(99 * TEST_SECOND, i);

        n = test_write(&f, &out);

        if (n <= 0) {
            bad++;
            continue;
        }

        p = out.p;

        if (i == 0) {
            (void) ngx_media_mp4_box(p, p + out.n, &box);
            p += box.size;
            bad += ngx_media_mp4_box(p, p + out.n, &box) != NGX_MEDIA_OK;
            bad += ngx_media_mp4_movie(&movie, p, p + box.size)
                   != NGX_MEDIA_OK;
            n -= (p - out.p) + (ssize_t) box.size;
            p = out.p + (out.n - (size_t) n);
        }

        test_moof(&movie, &t, p, p + n, 0);

        /* the tracks point into the init segment */

        if (i == 0) {
            init = out.p;
            out.p = NULL;
            out.size = 0;
        }

        out.n = 0;
    }

    ok(bad == 0 && t.faults == 0, "10 hours: every frame, in order");
    ok(t.next[0] == 900000 && t.next[1] == 1687500,
       "10 hours: none is missing");
    ok(t.holes == 0, "10 hours: no run overlaps or leaves a hole");
    ok(t.worst <= 1000, "10 hours: no time is off by more than a ms (%u us)",
       (unsigned) t.worst);
    ok(f.end == 36000LL * TEST_SECOND, "10 hours: the end is exact (%lld)",
       (long long) f.end);

    free(init);
    free(out.p);
}


static void
test_declined(void)
{
    test_bytes_t      out;
    ngx_media_file_t  f, before;

    memset(&out, 0, sizeof(test_bytes_t));
    ngx_media_file_init(&f, NGX_MEDIA_FILE_MP4);

    test_config(0, NGX_MEDIA_CODEC_H264, test_avc);
    (void) test_video(0, 0, 1);
    ok(test_write(&f, &out) > 0 && f.u.mp4.ntracks == 1, "a video alone");

    before = f;
    test_config(1, NGX_MEDIA_CODEC_AAC, test_aac);
    (void) test_video(40000, 1, 0);
    (void) test_audio(41000, 0);
    ok(test_write(&f, &out) == NGX_MEDIA_DECLINED
       && memcmp(&f, &before, sizeof(f)) == 0, "a track that comes late");

    (void) test_video(40000, 1, 0);
    (void) test_audio(41000, 0);
    ok(test_write(&f, &out) > 0 && f.skipped == 1,
       "unless nothing tells what it is");

    test_config(0, NGX_MEDIA_CODEC_H264, test_avc);
    (void) test_video(80000, 2, 0);
    ok(test_write(&f, &out) > 0, "the same configuration again");

    ngx_media_file_init(&f, NGX_MEDIA_FILE_MP4);
    test_heads();
    (void) test_video(0, 0, 1);
    ok(test_write(&f, &out) > 0 && f.u.mp4.ntracks == 2,
       "a track with a configuration alone");

    test_config(1, NGX_MEDIA_CODEC_AAC, test_aac_44);
    (void) test_audio(41000, 0);
    ok(test_write(&f, &out) == NGX_MEDIA_DECLINED, "another configuration");

    test_config(0, NGX_MEDIA_CODEC_H264, test_avc);
    test_config(1, NGX_MEDIA_CODEC_AAC, test_aac);
    (void) test_video(0, 0, 1);
    (void) test_audio(1000, 0);
    test_config(1, NGX_MEDIA_CODEC_AAC, test_aac_44);
    (void) test_audio(23000, 1);
    ngx_media_file_init(&f, NGX_MEDIA_FILE_MP4);
    ok(test_write(&f, &out) > 0 && f.frames == 2 && f.skipped == 1,
       "a first batch is never declined");

    (void) test_audio(-20 * TEST_SECOND, 2);
    ok(test_write(&f, &out) == NGX_MEDIA_DECLINED, "time that goes back");
    (void) test_audio(2000 * (int64_t) TEST_SECOND, 2);
    ok(test_write(&f, &out) == NGX_MEDIA_DECLINED, "time that leaps");

    ngx_media_file_rebase(&f, 100000);
    (void) test_video(-20 * TEST_SECOND, 2, 1);
    (void) test_audio(-20 * TEST_SECOND, 2);
    ok(test_write(&f, &out) > 0, "but for another timeline");

    ngx_media_file_init(&f, NGX_MEDIA_FILE_MP4);
    (void) test_add(1, NGX_MEDIA_CODEC_OTHER_AUDIO, 0, 0, "x", 1);
    ok(test_write(&f, &out) == 0 && f.bytes == 0 && f.skipped == 1
       && !f.begun, "nothing that has a form there");
    ok(test_write(&f, &out) == 0, "nothing at all");

    free(out.p);
}


/* Reads a number of onMetaData; -1: it is not there. */

static double
test_meta(const test_bytes_t *b, const char *key, const char *inner)
{
    double                 last;
    ngx_media_amf_t        amf;
    ngx_media_flv_tag_t    tag;
    ngx_media_amf_iter_t   it;
    ngx_media_amf_str_t    name;
    ngx_media_amf_value_t  v, object, array;

    if (ngx_media_flv_tag_parse(b->p + 13, b->p + b->n, &tag) == NULL
        || tag.type != NGX_MEDIA_FLV_SCRIPT || tag.size > b->n - 24)
    {
        return -1;
    }

    ngx_media_amf_init(&amf, b->p + 24, b->p + 24 + tag.size);

    if (ngx_media_amf_read(&amf, &v) != NGX_MEDIA_OK
        || !ngx_media_amf_is(&v, "onMetaData")
        || ngx_media_amf_read(&amf, &object) != NGX_MEDIA_OK
        || ngx_media_amf_find(&amf, &object, key, &v) != NGX_MEDIA_OK)
    {
        return -1;
    }

    if (inner == NULL) {
        return v.type == NGX_MEDIA_AMF_NUMBER ? v.number : -1;
    }

    if (ngx_media_amf_find(&amf, &v, inner, &array) != NGX_MEDIA_OK) {
        return -1;
    }

    ngx_media_amf_enter(&amf, &array, &it);

    /* the last one */

    last = -1;

    while (ngx_media_amf_next(&it, &name, &v) == NGX_MEDIA_OK) {
        last = v.number;
    }

    return last;
}


static void
test_patch(ngx_media_file_t *f, test_bytes_t *out,
    const ngx_media_file_key_t *keys, uint32_t n)
{
    u_char                  *buf;
    ssize_t                  size;
    uint32_t                 i, append, npatches;
    ngx_media_file_patch_t   patches[NGX_MEDIA_FILE_PATCHES];

    buf = malloc(65536);
    size = ngx_media_file_close(f, keys, n, buf, 65536, &append, patches,
                                &npatches);

    ok(size >= 0 && append == 0 && npatches <= NGX_MEDIA_FILE_PATCHES,
       "kind %d is closed", f->kind);

    for (i = 0; i < npatches && size > 0; i++) {

        if (!ok(patches[i].offset + patches[i].size <= out->n
                && patches[i].pos + patches[i].size <= (size_t) size,
                "patch %u is in the file", i))
        {
            continue;
        }

        memcpy(out->p + patches[i].offset, buf + patches[i].pos,
               patches[i].size);
    }

    free(buf);
}


static void
test_flv(void)
{
    double                  last;
    uint32_t                i, n;
    test_bytes_t            out;
    ngx_media_file_t        f;
    ngx_media_amf_out_t     w;
    ngx_media_flv_tag_t     tag;
    ngx_media_file_key_t   *keys;
    u_char                  meta[256];

    memset(&out, 0, sizeof(test_bytes_t));
    keys = malloc(1000 * sizeof(ngx_media_file_key_t));
    n = 0;

    ngx_media_file_init(&f, NGX_MEDIA_FILE_FLV);

    ngx_media_amf_out_init(&w, meta, sizeof(meta));
    ngx_media_amf_put_cstr(&w, "onMetaData");
    ngx_media_amf_put_ecma_array(&w, 3);
    ngx_media_amf_prop_cstr(&w, "duration", "none");
    ngx_media_amf_prop_number(&w, "width", 9999);
    ngx_media_amf_prop_number(&w, "mine", 17);
    ngx_media_amf_put_end(&w);

    (void) test_add(15, NGX_MEDIA_CODEC_SCRIPT, NGX_MEDIA_FRAME_META, 0, meta,
                    ngx_media_amf_out_size(&w));
    test_config(0, NGX_MEDIA_CODEC_H264, test_avc);

    for (i = 0; i < 2000; i++) {

        if (i % 2 == 0) {
            keys[n].offset = f.bytes;
            keys[n++].time = (int64_t) i * TEST_SECOND;
        }

        if (i == 7) {
            test_config(1, NGX_MEDIA_CODEC_AAC, test_aac);
            (void) test_audio((int64_t) i * TEST_SECOND, 0);
        }

        (void) test_video((int64_t) i * TEST_SECOND, i, i % 2 == 0);

        if (test_write(&f, &out) <= 0) {
            ok(0, "FLV: batch %u", i);
        }
    }

    ok(out.p[4] == 1, "the header says what is there");
    ok(test_meta(&out, "duration", NULL) == 0
       && test_meta(&out, "width", NULL) == 322
       && test_meta(&out, "height", NULL) == 182
       && test_meta(&out, "videocodecid", NULL) == 7
       && test_meta(&out, "mine", NULL) == 17,
       "metadata of the publisher, and what the configuration says");

    test_patch(&f, &out, keys, n);

    ok(out.p[4] == 5, "the header knows what came later");
    ok(test_meta(&out, "duration", NULL) == 2000
       && test_meta(&out, "filesize", NULL) == (double) out.n,
       "duration and size of the file");

    last = test_meta(&out, "keyframes", "filepositions");
    i = (uint32_t) last;
    ok(last > 0 && i < out.n
       && ngx_media_flv_tag_parse(out.p + i, out.p + out.n, &tag) != NULL
       && tag.type == NGX_MEDIA_FLV_VIDEO && out.p[i + 11] == 0x17
       && tag.ms == test_meta(&out, "keyframes", "times") * 1000
       && tag.ms > 1990000, "an index entry is where its keyframe is");
    ok(n == 1000 && test_meta(&out, "filler", NULL) == -1,
       "of more start points than there is room for some are in it");

    free(keys);
    free(out.p);
}


static void
test_mp4_end(void)
{
    uint32_t               i;
    test_bytes_t           out;
    ngx_media_file_t       f;

    memset(&out, 0, sizeof(test_bytes_t));
    ngx_media_file_init(&f, NGX_MEDIA_FILE_MP4);
    test_heads();

    for (i = 0; i < 3; i++) {
        test_second(0, i);
        (void) test_write(&f, &out);
    }

    ok(ngx_media_get_be64(out.p + f.u.mp4.duration) == 0, "mehd is 0 before");
    test_patch(&f, &out, NULL, 0);
    ok(memcmp(out.p + f.u.mp4.duration - 8, "mehd", 4) == 0
       && ngx_media_get_be64(out.p + f.u.mp4.duration) == 3008,
       "mehd is what it lasts (%u ms)",
       (unsigned) ngx_media_get_be64(out.p + f.u.mp4.duration));

    free(out.p);
}


int
main(void)
{
    test_names();
    test_copies(NGX_MEDIA_FILE_FLV);
    test_copies(NGX_MEDIA_FILE_MP4);
    test_copies(NGX_MEDIA_FILE_TS);
    test_declined();
    test_flv();
    test_mp4_end();
    test_hours();

    return done_testing();
}
