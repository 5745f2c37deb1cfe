
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: URLs of other servers, which this one calls:
 *
 *   SCHEME://[USER[:PASSWORD]@]HOST[:PORT][/PATH][?ARGS]
 *
 * RFC 3986, section 3, without fragments: "#" may stand in arguments as it is,
 * because stream ids of SRT begin with it.  Nothing is decoded here.  They
 * come from the configuration and from answers of back ends.
 *
 * Nothing is allocated; parts lie in the text or in the caller's buffer.
 */


#ifndef _NGX_MEDIA_RELAY_URI_H_INCLUDED_
#define _NGX_MEDIA_RELAY_URI_H_INCLUDED_


#include "ngx_media_url.h"


#define NGX_MEDIA_RELAY_URI_MAX     2048    /* bytes of a URL */
#define NGX_MEDIA_RELAY_SCHEME_MAX  16


typedef struct {
    ngx_media_url_str_t  scheme;   /* lower case */
    ngx_media_url_str_t  user;     /* with its password, or empty */
    ngx_media_url_str_t  host;     /* lower case, without [] */
    ngx_media_url_str_t  path;     /* with its "/", or empty */
    ngx_media_url_str_t  args;     /* without "?", or empty */
    uint16_t             port;     /* 0: not given */
    uint8_t              ipv6;     /* host stood in [] */
} ngx_media_relay_uri_t;


typedef enum {
    NGX_MEDIA_RELAY_URI_OK = 0,
    NGX_MEDIA_RELAY_URI_LONG,
    NGX_MEDIA_RELAY_URI_BYTE,      /* a space, a control character, no ASCII */
    NGX_MEDIA_RELAY_URI_SCHEME,
    NGX_MEDIA_RELAY_URI_HOST,
    NGX_MEDIA_RELAY_URI_ADDRESS,   /* no IPv6 address in [] */
    NGX_MEDIA_RELAY_URI_PORT
} ngx_media_relay_uri_e;


/*
 * Takes a URL apart.  buf has room for end - pos bytes (none is needed where
 * it is longer than _URI_MAX).  Returns ngx_media_relay_uri_e.
 */
int ngx_media_relay_uri(ngx_media_relay_uri_t *uri, const u_char *pos,
    const u_char *end, u_char *buf);

/* what is wrong, for messages */
const char *ngx_media_relay_uri_text(int rc);

/*
 * The URL as others may see it: neither its password nor the values of its
 * arguments (but for harmless ones such as latency), and of its path the last
 * level only where that is the name of the stream: it may be a key.  Writes up
 * to size bytes, returns how many.
 */
size_t ngx_media_relay_uri_show(const ngx_media_relay_uri_t *uri,
    const ngx_media_url_str_t *stream, u_char *buf, size_t size);


#endif /* _NGX_MEDIA_RELAY_URI_H_INCLUDED_ */
