#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What a hostile HTTP client can do to live players and the API, beside a
# stream that must lose nothing: requests of all kinds, players that do not
# read, reset or half close, HTTP/2 with its windows and resets, many slow
# headers.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use IO::Socket::INET;
use Socket qw/ SOL_SOCKET SO_LINGER SO_SNDTIMEO /;
use Test::Nginx;
use Test::Nginx::Player;
use Test::Nginx::Torture;
use Test::RTMP;
use Time::HiRes qw/ time sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live http_v2 /);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
    worker_connections 1024;
}

media {
    zone           64m;
    republish_wait 1s;
    idle_timeout   1s;
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    client_header_timeout 3s;
    send_timeout          3s;

    server {
        listen 127.0.0.1:8080;

        location / {
            flv_live;
        }

        location /wait/ {
            flv_live;
            play_wait 2s;
        }

        location /slow/ {
            flv_live;
            limit_rate 10k;
        }

        location /api/ {
            media_api write;
        }
    }

    server {
        listen 127.0.0.1:8081 http2;

        location / {
            flv_live;
        }

        location /api/ {
            media_api;
        }
    }
}

EOF

$t->run();

my $was = workers_state($t);
my ($http, $h2) = (port(8080), port(8081));
my (@kept, $n);

$SIG{PIPE} = 'IGNORE';

healthy($t, rtmp => 2, flv => 5);

my %p = map { $_ => publisher($_, 'x', 5000) } qw/ live slow /;

###############################################################################

# header lines that never end, or come with a byte a second; new clients are
# served meanwhile

@kept = map { request("GET /live/x.flv HTTP/1.1\r\nHost: x\r\n") } 1 .. 300;
drip($t, 8080, 300, "GET /live/x.flv HTTP/1.1\r\nHost: x\r\nX: ");

attack('new clients beside 300 with a byte a second', sub {
    my ($half, $most) = newcomers(20, sub {
        my $s = request("GET /live/well.flv HTTP/1.1\r\nHost: x\r\n\r\n");
        my ($in, $end) = ('', time() + 3);

        sysread $s, $in, 65536, length $in
            while length $in < 4000 && IO::Select->new($s)
                ->can_read($end - time());

        return $in =~ / 200 .*\r\n\r\n.*FLV/s && length $in >= 4000;
    });

    note(sprintf 'to the first picture: %.1f ms for half of them, %.1f ms '
        . 'for the slowest', $half, $most);
    die "wrong: $half ms\n" if $half > 200;
});

attack('methods', sub {
    for my $method (qw/ GET HEAD POST PUT DELETE OPTIONS TRACE CONNECT PATCH
        FOO get /)
    {
        my $s = request("$method /live/x.flv HTTP/1.1\r\nHost: x\r\n"
            . "Content-Length: 5\r\n\r\nhello");
        flow(1);
        my $status = status($s);
        die "wrong: $method: $status\n" if ($status eq '200')
            != ($method =~ /^(GET|HEAD)$/ ? 1 : 0);
    }
});

attack('requests', sub {
    my $get = 'GET /live/x.flv HTTP/1.1' . "\r\nHost: x\r\n";

    for my $request (
        'GET /live/x.flv', "GET /live/x.flv HTTP/0.9\r\n\r\n",
        "GET /live/x.flv HTTP/1.0\r\n\r\n",
        "GET /live/x.flv HTTP/1.1\r\n\r\n",
        "${get}Range: bytes=0-10\r\n\r\n",
        "${get}Range: bytes=5-,1-2,-9\r\nIf-Range: x\r\n\r\n",
        "${get}If-None-Match: *\r\n\r\n",
        "${get}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "${get}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "${get}Content-Length: 999999999\r\n\r\n",
        "${get}Referer: " . 'r' x 4000 . "\r\n\r\n",
        "${get}X: " . 'y' x 60000 . "\r\n\r\n",
        "$get\r\n" x 50,
        'GET /live/' . 'a/' x 2000 . "x.flv HTTP/1.1\r\nHost: x\r\n\r\n",
        (map { "GET /$_ HTTP/1.1\r\nHost: x\r\n\r\n" }
            'live/%2e%2e/%2e%2e/etc/passwd.flv', 'live/a%00b.flv',
            'live/a%0d%0ab.flv', 'live/' . '%61' x 2000 . '.flv',
            'live/.flv', '.flv', 'a.hls.b/c.hls.d.flv',
            'live/x.flv?vhost=../&onlyaudio=1&onlyvideo=1&hevc=legacy',
            'live/x.flv?' . 'a=b&' x 1000, 'wait/nobody.flv',
            'slow/x.flv'))
    {
        my $s = request($request);
        flow(1);
        drain($s, 0.03);
        shutdown $s, 1;
        push @kept, $s if @kept % 2;
    }
});

