#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What a hostile encoder can send by POST, beside a stream that must lose
# nothing: FLV and MPEG-TS that are none or damaged, tags that are announced
# and do not come, chunks and lengths that lie, one byte at a time, resets,
# many requests, HTTP/2; and request lines and headers that are too long.
# Workers are the same afterwards, and hold no more than before.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use IO::Socket::INET;
use Socket qw/ SOL_SOCKET SO_LINGER SO_SNDTIMEO /;
use Test::Nginx;
use Test::Nginx::Player;
use Test::Nginx::Torture;
use Test::RTMP;
use Time::HiRes qw/ time sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live http_v2 /)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
    worker_connections 2048;
}

media {
    zone            64m;
    republish_wait  1s;
    idle_timeout    1s;
    publish_timeout 4s 2s;

    application replace { publish_conflict replace; }
    application mix     { mix_correct on; }

    # of the stream beside, which may be late on a busy machine

    application live    { publish_timeout 20s 20s; }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    client_header_timeout 3s;

    server {
        listen 127.0.0.1:8080;

        location / {
            flv_live;
        }

        location /push/ {
            flv_live_push on;
        }

        location /api/ {
            media_api;
        }
    }

    server {
        listen 127.0.0.1:8081 http2;

        location /push/ {
            flv_live_push on;
        }
    }
}

EOF

$t->run();

my $was = workers_state($t);
my ($http, $h2) = (port(8080), port(8081));
my $d = $t->testdir();
my ($seed, $next, @slow) = (4711, 0);

$SIG{PIPE} = 'IGNORE';

# a good body of either format

system("ffmpeg -hide_banner -nostdin -v error -y -f lavfi -i"
    . " testsrc2=size=160x90:rate=25 -f lavfi -i sine=r=44100 -t 2"
    . " -c:v libx264 -preset ultrafast -bf 2 -threads 1 -pix_fmt yuv420p -g 25"
    . " -b:v 100k -c:a aac -b:a 32k $d/x.flv && ffmpeg -hide_banner -nostdin"
    . " -v error -y -i $d/x.flv -c copy $d/x.ts") == 0
    or die "can't make a clip\n";

my ($flv, $ts) = map { $t->read_file($_) } qw/ x.flv x.ts /;
my $start = substr $flv, 0, 13;

healthy($t, rtmp => 2, flv => 5);

# one byte a second, all the while

push @slow, open_push("slow$_") for 1 .. 200;

###############################################################################

attack('garbage', sub {
    for my $n (1 .. 40) {
        for my $first ('', 'FLV', $start, 'G', "G\x40\0\x10") {
            post('x', $first . junk(1 + ($n * 37) % 3000));
        }
    }
});

attack('tags of garbage', sub {
    for my $n (1 .. 150) {
        my $body = $start;

        for (1 .. 20) {
            my $size = rnd(400);
            $body .= tag((8, 9, 18, 18, 9, 40, 7)[rnd($n % 3 ? 5 : 7)],
                rnd(0x7fffffff), body($size));
        }

        post('x', $body, app => (qw/ attack replace mix /)[$n % 3]);
    }
});

attack('damaged FLV', sub {
    post('m' . $_ % 4, damaged($flv, 1 + rnd(40)), type => 'video/x-flv')
        for 1 .. 150;
});

attack('damaged MPEG-TS', sub {
    for my $n (1 .. 150) {
        my @packets = unpack '(a188)*', damaged($ts, $n % 5 * 30);

        for (1 .. $n % 7) {
            my ($i, $k) = (rnd(scalar @packets), rnd(scalar @packets));
            @packets[$i, $k] = @packets[$k, $i];
            splice @packets, rnd(scalar @packets), 1 + rnd(5);
        }

        post('t' . $n % 4, join '', @packets);
    }
});

attack('PES of garbage', sub {
    my @tables = (unpack '(a188)*', $ts)[1, 2];

    for my $n (1 .. 80) {
        my $body = join '', $n % 10 ? @tables : ();

        for my $i (1 .. 60) {
            my $pid = 0x100 + rnd(2);
            my $head = "\0\0\1" . chr($pid & 1 ? 0xc0 : 0xe0)
                . pack('n', rnd(65536) * ($i & 1)) . "\x80" . chr(rnd(256))
                . chr(rnd(30));

            $body .= packet($pid, $i % 3 == 0, $i, ($i % 3 ? '' : $head)
                . junk(184), $n % 4 ? 0x10 : 0x30);
        }

        post('pes' . $n % 4, $body);
    }
});

