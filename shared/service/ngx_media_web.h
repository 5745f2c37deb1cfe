
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the HTTP client of the worker, for hooks and whatever else asks a web
 * server: HTTP/1.1 and 2, TLS, connections kept alive, all of it on nginx's
 * events.  No call blocks: names are resolved by media{}'s resolver, or once,
 * when the configuration is read.
 *
 * Ownership: a request under way belongs to the client and is gone when its
 * done() returns, or with ngx_media_web_cancel().  RFC 9110, 9112, 9113.
 */


#ifndef _NGX_MEDIA_WEB_H_INCLUDED_
#define _NGX_MEDIA_WEB_H_INCLUDED_


#include "ngx_media_core.h"


#define NGX_MEDIA_WEB_TIMEOUT  5000    /* ms, of requests that say none */
#define NGX_MEDIA_WEB_MAX      65536   /* bytes of answer likewise */


typedef struct ngx_media_web_s  ngx_media_web_t;    /* one under way */


/* a URL of the configuration, lives as long as that */

typedef struct {
    ngx_str_t                   url;       /* as it was written */
    ngx_str_t                   shown;     /* for logs: no user, no query */
    ngx_str_t                   host;      /* lower case, no brackets */
    ngx_str_t                   path;      /* "/..." or "/?...", as written */
    in_port_t                   port;
    unsigned                    ssl:1;
    unsigned                    literal:1; /* host is an address */

    ngx_str_t                   base;      /* all that is before the path */
    ngx_str_t                   addrs;     /* "IP,IP"; "": asks the resolver */

    u_char                     *file;
    ngx_uint_t                  line;
} ngx_media_web_url_t;


typedef struct {
    ngx_uint_t                  status;    /* 0: no whole answer, see error */
    ngx_str_t                   body;      /* valid during done() */
    ngx_str_t                   location;  /* as it was sent; likewise */
    ngx_str_t                   etag;      /* the same */
    off_t                       length;    /* as it says, of HEAD too; or -1 */
    const char                 *error;     /* static text, or NULL */
    ngx_msec_t                  took;
    unsigned                    cut:1;     /* body was longer than max */
} ngx_media_web_answer_t;


typedef struct {
    ngx_media_web_url_t        *url;
    ngx_str_t                   path;      /* instead of url->path, or "" */
    ngx_str_t                   method;    /* "": POST with a body, or GET */
    ngx_str_t                   body;
    ngx_str_t                   content_type;
    ngx_str_t                  *headers;   /* "Name: value" */
    ngx_uint_t                  nheaders;
    ngx_msec_t                  timeout;   /* of it all, names too; 0: 5 s */
    size_t                      max;       /* bytes of answer; 0: 64 KB */
    ngx_log_t                  *log;       /* lives longer, or NULL */

    /*
     * Instead of body: gives up to n bytes of source_size, never waiting, and
     * is called again for what follows.  NGX_AGAIN: there are none yet, and
     * ngx_media_web_resume() will say that there are; NGX_ERROR: the request
     * ends.  timeout is then how long nothing may go on.
     */
    ssize_t                   (*source)(void *data, u_char *p, size_t n);
    off_t                       source_size;

    void                      (*done)(void *data, ngx_media_web_answer_t *a);
    void                       *data;
} ngx_media_web_request_t;


/*
 * For directives: checks an http or https URL, which may have variables behind
 * its host, and sees to its addresses at the end of media{}.  *out belongs to
 * the configuration.  NULL, or a text for ngx_conf_log_error() that follows
 * the value ("invalid URL \"%V\": %s").
 */
char *ngx_media_web_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_media_web_url_t **out);

/*
 * Sends a request; everything but url, log and data is copied.  Redirects are
 * not followed.  done() is called once, never from inside.  NULL: no memory,
 * or too many under way.
 */
ngx_media_web_t *ngx_media_web_send(const ngx_media_web_request_t *rq);

/* Ends a request: done() is not called.  Not from inside of its done(). */
void ngx_media_web_cancel(ngx_media_web_t *w);

/* A source that said NGX_AGAIN has bytes, or an error.  Not from inside. */
void ngx_media_web_resume(ngx_media_web_t *w);

/* Requests under way in this worker. */
ngx_uint_t ngx_media_web_active(void);


#endif /* _NGX_MEDIA_WEB_H_INCLUDED_ */
