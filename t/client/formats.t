#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Every player plays every format of every kind of stream: ffmpeg, mpv, VLC,
# GStreamer, and in Chromium mpegts.js and flv.js, over RTMP, HTTP and
# WebSocket.  Each picture and each frame of sound comes once and at its time,
# flash and beep are less than 20 ms apart.  A player that is not installed is
# left out.

use warnings;
use strict;

use List::Util qw/ max min /;
use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Client;
use Packets;

use File::Copy qw/ copy /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

# more ports, as a browser makes few connections to one

my @ports = (8081 .. 8087);

my ($t, $rtmp, $http) = server(http => join "\n",
    'location /report { return 204; }', 'location = /page.html { }',
    'location ~ [.]js$ { } }', (map { "server { listen 127.0.0.1:$_; "
    . 'location / { flv_live; } }' } @ports), 'server { listen 127.0.0.1:8088;');

my $d = $t->testdir();
my $seconds = 4;

# what there is of each kind, and how it is made; a letter for what is in it

my @avc = qw/ -c:v libx264 -pix_fmt yuv420p -b:v 150k -g 25 -preset /;
my @baseline = (@avc, qw/ ultrafast -tune zerolatency /);
my @aac = qw/ -c:a aac -b:a 64k /;
my @mp3 = qw/ -c:a libmp3lame -b:a 64k /;

my %kinds = (
    av    => [ 'av', [qw/ rtmp flv ts aac /], @baseline, @aac ],
    b     => [ 'av', [qw/ rtmp flv ts aac /], @avc, qw/ superfast -bf 2 /,
        @aac ],
    video => [ 'v', [qw/ rtmp flv ts /], @baseline, '-an' ],
    audio => [ 'a', [qw/ rtmp flv ts aac /], '-vn', @aac ],
    mp3   => [ 'av', [qw/ rtmp flv ts mp3 /], @baseline, @mp3 ],
    sound => [ 'a', [qw/ rtmp flv ts mp3 /], '-vn', @mp3 ],
    hevc  => [ 'av', [qw/ ts /], qw/ -c:v libx265 -preset ultrafast
        -pix_fmt yuv420p -b:v 150k -x265-params
        log-level=none:keyint=25:bframes=2 /, @aac ],
    opus  => [ 'av', [qw/ ts /], @baseline, qw/ -c:a libopus -b:a 64k / ],
);

# every URL: [ name, URL, what is in it ]

my @all;

for my $kind (sort keys %kinds) {
    my ($has, $formats) = @{$kinds{$kind}};

    push @all, map { [ "$kind.$_", $_ eq 'rtmp' ? "$rtmp/live/$kind"
        : "$http/live/$kind.$_", /aac|mp3/ ? 'a' : $has ] } @$formats;
}

publish_all();

part(ffmpeg => \&ffmpeg, 'ffmpeg');
part(mpv => \&mpv, 'mpv');
part(VLC => \&vlc, 'vlc', 'setpriv');
part(GStreamer => \&gstreamer, 'gst-launch-1.0');
part(Chromium => \&browser, 'chromium', 'npm');

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub part {
    my ($name, $code, @programs) = @_;

    my @missing = grep { my $program = $_;
        !grep { -x "$_/$program" } split /:/, $ENV{PATH} } @programs;

    if (@missing) {
        note("$name is left out: no @missing");
        return;
    }

    my $begin = time();

    $code->();
    note(sprintf '%s: %.0f s', $name, time() - $begin);
}

# The clips are made first and go out as they are.