attack('data that nest and count', sub {
    for my $value ("\3" . "\0\1a\3" x 3000, "\x0a\xff\xff\xff\xff",
        "\x0a\0\0\0\1" x 3000, "\x08\xff\xff\xff\xff\0\1a\x02\xff\xff",
        "\x0c\xff\xff\xff\xffxx", "\x11\x09\xff\xff\xff\xff", "\x02\xff\xffx",
        "\3\xff\xff" . 'k' x 65535 . "\0" x 8 . "\0\0\x09",
        map { junk($_) } 1 .. 60)
    {
        post('amf', $start . tag(18, 0, $_ . $value))
            for "\2\0\x0aonMetaData",
                "\2\0\x0d\@setDataFrame\2\0\x0aonMetaData", '';
    }
});

###############################################################################

attack('16 MB that are announced', sub {
    my @s = map { open_push("big$_") } 1 .. 100;

    chunk($_, $start . substr tag(9, 0, 'x' x 0xffffff), 0, 20000) for @s;
    sleep(0.5);

    my $most = most();

    note("at most $most KB in a worker");
    die "wrong: $most KB in a worker\n"
        if $most > 60000 && !$t->has_module('sanitizer');
});

attack('500 MB of tags that do not end', sub {
    my @s = map { open_push("end$_") } 1 .. 40;
    my $tag = tag(9, 0, 'x' x 0xffffff);
    my $most = 0;

    chunk($_, $start) for @s;

    for my $n (0 .. 12) {
        chunk($_, substr $tag, $n * 1048576, 1048576) for @s;
        $most = most() if $most < most();
    }

    note("at most $most KB in a worker");
    die "wrong: $most KB in a worker\n"
        if $most > 600000 && !$t->has_module('sanitizer');
});

attack('a PES that does not end', sub {
    my $s = open_push('pes');

    chunk($s, substr $ts, 0, 3 * 188);
    chunk($s, packet(0x100, 1, 0, "\0\0\1\xe0\0\0\x80\x80\5\x21\0\1\0\1"));

    for my $n (0 .. 1500) {
        chunk($s, join '', map { packet(0x100, 0, 1 + $n * 64 + $_,
            "\0\0\1\x41" . 'x' x 180) } 0 .. 63);
    }
});

###############################################################################

# MPEG-TS whose tables are hostile

my @crc = map { my $c = $_ << 24; $c = $c & 0x80000000
    ? ($c << 1 & 0xffffffff) ^ 0x04c11db7 : $c << 1 for 1 .. 8; $c } 0 .. 255;
my @types = (0x1b, 0x24, 0x0f, 0x11, 0x03, 0x81, 0x87);

attack('a new PMT with each packet', sub {
    my $s = open_push('pmt', type => 'video/mp2t');
    my @pmt = map { my $n = $_; psi_packets(0x1000, $n, pmt($n % 32, 0x100,
        map { [ $types[($n * 7 + $_) % 7], 0x100 + ($n * 3 + $_) % 40 ] }
        0 .. $n % 16)) } 0 .. 255;
    my $head = "\0\0\1\xe0\0\0\x80\x80\5\x21\0\1\0\1";
    my $cc = 0;

    chunk($s, psi_packets(0, 0, pat(1 => 0x1000)));

    for my $round (1 .. 40) {
        my $body = '';

        for my $n (0 .. $#pmt) {
            my $pid = 0x100 + $n % 40;

            substr($pmt[$n], 3, 1) = chr(0x10 | $cc++ & 15)
                if length $pmt[$n] == 188;
            $body .= $pmt[$n] . packet($pid, $n % 3 == 0, $round,
                ($n % 3 ? '' : $head) . substr $ts, 200 + $n * 40, 184)
                . packet($pid, 0, $round + 1, substr $flv, $n * 30, 184);
        }

        chunk($s, $body);
    }

    chunk($s, $ts);
    still_there($s);
});

attack('all PIDs', sub {
    my $s = open_push('pids', type => 'video/mp2t');
    my $cc = 0;

    chunk($s, psi_packets(0, 0, pat(map { $_ => 0x20 + $_ } 1 .. 250)));

    for my $n (0 .. 40) {
        chunk($s, psi_packets(0x21, 6 * $n, pmt($n, 0x1fff, map { [ 0x1b,
            0x100 + ($n * 200 + $_) % 0x1e00 ] } 1 .. 200)));

        chunk($s, join '', map { packet($_, 1, 0,
            "\0\0\1\xe0\0\0\x80\x80\5\x21\0\1\0\1" . 'x' x 170) }
            map { $n * 200 + $_ } 1 .. 200);
    }

    still_there($s);
});

