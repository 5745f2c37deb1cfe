#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# RTMP below its commands: handshakes, chunk formats, timestamps, aggregates,
# acknowledgements, and the forms of codecs that come in and go out.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP qw/ num amf0 /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ stream rtmp /);

$t->write_file_expand('nginx.conf', <<'EOF');

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
            ack_window 20000;
        }
    }

    server {
        listen unix:%%TESTDIR%%/rtmp.sock;
        listen 127.0.0.1:%%PORT_1936%% proxy_protocol;
        rtmp { }
    }
}

EOF

$t->run();

my $port = port(1935);

###############################################################################

# handshakes

my $c = Test::RTMP->new($port, handshake => 'simple');
is($c->{version}, 3, 'simple handshake, version');
ok($c->{echo}, 'simple handshake, S2 is C1');

for my $n (0, 1) {
    $c = Test::RTMP->new($port, handshake => "digest$n");
    ok($c->{s1_digest}, "digest handshake $n, S1");
    ok($c->{s2_digest}, "digest handshake $n, S2");
    is($c->connect('live')->{connected}[0], '_result',
        "digest handshake $n, connect");
}

# every byte on its own, handshake and connect

my ($p, $v);

$c = Test::RTMP->new($port, handshake => 'none');
my $bytes = "\x03" . "\0" x 1536;
$c->write_raw($_) for split //, $bytes;
ok($c->read_raw(3073), 'byte by byte, handshake');
$bytes = "\0" x 1536 . $c->message(20, 0, 0,
    amf0('connect', num(1), { app => 'live', tcUrl => 'rtmp://h/live' }));
$c->write_raw($_) for split //, $bytes;
is(($c->answer(1) || [''])->[0], '_result', 'byte by byte, connect');

# all formats of chunks, all lengths of ids, small and large chunks

($p, $v) = pair('formats');

$p->video(80, Test::RTMP::avc_inter(2), fmt => 1, delta => 40);
$p->video(120, Test::RTMP::avc_inter(3), fmt => 2, delta => 40);
$p->video(160, Test::RTMP::avc_inter(4), fmt => 3);
is(shape($v, 3), '2@40 3@40 4@40', 'formats 1, 2, 3');

$p->video(200, Test::RTMP::avc_inter(5, 200), csid => 70);
$p->video(240, Test::RTMP::avc_inter(6, 200), csid => 320);
$p->video(280, Test::RTMP::avc_inter(7, 200), csid => 65599);
is(shape($v, 3), '5@40 6@40 7@40', 'ids of one, two and three bytes');

$p->set_chunk_size(1);
$p->video(320, Test::RTMP::avc_inter(8));
$p->set_chunk_size(65536);
$p->video(360, Test::RTMP::avc_inter(9, 60000));
is(shape($v, 2), '8@40 9@40', 'chunks of 1 and of 65536 bytes');

# two messages at a time on two chunk streams, and one given up

$p->set_chunk_size(128);
my $one = $p->message(9, 1, 400, Test::RTMP::avc_inter(10, 300), csid => 6);
my $two = $p->message(8, 1, 400, Test::RTMP::aac_frame(10), csid => 4);
$p->write_raw(substr($one, 0, 140) . $two . substr($one, 140));
is(shape($v, 1), '10@40', 'interleaved messages');

$p->write_raw(substr($p->message(9, 1, 440, Test::RTMP::avc_inter(99, 300),
    csid => 6), 0, 140));
$p->send_message(2, 0, 0, pack('N', 6), csid => 2);
$p->video(440, Test::RTMP::avc_inter(11));
is(shape($v, 1), '11@40', 'message given up');
finish($p, $v);

# time: extended timestamps, repeated or not, and the end of 32 bits

($p, $v) = pair('time', 0xfffff0);
$p->video(0x1000000, Test::RTMP::avc_inter(2, 400));
$p->video(0x1000010, Test::RTMP::avc_inter(3, 400), omit_ext => 1);
is(shape($v, 2), '2@16 3@16', 'extended timestamps');
finish($p, $v);

