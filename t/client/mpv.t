#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# mpv plays over RTMP and HTTP-FLV: it tells by itself how far picture and
# sound are apart, and what it had to drop.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;

select STDERR; $| = 1;
select STDOUT; $| = 1;

found('mpv');

my ($t, $rtmp, $http) = server();
my $seconds = seconds();

publish_clip($t, "$rtmp/live/clip");
ok(live('/live/clip.flv'), 'clip is live');

for my $player ([ 'rtmp', "$rtmp/live/clip" ],
                [ 'http', "$http/live/clip.flv" ])
{
    my ($name, $url) = @$player;

    my $out = run_for($t, $seconds + 4, as_user($t, 'mpv'), qw/ --no-config
        --no-input-terminal --vo=null --ao=null --term-osd=no
        /, "--msg-level=all=warn,statusline=status",
        '--term-status-msg=at=${=time-pos} av=${=avsync} '
        . 'frame=${=estimated-frame-number} '
        . 'drop=${=decoder-frame-drop-count}/${=frame-drop-count}\n', $url);

    my @at = $out =~ /at=([\d.]+)/g;
    my @av = map { abs } $out =~ /av=(-?[\d.]+)/g;
    my @drop = $out =~ /drop=(\d+)/g;

    cmp_ok(@at ? $at[-1] - $at[0] : 0, '>=', $seconds * 0.7,
        "$name: plays");
    cmp_ok(@av ? $av[-1] : 1, '<', 0.04, "$name: no drift");
    is($drop[-1], 0, "$name: decoder drops nothing");
    unlike($out, qr/error|corrupt|invalid|desync/i, "$name: no error");
}

$t->stop_daemons();
$t->stop();

done_testing();
