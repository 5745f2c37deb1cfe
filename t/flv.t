#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Live streams over HTTP: methods, headers, names, versions of HTTP, TLS,
# arguments, limits, and that what comes out is the stream.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::FLV;

use IO::Socket::INET;
use Socket qw/ CRLF SOL_SOCKET SO_RCVBUF /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_v2 http_ssl stream rtmp flv_live/)
    ->has_daemon('ffmpeg', 'curl');

# configurations that are refused

for my $case (
    [ 'flv_live; proxy_pass http://127.0.0.1:1;', 'handler' ],
    [ 'proxy_pass http://127.0.0.1:1; flv_live on;', 'handler' ],
    [ 'flv_live; mp4;', 'handler' ],
    [ 'flv_live maybe;', 'must be' ],
    [ 'flv_live; flv_live;', 'duplicate' ],
    [ 'flv_live on on;', 'number of arguments' ],
    [ 'play_wait soon;', 'invalid value' ],
) {
    my ($line, $what) = @$case;

    next if $line =~ /mp4/ && !$t->has_module('http_mp4');

    $t->write_file_expand('refused.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
events { }
http {
    server {
        listen 127.0.0.1:8080;
        location /x/ {
            $line
        }
    }
}
END_OF_CONF

    my ($status, $text) = $t->test_config('refused.conf');

    ok($status != 0, "$line is refused");
    like($text, qr/emerg.*$what.*refused\.conf:\d+/, "$line: why and where");
}

# and those that are not, though a handler is near

$t->write_file_expand('near.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
events { }
http {
    %%TEST_GLOBALS_HTTP%%
    flv_live on;
    server {
        listen 127.0.0.1:8080;
        location / { proxy_pass http://127.0.0.1:1; }
        location /off/ { flv_live off; proxy_pass http://127.0.0.1:1; }
        location ~ \.flv$ { flv_live; }
    }
}
END_OF_CONF

is(scalar $t->test_config('near.conf'), 0, 'an inherited flv_live is let be');

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

    log_format media '$status $media_vhost/$media_app/$media_stream '
                     '$media_protocol $media_arg_token $body_bytes_sent';
    access_log %%TESTDIR%%/media.log media;

    ssl_certificate localhost.crt;
    ssl_certificate_key localhost.key;

    limit_conn_zone $uri zone=one:1m;

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8443 ssl http2;
        listen 127.0.0.1:8082 http2;

        location / {
            flv_live;
        }

        location /wait/ {
            flv_live;
            play_wait 20s;
        }

        location /moment/ {
            flv_live;
            play_wait 500ms;
        }

        location ~ ^/live/private {
            flv_live;
            deny all;
        }
    }

    server {
        listen 127.0.0.1:8083;
        location / { flv_live; limit_rate 20k; }
    }

    server {
        listen 127.0.0.1:8084;
        location / { flv_live; ssi on; ssi_types video/x-flv; }
    }

    server {
        listen 127.0.0.1:8085;
        location / { flv_live; chunked_transfer_encoding off; }
    }

    server {
        listen 127.0.0.1:8086 sndbuf=32k;
        location / { flv_live; send_timeout 2s; }
    }

    server {
        listen 127.0.0.1:8087;
        location / { flv_live; limit_conn one 1; }
    }
}
END_OF_CONF

$t->write_cert('localhost');
mkdir $t->testdir() . '/live';
$t->write_file('live/page.html', 'a page');
$t->write_file('top.flv', 'a file');

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);

# nothing is published yet

my $r = http_get('/live/av.flv');
is(http_status($r), 404, 'GET of nothing');
like($r, qr/^Access-Control-Allow-Origin: \*\r$/mi, '404 may be seen');

is(http_status(http_head('/live/av.flv')), 404, 'HEAD of nothing');
is(http_content(http_get('/live/page.html')), 'a page', 'static file');
is(http_content(http_get('/top.flv')), 'a file', 'a name without an app');
is(http_status(http_get('/live/')), 403, 'a directory');
is(http_status(http_get('/live/.flv')), 404, 'no name');
is(http_status(http_get('/live/a..b.flv')), 400, 'a bad name');
is(http_status(http_get('/live/' . 'a' x 300 . '.flv')), 400, 'a long name');
is(http_status(http_get('/live/a%01b.flv')), 400, 'a control byte');
is(http_status(http_get('/live/private.flv')), 403, 'access phase');

$r = http('OPTIONS /live/av.flv HTTP/1.1' . CRLF . 'Host: localhost' . CRLF
    . 'Origin: http://example.com' . CRLF
    . 'Access-Control-Request-Method: GET' . CRLF
    . 'Connection: close' . CRLF . CRLF);
is(http_status($r), 204, 'OPTIONS');
like($r, qr/^Access-Control-Allow-Origin: \*\r$/mi, 'OPTIONS origin');
like($r, qr/^Access-Control-Allow-Methods: .*GET/mi, 'OPTIONS methods');

$r = http_post('/live/av.flv', 'body');
is(http_status($r), 405, 'POST');
like($r, qr/^Allow: GET, HEAD, OPTIONS\r$/mi, 'POST allow');

is(http_status(http_get('/moment/none.flv')), 404, 'play_wait passes');

# a player that comes before its publisher

my $early = http_get('/wait/early.flv', start => 1);

my $pub = $t->publish("$rtmp/wait/early", duration => 4);

$r = http_end($early, limit => 20000, timeout => 15);
is(http_status($r), 200, 'play_wait is answered');
is(substr(http_content($r), 0, 13), flv_start(5), 'play_wait: header');
check_flv(http_content($r), 'play_wait', 1, 1);
close $early;

# streams of all kinds

$t->publish("$rtmp/live/av");
$t->publish("$rtmp/live/video", codecs => [qw/ -an -c:v libx264 -preset
    ultrafast -tune zerolatency -pix_fmt yuv420p -g 25 /]);
$t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -v warning -re -f lavfi
    -i sine -c:a aac -b:a 32k -f flv /, "$rtmp/live/audio");

