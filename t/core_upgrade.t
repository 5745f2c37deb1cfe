#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Upgrade of the binary (USR2): the new one finds the streams of the old one,
# players in the new one see publishers in the old one and the other way round,
# and nobody misses a frame.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/)
    ->has_daemon('ffmpeg');

# as a daemon: in the foreground nginx refuses USR2

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon on;
worker_processes 4;

env ASAN_OPTIONS;
env UBSAN_OPTIONS;

events {
}

media {
    republish_wait 10s;
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
        }

        location /api/ {
            media_api;
        }
    }
}

EOF_CONF

$t->run();

my $clip = clip($t, 'clip', duration => 4);
my $url = 'rtmp://127.0.0.1:' . port(1935) . '/live/';
my $publisher = encode($t, $clip, $url . 'x');

ok(wait_until(sub { live($t, 'x') }, 20), 'live');

my @old = map { (player('flv', 'x'), player('rtmp', 'x')) } 1 .. 2;

ok(play_until(sub { !grep { $_->video() < 10 } @old }), 'they play');

###############################################################################

our $first = $t->master();
my %first = map { $_ => 1 } $t->workers();

kill 'USR2', $first;

my $second;

END { kill 'TERM', $first if $first && kill 0, $first }

ok(wait_until(sub {
    my $pid = $t->read_file('nginx.pid') || '';
    ($second) = $pid =~ /^(\d+)$/;
    return $second && $second != $first && workers_of($second) == 4;
}, 20), 'the new binary runs');

like($t->read_file('error.log'), qr/media zone of the old binary goes on, 1 /,
    'it found the streams of the old one');

# the old one takes no more connections

kill 'WINCH', $first;
$t->{_master} = $second;

ok(wait_until(sub {
    !grep { Test::Nginx::_title($_) !~ /shutting down/ } workers_of($first)
}, 20), 'old workers accept no more');

my @new = map { (player('flv', 'x'), player('rtmp', 'x')) } 1 .. 2;
my %had = map { $_->{n} => $_->video() } @old, @new;

ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 50 } @old, @new }),
    'players of both play');

my $of = client_workers($t);

ok($first{$of->{'publish/x'}}, 'the publisher is in the old binary');
is(scalar(grep { !$first{$of->{$_->{page}} // 0} } @new), 4,
    'new players are in the new one');
is(scalar(grep { $first{$of->{$_->{page}} // 0} } @old), 4,
    'old players are in the old one');

# the other way round

my $back = encode($t, $clip, $url . 'y');

ok(wait_until(sub { live($t, 'y') }, 20), 'a new publisher');
ok(!$first{client_workers($t)->{'publish/y'}}, 'it is in the new binary');

# the old master ends when its last session does

kill 'QUIT', $first;

my %mark = map { $_->{n} => $_->mark() } @old, @new;
%had = map { $_->{n} => $_->video() } @old, @new;

ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 50 } @old, @new }),
    'they play on after QUIT');
ok(kill(0, $first), 'the old master waits for its sessions');

for my $p (@old, @new) {
    ok(!$p->{closed}, "player $p->{n} stays");
    is($p->faults($clip), '', "player $p->{n} missed nothing");
    is($p->differs($old[0]), '', "player $p->{n} is in time");
}

# the encoder comes back, now in the new binary: players of the old one go on

$t->stop_daemon($publisher, 'KILL');
ok(wait_until(sub { !client_workers($t)->{'publish/x'} }, 10), 'it is gone');

%mark = map { $_->{n} => $_->mark() } @old, @new;
%had = map { $_->{n} => $_->video() } @old, @new;

$publisher = encode($t, $clip, $url . 'x');

ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 50 } @old, @new }),
    'both see the new publisher');
ok(!$first{client_workers($t)->{'publish/x'}}, 'which is in the new binary');

is($_->faults($clip, from => $mark{$_->{n}}, again => 1), '',
    "player $_->{n} missed nothing of it") for @old, @new;

$_->drop() for @old;

ok(play_until(sub { !kill 0, $first }, 15), 'the old master is gone');

my $last = player('flv', 'y');
%had = map { $_->{n} => $_->video() } @new, $last;

ok(play_until(sub { !grep { $_->video() < $had{$_->{n}} + 25 } @new, $last }),
    'the new one goes on alone');
is($last->faults($clip), '', 'and serves new players');

ok($t->reload(), 'and reloads');
is(arena($t)->{recoveries}, 0, 'nobody died');

players_drop();
$t->stop_daemons();

done_testing();

###############################################################################

sub workers_of {
    my ($master) = @_;
    return grep { Test::Nginx::_title($_) =~ /worker process/ }
        $t->_children($master);
}

sub player {
    my ($kind, $name) = @_;

    return $kind eq 'flv' ? Test::Nginx::Player->flv("/live/$name.flv")
        : Test::Nginx::Player->rtmp('live', $name);
}

###############################################################################
