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
    application slow { queue_length 2s; }
    hls on;
    hls_fragment 1s;
    hls_window 30s;
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
    server { listen 127.0.0.1:8036 udp reuseport; srt { } }
    server { listen 127.0.0.1:8037 udp reuseport; srt { idle_timeout 1s; } }
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
noise();

my %want = map { $_ => decoded("$d/$_.txt") } qw/ avc hevc /;

# a player that stands still for a while, and one that never reads

my @noise = ('-stream_loop', -1, '-re', '-i', "$d/noise.ts",
    qw/ -c copy -f mpegts /);
my $slow = $t->run_daemon('ffmpeg', qw/ -nostdin -v error /, @noise,
    srt('slow/x', 'publish', '&linger=2'));
ok(live('slow/x'), 'what some read slowly is live');

# (libsrt 1.5.1 never gets over a buffer that was full, so this one reads)

my $late = $t->run_daemon('sh', '-c', 'exec srt-live-transmit -q -a:no "$1"'
    . ' file://con >"$2"', 'sh', srt('slow/x', 'request', '&tlpktdrop=0'),
    "$d/late.ts");
my $never = $t->run_daemon('sh', '-c', 'srt-live-transmit -q -a:no "$1"'
    . ' file://con | sleep 30', 'sh',
    srt('slow/x', 'request', '&rcvbuf=150000', 8037));

wait_until(sub { -s "$d/late.ts" }, 10);
$t->run_daemon('sh', '-c', "kill -STOP $late; sleep 4; kill -CONT $late");

# all of them at once; ffmpeg does not wait for its last packets to leave
# unless it is told to linger

publish('avc', srt('live/avc', 'publish', '&linger=2'));
publish('hevc', srt('live/hevc', 'publish', '&linger=2'));
publish('avc', "$rtmp/rtmp", '-f', 'flv');

# the clock comes round in the middle: 2^33 / 90000 is 95443.7

publish('avc', srt('live/wrap', 'publish', '&linger=2'),
    '-output_ts_offset', 95441.5, '-f', 'mpegts');

# messages that do not begin with a packet

$t->run_daemon('sh', '-c', 'exec ffmpeg -nostdin -v error -re -i "$1" -c copy'
    . ' -f mpegts -flush_packets 1 - | srt-live-transmit -q -a:no -chunk:1000'
    . ' file://con "$2"', 'sh', "$d/avc.ts",
    srt('live/odd', 'publish', '&linger=2'));

my $killed = $t->run_daemon('ffmpeg', qw/ -nostdin -v error /, @noise,
    srt('live/killed', 'publish', '', 8037));

ok(live("live/$_"), "$_ is live") for qw/ avc hevc rtmp wrap odd killed /;

my %play = (
    'SRT to SRT' => play('avc', srt('live/avc', 'request')),
    'SRT to RTMP' => play('avc', "$rtmp/avc"),
    'SRT to FLV' => play('avc', "$http/avc.flv"),
    'SRT to SRT, HEVC' => play('hevc', srt('live/hevc', 'request')),
    'RTMP to SRT' => play('avc', srt('live/rtmp', 'request', '', 8037)),
    'SRT to RTMP, clock comes round' => play('avc', "$rtmp/wrap"),
    'SRT to SRT, sound' => play('avc', srt('live/avc', 'request,onlyaudio=1'),
        1),
    'SRT to SRT, pictures' => play('avc', srt('live/avc', 'request,tracks=v0'),
        0),
    'odd messages to SRT' => play('avc', srt('live/odd', 'request'), undef,
        4),
);

$t->stop_daemon($killed, 'KILL');

# how soon a picture is there: the first of some tries, as others may run

my $first = 100;

for (1 .. 3) {
    my $begin = time();
    run_for(10, qw/ ffmpeg -nostdin -v error -analyzeduration 300000 -i /,
        srt('slow/x', 'request'), qw/ -map 0:v -frames:v 1 -f null - /);
    $first = min($first, time() - $begin);
    last if $first < 1;
}

cmp_ok($first, '<', 1, 'first picture, s');

check($_, $play{$_}) for sort keys %play;
check('SRT to HLS', play('avc', "$http/avc.m3u8"));

# a player that fell behind goes on with a keyframe, and nothing is torn

