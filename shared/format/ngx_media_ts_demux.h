
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: MPEG-TS demuxer: packets of 188 bytes in spans of any size into frames
 * of H.264, HEVC, AAC (ADTS, LATM), MP3, Opus, AC-3 and E-AC-3, one program.
 *
 * Damage: lost and damaged packets cost the frame they belong to; of audio,
 * where a PES has several frames, also those behind it in the same PES, whose
 * times nobody knows.  Bytes that are no packets are left out until two sync
 * bytes are 188 apart.
 *
 * Times: PTS and DTS in us, 33 bits unwrapped, as the sender counts: they
 * begin anywhere.  A frame without a time of its own goes on from the one
 * before; of audio exactly, by the samples.  BREAK is set where a
 * discontinuity was announced.
 *
 * Tracks: the streams of the program in the order of the PMT: the k-th video
 * is ngx_media_track_video(k), the k-th audio ngx_media_track_audio(k).
 *
 * Parameter sets become configs and are taken out of the frames; what a
 * config has no place for (a second PPS) stays in them.
 *
 * Memory comes from a function of the caller, within a limit.
 *
 * ISO/IEC 13818-1 2.4 to 2.6.
 */


#ifndef _NGX_MEDIA_TS_DEMUX_H_INCLUDED_
#define _NGX_MEDIA_TS_DEMUX_H_INCLUDED_


#include "ngx_media_ts.h"
#include "ngx_media_latm.h"


#define NGX_MEDIA_TS_STREAMS       14       /* 7 of video, 7 of audio */
#define NGX_MEDIA_TS_PROGRAMS      16       /* looked at in a PAT */
#define NGX_MEDIA_TS_JUNK          65536    /* bytes, then it is no TS */
#define NGX_MEDIA_TS_SET           1024     /* largest parameter set */
#define NGX_MEDIA_TS_SETS          3        /* VPS, SPS, PPS */


/*
 * Memory: gives size bytes whose first used are those of buf (NULL: none
 * yet), or NULL, where buf stays as it was.  size 0 frees.  As realloc().
 */
typedef u_char *(*ngx_media_ts_buffer_pt)(void *ctx, u_char *buf, size_t used,
    size_t size);

/*
 * A frame; seq and aux are 0.  The payload is good during the call.  Anything
 * else than NGX_MEDIA_OK ends ngx_media_ts_demux() with that code.
 */
typedef int (*ngx_media_ts_frame_pt)(void *ctx, const ngx_media_frame_t *f);


typedef struct {
    u_char                 *data;
    size_t                  used;
    size_t                  size;
} ngx_media_ts_buf_t;


typedef struct {
    ngx_media_ts_buf_t      es;         /* payload of the PES so far */
    u_char                 *sets;       /* SETS times SET bytes, of video */
    size_t                  mark;       /* where in es the PTS belongs */
    int64_t                 pts;        /* ticks, of the PES in es */
    int64_t                 dts;
    int64_t                 base;       /* audio: us, of the last PTS */
    uint64_t                samples;    /* audio: since base */
    uint32_t                rate;       /* audio: Hz of samples */
    uint32_t                step;       /* video: ticks between frames */
    uint32_t                left;       /* bytes of a bounded PES to come */
    uint32_t                length;     /* PES_packet_length, 0: open */
    uint32_t                config;     /* CRC of the last config */
    uint16_t                set_size[NGX_MEDIA_TS_SETS];
    uint16_t                head_left;  /* bytes of the PES header to come */
    uint16_t                pid;
    uint8_t                 type;       /* stream_type */
    uint8_t                 codec;
    uint8_t                 track;
    uint8_t                 channels;   /* Opus: channel_config_code */
    uint8_t                 cc;         /* 0xff: not known */
    uint8_t                 head_size;  /* bytes in head */

    unsigned                open:1;     /* a PES is being read */
    unsigned                heading:1;  /* and its header */
    unsigned                timed:1;    /* dts is known */
    unsigned                based:1;    /* base is known */
    unsigned                fresh:1;    /* PTS at mark is not used yet */
    unsigned                breaks:1;   /* the next PES comes after a BREAK */
    unsigned                broken:1;   /* the next frame does */
    unsigned                changed:1;  /* sets since the last config */
    unsigned                interlaced:1;
    unsigned                repeated:1; /* the last packet came twice */

    ngx_media_latm_t        latm;
    u_char                  head[19];   /* of the PES, up to the DTS */
} ngx_media_ts_stream_t;


typedef struct {
    uint32_t                crc;        /* of the last one taken */
    uint16_t                have;
    uint16_t                need;       /* 0: length not known; else all */
    uint8_t                 cc;
    uint8_t                 open;
    u_char                  data[NGX_MEDIA_TS_MAX_SECTION];
} ngx_media_ts_section_t;


