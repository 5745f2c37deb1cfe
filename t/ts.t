#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Live streams over HTTP as MPEG-TS, AAC and MP3: what is answered, and that
# what comes out is the stream, by our own checker and by a decoder.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

use Socket qw/ CRLF /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_v2 http_ssl stream rtmp flv_live/)
    ->has_daemon('ffmpeg', 'curl');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    republish_wait 1s;
    idle_timeout 1s;
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%
    ssl_certificate localhost.crt;
    ssl_certificate_key localhost.key;

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8443 ssl http2;
        location / { flv_live; }
        location /wait/ { flv_live; play_wait 20s; }
    }

    server {
        listen 127.0.0.1:8083;
        location / { flv_live; limit_rate 40k; }
    }
}
END_OF_CONF

$t->write_cert('localhost');
$t->run();

my $d = $t->testdir();
my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $url = 'http://127.0.0.1:' . port(8080);

# nothing is published

for my $format (qw/ ts aac mp3 /) {
    is(http_status(http_get("/live/av.$format")), 404, "GET of no $format");
    is(http_status(http_head("/live/av.$format")), 404, "HEAD of no $format");
}

my $r = http('OPTIONS /live/av.ts HTTP/1.1' . CRLF . 'Host: localhost' . CRLF
    . 'Connection: close' . CRLF . CRLF);
is(http_status($r), 204, 'OPTIONS');

# a player that comes before its publisher

my $early = get11('/wait/early.ts', start => 1);
my $first = $t->publish("$rtmp/wait/early", duration => 6);

my @video = qw/ -c:v libx264 -preset ultrafast -tune zerolatency
    -pix_fmt yuv420p -b:v 200k -g 25 /;

$t->publish("$rtmp/live/av", size => '160x90');
$t->publish("$rtmp/live/b", size => '160x90', codecs => [
    qw/ -c:v libx264 -preset superfast -bf 2 -pix_fmt yuv420p -b:v 200k -g 25 /,
    qw/ -c:a aac -b:a 32k /]);
$t->publish("$rtmp/live/mp3", size => '160x90', codecs => [ @video,
    qw/ -c:a libmp3lame -b:a 64k /]);
$t->publish("$rtmp/live/video", size => '160x90',
    codecs => [ @video, '-an' ]);
$t->publish("$rtmp/live/audio", codecs => [ qw/ -vn -c:a aac -b:a 32k /]);

$r = http_end($early, timeout => 15);
like($r, qr/\r\n0\r\n\r\n$/, 'early: the last chunk');
check_ts(http_content($r), 'early');

for my $name (qw/ av.ts b.ts mp3.ts video.ts audio.ts audio.aac mp3.mp3 /) {
    ok(wait_until(sub { http_status(http_head("/live/$name")) == 200 }, 20),
        "$name is live");
}

for my $case ([ 'ts', 'video/MP2T' ], [ 'aac', 'audio/x-aac' ],
    [ 'mp3', 'audio/mpeg' ])
{
    my ($format, $type) = @$case;
    my $name = $format eq 'mp3' ? 'mp3' : 'av';

    $r = http_head("/live/$name.$format");
    is(http_status($r), 200, "HEAD of $format");
    like($r, qr!^Content-Type: $type\r$!mi, "$format: type");

    $r = http_get("/live/$name.$format", limit => 4000);
    like($r, qr!^Content-Type: $type\r$!mi, "GET of $format: type");
    like($r, qr!^Access-Control-Allow-Origin: \*\r$!mi, "$format: CORS");
    unlike($r, qr!^Content-Length!mi, "$format: no length");
}

# what the stream does not have

is(http_status(http_get('/live/mp3.aac')), 404, 'AAC of MP3');
is(http_status(http_head('/live/mp3.aac')), 404, 'HEAD: AAC of MP3');
is(http_status(http_get('/live/av.mp3')), 404, 'MP3 of AAC');
is(http_status(http_get('/live/video.aac')), 404, 'AAC of video');
is(http_status(http_head('/live/video.aac')), 404, 'HEAD: AAC of video');
is(http_status(http_get('/live/audio.ts?onlyvideo=1')), 404, 'no video');
like($t->read_file('error.log'), qr/nothing in the stream goes into "aac"/,
    'the log tells');

# every way there is

for my $name (qw/ av b mp3 video /) {
    check_ts(http_content(get11("/live/$name.ts", limit => 90000)), $name);
}

is(join(' ', pmt_versions(http_content(get11("/live/$_.ts",
    limit => 90000)))), '0', "$_: all tracks from the beginning")
    for qw/ av mp3 /;

check_ts(http_content(get11('/live/audio.ts', limit => 40000)), 'audio');
check_ts(http_content(http_get('/live/av.ts', limit => 60000)), 'HTTP/1.0');
check_ts(http_content(get11('/live/av.ts', limit => 60000, port => 8083)),
    'limit_rate');
