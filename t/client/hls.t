#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# HLS in real players: hls.js, Shaka and video.js in headless Chromium, with
# low latency and without; ffmpeg, mpv, VLC, GStreamer and streamlink, fMP4 and
# MPEG-TS.  Those that are not installed are left out.  The page is served by
# the nginx under test and reports by a request, which the access log shows.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Test::Nginx::HLS ();
use Client;

use File::Copy qw/ copy /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon(qw/ffmpeg ffprobe/);

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }
media {
    application live { }
    application near { hls_part 200ms; hls_fragment 1s; }
    application plain { hls_part 0; }
    application ts { hls_part 0; hls_container mpegts; }
    application who { hls_session on; }
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
my @apps = qw/ live near plain ts who /;

# a few of the combinations, or all of them

my $long = $seconds > 8;

publish_clip($t, "$rtmp/$_/clip", codecs => [qw/ -c:v libx264 -preset
    ultrafast -profile:v baseline -pix_fmt yuv420p -b:v 300k -g 25
    -c:a aac -b:a 64k /]) for @apps;

ok(Test::Nginx::HLS::hls_live("/$_/clip.hls.0.m3u8", 3), "$_ is live")
    for @apps;

browsers();

for my $app (qw/ live ts /) {
    my $url = "$http/$app/clip.m3u8";

    recorded("ffmpeg, $app", "$d/$app.mkv", qw/ ffmpeg -hide_banner -nostdin
        -v warning -i /, $url, '-t', $seconds, qw/ -c copy /, "$d/$app.mkv");

    mpv($app, $url) if installed('mpv');
    vlc($app, $url) if installed('vlc') && installed('setpriv');
    gstreamer($app, $url) if installed('gst-launch-1.0');

    recorded("streamlink, $app", "$d/$app.link.ts", as_user($t, 'streamlink',
        qw/ --loglevel error --hls-live-edge 2 --hls-duration /, $seconds,
        '-o', "$d/home/$app.link.ts", $url, 'best'))
        if $long && installed('streamlink');
}

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub installed {
    my ($program) = @_;
    return 1 if grep { -x "$_/$program" } split /:/, $ENV{PATH};
    note("$program is left out");
    return 0;
}

sub recorded {
    my ($name, $file, @command) = @_;

    my $out = run_for($t, $seconds + 25, @command);

    $file =~ s!([^/]+)$!home/$1! unless -e $file;
    check_played($name, $file, $seconds);
}

sub mpv {
    my ($app, $url) = @_;

    my $out = run_for($t, $seconds + 6, as_user($t, 'mpv'), qw/ --no-config
        --no-input-terminal --vo=null --ao=null --term-osd=no
        /, "--msg-level=all=warn,statusline=status",
        '--term-status-msg=at=${=time-pos} '
        . 'drop=${=decoder-frame-drop-count}\n', $url);

    my @at = $out =~ /at=([\d.]+)/g;
    my @drop = $out =~ /drop=(\d+)/g;

    cmp_ok(@at ? $at[-1] - $at[0] : 0, '>=', $seconds * 0.6,
        "mpv, $app: plays");
    is($drop[-1], 0, "mpv, $app: decoder drops nothing");
    unlike($out, qr/error|corrupt|invalid|desync/i, "mpv, $app: no error");
}

sub vlc {
    my ($app, $url) = @_;

    my $out = run_for($t, $seconds + 20, 'sh', '-c', '
        s=$1; shift;
        { sleep $s; echo stats; sleep 1; echo quit; sleep 1; } | exec "$@"',
        'sh', $seconds + 4, as_user($t, 'vlc'), qw/ -I rc --rc-fake-tty
        --no-color --vout vdummy --aout adummy --network-caching=500 /, $url);

    my ($video) = $out =~ /video decoded\s*:\s*(\d+)/;
    my ($audio) = $out =~ /audio decoded\s*:\s*(\d+)/;

    cmp_ok($video || 0, '>=', 25 * $seconds * 0.5, "VLC, $app: pictures");
    cmp_ok($audio || 0, '>=', 43 * $seconds * 0.5, "VLC, $app: sound");
}

sub gstreamer {
    my ($app, $url) = @_;

    # playbin3 takes hlsdemux2: the older hlsdemux, of playbin, takes the times
    # of fMP4 for such as begin at 0 with the playlist, and waits for as long
    # as the stream ran before

    my $out = run_for($t, $seconds + 8, qw/ gst-launch-1.0 -v playbin3 /,
        "uri=$url", 'video-sink=videoconvert ! progressreport update-freq=1'
        . ' name=video ! fakesink sync=true', 'audio-sink=fakesink sync=true');

    my @at = $out =~ /video \([\d:]+\): (\d+)/g;

    unlike($out, qr/^ERROR/m, "GStreamer, $app: no error");
    cmp_ok(scalar @at, '>=', $seconds * 0.6, "GStreamer, $app: plays");
}

###############################################################################

sub browsers {
    return unless installed('chromium');

    my %players = (
        hlsjs => script('hls.js'),
        shaka => script('shaka-player', 'shaka-player.compiled.js'),
        videojs => script('video.js', 'video.min.js'),
    );

    for my $player (sort keys %players) {
        if (!defined $players{$player}) {
            note("$player is left out");
            return;
        }

        copy($players{$player}, "$d/$player.js") or die "$player: $!\n";
        chmod 0644, "$d/$player.js";
    }

    page();

    play_page('hlsjs', $_, $_ =~ /live|near|who/ ? 3 : 12)
        for $long ? @apps : qw/ near ts /;
    play_page('shaka', $_, 12) for $long ? qw/ live plain ts / : 'live';
    play_page('videojs', $_, 14) for $long ? qw/ plain ts / : 'plain';
}

sub page {
    $t->write_file('play.html', <<'END_OF_PAGE');
<!DOCTYPE html>
<html>
<body>
<video id="video" muted width="320" height="180"></video>
<script>
var query = new URLSearchParams(location.search);
var video = document.getElementById('video');
var which = query.get('player'), app = query.get('app');
var url = '/' + app + '/clip.m3u8';
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

function start() {
    if (which == 'hlsjs') {
        player = new Hls({ lowLatencyMode: true,
            maxLiveSyncPlaybackRate: 1.5 });
        player.on(Hls.Events.ERROR, function (event, data) {
            // a start between keyframes leaves a hole before the first picture
            if (data.fatal || (data.details != 'bufferStalledError'
                && data.details != 'bufferSeekOverHole'))
                errors.push(data.details + (data.fatal ? '/fatal' : ''));
        });
        player.loadSource(url);
        player.attachMedia(video);
        video.play();
        latency = function () { return player.latency; };

    } else if (which == 'shaka') {
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

    } else {
        player = videojs(video, { html5: { vhs: { overrideNative: true } } });
        player.on('error', function () {
            errors.push('videojs/' + player.error().message);
        });
        player.src({ src: url, type: 'application/x-mpegURL' });
        player.play();
        latency = function () { return 0; };
    }
}

var script = document.createElement('script');
script.src = '/' + which + '.js';
script.onload = start;
document.head.appendChild(script);

setInterval(function () {
    var l = player && latency();
    if (l && first !== null && last - first > 1) delays.push(l);
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
}

sub play_page {
    my ($player, $app, $behind) = @_;

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

    # with low latency a player may jump to where it wants to be

    cmp_ok($report{holes}, '<=', $app =~ /plain|ts/ ? 0 : 1,
        "$name: without holes");
    cmp_ok($report{audio} || 0, '>', 1000 * $seconds, "$name: sound decoded");
    cmp_ok($report{latency}, '<', $behind, "$name: behind live, s")
        if $player ne 'videojs';
    is($report{stalls}, 0, "$name: without a stall")
        if $app =~ /live|near/ && $player eq 'hlsjs';

    note(join ', ', map { "$_ $report{$_}" } sort keys %report);

    $t->stop_daemon($pid);
}
