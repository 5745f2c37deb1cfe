
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: RTMP handshake, see the header for callers and ownership.
 *
 * Simple: RTMP 1.0, section 5.2; S2 and C2 are exact echoes, since librtmp
 * and others compare all 1536 bytes.  With digests: C1 and S1 carry an
 * HMAC-SHA256 of themselves at a place that four of their own bytes tell, S2
 * and C2 end in one whose key is derived from the peer's digest.  Two layouts
 * of C1 exist; the server answers in that of the client.  The Diffie-Hellman
 * block of the layouts is only meant for RTMPE and stays random.
 *
 * Calls out to OpenSSL's one-shot HMAC(), which keeps nothing.
 */


#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ngx_media_bytes.h"
#include "ngx_media_rtmp.h"
#include "ngx_media_rtmp_handshake.h"


#define DIGEST_SIZE       32
#define DIGEST_RANGE      728      /* 764 - 4 - DIGEST_SIZE */
#define TAIL              (NGX_MEDIA_RTMP_C1_SIZE - DIGEST_SIZE)

#define SERVER_KEY_TEXT   36       /* the part used for S1 */
#define PLAYER_KEY_TEXT   30       /* the part used for C1 */

#define SERVER_VERSION    0x04050001
#define PLAYER_VERSION    0x09007c02


enum {
    HS_SERVER_C0C1 = 0,
    HS_SERVER_C2,
    HS_CLIENT_C0C1,
    HS_CLIENT_S0S1S2,
    HS_CLIENT_C2,
    HS_OVER
};


static const u_char  ngx_media_rtmp_server_key[] = {
    'G', 'e', 'n', 'u', 'i', 'n', 'e', ' ', 'A', 'd', 'o', 'b', 'e', ' ',
    'F', 'l', 'a', 's', 'h', ' ', 'M', 'e', 'd', 'i', 'a', ' ', 'S', 'e',
    'r', 'v', 'e', 'r', ' ', '0', '0', '1',

    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1,
    0x02, 0x9e, 0x7e, 0x57, 0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab,
    0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae
};


static const u_char  ngx_media_rtmp_player_key[] = {
    'G', 'e', 'n', 'u', 'i', 'n', 'e', ' ', 'A', 'd', 'o', 'b', 'e', ' ',
    'F', 'l', 'a', 's', 'h', ' ', 'P', 'l', 'a', 'y', 'e', 'r', ' ', '0',
    '0', '1',

    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1,
    0x02, 0x9e, 0x7e, 0x57, 0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab,
    0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae
};


static int
ngx_media_rtmp_hmac(const u_char *key, size_t klen, const u_char *data,
    size_t len, u_char *out)
{
    unsigned  n;

    n = DIGEST_SIZE;

    if (HMAC(EVP_sha256(), key, (int) klen, data, len, out, &n) == NULL
        || n != DIGEST_SIZE)
    {
        return NGX_MEDIA_RTMP_HS_ECRYPTO;
    }

    return NGX_MEDIA_RTMP_HS_DONE;
}


/* where the digest of a C1 or S1 of the kind stands */

static size_t
ngx_media_rtmp_digest_offset(const u_char *c1, unsigned kind)
{
    size_t  base;

    base = (kind == NGX_MEDIA_RTMP_DIGEST0) ? 772 : 8;

    return base + 4
           + ((size_t) c1[base] + c1[base + 1] + c1[base + 2] + c1[base + 3])
             % DIGEST_RANGE;
}


/* HMAC of a C1 or S1 without the DIGEST_SIZE bytes at off */

static int
ngx_media_rtmp_digest_make(const u_char *c1, size_t off, const u_char *key,
    size_t klen, u_char *out)
{
    u_char  rest[TAIL];

    memcpy(rest, c1, off);
    memcpy(rest + off, c1 + off + DIGEST_SIZE, TAIL - off);

    return ngx_media_rtmp_hmac(key, klen, rest, TAIL, out);
}


/*
 * Looks for a valid digest in both layouts.  Returns DONE with *kind set
 * (SIMPLE where there is none) and *off, or ECRYPTO.
 */

static int
ngx_media_rtmp_digest_find(const u_char *c1, const u_char *key, size_t klen,
    uint8_t *kind, size_t *off)
{
    int       rc;
    u_char    digest[DIGEST_SIZE];
    unsigned  k;

    for (k = NGX_MEDIA_RTMP_DIGEST0; k <= NGX_MEDIA_RTMP_DIGEST1; k++) {
        *off = ngx_media_rtmp_digest_offset(c1, k);

        rc = ngx_media_rtmp_digest_make(c1, *off, key, klen, digest);
        if (rc != NGX_MEDIA_RTMP_HS_DONE) {
            return rc;
        }

        if (memcmp(digest, c1 + *off, DIGEST_SIZE) == 0) {
            *kind = (uint8_t) k;
            return NGX_MEDIA_RTMP_HS_DONE;
        }
    }

    *kind = NGX_MEDIA_RTMP_SIMPLE;

    return NGX_MEDIA_RTMP_HS_DONE;
}


