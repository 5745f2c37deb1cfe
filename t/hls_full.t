#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# A zone that is too small for the window: the window gets shorter and what is
# listed can be had; live players lose nothing; nothing is packed for nobody,
# and all memory comes back.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Player qw/ arena /;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls/)
    ->has_daemon('ffmpeg', 'ffprobe');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 12m;
    republish_wait 1s;
    idle_timeout 1s;
    queue_length 3s;
    hls_fragment 1s;
    hls_window 4m;

    application short { hls_window 4s; }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;

        location / {
            flv_live;
            hls;
        }

        location /api/ {
            media_api write;
        }
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $http = 'http://127.0.0.1:' . port(8080);

# 3 Mbit/s: half of the zone is 16 seconds

my @large = qw/ -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25
    -keyint_min 25 -b:v 3M -minrate 3M -maxrate 3M -bufsize 1M
    -x264-params nal-hrd=cbr -c:a aac /;

my $large = $t->publish("$rtmp/live/large", codecs => \@large);
my $small = $t->publish("$rtmp/short/small");

ok(hls_live('/live/large.hls.0.m3u8', 1), 'packed');

# one of four minutes is not to be had: it says so, once, and goes on

ok(wait_until(sub {
    get('/live/large.hls.0.m3u8');
    return $t->read_file('error.log') =~ /half of the media zone/;
}, 60), 'the window is cut short');

my $p = playlist('/live/large.hls.0.m3u8');

cmp_ok(scalar @{$p->{segments}}, '>=', 5, 'there is still a window');

my @missing = grep { get("/live/$_->{uri}")->{status} != 200 }
    @{$p->{segments}}[0 .. 4];

is(scalar @missing, 0, 'the oldest that are listed can be had');
is(checked('/live/large.m3u8', '--seconds=6', '--decode=3'), '', 'check-hls');

my $flv = decoded_frames("$http/live/large.flv", '-read_intervals', '%+4');

is($flv->{errors}, '', 'a live player beside it');
cmp_ok($flv->{video} || 0, '>=', 50, 'a live player beside it: pictures');

# a second one shares what there is

ok(hls_live('/short/small.hls.0.m3u8', 2), 'another stream is packed too');
is(checked('/short/small.m3u8', '--seconds=5', '--decode=3'), '',
    'another stream: check-hls');

my @lines = $t->read_file('error.log') =~ /half of the media zone/g;

cmp_ok(scalar @lines, '<=', 2, 'one line for each');

# nobody asks: the memory of the one with the short window comes back

my $used = arena($t)->{used};

ok(wait_until(sub {
    get('/live/large.hls.0.m3u8');
    return (arena($t)->{used} || 0) <= $used;
}, 15), 'packing for nobody ends');

$t->stop_daemons();

ok(!$t->daemon_alive($_), 'no encoder') for $large, $small;
ok(!hls_live('/short/small.hls.0.m3u8', 100, 3), 'no stream');

$t->write_file_expand('nginx.conf', $t->read_file('nginx.conf') =~
    s/hls_window 4m/hls_window 10s/r);

done_testing();
