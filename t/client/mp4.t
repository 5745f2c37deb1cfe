#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Fragmented MP4 of the suite's writer in players: Media Source Extensions of
# headless Chromium, which is given the init segment and then chunk by chunk,
# and qtdemux of GStreamer.  Both decode all frames.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Test::Nginx::MP4;
use Client;


select STDERR; $| = 1;
select STDOUT; $| = 1;

found('ffmpeg', 'ffprobe');

my $mux = mux_mp4() or plan(skip_all => 'mux-mp4 cannot be built');

my %cases = (
    'avc-aac' => [ 'ts', qw/ -c:v libx264 -preset veryfast -bf 3 -g 30
        -c:a aac -ac 2 -ar 44100 / ],
    'avc-mp3' => [ 'flv', qw/ -c:v libx264 -preset veryfast -bf 2 -g 30
        -c:a libmp3lame -ar 44100 / ],
    'vp9-opus' => [ 'flv', qw/ -c:v libvpx-vp9 -deadline realtime -cpu-used 8
        -g 30 -b:v 200k -c:a libopus / ],
    'av1-opus' => [ 'flv', qw/ -c:v libaom-av1 -cpu-used 8 -row-mt 0
        -lag-in-frames 4 -g 30 -b:v 200k -c:a libopus / ],
    'avc-flac' => [ 'flv', qw/ -c:v libx264 -preset veryfast -bf 0 -g 30
        -c:a flac -strict -2 -ar 48000 / ],
    'hevc-ac3' => [ 'ts', qw/ -c:v libx265 -preset ultrafast -g 30
        -x265-params log-level=none:pools=1:keyint=30 -c:a ac3 / ],
);

# Chromium takes neither MP3 nor AC-3 in MP4, nor HEVC without the hardware.

my @browser = qw/ avc-aac vp9-opus av1-opus avc-flac /;

my ($t) = server(http => 'location = /report { return 204; }');
my $d = $t->testdir();
my %frames;

for my $name (sort keys %cases) {
    my ($form, @codecs) = @{$cases{$name}};
    my $source = "$d/$name." . ($form eq 'ts' ? 'ts' : 'src.mp4');
    my $input = $form eq 'ts' ? $source : "$d/$name.flv";

    my ($rc, $text) = run(qw/ ffmpeg -nostdin -v error -y -threads 1 -f lavfi
        -i testsrc2=s=192x108:r=30:d=4 -f lavfi -i sine=440:r=48000:d=4
        -pix_fmt yuv420p /, @codecs, $form eq 'ts' ? qw/ -f mpegts /
        : qw/ -use_editlist 0 -movflags +negative_cts_offsets /, $source);

    to_flv($source, $input) if $form eq 'flv' && $rc == 0;

    ($rc, $text) = run($mux, $input, "$d/$name.mp4") if $rc == 0;

    is($rc, 0, "$name: written") or diag($text);

    my @names = $text =~ /^track \d+ (\S+)/mg;
    my @parts = $text =~ /^(?:init|chunk \d+ \d+) (\d+ \d+)/mg;

    s/^(\d+) (\d+)$/[$1,$2]/ for @parts;

    $t->write_file("$name.json", '{ "type": "video/mp4; codecs=\"'
        . join(',', @names) . '\"", "parts": [' . join(',', @parts) . '] }');

    ($frames{$name}{v}, $frames{$name}{a}) = $text
        =~ /^clock \d+ (\d+).*^clock \d+ (\d+)/ms;
}

SKIP: {
    skip('no chromium', 1) unless grep { -x "$_/chromium" }
        split /:/, $ENV{PATH};
    in_browser();
}

