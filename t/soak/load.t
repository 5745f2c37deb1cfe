#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# One stream of 1 Mbit/s, a thousand players over RTMP and a thousand over
# HTTP-FLV on four workers: every frame to each of them, in order.  Then the
# same while nginx is told to reload twenty times, once a second, and players
# keep coming, so that each generation of workers has its own: nobody is closed
# and nothing is missing.  Old workers go with their last session.  Afterwards
# the zone is empty, and workers have the open files they had before.
#
# TEST_SOAK_PLAYERS is how many of each kind there are (1000).

use warnings;
use strict;

use List::Util qw/ max /;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Soak;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $RELOADS = 20;
my $players = $ENV{TEST_SOAK_PLAYERS} || 1000;
my $seconds = max(10, int(soak() / 2));

# a machine that is too slow for a moment shall be late, not lose frames

my ($t, @at) = server(media => 'queue_length 60s; zone 128m;');

push @at, '--rtmp-players', $players, '--http-players', $players,
    qw/ --bitrate 1000 --ramp-timeout 120 --drain 60000 --strict --pid /,
    $t->master(), '--duration', $seconds;

###############################################################################

my @before = processes($t);
report('before', @before);

my $r = result($t, load($t, @at));

whole('steady', $r);
is($r->{status}, 0, 'steady: exit status');
note("steady: $r->{kb_per_player} KB of own memory a player, zone in use "
    . "$r->{arena_after_kb} KB");
idle($t, 'steady');

my @after;

wait_until(sub {
    @after = processes($t);
    return total('fds', @after) <= total('fds', @before);
}, 10);

report('after', @after);
cmp_ok(total('fds', @after), '<=', total('fds', @before),
    'steady: open files are as before');

# once more: what the first time needed is there, and is enough

$r = result($t, load($t, @at, '--duration', 5));
whole('again', $r);
idle($t, 'again');

my @again = processes($t);
report('again', @again);
cmp_ok(total('own', @again), '<=', 1.25 * total('own', @after),
    'again: it takes no more memory than the first time');

###############################################################################

# players come all the time that it takes to reload

my %generation = map { $_ => 0 } $t->workers();
my $load = load($t, @at, '--rate', 2 * $players / $RELOADS);

wait_until(sub { (arena($t)->{clients} || 0) > 10 }, 30);

for my $n (1 .. $RELOADS) {
    my $next = time() + 1;

    ok($t->reload(), "reload $n");
    $generation{$_} //= $n for $t->workers();

    sleep($next - time()) if $next > time();
}

my @all = $t->all_workers();
my %alive = map { $generation{$_} // 'none' => 1 } @all;

note(sprintf '%d workers of %d generations serve %d clients', scalar @all,
    scalar keys %alive, arena($t)->{clients});
cmp_ok(scalar keys %alive, '>', 2, 'workers of several generations');

# its sessions end with it

while ($t->daemon_alive($load)) {
    sleep(0.005);
}

my $end = time();
my $gone = wait_until(sub { $t->all_workers() == $t->workers() }, 60);

note(sprintf '%d old workers gone %.2f s after the last session',
    @all - 4, time() - $end);

$r = result($t, $load);
whole('reloads', $r);
is($r->{status}, 0, 'reloads: exit status');
ok($gone, 'reloads: old workers are gone');
idle($t, 'reloads');
is(arena($t)->{recoveries}, 0, 'reloads: nobody died');
is(scalar($t->workers()), 4, 'reloads: four workers');

my @last;

wait_until(sub {
    @last = processes($t);
    return total('fds', @last) <= total('fds', @before);
}, 10);

report('last', @last);
cmp_ok(total('fds', @last), '<=', total('fds', @before),
    'reloads: open files are as before');

done_testing();
