#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Several tracks over HTTP: which of them FLV, MPEG-TS, AAC and MP3 carry, and
# under which numbers, for each way to choose; what is refused.  Then a real
# clip with a second audio track, as ffmpeg reads it in each of these formats.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Enhanced;
use Test::Nginx::FLV;
use Test::RTMP qw/ num /;

use Digest::SHA qw/ sha256_hex /;
use Socket qw/ CRLF /;
use Time::HiRes qw/ sleep /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/)
    ->has_daemon('ffmpeg')->has_daemon('ffprobe');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    idle_timeout 2s;
    republish_wait 1s;
    publish_timeout 20s 60s;
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location / { flv_live; }
        location /wait/ { flv_live; play_wait 10s; }
    }
}
END_OF_CONF

$t->run();

my $sps = substr(Test::RTMP::avc_config(), 5);
my $asc = "\x12\x10";

# v0, v1: H.264; a0, a1: AAC; a2: MP3

my $early = start('/wait/x.flv?tracks=v1,a1');
my $p = publisher('live');
my $q = publisher('wait');

for my $x ($p, $q) {
    $x->data(0, '@setDataFrame', 'onMetaData', { width => num(64) });
    $x->video(0, many_tracks('v', 0, 'avc1', 1, 0 => $sps, 1 => $sps));
    $x->audio(0, many_tracks('a', 0, 'mp4a', 0, 0 => $asc, 1 => $asc));
    frames($x, 0, 12);
}

# FLV

