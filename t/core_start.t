#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Where players begin and go on: long keyframes, gop_cache off, GOPs longer
# than queue_length, a publisher that comes back with other tracks, tracks
# given up and taken back.  Frames carry numbers, so that each one counts.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 1;

events {
}

media {
    publish_timeout 20s 60s;
    republish_wait  5s;
    idle_timeout    5s;

    application off   { gop_cache off; }
    application long  { queue_length 1s; }
    application raw   { time_jitter off; queue_length 1s; }
    application short { republish_wait 100ms; }
}

stream {
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
            play_wait 10s;
        }
    }
}

EOF_CONF

$t->run();

my $port = port(1935);
my $big = 300000;

###############################################################################

# a keyframe of several segments, with nobody in the log when it comes

my ($p, $v, $w);

$p = publisher('off', 'big');
frames($p, 1, 2, 300);
done($p);
$v = player('off', 'big');
frames($p, 3, 4);
$p->video(5 * 40, Test::RTMP::avc_key(5, $big));
frames($p, 6, 7);

is(numbers($v, 3), '5 6 7', 'gop_cache off: a long keyframe is the first');
is($v->{last}, 'x' x 10, 'all of it');

# paused over a long keyframe

$v->command_on($v->{msid}, 'pause', 0, undef, Test::RTMP::bool(1), num(0));
$v->status('NetStream.Pause.Notify');
$p->video(8 * 40, Test::RTMP::avc_key(8, $big));
frames($p, 9, 9);
done($p);
$w = player('off', 'big');
frames($p, 10, 10);
$v->command_on($v->{msid}, 'pause', 0, undef, Test::RTMP::bool(0), num(0));
$v->status('NetStream.Unpause.Notify');
is(numbers($v, 3), '8 9 10', 'gop_cache off: goes on at the newest keyframe');

# a track is given up and taken back

$v->command_on($v->{msid}, 'receiveAudio', 0, undef, Test::RTMP::bool(0));
$v->command_on($v->{msid}, 'createStream', 9);
$v->answer(9);
frames($p, 11, 12);
is(numbers($v, 2), '11 12', 'gop_cache off: no frame is missed without audio');

bye($p, $v, $w);

###############################################################################

# a GOP longer than queue_length

$p = publisher('long', 'gop');
$p->video(40, Test::RTMP::avc_key(1, $big));
$p->video($_ * 400, Test::RTMP::avc_inter($_, 60000)) for 2 .. 20;
done($p);

$v = player('long', 'gop');
is(numbers($v, 10), join(' ', 1 .. 10), 'long GOP: its beginning');
$p->video($_ * 400, Test::RTMP::avc_inter($_, 100)) for 21 .. 25;
is(numbers($v, 15), join(' ', 11 .. 25), 'long GOP: all of it');

bye($p, $v);

###############################################################################

# a clock that goes back, and is passed on so

$p = publisher('raw', 'clock');
$p->video(100000 + $_ * 40, $_ == 1 ? Test::RTMP::avc_key($_)
    : Test::RTMP::avc_inter($_)) for 1 .. 5;
done($p);
$v = player('raw', 'clock');
is(numbers($v, 5), '1 2 3 4 5', 'time_jitter off');
$p->video($_ * 40, $_ == 6 ? Test::RTMP::avc_key($_)
    : Test::RTMP::avc_inter($_)) for 6 .. 9;
is(numbers($v, 4), '6 7 8 9', 'time_jitter off, back');

bye($p, $v);

###############################################################################

# the publisher comes back: without audio, and with no keyframe at first

$p = publisher('live', 'again');
$p->audio(0, Test::RTMP::aac_config());
frames($p, 1, 3, 300);
$p->audio(120, Test::RTMP::aac_frame(3));
done($p);
$v = player('live', 'again');
is(numbers($v, 3), '1 2 3', 'first publish');
$p->close();

ok($v->user_event(2), 'stream is dry');

$p = publisher('live', 'again');
$w = player('live', 'again');
$p->video($_ * 40, Test::RTMP::avc_inter($_)) for 4 .. 6;
$p->video($_ * 40, $_ == 7 ? Test::RTMP::avc_key($_)
    : Test::RTMP::avc_inter($_)) for 7 .. 9;

is(numbers($v, 3), '7 8 9', 'a player goes on with the first keyframe');
is(numbers($w, 3), '7 8 9', 'a new player does not begin in the old GOP');
is($w->{audio}, 0, 'nothing of the old audio');

bye($p, $v, $w);

###############################################################################

