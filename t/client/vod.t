#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Recordings in a browser: hls.js plays and seeks in playlists of fMP4 and
# MPEG-TS, of one file and of several; <video> plays and seeks in the file of a
# recording, and plays an export.  The page is served by the nginx under test
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

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon(qw/ffmpeg chromium/);

my $d = $t->testdir();

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }
media {
    dvr on;
    dvr_gap 0;
    dvr_path $d/rec/[app]/[stream].[timestamp].mp4;
    republish_wait 1s;
    hls_fragment 2s;
    application one { }
    application ts { dvr_path $d/rec/[app]/[stream].[timestamp].ts; }
    application many { dvr_plan segment; dvr_duration 4s; }
}
stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}
http {
    %%TEST_GLOBALS_HTTP%%
    types { text/html html; application/javascript js; }
    server {
        listen 127.0.0.1:8080;
        location / { hls_vod; media_recordings; root $d; }
        location /api/ { media_api; }
        location = /report { return 204; }
    }
}
END_OF_CONF

my $script = script('hls.js');

plan(skip_all => 'no hls.js') unless defined $script;

copy($script, "$d/hlsjs.js") or die "hls.js: $!\n";
chmod 0644, "$d/hlsjs.js";
chmod 0755, $d;

$t->run();
page();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $http = 'http://127.0.0.1:' . port(8080);
my @apps = qw/ one ts many /;

my $clip = "$d/clip.flv";

system('ffmpeg', qw/ -hide_banner -nostdin -v error -y -f lavfi -i
    testsrc=size=320x180:rate=25 -f lavfi -i sine=440 -t 10 -c:v libx264
    -preset ultrafast -profile:v baseline -pix_fmt yuv420p -b:v 300k -g 25
    -c:a aac -b:a 64k /, $clip);

$t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v error
    -re -i /, $clip, qw/ -c copy -f flv /, "$rtmp/$_/clip") for @apps;

sub recs {
    my ($app, $state) = @_;

    my $a = $t->api_get('/api/v1/recordings/?count=100') || {};

    return grep { $_->{app} eq $app && $_->{state} eq $state }
        @{$a->{recordings} || []};
}

ok(wait_until(sub { recs('one', 'complete') && recs('ts', 'complete')
    && recs('many', 'complete') >= 2 && !recs('many', 'recording') }, 30),
    'recorded');

my ($one) = recs('one', 'complete');

played("hls.js, $_", 'hls', "/$_/clip.m3u8") for @apps;
played('video, file', 'video', "/one/clip.rec.$one->{id}.mp4");
played('video, export', 'video', '/many/clip.mp4?start=0', 1);

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub played {
    my ($name, $how, $url, $straight) = @_;

    my $tag = 'n' . ++$t->{_played};
    my $pid = open_page($t, "$http/play.html?how=$how&tag=$tag&seek="
        . ($straight ? 0 : 1) . '&url=' . ($url =~ s/([?&=])/sprintf '%%%02X',
        ord $1/ger));
    my $f = reported($t, "tag=$tag", 40) || {};

    $t->stop_daemon($pid);

    is($f->{errors}, '', "$name: no error");
    cmp_ok($f->{played} || 0, '>', 1.5, "$name: plays");

    # nothing tells a browser how long a fragmented file is that has no ranges

    return if $straight;

    cmp_ok($f->{duration} || 0, '>', 9, "$name: its length");
    cmp_ok($f->{duration} || 99, '<', 11, "$name: its length");
    cmp_ok($f->{after} || 0, '>', 7, "$name: goes on behind a seek");
}

sub page {
    $t->write_file('play.html', <<'END_OF_PAGE');
<!DOCTYPE html>
<html>
<body>
<video id="video" muted width="320" height="180"></video>
<script src="/hlsjs.js"></script>
<script>
var query = new URLSearchParams(location.search);
var video = document.getElementById('video');
var url = query.get('url'), errors = [], played = 0, after = 0, done = false;

video.addEventListener('error', function () {
    errors.push('video/' + (video.error && video.error.message));
    report();
});

function report() {
    if (done) return;
    done = true;
    fetch('/report?' + new URLSearchParams({ tag: query.get('tag'),
        errors: errors.join(' '), duration: video.duration, played: played,
        after: after }));
}

function frame(now, data) {
    if (!after && data.mediaTime < 6.5) {
        played = Math.max(played, data.mediaTime);
        if (played > 2) {
            if (query.get('seek') != '1') return report();
            video.currentTime = 6.6;
        }
    } else if (data.mediaTime >= 6.5) {
        after = data.mediaTime;
        if (after > 7.5) return report();
    }
    video.requestVideoFrameCallback(frame);
}

video.requestVideoFrameCallback(frame);

if (query.get('how') == 'hls') {
    var player = new Hls();
    player.on(Hls.Events.ERROR, function (event, data) {
        if (data.fatal || data.details != 'bufferStalledError')
            errors.push(data.details + (data.fatal ? '/fatal' : ''));
        if (data.fatal) report();
    });
    player.loadSource(url);
    player.attachMedia(video);
} else {
    video.src = url;
}

video.play();
setTimeout(report, 30000);
</script>
</body>
</html>
END_OF_PAGE
}