/* the last bytes of S2 or C2, key derived from the peer's digest */

static int
ngx_media_rtmp_digest_reply(const u_char *block, const u_char *peer,
    const u_char *key, size_t klen, u_char *out)
{
    int     rc;
    u_char  derived[DIGEST_SIZE];

    rc = ngx_media_rtmp_hmac(key, klen, peer, DIGEST_SIZE, derived);
    if (rc != NGX_MEDIA_RTMP_HS_DONE) {
        return rc;
    }

    return ngx_media_rtmp_hmac(derived, DIGEST_SIZE, block, TAIL, out);
}


static int
ngx_media_rtmp_check_version(u_char version)
{
    switch (version) {

    case NGX_MEDIA_RTMP_VERSION:
        return NGX_MEDIA_RTMP_HS_DONE;

    case NGX_MEDIA_RTMPE_VERSION:
        return NGX_MEDIA_RTMP_HS_ERTMPE;

    default:
        return NGX_MEDIA_RTMP_HS_EVERSION;
    }
}


int
ngx_media_rtmp_handshake_s0s1s2(u_char *out, const u_char *c0c1,
    uint32_t uptime, uint8_t *kind)
{
    int            rc;
    size_t         off, mine;
    u_char        *s1, *s2;
    const u_char  *c1;

    *kind = NGX_MEDIA_RTMP_SIMPLE;

    rc = ngx_media_rtmp_check_version(c0c1[0]);
    if (rc != NGX_MEDIA_RTMP_HS_DONE) {
        return rc;
    }

    c1 = c0c1 + 1;
    s1 = out + 1;
    s2 = s1 + NGX_MEDIA_RTMP_C1_SIZE;
    off = 0;

    /* clients of the simple handshake leave the version zero */

    if (ngx_media_get_be32(c1 + 4) != 0) {
        rc = ngx_media_rtmp_digest_find(c1, ngx_media_rtmp_player_key,
                                        PLAYER_KEY_TEXT, kind, &off);
        if (rc != NGX_MEDIA_RTMP_HS_DONE) {
            return rc;
        }
    }

    out[0] = NGX_MEDIA_RTMP_VERSION;

    ngx_media_put_be32(s1, uptime);
    memcpy(s2, c1, NGX_MEDIA_RTMP_C1_SIZE);

    if (*kind == NGX_MEDIA_RTMP_SIMPLE) {
        ngx_media_put_be32(s1 + 4, 0);
        return NGX_MEDIA_RTMP_HS_DONE;
    }

    ngx_media_put_be32(s1 + 4, SERVER_VERSION);

    mine = ngx_media_rtmp_digest_offset(s1, *kind);

    rc = ngx_media_rtmp_digest_make(s1, mine, ngx_media_rtmp_server_key,
                                    SERVER_KEY_TEXT, s1 + mine);
    if (rc != NGX_MEDIA_RTMP_HS_DONE) {
        return rc;
    }

    return ngx_media_rtmp_digest_reply(s2, c1 + off,
                                       ngx_media_rtmp_server_key,
                                       sizeof(ngx_media_rtmp_server_key),
                                       s2 + TAIL);
}


int
ngx_media_rtmp_handshake_c0c1(u_char *out, unsigned kind, uint32_t uptime)
{
    size_t   off;
    u_char  *c1;

    c1 = out + 1;

    out[0] = NGX_MEDIA_RTMP_VERSION;
    ngx_media_put_be32(c1, uptime);

    if (kind == NGX_MEDIA_RTMP_SIMPLE) {
        ngx_media_put_be32(c1 + 4, 0);
        return NGX_MEDIA_RTMP_HS_DONE;
    }

    ngx_media_put_be32(c1 + 4, PLAYER_VERSION);

    off = ngx_media_rtmp_digest_offset(c1, kind);

    return ngx_media_rtmp_digest_make(c1, off, ngx_media_rtmp_player_key,
                                      PLAYER_KEY_TEXT, c1 + off);
}


