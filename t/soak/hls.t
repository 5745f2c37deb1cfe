#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Low-latency HLS for as long as TEST_SOAK says (300 for the five minutes of a
# real run), with parts of 300 ms and of 200 ms side by side: t/tools/check-hls
# follows both streams and decodes their segments, hls.js plays them in
# Chromium and is asked for its latency.  Each picture has the time at which it
# was made burned in, as black and white fields, so the time from there to the
# screen is measured as well, with encoder and player in it.
#
# hls.js plays faster to catch up only while it has more than a second ahead:
# one that began late, as on a busy machine, stays there, at about 1.1 s.
# TEST_SOAK_JUMP=1 jumps to its own liveSyncPosition once, three seconds after
# the begin, as a button "live" does; the figure `from` is the latency before.
#
# TEST_SOAK_DECODE: each which segment is decoded (1).

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib', '../client';
use Test::Nginx;
use Client ();
use Soak qw/ soak /;

use File::Copy qw/ copy /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

Client::found(qw/ chromium ffmpeg ffprobe npm /);

# part, and what the median of the latency has to be under

my @streams = (
    { app => 'a', part => '300ms', limit => 1.2 },
    { app => 'b', part => '200ms', limit => 1.0 },
);

my $BITS = 14;
my $UNIT = 10;

my $seconds = soak();
my $jump = $ENV{TEST_SOAK_JUMP} ? 3000 : 0;
my $decode = $ENV{TEST_SOAK_DECODE} || 1;
my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/);

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 128m;
    application a { hls_part 300ms; }
    application b { hls_part 200ms; }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%
    types { text/html html; application/javascript js; }

    # more ports, as a browser makes few connections to one

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8081;
        location / { hls; }
        location = /report { return 204; }
        location ~ [.](html|js|ico)$ { log_not_found off; }
    }
}
END_OF_CONF

my $js = Client::script('hls.js');

plan(skip_all => 'no hls.js to be had') if !$js;

$t->run();

my $d = $t->testdir();

copy($js, "$d/hls.js");
chmod 0644, "$d/hls.js";
$t->write_file('page.html', page());

for my $s (@streams) {
    $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -v warning -re -f lavfi
        -i testsrc2=size=320x180:rate=25 -re -f lavfi -i
        sine=frequency=400:sample_rate=48000 -vf /, clock(),
        qw/ -c:v libx264 -preset ultrafast
        -tune zerolatency -pix_fmt yuv420p -b:v 600k -g 50 -c:a aac -b:a 64k
        -f flv /, 'rtmp://127.0.0.1:' . port(8035) . "/$s->{app}/x");
}

ok(wait_until(sub { http_get("/$_->{app}/x.hls.0.m3u8") =~ /PRELOAD-HINT/ },
    30), "$_->{part}: live") for @streams;

for my $i (0 .. $#streams) {
    my $s = $streams[$i];
    my $url = 'http://127.0.0.1:' . port(8080) . "/$s->{app}/x.m3u8";

    $s->{check} = $t->run_daemon($^X, "$Test::Nginx::ROOT/t/tools/check-hls",
        '--ll', "--seconds=$seconds", "--decode=$decode", $url);
}

my $chromium = Client::open_page($t, 'http://127.0.0.1:' . port(8080)
    . "/page.html?seconds=$seconds");

my $begin = time();

for my $s (@streams) {
    my $status = $t->wait_daemon($s->{check}, $seconds + 120);
    my $said = $t->daemon_log($s->{check});

    is($status, 0, "$s->{part}: check-hls") or diag($said);
    note("$s->{part}: $said");
}

my %line;

wait_until(sub {
    %line = ($t->read_file('access.log') || '')
        =~ m!GET /report\?page=(\d+)&(\S*)!g;
    keys %line == @streams;
}, $begin + $seconds + 60 - time());

for my $i (0 .. $#streams) {
    my $s = $streams[$i];
    my %got = %{Client::fields($line{$i})};

    is($got{errors}, '', "$s->{part}, hls.js: no error");
    cmp_ok($got{time} || 0, '>=', $seconds - 5, "$s->{part}, hls.js: plays");
    is($got{stalls}, 0, "$s->{part}, hls.js: no stall");
    cmp_ok($got{latency} || 99, '<', $s->{limit},
        "$s->{part}, hls.js: median of hls.latency");
    cmp_ok($got{clock} || 99, '<', $s->{limit},
        "$s->{part}, hls.js: median by the clock in the picture");

    note("$s->{part}, hls.js: ", join ', ', map { "$_ $got{$_}" }
        grep { $_ ne 'errors' } sort keys %got);
}

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

