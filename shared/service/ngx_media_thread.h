
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: nginx's thread pools.  Where nginx was built without them there is none,
 * and no task can be given to one: what stands on it compiles as it is, and
 * the directives that need it (hls_path, dvr_path) are refused.
 */


#ifndef _NGX_MEDIA_THREAD_H_INCLUDED_
#define _NGX_MEDIA_THREAD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#if (NGX_THREADS)

#include <ngx_thread_pool.h>

#else

#include <ngx_event.h>

struct ngx_thread_task_s {
    void                    *ctx;
    void                   (*handler)(void *data, ngx_log_t *log);
    ngx_event_t              event;
};

typedef struct ngx_thread_pool_s  ngx_thread_pool_t;


static ngx_inline ngx_thread_pool_t *
ngx_thread_pool_get(ngx_cycle_t *cycle, ngx_str_t *name)
{
    return NULL;
}


static ngx_inline ngx_int_t
ngx_thread_task_post(ngx_thread_pool_t *tp, ngx_thread_task_t *task)
{
    return NGX_ERROR;
}

#endif


#endif /* _NGX_MEDIA_THREAD_H_INCLUDED_ */
