#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The HTTP API, routes that tell about the process, the machine and the
# server itself: every answer field by field, with HTTP/1.0, HEAD, gzip.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;

use JSON::PP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live gzip ssi/);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 16m;
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
            media_api;
        }

        location /metrics {
            media_metrics;
        }

        location /page {
            ssi on;
            ssi_silent_errors on;
            default_type text/html;
            return 200 'a<!--# include virtual="/api/v1/authors" -->b<!--#
                include virtual="/metrics" -->c';
        }
    }

    server {
        listen       127.0.0.1:8081;
        server_name  localhost;

        gzip on;
        gzip_types application/json;
        gzip_min_length 1;

        location / {
            media_api;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

# names, types and order: s string, i integer, dN number with N decimals,
# b boolean

my $head = 'code:i server:s service:s pid:s';

my %shapes = (
    rusages => 'ok:b sample_time:i ru_utime:i ru_stime:i ru_maxrss:i'
        . ' ru_ixrss:i ru_idrss:i ru_isrss:i ru_minflt:i ru_majflt:i'
        . ' ru_nswap:i ru_inblock:i ru_oublock:i ru_msgsnd:i ru_msgrcv:i'
        . ' ru_nsignals:i ru_nvcsw:i ru_nivcsw:i',

    self_proc_stats => 'ok:b sample_time:i percent:d2 pid:i comm:s state:s'
        . ' ppid:i pgrp:i session:i tty_nr:i tpgid:i flags:i minflt:i'
        . ' cminflt:i majflt:i cmajflt:i utime:i stime:i cutime:i cstime:i'
        . ' priority:i nice:i num_threads:i itrealvalue:i starttime:i'
        . ' vsize:i rss:i rsslim:i startcode:i endcode:i startstack:i'
        . ' kstkesp:i kstkeip:i signal:i blocked:i sigignore:i sigcatch:i'
        . ' wchan:i nswap:i cnswap:i exit_signal:i processor:i rt_priority:i'
        . ' policy:i delayacct_blkio_ticks:i guest_time:i cguest_time:i',

    system_proc_stats => 'ok:b sample_time:i percent:d2 user:i nice:i sys:i'
        . ' idle:i iowait:i irq:i softirq:i steal:i guest:i',

    meminfos => 'ok:b sample_time:i percent_ram:d2 percent_swap:d2'
        . ' MemActive:i RealInUse:i NotInUse:i MemTotal:i MemFree:i'
        . ' Buffers:i Cached:i SwapTotal:i SwapFree:i',

    authors => 'license:s contributors:s',

    features => 'options:s options2:s build:s build2:s features{ssl:b hls:b'
        . ' hds:b callback:b api:b httpd:b dvr:b transcode:b ingest:b stat:b'
        . ' caster:b complex_send:b tcp_nodelay:b so_sendbuf:b mr:b srt:b} allowed{remove:b action:b}',

    requests => 'uri:s path:s METHOD:s headers{Host:s} server{sigature:s'
        . ' version:s link:s time:i}',
);

is(shape("/api/v1/$_"), "$head data{$shapes{$_}}", $_) for sort keys %shapes;

is(shape('/api/v1/tests/requests'), "$head data{$shapes{requests}}",
    'tests/requests');
is(shape('/api/v1/raw?rpc=raw'), 'code:i http_api{enabled:b listen:s'
    . ' crossdomain:b raw_api{enabled:b allow_reload:b allow_query:b'
    . ' allow_update:b}}', 'raw');

# all that the breadcrumbs name is there

my $j = get('/api/v1/');

for my $name (sort keys %{$j->{urls}}) {
    my $r = http_get("/api/v1/$name");
    $r = http_get("/api/v1/$name/") if http_status($r) == 302;
    is(http_status($r), 200, "$name is there");
}

for my $name (grep { /^\w+$/ } sort keys %{$j->{tests}}) {
    like(http_status(http_get("/api/v1/tests/$name")), qr/^(200|302)$/,
        "tests/$name is there");
}

###############################################################################

# values

my %workers = map { $_ => 1 } $t->workers();

$j = get('/api/v1/rusages')->{data};
ok($j->{ru_maxrss} > 1000, 'rusages, memory');
ok($j->{ru_minflt} > 0, 'rusages, page faults');
ok(abs($j->{sample_time} / 1000 - time()) < 60, 'rusages, time');

$j = get('/api/v1/self_proc_stats')->{data};
ok($workers{$j->{pid}}, 'self_proc_stats, a worker');
is($j->{ppid}, $t->master(), 'self_proc_stats, ppid');
is($j->{comm}, '(nginx)', 'self_proc_stats, comm');
like($j->{state}, qr/^[RSD]$/, 'self_proc_stats, state');
is($j->{num_threads}, 1, 'self_proc_stats, num_threads');
is($j->{exit_signal}, 17, 'self_proc_stats, exit_signal');
ok($j->{vsize} > $j->{rss}, 'self_proc_stats, memory');
is($j->{rsslim}, -1, 'self_proc_stats, rsslim');
is(join(' ', @{$j}{qw/ startcode endcode startstack kstkesp kstkeip wchan /}),
    '0 0 0 0 0 0', 'self_proc_stats, no addresses');

$j = get('/api/v1/system_proc_stats')->{data};
ok($j->{user} > 0 && $j->{idle} > 0, 'system_proc_stats, ticks');
ok($j->{percent} >= 0 && $j->{percent} <= 1, 'system_proc_stats, percent');

$j = get('/api/v1/meminfos')->{data};
my ($total) = do { local @ARGV = '/proc/meminfo';
    map { /^MemTotal:\s+(\d+)/ ? $1 : () } <> };
is($j->{MemTotal}, $total, 'meminfos, MemTotal');
is($j->{MemActive}, $j->{MemTotal} - $j->{MemFree}, 'meminfos, MemActive');
is($j->{RealInUse}, $j->{MemActive} - $j->{Buffers} - $j->{Cached},
    'meminfos, RealInUse');
is($j->{NotInUse}, $j->{MemTotal} - $j->{RealInUse}, 'meminfos, NotInUse');

is(get('/api/v1/authors')->{data}{license}, 'BSD-2-Clause', 'authors');

$j = get('/api/v1/features')->{data};
like($j->{options}, qr/--rtmp=on --flv-live=on/, 'features, options');
like($j->{options2}, qr/--nginx=\d+\.\d+\.\d+ --stream=on/,
    'features, options2');
like($j->{build}, qr/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, 'features, build');
like($j->{build2}, qr/^\d+$/, 'features, build2');
ok($j->{features}{$_}, "features, $_")
    for qw/ api httpd stat complex_send tcp_nodelay mr /;
ok(!$j->{features}{$_}, "features, no $_") for qw/ hds so_sendbuf /;

ok($j->{allowed}{remove}, 'a client on loopback may remove');
ok(!$j->{allowed}{action}, 'and do nothing else');

# a feature is there when its directive is

my $directives = join ' ', map { read_source($_) }
    glob('../shared/*/*.c ../ngx_*_module/*.c');

for my $pair ([ hls => 'hls' ], [ dvr => 'dvr' ], [ callback => 'on_publish' ],
    [ transcode => 'transcode' ], [ ingest => 'ingest' ],
    [ caster => 'flv_live_push' ])
{
    my ($name, $directive) = @$pair;
    is($j->{features}{$name} ? 1 : 0,
        $directives =~ /\{ ngx_string\("$directive"\),/ ? 1 : 0,
        "features, $name");
}

# the request itself

my $r = http("GET /api/v1/requests?a=b&c HTTP/1.0\r\n"
    . "Host: example.com:99\r\nX-Test: \"1\" \\ \xff\r\nCookie: secret\r\n"
    . "authorization: Basic secret\r\nProxy-Authorization: secret\r\n\r\n");
$j = decode_json(http_content($r))->{data};
is($j->{uri}, 'http://example.com:99/api/v1/requests?a=b&c', 'requests, uri');
is($j->{path}, '/api/v1/requests', 'requests, path');
is($j->{METHOD}, 'GET', 'requests, METHOD');
is($j->{headers}{'X-Test'}, "\"1\" \\ \x{fffd}", 'requests, any bytes');
unlike($r, qr/secret/, 'requests, no secrets');

$r = http_get('/api/v1/requests?callback=cb');
like(http_content($r), qr/^cb\(\{"code":0,.*\}\)$/, 'requests, JSONP');

# tests and raw

is(http_content(http_get('/api/v1/tests/errors')), '{"code":100}',
    'tests/errors');
is(http_status(http_get('/api/v1/tests/errors')), 200, 'its status');

$r = http_get('/api/v1/tests/redirects?x=1');
is(http_status($r), 302, 'tests/redirects');
like($r, qr!^Location: /api/v1/tests/errors\?x=1\r$!m, 'its location');

$j = get('/api/v1/raw?rpc=raw')->{http_api};
like($j->{listen}, qr/^127\.0\.0\.1:\d+$/, 'raw, listen');
is(http_content(http_get("/api/v1/raw$_")), '{"code":1061}', "raw$_")
    for '', '?rpc=', '?rpc=reload', '?rpc=rawx', '?rpc=query';

# nothing of this changes by method

for my $uri (qw! /api/v1/rusages /api/v1/raw?rpc=reload /api/v1/features
    /api/v1/tests/redirects !)
{
    for my $method (qw/ POST DELETE PUT /) {
        $r = http_post($uri, '', method => $method);
        is(http_status($r), 405, "$method of $uri");
        is(http_content($r), 'Method Not Allowed', "$method of $uri, body");
    }
}

is(http_status(http_get("/api/v1/$_")), 404, "$_: not found")
    for qw! rusages/ rusage tests tests/ tests/error raw/ perf tcmalloc
            clusters !;

###############################################################################

# HTTP/1.0 and 1.1, HEAD, gzip

for my $name (sort keys %shapes) {

    $r = http_head("/api/v1/$name");
    like($r, qr/^Content-Length: [1-9]\d*\r$/m, "$name: HEAD has a length");
    is(http_content($r), '', "$name: HEAD has no body");

    $r = http("GET /api/v1/$name HTTP/1.0\r\n\r\n");
    is(http_status($r), 200, "$name: HTTP/1.0 without Host");
    unlike($r, qr/^Transfer-Encoding/mi, "$name: not chunked");

    $r = http("GET /api/v1/$name HTTP/1.1\r\nHost: x\r\n"
        . "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n", port => 8081);
    like($r, qr/^Content-Encoding: gzip\r$/m, "$name: gzip");
    is(substr(http_content($r), 0, 2), "\x1f\x8b", "$name: gzip, body");
}

# two requests on one connection

$r = http("GET /api/v1/authors HTTP/1.1\r\nHost: x\r\n\r\n"
    . "GET /api/v1/tests/errors HTTP/1.1\r\nHost: x\r\n"
    . "Connection: close\r\n\r\n");
is(scalar(() = $r =~ /HTTP\/1\.1 200 /g), 2, 'keepalive');

# as a part of a page

like(http_content(http_get('/page')), qr/^a\{"code":0,.*\}b\#\ HELP\ .*
    \nnginx_media_workers\ \d+\n.*c$/sx, 'subrequests');

###############################################################################

done_testing();

###############################################################################

sub get { return decode_json(http_content(http_get(@_))) }

sub read_source {
    my ($file) = @_;
    open my $fh, '<', $file or die "$file: $!";
    local $/;
    return scalar <$fh>;
}

# Names, types and order of an answer; JSON::PP keeps no order.

sub shape {
    my ($uri) = @_;

    my $text = http_content(http_get($uri));

    pos($text) = 0;
    my $shape = value(\$text);

    return "garbage behind the value: $text" if $text !~ /\G\z/gc;

    $shape =~ s/^\{(.*)\}$/$1/;
    return $shape;
}

sub value {
    my ($p) = @_;

    return ':s' if $$p =~ /\G"(?:[^"\\\x00-\x1f]
        |\\(?:["\\\/bfnrt]|u[0-9a-f]{4}))*"/gcxi;
    return ':d' . length $1
        if $$p =~ /\G-?(?:0|[1-9][0-9]*)\.([0-9]+)/gc;
    return ':i' if $$p =~ /\G-?(?:0|[1-9][0-9]*)/gc;
    return ':b' if $$p =~ /\G(?:true|false)/gc;

    return '{' . join(' ', members($p)) . '}' if $$p =~ /\G\{/gc;

    return '?';
}

sub members {
    my ($p) = @_;

    my @list;

    return () if $$p =~ /\G\}/gc;

    do {
        my ($name) = $$p =~ /\G"([\w\[\]-]+)":/gc;
        push @list, ($name // '?') . value($p);
    } while ($$p =~ /\G,/gc);

    return $$p =~ /\G\}/gc ? @list : (@list, '?');
}

###############################################################################
