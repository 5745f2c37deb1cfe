
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: what a URL of SRT says to who calls: srt://HOST:PORT[/APP/STREAM]?ARGS,
 * of which the arguments are read here, and the stream id of who asks for a
 * stream by its names is made.
 *
 * The words are those of libsrt (docs/apps/srt-live-transmit.md), and ffmpeg's
 * where they differ; times are milliseconds, as in libsrt and SRS, and not
 * microseconds, as ffmpeg has them.  Values are percent-decoded.
 *
 * Nothing is allocated; results point into a scratch buffer of the caller.
 */


#ifndef _NGX_MEDIA_SRT_URL_H_INCLUDED_
#define _NGX_MEDIA_SRT_URL_H_INCLUDED_


#include "ngx_media_srt_id.h"


/* options with a number; bytes, packets, milliseconds, bytes per second */

typedef enum {
    NGX_MEDIA_SRT_URL_LATENCY = 0,        /* ms, both ways */
    NGX_MEDIA_SRT_URL_RCVLATENCY,
    NGX_MEDIA_SRT_URL_PEERLATENCY,
    NGX_MEDIA_SRT_URL_PBKEYLEN,           /* 0, 16, 24, 32 */
    NGX_MEDIA_SRT_URL_ENFORCED,           /* 0, 1 */
    NGX_MEDIA_SRT_URL_MSS,
    NGX_MEDIA_SRT_URL_MAXBW,              /* bytes/s; 0 relative, -1 none */
    NGX_MEDIA_SRT_URL_INPUTBW,            /* bytes/s */
    NGX_MEDIA_SRT_URL_MININPUTBW,
    NGX_MEDIA_SRT_URL_OHEADBW,            /* per cent */
    NGX_MEDIA_SRT_URL_TLPKTDROP,          /* 0, 1 */
    NGX_MEDIA_SRT_URL_NAKREPORT,          /* 0, 1 */
    NGX_MEDIA_SRT_URL_LOSSMAXTTL,         /* packets */
    NGX_MEDIA_SRT_URL_FC,                 /* packets */
    NGX_MEDIA_SRT_URL_SNDBUF,             /* bytes */
    NGX_MEDIA_SRT_URL_RCVBUF,             /* bytes */
    NGX_MEDIA_SRT_URL_IPTTL,
    NGX_MEDIA_SRT_URL_IPTOS,
    NGX_MEDIA_SRT_URL_CONNECT,            /* ms */
    NGX_MEDIA_SRT_URL_IDLE,               /* ms; the peer is silent */
    NGX_MEDIA_SRT_URL_PAYLOAD,            /* bytes; taken, and left alone */
    NGX_MEDIA_SRT_URL_NUMBERS
} ngx_media_srt_url_number_e;


typedef struct {
    ngx_media_url_str_t  streamid;        /* empty: there is none */
    ngx_media_url_str_t  passphrase;      /* empty, or 10 to 79 bytes */
    ngx_media_url_str_t  filter;          /* packetfilter, or empty */
    uint32_t             set;             /* bit set of numbers given */
    int64_t              number[NGX_MEDIA_SRT_URL_NUMBERS];
} ngx_media_srt_url_t;


#define NGX_MEDIA_SRT_URL_ARGS_MAX   2048    /* bytes of arguments */

#define ngx_media_srt_url_is_set(u, n)  ((u)->set & ((uint32_t) 1 << (n)))


/*
 * Reads the arguments of a URL, without "?".  buf has room for as many bytes
 * as they have.  Of an argument that comes again the last one counts.
 * Returns NULL, or a static text that says what is wrong, for who wrote it.
 */
const char *ngx_media_srt_url(ngx_media_srt_url_t *out, const u_char *pos,
    const u_char *end, u_char *buf, size_t size);


/*
 * Makes the stream id "#!::r=APP/STREAM,m=request,h=VHOST,NAME=VALUE" of up to
 * NGX_MEDIA_SRT_ID_MAX bytes in buf, which has that much room.  mode is
 * REQUEST or PUBLISH; vhost, app and args may be empty.  Of args, NAME=VALUE
 * joined by "&", those are left out that would be read as something else, or
 * have no room.  Returns its length; 0: the names do not fit.
 */
size_t ngx_media_srt_url_id(u_char *buf, ngx_media_srt_mode_e mode,
    const ngx_media_url_str_t *vhost, const ngx_media_url_str_t *app,
    const ngx_media_url_str_t *stream, const ngx_media_url_str_t *args);


#endif /* _NGX_MEDIA_SRT_URL_H_INCLUDED_ */
