#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# RTMP over a network that is not the loopback: 30 ms there and 30 ms back, 10
# ms more or less, 2 Mbit/s, for the publisher and for players.  Nothing is
# lost, and every frame has the time that it has without.  Then a line that
# breaks again and again under players and publishers.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use List::Util qw/ max min /;
use Test::Nginx;
use Test::Nginx::Impair;
use Test::Nginx::Player;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live /)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    republish_wait 5s;
    idle_timeout 1s;
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location / { flv_live; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

$t->run();

my $clip = clip($t, 'clip', rate => '600k', gop => 50);
my %line = (delay => 30, jitter => 10, rate => 2000);
my $up = Test::Nginx::Impair->new($t, tcp => port(1935), %line, seed => 1);
my $down = Test::Nginx::Impair->new($t, tcp => port(1935), %line, seed => 2);
my $web = Test::Nginx::Impair->new($t, tcp => port(8080), %line, seed => 3);

encode($t, $clip, "rtmp://127.0.0.1:$up->{tcp}/live/far");
ok(wait_until(sub { live($t, 'far') }, 20), 'a publisher far away');

my %far = (rtmp => Test::Nginx::Player->rtmp('live', 'far',
    at => $down->{tcp}), flv => Test::Nginx::Player->flv('/live/far.flv',
    at => $web->{tcp}));
my $near = Test::Nginx::Player->flv('/live/far.flv');

ok(play_until(sub {
    !grep { $_->video() < 130 } $near, values %far
}, 30), 'they play');

is($near->faults($clip), '', 'near: every frame, once, in time');

for my $kind (sort keys %far) {
    my $p = $far{$kind};

    is($p->faults($clip), '', "$kind: every frame, once, in time");
    is($p->differs($near), '', "$kind: at the same times as without");

    my @late = map { 1000 * $_ } late($p, $near);

    cmp_ok(max(@late), '<', 500, "$kind: none comes late");
    note(sprintf '%s: %d frames come %.0f .. %.0f ms after those of a player '
        . 'beside', $kind, scalar @late, min(@late), max(@late));
}

my $seen = $up->end();
my @went = map { $_->end() } $down, $web;

cmp_ok($seen->{up}{packets}, '>', 400, 'the publisher went over the line');
note(sprintf 'over the lines: %d KB up, %s KB down',
    $seen->{up}{bytes} / 1024, join ' and ',
    map { int($_->{down}{bytes} / 1024) } @went);

players_drop();

###############################################################################

# lines that break: each publisher goes on where the last one was cut, each
# player comes back; whoever is beside sees pictures and no wrong one

$up = Test::Nginx::Impair->new($t, tcp => port(1935), delay => 5,
    loss => 1, reset_bytes => 150000);
$down = Test::Nginx::Impair->new($t, tcp => port(1935), delay => 5,
    reset => 700);
my $stay;

for my $round (1 .. 4) {
    my $pid = encode($t, $clip, "rtmp://127.0.0.1:$up->{tcp}/live/cut");

    ok(wait_until(sub { live($t, 'cut') }, 10), "cut $round: it publishes");

    $stay ||= Test::Nginx::Player->flv('/live/cut.flv');

    my $p = Test::Nginx::Player->rtmp('live', 'cut', at => $down->{tcp});
    my $had = $stay->video();

    play_until(sub { !$t->daemon_alive($pid) && $p->{closed} }, 8);

    ok($p->{closed}, "cut $round: the player is cut");
    cmp_ok($p->video(), '>', 0, "cut $round: it has played");
    is($p->faults($clip), '', "cut $round: nothing was wrong with it")
        if $p->video() > 10;
    cmp_ok($stay->video() - $had, '>', 10, "cut $round: who stays goes on");
    $p->drop();
}

ok(!$stay->{closed}, 'cut: who stays is not closed');

cmp_ok($up->end()->{resets}, '>=', 4, 'cut: each publisher');
$t->stop_daemons();
players_drop();

ok(wait_until(sub {
    my $a = arena($t);
    return exists $a->{used} && !$a->{used} && !$a->{sources};
}, 10), 'all is given back');

$t->stop();

done_testing();

###############################################################################

# How much later each frame came to a player than to the one beside.

sub late {
    my ($p, $other) = @_;

    my %at = map { ($_->{digest} . $_->{ms} => $_->{at}) }
        grep { $_->{frame} } $other->tags(10);

    return map { my $at = $at{$_->{digest} . $_->{ms}};
        defined $at ? $_->{at} - $at : () }
        grep { $_->{frame} && $_->{at} > $p->{begun} + 2 } $p->tags();
}
