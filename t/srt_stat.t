#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What operators see of SRT: round-trip time, loss and what became of it, of a
# publisher and of a player behind a bad network and of others behind none: in
# the API, in the metrics, in the access log.  Sessions are closed by whichever
# worker is asked.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::Impair;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $t = Test::Nginx->new()->has(qw/http stream srt flv_live/)
    ->has_daemon('ffmpeg')->has_daemon('srt-live-transmit');

$t->write_file_expand('nginx.conf', <<'EOF_CONF');

%%TEST_GLOBALS%%

daemon off;

worker_processes 4;

events {
}

media {
    zone 64m;

    application sent {
        forward srt://127.0.0.1:%%PORT_10080_UDP%%/copy/x;
    }
}

stream {
    log_format way '$media_client_id $media_protocol $media_type rtt=$media_rtt '
                   'latency=$media_latency loss=$media_loss lost=$media_lost '
                   'resent=$media_resent late=$media_late '
                   'undecrypted=$media_undecrypted $media_close_reason';

    server {
        listen %%PORT_10080_UDP%% udp reuseport;
        access_log %%TESTDIR%%/way.log way;

        srt {
            latency 300ms;
        }
    }
}

http {
    %%TEST_GLOBALS_HTTP%%

    server {
        listen       127.0.0.1:8080;
        server_name  localhost;

        location / {
            media_api write;
        }

        location = /metrics {
            media_metrics;
        }

        location /live/ {
            flv_live;
        }
    }
}

EOF_CONF

$t->run();

###############################################################################

my $port = port(10080);
my $seen = metrics();

is($seen->{'nginx_media_link_sessions{protocol="srt"}'}, 0,
    'metrics: no sessions');
is($seen->{'nginx_media_link_received_packets_total{protocol="srt"}'}, 0,
    'metrics: no packets');

my $net = Test::Nginx::Impair->new($t, udp => $port, loss => 5, delay => 20);

# one each behind it, one each without

my %pid = (
    bad => publish("127.0.0.1:$net->{udp}", 'bad'),
    good => publish("127.0.0.1:$port", 'good'),
);

ok(wait_until(sub { 2 == grep { $_->{publish}{active} }
    @{$t->api_get('/api/v1/streams/')->{streams}} }, 10), 'publishers');

$pid{badplay} = play("127.0.0.1:$net->{udp}", 'bad');
$pid{goodplay} = play("127.0.0.1:$port", 'good');

# until the bad network shows

my %c;

ok(wait_until(sub {
    %c = clients();
    my ($p, $v) = map { $c{$_} && $c{$_}{link} } qw/ bad-publish bad-play /;
    return $p && $v && $p->{lost} > 3 && $p->{recovered}
        && $p->{recv_kbps} && $v->{send_kbps}
        && $v->{sent_lost} > 3 && $v->{resent} && $v->{rtt_ms} < 90
        && $p->{rtt_ms} < 90 && $c{'good-play'} && $c{'good-play'}{link}
        && $c{'good-play'}{link}{sent} > 30 && $c{'good-play'}{link}{rtt_ms} < 20
        && $c{'good-publish'}{link}{rtt_ms} < 20;
}, 12), 'figures') or diag(explain(\%c));

my $p = $c{'bad-publish'}{link};

is($c{'bad-publish'}{type}, 'srt-publish', 'publisher: its type');
ok(!$c{'bad-publish'}{relay}, 'publisher: nobody dialled it');
cmp_ok($p->{rtt_ms}, '>=', 40, "publisher: $p->{rtt_ms} ms there and back");
is($p->{latency_ms}, 300, 'publisher: latency');
cmp_ok($p->{received}, '>', $p->{lost}, "publisher: $p->{received} came");
cmp_ok($p->{lost} / $p->{received}, '<', 0.25, "publisher: $p->{lost} lost");
cmp_ok($p->{recovered}, '<=', $p->{lost}, 'publisher: most came again');
cmp_ok($p->{recovered}, '>', $p->{lost} / 3, "  $p->{recovered} of them");
cmp_ok($p->{nacks}, '>', 0, 'publisher: asked for');
cmp_ok($p->{recv_kbps}, '>', 50, "publisher: $p->{recv_kbps} kbit/s");
is($p->{sent} + $p->{resent} + $p->{sent_lost} + $p->{undecrypted}, 0,
    'publisher: nothing is sent');

$p = $c{'bad-play'}{link};

