#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings in players: MP4, fragmented and progressive, in the <video> of
# headless Chromium, which plays it to its end and seeks in it; FLV, MP4 and
# MPEG-TS in ffmpeg, GStreamer and VLC.  They decode all frames.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Test::Nginx::DVR;
use Client;

select STDERR; $| = 1;
select STDOUT; $| = 1;

found('ffmpeg', 'ffprobe');

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live threads /);
my $d = $t->testdir();

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }
media {
    republish_wait 300ms;
    dvr on;
    application flv  { dvr_path $d/flv/[stream].flv; }
    application ts   { dvr_path $d/ts/[stream].ts; }
    application mp4  { dvr_path $d/mp4/[stream].mp4; }
    application prog { dvr_path $d/prog/[stream].mp4; dvr_mp4 progressive; }
    dvr_path $d/none/[stream].flv;
}
stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}
http {
    %%TEST_GLOBALS_HTTP%%
    types { text/html html; video/mp4 mp4; }
    server {
        listen 127.0.0.1:8080;
        location / { }
        location = /report { return 204; }
    }
}
END_OF_CONF

$t->run();

# what is published: media(), pictures, seconds of sound

my $aac = [ qw/ -c:a aac -b:a 48k -ar 44100 / ];

my %cases = (
    avc => { codecs => [ qw/ -c:v libx264 -preset ultrafast -tune zerolatency
        -bf 0 /, @$aac ] },
    bframes => { codecs => [ qw/ -c:v libx264 -preset veryfast -bf 3 /,
        @$aac ] },
    audio => { video => 0, codecs => $aac },
    video => { audio => 0, codecs => [ qw/ -c:v libx264 -preset ultrafast
        -bf 0 / ] },
    hevc => { enhanced => 1, codecs => [ qw/ -c:v libx265 -preset ultrafast
        -x265-params log-level=none:pools=1:keyint=25:bframes=2 /, @$aac ] },
);

my %media;

for my $name (sort keys %cases) {
    my $m = $media{$name} = media($t, $name, seconds => 4, gop => 25,
        %{$cases{$name}});

    for my $type (9, 8) {
        $m->{n}{$type} = grep { $_->{type} == $type } @{$m->{frames}};
    }
}

my @senders = map { my $name = $_; sender($t, $media{$name}, names =>
    [ map { "$_/$name" } qw/ flv ts mp4 prog / ]) } sort keys %cases;

for my $s (@senders) {
    my $sent = $s->end(whole => 1);

    is($sent->{said}, '', "$s->{names}[0]: published");
}

###############################################################################

