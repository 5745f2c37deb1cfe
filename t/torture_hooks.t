#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Hooks whose back end is slow or hostile, and clients that make use of it:
# answers that are none, names and redirects of all kinds, floods of publishes
# and players that wait or leave, reloads and the death of a worker meanwhile.
# A stream beside, which has no hooks, loses nothing.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Hook;
use Test::Nginx::Player;
use Test::Nginx::Torture;
use Test::RTMP;

use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Socket qw/ SOL_SOCKET SO_LINGER /;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls http_v2 /);

my @informed = map { "on_$_ http://127.0.0.1:8087/$_;" }
    qw/ unpublish stop close /;

$t->write_file_expand('nginx.conf', <<"EOC");

%%TEST_GLOBALS%%

daemon off;
worker_processes 4;

events {
    worker_connections 4096;
}

media {
    zone            64m;
    republish_wait  1s;
    idle_timeout    1s;
    publish_timeout 20s 20s;
    hls_fragment    1s;
    hls_window      3s;

    application bad {
        on_publish http://127.0.0.1:8085/x;
        on_play    http://127.0.0.1:8085/x;
        hook_timeout 600ms;
    }

    application slow {
        on_publish http://127.0.0.1:8086/publish;
        on_play    http://127.0.0.1:8086/play;
        hook_timeout 20s;
    }

    application deaf {
        on_publish http://127.0.0.1:8088/publish;
        on_play    http://127.0.0.1:8088/play;
        hook_timeout 700ms;
        hook_retry 1;
    }

    application few {
        on_play     http://127.0.0.1:8086/play;
        max_players 10;
        hook_timeout 20s;
    }

    application told {
        on_connect http://127.0.0.1:8087/connect;
        on_publish http://127.0.0.1:8087/publish;
        on_play    http://127.0.0.1:8087/play;
        @informed
        hook_timeout 20s;
    }
}

stream {
    %%TEST_GLOBALS_STREAM%%

    server {
        listen 127.0.0.1:%%PORT_1935%% backlog=4096;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080 backlog=4096;
        listen 127.0.0.1:8082 http2;

        location / {
            flv_live;
            hls;
        }

        location /push/ {
            flv_live_push on;
        }

        location /api/ {
            media_api write;
        }
    }
}

EOC

my $bad = Test::Nginx::Hook->new($t, port(8085));
my $told = Test::Nginx::Hook->new($t, port(8087));
my $delay = $t->testdir() . '/delay';
my $seed = 1507;

delayed(0);
$t->run_daemon(\&slow_back_end, port(8086), $delay);
$t->waitforsocket('127.0.0.1:' . port(8086)) or die "no back end\n";

$t->run();

$SIG{PIPE} = 'IGNORE';

my $was = workers_state($t);

healthy($t, rtmp => 2, flv => 3);

###############################################################################

# what is no answer

my $deep = '[' x 50000;

my %garbage = (
    'bytes' => junk(3000),
    'half a status' => 'HTTP/1.1 2',
    'status 0' => "HTTP/1.1 000 \r\n\r\n0",
    'a status of six digits' => "HTTP/1.1 200000 OK\r\n\r\n0",
    '100 without end' => "HTTP/1.1 100 Continue\r\n\r\n" x 20000,
    'headers without end' => "HTTP/1.1 200 OK\r\n" . "X: y\r\n" x 100000,
    'a header of 1 MB' => "HTTP/1.1 200 OK\r\nX: " . 'y' x 1000000 . "\r\n\r\n",
    'a length that lies' => "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n0",
    'a length below 0' => "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n0",
    'chunks that lie' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        . "ffffffffffffffff\r\n0\r\n",
    '5 MB of 0' => answer('0' . ' ' x 5000000),
    'nested' => answer($deep . ']' x 50000),
    'nested data' => answer('{"code":0,"data":' . '{"a":' x 5000 . '1'
        . '}' x 5001),
    'a key of 60 KB' => answer('{"' . 'k' x 60000 . '":0}'),
    'half a JSON' => answer('{"code":0,"data":{"stream":"x'),
    'half a surrogate' => answer('{"code":0,"data":{"stream":"\ud800"}}'),
    'a code of many digits' => answer('{"code":' . '0' x 60000 . '}'),
    'a code with an exponent' => answer('{"code":0e999999999}'),
    'two codes' => answer('{"code":0,"code":1}'),
    'NUL' => answer("{\"code\":0}\0"),
);

attack('answers that are none', sub {
    for my $name (sort keys %garbage) {
        $bad->answer('/x', raw => $garbage{$name});

        my @got = (publish_status('bad', 'x'), flv_status('/bad/x.flv'),
            get('/bad/x.m3u8', timeout => 5)->{status});

        die "wrong: $name: @got\n" if "@got" !~ /^403 403 (403|404)$/;
    }
});