sub publish_all {
    my @make;

    for my $kind (sort keys %kinds) {
        my (undef, undef, @codecs) = @{$kinds{$kind}};
        my @clip = grep { $_ ne '-re' } Client::clip(size => '160x90');

        # noise, as no encoder sends silence all the time

        s/aevalsrc='(.*)':s=44100/aevalsrc='$1+0.004*(random(0)-0.5)':s=48000/
            for @clip;

        push @make, $t->run_daemon(qw/ nice ffmpeg -hide_banner -nostdin -y
            -v error /, @clip, qw/ -t 100 /, @codecs, "$d/$kind.mp4");
    }

    is($t->wait_daemon($_, 120), 0, 'a clip is made') for @make;

    for my $kind (sort keys %kinds) {
        if ($kind =~ /hevc|opus/) {
            send_packets($t, 'live', $kind, packets("$d/$kind.mp4"));

        } else {
            $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -v warning -re
                -i /, "$d/$kind.mp4", qw/ -c copy -f flv /,
                "$rtmp/live/$kind");
        }
    }

    ok(live("/live/$_.ts"), "$_ is live") for sort keys %kinds;
}

# Runs all of them at once, until they end or have said enough; gives what they
# said.

sub all {
    my ($command, $enough, $stop) = @_;

    my %pid = map { $_->[0] => $t->run_daemon($command->(@$_)) } @all;
    my $end = time() + 40;
    my %said;

    $stop ||= sub { kill 'INT', $pid{$_[0]} };

    my @left = @all;

    while (@left) {
        my $late = time() > $end;

        @left = grep {
            my ($name, undef, $has) = @$_;
            my $on = $t->daemon_alive($pid{$name});
            my $done = $late || $on && $enough
                && $enough->($name, $has, $t->daemon_log($pid{$name}));

            $stop->($name) if $on && $done;
            $on && !$done;
        } @left;

        sleep(0.5);
    }

    wait_until(sub { !grep { $t->daemon_alive($_) } values %pid }, 8);

    for my $name (keys %pid) {
        $said{$name} = $t->daemon_log($pid{$name});
        $t->stop_daemon($pid{$name}, 'KILL')
            if $t->daemon_alive($pid{$name});
    }

    return %said;
}

###############################################################################

sub ffmpeg {
    my %said = all(sub {
        my ($name, $url) = @_;
        return (qw/ ffmpeg -hide_banner -nostdin -v error -y -i /, $url, '-t',
            $seconds, qw/ -c copy /, "$d/$name.mkv");
    });

    for my $what (@all) {
        my ($name, undef, $has) = @$what;

        is($said{$name}, '', "ffmpeg, $name: no error");
        check_played_all("ffmpeg, $name", "$d/$name.mkv", $has);
    }
}

# A recording: frames, their times, and how far sound and picture are apart.

sub check_played_all {
    my ($name, $file, $has) = @_;

    my $got = Client::analyse($file);
    my @apart = @{$got->{apart} || []};
    my $span = ($got->{last} || 0) - ($got->{first} || 0);

    is(join('', @{$got->{errors} || []}), '', "$name: no decode error");

    if ($has =~ /v/) {
        is($got->{frames}, int($span * 25 + 1.5), "$name: every picture once");
        cmp_ok($got->{frames} || 0, '>=', 25 * $seconds * 0.9,
            "$name: pictures");
        cmp_ok($got->{gap}, '<', 2, "$name: pictures in time");
    }

    if ($has eq 'av') {
        cmp_ok(@apart ? max(map { abs } @apart) : 1000, '<', 20,
            "$name: " . @apart . ' flashes and beeps, ms');
        note(sprintf '%s: %d pictures, beep after flash %.1f .. %.1f ms',
            $name, $got->{frames}, min(@apart, 0), max(@apart, 0));
    }

    return if $has !~ /a/;

    my @pts = split ' ', `ffprobe -v error -select_streams a -show_entries \\
        packet=pts_time -of csv=p=0 $file 2>&1`;
    my $step = $name =~ /mp3|sound/ ? 1152 / 48000 : $name =~ /opus/ ? 0.02
        : 1024 / 48000;

    tr/,//d for @pts;

    is(scalar @pts, int(($pts[-1] - $pts[0]) / $step + 1.5),
        "$name: every frame of sound once");
    cmp_ok(scalar @pts, '>=', $seconds / $step * 0.8, "$name: sound");
}

###############################################################################

