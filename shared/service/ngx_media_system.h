
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: what the machine is doing, read from /proc in small bounded reads (a
 * file there is made when it is read, no disk is waited for) and at most once
 * a second per worker, when somebody asks.
 *
 * Shares (cpu, memory, disk) are fractions of 1, as SRS's API has them.
 */


#ifndef _NGX_MEDIA_SYSTEM_H_INCLUDED_
#define _NGX_MEDIA_SYSTEM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    int64_t     sampled;            /* ms since the epoch */

    double      cpu;                /* since the sample before, or the boot */
    double      uptime;             /* s */
    double      idle;               /* s, of all processors */
    double      load[3];

    int64_t     mem_total;          /* KB */
    int64_t     mem_free;
    int64_t     mem_buffers;
    int64_t     mem_cached;
    int64_t     swap_total;
    int64_t     swap_free;

    int64_t     disk_in;            /* KB since the boot */
    int64_t     disk_out;
    int64_t     disk_read;          /* KB/s since the sample before */
    int64_t     disk_write;
    double      disk_busy;          /* the busiest device */

    int64_t     net_recv;           /* bytes, interfaces with public address */
    int64_t     net_send;
    int64_t     net_inner_recv;     /* bytes, the other ones */
    int64_t     net_inner_send;

    int64_t     tcp;                /* sockets in use, without TIME_WAIT */
    int64_t     tcp_established;
    int64_t     tcp_time_wait;
    int64_t     udp;
} ngx_media_system_t;


/* The newest sample; static memory of the worker, good until the next call. */
const ngx_media_system_t *ngx_media_system_sample(void);

/*
 * The beginning of a file of /proc as a string in buf of the caller; an empty
 * one where it fails.  Returns buf.
 */
char *ngx_media_system_read(const char *path, char *buf, size_t size);

/* Parent of a process, 0 where it can not be told. */
ngx_pid_t ngx_media_system_parent(ngx_pid_t pid);


#endif /* _NGX_MEDIA_SYSTEM_H_INCLUDED_ */
