
/*
 * Copyright (C) the nginx media suite authors
 *
 * Bit reader: plain and RBSP reading, Exp-Golomb codes, the end.
 */


#include "ngx_media_bits.h"
#include "ngx_media_test.h"


int
main(void)
{
    size_t            n;
    u_char            buf[64];
    ngx_media_bits_t  b;

    n = ngx_media_test_hex("a5 ff 00 12 34 56 78 9a bc", buf, sizeof(buf));

    ngx_media_bits_init(&b, buf, buf + n);

    ok(ngx_media_bits_left(&b) == 72, "left of all");
    ok(ngx_media_bits_u(&b, 0) == 0, "u(0)");
    ok(ngx_media_bits_u(&b, 1) == 1, "u(1)");
    ok(ngx_media_bits_u(&b, 3) == 2, "u(3)");
    ok(ngx_media_bits_u(&b, 8) == 0x5f, "u(8) over a boundary");
    ok(ngx_media_bits_left(&b) == 60, "left");
    ngx_media_bits_align(&b);
    ok(ngx_media_bits_left(&b) == 56, "left after align");
    ngx_media_bits_align(&b);
    ok(ngx_media_bits_left(&b) == 56, "align on a boundary");
    ngx_media_bits_skip(&b, 12);
    ok(ngx_media_bits_u(&b, 32) == 0x23456789, "u(32)");
    ok(!ngx_media_bits_eof(&b), "no eof");
    ok(ngx_media_bits_u(&b, 12) == 0xabc, "to the end");
    ok(!ngx_media_bits_eof(&b), "no eof at the end");
    ok(ngx_media_bits_u(&b, 7) == 0, "zeros beyond");
    ok(ngx_media_bits_eof(&b), "eof");

    ngx_media_bits_init(&b, buf, buf + n);
    ok(ngx_media_bits_u64(&b, 64) == 0xa5ff00123456789aULL, "u(64)");
    ok(ngx_media_bits_u64(&b, 48) == 0xbc0000000000ULL, "cut off u(48)");
    ok(ngx_media_bits_eof(&b), "eof");

    /* 1 010 011 00100 00101 1 -> 0 1 2 3 4 0 */

    n = ngx_media_test_hex("a6 42 e0", buf, sizeof(buf));

    ngx_media_bits_init(&b, buf, buf + n);
    ok(ngx_media_bits_ue(&b) == 0, "ue 0");
    ok(ngx_media_bits_ue(&b) == 1, "ue 1");
    ok(ngx_media_bits_ue(&b) == 2, "ue 2");
    ok(ngx_media_bits_ue(&b) == 3, "ue 3");
    ok(ngx_media_bits_ue(&b) == 4, "ue 4");
    ok(ngx_media_bits_ue(&b) == 0, "ue 0");

    ngx_media_bits_init(&b, buf, buf + n);
    ok(ngx_media_bits_se(&b) == 0, "se 0");
    ok(ngx_media_bits_se(&b) == 1, "se 1");
    ok(ngx_media_bits_se(&b) == -1, "se -1");
    ok(ngx_media_bits_se(&b) == 2, "se 2");
    ok(ngx_media_bits_se(&b) == -2, "se -2");

    n = ngx_media_test_hex("00 00 00 00 80 00 00 00 00", buf, sizeof(buf));
    ngx_media_bits_init(&b, buf, buf + n);
    ok(ngx_media_bits_ue(&b) == 0xffffffff && !ngx_media_bits_eof(&b),
       "largest ue");

    n = ngx_media_test_hex("00 00 00 00 40 00 00 00 00", buf, sizeof(buf));
    ngx_media_bits_init(&b, buf, buf + n);
    ok(ngx_media_bits_ue(&b) == 0 && ngx_media_bits_eof(&b),
       "too long an ue");

    n = ngx_media_test_hex("00 00 03 01 00 00 03 00 00 03", buf,
                           sizeof(buf));
    ngx_media_bits_init_rbsp(&b, buf, buf + n);
    ok(ngx_media_bits_u(&b, 24) == 0x000001, "rbsp");
    ok(ngx_media_bits_u(&b, 32) == 0, "rbsp twice");
    ok(!ngx_media_bits_eof(&b), "rbsp no eof");
    (void) ngx_media_bits_u(&b, 1);
    ok(ngx_media_bits_eof(&b), "the last 03 is no data");

    ngx_media_bits_init(&b, buf, buf + n);
    ok(ngx_media_bits_u(&b, 32) == 0x00000301, "plain keeps 03");

    ngx_media_bits_init(&b, buf, buf);
    ngx_media_bits_skip(&b, 0);
    ok(!ngx_media_bits_eof(&b), "empty");
    ngx_media_bits_skip(&b, 1);
    ok(ngx_media_bits_eof(&b), "skip beyond");

    return done_testing();
}
