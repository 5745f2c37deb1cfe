#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Viewers are made by a request each: however many ask, there is room for those
# who publish and play over connections.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;
use Test::RTMP;
use Time::HiRes qw/ sleep /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp hls /);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes 2;

events {
}

media {
    zone 8m;

    application who { hls_session on; hls_fragment 1s; hls_window 8s; }
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

    server {
        listen 127.0.0.1:8080;

        location / {
            hls;
        }

        location /api/ {
            media_api;
        }
    }
}

EOC

$t->run();

my $c = Test::RTMP->new(port(1935))->connect('who');
my ($frame, %got) = (0);

$c->publish('x');
$c->video(0, Test::RTMP::avc_config());

send_second() for 1 .. 3;

is(get('/who/x.m3u8')->{status}, 200, 'the first viewer');

for my $n (1 .. 3000) {
    send_second() if $n % 100 == 0;

    my $status = get('/who/x.m3u8')->{status};

    $got{$status}++;
    last if $status != 200;
}

note("$_: $got{$_}") for sort keys %got;

cmp_ok($got{200} || 0, '>', 100, 'viewers');
is($got{503}, 1, 'one is too many');

my @beside = map { eval { my $p = Test::RTMP->new(port(1935))->connect('who');
    $p->publish("beside$_") ? $p : undef } } 1 .. 20;

is(scalar(grep { $_ } @beside), 20, 'publishers beside them');

$_->close() for @beside;

# they go

ok(wait_until(sub {
    send_second();
    sleep(0.2);
    get('/who/x.m3u8')->{status} == 200;
}, 40), 'a viewer when others have gone');

$c->close();
$t->stop();

###############################################################################

sub send_second {
    for (1 .. 10) {
        $c->video($frame * 100, $frame % 10 ? Test::RTMP::avc_inter($frame)
            : Test::RTMP::avc_key($frame));
        $frame++;
    }

    1 while $c->fill(Time::HiRes::time() + 0.001);
    $c->{in} = '';
}

###############################################################################

done_testing();

###############################################################################