ok(wait_until(sub { ($t->read_file('error.log') // '')
    =~ /SRT player takes nothing.*slow\/x/ }, 10), 'who takes nothing is closed');


# the end of a publish, when it is told and when it is not

wait_until(sub { (-s "$d/late.ts" || 0) > 2000000 }, 5);

my $begin = time();
kill 'INT', $slow;
ok(unpublished('slow/x', 10), 'the publish is over');
cmp_ok(time() - $begin, '<', 1.5, 'soon after the publisher stopped, s');

ok(unpublished('live/killed', 10), 'that of a publisher who was killed, too');

is($t->wait_daemon($late, 10), 0, 'the slow player ended');
jumped("$d/late.ts");

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub srt {
    my ($name, $mode, $more, $port) = @_;

    return 'srt://127.0.0.1:' . port($port || 8036)
        . "?streamid=#!::r=$name,m=$mode" . ($more || '');
}

sub live {
    my ($name) = @_;

    return wait_until(sub {
        (http_status(http_head("/$name.flv")) || 0) == 200
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

# Much to send: three groups of pictures.

sub noise {
    system('ffmpeg', qw/ -hide_banner -nostdin -v error -y -f lavfi -i /,
        'testsrc2=size=320x180:rate=25,noise=alls=80:allf=t', qw/ -f lavfi
        -i sine=sample_rate=48000 -t 3 -pix_fmt yuv420p -c:v libx264
        -preset ultrafast -g 25 -keyint_min 25 -b:v 4M -maxrate 4M
        -bufsize 1M -c:a aac -f mpegts /, "$d/noise.ts") == 0
        or die "no clip\n";
}

sub sums {
    return qw/ -map 0:v? -map 0:a? -fps_mode passthrough -enc_time_base -1
        -f framecrc /;
}

sub publish {
    my ($clip, $url, @opts) = @_;

    @opts = qw/ -f mpegts / unless @opts;

    return $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v warning -re
        -i /, "$d/$clip.ts", qw/ -c copy /, @opts, $url);
}

# n: only its pictures (0) or only its sound (1); tail: so much of the end may
# be missing.

sub play {
    my ($clip, $url, $n, $tail) = @_;

    my $out = "$d/play" . ++$t->{_plays} . '.txt';
    my $pid = $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v warning
        -copyts -i /, $url, sums(), '-flush_packets', 1, $out);

    return { pid => $pid, file => $out, clip => $clip, n => $n,
        tail => $tail || 0 };
}

sub run_for {
    my ($seconds, @command) = @_;

    my $pid = $t->run_daemon(@command);
    $t->wait_daemon($pid, $seconds);
    $t->stop_daemon($pid, 'KILL') if $t->daemon_alive($pid);
}

sub unpublished {
    my ($name, $seconds) = @_;

    return wait_until(sub {
        ($t->read_file('error.log') // '') =~ /unpublished "\Q$name\E"/
    }, $seconds);
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

    # of sound alone it is the first stream

    $got = { 1 => $got->{0} } if ($play->{n} // 0) == 1 && !$got->{1};

    is($status, 0, "$name: ended by itself, without an error");

    # ffmpeg knows no good end of SRT

    my $said = $t->daemon_log($play->{pid});
    $said =~ s/^srt:.*: Input\/output error\n//mg;
    $said =~ s/^ +Last message repeated.*\n//mg;
    is($said, '', "$name: no warning");

    for my $n (0, 1) {
        my $what = ('pictures', 'sound')[$n];

        if (defined $play->{n} && $play->{n} != $n) {
            is(scalar @{$got->{$n} || []}, 0, "$name: no $what");
            next;
        }

        my @want = @{$want->{$n} || []};
        my @got = @{$got->{$n} || []};

        splice @want, scalar @got if @got && @got >= @want - $play->{tail};

        is(join(' ', map { $_->[1] } @got), join(' ', map { $_->[1] } @want),
            "$name: $what, " . @got . ' of ' . @want);

        # against the first picture, so that an offset shows as well

        my $z = $play->{n} || 0;
        my @off = map { abs(($got[$_][0] - $got->{$z}[0][0])
            - ($want[$_][0] - $want->{$z}[0][0])) }
            0 .. min($#got, $#want);

        cmp_ok(@off ? 1000 * max(@off) : 1000, '<=', 1.1,
            "$name: $what in time, ms");
    }
}

# Packets of one that jumped: counters without a gap, jumps of the clock that
# are told, pictures that can all be decoded.

sub jumped {
    my ($file) = @_;

    my (%cc, $last, $told, $untold, $gaps) = ();

    ($told, $untold, $gaps) = (0, 0, 0);

    open my $fh, '<:raw', $file or die "$file: $!\n";

    while (read($fh, my $p, 188) == 188) {
        my ($pid, $flags, $len, $af, $high) = (unpack 'xnCCCN', $p);
        my $cc = $flags & 15;

        $pid &= 0x1fff;

        if (defined $cc{$pid} && (($cc{$pid} + ($flags >> 4 & 1)) & 15) != $cc)
        {
            $gaps++;
        }

        $cc{$pid} = $cc;

        next unless ($flags & 0x20) && $len && ($af & 0x10);

        my $pcr = $high / 45000;

        if (defined $last && ($pcr - $last > 0.5 || $pcr < $last)) {
            $af & 0x80 ? $told++ : $untold++;
        }

        $last = $pcr;
    }

    is($gaps, 0, 'jump: no counter tells of a gap');
    is($untold, 0, 'jump: no jump of the clock is not told');
    cmp_ok($told, '>=', 1, 'jump: there was one');

    my $said = `ffmpeg -nostdin -v warning -i $file -map 0:v -f null - 2>&1`;

    $said =~ s/^.*(?:timestamp|DTS|dts).*\n//mg;
    is($said, '', 'jump: all that came can be decoded');
}
