#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# MPEG-TS over HTTP for ten minutes (TEST_SOAK says another number of seconds),
# read by our own checker: pictures that are reordered and sound, pictures
# only, slow ones, sound only, and a stream whose publisher comes back three
# times with other codecs and changes them once in the middle.  No fault: in
# continuity, distance of PCR and tables, PES and ADTS; and no picture missing.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib', '../client';
use Test::Nginx;
use Soak;
use Packets;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($t, @at) = server(media => 'republish_wait 20s;',
    http => 'location /wait/ { flv_live; play_wait 60s; }');
my $seconds = $ENV{TEST_SOAK} || 600;
my $d = $t->testdir();
my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $http = 'http://127.0.0.1:' . port(8080);

my @h264 = qw/ -c:v libx264 -preset ultrafast -pix_fmt yuv420p -b:v 200k /;
my @aac = qw/ -c:a aac -b:a 64k /;

# what is sent: name, pictures a second, how it is encoded

my %clips = (
    av    => [ 25, @h264, qw/ -bf 2 -g 50 /, @aac ],
    video => [ 25, @h264, qw/ -tune zerolatency -g 250 -an / ],
    slow  => [ 5, @h264, qw/ -bf 2 -g 50 /, @aac ],
    audio => [ 0, '-vn', @aac ],
    mp3   => [ 0, qw/ -vn -c:a libmp3lame -b:a 64k / ],
    one   => [ 25, @h264, qw/ -bf 2 -g 25 /, @aac ],
    two   => [ 25, @h264, qw/ -tune zerolatency -g 50 -s 240x136
        -c:a libmp3lame -b:a 64k / ],
    three => [ 25, qw/ -c:v libx265 -preset ultrafast -pix_fmt yuv420p
        -b:v 200k -x265-params log-level=none:keyint=50 -c:a libopus
        -b:a 64k / ],
);

# the stream that changes: four parts, between them a second without anybody

my $part = $seconds / 4 - 2;
my %length = map { $_ => $seconds + 5 } keys %clips;

@length{qw/ one two three /} = ($part, $part, $part / 2);

for my $name (sort keys %clips) {
    my ($fps, @codecs) = @{$clips{$name}};

    $fps ||= 25;

    my $out = `ffmpeg -hide_banner -nostdin -y -v error \\
        -f lavfi -i testsrc2=size=320x180:rate=$fps \\
        -f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=48000 \\
        -t $length{$name} @codecs -threads 1 $d/$name.mp4 2>&1`;

    is($out, '', "$name: encoded");
}

my $begin = time();

publish("live/$_", $_) for qw/ av video slow audio mp3 /;

my @streams = map { "live/$_" } qw/ av.ts video.ts slow.ts audio.ts mp3.ts
    av.ts?onlyaudio=1 av.ts?onlyvideo=1 /;
my %file;

for my $stream (@streams) {
    ok(wait_until(sub { (http_status(http_head("/$stream")) || 0) == 200 },
        20), "$stream is live");
    record($stream);
}

# whose player is there before it

push @streams, 'wait/change.ts';
record('wait/change.ts');

my $changing = publish('wait/change', 'one');

# the last part is two codecs in one publish

my @parts = map { packets("$d/$_.mp4") } qw/ three one /;

splice @{$parts[1]{packets}}, @{$parts[1]{packets}} / 2;

for my $next ('two', 'three and one', 'one') {
    is($t->wait_daemon($changing, $part + 60), 0, "change: before $next");
    sleep(1);
    $changing = $next =~ /and/ ? send_packets($t, 'wait', 'change', @parts)
        : publish('wait/change', $next);
}

is($t->wait_daemon($changing, $part + 60), 0, 'change: the last one');

my $left = $begin + $seconds - time();

sleep($left) if $left > 0;

note(sprintf '%.0f s', time() - $begin);

$t->stop_daemons();

my $total = 0;

for my $stream (@streams) {
    my $fps = $stream =~ /slow/ ? 5 : 25;
    my $out = `perl ../tools/check-ts $file{$stream} 2>&1`;

    is($?, 0, "$stream: no fault");
    note("$stream: $_") for split /\n/, $out;

    my ($time) = $out =~ /packets, ([\d.]+) s/;
    my ($pictures) = $out =~ /(?:h264|hevc), (\d+) PES/;
    my $gone = $stream =~ /change/ ? 3 : 0;

    cmp_ok($time || 0, '>', $seconds - 15 - 3 * $gone, "$stream: all the time");

    $total = $pictures if $gone;

    next if $stream !~ /(?:av|video|slow)/ || $stream =~ /onlyaudio/;

    # the last one may be cut off, the first PCR may be of a sound before

    cmp_ok(abs($pictures - $time * $fps), '<=', 3,
        "$stream: $pictures pictures");
}

my @versions = pmt_versions($file{'wait/change.ts'});

my $sent = 0;

$sent += pictures($_) for (map { packets("$d/$_.mp4") } qw/ one two one /),
    @parts;

# the last one of all may be cut off

ok($total == $sent || $total == $sent - 1,
    "change.ts: $total of $sent pictures");
is("@versions", '0 1 2 3', 'change.ts: a version of the PMT for each change');

$t->stop();

done_testing();

###############################################################################

sub publish {
    my ($name, $clip) = @_;

    return $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -v warning -re -i /,
        "$d/$clip.mp4", qw/ -c copy -f flv /, "$rtmp/$name");
}

sub record {
    my ($stream) = @_;

    $file{$stream} = "$d/" . ($stream =~ s/\W/-/gr) . '.out';
    $t->run_daemon('curl', '-sN', '-m', $seconds + 60, "$http/$stream", '-o',
        $file{$stream});
}

sub pictures {
    my ($clip) = @_;
    my $streams = $clip->{streams};

    return scalar grep { $streams->[$_->{stream}]{codec} =~ /^h/ }
        @{$clip->{packets}};
}

sub pmt_versions {
    my ($file) = @_;

    my ($packet, @seen);

    open my $fh, '<:raw', $file or return;

    while (read($fh, $packet, 188) == 188) {
        my ($pid) = unpack 'x n', $packet;

        next if ($pid & 0x5fff) != 0x5000;

        my $version = ord(substr $packet, 10, 1) >> 1 & 31;

        push @seen, $version if !@seen || $seen[-1] != $version;
    }

    return @seen;
}
