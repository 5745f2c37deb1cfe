
/*
 * Copyright (C) the nginx media suite authors
 *
 * Inside of the HTTP client: ngx_media_web.c makes requests and answers,
 * ngx_media_web_multi.c runs libcurl's multi interface on nginx's events,
 * ngx_media_web_conf.c reads the configuration.
 */


#ifndef _NGX_MEDIA_WEB_CURL_H_INCLUDED_
#define _NGX_MEDIA_WEB_CURL_H_INCLUDED_


#include "ngx_media_web.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>


#define NGX_MEDIA_WEB_ADDRS       16    /* of a host, more are not tried */
#define NGX_MEDIA_WEB_ACTIVE      4096  /* requests of a worker */
#define NGX_MEDIA_WEB_HOST_CONNS  256   /* connections of a worker to a host */
#define NGX_MEDIA_WEB_HEADERS     65536 /* bytes of headers of an answer */
#define NGX_MEDIA_WEB_BUFFER      4096  /* bytes, of each request */
#define NGX_MEDIA_WEB_KEEP        20000 /* ms, idle connections are closed */


/* of media{} */

typedef struct {
    ngx_array_t                 urls;      /* of ngx_media_web_url_t * */
    ngx_resolver_t             *resolver;
    ngx_msec_t                  resolver_timeout;
    ngx_str_t                   trusted;   /* file */
    X509_STORE                 *store;     /* NULL: no https URL */
    unsigned                    ready:1;   /* media{} was read */
} ngx_media_web_conf_t;


struct ngx_media_web_s {
    ngx_queue_t                 queue;     /* of the worker's */
    ngx_pool_t                 *pool;
    ngx_log_t                  *log;

    CURL                       *easy;
    struct curl_slist          *headers;
    struct curl_slist          *resolve;   /* "HOST:PORT:IP,IP" */
    ngx_resolver_ctx_t         *dns;
    ngx_str_t                   host;
    in_port_t                   port;

    ngx_event_t                 event;     /* timeout, or a failure (posted) */
    ngx_connection_t            dummy;     /* data of event */
    ngx_msec_t                  start;
    ngx_msec_t                  timeout;
    const char                 *error;     /* what failed before it was sent */

    u_char                     *body;      /* of the answer */
    size_t                      size;      /* allocated */
    size_t                      len;
    size_t                      max;
    size_t                      header;    /* bytes of it seen */

    ssize_t                   (*source)(void *data, u_char *p, size_t n);
    off_t                       left;      /* bytes of it */

    void                      (*done)(void *data, ngx_media_web_answer_t *a);
    void                       *data;

    unsigned                    sent:1;    /* libcurl has it */
    unsigned                    cut:1;
    unsigned                    over:1;    /* in its done() */
    unsigned                    paused:1;  /* its source has nothing yet */
    unsigned                    failed:1;  /* its source */
};


/* NULL outside of a running nginx */
ngx_media_web_conf_t *ngx_media_web_conf(ngx_cycle_t *cycle);

/* "IP,IP" of the pool; NGX_OK, NGX_ERROR */
ngx_int_t ngx_media_web_addrs_text(ngx_pool_t *pool, ngx_str_t *out,
    void *data, ngx_uint_t n,
    struct sockaddr *(*addr)(void *data, ngx_uint_t i, socklen_t *len));

/* the worker's life */
ngx_int_t ngx_media_web_multi_init(ngx_cycle_t *cycle);
void ngx_media_web_multi_exit(void);
void ngx_media_web_exit(void);

/* Sockets of a request are those of nginx, set before it is added. */
CURLcode ngx_media_web_multi_setup(CURL *easy);

/* Begins; ngx_media_web_complete() follows.  NGX_OK, NGX_ERROR. */
ngx_int_t ngx_media_web_multi_add(ngx_media_web_t *w);
void ngx_media_web_multi_remove(ngx_media_web_t *w);
/* Its source said NGX_AGAIN, and has more since. */
void ngx_media_web_multi_resume(ngx_media_web_t *w);

/* Nothing is under way any more, or something is again. */
void ngx_media_web_multi_idle(ngx_uint_t idle);

/* libcurl is through with a request; it is gone afterwards. */
void ngx_media_web_complete(ngx_media_web_t *w, CURLcode code);


#endif /* _NGX_MEDIA_WEB_CURL_H_INCLUDED_ */
