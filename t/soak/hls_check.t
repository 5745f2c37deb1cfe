#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# HLS for five minutes (TEST_SOAK says another number of seconds), followed by
# our own checker: pictures that are reordered and sound, in fMP4 and in
# MPEG-TS, with low latency and without, all tracks in one and each apart,
# pictures only, slow ones, long GOPs, sound only; and streams whose publisher
# comes back twice a minute, each time with other pictures.  No fault.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib '.', '../lib';
use Test::Nginx;
use Test::Nginx::HLS;
use Soak;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my ($t) = server(media => 'republish_wait 20s;
    application apart { dash on; }
    application plain { hls_part 0; }
    application fast { hls_part 200ms; hls_fragment 1s; }
    application ts { hls_container mpegts; }
    application tsplain { hls_container mpegts; hls_part 0; }',
    http => join '', map { "location /$_/ { hls; } " } qw/ live apart plain
        fast ts tsplain /);

my $seconds = $ENV{TEST_SOAK} || 300;
my $d = $t->testdir();
my $rtmp = 'rtmp://127.0.0.1:' . port(8035);

my @h264 = qw/ -c:v libx264 -preset ultrafast -pix_fmt yuv420p -b:v 200k
    -sc_threshold 0 /;
my @aac = qw/ -c:a aac -b:a 64k /;

# what is sent: name, pictures a second, how it is encoded

my %clips = (
    av    => [ '30000/1001', @h264, qw/ -bf 2 -g 60 /, @aac ],
    video => [ 25, @h264, qw/ -tune zerolatency -g 25 -an / ],
    slow  => [ 5, @h264, qw/ -bf 2 -g 10 /, @aac ],
    gop   => [ 25, @h264, qw/ -bf 2 -g 250 /, @aac ],
    audio => [ 25, '-vn', @aac ],
    one   => [ 25, @h264, qw/ -bf 2 -g 50 /, @aac ],
    two   => [ 25, @h264, qw/ -tune zerolatency -g 50 -s 240x136 /, @aac ],
);

# not played in a loop: sound would overlap where it begins again

for my $name (sort keys %clips) {
    my ($fps, @codecs) = @{$clips{$name}};
    my $length = $name =~ /one|two/ ? 120 : $seconds + 90;

    my $out = `ffmpeg -hide_banner -nostdin -y -v error \\
        -f lavfi -i testsrc2=size=320x180:rate=$fps \\
        -f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=44100 \\
        -t $length @codecs -threads 1 $d/$name.mp4 2>&1`;

    is($out, '', "$name: encoded");
}

my %streams = map { $_ => (split m!/!)[1] } qw! live/av live/video live/slow
    live/gop live/audio apart/av plain/av fast/av ts/av ts/audio tsplain/av !;

for my $stream (sort keys %streams) {
    $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -v warning -re -i /,
        "$d/$streams{$stream}.mp4", qw/ -c copy -f flv /, "$rtmp/$stream");
}

my @changing = map { "$_/change" } qw/ live apart ts /;

change('one');

for my $stream (sort keys %streams, @changing) {
    ok(wait_until(sub { get("/$stream.m3u8")->{status} == 200 }, 30),
        "$stream is live");
}

sleep(8);

my %checks = map { $_ => follow($_) } sort keys %streams, @changing;
my $begin = time();
my $turn = 0;

while (time() < $begin + $seconds - 15) {
    sleep(30 - (time() - $begin) % 30);
    change(++$turn % 2 ? 'two' : 'one');
}

for my $stream (sort keys %checks) {
    is($t->wait_daemon($checks{$stream}, $seconds + 120), 0,
        "$stream: no fault");
    note("$stream: $_")
        for split /\n/, $t->daemon_log($checks{$stream}) // '';
}

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub follow {
    my ($stream) = @_;

    return $t->run_daemon($^X, '../tools/check-hls', "--seconds=$seconds",
        '--decode=10', 'http://127.0.0.1:' . port(8080) . "/$stream.m3u8");
}

# the publishers that change: gone for a second, then another one

my @publishers;

sub change {
    my ($clip) = @_;

    $t->stop_daemon($_) for splice @publishers;

    sleep(1);

    @publishers = map { $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin
        -v warning -re -i /, "$d/$clip.mp4", qw/ -c copy -f flv /,
        "$rtmp/$_") } @changing;
}
