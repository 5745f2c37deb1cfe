
/*
 * Copyright (C) the nginx media suite authors
 *
 * URLs of SRT: options, what is refused, and stream ids that are made, which
 * are read back.
 */


#include "ngx_media_srt_url.h"
#include "ngx_media_test.h"


#define REQUEST  NGX_MEDIA_SRT_MODE_REQUEST
#define PUBLISH  NGX_MEDIA_SRT_MODE_PUBLISH

#define N(name)  NGX_MEDIA_SRT_URL_##name


static const struct {
    const char  *args;
    int          number;
    int64_t      value;
} numbers[] = {
    { "latency=400", N(LATENCY), 400 },
    { "latency=0", N(LATENCY), 0 },
    { "latency=60000", N(LATENCY), 60000 },
    { "latency=1&latency=2", N(LATENCY), 2 },
    { "&&latency=%34&", N(LATENCY), 4 },
    { "rcvlatency=1", N(RCVLATENCY), 1 },
    { "peerlatency=1", N(PEERLATENCY), 1 },
    { "pbkeylen=32", N(PBKEYLEN), 32 },
    { "enforcedencryption=no", N(ENFORCED), 0 },
    { "enforced_encryption=yes", N(ENFORCED), 1 },
    { "mss=1400", N(MSS), 1400 },
    { "maxbw=-1", N(MAXBW), -1 },
    { "maxbw=0", N(MAXBW), 0 },
    { "maxbw=1250000000", N(MAXBW), 1250000000 },
    { "inputbw=1000", N(INPUTBW), 1000 },
    { "mininputbw=1000", N(MININPUTBW), 1000 },
    { "oheadbw=25", N(OHEADBW), 25 },
    { "tlpktdrop=on", N(TLPKTDROP), 1 },
    { "tlpktdrop=false", N(TLPKTDROP), 0 },
    { "nakreport=0", N(NAKREPORT), 0 },
    { "lossmaxttl=40", N(LOSSMAXTTL), 40 },
    { "fc=25600", N(FC), 25600 },
    { "ffs=25600", N(FC), 25600 },
    { "sndbuf=12000000", N(SNDBUF), 12000000 },
    { "rcvbuf=12000000", N(RCVBUF), 12000000 },
    { "ipttl=64", N(IPTTL), 64 },
    { "iptos=184", N(IPTOS), 184 },
    { "conntimeo=1000", N(CONNECT), 1000 },
    { "connect_timeout=1000", N(CONNECT), 1000 },
    { "peeridletimeo=5000", N(IDLE), 5000 },
    { "pkt_size=1316", N(PAYLOAD), 1316 },
    { "payloadsize=1316", N(PAYLOAD), 1316 },
    { "mode=caller&transtype=live&payload_size=1316", N(PAYLOAD), 1316 }
};


static const char  *bad[] = {
    "latency=", "latency", "latency=x", "latency=-1", "latency=60001",
    "latency=1.5", "latency=9999999999999", "latency=1%", "latency=1%0",
    "latency=1%zz", "latency=%00", "latency=-", "rcvlatency=a",
    "peerlatency=a", "pbkeylen=8", "pbkeylen=33", "enforcedencryption=2",
    "enforced_encryption=", "mss=100", "mss=9001", "maxbw=-2",
    "inputbw=-1", "mininputbw=x", "oheadbw=4", "tlpktdrop=2",
    "nakreport=maybe", "snddropdelay=1", "lossmaxttl=-1", "fc=31",
    "ffs=1", "sndbuf=1", "rcvbuf=1073741825", "ipttl=0", "iptos=256",
    "conntimeo=99", "connect_timeout=60001", "peeridletimeo=1",
    "payloadsize=1457", "payload_size=x", "pkt_size=-1",
    "mode=listener", "mode=server", "mode=rendezvous", "mode=", "mode=x",
    "transtype=file", "passphrase=short", "latencyy=1", "x", "=1",
    "Latency=1", "streamid=a%0ab", "token=abc",
    "passphrase=01234567890123456789012345678901234567890123456789012345678901"
    "234567890123456789"
};


