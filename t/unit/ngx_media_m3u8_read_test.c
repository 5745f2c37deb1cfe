
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of the reader of media playlists: what there is in them, what is
 * no playlist, and that everything may be cut off anywhere.
 */


#include "ngx_media_m3u8_read.h"
#include "ngx_media_test.h"


static ngx_media_m3u8_read_t  list;


static int
parse(const char *text)
{
    int      rc;
    size_t   n;
    u_char  *p;

    n = strlen(text);
    p = ngx_media_test_dup(text, n);
    rc = ngx_media_m3u8_read(p, p + n, &list);
    free(p);

    return rc;
}


static const char  whole[] =
    "#EXTM3U\r\n"
    "#EXT-X-VERSION:6\r\n"
    "#EXT-X-TARGETDURATION:2\n"
    "#EXT-X-MEDIA-SEQUENCE:1795181628\n"
    "#EXT-X-DISCONTINUITY-SEQUENCE:3\n"
    "#EXT-X-MAP:URI=\"x-aa.mp4\"\n"
    "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T13:33:48.500Z\n"
    "#EXTINF:2.002000,\n"
    "x-1795181628.m4s\n"
    "\n"
    "#EXTINF:1,title\n"
    "x-1795181629.m4s\r\n"
    "#EXT-X-DISCONTINUITY\n"
    "#EXT-X-MAP:BYTERANGE=\"1@0\",URI=\"x-bb.mp4\"\n"
    "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T14:33:52.5+01:00\n"
    "#EXT-X-GAP\n"
    "#EXTINF:0.1234567,\n"
    "x-1795181630.m4s\n"
    "#EXT-X-ENDLIST";


static void
test_whole(void)
{
    int      rc;
    size_t   n;
    u_char  *p;

    p = (u_char *) whole;

    rc = ngx_media_m3u8_read(p, p + sizeof(whole) - 1, &list);

    ok(rc == NGX_MEDIA_OK && list.nentries == 3 && list.msn == 1795181628
       && list.disc == 3 && list.target == 2 && list.ended, "a playlist");

    ok(list.entry[0].duration == 2002000 && list.entry[1].duration == 1000000
       && list.entry[2].duration == 123456, "durations");

    ok(list.entry[0].pdt == 1795181628500000 && list.entry[1].pdt == 0
       && list.entry[2].pdt == 1795181632500000, "dates: %lld, %lld",
       (long long) list.entry[0].pdt, (long long) list.entry[2].pdt);

    ok(list.entry[0].flags == 0 && list.entry[1].flags == 0
       && list.entry[2].flags == (NGX_MEDIA_HLS_DISCONTINUITY
                                  |NGX_MEDIA_HLS_GAP), "flags");

    is_mem(list.entry[1].uri, list.entry[1].uri_len, "x-1795181629.m4s", 16,
           "a name before CR LF");
    is_mem(list.entry[1].map, list.entry[1].map_len, "x-aa.mp4", 8,
           "a map holds");
    is_mem(list.entry[2].map, list.entry[2].map_len, "x-bb.mp4", 8,
           "until the next");

    for (n = 0; n < sizeof(whole) - 1; n++) {
        p = ngx_media_test_dup(whole, n);
        rc = ngx_media_m3u8_read(p, p + n, &list);
        free(p);

        if (rc == NGX_MEDIA_OK && (n < 7 || list.nentries > 3)) {
            break;
        }
    }

    ok(n == sizeof(whole) - 1, "cut off anywhere");
}


static void
test_damaged(void)
{
    size_t                    i;
    static const char  *const bad[] = {
        "", "#EXTM3", "x", "#EXTINF:2,\nx\n",
        "#EXTM3U\nx.ts\n",
        "#EXTM3U\n#EXTINF:2,\na.ts\nb.ts\n",
        "#EXTM3U\n#EXTINF:x,\na.ts\n",
        "#EXTM3U\n#EXTINF:-1,\na.ts\n",
        "#EXTM3U\n#EXTINF:99999,\na.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:99999999999999999999\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-1\n",
        "#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:4294967295\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n"
    };
    static const char  *const dates[] = {
        "", "2026", "2026-13-01T00:00:00Z", "1969-01-01T00:00:00Z",
        "2026-11-20T24:00:00Z", "2026-11-20X13:33:48Z",
        "2026-11-20T13:33:48+1", "2026-11-20T13:33:48x",
        "2026-1-20T13:33:48Z"
    };
    char                      text[256];

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(parse(bad[i]) == NGX_MEDIA_ERROR, "damaged %zu", i);
    }

    for (i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {

        snprintf(text, sizeof(text),
                 "#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:1,\nx\n",
                 dates[i]);

        ok(parse(text) == NGX_MEDIA_OK && list.nentries == 1
           && list.entry[0].pdt == 0, "no date: \"%s\"", dates[i]);
    }
}


/* of more segments than there may be the newest are kept */

static void
test_long(void)
{
    char      *text, *p;
    uint32_t   i, n;

    n = NGX_MEDIA_HLS_SEGMENTS + 100;
    text = malloc(n * 64 + 128);

    p = text + sprintf(text, "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1000\n");

    for (i = 0; i < n; i++) {

        if (i % 10 == 5) {
            p += sprintf(p, "#EXT-X-DISCONTINUITY\n");
        }

        p += sprintf(p, "#EXTINF:2.0,\nx-%u.ts\n", 1000 + i);
    }

    ok(parse(text) == NGX_MEDIA_OK && list.nentries == NGX_MEDIA_HLS_SEGMENTS
       && list.msn == 1100 && list.disc == 10, "the newest: %llu, %u",
       (unsigned long long) list.msn, list.disc);

    free(text);

    ok(parse("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n") == NGX_MEDIA_OK
       && list.nentries == 0 && list.msn == 7, "nothing in it");
}


static void
test_keys(void)
{
    ok(parse("#EXTM3U\n"
             "#EXT-X-KEY:METHOD=AES-128,URI=\"a.key\",IV=0x00000000000000000000"
             "0000DEADBEEF\n#EXTINF:1,\na.ts\n"
             "#EXTINF:1,\nb.ts\n"
             "#EXT-X-KEY:METHOD=NONE\n#EXTINF:1,\nc.ts\n"
             "#EXT-X-KEY:METHOD=AES-128,IV=0x0123456789abcdef,URI=\"b.key\"\n"
             "#EXTINF:1,\nd.ts\n"
             "#EXT-X-KEY:METHOD=AES-128,URI=\"c.key\n#EXTINF:1,\ne.ts\n")
       == NGX_MEDIA_OK && list.nentries == 5, "keys");

    ok(list.entry[0].key_len == 5 && list.entry[0].iv == 0xdeadbeef
       && list.entry[1].key_len == 5 && list.entry[1].iv == 0xdeadbeef,
       "a key holds until the next one");
    ok(list.entry[2].key == NULL && list.entry[2].iv == 0, "none");
    ok(list.entry[3].key_len == 5 && list.entry[3].iv == 0x0123456789abcdef,
       "in another order");
    ok(list.entry[4].key == NULL && list.entry[4].key_len == 0, "damaged");
}


int
main(void)
{
    test_keys();
    test_whole();
    test_damaged();
    test_long();

    return done_testing();
}