is($c{'bad-play'}{type}, 'srt-play', 'player: its type');
cmp_ok($p->{rtt_ms}, '>=', 40, "player: $p->{rtt_ms} ms there and back");
is($p->{latency_ms}, 300, 'player: latency');
cmp_ok($p->{sent}, '>', $p->{sent_lost}, "player: $p->{sent} sent");
cmp_ok($p->{resent}, '>', 0, "player: $p->{resent} again");
cmp_ok($p->{sent_lost} / $p->{sent}, '<', 0.5,
    "player: $p->{sent_lost} missed");
cmp_ok($p->{nacks}, '>', 0, 'player: it asked');
cmp_ok($p->{send_kbps}, '>', 50, "player: $p->{send_kbps} kbit/s");
is($p->{received} + $p->{lost} + $p->{recovered}, 0,
    'player: nothing is received');

for my $name (qw/ good-publish good-play /) {
    my $l = $c{$name}{link};

    is(join(' ', map { "$_=$l->{$_}" } qw/ lost recovered dropped resent
        sent_lost sent_dropped undecrypted nacks plis /),
        'lost=0 recovered=0 dropped=0 resent=0 sent_lost=0 sent_dropped=0 '
        . 'undecrypted=0 nacks=0 plis=0', "$name: nothing is lost");
    cmp_ok($l->{rtt_ms}, '<', 20, "$name: $l->{rtt_ms} ms");
}

# the stream has its publisher's, one client has its own, others have none

my ($stream) = grep { $_->{name} eq 'bad' }
    @{$t->api_get('/api/v1/streams/')->{streams}};

cmp_ok($stream->{publish}{link}{rtt_ms}, '>=', 40, 'stream: its publisher');
is($stream->{clients}, 2, 'stream: clients');

my $one = $t->api_get("/api/v1/clients/$c{'bad-play'}{id}")->{client};
cmp_ok($one->{link}{sent}, '>=', $p->{sent}, 'one client');

my $flv = http_start("GET /live/good.flv HTTP/1.0\r\n\r\n");

ok(wait_until(sub { my %c = clients();
    return $c{'good.flv-play'} && !defined $c{'good.flv-play'}{link} }, 5),
    'of TCP nothing is known');
close $flv;

# sums

ok(wait_until(sub {
    %c = clients();
    $seen = metrics();
    return grep({ $seen->{"nginx_media_link_$_->[0]_packets_total{protocol=\"srt\"}"}
        > sum($_->[1], %c) } [ 'lost', 'lost' ], [ 'resent', 'resent' ]) == 0;
}, 5), 'metrics: not more than the clients together');

$seen = metrics();

for my $name (qw/ sent resent sent_lost received recovered lost /) {
    my $key = "nginx_media_link_${name}_packets_total{protocol=\"srt\"}";

    cmp_ok($seen->{$key}, '>=', sum($name, %c), "metrics: $name");
}

is($seen->{'nginx_media_link_sessions{protocol="srt"}'}, 4,
    'metrics: sessions');
cmp_ok($seen->{'nginx_media_link_rtt_max_seconds{protocol="srt"}'}, '>=', 0.04,
    'metrics: the longest round-trip time');
cmp_ok($seen->{'nginx_media_link_rtt_seconds{protocol="srt"}'}, '<',
    $seen->{'nginx_media_link_rtt_max_seconds{protocol="srt"}'},
    'metrics: the mean');
ok(!grep({ /link_.*webrtc/ } keys %$seen), 'metrics: nothing of what is not');

# closed by any worker

