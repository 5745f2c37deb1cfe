
/*
 * Copyright (C) the nginx media suite authors
 *
 * Private hub of the core (L2) and of the services on it (L3): what lies in
 * the arena, and the functions that files of shared/core export to each
 * other.  Protocol modules include ngx_media.h only.
 *
 * Owner tags of fields in the arena:
 *
 *   const    written once before others can see it
 *   lock     read and written under the arena's mutex
 *   pub      written by the publisher's worker, read by all (aligned words,
 *            or under a version)
 *   slot     written by the worker that owns the slot
 *   owner    written by the worker that owns the session
 *   atomic   read and written by all, with atomic operations
 *
 * No pointers, no function pointers: offsets, indices, fixed-width types.  The
 * layout has a version (NGX_MEDIA_LAYOUT): a new binary maps an arena of
 * the old one only when it is the same.
 */


#ifndef _NGX_MEDIA_CORE_H_INCLUDED_
#define _NGX_MEDIA_CORE_H_INCLUDED_


#include "ngx_media.h"

#include <pthread.h>

#include "ngx_media_event_ring.h"
#include "ngx_media_ring.h"
#include "ngx_media_timeline.h"
#include "ngx_media_tracks.h"
#include "ngx_media_url.h"


#define NGX_MEDIA_MAGIC           0x6e67786d65646961ULL
#define NGX_MEDIA_LAYOUT          11

#define NGX_MEDIA_SLOTS           128
#define NGX_MEDIA_LIVES           896     /* workers beyond the slots */
#define NGX_MEDIA_NO_SLOT         0xffffu
#define NGX_MEDIA_NOBODY          0xfffeu     /* no worker owns it */
#define NGX_MEDIA_NONE            0xffffffffu

#define NGX_MEDIA_MAX_SOURCES     4096
#define NGX_MEDIA_BUCKETS         4096
#define NGX_MEDIA_VIEWER_BUCKETS  4096
#define NGX_MEDIA_NAME_LEN        256
#define NGX_MEDIA_COMMANDS        64
#define NGX_MEDIA_POSTS           1024
#define NGX_MEDIA_HEADS           48
#define NGX_MEDIA_STORES          14
#define NGX_MEDIA_HEAD_KINDS                                                  \
    (NGX_MEDIA_FRAME_CONFIG|NGX_MEDIA_FRAME_META|NGX_MEDIA_FRAME_STICKY)
#define NGX_MEDIA_CONFIG_MAX      32768   /* half of their chunk */
#define NGX_MEDIA_TEXT_LEN        2048
#define NGX_MEDIA_ID_LEN          8


/* bytes over the last 30 s, sampled every 10 s */

#define NGX_MEDIA_RATE_SAMPLES    3

typedef struct {
    uint64_t    bytes[NGX_MEDIA_RATE_SAMPLES];
    int64_t     msec[NGX_MEDIA_RATE_SAMPLES];
    uint32_t    n;
    uint32_t    kbps;
} ngx_media_rate_t;


#define NGX_MEDIA_VIEWER_PLAYS    1
#define NGX_MEDIA_VIEWER_KICKED   2

/* one client connection, or one viewer without any */

struct ngx_media_client_s {
    uint32_t    used;               /* lock */
    uint32_t    next;               /* lock; free list */
    uint32_t    version;            /* owner; odd: texts are being written */
    uint32_t    generation;         /* lock; changes with each use */
    uint32_t    slot;               /* const; ngx_media_owner() */
    int32_t     pid;                /* const */
    uint32_t    source;             /* owner; index or NONE */
    uint32_t    type;               /* owner; ngx_media_client_type_e */
    uint32_t    publish;            /* owner */
    uint32_t    lag;                /* owner; ms */
    uint64_t    dropped;            /* owner; frames */
    int64_t     created;            /* const; ms since the epoch */
    int64_t     began[NGX_MEDIA_ACT_MAX];   /* owner; ms since the epoch; when
                                             * it was allowed, 0: it is not */
    uint64_t    send_bytes;         /* owner */
    uint64_t    recv_bytes;         /* owner */
    ngx_media_rate_t  send;         /* owner */
    ngx_media_rate_t  recv;         /* owner */
    uint32_t    relay;              /* owner; this server dialled it */
    ngx_media_link_t  link;         /* owner */

    /* of one that no worker owns; lock */
    uint32_t    viewer;             /* NGX_MEDIA_VIEWER_* */
    uint32_t    viewer_next;        /* of the same bucket; index + 1 */
    uint32_t    viewer_silence;     /* ms after which it is gone */
    uint32_t    viewer_generation;  /* of its source */
    int64_t     viewer_seen;        /* monotonic ms */
    int64_t     viewer_until;       /* the same; 0: no end */

    uint64_t    limit[NGX_MEDIA_LIMITS];    /* lock; keys it counts under, 0:
                                             * none */

    /* under version */
    uint16_t    text_off[NGX_MEDIA_TEXT_MAX];
    uint16_t    text_len[NGX_MEDIA_TEXT_MAX];
    uint16_t    text_used;
    u_char      text[NGX_MEDIA_TEXT_LEN];
};


/* what holds from frame seq on: metadata, or a config or such of a track */

typedef struct {
    uint64_t    seq;
    uint32_t    off;
    uint32_t    size;
    uint16_t    flags;              /* one of NGX_MEDIA_HEAD_KINDS */
    uint8_t     track;
    uint8_t     codec;
    uint8_t     aux;
    uint8_t     pad[3];
} ngx_media_head_t;


typedef struct {
    uint32_t          version;      /* pub; odd: being written */
    uint32_t          chunk;        /* lock; number + 1 */
    uint32_t          used;         /* pub, under version; bytes of chunk */
    uint32_t          n;            /* pub, under version */
    ngx_media_head_t  head[NGX_MEDIA_HEADS];
} ngx_media_head_table_t;


typedef struct {
    ngx_media_codec_info_t  info;   /* pub; all of it: of this publish */
    uint64_t    frames;             /* pub */
    uint64_t    bytes;              /* pub */
    uint64_t    keys;               /* pub */
    int64_t     dts;                /* pub; us, newest */
    int64_t     key_dts;            /* pub; us, newest key */
    uint32_t    gop_ms;             /* pub; between the last two keys */
    uint32_t    gop_frames;         /* pub; frames of the last whole GOP */
    uint32_t    gop_count;          /* pub; frames since the last key */
    uint32_t    fps_milli;          /* pub; over the last seconds */
    uint64_t    fps_frames;         /* pub; at the last sample */
    int64_t     fps_dts;            /* pub; us, at the last sample */
    uint32_t    bframes;            /* pub; frames with cts that reorder */
    uint32_t    present;            /* pub; it had a config or a frame */
} ngx_media_track_t;


