
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: values with variables: a list of parts, each constant or filled in.
 * Compiled by setters of directives, evaluated by hooks and whatever else
 * names files, URLs or commands by the source.
 */


#include "ngx_media_value.h"
#include "ngx_media_bytes.h"


typedef enum {
    NGX_MEDIA_VALUE_CONST = 0,
    NGX_MEDIA_VALUE_TEXT,          /* n: ngx_media_text_e */
    NGX_MEDIA_VALUE_ARG,           /* text: its name, 0-terminated */
    NGX_MEDIA_VALUE_FIELD,         /* n: which */
    NGX_MEDIA_VALUE_HOSTNAME,
    NGX_MEDIA_VALUE_PID,
    NGX_MEDIA_VALUE_MSEC,
    NGX_MEDIA_VALUE_TIME
} ngx_media_value_type_e;


typedef struct {
    ngx_uint_t             type;
    ngx_uint_t             n;
    ngx_str_t              text;
} ngx_media_value_part_t;


struct ngx_media_value_s {
    ngx_array_t            parts;      /* of ngx_media_value_part_t */
};


typedef struct {
    ngx_str_t              name;
    ngx_uint_t             type;
    ngx_uint_t             n;
} ngx_media_value_name_t;


static u_char *ngx_media_value_variable(ngx_conf_t *cf, u_char *p,
    u_char *end, ngx_media_value_part_t *part);
static u_char *ngx_media_value_field(u_char *p, u_char *end,
    const ngx_str_t *fields, ngx_media_value_part_t *part);
static ngx_int_t ngx_media_value_const(ngx_media_value_t *v, u_char *start,
    u_char *end);
static ngx_str_t ngx_media_value_part(const ngx_media_value_part_t *part,
    const ngx_str_t *text, const ngx_str_t *values, u_char *buf);
static ngx_uint_t ngx_media_value_item(const ngx_str_t *s);
static u_char *ngx_media_value_write(u_char *p, ngx_str_t *s,
    const ngx_media_value_part_t *part, ngx_uint_t flags);


static const ngx_media_value_name_t  ngx_media_value_names[] = {
    { ngx_string("media_vhost"), NGX_MEDIA_VALUE_TEXT, NGX_MEDIA_TEXT_VHOST },
    { ngx_string("media_app"), NGX_MEDIA_VALUE_TEXT, NGX_MEDIA_TEXT_APP },
    { ngx_string("media_stream"), NGX_MEDIA_VALUE_TEXT,
      NGX_MEDIA_TEXT_STREAM },
    { ngx_string("media_args"), NGX_MEDIA_VALUE_TEXT, NGX_MEDIA_TEXT_ARGS },
    { ngx_string("media_protocol"), NGX_MEDIA_VALUE_TEXT,
      NGX_MEDIA_TEXT_PROTOCOL },
    { ngx_string("media_client_id"), NGX_MEDIA_VALUE_TEXT,
      NGX_MEDIA_TEXT_ID },
    { ngx_string("hostname"), NGX_MEDIA_VALUE_HOSTNAME, 0 },
    { ngx_string("pid"), NGX_MEDIA_VALUE_PID, 0 },
    { ngx_string("msec"), NGX_MEDIA_VALUE_MSEC, 0 },
    { ngx_string("time_iso8601"), NGX_MEDIA_VALUE_TIME, 0 },
    { ngx_null_string, 0, 0 }
};


