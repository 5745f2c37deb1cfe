#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What must not happen to others: clients that stall, send garbage or do not
# read, beside a stream that is well.  And what nginx -t has to say.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP qw/ num amf0 /;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ stream rtmp /);

my $conf = <<'EOF';

%%TEST_GLOBALS%%

daemon off;
worker_processes 1;

events {
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%%;

        rtmp {
            timeout 3s;
            ping    1s;
        }
    }
}

EOF

# the configuration: wrong values are refused with what to write instead

my $list = <<'END';
rtmp { chunk_size 100; }        | say a size from 128 to 65536
rtmp { chunk_size 100k; }       | say a size from 128 to 65536
rtmp { chunk_size much; }       | say a size from 128 to 65536
rtmp { ack_window 1; }          | say a size from 4096 to 1g
rtmp { ping 0; }                | say a time from 1s to 1d
rtmp { timeout soon; }          | say a time from 1s to 1d
rtmp { timeout 1s; timeout 2s; }| "timeout" directive is duplicate
rtmp { } rtmp { }               | "rtmp" directive is duplicate
rtmp { } proxy_pass 127.0.0.1:1;| beside another content handler
proxy_pass 127.0.0.1:1; rtmp { }| beside another content handler
rtmp { gop_cache on; }          | "gop_cache" directive is not allowed here
rtmp { nonsense on; }           | unknown directive "nonsense"
listen 127.0.0.1:1 udp; rtmp { }| needs TCP
END

for my $line (split /\n/, $list) {
    my ($text, $error) = split /\s*\|\s*/, $line;
    my $bad = $conf;

    $bad =~ s/rtmp \{.*?\}/$text/s;
    $t->write_file_expand('bad.conf', $bad);
    my ($status, $out) = $t->test_config('bad.conf');
    like($out, qr/\Q$error\E.*bad\.conf:\d+|bad\.conf:\d+.*\Q$error\E/,
        $text);
}

###############################################################################

$t->write_file_expand('nginx.conf', $conf);
$t->run();

my $port = port(1935);

# the stream that is well: 40 pictures a second, everything is counted

my $p = Test::RTMP->new($port, chunk => 4096)->connect('live');
$p->publish('well');
$p->video(0, Test::RTMP::avc_config());
$p->video(0, Test::RTMP::avc_key(0, 5000));

my $v = Test::RTMP->new($port)->connect('live');
$v->play('well');
$v->read_video();
$v->read_video();

my ($next, $expected, $lost) = (1, 1, 0);

# bad handshakes

my $c = raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
ok(gone($c, 2), 'HTTP');
$c = raw("\x06" . "x" x 1536);
ok(gone($c, 2), 'RTMPE');
$c = raw("\xff" x 5000);
ok(gone($c, 2), 'garbage');
$c = raw('');
ok(gone($c, 5), 'silence');

# one byte a second, and one that shakes hands and then is silent

$c = raw("\x03");
my $start = time();

while (time() - $start < 12 && !$c->{eof}) {
    $c->write_raw("x");
    gone($c, 1);
}

ok($c->{eof}, 'one byte a second');

$c = Test::RTMP->new($port);
ok(gone($c, 6), 'silence after the handshake');
$c = Test::RTMP->new($port)->connect('live');
ok(gone($c, 6), 'silence after connect');

$c = Test::RTMP->new($port)->connect('live');
$c->create_stream();
$start = time();

while (time() - $start < 8 && !$c->{eof}) {
    $c->command('getStreamLength', 0, undef, 'x');
    gone($c, 0.5);
}

ok($c->{eof}, 'nothing but commands');

# damaged chunks and messages

$c = Test::RTMP->new($port);
$c->write_raw("\xc5" . 'x' x 100);
ok(gone($c, 2), 'chunk without a header');

$c = Test::RTMP->new($port)->connect('live');
$c->send_message(1, 0, 0, pack('N', 0), csid => 2);
ok(gone($c, 2), 'chunk size 0');