/*
 * What is being recorded of a source (shared/service/ngx_media_record.h), for
 * those that show it.
 */

#define NGX_MEDIA_RECORD_NAME     256

typedef struct {
    u_char      id[20];             /* pub; of the open file, or "" */
    uint32_t    active;             /* pub; atomic: the rest holds */
    uint32_t    look;               /* any; a switch changed */
    int32_t     told;               /* pub; hooks: 1, 0, -1: nothing */
    int64_t     begin;              /* pub; ms since the epoch */
    uint64_t    duration;           /* pub; us in the open file */
    uint64_t    bytes;              /* pub; of the open file */
    uint64_t    total;              /* pub; bytes of all files */
    uint64_t    files;              /* pub; whole ones */
    uint64_t    lost;               /* pub; frames that found no disk */
    uint64_t    errors;             /* pub */
    u_char      file[NGX_MEDIA_RECORD_NAME];   /* pub; below the root */
} ngx_media_source_record_t;


/*
 * Policy that travels with a live source: what its publisher was given.  What
 * concerns a player is that of the configuration which the player came under.
 */

typedef struct {
    uint32_t    gop_cache;
    uint32_t    queue_length;       /* ms */
    uint32_t    send_latency;       /* ms */
    uint32_t    republish_wait;     /* ms */
    uint32_t    idle_timeout;       /* ms */
    uint32_t    reserved[3];
} ngx_media_source_policy_t;


typedef struct {
    uint64_t    magic;              /* const */
    uint32_t    used;               /* lock */
    uint32_t    generation;         /* lock; changes when freed */
    uint32_t    next;               /* lock; in bucket or free list */
    uint32_t    hash;               /* lock */

    uint16_t    vhost_len;          /* lock; const while used */
    uint16_t    app_len;
    uint16_t    stream_len;
    uint16_t    tcurl_len;          /* pub */
    u_char      vhost[NGX_MEDIA_NAME_LEN];
    u_char      app[NGX_MEDIA_NAME_LEN];
    u_char      stream[NGX_MEDIA_NAME_LEN];
    u_char      tcurl[NGX_MEDIA_NAME_LEN];
    u_char      id[12];             /* const; ngx_media_source_id() */

    /*
     * Counts each coming and going of a publisher; odd while there is one.
     * Stored with release after the rest of the state.
     */
    uint64_t    epoch;              /* lock to write; all read */
    uint32_t    pub_slot;           /* lock; ngx_media_owner() */
    int32_t     pub_pid;            /* lock */
    uint32_t    pub_client;         /* lock; index */
    uint32_t    pub_generation;     /* lock; of that client */
    int64_t     pub_msec;           /* lock; when it came, monotonic ms */
    int64_t     left_msec;          /* lock; when the last one left */
    uint64_t    first_seq;          /* lock to write; all read; first frame of
                                     * the newest publisher */
    int64_t     used_msec;          /* any; last sign of use */
    int64_t     played_msec;        /* any; last second with a player */

    uint64_t    slots[NGX_MEDIA_SLOTS / 64];    /* atomic; consumers there */
    uint64_t    muted[NGX_MEDIA_SLOTS / 64];    /* atomic; of these, frames
                                                 * wake none: they look when
                                                 * send_latency passed */

    /*
     * What services keep of it (renditions): chunks that begin with a ring of
     * their own, of the publisher's worker like the source's.
     */
    uint64_t    watchers[NGX_MEDIA_SLOTS / 64]; /* atomic; told of changes */
    int64_t     served_msec;        /* any; last request for what they keep */
    uint32_t    store_keep;         /* pub; ms it stays after the publisher */
    uint32_t    nstores;            /* pub; release: made ready */
    uint32_t    stores[NGX_MEDIA_STORES];       /* lock; number + 1 */

    ngx_media_source_policy_t  policy;          /* pub */

    int64_t     last_dts;           /* pub; us, end of the timeline */
    int64_t     last_time;          /* pub; us, monotonic, of that frame */

    uint64_t    recv_bytes;         /* pub */
    uint64_t    send_bytes;         /* atomic */
    uint64_t    frames;             /* pub */
    uint64_t    audio_frames;       /* pub */
    uint64_t    video_frames;       /* pub */
    uint64_t    dropped;            /* pub; frames with no room */
    uint32_t    jumps;              /* pub; timeline */
    uint32_t    tracks;             /* pub; bit set */
    uint32_t    publishes;          /* lock */
    uint32_t    missing;            /* atomic; how often it could not be
                                     * fetched */
    ngx_media_rate_t        send;   /* pub */
    ngx_media_rate_t        recv;   /* pub */
    ngx_media_source_record_t  record;

    ngx_media_track_t       track[NGX_MEDIA_MAX_TRACKS];
    ngx_media_head_table_t  heads;
    ngx_media_ring_t        ring;
} ngx_media_source_t;


typedef struct {
    uint32_t    type;
    uint32_t    a;
    uint32_t    b;
    uint32_t    c;
} ngx_media_command_t;

#define NGX_MEDIA_CMD_CLOSE       1   /* a client, b generation, c reason */
#define NGX_MEDIA_CMD_SHRINK      2   /* give history back */
#define NGX_MEDIA_CMD_DEMAND      3   /* a source, b generation: a service is
                                       * asked for */
#define NGX_MEDIA_CMD_RELAY       4   /* a relay, b what it shall do */


typedef struct {
    pthread_mutex_t      mutex;     /* held for life by the owner */
    int32_t              pid;       /* slot; 0: free */
    uint32_t             generation;
    uint32_t             exiting;   /* slot */
    uint32_t             reaping;   /* who holds mutex; its owner is dead */
    uint32_t             pending;   /* atomic; a wake is on its way */
    uint32_t             signal;    /* atomic; there are events */
    uint64_t             dirty[NGX_MEDIA_MAX_SOURCES / 64];     /* atomic */
    uint32_t             cmd_head;  /* lock */
    uint32_t             cmd_tail;  /* lock */
    ngx_media_command_t  cmd[NGX_MEDIA_COMMANDS];               /* lock */
    uint64_t             cpu_us;    /* slot; at the last sample */
    int64_t              cpu_msec;  /* slot; when that was */
    uint32_t             cpu_percent;   /* slot; hundredths of a percent */
    uint32_t             rss_kb;    /* slot */
    uint32_t             sessions;  /* slot */
} ngx_media_slot_t;


/* a worker for which there is no slot: no wake, no bit, but proof of life */

