#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# RTMPS: rtmp { } behind "listen ... ssl", alone and beside plain RTMP.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ stream rtmp stream_ssl /)
    ->has_daemon(qw/ ffmpeg ffprobe openssl /)->plan(7);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes %%WORKERS%%;

events {
}

media {
    republish_wait 1s;
    idle_timeout   10s;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    ssl_certificate     localhost.crt;
    ssl_certificate_key localhost.key;

    server {
        listen 127.0.0.1:%%PORT_1936%% ssl;
        rtmp { }
    }

    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

EOF

$t->write_cert('localhost');
$t->run();

my $d = $t->testdir();
my $plain = port(1935);
my $ssl = port(1936);

###############################################################################

my @players = (
    player("rtmps://127.0.0.1:$ssl/live/s", 'ssl.flv'),
    player("rtmp://127.0.0.1:$plain/live/s", 'plain.flv')
);

wait_until(sub {
    my @seen = ($t->read_file('error.log') || '')
        =~ /client 127\.0\.0\.1:\d+ connected/g;
    return @seen >= 2;
}, 10);

my $p = $t->publish("rtmps://127.0.0.1:$ssl/live/s", duration => 4);

is($t->wait_daemon($p, 30), 0, 'publish over TLS');
is($t->wait_daemon($players[0], 15), 0, 'play over TLS');
is($t->wait_daemon($players[1], 15), 0, 'play without');

is(frames("$d/ssl.flv"), 100, 'TLS, frames');
is(frames("$d/plain.flv"), 100, 'plain, frames');

# frames that are larger than a TLS record, and a stop in the middle of one

SKIP: {
    skip 'no IO::Socket::SSL', 2 unless eval { require IO::Socket::SSL };

    my $pub = Test::RTMP->new($plain, chunk => 60000)->connect('live');
    $pub->publish('large');
    $pub->video(0, Test::RTMP::avc_config());
    $pub->video(40, Test::RTMP::avc_key(1, 500000));

    my $c = Test::RTMP->new($ssl, socket => IO::Socket::SSL->new(
        PeerAddr => '127.0.0.1', PeerPort => $ssl,
        SSL_verify_mode => 0))->connect('live');

    $c->play('large');
    $c->read_video();
    my $m = $c->read_video();
    ok($m && $m->{body} eq Test::RTMP::avc_key(1, 500000), 'large frame');

    $pub->video(80, Test::RTMP::avc_key(2, 5000000));
    $c->command_on($c->{msid}, 'closeStream', 0, undef);
    ok($c->status('NetStream.Play.Stop'), 'closeStream in a frame');
}

###############################################################################

sub player {
    my ($url, $name) = @_;

    return $t->run_daemon('ffmpeg', qw/ -nostdin -loglevel error -y -i /,
        $url, qw/ -c copy -f flv /, "$d/$name");
}

sub frames {
    my ($file) = @_;

    my $n = `ffprobe -v error -count_frames -select_streams v \\
        -show_entries stream=nb_read_frames -of csv=p=0 $file 2>&1`;
    $n =~ s/\s+//g;

    return $n;
}

###############################################################################
