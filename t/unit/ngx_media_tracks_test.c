
/*
 * Copyright (C) the nginx media suite authors
 *
 * Selections of tracks: what is accepted, what a set becomes for a stream and
 * under which numbers its tracks go out.
 */


#include "ngx_media_tracks.h"
#include "ngx_media_test.h"


static int
parse(const char *text, uint32_t *tracks)
{
    int      rc;
    u_char  *p;

    p = ngx_media_test_dup(text, strlen(text));
    *tracks = 0xdead;

    rc = ngx_media_tracks_parse(p, p + strlen(text), tracks);

    free(p);

    return rc;
}


static void
ngx_media_tracks_test_parse(void)
{
    size_t    i;
    uint32_t  tracks;

    static const struct {
        const char  *text;
        uint32_t     tracks;
    } good[] = {
        { "all", 0xffff }, { "ALL", 0xffff }, { "default", 0x8003 },
        { "v0", 0x8001 }, { "a0", 0x8002 }, { "a1", 0x8008 },
        { "v6", 0x9000 }, { "a6", 0xa000 }, { "v", 0xd555 },
        { "a", 0xaaaa }, { "v0,a1", 0x8009 }, { "a1,v0", 0x8009 },
        { "V0%2Ca1", 0x8009 }, { "v0%2ca1,a1", 0x8009 },
        { "v,a", 0xffff }, { "v1,default", 0x8007 }
    };

    static const char  *bad[] = {
        "", ",", "v0,", ",v0", "v0,,a0", "v7", "a9", "v01", "v-1", "x",
        "al", "alla", "v0 a0", "v0;a0", "v0%2", "v0%2d", "video", "0",
        "\xff", "defaul"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(parse(good[i].text, &tracks) == NGX_MEDIA_OK
           && tracks == good[i].tracks, "\"%s\" is %x", good[i].text, tracks);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(parse(bad[i], &tracks) == NGX_MEDIA_ERROR && tracks == 0xdead,
           "no selection, %zu", i);
    }
}


static void
ngx_media_tracks_test_arg(void)
{
    int                   rc;
    size_t                i;
    uint32_t              tracks;
    ngx_media_url_str_t   args;

    static const struct {
        const char  *args;
        int          rc;
        uint32_t     tracks;
    } list[] = {
        { "", NGX_MEDIA_DECLINED, 1 },
        { "track=v0", NGX_MEDIA_DECLINED, 1 },
        { "tracks=v0", NGX_MEDIA_OK, 0x8001 },
        { "tracks=v0,a1", NGX_MEDIA_OK, 0x8009 },
        { "x=y&tracks=v0,a1&onlyaudio=1", NGX_MEDIA_OK, 0x8009 },
        { "x=y,tracks=v0,a1,vhost=z,a2", NGX_MEDIA_OK, 0x8009 },
        { "tracks=v0,a=1", NGX_MEDIA_OK, 0x8001 },
        { "tracks=v0,a1?x,a2", NGX_MEDIA_OK, 0x8009 },
        { "tracks", NGX_MEDIA_ERROR, 1 },
        { "tracks=", NGX_MEDIA_ERROR, 1 },
        { "tracks=,a1", NGX_MEDIA_ERROR, 1 },
        { "tracks=v0,", NGX_MEDIA_ERROR, 1 },
        { "tracks=v0,&a=b", NGX_MEDIA_ERROR, 1 },
        { "tracks=v0,v7", NGX_MEDIA_ERROR, 1 }
    };

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {

        args.len = strlen(list[i].args);
        args.data = ngx_media_test_dup(list[i].args, args.len);
        tracks = 1;

        rc = ngx_media_tracks_arg(&args, &tracks);

        ok(rc == list[i].rc && tracks == list[i].tracks, "\"%s\"",
           list[i].args);

        free((void *) args.data);
    }
}


static void
ngx_media_tracks_test_sets(void)
{
    uint32_t  set;
    unsigned  track, seen;

    ok(ngx_media_tracks_number(0x8003, 0) == 0
       && ngx_media_tracks_number(0x8003, 1) == 1
       && ngx_media_tracks_number(0x8003, 15) == 15, "default as it is");
    ok(ngx_media_tracks_number(0x8009, 3) == 1, "one audio is the default");
    ok(ngx_media_tracks_number(0x8054, 2) == 0
       && ngx_media_tracks_number(0x8054, 4) == 4
       && ngx_media_tracks_number(0x8054, 6) == 6,
       "of several the lowest is, the others stay");
    ok(ngx_media_tracks_number(0xffff, 3) == 3, "all keep theirs");

    ok(ngx_media_tracks_limit(0x8408, 0x000b) == 0x8008, "limited");
    ok(ngx_media_tracks_limit(0xffff, 0x0003) == 0xffff, "all stay all");
    ok(ngx_media_tracks_limit(0x8003, 0x0008) == 0x8003, "and the default");
    ok(ngx_media_tracks_limit(0xd55d, 0x0003) == 0xd555, "each kind apart");

    ok(ngx_media_tracks_single(0xaaaa) == 0x0002
       && ngx_media_tracks_single(0x8028) == 0x0008
       && ngx_media_tracks_single(0x8000) == 0, "one of a kind");

    ok(!ngx_media_tracks_chosen(0xffff) && !ngx_media_tracks_chosen(0x8003)
       && !ngx_media_tracks_chosen(0x8001) && !ngx_media_tracks_chosen(0xaaaa)
       && !ngx_media_tracks_chosen(0xd557) && ngx_media_tracks_chosen(0x8008)
       && ngx_media_tracks_chosen(0xd55d), "chosen");

    for (set = 0; set < 0x8000; set++) {
        seen = 0;

        for (track = 0; track < NGX_MEDIA_TRACK_SCRIPT; track++) {
            if (set & 1u << track) {
                seen += 1u << ngx_media_tracks_number(set, (uint8_t) track);
            }
        }

        if (__builtin_popcount(seen) != __builtin_popcount(set)
            || ((set & 0x5555) && !(seen & 1))
            || ((set & 0x2aaa) && !(seen & 2)))
        {
            break;
        }
    }

    ok(set == 0x8000, "no number is given twice, each kind has its default");
}


int
main(void)
{
    ngx_media_tracks_test_parse();
    ngx_media_tracks_test_arg();
    ngx_media_tracks_test_sets();

    return done_testing();
}
