
/*
 * Copyright (C) the nginx media suite authors
 *
 * L0: big and little endian access to unaligned bytes.  Nothing here checks
 * bounds: the caller has compared (end - p) before.  Write functions return
 * the position after what they wrote.
 */


#ifndef _NGX_MEDIA_BYTES_H_INCLUDED_
#define _NGX_MEDIA_BYTES_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>


static inline uint16_t
ngx_media_get_be16(const u_char *p)
{
    return (uint16_t) (p[0] << 8 | p[1]);
}


static inline uint32_t
ngx_media_get_be24(const u_char *p)
{
    return (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];
}


static inline uint32_t
ngx_media_get_be32(const u_char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static inline uint64_t
ngx_media_get_be64(const u_char *p)
{
    return (uint64_t) ngx_media_get_be32(p) << 32 | ngx_media_get_be32(p + 4);
}


static inline uint32_t
ngx_media_get_le32(const u_char *p)
{
    return (uint32_t) p[3] << 24 | (uint32_t) p[2] << 16
           | (uint32_t) p[1] << 8 | p[0];
}


static inline u_char *
ngx_media_put_be16(u_char *p, uint32_t v)
{
    p[0] = (u_char) (v >> 8);
    p[1] = (u_char) v;

    return p + 2;
}


static inline u_char *
ngx_media_put_be24(u_char *p, uint32_t v)
{
    p[0] = (u_char) (v >> 16);
    p[1] = (u_char) (v >> 8);
    p[2] = (u_char) v;

    return p + 3;
}


static inline u_char *
ngx_media_put_be32(u_char *p, uint32_t v)
{
    p[0] = (u_char) (v >> 24);
    p[1] = (u_char) (v >> 16);
    p[2] = (u_char) (v >> 8);
    p[3] = (u_char) v;

    return p + 4;
}


static inline u_char *
ngx_media_put_be64(u_char *p, uint64_t v)
{
    p = ngx_media_put_be32(p, (uint32_t) (v >> 32));

    return ngx_media_put_be32(p, (uint32_t) v);
}


static inline u_char *
ngx_media_put_le32(u_char *p, uint32_t v)
{
    p[0] = (u_char) v;
    p[1] = (u_char) (v >> 8);
    p[2] = (u_char) (v >> 16);
    p[3] = (u_char) (v >> 24);

    return p + 4;
}


static inline u_char *
ngx_media_put(u_char *p, const void *src, size_t n)
{
    if (n) {
        memcpy(p, src, n);
    }

    return p + n;
}


#endif /* _NGX_MEDIA_BYTES_H_INCLUDED_ */
