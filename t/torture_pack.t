#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What a hostile encoder can do to the packager, with somebody who asks for
# HLS of it all the while: clocks that jump, pictures without end and without
# length, configurations that never rest, frames of megabytes, and more streams
# than there is memory for.  A stream beside must lose nothing; all is given
# back afterwards.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;
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
worker_processes 4;

events {
    worker_connections 2048;
}

media {
    zone            96m;
    republish_wait  1s;
    idle_timeout    1s;
    publish_timeout 5s 5s;

    application attack { hls_part 200ms; hls_fragment 1s; hls_window 4s; }
    application ts     { hls_part 0; hls_fragment 1s; hls_window 4s; }
    application dash   { dash on; hls_part 200ms; hls_fragment 1s;
                         hls_window 4s; }
    application live   { publish_timeout 20s 20s; }
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

my $was = workers_state($t);
my @apps = qw/ attack ts dash /;
my $seed = 99;

$SIG{PIPE} = 'IGNORE';

healthy($t, rtmp => 2, flv => 3);

###############################################################################

attack('clocks that jump', sub {
    each_app('jump', sub {
        my ($c, $n) = @_;
        my $ts = (0, 0xffffffff, 0x80000000, 0x7fffffff, 1, 3600000,
            rnd(0xffffffff), $n * 40, $n * 40)[rnd(9)];

        $c->video($ts, $n % 5 ? Test::RTMP::avc_inter($n)
            : Test::RTMP::avc_key($n));
        $c->audio($ts, Test::RTMP::aac_frame($n));
    });
});

attack('a jump with each frame', sub {
    each_app('saw', sub {
        my ($c, $n) = @_;
        $c->video(($n * 7919 * 1000) & 0xffffffff, Test::RTMP::avc_key($n));
    });
});

attack('1000 pictures a second, all keyframes', sub {
    each_app('keys', sub {
        my ($c, $n) = @_;
        $c->video($n, Test::RTMP::avc_key($n, 40));
    }, 4000);
});

attack('a clock that stands', sub {
    each_app('stand', sub {
        my ($c, $n) = @_;
        $c->video(1000, $n % 50 ? Test::RTMP::avc_inter($n)
            : Test::RTMP::avc_key($n));
        $c->audio(1000, Test::RTMP::aac_frame($n));
    }, 3000);
});

attack('composition times of an hour', sub {
    each_app('cts', sub {
        my ($c, $n) = @_;
        my $cts = (0x7fffff, 0x800000, 0, 1, 0xffffff)[rnd(5)];

        $c->video($n * 40, ($n % 25 ? "\x27" : "\x17") . "\x01"
            . substr(pack('N', $cts), 1)
            . Test::RTMP::avc_nal($n % 25 ? 0x41 : 0x65, $n));
    });
});

attack('another configuration each frame', sub {
    each_app('conf', sub {
        my ($c, $n) = @_;
        my $conf = Test::RTMP::avc_config();

        substr $conf, 8, 1, chr(0x14 + $n % 40);
        substr $conf, -2, 1, chr($n & 0xff);

        $c->video($n * 40, $conf);
        $c->audio($n * 40, "\xaf\x00" . pack('n', 2 << 11
            | ($n % 13) << 7 | (1 + $n % 7) << 3));
        $c->video($n * 40, Test::RTMP::avc_key($n));
        $c->audio($n * 40, Test::RTMP::aac_frame($n));
    }, 3000);
});

attack('another codec each frame', sub {
    each_app('codec', sub {
        my ($c, $n) = @_;

        $c->video($n * 40, "\x90" . (qw/ av01 hvc1 vp09 avc1 /)[$n % 4]
            . junk(40)) if $n & 1;
        $c->video($n * 40, "\x91" . (qw/ av01 hvc1 vp09 avc1 /)[$n % 4]
            . junk(40));
        $c->audio($n * 40, "\x90" . (qw/ Opus fLaC mp4a ac-3 /)[$n % 4]
            . junk(20));
        $c->audio($n * 40, "\x91" . (qw/ Opus fLaC mp4a ac-3 .mp3 /)[$n % 5]
            . junk(20));
        $c->audio($n * 40, "\x2f\xff\xfb\x90\x64" . 'x' x 413);
    }, 1500);
});

attack('tracks that come and go', sub {
    each_app('tracks', sub {
        my ($c, $n) = @_;
        my $id = chr($n % 7);

        $c->video($n * 10, "\x96\x00avc1$id"
            . substr Test::RTMP::avc_config(), 5) if $n % 3 == 0;
        $c->audio($n * 10, "\x95\x00mp4a$id\x12" . chr(0x10 + 8 * ($n % 3)))
            if $n % 2;
        $c->video($n * 10, "\x96\x01avc1$id\0\0\0"
            . Test::RTMP::avc_nal(0x65, $n));
        $c->audio($n * 10, "\x95\x01mp4a$id" . 'a' x 50);
    }, 3000);
});

attack('frames of megabytes', sub {
    for my $app (@apps) {
        my $c = publisher($app, 'big');
        my @s = map { start_get("/$app/big.m3u8") } 1 .. 4;

        for my $n (1 .. 5) {
            $c->video($n * 500, Test::RTMP::avc_key($n, 4000000));
            get("/$app/big.hls.0.m3u8", timeout => 1);
        }

        close $_->{socket} for @s;
        $c->close();
    }
});

attack('names of streams that are not', sub {
    my @s = map { start_get("/attack/none$_.m3u8") } 1 .. 600;
    my %got;

    $got{end_get($_)->{status}}++ for @s;

    my $said = join ' ', map { "$_: $got{$_}" } sort keys %got;
    die "wrong: $said\n" if $said ne '404: 600';
});

###############################################################################

is(healthy_end($t), '', 'the stream beside lost nothing');

# the zone is full of it, so everybody has less

attack('more streams than fit', sub {
    my @c;

    for my $n (1 .. 60) {
        my $c = eval { publisher($apps[$n % 3], "many$n", 60000) } or next;
        push @c, $c;
        start_get("/$apps[$n % 3]/many$n.m3u8");
    }

    for my $n (1 .. 60) {
        for my $c (@c) {
            eval {
                $c->video($n * 40, Test::RTMP::avc_key($n, 20000));
                1;
            } or $c->close();
        }

        get("/$apps[rnd(3)]/many" . (1 + rnd(60)) . '.hls.'
            . (qw/ 0 v0 a0 1.0 1 init /)[rnd(6)]
            . (qw/ .m3u8 .m4s .ts .mp4 /)[rnd(4)], timeout => 0.1) if $n % 4;
    }

    discard(@c);
    $_->close() for @c;
});

# who was asked for is kept for half a minute

ok(wait_until(sub { my $a = arena($t); exists $a->{used} && !$a->{used} }, 60),
    'streams that nobody asks for are gone');
is(workers_back($t, $was), '', 'all is given back');

###############################################################################

# A publisher of each application that sends what code says for each number,
# and clients that ask for what is made of it.

sub each_app {
    my ($name, $code, $count) = @_;

    for my $app (@apps) {
        my $c = publisher($app, $name);
        my $end = time() + 2;
        my @s = map { start_get("/$app/$name.$_") } qw/ m3u8 m3u8 mpd /;

        for my $n (2 .. $count || 1500) {
            $code->($c, $n);

            next if $n % 300;

            last if time() > $end;

            discard($c);

            for my $uri ("/$app/$name.m3u8", "/$app/$name.mpd",
                map { "/$app/$name.hls.$_.m3u8" } qw/ 0 v0 a0 /)
            {
                my $p = parse(get($uri, timeout => 1)->{body});

                get("/$app/$_", timeout => 1)
                    for grep { $_ } (@{$p->{uris} || []}, '')[-2],
                    (@{$p->{parts}}, '')[-2], $p->{init};

                push @s, start_get("/$app/$p->{hint}") if $p->{hint};
            }
        }

        close $_->{socket} for @s;
        $c->close();
    }
}

sub rnd {
    my ($n) = @_;

    $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;

    return int($seed / 0x80000000 * $n);
}

$t->stop();

###############################################################################

done_testing();

###############################################################################
