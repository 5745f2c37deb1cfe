#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Publishing over HTTP: what is answered to whom, every way in which a body may
# come, FLV and MPEG-TS, and that players over HTTP and RTMP in all workers get
# every frame at its time.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::FLV;
use Test::Nginx::Player;
use Test::RTMP;

use Socket qw/ CRLF /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_v2 http_ssl stream rtmp
    flv_live/)->has_daemon(qw/ffmpeg ffprobe curl/);

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;
events { }

media {
    zone 64m;
    republish_wait 2s;
    idle_timeout 1s;
    publish_timeout 20s 20s;

    vhost other.example.com {
        republish_wait 1s;
    }

    application quick {
        publish_timeout 1s 1s;
    }

    application mine {
        publish_conflict replace;
    }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%
    ssl_certificate localhost.crt;
    ssl_certificate_key localhost.key;

    client_max_body_size 1k;
    client_body_buffer_size 8k;

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8443 ssl http2;

        location / { flv_live; play_wait 20s; }
        location /push/ { flv_live_push on; }
        location /in { flv_live_push on; if ($arg_x) { set $a b; } }
        location ~ ^/re/ { flv_live_push on; }
        location = /live/exact.flv { flv_live_push on; }
        location /slow/ { flv_live_push on; client_body_timeout 1s; }
        location /off/ { flv_live_push off; }
        location /api/ { media_api write; }
    }

    # as SRS's caster has it

    server {
        listen 127.0.0.1:8081;
        location / { flv_live; flv_live_push on; }
    }

    server {
        listen 127.0.0.1:8082 http2;
        location /push/ { flv_live_push on; }
    }
}
END_OF_CONF

$t->write_cert('localhost');
$t->run();

my $d = $t->testdir();
my $http = 'http://127.0.0.1:' . port(8080);

###############################################################################

# requests that are not or badly meant

is(status('GET /push/live/x.flv'), 405, 'GET');
is(status('DELETE /push/live/x.flv'), 405, 'DELETE');
like(reply('GET /push/live/x.flv'), qr/^Allow: OPTIONS, POST, PUT\r$/m,
    'what is allowed');
is(status('OPTIONS /push/live/x.flv'), 204, 'OPTIONS');
unlike(reply('OPTIONS /push/live/x.flv'), qr/^Access-Control/m,
    'other sites are not asked to publish');
like(reply('DELETE /live/x.flv', port => 8081),
    qr/^Allow: GET, HEAD, OPTIONS, POST, PUT\r$/m, 'all in one location');
is(status('GET /nobody.html', port => 8081), 404, 'other names go on');
is(status('POST /live/x.flv', body => tags(1)), 405, 'no push where one plays');
is(status('POST /off/live/x.flv', body => tags(1)), 404, 'off');

is(http_status(http("POST /push/live/x.flv HTTP/1.0" . CRLF . CRLF)), 411,
    'a body without length');
is(status('POST /push/live/x.flv', body => ''), 400, 'an empty body');

for my $case ([ '', 'no name' ], [ 'live/', 'no stream' ],
    [ 'live/.flv', 'only an extension' ],
    [ 'live/a%00b.flv', 'NUL' ], [ 'live/a%0d%0ab', 'CR LF' ],
    [ 'live/a%5cb.flv', 'backslash' ], [ 'live/a..b.flv', 'dots' ],
    [ 'live/' . 'n' x 300 . '.flv', 'a long name' ],
    [ 'a/' x 20 . 'x.flv', 'many levels' ], [ 'live/x.hls.y.flv', '.hls.' ])
{
    my ($name, $what) = @$case;
    is(status("POST /push/$name", body => tags(1)), 400, $what);
}

for my $case ([ 'x.flv', 'GARBAGE' x 100, '', 'no FLV' ],
    [ 'x.ts', 'G' . 'ARBAGE' x 20000, '', 'no TS' ],
    [ 'x.flv', 'FLV', '', 'a header cut off' ],
    [ 'x', '#!/bin/sh', '', 'of no format' ],
    [ 'x', 'GARBAGE', 'video/x-flv', 'no FLV by its type' ],
    [ 'x', 'FLV' . 'x' x 70000, 'Video/MP2T; x=y', 'no TS by its type' ],
    [ 'x.flv', tags(2) . "\0\0\0\0\x33", '', 'no tag' ])
{
    my ($name, $body, $type, $what) = @$case;
    is(status("POST /push/live/$name", body => $body, type => $type),
        400 - ($what eq 'no tag' ? 200 : 0), $what);
}