attack('answers of chance', sub {
    my @parts = ('{', '}', '"code"', ':', '0', ',', '"data"', '{', '"stream"',
        '"x"', '"\u0000"', '[', ']', 'true', 'null', '-1', '1e9', '"lifetime"',
        '"redirect"', '""', "\\", ' ', '{"code":0,"data":{', '}}');

    for my $n (1 .. 150) {
        $bad->answer('/x', body => join '', map { $parts[rnd(scalar @parts)] }
            1 .. 1 + rnd(9));
        publish_status('bad', 'x');
        flv_status('/bad/x.flv') if $n % 4 == 0;
    }
});

attack('names and redirects', sub {
    for my $name ('', '..', '../x', "a\r\nSet-Cookie: x", "a\0b", 'n' x 5000,
        "\x{fffd}\x{7f}", '/', 'a/../../b', '%2e%2e', ' ', '"', '<x>', 'x?y=z',
        "\n" x 600, 'x.m3u8')
    {
        $bad->answer('/x', body => encode_json({ code => 0,
            data => { stream => $name, lifetime => 3 } }));

        my $a = get('/bad/x.m3u8', timeout => 3);

        publish_status('bad', 'x');
        flv_status('/bad/x.flv');
        die "wrong: $name: $a->{header}{'set-cookie'}\n"
            if $a->{header}{'set-cookie'};

        $bad->answer('/x', body => encode_json({ code => 0,
            data => { redirect => $name } }));

        for my $uri ('/bad/x.m3u8', '/bad/x.flv') {
            $a = get($uri, timeout => 3);

            die "wrong: redirect to $name: $a->{status}\n"
                if $a->{header}{'set-cookie'}
                || $a->{status} == 200 && $name ne '';
        }

        publish_status('bad', 'x');
    }

    for my $time (0, -1, 1e-9, '1e400', 99999999999999999999, '"5"', 'null') {
        $bad->answer('/x', body => qq/{"code":0,"data":{"lifetime":$time}}/);

        my $got = publish_status('bad', 'x');
        die "wrong: lifetime $time: $got\n" if $got !~ /^(200|0|403)$/;
    }
});

###############################################################################

# clients that leave while they are asked about