char *
ngx_media_value_compile(ngx_conf_t *cf, ngx_str_t *source,
    const ngx_str_t *fields, ngx_media_value_t **out)
{
    u_char                  *p, *next, *start, *end;
    ngx_media_value_t       *v;
    ngx_media_value_part_t   part, *pp;

    *out = NULL;

    v = ngx_palloc(cf->pool, sizeof(ngx_media_value_t));

    if (v == NULL
        || ngx_array_init(&v->parts, cf->pool, 4,
                          sizeof(ngx_media_value_part_t))
           != NGX_OK)
    {
        return "no memory";
    }

    start = source->data;
    end = source->data + source->len;

    for (p = start; p < end; /* void */ ) {

        ngx_memzero(&part, sizeof(ngx_media_value_part_t));

        if (*p == '$') {
            next = ngx_media_value_variable(cf, p + 1, end, &part);

            if (next == NULL) {
                return "unknown variable, say $media_vhost, $media_app, "
                       "$media_stream, $media_args, $media_arg_NAME, "
                       "$media_protocol, $media_client_id, $hostname, $pid, "
                       "$msec or $time_iso8601";
            }

        } else if (*p == '[' && fields) {
            next = ngx_media_value_field(p + 1, end, fields, &part);

        } else {
            next = NULL;
        }

        if (next == NULL) {
            p++;
            continue;
        }

        if (ngx_media_value_const(v, start, p) != NGX_OK) {
            return "no memory";
        }

        pp = ngx_array_push(&v->parts);
        if (pp == NULL) {
            return "no memory";
        }

        *pp = part;
        p = next;
        start = next;
    }

    if (v->parts.nelts == 0) {
        return NULL;
    }

    if (ngx_media_value_const(v, start, end) != NGX_OK) {
        return "no memory";
    }

    *out = v;

    return NULL;
}


