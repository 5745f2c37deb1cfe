#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The HTTP API: what it tells about the tracks and players of one stream, for
# publishers whose frames are known exactly; and closing a publisher so that
# it comes back under the policy of a new configuration.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

use JSON::PP;
use Time::HiRes qw/ time sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live realip/);

my $conf = <<'EOF_CONF';

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    idle_timeout 5s;
    republish_wait 5s;
    gop_cache GOP_CACHE;
}

stream {
    server {
        listen %%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            flv_live;
        }

        location /api/ {
            media_api;
        }
    }

    server {
        listen       127.0.0.1:8081;
        listen       127.0.0.1:8082 proxy_protocol;
        server_name  localhost;

        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;

        location / {
            media_api write;
        }
    }
}

EOF_CONF

(my $text = $conf) =~ s/GOP_CACHE/on/;
$t->write_file_expand('nginx.conf', $text);

$t->run();

###############################################################################

# 4 s, 25 frames a second, a keyframe each 20 frames, in order of decoding
# I P B B P B B ..., of 1000 bytes and more each, and a player

my $pub = publisher('one');

my $player = http_start("GET /live/one.flv HTTP/1.0\r\n\r\n");

send_frames($pub, 0, 100);

my ($id) = map { $_->{id} } @{$t->api_get('/api/v1/streams/')->{streams}};
my $s = one($id);
my $h = $s->{health};

ok($h, 'health');
ok($h->{window_ms} >= 3500 && $h->{window_ms} <= 10000, 'window')
    or diag($h->{window_ms});
is($h->{jumps}, 0, 'jumps');
is($h->{publishes}, 1, 'publishes');
is($h->{players}, 1, 'players');
like($h->{slowest}, qr/^[0-9a-z]{8}$/, 'slowest player');
is(scalar @{$h->{tracks}}, 2, 'tracks');

my ($v, $a) = @{$h->{tracks}};

is("$v->{track} $v->{type} $v->{codec}", '0 video H264', 'video');
is("$a->{track} $a->{type} $a->{codec}", '1 audio AAC', 'audio');
is($v->{frames}, 100, 'video frames');
is($a->{frames}, 100, 'audio frames');
ok($v->{bytes} > 100 * 1000 && $v->{bytes} < 100 * 1100, 'video bytes');
is($v->{fps}, 25, 'fps');
is($a->{fps}, 25, 'fps of audio');
is($v->{gop_ms}, 800, 'gop_ms');
is($v->{gop_frames}, 20, 'gop_frames');
is($v->{keyframes}, 5, 'keyframes');
is($v->{keyframe_interval_ms}, 800, 'keyframe_interval_ms');
is($v->{keyframe_age_ms}, 19 * 40, 'keyframe_age_ms');
is($v->{bframes}, 5 * 12, 'bframes');
ok(!exists $a->{gop_ms} && !exists $a->{bframes}, 'audio has no GOP');

# rates: 1000 bytes 25 times a second are 200 kbit/s

my ($hv, $ha, $all) = map { $_->{history_kbps} } $v, $a, $h;

ok(@$all >= 3 && @$all <= 10, 'history of seconds');
is(scalar @$hv, scalar @$all, 'history of the track');
ok($hv->[-2] > 150 && $hv->[-2] < 260, 'a second of video')
    or diag("@$hv");
ok($all->[-2] >= $hv->[-2] + $ha->[-2], 'seconds of all tracks');
ok($v->{bitrate_kbps} > 100 && $v->{bitrate_kbps} < 260, 'bitrate')
    or diag($v->{bitrate_kbps});
ok($v->{jitter_ms} < 60, 'jitter of a smooth stream')
    or diag($v->{jitter_ms});
ok($v->{jitter_max_ms} >= $v->{jitter_ms}, 'largest jitter');

# the same from any worker

my %seen;
$seen{join ' ', map { "$_->{frames} $_->{bytes} $_->{codec}" }
    @{one($id)->{health}{tracks}}}++ for 1 .. 10;
is(scalar keys %seen, 1, 'the same from any worker');

# bursts are jitter

my $smooth = $v->{jitter_max_ms};

sleep 1;
send_frames($pub, 100, 10);

$h = one($id)->{health};
ok($h->{tracks}[0]{jitter_max_ms} > 700, 'a pause of a second')
    or diag("$smooth $h->{tracks}[0]{jitter_max_ms}");

undef $player;

ok(wait_until(sub { one($id)->{health}{players} == 0 }, 10), 'no player');
$h = one($id)->{health};
is($h->{slowest}, undef, 'no slowest player');
is($h->{lag_ms}, 0, 'no lag');

my $list = $t->api_get('/api/v1/streams/')->{streams}[0];
ok(!exists $list->{health}, 'lists have no health');

###############################################################################

# republish: who may