typedef struct {
    uint64_t                bytes;      /* read */
    uint64_t                packets;
    uint64_t                frames;     /* handed out, configs not counted */
    uint32_t                junk;       /* bytes left out between packets */
    uint32_t                resyncs;
    uint32_t                cc_errors;  /* gaps in the counters */
    uint32_t                tei;        /* packets marked as damaged */
    uint32_t                crc_errors; /* sections */
    uint32_t                dropped;    /* frames (PES) that were damaged, or
                                         * had no room, time or config */
} ngx_media_ts_stat_t;


typedef struct {
    ngx_media_ts_frame_pt   frame;
    ngx_media_ts_buffer_pt  buffer;
    void                   *ctx;

    size_t                  max_frame;
    size_t                  max_memory;
    size_t                  memory;     /* lent by the caller */

    int64_t                 last;       /* ticks, newest of any stream */
    int                     error;
    uint32_t                run;        /* bytes of junk in a row */

    uint16_t                want;       /* program number, 0: first */
    uint16_t                program;    /* chosen, 0: none yet */
    uint16_t                pmt_pid;
    uint16_t                pcr_pid;
    uint16_t                programs[NGX_MEDIA_TS_PROGRAMS];
    uint16_t                pids[NGX_MEDIA_TS_PROGRAMS];
    uint8_t                 nprograms;
    uint8_t                 current;    /* index of the chosen */
    uint8_t                 waited;     /* PATs without a PMT */
    uint8_t                 nstreams;
    uint8_t                 have;       /* bytes in packet */
    uint8_t                 scrambled;  /* 1: such packets were left out */

    unsigned                locked:1;
    unsigned                timed:1;    /* last is known */

    ngx_media_ts_stat_t     stat;
    ngx_media_ts_buf_t      out;        /* frames are built here */
    ngx_media_ts_section_t  pat;
    ngx_media_ts_section_t  pmt;
    ngx_media_ts_stream_t   streams[NGX_MEDIA_TS_STREAMS];
    u_char                  packet[NGX_MEDIA_TS_PACKET + 1];
} ngx_media_ts_demux_t;


/*
 * program: number of the program wanted, 0: the first with media.  max_frame:
 * bytes of the largest frame; max_memory: of all buffers together (about
 * three times max_frame serve a program of one video).
 */
void ngx_media_ts_demux_init(ngx_media_ts_demux_t *d,
    ngx_media_ts_frame_pt frame, ngx_media_ts_buffer_pt buffer, void *ctx,
    unsigned program, size_t max_frame, size_t max_memory);

/*
 * Takes all bytes from pos to end.  Returns NGX_MEDIA_OK; NGX_MEDIA_ERROR:
 * this is no TS; or what the frame function returned.  Errors are sticky.
 */
int ngx_media_ts_demux(ngx_media_ts_demux_t *d, const u_char *pos,
    const u_char *end);

/*
 * Bytes are missing before those that come next.  What is left of a packet is
 * let go; where sixteen packets and more may be gone, no counter is trusted,
 * and each stream loses what it was in.
 */
void ngx_media_ts_demux_gap(ngx_media_ts_demux_t *d, size_t bytes);

/*
 * The end of the input: hands out the frames that wait for more.  Returns as
 * above.
 */
int ngx_media_ts_demux_flush(ngx_media_ts_demux_t *d);

/* Gives all memory back. */
void ngx_media_ts_demux_close(ngx_media_ts_demux_t *d);


/* For the files of the demuxer */

/*
 * Payload of a packet of the PAT or PMT (ngx_media_ts_psi.c); start: a section
 * begins in it.
 */
void ngx_media_ts_psi(ngx_media_ts_demux_t *d, ngx_media_ts_section_t *s,
    unsigned cc, int start, const u_char *pos, const u_char *end);

/* The end of a stream: its last frame, its memory. */
void ngx_media_ts_stream_free(ngx_media_ts_demux_t *d,
    ngx_media_ts_stream_t *s);

/*
 * Frames of what is in s->es (ngx_media_ts_es.c).  Whole frames are handed
 * out, of audio what is left moves to the front.  whole: 0 where the PES was
 * cut off, so that its last video frame is not to be used.
 */
void ngx_media_ts_es(ngx_media_ts_demux_t *d, ngx_media_ts_stream_t *s,
    int whole);

/*
 * Room for size bytes in b, those in use are kept.  NGX_MEDIA_OK, or
 * NGX_MEDIA_ERROR: limits, or no memory.
 */
int ngx_media_ts_room(ngx_media_ts_demux_t *d, ngx_media_ts_buf_t *b,
    size_t size);


#endif /* _NGX_MEDIA_TS_DEMUX_H_INCLUDED_ */
