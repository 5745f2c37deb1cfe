#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# SRT through everyday faults, publisher and players in different workers:
# reloads, workers that are killed, that of the publisher in the end.  Whoever
# is not in it misses nothing.

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

# TEST_FAULTS_RELOADS: how often

my $reloads = $ENV{TEST_FAULTS_RELOADS} || 10;
my $t = Test::Nginx->new()->has(qw/ http stream rtmp srt /)
    ->has_daemon(qw/ ffmpeg srt-live-transmit /);

conf();
$t->run();

my $clip = ts_clip($t, 'clip', duration => 4);
my $publisher = publish();

ok(wait_until(sub { live($t, 'x') }, 20), 'live');

# players in two other workers at least

my $home = client_workers($t)->{'publish/x'};
my (@srt, @rtmp);

for (1 .. 12) {
    push @srt, play('x');
    push @rtmp, Test::Nginx::Player->rtmp('live', 'x', digest => \&flv_digest)
        if @rtmp < 3;

    ok(until_video(10), 'one more plays') or last;

    my %in = map { $_ => 1 } where();

    last if @srt >= 3 && (keys %in) - ($in{$home} || 0) >= 2;
}

note(join ' ', $home, '-', where());

###############################################################################

my $id = publisher_id();

for my $n (1 .. $reloads) {
    ok($t->reload(), "reload $n");
    until_video(4);
}

ok(until_video(30), 'they play on');
ok($t->daemon_alive($publisher), 'the publisher is still there');
is(publisher_id(), $id, 'the same');
whole("after $reloads reloads");

my %old = map { $_ => 1 } $t->all_workers();
delete @old{$t->workers()};

cmp_ok(scalar keys %old, '<=', 1 + @srt + @rtmp,
    'old workers without sessions are gone');

# newcomers are in the new workers, whose source is in an old one

push @srt, play('x') for 1 .. 2;
ok(until_video(10), 'newcomers play');
is(scalar(grep { $old{$_} } (where())[-1, -2]), 0, 'in new workers');
is($_->faults($clip), '', "newcomer $_->{n}") for @srt[-2, -1];

# a worker that has none of them

my %busy = map { $_ => 1 } where(), $home;
my ($idle) = grep { !$busy{$_} } $t->workers();

SKIP: {
    skip 'each worker has a player', 2 if !$idle;

    ok($t->kill_worker($idle), 'kill -9 of a worker without sessions');
    until_video(15);
    whole('after it');
}

# one that has players

my %of = of();
my ($victim) = grep { $_ != $home } map { $of{$_->{n}} } @srt;
my @dead = grep { $of{$_->{n}} == $victim } @srt;

@srt = grep { $of{$_->{n}} != $victim } @srt;

my @alive = grep { rtmp_worker($_) != $victim } @rtmp;
my @dead_rtmp = grep { rtmp_worker($_) == $victim } @rtmp;

@rtmp = @alive;

ok(kill_any($victim), 'kill -9 of a worker with ' . @dead . ' players');
ok(until_video(25), 'the others play');
whole('after that');
$_->drop() for @dead, @dead_rtmp;

# that of the publisher

my $died = time();
my $mark = { map { $_->{n} => $_->mark() } @srt, @rtmp };

%of = of();
@dead = grep { $of{$_->{n}} == $home } @srt;
@srt = grep { $of{$_->{n}} != $home } @srt;
@dead_rtmp = grep { rtmp_worker($_) == $home } @rtmp;
@rtmp = grep { rtmp_worker($_) != $home } @rtmp;
$_->pause() for @dead_rtmp;

push @srt, play('x') if !@srt;

ok(kill_any($home), "kill -9 of the publisher's worker");

# an encoder that nobody answers any more says so after 5 seconds

ok(wait_until(sub { !$t->daemon_alive($publisher) }, 12),
    'the publisher finds out');
note(sprintf 'after %.1f s', time() - $died);

$publisher = publish();

ok(wait_until(sub { live($t, 'x') }, 10), 'and is there again');

for my $p (@srt, @rtmp) {
    $p->take() if $p->{file};
    $p->{from} = $p->mark();
}

ok(until_video(25), 'players see it come back');

for my $p (@srt, @rtmp) {
    ok(!$p->{closed}, "player $p->{n} has stayed");
    is($p->faults($clip, from => $p->{from}, again => 1), '',
        "player $p->{n} misses nothing of it");
}

# the end

my $begun = time();
my @left = $t->all_workers();

kill 'QUIT', $t->master();
sleep 0.5;

ok(until_video(10), 'after QUIT they play on');

$t->stop_daemon($publisher);
$_->drop() for @srt, @rtmp, @dead, @dead_rtmp;

ok(wait_until(sub { !grep { kill 0, $_ } @left }, 10),
    'workers end with their sessions');
note(sprintf '%.1f s', time() - $begun);

$t->stop();
done_testing();

###############################################################################

sub conf {
    $t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;
events { }

media {
    zone 64m;
    republish_wait 20s;
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%% reuseport; rtmp { } }
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

sub publish {
    return srt_send($t, $clip, srt_url(port(10080), 'live/x', 'publish'));
}

sub play {
    my ($name) = @_;
    my %before = map { $_ => 1 } srt_clients();
    my $p = srt_play($t, srt_url(port(10080), "live/$name", 'request'));

    # which of the clients it is

    wait_until(sub {
        ($p->{client}) = grep { !$before{$_} } srt_clients();
        return $p->{client};
    }, 10);

    return $p;
}

sub clients {
    my $json = $t->api_get('/api/v1/clients/?count=1000') || {};
    return @{$json->{clients} || []};
}

sub srt_clients {
    return map { $_->{id} } grep { !$_->{publish} && $_->{type} =~ /srt/i }
        clients();
}

sub publisher_id {
    return join ' ', map { $_->{id} } grep { $_->{publish} } clients();
}

sub of {
    my %worker = map { $_->{id} => $_->{worker} } clients();
    return map { $_->{n} => $worker{$_->{client} // ''} // 0 } @srt;
}

sub where { my %of = of(); return map { $of{$_->{n}} } @srt }

sub rtmp_worker { return client_workers($t)->{$_[0]{page}} // 0 }

# All of them have so many pictures more than now.

sub until_video {
    my ($more) = @_;
    my %had = map { $_->{n} => $_->video() } @srt, @rtmp;

    return play_until(sub {
        $_->take() for @srt;
        return !grep { $_->video() < $had{$_->{n}} + $more } @srt, @rtmp;
    }, 15);
}

sub whole {
    my ($when) = @_;

    for my $p (@srt) {
        is($p->faults($clip) || $p->broken() || ($p->{closed} ? 'closed' : ''),
            '', "$when: SRT player $p->{n} missed nothing");
    }

    for my $p (@rtmp) {
        is($p->faults($clip) || ($p->{closed} ? 'closed' : ''), '',
            "$when: RTMP player $p->{n} missed nothing");
    }
}

# A worker of whatever generation.

sub kill_any {
    my ($pid) = @_;

    $t->{_killed}{$pid} = 1;
    kill 'KILL', $pid;

    return wait_until(sub { $t->workers() >= 4
        && !grep { $_ == $pid } $t->all_workers() }, 10);
}
