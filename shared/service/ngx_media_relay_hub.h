
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: inside of the relay.  What protocols see of it is ngx_media_relay.h.
 *
 *   ngx_media_relay_conf.c     directives, diallers, URLs
 *   ngx_media_relay.c          one relay: attempts, pauses, its end
 *   ngx_media_relay_pull.c     origin: what players want is fetched
 *   ngx_media_relay_push.c     forward: what is published is sent
 *   ngx_media_relay_table.c    the table that all workers see
 *
 * A relay is one stream on its way from or to one of the URLs that it has, of
 * which it calls one at a time.  It lives in one worker: where the first
 * player came (pull), where the publisher is (push).
 *
 *   waiting --> resolving --> calling --> connected
 *      ^            |            |            |
 *      +-- pause ---+------------+------------+
 *
 * What only one worker of all may do belongs to whoever has its entry in the
 * table; the entry of a worker that died is taken over by the next one that
 * has a reason.
 *
 * Ownership: a relay has a pool, and another one for each attempt.  It is
 * freed by ngx_media_relay_free(), from ticks, commands of other workers, when
 * a publish begins, and at the exit; never from what its dialler tells.
 */


#ifndef _NGX_MEDIA_RELAY_HUB_H_INCLUDED_
#define _NGX_MEDIA_RELAY_HUB_H_INCLUDED_


#include "ngx_media_core.h"
#include "ngx_media_relay.h"
#include "ngx_media_value.h"


#define NGX_MEDIA_RELAY_TIMEOUT    3000     /* ms, to be connected */
#define NGX_MEDIA_RELAY_DOWN       10000    /* ms, begin with another one */
#define NGX_MEDIA_RELAY_FLOW       10000    /* ms, until media flow */
#define NGX_MEDIA_RELAY_STABLE     5000     /* ms, then the pause is short */
#define NGX_MEDIA_RELAY_PAUSE      1000     /* ms, doubled each time */
#define NGX_MEDIA_RELAY_PAUSE_MAX  30000
#define NGX_MEDIA_RELAY_CLAIM      100      /* ms, until it is tried again */
#define NGX_MEDIA_RELAY_ADDRS      16       /* of a name */
#define NGX_MEDIA_RELAY_MISSED     2000     /* ms, what is nowhere is kept */
#define NGX_MEDIA_RELAY_NOTE       60000    /* ms between warnings */
#define NGX_MEDIA_RELAY_WARNINGS   10       /* of calls, in a second */


/* --- configuration (ngx_media_relay_conf.c) ------------------------------ */

/* one URL of a directive */

typedef struct {
    ngx_str_t                   url;        /* as it was written */
    ngx_media_value_t          *value;      /* NULL: nothing to fill in */
    const ngx_media_dialler_t  *dialler;
    ngx_str_t                   host;
    ngx_addr_t                 *addrs;      /* where there is no resolver */
    ngx_uint_t                  naddrs;
    ngx_uint_t                  way;        /* it was checked for */
    ngx_msec_t                  down;       /* worker; when it did not answer,
                                             * or 0 */
    u_char                     *file;
    ngx_uint_t                  line;
} ngx_media_relay_target_t;


typedef struct {
    ngx_array_t                *forward;    /* of ngx_media_relay_target_t */
    ngx_array_t                *origin;     /* the same */
    ngx_str_t                   origin_vhost;
    ngx_msec_t                  origin_idle;
} ngx_media_relay_conf_t;


typedef struct {
    const ngx_media_dialler_t  *diallers[NGX_MEDIA_DIALLERS];
    ngx_uint_t                  ndiallers;
    ngx_array_t                 targets;    /* of ngx_media_relay_target_t * */
} ngx_media_relay_main_conf_t;


extern ngx_module_t  ngx_media_relay_policy_module;

#define ngx_media_relay_conf_of(conf)                                         \
    ((ngx_media_relay_conf_t *)                                               \
     (conf)[ngx_media_relay_policy_module.ctx_index])

/*
 * A URL that came from elsewhere, taken apart; *dialler is who calls it.
 * Strings from pool.  NULL, or what is wrong with it.
 */
const char *ngx_media_relay_url(ngx_pool_t *pool,
    ngx_media_relay_main_conf_t *mcf, ngx_uint_t way, const ngx_str_t *url,
    ngx_media_relay_url_t *out, const ngx_media_dialler_t **dialler);

/* as it may be shown; NGX_OK, NGX_ERROR: no memory */
ngx_int_t ngx_media_relay_shown(ngx_pool_t *pool,
    const ngx_media_relay_url_t *url, const ngx_str_t *stream,
    ngx_str_t *shown);

ngx_media_relay_main_conf_t *ngx_media_relay_main_conf(void);


/* --- relays (ngx_media_relay.c) ------------------------------------------ */

typedef enum {
    NGX_MEDIA_RELAY_WAITING = 0,
    NGX_MEDIA_RELAY_RESOLVING,
    NGX_MEDIA_RELAY_CALLING,
    NGX_MEDIA_RELAY_CONNECTED
} ngx_media_relay_state_e;


/* one of its URLs, filled in */

typedef struct {
    ngx_media_relay_url_t       url;
    ngx_str_t                   shown;
    const ngx_media_dialler_t  *dialler;
    ngx_media_relay_target_t   *target;     /* NULL: from on_forward */
} ngx_media_relay_to_t;


