#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The access log has what a session did, also where the publish or the play
# was over before the connection closed; lines of the error log tell which
# session they are about.  Arguments are in no line that we write.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::RTMP;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream rtmp flv_live hls/);

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes %%WORKERS%%;

events {
}

media {
    zone 64m;
    republish_wait 100ms;
    idle_timeout 2s;

    application keys { publish_name k7Gq2vXp news; }
}

stream {
    log_format media '$media_client_id $media_protocol '
                     '$media_vhost/$media_app/$media_stream '
                     'type=$media_type reason=$media_close_reason '
                     'duration=$media_duration frames=$media_frames '
                     'dropped=$media_dropped sent=$media_bytes_sent '
                     'received=$media_bytes_received end';

    server {
        listen %%PORT_1935%%;
        access_log %%TESTDIR%%/rtmp.log media;
        rtmp { }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    log_format media '$media_client_id $media_protocol '
                     '$media_vhost/$media_app/$media_stream '
                     'type=$media_type reason=$media_close_reason '
                     'duration=$media_duration frames=$media_frames '
                     'dropped=$media_dropped sent=$media_bytes_sent '
                     'received=$media_bytes_received end';

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;
        access_log   %%TESTDIR%%/http.log media;

        location / {
            flv_live;
            hls;
        }

        location /push/ {
            flv_live_push on;
        }

        location /api/ {
            media_api write;
            access_log off;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $id = qr/[0-9a-z]{8}/;

# a publisher, and players that leave in other ways

my $p = Test::RTMP->new(port(1935))->connect('live');
$p->publish('one?token=secret1');
$p->video(0, Test::RTMP::avc_config());
$p->video(40 * $_, Test::RTMP::avc_key($_)) for 1 .. 20;

my $rtmp = Test::RTMP->new(port(1935))->connect('live');
$rtmp->play('one?token=secret2');
$rtmp->read_video(5);

my $flv = http_start("GET /live/one.flv?token=secret3 HTTP/1.0\r\n\r\n");
my $kicked = http_start("GET /live/one.flv?token=secret4 HTTP/1.0\r\n\r\n");
ok(wait_until(sub { clients() == 4 }, 10), 'a publisher and three players');

for (21 .. 60) {
    $p->video(40 * $_, Test::RTMP::avc_key($_));
    $rtmp->read_video(5);
}

# the play is over, the connection is not

$rtmp->command_on($rtmp->{msid}, 'closeStream', 0, undef);
ok($rtmp->create_stream(), 'the play is over');
$rtmp->close();

my $line = line('rtmp.log', 'type=play');
like($line, qr!^$id rtmp __defaultVhost__/live/one type=play reason=closed !,
    'RTMP play: names and reason');
cmp_ok(number($line, 'frames'), '>=', 39, 'frames');
cmp_ok(number($line, 'frames'), '<=', 63, 'not more than there were');
is(number($line, 'dropped'), 0, 'nothing dropped');
cmp_ok(number($line, 'sent'), '>', 1000, 'bytes sent');
cmp_ok(number($line, 'received'), '>', 100, 'bytes received');
like($line, qr/duration=\d+\.\d{3} /, 'duration');

# HTTP

$flv->close();
$line = line('http.log', 'reason=closed');
like($line, qr!^$id flv __defaultVhost__/live/one type=play reason=closed !,
    'FLV play: names and reason');
cmp_ok(number($line, 'frames'), '>=', 39, 'frames');
cmp_ok(number($line, 'sent'), '>', 1000, 'bytes sent');

my ($who) = map { $_->{id} } grep { !$_->{publish} } clients();
$t->api_request('DELETE', "/api/v1/clients/$who");
$line = line('http.log', 'reason=kicked');
like($line, qr!^$who flv .* type=play reason=kicked !, 'kicked');

http_get('/live/nobody.flv?token=secret5');
$line = line('http.log', 'nobody');
like($line, qr!^$id flv \S+/nobody type=play reason=not_found !,
    'a stream that is not there');
like($line, qr! duration=\d+\.\d{3} frames=0 dropped=0 !, 'nothing was sent');

http_get('/nothing');
$line = line('http.log', '^- ');
is($line, '- - -/-/- type=- reason=- duration=- frames=- dropped=- sent=- '
    . 'received=- end', 'no session');

# a publisher that is refused

my $q = Test::RTMP->new(port(1935))->connect('live');
$q->publish('one?token=secret6', expect => 'NetStream.Publish.BadName');
$q->close();
$line = line('rtmp.log', 'reason=busy');
like($line, qr! __defaultVhost__/live/one type=publish reason=busy .*frames=0!,
    'a publish that was refused');

# the publish is over, the connection is not

$p->command_on($p->{msid}, 'closeStream', 0, undef);
ok($p->create_stream(), 'the publish is over');
$p->close();

$line = line('rtmp.log', 'type=publish reason=closed');
like($line, qr!^$id rtmp __defaultVhost__/live/one !, 'publish: names');
is(number($line, 'frames'), 60, 'frames');
cmp_ok(number($line, 'received'), '>', 60 * 40, 'bytes received');
ok($line =~ /duration=(\S+)/ && $1 > 0, 'duration');

# a push over HTTP

http_post('/push/live/key7?token=secret7', "FLV\1\5\0\0\0\11\0\0\0\0garbage");
$line = line('http.log', 'key7');
like($line, qr!^$id flv \S+/live/key7 type=publish!, 'a push');

# a key that stands for a name

{
    my $k = Test::RTMP->new(port(1935))->connect('keys');
    $k->publish('k7Gq2vXp');
    my $again = Test::RTMP->new(port(1935))->connect('keys');
    $again->publish('k7Gq2vXp', expect => 'NetStream.Publish.BadName');
    $again->close();
    http_post('/push/keys/k7Gq2vXp', "FLV\1\5\0\0\0\11\0\0\0\0x");
    $k->close();
}

like(line('rtmp.log', '/keys/news type=publish reason=closed'), qr/keys/,
    'the name of a key');

# the error log

my $log = $t->read_file('error.log');

like($log, qr!client: 127\.0\.0\.1, .*, media: $id rtmp __defaultVhost__/live/one(,|$)!m,
    'a line about RTMP');
like($log, qr!play refused: stream not found, client: 127\.0\.0\.1, server: localhost, request: "GET /live/nobody\.flv", host: "localhost", media: $id flv __defaultVhost__/live/nobody$!m,
    'a line about HTTP');
unlike($log, qr/secret|token/, 'no arguments');
unlike($log, qr!"POST /!, 'no path of a publisher');
unlike($log, qr/k7Gq2vXp/, 'no key');
unlike($t->read_file($_), qr/k7Gq2vXp/, "no key in $_")
    for qw/ rtmp.log http.log /;

###############################################################################

done_testing();

sub clients {
    my $json = $t->api_get('/api/v1/clients/');
    return grep { $_->{type} ne 'Unknown' && $_->{url} =~ m!/live/! }
        @{$json->{clients} || []};
}

sub line {
    my ($file, $what) = @_;
    my $line;

    wait_until(sub {
        ($line) = grep { /$what/ } split /\n/, $t->read_file($file) // '';
        return defined $line;
    }, 10);

    return $line // '';
}

sub number {
    my ($line, $name) = @_;
    return $line =~ / $name=(\d+)/ ? $1 : -1;
}

###############################################################################