attack('players that reset, half close, do not read', sub {
    for my $round (1 .. 4) {
        my @s = map { request("GET /live/x.flv HTTP/1." . $_ % 2
            . "\r\nHost: x\r\n\r\n") } 1 .. 30;

        flow(10, 20000);

        for my $i (0 .. $#s) {
            setsockopt($s[$i], SOL_SOCKET, SO_LINGER, pack('ii', 1, 0))
                if $i % 3 == 0;
            shutdown $s[$i], 1 if $i % 3 == 1;
            push @kept, $s[$i] if $i % 3 == 2;
        }
    }

    flow(20, 100000);
});

attack('more than a player can take', sub {
    my @s = map { request("GET /$_/x.flv HTTP/1.1\r\nHost: x\r\n\r\n") }
        (qw/ live slow /) x 4;

    flow(200, 100000, 0);
    push @kept, @s;

    my ($most) = sort { $b <=> $a } map { anonymous($_) } $t->workers();

    note("at most $most KB in a worker");
    die "wrong: $most KB in a worker\n"
        if $most > 150000 && !$t->has_module('sanitizer');
});

###############################################################################

attack('HTTP/2', sub {
    for my $round (1 .. 6) {
        my @s = map { h2($_) } pack('nN', 4, 65535), pack('nN', 4, 0),
            pack('nN', 4, 0x7fffffff), '';

        for my $s (@s) {
            syswrite $s, join '', map { frame(1, 5, 1 + 2 * $_,
                fields('/live/x.flv', $_ % 9 ? 'GET' : 'HEAD')) } 0 .. 40;
        }

        flow(3);

        # resets of all, more streams, windows that are too large or broken

        syswrite $s[0], join '', map { frame(3, 0, 1 + 2 * $_,
            pack('N', 8)) } 0 .. 40;
        syswrite $s[3], join '', map { frame(3, 0, 1 + 2 * $_, pack('N', 8))
            . frame(1, 5, 101 + 2 * $_, fields('/live/x.flv', 'GET')) }
            0 .. 40;
        flow(3);
        drain($_, 0.02) for @s;
        syswrite $s[2], frame(8, 0, 0, pack('N', 0x7fffffff - 65535))
            . frame(8, 0, 3, pack('N', 0)) . frame(0, 0, 5, 'x');
        syswrite $s[1], $round % 2 ? junk(200)
            : frame(7, 0, 0, pack('NN', 0, 0));
        flow(2);
        push @kept, $s[1];
    }
});

attack('the API', sub {
    for my $uri ('clients/zzz', 'clients/%00', 'clients/?start=-1&count='
        . '9' x 20, 'streams/?count=4294967296', 'streams/' . 'x' x 3000,
        'vhosts/?callback=alert(1)', 'vhosts/?callback=' . 'x' x 3000,
        'summaries?callback=%0d%0aX', 'clients/?callback=a&method=DELETE',
        '../../x', 'streams/?start=abc')
    {
        my $s = request("GET /api/v1/$uri HTTP/1.1\r\nHost: x\r\n"
            . "Connection: close\r\n\r\n");
        my $in = drain($s, 1);
        die "wrong: $uri: $in\n" unless $in =~ m!^HTTP/1.1 (200|30\d|40\d) !;
        die "wrong: $uri: a header of its own\n" if $in =~ /^X\r?$/m;
    }

    for my $method (qw/ DELETE POST PUT OPTIONS FOO /) {
        request("$method /api/v1/clients/nobody HTTP/1.1\r\nHost: x\r\n"
            . "Content-Length: 3\r\n\r\n{}x");
    }

    my @s = map { request("GET /api/v1/" . (qw! clients/ streams/ summaries
        vhosts/ !)[$_ % 4] . " HTTP/1.1\r\nHost: x\r\n\r\n" x 1) }
        1 .. 200;
    flow(2);
    drain($_, 0.02) for @s[0 .. 20];
});