static const struct {
    int          mode;
    const char  *vhost;
    const char  *app;
    const char  *stream;
    const char  *args;
    const char  *id;
} ids[] = {
    { REQUEST, "", "live", "x", "", "#!::r=live/x,m=request" },
    { PUBLISH, "", "live", "x", "", "#!::r=live/x,m=publish" },
    { PUBLISH, "v.com", "a/b", "x", "k=v&l=w",
      "#!::r=a/b/x,m=publish,h=v.com,k=v,l=w" },
    { REQUEST, "", "", "live/x", "", "#!::r=live/x,m=request" },
    { REQUEST, "", "live", "x", "&&k=a,b&m=publish&r=y&h=z&t=file&vhost=a&n&"
      "domain=x&mm=1&q=a?b", "#!::r=live/x,m=request,n,mm=1" },
    { REQUEST, "", "live", "", "", "" },
    { REQUEST, "", "live", "a,b", "", "" },
    { REQUEST, "", "a?b", "x", "", "" },
    { REQUEST, "v,x", "live", "x", "", "" },
    { REQUEST, "", "live", "a\nb", "", "" }
};


static ngx_media_url_str_t
str(const char *text)
{
    ngx_media_url_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


static int
same(const ngx_media_url_str_t *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}


/* from copies of their own size, so that overruns are seen */

static const char *
parse(ngx_media_srt_url_t *u, const char *args, u_char **copy, u_char **buf)
{
    size_t  n;

    n = strlen(args);

    *copy = malloc(n ? n : 1);
    *buf = malloc(n ? n : 1);
    memcpy(*copy, args, n);

    return ngx_media_srt_url(u, *copy, *copy + n, *buf, n);
}


static void
test_numbers(void)
{
    size_t                i;
    u_char               *copy, *buf;
    const char           *fault;
    ngx_media_srt_url_t   u;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        fault = parse(&u, numbers[i].args, &copy, &buf);

        ok(fault == NULL && ngx_media_srt_url_is_set(&u, numbers[i].number)
           && u.set == (uint32_t) 1 << numbers[i].number
           && u.number[numbers[i].number] == numbers[i].value,
           "%s: %s", numbers[i].args, fault ? fault : "taken");

        free(copy);
        free(buf);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fault = parse(&u, bad[i], &copy, &buf);

        ok(fault != NULL, "%s: %s", bad[i], fault ? fault : "taken");

        free(copy);
        free(buf);
    }
}


static void
test_texts(void)
{
    u_char               *copy, *buf, small[4];
    const char           *fault, *args;
    char                  text[NGX_MEDIA_SRT_URL_ARGS_MAX + 2];
    ngx_media_srt_url_t   u;

    fault = parse(&u, "", &copy, &buf);
    ok(fault == NULL && u.set == 0 && u.streamid.len == 0
       && u.passphrase.len == 0, "nothing");
    free(copy);
    free(buf);

    args = "streamid=#!::r=live/x,m=request&latency=20"
           "&passphrase=a%26b%3D%2Bc+def&packetfilter=fec,cols:10";
    fault = parse(&u, args, &copy, &buf);
    ok(fault == NULL && same(&u.streamid, "#!::r=live/x,m=request"),
       "a stream id as it is");
    ok(same(&u.passphrase, "a&b=+c+def"), "a passphrase is decoded");
    ok(same(&u.filter, "fec,cols:10"), "a packet filter");
    free(copy);
    free(buf);

    fault = parse(&u, "srt_streamid=%23%21%3A%3Ar%3Da%26b", &copy, &buf);
    ok(fault == NULL && same(&u.streamid, "#!::r=a&b"),
       "a stream id that is encoded");
    free(copy);
    free(buf);

    fault = parse(&u, "passphrase=", &copy, &buf);
    ok(fault == NULL && u.passphrase.len == 0, "no passphrase");
    free(copy);
    free(buf);

    memset(text, 'a', sizeof(text));
    memcpy(text, "streamid=", 9);
    text[9 + NGX_MEDIA_SRT_ID_MAX] = '\0';

    fault = parse(&u, text, &copy, &buf);
    ok(fault == NULL && u.streamid.len == NGX_MEDIA_SRT_ID_MAX,
       "a stream id of 512 bytes");
    free(copy);
    free(buf);

    text[9 + NGX_MEDIA_SRT_ID_MAX] = 'a';
    text[10 + NGX_MEDIA_SRT_ID_MAX] = '\0';

    fault = parse(&u, text, &copy, &buf);
    ok(fault != NULL, "one of 513: %s", fault ? fault : "taken");
    free(copy);
    free(buf);

    memset(text, '&', sizeof(text));
    text[NGX_MEDIA_SRT_URL_ARGS_MAX + 1] = '\0';

    fault = parse(&u, text, &copy, &buf);
    ok(fault != NULL, "long arguments: %s", fault ? fault : "taken");
    free(copy);
    free(buf);

    copy = (u_char *) "latency=1";
    fault = ngx_media_srt_url(&u, copy, copy + 9, small, sizeof(small));
    ok(fault != NULL, "no room");
}


