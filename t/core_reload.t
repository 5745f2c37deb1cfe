#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Reloads while a publisher and players are there: no session is closed and no
# frame is missing, new players are served by new workers from the publisher in
# an old one, and old workers go with their last session, or when
# worker_shutdown_timeout says so.

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

conf();
$t->run();

my $clip = clip($t, 'clip', duration => 4);
my $url = 'rtmp://127.0.0.1:' . port(1935) . '/live/x';
my $publisher = encode($t, $clip, $url);

ok(wait_until(sub { live($t, 'x') }, 20), 'live');

my @players = map { (player('flv'), player('rtmp')) } 1 .. 4;

ok(play_until(sub { !grep { $_->video() < 10 } @players }), 'all play');

my $home = client_workers($t)->{'publish/x'};
my %generation = map { $_ => 0 } $t->workers();

for my $n (1 .. 5) {
    ok($t->reload(), "reload $n");
    $generation{$_} //= $n for $t->workers();

    my @new = (player('flv'), player('rtmp'));
    my %had = map { $_->{page} => $_->video() } @players, @new;

    ok(play_until(sub {
        !grep { $_->video() < $had{$_->{page}} + 15 } @players, @new;
    }), "they play on after reload $n");

    my $of = client_workers($t);
    my @where = map { $generation{$of->{$_->{page}} // ''} // 'none' } @new;

    is("@where", "$n $n", "new players are in new workers");

    push @players, @new;
}

is(client_workers($t)->{'publish/x'}, $home,
    'the publisher is where it was');

for my $p (@players) {
    ok(!$p->{closed}, "player $p->{n} is still there");
    is($p->faults($clip), '', "player $p->{n} missed nothing");
    is($p->differs($players[0]), '', "player $p->{n} is in time");
}

###############################################################################

# only the newest workers and the publisher's are left when players have gone

$_->drop() for @players;

ok(wait_until(sub {
    my %left = map { $_ => 1 } $t->all_workers();
    delete @left{$t->workers(), $home};
    return !%left;
}, 10), 'old workers go with their last player');

ok((grep { $_ == $home } $t->all_workers()), "the publisher's worker stays");

$t->stop_daemon($publisher);

ok(wait_until(sub { $t->all_workers() == $t->workers() }, 10),
    'and goes with it');

# workers without a session go at once

$t->reload();

ok(wait_until(sub { $t->all_workers() == $t->workers() }, 10),
    'idle workers go at once');

###############################################################################

# worker_shutdown_timeout ends what is left

conf('worker_shutdown_timeout 1s;');
ok($t->reload(), 'reload with worker_shutdown_timeout');

$publisher = encode($t, $clip, $url);
ok(wait_until(sub { live($t, 'x') }, 20), 'live again');

@players = map { (player('flv'), player('rtmp')) } 1 .. 3;
ok(play_until(sub { !grep { $_->video() < 10 } @players }), 'all play again');

ok($t->reload(), 'reload');
ok(play_until(sub { !grep { !$_->{closed} } @players }, 20),
    'players are closed');
ok(wait_until(sub { $t->all_workers() == $t->workers() }, 10),
    'workers are gone');
ok(wait_until(sub { !$t->daemon_alive($publisher) }, 10),
    'and the publisher is told');
ok(wait_until(sub { arena($t)->{clients} == 0 }, 10), 'nobody is left');

is($_->faults($clip), '', 'no fault up to the end') for @players;

players_drop();
$t->stop_daemons();

done_testing();

###############################################################################

sub conf {
    my ($globals) = @_;

    $globals ||= '';

    $t->write_file_expand('nginx.conf', <<"EOF_CONF");

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;
$globals

events {
}

media {
    idle_timeout 1s;
    republish_wait 1s;
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

        location /api/ {
            media_api;
        }
    }
}

EOF_CONF
}

sub player {
    my ($kind) = @_;

    return $kind eq 'flv' ? Test::Nginx::Player->flv('/live/x.flv')
        : Test::Nginx::Player->rtmp('live', 'x');
}

###############################################################################
