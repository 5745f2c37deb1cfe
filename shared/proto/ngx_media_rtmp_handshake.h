
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: RTMP handshake of both sides, simple (RTMP 1.0, section 5.2) and with
 * digests (HMAC-SHA256, as Flash Player 9 brought it, both layouts).
 *
 * Called by the server sessions and by the clients of forward and edge.  The
 * state machine owns nothing: the caller gives one buffer for the time of the
 * handshake and frees it after DONE or an error.  Nothing is allocated, no
 * clock is read; random bytes come from the caller.
 */


#ifndef _NGX_MEDIA_RTMP_HANDSHAKE_H_INCLUDED_
#define _NGX_MEDIA_RTMP_HANDSHAKE_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


#define NGX_MEDIA_RTMP_C1_SIZE           1536
#define NGX_MEDIA_RTMP_C0C1_SIZE         1537
#define NGX_MEDIA_RTMP_S0S1S2_SIZE       3073
#define NGX_MEDIA_RTMP_RANDOM_SIZE       1528

/* the caller's buffer: C0C1 (later C2) and S0S1S2 */
#define NGX_MEDIA_RTMP_HANDSHAKE_BUF                                          \
    (NGX_MEDIA_RTMP_C0C1_SIZE + NGX_MEDIA_RTMP_S0S1S2_SIZE)


/* kind of handshake */

typedef enum {
    NGX_MEDIA_RTMP_SIMPLE = 0,
    NGX_MEDIA_RTMP_DIGEST0,      /* time, version, key block, digest block */
    NGX_MEDIA_RTMP_DIGEST1       /* time, version, digest block, key block */
} ngx_media_rtmp_kind_e;


/* results */

#define NGX_MEDIA_RTMP_HS_DONE           0    /* over; the rest is chunks */
#define NGX_MEDIA_RTMP_HS_AGAIN          1    /* wants more input */
#define NGX_MEDIA_RTMP_HS_SEND           2    /* send hs->out, then go on */
#define NGX_MEDIA_RTMP_HS_EVERSION      -1    /* first byte is not 3 */
#define NGX_MEDIA_RTMP_HS_ERTMPE        -2    /* first byte is 6: RTMPE */
#define NGX_MEDIA_RTMP_HS_EDIGEST       -3    /* client: S1 or S2 is wrong */
#define NGX_MEDIA_RTMP_HS_ECRYPTO       -4    /* HMAC failed in the library */


typedef struct {
    u_char    *buf;       /* NGX_MEDIA_RTMP_HANDSHAKE_BUF bytes, caller's */
    u_char    *out;       /* after SEND: what to send, inside buf */
    uint32_t   out_len;
    uint32_t   have;      /* bytes of the awaited block read so far */
    uint8_t    state;
    uint8_t    kind;      /* ngx_media_rtmp_kind_e; server: after SEND */
    uint8_t    client;
    int8_t     error;     /* sticky */
} ngx_media_rtmp_handshake_t;


/*
 * Starts a server side handshake.  random: NGX_MEDIA_RTMP_RANDOM_SIZE bytes,
 * copied into buf.  buf stays the caller's and must live until DONE was
 * returned and everything that SEND announced has been sent.
 */
void ngx_media_rtmp_handshake_server(ngx_media_rtmp_handshake_t *hs,
    u_char *buf, const u_char *random);

/*
 * Starts a client side handshake of the kind; buf and random as above.  The
 * first ngx_media_rtmp_handshake() call (an empty span will do) returns SEND
 * with C0C1.  uptime: ms, goes into C1.
 * Returns DONE (0) or NGX_MEDIA_RTMP_HS_ECRYPTO.
 */
int ngx_media_rtmp_handshake_client(ngx_media_rtmp_handshake_t *hs,
    u_char *buf, const u_char *random, unsigned kind, uint32_t uptime);

/*
 * Goes on with what came in.  *pos is advanced over what was consumed and
 * never beyond the handshake: after DONE *pos is the first byte of chunks.
 * uptime: ms since the caller's start, goes into S1.
 *
 * The server returns SEND once (S0S1S2), reads C2 without judging it, then
 * returns DONE.  The client returns SEND (C0C1), reads S0S1S2, returns SEND
 * (C2), then DONE; it may send its first command together with C2.
 * Returns DONE, AGAIN, SEND or a negative code; errors are sticky.
 */
int ngx_media_rtmp_handshake(ngx_media_rtmp_handshake_t *hs,
    const u_char **pos, const u_char *end, uint32_t uptime);

/* How many bytes the block that is being read still wants; 0 when done. */
size_t ngx_media_rtmp_handshake_need(const ngx_media_rtmp_handshake_t *hs);

/* Static text for a result code. */
const char *ngx_media_rtmp_handshake_text(int rc);


/*
 * The single steps, for callers with a buffer of their own.
 *
 * s0s1s2: reads c0c1 (1537 bytes), writes 3073 bytes to out, whose bytes 9 to
 * 1536 (the S1 random) the caller has filled with random data before; *kind
 * is what the client turned out to be.
 * c0c1: writes 1537 bytes; bytes 9 to 1536 are random already.
 * check: verifies S0S1S2 (3073 bytes) against C0C1.  A simple handshake
 * checks the version only.  A server that answers a digest client with a
 * simple handshake is accepted, *kind is then set to SIMPLE.
 * c2: writes 1536 bytes for that S0S1S2; out may overlay C0C1.
 *
 * Return DONE (0) or a negative code.
 */
int ngx_media_rtmp_handshake_s0s1s2(u_char *out, const u_char *c0c1,
    uint32_t uptime, uint8_t *kind);
int ngx_media_rtmp_handshake_c0c1(u_char *out, unsigned kind,
    uint32_t uptime);
int ngx_media_rtmp_handshake_check(const u_char *s0s1s2, const u_char *c0c1,
    uint8_t *kind);
int ngx_media_rtmp_handshake_c2(u_char *out, const u_char *s0s1s2,
    unsigned kind);


#endif /* _NGX_MEDIA_RTMP_HANDSHAKE_H_INCLUDED_ */
