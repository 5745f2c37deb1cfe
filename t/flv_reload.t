#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Players of HTTP-FLV live through reloads: none is closed, no frame is
# missing, the old workers go when their last player has gone, and not later
# than worker_shutdown_timeout.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::FLV;

use IO::Select;
use Socket qw/ CRLF /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_v2 http_ssl stream rtmp flv_live/)
    ->has_daemon('ffmpeg', 'curl');

sub conf {
    my ($globals) = @_;

    $t->write_file_expand('nginx.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
$globals
events { }
stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}
http {
    %%TEST_GLOBALS_HTTP%%
    ssl_certificate localhost.crt;
    ssl_certificate_key localhost.key;
    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8443 ssl http2;
        location / { flv_live; play_wait 20s; }
    }
}
END_OF_CONF
}

$t->write_cert('localhost');
conf('');
$t->run();

my $d = $t->testdir();
my $publisher = $t->publish('rtmp://127.0.0.1:' . port(8035) . '/live/x');

ok(wait_until(sub {
    http_status(http_head('/live/x.flv')) == 200
}, 20), 'live');

my %plain = map { $_ => player() } 1 .. 8;
my %curl = map { $_ => $t->run_daemon('curl', qw/ -skN --max-time 60 /,
    $_ % 2 ? '--http2' : '--http1.1', '-o', "$d/curl$_.flv",
    'https://localhost:' . port(8443) . '/live/x.flv') } 1 .. 4;

my %got = map { $_ => '' } keys %plain;

ok(wait_until(sub {
    read_all(0.05);
    !grep { length $got{$_} < 5000 } keys %got
        and 4 == grep { -s "$d/curl$_.flv" } 1 .. 4;
}, 20), 'all play');

my @first = $t->workers();

for my $n (1 .. 3) {
    ok($t->reload(), "reload $n");
    my $size = length $got{1};
    ok(wait_until(sub {
        read_all(0.05);
        length $got{1} > $size + 10000;
    }, 20), "they go on after reload $n");
}

# players that come now are served by new workers, from the old publisher

my $late = get11('/live/x.flv', limit => 30000);
check_flv(http_content($late), 'a late player', 1, 1);

read_all(0.5);

for my $n (sort keys %plain) {
    ok(!defined $plain{$n}{closed}, "player $n is still there");
    close $plain{$n}{socket};
}

for my $n (sort keys %curl) {
    ok($t->daemon_alive($curl{$n}), "player $n over TLS is still there");
    $t->stop_daemon($curl{$n});
}

is(missing(http_content($got{$_})), '', "player $_ missed nothing")
    for sort keys %got;
is(missing($t->read_file("curl$_.flv")), '', "player $_ over TLS missed "
    . 'nothing') for sort keys %curl;

# the publisher holds its worker, nothing else holds one

ok(wait_until(sub { $t->all_workers() <= $t->workers() + 1 }, 5),
    'old workers are gone when their last player is');

$t->stop_daemon($publisher);

ok(wait_until(sub { $t->all_workers() == $t->workers() }, 5),
    'and when their publisher is');

# worker_shutdown_timeout

conf('worker_shutdown_timeout 2s;');
$t->reload();

$t->publish('rtmp://127.0.0.1:' . port(8035) . '/live/x');

%plain = map { $_ => player() } 1 .. 4;
%got = map { $_ => '' } keys %plain;
%curl = map { $_ => $t->run_daemon('curl', qw/ -skN --max-time 60 /, "--$_",
    '-o', "$d/curl-$_.flv", 'https://localhost:' . port(8443) . '/live/x.flv')
} qw/ http1.1 http2 /;

ok(wait_until(sub {
    read_all(0.05);
    !grep { length $got{$_} < 5000 } keys %got
        and 2 == grep { -s "$d/curl-$_.flv" } keys %curl;
}, 20), 'players again');

$t->reload();

ok(wait_until(sub { $t->all_workers() == $t->workers() }, 10),
    'worker_shutdown_timeout ends the old workers');

read_all(0.5);
is(scalar(grep { defined $plain{$_}{closed} } keys %plain), 4,
    'and closes their players');
ok(wait_until(sub { !$t->daemon_alive($curl{$_}) }, 5), "over TLS, $_, too")
    for sort keys %curl;

$t->stop_daemons();
$t->stop();

done_testing();

###############################################################################

sub get11 {
    my ($uri, %opts) = @_;

    return http("GET $uri HTTP/1.1" . CRLF . 'Host: localhost' . CRLF . CRLF,
        %opts);
}

sub player {
    return { socket => get11('/live/x.flv', start => 1) };
}

sub read_all {
    my ($seconds) = @_;

    my $end = time() + $seconds;

    while ((my $left = $end - time()) > 0) {
        my %by = map { $plain{$_}{socket} => $_ }
            grep { !defined $plain{$_}{closed} } keys %plain;

        last unless %by;

        for my $s (IO::Select->new(map { $plain{$_}{socket} }
                                   values %by)->can_read($left))
        {
            my $n = $by{$s};
            my $r = sysread $s, $got{$n}, 65536, length $got{$n};
            $plain{$n}{closed} = 1 unless $r;
        }
    }
}

# 25 pictures a second, none left out; '' where that is so.

sub missing {
    my ($flv) = @_;

    my ($tags, $fault) = flv_tags($flv // '');
    my @ms = map { $_->{ms} } grep { $_->{kind} =~ /key|inter/ } @$tags;
    my @gaps = grep { abs($ms[$_] - $ms[$_ - 1] - 40) > 2 } 1 .. $#ms;

    return $fault if $fault;
    return 'only ' . @ms . ' pictures' if @ms < 50;
    return join ', ', map { "$ms[$_ - 1] -> $ms[$_]" } @gaps;
}

###############################################################################
