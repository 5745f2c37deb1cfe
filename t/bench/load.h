
/*
 * Copyright (C) the nginx media suite authors
 *
 * ngx_media_load: what the files of the load tool share.
 *
 * One process, one thread, one epoll.  load_loop.c owns connections (sockets,
 * input leftovers, output queues) and calls the protocol (load_rtmp.c,
 * load_http.c), which calls the role (load_player.c, load_publisher.c,
 * load_floor.c) with whole tags.  load_frame.c makes and verifies the
 * frames, load_check.c keeps one player's place in a stream and the
 * statistics, load_acct.c reads the server's CPU and memory from /proc.
 *
 * The tool shares no code with the server, on purpose: it is an independent
 * implementation and therefore an oracle.
 *
 * All times are nanoseconds of CLOCK_MONOTONIC unless a name says otherwise.
 */


#ifndef _LOAD_H_INCLUDED_
#define _LOAD_H_INCLUDED_


#define _GNU_SOURCE

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>


typedef unsigned char         u_char;

typedef struct load_conn_s    load_conn_t;
typedef struct load_rtmp_s    load_rtmp_t;
typedef struct load_player_s  load_player_t;
typedef struct load_pub_s     load_pub_t;


#define LOAD_OK        0
#define LOAD_ERROR    -1

#define LOAD_MS        1000000ULL
#define LOAD_SEC       1000000000ULL

/* the message types of RTMP, which are also FLV's tag types */

#define LOAD_TAG_AUDIO   8
#define LOAD_TAG_VIDEO   9
#define LOAD_TAG_META    18


static inline uint32_t
load_get_be(const u_char *p, int n)
{
    uint32_t  v;

    for (v = 0; n > 0; n--) {
        v = v << 8 | *p++;
    }

    return v;
}


static inline u_char *
load_put_be(u_char *p, uint32_t v, int n)
{
    while (n > 0) {
        n--;
        *p++ = (u_char) (v >> (n * 8));
    }

    return p;
}


/* load_loop.c: connections and the event loop */

/*
 * input() gets everything unread so far and returns how many bytes it used
 * (the rest is kept and comes again with more), or LOAD_ERROR to close.
 * closed() is called once, when the peer or an error ended the connection;
 * never after load_close(), which is our own wish.
 */

struct load_conn_s {
    int             fd;
    unsigned        connecting:1;
    unsigned        want_read:1;
    unsigned        want_write:1;
    unsigned        dead:1;
    unsigned        broken:1;    /* input() refused what came */
    unsigned        stamped:1;
    uint64_t        stamp;       /* when the newest input arrived */
    size_t          quota;       /* bytes that may be read now; slow readers */
    uint64_t        opened;      /* time of connect() */
    uint64_t        received;    /* bytes */
    u_char         *rest;        /* unused input */
    size_t          rest_len;
    u_char         *out;         /* output that the socket did not take */
    size_t          out_len;
    size_t          out_pos;
    size_t          out_size;
    ssize_t       (*input)(load_conn_t *c, u_char *p, size_t n);
    void          (*connected)(load_conn_t *c);
    void          (*closed)(load_conn_t *c);
    void          (*cleanup)(void *data);
    void           *data;        /* the protocol's; freed by cleanup() */
    load_conn_t    *next_dead;
};

typedef struct {
    struct sockaddr_in   sa[16];
    int                  n;
} load_addrs_t;

uint64_t load_now(void);
int load_loop_init(void);
int load_loop_run_once(uint64_t until);
load_conn_t *load_connect(struct sockaddr_in *sa, unsigned serial,
    int rcvbuf);
load_conn_t *load_conn_add(int fd);
int load_listen(struct sockaddr_in *sa, void (*handler)(int fd));
int load_write(load_conn_t *c, const void *p, size_t n);
void load_read_enable(load_conn_t *c, int on);
void load_read_some(load_conn_t *c, size_t quota);
void load_stamp(load_conn_t *c);
void load_close(load_conn_t *c);
int load_addr_parse(load_addrs_t *a, const char *text);

#define LOAD_NO_QUOTA  ((size_t) -1)


/* load_frame.c: making and verifying frames */

typedef struct {
    u_char          type;        /* LOAD_TAG_ */
    uint32_t        ts;          /* ms */
    u_char         *data;
    size_t          len;
    uint64_t        seq;
    unsigned        key:1;
} load_tag_t;