static void
test_ids(void)
{
    int                   rc;
    size_t                i, n;
    u_char                buf[NGX_MEDIA_SRT_ID_MAX];
    u_char                scratch[ngx_media_srt_id_scratch(sizeof(buf))];
    char                  text[2 * NGX_MEDIA_SRT_ID_MAX];
    ngx_media_srt_id_t    id;
    ngx_media_url_str_t   vhost, app, stream, args;

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        vhost = str(ids[i].vhost);
        app = str(ids[i].app);
        stream = str(ids[i].stream);
        args = str(ids[i].args);

        n = ngx_media_srt_url_id(buf, (ngx_media_srt_mode_e) ids[i].mode,
                                 &vhost, &app, &stream, &args);

        ok(n == strlen(ids[i].id) && memcmp(buf, ids[i].id, n) == 0,
           "made \"%.*s\"", (int) n, buf);

        if (n == 0) {
            continue;
        }

        rc = ngx_media_srt_id(&id, buf, buf + n, scratch, sizeof(scratch));

        ok(rc == NGX_MEDIA_SRT_ID_OK && (int) id.mode == ids[i].mode
           && same(&id.vhost, ids[i].vhost),
           "and read: \"%.*s\" \"%.*s\"", (int) id.app.len, id.app.data,
           (int) id.stream.len, id.stream.data);
    }

    /* what has no room stays out, what follows may have some */

    memset(text, 'a', sizeof(text));
    memcpy(text + 600, "&k=v", 5);

    vhost = str("");
    app = str("live");
    stream = str("x");
    args = str(text);

    n = ngx_media_srt_url_id(buf, REQUEST, &vhost, &app, &stream, &args);
    is_mem(buf, n, "#!::r=live/x,m=request,k=v", 26, "a long argument");

    text[600] = '\0';
    stream = str(text);
    args = str("");

    n = ngx_media_srt_url_id(buf, REQUEST, &vhost, &app, &stream, &args);
    ok(n == 0, "a long name");

    text[NGX_MEDIA_SRT_ID_MAX - 21] = '\0';
    stream = str(text);

    n = ngx_media_srt_url_id(buf, REQUEST, &vhost, &app, &stream, &args);
    ok(n == NGX_MEDIA_SRT_ID_MAX, "a name that fits: %zu", n);

    text[NGX_MEDIA_SRT_ID_MAX - 21] = 'a';
    text[NGX_MEDIA_SRT_ID_MAX - 20] = '\0';
    stream = str(text);

    n = ngx_media_srt_url_id(buf, REQUEST, &vhost, &app, &stream, &args);
    ok(n == 0, "one that does not");
}


int
main(void)
{
    test_numbers();
    test_texts();
    test_ids();

    return done_testing();
}