attack('clients that leave', sub {
    delayed(15);

    my $p = "POST /push/slow/%s.flv HTTP/1.1\r\nHost: x\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n"
        . "d\r\nFLV\1\5\0\0\0\x09\0\0\0\0\r\n";
    my $g = "GET /slow/%s HTTP/1.1\r\nHost: x\r\n\r\n";

    my @s = map { (http_start(sprintf $p, "p$_"),
        http_start(sprintf $g, "x$_.flv"), http_start(sprintf $g, "x$_.m3u8"),
        rtmp_start('publish', "r$_"), rtmp_start('play', "r$_")) } 1 .. 100;

    sleep 1;

    my $n = arena($t)->{clients};
    note("$n clients");

    for my $i (0 .. $#s) {
        setsockopt($s[$i], SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0) if $i % 2;
        close $s[$i];
    }

    # those beside are 6

    die 'wrong: ' . arena($t)->{clients} . " are still there\n"
        unless wait_until(sub { (arena($t)->{clients} // 99) <= 6 }, 6);
});

attack('streams of HTTP/2 that leave', sub {
    my @s = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8082))
        or die "no connection\n" } 1 .. 10;

    for my $s (@s) {
        print $s "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '');

        for my $n (0 .. 59) {
            my ($method, $path) = $n % 2 ? ('POST', "/push/slow/h$n.flv")
                : ('GET', '/slow/x.' . ($n % 4 ? 'flv' : 'm3u8'));

            print $s frame(1, $n % 2 ? 4 : 5, 2 * $n + 1, join '',
                map { "\0" . pack 'C/a*C/a*', @$_ } [ ':method', $method ],
                [ ':path', $path ], [ ':scheme', 'http' ],
                [ ':authority', 'x' ]);
        }
    }

    sleep 1;

    for my $s (@s) {
        print $s frame(3, 0, 2 * $_ + 1, pack 'N', 8) for 0 .. 59;
    }

    die 'wrong: ' . arena($t)->{clients} . " are still there\n"
        unless wait_until(sub { (arena($t)->{clients} // 99) <= 6 }, 6);

    close $_ for @s;
});

# those that are cancelled while they connect, and those whose time is over

attack('a back end that takes no connections', sub {
    my $listen = IO::Socket::INET->new(Listen => 1, ReuseAddr => 1,
        LocalAddr => '127.0.0.1:' . port(8088)) or die "listen: $!\n";
    my @full = map { IO::Socket::INET->new(Blocking => 0,
        PeerAddr => '127.0.0.1:' . port(8088)) } 1 .. 8;

    for my $round (1 .. 3) {
        my @s = map { http_start("GET /deaf/x." . (qw/ flv m3u8 /)[$_ % 2]
            . " HTTP/1.1\r\nHost: x\r\n\r\n") } 1 .. 120;
        my @gone = splice @s, 0, 60;

        sleep 0.3;
        close $_ for @gone;

        my %got;

        $got{$_}++ for statuses(10, @s);
        close $_ for @s;

        my $said = join ' ', map { "$_: $got{$_}" } sort keys %got;
        die "wrong: $said\n" if $said ne '403: 60';
    }

    close $_ for @full;
});

attack('publishes and players while the back end is slow', sub {
    delayed(3);

    my ($begin, $slow, %got) = (time(), 0);
    my @s;

    for my $n (1 .. 1500) {
        push @s, http_start($n % 3 ? "POST /push/slow/f$n.flv HTTP/1.1\r\n"
            . "Host: x\r\nContent-Length: 13\r\n\r\nFLV\1\5\0\0\0\x09\0\0\0\0"
            : "GET /slow/f$n.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n");

        next if $n % 100;

        my $asked = time();

        arena($t);
        $slow = time() - $asked if $slow < time() - $asked;
    }

    my $took = time() - $begin;

    $got{$_}++ for statuses(25, @s);
    close $_ for @s;

    my $said = join ' ', map { "$_: $got{$_}" } sort keys %got;

    note(sprintf '%d in %.1f s, the API within %d ms, %s', scalar @s, $took,
        1000 * $slow, $said);
    die "wrong: $said\n" if grep { !/^(200|403|404)$/ } keys %got;
    die "wrong: the API took $slow s\n" if $slow > 2;
});

attack('more players than may, while the back end is slow', sub {
    delayed(1);

    my $p = publisher('few', 'x');
    my $get = "GET /few/x.flv HTTP/1.1\r\nHost: x\r\n\r\n";

    # those who leave give their place back, asked about or not

    for my $round (1 .. 3) {
        my @s = map { http_start($get) } 1 .. 60;
        my %got;

        sleep 0.2 if $round == 2;

        if ($round != 2) {
            $got{$_}++ for statuses(10, @s);

            my $said = join ' ', map { "$_: $got{$_}" } sort keys %got;
            die "wrong: $said\n" if $said ne '200: 10 403: 50';
        }

        close $_ for @s;
        die 'wrong: ' . arena($t)->{clients} . " are still there\n"
            unless wait_until(sub { (arena($t)->{clients} // 99) <= 7 }, 6);
    }

    my @s = map { http_start("GET /few/x.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n") }
        1 .. 60;
    my $in = grep { $_ == 200 } statuses(10, @s);

    note("$in viewers of HLS");
    die "wrong: $in viewers\n" if $in > 10;

    close $_ for @s;
    $p->close();
});

is(healthy_end($t), '', 'the stream beside lost nothing');

ok(wait_until(sub { my $a = arena($t); exists $a->{clients} && !$a->{clients}
    && !$a->{sources} }, 60), 'clients are gone');

# connections to a back end are kept for 20 seconds

ok(wait_until(sub { !grep { fds($_) > $was->{fds}{$_} } $t->workers() }, 90),
    'connections too');
is(workers_back($t, $was), '', 'everything is given back');

###############################################################################

# a reload and the death of a worker while questions are under way

delayed(2);

my @s = map { (http_start("GET /slow/none$_.flv HTTP/1.1\r\nHost: x\r\n\r\n"),
    http_start("GET /slow/none$_.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n")) } 1 .. 100;
my @c = map { rtmp_start('play', "none$_") } 1 .. 20;

$t->reload();

is(join(' ', grep { $_ != 404 } statuses(10, @s)), '',
    'a reload: who was asked about has an answer');
is(scalar(grep { /NetStream.Play/ } texts(8, @c)), 20, 'RTMP too');

close $_ for @s, @c;

$told->forget();

my @live = map { publish('told', "t$_") } 1 .. 8;
my @play = map { play('told', "t$_") } 1 .. 8;

is(scalar($told->wait_for('/play', 8)), 8, 'publishers and players');

for my $pid ($t->workers()) {
    $t->{_killed}{$pid} = 1;
    kill 'KILL', $pid;
    sleep 1;
}

my %asked = map { $_->{json}{client_id} => $_->{path} }
    map { $told->requests($_) } '/publish', '/play';

wait_until(sub { $told->requests('/unpublish') >= 8
    && $told->requests('/stop') >= 8 }, 20);

for my $case ([ '/unpublish', '/publish' ], [ '/stop', '/play' ]) {
    my ($path, $of) = @$case;
    my %ended;

    $ended{$_->{json}{client_id}}++ for $told->requests($path);

    is(join(' ', sort keys %ended), join(' ', sort grep { $asked{$_} eq $of }
        keys %asked), "$path: each of those whose worker died");
    is(join(' ', grep { $_ > 1 } values %ended), '', "$path: once");
}

$_->close() for @live, @play;

$t->stop();

done_testing();

###############################################################################

sub answer {
    my ($body) = @_;

    return "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\n\r\n"
        . $body;
}

sub rnd {
    my ($n) = @_;

    $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;

    return ($seed >> 8) % $n;
}

sub frame {
    my ($type, $flags, $id, $payload) = @_;

    return substr(pack('N', length $payload), 1) . chr($type) . chr($flags)
        . pack('N', $id) . $payload;
}

# How long the slow back end waits with its answers.

sub delayed {
    my ($seconds) = @_;

    open my $fh, '>', "$delay.new" or die "$delay: $!\n";
    print $fh $seconds;
    close $fh;
    rename "$delay.new", $delay;
}

sub publish {
    my ($app, $name) = @_;

    my $c = client($app);

    $c->publish($name) or die "wrong: $name is not published\n";

    return $c;
}

sub play {
    my ($app, $name) = @_;

    my $c = client($app);

    $c->play($name, expect => 'nothing');

    return $c;
}

# An RTMP client that has asked and does not wait.

sub rtmp_start {
    my ($command, $name) = @_;

    my $c = client('slow');

    $c->create_stream();
    $c->command_on($c->{msid}, $command, 0, undef, $name);

    return $c->{socket};
}

# 200, 403, or 0: the publish was answered otherwise, or not.

sub publish_status {
    my ($app, $name) = @_;

    my $c = client($app);

    $c->create_stream();
    $c->command_on($c->{msid}, 'publish', 0, undef, $name, 'live');

    my $m = $c->expect(sub { ($_[0]{values}[0] // '') eq 'onStatus' }, 5);
    my ($info) = $m ? grep { ref $_ eq 'HASH' } @{$m->{values}} : {};
    my $code = $info->{code} // '';

    $c->close();

    return $code =~ /Publish.Start/ ? 200 : $code =~ /Denied/ ? 403 : 0;
}

sub flv_status {
    my ($uri) = @_;

    my $s = http_start("GET $uri HTTP/1.1\r\nHost: x\r\n\r\n");
    my ($status) = statuses(5, $s);

    close $s;
    return $status;
}

sub fds { my @fds = glob "/proc/$_[0]/fd/*"; return scalar @fds }

# The beginning of what each of them is sent within so many seconds.

sub texts {
    my ($seconds, @sockets) = @_;

    my $end = time() + $seconds;
    my $select = IO::Select->new(@sockets);
    my %in = map { $_ => '' } @sockets;

    while ($select->count() && time() < $end) {
        for my $s ($select->can_read($end - time())) {
            my $n = sysread $s, $in{$s}, 65536, length $in{$s};

            $select->remove($s) if !$n || $in{$s} =~ m!^HTTP/1|NetStream\.!;
        }
    }

    return map { $in{$_} } @sockets;
}

sub statuses {
    my ($seconds, @sockets) = @_;

    return map { m!^HTTP/1.1 (\d+)! ? $1 : 0 } texts($seconds, @sockets);
}

# Answers each request with 0, when its time has come.

sub slow_back_end {
    my ($port, $file) = @_;

    my $listen = IO::Socket::INET->new(Listen => 4096, ReuseAddr => 1,
        LocalAddr => "127.0.0.1:$port") or die "listen: $!\n";
    my $select = IO::Select->new($listen);
    my (%in, @late);

    while (1) {
        my $wait = @late ? $late[0][0] - time() : 1;
        my $seconds = do { local (@ARGV, $/) = $file; <> };

        for my $s ($select->can_read($wait < 0 ? 0 : $wait)) {

            if ($s == $listen) {
                $select->add(my $c = $listen->accept());
                next;
            }

            if (!sysread $s, $in{$s}, 65536, length($in{$s} // '')) {
                delete $in{$s};
                $select->remove($s);
                close $s;
                next;
            }

            while ($in{$s} =~ /^(.*?\r\n\r\n)/s) {
                my ($size) = $1 =~ /^Content-Length: (\d+)/mi;
                my $whole = length($1) + ($size || 0);

                last if length $in{$s} < $whole;

                substr($in{$s}, 0, $whole) = '';
                push @late, [ time() + $seconds, $s ];
            }
        }

        @late = sort { $a->[0] <=> $b->[0] } @late
            if @late && $late[-1][0] < $late[0][0];

        while (@late && $late[0][0] <= time()) {
            my $s = (shift @late)->[1];

            syswrite $s, answer('0') if defined fileno $s;
        }
    }
}

###############################################################################