attack('PES that do not end in all streams at once', sub {
    my $before = most();
    my @s = map { open_push("all$_", type => 'video/mp2t') } 1 .. 4;
    my @pids = map { 0x100 + $_ } 0 .. 13;
    my $tables = psi_packets(0, 0, pat(1 => 0x1000)) . psi_packets(0x1000, 0,
        pmt(0, 0x100, map { [ $_ & 1 ? 0x81 : 0x1b, 0x100 + $_ ] } 0 .. 13));
    my $first = join '', map { packet($_, 1, 0, "\0\0\1\xe0\0\0\x80\x80\5"
        . "\x21\0\1\0\1" . 'x' x 170) } @pids;
    my $more = join '', map { my $cc = $_; map { packet($_, 0, $cc,
        'x' x 184) } @pids } 1 .. 15, 0;
    my $most = 0;

    chunk($_, $tables . $first) for @s;

    for my $n (1 .. 1800) {
        chunk($_, $more) for @s;
        next if $n % 100;
        $most = most() if $most < most();
    }

    # each holds up to 48 MB

    note("$before KB before, at most $most KB in a worker");
    die "wrong: $most KB in a worker\n" if $most - $before > 4 * 52000
        && !$t->has_module('sanitizer');

    still_there($_) for @s;
});

attack('clocks of MPEG-TS', sub {
    my @packets = unpack '(a188)*', $ts;
    my $far = 0;

    for my $n (0 .. 20) {
        my $body = '';

        for my $p (@packets) {
            my $q = $p;
            my $time = (0, (1 << 33) - 1, 1 << 32, ($far += 1 << 31) & (1 << 33)
                - 1, rnd(0x7fffffff), $far)[$n % 2 ? rnd(6) : $n / 2 % 6];
            my $at = 4 + (ord(substr $q, 3, 1) & 0x20
                ? 1 + ord substr $q, 4, 1 : 0);

            # PTS, DTS and PCR of each its own

            if (substr($q, $at, 3) eq "\0\0\1"
                && ord(substr $q, $at + 7, 1) & 0x80)
            {
                substr($q, $at + 9, 5) = stamp(ord(substr $q, $at + 7, 1) >> 2
                    & 0x30, $time);
                substr($q, $at + 14, 5) = stamp(0x10, $n % 3 ? rnd(0x7fffffff)
                    : $time) if ord(substr $q, $at + 7, 1) & 0x40;
            }

            if (ord(substr $q, 3, 1) & 0x20 && ord(substr $q, 4, 1) > 6) {
                substr($q, 5, 1) = chr(ord(substr $q, 5, 1) | 0x80)
                    if $n % 4 == 0;
                substr($q, 6, 6) = junk(6)
                    if ord(substr $q, 5, 1) & 0x10;
            }

            $body .= $q;
        }

        my $got = post('clock' . $n % 2, $body, type => 'video/mp2t');
        die "wrong: clocks $n, $got\n" if $got != 200;
    }
});