sub mpv {
    my %said = all(sub {
        my ($name, $url) = @_;
        return (as_user($t, 'mpv'), qw/ --no-config --no-input-terminal
            --vo=null --ao=null --term-osd=no /, "--length=$seconds",
            '--msg-level=all=warn,statusline=status',
            '--term-status-msg=at=${=time-pos} av=${=avsync} '
            . 'drop=${=decoder-frame-drop-count}/${=frame-drop-count}\n',
            $url);
    });

    for my $what (@all) {
        my ($name, undef, $has) = @$what;
        my $out = $said{$name};

        my @at = $out =~ /at=([\d.]+)/g;
        my @av = map { abs } $out =~ /av=(-?[\d.]+)/g;
        my @drop = $out =~ m!drop=(\d+)/!g;

        cmp_ok(@at ? $at[-1] - $at[0] : 0, '>=', $seconds * 0.7,
            "mpv, $name: plays");
        cmp_ok(@av ? $av[-1] : 1, '<', 0.02, "mpv, $name: in step")
            if $has eq 'av';
        is($drop[-1], 0, "mpv, $name: decoder drops nothing")
            if $has =~ /v/;
        unlike($out, qr/error|corrupt|invalid|desync|fail/i,
            "mpv, $name: no error");
    }
}

# VLC is asked for its counters until they tell enough.

sub vlc {
    my %said = all(sub {
        my ($name, $url) = @_;
        return ('sh', '-c', '
            s=$1; shift;
            { until [ -e "$s" ]; do sleep 1; echo stats; done
              echo quit; sleep 1; } | exec "$@"',
            'sh', "$d/vlc-$name", as_user($t, 'vlc'), qw/ -I rc
            --rc-fake-tty --no-color --vout vdummy --aout adummy
            --network-caching=500 /, $url);
    }, sub {
        my ($name, $has, $out) = @_;
        my %n = counters($out);

        return $n{video} >= ($has =~ /v/ ? 25 * $seconds : 0)
            && $n{audio} >= ($has =~ /a/ ? 40 * $seconds : 0);
    }, sub { $t->write_file("vlc-$_[0]", '') });

    for my $what (@all) {
        my ($name, undef, $has) = @$what;
        my %n = counters($said{$name});

        cmp_ok($n{video}, '>=', 25 * $seconds, "VLC, $name: pictures")
            if $has =~ /v/;
        cmp_ok($n{audio}, '>=', 40 * $seconds, "VLC, $name: sound")
            if $has =~ /a/;
        is($n{missing}, 0, "VLC, $name: nothing missing");
        is($n{damaged}, 0, "VLC, $name: nothing damaged");
    }
}