is(status('POST /push/live/x.flv', body => tags(2) . "\0\0\0\0" . 'y' x 99),
    400, 'a tag of no type');

# the ways to the name; 200 is the end of a good body

for my $case ([ '/push/live/n1.flv', 'live/n1' ], [ '/push/n2', '/n2' ],
    [ '/push/live/room/n3.flv', 'live/room/n3' ],
    [ '/push/live/n4.1', 'live/n4.1' ], [ '/in/live/n5.flv', 'live/n5' ],
    [ '/inlive/n6.flv', 'live/n6' ], [ '/re/live/n7.flv', 're/live/n7' ],
    [ '/live/exact.flv', 'live/exact' ], [ '/in/live/n8.flv?x=1', 'live/n8' ],
    [ '/push/live/n9?token=1&vhost=other.example.com', 'live/n9' ])
{
    my ($uri, $name) = @$case;

    is(status("PUT $uri", body => tags(2)), 200, "PUT of $uri");
    $name =~ s!^/!__defaultApp__/!;
    like($t->read_file('error.log'), qr/unpublished "\Q$name\E", 2 frames/,
        "it is $name");
}

is(status('POST /live/n10.flv', body => tags(3), port => 8081), 200,
    'the caster of SRS');

# two requests in one packet; the connection goes on

my $two = join '', map { "POST /push/live/p$_.flv HTTP/1.1" . CRLF
    . 'Host: localhost' . CRLF . ($_ == 1 ? 'Connection: close' . CRLF : '')
    . 'Content-Length: ' . length(tags(3)) . CRLF . CRLF . tags(3) } 0, 1;
my @answers = http($two) =~ m!^(HTTP/1.1 \d+)!mg;
is("@answers", 'HTTP/1.1 200 HTTP/1.1 200', 'keepalive and pipelining');

# chunks: of any size, with extensions, and what only looks like one

for my $size (1, 7, 100, 100000) {
    is(chunked('c', join '', map { sprintf("%x;a=b\r\n", length $_) . $_
        . CRLF } unpack("(a$size)*", tags(20))), 200, "chunks of $size");
}

is(chunked('c', "5\r\nFLV\1\5\r\nzz\r\n", 1), 400, 'no chunk');
is(chunked('c', "ffffffffffffffffff\r\nFLV\1\5", 1), 400, 'a huge chunk');

# 100-continue

my $s = http('POST /push/live/e.flv HTTP/1.1' . CRLF . 'Host: localhost' . CRLF
    . 'Expect: 100-continue' . CRLF . 'Transfer-Encoding: chunked' . CRLF
    . 'Connection: close' . CRLF . CRLF, start => 1);
like(http_end($s, limit => 20), qr!^HTTP/1.1 100 Continue\r\n!, 'to go on');
chunk($s, tags(3));

ok(wait_until(sub { active('e') }, 5), 'it is live');

my $client = client('e');
is($client->{type}, 'flv-publish', 'its type');
is($client->{name}, 'e', 'its name');
is($client->{tcUrl}, 'http://localhost/live', 'its URL');
ok($client->{publish}, 'it publishes');

like(reply('POST /push/live/e.flv', body => tags(1),
    more => 'Expect: 100-continue' . CRLF), qr!^HTTP/1.1 409 !,
    'another one is refused before it sends');
is(status('POST /in/live/e.ts', body => 'G' x 188), 409, 'in TS too');

my $rtmp = Test::RTMP->new(port(1935))->connect('live');
ok(!$rtmp->publish('e'), 'over RTMP too');
$rtmp->close();

print $s '0' . CRLF . CRLF;
is(http_status(http_end($s)), 200, 'the end of it');

# those that say nothing, or stop

$s = start('quick', 'q');
my $begun = time();
http_end($s, timeout => 5);
cmp_ok(time() - $begun, '<', 4, 'one that sends nothing is cut');

$s = start('quick', 'q');
chunk($s, tags(3));
http_end($s, timeout => 5);
cmp_ok(time() - $begun, '<', 8, 'one that is idle is cut');

