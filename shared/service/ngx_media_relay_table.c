
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the table of relays in the arena: who has which, and how it is.  The
 * owner of an entry is looked at when somebody else wants it or reads it, so
 * that nothing has to be done for the dead.
 */


#include "ngx_media_relay_hub.h"


static ngx_int_t ngx_media_relay_take(uint64_t key, ngx_uint_t way,
    ngx_media_relay_entry_t *owner, uint32_t *entry);
static void ngx_media_relay_bury(void);
static ngx_uint_t ngx_media_relay_mine(ngx_media_relay_entry_t *e);
static uint16_t ngx_media_relay_put_text(u_char **p, u_char *last,
    const ngx_str_t *text, size_t max);


/* FNV-1a; never 0 */

uint64_t
ngx_media_relay_key(ngx_uint_t way, const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream, const ngx_str_t *url)
{
    size_t            k;
    uint64_t          hash;
    ngx_uint_t        i;
    const ngx_str_t  *part[4];

    part[0] = vhost;
    part[1] = app;
    part[2] = stream;
    part[3] = url;

    hash = 0xcbf29ce484222325ULL ^ way;

    for (i = 0; i < 4; i++) {

        for (k = 0; k < part[i]->len; k++) {
            hash = (hash ^ part[i]->data[k]) * 0x100000001b3ULL;
        }

        /* a byte that is in none of them */

        hash = (hash ^ 0xff) * 0x100000001b3ULL;
    }

    return hash ? hash : 1;
}


static ngx_uint_t
ngx_media_relay_mine(ngx_media_relay_entry_t *e)
{
    return e->slot == ngx_media_owner() && e->pid == (int32_t) ngx_pid;
}


/* not under the lock; a slot of ours may have been another's before */

static ngx_uint_t
ngx_media_relay_alive(ngx_media_relay_entry_t *e)
{
    if (e->slot == ngx_media_owner()) {
        return ngx_media_relay_mine(e);
    }

    return ngx_media_slot_alive(e->slot, e->pid);
}


ngx_int_t
ngx_media_relay_claim(uint64_t key, ngx_uint_t way, ngx_uint_t what,
    uint32_t *entry)
{
    ngx_int_t                 rc;
    ngx_uint_t                buried;
    static ngx_msec_t         said;
    ngx_media_command_t       cmd;
    ngx_media_relay_entry_t   owner;

    if (ngx_media_owner() == NGX_MEDIA_NO_SLOT) {
        return NGX_ERROR;
    }

    ngx_memzero(&owner, sizeof(ngx_media_relay_entry_t));
    buried = 0;

    for ( ;; ) {
        rc = ngx_media_relay_take(key, way, &owner, entry);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        if (rc == NGX_DECLINED) {

            if (!ngx_media_relay_alive(&owner)) {
                continue;
            }

            if (what && !ngx_media_relay_mine(&owner)) {
                ngx_memzero(&cmd, sizeof(ngx_media_command_t));
                cmd.type = NGX_MEDIA_CMD_RELAY;
                cmd.a = *entry;
                cmd.b = (uint32_t) what;

                (void) ngx_media_slot_command(owner.slot, &cmd);
            }

            return NGX_DECLINED;
        }

        if (buried) {
            break;
        }

        ngx_media_relay_bury();
        buried = 1;
    }

    if (said == 0 || ngx_current_msec - said > NGX_MEDIA_RELAY_NOTE) {
        said = ngx_current_msec;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no room for more than %d relays", NGX_MEDIA_RELAYS);
    }

    return NGX_ERROR;
}


/*
 * owner: one that is known to be dead.  NGX_OK; NGX_DECLINED: another has it,
 * who is put there; NGX_ERROR: no room.
 */

static ngx_int_t
ngx_media_relay_take(uint64_t key, ngx_uint_t way,
    ngx_media_relay_entry_t *owner, uint32_t *entry)
{
    uint32_t                  i, place, version;
    ngx_int_t                 rc;
    ngx_media_arena_t        *a;
    ngx_media_relay_entry_t  *e;

    a = ngx_media_arena();
    place = NGX_MEDIA_RELAYS;
    rc = NGX_OK;

    ngx_media_lock();

    for (i = 0; i < NGX_MEDIA_RELAYS; i++) {

        if (a->relay_keys[i] == key) {
            place = i;
            break;
        }

        if (a->relay_keys[i] == 0 && place == NGX_MEDIA_RELAYS) {
            place = i;
        }
    }

    if (place == NGX_MEDIA_RELAYS) {
        ngx_media_unlock();
        return NGX_ERROR;
    }

    *entry = place;
    e = &a->relays[place];

    if (a->relay_keys[place] == key
        && (e->slot != owner->slot || e->pid != owner->pid))
    {
        owner->slot = e->slot;
        owner->pid = e->pid;
        rc = NGX_DECLINED;

    } else {

        /* goes on, and becomes even: who copies it notices */

        version = (e->version | 1) + 1;

        ngx_memzero(e, sizeof(ngx_media_relay_entry_t));

        e->slot = ngx_media_owner();
        e->pid = (int32_t) ngx_pid;
        e->way = (uint32_t) way;
        e->version = version;
        e->created = ngx_media_epoch_ms();
        e->since = e->created;

        a->relay_keys[place] = key;
    }

    ngx_media_unlock();

    return rc;
}


