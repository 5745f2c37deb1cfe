#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Live streams over WebSocket: the handshake, the same bytes as over HTTP in
# binary messages, control frames, and clients that break the protocol.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::FLV;
use Test::RTMP;

use Digest::SHA qw/ sha1_base64 /;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use Socket qw/ CRLF /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_ssl stream rtmp flv_live/)
    ->has_daemon('ffmpeg');

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

    log_format status '$status $request_uri';
    access_log %%TESTDIR%%/ws.log status;

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8443 ssl;
        location / { flv_live; }
        location /wait/ { flv_live; play_wait 20s; }
    }

    server {
        listen 127.0.0.1:8083;
        location / { flv_live; limit_rate 60k; }
    }
}
END_OF_CONF

$t->write_cert('localhost');
$t->run();

my $d = $t->testdir();
my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $key = 'dGhlIHNhbXBsZSBub25jZQ==';

like(handshake('/live/av.flv'), qr!^HTTP/1.1 404 !, 'nothing is published');

my $early = ws('/wait/early.flv', wait => 1);
$t->publish("$rtmp/wait/early", duration => 4, size => '160x90');
$t->publish("$rtmp/live/av", size => '160x90');

# a whole stream, up to the close frame

my ($head, $media, $control) = messages($early, timeout => 20);
like($head, qr!^HTTP/1.1 101 !, 'a player before its publisher');
check_flv($media, 'whole stream', 1, 1);
is(hex_of($control->[-1]), '880203e8', 'its end is a close frame');

ok(wait_until(sub { http_status(http_head('/live/av.flv')) == 200 }, 20),
    'live');

# the handshake

my $r = handshake('/live/av.flv');
like($r, qr!^HTTP/1.1 101 !, 'handshake');
like($r, qr!^Upgrade: websocket\r$!mi, 'upgrade');
like($r, qr!^Connection: upgrade\r$!mi, 'connection');
like($r, qr!^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$!mi,
    'accept');
unlike($r, qr!^(Transfer-Encoding|Content-)!mi, 'no body');

like(handshake('/live/av.flv', version => 8), qr!^HTTP/1.1 400 !, 'version');
like(handshake('/live/av.flv', version => 8),
    qr!^Sec-WebSocket-Version: 13\r$!mi, 'which would do');
like(handshake('/live/av.flv', key => 'short'), qr!^HTTP/1.1 400 !, 'key');
like(handshake('/live/no.flv'), qr!^HTTP/1.1 404 !, 'no such stream');
like(handshake('/live/av.mp3'), qr!^HTTP/1.1 404 !, 'no MP3 in it');
like(handshake('/live/av.flv', upgrade => 'h2c'), qr!^HTTP/1.1 200 !,
    'another upgrade is none');

# the formats, plain, TLS, with a limit

check_flv(media('/live/av.flv', limit => 40000), 'FLV', 1, 1);
check_flv(media('/live/av.flv?onlyaudio=1', limit => 6000), 'onlyaudio', 0, 1);
check_flv(media('/live/av.flv', limit => 40000, port => 8443), 'TLS', 1, 1);
check_flv(media('/live/av.flv', limit => 40000, port => 8083), 'limit_rate',
    1, 1);

$t->write_file('ws.ts', media('/live/av.ts', limit => 60000));
is(scalar `perl tools/check-ts --quiet $d/ws.ts 2>&1`, '', 'MPEG-TS');
is((-s "$d/ws.ts") % 188, 0, 'whole packets in each message');
like(media('/live/av.aac', limit => 4000), qr/^\xff[\xf1\xf0]/, 'AAC');

# what a client says

my $s = ws('/live/av.flv');
print $s frame(0x9, 'are you there');
($head, $media, $control) = messages($s, limit => 30000, control => 1);
is($control->[0], "\x8a\x0dare you there", 'pong');
check_flv($media, 'beside it', 1, 1);

print $s frame(0x2, 'x' x 1000), frame(0xa, ''), frame(0x1, 'text');
($head, $media) = messages($s, limit => 20000);
cmp_ok(length $media, '>=', 20000, 'what it says else is skipped');

print $s frame(0x8, pack('n', 1001));
($head, $media, $control) = messages($s, timeout => 5);
is(hex_of($control->[-1]), '880203e9', 'close is answered');
ok(closed($s), 'and the connection ends');

$s = ws('/live/av.flv', with => frame(0x9, 'early'));
($head, $media, $control) = messages($s, limit => 30000, control => 1);
is($control->[0], "\x8a\x05early", 'a ping together with the handshake');
close $s;

# what it may not say