$begun = time();
$s = http('POST /slow/live/q.flv HTTP/1.1' . CRLF . 'Host: localhost' . CRLF
    . 'Content-Length: 100000' . CRLF . CRLF . tags(3), start => 1);
http_end($s, timeout => 5);
cmp_ok(time() - $begun, '<', 3, 'client_body_timeout');

# one takes the place of the other

$s = start('mine', 'm');
chunk($s, tags(3));
ok(wait_until(sub { active('m') }, 5), 'the first');

my $second = start('mine', 'm');
like(http_end($s), qr!^HTTP/1.1 409 !, 'is told that it was replaced');
chunk($second, tags(3) . "\0\0\0\0");
print $second '0' . CRLF . CRLF;
is(http_status(http_end($second)), 200, 'by the second');

# a kick

$s = start('live', 'k');
chunk($s, tags(3));
ok(wait_until(sub { active('k') }, 5), 'one to be kicked');
$t->api_request('DELETE', '/api/v1/clients/' . client('k')->{id});
like(http_end($s), qr!^HTTP/1.1 403 !, 'kicked');
ok(!active('k'), 'not live any more');

ok(wait_until(sub { arena($t)->{clients} == 0 }, 20), 'nobody is left');

###############################################################################

# every frame of a clip, to players of both protocols in all workers

my $clip = clip($t, 'clip', duration => 4);

# sent by ffmpeg in FLV, twice with B-frames, in TS, by curl over HTTP/1 and 2

my %files = (flv => "$d/b.flv", ts => "$d/b.ts");

