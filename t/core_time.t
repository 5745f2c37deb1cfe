#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What becomes of a sender's timestamps: time_jitter full, zero and off, atc,
# mix_correct, a clock that jumps, one that wraps after 49 days; and
# reduce_sequence_header.  The sender says exactly what the test wants.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;
use Test::RTMP;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
}

media {
    application zero { time_jitter zero; }
    application off { time_jitter off; }
    application on { atc on; }
    application auto { atc auto; }
    application mix { mix_correct on; }
    application reduce { reduce_sequence_header on; }
}

stream {
    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / {
            flv_live;
            play_wait 10s;
        }

        location /api/ {
            media_api;
        }
    }
}

EOF_CONF

$t->run();

my ($pub, @players, $n);

###############################################################################

# as they should come out: K key, V picture, A sound

for my $case (
    [ 'full', 'full', 'K5000 A5010 V5040 A5033 V5080', '0 10 40 33 80' ],
    [ 'full', 'a gap', 'K0 A0 V40 V3040 A3040', '0 0 40 3040 3040' ],
    [ 'full', 'pictures twice at one time', 'K0 V40 V40 V80', '0 40 41 80' ],
    [ 'full', 'wrap', 'K4294967280 A4294967290 V24 A30 V64',
        '0 10 40 46 80' ],
    [ 'zero', 'zero', 'K5000 A5010 V5040 V500000 A500010',
        '0 10 40 495000 495010' ],
    [ 'off', 'off', 'K5000 A5010 V5040 V500000 A20',
        '5000 5010 5040 500000 20' ],
    [ 'off', 'wrap with off', 'K4294967280 A4294967290 V24 A30',
        '4294967280 4294967290 24 30' ],
    [ 'on', 'atc on', 'K123456 V123496', '123456 123496' ],
    [ 'auto', 'atc auto', 'K123456 V123496', '0 40' ],
    [ 'auto', 'atc auto, and the sender says so', 'M0 K123456 V123496',
        '123456 123496' ],
) {
    my ($app, $name, $frames, $want) = @$case;

    feed($app, $frames);

    for my $p (@players) {
        is(join(' ', map { $_->{ms} } frames($p)), $want, "$name: "
            . kind($p));
    }
}

###############################################################################

# the clock begins anew: as much later as it took, tracks as far apart

for my $case (
    [ 'the clock begins anew', 'K100000 A100010 V100040 V0 A10 V40 A33' ],
    [ 'the clock leaps an hour', 'K0 A10 V40 V3600000 A3600010 V3600040'
        . ' A3600033' ],
    [ 'sound of before comes after', 'K100000 A100010 V100040 V0 A100033'
        . ' V40 A10 A33' ],
) {
    my ($name, $frames) = @$case;

    feed('full', $frames);

    for my $p (@players) {
        my @v = map { $_->{ms} } grep { $_->{type} == 9 } frames($p);
        my @a = map { $_->{ms} } grep { $_->{type} == 8 } frames($p);

        is("@v[0, 1] $a[0]", '0 40 10', "$name: before, " . kind($p));
        is($v[3] - $v[2], 40, "$name: pictures after, " . kind($p));
        is("@{[map { $_ - $v[2] } @a[-2, -1]]}", '10 33',
            "$name: sound after, " . kind($p));
        cmp_ok($v[2], '>=', 50, "$name: later, " . kind($p));
        cmp_ok($v[2], '<', 20000, "$name: not much, " . kind($p));
        is($a[1], 33, "$name: sound of before, " . kind($p)) if @a > 3;
    }
}

###############################################################################

# sound that comes in heaps

my $heaps = 'K0 V40 V80 V120 A0 A23 A46 A69 A92 A116 V160 V200 V240 A139 A162'
    . ' A185 A208 A232 V280 V320 A255 A278 A301 A325';

feed('mix', $heaps, 10);

for my $p (@players) {
    my @ms = map { $_->{ms} } frames($p);
    my @back = grep { $ms[$_] < $ms[$_ - 1] } 1 .. $#ms;

    is("@back", '', 'mix_correct: ' . kind($p));
}

$pub->close();

ok(play_until(sub { !grep { scalar(frames($_)) < 24 } @players }, 5),
    'and all of it at the end');

###############################################################################

# the same sequence header again

for my $case ([ 'full', 3 ], [ 'reduce', 1 ]) {
    my ($app, $want) = @$case;

    feed($app, 'K0 C0 V40 C40 V80 V120');

    is(scalar(grep { $_->{kind} eq 'avc' } $_->tags()), $want,
        "$app: sequence headers, " . kind($_)) for @players;
}

$pub->close();
players_drop();

done_testing();

###############################################################################

sub kind { return $_[0]->{rtmp} ? 'rtmp' : 'flv' }
sub frames { return grep { $_->{frame} } $_[0]->tags() }

# A new publisher and new players; sends, and waits until that many frames, or
# all of them, have come.

sub feed {
    my ($app, $frames, $want) = @_;

    my $name = 's' . ++$n;
    my @frames = split ' ', $frames;
    my $i = 0;

    $pub->close() if $pub;
    players_drop();

    $pub = Test::RTMP->new(port(1935), chunk => 4096)->connect($app);
    $pub->publish($name) or die "can't publish\n";

    @players = (Test::Nginx::Player->rtmp($app, $name),
        Test::Nginx::Player->flv("/$app/$name.flv"));

    wait_until(sub {
        my $of = client_workers($t);
        return 2 == grep { $of->{$_->{page}} } @players;
    });

    my $first = $frames =~ /K(\d+)/ ? $1 : 0;

    if ($frames =~ /M/) {
        $pub->data(0, '@setDataFrame', 'onMetaData',
            { bravo_atc => 'true', width => Test::RTMP::num(64) });
    }

    $pub->video($first, Test::RTMP::avc_config());
    $pub->audio($first, Test::RTMP::aac_config());

    for my $frame (grep { !/M/ } @frames) {
        my ($what, $ms) = $frame =~ /(.)(\d+)/;

        $i++;
        $pub->audio($ms, Test::RTMP::aac_frame($i)) if $what eq 'A';
        $pub->video($ms, $what eq 'K' ? Test::RTMP::avc_key($i)
            : $what eq 'C' ? Test::RTMP::avc_config()
            : Test::RTMP::avc_inter($i)) if $what ne 'A';
    }

    $want ||= grep { /^[KVA]/ } @frames;

    play_until(sub { !grep { scalar(frames($_)) < $want } @players }, 5);
}

###############################################################################