typedef struct ngx_media_relay_s  ngx_media_relay_t;

struct ngx_media_relay_s {
    ngx_queue_t                 queue;      /* all of this worker */
    ngx_pool_t                 *pool;
    ngx_log_t                   log;
    ngx_uint_t                  way;
    uint64_t                    key;
    uint32_t                    entry;      /* or NGX_MEDIA_NONE: another
                                             * worker has it yet */
    ngx_str_t                   text[NGX_MEDIA_TEXT_MAX];
    ngx_str_t                   peer_vhost;
    ngx_msec_t                  idle;       /* pull: origin_idle */

    ngx_media_relay_to_t       *to;
    ngx_uint_t                  nto;
    ngx_uint_t                  cur;        /* of to: the one it calls */
    ngx_uint_t                  tried;      /* that failed since the pause */

    ngx_pool_t                 *attempt;
    ngx_resolver_ctx_t         *dns;
    ngx_addr_t                 *addrs;
    ngx_uint_t                  naddrs;
    ngx_uint_t                  addr;
    ngx_media_relay_call_t      call;

    ngx_event_t                 timer;      /* pause, or the call's deadline */
    ngx_connection_t            dummy;
    ngx_msec_t                  pause;
    ngx_msec_t                  since;      /* of its state */
    ngx_msec_t                  warned;
    uint64_t                    bytes;      /* of calls that are over */
    uint64_t                    seen;       /* of this one, at the last look */

    int64_t                     wanted;     /* pull: ms, last sign of it */
    int64_t                     left;       /* push: ms, 0: it is published */

    ngx_uint_t                  state;
    unsigned                    dialled:1;
    unsigned                    unanswered:1;   /* it is among the calls that
                                                 * are counted */
    unsigned                    noted:1;    /* that it fails was logged */
    unsigned                    flowed:1;   /* it was connected once */
    unsigned                    missed:1;   /* all of its URLs failed */
    unsigned                    asked:1;    /* push: on_forward said so */
};


/*
 * A relay with room for n URLs, which are then added; text is copied.  NULL:
 * no memory.
 */
ngx_media_relay_t *ngx_media_relay_new(ngx_uint_t way, const ngx_str_t *text,
    ngx_uint_t n);
/* NGX_OK; NGX_DECLINED: a line was logged; NGX_ERROR: no memory */
ngx_int_t ngx_media_relay_eval(ngx_media_relay_t *r,
    ngx_media_relay_target_t *t, const ngx_str_t *text, ngx_str_t *url);
ngx_int_t ngx_media_relay_add(ngx_media_relay_t *r, const ngx_str_t *url,
    ngx_media_relay_target_t *target);
ngx_int_t ngx_media_relay_add_all(ngx_media_relay_t *r,
    ngx_array_t *targets, const ngx_str_t *vhost);

/* Nothing happens before it returns. */
void ngx_media_relay_start(ngx_media_relay_t *r);
/* It waits, but shall try now: it is wanted again. */
void ngx_media_relay_hurry(ngx_media_relay_t *r);
/* Its call ends now. */
void ngx_media_relay_free(ngx_media_relay_t *r);

ngx_queue_t *ngx_media_relay_all(void);

/* of _pull.c: all of its URLs failed; it has no source any more */
void ngx_media_relay_pull_missing(ngx_media_relay_t *r);


/* --- pull, push ----------------------------------------------------------- */

ngx_int_t ngx_media_relay_wanted(const ngx_media_wanted_t *wanted);
/* each second; it may be freed */
void ngx_media_relay_pull_tick(ngx_media_relay_t *r);

void ngx_media_relay_publish(ngx_media_source_t *src);
void ngx_media_relay_unpublish(ngx_media_source_t *src);
void ngx_media_relay_push_tick(ngx_media_relay_t *r);
void ngx_media_relay_push_exit(void);


/* --- the table (ngx_media_relay_table.c) ---------------------------------- */

/* what a worker tells another one about an entry of that one */

#define NGX_MEDIA_RELAY_HURRY      1        /* a player came */
#define NGX_MEDIA_RELAY_YIELD      2        /* the publisher came to me */

uint64_t ngx_media_relay_key(ngx_uint_t way, const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream, const ngx_str_t *url);

/*
 * NGX_OK: *entry is this worker's now; NGX_DECLINED: a live worker has it,
 * which is told what (0: nothing); NGX_ERROR: the table is full.
 */
ngx_int_t ngx_media_relay_claim(uint64_t key, ngx_uint_t way, ngx_uint_t what,
    uint32_t *entry);
void ngx_media_relay_release(uint32_t entry);

/* writes what it is and how it is; error: NULL: as it was */
void ngx_media_relay_show(ngx_media_relay_t *r, const char *error);

/*
 * The i-th place of the table, copied.  NGX_OK; NGX_DECLINED: nothing is
 * there, or its worker is dead.
 */
ngx_int_t ngx_media_relay_snapshot(uint32_t i, ngx_media_relay_entry_t *copy);

const char *ngx_media_relay_state_name(ngx_uint_t state);


#endif /* _NGX_MEDIA_RELAY_HUB_H_INCLUDED_ */