for my $name (qw/ av video audio /) {
    ok(wait_until(sub {
        (http_status(http_head("/live/$name.flv")) || 0) == 200
    }, 20), "$name is live");
}

$r = http_head('/live/av.flv');
is(http_status($r), 200, 'HEAD');
like($r, qr!^Content-Type: video/x-flv\r$!mi, 'HEAD: type');
is(http_content($r), '', 'HEAD: no body');

# HTTP/1.0 and 1.1

$r = http_get('/live/av.flv', limit => 40000);
is(http_status($r), 200, 'HTTP/1.0');
like($r, qr!^Content-Type: video/x-flv\r$!mi, 'type');
like($r, qr!^Cache-Control: .*no-cache!mi, 'no cache');
like($r, qr!^Access-Control-Allow-Origin: \*\r$!mi, 'any origin');
like($r, qr!^Connection: close\r$!mi, 'ends with the connection');
unlike($r, qr!^Transfer-Encoding!mi, 'no chunks');
check_flv(http_content($r), 'HTTP/1.0', 1, 1);

$r = get11('/live/av.flv', limit => 40000);
like($r, qr!^Transfer-Encoding: chunked\r$!mi, 'HTTP/1.1: chunks');
check_flv(http_content($r), 'HTTP/1.1', 1, 1);

$r = get11('/live/av.flv', limit => 40000, port => 8085);
unlike($r, qr!^Transfer-Encoding!mi, 'chunks off');
check_flv(http_content($r), 'chunks off', 1, 1);

# what is asked for, and what there is

$r = get11('/live/av.flv?onlyaudio=1', limit => 8000);
check_flv(http_content($r), 'onlyaudio', 0, 1);

$r = get11('/live/av.flv?a=b&onlyvideo=1', limit => 20000);
check_flv(http_content($r), 'onlyvideo', 1, 0);

$r = get11('/live/video.flv', limit => 20000);
check_flv(http_content($r), 'video only', 1, 0);

$r = get11('/live/audio.flv', limit => 8000);
check_flv(http_content($r), 'audio only', 0, 1);

