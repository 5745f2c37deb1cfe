#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# GStreamer publishes with rtmp2sink and plays with rtmp2src.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;

select STDERR; $| = 1;
select STDOUT; $| = 1;

found('gst-launch-1.0', 'gst-inspect-1.0');

for my $element (qw/ rtmp2sink rtmp2src flvmux flvdemux h264parse aacparse
    x264enc avdec_h264 avdec_aac avenc_aac /)
{
    plan(skip_all => "no GStreamer element $element")
        if system("gst-inspect-1.0 --exists $element >/dev/null 2>&1");
}

my ($t, $rtmp, $http) = server();
my $seconds = seconds();
my $d = $t->testdir();

# plays what ffmpeg publishes: decodes it, and keeps it as well

publish_clip($t, "$rtmp/live/clip");
ok(live('/live/clip.flv'), 'clip is live');

my $out = run_for($t, $seconds + 1, 'gst-launch-1.0', '-e', 'rtmp2src',
    "location=$rtmp/live/clip", split(' ', "! flvdemux name=d
    matroskamux name=m ! filesink location=$d/gst.mkv
    d.video ! queue ! h264parse ! tee name=v ! queue ! m.
    v. ! queue ! avdec_h264 ! videoconvert ! video/x-raw,format=RGB
    ! filesink location=$d/gst.rgb
    d.audio ! queue ! aacparse ! tee name=a ! queue ! m.
    a. ! queue ! avdec_aac ! audioconvert
    ! audio/x-raw,format=S16LE,channels=1 ! filesink location=$d/gst.pcm"));

unlike($out, qr/^(ERROR|WARNING)/m, 'rtmp2src: no error');

my $got = check_played('rtmp2src', "$d/gst.mkv", $seconds);

cmp_ok((-s "$d/gst.rgb" || 0) / (320 * 180 * 3), '>=',
    $got->{frames} - 5, 'rtmp2src: pictures decoded');
cmp_ok((-s "$d/gst.pcm" || 0) / 2 / 44100, '>=', $seconds * 0.7,
    'rtmp2src: sound decoded');

# publishes what ffmpeg plays

my $pid = $t->run_daemon('gst-launch-1.0', split(' ',
    'flvmux name=m streamable=true ! rtmp2sink'), "location=$rtmp/live/gst",
    split(' ', 'videotestsrc is-live=true pattern=ball !
    video/x-raw,width=320,height=180,framerate=25/1 !
    x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25
    bitrate=300 ! h264parse ! queue ! m.
    audiotestsrc is-live=true wave=sine samplesperbuffer=1024 !
    audio/x-raw,rate=44100,channels=2 ! avenc_aac ! aacparse ! queue ! m.'));

ok(live('/live/gst.flv', 30), 'rtmp2sink is live');

for my $player ([ 'rtmp', "$rtmp/live/gst" ],
                [ 'http', "$http/live/gst.flv" ])
{
    my ($name, $url) = @$player;

    my $warnings = run_for($t, $seconds + 10, 'ffmpeg', qw/ -hide_banner
        -nostdin -v warning -y -i /, $url, '-t', $seconds, qw/ -c copy /,
        "$d/$name.mkv");
    is($warnings, '', "rtmp2sink, $name: no warning");

    $got = Client::analyse("$d/$name.mkv");
    is(join('', @{$got->{errors}}), '', "rtmp2sink, $name: no decode error");
    is($got->{frames}, int(($got->{last} - $got->{first}) * 25 + 1.5),
        "rtmp2sink, $name: every frame once");
    cmp_ok($got->{frames}, '>=', 25 * $seconds * 0.7,
        "rtmp2sink, $name: frames");
}

unlike($t->daemon_log($pid), qr/^ERROR/m, 'rtmp2sink: no error');

$t->stop_daemons();
$t->stop();

done_testing();
