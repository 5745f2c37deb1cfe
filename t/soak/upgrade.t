#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The binary is upgraded (USR2) under load: publisher and players in the old
# one, more players in the new one, which come while both accept and when only
# the new one does; each gets every frame.  The old master ends by itself.

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

my $players = $ENV{TEST_SOAK_PLAYERS} || 300;
my $seconds = max(20, soak());

# as a daemon: in the foreground nginx refuses USR2

my ($t, @at) = server(daemon => 'on', globals => 'env ASAN_OPTIONS;'
    . 'env UBSAN_OPTIONS;', media => 'queue_length 60s;');

my @play = (@at, qw/ --publishers 0 --bitrate 1000 --drain 30000 --strict
    --ramp-timeout 60 --rtmp-players /, $players, '--http-players', $players);

our $first = $t->master();
END { kill 'TERM', $first if $first && kill 0, $first }

my %first = map { $_ => 1 } $t->workers();
my $publisher = load($t, @at, qw/ --bitrate 1000 --duration /,
    $seconds + 600);

ok(wait_until(sub { publishing() }, 30), 'live');

my $old = load($t, @play, '--duration', $seconds);

ok(wait_until(sub { (arena($t)->{clients} || 0) > 2 * $players }, 60),
    'players in the old binary');

###############################################################################

# players come all the time

my $between = load($t, @play, '--rate', $players / 5, '--duration',
    $seconds / 2);

kill 'USR2', $first;

my $second;

ok(wait_until(sub {
    my $pid = $t->read_file('nginx.pid') || '';
    ($second) = $pid =~ /^(\d+)$/;
    return $second && $second != $first && workers_of($second) == 4;
}, 30), 'the new binary runs');

kill 'WINCH', $first;
$t->{_master} = $second;

ok(wait_until(sub {
    !grep { Test::Nginx::_title($_) !~ /shutting down/ } workers_of($first)
}, 30), 'workers of the old one accept no more');

my $new = load($t, @play, '--duration', $seconds / 2);

ok(wait_until(sub { (arena($t)->{clients} || 0) > 6 * $players }, 60),
    'players in both binaries');

ok($first{publishing()}, 'the publisher is in the old one');

my $clients = $t->api_get('/api/v1/clients/?count=100000')->{clients};
my $there = grep { $first{$_->{worker}} } @$clients;

note(sprintf '%d clients in the old binary, %d in the new one', $there,
    @$clients - $there);
cmp_ok($there, '>', 2 * $players, 'old players are in the old one');
cmp_ok(@$clients - $there, '>=', 2 * $players,
    'new players are in the new one');

kill 'QUIT', $first;

for my $load ([ 'in the new one', $new ], [ 'came meanwhile', $between ],
              [ 'in the old one', $old ])
{
    my ($name, $pid) = @$load;
    my $r = result($t, $pid);

    whole($name, $r);
    is($r->{status}, 0, "$name: exit status");
}

ok(!ended($first), 'the old master waits for the publisher');

$t->stop_daemon($publisher);

my $end = time();
my $gone;

ok(wait_until(sub {
    $gone ||= time() if !workers_of($first);
    return ended($first);
}, 60), 'and goes with it');
note(sprintf 'the last old worker is gone %.2f s after its last session, the '
    . 'old master %.2f s', $gone - $end, time() - $end);

idle($t, 'afterwards');
is(arena($t)->{recoveries}, 0, 'nobody died');

my $r = result($t, load($t, @at, qw/ --rtmp-players 50 --http-players 50
    --strict --duration 3 /));
whole('afterwards', $r);

done_testing();

###############################################################################

sub workers_of {
    my ($master) = @_;
    return grep { Test::Nginx::_title($_) =~ /worker process/ }
        $t->_children($master);
}


# Whether a process has ended: its new parent may take its time to notice.

sub ended {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return 1;
    my $line = <$fh>;

    return !defined $line || $line =~ /^\d+ \(.*\) Z /s;
}


# The worker of the publisher, 0 where there is none.

sub publishing {
    my $json = $t->api_get('/api/v1/clients/?count=100000') || {};
    my ($p) = grep { $_->{publish} } @{$json->{clients} || []};

    return $p ? $p->{worker} : 0;
}
