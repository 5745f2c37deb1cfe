
/*
 * Copyright (C) the nginx media suite authors
 *
 * The arena: one memfd, made once in the master and mapped by every worker of
 * every generation, and by a new binary after USR2, which finds it among the
 * descriptors it inherited.
 *
 *   header (ngx_media_arena_t) | events | chunk list | sources | clients |
 *   chunks
 *
 * Pages are taken when they are used.  All that several processes write is
 * under one robust mutex; when its holder died, the lists are rebuilt from
 * the rings' chunk tables and the entries' used marks, never trusted.
 */


#include "ngx_media_core.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/eventfd.h>


#ifndef MFD_ALLOW_SEALING
#define MFD_ALLOW_SEALING  0x0002U
#endif

#define NGX_MEDIA_MEMFD         "ngx_media"
#define NGX_MEDIA_PAGE          4096
#define NGX_MEDIA_CLIENTS_CHUNK 16      /* clients per chunk of the zone */
#define NGX_MEDIA_STORE_SHARE   2       /* 1/n: stores hold at most */
#define NGX_MEDIA_STORE_ROOM    8       /* 1/n: they leave free */
#define NGX_MEDIA_STORE_WANTED  5000    /* ms: shares are kept to */
#define NGX_MEDIA_STORE_MIN     8       /* chunks */

#define ngx_media_page_align(n)                                               \
    (((n) + NGX_MEDIA_PAGE - 1) & ~((uint64_t) NGX_MEDIA_PAGE - 1))


static ngx_int_t ngx_media_arena_create(ngx_cycle_t *cycle, size_t zone);
static ngx_int_t ngx_media_arena_inherit(ngx_cycle_t *cycle);
static ngx_int_t ngx_media_arena_adopt(ngx_cycle_t *cycle, int fd);
static void ngx_media_arena_layout(ngx_media_arena_t *a, size_t zone);
static ngx_int_t ngx_media_arena_wakes(ngx_cycle_t *cycle,
    ngx_media_arena_t *a);
static ngx_int_t ngx_media_arena_mutex(pthread_mutex_t *mutex);
static void ngx_media_arena_rebuild(void);
static uint32_t ngx_media_arena_mark(uint32_t *marks, uint32_t *table,
    ngx_uint_t n);
static void ngx_media_store_mark(uint32_t *marks, ngx_media_source_t *src);
static int ngx_media_chunk_take(ngx_media_arena_t *a, uint32_t *entry);
static uint32_t ngx_media_chunk_give(ngx_media_arena_t *a, uint32_t *entry);


/* one per process, mapped by the master and inherited by fork */

static ngx_media_arena_t  *ngx_media_arena_ptr;
static int                 ngx_media_arena_fd = -1;


ngx_int_t
ngx_media_arena_open(ngx_cycle_t *cycle, size_t zone)
{
    ngx_int_t  rc;

    if (ngx_media_arena_ptr) {

        if (ngx_media_arena_ptr->zone != zone) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                          "media zone keeps its size of %uL bytes until "
                          "nginx is restarted, the new size %uz is ignored",
                          ngx_media_arena_ptr->zone, zone);
        }

        return NGX_OK;
    }

    rc = ngx_media_arena_inherit(cycle);

    if (rc == NGX_OK && ngx_media_arena_ptr->zone != zone) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "media zone keeps the size of the old binary, %uL "
                      "bytes", ngx_media_arena_ptr->zone);
    }

    if (rc == NGX_DECLINED) {
        rc = ngx_media_arena_create(cycle, zone);
    }

    return rc;
}


