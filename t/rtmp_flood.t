#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Encoders that send as fast as the loopback takes it, frames of a few bytes
# and large ones, to the one worker that there is: others are served as if
# they were not there.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use List::Util qw/ max /;
use Test::Nginx;
use Test::Nginx::Player;
use Test::Nginx::Torture;
use Test::RTMP;
use Time::HiRes qw/ time sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls /);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 1;

events {
}

media {
    zone            64m;
    republish_wait  1s;
    idle_timeout    1s;
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

    server {
        listen 127.0.0.1:8080;

        location / {
            flv_live;
            hls;
        }

        location /api/ {
            media_api;
        }
    }
}

EOC

$t->run();

my $d = $t->testdir();

$SIG{PIPE} = 'IGNORE';

# warm

http_get('/api/v1/summaries');

for my $size (40000, 100, 1) {
    my @pids = map { flood($size, "$size-$_") } 1 .. 2;

    wait_until(sub { -e "$d/flood.$size-1" && -e "$d/flood.$size-2" }, 10);
    sleep(0.5);

    my @times;

    for my $n (1 .. 30) {
        my $start = time();

        my $status = http_status($n & 1 ? http_get('/api/v1/summaries')
            : http_get('/live/none.m3u8'));

        push @times, time() - $start if $status;
        sleep(0.02);
    }

    my @sorted = sort { $a <=> $b } @times;

    note(sprintf 'frames of %d: median %.0f ms, at most %.0f ms', $size,
        1000 * ($sorted[15] // 99), 1000 * ($sorted[-1] // 99));

    is(scalar @times, 30, "frames of $size: all are answered");

    # the worker shares a processor with who attacks it

    cmp_ok($sorted[15] // 99, '<', 0.25, "frames of $size: quickly");

    $t->stop_daemon($_) for @pids;
}

$t->stop();

###############################################################################

# An encoder in a process of its own; returns its pid.

sub flood {
    my ($size, $name) = @_;

    return $t->run_daemon(sub {
        my $c = publisher('live', "flood$name");

        # each message is a millisecond after the one before: the same bytes

        my $frame = "\xaf\x01" . 'a' x $size;
        my $first = "\x44" . "\0\0\1" . substr(pack('N', length $frame), 1)
            . "\x08";
        my $block = join '', map { $first . $frame }
            1 .. 500000 / length "$first$frame";

        $t->write_file("flood.$name", '');

        my $end = time() + 20;

        while (time() < $end) {
            last unless syswrite $c->{socket}, $block;
            1 while sysread_now($c->{socket});
        }
    });
}

sub sysread_now {
    my ($socket) = @_;

    my $bits = '';
    vec($bits, fileno $socket, 1) = 1;

    return select($bits, undef, undef, 0) && sysread $socket, my $buf, 65536;
}

###############################################################################

done_testing();

###############################################################################
