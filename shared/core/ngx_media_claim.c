
/*
 * Copyright (C) the nginx media suite authors
 *
 * Claims: what only one of all workers may do (reading a socket that all of
 * them have, running one child).  A short table in the arena, under its lock;
 * the owner of an entry is looked at when somebody else wants it, so that
 * nothing has to be done for the dead.
 */


#include "ngx_media_core.h"


#define NGX_MEDIA_CLAIM_NOTE    60000      /* ms between warnings */


static ngx_int_t ngx_media_claim_take(uint64_t key, ngx_media_claim_t *owner);
static void ngx_media_claim_bury(void);
static ngx_uint_t ngx_media_claim_alive(ngx_media_claim_t *claim);
static ngx_uint_t ngx_media_claim_mine(ngx_media_claim_t *claim);


ngx_int_t
ngx_media_claim(uint64_t key)
{
    ngx_int_t          rc;
    ngx_uint_t         buried;
    ngx_media_claim_t  owner;
    static ngx_msec_t  said;

    if (ngx_media_owner() == NGX_MEDIA_NO_SLOT) {
        return NGX_DECLINED;
    }

    ngx_memzero(&owner, sizeof(ngx_media_claim_t));
    buried = 0;

    for ( ;; ) {
        rc = ngx_media_claim_take(key, &owner);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        if (rc == NGX_AGAIN) {

            if (ngx_media_claim_alive(&owner)) {
                return NGX_DECLINED;
            }

            continue;
        }

        if (buried) {
            break;
        }

        ngx_media_claim_bury();
        buried = 1;
    }

    if (said == 0 || ngx_current_msec - said > NGX_MEDIA_CLAIM_NOTE) {
        said = ngx_current_msec;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no room for more than %d claims", NGX_MEDIA_CLAIMS);
    }

    return NGX_ERROR;
}


/*
 * owner: one that is known to be dead.  NGX_OK; NGX_AGAIN: another has it, who
 * is put there; NGX_ERROR: no room.
 */

static ngx_int_t
ngx_media_claim_take(uint64_t key, ngx_media_claim_t *owner)
{
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_media_claim_t  *claim, *place;

    place = NULL;
    rc = NGX_OK;

    ngx_media_lock();

    for (i = 0; i < NGX_MEDIA_CLAIMS; i++) {
        claim = &ngx_media_arena()->claims[i];

        if (claim->key == key) {
            place = claim;
            break;
        }

        if (claim->key == 0 && place == NULL) {
            place = claim;
        }
    }

    if (place == NULL) {
        rc = NGX_ERROR;

    } else if (place->key && !ngx_media_claim_mine(place)
               && (place->slot != owner->slot || place->pid != owner->pid))
    {
        *owner = *place;
        rc = NGX_AGAIN;

    } else {
        place->key = key;
        place->slot = ngx_media_owner();
        place->pid = (int32_t) ngx_pid;
    }

    ngx_media_unlock();

    return rc;
}


/* those of the dead go, when there is no room */

static void
ngx_media_claim_bury(void)
{
    ngx_uint_t          i;
    ngx_media_claim_t   copy, *claim;

    for (i = 0; i < NGX_MEDIA_CLAIMS; i++) {
        claim = &ngx_media_arena()->claims[i];

        ngx_media_lock();
        copy = *claim;
        ngx_media_unlock();

        if (copy.key == 0 || ngx_media_claim_alive(&copy)) {
            continue;
        }

        ngx_media_lock();

        if (claim->slot == copy.slot && claim->pid == copy.pid) {
            claim->key = 0;
        }

        ngx_media_unlock();
    }
}


void
ngx_media_claim_release(uint64_t key)
{
    ngx_uint_t          i;
    ngx_media_arena_t  *a;

    a = ngx_media_arena();

    ngx_media_lock();

    for (i = 0; i < NGX_MEDIA_CLAIMS; i++) {
        if (a->claims[i].key == key && ngx_media_claim_mine(&a->claims[i])) {
            a->claims[i].key = 0;
            break;
        }
    }

    ngx_media_unlock();
}


/* not under the lock; a slot of ours may have been another's before */

static ngx_uint_t
ngx_media_claim_alive(ngx_media_claim_t *claim)
{
    if (claim->slot == ngx_media_owner()) {
        return ngx_media_claim_mine(claim);
    }

    return ngx_media_slot_alive(claim->slot, claim->pid);
}


static ngx_uint_t
ngx_media_claim_mine(ngx_media_claim_t *claim)
{
    return claim->slot == ngx_media_owner()
           && claim->pid == (int32_t) ngx_pid;
}