static ngx_int_t
ngx_media_arena_create(ngx_cycle_t *cycle, size_t zone)
{
    int                 fd;
    ngx_uint_t          i;
    pthread_mutex_t    *mutex;
    ngx_media_arena_t  *a, sizes;

    ngx_memzero(&sizes, sizeof(ngx_media_arena_t));
    ngx_media_arena_layout(&sizes, zone);

    /* no CLOEXEC: a new binary inherits it */

    fd = memfd_create(NGX_MEDIA_MEMFD, 0);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "memfd_create() of the media zone failed");
        return NGX_ERROR;
    }

    if (ftruncate(fd, sizes.size) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "ftruncate() of the media zone to %uL failed",
                      sizes.size);
        goto failed;
    }

    a = mmap(NULL, sizes.size, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (a == MAP_FAILED) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "mmap() of the media zone, %uL bytes, failed",
                      sizes.size);
        goto failed;
    }

    ngx_media_arena_layout(a, zone);

    ngx_media_random_id(a->service_id, NGX_MEDIA_ID_LEN);
    ngx_memcpy(a->server_id, "vid-", 4);
    ngx_media_random_id(a->server_id + 4, 7);
    a->started = ngx_media_epoch_ms();

    if (ngx_media_arena_mutex(&a->mutex) != NGX_OK
        || ngx_media_arena_wakes(cycle, a) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "could not initialize the media zone");
        munmap(a, sizes.size);
        goto failed;
    }

    for (i = 0; i < NGX_MEDIA_SLOTS + NGX_MEDIA_LIVES; i++) {
        mutex = (i < NGX_MEDIA_SLOTS) ? &a->slots[i].mutex
                                      : &a->lives[i - NGX_MEDIA_SLOTS].mutex;

        if (ngx_media_arena_mutex(mutex) != NGX_OK) {
            munmap(a, sizes.size);
            goto failed;
        }
    }

    a->magic = NGX_MEDIA_MAGIC;

    ngx_media_arena_ptr = a;
    ngx_media_arena_fd = fd;

    return NGX_OK;

failed:

    (void) close(fd);

    return NGX_ERROR;
}


static void
ngx_media_arena_layout(ngx_media_arena_t *a, size_t zone)
{
    uint64_t  off;

    a->layout = NGX_MEDIA_LAYOUT;
    a->header_size = sizeof(ngx_media_arena_t);
    a->zone = zone;
    a->nchunks = (uint32_t) (zone >> NGX_MEDIA_CHUNK_SHIFT);
    a->nsources = ngx_min(a->nchunks, NGX_MEDIA_MAX_SOURCES);
    a->nclients = a->nchunks * NGX_MEDIA_CLIENTS_CHUNK;

    off = ngx_media_page_align(sizeof(ngx_media_arena_t));
    a->off_events = off;

    off = ngx_media_page_align(off + sizeof(ngx_media_event_ring_t));
    a->off_next = off;

    off = ngx_media_page_align(off + a->nchunks * sizeof(uint32_t));
    a->off_sources = off;

    off = ngx_media_page_align(off + (uint64_t) a->nsources
                                     * sizeof(ngx_media_source_t));
    a->off_clients = off;

    off = ngx_media_page_align(off + (uint64_t) a->nclients
                                     * sizeof(ngx_media_client_t));
    a->off_limits = off;

    /* half of it stays free, whatever they count under */

    for (a->nlimits = 1;
         a->nlimits < 2 * NGX_MEDIA_LIMITS * a->nclients;
         a->nlimits *= 2)
    { /* void */ }

    off += (uint64_t) a->nlimits * sizeof(ngx_media_limit_t);
    off = (off + NGX_MEDIA_CHUNK_SIZE - 1)
          & ~((uint64_t) NGX_MEDIA_CHUNK_SIZE - 1);
    a->off_chunks = off;

    a->size = off + ((uint64_t) a->nchunks << NGX_MEDIA_CHUNK_SHIFT);
    a->free_chunks = a->nchunks;
}


/* eventfds for all slots there will ever be, before the first fork */

