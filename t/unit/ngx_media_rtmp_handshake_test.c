
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of the RTMP handshake: the bytes of both sides against values
 * that another implementation has computed, the two state machines against
 * each other in pieces of all sizes, and what is refused.
 */


#include <openssl/sha.h>

#include "ngx_media_bytes.h"
#include "ngx_media_rtmp.h"
#include "ngx_media_rtmp_handshake.h"
#include "ngx_media_test.h"


static u_char  client_random[NGX_MEDIA_RTMP_RANDOM_SIZE];
static u_char  server_random[NGX_MEDIA_RTMP_RANDOM_SIZE];

static const char  *kinds[] = { "simple", "digest 0", "digest 1" };


static void
fill(u_char *p, unsigned seed)
{
    unsigned  i;

    for (i = 0; i < NGX_MEDIA_RTMP_RANDOM_SIZE; i++) {
        p[i] = (u_char) (i * seed + (i >> 8) + 1);
    }
}


/* first half of SHA-256, in hex */

static int
is_sha(const u_char *p, size_t n, const char *want)
{
    char      hex[33];
    u_char    md[SHA256_DIGEST_LENGTH];
    unsigned  i;

    SHA256(p, n, md);

    for (i = 0; i < 16; i++) {
        sprintf(hex + 2 * i, "%02x", md[i]);
    }

    if (strcmp(hex, want) != 0) {
        printf("# %s not %s\n", hex, want);
        return 0;
    }

    return 1;
}


static void
test_values(unsigned kind, const char *c0c1_sha, const char *s0s1s2_sha,
    const char *c2_sha)
{
    u_char   *c0c1, *s0s1s2, *c2;
    uint8_t   got;

    c0c1 = malloc(NGX_MEDIA_RTMP_C0C1_SIZE);
    s0s1s2 = malloc(NGX_MEDIA_RTMP_S0S1S2_SIZE);
    c2 = malloc(NGX_MEDIA_RTMP_C1_SIZE);

    memcpy(c0c1 + 9, client_random, sizeof(client_random));
    memcpy(s0s1s2 + 9, server_random, sizeof(server_random));

    ok(ngx_media_rtmp_handshake_c0c1(c0c1, kind, 0x11223344) == 0
       && is_sha(c0c1, NGX_MEDIA_RTMP_C0C1_SIZE, c0c1_sha),
       "%s: bytes of C0 C1", kinds[kind]);

    ok(ngx_media_rtmp_handshake_s0s1s2(s0s1s2, c0c1, 0x55667788, &got) == 0
       && is_sha(s0s1s2, NGX_MEDIA_RTMP_S0S1S2_SIZE, s0s1s2_sha),
       "%s: bytes of S0 S1 S2", kinds[kind]);

    ok(got == kind, "%s: the server tells the kind", kinds[kind]);

    ok(ngx_media_rtmp_handshake_check(s0s1s2, c0c1, &got) == 0
       && got == kind, "%s: the client agrees", kinds[kind]);

    ok(ngx_media_rtmp_handshake_c2(c2, s0s1s2, kind) == 0
       && is_sha(c2, NGX_MEDIA_RTMP_C1_SIZE, c2_sha),
       "%s: bytes of C2", kinds[kind]);

    /* damage of one byte in S1 and in S2 */

    s0s1s2[1 + 700] ^= 1;
    s0s1s2[1 + NGX_MEDIA_RTMP_C1_SIZE + 800] ^= 1;
    ok(ngx_media_rtmp_handshake_check(s0s1s2, c0c1, &got)
       == NGX_MEDIA_RTMP_HS_EDIGEST, "%s: damaged S1", kinds[kind]);

    s0s1s2[1 + 700] ^= 1;
    ok(ngx_media_rtmp_handshake_check(s0s1s2, c0c1, &got)
       == NGX_MEDIA_RTMP_HS_EDIGEST, "%s: damaged S2", kinds[kind]);

    /* a damaged C1 makes it a simple handshake */

    c0c1[1 + 700] ^= 1;
    ok(ngx_media_rtmp_handshake_s0s1s2(s0s1s2, c0c1, 0, &got) == 0
       && got == NGX_MEDIA_RTMP_SIMPLE
       && memcmp(s0s1s2 + 1 + NGX_MEDIA_RTMP_C1_SIZE, c0c1 + 1,
                 NGX_MEDIA_RTMP_C1_SIZE) == 0,
       "%s: damaged C1", kinds[kind]);

    /* which the client takes from a server that knows no better */

    got = (uint8_t) kind;
    ok(ngx_media_rtmp_handshake_check(s0s1s2, c0c1, &got) == 0
       && got == NGX_MEDIA_RTMP_SIMPLE, "%s: simple answer", kinds[kind]);

    free(c0c1);
    free(s0s1s2);
    free(c2);
}