typedef struct {
    pthread_mutex_t      mutex;     /* held for life by the owner */
    int32_t              pid;       /* owner; 0: free */
    uint32_t             reaping;   /* who holds mutex; its owner is dead */
} ngx_media_life_t;


/* how many count under a key, found by it; count 0: the place is free */

typedef struct {
    uint64_t    key;                /* lock */
    uint32_t    count;              /* lock */
    uint32_t    reserved;
} ngx_media_limit_t;


/* who may not come back for a while */

#define NGX_MEDIA_BANS            1024

typedef struct {
    int64_t     until;              /* lock; monotonic ms; 0: free */
    uint64_t    name;               /* lock; hash of the source; 0: any */
    u_char      addr[8];            /* lock; the network of IPv6 */
    uint32_t    addr_len;           /* lock; 0: any address */
    uint32_t    reserved;
} ngx_media_ban_t;


/* what one worker of all does (ngx_media_claim.c) */

#define NGX_MEDIA_CLAIMS          256

typedef struct {
    uint64_t    key;                /* lock; 0: free */
    uint32_t    slot;               /* lock; ngx_media_owner() */
    int32_t     pid;                /* lock */
} ngx_media_claim_t;


/*
 * Streams that are fetched or sent (shared/service/ngx_media_relay_table.c).
 * An entry is also the claim: who has it does it.
 */

#define NGX_MEDIA_RELAYS          1024

typedef struct {
    uint32_t    slot;               /* lock; ngx_media_owner() */
    int32_t     pid;                /* lock */
    uint32_t    way;                /* lock; NGX_MEDIA_RELAY_* */
    uint32_t    version;            /* owner; odd: the rest is written */
    uint32_t    state;              /* owner; ngx_media_relay_state_e */
    uint32_t    attempts;           /* owner; calls */
    uint32_t    failures;           /* owner; of them */
    uint16_t    vhost_len;          /* owner; lengths of what is in names */
    uint16_t    app_len;
    uint16_t    stream_len;
    uint16_t    url_len;
    int64_t     created;            /* owner; ms since the epoch */
    int64_t     since;              /* owner; the same, of its state */
    uint64_t    bytes;              /* owner; of all calls */
    u_char      client[NGX_MEDIA_ID_LEN + 4];   /* owner; its session, or "" */
    u_char      error[64];          /* owner; why the last call ended */
    u_char      url[192];           /* owner; without secrets, maybe cut */
    u_char      names[3 * 128];     /* owner; vhost, app and stream, each
                                     * maybe cut to 128 bytes */
} ngx_media_relay_entry_t;


/*
 * What the API said about recording a stream (shared/service/
 * ngx_media_record_switch.c), found by the MD5 of its names.
 */

#define NGX_MEDIA_SWITCHES        256
#define NGX_MEDIA_SWITCH_ROOTS    64

typedef struct {
    u_char      md5[16];
    uint32_t    value;              /* 0: the place is free */
    uint16_t    vhost_len;
    uint16_t    app_len;
    uint16_t    stream_len;
    uint16_t    reserved;
    u_char      vhost[NGX_MEDIA_NAME_LEN];
    u_char      app[NGX_MEDIA_NAME_LEN];
    u_char      stream[NGX_MEDIA_NAME_LEN];
} ngx_media_switch_t;

typedef struct {
    uint64_t            version;    /* lock to write; odd: being written */
    uint64_t            seq;        /* lock to write; changes, ever */
    uint32_t            n;          /* lock to write; in use */
    uint32_t            nroots;     /* lock; of roots */
    uint64_t            roots[NGX_MEDIA_SWITCH_ROOTS];  /* lock; hashes of
                                     * directories whose files were read */
    ngx_media_switch_t  one[NGX_MEDIA_SWITCHES];    /* under version */
} ngx_media_switches_t;


/* what happened to hooks, of all workers */

#define NGX_MEDIA_HOOK_SENT       0   /* requests */
#define NGX_MEDIA_HOOK_FAILED     1   /* of them without an answer */
#define NGX_MEDIA_HOOK_DENIED     2   /* clients */
#define NGX_MEDIA_HOOK_CACHED     3   /* verdicts from hook_cache */
#define NGX_MEDIA_HOOK_DROPPED    4   /* messages */
#define NGX_MEDIA_HOOK_COUNTS     5


/* what happened to events, of all workers */

#define NGX_MEDIA_EVENT_MADE      0
#define NGX_MEDIA_EVENT_MISSED    1   /* listeners were told that they did */
#define NGX_MEDIA_EVENT_TAKEN     2   /* delivered by sinks */
#define NGX_MEDIA_EVENT_UNTAKEN   3   /* lost by them */
#define NGX_MEDIA_EVENT_COUNTS    4


/* what happened to uploads of recordings, of all workers */

#define NGX_MEDIA_UPLOADS_DONE    0
#define NGX_MEDIA_UPLOADS_FAILED  1   /* given up */
#define NGX_MEDIA_UPLOADS_RETRIED 2   /* put off */
#define NGX_MEDIA_UPLOADS_BYTES   3
#define NGX_MEDIA_UPLOADS_COUNTS  4

#define NGX_MEDIA_UPLOAD_QUEUES   16

typedef struct {
    uint32_t    root;               /* lock; hash of its path; 0: free */
    uint32_t    n;                  /* who holds its lock; entries */
} ngx_media_upload_queue_t;


/*
 * What happened on the ways to peers, by the protocol of the session: sums of
 * ngx_media_link_t over all of them, ever.
 */

#define NGX_MEDIA_LINK_SRT        0
#define NGX_MEDIA_LINK_WEBRTC     1
#define NGX_MEDIA_LINK_MPEGTS     2
#define NGX_MEDIA_LINK_PROTOCOLS  3

#define NGX_MEDIA_LINK_SENT       0
#define NGX_MEDIA_LINK_RESENT     1
#define NGX_MEDIA_LINK_SENT_LOST  2
#define NGX_MEDIA_LINK_SENT_DROPPED   3
#define NGX_MEDIA_LINK_RECEIVED   4
#define NGX_MEDIA_LINK_RECOVERED  5
#define NGX_MEDIA_LINK_LOST       6
#define NGX_MEDIA_LINK_DROPPED    7
#define NGX_MEDIA_LINK_UNDECRYPTED    8
#define NGX_MEDIA_LINK_NACKS      9
#define NGX_MEDIA_LINK_PLIS       10
#define NGX_MEDIA_LINK_COUNTS     11


#define NGX_MEDIA_MASTERS         4
#define NGX_MEDIA_NUMBERS         256

