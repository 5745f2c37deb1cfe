
/*
 * Copyright (C) the nginx media suite authors
 *
 * Reading MP4: boxes, tracks of every codec, samples and times of fragments,
 * their shift; the index of a progressive file, read back.
 */


#include "ngx_media_bytes.h"
#include "ngx_media_mp4_moov.h"
#include "ngx_media_rc.h"
#include "ngx_media_test.h"


static const char  test_avc[] =
    "01 64 00 0d ff e1 00 1e 67 64 00 0d ac d9 41 51 9e 22 6c 05 a8 08 08 0a"
    "00 00 03 00 02 00 00 03 00 64 1e 28 53 2c 01 00 06 68 eb e3 cb 22 c0 fd"
    "f8 f8 00";
static const char  test_aac[] = "11 90";
static const char  test_opus[] =
    "4f 70 75 73 48 65 61 64 01 02 38 01 80 bb 00 00 02 01 00";
static const char  test_flac[] =
    "66 4c 61 43 80 00 00 22 10 00 10 00 00 00 0e 00 18 9d 0a c4 42 f0 00 00"
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
static const char  test_av1[] =
    "81 00 0c 00 0a 0a 00 00 00 02 af f7 9b 5f 20 08";
static const char  test_mp3[] = "ff fb 90 64 00 00 00 00";


static u_char                  test_init[16384];
static u_char                  test_moof[65536];
static size_t                  test_init_size;
static ngx_media_mp4_movie_t   test_movie;


static const u_char *
test_moov(size_t *n)
{
    size_t  ftyp;

    ftyp = ngx_media_get_be32(test_init);
    *n = test_init_size - ftyp;

    return test_init + ftyp;
}


static void
test_boxes(void)
{
    ngx_media_mp4_box_t  box;

    static const u_char  large[] = { 0, 0, 0, 1, 'm', 'd', 'a', 't',
                                     0, 0, 0, 1, 0, 0, 0, 16 };
    static const u_char  small[] = { 0, 0, 0, 7, 'm', 'd', 'a', 't' };
    static const u_char  rest[] = { 0, 0, 0, 0, 'm', 'd', 'a', 't' };

    ok(ngx_media_mp4_box(large, large + 16, &box) == NGX_MEDIA_OK
       && box.head == 16 && box.size == 0x100000010
       && box.type == NGX_MEDIA_MP4_MDAT, "a box of more than 4 GB");
    ok(ngx_media_mp4_box(large, large + 15, &box) == NGX_MEDIA_AGAIN,
       "half of its header");
    ok(ngx_media_mp4_box(small, small + 8, &box) == NGX_MEDIA_ERROR,
       "one that is smaller than its header");
    ok(ngx_media_mp4_box(rest, rest + 8, &box) == NGX_MEDIA_OK
       && box.size == 0, "one up to the end");
    ok(ngx_media_mp4_box(rest, rest + 7, &box) == NGX_MEDIA_AGAIN,
       "seven bytes");
}


static void
test_codec(uint8_t codec, const char *config, const char *frame)
{
    int                      rc;
    u_char                   c[256], f[256];
    size_t                   nc, nf, n;
    const u_char            *got, *moov;
    ngx_media_mp4_track_t    t;

    nc = ngx_media_test_hex(config, c, sizeof(c));
    nf = ngx_media_test_hex(frame, f, sizeof(f));

    rc = ngx_media_mp4_track(&t, 7, codec, c, c + nc, f, f + nf);
    test_init_size = (size_t) ngx_media_mp4_init(&t, 1, test_init,
                                                 sizeof(test_init));
    moov = test_moov(&n);

    ok(rc == NGX_MEDIA_OK
       && ngx_media_mp4_movie(&test_movie, moov, moov + n) == NGX_MEDIA_OK
       && test_movie.ntracks == 1 && test_movie.track[0].id == 7
       && test_movie.track[0].codec == codec
       && test_movie.track[0].timescale == t.timescale,
       "%s is found again", ngx_media_codec_name(codec));

    got = ngx_media_mp4_in_config(&test_movie.track[0], &n);

    ok(n == nc && (n == 0 || memcmp(got, c, n) == 0),
       "%s: with its configuration", ngx_media_codec_name(codec));
}


/* H.264 as track 3, AAC as track 5. */

