#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The HTTP API closes clients: many at once, over one connection, on all
# workers, while a stream and a player that nobody asked to close go on.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

use IO::Select;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
}

stream {
    server {
        listen %%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        keepalive_requests 10000;

        location / {
            flv_live;
        }

        location /api/ {
            media_api write;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

is_deeply($t->api_get('/api/v1/features')->{data}{allowed},
    { remove => JSON::PP::true(), action => JSON::PP::true() }, 'allowed');

my $count = 150;

my $pub = Test::RTMP->new(port(1935))->connect('live');
$pub->publish('one');
$pub->video(0, Test::RTMP::avc_config());
$pub->video(0, Test::RTMP::avc_key(1));

my $stay = http_start("GET /live/one.flv HTTP/1.0\r\n\r\n");
ok(wait_until(sub { @{ids()} == 2 }, 10), 'publisher and player');
my %stay = map { $_ => 1 } @{ids()};

my @players = map { http_start("GET /live/one.flv HTTP/1.0\r\n\r\n") }
    1 .. $count;

ok(wait_until(sub { @{ids()} == $count + 2 }, 20), 'players')
    or diag(scalar @{ids()});

my %workers = map { $_->{worker} => 1 } @{clients()};
ok(keys %workers > 1, 'on more than one worker') or diag(keys %workers);

# a worker that cannot note more says so, and is asked again

my %answers;

for my $round (1 .. 20) {
    my @left = grep { !$stay{$_} } @{ids()};
    last unless @left;

    my $r = http(join('', map { "DELETE /api/v1/clients/$_ HTTP/1.1\r\n"
        . "Host: localhost\r\n\r\n" } @left)
        . "GET /api/v1/versions HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\n\r\n", timeout => 20);

    my @status = $r =~ /HTTP\/1\.1 (\d{3}) /g;
    is(scalar @status, @left + 1, "round $round, an answer to each");
    $answers{$_}++ for @status;

    wait_until(sub { @{ids()} == 2 }, 1);
}

ok(!grep({ !/^(200|503)$/ } keys %answers), 'answers')
    or diag(join ' ', %answers);
is(join(' ', sort @{ids()}), join(' ', sort keys %stay),
    'the others are there');

my $open = grep { !IO::Select->new($_)->can_read(0.01)
    || defined $_->sysread(my $data, 1 << 20) && !eof_of($_) } @players;
is($open, 0, 'connections are closed');

# what is told of those that are gone

my $gone = http_post('/api/v1/clients/nobody00',
    '', method => 'DELETE');
is(http_content($gone), '{"code":2049}', 'no such client');

# the stream goes on

$pub->video(40, Test::RTMP::avc_key(2));
ok(!$pub->closed(0.3), 'the publisher is there');
ok(wait_until(sub {
    my ($c) = grep { !$_->{publish} } @{clients()};
    return $c && $c->{send_bytes} > 0;
}, 5), 'the player is served');

# twice the same, from two sides at once

my ($id) = map { $_->{id} } grep { !$_->{publish} } @{clients()};
my @at = map { http_start("DELETE /api/v1/clients/$id HTTP/1.0\r\n\r\n") }
    1 .. 5;
my @codes = map { (http_content(http_end($_)) =~ /"code":(\d+)/)[0] } @at;
ok(!grep({ !/^(0|2049)$/ } @codes), 'asked five times at once')
    or diag("@codes");
ok(wait_until(sub { @{ids()} == 1 }, 10), 'closed once');

###############################################################################

done_testing();

###############################################################################

sub clients {
    return $t->api_get('/api/v1/clients/?count=1000')->{clients};
}

sub ids { return [ map { $_->{id} } @{clients()} ] }

# what is left is read up to the end

sub eof_of {
    my ($s) = @_;

    for (1 .. 100) {
        return 0 unless IO::Select->new($s)->can_read(1);
        my $n = $s->sysread(my $data, 1 << 20);
        return 1 if !$n;
    }

    return 0;
}

###############################################################################
