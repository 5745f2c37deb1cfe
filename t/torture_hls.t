#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What a hostile HTTP client can do to HLS, beside streams that must lose
# nothing: names and queries of all kinds, thousands of requests that wait,
# clients that do not read, reset or go away, HTTP/2.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Player;
use Test::Nginx::Torture;

use IO::Select;
use IO::Socket::INET;
use Socket qw/ SOL_SOCKET SO_LINGER SO_RCVBUF /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_v2 stream rtmp flv_live hls/)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes 4;

events {
    worker_connections 2048;
}

media {
    zone           128m;
    republish_wait 1s;
    idle_timeout   1s;

    application live { hls_part 300ms; hls_fragment 1s; hls_window 10s; }
    application who { hls_session on; hls_fragment 1s; hls_window 3s; }
}

stream {
    server { listen 127.0.0.1:%%PORT_1935%%; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    send_timeout 2s;

    server {
        listen 127.0.0.1:8080 backlog=4096;
        listen 127.0.0.1:8082 http2;

        location / { hls; flv_live; }
        location /slow/ { hls; limit_rate 2k; }
        location /wait/ { hls; play_wait 1s; }
        location /api/ { media_api write; }
    }
}
END_OF_CONF

$t->run();

my $was = workers_state($t);
my $rtmp = 'rtmp://127.0.0.1:' . port(1935);
my $uri = '/live/x.hls.0.m3u8';
my $seed = 815;

healthy($t, rtmp => 2, flv => 2);

my @publishers = map { $t->publish("$rtmp/$_", gop => 25) }
    'live/x', 'who/x', 'slow/x';

ok(hls_live($uri, 3), 'live');

attack('names', sub {
    my @parts = ('x', '.hls.', 'm3u8', '.', '..', '0', '99999999999999999999',
        '-1', 'm4s', 'ts', 'init.mp4', 'key.', 'v0', 'a9', '%00', '%ff', '%2f',
        'hls', '/', 'mpd', '4294967295', '?', '&', '_HLS_msn=', ' ');

    for my $n (1 .. 600) {
        my $name = join '', map { $parts[rnd(scalar @parts)] } 1 .. 1 + rnd(7);
        my $a = get("/live/$name");
        die "wrong: $name: $a->{status}\n"
            if $a->{status} >= 500 || !$a->{status};
    }
});

attack('queries', sub {
    my @parts = ('_HLS_msn=', '_HLS_part=', '_HLS_skip=', 'YES', 'v2', '1',
        '18446744073709551615', '18446744073709551616', '-5', '&', '=',
        'start=', '2026-11-20T14:09:17Z', 'hls_ctx=', 'vhost=', 'a' x 300,
        '%', '%zz', 'v=', '"', 'domain=x', ';');

    for my $n (1 .. 600) {
        my $q = join '', map { $parts[rnd(scalar @parts)] } 1 .. 1 + rnd(8);
        my $app = ('live', 'who')[$n % 2];
        my $a = get("/$app/x.m3u8?$q", timeout => 5);
        die "wrong: $q: $a->{status}\n"
            if $a->{status} >= 500 || !$a->{status};
        die "wrong: $q: a line that is broken\n"
            if $a->{status} == 200 && $a->{body} =~ /URI="[^"]*"[^,\n]/;
    }
});

attack('2000 wait', sub {
    my $p = playlist($uri);
    my @all;

    for my $n (1 .. 2000) {
        my $a = start_get("$uri?_HLS_msn=" . ($p->{next_msn} + 1)
            . '&_HLS_part=' . $n % 4);
        push @all, $a if $a->{socket};
    }

    die "wrong: only " . @all . " connections\n" if @all < 2000;

    my $good = grep { end_get($_, timeout => 10)->{status} == 200 } @all;
    die "wrong: $good of 2000 are answered\n" if $good != 2000;
});

attack('clients that go while they wait', sub {
    for my $round (1 .. 5) {
        my $p = playlist($uri);
        my @all = map { start_get("$uri?_HLS_msn=" . ($p->{next_msn} + 1)) }
            1 .. 200;

        for my $n (0 .. $#all) {
            setsockopt($all[$n]{socket}, SOL_SOCKET, SO_LINGER,
                pack('ii', 1, 0)) if $n % 2;
            close $all[$n]{socket};
        }
    }
    die "wrong: it does not answer\n" if get($uri)->{status} != 200;
});

attack('requests behind requests', sub {
    my $p = playlist($uri);
    my $s = connected();
    my $n = 30;

    for my $i (1 .. $n) {
        print $s "GET $uri?_HLS_msn=" . ($p->{next_msn} + ($i > 15 ? 1 : 0))
            . " HTTP/1.1\r\nHost: x\r\n"
            . ($i == $n ? "Connection: close\r\n" : '') . "\r\n";
    }

    my $reply = http_end($s, timeout => 10);
    my $got = () = $reply =~ m!^HTTP/1.1 200!mg;

    die "wrong: $got of $n answers\n" if $got != $n;
});