/* those of the dead go, when there is no room */

static void
ngx_media_relay_bury(void)
{
    uint32_t                  i;
    uint64_t                  key;
    ngx_media_arena_t        *a;
    ngx_media_relay_entry_t   copy, *e;

    a = ngx_media_arena();

    for (i = 0; i < NGX_MEDIA_RELAYS; i++) {
        e = &a->relays[i];

        ngx_media_lock();
        key = a->relay_keys[i];
        copy.slot = e->slot;
        copy.pid = e->pid;
        ngx_media_unlock();

        if (key == 0 || ngx_media_relay_alive(&copy)) {
            continue;
        }

        ngx_media_lock();

        if (e->slot == copy.slot && e->pid == copy.pid) {
            a->relay_keys[i] = 0;
        }

        ngx_media_unlock();
    }
}


void
ngx_media_relay_release(uint32_t entry)
{
    ngx_media_arena_t  *a;

    if (entry >= NGX_MEDIA_RELAYS) {
        return;
    }

    a = ngx_media_arena();

    ngx_media_lock();

    if (ngx_media_relay_mine(&a->relays[entry])) {
        a->relay_keys[entry] = 0;
    }

    ngx_media_unlock();
}


static uint16_t
ngx_media_relay_put_text(u_char **p, u_char *last, const ngx_str_t *text,
    size_t max)
{
    size_t  n;

    n = ngx_min(text->len, (size_t) (last - *p));
    n = ngx_min(n, max);
    *p = ngx_cpymem(*p, text->data, n);

    return (uint16_t) n;
}


void
ngx_media_relay_show(ngx_media_relay_t *r, const char *error)
{
    size_t                    max;
    u_char                   *p, *last;
    ngx_str_t                 id;
    ngx_media_relay_to_t     *to;
    ngx_media_relay_entry_t  *e;

    if (r->entry == NGX_MEDIA_NONE) {
        return;
    }

    e = &ngx_media_arena()->relays[r->entry];
    to = &r->to[r->cur];

    __atomic_store_n(&e->version, e->version + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    if (e->state != r->state) {
        e->state = (uint32_t) r->state;
        e->since = ngx_media_epoch_ms();
        e->attempts += (r->state == NGX_MEDIA_RELAY_CALLING);
    }

    if (error) {
        e->failures++;
        (void) ngx_cpystrn(e->error, (u_char *) error, sizeof(e->error));
    }

    e->bytes = r->bytes;
    e->client[0] = '\0';

    if (r->dialled && r->call.session && r->call.session->client) {
        id = ngx_media_session_text(r->call.session, NGX_MEDIA_TEXT_ID);
        r->seen = r->call.session->client->recv_bytes
                  + r->call.session->client->send_bytes;
        e->bytes += r->seen;

        (void) ngx_cpystrn(e->client, id.data,
                           ngx_min(id.len + 1, sizeof(e->client)));
    }

    p = e->url;
    e->url_len = ngx_media_relay_put_text(&p, p + sizeof(e->url), &to->shown,
                                          sizeof(e->url));

    p = e->names;
    last = p + sizeof(e->names);

    max = sizeof(e->names) / 3;

    e->vhost_len = ngx_media_relay_put_text(&p, last,
                                            &r->text[NGX_MEDIA_TEXT_VHOST],
                                            max);
    e->app_len = ngx_media_relay_put_text(&p, last,
                                          &r->text[NGX_MEDIA_TEXT_APP], max);
    e->stream_len = ngx_media_relay_put_text(&p, last,
                                             &r->text[NGX_MEDIA_TEXT_STREAM],
                                             max);

    __atomic_store_n(&e->version, e->version + 1, __ATOMIC_SEQ_CST);
}


ngx_int_t
ngx_media_relay_snapshot(uint32_t i, ngx_media_relay_entry_t *copy)
{
    uint32_t                  version;
    ngx_uint_t                n;
    ngx_media_arena_t        *a;
    ngx_media_relay_entry_t  *e;

    a = ngx_media_arena();
    e = &a->relays[i];

    for (n = 0; n < 100; n++) {

        if (!__atomic_load_n(&a->relay_keys[i], __ATOMIC_ACQUIRE)) {
            return NGX_DECLINED;
        }

        version = __atomic_load_n(&e->version, __ATOMIC_ACQUIRE);

        if (version & 1) {
            ngx_cpu_pause();
            continue;
        }

        ngx_memcpy(copy, e, sizeof(ngx_media_relay_entry_t));

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (__atomic_load_n(&e->version, __ATOMIC_RELAXED) == version) {
            return ngx_media_relay_alive(copy) ? NGX_OK : NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


const char *
ngx_media_relay_state_name(ngx_uint_t state)
{
    static const char  *names[] = {
        "waiting", "resolving", "calling", "connected"
    };

    return (state < sizeof(names) / sizeof(names[0])) ? names[state]
                                                      : "unknown";
}