($p, $v) = pair('wrap', 0xffffffe0);
$p->video(0xfffffff0, Test::RTMP::avc_inter(2, 400));
$p->video(0, Test::RTMP::avc_inter(3));
$p->video(16, Test::RTMP::avc_inter(4));
is(shape($v, 3), '2@16 3@16 4@16', 'end of 32 bits');
finish($p, $v);

# aggregate message

($p, $v) = pair('aggregate');
my $tags = tag(9, 1000, Test::RTMP::avc_inter(2))
    . tag(8, 1010, Test::RTMP::aac_frame(2))
    . tag(9, 1040, Test::RTMP::avc_inter(3));
$p->send_message(22, 1, 80, $tags, csid => 7);
is(shape($v, 2), '2@40 3@40', 'aggregate');

# data that is not metadata is passed on, what is unknown or empty skipped

$p->data(120, 'onTextData', { text => 'hello' });
my $m = $v->expect(sub { ($_[0]{values} || [''])->[0] eq 'onTextData' });
is($m && $m->{values}[1]{text}, 'hello', 'onTextData');
$p->video(120, '');
$p->video(120, "\x52\x00");
$p->send_message(99, 1, 120, 'what is that');
$p->send_message(19, 1, 120, 'shared object');
$p->video(160, Test::RTMP::avc_inter(4));
is(shape($v, 1), '4@40', 'empty and unknown messages');
finish($p, $v);

# Annex B

($p, $v) = pair('annexb');
my $nal = "\x41\x88" . sprintf('%08d', 2) . 'y' x 30;
$p->video(80, "\x27\x01\0\0\0" . "\0\0\0\x01" . $nal);
$m = $v->read_video();
is($m && substr($m->{body}, 5), pack('N', length $nal) . $nal, 'Annex B');
finish($p, $v);

# HEVC: both forms in, both forms out

my $hvcc = pack('H*', '01016000000090000000000' . '05df000fcfdf8f800000f00');
my $hevc = pack('N', 40) . "\x26\x01" . 'h' x 38;

for my $form ('legacy', 'enhanced') {
    $p = client();
    $p->publish("hevc-$form");

    if ($form eq 'legacy') {
        $p->video(0, "\x1c\x00\0\0\0" . $hvcc);
        $p->video(40, "\x1c\x01\0\0\0" . $hevc);

    } else {
        $p->video(0, "\x90hvc1" . $hvcc);
        $p->video(40, "\x93hvc1" . $hevc);
    }

    $v = client();
    $v->play("hevc-$form");
    $m = $v->read_video();
    is($m && $m->{body}, "\x1c\x00\0\0\0" . $hvcc,
        "$form HEVC to an old player, config");
    $m = $v->read_video();
    is($m && $m->{body}, "\x1c\x01\0\0\0" . $hevc,
        "$form HEVC to an old player");
    $v->close();

    $v = Test::RTMP->new($port)->connect('live', fourCcList => ['*']);
    $v->play("hevc-$form");
    $m = $v->read_video();
    is($m && $m->{body}, "\x90hvc1" . $hvcc,
        "$form HEVC to a new player, config");
    $m = $v->read_video();
    like($m ? $m->{body} : '', qr/^\x93hvc1\Q$hevc\E$|
        ^\x91hvc1\0\0\0\Q$hevc\E$/x, "$form HEVC to a new player");
    finish($p, $v);
}

# AV1, Opus

