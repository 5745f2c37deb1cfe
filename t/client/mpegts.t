#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# mpegts.js plays FLV and MPEG-TS, over HTTP and over WebSocket, in headless
# Chromium.  The page is served by the nginx under test and reports by a
# request, which the access log shows.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;

use File::Copy qw/ copy /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

found('chromium');

my $js = script('mpegts.js');

plan(skip_all => 'no mpegts.js') unless defined $js;

my ($t, $rtmp) = server(http => 'location = /report { return 204; }');
my $seconds = seconds();
my $d = $t->testdir();

copy($js, "$d/mpegts.js") or die "mpegts.js: $!\n";
chmod 0644, "$d/mpegts.js";

$t->write_file('play.html', <<'END_OF_PAGE');
<!DOCTYPE html>
<html>
<body>
<video id="video" muted width="320" height="180"></video>
<script src="/mpegts.js"></script>
<script>
var query = new URLSearchParams(location.search);
var video = document.getElementById('video');
var errors = [], first = null, flashes = [], frames = 0, last = -1, back = 0;

var format = query.get('format');

var player = mpegts.createPlayer({ type: format == 'ts' ? 'mpegts' : format,
    isLive: true, url: query.get('scheme') + '://' + location.host + '/live/'
        + query.get('name') + '.' + format });

player.on(mpegts.Events.ERROR, function (type, detail) {
    errors.push(type + '/' + detail);
});

video.addEventListener('error', function () {
    errors.push('video/' + (video.error && video.error.message));
});

var canvas = document.createElement('canvas');
canvas.width = 32; canvas.height = 18;
var context = canvas.getContext('2d', { willReadFrequently: true });

function frame(now, data) {
    context.drawImage(video, 0, 0, 32, 18);
    var p = context.getImageData(16, 9, 1, 1).data;
    var q = context.getImageData(4, 15, 1, 1).data;
    frames++;
    if (data.mediaTime < last) back++;
    last = data.mediaTime;
    if (first === null) first = data.mediaTime;
    if (p[0] > 225 && p[1] > 225 && p[2] > 225 && q[0] > 225 && q[1] > 225
        && q[2] > 225)
    {
        flashes.push(Math.round(data.mediaTime * 1000));
    }
    video.requestVideoFrameCallback(frame);
}

video.requestVideoFrameCallback(frame);
player.attachMediaElement(video);
player.load();
player.play();

setTimeout(function () {
    var q = video.getVideoPlaybackQuality();
    fetch('/report?' + new URLSearchParams({ name: query.get('name'),
        format: format, scheme: query.get('scheme'), time: video.currentTime, played: last - (first || 0),
        total: q.totalVideoFrames, dropped: q.droppedVideoFrames,
        corrupted: q.corruptedVideoFrames || 0, shown: frames, back: back,
        audio: video.webkitAudioDecodedByteCount || 0,
        flashes: flashes.join('_'), errors: errors.join('_') }));
}, query.get('seconds') * 1000);
</script>
</body>
</html>
END_OF_PAGE

publish_clip($t, "$rtmp/live/clip", codecs => [qw/ -c:v libx264 -preset
    ultrafast -profile:v baseline -pix_fmt yuv420p -b:v 300k -g 25
    -c:a aac -b:a 64k /]);
ok(live('/live/clip.flv'), 'clip is live');

for my $format (qw/ flv ts /) {
    play_page($format, $_) for qw/ http ws /;
}

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub play_page {
    my ($format, $scheme) = @_;

    my $name = "$format over $scheme";
    my $pid = open_page($t, 'http://127.0.0.1:' . port(8080)
        . "/play.html?name=clip&seconds=$seconds&format=$format"
        . "&scheme=$scheme");
    my $got = reported($t, qr/format=$format&scheme=$scheme\b/, $seconds + 40);
    my %report = %{$got || {}};

    ok($got, "$name: the page has reported");
    is($report{errors}, '', "$name: no error");
    cmp_ok($report{played} || 0, '>=', $seconds * 0.6, "$name: plays");
    cmp_ok($report{total} || 0, '>=', 25 * $seconds * 0.6,
        "$name: pictures decoded");
    is($report{corrupted}, 0, "$name: no picture is damaged");
    is($report{back}, 0, "$name: time does not go back");
    cmp_ok($report{audio} || 0, '>', 1000 * $seconds, "$name: sound decoded");

    my @flashes = split /_/, $report{flashes} || '';
    my @uneven = grep { $_ % 1000 > 60 && $_ % 1000 < 940 }
        map { $flashes[$_] - $flashes[0] } 1 .. $#flashes;

    is("@uneven", '', "$name: flashes are seconds apart");

    note(join ', ', map { "$_ $report{$_}" } sort keys %report);

    $t->stop_daemon($pid);
}
