#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The HTTP API: every answer field by field (name, type, order), paging,
# errors, methods, JSONP, and who may close a client.

use warnings;
use strict;
use utf8;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;

use JSON::PP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

binmode(Test::More->builder->$_(), ':utf8')
    for qw/ output failure_output todo_output /;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live realip/)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    idle_timeout 2s;
    republish_wait 1s;
    vhost other.example.com { }
}

stream {
    server {
        listen %%PORT_1935%%;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format media "$uri $media_vhost $media_app $media_stream "
                     "$media_args $media_arg_token $media_arg_none "
                     "$media_protocol $media_client_id";

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        access_log %%TESTDIR%%/media.log media;

        location / {
            flv_live;
        }

        location /api/ {
            media_api;
        }
    }

    server {
        listen       127.0.0.1:8081;
        listen       127.0.0.1:8082 proxy_protocol;
        server_name  localhost;

        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;

        location / {
            media_api read;
        }
    }

    server {
        listen       127.0.0.1:8083;
        listen       127.0.0.1:8084 proxy_protocol;
        server_name  localhost;

        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;

        location / {
            media_api write;
        }
    }
}

EOF_CONF

###############################################################################

# what is refused

for my $bad ('media_api on', 'media_api write read', 'media_api; media_api') {
    $t->write_file_expand('bad.conf', <<"EOF_CONF");
%%TEST_GLOBALS%%
events { }
http {
    %%TEST_GLOBALS_HTTP%%
    server { listen 127.0.0.1:8080; location / { $bad; } }
}
EOF_CONF

    my ($status, $text) = $t->test_config('bad.conf');
    ok($status && $text =~ /\[emerg\].*media_api.*bad\.conf:\d+/,
        "$bad: refused") or diag($text);
}

$t->run();

###############################################################################

# names, types and order: s string, i integer, dN number with N decimals,
# b boolean, n null

my $kbps = 'kbps{recv_30s:i send_30s:i}';
my $head = 'code:i server:s service:s pid:s';

my $client = 'id:s vhost:s stream:s ip:s pageUrl:s swfUrl:s tcUrl:s url:s'
    . " name:s type:s publish:b alive:d2 send_bytes:i recv_bytes:i $kbps"
    . ' worker:i lag_ms:i dropped:i relay:b link:n';

my $vhost = 'id:s name:s enabled:b clients:i streams:i send_bytes:i'
    . " recv_bytes:i $kbps hls{enabled:b"
    . ($t->has_module('hls') ? ' fragment:d2}' : '}');

my $stream = 'id:s name:s vhost:s app:s tcUrl:s url:s live_ms:i clients:i'
    . " frames:i send_bytes:i recv_bytes:i $kbps"
    . ' publish{active:b cid:s relay:b link:n}'
    . ' video{codec:s profile:s level:s width:i height:i}'
    . ' audio{codec:s sample_rate:i channel:i profile:s}'
    . ' audio_frames:i video_frames:i dropped:i memory{bytes:i chunks:i}'
    . ' hls:n record{switch:s active:b lost:i}';

(my $silent = $stream) =~ s/video\{.*?\} audio\{.*?\}/video:n audio:n/;
$silent =~ s/ cid:s relay:b link:n//;

my $summaries = 'ok:b now_ms:i'
    . ' self{version:s pid:i ppid:i argv:s cwd:s mem_kbyte:i mem_percent:d2'
    . ' cpu_percent:d2 srs_uptime:i}'
    . ' system{cpu_percent:d2 disk_read_KBps:i disk_write_KBps:i'
    . ' disk_busy_percent:d2 mem_ram_kbyte:i mem_ram_percent:d2'
    . ' mem_swap_kbyte:i mem_swap_percent:d2 cpus:i cpus_online:i uptime:d2'
    . ' ilde_time:d2 load_1m:d2 load_5m:d2 load_15m:d2 net_sample_time:i'
    . ' net_recv_bytes:i net_send_bytes:i net_recvi_bytes:i net_sendi_bytes:i'
    . ' srs_sample_time:i srs_recv_bytes:i srs_send_bytes:i conn_sys:i'
    . ' conn_sys_et:i conn_sys_tw:i conn_sys_udp:i conn_srs:i}'
    . ' arena{size:i used:i free:i sources:i clients:i workers:i'
    . ' recoveries:i}';

my ($r, $j);

# before anything is published

