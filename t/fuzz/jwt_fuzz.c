
/*
 * Copyright (C) the nginx media suite authors
 *
 * Fuzz target: tokens.  Any bytes as a token; as the claims of one that was
 * signed; and as a pattern of a path.  The first byte says which.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_media_jwt.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_claims(ngx_media_jwt_t *jwt)
{
    int64_t                   exp;
    ngx_media_jwt_verdict_e   verdict;
    ngx_media_jwt_question_t  question;

    memset(&question, 0, sizeof(question));

    question.now = 1700000000;
    question.action = "play";
    question.app.data = (u_char *) "live";
    question.app.len = 4;
    question.stream.data = (u_char *) "x";
    question.stream.len = 1;

    exp = 0;
    verdict = ngx_media_jwt_claims(jwt, &question, &exp);

    if (verdict == NGX_MEDIA_JWT_OK && exp <= question.now) {
        abort();
    }

    question.iss = question.app;
    question.aud = question.stream;

    if (ngx_media_jwt_claims(jwt, &question, &exp) == NGX_MEDIA_JWT_OK
        && verdict != NGX_MEDIA_JWT_OK)
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char               *copy, *buf;
    unsigned              what;
    ngx_media_jwt_t       jwt;
    ngx_media_url_str_t   app, stream;

    if (size == 0) {
        return 0;
    }

    what = data[0] % 3;
    data++;
    size--;

    copy = malloc(size ? size : 1);
    buf = malloc(NGX_MEDIA_JWT_MAX);

    if (copy == NULL || buf == NULL) {
        abort();
    }

    memcpy(copy, data, size);

    if (what == 0) {

        if (ngx_media_jwt_parse(&jwt, copy, copy + size, buf)
            == NGX_MEDIA_OK)
        {
            if (jwt.signed_text.data != copy
                || jwt.signed_text.len >= size
                || jwt.claims.len + jwt.signature.len > NGX_MEDIA_JWT_MAX)
            {
                abort();
            }

            fuzz_claims(&jwt);
        }

    } else if (what == 1) {
        jwt.claims.data = copy;
        jwt.claims.len = size;
        fuzz_claims(&jwt);

    } else if (size < 200) {
        app.data = (u_char *) "some/app";
        app.len = 8;
        stream.data = (u_char *) "stream";
        stream.len = 6;

        (void) ngx_media_jwt_path(copy, size, &app, &stream);

        /* names that have no special bytes match themselves */

        stream.data = copy;
        stream.len = size;

        if (size && memchr(copy, '*', size) == NULL
            && memchr(copy, '?', size) == NULL
            && ngx_media_jwt_path(copy, size, &app, &stream))
        {
            abort();
        }
    }

    free(copy);
    free(buf);

    return 0;
}
