#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# MPEG-TS over UDP while workers come and go: three reloads cost no frame and
# ask nobody again; a killed worker costs the frames that it had not finished; a
# stream that ends in an old worker goes on in a new one, and so does one that
# worker_shutdown_timeout ends; an idle socket changes hands; a socket that is
# too small says so.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Hook;
use Test::Nginx::MPEGTS;
use Test::Nginx::Player;
use Test::Nginx::SRT;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream flv_live srt/)
    ->has_daemon('ffmpeg');

my $conf = <<'END_OF_CONF';
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;
events { accept_mutex %%MUTEX%%; }
%%MORE%%

media {
    zone 64m;
    republish_wait 5s;
    on_publish http://127.0.0.1:8085/publish;
}

stream {
    server {
        listen 127.0.0.1:%%PORT_8935_UDP%% udp;
        mpegts { publish live/a; }
    }

    server {
        listen 127.0.0.1:%%PORT_8936_UDP%% udp;
        mpegts { publish live/b; }
    }

    server {
        listen 127.0.0.1:%%PORT_8937_UDP%% udp;
        mpegts { publish live/idle; }
    }

    server {
        listen 127.0.0.1:%%PORT_8938_UDP%% udp;
        mpegts { publish live/slow; recvbuf 64k; }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 reuseport;
        location / { flv_live; play_wait 10s; }
        location /api/ { media_api write; }
    }
}
END_OF_CONF

configure();

my $hook = Test::Nginx::Hook->new($t, port(8085));

$t->run();

sub at { return '127.0.0.1:' . port($_[0]) }

# every frame is a keyframe, so that each one that is lost shows

my $clip = ts_clip($t, 'clip', duration => 8, size => '160x90', gop => 1);

my %p = map { $_ => Test::Nginx::Player->flv("/live/$_.flv",
    digest => \&flv_digest) } qw/ a b /;

ts_send($t, $clip, at(8935));
ts_send($t, $clip, at(8936), rtp => 1);

ok(play_until(sub { $p{a}->video() > 10 && $p{b}->video() > 10 }, 15),
    'they play');

is(() = reads('idle'), 1, 'one worker reads');

my %before = publishers();

# reloads: another configuration each time

for my $n (1 .. 3) {
    my $mark = $p{a}->mark();
    configure(mutex => $n == 2 ? 'on' : 'off',
        more => $n == 3 ? 'worker_shutdown_timeout 1s;' : '');
    ok($t->reload(), "reload $n");
    ok(play_until(sub { $p{a}->video($mark) > 15 }, 10), "reload $n: plays");
}

is($p{$_}->faults($clip), '', "$_: every frame over reloads") for qw/ a b /;

my %after = publishers();

is($after{$_}{id}, $before{$_}{id}, "$_: the same client") for qw/ a b /;
is(scalar $hook->requests('/publish'), 2, 'nobody was asked again');
ok(wait_until(sub { reads('idle') >= 2 }, 5), 'an idle socket changed hands');

# the reading worker is killed: an old one, then one of now, whom the master
# starts again

for my $n (1 .. 2) {
    my @players = map { Test::Nginx::Player->flv('/live/a.flv',
        digest => \&flv_digest) } 1 .. 10;

    play_until(sub { 10 == grep { $_->video() > 5 } @players }, 10);

    my %now = publishers();
    my $pid = $now{a}{worker};
    my $workers = client_workers($t);
    my ($p) = grep { $workers->{$_->{page}} != $pid } @players;
    my $mark = $p->mark();

    $t->killed($pid);
    kill 'KILL', $pid;

    ok(play_until(sub { $p->video($mark) > 30 }, 10), "kill $n: goes on");

    my ($lost, $gap) = gap($p, $mark);

    cmp_ok($lost, '<=', 3, "kill $n: frames lost");
    diag(sprintf 'kill %d: %d frames lost, players waited %.2f s', $n, $lost,
        $gap);

    my %then = publishers();
    my %worker = map { $_ => 1 } $t->workers();

    ok($worker{$then{a}{worker}}, "kill $n: a worker of now reads");
    $_->drop() for @players;
}

unlike($t->read_file('error.log'), qr/had no room in the socket/,
    'no datagram is lost');

# these have a worker_shutdown_timeout

$t->reload();

my %worker = map { $_ => 1 } $t->workers();

ok(wait_until(sub {
    my %now = publishers();
    return $now{a} && $worker{$now{a}{worker}};
}, 8), 'worker_shutdown_timeout: a worker of now reads');

# the hook takes its time: what comes meanwhile waits, or is said to be lost

$hook->answer('/publish', body => '0', delay => 1.5);

my $s = Test::Nginx::Player->flv('/live/idle.flv', digest => \&flv_digest);

ts_send($t, $clip, at(8938), duration => 0.5);
ts_send($t, $clip, at(8937), rtp => 1);

ok(play_until(sub { $s->video() > 20 }, 10), 'idle plays');
is($s->faults($clip), '', 'idle: every frame');
ok(wait_until(sub { $t->read_file('error.log')
    =~ /\[warn\] .* [1-9]\d* datagrams for \S+ had no room in the socket/ }, 5),
    'a socket that is too small');

$_->drop() for values %p, $s;
$t->stop_daemons();
$t->stop();

my ($rtp) = grep { m!/live/idle! } $t->read_file('error.log')
    =~ /^.* RTP: .*$/mg;

like($rtp || '', qr/RTP: [1-9]\d+ packets, 0 lost/, 'idle: nothing was lost');

done_testing();

###############################################################################

sub configure {
    my (%o) = @_;

    my $text = $conf;

    $o{mutex} ||= 'off';
    $o{more} ||= '';
    $text =~ s/%%MUTEX%%/$o{mutex}/;
    $text =~ s/%%MORE%%/$o{more}/;

    $t->write_file_expand('nginx.conf', $text);
}

sub publishers {
    return map { $_->{name} => $_ } grep { $_->{publish} }
        @{($t->api_get('/api/v1/clients/?count=100') || {})->{clients} || []};
}

sub reads {
    my %port = (idle => port(8937));
    my $log = $t->read_file('error.log');
    my @all = $log =~ /worker reads MPEG-TS at \S+:$port{$_[0]}$/mg;
    return @all;
}

sub numbers {
    my ($p, $from) = @_;
    return grep { defined } map { $clip->{9}{$_->{digest}} }
        grep { $_->{type} == 9 && $_->{frame} } $p->tags($from);
}


# Frames that are missing since then, and the longest pause in seconds.

sub gap {
    my ($p, $from) = @_;

    my @n = numbers($p, $from);
    my @at = map { $_->{at} } grep { $_->{type} == 9 && $_->{frame} }
        $p->tags($from);
    my $all = keys %{$clip->{9}};
    my ($lost, $pause) = (0, 0);

    for my $i (1 .. $#n) {
        $lost += ($n[$i] - $n[$i - 1] - 1) % $all;
        $pause = $at[$i] - $at[$i - 1] if $at[$i] - $at[$i - 1] > $pause;
    }

    return ($lost, $pause);
}
