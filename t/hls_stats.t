#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What the packager counts, in the API and the metrics of any worker: segments,
# parts, memory, requests that wait, viewers, cuts without a keyframe, and what
# is on disk.

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

my $t = Test::Nginx->new()->has(qw/http stream rtmp hls/)
    ->has_daemon('ffmpeg');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 64m;
    republish_wait 1s;
    hls_fragment 1s;
    hls_window 6s;

    application ll { hls_part 300ms; hls_session on; }
    application disk { hls_path %%TESTDIR%%/hls; }
    application apart { hls on; dash on; }
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen 127.0.0.1:8080;
        location / { hls; }
        location /metrics { media_metrics; }
        location /api/ { media_api; }
    }
}
END_OF_CONF

$t->run();

my $rtmp = 'rtmp://127.0.0.1:' . port(8035);
$t->publish("$rtmp/disk/long", codecs => [ qw/ -c:v libx264
    -preset ultrafast -pix_fmt yuv420p -g 1000 -sc_threshold 0 -c:a aac / ]);

$t->publish("$rtmp/ll/x");
$t->publish("$rtmp/disk/x");
$t->publish("$rtmp/apart/x");

ok(wait_until(sub { defined hls('disk', 'x') }, 10), 'published');
ok(wait_until(sub { (stream('ll', 'x') || {})->{publish} }, 10), 'and this');
is(hls('ll', 'x'), undef, 'nobody asked for it: null');

my ($ctx) = get('/ll/x.m3u8')->{body} =~ /hls_ctx=(\w+)/;

ok($ctx, 'a viewer');
ok(hls_live("/ll/x.hls.0.m3u8?hls_ctx=$ctx", 3), 'live');

my $p = playlist("/ll/x.hls.0.m3u8?hls_ctx=$ctx");
my $h = hls('ll', 'x');

is($h->{container}, 'fmp4', 'container');
is($h->{renditions}, 1, 'renditions');
cmp_ok($h->{segments}, '>=', @{$p->{segments}}, 'segments');
cmp_ok($h->{parts}, '>=', 3 * @{$p->{segments}}, 'parts');
is($h->{bytes} % 65536, 0, 'bytes, whole chunks');
cmp_ok($h->{bytes}, '>', 65536, 'bytes');
is($h->{target_ms}, $p->{target} * 1000, 'target duration');
cmp_ok(abs($h->{duration_ms} - 1000), '<', 200, 'duration');
is($h->{viewers}, 1, 'viewers');
is($h->{parked}, 0, 'nobody waits');
is("$h->{cuts} $h->{dropped} $h->{disk_written}", '0 0 0', 'no trouble');

# requests that wait, in any worker

my @waiting = map { start_get("/ll/x.hls.0.m3u8?hls_ctx=$ctx&_HLS_msn="
    . ($p->{last} + 2)) } 1 .. 6;

# workers may not have read them yet

ok(wait_until(sub { hls('ll', 'x')->{parked} == 6 }, 2), 'requests that wait');
like(get('/metrics')->{body},
    qr/^nginx_media_hls_parked_requests\{vhost="[^"]+",app="ll",stream="x"\} [1-6]$/m,
    'in the metrics');

is(join(' ', map { end_get($_)->{status} } @waiting), join(' ', (200) x 6),
    'they are answered');
ok(wait_until(sub { hls('ll', 'x')->{parked} == 0 }, 5), 'and wait no more');

# those of a dead worker do not wait

@waiting = map { start_get("/ll/x.hls.0.m3u8?hls_ctx=$ctx&_HLS_msn="
    . (playlist("/ll/x.hls.0.m3u8?hls_ctx=$ctx")->{last} + 2)) } 1 .. 4;
$t->kill_worker($_) for $t->workers();

ok(wait_until(sub { (hls('disk', 'x') || {})->{segments} }, 5), 'workers died');
is((hls('ll', 'x') || {})->{parked} // 0, 0, 'nobody waits for the dead');
close $_->{socket} for @waiting;

# each track on its own, written to disk, groups of pictures that are too long

$t->publish("$rtmp/apart/x");
$t->publish("$rtmp/disk/x");
$t->publish("$rtmp/disk/long", codecs => [ qw/ -c:v libx264
    -preset ultrafast -pix_fmt yuv420p -g 1000 -sc_threshold 0 -c:a aac / ]);

ok(wait_until(sub { (hls('apart', 'x') || {})->{renditions} == 2 }, 20),
    'two renditions');

ok(wait_until(sub { hls('disk', 'x')->{disk_written} >= 3 }, 20), 'on disk');

$h = hls('disk', 'x');

cmp_ok($h->{disk_written}, '<=', $h->{segments}, 'on disk, what was cut');
is("$h->{disk_failed} $h->{disk_missing}", '0 0', 'on disk, no trouble');
cmp_ok($h->{disk_behind}, '<=', 1, 'on disk, in time');

ok(wait_until(sub { (hls('disk', 'long') || {})->{cuts} >= 1 }, 30),
    'cuts without a keyframe');

# the same in the metrics

my $m = get('/metrics')->{body};

for my $name (qw/ segments_total parts_total memory_bytes target_seconds
    duration_seconds viewers forced_cuts_total dropped_parts_total
    disk_segments_total disk_failures_total disk_missing_segments_total
    disk_behind_segments /)
{
    like($m, qr/^nginx_media_hls_$name\{vhost="[^"]+",app="disk",stream="x"\} [\d.]+$/m,
        "metrics: $name");
}

my ($cuts) = $m =~ /hls_forced_cuts_total\{[^}]*stream="long"\} (\d+)/;

cmp_ok($cuts, '>=', 1, 'metrics: cuts');

$t->stop_daemons();

done_testing();

###############################################################################

sub stream {
    my ($app, $name) = @_;
    my ($s) = grep { $_->{app} eq $app && $_->{name} eq $name }
        @{($t->api_get('/api/v1/streams/?count=100') || {})->{streams}};
    return $s;
}

sub hls { return (stream(@_) || {})->{hls} }