static void
test_tracks(void)
{
    size_t                         n;
    const u_char                  *moov;
    ngx_media_mp4_movie_t          other;
    ngx_media_mp4_track_t          t[2];
    static u_char                  c[256];

    n = ngx_media_test_hex(test_avc, c, 128);
    (void) ngx_media_mp4_track(&t[0], 3, NGX_MEDIA_CODEC_H264, c, c + n, NULL,
                               NULL);
    n = ngx_media_test_hex(test_aac, c + 128, 128);
    (void) ngx_media_mp4_track(&t[1], 5, NGX_MEDIA_CODEC_AAC, c + 128,
                               c + 128 + n, NULL, NULL);

    test_init_size = (size_t) ngx_media_mp4_init(t, 2, test_init,
                                                 sizeof(test_init));
    moov = test_moov(&n);

    ok(ngx_media_mp4_movie(&test_movie, moov, moov + n) == NGX_MEDIA_OK
       && test_movie.ntracks == 2, "two tracks");

    other = test_movie;
    ok(ngx_media_mp4_movie_same(&test_movie, &other), "are the same as theirs");
    other.track[1].timescale = 44100;
    ok(!ngx_media_mp4_movie_same(&test_movie, &other), "and not as others");

    while (n--) {

        if (ngx_media_mp4_movie(&other, moov, moov + n) == NGX_MEDIA_OK) {
            ok(0, "a moov that is cut off at %u", (unsigned) n);
        }
    }
}


/* A fragment: 3 pictures from v on, 4 sounds from a on; its bytes. */

static size_t
test_fragment(uint64_t v, uint64_t a, uint32_t sequence)
{
    ssize_t                  n;
    unsigned                 i;
    ngx_media_mp4_run_t      runs[2];
    ngx_media_mp4_chunk_t    chunk;
    ngx_media_mp4_sample_t   video[3], audio[4];

    for (i = 0; i < 3; i++) {
        video[i].dts = v + i * 3000;
        video[i].cts = i == 1 ? -500 : 6000;
        video[i].size = 100 + i;
        video[i].flags = i == 0 ? NGX_MEDIA_MP4_KEY : i == 2
                         ? NGX_MEDIA_MP4_DISPOSABLE : 0;
    }

    for (i = 0; i < 4; i++) {
        audio[i].dts = a + i * 1024;
        audio[i].cts = 0;
        audio[i].size = 10;
        audio[i].flags = NGX_MEDIA_MP4_KEY;
    }

    memset(&chunk, 0, sizeof(chunk));
    chunk.runs = runs;
    chunk.nruns = 2;
    chunk.sequence = sequence;

    runs[0].samples = video;
    runs[0].nsamples = 3;
    runs[0].id = 3;
    runs[0].end = v + 9000;
    runs[1].samples = audio;
    runs[1].nsamples = 4;
    runs[1].id = 5;
    runs[1].end = a + 4096;

    n = ngx_media_mp4_chunk(&chunk, test_moof, sizeof(test_moof));

    return n < 0 ? 0 : (size_t) n - 8;
}


static void
test_samples(void)
{
    int                         rc;
    size_t                      n;
    u_char                     *copy;
    int64_t                     begin, end;
    unsigned                    i;
    ngx_media_mp4_moof_t        it;
    ngx_media_mp4_in_sample_t   s[8];

    n = test_fragment(90000, 96000, 9);

    rc = ngx_media_mp4_moof_init(&it, &test_movie, test_moof, test_moof + n);

    for (i = 0; rc == NGX_MEDIA_OK && i < 8; i++) {
        rc = ngx_media_mp4_moof_next(&it, &s[i]);
    }

    ok(rc == NGX_MEDIA_DONE && i == 8, "seven samples");
    ok(s[0].track == 0 && s[0].dts == 90000 && s[0].cts == 6000
       && s[0].size == 100 && s[0].flags == NGX_MEDIA_MP4_KEY && s[0].first
       && s[0].offset == n + 8, "the first");
    ok(s[1].cts == -500 && s[1].flags == 0 && !s[1].first
       && s[1].offset == n + 108, "the second");
    ok(s[2].flags == NGX_MEDIA_MP4_DISPOSABLE && s[2].duration == 3000,
       "the third");
    ok(s[3].track == 1 && s[3].first && s[3].offset == n + 8 + 303
       && s[3].flags == NGX_MEDIA_MP4_KEY, "the first sound");
    ok(s[6].dts == 96000 + 3072 && s[6].size == 10, "the last one");
    ok(test_movie.track[0].next == 99000
       && test_movie.track[1].next == 100096, "what follows");

    ok(ngx_media_mp4_moof_span(&test_movie, test_moof, test_moof + n, &begin,
                               &end)
       == NGX_MEDIA_OK && begin == 1000000 && end == 2085333,
       "from when to when");

    ok(ngx_media_mp4_moof_shift(&test_movie, test_moof, n, -1000000, 77)
       == NGX_MEDIA_OK && ngx_media_get_be32(test_moof + 20) == 77,
       "shifted, with another number");
    ok(ngx_media_mp4_moof_span(&test_movie, test_moof, test_moof + n, &begin,
                               &end)
       == NGX_MEDIA_OK && begin == 0 && end == 1085333,
       "it begins at 0");

    (void) ngx_media_mp4_moof_shift(&test_movie, test_moof, n, 36000000000LL,
                                    1);
    ok(ngx_media_mp4_moof_span(&test_movie, test_moof, test_moof + n, &begin,
                               &end)
       == NGX_MEDIA_OK && begin == 36000000000LL, "ten hours on");
    ok(ngx_media_mp4_moof_shift(&test_movie, test_moof, n, -72000000000LL, 1)
       == NGX_MEDIA_OK
       && ngx_media_mp4_moof_span(&test_movie, test_moof, test_moof + n,
                                  &begin, &end)
          == NGX_MEDIA_OK && begin == 0, "never below 0");

    /* each cut, in memory of its own */

    for (i = 0; i < n; i++) {
        copy = ngx_media_test_dup(test_moof, i);

        if (ngx_media_mp4_moof_span(&test_movie, copy, copy + i, &begin, &end)
            == NGX_MEDIA_OK
            || ngx_media_mp4_moof_shift(&test_movie, copy, i, 1, 1)
               == NGX_MEDIA_OK)
        {
            ok(0, "a moof that is cut off at %u", i);
        }

        free(copy);
    }
}


