
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: names of HLS objects.  What was taken apart, put together
 * again, is the same name: an object has one name only.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_m3u8.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static size_t
fuzz_media(const ngx_media_hls_name_t *n, char *out, size_t size)
{
    const char  *ending;

    ending = n->container == NGX_MEDIA_HLS_MPEGTS ? "ts" : "m4s";

    if (n->kind == NGX_MEDIA_HLS_NAME_PART) {
        return (size_t) snprintf(out, size, "%llu.%u.%s",
                                 (unsigned long long) n->msn, n->part, ending);
    }

    return (size_t) snprintf(out, size, "%llu.%s",
                             (unsigned long long) n->msn, ending);
}


static size_t
fuzz_object(const ngx_media_hls_name_t *n, char *out, size_t size)
{
    char  tag[16];

    tag[0] = '\0';

    if (n->tag_len) {
        snprintf(tag, sizeof(tag), "%.*s.", (int) n->tag_len, n->tag);
    }

    switch (n->kind) {

    case NGX_MEDIA_HLS_NAME_RENDITION:
        return (size_t) snprintf(out, size, ".hls.%sm3u8", tag);

    case NGX_MEDIA_HLS_NAME_INIT:
        return (size_t) snprintf(out, size, ".hls.%sinit.mp4", tag);

    case NGX_MEDIA_HLS_NAME_KEY:
        return (size_t) snprintf(out, size, ".hls.key.%llu",
                                 (unsigned long long) n->msn);

    case NGX_MEDIA_HLS_NAME_PLAYLIST:
        return (size_t) snprintf(out, size, ".m3u8");

    case NGX_MEDIA_HLS_NAME_MPD:
        return (size_t) snprintf(out, size, ".mpd");

    default:
        size -= (size_t) snprintf(out, size, ".hls.%s", tag);
        fuzz_media(n, out + strlen(out), size);
        return strlen(out);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                  out[128];
    size_t                n, len;
    u_char               *name, *escaped;
    ngx_media_hls_name_t  result;

    name = malloc(size ? size : 1);
    memcpy(name, data, size);

    ngx_media_hls_name_parse(name, name + size, &result);

    if (result.kind != NGX_MEDIA_HLS_NAME_NONE
        && result.kind != NGX_MEDIA_HLS_NAME_BAD)
    {
        len = fuzz_object(&result, out, sizeof(out));

        if (result.stream != name || result.stream_len == 0
            || result.stream_len + len != size
            || memcmp(name + result.stream_len, out, len) != 0
            || result.tag_len >= NGX_MEDIA_HLS_TAG_LEN)
        {
            abort();
        }
    }

    n = ngx_media_hls_escape(name, size, NULL, 0);

    if (n < size || n > 3 * size) {
        abort();
    }

    escaped = malloc(n ? n : 1);

    if (ngx_media_hls_escape(name, size, escaped, n) != n) {
        abort();
    }

    free(escaped);
    free(name);

    return 0;
}