typedef struct {
    uint64_t          magic;        /* const */
    uint32_t          layout;       /* const */
    uint32_t          header_size;  /* const */
    uint64_t          size;         /* const; of the mapping */
    uint64_t          zone;         /* const; as configured */
    uint32_t          nchunks;      /* const */
    uint32_t          nsources;     /* const */
    uint32_t          nclients;     /* const */
    uint32_t          recoveries;   /* lock; EOWNERDEAD seen */
    uint64_t          off_events;   /* const; ngx_media_event_ring_t */
    uint64_t          off_next;     /* const; uint32_t[nchunks] */
    uint64_t          off_sources;  /* const */
    uint64_t          off_clients;  /* const */
    uint64_t          off_limits;   /* const; ngx_media_limit_t[nlimits] */
    uint64_t          off_chunks;   /* const */
    uint32_t          nlimits;      /* const; a power of two */
    uint32_t          reserved;
    int32_t           master[NGX_MEDIA_MASTERS];    /* lock */
    uint32_t          masters;      /* lock */
    int64_t           started;      /* const; ms since the epoch */
    u_char            server_id[12];                /* const */
    u_char            service_id[12];               /* const */

    pthread_mutex_t   mutex;

    uint32_t          free_chunk;   /* lock; number + 1 */
    uint32_t          free_chunks;  /* lock; how many */
    uint32_t          store_chunks; /* lock; in stores */
    int64_t           store_wanted; /* lock; ms, when one got no chunk */
    uint32_t          fresh_chunk;  /* lock; never used from here on */
    uint32_t          free_source;  /* lock; index + 1 */
    uint32_t          fresh_source; /* lock; high water */
    uint32_t          free_client;  /* lock; index + 1 */
    uint32_t          fresh_client; /* lock; high water */
    uint32_t          clients;      /* lock; in use */
    uint32_t          sources;      /* lock; in use */
    uint32_t          no_slot;      /* lock; workers without a slot, ever */
    uint64_t          clients_total;                /* lock */
    uint64_t          clients_errs; /* lock; refused or cut */
    uint64_t          send_total;   /* lock; of sessions that are gone */
    uint64_t          recv_total;   /* lock */
    uint32_t          buckets[NGX_MEDIA_BUCKETS];   /* lock; index + 1 */
    uint32_t          viewers[NGX_MEDIA_VIEWER_BUCKETS];    /* lock; the same */
    int64_t           viewers_swept;                /* atomic; ms */
    int64_t           updates_swept;                /* atomic; ms */
    int64_t           beat;         /* atomic; ms; last heartbeat */
    uint64_t          hooks[NGX_MEDIA_HOOK_COUNTS]; /* atomic; by
                                                     * NGX_MEDIA_HOOK_* */
    uint64_t          events[NGX_MEDIA_EVENT_COUNTS];   /* atomic; by
                                                     * NGX_MEDIA_EVENT_* */
    uint64_t          uploads[NGX_MEDIA_UPLOADS_COUNTS];    /* atomic; by
                                                     * NGX_MEDIA_UPLOADS_* */
    ngx_media_upload_queue_t  upload_queue[NGX_MEDIA_UPLOAD_QUEUES];
    uint64_t          links[NGX_MEDIA_LINK_PROTOCOLS][NGX_MEDIA_LINK_COUNTS];
                                                    /* atomic; by
                                                     * NGX_MEDIA_LINK_* */
    uint64_t          numbers[NGX_MEDIA_NUMBERS];   /* atomic; of segments: all
                                                     * that were given out to
                                                     * names of this hash are
                                                     * smaller */
    uint64_t          listeners[NGX_MEDIA_SLOTS / 64];  /* atomic; want to be
                                                     * told of events */
    int64_t           banned_until; /* lock to write; all read; ms, when the
                                     * last ban ends */
    ngx_media_ban_t   bans[NGX_MEDIA_BANS];         /* lock */
    int64_t           archive_swept;                /* atomic; ms */
    ngx_media_claim_t  claims[NGX_MEDIA_CLAIMS];    /* lock */
    uint64_t          relay_calls;  /* atomic */
    uint64_t          relay_failures;               /* atomic; of them */
    uint64_t          relay_keys[NGX_MEDIA_RELAYS]; /* lock; 0: free */
    ngx_media_relay_entry_t  relays[NGX_MEDIA_RELAYS];
    ngx_media_switches_t  switches;

    int32_t           wake_fd[NGX_MEDIA_SLOTS];     /* const */
    ngx_media_slot_t  slots[NGX_MEDIA_SLOTS];

    ngx_media_life_t  lives[NGX_MEDIA_LIVES];
    uint64_t          posts;        /* lock to write; commands, ever */
    ngx_media_command_t  post[NGX_MEDIA_POSTS];     /* lock; to all of lives,
                                                     * who look when they
                                                     * poll */
} ngx_media_arena_t;


/* --- configuration (ngx_media_conf.c, ngx_media_core_module.c) ---------- */

typedef struct {
    ngx_str_t        name;
    void           **conf;          /* policy by module */
    u_char          *file;
    ngx_uint_t       line;
} ngx_media_app_t;


typedef struct {
    ngx_str_t        name;
    void           **conf;
    ngx_array_t      apps;          /* of ngx_media_app_t */
    u_char          *file;
    ngx_uint_t       line;
} ngx_media_vhost_t;


/* where a value of a policy was set: for messages of the merge */

typedef struct {
    void           **conf;          /* of its block */
    ngx_str_t        name;          /* of the directive */
    u_char          *file;
    ngx_uint_t       line;
} ngx_media_conf_where_t;


/* one in another, the outermost one being where the defaults come from */

#define NGX_MEDIA_CONF_BLOCKS  4    /* none, media, vhost, application */


typedef struct {
    size_t           zone;
    void           **main_conf;     /* of NGX_MEDIA_MODULEs */
    ngx_media_vhost_t   def;        /* media{} itself */
    ngx_array_t      vhosts;        /* of ngx_media_vhost_t */
    ngx_array_t      where;         /* of ngx_media_conf_where_t */

    /* the merge: blocks[depth - 1] goes into blocks[depth] */
    void           **blocks[NGX_MEDIA_CONF_BLOCKS];
    ngx_uint_t       depth;

    unsigned         block:1;       /* media{} was seen */
} ngx_media_main_conf_t;