check_ts(http_content(get11('/live/av.ts?onlyaudio=1', limit => 30000)),
    'onlyaudio');
check_ts(http_content(get11('/live/av.ts?onlyvideo=1', limit => 60000)),
    'onlyvideo');
check_ts(scalar `timeout 2 curl -skN --http2 'https://localhost:${\port(8443)
    }/live/av.ts'`, 'TLS and h2');

check_adts(http_content(get11('/live/av.aac', limit => 8000)), 'AAC');
check_adts(http_content(get11('/live/audio.aac', limit => 8000)),
    'AAC of audio');
check_adts(http_content(http_get('/live/av.aac', limit => 8000)),
    'AAC, HTTP/1.0');

like(http_content(get11('/live/mp3.mp3', limit => 8000)), qr/^\xff[\xe2-\xff]/,
    'MP3 begins with a frame');

# what a player decodes

for my $case ([ 'av.ts', 1 ], [ 'b.ts', 1 ], [ 'mp3.ts', 1 ],
    [ 'video.ts', 1 ], [ 'audio.ts' ], [ 'av.aac' ], [ 'audio.aac' ],
    [ 'mp3.mp3' ])
{
    my ($name, $frames) = @$case;

    my $out = `timeout 20 ffmpeg -hide_banner -nostdin -v error -xerror \\
        -i $url/live/$name -t 2 -f null - -progress $d/progress 2>&1`;

    is($out, '', "$name: decoded without an error");

    my $progress = $t->read_file('progress') || '';
    my ($time) = $progress =~ /.*^out_time_us=(\d+)$/ms;

    cmp_ok($time || 0, '>=', 1_900_000, "$name: two seconds");
    like($progress, qr/^frame=(4[7-9]|5[0-3])$/m, "$name: all frames") if $frames;
}

is(streams('av.ts'), 'aac h264', 'tracks');
is(streams('mp3.ts'), 'h264 mp3', 'tracks with MP3');
is(streams('av.ts?onlyaudio=1'), 'aac', 'tracks of onlyaudio');
is(streams('av.aac'), 'aac', 'tracks of AAC');
is(streams('mp3.mp3'), 'mp3', 'tracks of MP3');

# a track that comes late is in a new version of the PMT

my $p = Test::RTMP->new(port(8035))->connect('wait');
$p->publish('late');
$p->video(0, Test::RTMP::avc_config());
$p->video(0, Test::RTMP::avc_key(1));

my $late = get11('/wait/late.ts', start => 1);
sleep(1);

for my $n (1 .. 30) {
    $p->video($n * 20, Test::RTMP::avc_inter($n & 127));

    next if $n < 10;

    $p->audio($n * 20, Test::RTMP::aac_config()) if $n == 10;
    $p->audio($n * 20, Test::RTMP::aac_frame($n & 127));
}

sleep(0.5);
$p->close();

my $ts = http_content(http_end($late, timeout => 8));
my @versions = pmt_versions($ts);
is("@versions", '0 1', 'versions of the PMT');

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub get11 {
    my ($uri, %opts) = @_;

    return http("GET $uri HTTP/1.1" . CRLF . 'Host: localhost' . CRLF . CRLF,
        %opts);
}

# What was cut off somewhere: all packets that are whole.

sub check_ts {
    my ($body, $name) = @_;

    my $size = length($body) - length($body) % 188;
    $t->write_file('body.ts', substr($body, 0, $size));

    my $out = `perl tools/check-ts --quiet $d/body.ts 2>&1`;

    cmp_ok($size, '>', 10000, "$name: packets");
    is($out, '', "$name: clean");
}

sub check_adts {
    my ($body, $name) = @_;

    my ($pos, $n) = (0, 0);

    while ($pos + 7 <= length $body) {
        my ($sync, $size) = unpack 'n x N', substr($body, $pos, 7);

        last if ($sync & 0xfff6) != 0xfff0;

        $pos += $size >> 13 & 0x1fff;
        $n++;
    }

    cmp_ok($n, '>', 20, "$name: frames");
    cmp_ok($pos, '>=', length($body) - 6, "$name: one behind the other");
}

sub streams {
    my ($name) = @_;

    my $out = `timeout 20 ffprobe -v error -show_entries stream=codec_name \\
        -of csv=p=0 '$url/live/$name' 2>&1`;

    my %seen = map { $_ => 1 } $out =~ /^(\w+)/mg;

    return join ' ', sort keys %seen;
}

sub pmt_versions {
    my ($body) = @_;

    my @seen;

    for (my $pos = 0; $pos + 188 <= length $body; $pos += 188) {
        my ($pid) = unpack 'x n', substr($body, $pos, 3);

        next if ($pid & 0x1fff) != 0x1000;

        my $version = ord(substr($body, $pos + 10, 1)) >> 1 & 31;

        push @seen, $version if !@seen || $seen[-1] != $version;
    }

    return @seen;
}

###############################################################################