static ngx_int_t
ngx_media_value_const(ngx_media_value_t *v, u_char *start, u_char *end)
{
    ngx_media_value_part_t  *part;

    if (start == end) {
        return NGX_OK;
    }

    part = ngx_array_push(&v->parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->type = NGX_MEDIA_VALUE_CONST;
    part->n = 0;
    part->text.data = start;
    part->text.len = end - start;

    return NGX_OK;
}


/* behind the '$'; returns what follows the name, or NULL */

static u_char *
ngx_media_value_variable(ngx_conf_t *cf, u_char *p, u_char *end,
    ngx_media_value_part_t *part)
{
    u_char                        *start;
    ngx_str_t                      name;
    ngx_uint_t                     brace;
    const ngx_media_value_name_t  *n;

    static const ngx_str_t  arg = ngx_string("media_arg_");

    brace = (p < end && *p == '{');
    start = p + brace;

    for (p = start; p < end; p++) {
        if (!((*p >= '0' && *p <= '9') || *p == '_'
              || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')))
        {
            break;
        }
    }

    name.data = start;
    name.len = p - start;

    if (brace && (p == end || *p++ != '}')) {
        return NULL;
    }

    if (name.len > arg.len
        && ngx_strncmp(name.data, arg.data, arg.len) == 0)
    {
        part->type = NGX_MEDIA_VALUE_ARG;
        part->n = 0;
        part->text.len = name.len - arg.len;
        part->text.data = ngx_pnalloc(cf->pool, part->text.len + 1);

        if (part->text.data == NULL) {
            return NULL;
        }

        (void) ngx_cpystrn(part->text.data, name.data + arg.len,
                           part->text.len + 1);
        return p;
    }

    for (n = ngx_media_value_names; n->name.len; n++) {

        if (n->name.len == name.len
            && ngx_strncmp(n->name.data, name.data, name.len) == 0)
        {
            part->type = n->type;
            part->n = n->n;
            ngx_str_null(&part->text);

            return p;
        }
    }

    return NULL;
}


/* behind the '['; what is no field stays as it is */

static u_char *
ngx_media_value_field(u_char *p, u_char *end, const ngx_str_t *fields,
    ngx_media_value_part_t *part)
{
    ngx_uint_t  i;

    for (i = 0; fields[i].len; i++) {

        if ((size_t) (end - p) > fields[i].len
            && p[fields[i].len] == ']'
            && ngx_strncmp(p, fields[i].data, fields[i].len) == 0)
        {
            part->type = NGX_MEDIA_VALUE_FIELD;
            part->n = i;
            ngx_str_null(&part->text);

            return p + fields[i].len + 1;
        }
    }

    return NULL;
}


ngx_int_t
ngx_media_value_eval(const ngx_media_value_t *value, const ngx_str_t *text,
    const ngx_str_t *values, ngx_uint_t flags, ngx_pool_t *pool,
    ngx_str_t *out)
{
    size_t                   len;
    u_char                  *p, buf[NGX_TIME_T_LEN + 8];
    ngx_str_t                s;
    ngx_uint_t               i;
    ngx_media_value_part_t  *part;

    part = value->parts.elts;
    len = 0;

    for (i = 0; i < value->parts.nelts; i++) {
        s = ngx_media_value_part(&part[i], text, values, buf);
        len += 3 * s.len;

        if ((flags & NGX_MEDIA_VALUE_ITEM)
            && part[i].type != NGX_MEDIA_VALUE_CONST
            && !ngx_media_value_item(&s))
        {
            return NGX_DECLINED;
        }
    }

    p = ngx_pnalloc(pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    for (i = 0; i < value->parts.nelts; i++) {
        s = ngx_media_value_part(&part[i], text, values, buf);
        p = ngx_media_value_write(p, &s, &part[i], flags);
    }

    out->len = p - out->data;
    *p = '\0';

    return NGX_OK;
}


static ngx_str_t
ngx_media_value_part(const ngx_media_value_part_t *part,
    const ngx_str_t *text, const ngx_str_t *values, u_char *buf)
{
    ngx_str_t            s;
    ngx_time_t          *tp;
    ngx_media_url_str_t  args, arg;

    s.data = buf;
    s.len = 0;

    switch (part->type) {

    case NGX_MEDIA_VALUE_CONST:
        return part->text;

    case NGX_MEDIA_VALUE_TEXT:
        return text[part->n];

    case NGX_MEDIA_VALUE_FIELD:

        if (values) {
            s = values[part->n];
        }

        break;

    case NGX_MEDIA_VALUE_ARG:
        args.data = text[NGX_MEDIA_TEXT_ARGS].data;
        args.len = text[NGX_MEDIA_TEXT_ARGS].len;

        if (ngx_media_arg(&args, (char *) part->text.data, &arg)) {
            s.data = arg.data;
            s.len = arg.len;
        }

        break;

    case NGX_MEDIA_VALUE_HOSTNAME:
        return ngx_cycle->hostname;

    case NGX_MEDIA_VALUE_PID:
        s.len = ngx_sprintf(buf, "%P", ngx_pid) - buf;
        break;

    case NGX_MEDIA_VALUE_MSEC:
        tp = ngx_timeofday();
        s.len = ngx_sprintf(buf, "%T.%03M", tp->sec, tp->msec) - buf;
        break;

    default:
        s.data = ngx_cached_http_log_iso8601.data;
        s.len = ngx_cached_http_log_iso8601.len;
    }

    return s;
}


static ngx_uint_t
ngx_media_value_item(const ngx_str_t *s)
{
    size_t     i;
    ngx_int_t  ch;

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if (ch == '%' && s->len - i > 2) {
            ch = ngx_hextoi(&s->data[i + 1], 2);
        }

        if (ch == ',' || ch == '?' || ch == '{' || ch == '}') {
            return 0;
        }
    }

    return 1;
}


/* arguments are in the form that URLs have: only what may not be there goes */

static u_char *
ngx_media_value_write(u_char *p, ngx_str_t *s,
    const ngx_media_value_part_t *part, ngx_uint_t flags)
{
    u_char      ch;
    size_t      i;
    ngx_uint_t  raw, slash;

    static const u_char  hex[] = "0123456789ABCDEF";

    if (s->len == 0) {
        return p;
    }

    if (!(flags & NGX_MEDIA_VALUE_URL)
        || part->type == NGX_MEDIA_VALUE_CONST)
    {
        return ngx_media_put(p, s->data, s->len);
    }

    raw = (part->type == NGX_MEDIA_VALUE_FIELD
           || part->type == NGX_MEDIA_VALUE_ARG
           || (part->type == NGX_MEDIA_VALUE_TEXT
               && part->n == NGX_MEDIA_TEXT_ARGS));
    slash = (part->type != NGX_MEDIA_VALUE_ARG);

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if ((ch >= '0' && ch <= '9')
            || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
            || ch == '-' || ch == '.' || ch == '_' || ch == '~'
            || (ch == '/' && slash)
            || (raw && ch > ' ' && ch < 0x7f && ch != '"' && ch != '<'
                && ch != '>' && ch != '\\' && ch != '#' && ch != '/'
                && (slash || ch != '?')))
        {
            *p++ = ch;
            continue;
        }

        *p++ = '%';
        *p++ = hex[ch >> 4];
        *p++ = hex[ch & 0xf];
    }

    return p;
}
