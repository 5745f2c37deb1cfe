#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# Hooks as SRS has them: what a back end is told of RTMP, HTTP-FLV, HLS and
# publishing over HTTP (fields, their order and types), and what its answers
# do.

###############################################################################

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;
use Test::Nginx::Hook;
use Test::RTMP;
use Time::HiRes qw/ sleep time /;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/ http stream rtmp flv_live hls /);

$t->write_file_expand('nginx.conf', <<'EOC');

%%TEST_GLOBALS%%

daemon off;
worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    republish_wait 1s;
    idle_timeout 2s;
    publish_timeout 60s 60s;

    on_connect http://127.0.0.1:8085/connect;
    on_close http://127.0.0.1:8085/close;
    on_publish http://127.0.0.1:8085/publish;
    on_unpublish http://127.0.0.1:8085/unpublish;
    on_play http://127.0.0.1:8085/play;
    on_stop http://127.0.0.1:8085/stop;

    hls_fragment 1s;
    hls_window 4s;

    application group {
        hls_group all a b;
        dash on;
    }

    application two {
        on_publish http://127.0.0.1:8085/first http://127.0.0.1:8085/second;
    }

    application none {
        on_connect off;
        on_publish off;
        on_play off;
    }

    application open {
        on_publish http://127.0.0.1:8086/none;
        on_play http://127.0.0.1:8085/open;
        hook_fail allow;
        hook_timeout 300ms;
    }

    application shut {
        on_publish http://127.0.0.1:8086/none;
        hook_timeout 300ms;
        hook_retry 2;
    }

    application flaky {
        on_publish http://127.0.0.1:8085/flaky;
        hook_retry 3;
    }

    vhost show.example.com {
        application live { }
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

        location /push/ {
            flv_live_push on;
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

# what each event has; "" any string, a number, or a pattern

my %who = (server_id => $ids->{server}, service_id => $ids->{service},
    client_id => qr/^[0-9a-z]{8}$/, ip => '127.0.0.1',
    vhost => '__defaultVhost__', app => 'live', stream => 'x',
    stream_url => '/live/x', stream_id => qr/^vid-[0-9a-z]{7}$/);

my @begin = qw/ server_id service_id action client_id ip vhost app /;
my @end = qw/ stream_url stream_id /;

my %order = (
    on_connect => [@begin, qw/ stream param tcUrl pageUrl /],
    on_close => [@begin, qw/ send_bytes recv_bytes /],
    on_publish => [@begin, qw/ tcUrl stream param /, @end],
    on_unpublish => [@begin, qw/ tcUrl stream param /, @end],
    on_play => [@begin, qw/ stream tcUrl param pageUrl /, @end],
    on_stop => [@begin, qw/ tcUrl stream param /, @end],
);

###############################################################################

# RTMP

my $p = Test::RTMP->new(port(1935))->connect('live',
    tcUrl => 'rtmp://127.0.0.1:1935/live', pageUrl => 'http://page/x');

ok($p->publish('x?secret=abc&k=v'), 'publish');
$p->video(0, Test::RTMP::avc_config());
$p->video($_ * 40, Test::RTMP::avc_key($_)) for 1 .. 5;

my ($r) = $hook->wait_for('/publish', 1);
my %param = (param => '?secret=abc&k=v',
    tcUrl => 'rtmp://127.0.0.1:1935/live');

check($r, 'on_publish', %param);
is($r->{method}, 'POST', 'method');
is($r->{headers}{'content-type'}, 'application/json', 'type of the body');
is($r->{headers}{'content-length'}, length $r->{body}, 'length of the body');
is($r->{headers}{host}, '127.0.0.1:' . port(8085), 'host');
like($r->{headers}{'user-agent'}, qr/^nginx-media/, 'user agent');

my $id = $r->{json}{client_id};
my $stream_id = $r->{json}{stream_id};
my ($stream) = grep { $_->{name} eq 'x' }
    @{$t->api_get('/api/v1/streams/')->{streams}};

is($stream->{id}, $stream_id, 'stream_id is that of the API');
is($stream->{publish}{cid}, $id, 'client_id is that of the API');

my $c = Test::RTMP->new(port(1935))->connect('live',
    tcUrl => 'rtmp://127.0.0.1:1935/live', pageUrl => 'http://page/x');
ok($c->play('x?token=t1'), 'play');

($r) = $hook->wait_for('/play', 1);
check($r, 'on_play', param => '?token=t1', pageUrl => 'http://page/x',
    tcUrl => 'rtmp://127.0.0.1:1935/live', stream_id => $stream_id);

my $player = $r->{json}{client_id};

$c->close();

($r) = $hook->wait_for('/stop', 1);
check($r, 'on_stop', param => '?token=t1', stream_id => $stream_id,
    tcUrl => 'rtmp://127.0.0.1:1935/live', client_id => $player);

($r) = $hook->requests('/connect');
check($r, 'on_connect', %param, client_id => $id, pageUrl => 'http://page/x');
($r) = $hook->wait_for('/close', 1);
check($r, 'on_close', client_id => $player, send_bytes => qr/^\d+$/,
    recv_bytes => qr/^\d+$/);

# HTTP-FLV

$hook->forget();

my $s = http_start("GET /live/x.flv?token=t2 HTTP/1.0\r\nHost: localhost\r\n"
    . "Referer: http://page/y\r\n\r\n");

($r) = $hook->wait_for('/play', 1);
check($r, 'on_play', param => '?token=t2', pageUrl => 'http://page/y',
    tcUrl => 'rtmp://__defaultVhost__/live', stream_id => $stream_id);

close $s;

($r) = $hook->wait_for('/stop', 1);
check($r, 'on_stop', param => '?token=t2', stream_id => $stream_id,
    tcUrl => 'rtmp://__defaultVhost__/live');

# HLS: once for a viewer, and the end when it has been silent

$hook->forget();

my $frame = 5;
my $first = start_get('/live/x.m3u8?token=t3');

send_frames(10) for 1 .. 6;
is(end_get($first)->{status}, 200, 'HLS');

($r) = $hook->wait_for('/play', 1);
check($r, 'on_play', param => '?token=t3', stream => 'x.m3u8', pageUrl => '',
    tcUrl => 'http://localhost/live', stream_id => $stream_id);

my $viewer = $r->{json}{client_id};

send_frames(10);

my ($list) = get('/live/x.m3u8?token=t3')->{body} =~ /^([^#\n].*hls_ctx.*)$/m;
ok($list, 'the list of the viewer');
get("/live/$list") for 1 .. 3;

is(scalar($hook->requests('/play')), 2, 'one question per viewer');

# what is not for a viewer has no media

my @uris = grep { defined }
    get("/live/$list")->{body} =~ /^([^#\n].*)$|URI="([^"]+)"/mg;

cmp_ok(scalar(@uris), '>', 2, 'URIs') or note(explain(\@uris));
is(join(' ', grep { !/hls_ctx=/ } @uris), '', 'all with the id');

for my $uri (@uris[0, 1], "x.hls.0.m3u8?hls_ctx=$viewer") {
    my $bare = $uri =~ s/\?.*//r;

    is(get("/live/$uri")->{status}, 200, "$bare with the id");
    is(get("/live/$bare")->{status}, 403, 'without it');
}

is(get(("/live/$uris[0]" =~ s/hls_ctx=\w+/hls_ctx=abcdefgh/r))->{status}, 403,
    'with another one');

($r) = grep { $_->{json}{client_id} eq $viewer }
    $hook->wait_for('/stop', 2, 20);
check($r, 'on_stop', param => '?token=t3', stream => 'x.m3u8',
    tcUrl => 'http://localhost/live', stream_id => $stream_id);

# a list of streams: each is asked about when it is played

my $keep = $p;

for my $name (qw/ a b /) {
    $p = Test::RTMP->new(port(1935))->connect('group');
    $p->publish($name);
    $p->video(0, Test::RTMP::avc_config());
    $frame = 0;
    send_frames(30);
    $keep = [$keep, $p];
}

$hook->forget();

my @group = get('/group/all.m3u8?token=t4')->{body} =~ /^([^#\n].*)$/mg;

is(scalar(@group), 2, 'members');
is(scalar(grep { /hls_ctx=/ && /token=t4/ } @group), 2, 'with ids');
is(scalar($hook->requests('/play')), 0, 'nobody plays yet');
is(get("/group/$group[0]")->{status}, 200, 'a member');

($r) = $hook->requests('/play');
is($r->{json}{stream_url}, '/group/a', 'is asked about');

my ($part) = get("/group/$group[0]")->{body} =~ /^([^#\n].*)$/m;
is(get("/group/$part")->{status}, 200, 'and plays');

is(scalar($hook->requests('/play')), 1, 'once');
is(get('/group/a.mpd')->{status}, 403, 'DASH has no viewers');

while (ref $keep eq 'ARRAY') {
    $keep->[1]->close();
    $keep = $keep->[0];
}

$p = $keep;

# the publisher goes

$p->close();

wait_until(sub { ($r) = grep { $_->{json}{client_id} eq $id }
    $hook->requests('/unpublish') }, 10);
check($r, 'on_unpublish', %param, client_id => $id, stream_id => $stream_id);

# over HTTP

$hook->forget();

$s = http_start("POST /push/live/y.flv?a=b HTTP/1.1\r\nHost: localhost\r\n"
    . "Transfer-Encoding: chunked\r\n\r\nd\r\nFLV\1\5\0\0\0\x09\0\0\0\0\r\n");

($r) = $hook->wait_for('/publish', 1);
check($r, 'on_publish', param => '?a=b', stream => 'y',
    stream_url => '/live/y', tcUrl => 'http://localhost/live');
$stream_id = $r->{json}{stream_id};

close $s;

($r) = $hook->wait_for('/unpublish', 1);
check($r, 'on_unpublish', param => '?a=b', stream => 'y',
    stream_url => '/live/y', stream_id => $stream_id,
    tcUrl => 'http://localhost/live');

# a vhost

$hook->forget();
$p = Test::RTMP->new(port(1935))->connect('live',
    tcUrl => 'rtmp://show.example.com/live');
$p->publish('x');

($r) = $hook->wait_for('/publish', 1);
check($r, 'on_publish', vhost => 'show.example.com', param => '',
    tcUrl => 'rtmp://show.example.com/live',
    stream_url => 'show.example.com/live/x');
isnt($r->{json}{stream_id}, $stream_id, 'another stream_id');

$p->close();

# what JSON must escape

$hook->forget();
$p = Test::RTMP->new(port(1935))->connect('live');
$p->publish("q\"\xc3\xa9?t=a\"b\xff%22&u=<>");

($r) = $hook->wait_for('/publish', 1);
is($r->{json}{stream}, "q\"\x{e9}", 'a name with a quote');
is($r->{json}{param}, "?t=a\"b\x{fffd}%22&u=<>", 'odd arguments');

$p->close();

###############################################################################

# verdicts

my %verdicts = (
    'zero' => [200, '0', 1],
    '201' => [201, '0', 1],
    'white space' => [200, " 0\r\n", 1],
    'JSON' => [200, '{"code": 0, "msg": "ok"}', 1],
    'data of other kinds' => [200, '{"code":0,"data":"x"}', 1],
    'one' => [200, '1', 0],
    'code 1' => [200, '{"code":1}', 0],
    'code of another kind' => [200, '{"code":"0"}', 0],
    'no code' => [200, '{}', 0],
    'nothing' => [200, '', 0],
    'garbage' => [200, "\0\1garbage" x 100, 0],
    'too much' => [200, '0' . ' ' x 100000, 0],
    '204' => [204, '', 0],
    '403' => [403, '0', 0],
    '500' => [500, '0', 0],
    'a redirect' => [302, '0', 0],
);

for my $name (sort keys %verdicts) {
    my ($status, $body, $yes) = @{$verdicts{$name}};

    $hook->answer('/publish', status => $status, body => $body);
    is(publishes('live', 'v'), $yes, "$name: " . ($yes ? 'yes' : 'no'));
}

$hook->answer('/publish', half => 1);
is(publishes('live', 'v'), 0, 'half an answer');
$hook->answer('/publish', close => 1);
is(publishes('live', 'v'), 0, 'no answer');
$hook->answer('/publish');

# in the words of the protocol

$p = Test::RTMP->new(port(1935))->connect('live');
$p->publish('x');

$hook->answer('/play', body => '1');

$c = Test::RTMP->new(port(1935))->connect('live');
ok($c->play('x', expect => 'NetStream.Play.Failed')
    || $c->closed(), 'RTMP: play is denied');
is(http_status(http_get('/live/x.flv')), 403, 'HTTP-FLV is denied');
is(get('/live/x.m3u8')->{status}, 403, 'HLS is denied');

$hook->answer('/play');

# several URLs in order

$hook->forget();
is(publishes('two', 'x'), 1, 'two URLs');
is(join(' ', map { $_->{path} } grep { $_->{path} =~ /first|second/ }
    $hook->requests()), '/first /second', 'in order');

$hook->forget()->answer('/first', body => '1');
is(publishes('two', 'x'), 0, 'the first one denies');
is(scalar($hook->requests('/second')), 0, 'the second one is not asked');

$hook->answer('/first')->answer('/second', body => '1');
is(publishes('two', 'x'), 0, 'the second one denies');
$hook->answer('/second');

is(publishes('none', 'x'), 1, 'none in an application');

# no verdict

is(publishes('shut', 'x'), 0, 'hook_fail deny');
is(publishes('open', 'x'), 1, 'hook_fail allow');

$hook->answer('/open', delay => 5);
is(http_status(http_get('/open/x.flv', limit => 20)), 404,
    'hook_timeout, and nobody publishes');

$hook->forget()->answer('/flaky', status => 503);
is(publishes('flaky', 'x'), 0, 'hook_retry in vain');
is(scalar($hook->requests('/flaky')), 4, 'tries');

$hook->forget()->answer('/flaky', body => '5');
is(publishes('flaky', 'x'), 0, 'a refusal');
is(scalar($hook->requests('/flaky')), 1, 'is not asked again');

# what an answer adds

$hook->answer('/publish', body => '{"code":0,"data":{"stream":"other"}}');

my $q = Test::RTMP->new(port(1935))->connect('live');
ok($q->publish('key'), 'publish under another name');
$hook->answer('/publish');

is(join(' ', sort map { $_->{name} } grep { $_->{publish}{active} }
    @{$t->api_get('/api/v1/streams/')->{streams}}), 'other x', 'names');

$hook->forget();
$q->close();

($r) = $hook->wait_for('/unpublish', 1);
is($r->{json}{stream}, 'other', 'its name in on_unpublish');

$hook->answer('/play', body => '{"code":0,"data":{"lifetime":1.5}}');

$c = Test::RTMP->new(port(1935))->connect('live');
$c->play('x');
my $at = time();
ok(wait_until(sub { $c->closed() }, 10), 'a player whose time is over');
cmp_ok(time() - $at, '>', 1, 'after its time');

# the earlier end holds, whoever says it

$hook->answer('/play', body => '{"code":0,"data":{"lifetime":60}}');
$hook->answer('/connect', body => '{"code":0,"data":{"lifetime":1.5}}');

$c = Test::RTMP->new(port(1935))->connect('live');
$c->play('x');
ok(wait_until(sub { $c->closed() }, 10), 'a connection whose time is over');

$hook->answer('/connect');

$hook->answer('/play', body =>
    '{"code":0,"data":{"redirect":"rtmp://other.example.com/live/x"}}');

$c = Test::RTMP->new(port(1935))->connect('live');
$r = $c->play('x', expect => 'NetConnection.Connect.Rejected');
is($r && $r->{info}{ex} && $r->{info}{ex}{redirect}
    || $r && $r->{info}{redirect}, 'rtmp://other.example.com/live/x',
    'RTMP goes elsewhere') or note(explain($r));
like(http_get('/live/x.flv'), qr!302.*^Location: rtmp://other.ex!ms,
    'HTTP-FLV as well');

$hook->answer('/play');

# a client that leaves while it is asked

$hook->answer('/publish', delay => 1)->forget();

for (1 .. 10) {
    $q = Test::RTMP->new(port(1935))->connect('live');
    $q->create_stream();
    $q->command_on($q->{msid}, 'publish', 0, undef, "gone$_", 'live');
    $q->fill(time() + 0.05);
    $q->close();
}

my @asked = $hook->wait_for('/publish', 10);

is(scalar(@asked), 10, 'asked');
ok(wait_until(sub { !grep { $_->{name} =~ /^gone/ && $_->{publish}{active} }
    @{$t->api_get('/api/v1/streams/')->{streams}} }, 5), 'none publishes');
ok(wait_until(sub { !grep { $_->{name} =~ /^gone/ }
    @{$t->api_get('/api/v1/clients/?count=100')->{clients}} }, 5),
    'none is there');

# nobody is let in who has gone, so nobody has an end

$hook->answer('/publish');

$q = Test::RTMP->new(port(1935))->connect('live');
$q->publish('after');
$q->close();

$hook->wait_for('/unpublish', 1);

is(join(' ', map { $_->{json}{stream} } $hook->requests('/unpublish')),
    'after', 'no end without a beginning');

$hook->answer('/publish');
$_->close() for $c, $p;

ok($t->read_file('error.log') !~ /secret=abc|token=t1/,
    'no arguments of RTMP in the log');

$t->stop();

###############################################################################

sub check {
    my ($r, $action, %want) = @_;

    %want = (%who, action => $action, %want);

    my $fields = $r ? $r->{fields} : [];

    is(join(' ', map { $_->[0] } @$fields), join(' ', @{$order{$action}}),
        "$action: order");

    my @wrong;

    for my $f (@$fields) {
        my ($name, $value) = @$f;
        my $want = $want{$name};
        my $number = $name =~ /_bytes$/;

        push @wrong, "$name is $value" if $number xor $value !~ /^"/;

        $value = $r->{json}{$name};

        push @wrong, "$name is $value, not " . ($want // 'known')
            unless defined $want && (ref $want ? $value =~ $want
                                               : $value eq $want);
    }

    is(join(', ', @wrong), '', "$action: fields");
}

sub publishes {
    my ($app, $name) = @_;

    my $c = Test::RTMP->new(port(1935))->connect($app);

    $c->create_stream();
    $c->command_on($c->{msid}, 'publish', 0, undef, $name, 'live');

    my $m = $c->expect(sub {
        my $v = $_[0]{values} or return 0;
        return $v->[0] eq 'onStatus';
    }, 10);

    my ($info) = $m ? grep { ref $_ eq 'HASH' } @{$m->{values}} : {};

    $c->close();

    note($info->{code}) if $info->{code};
    return ($info->{code} // '') eq 'NetStream.Publish.Start' ? 1 : 0;
}

sub send_frames {
    my ($n) = @_;

    for (1 .. $n) {
        $p->video($frame * 100, $frame % 10 ? Test::RTMP::avc_inter($frame)
            : Test::RTMP::avc_key($frame));
        $frame++;
    }

    $p->fill(time() + 0.2);
    $p->{in} = '';
}

###############################################################################

done_testing();

###############################################################################
