#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What HTTP-FLV makes of publishers that are made up here: HEVC in both its
# forms, tracks that come late, a publisher that comes back, players that read
# too slowly.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::FLV;
use Test::RTMP;

use IO::Socket::INET;
use Socket qw/ CRLF SOL_SOCKET SO_RCVBUF inet_aton sockaddr_in /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_v2 http_ssl stream rtmp flv_live/)
    ->has_daemon('curl');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    republish_wait 3s;
    idle_timeout 1s;

    application slow { queue_length 2s; }
    application nogop { gop_cache off; }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%
    ssl_certificate localhost.crt;
    ssl_certificate_key localhost.key;
    server {
        listen 127.0.0.1:8080 sndbuf=16k;
        listen 127.0.0.1:8443 ssl http2 sndbuf=16k;
        location / { flv_live; play_wait 10s; }
    }
}
END_OF_CONF

$t->write_cert('localhost');
$t->run();

my $d = $t->testdir();

# HEVC

my $hvcc = pack('H*', '0101600000009000000000001ef000fcfdf8f800000f03a00001001'
    . '840010c01ffff01600000030090000003000003001e959809a10001002842010101600'
    . '000030090000003000003001ea020810596566924caf0168080000003008000000c84a'
    . '2000100074401c172b42240');
my $nal = pack('N', 40) . "\x26\x01" . 'h' x 38;
my $inter = pack('N', 40) . "\x02\x01" . 'h' x 38;

my %in = (
    enhanced => [ "\x90hvc1$hvcc", "\x91hvc1\0\0\x14$nal",
                  "\xa3hvc1$inter" ],
    legacy => [ "\x1c\x00\0\0\0$hvcc", "\x1c\x01\0\0\x14$nal",
                "\x2c\x01\0\0\0$inter" ],
);

for my $form (qw/ enhanced legacy /) {
    my $p = publisher('live', $form);

    $p->video(0, $in{$form}[0]);
    $p->video(0, $in{$form}[1]);
    $p->video(40, $in{$form}[2]);

    for my $want ('', qw/ enhanced legacy /) {
        my $flv = http_content(get("/live/$form.flv"
            . ($want ? "?hevc=$want" : ''), 600));
        my ($tags, $fault) = flv_tags($flv);
        my @video = map { $_->{body} } grep { $_->{type} == 9 } @$tags;

        is($fault, '', "HEVC in $form, out $want");

        my $out = $in{$want || $form};

        is(hex_of($video[$_]), hex_of($out->[$_]),
            "HEVC in $form, out $want: " . (qw/ config key inter /)[$_])
            for 0 .. 2;
    }

    $p->close();
}

# tracks that come one after the other

my $early = start('/live/late.flv');
my $p = publisher('live', 'late');

$p->data(0, 'onMetaData', { width => Test::RTMP::num(64) });
$p->video(0, Test::RTMP::avc_config());
$p->video(0, Test::RTMP::avc_key(1));
sleep(0.2);
$p->audio(0, Test::RTMP::aac_config());
$p->audio(0, Test::RTMP::aac_frame(2));
$p->video(40, Test::RTMP::avc_inter(3));

my $flv = http_content(http_end($early, limit => 900, timeout => 3));
is(hex_of(substr $flv, 0, 13), hex_of(flv_start(5)),
    'a header waits for the second track');

$early = start('/live/alone.flv');
my $q = publisher('live', 'alone');

$q->audio(0, Test::RTMP::aac_config());

for my $n (0 .. 40) {
    $q->audio($n * 23, Test::RTMP::aac_frame($n));
    sleep(0.023);
}

$flv = http_content(http_end($early, limit => 900, timeout => 3));
is(hex_of(substr $flv, 0, 13), hex_of(flv_start(4)),
    'and not for ever');

# new metadata, and other sequence headers

my $player = start('/live/late.flv');
http_end($player, limit => 700, timeout => 2);

$p->data(80, 'onMetaData', { title => 'another' });
$p->video(80, Test::RTMP::avc_config() . "\0");
$p->video(80, Test::RTMP::avc_key(4));
$p->video(120, Test::RTMP::avc_inter(5));

# it comes back: the same body goes on

$p->close();
sleep(0.3);
$p = publisher('live', 'late');
$p->video(0, Test::RTMP::avc_config());
$p->video(0, Test::RTMP::avc_key(6));
$p->video(40, Test::RTMP::avc_inter(7));

my $raw = http_end($player, timeout => 2);
$raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n$raw"
    unless $raw =~ /^HTTP/;

like($raw, qr/\x12...\0{7}\x02\0\x0aonMetaData((?!onMetaData).)*another/s,
    'new metadata, of time 0');
