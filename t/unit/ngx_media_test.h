
/*
 * Copyright (C) the nginx media suite authors
 *
 * TAP for the unit tests of t/unit: each *_test.c is one program.
 *
 *     ok(a == b, "sum of %d", n);
 *     return done_testing();
 *
 * ok() prints one line of TAP and yields the truth of its condition; what
 * failed is told with file and line.  done_testing() prints the plan and
 * gives the exit code, 0 where all passed.
 */


#ifndef _NGX_MEDIA_TEST_H_INCLUDED_
#define _NGX_MEDIA_TEST_H_INCLUDED_


#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>


static int  ngx_media_test_count;
static int  ngx_media_test_failed;


#define ok(cond, ...)                                                         \
    ngx_media_test_ok((cond) ? 1 : 0, __FILE__, __LINE__, #cond, __VA_ARGS__)

#define is_mem(got, got_size, want, want_size, ...)                           \
    ok((size_t) (got_size) == (size_t) (want_size)                            \
       && memcmp(got, want, want_size) == 0, __VA_ARGS__)


static inline int __attribute__((format(printf, 5, 6)))
ngx_media_test_ok(int passed, const char *file, int line, const char *cond,
    const char *fmt, ...)
{
    va_list  args;

    ngx_media_test_count++;

    printf("%sok %d - ", passed ? "" : "not ", ngx_media_test_count);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");

    if (!passed) {
        ngx_media_test_failed++;
        printf("#   failed at %s:%d: %s\n", file, line, cond);
    }

    fflush(stdout);

    return passed;
}


static inline int
done_testing(void)
{
    printf("1..%d\n", ngx_media_test_count);

    if (ngx_media_test_failed) {
        printf("# %d of %d failed\n", ngx_media_test_failed,
               ngx_media_test_count);
        return 1;
    }

    return 0;
}


/* "01 af" into bytes; gives their number. */

static inline size_t
ngx_media_test_hex(const char *s, u_char *out, size_t size)
{
    size_t    n;
    unsigned  v;

    n = 0;

    while (n < size && sscanf(s, " %2x", &v) == 1) {

        while (*s == ' ') {
            s++;
        }

        s += 2;
        out[n++] = (u_char) v;
    }

    return n;
}


/*
 * Bytes in a block of exactly their size, so that reading beyond them shows
 * under AddressSanitizer.  The caller frees it.
 */

static inline u_char *
ngx_media_test_dup(const void *data, size_t size)
{
    u_char  *p;

    p = malloc(size ? size : 1);

    if (p == NULL) {
        abort();
    }

    if (size) {
        memcpy(p, data, size);
    }

    return p;
}


#endif /* _NGX_MEDIA_TEST_H_INCLUDED_ */
