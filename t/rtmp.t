#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# RTMP with real clients: ffmpeg publishes, ffmpeg and rtmpdump play, on
# whichever workers take them; what was decoded is counted.

###############################################################################

use warnings;
use strict;

no warnings 'qw';

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ stream rtmp /)
    ->has_daemon(qw/ ffmpeg ffprobe /)->plan(22);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes %%WORKERS%%;

events {
}

media {
    republish_wait 1s;
    idle_timeout   10s;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }

    server {
        listen 127.0.0.1:%%PORT_1936%%;
        rtmp { chunk_size 128; }
    }
}

EOF

my $d = $t->testdir();
my $port = port(1935);
my $small = port(1936);

# Clips with known numbers of frames: 100 pictures, 4 s of sound.

clip('clip.flv', qw/ -c:v libx264 -preset ultrafast -g 25 -bf 0 -pix_fmt
    yuv420p -c:a aac -ar 44100 /);
clip('bframes.flv', qw/ -c:v libx264 -preset veryfast -g 25 -bf 2 -pix_fmt
    yuv420p -c:a libmp3lame -ar 44100 /);

my %clip = expected('clip.flv', 'aac');
my %bframes = expected('bframes.flv', 'mp3');

is($clip{h264}, 100, 'clip');

$t->run();

###############################################################################

# players first, then the publisher: nothing may be missing, on any worker

my @players = map { player("rtmp://127.0.0.1:$port/live/clip", "clip$_.flv") }
    1 .. 4;
push @players, player("rtmp://127.0.0.1:$small/live/clip", 'clip5.flv');

wait_clients(5);

my $p = publish('clip.flv', "rtmp://127.0.0.1:$port/live/clip");

is($t->wait_daemon($p, 30), 0, 'ffmpeg publishes');

for my $n (1 .. 5) {
    is($t->wait_daemon($players[$n - 1], 15), 0, "ffmpeg $n ends");

    my %got = frames("$d/clip$n.flv");
    is(pair(\%got, 'aac'), pair(\%clip, 'aac'), "ffmpeg $n frames");
}

# B-frames and MP3, small chunks in

@players = (player("rtmp://127.0.0.1:$port/live/b", 'b1.flv'));
wait_clients(7);

$p = publish('bframes.flv', "rtmp://127.0.0.1:$small/live/b");
is($t->wait_daemon($p, 30), 0, 'B-frames and MP3, publish');
is($t->wait_daemon($players[0], 15), 0, 'B-frames and MP3, play');

my %got = frames("$d/b1.flv");
is(pair(\%got, 'mp3'), pair(\%bframes, 'mp3'), 'B-frames and MP3, frames');
is(packets("$d/b1.flv"), packets("$d/bframes.flv"), 'B-frames, times');

# those that come late start with a keyframe and decode without an error

$p = $t->publish("rtmp://127.0.0.1:$port/live/run", duration => 10);
my $url = "rtmp://127.0.0.1:$port/live/run";

my $out = probe($url, '-read_intervals', '%+2');
like($out, qr/h264,\d+/, 'ffprobe, late');
unlike($out, qr/error|missing|corrupt/i, 'ffprobe, no decode error');

SKIP: {
    skip 'no rtmpdump', 2 unless grep { -x "$_/rtmpdump" }
        split /:/, $ENV{PATH};

    my $r = $t->run_daemon('rtmpdump', '-q', '-v', '-r', $url,
        '-o', "$d/dump.flv");

    $t->wait_daemon($r, 20);
    %got = frames("$d/dump.flv");
    cmp_ok($got{h264} || 0, '>', 25, 'rtmpdump, pictures');
    cmp_ok($got{aac} || 0, '>', 25, 'rtmpdump, sound');
}

$t->stop_daemon($p);

# only audio, only video

$p = $t->publish("rtmp://127.0.0.1:$port/live/only", duration => 10);

$out = probe("rtmp://127.0.0.1:$port/live/only?onlyaudio=1",
    '-read_intervals', '%+1', '-analyzeduration', '1000000');
ok($out =~ /aac,\d/ && $out !~ /h264,[1-9]/, 'only audio') or diag($out);

$out = probe("rtmp://127.0.0.1:$port/live/only?onlyvideo=1",
    '-read_intervals', '%+1', '-analyzeduration', '1000000');
ok($out !~ /aac,[1-9]/ && $out =~ /h264,\d/, 'only video') or diag($out);

$t->stop_daemon($p);

###############################################################################

sub clip {
    my ($name, @codecs) = @_;

    system(qw/ ffmpeg -nostdin -loglevel error -y -f lavfi -i
        testsrc=size=160x120:rate=25 -f lavfi -i
        sine=frequency=440:sample_rate=44100 -t 4 /, @codecs, "$d/$name") == 0
        or die "Can't make $name\n";
}

sub publish {
    my ($name, $url) = @_;

    return $t->run_daemon('ffmpeg', qw/ -nostdin -loglevel error -re -i /,
        "$d/$name", qw/ -c copy -f flv /, $url);
}

sub player {
    my ($url, $name) = @_;

    return $t->run_daemon('ffmpeg', qw/ -nostdin -loglevel error -y -i /,
        $url, qw/ -c copy -f flv /, "$d/$name");
}

# waits until that many connections were taken in all

sub wait_clients {
    my ($n) = @_;

    return wait_until(sub {
        my @seen = ($t->read_file('error.log') || '')
            =~ /client 127\.0\.0\.1:\d+ connected/g;
        return @seen >= $n;
    }, 10);
}

# codec => decoded frames

sub frames {
    my ($file) = @_;

    return map { split /,/ } grep { /^\w+,\d+$/ }
        split /\n/, run(qw/ ffprobe -v error -count_frames -show_entries
            stream=codec_name,nb_read_frames -of csv=p=0 /, $file);
}

# what a player shall get: all from the first picture on

sub expected {
    my ($name, $audio) = @_;

    my %count = ($audio => 0, h264 => 0);

    for (split /\n/, run(qw/ ffprobe -v error -show_entries
        packet=codec_type -of csv=p=0 /, "$d/$name"))
    {
        $count{h264}++ if /video/;
        $count{$audio}++ if /audio/ && $count{h264};
    }

    return %count;
}

sub pair {
    my ($got, $audio) = @_;

    return join ' ', map { "$_:" . ($got->{$_} // 'none') } 'h264', $audio;
}

sub probe {
    my ($url, @args) = @_;

    return run(qw/ timeout 15 ffprobe -v error -count_frames -show_entries
        stream=codec_name,nb_read_frames -of csv=p=0 /, @args, $url);
}

# pts and dts of all pictures

sub packets {
    my ($file) = @_;

    return run(qw/ ffprobe -v error -select_streams v -show_entries
        packet=pts,dts -of csv=p=0 /, $file);
}

sub run {
    my $pid = open my $fh, '-|';
    die "Can't fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec @_ or exit 1;
    }

    local $/;
    my $out = <$fh>;
    close $fh;

    return $out // '';
}

###############################################################################