extern ngx_module_t  ngx_media_api_module;
extern ngx_module_t  ngx_media_event_module;
extern ngx_module_t  ngx_media_vod_module;
extern ngx_module_t  ngx_media_web_module;
extern ngx_module_t  ngx_media_http_module;
extern ngx_module_t  ngx_media_hook_policy_module;
extern ngx_module_t  ngx_media_hls_policy_module;
extern ngx_module_t  ngx_media_record_policy_module;
extern ngx_module_t  ngx_media_upload_policy_module;
extern ngx_module_t  ngx_media_access_policy_module;
extern ngx_module_t  ngx_media_relay_policy_module;

char *ngx_media_conf_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_media_conf_init(ngx_cycle_t *cycle, ngx_media_main_conf_t *mcf);
/* while the configuration is read */
ngx_media_main_conf_t *ngx_media_conf_main_of(ngx_conf_t *cf);

/*
 * The vhost for a host name, exact or *.suffix; NULL: not configured, which
 * means the default one.
 */
ngx_media_vhost_t *ngx_media_conf_vhost(ngx_media_main_conf_t *mcf,
    ngx_str_t *host);
/* Policy of an application; that of the vhost where it is not configured. */
void **ngx_media_conf_app(ngx_media_vhost_t *vhost, ngx_str_t *app);
ngx_media_main_conf_t *ngx_media_get_main_conf(void);


/* --- arena (ngx_media_arena.c) ------------------------------------------ */

/* Makes or finds the arena; master, before the first fork.  NGX_OK/ERROR. */
ngx_int_t ngx_media_arena_open(ngx_cycle_t *cycle, size_t zone);
/* In each worker: closes the memfd, notes the master. */
void ngx_media_arena_enter(ngx_cycle_t *cycle);
/* The arena of this process, NULL before it is open. */
ngx_media_arena_t *ngx_media_arena(void);

/*
 * The one mutex.  Held for microseconds, never over a system call but write()
 * to an eventfd.  ngx_media_lock() mends what a dead holder left.
 */
void ngx_media_lock(void);
void ngx_media_unlock(void);

/* *entry = chunk number + 1.  Takes the lock itself.  OK or DECLINED. */
int ngx_media_chunk_get(void *ctx, uint32_t *entry);
void ngx_media_chunk_put(void *ctx, uint32_t *entry);
/*
 * The same for what services keep: all of them together hold no more than
 * half of the zone, and leave an eighth of it free.
 */
int ngx_media_store_get(void *ctx, uint32_t *entry);
void ngx_media_store_put(void *ctx, uint32_t *entry);
/*
 * What a source's stores may hold: all, or its share where one got no chunk a
 * moment ago; without the lock.
 */
uint32_t ngx_media_store_share(void);
/* Under the lock: gives back what a source that goes has in stores. */
void ngx_media_store_release(ngx_media_source_t *src);
u_char *ngx_media_chunk_addr(uint32_t entry);
ngx_media_chunks_t ngx_media_arena_chunks(void);
uint32_t ngx_media_chunks_free(void);

/* Written under the lock, read by all. */
ngx_media_event_ring_t *ngx_media_event_ring(void);

ngx_media_source_t *ngx_media_source_at(uint32_t idx);
uint32_t ngx_media_source_index(ngx_media_source_t *src);
ngx_media_client_t *ngx_media_client_at(uint32_t idx);
uint32_t ngx_media_client_index(ngx_media_client_t *client);

/* random id of n characters [0-9a-z] */
void ngx_media_random_id(u_char *p, size_t n);

/* CLOCK_MONOTONIC in us; the wall clock in ms since the epoch */
int64_t ngx_media_now(void);
int64_t ngx_media_epoch_ms(void);
#define ngx_media_msec()  (ngx_media_now() / 1000)


/* --- slots and wake (ngx_media_slot.c) ---------------------------------- */

ngx_int_t ngx_media_slot_open(ngx_cycle_t *cycle);
void ngx_media_slot_close(ngx_cycle_t *cycle);
/* index of this worker's slot or NGX_MEDIA_NO_SLOT */
uint32_t ngx_media_slot(void);
/* Tells all workers with consumers of a source that something changed. */
void ngx_media_slot_notify(ngx_media_source_t *src);
/* The same for frames: not those that look by themselves. */
void ngx_media_slot_notify_frames(ngx_media_source_t *src);
/* Tells those that watch what services make of it. */
void ngx_media_slot_notify_watchers(ngx_media_source_t *src);
/*
 * Signals: there is something in the ring of events, for workers that listen.
 * The handler runs from inside of anything, also when there is nothing: it only
 * notes it.
 */
void ngx_media_slot_signal_handler(void (*handler)(void));
void ngx_media_slot_listen_events(ngx_uint_t on);
void ngx_media_slot_signal(void);
/*
 * Who this worker is, in what it owns: its slot; NGX_MEDIA_SLOTS and more
 * where it has none; NGX_MEDIA_NO_SLOT where it may own nothing, because
 * nobody could tell that it died.
 */
uint32_t ngx_media_owner(void);
/*
 * Queues a command for an owner and wakes it, where it has a slot; else it
 * finds it when it polls.  OK, DECLINED (full, or nobody).
 */
ngx_int_t ngx_media_slot_command(uint32_t owner, ngx_media_command_t *cmd);
/* Queues for all live workers, this one included. */
void ngx_media_slot_command_all(ngx_media_command_t *cmd);
/* Is the owner alive?  Reaps what a dead one left behind. */
ngx_uint_t ngx_media_slot_alive(uint32_t owner, int32_t pid);


/* --- registry (ngx_media_source.c) -------------------------------------- */

/*
 * The id of a name, "vid-" and 7 characters: the same in all workers for as
 * long as the server runs, also before the name is published.
 */
#define NGX_MEDIA_SOURCE_ID       12      /* with the 0 behind it */
void ngx_media_source_id(u_char *id, const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream);

/*
 * Under the lock.  Returns NULL where there is none (or no room, _get).  Names
 * that a player only waits for (waits) may not take the last quarter of the
 * table.
 */
ngx_media_source_t *ngx_media_source_find(ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream);
ngx_media_source_t *ngx_media_source_get(ngx_str_t *vhost, ngx_str_t *app,
    ngx_str_t *stream, ngx_uint_t waits);
/* Under the lock: the publisher is gone (whoever found out). */
void ngx_media_source_leave(ngx_media_source_t *src);
/* Frees sources that nobody used for idle_timeout. */
void ngx_media_source_janitor(void);
/*
 * Under the lock: the table is full, or the zone (chunks), so sources go that
 * nobody publishes or plays, before their time; a few at once.  How many went.
 */
ngx_uint_t ngx_media_source_evict(ngx_uint_t chunks);
/* How many have a publisher; without the lock, so only about. */
uint32_t ngx_media_sources_live(void);
/* Under the lock: rebuilds lists after EOWNERDEAD. */
void ngx_media_source_rebuild(void);
#define ngx_media_source_live(src)                                            \
    (ngx_media_ring_load(&(src)->epoch) & 1)