static ngx_int_t
ngx_media_arena_wakes(ngx_cycle_t *cycle, ngx_media_arena_t *a)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_MEDIA_SLOTS; i++) {

        a->wake_fd[i] = eventfd(0, EFD_NONBLOCK);

        if (a->wake_fd[i] == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "eventfd() failed");

            while (i--) {
                (void) close(a->wake_fd[i]);
            }

            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_media_arena_mutex(pthread_mutex_t *mutex)
{
    int                  rc;
    pthread_mutexattr_t  attr;

    if (pthread_mutexattr_init(&attr) != 0) {
        return NGX_ERROR;
    }

    rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);

    if (rc == 0) {
        rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    }

    if (rc == 0) {
        rc = pthread_mutex_init(mutex, &attr);
    }

    (void) pthread_mutexattr_destroy(&attr);

    return rc == 0 ? NGX_OK : NGX_ERROR;
}


/*
 * A new binary started by USR2: the memfd of the old one is among our
 * descriptors.  NGX_DECLINED where there is none that fits.
 */

static ngx_int_t
ngx_media_arena_inherit(ngx_cycle_t *cycle)
{
    int             fd;
    DIR            *dir;
    u_char          path[64], link[64];
    ssize_t         n;
    ngx_int_t       rc;
    struct dirent  *de;

    if (getenv(NGINX_VAR) == NULL) {
        return NGX_DECLINED;
    }

    dir = opendir("/proc/self/fd");

    if (dir == NULL) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    while (rc == NGX_DECLINED && (de = readdir(dir)) != NULL) {

        fd = ngx_atoi((u_char *) de->d_name, ngx_strlen(de->d_name));

        if (fd == NGX_ERROR) {
            continue;
        }

        ngx_sprintf(path, "/proc/self/fd/%d%Z", fd);
        n = readlink((char *) path, (char *) link, sizeof(link) - 1);

        if (n <= 0) {
            continue;
        }

        link[n] = '\0';

        if (ngx_strncmp(link, "/memfd:" NGX_MEDIA_MEMFD " ",
                        sizeof("/memfd:" NGX_MEDIA_MEMFD " ") - 1)
            == 0)
        {
            rc = ngx_media_arena_adopt(cycle, fd);
        }
    }

    (void) closedir(dir);

    return rc;
}


static ngx_int_t
ngx_media_arena_adopt(ngx_cycle_t *cycle, int fd)
{
    pid_t               parent;
    ngx_uint_t          i;
    struct stat         st;
    ngx_media_arena_t  *a, own;

    if (fstat(fd, &st) == -1
        || st.st_size < (off_t) sizeof(ngx_media_arena_t))
    {
        return NGX_DECLINED;
    }

    a = mmap(NULL, st.st_size, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (a == MAP_FAILED) {
        return NGX_DECLINED;
    }

    /* what this binary would have made of that zone */

    ngx_memzero(&own, sizeof(ngx_media_arena_t));
    ngx_media_arena_layout(&own, a->zone);

    if (a->magic != NGX_MEDIA_MAGIC || a->layout != own.layout
        || a->header_size != own.header_size
        || a->size != own.size || a->size != (uint64_t) st.st_size
        || a->off_events != own.off_events
        || a->off_sources != own.off_sources
        || a->off_clients != own.off_clients
        || a->off_chunks != own.off_chunks)
    {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "media zone of the old binary has another layout, "
                      "streams begin anew");
        munmap(a, st.st_size);
        (void) close(fd);
        return NGX_DECLINED;
    }

    parent = getppid();

    for (i = 0; i < NGX_MEDIA_MASTERS; i++) {
        if (a->master[i] == parent) {
            break;
        }
    }

    if (i == NGX_MEDIA_MASTERS) {
        munmap(a, st.st_size);
        return NGX_DECLINED;
    }

    ngx_media_arena_ptr = a;
    ngx_media_arena_fd = fd;

    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                  "media zone of the old binary goes on, %uD sources",
                  a->sources);

    return NGX_OK;
}


