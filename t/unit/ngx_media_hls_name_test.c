
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of names and arguments of HLS requests: tables of what may come
 * and what it is taken for.  Everything is parsed from blocks of exactly its
 * size.
 */


#include "ngx_media_m3u8.h"
#include "ngx_media_test.h"


static char  got[512];


static const struct {
    const char  *name;
    const char  *want;
} names[] = {
    { "livestream.m3u8", "playlist livestream" },
    { "a.b.m3u8", "playlist a.b" },
    { "a.mpd", "mpd a" },
    { "x.hls.0.m3u8", "rendition x tag 0" },
    { "x.hls.v0.m3u8", "rendition x tag v0" },
    { "x.hls.a12.m3u8", "rendition x tag a12" },
    { "x.hls.0.m4s", "segment x 0 fmp4" },
    { "x.hls.12.m4s", "segment x 12 fmp4" },
    { "x.hls.1795181628.ts", "segment x 1795181628 ts" },
    { "x.hls.9223372036854775807.ts", "segment x 9223372036854775807 ts" },
    { "x.hls.12.3.m4s", "part x 12 3 fmp4" },
    { "x.hls.12.0.ts", "part x 12 0 ts" },
    { "x.hls.v0.12.m4s", "segment x 12 fmp4 tag v0" },
    { "x.hls.a1.12.65535.m4s", "part x 12 65535 fmp4 tag a1" },
    { "x.hls.init.mp4", "init x" },
    { "x.hls.a1.init.mp4", "init x tag a1" },
    { "x.hls.key.5", "key x 5" },
    { "x.hls.key.4294967295", "key x 4294967295" },
    { "x.hls.hls.12.ts", "segment x.hls 12 ts" },
    { "x.hls.1.hls.12.ts", "segment x.hls.1 12 ts" },
    { "\xd0\xbf.hls.2.ts", "segment \xd0\xbf 2 ts" },

    { "", "none" },
    { "x", "none" },
    { "x.flv", "none" },
    { "x.ts", "none" },
    { "x.m3u", "none" },
    { "x.M3U8", "none" },
    { "m3u8", "none" },
    { "x.hls", "none" },
    { ".hls", "none" },
    { "x.m3u8.flv", "none" },

    { ".m3u8", "bad" },
    { ".mpd", "bad" },
    { ".hls.", "bad" },
    { ".hls.1.ts", "bad" },
    { "x.hls.", "bad" },
    { "x.hls.ts", "bad" },
    { "x.hls.m4s", "bad" },
    { "x.hls..m4s", "bad" },
    { "x.hls.m3u8", "bad" },
    { "x.hls..m3u8", "bad" },
    { "x.hls.1.m3u8", "bad" },
    { "x.hls.00.m3u8", "bad" },
    { "x.hls.v.m3u8", "bad" },
    { "x.hls.v00.m3u8", "bad" },
    { "x.hls.v1234567.m3u8", "bad" },
    { "x.hls.V0.m3u8", "bad" },
    { "x.hls.v0.mpd", "bad" },
    { "x.hls.v0.1.m3u8", "bad" },
    { "x.hls.01.m4s", "bad" },
    { "x.hls.-1.m4s", "bad" },
    { "x.hls.+1.m4s", "bad" },
    { "x.hls. 1.m4s", "bad" },
    { "x.hls.1.m4s ", "bad" },
    { "x.hls.1x.m4s", "bad" },
    { "x.hls.9223372036854775808.ts", "bad" },
    { "x.hls.18446744073709551616.ts", "bad" },
    { "x.hls.99999999999999999999999.ts", "bad" },
    { "x.hls.1.65536.ts", "bad" },
    { "x.hls.1.00.ts", "bad" },
    { "x.hls.1..ts", "bad" },
    { "x.hls..1.ts", "bad" },
    { "x.hls.1.2.3.ts", "bad" },
    { "x.hls.0.1.2.m4s", "bad" },
    { "x.hls.v0.1.2.3.m4s", "bad" },
    { "x.hls.v0.m4s", "bad" },
    { "x.hls.1.mp4", "bad" },
    { "x.hls.init.m4s", "bad" },
    { "x.hls.init.1.mp4", "bad" },
    { "x.hls.a1.b1.init.mp4", "bad" },
    { "x.hls.key.", "bad" },
    { "x.hls.key", "bad" },
    { "x.hls.key.05", "bad" },
    { "x.hls.key.4294967296", "bad" },
    { "x.hls.key.1.2", "bad" },
    { "x.hls.key.1.ts", "bad" },
    { "x.hls.v0.key.1", "bad" },
    { "x.hls.12.aac", "bad" },
};