attack('sections byte by byte', sub {
    my $s = open_push('split', type => 'video/mp2t');
    my @clip = unpack '(a188)*', $ts;
    my %cc;
    my $body = '';

    for my $p (@clip) {
        my $pid = unpack('n', substr $p, 1, 2) & 0x1fff;

        if ($pid != 0 && $pid != 0x1000) {
            $body .= $p;
            next;
        }

        my $section = substr $p, 4, 4 + (unpack('n', substr $p, 6, 2) & 0xfff);
        my $first = 1;

        for my $byte (split //, $section) {
            $body .= substr pack('CnCC', 0x47, ($first ? 0x4000 : 0) | $pid,
                0x30 | ($cc{$pid} //= 0)++ & 15, 182) . "\0" . "\xff" x 181
                . $byte, 0, 188;
            $first = 0;
        }
    }

    chunk($s, substr $body, 0, int length($body) * 0.8);

    my $v = request("GET /attack/split.flv HTTP/1.0\r\nHost: x\r\n\r\n");
    my $in = drain($v, 2);

    die "wrong: " . length($in) . " bytes\n" if length $in < 5000;
});

###############################################################################

attack('chunks that lie', sub {
    for my $chunks (
        "ffffffffffffffff\r\n$flv", "7fffffffffffffff\r\n$flv",
        "10000000000000000\r\n", "ffffffff\r\n$flv", "-5\r\n",
        "\r\n\r\n", "5\r\nFLV\1\5zz\r\n", "5 \r\nFLV\1\5\r\n0\r\n\r\n",
        '5;' . 'e' x 60000 . "\r\nFLV\1\5\r\n0\r\n\r\n",
        "5\nFLV\1\5\n0\n\n", "0\r\nTrailer: " . 't' x 60000 . "\r\n\r\n",
        "0\r\n" . "T: x\r\n" x 5000 . "\r\n", '0' x 20000 . "5\r\nFLV\1\5",
        'g', '', junk(500))
    {
        for my $close (0, 1) {
            my $s = open_push('lie');
            syswrite $s, $chunks;
            shutdown $s, 1 if $close;
            drain($s, 0.03);
        }
    }
});

attack('lengths that lie', sub {
    for my $header ('Content-Length: 9223372036854775807',
        'Content-Length: 9223372036854775808', 'Content-Length: -1',
        'Content-Length: 1', 'Content-Length: 0x10', 'Content-Length: ',
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 100000\r\nTransfer-Encoding: chunked",
        'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: identity',
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        'Expect: 100-continue', 'Expect: x', 'Connection: upgrade', 'X: y')
    {
        for my $version (0, 1) {
            my $s = request("POST /push/attack/l.flv HTTP/1.$version\r\n"
                . "Host: x\r\n$header\r\n\r\n$flv");
            drain($s, 0.03);
        }
    }
});

attack('bodies that are cut', sub {
    for my $n (1 .. 250) {
        my $body = $n % 2 ? $flv : $ts;
        my $part = substr $body, 0, $n * 97 % 20000;
        my $s = open_push('cut' . $n % 20, $n % 3
            ? (length => length $body) : ());

        if ($n % 3) {
            syswrite $s, $part;
        } else {
            chunk($s, $part);
        }

        setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $n % 2;
        shutdown $s, 1 if $n % 5 == 0;
        close $s;
    }
});

attack('2000 quick requests', sub {
    my %got;

    for my $n (1 .. 2000) {
        my $s = open_push("quick$n", length => 600);
        syswrite $s, substr $flv, 0, 600;
        $got{status($s)}++;
    }

    my $said = join ' ', map { "$_: $got{$_}" } sort keys %got;
    note($said);
    die "wrong: $said\n" if ($got{200} || 0) < 1900;
});

attack('many requests on one connection', sub {
    my $one = "POST /push/attack/keep.flv HTTP/1.1\r\nHost: x\r\n"
        . "Content-Length: 600\r\n\r\n" . substr $flv, 0, 600;
    my $s = request($one x 200);
    my $n = () = drain($s, 10, 200) =~ m!^HTTP/1.1 200 !mg;

    die "wrong: $n answers\n" if $n != 200;
});

attack('who takes the name of whom', sub {
    my @s = map { open_push('x', app => 'replace') } 1 .. 60;

    chunk($_, substr $flv, 0, 3000) for @s;
    drain($_, 0.01) for @s;
    close $_ for @s[0 .. 30];
});

attack('long lines and headers', sub {
    my $post = "POST /push/attack/x.flv HTTP/1.1\r\nHost: x\r\n"
        . "Transfer-Encoding: chunked\r\n";

    for my $case ([ 414, 'POST /push/' . 'a' x 9000 . " HTTP/1.1\r\n" ],
        [ 414, 'POST ' . '/a' x 35000 ],
        [ 414, 'GET /live/' . '%61' x 9000 . ".flv HTTP/1.1\r\n\r\n" ],
        [ 400, $post . 'X: ' . 'y' x 9000 . "\r\n\r\n" ],
        [ 400, $post . 'X: ' . 'y' x 100000 ],
        [ 400, $post . join('', map { "X$_: " . 'y' x 7000 . "\r\n" }
            1 .. 9) ],
        [ 400, $post . 'Host: ' . 'h' x 9000 . "\r\n\r\n" ],
        [ '400|414', 'P' x 9000 ], [ '400|414', "\0" x 9000 ],
        [ 400, 'POST /push/attack/' . 'a/' x 3000 . "x HTTP/1.1\r\n"
            . "Host: x\r\nContent-Length: 5\r\n\r\nFLV\1\5" ],
        [ 411, 'POST /push/attack/x.flv?' . 'a=b&' x 1000
            . " HTTP/1.1\r\nHost: x\r\n\r\n" ])
    {
        my ($want, $text) = @$case;
        my $got = status(request($text), 3);

        # the answer may be lost where more was sent than was read

        die "wrong: $got for " . substr($text, 0, 40) . "\n"
            unless $got =~ /^(?:$want)$/ || !$got && length $text > 60000;
    }
});

###############################################################################

attack('HTTP/2', sub {
    for my $round (1 .. 8) {
        my @s = map { h2() } 1 .. 4;

        for my $k (0 .. $#s) {
            for my $i (0 .. 30) {
                my $id = 1 + 2 * $i;

                syswrite $s[$k], frame(1, 4 | ($i % 9 == 0), $id,
                    fields("h$k-$i." . (qw/ flv ts /)[$i % 2]));

                next if $i % 9 == 0;

                my $body = $i % 2 ? $ts : $flv;
                $body = damaged($body, $i) if $i % 3;

                syswrite $s[$k], join '', map { frame(0, 0, $id, $_) }
                    unpack 'a1000 a1000', $body;
                syswrite $s[$k], $i % 4 == 0 ? frame(0, 1, $id, '')
                    : $i % 4 == 1 ? frame(3, 0, $id, pack('N', 8))
                    : '';
            }

            # padding that is longer than the frame ends the connection

            syswrite $s[$k], frame(0, 8, 61, chr(255) . 'x') if $k == 3;
        }

        drain($_, 0.05) for @s;

        # more than the window

        syswrite $s[0], frame(1, 4, 99, fields('w.flv'))
            . join '', map { frame(0, 0, 99, 'x' x 16000) } 1 .. 20;
        drain($s[0], 0.05);
    }
});

###############################################################################

ok(wait_until(sub { !grep { !eof_seen($_) } @slow }, 12),
    'all of the slow ones are cut');

is(post('x', $flv), 200, 'a new encoder is served');
is(post('x', $ts), 200, 'one of MPEG-TS too');

close $_ for @slow;

is(healthy_end($t), '', 'the stream beside lost nothing');
is(workers_back($t, $was), '', 'all is given back');

my $most = most();

note("at most $most KB in a worker");
cmp_ok($most, '<', 40000, 'memory too') unless $t->has_module('sanitizer');
unlike($t->read_file('error.log'), qr/\[(crit|alert|emerg)\]|on signal/,
    'nothing worse in the log');

done_testing();

###############################################################################

sub request {
    my ($text) = @_;

    slow_byte();

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $http, Timeout => 3) or die "can't connect: $!\n";
    setsockopt($s, SOL_SOCKET, SO_SNDTIMEO, pack('l!l!', 1, 0));
    syswrite $s, $text;
    return $s;
}

# The header of a request; without a length chunks follow.

sub open_push {
    my ($name, %o) = @_;

    my $app = $o{app} || 'attack';

    return request("POST /push/$app/$name HTTP/1.1\r\nHost: x\r\n"
        . (defined $o{length} ? "Content-Length: $o{length}\r\n"
            : "Transfer-Encoding: chunked\r\n")
        . ($o{type} ? "Content-Type: $o{type}\r\n" : '') . "\r\n");
}

# A body, and the status, which is always one of these.

sub post {
    my ($name, $body, %o) = @_;

    my $s = open_push($name, length => length $body, %o);

    syswrite $s, $body;

    my $status = status($s, 3);

    die "wrong: status $status\n" if $status !~ /^(0|200|400|409)$/;
    return $status;
}

sub chunk {
    my ($s, $bytes) = @_;

    syswrite $s, sprintf("%x\r\n", length $bytes) . $bytes . "\r\n";
}

# Another byte of the slow ones, once a second.

sub slow_byte {
    return if time() < $next || !@slow;

    $next = time() + 1;
    syswrite $_, "1\r\nF\r\n" for @slow;
}

sub tag {
    my ($type, $ms, $body) = @_;

    return chr($type) . substr(pack('N', length $body), 1)
        . substr(pack('N', $ms), 1) . chr($ms >> 24) . "\0\0\0" . $body
        . pack('N', length($body) + 11);
}

# A body that begins like one of a tag.

sub body {
    my ($size) = @_;

    my @starts = ("\x17\0\0\0\0\1\x64\0\x1e", "\x17\1\0\0\0", "\x27\1\xff\xff",
        "\xaf\0", "\xaf\1", "\x90hvc1", "\x91av01", "\x97\7\xff", "\x9f",
        "\x96\x10avc1", "\x95\x00hvc1\5\0\0\xff", "\x2f\xff", "\x1c\0\0\0\0\1",
        "\2\0\x0aonMetaData\x08", "\x17\0\0\0\0\0\0\0\1\x67", '');

    return substr $starts[rnd(scalar @starts)] . junk($size), 0, $size;
}

sub packet {
    my ($pid, $first, $cc, $payload, $control) = @_;

    return substr pack('CnC', 0x47, ($first ? 0x4000 : 0) | $pid,
        ($control || 0x10) | $cc % 16) . $payload . "\xff" x 184, 0, 188;
}

# It has not been answered; ends it.

sub still_there {
    my ($s) = @_;

    my $answer = drain($s, 0.2);

    die "wrong: $answer\n" if $answer ne '';
    close $s;
}

# A section of MPEG-TS in its packets.

sub psi_packets {
    my ($pid, $cc, $section) = @_;

    my @parts = unpack '(a184)*', "\0$section";

    return join '', map { packet($pid, $_ == 0, $cc + $_, $parts[$_]) }
        0 .. $#parts;
}

sub section {
    my ($table, $number, $version, $body) = @_;

    my $s = pack('CnnCCC', $table, 0xb000 | length($body) + 9, $number,
        0xc1 | ($version & 31) << 1, 0, 0) . $body;
    my $crc = 0xffffffff;

    $crc = ($crc << 8 & 0xffffffff) ^ $crc[$crc >> 24 ^ $_]
        for unpack 'C*', $s;

    return $s . pack 'N', $crc;
}

sub pat {
    my (%programs) = @_;

    return section(0, 1, 0, join '', map { pack 'nn', $_,
        0xe000 | $programs{$_} } sort { $a <=> $b } keys %programs);
}

sub pmt {
    my ($version, $pcr, @streams) = @_;

    return section(2, 1, $version, pack('nn', 0xe000 | $pcr, 0xf000)
        . join '', map { pack 'Cnn', $_->[0], 0xe000 | $_->[1], 0xf000 }
        @streams);
}

# 33 bits as in a PES header.

sub stamp {
    my ($mark, $time) = @_;

    return pack 'Cnn', $mark | ($time >> 30 & 7) << 1 | 1,
        ($time >> 15 & 0x7fff) << 1 | 1, ($time & 0x7fff) << 1 | 1;
}

sub damaged {
    my ($bytes, $n) = @_;

    substr $bytes, rnd(length $bytes), 1, chr(rnd(256)) for 1 .. $n;

    return $bytes;
}

sub rnd {
    my ($n) = @_;

    $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;

    return ($seed >> 8) % $n;
}

sub drain {
    my ($s, $timeout, $answers) = @_;

    my $end = time() + $timeout;
    my $in = '';

    while ((my $left = $end - time()) > 0) {
        last unless IO::Select->new($s)->can_read($left);
        last unless sysread $s, $in, 65536, length $in;
        last if $answers && (() = $in =~ m!^HTTP/1.1 \d+!mg) >= $answers;
    }

    return $in;
}

sub status {
    my ($s, $timeout) = @_;

    return drain($s, $timeout || 0.5, 1) =~ m!^HTTP/1.1 (\d+)! ? $1 : 0;
}

sub eof_seen {
    my ($s) = @_;

    return IO::Select->new($s)->can_read(0) && !sysread $s, my $in, 4096;
}

# KB of its own of the worker that has most.

sub most {
    my $most = 0;

    for my $pid ($t->workers()) {
        open my $fh, '<', "/proc/$pid/status" or next;
        /^RssAnon:\s+(\d+)/ && $1 > $most and $most = $1 while <$fh>;
    }

    return $most;
}

###############################################################################

# HTTP/2 by hand

sub h2 {
    slow_byte();

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $h2,
        Timeout => 3) or die "can't connect: $!\n";
    setsockopt($s, SOL_SOCKET, SO_SNDTIMEO, pack('l!l!', 1, 0));
    syswrite $s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '');
    return $s;
}

sub frame {
    my ($type, $flags, $id, $payload) = @_;

    return substr(pack('N', length $payload), 1) . chr($type) . chr($flags)
        . pack('N', $id) . $payload;
}

sub fields {
    my ($name) = @_;

    return join '', map { "\0" . pack('C/a*C/a*', @$_) }
        [':method', 'POST'], [':scheme', 'http'],
        [':path', "/push/attack/$name"], [':authority', 'x'];
}

###############################################################################