# publishers that come and go under their players

attack('a publisher that comes and goes', sub {
    for my $i (1 .. 15) {
        my $p = publisher('live', 'gone', 20000);
        my @s = map { request("GET /live/gone.flv HTTP/1.1\r\nHost: x\r\n\r\n")
            } 1 .. 6;
        $p->video(40, "\x17\x02\0\0\0") if $i % 3 == 0;
        $p->video(40, Test::RTMP::avc_inter(2, 1000 * $i));
        drain($s[0], 0.02);
        $p->close();
        push @kept, $s[1];
    }
});

###############################################################################

my $s = request("GET /live/x.flv HTTP/1.1\r\nHost: x\r\n\r\n");
flow(2);
is(status($s), 200, 'a new player is served');
close $s;

ok(wait_until(sub {
    flow(1);
    return !grep { !drain($_, 0.0001) && !eof_seen($_) } @kept[0 .. 299];
}, 10), 'requests that do not go on are cut');

my ($cut, $after) = drip_end($t, 8080);
is($cut, 300, "with a byte a second too, the last one after $after s");

close $_ for @kept;
$_->close() for values %p;

is(healthy_end($t), '', 'the stream beside lost nothing');
is(workers_back($t, $was), '', 'all is given back');
unlike($t->read_file('error.log'), qr/\[(crit|alert|emerg)\]|on signal/,
    'nothing worse in the log');

done_testing();

###############################################################################

sub request {
    my ($text) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $http, Timeout => 3) or die "can't connect: $!\n";
    setsockopt($s, SOL_SOCKET, SO_SNDTIMEO, pack('l!l!', 1, 0));
    syswrite $s, $text;
    return $s;
}

# the next pictures of the streams that are attacked

sub flow {
    my ($count, $size, $step) = @_;

    for (1 .. $count) {
        $n++;

        for my $p (values %p) {
            $p->video(defined $step ? 0 : $n * 40, $n % 20
                ? Test::RTMP::avc_inter($n, $size || 1000)
                : Test::RTMP::avc_key($n, $size || 1000));
            $p->audio($n * 40, Test::RTMP::aac_frame($n));
        }

        discard(values %p) if $n % 10 == 0;
    }

    discard(values %p);
}

sub drain {
    my ($s, $timeout) = @_;

    my $end = time() + $timeout;
    my $in = '';

    while ((my $left = $end - time()) > 0) {
        last unless IO::Select->new($s)->can_read($left);
        last unless sysread $s, $in, 65536, length $in;
    }

    return $in;
}

sub status { return drain($_[0], 0.3) =~ m!^HTTP/1\.\d (\d+)! ? $1 : 0 }

sub eof_seen {
    my ($s) = @_;

    return IO::Select->new($s)->can_read(0) && !sysread $s, my $in, 1;
}

sub anonymous {
    open my $fh, '<', "/proc/$_[0]/status" or return 0;
    local $/;
    return <$fh> =~ /RssAnon:\s+(\d+)/ ? $1 : 0;
}

###############################################################################

# HTTP/2 by hand: a connection with these settings, a frame, header fields

sub h2 {
    my ($settings) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $h2,
        Timeout => 3) or die "can't connect: $!\n";
    setsockopt($s, SOL_SOCKET, SO_SNDTIMEO, pack('l!l!', 1, 0));
    syswrite $s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        . frame(4, 0, 0, $settings);
    return $s;
}

sub frame {
    my ($type, $flags, $id, $payload) = @_;

    return substr(pack('N', length $payload), 1) . chr($type) . chr($flags)
        . pack('N', $id) . $payload;
}

sub fields {
    my ($path, $method) = @_;

    return join '', map { "\0" . pack('C/a*C/a*', @$_) }
        [':method', $method], [':scheme', 'http'], [':path', $path],
        [':authority', 'x'];
}

###############################################################################
