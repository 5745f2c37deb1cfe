#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# MPEG-TS over UDP, as it is and in RTP, to an address and to a group, and over
# TCP: every frame gets to players in other workers, whatever else comes to
# the port; who may publish; what nginx -t refuses.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::MPEGTS;
use Test::Nginx::Player;
use Test::Nginx::SRT;

use IO::Socket::INET;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream stream_ssl flv_live srt/)
    ->has_daemon('ffmpeg');

my $conf = <<'END_OF_CONF';
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;
events { }

media {
    zone 64m;
    republish_wait 1s;

    application guarded {
        publish_secret secret;
    }
}

stream {
    log_format ts '$media_protocol $media_type $media_stream $status '
                  '$bytes_received';
    access_log %%TESTDIR%%/ts.log ts;

    ssl_certificate localhost.crt;
    ssl_certificate_key localhost.key;

    server {
        listen 127.0.0.1:%%PORT_8935_UDP%% udp;
        listen [::1]:%%PORT_8935_UDP%% udp;
        mpegts { publish live/raw; timeout 2s; }
    }

    server {
        listen 127.0.0.1:%%PORT_8936_UDP%% udp;
        mpegts { publish live/cut; }
    }

    server {
        listen 127.0.0.1:%%PORT_8937_UDP%% udp;
        mpegts { publish live/rtp; rtp auto; }
    }

    server {
        listen 239.77.1.2:%%PORT_8938_UDP%% udp;
        mpegts { publish live/group; interface lo; recvbuf 1m; }
    }

    server {
        listen 232.77.1.2:%%PORT_8939_UDP%% udp;
        mpegts { publish live/ssm; interface 127.0.0.1; source 127.0.0.2; }
    }

    server {
        listen 127.0.0.1:%%PORT_8935%%;
        mpegts { publish live/tcp; }
    }

    server {
        listen 127.0.0.1:%%PORT_8936%% ssl;
        mpegts { publish live/tls; }
    }

    server {
        listen 127.0.0.1:%%PORT_8940_UDP%% udp;
        deny all;
        mpegts { publish live/denied; }
    }

    server {
        listen 127.0.0.1:%%PORT_8941_UDP%% udp;
        mpegts { publish guarded/no; }
    }

    server {
        listen 127.0.0.1:%%PORT_8942_UDP%% udp;
        mpegts { publish guarded/$server_port?secret=secret; rtp on; }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { flv_live; play_wait 10s; }
        location /api/ { media_api write; }
    }
}
END_OF_CONF

$t->write_file_expand('nginx.conf', $conf);
$t->write_cert('localhost');

refusals();

$t->run();

my $d = $t->testdir();
my $clip = ts_clip($t, 'clip', duration => 8, size => '160x90');

###############################################################################

my %p = map { $_ => Test::Nginx::Player->flv("/live/$_.flv",
    digest => \&flv_digest) }
    qw/ raw cut rtp group ssm tcp tls /;
my %pid;

my @ffmpeg = (qw/ ffmpeg -hide_banner -nostdin -loglevel warning -re
    -stream_loop -1 -i /, $clip->{file}, qw/ -c copy -f /);

sub at { return '127.0.0.1:' . port($_[0]) }

$pid{raw} = $t->run_daemon(@ffmpeg, 'mpegts', 'udp://' . at(8935)
    . '?pkt_size=1316');
$pid{cut} = $t->run_daemon(@ffmpeg, 'mpegts', 'udp://' . at(8936));
$pid{rtp} = ts_send($t, $clip, at(8937), rtp => 1, mix => 1, junk => 1);
$pid{group} = $t->run_daemon(@ffmpeg, 'mpegts', 'udp://239.77.1.2:'
    . port(8938) . '?localaddr=127.0.0.1&ttl=0&pkt_size=1316');
$pid{tcp} = $t->run_daemon(@ffmpeg, 'mpegts', 'tcp://' . at(8935));
$pid{tls} = $t->run_daemon(@ffmpeg, 'mpegts', 'tls://' . at(8936));

# of two senders to the group only one was asked for