$c = Test::RTMP->new($port)->connect('live');
$c->write_raw("\x03\0\0\0\xff\xff\xff\x14\0\0\0\0" . 'x' x 128);
ok(gone($c, 2), 'command of 16 MB');

$c = Test::RTMP->new($port);
$c->send_message(20, 0, 0, 'no AMF at all');
ok(gone($c, 2), 'command that is no AMF');

$c = Test::RTMP->new($port);
$c->send_message(20, 0, 0, amf0('connect', num(1)) . "\x03" x 200);
ok(gone($c, 2), 'nested objects without an end');

$c = Test::RTMP->new($port)->connect('live');
$c->publish('pending');
$c->write_raw(Test::RTMP::basic(0, 10 + $_) . "\0\0\0\xff\xff\xf0\x09"
    . "\x01\0\0\0" . 'x' x 128) for 1 .. 20;
ok(gone($c, 2), '16 MB on each of 20 chunk streams');

# a publisher whose bodies are damaged stays

$c = Test::RTMP->new($port)->connect('live');
$c->publish('damaged');
$c->video(0, "\x17");
$c->video(0, "\x17\x01\0\0");
$c->audio(0, "\xaf");
$c->video(0, "\x90hv");
$c->video(0, "\x96\x00");
$c->data(0, 'onMetaData');
$c->send_message(18, 1, 0, "\x02\xff\xff" . 'cut');
$c->send_message(22, 1, 0, "\x09\0\xff\xff\0\0\0\0\0\0\0");
ok($c->call('getStreamLength', undef, 'x'), 'damaged bodies');
$c->close();

# random bytes in chunks, from a generator that always gives the same

my $seed = 4711;

for my $round (1 .. 20) {
    $c = Test::RTMP->new($port);
    my $junk = '';

    for (1 .. 3000) {
        $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
        $junk .= chr($seed >> 16 & 0xff);
    }

    $c->write_raw($junk);
    $c->close();
    flow();
}

# a player that never reads

$c = Test::RTMP->new($port)->connect('live');
$c->play('well', expect => 'nothing');
flow();

$start = time();

while (time() - $start < 10 && !stopped()) {
    flow(5, 200000);
    $c->send_message(3, 0, 0, pack('N', 1), csid => 2);
    sleep(0.1);
}

ok(stopped(), 'a player that never reads is cut');
$c->close();

# a player that is silent is pinged, and cut when it does not answer

my $silent = Test::RTMP->new($port)->connect('live');
$silent->{no_pong} = 1;
$silent->play('well');
$start = time();

while (time() - $start < 8 && !$silent->{eof}) {
    flow(1);
    $silent->read_message(0.05);
}

ok($silent->{eof} && $silent->{pings}, 'a player that does not answer');

flow(10);
is($lost, 0, 'nothing was lost beside them');
cmp_ok($expected, '>', 200, 'and it was something');

done_testing();

###############################################################################

sub raw {
    my ($data) = @_;

    my $c = Test::RTMP->new($port, handshake => 'none');
    $c->write_raw($data) if length $data;
    return $c;
}

# waits for the end of a connection while the good stream goes on

sub gone {
    my ($c, $timeout) = @_;

    my $until = time() + $timeout;

    $c->{drop} = 1;

    while (time() < $until) {
        flow(1);
        return 1 if $c->closed(0.02);
    }

    return 0;
}

# the next pictures out and in

sub flow {
    my ($n, $size) = @_;

    for (1 .. $n || 1) {
        $p->video($next * 25, $next % 20 ? Test::RTMP::avc_inter($next, $size)
            : Test::RTMP::avc_key($next, $size));
        $next++;
    }

    while ($p->parse_chunk() || $p->fill(time() + 0.001)) { }

    while ($expected < $next) {
        my $m = $v->read_video(5);
        my $got = $m ? Test::RTMP::number($m) : -1;
        $lost++ if $got != $expected;
        $expected = $m ? $got + 1 : $next;
    }
}

sub stopped {
    return ($t->read_file('error.log') || '')
        =~ /RTMP (client reads nothing|session is closed: .*(slow|read))/i;
}

###############################################################################
