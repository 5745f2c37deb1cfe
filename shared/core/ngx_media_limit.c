
/*
 * Copyright (C) the nginx media suite authors
 *
 * Limits: how many clients of all workers count under a key (the players of a
 * source, the sessions of an address).
 *
 * What a client counts under is in its entry of the arena, and goes with it
 * under the same lock: a worker that died leaves no count behind once its
 * entries are reaped, and after a death under the lock the table is made from
 * the entries anew.  The table is open addressing without tombstones; it is
 * more than twice as large as there can be keys.
 */


#include "ngx_media_core.h"


static ngx_media_limit_t *ngx_media_limit_find(uint64_t key);
static void ngx_media_limit_free(ngx_media_limit_t *l);
static void ngx_media_limit_less(ngx_media_client_t *client,
    ngx_uint_t which);


#define ngx_media_limit_table(a)                                              \
    ((ngx_media_limit_t *) ((u_char *) (a) + (a)->off_limits))


/* FNV-1a that begins with the arena's own id, mixed at the end */

uint64_t
ngx_media_limit_key(const ngx_str_t *texts, ngx_uint_t n)
{
    size_t              i;
    uint64_t            hash;
    ngx_uint_t          k;
    ngx_media_arena_t  *a;

    a = ngx_media_arena();
    hash = 14695981039346656037ULL;

    for (i = 0; i < sizeof(a->service_id); i++) {
        hash = (hash ^ a->service_id[i]) * 1099511628211ULL;
    }

    for (k = 0; k < n; k++) {

        for (i = 0; i < texts[k].len; i++) {
            hash = (hash ^ texts[k].data[i]) * 1099511628211ULL;
        }

        /* no text holds it: a border */

        hash = (hash ^ 0x1ff) * 1099511628211ULL;
    }

    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93ULL;
    hash ^= hash >> 32;

    return hash ? hash : 1;
}


/* under the lock: its place, or the free one where it would be */

static ngx_media_limit_t *
ngx_media_limit_find(uint64_t key)
{
    uint32_t            i, mask;
    ngx_media_arena_t  *a;
    ngx_media_limit_t  *table;

    a = ngx_media_arena();
    table = ngx_media_limit_table(a);
    mask = a->nlimits - 1;

    for (i = (uint32_t) key & mask;
         table[i].count && table[i].key != key;
         i = (i + 1) & mask)
    { /* void */ }

    return &table[i];
}


/* under the lock: those behind it move up, so that they are found */

static void
ngx_media_limit_free(ngx_media_limit_t *l)
{
    uint32_t            i, hole, home, mask;
    ngx_media_arena_t  *a;
    ngx_media_limit_t  *table;

    a = ngx_media_arena();
    table = ngx_media_limit_table(a);
    mask = a->nlimits - 1;
    hole = (uint32_t) (l - table);

    for (i = (hole + 1) & mask; table[i].count; i = (i + 1) & mask) {
        home = (uint32_t) table[i].key & mask;

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table[hole] = table[i];
            hole = i;
        }
    }

    table[hole].count = 0;
    table[hole].key = 0;
}


/* under the lock */

static void
ngx_media_limit_less(ngx_media_client_t *client, ngx_uint_t which)
{
    ngx_media_limit_t  *l;

    if (client->limit[which] == 0) {
        return;
    }

    l = ngx_media_limit_find(client->limit[which]);
    client->limit[which] = 0;

    if (l->count > 1) {
        l->count--;

    } else if (l->count) {
        ngx_media_limit_free(l);
    }
}


ngx_int_t
ngx_media_limit_take(ngx_media_client_t *client, ngx_uint_t which,
    uint64_t key, uint32_t max)
{
    ngx_int_t           rc;
    ngx_media_limit_t  *l;

    rc = NGX_OK;

    ngx_media_lock();

    ngx_media_limit_less(client, which);

    l = ngx_media_limit_find(key);

    if (l->count >= max) {
        rc = NGX_DECLINED;

    } else {
        l->key = key;
        l->count++;
        client->limit[which] = key;
    }

    ngx_media_unlock();

    return rc;
}


void
ngx_media_limit_drop(ngx_media_client_t *client, ngx_uint_t which)
{
    if (client->limit[which] == 0) {
        return;
    }

    ngx_media_lock();
    ngx_media_limit_less(client, which);
    ngx_media_unlock();
}


uint32_t
ngx_media_limit_count(uint64_t key)
{
    uint32_t  count;

    ngx_media_lock();
    count = ngx_media_limit_find(key)->count;
    ngx_media_unlock();

    return count;
}


void
ngx_media_limit_release(ngx_media_client_t *client)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MEDIA_LIMITS; i++) {
        ngx_media_limit_less(client, i);
    }
}


void
ngx_media_limit_rebuild(void)
{
    uint32_t             i;
    ngx_uint_t           k;
    ngx_media_arena_t   *a;
    ngx_media_limit_t   *l;
    ngx_media_client_t  *client;

    a = ngx_media_arena();

    ngx_memzero(ngx_media_limit_table(a),
                a->nlimits * sizeof(ngx_media_limit_t));

    for (i = 0; i < a->fresh_client; i++) {
        client = ngx_media_client_at(i);

        for (k = 0; client->used && k < NGX_MEDIA_LIMITS; k++) {

            if (client->limit[k] == 0) {
                continue;
            }

            l = ngx_media_limit_find(client->limit[k]);
            l->key = client->limit[k];
            l->count++;
        }
    }
}
