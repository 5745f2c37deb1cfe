
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of names and arguments of requests for recordings: tables of what
 * may come and what it is taken for.  Everything is parsed from blocks of
 * exactly its size.
 */


#include "ngx_media_test.h"
#include "ngx_media_vod_name.h"


#define ID  "1a1faaedfd8737c7"


static char  got[512];


static const struct {
    const char  *name;
    const char  *want;
} names[] = {
    { "a.m3u8", "list a" },
    { "a.b.m3u8", "list a.b" },
    { "a.mp4", "export a" },
    { "a.rec." ID ".mp4", "file a " ID " 2" },
    { "a.rec." ID ".flv", "file a " ID " 1" },
    { "a.rec." ID ".ts", "file a " ID " 3" },
    { "a.rec." ID ".rec." ID ".ts", "file a.rec." ID " " ID " 3" },
    { "\xd0\xbf.rec." ID ".ts", "file \xd0\xbf " ID " 3" },
    { "a.hls.1.rec." ID ".ts", "file a.hls.1 " ID " 3" },

    { "", "none" },
    { ".m3u8", "none" },
    { ".mp4", "none" },
    { "a", "none" },
    { "a.flv", "none" },
    { "a.ts", "none" },
    { "a.M3U8", "none" },
    { "a.hls.v0.m3u8", "none" },
    { "a.hls.init.mp4", "none" },
    { ".rec." ID ".flv", "none" },
    { "rec." ID ".flv", "none" },
    { ID ".flv", "none" },
    { "a.rec." ID, "none" },
    { "a.rec." ID ".m4s", "none" },
    { "a.rec.1A1faaedfd8737c7.flv", "none" },
    { "a.rec.1a1faaedfd8737cg.flv", "none" },
    { "a.rec.1a1faaedfd8737c.flv", "none" },
    { "a.rec." ID "0.flv", "none" },
    { "a.rec." ID "0.mp4", "export a.rec." ID "0" },
    { "a.recx" ID ".flv", "none" },
};


static const char *
show_name(const ngx_media_vod_name_t *n)
{
    static const char  *kinds[] = { "none", "list", "export", "file" };

    if (n->kind == NGX_MEDIA_VOD_NAME_NONE) {
        return "none";
    }

    if (n->kind == NGX_MEDIA_VOD_NAME_FILE) {
        snprintf(got, sizeof(got), "file %.*s %.16s %u", (int) n->stream_len,
                 n->stream, n->id, n->file);
    } else {
        snprintf(got, sizeof(got), "%s %.*s", kinds[n->kind],
                 (int) n->stream_len, n->stream);
    }

    return got;
}


static const struct {
    const char  *text;
    int64_t      want;              /* -1: it is none */
} times[] = {
    { "0", 0 },
    { "1795181628123", 1795181628123LL },
    { "253402300799999", 253402300799999LL },
    { "253402300800000", -1 },
    { "99999999999999999999999999", -1 },
    { "", -1 },
    { "-1", -1 },
    { "+1", -1 },
    { "1.5", -1 },
    { "12x", -1 },
    { "2026-11-20T13:33:48Z", 1795181628000LL },
    { "2026-11-20t13:33:48.5z", 1795181628500LL },
    { "2026-11-20T13:33:48.123456Z", 1795181628123LL },
    { "2026-11-20T14:33:48+01:00", 1795181628000LL },
    { "2026-11-20T14:33:48 01:00", 1795181628000LL },
    { "2026-11-20T14%3a33%3A48%2B0100", 1795181628000LL },
    { "2026-11-20T05:03:48-08:30", 1795181628000LL },
    { "2000-02-29T00:00:00Z", 951782400000LL },
    { "2026-11-20T13:33:48", -1 },
    { "2026-11-20T13:33:48.Z", -1 },
    { "2026-11-20T13:33:48ZZ", -1 },
    { "2026-11-20T13:33:48+01", -1 },
    { "2026-11-20T13:33:48+24:00", -1 },
    { "2026-11-20T24:33:48Z", -1 },
    { "2026-13-20T13:33:48Z", -1 },
    { "2026-11-00T13:33:48Z", -1 },
    { "1970-01-01T00:00:00+01:00", -1 },
    { "1969-12-31T23:59:59Z", -1 },
    { "2026-11-20", -1 },
    { "2026-11-20T13:33:48%", -1 },
    { "2026-11-20T13:33:48.00000000000000000000000000000000000000000000Z",
      -1 },
};


static const struct {
    const char  *query;
    const char  *want;
} queries[] = {
    { "", "" },
    { "&&a=b&start&end=&id=", "" },
    { "start=1795181628000", "start=1795181628000" },
    { "start=0", "start=0" },
    { "start=0&end=1795181628000", "start=0 end=1795181628000" },
    { "end=1795181628000&x=y", "end=1795181628000" },
    { "start=-600", "live" },
    { "start=1795181628", "live" },
    { "id=" ID, "id=" ID },
    { "id=" ID "&start=1795181628000", "start=1795181628000 id=" ID },
    { "start=1795181628000&start=x", "start=1795181628000" },
    { "start=x", "error" },
    { "end=x", "error" },
    { "end=5", "error" },
    { "id=x", "error" },
    { "id=" ID "0", "error" },
    { "start=1795181628000&end=1795181628000", "error" },
    { "start=-5&end=1795181628000", "error" },
};


static const char *
show_query(const ngx_media_vod_query_t *q)
{
    int  n;

    n = 0;
    got[0] = '\0';

    if (q->live) {
        n += snprintf(got + n, sizeof(got) - n, " live");

    } else if (q->has_start) {
        n += snprintf(got + n, sizeof(got) - n, " start=%lld",
                      (long long) q->start);
    }

    if (q->has_stop) {
        n += snprintf(got + n, sizeof(got) - n, " end=%lld",
                      (long long) q->stop);
    }

    if (q->id) {
        n += snprintf(got + n, sizeof(got) - n, " id=%.16s", q->id);
    }

    return n ? got + 1 : got;
}


int
main(void)
{
    int                    rc;
    size_t                 i, n;
    u_char                *text;
    int64_t                msec;
    const char            *shown;
    ngx_media_vod_name_t   name;
    ngx_media_vod_query_t  query;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        n = strlen(names[i].name);
        text = malloc(n ? n : 1);
        memcpy(text, names[i].name, n);

        ngx_media_vod_name_parse(text, text + n, &name);
        shown = show_name(&name);
        ok(strcmp(shown, names[i].want) == 0, "name %s: %s", names[i].name,
           shown);

        free(text);
    }

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        n = strlen(times[i].text);
        text = malloc(n ? n : 1);
        memcpy(text, times[i].text, n);

        rc = ngx_media_vod_time(text, text + n, &msec);
        ok(rc == NGX_MEDIA_OK ? msec == times[i].want : times[i].want == -1,
           "time %s", times[i].text);

        free(text);
    }

    for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        n = strlen(queries[i].query);
        text = malloc(n ? n : 1);
        memcpy(text, queries[i].query, n);

        rc = ngx_media_vod_query_parse(text, text + n, &query);
        shown = (rc == NGX_MEDIA_OK) ? show_query(&query) : "error";
        ok(strcmp(shown, queries[i].want) == 0, "query %s: %s",
           queries[i].query, shown);

        free(text);
    }

    return done_testing();
}