my %group = map { $_ => udp($_, '232.77.1.2:' . port(8939)) }
    qw/ 127.0.0.1 127.0.0.2 /;
my ($ts) = pack '(a188)7', map { pack('CnC', 0x47, 0x1fff, 0x10) } 1 .. 7;

$_->send($ts) for map { ($_) x 3 } $group{'127.0.0.1'}, $group{'127.0.0.2'};

# refused ones send on

ts_send($t, $clip, at($_)) for 8940, 8941, 8942;
ts_send($t, $clip, at(8942), rtp => 1);

# others at a port where one is publishing

play_until(sub { $p{raw}->video() > 5 }, 15);

my $other = ts_send($t, $clip, at(8935));
my $junk = udp('127.0.0.1', at(8935));

$junk->send(pack 'C*', map { rand 256 } 0 .. rand 1500) for 1 .. 200;
$junk->send('');

ok(play_until(sub { 7 == grep { $_ eq 'ssm' || $p{$_}->video() > 60 }
    keys %p }, 20), 'all play') or diag(join ' ', map { "$_: "
    . $p{$_}->video() } sort keys %p);

is($p{$_}->faults($clip), '', "$_: every frame")
    for qw/ raw cut rtp group tcp tls /;

my %client = map { $_->{name} => $_ } grep { $_->{publish} }
    @{$t->api_get('/api/v1/clients/?count=100')->{clients}};

is(join(' ', sort keys %client), join(' ', sort +port(8942),
    qw/ cut group raw rtp ssm tcp tls /), 'who publishes');
is($client{raw}{type}, 'mpegts-publish', 'type');
is($client{raw}{tcUrl}, 'mpegts://' . at(8935) . '/live', 'tcUrl');
is($client{ssm}{ip}, '127.0.0.2', 'source of a group');
cmp_ok($client{raw}{recv_bytes}, '>', 10000, 'bytes');

my $log = $t->read_file('error.log');

is(() = $log =~ /MPEG-TS of 127.0.0.1:\d+ is left out while/g, 1,
    'another sender, once');
cmp_ok(() = $log =~ /access forbidden by rule/g, '<=', 4, 'denied, seldom');
cmp_ok(() = $log =~ /access forbidden by rule/g, '>=', 1, 'denied');
cmp_ok(() = $log =~ m!publisher is refused.*/guarded/no!g, '<=', 4,
    'no secret, seldom');
cmp_ok(() = $log =~ m!publisher is refused.*/guarded/no!g, '>=', 1,
    'no secret');
unlike($log, qr/had no room in the socket/, 'nothing is lost');
is(() = $log =~ /multicast group .* was joined/g, 0, 'groups at once');

# the name is busy for another connection

my $busy = $t->run_daemon(@ffmpeg, 'mpegts', 'tcp://' . at(8935));

ok(defined $t->wait_daemon($busy, 8), 'TCP: the name is busy');

# no TS over TCP

$t->stop_daemon($pid{tcp});
ok(wait_until(sub { !live($t, 'tcp') }, 5), 'TCP: the end');

my $s = IO::Socket::INET->new(PeerAddr => at(8935)) or die;
syswrite $s, 'x' x 50000 for 1 .. 4;
ok(wait_until(sub { $t->read_file('error.log') =~ /what is no MPEG-TS/ }, 5),
    'TCP: no TS');
$s->close();

# the encoder ends, another one of the same host is there

$t->stop_daemon($pid{raw});
my $mark = $p{raw}->mark();

ok(play_until(sub { $t->read_file('error.log')
                    =~ /sender goes on from another port/ }, 8),
    'another port');

ok(play_until(sub { $p{raw}->video($mark) > 20 }, 8),
    'another port goes on');
is($p{raw}->faults($clip, jumps => 1, again => 1, from => $mark), '',
    'frames of that one');

# closed by the API: it does not come back at once

$t->stop_daemon($other);

my ($id) = map { $_->{id} } grep { $_->{name} eq 'cut' && $_->{publish} }
    @{$t->api_get('/api/v1/clients/?count=100')->{clients}};

