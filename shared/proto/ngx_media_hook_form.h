
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: bodies of application/x-www-form-urlencoded (WHATWG URL, section 5), as
 * nginx-rtmp sends them: fields of the server's own, and behind them the
 * arguments that a client came with, which are a client's word: those that
 * are named like a field of ours, or oddly, are left out.
 *
 * Ownership: all memory is the caller's.
 */


#ifndef _NGX_MEDIA_HOOK_FORM_H_INCLUDED_
#define _NGX_MEDIA_HOOK_FORM_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_url.h"


/* room that n bytes take at most */
#define ngx_media_hook_form_room(n)  (3 * (n))

/*
 * Escapes n bytes from src to dst, which has room for them.  Returns the end.
 */
u_char *ngx_media_hook_form_escape(u_char *dst, const u_char *src, size_t n);

/*
 * Copies arguments ("a=b&c", separated as ngx_media_arg() takes them) to dst,
 * which has room for their length and one byte more, each with a "&" before
 * it.  Left out are those whose name is in names (up to NULL, in lower case;
 * case is ignored), is empty, or has other characters than letters, digits,
 * "-" and "_".  Returns the end.
 */
u_char *ngx_media_hook_form_args(u_char *dst, const ngx_media_url_str_t *args,
    const char *const *names);


#endif /* _NGX_MEDIA_HOOK_FORM_H_INCLUDED_ */
