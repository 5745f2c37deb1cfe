#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Workers are killed at random, again and again, while publishers publish and
# players come and go.  Players of workers that live, of publishers that live,
# miss nothing; each round's publishers may publish what those of a dead worker
# published, at once.  In the end everything plays, the zone is empty, and
# nginx has nothing to say but that those processes were killed.
#
# TEST_SOAK_SEED repeats a run's choices.

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

my $seed = $ENV{TEST_SOAK_SEED} || $$;
my $publishers = 8;

srand($seed);
note("TEST_SOAK_SEED=$seed");

my ($t, @at) = server(media => 'zone 64m; queue_length 60s;');
my $begun = time();
my $end = time() + soak();
my ($round, $killed, %sum) = (0, 0);

push @at, '--streams', $publishers, '--publishers', $publishers,
    qw/ --bitrate 500 /;

while (time() < $end) {
    $round++;

    my @load = load($t, @at, qw/ --rtmp-players 60 --http-players 60
        --settle 0.3 --duration 3 --ramp-timeout 3 --drain 1000 /);

    # at any time from the first publisher on, and newcomers all the time

    wait_until(sub { (arena($t)->{clients} || 0) >= $publishers }, 20);

    push @load, load($t, @at, qw/ --publishers 0 --settle 0 --churn 40
        --duration 5 /, @$_) for [], [ '--churn-http' ];

    for (1 .. 2 + int(rand(5))) {
        my @workers = $t->workers();

        sleep(rand(0.8));
        $killed++;
        $t->kill_worker($workers[rand @workers])
            or fail("round $round: no other worker");
    }

    for my $load (@load) {
        my $r = result($t, $load, 60);

        # what is there, is right; publishers that died leave gaps to nobody

        my @bad = map { "$_=$r->{$_}" } grep { $r->{$_} // 0 }
            qw/ gaps gap_frames dups disorder corrupt dirty early_inter
            ts_back protocol /;
        push @bad, 'no result' unless defined $r->{frames};

        is(join(' ', @bad), '', "round $round: nothing missed or broken")
            or diag($r->{said});
        $sum{$_} += $r->{$_} || 0
            for qw/ frames early_close refused pub_closed churn_n /;
    }
}

note(sprintf '%d rounds in %d s, %d workers killed: %s', $round,
    time() - $begun, $killed, join ', ', map { "$_ $sum{$_}" } sort keys %sum);

cmp_ok($killed, '>=', $round, 'workers were killed');
cmp_ok($sum{early_close}, '>', 0, 'players went with them');
cmp_ok($sum{pub_closed}, '>', 0, 'publishers too');
idle($t, 'afterwards');

my $a = arena($t);

is($a->{workers}, 4, 'four workers');
note("$a->{recoveries} of them held the lock");

my $r = result($t, load($t, @at, qw/ --rtmp-players 100 --http-players 100
    --churn 20 --strict --duration 5 /));

whole('afterwards', $r);
is($r->{status}, 0, 'exit status');
idle($t, 'in the end');

done_testing();