run('ffmpeg -hide_banner -nostdin -y -v error
    -f lavfi -i testsrc2=size=320x180:rate=30000/1001
    -f lavfi -i anoisesrc=a=0.2:r=48000 -t 4
    -c:v libx264 -preset fast -bf 3 -b_strategy 0 -threads 1 -pix_fmt yuv420p
    -b:v 200k -g 30 -c:a aac -b:a 32k ' . "$d/b.flv");
run("ffmpeg -hide_banner -nostdin -y -v error -i $d/b.flv -c copy $d/b.ts");
run("ffmpeg -hide_banner -nostdin -y -v error -i $d/b.flv -c copy
    -output_ts_offset 95443.2 $d/wrap.ts");

my @cases = map { { name => shift @$_, what => shift @$_, command => $_ } } (
    [ 'flv', 'ffmpeg, FLV', ffmpeg($files{flv}, 'flv', '/push/live/flv.flv') ],
    [ 'ts', 'ffmpeg, TS', ffmpeg($files{ts}, 'mpegts', '/push/live/ts.ts') ],
    [ 'put', 'PUT', ffmpeg($files{flv}, 'flv', '/push/live/put',
        qw/ -method PUT /) ],
    [ 'type', 'by type', ffmpeg($files{ts}, 'mpegts', '/push/live/type',
        qw!-content_type video/mp2t!) ],
    [ 'wrap', '33 bits', pace("$d/wrap.ts"), 'curl', qw/ -s -X POST -T - /,
        "$http/push/live/wrap" ],
    [ 'curl', 'curl', pace($files{flv}), 'curl', qw/ -s -T - /,
        "$http/push/live/curl.flv" ],
    [ 'tls', 'TLS', pace($files{flv}), 'curl', qw/ -sk --http1.1 -T - /,
        'https://localhost:' . port(8443) . '/push/live/tls.flv' ],
    [ 'h2', 'h2', pace($files{ts}), 'curl', qw/ -sk --http2 -T - /,
        'https://localhost:' . port(8443) . '/push/live/h2.ts' ],
    [ 'h2c', 'h2c', pace($files{flv}), 'curl',
        qw/ -s --http2-prior-knowledge -T - /,
        'http://127.0.0.1:' . port(8082) . '/push/live/h2c.flv' ] );

# codecs; our own muxer is not to decide, so they are played in TS only

my %codecs = (
    hevc => [ qw/ -c:v libx265 -x265-params log-level=none:bframes=3
        -preset ultrafast -g 25 -c:a copy / ],
    mp3  => [ qw/ -c:v copy -c:a libmp3lame / ],
    ac3  => [ qw/ -c:v copy -c:a ac3 / ],
    opus => [ qw/ -c:v copy -c:a libopus / ],
    latm => [ qw/ -c copy -mpegts_flags latm / ],
    mute => [ qw/ -c:v copy -an / ],
    deaf => [ qw/ -vn -c:a copy / ],
);

for my $codec (sort keys %codecs) {
    my $file = "$d/$codec.ts";

    run("ffmpeg -hide_banner -nostdin -y -v error -i $d/b.flv -t 3"
        . " @{$codecs{$codec}} $file");
    push @cases, { name => $codec, what => $codec, input => $file,
        formats => [ 'ts' ], command => [ pace($file), qw/ curl -s -T - /,
            "$http/push/live/$codec.ts" ] };
}

# one that nobody watches

my $idle = $t->run_daemon(pace($files{flv}), qw/ curl -s -T - /,
    "$http/push/live/idle.flv");

for my $case (@cases) {
    $case->{formats} ||= [ qw/ flv ts / ];
    $case->{players} = { map { $_ => $t->run_daemon('curl', '-sN', '-o',
        "$d/out-$case->{name}.$_", "$http/live/$case->{name}.$_") }
        @{$case->{formats}} };
}

sleep(0.5);

for my $case (@cases) {
    $case->{pid} = $t->run_daemon(@{$case->{command}});
}

for my $case (@cases) {
    my $name = $case->{name};

    is($t->wait_daemon($case->{pid}, 60), 0, "$case->{what}: sent")
        or diag($t->daemon_log($case->{pid}));

    for my $format (@{$case->{formats}}) {
        $t->wait_daemon($case->{players}{$format}, 20);
        is(differ($case->{input} || $files{flv}, "$d/out-$name.$format"), '',
            "$case->{what}: every frame at its time in $format");
    }
}

is($t->wait_daemon($idle, 20), 0, 'sent to nobody');

# with the end of sequence

my $all = packets($files{flv});
my $n = @{$all->{video}} + @{$all->{audio}} + 1;

like($t->read_file('error.log'), qr!unpublished "live/idle", $n frames, 0 dr!,
    'every frame all the same');

# a clock that goes back in the middle: the stream goes on

$t->write_file('two.ts', $t->read_file('b.ts') x 2);

my $curl = $t->run_daemon('curl', '-sN', '-o', "$d/out-two.flv",
    "$http/live/two.flv");
my $two_pid = $t->run_daemon(pace("$d/two.ts"), qw/ curl -s -T - /,
    "$http/push/live/two");

is($t->wait_daemon($two_pid, 30), 0, 'twice the same: sent');
$t->wait_daemon($curl, 10);

my ($once, $twice) = map { packets($_) } "$d/b.ts", "$d/out-two.flv";

for my $type (qw/ video audio /) {
    my @dts = map { $_->[1] } @{$twice->{$type}};

    # the last picture of the first time may have been cut off, for all that
    # the counters say

    cmp_ok(@dts, '>=', 2 * @{$once->{$type}} - ($type eq 'video'),
        "all of $type");
    is(scalar grep({ $dts[$_] <= $dts[$_ - 1] || $dts[$_] > $dts[$_ - 1] + 0.5 }
        1 .. $#dts), 0, "$type goes on");
}

# what is refused

for my $case ([ 'proxy_pass http://127.0.0.1:1; flv_live_push on;',
    qr/"flv_live_push" would never run.* in .*bad.conf:/ ],
    [ 'flv_live_push on; flv_live_push off;', qr/is duplicate/ ],
    [ 'flv_live_push maybe;', qr/invalid value "maybe"/ ])
{
    my ($text, $want) = @$case;

    $t->write_file_expand('bad.conf', "%%TEST_GLOBALS%%
        events { } http { %%TEST_GLOBALS_HTTP%% server {
        listen 127.0.0.1:8083; location / { $text } } }");

    my ($status, $said) = $t->test_config('bad.conf');

    isnt($status, 0, "refused: $text");
    like($said, $want, 'and told why');
}

done_testing();

###############################################################################

sub run {
    my ($command) = @_;

    $command =~ s/\s*\n\s*/ /g;
    my $out = `$command 2>&1`;
    die "$command: $out\n" if $?;
}

# A reply to a request with these: body, type, port, more.

sub reply {
    my ($request, %o) = @_;

    return http("$request HTTP/1.1" . CRLF . 'Host: localhost' . CRLF
        . 'Connection: close' . CRLF . ($o{more} // '')
        . ($o{type} ? "Content-Type: $o{type}" . CRLF : '')
        . (defined $o{body} ? 'Content-Length: ' . length($o{body}) . CRLF
            : '') . CRLF . ($o{body} // ''), port => $o{port} || 8080);
}

sub status { return http_status(reply(@_)) }

sub start {
    my ($app, $name) = @_;

    return http("POST /push/$app/$name.flv HTTP/1.1" . CRLF . 'Host: localhost'
        . CRLF . 'Transfer-Encoding: chunked' . CRLF . CRLF, start => 1);
}

sub chunk {
    my ($s, $bytes) = @_;

    print $s sprintf('%x', length $bytes) . CRLF . $bytes . CRLF;
}

sub chunked {
    my ($name, $chunks, $open) = @_;

    return http_status(http("POST /push/live/$name.flv HTTP/1.1" . CRLF
        . 'Host: localhost' . CRLF . 'Connection: close' . CRLF
        . 'Transfer-Encoding: chunked' . CRLF . CRLF . $chunks
        . ($open ? '' : '0' . CRLF . CRLF)));
}

# An FLV of so many pictures, without the last size.

sub tags {
    my ($n) = @_;

    my $prev = 0;
    my $flv = substr flv_start(1), 0, 9;

    for my $i (0 .. $n) {
        my $body = !$i ? Test::RTMP::avc_config()
            : $i == 1 ? Test::RTMP::avc_key(1) : Test::RTMP::avc_inter($i);
        my $ms = $i ? ($i - 1) * 40 : 0;

        $flv .= pack('N', $prev) . pack('C', 9)
            . substr(pack('N', length $body), 1) . substr(pack('N', $ms), 1)
            . "\0\0\0\0" . $body;
        $prev = length($body) + 11;
    }

    return $flv;
}

sub active {
    my ($name) = @_;

    my $json = $t->api_get('/api/v1/streams/?count=1000') || {};

    return grep { $_->{name} eq $name && $_->{publish}{active} }
        @{$json->{streams} || []};
}

sub client {
    my ($name) = @_;

    my $json = $t->api_get('/api/v1/clients/?count=1000') || {};
    my ($c) = grep { $_->{name} eq $name && $_->{publish} }
        @{$json->{clients} || []};

    return $c || {};
}

sub ffmpeg {
    my ($file, $format, $uri, @options) = @_;

    return (qw/ ffmpeg -hide_banner -nostdin -loglevel error -re -i /, $file,
        qw/ -c copy -f /, $format, @options, qw/ -chunked_post 1 /,
        "$http$uri");
}

# A program whose input is the file, in as many seconds as it lasts.

sub pace {
    my ($file) = @_;

    return ($^X, '-e', 'my $f = shift; open my $in, "<", $f or die;
        open my $out, "|-", @ARGV or die; my $n = (-s $f) / 80 + 1;
        while (read $in, my $b, $n) { syswrite $out, $b;
            select undef, undef, undef, 0.05 } close $out; exit !!$?', $file);
}

# What is different in the packets of two files, but for a common offset.

sub differ {
    my ($one, $two) = @_;

    my @files = map { packets($_) } $one, $two;
    my ($first) = grep { $files[0]{$_} } qw/ video audio /;
    my ($offset, @faults);

    return 'nothing' unless $first;

    $offset = ($files[1]{$first}[0][0] // 0) - $files[0]{$first}[0][0];

    for my $type (qw/ video audio /) {
        my @p = map { $_->{$type} || [] } @files;

        push @faults, "$type: " . @{$p[1]} . ' packets of ' . @{$p[0]}
            if @{$p[0]} != @{$p[1]};

        for my $i (0 .. $#{$p[0]}) {
            my ($x, $y) = map { $_->[$i] // last } @p;

            push @faults, "$type $i: @$y for @$x" if grep {
                abs($y->[$_] - $x->[$_] - $offset) > 0.0015 } 0, 1;
        }
    }

    splice @faults, 5 if @faults > 5;

    return join '; ', @faults;
}

sub packets {
    my ($file) = @_;

    my %p;

    for (`ffprobe -v error -show_entries packet=codec_type,pts_time,dts_time \\
        -of compact=p=0:nk=1 $file`)
    {
        my ($type, $pts, $dts) = /^(\w+)\|([-\d.]+)\|([-\d.]+)/ or next;
        push @{$p{$type}}, [ $pts, $dts ];
    }

    return \%p;
}

###############################################################################