SKIP: {
    skip('no GStreamer', 1) unless grep { -x "$_/gst-launch-1.0" }
        split /:/, $ENV{PATH};
    in_gstreamer($_) for sort keys %cases;
}

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub in_browser {

    $t->write_file('mse.html', <<'END_OF_PAGE');
<!DOCTYPE html>
<html>
<body>
<video id="video" muted width="192" height="108"></video>
<script>
var video = document.getElementById('video');

function once(target, name) {
    return new Promise(function (done) {
        target.addEventListener(name, done, { once: true });
    });
}

async function play(name) {
    var r = { name: name, errors: '', type: '', ranges: '' };

    try {
        var index = await (await fetch('/' + name + '.json')).json();
        var data = await (await fetch('/' + name + '.mp4')).arrayBuffer();

        r.type = index.type;

        if (!MediaSource.isTypeSupported(index.type)) {
            r.errors = 'not supported';
            return r;
        }

        var source = new MediaSource();

        video.src = URL.createObjectURL(source);
        await once(source, 'sourceopen');

        var buffer = source.addSourceBuffer(index.type);

        buffer.addEventListener('error', function () { r.errors += 'append '; });

        for (var part of index.parts) {
            buffer.appendBuffer(data.slice(part[0], part[0] + part[1]));
            await once(buffer, 'updateend');
        }

        for (var i = 0; i < video.buffered.length; i++) {
            r.ranges += Math.round(video.buffered.start(i) * 1000) + '-'
                + Math.round(video.buffered.end(i) * 1000) + ' ';
        }

        source.endOfStream();
        video.currentTime = video.buffered.start(0);
        await video.play();
        await Promise.race([ once(video, 'ended'), once(video, 'error'),
            new Promise(function (done) { setTimeout(done, 15000); }) ]);

        var q = video.getVideoPlaybackQuality();

        r.ended = video.ended ? 1 : 0;
        r.total = q.totalVideoFrames;
        r.corrupted = q.corruptedVideoFrames || 0;
        r.audio = video.webkitAudioDecodedByteCount || 0;
        r.width = video.videoWidth;

    } catch (e) {
        r.errors += e;
    }

    if (video.error) r.errors += ' ' + video.error.message;

    return r;
}

async function all() {
    for (var name of new URLSearchParams(location.search).getAll('name')) {
        var r = await play(name);
        await fetch('/report?' + new URLSearchParams(r) + '&end=1');
    }
}

all();
</script>
</body>
</html>
END_OF_PAGE

    my $pid = open_page($t, 'http://127.0.0.1:' . port(8080) . '/mse.html?'
        . join '&', map { "name=$_" } @browser);

    for my $name (@browser) {
        my %report = %{reported($t, qr/^name=$name&.*end=1/, 60) || {}};

        is($report{errors}, '', "$name: MSE takes it, no error");
        is($report{ended}, 1, "$name: plays to its end");
        is($report{total}, $frames{$name}{v}, "$name: all pictures decoded");
        is($report{corrupted}, 0, "$name: none is damaged");
        is($report{width}, 192, "$name: their size");
        cmp_ok($report{audio} || 0, '>', 10000, "$name: sound decoded");

        my @ranges = split ' ', $report{ranges} || '';
        my ($from, $to) = split /-/, $ranges[0] || '0-0';

        ok(@ranges == 1 && $to - $from > 3900 && $to - $from < 4150,
            "$name: one range without holes");

        note(join ', ', map { "$_ $report{$_}" } sort keys %report);
    }

    $t->stop_daemon($pid);
}

# Demuxed and decoded: the pictures and samples behind the decoders.

sub in_gstreamer {
    my ($name) = @_;

    my ($rc, $out) = run('gst-launch-1.0', 'filesrc',
        "location=$d/$name.mp4", split ' ', "! qtdemux name=d
        d.video_0 ! queue ! decodebin ! videoconvert
        ! video/x-raw,format=GRAY8 ! filesink sync=false location=$d/gst.gray
        d.audio_0 ! queue ! decodebin ! audioconvert ! audioresample
        ! audio/x-raw,format=S16LE,channels=1,rate=48000
        ! filesink sync=false location=$d/gst.pcm");

    is($rc, 0, "$name: qtdemux plays to the end") or diag(substr $out, -2000);
    unlike($out, qr/^(?:ERROR|WARNING)/m, "$name: qtdemux, no error");
    is((-s "$d/gst.gray" || 0) / (192 * 108), $frames{$name}{v},
        "$name: qtdemux, all pictures");
    cmp_ok((-s "$d/gst.pcm" || 0) / 2, '>=', 3.9 * 48000,
        "$name: qtdemux, all sound");
}
