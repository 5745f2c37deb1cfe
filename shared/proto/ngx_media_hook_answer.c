
/*
 * Copyright (C) the nginx media suite authors
 *
 * L1: answers of hooks: a reader of JSON (RFC 8259) that keeps a few values
 * and checks the rest.
 *
 * Each function reads one thing from p on and returns what follows it, or
 * NULL where it is damaged.  The depth is bounded, so recursion is.
 */


#include <string.h>

#include "ngx_media_hook_answer.h"


typedef enum {
    HOOK_STRING = 0,
    HOOK_INTEGER,
    HOOK_NUMBER,                 /* with a fraction or an exponent */
    HOOK_TRUE,
    HOOK_FALSE,
    HOOK_NULL,
    HOOK_OBJECT,
    HOOK_ARRAY
} hook_type_e;


/* where a value stands */

typedef enum {
    HOOK_AT_TOP = 0,
    HOOK_AT_DATA,
    HOOK_AT_URLS,
    HOOK_AT_OTHER
} hook_at_e;


typedef struct {
    hook_type_e               type;
    int                       minus;
    uint64_t                  whole;     /* of a number, up to the largest */
    unsigned                  milli;     /* three digits behind the point */
    ngx_media_url_str_t       text;      /* of a string */
} hook_value_t;


typedef struct {
    const u_char             *end;
    u_char                   *out;
    ngx_media_hook_answer_t  *answer;
    int                       code;      /* NGX_MEDIA_OK, DECLINED, ERROR */
    unsigned                  depth;
} hook_ctx_t;


static const u_char *hook_value(hook_ctx_t *ctx, const u_char *p,
    hook_at_e at, hook_value_t *v);


static const u_char *
hook_space(const u_char *p, const u_char *end)
{
    while (p < end
           && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
    {
        p++;
    }

    return p;
}


static int
hook_is(const ngx_media_url_str_t *s, const char *name)
{
    return s->len == strlen(name) && memcmp(s->data, name, s->len) == 0;
}


static int
hook_digit(const u_char *p, const u_char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}


/* --- strings ------------------------------------------------------------ */

/* four hexadecimal digits */

static const u_char *
hook_hex(const u_char *p, const u_char *end, uint32_t *code)
{
    int     i;
    u_char  c;

    if ((size_t) (end - p) < 4) {
        return NULL;
    }

    *code = 0;

    for (i = 0; i < 4; i++) {
        c = *p++;

        if (c >= '0' && c <= '9') {
            c = (u_char) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            c = (u_char) ((c | 0x20) - 'a' + 10);

        } else {
            return NULL;
        }

        *code = *code << 4 | c;
    }

    return p;
}


static u_char *
hook_utf8(u_char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (u_char) code;
        return out;
    }

    if (code < 0x800) {
        *out++ = (u_char) (0xc0 | code >> 6);

    } else {

        if (code < 0x10000) {
            *out++ = (u_char) (0xe0 | code >> 12);

        } else {
            *out++ = (u_char) (0xf0 | code >> 18);
            *out++ = (u_char) (0x80 | (code >> 12 & 0x3f));
        }

        *out++ = (u_char) (0x80 | (code >> 6 & 0x3f));
    }

    *out++ = (u_char) (0x80 | (code & 0x3f));

    return out;
}


/* behind "\u": one code, or the two of a surrogate pair */

static const u_char *
hook_unicode(hook_ctx_t *ctx, const u_char *p)
{
    uint32_t  code, low;

    p = hook_hex(p, ctx->end, &code);

    if (p == NULL || (code >= 0xdc00 && code < 0xe000)) {
        return NULL;
    }

    if (code >= 0xd800 && code < 0xdc00) {

        if ((size_t) (ctx->end - p) < 6 || p[0] != '\\' || p[1] != 'u') {
            return NULL;
        }

        p = hook_hex(p + 2, ctx->end, &low);

        if (p == NULL || low < 0xdc00 || low >= 0xe000) {
            return NULL;
        }

        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }

    ctx->out = hook_utf8(ctx->out, code);

    return p;
}


/* behind a backslash; what it becomes is never longer than it was */

static const u_char *
hook_escape(hook_ctx_t *ctx, const u_char *p)
{
    const char  *at;

    static const char  from[] = "\"\\/bfnrt";
    static const char  to[] = "\"\\/\b\f\n\r\t";

    if (p == ctx->end) {
        return NULL;
    }

    if (*p == 'u') {
        return hook_unicode(ctx, p + 1);
    }

    at = *p ? strchr(from, *p) : NULL;

    if (at == NULL) {
        return NULL;
    }

    *ctx->out++ = (u_char) to[at - from];

    return p + 1;
}


/* behind the first quote */

