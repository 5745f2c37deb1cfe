#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# conf/edge-hls.conf: a cache in front of HLS.  200 clients that want the same
# playlists, parts and segments at the same time make one request for each at
# the origin, and get what the origin has.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;
use Test::Nginx::HLS;

use IO::Select;
use List::Util qw/ max /;
use Time::HiRes qw/ sleep time /;

select STDERR; $| = 1;
select STDOUT; $| = 1;

my $CLIENTS = 200;

my $t = Test::Nginx->new()->has(qw/http proxy gzip stream rtmp hls/)
    ->has_daemon('ffmpeg', 'ffprobe');

$t->write_file_expand('nginx.conf', <<'END_OF_CONF');
%%TEST_GLOBALS%%
daemon off;
worker_processes %%WORKERS%%;
events { }

media {
    zone 128m;
    republish_wait 1s;
}

stream {
    server { listen 127.0.0.1:8035; rtmp { } }
}

http {
    %%TEST_GLOBALS_HTTP%%
    access_log %%TESTDIR%%/origin.log;

    server {
        listen 127.0.0.1:8080;
        location / { hls; }
    }
}
END_OF_CONF

# the edge as it is shipped, at other places

my $conf = do {
    open my $fh, '<', "$Test::Nginx::ROOT/conf/edge-hls.conf" or die "$!";
    local $/;
    <$fh>;
};

my $d = $t->testdir();

$conf =~ s/worker_processes auto;/"daemon off; worker_processes 2;\n"
    . ($> == 0 ? "user www-data;\n" : '') . "pid $d\/edge.pid;\n"
    . "error_log $d\/edge.log info;"/e;
$conf =~ s/worker_rlimit_nofile \d+;//;
$conf =~ s/worker_connections \d+;/worker_connections 1024;/;
$conf =~ s!/var/cache/nginx/hls!$d/cache!;
$conf =~ s/127\.0\.0\.1:8080/'127.0.0.1:' . port(8080)/e;
$conf =~ s/listen 80;/'listen 127.0.0.1:' . port(8090) . ';'/e;
$conf =~ s/http \{/"http {\naccess_log off;\n" . join '', map {
    "${_}_temp_path $d\/edge_$_;\n" } qw! client_body proxy fastcgi uwsgi scgi !/e;

$t->write_file('edge.conf', $conf);

my ($status, $text) = $t->test_config('edge.conf');

is($status, 0, 'conf/edge-hls.conf') or diag($text);

$t->run();

my $edge = $t->run_daemon($Test::Nginx::NGINX, '-p', "$d/", '-c', 'edge.conf',
    '-e', 'edge.log');

ok($t->waitforsocket('127.0.0.1:' . port(8090)), 'the edge runs');

my $pid = $t->publish('rtmp://127.0.0.1:' . port(8035) . '/live/x', gop => 50);
my $uri = '/live/x.hls.0.m3u8';

ok(hls_live($uri, 2), 'live');

# playlists and objects through the edge are those of the origin

my $p = playlist($uri, port => 8090);
my $last = $p->{segments}[-1]{uri};

is(get("/live/$last", port => 8090)->{body}, get("/live/$last")->{body},
    'a segment');
is(get("/live/$p->{init}", port => 8090)->{body},
    get("/live/$p->{init}")->{body}, 'init');
is(get("/live/$last", port => 8090)->{header}{'x-cache'}, 'HIT',
    'a segment is kept');
is(get('/live/x.hls.1.m4s', port => 8090)->{status}, 404, 'what is not there');

# all want the same at the same time

$p = playlist($uri);

crowd('the next part', "$uri?_HLS_msn=$p->{next_msn}"
    . "&_HLS_part=$p->{next_part}", qr/\Q$p->{hint}\E/, 2);

$p = playlist($uri);

crowd('what is hinted at', "/live/$p->{hint}", qr/mdat/, 2);

$p = parse(get("$uri?_HLS_msn=$p->{next_msn}")->{body});

crowd('a segment', "/live/$p->{segments}[-1]{uri}", qr/mdat/, 2);

$p = playlist($uri);

crowd('the whole playlist', "$uri?_HLS_msn=$p->{next_msn}",
    qr/^#EXTM3U.*\.$p->{next_msn}\.m4s$/ms, 4);

# all play for a while, as players do: playlist after playlist

my %seen;

cut_log();

my $until = time() + 5;
my @players = map { { n => $_ } } 1 .. 50;
my ($answers, $bad) = (0, 0);

$p = playlist($uri, port => 8090);
ask($_, $p) for @players;

while (grep { $_->{get} } @players) {
    my %of = map { fileno($_->{get}{socket}) => $_ } grep { $_->{get} }
        @players;

    for my $s (IO::Select->new(map { $_->{get}{socket} } values %of)
        ->can_read(5))
    {
        my $player = $of{fileno $s};
        my $a = end_get(delete $player->{get});

        $answers++;
        $bad++ if $a->{status} != 200;

        ask($player, parse($a->{body})) if time() < $until
            && $a->{status} == 200;
    }
}

is($bad, 0, 'players: every answer is good');
cmp_ok($answers, '>', 50 * 8, 'players: answers');

my %twice = grep_twice();

is(join("\n", map { "$_ $twice{$_}" } sort keys %twice), '',
    'players: nothing was asked for twice at the origin');

my $got = decoded_frames('http://127.0.0.1:' . port(8090) . '/live/x.m3u8',
    '-read_intervals', '%+4');

is($got->{errors}, '', 'ffprobe through the edge');
cmp_ok($got->{video} || 0, '>=', 90, 'ffprobe through the edge: pictures');

$t->stop_daemon($pid);
$t->stop_daemon($edge, 'QUIT');

unlike($t->read_file('edge.log'), qr/\[(alert|crit|emerg)\]/, 'edge: no alerts');

done_testing();

###############################################################################

sub ask {
    my ($player, $p) = @_;

    return unless defined $p->{next_msn};

    $player->{get} = start_get("$uri?_HLS_msn=$p->{next_msn}"
        . "&_HLS_part=$p->{next_part}", port => 8090);
}

sub crowd {
    my ($name, $path, $want, $seconds) = @_;

    cut_log();

    my $start = time();
    my @all = map { start_get($path, port => 8090) } 1 .. $CLIENTS;
    my @answers = map { end_get($_, timeout => max(0.1, $start + 15 - time())) }
        @all;
    my $took = time() - $start;

    is(scalar(grep { $_->{status} == 200 } @answers), $CLIENTS,
        "$name: $CLIENTS answers");
    is(scalar(grep { $_->{body} =~ $want } @answers), $CLIENTS,
        "$name: of what was wanted");
    cmp_ok($took, '<', $seconds, "$name: in time");

    sleep 0.1;

    my $n = () = origin_log() =~ /GET \Q$path\E /g;

    is($n, 1, "$name: one request at the origin");
}

my $cut;

sub cut_log { $cut = length($t->read_file('origin.log') // '') }

sub origin_log { return substr $t->read_file('origin.log') // '', $cut }

sub grep_twice {
    my %n;
    my $log = origin_log();

    $n{$1}++ while $log =~ /GET (\S+_HLS_msn\S+) /g;

    return map { $_ => $n{$_} } grep { $n{$_} > 1 } keys %n;
}
