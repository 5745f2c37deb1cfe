
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: the worker's side of recordings.
 */


#include "ngx_media_record.h"


ngx_int_t
ngx_media_record_init_worker(ngx_cycle_t *cycle)
{
    return NGX_OK;
}