typedef struct {
    uint32_t        stream;
    uint64_t        seq;
    uint64_t        video_n;
    uint64_t        audio_n;
    size_t          key_size;
    size_t          inter_size;
    size_t          audio_size;
    u_char         *buf;
} load_gen_t;

typedef struct {                 /* what a frame says about itself */
    uint32_t        stream;
    uint64_t        seq;
    uint64_t        sent;
    uint32_t        pts;
} load_mark_t;

typedef enum {
    LOAD_CLASS_OTHER = 0,        /* metadata, end of sequence */
    LOAD_CLASS_HEADER,           /* a codec's configuration */
    LOAD_CLASS_KEY,
    LOAD_CLASS_INTER,
    LOAD_CLASS_AUDIO
} load_class_e;

int load_gen_init(load_gen_t *g, uint32_t stream);
uint64_t load_gen_due(load_gen_t *g);
void load_gen_next(load_gen_t *g, uint64_t now, load_tag_t *tag);
size_t load_gen_headers(load_tag_t *tags, size_t max);
int load_mark_parse(const u_char *p, size_t n, load_mark_t *m);
int load_mark_read(const u_char *p, size_t n, load_mark_t *m);
load_class_e load_tag_class(unsigned type, const u_char *p, size_t n);
uint32_t load_hash(const u_char *p, size_t n);

typedef struct {                 /* a real file, whole in memory */
    load_tag_t     *tags;        /* frames, in file order */
    uint32_t       *hash;
    uint64_t       *sent;        /* when tag i was sent last; 0: never */
    size_t          n;
    size_t          nkeys;
    load_tag_t      headers[8];
    size_t          nheaders;
    uint32_t        duration;    /* ms, with the last frame's own time */
} load_file_t;

int load_file_read(load_file_t *f, const char *name);


/* load_check.c: statistics and one player's place in its stream */

#define LOAD_HIST_SUB   32
#define LOAD_HIST_MAX   (LOAD_HIST_SUB * 40)

typedef struct {                 /* microseconds, buckets of 3 % */
    uint64_t        n;
    uint64_t        max;
    uint32_t        bucket[LOAD_HIST_MAX];
} load_hist_t;

typedef struct {
    uint64_t        next;        /* the sequence number expected */
    uint64_t        last_seq;
    uint64_t        key_time;    /* when the first keyframe came; 0: not yet */
    uint32_t        ts_base;
    uint32_t        pts_base;
    uint32_t        ts_last;
    unsigned        running:1;   /* a keyframe was seen: frames must follow */
    unsigned        may_jump:1;  /* a slow or paused player may lose frames */
    unsigned        resync:1;    /* it lost some: a keyframe must come next */
} load_check_t;

typedef struct {
    uint64_t        frames;
    uint64_t        bytes;
    uint64_t        early_audio; /* before the first keyframe */
    uint64_t        early_inter; /* non-key video before it: not decodable */
    uint64_t        gaps;        /* places where frames were missing */
    uint64_t        gap_frames;  /* frames missing there */
    uint64_t        jumps;       /* the same for slow and paused players */
    uint64_t        dirty;       /* after either: did not start at a key */
    uint64_t        dups;
    uint64_t        disorder;
    uint64_t        corrupt;     /* checksum, magic, wrong stream */
    uint64_t        foreign;     /* tags without our mark: not checked */
    uint64_t        ts_back;     /* a timestamp lower than the one before */
    uint64_t        ts_drift;    /* ms, worst */
    uint64_t        tail_missing; /* frames not there at the end */
    uint64_t        early_close;
    uint64_t        cut;         /* players that misbehave, closed */
    uint64_t        drip_cut;    /* slow handshakes, closed */
    uint64_t        no_key;      /* players that never got a keyframe */
    uint64_t        refused;     /* closed before the first keyframe */
    uint64_t        protocol;    /* the server broke the protocol */
    uint64_t        pub_closed;
    uint64_t        pub_blocked;
    load_hist_t     latency;
    load_hist_t     first;       /* connect to first keyframe */
    load_hist_t     first_churn; /* the same, at steady load */
    uint64_t        web_again;   /* requests repeated, connection closed */
    uint64_t        web_cut;     /* connections closed within an answer */
    uint64_t        web_status;  /* answers other than 200 */
    uint64_t        gets;
    uint64_t        get_bytes;
    load_hist_t     get_time;
    uint64_t        hls_lists;
    uint64_t        hls_parts;
    uint64_t        hls_skipped; /* part numbers that no playlist had */
    uint64_t        hls_lost;    /* parts that a client did not get */
    uint64_t        hls_stale;   /* playlists without what was asked for */
    uint64_t        hls_ended;
    uint64_t        hls_behind;  /* clients without the newest part */
    uint64_t        hls_ahead;   /* requests that waited, ... */
    uint64_t        hls_late;    /* ... that came when all was there */
    load_hist_t     hls_list;    /* part ready to answer there */
    load_hist_t     hls_part;
} load_stat_t;