# metadata with an index of keyframes: up to 32 KB is kept for later players,
# and it makes way for configurations

$p = publisher('live', 'meta');
$p->data(0, 'onMetaData', { width => num(64), index => 'i' x 30000 });
frames($p, 1, 1, 300);
done($p);

$v = player('live', 'meta');
my $m = $v->expect(sub { $_[0]{type} == 18 && $_[0]{body} =~ /onMetaData/ });
cmp_ok(length($m->{body} // ''), '>', 30000, 'metadata of 30 KB');
is(numbers($v, 1), '1', 'and what it is of');

$p->video(80, Test::RTMP::avc_config() . ('x' x 20000) . $_) for 1 .. 3;
$p->video(120, Test::RTMP::avc_key(2));
done($p);

$w = player('live', 'meta');
$m = $w->expect(sub { $_[0]{type} == 9 });
like($m->{body} // '', qr/^\x17\x00.*x3$/s, 'the newest configuration');
is(numbers($w, 1), '2', 'and its keyframe');

bye($p, $v, $w);

###############################################################################

# memory that one large frame took is given back

$p = publisher('live', 'large');
frames($p, 1, 1, 300);
done($p);
$v = player('live', 'large');
numbers($v, 1);

my $before = memory();

$p->video(80, Test::RTMP::avc_key(2, 12000000));
is(numbers($v, 1), '2', 'a frame of 12 MB');
$p->video(120, Test::RTMP::avc_key(3));
is(numbers($v, 1), '3', 'the next one');
SKIP: {
    skip 'AddressSanitizer keeps what was freed', 1
        if $t->has_module('sanitizer');

    ok(wait_until(sub { memory() < $before + 16 * 1024 }, 10),
        'all but what is kept for later is free')
        or diag(memory() - $before, ' KB more');
}

bye($p, $v);

###############################################################################

# play_wait is longer than what is left of a publish before

$p = publisher('short', 'wait');
frames($p, 1, 1, 300);
done($p);
$v = player('short', 'wait');
is(numbers($v, 1), '1', 'a short publish');
$p->close();

ok($v->user_event(2), 'it is over');
bye($v);

my $s = http_start("GET /short/wait.flv HTTP/1.0\r\n\r\n");
select undef, undef, undef, 2.5;

$p = publisher('short', 'wait');
frames($p, 1, 30, 300);

my $r = '';
wait_until(sub { sysread $s, $r, 65536, length $r; length $r > 500 }, 10);
like($r, qr!^HTTP/1.1 200!, 'play_wait is not cut short');
close $s;

bye($p);

###############################################################################

done_testing();

###############################################################################

sub num { return Test::RTMP::num($_[0]) }

# Memory of its own that the worker has, in KB.

sub memory {
    my ($pid) = $t->workers();

    open my $fh, '<', "/proc/$pid/status" or return 0;
    my ($kb) = map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$fh>;
    return $kb || 0;
}

sub client {
    my ($app) = @_;
    return Test::RTMP->new($port)->connect($app);
}

sub player {
    my ($app, $name) = @_;

    my $c = client($app);
    $c->play($name);

    return $c;
}

sub publisher {
    my ($app, $name) = @_;

    my $p = client($app);

    wait_until(sub {
        my $s = $p->publish($name, again => defined $p->{msid});
        return $s;
    }, 5);

    $p->video(0, Test::RTMP::avc_config());

    return $p;
}

sub frames {
    my ($p, $from, $to, $key) = @_;

    for my $n ($from .. $to) {
        $p->video($n * 40, $key && $n == $from ? Test::RTMP::avc_key($n, $key)
            : Test::RTMP::avc_inter($n));
    }
}

# the server has read all that was sent

sub done {
    my ($p) = @_;
    $p->call('releaseStream', undef, 'none');
}

# numbers of the next video frames; counts audio that came between them

sub numbers {
    my ($c, $n) = @_;

    my @numbers;

    $c->{audio} //= 0;

    while (@numbers < $n) {
        my $m = $c->expect(sub { $_[0]{type} == 9 || $_[0]{type} == 8 });

        if (!$m) {
            push @numbers, 'none';
            last;
        }

        $c->{audio}++, next if $m->{type} == 8;
        next if substr($m->{body}, 1, 1) eq "\0";

        push @numbers, Test::RTMP::number($m);
        $c->{last} = substr $m->{body}, -10 if length $m->{body} > 1000;
    }

    return join ' ', @numbers;
}

sub bye { $_->close() for @_ }

###############################################################################
