#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# dash.js and Shaka play DASH in headless Chromium, with low latency and
# without, and ffmpeg records it.  The page is served by the nginx under test
# and reports by a request, which the access log shows.

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

my %players = (dashjs => script('dashjs', 'dash.all.min.js'),
    shaka => script('shaka-player', 'shaka-player.compiled.js'));

plan(skip_all => 'no dash.js or Shaka')
    if grep { !defined } values %players;

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon(qw/ffmpeg ffprobe/);

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }
media {
    application live { dash on; }
    application plain { dash on; hls_part 0; }
}
stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}
http {
    %%TEST_GLOBALS_HTTP%%
    types { text/html html; application/javascript js; }
    server {
        listen 127.0.0.1:8080;
        location / { hls; }
        location = /report { return 204; }
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $http = 'http://127.0.0.1:' . port(8080);
my $seconds = seconds();
my $d = $t->testdir();

for my $player (keys %players) {
    copy($players{$player}, "$d/$player.js") or die "$player: $!\n";
    chmod 0644, "$d/$player.js";
}

$t->write_file('play.html', <<'END_OF_PAGE');
<!DOCTYPE html>
<html>
<body>
<video id="video" muted width="320" height="180"></video>
<script src="/dashjs.js"></script>
<script src="/shaka.js"></script>
<script>
var query = new URLSearchParams(location.search);
var video = document.getElementById('video');
var which = query.get('player'), app = query.get('app');
var url = '/' + app + '/clip.mpd';
var errors = [], first = null, last = -1, back = 0, holes = 0, stalls = 0;
var delays = [], latency, player;

video.addEventListener('error', function () {
    errors.push('video/' + (video.error && video.error.message));
});

video.addEventListener('waiting', function () {
    if (first !== null && last - first > 2) stalls++;
});

function frame(now, data) {
    if (data.mediaTime < last) back++;
    if (first !== null && data.mediaTime - last > 1) holes++;
    last = data.mediaTime;
    if (first === null) first = last;
    video.requestVideoFrameCallback(frame);
}

video.requestVideoFrameCallback(frame);

if (which == 'dashjs') {
    player = dashjs.MediaPlayer().create();
    player.on('error', function (e) {
        errors.push(e.error ? e.error.code + '/' + e.error.message : 'error');
    });
    player.initialize(video, url, true);
    latency = function () { return player.getCurrentLiveLatency(); };

} else {
    shaka.polyfill.installAll();
    player = new shaka.Player();
    player.addEventListener('error', function (e) {
        errors.push('shaka/' + e.detail.code);
    });
    player.configure({ streaming: { lowLatencyMode: app == 'live' } });
    player.attach(video).then(function () {
        return player.load(url);
    }).then(function () {
        video.play();
    }).catch(function (e) {
        errors.push('load/' + e.code);
    });
    latency = function () { return player.getStats().liveLatency; };
}

setInterval(function () {
    var l = latency();
    if (l) delays.push(l);
}, 200);

setTimeout(function () {
    var q = video.getVideoPlaybackQuality();
    delays.sort(function (a, b) { return a - b; });
    fetch('/report?' + new URLSearchParams({ player: which, app: app,
        played: last - (first || 0), total: q.totalVideoFrames,
        dropped: q.droppedVideoFrames, back: back, holes: holes,
        stalls: stalls, latency: delays[delays.length >> 1] || 0,
        audio: video.webkitAudioDecodedByteCount || 0,
        errors: errors.join('_') }));
}, query.get('seconds') * 1000);
</script>
</body>
</html>
END_OF_PAGE

publish_clip($t, "$rtmp/$_/clip", codecs => [qw/ -c:v libx264 -preset
    ultrafast -profile:v baseline -pix_fmt yuv420p -b:v 300k -g 25
    -c:a aac -b:a 64k /]) for qw/ live plain /;

ok(live("/$_/clip.mpd"), "$_: an MPD") for qw/ live plain /;

for my $app (qw/ live plain /) {
    play_page($_, $app) for qw/ dashjs shaka /;

    my $file = "$d/$app.mkv";

    run_for($t, $seconds + 20, qw/ ffmpeg -hide_banner -nostdin -v warning
        -i /, "$http/$app/clip.mpd", '-t', $seconds, qw/ -c copy /, $file);
    check_played("ffmpeg, $app", $file, $seconds);
}

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub play_page {
    my ($player, $app) = @_;

    my $name = "$player, $app";
    my $time = $seconds + 4;

    my $pid = open_page($t, "$http/play.html?player=$player&app=$app"
        . "&seconds=$time");
    my $got = reported($t, qr/^player=$player&app=$app&/, $time + 40);
    my %report = %{$got || {}};

    ok($got, "$name: the page has reported");
    is($report{errors}, '', "$name: no error");
    cmp_ok($report{played} || 0, '>=', $seconds * 0.6, "$name: plays");
    cmp_ok($report{total} || 0, '>=', 25 * $seconds * 0.6,
        "$name: pictures decoded");
    is($report{back}, 0, "$name: time does not go back");

    # with low latency dash.js may leap to the live edge once
    cmp_ok($report{holes}, '<=', $app eq 'live' ? 1 : 0,
        "$name: without holes");
    cmp_ok($report{audio} || 0, '>', 1000 * $seconds, "$name: sound decoded");
    cmp_ok($report{latency} || 99, '<', $app eq 'live' ? 4 : 12,
        "$name: behind live, s");

    note(join ', ', map { "$_ $report{$_}" } sort keys %report);

    $t->stop_daemon($pid);
}
