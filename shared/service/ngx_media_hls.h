
/*
 * Copyright (C) the nginx media suite authors
 *
 * The packager for HTTP streaming (L3): HLS, low-latency HLS and DASH.
 *
 * The segmenter runs in the publisher's worker as one consumer of the source
 * and puts parts, with an index of segments over them, into the arena; every
 * worker serves from there.  What is public to the module that serves:
 *
 *   ngx_media_hls_get()          a name becomes an output (a handle of this
 *                                worker), cutting begins where it had not
 *   ngx_media_hls_view()         what a playlist is written from
 *   ngx_media_hls_segment(), _part(), _init(), _key()    where objects are
 *   ngx_media_hls_read()         bytes of them
 *   ngx_media_hls_watch()        told when something changed
 *
 * How it lies in the arena: each rendition has a chunk of its own
 * (ngx_media_hls_rendition_t, numbers in the source) with a ring of its own: a
 * frame of that ring is one part.  The publisher's worker is the only writer;
 * a reader copies and validates as readers of every ring do.  The next
 * publisher's worker goes on with the same chunk after a reconnect or a crash.
 */


#ifndef _NGX_MEDIA_HLS_H_INCLUDED_
#define _NGX_MEDIA_HLS_H_INCLUDED_


#include "ngx_media.h"
#include "ngx_media_hls_view.h"


/* --- policy (hls_* in media{}, vhost{}, application{}) ------------------- */

#define NGX_MEDIA_HLS_OFF           0
#define NGX_MEDIA_HLS_ON            1
#define NGX_MEDIA_HLS_DEMAND        2

typedef struct {
    ngx_uint_t   mode;              /* hls on|off|demand */
    ngx_uint_t   mode_default;      /* it was not said */
    ngx_msec_t   fragment;          /* hls_fragment */
    ngx_msec_t   window;            /* hls_window */
    ngx_msec_t   part;              /* hls_part; 0: no low latency */
    ngx_uint_t   container;         /* hls_container */
    ngx_flag_t   session;           /* hls_session */
    ngx_uint_t   session_default;   /* it was not said */
    ngx_uint_t   session_warned;    /* or around this block */
    ngx_flag_t   dash;              /* dash on|off */
    ngx_array_t *groups;            /* hls_group, of ngx_media_hls_group_t */
    ngx_str_t    path;              /* hls_path; empty: memory only */
    ngx_str_t    m3u8_file;         /* hls_m3u8_file, a template */
    ngx_str_t    ts_file;           /* hls_ts_file, a template */
    ngx_str_t    key_file;          /* hls_key_file, a template */
    ngx_str_t    entry_prefix;      /* hls_entry_prefix */
    ngx_flag_t   cleanup;           /* hls_cleanup */
    ngx_msec_t   dispose;           /* hls_dispose */
    ngx_flag_t   recover;           /* hls_recover */
    ngx_flag_t   keys;              /* hls_keys: AES-128 */
    ngx_uint_t   fragments_per_key; /* hls_fragments_per_key */
    ngx_str_t    key_url;           /* hls_key_url */
} ngx_media_hls_conf_t;

typedef struct {
    ngx_str_t    name;
    ngx_array_t  streams;           /* of ngx_str_t */
} ngx_media_hls_group_t;

extern ngx_module_t  ngx_media_hls_policy_module;   /* NGX_MEDIA_MODULE */

/* Policy of an application; never NULL. */
ngx_media_hls_conf_t *ngx_media_hls_conf(ngx_str_t *vhost, ngx_str_t *app);

/*
 * One request without a viewer's id (ask->request): does it ask for what is
 * for viewers alone?  Where viewers have an id that is all that holds media;
 * playlists that only name others are for everybody.
 */
ngx_uint_t ngx_media_hls_viewers_only(ngx_media_ask_t *ask);


/* --- outputs ------------------------------------------------------------ */

/*
 * An output as this worker sees it.  It lives while there are requests for the
 * name and goes some time after (30 s without get() and without watch, or the
 * end of the stream): keep it no longer than a request that holds a watch.
 */

typedef struct ngx_media_hls_s        ngx_media_hls_t;
typedef struct ngx_media_hls_watch_s  ngx_media_hls_watch_t;

struct ngx_media_hls_s {
    ngx_queue_t              queue;          /* store: all of this worker */
    void                    *data;           /* of the serving module: caches;
                                              * zeroed when made */
    void                   (*cleanup)(ngx_media_hls_t *hls);   /* frees data */
    ngx_queue_t              watches;        /* store */
    ngx_str_t                vhost;          /* const, as the core knows it */
    ngx_str_t                app;
    ngx_str_t                stream;
    ngx_media_hls_conf_t    *conf;           /* of the configuration now */
};

struct ngx_media_hls_watch_s {
    ngx_queue_t              queue;
    ngx_media_hls_t         *hls;
    void                   (*handler)(ngx_media_hls_watch_t *w);
    void                    *data;
};

/*
 * Finds the output of a source.  vhost is the host name of the request ("" or
 * one that is not configured is the default vhost).  Counts as a request: a
 * demand output starts to be cut, and goes on being cut for hls_window.
 * No lock and no system call where the name was asked for recently.
 * Returns NGX_OK: *hls, there are parts to be served (also when the stream has
 * ended and playlists say so); NGX_AGAIN: *hls, live but nothing is cut yet
 * (watch it); NGX_DECLINED: no such stream, or hls off there; NGX_BUSY: it can
 * not be cut (its worker takes no commands, the zone is full); NGX_ERROR.
 */
ngx_int_t ngx_media_hls_get(ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream, ngx_media_hls_t **hls);