static void
test_simple(void)
{
    u_char    c0c1[NGX_MEDIA_RTMP_C0C1_SIZE];
    u_char    s0s1s2[NGX_MEDIA_RTMP_S0S1S2_SIZE];
    u_char    c2[NGX_MEDIA_RTMP_C1_SIZE];
    uint8_t   kind;

    memcpy(c0c1 + 9, client_random, sizeof(client_random));
    memcpy(s0s1s2 + 9, server_random, sizeof(server_random));

    ok(ngx_media_rtmp_handshake_c0c1(c0c1, NGX_MEDIA_RTMP_SIMPLE, 7) == 0
       && c0c1[0] == 3 && ngx_media_get_be32(c0c1 + 1) == 7
       && ngx_media_get_be32(c0c1 + 5) == 0, "simple C0 C1");

    kind = 9;
    ok(ngx_media_rtmp_handshake_s0s1s2(s0s1s2, c0c1, 8, &kind) == 0
       && kind == NGX_MEDIA_RTMP_SIMPLE && s0s1s2[0] == 3
       && ngx_media_get_be32(s0s1s2 + 1) == 8
       && ngx_media_get_be32(s0s1s2 + 5) == 0
       && memcmp(s0s1s2 + 9, server_random, sizeof(server_random)) == 0,
       "simple S0 S1");

    ok(memcmp(s0s1s2 + 1 + NGX_MEDIA_RTMP_C1_SIZE, c0c1 + 1,
              NGX_MEDIA_RTMP_C1_SIZE) == 0, "S2 is C1");

    ok(ngx_media_rtmp_handshake_check(s0s1s2, c0c1, &kind) == 0,
       "simple check");

    ok(ngx_media_rtmp_handshake_c2(c2, s0s1s2, kind) == 0
       && memcmp(c2, s0s1s2 + 1, NGX_MEDIA_RTMP_C1_SIZE) == 0, "C2 is S1");

    s0s1s2[0] = 4;
    ok(ngx_media_rtmp_handshake_check(s0s1s2, c0c1, &kind)
       == NGX_MEDIA_RTMP_HS_EVERSION, "server of another version");
}


/* bytes on their way to a side, from memory of their own size */

typedef struct {
    u_char   data[8192];
    size_t   len;
    size_t   done;
} pipe_t;


static int
side(ngx_media_rtmp_handshake_t *hs, pipe_t *in, pipe_t *out, size_t piece)
{
    int            rc;
    size_t         n, need;
    u_char        *copy;
    const u_char  *pos, *from;

    n = in->len - in->done;
    n = n < piece ? n : piece;

    copy = malloc(n ? n : 1);
    memcpy(copy, in->data + in->done, n);
    pos = copy;

    do {
        need = ngx_media_rtmp_handshake_need(hs);
        from = pos;

        rc = ngx_media_rtmp_handshake(hs, &pos, copy + n, 1234);

        if (rc == NGX_MEDIA_RTMP_HS_SEND) {
            memcpy(out->data + out->len, hs->out, hs->out_len);
            out->len += hs->out_len;
        }

        if (rc == NGX_MEDIA_RTMP_HS_AGAIN
            && (pos != copy + n || need <= (size_t) (pos - from)))
        {
            rc = -100;
        }

    } while (rc == NGX_MEDIA_RTMP_HS_SEND);

    in->done += (size_t) (pos - copy);

    free(copy);

    return rc;
}


