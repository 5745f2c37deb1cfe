#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The least that has to work with every version of nginx, modules dynamic or
# static: a configuration with every block is accepted, nginx starts with it,
# the API answers, RTMP shakes hands, a stream that is not there is 404, and
# all of that holds after a reload.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live/)->plan(11);

$t->write_file_expand('nginx.conf', <<'EOF');

%%TEST_GLOBALS%%

daemon off;
worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    gop_cache on;

    application live { queue_length 5s; }

    vhost show.example.com {
        gop_cache off;
        application game { gop_cache on; }
    }
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
        location / { flv_live; }
        location /api/ { media_api; }
    }

    server {
        listen 127.0.0.1:%%PORT_1985%%;
        location / { media_api; }
    }
}

EOF

my ($status, $text) = $t->test_config();

is($status, 0, 'nginx -t') or diag($text);
unlike($text, qr/\[(warn|alert)\]/, 'nginx -t says nothing else');

$t->run();

answers('start');
ok($t->reload(), 'reload');
answers('reload');

###############################################################################

sub answers {
    my ($when) = @_;

    my ($json, $code) = $t->api_get('/api/v1/versions');

    is($code, 200, "$when: the API answers");
    is(ref $json eq 'HASH' ? $json->{code} : undef, 0, "$when: with JSON");
    is(http_status(http_get('/live/none.flv')), 404, "$when: no such stream");

    # C0 and C1, zeros being the simple handshake

    my $s = http_start("\x03" . "\0" x 1536, port => 1935);
    my $reply = http_end($s, limit => 1 + 2 * 1536, timeout => 5);

    is(length $reply, 1 + 2 * 1536, "$when: S0, S1 and S2");
}

###############################################################################
