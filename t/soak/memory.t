#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Publishers and players come and go, the same again and again.  What workers
# hold after so many cycles, in memory and open files, they hold after twice
# as many, and in between all of the zone is free.

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

my ($t, @at) = server(media => 'zone 64m; queue_length 60s;');
my $half = max(20, soak() / 2);
my $cycles = 0;
my @at_half;

push @at, qw/ --publishers 4 --rtmp-players 100 --http-players 100 --churn
    100 --bitrate 500 --settle 0.3 --drain 20000 --strict --duration 1 /;

my @first = processes($t);
my $fds = total('fds', @first);

report('at first', @first);

# the first half ends at a time, the second after as many cycles

my $end = time() + $half;

do {
    cycle($cycles + 1);
    $cycles++;
} while (time() < $end);

@at_half = settled('half');

cycle($cycles + $_) for 1 .. $cycles;

my @at_end = settled('end');

note(sprintf '%d cycles and %d more: own memory %d and %d KB', $cycles,
    $cycles, total('own', @at_half), total('own', @at_end));

# the noise are an allocator's habits

cmp_ok(total('own', @at_end), '<=', 1.05 * total('own', @at_half) + 1024,
    'memory');
cmp_ok(total('fds', @at_end), '<=', $fds, 'open files');

my $master = process($t->master());

note("master: $master->{fds} open files, $master->{own} KB of own memory");

done_testing();

###############################################################################

sub cycle {
    my ($n) = @_;

    my $r = result($t, load($t, @at));
    my @bad = map { "$_=$r->{$_}" } grep { $r->{$_} } qw/ gaps tail_missing
        dups disorder corrupt early_close refused protocol no_key /;

    is("@bad$r->{said} $r->{status}", ' 0', "cycle $n");
}


sub settled {
    my ($name) = @_;

    idle($t, $name);

    my @p;

    wait_until(sub {
        @p = processes($t);
        return total('fds', @p) <= $fds;
    }, 5);

    report($name, @p);

    return @p;
}
