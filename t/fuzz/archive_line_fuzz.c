
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: lines of the archive of recordings.  Whatever is a line leads
 * to a file below its root, and is the same when it was written and read.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_archive_line.h"
#include "ngx_media_template.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                     buf[NGX_MEDIA_ARCHIVE_LINE];
    ssize_t                    n;
    const u_char              *p, *lf, *end;
    ngx_media_archive_line_t   line, again;

    end = data + size;

    for (p = data; p < end; p = lf + 1) {

        lf = memchr(p, '\n', (size_t) (end - p));

        if (lf == NULL) {
            lf = end;
        }

        if (ngx_media_archive_parse(&line, p, lf) != NGX_MEDIA_OK) {

            if (lf == end) {
                break;
            }

            continue;
        }

        if (line.len == 0 || line.len > NGX_MEDIA_ARCHIVE_FILE
            || line.file[line.len] != '\0' || line.file[0] == '.'
            || strlen((char *) line.file) != line.len
            || strlen((char *) line.id) != NGX_MEDIA_ARCHIVE_ID
            || strstr((char *) line.file, "/.") || line.end < line.begin
            || ngx_media_template_path(line.file, line.file + line.len)
               != NGX_MEDIA_OK)
        {
            abort();
        }

        n = ngx_media_archive_write(&line, buf, sizeof(buf));

        if (n < 2
            || ngx_media_archive_parse(&again, buf, buf + n - 1)
               != NGX_MEDIA_OK
            || again.bytes != line.bytes || again.end != line.end
            || again.len != line.len
            || memcmp(again.file, line.file, line.len) != 0)
        {
            abort();
        }

        if (lf == end) {
            break;
        }
    }

    return 0;
}
