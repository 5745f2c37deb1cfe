#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# HLS over HTTP: names, methods, headers, playlists, segments, ranges, caches
# of playlists, groups, viewers with an id; every worker serves everything.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;

use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http http_v2 stream rtmp flv_live hls/)
    ->has_daemon('ffmpeg', 'ffprobe', 'curl');

# configurations that are refused

for my $case (
    [ 'hls; proxy_pass http://127.0.0.1:1;', 'handler' ],
    [ 'proxy_pass http://127.0.0.1:1; hls on;', 'handler' ],
    [ 'hls maybe;', 'must be' ],
    [ 'hls; hls;', 'duplicate' ],
    [ 'hls demand;', 'must be' ],
    [ 'hls_fragment 2s;', 'not allowed' ],
) {
    my ($line, $what) = @$case;

    $t->write_file_expand('refused.conf', <<"END_OF_CONF");
%%TEST_GLOBALS%%
events { }
http {
    server {
        listen 127.0.0.1:8080;
        location /x/ {
            $line
        }
    }
}
END_OF_CONF

    my ($status, $text) = $t->test_config('refused.conf');

    ok($status != 0, "$line is refused");
    like($text, qr/emerg.*$what.*refused\.conf:\d+/, "$line: why and where");
}

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 128m;
    republish_wait 2s;
    hls_window 10s;

    application live { hls_group both one two; }
    application who { hls_session on; hls_fragment 1s; hls_window 3s; }
    application off { hls off; }
    application plain { hls_part 0; hls_fragment 1s; }
    vhost show.example.com { application live { hls_fragment 1s; } }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        listen 127.0.0.1:8082 http2;

        location / {
            flv_live;
            hls;
        }

        location /wait/ {
            hls;
            play_wait 20s;
        }

        location /api/ {
            media_api write;
        }
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);

# names that nobody publishes, or that are not ours

for my $case (
    [ '/live/x.m3u8', 404 ], [ '/live/x.mpd', 404 ],
    [ '/live/x.hls.0.m3u8', 404 ], [ '/live/x.hls.12.m4s', 404 ],
    [ '/live/x.hls.12.3.m4s', 404 ], [ '/live/x.hls.init.mp4', 404 ],
    [ '/live/x.hls.12.ts', 404 ], [ '/live/x.hls.what.m4s', 404 ],
    [ '/live/x.hls.key.1', 404 ], [ '/live/x.hls.', 404 ],
    [ '/live/x.m3u8?_HLS_msn=x', 400 ], [ '/live/x.m3u8?_HLS_part=1', 400 ],
    [ '/off/x.m3u8', 404 ], [ '/live/%01.m3u8', 400 ],
    [ '/live/x.hls.99999999999999999999999.m4s', 404 ],
    [ '/file.txt', 200 ], [ '/live/file.txt', 200 ],
) {
    my ($path, $status) = @$case;

    if ($path =~ /file/ && !-d $t->testdir() . '/live') {
        mkdir $t->testdir() . '/live';
        chmod 0755, $t->testdir() . '/live';
        $t->write_file($_, 'a file') for 'file.txt', 'live/file.txt';
    }

    is(get($path)->{status}, $status, "$path: $status");
}

is(get('/live/x.m3u8')->{header}{'cache-control'}, 'no-cache, no-store',
    'what is not there is not kept');

# methods

my $a = get('/live/x.m3u8', method => 'POST');

is($a->{status}, 405, 'POST');
like($a->{header}{allow}, qr/GET, HEAD, OPTIONS/, 'POST: Allow');

$a = get('/live/x.m3u8', method => 'OPTIONS');

is($a->{status}, 204, 'OPTIONS');
is($a->{header}{'access-control-allow-origin'}, '*', 'OPTIONS: CORS');

# a player may be there before the stream

my $early = start_get('/wait/soon.m3u8');

my %published;

sub publish {
    my ($name, %o) = @_;
    $published{$name} = $t->publish("$rtmp/$name", %o);
}

publish('wait/soon');
publish('live/one');
publish('live/two', size => '160x90');
publish('who/me');
publish('plain/x');
publish('live/v?vhost=show.example.com');

$a = end_get($early);

