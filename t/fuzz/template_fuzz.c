
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: templates of file names.  The first line is the template, the
 * others are values; whatever they are, the name leads nowhere else.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_media_template.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
take(ngx_media_template_str_t *s, const u_char **p, const u_char *end)
{
    const u_char  *eol;

    eol = memchr(*p, '\n', (size_t) (end - *p));
    eol = eol ? eol : end;

    s->data = *p;
    s->len = (size_t) (eol - *p);
    *p = (eol == end) ? end : eol + 1;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                        rc;
    size_t                     i;
    ssize_t                    len;
    u_char                     dst[300];
    uint32_t                   fields;
    const u_char              *p, *end;
    ngx_media_template_str_t   t, bad;
    ngx_media_template_vars_t  vars;

    if (size == 0) {
        return 0;
    }

    memset(&vars, 0xff, sizeof(ngx_media_template_vars_t));

    p = data;
    end = data + size;

    take(&t, &p, end);
    take(&vars.vhost, &p, end);
    take(&vars.app, &p, end);
    take(&vars.stream, &p, end);
    take(&vars.hostname, &p, end);

    rc = ngx_media_template_check(t.data, t.data + t.len, &fields, &bad);

    if (rc != NGX_MEDIA_OK
        && (bad.data < t.data || bad.data + bad.len > t.data + t.len))
    {
        abort();
    }

    len = ngx_media_template_write(t.data, t.data + t.len, &vars, dst,
                                   sizeof(dst));
    if (len < 0) {
        return 0;
    }

    if (len == 0 || (size_t) len >= sizeof(dst) || dst[len] != '\0'
        || strlen((char *) dst) != (size_t) len || dst[0] == '/'
        || dst[0] == '.' || dst[len - 1] == '/')
    {
        abort();
    }

    for (i = 0; i + 1 < (size_t) len; i++) {
        if (dst[i] == '/' && (dst[i + 1] == '.' || dst[i + 1] == '/')) {
            abort();
        }
    }

    return 0;
}