attack('clients that do not read', sub {
    my (@all, $last);

    for my $n (0 .. 99) {
        $last = playlist($uri)->{segments}[-1]{uri} if $n % 20 == 0;

        my $s = connected(rcvbuf => 2048);
        print $s "GET /live/$last HTTP/1.1\r\nHost: x\r\n\r\n" x 50;
        push @all, $s;
    }

    sleep 4;
    close $_ for @all;
    die "wrong: it does not answer\n" if get($uri)->{status} != 200;
});

attack('slow ones', sub {
    my $p = playlist('/slow/x.hls.0.m3u8');
    my @all = map { start_get("/slow/$p->{segments}[-1]{uri}") } 1 .. 50;

    sleep 2;
    close $_->{socket} for @all;
});

attack('viewers', sub {
    my %ids;

    for my $n (1 .. 300) {
        my $a = get('/who/x.m3u8');
        $ids{$1} = 1 if $a->{body} =~ /hls_ctx=(\w{8})/;
    }

    die 'wrong: ' . keys(%ids) . " ids\n" if keys %ids != 300;

    get('/who/x.m3u8?hls_ctx=' . join '', map { chr 97 + rnd(26) } 1 .. 8)
        for 1 .. 100;
});

attack('methods and headers', sub {
    for my $method (qw/ POST PUT DELETE TRACE CONNECT PATCH FOO get /) {
        my $a = get($uri, method => $method);
        die "wrong: $method: $a->{status}\n"
            unless $a->{status} =~ /^(400|405|501)$/;
    }

    my $p = playlist($uri);
    my $path = "/live/$p->{segments}[-1]{uri}";

    for my $range ('bytes=0-', 'bytes=-1', 'bytes=5-1', 'bytes=0-0,2-2,4-4',
        'bytes=' . join(',', map { "$_-$_" } 1 .. 400),
        'bytes=99999999999999999999-', 'bytes=0-' . '9' x 400, 'lines=1-2')
    {
        my $a = get($path, header => { Range => $range });
        die "wrong: $range: $a->{status}\n"
            unless $a->{status} =~ /^(200|206|416)$/;
    }

    for my $h ([ 'If-None-Match', '*' ], [ 'If-None-Match', '"x' x 300 ],
        [ 'Accept-Encoding', 'gzip;q=0' ], [ 'Accept-Encoding', 'gzip' ],
        [ 'If-Range', '"' ], [ 'If-Modified-Since', 'never' ])
    {
        my $a = get($path, header => { $h->[0] => $h->[1] });
        die "wrong: $h->[0]: $a->{status}\n"
            unless $a->{status} =~ /^(200|304)$/;
    }
});

attack('HTTP/2: streams that are reset while they wait', sub {
    for my $round (1 .. 20) {
        my $p = playlist($uri);
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8082))
            or die "wrong: no connection\n";

        print $s "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '');

        for my $n (0 .. 49) {
            my $path = "$uri?_HLS_msn=" . ($p->{next_msn} + 1);
            my $block = "\x82\x86" . literal(':path', $path)
                . literal(':authority', 'x');
            print $s frame(1, 5, 2 * $n + 1, $block);
        }

        print $s frame(3, 0, 2 * $_ + 1, pack 'N', 8) for grep { $_ % 3 }
            0 .. 49;

        sleep 0.05;
        close $s if $round % 2;
        http_end($s, timeout => 0.2) unless $round % 2;
    }
    die "wrong: it does not answer\n" if get($uri)->{status} != 200;
});

is(checked('/live/x.m3u8', '--seconds=6', '--ll'), '', 'the stream is well');

is(healthy_end($t), '', 'the stream beside lost nothing');

$t->stop_daemon($_) for @publishers;

# a worker keeps what it knows of an output for 30 s

wait_until(sub { (arena($t)->{sources} // 1) == 0 }, 45);

is(workers_back($t, $was), '', 'everything is given back');

done_testing();

###############################################################################

sub rnd {
    my ($n) = @_;
    $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
    return ($seed >> 8) % $n;
}

sub connected {
    my (%o) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8080))
        or die "wrong: no connection\n";

    setsockopt($s, SOL_SOCKET, SO_RCVBUF, pack 'i', $o{rcvbuf}) if $o{rcvbuf};
    $s->autoflush(1);

    return $s;
}

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return pack('CnCCN', length($payload) >> 16, length($payload) & 0xffff,
        $type, $flags, $stream) . $payload;
}

sub literal {
    my ($name, $value) = @_;
    return "\x00" . join '', map { chr(length $_) . $_ } $name, $value;
}
