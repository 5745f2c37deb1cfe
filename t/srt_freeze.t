#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# SRT callers that come while the server reloads, all of which come in, and one
# who does not get the last answer of his handshake at first; and processes that
# stand still for a while, as those of a busy or sleeping machine do: the
# encoder, a worker with a player, that of the publisher.  The session goes on
# where it was, and no frame is missing.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Impair;
use Test::Nginx::Player;
use Test::Nginx::SRT;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream srt /)
    ->has_daemon(qw/ ffmpeg srt-live-transmit /);

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;
events { }

media {
    zone 64m;
}

stream {
    server {
        listen 127.0.0.1:%%PORT_10080%% udp reuseport;
        srt { latency 300ms; }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location /api/ { media_api; }
    }
}
END_OF_CONF

$t->run();

my $clip = ts_clip($t, 'clip', duration => 4);

###############################################################################

# newcomers and reloads

my $load = $t->run_daemon(srt_tool(), 'publish', port(10080), '--n', 50,
    '--connects', 20, '--file', $clip->{ts}, '--rate', 60, '--seconds', 20);
my $n = 0;

wait_until(sub {
    $t->reload();
    sleep 0.1;
    return $t->daemon_log($load) =~ /^ready=1/m || ++$n == 20;
}, 12);

like($t->daemon_log($load), qr/^ready=1/m, "50 callers beside $n reloads");
$t->stop_daemon($load);
like(join('', glob_logs()), qr/^connected=50\nbroken=0$/m, 'all stay');

ok(wait_until(sub { $t->all_workers() == $t->workers() }, 10),
    'workers end with them');

###############################################################################

# who stands still

my $publisher = srt_send($t, $clip, srt_url(port(10080), 'live/x',
    'publish', latency => 300));

ok(wait_until(sub { live($t, 'x') }, 20), 'live');

my ($home) = map { $_->{worker} } clients();
my @players;

for (1 .. 8) {
    push @players, play();
    last if grep { $_->{worker} != $home } @players;
}

ok(until_video(25), 'they play');

my ($other) = grep { $_ != $home } map { $_->{worker} } @players;
my $id = ids();

for my $who ([ 'the encoder', $publisher, 2.5 ],
    [ 'a worker with a player', $other, 1 ],
    [ "the publisher's worker", $home, 0.6 ])
{
    my ($what, $pid, $seconds) = @$who;

    kill 'STOP', $pid;
    sleep $seconds;
    kill 'CONT', $pid;

    ok(until_video(50), "$what stands still, they go on");
    is(ids(), $id, "$what: with the same sessions");

    for my $p (@players) {
        is($p->faults($clip) || $p->broken() || ($p->{closed} ? 'closed'
            : ''), '', "$what: player $p->{n} missed nothing");
    }
}

$_->drop() for @players;

###############################################################################

# the server takes him for connected, he himself asks once more: with this seed
# the second packet to him is lost

my $net = Test::Nginx::Impair->new($t, udp => port(10080), delay => 20,
    down_loss => 10, seed => 1022);

@players = srt_play($t, srt_url($net->{udp}, 'live/x', 'request',
    latency => 300));

ok(until_video(25), 'the answer to a handshake is lost, and repeated');

$_->drop() for @players;
$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub clients {
    my $json = $t->api_get('/api/v1/clients/?count=1000') || {};
    return @{$json->{clients} || []};
}

sub ids { return join ' ', sort map { $_->{id} } clients() }

sub play {
    my %before = map { $_->{id} => 1 } clients();
    my $p = srt_play($t, srt_url(port(10080), 'live/x', 'request',
        latency => 300));

    wait_until(sub {
        my ($new) = grep { !$before{$_->{id}} } clients();
        $p->{worker} = $new->{worker} if $new;
        return $new;
    }, 10);

    return $p;
}

sub until_video {
    my ($more) = @_;
    my %had = map { $_->{n} => $_->video() } @players;

    return wait_until(sub {
        $_->take() for @players;
        return !grep { $_->video() < $had{$_->{n}} + $more } @players;
    }, 15);
}

# stop_daemon() forgets where the log is

sub glob_logs {
    my @logs;

    for my $file (glob $t->testdir() . '/daemon-*.log') {
        open my $fh, '<', $file or next;
        local $/;
        push @logs, <$fh>;
    }

    return @logs;
}