/* --- heads (ngx_media_heads.c) ------------------------------------------ */

/*
 * Publisher: metadata, a config or a STICKY frame that holds from seq on.
 * NGX_OK; NGX_DONE: the same as before; NGX_DECLINED: too large or no room.
 */
ngx_int_t ngx_media_heads_add(ngx_media_source_t *src, ngx_media_frame_t *f,
    uint64_t seq);
/*
 * Reader: what holds at seq, with data in a buffer of this worker that the
 * next call overwrites.  NGX_OK or NGX_AGAIN (being written).
 */
ngx_int_t ngx_media_heads_read(ngx_media_source_t *src, uint64_t seq,
    ngx_media_heads_t *heads);

/*
 * An empty configuration for each of these tracks whose codec has none, into
 * frames[NGX_MEDIA_MAX_TRACKS].  Returns how many.
 */
ngx_uint_t ngx_media_heads_bare(const ngx_media_heads_t *heads,
    uint32_t tracks, ngx_media_frame_t *frames);
/* A new publisher: what the one before said holds no more. */
void ngx_media_heads_reset(ngx_media_source_t *src);


/* --- feeds (ngx_media_feed.c): a source as one worker sees it ----------- */

typedef struct ngx_media_feed_s  ngx_media_feed_t;

struct ngx_media_feed_s {
    ngx_media_source_t  *source;
    uint32_t             index;
    uint32_t             generation;    /* of the source, when it was made */
    uint64_t             epoch;         /* as last seen */
    uint32_t             missing;       /* the same */
    ngx_media_source_policy_t  policy;  /* of the newest player */
    ngx_queue_t          wires;
    ngx_queue_t          readers;
    ngx_queue_t          reading;       /* in the readers' list */
    ngx_queue_t          dirty;         /* in the pump's list */
    ngx_queue_t          fresh;         /* in its list of newcomers */
    ngx_uint_t           consumers;
    ngx_uint_t           players;       /* of them, not this server's own */
    uint64_t             sent;          /* not yet added to the source */
    uint64_t             seen;          /* end of the ring, when it rested */
    int64_t              due;           /* us; not before (send_latency) */
    ngx_msec_t           ended;         /* when republish_wait was over */
    ngx_event_t          timer;         /* republish_wait, idle_timeout */
    unsigned             is_dirty:1;    /* in a list of the pump */
    unsigned             is_fresh:1;
    unsigned             is_reading:1;
    unsigned             again:1;       /* marked since the pass began */
    unsigned             muted:1;       /* looks by itself at frames */
    unsigned             end_seen:1;    /* END was told for this epoch */
};

/*
 * The feed of a source, made when it is not there, under the lock.  It goes by
 * itself when it has had no consumer for a while.  NULL: no memory, or the one
 * of a source that had this place before is still there.
 */
ngx_media_feed_t *ngx_media_feed_get(ngx_media_source_t *src);
/* something changed: the pump looks at it soon */
void ngx_media_feed_dirty(uint32_t index);
void ngx_media_feed_mark(ngx_media_feed_t *feed);
/* consumers came: they are served at once, whatever the rounds are doing */
void ngx_media_feed_newcomer(ngx_media_feed_t *feed);
void ngx_media_feeds_init(ngx_cycle_t *cycle);
/* memory of the worker that is no session's, when it ends */
void ngx_media_feeds_exit(void);
void ngx_media_wire_exit(void);
/* every second: lets go of memory that a large frame took */
void ngx_media_wire_tick(void);
void ngx_media_segments_exit(void);
void ngx_media_heads_exit(void);
/* every second: statistics */
void ngx_media_feeds_tick(void);
/* looks at all feeds (a worker without a slot polls) */
void ngx_media_feeds_poll(void);


/* --- readers (ngx_media_reader.c): a source frame by frame --------------- */

/*
 * For what wants frames and not bytes: packagers, recordings, relays.  Reads
 * in this worker as frames come, or history first, in slices of the event
 * loop.  The reader is zeroed memory of the caller.
 */

typedef struct ngx_media_reader_s  ngx_media_reader_t;

typedef struct {
    /*
     * Metadata and configurations that hold for the frame that comes next:
     * before the first one and after a gap.  Later ones come as frames.
     */
    void       (*heads)(ngx_media_reader_t *r,
                        const ngx_media_heads_t *heads);

    /*
     * A frame comes, f->data is not set: NGX_DECLINED: not wanted; NGX_OK:
     * *buf is where it shall go, f->size bytes, or NULL: into the scratch of
     * the worker.  May be NULL: all are wanted.
     */
    ngx_int_t  (*room)(ngx_media_reader_t *r, const ngx_media_frame_t *f,
                       u_char **buf);

    /* f->data is good during the call, or as long as the caller's *buf */
    void       (*frame)(ngx_media_reader_t *r, const ngx_media_frame_t *f);

    /* frames were lost, also the one that room() was called for */
    void       (*gap)(ngx_media_reader_t *r);

    /* NGX_MEDIA_EVENT_PUBLISH, _UNPUBLISH, _END; may be NULL */
    void       (*event)(ngx_media_reader_t *r, ngx_uint_t event);
} ngx_media_reader_ops_t;

struct ngx_media_reader_s {
    ngx_queue_t                    queue;      /* in its feed */
    ngx_media_feed_t              *feed;       /* NULL: closed */
    const ngx_media_reader_ops_t  *ops;
    void                          *data;       /* the caller's */
    uint64_t                       seq;        /* next to read */
    int64_t                        time;       /* us, monotonic: when the frame
                                                * in frame() came */
    unsigned                       need_heads:1;
    unsigned                       need_key:1; /* nothing before one */
};

#define NGX_MEDIA_READ_OLDEST     0   /* oldest start point of the publisher */
#define NGX_MEDIA_READ_KEY        1   /* newest start point */
#define NGX_MEDIA_READ_NEXT       2   /* the start point that comes next */

/*
 * Begins to read; ops are called from the event loop only, or from _pull().
 * The source stays as long as it has readers.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_media_reader_open(ngx_media_reader_t *r,
    ngx_media_source_t *src, const ngx_media_reader_ops_t *ops,
    ngx_uint_t from);
/* Not from inside its own ops. */
void ngx_media_reader_close(ngx_media_reader_t *r);
/*
 * Reads until there is nothing more, or now passes until (us; 0: all there
 * is).  Returns 1 where it was the time.
 */