void load_hist_add(load_hist_t *h, uint64_t us);
double load_hist_ms(load_hist_t *h, double q);
void load_check_tag(load_check_t *k, uint32_t stream, unsigned type,
    uint32_t ts, const u_char *p, size_t n, uint64_t now);


/* load_rtmp.c: chunks, handshake and commands, both ends */

typedef struct {
    uint32_t        csid;
    uint32_t        ts;
    uint32_t        delta;
    uint32_t        len;
    uint32_t        msid;
    u_char          type;
    unsigned        ext:1;
    u_char         *buf;         /* a message of several chunks */
    uint32_t        got;
} load_chunk_t;

#define LOAD_RTMP_CSIDS  12

struct load_rtmp_s {
    load_conn_t    *conn;
    int             stage;       /* of the handshake */
    unsigned        server:1;
    unsigned        publish:1;
    uint32_t        in_chunk;
    uint32_t        out_chunk;
    uint32_t        window;
    uint64_t        acked;
    uint32_t        msid;
    const char     *app;
    char            name[64];
    char            host[32];
    load_chunk_t    cs[LOAD_RTMP_CSIDS];
    unsigned        ncs;
    load_chunk_t    out[2];      /* what was sent last: audio, video */
    void          (*ready)(load_rtmp_t *r);
    int           (*tag)(load_rtmp_t *r, unsigned type, uint32_t ts,
                         u_char *p, size_t n);
    void           *data;        /* the role's */
};

load_rtmp_t *load_rtmp_client(load_conn_t *c, int publish, const char *app,
    const char *name);
load_rtmp_t *load_rtmp_server(load_conn_t *c);
ssize_t load_rtmp_input(load_conn_t *c, u_char *p, size_t n);
int load_rtmp_send(load_rtmp_t *r, unsigned csid, unsigned type,
    uint32_t msid, uint32_t ts, const u_char *p, size_t n);
size_t load_rtmp_frame(u_char *dst, uint32_t chunk, unsigned csid,
    unsigned type, uint32_t msid, uint32_t ts, const u_char *p, size_t n);
int load_rtmp_pause(load_rtmp_t *r, int on, uint32_t ms);


/* load_http.c: the HTTP-FLV client */

typedef struct load_http_s  load_http_t;

struct load_http_s {
    load_conn_t    *conn;
    int             stage;
    unsigned        http10:1;
    unsigned        chunked:1;
    int             status;
    int             chunk_stage;
    size_t          chunk_left;
    size_t          plain;       /* bytes of FLV kept from last time */
    char            path[128];
    int           (*tag)(load_http_t *h, unsigned type, uint32_t ts,
                         u_char *p, size_t n);
    void           *data;
};

load_http_t *load_http_client(load_conn_t *c, const char *path, int http10);


/* load_web.c: whole answers over kept connections */

typedef struct {
    int             status;
    unsigned        last:1;      /* Connection: close */
    size_t          len;
    u_char         *body;
    uint64_t        asked;
    uint64_t        arrived;
} load_answer_t;

typedef struct load_web_s  load_web_t;

struct load_web_s {
    load_conn_t    *conn;
    unsigned        serial;
    unsigned        busy:1;
    uint64_t        asked;
    uint64_t        again;       /* when to ask once more; 0: not */
    char            path[160];
    void          (*answer)(load_web_t *w, load_answer_t *a);
    void           *data;
};

void load_web_get(load_web_t *w);
void load_web_tick(load_web_t *w, uint64_t now);
int load_get_tick(uint64_t now);


/* load_hls.c, load_hls_part.c: clients of low-latency HLS */

int load_hls_tick(uint64_t now);
unsigned load_hls_live(void);
unsigned load_hls_behind(void);
void load_hls_finish(void);

void load_part_sent(uint32_t stream, uint64_t seq, int video, uint64_t now);
uint64_t load_part_got(uint32_t stream, uint64_t msn, unsigned n,
    const u_char *body, size_t len);
int load_part_newer(uint32_t stream, uint64_t msn, unsigned n);
void load_part_finish(void);


/* load_publisher.c */

