#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# More workers than the zone has slots for: those that get none look for news
# by themselves.  Their players and publishers work as all others do, can be
# closed and replaced, and what they leave when they are killed is found.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;
use Test::RTMP;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/)
    ->has_daemon('ffmpeg');

plan(skip_all => 'too many processes for sanitizers')
    if $t->has_module('sanitizer');

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 132;
worker_rlimit_nofile 1024;

events {
    worker_connections 300;
}

media {
    zone 64m;
    republish_wait 5s;
    idle_timeout 5s;
    application swap { publish_conflict replace; }
}

stream {
    server {
        listen 127.0.0.1:%%PORT_1935%% reuseport;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 reuseport;

        location / {
            flv_live;
        }

        location /api/ {
            media_api write;
        }
    }
}

EOF_CONF

$t->run();

my %none;

ok(wait_until(sub {
    %none = map { $_ => 1 }
        $t->read_file('error.log') =~ /\[warn\] (\d+)#\d+: all 128 media slo/g;
    return keys %none == 4;
}), 'four workers have no slot');

my $clip = clip($t, 'clip', duration => 4);

encode($t, $clip, 'rtmp://127.0.0.1:' . port(1935) . '/live/x');
ok(wait_until(sub { live($t, 'x') }, 20), 'live');

###############################################################################

# players there of a publisher elsewhere

my @players;

for my $round (1 .. 60) {
    my @new = map { (player('flv', 'x'), player('rtmp', 'x')) } 1 .. 8;
    my $of = client_workers($t);

    for my $p (@new) {
        if ($none{$of->{$p->{page}} // 0}) {
            push @players, $p;

        } else {
            $p->drop();
        }
    }

    last if @players >= 3;
}

cmp_ok(scalar @players, '>=', 3, 'players in workers without a slot');
ok(play_until(sub { !grep { $_->video() < 60 } @players }), 'they play');
is($_->faults($clip), '', "player $_->{n} misses nothing") for @players;

# one of them is closed by the API

my $kicked = pop @players;

is(kick($kicked->{page}), 200, 'a player there is kicked');
ok(play_until(sub { $kicked->{closed} }, 5), 'it is closed');
is(scalar(grep { $_->{closed} } @players), 0, 'and no other one');

# a publisher there makes way for another one, from anywhere

my ($worker, $name, $pub) = publisher_there('swap');

ok($worker, 'a publisher that may be replaced');

my $next = Test::RTMP->new(port(1935))->connect('swap');
my $begun = time();

ok($next->publish($name), 'another one takes over');
cmp_ok(time() - $begun, '<', 2, 'at once');
ok(wait_until(sub { $pub->closed() }, 5), 'the first one is closed');

$_->close() for $pub, $next;

# a publisher there

($worker, $name, $pub) = publisher_there('live');

ok($worker, 'a publisher in a worker without a slot');

my $p = player('rtmp', $name);

is(sends($pub, $p, 40), 40, 'a player elsewhere sees it');

###############################################################################

# it dies

$t->{_killed}{$worker} = 1;
kill 'KILL', $worker;

ok(wait_until(sub { !kill 0, $worker }), 'the worker dies');
$pub->close();

$pub = Test::RTMP->new(port(1935))->connect('live');
ok($pub->publish($name), 'the name may be published again at once');

is(sends($pub, $p, 40), 40, 'and its player goes on');
ok(!$p->{closed}, 'where it was');

ok(wait_until(sub {
    !grep { $_ == $worker } values %{client_workers($t)};
}, 10), 'the dead one is out of the accounts');

$pub->close();
players_drop();
$t->stop_daemons();

ok(wait_until(sub {
    my $a = arena($t);
    return $a->{size} && !$a->{used} && !$a->{clients} && !$a->{sources};
}, 20), 'all memory is free again');

done_testing();

###############################################################################

sub player {
    my ($kind, $stream) = @_;

    return $kind eq 'flv' ? Test::Nginx::Player->flv("/live/$stream.flv")
        : Test::Nginx::Player->rtmp('live', $stream);
}

# A publisher in a worker without a slot: worker, name, client.

sub publisher_there {
    my ($app) = @_;

    for my $n (1 .. 400) {
        my $name = "there$n";
        my $pub = Test::RTMP->new(port(1935))->connect($app);
        $pub->publish($name);

        my $worker = client_workers($t)->{"publish/$name"};
        return $worker, $name, $pub if $worker && $none{$worker};

        $pub->close();
    }

    return;
}

# Closes the client of that page: status of the answer.

sub kick {
    my ($page) = @_;

    my $json = $t->api_get('/api/v1/clients/?count=1000') || {};
    my ($c) = grep { $_->{pageUrl} eq $page } @{$json->{clients}};

    return http_status(http("DELETE /api/v1/clients/$c->{id} HTTP/1.0\r\n"
        . "\r\n"));
}

# Sends until the player has that many pictures more: how many it got, or that
# many.

sub sends {
    my ($pub, $p, $want) = @_;

    my $had = $p->video();
    my $i = 0;

    $pub->video(0, Test::RTMP::avc_config());

    play_until(sub {
        my $n = $i++;
        $pub->video($n * 40, $n % 25 ? Test::RTMP::avc_inter($n)
            : Test::RTMP::avc_key($n));
        sleep 0.02;
        return $p->video() >= $had + $want;
    }, 15);

    my $got = $p->video() - $had;

    return $got > $want ? $want : $got;
}

###############################################################################
