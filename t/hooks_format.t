#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Hooks: the forms of nginx-rtmp and Oryx, signatures, variables in URLs,
# verdicts that are kept, segments of HLS, and the heartbeat.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Digest::SHA qw/ hmac_sha256_hex /;
use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Hook;
use Test::RTMP;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls threads /);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    publish_timeout 60s 60s;

    heartbeat http://127.0.0.1:8085/beat/$hostname 500ms;

    application form {
        hook_format rtmp;
        hook_update 1s;

        on_connect http://127.0.0.1:8085/form/connect;
        on_close http://127.0.0.1:8085/form/close;
        on_publish http://127.0.0.1:8085/form/publish;
        on_unpublish http://127.0.0.1:8085/form/unpublish;
        on_play http://127.0.0.1:8085/form/play;
        on_stop http://127.0.0.1:8085/form/stop;
        on_update http://127.0.0.1:8085/form/update;
    }

    application oryx {
        hook_format oryx;

        on_publish http://127.0.0.1:8085/oryx/publish;
        on_unpublish http://127.0.0.1:8085/oryx/unpublish;
    }

    application signed {
        hook_secret secret;
        on_publish http://127.0.0.1:8085/signed;
    }

    application a/b {
        on_publish http://127.0.0.1:8085/var/$media_app/${media_stream}x?$media_args&k=$media_arg_key&p=$media_protocol&id=$media_client_id;
    }

    application cached {
        hook_cache 2s;
        on_publish http://127.0.0.1:8085/cached/publish;
        on_play http://127.0.0.1:8085/cached/play;
    }

    application memory {
        hls_fragment 1s;
        hls_window 4s;
        on_hls http://127.0.0.1:8085/memory;
        on_hls_notify http://127.0.0.1:8085/notify/[server_id]/[service_id]/[app]/[stream]/[ts_url][param];
    }

    application disk {
        hls_fragment 1s;
        hls_window 4s;
        hls_container mpegts;
        hls_path %%TESTDIR%%/hls;
        on_hls http://127.0.0.1:8085/disk;
        on_hls_notify http://127.0.0.1:8085/cdn/[app]/[ts_url][param];
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

        location / {
            flv_live;
            hls;
        }

        location /api/ {
            media_api;
        }
    }
}

EOC

my $hook = Test::Nginx::Hook->new($t, port(8085));

$t->run();

my $ids = $t->api_get('/api/v1/versions');
my ($p, $c, $r, $frame);

###############################################################################

# nginx-rtmp

my @common = qw/ app flashver swfurl tcurl pageurl addr clientid call /;

$p = publisher('form', 'x?key=va%20lue&app=mine&addr=1.2.3.4&x[]=1');

($r) = $hook->wait_for('/form/publish', 1);
is($r->{headers}{'content-type'}, 'application/x-www-form-urlencoded',
    'type of the body');
is(join(' ', @{$r->{names}}), "@common name type key", 'publish');
form($r, app => 'form', addr => '127.0.0.1', call => 'publish', name => 'x',
    type => 'live', key => 'va lue', flashver => '',
    tcurl => 'rtmp://127.0.0.1/form');
like($r->{form}{clientid}, qr/^[0-9a-z]{8}$/, 'clientid');

my $id = $r->{form}{clientid};

($r) = $hook->wait_for('/form/connect', 1);
is(join(' ', @{$r->{names}}), "@common epoch key", 'connect');
form($r, call => 'connect', app => 'form', clientid => $id);

($r) = $hook->wait_for('/form/update', 1);
is(join(' ', @{$r->{names}}), "@common time timestamp name key", 'update');
form($r, call => 'update_publish', name => 'x', clientid => $id);
cmp_ok($r->{form}{time}, '>=', 1, 'time');

$c = Test::RTMP->new(port(1935))->connect('form');
$c->play('x');

($r) = $hook->wait_for('/form/play', 1);
is(join(' ', @{$r->{names}}), "@common name start duration reset", 'play');
form($r, call => 'play', name => 'x');

ok(wait_until(sub { grep { $_->{form}{call} eq 'update_play' }
    $hook->requests('/form/update') }, 5), 'update of a player');

$c->close();
($r) = $hook->wait_for('/form/stop', 1);
form($r, call => 'play_done', name => 'x');
($r) = $hook->wait_for('/form/close', 1);
form($r, call => 'disconnect');
cmp_ok($r->{form}{bytes_out}, '>', 0, 'bytes');

# any 2xx agrees, whatever it says; 3xx renames

my $q;

$hook->answer('/form/publish', status => 204, body => '');
$q = publisher('form', 'y');
ok($q, 'status 204');
$q->close();