static const char *
show_name(const ngx_media_hls_name_t *n)
{
    int                 len;
    static const char  *kinds[] = { "none", "playlist", "rendition", "mpd",
                                    "init", "segment", "part", "key", "bad" };

    if (n->kind == NGX_MEDIA_HLS_NAME_NONE
        || n->kind == NGX_MEDIA_HLS_NAME_BAD)
    {
        return kinds[n->kind];
    }

    len = snprintf(got, sizeof(got), "%s %.*s", kinds[n->kind],
                   (int) n->stream_len, n->stream);

    if (n->kind >= NGX_MEDIA_HLS_NAME_SEGMENT) {
        len += snprintf(got + len, sizeof(got) - len, " %llu",
                        (unsigned long long) n->msn);
    }

    if (n->kind == NGX_MEDIA_HLS_NAME_PART) {
        len += snprintf(got + len, sizeof(got) - len, " %u", n->part);
    }

    if (n->kind == NGX_MEDIA_HLS_NAME_SEGMENT
        || n->kind == NGX_MEDIA_HLS_NAME_PART)
    {
        len += snprintf(got + len, sizeof(got) - len, " %s",
                        n->container == NGX_MEDIA_HLS_MPEGTS ? "ts" : "fmp4");
    }

    if (n->tag_len) {
        snprintf(got + len, sizeof(got) - len, " tag %.*s", (int) n->tag_len,
                 n->tag);
    }

    return got;
}


static const struct {
    const char  *query;
    const char  *want;
} queries[] = {
    { "", "" },
    { "&&", "" },
    { "a=b&c", "" },
    { "=", "" },
    { "_HLS_msn=0", "msn=0" },
    { "_HLS_msn=12", "msn=12" },
    { "_HLS_msn=12&_HLS_part=3", "msn=12 part=3" },
    { "_HLS_part=3&x=y&_HLS_msn=12", "msn=12 part=3" },
    { "_HLS_msn=12&_HLS_part=2147483647", "msn=12 part=2147483647" },
    { "_HLS_skip=YES", "skip" },
    { "_HLS_skip=v2&_HLS_msn=1", "msn=1 skip v2" },
    { "_HLS_push=1", "push" },
    { "_HLS_other=1", "" },
    { "v=0123abcd", "init=0123abcd" },
    { "v=0123ABCD", "" },
    { "v=00000000", "" },
    { "v=123", "" },
    { "v=", "" },
    { "start=-600", "start=-600" },
    { "start=-0", "" },
    { "start=0", "" },
    { "start=1795181628", "start=1795181628" },
    { "start=2026-11-20T13:33:48Z", "start=1795181628" },
    { "start=2026-11-20t13:33:48.999z", "start=1795181628" },
    { "start=2026-11-20T14:33:48+01:00", "start=1795181628" },
    { "start=2026-11-20T14%3a33%3A48%2B0100", "start=1795181628" },
    { "start=2026-11-20T05:03:48-08:30", "start=1795181628" },
    { "start=2000-02-29T00:00:00Z", "start=951782400" },
    { "start=2000-03-01T00:00:00Z", "start=951868800" },
    { "start=1972-01-01T00:00:00Z", "start=63072000" },
    { "start=2100-12-31T23:59:59Z", "start=4133980799" },
    { "hls_ctx=a1-B_2.c", "ctx=a1-B_2.c" },
    { "hls_ctx=", "" },
    { "hls_ctx", "" },

    { "_HLS_msn=", "error" },
    { "_HLS_msn", "error" },
    { "_HLS_msn=x", "error" },
    { "_HLS_msn=-1", "error" },
    { "_HLS_msn=01", "error" },
    { "_HLS_msn=1%30", "error" },
    { "_HLS_msn=9223372036854775808", "error" },
    { "_HLS_msn=1&_HLS_msn=1", "error" },
    { "_HLS_part=1", "error" },
    { "_HLS_msn=1&_HLS_part=", "error" },
    { "_HLS_msn=1&_HLS_part=2147483648", "error" },
    { "_HLS_msn=1&_HLS_part=1&_HLS_part=1", "error" },
    { "_HLS_skip=NO", "error" },
    { "_HLS_skip=yes", "error" },
    { "_HLS_skip", "error" },
    { "_HLS_skip=YES&_HLS_skip=v2", "error" },
    { "start=", "error" },
    { "start=now", "error" },
    { "start=-", "error" },
    { "start=%", "error" },
    { "start=%2", "error" },
    { "start=%zz", "error" },
    { "start=100000000000", "error" },
    { "start=2026-11-20", "error" },
    { "start=2026-13-20T13:33:48Z", "error" },
    { "start=2026-11-32T13:33:48Z", "error" },
    { "start=2026-11-20T24:33:48Z", "error" },
    { "start=2026-11-20T13:60:48Z", "error" },
    { "start=2026-11-20T13:33:61Z", "error" },
    { "start=2026-11-20T13:33:48.Z", "error" },
    { "start=2026-11-20T13:33:48", "error" },
    { "start=2026-11-20T13:33:48+24:00", "error" },
    { "start=2026-11-20T13:33:48+01:00x", "error" },
    { "start=1969-12-31T23:59:59Z", "error" },
    { "start=2026-11-20T13:33:48.000000000000000000000000000000000000000000"
      "00000Z", "error" },
    { "hls_ctx=a\"b", "error" },
    { "hls_ctx=a%22", "error" },
    { "hls_ctx=0123456789012345678901234567890123456789012345678901234567890"
      "1234", "error" },
};


