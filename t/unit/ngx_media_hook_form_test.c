
/*
 * Copyright (C) the nginx media suite authors
 *
 * Unit tests of forms: what is escaped, and which arguments of a client may
 * stand beside fields of ours.
 */


#include "ngx_media_hook_form.h"
#include "ngx_media_test.h"


static const char *const  names[] = { "app", "call", "client_id", NULL };


static void
escape(const char *src, const char *want)
{
    size_t  n;
    u_char *buf, *p;

    n = strlen(src);
    buf = malloc(ngx_media_hook_form_room(n) + 1);

    p = ngx_media_hook_form_escape(buf, (u_char *) src, n);

    is_mem(buf, p - buf, want, strlen(want), "escaped \"%s\"", want);

    free(buf);
}


static void
args(const char *src, const char *want)
{
    u_char               *buf, *copy, *p;
    ngx_media_url_str_t   s;

    s.len = strlen(src);
    copy = ngx_media_test_dup(src, s.len);
    s.data = copy;
    buf = malloc(s.len + 1);

    p = ngx_media_hook_form_args(buf, &s, names);

    is_mem(buf, p - buf, want, strlen(want), "arguments \"%s\"", src);

    free(buf);
    free(copy);
}


int
main(void)
{
    escape("", "");
    escape("aZ09-_.~", "aZ09-_.~");
    escape("a b&c=d/\xc3\xa9+%", "a%20b%26c%3Dd%2F%C3%A9%2B%25");

    args("", "");
    args("a=b", "&a=b");
    args("a=b&c", "&a=b&c");
    args("&&a=b;;c=d,e=f?g=h#i=j&", "&a=b&c=d&e=f&g=h&i=j");
    args("app=x&a=1&call=y", "&a=1");
    args("APP=x&Call=y&a=1", "&a=1");
    args("client-id=1&Client_ID=2&a", "&a");
    args("app[]=x&a.p=1&%61pp=2& app=3&=4&=", "");
    args("apps=1&ap=2", "&apps=1&ap=2");
    args("t=a%2Fb+c=d", "&t=a%2Fb+c=d");
    args("t=a b\"<>\\\x01\xff", "&t=a+b++++++");
    args("a", "&a");

    return done_testing();
}