static const u_char *
hook_string(hook_ctx_t *ctx, const u_char *p, ngx_media_url_str_t *s)
{
    s->data = ctx->out;

    while (p < ctx->end) {

        if (*p == '"') {
            s->len = (size_t) (ctx->out - s->data);
            return p + 1;
        }

        if (*p < 0x20) {
            return NULL;
        }

        if (*p != '\\') {
            *ctx->out++ = *p++;
            continue;
        }

        p = hook_escape(ctx, p + 1);

        if (p == NULL) {
            return NULL;
        }
    }

    return NULL;
}


/* --- numbers and words -------------------------------------------------- */

static const u_char *
hook_fraction(hook_ctx_t *ctx, const u_char *p, hook_value_t *v)
{
    unsigned  unit;

    if (!hook_digit(p, ctx->end)) {
        return NULL;
    }

    for (unit = 100; hook_digit(p, ctx->end); p++) {
        v->milli += (unsigned) (*p - '0') * unit;
        unit /= 10;
    }

    return p;
}


static const u_char *
hook_number(hook_ctx_t *ctx, const u_char *p, hook_value_t *v)
{
    v->type = HOOK_INTEGER;

    if (*p == '-') {
        v->minus = 1;
        p++;
    }

    if (!hook_digit(p, ctx->end)
        || (*p == '0' && hook_digit(p + 1, ctx->end)))
    {
        return NULL;
    }

    for ( /* void */ ; hook_digit(p, ctx->end); p++) {

        if (v->whole > UINT64_MAX / 10 - 1) {
            v->whole = UINT64_MAX;

        } else {
            v->whole = v->whole * 10 + (uint64_t) (*p - '0');
        }
    }

    if (p < ctx->end && *p == '.') {
        v->type = HOOK_NUMBER;
        p = hook_fraction(ctx, p + 1, v);

        if (p == NULL) {
            return NULL;
        }
    }

    if (p == ctx->end || (*p | 0x20) != 'e') {
        return p;
    }

    /* nothing that is kept has an exponent: null stands for it */

    v->type = HOOK_NULL;
    p++;

    if (p < ctx->end && (*p == '+' || *p == '-')) {
        p++;
    }

    if (!hook_digit(p, ctx->end)) {
        return NULL;
    }

    while (hook_digit(p, ctx->end)) {
        p++;
    }

    return p;
}


static const u_char *
hook_word(hook_ctx_t *ctx, const u_char *p, hook_value_t *v)
{
    size_t    n;
    unsigned  i;

    static const struct {
        const char   *text;
        hook_type_e   type;
    } words[] = {
        { "true",  HOOK_TRUE },
        { "false", HOOK_FALSE },
        { "null",  HOOK_NULL }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        n = strlen(words[i].text);

        if ((size_t) (ctx->end - p) >= n && memcmp(p, words[i].text, n) == 0) {
            v->type = words[i].type;
            return p + n;
        }
    }

    return NULL;
}


/* --- what is kept ------------------------------------------------------- */

/* of two codes the one that refuses counts */

static void
hook_keep_code(hook_ctx_t *ctx, const hook_value_t *v)
{
    if (v->type != HOOK_INTEGER || v->whole != 0) {
        ctx->code = NGX_MEDIA_DECLINED;

    } else if (ctx->code == NGX_MEDIA_ERROR) {
        ctx->code = NGX_MEDIA_OK;
    }
}


static void
hook_keep_lifetime(hook_ctx_t *ctx, const hook_value_t *v)
{
    uint64_t  max;

    if ((v->type != HOOK_INTEGER && v->type != HOOK_NUMBER) || v->minus) {
        return;
    }

    max = NGX_MEDIA_HOOK_LIFETIME_MAX;

    ctx->answer->lifetime = (v->whole >= max / 1000)
                            ? max : v->whole * 1000 + v->milli;
}


static void
hook_keep(hook_ctx_t *ctx, hook_at_e at, const ngx_media_url_str_t *name,
    const hook_value_t *v)
{
    ngx_media_hook_answer_t  *a;

    a = ctx->answer;

    if (at == HOOK_AT_TOP) {

        if (hook_is(name, "code")) {
            hook_keep_code(ctx, v);
        }

        return;
    }

    if (at != HOOK_AT_DATA) {
        return;
    }

    if (hook_is(name, "stream") && v->type == HOOK_STRING) {
        a->stream = v->text;

    } else if (hook_is(name, "redirect") && v->type == HOOK_STRING) {
        a->redirect = v->text;

    } else if (hook_is(name, "lifetime")) {
        hook_keep_lifetime(ctx, v);

    } else if (hook_is(name, "record") && v->type == HOOK_TRUE) {
        a->record = 1;

    } else if (hook_is(name, "record") && v->type == HOOK_FALSE) {
        a->record = 0;
    }
}