static const char *
show_query(int rc, const ngx_media_hls_query_t *q)
{
    int  n;

    if (rc != NGX_MEDIA_OK) {
        return "error";
    }

    n = 0;
    got[0] = '\0';

#define SHOW(set, ...)                                                        \
    if (set) {                                                                \
        n += snprintf(got + n, sizeof(got) - n, "%s", n ? " " : "");          \
        n += snprintf(got + n, sizeof(got) - n, __VA_ARGS__);                 \
    }

    SHOW(q->has_msn, "msn=%llu", (unsigned long long) q->msn);
    SHOW(q->has_part, "part=%u", q->part);
    SHOW(q->skip, "skip");
    SHOW(q->skip_v2, "v2");
    SHOW(q->push, "push");
    SHOW(q->has_init, "init=%08x", q->init);
    SHOW(q->has_start, "start=%lld", (long long) q->start);
    SHOW(q->ctx_len, "ctx=%.*s", (int) q->ctx_len, q->ctx);

    return got;
}


static void
check_escape(const char *src, const char *want)
{
    size_t  n, len;
    u_char  buf[64], *p;

    len = ngx_media_hls_escape((const u_char *) src, strlen(src), buf,
                               sizeof(buf));

    is_mem(buf, len, want, strlen(want), "escaped: %s", want);

    for (n = 0; n < len; n++) {
        p = malloc(n ? n : 1);

        if (ngx_media_hls_escape((const u_char *) src, strlen(src), p, n)
            != len)
        {
            ok(0, "escaped into %zu", n);
        }

        free(p);
    }
}


int
main(void)
{
    int                     rc;
    size_t                  i, n;
    u_char                 *p;
    const char             *text;
    ngx_media_hls_name_t    name;
    ngx_media_hls_query_t   query;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        n = strlen(names[i].name);
        p = ngx_media_test_dup(names[i].name, n);

        ngx_media_hls_name_parse(p, p + n, &name);
        text = show_name(&name);

        ok(strcmp(text, names[i].want) == 0, "%s: %s", names[i].name, text);

        free(p);
    }

    for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        n = strlen(queries[i].query);
        p = ngx_media_test_dup(queries[i].query, n);

        rc = ngx_media_hls_query_parse(p, p + n, &query);
        text = show_query(rc, &query);

        ok(strcmp(text, queries[i].want) == 0, "%s: %s", queries[i].query,
           text);

        free(p);
    }

    ok(ngx_media_hls_query_parse(NULL, NULL, &query) == NGX_MEDIA_OK,
       "no arguments");

    check_escape("live-1_a.b~", "live-1_a.b~");
    check_escape("a b:c\"d/e%\xd0\xbf\n", "a%20b%3Ac%22d%2Fe%25%D0%BF%0A");
    check_escape("", "");

    return done_testing();
}
