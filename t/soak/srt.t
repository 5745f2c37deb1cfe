#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# SRT for longer (TEST_SOAK seconds, 60 by default).  Publishers and players
# that come and go, 60 at once, some of them killed: threads, descriptors and
# memory of workers are what they were.  Then the test of lossy networks with a
# stream of that length, and fifty reloads.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Test::Nginx::Player;
use Test::Nginx::SRT;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $seconds = $ENV{TEST_SOAK} || 60;
my $t = Test::Nginx->new()->has(qw/ http stream srt /)
    ->has_daemon(qw/ ffmpeg srt-live-transmit /);

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;
worker_rlimit_nofile 4096;
events { }

media {
    zone 64m;
    republish_wait 500ms;
    idle_timeout 500ms;
}

stream {
    server {
        listen 127.0.0.1:%%PORT_10080%% udp reuseport;
        srt { idle_timeout 2s; }
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

my $tool = srt_tool();
my $clip = ts_clip($t, 'clip', duration => 20, rate => '400k');
my @load = ($tool, 'X', port(10080), '--connects', 60, '--seconds', 60);
my @idle = resources();
my ($begun, $rounds, @first, @last) = (time(), 0);

while (time() - $begun < $seconds || $rounds < 4) {
    round($rounds++ % 3 == 2 ? 'KILL' : 'TERM');

    @first = resources() if $rounds == 3;
}

# libsrt frees a socket a second or more after it was closed

wait_until(sub {
    @last = resources();
    return $last[0] <= $idle[0] && $last[1] <= $idle[1];
}, 15);

note("idle: @idle; after 3 rounds: @first; after $rounds: @last (threads, "
    . 'descriptors, KB of the fullest worker)');
is($last[0], $idle[0], "threads after $rounds rounds");
is($last[1], $idle[1], 'descriptors');
cmp_ok($last[2], '<', $first[2] * 1.5 + 4096, 'memory');

$t->stop();

for my $test (qw/ srt_loss srt_faults /) {
    local $ENV{TEST_LOSS_SECONDS} = $seconds;
    local $ENV{TEST_FAULTS_RELOADS} = 50;

    my $out = `$^X -I../lib ../$test.t 2>&1`;

    is($?, 0, $test) or diag($out);
    note(grep { /frames lost/ } split /^/, $out);
}

done_testing();

###############################################################################

sub round {
    my ($signal) = @_;

    my @pids = run_load('publish', '--n', 40, '--file', $clip->{ts}, '--rate',
        int((-s $clip->{ts}) * 8 / 20000));

    ok(wait_until(sub { ready(@pids) }, 20), "$signal: publishers")
        or diag(map { $t->daemon_log($_) } @pids);

    push @pids, map { run_load('play', '--n', 10, '--stream',
        "live/bench$_") } 0, 7;

    ok(wait_until(sub { ready(@pids) }, 20), "$signal: players")
        or diag(map { $t->daemon_log($_) } @pids);

    sleep 1;
    $t->stop_daemon($_, $signal) for reverse @pids;

    ok(wait_until(sub { arena($t)->{clients} == 0 }, 15),
        "$signal: all have gone");
    ok(wait_until(sub { !arena($t)->{used} }, 10), "$signal: nothing is left");
}

sub run_load {
    my ($mode, @args) = @_;
    my @command = @load;

    $command[1] = $mode;

    return $t->run_daemon(@command, @args);
}

sub ready {
    return !grep { $t->daemon_log($_) !~ /^ready=1/m } @_;
}

sub resources {
    my @max = (0, 0, 0);

    for my $pid ($t->workers()) {
        my @tasks = glob "/proc/$pid/task/*";
        my @fds = glob "/proc/$pid/fd/*";

        open my $fh, '<', "/proc/$pid/smaps_rollup" or next;
        my ($kb) = join('', <$fh>) =~ /^Pss_Anon:\s*(\d+)/m;
        my @now = (scalar @tasks, scalar @fds, $kb);

        for my $i (0 .. 2) {
            $max[$i] = $now[$i] if $now[$i] > $max[$i];
        }
    }

    return @max;
}
