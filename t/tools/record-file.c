
/*
 * Copyright (C) the nginx media suite authors
 *
 * record-file [-n] INPUT OUTPUT
 *
 * FLV or MPEG-TS into a recording by the suite's own parsers and writers
 * (ngx_media_file.h), as the recorder does it: a batch ends before each start
 * point, or when it has a second; the state goes through other memory between
 * two batches.  The ending of OUTPUT tells its kind.  For tests only: the whole
 * input is held in memory, and no error is forgiven.
 *
 *     -n   without the end: as if nginx had been killed
 *
 * What it wrote is told on stdout:
 *
 *     batch OFFSET SIZE FRAMES
 *     key OFFSET TIME
 *     file BYTES FRAMES SKIPPED DURATION
 */


#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_file.h"
#include "ngx_media_flv.h"
#include "ngx_media_rc.h"
#include "ngx_media_ts_demux.h"


#define RECORD_MAX_FRAME   (8 * 1024 * 1024)
#define RECORD_BATCH       1000000
#define RECORD_END         65536


static ngx_media_frame_t     *record_frames;
static uint32_t               record_nframes;
static ngx_media_file_key_t  *record_keys;
static uint32_t               record_nkeys;
static int                    record_video;


static void
record_fail(const char *what)
{
    fprintf(stderr, "record-file: %s\n", what);
    exit(2);
}


static void *
record_alloc(void *p, size_t size)
{
    p = realloc(p, size ? size : 1);

    if (p == NULL) {
        record_fail("no memory");
    }

    return p;
}


static int
record_take(void *ctx, const ngx_media_frame_t *f)
{
    u_char  *p;

    (void) ctx;

    p = record_alloc(NULL, f->size);
    memcpy(p, f->data, f->size);

    /* at each power of two there is twice the room */

    if ((record_nframes & (record_nframes - 1)) == 0) {
        record_frames = record_alloc(record_frames,
                                     ((size_t) record_nframes * 2 + 1)
                                     * sizeof(ngx_media_frame_t));
    }

    record_frames[record_nframes] = *f;
    record_frames[record_nframes++].data = p;

    if (f->track == NGX_MEDIA_TRACK_VIDEO) {
        record_video = 1;
    }

    return NGX_MEDIA_OK;
}


static u_char *
record_lend(void *ctx, u_char *buf, size_t used, size_t size)
{
    (void) ctx;
    (void) used;

    if (size == 0) {
        free(buf);
        return NULL;
    }

    return realloc(buf, size);
}


static void
record_ts(const u_char *p, size_t n)
{
    ngx_media_ts_demux_t  *d;

    d = record_alloc(NULL, sizeof(ngx_media_ts_demux_t));

    ngx_media_ts_demux_init(d, record_take, record_lend, NULL, 0,
                            RECORD_MAX_FRAME, 4 * RECORD_MAX_FRAME);

    if (ngx_media_ts_demux(d, p, p + n) != NGX_MEDIA_OK
        || ngx_media_ts_demux_flush(d) != NGX_MEDIA_OK)
    {
        record_fail("damaged MPEG-TS");
    }

    ngx_media_ts_demux_close(d);
    free(d);
}


static void
record_flv(const u_char *p, size_t n)
{
    int                      rc;
    const u_char            *end;
    ngx_media_frame_t        f;
    ngx_media_flv_tag_t      tag;
    ngx_media_flv_body_t     it;
    ngx_media_flv_header_t   header;

    end = p + n;

    if (ngx_media_flv_header_parse(p, end, &header) == NULL) {
        record_fail("neither FLV nor MPEG-TS");
    }

    p += header.size + NGX_MEDIA_FLV_PREV_SIZE;

    while (p < end) {
        p = ngx_media_flv_tag_parse(p, end, &tag);

        if (p == NULL || (size_t) (end - p) < tag.size) {
            record_fail("FLV is cut off");
        }

        ngx_media_flv_body_init(&it, tag.type, p, p + tag.size);

        while ((rc = ngx_media_flv_body_next(&it, &f)) == NGX_MEDIA_OK) {
            f.dts += ngx_media_us(tag.ms);
            (void) record_take(NULL, &f);
        }

        if (rc == NGX_MEDIA_ERROR) {
            record_fail("damaged FLV");
        }

        p += tag.size + NGX_MEDIA_FLV_PREV_SIZE;
    }
}


/* What the core marks: keyframes of the video, or audio once a second. */

static void
record_mark(void)
{
    int64_t             last;
    uint32_t            i;
    ngx_media_frame_t  *f;

    last = INT64_MIN / 2;

    for (i = 0; i < record_nframes; i++) {
        f = &record_frames[i];

        if ((f->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_EOS))
            || f->codec == NGX_MEDIA_CODEC_SCRIPT)
        {
            continue;
        }

        if (record_video
            ? f->track == NGX_MEDIA_TRACK_VIDEO
              && (f->flags & NGX_MEDIA_FRAME_KEY)
            : f->dts - last >= RECORD_BATCH)
        {
            f->flags |= NGX_MEDIA_FRAME_SYNC;
            last = f->dts;
        }
    }
}


/* The frames of the next batch, from at on: its end. */

