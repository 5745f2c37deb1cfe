#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# SRT over a network that loses packets: 2 % and 10 % of them in each direction,
# 40 ms +- 20 ms there and back, latency 400 ms.  A stream is published through
# such a network and played through another one; frames that are lost or damaged
# at the player are counted, and so they are with srt-live-transmit in the place
# of the server, at the same time, with the same seeds.

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

# TEST_LOSS_SECONDS: how long a stream is; TEST_LOSS_SEED: other packets

my $seconds = $ENV{TEST_LOSS_SECONDS} || 11;
my $seed = $ENV{TEST_LOSS_SEED} || 1;
my $t = Test::Nginx->new()->has(qw/ http stream srt /)
    ->has_daemon(qw/ ffmpeg srt-live-transmit /);

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 64m;
}

stream {
    server {
        listen 127.0.0.1:%%PORT_10080%% udp reuseport;
        srt { latency 400ms; }
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

my $clip = ts_clip($t, 'clip', duration => $seconds, rate => '1M', fps => 50,
    gop => 50);
my %sent = (video => scalar keys %{$clip->{9}},
    audio => scalar keys %{$clip->{8}});
my @lines = map { line($_->[0], $_->[1]) } [ 2, 'ours' ], [ 2, 'theirs' ],
    [ 10, 'ours' ], [ 10, 'theirs' ];

publish($_) for @lines;

ok(wait_until(sub {
    2 == grep { $_->{who} eq 'ours' && live($t, $_->{name}) } @lines;
}, 15), 'two publishers come through');

for my $line (grep { $_->{who} eq 'ours' } @lines) {
    play($line);
}

wait_until(sub { !grep { $t->daemon_alive($_->{publisher}) } @lines },
    $seconds + 20);

# what is under way

sleep 1.5;

my %r;

for my $line (@lines) {
    my $p = $line->{player};

    $p->drop();
}

sleep 0.3;

for my $line (@lines) {
    my $p = $line->{player};
    my $r = $r{$line->{loss}}{$line->{who}} = $p->losses($clip);
    my ($up, $down) = map { $_->end() } @$line{qw/ up down /};

    $r->{bad} = $r->{lost} + $r->{damaged};
    $r->{packets} = $up->{up}{packets} + $down->{down}{packets};
    $r->{dropped} = $up->{up}{lost} + $down->{down}{lost};

    diag(sprintf '%2d%% %-6s: %d of %d frames lost, %d damaged, %d at the '
        . 'end not there; %d of %d packets dropped on the way',
        $line->{loss}, $line->{who}, $r->{lost}, $r->{all}, $r->{damaged},
        $r->{end}, $r->{dropped}, $r->{packets});
}

for my $loss (2, 10) {
    my ($ours, $theirs) = @{$r{$loss}}{qw/ ours theirs /};
    my $all = $sent{video} + $sent{audio};

    cmp_ok($ours->{all}, '>', $all * 0.75, "$loss%: most of it was played");
    cmp_ok($ours->{dropped}, '>', $ours->{packets} * $loss / 200,
        "$loss%: packets were lost on the way");

    # a message that is lost may take a PES with 0.35 s of sound

    cmp_ok($ours->{bad}, '<=', $theirs->{bad} * 1.5 + $all * 0.003 * $loss,
        "$loss%: frames lost and damaged, beside srt-live-transmit");
    cmp_ok($ours->{end}, '<=', $theirs->{end} + 18, "$loss%: and at the end");
}

cmp_ok($r{2}{ours}{bad}, '<=', 0.002 * $r{2}{ours}{all} + 1,
    '2%: next to nothing is lost');

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

# A network on each side of the server, or of the other program.

sub line {
    my ($loss, $who) = @_;

    my %net = (delay => 40, jitter => 20, loss => $loss);
    my $line = { loss => $loss, who => $who, name => "$who$loss" };
    my ($in, $out) = (port(10080), port(10080));

    if ($who ne 'ours') {
        ($in, $out) = (port(11000 + $loss), port(12000 + $loss));

        $t->run_daemon('srt-live-transmit', '-q',
            "srt://127.0.0.1:$in?mode=listener&latency=400",
            "srt://127.0.0.1:$out?mode=listener&latency=400");
    }

    $line->{up} = Test::Nginx::Impair->new($t, udp => $in, %net,
        seed => $seed);
    $line->{down} = Test::Nginx::Impair->new($t, udp => $out, %net,
        seed => $seed + 1000);

    # this one hands out what comes to whoever is there

    play($line) if $who ne 'ours';

    return $line;
}

sub publish {
    my ($line) = @_;

    $line->{publisher} = srt_send($t, $clip, srt_url($line->{up}{udp},
        "live/$line->{name}", 'publish', latency => 400), times => 1);
}

sub play {
    my ($line) = @_;

    $line->{player} = srt_play($t, srt_url($line->{down}{udp},
        "live/$line->{name}", 'request', latency => 400));
}
