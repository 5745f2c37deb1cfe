#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Hooks that inform: nothing is lost and the order is kept over an outage; the
# end of what a dead worker had; a worker that leaves tells all; a back end
# that is slow or full; 1000 publishes at once, while streams go on.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Hook;
use Test::RTMP;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live /);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes %%WORKERS%%;

events {
    worker_connections 4096;
}

media {
    zone 512m;
    publish_timeout 60s 60s;
    republish_wait 0;
    idle_timeout 1s;

    on_unpublish http://127.0.0.1:8085/unpublish;
    on_stop http://127.0.0.1:8085/stop;
    on_close http://127.0.0.1:8085/close;

    application slow {
        on_publish http://127.0.0.1:8085/slow;
        hook_timeout 30s;
    }

    application many {
        on_publish http://127.0.0.1:8085/many;
    }

    application short {
        on_unpublish http://127.0.0.1:8086/short;
        hook_queue 1s;
    }

    application once {
        on_unpublish http://127.0.0.1:8085/once;
        hook_queue 0;
    }

    application update {
        hook_update 1s;
        on_update http://127.0.0.1:8085/update;
    }
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
        }

        location /api/ {
            media_api;
        }
    }
}

EOC

my $hook = Test::Nginx::Hook->new($t, port(8085));

$t->run();

my ($r, $n);

###############################################################################

# an outage: everything is told afterwards, in order

$hook->stop();

my @clients = map { my $c = Test::RTMP->new(port(1935))->connect('live');
    $c->publish("x$_"); $c } 1 .. 20;
my %worker = map { $_->{name} => $_->{worker} } publishers();

for my $c (@clients) {
    $c->close();
    sleep(0.02);
}

ok(wait_until(sub { !publishers() }, 5), 'all have gone');
is(lines('does not answer'), scalar(keys %{{ reverse %worker }}) * 2,
    'one line per worker and URL');

sleep(1);
$hook->start();

my @told = map { $_->{json}{stream} } $hook->wait_for('/unpublish', 20, 15);

is(join(' ', sort @told), join(' ', sort map { "x$_" } 1 .. 20),
    'all are told of');

# as it happened in each worker

