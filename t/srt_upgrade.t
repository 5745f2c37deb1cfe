#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The binary is upgraded (USR2) under SRT publishers and players: those of the
# old one stay there and miss nothing, newcomers are in the new one.  Then the
# ends of workers: when their last session goes, by worker_shutdown_timeout, and
# at once by TERM, each within its time, sessions or not.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;
use Test::Nginx::SRT;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp srt /)
    ->has_daemon(qw/ ffmpeg srt-live-transmit /);

# as a daemon: in the foreground nginx refuses USR2

conf('');
$t->run();

my $clip = ts_clip($t, 'clip', duration => 4);
my $publisher = publish('x');

ok(wait_until(sub { live($t, 'x') }, 20), 'live');

my @old = map { play('x') } 1 .. 4;

ok(until_video(10, @old), 'they play');

###############################################################################

our $first = $t->master();
my $second;

END { kill 'TERM', $first if $first && kill 0, $first }

kill 'USR2', $first;

ok(wait_until(sub {
    my $pid = $t->read_file('nginx.pid') || '';
    ($second) = $pid =~ /^(\d+)$/;
    return $second && $second != $first && workers_of($second) == 4;
}, 20), 'the new binary runs');

kill 'WINCH', $first;
$t->{_master} = $second;

ok(wait_until(sub {
    !grep { Test::Nginx::_title($_) !~ /shutting down/ } workers_of($first)
}, 20), 'old workers accept no more');

my @new = map { play('x') } 1 .. 4;

ok(until_video(25, @old, @new), 'players of both play');

my %new = map { $_ => 1 } workers_of($second);
my @in = map { $_->{worker} } grep { !$_->{publish} } clients();

is(scalar(grep { $new{$_} } @in), 4, 'newcomers are in the new one');

my $back = publish('y');

ok(wait_until(sub { live($t, 'y') }, 20), 'a publisher comes to the new one');

push @old, play('y');
ok(until_video(10, $old[-1]), 'it is played');

kill 'QUIT', $first;

ok(until_video(25, @old, @new), 'they play on after QUIT');
ok(kill(0, $first), 'the old master waits for its sessions');

whole($_) for @old, @new;

ok($t->daemon_alive($publisher), 'the publisher is still there');

$t->stop_daemon($_) for $publisher, $back;
$_->drop() for @old, @new;

ok(wait_until(sub { !kill 0, $first }, 10), 'the old master goes with them');

# worker_shutdown_timeout

conf('worker_shutdown_timeout 1s;');
ok($t->reload(), 'reload with worker_shutdown_timeout');

$publisher = publish('z');
ok(wait_until(sub { live($t, 'z') }, 20), 'live');

my @cut = map { play('z') } 1 .. 3;

ok(until_video(10, @cut), 'they play');
ok($t->reload(), 'reload');

my $begun = time();

ok(wait_until(sub { $t->all_workers() == $t->workers() }, 10),
    'old workers are gone');
cmp_ok(time() - $begun, '<', 3, 'in time');
note(sprintf '%.1f s', time() - $begun);

ok(wait_until(sub { !grep { !$_->take() } @cut }, 5), 'players are told');
is($_->faults($clip), '', 'and had no fault up to the end') for @cut;
ok(wait_until(sub { !$t->daemon_alive($publisher) }, 5),
    'and so is the publisher');

# TERM

$publisher = publish('last');
ok(wait_until(sub { live($t, 'last') }, 20), 'live');

@cut = map { play('last') } 1 .. 3;
ok(until_video(10, @cut), 'they play');

my @all = $t->all_workers();

$begun = time();
kill 'TERM', $second;

ok(wait_until(sub { !grep { kill 0, $_ } @all }, 5), 'TERM ends workers');

# the master kills them after a second

cmp_ok(time() - $begun, '<', 0.9, 'at once');
note(sprintf '%.2f s', time() - $begun);

ok(wait_until(sub { !kill 0, $second }, 10), 'and the master');

ok(wait_until(sub { !grep { !$_->take() } @cut }, 5), 'players are told');

$t->stop_daemons();

done_testing();

###############################################################################

sub conf {
    my ($globals) = @_;

    $t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon on;
worker_processes 4;
$globals
env ASAN_OPTIONS;
env UBSAN_OPTIONS;
events { }

media {
    zone 64m;
    republish_wait 1s;
}

stream {
    server { listen 127.0.0.1:%%PORT_10080%% udp reuseport; srt { } }
}

http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location /api/ { media_api; }
    }
}
END_OF_CONF
}

sub workers_of {
    my ($master) = @_;
    return grep { Test::Nginx::_title($_) =~ /worker process/ }
        $t->_children($master);
}

sub publish {
    my ($name) = @_;
    return srt_send($t, $clip, srt_url(port(10080), "live/$name", 'publish'));
}

sub play {
    my ($name) = @_;
    return srt_play($t, srt_url(port(10080), "live/$name", 'request'));
}

sub clients {
    my $json = $t->api_get('/api/v1/clients/?count=1000') || {};
    return @{$json->{clients} || []};
}

sub until_video {
    my ($more, @players) = @_;
    my %had = map { $_->{n} => $_->video() } @players;

    return wait_until(sub {
        $_->take() for @players;
        return !grep { $_->video() < $had{$_->{n}} + $more } @players;
    }, 15);
}

sub whole {
    my ($p) = @_;

    is($p->faults($clip) || $p->broken() || ($p->{closed} ? 'closed' : ''),
        '', "player $p->{n} missed nothing");
}
