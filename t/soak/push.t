#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Ten minutes of push over HTTP, of FLV and of MPEG-TS, with players of FLV
# and RTMP in all workers: every frame of the input, once, in order and at its
# time, and no worker grows.
#
# TEST_SOAK says how many seconds (60 by default).

use warnings;
use strict;

use List::Util qw/ max min /;
use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Test::Nginx::Player;
use Soak ();

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($t) = Soak::server(http => 'location /push/ { flv_live_push on; }'
    . 'location /wait/ { flv_live; play_wait 20s; }', start => 0);
my $d = $t->testdir();

$t->has_daemon(qw/ ffmpeg ffprobe curl /);
$t->run();

port(1935);

my $clip = clip($t, 'clip', duration => 4);
my $times = max(1, int(Soak::soak() / 4));
my $url = 'http://127.0.0.1:' . port(8080);

# one that records what becomes of MPEG-TS, waiting for it

my $curl = $t->run_daemon('curl', '-sN', '-o', "$d/ts.flv",
    "$url/wait/ts.flv");
my %push = (
    flv => push_to('flv', 'live/flv.flv'),
    ts => push_to('mpegts', 'wait/ts.ts') );

ok(wait_until(sub { live($t, 'flv') && live($t, 'ts') }, 20), 'both are live');

my @players = map { (Test::Nginx::Player->flv('/live/flv.flv'),
    Test::Nginx::Player->rtmp('live', 'flv', port => 8035)) } 1 .. 6;

ok(play_until(sub { !grep { $_->video() < 50 } @players }, 20), 'all play');

my $workers = client_workers($t);
my %in = map { ($workers->{$_->{page}} // 'none' => 1) } @players;

note(scalar(keys %in) . ' workers with players');

# memory after a while, and at the end

my @first = $t->workers();
my $begun = time();
my ($early, $late);

play_until(sub {
    my @now = map { Soak::process($_) } $t->workers();

    $early = \@now if !$early && time() - $begun > Soak::soak() / 5;
    $late = \@now if $t->daemon_alive($push{flv});

    return !grep { $t->daemon_alive($_) } values %push;
}, Soak::soak() + 60);

is($t->wait_daemon($push{$_}, 1), 0, "$_ was sent to its end") for keys %push;

play_until(sub { !grep { !$_->{closed} && $_->{flags} } @players }, 20);

for my $p (@players) {
    is($p->faults($clip), '', "player $p->{n}: every frame");
    cmp_ok($p->video(), '>=', $times * 100 - 250, "player $p->{n}: pictures");
}

my ($most, $least) = (max(map { $_->video() } @players),
    min(map { $_->video() } @players));

note("players saw $least to $most pictures of " . $times * 100);

# the one from TS: all of it

$t->wait_daemon($curl, 30);

my ($n, $bad, $last, %count) = (0, 0);

open my $fh, '-|', qw/ ffprobe -v error -of compact=p=0:nk=1 -show_entries /,
    'packet=codec_type,dts_time', "$d/ts.flv" or die;

while (<$fh>) {
    my ($type, $dts) = /^(\w+)\|([-\d.]+)/ or next;

    $count{$type}++;

    next if $type ne 'video';

    # ffmpeg begins the clip anew when its sound has ended too

    my $far = $count{video} % 100 == 1 ? 0.05 : 0.0015;

    $bad++ if defined $last && abs($dts - $last - 0.04) > $far;
    $last = $dts;
}

is($count{video}, $times * 100, 'TS: every picture');
is($bad, 0, 'TS: each at its time');
cmp_ok(abs($count{audio} - $times * keys %{$clip->{8}}), '<=', 1,
    'TS: every sound');
note("TS: $count{video} pictures, $count{audio} sounds");

# the same workers, no larger than before

is(join(' ', map { $_->{pid} } @$late), "@first", 'the same workers');

my ($was, $is) = map { Soak::total('own', @$_) } $early, $late;

Soak::report('early', @$early);
Soak::report('late', @$late);
cmp_ok($is - $was, '<', 2000, 'memory is as it was') unless
    $t->has_module('sanitizer');

players_drop();
$t->stop_daemons();

ok(wait_until(sub {
    my $a = Soak::arena($t);
    return defined $a->{used} && !$a->{used} && !$a->{clients};
}, 60), 'all of the zone is free');

done_testing();

###############################################################################

sub push_to {
    my ($format, $uri) = @_;

    return $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -loglevel warning
        -re -stream_loop /, $times - 1, '-i', $clip->{file}, qw/ -c copy -f /,
        $format, qw/ -method POST -chunked_post 1 /, "$url/push/$uri");
}

###############################################################################
