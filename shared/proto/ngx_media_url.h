
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: the rules for URLs and names, one place for every protocol: what a
 * client asked for becomes vhost, app, stream and args here and nowhere else.
 *
 * Results point into a scratch buffer of the caller, who owns all memory.
 * Nothing is allocated; input is never changed and may go away afterwards.
 *
 * Rules (those of SRS, so that its URLs work unchanged):
 *   app...vhost...NAME is app?vhost=NAME; vhost or domain as an argument; "#"
 *   is the same as "?"; arguments after the app belong to the stream; levels
 *   named _definst_ vanish; the last path level is the stream, all before it
 *   the app; without an app it is __defaultApp__; without an argument the
 *   vhost is the host, an address gives __defaultVhost__; a lone argument
 *   vhost=__defaultVhost__ is dropped; arguments are separated by one or more
 *   of & , ; ? #.  "mp4:" and "flv:" before an RTMP name are dropped.
 */


#ifndef _NGX_MEDIA_URL_H_INCLUDED_
#define _NGX_MEDIA_URL_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>


#define NGX_MEDIA_DEFAULT_VHOST    "__defaultVhost__"
#define NGX_MEDIA_DEFAULT_APP      "__defaultApp__"

#define NGX_MEDIA_NAME_MAX         255    /* bytes of vhost, app, stream */
#define NGX_MEDIA_NAME_LEVELS      16     /* levels of an app */


/* same layout as nginx's ngx_str_t: not terminated */

typedef struct {
    size_t     len;
    u_char    *data;
} ngx_media_url_str_t;


typedef struct {
    ngx_media_url_str_t  schema;   /* "rtmp", lower case */
    ngx_media_url_str_t  user;     /* user:password, as written */
    ngx_media_url_str_t  host;     /* lower case, IPv6 without brackets */
    ngx_media_url_str_t  vhost;    /* lower case, or __defaultVhost__ */
    ngx_media_url_str_t  app;      /* no slash at either end */
    ngx_media_url_str_t  stream;   /* no slash; may be empty */
    ngx_media_url_str_t  ext;      /* HTTP: "flv" of "stream.flv", or empty */
    ngx_media_url_str_t  args;     /* no leading "?"; not decoded */
    uint16_t             port;     /* the schema's own where not given */
    uint8_t              ipv6;     /* host is an IPv6 literal */
} ngx_media_url_t;


/* results */

#define NGX_MEDIA_URL_OK           0
#define NGX_MEDIA_URL_EBUF        -1   /* scratch buffer too small */
#define NGX_MEDIA_URL_EPORT       -2   /* port is not a number 1..65535 */
#define NGX_MEDIA_URL_EHOST       -3   /* "[" without "]", or no host */
#define NGX_MEDIA_URL_EESCAPE     -4   /* "%" without two hex digits */
#define NGX_MEDIA_URL_ESCHEMA     -5   /* full URL without a schema */

/* scratch that is always enough for input of n bytes in all */
#define ngx_media_url_scratch(n)  (2 * (n) + 128)


/*
 * RTMP: what the connect command said and the name of play or publish.  Any
 * of the three may be empty (data may be NULL then); name is empty right
 * after connect.  The app of the command wins over the path of tcUrl; the
 * arguments of tcUrl count where the app has none.  Nothing is decoded.
 * Returns OK, EBUF, EPORT or EHOST.
 */
int ngx_media_url_rtmp(ngx_media_url_t *u, const ngx_media_url_str_t *tcurl,
    const ngx_media_url_str_t *app, const ngx_media_url_str_t *name,
    u_char *buf, size_t size);

/*
 * A full URL: SCHEMA://[USER@]HOST[:PORT]/APP/STREAM[?ARGS], for the targets
 * of forward, origin and the like.  APP?ARGS/STREAM is understood where APP
 * has one level: with more, a slash in ARGS is part of a value (a token).
 * Nothing is decoded.
 * Returns OK, EBUF, EPORT, EHOST or ESCHEMA.
 */
int ngx_media_url_full(ngx_media_url_t *u, const ngx_media_url_str_t *url,
    u_char *buf, size_t size);


#define NGX_MEDIA_URL_DECODED      0x01   /* path is decoded already */
#define NGX_MEDIA_URL_SSL          0x02   /* schema is https */

/*
 * HTTP: path "/APP/STREAM.EXT" (decoded here unless NGX_MEDIA_URL_DECODED is
 * set: nginx's r->uri is), query without "?" (not decoded; vhost and domain
 * are) and the Host header.  The stream is the last level without its last
 * extension.  Returns OK, EBUF, EPORT, EHOST or EESCAPE.
 */
int ngx_media_url_http(ngx_media_url_t *u, const ngx_media_url_str_t *path,
    const ngx_media_url_str_t *query, const ngx_media_url_str_t *host,
    unsigned flags, u_char *buf, size_t size);

/* Static text for a result code. */
const char *ngx_media_url_text(int rc);


/*
 * Looks an argument up; exact name, the first one counts.  value points into
 * args, not decoded, empty where there is no "=".
 * Returns 1 where found, 0 where not (value is then empty).
 */
int ngx_media_arg(const ngx_media_url_str_t *args, const char *name,
    ngx_media_url_str_t *value);

/*
 * Percent-decodes src to dst, which has room for len bytes (dst may be src).
 * plus: "+" becomes a space.  Returns the length, or -1 where an escape is
 * damaged.
 */
ssize_t ngx_media_url_decode(u_char *dst, const u_char *src, size_t len,
    int plus);


/* what is checked */

typedef enum {
    NGX_MEDIA_NAME_VHOST = 0,
    NGX_MEDIA_NAME_APP,
    NGX_MEDIA_NAME_STREAM,        /* to be played */
    NGX_MEDIA_NAME_PUBLISH        /* to be published: ".hls." is refused */
} ngx_media_name_kind_e;


/* why a name is refused */

typedef enum {
    NGX_MEDIA_NAME_OK = 0,
    NGX_MEDIA_NAME_EMPTY,
    NGX_MEDIA_NAME_TOO_LONG,
    NGX_MEDIA_NAME_CONTROL,       /* a byte under 0x20, or 0x7f */
    NGX_MEDIA_NAME_BACKSLASH,
    NGX_MEDIA_NAME_DOTS,          /* "..", or a level "." */
    NGX_MEDIA_NAME_SLASH,         /* at an end; anywhere but in an app */
    NGX_MEDIA_NAME_EMPTY_LEVEL,   /* "//" */
    NGX_MEDIA_NAME_TOO_DEEP,
    NGX_MEDIA_NAME_HLS            /* ".hls." in a publish name */
} ngx_media_name_reason_e;


/*
 * Says whether a name may be used as map key, file name and log text.  Bytes
 * from 0x80 on are allowed, UTF-8 is not demanded.
 */
ngx_media_name_reason_e ngx_media_name_check(const ngx_media_url_str_t *name,
    ngx_media_name_kind_e kind);

/* Static text for a reason, such as "name is too long". */
const char *ngx_media_name_text(ngx_media_name_reason_e reason);


#endif /* _NGX_MEDIA_URL_H_INCLUDED_ */