$hook->answer('/form/publish', status => 302, location => 'renamed');
$q = publisher('form', 'y');
ok(wait_until(sub { join(' ', sort map { $_->{name} }
    grep { $_->{publish}{active} }
    @{$t->api_get('/api/v1/streams/')->{streams}}) eq 'renamed x' }, 5),
    'status 302: another name');

($r) = grep { $_->{form}{name} eq 'renamed' } $hook->wait_for('/form/update',
    2);
$q->close();

$hook->answer('/form/publish', status => 302,
    location => 'rtmp://other/live/y');
ok(!publisher('form', 'y'), 'status 302: another server');
$hook->answer('/form/publish', status => 404, body => '0');
ok(!publisher('form', 'y'), 'status 404');

# a refused update ends it

$hook->answer('/form/update', status => 403);
ok(wait_until(sub { $p->closed() }, 10), 'a refused update');
($r) = grep { $_->{form}{clientid} eq $id }
    $hook->wait_for('/form/unpublish', 1);
form($r, call => 'publish_done', name => 'x');

# Oryx

$p = publisher('oryx', 'x?secret=s');
$p->close();

my @oryx = qw/ request_id action opaque vhost app stream param /;
my %oryx = (opaque => '', vhost => '__defaultVhost__', app => 'oryx',
    stream => 'x', param => '?secret=s');

($r) = $hook->requests('/oryx/publish');
is(join(' ', map { $_->[0] } @{$r->{fields}}), "@oryx", 'Oryx');
like(delete $r->{json}{request_id}, qr/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/,
    'request_id');
is_deeply($r->{json}, { %oryx, action => 'on_publish' }, 'on_publish');

($r) = $hook->wait_for('/oryx/unpublish', 1);
delete $r->{json}{request_id};
is_deeply($r->{json}, { %oryx, action => 'on_unpublish' }, 'on_unpublish');

# signatures

publisher('signed', 'x')->close();

($r) = $hook->requests('/signed');
cmp_ok(abs($r->{headers}{'x-media-timestamp'} - time()), '<', 10, 'timestamp');
is($r->{headers}{'x-media-signature'}, hmac_sha256_hex(
    "$r->{headers}{'x-media-timestamp'}.$r->{body}", 'secret'), 'signature');

# variables

publisher('a/b', 'q c%?key=1/2&z=<')->close();

($r) = grep { $_->{path} =~ m!^/var/! } $hook->requests();
is($r->{path}, '/var/a/b/q%20c%25x', 'a path');
like($r->{query}, qr!^key=1/2&z=%3C&k=1%2F2&p=rtmp&id=[0-9a-z]{8}$!,
    'arguments') or note($r->{uri});

###############################################################################

# hook_cache

$hook->forget();
publisher('cached', 'x?t=1')->close() for 1 .. 12;

my $asked = $hook->requests('/cached/publish');

cmp_ok($asked, '<=', $ENV{TEST_NGINX_WORKERS} || 4, 'asked once per worker');
note("$asked times");

$hook->answer('/cached/publish', body => '1')->forget();
ok(!publisher('cached', 'x?t=2'), 'other arguments are asked about');
ok(!publisher('cached', 'y?t=1'), 'another name as well');
ok(!publisher('cached', 'x'), 'no arguments as well');
is(scalar($hook->requests('/cached/publish')), 3, 'asked');

ok(!publisher('cached', 'x?t=2'), 'refused again') for 1 .. 10;
cmp_ok(scalar($hook->requests('/cached/publish')), '<=',
    3 + ($ENV{TEST_NGINX_WORKERS} || 4) - 1, 'refusals are kept');

$hook->answer('/cached/publish');
sleep(2.1);
ok($q = publisher('cached', 'x?t=2'), 'not for ever');
$q->close();

# what is no verdict is not kept

$hook->answer('/cached/publish', status => 500);
ok(!publisher('cached', 'z'), 'no verdict');
$hook->answer('/cached/publish');
ok($q = publisher('cached', 'z'), 'is not kept');
$q->close();

###############################################################################

# segments

my @hls = qw/ server_id service_id action client_id ip vhost app tcUrl stream
    param duration cwd file url m3u8 m3u8_url seq_no stream_url stream_id /;

