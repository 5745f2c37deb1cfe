#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# HLS where things go wrong under load: a hundred outputs that are asked for
# at once in a small zone, and 500 requests that wait while nginx is reloaded,
# the encoder goes and the worker of the publisher is killed; viewers that are
# kicked while they come; a disk that stands still under many streams.  All
# are answered in bounded time; a stream beside loses nothing.

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

use Fcntl qw/ :flock /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls /);

my $dir = $t->testdir();

$t->write_file_expand('nginx.conf', <<"EOC");
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;

events {
    worker_connections 4096;
}

media {
    zone            64m;
    republish_wait  2s;
    idle_timeout    1s;
    publish_timeout 20s 20s;

    hls_part        200ms;
    hls_fragment    1s;
    hls_window      5s;

    application who  { hls_session on; }
    application disk { hls_path $dir/hls; hls_part 0; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 backlog=4096;

        location / { flv_live; hls; }
        location /wait/ { hls; play_wait 8s; }
        location /api/ { media_api write; }
    }
}
EOC

$t->run();

my $was = workers_state($t);
my $uri = '/many/x.hls.0.m3u8';

$SIG{PIPE} = 'IGNORE';

healthy($t, rtmp => 2, flv => 3);

###############################################################################

attack('100 outputs at once', sub {
    my @p = map { publisher('many', "s$_") } 1 .. 100;
    my ($slow, %got) = (0);

    frames($_, 20000, @p) for 1 .. 100;

    my @s = map { start_get("/many/s$_.hls.0.m3u8") } 1 .. 100;

    for my $n (101 .. 175) {
        frames($n, 20000, @p);

        my $begin = time();

        arena($t);
        $slow = time() - $begin if $slow < time() - $begin;
    }

    discard(@p);

    $got{end_get($_, timeout => 12)->{status}}++ for @s;
    $_->close() for @p;

    my $said = join ' ', map { "$_: $got{$_}" } sort keys %got;

    note("$said, the API within " . int(1000 * $slow) . ' ms');
    die "wrong: $said\n" if !$got{200} || $got{200} + ($got{503} || 0) < 100;
    die "wrong: the API took $slow s\n" if $slow > 1;
});

attack('a disk that stands still', sub {
    my @p = map { publisher('disk', "s$_") } 1 .. 60;
    my ($slow, @locks) = (0);

    for my $n (1 .. 120) {
        frames($n, 1000, @p);

        if ($n == 60) {
            for my $file (glob "$dir/hls/.hls/*") {
                open my $fh, '+<', $file or next;
                push @locks, $fh if flock $fh, LOCK_EX | LOCK_NB;
            }
        }

        my $begin = time();

        arena($t);
        $slow = time() - $begin if $slow < time() - $begin;
        sleep 0.04;
    }

    note(@locks . ' are locked, the API within ' . int(1000 * $slow) . ' ms');
    die "wrong: the API took $slow s\n" if $slow > 1;
    die "wrong: nothing is locked\n" if !@locks;

    undef @locks;
    $_->close() for @p;
});

is(healthy_end($t), '', 'the stream beside lost nothing');

ok(wait_until(sub { (arena($t)->{sources} // 1) == 0 }, 60),
    'streams are gone');
is(workers_back($t, $was), '', 'everything is given back');

###############################################################################

# viewers come and are kicked, in all pages of the API

my $encoder = encoder('who');

ok(hls_live('/who/x.hls.0.m3u8', 2), 'viewers');

attack('viewers that are kicked while they come', sub {
    my (@ids, %got, $kicked);

    for my $round (1 .. 15) {
        my @s = map { start_get('/who/x.m3u8') } 1 .. 20;

        for my $s (@s) {
            my $a = end_get($s);

            $got{$a->{status}}++;
            push @ids, $1 if $a->{body} =~ /hls_ctx=(\w{8})/;
        }

        @s = map { start_get('/who/x.hls.0.m3u8?hls_ctx='
            . $ids[($round * 31 + $_ * 7) % @ids]) } 1 .. 20;

        my $json = $t->api_get('/api/v1/clients/?count=20&start='
            . $round * 5 % 60) || {};

        for my $c (grep { $_->{type} =~ /hls/ } @{$json->{clients}}) {
            get("/api/v1/clients/$c->{id}", method => 'DELETE');
            $kicked++;
        }

        $got{end_get($_)->{status}}++ for @s;
    }

    my $said = join ' ', map { "$_: $got{$_}" } sort keys %got;

    note("$said, $kicked kicked");
    die "wrong: $said\n" if grep { $_ !~ /^(200|404)$/ } keys %got;
    die "wrong: none is kicked\n" unless $kicked;
});

$t->stop_daemon($encoder);

# those who wait

$encoder = encoder('many');

ok(hls_live($uri, 3), 'live');

my @none = map { start_get("/wait/none$_.m3u8") } 1 .. 100;
my @s = waiting();

$t->reload();

is(answers(@s), '200', 'reload: who waits is answered');

@s = waiting();
$t->stop_daemon($encoder);

like(answers(@s), qr/^(200|404|503)( (404|503))*$/,
    'the encoder goes: who waits is answered');

$encoder = encoder('many');
ok(wait_until(sub { publisher_worker() }, 10), 'the encoder comes back');
ok(hls_live($uri, 3), 'live again');

@s = waiting();

my $worker = publisher_worker();

$t->{_killed}{$worker} = 1;
kill 'KILL', $worker;

like(answers(@s), qr/^0 200( (404|503))*$/,
    'the worker of the publisher dies: who waits is answered, or closed');
like(answers(@none), qr/^(0 )?404$/, 'names that nobody publishes too');

$t->stop_daemon($encoder);

ok(wait_until(sub {
    my $a = arena($t);
    return exists $a->{used} && !$a->{used} && !$a->{clients};
}, 60), 'the zone is empty');

$t->stop();

done_testing();

###############################################################################

# A picture, each second a keyframe of so many bytes, and a sound.

sub frames {
    my ($n, $size, @publishers) = @_;

    for my $p (@publishers) {
        $p->video($n * 40, $n % 25 ? Test::RTMP::avc_inter($n, $size / 8)
            : Test::RTMP::avc_key($n, $size));
        $p->audio($n * 40, Test::RTMP::aac_frame($n));
    }
}

sub encoder {
    my ($app) = @_;

    return $t->run_daemon(sub {
        my $p = publisher($app, 'x');
        my $start = time();

        for my $n (1 .. 1500) {
            frames($n, 20000, $p);

            my $left = $start + $n * 0.04 - time();

            sleep $left if $left > 0;
        }
    });
}

sub publisher_worker {
    my ($c) = grep { $_->{publish} }
        @{($t->api_get('/api/v1/clients/?count=1000') || {})->{clients}};

    return $c->{worker};
}

# 500 requests for parts that are still to come

sub waiting {
    my $next = playlist($uri)->{next_msn};

    return map { start_get("$uri?_HLS_msn=" . ($next + 1) . '&_HLS_part='
        . $_ % 3) } 1 .. 500;
}

# The statuses of all, which come within 10 s; 0: closed.

sub answers {
    my (@requests) = @_;

    my ($most, %got) = (0);

    for my $s (@requests) {
        my $a = end_get($s, timeout => 12);

        $got{$a->{status}}++;
        $most = $a->{time} if $most < $a->{time};
    }

    note(join(' ', map { "$_: $got{$_}" } sort keys %got), ", within $most s");

    return $most > 11 ? "after $most s" : join ' ', sort keys %got;
}

###############################################################################