int
ngx_media_rtmp_handshake_check(const u_char *s0s1s2, const u_char *c0c1,
    uint8_t *kind)
{
    int            rc;
    size_t         off;
    u_char         digest[DIGEST_SIZE];
    uint8_t        theirs;
    const u_char  *s1, *s2, *c1;

    rc = ngx_media_rtmp_check_version(s0s1s2[0]);
    if (rc != NGX_MEDIA_RTMP_HS_DONE || *kind == NGX_MEDIA_RTMP_SIMPLE) {
        return rc;
    }

    c1 = c0c1 + 1;
    s1 = s0s1s2 + 1;
    s2 = s1 + NGX_MEDIA_RTMP_C1_SIZE;

    rc = ngx_media_rtmp_digest_find(s1, ngx_media_rtmp_server_key,
                                    SERVER_KEY_TEXT, &theirs, &off);
    if (rc != NGX_MEDIA_RTMP_HS_DONE) {
        return rc;
    }

    if (theirs == NGX_MEDIA_RTMP_SIMPLE) {

        /* a server that knows no digests echoes C1 */

        if (memcmp(s2 + 8, c1 + 8, NGX_MEDIA_RTMP_RANDOM_SIZE) != 0) {
            return NGX_MEDIA_RTMP_HS_EDIGEST;
        }

        *kind = NGX_MEDIA_RTMP_SIMPLE;
        return NGX_MEDIA_RTMP_HS_DONE;
    }

    off = ngx_media_rtmp_digest_offset(c1, *kind);

    rc = ngx_media_rtmp_digest_reply(s2, c1 + off, ngx_media_rtmp_server_key,
                                     sizeof(ngx_media_rtmp_server_key),
                                     digest);
    if (rc != NGX_MEDIA_RTMP_HS_DONE) {
        return rc;
    }

    if (memcmp(digest, s2 + TAIL, DIGEST_SIZE) != 0) {
        return NGX_MEDIA_RTMP_HS_EDIGEST;
    }

    *kind = theirs;

    return NGX_MEDIA_RTMP_HS_DONE;
}


int
ngx_media_rtmp_handshake_c2(u_char *out, const u_char *s0s1s2, unsigned kind)
{
    size_t         off;
    const u_char  *s1;

    s1 = s0s1s2 + 1;

    memmove(out, s1, NGX_MEDIA_RTMP_C1_SIZE);

    if (kind == NGX_MEDIA_RTMP_SIMPLE) {
        return NGX_MEDIA_RTMP_HS_DONE;
    }

    off = ngx_media_rtmp_digest_offset(s1, kind);

    return ngx_media_rtmp_digest_reply(out, s1 + off,
                                       ngx_media_rtmp_player_key,
                                       sizeof(ngx_media_rtmp_player_key),
                                       out + TAIL);
}


void
ngx_media_rtmp_handshake_server(ngx_media_rtmp_handshake_t *hs, u_char *buf,
    const u_char *random)
{
    memset(hs, 0, sizeof(ngx_media_rtmp_handshake_t));

    hs->buf = buf;
    hs->state = HS_SERVER_C0C1;

    memcpy(buf + NGX_MEDIA_RTMP_C0C1_SIZE + 9, random,
           NGX_MEDIA_RTMP_RANDOM_SIZE);
}


int
ngx_media_rtmp_handshake_client(ngx_media_rtmp_handshake_t *hs, u_char *buf,
    const u_char *random, unsigned kind, uint32_t uptime)
{
    int  rc;

    memset(hs, 0, sizeof(ngx_media_rtmp_handshake_t));

    hs->buf = buf;
    hs->kind = (uint8_t) kind;
    hs->client = 1;
    hs->state = HS_CLIENT_C0C1;

    memcpy(buf + 9, random, NGX_MEDIA_RTMP_RANDOM_SIZE);

    rc = ngx_media_rtmp_handshake_c0c1(buf, kind, uptime);
    hs->error = (int8_t) rc;

    return rc;
}


size_t
ngx_media_rtmp_handshake_need(const ngx_media_rtmp_handshake_t *hs)
{
    switch (hs->state) {

    case HS_SERVER_C0C1:
        return NGX_MEDIA_RTMP_C0C1_SIZE - hs->have;

    case HS_SERVER_C2:
        return NGX_MEDIA_RTMP_C1_SIZE - hs->have;

    case HS_CLIENT_C0C1:
    case HS_CLIENT_S0S1S2:
        return NGX_MEDIA_RTMP_S0S1S2_SIZE - hs->have;

    default:
        return 0;
    }
}


/*
 * Takes up to what the block still wants; dst is where the block is gathered
 * or NULL.  The version byte is judged at once: a peer that is no RTMP client
 * should not be waited for.  Returns DONE, AGAIN or an error.
 */

