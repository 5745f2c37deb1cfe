#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What comes out of SRT and what goes into it is the stream: each frame once,
# at its time, whatever protocol stands at the other side.
#
# The clips are one group of pictures each, so that a player that comes at any
# time begins with their first frame; they are decoded, and each picture and
# each piece of sound is compared with those of the clip itself.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;

use List::Util qw/ max min /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls srt/)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    republish_wait 1s;
    hls on;
    hls_fragment 1s;
    hls_window 30s;
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
    server { listen 127.0.0.1:8036 udp reuseport; srt { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { flv_live; hls; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

$t->run();

my $d = $t->testdir();
my $rtmp = 'rtmp://127.0.0.1:' . port(8035) . '/live';
my $http = 'http://127.0.0.1:' . port(8080) . '/live';
my $seconds = 4;

clip('avc', qw/ -c:v libx264 -preset veryfast -bf 2 -b_strategy 0 -b:v 300k /);
clip('hevc', qw/ -c:v libx265 -preset ultrafast -x265-params
    log-level=error:bframes=2:keyint=250:scenecut=0 -b:v 300k /);

my %want = map { $_ => decoded("$d/$_.txt") } qw/ avc hevc /;

# all of them at once

my @publish = (
    publish('avc', 'mpegts', srt('avc', 'publish', '&linger=2')),
    publish('hevc', 'mpegts', srt('hevc', 'publish', '&linger=2')),
    publish('avc', 'flv', "$rtmp/rtmp"),
);

ok(live($_), "$_ is live") for qw/ avc hevc rtmp /;

my %play = (
    'SRT to SRT' => play('avc', srt('avc', 'request')),
    'SRT to RTMP' => play('avc', "$rtmp/avc"),
    'SRT to FLV' => play('avc', "$http/avc.flv"),
    'SRT to SRT, HEVC' => play('hevc', srt('hevc', 'request')),
    'RTMP to SRT' => play('avc', srt('rtmp', 'request')),
);

for my $name (sort keys %play) {
    check($name, $play{$name});
}

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub srt {
    my ($name, $mode, $more) = @_;

    return 'srt://127.0.0.1:' . port(8036)
        . "?streamid=#!::r=live/$name,m=$mode" . ($more || '');
}

sub live {
    my ($name) = @_;

    return wait_until(sub {
        (http_status(http_head("/live/$name.flv")) || 0) == 200
    }, 10);
}

# A clip, and the sums of what is in it.  The sound is packed into few PES, as
# ffmpeg does with so little of it.

sub clip {
    my ($name, @codec) = @_;

    system('ffmpeg', qw/ -hide_banner -nostdin -v error -y
        -f lavfi -i testsrc2=size=320x180:rate=25
        -f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=48000 /,
        '-t', $seconds, qw/ -pix_fmt yuv420p -g 250 -keyint_min 250
        -sc_threshold 0 /, @codec, qw/ -c:a aac -b:a 32k -f mpegts /,
        "$d/$name.ts") == 0 or die "no clip $name\n";
    system(qw/ ffmpeg -hide_banner -nostdin -v error -y -copyts -i /,
        "$d/$name.ts", sums(), "$d/$name.txt") == 0 or die "no sums\n";
}

sub sums {
    return qw/ -map 0:v? -map 0:a? -fps_mode passthrough -enc_time_base -1
        -f framecrc /;
}

sub publish {
    my ($clip, $format, $url) = @_;

    return $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v warning -re
        -i /, "$d/$clip.ts", qw/ -c copy -f /, $format, $url);
}

sub play {
    my ($clip, $url) = @_;

    my $out = "$d/play" . ++$t->{_plays} . '.txt';
    my $pid = $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v warning
        -copyts -i /, $url, sums(), '-flush_packets', 1, $out);

    return { pid => $pid, file => $out, clip => $clip, since => time() };
}

# Pictures and pieces of sound: [ time, sum ].

sub decoded {
    my ($file) = @_;

    my (@tb, %got);

    open my $fh, '<', $file or return { };

    while (my $line = <$fh>) {
        $tb[$1] = $2 / $3 if $line =~ /^#tb (\d): (\d+)\/(\d+)/;
        push @{$got{$1}}, [ $2 * $tb[$1], $3 ]
            if $line =~ /^(\d),\s*-?\d+,\s*(-?\d+),\s*\d+,\s*\d+,
                \s*(0x\w+)/x;
    }

    return \%got;
}

sub check {
    my ($name, $play) = @_;

    my $status = $t->wait_daemon($play->{pid}, 20);
    my $want = $want{$play->{clip}};
    my $got = decoded($play->{file});

    is($status, 0, "$name: ended by itself, without an error");

    # ffmpeg knows no good end of SRT

    my $said = $t->daemon_log($play->{pid});
    $said =~ s/^srt:.*: Input\/output error\n//mg;
    $said =~ s/^ +Last message repeated.*\n//mg;
    is($said, '', "$name: no warning");

    for my $n (0, 1) {
        my $what = ('pictures', 'sound')[$n];
        my @want = @{$want->{$n} || []};
        my @got = @{$got->{$n} || []};

        is(join(' ', map { $_->[1] } @got), join(' ', map { $_->[1] } @want),
            "$name: $what, " . @got . ' of ' . @want);

        # against the first picture, so that an offset shows as well

        my @off = map { abs(($got[$_][0] - $got->{0}[0][0])
            - ($want[$_][0] - $want->{0}[0][0])) }
            0 .. min($#got, $#want);

        cmp_ok(@off ? 1000 * max(@off) : 1000, '<=', 1.1,
            "$name: $what in time, ms");
    }
}
