#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# VLC plays over RTMP and HTTP-FLV; its own counters tell what it decoded.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;

select STDERR; $| = 1;
select STDOUT; $| = 1;

found('vlc', 'setpriv');

my ($t, $rtmp, $http) = server();
my $seconds = seconds();

publish_clip($t, "$rtmp/live/clip");
ok(live('/live/clip.flv'), 'clip is live');

for my $player ([ 'rtmp', "$rtmp/live/clip" ],
                [ 'http', "$http/live/clip.flv" ])
{
    my ($name, $url) = @$player;

    my $out = run_for($t, $seconds + 15, 'sh', '-c', '
        s=$1; shift;
        { sleep $s; echo stats; sleep 1; echo quit; sleep 1; } | exec "$@"',
        'sh', $seconds, as_user($t, 'vlc'), qw/ -I rc --rc-fake-tty
        --no-color --vout vdummy --aout adummy --network-caching=500 /, $url);

    my ($video) = $out =~ /video decoded\s*:\s*(\d+)/;
    my ($audio) = $out =~ /audio decoded\s*:\s*(\d+)/;
    my ($corrupted) = $out =~ /discontinuities\s*:\s*(\d+)/;
    my ($lost) = $out =~ /frames lost\s*:\s*(\d+)/;

    cmp_ok($video || 0, '>=', 25 * $seconds * 0.6, "$name: pictures");
    cmp_ok($audio || 0, '>=', 43 * $seconds * 0.6, "$name: sound");
    is($corrupted || 0, 0, "$name: nothing missing");
    cmp_ok($lost || 0, '<=', 5, "$name: pictures shown");
}

$t->stop_daemons();
$t->stop();

done_testing();