is(shape('/'), "$head urls{api:s}", 'root');
is(shape('/api/'), "$head urls{v1:s}", 'api');
is(shape('/api/v1/'), "$head urls{openapi.json:s versions:s summaries:s"
    . ' rusages:s self_proc_stats:s system_proc_stats:s meminfos:s authors:s'
    . ' features:s requests:s vhosts:s streams:s clients:s relays:s'
    . ' recordings:s raw:s}'
    . ' tests{requests:s errors:s redirects:s [vhost]:s}', 'api v1');

is(shape('/api/v1/versions'), "$head data{major:i minor:i revision:i"
    . ' version:s}', 'versions');
is(shape('/api/v1/summaries'), "$head data{$summaries}", 'summaries');
is(shape('/api/v1/streams/'), "$head streams[] total:i", 'no streams');
is(shape('/api/v1/clients/'), "$head clients[] total:i", 'no clients');
is(shape('/api/v1/vhosts/'), "$head vhosts[{$vhost} {$vhost}]", 'vhosts');

$j = get('/api/v1/versions');
like($j->{server}, qr/^vid-[0-9a-z]{7}$/, 'server id');
like($j->{service}, qr/^[0-9a-z]{8}$/, 'service id');
is($j->{pid}, $t->master(), 'pid is that of the master');
is(join('.', @{$j->{data}}{qw/ major minor revision /}),
    $j->{data}{version}, 'version');

is($t->api_get('/api/v1/versions')->{server}, $j->{server},
    'the same in location /api/');

# headers

$r = http_get('/api/v1/versions', port => 8081);
is(http_status($r), 200, 'status');
like($r, qr/^Content-Type: application\/json\r$/m, 'type');
like($r, qr/^Access-Control-Allow-Origin: \*\r$/m, 'any origin may read');
like($r, qr/^Cache-Control: no-store\r$/m, 'not cached');
is(http_header($r, 'Content-Length'), length http_content($r), 'length');

$r = http_head('/api/v1/versions', port => 8081);
is(http_status($r), 200, 'HEAD');
is(http_content($r), '', 'HEAD has no body');

# redirects, unknown names, methods

for my $name (qw!/api /api/v1 /api/v1/vhosts /api/v1/streams
    /api/v1/clients!)
{
    $r = http_get($name, port => 8081);
    is(http_status($r), 302, "$name: redirect");
    is(http_header($r, 'Location'), "$name/", "$name: location");
}

is(http_content($r), 'Redirect to /api/v1/clients/', 'redirect, body');
is(http_header($r, 'Content-Type'), 'text/plain; charset=utf-8',
    'redirect, type');

$r = http_get('/api/v1/streams?start=1&count=2', port => 8081);
is(http_header($r, 'Location'), '/api/v1/streams/?start=1&count=2',
    'redirect keeps the query');

is(http_status(http_get($_, port => 8081)), 404, "$_: not found")
    for qw! /x /api/x /api/v1/x /api/v1/versionsx /api/v1/versions/x
            /api/v2/ /api/v1/x/ !;

for my $method (qw/ POST PUT DELETE PATCH /) {
    $r = http_post('/api/v1/streams/', '', method => $method, port => 8081);
    is(http_status($r), 405, "$method of streams");
    is(http_content($r), 'Method Not Allowed', "$method of streams, body");
}

is(http_header($r, 'Content-Type'), 'text/plain; charset=utf-8', '405, type');
like(http_header($r, 'Allow'), qr/GET/, '405, Allow');

$r = http_post('/api/v1/streams/', '', method => 'OPTIONS', port => 8081);
is(http_status($r), 200, 'OPTIONS');
is(http_content($r), '', 'OPTIONS has no body');
is(http_header($r, 'Content-Length'), 0, 'OPTIONS, length');
is(http_header($r, 'Access-Control-Allow-Methods'), 'GET, HEAD, OPTIONS',
    'OPTIONS, methods of foreign pages');

# errors

is(content('/api/v1/vhosts/none'), '{"code":2014}', 'no such vhost');
is(content('/api/v1/streams/none'), '{"code":2048}', 'no such stream');
is(content('/api/v1/clients/none'), '{"code":2049}', 'no such client');
is(http_status(http_get('/api/v1/streams/none', port => 8081)), 200,
    'errors are status 200');
