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

# plays what ffmpeg publishes: every buffer of the decoders is written down

publish_clip($t, "$rtmp/live/clip");
ok(live('/live/clip.flv'), 'clip is live');

my $out = run_for($t, $seconds + 2, 'gst-launch-1.0', '-v', 'rtmp2src',
    "location=$rtmp/live/clip", split(' ', '! flvdemux name=d
    d.video ! queue ! h264parse ! avdec_h264 ! fakesink name=v silent=false
    sync=false d.audio ! queue ! aacparse ! avdec_aac ! fakesink name=a
    silent=false sync=false'));

my @video = times_of($out, 'v');
my @audio = times_of($out, 'a');

unlike($out, qr/^ERROR|WARNING: from element/m, 'rtmp2src: no error');
cmp_ok(scalar @video, '>=', 25 * $seconds * 0.7, 'rtmp2src: pictures');
cmp_ok(scalar @audio, '>=', 43 * $seconds * 0.7, 'rtmp2src: sound');
cmp_ok(uneven(\@video, 0.04), '<', 0.02, 'rtmp2src: pictures in time');
cmp_ok(uneven(\@audio, 1024 / 44100), '<', 0.02, 'rtmp2src: sound in time');
cmp_ok(abs($video[-1] - $audio[-1]), '<', 0.5, 'rtmp2src: no drift')
    if @video && @audio;

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

    my $got = Client::analyse("$d/$name.mkv");
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

###############################################################################

# Times of the buffers that a fakesink has seen, in seconds.

sub times_of {
    my ($out, $sink) = @_;

    my @times;

    while ($out =~ /\($sink:sink\).*?pts: (\d+):(\d+):([\d.]+)/g) {
        push @times, $1 * 3600 + $2 * 60 + $3;
    }

    return @times;
}

sub uneven {
    my ($times, $step) = @_;

    my $worst = 0;

    for my $i (1 .. $#$times) {
        my $off = abs($times->[$i] - $times->[$i - 1] - $step);
        $worst = $off if $off > $worst;
    }

    return $worst;
}