/* bytes that were sent of it, for the statistics of the stream */
void ngx_media_hls_sent(ngx_media_hls_t *hls, uint64_t bytes);

/* how many renditions it has now; at least 1 after NGX_OK; with one they are
 * muxed and its tag is "" */
ngx_uint_t ngx_media_hls_renditions(ngx_media_hls_t *hls);
/* index of the rendition with that tag; NGX_ERROR: none */
ngx_int_t ngx_media_hls_rendition(ngx_media_hls_t *hls, u_char *tag,
    size_t len);
/* its tag, 0-terminated */
void ngx_media_hls_tag(ngx_media_hls_t *hls, ngx_uint_t i,
    char tag[NGX_MEDIA_HLS_TAG_LEN]);

/*
 * Changes with each change of a rendition (a part, a segment, the end).  Cheap:
 * one load and a look at the source.  0: no such rendition.
 */
uint64_t ngx_media_hls_version(ngx_media_hls_t *hls, ngx_uint_t i);

/*
 * The newest part: *msn and *part (number in that segment; with *closed it is
 * the last of it).  Cheap: for requests that wait.  NGX_OK; NGX_DONE: the same,
 * and nothing will follow (the playlist says ENDLIST); NGX_AGAIN: nothing yet.
 */
ngx_int_t ngx_media_hls_edge(ngx_media_hls_t *hls, ngx_uint_t i,
    uint64_t *msn, uint32_t *part, ngx_uint_t *closed);

/*
 * Copies a consistent view, of some 60 KB.  NGX_OK, NGX_AGAIN (being written,
 * rare: try again in a ms), NGX_DECLINED (nothing there).
 */
ngx_int_t ngx_media_hls_view(ngx_media_hls_t *hls, ngx_uint_t i,
    ngx_media_hls_view_t *view);


/* --- objects ------------------------------------------------------------ */

/* where an object lies; good as long as ngx_media_hls_read() says so */

typedef struct {
    uint64_t                 part;           /* of the store: first */
    uint32_t                 nparts;
    uint32_t                 container;
    uint64_t                 size;           /* bytes */
    uint64_t                 pos;            /* read so far, by _read() */
    uint32_t                 generation;     /* of the rendition */
    uint32_t                 rendition;
    uint32_t                 flags;          /* NGX_MEDIA_HLS_*  */
} ngx_media_hls_object_t;

/*
 * NGX_OK; NGX_AGAIN: not there yet but next to come (the open segment, the
 * part after the newest one); NGX_DECLINED: too old, too new or never.
 */
ngx_int_t ngx_media_hls_segment(ngx_media_hls_t *hls, ngx_uint_t i,
    uint64_t msn, ngx_media_hls_object_t *o);
ngx_int_t ngx_media_hls_part(ngx_media_hls_t *hls, ngx_uint_t i,
    uint64_t msn, uint32_t part, ngx_media_hls_object_t *o);

/*
 * Copies up to n bytes of the object from o->pos on, moves o->pos, and
 * validates the copy.  Returns how many, 0 at the end, or NGX_ERROR: they were
 * given away meanwhile (close the connection if part of it was sent).
 */
ssize_t ngx_media_hls_read(ngx_media_hls_t *hls, ngx_media_hls_object_t *o,
    u_char *buf, size_t n);

/*
 * Copies an init segment: hash 0 is the newest.  Returns its length,
 * NGX_DECLINED (no such one), NGX_ERROR (it is larger than n).
 */
ssize_t ngx_media_hls_init(ngx_media_hls_t *hls, ngx_uint_t i, uint32_t hash,
    u_char *buf, size_t n);

#define NGX_MEDIA_HLS_INIT_MAX   8192

/* The AES key of that number.  NGX_OK or NGX_DECLINED. */
ngx_int_t ngx_media_hls_key(ngx_media_hls_t *hls, uint32_t number,
    u_char key[NGX_MEDIA_HLS_KEY_LEN]);


/* --- statistics ---------------------------------------------------------- */

typedef struct {
    uint32_t                 renditions;
    uint32_t                 container;      /* ngx_media_hls_container_e */
    uint64_t                 segments;       /* closed so far */
    uint64_t                 parts;          /* made so far */
    uint64_t                 bytes;          /* held in the zone */
    uint32_t                 target;         /* s; 0: not known yet */
    uint32_t                 duration;       /* us, of the last segment */
    uint32_t                 parked;         /* requests, in all workers */
    uint64_t                 cuts;           /* segments that begin with a
                                              * frame that is no keyframe */
    uint64_t                 dropped;        /* parts that found no room */

    /* on disk */

    uint64_t                 written;        /* segments */
    uint64_t                 failed;         /* attempts */
    uint64_t                 missing;        /* segments given up */
    uint32_t                 behind;         /* segments to be written */
} ngx_media_hls_stats_t;

/* By index of the source.  NGX_OK; NGX_DECLINED: nothing is packed of it. */
ngx_int_t ngx_media_hls_stats(uint32_t source, ngx_media_hls_stats_t *stats);
/* Of the serving module: n requests more, or less, wait for what comes. */
void ngx_media_hls_parked(ngx_media_hls_t *hls, ngx_int_t n);


/* --- changes ------------------------------------------------------------ */

/*
 * w->handler is called, from the event loop and never from inside a call,
 * after each change of any rendition of w->hls, also when the stream ends or
 * its source is gone (then _get() says NGX_DECLINED).  w is zeroed memory of
 * the caller with handler and data set; it may be destroyed inside.
 */
void ngx_media_hls_watch(ngx_media_hls_t *hls, ngx_media_hls_watch_t *w);
void ngx_media_hls_unwatch(ngx_media_hls_watch_t *w);


#endif /* _NGX_MEDIA_HLS_H_INCLUDED_ */
