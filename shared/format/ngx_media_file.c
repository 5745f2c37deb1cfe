
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: files of recordings, see ngx_media_file.h: what their kinds have in
 * common.
 */


#include <string.h>

#include "ngx_media_file.h"


static const char  *ngx_media_file_endings[] = { "", ".flv", ".mp4", ".ts" };


uint8_t
ngx_media_file_kind(const u_char *name, size_t n)
{
    size_t   len;
    uint8_t  kind;

    for (kind = NGX_MEDIA_FILE_FLV; kind <= NGX_MEDIA_FILE_TS; kind++) {
        len = strlen(ngx_media_file_endings[kind]);

        if (n > len
            && memcmp(name + n - len, ngx_media_file_endings[kind], len) == 0)
        {
            return kind;
        }
    }

    return 0;
}


const char *
ngx_media_file_ending(uint8_t kind)
{
    return ngx_media_file_endings[kind <= NGX_MEDIA_FILE_TS ? kind : 0];
}