static uint32_t
record_cut(uint32_t at, int *sync)
{
    int                 some;
    uint32_t            i, head;
    int64_t             start;
    ngx_media_frame_t  *f;

    some = 0;
    start = 0;
    head = at;
    *sync = 0;

    for (i = at; i < record_nframes && i - at < NGX_MEDIA_FILE_FRAMES; i++) {
        f = &record_frames[i];

        if ((f->flags & (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_META))
            || f->codec == NGX_MEDIA_CODEC_SCRIPT)
        {
            continue;
        }

        if (some && ((f->flags & NGX_MEDIA_FRAME_SYNC)
                     || f->dts - start >= RECORD_BATCH))
        {
            /* configs go with the frames that they are for */

            return head > at ? head : i;
        }

        if (!some) {
            *sync = f->flags & NGX_MEDIA_FRAME_SYNC ? 1 : 0;
            start = f->dts;
            some = 1;
        }

        head = i + 1;
    }

    return i;
}


static void
record_end(ngx_media_file_t *f, FILE *out)
{
    u_char                  *buf;
    ssize_t                  n;
    uint32_t                 i, append, npatches;
    ngx_media_file_patch_t   patches[NGX_MEDIA_FILE_PATCHES];

    buf = record_alloc(NULL, RECORD_END);

    n = ngx_media_file_close(f, record_keys, record_nkeys, buf, RECORD_END,
                             &append, patches, &npatches);

    if (n < 0 || npatches > NGX_MEDIA_FILE_PATCHES || append > (size_t) n) {
        record_fail("no end");
    }

    fwrite(buf, 1, append, out);

    for (i = 0; i < npatches; i++) {

        if (patches[i].offset + patches[i].size > f->bytes
            || patches[i].pos + (size_t) patches[i].size > (size_t) n)
        {
            record_fail("a patch is out of place");
        }

        fseek(out, (long) patches[i].offset, SEEK_SET);
        fwrite(buf + patches[i].pos, 1, patches[i].size, out);
    }

    free(buf);
}


static void
record_write(const char *name, int whole)
{
    int                sync;
    FILE              *out;
    size_t             room;
    u_char            *buf;
    ssize_t            n;
    uint32_t           at, end;
    ngx_media_file_t  *f, *other;

    out = fopen(name, "wb");

    if (out == NULL) {
        record_fail("no output");
    }

    f = record_alloc(NULL, sizeof(ngx_media_file_t));
    ngx_media_file_init(f, ngx_media_file_kind((const u_char *) name,
                                               strlen(name)));

    if (f->kind == 0) {
        record_fail("the output has no ending that is known");
    }

    for (at = 0; at < record_nframes; at = end) {
        end = record_cut(at, &sync);

        room = ngx_media_file_room(f, record_frames + at, end - at);
        buf = record_alloc(NULL, room);

        if (sync) {
            record_keys = record_alloc(record_keys,
                                       (record_nkeys + 1)
                                       * sizeof(ngx_media_file_key_t));
            record_keys[record_nkeys].offset = f->bytes;
        }

        n = ngx_media_file_batch(f, record_frames + at, end - at, buf, room);

        if (n < 0) {
            record_fail(n == NGX_MEDIA_DECLINED ? "declined" : "no room");
        }

        if (n && sync) {
            record_keys[record_nkeys].time = 0;

            while (at < end
                   && !(record_frames[at].flags & NGX_MEDIA_FRAME_SYNC))
            {
                at++;
            }

            record_keys[record_nkeys].time = record_frames[at].dts - f->base;
            printf("key %" PRIu64 " %" PRId64 "\n",
                   record_keys[record_nkeys].offset,
                   record_keys[record_nkeys].time);
            record_nkeys++;
        }

        fwrite(buf, 1, (size_t) n, out);
        free(buf);

        printf("batch %" PRIu64 " %zd %u\n", f->bytes - (uint64_t) n, n,
               end - at);

        other = record_alloc(NULL, sizeof(ngx_media_file_t));
        *other = *f;
        memset(f, 0xa5, sizeof(ngx_media_file_t));
        free(f);
        f = other;
    }

    if (whole) {
        record_end(f, out);
    }

    printf("file %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 "\n", f->bytes,
           f->frames, f->skipped, f->end);

    free(f);

    if (ftell(out) < 0 || fclose(out) != 0) {
        record_fail("no room for the output");
    }
}


int
main(int argc, char **argv)
{
    int       c, whole;
    FILE     *in;
    long      size;
    u_char   *p;
    uint32_t  i;

    whole = 1;

    while ((c = getopt(argc, argv, "n")) != -1) {
        if (c != 'n') {
            return 2;
        }

        whole = 0;
    }

    if (argc - optind != 2) {
        record_fail("an input and an output");
    }

    in = fopen(argv[optind], "rb");

    if (in == NULL || fseek(in, 0, SEEK_END) != 0 || (size = ftell(in)) < 0) {
        record_fail("no input");
    }

    rewind(in);
    p = record_alloc(NULL, (size_t) size);

    if (fread(p, 1, (size_t) size, in) != (size_t) size) {
        record_fail("the input can not be read");
    }

    fclose(in);

    if (size && p[0] == 0x47) {
        record_ts(p, (size_t) size);

    } else {
        record_flv(p, (size_t) size);
    }

    free(p);

    record_mark();
    record_write(argv[optind + 1], whole);

    for (i = 0; i < record_nframes; i++) {
        free((void *) (uintptr_t) record_frames[i].data);
    }

    free(record_frames);
    free(record_keys);

    return 0;
}
