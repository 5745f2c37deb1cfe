
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: answers of hooks.  The text is checked as a whole (ngx_media_json_read.h)
 * before anything of it is taken.
 */


#include <string.h>

#include "ngx_media_hook_answer.h"
#include "ngx_media_json_read.h"


/* room for strings, as far as it is not taken */

typedef struct {
    u_char  *pos;
    u_char  *last;
} ngx_media_hook_room_t;


static int ngx_media_hook_answer_code(const ngx_media_json_value_t *top);
static int ngx_media_hook_answer_number(const ngx_media_json_value_t *v);
static int ngx_media_hook_answer_data(ngx_media_hook_answer_t *a,
    const ngx_media_json_value_t *data, ngx_media_hook_room_t *room);
static int ngx_media_hook_answer_string(const ngx_media_json_value_t *v,
    ngx_media_hook_room_t *room, ngx_media_url_str_t *s);
static void ngx_media_hook_answer_urls(ngx_media_hook_answer_t *a,
    const ngx_media_json_value_t *list, ngx_media_hook_room_t *room);
static uint64_t ngx_media_hook_answer_lifetime(
    const ngx_media_json_value_t *v);


int
ngx_media_hook_answer(ngx_media_hook_answer_t *a, const u_char *pos,
    const u_char *end, u_char *buf)
{
    int                     rc;
    ngx_media_json_value_t  top, data;
    ngx_media_hook_room_t   room;

    memset(a, 0, sizeof(ngx_media_hook_answer_t));

    a->record = -1;

    if (ngx_media_json_parse(&top, pos, end) != NGX_MEDIA_OK) {
        return NGX_MEDIA_ERROR;
    }

    if (top.type == NGX_MEDIA_JSON_NUMBER) {
        return ngx_media_hook_answer_number(&top);
    }

    rc = ngx_media_hook_answer_code(&top);

    if (rc == NGX_MEDIA_OK
        && ngx_media_json_member(&top, "data", &data) == NGX_MEDIA_OK
        && data.type == NGX_MEDIA_JSON_OBJECT)
    {
        room.pos = buf;
        room.last = buf + (end - pos);

        rc = ngx_media_hook_answer_data(a, &data, &room);

        if (rc != NGX_MEDIA_OK) {
            memset(a, 0, sizeof(ngx_media_hook_answer_t));
            a->record = -1;
        }
    }

    return rc;
}


/* two of them are none that agrees */

static int
ngx_media_hook_answer_code(const ngx_media_json_value_t *top)
{
    ngx_media_json_value_t  code;

    if (top->type != NGX_MEDIA_JSON_OBJECT) {
        return NGX_MEDIA_ERROR;
    }

    switch (ngx_media_json_member(top, "code", &code)) {

    case NGX_MEDIA_OK:
        return (code.type == NGX_MEDIA_JSON_NUMBER
                && ngx_media_hook_answer_number(&code) == NGX_MEDIA_OK)
               ? NGX_MEDIA_OK : NGX_MEDIA_DECLINED;

    case NGX_MEDIA_DECLINED:
        return NGX_MEDIA_ERROR;

    default:
        return NGX_MEDIA_DECLINED;
    }
}


/* OK: the integer 0; DECLINED: another one; ERROR: no integer */

static int
ngx_media_hook_answer_number(const ngx_media_json_value_t *v)
{
    const u_char  *p;

    for (p = v->pos; p < v->end; p++) {
        if ((*p < '0' || *p > '9') && *p != '-') {
            return NGX_MEDIA_ERROR;
        }
    }

    return (v->end - v->pos == 1 && *v->pos == '0') ? NGX_MEDIA_OK
                                                    : NGX_MEDIA_DECLINED;
}


/*
 * What is there twice, or of another type, is passed over.  DECLINED: a name
 * or a URL that is no text; without it the answer would mean something else.
 */

static int
ngx_media_hook_answer_data(ngx_media_hook_answer_t *a,
    const ngx_media_json_value_t *data, ngx_media_hook_room_t *room)
{
    ngx_media_json_value_t  v;

    if (ngx_media_json_member(data, "stream", &v) == NGX_MEDIA_OK
        && v.type == NGX_MEDIA_JSON_STRING
        && ngx_media_hook_answer_string(&v, room, &a->stream) != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_DECLINED;
    }

    if (ngx_media_json_member(data, "redirect", &v) == NGX_MEDIA_OK
        && v.type == NGX_MEDIA_JSON_STRING
        && ngx_media_hook_answer_string(&v, room, &a->redirect)
           != NGX_MEDIA_OK)
    {
        return NGX_MEDIA_DECLINED;
    }

    if (ngx_media_json_member(data, "lifetime", &v) == NGX_MEDIA_OK) {
        a->lifetime = ngx_media_hook_answer_lifetime(&v);
    }

    if (ngx_media_json_member(data, "record", &v) == NGX_MEDIA_OK) {
        a->record = (v.type == NGX_MEDIA_JSON_TRUE) ? 1
                    : (v.type == NGX_MEDIA_JSON_FALSE) ? 0 : -1;
    }

    if (ngx_media_json_member(data, "urls", &v) == NGX_MEDIA_OK) {
        ngx_media_hook_answer_urls(a, &v, room);
    }

    return NGX_MEDIA_OK;
}


/* it is never longer than its text: there is room for all of them */

static int
ngx_media_hook_answer_string(const ngx_media_json_value_t *v,
    ngx_media_hook_room_t *room, ngx_media_url_str_t *s)
{
    ssize_t  n;

    n = ngx_media_json_string(v, room->pos, (size_t) (room->last - room->pos));

    if (n < 0) {
        return NGX_MEDIA_DECLINED;
    }

    s->data = room->pos;
    s->len = (size_t) n;

    room->pos += n;

    return NGX_MEDIA_OK;
}


static void
ngx_media_hook_answer_urls(ngx_media_hook_answer_t *a,
    const ngx_media_json_value_t *list, ngx_media_hook_room_t *room)
{
    ngx_media_json_value_t  v;

    memset(&v, 0, sizeof(ngx_media_json_value_t));

    while (a->nurls < NGX_MEDIA_HOOK_URLS
           && ngx_media_json_element(list, &v) == NGX_MEDIA_OK)
    {
        if (ngx_media_hook_answer_string(&v, room, &a->urls[a->nurls])
            == NGX_MEDIA_OK)
        {
            a->nurls++;
        }
    }
}


/* seconds to ms; 0: no number, a negative one, or one with an exponent */

static uint64_t
ngx_media_hook_answer_lifetime(const ngx_media_json_value_t *v)
{
    uint64_t       ms, unit;
    const u_char  *p;

    if (v->type != NGX_MEDIA_JSON_NUMBER) {
        return 0;
    }

    ms = 0;
    unit = 1000;

    for (p = v->pos; p < v->end; p++) {

        if (*p == '.') {
            unit = 100;
            continue;
        }

        if (*p < '0' || *p > '9') {
            return 0;
        }

        if (unit == 1000) {
            ms = ms * 10 + (uint64_t) (*p - '0') * unit;

        } else {
            ms += (uint64_t) (*p - '0') * unit;
            unit /= 10;
        }

        if (ms > NGX_MEDIA_HOOK_LIFETIME_MAX) {
            ms = NGX_MEDIA_HOOK_LIFETIME_MAX;
        }
    }

    return ms;
}