is(act(8080, $id, 'action=republish'), '403 {"code":1061}',
    'not without write');
is(act(8081, $id, 'action=republish', header => 'Origin: http://x.example'),
    '403 {"code":1061}', 'not from a foreign page');
is(act(8081, $id, 'action=republish', header => 'Sec-Fetch-Site: cross-site'),
    '403 {"code":1061}', 'not across sites');
is(act(8081, $id, 'action=republish&callback=cb'), '403 cb({"code":1061})',
    'not with JSONP');
my $r = http_get("/api/v1/streams/$id?action=republish&method=POST"
    . '&callback=cb', port => 8081);
is(http_status($r) . ' ' . http_content($r), '200 cb({"code":1061})',
    'not by JSONP');
like(http_content(http_get("/api/v1/streams/$id?action=republish",
    port => 8081)), qr/"stream":\{/, 'GET only reads');
is(act(8081, 'none', 'action=republish'), '200 {"code":2048}',
    'no such stream');
is((split / /, act(8081, $id, 'action=none'))[0], 400, 'no such action');
is((split / /, act(8081, $id, 'x=y'))[0], 405, 'no action');
is((split / /, act(8081, '', 'action=republish'))[0], 405, 'not all at once');

for my $n (1 .. 3) {
    send_frames($pub, 110 + $n, 1);
    ok(!$pub->closed(0.2), 'the publisher is there') if $n == 3;
}

# a reload is for new publishes; republish brings the encoder back

($text = $conf) =~ s/GOP_CACHE/off/;
$t->write_file_expand('nginx.conf', $text);
ok($t->reload(), 'reload');

send_frames($pub, 114, 2);

like(act(8082, $id, 'action=republish', peer => '192.0.2.1'),
    qr/^200 \{"code":0,"server":"[^"]+","service":"[^"]+","pid":"\d+"\}$/,
    'republish, from anywhere');
ok($pub->closed(10), 'the publisher is closed');
ok(wait_until(sub { !one($id)->{publish}{active} }, 10), 'nobody publishes');
is(one($id)->{health}, undef, 'no health without publisher');
is(act(8081, $id, 'action=republish'), '200 {"code":2048}',
    'nobody to close');

$pub = publisher('one');
send_frames($pub, 0, 5);

$s = one($id);
ok($s->{publish}{active}, 'it is back');
is($s->{health}{publishes}, 2, 'the second publisher');
is($s->{health}{tracks}[0]{bframes}, 2, 'only what this one has sent');

# on whichever worker it is: as many as there are connections to try

for my $n (1 .. 8) {
    my $p = publisher("many$n");
    my ($m) = map { $_->{id} } grep { $_->{name} eq "many$n" }
        @{$t->api_get('/api/v1/streams/?count=100')->{streams}};
    like(act(8081, $m, 'action=republish'), qr/^200 \{"code":0,/,
        "many$n: republish");
    ok($p->closed(10), "many$n: closed");
}

ok(!$pub->closed(0.2), 'the other one is not');

###############################################################################

done_testing();

###############################################################################

sub publisher {
    my ($name) = @_;

    my $p = Test::RTMP->new(port(1935))->connect('live');
    $p->publish($name);
    $p->video(0, Test::RTMP::avc_config());
    $p->audio(0, Test::RTMP::aac_config());

    return $p;
}

# in real time

sub send_frames {
    my ($p, $first, $n) = @_;

    my $start = time();

    for my $i ($first .. $first + $n - 1) {
        my $wait = $start + ($i - $first + 1) / 25 - time();
        sleep $wait if $wait > 0;

        my $k = $i % 20;

        # order of decoding 0 1 2 3, of display 0 3 1 2

        my $cts = $k == 0 || $k == 19 ? 40 : ($k - 1) % 3 == 0 ? 120 : 0;
        my $nal = $k == 0 ? 0x65 : 0x41;

        $p->video(40 * $i, ($k ? "\x27" : "\x17") . "\x01"
            . substr(pack('N', $cts), 1) . pack('N', 1001) . chr($nal)
            . 'x' x 1000);
        $p->audio(40 * $i, Test::RTMP::aac_frame($i));
    }

    # the last of it has arrived

    sleep 0.3;
}

sub one {
    my ($id) = @_;
    return $t->api_get("/api/v1/streams/$id")->{stream};
}

sub act {
    my ($port, $id, $args, %opts) = @_;

    my $proxy = $opts{peer} ? "PROXY TCP4 $opts{peer} 192.0.2.2 1 2\r\n" : '';
    my $header = $opts{header} ? "$opts{header}\r\n" : '';

    my $r = http("${proxy}POST /api/v1/streams/$id?$args HTTP/1.0\r\n"
        . "Host: localhost\r\n${header}Content-Length: 0\r\n\r\n",
        port => $port);

    return http_status($r) . ' ' . http_content($r);
}

###############################################################################