ngx_uint_t ngx_media_reader_pull(ngx_media_reader_t *r, int64_t until);
/* the feed's part */
void ngx_media_readers_init(ngx_cycle_t *cycle);
void ngx_media_readers_mark(ngx_media_feed_t *feed);
void ngx_media_readers_event(ngx_media_feed_t *feed, ngx_uint_t event);
void ngx_media_readers_exit(void);


/* --- guards (ngx_media_guard.c): who may connect, publish and play -------- */

typedef struct {
    /*
     * NGX_OK: it agrees; NGX_DECLINED: ask->reason is set; NGX_ERROR;
     * NGX_AGAIN: ngx_media_ask_next() follows, never from inside.
     */
    ngx_int_t  (*ask)(ngx_media_ask_t *ask);
    /* it said NGX_AGAIN, and nobody waits any more */
    void       (*cancel)(ngx_media_ask_t *ask);
    /* has this policy anything for it to look at?  NULL: always */
    ngx_uint_t (*concerned)(void **conf);
} ngx_media_guard_t;

#define NGX_MEDIA_GUARDS          8

/* what does not ask others comes first */
#define NGX_MEDIA_GUARD_RULES     0
#define NGX_MEDIA_GUARD_HOOKS     1

/* In init_process of a module of the core's .so. */
ngx_int_t ngx_media_guard_add(ngx_uint_t order, const ngx_media_guard_t *g);
/* The guard that had said NGX_AGAIN has its answer; the ask may be freed. */
void ngx_media_ask_next(ngx_media_ask_t *ask, ngx_int_t rc);


/* what services are told of clients; strings are good during the call */

typedef struct {
    ngx_uint_t         act;            /* ngx_media_act_e */
    unsigned           over:1;         /* it ends; else: it begins */
    unsigned           dead:1;         /* its worker died */
    ngx_uint_t         type;           /* ngx_media_client_type_e */
    ngx_uint_t         reason;         /* ngx_media_reason_e: why it ends */
    ngx_str_t          text[NGX_MEDIA_TEXT_MAX];
    void             **conf;           /* policy */
    uint32_t           source;         /* index or NGX_MEDIA_NONE */
    uint64_t           sent;           /* bytes, of the session */
    uint64_t           received;
    uint64_t           duration;       /* ms since it was allowed */
    ngx_log_t         *log;
} ngx_media_told_t;

/* the session's pool goes */
void ngx_media_permit_cleanup(ngx_media_session_t *s);
/* ngx_media_publish() had asked */
void ngx_media_publish_permitted(ngx_media_session_t *s, ngx_int_t rc);
/* NGX_OK; NGX_DECLINED: s->reason is set, and a line logged */
ngx_int_t ngx_media_session_check_text(ngx_media_session_t *s,
    ngx_str_t *value, ngx_media_name_kind_e kind);

/* of a session of this worker */
void ngx_media_told_session(ngx_media_session_t *s, ngx_uint_t act,
    ngx_uint_t over);
/*
 * All that a client was allowed begins or is over: a viewer, or one whose
 * worker died.  copy is of its entry; not under the lock.
 */
void ngx_media_told_client(ngx_media_client_t *copy, ngx_uint_t over,
    ngx_uint_t reason, ngx_uint_t dead);
/* The same, told by ngx_media_told_tick(): when a worker begins it finds the
 * dead before its services are there. */
void ngx_media_told_dead(ngx_media_client_t *copy);
void ngx_media_told_tick(void);


/* --- services (ngx_media_service.c): what stands on sources --------------- */

/*
 * A segment of HLS is whole: on disk where hls_path is set, else in memory;
 * each is told of once.  Strings are good during the call.
 */

typedef struct {
    ngx_media_source_t  *source;   /* NULL: it is over meanwhile */
    ngx_str_t     vhost;
    ngx_str_t     app;
    ngx_str_t     stream;
    ngx_str_t     file;            /* its full path; in memory: APP/NAME */
    ngx_str_t     url;             /* as its playlist has it; in memory:
                                    * APP/NAME, escaped */
    ngx_str_t     m3u8;            /* the same of the playlist */
    ngx_str_t     m3u8_url;
    uint64_t      seq;             /* media sequence number */
    ngx_msec_t    duration;
    unsigned      disk:1;
} ngx_media_segment_event_t;


/* somebody wants to play what nobody publishes; strings of the caller */

typedef struct {
    void      **conf;              /* policy */
    ngx_str_t   vhost;
    ngx_str_t   app;
    ngx_str_t   stream;
    ngx_str_t   args;
    unsigned    waits:1;           /* somebody waits already, none came */
} ngx_media_wanted_t;


typedef struct {
    /* in the publisher's worker: it came, it goes (nothing more follows) */
    void       (*publish)(ngx_media_source_t *src);
    void       (*unpublish)(ngx_media_source_t *src);
    /* somebody asked for what the service makes of it */
    void       (*demand)(ngx_media_source_t *src);
    /* each second, for each source published here */
    void       (*tick)(ngx_media_source_t *src);
    /* the zone is full: give back what can be given */
    void       (*shrink)(void);

    /*
     * In workers that watch: a source changed, by its index; NGX_MEDIA_NONE:
     * look at all.  Called from inside of anything: only note it.
     */
    void       (*changed)(uint32_t index);
    /* each second, in every worker */
    void       (*second)(void);
    void       (*exit)(void);
    /* a segment of HLS is whole; in the publisher's worker */
    void       (*segment)(const ngx_media_segment_event_t *event);
    /* a client was allowed to do something, or that is over; in its worker,
     * or where its death was found out */
    void       (*told)(const ngx_media_told_t *told);
    /* NGX_OK: it fetches that, or another worker does; NGX_DECLINED.  Called
     * from inside of anything: nothing happens before it returns */
    ngx_int_t  (*wanted)(const ngx_media_wanted_t *wanted);
    /* a command of another worker: NGX_MEDIA_CMD_RELAY */
    void       (*relay)(uint32_t entry, uint32_t what);
} ngx_media_service_t;

#define NGX_MEDIA_SERVICES        16

