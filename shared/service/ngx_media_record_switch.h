
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: switches of recording: what the API said about a stream, which is
 * stronger than its policy.  A table in the arena, and a file .dvr/switches in
 * each root, so that they hold after a restart.
 *
 *   ngx_media_record_switch.c       the table
 *   ngx_media_record_switch_file.c  the files
 */


#ifndef _NGX_MEDIA_RECORD_SWITCH_H_INCLUDED_
#define _NGX_MEDIA_RECORD_SWITCH_H_INCLUDED_


#include "ngx_media_record.h"


/* of a text, "auto", "on", "off"; NGX_DECLINED: none of these */
ngx_int_t ngx_media_record_switch_parse(const u_char *p, size_t n);
/* static */
const char *ngx_media_record_switch_name(ngx_uint_t value);

/*
 * Changes a switch, and has a live source looked at.  load: only where there
 * is none yet.  NGX_OK; NGX_DECLINED: the table is full.
 */
ngx_int_t ngx_media_record_switch_set(const ngx_str_t *vhost,
    const ngx_str_t *app, const ngx_str_t *stream, ngx_uint_t value,
    ngx_uint_t load);

/*
 * Calls each() for all of them, under no lock: of a copy.  Returns the number
 * of changes up to it, or NGX_ERROR: no memory.
 */
typedef ngx_int_t (*ngx_media_record_switch_pt)(void *data,
    const ngx_media_switch_t *sw);

int64_t ngx_media_record_switch_each(ngx_media_record_switch_pt each,
    void *data);

/* In the master, when nginx starts and when it is reloaded: new files. */
ngx_int_t ngx_media_record_switch_load(ngx_cycle_t *cycle);

/*
 * Writes the files in a thread and calls done() in the worker when what holds
 * now is on disk: NGX_OK, or NGX_ERROR, after a line in the log.  w is memory
 * of the caller until then.
 */
typedef struct {
    ngx_queue_t    queue;
    uint64_t       seq;
    void         (*done)(void *data, ngx_int_t rc);
    void          *data;
} ngx_media_record_switch_wait_t;

ngx_int_t ngx_media_record_switch_save(ngx_media_record_switch_wait_t *w);


#endif /* _NGX_MEDIA_RECORD_SWITCH_H_INCLUDED_ */