$t->api_request('DELETE', "/api/v1/clients/$id");
ok(wait_until(sub { !live($t, 'cut') }, 3), 'closed');

# silence

ok(wait_until(sub { !live($t, 'raw') }, 6), 'silent: the end');
is(live($t, 'cut'), undef, 'closed: not yet again');

is($p{rtp}->faults($clip), '', 'rtp: every frame, still');

$_->drop() for values %p;
$t->stop_daemons();
$t->stop();

like($t->read_file('ts.log'), qr/^mpegts publish raw 200 \d{5,}$/m,
    'access log');
like($t->read_file('ts.log'), qr/^\S* \S* \S* 403 \d+$/m,
    'access log: refused');

$log = $t->read_file('error.log');

like($log, qr/RTP: \d+ packets, 0 lost, [1-9]\d* out of order, [1-9]\d* too/,
    'log: RTP');
like($log, qr/over UDP: \d+ datagrams, 0 lost in the socket, [1-9]\d* without/,
    'log: junk');

done_testing();

###############################################################################

sub udp {
    my ($from, $to) = @_;

    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => $from)
        or die "no socket: $@\n";
    my ($host, $port) = $to =~ /^(.*):(\d+)$/;

    # IP_MULTICAST_IF, the interface by its address

    setsockopt($s, 0, 32, Socket::inet_aton('127.0.0.1'));
    connect($s, Socket::pack_sockaddr_in($port, Socket::inet_aton($host)))
        or die "connect: $!\n";

    return $s;
}

sub refused {
    my ($why, $want, $server) = @_;

    $t->write_file_expand('bad.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
events { }
stream { $server }
END_OF_CONF

    my ($status, $text) = $t->test_config('bad.conf');

    isnt($status, 0, "refused: $why");
    like($text, $want, "refused: $why: text");
}

sub refusals {
    my $udp = 'server { listen 127.0.0.1:%%PORT_8950_UDP%% udp';
    my $mpegts = 'mpegts { publish live/x; } }';

    refused('reuseport', qr/remove "reuseport" from "listen /,
        "$udp reuseport; $mpegts");
    refused('ssl over UDP', qr/"ssl" parameter is incompatible with "udp"/,
        "$udp ssl; $mpegts");
    refused('nothing published', qr/add "publish APP\/STREAM;"/,
        "$udp; mpegts { } }");
    refused('no application', qr/"publish x" has no application/,
        "$udp; mpegts { publish x; } }");
    refused('a bad name', qr/"\.\." in "publish live\/\.\." can not be/,
        "$udp; mpegts { publish live/..; } }");
    refused('twice', qr/"publish" directive is duplicate/,
        "$udp; mpegts { publish live/x; publish live/y; } }");
    refused('two blocks', qr/"mpegts" directive is duplicate/,
        "$udp; mpegts { publish live/x; } mpegts { publish live/y; } }");
    refused('two handlers', qr/beside another content handler/,
        "$udp; mpegts { publish live/x; } srt { } }");
    refused('interface', qr/"interface" is for multicast/,
        "$udp; mpegts { publish live/x; interface lo; } }");
    refused('source', qr/"source" is for multicast/,
        "$udp; mpegts { publish live/x; source 127.0.0.2; } }");
    refused('source of no address', qr/is not an address of a sender/,
        "$udp; mpegts { publish live/x; source lo; } }");
    refused('source of another family', qr/"source ::1" can not send to/,
        'server { listen 239.1.1.1:%%PORT_8950_UDP%% udp;'
        . ' mpegts { publish live/x; source ::1; } }');
    refused('recvbuf', qr/between 64k and 256m/,
        "$udp; mpegts { publish live/x; recvbuf 1k; } }");
    refused('timeout', qr/between 500ms and 10m/,
        "$udp; mpegts { publish live/x; timeout 1ms; } }");
    refused('rtp', qr/rtp/, "$udp; mpegts { publish live/x; rtp maybe; } }");
    refused('addresses beside a wildcard', qr/with a wildcard apart/,
        "$udp; $mpegts server { listen %%PORT_8950_UDP%% udp; $mpegts");
}
