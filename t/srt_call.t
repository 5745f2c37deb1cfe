#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# SRT calls of this server: what is published is sent to another nginx, to one
# with a passphrase and to srt-live-transmit, what is played is fetched from
# another nginx over IPv6, by one that has no srt { } itself, and from ffmpeg,
# which goes and comes again; refusals, peers that do not answer or talk
# nonsense, URLs that nginx -t refuses.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Player;
use Test::Nginx::SRT;
use IO::Socket::INET;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream srt rtmp flv_live /)
    ->has_daemon(qw/ ffmpeg srt-live-transmit /);
my $edge = Test::Nginx->new();

my %ports = map { $_ => port(12000 + $_) } 1 .. 6;
my $srt = port(10080);
my $locked = port(10081);

my $forward = join "\n            ", map { qq("srt://127.0.0.1:$locked$_") }
    '?streamid=#!::r=open/x,m=publish&passphrase=open%20sesame&pbkeylen=32',
    '/wrong/x?passphrase=close%20sesame', '/none/x?latency=80';

$t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 32m;
    republish_wait 3s;

    application live {
        forward srt://127.0.0.1:$srt/fwd/\$media_stream?latency=100
            srt://127.0.0.1:$srt?latency=100
            srt://127.0.0.1:$ports{1}?latency=100&pkt_size=1316;
    }
    application sec {
        forward $forward;
    }
}