void
ngx_media_arena_enter(ngx_cycle_t *cycle)
{
    pid_t               master;
    ngx_uint_t          i;
    ngx_media_arena_t  *a;

    a = ngx_media_arena_ptr;
    master = (ngx_process == NGX_PROCESS_SINGLE) ? ngx_pid : getppid();

    ngx_media_lock();

    for (i = 0; i < NGX_MEDIA_MASTERS; i++) {
        if (a->master[i] == master) {
            break;
        }
    }

    if (i == NGX_MEDIA_MASTERS) {
        a->master[a->masters++ % NGX_MEDIA_MASTERS] = master;
    }

    ngx_media_unlock();

    if (ngx_process == NGX_PROCESS_SINGLE) {
        return;
    }

    /* children of a worker shall not inherit what is ours */

    if (ngx_media_arena_fd != -1) {
        (void) close(ngx_media_arena_fd);
        ngx_media_arena_fd = -1;
    }

    for (i = 0; i < NGX_MEDIA_SLOTS; i++) {
        if (fcntl(a->wake_fd[i], F_SETFD, FD_CLOEXEC) == -1) {
            ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                          "fcntl(FD_CLOEXEC) of a wake descriptor failed");
        }
    }
}


ngx_media_arena_t *
ngx_media_arena(void)
{
    return ngx_media_arena_ptr;
}


void
ngx_media_lock(void)
{
    int                 rc;
    ngx_media_arena_t  *a;

    a = ngx_media_arena_ptr;
    rc = pthread_mutex_lock(&a->mutex);

    if (rc == EOWNERDEAD) {
        (void) pthread_mutex_consistent(&a->mutex);

        a->recoveries++;
        ngx_media_arena_rebuild();

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "media zone was rebuilt, a worker died inside it");
        return;
    }

    if (rc != 0) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, rc,
                      "lock of the media zone failed");
    }
}


void
ngx_media_unlock(void)
{
    int  rc;

    rc = pthread_mutex_unlock(&ngx_media_arena_ptr->mutex);

    if (rc != 0) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, rc,
                      "unlock of the media zone failed");
    }
}


/*
 * The holder of the mutex died somewhere.  Chunks belong to whoever has them
 * in a table, entries are in use when they say so; everything else is free.
 */

static void
ngx_media_arena_rebuild(void)
{
    uint32_t             i, *next;
    ngx_media_arena_t   *a;
    ngx_media_source_t  *src;

    a = ngx_media_arena_ptr;
    next = (uint32_t *) ((u_char *) a + a->off_next);
    a->store_chunks = 0;

    /* a chunk that is in use needs no next: its place is its mark */

    ngx_memzero(next, a->nchunks * sizeof(uint32_t));

    for (i = 0; i < a->fresh_source; i++) {
        src = ngx_media_source_at(i);

        if (!src->used) {
            continue;
        }

        ngx_media_arena_mark(next, src->ring.data, NGX_MEDIA_RING_DATA);
        ngx_media_arena_mark(next, src->ring.index, NGX_MEDIA_RING_INDEX);
        ngx_media_arena_mark(next, &src->heads.chunk, 1);
        ngx_media_store_mark(next, src);
    }

    a->free_chunk = 0;
    a->free_chunks = 0;
    a->fresh_chunk = a->nchunks;

    for (i = a->nchunks; i > 0; i--) {

        if (next[i - 1] == NGX_MEDIA_NONE) {
            continue;
        }

        next[i - 1] = a->free_chunk;
        a->free_chunk = i;
        a->free_chunks++;
    }

    /* an entry says last that it is one */

    a->switches.version += a->switches.version & 1;

    ngx_media_source_rebuild();
    ngx_media_client_rebuild();
    ngx_media_viewers_rebuild();
    ngx_media_limit_rebuild();
}


/* how many of them are owned */

static uint32_t
ngx_media_arena_mark(uint32_t *marks, uint32_t *table, ngx_uint_t n)
{
    uint32_t    owned;
    ngx_uint_t  i;

    owned = 0;

    for (i = 0; i < n; i++) {

        if (table[i] == 0) {
            continue;
        }

        /* out of range or owned twice: not believed */

        if (table[i] > ngx_media_arena_ptr->nchunks
            || marks[table[i] - 1] == NGX_MEDIA_NONE)
        {
            table[i] = 0;
            continue;
        }

        marks[table[i] - 1] = NGX_MEDIA_NONE;
        owned++;
    }

    return owned;
}


