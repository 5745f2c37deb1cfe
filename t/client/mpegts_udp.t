#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# GStreamer, VLC, srt-live-transmit and ffmpeg send MPEG-TS over UDP: as it is,
# in RTP, to a group, with HEVC.  Each stream is played over HTTP-FLV and
# decoded.

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

for my $element (qw/ mpegtsmux rtpmp2tpay udpsink x264enc x265enc avenc_aac /)
{
    plan(skip_all => "no GStreamer element $element")
        if system("gst-inspect-1.0 --exists $element >/dev/null 2>&1");
}

my @names = qw/ gst gstrtp gstgroup gsthevc vlc vlcrtp relay ffmpeg /;
my %port = map { $names[$_] => 8940 + $_ } 0 .. $#names;

my ($t, undef, $http) = server(stream => join '', map {
    my $to = $_ eq 'gstgroup' ? '239.77.1.3' : '127.0.0.1';
    my $more = $_ eq 'gstgroup' ? 'interface lo;' : '';
    $more = 'rtp on;' if /rtp/;
    "server { listen $to:%%PORT_$port{$_}_UDP%% udp;
        mpegts { publish live/$_; $more } }\n"
} @names);

my $seconds = $ENV{TEST_CLIENT_SECONDS} || 5;
my $d = $t->testdir();

sub at { return 'port=' . port($port{$_[0]}) }

my $video = 'videotestsrc is-live=true pattern=ball !
    video/x-raw,width=320,height=180,framerate=25/1 !';
my $h264 = "$video x264enc tune=zerolatency speed-preset=ultrafast
    key-int-max=25 bitrate=300 ! h264parse ! queue ! m.";
my $h265 = "$video x265enc tune=zerolatency speed-preset=ultrafast
    key-int-max=25 bitrate=300 ! h265parse ! queue ! m.";
my $audio = 'audiotestsrc is-live=true wave=sine samplesperbuffer=1024 !
    audio/x-raw,rate=44100,channels=2 ! avenc_aac ! aacparse ! queue ! m.';

sub gst {
    my ($name, $sink, $from) = @_;

    return $t->run_daemon('gst-launch-1.0', split(' ',
        "mpegtsmux name=m alignment=7 ! $sink " . at($name)
        . " sync=false $from $audio"));
}

my %pid;

sub play {
    my ($name, $format) = @_;

    $format ||= 'flv';

    ok(live("/live/$name.$format", 30), "$name is live") or return
        diag($t->daemon_log($pid{$name}));

    my $warnings = run_for($t, $seconds + 12, 'ffmpeg', qw/ -hide_banner
        -nostdin -v warning -y -i /, "$http/live/$name.$format", '-t', $seconds,
        qw/ -c copy /, "$d/$name.mkv");
    is($warnings, '', "$name: no warning");

    my $got = Client::analyse("$d/$name.mkv");

    is(join('', @{$got->{errors}}), '', "$name: no decode error");
    is($got->{frames}, int(($got->{last} - $got->{first}) * 25 + 1.5),
        "$name: every frame once");
    cmp_ok($got->{frames}, '>=', 25 * $seconds * 0.7, "$name: frames");
}

$pid{gst} = gst('gst', 'udpsink host=127.0.0.1', $h264);
$pid{gstrtp} = gst('gstrtp', 'rtpmp2tpay ! udpsink host=127.0.0.1', $h264);
play($_) for qw/ gst gstrtp /;
$t->stop_daemons();

$pid{gstgroup} = gst('gstgroup',
    'udpsink host=239.77.1.3 multicast-iface=lo ttl-mc=0', $h264);
$pid{gsthevc} = gst('gsthevc', 'rtpmp2tpay ! udpsink host=127.0.0.1', $h265);

my $hevc = $pid{gsthevc};

play('gstgroup');
play('gsthevc', 'ts');

$t->stop_daemons();

# a clip for programs that encode nothing

my $clip = "$d/clip.ts";

system('ffmpeg', qw/ -hide_banner -nostdin -v error /, map({ $_ eq '-re'
    ? () : $_ } Client::clip()), '-t', $seconds + 25,
    qw/ -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p
    -b:v 300k -g 25 -c:a aac -b:a 64k -f mpegts /, $clip);

SKIP: {
    skip 'no VLC', 10 unless grep { -x "$_/vlc" } split /:/, $ENV{PATH};

    for my $name (qw/ vlc vlcrtp /) {
        my $to = port($port{$name});
        my $out = $name eq 'vlc'
            ? "#standard{access=udp,mux=ts,dst=127.0.0.1:$to}"
            : "#rtp{mux=ts,dst=127.0.0.1,port=$to}";

        $pid{$name} = $t->run_daemon(as_user($t, 'vlc'), qw/ -I dummy
            --no-sout-all /, $clip, '--sout', $out, 'vlc://quit');
    }

    play($_) for qw/ vlc vlcrtp /;
}

SKIP: {
    skip 'no srt-live-transmit', 5 unless grep { -x "$_/srt-live-transmit" }
        split /:/, $ENV{PATH};

    my $srt = port(8960);

    $pid{relay} = $t->run_daemon('srt-live-transmit', '-q',
        "srt://127.0.0.1:$srt?mode=listener",
        'udp://127.0.0.1:' . port($port{relay}));
    sleep 1;
    $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v error -re -i /,
        $clip, qw/ -c copy -f mpegts /,
        "srt://127.0.0.1:$srt?pkt_size=1316");
    play('relay');
}

$pid{ffmpeg} = $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v error
    -re -i /, $clip, qw/ -c copy -f rtp_mpegts /,
    'rtp://127.0.0.1:' . port($port{ffmpeg}));
play('ffmpeg');

$t->stop_daemons();
$t->stop();

done_testing();