for my $name (qw/ bad-play bad-publish good-publish /) {
    my $id = $c{$name}{id};

    is($t->api_request('DELETE', "/api/v1/clients/$id")->{code}, 0,
        "$name: closed by the API");
    ok(wait_until(sub { (log_of($id) // '') =~ / kicked$/ }, 5),
        "$name: is gone") or diag(log_of($id) // 'no line');
}

my $line = log_of($c{'bad-publish'}{id});

like($line, qr/ srt publish rtt=(?:[4-9]\d|1\d\d)\.\d{3} latency=300 /,
    'access log: round-trip time');
cmp_ok(($line =~ / lost=(\d+)/)[0], '>=', $c{'bad-publish'}{link}{lost},
    'access log: lost');
cmp_ok(($line =~ / resent=(\d+)/)[0], '>', 0, 'access log: came again');
like($line, qr/ loss=(?!0\.00)\d+\.\d\d /, 'access log: a share');

$line = log_of($c{'bad-play'}{id});

like($line, qr/ srt play rtt=/, 'access log: a player');
cmp_ok(($line =~ / lost=(\d+)/)[0], '>=', $c{'bad-play'}{link}{sent_lost},
    'access log: what it missed');
cmp_ok(($line =~ / resent=(\d+)/)[0], '>=', $c{'bad-play'}{link}{resent},
    'access log: what it got again');

like(log_of($c{'good-publish'}{id}),
    qr/ loss=0\.00 lost=0 resent=0 late=0 undecrypted=0 /,
    'access log: nothing was lost');

# one that leaves by itself was read a moment before

my $was = $c{'good-play'};

$t->stop_daemon($pid{goodplay});
ok(wait_until(sub { (log_of($was->{id}) // '') =~ / closed$/ }, 5),
    'good-play: has left') or diag(log_of($was->{id}) // 'no line');
like(log_of($was->{id}),
    qr/ srt play rtt=\d+\.\d{3} latency=300 loss=0\.00 lost=0 resent=0 /,
    'access log: who has left');

# what was counted stays

my $before = $seen;
$seen = metrics();

is(join(' ', grep { /_total/ && /link/ && $seen->{$_} < $before->{$_} }
    keys %$before), '', 'metrics: sums never go back');

# what this server dials is seen, and is nobody's viewer

$pid{sent} = publish("127.0.0.1:$port", 'x', 'sent');

ok(wait_until(sub {
    %c = ();
    $c{$_->{url} . ($_->{publish} ? ' publish' : ' play')} = $_
        for @{$t->api_get('/api/v1/clients/?count=100')->{clients}};
    return $c{'/sent/x play'} && $c{'/sent/x play'}{link}
        && $c{'/copy/x publish'} && $c{'/copy/x publish'}{link};
}, 10), 'forward: clients') or diag(explain(\%c));

ok($c{'/sent/x play'}{relay}, 'forward: the one that was dialled');
ok(!$c{'/sent/x publish'}{relay} && !$c{'/copy/x publish'}{relay},
    'forward: not the others');
cmp_ok($c{'/sent/x play'}{link}{sent}, '>', 0, 'forward: what was sent');

($stream) = grep { $_->{url} eq '/sent/x' }
    @{$t->api_get('/api/v1/streams/')->{streams}};
$stream = $t->api_get("/api/v1/streams/$stream->{id}")->{stream};

is($stream->{clients}, 1, 'forward: the publisher is all');
is($stream->{health}{players}, 0, 'forward: no players');
is(metrics()->{srs_clients}, keys(%c) - 1, 'forward: metrics');

$t->stop_daemon($_) for values %pid;

###############################################################################

done_testing();

###############################################################################

sub publish {
    my ($to, $name, $app) = @_;

    $app //= 'live';

    return $t->publish("srt://$to?streamid=#!::r=$app/$name,m=publish"
        . '&latency=300000&pkt_size=1316', format => 'mpegts',
        codecs => [qw/ -c:v libx264 -preset ultrafast -tune zerolatency
            -pix_fmt yuv420p -b:v 900k -minrate 900k -maxrate 900k
            -bufsize 450k -x264-params nal-hrd=cbr -g 25 -c:a aac -b:a 64k /]);
}

sub play {
    my ($from, $name) = @_;

    return $t->run_daemon('sh', '-c',
        'exec srt-live-transmit -q "$0" file://con > /dev/null',
        "srt://$from?streamid=#!::r=live/$name,m=request&latency=300");
}

# by NAME-publish and NAME-play

sub clients {
    my $json = $t->api_get('/api/v1/clients/?count=100');

    return map { ("$_->{name}-" . ($_->{publish} ? 'publish' : 'play'), $_) }
        @{$json->{clients}};
}

sub sum {
    my ($name, %c) = @_;
    my $sum = 0;

    $sum += $_ for map { $_->{link}{$name} } grep { $_->{link} } values %c;

    return $sum;
}

sub metrics {
    return { map { /^([a-z]\S*) (\S+)$/ ? ($1, $2) : () }
        split /\n/, http_content(http_get('/metrics')) };
}

sub log_of {
    my ($id) = @_;

    my ($line) = grep { /^\Q$id\E / } split /\n/, $t->read_file('way.log');

    return $line;
}

###############################################################################