struct load_pub_s {
    load_rtmp_t    *rtmp;
    load_gen_t      gen;
    uint64_t        start;       /* time of timestamp 0; 0: not live */
    size_t          file_pos;
    uint32_t        file_base;   /* ms, of the round */
    uint64_t        sent;        /* frames */
    unsigned        live:1;
    unsigned        key_sent:1;
};

int load_pub_open(load_pub_t *p, unsigned n);
uint64_t load_pub_tick(uint64_t now);
int load_pub_all_live(void);


/* load_player.c */

typedef enum {
    LOAD_NORMAL = 0,
    LOAD_STUCK,                  /* never reads after its play command */
    LOAD_SLOW,                   /* reads --slow-rate bytes a second */
    LOAD_PAUSING,                /* pauses and resumes (RTMP) */
    LOAD_CHURN                   /* closes after its first keyframe */
} load_role_e;

struct load_player_s {
    load_conn_t    *conn;        /* NULL: closed */
    load_rtmp_t    *rtmp;
    load_http_t    *http;
    uint32_t        stream;
    load_role_e     role;
    load_check_t    check;
    uint64_t        next_act;    /* pausing */
    unsigned        paused:1;
    unsigned        counted:1;   /* its first keyframe is in */
    load_player_t  *next;        /* churn list */
};

int load_player_open(load_player_t *p, int http, uint32_t stream,
    load_role_e role);
void load_player_tick(uint64_t now);
void load_player_churn(uint64_t now);
void load_drip_tick(uint64_t now);
unsigned load_player_behind(void);
void load_player_finish(void);


/* load_acct.c: the server's own costs */

typedef struct {
    uint64_t        cpu_ns;
    uint64_t        anon_kb;
    uint64_t        arena_kb;    /* shared: memfd */
    uint64_t        file_kb;
    unsigned        procs;
} load_acct_t;

int load_acct_pids(const char *list);
void load_acct_read(load_acct_t *a, int memory);
double load_acct_machine(void);


/* load_report.c */

typedef struct {
    load_acct_t     idle;
    load_acct_t     published;   /* publishers live, no player yet */
    load_acct_t     begin;       /* of measuring: CPU only */
    load_acct_t     end;
    load_acct_t     after;
    double          seconds;
    double          ramp_seconds;
    double          own_cpu;     /* of this tool, cores */
    double          machine_cpu; /* of everything, cores */
    unsigned        measured;    /* players live at its begin */
    uint64_t        frames_published;
} load_result_t;

int load_report(load_result_t *r);


/* load_floor.c */

int load_floor_run(void);


/* load_main.c */

typedef struct {
    load_addrs_t    rtmp;
    load_addrs_t    pub_rtmp;
    load_addrs_t    http;
    const char     *app;
    const char     *stream;
    const char     *http_suffix;
    const char     *flv;
    const char     *pids;
    unsigned        publishers;
    unsigned        streams;     /* that players are spread over */
    unsigned        rtmp_players;
    unsigned        http_players;
    unsigned        hls_players;
    unsigned        get_conns;
    const char     *get;         /* what to ask for, again and again */
    unsigned        http10;
    unsigned        stuck;
    unsigned        slow;
    unsigned        slow_rate;
    unsigned        pausing;
    unsigned        churn;       /* a second */
    unsigned        churn_http;
    unsigned        rate;        /* connects a second */
    unsigned        kbps;
    unsigned        fps;
    unsigned        gop;         /* frames */
    unsigned        sources;     /* addresses 127.0.1.x to connect from */
    unsigned        drain_ms;
    unsigned        chunk;
    double          duration;
    double          settle;
    double          ramp_timeout;
    unsigned        strict;
    unsigned        json;
    unsigned        loop;        /* the file, again and again */
    unsigned        floor;
    unsigned        interval;    /* ms, of the floor */
    unsigned        drip;
    unsigned        ts_start;    /* ms */
    const char     *fault;       /* of the floor */
    unsigned        quiet;
} load_opt_t;

typedef struct {
    load_opt_t      opt;
    load_stat_t     stat;
    load_file_t     file;
    load_pub_t     *pubs;
    load_player_t  *players;
    unsigned        nplayers;
    unsigned        started;     /* players connected so far */
    unsigned        live;        /* players that have their keyframe */
    uint64_t       *max_seq;     /* by stream: next number a player waits for */
    unsigned        measuring:1;
    unsigned        publishing:1;
    unsigned        ramped:1;    /* players come, or are there */
    volatile int    stop;
} load_t;

extern load_t  ld;


#endif /* _LOAD_H_INCLUDED_ */