static void
ngx_media_store_mark(uint32_t *marks, ngx_media_source_t *src)
{
    uint32_t           i, n;
    ngx_media_ring_t  *ring;

    n = ngx_media_arena_mark(marks, src->stores, NGX_MEDIA_STORES);

    for (i = 0; i < NGX_MEDIA_STORES && i < src->nstores; i++) {

        ring = (ngx_media_ring_t *) ngx_media_chunk_addr(src->stores[i]);

        if (ring) {
            n += ngx_media_arena_mark(marks, ring->data, NGX_MEDIA_RING_DATA);
            n += ngx_media_arena_mark(marks, ring->index,
                                      NGX_MEDIA_RING_INDEX);
        }
    }

    ngx_media_arena_ptr->store_chunks += n;
}


/* under the lock */

static int
ngx_media_chunk_take(ngx_media_arena_t *a, uint32_t *entry)
{
    uint32_t  n, *next;

    next = (uint32_t *) ((u_char *) a + a->off_next);

    if (a->free_chunk) {
        n = a->free_chunk;
        a->free_chunk = next[n - 1];

    } else if (a->fresh_chunk < a->nchunks) {
        n = ++a->fresh_chunk;

    } else {
        return NGX_MEDIA_DECLINED;
    }

    a->free_chunks--;
    __atomic_store_n(entry, n, __ATOMIC_RELEASE);

    return NGX_MEDIA_OK;
}


/* under the lock; how many it was, 1 or none */

static uint32_t
ngx_media_chunk_give(ngx_media_arena_t *a, uint32_t *entry)
{
    uint32_t  n, *next;

    next = (uint32_t *) ((u_char *) a + a->off_next);
    n = *entry;

    if (n == 0 || n > a->nchunks) {
        return 0;
    }

    __atomic_store_n(entry, 0, __ATOMIC_RELEASE);

    next[n - 1] = a->free_chunk;
    a->free_chunk = n;
    a->free_chunks++;

    return 1;
}


int
ngx_media_chunk_get(void *ctx, uint32_t *entry)
{
    int  rc;

    ngx_media_lock();
    rc = ngx_media_chunk_take(ngx_media_arena_ptr, entry);
    ngx_media_unlock();

    return rc;
}


void
ngx_media_chunk_put(void *ctx, uint32_t *entry)
{
    ngx_media_lock();
    (void) ngx_media_chunk_give(ngx_media_arena_ptr, entry);
    ngx_media_unlock();
}


int
ngx_media_store_get(void *ctx, uint32_t *entry)
{
    int                 rc;
    ngx_media_arena_t  *a;

    a = ngx_media_arena_ptr;
    rc = NGX_MEDIA_DECLINED;

    ngx_media_lock();

    if (a->store_chunks < a->nchunks / NGX_MEDIA_STORE_SHARE
        && a->free_chunks > a->nchunks / NGX_MEDIA_STORE_ROOM)
    {
        rc = ngx_media_chunk_take(a, entry);

        if (rc == NGX_MEDIA_OK) {
            a->store_chunks++;
        }
    }

    if (rc != NGX_MEDIA_OK) {
        a->store_wanted = ngx_media_msec();
    }

    ngx_media_unlock();

    return rc;
}


uint32_t
ngx_media_store_share(void)
{
    uint32_t             i, n, all;
    ngx_media_arena_t   *a;
    ngx_media_source_t  *src;

    a = ngx_media_arena_ptr;
    all = a->nchunks / NGX_MEDIA_STORE_SHARE;

    if (a->store_wanted == 0
        || ngx_media_msec() - a->store_wanted > NGX_MEDIA_STORE_WANTED)
    {
        /* one alone does not want what nobody else has */

        return all - ngx_min(all, NGX_MEDIA_STORE_MIN);
    }

    /* and one more, that may be the one who wants it */

    n = 1;

    for (i = 0; i < a->fresh_source; i++) {
        src = ngx_media_source_at(i);
        n += src->used && src->nstores;
    }

    return ngx_max(all / n, NGX_MEDIA_STORE_MIN);
}