static int
run(unsigned kind, size_t piece)
{
    int                         s, c, turns;
    u_char                     *cbuf, *sbuf;
    pipe_t                     *up, *down;
    ngx_media_rtmp_handshake_t  server, client;

    cbuf = malloc(NGX_MEDIA_RTMP_HANDSHAKE_BUF);
    sbuf = malloc(NGX_MEDIA_RTMP_HANDSHAKE_BUF);
    up = calloc(1, sizeof(pipe_t));
    down = calloc(1, sizeof(pipe_t));

    ngx_media_rtmp_handshake_server(&server, sbuf, server_random);
    c = ngx_media_rtmp_handshake_client(&client, cbuf, client_random, kind,
                                        99);
    s = NGX_MEDIA_RTMP_HS_AGAIN;

    for (turns = 0; turns < 20000; turns++) {
        c = side(&client, down, up, piece);

        if (c == NGX_MEDIA_RTMP_HS_DONE && up->len == 1537 + 1536) {
            up->data[up->len++] = 'C';      /* the first chunk */
        }

        s = side(&server, up, down, piece);

        if (s == NGX_MEDIA_RTMP_HS_DONE || s < 0 || c < 0) {
            break;
        }
    }

    /* the last byte has to stay where it is */

    if (s == NGX_MEDIA_RTMP_HS_DONE && c == NGX_MEDIA_RTMP_HS_DONE
        && (server.kind != kind || client.kind != kind
            || up->done != 1537 + 1536 || up->len != up->done + 1
            || down->done != 3073 || down->len != 3073
            || ngx_media_rtmp_handshake_need(&server) != 0
            || ngx_media_rtmp_handshake_need(&client) != 0))
    {
        s = -101;
    }

    free(cbuf);
    free(sbuf);
    free(up);
    free(down);

    return s ? s : c;
}


static void
test_runs(void)
{
    int       rc;
    size_t    piece;
    unsigned  kind;

    for (kind = 0; kind <= NGX_MEDIA_RTMP_DIGEST1; kind++) {
        rc = 0;

        for (piece = 1; rc == 0 && piece < 4700;
             piece += piece < 8 ? 1 : piece < 1530 ? 97 : piece < 1545 ? 1
                      : 211)
        {
            rc = run(kind, piece);
        }

        ok(rc == 0, "%s: both sides in pieces, last %zu: %d", kinds[kind],
           piece, rc);
    }
}


static int
first_byte(u_char c)
{
    int                          rc;
    u_char                      *buf;
    const u_char                *pos;
    ngx_media_rtmp_handshake_t   hs;

    buf = malloc(NGX_MEDIA_RTMP_HANDSHAKE_BUF);
    ngx_media_rtmp_handshake_server(&hs, buf, server_random);

    pos = &c;
    rc = ngx_media_rtmp_handshake(&hs, &pos, &c + 1, 0);

    if (rc < 0) {
        pos = &c;

        if (ngx_media_rtmp_handshake(&hs, &pos, &c + 1, 0) != rc) {
            rc = -100;
        }
    }

    free(buf);

    return rc;
}


int
main(void)
{
    fill(client_random, 5);
    fill(server_random, 11);

    test_simple();

    test_values(NGX_MEDIA_RTMP_DIGEST0, "13bb78be29e1bb27f956fa634d50d202",
                "68069300ef8471ab9493061d320427e9",
                "d2c840bcd6415f7a5ba49a7be8cb262e");
    test_values(NGX_MEDIA_RTMP_DIGEST1, "c6adbe7f3f7251c78755149748575a13",
                "fe91fe3ab7686053df1065174810ae3d",
                "908e6c72a07432090534574217dbc796");

    test_runs();

    ok(first_byte(3) == NGX_MEDIA_RTMP_HS_AGAIN, "version 3");
    ok(first_byte(6) == NGX_MEDIA_RTMP_HS_ERTMPE, "RTMPE is told apart");
    ok(first_byte('G') == NGX_MEDIA_RTMP_HS_EVERSION, "HTTP is refused");
    ok(first_byte(0) == NGX_MEDIA_RTMP_HS_EVERSION, "version 0");

    ok(strstr(ngx_media_rtmp_handshake_text(NGX_MEDIA_RTMP_HS_ERTMPE),
              "RTMPE") != NULL, "texts");

    return done_testing();
}