my ($tags, $flv) = flv('');
is(body_list(qr//, @$tags[0 .. 4]), 'v0 avc config, a0 aac config, '
    . 'v0 avc key 10, a0 aac - 210, v0 avc inter 11', 'the default tracks');
is(body_list(qr/[av][1-6]/, @$tags), '', 'and no others');
is(unpack('H*', substr $flv, 0, 13), unpack('H*', flv_start(5)), 'header');

($tags) = flv('tracks=all');
like(body_list(qr//, @$tags), qr/^v0\ avc\ config,\ a0\ aac\ config,
    \ \*v1\ avc1\ config,\ \*a1\ mp4a\ config,\ v0\ avc\ key\ 10,
    .*\*a2\ \.mp3\ -\ 411/x, 'tracks=all');

($tags) = flv('tracks=v1,a1');
is(body_list(qr//, @$tags[0 .. 4]), 'v0 avc config, a0 aac config, '
    . 'v0 avc key 110, a0 aac - 310, v0 avc inter 111', 'tracks=v1,a1');

($tags, $flv) = flv('tracks=a2');
is(body_list(qr//, @$tags[0 .. 1]), 'a0 mp3 - 410, a0 mp3 - 411',
    'tracks=a2');
is(unpack('H*', substr $flv, 0, 13), unpack('H*', flv_start(4)),
    'a header of audio');

($tags, $flv) = flv('tracks=all&onlyvideo=1');
like(body_list(qr//, @$tags), qr/^v0 avc config, \*v1 avc1 config, v0/,
    'all, but video only');
is(unpack('H*', substr $flv, 0, 13), unpack('H*', flv_start(1)),
    'a header of video');

unlike(body_list(qr//, @{(flv('tracks=all'))[0]}), qr/\+/,
    'no offsets below a ms');

($tags) = flv_tags(http_content(http_end($early, limit => 1200,
    timeout => 2) || ''));
like(body_list(qr//, @$tags), qr/v0\ avc\ config,\ a0\ aac\ config,
    \ v0\ avc\ key\ 1(00|05|10),.*inter\ 111/x, 'who came before the publisher');

# MPEG-TS

is(pmt(''), '100:1b 101:0f', 'MPEG-TS: the default tracks');
is(pmt('?tracks=all'), '100:1b 101:0f 102:1b 103:0f 105:03',
    'MPEG-TS: all');
is(pmt('?tracks=v0,a'), '100:1b 101:0f 103:0f 105:03',
    'MPEG-TS: one video, all audio');
is(pmt('?tracks=v0,a1'), '100:1b 101:0f', 'MPEG-TS: other audio');
is(pmt('?tracks=a2'), '101:03', 'MPEG-TS: MP3 alone');

# AAC and MP3

like(get('/live/x.aac'), qr/!0000211/, 'AAC');
my $aac = get('/live/x.aac?tracks=a1');
like($aac, qr/!0000311/, 'AAC, tracks=a1');
unlike($aac, qr/!00002/, 'and no other');
like(get('/live/x.aac?tracks=all'), qr/!0000211/, 'AAC, of all the first');
like(get('/live/x.mp3?tracks=a2'), qr/!0000411/, 'MP3, tracks=a2');

# what is refused

is(status("/live/x.flv?tracks=$_"), 400, "tracks=$_: 400")
    for '', 'x', 'v7', 'v0,', 'v0,w', 'v0v1', 'all,b';

like($t->read_file('error.log'), qr/"tracks" must be "all", "default" or/,
    'and a line that says how');

sleep(2);

is(status("/live/x.$_"), 404, "$_: 404") for 'flv?tracks=a5',
    'flv?tracks=v3,a4', 'aac?tracks=v0', 'aac?tracks=a2', 'mp3?tracks=a0',
    'ts?tracks=a6', 'flv?tracks=v1&onlyaudio=1';

is(http_status(http_head("/live/x.flv?tracks=$_->[0]")), $_->[1],
    "HEAD, tracks=$_->[0]") for ['a5', 404], ['a1', 200], ['', 400];

$_->close() for $p, $q;

# ffmpeg, which knows nothing of several tracks in FLV

my $d = $t->testdir();

system(qw/ ffmpeg -hide_banner -nostdin -y -v error -f lavfi -i /,
    'testsrc2=size=320x180:rate=25', qw/ -f lavfi -i sine=440:r=44100
    -f lavfi -i sine=880:r=44100 -t 4 -map 0 -map 1 -c:v libx264
    -preset ultrafast -g 25 -c:a aac -b:a 48k /, "$d/main.flv",
    qw/ -t 4 -map 2 -c:a aac -b:a 64k /, "$d/second.flv") == 0 or die;

my ($main) = flv_tags($t->read_file('main.flv'));
my ($second) = flv_tags($t->read_file('second.flv'));
my $frames = grep { $_->{kind} =~ /key|inter/ } @$main;

# players start at the first picture, which is a little behind the first sound

my ($key) = map { $_->{ms} } grep { $_->{kind} eq 'key' } @$main;
my $sounds = grep { $_->{kind} eq 'audio' && $_->{ms} >= $key } @$main;
my @others = grep { $_->{kind} eq 'audio' && $_->{ms} >= $key } @$second;
my $others = @others;
my $url = 'http://127.0.0.1:' . port(8080) . '/wait/clip';

my %probe = (
    'flv' => "h264,$frames aac,$sounds",
    'flv?tracks=v0,a1' => "h264,$frames aac,$others",
    'flv?tracks=a1' => "aac,$others",
    'ts' => "h264,$frames aac,$sounds",
    'ts?tracks=all' => "h264,$frames aac,$sounds aac,$others",
    'aac?tracks=a1' => "aac,$others",
);

my %pid = map { $_ => $t->run_daemon('sh', '-c', 'exec ffprobe -v error '
    . '-count_packets -show_entries stream=codec_name,nb_read_packets '
    . "-of csv=p=0 '$url.$_' > '$d/" . file_of($_) . "'") } keys %probe;

$pid{hash} = $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -v error -y -i /,
    "$url.flv?tracks=v0,a1", qw/ -map 0:a -c copy -f hash /, "$d/got");

sleep(1);

$p = publisher('wait', 'clip');

for my $tag (sort { $a->{ms} <=> $b->{ms} } @$main,
    map { { %$_, body => one_track('a', ord substr($_->{body}, 1), 'mp4a', 1,
        substr $_->{body}, 2) } } grep { $_->{type} == 8 } @$second)
{
    $tag->{type} == 9 ? $p->video($tag->{ms}, $tag->{body})
        : $tag->{type} == 8 ? $p->audio($tag->{ms}, $tag->{body}) : next;
    sleep(0.002);
}

$p->close();

$t->wait_daemon($_, 20) for values %pid;

for my $name (sort keys %probe) {
    my @lines = map { s/,$//r } split /\n/, $t->read_file(file_of($name));
    # programs of MPEG-TS are told again with their streams

    @lines = @lines[0 .. 2] if @lines > 3 && $name =~ /all/;
    @lines = @lines[0 .. 1] if @lines > 2 && $name eq 'ts';

    is(join(' ', @lines), $probe{$name}, "ffprobe, $name");
}

chomp(my $got = $t->read_file('got'));
is($got, 'SHA256=' . sha256_hex(map { substr $_->{body}, 2 } @others),
    'the second audio, bit by bit');

$t->stop();

done_testing();

###############################################################################

sub file_of { return $_[0] =~ tr/a-z0-9//cdr }

sub publisher {
    my ($app, $name) = @_;

    my $p = Test::RTMP->new(port(8035))->connect($app);
    $p->set_chunk_size(4096);
    $p->publish($name || 'x') or die;

    return $p;
}

sub frames {
    my ($p, $from, $to) = @_;

    for my $n ($from .. $to) {
        my ($type, $key) = $n % 5 ? (0x41, 0) : (0x65, 1);

        $p->video($n * 40, modex(500000, many_tracks('v', 3, 'avc1', $key,
            map { ($_, Test::RTMP::avc_nal($type, $_ * 100 + $n)) } 0, 1)));
        $p->audio($n * 40, many_codecs('a', 1, 0, [ 'mp4a', 0, sound(200 + $n) ],
            [ 'mp4a', 1, sound(300 + $n) ], [ '.mp3', 2, sound(400 + $n) ]));
    }
}

sub sound { return sprintf('!%07d', $_[0]) . 'a' x 50 }

sub start {
    my ($uri) = @_;

    return http("GET $uri HTTP/1.1" . CRLF . 'Host: localhost' . CRLF . CRLF,
        start => 1);
}

sub get {
    my ($uri, $timeout) = @_;

    return http_content(http_end(start($uri), timeout => $timeout || 1) || '');
}

sub status {
    my ($uri) = @_;

    return http_status(http_end(start($uri), timeout => 3) || '');
}

sub flv {
    my ($args) = @_;

    my $flv = get("/live/x.flv?$args");
    my ($tags, $fault) = flv_tags($flv);

    is($fault, '', "FLV, $args");

    return ([ grep { $_->{type} != 18 } @$tags ], $flv);
}

# the newest PMT: PIDs and types

sub pmt {
    my ($args) = @_;

    my ($ts, $pmt) = (get("/live/x.ts$args"), '');

    for (my $p = 0; $p + 188 <= length $ts; $p += 188) {
        my ($sync, $pid) = unpack 'Cn', substr $ts, $p, 3;
        $pmt = substr $ts, $p + 5, 183 if ($pid & 0x1fff) == 0x1000;
    }

    return 'none' unless $pmt;

    my $end = 3 + (unpack('n', substr $pmt, 1, 2) & 0xfff) - 4;
    my $pos = 12 + (unpack('n', substr $pmt, 10, 2) & 0xfff);
    my @es;

    while ($pos < $end) {
        my ($type, $pid, $len) = unpack 'Cnn', substr $pmt, $pos, 5;
        push @es, sprintf '%x:%02x', $pid & 0x1fff, $type;
        $pos += 5 + ($len & 0xfff);
    }

    return join ' ', sort @es;
}

###############################################################################