my @gone = map { /#(\d+): .* unpublished "live\/(x\d+)"/ ? [$1, $2] : () }
    split /\n/, $t->read_file('error.log');

for my $pid (sort keys %{{ reverse %worker }}) {
    is(join(' ', grep { $worker{$_} == $pid } @told),
        join(' ', map { $_->[1] } grep { $_->[0] == $pid } @gone), 'in order');
}

ok(wait_until(sub { lines('answers again') == lines('does not answer') }, 5),
    'one line at its end');

# hook_queue is over

my $c = Test::RTMP->new(port(1935))->connect('short');
$c->publish('x');
$c->close();

ok(wait_until(sub { lines('hook http://127.0.0.1:' . port(8086)) }, 5),
    'an outage');
sleep(1.5);

my $other = Test::Nginx::Hook->new($t, port(8086));

sleep(4.5);

$c = Test::RTMP->new(port(1935))->connect('short');
$c->publish('y');
$c->close();

($r) = $other->wait_for('/short', 1);
is($r->{json}{stream}, 'y', 'what was too old is dropped');
is(scalar($other->requests('/short')), 1, 'once');

# hook_queue 0: once

$hook->forget()->answer('/once', status => 500);

for my $n (1 .. 3) {
    $c = Test::RTMP->new(port(1935))->connect('once');
    $c->publish("x$n");
    $c->close();
    $hook->wait_for('/once', $n);
}

sleep(0.5);
is(scalar($hook->requests('/once')), 3, 'hook_queue 0');

# a refusal is no failure

$hook->forget()->answer('/unpublish', body => '1');

$c = Test::RTMP->new(port(1935))->connect('live');
$c->publish('x');
$c->close();

$hook->wait_for('/unpublish', 1);
sleep(0.5);
is(scalar($hook->requests('/unpublish')), 1, 'told once');
$hook->answer('/unpublish');

###############################################################################

# a worker dies

@clients = map { my $c = Test::RTMP->new(port(1935))->connect('live');
    $c->publish("d$_"); $c } 1 .. 8;
my @players = map { my $c = Test::RTMP->new(port(1935))->connect('live');
    $c->play("d1"); $c } 1 .. 8;

my %at;

$at{$_->{id}} = $_ for clients();

my ($victim) = map { $_->{worker} } grep { $_->{publish} } values %at;
my @lost = grep { $_->{worker} == $victim } values %at;

$hook->forget();
$t->kill_worker($victim);

my @ids = sort map { $_->{id} } grep { $_->{publish} } @lost;

is(join(' ', sort map { $_->{json}{client_id} }
    $hook->wait_for('/unpublish', scalar @ids)), "@ids",
    'on_unpublish of a dead worker');

@ids = sort map { $_->{id} } grep { !$_->{publish} } @lost;

my %stopped;

wait_until(sub {
    %stopped = ();
    $stopped{$_->{json}{client_id}}++ for $hook->requests('/stop');
    return !grep { !$stopped{$_} } @ids;
}, 10);

is(join(' ', map { $stopped{$_} // 0 } @ids), join(' ', map { 1 } @ids),
    'on_stop of a dead worker');

# reload: old workers tell the end of what they had

$hook->forget();
$t->reload();

my $left = grep { !$_->closed(0) } @clients;

$_->close() for @players, @clients;

@ids = sort map { $_->{id} } grep { $_->{publish}
    && $_->{worker} != $victim } values %at;

is(join(' ', sort map { $_->{json}{client_id} }
    $hook->wait_for('/unpublish', scalar @ids)), "@ids",
    'on_unpublish of old workers');

# and stay as long as that takes

$c = Test::RTMP->new(port(1935))->connect('live');
$c->publish('z');

$hook->forget()->stop();
$t->reload();
$c->close();
sleep(1);
$hook->start();

($r) = $hook->wait_for('/unpublish', 1);
is($r && $r->{json}{stream}, 'z', 'an old worker waits for its back end');
ok(wait_until(sub { $t->all_workers() == $t->workers() }, 10),
    'then it goes');

###############################################################################

# on_update

$hook->forget();

$c = Test::RTMP->new(port(1935))->connect('update');
$c->publish('x?a=b');
$c->video(0, Test::RTMP::avc_config());
$c->video(0, Test::RTMP::avc_key(0));

my $s = http_start("GET /update/x.flv HTTP/1.0\r\n\r\n");

my @updates = $hook->wait_for('/update', 6);

is(join(' ', map { $_->[0] } @{$updates[0]{fields}}), 'server_id service_id '
    . 'action client_id ip vhost app tcUrl stream param stream_url stream_id '
    . 'type send_bytes recv_bytes alive', 'on_update');
is($updates[0]{json}{action}, 'on_update', 'action');

my ($publish) = grep { $_->{json}{type} eq 'publish' } @updates;
my @play = grep { $_->{json}{type} eq 'play' } @updates;

is($publish->{json}{param}, '?a=b', 'param');
cmp_ok(scalar(@play), '>=', 2, 'players as well');
cmp_ok($play[1]{json}{alive} - $play[0]{json}{alive}, '>', 0.5, 'alive');
cmp_ok($play[1]{time} - $play[0]{time}, '>', 0.5, 'every hook_update');

close $s;
$c->close();

###############################################################################

# a slow back end does not touch live streams

my $p = Test::RTMP->new(port(1935))->connect('live');
$p->publish('live');
$p->video(0, Test::RTMP::avc_config());
$p->video(0, Test::RTMP::avc_key(0));

$c = Test::RTMP->new(port(1935))->connect('live');
$c->play('live');
$c->read_video() for 1 .. 2;

$hook->forget()->answer('/slow', delay => 6)->answer('/many', delay => 1);

my @slow = map { ask('slow', "s$_") } 1 .. 200;

# 1000 publishes at once

my $began = time();
my @many = map { ask('many', "m$_") } 1 .. 1000;

note(sprintf "%.1f s for 1000", time() - $began);

my $worst = 0;

for my $k (1 .. 50) {
    my $at = time();

    $p->video($k * 40, Test::RTMP::avc_inter($k));
    ok(0, 'a frame') unless $c->read_video();

    $worst = time() - $at if time() - $at > $worst;
    sleep(0.02);
}

note(sprintf "worst frame %.0f ms", $worst * 1000);
cmp_ok($worst, '<', 0.5, 'a live stream goes on');

is(scalar($hook->wait_for('/many', 1000, 40)), 1000, 'all are asked about');
is(scalar(grep { started($_) } @many), 1000, 'all publish');
is(scalar($hook->requests('/slow')), 200, 'the slow ones as well');
is(scalar(grep { started($_) } @slow), 200, 'and publish');

$began = time();
$_->close() for @many, @slow;

is(scalar($hook->wait_for('/unpublish', 1200, 40)), 1200, 'all are told of');
note(sprintf "%.1f s for 1200 ends", time() - $began);

my %ends;

$ends{$_->{json}{client_id}}++ for $hook->requests('/unpublish');
is(scalar(keys %ends), 1200, 'each once');

$_->close() for $c, $p;
$t->stop();

###############################################################################

sub clients {
    return @{$t->api_get('/api/v1/clients/?count=2000')->{clients}};
}

sub publishers {
    return grep { $_->{publish} } clients();
}

sub lines {
    my ($what) = @_;

    return scalar grep { index($_, $what) >= 0 }
        split /\n/, $t->read_file('error.log');
}

# begins to publish and does not wait

sub ask {
    my ($app, $name) = @_;

    my $c = Test::RTMP->new(port(1935), nodelay => 1)->connect($app);

    $c->create_stream();
    $c->command_on($c->{msid}, 'publish', 0, undef, $name, 'live');

    return $c;
}

sub started {
    my ($c) = @_;

    return $c->status('NetStream.Publish.Start', 20) ? 1 : 0;
}

###############################################################################

done_testing();

###############################################################################