is($a->{status}, 200, 'play_wait: the stream has come');
like($a->{body}, qr/#EXT-X-STREAM-INF/, 'play_wait: playlist');

is(get('/off/x.m3u8')->{status}, 404, 'hls off');

ok(hls_live('/live/one.hls.0.m3u8', 2), 'live');

# the playlists

$a = get('/live/one.m3u8');

is($a->{status}, 200, 'master');
is($a->{header}{'content-type'}, 'application/vnd.apple.mpegurl',
    'master: type');
is($a->{header}{'access-control-allow-origin'}, '*', 'master: CORS');
like($a->{header}{'cache-control'}, qr/^max-age=\d+$/, 'master: cached');
like($a->{body}, qr/CODECS="avc1\.\w+,mp4a\.40\.2"/, 'master: CODECS');
like($a->{body}, qr/RESOLUTION=320x180/, 'master: RESOLUTION');
like($a->{body}, qr/BANDWIDTH=\d{5}/, 'master: BANDWIDTH');
like($a->{body}, qr/^one\.hls\.0\.m3u8$/m, 'master: URI');

$a = get('/live/one.hls.0.m3u8');

is($a->{status}, 200, 'media playlist');
like($a->{header}{vary}, qr/Accept-Encoding/, 'media playlist: Vary');
like($a->{header}{etag}, qr/^"[^"]+"$/, 'media playlist: ETag');

my $p = parse($a->{body});

is($p->{target}, 2, 'target duration');
ok($p->{init}, 'an init segment');

# ETag and gzip

my $plain = playlist_still('/plain/x.hls.0.m3u8');

is(get('/plain/x.hls.0.m3u8',
    header => { 'If-None-Match' => $plain->{header}{etag} })->{status}, 304,
    'not modified');

my $zipped = get('/plain/x.hls.0.m3u8',
    header => { 'Accept-Encoding' => 'gzip' });

is($zipped->{header}{'content-encoding'}, 'gzip', 'gzip');
isnt($zipped->{header}{etag}, $plain->{header}{etag}, 'gzip: its own ETag');
is(unzip($zipped->{body}), $plain->{body}, 'gzip: the same playlist');

unlike($plain->{body}, qr/EXT-X-PART|PRELOAD/, 'hls_part 0: no parts');

# init and segments

my ($last) = map { $_->{uri} } $p->{segments}[-1];

$a = get("/live/$p->{init}");

is($a->{status}, 200, 'init');
is($a->{header}{'content-type'}, 'video/mp4', 'init: type');
like($a->{header}{'cache-control'}, qr/max-age=86400/, 'init: cached long');
is(substr($a->{body}, 4, 4), 'ftyp', 'init: MP4');

my $init = $a->{body};

$a = get("/live/$last");

is($a->{status}, 200, 'segment');
is($a->{header}{'content-type'}, 'video/iso.segment', 'segment: type');
is($a->{header}{'content-length'}, length $a->{body}, 'segment: whole');
like($a->{header}{'cache-control'}, qr/max-age=600/, 'segment: cached');

my $segment = $a->{body};
my $etag = $a->{header}{etag};

is(get("/live/$last", header => { 'If-None-Match' => $etag })->{status}, 304,
    'segment: not modified');

$a = get("/live/$last", header => { Range => 'bytes=100-199' });

is($a->{status}, 206, 'segment: a range');
is($a->{body}, substr($segment, 100, 100), 'segment: bytes of a range');

is(get("/live/$last", header => { Range => 'bytes=99999999-' })->{status},
    416, 'segment: a range behind the end');

$a = get("/live/$last", method => 'HEAD');

is($a->{status} . ' ' . $a->{header}{'content-length'} . ' ' . $a->{body},
    '200 ' . length($segment) . ' ', 'segment: HEAD');

(my $wrong = $last) =~ s/m4s/ts/;
is(get("/live/$wrong")->{status}, 404, 'segment: of the other container');

# it is the stream

$t->write_file('one.mp4', $init . $segment);
my $got = decoded_frames($t->testdir() . '/one.mp4');

is($got->{errors}, '', 'segment: decodes alone');
cmp_ok($got->{video} || 0, '>=', 45, 'segment: pictures');

# all workers have the same

my %bodies;

$bodies{get("/live/$last")->{body}} = 1 for 1 .. 20;
is(scalar keys %bodies, 1, 'the same segment from all workers');

my @connections = $t->workers();

cmp_ok(scalar @connections, '>=', 2, 'there are several workers');

# HTTP/2

my $out = '';

for my $path ("/live/$last", '/live/one.m3u8', '/live/one.hls.0.m3u8') {
    $out .= `curl -s --http2-prior-knowledge -w '%{http_code}\\n' \\
        -o /dev/null http://127.0.0.1:@{[ port(8082) ]}$path`;
}

is($out, "200\n" x 3, 'HTTP/2');

# hosts

ok(wait_until(sub { get('/live/v.m3u8', host => 'show.example.com')->{status}
    == 200 }, 10), 'vhost by Host');
is(get('/live/v.m3u8')->{status}, 404, 'the default vhost does not have it');

$a = get('/live/v.m3u8?vhost=show.example.com');

is($a->{status}, 200, 'vhost by argument');
like($a->{body}, qr/m3u8\?vhost=show\.example\.com$/m,
    'vhost by argument: playlists have it');
like(get('/live/v.hls.0.m3u8?vhost=show.example.com')->{body},
    qr/m4s\?vhost=show\.example\.com$/m,
    'vhost by argument: segments have it');
is(playlist('/live/v.hls.0.m3u8?vhost=show.example.com')->{target}, 1,
    'policy of the vhost');
unlike(get('/live/one.m3u8?vhost=a%22b"c')->{body}, qr/vhost/,
    'no argument that breaks a playlist');

# groups

$a = get('/live/both.m3u8');

is($a->{status}, 200, 'group');
is(() = $a->{body} =~ /^#EXT-X-STREAM-INF/mg, 2, 'group: two variants');
like($a->{body}, qr/^one\.hls\.0\.m3u8\n.*\n?two\.hls\.0\.m3u8$/ms,
    'group: names');
like($a->{body}, qr/RESOLUTION=160x90/, 'group: of each its own');

# viewers

$a = get('/who/me.m3u8?token=abc');

is($a->{status}, 200, 'session');
is($a->{header}{'cache-control'}, 'no-cache, no-store',
    'session: not for caches');

my ($id) = $a->{body} =~ /^me\.m3u8\?hls_ctx=([0-9a-z]{8})&token=abc$/m;

ok($id, 'session: an id and the query');

my $who = "/who/me.m3u8?hls_ctx=$id&token=abc";

ok(wait_until(sub { @{playlist($who)->{segments}} > 0 }, 10),
    'session: media playlist');

$p = playlist($who);

like($p->{segments}[-1]{uri}, qr/m4s\?hls_ctx=$id$/,
    'session: segments have the id');
is(get("/who/$p->{segments}[-1]{uri}")->{status}, 200, 'session: segment');
is(get("/who/$p->{init}")->{status}, 200, 'session: init');

my ($client) = grep { $_->{type} eq 'hls-play' }
    @{$t->api_get('/api/v1/clients/')->{clients}};

is($client->{id}, $id, 'session: a client of the API');
cmp_ok($client->{send_bytes}, '>', 1000, 'session: its bytes');
is(scalar(grep { $_->{type} eq 'hls-play' }
    @{$t->api_get('/api/v1/clients/')->{clients}}), 1,
    'session: only one, from all workers');

my ($stream) = grep { $_->{name} eq 'me' }
    @{$t->api_get('/api/v1/streams/')->{streams}};

is($stream->{clients}, 2, 'session: a client of the stream');
cmp_ok($stream->{send_bytes}, '>', 1000, 'the stream counts what was sent');

# it outlives the worker that made it

$t->kill_worker($_) for ($t->workers())[0, 1];

is(get($who)->{status}, 200, 'session: goes on where workers died');
is($t->api_get("/api/v1/clients/$id")->{client}{id}, $id,
    'session: still a client');

is($t->api_request('DELETE', "/api/v1/clients/$id")->{code}, 0,
    'session: kicked');
is(join(' ', map { get($who)->{status} } 1 .. 8), join(' ', (404) x 8),
    'session: refused by all workers');
is(get("/who/$p->{segments}[-1]{uri}")->{status}, 404,
    'session: segments are refused');
is(get('/who/me.m3u8?hls_ctx=' . 'a' x 9)->{status}, 404, 'session: bad id');

# one that is silent is gone after twice the window

get('/who/me.m3u8');

is(hls_clients(), 1, 'session: another viewer');
ok(wait_until(sub { hls_clients() == 0 }, 12), 'session: gone in silence');

# a dead worker may have been the publisher's: those encoders are started anew

sleep 2;

for my $name (sort keys %published) {
    publish($name) unless $t->daemon_alive($published{$name});
}

ok(hls_live('/live/one.hls.0.m3u8', 2), 'live again');

# from the past

ok(wait_until(sub { @{playlist('/live/one.hls.0.m3u8')->{segments}} >= 4 },
    15), 'some history');
$p = playlist('/live/one.hls.0.m3u8?start=-3');
$got = @{$p->{segments}};

cmp_ok($got, '>=', 1, 'start: lists');
cmp_ok($got, '<', scalar @{playlist('/live/one.hls.0.m3u8')->{segments}},
    'start: lists less');
is(get('/live/one.hls.0.m3u8?start=soon')->{status}, 400, 'start: bad');

# the whole of it

is(checked('/live/one.m3u8', '--seconds=10'), '', 'check-hls');
is(checked('/plain/x.m3u8', '--seconds=8'), '', 'check-hls, no low latency');

# the end

ok(hls_live('/plain/x.hls.0.m3u8', 6), 'cut again after some silence');

$t->stop_daemon($published{'plain/x'});

ok(wait_until(sub { playlist('/plain/x.hls.0.m3u8')->{ended} }, 10),
    'the end of the stream');

$got = decoded_frames('http://127.0.0.1:' . port(8080) . '/plain/x.m3u8');

is($got->{errors}, '', 'the ended stream decodes');
cmp_ok($got->{video} || 0, '>', 100, 'the ended stream: pictures');

done_testing();

###############################################################################

sub hls_clients {
    return scalar grep { $_->{type} eq 'hls-play' }
        @{$t->api_get('/api/v1/clients/')->{clients}};
}

# one that does not change while it is looked at

sub playlist_still {
    my ($path) = @_;

    hls_live($path, 2);

    my $last = playlist($path)->{last};

    wait_until(sub { playlist($path)->{last} != $last }, 5);

    return get($path);
}

sub unzip {
    my ($data) = @_;

    $t->write_file('x.gz', $data);
    return scalar `gzip -dc @{[ $t->testdir() ]}/x.gz`;
}
