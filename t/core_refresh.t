#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Streams whose encoder calls nothing a keyframe but the first picture: intra
# refresh with recovery points (H.264), CRA pictures (HEVC).  Players that come
# later begin at those, and see the picture.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;
use Test::RTMP;

use Time::HiRes qw/ time sleep /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/)
    ->has_daemon('ffmpeg');

my $encoders = `ffmpeg -hide_banner -v error -encoders 2>&1`;

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

media {
    queue_length 60s;
}

stream {
    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / {
            flv_live;
        }
    }
}

EOF_CONF

$t->run();

my ($w, $h) = (160, 96);

check('h264', 'libx264', '-preset', 'veryfast', '-x264-params',
    'intra-refresh=1:keyint=25:bframes=0:scenecut=0:aud=1');

SKIP: {
    skip 'no libx265', 7 unless $encoders =~ /libx265/;

    check('hevc', 'libx265', '-preset', 'ultrafast', '-x265-params',
        'open-gop=1:keyint=25:min-keyint=25:bframes=0:scenecut=0:aud=1'
        . ':repeat-headers=1:log-level=none:pools=1');
}

done_testing();

###############################################################################

sub check {
    my ($codec, @encoder) = @_;

    my $dir = $t->testdir();
    my $out = `ffmpeg -hide_banner -nostdin -y -v error \\
        -f lavfi -i testsrc2=size=${w}x$h:rate=25 -t 14 -pix_fmt yuv420p \\
        -c:v @encoder -f $codec $dir/$codec.raw 2>&1 \\
        && ffmpeg -hide_banner -nostdin -y -v error -f $codec \\
        -i $dir/$codec.raw \\
        -c copy -f mp4 $dir/$codec.mp4 2>&1 \\
        && ffmpeg -hide_banner -nostdin -y -v error -f $codec \\
        -i $dir/$codec.raw \\
        -pix_fmt gray -f rawvideo $dir/$codec.gray 2>&1`;
    is($?, 0, "$codec: clip") or diag($out);

    my $pub = Test::RTMP->new(port(1935))->connect('live');
    my @frames = units($t->read_file("$codec.raw"), $codec);

    cmp_ok(scalar @frames, '>=', 340, "$codec: pictures");

    $pub->publish($codec);
    $pub->video(0, header($codec, 1, 0)
        . config($t->read_file("$codec.mp4"), $codec));

    my $n = 0;
    my $next = sub {
        $pub->video($n * 40, header($codec, $n == 0, 1) . $frames[$n]);
        $n++;
    };

    # ten seconds that nobody sees

    $next->() for 1 .. 260;
    $pub->call('releaseStream', undef, 'none');

    my $p = Test::Nginx::Player->flv("/live/$codec.flv");

    ok(play_until(sub { $p->video() > 1 }), "$codec: a player");
    cmp_ok(($p->tags())[1]{ms}, '>=', 9000, "$codec: does not begin at first");

    my $pid = $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -y -v error
        -analyzeduration 1000000 -i /, 'http://127.0.0.1:' . port(8080)
        . "/live/$codec.ts", qw/ -frames:v 45 -pix_fmt gray -f rawvideo /,
        "$dir/$codec.seen");
    my $at = time();

    play_until(sub {
        if (time() > $at && $n < @frames) {
            $at += 0.03;
            $next->();
        }
        return !$t->daemon_alive($pid);
    }, 20);

    my $size = $w * $h;
    my $seen = $t->read_file("$codec.seen");
    my $ref = $t->read_file("$codec.gray");

    cmp_ok(length($seen) / $size, '>=', 40, "$codec: it is decoded");

    # its last picture is one of the clip, and far from the first ones

    my ($best, $where) = (255, 0);
    my $last = substr $seen, -$size;

    for my $i (200 .. length($ref) / $size - 1) {
        my $d = difference($last, substr $ref, $i * $size, $size);
        ($best, $where) = ($d, $i) if $d < $best;
    }

    cmp_ok($best, '<', 2, "$codec: and looks as it should");
    cmp_ok($where, '>', 250, "$codec: where it should be");

    players_drop();
    $pub->close();
}

# Mean difference of two pictures, of every 7th byte.

sub difference {
    my ($a, $b) = @_;

    my ($sum, $n) = (0, 0);

    for (my $i = 0; $i < length $a; $i += 7) {
        $sum += abs(ord(substr $a, $i, 1) - ord(substr $b, $i, 1));
        $n++;
    }

    return $n ? $sum / $n : 255;
}

# What goes before a picture or a configuration in an FLV tag.

sub header {
    my ($codec, $key, $frame) = @_;

    return ($key ? "\x17" : "\x27") . chr($frame) . "\0\0\0"
        if $codec eq 'h264';
    return ($key ? "\x90" : "\xa0") . 'hvc1' unless $frame;
    return chr(($key ? 0x90 : 0xa0) | 3) . 'hvc1';
}

sub config {
    my ($mp4, $codec) = @_;

    my $box = $codec eq 'h264' ? 'avcC' : 'hvcC';
    my $i = index $mp4, $box;

    die "no $box\n" if $i < 4;

    return substr $mp4, $i + 4, unpack('N', substr $mp4, $i - 4, 4) - 8;
}

# Access units, NALs behind lengths.

sub units {
    my ($raw, $codec) = @_;

    my @units;

    for my $nal (split /\x00*\x00\x00\x01/, $raw) {
        next if $nal eq '';

        my $type = $codec eq 'h264' ? ord($nal) & 31 : ord($nal) >> 1 & 63;

        push(@units, ''), next if $type == ($codec eq 'h264' ? 9 : 35);
        $units[-1] .= pack('N', length $nal) . $nal;
    }

    return @units;
}

###############################################################################