for my $app (qw/ memory disk /) {
    ($frame) = (0);
    $p = publisher($app, 'x?secret=abc&k=v');

    for (1 .. 5) {
        send_frames(10);
        sleep(0.3);
    }

    my @all = $hook->wait_for("/$app", 3);
    $r = $all[0];

    is(join(' ', map { $_->[0] } @{$r->{fields}}), "@hls", "$app: on_hls");
    is(join(' ', grep { defined } map { $_->[1] !~ /^"/ ? $_->[0] : undef }
        @{$r->{fields}}), 'duration seq_no', 'numbers');
    is($r->{json}{duration}, '1', 'duration');
    my ($publish) = grep { $_->{publish} } @{$t->api_get(
        '/api/v1/clients/?count=100')->{clients}};

    is($r->{json}{client_id}, $publish->{id}, 'client_id');
    is($r->{json}{param}, '?secret=abc&k=v', 'param');
    is($all[1]{json}{seq_no}, $r->{json}{seq_no} + 1, 'seq_no');

    if ($app eq 'memory') {
        like($r->{json}{url}, qr!^memory/x\.hls\.\d+\.m4s$!, 'url');
        is($r->{json}{m3u8_url}, 'memory/x.m3u8', 'm3u8_url');
        is(get('/' . $all[-1]{json}{url})->{status}, 200, 'is there');

    } else {
        like($r->{json}{url}, qr!^disk/x-\d+\.ts$!, 'url');
        is($r->{json}{m3u8_url}, 'disk/x.m3u8', 'm3u8_url');
        is($r->{json}{file}, $t->testdir() . "/hls/$r->{json}{url}", 'file');
        ok(-s $all[-1]{json}{file}, 'is there');
    }

    $p->close();
}

my $server = qr/$ids->{server}/;

($r) = grep { $_->{path} =~ m!^/notify/! } $hook->requests();
like($r->{uri}, qr!^/notify/$ids->{server}/$ids->{service}/memory/x/x\.hls\.\d+\.m4s\?secret=abc&k=v$!,
    'on_hls_notify');
is($r->{method}, 'GET', 'GET');
is($r->{headers}{'content-length'}, 0, 'without a body');

($r) = grep { $_->{path} =~ m!^/cdn/! } $hook->requests();
like($r->{uri}, qr!^/cdn/disk/x-\d+\.ts\?secret=abc&k=v$!,
    'on_hls_notify of a file');

###############################################################################

# heartbeat: one of all workers

my @beats = grep { $_->{path} =~ m!^/beat/! } $hook->forget()->requests();

sleep(3);
@beats = grep { $_->{path} =~ m!^/beat/! } $hook->requests();

cmp_ok(scalar(@beats), '>=', 4, 'heartbeats');
cmp_ok(scalar(@beats), '<=', 8, 'of one worker');

$r = $beats[0]{json};

is(join(' ', sort keys %$r),
    'api device_id http ip pid rtmp server service summaries', 'fields');
is_deeply([@$r{qw/ server service pid /}], [@$ids{qw/ server service pid /}],
    'ids');
is_deeply($r->{rtmp}, ['127.0.0.1:' . port(1935)], 'rtmp');
is_deeply($r->{http}, ['127.0.0.1:' . port(8080)], 'http');
is($r->{summaries}{data}{ok}, JSON::PP::true(), 'summaries');
like($r->{ip}, qr/^\d+(\.\d+){3}$/, 'ip');
is($beats[0]{path}, "/beat/$r->{device_id}", 'device_id');

$t->stop();

###############################################################################

sub form {
    my ($r, %want) = @_;

    is(join(' ', map { "$_=" . ($r->{form}{$_} // 'none') } sort keys %want),
        join(' ', map { "$_=$want{$_}" } sort keys %want), 'values');
}

sub publisher {
    my ($app, $name) = @_;

    my $c = Test::RTMP->new(port(1935))->connect($app);

    $c->create_stream();
    $c->command_on($c->{msid}, 'publish', 0, undef, $name, 'live');

    my $m = $c->expect(sub {
        my $v = $_[0]{values} or return 0;
        return $v->[0] eq 'onStatus';
    }, 10);

    my ($info) = $m ? grep { ref $_ eq 'HASH' } @{$m->{values}} : {};

    if (($info->{code} // '') ne 'NetStream.Publish.Start') {
        $c->close();
        return undef;
    }

    $c->video(0, Test::RTMP::avc_config());
    $c->video(0, Test::RTMP::avc_key(0));

    return $c;
}

sub send_frames {
    my ($n) = @_;

    for (1 .. $n) {
        $p->video($frame * 100, $frame % 10 ? Test::RTMP::avc_inter($frame)
            : Test::RTMP::avc_key($frame));
        $frame++;
    }

    $p->fill(time() + 0.05);
    $p->{in} = '';
}

###############################################################################

done_testing();

###############################################################################