is(content('/api/v1/streams/a/b'), '{"code":2048}', 'no such id');
is(content('/api/v1/clients/' . 'x' x 2000), '{"code":2049}', 'long id');
is(content('/api/v1/clients/%01%22%5C%FF'), '{"code":2049}', 'strange id');

# JSONP

$r = http_get('/api/v1/versions?callback=cb', port => 8081);
is(http_header($r, 'Content-Type'), 'text/javascript', 'JSONP, type');
like(http_content($r), qr/^cb\(\{"code":0,.*\}\)$/, 'JSONP');
is(http_header($r, 'Content-Length'), length http_content($r),
    'JSONP, length');
is(content('/api/v1/streams/none?callback=a.b$_9'), 'a.b$_9({"code":2048})',
    'JSONP of an error');
like(content('/api/v1/versions?callback='), qr/^\{/, 'JSONP, empty name');

is(http_status(http_get("/api/v1/versions?callback=$_", port => 8081)), 400,
    "JSONP, bad name")
    for 'alert(1)', 'a%28', '<x>', 'a;b', 'x' x 65, 'a b';

###############################################################################

# a publisher and players of all kinds

my $rtmp = 'rtmp://127.0.0.1:' . port(1935);
my $odd = "http://x/\"q\"\\b/\x01\x1f\x7f/" . "\xc3\xa9" . "\xff\xc3"
    . "\xe2\x80\xa8";

my $pub = $t->publish("$rtmp/live/one?secret=abc&k=v", size => '320x180');

ok(wait_until(sub {
    my $s = get('/api/v1/streams/')->{streams}[0];
    return $s && $s->{video} && $s->{audio} && $s->{frames};
}, 20), 'published');

my @play = map { http_start("GET /live/one.flv?token=t$_ HTTP/1.1\r\n"
    . "Host: localhost\r\n\r\n") } 1 .. 3;

my $player = $t->run_daemon('ffmpeg', qw/ -hide_banner -nostdin -loglevel
    warning -rtmp_pageurl /, $odd, '-rtmp_swfurl', 'http://x/p.swf', '-i',
    "$rtmp/live/one?token=t4", qw/ -c copy -f null - /);

ok(wait_until(sub { @{clients()} == 5 }, 20), 'five clients');

is(shape('/api/v1/streams/'), "$head streams[{$stream}] total:i", 'streams');
is(shape('/api/v1/clients/'), "$head clients["
    . join(' ', ("{$client}") x 5) . '] total:i', 'clients');

my ($s) = @{get('/api/v1/streams/')->{streams}};
my @clients = @{clients()};

is(get("/api/v1/clients/?count=1&stream=$s->{id}")->{total},
    scalar(grep { $_->{stream} eq $s->{id} } @clients), 'those of a stream');
is(scalar @{page("count=99&stream=$s->{id}")},
    scalar(grep { $_->{stream} eq $s->{id} } @clients), 'all of a stream');
is(get("/api/v1/clients/?stream=$_")->{total}, 0, "of no stream: $_")
    for 'vid-zzzzzzz', substr($s->{id}, 0, 10), "$s->{id}x", 'x' x 40;
my ($publisher) = grep { $_->{publish} } @clients;
my ($rtmp_play) = grep { $_->{type} eq 'rtmp-play' } @clients;
my @flv = grep { $_->{type} eq 'flv-play' } @clients;
my ($v) = grep { $_->{name} eq '__defaultVhost__' }
    @{get('/api/v1/vhosts/')->{vhosts}};

my $track = 'track:i name:s type:s codec:s frames:i bytes:i fps:d2 jitter_ms:d2'
    . ' jitter_max_ms:d2 bitrate_kbps:i history_kbps[]';
my $health = ' health{window_ms:i jumps:i publishes:i players:i lag_ms:i'
    . " slowest:s history_kbps[] tracks[{$track gop_ms:i gop_frames:i keyframes:i"
    . " keyframe_interval_ms:i keyframe_age_ms:i bframes:i} {$track}]}";

(my $one = shape("/api/v1/streams/$s->{id}")) =~ s/_kbps\[.*?\]/_kbps[]/g;
is($one, "$head stream{$stream$health}", 'one stream');
is(shape("/api/v1/clients/$flv[0]{id}"), "$head client{$client}",
    'one client');
is(shape("/api/v1/vhosts/$v->{id}"), "$head vhost{$vhost}", 'one vhost');

# values

like($s->{id}, qr/^vid-[0-9a-z]{7}$/, 'stream, id');
is($s->{name}, 'one', 'stream, name');
is($s->{app}, 'live', 'stream, app');
is($s->{vhost}, $v->{id}, 'stream, vhost');
is($s->{url}, '/live/one', 'stream, url');
is($s->{tcUrl}, "$rtmp/live", 'stream, tcUrl');
is($s->{clients}, 5, 'stream, clients');
ok(abs($s->{live_ms} / 1000 - time()) < 60, 'stream, live_ms');
is($s->{publish}{cid}, $publisher->{id}, 'stream, publisher');
is("$s->{video}{codec} $s->{video}{width} $s->{video}{height}",
    'H264 320 180', 'stream, video');
like($s->{video}{profile}, qr/Baseline|Main|High/, 'stream, profile');
is("$s->{audio}{codec} $s->{audio}{sample_rate} $s->{audio}{channel}"
    . " $s->{audio}{profile}", 'AAC 44100 1 LC', 'stream, audio');
ok($s->{memory}{chunks} > 0, 'stream, memory');
is($s->{memory}{bytes}, $s->{memory}{chunks} * 65536, 'stream, chunks');
ok($s->{recv_bytes} > 0, 'stream, bytes');

is($publisher->{type}, 'fmle-publish', 'publisher, type');
is($publisher->{name}, 'one', 'publisher, name');
is(scalar @flv, 3, 'three FLV players');
is($flv[0]{name}, 'one.flv', 'FLV player, name');
is($flv[0]{url}, '/live/one', 'FLV player, url');
is($rtmp_play->{name}, 'one', 'RTMP player, name');
is($rtmp_play->{swfUrl}, 'http://x/p.swf', 'RTMP player, swfUrl');
is($rtmp_play->{pageUrl}, "http://x/\"q\"\\b/\x01\x1f\x7f/é\x{fffd}\x{fffd}"
    . "\x{2028}", 'RTMP player, pageUrl of any bytes');
like(content("/api/v1/clients/$rtmp_play->{id}"),
    qr/\\"q\\"\\\\b\/\\u0001\\u001f\\u007f\/\xc3\xa9\\ufffd\\ufffd\\u2028/,
    'escaped');
is_deeply([ map { $_->{ip} } @clients ], [ ('127.0.0.1') x 5 ], 'addresses');
is_deeply([ map { $_->{stream} } @clients ], [ ($s->{id}) x 5 ], 'streams');
is_deeply([ map { $_->{vhost} } @clients ], [ ($v->{id}) x 5 ], 'vhosts');

unlike(content('/api/v1/clients/') . content('/api/v1/streams/'),
    qr/secret|token/, 'no arguments are shown');

my %workers = map { $_ => 1 } $t->workers();
is(scalar(grep { !$workers{$_->{worker}} } @clients), 0, 'workers');

is($v->{clients}, 5, 'vhost, clients');
is($v->{streams}, 1, 'vhost, streams');
ok(grep({ $_->{name} eq 'other.example.com' }
    @{get('/api/v1/vhosts/')->{vhosts}}), 'a configured vhost');

$j = get('/api/v1/summaries')->{data};
is($j->{self}{pid}, $t->master(), 'summaries, pid');
like($j->{self}{argv}, qr/nginx.* -c nginx\.conf/, 'summaries, argv');
ok(wait_until(sub {
    get('/api/v1/summaries')->{data}{self}{mem_kbyte} > 1000;
}, 10), 'summaries, memory');
ok($j->{system}{mem_ram_kbyte} > 1000, 'summaries, memory of the machine');
is($j->{system}{conn_srs}, 5, 'summaries, clients');
ok($j->{system}{srs_recv_bytes} > 0, 'summaries, bytes');
is($j->{arena}{size}, $j->{arena}{used} + $j->{arena}{free},
    'arena, accounting');
ok(wait_until(sub {
    get('/api/v1/summaries')->{data}{arena}{used}
        == get('/api/v1/streams/')->{streams}[0]{memory}{bytes};
}, 10), 'arena, all of it is held by the one stream');
is($j->{arena}{workers}, scalar(keys %workers), 'arena, workers');

# any worker tells the same

my %seen;
$seen{join ' ', sort map { "$_->{id}:$_->{worker}" } @{clients()}}++
    for 1 .. 20;
is(scalar keys %seen, 1, 'the same from any worker');

# counters go on

ok(wait_until(sub {
    my ($n) = @{get('/api/v1/streams/')->{streams}};
    my $c = get("/api/v1/clients/$rtmp_play->{id}")->{client};
    return $n->{frames} > $s->{frames} && $n->{recv_bytes} > $s->{recv_bytes}
        && $n->{send_bytes} > $s->{send_bytes}
        && $c->{send_bytes} > $rtmp_play->{send_bytes}
        && $c->{alive} > $rtmp_play->{alive};
}, 10), 'counters');

# paging

my @ids = map { $_->{id} } @{clients()};

is_deeply(page('start=0&count=2'), [ @ids[0, 1] ], 'first page');
is_deeply(page('start=2&count=2'), [ @ids[2, 3] ], 'second page');
is_deeply(page('start=4&count=2'), [ $ids[4] ], 'last page');
is_deeply(page('start=5&count=2'), [], 'behind the last page');
is_deeply(page('start=99999999999999999999'), \@ids, 'start is no number');
is_deeply(page('start=-1&count=0'), [ $ids[0] ], 'lowest values');
is_deeply(page('start=x&count=y'), \@ids, 'no numbers');
is_deeply(page('count=100000000'), \@ids, 'highest value');
is(get('/api/v1/clients/?count=1')->{total}, 5, 'total');

# default page

my @more = map { http_start("GET /live/one.flv HTTP/1.0\r\n\r\n") } 1 .. 8;
ok(wait_until(sub { get('/api/v1/clients/')->{total} == 13 }, 10), 'more');
is(scalar @{clients()}, 10, 'ten clients by default');
is(scalar @{page('count=12')}, 12, 'twelve clients');
my %all = map { $_ => 1 } map { @{page("start=$_&count=4")} } 0, 4, 8, 12;
is(scalar keys %all, 13, 'all pages');
undef @more;
ok(wait_until(sub { get('/api/v1/clients/')->{total} == 5 }, 10), 'less');

# another vhost

my $pub2 = $t->publish("$rtmp/live/two?vhost=other.example.com");

ok(wait_until(sub { @{get('/api/v1/streams/')->{streams}} == 2 }, 20),
    'a stream of another vhost');
ok(wait_until(sub {
    my ($o) = grep { $_->{name} eq 'other.example.com' }
        @{get('/api/v1/vhosts/')->{vhosts}};
    my ($n) = grep { $_->{name} eq 'two' }
        @{get('/api/v1/streams/')->{streams}};
    return $n && $n->{vhost} eq $o->{id} && $o->{streams} == 1
        && $n->{url} eq 'other.example.com/live/two';
}, 10), 'its vhost and url');

$t->stop_daemon($pub2);

###############################################################################

# who may close a client

my $id = $flv[0]{id};
my $other = $flv[1]{id};

is(kick(8082, $id, peer => '192.0.2.1'), '403 {"code":1061}',
    'read: not from elsewhere');
is(kick(8081, $id, header => 'X-Forwarded-For: 192.0.2.1'),
    '403 {"code":1061}', 'read: not through a proxy');
is(kick(8081, $id, header => 'Origin: http://example.com'),
    '403 {"code":1061}', 'read: not from a foreign page');
is(kick(8083, $id, header => 'Origin: http://example.com'),
    '403 {"code":1061}', 'write: not from a foreign page');
is(kick(8083, $id, header => 'Origin: null'), '403 {"code":1061}',
    'write: not from a page without origin');
is(kick(8083, $id, header => 'Sec-Fetch-Site: cross-site'),
    '403 {"code":1061}', 'write: not across sites');
is(kick(8081, $id, host => 'evil.example.com',
    header => 'Origin: http://evil.example.com'), '403 {"code":1061}',
    'read: not by a name that points here');

$r = http_get("/api/v1/clients/$id?callback=cb&method=DELETE", port => 8083);
is(http_status($r), 200, 'not by JSONP, which takes status 200 only');
is(http_content($r), 'cb({"code":1061})', 'not by JSONP, body');
like(kick(8083, "$id?callback=cb"), qr/^403 /, 'not by DELETE with JSONP');

ok(wait_until(sub { @{clients()} == 5 }, 10), 'all are there');

is(http_status(http_post("/api/v1/clients/", '', method => 'DELETE',
    port => 8083)), 405, 'not all at once');
is(kick(8081, 'none'), '200 {"code":2049}', 'no such client');

like(kick(8081, $id, header => 'Origin: http://localhost'),
    qr/^200 \{"code":0,"server":"[^"]+","service":"[^"]+","pid":"\d+"\}$/,
    'closed from loopback');
ok(wait_until(sub { get("/api/v1/clients/$id")->{code} == 2049 }, 10),
    'it is gone');
ok(wait_until(sub { @{clients()} == 4 }, 10), 'the others are there');

like(kick(8084, $other, peer => '192.0.2.1'), qr/^200 \{"code":0/,
    'write: from anywhere');
ok(wait_until(sub { get("/api/v1/clients/$other")->{code} == 2049 }, 10),
    'it is gone too');

like(kick(8083, $rtmp_play->{id}), qr/^200 \{"code":0/, 'an RTMP player');
ok(defined $t->wait_daemon($player, 15), 'it has ended');

# the publisher

like(kick(8083, $publisher->{id}), qr/^200 \{"code":0/, 'the publisher');
ok(defined $t->wait_daemon($pub, 15), 'it has ended');

$r = get("/api/v1/streams/$s->{id}");
is(shape("/api/v1/streams/$s->{id}"), "$head stream{$silent health:n}",
    'a stream without publisher') if $r->{code} == 0;

undef @play;

ok(wait_until(sub {
    $j = get('/api/v1/summaries')->{data}{arena};
    return $j->{sources} == 0 && $j->{clients} == 0 && $j->{used} == 0;
}, 30), 'nothing is left in the arena') or diag(encode_json($j));

is(get('/api/v1/clients/')->{total}, 0, 'no clients');
is(get('/api/v1/streams/')->{total}, 0, 'no streams');

###############################################################################

# variables in http{}

http_get('/ordinary');

my @log;

ok(wait_until(sub {
    @log = split /\n/, $t->read_file('media.log');
    return grep({ m!/ordinary! } @log) && grep({ m!one\.flv! } @log);
}, 10), 'access log');

is((grep { m!/ordinary! } @log)[0], '/ordinary' . ' -' x 8,
    'no session, no variables');

my ($line) = grep { /$flv[1]{id}/ } @log;
like($line, qr!^/live/one\.flv\ __defaultVhost__\ live\ one\ token=(t\d)
    \ \1\ -\ flv\ \Q$flv[1]{id}\E$!x, 'variables of a player');

###############################################################################

done_testing();

###############################################################################

sub content {
    my ($uri) = @_;
    return http_content(http_get($uri, port => 8081));
}

sub get { return decode_json(content(@_)) }

sub clients { return get('/api/v1/clients/')->{clients} }

sub page {
    my ($args) = @_;
    return [ map { $_->{id} } @{get("/api/v1/clients/?$args")->{clients}} ];
}

sub http_header {
    my ($reply, $name) = @_;
    return $reply =~ /^\Q$name\E: (.*?)\r$/mi ? $1 : undef;
}

sub kick {
    my ($port, $id, %opts) = @_;

    my $host = $opts{host} || 'localhost';
    my $proxy = $opts{peer} ? "PROXY TCP4 $opts{peer} 192.0.2.2 1 2\r\n" : '';
    my $header = $opts{header} ? "$opts{header}\r\n" : '';

    my $r = http("${proxy}DELETE /api/v1/clients/$id HTTP/1.0\r\n"
        . "Host: $host\r\n$header\r\n", port => $port);

    return http_status($r) . ' ' . http_content($r);
}

# Names, types and order of an answer; JSON::PP keeps no order.

sub shape {
    my ($uri) = @_;

    my $text = content($uri);

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
    return ':n' if $$p =~ /\Gnull/gc;

    return '[' . join(' ', list($p, sub { value($p) }, ']')) . ']'
        if $$p =~ /\G\[/gc;

    return '{' . join(' ', list($p, sub {
        my ($name) = $$p =~ /\G"([\w.\[\]]+)":/gc or return '?';
        return $name . value($p);
    }, '}')) . '}' if $$p =~ /\G\{/gc;

    return '?';
}

sub list {
    my ($p, $item, $end) = @_;

    my @list;

    return () if $$p =~ /\G\Q$end\E/gc;

    do { push @list, $item->() } while ($$p =~ /\G,/gc);

    return $$p =~ /\G\Q$end\E/gc ? @list : (@list, '?');
}

###############################################################################
