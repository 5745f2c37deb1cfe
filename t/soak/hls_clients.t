#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# A thousand clients of low-latency HLS on four workers, a stream of 1 Mbit/s:
# each part to each of them, once, in order and unchanged, with every frame
# that was published in it.  Then the same while nginx is told to reload, and
# while workers are killed that have clients only, not the publisher: clients
# whose connection is lost ask again, and lose nothing.
#
# TEST_SOAK_PLAYERS is how many there are (1000).

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Soak;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $clients = $ENV{TEST_SOAK_PLAYERS} || 1000;
my $seconds = int(soak() / 3) > 8 ? int(soak() / 3) : 8;

plan(skip_all => 'no hls available')
    unless Test::Nginx->new()->has_module('hls');

my ($t, @at) = server(media => 'zone 128m; hls_window 12s;',
    http => 'location ~ [.](m3u8|m4s|mp4)$ { hls; }');

push @at, '--hls-players', $clients, qw/ --bitrate 1000 --ramp-timeout 60
    --drain 20000 --settle 2 --strict --duration /, $seconds, '--pid',
    $t->master();

###############################################################################

my $r = result($t, load($t, @at));

complete('steady', $r);
is($r->{web_again}, 0, 'steady: no connection was closed');
note("steady: $r->{kb_per_player} KB of own memory a client");

# reloads in the middle

my $load = load($t, @at);
my $end = time() + $seconds;

wait_until(sub { publisher() }, 20);
sleep 4;

for my $n (1 .. 3) {
    last if !$t->daemon_alive($load);
    ok($t->reload(), "reload $n");
    sleep 1.5;
}

my $old = grep { my $pid = $_; !grep { $_ == $pid } $t->workers() }
    $t->all_workers();

$r = result($t, $load);
complete('reloads', $r);
is($r->{web_cut}, 0, 'reloads: no answer was cut');
note("reloads: $old old workers, requests repeated: $r->{web_again}");

ok(wait_until(sub { $t->all_workers() == $t->workers() }, 30),
    'reloads: old workers are gone');

# workers that have no publisher are killed

$load = load($t, @at);

wait_until(sub { publisher() }, 20);
sleep 4;

my $killed = 0;

for my $n (1 .. 3) {
    last if !$t->daemon_alive($load);

    my $has = publisher() or last;
    my ($other) = grep { $_ != $has } $t->workers();

    ok($t->kill_worker($other), "kill $n");
    $killed++;
    sleep 1.5;
}

$r = result($t, $load);
cmp_ok($killed, '>', 0, 'workers were killed');
complete('kills', $r, 1);
cmp_ok($r->{web_again} + $r->{web_cut}, '>', 0,
    'kills: connections were lost');
note("kills: requests repeated: $r->{web_again}, cut: $r->{web_cut}");

idle($t, 'in the end');

done_testing();

###############################################################################

# What each client has to have got; what was cut may be cut where workers die.

sub complete {
    my ($name, $r, $cut) = @_;

    my @bad = map { "$_=$r->{$_}" } grep { $r->{$_} // 1 }
        qw/ gaps gap_frames dups corrupt protocol web_status hls_skipped
        hls_lost hls_stale hls_behind hls_ended pub_closed /,
        $cut ? () : 'web_cut';
    push @bad, ($r->{hls_live} // 'no') . " of $clients clients"
        if ($r->{hls_live} // -1) != $clients;
    push @bad, $r->{said} if $r->{said};

    is(join(' ', @bad), '', "$name: each part to each client");
    cmp_ok($r->{hls_parts} || 0, '>', 2 * $seconds * $clients,
        "$name: parts");

    note(sprintf '%s: %s parts, %.1f GB, from part ready to answer there, ms: '
        . 'playlist p50 %s p99 %s, part p50 %s p99 %s; waited %s, late %s',
        $name, $r->{hls_parts} // '?', ($r->{bytes} || 0) / 1e9,
        map { $_ // '?' } @$r{qw/ hls_list_p50_ms hls_list_p99_ms
        hls_part_p50_ms hls_part_p99_ms hls_ahead hls_late /});
    note(sprintf '%s: server %s cores, %s us per client-second, tool %s '
        . 'cores, others %s cores', $name, map { $_ // '?' } @$r{qw/
        server_cpu cpu_us_per_player_s tool_cpu others_cpu /});
}

# The worker that has the publisher's connection, if it sends.

sub publisher {
    my $port = sprintf ':%04X', port(8035);

    open my $fh, '<', '/proc/net/tcp' or return;

    my ($inode) = map { $_->[9] } grep { $_->[1] =~ /$port$/
        && $_->[3] eq '01' } map { [ split ] } <$fh>;

    return if !$inode;

    for my $pid ($t->all_workers()) {
        return $pid if grep { (readlink($_) || '') eq "socket:[$inode]" }
            glob("/proc/$pid/fd/*");
    }

    return;
}
