
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: what a back end of hooks answers.  It agrees with the one character 0,
 * or with a JSON object (RFC 8259) whose "code" is the integer 0; white space
 * around either is no matter.  Anything else is a refusal.  "data" may hold
 * more: it is read where it has the type that is expected, and passed over
 * where it has not, since back ends put things of their own there.
 *
 *     {"code": 0, "data": {"stream": "x", "redirect": "rtmp://...",
 *                          "lifetime": 60, "record": true, "urls": ["..."]}}
 *
 * Strings point into a buffer of the caller, who owns all memory; they may
 * hold any byte.
 */


#ifndef _NGX_MEDIA_HOOK_ANSWER_H_INCLUDED_
#define _NGX_MEDIA_HOOK_ANSWER_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_rc.h"
#include "ngx_media_url.h"


#define NGX_MEDIA_HOOK_URLS          16       /* more are passed over */
#define NGX_MEDIA_HOOK_LIFETIME_MAX  (10LL * 365 * 86400 * 1000)    /* ms */


typedef struct {
    ngx_media_url_str_t  stream;       /* new name, or "" */
    ngx_media_url_str_t  redirect;     /* where to go instead, or "" */
    ngx_media_url_str_t  urls[NGX_MEDIA_HOOK_URLS];
    unsigned             nurls;
    uint64_t             lifetime;     /* ms; 0: not said */
    int                  record;       /* 1, 0, -1: not said */
} ngx_media_hook_answer_t;


/*
 * Reads the body of an answer.  buf has room for end - pos bytes.
 * NGX_MEDIA_OK: it agrees; NGX_MEDIA_DECLINED: it does not, and says so in
 * JSON or with a number; NGX_MEDIA_ERROR: it says nothing that is understood.
 * *a is set in any case.
 */
int ngx_media_hook_answer(ngx_media_hook_answer_t *a, const u_char *pos,
    const u_char *end, u_char *buf);


#endif /* _NGX_MEDIA_HOOK_ANSWER_H_INCLUDED_ */