for my $name (sort keys %cases) {
    my $m = $media{$name};

    for my $form (qw/ flv ts mp4 prog /) {
        my $file = "$d/$form/$name." . ($form eq 'prog' ? 'mp4' : $form);
        my $r;

        ok(wait_until(sub {
            return 0 if !-s $file || (() = glob "$d/$form/.dvr/open/*");
            $r = recording($m, $file);
            return !lacks($m, [ 0, $#{$m->{frames}} ], $r);
        }, 15), "$form/$name: whole");

        is($r->{fault}, '', "$form/$name: its frames, in time");

        # ffmpeg before 6.1 does not know Enhanced FLV

        is(plays($file), '', "$form/$name: ffmpeg plays it")
            unless "$form/$name" eq 'flv/hevc';

        my ($rc, $seconds) = Test::Nginx::MP4::run(qw/ ffprobe -v error
            -show_entries format=duration -of default=nw=1:nk=1 /, $file);

        cmp_ok(abs(($seconds =~ /^([\d.]+)/ ? $1 : 0) - 4), '<', 0.15, "$form/$name: duration")
            unless "$form/$name" eq 'flv/hevc';
    }

    my $file = slurp("$d/prog/$name.mp4");

    ok(index(substr($file, 0, 100), 'moov') > 0, "prog/$name: an index first");
    ok(index($file, 'moof') < 0, "prog/$name: no fragments");
}

SKIP: {
    skip('no chromium', 1) unless grep { -x "$_/chromium" }
        split /:/, $ENV{PATH};
    in_browser();
}

SKIP: {
    skip('no GStreamer', 1) unless grep { -x "$_/gst-launch-1.0" }
        split /:/, $ENV{PATH};
    in_gstreamer();
}

SKIP: {
    skip('no VLC', 1) unless grep { -x "$_/vlc" } split /:/, $ENV{PATH};
    in_vlc();
}

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return '';
    local $/;

    return scalar(<$fh>) // '';
}

sub in_browser {

    $t->write_file('video.html', <<'END_OF_PAGE');
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

function wait(ms) {
    return new Promise(function (done) { setTimeout(done, ms); });
}

async function play(name) {
    var r = { name: name, errors: '' };

    try {
        video.src = '/' + name + '.mp4';
        await Promise.race([ once(video, 'loadedmetadata'),
            once(video, 'error'), wait(8000) ]);

        await video.play();
        await Promise.race([ once(video, 'ended'), once(video, 'error'),
            wait(12000) ]);

        var q = video.getVideoPlaybackQuality();

        r.ended = video.ended ? 1 : 0;
        r.duration = Math.round(video.duration * 1000);
        r.at = Math.round(video.currentTime * 1000);
        r.total = q.totalVideoFrames;
        r.corrupted = q.corruptedVideoFrames || 0;
        r.audio = video.webkitAudioDecodedByteCount || 0;
        r.width = video.videoWidth;

        video.pause();
        video.currentTime = 2.5;
        await Promise.race([ once(video, 'seeked'), once(video, 'error'),
            wait(5000) ]);
        r.seeked = video.seeking ? -1 : Math.round(video.currentTime * 1000);

        await video.play();
        await Promise.race([ once(video, 'ended'), wait(5000) ]);
        r.again = video.ended ? 1 : 0;

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

    # HEVC it decodes only by hardware

    my @names = map { ("mp4/$_", "prog/$_") } qw/ avc bframes audio video /;
    my $pid = open_page($t, 'http://127.0.0.1:' . port(8080) . '/video.html?'
        . join '&', map { "name=$_" } @names);

    for my $name (@names) {
        my $case = $name =~ s!.*/!!r;
        my $m = $media{$case};
        my $word = $name =~ s!/!%2F!r;
        my %r = %{reported($t, qr/^name=$word&.*end=1/, 60) || {}};

        is($r{errors}, '', "$name: Chromium, no error");
        is($r{ended}, 1, "$name: plays to its end");
        cmp_ok(abs(($r{duration} || 0) - 4000), '<', 150,
            "$name: duration");
        cmp_ok(abs(($r{at} || 0) - ($r{duration} || 1e6)), '<', 50,
            "$name: that is where it ends");
        is($r{total}, $m->{n}{9}, "$name: all pictures decoded");
        is($r{corrupted}, 0, "$name: none is damaged");
        cmp_ok($r{audio} || 0, '>', 5000, "$name: sound decoded")
            if $m->{n}{8};
        is($r{seeked}, 2500, "$name: seeks");
        is($r{again}, 1, "$name: and plays on");

        note(join ', ', map { "$_ $r{$_}" } sort keys %r);
    }

    $t->stop_daemon($pid);
}

# Demuxed and decoded: the pictures and samples behind the decoders.

sub in_gstreamer {
    my %demux = (flv => 'flvdemux', ts => 'tsdemux', mp4 => 'qtdemux',
        prog => 'qtdemux');

    for my $form (sort keys %demux) {
        my $m = $media{bframes};
        my $file = "$d/$form/bframes." . ($form eq 'prog' ? 'mp4' : $form);
        my ($v, $a) = $form eq 'flv' ? ('video', 'audio')
            : $form eq 'ts' ? ('', '') : ('video_0', 'audio_0');

        unlink "$d/gst.gray", "$d/gst.pcm";

        my ($rc, $out) = Test::Nginx::MP4::run('gst-launch-1.0', 'filesrc',
            "location=$file", split ' ', "! $demux{$form} name=d
            d.$v ! queue ! h264parse ! avdec_h264 ! videoconvert
            ! video/x-raw,format=GRAY8 ! filesink sync=false
            location=$d/gst.gray
            d.$a ! queue ! aacparse ! avdec_aac ! audioconvert
            ! audioresample ! audio/x-raw,format=S16LE,channels=1,rate=44100
            ! filesink sync=false location=$d/gst.pcm");

        is($rc, 0, "$form: $demux{$form} plays to the end")
            or diag(substr $out, -2000);
        unlike($out, qr/^(?:ERROR|WARNING)/m, "$form: no error");
        is((-s "$d/gst.gray" || 0) / (160 * 96), $m->{n}{9},
            "$form: all pictures");
        cmp_ok((-s "$d/gst.pcm" || 0) / 2, '>=', 3.9 * 44100,
            "$form: all sound");
    }
}

sub in_vlc {
    for my $form (qw/ flv ts mp4 prog /) {
        my $m = $media{avc};
        my $file = "$d/$form/avc." . ($form eq 'prog' ? 'mp4' : $form);
        my $out = run_for($t, 20, 'sh', '-c', '
            { sleep 4; echo stats; sleep 1; echo quit; sleep 1; } | exec "$@"',
            'sh', as_user($t, 'vlc'), qw/ -I rc --rc-fake-tty --no-color
            --vout vdummy --aout adummy --play-and-pause /, $file);

        my ($video) = $out =~ /video decoded\s*:\s*(\d+)/;
        my ($audio) = $out =~ /audio decoded\s*:\s*(\d+)/;
        my ($corrupted) = $out =~ /discontinuities\s*:\s*(\d+)/;

        cmp_ok($video || 0, '>=', 70, "$form: VLC, pictures");
        cmp_ok($audio || 0, '>=', 120, "$form: VLC, sound");

        # the pieces of an edit list count

        cmp_ok($corrupted || 0, '<=', $form eq 'prog' ? 2 : 0,
            "$form: VLC, nothing missing");
    }
}