void
ngx_media_store_put(void *ctx, uint32_t *entry)
{
    ngx_media_arena_t  *a;

    a = ngx_media_arena_ptr;

    ngx_media_lock();
    a->store_chunks -= ngx_media_chunk_give(a, entry);
    ngx_media_unlock();
}


void
ngx_media_store_release(ngx_media_source_t *src)
{
    uint32_t            i, k;
    ngx_media_ring_t   *ring;
    ngx_media_arena_t  *a;

    a = ngx_media_arena_ptr;

    for (i = 0; i < NGX_MEDIA_STORES; i++) {

        ring = (ngx_media_ring_t *) ngx_media_chunk_addr(src->stores[i]);

        for (k = 0; ring && i < src->nstores && k < NGX_MEDIA_RING_DATA; k++) {
            a->store_chunks -= ngx_media_chunk_give(a, &ring->data[k]);
        }

        for (k = 0; ring && i < src->nstores && k < NGX_MEDIA_RING_INDEX; k++)
        {
            a->store_chunks -= ngx_media_chunk_give(a, &ring->index[k]);
        }

        a->store_chunks -= ngx_media_chunk_give(a, &src->stores[i]);
    }

    src->nstores = 0;
}


u_char *
ngx_media_chunk_addr(uint32_t entry)
{
    ngx_media_arena_t  *a;

    a = ngx_media_arena_ptr;

    if (entry == 0 || entry > a->nchunks) {
        return NULL;
    }

    return (u_char *) a + a->off_chunks
           + ((uint64_t) (entry - 1) << NGX_MEDIA_CHUNK_SHIFT);
}


ngx_media_chunks_t
ngx_media_arena_chunks(void)
{
    ngx_media_chunks_t  chunks;

    chunks.base = (u_char *) ngx_media_arena_ptr
                  + ngx_media_arena_ptr->off_chunks;
    chunks.nchunks = ngx_media_arena_ptr->nchunks;

    return chunks;
}


uint32_t
ngx_media_chunks_free(void)
{
    return __atomic_load_n(&ngx_media_arena_ptr->free_chunks,
                           __ATOMIC_RELAXED);
}


ngx_media_event_ring_t *
ngx_media_event_ring(void)
{
    return (ngx_media_event_ring_t *) ((u_char *) ngx_media_arena_ptr
                                       + ngx_media_arena_ptr->off_events);
}


ngx_media_source_t *
ngx_media_source_at(uint32_t idx)
{
    return (ngx_media_source_t *) ((u_char *) ngx_media_arena_ptr
                                   + ngx_media_arena_ptr->off_sources) + idx;
}


uint32_t
ngx_media_source_index(ngx_media_source_t *src)
{
    return (uint32_t) (src - ngx_media_source_at(0));
}


ngx_media_client_t *
ngx_media_client_at(uint32_t idx)
{
    return (ngx_media_client_t *) ((u_char *) ngx_media_arena_ptr
                                   + ngx_media_arena_ptr->off_clients) + idx;
}


uint32_t
ngx_media_client_index(ngx_media_client_t *client)
{
    return (uint32_t) (client - ngx_media_client_at(0));
}


void
ngx_media_random_id(u_char *p, size_t n)
{
    u_char               r[16];
    ngx_uint_t           i;
    static const u_char  chars[] = "0123456789abcdefghijklmnopqrstuvwxyz";

    /* the master's random() is never seeded */

    if (getrandom(r, sizeof(r), GRND_NONBLOCK) != (ssize_t) sizeof(r)) {
        for (i = 0; i < sizeof(r); i++) {
            r[i] = (u_char) ngx_random();
        }
    }

    for (i = 0; i < n; i++) {
        p[i] = chars[r[i % sizeof(r)] % 36];
    }
}


int64_t
ngx_media_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


int64_t
ngx_media_epoch_ms(void)
{
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (int64_t) tv.tv_sec * 1000 + tv.tv_usec / 1000;
}