$r = get11('/live/av.flv?vhost=no.such.host', limit => 20000);
check_flv(http_content($r), 'vhost', 1, 1);

# curl: HTTP/2, TLS

my $tls = 'https://localhost:' . port(8443);

check_flv(curl('/live/av.flv', '--http2-prior-knowledge', 8082), 'h2', 1, 1);
check_flv(curl('/live/av.flv', '--http1.1', 8443), 'TLS', 1, 1);
check_flv(curl('/live/av.flv', '--http2', 8443), 'TLS and h2', 1, 1);

# many streams of one connection

my $d = $t->testdir();
my $two = `timeout 3 curl -sk --http2 --parallel --parallel-immediate \\
    $tls/live/av.flv -o $d/one.flv $tls/live/video.flv -o $d/two.flv`;
check_flv($t->read_file('one.flv'), 'first of two', 1, 1);
check_flv($t->read_file('two.flv'), 'second of two', 1, 0);

# what a player decodes

my $out = `timeout 20 ffmpeg -hide_banner -nostdin -v error -xerror \\
    -i http://127.0.0.1:${\port(8080)}/live/av.flv -t 3 -f null - \\
    -progress $d/progress 2>&1`;
is($out, '', 'decoded without an error');
like($t->read_file('progress') || '', qr/^frame=(7[0-9]|80)$/m, 'all frames');

# limits

my $begin = time();
$r = get11('/live/av.flv', limit => 60000, timeout => 10, port => 8083);
cmp_ok(time() - $begin, '>=', 1, 'limit_rate');
check_flv(http_content($r), 'limit_rate', 1, 1);

$r = get11('/live/av.flv', limit => 40000, port => 8084);
check_flv(http_content($r), 'a body filter', 1, 1);

my $alone = get11('/live/av.flv', start => 1, port => 8087);
http_end($alone, limit => 1000);
is(http_status(http_get('/live/av.flv', limit => 1000, port => 8087)), 503,
    'limit_conn');
close $alone;
ok(wait_until(sub {
    $r = http_get('/live/av.flv', limit => 1000, port => 8087);
    return (http_status($r) || 0) == 200;
}, 5), 'limit_conn: room again');

# one that never reads; meanwhile another loses nothing

my $lazy = IO::Socket::INET->new(Proto => 'tcp');
setsockopt($lazy, SOL_SOCKET, SO_RCVBUF, 4096);
$lazy->connect(port(8086), Socket::inet_aton('127.0.0.1'));
$lazy->autoflush(1);
print $lazy 'GET /live/av.flv?token=lazy HTTP/1.1' . CRLF
    . 'Host: localhost' . CRLF . CRLF;

ok(wait_until(sub {
    ($t->read_file('media.log') || '') =~ m!live/av flv lazy!
}, 25), 'a player that never reads is closed');

like($t->read_file('error.log'), qr/client timed out/, 'send_timeout');
close $lazy;

# the end of a stream

my $short = $t->publish("$rtmp/live/short", duration => 4);

my $s;
ok(wait_until(sub {
    $s = get11('/live/short.flv', start => 1) or return 0;
    $r = http_end($s, limit => 13);
    return http_status($r) == 200;
}, 15), 'short is live');

$r .= http_end($s, timeout => 15);
like($r, qr/\r\n0\r\n\r\n$/, 'the last chunk');
my $n = check_flv(http_content($r), 'whole stream', 1, 1);
cmp_ok($n, '>', 20, 'up to its end');

ok(wait_until(sub {
    ($t->read_file('media.log') || '')
        =~ m!^200 __defaultVhost__/live/short flv - \d+!m
}, 5), 'access log');

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub get11 {
    my ($uri, %opts) = @_;

    return http("GET $uri HTTP/1.1" . CRLF . 'Host: localhost' . CRLF . CRLF,
        %opts);
}

# What comes in two seconds.

sub curl {
    my ($uri, $version, $port) = @_;

    my $scheme = $port == 8443 ? 'https' : 'http';
    my $url = "$scheme://localhost:" . port($port) . $uri;

    return scalar `timeout 2 curl -skN $version '$url'`;
}

###############################################################################