sub counters {
    my ($out) = @_;

    my %is = (video => 'video decoded', audio => 'audio decoded',
        missing => 'discontinuities', damaged => 'demux corrupted');

    return map { my @n = $out =~ /$is{$_}\s*:\s*(\d+)/g; $_ => $n[-1] // 0 }
        keys %is;
}

###############################################################################

# GStreamer tells of each picture how light it is and of each 5 ms how loud.

sub gstreamer {
    my %said = all(sub {
        my ($name, $url, $has) = @_;

        my @from = $url =~ /^rtmp/ ? ('rtmp2src', "location=$url")
            : ('souphttpsrc', "location=$url", 'is-live=true');

        # decodebin looks for more tracks for seconds where it has to demux

        my $raw = $name =~ /[.](?:aac|mp3)$/;
        my $ts = $name =~ /[.]ts$/;
        my $video = $name =~ /^hevc/ ? 'h265parse ! avdec_h265'
            : 'h264parse ! avdec_h264';
        my $audio = $raw ? '' : '! ' . ($name =~ /^(?:mp3|sound)/
            ? 'mpegaudioparse ! avdec_mp3' : $name =~ /^opus/
            ? 'opusparse ! opusdec' : 'aacparse ! avdec_aac');
        my ($v, $a) = $raw || $ts ? qw/ d. d. / : qw/ d.video d.audio /;

        push @from, '!', $raw ? 'decodebin' : $ts ? 'tsdemux' : 'flvdemux',
            'name=d';
        push @from, split ' ', "$v ! $video ! videoconvert ! queue
            ! videoanalyse ! fakesink sync=false" if $has =~ /v/;
        push @from, split ' ', "$a $audio ! audioconvert ! queue
            ! level interval=5000000 ! fakesink sync=false" if $has =~ /a/;

        return (qw/ gst-launch-1.0 -m /, @from);
    }, sub {
        my (undef, $has, $out) = @_;
        my $pictures = () = $out =~ /GstVideoAnalyse/g;
        my $sounds = () = $out =~ / level,/g;
        my $flashes = () = $out =~ /luma-average=\(double\)0[.][89]/g;

        return $pictures >= ($has =~ /v/ ? 25 * $seconds : 0)
            && $sounds >= ($has =~ /a/ ? 200 * $seconds : 0)
            && $flashes >= ($has eq 'av' ? 3 : 0);
    });

    for my $what (@all) {
        my ($name, undef, $has) = @$what;
        my (@pictures, @flash, @beep, $sound, $quiet);

        for my $line (split /\n/, $said{$name}) {
            my ($at) = $line =~ /[ ,]timestamp=\(guint64\)(\d+)/ or next;

            $at /= 1e9;

            if ($line =~ /GstVideoAnalyse, .*luma-average=\(double\)([\d.]+)/) {
                push @pictures, $at;
                push @flash, $at if $1 > 0.8;

            } elsif ($line =~ / level, .*rms=\(\w+\)< (-?[\d.e+]+)/) {

                # AAC has an echo of the beep before it, of up to -34 dB

                push @beep, $at if ($quiet || 0) > 100 && $1 > -30;
                $quiet = $1 > -30 ? 0 : ($quiet || 0) + 1;
                $sound++;
            }
        }

        unlike($said{$name}, qr/^ERROR/m, "GStreamer, $name: no error");

        if ($has =~ /v/) {
            my $span = @pictures ? $pictures[-1] - $pictures[0] : 0;

            is(scalar @pictures, int($span * 25 + 1.5),
                "GStreamer, $name: every picture once");
            cmp_ok(scalar @pictures, '>=', 25 * $seconds,
                "GStreamer, $name: pictures");
        }

        cmp_ok($sound || 0, '>=', 200 * $seconds,
            "GStreamer, $name: sound") if $has =~ /a/;

        next if $has ne 'av';

        my @apart;

        for my $flash (@flash) {
            my ($near) = sort { abs $a <=> abs $b } map { $_ - $flash } @beep;
            push @apart, 1000 * $near if defined $near && abs $near < 0.4;
        }

        cmp_ok(@apart ? max(map { abs } @apart) : 1000, '<', 20,
            "GStreamer, $name: " . @apart . ' flashes and beeps, ms')
            or diag("pictures: $pictures[0] .. $pictures[-1]",
                map { sprintf ' %s: %s', $_->[0],
                    join ' ', map { sprintf '%.3f', $_ } @{$_->[1]} }
                [ flashes => \@flash ], [ beeps => \@beep ]);
        note(sprintf 'GStreamer, %s: %d pictures, beep after flash %.1f .. '
            . '%.1f ms', $name, scalar @pictures, min(@apart, 1000),
            max(@apart, -1000));
    }
}

###############################################################################

# Both scripts, all that they can play, over HTTP and WebSocket, on one page.

sub browser {
    my @js = map { script($_) } qw/ mpegts.js flv.js /;

    if (grep { !defined } @js) {
        note('no scripts to be had');
        return;
    }

    copy($js[0], "$d/mpegts.js");
    copy($js[1], "$d/flv.js");
    chmod 0644, "$d/mpegts.js", "$d/flv.js";

    my (@players, $n);

    for my $kind (qw/ av b video audio mp3 sound /) {
        my $has = $kinds{$kind}[0];

        for my $how ([qw/ mpegts flv /], [qw/ mpegts ts /], [qw/ flvjs flv /]) {
            my ($script, $format) = @$how;

            for my $scheme (qw/ http ws /) {
                push @players, { script => $script, format => $format,
                    scheme => $scheme, kind => $kind, has => $has,
                    url => "$scheme://127.0.0.1:"
                    . port($ports[$n++ % 7]) . "/live/$kind.$format" };
            }
        }
    }

    play_page(@players);
}

sub play_page {
    my (@players) = @_;

    my $list = join ",\n", map {
        my $p = $_;
        '{' . join(', ', map { "$_: '$p->{$_}'" } sort keys %$p) . '}'
    } @players;

    $t->write_file("page.html", page($list));

    my $pid = open_page($t, 'http://127.0.0.1:' . port(8080)
        . "/page.html?seconds=$seconds");

    my %line;

    wait_until(sub {
        %line = ($t->read_file('access.log') || '')
            =~ m!GET /report\?page=(\d+)&(\S*)!g;
        keys %line == @players;
    }, 60);

    for my $i (0 .. $#players) {
        my $p = $players[$i];
        my $name = ($p->{script} eq 'flvjs' ? 'flv.js' : 'mpegts.js')
            . ", $p->{kind}.$p->{format} over $p->{scheme}";
        my %got = %{fields($line{$i})};

        is($got{errors}, '', "$name: no error");
        cmp_ok($got{time} || 0, '>=', $seconds, "$name: plays");

        if ($p->{has} =~ /v/) {
            cmp_ok($got{total} || 0, '>=', 24 * $seconds,
                "$name: pictures");
            is($got{corrupted}, 0, "$name: no picture is damaged");
            is($got{gaps}, '', "$name: what is loaded has no gap");
        }

        cmp_ok($got{audio} || 0, '>', 500 * $seconds, "$name: sound")
            if $p->{has} =~ /a/;
    }

    $t->stop_daemon($pid);
}

sub page {
    my ($list) = @_;

    return <<"END_OF_PAGE";
<!DOCTYPE html>
<html>
<body>
<script src="/mpegts.js"></script>
<script src="/flv.js"></script>
<script>
var seconds = new URLSearchParams(location.search).get('seconds');

[$list].forEach(function (p, i) {
    var video = document.createElement('video');
    var errors = [];
    var script = p.script == 'flvjs' ? flvjs : mpegts;

    video.muted = true;
    document.body.appendChild(video);

    var player = script.createPlayer({
        type: p.format == 'ts' ? 'mpegts' : 'flv', isLive: true, url: p.url,
        hasVideo: p.has.includes('v'), hasAudio: p.has.includes('a')
    }, { enableStashBuffer: false });

    player.on(script.Events.ERROR, function (type, detail, info) {
        errors.push(type + '/' + detail + '/' + (info && info.msg));
    });

    video.addEventListener('error', function () {
        errors.push('video/' + (video.error && video.error.message));
    });

    player.attachMediaElement(video);
    player.load();
    video.play().catch(function () { });

    var begin = Date.now();

    var timer = setInterval(function () {
        var q = video.getVideoPlaybackQuality();
        var n = video.played.length;
        var time = n ? video.played.end(n - 1) - video.played.start(0) : 0;
        var late = Date.now() - begin > 40000 || errors.length;
        var gaps = [];

        if (!late && (time < seconds || (p.has.includes('v')
            && q.totalVideoFrames < 24 * seconds)))
        {
            return;
        }

        clearInterval(timer);

        for (n = 1; n < video.buffered.length; n++) {
            gaps.push(video.buffered.end(n - 1) + '..'
                      + video.buffered.start(n));
        }

        fetch('/report?page=' + i + '&' + new URLSearchParams({
            time: time, total: q.totalVideoFrames,
            corrupted: q.corruptedVideoFrames || 0, gaps: gaps.join('_'),
            audio: video.webkitAudioDecodedByteCount || 0,
            errors: errors.join('_')
        }));
    }, 250);
});
</script>
</body>
</html>
END_OF_PAGE
}
