
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: Action Message Format, AMF0 and AMF3 (Adobe specifications of 2007 and
 * 2006), as RTMP commands and metadata carry it.
 *
 * Reading pulls one value after the other out of a span; a value that
 * contains others is stepped over as a whole and can then be walked:
 *
 *     ngx_media_amf_init(&amf, pos, end);
 *     ngx_media_amf_read(&amf, &name);
 *     ngx_media_amf_read(&amf, &object);
 *     ngx_media_amf_find(&amf, &object, "app", &v);
 *
 * Nothing is copied or allocated: strings point into the caller's span, which
 * must outlive the reader.  Nesting deeper than NGX_MEDIA_AMF_DEPTH, and AMF3
 * reference tables beyond their size, are errors.  References to objects are
 * handed out as such and never followed.
 */


#ifndef _NGX_MEDIA_AMF_H_INCLUDED_
#define _NGX_MEDIA_AMF_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "ngx_media_rc.h"


#define NGX_MEDIA_AMF_DEPTH      16
#define NGX_MEDIA_AMF_STRINGS    256     /* AMF3 string references */
#define NGX_MEDIA_AMF_TRAITS     32      /* AMF3 trait references */


typedef enum {
    NGX_MEDIA_AMF_NONE = 0,
    NGX_MEDIA_AMF_NUMBER,       /* number; AMF3 integer and double */
    NGX_MEDIA_AMF_BOOLEAN,      /* boolean */
    NGX_MEDIA_AMF_STRING,       /* string; long strings too */
    NGX_MEDIA_AMF_NULL,
    NGX_MEDIA_AMF_UNDEFINED,    /* and unsupported */
    NGX_MEDIA_AMF_OBJECT,       /* string: class name or empty */
    NGX_MEDIA_AMF_ECMA_ARRAY,   /* keys and values; count as announced */
    NGX_MEDIA_AMF_ARRAY,        /* strict (dense) array of count values */
    NGX_MEDIA_AMF_DATE,         /* number: ms since 1970 */
    NGX_MEDIA_AMF_XML,          /* string */
    NGX_MEDIA_AMF_BYTES,        /* string: AMF3 ByteArray */
    NGX_MEDIA_AMF_REFERENCE,    /* number: index of the object */
    NGX_MEDIA_AMF_OPAQUE        /* AMF3 vector or dictionary */
} ngx_media_amf_type_e;


typedef struct {
    const u_char  *data;
    size_t         len;
} ngx_media_amf_str_t;


/* AMF3 traits: class name and member names to be read again at pos. */

typedef struct {
    const u_char        *pos;
    ngx_media_amf_str_t  name;
    uint32_t             sealed;     /* number of members */
    uint16_t             nstrings;   /* string table before the members */
    uint8_t              dynamic;
    uint8_t              external;   /* the class writes itself */
} ngx_media_amf_traits_t;


/* Where a reader stands: a part of the structures below. */

typedef struct {
    const u_char        *pos;
    const u_char        *end;
    uint16_t             nstrings;   /* AMF3 tables so far */
    uint16_t             ntraits;
    uint8_t              amf3;       /* what follows is AMF3 */
    uint8_t              depth;
    uint8_t              cut;        /* an end marker was missing */
} ngx_media_amf_cursor_t;


/*
 * A reader.  About 6 KB: meant for the stack.  AMF3 tables live for one
 * message, over all its values.
 */

typedef struct {
    ngx_media_amf_cursor_t   cur;
    ngx_media_amf_str_t      strings[NGX_MEDIA_AMF_STRINGS];
    ngx_media_amf_traits_t   traits[NGX_MEDIA_AMF_TRAITS];
} ngx_media_amf_t;


typedef struct {
    uint8_t                  type;      /* ngx_media_amf_type_e */
    uint8_t                  amf3;      /* encoded as AMF3 */
    uint8_t                  boolean;
    uint8_t                  keyed;     /* AMF3: keys end by an empty one */
    uint8_t                  cut;       /* an end marker in it is missing */
    uint32_t                 trait;     /* AMF3 object: index of its traits */
    uint32_t                 count;     /* ECMA array: as announced; array:
                                         * values; AMF3 object: members */
    double                   number;
    ngx_media_amf_str_t      string;
    const u_char            *start;     /* as encoded, marker first */
    const u_char            *end;       /* after the value */
    ngx_media_amf_cursor_t   body;      /* of a container: its first child */
} ngx_media_amf_value_t;


typedef struct {
    ngx_media_amf_t         *amf;
    ngx_media_amf_cursor_t   cur;
    ngx_media_amf_cursor_t   names;     /* AMF3: next member name */
    uint32_t                 left;      /* members or elements to come */
    uint8_t                  type;
    uint8_t                  keyed;     /* keys and values to come */
} ngx_media_amf_iter_t;


/* Reading */

/* Starts on AMF0 values (RTMP types 18, 20). */
void ngx_media_amf_init(ngx_media_amf_t *amf, const u_char *pos,
    const u_char *end);

/* Starts on AMF3 values. */
void ngx_media_amf_init_amf3(ngx_media_amf_t *amf, const u_char *pos,
    const u_char *end);

/*
 * Starts on an AMF3 message of RTMP (types 15, 17): a 0 byte, then AMF0
 * values that may switch to AMF3.  A missing 0 byte is tolerated.
 */
void ngx_media_amf_init_flex(ngx_media_amf_t *amf, const u_char *pos,
    const u_char *end);

/*
 * The next value.  NGX_MEDIA_OK; NGX_MEDIA_DONE where no byte is left (value
 * is then of type NONE); NGX_MEDIA_ERROR where it is damaged or cut off.  An
 * AMF0 object that misses only its end marker at the end of all is accepted.
 */