for my $case (
    [ "\x89\x00", 1002, 'not masked' ],
    [ frame(0x3, 'x'), 1002, 'unknown opcode' ],
    [ "\xc2" . substr(frame(0x2, 'x'), 1), 1002, 'reserved bit' ],
    [ frame(0x9, 'x' x 126), 1002, 'large ping' ],
    [ frame(0x0, 'x'), 1002, 'nothing to go on with' ],
    [ "\x82\xff" . pack('NN', 0, 1 << 20) . 'mask', 1009, 'large message' ],
    [ "\x82\xff" . "\xff" x 12, 1009, 'huge message' ],
) {
    my ($bytes, $status, $name) = @$case;

    $s = ws('/live/av.flv');
    messages($s, limit => 10000);
    print $s $bytes;

    ($head, $media, $control) = messages($s, timeout => 5);
    is(hex_of($control->[-1] || ''), '8802' . hex_of(pack 'n', $status),
        "$name: closed");
    ok(closed($s), "$name: the connection ends");
}

# one that floods with pings and reads nothing is cut, others go on

$s = ws('/live/av.flv');
$s->blocking(0);
my $pings = frame(0x9, 'p' x 125) x 500;
my $sent = 0;

my $cut = wait_until(sub {
    for (1 .. 20) {
        my $n = syswrite $s, $pings, length($pings), 0;
        return 1 if !defined $n && !$!{EAGAIN};
        $sent += $n || 0;
    }
    return 0;
}, 20);

ok($cut, "a flood of pings is cut after $sent bytes");
close $s;

check_flv(media('/live/av.flv', limit => 30000), 'after all', 1, 1);

$t->stop_daemons();
$t->stop();

like($t->read_file('ws.log'), qr!^101 /live/av\.flv$!m, 'access log');

done_testing();

###############################################################################

sub hex_of { return unpack 'H*', $_[0] }

sub frame {
    my ($opcode, $data) = @_;

    my $n = length $data;
    my $mask = pack 'N', 0x12345678;

    return pack('C', 0x80 | $opcode)
        . ($n < 126 ? pack('C', 0x80 | $n) : pack('Cn', 0x80 | 126, $n))
        . $mask . ($data ^ substr($mask x ($n / 4 + 1), 0, $n));
}

sub request {
    my ($uri, %opts) = @_;

    return "GET $uri HTTP/1.1" . CRLF . 'Host: localhost' . CRLF
        . 'Connection: keep-alive, Upgrade' . CRLF
        . 'Upgrade: ' . ($opts{upgrade} || 'websocket') . CRLF
        . 'Sec-WebSocket-Version: ' . ($opts{version} || 13) . CRLF
        . 'Sec-WebSocket-Key: ' . ($opts{key} || $key) . CRLF . CRLF
        . ($opts{with} || '');
}

# The header of the answer.

sub handshake {
    my ($uri, %opts) = @_;

    my $r = http(request($uri, %opts), limit => 200, timeout => 5);

    return $r =~ s/\r\n\r\n.*/\r\n/sr;
}

sub ws {
    my ($uri, %opts) = @_;

    my $s = ($opts{port} || 0) == 8443
        ? IO::Socket::SSL->new(PeerAddr => '127.0.0.1:' . port(8443),
            SSL_verify_mode => 0)
        : IO::Socket::INET->new(PeerAddr => '127.0.0.1:'
            . port($opts{port} || 8080));

    $s->autoflush(1);
    print $s request($uri, %opts);

    return $s;
}

# What comes until there are `limit` bytes of media, or the end: the header,
# the payload of whole binary messages, and control frames.

my %rest;

sub messages {
    my ($s, %opts) = @_;

    my $buf = delete $rest{$s} || '';
    my ($head, $media, @control) = ('', '');
    my $end = time() + ($opts{timeout} || 10);
    my $select = IO::Select->new($s);

    for ( ;; ) {
        $head = $1 if $buf =~ s/\A(HTTP.*?\r\n\r\n)//s;

        while (length $buf >= 2 && $buf !~ /\AHTTP/) {
            my ($type, $n) = unpack 'CC', $buf;
            my $skip = $n == 126 ? 4 : $n == 127 ? 10 : 2;

            last if length $buf < $skip;

            $n = unpack 'x2n', $buf if $skip == 4;
            $n = unpack 'x6N', $buf if $skip == 10;

            last if length $buf < $skip + $n;

            my $whole = substr $buf, 0, $skip + $n, '';

            if ($type == 0x82) {
                $media .= substr $whole, $skip;
            } else {
                push @control, $whole;
            }
        }

        last if $opts{limit} && length $media >= $opts{limit}
            && @control >= ($opts{control} || 0);

        my $left = $end - time();

        last if $left <= 0;
        last unless $s->can('pending') && $s->pending()
            || $select->can_read($left);
        last unless sysread $s, $buf, 65536, length $buf;
    }

    $rest{$s} = $buf;

    return ($head, $media, \@control);
}

sub media {
    my ($uri, %opts) = @_;

    my $s = ws($uri, %opts);
    my (undef, $media) = messages($s, %opts);

    delete $rest{$s};
    close $s;

    return $media;
}

sub closed {
    my ($s) = @_;

    my $select = IO::Select->new($s);
    my $end = time() + 5;

    while (time() < $end && $select->can_read($end - time())) {
        return 1 unless sysread $s, my $buf, 4096;
    }

    return 0;
}

###############################################################################
