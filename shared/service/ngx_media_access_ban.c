
/*
 * Copyright (C) the nginx media suite authors
 *
 * Bans: who was kicked with a time may not come back while it runs, to any
 * worker and by any protocol.  The API makes them; the guard of access rules
 * looks at them; they lie in the arena, outlive reloads, and go by themselves.
 *
 * A ban is about an address, a source, or one at the other.  Where the table
 * is full the one that would end first goes.
 */


#include "ngx_media_access.h"


static uint64_t ngx_media_ban_name(ngx_str_t *texts);
static ngx_media_ban_t *ngx_media_ban_place(ngx_media_ban_t *ban);


ngx_uint_t
ngx_media_ban_any(void)
{
    return ngx_media_msec()
           < __atomic_load_n(&ngx_media_arena()->banned_until,
                             __ATOMIC_RELAXED);
}


/* texts: those of a client or an ask */

static uint64_t
ngx_media_ban_name(ngx_str_t *texts)
{
    ngx_str_t  key[4];

    ngx_str_set(&key[0], "ban");
    key[1] = texts[NGX_MEDIA_TEXT_VHOST];
    key[2] = texts[NGX_MEDIA_TEXT_APP];
    key[3] = texts[NGX_MEDIA_TEXT_STREAM];

    return ngx_media_limit_key(key, 4);
}


ngx_int_t
ngx_media_access_banned(ngx_media_access_t *a)
{
    u_char              addr[8];
    int64_t             now;
    uint32_t            len;
    uint64_t            name;
    ngx_uint_t          i, found;
    ngx_media_ban_t    *ban;
    ngx_media_arena_t  *arena;

    if (!ngx_media_ban_any()) {
        return NGX_OK;
    }

    len = (uint32_t) ngx_media_access_addr(a->ask->connection->sockaddr, addr);
    name = ngx_media_ban_name(a->ask->text);

    now = ngx_media_msec();
    arena = ngx_media_arena();
    found = 0;

    ngx_media_lock();

    for (i = 0; i < NGX_MEDIA_BANS && !found; i++) {
        ban = &arena->bans[i];

        found = ban->until > now
                && (ban->name == 0 || ban->name == name)
                && (ban->addr_len == 0
                    || (ban->addr_len == len
                        && ngx_memcmp(ban->addr, addr, len) == 0));
    }

    ngx_media_unlock();

    if (!found) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, a->ask->connection->log, 0,
                  "media access: %s by a client that is banned",
                  ngx_media_access_act(a->act));

    return NGX_DECLINED;
}


ngx_int_t
ngx_media_ban_client(ngx_media_client_t *copy, ngx_uint_t by, int64_t ms)
{
    ngx_str_t           ip, texts[NGX_MEDIA_TEXT_MAX];
    ngx_addr_t          addr;
    ngx_uint_t          i;
    ngx_pool_t         *pool;
    ngx_media_ban_t     ban;
    ngx_media_arena_t  *arena;

    ngx_memzero(&ban, sizeof(ngx_media_ban_t));

    for (i = 0; i < NGX_MEDIA_TEXT_MAX; i++) {
        texts[i] = ngx_media_client_text(copy, i);
    }

    if ((by & NGX_MEDIA_BAN_NAME) && texts[NGX_MEDIA_TEXT_STREAM].len) {
        ban.name = ngx_media_ban_name(texts);
    }

    if (by & NGX_MEDIA_BAN_ADDRESS) {
        ip = texts[NGX_MEDIA_TEXT_IP];

        pool = ngx_create_pool(1024, ngx_cycle->log);
        if (pool == NULL) {
            return NGX_ERROR;
        }

        if (ngx_parse_addr(pool, &addr, ip.data, ip.len) == NGX_OK) {
            ban.addr_len = (uint32_t) ngx_media_access_addr(addr.sockaddr,
                                                            ban.addr);
        }

        ngx_destroy_pool(pool);
    }

    /* nothing is known that it could be recognized by */

    if (ban.name == 0 && ban.addr_len == 0) {
        return NGX_DECLINED;
    }

    ban.until = ngx_media_msec() + ms;
    arena = ngx_media_arena();

    ngx_media_lock();

    *ngx_media_ban_place(&ban) = ban;

    if (arena->banned_until < ban.until) {
        __atomic_store_n(&arena->banned_until, ban.until, __ATOMIC_RELAXED);
    }

    ngx_media_unlock();

    return NGX_OK;
}


/* under the lock: the same one as before, or a free one, or the first to end */

static ngx_media_ban_t *
ngx_media_ban_place(ngx_media_ban_t *ban)
{
    ngx_uint_t        i;
    ngx_media_ban_t  *b, *best;

    best = &ngx_media_arena()->bans[0];

    for (i = 0; i < NGX_MEDIA_BANS; i++) {
        b = &ngx_media_arena()->bans[i];

        if (b->until && b->name == ban->name && b->addr_len == ban->addr_len
            && ngx_memcmp(b->addr, ban->addr, sizeof(b->addr)) == 0)
        {
            return b;
        }

        if (b->until < best->until) {
            best = b;
        }
    }

    return best;
}
