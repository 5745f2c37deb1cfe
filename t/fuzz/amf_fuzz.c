
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: AMF.  The input is read as AMF0, AMF3 and as an AMF3 message;
 * all values are walked and written again, which must give values that read
 * the same way.  Then it is merged as metadata: what comes out must be read
 * without an error.
 */


#include <stdlib.h>

#include "ngx_media_amf.h"


#define FUZZ_OUT  65536


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static u_char  fuzz_out[FUZZ_OUT];
static u_char  fuzz_again[FUZZ_OUT];


static void
fuzz_rewrite(ngx_media_amf_t *amf, const ngx_media_amf_value_t *v)
{
    ngx_media_amf_t        a;
    ngx_media_amf_out_t    w;
    ngx_media_amf_value_t  got;

    ngx_media_amf_out_init(&w, fuzz_out, FUZZ_OUT);

    if (ngx_media_amf_put_value(&w, amf, v) != NGX_MEDIA_OK) {
        abort();
    }

    if (w.overflow) {
        return;
    }

    ngx_media_amf_init(&a, fuzz_out, w.pos);

    if (ngx_media_amf_read(&a, &got) != NGX_MEDIA_OK || got.cut
        || a.cur.pos != w.pos)
    {
        abort();
    }
}


static void
fuzz_read(ngx_media_amf_t *amf, const u_char *pos, const u_char *end)
{
    ngx_media_amf_str_t    key;
    ngx_media_amf_iter_t   it;
    ngx_media_amf_value_t  v, child;

    while (ngx_media_amf_read(amf, &v) == NGX_MEDIA_OK) {

        if (v.start < pos || v.end > end || v.end <= v.start) {
            abort();
        }

        ngx_media_amf_enter(amf, &v, &it);

        while (ngx_media_amf_next(&it, &key, &child) == NGX_MEDIA_OK) {

            if (key.len && (key.data < pos || key.data + key.len > end)) {
                abort();
            }

            if (child.string.len
                && (child.string.data < pos
                    || child.string.data + child.string.len > end))
            {
                abort();
            }
        }

        (void) ngx_media_amf_find(amf, &v, "app", &child);

        fuzz_rewrite(amf, &v);
    }
}


static void
fuzz_merge(const u_char *pos, const u_char *end)
{
    ssize_t                n, m;
    ngx_media_amf_t        amf;
    ngx_media_amf_value_t  v;

    static const ngx_media_amf_prop_t  props[] = {
        { "server", NGX_MEDIA_AMF_STRING, 0, 0, { (u_char *) "s", 1 } },
        { "width", NGX_MEDIA_AMF_NUMBER, 0, 1, { NULL, 0 } },
        { "duration", NGX_MEDIA_AMF_NONE, 0, 0, { NULL, 0 } }
    };

    n = ngx_media_amf_merge_metadata(pos, end, props, 3, fuzz_out, FUZZ_OUT);

    if (n < 0) {
        return;
    }

    ngx_media_amf_init(&amf, fuzz_out, fuzz_out + n);

    if (ngx_media_amf_read(&amf, &v) != NGX_MEDIA_OK
        || !ngx_media_amf_is(&v, "onMetaData")
        || ngx_media_amf_read(&amf, &v) != NGX_MEDIA_OK
        || v.type != NGX_MEDIA_AMF_ECMA_ARRAY || v.cut
        || ngx_media_amf_read(&amf, &v) != NGX_MEDIA_DONE)
    {
        abort();
    }

    /* merged again nothing changes */

    m = ngx_media_amf_merge_metadata(fuzz_out, fuzz_out + n, props, 3,
                                     fuzz_again, FUZZ_OUT);

    if (m != n) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_media_amf_t  amf;

    if (size > FUZZ_OUT / 4) {
        return 0;
    }

    ngx_media_amf_init(&amf, data, data + size);
    fuzz_read(&amf, data, data + size);

    ngx_media_amf_init_amf3(&amf, data, data + size);
    fuzz_read(&amf, data, data + size);

    ngx_media_amf_init_flex(&amf, data, data + size);
    fuzz_read(&amf, data, data + size);

    fuzz_merge(data, data + size);

    return 0;
}