/* --- objects and arrays ------------------------------------------------- */

static hook_at_e
hook_below(hook_at_e at, const ngx_media_url_str_t *name)
{
    if (at == HOOK_AT_TOP && hook_is(name, "data")) {
        return HOOK_AT_DATA;
    }

    if (at == HOOK_AT_DATA && hook_is(name, "urls")) {
        return HOOK_AT_URLS;
    }

    return HOOK_AT_OTHER;
}


/* behind the brace */

static const u_char *
hook_object(hook_ctx_t *ctx, const u_char *p, hook_at_e at)
{
    hook_value_t         v;
    ngx_media_url_str_t  name;

    p = hook_space(p, ctx->end);

    if (p < ctx->end && *p == '}') {
        return p + 1;
    }

    for ( ;; ) {

        if (p == ctx->end || *p != '"') {
            return NULL;
        }

        p = hook_string(ctx, p + 1, &name);
        if (p == NULL) {
            return NULL;
        }

        p = hook_space(p, ctx->end);

        if (p == ctx->end || *p != ':') {
            return NULL;
        }

        p = hook_value(ctx, p + 1, hook_below(at, &name), &v);
        if (p == NULL) {
            return NULL;
        }

        hook_keep(ctx, at, &name, &v);

        if (p < ctx->end && *p == '}') {
            return p + 1;
        }

        if (p == ctx->end || *p != ',') {
            return NULL;
        }

        p = hook_space(p + 1, ctx->end);
    }
}


/* behind the bracket */

static const u_char *
hook_array(hook_ctx_t *ctx, const u_char *p, hook_at_e at)
{
    hook_value_t              v;
    ngx_media_hook_answer_t  *a;

    a = ctx->answer;
    p = hook_space(p, ctx->end);

    if (p < ctx->end && *p == ']') {
        return p + 1;
    }

    for ( ;; ) {

        p = hook_value(ctx, p, HOOK_AT_OTHER, &v);
        if (p == NULL) {
            return NULL;
        }

        if (at == HOOK_AT_URLS && v.type == HOOK_STRING
            && a->nurls < NGX_MEDIA_HOOK_URLS)
        {
            a->urls[a->nurls++] = v.text;
        }

        if (p < ctx->end && *p == ']') {
            return p + 1;
        }

        if (p == ctx->end || *p != ',') {
            return NULL;
        }

        p++;
    }
}


/* with the white space on both sides of it */

static const u_char *
hook_value(hook_ctx_t *ctx, const u_char *p, hook_at_e at, hook_value_t *v)
{
    memset(v, 0, sizeof(hook_value_t));

    p = hook_space(p, ctx->end);

    if (p == ctx->end) {
        return NULL;
    }

    switch (*p) {

    case '"':
        v->type = HOOK_STRING;
        p = hook_string(ctx, p + 1, &v->text);
        break;

    case '{':
    case '[':
        v->type = (*p == '{') ? HOOK_OBJECT : HOOK_ARRAY;

        if (++ctx->depth > NGX_MEDIA_HOOK_DEPTH) {
            return NULL;
        }

        p = (*p == '{') ? hook_object(ctx, p + 1, at)
                        : hook_array(ctx, p + 1, at);
        ctx->depth--;
        break;

    case 't':
    case 'f':
    case 'n':
        p = hook_word(ctx, p, v);
        break;

    default:
        p = hook_number(ctx, p, v);
    }

    return p ? hook_space(p, ctx->end) : NULL;
}


int
ngx_media_hook_answer(ngx_media_hook_answer_t *a, const u_char *pos,
    const u_char *end, u_char *buf)
{
    hook_ctx_t    ctx;
    hook_value_t  v;

    memset(a, 0, sizeof(ngx_media_hook_answer_t));
    memset(&ctx, 0, sizeof(hook_ctx_t));

    a->record = -1;

    ctx.end = end;
    ctx.out = buf;
    ctx.answer = a;
    ctx.code = NGX_MEDIA_ERROR;

    pos = hook_value(&ctx, pos, HOOK_AT_TOP, &v);

    if (pos != end) {
        ctx.code = NGX_MEDIA_ERROR;

    } else if (v.type == HOOK_INTEGER) {
        ctx.code = (v.whole == 0 && !v.minus) ? NGX_MEDIA_OK
                                              : NGX_MEDIA_DECLINED;

    } else if (v.type != HOOK_OBJECT) {
        ctx.code = NGX_MEDIA_ERROR;
    }

    if (ctx.code != NGX_MEDIA_OK) {
        memset(a, 0, sizeof(ngx_media_hook_answer_t));
        a->record = -1;
    }

    return ctx.code;
}