int ngx_media_amf_read(ngx_media_amf_t *amf, ngx_media_amf_value_t *v);

/*
 * As ngx_media_amf_read(), but does not step over the children of a
 * container: it can be walked even where its end is damaged, and nothing can
 * be read after it.
 */
int ngx_media_amf_read_head(ngx_media_amf_t *amf, ngx_media_amf_value_t *v);

/*
 * Walks the children of an OBJECT, ECMA_ARRAY or ARRAY that came from amf.
 * Of any other value nothing is handed out.  The key of an element of an
 * ARRAY is empty.  ngx_media_amf_next() returns as ngx_media_amf_read().
 */
void ngx_media_amf_enter(ngx_media_amf_t *amf,
    const ngx_media_amf_value_t *v, ngx_media_amf_iter_t *it);
int ngx_media_amf_next(ngx_media_amf_iter_t *it, ngx_media_amf_str_t *key,
    ngx_media_amf_value_t *v);

/*
 * The first child of that name.  NGX_MEDIA_OK or NGX_MEDIA_DECLINED (v is
 * then of type NONE).
 */
int ngx_media_amf_find(ngx_media_amf_t *amf,
    const ngx_media_amf_value_t *object, const char *name,
    ngx_media_amf_value_t *v);

/* 1 where a string value, or a string, is that name. */
int ngx_media_amf_is(const ngx_media_amf_value_t *v, const char *name);
int ngx_media_amf_str_is(const ngx_media_amf_str_t *s, const char *name);


/* Writing AMF0 */

/*
 * Writes into a buffer of the caller.  What does not fit is left out and sets
 * overflow, which is looked at once, at the end.
 */

typedef struct {
    u_char              *start;
    u_char              *pos;
    u_char              *end;
    uint8_t              overflow;
} ngx_media_amf_out_t;


#define ngx_media_amf_out_size(w)  ((size_t) ((w)->pos - (w)->start))


void ngx_media_amf_out_init(ngx_media_amf_out_t *w, u_char *buf, size_t size);

void ngx_media_amf_put_number(ngx_media_amf_out_t *w, double v);
void ngx_media_amf_put_boolean(ngx_media_amf_out_t *w, int v);
/* As a long string where len > 65535. */
void ngx_media_amf_put_string(ngx_media_amf_out_t *w, const void *data,
    size_t len);
void ngx_media_amf_put_cstr(ngx_media_amf_out_t *w, const char *s);
void ngx_media_amf_put_null(ngx_media_amf_out_t *w);
void ngx_media_amf_put_undefined(ngx_media_amf_out_t *w);
/* ms since 1970 */
void ngx_media_amf_put_date(ngx_media_amf_out_t *w, double ms);

/* begin, then key and value in turn, then end */
void ngx_media_amf_put_object(ngx_media_amf_out_t *w);
void ngx_media_amf_put_ecma_array(ngx_media_amf_out_t *w, uint32_t count);
void ngx_media_amf_put_key(ngx_media_amf_out_t *w, const void *data,
    size_t len);
void ngx_media_amf_put_end(ngx_media_amf_out_t *w);

/* begin, then exactly count values; no end */
void ngx_media_amf_put_array(ngx_media_amf_out_t *w, uint32_t count);

/* Bytes that are AMF0 already. */
void ngx_media_amf_put_raw(ngx_media_amf_out_t *w, const void *data,
    size_t len);

/* key and value at once */
void ngx_media_amf_prop_number(ngx_media_amf_out_t *w, const char *key,
    double v);
void ngx_media_amf_prop_boolean(ngx_media_amf_out_t *w, const char *key,
    int v);
void ngx_media_amf_prop_cstr(ngx_media_amf_out_t *w, const char *key,
    const char *s);
void ngx_media_amf_prop_string(ngx_media_amf_out_t *w, const char *key,
    const void *data, size_t len);

/*
 * Writes a value that was read: AMF0 byte for byte, AMF3 turned into AMF0
 * (references, byte arrays, vectors and dictionaries become null).
 * NGX_MEDIA_OK, or NGX_MEDIA_ERROR where it is damaged inside.
 */
int ngx_media_amf_put_value(ngx_media_amf_out_t *w, ngx_media_amf_t *amf,
    const ngx_media_amf_value_t *v);


/* Metadata */

#define NGX_MEDIA_AMF_META_PROPS  256    /* of a publisher, the rest is left */


typedef struct {
    const char          *key;
    uint8_t              type;      /* NUMBER, BOOLEAN, STRING; NONE: the key
                                     * is only taken out */
    uint8_t              boolean;
    double               number;
    ngx_media_amf_str_t  string;
} ngx_media_amf_prop_t;


/*
 * Turns a publisher's metadata ("@setDataFrame", "onMetaData", object; or
 * without the first; AMF0, possibly switching to AMF3; a leading 0 byte of an
 * AMF3 data message is stepped over) into "onMetaData" and one ECMA array.
 * Keys of props are replaced, or taken out, wherever they stand; what has a
 * value is appended in order.  All other keys and their AMF0 values stay byte
 * for byte; of a key that occurs twice the last is kept.  A missing or cut
 * off end is tolerated: what was whole before it is kept.  An empty span
 * gives props alone.
 *
 * Returns the bytes written, or -1 where the buffer is too small or the data
 * is no metadata (another event, damaged before its first key).
 */
ssize_t ngx_media_amf_merge_metadata(const u_char *pos, const u_char *end,
    const ngx_media_amf_prop_t *props, size_t nprops, u_char *out,
    size_t size);


#endif /* _NGX_MEDIA_AMF_H_INCLUDED_ */
