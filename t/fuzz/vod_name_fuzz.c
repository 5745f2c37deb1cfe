
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: names and arguments of requests for recordings.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_vod_name.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_name(const u_char *text, size_t size)
{
    ngx_media_vod_name_t  name;

    ngx_media_vod_name_parse(text, text + size, &name);

    if (name.kind == NGX_MEDIA_VOD_NAME_NONE) {
        return;
    }

    if (name.stream != text || name.stream_len == 0
        || name.stream_len >= size)
    {
        abort();
    }

    if (name.kind == NGX_MEDIA_VOD_NAME_FILE
        && (name.id < text || name.id + NGX_MEDIA_VOD_ID > text + size
            || name.file == 0))
    {
        abort();
    }
}


static void
fuzz_query(const u_char *text, size_t size)
{
    int64_t                msec;
    ngx_media_vod_query_t  q;

    if (ngx_media_vod_query_parse(text, text + size, &q) == NGX_MEDIA_OK) {

        if (q.start < 0 || q.stop < 0
            || q.start > NGX_MEDIA_VOD_TIME_MAX + 86400000
            || q.stop > NGX_MEDIA_VOD_TIME_MAX + 86400000
            || (q.id && q.id + NGX_MEDIA_VOD_ID > text + size)
            || (q.has_stop && q.has_start && q.stop <= q.start))
        {
            abort();
        }
    }

    if (ngx_media_vod_time(text, text + size, &msec) == NGX_MEDIA_OK
        && (msec < 0 || msec > NGX_MEDIA_VOD_TIME_MAX + 86400000))
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char  *text;

    text = malloc(size ? size : 1);
    memcpy(text, data, size);

    fuzz_name(text, size);
    fuzz_query(text, size);

    free(text);

    return 0;
}