static int
ngx_media_rtmp_handshake_take(ngx_media_rtmp_handshake_t *hs,
    const u_char **pos, const u_char *end, u_char *dst)
{
    int     rc;
    size_t  n, need;

    need = ngx_media_rtmp_handshake_need(hs);

    n = (size_t) (end - *pos);
    if (n > need) {
        n = need;
    }

    if (dst && n) {
        if (hs->have == 0) {
            rc = ngx_media_rtmp_check_version(**pos);
            if (rc != NGX_MEDIA_RTMP_HS_DONE) {
                return rc;
            }
        }

        memcpy(dst + hs->have, *pos, n);
    }

    *pos += n;
    hs->have += (uint32_t) n;

    if (n < need) {
        return NGX_MEDIA_RTMP_HS_AGAIN;
    }

    hs->have = 0;

    return NGX_MEDIA_RTMP_HS_DONE;
}


static int
ngx_media_rtmp_handshake_send(ngx_media_rtmp_handshake_t *hs, u_char *out,
    size_t len, uint8_t next)
{
    hs->out = out;
    hs->out_len = (uint32_t) len;
    hs->state = next;

    return NGX_MEDIA_RTMP_HS_SEND;
}


static int
ngx_media_rtmp_handshake_step(ngx_media_rtmp_handshake_t *hs,
    const u_char **pos, const u_char *end, uint32_t uptime)
{
    int      rc;
    u_char  *c, *s;

    c = hs->buf;
    s = hs->buf + NGX_MEDIA_RTMP_C0C1_SIZE;

    switch (hs->state) {

    case HS_SERVER_C0C1:
        rc = ngx_media_rtmp_handshake_take(hs, pos, end, c);
        if (rc != NGX_MEDIA_RTMP_HS_DONE) {
            return rc;
        }

        rc = ngx_media_rtmp_handshake_s0s1s2(s, c, uptime, &hs->kind);
        if (rc != NGX_MEDIA_RTMP_HS_DONE) {
            return rc;
        }

        return ngx_media_rtmp_handshake_send(hs, s, NGX_MEDIA_RTMP_S0S1S2_SIZE,
                                             HS_SERVER_C2);

    case HS_SERVER_C2:
        rc = ngx_media_rtmp_handshake_take(hs, pos, end, NULL);
        if (rc == NGX_MEDIA_RTMP_HS_DONE) {
            hs->state = HS_OVER;
        }

        return rc;

    case HS_CLIENT_C0C1:
        return ngx_media_rtmp_handshake_send(hs, c, NGX_MEDIA_RTMP_C0C1_SIZE,
                                             HS_CLIENT_S0S1S2);

    case HS_CLIENT_S0S1S2:
        rc = ngx_media_rtmp_handshake_take(hs, pos, end, s);
        if (rc != NGX_MEDIA_RTMP_HS_DONE) {
            return rc;
        }

        rc = ngx_media_rtmp_handshake_check(s, c, &hs->kind);
        if (rc != NGX_MEDIA_RTMP_HS_DONE) {
            return rc;
        }

        rc = ngx_media_rtmp_handshake_c2(c, s, hs->kind);
        if (rc != NGX_MEDIA_RTMP_HS_DONE) {
            return rc;
        }

        return ngx_media_rtmp_handshake_send(hs, c, NGX_MEDIA_RTMP_C1_SIZE,
                                             HS_CLIENT_C2);

    default:
        hs->state = HS_OVER;
        return NGX_MEDIA_RTMP_HS_DONE;
    }
}


int
ngx_media_rtmp_handshake(ngx_media_rtmp_handshake_t *hs, const u_char **pos,
    const u_char *end, uint32_t uptime)
{
    int  rc;

    if (hs->error) {
        return hs->error;
    }

    rc = ngx_media_rtmp_handshake_step(hs, pos, end, uptime);

    if (rc < 0) {
        hs->error = (int8_t) rc;
    }

    return rc;
}


const char *
ngx_media_rtmp_handshake_text(int rc)
{
    switch (rc) {

    case NGX_MEDIA_RTMP_HS_DONE:
        return "handshake done";

    case NGX_MEDIA_RTMP_HS_AGAIN:
        return "handshake needs more input";

    case NGX_MEDIA_RTMP_HS_SEND:
        return "handshake has output";

    case NGX_MEDIA_RTMP_HS_EVERSION:
        return "peer does not speak RTMP version 3";

    case NGX_MEDIA_RTMP_HS_ERTMPE:
        return "peer wants RTMPE, which is not supported";

    case NGX_MEDIA_RTMP_HS_EDIGEST:
        return "wrong digest in the server's handshake";

    case NGX_MEDIA_RTMP_HS_ECRYPTO:
        return "HMAC failed";

    default:
        return "unknown handshake result";
    }
}
