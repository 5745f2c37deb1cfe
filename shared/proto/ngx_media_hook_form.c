
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: bodies of hooks as forms.
 */


#include <string.h>

#include "ngx_media_hook_form.h"


static const u_char  hook_hex[] = "0123456789ABCDEF";


static int
hook_plain(u_char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
           || c == '-' || c == '_';
}


static int
hook_separator(u_char c)
{
    return c == '&' || c == ',' || c == ';' || c == '?' || c == '#';
}


u_char *
ngx_media_hook_form_escape(u_char *dst, const u_char *src, size_t n)
{
    const u_char  *end;

    for (end = src + n; src < end; src++) {

        if (hook_plain(*src) || *src == '.' || *src == '~') {
            *dst++ = *src;
            continue;
        }

        *dst++ = '%';
        *dst++ = hook_hex[*src >> 4];
        *dst++ = hook_hex[*src & 0xf];
    }

    return dst;
}


/* a name of ours; '-' is '_' to some who read forms */

static int
hook_taken(const u_char *p, size_t n, const char *const *names)
{
    u_char  c;
    size_t  i;

    for ( /* void */ ; *names; names++) {

        if (strlen(*names) != n) {
            continue;
        }

        for (i = 0; i < n; i++) {
            c = p[i];

            if (c >= 'A' && c <= 'Z') {
                c = (u_char) (c | 0x20);
            }

            if ((c == '-' ? '_' : c) != (u_char) (*names)[i]) {
                break;
            }
        }

        if (i == n) {
            return 1;
        }
    }

    return 0;
}


static u_char *
hook_value_copy(u_char *dst, const u_char *p, const u_char *end)
{
    for ( /* void */ ; p < end; p++) {
        *dst++ = (*p > ' ' && *p < 0x7f && *p != '"' && *p != '<'
                  && *p != '>' && *p != '\\')
                 ? *p : '+';
    }

    return dst;
}


u_char *
ngx_media_hook_form_args(u_char *dst, const ngx_media_url_str_t *args,
    const char *const *names)
{
    const u_char  *p, *start, *name, *end;

    p = args->data;
    end = args->data + args->len;

    while (p < end) {

        if (hook_separator(*p)) {
            p++;
            continue;
        }

        start = p;

        while (p < end && hook_plain(*p)) {
            p++;
        }

        name = p;

        while (p < end && !hook_separator(*p)) {
            p++;
        }

        if (name == start || (name < p && *name != '=')
            || hook_taken(start, (size_t) (name - start), names))
        {
            continue;
        }

        *dst++ = '&';
        dst = hook_value_copy(dst, start, p);
    }

    return dst;
}