# The time of day in units, as a Gray code: one field changes at a time, so it
# does not matter that ffmpeg looks at the clock for each field anew.  Not a
# part of the input, of which ffmpeg reads eight pictures ahead.

sub clock {
    return join ',', "drawbox=x=0:y=0:w=iw:h=24:color=black:t=fill",
        map { sprintf "drawbox=x=%d:y=0:w=20:h=20:color=white:t=fill:enable='"
            . 'mod(floor(mod(time(0)*%d\,%d)/%d+0.5)\,2)' . "'", 20 * $_,
            1000 / $UNIT, 2 ** $BITS, 2 ** ($_ + 1) } 0 .. $BITS - 1;
}

sub page {
    my $list = join ', ', map { "'http://127.0.0.1:"
        . port(8080 + $_) . "/$streams[$_]{app}/x.m3u8'" } 0 .. $#streams;

    return <<"END_OF_PAGE";
<!DOCTYPE html>
<html>
<body>
<script src="/hls.js"></script>
<script>
var seconds = +new URLSearchParams(location.search).get('seconds');

function quantile(list, q) {
    list.sort(function (a, b) { return a - b; });
    return list.length ? list[Math.floor((list.length - 1) * q)] : '';
}

function clock(video, canvas) {
    var g = canvas.getContext('2d', { willReadFrequently: true });
    var value = 0, bit = 0, i;

    g.drawImage(video, 0, 0, 320, 180);

    var now = Math.floor(Date.now() / $UNIT) % (1 << $BITS);
    var row = g.getImageData(0, 10, 320, 1).data;

    for (i = $BITS - 1; i >= 0; i--) {
        bit ^= row[(20 * i + 10) * 4] > 128 ? 1 : 0;
        value = value << 1 | bit;
    }

    return ((now - value + (1 << $BITS)) % (1 << $BITS)) * $UNIT / 1000;
}

[$list].forEach(function (url, n) {
    var video = document.createElement('video');
    var canvas = document.createElement('canvas');
    var latency = [], clocks = [], ahead = [], errors = [], stalls = 0, begin;

    canvas.width = 320;
    canvas.height = 180;
    video.muted = true;
    document.body.appendChild(video);

    var hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.5 });

    hls.on(Hls.Events.ERROR, function (event, data) {
        if (data.details == 'bufferStalledError') {
            stalls++;

        } else {
            errors.push(data.details);
        }
    });

    hls.loadSource(url);
    hls.attachMedia(video);
    video.play().catch(function () { });

    var timer = setInterval(function () {
        var q = video.getVideoPlaybackQuality();

        if (!begin) {
            if (video.currentTime == 0 || video.paused) {
                return;
            }

            begin = { at: Date.now(), time: video.currentTime };
        }

        if ($jump && !begin.from && Date.now() - begin.at > $jump) {
            begin.from = hls.latency;
            video.currentTime = hls.liveSyncPosition;
        }

        if (Date.now() - begin.at > 5000) {
            latency.push(hls.latency);
            clocks.push(clock(video, canvas));
            ahead.push(video.buffered.length ? video.buffered.end(
                video.buffered.length - 1) - video.currentTime : 0);

        } else {
            stalls = 0;
        }

        if (Date.now() - begin.at < seconds * 1000) {
            return;
        }

        clearInterval(timer);

        fetch('/report?page=' + n + '&' + new URLSearchParams({
            time: (video.currentTime - begin.time).toFixed(1),
            latency: (+quantile(latency, 0.5)).toFixed(3),
            latency95: (+quantile(latency, 0.95)).toFixed(3),
            clock: (+quantile(clocks, 0.5)).toFixed(3),
            clock95: (+quantile(clocks, 0.95)).toFixed(3),
            from: (begin.from || 0).toFixed(3),
            ahead: (+quantile(ahead, 0.5)).toFixed(3),
            target: (+hls.targetLatency).toFixed(3), stalls: stalls,
            rate: video.playbackRate, pictures: q.totalVideoFrames,
            dropped: q.droppedVideoFrames, errors: errors.join('_')
        }));
    }, 200);
});
</script>
</body>
</html>
END_OF_PAGE
}
