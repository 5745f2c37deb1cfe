
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: reads JSON where it lies: a value is a piece of the text, and members
 * and elements are found in it when they are asked for.  Made for small
 * documents (claims of a token); nothing is copied or allocated, and a text is
 * checked as a whole before anything of it is used.
 *
 * RFC 8259.  Strict: no comments, no text behind the value, escapes are
 * checked, bytes from 0x80 on are taken as they are.
 */


#ifndef _NGX_MEDIA_JSON_READ_H_INCLUDED_
#define _NGX_MEDIA_JSON_READ_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_rc.h"


#define NGX_MEDIA_JSON_READ_DEPTH  32  /* of objects and arrays */


typedef enum {
    NGX_MEDIA_JSON_NULL = 0,
    NGX_MEDIA_JSON_FALSE,
    NGX_MEDIA_JSON_TRUE,
    NGX_MEDIA_JSON_NUMBER,
    NGX_MEDIA_JSON_STRING,
    NGX_MEDIA_JSON_ARRAY,
    NGX_MEDIA_JSON_OBJECT
} ngx_media_json_type_e;


/* its text with all that delimits it: quotes, brackets */

typedef struct {
    const u_char          *pos;
    const u_char          *end;
    ngx_media_json_type_e  type;
} ngx_media_json_value_t;


/*
 * A whole text: one value, white space around it.  NGX_MEDIA_OK or _ERROR.
 * All other functions take values that come from here.
 */
int ngx_media_json_parse(ngx_media_json_value_t *value, const u_char *pos,
    const u_char *end);

/*
 * The member of an object.  NGX_MEDIA_OK; NGX_MEDIA_DECLINED: it has none;
 * NGX_MEDIA_ERROR: it is no object, or has several of that name.
 */
int ngx_media_json_member(const ngx_media_json_value_t *object,
    const char *name, ngx_media_json_value_t *value);

/*
 * The elements of an array, one after the other: element is zeroed for the
 * first, and the last one that was given for the next.  NGX_MEDIA_OK;
 * NGX_MEDIA_DONE: no more, or no array.
 */
int ngx_media_json_element(const ngx_media_json_value_t *array,
    ngx_media_json_value_t *element);

/*
 * A string without its escapes, in UTF-8.  Returns its length, or -1: no
 * string, no room, or half of a surrogate pair.
 */
ssize_t ngx_media_json_string(const ngx_media_json_value_t *value,
    u_char *buf, size_t size);

/*
 * The whole part of a number that is not too large for 15 digits and has no
 * exponent.  NGX_MEDIA_OK or _ERROR.
 */
int ngx_media_json_integer(const ngx_media_json_value_t *value, int64_t *n);


#endif /* _NGX_MEDIA_JSON_READ_H_INCLUDED_ */