/* In init_process of a module of the core's .so.  All may be NULL. */
ngx_int_t ngx_media_service_add(const ngx_media_service_t *service);
/* This worker is told of changes; under the lock, or while it is live. */
void ngx_media_service_watch(ngx_media_source_t *src);
void ngx_media_service_unwatch(ngx_media_source_t *src);
/* Asks the publisher's worker.  NGX_OK; NGX_DECLINED: it takes no commands. */
ngx_int_t ngx_media_service_ask(ngx_media_source_t *src);
/* the core's part */
void ngx_media_services_publish(ngx_media_source_t *src);
void ngx_media_services_unpublish(ngx_media_source_t *src);
void ngx_media_services_demand(ngx_media_source_t *src);
void ngx_media_services_tick(ngx_media_source_t *src);
void ngx_media_services_shrink(void);
void ngx_media_services_changed(uint32_t index);
void ngx_media_services_second(void);
void ngx_media_services_exit(void);
/* for services: tells the others */
void ngx_media_services_segment(const ngx_media_segment_event_t *event);
void ngx_media_services_told(const ngx_media_told_t *told);
ngx_int_t ngx_media_services_wanted(const ngx_media_wanted_t *wanted);
void ngx_media_services_relay(uint32_t entry, uint32_t what);


/* --- wires (ngx_media_wire.c) ------------------------------------------- */

/* NULL: no memory, or too many selections of tracks of one source */
ngx_media_wire_t *ngx_media_wire_get(ngx_media_feed_t *feed,
    const ngx_media_muxer_t *muxer, const ngx_media_wire_params_t *params);
/*
 * What a player asked for as it is shared: without the tracks that the source
 * has not.  NGX_DECLINED: nothing is left.
 */
ngx_int_t ngx_media_wire_select(ngx_media_feed_t *feed,
    const ngx_media_wire_params_t *params, ngx_media_wire_params_t *shared);
void ngx_media_wire_attach(ngx_media_wire_t *w, ngx_media_consumer_t *c);
void ngx_media_wire_detach(ngx_media_consumer_t *c);
/* the session of one that is not this server's own, or NULL */
ngx_media_session_t *ngx_media_wire_player(ngx_media_wire_t *w);
/* reads what the ring has and appends it to the log */
void ngx_media_wire_pull(ngx_media_wire_t *w);
/* serves consumers; returns 1 where the time slice ended before all */
ngx_uint_t ngx_media_wire_serve(ngx_media_wire_t *w, int64_t until);
/* serves those that were attached since the last call */
void ngx_media_wire_serve_fresh(ngx_media_wire_t *w);
void ngx_media_wire_event(ngx_media_wire_t *w, ngx_uint_t event);
ngx_media_feed_t *ngx_media_wire_feed(ngx_media_wire_t *w);
/* consumers whose idle_timeout passed; returns ms until the next one */
ngx_msec_t ngx_media_wire_idle(ngx_media_wire_t *w, ngx_msec_t since,
    ngx_msec_t timeout);
uint32_t ngx_media_consumer_lag(ngx_media_consumer_t *c);
/* how many went to it, since it was attached */
uint64_t ngx_media_consumer_frames(ngx_media_consumer_t *c);


/* --- publishers (ngx_media_publish.c) ----------------------------------- */

/* a player names a source that nobody published yet: its policy until then */
void ngx_media_source_set_policy(ngx_media_source_t *src,
    ngx_media_core_conf_t *conf);
void ngx_media_policy_copy(ngx_media_source_policy_t *policy,
    ngx_media_core_conf_t *conf);
/* What the ring of one source may hold at most. */
uint64_t ngx_media_ring_bytes(void);
void ngx_media_publish_received(ngx_media_session_t *s, size_t bytes);

void ngx_media_publishers_tick(void);
/* a command of another worker: a service is asked for */
void ngx_media_publishers_demand(uint32_t index, uint32_t generation);
void ngx_media_publishers_shrink(void);


/* --- sessions (ngx_media_session.c) ------------------------------------- */

void ngx_media_sessions_init(void);
void ngx_media_sessions_tick(ngx_uint_t ticks);
void ngx_media_sessions_drain(void);
ngx_uint_t ngx_media_sessions_count(void);
/* the session of this worker that has this entry, or NULL */
ngx_media_session_t *ngx_media_session_by_client(uint32_t idx,
    uint32_t generation);
void ngx_media_session_close(ngx_media_session_t *s, ngx_uint_t reason);
/* NGX_DECLINED and s->reason where one of the names is not acceptable */
ngx_int_t ngx_media_session_check(ngx_media_session_t *s, ngx_uint_t which,
    ngx_media_name_kind_e kind);
/* A new entry, owned by this worker; NULL: the table is full. */
ngx_media_client_t *ngx_media_client_alloc(void);
void ngx_media_client_set_text(ngx_media_client_t *client, ngx_uint_t which,
    const u_char *p, size_t len);
/* Under the lock: takes an entry out of the table. */
void ngx_media_client_free(ngx_media_client_t *client);

/* NGX_MEDIA_LINK_*, or NGX_MEDIA_LINK_PROTOCOLS where it is none of them */
ngx_uint_t ngx_media_link_protocol(ngx_media_client_t *client);
void ngx_media_client_rebuild(void);
void ngx_media_rate_tick(ngx_media_rate_t *r, uint64_t bytes, int64_t msec);
const char *ngx_media_client_type_name(ngx_uint_t type);
/* copies a consistent picture of an entry; NGX_DECLINED: not in use */
ngx_int_t ngx_media_client_snapshot(uint32_t idx, ngx_media_client_t *copy);
ngx_str_t ngx_media_client_text(ngx_media_client_t *client, ngx_uint_t which);
/*
 * Asks the owner of a client to close it.  NGX_OK, NGX_DECLINED: no such id.
 */
ngx_int_t ngx_media_client_kick(ngx_str_t *id);


/* --- limits (ngx_media_limit.c): counting clients over all workers -------- */

/* A key for texts, the same in all workers of this arena; never 0. */
uint64_t ngx_media_limit_key(const ngx_str_t *texts, ngx_uint_t n);
/*
 * A client counts under a key until its entry is free, or _drop().  What it
 * counted under before, of this limit, it counts under no more.  Checked and
 * counted at once: never more than max, whichever workers they come to.
 * NGX_OK; NGX_DECLINED: there are max of them.
 */
ngx_int_t ngx_media_limit_take(ngx_media_client_t *client, ngx_uint_t which,
    uint64_t key, uint32_t max);
void ngx_media_limit_drop(ngx_media_client_t *client, ngx_uint_t which);
uint32_t ngx_media_limit_count(uint64_t key);
/* Under the lock. */
void ngx_media_limit_release(ngx_media_client_t *client);
void ngx_media_limit_rebuild(void);


/* --- viewers (ngx_media_viewer.c) --------------------------------------- */

void ngx_media_viewer_kick(uint32_t idx, uint32_t generation);
void ngx_media_viewers_tick(void);
/* Under the lock: rebuilds the table after EOWNERDEAD. */
void ngx_media_viewers_rebuild(void);


#endif /* _NGX_MEDIA_CORE_H_INCLUDED_ */
