#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# ffmpeg publishes and plays: H.264 with AAC and MP3, and HEVC, over RTMP and
# HTTP-FLV, several players at once.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($t, $rtmp, $http) = server();
my $seconds = seconds();
my $d = $t->testdir();

publish_clip($t, "$rtmp/live/clip");
publish_clip($t, "$rtmp/live/mp3", codecs => [qw/ -c:v libx264 -preset
    ultrafast -tune zerolatency -pix_fmt yuv420p -g 25 -c:a libmp3lame /]);

ok(live('/live/clip.flv'), 'clip is live');
ok(live('/live/mp3.flv'), 'mp3 is live');

my %player;

$player{$_->[0]} = $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin
    -v warning -y -i /, $_->[1], '-t', $seconds, qw/ -c copy /,
    "$d/$_->[0].mkv")
    for [ 'rtmp', "$rtmp/live/clip" ], [ 'http', "$http/live/clip.flv" ],
        [ 'rtmp-mp3', "$rtmp/live/mp3" ], [ 'http-mp3', "$http/live/mp3.flv" ];

for my $name (sort keys %player) {
    is($t->wait_daemon($player{$name}, $seconds + 15), 0, "$name: played");
    is($t->daemon_log($player{$name}), '', "$name: no warning");
    check_played($name, "$d/$name.mkv", $seconds);
}

$t->stop_daemons();
$t->stop();

done_testing();
