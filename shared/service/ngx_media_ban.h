
/*
 * Copyright (C) the nginx media suite authors
 *
 * Bans (L3): what the API asks for when it kicks a client.
 */


#ifndef _NGX_MEDIA_BAN_H_INCLUDED_
#define _NGX_MEDIA_BAN_H_INCLUDED_


#include "ngx_media_core.h"


#define NGX_MEDIA_BAN_ADDRESS      0x1
#define NGX_MEDIA_BAN_NAME         0x2


/*
 * The address of a client, or its source, or its address at its source (both)
 * are refused for ms.  copy is a snapshot of its entry.  NGX_OK; NGX_DECLINED:
 * it can not be told from others; NGX_ERROR.
 */
ngx_int_t ngx_media_ban_client(ngx_media_client_t *copy, ngx_uint_t by,
    int64_t ms);

/* May there be one that runs?  Without the lock. */
ngx_uint_t ngx_media_ban_any(void);


#endif /* _NGX_MEDIA_BAN_H_INCLUDED_ */