stream {
    server {
        listen 127.0.0.1:8035;
        rtmp { }
    }
    server {
        listen 127.0.0.1:$srt udp reuseport;
        listen [::1]:$srt udp reuseport;
        srt { latency 100ms; }
    }
    server {
        listen 127.0.0.1:$locked udp reuseport;
        srt { latency 100ms; passphrase "open sesame"; }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location / { flv_live; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

$edge->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 32m;
    republish_wait 8s;
    origin_idle 1s;

    application edge {
        origin
            "srt://[::1]:$srt?latency=100&streamid=#!::r=fwd/\$media_stream";
    }
    application live {
        origin srt://127.0.0.1:$ports{4}?conntimeo=300
            srt://127.0.0.1:$srt?latency=100&mode=caller;
    }
    application ext {
        origin srt://127.0.0.1:$ports{2}?latency=100&connect_timeout=500;
    }
    application junk {
        origin srt://127.0.0.1:$ports{3}?connect_timeout=500;
    }
    application noise {
        origin srt://127.0.0.1:$ports{5};
    }
    application quiet {
        origin srt://127.0.0.1:$ports{4}?connect_timeout=500;
    }
}

http {
    %%TEST_GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8081;
        location / { flv_live; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

my $clip = ts_clip($t, 'clip', duration => 6);

# srt-live-transmit listens for what is sent, ffmpeg for who wants something

my $sink = srt_play($t, "srt://127.0.0.1:$ports{1}?mode=listener&latency=100");
my $ffmpeg = listener();
my $junk = $t->run_daemon(\&junk, $ports{3});

$t->run_daemon(qw/ srt-live-transmit -q -a:no /, "udp://127.0.0.1:$ports{6}",
    "srt://127.0.0.1:$ports{5}?mode=listener");
$t->run_daemon(\&noise, $ports{6});

$t->run();
$edge->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
my $encoder = encode($t, $clip, "$rtmp/live/x");
my $locks = encode($t, $clip, "$rtmp/sec/x");

ok(wait_until(sub { live($t, 'x') && names() =~ /fwd\/x.*open\/x/ }, 10),
    'streams are sent to others');

my %p = map { $_ => Test::Nginx::Player->flv("/$_/x.flv", digest =>
        \&flv_digest, $_ =~ /edge|ext|live/ ? (port => 8081) : ()) }
    qw/ fwd open edge ext live /;

ok(play_until(sub { !grep { $p{$_}->video() < 60 } keys %p }, 20),
    'all are played') or diag(join ' ', map { "$_ " . $p{$_}->video() } keys %p);

is($p{fwd}->faults($clip), '', 'sent to a server: every frame');
is($p{open}->faults($clip), '', 'with a passphrase: every frame');
is($p{edge}->faults($clip), '', 'sent on and fetched over IPv6: every frame');
is($p{live}->faults($clip), '', 'fetched by its own name: every frame');
is($p{ext}->faults($clip), '', 'fetched from ffmpeg: every frame');

my ($pull) = grep { $_->{publish} && $_->{url} eq '/edge/x' }
    @{$edge->api_get('/api/v1/clients/?count=1000', port => 8081)->{clients} || []};

is($pull->{type}, 'srt-publish', 'who fetches is shown as a publisher');
is($pull->{ip}, '::1', 'its address is that of the peer');
is($pull->{tcUrl}, "srt://[::1]:$srt", 'its URL has no arguments');
ok($pull->{link}, 'how its way is, is known');

# refusals are told in words

my $log = $t->read_file('error.log');

like($log, qr/refused: the passphrase is wrong/, 'a wrong passphrase');
like($log, qr/refused: one side has a passphrase, the other/, 'a missing one');
like($log, qr/refused with 1409: conflict/, 'a name that is taken');
unlike($log, qr/sesame/, 'passphrases are in no log');

# peers that do not talk SRT, and those that are not there

my $noise = Test::Nginx::Player->flv('/noise/x.flv', port => 8081);

for my $app (qw/ junk quiet /) {
    my $s = time();
    my $p = Test::Nginx::Player->flv("/$app/x.flv", port => 8081);

    play_until(sub { $p->{closed} }, 5);
    ok($p->{closed} && time() - $s < 4 && !$p->video(),
        "who asks for what is not there is told so: $app");
    $p->drop();
}

like($edge->read_file('error.log'), qr/relay failed: nobody answers/,
    'nobody answers');
ok(play_until(sub { $edge->read_file('error.log')
    =~ /the peer sends no MPEG-TS/ }, 6), 'what is no MPEG-TS');

# the peer goes, and comes again

my $mark = $p{ext}->mark();

$t->stop_daemon($ffmpeg);
$ffmpeg = listener();

ok(play_until(sub { $p{ext}->video($mark) > 40 }, 12),
    'a peer that comes again is called again');
is($p{ext}->faults($clip, from => $mark, jumps => 1), '',
    'and the stream goes on');

# nobody wants it any more

$p{edge}->drop();

ok(wait_until(sub { !grep { $_->{url} eq '/edge/x' } @{$edge->api_get(
    '/api/v1/clients/?count=1000', port => 8081)->{clients} || []} }, 6),
    'what nobody plays is not fetched');

# the publisher goes: who gets it sees the end of it

$t->stop_daemon($encoder);
$sink->take();

ok(wait_until(sub { names() !~ /fwd\/x/ }, 10),
    'with the publisher what was sent ends');

wait_until(sub { $sink->take() }, 3);
$sink->drop();

is($sink->broken(), '', 'srt-live-transmit: no gaps');
is($sink->faults($clip), '', 'srt-live-transmit: every frame');
cmp_ok($sink->video(), '>', 50, 'srt-live-transmit: many of them');

# those that wait for an answer hold nobody

my $quiet = Test::Nginx::Player->flv('/quiet/y.flv', port => 8081);

play_until(sub { 0 }, 0.2);
players_drop();
$t->stop_daemons();

for ($edge, $t) {
    my $s = time();

    $_->stop();
    cmp_ok(time() - $s, '<', 8, 'the server stops');
}

# URLs that can not be

refused("srt://127.0.0.1:$srt?mode=listener", qr/mode=listener is for who is called/);
refused("srt://127.0.0.1:$srt?mode=rendezvous", qr/mode=rendezvous is not supp/);
refused("srt://127.0.0.1:$srt?latency=1s", qr/its latency must be a number of/);
refused("srt://127.0.0.1:$srt?passphrase=short",
    qr/its passphrase must have 10 to 79/);
refused("srt://127.0.0.1:$srt?latencyy=1", qr/no option of SRT/);
refused('srt://127.0.0.1', qr/port/);
refused("srt://me:you\@127.0.0.1:$srt", qr/it has a user/);

done_testing();

###############################################################################

sub listener {
    return $t->run_daemon(qw/ ffmpeg -hide_banner -nostdin -loglevel warning
        -re -stream_loop -1 -i /, $clip->{file}, qw/ -c copy -f mpegts /,
        "srt://127.0.0.1:$ports{2}?mode=listener&pkt_size=1316");
}

# What is published there.

sub names {
    my $json = $t->api_get('/api/v1/streams/?count=1000') || {};

    return join ' ', sort map { $_->{url} =~ s/^\///r }
        grep { $_->{publish}{active} } @{$json->{streams} || []};
}

# Answers whatever it gets with what is no SRT, or half of it.

sub junk {
    my ($port) = @_;

    my $s = IO::Socket::INET->new(Proto => 'udp', LocalPort => $port,
        LocalAddr => '127.0.0.1') or die "no socket: $!\n";

    while (defined recv($s, my $buf, 2000, 0)) {
        send($s, join('', map { chr rand 256 } 1 .. 100), 0);
        send($s, $buf, 0);
        send($s, substr($buf, 0, 20 + int rand 40), 0);
        send($s, "\x80" . substr($buf, 1, 15) . ("\xff" x 48), 0);
        send($s, '', 0);
    }
}

# No packets of TS.

sub noise {
    my ($port) = @_;

    my $s = IO::Socket::INET->new(Proto => 'udp', PeerPort => $port,
        PeerAddr => '127.0.0.1') or die "no socket: $!\n";

    while (1) {
        send($s, join('', map { chr rand 256 } 1 .. 1316), 0);
        sleep(0.02);
    }
}

sub refused {
    my ($url, $why) = @_;

    $t->write_file_expand('bad.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
events { }
media { forward "$url"; }
END_OF_CONF

    my ($status, $text) = $t->test_config('bad.conf');

    ok($status, "nginx -t: $url");
    like($text, $why, 'and says why');
}
