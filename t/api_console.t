#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# SRS's own console: pages of another origin that read the API by script
# elements (JSONP of AngularJS).  Each call that its pages make, with the
# headers a browser sends, gives a script that runs and has every field that
# the pages show, of the type they take.  What would change something is
# refused, so that the page can say why.  And the same with fetch() (CORS).

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Schema;
use Test::RTMP;

use JSON::PP;

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

        location / {
            flv_live;
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        location / {
            media_api;
        }
    }

    server {
        listen       127.0.0.1:8082;
        server_name  localhost;

        location / {
            media_api write;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $url = 'rtmp://127.0.0.1:' . port(1935) . '/live';

my $pub = Test::RTMP->new(port(1935))->connect('live', tcUrl => $url);
$pub->publish('livestream');
$pub->audio(0, Test::RTMP::aac_config());
$pub->video(0, Test::RTMP::avc_config());
$pub->video(40 * $_, $_ % 25 ? Test::RTMP::avc_inter(2)
    : Test::RTMP::avc_key(1)) for 0 .. 30;
$pub->audio(23 * $_, Test::RTMP::aac_frame(1)) for 1 .. 30;

my $voice = Test::RTMP->new(port(1935))->connect('live');
$voice->publish('voice');
$voice->audio(0, Test::RTMP::aac_config());
$voice->audio(23, Test::RTMP::aac_frame(1));

my $player = http_start("GET /live/livestream.flv HTTP/1.0\r\n\r\n");

my $calls = 0;

ok(wait_until(sub {
    my $s = jsonp('/api/v1/streams/')->{streams};
    my $c = jsonp('/api/v1/clients/')->{clients};
    return @$c == 3 && 2 == grep { $_->{audio} } @$s;
}, 10), 'streams and clients');

# page by page: calls, and the fields that are shown, with their types

my $kbps = { recv_30s => 'number', send_30s => 'number' };

# connect

shows('versions', jsonp('/api/v1/versions'),
    { code => 'number', data => { version => 'string' } });

# summaries

my $summaries = {
    now_ms => 'number',
    ok => 'boolean',
    self => { version => 'string', srs_uptime => 'number',
        cpu_percent => 'number', mem_percent => 'number',
        mem_kbyte => 'number', pid => 'number', ppid => 'number' },
    system => { map { $_ => 'number' } qw/ cpus cpus_online cpu_percent
        mem_ram_kbyte mem_ram_percent uptime load_1m load_5m load_15m
        net_sample_time net_recv_bytes net_send_bytes net_recvi_bytes
        net_sendi_bytes srs_sample_time srs_recv_bytes srs_send_bytes
        conn_srs conn_sys conn_sys_et conn_sys_tw conn_sys_udp
        disk_busy_percent disk_read_KBps disk_write_KBps / },
};

my $j = jsonp('/api/v1/summaries');
shows('summaries', $j, { code => 'number', data => $summaries });
is($j->{data}{ok}, JSON::PP::true, 'summaries, ready');

# rates are what two of them differ by, times do not go back

my $k = jsonp('/api/v1/summaries');
ok($k->{data}{system}{$_} >= $j->{data}{system}{$_}, "summaries, $_")
    for qw/ net_sample_time srs_sample_time srs_recv_bytes /;

# vhosts

my $vhost = { id => 'string', name => 'string', enabled => 'boolean',
    streams => 'number', clients => 'number', kbps => $kbps,
    hls => { enabled => 'boolean' } };

my $vhosts = jsonp('/api/v1/vhosts/')->{vhosts};
cmp_ok(scalar @$vhosts, '>', 0, 'vhosts');
shows("vhost $_->{name}", $_, $vhost) for @$vhosts;
shows('one vhost', jsonp("/api/v1/vhosts/$vhosts->[0]{id}")->{vhost}, $vhost);

# streams: the vhost of each is looked for among those above

my $stream = { id => 'string', name => 'string', vhost => 'string',
    app => 'string', url => 'string', tcUrl => 'string',
    publish => { active => 'boolean', cid => 'string' },
    clients => 'number', kbps => $kbps,
    audio => { codec => 'string', sample_rate => 'number',
        channel => 'number', profile => 'string' } };
my $video = { %$stream, video => { codec => 'string', profile => 'string',
    level => 'string', width => 'number', height => 'number' } };

my %streams = map { $_->{name} => $_ } @{jsonp('/api/v1/streams/')->{streams}};

for my $name (qw/ livestream voice /) {
    my $s = $streams{$name};
    my $want = $name eq 'voice' ? $stream : $video;

    shows("stream $name", $s, $want);
    is(scalar(grep { $_->{id} eq $s->{vhost} } @$vhosts), 1,
        "stream $name, its vhost");
    shows("one stream, $name", jsonp("/api/v1/streams/$s->{id}")->{stream},
        $want);
    shows("vhost of $name", jsonp("/api/v1/vhosts/$s->{vhost}")->{vhost},
        $vhost);
}

ok(exists $streams{voice}{video} && !defined $streams{voice}{video},
    'no video is null');

# what the console shows as URL is tcUrl, the name behind it

is("$streams{livestream}{tcUrl}/$streams{livestream}{name}",
    "$url/livestream", 'URL of a stream');

# clients

my $client = { id => 'string', ip => 'string', vhost => 'string',
    stream => 'string', publish => 'boolean', alive => 'number',
    url => 'string', name => 'string', type => 'string', tcUrl => 'string',
    pageUrl => 'string', swfUrl => 'string' };

my @clients = @{jsonp('/api/v1/clients/')->{clients}};
is(scalar @clients, 3, 'clients');
shows("client $_->{type}", $_, $client) for @clients;
shows('one client', jsonp("/api/v1/clients/$clients[0]{id}")->{client},
    $client);

my %ids = map { $_->{id} => 1 } @clients;
ok($ids{$streams{$_}{publish}{cid}}, "publisher of $_ is a client")
    for qw/ livestream voice /;

# configuration: the switches are shown, and the rest of it is not there

my $raw = { code => 'number', http_api => { enabled => 'boolean',
    listen => 'string', crossdomain => 'boolean', raw_api => {
        map { $_ => 'boolean' } qw/ enabled allow_reload allow_query
            allow_update / } } };

shows('raw', jsonp('/api/v1/raw', 'rpc=raw'), $raw);
is(jsonp('/api/v1/raw', 'rpc=query&scope=global')->{code}, 1061,
    'raw, nothing else');
is(jsonp("/api/v1/streams/$_")->{code}, 2048, "stream $_") for qw/ gone /;

# a token that the console may have is of no matter

is(jsonp('/api/v1/versions', 'token=abc')->{code}, 0, 'a token');

###############################################################################

# kick: refused in a script that runs, whatever the location allows

my $cid = $streams{livestream}{publish}{cid};

for my $port (8081, 8082) {
    for my $site (qw/ cross-site same-site same-origin /) {
        my $r = script("/api/v1/clients/$cid", 'method=DELETE', $port,
            $site);
        is(http_content($r), 'angular.callbacks._0({"code":1061})',
            "kick from $site, port $port");
    }
}

ok(!$pub->closed(0.3), 'the publisher is there');

# CORS: pages of any origin may read

my $origin = 'Origin: http://console.example.com:8080';

for my $uri (qw! /api/v1/summaries /api/v1/vhosts/ /api/v1/streams/
    /api/v1/clients/ /api/v1/raw?rpc=raw !)
{
    my $r = http("GET $uri HTTP/1.0\r\n$origin\r\n\r\n", port => 8081);

    is(http_header($r, 'Access-Control-Allow-Origin'), '*', "$uri, CORS");
    is(decode_json(http_content($r))->{code}, 0, "$uri, read");

    $r = preflight($uri, 'GET', 'authorization, x-requested-with');
    is(http_status($r), 200, "$uri, preflight");
    is(http_header($r, 'Access-Control-Allow-Origin'), '*',
        "$uri, preflight, origin");
    like(http_header($r, 'Access-Control-Allow-Headers'), qr/\b\Q$_\E\b/i,
        "$uri, preflight, $_") for qw/ authorization x-requested-with /;
}

# and change nothing, even where one forgets to ask

for my $port (8081, 8082) {
    unlike(http_header(preflight("/api/v1/clients/$cid", 'DELETE', '', $port),
        'Access-Control-Allow-Methods'), qr/DELETE/, "preflight, port $port");

    my $r = http("DELETE /api/v1/clients/$cid HTTP/1.0\r\n$origin\r\n\r\n",
        port => $port);
    is(http_status($r) . http_content($r), '403{"code":1061}',
        "DELETE, port $port");
    is(http_header($r, 'Access-Control-Allow-Origin'), '*',
        "DELETE, port $port, the page sees why");
}

ok(!$pub->closed(0.3), 'the publisher is there still');

# a page that the server itself has served may

my $r = http("DELETE /api/v1/clients/$cid HTTP/1.0\r\n"
    . "Host: console.example.com:8080\r\n$origin\r\n"
    . "Sec-Fetch-Site: same-origin\r\n\r\n", port => 8082);
is(http_status($r), 200, 'kick by a page of our own');
ok($pub->closed(5), 'the publisher is gone');

cmp_ok($calls, '>', 15, 'calls of the console');

###############################################################################

done_testing();

###############################################################################

# Angular asks with a script element and a function that it has made.

sub script {
    my ($uri, $args, $port, $site) = @_;

    $calls++;
    $uri .= '?callback=angular.callbacks._0' . ($args ? "&$args" : '');
    $port //= 8081;
    $site //= 'same-site';

    my $r = http("GET $uri HTTP/1.1\r\nHost: 127.0.0.1:" . port($port)
        . "\r\nReferer: http://127.0.0.1:8080/\r\nAccept: */*\r\n"
        . "Sec-Fetch-Site: $site\r\nSec-Fetch-Mode: no-cors\r\n"
        . "Sec-Fetch-Dest: script\r\nConnection: close\r\n\r\n",
        port => $port);

    # what lets a script element run it

    fail("$uri: status") if http_status($r) != 200;
    fail("$uri: type")
        if http_header($r, 'Content-Type') !~ m!^text/javascript!;
    fail("$uri: sniffing")
        if http_header($r, 'X-Content-Type-Options') ne 'nosniff';

    return $r;
}

sub jsonp {
    my ($json) = http_content(script(@_))
        =~ /^angular\.callbacks\._0\((.*)\)$/s;

    return decode_json($json // '{}');
}

sub preflight {
    my ($uri, $method, $headers, $port) = @_;

    return http("OPTIONS $uri HTTP/1.0\r\n$origin\r\n"
        . "Access-Control-Request-Method: $method\r\n"
        . ($headers ? "Access-Control-Request-Headers: $headers\r\n" : '')
        . "\r\n", port => $port || 8081);
}

# every field is there and is what it is taken for

sub shows {
    my ($name, $value, $want) = @_;

    is(join(', ', wrong($value, $want, '')), '', $name);
}

sub wrong {
    my ($value, $want, $at) = @_;

    return "$at is no object" if ref $value ne 'HASH';

    return map {
        my $kind = Test::Nginx::Schema::kind($value->{$_});
        $kind = 'number' if $kind eq 'integer';
        ref $want->{$_} ? wrong($value->{$_}, $want->{$_}, "$at.$_")
            : $kind eq $want->{$_} ? () : "$at.$_ is $kind";
    } sort keys %$want;
}

sub http_header {
    my ($r, $name) = @_;
    return $r =~ /^\Q$name\E: (.*?)\r$/mi ? $1 : '';
}

###############################################################################