$p = client();
$p->publish('av1');
my $av1c = "\x81\x00\x0c\x00";
my $obu = "\x0a\x0b\0\0\0\x04\x3c\xff\xbd\xff\xf9\x80\x40\x32\x02\x10\x00";
$p->video(0, "\x90av01" . $av1c);
$p->video(40, "\x91av01" . $obu);
$p->audio(40, "\x91Opus" . "\xfc\xff\xfe");
$v = client();
$v->play('av1');
$m = $v->read_video();
is($m && $m->{body}, "\x90av01" . $av1c, 'AV1, config');
$m = $v->read_video();
is($m && $m->{body}, "\x91av01" . $obu, 'AV1');
$m = $v->read_audio();
is($m && $m->{body}, "\x91Opus" . "\xfc\xff\xfe", 'Opus');
finish($p, $v);

# acknowledgements, of the window the client names or ours

$p = client();
$p->publish('ack');
$p->video(0, Test::RTMP::avc_config());
$p->video(40, Test::RTMP::avc_key(1, 30000));
ok($p->read_type(3), 'acknowledgement');
$p->send_message(5, 0, 0, pack('N', 3000), csid => 2);
$p->video(80, Test::RTMP::avc_inter(2, 3000));
$m = $p->read_type(3);
cmp_ok($m ? unpack('N', $m->{body}) : 0, '>', 33000,
    'acknowledgement, window of the client');

$p->send_message(4, 0, 0, pack('nN', 6, 4711), csid => 2);
$m = $p->user_event(7);
is($m && unpack('N', substr($m->{body}, 2)), 4711, 'ping of the client');
$p->close();

# many chunk streams of a publisher are fine, of anybody else are not

($p, $v) = pair('streams');
$p->video(80 + 40 * $_, Test::RTMP::avc_inter($_), csid => 10 + $_)
    for 2 .. 40;
is(shape($v, 39), join(' ', '2@120', map { "$_\@40" } 3 .. 40),
    'many chunk streams');
finish($p, $v);

$c = client();
$c->send_message(99, 0, 0, 'x', csid => 10 + $_) for 1 .. 20;
ok($c->closed(5), 'too many chunk streams');

# other ways in

use IO::Socket::UNIX;

($p, $v) = pair('ways');
$c = Test::RTMP->new(0, socket => IO::Socket::UNIX->new(
    Peer => $t->testdir() . '/rtmp.sock'))->connect('live');
$c->play('ways');
$c->read_video();
is(Test::RTMP::number($c->read_video() || {}), 1, 'unix socket');

$c = Test::RTMP->new(port(1936), handshake => 'none');
$c->write_raw("PROXY TCP4 192.0.2.1 192.0.2.2 1234 1935\r\n");
$c->handshake('simple');
$c->connect('live')->play('ways');
$c->read_video();
is(Test::RTMP::number($c->read_video() || {}), 1, 'proxy_protocol');
finish($p, $v);

done_testing();

###############################################################################

sub client {
    return Test::RTMP->new($port)->connect('live');
}

# a publisher and a player that has seen the first picture at that time

sub pair {
    my ($name, $ts) = @_;

    $ts //= 40;

    my $p = client();
    $p->publish($name);
    $p->video($ts, Test::RTMP::avc_config());
    $p->audio($ts, Test::RTMP::aac_config());
    $p->video($ts, Test::RTMP::avc_key(1, 300));

    my $v = client();
    $v->play($name);
    $v->read_video();
    my $m = $v->read_video() || { ts => 0 };
    $v->{last} = $m->{ts};

    return ($p, $v);
}

# the next pictures, as number@difference

sub shape {
    my ($v, $n) = @_;

    return join ' ', map {
        my $m = $v->read_video(3) or last;
        my $d = ($m->{ts} - $v->{last}) & 0xffffffff;
        $v->{last} = $m->{ts};
        (Test::RTMP::number($m) // '-') . "\@$d";
    } 1 .. $n;
}

sub finish { $_->close() for @_ }

sub tag {
    my ($type, $ts, $body) = @_;

    return chr($type) . substr(pack('N', length $body), 1)
        . substr(pack('N', $ts), 1) . "\0\0\0\0" . $body
        . pack('N', 11 + length $body);
}

###############################################################################