is(join(' ', $raw =~ /\x88(0000000\d)/g), join(' ', map { "0000000$_" } 4 .. 7),
    'a publisher comes back within one body');
unlike($raw, qr/FLV\x01/, 'no second file header');

# and is gone for good: the body ends

$p->close();
$raw = http_end($player, timeout => 8);
like($raw, qr/(^|\r\n)0\r\n\r\n$/, 'a last chunk when republish_wait is over');

# without a GOP cache the first picture is the next keyframe

$p = publisher('nogop', 'x');
$p->video(0, Test::RTMP::avc_config());
$p->video(0, Test::RTMP::avc_key(1));
$p->video(40, Test::RTMP::avc_inter(2));

ok(wait_until(sub { http_status(http_head('/nogop/x.flv')) == 200 }, 5),
    'live');
sleep(0.3);

$player = start('/nogop/x.flv');
http_end($player, timeout => 0.7);
$p->video(80, Test::RTMP::avc_inter(3));
$p->video(120, Test::RTMP::avc_key(4));

like(http_end($player, limit => 300, timeout => 3) || '',
    qr/^(?!.*\x880000000[123]).*\x8800000004/s, 'gop_cache off');
$p->close();

# players that read slowly: 25 pictures of 20 KB a second

my $pid = $t->run_daemon(sub {
    my $p = publisher('slow', 'x', chunk => 60000);

    $p->video(0, Test::RTMP::avc_config());

    my $begin = time();

    for my $n (0 .. 350) {
        $p->video($n * 40, $n % 25 ? Test::RTMP::avc_inter($n, 20000)
                                   : Test::RTMP::avc_key($n, 20000));
        my $left = $begin + $n * 0.04 - time();
        sleep($left) if $left > 0;
    }

    $p->close();
});

my $slow = IO::Socket::INET->new(Proto => 'tcp');
setsockopt($slow, SOL_SOCKET, SO_RCVBUF, 131072);
connect($slow, sockaddr_in(port(8080), inet_aton('127.0.0.1')))
    or die "connect: $!\n";
$slow->autoflush(1);
print $slow 'GET /slow/x.flv HTTP/1.1' . CRLF . 'Host: localhost' . CRLF
    . CRLF;

my %curl = map {
    $_ => $t->run_daemon('curl', qw/ -skN --max-time 14 --limit-rate 60k /,
        "--$_", '-o', "$d/$_.flv",
        'https://localhost:' . port(8443) . '/slow/x.flv')
} qw/ http1.1 http2 /;

# it reads a little, sleeps, and then reads all

my $body = '';
sysread($slow, $body, 3000, length $body) while length $body < 3000;
sleep(3);
$body .= http_end($slow, timeout => 14);

ok(slow_one(http_content($body), 'chunks'), 'chunks: jumped');
like($body, qr/\r\n0\r\n\r\n$/, 'chunks: to the end');

$t->wait_daemon($curl{$_}, 20) for keys %curl;
slow_one($t->read_file("$_.flv"), "TLS, $_") for sort keys %curl;

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub publisher {
    my ($app, $name, %opts) = @_;

    my $p = Test::RTMP->new(port(8035))->connect($app);

    $p->set_chunk_size($opts{chunk}) if $opts{chunk};
    $p->publish($name);

    return $p;
}

sub start {
    my ($uri) = @_;

    return http("GET $uri HTTP/1.1" . CRLF . 'Host: localhost' . CRLF . CRLF,
        start => 1);
}

sub get {
    my ($uri, $limit) = @_;

    return http_end(start($uri), limit => $limit, timeout => 2);
}

sub hex_of {
    my ($bytes) = @_;
    return defined $bytes ? unpack 'H*', $bytes : undef;
}

# Frames of a slow player: pictures are missing, but where they are a
# keyframe follows, nothing comes twice and tags are whole.  Gives the number
# of such places.

sub slow_one {
    my ($flv, $name) = @_;

    my ($tags, $fault) = flv_tags($flv // '');
    my (@jumps, $last, @wrong);

    for my $tag (grep { $_->{kind} =~ /key|inter/ } @$tags) {
        my ($n) = $tag->{body} =~ /\x88(\d{8})/ or push @wrong, 'damaged';

        if (defined $last && $n != $last + 1) {
            push @jumps, "$last-$n";
            push @wrong, "$last-$n" if $n < $last || $tag->{kind} ne 'key';
        }

        push @wrong, "size of $n" if length $tag->{body} != 5 + 4 + 20000;
        $last = $n;
    }

    note("$name: pictures up to ", $last // 'none', ", jumps @jumps");

    is($fault, '', "$name: whole tags");
    is("@wrong", '', "$name: whole pictures, a keyframe after each jump");

    return scalar @jumps;
}

###############################################################################