/* The table of a type in the track at hand, behind version and flags. */

static u_char *
test_table(u_char *p, u_char *end, const char *type)
{
    for ( /* void */ ; end - p > 12; p++) {
        if (memcmp(p + 4, type, 4) == 0) {
            return p + 12;
        }
    }

    return NULL;
}


static void
test_progressive(void)
{
    int                           rc;
    size_t                        n, size;
    u_char                       *buf, *p, *trak, *end;
    ssize_t                       total;
    unsigned                      i;
    const u_char                 *moov;
    ngx_media_mp4_moov_t          m;
    ngx_media_mp4_movie_t         movie;
    ngx_media_mp4_moov_chunk_t    chunks[8];
    ngx_media_mp4_moov_sample_t   samples[32];

    moov = test_moov(&size);
    (void) ngx_media_mp4_movie(&movie, moov, moov + size);
    ngx_media_mp4_moov_init(&m, &movie);

    n = test_fragment(0, 4800, 1);

    ok(ngx_media_mp4_moov_add(&m, test_moof, test_moof + n, n + 8, 343, 0)
       == NGX_MEDIA_AGAIN, "no room yet");
    ok(ngx_media_mp4_moov_write(&m, moov, moov + size, 0, NULL, 0)
       == NGX_MEDIA_ERROR, "no samples yet");

    m.samples = samples;
    m.max_samples = 14;
    m.chunks = chunks;
    m.max_chunks = 4;

    ok(ngx_media_mp4_moov_add(&m, test_moof, test_moof + n, n + 8, 342, 0)
       == NGX_MEDIA_ERROR, "a payload that is not there");

    ngx_media_mp4_moov_init(&m, &movie);
    m.samples = samples;
    m.max_samples = 14;
    m.chunks = chunks;
    m.max_chunks = 4;

    rc = ngx_media_mp4_moov_add(&m, test_moof, test_moof + n, n + 8, 343, 0);

    /* the second one has a hole of 1000 ticks before its pictures */

    n = test_fragment(10000, 4800 + 4096, 2);
    rc |= ngx_media_mp4_moov_add(&m, test_moof, test_moof + n, n + 8, 343,
                                 343);
    ok(rc == NGX_MEDIA_OK && m.nsamples == 14 && m.nchunks == 4,
       "two fragments");

    n = test_fragment(1000, 0, 3);
    m.max_samples = 32;
    m.max_chunks = 8;
    ok(ngx_media_mp4_moov_add(&m, test_moof, test_moof + n, n + 8, 343, 686)
       == NGX_MEDIA_ERROR, "one that goes back");
    m.nsamples = 14;
    m.nchunks = 4;

    total = ngx_media_mp4_moov_write(&m, moov, moov + size, 686, NULL, 0);
    buf = ngx_media_test_dup(test_moof, (size_t) total);

    ok(ngx_media_mp4_moov_write(&m, moov, moov + size, 686, buf,
                                (size_t) total - 1)
       == NGX_MEDIA_ERROR
       && ngx_media_mp4_moov_write(&m, moov, moov + size, 686, buf,
                                   (size_t) total)
          == total, "its size is told before");

    p = test_table(buf, buf + total, "mvhd");
    ok(p && ngx_media_get_be32(p + 12) == 278, "how long all of it lasts");

    trak = test_table(buf, buf + total, "trak");
    p = test_table(trak, buf + total, "stts");
    ok(p && ngx_media_get_be32(p) == 3 && ngx_media_get_be32(p + 4) == 2
       && ngx_media_get_be32(p + 8) == 3000
       && ngx_media_get_be32(p + 12) == 1
       && ngx_media_get_be32(p + 16) == 4000
       && ngx_media_get_be32(p + 20) == 3, "durations, with the hole");

    p = test_table(trak, buf + total, "ctts");
    ok(p && p[-4] == 1 && ngx_media_get_be32(p) == 5
       && ngx_media_get_be32(p + 8) == 6000
       && ngx_media_get_be32(p + 16) == (uint32_t) -500,
       "composition times");

    p = test_table(trak, buf + total, "stss");
    ok(p && ngx_media_get_be32(p) == 2 && ngx_media_get_be32(p + 4) == 1
       && ngx_media_get_be32(p + 8) == 4, "keyframes");

    p = test_table(trak, buf + total, "stsz");
    ok(p && ngx_media_get_be32(p) == 0 && ngx_media_get_be32(p + 4) == 6
       && ngx_media_get_be32(p + 28) == 102, "sizes");

    p = test_table(trak, buf + total, "stco");
    ok(p && ngx_media_get_be32(p) == 2
       && ngx_media_get_be32(p + 4) == (uint32_t) total
       && ngx_media_get_be32(p + 8) == (uint32_t) total + 343, "places");

    end = p;
    p = test_table(trak, end, "elst");
    ok(p && ngx_media_get_be32(p) == 2 && ngx_media_get_be64(p + 4) == 28
       && ngx_media_get_be64(p + 12) == ~0ull
       && ngx_media_get_be64(p + 24) == 250
       && ngx_media_get_be64(p + 32) == 2500,
       "the first picture is shown later, the last one longer");

    trak = end;
    p = test_table(trak, buf + total, "elst");
    ok(p && ngx_media_get_be32(p) == 2 && ngx_media_get_be64(p + 4) == 100
       && ngx_media_get_be64(p + 12) == ~0ull
       && ngx_media_get_be64(p + 24) == 171
       && ngx_media_get_be64(p + 32) == 0, "the sound begins later");

    p = test_table(trak, buf + total, "stsz");
    ok(p && ngx_media_get_be32(p) == 10 && ngx_media_get_be32(p + 4) == 8,
       "sizes that are all alike");
    p = test_table(trak, buf + total, "stsc");
    ok(p && ngx_media_get_be32(p) == 1 && ngx_media_get_be32(p + 8) == 4,
       "samples of a chunk");
    ok(test_table(buf, buf + total, "mvex") == NULL
       && test_table(trak, buf + total, "stss") == NULL,
       "what is not needed is not there");
    ok(memcmp(buf + total - 4, "mdat", 4) == 0
       && ngx_media_get_be32(buf + total - 8) == 694, "the payload follows");

    free(buf);

    /* beyond 32 bits */

    m.track[0].end += 0x100000000;

    total = ngx_media_mp4_moov_write(&m, moov, moov + size, 0x200000000, NULL,
                                     0);
    buf = ngx_media_test_dup(test_moof, (size_t) total);
    (void) ngx_media_mp4_moov_write(&m, moov, moov + size, 0x200000000, buf,
                                    (size_t) total);

    p = test_table(buf, buf + total, "mdhd");
    ok(p && p[-4] == 1 && ngx_media_get_be32(p + 16) == 90000
       && ngx_media_get_be64(p + 20) == 0x100000000 + 19000,
       "more than 13 hours");
    ok(test_table(buf, buf + total, "co64") != NULL
       && ngx_media_get_be64(buf + total - 8) == 0x200000010,
       "more than 4 GB");

    free(buf);

    for (i = 1; i < size; i++) {
        buf = ngx_media_test_dup(moov, size);
        buf[i] ^= 0xff;
        (void) ngx_media_mp4_moov_write(&m, buf, buf + size, 686, NULL, 0);
        free(buf);
    }
}


int
main(void)
{
    test_boxes();
    test_codec(NGX_MEDIA_CODEC_H264, test_avc, "");
    test_codec(NGX_MEDIA_CODEC_AAC, test_aac, "");
    test_codec(NGX_MEDIA_CODEC_OPUS, test_opus, "");
    test_codec(NGX_MEDIA_CODEC_FLAC, test_flac, "");
    test_codec(NGX_MEDIA_CODEC_AV1, test_av1, "");
    test_codec(NGX_MEDIA_CODEC_MP3, "", test_mp3);
    test_tracks();
    test_samples();
    test_progressive();

    return done_testing();
}
